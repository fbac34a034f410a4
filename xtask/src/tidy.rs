//! `cargo xtask tidy`: the rules of style that a machine can check.
//!
//! Size: a file of more than [`MOST_LINES`] lines, or a function of more than [`MOST_BODY`], stays only with its reason
//! beside it, on a line that holds `tidy:`. Bans: clocks, randomness, threads, stubs and sleeps in protocol code.
//! Headers: each source file opens by saying what it is.

use std::path::{Path, PathBuf};

use crate::step::{Failure, root};

/// The longest file, tests aside.
const MOST_LINES: usize = 700;
/// The longest function body.
const MOST_BODY: usize = 70;
/// Crates that must have no hidden inputs.
const PROTOCOL: [&str; 10] =
    ["core", "stun", "turn", "ice", "sdp", "dtls-srtp", "rtp", "datachannel", "peer", "netsim"];
/// What protocol code must not name, and why.
const BANNED: &[(&str, &str)] = &[
    ("Instant::now", "no clock: time is a parameter"),
    ("SystemTime::now", "no clock: time is a parameter"),
    ("thread_rng", "no hidden randomness: take a Seed"),
    ("getrandom", "no hidden randomness: take a Seed"),
    ("rand::random", "no hidden randomness: take a Seed"),
    ("std::thread", "machines have no threads"),
    ("unsafe {", "no unsafe in protocol crates"),
];
/// What no code of ours may hold.
const STUBS: [&str; 3] = ["todo!(", "unimplemented!(", "#[ignore"];

/// Checks every Rust file.
pub(crate) fn run() -> Result<(), Failure> {
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    for dir in ["crates", "xtask", "benches", "fuzz"] {
        collect(&root().join(dir), &mut files);
    }
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let shown = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().into_owned();
        check(&shown, &text, &mut wrong);
    }
    if wrong.is_empty() {
        eprintln!("  {:<34}ok", "tidy");
        return Ok(());
    }
    Err(format!("tidy:\n  {}", wrong.join("\n  ")))
}

fn check(path: &str, text: &str, wrong: &mut Vec<String>) {
    let is_test = path.contains("/tests/") || path.ends_with("tests.rs") || path.contains("/examples/");
    let excused = text.contains("tidy:") || path.ends_with("xtask/src/tidy.rs");
    if !text.starts_with("//!") && !text.starts_with("#!") {
        wrong.push(format!("{path}:1: opens without saying what it is (`//! ...`)"));
    }
    if !is_test && !excused && text.lines().count() > MOST_LINES {
        wrong.push(format!("{path}: {} lines, the most is {MOST_LINES}", text.lines().count()));
    }
    if path.ends_with("xtask/src/tidy.rs") {
        return;
    }
    let protocol = PROTOCOL.iter().any(|c| path.starts_with(&format!("crates/{c}/src/")));
    for (n, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if let Some(stub) = STUBS.iter().find(|s| code.contains(**s)) {
            wrong.push(format!(
                "{path}:{}: `{stub}`: nothing is left for later under a name that says done",
                n + 1
            ));
        }
        if protocol
            && !is_test
            && !line.contains("tidy:")
            && let Some((what, why)) = BANNED.iter().find(|(what, _)| code.contains(what))
        {
            wrong.push(format!("{path}:{}: `{what}`: {why}", n + 1));
        }
    }
    if !is_test {
        long_functions(path, text, wrong);
    }
}

/// Finds functions whose body is longer than a screen. Relies on rustfmt: a body ends at a `}` of the function's own
/// indentation.
fn long_functions(path: &str, text: &str, wrong: &mut Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let head = code.split('(').next().unwrap_or_default();
        let is_fn = head.split_whitespace().any(|word| word == "fn") && !code.starts_with("//");
        if !is_fn || line.ends_with(';') || line.ends_with('}') {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let Some(len) = lines[start..].iter().position(|l| *l == close) else { continue };
        let excused = lines[start.saturating_sub(3)..=start].iter().any(|l| l.contains("tidy:"));
        if len > MOST_BODY && !excused {
            wrong.push(format!("{path}:{}: a function of {len} lines, the most is {MOST_BODY}", start + 1));
        }
    }
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "node_modules" && name != "corpus" {
            collect(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}
