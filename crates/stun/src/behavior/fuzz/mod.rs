//! The body of the fuzz target `stun_behavior`: a script by position, played to one discovery, and a model of what may come
//! of it.
//!
//! ```text
//!  four octets: the configuration; then pairs of operation and operand
//!  sockets opened and refused, a gateway with its server, single answers right and wrong, raw octets, requests that come back,
//!  ICMP, lost sockets, time, draining by halves, closing
//! ```
//!
//! In the end nothing but time comes, and the discovery must end by itself.

mod gateway;
mod limits;
mod model;

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{
    Buffer, Handled, IcmpError, Instant, Machine as _, NoRoom, Notice, Packet, Path, Port, Receive, Refused,
    Request, Seed, Ticket, Transport, check::Checked,
};

use super::{Discovery, DiscoveryConfig, Event, LifetimeSearch};
use crate::{
    LongTermCredential, Message, MessageWriter,
    attribute::*,
    message::{Class, TransactionId},
};
use gateway::{Gateway, PASSWORD, PORTS, Places, USER};
use model::Model;

/// Plays `data` as a scenario.
///
/// # Panics
///
/// When an invariant is broken.
pub fn run(data: &[u8]) {
    let _ = events(data);
}
/// The same, and returns what the discovery said.
///
/// # Panics
///
/// When an invariant is broken.
#[must_use]
pub fn events(data: &[u8]) -> Vec<Event> {
    let (config, rest) = data.split_at(data.len().min(4));
    let mut scenario = Scenario::new(config, rest);
    scenario.play();
    scenario.model.events
}

/// What of that was sent can be answered.
const REMEMBERED: usize = 32;

struct Scenario<'a> {
    data: &'a [u8],
    now: Instant,
    discovery: Checked<Discovery>,
    model: Model,
    gateway: Gateway,
    /// What the driver was asked to open.
    binds: VecDeque<(Ticket, SocketAddr)>,
    sockets: [SocketAddr; 2],
    sent: Vec<(Path, Vec<u8>)>,
    /// How many of the last of these the gateway has not seen.
    fresh: usize,
    /// What is on its way back.
    returning: BTreeMap<(Instant, u64), (Path, Vec<u8>)>,
    count: u64,
}

