//! What a client says: events, what came of an allocation, why something failed, counters.

use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{IcmpError, NoRoom, Path, Refused};
use ginnel_stun::{
    attribute::{AddressFamily, ReservationToken},
    client as stun,
};

use super::config::{ConfigError, TurnServer};
use crate::ChannelNumber;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// There is an allocation: for the first time, or another one after [`Event::Lost`]. Then permissions and channels
    /// that the user has asked for are asked for again, and each says so again.
    Allocated(Allocated),
    /// The server keeps the allocation for so long from now (RFC 8656 section 8.3).
    Refreshed {
        /** Its lifetime; of both relayed addresses. */
        lifetime: Duration,
    },
    /// A Refresh was not answered, or with an error that may pass. It is tried again, as long as the allocation lives.
    RefreshFailed {
        /** Why. */
        reason: FailureReason,
        /** What is left of the allocation. */
        expires_in: Duration,
    },
    /// The allocation is gone, and with it its permissions and channels. The client is trying to have another:
    /// [`Event::Allocated`] or [`Event::Failed`] follows.
    Lost {
        /** Why. */
        reason: FailureReason,
    },
    /// An attempt to allocate failed and is made again by itself: from another socket after a 437, or later while the
    /// client recovers from [`Event::Lost`].
    Retrying {
        /** Why it failed. */
        reason: FailureReason,
        /** When it is made again, from now. */
        after: Duration,
    },
    /// The server wants another one asked, which is done (RFC 8656 section 7.4, error 300).
    Redirected {
        /** Which. */
        server: TurnServer,
    },
    /// The server does not have this, and the allocation was made, or is asked for, without it.
    Unsupported {
        /** What. */
        feature: Feature,
        /** The error code that said so; `None` if the server ignored it. */
        error: Option<u16>,
    },
    /// The server relays between this address and us (RFC 8656 section 9); it is kept so. Comes again for one that
    /// had expired, because the server did not answer in time, and is back.
    PermissionReady {
        /** All ports of it. */
        ip: IpAddr,
    },
    /// There is no permission, or none any more, and it is not asked for again.
    PermissionFailed {
        /** For whom. */
        ip: IpAddr,
        /** Why. */
        reason: FailureReason,
    },
    /// A channel is bound (RFC 8656 section 12), and kept so. What is sent to this peer goes through it from now on.
    ChannelBound {
        /** To whom. */
        peer: SocketAddr,
        /** Its number. */
        channel: ChannelNumber,
    },
    /// There is no channel, or none any more, and it is not asked for again.
    ChannelFailed {
        /** To whom. */
        peer: SocketAddr,
        /** Why. */
        reason: FailureReason,
    },
    /// A datagram from the relayed address to this peer did not arrive, as ICMP told the server (RFC 8656 section 11.6).
    /// Not authenticated.
    IcmpError {
        /** To whom; port 0 where the server could not tell. */
        peer: SocketAddr,
        /** What ICMP says. */
        error: IcmpError,
    },
    /// A peer with a permission has connected to the relayed address (RFC 6062 section 4.4): [`Client::accept`] it within 30
    /// seconds, or let it be.
    ///
    /// [`Client::accept`]: super::Client::accept
    ConnectionAttempt {
        /** Names it. */
        connection: Connection,
        /** Who. */
        peer: SocketAddr,
    },
    /// A TCP connection to a peer stands: what is sent on it arrives there as it is (RFC 6062 section 4.5).
    Connected {
        /** Which. */
        connection: Connection,
        /** To whom. */
        peer: SocketAddr,
    },
    /// There is no such TCP connection.
    ConnectFailed {
        /** Which. */
        connection: Connection,
        /** To whom. */
        peer: SocketAddr,
        /** Why; after [`FailureReason::ConnectionFailed`] the next attempt may be made 10 seconds later. */
        reason: FailureReason,
    },
    /// A TCP connection has ended.
    Disconnected {
        /** Which. */
        connection: Connection,
        /** To whom it was. */
        peer: SocketAddr,
    },
    /// The allocation goes on from another address of ours (RFC 8016), with its permissions and channels.
    Moved {
        /** Our new path to the server. */
        path: Path,
    },
    /// The allocation could not be moved. It stays where it was, if that path still stands; else [`Event::Lost`] follows.
    MoveFailed {
        /** Why. */
        reason: FailureReason,
    },
    /// There is no allocation, and the client does not try any more. The last event.
    Failed {
        /** Why. */
        reason: FailureReason,
    },
    /// The client was closed. The last event.
    Closed,
}

