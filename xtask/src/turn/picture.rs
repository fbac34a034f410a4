//! Where the server spends its time: a flame graph, by `perf` and the tools of `inferno` (`cargo install inferno`).

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use super::server::Running;
use crate::step::{Failure, Step, on_path, root, scratch};

/// Where it is kept.
const PICTURE: &str = "docs/images/turn-server-flame.svg";
/// How long clients have to get their allocations.
const SETTING_UP: Duration = Duration::from_secs(4);
const TOOLS: [&str; 3] = ["perf", "inferno-collapse-perf", "inferno-flamegraph"];

/// Whether it can be drawn: a reason why not, and what to do.
pub(super) fn check() -> Result<(), Failure> {
    match TOOLS.iter().find(|tool| !on_path(tool)) {
        None => Ok(()),
        Some(missing) => Err(format!(
            "{missing} is not there, which --picture needs: apt-get install linux-perf, cargo install inferno"
        )),
    }
}

/// Records the server while this load is on it, and draws that.
pub(super) fn draw(server: &Running, load: &mut Command) -> Result<(), Failure> {
    let mut load = load
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("the load cannot be started: {error}"))?;
    std::thread::sleep(SETTING_UP);
    let file = |name: &str| scratch().join(name).to_string_lossy().into_owned();
    let (recorded, script, stacks) = (file("turn.perf"), file("turn.script"), file("turn.stacks"));
    let process = server.process().to_string();
    let record =
        ["perf", "record", "--quiet", "--freq", "299", "--call-graph", "dwarf,16384", "--pid", &process];
    let outcome =
        Step::new("record the server", &[&record[..], &["--output", &recorded, "--", "sleep", "5"]].concat())
            .run();
    let _ = load.kill();
    let _ = load.wait();
    outcome?;
    keep(&["perf", "script", "--input", &recorded], &script)?;
    keep(&["inferno-collapse-perf", &script], &stacks)?;
    let title = "ginnel serve, one shard, under the load of 100 clients over UDP";
    let words = ["inferno-flamegraph", "--title", title, "--minwidth", "0.4", "--deterministic", &stacks];
    keep(&words, &root().join(PICTURE).to_string_lossy())?;
    eprintln!("  {PICTURE} is written");
    Ok(())
}

/// What a program prints.
fn printed(words: &[&str]) -> Result<Vec<u8>, Failure> {
    let output = Command::new(words[0])
        .args(&words[1..])
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("{} cannot be run: {error}", words[0]))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{} failed ({})", words[0], output.status))
    }
}

/// The same, kept in a file.
fn keep(words: &[&str], path: &str) -> Result<(), Failure> {
    std::fs::write(path, printed(words)?).map_err(|error| format!("cannot write {path}: {error}"))
}
