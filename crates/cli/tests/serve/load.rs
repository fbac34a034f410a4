//! `ginnel turn-load` against `ginnel serve`, as scripts run both.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    certificate::identity,
    program::{Serve, file, finish, ginnel, stderr, stdout},
};

const CLIENTS: u64 = 4;

/// A server over all transports, whose certificate is that of its address.
struct Stage {
    serve: Serve,
    cert: String,
}

fn stage(name: &str) -> Stage {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
    let cert = file(&format!("load-{name}-cert.pem"), &made.cert.pem()).to_str().unwrap().to_string();
    let key = file(&format!("load-{name}-key.pem"), &made.signing_key.serialize_pem());
    let local = ["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--dtls-listen", "127.0.0.1:0"];
    let more =
        ["--user", "a:b", "--allow-peer", "127.0.0.1", "--cert", &cert, "--key", key.to_str().unwrap()];
    Stage { serve: Serve::start(&[&local[..], &more].concat()), cert }
}

impl Stage {
    fn uri(&self, transport: &str) -> String {
        let at = self.serve.at(transport);
        match transport {
            "udp" => format!("turn:{at}"),
            "tcp" => format!("turn:{at}?transport=tcp"),
            "tls" => format!("turns:{at}"),
            _ => format!("turns:{at}?transport=udp"),
        }
    }

    /// What came of a load of one second.
    fn load(&self, transport: &str, more: &[&str]) -> Value {
        let uri = self.uri(transport);
        let clients = CLIENTS.to_string();
        let load = ["turn-load", &uri, "--user", "a:b", "--json", "--clients", &clients, "--duration", "1"];
        let output = finish(ginnel(&[&load[..], &["--ca", &self.cert], more].concat()));
        assert!(output.status.success(), "{uri} {more:?}: {}{}", stdout(&output), stderr(&output));
        serde_json::from_str(&stdout(&output)).expect("one object, and nothing else")
    }
}

/// By channels, by Send indications, and from client to client.
fn every_mode_over(transport: &str) {
    let stage = stage(transport);
    let cases: [(&[&str], _, _); 3] = [
        (&[], "channel", "there and back"),
        (&["--mode", "send"], "send", "there and back"),
        (&["-y"], "channel", "one way, client to client"),
    ];
    for (more, mode, path) in cases {
        let report = stage.load(transport, more);
        for (name, value) in
            [("server", &*stage.uri(transport)), ("transport", transport), ("mode", mode), ("path", path)]
        {
            assert_eq!(report[name], value, "{report:#}");
        }
        let count = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("no {name} in {report:#}"));
        assert_eq!((count("clients"), count("allocated")), (CLIENTS, CLIENTS), "{report:#}");
        assert!(count("received") > 0 && count("received") <= count("sent"), "{report:#}");
        assert_eq!(count("lost"), count("sent") - count("received"), "{report:#}");
        assert_eq!(report["refusals"], Value::Array(Vec::new()), "{report:#}");
        assert_eq!(report["latency_ms"]["count"], count("received"), "{report:#}");
        assert_eq!(report["allocation_ms"]["count"], CLIENTS, "{report:#}");
        assert!(report["packets_per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{report:#}");
        assert!(report["seconds"].as_f64().is_some_and(|seconds| seconds >= 1.0), "{report:#}");
    }
}

#[test]
fn a_load_over_udp() {
    every_mode_over("udp");
}
#[test]
fn a_load_over_tcp() {
    every_mode_over("tcp");
}
#[test]
fn a_load_over_tls() {
    every_mode_over("tls");
}
#[test]
fn a_load_over_dtls() {
    every_mode_over("dtls");
}

/// The table of the README is what scripts are written by.
#[test]
fn the_report_has_the_names_of_the_readme_and_no_others() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("## The JSON of `ginnel turn-load`").expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with("|--")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    // Every second piece of the first column is between backticks.
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
    let documented: BTreeSet<&str> = names.collect();

    let stage = stage("names");
    // The server's process is its own child's here: any that runs has spent something.
    let own = std::process::id().to_string();
    let more: &[&str] = if cfg!(target_os = "linux") { &["--server-pid", &own] } else { &[] };
    let report = stage.load("udp", more);
    let said: BTreeSet<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(said, documented);
    let percentiles: BTreeSet<_> =
        report["latency_ms"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(percentiles, BTreeSet::from(["count", "mean", "p50", "p90", "p99", "p999", "max"]));
    assert_eq!(report["server_cpu_seconds"].is_number(), cfg!(target_os = "linux"), "{report:#}");
}

/// Who reads it is a person, unless it is said otherwise; and a script sees by the status that nothing came back.
#[test]
fn a_load_says_what_failed_and_fails() {
    let stage = stage("failing");
    let run = |uri: &str, more: &[&str]| {
        let load = ["turn-load", uri, "--clients", "2", "--duration", "0.2", "--setup", "20"];
        finish(ginnel(&[&load[..], more].concat()))
    };
    let good = run(&stage.uri("udp"), &["--user", "a:b"]);
    assert!(good.status.success() && stdout(&good).contains("allocations  2 of 2 clients"), "{good:?}");

    let wrong = run(&stage.uri("udp"), &["--user", "a:wrong", "--json"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("no client got an allocation"), "{wrong:?}");
    let report: Value = serde_json::from_str(&stdout(&wrong)).expect("a report all the same");
    assert_eq!((&report["allocated"], &report["refusals"][0]["count"]), (&0.into(), &2.into()), "{report:#}");

    let untrusted = run(&stage.uri("tls"), &["--user", "a:b"]);
    assert_eq!(untrusted.status.code(), Some(1));
    assert!(stderr(&untrusted).contains("--ca FILE"), "{untrusted:?}");
    // Another certificate than the one that is trusted.
    let other = file("load-failing-other.pem", &identity().0);
    let refused = run(&stage.uri("tls"), &["--user", "a:b", "--ca", other.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");

    // Nobody relays to this host unless it is allowed.
    let strict = Serve::start(&["--listen", "127.0.0.1:0", "--user", "a:b"]);
    let nothing = run(&format!("turn:{}", strict.at("udp")), &["--user", "a:b"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(stdout(&nothing).contains("403"), "{nothing:?}");
}
