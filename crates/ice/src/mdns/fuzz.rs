//! The body of the fuzz target `mdns`: the codec on raw octets, then a scenario for the querier.

use alloc::{collections::BTreeSet, vec::Vec};
use core::{net::IpAddr, time::Duration};

use ginnel_core::{
    HEADROOM, Handled, Instant, Notice, Packet, Path, Receive, Refused, Request, Seed, Ticket, Transport,
};

use super::{Config, Event, HostName, MAX_WRITTEN, Message, MessageWriter, Querier, QueryId, name::MAX_NAME};

/// Parses `data` as a message, and plays it as a scenario.
///
/// # Panics
///
/// If an invariant does not hold.
pub fn run(data: &[u8]) {
    message(data);
    Scenario::new(data).play();
}

/// Whatever parses can be read to its end, and its names are names.
fn message(octets: &[u8]) {
    let Ok(message) = Message::parse(octets) else { return };
    let counts: Vec<usize> =
        (2..6).map(|i| usize::from(u16::from_be_bytes([octets[2 * i], octets[2 * i + 1]]))).collect();
    assert_eq!(message.questions().count(), counts[0]);
    assert_eq!(message.records().count(), counts[1] + counts[2] + counts[3]);
    let names = message.questions().map(|q| q.name).chain(message.records().map(|r| r.name));
    for name in names.take(64) {
        assert!(name.labels().map(|label| 1 + label.len()).sum::<usize>() < MAX_NAME);
        assert!(name.labels().all(|label| (1..64).contains(&label.len())));
    }
}

const NAMES: [&str; 5] = [
    "1f4712db-ea17-4bcf-a596-105139dfd8bf.local",
    "1F4712DB-EA17-4BCF-A596-105139DFD8BF.LOCAL",
    "00000000-0000-4000-8000-000000000000.local",
    "printer.local",
    "..local",
];

struct Scenario<'a> {
    data: &'a [u8],
    now: Instant,
    querier: Querier,
    config: Config,
    ids: Vec<QueryId>,
    ended: BTreeSet<QueryId>,
    asked: Vec<(Ticket, IpAddr)>,
    open: BTreeSet<IpAddr>,
    closed: bool,
}

