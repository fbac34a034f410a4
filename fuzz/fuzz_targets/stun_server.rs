//! A Binding server with every configuration, and a script of requests: see `ginnel_stun::server_fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_stun::server_fuzz::run(data));
