//! RFC 5928 section by section, with what RFC 7350 section 4.6.2 changes.

use std::format;

use ginnel_core::{
    Alpn,
    Transport::{Dtls, Tcp, Tls, Udp},
};

use super::{
    super::*,
    zone::{Outcome, TLS_TCP_UDP, Zone, config, search},
};

const FIGURE_1: &str = r#"
example.net.
IN NAPTR 100 10 "" RELAY:turn.udp "" datagram.example.net.
IN NAPTR 200 10 "" RELAY:turn.tcp:turn.tls "" stream.example.net.
datagram.example.net.
IN NAPTR 100 10 S RELAY:turn.udp "" _turn._udp.example.net.
stream.example.net.
IN NAPTR 100 10 S RELAY:turn.tcp "" _turn._tcp.example.net.
IN NAPTR 200 10 A RELAY:turn.tls "" a.example.net.
_turn._udp.example.net.
IN SRV   0 0 3478 a.example.net.
_turn._tcp.example.net.
IN SRV   0 0 5000 a.example.net.
a.example.net.
IN A     192.0.2.1
"#;
const FIGURE_2: &str = r#"
example.com.
IN NAPTR 100 10 "" RELAY:turn.udp:turn.tcp:turn.tls "" example.net.
"#;
const FIGURE_3: &str = "
_turn._udp.example.com.
IN SRV   0 0 3478 a.example.net.
_turn._tcp.example.com.
IN SRV   0 0 5000 a.example.net.
_turns._tcp.example.com.
IN SRV   0 0 5349 a.example.net.
";
const TABLE_2: [&str; 3] = ["udp 192.0.2.1:3478", "tls 192.0.2.1:5349", "tcp 192.0.2.1:5000"];
const ADDRESSES: &str = "
example.org.
IN A 192.0.2.1
IN AAAA 2001:db8::1
";

fn zone(parts: &[&str]) -> Zone {
    Zone::new(&parts.concat())
}

fn table(uri: &str, transports: &[ginnel_core::Transport], zone: &Zone) -> Vec<std::string::String> {
    search(uri, &config(transports), zone).unwrap().table()
}

#[test]
fn rfc5928_4_1_multiple_protocols() {
    let outcome = search("turn:example.net", &config(&TLS_TCP_UDP), &zone(&[FIGURE_1])).unwrap();
    assert_eq!(outcome.table(), TABLE_2);
    assert_eq!(outcome.finished, Some(Finished { candidates: 3, reason: FinishReason::Complete }));
}

#[test]
fn rfc5928_4_2_remote_hosting() {
    let zone = zone(&[FIGURE_1, FIGURE_2]);
    assert_eq!(table("turn:example.com", &TLS_TCP_UDP, &zone), TABLE_2);
}

#[test]
fn rfc5928_4_3_compatibility_with_turn() {
    // A client that knows NAPTR finds what it found without figure 3 ...
    let all = zone(&[FIGURE_1, FIGURE_2, FIGURE_3]);
    assert_eq!(table("turn:example.com", &TLS_TCP_UDP, &all), TABLE_2);
    // ... and where there are no NAPTR records the SRV records lead to the same servers.
    let figure_1_without_naptr = "a.example.net.\nIN A 192.0.2.1\n";
    let srv = zone(&[figure_1_without_naptr, FIGURE_3]);
    assert_eq!(table("turn:example.com", &TLS_TCP_UDP, &srv), ["tcp 192.0.2.1:5000", "udp 192.0.2.1:3478"]);
    assert_eq!(table("turns:example.com", &TLS_TCP_UDP, &srv), ["tls 192.0.2.1:5349"]);
}

#[test]
fn rfc7350_appendix_a_turn_over_dtls() {
    let zone = Zone::new(
        r#"
        example.net.
        IN NAPTR 100 10 "" RELAY:turn.udp:turn.dtls "" datagram.example.net.
        IN NAPTR 200 10 "" RELAY:turn.tcp:turn.tls "" stream.example.net.
        datagram.example.net.
        IN NAPTR 100 10 S RELAY:turn.udp "" _turn._udp.example.net.
        IN NAPTR 200 10 S RELAY:turn.dtls "" _turns._udp.example.net.
        stream.example.net.
        IN NAPTR 100 10 S RELAY:turn.tcp "" _turn._tcp.example.net.
        IN NAPTR 200 10 A RELAY:turn.tls "" a.example.net.
        _turn._udp.example.net.
        IN SRV   0 0 3478 a.example.net.
        _turn._tcp.example.net.
        IN SRV   0 0 5000 a.example.net.
        _turns._udp.example.net.
        IN SRV   0 0 5349 a.example.net.
        a.example.net.
        IN A     192.0.2.1
        "#,
    );
    let found = table("turns:example.net", &[Dtls, Tls, Tcp, Udp], &zone);
    assert_eq!(found, ["dtls 192.0.2.1:5349", "tls 192.0.2.1:5349"]);
}

