//! What tells the protocols on one socket apart: see `ginnel_dtls_srtp::fuzz::demux::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_dtls_srtp::fuzz::demux::run(data));
