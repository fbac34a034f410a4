//! What a client can be told: the server, the credential, and what it asks for (RFC 8656 sections 7.1 and 8.1).

use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{HostName, Transport};
use ginnel_stun::{LongTermCredential, attribute::ReservationToken, client as stun, resolve::Candidate};

/// A server, and how it is reached (RFC 8656 section 3.1).
///
/// ```
/// use ginnel_turn::client::TurnServer;
///
/// let server = TurnServer::tls("192.0.2.1:5349".parse()?, "turn.example.org".parse().ok());
/// assert_eq!(server.to_string(), "tls 192.0.2.1:5349");
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TurnServer {
    /// Over what.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// Whose certificate it must have, over TLS and DTLS: the host of the URI that the user gave. With `None`, the
    /// address's.
    pub host: Option<HostName>,
}
impl TurnServer {
    /// Over UDP.
    #[must_use]
    pub const fn udp(address: SocketAddr) -> Self {
        Self { transport: Transport::Udp, address, host: None }
    }
    /// Over TCP.
    #[must_use]
    pub const fn tcp(address: SocketAddr) -> Self {
        Self { transport: Transport::Tcp, address, host: None }
    }
    /// Over TLS; the certificate must be for `host`, or without one for the address.
    #[must_use]
    pub const fn tls(address: SocketAddr, host: Option<HostName>) -> Self {
        Self { transport: Transport::Tls, address, host }
    }
    /// Over DTLS (RFC 7350); the certificate must be for `host`, or without one for the address.
    #[must_use]
    pub const fn dtls(address: SocketAddr, host: Option<HostName>) -> Self {
        Self { transport: Transport::Dtls, address, host }
    }
}
/// `udp 192.0.2.1:3478`.
impl core::fmt::Display for TurnServer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.transport, self.address)
    }
}
/// As the resolver has found it (RFC 5928).
impl From<&Candidate> for TurnServer {
    fn from(candidate: &Candidate) -> Self {
        Self { transport: candidate.transport, address: candidate.address, host: candidate.server_name }
    }
}

/// Whose socket the client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// It asks the driver for one, on this address of the host: over TCP, TLS and DTLS `None` leaves that to routing; over
    /// UDP it must be said, since paths have both their ends. It gives it back when it closes, and takes another where
    /// the server says that the five-tuple is in use (RFC 8656 section 7.4, 437).
    Own(Option<IpAddr>),
    /// A datagram socket that its owner has bound, by the address that the driver reported. For UDP alone; over other
    /// transports it is [`Socket::Own`] on that IP address.
    Lent(SocketAddr),
}

/// Of which family the relayed address is to be (RFC 8656 sections 18.6 and 18.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// The server's default, which is IPv4 (RFC 8656 section 7.2).
    #[default]
    Default,
    /// IPv4, by REQUESTED-ADDRESS-FAMILY.
    Ipv4,
    /// IPv6, by REQUESTED-ADDRESS-FAMILY.
    Ipv6,
    /// One of each, by ADDITIONAL-ADDRESS-FAMILY. A server that cannot have both says so in
    /// [`Allocated::refused`](super::Allocated::refused), and one that does not know of this gives IPv4.
    Both,
}

/// How the server reaches peers (RFC 8656 section 18.8, RFC 6062).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelayTransport {
    /// By datagrams.
    #[default]
    Udp,
    /// By TCP connections (RFC 6062), which takes TCP or TLS to the server.
    Tcp,
}

/// Which relayed port is asked for (RFC 8656 sections 18.7 and 18.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelayPort {
    /// Any.
    #[default]
    Any,
    /// An even one (EVEN-PORT).
    Even,
    /// An even one, and the next is kept for another allocation: see [`Allocated::reservation`](super::Allocated::reservation).
    EvenAndNext,
    /// The one that another allocation has reserved (RESERVATION-TOKEN), which the server keeps for 30 seconds. The
    /// family is that of the reservation.
    Reserved(ReservationToken),
}