#[test]
fn rfc5928_3_checks_of_the_parameters() {
    let none = Zone::default();
    for (uri, transports, error) in [
        ("turn:h?transport=udp", &[Tcp, Tls][..], ResolveError::Unsupported(Udp)),
        ("turn:h?transport=tcp", &[Udp, Tls], ResolveError::Unsupported(Tcp)),
        // As RFC 7350 section 4.6.2 has the third rule.
        ("turns:h?transport=udp", &[Udp, Tcp, Tls], ResolveError::Unsupported(Dtls)),
        ("turns:h?transport=tcp", &[Udp, Tcp, Dtls], ResolveError::Unsupported(Tls)),
        // As it has the fifth.
        ("turns:h", &[Udp, Tcp], ResolveError::NoTransport),
        ("turn:h?transport=sctp", &[Udp, Tcp, Tls, Dtls], ResolveError::UnknownTransport),
        ("turn:h?transport=dtls", &[Udp, Tcp, Tls, Dtls], ResolveError::UnknownTransport),
        ("turn:h", &[], ResolveError::NoTransport),
        ("turn:h:1", &[Tls], ResolveError::NoTransport),
    ] {
        assert_eq!(search(uri, &config(transports), &none), Err(error), "{uri} {transports:?}");
    }
    for (uri, transports) in [
        ("turns:h", &[Tls][..]),
        ("turns:h", &[Dtls]),
        ("turns:h?transport=udp", &[Dtls]),
        ("turns:h?transport=dtls", &[Dtls]),
    ] {
        assert!(search(uri, &config(transports), &none).is_ok(), "{uri} {transports:?}");
    }
}

#[test]
fn rfc5928_3_table_1_and_the_row_of_rfc7350() {
    let zone = zone(&[ADDRESSES]);
    for (uri, found) in [
        ("turn:example.org:1?transport=udp", "udp 192.0.2.1:1"),
        ("turn:example.org:1?transport=tcp", "tcp 192.0.2.1:1"),
        ("turns:example.org:1?transport=tcp", "tls 192.0.2.1:1"),
        ("turns:example.org:1?transport=udp", "dtls 192.0.2.1:1"),
    ] {
        let config = config(&[Udp, Tcp, Tls, Dtls]).with_families(true, false);
        assert_eq!(search(uri, &config, &zone).unwrap().table(), [found]);
    }
}

#[test]
fn rfc5928_3_step_1_an_address_is_used_as_it_is() {
    let none = Zone::default();
    for (uri, transports, found) in [
        ("turn:192.0.2.1", &[Tcp, Udp][..], &["tcp 192.0.2.1:3478", "udp 192.0.2.1:3478"][..]),
        ("turn:192.0.2.1:8000", &[Udp], &["udp 192.0.2.1:8000"]),
        ("turn:192.0.2.1?transport=tcp", &[Udp, Tcp], &["tcp 192.0.2.1:3478"]),
        ("turn:[2001:db8::1]", &[Udp], &["udp [2001:db8::1]:3478"]),
        ("turn:[::ffff:192.0.2.1]", &[Udp], &["udp 192.0.2.1:3478"]),
        ("turns:192.0.2.1", &TLS_TCP_UDP, &["tls 192.0.2.1:5349"]),
        // What RFC 7065 section 3.2 keeps for turns is not tried on the port of turn.
        ("turn:192.0.2.1", &TLS_TCP_UDP, &["tcp 192.0.2.1:3478", "udp 192.0.2.1:3478"]),
    ] {
        let outcome = search(uri, &config(transports), &none).unwrap();
        assert_eq!(outcome.table(), found, "{uri}");
        assert!(outcome.questions.is_empty() && outcome.failures.is_empty());
    }
    for nobody in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "[::]", "[ff02::1]", "[::ffff:0.0.0.0]"] {
        let error = search(&format!("turn:{nobody}"), &config(&[Udp]), &none);
        assert!(matches!(error, Err(ResolveError::Address(_))), "{nobody}: {error:?}");
    }
    let without_ipv6 = config(&[Udp]).with_families(true, false);
    assert_eq!(search("turn:[2001:db8::1]", &without_ipv6, &none), Err(ResolveError::Family));
}