/// Names a TCP connection through the relay (RFC 6062): the client's name for it, not the server's CONNECTION-ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection(pub(super) u32);

/// What the server has given (RFC 8656 section 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allocated {
    /// The relayed addresses: where peers reach us.
    pub relayed: RelayedAddresses,
    /// As whom the server sees us: a server-reflexive address.
    pub mapped: SocketAddr,
    /// For how long; the client refreshes it.
    pub lifetime: Duration,
    /// Our path to the server that gave it.
    pub path: Path,
    /// What [`RelayPort::EvenAndNext`](super::RelayPort::EvenAndNext) has reserved, for
    /// [`RelayPort::Reserved`](super::RelayPort::Reserved) of another client within 30 seconds.
    pub reservation: Option<ReservationToken>,
    /// Of [`Families::Both`](super::Families::Both): which family could not be had, and the error code (ADDRESS-ERROR-CODE,
    /// RFC 8656 section 18.12). 440: it is not there. 508: there may be one after a minute.
    pub refused: Option<(AddressFamily, u16)>,
    /// Whether it can be moved: the server has given a ticket (RFC 8016).
    pub movable: bool,
}

/// The relayed addresses of an allocation: one, or one of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayedAddresses {
    /// For peers of IPv4.
    pub ipv4: Option<SocketAddr>,
    /// For peers of IPv6.
    pub ipv6: Option<SocketAddr>,
}
impl RelayedAddresses {
    /// The one that reaches peers of this address's family.
    #[must_use]
    pub const fn towards(&self, peer: IpAddr) -> Option<SocketAddr> {
        match peer {
            IpAddr::V4(_) => self.ipv4,
            IpAddr::V6(_) => self.ipv6,
        }
    }
    /// All there are, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        [self.ipv4, self.ipv6].into_iter().flatten()
    }
}

/// What a server may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// Sending unfragmented datagrams (RFC 8656 section 7.4, error 420).
    DontFragment,
    /// Mobility: 405 (RFC 8016 section 3.1.4), or no ticket.
    Mobility,
}

/// What is said of received data besides its bytes: who sent it is `path.remote` of the input, and `path.local` the relayed
/// address it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relayed {
    /// A datagram of a peer.
    Datagram {
        /** The channel it came through; `None`: in a Data indication. */
        channel: Option<ChannelNumber>,
    },
    /// Octets of a peer's TCP connection, cut anywhere.
    Octets {
        /** Which connection. */
        connection: Connection,
    },
}

