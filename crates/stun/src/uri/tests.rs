use std::{format, string::String, string::ToString, vec::Vec};

use ginnel_core::Transport;
use proptest::prelude::*;

use super::{UriErrorReason as Reason, *};

/// What RFC 7065 appendix A calls `<secure>`, `<port>` and `<transport>`.
fn components(text: &str) -> (bool, Option<u16>, Option<Transport>) {
    let uri = Uri::parse(text).unwrap();
    let secure = uri.scheme().is_secure();
    (secure, uri.port(), uri.transport().and_then(|transport| transport.over(secure)))
}

#[test]
fn rfc7064_appendix_a_examples() {
    for (text, secure, port) in [
        ("stun:example.org", false, None),
        ("stuns:example.org", true, None),
        ("stun:example.org:8000", false, Some(8000)),
    ] {
        let uri = Uri::parse(text).unwrap();
        assert_eq!(components(text), (secure, port, None), "{text}");
        assert!(!uri.scheme().is_turn());
        assert_eq!(uri.host().name().unwrap().as_str(), "example.org");
        assert_eq!(uri.to_string(), text);
    }
}

#[test]
fn rfc7065_appendix_a_examples() {
    for (text, expected) in [
        ("turn:example.org", (false, None, None)),
        ("turns:example.org", (true, None, None)),
        ("turn:example.org:8000", (false, Some(8000), None)),
        ("turn:example.org?transport=udp", (false, None, Some(Transport::Udp))),
        ("turn:example.org?transport=tcp", (false, None, Some(Transport::Tcp))),
        ("turns:example.org?transport=tcp", (true, None, Some(Transport::Tls))),
    ] {
        let uri = Uri::parse(text).unwrap();
        assert_eq!(components(text), expected, "{text}");
        assert!(uri.scheme().is_turn());
        assert_eq!(uri.host().name().unwrap().as_str(), "example.org");
        assert_eq!(uri.to_string(), text);
    }
}

#[test]
fn rfc7350_appendix_a_example() {
    assert_eq!(components("turns:example.net?transport=udp"), (true, None, Some(Transport::Dtls)));
}

#[test]
fn rfc8489_8_1_default_ports() {
    for (text, port) in [
        ("stun:h", 3478),
        ("stuns:h", 5349),
        ("turn:h", 3478),
        ("turns:h", 5349),
        ("turns:h?transport=udp", 5349),
        ("turn:h?transport=tcp", 3478),
        ("turns:h:443?transport=tcp", 443),
        // RFC 3986 sections 3.2.3 and 6.2.3: an empty port is the default.
        ("stun:h:", 3478),
        ("turn:h:?transport=udp", 3478),
    ] {
        assert_eq!(Uri::parse(text).unwrap().port_or_default(), port, "{text}");
    }
}

#[test]
fn rfc7064_3_2_the_transport_to_use_without_discovery() {
    for (text, transport) in [
        ("stun:h", Some(Transport::Udp)),
        ("stuns:h", Some(Transport::Tls)),
        ("turn:h", Some(Transport::Udp)),
        ("turns:h", Some(Transport::Tls)),
        ("turns:h?transport=dtls", Some(Transport::Dtls)),
        ("turns:h?transport=DTLS", Some(Transport::Dtls)),
        ("turn:h?transport=dtls", None),
        ("turn:h?transport=quic", None),
    ] {
        assert_eq!(Uri::parse(text).unwrap().transport_to_use(), transport, "{text}");
    }
}

#[test]
fn rfc7443_1_alpn_ids() {
    assert_eq!(Alpn::TURN.as_str().as_bytes(), [0x73, 0x74, 0x75, 0x6E, 0x2E, 0x74, 0x75, 0x72, 0x6E]);
    let nat_discovery =
        [0x73, 0x74, 0x75, 0x6E, 0x2E, 0x6e, 0x61, 0x74, 0x2d, 0x64, 0x69, 0x73, 0x63, 0x6f, 0x76, 0x65];
    assert_eq!(Alpn::NAT_DISCOVERY.as_str().as_bytes(), [&nat_discovery[..], &[0x72, 0x79]].concat());
    let alpn = |text| Uri::parse(text).unwrap().alpn();
    assert_eq!(alpn("stuns:h"), Some(Alpn::NAT_DISCOVERY));
    assert_eq!(alpn("turns:h?transport=udp"), Some(Alpn::TURN));
    assert_eq!((alpn("stun:h"), alpn("turn:h")), (None, None));
}

