//! Binding, releasing, losing.

use ginnel_core::{Instant, Notice, Packet, Path, Port, Refused, Request, Ticket, Transmit, Transport};

use super::*;
use crate::toy::Event;

#[test]
fn ports_are_as_asked_for() {
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1", "2001:db8::1"]);
    let node = sim.add(host, Echo::new("192.0.2.1", 7));
    assert_eq!(sim.events(node), [Event::Opened(addr("192.0.2.1:7"))]);
    for _ in 0..50 {
        assert_eq!(sim.bind(node, "192.0.2.1", Port::Even).unwrap().port() % 2, 0);
        assert!(sim.bind(node, "2001:db8::1", Port::Any).unwrap().port() >= 49_152);
    }
    assert_eq!(sim.bind(node, "192.0.2.1", Port::Exact(7)), Err(Refused::InUse));
    assert_eq!(sim.bind(node, "2001:db8::1", Port::Exact(7)), Ok(addr("[2001:db8::1]:7")));
    assert_eq!(sim.bind(node, "192.0.2.9", Port::Any), Err(Refused::NotPermitted));
    assert_eq!(sim.bind(node, "192.0.2.1", Port::Exact(0)), Err(Refused::NotPermitted));
}

#[test]
fn ports_run_out_and_come_back() {
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1"]);
    let node = sim.add(host, Echo::new("192.0.2.1", 7));
    for _ in 0..8_192 {
        sim.bind(node, "192.0.2.1", Port::Even).unwrap();
    }
    assert_eq!(sim.bind(node, "192.0.2.1", Port::Even), Err(Refused::InUse));
    assert!(sim.bind(node, "192.0.2.1", Port::Any).unwrap().port() % 2 == 1);
    sim.with(node, |echo, now| echo.close(now));
    assert!(!sim.is_alive(node));
    let next = sim.add(host, Echo::new("192.0.2.1", 7));
    assert!(sim.bind(next, "192.0.2.1", Port::Even).is_ok());
}

#[test]
fn a_refused_socket_is_told() {
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1"]);
    let first = sim.add(host, Echo::new("192.0.2.1", 7));
    let second = sim.add(host, Echo::new("192.0.2.1", 7));
    let foreign = sim.add(host, Echo::new("192.0.2.2", 7));
    assert_eq!(sim.events(first), [Event::Opened(addr("192.0.2.1:7"))]);
    assert_eq!(sim.events(second), [Event::Refused(Refused::InUse)]);
    assert_eq!(sim.events(foreign), [Event::Refused(Refused::NotPermitted)]);
    sim.with(first, |echo, now| echo.close(now));
    assert_eq!(sim.bind(second, "192.0.2.1", Port::Exact(7)), Ok(addr("192.0.2.1:7")));
}

#[test]
fn a_killed_machine_is_silent_and_its_port_is_free() {
    let mut p = pair(1, Link::new(ms(10)), 10, ms(100));
    p.sim.run_for(ms(105));
    p.sim.kill(p.echo); // the second ping is on its way
    p.sim.run_for(ms(200));
    assert_eq!((numbers(&mut p), p.sim.stats().no_socket), (vec![0], 2));
    let again = p.sim.add(p.right, Echo::new("192.0.2.2", 7));
    p.sim.run_for(ms(100));
    assert_eq!(numbers(&mut p), [3]);
    assert!(p.sim.is_alive(again) && !p.sim.is_alive(p.echo));
    assert_eq!(p.sim.events(p.echo), [Event::Opened(addr("192.0.2.2:7"))]);
}

#[test]
fn a_lost_interface_is_told_and_can_come_back() {
    let mut p = pair(1, Link::new(ms(10)), 1, ms(100));
    p.sim.remove_ip(p.right, "192.0.2.2");
    p.sim.run_for(ms(100));
    assert_eq!(p.sim.events(p.echo), [Event::Opened(addr("192.0.2.2:7")), Event::Lost(addr("192.0.2.2:7"))]);
    assert_eq!((p.sim.stats().no_socket, numbers(&mut p).len()), (1, 0));
    p.sim.with(p.ping, |ping, now| ping.ping(now, 1));
    assert_eq!(p.sim.stats().no_route, 1);
    p.sim.add_ip(p.right, NetworkId::CORE, "192.0.2.2");
    assert_eq!(p.sim.bind(p.echo, "192.0.2.2", Port::Exact(7)), Ok(addr("192.0.2.2:7")));
}

#[test]
fn two_sockets_of_one_host_reach_each_other_at_once() {
    let mut sim = Sim::new(1);
    let host = sim.host(["192.0.2.1"]);
    sim.set_default_link(NetworkId::CORE, Link::new(ms(100)).with_loss(1.0));
    sim.add(host, Echo::new("192.0.2.1", 7));
    let ping = sim.add(host, Ping::new("192.0.2.1", addr("192.0.2.1:7"), 3, ms(0)));
    sim.run_for(ms(0));
    assert_eq!(sim.data(ping).len(), 3);
}

