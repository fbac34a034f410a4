//! Streams: what machines meet over them, in virtual time.

use core::{num::NonZeroU32, time::Duration};
use std::collections::VecDeque;

use ginnel_core::{
    Framing, Handled, Instant, Notice, Packet, Path, Port, Receive, Refused, Request, StreamRate, Ticket,
    Transmit, Transport, Wake,
};

use super::{addr, ms};
use crate::{Firewall, HostId, Link, Nat, NatKind, NetworkId, NodeId, Sim};

/// Says what the test wants, and keeps what it is told. Echoes messages, if it is to.
#[derive(Debug, Default)]
struct Talker {
    requests: VecDeque<Request>,
    told: Vec<(Instant, Notice)>,
    echoes: bool,
    closed: bool,
    /// What a message makes it ask for.
    on_message: Option<Request>,
}

impl Talker {
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        self.requests.extend(self.on_message.take());
        if self.echoes { Handled::Send(Transmit::to(input.path)) } else { Handled::Data(()) }
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn handle_notice(&mut self, now: Instant, notice: Notice) {
        self.told.push((now, notice));
    }
    fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
    fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    fn close(&mut self, _: Instant) {
        self.closed = true;
    }
    fn is_closed(&self) -> bool {
        self.closed && self.requests.is_empty()
    }
    fn notices(&self) -> Vec<Notice> {
        self.told.iter().map(|(_, notice)| *notice).collect()
    }
    /// The streams that it has, by what it was told.
    fn streams(&self) -> Vec<Path> {
        let accepted = self.told.iter().filter_map(|(_, notice)| match notice {
            Notice::Accepted { path, .. } => Some(*path),
            _ => None,
        });
        accepted.collect()
    }
    fn opened(&self) -> Option<Result<std::net::SocketAddr, Refused>> {
        self.told.iter().find_map(|(_, notice)| match notice {
            Notice::Opened { result, .. } => Some(*result),
            _ => None,
        })
    }
}
ginnel_core::machine!(impl [] Talker { Event = (); Data = (); } [requests]);

fn connect(transport: Transport, remote: &str, framing: Framing) -> Request {
    let (ticket, remote) = (Ticket(1), addr(remote));
    Request::Connect { ticket, transport, local: None, remote, framing, host: None, alpn: None }
}
fn listen(transport: Transport, ip: &str, port: u16, framing: Framing) -> Request {
    let (ticket, ip, port) = (Ticket(2), ip.parse().unwrap(), Port::Exact(port));
    Request::Listen { ticket, transport, ip, port, framing }
}
fn lost(path: Path) -> Notice {
    let Path { transport, local, remote } = path;
    Notice::Lost { transport, local, remote: Some(remote) }
}

const SERVER: &str = "198.51.100.7:3478";

/// A client and a server with one stream between them.
struct Pair {
    sim: Sim,
    hosts: [HostId; 2],
    client: NodeId<Talker>,
    server: NodeId<Talker>,
    /// As the client sees it, and as the server does.
    here: Path,
    there: Path,
}

impl Pair {
    fn new(seed: u64, link: Link, framing: Framing) -> Self {
        Self::build(seed, link, framing, |sim| sim.host(["192.0.2.1"]))
    }

    fn build(seed: u64, link: Link, framing: Framing, home: impl FnOnce(&mut Sim) -> HostId) -> Self {
        let mut sim = Sim::new(seed).named("a stream");
        sim.set_default_link(NetworkId::CORE, link);
        let left = home(&mut sim);
        let right = sim.host(["198.51.100.7"]);
        let server = sim.add(right, Talker::default());
        let client = sim.add(left, Talker::default());
        request(&mut sim, server, listen(Transport::Tcp, "198.51.100.7", 3478, framing));
        request(&mut sim, client, connect(Transport::Tcp, SERVER, framing));
        sim.expect("a stream", ms(60_000), |sim| {
            sim.get(client).opened().is_some() && !sim.get(server).streams().is_empty()
        });
        let local = sim.get(client).opened().unwrap().unwrap();
        let here = Path::new(Transport::Tcp, local, addr(SERVER));
        let there = sim.get(server).streams()[0];
        Self { sim, hosts: [left, right], client, server, here, there }
    }

