//! The TURN client against the TURN server over a bad network: see `ginnel_turn::pair::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_turn::pair::run(data));
