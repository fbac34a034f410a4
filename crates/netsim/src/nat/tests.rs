//! Each behaviour of RFC 4787, on a NAT that is told datagrams by hand.

use std::collections::BTreeSet;

use ginnel_core::Ecn;

use super::*;
use crate::Firewall;

const X: &str = "192.168.0.2:5000";
const NEIGHBOUR: &str = "192.168.0.3:5000";
const EXTERNAL: &str = "203.0.113.1";
/// Two addresses with two ports each: the server of RFC 5780.
const PEERS: [&str; 4] = ["198.51.100.1:10", "198.51.100.1:20", "198.51.100.2:10", "198.51.100.2:20"];
const MAPPINGS: [Mapping; 3] =
    [Mapping::EndpointIndependent, Mapping::AddressDependent, Mapping::AddressAndPortDependent];
const FILTERINGS: [Filtering; 3] =
    [Filtering::EndpointIndependent, Filtering::AddressDependent, Filtering::AddressAndPortDependent];

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
fn at(seconds: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(seconds)
}
fn nat() -> Nat {
    Nat::new([EXTERNAL], Seed::new([4; 32])).with_ports(PortAssignment::Random)
}
fn datagram(from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Datagram {
    Datagram::new(from, to, Ecn::NotEct, bytes.to_vec())
}
/// Sends from inside: as whom it arrives outside, if it does.
fn out(nat: &mut impl Middlebox, now: Instant, from: &str, to: &str) -> Option<SocketAddr> {
    let mut datagram = datagram(addr(from), addr(to), b"x");
    (nat.outbound(now, &mut datagram) == Verdict::Pass).then_some(datagram.source)
}
/// Sends from outside: to whom it is led inside, if it is.
fn into(nat: &mut impl Middlebox, now: Instant, from: &str, to: SocketAddr) -> Option<SocketAddr> {
    let mut datagram = datagram(addr(from), to, b"x");
    (nat.inbound(now, &mut datagram) == Verdict::Pass).then_some(datagram.destination)
}

#[test]
fn rfc4787_4_1_mappings_depend_on_what_they_say() {
    for (mapping, endpoints) in MAPPINGS.into_iter().zip([1, 2, 4]) {
        let mut nat = nat().with_mapping(mapping);
        let seen: Vec<_> = PEERS.iter().map(|peer| out(&mut nat, at(0), X, peer).unwrap()).collect();
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), endpoints, "{mapping}: {seen:?}");
        assert_eq!(seen[0] == seen[1], mapping != Mapping::AddressAndPortDependent);
        let again: Vec<_> = PEERS.iter().map(|peer| out(&mut nat, at(1), X, peer).unwrap()).collect();
        assert_eq!(seen, again, "{mapping}");
        assert!(!seen.contains(&out(&mut nat, at(1), NEIGHBOUR, PEERS[0]).unwrap()));
        assert_eq!(nat.mappings.len(), endpoints + 1);
    }
}

#[test]
fn rfc4787_5_filters_let_in_whom_they_say() {
    // To the first of the four it was sent. Who may answer?
    let allowed = [[true, true, true, true], [true, true, false, false], [true, false, false, false]];
    for mapping in MAPPINGS {
        for (filtering, allowed) in FILTERINGS.into_iter().zip(allowed) {
            let mut nat = nat().with_mapping(mapping).with_filtering(filtering);
            let external = out(&mut nat, at(0), X, PEERS[0]).unwrap();
            for (peer, allowed) in PEERS.into_iter().zip(allowed) {
                let led = into(&mut nat, at(0), peer, external);
                assert_eq!(led, allowed.then_some(addr(X)), "{mapping}, {filtering}, {peer}");
            }
            let free = SocketAddr::new(external.ip(), external.port() ^ 1);
            assert_eq!(into(&mut nat, at(0), PEERS[0], free), None);
        }
    }
}

