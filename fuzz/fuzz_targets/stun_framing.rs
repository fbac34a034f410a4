//! Streams cut into messages, STUN and ChannelData or RFC 4571: see `ginnel_core::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_core::fuzz::run(data));
