//! The body of the fuzz target `stun_client`: a script by position, and a model of what may come of it.
//!
//! ```text
//!  octet 0: the configuration; then pairs of operation and operand
//!  start, cancel, answers right and wrong to what was sent, raw octets, ICMP, lost sockets, time, following, closing
//! ```

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{
    Buffer, Handled, IcmpError, Instant, NoRoom, Notice, Packet, Path, Receive, Seed, Transport,
    check::Checked,
};

use super::{Client, ClientConfig, Event, FailureReason, Request, RequestId, StartError};
use crate::{
    Class, IntegrityAlgorithm, IntegrityKey, LongTermCredential, Message, MessageWriter, Method,
    ShortTermCredential, TransactionId, attribute::*,
};

const USER: &str = "user";
const PASSWORD: &str = "pass";
const MAX: usize = 12;
const MAX_WITH_ONE: usize = 5;
const MAX_SERVERS: usize = 3;
/// What of that was sent can be answered.
const REMEMBERED: usize = 32;

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
    requests: BTreeMap<RequestId, Life>,
    /// Requests in the order of their start, for operands.
    started: Vec<RequestId>,
    sent: Vec<(Path, Vec<u8>)>,
    /// What each transaction is, octet for octet.
    transactions: BTreeMap<TransactionId, Vec<u8>>,
    /// Whom the caller or an alternate server that was offered names.
    named: BTreeSet<SocketAddr>,
    waiting: Vec<RequestId>,
    closed: bool,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Going,
    Ended,
}

