//! What cannot be known is said, with its reason.

use super::*;
use ginnel_core::{Instant, Path};
use ginnel_netsim::{Firewall, NatKind};

/// Behind a port-restricted cone, before a server with a fault.
fn before(fault: Fault, config: DiscoveryConfig) -> Verdict {
    let mut world = World::with_fault(fault);
    let nat = world.nat().with_kind(NatKind::PortRestricted);
    let home = world.behind(nat);
    let node = world.discover_in(home, config);
    world.verdict(node, secs(30))
}

#[test]
fn rfc5780_4_2_blocked_udp_and_a_dead_server_are_not_told_apart() {
    let mut world = World::new(1);
    let bank = world.behind(Firewall::blocking_udp());
    let node = world.discover_in(bank, config());
    let blocked = world.verdict(node, secs(10));
    let mut world = World::new(1);
    let home = world.behind(netsim::Open);
    world.sim.kill(world.server);
    let node = world.discover_in(home, config());
    let dead = world.verdict(node, secs(10));
    let why = Unknown::NoAnswer;
    for verdict in [blocked, dead] {
        assert_eq!((verdict.mapped, verdict.mapping), (Finding::Unknown(why), Finding::Unknown(why)));
        assert_eq!((verdict.filtering, verdict.lifetime), (Finding::Unknown(why), Finding::Unknown(why)));
        assert_eq!(verdict.is_translated(), None);
        assert!(verdict.local.is_some());
    }
}

#[test]
fn what_icmp_says_is_the_reason_where_nothing_answers() {
    let mut world = World::new(1);
    world.sim.kill(world.server);
    let node = world.discover_in(NetworkId::CORE, config());
    world.sim.run_for(ms(200));
    let local = world.sim.get(node).get().verdict().local.unwrap();
    let unreachable = Notice::Unreachable {
        path: Path::udp(local, server_address()),
        error: ginnel_core::IcmpError::v4(3, 3, 0),
    };
    world.sim.with(node, |it, now| ginnel_core::Machine::handle_notice(it, now, unreachable));
    assert_eq!(world.verdict(node, secs(10)).mapping, Finding::Unknown(Unknown::Unreachable));
    // Anybody can forge it: where something answers it changes nothing.
    let mut world = World::new(1);
    world.sim.set_default_link(NetworkId::CORE, Link::new(ms(300)));
    let node = world.discover_in(NetworkId::CORE, config());
    world.sim.run_for(ms(200));
    let path = Path::udp(world.sim.get(node).get().verdict().local.unwrap(), server_address());
    let unreachable = Notice::Unreachable { path, error: ginnel_core::IcmpError::v4(3, 3, 0) };
    world.sim.with(node, |it, now| ginnel_core::Machine::handle_notice(it, now, unreachable));
    assert_eq!(world.verdict(node, secs(10)).mapping, Finding::Known(Mapping::EndpointIndependent));
}

#[test]
fn rfc5780_4_3_a_server_without_other_address_tells_only_the_mapped_one() {
    let verdict = before(Fault::OneAddress, config());
    assert_eq!(verdict.is_translated(), Some(true));
    assert_eq!(verdict.mapping, Finding::Unknown(Unknown::NoOtherAddress));
    assert_eq!(verdict.filtering, Finding::Unknown(Unknown::NoOtherAddress));
    assert_eq!(verdict.hairpinning, Finding::Known(Hairpinning::ExternalSource), "that needs no second one");
    let mut world = World::with_fault(Fault::OneAddress);
    let node = world.discover_in(NetworkId::CORE, config());
    let open = world.verdict(node, secs(10));
    assert_eq!(open.mapping, Finding::Known(Mapping::EndpointIndependent), "there is no NAT");
    assert_eq!(open.filtering, Finding::Unknown(Unknown::NoOtherAddress));
}

#[test]
fn an_other_address_that_leads_nowhere_is_not_asked() {
    for other in [
        "198.51.100.1:3479", // the same address
        "198.51.100.2:3478", // the same port
        "198.51.100.2:0",
        "0.0.0.0:3479",
        "127.0.0.1:3479",
        "198.51.100.2:0",
        "224.0.0.1:3479",
        "255.255.255.255:3479",
        "[2001:db8::1]:3479",
        "192.168.0.2:3479", // ourselves
        "203.0.113.1:3479", // as we are seen
    ] {
        let other = other.parse().unwrap();
        let mut world = World::with_fault(Fault::OtherIs(other));
        world.sim.record(10_000);
        let nat = world.nat();
        let home = world.behind(nat);
        let node = world.discover_in(home, config());
        let verdict = world.verdict(node, secs(30));
        assert_eq!(verdict.mapping, Finding::Unknown(Unknown::BadOtherAddress), "{other}");
        assert_eq!(verdict.filtering, Finding::Unknown(Unknown::BadOtherAddress), "{other}");
        let asked = world.sim.log().filter(|entry| entry.fate == netsim::Fate::Sent);
        let asked: Vec<_> = asked.map(|entry| entry.destination).collect();
        assert!(asked.len() > 2 && !asked.contains(&other), "{other}");
    }
}

