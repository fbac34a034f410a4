//! STUN (RFC 8489) as sans-I/O: message view and writer, credentials, transactions, Binding server.
#![forbid(unsafe_code)]