/// Why there is no allocation, permission, channel or connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// The config contradicts itself.
    #[error("the config contradicts itself: {0}")]
    Config(ConfigError),
    /// The driver could not open a socket or a stream to the server.
    #[error("the socket could not be opened: {0}")]
    Socket(Refused),
    /// The socket or the stream was lost.
    #[error("the connection to the server was lost")]
    SocketLost,
    /// The server does not answer (RFC 8656 section 7.4: 408), cannot be authenticated with, or answers what cannot be
    /// understood; after a 300 that is not followed, too.
    #[error("{0}")]
    Transaction(stun::FailureReason),
    /// The request was not sent: it does not fit into a packet, as with a credential that is too long, or too many are on
    /// their way.
    #[error("the request was not sent: {0}")]
    NotStarted(stun::StartError),
    /// 400: the server takes the request for malformed.
    #[error("the server calls the request malformed (400)")]
    BadRequest,
    /// 403: forbidden by the server's policy: ask whoever runs it.
    #[error("the server's policy forbids it (403)")]
    Forbidden,
    /// 420: the server does not know an attribute that is needed.
    #[error("the server does not understand an attribute that was needed (420)")]
    UnknownAttribute,
    /// 437: the five-tuple is in use by another allocation, or the allocation has gone.
    #[error("the server has another allocation on this five-tuple, or none (437)")]
    AllocationMismatch,
    /// 440: the server has no relayed addresses of that family.
    #[error("the server has no relayed addresses of that family (440)")]
    AddressFamilyNotSupported,
    /// 441: the allocation was made with another user name.
    #[error("the allocation belongs to another user (441)")]
    WrongCredentials,
    /// 442: the server does not relay by this protocol.
    #[error("the server does not reach peers by that protocol (442)")]
    UnsupportedTransport,
    /// 443: the peer's address is of a family that the allocation has no relayed address of.
    #[error("the relay has no address of the peer's family (443)")]
    PeerAddressFamilyMismatch,
    /// 446: there is a connection to that peer already (RFC 6062 section 4.3).
    #[error("there is a connection to that peer already (446)")]
    ConnectionAlreadyExists,
    /// 447: the server could not connect to the peer. Wait 10 seconds before trying again (RFC 6062 section 4.3).
    #[error("the server could not connect to the peer (447)")]
    ConnectionFailed,
    /// 486: the user has all the allocations that he may have. Wait a minute (RFC 8656 section 7.4).
    #[error("the user has all the allocations that he may have (486)")]
    QuotaReached,
    /// 508: the server has no such address left, or not the reserved one. Wait a minute, or ask for another port (RFC 8656
    /// section 7.4).
    #[error("the server has no such address or not enough capacity left (508)")]
    InsufficientCapacity,
    /// Another error code.
    #[error("the server refuses with error {0}")]
    Refused(u16),
    /// A success without what it must have: a mapped and a relayed address, and a lifetime.
    #[error("the server's success lacks what it must have")]
    IncompleteSuccess,
    /// The relayed address is of a family that was not asked for (RFC 8656 section 7.3): the allocation was deleted.
    #[error("the server gave an address of another family than was asked for")]
    UnexpectedFamily,
    /// The allocation was not refreshed in time.
    #[error("the allocation has expired")]
    Expired,
    /// The allocation was to be moved, and the server has given no ticket for that (RFC 8016).
    #[error("the server gave no ticket to move the allocation with")]
    NoTicket,
    /// The server refuses a channel that it had bound (RFC 8656 section 12.3).
    #[error("the server's channels are not those of the client any more")]
    OutOfSync,
    /// There is no room for it among what the config bounds.
    #[error("as many as the config allows")]
    TooMany,
    /// The user has ended it, by [`Client::close`](super::Client::close) or by forgetting it.
    #[error("ended by its user")]
    Ended,
}
impl FailureReason {
    /// How long to wait before another allocation is asked of this server (RFC 8656 section 7.4): a minute after 486 and 508,
    /// two after 437, 10 seconds after 447 (RFC 6062 section 4.3). `None`: it is of no use until something is
    /// changed, or the RFCs name no time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use ginnel_turn::client::FailureReason;
    ///
    /// assert_eq!(FailureReason::QuotaReached.retry_after(), Some(Duration::from_secs(60)));
    /// ```
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QuotaReached | Self::InsufficientCapacity => Some(Duration::from_secs(60)),
            Self::AllocationMismatch => Some(Duration::from_secs(120)),
            Self::ConnectionFailed => Some(Duration::from_secs(10)),
            _ => None,
        }
    }
    /// What an error code says.
    pub(super) const fn of_code(code: u16) -> Self {
        match code {
            400 => Self::BadRequest,
            401 => Self::Transaction(stun::FailureReason::Unauthenticated),
            403 => Self::Forbidden,
            420 => Self::UnknownAttribute,
            437 => Self::AllocationMismatch,
            440 => Self::AddressFamilyNotSupported,
            441 => Self::WrongCredentials,
            442 => Self::UnsupportedTransport,
            443 => Self::PeerAddressFamilyMismatch,
            446 => Self::ConnectionAlreadyExists,
            447 => Self::ConnectionFailed,
            486 => Self::QuotaReached,
            508 => Self::InsufficientCapacity,
            other => Self::Refused(other),
        }
    }
}

