//! What happened to datagrams: counters, a running digest, and a record for people.

use alloc::{collections::VecDeque, vec::Vec};
use core::{fmt, net::SocketAddr};

use ginnel_core::Instant;

use crate::Datagram;

/// What became of a datagram at one point of its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// It left its socket.
    Sent,
    /// It reached a socket.
    Delivered,
    /// It was put before a socket by [`Sim::inject`](crate::Sim::inject).
    Injected,
    /// The link lost it.
    Lost,
    /// The link was cut.
    Cut,
    /// The queue of the link was full, or that of a stream whose other end does not read.
    QueueFull,
    /// It was larger than the link's MTU.
    TooBig,
    /// A middlebox dropped it.
    Filtered,
    /// No network on its way knows the address.
    NoRoute,
    /// The machine sent from an address, or by a transport, that it has not opened.
    NotOpen,
    /// The host is there, and nobody listens at that port, or knows that stream.
    NoSocket,
}

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// From, as the datagram bore it then.
    pub source: SocketAddr,
    /// To, as the datagram bore it then.
    pub destination: SocketAddr,
    /// What became of it.
    pub fate: Fate,
    /// The payload.
    pub bytes: Vec<u8>,
}
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, source, destination, fate, bytes } = self;
        write!(f, "{at} {source} > {destination} {fate:?}, {} octets", bytes.len())
    }
}

/// How many datagrams, and segments of streams, met which fate, over the whole simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Left a socket.
    pub sent: u64,
    /// Reached a socket, copies included.
    pub delivered: u64,
    /// Were injected by the test.
    pub injected: u64,
    /// Were lost by chance.
    pub lost: u64,
    /// Met a link that was cut.
    pub cut: u64,
    /// Met a full queue.
    pub queue_full: u64,
    /// Were larger than an MTU.
    pub too_big: u64,
    /// Were dropped by a middlebox.
    pub filtered: u64,
    /// Had nowhere to go.
    pub no_route: u64,
    /// Were sent from an address or by a transport that their machine had not opened.
    pub not_open: u64,
    /// Found nobody listening.
    pub no_socket: u64,
    /// Were copied by a link.
    pub duplicated: u64,
    /// Were held back by a link.
    pub reordered: u64,
    /// Octets of payload that reached a socket.
    pub delivered_octets: u64,
}

/// FNV-1a, 64 bits: it tells runs apart, and guards against no adversary.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) stats: Stats,
    digest: u64,
    entries: VecDeque<Entry>,
    capacity: usize,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { stats: Stats::default(), digest: FNV_OFFSET, entries: VecDeque::new(), capacity: 0 }
    }

    pub(crate) fn keep(&mut self, entries: usize) {
        self.capacity = entries;
        self.entries.truncate(entries);
    }

    pub(crate) const fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn note(&mut self, at: Instant, datagram: &Datagram, fate: Fate) {
        self.count(fate, datagram.bytes.len());
        self.digest_entry(at, datagram, fate);
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() == self.capacity {
            self.entries.pop_front();
        }
        let Datagram { source, destination, ref bytes, .. } = *datagram;
        self.entries.push_back(Entry { at, source, destination, fate, bytes: bytes.clone() });
    }

    fn count(&mut self, fate: Fate, octets: usize) {
        let s = &mut self.stats;
        if matches!(fate, Fate::Delivered | Fate::Injected) {
            s.delivered_octets += octets as u64;
        }
        let counter = match fate {
            Fate::Sent => &mut s.sent,
            Fate::Delivered => &mut s.delivered,
            Fate::Injected => &mut s.injected,
            Fate::Lost => &mut s.lost,
            Fate::Cut => &mut s.cut,
            Fate::QueueFull => &mut s.queue_full,
            Fate::TooBig => &mut s.too_big,
            Fate::Filtered => &mut s.filtered,
            Fate::NoRoute => &mut s.no_route,
            Fate::NotOpen => &mut s.not_open,
            Fate::NoSocket => &mut s.no_socket,
        };
        *counter += 1;
    }

    fn digest_entry(&mut self, at: Instant, datagram: &Datagram, fate: Fate) {
        self.digest_octets(&at.since_epoch().as_nanos().to_le_bytes());
        self.digest_octets(&[fate as u8, datagram.ecn as u8]);
        for end in [datagram.source, datagram.destination] {
            match end.ip() {
                core::net::IpAddr::V4(ip) => self.digest_octets(&ip.octets()),
                core::net::IpAddr::V6(ip) => self.digest_octets(&ip.octets()),
            }
            self.digest_octets(&end.port().to_le_bytes());
        }
        if let Some(segment) = &datagram.segment {
            self.digest_octets(&segment.octets());
        }
        self.digest_octets(&(datagram.bytes.len() as u64).to_le_bytes());
        self.digest_octets(&datagram.bytes);
    }

    fn digest_octets(&mut self, octets: &[u8]) {
        for octet in octets {
            self.digest = (self.digest ^ u64::from(*octet)).wrapping_mul(FNV_PRIME);
        }
    }
}