/// What a client asks for, and how. Made by [`ClientConfig::new`] and `with_*`.
///
/// ```
/// use ginnel_stun::LongTermCredential;
/// use ginnel_turn::client::{ClientConfig, Families, Socket, TurnServer};
///
/// let server = TurnServer::udp("192.0.2.1:3478".parse()?);
/// let config = ClientConfig::new(server, LongTermCredential::new("user", "pass")?)
///     .with_socket(Socket::Own(Some("198.51.100.7".parse()?)))
///     .with_families(Families::Both);
/// assert_eq!(config.check(), Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Whom to ask.
    pub server: TurnServer,
    /// As whom. `None`: the server wants no authentication (RFC 8155 section 9 has such).
    pub credential: Option<LongTermCredential>,
    /// From which socket.
    pub socket: Socket,
    /// Families of the relayed addresses.
    pub families: Families,
    /// Protocol towards the peers.
    pub relay: RelayTransport,
    /// Which port.
    pub port: RelayPort,
    /// Whether the server is asked if it can send without fragmenting, for
    /// [`Client::send_unfragmented`](super::Client::send_unfragmented) (RFC 8656 section 7.1).
    pub dont_fragment: bool,
    /// Whether a ticket is asked for, so that the allocation survives a change of address (RFC 8016).
    pub mobility: bool,
    /// The lifetime to ask for; the server decides. `None`: its default (RFC 8656 section 3.2: 10 minutes).
    pub lifetime: Option<Duration>,
    /// After how long without sending a Binding indication keeps the NATs open that are on the way, over UDP and DTLS.
    /// (RFC 8656 section 9 says that they forget sooner than permissions do; RFC 8445 section 11: at least 15 s.) `None`:
    /// somebody else sees to it.
    pub keepalive: Option<Duration>,
    /// Over UDP and DTLS: when the server has said nothing for so long while it was sent to, it is asked by a Refresh
    /// whether it still knows the allocation. `None`: it is found out when the allocation is to be refreshed.
    pub silence: Option<Duration>,
    /// For how long the client tries by itself to have another allocation when it loses the one it had. Zero: losing it
    /// is the end, as an ICE agent wants it, whose candidate it was.
    pub recover: Duration,
    /// Whether a 300 is followed that anybody on the way may have made (SECURITY.md, case 39; RFC 8489 section 10 wants
    /// it authenticated). For servers that redirect before they challenge.
    pub follow_unauthenticated: bool,
    /// Addresses with a permission at once.
    pub max_permissions: usize,
    /// Channels at once, those included that still expire; at most 4096 (RFC 8656 section 12).
    pub max_channels: usize,
    /// TCP connections to peers at once, those included that are offered and not yet accepted.
    pub max_connections: usize,
    /// The schedule of transactions, and what else RFC 8489 leaves open. Of its bounds and of what it does after a 300 the
    /// client decides itself.
    pub stun: stun::ClientConfig,
}
impl ClientConfig {
    /// A datagram relay of the server's default family, over a socket that the client opens. Over UDP,
    /// [`with_socket`](Self::with_socket) has to say where.
    #[must_use]
    pub fn new(server: TurnServer, credential: LongTermCredential) -> Self {
        Self { credential: Some(credential), ..Self::unauthenticated(server) }
    }
    /// The same at a server that asks nobody who he is.
    #[must_use]
    pub fn unauthenticated(server: TurnServer) -> Self {
        Self {
            server,
            credential: None,
            socket: Socket::Own(None),
            families: Families::Default,
            relay: RelayTransport::Udp,
            port: RelayPort::Any,
            dont_fragment: false,
            mobility: false,
            lifetime: None,
            keepalive: Some(Duration::from_secs(15)),
            silence: Some(Duration::from_secs(15)),
            recover: Duration::from_secs(600),
            follow_unauthenticated: false,
            max_permissions: 256,
            max_channels: 256,
            max_connections: 64,
            stun: stun::ClientConfig::default(),
        }
    }
    /// With a socket of the owner's, or of its own on an address.
    #[must_use]
    pub const fn with_socket(mut self, socket: Socket) -> Self {
        self.socket = socket;
        self
    }
    /// With relayed addresses of these families.
    #[must_use]
    pub const fn with_families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }
    /// With this protocol towards peers.
    #[must_use]
    pub const fn with_relay(mut self, relay: RelayTransport) -> Self {
        self.relay = relay;
        self
    }
    /// With such a relayed port.
    #[must_use]
    pub const fn with_port(mut self, port: RelayPort) -> Self {
        self.port = port;
        self
    }
    /// With DONT-FRAGMENT asked for.
    #[must_use]
    pub const fn with_dont_fragment(mut self, dont_fragment: bool) -> Self {
        self.dont_fragment = dont_fragment;
        self
    }
    /// With a mobility ticket asked for.
    #[must_use]
    pub const fn with_mobility(mut self, mobility: bool) -> Self {
        self.mobility = mobility;
        self
    }
    /// With a lifetime asked for, in whole seconds.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }
    /// With other keep-alives, or none.
    #[must_use]
    pub const fn with_keepalive(mut self, keepalive: Option<Duration>) -> Self {
        self.keepalive = keepalive;
        self
    }
    /// With another patience with a silent server.
    #[must_use]
    pub const fn with_silence(mut self, silence: Option<Duration>) -> Self {
        self.silence = silence;
        self
    }
    /// With another time to come back in; zero does not try.
    #[must_use]
    pub const fn with_recover(mut self, recover: Duration) -> Self {
        self.recover = recover;
        self
    }
    /// With unauthenticated redirections followed, or not.
    #[must_use]
    pub const fn with_follow_unauthenticated(mut self, follow: bool) -> Self {
        self.follow_unauthenticated = follow;
        self
    }
    /// With other bounds: permissions, channels, TCP connections.
    #[must_use]
    pub const fn with_bounds(mut self, permissions: usize, channels: usize, connections: usize) -> Self {
        (self.max_permissions, self.max_channels, self.max_connections) =
            (permissions, channels, connections);
        self
    }
    /// With other transactions.
    #[must_use]
    pub const fn with_stun(mut self, stun: stun::ClientConfig) -> Self {
        self.stun = stun;
        self
    }

    /// Whether what is asked for goes together. A client of a config that does not fails at once with
    /// [`FailureReason::Config`](super::FailureReason::Config), before it has sent anything.
    pub fn check(&self) -> Result<(), ConfigError> {
        let times = [self.lifetime, self.keepalive, self.silence];
        if times.into_iter().flatten().any(|time| time < Duration::from_secs(1)) {
            return Err(ConfigError::TooShort);
        }
        let is_secure = matches!(self.server.transport, Transport::Tls | Transport::Dtls);
        if self.mobility && self.credential.is_none() && !is_secure {
            return Err(ConfigError::MovableByAnybody);
        }
        let reserved = matches!(self.port, RelayPort::Reserved(_));
        if reserved && self.families != Families::Default {
            return Err(ConfigError::ReservedHasItsFamily);
        }
        if self.port == RelayPort::EvenAndNext && self.families == Families::Both {
            return Err(ConfigError::OneReservationAlone);
        }
        if self.relay == RelayTransport::Tcp {
            if !self.server.transport.is_stream() {
                return Err(ConfigError::TcpOverDatagrams);
            }
            if self.dont_fragment || self.port != RelayPort::Any {
                return Err(ConfigError::NotForTcp);
            }
        }
        self.socket.check(&self.server)
    }
}
impl Socket {
    /// Whether the server can be reached from it.
    pub(super) fn check(self, server: &TurnServer) -> Result<(), ConfigError> {
        match self.ip() {
            None if server.transport == Transport::Udp => Err(ConfigError::NoLocalAddress),
            Some(ip) if ip.is_unspecified() => Err(ConfigError::NoLocalAddress),
            Some(ip) if ip.is_ipv4() != server.address.is_ipv4() => Err(ConfigError::SocketOfOtherFamily),
            _ => Ok(()),
        }
    }
    /// The address of the host.
    pub(super) const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Own(ip) => ip,
            Self::Lent(local) => Some(local.ip()),
        }
    }
}

