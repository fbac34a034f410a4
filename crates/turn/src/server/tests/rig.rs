//! A server, a driver of a few lines that opens sockets for it, and clients that know how to ask.
#![allow(dead_code, reason = "each test uses its part")]

use alloc::{collections::VecDeque, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{
    Buffer, Ecn, Framing, HEADROOM, Handled, Instant, Io, Notice, Packet, Path, Port, Receive, Refused,
    Request, Seed, StreamRate, Transmit, Transport, check::Checked, settle,
};
use ginnel_stun::{
    Integrity, IntegrityKey, Message, MessageWriter, Method, Open, TransactionId,
    attribute::*,
    auth::{AuthConfig, User},
};

use super::super::*;

pub(super) const REALM: &str = "example.org";
pub(super) const LISTENER: &str = "198.51.100.1:3478";
pub(super) const LISTENER6: &str = "[2001:db8:51::1]:3478";
pub(super) const RELAY: &str = "198.51.100.1";
pub(super) const RELAY6: &str = "2001:db8:51::1";

pub(super) fn config() -> ServerConfig {
    let auth = AuthConfig::long_term(REALM).unwrap().with_challenge_limit(None);
    let mut config = ServerConfig::new(auth)
        .with_relay(RelayAddress::new(RELAY.parse().unwrap()))
        .with_relay(RelayAddress::new(RELAY6.parse().unwrap()))
        .with_software(Some("ginnel test"));
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls] {
        for local in [LISTENER, LISTENER6] {
            config = config.with_listener(Listener::new(transport, addr(local)));
        }
    }
    config
}
pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
pub(super) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
/// The path of client number `n`.
pub(super) fn client_path(n: u16) -> Path {
    Path::udp(addr(LISTENER), ([192, 0, 2, 1], 5_000 + n).into())
}

/// The path of a client who came by this transport to the listener of this family.
pub(super) fn path_by(transport: Transport, over: AddressFamily) -> Path {
    match over {
        AddressFamily::Ipv4 => Path { transport, ..client_path(0) },
        AddressFamily::Ipv6 => Path::new(transport, addr(LISTENER6), addr("[2606:4700::77]:5000")),
    }
}

/// What a server has outside of it.
#[derive(Debug, Default)]
pub(super) struct World {
    /// Relay sockets that are open.
    pub(super) open: Vec<SocketAddr>,
    pub(super) sent: Vec<(Transmit, Vec<u8>)>,
    pub(super) events: VecDeque<Event>,
    /// The next so many are refused.
    pub(super) refuse: usize,
    /// Requests are kept, and answered by hand.
    pub(super) hold: bool,
    pub(super) held: Vec<Request>,
    pub(super) binds: usize,
    pub(super) releases: usize,
    /// Relay listeners that are open.
    pub(super) listening: Vec<SocketAddr>,
    /// Streams to and from peers that are open.
    pub(super) streams: Vec<Path>,
    /// Streams that were joined, the client's first, with their rate.
    pub(super) spliced: Vec<(Path, Path, [Option<StreamRate>; 2])>,
}
impl Io<Event> for World {
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        self.sent.push((transmit, packet.bytes().to_vec()));
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        if self.hold {
            self.held.push(request);
            return None;
        }
        self.obey(request)
    }
    fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }
}
impl World {
    pub(super) fn obey(&mut self, request: Request) -> Option<Notice> {
        match request {
            Request::Bind { ticket, ip, port: ginnel_core::Port::Exact(port) } => {
                self.binds += 1;
                let local = SocketAddr::new(ip, port);
                let taken = self.open.contains(&local) || self.refuse > 0;
                self.refuse = self.refuse.saturating_sub(1);
                let result = if taken { Err(Refused::InUse) } else { Ok(local) };
                if !taken {
                    self.open.push(local);
                }
                Some(Notice::Opened { ticket, result })
            }
            Request::Release { transport: Transport::Udp, local, remote: None } => {
                self.releases += 1;
                let at = self.open.iter().position(|it| *it == local).expect("released what is not open");
                self.open.swap_remove(at);
                None
            }
            other => self.obey_tcp(other),
        }
    }
    /// What a TCP relay asks for.
    fn obey_tcp(&mut self, request: Request) -> Option<Notice> {
        match request {
            Request::Listen { ticket, transport: Transport::Tcp, ip, port, framing: Framing::Held } => {
                let Port::Exact(port) = port else { panic!("any port") };
                let local = SocketAddr::new(ip, port);
                let taken = self.listening.contains(&local) || self.refuse > 0;
                self.refuse = self.refuse.saturating_sub(1);
                self.listening.extend((!taken).then_some(local));
                Some(Notice::Opened { ticket, result: if taken { Err(Refused::InUse) } else { Ok(local) } })
            }
            Request::Connect { ticket, transport: Transport::Tcp, local, remote, framing, .. } => {
                assert_eq!(framing, Framing::Held);
                let local = local.expect("from the relayed address");
                assert!(self.listening.contains(&local));
                let refused = self.refuse > 0;
                self.refuse = self.refuse.saturating_sub(1);
                self.streams.extend((!refused).then_some(Path::new(Transport::Tcp, local, remote)));
                let result = if refused { Err(Refused::Unreachable) } else { Ok(local) };
                Some(Notice::Opened { ticket, result })
            }
            Request::Splice { one, other, rates } => {
                assert!(self.streams.contains(&other), "it is no stream: {other}");
                self.spliced.push((one, other, rates));
                None
            }
            Request::Release { transport: Transport::Tcp, local, remote: None } => {
                let at = self.listening.iter().position(|it| *it == local).expect("listened nowhere");
                self.listening.swap_remove(at);
                None
            }
            Request::Release { transport: Transport::Tcp, local, remote: Some(remote) } => {
                let stream = Path::new(Transport::Tcp, local, remote);
                let at = self.streams.iter().position(|it| *it == stream).expect("no such stream");
                self.streams.swap_remove(at);
                None
            }
            other => panic!("not expected: {other:?}"),
        }
    }
}

