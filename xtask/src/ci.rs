//! `cargo xtask ci`: what must hold before anything lands.

use crate::{
    fuzz, no_std, readme,
    step::{Failure, Step, heading},
    test, tidy,
};

/// Runs every check, also after one has failed: a person wants to know all at once. Any failure is a failure.
pub(crate) fn run() -> Result<(), Failure> {
    heading("style");
    let mut failures = Vec::new();
    let mut keep = |outcome: Result<(), Failure>| failures.extend(outcome.err());
    keep(quiet("format", &["fmt", "--all", "--check"]));
    for apart in ["fuzz", "xtask/no-std", "xtask/no-std/no-alloc"] {
        let manifest = format!("{apart}/Cargo.toml");
        keep(quiet(&format!("format, {apart}"), &["fmt", "--check", "--manifest-path", &manifest]));
    }
    keep(tidy::run());
    keep(readme::run());
    let clippy = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    keep(quiet("clippy", &clippy));
    let docs = Step::cargo("docs", &["doc", "--workspace", "--no-deps", "--quiet"]);
    keep(docs.env("RUSTDOCFLAGS", "--deny warnings").run().map(drop));
    keep(no_std::run());
    keep(test::run(&[]));
    keep(fuzz::sample());
    if failures.is_empty() {
        heading("ci: everything holds");
        return Ok(());
    }
    Err(failures.join("\n        "))
}

fn quiet(name: &str, words: &[&str]) -> Result<(), Failure> {
    Step::cargo(name, words).run().map(drop)
}