#[test]
fn rfc4787_5_a_filter_is_the_endpoints_and_not_the_mappings() {
    let mut nat = nat()
        .with_mapping(Mapping::AddressAndPortDependent)
        .with_filtering(Filtering::AddressAndPortDependent);
    let first = out(&mut nat, at(0), X, PEERS[0]).unwrap();
    out(&mut nat, at(0), X, PEERS[3]).unwrap();
    assert_eq!(into(&mut nat, at(0), PEERS[3], first), Some(addr(X)), "X has sent to it");
    assert_eq!(into(&mut nat, at(0), PEERS[2], first), None);
}

#[test]
fn rfc4787_4_2_ports_are_assigned_as_said() {
    let hosts = ["192.168.0.2:5001", "192.168.0.3:5001", "192.168.0.4:5001", "192.168.0.5:7000"];
    let ports = |nat: Nat| {
        let mut nat = nat;
        hosts.map(|host| out(&mut nat, at(0), host, PEERS[0]).unwrap().port())
    };
    let preserved = ports(nat().with_ports(PortAssignment::Preserving));
    assert_eq!((preserved[0], preserved[3]), (5001, 7000));
    let different: BTreeSet<_> = preserved.into_iter().collect();
    assert_eq!(different.len(), 4, "REQ-3: no port is overloaded: {preserved:?}");
    let [a, b, c, d] = ports(nat().with_ports(PortAssignment::Contiguous));
    assert_eq!([b, c, d], [a + 1, a + 2, a + 3]);
    let random = ports(nat());
    assert!(random.windows(2).any(|pair| pair[1] != pair[0] + 1), "{random:?}");
    for assignment in [PortAssignment::Preserving, PortAssignment::Contiguous, PortAssignment::Random] {
        let even = ports(nat().with_ports(assignment).with_parity()).map(|port| port % 2);
        assert_eq!(even, [1, 1, 1, 0], "REQ-4, {assignment:?}");
    }
    let low = out(&mut nat().with_ports(PortAssignment::Preserving), at(0), "192.168.0.2:53", PEERS[0]);
    assert_eq!(low, Some(addr("203.0.113.1:53")), "REQ-3a");
    for assignment in [PortAssignment::Preserving, PortAssignment::Contiguous, PortAssignment::Random] {
        let mut nat = nat().with_ports(assignment);
        for host in 2..20 {
            for (port, is_low) in [(53, true), (1_023, true), (1_024, false), (5_000, false)] {
                let external = out(&mut nat, at(0), &format!("192.168.0.{host}:{port}"), PEERS[0]).unwrap();
                assert_eq!(external.port() < 1_024, is_low, "REQ-3a, {assignment:?}: {external}");
                assert_ne!(external.port(), 0);
            }
        }
    }
}

#[test]
fn preserved_ports_are_of_the_range_too() {
    let mut nat = nat().with_ports(PortAssignment::Preserving).with_port_range(40_000..=40_001);
    let preserved = out(&mut nat, at(0), "192.168.0.2:40001", PEERS[0]).unwrap();
    assert_eq!(preserved.port(), 40_001);
    assert_eq!(out(&mut nat, at(0), "192.168.0.2:5000", PEERS[0]).unwrap().port(), 40_000);
    assert_eq!(out(&mut nat, at(0), "192.168.0.2:5001", PEERS[0]), None, "all are taken");
}

#[test]
fn ports_run_out_and_come_back() {
    let mut nat = nat().with_port_range(40_000..=40_001);
    let hosts = ["192.168.0.2:1", "192.168.0.3:1", "192.168.0.4:1"];
    let first = hosts.map(|host| out(&mut nat, at(0), host, PEERS[0]));
    assert!(first[0].is_some() && first[1].is_some() && first[2].is_none(), "{first:?}");
    assert!(out(&mut nat, at(299), hosts[0], PEERS[0]).is_some());
    assert_eq!(out(&mut nat, at(300), hosts[2], PEERS[0]), first[1], "what expired is free again");
    assert_eq!(out(&mut nat, at(300), hosts[1], PEERS[0]), None);
}

