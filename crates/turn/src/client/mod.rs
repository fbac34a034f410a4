//! The TURN client (RFC 8656; 6062, 6156 and 8016): one five-tuple to one server, one allocation, kept alive by itself.
//!
//! ```text
//!               driver: opened          401, 438, 300: by the transaction layer
//!  [ opening ] ---------------> [ allocating ] ---success--> [ allocated ] --refresh, permissions, channels--+
//!    ^   ^                        |     |                     |   |    ^                                      |
//!    |   +--437, another socket---+     | error, for good     |   |    +--------------------------------------+
//!    |                                  v                     |   | close: Refresh with lifetime 0
//!    |                              ( Failed )                |   v
//!    |                                  ^                     | [ deleting ] --answered, or enough--> ( Closed )
//!    |                  no time is left |                     |
//!    +---time----- [ waiting ] <--------+----437, expired, stream lost: Lost
//! ```
//!
//! What a user asked for stays asked for: permissions and channels are refreshed before they expire, and asked for again
//! in another allocation after one was lost. How long that is tried is [`ClientConfig::recover`].
//!
//! Requests go through [`ginnel_stun::client`], which authenticates, sends again, and follows redirections. Data does not:
//! it is wrapped and unwrapped in place, in `data`, without a copy of the payload and without an allocation.
//!
//! Left out: finding servers (`ginnel_stun::resolve`), trying several at once (RFC 8656 section 3.9, which is for whoever
//! has several), and queueing of data that cannot be sent yet, which is an error at once.

mod config;
mod event;

use alloc::collections::VecDeque;
use core::net::{IpAddr, SocketAddr};

use ginnel_core::{Handled, Instant, Notice, Packet, Receive, Request, Seed, Transmit, Wake};
use ginnel_stun::LongTermCredential;

pub use config::{ClientConfig, ConfigError, Families, RelayPort, RelayTransport, Socket, TurnServer};
pub use event::{
    Allocated, Connection, Event, FailureReason, Feature, PeerError, Relayed, RelayedAddresses, SendError,
    Stats,
};

use crate::ChannelNumber;

/// A TURN client.
///
/// | kind | verbs |
/// |---|---|
/// | commands | [`permit`](Self::permit), [`forget`](Self::forget), [`bind_channel`](Self::bind_channel), [`unbind_channel`](Self::unbind_channel), [`connect`](Self::connect), [`accept`](Self::accept), [`disconnect`](Self::disconnect), [`migrate`](Self::migrate), [`refresh`](Self::refresh), [`set_credential`](Self::set_credential) |
/// | data | [`send`](Self::send), [`send_unfragmented`](Self::send_unfragmented), [`send_octets`](Self::send_octets) |
/// | tell | [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout), [`handle_notice`](Self::handle_notice), [`close`](Self::close) |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_request`](Self::poll_request), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed) |
/// | look | [`allocated`](Self::allocated), [`is_permitted`](Self::is_permitted), [`channel`](Self::channel), [`stats`](Self::stats) |
///
/// After each command and each tell, drain transmits, then requests, then events, then ask for the wake-up:
/// [`ginnel_core::settle`] does it in this order, and [`ginnel_core`] says why. It asks for its allocation by itself.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    events: VecDeque<Event>,
    requests: VecDeque<Request>,
    stats: Stats,
    closed: bool,
}

impl Client {
    /// A client that begins to allocate at once.
    #[must_use]
    pub fn new(_now: Instant, config: ClientConfig, _seed: Seed) -> Self {
        Self {
            config,
            events: VecDeque::new(),
            requests: VecDeque::new(),
            stats: Stats::default(),
            closed: false,
        }
    }

    /// Lets this address send to us and be sent to (RFC 8656 section 9), until [`forget`](Self::forget): ends in
    /// [`Event::PermissionReady`] or [`Event::PermissionFailed`]. May be called before there is an allocation, and for an
    /// address that is permitted already, which does nothing.
    pub fn permit(&mut self, _now: Instant, _ip: IpAddr) -> Result<(), PeerError> {
        Ok(())
    }
    /// Keeps the permission and the channels of this address alive no longer. The server has no way to take one back: they
    /// expire, after 5 minutes at most, the channel after 10 (RFC 8656 sections 3.3 and 3.5), and can be used until then.
    pub fn forget(&mut self, _ip: IpAddr) {}
    /// Binds a channel to a peer (RFC 8656 section 12), with a permission for its address, until
    /// [`unbind_channel`](Self::unbind_channel): ends in [`Event::ChannelBound`] or [`Event::ChannelFailed`]. Until it is
    /// bound, data goes in Send indications. For a peer that has one already it does nothing.
    pub fn bind_channel(&mut self, _now: Instant, _peer: SocketAddr) -> Result<(), PeerError> {
        Ok(())
    }
    /// Keeps the channel of this peer alive no longer. It can be used until it expires, and its number not for another
    /// peer until 5 minutes later (RFC 8656 section 12).
    pub fn unbind_channel(&mut self, _peer: SocketAddr) {}

