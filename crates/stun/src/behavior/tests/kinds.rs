//! Each kind of NAT is told from the others.

use super::*;
use ginnel_netsim::Firewall;

/// Hairpinning, where nothing hides it. Silence is hidden by a filter that wants to know the mapping that hairpins come
/// from, and so are hairpins themselves where it wants the port of it, too.
fn expected_hairpinning(mapping: Mapping, filtering: Filtering, it: Hairpinning) -> Finding<Hairpinning> {
    let open = mapping == Mapping::EndpointIndependent || filtering == Filtering::EndpointIndependent;
    let passes = open || filtering == Filtering::AddressDependent;
    match it {
        Hairpinning::None if !open => Finding::Unknown(Unknown::HiddenByFiltering),
        Hairpinning::None => Finding::Known(it),
        _ if passes => Finding::Known(it),
        _ => Finding::Unknown(Unknown::HiddenByFiltering),
    }
}

#[test]
fn rfc5780_4_3_and_4_4_every_mapping_filtering_and_hairpinning_is_found() {
    for (mapping, expected_mapping) in MAPPINGS {
        for (filtering, expected_filtering) in FILTERINGS {
            for (hairpinning, expected) in HAIRPINNINGS {
                let verdict = behind(
                    |world| {
                        let nat = world.nat().with_mapping(mapping).with_filtering(filtering);
                        nat.with_hairpinning(hairpinning)
                    },
                    config(),
                );
                let what = std::format!("{mapping}, {filtering}, {hairpinning:?}: {verdict:?}");
                assert_eq!(verdict.is_translated(), Some(true), "{what}");
                assert_eq!(verdict.mapping, Finding::Known(expected_mapping), "{what}");
                assert_eq!(verdict.filtering, Finding::Known(expected_filtering), "{what}");
                let expected = expected_hairpinning(expected_mapping, expected_filtering, expected);
                assert_eq!(verdict.hairpinning, expected, "{what}");
                assert_eq!(verdict.alg, Finding::Known(Alg::None), "{what}");
                assert_eq!(verdict.fragments, Finding::Unknown(Unknown::NotAsked));
                assert_eq!(verdict.lifetime, Finding::Unknown(Unknown::NotAsked));
            }
        }
    }
}

/// As the kernel of Linux masquerades: endpoint-independent as long as the port is free towards the peer. What it has refused
/// from a peer counts as taken: it remembers that, too.
#[derive(Debug)]
struct Masquerade {
    first_choice: Nat,
    else_another: Nat,
    refused: std::collections::BTreeSet<(SocketAddr, SocketAddr)>,
}
impl netsim::Middlebox for Masquerade {
    fn outbound(&mut self, now: ginnel_core::Instant, datagram: &mut netsim::Datagram) -> netsim::Verdict {
        let mut same = datagram.clone();
        let verdict = self.first_choice.outbound(now, &mut same);
        if self.refused.contains(&(same.destination, same.source)) {
            return self.else_another.outbound(now, datagram);
        }
        *datagram = same;
        verdict
    }
    fn inbound(&mut self, now: ginnel_core::Instant, datagram: &mut netsim::Datagram) -> netsim::Verdict {
        let (peer, external) = (datagram.source, datagram.destination);
        for nat in [&mut self.first_choice, &mut self.else_another] {
            if nat.inbound(now, datagram) == netsim::Verdict::Pass {
                return netsim::Verdict::Pass;
            }
        }
        self.refused.insert((peer, external));
        netsim::Verdict::Drop
    }
    fn attracts(&self, ip: IpAddr, inside: bool) -> bool {
        self.first_choice.attracts(ip, inside)
    }
}

