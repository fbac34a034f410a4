//! `cargo xtask fuzz`: live fuzzing with libFuzzer.
//!
//! The body of each target is a library function that `cargo test` replays over the committed corpus on stable, so
//! what is here only searches for new inputs. It needs a nightly toolchain; where there is none, it says so.

use std::time::{Duration, Instant};

use crate::step::{Failure, Step, heading, in_ci, on_path, root, scratch};

/// What CI gives live fuzzing in all, build included.
const CI_BUDGET: Duration = Duration::from_secs(600);

/// `fuzz [TARGET] [--seconds N]`: one target or all of them, a minute each unless told otherwise.
pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    let mut seconds = 60;
    let mut only = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--seconds" => {
                let n = args.next().ok_or("--seconds takes a number")?;
                seconds = n.parse().map_err(|_| format!("--seconds takes a number, not '{n}'"))?;
            }
            target => only = Some(target.to_string()),
        }
    }
    heading("fuzz");
    let targets = targets()?;
    if let Some(name) = &only
        && !targets.contains(name)
    {
        return Err(format!("there is no target '{name}': there are {}", targets.join(", ")));
    }
    prepare(Duration::from_secs(1_800))?;
    for target in targets.iter().filter(|t| only.as_ref().is_none_or(|o| o == *t)) {
        fuzz(target, seconds)?;
    }
    Ok(())
}

/// Every target for a few seconds, within CI's budget.
pub(crate) fn sample() -> Result<(), Failure> {
    heading("fuzz, a sample");
    if !nightly() {
        eprintln!("  no nightly toolchain: live fuzzing is skipped; the corpora were replayed by the tests");
        return Ok(());
    }
    let started = Instant::now();
    prepare(CI_BUDGET)?;
    let targets = targets()?;
    let left = CI_BUDGET.saturating_sub(started.elapsed()).as_secs();
    let share = left.saturating_sub(30) / (targets.len() as u64).max(1);
    let seconds = share.min(20);
    if seconds == 0 {
        eprintln!("  the build took the whole budget: live fuzzing is skipped");
        return Ok(());
    }
    targets.iter().try_for_each(|target| fuzz(target, seconds))
}

/// Half an hour of each target, for `soak`.
pub(crate) fn soak() -> Result<(), Failure> {
    run(&["--seconds", "1800"])
}

fn fuzz(target: &str, seconds: u64) -> Result<(), Failure> {
    // New inputs go to a scratch folder: the committed corpus grows only by a person's choice.
    let found = scratch().join("fuzz").join(target);
    std::fs::create_dir_all(&found).map_err(|e| format!("cannot make {}: {e}", found.display()))?;
    let (found, seeds) = (found.to_string_lossy().into_owned(), format!("corpus/{target}"));
    let time = format!("-max_total_time={seconds}");
    let words =
        ["+nightly", "fuzz", "run", target, &found, &seeds, "--", &time, "-timeout=10", "-max_len=4096"];
    rustup_cargo(&format!("fuzz {target}"), &words)
        .within(&root().join("fuzz"))
        .limit(Duration::from_secs(seconds + 300))
        .run()
}

fn prepare(limit: Duration) -> Result<(), Failure> {
    if !nightly() {
        return Err("live fuzzing needs a nightly toolchain: rustup toolchain install nightly".to_string());
    }
    if !on_path("cargo-fuzz") {
        Step::cargo("install cargo-fuzz", &["install", "cargo-fuzz", "--locked", "--quiet"])
            .limit(limit)
            .run()?;
    }
    rustup_cargo("build the fuzz targets", &["+nightly", "fuzz", "build"])
        .within(&root().join("fuzz"))
        .limit(limit)
        .run()
}

/// The rustup proxy, which understands `+nightly`; what runs this program is one toolchain's own cargo.
fn rustup_cargo(name: &str, words: &[&str]) -> Step {
    Step::new(name, &[&["cargo"], words].concat())
        .without_env("CARGO")
        .without_env("RUSTUP_TOOLCHAIN")
        .without_env("CARGO_TARGET_DIR")
}

fn nightly() -> bool {
    let listed = std::process::Command::new("rustup").args(["toolchain", "list"]).output();
    let has = listed.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("nightly"));
    if !has && in_ci() {
        eprintln!("  note: this machine has no nightly toolchain");
    }
    has
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
