//! Two associations over one lossy link, in virtual time.
#![allow(dead_code, reason = "each test file uses what it needs")]

use ginnel_core::{Buffer, Epoch, Instant, Packet, Rng, Seed};
use ginnel_datachannel::{Association, AssociationConfig, Event, Role};
use std::{collections::BTreeMap, time::Duration};

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What the link does to each packet.
#[derive(Clone, Copy)]
pub(crate) struct Link {
    pub(crate) delay: Duration,
    pub(crate) jitter: Duration,
    pub(crate) loss: f64,
    pub(crate) duplication: f64,
    pub(crate) down: bool,
    /// The queue before it: how many packets it holds, and how long each occupies the link. What does not fit is lost.
    pub(crate) queue: Option<(u32, Duration)>,
}
impl Link {
    pub(crate) const GOOD: Self = Self {
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        loss: 0.0,
        duplication: 0.0,
        down: false,
        queue: None,
    };
    pub(crate) fn bad(loss: f64) -> Self {
        Self { jitter: ms(15), loss, duplication: 0.05, ..Self::GOOD }
    }
}

pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) ends: [Association; 2],
    pub(crate) events: [Vec<Event>; 2],
    pub(crate) link: Link,
    /// Every packet that left: when, who sent it, its octets.
    pub(crate) log: Vec<(Instant, usize, Vec<u8>)>,
    /// Packets that the queues had no room for.
    pub(crate) overflowed: usize,
    /// Until when each end's link is occupied.
    busy: [Instant; 2],
    flying: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    sent: u64,
    rng: Rng,
}
pub(crate) fn config(role: Role) -> AssociationConfig {
    AssociationConfig::new(role, Epoch::start())
}
impl Pair {
    pub(crate) fn new(seed: u8, link: Link) -> Self {
        Self::with(seed, link, config(Role::Client), config(Role::Server))
    }
    pub(crate) fn with(seed: u8, link: Link, a: AssociationConfig, b: AssociationConfig) -> Self {
        let seed = Seed::new([seed; 32]);
        Self {
            now: Instant::EPOCH,
            ends: [Association::new(a, seed.fork("a")), Association::new(b, seed.fork("b"))],
            events: [vec![], vec![]],
            link,
            log: vec![],
            overflowed: 0,
            busy: [Instant::EPOCH; 2],
            flying: BTreeMap::new(),
            sent: 0,
            rng: seed.fork("link").into_rng(),
        }
    }
    /// Both ends started, and up.
    pub(crate) fn connected(seed: u8, link: Link) -> Self {
        let mut pair = Self::new(seed, link);
        pair.start();
        assert!(
            pair.run_until(ms(120_000), |p| p.ends.iter().all(Association::is_connected)),
            "no connection"
        );
        pair
    }
    pub(crate) fn start(&mut self) {
        let now = self.now;
        self.ends.iter_mut().for_each(|end| end.start(now));
    }
    fn settle(&mut self) {
        for who in 0..2 {
            loop {
                let mut buffer: Buffer = [0; 2048];
                let mut packet = Packet::empty(&mut buffer);
                while self.ends[who].poll_transmit(self.now, &mut packet) {
                    let octets = packet.bytes().to_vec();
                    assert!(octets.len() <= 1191, "{} octets exceed the MTU", octets.len());
                    self.fly(who, octets);
                }
                while let Some(event) = self.ends[who].poll_event() {
                    self.events[who].push(event);
                }
                match self.ends[who].poll_timeout() {
                    Some(wake) if wake.at <= self.now => self.ends[who].handle_timeout(self.now),
                    _ => break,
                }
            }
        }
    }
    fn fly(&mut self, from: usize, octets: Vec<u8>) {
        self.log.push((self.now, from, octets.clone()));
        if self.link.down || self.rng.chance(self.link.loss) {
            return;
        }
        let mut leaves = self.now;
        if let Some((room, each)) = self.link.queue {
            let waits = self.busy[from].saturating_since(self.now);
            if waits >= each * room {
                self.overflowed += 1;
                return;
            }
            self.busy[from] = self.now + waits + each;
            leaves = self.busy[from];
        }
        let copies = 1 + usize::from(self.rng.chance(self.link.duplication));
        for _ in 0..copies {
            let late = self.rng.between(Duration::ZERO, self.link.jitter);
            self.sent += 1;
            self.flying.insert((leaves + self.link.delay + late, self.sent), (1 - from, octets.clone()));
        }
    }
    /// Hands a packet to one end, as if the network had.
    pub(crate) fn inject(&mut self, to: usize, octets: &[u8]) {
        let mut buffer = [0; 4096];
        buffer[640..640 + octets.len()].copy_from_slice(octets);
        let mut packet = Packet::received(&mut buffer, 640..640 + octets.len()).expect("it fits");
        let _ = self.ends[to].handle_input(self.now, &mut packet);
        self.settle();
    }
    /// Goes on until `done`, for `limit` at most. Whether it was done.
    pub(crate) fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let wakes = self.ends.iter().filter_map(|e| e.poll_timeout()).map(|wake| wake.at);
            let Some(next) = wakes.chain(arrival).min().filter(|at| *at <= end) else {
                self.now = end;
                return false;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now) {
                let (to, octets) = entry.remove();
                self.inject(to, &octets);
            }
            for who in 0..2 {
                if self.ends[who].poll_timeout().is_some_and(|wake| wake.at <= self.now) {
                    self.ends[who].handle_timeout(self.now);
                }
            }
        }
    }
    pub(crate) fn run_for(&mut self, d: Duration) {
        self.run_until(d, |_| false);
    }
    /// Messages that one end has received.
    pub(crate) fn messages(&self, who: usize) -> Vec<Vec<u8>> {
        let data = self.events[who].iter().filter_map(|event| match event {
            Event::Message { data, .. } => Some(data.to_vec()),
            _ => None,
        });
        data.collect()
    }
}

