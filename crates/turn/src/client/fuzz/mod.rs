//! The body of the fuzz target `turn_client`: a script by position against a scripted server, and a model of what may come of
//! it.
//!
//! ```text
//!  octet 0: the configuration; octet 1: the driver and the network; then pairs of operation and operand
//!  permissions, channels, data both ways, connections, moves, errors by script, losses, restarts, raw octets, notices, time
//! ```
//!
//! At the end the network is whole and the server does its best: then the client has an allocation, with all that was
//! asked for, or it has said why not and is closed; and no socket is left open.

pub(in crate::client) mod relay;

use alloc::{
    collections::{BTreeSet, VecDeque},
    vec::Vec,
};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{
    Buffer, Handled, IcmpError, Instant, Machine as _, Notice, Packet, Path, Receive, Refused, Request, Seed,
    Ticket, Transport, check::Checked,
};
use ginnel_stun::{LongTermCredential, Message, Method, attribute::AttributeType};

use self::relay::{PASSWORD, Relay, Reply, USER};
use super::{
    Client, ClientConfig, Connection, Event, Families, RelayTransport, Relayed, SendError, Socket, TurnServer,
};
use crate::ChannelData;

const LOCAL: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(198, 51, 100, 7));
const LENT: SocketAddr = SocketAddr::new(LOCAL, 4000);
const PERMISSIONS: usize = 6;
const CHANNELS: usize = 5;
const CONNECTIONS: usize = 3;

/// Plays `data` as a scenario.
///
/// # Panics
///
/// When an invariant is broken.
pub fn run(data: &[u8]) {
    Scenario::new(data).play();
}

struct Scenario<'a> {
    data: &'a [u8],
    now: Instant,
    client: Checked<Client>,
    relay: Relay,
    /// Sockets and streams that the driver has open for the client.
    open: BTreeSet<(Transport, SocketAddr)>,
    /// Requests that are not answered yet.
    pending: VecDeque<(Ticket, Transport)>,
    next_port: u16,
    /// 0: the driver answers at once; 1: later; 2: it refuses.
    driver: u8,
    /// Every so many packets one is lost, each way; 0: none.
    loss: u8,
    packets: u32,
    asked_ips: BTreeSet<IpAddr>,
    asked_peers: BTreeSet<SocketAddr>,
    offered: Vec<Connection>,
    allocated: bool,
    ended: bool,
}

