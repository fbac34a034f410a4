//! What a TURN server can be told.

use alloc::{boxed::Box, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use ginnel_core::Transport;
use ginnel_stun::auth::AuthConfig;

use super::{
    TcpLimits,
    policy::{BandwidthLimits, PeerFilter, QuotaLimits},
};
use crate::rest::RestSecrets;

/// RFC 8656 section 3.2: for how long an allocation is kept unless its client asks for more.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// RFC 8656 section 7.2: the longest lifetime that is recommended.
pub const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// RFC 8656 section 9: the Permission Lifetime.
pub const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// RFC 8656 section 12: how long a channel binding lasts.
pub const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// Where clients come in. The **owner** of the machine opens it, in each shard the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What carries it.
    pub transport: Transport,
    /// The address, as the driver reports it; an unspecified IP address stands for all of its family.
    pub local: SocketAddr,
}
impl Listener {
    /// A listener.
    #[must_use]
    pub const fn new(transport: Transport, local: SocketAddr) -> Self {
        Self { transport, local }
    }
    /// Whether what has this as its local end came in here.
    #[must_use]
    pub fn takes(&self, transport: Transport, local: SocketAddr) -> bool {
        self.local.port() == local.port()
            && self.transport == transport
            && (self.local.ip() == local.ip()
                || self.local.ip().is_unspecified() && self.local.is_ipv4() == local.is_ipv4())
    }
}

/// An address that relayed transport addresses are taken from.
///
/// ```
/// use ginnel_turn::server::RelayAddress;
///
/// let plain = RelayAddress::new("198.51.100.1".parse()?);
/// let behind_a_one_to_one_nat = RelayAddress::new("10.0.0.1".parse()?).with_external("198.51.100.1".parse()?);
/// assert_eq!(plain.external, behind_a_one_to_one_nat.external);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayAddress {
    /// Which address of this host sockets are bound on.
    pub local: IpAddr,
    /// What clients are told instead, where something translates in between, one address to one.
    pub external: IpAddr,
}
impl RelayAddress {
    /// An address that the world sees as it is.
    #[must_use]
    pub const fn new(ip: IpAddr) -> Self {
        Self { local: ip, external: ip }
    }
    /// With the address that the world sees. One of another family is ignored.
    #[must_use]
    pub const fn with_external(mut self, external: IpAddr) -> Self {
        if external.is_ipv4() == self.local.is_ipv4() {
            self.external = external;
        }
        self
    }
}

/// How long allocations live (RFC 8656 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lifetimes {
    /// What a client gets that asks for less, or for nothing.
    pub default: Duration,
    /// The most that a client gets.
    pub max: Duration,
}
impl Default for Lifetimes {
    /// 600 s and 3600 s.
    fn default() -> Self {
        Self { default: DEFAULT_LIFETIME, max: MAX_LIFETIME }
    }
}
impl Lifetimes {
    /// With other lifetimes, in whole seconds. The longest is at least the default.
    #[must_use]
    pub const fn with(mut self, default: Duration, max: Duration) -> Self {
        self.default = Duration::from_secs(default.as_secs());
        self.max = Duration::from_secs(if max.as_secs() < default.as_secs() {
            default.as_secs()
        } else {
            max.as_secs()
        });
        self
    }
}

/// How much of everything a server keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Allocations in this machine, those being made among them. Beyond it Allocate is answered with 508.
    pub allocations: usize,
    /// Permissions of one allocation. Beyond it the answer is 508.
    pub permissions: usize,
    /// Channels of one allocation. Beyond it the answer is 508.
    pub channels: usize,
    /// Events that nobody has polled. Beyond it the newest are counted and dropped: see
    /// [`Stats::events_dropped`](super::Stats::events_dropped).
    pub events: usize,
    /// Five-tuples whose messages are passed on to another shard.
    pub handovers: usize,
    /// Connections of TCP relays.
    pub tcp: TcpLimits,
}
impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations: 100_000,
            permissions: 128,
            channels: 128,
            events: 16_384,
            handovers: 16_384,
            tcp: TcpLimits::default(),
        }
    }
}
impl Limits {
    /// With room for so many allocations.
    #[must_use]
    pub const fn with_allocations(mut self, max: usize) -> Self {
        self.allocations = max;
        self
    }
    /// With room for so many permissions and channels in each allocation.
    #[must_use]
    pub const fn with_peers(mut self, permissions: usize, channels: usize) -> Self {
        (self.permissions, self.channels) = (permissions, channels);
        self
    }
    /// With room for so many events that nobody has polled.
    #[must_use]
    pub const fn with_events(mut self, max: usize) -> Self {
        self.events = max;
        self
    }
    /// With room for so many connections of TCP relays.
    #[must_use]
    pub const fn with_tcp(mut self, limits: TcpLimits) -> Self {
        self.tcp = limits;
        self
    }
    /// With room for so many five-tuples whose allocation is in another shard.
    #[must_use]
    pub const fn with_handovers(mut self, max: usize) -> Self {
        self.handovers = max;
        self
    }
}