#[test]
fn datagrams_can_be_thrown_at_a_socket_as_if_from_anywhere() {
    let mut p = pair(1, Link::default(), 0, ms(1));
    let victim = p.sim.get(p.ping).local().unwrap();
    let nowhere = addr("203.0.113.5:5");
    assert!(p.sim.inject(Path::udp(victim, nowhere), &[0, 0, 0, 9, 9]));
    let data = p.sim.data(p.ping);
    assert_eq!(
        (data[0].data, data[0].path, &data[0].bytes[..]),
        (9, Path::udp(victim, nowhere), &[0, 0, 0, 9, 9][..])
    );
    assert!(p.sim.inject(Path::udp(victim, nowhere), &[])); // heard, and foreign
    assert!(!p.sim.inject(Path::udp(addr("192.0.2.1:1"), nowhere), b"x"));
    assert!(!p.sim.inject(Path::udp(addr("192.0.2.77:1"), nowhere), b"x"));
    // The answer to an injected datagram has nowhere to go.
    assert!(p.sim.inject(Path::udp(addr("192.0.2.2:7"), nowhere), b"x"));
    let stats = p.sim.stats();
    assert_eq!((stats.injected, stats.no_socket, stats.no_route, stats.sent), (3, 1, 2, 1));
    // The largest datagram that UDP knows fits too.
    assert!(p.sim.inject(Path::udp(victim, nowhere), &[1; 65_507]));
    assert_eq!(p.sim.data(p.ping)[0].bytes.len(), 65_507);
}

#[test]
fn an_unspecified_address_means_every_interface_and_paths_are_concrete() {
    let mut sim = Sim::new(1);
    let (host, other) = (sim.host(["192.0.2.1", "198.51.100.1", "2001:db8::1"]), sim.host(["192.0.2.2"]));
    let mirror = sim.add(host, Rude { mirror: true, ..Rude::default() });
    assert_eq!(sim.bind(mirror, "0.0.0.0", Port::Exact(7)), Ok(addr("0.0.0.0:7")));
    let pings = ["192.0.2.1:7", "198.51.100.1:7"].map(|to| sim.add(other, ping_once(addr(to))));
    let deaf = sim.add(host, Ping::new("2001:db8::1", addr("[2001:db8::1]:7"), 1, ms(1)));
    sim.run_for(ms(10));
    for (ping, to) in pings.into_iter().zip(["192.0.2.1:7", "198.51.100.1:7"]) {
        let [ref echo] = sim.data(ping)[..] else { panic!("no answer of {to}") };
        assert_eq!(echo.path.remote, addr(to), "the answer comes from where the question went");
    }
    assert!(sim.data(deaf).is_empty(), "each family has its own");

    // The port is taken on every address of the family, and every such address takes the port.
    assert_eq!(sim.bind(mirror, "192.0.2.1", Port::Exact(7)), Err(Refused::InUse));
    assert_eq!(sim.bind(mirror, "0.0.0.0", Port::Exact(7)), Err(Refused::InUse));
    assert_eq!(sim.bind(mirror, "::", Port::Exact(7)), Ok(addr("[::]:7")));
    assert_eq!(sim.bind(mirror, "198.51.100.1", Port::Exact(8)), Ok(addr("198.51.100.1:8")));
    assert_eq!(sim.bind(mirror, "0.0.0.0", Port::Exact(8)), Err(Refused::InUse));

    // It outlives an interface, and sends from none that the host has not.
    assert_eq!(sim.stats().not_open, 0);
    for from in ["203.0.113.1:7", "192.0.2.1:9"] {
        let path = Path::udp(addr(from), addr("192.0.2.2:9"));
        sim.with(mirror, |mirror, _| mirror.say.push(Transmit::to(path)));
    }
    assert_eq!(sim.stats().not_open, 2);
    let wish = Some(Request::Release { transport: Transport::Udp, local: addr("0.0.0.0:7"), remote: None });
    sim.with(mirror, |mirror, _| mirror.wish = wish);
    assert_eq!(sim.bind(mirror, "192.0.2.1", Port::Exact(7)), Ok(addr("192.0.2.1:7")));
    let lone = sim.host(["2001:db8::9"]);
    let lonely = sim.add(lone, Rude::default());
    assert_eq!(sim.bind(lonely, "0.0.0.0", Port::Any), Err(Refused::NotPermitted));
}

fn ping_once(to: std::net::SocketAddr) -> Ping {
    Ping::new("192.0.2.2", to, 1, ms(1))
}

