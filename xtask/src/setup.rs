//! Installs what the tests need: browsers, coturn, node and its packages, the tools of network namespaces.
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
    ("openssl", "openssl"),
    ("python3", "python3"),
    ("turnserver", "coturn"),
    ("/usr/bin/chromium", "chromium"),
    ("/usr/bin/firefox-esr", "firefox-esr"),
    ("/usr/bin/certutil", "libnss3-tools"),
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
        let _quiet = NoServices::begin();
        let step = Step::new("apt-get install", &command);
        step.env("DEBIAN_FRONTEND", "noninteractive").run()
    });
    if missing.contains(&"coturn") && on_path("systemctl") {
        // Installed for the tests, which start their own: it must not come up at the next boot either.
        let _ = output_of(&["systemctl", "disable", "coturn"]);
    }
    unless_in_ci(outcome, "tests against those peers are skipped")
}

/// While it lives, Debian's packages start no services: the maintainers' scripts ask a program before they do. Where there
/// is one already, as in containers, it is left to say what it says.
struct NoServices {
    asked: Option<&'static str>,
}

impl NoServices {
    fn begin() -> Self {
        let path = "/usr/sbin/policy-rc.d";
        // 101: not allowed. It says so for as long as this process lives, should that end before the file is removed.
        let script = format!("#!/bin/sh\nkill -0 {} 2>/dev/null && exit 101\nexit 0\n", std::process::id());
        let written = std::fs::File::create_new(path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, script.as_bytes()));
        if written.is_ok() {
            let _ = output_of(&["chmod", "755", path]);
        }
        Self { asked: written.is_ok().then_some(path) }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(path) = self.asked {
            let _ = std::fs::remove_file(path);
        }
    }
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
