//! Candidates of every kind, from the machine that finds them to the description or the event that tells them.

mod common;

use std::{net::IpAddr, time::Duration};

use common::{Pair, certificate, count, ms};
use ginnel_core::{Epoch, Handled, Instant, Packet, Path, Port, Receive, Seed, Transmit, Wake, machine};
use ginnel_ice::{AgentConfig, CandidateKind, Role, mdns};
use ginnel_netsim::{Datagram, Link, Middlebox, NetworkId, Sim, Verdict};
use ginnel_peer::{ChannelConfig, Event, Peer, PeerConfig, SdpType};
use ginnel_stun::{BindingServer, ServerConfig};

const NAME: &str = "3cb3a3f0-6a61-4d5b-9f5d-0c7a0f2e8f11.local";

/// Answers for one name, as a browser's host does (RFC 6762).
#[derive(Debug)]
struct Responder {
    ip: IpAddr,
    closed: bool,
}

impl Responder {
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        let asks = |message: mdns::Message<'_>| message.questions().any(|question| question.name.is(NAME));
        if !mdns::Message::parse(input.packet.bytes()).is_ok_and(asks) {
            return Handled::Consumed;
        }
        input.packet.clear();
        let name = mdns::HostName::parse(NAME).expect("it is a name");
        mdns::MessageWriter::response(&mut input.packet)
            .and_then(|mut writer| writer.address(name, self.ip, 120, true))
            .expect("it fits");
        Handled::Send(Transmit::to(Path::udp(input.path.local, group())))
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
        None
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
        self.closed
    }
}
machine!(impl [] Responder { Event = (); Data = (); });

fn group() -> std::net::SocketAddr {
    "224.0.0.251:5353".parse().expect("an address")
}

/// Connects a pair whose left side hides its address behind [`NAME`]; 192.0.2.1 is never in a description.
fn connect_by_name(pair: &mut Pair) -> Duration {
    let (left, right) = (pair.left.node, pair.right.node);
    pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
    let began = pair.sim.now();
    let offer = pair.sim.with(left, Peer::offer).expect("an offer");
    let hidden = offer.replace(" 192.0.2.1 ", &format!(" {NAME} "));
    assert_ne!(hidden, offer);
    pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Offer, &hidden)).expect("it is taken");
    let answer = pair.sim.with(right, Peer::answer).expect("an answer");
    // The answer is lost to the left side's checks: only who resolves the name can begin.
    pair.sim.with(left, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).expect("it is taken");
    pair.expect("it connects", Duration::from_secs(5), |pair| {
        pair.left.opened().is_some() && pair.right.opened().is_some()
    });
    pair.sim.now().saturating_since(began)
}

#[test]
fn a_name_is_resolved_on_the_local_network() {
    let mut pair = Pair::new(1, Link::new(ms(5)));
    let responder = Responder { ip: "192.0.2.1".parse().expect("an address"), closed: false };
    let responder = pair.sim.add(pair.left.host, responder);
    pair.sim.bind(responder, "224.0.0.251", Port::Exact(5353)).expect("the port is free");
    connect_by_name(&mut pair);
    let agent = pair.sim.get(pair.right.node).agent();
    let selected = agent.selected().expect("it is connected");
    assert_eq!(selected.remote_kind, CandidateKind::Host, "the named candidate, not one that was only seen");
}

#[test]
fn a_name_that_nobody_answers_for_delays_nothing() {
    let answered = {
        let mut pair = Pair::new(2, Link::new(ms(5)));
        pair.signal_with_channel()
    };
    let mut pair = Pair::new(2, Link::new(ms(5)));
    let unanswered = connect_by_name(&mut pair);
    assert!(unanswered <= answered + ms(150), "{unanswered:?} instead of {answered:?}");
}

trait SignalWithChannel {
    fn signal_with_channel(&mut self) -> Duration;
}
impl SignalWithChannel for Pair {
    /// How long it takes without a name.
    fn signal_with_channel(&mut self) -> Duration {
        let left = self.left.node;
        self.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
        let began = self.sim.now();
        self.signal();
        self.expect("it connects", Duration::from_secs(5), |pair| {
            pair.left.opened().is_some() && pair.right.opened().is_some()
        });
        self.sim.now().saturating_since(began)
    }
}

/// A NAT that gives each inside address an outside one of the same port, and lets everything in.
#[derive(Debug)]
struct OneToOne {
    inside: IpAddr,
    outside: IpAddr,
}