#[test]
fn rfc3986_3_2_2_hosts() {
    for (text, host, printed) in [
        ("stun:192.0.2.1", Host::Ipv4([192, 0, 2, 1].into()), "stun:192.0.2.1"),
        ("stun:[2001:DB8::1]:1", Host::Ipv6("2001:db8::1".parse().unwrap()), "stun:[2001:db8::1]:1"),
        (
            "turn:[::ffff:192.0.2.1]",
            Host::Ipv6("::ffff:192.0.2.1".parse().unwrap()),
            "turn:[::ffff:192.0.2.1]",
        ),
        ("turn:[::]?transport=udp", Host::Ipv6([0; 16].into()), "turn:[::]?transport=udp"),
        // The first match wins: what is no IPv4 address is a name.
        ("stun:256.0.2.1", Host::Name(RegName("256.0.2.1")), "stun:256.0.2.1"),
        ("stun:192.0.2.01", Host::Name(RegName("192.0.2.01")), "stun:192.0.2.01"),
        ("stun:a_b~c!$&'()*+,;=", Host::Name(RegName("a_b~c!$&'()*+,;=")), "stun:a_b~c!$&'()*+,;="),
        ("stun:example.org.", Host::Name(RegName("example.org.")), "stun:example.org."),
    ] {
        let uri = Uri::parse(text).unwrap();
        assert_eq!(uri.host(), host, "{text}");
        assert_eq!(uri.to_string(), printed);
    }
}

#[test]
fn rfc3986_letters_may_be_of_either_case() {
    let upper = Uri::parse("TURNS:EXAMPLE.org:05349?TRANSPORT=TCP").unwrap();
    let lower = Uri::parse("turns:example.ORG:5349?transport=tcp").unwrap();
    assert_eq!(upper, lower);
    assert_eq!(upper.to_owned(), lower.to_owned());
    assert_eq!(upper.to_string(), "turns:EXAMPLE.org:5349?transport=tcp");
    assert_ne!(lower, Uri::parse("turns:example.com:5349?transport=tcp").unwrap());
    let extension = |text| Uri::parse(text).unwrap().transport();
    assert_eq!(extension("turn:h?transport=SCTP"), extension("turn:h?transport=sctp"));
    assert_ne!(extension("turn:h?transport=sctp"), extension("turn:h?transport=quic"));
}

#[test]
fn rfc3986_2_1_percent_encoded_names_are_kept_and_decoded_on_request() {
    let uri = Uri::parse("stun:b%C3%BCcher.ex%61mple").unwrap();
    let name = uri.host().name().unwrap();
    assert_eq!(name.as_str(), "b%C3%BCcher.ex%61mple");
    assert_eq!(String::from_utf8(name.octets().collect()).unwrap(), "b\u{fc}cher.example");
    assert_eq!(uri, Uri::parse("stun:b%c3%bccher.example").unwrap());
    assert_eq!(uri.to_string(), "stun:b%C3%BCcher.ex%61mple");
}

#[test]
fn rfc1035_2_3_4_names_end_at_253_octets() {
    let longest = "a".repeat(253);
    assert!(Uri::parse(&format!("stun:{longest}")).is_ok());
    assert!(Uri::parse(&format!("stun:{longest}.")).is_ok(), "the final dot is the root's");
    let all_encoded = format!("turns:{}:65535?transport=tcp", "%61".repeat(253));
    assert!(Uri::parse(&all_encoded).is_ok());
    let error = Uri::parse(&format!("stun:{longest}a")).unwrap_err();
    assert_eq!((error.offset(), error.reason()), (5, Reason::HostTooLong));
}

#[test]
fn a_uri_ends_at_1024_octets() {
    let zeros = |n| format!("stun:h:{}", "0".repeat(n));
    assert_eq!(zeros(1017).len(), URI_LEN_MAX);
    assert_eq!(Uri::parse(&zeros(1017)).unwrap_err().reason(), Reason::PortRange);
    let error = Uri::parse(&zeros(1018)).unwrap_err();
    assert_eq!((error.offset(), error.reason()), (1024, Reason::TooLong));
    let across = format!("stun:{}\u{fc}", "a".repeat(1018));
    let error = Uri::parse(&across).unwrap_err();
    assert_eq!((error.offset(), error.reason()), (1023, Reason::TooLong));
    super::fuzz::run(across.as_bytes());
}