#[test]
fn a_server_whose_second_address_is_down_is_not_taken_for_a_filter() {
    let verdict = before(Fault::SecondAddressDown, config());
    assert_eq!(verdict.mapping, Finding::Unknown(Unknown::OtherAddressSilent));
    assert_eq!(verdict.filtering, Finding::Unknown(Unknown::OtherAddressSilent));
}

#[test]
fn a_server_that_does_not_change_its_address_is_not_taken_for_a_filter() {
    for (fault, why) in [
        (Fault::IgnoresChange, Unknown::ChangeRequestIgnored),
        (Fault::DeafToChange, Unknown::ChangeRequestUnanswered),
    ] {
        let verdict = before(fault, config());
        assert_eq!(verdict.mapping, Finding::Known(Mapping::EndpointIndependent));
        assert_eq!(verdict.filtering, Finding::Unknown(why), "{fault:?}");
    }
}

#[test]
fn a_server_that_is_deaf_to_change_request_is_not_taken_for_a_filter_of_any_nat() {
    for (mapping, expected) in MAPPINGS {
        for (filtering, _) in FILTERINGS {
            for fault in [Fault::DeafToChange, Fault::IgnoresChange] {
                let mut world = World::with_fault(fault);
                let nat = world.nat().with_mapping(mapping).with_filtering(filtering);
                let home = world.behind(nat);
                let node = world.discover_in(home, config());
                let verdict = world.verdict(node, secs(40));
                assert_eq!(verdict.mapping, Finding::Known(expected));
                assert_eq!(verdict.filtering.known(), None, "{fault:?}, {mapping}, {filtering}: {verdict:?}");
            }
        }
    }
}

#[test]
fn a_path_from_the_second_address_that_loses_more_is_not_taken_for_a_filter() {
    let mut known = 0;
    for seed in 0..40 {
        for (mapping, _) in MAPPINGS {
            let mut world = World::with_server(seed, Fault::LosesElsewhere, [A1, A2]);
            let nat = world.nat().with_mapping(mapping);
            let home = world.behind(nat);
            let node = world.discover_in(home, config());
            let filtering = world.verdict(node, secs(120)).filtering;
            assert!(filtering.known().is_none_or(|it| it == Filtering::EndpointIndependent), "seed {seed}");
            known += u32::from(filtering.known().is_some());
        }
    }
    assert!((1..120).contains(&known), "both happen: {known}");
}

#[test]
fn a_mapped_address_that_leads_nowhere_is_not_asked() {
    for seen in [
        "203.0.113.1:0",
        "0.0.0.0:5000",
        "127.0.0.1:5000",
        "224.0.0.1:5353",
        "255.255.255.255:9",
        "203.0.113.1:22",
        "[2001:db8::1]:5000",
    ] {
        let seen = seen.parse().unwrap();
        let mut world = World::with_fault(Fault::Sees(seen));
        world.sim.record(10_000);
        let nat = world.nat();
        let home = world.behind(nat);
        let node = world.discover_in(home, config());
        let verdict = world.verdict(node, secs(30));
        assert_eq!(verdict.mapped, Finding::Known(seen));
        assert_eq!(verdict.hairpinning, Finding::Unknown(Unknown::BadMappedAddress), "{seen}");
        let asked: Vec<_> = world.sim.log().map(|entry| entry.destination).collect();
        assert!(asked.len() > 2 && !asked.contains(&seen), "{seen}");
    }
}

#[test]
fn few_packets_go_to_an_address_that_the_server_alone_has_named() {
    let victim: IpAddr = "192.0.2.66".parse().unwrap();
    let to_victim = |fault| {
        let mut world = World::with_fault(fault);
        let host = world.sim.host([victim]);
        world.sim.record(100_000);
        let nat = world.nat().with_kind(NatKind::PortRestricted);
        let home = world.behind(nat);
        let node = world.discover_in(home, config().with_lifetime(LifetimeSearch::default()));
        world.verdict(node, secs(3_600));
        let _ = host;
        let sent =
            |entry: &&netsim::Entry| entry.fate == netsim::Fate::Sent && entry.destination.ip() == victim;
        world.sim.log().filter(sent).count()
    };
    // Two addresses of the second one, each as often as something is tried that should answer.
    assert_eq!(to_victim(Fault::OtherIs(SocketAddr::new(victim, 3479))), 24);
    // The hairpins of both sockets, without loss.
    assert_eq!(to_victim(Fault::Sees(SocketAddr::new(victim, 5000))), 20);
}

