//! `cargo xtask soak`: the long runs, for once per change of substance and not for every commit.

use crate::{
    fuzz,
    step::{Failure, Step, heading},
    test::nextest,
};

/// Each test that ranges over seeds, with [`SEEDS`] of them; then fuzzing: see [`fuzz::soak`].
pub(crate) fn run() -> Result<(), Failure> {
    heading("soak");
    let words = ["--workspace", "--exclude", "ginnel-interop", "--tests", "--release"];
    Step::cargo("build", &[&["build", "--quiet"], &words[..]].concat()).run()?;
    // Their names end in `seeds`; the plain test runner can only tell that it is somewhere in the name.
    let (runner, filter): (&[&str], &[&str]) = if nextest() {
        (&["nextest", "run", "--status-level", "all"], &["--filterset", "test(/seeds$/)"])
    } else {
        (&["test"], &["seeds"])
    };
    let name = format!("{SEEDS} seeds");
    let seeds = Step::cargo(&name, &[runner, &words, filter].concat()).env("GINNEL_SEEDS", SEEDS).shown();
    let fuzzed = fuzz::soak();
    seeds.and(fuzzed)
}

/// How many seeds: days of virtual time.
const SEEDS: &str = "200";
