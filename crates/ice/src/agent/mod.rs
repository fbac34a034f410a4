//! The agent.

mod config;
mod event;
mod report;

use alloc::{collections::VecDeque, vec::Vec};
use core::net::IpAddr;

use ginnel_core::{Handled, Instant, NoRoom, Notice, Packet, Receive, Request, Seed, Transmit, Wake};

use crate::{Candidate, CandidateError, Credentials, CredentialsError};
pub use config::{AgentConfig, MAX_STUN_SERVERS, Role, TA};
pub use event::{Event, FailureReason, SelectedPair, SocketLost, State};
pub use report::{PairFailure, PairReport, PairStatus, Stats};

/// An ICE agent.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    state: State,
    local: Credentials,
    remote: Option<Credentials>,
    events: VecDeque<Event>,
    stats: Stats,
}
impl Agent {
    /// An agent that has done nothing yet.
    #[must_use]
    pub fn new(config: AgentConfig, seed: Seed) -> Self {
        let mut rng = seed.fork("ice credentials").into_rng();
        Self {
            config: config.bounded(),
            state: State::New,
            local: Credentials::generate(&mut rng),
            remote: None,
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }
    /// Asks the driver for a socket on `ip`; once it is open, there is a host candidate.
    ///
    /// # Errors
    /// When `ip` cannot be one.
    pub fn add_local_ip(&mut self, _now: Instant, _ip: IpAddr) -> Result<(), AddLocalIpError> {
        Ok(())
    }
    /// No more addresses will be added: gathering can complete.
    pub fn end_of_local_ips(&mut self, _now: Instant) {}
    /// Our credentials of this generation.
    #[must_use]
    pub const fn local_credentials(&self) -> &Credentials {
        &self.local
    }
    /// Theirs, if they are known.
    #[must_use]
    pub const fn remote_credentials(&self) -> Option<&Credentials> {
        self.remote.as_ref()
    }
    /// The other side's credentials; the same ones again change nothing.
    ///
    /// # Errors
    /// When they are no credentials, or others are known for this generation.
    pub fn set_remote_credentials(&mut self, _now: Instant, remote: Credentials) -> Result<(), CredentialsError> {
        remote.validate()?;
        self.remote = Some(remote);
        Ok(())
    }
    /// A candidate of the other side.
    ///
    /// # Errors
    /// When it is not taken; that harms nothing else.
    pub fn add_remote_candidate(&mut self, _now: Instant, candidate: Candidate) -> Result<(), CandidateError> {
        candidate.validate()
    }
    /// The other side has said end-of-candidates.
    pub fn end_of_remote_candidates(&mut self, _now: Instant) {}
    /// The peer's `a=ice-pacing` (RFC 8445 section 14.2: the slower of the two is used).
    pub fn set_remote_pacing(&mut self, ta: core::time::Duration) {
        self.config.ta = self.config.ta.max(ta);
    }
    /// Begins a new generation and returns its credentials, to be signalled.
    pub fn restart(&mut self, _now: Instant) -> &Credentials {
        &self.local
    }
    /// Says where user data is to go: on the selected pair, or the best valid one.
    ///
    /// # Errors
    /// When no pair is valid.
    pub fn send(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Result<Transmit, SendError> {
        Err(SendError::NotConnected)
    }
    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }
    /// The role, which a conflict may have changed.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.config.role
    }
    /// The pair that data takes: the nominated one, or before that the best of the valid pairs.
    #[must_use]
    pub fn selected(&self) -> Option<SelectedPair> {
        None
    }
    /// Our candidates.
    pub fn local_candidates(&self) -> impl Iterator<Item = &Candidate> {
        core::iter::empty()
    }
    /// Theirs.
    pub fn remote_candidates(&self) -> impl Iterator<Item = &Candidate> {
        core::iter::empty()
    }
    /// Whether all local candidates are known.
    #[must_use]
    pub const fn is_gathering_complete(&self) -> bool {
        false
    }
    /// All pairs, best first.
    #[must_use]
    pub fn pairs(&self) -> Vec<PairReport> {
        Vec::new()
    }
    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }
    /// One arrival.
    pub fn handle_input(&mut self, _now: Instant, _input: &mut Receive<'_>) -> Handled<()> {
        Handled::Foreign
    }
    /// Time has come.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// News of sockets.
    pub fn handle_notice(&mut self, _now: Instant, _notice: Notice) {}
    /// The next packet.
    pub fn poll_transmit(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    /// The next request to the driver.
    pub fn poll_request(&mut self) -> Option<Request> {
        None
    }
    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    /// When to call `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    /// Ends, and gives back the sockets.
    pub fn close(&mut self, _now: Instant) {
        self.state = State::Closed;
    }
    /// Whether it has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }
}
ginnel_core::machine!(impl [] Agent { Event = Event; Data = (); } [requests]);

/// Why data was not sent. The packet is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Wait for [`State::Connected`].
    #[error("no pair is valid yet")]
    NotConnected,
    /// The state is `Failed`: restart.
    #[error("the connection has failed: restart")]
    Failed,
    /// The agent has been closed.
    #[error("the agent is closed")]
    Closed,
    /// The packet lacks the room that its route needs around it.
    #[error("the packet has no room for what its route puts around it")]
    NoRoom,
}
impl From<NoRoom> for SendError {
    fn from(NoRoom: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// Why an address was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddLocalIpError {
    /// It has a socket already, or one on the way.
    #[error("the address has been added already")]
    AlreadyAdded,
    /// Unspecified, multicast, broadcast, IPv4-mapped or site-local: RFC 8445 section 5.1.1.1.
    #[error("the address cannot be a candidate")]
    NotUsable,
    /// See [`AgentConfig::loopback`].
    #[error("loopback addresses are no candidates, unless the configuration allows them")]
    Loopback,
    /// More addresses than an agent takes.
    #[error("no more addresses are taken")]
    TooMany,
    /// Addresses come before `end_of_local_ips`, or after a restart.
    #[error("end_of_local_ips has been called: restart to add addresses")]
    AfterEnd,
    /// The agent has been closed.
    #[error("the agent is closed")]
    Closed,
}
