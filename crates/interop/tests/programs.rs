//! `ginnel connect` against `ginnel demo`, and how either notices the other's end.

use ginnel_interop::{Demo, Namespace, Program, skip};

fn stage(demo: &[&str]) -> Option<(Namespace, Demo)> {
    match Namespace::new() {
        Ok(namespace) => {
            let demo = Demo::start(&namespace, demo);
            Some((namespace, demo))
        }
        Err(why) => {
            skip(&format!("no network namespace can be made: {why}"));
            None
        }
    }
}

#[test]
fn connect_to_a_demo() {
    let Some((namespace, demo)) = stage(&[]) else { return };
    let output = Program::connect(&namespace, demo.url(), &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for word in ["ICE", "DTLS", "SCTP", "20 of 20 messages"] {
        assert!(said.contains(word), "'{word}' is missing from:\n{said}");
    }
}

#[test]
fn connect_to_nobody_says_why() {
    let Some((namespace, mut demo)) = stage(&[]) else { return };
    let url = demo.url().to_string();
    demo.kill();
    let output = Program::connect(&namespace, &url, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains(&url) || said.contains("refused"), "it says neither whom nor why: {said}");
}

#[test]
fn an_interrupted_demo_ends_cleanly() {
    let Some((_namespace, mut demo)) = stage(&[]) else { return };
    let (status, rest) = demo.interrupt();
    assert!(status.success(), "{status}: {rest}");
}
