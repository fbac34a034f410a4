//! A server, whatever is outside of it, and the model beside it.

use alloc::{vec, vec::Vec};
use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ginnel_core::{
    HEADROOM, Handled, Instant, Io, Machine as _, Notice, Packet, Path, Port, Receive, Refused, Request,
    Seed, Transmit, Transport, check::Checked, settle,
};
use ginnel_stun::{
    Class, IntegrityKey, Message, MessageWriter, Method, TransactionId,
    attribute::*,
    auth::{AuthConfig, User},
};

use super::{
    Script,
    model::{Allocation, CHANNELS, CONNECTIONS, Mobility, PERMISSIONS},
};
use crate::server::{Lifetimes, Limits, Listener, RelayAddress, Server, ServerConfig, TcpLimits};

const REALM: &str = "fuzz";
pub(super) const NAMES: [&str; 2] = ["one", "other"];
pub(super) const CLIENTS: usize = 4;
/// With those that only come for connections: three streams, and one on another listener.
pub(super) const PATHS: usize = CLIENTS + 4;
const ALLOCATIONS: usize = 3;
const NUMBERS: [u16; 5] = [0x4000, 0x4001, 0x4FFF, 0x7FFF, 0x3FFF];
const LISTENER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 3478);
const V6: Ipv6Addr = Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, 1);

/// Those that are permitted, one of another family, one that is denied, one on port 0.
pub(super) const PEERS: [SocketAddr; 7] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 7_000),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 7_001),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 2)), 7_000),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 3)), 0),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7_000),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, 9)), 7_000),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, 8)), 7_000),
];

/// The driver.
#[derive(Debug, Default)]
pub(super) struct Driver {
    /// Sockets and listeners of relays.
    pub(super) open: Vec<SocketAddr>,
    pub(super) sent: Vec<(Path, Vec<u8>)>,
    pub(super) refuse: u8,
    /// Streams to and from peers.
    pub(super) streams: Vec<Path>,
    /// Streams of clients, each with that of the peer.
    pub(super) spliced: Vec<(Path, Path)>,
    /// The next peer does not answer.
    pub(super) unreachable: bool,
}
impl<E> Io<E> for Driver {
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        self.sent.push((transmit.path, packet.bytes().to_vec()));
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        match request {
            Request::Bind { ticket, ip, port: Port::Exact(port) }
            | Request::Listen { ticket, ip, port: Port::Exact(port), .. } => {
                let local = SocketAddr::new(ip, port);
                assert!(!self.open.contains(&local), "asked for what it has");
                let refused = self.refuse > 0;
                self.refuse = self.refuse.saturating_sub(1);
                if !refused {
                    self.open.push(local);
                }
                Some(Notice::Opened { ticket, result: if refused { Err(Refused::InUse) } else { Ok(local) } })
            }
            Request::Connect { ticket, local: Some(local), remote, .. } => {
                let stream = Path::new(Transport::Tcp, local, remote);
                assert!(self.open.contains(&local) && !self.streams.contains(&stream), "{stream}");
                let result = if self.unreachable { Err(Refused::Unreachable) } else { Ok(local) };
                self.streams.extend(result.ok().map(|_| stream));
                Some(Notice::Opened { ticket, result })
            }
            Request::Splice { one, other, .. } => {
                assert!(
                    self.streams.contains(&other)
                        && self.spliced.iter().all(|it| it.0 != one && it.1 != other)
                );
                self.spliced.push((one, other));
                None
            }
            Request::Release { transport, local, remote: Some(remote) } => {
                self.close(Path::new(transport, local, remote));
                None
            }
            Request::Release { local, remote: None, .. } => {
                let at = self.open.iter().position(|it| *it == local);
                self.open.swap_remove(at.expect("gives back what it has not"));
                None
            }
            other => panic!("not asked for: {other:?}"),
        }
    }
    fn event(&mut self, _event: E) {}
}
impl Driver {
    /// Closes a stream of a peer, and what is joined to it.
    pub(super) fn close(&mut self, stream: Path) {
        let at = self.streams.iter().position(|it| *it == stream);
        self.streams.swap_remove(at.expect("closes what is not open"));
        self.spliced.retain(|it| it.1 != stream);
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) server: Checked<Server>,
    pub(super) driver: Driver,
    pub(super) now: Instant,
    keys: Vec<IntegrityKey>,
    nonces: Vec<Vec<u8>>,
    next: u64,
    pub(super) model: Vec<Allocation>,
    /// The newest tickets: of which allocation, with which number.
    pub(super) tickets: Vec<(u64, u64, Vec<u8>)>,
    /// The newest CONNECTION-IDs.
    pub(super) ids: Vec<u32>,
    /// Ports that are held for tokens, and until when.
    reserved: Vec<(SocketAddr, Instant)>,
}

