//! The TURN server (RFC 8656, with RFC 5766 and RFC 6156 clients): everything that comes in on a TURN port.

mod config;
mod event;
#[allow(dead_code, reason = "the server comes to it")]
mod mobility;
pub mod policy;
#[allow(dead_code, reason = "the data path counts")]
mod stats;
#[allow(dead_code, reason = "the server comes to it")]
mod tcp;

use core::time::Duration;

use ginnel_core::{Handled, Instant, Notice, Packet, Receive, Request, Seed, Ticket, Transmit, Wake};
use ginnel_stun::ServerStats;
use ginnel_stun::auth::{AddUserError, AuthStats, NonceKey, User};

pub use config::{
    CHANNEL_LIFETIME, Credentials, DEFAULT_LIFETIME, LISTENERS_MAX, Lifetimes, Limits, Listener,
    MAX_LIFETIME, PERMISSION_LIFETIME, RELAYS_MAX, RelayAddress, ServerConfig, Shard,
};
pub use event::{AllocationId, EndReason, Event, Handover};
pub use stats::{AllocationInfo, AllocationStats, Errors, Stats, Traffic};
pub use tcp::{TcpLimits, TcpStats};

/// A TURN server.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    stats: Stats,
    closed: bool,
}
impl Server {
    /// A server. The seed gives the secrets of nonces, tokens and tables, and the relay ports.
    #[must_use]
    pub fn new(config: ServerConfig, _seed: Seed) -> Self {
        Self { config, stats: Stats::default(), closed: false }
    }
    /// One arrival, from a client or from a peer.
    pub fn handle_input(&mut self, _now: Instant, _input: &mut Receive<'_>) -> Handled<Handover> {
        Handled::Foreign
    }
    /// As [`handle_input`](Self::handle_input), for what the machine of another shard has handed over: it is never handed
    /// over again.
    pub fn handle_handed_over(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Handover> {
        self.handle_input(now, input)
    }
    /// Ends what has expired.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// News of relay sockets and of clients' streams.
    pub fn handle_notice(&mut self, _now: Instant, _notice: Notice) {}
    /// The next answer that could not be given at once.
    pub fn poll_transmit(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    /// The next relay socket to open or to give back.
    pub fn poll_request(&mut self) -> Option<Request> {
        None
    }
    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    /// When the next allocation expires.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    /// Ends all allocations and gives back all sockets.
    pub fn close(&mut self, _now: Instant) {
        self.closed = true;
    }
    /// Whether it is closed and all sockets are given back.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Adds a user in memory, or gives one of that name his new keys.
    pub fn add_user(&mut self, _user: User) -> Result<(), AddUserError> {
        Ok(())
    }
    /// Removes a user from memory and ends his allocations. How many those were.
    pub fn remove_user(&mut self, _now: Instant, _name: &str) -> usize {
        0
    }
    /// Ends the allocations of a user, wherever he is looked up: a back end takes him back. How many those were.
    pub fn revoke(&mut self, _now: Instant, _name: &str) -> usize {
        0
    }
    /// Ends one allocation. False if there is none.
    pub fn end(&mut self, _now: Instant, _id: AllocationId) -> bool {
        false
    }
    /// Who it was that [`Event::LookUp`] asked for; `None` if there is no such user. False if the request does not wait any
    /// more.
    pub fn answer(&mut self, _ticket: Ticket, _user: Option<User>) -> bool {
        false
    }
    /// Makes nonces under another key from now on.
    pub fn rotate_nonce_key(&mut self, _key: NonceKey) {}
    /// Takes no more allocations: Allocate is answered with 300 and `alternate`, or with 508. Those that live may go on
    /// until `deadline`; refreshes give no more than that. [`Event::Drained`] says that the last is gone.
    pub fn drain(&mut self, _now: Instant, _deadline: Instant, _alternate: &[core::net::SocketAddr]) {}
    /// Goes on with another configuration: what can change while allocations live.
    pub fn reconfigure(&mut self, _now: Instant, config: ServerConfig) {
        self.config = config;
    }
    /// What the wall clock says: how long after 1970 `now` is. Time-limited credentials need it.
    pub fn set_clock(&mut self, _now: Instant, _since_1970: Duration) {}

    /// What it was told.
    #[must_use]
    pub const fn config(&self) -> &ServerConfig {
        &self.config
    }
    /// The allocations, in no order.
    pub fn allocations(&self, _now: Instant) -> impl Iterator<Item = AllocationInfo<'_>> {
        core::iter::empty()
    }
    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }
    /// Counters of authentication.
    #[must_use]
    pub fn auth_stats(&self) -> AuthStats {
        AuthStats::default()
    }
    /// Counters of Binding.
    #[must_use]
    pub fn binding_stats(&self) -> ServerStats {
        ServerStats::default()
    }
}
ginnel_core::machine!(impl [] Server { Event = Event; Data = Handover; } [requests]);