#[test]
fn a_nat_that_remembers_what_it_refused_is_not_taken_for_another_kind() {
    let mut world = World::new(1);
    let nat = |range| {
        let nat = Nat::new([EXTERNAL], Seed::new([1; 32])).with_ports(netsim::PortAssignment::Random);
        let nat = nat.with_port_range(range).with_kind(netsim::NatKind::PortRestricted);
        nat.with_hairpinning(netsim::Hairpinning::None)
    };
    let (first_choice, else_another) = (nat(20_000..=29_999), nat(30_000..=39_999));
    let refused = std::collections::BTreeSet::new();
    let home = world.behind(Masquerade { first_choice, else_another, refused });
    let node = world.discover_in(home, config());
    let verdict = world.verdict(node, secs(20));
    assert_eq!(verdict.mapping, Finding::Known(Mapping::EndpointIndependent));
    assert_eq!(verdict.filtering, Finding::Known(Filtering::AddressAndPortDependent));
    assert_eq!(verdict.hairpinning, Finding::Known(Hairpinning::None));
}

#[test]
fn ports_that_are_preserved_or_in_a_row_change_nothing() {
    for ports in [netsim::PortAssignment::Preserving, netsim::PortAssignment::Contiguous] {
        for (mapping, expected) in MAPPINGS {
            let verdict = behind(|world| world.nat().with_mapping(mapping).with_ports(ports), config());
            assert_eq!(verdict.mapping, Finding::Known(expected), "{ports:?}");
            assert_eq!(verdict.filtering, Finding::Known(Filtering::EndpointIndependent), "{ports:?}");
        }
    }
}

#[test]
fn a_pool_of_addresses_changes_nothing() {
    for pooling in [netsim::Pooling::Paired, netsim::Pooling::Arbitrary] {
        for (mapping, expected) in MAPPINGS {
            for (filtering, expected_filtering) in FILTERINGS {
                let mut world = World::new(3);
                let nat = Nat::new(["203.0.113.1", "203.0.113.2", "203.0.113.3"], world.sim.seed("nat"))
                    .with_mapping(mapping)
                    .with_filtering(filtering)
                    .with_pooling(pooling);
                let home = world.behind(nat);
                let node = world.discover_in(home, config());
                let verdict = world.verdict(node, secs(20));
                assert_eq!(verdict.mapping, Finding::Known(expected), "{pooling:?}");
                assert_eq!(verdict.filtering, Finding::Known(expected_filtering), "{pooling:?}, {mapping}");
                assert_ne!(verdict.hairpinning, Finding::Known(Hairpinning::None));
            }
        }
    }
}

#[test]
fn without_a_nat_the_address_is_ones_own_and_nothing_is_filtered() {
    let mut world = World::new(1);
    let node = world.discover_in(NetworkId::CORE, config());
    let verdict = world.verdict(node, secs(2));
    assert_eq!(verdict.is_translated(), Some(false));
    assert_eq!(verdict.mapped.known(), verdict.local);
    assert_eq!(verdict.mapping, Finding::Known(Mapping::EndpointIndependent));
    assert_eq!(verdict.filtering, Finding::Known(Filtering::EndpointIndependent));
    assert_eq!(verdict.hairpinning, Finding::Unknown(Unknown::NotTranslated));
}

#[test]
fn a_firewall_without_a_nat_is_seen_by_its_filtering() {
    for (filtering, expected) in FILTERINGS {
        let mut world = World::new(1);
        let office = world.behind(Firewall::new().with_filtering(filtering));
        let node = world.discover_in(office, config());
        let verdict = world.verdict(node, secs(20));
        assert_eq!((verdict.is_translated(), verdict.filtering), (Some(false), Finding::Known(expected)));
        assert_eq!(verdict.mapping, Finding::Known(Mapping::EndpointIndependent));
    }
}

#[test]
fn two_nats_in_a_row_are_as_one_with_the_worse_of_both() {
    for (outer_mapping, outer_worse) in MAPPINGS {
        for (inner_mapping, inner_worse) in MAPPINGS {
            for (outer_filtering, outer_narrow) in FILTERINGS {
                for (inner_filtering, inner_narrow) in FILTERINGS {
                    let mut world = World::new(1);
                    let outer = world.nat().with_mapping(outer_mapping).with_filtering(outer_filtering);
                    let inner = Nat::new(["100.64.0.7"], world.sim.seed("inner"))
                        .with_mapping(inner_mapping)
                        .with_filtering(inner_filtering);
                    let carrier = world.behind(outer);
                    let home = world.sim.network(carrier, inner);
                    let node = world.discover_in(home, config().with_hairpinning(false));
                    let verdict = world.verdict(node, secs(20));
                    let what =
                        std::format!("{outer_mapping}/{inner_mapping}, {outer_filtering}/{inner_filtering}");
                    assert_eq!(verdict.mapping, Finding::Known(outer_worse.max(inner_worse)), "{what}");
                    assert_eq!(verdict.filtering, Finding::Known(outer_narrow.max(inner_narrow)), "{what}");
                }
            }
        }
    }
}

