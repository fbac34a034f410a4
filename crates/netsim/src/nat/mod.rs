//! NATs in the words of RFC 4787, for IPv4 and IPv6 alike. TCP is treated in the same way (RFC 5382), in tables of its own.
//!
//! ```text
//!   inside                     the NAT                                   outside
//!   X:x  ----- to Y:y ----->   mapping of (X:x, part of Y:y) = E:e  ---> from E:e
//!   X:x  <---- from Z:z ----   filter: has X:x sent to (part of Z:z)? <- to E:e
//! ```
//!
//! Which part of a peer's endpoint counts is said of mapping and filtering apart, so that all nine pairs can be had. Left
//! out on purpose: port overloading (REQ-3 forbids it), ICMP (the simulation has none), translation between families.

mod table;
mod words;

use alloc::{format, vec::Vec};
use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use ginnel_core::{Instant, Rng, Seed};

use crate::{Datagram, Middlebox, ToIp, Verdict};
use table::Mappings;
pub(crate) use table::Permits;

pub use words::{
    Filtering, Fragments, Hairpinning, Mapping, NatKind, Pooling, PortAssignment, Refresh, UnknownKind,
};

/// A NAT, as a [`Middlebox`] between a network and the one around it.
///
/// A new one does all that RFC 4787 demands and recommends: endpoint-independent mapping and filtering, hairpinning with
/// the external source, paired pooling, ports preserved, mappings that live five minutes and are refreshed from inside.
/// What is to be worse is said.
///
/// ```
/// use core::time::Duration;
/// use ginnel_netsim::{Filtering, Hairpinning, Mapping, Nat, NetworkId, PortAssignment, Refresh, Sim};
///
/// let mut sim = Sim::new(1);
/// let nat = Nat::new(["203.0.113.1"], sim.seed("home"))
///     .with_mapping(Mapping::AddressDependent)
///     .with_filtering(Filtering::AddressAndPortDependent)
///     .with_ports(PortAssignment::Random)
///     .with_expiry(Duration::from_secs(30), Refresh::OutboundAndInbound)
///     .with_hairpinning(Hairpinning::None);
/// assert_eq!(
///     nat.to_string(),
///     "NAT of 203.0.113.1: mapping address-dependent, filtering address-and-port-dependent, expiry 30s"
/// );
/// let home = sim.network(NetworkId::CORE, nat);
/// sim.host_in(home, ["192.168.0.2"]);
/// ```
///
/// The kinds that people name are one word, and a carrier-grade NAT is a network in a network:
///
/// ```
/// use ginnel_netsim::{Nat, NatKind, NetworkId, Sim};
///
/// let mut sim = Sim::new(1);
/// let carrier = Nat::new(["203.0.113.1", "203.0.113.2"], sim.seed("carrier")).with_kind(NatKind::Symmetric);
/// let home = Nat::new(["100.64.0.7"], sim.seed("home")).with_kind("port".parse()?);
/// let carrier = sim.network(NetworkId::CORE, carrier);
/// let home = sim.network(carrier, home);
/// # Ok::<(), ginnel_netsim::UnknownKind>(())
/// ```
#[derive(Debug)]
pub struct Nat {
    external: Vec<IpAddr>,
    mapping: Mapping,
    filtering: Filtering,
    ports: PortAssignment,
    parity: bool,
    /// `None`: all ports, in the two ranges of REQ-3a.
    range: Option<RangeInclusive<u16>>,
    pooling: Pooling,
    refresh: Refresh,
    hairpinning: Hairpinning,
    fragments: Fragments,
    generic_alg: bool,
    mappings: Mappings,
    permits: Permits,
    /// The same of the other protocol, TCP while UDP is looked at: its ports are others.
    other: (Mappings, Permits),
    seed: Seed,
    rng: Rng,
    /// The port given out last, for [`PortAssignment::Contiguous`].
    last_port: Option<u16>,
}

