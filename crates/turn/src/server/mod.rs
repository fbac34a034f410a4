//! The TURN server (RFC 8656; clients of RFC 5766 and RFC 6156 are served alike): all that comes in on a TURN port.
//!
//! ```text
//!             +----------------------------------------------------------------+
//!  client --> | listener: ChannelData, Send -----> slot ----> datagram         | --> peer
//!             |           Binding -----> BindingServer (RFC 8489, RFC 5780)     |
//!             |           requests --> authentication --> one file a method      |
//!  client <-- | ChannelData, Data <--- slot <---- datagram  :relay socket        | <-- peer
//!             +----------------------------------------------------------------+
//!                   | events: LookUp, Allocated, Moved, Ended | requests: Bind, Listen, Connect, Splice, Release
//!                  user                                     driver
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `data` | the data path, both ways |
//! | `table`, `index`, `hash`, `few`, `compact`, `timers`, `allocation` | where allocations are kept, so that their number does not matter |
//! | `asked`, `answer`, `requests` | what is read of a request, what is written over it, and what is between |
//! | `allocate`, `relays`, `refresh`, `ending` | the life of an allocation |
//! | `tcp` | connections of TCP relays (RFC 6062) |
//! | `mobility` | allocations whose client moves (RFC 8016) |
//! | `handover`, `shared` | several machines that share one port |
//! | [`policy`] | what the operator decides |
//!
//! What is kept belongs to users who are authenticated, and is bounded by [`Limits`]; strangers leave nothing behind. The
//! one thing that waits for somebody else, the look-up of users by event, is bounded by its configuration.
//! Left out on purpose: multicast, third-party authorization (RFC 7635), RFC 3489 beyond Binding.

mod allocate;
mod allocation;
mod answer;
mod asked;
mod compact;
mod config;
mod data;
mod ending;
mod event;
mod few;
#[doc(hidden)]
pub mod fuzz;
mod handover;
mod hash;
mod index;
mod mobility;
pub mod policy;
mod refresh;
mod relays;
mod requests;
mod shared;
mod stats;
mod table;
mod tcp;
mod timers;

