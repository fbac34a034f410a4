//! `ginnel connect` against `ginnel demo`, and how either notices the other's end.

use std::{io::Write as _, process::Stdio};

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
    assert!(said.contains(&url), "it does not say whom: {said}");
    assert!(said.to_lowercase().contains("refused"), "it does not say why: {said}");
}

/// A server that takes the request and never answers keeps `ginnel connect` no longer than it was told.
#[test]
fn connect_to_silence_ends_in_time() {
    let Some((namespace, _demo)) = stage(&[]) else { return };
    let script = "import socket; s = socket.create_server(('127.0.0.1', 9)); print('up', flush=True); c = s.accept()[0]; c.recv(1); input()";
    let mut silent = namespace.command("python3");
    silent.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut silent) = silent.spawn() else {
        skip("there is no python3 to play a silent server");
        return;
    };
    let mut up = [0; 2];
    let heard = silent.stdout.as_mut().map(|out| std::io::Read::read_exact(out, &mut up));
    assert!(heard.is_some_and(|heard| heard.is_ok()), "the silent server listens");
    let output = Program::connect(&namespace, "http://127.0.0.1:9", &["--timeout", "1"]);
    let _ = silent.kill();
    let _ = silent.wait();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("127.0.0.1:9") || said.contains("the answer was not done"), "{said}");
}

#[test]
fn bad_requests_are_refused_with_a_reason() {
    let Some((namespace, demo)) = stage(&[]) else { return };
    let sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    let (status, answer) =
        post(&namespace, &demo, "/offer", &serde_json::json!({ "sdp": sdp, "type": "offer" }));
    assert_eq!(status, "422", "{answer}");
    assert!(answer["error"].as_str().is_some_and(|why| why.contains("nothing in the offer")), "{answer}");
    let (status, answer) =
        post(&namespace, &demo, "/offer", &serde_json::json!({ "sdp": "nonsense", "type": "offer" }));
    assert_eq!(status, "422", "{answer}");
    let long = serde_json::json!({ "sdp": "x".repeat(100_000), "type": "y".repeat(30_000), "z": "z".repeat(140_000) });
    let (status, answer) = post(&namespace, &demo, "/offer", &long);
    assert_eq!(status, "413", "{answer}");
    assert!(answer["error"].is_string(), "{answer}");
    let (status, answer) = post(&namespace, &demo, "/stats", &serde_json::json!({}));
    assert_eq!(status, "405", "{answer}");
    assert!(answer["error"].is_string(), "{answer}");
    let (status, answer) = post(&namespace, &demo, "/hangup", &serde_json::json!({ "session": "nobody" }));
    assert_eq!(status, "404", "{answer}");
}

/// One request by curl, with the status and the JSON of the answer.
fn post(
    namespace: &Namespace,
    demo: &Demo,
    path: &str,
    body: &serde_json::Value,
) -> (String, serde_json::Value) {
    let mut curl = namespace.command("curl");
    curl.args(["--silent", "--max-time", "20", "--write-out", "\n%{http_code}", "--data", "@-"]);
    curl.arg(format!("{}{path}", demo.url())).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut curl = curl.spawn().expect("curl starts");
    let written = curl.stdin.take().map(|mut pipe| pipe.write_all(body.to_string().as_bytes()));
    assert!(written.is_some_and(|written| written.is_ok()), "curl takes the body");
    let output = curl.wait_with_output().expect("curl ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (json, status) = said.rsplit_once('\n').expect("a body and a status");
    (status.to_string(), serde_json::from_str(json).unwrap_or_default())
}

/// A page from elsewhere can make a browser ask, but not with the demo's own name.
#[test]
fn requests_of_other_sites_are_refused() {
    let Some((namespace, demo)) = stage(&[]) else { return };
    for header in ["Host: rebound.example", "Origin: http://elsewhere.example"] {
        let mut curl = namespace.command("curl");
        curl.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--header", header]);
        let output = curl.arg(format!("{}/stats", demo.url())).output().expect("curl starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "403", "{header}");
    }
}

#[test]
fn an_interrupted_demo_ends_cleanly() {
    let Some((_namespace, mut demo)) = stage(&[]) else { return };
    let (status, rest) = demo.interrupt();
    assert!(status.success(), "{status}: {rest}");
}
