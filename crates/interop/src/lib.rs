#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod browser;
mod namespace;
mod program;

pub use browser::{Browser, Scenario, Screenshot};
pub use namespace::Namespace;
pub use program::{Demo, Program};

/// Whether a peer that cannot be had is a failure: CI installs everything.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| v == "true" || v == "1")
}

/// Says why a test is skipped; a failure under CI.
///
/// # Panics
/// Under `CI=true`.
pub fn skip(why: &str) {
    assert!(!in_ci(), "CI has every peer, but {why}");
    eprintln!("SKIPPED: {why}");
}
