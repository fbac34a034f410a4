//! RTCP views, and what a forwarder answers: see `ginnel_rtp::fuzz::rtcp::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_rtp::fuzz::rtcp::run(data));
