//! Any sequence of builder calls, and reading gives back what was written: see `ginnel_stun::fuzz::writer::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_stun::fuzz::writer::run(data));
