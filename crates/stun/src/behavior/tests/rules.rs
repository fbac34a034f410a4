//! What every machine keeps, and what RFC 5780 section 5 and SECURITY.md want of this one.

use super::*;
use ginnel_core::{Instant, Path};
use ginnel_netsim::NatKind;
use proptest::prelude::*;

#[test]
fn the_same_seed_and_script_give_the_same_octets() {
    let run = |seed| {
        let mut world = World::new(seed);
        let nat = world.nat().with_kind(NatKind::Symmetric);
        let home = world.behind(nat);
        world.sim.set_default_link(home, Link::new(ms(5)).with_loss(0.2));
        let node = world.discover_in(home, config().with_fragments(1500));
        world.verdict(node, secs(60));
        world.sim.digest()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn rfc5780_5_no_more_than_ten_transactions_begin_in_a_second() {
    let mut world = World::new(1);
    let nat = world.nat().with_kind(NatKind::Symmetric).with_hairpinning(netsim::Hairpinning::None);
    let home = world.behind(nat);
    world.sim.record(100_000);
    let node = world.discover_in(home, config().with_fragments(1500));
    world.verdict(node, secs(60));
    let own = |entry: &&netsim::Entry| {
        entry.fate == netsim::Fate::Sent && entry.source.ip() == HOME.parse::<IpAddr>().unwrap()
    };
    let sent: Vec<_> =
        world.sim.log().filter(own).map(|entry| (entry.at, entry.bytes[8..20].to_vec())).collect();
    assert!(sent.len() > 40);
    assert!(sent.windows(11).all(|eleven| eleven[10].0.saturating_since(eleven[0].0) >= secs(1)));
    let ids: std::collections::BTreeSet<_> = sent.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), sent.len(), "no transaction is sent twice: there is nothing to synchronise");
}

#[test]
fn rfc8489_6_2_no_more_than_ten_transactions_are_open_at_once() {
    let mut world = World::new(1);
    world.sim.set_default_link(NetworkId::CORE, Link::new(secs(1)));
    let node = world.discover_in(NetworkId::CORE, config().with_pace(Duration::ZERO).with_fragments(1500));
    world.sim.run_for(ms(999));
    assert!((2..=10).contains(&world.sim.get(node).get().stats().sent));
    world.verdict(node, secs(120));
}

#[test]
fn rfc5780_4_1_ports_are_random_ones_of_the_upper_half_and_given_back() {
    let ports = |seed| {
        let mut world = World::new(seed);
        let host = world.sim.host([HOME]);
        let node = world.discover_on(host, config());
        let first = world.sim.get(node).get().verdict().local.unwrap().port();
        world.verdict(node, secs(10));
        let echo = world.sim.add(host, netsim::toy::Echo::new(HOME, 7));
        assert!(world.sim.bind(echo, HOME, Port::Exact(first)).is_ok(), "it was released");
        first
    };
    let some: std::collections::BTreeSet<_> = (0..20).map(ports).collect();
    assert!(some.len() > 15 && some.iter().all(|port| *port >= 32_768), "{some:?}");
}

#[test]
fn ports_in_use_are_not_insisted_on() {
    let mut discovery = Discovery::new(Instant::EPOCH, config(), Seed::new([1; 32])).unwrap();
    let (mut asked, mut any) = (0, 0);
    while let Some(Request::Bind { ticket, port, .. }) = discovery.poll_request() {
        asked += 1;
        any += u32::from(port == Port::Any);
        let result = Err(Refused::InUse);
        discovery.handle_notice(Instant::EPOCH, Notice::Opened { ticket, result });
        assert!(asked < 100, "it ends");
    }
    assert_eq!(any, 1);
    let reason = discovery.verdict().mapping;
    assert_eq!(reason, Finding::Unknown(Unknown::NoSocket(Refused::InUse)));
    assert!(discovery.is_closed());
}

#[test]
fn given_sockets_are_not_asked_for_and_not_given_back() {
    let mut world = World::new(1);
    let host = world.sim.host([HOME]);
    let given =
        config().with_sockets("192.168.0.2:5000".parse().unwrap(), "192.168.0.2:5001".parse().unwrap());
    let node = world.discover_on(host, given);
    for port in [5000, 5001] {
        world.sim.bind(node, HOME, Port::Exact(port)).unwrap();
    }
    let verdict = world.verdict(node, secs(10));
    assert_eq!(verdict.mapped, Finding::Known("192.168.0.2:5000".parse().unwrap()));
}