impl<'a> Scenario<'a> {
    fn new(data: &'a [u8]) -> Self {
        let (flags, net) = (data.first().copied().unwrap_or(0), data.get(1).copied().unwrap_or(0));
        Self {
            data: data.get(2..).unwrap_or_default(),
            now: Instant::EPOCH,
            client: Checked::new(Client::new(Instant::EPOCH, config(flags), Seed::new([flags; 32]))),
            relay: Relay::new(net),
            open: BTreeSet::new(),
            pending: VecDeque::new(),
            next_port: 50_000,
            driver: net & 3,
            loss: net >> 2 & 7,
            packets: 0,
            asked_ips: BTreeSet::new(),
            asked_peers: BTreeSet::new(),
            offered: Vec::new(),
            allocated: false,
            ended: false,
        }
    }
    fn octet(&mut self) -> Option<u8> {
        let (&first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(first)
    }
    fn play(mut self) {
        self.relay.gives.ipv6 = true;
        self.settle();
        while let Some(op) = self.octet() {
            let n = self.octet().unwrap_or(0);
            self.step(op, n);
            self.settle();
        }
        self.epilogue();
    }
    fn step(&mut self, op: u8, n: u8) {
        let now = self.now;
        match op % 20 {
            0 => self.permit(n),
            1 => self.bind_channel(n),
            2 => self.client.get_mut().forget(now, peer(n).ip()),
            3 => self.client.get_mut().unbind_channel(now, peer(n)),
            4 | 5 => self.send(n, op % 20 == 5),
            6 => self.peer_sends(n),
            7 => self.now += Duration::from_millis(u64::from(n) * 8),
            8 => self.now += Duration::from_secs(u64::from(n) * 4),
            9 => self.relay.next(METHODS[usize::from(n & 7)], reply(n >> 3)),
            10 => (self.driver, self.loss) = (n & 3, n >> 2 & 7),
            11 => _ = self.answer_driver(n),
            12 => self.notice(n),
            13 => self.raw(n),
            14 => _ = self.client.get_mut().migrate(now, socket(n)),
            15 => self.connection(n),
            16 if n > 200 => self.relay.held.clear(),
            16 => self.relay.gives.tickets = n & 1 == 0,
            17 => self.client.get_mut().refresh(now),
            18 if n > 250 => self.client.close(now),
            _ => {
                if let Some(wake) = self.client.get().poll_timeout() {
                    self.now = self.now.max(wake.at);
                }
            }
        }
    }

    fn permit(&mut self, n: u8) {
        let ip = peer(n).ip();
        if self.client.get_mut().permit(self.now, ip).is_ok() {
            self.asked_ips.insert(ip);
        }
    }
    fn bind_channel(&mut self, n: u8) {
        let peer = peer(n);
        if self.client.get_mut().bind_channel(self.now, peer).is_ok() {
            self.asked_peers.insert(peer);
        }
        // Its permission may have been entered even where there was no room for the channel.
        self.asked_ips.insert(peer.ip());
    }
    fn send(&mut self, n: u8, unfragmented: bool) {
        let (mut buffer, peer): (Buffer, _) = ([0; _], peer(n));
        let mut packet = Packet::empty(&mut buffer);
        let payload = [n; 9].get(..usize::from(n >> 5)).map(<[u8]>::to_vec).unwrap_or_default();
        let Ok(()) = packet.append(&payload) else { return };
        let client = self.client.get_mut();
        let permitted = client.is_permitted(self.now, peer.ip());
        let sent = if unfragmented {
            client.send_unfragmented(self.now, peer, &mut packet)
        } else {
            client.send(self.now, peer, &mut packet)
        };
        match sent {
            Ok(transmit) => {
                assert!(permitted, "RFC 8656 section 11.1: {peer} without a permission");
                assert!(Some(transmit.path) == client.allocated().map(|it| it.path));
                self.at_server(transmit.path, packet);
            }
            Err(error) => {
                assert_eq!(packet.bytes(), payload, "{error}: the packet is as it was");
                assert!(error != SendError::NoRoom, "there was room");
            }
        }
    }
    fn peer_sends(&mut self, n: u8) {
        let Some(path) = self.client.get().allocated().map(|it| it.path) else { return };
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        if self.relay.peer_sends(path, peer(n), &[n; 5], &mut packet) {
            self.at_client(path, packet);
        }
    }
    fn connection(&mut self, n: u8) {
        let now = self.now;
        let known = self.offered.get(usize::from(n >> 4)).copied();
        let client = self.client.get_mut();
        match (n & 3, known) {
            (0, _) => {
                if let Ok(connection) = client.connect(now, peer(n >> 2)) {
                    self.offered.push(connection);
                }
            }
            (1, Some(connection)) => _ = client.accept(now, connection),
            (2, Some(connection)) => _ = client.disconnect(now, connection),
            (3, Some(connection)) => {
                let mut buffer: Buffer = [0; _];
                _ = client.send_octets(now, connection, &mut Packet::empty(&mut buffer));
            }
            _ => {}
        }
    }
    fn notice(&mut self, n: u8) {
        let Some(path) = self.client.get().allocated().map(|it| it.path) else { return };
        let lost = |transport, local, remote| Notice::Lost { transport, local, remote };
        let notice = match n & 3 {
            0 => Notice::Unreachable { path, error: IcmpError::v4(3, n >> 2 & 7, 1280) },
            1 if path.local != LENT => {
                self.open.remove(&(path.transport, path.local));
                lost(path.transport, path.local, (path.transport != Transport::Udp).then_some(path.remote))
            }
            _ => {
                // Another of the streams: a data connection, perhaps.
                let other = self.open.iter().find(|it| **it != (path.transport, path.local)).copied();
                let Some((transport, local)) = other.filter(|(transport, _)| transport.is_stream()) else {
                    return;
                };
                self.open.remove(&(transport, local));
                lost(transport, local, Some(path.remote))
            }
        };
        self.client.handle_notice(self.now, notice);
    }
    fn raw(&mut self, n: u8) {
        let (octets, rest) = self.data.split_at(usize::from(n).min(self.data.len()));
        self.data = rest;
        let Some(path) = self.client.get().allocated().map(|it| it.path) else { return };
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        if packet.append(octets).is_ok() {
            self.at_client(path, packet);
        }
    }

    /// One packet in so many is lost.
    fn is_lost(&mut self) -> bool {
        self.packets += 1;
        self.loss != 0 && self.packets.is_multiple_of(u32::from(self.loss))
    }
    fn at_server(&mut self, path: Path, mut packet: Packet<'_>) {
        let known = path.local == LENT || self.open.contains(&(path.transport, path.local));
        assert!(known, "{path} is not open");
        if let Ok(message) = Message::parse(packet.bytes()) {
            assert!(path.transport.is_stream() || packet.len() < 1280, "{message:?} is too large");
        } else {
            assert!(ChannelData::parse(packet.bytes()).is_ok(), "neither STUN nor ChannelData");
        }
        if !self.is_lost() && self.relay.handle(self.now, path, &mut packet) && !self.is_lost() {
            self.at_client(path, packet);
        }
        assert_eq!(self.relay.broken, 0, "it asked for what no client may ask for");
    }
    fn at_client(&mut self, path: Path, packet: Packet<'_>) {
        let mut input = Receive::new(path, packet);
        let handled = self.client.handle_input(self.now, &mut input);
        self.events();
        if let Handled::Data(relayed) = handled {
            let Some(given) = self.client.get().allocated() else {
                unreachable!("data without an allocation")
            };
            assert_eq!(given.relayed.towards(input.path.remote.ip()), Some(input.path.local));
            match relayed {
                Relayed::Datagram { .. } => assert!(self.asked_ips.contains(&input.path.remote.ip())),
                Relayed::Octets { .. } => assert_eq!(input.path.transport, Transport::Tcp),
            }
        }
        assert!(!matches!(handled, Handled::Send(_)), "a client answers nobody");
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Bind { ticket, .. } => self.pending.push_back((ticket, Transport::Udp)),
            Request::Connect { ticket, transport, .. } => self.pending.push_back((ticket, transport)),
            Request::Release { transport, local, .. } => {
                assert!(self.open.remove(&(transport, local)), "{local} is not open, or was lent");
            }
            Request::Frame { path, .. } => assert!(self.open.contains(&(path.transport, path.local))),
            other => unreachable!("a client has no use for {other:?}"),
        }
    }
    fn answer_driver(&mut self, how: u8) -> bool {
        let Some((ticket, transport)) = self.pending.pop_front() else { return false };
        let result = if how == 2 {
            Err(Refused::Unreachable)
        } else {
            self.next_port = self.next_port.wrapping_add(1).max(5000);
            let local = SocketAddr::new(LOCAL, self.next_port);
            self.open.insert((transport, local));
            Ok(local)
        };
        self.client.handle_notice(self.now, Notice::Opened { ticket, result });
        if self.client.is_closed()
            && let Ok(local) = result
        {
            // A driver closes what a closed machine has asked for.
            self.open.remove(&(transport, local));
        }
        true
    }