pub(super) fn path(client: usize) -> Path {
    let transport = match client {
        0 | 4..=6 => Transport::Tcp,
        7 => Transport::Tls,
        _ => Transport::Udp,
    };
    Path::new(transport, LISTENER, SocketAddr::new(Ipv4Addr::new(192, 0, 2, 1).into(), 5_000 + client as u16))
}
pub(super) fn put<'v, 'p, 'a, A: Attribute<'v>>(
    open: MessageWriter<'p, 'a>,
    attribute: &A,
) -> MessageWriter<'p, 'a> {
    open.attribute(attribute).expect("room")
}
pub(super) type Fill<'f> = &'f dyn for<'p, 'a> Fn(MessageWriter<'p, 'a>) -> MessageWriter<'p, 'a>;

impl World {
    pub(super) fn new() -> Self {
        let auth = AuthConfig::long_term(REALM).expect("a realm").with_challenge_limit(None);
        let limits = Limits::default()
            .with_allocations(ALLOCATIONS)
            .with_peers(PERMISSIONS, CHANNELS)
            .with_tcp(TcpLimits::default().with_per_allocation(CONNECTIONS));
        let config = ServerConfig::new(auth)
            .with_listener(Listener::new(Transport::Udp, LISTENER))
            .with_listener(Listener::new(Transport::Tcp, LISTENER))
            .with_listener(Listener::new(Transport::Tls, LISTENER))
            .with_tcp_relays(true)
            .with_mobility(true)
            .with_relay(RelayAddress::new(LISTENER.ip()))
            .with_relay(RelayAddress::new(V6.into()))
            .with_ports(50_000..=50_063)
            .with_lifetimes(Lifetimes::default())
            .with_limits(limits);
        let mut server = Server::new(config, Seed::new([7; 32]));
        for name in NAMES {
            server.add_user(User::long_term(name, REALM, "pass").expect("a user")).expect("room");
        }
        let key = |name: &&str| IntegrityKey::long_term(name, REALM, "pass").expect("a key");
        Self {
            server: Checked::new(server),
            driver: Driver::default(),
            now: Instant::EPOCH,
            keys: NAMES.iter().map(key).collect(),
            nonces: vec![Vec::new(); PATHS],
            next: 0,
            model: Vec::new(),
            tickets: Vec::new(),
            ids: Vec::new(),
            reserved: Vec::new(),
        }
    }

    pub(super) fn step(&mut self, script: &mut Script<'_>) {
        let client = script.below(CLIENTS as u8);
        match script.below(18) {
            0 => self.pass(Duration::from_secs(u64::from(script.octet()) * 5)),
            1 | 2 => self.allocate(script, client),
            3 => self.refresh(script, client),
            4 => self.permit(script, client),
            5 | 6 => self.bind(script, client),
            7 => self.send(script, client),
            8 => self.channel_data(script, client),
            9 => self.peer_data(script),
            10 => self.anything(script, client),
            11 | 12 => self.move_by_ticket(script, client),
            13 => self.connect(script, client),
            14 => self.accept(script, client),
            15 => self.connection_bind(script),
            16 => self.end_stream(script, client),
            _ => self.operate(script, client),
        }
    }
    /// What server, driver and model agree about after each step.
    pub(super) fn look(&mut self) {
        assert!(self.driver.sent.is_empty(), "an answer that nobody waited for");
        let now = self.now;
        let server = self.server.get();
        assert_eq!(server.stats().allocations, self.model.len() as u64);
        let relays = self.model.iter().flat_map(|it| it.relays.iter().flatten().map(|it| it.0));
        let mut expected: Vec<_> = relays.chain(self.reserved.iter().map(|it| it.0)).collect();
        expected.sort_unstable();
        self.driver.open.sort_unstable();
        assert_eq!(self.driver.open, expected, "sockets");
        for info in server.allocations(now) {
            let relays = |it: &Allocation| it.relays.map(|relay| relay.map(|it| it.0));
            let model = self.model.iter_mut().find(|it| relays(it) == info.relayed).expect("an allocation");
            assert_eq!((info.permissions, info.channels), model.counts(now));
            assert_eq!(info.user, NAMES[model.user]);
            match model.at {
                Some(client) => assert_eq!(info.client, path(client)),
                None => assert_eq!(info.client.remote.port(), 0),
            }
        }
        self.look_at_streams();
    }
    pub(super) fn end(&mut self) {
        self.server.close(self.now);
        self.settle();
        assert!(self.server.is_closed() && self.driver.open.is_empty() && self.driver.streams.is_empty());
    }

