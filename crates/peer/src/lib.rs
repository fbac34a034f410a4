//! A WebRTC peer connection as one sans-I/O machine.
#![forbid(unsafe_code)]
