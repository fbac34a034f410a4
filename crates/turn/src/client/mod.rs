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

mod allocate;
mod channel;
mod config;
mod connection;
mod data;
mod event;
#[doc(hidden)]
pub mod fuzz;
mod open;
mod permission;
mod requests;
mod state;
mod timers;
mod upkeep;

use alloc::{collections::VecDeque, vec::Vec};
use core::net::{IpAddr, SocketAddr};

use ginnel_core::{Handled, Instant, Notice, Packet, Path, Receive, Request, Rng, Seed, Transmit, Wake};
use ginnel_stun::{
    Class, LongTermCredential, Message,
    attribute::AddressFamily,
    client::{self as stun, RequestId},
};

use channel::Channels;
use connection::Connections;
use permission::{Permissions, Standing};
use state::{After, Purpose, Recovery, Setup, State};
use timers::{Timer, Timers};

pub use config::{ClientConfig, ConfigError, Families, RelayPort, RelayTransport, Socket, TurnServer};
pub use event::{
    Allocated, Connection, Event, FailureReason, Feature, PeerError, Relayed, RelayedAddresses, SendError,
    Stats,
};

use crate::ChannelNumber;

/// A TURN client, for whoever drives it with sockets of his own. (An application that wants a socket behind a relay takes
/// `RelaySocket` of `ginnel-tokio` or `ginnel-smol`, which is made of this.)
///
/// In order: [`ClientConfig`] says which server and credential; [`new`](Self::new) begins to allocate; [`permit`](Self::permit)
/// or [`bind_channel`](Self::bind_channel) says who may send, at any time; [`Event::PermissionReady`] and
/// [`Event::ChannelBound`] say from when on [`send`](Self::send) works. What a peer sends comes out of
/// [`handle_input`](Self::handle_input) as [`Relayed`]. All of it is kept alive until [`close`](Self::close).
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
///
/// ```
/// use ginnel_core::{Buffer, Instant, Io, Packet, settle};
/// use ginnel_turn::client::{Client, Event};
///
/// /// Greets whoever the client is permitted to send to: what an application does with its events.
/// fn greet(client: &mut Client, now: Instant, io: &mut impl Io<Event>, news: &Event) {
///     let mut buffer: Buffer = [0; 2048];
///     match news {
///         Event::Allocated(given) => println!("peers reach us at {}", given.relayed),
///         Event::ChannelBound { peer, .. } => {
///             let mut packet = Packet::empty(&mut buffer);
///             if packet.write(b"hello").is_ok() && let Ok(transmit) = client.send(now, *peer, &mut packet) {
///                 io.send(transmit, &mut packet); // wrapped in place
///             }
///         }
///         Event::Failed { reason } => println!("no relay: {reason}"),
///         _ => {}
///     }
///     let wake = settle(client, now, &mut buffer, io); // after every command and every tell
///     # let _ = wake;
/// }
/// ```
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    /// What the allocation was, or is being, made with (RFC 8656 section 5: all its requests).
    credential: Option<LongTermCredential>,
    stun: stun::Client,
    rng: Rng,
    state: State,
    /// The way to the server, where there is one.
    line: Option<state::Line>,
    setup: Setup,
    recovery: Option<Recovery>,
    /// When the last allocation was lost, and how many before it went as quickly.
    lost_before: Option<(Instant, u32)>,
    /// The socket that was lent is gone, and only its owner can lend another.
    lent_is_lost: bool,
    /// What for, and since when. At most the transactions of the layer below.
    on_their_way: Vec<(RequestId, Purpose, Instant)>,
    permissions: Permissions,
    channels: Channels,
    connections: Connections,
    timers: Timers,
    last_sent: Instant,
    keepalive_due: bool,
    /// Whether the silence of the server says something: over datagrams, with an allocation.
    expects_word: bool,
    next_ticket: u64,
    /// What answers cause is bounded by what is asked; what peers cause, by `data::MAX_UNTOLD`.
    events: VecDeque<Event>,
    requests: VecDeque<Request>,
    stats: Stats,
}