    /// Sends the packet's payload to a peer: wraps it in place, through the channel if there is one, else in a Send
    /// indication. `Err` leaves the packet as it was.
    pub fn send(
        &mut self,
        _now: Instant,
        _peer: SocketAddr,
        _packet: &mut Packet<'_>,
    ) -> Result<Transmit, SendError> {
        Err(SendError::NotAllocated)
    }
    /// As [`send`](Self::send), in a Send indication with DONT-FRAGMENT: the server sets the DF bit towards the peer (RFC
    /// 8656 section 11.1). What is too large for the way then is told by [`Event::IcmpError`].
    pub fn send_unfragmented(
        &mut self,
        _now: Instant,
        _peer: SocketAddr,
        _packet: &mut Packet<'_>,
    ) -> Result<Transmit, SendError> {
        Err(SendError::NotAllocated)
    }
    /// Sends octets on a TCP connection, as they are (RFC 6062 section 4.5).
    pub fn send_octets(
        &mut self,
        _now: Instant,
        _connection: Connection,
        _packet: &mut Packet<'_>,
    ) -> Result<Transmit, SendError> {
        Err(SendError::NotConnected)
    }

    /// Has the server connect to a peer over TCP (RFC 6062 section 4.3): ends in [`Event::Connected`] or
    /// [`Event::ConnectFailed`].
    pub fn connect(&mut self, _now: Instant, _peer: SocketAddr) -> Result<Connection, PeerError> {
        Err(PeerError::WrongTransport)
    }
    /// Takes the connection of [`Event::ConnectionAttempt`] (RFC 6062 section 4.4): ends in [`Event::Connected`] or
    /// [`Event::ConnectFailed`].
    pub fn accept(&mut self, _now: Instant, _connection: Connection) -> Result<(), PeerError> {
        Err(PeerError::NoConnection)
    }
    /// Ends a TCP connection, or leaves one that is offered alone (RFC 6062 section 4.6). What was sent still arrives. False
    /// if there is no such.
    pub fn disconnect(&mut self, _connection: Connection) -> bool {
        false
    }

    /// Moves the allocation to another address of this host (RFC 8016): ends in [`Event::Moved`] or
    /// [`Event::MoveFailed`]. Data goes the old way until then, as long as that stands. Without a ticket from the server
    /// another allocation is made.
    pub fn migrate(&mut self, _now: Instant, _socket: Socket) -> Result<(), PeerError> {
        Err(PeerError::NotAllocated)
    }
    /// Refreshes the allocation now: whether the server still knows it is told by [`Event::Refreshed`],
    /// [`Event::RefreshFailed`] or [`Event::Lost`].
    pub fn refresh(&mut self, _now: Instant) {}
    /// Takes another credential, from the next allocation on: one whose time is limited ends, and an allocation
    /// belongs to the user name that it was made with (RFC 8656 section 5).
    pub fn set_credential(&mut self, credential: LongTermCredential) {
        self.config.credential = Some(credential);
    }

    /// The allocation, if there is one now.
    #[must_use]
    pub fn allocated(&self) -> Option<Allocated> {
        None
    }
    /// Whether there is a permission for this address now.
    #[must_use]
    pub fn is_permitted(&self, _now: Instant, _ip: IpAddr) -> bool {
        false
    }
    /// The channel that is bound to this peer now.
    #[must_use]
    pub fn channel(&self, _now: Instant, _peer: SocketAddr) -> Option<ChannelNumber> {
        None
    }
    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// One arrival: [`Handled::Data`] is a peer's, with its payload in the packet and `path` rewritten to lead from the
    /// relayed address to the peer.
    pub fn handle_input(&mut self, _now: Instant, _input: &mut Receive<'_>) -> Handled<Relayed> {
        Handled::Foreign
    }
    /// Fires what is due.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// News of sockets.
    pub fn handle_notice(&mut self, _now: Instant, _notice: Notice) {}
    /// Writes the next packet that is due.
    pub fn poll_transmit(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    /// The next request to the driver.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }
    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    /// Ends: the allocation is deleted at the server, then comes [`Event::Closed`].
    pub fn close(&mut self, _now: Instant) {
        self.closed = true;
    }
    /// Whether it has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}
ginnel_core::machine!(impl [] Client { Event = Event; Data = Relayed; } [requests]);
