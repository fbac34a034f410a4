//! Descriptions and candidates, through parser and negotiator: see `ginnel_sdp::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_sdp::fuzz::run(data));
