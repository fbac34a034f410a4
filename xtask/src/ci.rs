//! `cargo xtask ci`: what must hold before anything lands.

use crate::{
    fuzz, no_std, readme,
    step::{Failure, Step, heading},
    test, tidy,
};

/// Runs every check; the first that fails ends it.
pub(crate) fn run() -> Result<(), Failure> {
    heading("style");
    Step::cargo("format", &["fmt", "--all", "--check"]).run()?;
    tidy::run()?;
    readme::run()?;
    Step::cargo("clippy", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"])
        .run()?;
    Step::cargo("docs", &["doc", "--workspace", "--no-deps", "--quiet"])
        .env("RUSTDOCFLAGS", "--deny warnings")
        .run()?;
    no_std::run()?;
    test::run(&[])?;
    fuzz::sample()
}
