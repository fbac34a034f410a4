//! What the program says of its configuration.

use std::net::UdpSocket;

use crate::program::{Serve, command, file, run, stderr, stdout};

#[test]
fn check_config_points_at_the_line_and_fails() {
    let path = file(
        "bad.toml",
        "realm = \"example.org\"\nuser = [\"a:b\"]\ndeny-peer = [\"10.0.0.0/40\"]\nlissten = 1\n",
    );
    let output = run(&["--config", path.to_str().unwrap(), "--check-config"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("bad.toml:3:14: `deny-peer`: \"10.0.0.0/40\""), "{said}");
    assert!(said.contains("  3 | deny-peer = [\"10.0.0.0/40\"]"), "{said}");
    assert!(said.contains("bad.toml:4:1: there is no key `lissten`: did you mean `listen`?"), "{said}");
}

#[test]
fn check_config_says_that_all_is_well_and_opens_nothing() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path =
        file("good.toml", &format!("listen = [\"{}\"]\nsecret = [\"s\"]\n", taken.local_addr().unwrap()));
    let output = run(&["--config", path.to_str().unwrap(), "--check-config"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "The configuration is sound.\n");
}

#[test]
fn check_config_looks_into_the_certificate() {
    let (cert, key) = (file("no-cert.pem", "no certificate"), file("no-key.pem", "no key"));
    let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let output = run(&[&["--user", "a:b", "--check-config"], &files[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no-cert.pem"), "{}", stderr(&output));
    let files = ["--cert", "/nowhere/cert.pem", "--key", key.to_str().unwrap()];
    let output = run(&[&["--user", "a:b", "--check-config"], &files[..]].concat());
    assert!(
        stderr(&output).contains("/nowhere/cert.pem: the certificate cannot be read"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn print_config_shows_what_holds_and_who_said_so() {
    let path = file("print.toml", "realm = \"file\"\nports = \"1024-2047\"\n");
    let args = ["--config", path.to_str().unwrap(), "--user", "alice:hunter2", "--print-config"];
    let output = command(&args).env("GINNEL_REALM", "environment").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    for line in ["realm = \"environment\"  # GINNEL_REALM", "user = [\"alice:(hidden)\"]  # --user"] {
        assert!(said.lines().any(|it| it == line), "{line}\n{said}");
    }
    assert!(said.contains("print.toml:2\n") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = command(&["--user", "a:b"]).env("GINNEL_CONFIG", "/nowhere/ginnel.toml").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere/ginnel.toml"), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_opened_is_said_with_what_to_do() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let output = run(&["--user", "a:b", "--listen", &at]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("cannot listen on {at} over UDP")), "{}", stderr(&output));

    let output = run(&["--user", "a:b", "--listen", "203.0.113.77:0"]);
    assert!(stderr(&output).contains("--listen ADDR"), "{}", stderr(&output));
}

/// What shares its ports among shards must not share them with another program.
#[test]
fn a_second_server_on_the_same_port_is_refused() {
    let first = Serve::start(&["--user", "a:b", "--listen", "127.0.0.1:0"]);
    let output = run(&["--user", "a:b", "--listen", &first.at("udp").to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot listen"), "{}", stderr(&output));
}

#[test]
fn without_anybody_who_could_relay_it_does_not_start() {
    let output = run(&["--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--user NAME:PASSWORD"), "{}", stderr(&output));
}
