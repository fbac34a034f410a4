//! One server, what happened to it, and what every answer must be like.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{Buffer, Handled, Instant, Packet, Path, Receive, Seed, Ticket, Transmit, Transport};

use super::{
    Script,
    model::{Expected, Given, Made, Mechanism, PERIOD, REALM, Rules},
};
use crate::{
    attribute::*,
    auth::{AnnouncedAlgorithms, AuthConfig, LookUp, NonceKey, RateLimit, User, ask::Ask},
    fingerprint::Fingerprint,
    integrity::{Integrity, IntegrityAlgorithm, IntegrityKey},
    message::{Class, Message, Method, TransactionId},
    server::{
        BindingServer, DiscoveryAddresses, DiscoverySupport, FingerprintPolicy, ServerConfig, ServerEvent,
    },
};

/// Requests that may wait for a look-up.
const MAX_WAITING: usize = 3;
const PER_SECOND: u32 = 2;
const BURST: u32 = 5;
const FOREIGN_NONCE: &[u8; 44] = b"obMatJos2gAAAforgedforgedforgedforgedforgedA";

pub(super) struct World {
    server: BindingServer,
    config: ServerConfig,
    mechanism: Mechanism,
    announced: AnnouncedAlgorithms,
    by_event: bool,
    limited: bool,
    user_known: bool,
    now: Instant,
    /// The newest first. All of them: a request that waits may come back to the oldest.
    given: Vec<Given>,
    key: u32,
    keys: [IntegrityKey; 3],
    /// Requests that wait, as they were made, oldest first.
    waiting: Vec<Waiting>,
    /// Answers to strangers over UDP in the current minute.
    answered: [u32; 6],
}
struct Waiting {
    ticket: Ticket,
    plan: Plan,
    path: Path,
    since: Instant,
    /// What the back end said: whether the user is there.
    found: Option<bool>,
}

/// How a request is to be made, without borrowing anything.
#[derive(Clone, Copy, Default)]
struct Plan {
    name: u8,
    realm: u8,
    nonce: Option<[u8; 44]>,
    list: u8,
    chosen: u8,
    key: u8,
    sha256: bool,
    fingerprint: bool,
    change: Option<(bool, bool)>,
    port: Option<u16>,
    padding: Option<u16>,
    id: u8,
}

impl World {
    pub(super) fn new(script: &mut Script<'_>) -> Self {
        let mechanism = [Mechanism::None, Mechanism::ShortTerm, Mechanism::LongTerm, Mechanism::LongTerm]
            [usize::from(script.below(4))];
        let announced =
            [AnnouncedAlgorithms::None, AnnouncedAlgorithms::Sha256, AnnouncedAlgorithms::Sha256AndMd5]
                [usize::from(script.below(3))];
        let by_event = mechanism == Mechanism::LongTerm && script.flag();
        let limited = script.flag();
        let limit = limited.then(|| RateLimit::default().with_rate(PER_SECOND, BURST).with_buckets(2));
        let Ok(long_term) = AuthConfig::long_term(REALM) else { unreachable!("a legal realm") };
        let auth = match mechanism {
            Mechanism::None => None,
            Mechanism::ShortTerm => Some(AuthConfig::short_term()),
            Mechanism::LongTerm => Some(
                long_term
                    .with_algorithms(announced)
                    .with_username_anonymity(script.flag())
                    .with_nonce_period(Duration::from_secs(PERIOD))
                    .with_nonce_key(NonceKey::new([0; 32]), Duration::ZERO),
            ),
        };
        let look_up = if by_event { LookUp::ByEvent { max_waiting: MAX_WAITING } } else { LookUp::InMemory };
        let four = DiscoveryAddresses::new(local(0, false), local(3, false));
        let Ok(four) = four else { unreachable!("two addresses and two ports") };
        let config = ServerConfig::default()
            .with_credentials(auth.map(|auth| auth.with_look_up(look_up).with_challenge_limit(limit)))
            .with_fingerprint(
                [FingerprintPolicy::AsAsked, FingerprintPolicy::Required, FingerprintPolicy::Never]
                    [usize::from(script.below(3))],
            )
            .with_rfc3489(script.flag())
            .with_discovery(
                [DiscoverySupport::Off, DiscoverySupport::OneAddress, DiscoverySupport::TwoAddresses(four)]
                    [usize::from(script.below(3))],
            )
            .with_response_port(script.flag())
            .with_rate_limit(limit);
        let (short, md5, sha256) = keys();
        let mut world = Self {
            server: BindingServer::new(config.clone(), Seed::new([7; 32])),
            config,
            mechanism,
            announced,
            by_event,
            limited,
            user_known: false,
            now: Instant::EPOCH,
            given: Vec::new(),
            key: 0,
            keys: if mechanism == Mechanism::ShortTerm {
                [short.clone(), md5, short]
            } else {
                [md5, sha256, short]
            },
            waiting: Vec::new(),
            answered: [0; 6],
        };
        world.know(true);
        world
    }
    fn know(&mut self, known: bool) {
        if known {
            let asks = self.mechanism != Mechanism::None;
            assert_eq!(self.server.add_user(self.user()).is_ok(), asks);
        } else {
            self.server.remove_user("user");
        }
        self.user_known = known;
    }
    fn user(&self) -> User {
        let [first, second, _] = &self.keys;
        if self.mechanism == Mechanism::ShortTerm {
            User::from_short_term_key("user", first.clone())
        } else {
            User::from_long_term_keys("user", REALM, Some(first.clone()), Some(second.clone()))
        }
    }

