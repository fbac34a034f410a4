//! `cargo xtask test`: everything that shows that the workspace works.
//!
//! First what needs nothing but Rust (under a minute once built), then the peers that others wrote. With `--quick` only
//! the first part runs.

use crate::{
    setup,
    step::{Failure, Step, heading, on_path},
};

/// Runs the tests.
pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    if let Some(other) = args.iter().find(|a| **a != "--quick") {
        return Err(format!("'{other}' is not an option of `test`: there is only --quick"));
    }
    heading("tests without real peers");
    if nextest() {
        Step::cargo("build", &["build", "--workspace", "--all-targets", "--quiet"]).run()?;
        Step::cargo(
            "units, properties, simulations",
            &["nextest", "run", "--workspace", "--exclude", "ginnel-interop", "--status-level", "fail"],
        )
        .shown()?;
    } else {
        Step::cargo(
            "units, properties, simulations",
            &["test", "--workspace", "--exclude", "ginnel-interop", "--all-targets", "--quiet"],
        )
        .shown()?;
    }
    Step::cargo("doc tests", &["test", "--workspace", "--doc", "--quiet"]).run()?;
    if args.contains(&"--quick") {
        return Ok(());
    }
    heading("tests against real peers");
    setup::run()?;
    Step::cargo("build the program", &["build", "--release", "--package", "ginnel-cli", "--quiet"]).run()?;
    let words: &[&str] = if nextest() {
        // One at a time: each test runs a whole browser, and the tests measure time to connect.
        &["nextest", "run", "--package", "ginnel-interop", "--test-threads", "1", "--no-capture"]
    } else {
        &["test", "--package", "ginnel-interop", "--", "--test-threads", "1", "--nocapture"]
    };
    Step::cargo("browsers", words).shown()
}

fn nextest() -> bool {
    on_path("cargo-nextest")
}