/// Which channels a client may bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelNumbers {
    /// 0x4000-0x7FFF (RFC 5766 section 11, though its section 11.2 ends with 0x7FFE): clients of that RFC draw from all of them. RFC 8656 section 12 gives those from
    /// 0x5000 on to other protocols, which a port that only TURN has does not meet.
    #[default]
    Rfc5766,
    /// 0x4000-0x4FFF and no others (RFC 8656 section 12).
    Rfc8656,
}
impl ChannelNumbers {
    /// The numbers.
    #[must_use]
    pub const fn range(self) -> RangeInclusive<u16> {
        match self {
            Self::Rfc5766 => 0x4000..=0x7FFF,
            Self::Rfc8656 => 0x4000..=0x4FFF,
        }
    }
}

/// Where users are looked up.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Credentials {
    /// In memory: see [`Server::add_user`](super::Server::add_user).
    #[default]
    InMemory,
    /// Nowhere: the name says until when it is good, and a secret makes its password. The owner tells the wall clock by
    /// [`Server::set_clock`](super::Server::set_clock); before that nobody is known. An allocation outlives the credential
    /// that it was made with.
    Rest(RestSecrets),
    /// Wherever the owner has them: each request of somebody who is not known yet is an
    /// [`Event::LookUp`](super::Event::LookUp), and waits for [`Server::answer`](super::Server::answer).
    ByEvent {
        /// Requests that wait at once. When there are more the oldest go.
        max_waiting: usize,
    },
}

/// Which of several machines this is that share their listeners, one for each core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shard {
    /// From 0.
    pub index: u8,
    /// How many there are.
    pub count: u8,
}
impl Default for Shard {
    /// The only one.
    fn default() -> Self {
        Self { index: 0, count: 1 }
    }
}
impl Shard {
    /// Number `index` of `count`; the index counts from 0 and is below the count.
    #[must_use]
    pub const fn new(index: u8, count: u8) -> Self {
        let count = if count == 0 { 1 } else { count };
        Self { index: index % count, count }
    }
}

