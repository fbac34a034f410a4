//! WebRTC data channels (RFC 8831, RFC 8832) over SCTP, without I/O.
#![forbid(unsafe_code)]