#[test]
fn mappings_and_filters_are_bounded() {
    let mut nat = nat().with_max_mappings(2).with_filtering(Filtering::AddressAndPortDependent);
    assert!(out(&mut nat, at(0), X, PEERS[0]).is_some());
    assert!(out(&mut nat, at(0), NEIGHBOUR, PEERS[0]).is_some());
    assert_eq!(out(&mut nat, at(0), "192.168.0.4:1", PEERS[0]), None, "a third mapping");
    assert_eq!(out(&mut nat, at(0), X, PEERS[1]), None, "a third filter");
    assert_eq!((nat.mappings.len(), nat.permits.len()), (2, 2));
    assert!(out(&mut nat, at(300), "192.168.0.4:1", PEERS[1]).is_some(), "the others have expired");
    assert_eq!((nat.mappings.len(), nat.permits.len()), (1, 1));

    let mut firewall = Firewall::new().with_max_flows(1);
    assert!(out(&mut firewall, at(0), X, PEERS[0]).is_some());
    assert_eq!(out(&mut firewall, at(0), X, PEERS[1]), None);
    assert!(out(&mut firewall, at(120), X, PEERS[1]).is_some());
}

#[test]
fn rfc4787_4_3_mappings_expire_and_are_refreshed_from_the_side_that_may() {
    // At each of these times something comes in, every 20 seconds, with an expiry of 30.
    for (refresh, heard) in [(Refresh::Outbound, 1), (Refresh::OutboundAndInbound, 4)] {
        for filtering in FILTERINGS {
            let mut nat = nat().with_filtering(filtering).with_expiry(Duration::from_secs(30), refresh);
            let external = out(&mut nat, at(0), X, PEERS[0]).unwrap();
            let came =
                [20, 40, 60, 80].into_iter().filter(|s| into(&mut nat, at(*s), PEERS[0], external).is_some());
            assert_eq!(came.count(), heard, "{refresh:?}, {filtering}");
        }
    }
    let mut nat = nat().with_expiry(Duration::from_secs(30), Refresh::Outbound);
    let first = out(&mut nat, at(0), X, PEERS[0]).unwrap();
    assert_eq!(out(&mut nat, at(29), X, PEERS[0]), Some(first), "REQ-6: outbound refreshes");
    assert_eq!(into(&mut nat, at(58), PEERS[0], first), Some(addr(X)));
    assert_eq!(into(&mut nat, at(59), PEERS[0], first), None);
    assert_ne!(out(&mut nat, at(59), X, PEERS[0]), Some(first), "a new mapping, another port");
}

#[test]
fn rfc4787_5_what_nobody_allows_refreshes_nothing() {
    let mut nat = nat()
        .with_filtering(Filtering::AddressDependent)
        .with_expiry(Duration::from_secs(30), Refresh::OutboundAndInbound);
    let external = out(&mut nat, at(0), X, PEERS[0]).unwrap();
    assert_eq!(into(&mut nat, at(20), PEERS[2], external), None);
    assert_eq!(into(&mut nat, at(30), PEERS[0], external), None);
}

#[test]
fn rfc4787_6_hairpinning_shows_the_source_that_it_says() {
    for (hairpinning, source) in [
        (Hairpinning::None, None),
        (Hairpinning::InternalSource, Some("inside")),
        (Hairpinning::ExternalSource, Some("outside")),
    ] {
        let mut nat = nat().with_hairpinning(hairpinning);
        let target = out(&mut nat, at(0), X, PEERS[0]).unwrap();
        let own = out(&mut nat, at(0), NEIGHBOUR, PEERS[0]).unwrap();
        let mut hairpin = datagram(addr(NEIGHBOUR), target, b"x");
        let verdict = nat.outbound(at(0), &mut hairpin);
        let expected = match source {
            None => (Verdict::Drop, hairpin.source, hairpin.destination),
            Some("inside") => (Verdict::Return, addr(NEIGHBOUR), addr(X)),
            Some(_) => (Verdict::Return, own, addr(X)),
        };
        assert_eq!((verdict, hairpin.source, hairpin.destination), expected, "{hairpinning:?}");
    }
}