    pub(super) fn settle(&mut self) {
        let mut buffer = [0; 2048];
        let _ = settle(&mut self.server, self.now, &mut buffer, &mut self.driver);
    }
    fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(wake) = self.server.poll_timeout().filter(|it| it.at <= end) {
            self.now = self.now.max(wake.at);
            self.settle();
        }
        self.now = end;
        self.settle();
        self.model.retain_mut(|it| it.expire(end));
        self.reserved.retain(|it| end < it.1);
    }
    fn receive(&mut self, path: Path, octets: &[u8]) -> Option<(Path, Vec<u8>)> {
        let mut buffer = [0; 2048];
        buffer[HEADROOM..HEADROOM + octets.len()].copy_from_slice(octets);
        let packet = Packet::received(&mut buffer, HEADROOM..HEADROOM + octets.len()).expect("room");
        let mut input = Receive::new(path, packet);
        let handled = self.server.handle_input(self.now, &mut input);
        let out = match handled {
            Handled::Send(transmit) => Some((transmit.path, input.packet.bytes().to_vec())),
            Handled::Data(_) => panic!("there is no other shard"),
            Handled::Consumed | Handled::Foreign => None,
        };
        self.settle();
        out.or_else(|| self.driver.sent.pop())
    }
    fn request(&mut self, client: usize, user: usize, method: Method, fill: Fill<'_>) -> Vec<u8> {
        self.next += 1;
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.next.to_be_bytes());
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        let open =
            MessageWriter::new(&mut packet, Class::Request, method, TransactionId::new(id)).expect("room");
        let open = fill(open);
        let (name, realm) =
            (Username::new(NAMES[user]).expect("a name"), Realm::new(REALM).expect("a realm"));
        let nonce = Nonce::new(&self.nonces[client]).expect("a nonce");
        put(put(put(open, &name), &realm), &nonce).integrity(&self.keys[user]).expect("room").finish();
        packet.bytes().to_vec()
    }
    pub(super) fn of(&self, client: usize) -> Option<&Allocation> {
        self.model.iter().find(|it| it.is_of(client))
    }
    pub(super) fn of_mut(&mut self, client: usize) -> Option<&mut Allocation> {
        self.model.iter_mut().find(|it| it.is_of(client))
    }
    /// The code of the answer, and the answer. A nonce that is none or stale is replaced first.
    pub(super) fn ask(
        &mut self,
        client: usize,
        user: usize,
        method: Method,
        fill: Fill<'_>,
    ) -> (u16, Vec<u8>) {
        for _ in 0..2 {
            let request = self.request(client, user, method, fill);
            let (to, octets) = self.receive(path(client), &request).expect("an answer");
            assert_eq!(to, path(client));
            let message = Message::parse(&octets).expect("a message");
            let code = message.get::<ErrorCode<'_>>().expect("well formed").map_or(0, |it| it.code());
            if code != 438 {
                assert_eq!(message.integrity(&self.keys[user]), ginnel_stun::Integrity::Ok);
                return (code, octets);
            }
            self.nonces[client] =
                message.get::<Nonce<'_>>().expect("well formed").expect("a nonce").octets().to_vec();
        }
        panic!("a fresh nonce is stale");
    }

    fn allocate(&mut self, script: &mut Script<'_>, client: usize) {
        let (user, kind) = (script.below(2), script.below(16));
        let (kind, unfragmented) = (kind % 8, kind >= 8);
        let (is_tcp, is_mobile) = (kind >= 6, matches!(kind, 5 | 7));
        let expected_families = match kind {
            4 => 2,
            _ => 1,
        };
        let fill: Fill<'_> = &|open| {
            let protocol = if is_tcp { RequestedTransport::TCP } else { RequestedTransport::UDP };
            let open = put(open, &protocol);
            let open = if is_mobile { put(open, &MobilityTicket(b"")) } else { open };
            let open = if unfragmented { put(open, &DontFragment) } else { open };
            match kind {
                1 => put(open, &EvenPort { reserve_next: false }),
                2 => put(open, &EvenPort { reserve_next: true }),
                3 => put(open, &RequestedAddressFamily(AddressFamily::Ipv6)),
                4 => put(open, &AdditionalAddressFamily(AddressFamily::Ipv6)),
                _ => open,
            }
        };
        let is_taken = self.of(client).is_some();
        let is_full = self.model.len() >= ALLOCATIONS;
        let is_datagrams = path(client).transport == Transport::Udp;
        let refused = core::mem::take(&mut self.driver.refuse);
        // At most two are refused, so that there is always another port.
        self.driver.refuse = refused.min(2);
        let (code, octets) = self.ask(client, user, Method::ALLOCATE, fill);
        let expected = if is_taken {
            437
        } else if is_tcp && (unfragmented || is_datagrams) {
            400
        } else if unfragmented && is_datagrams && matches!(kind, 3 | 4) {
            420
        } else if is_full {
            508
        } else {
            0
        };
        assert_eq!(code, expected, "Allocate");
        self.driver.refuse = 0;
        if code != 0 {
            return;
        }
        let message = Message::parse(&octets).expect("a message");
        let relayed = message.attributes().filter(|it| it.kind == AttributeType::XOR_RELAYED_ADDRESS);
        let id = message.transaction_id();
        let relayed: Vec<_> =
            relayed.map(|it| XorRelayedAddress::parse(it.value, id).expect("an address").0).collect();
        assert_eq!(relayed.len(), expected_families);
        assert!(
            relayed[0].is_ipv6() == (kind == 3) && (!matches!(kind, 1 | 2) || relayed[0].port() % 2 == 0)
        );
        if message.has(AttributeType::RESERVATION_TOKEN) {
            assert_eq!(kind, 2);
            let above = SocketAddr::new(relayed[0].ip(), relayed[0].port() + 1);
            self.reserved.push((above, self.now + Duration::from_secs(30)));
        }
        let (name, expires) = (self.next, self.now + Duration::from_secs(600));
        let mut allocation = Allocation::new(name, user, client, is_tcp, &relayed, expires);
        allocation.mobility = is_mobile.then(Mobility::default);
        self.model.push(allocation);
        assert_eq!(message.has(AttributeType::MOBILITY_TICKET), is_mobile);
        self.keep_ticket(name, 0, &octets);
    }
    /// Of a request about an allocation: what is wrong with who asks.
    pub(super) fn objection(&self, client: usize, user: usize) -> Option<u16> {
        match self.of(client) {
            None => Some(437),
            Some(allocation) if allocation.user != user => Some(441),
            Some(_) => None,
        }
    }
    fn refresh(&mut self, script: &mut Script<'_>, client: usize) {
        let (user, family, kind) = (script.below(2), script.below(3), script.below(4));
        let fill: Fill<'_> = &|open| refresh(open, family, kind);
        let (code, octets) = self.ask(client, user, Method::REFRESH, fill);
        if let Some(objection) = self.objection(client, user) {
            assert_eq!(code, objection);
            return;
        }
        let Some(at) = self.model.iter().position(|it| it.is_of(client)) else { return };
        self.refreshed(at, family, kind, code, &octets);
    }
    /// What becomes of a refresh of allocation `at`: the lifetime that was granted.
    pub(super) fn refreshed(
        &mut self,
        at: usize,
        family: usize,
        kind: usize,
        code: u16,
        octets: &[u8],
    ) -> Option<u32> {
        let concerns = |place: usize| family == 0 || family == place + 1;
        let now = self.now;
        let allocation = &mut self.model[at];
        if !(0..2).any(|place| concerns(place) && allocation.relays[place].is_some()) {
            assert_eq!(code, 443);
            return None;
        }
        let granted = [0, 600, 900, 3_600][kind];
        let said = Message::parse(octets).expect("a message").get::<Lifetime>().expect("well formed");
        assert_eq!((code, said), (0, Some(Lifetime(granted))));
        for (_, relay) in (0..).zip(&mut allocation.relays).filter(|it| concerns(it.0)) {
            if let Some(relay) = relay {
                relay.1 = now + Duration::from_secs(u64::from(granted));
            }
        }
        if !allocation.expire(now) {
            self.model.remove(at);
        }
        Some(granted)
    }
    fn permit(&mut self, script: &mut Script<'_>, client: usize) {
        let (user, count) = (script.below(2), script.below(4));
        let peers: Vec<_> = (0..count).map(|_| PEERS[script.below(PEERS.len() as u8)]).collect();
        let fill: Fill<'_> = &|open| peers.iter().fold(open, |open, peer| put(open, &XorPeerAddress(*peer)));
        let (code, _) = self.ask(client, user, Method::CREATE_PERMISSION, fill);
        let now = self.now;
        let expected = self
            .objection(client, user)
            .unwrap_or_else(|| self.of_mut(client).map_or(437, |it| it.create_permission(now, &peers)));
        assert_eq!(code, expected, "CreatePermission {peers:?}");
    }
    fn bind(&mut self, script: &mut Script<'_>, client: usize) {
        let (user, number) = (script.below(2), NUMBERS[script.below(NUMBERS.len() as u8)]);
        let peer = PEERS[script.below(PEERS.len() as u8)];
        let fill: Fill<'_> = &|open| put(put(open, &ChannelNumber(number)), &XorPeerAddress(peer));
        let (code, _) = self.ask(client, user, Method::CHANNEL_BIND, fill);
        let now = self.now;
        let expected = self
            .objection(client, user)
            .unwrap_or_else(|| self.of_mut(client).map_or(437, |it| it.channel_bind(now, number, peer)));
        assert_eq!(code, expected, "ChannelBind {number:#x} {peer}");
    }

    fn send(&mut self, script: &mut Script<'_>, client: usize) {
        let (peer, len) = (PEERS[script.below(PEERS.len() as u8)], script.below(9));
        let data = script.octets(len);
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        let open =
            MessageWriter::new(&mut packet, Class::Indication, Method::SEND, TransactionId::new([1; 12]));
        put(put(open.expect("room"), &XorPeerAddress(peer)), &Data(data)).finish();
        let out = self.receive(path(client), packet.bytes());
        if let Some(it) = self.of_mut(client) {
            it.arrived(client);
        }
        let allocation = self.of(client).filter(|it| !it.is_tcp && it.permits(self.now, peer.ip()));
        let relay = allocation.and_then(|it| it.relay_for(peer.ip())).filter(|_| peer.port() != 0);
        assert_eq!(out, relay.map(|relay| (Path::udp(relay, peer), data.to_vec())));
    }
    fn channel_data(&mut self, script: &mut Script<'_>, client: usize) {
        let (number, len) = (NUMBERS[script.below(NUMBERS.len() as u8)], script.below(9));
        let data = script.octets(len);
        let mut octets = number.to_be_bytes().to_vec();
        octets.extend((data.len() as u16).to_be_bytes());
        octets.extend(data);
        let out = self.receive(path(client), &octets);
        // Below, it is no ChannelData at all.
        if number >= 0x4000
            && let Some(it) = self.of_mut(client)
        {
            it.arrived(client);
        }
        let allocation = self.of(client);
        let peer = allocation.and_then(|it| it.channel(self.now, number));
        let relay = peer.and_then(|peer| allocation?.relay_for(peer.ip()));
        let expected = relay.zip(peer).map(|(relay, peer)| (Path::udp(relay, peer), data.to_vec()));
        assert_eq!(out, expected);
    }
    fn peer_data(&mut self, script: &mut Script<'_>) {
        let (client, peer) = (script.below(CLIENTS as u8), PEERS[script.below(3)]);
        let peer = if script.below(4) == 0 { PEERS[5] } else { peer };
        let len = script.below(9);
        let data = script.octets(len);
        // One that nobody has on this path, or that nobody has on any.
        let of = self.of(client).or_else(|| self.model.iter().find(|it| it.at.is_none()));
        let Some(allocation) = of.filter(|it| !it.is_tcp) else { return };
        let (name, Some(relay)) = (allocation.name, allocation.relay_for(peer.ip())) else { return };
        let out = self.receive(Path::udp(relay, peer), data);
        let Some(allocation) = self.model.iter().find(|it| it.name == name) else { return };
        let Some(at) = allocation.at.filter(|_| allocation.permits(self.now, peer.ip())) else {
            assert_eq!(out, None);
            return;
        };
        let (to, octets) = out.expect("it is permitted, and somebody is there");
        assert_eq!(to, path(at));
        match allocation.channel_of(self.now, peer) {
            Some(number) => {
                let header = [number.to_be_bytes(), (data.len() as u16).to_be_bytes()].concat();
                assert_eq!(octets, [&header, data].concat());
            }
            None => {
                let message = Message::parse(&octets).expect("a message");
                assert_eq!((message.class(), message.method()), (Class::Indication, Method::DATA));
                assert_eq!(message.get(), Ok(Some(XorPeerAddress(peer))));
                assert_eq!(message.get(), Ok(Some(Data(data))));
            }
        }
    }
    /// Octets of chance, from a client; they are nobody's request, so that nothing changes but counters.
    fn anything(&mut self, script: &mut Script<'_>, client: usize) {
        let len = script.octet();
        let octets = script.octets(usize::from(len)).to_vec();
        // ChannelData has its own step.
        if octets.first().is_some_and(|it| (0x40..0x80).contains(it)) {
            return;
        }
        // A Send indication of chance may be a good one.
        if Message::parse(&octets).is_ok_and(|it| it.method() == Method::SEND) {
            return;
        }
        if let Some((to, _)) = self.receive(path(client), &octets) {
            assert_eq!(to.local, LISTENER);
        }
    }
    /// What operator and network do.
    fn operate(&mut self, script: &mut Script<'_>, client: usize) {
        match script.below(3) {
            0 => {
                let user = script.below(2);
                let count = self.model.iter().filter(|it| it.user == user).count();
                assert_eq!(self.server.get_mut().revoke(self.now, NAMES[user]), count);
                self.settle();
                self.model.retain(|it| it.user != user);
            }
            1 => self.driver.refuse = script.octet() % 3,
            _ => {
                let Path { transport, local, remote } = path(client);
                if transport == Transport::Tcp {
                    self.server
                        .handle_notice(self.now, Notice::Lost { transport, local, remote: Some(remote) });
                    self.settle();
                    self.model.retain_mut(|it| !it.is_of(client) || it.left(client));
                } else {
                    self.lose_relay(script);
                }
            }
        }
    }
    /// A socket or listener is gone that was an allocation's, or that was held for somebody.
    fn lose_relay(&mut self, script: &mut Script<'_>) {
        self.driver.open.sort_unstable();
        let n = usize::from(script.octet());
        let Some(&local) = self.driver.open.get(n % self.driver.open.len().max(1)) else { return };
        self.driver.open.retain(|it| *it != local);
        let is_it = |it: &Option<(SocketAddr, Instant)>| it.is_some_and(|it| it.0 == local);
        let of = self.model.iter().position(|it| it.relays.iter().any(is_it));
        let is_tcp = of.is_some_and(|at| self.model[at].is_tcp);
        let transport = if is_tcp { Transport::Tcp } else { Transport::Udp };
        self.server.handle_notice(self.now, Notice::Lost { transport, local, remote: None });
        self.settle();
        self.reserved.retain(|it| it.0 != local);
        self.model.retain_mut(|it| it.lost(local));
    }
}

/// A Refresh of one family or of both, with one of four lifetimes.
pub(super) fn refresh<'p, 'a>(
    open: MessageWriter<'p, 'a>,
    family: usize,
    kind: usize,
) -> MessageWriter<'p, 'a> {
    let open = put(open, &Lifetime([0, 1, 900, 100_000][kind]));
    match family {
        1 => put(open, &RequestedAddressFamily(AddressFamily::Ipv4)),
        2 => put(open, &RequestedAddressFamily(AddressFamily::Ipv6)),
        _ => open,
    }
}