#[test]
fn rfc5780_5_optional_attributes_may_be_refused_with_420() {
    let lifetime = LifetimeSearch::default();
    let verdict = before(Fault::FewAttributes, config().with_fragments(1500).with_lifetime(lifetime));
    assert_eq!(verdict.fragments, Finding::Unknown(Unknown::Refused(420)));
    assert_eq!(verdict.lifetime, Finding::Unknown(Unknown::Refused(420)));
    assert_eq!(verdict.filtering, Finding::Known(Filtering::AddressAndPortDependent));
    for (fault, why) in [
        (Fault::IgnoresResponsePort, Unknown::ResponsePortIgnored),
        (Fault::DeafToResponsePort, Unknown::ResponsePortUnanswered),
    ] {
        assert_eq!(before(fault, config().with_lifetime(lifetime)).lifetime, Finding::Unknown(why));
    }
    let terse = before(Fault::Terse, config().with_fragments(1500));
    assert_eq!(terse.alg, Finding::Unknown(Unknown::NoPlainAddress));
    assert_eq!(terse.fragments, Finding::Unknown(Unknown::PaddingIgnored));
}

#[test]
fn rfc5780_5_2_a_server_that_wants_a_credential_or_another_one_asked_is_a_refusal() {
    for code in [300, 401, 403] {
        let verdict = before(Fault::Always(code), config());
        assert_eq!(verdict.mapping, Finding::Unknown(Unknown::Refused(code)));
        assert_eq!(verdict.mapped, Finding::Unknown(Unknown::Refused(code)));
    }
}

#[test]
fn rfc5780_5_2_with_a_credential_the_discovery_authenticates() {
    assert_eq!(before(Fault::Authenticates, config()).mapping, Finding::Unknown(Unknown::Refused(401)));
    let with = |password: &str| {
        let mut world = World::with_fault(Fault::Authenticates);
        let nat = world.nat().with_kind(NatKind::PortRestricted);
        let home = world.behind(nat);
        let host = world.sim.host_in(home, [HOME]);
        let credential = crate::LongTermCredential::new("user", password).unwrap();
        let discovery = Discovery::new(Instant::EPOCH, config(), Seed::new([1; 32])).unwrap();
        let node = world.sim.add(host, Checked::new(discovery.with_credential(credential)));
        world.verdict(node, secs(60))
    };
    let right = with("pass");
    assert_eq!(right.mapping, Finding::Known(Mapping::EndpointIndependent), "{right:?}");
    assert_eq!(right.filtering, Finding::Known(Filtering::AddressAndPortDependent), "{right:?}");
    assert_eq!(with("wrong").mapping, Finding::Unknown(Unknown::Refused(401)));
}

#[test]
fn rfc5780_5_fingerprint_is_sent_and_wanted_where_asked_for() {
    let with = before(Fault::None, config().with_fingerprint(true));
    assert_eq!(with.mapping, Finding::Known(Mapping::EndpointIndependent));
    let without = before(Fault::Terse, config().with_fingerprint(true));
    assert_eq!(without.mapping, Finding::Unknown(Unknown::NoAnswer), "answers without it are discarded");
}

#[test]
fn a_nat_that_gives_each_socket_another_address_has_no_lifetime_to_be_found() {
    let mut world = World::new(3);
    let nat = Nat::new(["203.0.113.1", "203.0.113.2"], world.sim.seed("nat"))
        .with_pooling(netsim::Pooling::Arbitrary);
    let home = world.behind(nat);
    // Some ports get the same address by chance: until two have not.
    let found = (2..20).any(|host| {
        let mut config = config().with_lifetime(LifetimeSearch::default().with_range(secs(5), secs(5)));
        config.sockets = Sockets::Bind(std::format!("192.168.0.{host}").parse().unwrap());
        let node = world.discover_in(home, config);
        world.verdict(node, secs(600)).lifetime == Finding::Unknown(Unknown::DifferentAddresses)
    });
    assert!(found);
}

#[test]
fn a_nat_that_restarts_in_between_is_called_unstable() {
    let mut world = World::new(1);
    let nat = world.nat().with_expiry(ms(30), netsim::Refresh::Outbound);
    let home = world.behind(nat);
    let node = world.discover_in(home, config().with_hairpinning(false));
    let verdict = world.verdict(node, secs(60));
    assert_eq!(verdict.mapping, Finding::Unknown(Unknown::Unstable));
}

