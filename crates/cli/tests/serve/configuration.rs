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

#[test]
fn what_is_no_configuration_is_refused_without_reading_all_of_it() {
    let output = run(&["--config", "/dev/zero", "--check-config"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/dev/zero: this has more than"), "{}", stderr(&output));

    let many: String =
        (0..50_000).flat_map(|n| ["k", &n.to_string(), " = 1\n"].map(str::to_string)).collect();
    let path = file("many.toml", &many);
    let output = run(&["--config", path.to_str().unwrap(), "--check-config"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("mistakes") && said.lines().count() < 200, "{said}");
}

/// What is true of a file alone is told before anything is opened.
#[test]
fn keys_and_certificates_that_cannot_work_are_told() {
    let identity = crate::certificate::identity;
    let (one, other) = (identity(), identity());
    let (cert, key) = (file("one-cert.pem", &one.0), file("other-key.pem", &other.1));
    let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let output = run(&[&["--user", "a:b", "--check-config"], &files[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("belong together"), "{}", stderr(&output));
    let output = run(&["--user", "a:b", "--listen", "[fe80::1]", "--check-config"]);
    assert!(stderr(&output).contains("one link alone"), "{}", stderr(&output));
}

#[test]
fn a_range_of_ports_below_1024_is_warned_of() {
    for (ports, is_warned) in [("1-100", true), ("1023-2000", true), ("1024-2000", false)] {
        let output = run(&["--user", "a:b", "--ports", ports, "--check-config"]);
        assert!(output.status.success());
        let said = format!("warning: ports {ports}: relays below 1024");
        assert_eq!(stderr(&output).contains(&said), is_warned, "{ports}: {output:?}");
    }
}

/// A server that nobody can reach over TLS goes on over UDP, and says so.
#[test]
fn a_certificate_of_another_time_is_warned_of() {
    let made = |from: i32, to: i32| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["turn.test".to_string()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    for (from, to, is_warned) in [(2001, 2002, true), (2001, 3001, false), (3001, 3002, true)] {
        let (cert, key) = made(from, to);
        let (cert, key) = (file("time-cert.pem", &cert), file("time-key.pem", &key));
        let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
        let output = run(&[&["--user", "a:b", "--check-config"], &files[..]].concat());
        assert!(output.status.success());
        assert_eq!(stderr(&output).contains("is not valid today"), is_warned, "{from}-{to}: {output:?}");
    }
}

#[test]
fn dtls_with_a_key_that_it_does_not_take_is_a_mistake_before_anything_is_opened() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let cert = rcgen::CertificateParams::new(["turn.test".to_string()]).unwrap().self_signed(&key).unwrap();
    let (cert, key) = (file("ed-cert.pem", &cert.pem()), file("ed-key.pem", &key.serialize_pem()));
    let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let check =
        |listen: &str| run(&[&["--user", "a:b", "--check-config", listen, "127.0.0.1"], &files[..]].concat());
    assert!(check("--tls-listen").status.success());
    let output = check("--dtls-listen");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("DTLS takes certificates with ECDSA keys alone"), "{}", stderr(&output));
}
