//! Two agents in a simulated network, with signalling that takes no time, and a NAT.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of what is here")]

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{Buffer, Instant, Packet, Path, Seed};
use ginnel_ice::{Agent, AgentConfig, Event, Role, State};
use ginnel_netsim::{Datagram, HostId, Link, Middlebox, NodeId, Sim, Verdict};
use ginnel_stun::{
    Class, IntegrityKey, MessageWriter, Method, TransactionId,
    attribute::{
        ErrorCode, IceControlled, IceControlling, Priority, UseCandidate, Username, XorMappedAddress,
    },
};

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
pub const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    A,
    B,
}

/// Agent `a` on one host, agent `b` on another.
pub struct Pair {
    pub sim: Sim,
    pub a: NodeId<Agent>,
    pub b: NodeId<Agent>,
    pub host_a: HostId,
    pub host_b: HostId,
    pub seen_a: Vec<(Instant, Event)>,
    pub seen_b: Vec<(Instant, Event)>,
    /// Whether candidates and end-of-candidates are carried over as they come.
    pub trickle: bool,
}
impl Pair {
    /// Controlling `a`, controlled `b`, one address each, `latency` each way.
    pub fn simple(seed: u64, latency: Duration) -> Self {
        let (a, b) = (AgentConfig::new(Role::Controlling), AgentConfig::new(Role::Controlled));
        Self::new(seed, Link::new(latency), (a, &["192.0.2.1"]), (b, &["198.51.100.2"]))
    }
    pub fn new(seed: u64, link: Link, a: (AgentConfig, &[&str]), b: (AgentConfig, &[&str])) -> Self {
        let mut sim = Sim::new(seed);
        let (host_a, host_b) = (sim.host(a.1.iter().copied()), sim.host(b.1.iter().copied()));
        sim.set_link(host_a, host_b, link);
        Self::on(sim, (host_a, a.0), (host_b, b.0))
    }
    /// On hosts that exist, over all their addresses.
    pub fn on(sim: Sim, a: (HostId, AgentConfig), b: (HostId, AgentConfig)) -> Self {
        let seeds = (sim.seed("a"), sim.seed("b"));
        Self::seeded(sim, a, b, seeds)
    }
    /// With seeds of the test's choice: equal ones make equal tiebreakers.
    pub fn seeded(
        mut sim: Sim,
        (host_a, a): (HostId, AgentConfig),
        (host_b, b): (HostId, AgentConfig),
        (seed_a, seed_b): (Seed, Seed),
    ) -> Self {
        let a = sim.add(host_a, Agent::new(a, seed_a));
        let b = sim.add(host_b, Agent::new(b, seed_b));
        for (node, host) in [(a, host_a), (b, host_b)] {
            for ip in sim.ips(host).collect::<Vec<_>>() {
                sim.with(node, |agent, now| agent.add_local_ip(now, ip)).unwrap();
            }
            sim.with(node, |agent, now| agent.end_of_local_ips(now));
        }
        Self { sim, a, b, host_a, host_b, seen_a: Vec::new(), seen_b: Vec::new(), trickle: true }
    }
    pub const fn node(&self, side: Side) -> NodeId<Agent> {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }
    pub fn agent(&self, side: Side) -> &Agent {
        self.sim.get(self.node(side))
    }
    pub fn state(&self, side: Side) -> State {
        self.agent(side).state()
    }
    /// Tells `to` the credentials of the other side.
    pub fn tell(&mut self, to: Side) {
        let from = if to == Side::A { self.b } else { self.a };
        let credentials = self.sim.get(from).local_credentials().clone();
        self.sim.with(self.node(to), |agent, now| agent.set_remote_credentials(now, credentials)).unwrap();
    }
    pub fn exchange(&mut self) {
        self.tell(Side::A);
        self.tell(Side::B);
    }
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_, _| false);
    }
    /// Runs until `done`, and returns when that was.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Agent, &Agent) -> bool,
    ) -> Option<Instant> {
        let Self { sim, a, b, seen_a, seen_b, trickle, .. } = self;
        let (a, b, trickle) = (*a, *b, *trickle);
        let met = sim.run_until(limit, |sim| {
            pump(sim, a, b, seen_a, trickle);
            pump(sim, b, a, seen_b, trickle);
            done(sim.get(a), sim.get(b))
        });
        met.then(|| sim.now())
    }
    pub fn connect(&mut self) {
        self.exchange();
        self.connect_after_exchange();
    }
    pub fn connect_after_exchange(&mut self) {
        let met = self.run_until(secs(30), |a, b| {
            [a, b].iter().all(|agent| agent.selected().is_some_and(|selected| selected.nominated))
        });
        assert!(
            met.is_some(),
            "a: {:#?}\nb: {:#?}",
            self.agent(Side::A).pairs(),
            self.agent(Side::B).pairs()
        );
    }
    pub fn seen(&self, side: Side) -> &[(Instant, Event)] {
        match side {
            Side::A => &self.seen_a,
            Side::B => &self.seen_b,
        }
    }
    /// When the first such event came.
    pub fn when(&self, side: Side, wanted: impl Fn(&Event) -> bool) -> Option<Duration> {
        self.seen(side).iter().find(|(_, event)| wanted(event)).map(|(at, _)| at.since_epoch())
    }
    pub fn send(&mut self, from: Side, payload: &[u8]) -> Result<(), ginnel_ice::SendError> {
        self.sim.send(self.node(from), payload, |agent, now, packet| agent.send(now, packet))
    }
    pub fn received(&mut self, side: Side) -> usize {
        let node = self.node(side);
        self.sim.data(node).len()
    }
}