#[test]
fn every_mistake_has_its_place_and_its_advice() {
    for (text, offset, reason) in [
        ("", 0, Reason::Scheme),
        ("stun", 0, Reason::Scheme),
        (" stun:h", 0, Reason::Scheme),
        ("http:h", 0, Reason::Scheme),
        ("st\u{fc}n:h", 0, Reason::Scheme),
        ("stun://h", 5, Reason::Hierarchical),
        ("turns://user@h", 6, Reason::Hierarchical),
        ("turn:user:password@h:1", 18, Reason::UserInfo),
        ("stun:user@h", 9, Reason::UserInfo),
        ("stun:", 5, Reason::NoHost),
        ("stun::3478", 5, Reason::NoHost),
        ("turn:?transport=udp", 5, Reason::NoHost),
        ("stun:a b", 6, Reason::HostCharacter),
        ("stun:h ", 6, Reason::HostCharacter),
        ("stun:b\u{fc}cher.example", 6, Reason::HostNotAscii),
        ("stun:h%4", 6, Reason::PercentEncoding),
        ("stun:h%4\u{fc}", 6, Reason::PercentEncoding),
        ("stun:h%zz", 6, Reason::PercentEncoding),
        ("stun:2001:db8::1", 5, Reason::Unbracketed),
        ("stun:[2001:db8::1", 17, Reason::Bracket),
        ("stun:[2001:db8::g]", 6, Reason::Ipv6),
        ("stun:[192.0.2.1]", 6, Reason::Ipv6),
        ("stun:[]", 6, Reason::Ipv6),
        ("stun:[fe80::1%25eth0]", 13, Reason::Zone),
        ("stun:[v1.fe80::a]", 6, Reason::IpFuture),
        ("stun:[::1]x", 10, Reason::HostCharacter),
        ("stun:h:80x", 9, Reason::PortCharacter),
        ("stun:h:-1", 7, Reason::PortCharacter),
        ("stun:h:65536", 7, Reason::PortRange),
        ("stun:h:0", 7, Reason::PortRange),
        ("stun:h?transport=udp", 6, Reason::TransportOnStun),
        ("stuns:h:1?transport=tcp", 9, Reason::TransportOnStun),
        ("turn:h?protocol=udp", 6, Reason::Query),
        ("turn:h?", 6, Reason::Query),
        ("turn:h?transport=", 17, Reason::NoTransport),
        ("turn:h?transport=,", 17, Reason::TransportCharacter),
        ("turn:h?transport=udp&x=y", 20, Reason::TransportCharacter),
        ("turn:h?transport=udp\u{fc}", 20, Reason::TransportCharacter),
        ("stun:h/path", 6, Reason::Path),
        ("stun:h:1#f", 8, Reason::Path),
        ("stun:[::1]/", 10, Reason::Path),
        ("turn:h?transport=udp#f", 20, Reason::Path),
    ] {
        let error = Uri::parse(text).expect_err(text);
        assert_eq!((error.offset(), error.reason()), (offset, reason), "{text}: {error}");
        assert!(error.to_string().ends_with(&format!("(at octet {offset})")));
        assert!(text.is_char_boundary(offset), "{text}: the place is a character");
    }
}

#[test]
fn parts_make_only_legal_uris() {
    let host = Host::from(core::net::IpAddr::from([192, 0, 2, 1]));
    let stun = Uri::new(Scheme::Stun, host).with_transport(TransportParam::Tcp).with_port(0);
    assert_eq!(stun.to_string(), "stun:192.0.2.1");
    let turns = Uri::new(Scheme::Turns, host).with_transport(TransportParam::Tcp).with_port(443);
    assert_eq!(turns.to_string(), "turns:192.0.2.1:443?transport=tcp");
}

/// Texts that are URIs, or nearly.
fn any_text() -> impl Strategy<Value = String> {
    let scheme = prop::sample::select(Vec::from(["stun", "Stuns", "turn", "TURNS", "sip"]));
    let host = prop_oneof![
        "[a-z0-9-]{1,20}(\\.[a-zA-Z0-9-]{1,8}){0,3}",
        "[a-z%!$]{0,6}(%[0-9a-fA-F]{2}){0,3}",
        any::<[u8; 4]>().prop_map(|ip| Host::Ipv4(ip.into()).to_string()),
        any::<[u8; 16]>().prop_map(|ip| Host::Ipv6(ip.into()).to_string()),
    ];
    let port = prop_oneof![Just(String::new()), "[:][0-9]{0,5}"];
    let transport = prop_oneof![Just(String::new()), "[?]transport=(udp|tcp|[a-z._~-]{0,5})"];
    (scheme, host, port, transport)
        .prop_map(|(scheme, host, port, transport)| format!("{scheme}:{host}{port}{transport}"))
}

proptest! {
    #[test]
    fn what_parses_prints_as_its_equal(text in any_text()) {
        if let Ok(uri) = Uri::parse(&text) {
            let printed = uri.to_string();
            prop_assert_eq!(Uri::parse(&printed), Ok(uri));
            prop_assert_eq!(printed.parse::<UriBuf>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_is_made_of_parts_parses_as_itself(
        scheme in prop::sample::select(Vec::from(Scheme::ALL)),
        ip in any::<core::net::IpAddr>(),
        port in any::<u16>(),
        tcp in any::<Option<bool>>(),
    ) {
        let mut uri = Uri::new(scheme, ip.into()).with_port(port);
        if let Some(tcp) = tcp {
            uri = uri.with_transport(if tcp { TransportParam::Tcp } else { TransportParam::Udp });
        }
        let printed = uri.to_string();
        prop_assert_eq!(Uri::parse(&printed), Ok(uri));
    }

    #[test]
    fn an_error_lies_within_the_text(text in "(stuns?|turns?):.{0,40}") {
        super::fuzz::run(text.as_bytes());
    }
}