#[test]
fn a_hairpin_passes_the_filter_of_its_receiver() {
    for hairpinning in [Hairpinning::InternalSource, Hairpinning::ExternalSource] {
        let mut nat = nat().with_hairpinning(hairpinning).with_filtering(Filtering::AddressAndPortDependent);
        let target = out(&mut nat, at(0), X, PEERS[0]).unwrap();
        let own = out(&mut nat, at(0), NEIGHBOUR, PEERS[0]).unwrap();
        let mut verdict = |from: &str, to| nat.outbound(at(0), &mut datagram(addr(from), to, b"x"));
        assert_eq!(verdict(NEIGHBOUR, target), Verdict::Drop, "X has not sent to it yet");
        assert_eq!(verdict(X, own), Verdict::Return, "the neighbour has");
        assert_eq!(verdict(NEIGHBOUR, target), Verdict::Return);
    }
}

#[test]
fn rfc4787_4_1_pools_are_paired_or_arbitrary() {
    let pool = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];
    for (pooling, addresses) in [(Pooling::Paired, 1..=1), (Pooling::Arbitrary, 2..=3)] {
        let mut nat = Nat::new(pool, Seed::new([5; 32])).with_pooling(pooling);
        let seen: BTreeSet<_> = (1..=20)
            .map(|port| out(&mut nat, at(0), &format!("192.168.0.2:{port}"), PEERS[0]).unwrap().ip())
            .collect();
        assert!(addresses.contains(&seen.len()), "{pooling:?}: {seen:?}");
        assert!(pool.iter().all(|ip| nat.attracts(ip.parse().unwrap(), false)));
        let hosts: BTreeSet<_> = (1..=50)
            .map(|host| out(&mut nat, at(0), &format!("192.168.0.{host}:99"), PEERS[0]).unwrap().ip())
            .collect();
        assert_eq!(hosts.len(), 3, "{pooling:?}: all addresses are used");
    }
}

#[test]
fn nat66_is_the_same_and_other_families_do_not_pass() {
    let mut nat = Nat::new(["2001:db8::1"], Seed::new([4; 32])).with_filtering(Filtering::AddressDependent);
    let external = out(&mut nat, at(0), "[fd00::2]:5000", "[2001:db8:5::1]:10").unwrap();
    assert_eq!(external, addr("[2001:db8::1]:5000"));
    assert_eq!(into(&mut nat, at(0), "[2001:db8:5::1]:20", external), Some(addr("[fd00::2]:5000")));
    assert_eq!(into(&mut nat, at(0), "[2001:db8:5::2]:10", external), None);
    assert_eq!(out(&mut nat, at(0), X, PEERS[0]), None);
    let mut dual = Nat::new([EXTERNAL, "2001:db8::1"], Seed::new([4; 32]));
    assert!(out(&mut dual, at(0), X, PEERS[0]).unwrap().is_ipv4());
    assert!(out(&mut dual, at(0), "[fd00::2]:5000", "[2001:db8:5::1]:10").unwrap().is_ipv6());
}

#[test]
fn rfc4787_11_fragments_pass_or_do_not() {
    for (fragments, longest) in [(Fragments::Received, 3_000), (Fragments::Dropped, 1_472)] {
        let mut nat = nat().with_fragments(fragments);
        let external = out(&mut nat, at(0), X, PEERS[0]).unwrap();
        for len in [1_472, 1_473, 3_000] {
            let mut there = datagram(addr(X), addr(PEERS[0]), &vec![0; len]);
            let mut back = datagram(addr(PEERS[0]), external, &vec![0; len]);
            let passed = [nat.outbound(at(0), &mut there), nat.inbound(at(0), &mut back)];
            assert_eq!(passed.map(|it| it == Verdict::Pass), [len <= longest; 2], "{fragments:?}, {len}");
        }
    }
}

