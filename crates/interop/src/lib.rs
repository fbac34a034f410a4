#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod asker;
mod browser;
mod coturn;
mod crowd;
mod daemon;
mod drive;
mod errand;
mod hand;
mod identity;
mod inside;
mod internet;
mod namespace;
mod peer;
mod program;
mod scratch;
mod serve;
mod talk;
mod turnutils;

pub use asker::{Asker, Attributes, Question, Said};
pub use browser::{Browser, Scenario, Screenshot};
pub use coturn::Coturn;
pub use crowd::Crowd;
pub use daemon::Daemon;
pub use drive::{Heard, drive, drive_until};
pub use errand::{Arrived, By, Errand, Task, Until};
pub use hand::{Answer, Hand, channel_data};
pub use identity::Identity;
pub use inside::Inside;
pub use internet::{Gateway, Internet, Site};
pub use namespace::Namespace;
pub use peer::Peer;
pub use program::{Demo, Program};
pub use scratch::Scratch;
pub use serve::Serve;
pub use talk::Talk;
pub use turnutils::{Credential, EchoPeer, Family, Mode, Verdict};

/// Why a program of the machine cannot be used, if it cannot.
#[must_use]
pub fn missing(program: &str) -> Option<String> {
    let why = format!("{program} is not installed (as root on Debian, `cargo xtask test` installs it)");
    (!std::path::Path::new(program).exists()).then_some(why)
}

/// Whether a peer that cannot be had is a failure: CI installs everything.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| v == "true" || v == "1")
}

/// Says why a test is skipped; a failure under CI.
///
/// # Panics
/// Under `CI=true`.
pub fn skip(why: &str) {
    assert!(!in_ci(), "CI has every peer, but {why}");
    say(&format!("SKIPPED: {why}"));
}

/// Says what a person wants to read of a test that passed: what was measured, what was skipped. Test runners swallow it, so
/// it also goes to the file that `cargo xtask test` names and prints at the end.
pub fn say(line: &str) {
    eprintln!("{line}");
    let Some(path) = std::env::var_os("GINNEL_REPORT") else { return };
    let test = std::thread::current().name().unwrap_or_default().to_string();
    let report = std::fs::OpenOptions::new().create(true).append(true).open(path);
    if let Ok(mut report) = report {
        // One write for one line: tests may share the file.
        let _ = std::io::Write::write_all(&mut report, format!("{test}: {line}\n").as_bytes());
    }
}
