//! URIs of servers, and searches for them in the DNS: see `ginnel_stun::uri::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_stun::uri::fuzz::run(data));