    /// Drains, fires what is due, and looks at everything.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 400, "it asks for now for ever");
            let mut busy = self.transmits();
            while let Some(request) = self.client.poll_request() {
                self.request(request);
            }
            self.events();
            while self.driver != 1 && self.answer_driver(self.driver) {
                busy = true;
            }
            match self.client.poll_timeout() {
                Some(wake) if wake.at <= self.now => self.client.handle_timeout(self.now),
                _ if busy => {}
                _ => break,
            }
        }
        let client = self.client.get();
        assert!(client.poll_timeout().is_none_or(|wake| wake.at > self.now), "no wake-up is in the past");
        let leaving = matches!(client.state, super::state::State::Deleting(_));
        assert!(leaving || client.allocated().is_some() == self.allocated, "every change is told");
        assert!(client.on_their_way.len() <= super::requests::TRANSACTIONS + CONNECTIONS);
        assert!(client.channels.len() <= CHANNELS);
        let stats = client.stats();
        assert!(stats.allocations >= stats.lost);
        if client.is_closed() {
            assert!(self.ended, "the end is told");
        }
    }
    fn transmits(&mut self) -> bool {
        let mut buffer: Buffer = [0; _];
        let mut any = false;
        loop {
            let mut packet = Packet::empty(&mut buffer);
            let Some(transmit) = self.client.poll_transmit(self.now, &mut packet) else { return any };
            any = true;
            self.at_server(transmit.path, packet);
        }
    }
    fn events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            assert!(!self.ended, "nothing comes after the last event: {event:?}");
            match event {
                Event::Allocated(_) => {
                    assert!(!self.allocated, "there was one");
                    self.allocated = true;
                }
                Event::Lost { .. } => self.allocated = false,
                Event::PermissionReady { ip } => assert!(self.asked_ips.contains(&ip)),
                Event::ChannelBound { peer, .. } => assert!(self.asked_peers.contains(&peer)),
                Event::ConnectionAttempt { connection, .. } => self.offered.push(connection),
                Event::Failed { .. } | Event::Closed => (self.allocated, self.ended) = (false, true),
                Event::Refreshed { .. }
                | Event::Moved { .. }
                | Event::MoveFailed { .. }
                | Event::RefreshFailed { .. } => {
                    assert!(self.allocated || matches!(event, Event::Refreshed { .. }), "{event:?}");
                }
                _ => {}
            }
        }
    }

    /// All is well again: what comes of it?
    fn epilogue(mut self) {
        (self.driver, self.loss) = (0, 0);
        self.relay.script.clear();
        self.settle();
        let end = self.now + Duration::from_secs(2000);
        while let Some(wake) = self.client.get().poll_timeout().filter(|wake| wake.at <= end) {
            self.now = self.now.max(wake.at);
            self.settle();
        }
        self.now = end;
        let client = self.client.get();
        assert!(client.is_closed() || client.allocated().is_some(), "it is back, or it has said why not");
        self.client.close(self.now);
        self.settle();
        self.now += Duration::from_secs(10);
        self.settle();
        assert!(self.client.is_closed() && self.ended);
        assert!(self.open.is_empty(), "left open: {:?}", self.open);
    }
}