/// How a [`Server`](super::Server) works.
///
/// ```
/// use ginnel_core::Transport;
/// use ginnel_stun::auth::AuthConfig;
/// use ginnel_turn::server::{Listener, RelayAddress, ServerConfig};
///
/// let config = ServerConfig::new(AuthConfig::long_term("example.org")?)
///     .with_listener(Listener::new(Transport::Udp, "198.51.100.1:3478".parse()?))
///     .with_listener(Listener::new(Transport::Tcp, "198.51.100.1:3478".parse()?))
///     .with_relay(RelayAddress::new("198.51.100.1".parse()?))
///     .with_relay(RelayAddress::new("2001:db8::1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Where clients come in.
    pub listeners: Vec<Listener>,
    /// Where relayed transport addresses are taken from: by chance, among those of the family that is asked for.
    pub relays: Vec<RelayAddress>,
    /// Which ports they have (RFC 8656 section 7.2 recommends 49152-65535, and never those below 1024).
    pub ports: RangeInclusive<u16>,
    /// Realm, password algorithms, nonces, the limit of challenges. Its look-up is replaced by `credentials`.
    pub auth: AuthConfig,
    /// Where users are looked up.
    pub credentials: Credentials,
    /// How Binding requests are answered, those of RFC 5780 too.
    pub binding: ginnel_stun::ServerConfig,
    /// SOFTWARE of Allocate and Refresh answers to those who are authenticated (RFC 8656 section 5).
    pub software: Option<Box<str>>,
    /// How long allocations live.
    pub lifetimes: Lifetimes,
    /// How much is kept.
    pub limits: Limits,
    /// Which peers may be reached. The addresses of `listeners` and `relays` are added to its own ones.
    pub peers: PeerFilter,
    /// How many allocations there may be.
    pub quotas: QuotaLimits,
    /// How many octets a second are relayed.
    pub bandwidth: BandwidthLimits,
    /// Whether allocations may move to another address of their client (RFC 8016).
    pub mobility: bool,
    /// Whether peers are reached by TCP too, for clients that ask for it (RFC 6062).
    pub tcp_relays: bool,
    /// Which channels a client may bind.
    pub channel_numbers: ChannelNumbers,
    /// Whether DONT-FRAGMENT is obeyed (RFC 8656 sections 7.2 and 11.2); else it is not understood. The driver must be able
    /// to. A client over IPv4 and UDP or DTLS is refused it (420) for a relayed address of IPv6 in any case (section 3.7).
    pub dont_fragment: bool,
    /// Which of several machines this is.
    pub shard: Shard,
}
impl ServerConfig {
    /// A server without listeners and without relayed addresses yet. `auth` is of the long-term mechanism.
    #[must_use]
    pub fn new(auth: AuthConfig) -> Self {
        Self {
            listeners: Vec::new(),
            relays: Vec::new(),
            ports: 49_152..=65_535,
            auth,
            credentials: Credentials::default(),
            binding: ginnel_stun::ServerConfig::default(),
            software: None,
            lifetimes: Lifetimes::default(),
            limits: Limits::default(),
            peers: PeerFilter::default(),
            quotas: QuotaLimits::default(),
            bandwidth: BandwidthLimits::default(),
            mobility: false,
            tcp_relays: false,
            channel_numbers: ChannelNumbers::default(),
            dont_fragment: true,
            shard: Shard::default(),
        }
    }
    /// With another listener. Beyond [`LISTENERS_MAX`] it is ignored.
    #[must_use]
    pub fn with_listener(mut self, listener: Listener) -> Self {
        if self.listeners.len() < LISTENERS_MAX {
            self.listeners.push(listener);
        }
        self
    }
    /// With another address for relays. Beyond [`RELAYS_MAX`] it is ignored.
    #[must_use]
    pub fn with_relay(mut self, relay: RelayAddress) -> Self {
        if self.relays.len() < RELAYS_MAX {
            self.relays.push(relay);
        }
        self
    }
    /// With other ports for relays.
    #[must_use]
    pub const fn with_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.ports = ports;
        self
    }
    /// With users looked up elsewhere.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }
    /// With Binding requests answered like this.
    #[must_use]
    pub fn with_binding(mut self, binding: ginnel_stun::ServerConfig) -> Self {
        self.binding = binding;
        self
    }
    /// With SOFTWARE in answers to Allocate and Refresh, or without. What is longer than 127 characters is left out.
    #[must_use]
    pub fn with_software(mut self, software: Option<&str>) -> Self {
        self.software = software.filter(|it| it.chars().count() < 128).map(Into::into);
        self
    }
    /// With other lifetimes.
    #[must_use]
    pub const fn with_lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }
    /// With other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
    /// With another judgement of peers.
    #[must_use]
    pub fn with_peers(mut self, peers: PeerFilter) -> Self {
        self.peers = peers;
        self
    }
    /// With other quotas.
    #[must_use]
    pub const fn with_quotas(mut self, quotas: QuotaLimits) -> Self {
        self.quotas = quotas;
        self
    }
    /// With other limits of bandwidth.
    #[must_use]
    pub const fn with_bandwidth(mut self, bandwidth: BandwidthLimits) -> Self {
        self.bandwidth = bandwidth;
        self
    }
    /// With mobility, or without.
    #[must_use]
    pub const fn with_mobility(mut self, allowed: bool) -> Self {
        self.mobility = allowed;
        self
    }
    /// With relays over TCP, or without.
    #[must_use]
    pub const fn with_tcp_relays(mut self, allowed: bool) -> Self {
        self.tcp_relays = allowed;
        self
    }
    /// With other channels that clients may bind.
    #[must_use]
    pub const fn with_channel_numbers(mut self, numbers: ChannelNumbers) -> Self {
        self.channel_numbers = numbers;
        self
    }
    /// With DONT-FRAGMENT obeyed, or not understood.
    #[must_use]
    pub const fn with_dont_fragment(mut self, obeyed: bool) -> Self {
        self.dont_fragment = obeyed;
        self
    }
    /// As one of several.
    #[must_use]
    pub const fn with_shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }
}

/// Listeners of one machine.
pub const LISTENERS_MAX: usize = 64;
/// Relay addresses of one machine.
pub const RELAYS_MAX: usize = 256;

impl ServerConfig {
    /// The judgement of peers, with all that is known here of the server's own addresses.
    pub(super) fn peer_filter(&self) -> PeerFilter {
        let listeners = self.listeners.iter().map(|it| it.local.ip());
        let relays = self.relays.iter().flat_map(|it| [it.local, it.external]);
        listeners.chain(relays).fold(self.peers.clone(), PeerFilter::with_own_address)
    }
}
