//! `cargo xtask fuzz`: live fuzzing with libFuzzer.
//!
//! The body of each target is a library function that `cargo test` replays over the committed corpus on stable, so
//! what is here only searches for new inputs. It needs a nightly toolchain; where there is none, it says so.

use std::time::{Duration, Instant};

use crate::step::{Failure, Step, chosen_target_dir, heading, on_path, output_of, root, scratch};

/// What CI gives live fuzzing in all: the installation of its tool and the build included.
const CI_BUDGET: Duration = Duration::from_secs(600);
/// The most that CI gives one target.
const CI_SHARE: u64 = 20;
/// What the start of a target takes beside its time: cargo's look at the build, the corpus.
const OVERHEAD: u64 = 10;
/// What `soak` gives a machine that is played with beside a model, in seconds: scripts are long, and faults are deep.
const SOAK_SCENARIO: u64 = 1_800;
/// What `soak` gives all the others together.
const SOAK_REST: u64 = 1_800;
/// The targets that are such machines.
const SCENARIOS: [&str; 3] = ["turn_client", "turn_pair", "turn_server"];

/// `fuzz [TARGET] [--seconds N]`: one target or all of them, a minute each unless told otherwise.
pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    let mut seconds: u64 = 60;
    let mut only = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--seconds" => {
                let n = args.next().ok_or("--seconds takes a number")?;
                let parsed = n.parse().ok().filter(|n| *n > 0);
                seconds = parsed.ok_or_else(|| format!("--seconds takes a number, not '{n}'"))?;
            }
            option if option.starts_with('-') => {
                return Err(format!("'{option}' is not an option of `fuzz`: there is only --seconds"));
            }
            target => only = Some(target.to_string()),
        }
    }
    let targets = targets()?;
    if let Some(name) = &only
        && !targets.contains(name)
    {
        return Err(format!("there is no target '{name}': there are {}", targets.join(", ")));
    }
    heading("fuzz");
    let chosen = targets.iter().filter(|target| only.as_ref().is_none_or(|only| only == *target));
    each(chosen.map(|target| (target.as_str(), seconds)))
}

/// Builds all targets, and gives each of these its seconds.
fn each<'a>(mut chosen: impl Iterator<Item = (&'a str, u64)>) -> Result<(), Failure> {
    if !nightly() {
        return Err("live fuzzing needs a nightly toolchain: rustup toolchain install nightly".to_string());
    }
    if !on_path("cargo-fuzz") {
        install().run()?;
    }
    build().run()?;
    chosen.try_for_each(|(target, seconds)| say(&fuzz(target, seconds)?.run()?))
}

/// Every target for a few seconds, all within [`CI_BUDGET`].
pub(crate) fn sample() -> Result<(), Failure> {
    heading("fuzz, a sample");
    if !nightly() {
        eprintln!("  no nightly toolchain: live fuzzing is skipped; the tests have replayed the corpora");
        return Ok(());
    }
    let started = Instant::now();
    let left = || CI_BUDGET.saturating_sub(started.elapsed());
    let steps = [(!on_path("cargo-fuzz")).then(install), Some(build())];
    for step in steps.into_iter().flatten() {
        if step.run_within(left())?.is_none() {
            eprintln!("  the build took the whole budget: live fuzzing is skipped");
            return Ok(());
        }
    }
    let targets = targets()?;
    for (done, target) in targets.iter().enumerate() {
        let share = left().as_secs() / (targets.len() - done) as u64;
        let seconds = share.saturating_sub(OVERHEAD).min(CI_SHARE);
        if seconds == 0 {
            eprintln!("  {target} is skipped: the budget is spent");
            continue;
        }
        match fuzz(target, seconds)?.run_within(left())? {
            Some(log) => say(&log)?,
            None => eprintln!("  the budget is spent"),
        }
    }
    Ok(())
}

/// Half an hour for each of [`SCENARIOS`], and half an hour for all others together.
pub(crate) fn soak() -> Result<(), Failure> {
    let targets = targets()?;
    let share = SOAK_REST / (targets.len().saturating_sub(SCENARIOS.len()) as u64).max(1);
    heading("fuzz");
    let seconds = |target: &str| if SCENARIOS.contains(&target) { SOAK_SCENARIO } else { share };
    each(targets.iter().map(|target| (target.as_str(), seconds(target))))
}

fn install() -> Step {
    Step::cargo("install cargo-fuzz", &["install", "cargo-fuzz", "--locked", "--quiet"])
}

fn build() -> Step {
    nightly_cargo("build the fuzz targets", &["fuzz", "build"])
}

fn fuzz(target: &str, seconds: u64) -> Result<Step, Failure> {
    // New inputs go to a scratch folder: the committed corpus grows only by a person's choice.
    let found = scratch().join("fuzz").join(target);
    std::fs::create_dir_all(&found).map_err(|e| format!("cannot make {}: {e}", found.display()))?;
    let (found, seeds) = (found.to_string_lossy().into_owned(), format!("corpus/{target}"));
    let time = format!("-max_total_time={seconds}");
    let words = ["fuzz", "run", target, &found, &seeds, "--", &time, "-timeout=10", "-max_len=4096"];
    Ok(nightly_cargo(&format!("fuzz {target}"), &words))
}

/// Prints how much was tried; a run that tried nothing has shown nothing.
fn say(log: &str) -> Result<(), Failure> {
    let done = log.lines().rev().find_map(|line| line.strip_prefix("Done "));
    let coverage = log.lines().rev().find_map(|line| line.split("cov: ").nth(1)?.split(' ').next());
    let done = done.ok_or("the fuzzer ended without a word of what it did")?;
    eprintln!("    {done}, {} edges covered", coverage.unwrap_or("?"));
    Ok(())
}

/// Cargo through the rustup proxy, which understands `+nightly`: what runs this program is one toolchain's own.
fn nightly_cargo(name: &str, words: &[&str]) -> Step {
    let step = Step::new(name, &[&["rustup", "run", "nightly", "cargo"], words].concat())
        .without_env("CARGO")
        .without_env("RUSTUP_TOOLCHAIN")
        .within(&root().join("fuzz"));
    // Sanitized builds are kept apart: cargo-fuzz's own default, or beside the caller's.
    match chosen_target_dir() {
        Some(dir) => step.env("CARGO_TARGET_DIR", dir.join("fuzz")),
        None => step,
    }
}

fn nightly() -> bool {
    output_of(&["rustup", "toolchain", "list"]).lines().any(|line| line.starts_with("nightly"))
}

/// The targets are the files in `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, Failure> {
    let dir = root().join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&dir).map_err(|e| format!("cannot read {}: {e}", dir.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            entry.ok()?.file_name().into_string().ok()?.strip_suffix(".rs").map(str::to_string)
        })
        .collect();
    names.sort();
    Ok(names)
}
