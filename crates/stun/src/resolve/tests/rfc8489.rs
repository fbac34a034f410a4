//! RFC 8489 section 8 and RFC 7350 section 4.1.1: discovery of STUN servers. Names, and addresses that servers can have.

use std::{format, string::String};

use ginnel_core::{
    Alpn, HostNameError,
    Transport::{Dtls, Tcp, Tls, Udp},
};

use super::{
    super::*,
    zone::{Zone, config, search},
};
use crate::uri::Host;

const ZONE: &str = "
    example.org.
    IN A 192.0.2.1
    IN AAAA 2001:db8::1
    _stun._udp.example.org.
    IN SRV 0 0 5000 a.example.net.
    _stun._tcp.example.org.
    IN SRV 0 0 5001 a.example.net.
    _stuns._tcp.example.org.
    IN SRV 0 0 5002 a.example.net.
    _stuns._udp.example.org.
    IN SRV 0 0 5003 a.example.net.
    a.example.net.
    IN A 192.0.2.9
";

#[test]
fn rfc8489_8_1_the_service_is_the_scheme_and_the_protocol_is_the_transport() {
    let zone = Zone::new(ZONE);
    let all = config(&[Udp, Tcp, Tls, Dtls]);
    let outcome = search("stun:example.org", &all, &zone).unwrap();
    assert_eq!(outcome.questions[..2], ["SRV _stun._udp.example.org", "SRV _stun._tcp.example.org"]);
    assert_eq!(outcome.table(), ["udp 192.0.2.9:5000", "tcp 192.0.2.9:5001"]);
    let outcome = search("stuns:example.org", &all, &zone).unwrap();
    assert_eq!(outcome.questions[..2], ["SRV _stuns._tcp.example.org", "SRV _stuns._udp.example.org"]);
    assert_eq!(outcome.table(), ["tls 192.0.2.9:5002", "dtls 192.0.2.9:5003"]);
    for candidate in outcome.candidates {
        assert_eq!(candidate.server_name.as_ref().map(HostName::as_str), Some("example.org"));
        assert_eq!(candidate.alpn, Some(Alpn::NAT_DISCOVERY));
    }
}

#[test]
fn rfc5780_9_2_behaviour_discovery_has_services_of_its_own() {
    let zone = Zone::new(
        "_stun-behavior._udp.example.org.
         IN SRV 0 0 5000 a.example.net.
         _stun-behavior._tcp.example.org.
         IN SRV 0 0 5001 a.example.net.
         _stun-behaviors._tcp.example.org.
         IN SRV 0 0 5002 a.example.net.
         a.example.net.
         IN A 192.0.2.9
         example.org.
         IN A 192.0.2.1",
    );
    let all = config(&[Udp, Tcp, Tls, Dtls]).with_nat_behavior(true);
    let outcome = search("stun:example.org", &all, &zone).unwrap();
    assert_eq!(
        outcome.questions[..2],
        ["SRV _stun-behavior._udp.example.org", "SRV _stun-behavior._tcp.example.org"]
    );
    assert_eq!(outcome.table(), ["udp 192.0.2.9:5000", "tcp 192.0.2.9:5001"]);
    // There is none over DTLS: the host itself is asked there, on the port that STUN has.
    let outcome = search("stuns:example.org", &all, &zone).unwrap();
    assert_eq!(outcome.questions[0], "SRV _stun-behaviors._tcp.example.org");
    assert!(!outcome.questions.iter().any(|question| question.contains("_udp")), "{:?}", outcome.questions);
    assert!(outcome.table().contains(&"tls 192.0.2.9:5002".into()), "{:?}", outcome.table());
    assert!(outcome.table().contains(&"dtls 192.0.2.1:5349".into()), "{:?}", outcome.table());
    // TURN knows nothing of it.
    let outcome = search("turn:example.org?transport=udp", &all, &zone).unwrap();
    assert_eq!(outcome.questions[0], "SRV _turn._udp.example.org");
}

#[test]
fn rfc8489_8_1_without_srv_both_families_on_the_default_port() {
    let zone = Zone::new("h.example.\nIN A 192.0.2.1\nIN AAAA 2001:db8::1\n");
    let outcome = search("stun:h.example", &config(&[Udp]), &zone).unwrap();
    assert_eq!(outcome.questions[1..], ["AAAA h.example", "A h.example"]);
    assert_eq!(outcome.table(), ["udp [2001:db8::1]:3478", "udp 192.0.2.1:3478"]);
    let outcome = search("stuns:h.example", &config(&[Tls, Dtls]), &zone).unwrap();
    assert_eq!(
        outcome.table(),
        ["tls [2001:db8::1]:5349", "tls 192.0.2.1:5349", "dtls [2001:db8::1]:5349", "dtls 192.0.2.1:5349"]
    );
    // A port in the URI is that of the server (RFC 7064 section 3.2), so no service is asked for.
    let outcome = search("stun:h.example:1", &config(&[Udp]), &zone).unwrap();
    assert_eq!(outcome.table(), ["udp [2001:db8::1]:1", "udp 192.0.2.1:1"]);
    assert_eq!(outcome.questions.len(), 2);
}