impl<'a> Scenario<'a> {
    fn new(data: &'a [u8]) -> Self {
        let flags = data.first().copied().unwrap_or(0);
        let config = ClientConfig::default()
            .with_max_transactions(MAX, MAX_WITH_ONE)
            .with_max_servers(MAX_SERVERS)
            .with_fingerprint(flags & 1 != 0)
            .with_learn_rto(flags & 2 == 0)
            .with_follow_alternate(flags & 4 == 0)
            .with_heed_icmp(flags & 8 == 0)
            .with_max_repeats(u32::from(flags >> 4 & 7));
        Self {
            data: data.get(1..).unwrap_or_default(),
            now: Instant::EPOCH,
            client: Checked::new(Client::new(config, Seed::new([flags; 32]))),
            requests: BTreeMap::new(),
            started: Vec::new(),
            sent: Vec::new(),
            transactions: BTreeMap::new(),
            named: BTreeSet::new(),
            waiting: Vec::new(),
            closed: false,
        }
    }
    fn octet(&mut self) -> Option<u8> {
        let (&first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(first)
    }
    fn play(mut self) {
        while let Some(op) = self.octet() {
            let n = self.octet().unwrap_or(0);
            match op % 12 {
                0 => self.start(n, None),
                1 => {
                    let credential = self.octet().unwrap_or(0);
                    self.start(n, Some(credential));
                }
                2 => self.cancel(n),
                3 | 4 => self.answer(n),
                5 => self.now += Duration::from_millis(u64::from(n) * 8),
                6 => self.now += Duration::from_secs(u64::from(n)),
                7 => self.notice(n),
                8 => self.raw(n),
                9 => self.follow(n),
                10 if n > 250 => self.close(),
                _ => {
                    if let Some(wake) = self.client.get().poll_timeout() {
                        self.now = self.now.max(wake.at);
                    }
                }
            }
            self.settle();
        }
        self.close();
        self.settle();
        let unended: Vec<_> = self.requests.iter().filter(|(_, life)| **life == Life::Going).collect();
        assert!(unended.is_empty(), "requests without an end: {unended:?}");
    }

    fn start(&mut self, n: u8, credential: Option<u8>) {
        let path = path_of(n);
        let before = self.client.get().in_progress();
        let started = match credential {
            None => self.client.get_mut().binding(self.now, path),
            Some(n) => {
                let mut request = Request::new(Method::BINDING).with_response_paths([path_of(n)]);
                request = match n >> 5 & 3 {
                    0 => request,
                    1 => request.with_credential(short_term()),
                    2 => request.with_credential(short_term().with_only(IntegrityAlgorithm::Sha256)),
                    _ => request.with_credential(long_term()),
                };
                let peer = ([203, 0, 113, n], 7).into();
                self.client
                    .get_mut()
                    .request(self.now, path, request, move |open| open.attribute(&XorPeerAddress(peer)))
            }
        };
        match started {
            Ok(request) => {
                assert_eq!(self.requests.insert(request, Life::Going), None, "a name is given once");
                self.started.push(request);
                self.named.insert(path.remote);
                assert_eq!(self.client.get().in_progress(), before + 1);
            }
            Err(StartError::TooMany) => assert!(before >= MAX),
            Err(StartError::TooManyToServer) => assert!(before >= MAX_WITH_ONE),
            Err(error) => assert!(self.closed && error == StartError::Closed, "{error}"),
        }
    }
    fn cancel(&mut self, n: u8) {
        let Some(&request) = self.started.get(usize::from(n)) else { return };
        let going = self.requests.get(&request) == Some(&Life::Going);
        assert_eq!(self.client.get_mut().cancel(request), going);
        self.requests.insert(request, Life::Ended);
    }
    fn end(&mut self, request: RequestId) {
        let before = self.requests.insert(request, Life::Ended);
        assert_eq!(before, Some(Life::Going), "{request:?} ends once, and was started");
    }
    /// Answers something that was sent, in one of many ways.
    fn answer(&mut self, n: u8) {
        let (how, more) = (self.octet().unwrap_or(0), self.octet().unwrap_or(0));
        let Some((path, question)) = self.sent.iter().rev().nth(usize::from(n % 16)).cloned() else { return };
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        if write_answer(&mut packet, &question, how, more).is_err() {
            return;
        }
        if more & 0x80 != 0 && how & 0x40 != 0 {
            // Damaged on its way.
            if let Some(octet) = packet.bytes_mut().last_mut() {
                *octet ^= more;
            }
        }
        if let Some(server) = alternates(packet.bytes()) {
            self.named.insert(server);
        }
        let path = if n & 0x10 == 0 { path } else { path_of(n >> 5) };
        self.input(path, packet);
    }
    fn raw(&mut self, n: u8) {
        let (octets, rest) = self.data.split_at(usize::from(n).min(self.data.len()));
        self.data = rest;
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        if packet.append(octets).is_ok() {
            self.input(path_of(n), packet);
        }
    }
    fn input(&mut self, path: Path, packet: Packet<'_>) {
        use ginnel_core::Machine as _;
        let mut input = Receive::new(path, packet);
        match self.client.handle_input(self.now, &mut input) {
            Handled::Data(response) => {
                self.events();
                self.end(response.request);
                assert_eq!(response.class == Class::Error, response.error.is_some());
            }
            Handled::Send(_) => unreachable!("a client answers nobody"),
            Handled::Consumed | Handled::Foreign => {}
        }
    }
    fn notice(&mut self, n: u8) {
        use ginnel_core::Machine as _;
        let (path, more) = (path_of(n), self.octet().unwrap_or(0));
        let notice = match more % 4 {
            0 => Notice::Lost { transport: path.transport, local: path.local, remote: Some(path.remote) },
            1 => Notice::Lost { transport: path.transport, local: path.local, remote: None },
            2 => Notice::Unreachable {
                path,
                error: IcmpError::v4(3, more >> 2 & 7, u32::from(more >> 5) << 7),
            },
            _ => Notice::Unreachable { path, error: IcmpError::v6(more >> 2 & 7, more >> 5, 1280) },
        };
        self.client.handle_notice(self.now, notice);
    }
    fn follow(&mut self, n: u8) {
        let Some(&request) = self.waiting.get(usize::from(n >> 4)) else { return };
        let path = path_of(n);
        match self.client.get_mut().follow(self.now, request, path) {
            Ok(()) => {
                self.named.insert(path.remote);
            }
            Err(error) => assert_ne!(error, StartError::TooMany),
        }
    }
    fn close(&mut self) {
        use ginnel_core::Machine as _;
        self.client.close(self.now);
    }

    /// Drains, fires what is due, and looks at everything.
    fn settle(&mut self) {
        use ginnel_core::Machine as _;
        for round in 0.. {
            assert!(round < 100, "it asks for now for ever");
            self.transmits();
            self.events();
            match self.client.poll_timeout() {
                Some(wake) if wake.at <= self.now => self.client.handle_timeout(self.now),
                _ => break,
            }
        }
        let client = self.client.get();
        assert!(client.poll_timeout().is_none_or(|wake| wake.at > self.now), "no wake-up is in the past");
        let going = self.requests.values().filter(|life| **life == Life::Going).count();
        assert_eq!(client.in_progress(), going, "what has not ended is in progress, and nothing else");
        assert!(going <= MAX && client.timers.len() == going, "each waits for a timer of its own");
        assert!(client.learnt.len() <= MAX_SERVERS && client.table.capacity() <= MAX);
        let stats = client.stats();
        assert_eq!(stats.started as usize, self.requests.len());
        assert!((stats.answered + stats.failed) as usize + going <= self.requests.len());
    }
    fn transmits(&mut self) {
        use ginnel_core::Machine as _;
        let mut buffer: Buffer = [0; _];
        loop {
            let mut packet = Packet::empty(&mut buffer);
            let Some(transmit) = self.client.poll_transmit(self.now, &mut packet) else { return };
            assert!(self.named.contains(&transmit.path.remote), "{} was named by nobody", transmit.path);
            let octets = packet.bytes().to_vec();
            let Ok(message) = Message::parse(&octets) else { unreachable!("what is sent parses") };
            assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
            let same = self.transactions.entry(message.transaction_id()).or_insert_with(|| octets.clone());
            assert_eq!(*same, octets, "a resend is the same, and an ID is used once");
            if let Ok(Some(XorPeerAddress(peer))) = message.get() {
                assert_eq!(peer.port(), 7, "veiled by the ID of its own message");
            }
            self.sent.push((transmit.path, octets));
            if self.sent.len() > REMEMBERED {
                self.sent.remove(0);
            }
        }
    }
    fn events(&mut self) {
        use ginnel_core::Machine as _;
        while let Some(event) = self.client.poll_event() {
            assert!(!self.closed, "nothing comes after the last event: {event:?}");
            match event {
                Event::Mapped { request, .. } => self.end(request),
                Event::Failed { request, reason, .. } => {
                    let closing = reason == FailureReason::Closed;
                    assert_eq!(closing, self.client.is_closed(), "{reason}");
                    self.end(request);
                }
                Event::Alternate { request, path, .. } => {
                    assert_eq!(self.requests.get(&request), Some(&Life::Going));
                    assert_ne!(path.transport, Transport::Udp, "over UDP it follows by itself");
                    self.waiting.push(request);
                }
                Event::Closed => self.closed = true,
            }
        }
    }
}

/// Few paths, so that they meet.
fn path_of(n: u8) -> Path {
    let transport = [Transport::Udp, Transport::Udp, Transport::Tls, Transport::Dtls][usize::from(n & 3)];
    let local = ([192, 0, 2, 1], 5000 + u16::from(n >> 2 & 1)).into();
    Path { transport, local, remote: server(n >> 3 & 3) }
}
fn server(n: u8) -> SocketAddr {
    ([198, 51, 100, n], 3478).into()
}
fn short_term() -> ShortTermCredential {
    let Ok(credential) = ShortTermCredential::new(USER, PASSWORD) else { unreachable!("ASCII") };
    credential
}
fn long_term() -> LongTermCredential {
    let Ok(credential) = LongTermCredential::new(USER, PASSWORD) else { unreachable!("ASCII") };
    credential
}

/// The key that a question was made with, as its server would find it.
fn key_of(question: &Message<'_>) -> Option<IntegrityKey> {
    let Ok(Some(realm)) = question.get::<Realm<'_>>() else { return IntegrityKey::short_term(PASSWORD).ok() };
    match question.get::<PasswordAlgorithm<'_>>() {
        Ok(Some(PasswordAlgorithm::SHA256)) => {
            IntegrityKey::long_term_sha256(USER, realm.as_str(), PASSWORD).ok()
        }
        _ => IntegrityKey::long_term(USER, realm.as_str(), PASSWORD).ok(),
    }
}