/// RFC 4787 section 4.3, REQ-5c: five minutes or more are recommended.
const EXPIRY: Duration = Duration::from_secs(300);
/// RFC 5382 section 5, REQ-5: two hours and four minutes at least, for streams that are established; this NAT gives it to all.
const STREAM_EXPIRY: Duration = Duration::from_secs(7_440);
/// More than one host opens in a test; few enough to keep.
const MAX_MAPPINGS: usize = 65_536;
/// An IP packet longer than this travels in fragments (RFC 894: the MTU of Ethernet).
const ETHERNET_MTU: usize = 1_500;

impl Nat {
    /// A NAT with these external addresses, of one family or of both. Datagrams of a family of which it has none do not
    /// pass.
    ///
    /// # Panics
    /// When there is no address, or one is no address.
    #[must_use]
    #[track_caller]
    pub fn new(external: impl IntoIterator<Item = impl ToIp>, seed: Seed) -> Self {
        let external: Vec<_> = external.into_iter().map(|ip| ip.to_ip()).collect();
        assert!(!external.is_empty(), "a NAT needs an external address");
        Self {
            external,
            mapping: Mapping::default(),
            filtering: Filtering::default(),
            ports: PortAssignment::default(),
            parity: false,
            range: None,
            pooling: Pooling::default(),
            refresh: Refresh::default(),
            hairpinning: Hairpinning::default(),
            fragments: Fragments::default(),
            generic_alg: false,
            mappings: Mappings::new(EXPIRY, MAX_MAPPINGS),
            permits: Permits::new(EXPIRY, MAX_MAPPINGS),
            other: (Mappings::new(STREAM_EXPIRY, MAX_MAPPINGS), Permits::new(STREAM_EXPIRY, MAX_MAPPINGS)),
            rng: seed.fork("ports").into_rng(),
            seed,
            last_port: None,
        }
    }
    /// With the mapping and the filtering of a kind that people name.
    #[must_use]
    pub fn with_kind(self, kind: NatKind) -> Self {
        self.with_mapping(kind.mapping()).with_filtering(kind.filtering())
    }
    /// See [`Mapping`].
    #[must_use]
    pub fn with_mapping(self, mapping: Mapping) -> Self {
        Self { mapping, ..self }
    }
    /// See [`Filtering`].
    #[must_use]
    pub fn with_filtering(self, filtering: Filtering) -> Self {
        Self { filtering, ..self }
    }
    /// See [`PortAssignment`].
    #[must_use]
    pub fn with_ports(self, ports: PortAssignment) -> Self {
        Self { ports, ..self }
    }
    /// External ports are as even or odd as the internal ones (RFC 4787 section 4.2.2, REQ-4).
    #[must_use]
    pub fn with_parity(self) -> Self {
        Self { parity: true, ..self }
    }
    /// External ports are from this range, those that are preserved as well. Otherwise they are well-known ones, below 1,024,
    /// where the internal ones are, and else those above (RFC 4787 section 4.2.1, REQ-3a). When all are taken, datagrams that
    /// need another are dropped.
    #[must_use]
    pub fn with_port_range(self, range: RangeInclusive<u16>) -> Self {
        Self { range: Some(range), ..self }
    }
    /// See [`Pooling`].
    #[must_use]
    pub fn with_pooling(self, pooling: Pooling) -> Self {
        Self { pooling, ..self }
    }
    /// How long mappings and filters of UDP live that nothing refreshes (RFC 4787 section 4.3), and what does. Those of streams
    /// live 7,440 s.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Duration, refresh: Refresh) -> Self {
        (self.mappings.expiry, self.permits.expiry, self.refresh) = (expiry, expiry, refresh);
        self
    }
    /// See [`Hairpinning`].
    #[must_use]
    pub fn with_hairpinning(self, hairpinning: Hairpinning) -> Self {
        Self { hairpinning, ..self }
    }
    /// See [`Fragments`].
    #[must_use]
    pub fn with_fragments(self, fragments: Fragments) -> Self {
        Self { fragments, ..self }
    }
    /// With a generic ALG, which REQ-10 wants turned off: wherever a payload has the octets of the mapping's endpoint, port and
    /// address as MAPPED-ADDRESS has them, it is translated too (RFC 5780 section 3.6).
    #[must_use]
    pub fn with_generic_alg(self) -> Self {
        Self { generic_alg: true, ..self }
    }
    /// At most this many mappings, and this many filters, at once: 65,536 otherwise. What needs one more is dropped.
    #[must_use]
    pub fn with_max_mappings(mut self, max: usize) -> Self {
        (self.mappings.max, self.permits.max) = (max, max);
        (self.other.0.max, self.other.1.max) = (max, max);
        self
    }

    /// Turns to the tables of the datagram's protocol while `work` is done.
    fn with_tables<T>(
        &mut self,
        datagram: &mut Datagram,
        work: impl FnOnce(&mut Self, &mut Datagram) -> T,
    ) -> T {
        if !datagram.is_segment() {
            return work(self, datagram);
        }
        self.turn_tables();
        let done = work(self, datagram);
        self.turn_tables();
        done
    }

    fn turn_tables(&mut self) {
        core::mem::swap(&mut self.mappings, &mut self.other.0);
        core::mem::swap(&mut self.permits, &mut self.other.1);
    }

    fn drops_fragment(&self, datagram: &Datagram) -> bool {
        self.fragments == Fragments::Dropped && datagram.ip_len() > ETHERNET_MTU
    }

    /// The external endpoint from which `inside` sends to `peer`; `None` when none is left.
    fn translate(&mut self, now: Instant, inside: SocketAddr, peer: SocketAddr) -> Option<SocketAddr> {
        let part = self.mapping.part(peer);
        if let Some(external) = self.mappings.find(now, inside, part) {
            return Some(external);
        }
        if !self.mappings.has_room(now) {
            return None;
        }
        let ip = self.choose_ip(inside.ip())?;
        let port = self.choose_port(now, ip, inside.port())?;
        let external = SocketAddr::new(ip, port);
        self.mappings.add(now, inside, part, external);
        Some(external)
    }

    /// RFC 4787 section 4.1: of the external addresses of the same family.
    fn choose_ip(&mut self, inside: IpAddr) -> Option<IpAddr> {
        let pool = || self.external.iter().filter(|ip| ip.is_ipv4() == inside.is_ipv4());
        let count = u64::try_from(pool().count()).ok().filter(|count| *count > 0)?;
        let index = match self.pooling {
            // A function of the address, and so nothing to remember.
            Pooling::Paired => self.seed.fork(&format!("pool {inside}")).into_rng().below(count),
            Pooling::Arbitrary => self.rng.below(count),
        };
        pool().nth(usize::try_from(index).ok()?).copied()
    }

    /// RFC 4787 sections 4.2.1 to 4.2.3.
    fn choose_port(&mut self, now: Instant, ip: IpAddr, inside: u16) -> Option<u16> {
        let own_range = if inside < 1_024 { 1..=1_023 } else { 1_024..=u16::MAX };
        let range = self.range.clone().unwrap_or(own_range);
        let mut is_free = |port: u16| !self.mappings.is_taken(now, SocketAddr::new(ip, port));
        if self.ports == PortAssignment::Preserving && range.contains(&inside) && is_free(inside) {
            return Some(inside);
        }
        let (first, last) = (u64::from(*range.start()), u64::from(*range.end()));
        let count = (last + 1).checked_sub(first).filter(|count| *count > 0)?;
        let begin = match (self.ports, self.last_port) {
            (PortAssignment::Contiguous, Some(last_port)) if range.contains(&last_port) => {
                u64::from(last_port) + 1 - first
            }
            (PortAssignment::Contiguous, _) => 0,
            _ => self.rng.below(count),
        };
        let port = (0..count)
            .filter_map(|offset| u16::try_from(first + (begin + offset) % count).ok())
            .find(|port| (!self.parity || port % 2 == inside % 2) && is_free(*port))?;
        self.last_port = Some(port);
        Some(port)
    }

    /// Whom a datagram from `peer` to an external endpoint is for, if the filter lets it in.
    fn admit(&mut self, now: Instant, peer: SocketAddr, external: SocketAddr) -> Option<SocketAddr> {
        let inside = self.mappings.inside_of(now, external)?;
        let part = self.filtering.part(peer);
        if !self.permits.allow(now, inside, part) {
            return None;
        }
        if self.refresh == Refresh::OutboundAndInbound {
            self.mappings.refresh(now, external);
            self.permits.grant(now, inside, part);
        }
        Some(inside)
    }

    fn rewrite(&self, datagram: &mut Datagram, from: SocketAddr, to: SocketAddr) {
        if self.generic_alg {
            replace(&mut datagram.bytes, &endpoint_octets(from), &endpoint_octets(to));
        }
    }
}