    fn say(&mut self, bytes: &[u8]) {
        say(&mut self.sim, self.client, self.here, bytes);
    }

    fn heard(&mut self) -> Vec<Vec<u8>> {
        self.sim.data(self.server).into_iter().map(|received| received.bytes).collect()
    }
}

fn request(sim: &mut Sim, node: NodeId<Talker>, request: Request) {
    sim.with(node, |talker, _| talker.requests.push_back(request));
}

fn say(sim: &mut Sim, node: NodeId<Talker>, path: Path, bytes: &[u8]) {
    sim.send(node, bytes, |_, _, _| Ok::<_, ()>(Transmit::to(path))).unwrap();
}

#[test]
fn a_stream_opens_carries_messages_and_takes_its_time() {
    let mut p = Pair::new(1, Link::new(ms(50)), Framing::Rfc4571);
    let opened = p.sim.get(p.client).told[0];
    assert_eq!(
        opened,
        (Instant::EPOCH + ms(100), Notice::Opened { ticket: Ticket(1), result: Ok(p.here.local) })
    );
    assert_eq!(p.sim.get(p.server).told[1].0, Instant::EPOCH + ms(150), "with the third segment");
    assert_eq!(p.there, p.here.reversed());
    p.say(b"one");
    p.say(b"");
    p.say(&[7; 1_900]);
    p.sim.run_for(ms(49));
    assert!(p.heard().is_empty());
    p.sim.run_for(ms(1));
    assert_eq!(p.heard(), [b"one".to_vec(), vec![], vec![7; 1_900]]);
    assert!(p.sim.run_idle(ms(1_000)), "nothing is left to do");
}