impl<'a> Scenario<'a> {
    fn new(config: &[u8], data: &'a [u8]) -> Self {
        let octet = |at: usize| config.get(at).copied().unwrap_or(0);
        let (flags, tries, times, more) = (octet(0), octet(1), octet(2), octet(3));
        let places = Places::new(flags & 0x20 != 0, more & 2 != 0);
        let sockets = [40_000, 40_001].map(|port| SocketAddr::new(places.local, port));
        let mut config = DiscoveryConfig::new(places.server(), places.local)
            .with_filtering(flags & 1 == 0)
            .with_hairpinning(flags & 2 == 0)
            .with_fingerprint(flags & 0x80 != 0)
            .with_pace(Duration::from_millis([100, 100, 0, 20][usize::from(times & 3)]));
        if tries != 0 {
            config = config.with_tries(u32::from(tries & 15), u32::from(tries >> 4) * 8);
        }
        if flags & 4 != 0 {
            config = config.with_fragments(1_500);
        }
        if flags & 8 != 0 {
            let (shortest, longest) = [(10, 600), (1, 60), (0, 0), (700, 20)][usize::from(times >> 2 & 3)];
            let search = LifetimeSearch::default()
                .with_range(Duration::from_secs(shortest), Duration::from_secs(longest))
                .with_resolution(Duration::from_secs(u64::from(times >> 4)));
            config = config.with_lifetime(search);
        }
        if flags & 0x10 != 0 {
            config = config.with_sockets(sockets[0], sockets[1]);
        }
        let discovery = Discovery::new(Instant::EPOCH, config, Seed::new([more; 32]));
        let Ok(mut discovery) = discovery else { unreachable!("the configuration is right") };
        let has_credential = flags & 0x40 != 0;
        if let (true, Ok(credential)) = (has_credential, LongTermCredential::new(USER, PASSWORD)) {
            discovery = discovery.with_credential(credential);
        }
        Self {
            data,
            now: Instant::EPOCH,
            discovery: Checked::new(discovery),
            model: Model::new(config, has_credential),
            gateway: Gateway::new(places),
            binds: VecDeque::new(),
            sockets,
            sent: Vec::new(),
            fresh: 0,
            returning: BTreeMap::new(),
            count: 0,
        }
    }
    fn octet(&mut self) -> Option<u8> {
        let (&first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(first)
    }
    fn play(&mut self) {
        self.settle();
        while let Some(op) = self.octet() {
            let n = self.octet().unwrap_or(0);
            match op % 16 {
                0 => self.open(None),
                1 => self.open(Some(n)),
                2 => {
                    let server = self.octet().unwrap_or(0);
                    self.gateway.kind = gateway::Kind { nat: n, server };
                }
                3 | 4 => self.serve(n),
                5 => self.answer_one(n),
                6 | 7 => self.answer_wrongly(n),
                8 => self.raw(n),
                9 => self.send_back(n),
                10 => self.unreachable(n),
                11 => self.lose(n),
                12 => self.pass_time(Duration::from_millis(u64::from(n) * 8)),
                13 => self.pass_time(Duration::from_secs(u64::from(n) * u64::from(n & 15))),
                14 if n > 240 => self.discovery.close(self.now),
                14 => {
                    self.half_drained(n);
                    continue;
                }
                _ => self.follow(),
            }
            self.settle();
        }
        self.run_out();
    }

    // ---- what a script can do

    /// The driver says what became of the oldest request; with a reason: that it failed, or something wrong.
    fn open(&mut self, wrong: Option<u8>) {
        const REFUSALS: [Refused; 4] =
            [Refused::InUse, Refused::NotPermitted, Refused::Unreachable, Refused::Unsupported];
        let Some((ticket, local)) = self.binds.pop_front() else { return };
        let (ticket, result) = match wrong {
            None => (ticket, Ok(local)),
            Some(n) if n & 0x80 != 0 => {
                // One that was never given, and the right one still to come.
                self.binds.push_front((ticket, local));
                (Ticket(u64::from(n & 0x7F) + 2), Ok(local))
            }
            Some(n) => (ticket, Err(REFUSALS[usize::from(n & 3)])),
        };
        if ticket.0 < 2
            && let Ok(local) = result
        {
            self.sockets[usize::from(ticket.0 == 1)] = local;
            self.model.on_open(local);
        }
        self.discovery.handle_notice(self.now, Notice::Opened { ticket, result });
    }
    /// So many rounds of everybody doing what he should.
    fn serve(&mut self, rounds: u8) {
        for _ in 0..=rounds {
            while !self.binds.is_empty() {
                self.open(None);
                self.settle();
            }
            self.deliver();
            for (path, octets) in self.sent.split_off(self.sent.len() - self.fresh) {
                if let Some(arrival) = self.gateway.pass(self.now, path, &octets) {
                    self.count += 1;
                    self.returning.insert((self.now + self.gateway.delay(), self.count), arrival);
                }
                self.sent.push((path, octets));
            }
            self.fresh = 0;
            self.deliver();
            self.follow();
            self.settle();
        }
    }
    /// What is due arrives.
    fn deliver(&mut self) {
        while let Some(entry) = self.returning.first_entry()
            && entry.key().0 <= self.now
        {
            let (path, octets) = entry.remove();
            self.input(path, &octets);
            self.settle();
        }
    }
    fn nth_sent(&self, n: u8) -> Option<(Path, Vec<u8>)> {
        self.sent.iter().rev().nth(usize::from(n)).cloned()
    }
    fn answer_one(&mut self, n: u8) {
        let Some((path, octets)) = self.nth_sent(n % 32) else { return };
        if let Some((path, octets)) = self.gateway.pass(self.now, path, &octets) {
            self.input(path, &octets);
        }
    }
    fn answer_wrongly(&mut self, n: u8) {
        let (how, more) = (self.octet().unwrap_or(0), self.octet().unwrap_or(0));
        let Some((mut path, question)) = self.nth_sent(n % 16) else { return };
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        if self.write_wrong(&mut packet, path, &question, how, more).is_err() {
            return;
        }
        match n >> 4 & 7 {
            1 => path.local = self.sockets[1],
            2 => path.local = self.sockets[0],
            3 => path.remote = (self.gateway.places.servers[1], PORTS[1]).into(),
            4 => path.remote = (self.gateway.places.servers[0], PORTS[1]).into(),
            5 => path.remote = self.named(more),
            _ => {}
        }
        if n & 0x80 != 0 && more & 1 != 0 {
            packet.truncate(usize::from(more));
        }
        let octets = packet.bytes().to_vec();
        self.input(path, &octets);
    }
    fn raw(&mut self, n: u8) {
        let (octets, rest) = self.data.split_at(usize::from(n).min(self.data.len()));
        self.data = rest;
        let path = Path::udp(self.sockets[usize::from(n & 1)], self.gateway.places.server());
        self.input(path, octets);
    }
    /// A request comes to one of the sockets.
    fn send_back(&mut self, n: u8) {
        let Some((_, octets)) = self.nth_sent(n & 15) else { return };
        let path = Path::udp(self.sockets[usize::from(n >> 4 & 1)], self.named(n >> 5));
        self.input(path, &octets);
    }
    fn unreachable(&mut self, n: u8) {
        let Some((path, _)) = self.nth_sent(n & 15) else { return };
        let code = n >> 4 & 7;
        let error = if path.remote.is_ipv4() { IcmpError::v4(3, code, 0) } else { IcmpError::v6(1, code, 0) };
        self.discovery.handle_notice(self.now, Notice::Unreachable { path, error });
    }
    fn lose(&mut self, n: u8) {
        let local = match n {
            0..8 => self.named(n),
            _ => self.sockets[usize::from(n & 1)],
        };
        let transport = if n & 0x40 == 0 { Transport::Udp } else { Transport::Tcp };
        self.discovery.handle_notice(self.now, Notice::Lost { transport, local, remote: None });
    }
    fn pass_time(&mut self, time: Duration) {
        self.now += time;
        let late = self.discovery.poll_timeout().is_some_and(|wake| wake.at < self.now);
        self.model.is_prompt &= !late;
        self.deliver();
    }
    /// To what comes next: a wake-up, or an answer that is on its way.
    fn follow(&mut self) {
        let wake = self.discovery.poll_timeout().map(|wake| wake.at);
        let arrival = self.returning.first_key_value().map(|((at, _), _)| *at);
        if let Some(next) = wake.into_iter().chain(arrival).min() {
            self.now = self.now.max(next);
        }
    }
    fn input(&mut self, path: Path, octets: &[u8]) {
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        if packet.append(octets).is_err() {
            return;
        }
        self.model.on_input(octets);
        let handled = self.discovery.handle_input(self.now, &mut Receive::new(path, packet));
        let ours = self.sockets.contains(&path.local);
        match handled {
            Handled::Foreign => {}
            Handled::Consumed => assert!(ours && !self.model.has_ended(), "not ours, or too late: {path}"),
            Handled::Send(_) | Handled::Data(()) => unreachable!("it answers nobody"),
        }
    }

    /// An address that a liar may name.
    fn named(&self, n: u8) -> SocketAddr {
        let places = &self.gateway.places;
        let v4 = places.local.is_ipv4();
        let or = |four: [u8; 4], six: u128| -> core::net::IpAddr {
            if v4 { four.into() } else { core::net::Ipv6Addr::from_bits(six).into() }
        };
        let loopback = or([127, 0, 0, 9], 1);
        let multicast = or([224, 0, 0, 251], 0xFF02 << 112 | 0xFB);
        let nowhere = or([0; 4], 0);
        let port = PORTS[1];
        match n & 15 {
            0 => (loopback, port).into(),
            1 => (multicast, port).into(),
            2 => (nowhere, port).into(),
            3 => (places.elsewhere, 0).into(),
            4 => (places.elsewhere, 25).into(),
            5 => self.sockets[0],
            6 => self.sockets[1],
            7 => places.server(),
            8 => (places.servers[0], port).into(),
            9 => (places.servers[1], PORTS[0]).into(),
            10 => (places.external, port).into(),
            11 if v4 => ([0x2001, 0xDB8, 1, 0, 0, 0, 0, 2], port).into(),
            11 => ([198, 51, 100, 2], port).into(),
            12 if !v4 => (core::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped(), port).into(),
            12 => ([255; 4], port).into(),
            13 => (places.elsewhere, port).into(),
            _ => (places.servers[1], port).into(),
        }
    }
    /// An error, a lie about the mapped or the other address, another transaction, or too little.
    fn write_wrong(
        &self,
        packet: &mut Packet<'_>,
        path: Path,
        question: &[u8],
        how: u8,
        more: u8,
    ) -> Result<(), NoRoom> {
        const CODES: [u16; 6] = [300, 400, 401, 420, 438, 500];
        let question = Message::parse(question).map_err(|_| NoRoom)?;
        let code = CODES.get(usize::from(how & 7));
        let class = if code.is_some() || how & 7 == 6 { Class::Error } else { Class::Success };
        let id = if how & 0x80 == 0 { question.transaction_id() } else { TransactionId::new([more; 12]) };
        let mut open = MessageWriter::new(packet, class, question.method(), id)?;
        if let Some(code) = code {
            open = open.attribute(&ErrorCode::new(*code, "").map_err(|_| NoRoom)?)?;
        }
        let honest = self.gateway.mapped(path.local, path.remote);
        match how >> 3 & 3 {
            0 => {
                let other = OtherAddress(self.named(more >> 4));
                open = open.attribute(&XorMappedAddress(honest))?.attribute(&other)?;
            }
            1 => {
                let other = OtherAddress(self.named(more >> 4));
                open = open.attribute(&XorMappedAddress(self.named(more)))?.attribute(&other)?;
            }
            2 => open = open.attribute(&AlternateServer(self.named(more)))?,
            _ => {}
        }
        match how >> 5 & 3 {
            0 => {
                open.finish();
                Ok(())
            }
            1 => open.attribute(&MappedAddress(self.named(more)))?.fingerprint(),
            _ => open.fingerprint(),
        }
    }

    // ---- what is looked at behind each step

    /// Only a part is taken, and time may go on before the rest is.
    fn half_drained(&mut self, n: u8) {
        self.model.is_prompt = false;
        self.transmits(usize::from(n & 3));
        if n & 4 != 0 {
            self.requests(usize::from(n >> 3 & 1));
        }
        self.take_events(usize::from(n >> 4 & 3));
    }
    /// Drains, fires what is due, and looks at everything.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 100, "it asks for now for ever");
            self.requests(usize::MAX);
            self.transmits(usize::MAX);
            self.take_events(usize::MAX);
            match self.discovery.poll_timeout() {
                Some(wake) if wake.at <= self.now => self.discovery.handle_timeout(self.now),
                _ => break,
            }
        }
        let discovery = self.discovery.get();
        let wake = discovery.poll_timeout();
        assert!(wake.is_none_or(|wake| wake.at > self.now), "no wake-up is in the past");
        let waits = wake.is_some() || !self.binds.is_empty();
        assert_eq!(waits, !discovery.is_closed(), "it waits for something until it is closed: {discovery:?}");
        assert_eq!(discovery.is_closed(), self.model.has_ended() && self.binds.is_empty());
        self.model.look(self.now, discovery, &self.binds);
    }
    fn requests(&mut self, most: usize) {
        for _ in 0..most {
            let Some(request) = self.discovery.poll_request() else { return };
            match request {
                Request::Bind { ticket, ip, port } => {
                    assert!(ticket.0 < 2 && self.binds.iter().all(|(open, _)| *open != ticket));
                    let port = match port {
                        Port::Exact(port) => port,
                        _ => 50_000 + u16::from(ticket.0 == 1),
                    };
                    // Two sockets never get one address.
                    let twin = self.sockets[usize::from(ticket.0 == 0)].port() == port;
                    self.model.on_bind(ip);
                    self.binds.push_back((ticket, (ip, if twin { port ^ 1 } else { port }).into()));
                }
                Request::Release { transport: Transport::Udp, local, remote: None } => {
                    self.model.on_release(local);
                }
                other => unreachable!("it wants no {other:?}"),
            }
        }
    }
    fn transmits(&mut self, most: usize) {
        let mut buffer: Buffer = [0; _];
        for _ in 0..most {
            let mut packet = Packet::empty(&mut buffer);
            let Some(transmit) = self.discovery.poll_transmit(self.now, &mut packet) else { return };
            assert!(self.sockets.contains(&transmit.path.local), "{} is not ours", transmit.path);
            let octets = packet.bytes().to_vec();
            self.model.on_transmit(self.now, transmit.path, &octets);
            self.sent.push((transmit.path, octets));
            self.fresh += 1;
            if self.sent.len() > REMEMBERED {
                self.sent.remove(0);
                self.fresh = self.fresh.min(REMEMBERED);
            }
        }
    }
    fn take_events(&mut self, most: usize) {
        for _ in 0..most {
            let Some(event) = self.discovery.poll_event() else { return };
            self.model.on_event(event);
        }
    }
    /// Nothing comes any more but the driver's answers and time: it ends by itself, and in time.
    fn run_out(&mut self) {
        while !self.binds.is_empty() {
            self.open(None);
            self.settle();
        }
        let longest = limits::rest(&self.model.config, self.now);
        let end = self.now + longest;
        while !self.discovery.is_closed() {
            self.returning.clear();
            self.follow();
            self.settle();
            assert!(self.now <= end, "it takes longer than {longest:?}: {:?}", self.discovery.get());
        }
        self.model.end(self.now, self.discovery.get());
    }
}