impl Client {
    /// A client that begins to allocate at once.
    #[must_use]
    pub fn new(now: Instant, config: ClientConfig, seed: Seed) -> Self {
        let stun = config
            .stun
            .with_max_transactions(requests::TRANSACTIONS.saturating_add(config.max_connections), 10)
            .with_max_servers(requests::SESSIONS)
            .with_follow_alternate(true)
            .with_follow_unauthenticated(config.follow_unauthenticated);
        let mut client = Self {
            credential: config.credential.clone(),
            stun: stun::Client::new(stun, seed.fork("turn transactions")),
            rng: seed.fork("turn client").into_rng(),
            state: State::Waiting,
            line: None,
            setup: Setup::new(&config),
            recovery: None,
            lost_before: None,
            lent_is_lost: false,
            on_their_way: Vec::new(),
            permissions: Permissions::default(),
            channels: Channels::default(),
            connections: Connections::default(),
            timers: Timers::default(),
            last_sent: now,
            keepalive_due: false,
            expects_word: false,
            next_ticket: 0,
            events: VecDeque::new(),
            requests: VecDeque::new(),
            stats: Stats::default(),
            config,
        };
        match client.config.check() {
            Ok(()) => client.begin(now),
            Err(error) => client.fail(FailureReason::Config(error)),
        }
        client
    }

    /// Lets this address send to us and be sent to (RFC 8656 section 9), until [`forget`](Self::forget): ends in
    /// [`Event::PermissionReady`] or [`Event::PermissionFailed`]. May be called before there is an allocation, and for an
    /// address that is permitted already, which does nothing.
    pub fn permit(&mut self, now: Instant, ip: IpAddr) -> Result<(), PeerError> {
        self.want_permission(now, ip, false)?;
        self.pump(now);
        Ok(())
    }
    /// Keeps the permission and the channels of this address alive no longer. The server has no way to take one back: they
    /// expire, after 5 minutes at most, the channel after 10 (RFC 8656 sections 3.3 and 3.5), and can be used until then.
    pub fn forget(&mut self, now: Instant, ip: IpAddr) {
        self.permissions.forget(ip);
        self.forget_channels(ip);
        self.pump(now);
    }
    /// Binds a channel to a peer (RFC 8656 section 12), with a permission for its address, until
    /// [`unbind_channel`](Self::unbind_channel): ends in [`Event::ChannelBound`] or [`Event::ChannelFailed`]. Until it is
    /// bound, data goes in Send indications. For a peer that has one already it does nothing. The permission stays until
    /// [`forget`](Self::forget).
    pub fn bind_channel(&mut self, now: Instant, peer: SocketAddr) -> Result<(), PeerError> {
        self.want_channel(now, peer)?;
        self.pump(now);
        Ok(())
    }
    /// Keeps the channel of this peer alive no longer. It can be used until it expires, and its number not for another
    /// peer until 5 minutes later (RFC 8656 section 12).
    pub fn unbind_channel(&mut self, now: Instant, peer: SocketAddr) {
        self.channels.forget(|other| other == peer);
        self.pump(now);
    }

    /// Sends the packet's payload to a peer: wraps it in place, through the channel if there is one, else in a Send
    /// indication. `Err` leaves the packet as it was.
    pub fn send(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        packet: &mut Packet<'_>,
    ) -> Result<Transmit, SendError> {
        self.send_to(now, peer, packet, false)
    }
    /// As [`send`](Self::send), in a Send indication with DONT-FRAGMENT: the server sets the DF bit towards the peer (RFC
    /// 8656 section 11.1). What is too large for the way then is told by [`Event::IcmpError`].
    pub fn send_unfragmented(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        packet: &mut Packet<'_>,
    ) -> Result<Transmit, SendError> {
        self.send_to(now, peer, packet, true)
    }
    /// Sends octets on a TCP connection, as they are (RFC 6062 section 4.5).
    pub fn send_octets(
        &mut self,
        _now: Instant,
        connection: Connection,
        packet: &mut Packet<'_>,
    ) -> Result<Transmit, SendError> {
        self.send_on(connection, packet)
    }