#[test]
fn rfc4787_7_a_generic_alg_translates_what_looks_like_the_endpoint() {
    for (alg, translated) in [(false, false), (true, true)] {
        let mut nat = if alg { nat().with_generic_alg() } else { nat() };
        let external = out(&mut nat, at(0), X, PEERS[0]).unwrap();
        let (own, theirs) = (endpoint_octets(addr(X)), endpoint_octets(external));
        let wrap = |octets: &[u8]| [&b"ab"[..], octets, b"c", octets].concat();
        let mut back = datagram(addr(PEERS[0]), external, &wrap(&theirs));
        let mut there = datagram(addr(X), addr(PEERS[0]), &wrap(&own));
        let _ = (nat.inbound(at(0), &mut back), nat.outbound(at(0), &mut there));
        assert_eq!((back.bytes == wrap(&own), there.bytes == wrap(&theirs)), (translated, translated));
    }
}

#[test]
fn a_firewall_lets_in_what_was_asked_for_and_translates_nothing() {
    let inside = "192.0.2.1:5000";
    let allowed = [[true, true, true, true], [true, true, false, false], [true, false, false, false]];
    for (filtering, allowed) in FILTERINGS.into_iter().zip(allowed) {
        let mut firewall = Firewall::new()
            .with_filtering(filtering)
            .with_expiry(Duration::from_secs(30), Refresh::OutboundAndInbound);
        assert_eq!(into(&mut firewall, at(0), PEERS[0], addr(inside)), None);
        assert_eq!(out(&mut firewall, at(0), inside, PEERS[0]), Some(addr(inside)));
        for (peer, allowed) in PEERS.into_iter().zip(allowed) {
            assert_eq!(into(&mut firewall, at(20), peer, addr(inside)).is_some(), allowed, "{filtering}");
        }
        assert!(into(&mut firewall, at(40), PEERS[0], addr(inside)).is_some());
        assert!(into(&mut firewall, at(70), PEERS[0], addr(inside)).is_none());
        assert!(firewall.attracts(addr(inside).ip(), true) && !firewall.attracts(addr(inside).ip(), false));
    }
    let mut blocked = Firewall::blocking_udp();
    assert_eq!(out(&mut blocked, at(0), inside, PEERS[0]), None);
    assert_eq!(into(&mut blocked, at(0), PEERS[0], addr(inside)), None);
}

#[test]
fn each_family_can_have_a_box_of_its_own() {
    let mut home = crate::PerFamily::new(nat(), Firewall::new());
    assert_eq!(out(&mut home, at(0), X, PEERS[0]).unwrap().ip().to_string(), EXTERNAL);
    let (host, peer) = ("[2001:db8::2]:5000", "[2001:db8:5::1]:10");
    assert_eq!(out(&mut home, at(0), host, peer), Some(addr(host)));
    assert_eq!(into(&mut home, at(0), peer, addr(host)), Some(addr(host)));
    assert!(home.attracts(EXTERNAL.parse().unwrap(), false) && home.attracts(addr(host).ip(), true));
}

#[test]
fn the_same_seed_gives_the_same_ports() {
    let run = |seed: u8| {
        let mut nat = Nat::new([EXTERNAL], Seed::new([seed; 32])).with_ports(PortAssignment::Random);
        (1..50).map(|port| out(&mut nat, at(0), &format!("192.168.0.2:{port}"), PEERS[0])).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn kinds_have_the_names_that_people_give_them() {
    let table = [
        ("full", Mapping::EndpointIndependent, Filtering::EndpointIndependent),
        ("address", Mapping::EndpointIndependent, Filtering::AddressDependent),
        ("port", Mapping::EndpointIndependent, Filtering::AddressAndPortDependent),
        ("symmetric", Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent),
    ];
    for (kind, (name, mapping, filtering)) in NatKind::ALL.into_iter().zip(table) {
        assert_eq!((name.parse(), kind.to_string().as_str()), (Ok(kind), name));
        let nat = nat().with_kind(kind);
        assert_eq!((nat.mapping, nat.filtering), (mapping, filtering));
    }
    assert_eq!("cone".parse::<NatKind>(), Err(UnknownKind));
}