const METHODS: [Method; 8] = [
    Method::ALLOCATE,
    Method::REFRESH,
    Method::REFRESH,
    Method::CREATE_PERMISSION,
    Method::CHANNEL_BIND,
    Method::CONNECT,
    Method::CONNECTION_BIND,
    Method::ALLOCATE,
];
fn reply(n: u8) -> Reply {
    const CODES: [u16; 16] = [400, 403, 405, 420, 437, 438, 440, 441, 442, 443, 446, 447, 486, 500, 508, 437];
    match n & 31 {
        code @ 0..16 => Reply::Error(CODES[usize::from(code)]),
        16 => Reply::Unknown(AttributeType::DONT_FRAGMENT),
        17 => Reply::Alternate(([192, 0, 2, 2], 3478).into()),
        18 => Reply::Alternate(([127, 0, 0, 1], 3478).into()),
        _ => Reply::Lost,
    }
}
/// Few peers, so that they meet.
fn peer(n: u8) -> SocketAddr {
    let ip: IpAddr = match n & 7 {
        6 => [0x2001, 0xdb8, 0, 0, 0, 0, 0, 9].into(),
        7 => [0; 4].into(),
        last => [203, 0, 113, last].into(),
    };
    SocketAddr::new(ip, u16::from(n >> 3 & 3))
}
fn socket(n: u8) -> Socket {
    if n & 1 == 0 { Socket::Own(Some(LOCAL)) } else { Socket::Lent(LENT) }
}
fn config(flags: u8) -> ClientConfig {
    let address = SocketAddr::from(([192, 0, 2, 1], 3478));
    let server = match flags & 3 {
        0 | 1 => TurnServer::udp(address),
        2 => TurnServer::tcp(address),
        _ => TurnServer::dtls(address, None),
    };
    let Ok(credential) = LongTermCredential::new(USER, PASSWORD) else { unreachable!("ASCII") };
    let tcp = flags & 3 == 2 && flags & 0x40 != 0;
    let mut config = ClientConfig::new(server, credential)
        .with_socket(if flags & 3 == 1 { Socket::Lent(LENT) } else { Socket::Own(Some(LOCAL)) })
        .with_mobility(flags & 4 != 0)
        .with_dont_fragment(flags & 8 != 0 && !tcp)
        .with_families(if flags & 16 == 0 { Families::Default } else { Families::Both })
        .with_bounds(PERMISSIONS, CHANNELS, CONNECTIONS);
    if flags & 32 != 0 {
        config = config.with_recover(Duration::ZERO);
    }
    if tcp { config.with_relay(RelayTransport::Tcp) } else { config }
}