#[test]
fn two_nats_in_a_row_hairpin_at_the_outer_one() {
    use Finding::Known;
    for (hairpinning, expected) in [
        (netsim::Hairpinning::None, Known(Hairpinning::None)),
        (netsim::Hairpinning::ExternalSource, Known(Hairpinning::ExternalSource)),
    ] {
        let mut world = World::new(1);
        let outer = world.nat().with_hairpinning(hairpinning).with_kind(netsim::NatKind::PortRestricted);
        let inner = Nat::new(["100.64.0.7"], world.sim.seed("inner"))
            .with_hairpinning(netsim::Hairpinning::None)
            .with_kind(netsim::NatKind::PortRestricted);
        let carrier = world.behind(outer);
        let home = world.sim.network(carrier, inner);
        let node = world.discover_in(home, config());
        assert_eq!(world.verdict(node, secs(20)).hairpinning, expected);
    }
}

#[test]
fn a_hairpin_from_between_two_nats_is_neither_internal_nor_external() {
    let mut world = World::new(1);
    let outer = world.nat().with_hairpinning(netsim::Hairpinning::InternalSource);
    let carrier = world.behind(outer);
    let inner = Nat::new(["100.64.0.7"], world.sim.seed("inner"));
    let home = world.sim.network(carrier, inner);
    let node = world.discover_in(home, config());
    assert_eq!(world.verdict(node, secs(20)).hairpinning, Finding::Unknown(Unknown::StrangeSource));
}

#[test]
fn nat66_is_found_as_nat44_is() {
    for (mapping, expected_mapping) in MAPPINGS {
        for (filtering, expected_filtering) in FILTERINGS {
            let mut world = World::with_server(1, Fault::None, ["2001:db8:5::1", "2001:db8:5::2"]);
            let nat = Nat::new(["2001:db8::1"], world.sim.seed("nat"))
                .with_mapping(mapping)
                .with_filtering(filtering);
            let home = world.behind(nat);
            let server = "[2001:db8:5::1]:3478".parse().unwrap();
            let node = world.discover_in(home, DiscoveryConfig::new(server, "fd00::2".parse().unwrap()));
            let verdict = world.verdict(node, secs(20));
            assert_eq!(verdict.mapping, Finding::Known(expected_mapping));
            assert_eq!(verdict.filtering, Finding::Known(expected_filtering));
        }
    }
}

#[test]
fn rfc5780_3_5_fragments_arrive_or_are_lost() {
    for (fragments, expected) in
        [(netsim::Fragments::Received, Fragments::Arrive), (netsim::Fragments::Dropped, Fragments::Lost)]
    {
        let verdict = behind(|world| world.nat().with_fragments(fragments), config().with_fragments(1500));
        assert_eq!(verdict.fragments, Finding::Known(expected));
    }
    let short =
        behind(|world| world.nat().with_fragments(netsim::Fragments::Dropped), config().with_fragments(1200));
    assert_eq!(short.fragments, Finding::Known(Fragments::Arrive), "no fragments are needed");
    let longest = behind(|world| world.nat(), config().with_fragments(u16::MAX));
    assert_eq!(longest.fragments, Finding::Known(Fragments::Arrive), "it counts as MAX_MTU");
}

#[test]
fn rfc5780_3_6_a_generic_alg_is_found() {
    let verdict = behind(|world| world.nat().with_generic_alg(), config());
    assert_eq!(verdict.alg, Finding::Known(Alg::Generic));
    assert_eq!(verdict.mapping, Finding::Known(Mapping::EndpointIndependent));
}