#[test]
fn rfc7350_4_6_1_dtls_to_an_address_needs_a_name_from_the_same_source() {
    let none = Zone::default();
    let both = config(&[Dtls, Tls]);
    let error = search("turns:192.0.2.1?transport=udp", &both, &none);
    assert_eq!(error, Err(ResolveError::AddressWithoutName));
    let named = both.with_server_name("turn.example.org".parse().unwrap());
    let outcome = search("turns:192.0.2.1?transport=udp", &named, &none).unwrap();
    assert_eq!(outcome.table(), ["dtls 192.0.2.1:5349"]);
    assert_eq!(outcome.candidates[0].server_name.as_ref().unwrap().as_str(), "turn.example.org");
    // Over TLS a certificate may hold the address.
    let outcome = search("turns:192.0.2.1", &config(&[Dtls, Tls]), &none).unwrap();
    assert_eq!(outcome.table(), ["tls 192.0.2.1:5349"]);
    assert_eq!(outcome.candidates[0].server_name, None);
}

#[test]
fn rfc5928_3_step_2_a_port_asks_for_addresses_alone() {
    let zone = zone(&[ADDRESSES]);
    let outcome = search("turn:example.org:8000", &config(&[Tcp, Udp]), &zone).unwrap();
    assert_eq!(outcome.questions, ["AAAA example.org", "A example.org"]);
    assert_eq!(
        outcome.table(),
        ["tcp [2001:db8::1]:8000", "tcp 192.0.2.1:8000", "udp [2001:db8::1]:8000", "udp 192.0.2.1:8000"]
    );
    let outcome = search("turns:example.org:443?transport=tcp", &config(&[Tls]), &zone).unwrap();
    assert_eq!(outcome.table(), ["tls [2001:db8::1]:443", "tls 192.0.2.1:443"]);
}

#[test]
fn rfc5928_3_step_3_a_transport_asks_for_srv() {
    let srv = "
        _turn._tcp.example.org.
        IN SRV 1 0 5000 a.example.net.
        _turns._tcp.example.org.
        IN SRV 1 0 5001 a.example.net.
        _turns._udp.example.org.
        IN SRV 1 0 5002 a.example.net.
        a.example.net.
        IN A 192.0.2.9
    ";
    let zone = zone(&[ADDRESSES, srv]);
    for (uri, question, found) in [
        ("turn:example.org?transport=tcp", "SRV _turn._tcp.example.org", "tcp 192.0.2.9:5000"),
        ("turns:example.org?transport=tcp", "SRV _turns._tcp.example.org", "tls 192.0.2.9:5001"),
        ("turns:example.org?transport=udp", "SRV _turns._udp.example.org", "dtls 192.0.2.9:5002"),
    ] {
        let outcome = search(uri, &config(&[Udp, Tcp, Tls, Dtls]), &zone).unwrap();
        assert_eq!(outcome.questions[0], question);
        assert_eq!(outcome.table(), [found]);
    }
}

#[test]
fn rfc5928_3_step_3_without_srv_the_host_is_asked_on_the_default_port() {
    let zone = zone(&[ADDRESSES]);
    for (uri, found) in [
        ("turn:example.org?transport=udp", ["udp [2001:db8::1]:3478", "udp 192.0.2.1:3478"]),
        ("turns:example.org?transport=tcp", ["tls [2001:db8::1]:5349", "tls 192.0.2.1:5349"]),
        ("turns:example.org?transport=udp", ["dtls [2001:db8::1]:5349", "dtls 192.0.2.1:5349"]),
    ] {
        let outcome = search(uri, &config(&[Udp, Tcp, Tls, Dtls]), &zone).unwrap();
        assert_eq!(outcome.table(), found);
        assert_eq!(outcome.failures.len(), 1, "the SRV question: {:?}", outcome.failures);
    }
}

