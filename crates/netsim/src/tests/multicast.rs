//! Groups: who hears what, and under which addresses.

use ginnel_core::{Handled, Instant, Packet, Path, Port, Receive, Refused, Transmit, Wake};

use super::*;
use crate::{Open, toy::Event};

const GROUP: &str = "224.0.0.251";

#[test]
fn a_group_needs_its_port_and_takes_each_node_once() {
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1"]);
    let node = sim.add(host, Echo::new(GROUP, 5353));
    assert_eq!(sim.events(node), [Event::Opened(addr("224.0.0.251:5353"))]);
    assert_eq!(sim.bind(node, GROUP, Port::Exact(5353)), Err(Refused::InUse));
    assert_eq!(sim.bind(node, GROUP, Port::Any), Err(Refused::NotPermitted));
    let other = sim.add(host, Echo::new(GROUP, 5353));
    assert_eq!(sim.events(other), [Event::Opened(addr("224.0.0.251:5353"))]);
}

#[test]
fn what_is_sent_to_a_group_reaches_all_members_of_the_network_and_only_them() {
    let mut sim = Sim::new(1);
    let (a, b, c) = (sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"]), sim.host(["192.0.2.3"]));
    let inside = sim.network(NetworkId::CORE, Open);
    let d = sim.host_in(inside, ["10.0.0.4"]);
    let mut heard = Vec::new();
    for host in [a, a, b, d] {
        let hearer = sim.add(host, Hearer::default());
        sim.bind(hearer, GROUP, Port::Exact(5353)).unwrap();
        heard.push(hearer);
    }
    sim.add(c, Echo::new("192.0.2.3", 5353)); // on the port, and not in the group
    sim.with(heard[0], |hearer, _| {
        hearer.say = Some(Path::udp(addr("224.0.0.251:5353"), addr("224.0.0.251:5353")))
    });
    sim.run_for(ms(10));
    let path = Path::udp(addr("224.0.0.251:5353"), addr("192.0.2.1:5353"));
    for (index, expected) in [vec![path], vec![path], vec![path], vec![]].into_iter().enumerate() {
        let paths: Vec<_> = sim.data(heard[index]).into_iter().map(|received| received.path).collect();
        assert_eq!(paths, expected, "hearer {index}");
    }
    assert_eq!((sim.stats().sent, sim.stats().no_socket), (1, 0));
}

#[test]
fn a_group_socket_sends_on_every_interface_and_answers_from_one() {
    let mut sim = Sim::new(1);
    let lan = sim.network(NetworkId::CORE, Open);
    let both = sim.host(["192.0.2.1", "2001:db8::1"]);
    sim.add_ip(both, lan, "10.0.0.1");
    let (outer, inner) = (sim.host(["192.0.2.2"]), sim.host_in(lan, ["10.0.0.2"]));
    let nodes = [both, outer, inner].map(|host| {
        let hearer = sim.add(host, Hearer::default());
        sim.bind(hearer, GROUP, Port::Exact(5353)).unwrap();
        hearer
    });
    let group = addr("224.0.0.251:5353");
    sim.with(nodes[0], |hearer, _| hearer.say = Some(Path::udp(group, group)));
    sim.run_for(ms(10));
    let sources = |sim: &mut Sim, node| {
        sim.data(node).into_iter().map(|received| received.path.remote.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(sources(&mut sim, nodes[1]), ["192.0.2.1:5353"]);
    assert_eq!(sources(&mut sim, nodes[2]), ["10.0.0.1:5353"]);
    assert_eq!(sources(&mut sim, nodes[0]), ["192.0.2.1:5353", "10.0.0.1:5353"]);

    // A unicast answer finds the member behind the port.
    sim.with(nodes[1], |hearer, _| hearer.say = Some(Path::udp(group, addr("192.0.2.1:5353"))));
    sim.run_for(ms(10));
    let data = sim.data(nodes[0]);
    assert_eq!(data.iter().map(|r| r.path).collect::<Vec<_>>(), [Path::udp(group, addr("192.0.2.2:5353"))]);
}

#[test]
fn whoever_leaves_hears_no_more() {
    let mut sim = Sim::new(1);
    let (a, b) = (sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"]));
    let echo = sim.add(b, Echo::new(GROUP, 5353));
    let ping = sim.add(a, Ping::new("192.0.2.1", addr("224.0.0.251:5353"), 2, ms(100)));
    sim.run_for(ms(50));
    assert_eq!(sim.data(ping).iter().map(|r| r.path.remote).collect::<Vec<_>>(), [addr("192.0.2.2:5353")]);
    sim.with(echo, |echo, now| echo.close(now));
    sim.run_for(ms(100));
    assert!(sim.data(ping).is_empty());
}

/// Hands up all it hears.
#[derive(Debug, Default)]
struct Hearer {
    say: Option<Path>,
}
impl Hearer {
    fn handle_input(&mut self, _: Instant, _: &mut Receive<'_>) -> Handled {
        Handled::Data(())
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_transmit(&mut self, _: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        packet.clear();
        packet.append(b"hello").ok()?;
        self.say.take().map(Transmit::to)
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
    fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    fn close(&mut self, _: Instant) {}
    fn is_closed(&self) -> bool {
        false
    }
}
ginnel_core::machine!(impl [] Hearer { Event = (); Data = (); });
