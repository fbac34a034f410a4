//! A script against the STUN client: see `ginnel_stun::client::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_stun::client::fuzz::run(data));
