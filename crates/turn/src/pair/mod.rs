//! The body of the fuzz target `turn_pair`: the client against the server over a network that loses, delays, reorders and
//! doubles, beside a model of what each may believe.
//!
//! ```text
//!  user -> client <== network by script ==> server <-> peers, who are only a list of what was sent to them
//! ```
//!
//! The model:
//! - what a peer gets, the client has sent to just that peer, octet for octet, after its user had permitted it;
//! - what the client hands up, just that peer has sent to its relayed address;
//! - what the client believes, the server holds: while the network is whole and the server as it was, data passes both ways
//!   wherever the client says that it is permitted, through channels where it says that they are bound;
//! - at the end all is well again: then the client has what its user asked for, or has said why not; its goodbye leaves no
//!   allocation of its path behind.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{
    Buffer, Handled, Instant, Machine as _, Notice, Packet, Path, Port, Receive, Refused, Request, Rng, Seed,
    Transmit, Transport, check::Checked,
};
use ginnel_stun::{
    LongTermCredential,
    auth::{AuthConfig, User},
};

use crate::{
    client::{Client, ClientConfig, Event, Socket, TurnServer},
    server::{Listener, RelayAddress, Server, ServerConfig},
};

const REALM: &str = "example.org";
const HOME: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 10));
const LISTENER: SocketAddr = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::new(198, 51, 100, 1)), 3478);
/// The most packets on their way; more are lost.
const ON_THE_WAY: usize = 64;
/// No packet is longer on its way than this.
const LONGEST_WAY: Duration = Duration::from_millis(5 + 255);

/// Plays `data` as a scenario.
///
/// # Panics
///
/// When the model is broken.
pub fn run(data: &[u8]) {
    World::new(data).play();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Client,
    Server,
}

struct World<'a> {
    data: &'a [u8],
    now: Instant,
    rng: Rng,
    client: Checked<Client>,
    server: Checked<Server>,
    /// By when they arrive, and in which order they were sent.
    wire: BTreeMap<(Instant, u64), (Side, Path, Vec<u8>)>,
    serial: u64,
    /// In 256: how many packets are lost, and how many doubled; and the longest delay in milliseconds.
    loss: u8,
    doubled: u8,
    delay: u8,
    relays: BTreeSet<SocketAddr>,
    locals: BTreeSet<SocketAddr>,
    next_port: u16,
    restarts: u8,
    /// The server was restarted, or the user removed, since the client's allocation was made: it may believe too much.
    stale: bool,
    /// The relayed address; and the one before, until when it was that.
    relayed: Option<SocketAddr>,
    former: Option<(SocketAddr, Instant)>,
    permitted: BTreeSet<IpAddr>,
    /// What was sent to whom, by the number in its first octets.
    sent: BTreeMap<u64, SocketAddr>,
    /// What peers sent, and to which relayed address.
    asked: BTreeMap<u64, (SocketAddr, SocketAddr)>,
    arrived: BTreeSet<u64>,
    ended: bool,
}

