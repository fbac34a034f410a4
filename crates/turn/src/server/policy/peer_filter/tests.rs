use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
fn range(text: &str) -> PeerRange {
    text.parse().unwrap()
}
#[track_caller]
fn all_denied(filter: &PeerFilter, ips: &[&str]) {
    for &text in ips {
        assert!(matches!(filter.address(ip(text)), PeerVerdict::Denied(_)), "{text}");
    }
}
#[track_caller]
fn all_allowed(filter: &PeerFilter, ips: &[&str]) {
    for &text in ips {
        assert_eq!(filter.address(ip(text)), PeerVerdict::Allowed, "{text}");
    }
}

#[test]
fn sec_26_this_host_is_no_peer() {
    let this_host = ["127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "::1", "::"];
    all_denied(&PeerFilter::default(), &this_host);
}

#[test]
fn sec_27_ipv4_inside_ipv6_is_unwrapped() {
    let loopback = [
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "2002:7f00:1::",
        "2002:7f00:1:ffff::8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2001:0:102:304::f5ff:fffe",
        "2001:0:7f00:1::1",
        "2001:db8::5efe:127.0.0.1",
        "2001:db8::200:5efe:7f00:1",
    ];
    all_denied(&PeerFilter::default(), &loopback);
    // What is private is as private in every disguise.
    let metadata = ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "2002:a00:1::"];
    all_denied(&PeerFilter::default(), &metadata);
    // A disguise alone is no harm where the address beneath it is on the internet.
    all_allowed(&PeerFilter::default(), &["64:ff9b::808:808", "2001:db8::5efe:808:808"]);
    // But for tunnels that nobody vouches for (RFC 8656 section 21.4).
    all_denied(&PeerFilter::default(), &["2002:808:808::1", "2001:0:808:808::f7f7:f7f7"]);
}

#[test]
fn sec_27_allowing_a_disguise_does_not_allow_what_is_beneath() {
    let filter = PeerFilter::default().with_allowed(range("::/0"));
    all_denied(&filter, &["::ffff:127.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1:7f00:0:100::"]);
    all_denied(&filter, &["2001:0:7f00:1::1", "2001:0:808:808::80ff:fffe"]);
    all_allowed(&filter, &["fd00::1", "64:ff9b::808:808"]);
    let filter = filter.with_allowed(range("0.0.0.0/0"));
    all_allowed(&filter, &["::ffff:127.0.0.1", "64:ff9b::7f00:1", "127.0.0.1"]);
    // And what is denied beneath is denied above.
    let filter = filter.with_denied(range("127.0.0.0/8"));
    all_denied(&filter, &["::ffff:127.0.0.1", "64:ff9b::7f00:1", "127.0.0.1"]);
}

