//! The place for NATs and firewalls.
//!
//! Every network but the core hangs on another one through exactly one middlebox, so networks form a tree, and two NATs in
//! a row are two networks. A datagram climbs from its network towards the core through the middleboxes that it leaves,
//! and descends through those that it enters. Each is asked at the instant at which the datagram reaches it, so
//! that a mapping which opens while a datagram is on its way lets that datagram in.

use alloc::vec::Vec;
use core::{fmt, net::IpAddr, net::SocketAddr};

use ginnel_core::{Ecn, Instant};

use crate::tcp::{HEADER, Segment};

/// A UDP datagram on its way, or a segment of a stream, as a middlebox sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram {
    /// From; a NAT rewrites it on the way out.
    pub source: SocketAddr,
    /// To; a NAT rewrites it on the way in.
    pub destination: SocketAddr,
    /// The congestion mark.
    pub ecn: Ecn,
    /// The payload.
    pub bytes: Vec<u8>,
    /// What makes it a segment.
    pub(crate) segment: Option<Segment>,
}

impl Datagram {
    pub(crate) const fn new(source: SocketAddr, destination: SocketAddr, ecn: Ecn, bytes: Vec<u8>) -> Self {
        Self { source, destination, ecn, bytes, segment: None }
    }
    /// Whether it is a segment of a stream, and no datagram of UDP: ports of the one are none of the other.
    #[must_use]
    pub fn is_segment(&self) -> bool {
        self.segment.is_some()
    }
    /// The length of the whole IP packet: 28 octets of headers for UDP over IPv4 and 48 over IPv6, and 12 more for TCP.
    #[must_use]
    pub fn ip_len(&self) -> usize {
        let transport = if self.is_segment() { HEADER } else { UDP_HEADER };
        self.bytes.len() + transport + if self.destination.is_ipv4() { 20 } else { 40 }
    }
}

/// The header of UDP.
const UDP_HEADER: usize = 8;

/// What a middlebox does with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Goes on, with the addresses that it bears now.
    Pass,
    /// Goes back into the network that it came from, with the addresses that it bears now: hairpinning.
    Return,
    /// Is gone.
    Drop,
}

/// What stands between a network and the one around it: a NAT, a firewall, a plain router.
///
/// All of its state changes with the datagrams that it sees and the time that it is told; it has no timers of its
/// own, so it lets mappings expire when it next looks at them. Randomness, where it needs some, comes from
/// [`Sim::seed`](crate::Sim::seed) at construction.
pub trait Middlebox: fmt::Debug {
    /// A datagram from inside.
    fn outbound(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict;
    /// A datagram from outside, for an address that this middlebox [`attracts`](Self::attracts).
    fn inbound(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict;
    /// Whether datagrams for `ip` outside are led here. `inside` says that a host within has this very address: all that a
    /// router asks. A NAT asks whether it is one of its external addresses.
    fn attracts(&self, ip: IpAddr, inside: bool) -> bool {
        let _ = ip;
        inside
    }
}

/// A router that lets everything pass as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open;

impl Middlebox for Open {
    fn outbound(&mut self, _: Instant, _: &mut Datagram) -> Verdict {
        Verdict::Pass
    }
    fn inbound(&mut self, _: Instant, _: &mut Datagram) -> Verdict {
        Verdict::Pass
    }
}
