//! What strangers get: as much as the preamble of `SECURITY.md` allows, and as often as the rate limit does.

use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    DiscoveryAddresses, DiscoverySupport, FingerprintPolicy,
    auth::{AnnouncedAlgorithms, AuthConfig, MadeNonce, RateLimit},
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
    (any::<std::net::IpAddr>(), 1u16..).prop_map(Into::into)
}
fn ratio(config: ServerConfig, path: Path, octets: &[u8]) -> Option<f64> {
    let mut server = BindingServer::new(config, Seed::new([7; 32]));
    match ask(&mut server, path, octets) {
        (Handled::Send(_), answer) => Some(answer.len() as f64 / octets.len() as f64),
        _ => None,
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
        if let Some(ratio) = ratio(config, path, &request(&attributes, fingerprint)) {
            prop_assert!(ratio <= 3.0, "{}", ratio);
        }
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
        if let Some(ratio) = ratio(config, path, &request(&attributes, fingerprint)) {
            prop_assert!(ratio <= 6.0, "{}", ratio);
        }
    }

    #[test]
    fn sec_18_a_challenge_is_at_most_48_octets_and_its_realm_and_nonce(
        attributes in attributes(), fingerprint: bool, remote in remote(), realm in "[a-z.]{1,128}",
        announced: bool,
    ) {
        let algorithms = if announced { AnnouncedAlgorithms::Sha256 } else { AnnouncedAlgorithms::None };
        let auth = AuthConfig::long_term(&realm).unwrap().with_algorithms(algorithms);
        let config = ServerConfig::default().with_credentials(Some(auth));
        let mut server = BindingServer::new(config, Seed::new([7; 32]));
        let octets = request(&attributes, fingerprint);
        if let (Handled::Send(_), answer) = ask(&mut server, Path { remote, ..path() }, &octets) {
            prop_assert!(answer.len() <= 48 + realm.len() + MadeNonce::LEN, "{}", answer.len());
        }
    }
}

#[test]
fn the_largest_ratios_are_those_that_are_written_down() {
    let ipv6 = Path::udp("[2001:db8::1]:3478".parse().unwrap(), "[2001:db8::9]:5000".parse().unwrap());
    let bare = ByHand::binding().octets();
    assert_eq!(ratio(ServerConfig::default(), ipv6, &bare), Some(44.0 / 20.0));
    let addresses = DiscoveryAddresses::new(ipv6.local, "[2001:db8::2]:3479".parse().unwrap()).unwrap();
    let config = ServerConfig::default().with_discovery(DiscoverySupport::TwoAddresses(addresses));
    assert_eq!(ratio(config, ipv6, &bare), Some(116.0 / 20.0));
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
    assert_eq!((0..1_000).filter(|&port| answered(0, from(port))).count(), 20, "whatever the port");
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