#[test]
fn sec_28_networks_of_the_host_are_no_peers() {
    let filter = PeerFilter::default();
    all_denied(
        &filter,
        &["169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"],
    );
    all_denied(&filter, &["fe80::1", "febf::1", "fc00::1", "fdff::1", "fec0::1", "feff::1"]);
    // Whatever is nearest of a kind: port control, TURN, AMT, AS112.
    all_denied(
        &filter,
        &["192.0.0.9", "2001:1::1", "2001:1::2", "2001:3::1", "2001:4:112::1", "2001:1ff:ffff::"],
    );
    all_denied(&filter, &["100::1", "100:0:0:1::1"]);
    all_denied(&filter, &["224.0.0.1", "239.255.255.250", "ff02::1", "255.255.255.255", "240.0.0.1"]);
    all_denied(&filter, &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1"]);
    // Their neighbours are hosts like any other.
    all_allowed(&filter, &["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255"]);
    all_allowed(
        &filter,
        &["100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255"],
    );
    all_allowed(
        &filter,
        &["2001:db8::1", "2606:4700::1", "fbff::1", "2001:200::1", "192.0.2.1", "198.51.100.1", "1.0.0.0"],
    );
}

#[test]
fn sec_28_of_the_servers_own_addresses_only_live_relays_are_peers() {
    let filter =
        PeerFilter::default().with_own_address(ip("198.51.100.1")).with_own_address(ip("2001:db8::1"));
    let relay: SocketAddr = "198.51.100.1:50000".parse().unwrap();
    let live = |peer| peer == relay;
    assert_eq!(filter.address(relay.ip()), PeerVerdict::RelaysOnly);
    assert_eq!(filter.peer(relay, live), Ok(()));
    for port in [1, 22, 80, 3478, 49_999, 50_001, 65_535] {
        assert_eq!(filter.peer(SocketAddr::new(relay.ip(), port), live), Err(Denial::Own), "{port}");
        assert_eq!(filter.peer(SocketAddr::new(ip("2001:db8::1"), port), live), Err(Denial::Own), "{port}");
    }
    // Nobody asks whether a stranger's port is a relay.
    assert_eq!(filter.peer("192.0.2.1:22".parse().unwrap(), |_| unreachable!()), Ok(()));
    // Another way of writing it leads there too.
    assert_eq!(filter.peer("[64:ff9b::c633:6401]:22".parse().unwrap(), live), Err(Denial::Own));
    assert!(filter.peer("[::ffff:198.51.100.1]:50000".parse().unwrap(), live).is_err());
    // A private address of its own stays private.
    let inside = PeerFilter::default().with_own_address(ip("10.0.0.1"));
    all_denied(&inside, &["10.0.0.1"]);
}

#[test]
fn sec_28_what_is_private_is_allowed_by_configuration() {
    let filter = PeerFilter::default().with_allowed(range("10.0.0.0/8")).with_own_address(ip("10.0.0.1"));
    all_allowed(&filter, &["10.0.0.1", "10.255.255.255"]);
    all_denied(&filter, &["192.168.0.1", "100.64.0.1", "172.16.0.1", "127.0.0.1"]);
}

#[test]
fn sec_29_ranges_compare_addresses_and_not_texts() {
    let filter = PeerFilter::default().with_denied(range("2001:db8::1-2001:db8:1::0"));
    all_denied(&filter, &["2001:db8::1", "2001:db8::2", "2001:db8::f000:0:0:1", "2001:db8:0:ffff::"]);
    all_denied(&filter, &["2001:db8:1::", "2001:db8:0:9::", "2001:db8:0:10::"]);
    all_allowed(&filter, &["2001:db8::", "2001:db8:1::1", "2001:db7:ffff::1", "2001:db8:9::"]);
    let filter = PeerFilter::default().with_denied(range("192.0.2.9-192.0.2.100"));
    all_denied(&filter, &["192.0.2.9", "192.0.2.10", "192.0.2.99", "192.0.2.100", "::ffff:192.0.2.10"]);
    all_allowed(&filter, &["192.0.2.8", "192.0.2.101", "192.0.2.200"]);
}

#[test]
fn denied_wins_over_allowed_whichever_came_first() {
    let (allowed, denied) = (range("10.0.0.0/8"), range("10.1.0.0/16"));
    let one = PeerFilter::default().with_allowed(allowed).with_denied(denied);
    assert_eq!(one, PeerFilter::default().with_denied(denied).with_allowed(allowed));
    assert_eq!(one.address(ip("10.1.2.3")), PeerVerdict::Denied(Denial::Configured));
    assert_eq!(one.address(ip("10.2.0.0")), PeerVerdict::Allowed);
}

#[test]
fn nothing_is_sent_to_port_0() {
    let filter = PeerFilter::default().with_allowed(range("0.0.0.0/0"));
    assert_eq!(filter.peer("192.0.2.1:0".parse().unwrap(), |_| true), Err(Denial::PortZero));
}

#[test]
fn ranges_are_written_in_three_ways() {
    for (text, first, last) in [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.0/24", "192.0.2.0", "192.0.2.255"),
        ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
        ("192.0.2.7/32", "192.0.2.7", "192.0.2.7"),
        ("2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("::1/128", "::1", "::1"),
        ("192.0.2.1 - 192.0.2.9", "192.0.2.1", "192.0.2.9"),
        ("::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255"),
    ] {
        let range = range(text);
        assert_eq!((range.first(), range.last()), (ip(first), ip(last)), "{text}");
        assert_eq!(range, range.to_string().parse().unwrap());
    }
}

#[test]
fn what_is_no_range_says_why() {
    use PeerRangeError as E;
    for (text, why) in [
        ("", E::Address),
        ("localhost", E::Address),
        ("192.0.2.256", E::Address),
        ("192.0.2.0/", E::PrefixLength),
        ("192.0.2.0/33", E::PrefixLength),
        ("192.0.2.0/+8", E::PrefixLength),
        ("192.0.2.0/256", E::PrefixLength),
        ("::/129", E::PrefixLength),
        ("192.0.2.1/24", E::BitsBehindPrefix),
        ("2001:db8::1/64", E::BitsBehindPrefix),
        ("192.0.2.9-192.0.2.1", E::Order),
        ("192.0.2.9-2001:db8::", E::Families),
        ("192.0.2.9-", E::Address),
    ] {
        assert_eq!(text.parse::<PeerRange>(), Err(why), "{text}");
    }
}

#[test]
fn each_special_prefix_reaches_from_its_first_to_its_last_address() {
    for (first, length, kind) in special::IPV4 {
        let last = first.to_bits() | u32::MAX.checked_shr(length).unwrap_or(0);
        assert_eq!(special::kind(IpAddr::V4(first)), Some(kind));
        assert_eq!(special::kind(IpAddr::V4(Ipv4Addr::from_bits(last))), Some(kind));
    }
    for (first, length, kind) in special::IPV6 {
        let last = first.to_bits() | u128::MAX >> length;
        // One that says more may begin where it begins.
        assert!(special::kind(IpAddr::V6(first)).is_some(), "{kind}");
        assert_eq!(special::kind(IpAddr::V6(Ipv6Addr::from_bits(last))), Some(kind));
    }
}

fn any_range() -> impl Strategy<Value = PeerRange> {
    let v4 = (any::<u8>(), any::<u8>()).prop_map(|(a, b)| {
        let ip = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        PeerRange::new(ip(a.min(b)), ip(a.max(b))).unwrap()
    });
    let v6 = (any::<u8>(), any::<u8>()).prop_map(|(a, b)| {
        let ip = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, u16::from(last)));
        PeerRange::new(ip(a.min(b)), ip(a.max(b))).unwrap()
    });
    prop_oneof![v4, v6]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_set_of_ranges_holds_what_one_of_them_holds(ranges in prop::collection::vec(any_range(), 0..12)) {
        let mut set = Ranges::default();
        for &range in &ranges {
            set.insert(range);
        }
        for last in 0..=255 {
            let ips = [
                IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, u16::from(last))),
            ];
            for ip in ips {
                prop_assert_eq!(set.contains(ip), ranges.iter().any(|range| range.contains(ip)), "{}", ip);
            }
        }
    }

    #[test]
    fn an_embedded_address_is_denied_wherever_it_is_denied_by_itself(bits: u32, special in any::<bool>()) {
        // Half of them special addresses, which chance alone would seldom give.
        let bits = if special { bits & 0x00FF_FFFF | 0x7F00_0000 } else { bits };
        let inner = Ipv4Addr::from_bits(bits);
        let [a, b] = [(bits >> 16) as u16, bits as u16];
        let filter = PeerFilter::default();
        let plain = filter.address(IpAddr::V4(inner));
        for outer in [
            Ipv6Addr::new(0x64, 0xFF9B, 0, 0, 0, 0, a, b),
            Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0x5EFE, a, b),
            Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0x200, 0x5EFE, a, b),
        ] {
            let verdict = filter.address(IpAddr::V6(outer));
            prop_assert_eq!(matches!(verdict, PeerVerdict::Denied(_)), matches!(plain, PeerVerdict::Denied(_)));
        }
        for outer in [
            inner.to_ipv6_mapped(),
            inner.to_ipv6_compatible(),
            Ipv6Addr::new(0, 0, 0, 0, 0xFFFF, 0, a, b),
            Ipv6Addr::new(0x2002, a, b, 7, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, a, b, 0, 0, 1, 1),
            Ipv6Addr::new(0x2001, 0, 1, 1, 0, 0, !a, !b),
        ] {
            prop_assert!(matches!(filter.address(IpAddr::V6(outer)), PeerVerdict::Denied(_)));
        }
    }
}
