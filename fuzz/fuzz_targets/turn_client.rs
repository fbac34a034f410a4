//! A script against the TURN client: see `ginnel_turn::client::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_turn::client::fuzz::run(data));