/// Why a command about a peer was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// As many as the config allows: forget one first.
    #[error("as many as the config allows: forget one first")]
    TooMany,
    /// No relayed address of the peer's family: ask for [`Families`](super::Families).
    #[error("there is no relayed address of the peer's family: allocate one of it")]
    WrongFamily,
    /// Nobody can be there: an unspecified or multicast address, or port 0.
    #[error("nobody can be at that address")]
    NoPeer,
    /// Only a relay of the other protocol can do that: see [`RelayTransport`](super::RelayTransport).
    #[error("the relay is of the other transport: configure `RelayTransport`")]
    WrongTransport,
    /// There is no allocation now: wait for [`Event::Allocated`].
    #[error("there is no allocation: wait for `Event::Allocated`")]
    NotAllocated,
    /// There is no such connection, or it cannot do that now.
    #[error("there is no such connection")]
    NoConnection,
    /// The server could not connect to this peer, less than 10 seconds ago (RFC 6062 section 4.3).
    #[error("the server could not connect to that peer: wait until 10 seconds after that")]
    TooSoon,
    /// A connection to this peer is there or under way (RFC 6062 section 4.3).
    #[error("there is a connection to that peer already")]
    AlreadyConnected,
    /// The client is closed: make another.
    #[error("the client is closed")]
    Closed,
}

/// Why data was not sent. The packet is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no allocation now: wait for [`Event::Allocated`].
    #[error("there is no allocation: wait for `Event::Allocated`")]
    NotAllocated,
    /// Nobody asked for a permission (RFC 8656 section 11.1): call [`Client::permit`](super::Client::permit) first.
    #[error("there is no permission for the peer: call `permit` first")]
    NotPermitted,
    /// The permission is asked for and not there yet: wait for [`Event::PermissionReady`].
    #[error("the permission is not there yet: wait for `Event::PermissionReady`")]
    Pending,
    /// No relayed address of the peer's family.
    #[error("there is no relayed address of the peer's family")]
    WrongFamily,
    /// The server cannot send unfragmented, or was not asked: [`ClientConfig::with_dont_fragment`](super::ClientConfig::with_dont_fragment).
    #[error("the server was not asked for DONT-FRAGMENT, or does not have it")]
    NoDontFragment,
    /// It is a relay of TCP connections: use [`Client::send_octets`](super::Client::send_octets).
    #[error("the relay is of the other transport: configure `RelayTransport`")]
    WrongTransport,
    /// No such connection stands: wait for [`Event::Connected`].
    #[error("no such connection stands: wait for `Event::Connected`")]
    NotConnected,
    /// The packet has no room for the header, or is longer than it can say: leave [`ginnel_core::HEADROOM`].
    #[error("no room in front of the packet for the header, or it is too long")]
    NoRoom,
}
impl From<NoRoom> for SendError {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// Counters of a client, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Allocations that were made.
    pub allocations: u64,
    /// How many of them were lost.
    pub lost: u64,
    /// Refreshes that succeeded.
    pub refreshes: u64,
    /// Moves to another address that succeeded (RFC 8016).
    pub moves: u64,
    /// Datagrams sent through channels.
    pub channel_sent: u64,
    /// Datagrams sent in Send indications.
    pub indication_sent: u64,
    /// Octets of datagrams and connections sent to peers.
    pub octets_sent: u64,
    /// Datagrams received through channels.
    pub channel_received: u64,
    /// Datagrams received in Data indications.
    pub indication_received: u64,
    /// Octets of datagrams and connections received from peers.
    pub octets_received: u64,
    /// Keep-alives sent.
    pub keepalives: u64,
    /// Received and dropped: ChannelData of a channel that is not bound, or that is malformed (SECURITY.md, case 31).
    pub bad_channel: u64,
    /// Received and dropped: data of a peer without an active permission (RFC 8656 sections 11.4 and 12.6).
    pub not_permitted: u64,
    /// Received and dropped: indications that lack what they must have, or have what is not understood (RFC 8656 section
    /// 11.4).
    pub bad_indication: u64,
    /// ICMP errors and offers of connections that were not told, since too many were waiting already.
    pub untold: u64,
}

impl fmt::Display for RelayedAddresses {
    /// `192.0.2.1:50000, [2001:db8::1]:50000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, address) in self.iter().enumerate() {
            write!(f, "{}{address}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