/// A server and its world.
pub(super) struct Rig {
    pub(super) server: Checked<Server>,
    pub(super) world: World,
    pub(super) now: Instant,
}
/// What came of an arrival.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Out {
    Nothing,
    Foreign,
    Handover(u8),
    Sent(Transmit, Vec<u8>),
}
impl Out {
    /// It was sent, whatever it is.
    pub(super) fn passes(self) {
        let _ = self.sent();
    }
    pub(super) fn sent(self) -> (Transmit, Vec<u8>) {
        match self {
            Self::Sent(transmit, octets) => (transmit, octets),
            other => panic!("not sent, but {other:?}"),
        }
    }
}
impl Rig {
    pub(super) fn new() -> Self {
        Self::with(config())
    }
    /// One that knows "user" and "other".
    pub(super) fn with(config: ServerConfig) -> Self {
        Self::of(Server::new(config, Seed::new([7; 32])))
    }
    pub(super) fn of(mut server: Server) -> Self {
        for name in ["user", "other"] {
            server.add_user(User::long_term(name, REALM, "pass").unwrap()).unwrap();
        }
        Self { server: Checked::new(server), world: World::default(), now: Instant::EPOCH }
    }
    pub(super) fn server(&mut self) -> &mut Server {
        self.server.get_mut()
    }
    pub(super) fn stats(&self) -> Stats {
        self.server.get().stats()
    }
    pub(super) fn settle(&mut self) {
        let mut buffer = [0; 2048];
        let _ = settle(&mut self.server, self.now, &mut buffer, &mut self.world);
    }
    /// Time passes; timers fire when they are due.
    pub(super) fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(wake) = ginnel_core::Machine::poll_timeout(&self.server).filter(|it| it.at <= end) {
            self.now = self.now.max(wake.at);
            self.settle();
        }
        self.now = end;
        self.settle();
    }
    /// One arrival, and what came of it at once.
    pub(super) fn receive(&mut self, path: Path, octets: &[u8]) -> Out {
        self.receive_by(path, octets, false)
    }
    pub(super) fn receive_by(&mut self, path: Path, octets: &[u8], handed_over: bool) -> Out {
        let mut buffer = std::vec![0; 70_000];
        buffer[HEADROOM..HEADROOM + octets.len()].copy_from_slice(octets);
        let packet = Packet::received(&mut buffer, HEADROOM..HEADROOM + octets.len()).unwrap();
        let mut input = Receive::new(path, packet);
        let handled = if handed_over {
            self.server.get_mut().handle_handed_over(self.now, &mut input)
        } else {
            ginnel_core::Machine::handle_input(&mut self.server, self.now, &mut input)
        };
        let out = match handled {
            Handled::Consumed => Out::Nothing,
            Handled::Foreign => Out::Foreign,
            Handled::Data(Handover { shard }) => Out::Handover(shard),
            Handled::Send(transmit) => Out::Sent(transmit, input.packet.bytes().to_vec()),
        };
        self.settle();
        out
    }
    /// How something is sent on that came with this mark: with which mark, and whether it may be fragmented.
    pub(super) fn marks(&mut self, path: Path, octets: &[u8], ecn: Ecn) -> (Ecn, bool) {
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        packet.append(octets).unwrap();
        let mut input = Receive::new(path, packet);
        input.ecn = ecn;
        match self.server().handle_input(Instant::EPOCH, &mut input) {
            Handled::Send(transmit) => (transmit.ecn, transmit.dont_fragment),
            other => panic!("{other:?}"),
        }
    }
    /// A request, and its answer: at once, or once sockets are open.
    pub(super) fn ask(&mut self, path: Path, octets: &[u8]) -> Option<Vec<u8>> {
        match self.receive(path, octets) {
            Out::Sent(transmit, answer) => {
                assert_eq!(transmit.path, path);
                Some(answer)
            }
            _ => {
                let at = self.world.sent.iter().position(|(transmit, _)| transmit.path == path)?;
                Some(self.world.sent.remove(at).1)
            }
        }
    }
    /// The driver tells something.
    pub(super) fn notice(&mut self, notice: Notice) {
        ginnel_core::Machine::handle_notice(&mut self.server, self.now, notice);
        self.settle();
    }
    /// A stream has ended.
    pub(super) fn lose(&mut self, stream: Path) {
        let Path { transport, local, remote } = stream;
        self.world.streams.retain(|it| *it != stream);
        self.notice(Notice::Lost { transport, local, remote: Some(remote) });
    }
    /// A relay socket is gone.
    pub(super) fn lose_socket(&mut self, local: SocketAddr) {
        let at = self.world.open.iter().position(|it| *it == local).expect("lost what is not open");
        self.world.open.swap_remove(at);
        self.notice(Notice::Lost { transport: Transport::Udp, local, remote: None });
    }
    /// What was told, from now on.
    pub(super) fn events(&mut self) -> Vec<Event> {
        self.world.events.drain(..).collect()
    }
}

