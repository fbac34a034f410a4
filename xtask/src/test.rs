//! `cargo xtask test`: everything that shows that the workspace works.
//!
//! First what needs nothing but Rust (under a minute once built), then the peers that others wrote. With `--quick` only
//! the first part runs.

use crate::{
    setup,
    step::{Failure, Step, heading, on_path, scratch},
};

/// What the first part is made of: the tests against real peers are apart.
const OURS: [&str; 3] = ["--workspace", "--exclude", "ginnel-interop"];

/// Runs the tests. What fails in the first part does not keep the second from running.
pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    if let Some(other) = args.iter().find(|a| **a != "--quick") {
        return Err(format!("'{other}' is not an option of `test`: there is only --quick"));
    }
    let ours = ours();
    if args.contains(&"--quick") {
        return ours;
    }
    let failures: Vec<Failure> = [ours, peers()].into_iter().filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

fn ours() -> Result<(), Failure> {
    heading("tests without real peers");
    Step::cargo("build", &[&["build", "--all-targets", "--quiet"], &OURS[..]].concat()).run()?;
    let step = |words: &[&str]| Step::cargo("units, properties, simulations", &[words, &OURS].concat());
    let units = if nextest() {
        step(&["nextest", "run", "--status-level", "fail"]).shown()
    } else {
        // Not `--all-targets`: that would run the benchmarks.
        step(&["test", "--lib", "--bins", "--tests", "--examples", "--no-fail-fast", "--quiet"]).shown()
    };
    // What no other crate asks for would else be compiled by nobody: serde, arbitrary, OpaqueString.
    let words = ["test", "--package", "ginnel-stun", "--all-features", "--lib", "--tests", "--quiet"];
    let features = Step::cargo("ginnel-stun with all its features", &words).run();
    let docs = Step::cargo("doc tests", &[&["test", "--doc", "--quiet"], &OURS[..]].concat()).run();
    units.and(features.map(drop)).and(docs.map(drop))
}

fn peers() -> Result<(), Failure> {
    heading("tests against real peers");
    setup::run()?;
    Step::cargo("build the program", &["build", "--release", "--package", "ginnel-cli", "--quiet"]).run()?;
    Step::cargo("build the examples", &["build", "--package", "ginnel-stun", "--examples", "--quiet"])
        .run()?;
    // One at a time: each test runs a whole browser, and the tests measure time to connect.
    let words: &[&str] = if nextest() {
        &["nextest", "run", "--package", "ginnel-interop", "--test-threads", "1", "--no-fail-fast"]
    } else {
        &["test", "--package", "ginnel-interop", "--no-fail-fast", "--", "--test-threads", "1"]
    };
    let said = scratch().join("interop.txt");
    let _ = std::fs::remove_file(&said);
    let outcome = Step::cargo("browsers, coturn", words).env("GINNEL_REPORT", &said).shown();
    // What was measured and what was skipped: runners swallow what a passing test says.
    for line in std::fs::read_to_string(&said).unwrap_or_default().lines() {
        eprintln!("    {line}");
    }
    outcome
}

/// Whether tests can run each in a process of its own, which is faster and tells which one hangs.
pub(crate) fn nextest() -> bool {
    on_path("cargo-nextest")
}