    /// Has the server connect to a peer over TCP (RFC 6062 section 4.3): ends in [`Event::Connected`] or
    /// [`Event::ConnectFailed`].
    pub fn connect(&mut self, now: Instant, peer: SocketAddr) -> Result<Connection, PeerError> {
        self.start_connect(now, peer)
    }
    /// Takes the connection of [`Event::ConnectionAttempt`] (RFC 6062 section 4.4): ends in [`Event::Connected`] or
    /// [`Event::ConnectFailed`].
    pub fn accept(&mut self, now: Instant, connection: Connection) -> Result<(), PeerError> {
        self.start_accept(now, connection)
    }
    /// Ends a TCP connection, or leaves one that is offered alone (RFC 6062 section 4.6). What was sent still arrives. False
    /// if there is no such.
    pub fn disconnect(&mut self, now: Instant, connection: Connection) -> bool {
        self.end_connection(now, connection)
    }

    /// Moves the allocation to another address of this host (RFC 8016): ends in [`Event::Moved`] or
    /// [`Event::MoveFailed`]. Data goes the old way until then, as long as that stands. Without a ticket from the server
    /// another allocation is made; with a [`recover`](ClientConfig::recover) of zero that is the end.
    pub fn migrate(&mut self, now: Instant, socket: Socket) -> Result<(), PeerError> {
        let State::Allocated(allocation) = &self.state else { return Err(PeerError::NotAllocated) };
        if socket.check(&self.setup.server).is_err() {
            return Err(PeerError::WrongFamily);
        }
        if allocation.ticket.is_some() {
            self.move_to(now, socket);
        } else {
            (self.config.socket, self.lent_is_lost) = (socket, false);
            self.release_line();
            self.on_lost(now, FailureReason::NoTicket);
        }
        self.pump(now);
        Ok(())
    }
    /// Refreshes the allocation now: whether the server still knows it is told by [`Event::Refreshed`],
    /// [`Event::RefreshFailed`] or [`Event::Lost`].
    pub fn refresh(&mut self, now: Instant) {
        self.start_refresh(now);
        self.pump(now);
    }
    /// Gives one of two relayed addresses back (RFC 8656 section 8.1), with the permissions and channels of its family. The
    /// other one stays. Wait for it with [`allocated`](Self::allocated).
    pub fn release_family(&mut self, now: Instant, family: AddressFamily) -> Result<(), PeerError> {
        self.start_family_release(now, family)
    }
    /// Takes another credential, from the next allocation on: one whose time is limited ends, and an allocation
    /// belongs to the user name that it was made with (RFC 8656 section 5).
    pub fn set_credential(&mut self, credential: LongTermCredential) {
        self.config.credential = Some(credential);
    }