/// Two sockets that are given, in a world of octets.
fn lone() -> Discovery {
    let given =
        config().with_sockets("192.168.0.2:5000".parse().unwrap(), "192.168.0.2:5001".parse().unwrap());
    Discovery::new(Instant::EPOCH, given, Seed::new([1; 32])).unwrap()
}
/// The next request.
fn next(discovery: &mut Discovery, now: &mut Instant) -> (Path, Vec<u8>) {
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    loop {
        if let Some(transmit) = discovery.poll_transmit(*now, &mut packet) {
            return (transmit.path, packet.bytes().to_vec());
        }
        *now = (*now).max(discovery.poll_timeout().unwrap().at);
        discovery.handle_timeout(*now);
    }
}
/// Answers a request, on any path.
fn answer(discovery: &mut Discovery, now: Instant, request: &[u8], mapped: &str, on: Path) -> Handled {
    use crate::attribute::{OtherAddress, XorMappedAddress};
    let id = Message::parse(request).unwrap().transaction_id();
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    crate::MessageWriter::new(&mut packet, Class::Success, Method::BINDING, id)
        .and_then(|open| open.attribute(&XorMappedAddress(mapped.parse().unwrap())))
        .and_then(|open| open.attribute(&OtherAddress("198.51.100.2:3479".parse().unwrap())))
        .unwrap()
        .finish();
    discovery.handle_input(now, &mut Receive::new(on, packet))
}

#[test]
fn sec_15_answers_count_only_from_the_addresses_that_change_request_names() {
    let mut discovery = lone();
    let mut now = Instant::EPOCH;
    let wrong = |path: Path, remote: &str| Path { remote: remote.parse().unwrap(), ..path };
    // A plain request: from nobody but who was asked, and to no other socket.
    for _ in 0..2 {
        let (path, request) = next(&mut discovery, &mut now);
        let others = ["198.51.100.2:3479", "198.51.100.1:3479", "198.51.100.2:3478", "192.0.2.66:3478"];
        for other in others.map(|other| wrong(path, other)) {
            assert_eq!(answer(&mut discovery, now, &request, "203.0.113.9:9", other), Handled::Consumed);
        }
        let swapped = if path.local.port() == 5000 { "192.168.0.2:5001" } else { "192.168.0.2:5000" };
        let swapped = Path { local: swapped.parse().unwrap(), ..path };
        assert_eq!(answer(&mut discovery, now, &request, "203.0.113.9:9", swapped), Handled::Consumed);
        assert_eq!(discovery.verdict().mapped, Finding::Unknown(Unknown::Stopped), "nothing has counted");
        assert_eq!(answer(&mut discovery, now, &request, "203.0.113.1:7", path), Handled::Consumed);
    }
    assert_eq!(discovery.stats().ignored, 10);
    assert_eq!(discovery.verdict().mapped, Finding::Known("203.0.113.1:7".parse().unwrap()));
    // CHANGE-REQUEST of both: from A2:P2 too, and from nowhere else.
    let (path, request) = loop {
        let (path, request) = next(&mut discovery, &mut now);
        let change = Message::parse(&request).unwrap().get::<crate::attribute::ChangeRequest>().unwrap();
        if change.is_some_and(|change| change.ip && change.port) {
            break (path, request);
        }
    };
    assert_eq!(path.remote, server_address());
    let before = discovery.stats();
    for other in ["198.51.100.1:3479", "198.51.100.2:3478", "192.0.2.66:3479"] {
        let _ = answer(&mut discovery, now, &request, "203.0.113.1:7", wrong(path, other));
    }
    assert_eq!(
        (discovery.stats().ignored, discovery.stats().answered),
        (before.ignored + 3, before.answered)
    );
    let _ = answer(&mut discovery, now, &request, "203.0.113.1:7", wrong(path, "198.51.100.2:3479"));
    assert_eq!(discovery.stats().answered, before.answered + 1);
}

