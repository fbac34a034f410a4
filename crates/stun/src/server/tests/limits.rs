//! What strangers get: as much as the preamble of `SECURITY.md` allows, and as often as the rate limit does.

use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    DiscoveryAddresses, DiscoverySupport, FingerprintPolicy,
    auth::{AnnouncedAlgorithms, AuthConfig, MadeNonce, REALM_MAX, RateLimit},
};

/// A request as a stranger may send it: plain, padded out with anything, with FINGERPRINT or without.
fn request(attributes: &[(u16, Vec<u8>)], fingerprint: bool) -> Vec<u8> {
    let message = attributes
        .iter()
        .fold(ByHand::binding(), |message, (kind, value)| message.with(AttributeType(*kind), value));
    if fingerprint { message.with_fingerprint().octets() } else { message.octets() }
}
fn attributes() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    let kind = prop_oneof![
        Just(0x0003), // CHANGE-REQUEST
        Just(0x0026), // PADDING
        Just(0x0027), // RESPONSE-PORT
        Just(0x0006), // USERNAME
        Just(0x8022), // SOFTWARE
        Just(0x7FFF), // unknown and required
        any::<u16>().prop_filter("what ends a message is not put in by hand", |it| !AttributeType(*it)
            .ends_message()),
    ];
    proptest::collection::vec((kind, proptest::collection::vec(any::<u8>(), 0..40)), 0..12)
}
fn remote() -> impl Strategy<Value = std::net::SocketAddr> {
    let ip = any::<std::net::IpAddr>().prop_filter("nobody is there", |ip| !ip.is_unspecified());
    (ip, 1u16..).prop_map(Into::into)
}
fn ratio(config: ServerConfig, path: Path, octets: &[u8]) -> f64 {
    let mut server = BindingServer::new(config, Seed::new([7; 32]));
    match ask(&mut server, path, octets) {
        (Handled::Send(_), answer) => answer.len() as f64 / octets.len() as f64,
        other => panic!("no answer but {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_plain_answer_is_at_most_three_times_its_request(
        attributes in attributes(), fingerprint: bool, remote in remote(), rfc3489: bool,
    ) {
        let config = ServerConfig::default().with_rfc3489(rfc3489);
        let path = Path { remote, ..path() };
        let ratio = ratio(config, path, &request(&attributes, fingerprint));
        prop_assert!(ratio <= 3.0, "{}", ratio);
    }

    #[test]
    fn an_answer_of_rfc5780_is_at_most_six_times_its_request(
        attributes in attributes(), fingerprint: bool, remote in remote(), ipv6: bool,
    ) {
        let (a1, a2) = if ipv6 {
            ("[2001:db8::1]:3478", "[2001:db8::2]:3479")
        } else {
            ("198.51.100.1:3478", "198.51.100.2:3479")
        };
        let addresses = DiscoveryAddresses::new(a1.parse().unwrap(), a2.parse().unwrap()).unwrap();
        let config = ServerConfig::default().with_discovery(DiscoverySupport::TwoAddresses(addresses));
        let path = Path { remote, ..Path::udp(a1.parse().unwrap(), remote) };
        let ratio = ratio(config, path, &request(&attributes, fingerprint));
        prop_assert!(ratio <= 6.0, "{}", ratio);
    }

    #[test]
    fn sec_18_a_challenge_is_at_most_48_octets_and_its_realm_and_nonce(
        attributes in attributes(), fingerprint: bool, remote in remote(), realm in "[a-z.]{1,127}",
        announced: bool,
    ) {
        let algorithms = if announced { AnnouncedAlgorithms::Sha256 } else { AnnouncedAlgorithms::None };
        let auth = AuthConfig::long_term(&realm).unwrap().with_algorithms(algorithms);
        let config = ServerConfig::default().with_credentials(Some(auth));
        let mut server = BindingServer::new(config, Seed::new([7; 32]));
        let octets = request(&attributes, fingerprint);
        let (handled, answer) = ask(&mut server, Path { remote, ..path() }, &octets);
        prop_assert!(matches!(handled, Handled::Send(_)));
        prop_assert!(answer.len() <= 48 + realm.len() + MadeNonce::LEN, "{}", answer.len());
    }
}

#[test]
fn the_largest_ratios_are_those_that_are_written_down() {
    let ipv6 = Path::udp("[2001:db8::1]:3478".parse().unwrap(), "[2001:db8::9]:5000".parse().unwrap());
    let bare = ByHand::binding().octets();
    assert_eq!(ratio(ServerConfig::default(), ipv6, &bare), 44.0 / 20.0);
    let addresses = DiscoveryAddresses::new(ipv6.local, "[2001:db8::2]:3479".parse().unwrap()).unwrap();
    let config = ServerConfig::default().with_discovery(DiscoverySupport::TwoAddresses(addresses));
    assert_eq!(ratio(config, ipv6, &bare), 116.0 / 20.0);
}

#[test]
fn fingerprint_is_left_out_of_a_challenge_only_where_there_is_no_room() {
    for (algorithms, policy, there) in [
        (AnnouncedAlgorithms::None, FingerprintPolicy::AsAsked, true),
        (AnnouncedAlgorithms::None, FingerprintPolicy::Never, false),
        (AnnouncedAlgorithms::Sha256, FingerprintPolicy::AsAsked, false),
        // Without it nothing is taken for STUN where the port is shared.
        (AnnouncedAlgorithms::Sha256, FingerprintPolicy::Required, true),
    ] {
        let auth = AuthConfig::long_term("example.org").unwrap().with_algorithms(algorithms);
        let config = ServerConfig::default().with_credentials(Some(auth)).with_fingerprint(policy);
        let mut server = BindingServer::new(config, Seed::new([7; 32]));
        let (_, answer) = ask(&mut server, path(), &ByHand::binding().with_fingerprint().octets());
        let answer = Message::parse(&answer).unwrap();
        let want = if there { Fingerprint::Ok } else { Fingerprint::Absent };
        assert_eq!(answer.fingerprint(), want, "{algorithms:?} {policy:?}");
    }
}

/// Header 20, ERROR-CODE 8, REALM 4, NONCE 4, PASSWORD-ALGORITHMS 8, FINGERPRINT 8: all of them are required there, and make 52,
/// and the realm's padding makes 55 at the most. So 48 cannot be kept; but nobody is challenged there whose request has less
/// than 28 octets, so that who reflects challenges gains less than where FINGERPRINT is not required.
#[test]
fn a_challenge_with_a_required_fingerprint_is_larger_and_amplifies_less() {
    for length in 1..=REALM_MAX {
        let realm = "x".repeat(length);
        let challenge = |policy, request: ByHand| {
            let auth = AuthConfig::long_term(&realm).unwrap();
            let config = ServerConfig::default().with_credentials(Some(auth)).with_fingerprint(policy);
            let mut server = BindingServer::new(config, Seed::new([7; 32]));
            let octets = request.octets();
            let (handled, answer) = ask(&mut server, path(), &octets);
            assert!(matches!(handled, Handled::Send(_)));
            (answer.len(), octets.len())
        };
        let (required, asked) = challenge(FingerprintPolicy::Required, ByHand::binding().with_fingerprint());
        assert_eq!((required, asked), (52 + length.next_multiple_of(4) + MadeNonce::LEN, 28));
        let (plain, bare) = challenge(FingerprintPolicy::AsAsked, ByHand::binding());
        assert_eq!((plain, bare), (44 + length.next_multiple_of(4) + MadeNonce::LEN, 20));
        assert!(required * bare < plain * asked);
    }
}

/// Nothing can be sent to port 0, nor to 0.0.0.0; a datagram can name them.
#[test]
fn whoever_names_no_address_as_his_own_gets_no_reply() {
    let auth = || AuthConfig::long_term("example.org").unwrap();
    for credentials in [None, Some(auth())] {
        let config = ServerConfig::default().with_credentials(credentials).with_rfc3489(true);
        let mut server = BindingServer::new(config, Seed::new([7; 32]));
        for remote in ["192.0.2.1:0", "0.0.0.0:5000", "[::]:5000"] {
            let nowhere = Path { remote: remote.parse().unwrap(), ..path() };
            for request in [ByHand::binding().octets(), b"\x00\x01\x00\x00old!transactions".to_vec()] {
                assert_eq!(ask(&mut server, nowhere, &request).0, Handled::Consumed);
            }
        }
        assert_eq!(server.stats().no_way_back, 6);
    }
}

#[test]
fn where_fingerprint_is_required_what_has_none_is_discarded() {
    let config = ServerConfig::default().with_fingerprint(FingerprintPolicy::Required);
    let mut server = BindingServer::new(config, Seed::new([7; 32]));
    assert_eq!(ask(&mut server, path(), &ByHand::binding().octets()).0, Handled::Consumed);
    assert_eq!(server.stats().bad_fingerprint, 1);
    let (_, answer) = ask(&mut server, path(), &ByHand::binding().with_fingerprint().octets());
    assert_eq!(Message::parse(&answer).unwrap().fingerprint(), Fingerprint::Ok);
}

#[test]
fn answers_to_one_source_are_limited_and_come_back() {
    let limit = RateLimit::default().with_rate(10, 20);
    let mut server =
        BindingServer::new(ServerConfig::default().with_rate_limit(Some(limit)), Seed::new([7; 32]));
    let mut answered = |now: u64, path: Path| {
        let mut buffer: Buffer = [0xEE; _];
        let mut packet = Packet::empty(&mut buffer);
        packet.append(&ByHand::binding().octets()).unwrap();
        let now = Instant::EPOCH + Duration::from_millis(now);
        server.handle_input(now, &mut Receive::new(path, packet)) != Handled::Consumed
    };
    let from = |port| Path { remote: ([192, 0, 2, 1], port).into(), ..path() };
    assert_eq!((1..=1_000).filter(|&port| answered(0, from(port))).count(), 20, "whatever the port");
    assert!(answered(0, Path { remote: "192.0.2.2:5000".parse().unwrap(), ..path() }));
    assert_eq!((0..1_000).filter(|&at| answered(at, from(5000))).count(), 9, "ten a second");
    assert!((0..100).all(|_| answered(1_000, Path { transport: Transport::Tcp, ..path() })));
    assert_eq!(server.stats().limited, 980 + 991);
}

/// A reflector's wish: many victims are named as the source. Each gets what its bucket gives, and nothing more.
#[test]
fn a_flood_with_false_sources_is_held_to_the_table() {
    let limit = RateLimit::default().with_rate(1, 1).with_buckets(64);
    let mut server =
        BindingServer::new(ServerConfig::default().with_rate_limit(Some(limit)), Seed::new([7; 32]));
    for n in 0..20_000_u32 {
        let path = Path { remote: (std::net::Ipv4Addr::from(n), 5000).into(), ..path() };
        let _ = ask(&mut server, path, &ByHand::binding().octets());
    }
    assert_eq!(server.stats().answered, 64);
}

#[test]
fn sec_9_texts_beyond_763_octets_are_a_bad_request_without_credentials_too() {
    for kind in [AttributeType::USERNAME, AttributeType::REALM, AttributeType::NONCE] {
        for (length, class) in [(763, Class::Success), (764, Class::Error)] {
            let octets = answer(&ByHand::binding().with(kind, &[b'x'; 764][..length]).octets());
            let answer = Message::parse(&octets).unwrap();
            assert_eq!(answer.class(), class);
            if class == Class::Error {
                assert_eq!(answer.get::<ErrorCode<'_>>().unwrap().unwrap(), ErrorCode::BAD_REQUEST);
            }
        }
    }
}
