//! `cargo xtask tidy`: the rules of style that a machine can check.
//!
//! Size: a file of more than [`MOST_LINES`] lines, or a function of more than [`MOST_BODY`], stays only with its reason
//! beside it, on a line that holds `tidy:`. Bans: clocks, randomness, threads and unsafe code in protocol crates; stubs
//! and sleeping threads anywhere. Headers: each source file opens by saying what it is, but for a `tests.rs`, whose name
//! does. Fuzzing: targets, their manifest and their corpora match. Compliance: the tests that its pages name exist.

mod compliance;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::step::{Failure, report, root};

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
    ("thread::spawn", "machines have no threads"),
    ("thread::scope", "machines have no threads"),
    ("unsafe {", "no unsafe in protocol crates"),
];
/// What no code of ours may hold, and why.
const NOWHERE: &[(&str, &str)] = &[
    ("todo!(", STUB),
    ("unimplemented!(", STUB),
    ("#[ignore", STUB),
    ("thread::sleep", "too slow on a fast machine and too short on a slow one: wait for what is waited for"),
];
const STUB: &str = "nothing is left for later under a name that says done";

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
    fuzz_targets(&mut wrong);
    compliance::check(&mut wrong);
    report("tidy", &wrong)
}

fn check(path: &str, text: &str, wrong: &mut Vec<String>) {
    let is_test = path.contains("/tests/") || path.ends_with("tests.rs") || path.contains("/examples/");
    if !path.ends_with("/tests.rs") && !text.starts_with("//!") && !text.starts_with("#!") {
        wrong.push(format!("{path}:1: opens without saying what it is (`//! ...`)"));
    }
    let lines: Vec<&str> = text.lines().collect();
    if !is_test {
        if lines.len() > MOST_LINES && !text.contains("tidy:") {
            wrong.push(format!("{path}: {} lines, the most is {MOST_LINES}", lines.len()));
        }
        long_functions(path, &lines, wrong);
    }
    // The chores name what they ban, and wait for programs.
    if path.starts_with("xtask/src/") {
        return;
    }
    let protocol = !is_test && PROTOCOL.iter().any(|c| path.starts_with(&format!("crates/{c}/src/")));
    let banned: Vec<_> = NOWHERE.iter().chain(if protocol { BANNED } else { &[] }).collect();
    for (n, line) in lines.iter().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let found = banned.iter().find(|(what, _)| code.contains(what));
        if let Some((what, why)) = found
            && !excused(&lines, n)
        {
            wrong.push(format!("{path}:{}: `{what}`: {why}", n + 1));
        }
    }
}

/// Whether a reason stands on the line or just above it: `tidy: ...`, or the one that clippy was given for the same.
fn excused(lines: &[&str], n: usize) -> bool {
    let near = &lines[n.saturating_sub(3)..=n];
    near.iter().any(|line| {
        line.contains("tidy:") || (line.contains("disallowed_methods") && line.contains("reason ="))
    })
}

/// Finds functions whose body is longer than a screen. Relies on rustfmt: a body ends at a `}` of the function's own
/// indentation.
fn long_functions(path: &str, lines: &[&str], wrong: &mut Vec<String>) {
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
        if len > MOST_BODY && !excused(lines, start) {
            wrong.push(format!("{path}:{}: a function of {len} lines, the most is {MOST_BODY}", start + 1));
        }
    }
}

/// Every fuzz target has its entry in the manifest, and a corpus that a test replays; no corpus is left without a target.
fn fuzz_targets(wrong: &mut Vec<String>) {
    let names = |dir: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(root().join(dir)).into_iter().flatten();
        entries
            .filter_map(|entry| {
                Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned())
                    .filter(|name| !name.starts_with('.'))
            })
            .collect()
    };
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap_or_default();
    let (targets, corpora) = (names("fuzz/fuzz_targets"), names("fuzz/corpus"));
    for name in targets.union(&corpora) {
        if !targets.contains(name) {
            wrong.push(format!("fuzz/corpus/{name}: there is no such target"));
        }
        if names(&format!("fuzz/corpus/{name}")).is_empty() {
            wrong.push(format!("fuzz/corpus/{name}: the target has no corpus"));
        }
        if !manifest.contains(&format!("name = \"{name}\"\n")) {
            wrong.push(format!("fuzz/Cargo.toml: the target {name} is missing"));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        check(path, text, &mut wrong);
        wrong
    }

    #[test]
    fn a_clock_in_a_protocol_crate_is_found_and_elsewhere_allowed() {
        let text = "//! Says.\nlet now = Instant::now();\n";
        assert_eq!(
            found("crates/ice/src/a.rs", text),
            ["crates/ice/src/a.rs:2: `Instant::now`: no clock: time is a parameter"]
        );
        assert!(found("crates/driver/src/a.rs", text).is_empty());
        assert!(found("crates/ice/tests/a.rs", text).is_empty());
        assert!(found("crates/ice/src/a.rs", "//! Says.\n// Instant::now is banned\n").is_empty());
    }

    #[test]
    fn a_reason_beside_the_line_excuses_it() {
        let text = "//! Says.\n// tidy: the one place that reads a clock\nlet now = Instant::now();\n";
        assert!(found("crates/core/src/a.rs", text).is_empty());
        let text =
            "//! Says.\n#[allow(clippy::disallowed_methods, reason = \"x\")]\nlet now = Instant::now();\n";
        assert!(found("crates/core/src/a.rs", text).is_empty());
    }

    #[test]
    fn stubs_sleeps_and_missing_headers_are_found_in_tests_too() {
        assert_eq!(found("crates/ice/tests/a.rs", "//! Says.\n#[ignore]\nstd::thread::sleep(d);\n").len(), 2);
        assert_eq!(found("crates/ice/tests/a.rs", "use x;\n").len(), 1);
        assert!(found("crates/ice/src/tests.rs", "use x;\n").is_empty());
    }

    #[test]
    fn long_files_and_functions_are_found() {
        let function = |lines: usize| format!("//! Says.\nfn a() {{\n{}}}\n", "    b();\n".repeat(lines));
        assert!(found("crates/cli/src/a.rs", &function(MOST_BODY - 1)).is_empty());
        assert_eq!(found("crates/cli/src/a.rs", &function(MOST_BODY)).len(), 1);
        assert_eq!(found("crates/cli/src/a.rs", &format!("//! Says.\n{}", "\n".repeat(MOST_LINES))).len(), 1);
    }
}