    /// The allocation, if there is one now.
    #[must_use]
    pub fn allocated(&self) -> Option<Allocated> {
        let State::Allocated(allocation) = &self.state else { return None };
        Some(allocation.given)
    }
    /// Whether there is a permission for this address now.
    #[must_use]
    pub fn is_permitted(&self, now: Instant, ip: IpAddr) -> bool {
        self.permissions.standing(now, ip) == Standing::Active
    }
    /// The channel that is bound to this peer now.
    #[must_use]
    pub fn channel(&self, now: Instant, peer: SocketAddr) -> Option<ChannelNumber> {
        self.channels.bound(now, peer)
    }
    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// One arrival: [`Handled::Data`] is a peer's, with its payload in the packet and `path` rewritten to lead from the
    /// relayed address to the peer.
    pub fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Relayed> {
        let Some(&first) = input.packet.bytes().first() else { return Handled::Foreign };
        if self.is_ended() {
            return Handled::Foreign;
        }
        if self.is_from_server(input.path) {
            let handled = match first {
                // RFC 8656 section 12, table 3.
                0x40..=0x4F => self.on_channel_data(now, input),
                0x00..=0x03 => self.on_message(now, input),
                _ => return Handled::Foreign,
            };
            if !matches!(handled, Handled::Foreign) {
                self.on_heard();
            }
            return handled;
        }
        if self.connections.is_on(input.path) {
            return self.on_connection_input(now, input);
        }
        // A server that we were sent on to, over UDP: only the layer below knows it.
        let here = self.line.is_some_and(|line| line.path.local == input.path.local);
        let asked = matches!(self.state, State::Allocating) && here;
        let response = Message::parse(input.packet.bytes()).is_ok_and(|it| it.class().is_response());
        if asked && response { self.on_response(now, input) } else { Handled::Foreign }
    }
    /// Whether this is a path of the allocation.
    #[inline]
    fn is_from_server(&self, path: Path) -> bool {
        if self.line.is_some_and(|line| line.path == path) {
            return true;
        }
        let State::Allocated(allocation) = &self.state else { return false };
        allocation.side_lines().any(|line| line.path == path)
    }
    fn on_message(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Relayed> {
        let Ok(message) = Message::parse(input.packet.bytes()) else {
            if Message::is_claimed_by(input.packet.bytes()) {
                self.stats.bad_indication += 1;
                return Handled::Consumed;
            }
            return Handled::Foreign;
        };
        match message.class() {
            Class::Indication => self.on_indication(now, input),
            Class::Success | Class::Error => self.on_response(now, input),
            Class::Request => Handled::Foreign,
        }
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.stun.poll_timeout().is_some_and(|wake| wake.at <= now) {
            self.stun.handle_timeout(now);
            self.drain(now);
            self.pump(now);
        }
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Attempt => self.begin(now),
                Timer::Refresh | Timer::Silence => self.start_refresh(now),
                Timer::Expiry => self.on_lost(now, FailureReason::Expired),
                Timer::Keepalive => self.on_keepalive_time(now),
                Timer::Deleting => self.on_deleted(now),
                Timer::OldPath => self.release_old_path(),
                Timer::Connections => self.forget_old_connections(now),
                Timer::Peers => {}
            }
            self.pump(now);
        }
    }
    fn on_keepalive_time(&mut self, now: Instant) {
        let Some(period) = self.config.keepalive else { return };
        let at = self.last_sent + period;
        self.keepalive_due = at <= now && self.is_datagram_line();
        self.timers.set(Timer::Keepalive, Some(if at <= now { now + period } else { at }));
    }
    /// Starts what is due, as far as the layer below has room, and says when to come back.
    fn pump(&mut self, now: Instant) {
        let allocated = matches!(self.state, State::Allocated(_));
        if allocated && self.line.is_some() {
            self.pump_permissions(now);
            self.pump_channels(now);
            self.pump_connections(now);
        }
        // It may be another state now.
        self.expects_word = matches!(self.state, State::Allocated(_)) && self.is_datagram_line();
        let next = [self.permissions.next(now), self.channels.next(now)].into_iter().flatten().min();
        self.timers.set(Timer::Peers, next.filter(|_| self.expects_upkeep()));
    }
    fn expects_upkeep(&self) -> bool {
        matches!(self.state, State::Allocated(_)) && self.line.is_some()
    }

    /// News of sockets.
    pub fn handle_notice(&mut self, now: Instant, notice: Notice) {
        if self.is_ended() {
            return;
        }
        self.on_notice(now, notice);
        self.drain(now);
        self.pump(now);
    }
    /// Writes the next packet that is due.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let transmit = match self.stun.poll_transmit(now, packet) {
            Some(transmit) => transmit,
            None => self.write_keepalive(packet)?,
        };
        self.last_sent = now;
        Some(transmit)
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
        Wake::soonest([self.stun.poll_timeout(), self.timers.soonest()])
    }
    /// Ends: the allocation is deleted at the server (RFC 8656 section 8.1), then comes [`Event::Closed`].
    pub fn close(&mut self, now: Instant) {
        match &self.state {
            State::Ended => {}
            State::Allocating | State::Allocated(_) => self.delete(now, After::Close),
            State::Deleting(_) => self.state = State::Deleting(After::Close),
            State::Opening(_) | State::Waiting => self.end(Event::Closed),
        }
    }
    /// Whether it has ended, and its sockets are given back.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_ended() && self.requests.is_empty()
    }
    const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}
ginnel_core::machine!(impl [] Client { Event = Event; Data = Relayed; } [requests]);

#[cfg(test)]
mod tests;
