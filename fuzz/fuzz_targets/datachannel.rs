//! Channels, their messages and SCTP packets behind true checksums: see `ginnel_datachannel::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_datachannel::fuzz::run(data));
