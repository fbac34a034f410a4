//! A script of commands and packets against one ICE agent: see `ginnel_ice::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_ice::fuzz::run(data));
