//! STUN messages: views, attributes, integrity, the Binding server: see `ginnel_stun::fuzz::message::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_stun::fuzz::message::run(data));
