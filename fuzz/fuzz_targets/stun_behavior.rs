//! A script against NAT behaviour discovery: see `ginnel_stun::behavior::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_stun::behavior::fuzz::run(data));