#[test]
fn strangers_are_foreign_and_untouched() {
    let mut discovery = lone();
    let mut now = Instant::EPOCH;
    let (path, request) = next(&mut discovery, &mut now);
    // Our own request, before it can be a hairpin, and what is not ours at all.
    let elsewhere = Path { local: "192.168.0.2:6000".parse().unwrap(), ..path };
    for (bytes, path) in [(&request[..], path), (b"hello", path), (&request[..], elsewhere), (b"", path)] {
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        packet.append(bytes).unwrap();
        let mut input = Receive::new(path, packet);
        assert_eq!(discovery.handle_input(now, &mut input), Handled::Foreign);
        assert_eq!(input.packet.bytes(), bytes);
    }
}

#[test]
fn it_ends_in_time_and_sends_no_more_than_it_may_wherever_the_line_breaks() {
    for (latency, step) in [(20, 100), (800, 2_000)] {
        for at in (0..40).map(|it| it * step) {
            let mut world = World::new(1);
            let nat =
                world.nat().with_kind(NatKind::PortRestricted).with_hairpinning(netsim::Hairpinning::None);
            let home = world.behind(nat);
            world.sim.set_default_link(NetworkId::CORE, Link::new(ms(latency)));
            let node = world.discover_in(home, config().with_fragments(1500));
            let server = world.server_host;
            world.sim.after(ms(at), move |sim| sim.cut(home, server));
            let verdict = world.verdict(node, secs(240));
            assert!(world.sim.get(node).get().stats().sent <= 68 + 8 * 24, "{at} ms");
            for (known, right) in
                [(verdict.mapping.known().is_some(), 1), (verdict.filtering.known().is_some(), 2)]
            {
                assert!(!known || at > step * right, "nothing is known at once: {at} ms, {verdict:?}");
            }
            assert!(
                verdict.filtering.known().is_none_or(|it| it == Filtering::AddressAndPortDependent),
                "{at} ms"
            );
            assert!(verdict.mapping.known().is_none_or(|it| it == Mapping::EndpointIndependent), "{at} ms");
        }
    }
}

#[test]
fn what_it_keeps_is_bounded() {
    // As many tries as there can be, of every test that stays silent.
    let mut world = World::new(1);
    let nat = world.nat().with_kind(NatKind::Symmetric).with_hairpinning(netsim::Hairpinning::None);
    let home = world.behind(nat);
    let config = config().with_tries(100, 100_000).with_lifetime(LifetimeSearch::default());
    let node = world.discover_in(home, config);
    let mut hairpins = 0;
    world.sim.run_until(secs(20_000), |sim| {
        hairpins = hairpins.max(sim.get(node).get().hairpins.len());
        !sim.is_alive(node)
    });
    assert_eq!(hairpins, MAX_HAIRPINS, "at the limit");
    assert!(!world.sim.is_alive(node), "the search ends, too");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Any NAT, any loss: the discovery ends in time, keeps the contract (`Checked` and the simulation look), and is not
    /// wrong.
    #[test]
    fn any_scenario_ends_and_is_not_wrong(
        seed: u64, kind in 0..9_usize, hairpinning in 0..3_usize, loss in 0.0..0.4, latency in 1..500_u64,
        cut in proptest::option::of(0..8_000_u64), two_nats: bool,
    ) {
        let mut world = World::new(seed);
        let (mapping, right_mapping) = MAPPINGS[kind / 3];
        let (filtering, right_filtering) = FILTERINGS[kind % 3];
        let nat = world.nat().with_mapping(mapping).with_filtering(filtering);
        let mut home = world.behind(nat.with_hairpinning(HAIRPINNINGS[hairpinning].0));
        world.sim.set_default_link(NetworkId::CORE, Link::new(ms(latency)).with_loss(loss));
        let door = home;
        if two_nats {
            let inner = Nat::new(["100.64.0.7"], world.sim.seed("inner"));
            home = world.sim.network(home, inner);
        }
        let node = world.discover_in(home, config());
        if let Some(cut) = cut {
            let server = world.server_host;
            world.sim.after(ms(cut), move |sim| sim.cut(door, server));
        }
        let verdict = world.verdict(node, secs(180));
        if let Finding::Known(mapping) = verdict.mapping {
            prop_assert_eq!(mapping, right_mapping);
        }
        if let Finding::Known(filtering) = verdict.filtering {
            prop_assert_eq!(filtering, right_filtering);
        }
        prop_assert!(!std::string::ToString::to_string(&verdict).is_empty());
    }
}