#[test]
fn rfc5928_3_step_4_the_application_decides_between_equals() {
    let records = r#"
        example.org.
        IN NAPTR 100 10 A RELAY:turn.udp "" a.example.net.
        IN NAPTR 100 10 A RELAY:turn.tcp "" a.example.net.
        IN NAPTR 100 20 A RELAY:turn.tls "" a.example.net.
        a.example.net.
        IN A 192.0.2.9
    "#;
    let zone = zone(&[records]);
    let found = table("turn:example.org", &TLS_TCP_UDP, &zone);
    assert_eq!(found, ["tcp 192.0.2.9:3478", "udp 192.0.2.9:3478", "tls 192.0.2.9:5349"]);
    let found = table("turn:example.org", &[Udp, Tcp, Tls], &zone);
    assert_eq!(found, ["udp 192.0.2.9:3478", "tcp 192.0.2.9:3478", "tls 192.0.2.9:5349"]);
}

#[test]
fn rfc5928_3_step_4_records_for_others_are_passed_over() {
    let records = r#"
        example.org.
        IN NAPTR 10 10 S SIP+D2U "" _sip._udp.example.org.
        IN NAPTR 20 10 U RELAY:turn.udp "" a.example.net.
        IN NAPTR 30 10 A RELAY:turn.udp !^.*$!x! a.example.net.
        IN NAPTR 40 10 A RELAY:turn.udp "" bad..example.net.
        IN NAPTR 50 10 a relay:TURN.udp:x-other "" A.example.NET.
        a.example.net.
        IN A 192.0.2.9
    "#;
    let outcome = search("turn:example.org", &config(&[Udp]), &zone(&[records])).unwrap();
    assert_eq!(outcome.table(), ["udp 192.0.2.9:3478"]);
    assert_eq!(outcome.failures, ["AAAA a.example.net: no such records"]);
}

#[test]
fn rfc5928_3_step_4_a_broken_way_does_not_lead_to_step_5() {
    let records = r#"
        example.org.
        IN NAPTR 10 10 S RELAY:turn.udp "" _turn._udp.gone.example.net.
        IN A 192.0.2.1
        _turn._udp.example.org.
        IN SRV 0 0 1 example.org.
    "#;
    let outcome = search("turn:example.org", &config(&[Udp]), &zone(&[records])).unwrap();
    assert_eq!(outcome.questions, ["NAPTR example.org", "SRV _turn._udp.gone.example.net"]);
    assert_eq!(outcome.finished, Some(Finished { candidates: 0, reason: FinishReason::Complete }));
    // Nor does what offers other transports alone.
    let outcome = search("turn:example.org", &config(&[Tcp]), &zone(&[records])).unwrap();
    let reason = "NAPTR example.org: the domain offers none of the transports that are supported here";
    assert_eq!((outcome.failures, outcome.candidates.len()), (Vec::from([reason.into()]), 0));
}

#[test]
fn rfc5928_3_step_5_without_naptr_each_transport_asks_for_srv() {
    let records = "
        _turn._udp.example.org.
        IN SRV 0 0 5000 a.example.net.
        a.example.net.
        IN A 192.0.2.9
    ";
    let zone = zone(&[ADDRESSES, records]);
    let Outcome { questions, candidates, .. } =
        search("turn:example.org", &config(&TLS_TCP_UDP), &zone).unwrap();
    let srv: Vec<_> = questions.iter().filter(|question| question.starts_with("SRV")).collect();
    assert_eq!(srv, ["SRV _turn._tcp.example.org", "SRV _turn._udp.example.org"]);
    let found: Vec<_> = candidates.iter().map(|c| (c.transport, c.address.port())).collect();
    assert_eq!(found, [(Tcp, 3478), (Tcp, 3478), (Udp, 5000)]);
    assert_eq!(table("turns:example.org", &[Tls], &zone), ["tls [2001:db8::1]:5349", "tls 192.0.2.1:5349"]);
}

#[test]
fn rfc5928_5_the_host_of_the_uri_is_the_name_in_the_certificate() {
    let zone = zone(&[FIGURE_1, FIGURE_2]);
    let outcome = search("turn:example.com", &config(&TLS_TCP_UDP), &zone).unwrap();
    let tls = outcome.candidates.iter().find(|candidate| candidate.transport == Tls).unwrap();
    assert_eq!(tls.server_name.as_ref().unwrap().as_str(), "example.com");
    assert_eq!(tls.alpn, Some(Alpn::TURN));
    let udp = outcome.candidates.iter().find(|candidate| candidate.transport == Udp).unwrap();
    assert_eq!((udp.server_name, udp.alpn), (None, None));
}