fn pump(
    sim: &mut Sim,
    from: NodeId<Agent>,
    to: NodeId<Agent>,
    seen: &mut Vec<(Instant, Event)>,
    trickle: bool,
) {
    for (at, event) in sim.timeline(from) {
        match &event {
            Event::LocalCandidate(candidate) if trickle => {
                let candidate = candidate.clone();
                let _ = sim.with(to, |agent, now| agent.add_remote_candidate(now, candidate));
            }
            Event::GatheringComplete if trickle => {
                sim.with(to, |agent, now| agent.end_of_remote_candidates(now));
            }
            _ => {}
        }
        seen.push((at, event));
    }
}

pub const fn connected(event: &Event) -> bool {
    matches!(event, Event::StateChanged { to: State::Connected, .. })
}
pub const fn selected(event: &Event) -> bool {
    matches!(event, Event::Selected(_))
}

/// A NAT with endpoint-independent mapping and address-and-port-dependent filtering (RFC 4787 sections 4.1 and 5).
#[derive(Debug)]
pub struct Nat {
    pub external: IpAddr,
    mappings: Vec<(SocketAddr, u16, Vec<SocketAddr>)>,
}
impl Nat {
    pub fn new(external: &str) -> Self {
        Self { external: external.parse().unwrap(), mappings: Vec::new() }
    }
}
impl Middlebox for Nat {
    fn outbound(&mut self, _: Instant, datagram: &mut Datagram) -> Verdict {
        let next = 40_000 + self.mappings.len() as u16;
        if !self.mappings.iter().any(|(inside, ..)| *inside == datagram.source) {
            self.mappings.push((datagram.source, next, Vec::new()));
        }
        let mapping = self.mappings.iter_mut().find(|(inside, ..)| *inside == datagram.source).unwrap();
        mapping.2.push(datagram.destination);
        datagram.source = (self.external, mapping.1).into();
        Verdict::Pass
    }
    fn inbound(&mut self, _: Instant, datagram: &mut Datagram) -> Verdict {
        let port = datagram.destination.port();
        match self.mappings.iter().find(|(_, external, _)| *external == port) {
            Some((inside, _, allowed)) if allowed.contains(&datagram.source) => {
                datagram.destination = *inside;
                Verdict::Pass
            }
            _ => Verdict::Drop,
        }
    }
    fn attracts(&self, ip: IpAddr, _: bool) -> bool {
        ip == self.external
    }
}

/// A check as the peer would send it, or almost.
pub struct Forged<'a> {
    pub username: &'a str,
    pub password: Option<&'a str>,
    pub role: Role,
    pub tiebreaker: u64,
    pub nominating: bool,
}
impl Forged<'_> {
    pub fn octets(&self) -> Vec<u8> {
        let mut buffer: Buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        let writer = MessageWriter::new(
            &mut packet,
            Class::Request,
            Method::BINDING,
            TransactionId::new(*b"forged check"),
        )
        .unwrap()
        .attribute(&Username::new(self.username).unwrap())
        .unwrap()
        .attribute(&Priority(0x6e00_01ff))
        .unwrap();
        let writer = match self.role {
            Role::Controlling => writer.attribute(&IceControlling(self.tiebreaker)).unwrap(),
            Role::Controlled => writer.attribute(&IceControlled(self.tiebreaker)).unwrap(),
        };
        let writer = if self.nominating { writer.attribute(&UseCandidate).unwrap() } else { writer };
        match self.password {
            Some(password) => {
                let key = IntegrityKey::short_term(password).unwrap();
                writer.integrity(&key).unwrap().fingerprint().unwrap();
            }
            None => writer.fingerprint().unwrap(),
        }
        packet.bytes().to_vec()
    }
}
/// An answer: success that shows `mapped`, or an error.
pub fn answer(
    transaction: TransactionId,
    outcome: Result<SocketAddr, u16>,
    password: Option<&str>,
) -> Vec<u8> {
    let mut buffer: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    let class = if outcome.is_ok() { Class::Success } else { Class::Error };
    let writer = MessageWriter::new(&mut packet, class, Method::BINDING, transaction).unwrap();
    let writer = match outcome {
        Ok(mapped) => writer.attribute(&XorMappedAddress(mapped)).unwrap(),
        Err(code) => writer.attribute(&ErrorCode::new(code, "").unwrap()).unwrap(),
    };
    match password {
        Some(password) => {
            let key = IntegrityKey::short_term(password).unwrap();
            writer.integrity(&key).unwrap().fingerprint().unwrap();
        }
        None => writer.fingerprint().unwrap(),
    }
    packet.bytes().to_vec()
}
/// The requests that `from` has sent, with their times: of what the simulation has recorded.
pub fn requests(sim: &Sim, from: SocketAddr) -> Vec<(Instant, SocketAddr, TransactionId)> {
    sim.log()
        .filter(|entry| entry.source == from && entry.fate == ginnel_netsim::Fate::Sent)
        .filter_map(|entry| {
            let message = ginnel_stun::Message::parse(&entry.bytes).ok()?;
            (message.class() == Class::Request).then_some((
                entry.at,
                entry.destination,
                message.transaction_id(),
            ))
        })
        .collect()
}
/// The path of the pair in use, as `side` sees it.
pub fn path(pair: &Pair, side: Side) -> Path {
    pair.agent(side).selected().unwrap().path
}