impl Middlebox for OneToOne {
    fn outbound(&mut self, _: Instant, datagram: &mut Datagram) -> Verdict {
        datagram.source.set_ip(self.outside);
        Verdict::Pass
    }
    fn inbound(&mut self, _: Instant, datagram: &mut Datagram) -> Verdict {
        datagram.destination.set_ip(self.inside);
        Verdict::Pass
    }
    fn attracts(&self, ip: IpAddr, _: bool) -> bool {
        ip == self.outside
    }
}

/// A peer behind a NAT, and a STUN server outside; 10 ms away from each other.
fn behind_a_nat(trickle: bool) -> (Sim, ginnel_netsim::NodeId<Peer>) {
    let mut sim = Sim::new(3);
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    let home = sim.network(NetworkId::CORE, OneToOne { inside: ip("10.0.0.2"), outside: ip("203.0.113.5") });
    let (host, server) = (sim.host_in(home, ["10.0.0.2"]), sim.host(["198.51.100.7"]));
    sim.set_default_link(NetworkId::CORE, Link::new(ms(10)));
    let stun = sim.add(server, BindingServer::new(ServerConfig::default(), Seed::new([7; 32])));
    sim.bind(stun, "198.51.100.7", Port::Exact(3478)).expect("the port is free");
    let ice =
        AgentConfig::new(Role::Controlled).with_stun_server("198.51.100.7:3478".parse().expect("an address"));
    let config = PeerConfig::new(Epoch::start(), certificate(0)).with_ice(ice).with_trickle(trickle);
    let peer = sim.add(host, Peer::new(config, Seed::new([3; 32])));
    (sim, peer)
}

fn gather(sim: &mut Sim, peer: ginnel_netsim::NodeId<Peer>) {
    sim.with(peer, |peer, now| {
        peer.add_local_ip(now, "10.0.0.2".parse().expect("an address")).expect("it is usable");
        peer.end_of_local_ips(now);
    });
}

#[test]
fn without_trickling_the_description_waits_for_the_server() {
    let (mut sim, peer) = behind_a_nat(false);
    sim.with(peer, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
    gather(&mut sim, peer);
    sim.expect("gathering completes", Duration::from_secs(2), |sim| {
        sim.events(peer).contains(&Event::GatheringComplete)
    });
    let offer = sim.with(peer, Peer::offer).expect("an offer");
    let candidates: Vec<&str> = offer.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    assert_eq!(candidates.len(), 2, "{offer}");
    assert!(candidates[0].contains(" 10.0.0.2 ") && candidates[0].contains(" typ host"), "{offer}");
    assert!(candidates[1].contains(" 203.0.113.5 ") && candidates[1].contains(" typ srflx"), "{offer}");
    assert!(offer.contains("a=end-of-candidates"), "{offer}");
}

/// RFC 8829 section 3.5.2.1: a candidate is told with the section that it belongs to; what a description held is not told.
#[test]
fn what_comes_after_the_description_is_told_with_its_section() {
    let (mut sim, peer) = behind_a_nat(true);
    sim.with(peer, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
    gather(&mut sim, peer);
    let offer = sim.with(peer, Peer::offer).expect("an offer");
    assert_eq!(offer.matches("a=candidate:").count(), 1, "the host's: {offer}");
    sim.run_for(Duration::from_secs(1));
    let events = sim.events(peer);
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::LocalCandidate(candidate) => Some(candidate),
            _ => None,
        })
        .collect();
    let [told] = &told[..] else { panic!("{events:?}") };
    assert!(told.candidate.starts_with("candidate:") && told.candidate.contains(" typ srflx"), "{told:?}");
    assert!(
        offer.contains(&format!("a=mid:{}\r\n", told.mid)) && told.line_index == 0,
        "{told:?} in {offer}"
    );
    assert!(events.contains(&Event::GatheringComplete));
    let now = sim.get(peer).local_description().expect("there is one");
    assert_eq!(now.matches("a=candidate:").count(), 2, "{now}");
}

/// RFC 8445 section 7.2.5.3.1: peer-reflexive candidates are not signalled.
#[test]
fn what_a_check_has_shown_is_never_told() {
    let mut pair = Pair::new(4, Link::new(ms(5)));
    connect_by_name(&mut pair);
    let right = pair.sim.get(pair.right.node).agent();
    assert_eq!(right.selected().expect("it is connected").remote_kind, CandidateKind::PeerReflexive);
    for side in [&pair.left, &pair.right] {
        let told = |e: &Event| matches!(e, Event::LocalCandidate(c) if c.candidate.contains("prflx"));
        assert_eq!(count(&side.log, told), 0);
    }
    for node in [pair.left.node, pair.right.node] {
        assert!(!pair.sim.get(node).local_description().expect("one").contains("prflx"));
    }
}
