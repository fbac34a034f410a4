//! Each bound, at the limit and one past it.

use std::{fmt::Write as _, format, string::String};

use ginnel_core::Transport::{Dtls, Tcp, Tls, Udp};

use super::{
    super::*,
    zone::{Zone, config, search},
};

/// `n` SRV records, each with a host of one address.
fn many_servers(n: usize) -> Zone {
    let (mut srv, mut hosts) = (String::from("_stun._udp.h.example.\n"), String::new());
    for i in 0..n {
        writeln!(srv, "IN SRV {i} 0 1 s{i}.example.").unwrap();
        writeln!(hosts, "s{i}.example.\nIN A 192.0.2.{i}").unwrap();
    }
    Zone::new(&(srv + &hosts))
}

fn only_ipv4() -> ResolverConfig {
    config(&[Udp]).with_families(true, false)
}

#[test]
fn questions_end_at_their_bound() {
    let at = only_ipv4().with_bounds(5, 64, 16);
    let outcome = search("stun:h.example", &at, &many_servers(4)).unwrap();
    assert_eq!((outcome.questions.len(), outcome.candidates.len()), (5, 4));
    assert!(outcome.failures.is_empty());
    let outcome = search("stun:h.example", &at, &many_servers(5)).unwrap();
    assert_eq!((outcome.questions.len(), outcome.candidates.len()), (5, 4));
    assert_eq!(outcome.failures, ["A s4.example: not asked: too many questions already"]);
}

#[test]
fn candidates_end_at_their_bound() {
    let at = only_ipv4().with_bounds(32, 4, 16);
    assert_eq!(search("stun:h.example", &at, &many_servers(4)).unwrap().candidates.len(), 4);
    assert_eq!(search("stun:h.example", &at, &many_servers(5)).unwrap().candidates.len(), 4);
}

#[test]
fn records_end_at_their_bound() {
    let at = only_ipv4().with_bounds(32, 64, 4);
    assert_eq!(search("stun:h.example", &at, &many_servers(4)).unwrap().candidates.len(), 4);
    assert_eq!(search("stun:h.example", &at, &many_servers(5)).unwrap().candidates.len(), 4);
}

#[test]
fn the_most_records_with_every_transport_each_keep_their_place() {
    let (mut naptr, mut hosts) = (String::from("h.example.\n"), String::new());
    for i in 0..100 {
        let all = "RELAY:turn.udp:turn.tcp:turn.tls:turn.dtls";
        writeln!(naptr, "IN NAPTR 1 {i} \"A\" {all} \"\" s{i}.example.").unwrap();
        writeln!(hosts, "s{i}.example.\nIN A 192.0.2.{i}").unwrap();
    }
    let all = config(&[Udp, Tcp, Tls, Dtls]).with_families(true, false).with_bounds(200, 1000, 100);
    let outcome = search("turn:h.example", &all, &Zone::new(&(naptr + &hosts))).unwrap();
    assert_eq!(outcome.candidates.len(), 400);
}

/// `n` NAPTR records in a row, and an address.
fn hops(n: usize) -> Zone {
    let mut text = String::new();
    for i in 0..n {
        let (flag, next) =
            if i + 1 == n { ("A", String::from("a.example.")) } else { ("", format!("n{}.", i + 1)) };
        writeln!(text, "n{i}.\nIN NAPTR 1 1 \"{flag}\" RELAY:turn.udp \"\" {next}").unwrap();
    }
    Zone::new(&(text + "a.example.\nIN A 192.0.2.1\n"))
}

#[test]
fn hops_of_naptr_end_at_their_bound() {
    let outcome = search("turn:n0", &only_ipv4(), &hops(HOPS_MAX)).unwrap();
    assert_eq!(outcome.table(), ["udp 192.0.2.1:3478"]);
    let outcome = search("turn:n0", &only_ipv4(), &hops(HOPS_MAX + 1)).unwrap();
    assert!(outcome.candidates.is_empty());
    let reason = "not asked: NAPTR records lead through too many names, or in a circle";
    assert_eq!(outcome.failures, [format!("NAPTR n8: {reason}")]);
}

#[test]
fn naptr_records_in_a_circle_ask_each_name_once() {
    let zone = Zone::new(
        r#"a.example.
        IN NAPTR 1 1 "" RELAY:turn.udp "" b.example.
        b.example.
        IN NAPTR 1 1 "" RELAY:turn.udp "" a.example.
        "#,
    );
    let outcome = search("turn:a.example", &config(&[Udp]), &zone).unwrap();
    assert_eq!(outcome.questions, ["NAPTR a.example", "NAPTR b.example"]);
    assert_eq!((outcome.candidates.len(), outcome.failures.len()), (0, 1));
}

#[test]
fn steps_end_at_their_bound_where_every_record_leads_everywhere() {
    let mut text = String::new();
    for name in ["a.example.", "b.example."] {
        writeln!(text, "{name}").unwrap();
        for i in 0..16 {
            writeln!(text, "IN NAPTR {i} 1 \"\" RELAY:turn.udp:turn.tcp \"\" b.example.").unwrap();
        }
    }
    let uri = Uri::parse("turn:a.example").unwrap();
    let now = ginnel_core::Instant::EPOCH;
    let mut resolver =
        Resolver::new(now, &uri, &config(&[Udp, Tcp]), ginnel_core::Seed::new([7; 32])).unwrap();
    let (zone, mut events) = (Zone::new(&text), 0);
    while let Some(event) = resolver.poll_event() {
        events += 1;
        if let Event::Question(question) = event {
            let records = zone.records(question.name.as_str(), question.kind);
            resolver.answer(now, question.ticket, Ok(&records));
        }
    }
    assert!(resolver.is_closed() && resolver.stats().cut_off > 0);
    assert_eq!(resolver.stats().questions, 2);
    assert!(events <= STEPS_MAX + 3, "{events}");
}

#[test]
fn the_same_server_by_two_ways_comes_once() {
    let zone = Zone::new(
        "_stun._udp.h.example.
        IN SRV 1 0 1 a.example.
        IN SRV 2 0 1 b.example.
        IN SRV 3 0 2 a.example.
        a.example.
        IN A 192.0.2.1
        b.example.
        IN A 192.0.2.1
        ",
    );
    let outcome = search("stun:h.example", &only_ipv4(), &zone).unwrap();
    assert_eq!(outcome.table(), ["udp 192.0.2.1:1", "udp 192.0.2.1:2"]);
    assert_eq!(outcome.questions.len(), 3);
}

#[test]
fn a_service_name_that_would_be_too_long_leaves_the_host() {
    let label = "a".repeat(60);
    let host = [&label[..], &label, &label, &label].join(".");
    let zone = Zone::new(&format!("{host}.\nIN A 192.0.2.1\n"));
    let outcome = search(&format!("turn:{host}?transport=udp"), &only_ipv4(), &zone).unwrap();
    assert_eq!(outcome.questions, [format!("A {host}")]);
    assert_eq!(outcome.table(), ["udp 192.0.2.1:3478"]);
}