impl<'a> World<'a> {
    fn new(data: &'a [u8]) -> Self {
        let flags = data.first().copied().unwrap_or(0);
        let Ok(credential) = LongTermCredential::new("user", "pass") else { unreachable!("ASCII") };
        let mut config =
            ClientConfig::new(TurnServer::udp(LISTENER), credential).with_socket(Socket::Own(Some(HOME)));
        if flags & 1 != 0 {
            config = config.with_lifetime(Duration::from_secs(1200));
        }
        let seed = Seed::new([flags; 32]);
        Self {
            data: data.get(1..).unwrap_or_default(),
            now: Instant::EPOCH,
            rng: seed.fork("network").into_rng(),
            client: Checked::new(Client::new(Instant::EPOCH, config, seed.fork("client"))),
            server: Checked::new(server(&seed.fork("server"))),
            wire: BTreeMap::new(),
            serial: 0,
            loss: 0,
            doubled: 0,
            delay: 20,
            relays: BTreeSet::new(),
            locals: BTreeSet::new(),
            next_port: 5000,
            restarts: 0,
            stale: false,
            relayed: None,
            former: None,
            permitted: BTreeSet::new(),
            sent: BTreeMap::new(),
            asked: BTreeMap::new(),
            arrived: BTreeSet::new(),
            ended: false,
        }
    }
    fn octet(&mut self) -> Option<u8> {
        let (&first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(first)
    }
    fn play(mut self) {
        self.run_for(Duration::ZERO);
        while let Some(op) = self.octet() {
            let n = self.octet().unwrap_or(0);
            self.step(op, n);
            self.run_for(Duration::ZERO);
        }
        self.epilogue();
    }
    fn step(&mut self, op: u8, n: u8) {
        let (now, peer) = (self.now, peer(n));
        match op % 14 {
            0 => {
                if self.client.get_mut().permit(now, peer.ip()).is_ok() {
                    self.permitted.insert(peer.ip());
                }
            }
            1 => {
                if self.client.get_mut().bind_channel(now, peer).is_ok() {
                    self.permitted.insert(peer.ip());
                }
            }
            2 => self.client.get_mut().forget(now, peer.ip()),
            3 => self.client.get_mut().unbind_channel(now, peer),
            4 => _ = self.send(peer),
            5 => _ = self.answer(peer),
            6 => self.run_for(Duration::from_millis(u64::from(n) * 8)),
            7 => self.run_for(Duration::from_secs(u64::from(n) * 3)),
            8 => (self.loss, self.delay) = (n & 0xF0, n << 4),
            9 => self.doubled = n,
            10 => self.client.get_mut().refresh(now),
            11 if n > 200 && self.restarts < 4 => self.restart(),
            12 => self.check_belief(peer),
            13 if n > 250 => self.client.close(now),
            _ => {
                let wakes = [self.client.get().poll_timeout(), self.server.get().poll_timeout()];
                if let Some(wake) = ginnel_core::Wake::soonest(wakes) {
                    self.run_for(wake.at.saturating_since(now).min(Duration::from_secs(3600)));
                }
            }
        }
    }
    fn restart(&mut self) {
        self.restarts += 1;
        self.server = Checked::new(server(&Seed::new([self.restarts; 32])));
        self.relays.clear();
        self.stale = true;
    }

    /// The user's datagram to a peer. `None`: the client does not send it.
    fn send(&mut self, peer: SocketAddr) -> Option<u64> {
        self.serial += 1;
        let (serial, mut buffer): (u64, Buffer) = (self.serial, [0; _]);
        let mut packet = Packet::empty(&mut buffer);
        packet.append(&serial.to_be_bytes()).ok()?;
        let transmit = self.client.get_mut().send(self.now, peer, &mut packet).ok()?;
        assert!(self.permitted.contains(&peer.ip()), "{peer} was never permitted");
        self.sent.insert(serial, peer);
        self.leave(Side::Server, transmit.path, &packet);
        Some(serial)
    }
    /// A peer's datagram to the relayed address.
    fn answer(&mut self, peer: SocketAddr) -> Option<u64> {
        let relayed = self.client.get().allocated()?.relayed.towards(peer.ip())?;
        self.serial += 1;
        let serial = self.serial;
        self.asked.insert(serial, (peer, relayed));
        let octets = serial.to_be_bytes();
        if self.relays.contains(&relayed) {
            self.at_server(Path::udp(relayed, peer), &octets);
        }
        Some(serial)
    }
    /// While the network is whole, what the client believes is so.
    fn check_belief(&mut self, peer: SocketAddr) {
        let quality = (self.loss, self.doubled);
        (self.loss, self.doubled) = (0, 0);
        // What is on its way arrives: late answers make nobody believe too much.
        self.run_for(Duration::from_millis(600));
        if !self.stale && self.client.get().is_permitted(self.now, peer.ip()) {
            let (forth, back) = (self.send(peer), self.answer(peer));
            self.run_for(Duration::from_millis(600));
            // In between it may have lost it: then it has said so, and believes nothing.
            if self.client.get().is_permitted(self.now, peer.ip()) && !self.stale {
                for (serial, way) in [(forth, "to it"), (back, "from it")] {
                    let passed = serial.is_none_or(|serial| self.arrived.contains(&serial));
                    let (client, server) = (self.client.get().stats(), self.server.get().stats());
                    assert!(passed, "{peer} is permitted, and nothing passes {way}: {client:?}, {server:?}");
                }
            }
        }
        (self.loss, self.doubled) = quality;
    }

    /// Puts a packet on the wire, as whoever sends it sees its path.
    fn leave(&mut self, to: Side, path: Path, packet: &Packet<'_>) {
        let octets = packet.bytes().to_vec();
        let copies = 1 + u8::from(self.chance(self.doubled));
        for _ in 0..copies {
            if self.chance(self.loss) || self.wire.len() >= ON_THE_WAY {
                continue;
            }
            let delay = 5 + self.rng.below(u64::from(self.delay) + 1);
            self.serial += 1;
            let at = self.now + Duration::from_millis(delay);
            self.wire.insert((at, self.serial), (to, path.reversed(), octets.clone()));
        }
    }
    fn chance(&mut self, of_256: u8) -> bool {
        of_256 != 0 && self.rng.below(256) < u64::from(of_256)
    }
    fn at_server(&mut self, path: Path, octets: &[u8]) {
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        if packet.append(octets).is_err() {
            return;
        }
        let mut input = Receive::new(path, packet);
        if let Handled::Send(transmit) = self.server.handle_input(self.now, &mut input) {
            self.server_sends(transmit, &input.packet);
        }
    }
    fn server_sends(&mut self, transmit: Transmit, packet: &Packet<'_>) {
        if transmit.path.local == LISTENER {
            return self.leave(Side::Client, transmit.path, packet);
        }
        assert!(self.relays.contains(&transmit.path.local), "{} is not open", transmit.path);
        let Ok(serial) = packet.bytes().try_into().map(u64::from_be_bytes) else {
            unreachable!("nobody has sent {} octets", packet.len())
        };
        assert_eq!(self.sent.get(&serial), Some(&transmit.path.remote), "to whom it was sent");
        self.arrived.insert(serial);
    }
    fn at_client(&mut self, path: Path, octets: &[u8]) {
        if !self.locals.contains(&path.local) {
            return;
        }
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        if packet.append(octets).is_err() {
            return;
        }
        let mut input = Receive::new(path, packet);
        if let Handled::Data(_) = self.client.handle_input(self.now, &mut input) {
            let Ok(serial) = input.packet.bytes().try_into().map(u64::from_be_bytes) else {
                unreachable!("nobody has sent {} octets", input.packet.len())
            };
            let Some(&(peer, to)) = self.asked.get(&serial) else { unreachable!("nobody has sent {serial}") };
            assert_eq!(peer, input.path.remote, "who sent it");
            // What was on its way from the allocation before looks like the next one's, on the same five-tuple.
            let late = self.former.is_some_and(|(old, until)| old == to && self.now < until + LONGEST_WAY);
            assert!(to == input.path.local || late, "sent to {to}, and told as to {}", input.path.local);
            self.arrived.insert(serial);
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let wakes = [self.client.get().poll_timeout(), self.server.get().poll_timeout()];
            let wake = ginnel_core::Wake::soonest(wakes).map(|wake| wake.at);
            let wire = self.wire.first_key_value().map(|((at, _), _)| *at);
            let Some(at) = [wake, wire].into_iter().flatten().min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            while let Some(entry) = self.wire.first_entry().filter(|it| it.key().0 <= self.now) {
                let (to, path, octets) = entry.remove();
                match to {
                    Side::Server => self.at_server(path, &octets),
                    Side::Client => self.at_client(path, &octets),
                }
                self.settle();
            }
        }
        self.now = end;
    }
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 300, "they never rest");
            let mut busy = false;
            let mut buffer: Buffer = [0; _];
            loop {
                let mut packet = Packet::empty(&mut buffer);
                let Some(transmit) = self.client.poll_transmit(self.now, &mut packet) else { break };
                self.leave(Side::Server, transmit.path, &packet);
            }
            loop {
                let mut packet = Packet::empty(&mut buffer);
                let Some(transmit) = self.server.poll_transmit(self.now, &mut packet) else { break };
                self.server_sends(transmit, &packet);
            }
            while let Some(request) = self.client.poll_request() {
                busy |= self.serve_client(request);
            }
            while let Some(request) = self.server.poll_request() {
                busy |= self.serve_server(request);
            }
            self.events();
            while self.server.poll_event().is_some() {}
            if self.client.poll_timeout().is_some_and(|wake| wake.at <= self.now) {
                self.client.handle_timeout(self.now);
                busy = true;
            }
            if self.server.poll_timeout().is_some_and(|wake| wake.at <= self.now) {
                self.server.handle_timeout(self.now);
                busy = true;
            }
            if !busy {
                return;
            }
        }
    }
    fn events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            assert!(!self.ended, "nothing comes after the last event: {event:?}");
            match event {
                Event::Allocated(given) => {
                    self.stale = !given.relayed.iter().all(|it| self.relays.contains(&it));
                    let before = core::mem::replace(&mut self.relayed, given.relayed.ipv4);
                    self.former = before.map(|it| (it, self.now));
                }
                Event::Failed { .. } | Event::Closed => self.ended = true,
                _ => {}
            }
        }
    }
    fn serve_client(&mut self, request: Request) -> bool {
        match request {
            Request::Bind { ticket, ip, .. } => {
                self.next_port = self.next_port.wrapping_add(1).max(5000);
                let local = SocketAddr::new(ip, self.next_port);
                self.locals.insert(local);
                self.client.handle_notice(self.now, Notice::Opened { ticket, result: Ok(local) });
                true
            }
            Request::Release { local, .. } => {
                assert!(self.locals.remove(&local), "{local} is not open");
                false
            }
            other => unreachable!("over UDP a client has no use for {other:?}"),
        }
    }
    fn serve_server(&mut self, request: Request) -> bool {
        match request {
            Request::Bind { ticket, ip, port } => {
                let Port::Exact(port) = port else { unreachable!("a server picks its ports") };
                let local = SocketAddr::new(ip, port);
                let result = if self.relays.insert(local) { Ok(local) } else { Err(Refused::InUse) };
                self.server.handle_notice(self.now, Notice::Opened { ticket, result });
                true
            }
            Request::Release { local, .. } => {
                assert!(self.relays.remove(&local), "{local} is not open");
                false
            }
            other => unreachable!("without TCP relays a server has no use for {other:?}"),
        }
    }

    /// All is well again.
    fn epilogue(mut self) {
        (self.loss, self.doubled, self.delay) = (0, 0, 20);
        self.run_for(Duration::from_secs(2500));
        let client = self.client.get();
        assert!(client.is_closed() || client.allocated().is_some(), "it is back, or it has said why not");
        if client.allocated().is_some() {
            for n in 0..8 {
                self.check_belief(peer(n));
            }
        }
        let path = self.client.get().allocated().map(|it| it.path);
        self.client.close(self.now);
        self.run_for(Duration::from_secs(10));
        assert!(self.client.is_closed() && self.ended && self.locals.is_empty());
        if let Some(path) = path {
            let mut left = self.server.get().allocations(self.now);
            assert!(left.all(|it| it.client.remote != path.local), "its goodbye was heard");
        }
        // What else it left behind, after losses and restarts, ends by itself.
        self.run_for(Duration::from_secs(3700));
        assert_eq!(self.server.get().allocations(self.now).count(), 0);
        assert!(self.relays.is_empty(), "left open: {:?}", self.relays);
    }
}

fn server(seed: &Seed) -> Server {
    let Ok(auth) = AuthConfig::long_term(REALM) else { unreachable!("legal") };
    let auth = auth.with_nonce_period(Duration::from_secs(240)).with_challenge_limit(None);
    let config = ServerConfig::new(auth)
        .with_listener(Listener::new(Transport::Udp, LISTENER))
        .with_relay(RelayAddress::new(LISTENER.ip()));
    let mut server = Server::new(config, seed.fork("turn server"));
    let Ok(user) = User::long_term("user", REALM, "pass") else { unreachable!("ASCII") };
    let Ok(()) = server.add_user(user) else { unreachable!("room for one") };
    server
}
/// Few peers, so that they meet.
fn peer(n: u8) -> SocketAddr {
    SocketAddr::new([203, 0, 113, n & 3].into(), 1000 + u16::from(n >> 2 & 1))
}
