//! The mDNS codec, and a script against the querier: see `ginnel_ice::mdns::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_ice::mdns::fuzz::run(data));