/// Sends what it is told, without having opened anything.
#[derive(Debug, Default)]
struct Rude {
    /// Sends back what comes.
    mirror: bool,
    say: Vec<Transmit>,
    wish: Option<Request>,
    told: Vec<Notice>,
}
impl Rude {
    fn handle_input(&mut self, _: Instant, input: &mut ginnel_core::Receive<'_>) -> ginnel_core::Handled {
        if self.mirror {
            return ginnel_core::Handled::Send(Transmit::to(input.path));
        }
        ginnel_core::Handled::Foreign
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn handle_notice(&mut self, _: Instant, notice: Notice) {
        self.told.push(notice);
    }
    fn poll_transmit(&mut self, _: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        packet.clear();
        self.say.pop()
    }
    fn poll_request(&mut self) -> Option<Request> {
        self.wish.take()
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
    fn poll_timeout(&self) -> Option<ginnel_core::Wake> {
        None
    }
    fn close(&mut self, _: Instant) {}
    fn is_closed(&self) -> bool {
        false
    }
}
ginnel_core::machine!(impl [] Rude { Event = (); Data = (); } [requests]);

#[test]
fn what_was_not_opened_sends_nothing() {
    let mut p = pair(1, Link::default(), 0, ms(1));
    let rude = p.sim.add(p.left, Rude::default());
    let pings = p.sim.get(p.ping).local().unwrap();
    let to = addr("192.0.2.2:7");
    let mine = p.sim.bind(rude, "192.0.2.1", Port::Any).unwrap();
    let tcp = Path { transport: Transport::Tcp, ..Path::udp(mine, to) };
    for (path, not_open) in [
        (Path::udp(pings, to), 1),
        (Path::udp(addr("192.0.2.1:1"), to), 2),
        (tcp, 3),
        (Path::udp(mine, to), 3),
    ] {
        p.sim.with(rude, |rude, _| rude.say.push(Transmit::to(path)));
        assert_eq!(p.sim.stats().not_open, not_open);
    }
    assert_eq!(p.sim.stats().sent, 1);
}

#[test]
fn others_sockets_cannot_be_released_and_dtls_is_refused() {
    let mut p = pair(1, Link::default(), 0, ms(1));
    let rude = p.sim.add(p.right, Rude::default());
    let local = addr("192.0.2.2:7");
    p.sim.with(rude, |rude, _| {
        rude.wish = Some(Request::Release { transport: Transport::Udp, local, remote: None })
    });
    assert_eq!(p.sim.bind(rude, "192.0.2.2", Port::Exact(7)), Err(Refused::InUse));
    let (ticket, framing) = (Ticket(3), ginnel_core::Framing::Rfc4571);
    let connect = Request::Connect {
        ticket,
        transport: Transport::Dtls,
        local: None,
        remote: local,
        framing,
        host: None,
        alpn: None,
    };
    p.sim.with(rude, |rude, _| rude.wish = Some(connect));
    assert_eq!(p.sim.get(rude).told, [Notice::Opened { ticket, result: Err(Refused::Unsupported) }]);
}

#[test]
fn user_data_is_sent_from_where_the_command_says() {
    let mut p = pair(1, Link::new(ms(5)), 0, ms(1));
    let from = p.sim.get(p.ping).local().unwrap();
    let path = Path::udp(from, addr("192.0.2.2:7"));
    let sent = p.sim.send(p.ping, &[0, 0, 0, 5], |_, _, packet| {
        packet.append(b"!").map_err(|_| "no room")?;
        Ok::<_, &str>(Transmit::to(path))
    });
    assert_eq!(sent, Ok(()));
    p.sim.run_for(ms(10));
    assert_eq!(p.sim.data(p.ping)[0].bytes, [0, 0, 0, 5, b'!']);
    assert_eq!(p.sim.send(p.ping, b"x", |_, _, _| Err("not now")), Err("not now"));
    assert_eq!(p.sim.stats().sent, 2);
}

#[test]
fn congestion_marks_cross_with_their_datagrams() {
    let mut p = pair(1, Link::new(ms(5)), 0, ms(1));
    let other = p.sim.add(p.right, Ping::new("192.0.2.2", addr("192.0.2.1:9"), 0, ms(1)));
    let [from, to] = [p.ping, other].map(|node| p.sim.get(node).local().unwrap());
    let marks =
        [ginnel_core::Ecn::NotEct, ginnel_core::Ecn::Ect0, ginnel_core::Ecn::Ect1, ginnel_core::Ecn::Ce];
    for ecn in marks {
        let mut transmit = Transmit::to(Path::udp(from, to));
        transmit.ecn = ecn;
        p.sim.send(p.ping, &[0; 4], |_, _, _| Ok::<_, ()>(transmit)).unwrap();
    }
    p.sim.run_for(ms(5));
    assert_eq!(p.sim.data(other).iter().map(|received| received.ecn).collect::<Vec<_>>(), marks);
}
