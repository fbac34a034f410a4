//! Packet demultiplexing, SRTP and SRTCP contexts, and the DTLS endpoint that keys them, without I/O.
#![forbid(unsafe_code)]
