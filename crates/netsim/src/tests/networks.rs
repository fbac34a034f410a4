//! Networks in networks: NATs, firewalls and routers where they stand.

use std::{collections::BTreeSet, net::IpAddr};

use ginnel_core::{Instant, Seed};

use super::*;
use crate::{Datagram, Firewall, Middlebox, Nat, Open, PortAssignment, Refresh, Verdict};

/// Gives out the ports from 40,000 on, in a row.
fn nat(external: &str) -> Nat {
    Nat::new([external], Seed::new([1; 32]))
        .with_ports(PortAssignment::Contiguous)
        .with_port_range(40_000..=u16::MAX)
        .with_expiry(ms(30_000), Refresh::Outbound)
}

#[test]
fn an_open_router_routes_both_ways_and_each_segment_takes_its_time() {
    let mut sim = Sim::new(1);
    let server = sim.host(["198.51.100.1"]);
    let home = sim.network(NetworkId::CORE, Open);
    let room = sim.network(home, Open);
    let laptop = sim.host_in(room, ["10.1.0.2"]);
    sim.set_link(home, server, Link::new(ms(30)));
    sim.set_default_link(home, Link::new(ms(5)));
    sim.set_default_link(room, Link::new(ms(2)));
    sim.add(server, Echo::new("198.51.100.1", 7));
    sim.add(laptop, Echo::new("10.1.0.2", 7));
    let up = sim.add(laptop, Ping::new("10.1.0.2", addr("198.51.100.1:7"), 1, ms(0)));
    let down = sim.add(server, Ping::new("198.51.100.1", addr("10.1.0.2:7"), 1, ms(0)));
    sim.run_for(ms(1_000));
    for (node, remote) in [(up, "198.51.100.1:7"), (down, "10.1.0.2:7")] {
        let data = sim.data(node);
        assert_eq!(
            (data.len(), data[0].at.to_string().as_str(), data[0].path.remote),
            (1, "74ms", addr(remote))
        );
    }
}

#[test]
fn a_nat_translates_hairpins_and_expires() {
    let mut sim = Sim::new(1);
    let server = sim.host(["198.51.100.1"]);
    let home = sim.network(NetworkId::CORE, nat("203.0.113.1"));
    let (a, b) = (sim.host_in(home, ["192.168.0.2"]), sim.host_in(home, ["192.168.0.3"]));
    let echo = sim.add(server, Echo::new("198.51.100.1", 7));
    let ping = sim.add(a, Ping::new("192.168.0.2", addr("198.51.100.1:7"), 1, ms(0)));
    sim.run_for(ms(100));
    assert_eq!(sim.data(ping).len(), 1);
    // Out through the same mapping, and from the neighbour by way of the external address.
    let neighbour = sim.add(b, Ping::new("192.168.0.3", addr("203.0.113.1:40000"), 1, ms(0)));
    sim.run_for(ms(100));
    let data = sim.data(ping);
    assert_eq!((data.len(), data[0].path.remote), (1, addr("203.0.113.1:40001")));
    assert!(sim.data(neighbour).is_empty());
    // From outside while the mapping lives, and not after.
    let outside = sim.add(server, Ping::new("198.51.100.1", addr("203.0.113.1:40000"), 2, ms(60_000)));
    sim.run_for(ms(61_000));
    assert_eq!((sim.data(ping).len(), sim.stats().filtered), (1, 1));
    assert!(sim.is_alive(echo) && sim.is_alive(outside));
}

#[test]
fn the_same_private_addresses_behind_two_nats_in_a_row() {
    let mut sim = Sim::new(1);
    let carrier = sim.network(NetworkId::CORE, nat("203.0.113.1"));
    let homes = ["100.64.0.1", "100.64.0.2"].map(|external| sim.network(carrier, nat(external)));
    let server = sim.host(["198.51.100.1"]);
    sim.add(server, Echo::new("198.51.100.1", 7));
    let pings = homes.map(|home| {
        let host = sim.host_in(home, ["192.168.0.2"]);
        sim.add(host, Ping::new("192.168.0.2", addr("198.51.100.1:7"), 3, ms(10)))
    });
    sim.record(100);
    sim.run_for(ms(200));
    assert_eq!(pings.map(|ping| sim.data(ping).len()), [3, 3]);
    let seen: BTreeSet<_> = sim
        .log()
        .filter(|entry| entry.destination == addr("198.51.100.1:7") && entry.fate == crate::Fate::Delivered)
        .map(|entry| entry.source.to_string())
        .collect();
    assert_eq!(seen, ["203.0.113.1:40000", "203.0.113.1:40001"].map(String::from).into());
}

#[test]
fn a_hole_that_opens_while_a_datagram_is_on_its_way_lets_it_in() {
    let mut sim = Sim::new(1);
    let (left, right) = (sim.network(NetworkId::CORE, Firewall::new()), sim.network(NetworkId::CORE, Open));
    let (a, b) = (sim.host_in(left, ["192.0.2.1"]), sim.host_in(right, ["192.0.2.2"]));
    sim.set_link(left, right, Link::new(ms(50)));
    let ping = sim.add(a, Ping::new("192.0.2.1", addr("192.0.2.2:7"), 0, ms(0)));
    let local = sim.get(ping).local().unwrap();
    let knock = sim.add(b, Echo::new("192.0.2.2", 7));
    let path = ginnel_core::Path::udp(addr("192.0.2.2:7"), local);
    let say = |_: &mut Echo, _, _: &mut ginnel_core::Packet<'_>| Ok::<_, ()>(ginnel_core::Transmit::to(path));
    sim.send(knock, &[0, 0, 0, 1], say).unwrap();
    sim.run_for(ms(100));
    assert_eq!((sim.data(ping).len(), sim.stats().filtered), (0, 1));
    sim.send(knock, &[0, 0, 0, 2], say).unwrap();
    sim.after(ms(40), move |sim| sim.with(ping, |ping, now| ping.ping(now, 1)));
    sim.run_for(ms(100));
    assert_eq!(sim.data(ping).first().map(|received| received.data), Some(2));
}

#[test]
fn a_router_in_a_circle_ends_the_datagram() {
    /// Sends everything back, for ever.
    #[derive(Debug)]
    struct Mirror;
    impl Middlebox for Mirror {
        fn outbound(&mut self, _: Instant, _: &mut Datagram) -> Verdict {
            Verdict::Return
        }
        fn inbound(&mut self, _: Instant, _: &mut Datagram) -> Verdict {
            Verdict::Return
        }
        fn attracts(&self, _: IpAddr, _: bool) -> bool {
            true
        }
    }
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1"]);
    sim.network(NetworkId::CORE, Mirror);
    sim.add(host, Ping::new("192.0.2.1", addr("192.0.2.9:9"), 1, ms(0)));
    assert!(sim.run_idle(ms(10_000)));
    assert_eq!(sim.stats().no_route, 1);
}

#[test]
#[should_panic(expected = "share no network")]
fn a_link_needs_a_network_in_common() {
    let mut sim = Sim::new(1);
    let inside = sim.network(NetworkId::CORE, Open);
    let (a, b) = (sim.host(["192.0.2.1"]), sim.host_in(inside, ["192.0.2.2"]));
    sim.set_link(a, b, Link::default());
}