/// One association, and a peer that says whatever the test wants.
pub(crate) struct Raw {
    pub(crate) now: Instant,
    pub(crate) end: Association,
    pub(crate) events: Vec<Event>,
    /// What the association sent.
    pub(crate) sent: Vec<Vec<u8>>,
    tag: [u8; 4],
    /// The next TSN of the peer.
    pub(crate) tsn: u32,
}
impl Raw {
    pub(crate) const TAG: [u8; 4] = [0x11; 4];
    /// Connected by SNAP, so that nothing was sent yet. The association is the DTLS client: the peer opens odd streams.
    pub(crate) fn connected(config: AssociationConfig) -> Self {
        let mut end = Association::new(config, Seed::new([9; 32]));
        let mut init = vec![1, 0, 0, 30];
        init.extend_from_slice(&Self::TAG);
        init.extend_from_slice(&[0, 0x10, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1]);
        init.extend_from_slice(&[0xC0, 0, 0, 4, 0x80, 8, 0, 6, 130, 192]);
        end.set_remote_init(&init).unwrap();
        let tag = end.local_init()[4..8].try_into().unwrap();
        end.start(Instant::EPOCH);
        let mut raw = Self { now: Instant::EPOCH, end, events: vec![], sent: vec![], tag, tsn: 1 };
        raw.settle();
        assert!(raw.end.is_connected());
        raw
    }
    fn settle(&mut self) {
        loop {
            let mut buffer: Buffer = [0; 2048];
            let mut packet = Packet::empty(&mut buffer);
            while self.end.poll_transmit(self.now, &mut packet) {
                self.sent.push(packet.bytes().to_vec());
            }
            while let Some(event) = self.end.poll_event() {
                self.events.push(event);
            }
            match self.end.poll_timeout() {
                Some(wake) if wake.at <= self.now => self.end.handle_timeout(self.now),
                _ => break,
            }
        }
    }
    pub(crate) fn wait(&mut self, d: Duration) {
        let end = self.now + d;
        while let Some(wake) = self.end.poll_timeout().filter(|wake| wake.at <= end) {
            self.now = self.now.max(wake.at);
            self.end.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
        self.settle();
    }
    pub(crate) fn give(&mut self, octets: &[u8]) {
        let mut buffer = vec![0; 80_000];
        buffer[640..640 + octets.len()].copy_from_slice(octets);
        let mut packet = Packet::received(&mut buffer, 640..640 + octets.len()).expect("it fits");
        let _ = self.end.handle_input(self.now, &mut packet);
        self.settle();
    }
    /// A packet with our tag and a true checksum.
    pub(crate) fn packet(&self, chunks: &[Vec<u8>]) -> Vec<u8> {
        sealed(self.tag, chunks)
    }
    pub(crate) fn give_chunks(&mut self, chunks: &[Vec<u8>]) {
        let packet = self.packet(chunks);
        self.give(&packet);
    }
    /// A whole message in one DATA chunk, ordered.
    pub(crate) fn message(&mut self, stream: u16, number: u16, ppid: u32, payload: &[u8]) {
        let chunk = data(3, self.tsn, stream, number, ppid, payload);
        self.tsn += 1;
        self.give_chunks(&[chunk]);
    }
    /// Streams whose reset the association has asked for.
    pub(crate) fn resets(&self) -> Vec<u16> {
        let chunks = self.sent.iter().filter(|packet| packet[12] == 130 && packet[17] == 13);
        chunks
            .flat_map(|p| p[32..].chunks_exact(2).map(|id| u16::from_be_bytes([id[0], id[1]])).take(1))
            .collect()
    }
    pub(crate) fn sent_kinds(&self) -> Vec<u8> {
        self.sent.iter().map(|packet| packet[12]).collect()
    }
}
pub(crate) fn sealed(tag: [u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = vec![0x13, 0x88, 0x13, 0x88];
    packet.extend_from_slice(&tag);
    packet.extend_from_slice(&[0; 4]);
    for chunk in chunks {
        packet.extend_from_slice(chunk);
        packet.resize(packet.len().next_multiple_of(4), 0);
    }
    reseal(&mut packet);
    packet
}
/// Makes the checksum true.
pub(crate) fn reseal(packet: &mut [u8]) {
    packet[8..12].fill(0);
    let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(packet);
    packet[8..12].copy_from_slice(&sum.to_le_bytes());
}
pub(crate) fn chunk(kind: u8, flags: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, flags];
    out.extend_from_slice(&u16::try_from(4 + value.len()).unwrap().to_be_bytes());
    out.extend_from_slice(value);
    out
}
pub(crate) fn data(flags: u8, tsn: u32, stream: u16, number: u16, ppid: u32, payload: &[u8]) -> Vec<u8> {
    let mut value = tsn.to_be_bytes().to_vec();
    value.extend_from_slice(&stream.to_be_bytes());
    value.extend_from_slice(&number.to_be_bytes());
    value.extend_from_slice(&ppid.to_be_bytes());
    value.extend_from_slice(payload);
    chunk(0, flags, &value)
}