#[test]
fn order_and_octets_survive_loss_duplication_and_reordering() {
    let link = Link::new(ms(20)).with_loss(0.2).with_duplication(0.1).with_reordering(0.2, ms(50));
    for seed in 0..20 {
        let mut p = Pair::new(seed, link, Framing::Rfc4571);
        p.sim.with(p.server, |server, _| server.echoes = true);
        let messages: Vec<Vec<u8>> = (0..60_u8).map(|n| vec![n; usize::from(n) * 29]).collect();
        for message in &messages {
            p.say(message);
        }
        let came = p.sim.run_until(ms(300_000), {
            let (client, mut echoed) = (p.client, Vec::new());
            move |sim| {
                echoed.extend(sim.data(client).into_iter().map(|received| received.bytes));
                echoed.len() == 60
                    && echoed == (0..60_u8).map(|n| vec![n; usize::from(n) * 29]).collect::<Vec<_>>()
            }
        });
        assert!(came, "seed {seed}: {}", p.sim.reproduce());
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut p = Pair::new(seed, Link::new(ms(20)).with_loss(0.1).with_jitter(ms(9)), Framing::Raw);
        p.say(&[1; 1_900]);
        p.sim.run_for(ms(5_000));
        p.sim.digest()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn where_nobody_listens_it_is_refused_at_once_and_where_nobody_is_it_times_out() {
    let mut sim = Sim::new(1);
    sim.set_default_link(NetworkId::CORE, Link::new(ms(50)));
    let (left, _right) = (sim.host(["192.0.2.1"]), sim.host(["198.51.100.7"]));
    for (remote, why, after) in [
        (SERVER, Refused::Unreachable, 100),
        ("198.51.100.99:3478", Refused::TimedOut, 10_000),
        ("[2001:db8::1]:3478", Refused::Unreachable, 0),
    ] {
        let client = sim.add(left, Talker::default());
        let began = sim.now();
        request(&mut sim, client, connect(Transport::Tcp, remote, Framing::Stun));
        sim.run_for(ms(20_000));
        let outcome = (began + ms(after), Notice::Opened { ticket: Ticket(1), result: Err(why) });
        assert_eq!(sim.get(client).told, [outcome], "{remote}");
    }
    assert!(sim.run_idle(ms(0)));
}

#[test]
fn tls_is_spoken_by_both_ends_or_by_none() {
    let mut sim = Sim::new(1);
    let (left, right) = (sim.host(["192.0.2.1"]), sim.host(["198.51.100.7"]));
    let server = sim.add(right, Talker::default());
    request(&mut sim, server, listen(Transport::Tcp, "198.51.100.7", 3478, Framing::Stun));
    request(&mut sim, server, listen(Transport::Tls, "198.51.100.7", 5349, Framing::Stun));
    let mut outcome = |transport, remote| {
        let client = sim.add(left, Talker::default());
        request(&mut sim, client, connect(transport, remote, Framing::Stun));
        sim.run_for(ms(100));
        sim.get(client).opened().unwrap().map(|_| ())
    };
    assert_eq!(outcome(Transport::Tcp, SERVER), Ok(()));
    assert_eq!(outcome(Transport::Tls, "198.51.100.7:5349"), Ok(()));
    assert_eq!(outcome(Transport::Tls, SERVER), Err(Refused::Handshake));
    assert_eq!(outcome(Transport::Dtls, SERVER), Err(Refused::Unsupported));
    let transports: Vec<_> = sim.get(server).streams().iter().map(|path| path.transport).collect();
    assert_eq!(transports, [Transport::Tcp, Transport::Tls]);
}

#[test]
fn a_port_is_listened_on_once_and_one_that_is_listened_on_can_be_connected_from() {
    let mut sim = Sim::new(1);
    let (left, right) = (sim.host(["192.0.2.1"]), sim.host(["198.51.100.7"]));
    let (server, relay) = (sim.add(right, Talker::default()), sim.add(left, Talker::default()));
    request(&mut sim, server, listen(Transport::Tcp, "198.51.100.7", 3478, Framing::Raw));
    request(&mut sim, server, listen(Transport::Tcp, "198.51.100.7", 3478, Framing::Raw));
    request(&mut sim, server, listen(Transport::Tcp, "0.0.0.0", 3478, Framing::Raw));
    request(&mut sim, server, listen(Transport::Tcp, "203.0.113.1", 3478, Framing::Raw));
    let result = |notice: &Notice| match notice {
        Notice::Opened { result, .. } => result.map(|_| ()),
        other => panic!("{other:?}"),
    };
    let results: Vec<_> = sim.get(server).notices().iter().map(result).collect();
    assert_eq!(results, [Ok(()), Err(Refused::InUse), Err(Refused::InUse), Err(Refused::NotPermitted)]);
    assert_eq!(
        sim.bind(server, "198.51.100.7", Port::Exact(3478)),
        Ok(addr(SERVER)),
        "UDP is another matter"
    );
    request(&mut sim, relay, listen(Transport::Tcp, "192.0.2.1", 49_152, Framing::Held));
    let Request::Connect { ticket, transport, remote, framing, host, alpn, .. } =
        connect(Transport::Tcp, SERVER, Framing::Raw)
    else {
        panic!()
    };
    let local = Some(addr("192.0.2.1:49152"));
    request(&mut sim, relay, Request::Connect { ticket, transport, local, remote, framing, host, alpn });
    sim.run_for(ms(100));
    assert_eq!(sim.get(server).streams()[0].remote, addr("192.0.2.1:49152"));
}

#[test]
fn a_peer_that_has_ended_is_lost_behind_its_last_message() {
    let mut p = Pair::new(1, Link::new(ms(50)), Framing::Rfc4571);
    p.say(b"goodbye");
    request(&mut p.sim, p.client, Request::release(p.here));
    p.sim.run_for(ms(50));
    assert_eq!(p.heard(), [b"goodbye"]);
    assert_eq!(p.sim.get(p.server).notices().last(), Some(&lost(p.there)));
    assert_eq!(p.sim.get(p.client).notices().len(), 1, "who releases is not told");
    assert!(p.sim.run_idle(ms(1_000)), "both ends are gone, without a timeout");
    let before = p.sim.stats().not_open;
    p.say(b"too late");
    assert_eq!(p.sim.stats().not_open, before + 1);
}

#[test]
fn a_killed_peer_resets_and_a_closed_one_says_goodbye() {
    let mut p = Pair::new(1, Link::new(ms(50)), Framing::Rfc4571);
    p.sim.kill(p.server);
    p.sim.run_for(ms(1_000));
    assert_eq!(p.sim.get(p.client).notices().len(), 1, "nobody has said anything yet");
    p.say(b"anybody there?");
    p.sim.run_for(ms(100));
    assert_eq!(p.sim.get(p.client).notices()[1], lost(p.here));

    let mut p = Pair::new(1, Link::new(ms(50)), Framing::Rfc4571);
    p.sim.with(p.server, |server, now| server.close(now));
    p.sim.run_for(ms(50));
    assert_eq!(p.sim.get(p.client).notices()[1], lost(p.here));
}

#[test]
fn a_stream_outlives_a_short_cut_and_not_a_long_one() {
    let mut p = Pair::new(1, Link::new(ms(50)), Framing::Rfc4571);
    let [left, right] = p.hosts;
    p.sim.cut(left, right);
    p.say(b"later");
    p.sim.run_for(ms(10_000));
    assert!(p.heard().is_empty());
    p.sim.restore(left, right);
    p.sim.run_for(ms(30_000));
    assert_eq!(p.heard(), [b"later"]);
    p.sim.cut(left, right);
    p.say(b"never");
    p.sim.run_for(ms(70_000));
    assert_eq!(p.sim.get(p.client).notices()[1..], [lost(p.here)]);
}

#[test]
fn an_interface_takes_its_streams_and_listeners_along() {
    let mut p = Pair::new(1, Link::new(ms(5)), Framing::Rfc4571);
    let right = p.hosts[1];
    p.sim.remove_ip(right, "198.51.100.7");
    let listener = Notice::Lost { transport: Transport::Tcp, local: addr(SERVER), remote: None };
    assert_eq!(p.sim.get(p.server).notices()[2..], [listener, lost(p.there)]);
}

#[test]
fn octets_that_are_no_message_end_the_stream() {
    let mut p = Pair::new(1, Link::new(ms(5)), Framing::Stun);
    request(&mut p.sim, p.client, Request::Frame { path: p.here, framing: Framing::Raw });
    p.say(&[0x16, 3, 1, 2]);
    p.sim.run_for(ms(20));
    assert_eq!(p.sim.get(p.server).notices().last(), Some(&lost(p.there)));
    assert_eq!(p.sim.get(p.client).notices().last(), Some(&lost(p.here)));
}

#[test]
fn a_held_stream_holds_its_sender_back_until_it_is_read() {
    let mut p = Pair::new(1, Link::new(ms(5)), Framing::Raw);
    request(&mut p.sim, p.server, Request::Frame { path: p.there, framing: Framing::Held });
    // The window takes 128 KiB, and as much may wait behind it.
    let mut said = Vec::new();
    for round in 0..134_u8 {
        p.say(&[round; 1_900]);
        said.extend([round; 1_900]);
        p.sim.run_for(ms(11));
    }
    assert!(p.heard().is_empty());
    assert!(p.sim.get(p.client).notices().len() == 1, "all of it has found a place");
    p.sim.run_for(ms(60_000));
    assert_eq!(p.sim.get(p.client).notices().len(), 1, "a peer that holds back is no dead one");
    request(&mut p.sim, p.server, Request::Frame { path: p.there, framing: Framing::Raw });
    p.sim.run_for(ms(1_000));
    assert_eq!(p.heard().concat(), said);

    request(&mut p.sim, p.server, Request::Frame { path: p.there, framing: Framing::Held });
    for _ in 0..150 {
        p.say(&[1; 1_900]);
    }
    assert_eq!(p.sim.stats().queue_full, 1, "one too many ends a stream without messages");
    p.sim.run_for(ms(10));
    assert_eq!(p.sim.get(p.client).notices()[1..], [lost(p.here)]);
}

#[test]
fn messages_that_find_no_room_are_dropped_whole() {
    let mut p = Pair::new(1, Link::new(ms(5)), Framing::Rfc4571);
    request(&mut p.sim, p.server, Request::Frame { path: p.there, framing: Framing::Held });
    for round in 0..150_u8 {
        p.say(&[round; 1_900]);
    }
    let dropped = p.sim.stats().queue_full;
    assert!(dropped > 70, "{dropped}");
    request(&mut p.sim, p.server, Request::Frame { path: p.there, framing: Framing::Rfc4571 });
    p.sim.run_for(ms(1_000));
    let heard = p.heard();
    assert_eq!(heard.len() as u64 + dropped, 150);
    assert!(heard.iter().all(|message| message.len() == 1_900));
}

#[test]
fn what_comes_behind_a_message_obeys_the_rule_that_the_message_brought() {
    let mut p = Pair::new(1, Link::new(ms(5)), Framing::Rfc4571);
    let becomes_raw = Request::Frame { path: p.there, framing: Framing::Raw };
    p.sim.with(p.server, |server, _| server.on_message = Some(becomes_raw));
    // All of it arrives in one segment.
    request(&mut p.sim, p.client, Request::Frame { path: p.here, framing: Framing::Raw });
    p.say(b"\0\x02okraw octets");
    p.sim.run_for(ms(5));
    assert_eq!(p.heard(), [b"ok".to_vec(), b"raw octets".to_vec()]);
}

#[test]
fn streams_pass_nats_and_firewalls_from_inside_only() {
    for kind in [NatKind::FullCone, NatKind::Symmetric] {
        let mut p = Pair::build(1, Link::new(ms(5)), Framing::Rfc4571, |sim| {
            let nat = Nat::new(["203.0.113.1"], sim.seed("home")).with_kind(kind);
            let home = sim.network(NetworkId::CORE, nat);
            sim.host_in(home, ["192.168.0.2"])
        });
        assert_eq!(p.here.local.ip().to_string(), "192.168.0.2");
        assert_eq!(p.there.remote.ip().to_string(), "203.0.113.1");
        p.sim.with(p.server, |server, _| server.echoes = true);
        // Longer than a mapping of UDP lives.
        p.sim.run_for(ms(3_600_000));
        p.say(b"still there");
        p.sim.run_for(ms(100));
        assert_eq!(p.sim.data(p.client)[0].bytes, b"still there");
    }
    let mut p = Pair::build(1, Link::new(ms(5)), Framing::Rfc4571, |sim| {
        let office = sim.network(NetworkId::CORE, Firewall::blocking_udp());
        sim.host_in(office, ["192.0.2.1"])
    });
    request(&mut p.sim, p.client, listen(Transport::Tcp, "192.0.2.1", 7, Framing::Raw));
    request(&mut p.sim, p.server, connect(Transport::Tcp, "192.0.2.1:7", Framing::Raw));
    p.sim.run_for(ms(10_000));
    let refused = Notice::Opened { ticket: Ticket(1), result: Err(Refused::TimedOut) };
    assert_eq!(p.sim.get(p.server).notices().last(), Some(&refused));
}

// ---- two streams joined

/// A client and a peer, each with a stream to a relay that joins them.
struct Relayed {
    sim: Sim,
    nodes: [NodeId<Talker>; 3],
    /// Of the client and of the peer, as each sees it.
    ends: [Path; 2],
    /// The same as the relay sees them.
    joined: [Path; 2],
}

const CLIENT: usize = 0;
const PEER: usize = 1;
const RELAY: usize = 2;

fn alone(octets_per_second: u32) -> StreamRate {
    StreamRate { octets_per_second: NonZeroU32::new(octets_per_second).unwrap(), shared: None }
}

fn relayed(link: Link, rate: Option<u32>) -> Relayed {
    let mut sim = Sim::new(5).named("a relay");
    sim.set_default_link(NetworkId::CORE, link);
    let hosts = ["192.0.2.1", "192.0.2.2", "198.51.100.7"].map(|ip| sim.host([ip]));
    let nodes = hosts.map(|host| sim.add(host, Talker::default()));
    request(&mut sim, nodes[RELAY], listen(Transport::Tcp, "198.51.100.7", 3478, Framing::Held));
    for node in [nodes[CLIENT], nodes[PEER]] {
        request(&mut sim, node, connect(Transport::Tcp, SERVER, Framing::Raw));
        sim.run_for(ms(3_000));
    }
    let ends = [CLIENT, PEER]
        .map(|end| Path::new(Transport::Tcp, sim.get(nodes[end]).opened().unwrap().unwrap(), addr(SERVER)));
    let joined = ends.map(Path::reversed);
    assert_eq!(sim.get(nodes[RELAY]).streams(), joined);
    let [one, other] = joined;
    // The peer speaks before anybody listens.
    say(&mut sim, nodes[PEER], ends[PEER], b"early");
    sim.run_for(ms(1_000));
    assert!(sim.data(nodes[RELAY]).is_empty());
    request(&mut sim, nodes[RELAY], Request::Splice { one, other, rates: [rate.map(alone), None] });
    Relayed { sim, nodes, ends, joined }
}

impl Relayed {
    fn say(&mut self, end: usize, bytes: &[u8]) {
        say(&mut self.sim, self.nodes[end], self.ends[end], bytes);
    }
    fn heard(&mut self, end: usize) -> Vec<u8> {
        self.sim.data(self.nodes[end]).into_iter().flat_map(|received| received.bytes).collect()
    }
    /// What the relay was told behind the opening.
    fn told(&self) -> Vec<Notice> {
        self.sim.get(self.nodes[RELAY]).notices()[3..].to_vec()
    }
    fn spliced(&self, forth: u64, back: u64) -> Notice {
        Notice::Spliced { one: self.joined[CLIENT], other: self.joined[PEER], forth, back }
    }
}

#[test]
fn joined_streams_pass_octets_both_ways_and_the_relay_sees_none() {
    let mut r = relayed(Link::new(ms(10)).with_loss(0.05), None);
    let long: Vec<u8> = (0..60_000_u32).map(|n| n as u8).collect();
    for piece in long.chunks(1_900) {
        r.say(CLIENT, piece);
    }
    r.say(PEER, b" bird");
    r.sim.run_for(ms(20_000));
    assert_eq!(r.heard(CLIENT), b"early bird");
    assert_eq!(r.heard(PEER), long);
    assert!(r.sim.data(r.nodes[RELAY]).is_empty());
    // The peer ends; what it has said arrives, and the client may still speak.
    r.say(PEER, b"!");
    request(&mut r.sim, r.nodes[PEER], Request::release(r.ends[PEER]));
    r.sim.run_for(ms(20_000));
    assert_eq!(r.heard(CLIENT), b"!");
    assert_eq!(r.sim.get(r.nodes[CLIENT]).notices().last(), Some(&lost(r.ends[CLIENT])));
    let told = r.told();
    assert_eq!(told[0], r.spliced(60_000, 11));
    assert!(told[1..].contains(&lost(r.joined[CLIENT])) && told[1..].contains(&lost(r.joined[PEER])));
    assert_eq!(told.len(), 3);
    assert!(r.sim.run_idle(ms(10_000)));
}

#[test]
fn a_relay_releases_both_by_releasing_one() {
    let mut r = relayed(Link::new(ms(10)), None);
    r.sim.run_for(ms(100));
    request(&mut r.sim, r.nodes[RELAY], Request::release(r.joined[CLIENT]));
    r.sim.run_for(ms(100));
    assert_eq!(r.told(), [r.spliced(0, 5), lost(r.joined[PEER])]);
    for end in [CLIENT, PEER] {
        assert_eq!(r.sim.get(r.nodes[end]).notices().last(), Some(&lost(r.ends[end])));
    }
    assert_eq!(r.heard(CLIENT), b"early");
}

#[test]
fn a_reset_of_one_ends_the_other() {
    let mut r = relayed(Link::new(ms(10)), None);
    r.sim.run_for(ms(100));
    r.sim.kill(r.nodes[PEER]);
    r.say(CLIENT, b"gone?");
    r.sim.run_for(ms(1_000));
    assert_eq!(r.told()[0], r.spliced(5, 5));
    assert_eq!(r.sim.get(r.nodes[CLIENT]).notices().last(), Some(&lost(r.ends[CLIENT])));
}

#[test]
fn a_stream_is_not_joined_to_one_that_has_ended() {
    let mut sim = Sim::new(1);
    let (left, right) = (sim.host(["192.0.2.1"]), sim.host(["198.51.100.7"]));
    let (client, server) = (sim.add(left, Talker::default()), sim.add(right, Talker::default()));
    request(&mut sim, server, listen(Transport::Tcp, "198.51.100.7", 3478, Framing::Held));
    request(&mut sim, client, connect(Transport::Tcp, SERVER, Framing::Raw));
    sim.run_for(ms(100));
    let one = sim.get(server).streams()[0];
    let other = Path::new(Transport::Tcp, one.local, addr("203.0.113.1:1"));
    request(&mut sim, server, Request::Splice { one, other, rates: [None; 2] });
    sim.run_for(ms(100));
    let spliced = Notice::Spliced { one, other, forth: 0, back: 0 };
    assert_eq!(sim.get(server).notices()[2..], [spliced, lost(one)]);
    assert_eq!(sim.get(client).notices().last(), Some(&lost(one.reversed())));
}

#[test]
fn what_is_joined_keeps_to_its_rate_and_holds_the_sender_back() {
    let mut r = relayed(Link::new(ms(1)), Some(10_000));
    let began = r.sim.now();
    for _ in 0..50 {
        r.say(CLIENT, &[1; 1_000]);
    }
    r.sim.expect("all of it", Duration::from_secs(60), {
        let (peer, mut count) = (r.nodes[PEER], 0);
        move |sim| {
            count += sim.data(peer).iter().map(|received| received.bytes.len()).sum::<usize>();
            count == 50_000
        }
    });
    let took = r.sim.now().saturating_since(began);
    assert!((ms(4_800)..ms(5_200)).contains(&took), "{took:?}");
}

#[test]
fn what_was_said_before_an_end_comes_through_a_join_whatever_is_lost() {
    // More loss than that takes longer than a stream that is released may linger.
    for loss in [0.0, 0.02, 0.05] {
        for rate in [None, Some(7), Some(40_000)] {
            let mut r = relayed(Link::new(ms(10)), rate);
            let link = Link::new(ms(20)).with_loss(loss).with_duplication(loss).with_reordering(loss, ms(30));
            r.sim.set_default_link(NetworkId::CORE, link);
            let words: Vec<u8> =
                (0..if rate == Some(7) { 60 } else { 30_000_u32 }).map(|i| i as u8).collect();
            for piece in words.chunks(1_000) {
                r.say(CLIENT, piece);
            }
            // Its end follows its last octet at once.
            let (client, path) = (r.nodes[CLIENT], r.ends[CLIENT]);
            request(&mut r.sim, client, Request::release(path));
            let mut heard = Vec::new();
            r.sim.expect("the end", Duration::from_secs(120), {
                let (peer, end) = (r.nodes[PEER], lost(r.ends[PEER]));
                let heard = &mut heard;
                move |sim| {
                    heard.extend(sim.data(peer).into_iter().flat_map(|received| received.bytes));
                    sim.get(peer).notices().last() == Some(&end)
                }
            });
            heard.extend(r.heard(PEER));
            assert!(heard == words, "{loss} {rate:?}: {} of {}", heard.len(), words.len());
        }
    }
}

#[test]
fn both_ends_of_a_join_may_end_at_once() {
    let mut r = relayed(Link::new(ms(10)), None);
    r.sim.run_for(ms(100));
    for end in [CLIENT, PEER] {
        let (node, path) = (r.nodes[end], r.ends[end]);
        request(&mut r.sim, node, Request::release(path));
    }
    r.sim.run_for(ms(1_000));
    let told = r.told();
    assert_eq!(told[0], r.spliced(0, 5));
    assert!(told.contains(&lost(r.joined[CLIENT])) && told.contains(&lost(r.joined[PEER])), "{told:?}");
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn a_stream_is_not_joined_to_itself() {
    let mut pair = Pair::new(3, Link::new(ms(10)), Framing::Raw);
    let one = pair.there;
    request(&mut pair.sim, pair.server, Request::Splice { one, other: one, rates: [None; 2] });
    pair.sim.run_for(ms(100));
    let spliced = Notice::Spliced { one, other: one, forth: 0, back: 0 };
    assert_eq!(pair.sim.get(pair.server).notices()[2..], [spliced, lost(one)]);
    assert_eq!(pair.sim.get(pair.client).notices().last(), Some(&lost(pair.here)));
}