impl Middlebox for Nat {
    fn outbound(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict {
        self.with_tables(datagram, |nat, datagram| nat.let_out(now, datagram))
    }
    fn inbound(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict {
        self.with_tables(datagram, |nat, datagram| nat.let_in(now, datagram))
    }
    fn attracts(&self, ip: IpAddr, _: bool) -> bool {
        self.external.contains(&ip)
    }
}

impl Nat {
    fn let_out(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict {
        let (inside, peer) = (datagram.source, datagram.destination);
        let hairpin = self.attracts(peer.ip(), false);
        if self.drops_fragment(datagram) || hairpin && self.hairpinning == Hairpinning::None {
            return Verdict::Drop;
        }
        let Some(external) = self.translate(now, inside, peer) else { return Verdict::Drop };
        if !self.permits.grant(now, inside, self.filtering.part(peer)) {
            return Verdict::Drop;
        }
        self.rewrite(datagram, inside, external);
        datagram.source = external;
        if !hairpin {
            return Verdict::Pass;
        }
        // The filter sees the external source, whatever the receiver will see.
        let Some(neighbour) = self.admit(now, external, peer) else { return Verdict::Drop };
        if self.hairpinning == Hairpinning::InternalSource {
            datagram.source = inside;
        }
        datagram.destination = neighbour;
        Verdict::Return
    }
    fn let_in(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict {
        let external = datagram.destination;
        if self.drops_fragment(datagram) {
            return Verdict::Drop;
        }
        let Some(inside) = self.admit(now, datagram.source, external) else { return Verdict::Drop };
        self.rewrite(datagram, external, inside);
        datagram.destination = inside;
        Verdict::Pass
    }
}

/// One line that says what kind it is.
impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NAT of ")?;
        for (index, ip) in self.external.iter().enumerate() {
            write!(f, "{}{ip}", if index == 0 { "" } else { ", " })?;
        }
        let (mapping, filtering, expiry) = (self.mapping, self.filtering, self.mappings.expiry);
        write!(f, ": mapping {mapping}, filtering {filtering}, expiry {expiry:?}")
    }
}

/// Port and address as MAPPED-ADDRESS has them (RFC 8489 section 14.1).
fn endpoint_octets(endpoint: SocketAddr) -> Vec<u8> {
    let mut octets = endpoint.port().to_be_bytes().to_vec();
    match endpoint.ip() {
        IpAddr::V4(ip) => octets.extend(ip.octets()),
        IpAddr::V6(ip) => octets.extend(ip.octets()),
    }
    octets
}

/// Writes `new` over each `old`; both have one length.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    let last = bytes.len().checked_sub(old.len());
    for at in last.map_or(0..0, |last| 0..last + 1) {
        if let Some(found) = bytes.get_mut(at..at + old.len()).filter(|found| **found == *old) {
            found.copy_from_slice(new);
        }
    }
}

#[cfg(test)]
mod tests;
