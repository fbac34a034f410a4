//! An SRTP receiver among forged and sealed packets: see `ginnel_dtls_srtp::fuzz::srtp_unprotect::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ginnel_dtls_srtp::fuzz::srtp_unprotect::run(data));
