//! Firewalls that translate nothing: stateful ones, and those that let no UDP pass; and a box for each family.

use core::{net::IpAddr, time::Duration};

use ginnel_core::Instant;

use crate::{Datagram, Filtering, Middlebox, Refresh, Verdict, nat::Permits};

/// Lets out what comes from inside, and in what [`Filtering`] allows: a stateful firewall without a NAT. Or lets nothing
/// pass at all.
///
/// A new one lets in only what answers: filtering is address-and-port-dependent, and what is sent or comes in keeps the door
/// open for two minutes.
///
/// ```
/// use core::time::Duration;
/// use ginnel_netsim::{Filtering, Firewall, Nat, NetworkId, PerFamily, Refresh, Sim};
///
/// let mut sim = Sim::new(1);
/// let office = sim.network(NetworkId::CORE, Firewall::new());
/// let lax = Firewall::new()
///     .with_filtering(Filtering::EndpointIndependent)
///     .with_expiry(Duration::from_secs(30), Refresh::Outbound);
/// let branch = sim.network(NetworkId::CORE, lax);
/// let bank = sim.network(NetworkId::CORE, Firewall::blocking_udp());
/// // What most homes have: IPv4 behind a NAT, IPv6 behind a firewall.
/// let nat = Nat::new(["203.0.113.1"], sim.seed("home"));
/// let home = sim.network(NetworkId::CORE, PerFamily::new(nat, Firewall::new()));
/// sim.host_in(home, ["192.168.0.2", "2001:db8::2"]);
/// ```
#[derive(Debug)]
pub struct Firewall {
    filtering: Filtering,
    refresh: Refresh,
    permits: Permits,
    /// Of streams.
    stream_permits: Permits,
    blocks_udp: bool,
}

/// What stateful firewalls commonly give a flow of UDP that was answered.
const EXPIRY: Duration = Duration::from_secs(120);
/// RFC 5382 section 5, REQ-5: what an established stream is given at least.
const STREAM_EXPIRY: Duration = Duration::from_secs(7_440);
/// More than one host opens in a test; few enough to keep.
const MAX_FLOWS: usize = 65_536;

impl Default for Firewall {
    fn default() -> Self {
        Self::new()
    }
}
impl Firewall {
    /// A stateful firewall.
    #[must_use]
    pub fn new() -> Self {
        Self {
            filtering: Filtering::AddressAndPortDependent,
            refresh: Refresh::OutboundAndInbound,
            permits: Permits::new(EXPIRY, MAX_FLOWS),
            stream_permits: Permits::new(STREAM_EXPIRY, MAX_FLOWS),
            blocks_udp: false,
        }
    }
    /// One that lets no UDP pass, in either direction. Streams that are opened from inside pass as through any other.
    #[must_use]
    pub fn blocking_udp() -> Self {
        Self { blocks_udp: true, ..Self::new() }
    }
    /// See [`Filtering`].
    #[must_use]
    pub fn with_filtering(self, filtering: Filtering) -> Self {
        Self { filtering, ..self }
    }
    /// How long the door stays open to UDP that nothing refreshes, and what does. To a stream it does for 7,440 s.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Duration, refresh: Refresh) -> Self {
        (self.permits.expiry, self.refresh) = (expiry, refresh);
        self
    }
    /// At most this many flows at once: 65,536 otherwise. What would need one more is dropped.
    #[must_use]
    pub fn with_max_flows(mut self, max: usize) -> Self {
        (self.permits.max, self.stream_permits.max) = (max, max);
        self
    }
}
impl Firewall {
    /// What is remembered of the datagram's protocol; `None` if that does not pass.
    fn permits(&mut self, datagram: &Datagram) -> Option<&mut Permits> {
        match (datagram.is_segment(), self.blocks_udp) {
            (true, _) => Some(&mut self.stream_permits),
            (false, false) => Some(&mut self.permits),
            (false, true) => None,
        }
    }
}
impl Middlebox for Firewall {
    fn outbound(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict {
        let part = self.filtering.part(datagram.destination);
        let granted = self.permits(datagram).is_some_and(|permits| permits.grant(now, datagram.source, part));
        if granted { Verdict::Pass } else { Verdict::Drop }
    }
    fn inbound(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict {
        let (inside, part) = (datagram.destination, self.filtering.part(datagram.source));
        let refreshes = self.refresh == Refresh::OutboundAndInbound;
        match self.permits(datagram) {
            Some(permits) if permits.allow(now, inside, part) => {
                if refreshes {
                    permits.grant(now, inside, part);
                }
                Verdict::Pass
            }
            _ => Verdict::Drop,
        }
    }
}

/// One middlebox for IPv4 and another for IPv6, as in most homes. See [`Firewall`] for an example.
#[derive(Debug)]
pub struct PerFamily<V4, V6> {
    v4: V4,
    v6: V6,
}
impl<V4: Middlebox, V6: Middlebox> PerFamily<V4, V6> {
    /// Both.
    #[must_use]
    pub const fn new(v4: V4, v6: V6) -> Self {
        Self { v4, v6 }
    }
    fn of(&mut self, datagram: &Datagram) -> &mut dyn Middlebox {
        if datagram.destination.is_ipv4() { &mut self.v4 } else { &mut self.v6 }
    }
}
impl<V4: Middlebox, V6: Middlebox> Middlebox for PerFamily<V4, V6> {
    fn outbound(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict {
        self.of(datagram).outbound(now, datagram)
    }
    fn inbound(&mut self, now: Instant, datagram: &mut Datagram) -> Verdict {
        self.of(datagram).inbound(now, datagram)
    }
    fn attracts(&self, ip: IpAddr, inside: bool) -> bool {
        if ip.is_ipv4() { self.v4.attracts(ip, inside) } else { self.v6.attracts(ip, inside) }
    }
}