#[test]
fn rfc8489_8_1_an_address_is_used_and_stuns_with_an_address_is_refused() {
    let none = Zone::default();
    assert_eq!(search("stun:192.0.2.1", &config(&[Udp]), &none).unwrap().table(), ["udp 192.0.2.1:3478"]);
    for uri in ["stuns:192.0.2.1", "stuns:[2001:db8::1]:1"] {
        let refused = search(uri, &config(&[Tls, Dtls]), &none);
        assert_eq!(refused, Err(ResolveError::AddressWithoutName));
    }
    // RFC 7350 section 4.1.1: unless a name came with it.
    let named = config(&[Tls, Dtls]).with_server_name("h.example".parse().unwrap());
    let outcome = search("stuns:192.0.2.1", &named, &none).unwrap();
    assert_eq!(outcome.table(), ["tls 192.0.2.1:5349", "dtls 192.0.2.1:5349"]);
    assert!(outcome.candidates.iter().all(|candidate| candidate.server_name == named.server_name));
}

#[test]
fn rfc8489_8_1_the_scheme_decides_which_transports_fit() {
    let none = Zone::default();
    assert_eq!(search("stun:h", &config(&[Tls, Dtls]), &none), Err(ResolveError::NoTransport));
    assert_eq!(search("stuns:h", &config(&[Udp, Tcp]), &none), Err(ResolveError::NoTransport));
}

#[test]
fn rfc2782_a_target_of_a_dot_says_that_there_is_no_service() {
    let zone = Zone::new("h.example.\nIN A 192.0.2.1\n_stun._udp.h.example.\nIN SRV 0 0 0 .\n");
    let outcome = search("stun:h.example", &config(&[Udp]), &zone).unwrap();
    assert!(outcome.candidates.is_empty());
    assert_eq!(outcome.failures, ["SRV _stun._udp.h.example: the domain says that it has no such service"]);
}

#[test]
fn records_that_no_server_can_have_are_passed_over() {
    let zone = Zone::new(
        "h.example.
        IN A 0.0.0.0
        IN A 224.0.0.1
        IN A 255.255.255.255
        IN A 192.0.2.1
        IN A 192.0.2.1
        IN AAAA ::
        IN AAAA ff02::1
        IN AAAA ::ffff:192.0.2.2
        _stun._udp.h.example.
        IN SRV 0 0 0 a.example
        IN SRV 0 0 1 -bad.example
        ",
    );
    let outcome = search("stun:h.example", &config(&[Udp]), &zone).unwrap();
    assert_eq!(outcome.table(), ["udp 192.0.2.1:3478"]);
    let illegal = "none of the records is legal: ask the owner of the domain to look at them";
    assert_eq!(
        outcome.failures,
        [format!("SRV _stun._udp.h.example: {illegal}"), format!("AAAA h.example: {illegal}")]
    );
}

#[test]
fn rfc1035_2_3_4_and_rfc1123_2_1_names() {
    let label = "a".repeat(63);
    let longest = [&label[..], &label, &label, &"a".repeat(61)].join(".");
    assert_eq!(longest.len(), 253);
    for good in
        ["a", "A.example.", "_turn._udp.x", "xn--bcher-kva.example", "1.2.3.a", "3com.example", &longest]
    {
        let name = good.parse::<HostName>().unwrap();
        assert_eq!(name.as_str(), good.trim_end_matches('.').to_ascii_lowercase());
    }
    let long_label = format!("a.{label}a");
    for (bad, error) in [
        ("", HostNameError::Empty),
        (".", HostNameError::Empty),
        ("a..b", HostNameError::Label { at: 2 }),
        (".a", HostNameError::Label { at: 0 }),
        ("a..", HostNameError::Label { at: 2 }),
        (&long_label, HostNameError::Label { at: 2 }),
        (&format!("{longest}a"), HostNameError::TooLong),
        ("a b", HostNameError::Octet { at: 1 }),
        ("x.a\0", HostNameError::Octet { at: 3 }),
        ("-a", HostNameError::Label { at: 0 }),
        ("x.a-.b", HostNameError::Label { at: 2 }),
        ("b\u{fc}cher", HostNameError::Octet { at: 1 }),
        ("256.0.2.1", HostNameError::Address),
        ("192.0.2.1", HostNameError::Address),
        ("example.1", HostNameError::Address),
    ] {
        assert_eq!(bad.parse::<HostName>(), Err(error), "{bad}");
    }
}

#[test]
fn rfc3986_3_2_2_percent_encoded_hosts_are_decoded_and_not_translated() {
    let name = |text: &str| match Uri::parse(text).unwrap().host() {
        Host::Name(name) => name.host_name(),
        host => panic!("{host:?}"),
    };
    assert_eq!(
        name("stun:Ex%61mple%2Eorg").map(|name| String::from(name.as_str())),
        Ok("example.org".into())
    );
    let not_ascii = HostNameError::Octet { at: 1 };
    assert_eq!(name("stun:b%C3%BCcher.example"), Err(not_ascii));
    assert_eq!(name("stun:b%FF"), Err(not_ascii));
    assert_eq!(name("stun:a%20b"), Err(HostNameError::Octet { at: 1 }));
    let error = search("turn:b%C3%BCcher.example", &config(&[Udp]), &Zone::default());
    assert_eq!(error, Err(ResolveError::Name(not_ascii)));
}