/// An answer to `question`: what it is, in the low bits of `how`; made with the key or not, with FINGERPRINT or not.
fn write_answer(packet: &mut Packet<'_>, question: &[u8], how: u8, more: u8) -> Result<(), NoRoom> {
    const CODES: [u16; 8] = [300, 401, 438, 500, 400, 420, 487, 300];
    let question = Message::parse(question).map_err(|_| NoRoom)?;
    let (class, code) = match how & 0x0F {
        0..8 => (Class::Error, CODES.get(usize::from(how & 7)).copied()),
        8 => (Class::Error, None),
        _ => (Class::Success, None),
    };
    let mut open = MessageWriter::new(packet, class, question.method(), question.transaction_id())?;
    if let Some(code) = code {
        open = open.attribute(&ErrorCode::new(code, "").map_err(|_| NoRoom)?)?;
    }
    match code {
        Some(300) => open = open.attribute(&AlternateServer(alternate(more)))?,
        Some(401 | 438) => open = write_challenge(open, more)?,
        Some(420) => open = open.attribute(&UnknownAttributes::new(&[AttributeType(u16::from(more))]))?,
        None if class == Class::Success && more & 1 == 0 => {
            open = open.attribute(&XorMappedAddress(server(more)))?;
        }
        _ => {}
    }
    let fingerprint = how & 0x20 != 0;
    let key = if how & 0x10 == 0 { None } else { key_of(&question) };
    let Some(key) = key else {
        return if fingerprint {
            open.fingerprint()
        } else {
            open.finish();
            Ok(())
        };
    };
    let algorithm = match question.integrity_algorithm() {
        Some(algorithm) if how & 0x80 == 0 => algorithm,
        _ => IntegrityAlgorithm::Sha1,
    };
    let sealed = open.integrity_as(algorithm, &key)?;
    if fingerprint {
        sealed.fingerprint()
    } else {
        sealed.finish();
        Ok(())
    }
}
/// What a 401 or a 438 bears: each part may be missing or lie.
fn write_challenge<'p, 'b>(
    mut open: MessageWriter<'p, 'b>,
    more: u8,
) -> Result<MessageWriter<'p, 'b>, NoRoom> {
    const NONCES: [&[u8]; 4] =
        [b"plain", b"obMatJos2gAAAnonce", b"obMatJos2wAAAnonce", b"obMatJos2QAAAnonce"];
    const OFFERS: [&[PasswordAlgorithm<'_>]; 3] =
        [&[PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5], &[PasswordAlgorithm::MD5], &[]];
    if more & 0x40 == 0 {
        let realm = ["example.org", "example.com"][usize::from(more >> 5 & 1)];
        open = open.attribute(&Realm::new(realm).map_err(|_| NoRoom)?)?;
    }
    let nonce = NONCES[usize::from(more & 3)];
    if more & 0x1C != 0x1C {
        open = open.attribute(&Nonce::new(nonce).map_err(|_| NoRoom)?)?;
    }
    match OFFERS.get(usize::from(more >> 2 & 3)) {
        Some(offer) => open.attribute(&PasswordAlgorithms::new(offer)),
        None => Ok(open),
    }
}
/// Another server, or an address that must not be asked.
fn alternate(n: u8) -> SocketAddr {
    match n % 8 {
        0..5 => server(n % 8),
        5 => ([127, 0, 0, 1], 3478).into(),
        6 => ([203, 0, 113, 1], 25).into(),
        _ => ([192, 0, 2, 1], 5000).into(),
    }
}
/// Whom an answer may lead to: those of its alternates that are not forbidden.
fn alternates(octets: &[u8]) -> Option<SocketAddr> {
    let Ok(Some(AlternateServer(server))) = Message::parse(octets).ok()?.get() else { return None };
    (server.port() == 3478 && !server.ip().is_loopback()).then_some(server)
}
