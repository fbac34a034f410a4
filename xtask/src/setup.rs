//! Installs what the tests need: browsers, node and its packages, the tools of network namespaces.
//!
//! Only on Debian and only as root; elsewhere it says what is missing and how to get it, and the tests skip those
//! peers. Under CI a peer that cannot be installed is a failure.

use crate::step::{Failure, Step, in_ci, on_path, output_of, root};

/// A program that tests need, and the Debian package that has it. Browsers are used by their full path, so that a
/// test drives the one that is known; `node` and `npm` may come from anywhere.
const NEEDS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("kill", "procps"),
    ("curl", "curl"),
    ("python3", "python3"),
    ("/usr/bin/chromium", "chromium"),
    ("/usr/bin/firefox-esr", "firefox-esr"),
    ("node", "nodejs"),
    ("npm", "npm"),
];

/// The folder of the scripts that drive browsers.
const SCRIPTS: &str = "crates/interop/js";

/// Makes the machine ready. What cannot be had is said, and is an error only in CI.
pub(crate) fn run() -> Result<(), Failure> {
    let missing: Vec<&str> =
        NEEDS.iter().filter(|(program, _)| !on_path(program)).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    if !is_root() {
        let how =
            "network namespaces need root: as root, the same command also runs the tests against real peers";
        if in_ci() {
            return Err(how.to_string());
        }
        eprintln!("  {how}; they are skipped now");
    }
    if on_path("npm") {
        packages()?;
    }
    Ok(())
}

fn install(missing: &[&str]) -> Result<(), Failure> {
    let words = missing.join(" ");
    if !on_path("apt-get") || !is_root() {
        let how = format!("missing: {words}. As root on Debian: apt-get install {words}");
        if in_ci() {
            return Err(how);
        }
        eprintln!("  {how}\n  Tests against those peers are skipped.");
        return Ok(());
    }
    let mut command = vec!["apt-get", "install", "-y", "-qq", "--no-install-recommends"];
    command.extend(missing);
    let outcome = Step::new("apt-get update", &["apt-get", "update", "-qq"]).run().and_then(|_| {
        let step = Step::new("apt-get install", &command);
        step.env("DEBIAN_FRONTEND", "noninteractive").run()
    });
    unless_in_ci(outcome, "tests against those peers are skipped")
}

/// `npm ci` when the lock file is newer than what is there.
fn packages() -> Result<(), Failure> {
    let dir = root().join(SCRIPTS);
    let modified = |path: &str| std::fs::metadata(dir.join(path)).and_then(|m| m.modified()).ok();
    let have = modified("node_modules/.package-lock.json");
    if have.is_some() && have >= modified("package-lock.json") {
        return Ok(());
    }
    let words = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"];
    unless_in_ci(Step::new("npm ci", &words).within(&dir).run(), "browser tests are skipped")
}

/// A machine that cannot have a peer tests the rest; CI must have all.
fn unless_in_ci(outcome: Result<String, Failure>, else_what: &str) -> Result<(), Failure> {
    match outcome {
        Err(failure) if !in_ci() => {
            eprintln!("  {failure}: {else_what}");
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Whether this process may install packages: by `id -u`, which needs no unsafe code.
fn is_root() -> bool {
    output_of(&["id", "-u"]) == "0"
}
