//! TURN (RFC 8656) as sans-I/O: ChannelData, client and server.
#![forbid(unsafe_code)]