    pub(super) fn step(&mut self, script: &mut Script<'_>) {
        match script.below(14) {
            0 => {
                let path = self.path(script);
                let n = usize::from(script.octet());
                self.raw(path, script.octets(n));
            }
            1 => self.pass(Duration::from_millis(u64::from(script.octet()) * 100)),
            2 => self.pass(Duration::from_secs(u64::from(script.octet()))),
            3 | 12 | 13 => self.look_up(script),
            4 => {
                self.key += 1;
                self.server.rotate_nonce_key(NonceKey::new([self.key as u8; 32]));
            }
            5 => self.know(script.flag()),
            6 => {
                let path = self.path(script);
                let plan = self.plan(script, path);
                self.ask(path, plan);
            }
            7 => {
                let path = self.path(script);
                self.ask(path, Plan { id: script.octet(), fingerprint: script.flag(), ..Plan::default() });
            }
            _ => {
                let plan = self.honest(script);
                self.ask(plan.0, plan.1);
            }
        }
        assert!(self.server.waiting() <= MAX_WAITING, "what waits is bounded");
        assert_eq!(self.server.waiting(), self.waiting.len());
    }
    pub(super) fn end(&mut self) {
        self.server.close(self.now);
        assert!(self.server.is_closed() && self.server.waiting() == 0);
        assert_eq!(self.server.poll_event(), Some(ServerEvent::Closed));
        assert_eq!(self.server.poll_event(), None);
    }
    fn pass(&mut self, duration: Duration) {
        let minute = |at: Instant| at.since_epoch().as_secs() / 60;
        let before = minute(self.now);
        self.now += duration;
        if minute(self.now) != before {
            self.answered = [0; 6];
        }
    }
    fn path(&self, script: &mut Script<'_>) -> Path {
        let choice = script.octet();
        let (local_at, remote_at, ipv6) = (choice & 7, choice >> 3 & 3, choice & 0x80 != 0);
        let transport = [Transport::Udp, Transport::Udp, Transport::Tcp, Transport::Dtls];
        let transport = transport[usize::from(script.below(4))];
        let remote: SocketAddr = if ipv6 {
            ([0x2001, 0xdb8, 0, u16::from(remote_at % 3), 0, 0, 0, 1], 5000).into()
        } else {
            ([192, 0, 2, remote_at % 3], 5000).into()
        };
        Path { transport, local: local(local_at, ipv6), remote }
    }
    fn plan(&self, script: &mut Script<'_>, path: Path) -> Plan {
        let credentials = script.octet();
        let nonce = match credentials & 3 {
            0 => None,
            1 => Some(*FOREIGN_NONCE),
            2 => self.given.iter().rev().find(|it| it.path == path).map(|it| it.octets),
            _ => self.given.get(usize::from(script.octet()) % self.given.len().max(1)).map(|it| it.octets),
        };
        let how = script.octet();
        let behavior = script.octet();
        Plan {
            name: credentials >> 2 & 7,
            realm: credentials >> 5 & 3,
            nonce,
            list: how & 3,
            chosen: how >> 2 & 3,
            key: how >> 4 & 3,
            sha256: how & 0x40 != 0,
            fingerprint: how & 0x80 != 0,
            change: (behavior & 1 != 0).then_some((behavior & 2 != 0, behavior & 4 != 0)),
            port: (behavior & 0x18 == 0x18).then(|| u16::from(script.octet()) << 4),
            padding: (behavior & 0x60 == 0x60).then(|| u16::from(script.octet()) << 2),
            id: behavior,
        }
    }
    /// What a client does who was challenged: as he should, but for one thing at the most.
    fn honest(&self, script: &mut Script<'_>) -> (Path, Plan) {
        let newest = usize::from(script.octet() >> 4) % self.given.len().max(1);
        let given = self.given.get(newest);
        let path = given.map_or_else(|| self.path(script), |it| it.path);
        let modern = self.announced != AnnouncedAlgorithms::None && script.flag();
        let listed = 1 + u8::from(self.announced == AnnouncedAlgorithms::Sha256AndMd5);
        let name = if script.flag() { 1 } else { 3 };
        let mut plan = Plan {
            name: if self.mechanism == Mechanism::ShortTerm { 1 } else { name },
            realm: 1,
            nonce: given.map(|it| it.octets),
            list: if modern { listed } else { 0 },
            chosen: u8::from(modern),
            key: if modern && self.mechanism == Mechanism::LongTerm { 2 } else { 1 },
            sha256: modern,
            fingerprint: self.config.fingerprint == FingerprintPolicy::Required || script.flag(),
            id: script.octet(),
            ..Plan::default()
        };
        match script.below(24) {
            0 => plan.name = script.below(8),
            1 => plan.realm = script.below(4),
            2 => plan.nonce = Some(*FOREIGN_NONCE),
            3 => plan.list = script.below(4),
            4 => plan.chosen = script.below(4),
            5 => plan.key = script.below(4),
            6 => plan.sha256 = script.flag(),
            7 | 8 => plan.change = Some((script.flag(), script.flag())),
            9 => plan.port = Some(u16::from(script.octet()) << 4),
            10 => plan.padding = Some(u16::from(script.octet()) << 2),
            11 => plan.nonce.iter_mut().for_each(|it| it[43 - usize::from(script.below(44))] ^= 1),
            12 => return (self.path(script), plan),
            _ => {}
        }
        (path, plan)
    }
    /// The request of a plan.
    fn made<'a>(&'a self, plan: &'a Plan, path: Path) -> Made<'a> {
        const SHA: PasswordAlgorithm<'static> = PasswordAlgorithm::SHA256;
        const MD5: PasswordAlgorithm<'static> = PasswordAlgorithm::MD5;
        let lists: [Option<&[PasswordAlgorithm<'_>]>; 4] =
            [None, Some(&[SHA]), Some(&[SHA, MD5]), Some(&[MD5])];
        let long_term = self.mechanism != Mechanism::ShortTerm;
        let (key, key_of) = match plan.key {
            0 => (None, None),
            1 => (self.keys.first(), Some(Algorithm::MD5)),
            2 => (self.keys.get(1), long_term.then_some(Algorithm::SHA256)),
            _ => (self.keys.get(2), (!long_term).then_some(Algorithm::MD5)),
        };
        let algorithm = if plan.sha256 { IntegrityAlgorithm::Sha256 } else { IntegrityAlgorithm::Sha1 };
        let hash = |name| Some(UserHash::of(name, REALM));
        let ask = Ask {
            id: TransactionId::new([plan.id; 12]),
            username: [
                None,
                Some("user"),
                Some("nobody"),
                None,
                None,
                Some("user"),
                Some("user"),
                Some("%n'\"\0"),
            ][usize::from(plan.name)],
            userhash: [None, None, None, hash("user"), hash("nobody"), hash("nobody"), None, None]
                [usize::from(plan.name)],
            realm: [None, Some(REALM), Some(REALM), Some("example.com")][usize::from(plan.realm)],
            nonce: plan.nonce.as_ref().map(|it| &it[..]),
            list: lists[usize::from(plan.list)],
            chosen: [None, Some(SHA), Some(MD5), PasswordAlgorithm::new(Algorithm(9), b"").ok()]
                [usize::from(plan.chosen)],
            change: plan.change.map(|(ip, port)| ChangeRequest { ip, port }),
            port: plan.port.map(ResponsePort),
            padding: plan.padding.map(|octets| Padding { octets }),
            key: key.map(|key| (key, algorithm)),
            fingerprint: plan.fingerprint,
            ..Ask::default()
        };
        Made { ask, path, key_of }
    }
    fn rules(&self, user_known: bool) -> Rules<'_> {
        Rules {
            config: &self.config,
            mechanism: self.mechanism,
            announced: self.announced,
            by_event: self.by_event,
            user_known,
            given: &self.given,
            key: self.key,
            now: self.now,
        }
    }

    fn ask(&mut self, path: Path, plan: Plan) {
        let mut buffer: Buffer = [0xEE; _];
        let mut packet = Packet::empty(&mut buffer);
        let made = self.made(&plan, path);
        assert!(made.ask.write(&mut packet).is_ok(), "there is room for any of these");
        let request: Vec<u8> = packet.bytes().into();
        let expected = self.rules(self.user_known).expect(&made, false);
        let mut input = Receive::new(path, packet);
        let handled = self.server.handle_input(self.now, &mut input);
        let answer = input.packet.bytes().to_vec();
        match (handled, expected) {
            (Handled::Send(transmit), _) => self.check(&plan, path, expected, &request, transmit, &answer),
            (Handled::Consumed, Expected::Silence) => {}
            (Handled::Consumed, Expected::LookUp) => self.wait(path, plan),
            (Handled::Consumed, expected) => {
                let stranger = !matches!(expected, Expected::Answer(_, Some(_)));
                let datagrams = path.transport == Transport::Udp;
                assert!(self.limited && stranger && datagrams, "{expected:?} and no answer");
            }
            (handled, _) => unreachable!("a Binding request was {handled:?}"),
        }
    }
    /// Octets of any kind: nothing is known of them but what holds for all.
    fn raw(&mut self, path: Path, octets: &[u8]) {
        let mut buffer: Buffer = [0xEE; _];
        let mut packet = Packet::empty(&mut buffer);
        assert!(packet.append(octets).is_ok());
        let mut input = Receive::new(path, packet);
        let before = self.server.waiting();
        match self.server.handle_input(self.now, &mut input) {
            Handled::Send(transmit) => {
                let answer = input.packet.bytes().to_vec();
                self.is_sound(path, octets, transmit, &answer);
                self.is_small(path, octets, &answer);
            }
            Handled::Foreign => assert_eq!((input.packet.bytes(), input.path), (octets, path)),
            Handled::Consumed => {
                // A fuzzer may find a nonce in the corpus: then its request waits, and is given up here.
                if self.server.waiting() != before || self.by_event && cfg!(fuzzing) {
                    self.forget();
                }
            }
            Handled::Data(()) => unreachable!("a server has no data"),
        }
    }
    fn forget(&mut self) {
        while let Some(ServerEvent::LookUp { .. }) = self.server.poll_event() {}
        let mut ticket = Ticket(0);
        while self.server.waiting() > 0 {
            self.server.answer(ticket, None);
            ticket.0 += 1;
            let mut buffer: Buffer = [0; _];
            let mut packet = Packet::empty(&mut buffer);
            while self.server.poll_transmit(self.now, &mut packet).is_some() {}
        }
        self.waiting.clear();
    }

    fn wait(&mut self, path: Path, plan: Plan) {
        let same = |it: &Waiting| it.path == path && it.plan.id == plan.id && it.found.is_none();
        if self.waiting.iter().any(same) {
            assert_eq!(self.server.poll_event(), None, "a retransmission waits already");
            return;
        }
        if self.waiting.len() == MAX_WAITING {
            // The oldest of the same source that nobody has answered, for one is its share; or the oldest of all that
            // nobody has; or, where all are answered, the oldest.
            let unanswered = |it: &Waiting| it.found.is_none();
            let own = |it: &Waiting| unanswered(it) && source_of(it.path) == source_of(path);
            let own = self.waiting.iter().position(own);
            let oldest = own.or_else(|| self.waiting.iter().position(unanswered)).unwrap_or(0);
            self.waiting.remove(oldest);
        }
        let Some(ServerEvent::LookUp { ticket, who }) = self.server.poll_event() else {
            unreachable!("a look-up is asked for");
        };
        let shown = alloc::format!("{who:?}");
        assert!(!shown.contains("user") && !shown.contains('%'), "names are not printed");
        self.waiting.push(Waiting { ticket, plan, path, since: self.now, found: None });
    }
    /// The back end answers one, or the driver fetches what was answered.
    fn look_up(&mut self, script: &mut Script<'_>) {
        let which = script.octet();
        if self.waiting.is_empty() {
            assert!(!self.server.answer(Ticket(which.into()), None), "nobody waits");
        }
        let unanswered = self.waiting.iter().filter(|it| it.found.is_none()).count();
        if which & 1 == 1 && unanswered > 0 {
            let nth = usize::from(which >> 2) % unanswered;
            let found = which & 2 == 2;
            let user = found.then(|| self.user());
            let at = self.waiting.iter().enumerate().filter(|(_, it)| it.found.is_none()).nth(nth);
            let Some((at, _)) = at else { return };
            let mut answered = self.waiting.remove(at);
            assert!(self.server.answer(answered.ticket, user));
            answered.found = Some(found);
            // In the order of their answers, behind those that were answered before.
            let place = self.waiting.iter().rposition(|it| it.found.is_some()).map_or(0, |at| at + 1);
            self.waiting.insert(place, answered);
            return;
        }
        while self.waiting.first().is_some_and(|it| it.found.is_some()) {
            let next = self.waiting.remove(0);
            self.fetch(&next);
        }
        let mut buffer: Buffer = [0; _];
        assert!(self.server.poll_transmit(self.now, &mut Packet::empty(&mut buffer)).is_none());
    }
    fn fetch(&mut self, next: &Waiting) {
        if self.now.saturating_since(next.since) >= Duration::from_millis(39_500) {
            return;
        }
        let mut request: Buffer = [0; _];
        let mut request = Packet::empty(&mut request);
        let made = self.made(&next.plan, next.path);
        assert!(made.ask.write(&mut request).is_ok());
        let is_user = made
            .ask
            .username
            .map_or(made.ask.userhash == Some(UserHash::of("user", REALM)), |it| it == "user");
        let known = next.found == Some(true) && is_user;
        let expected = self.rules(known).expect(&made, true);
        let request: Vec<u8> = request.bytes().into();
        let mut buffer: Buffer = [0xEE; _];
        let mut packet = Packet::empty(&mut buffer);
        let limited = self.limited && matches!(expected, Expected::Refusal(_));
        if limited && next.path.transport == Transport::Udp {
            // Whether the limit lets it through is not the model's to know, and the next answer may come in its place.
            self.forget();
            return;
        }
        let transmit = self.server.poll_transmit(self.now, &mut packet);
        let Some(transmit) = transmit else { unreachable!("{expected:?} and no answer") };
        let answer = packet.bytes().to_vec();
        self.check(&next.plan, next.path, expected, &request, transmit, &answer);
    }

    /// The answer is what the model expects.
    fn check(
        &mut self,
        plan: &Plan,
        path: Path,
        expected: Expected,
        request: &[u8],
        transmit: Transmit,
        answer: &[u8],
    ) {
        self.is_sound(path, request, transmit, answer);
        let Ok(message) = Message::parse(answer) else { unreachable!("a sound answer") };
        let error = message.get::<ErrorCode<'_>>().ok().flatten().map(|it| it.code());
        match expected {
            Expected::Refusal(code) => assert_eq!(error, Some(code)),
            Expected::Answer(code, reply) => {
                assert_eq!(error, code);
                assert_eq!(message.integrity_algorithm(), reply);
                if let Some(algorithm) = reply {
                    let _ = algorithm;
                    let made = self.made(plan, path);
                    let right = made.key_of.is_some();
                    let key = made.ask.key.map(|(key, _)| key);
                    assert!(!right || key.is_some_and(|key| message.integrity(key) == Integrity::Ok));
                }
                if code.is_none() {
                    self.is_from_where_it_should(plan, path, transmit, &message);
                }
            }
            Expected::Silence | Expected::LookUp => unreachable!("{expected:?}, but {error:?}"),
        }
        if !matches!(expected, Expected::Answer(_, Some(_))) {
            self.is_small(path, request, answer);
        }
        if let (Some(401 | 438), Ok(Some(nonce))) = (error, message.get::<Nonce<'_>>()) {
            let Ok(octets) = nonce.octets().try_into() else { unreachable!("44 octets") };
            assert!(self.given.iter().all(|it| it.octets != octets), "every nonce is new");
            self.given.insert(0, Given { octets, path, at: self.now, key: self.key });
        }
    }
    /// RFC 5780 section 6.1, table 1; RFC 8489 section 6.3.1.2.
    fn is_from_where_it_should(&self, plan: &Plan, path: Path, transmit: Transmit, message: &Message<'_>) {
        let (mut local, mut remote, mut other) = (path.local, path.remote, None);
        let four = self.rules(true).four();
        if let Some(at) = four.iter().position(|&it| it == Some(path.local)) {
            let (ip, port) = plan.change.unwrap_or_default();
            let at = |ip: bool, port: bool| four[at ^ (usize::from(ip) << 1) ^ usize::from(port)];
            local = at(ip, port).unwrap_or(local);
            other = at(true, true);
        }
        remote.set_port(plan.port.unwrap_or(remote.port()));
        assert_eq!(transmit.path, Path { local, remote, ..path });
        assert_eq!(message.get(), Ok(Some(XorMappedAddress(path.remote))));
        let discovery = self.config.discovery != DiscoverySupport::Off;
        assert_eq!(message.get(), Ok(discovery.then_some(MappedAddress(path.remote))));
        assert_eq!(message.get(), Ok(discovery.then_some(ResponseOrigin(local))));
        assert_eq!(message.get(), Ok(other.map(OtherAddress)));
        assert_eq!(message.has(AttributeType::PADDING), plan.padding.is_some());
    }
    /// What holds for every answer to whatever it was.
    fn is_sound(&self, path: Path, request: &[u8], transmit: Transmit, answer: &[u8]) {
        let Ok(message) = Message::parse_or_rfc3489(answer) else { unreachable!("an answer is a message") };
        assert!(message.class().is_response() && message.method() == Method::BINDING);
        assert_eq!(answer.get(4..20), request.get(4..20), "of the same transaction");
        assert_eq!(message.class() == Class::Error, message.has(AttributeType::ERROR_CODE));
        assert_ne!(message.fingerprint(), Fingerprint::Bad);
        assert_eq!(transmit.path.transport, path.transport);
        assert_eq!(transmit.path.remote.ip(), path.remote.ip(), "only who asked is answered");
        for unwanted in [AttributeType::SOFTWARE, AttributeType::USERNAME, AttributeType::USERHASH] {
            assert!(!message.has(unwanted));
        }
        if self.config.fingerprint == FingerprintPolicy::Never {
            assert_eq!(message.fingerprint(), Fingerprint::Absent);
        }
    }
    /// The preamble of `SECURITY.md`, and the rate.
    fn is_small(&mut self, path: Path, request: &[u8], answer: &[u8]) {
        let Ok(message) = Message::parse_or_rfc3489(answer) else { return };
        if message.integrity_algorithm().is_some() {
            return;
        }
        let nonce = message.get::<Nonce<'_>>().ok().flatten().map_or(0, |it| it.octets().len());
        if nonce > 0 {
            // Where FINGERPRINT is required it comes on top; and a list of two takes the padding of the realm with it.
            let required = self.config.fingerprint == FingerprintPolicy::Required;
            let two = self.announced == AnnouncedAlgorithms::Sha256AndMd5;
            let most = 48 + REALM.len() + nonce + if required { 8 } else { 0 } + if two { 3 } else { 0 };
            assert!(answer.len() <= most, "{} octets", answer.len());
        } else {
            let most = if self.config.discovery == DiscoverySupport::Off { 3 } else { 6 };
            assert!(answer.len() <= most * request.len(), "{} for {}", answer.len(), request.len());
        }
        if self.limited && path.transport == Transport::Udp {
            let source = source_of(path);
            self.answered[source] += 1;
            // A minute between two deals of the table.
            assert!(self.answered[source] <= BURST + 60 * PER_SECOND, "each source has its share");
        }
    }
}

/// One of the four addresses of the server, or one of its others.
fn local(at: u8, ipv6: bool) -> SocketAddr {
    let (host, port) = (1 + (at >> 1), 3478 + u16::from(at & 1));
    if ipv6 {
        ([0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, u16::from(host)], port).into()
    } else {
        ([198, 51, 100, host], port).into()
    }
}
/// The number of a source: three of IPv4 and three of IPv6.
fn source_of(path: Path) -> usize {
    match path.remote {
        SocketAddr::V4(it) => usize::from(it.ip().octets()[3] % 3),
        SocketAddr::V6(it) => 3 + usize::from(it.ip().segments()[3] % 3),
    }
}
/// Made once: nothing about hashing passwords is looked at here.
fn keys() -> (IntegrityKey, IntegrityKey, IntegrityKey) {
    let key = |octets: &[u8]| IntegrityKey::from_octets(octets);
    (key(b"short"), key(&[1; 16]), key(&[2; 32]))
}