/// Why a config contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// RFC 8656 section 7.1: RESERVATION-TOKEN goes with neither of the attributes for families.
    #[error("a reserved port has its family already: leave `families` at its default")]
    ReservedHasItsFamily,
    /// RFC 8656 section 7.1: EVEN-PORT with the R bit does not go with ADDITIONAL-ADDRESS-FAMILY.
    #[error("only one next port can be reserved: ask for one family, or for `RelayPort::Even`")]
    OneReservationAlone,
    /// RFC 6062 section 4.1: a TCP allocation takes a stream to the server.
    #[error("a relay of TCP connections takes TCP or TLS to the server")]
    TcpOverDatagrams,
    /// RFC 6062 section 4.1: no DONT-FRAGMENT, RESERVATION-TOKEN or EVEN-PORT.
    #[error(
        "a relay of TCP connections has neither even nor reserved ports, nor DONT-FRAGMENT: leave them out"
    )]
    NotForTcp,
    /// Over UDP the client must be told from which address of the host to send.
    #[error(
        "name the address of this host to send from: `Socket::Own(Some(..))`, or the socket's own for `Socket::Lent`"
    )]
    NoLocalAddress,
    /// LIFETIME counts whole seconds, and 0 asks for the end (RFC 8656 section 18.2); and nobody is to be asked without pause.
    #[error("make `lifetime`, `keepalive` and `silence` a second at least, or `None`")]
    TooShort,
    /// RFC 8016 section 5: whoever sees the ticket could move the allocation to himself.
    #[error("mobility takes a credential, or TLS or DTLS to the server")]
    MovableByAnybody,
    /// Nothing can be sent from there to the server.
    #[error("the socket is of another address family than the server")]
    SocketOfOtherFamily,
}
