//! RTP views, edits and forwarding: see `ginnel_rtp::fuzz::rtp::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_rtp::fuzz::rtp::run(data));
