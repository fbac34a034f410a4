//! A scenario for the resolver: the octets are the URI, the answers of a DNS that nobody has to believe, and time.

use alloc::{collections::BTreeSet, string::ToString, vec::Vec};
use core::time::Duration;

use ginnel_core::{HostName, Instant, Seed, Ticket, Transport};

use super::{AnswerError, Event, Naptr, Record, RecordKind, Resolver, ResolverConfig, Srv};
use crate::uri::Uri;

const URIS: [&str; 12] = [
    "stun:a.example",
    "stuns:a.example",
    "turn:a.example",
    "turns:a.example",
    "turn:a.example?transport=udp",
    "turns:a.example?transport=tcp",
    "turns:a.example?transport=udp",
    "turn:a.example:3478",
    "stun:192.0.2.1",
    "turn:[2001:db8::1]",
    "turns:192.0.2.1",
    "turn:a.example?transport=sctp",
];
/// Few, so that they meet, in circles too.
const NAMES: [&str; 8] = [
    "a.example",
    "b.example.",
    "_turn._udp.a.example",
    "_turns._tcp.a.example",
    "c.example",
    ".",
    "a..b",
    "-.example",
];
const SERVICES: [&str; 6] = [
    "RELAY:turn.udp",
    "relay:TURN.TCP:turn.tls",
    "RELAY:turn.udp:turn.tcp:turn.tls:turn.dtls",
    "RELAY",
    "SIP+D2U",
    "",
];
const ALL: [Transport; 4] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls];

/// Plays `data`.
///
/// # Panics
///
/// If an invariant does not hold: it ends, asks nothing twice, finds nothing twice, and keeps its bounds.
pub(crate) fn run(data: &[u8]) {
    let mut octets = Octets(data);
    let uri = URIS[octets.below(URIS.len())];
    let first = octets.below(4);
    let transports: Vec<Transport> = (0..octets.below(5)).map(|i| ALL[(first + i) % 4]).collect();
    let bounds = (1 + octets.below(12), octets.below(8), octets.below(6));
    let flags = octets.next();
    let config = ResolverConfig::default()
        .with_transports(&transports)
        .with_families(flags & 1 == 0, flags & 2 == 0)
        .with_bounds(bounds.0, bounds.1, bounds.2);
    let Ok(uri) = Uri::parse(uri) else { unreachable!("the URIs are legal") };
    let Ok(resolver) = Resolver::new(Instant::EPOCH, &uri, &config, Seed::new([flags; 32])) else { return };
    let mut scenario = Scenario {
        octets,
        resolver,
        config,
        now: Instant::EPOCH,
        open: Vec::new(),
        asked: BTreeSet::new(),
        found: BTreeSet::new(),
        over: false,
    };
    scenario.play();
}

struct Scenario<'a> {
    octets: Octets<'a>,
    resolver: Resolver,
    config: ResolverConfig,
    now: Instant,
    open: Vec<(Ticket, RecordKind)>,
    asked: BTreeSet<(HostName, RecordKind)>,
    found: BTreeSet<(Transport, core::net::SocketAddr)>,
    over: bool,
}

impl Scenario<'_> {
    fn play(&mut self) {
        self.look();
        while !self.octets.0.is_empty() {
            match self.octets.below(8) {
                0 => self.now += Duration::from_millis(10 * u64::from(self.octets.next())),
                1 => self.resolver.answer(self.now, Ticket(u64::from(self.octets.next())), Ok(&[])),
                2 if self.octets.next() == 0 => self.resolver.close(self.now),
                _ => self.answer(),
            }
            self.resolver.handle_timeout(self.now);
            self.look();
        }
        // With the time it asks for, and no more answers, it ends.
        let mut wakes = 0;
        while let Some(wake) = self.resolver.poll_timeout() {
            self.now = self.now.max(wake.at);
            self.resolver.handle_timeout(self.now);
            self.look();
            wakes += 1;
            assert!(wakes < 4 * super::STEPS_MAX, "it waits for ever: {}", wake.why);
        }
        assert!(self.over, "it ended without saying so");
        assert!(self.now <= Instant::EPOCH + self.config.deadline.max(self.now.since_epoch()));
    }

    fn answer(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let (ticket, kind) = self.open.swap_remove(self.octets.below(self.open.len()));
        let count = self.octets.below(8);
        if count == 7 {
            self.resolver.answer(self.now, ticket, Err(AnswerError::Failed));
            return;
        }
        let records: Vec<Record<'_>> = (0..count).map(|_| self.octets.record(kind)).collect();
        self.resolver.answer(self.now, ticket, Ok(&records));
    }

    fn look(&mut self) {
        while let Some(event) = self.resolver.poll_event() {
            assert!(!self.over, "nothing comes after the end");
            match event {
                Event::Question(question) => {
                    self.open.push((question.ticket, question.kind));
                    assert!(self.asked.insert((question.name, question.kind)), "asked twice");
                    assert!(self.asked.len() <= self.config.max_questions);
                }
                Event::Candidate(candidate) => {
                    assert!(self.config.transports.contains(&candidate.transport));
                    let ip = candidate.address.ip();
                    assert!(if ip.is_ipv4() { self.config.ipv4 } else { self.config.ipv6 });
                    assert_ne!(candidate.address.port(), 0);
                    assert!(self.found.insert((candidate.transport, candidate.address)), "found twice");
                    assert!(self.found.len() <= self.config.max_candidates);
                }
                Event::Failed(failure) => assert!(!failure.to_string().is_empty()),
                Event::Finished(finished) => {
                    assert_eq!(finished.candidates, self.found.len());
                    self.over = true;
                }
            }
        }
        assert_eq!(self.over, self.resolver.is_closed());
        let wake = self.resolver.poll_timeout();
        assert_eq!(self.over, wake.is_none(), "it waits until it has ended, and no longer");
    }
}

/// The octets, consumed by position; zero behind their end.
struct Octets<'a>(&'a [u8]);

impl Octets<'_> {
    fn next(&mut self) -> u8 {
        let Some((&octet, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        octet
    }
    fn below(&mut self, n: usize) -> usize {
        usize::from(self.next()) % n
    }
    /// A record: most often of the kind that was asked for.
    fn record(&mut self, kind: RecordKind) -> Record<'static> {
        let [choice, a, b] = [self.next(), self.next(), self.next()];
        let other = [RecordKind::Naptr, RecordKind::Srv, RecordKind::A, RecordKind::Aaaa];
        let kind = if choice < 240 { kind } else { other[usize::from(choice) % 4] };
        let name = |n: u8| NAMES[usize::from(n) % NAMES.len()];
        match kind {
            RecordKind::Naptr => Record::Naptr(Naptr {
                order: u16::from(a & 3),
                preference: u16::from(a >> 2 & 3),
                flags: ["", "S", "a", "U"][usize::from(a >> 4 & 3)],
                services: SERVICES[usize::from(choice) % SERVICES.len()],
                regexp: if a >> 6 == 3 { "!^.*$!x!" } else { "" },
                replacement: name(b),
            }),
            RecordKind::Srv => Record::Srv(Srv {
                priority: u16::from(a & 1),
                weight: u16::from(a >> 1),
                port: u16::from(choice),
                target: name(b),
            }),
            RecordKind::A => Record::A([[192, 0, 2, a & 7].into(), [0; 4].into()][usize::from(b > 250)]),
            RecordKind::Aaaa => Record::Aaaa([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(a & 7)].into()),
        }
    }
}
