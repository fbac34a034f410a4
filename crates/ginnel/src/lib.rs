//! WebRTC for library authors: every protocol a sans-I/O machine, with thin adapters over real sockets.
#![forbid(unsafe_code)]
