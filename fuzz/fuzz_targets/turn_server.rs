//! A TURN server, a driver that refuses, clients of two users, and time: see `ginnel_turn::server::fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_turn::server::fuzz::run(data));