impl<'a> Scenario<'a> {
    fn new(data: &'a [u8]) -> Self {
        let flags = data.first().copied().unwrap_or(1);
        let config = Config::default()
            .with_ipv4(flags & 1 != 0)
            .with_ipv6(flags & 2 != 0)
            .with_uuid_only(flags & 4 != 0)
            .with_unicast_response(flags & 8 != 0)
            .with_delay_first(flags & 16 != 0)
            .with_max_names(usize::from(flags >> 5));
        Self {
            data: data.get(1..).unwrap_or_default(),
            now: Instant::EPOCH,
            querier: Querier::new(config, Seed::new([flags; 32])),
            config,
            ids: Vec::new(),
            ended: BTreeSet::new(),
            asked: Vec::new(),
            open: BTreeSet::new(),
            closed: false,
        }
    }

    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }

    fn play(mut self) {
        while let Some(op) = self.octet() {
            let n = usize::from(self.octet().unwrap_or(0));
            match op % 9 {
                0 => self.resolve(NAMES[n % NAMES.len()]),
                1 => {
                    if let Some(id) = self.ids.get(n).copied() {
                        self.querier.cancel(self.now, id);
                    }
                }
                2 => self.now += Duration::from_millis(50 * n as u64),
                3 => {
                    let (octets, rest) = self.data.split_at(n.min(self.data.len()));
                    self.data = rest;
                    self.input(octets, 5353);
                }
                4 => self.answer(n),
                5 => self.opened(n),
                6 => {
                    if let Some(ip) = self.open.iter().nth(n).copied() {
                        self.open.remove(&ip);
                        self.querier.handle_notice(
                            self.now,
                            Notice::Lost {
                                transport: Transport::Udp,
                                local: (ip, 5353).into(),
                                remote: None,
                            },
                        );
                    }
                }
                7 if n > 200 => self.querier.close(self.now),
                _ => {
                    let (octets, rest) = self.data.split_at(n.min(self.data.len()));
                    self.data = rest;
                    if let Ok(name) = core::str::from_utf8(octets) {
                        self.resolve(name);
                    }
                }
            }
            self.settle();
        }
        self.querier.close(self.now);
        self.settle();
        while let Some((ticket, _)) = self.asked.pop() {
            self.querier.handle_notice(self.now, Notice::Opened { ticket, result: Err(Refused::InUse) });
        }
        self.settle();
        assert!(self.querier.is_closed() && self.open.is_empty());
    }

    fn resolve(&mut self, name: &str) {
        match self.querier.resolve(self.now, name) {
            Ok(id) => {
                assert!(HostName::parse(name).is_ok() && !self.ids.contains(&id));
                self.ids.push(id);
            }
            Err(_) => {
                let plain = HostName::parse(name).is_ok_and(|host| host.is_uuid() || !self.config.uuid_only);
                assert!(!plain, "a good name was refused");
            }
        }
    }

    fn input(&mut self, octets: &[u8], port: u16) {
        let Some(group) = self.open.first().copied() else { return };
        let mut buf = [0; 2048];
        let range = HEADROOM..HEADROOM + octets.len();
        buf[range.clone()].copy_from_slice(octets);
        let Some(packet) = Packet::received(&mut buf, range) else { return };
        let path = Path::udp((group, 5353).into(), ([192, 0, 2, 7], port).into());
        let mut input = Receive::new(path, packet);
        let handled = self.querier.handle_input(self.now, &mut input);
        assert!(matches!(handled, Handled::Consumed | Handled::Foreign));
        assert_eq!((input.path, input.packet.bytes()), (path, octets));
    }

    /// A well-formed response, its fields chosen by the next octets.
    fn answer(&mut self, n: usize) {
        let (flags, last) = (self.octet().unwrap_or(0), self.octet().unwrap_or(0));
        let Ok(host) = HostName::parse(NAMES[n % 4]) else { return };
        let mut buf = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        let Ok(mut writer) = MessageWriter::response(&mut packet) else { return };
        for i in 0..=u8::from(flags & 1 != 0) {
            let ttl = if flags & 2 != 0 { 0 } else { 1 << (flags >> 3) };
            let _ = writer.address(host, [192, 0, 2, last.wrapping_add(i)].into(), ttl, flags & 4 != 0);
        }
        let octets = packet.bytes().to_vec();
        self.input(&octets, if n > 250 { 1 } else { 5353 });
    }

    fn opened(&mut self, n: usize) {
        if self.asked.is_empty() {
            return;
        }
        let (ticket, ip) = self.asked.remove(0);
        let result = if n < 200 { Ok((ip, 5353).into()) } else { Err(Refused::NotPermitted) };
        if result.is_ok() {
            self.open.insert(ip);
        }
        self.querier.handle_notice(self.now, Notice::Opened { ticket, result });
    }

    /// As `ginnel_core::settle`, with everything checked.
    fn settle(&mut self) {
        self.drain();
        self.querier.handle_timeout(self.now);
        self.drain();
        let wake = self.querier.poll_timeout();
        assert!(wake.is_none_or(|wake| wake.at > self.now), "rule 2: {wake:?}");
        assert!(self.querier.pending() <= self.config.max_names);
        if self.querier.is_closed() {
            assert!(self.closed && wake.is_none() && self.querier.pending() == 0);
        }
    }

    fn drain(&mut self) {
        while let Some(request) = self.querier.poll_request() {
            match request {
                Request::Bind { ticket, ip, .. } => self.asked.push((ticket, ip)),
                Request::Release { local, .. } => assert!(self.open.remove(&local.ip())),
                Request::Connect { .. }
                | Request::Listen { .. }
                | Request::Frame { .. }
                | Request::Splice { .. } => panic!("mDNS has no streams"),
            }
        }
        let mut buf = [0; 2048];
        let mut sent = 0;
        loop {
            let mut packet = Packet::empty(&mut buf);
            let Some(transmit) = self.querier.poll_transmit(self.now, &mut packet) else { break };
            sent += 1;
            assert!(sent <= 2 + self.config.max_names && packet.len() <= MAX_WRITTEN);
            assert!(
                self.open.contains(&transmit.path.local.ip()) && transmit.path.remote.ip().is_multicast()
            );
            let message = Message::parse(packet.bytes()).expect("what is written can be read");
            assert!(
                !message.is_response() && message.questions().count() > 0 && message.records().count() == 0
            );
        }
        while let Some(event) = self.querier.poll_event() {
            assert!(!self.closed, "an event after the last one");
            match event {
                Event::Resolved { id, ip, .. } => {
                    assert!(self.ended.insert(id) && !ip.is_unspecified() && !ip.is_multicast());
                }
                Event::Failed { id, .. } => assert!(self.ended.insert(id)),
                Event::Closed => self.closed = true,
            }
        }
    }
}