#[test]
fn sockets_that_are_refused_or_lost_end_it() {
    let mut world = World::new(1);
    let host = world.sim.host(["192.0.2.9"]);
    let node = world.discover_on(host, config()); // not its address
    let verdict = world.verdict(node, secs(1));
    assert_eq!(verdict.mapping, Finding::Unknown(Unknown::NoSocket(Refused::NotPermitted)));
    assert_eq!(verdict.local, None);

    let host = world.sim.host([HOME]);
    let node = world.discover_on(host, config());
    world.sim.run_for(ms(150));
    world.sim.remove_ip(host, HOME);
    let verdict = world.verdict(node, secs(1));
    assert!(verdict.mapped.known().is_some(), "what was found out stays");
    assert_eq!(verdict.filtering, Finding::Unknown(Unknown::SocketLost));
}

#[test]
fn what_comes_behind_the_end_does_not_change_the_verdict() {
    let first: SocketAddr = "192.168.0.2:40000".parse().unwrap();
    let config = config().with_sockets(first, "192.168.0.2:40001".parse().unwrap());
    let mut discovery = Discovery::new(Instant::EPOCH, config, Seed::new([1; 32])).unwrap();
    discovery.close(Instant::EPOCH);
    let told = *discovery.verdict();
    assert_eq!(told.mapping, Finding::Unknown(Unknown::Stopped));
    let lost = Notice::Lost { transport: Transport::Udp, local: first, remote: None };
    discovery.handle_notice(Instant::EPOCH, lost);
    assert_eq!(*discovery.verdict(), told);
}

#[test]
fn a_socket_that_opens_after_the_end_is_given_back() {
    let mut discovery = Discovery::new(Instant::EPOCH, config(), Seed::new([1; 32])).unwrap();
    let [Some(_), Some(_)] = [(); 2].map(|()| discovery.poll_request()) else { panic!("two sockets") };
    discovery.close(Instant::EPOCH);
    assert!(!discovery.is_closed(), "the driver is still opening two");
    let late: SocketAddr = "192.168.0.2:40000".parse().unwrap();
    discovery.handle_notice(Instant::EPOCH, Notice::Opened { ticket: Ticket(0), result: Ok(late) });
    let released = Request::Release { transport: Transport::Udp, local: late, remote: None };
    assert_eq!(discovery.poll_request(), Some(released));
    assert!(!discovery.is_closed());
    discovery
        .handle_notice(Instant::EPOCH, Notice::Opened { ticket: Ticket(1), result: Err(Refused::InUse) });
    assert_eq!((discovery.poll_request(), discovery.is_closed()), (None, true));
    // What was not asked for yet is not asked for any more.
    let mut discovery = Discovery::new(Instant::EPOCH, config(), Seed::new([1; 32])).unwrap();
    discovery.close(Instant::EPOCH);
    assert!(discovery.is_closed());
}

#[test]
fn closing_early_gives_what_is_known() {
    let mut world = World::new(1);
    let nat = world.nat();
    let home = world.behind(nat);
    let node = world.discover_in(home, config());
    world.sim.run_for(ms(150));
    world.sim.with(node, ginnel_core::Machine::close);
    let verdict = world.verdict(node, secs(1));
    assert_eq!(verdict.alg, Finding::Known(Alg::None));
    assert_eq!(verdict.mapping, Finding::Unknown(Unknown::Stopped));
}

#[test]
fn what_no_path_can_be_made_of_is_refused() {
    let new = |config| Discovery::new(Instant::EPOCH, config, Seed::new([1; 32])).unwrap_err();
    let local = |ip: &str| DiscoveryConfig::new(server_address(), ip.parse().unwrap());
    assert_eq!(new(local("0.0.0.0")), ConfigError::Unspecified);
    assert_eq!(new(local("::1")), ConfigError::Families);
    let given = |a: &str, b: &str| config().with_sockets(a.parse().unwrap(), b.parse().unwrap());
    assert_eq!(new(given("10.0.0.1:1", "10.0.0.1:1")), ConfigError::SameSocket);
    assert_eq!(new(given("10.0.0.1:1", "10.0.0.2:2")), ConfigError::SameSocket);
    for server in ["198.51.100.1:0", "0.0.0.0:3478", "224.0.0.1:3478"] {
        let config = DiscoveryConfig::new(server.parse().unwrap(), HOME.parse().unwrap());
        assert_eq!(new(config), ConfigError::Server);
    }
}