/// Somebody with a name, a password and a path.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) path: Path,
    pub(super) name: &'static str,
    pub(super) key: IntegrityKey,
    pub(super) nonce: Vec<u8>,
    pub(super) next: u64,
    pub(super) fingerprint: bool,
}
/// An answer, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// 0 for success.
    pub(super) code: u16,
    pub(super) octets: Vec<u8>,
}
impl Said {
    pub(super) fn get<'a, A: Attribute<'a>>(&'a self) -> Option<A> {
        Message::parse(&self.octets).unwrap().get().unwrap()
    }
    pub(super) fn relayed(&self) -> SocketAddr {
        self.get::<XorRelayedAddress>().expect("a relayed address").0
    }
    pub(super) fn lifetime(&self) -> u32 {
        self.get::<Lifetime>().expect("a lifetime").0
    }
    pub(super) fn all_relayed(&self) -> Vec<SocketAddr> {
        let message = Message::parse(&self.octets).unwrap();
        let relayed = message.attributes().filter(|it| it.kind == AttributeType::XOR_RELAYED_ADDRESS);
        relayed.map(|it| XorRelayedAddress::parse(it.value, message.transaction_id()).unwrap().0).collect()
    }
}
pub(super) type Fill<'f> = &'f dyn for<'p, 'a> Fn(
    MessageWriter<'p, 'a, Open, Packet<'a>>,
) -> MessageWriter<'p, 'a, Open, Packet<'a>>;
impl Client {
    pub(super) fn new(n: u16) -> Self {
        Self::named("user", client_path(n))
    }
    pub(super) fn named(name: &'static str, path: Path) -> Self {
        let key = IntegrityKey::long_term(name, REALM, "pass").unwrap();
        Self { path, name, key, nonce: Vec::new(), next: 1, fingerprint: false }
    }
    pub(super) fn next_id(&mut self) -> TransactionId {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.next.to_be_bytes());
        id[8..10].copy_from_slice(&self.path.remote.port().to_be_bytes());
        self.next += 1;
        TransactionId::new(id)
    }
    /// A request with credentials.
    pub(super) fn request(&self, method: Method, id: TransactionId, fill: Fill<'_>) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        let open = MessageWriter::new(&mut packet, ginnel_stun::Class::Request, method, id).unwrap();
        let open = fill(open)
            .attribute(&Username::new(self.name).unwrap())
            .unwrap()
            .attribute(&Realm::new(REALM).unwrap())
            .unwrap()
            .attribute(&Nonce::new(&self.nonce).unwrap())
            .unwrap();
        let sealed = open.integrity(&self.key).unwrap();
        if self.fingerprint {
            sealed.fingerprint().unwrap()
        } else {
            sealed.finish()
        }
        packet.bytes().to_vec()
    }
    /// One that is not answered.
    pub(super) fn indication(&mut self, fill: Fill<'_>) -> Vec<u8> {
        let mut buffer = std::vec![0; 70_000];
        let mut packet = Packet::received(&mut buffer, 64..64).unwrap();
        let id = self.next_id();
        let open = MessageWriter::new(&mut packet, ginnel_stun::Class::Indication, Method::SEND, id).unwrap();
        fill(open).finish();
        packet.bytes().to_vec()
    }
    pub(super) fn send_indication(&mut self, peer: SocketAddr, data: &[u8]) -> Vec<u8> {
        self.indication(&|it| it.attribute(&XorPeerAddress(peer)).unwrap().attribute(&Data(data)).unwrap())
    }
    /// Asks for a nonce, as a stranger.
    pub(super) fn learn_nonce(&mut self, rig: &mut Rig) {
        let id = self.next_id();
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        MessageWriter::new(&mut packet, ginnel_stun::Class::Request, Method::ALLOCATE, id).unwrap().finish();
        let answer = rig.ask(self.path, packet.bytes()).expect("a challenge");
        self.nonce = Message::parse(&answer).unwrap().get::<Nonce<'_>>().unwrap().unwrap().octets().to_vec();
    }
    /// A request and its answer, with a nonce that is learnt when it is needed.
    pub(super) fn ask(&mut self, rig: &mut Rig, method: Method, fill: Fill<'_>) -> Said {
        self.try_ask(rig, method, fill).expect("an answer")
    }
    pub(super) fn try_ask(&mut self, rig: &mut Rig, method: Method, fill: Fill<'_>) -> Option<Said> {
        if self.nonce.is_empty() {
            self.learn_nonce(rig);
        }
        let id = self.next_id();
        let request = self.request(method, id, fill);
        rig.ask(self.path, &request).map(|octets| self.read(method, id, octets))
    }
    pub(super) fn read(&self, method: Method, id: TransactionId, octets: Vec<u8>) -> Said {
        let message = Message::parse(&octets).unwrap();
        assert_eq!((message.method(), message.transaction_id()), (method, id));
        let code = message.get::<ErrorCode<'_>>().unwrap().map_or(0, |it| it.code());
        // Whom it does not know the server cannot assure of anything.
        let stranger = matches!(code, 400 | 401 | 438) && !message.has(AttributeType::MESSAGE_INTEGRITY);
        if !stranger {
            assert_eq!(message.integrity(&self.key), Integrity::Ok, "{code}");
        }
        Said { code, octets }
    }
    /// Asks for a relayed address of this family alone.
    pub(super) fn allocate_of(&mut self, rig: &mut Rig, family: AddressFamily) -> Said {
        self.ask(rig, Method::ALLOCATE, &|it| {
            let it = it.attribute(&RequestedTransport::UDP).unwrap();
            it.attribute(&RequestedAddressFamily(family)).unwrap()
        })
    }
    pub(super) fn allocate(&mut self, rig: &mut Rig) -> Said {
        self.ask(rig, Method::ALLOCATE, &|it| it.attribute(&RequestedTransport::UDP).unwrap())
    }
    /// The relayed address of a new allocation.
    pub(super) fn allocated(&mut self, rig: &mut Rig) -> SocketAddr {
        let said = self.allocate(rig);
        assert_eq!(said.code, 0);
        said.relayed()
    }
    pub(super) fn refresh(&mut self, rig: &mut Rig, seconds: u32) -> Said {
        self.ask(rig, Method::REFRESH, &|it| it.attribute(&Lifetime(seconds)).unwrap())
    }
    pub(super) fn permit(&mut self, rig: &mut Rig, peer: &str) -> u16 {
        let peer = addr(peer);
        self.ask(rig, Method::CREATE_PERMISSION, &|it| it.attribute(&XorPeerAddress(peer)).unwrap()).code
    }
    pub(super) fn bind(&mut self, rig: &mut Rig, number: u16, peer: &str) -> u16 {
        let peer = addr(peer);
        let fill: Fill<'_> =
            &|it| it.attribute(&ChannelNumber(number)).unwrap().attribute(&XorPeerAddress(peer)).unwrap();
        self.ask(rig, Method::CHANNEL_BIND, fill).code
    }
}

/// ChannelData, as it is on the wire over UDP.
pub(super) fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    let mut octets = number.to_be_bytes().to_vec();
    octets.extend((data.len() as u16).to_be_bytes());
    octets.extend(data);
    octets
}
/// The peer and the data of a Data indication.
pub(super) fn read_data(octets: &[u8]) -> (SocketAddr, Vec<u8>) {
    let message = Message::parse(octets).unwrap();
    assert_eq!((message.class(), message.method()), (ginnel_stun::Class::Indication, Method::DATA));
    let XorPeerAddress(peer) = message.get().unwrap().unwrap();
    let Data(data) = message.get::<Data<'_>>().unwrap().unwrap();
    (peer, data.to_vec())
}

/// An attribute with a value that its type cannot have.
pub(super) fn odd<'p, 'a>(
    open: MessageWriter<'p, 'a, Open, Packet<'a>>,
    kind: AttributeType,
    value: &[u8],
) -> MessageWriter<'p, 'a, Open, Packet<'a>> {
    open.any_attribute(&AnyAttribute::Other(OtherAttribute::new(kind, value).unwrap())).unwrap()
}
