//! SDP (RFC 8866) and JSEP offer/answer (RFC 9429), lossless and typed, without I/O.
#![forbid(unsafe_code)]