use alloc::{collections::VecDeque, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{
    Handled, Instant, Notice, Packet, Path, Receive, Request, Rng, Seed, Ticket, Transmit, Transport, Wake,
};
use ginnel_stun::{
    BindingServer, ServerStats,
    auth::{AddUserError, AuthStats, Authenticator, NonceKey, User},
};

use answer::Answer;
pub use config::{
    CHANNEL_LIFETIME, ChannelNumbers, Credentials, DEFAULT_LIFETIME, LISTENERS_MAX, Lifetimes, Limits,
    Listener, MAX_LIFETIME, PERMISSION_LIFETIME, RELAYS_MAX, RelayAddress, ServerConfig, Shard,
};
use data::IcmpWaiting;
use ending::{Draining, Reserved};
pub use event::{AllocationId, EndReason, Event, Handover};
use handover::Forwards;
use policy::{Claim, LiveRelays, PeerFilter, Quotas, Reservations, Tokens};
use relays::{Address, Ask, Openings};
pub use shared::Shared;
pub use stats::{AllocationInfo, AllocationStats, Errors, Stats, Traffic};
use table::Table;
use tcp::{Asked, Connections};
pub use tcp::{TcpLimits, TcpStats};

use crate::rest::UnixTime;

/// A TURN server.
///
/// | kind | verbs |
/// |---|---|
/// | tell | [`handle_input`](Self::handle_input), [`handle_handed_over`](Self::handle_handed_over), [`handle_timeout`](Self::handle_timeout), [`handle_notice`](Self::handle_notice), [`close`](Self::close) |
/// | command | [`add_user`](Self::add_user), [`remove_user`](Self::remove_user), [`answer`](Self::answer), [`revoke`](Self::revoke), [`end`](Self::end), [`drain`](Self::drain), [`reconfigure`](Self::reconfigure), [`set_clock`](Self::set_clock), [`rotate_nonce_key`](Self::rotate_nonce_key) |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_request`](Self::poll_request), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed) |
/// | look | [`config`](Self::config), [`allocations`](Self::allocations), [`stats`](Self::stats), [`auth_stats`](Self::auth_stats), [`binding_stats`](Self::binding_stats) |
///
/// The owner opens the listeners and names them in the [`ServerConfig`]; relay sockets the machine asks of the driver. After
/// any tell or command comes [`ginnel_core::settle`]; see [`ginnel_core`] for the contract.
///
/// ```
/// use ginnel_core::{Handled, Instant, Packet, Path, Receive, Seed, Transport};
/// use ginnel_stun::{Message, attribute::ErrorCode, auth::{AuthConfig, User}};
/// use ginnel_turn::server::{Listener, RelayAddress, Server, ServerConfig};
///
/// let config = ServerConfig::new(AuthConfig::long_term("example.org")?)
///     .with_listener(Listener::new(Transport::Udp, "198.51.100.1:3478".parse()?))
///     .with_relay(RelayAddress::new("198.51.100.1".parse()?));
/// let mut server = Server::new(config, Seed::new([7; 32])); // in production: of the operating system's randomness
/// server.add_user(User::long_term("user", "example.org", "pass")?)?;
///
/// // Somebody asks for an allocation, and is asked who he is.
/// let mut buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buffer);
/// packet.append(b"\x00\x03\x00\x00\x21\x12\xa4\x42transactions")?;
/// let path = Path::udp("198.51.100.1:3478".parse()?, "192.0.2.1:5000".parse()?);
/// let mut input = Receive::new(path, packet);
/// assert!(matches!(server.handle_input(Instant::EPOCH, &mut input), Handled::Send(_)));
/// let challenge = Message::parse(input.packet.bytes())?;
/// assert_eq!(challenge.get()?, Some(ErrorCode::UNAUTHENTICATED));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    auth: Authenticator,
    binding: BindingServer,
    table: Table,
    openings: Openings,
    addresses: Vec<Address>,
    /// Pools that were made for addresses.
    pools: u64,
    reservations: Reservations<Reserved>,
    peers: PeerFilter,
    quotas: Quotas,
    live: LiveRelays,
    tokens: Tokens,
    forwards: Forwards,
    answers: VecDeque<Answer>,
    connections: Connections<AllocationId, Asked, Claim>,
    asks: VecDeque<Ask>,
    icmp: VecDeque<IcmpWaiting>,
    events: VecDeque<Event>,
    draining: Option<Draining>,
    /// [`Event::Drained`] is to be told.
    drained: bool,
    closing: Closing,
    /// What the wall clock said, and when.
    clock: Option<(Instant, UnixTime)>,
    rng: Rng,
    seed: Seed,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Closing {
    #[default]
    Open,
    /// Closed, and the event waits to be polled.
    Closed,
    /// Closed, and said so.
    Said,
}

/// Relayed addresses that are held for whoever brings their token, for half a minute each.
const RESERVATIONS_MAX: usize = 4096;

impl Server {
    /// A server that is alone. The seed gives the secrets of nonces, tokens and tables, and the relay ports.
    #[must_use]
    pub fn new(config: ServerConfig, seed: Seed) -> Self {
        let shared = Shared::alone(&config, &seed);
        Self::with_shared(config, shared, seed)
    }
    /// One of several that share their listeners.
    #[must_use]
    pub fn with_shared(config: ServerConfig, shared: Shared, seed: Seed) -> Self {
        let auth = config.auth.clone().with_look_up(config.look_up());
        let mut server = Self {
            auth: Authenticator::new(auth, seed.fork("turn server auth")),
            binding: BindingServer::new(config.binding.clone(), seed.fork("turn server binding")),
            table: Table::new(seed.fork("turn server table")),
            openings: Openings::default(),
            addresses: Vec::new(),
            pools: 0,
            reservations: Reservations::new(RESERVATIONS_MAX),
            peers: config.peer_filter(),
            quotas: shared.quotas,
            live: shared.live,
            tokens: Tokens::new(&shared.tokens, config.shard, seed.fork("turn server tokens")),
            forwards: Forwards::new(
                config.limits.handovers,
                config.lifetimes.max,
                seed.fork("turn server forwards"),
            ),
            answers: VecDeque::new(),
            connections: Connections::new(config.limits.tcp),
            asks: VecDeque::new(),
            icmp: VecDeque::new(),
            events: VecDeque::new(),
            draining: None,
            drained: false,
            closing: Closing::Open,
            clock: None,
            rng: seed.fork("turn server").into_rng(),
            seed: seed.fork("turn server addresses"),
            stats: Stats::default(),
            config,
        };
        server.add_addresses();
        server
    }

    /// One arrival: from a client on a listener, or from a peer on a relay socket. What is relayed or answered is in the same
    /// packet. [`Handled::Data`] is a message for the machine of another shard, untouched.
    #[inline]
    pub fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Handover> {
        self.handle(now, input, Origin::Driver)
    }
    /// As [`handle_input`](Self::handle_input), for what the machine of another shard has handed over: it is never handed
    /// over again.
    pub fn handle_handed_over(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Handover> {
        self.handle(now, input, Origin::Shard)
    }
    #[inline]
    fn handle(&mut self, now: Instant, input: &mut Receive<'_>, origin: Origin) -> Handled<Handover> {
        if self.closing != Closing::Open {
            return Handled::Foreign;
        }
        let path = input.path;
        if !self.config.listeners.iter().any(|it| it.takes(path.transport, path.local)) {
            let relay = (path.transport == Transport::Udp).then(|| self.table.relay(path.local));
            return match relay.flatten() {
                Some(slot) => self.peer_data(now, slot, input),
                None => Handled::Foreign,
            };
        }
        match input.packet.bytes().first() {
            // RFC 8656 section 12: ChannelData, and what RFC 5766 had channels for.
            Some(0x40..=0x7F) => match self.table.client(&path) {
                Some(slot) => self.channel_data(now, slot, input),
                None => self.elsewhere(now, &path, origin),
            },
            Some(0x00..=0x3F) => self.stun(now, input, origin),
            _ => Handled::Foreign,
        }
    }
    /// Of a five-tuple without an allocation here: there may be one in another shard.
    fn elsewhere(&mut self, now: Instant, path: &Path, origin: Origin) -> Handled<Handover> {
        match self.forwards.find(now, path).filter(|_| origin == Origin::Driver) {
            Some(shard) => {
                self.stats.handed_over += 1;
                Handled::Data(Handover { shard })
            }
            None => {
                self.stats.no_allocation += 1;
                Handled::Consumed
            }
        }
    }

    /// Ends what has expired: allocations, reservations, and all of them at the deadline of a drain. No more than a few
    /// milliseconds' worth in one call: as long as there is more, [`poll_timeout`](Self::poll_timeout) asks for the next at once.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire(now);
        self.connections.handle_timeout(now);
    }
    /// News of relay sockets and of clients' streams.
    pub fn handle_notice(&mut self, now: Instant, notice: Notice) {
        match notice {
            Notice::Opened { ticket, result } => {
                let _ = self.connections.opened(now, ticket, result) || self.opened(now, ticket, result);
            }
            Notice::Accepted { path, .. } => self.accepted(now, path),
            Notice::Lost { .. } => self.lost(notice),
            Notice::Spliced { one, forth, back, .. } => self.spliced(one, forth, back),
            Notice::Unreachable { path, error } => self.unreachable(now, path, error),
        }
    }
    /// The next answer that could not be given at once: its sockets had to be opened, or its user looked up; or the next ICMP
    /// error for a client.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        if self.closing != Closing::Open {
            return None;
        }
        while let Some(Answer { path, head, who, reply }) = self.answers.pop_front() {
            if let Some(transmit) = self.write(path, head, &who, &reply, packet) {
                return Some(transmit);
            }
        }
        self.poll_looked_up(now, packet)
            .or_else(|| self.binding.poll_transmit(now, packet))
            .or_else(|| self.poll_connections(packet))
            .or_else(|| self.poll_icmp(packet))
    }
    /// The next relay socket to open or to give back.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.asks.pop_front().map(Into::into).or_else(|| self.connections.poll_request())
    }
    /// What happened. [`Event::Closed`] is the last.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if core::mem::take(&mut self.drained) {
            return Some(Event::Drained);
        }
        match self.closing {
            Closing::Open => self.poll_look_up(),
            Closing::Closed => {
                self.closing = Closing::Said;
                Some(Event::Closed)
            }
            Closing::Said => None,
        }
    }
    /// When something expires next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        if self.closing != Closing::Open {
            return None;
        }
        let expiry =
            self.table.next_expiry().map(|(at, _)| Wake::new(at, "turn server: an allocation expires"));
        let reserved =
            self.reservations.next_end().map(|at| Wake::new(at, "turn server: a reservation ends"));
        let is_empty = self.table.len() == 0 && self.openings.len() == 0;
        let draining = self.draining.as_ref().filter(|_| !is_empty);
        let deadline = draining.map(|it| Wake::new(it.deadline, "turn server: the drain ends"));
        let stream = self
            .connections
            .next_timeout()
            .map(|at| Wake::new(at, "turn server: a stream has waited enough"));
        let opening =
            self.openings.next_deadline().map(|at| Wake::new(at, "turn server: the driver opens no socket"));
        Wake::soonest([expiry, reserved, deadline, opening, stream])
    }
    /// Ends all allocations and gives all sockets back. Nobody is told: their next request goes unanswered.
    pub fn close(&mut self, now: Instant) {
        if self.closing != Closing::Open {
            return;
        }
        self.end_all(EndReason::Closed, usize::MAX);
        while let Some(reserved) = self.reservations.expired(Instant::from_epoch(Duration::MAX)) {
            self.give_back(&reserved.relay);
        }
        self.forwards.clear();
        self.answers.clear();
        self.connections.close();
        self.icmp.clear();
        self.auth.close();
        self.binding.close(now);
        self.closing = Closing::Closed;
    }
    /// Whether it is closed and all sockets are given back.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closing != Closing::Open
            && self.asks.is_empty()
            && !self.openings.is_waiting()
            && !self.connections.is_waiting()
    }

    /// Adds a user in memory, or gives one of that name his new keys. One who could never be authenticated here is an error.
    pub fn add_user(&mut self, user: User) -> Result<(), AddUserError> {
        self.auth.add_user(user)
    }
    /// Removes a user from memory and ends his allocations. How many those were.
    pub fn remove_user(&mut self, now: Instant, name: &str) -> usize {
        self.auth.remove_user(name);
        self.revoke(now, name)
    }
    /// Ends the allocations of a user, wherever he is looked up: a back end takes him back. How many those were. It takes as
    /// long as he has allocations, whatever others have.
    pub fn revoke(&mut self, _now: Instant, name: &str) -> usize {
        self.end_user(name, EndReason::Revoked)
    }
    /// Ends one allocation. False if there is none.
    pub fn end(&mut self, _now: Instant, id: AllocationId) -> bool {
        self.end_id(id, EndReason::Revoked)
    }
    /// Who it was that [`Event::LookUp`] asked for; `None` if there is no such user. False if the request does not wait any
    /// more. The answer leaves by [`poll_transmit`](Self::poll_transmit).
    pub fn answer(&mut self, ticket: Ticket, user: Option<User>) -> bool {
        match requests::whose(ticket) {
            requests::LookUpOf::Turn(ticket) => self.auth.answer(ticket, user),
            requests::LookUpOf::Binding(ticket) => self.binding.answer(ticket, user),
        }
    }
    /// Makes nonces under another key from now on. Those of the key before are taken until they expire.
    pub fn rotate_nonce_key(&mut self, key: NonceKey) {
        self.auth.rotate_nonce_key(key);
    }
    /// Takes no more allocations: Allocate is answered with 300 and the first of `alternates` that is of the client's family
    /// (and behind it the first of the other), or with 508 if there is none. Clients over TLS and DTLS ask them for the
    /// certificate that this one has: no ALTERNATE-DOMAIN is sent. Those that live may go on until `deadline`, and refreshes give no more than that. [`Event::Drained`] says
    /// that the last is gone. To call it again sets another deadline.
    pub fn drain(&mut self, _now: Instant, deadline: Instant, alternates: &[SocketAddr]) {
        self.draining = Some(Draining::new(deadline, alternates));
        self.look_for_the_end();
    }
    /// What the wall clock says: how long after 1970 `now` is. Time-limited credentials need it
    /// ([`Credentials::Rest`]); to be called again when the clock was set.
    pub fn set_clock(&mut self, now: Instant, since_1970: Duration) {
        self.clock = Some((now, UnixTime(since_1970.as_secs())));
    }

    /// What it was told.
    #[must_use]
    pub const fn config(&self) -> &ServerConfig {
        &self.config
    }
    /// The allocations, in no order.
    pub fn allocations(&self, now: Instant) -> impl Iterator<Item = AllocationInfo<'_>> {
        self.table.iter().map(move |it| AllocationInfo {
            id: it.id,
            user: it.user.name(),
            client: it.client(),
            relayed: it.relays.map(|relay| relay.map(|relay| relay.external)),
            expires_in: it.expires().map_or(Duration::ZERO, |at| at.saturating_since(now)),
            permissions: it.permissions.iter().filter(|it| it.expires.is_after(now)).count(),
            channels: it.channels.iter().filter(|it| it.expires.is_after(now)).count(),
            stats: it.stats,
        })
    }
    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let allocations = (self.table.len() + self.openings.len()) as u64;
        Stats { allocations, tcp: self.connections.stats(), ..self.stats }
    }
    /// Counters of authentication.
    #[must_use]
    pub const fn auth_stats(&self) -> AuthStats {
        self.auth.stats()
    }
    /// Counters of Binding.
    #[must_use]
    pub fn binding_stats(&self) -> ServerStats {
        self.binding.stats()
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() < self.config.limits.events {
            self.events.push_back(event);
        } else {
            self.stats.events_dropped += 1;
        }
    }
}
ginnel_core::machine!(impl [] Server { Event = Event; Data = Handover; } [requests]);

/// Who brings a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The operating system gave it to this shard.
    Driver,
    /// Another shard did.
    Shard,
}

#[cfg(test)]
mod tests;
