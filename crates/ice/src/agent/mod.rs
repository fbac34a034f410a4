//! The agent: one peer, one data stream, one component (RFC 8445).
//!
//! | file | holds |
//! |---|---|
//! | `config`, `event`, `report` | what the user chooses, is told, and can ask |
//! | `gather`, `names` | sockets, STUN servers, `.local` names |
//! | `pairing`, `checks`, `inbound` | pairs, our checks, the peer's checks and data |
//! | `nominate`, `consent`, `conclude` | which pair data takes, whether it may, how it ends |
//! | `session`, `timers` | one generation, and what is waited for |
//!
//! Left out so far, with a place kept: TURN and with it relayed candidates of ours (`Agent::route` is the one place where a
//! transmit is made), lite, TCP, several components and streams (`Checklist` is a type of its own), renomination.

mod checks;
mod conclude;
mod config;
mod consent;
mod event;
mod gather;
mod inbound;
mod names;
mod nominate;
mod pairing;
mod report;
mod session;
mod timers;

use alloc::{collections::VecDeque, vec::Vec};
use core::{net::IpAddr, time::Duration};

use ginnel_core::{
    Handled, Instant, NoRoom, Notice, Packet, Receive, Request, Rng, Seed, Transmit, Transport, Wake,
};

use crate::{
    Candidate, CandidateError, Credentials, CredentialsError, foundation::LocalFoundations, pair::PairId,
};
pub use config::{AgentConfig, MAX_STUN_SERVERS, Role, TA};
use consent::Generation;
pub use event::{Event, FailureReason, SelectedPair, SocketLost, State};
use gather::{CHILD_SOCKETS, Gatherer, Local};
use names::{CHILD_NAMES, Names};
pub use report::{PairFailure, PairReport, PairStatus, Stats};
use session::{Previous, RemoteSide, Session};
use timers::{Timer, Timers};

/// How many events wait for their user. More than an agent has candidates and changes between two drains.
const MAX_EVENTS: usize = 256;

/// An ICE agent: finds a path to one peer, and keeps it.
///
/// # The verbs
///
/// | kind | verb | |
/// |---|---|---|
/// | command | [`add_local_ip`](Self::add_local_ip), [`end_of_local_ips`](Self::end_of_local_ips) | which addresses to gather on |
/// | command | [`set_remote_credentials`](Self::set_remote_credentials), [`add_remote_candidate`](Self::add_remote_candidate), [`end_of_remote_candidates`](Self::end_of_remote_candidates), [`set_remote_pacing`](Self::set_remote_pacing) | what signalling brings |
/// | command | [`send`](Self::send) | user data, at once |
/// | command | [`restart`](Self::restart), [`close`](Self::close) | begin again, end |
/// | tell | [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout), [`handle_notice`](Self::handle_notice) | the driver |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_request`](Self::poll_request), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout) | the driver, after any command or tell, in this order ([`ginnel_core::settle`] does it) |
/// | look | [`state`](Self::state), [`role`](Self::role), [`selected`](Self::selected), [`pairs`](Self::pairs), [`stats`](Self::stats), ... | anybody, any time |
///
/// **Drive it as long as the connection is to live.** Consent checks of the peer are answered by `handle_input`, and ours are
/// sent by `poll_transmit`: a user who stops once a pair is selected takes the connection away from both sides.
///
/// # A loop
///
/// ```
/// use ginnel_core::{Buffer, Instant, Io, Notice, Packet, Request, Transmit, settle};
/// use ginnel_ice::{Agent, AgentConfig, Event, Role};
///
/// struct Driver { sent: usize }
/// impl Io<Event> for Driver {
///     fn send(&mut self, _: Transmit, _: &mut Packet<'_>) { self.sent += 1 } // socket.send_to(..)
///     fn request(&mut self, request: Request) -> Option<Notice> {
///         let Request::Bind { ticket, ip, .. } = request else { return None };
///         Some(Notice::Opened { ticket, result: Ok((ip, 5000).into()) }) // UdpSocket::bind(..)
///     }
///     fn event(&mut self, event: Event) { println!("{event:?}") } // LocalCandidate: tell the peer
/// }
/// let (mut driver, mut buffer, now): (_, Buffer, _) = (Driver { sent: 0 }, [0; 2048], Instant::EPOCH);
/// let mut agent = Agent::new(AgentConfig::new(Role::Controlling), ginnel_core::Seed::new([7; 32]));
/// agent.add_local_ip(now, "192.0.2.1".parse()?)?;
/// agent.end_of_local_ips(now);
/// let wake = settle(&mut agent, now, &mut buffer, &mut driver); // and again after each packet and at each wake
/// assert!(wake.is_none(), "nothing to wait for before the peer's credentials come");
/// assert_eq!(agent.local_candidates().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    rng: Rng,
    names_seed: Seed,
    role: Role,
    /// RFC 8445 section 7.1.3.
    tiebreaker: u64,
    state: State,
    gather: Gatherer,
    names: Names,
    locals: Vec<Local>,
    foundations: LocalFoundations,
    session: Session,
    /// Whether `session` is not the first.
    restarted: bool,
    previous: Option<Previous>,
    /// The first instant at which Ta allows another transaction.
    next_slot: Instant,
    /// The same for errors to strangers.
    next_refusal: Instant,
    /// Checks that wait to be written, each once.
    outbox: VecDeque<PairId>,
    timers: Timers,
    events: VecDeque<Event>,
    stats: Stats,
}
impl Agent {
    /// An agent that has done nothing yet. Values of the configuration that an RFC forbids are moved to its bound.
    #[must_use]
    pub fn new(config: AgentConfig, seed: Seed) -> Self {
        let config = config.bounded();
        let mut rng = seed.fork("ice agent").into_rng();
        let session = Session::new(Credentials::generate(&mut rng), config.max_pairs);
        Self {
            role: config.role,
            tiebreaker: u64::from_be_bytes(rng.octets()),
            state: State::New,
            gather: Gatherer::new(&seed),
            names: Names::default(),
            locals: Vec::new(),
            foundations: LocalFoundations::default(),
            session,
            restarted: false,
            previous: None,
            next_slot: Instant::EPOCH,
            next_refusal: Instant::EPOCH,
            outbox: VecDeque::new(),
            timers: Timers::default(),
            events: VecDeque::new(),
            stats: Stats::default(),
            names_seed: seed,
            rng,
            config,
        }
    }

    /// Asks the driver for a socket on `ip`; once it is open there is a host candidate, and STUN servers are asked
    /// through it. An address that is added after `GatheringComplete` takes part from the next restart on (RFC 8838
    /// section 13).
    ///
    /// # Errors
    /// When `ip` cannot be a candidate, or has been added already.
    pub fn add_local_ip(&mut self, now: Instant, ip: IpAddr) -> Result<(), AddLocalIpError> {
        self.bind(ip)?;
        self.refresh(now);
        Ok(())
    }
    /// No more addresses will be added for now: gathering can complete. It holds through restarts.
    pub fn end_of_local_ips(&mut self, now: Instant) {
        if !self.is_over() {
            self.end_gathering();
            self.refresh(now);
        }
    }
    /// The other side's credentials of this generation; the same ones again change nothing. Checks begin.
    ///
    /// # Errors
    /// When they are no credentials, or others are known for this generation: then restart first.
    pub fn set_remote_credentials(
        &mut self,
        now: Instant,
        remote: Credentials,
    ) -> Result<(), CredentialsError> {
        if self.is_over() {
            return Err(CredentialsError::Closed);
        }
        remote.validate()?;
        match &self.session.remote {
            Some(known) if known.credentials == remote => return Ok(()),
            Some(_) => return Err(CredentialsError::RestartFirst),
            None => self.session.remote = Some(RemoteSide::new(remote, &self.session.local)),
        }
        if self.state != State::Failed {
            self.begin_checks(now);
        }
        self.refresh(now);
        Ok(())
    }
    /// A candidate of the other side, before or after its credentials. It may name its username fragment.
    ///
    /// # Errors
    /// When it is not taken; that harms nothing else, so skip it and go on.
    pub fn add_remote_candidate(&mut self, now: Instant, candidate: Candidate) -> Result<(), CandidateError> {
        let taken = self.take_remote(now, candidate);
        self.refresh(now);
        taken
    }
    /// The other side has said end-of-candidates (RFC 8838 section 14). After a restart it is about the new generation only
    /// once that one's credentials are known: what comes before them was under way when we restarted, and is ignored.
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        if self.session.remote.is_none() && self.restarted {
            return;
        }
        self.session.remote_end = true;
        self.consider_failure(now);
        self.refresh(now);
    }
    /// Which side nominates, where that is known only after the agent was made: who offers first is controlling (RFC 8445
    /// section 6.1.1). Nothing happens once checks have begun: then only a role conflict changes the role.
    pub fn set_role(&mut self, role: Role) {
        if self.session.remote.is_none() && self.previous.is_none() {
            self.role = role;
            self.recompute_priorities();
        }
    }
    /// The peer's `a=ice-pacing`: the slower of the two is used (RFC 8445 section 14.2).
    pub fn set_remote_pacing(&mut self, ta: Duration) {
        self.config.ta = self.config.ta.max(ta);
    }
    /// Begins a new generation and returns its credentials, to be signalled (RFC 8445 section 9). Candidates of ours come
    /// again as events, with the new username fragment, and `GatheringComplete` after them; the peer's credentials and
    /// candidates are to be set anew. The pair in use carries data until one of the new generation is selected.
    pub fn restart(&mut self, now: Instant) -> &Credentials {
        if !self.is_over() {
            self.begin_again(now);
            self.refresh(now);
        }
        &self.session.local
    }
    /// Says where user data is to go: the selected pair, or before there is one the best valid pair. Send the packet
    /// there at once.
    ///
    /// # Errors
    /// When no pair is valid. The packet is as it was, and the agent too.
    pub fn send(&mut self, now: Instant, packet: &mut Packet<'_>) -> Result<Transmit, SendError> {
        let (of, transmit) = self.way(packet)?;
        let octets = packet.len() as u64;
        if let Some(link) = self.link_mut(of) {
            link.last_sent = now;
        }
        if let (Generation::Current, Some((id, _))) = (of, &self.session.in_use)
            && let Some(valid) = self.session.checklist.get_mut(*id).and_then(|pair| pair.valid.as_mut())
        {
            valid.packets_sent += 1;
            valid.bytes_sent += octets;
        }
        self.stats.packets_sent += 1;
        self.stats.bytes_sent += octets;
        Ok(transmit)
    }

    /// Whether [`send`](Self::send) would take this packet now: for layers above, which must know before they encrypt it.
    ///
    /// # Errors
    /// What `send` would say.
    pub fn check_send(&self, packet: &Packet<'_>) -> Result<(), SendError> {
        self.way(packet).map(drop)
    }
    /// Where user data goes. A route that puts something around a packet asks here whether there is room.
    fn way(&self, _packet: &Packet<'_>) -> Result<(Generation, Transmit), SendError> {
        let Some((of, path)) = self.in_use().map(|(of, link)| (of, link.path)) else {
            return Err(match self.state {
                State::Failed => SendError::Failed,
                State::Closed => SendError::Closed,
                _ => SendError::NotConnected,
            });
        };
        let transmit = self.route(path).ok_or(SendError::NotConnected)?;
        Ok((of, transmit))
    }
    /// Whether data still takes the pair of before a restart, since none of the new generation works yet.
    #[must_use]
    pub fn uses_previous(&self) -> bool {
        matches!(self.in_use(), Some((Generation::Previous, _)))
    }

    /// One arrival. `Data` is user data from a validated path; `Send` an answer to a check. `Foreign` came to a socket that
    /// is not the agent's.
    pub fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<()> {
        self.receive(now, input)
    }
    /// Time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        for timer in Timer::ALL {
            if !self.timers.take_due(timer, now) {
                continue;
            }
            match timer {
                Timer::Pace => self.fire_pace(now),
                Timer::Retransmit => self.fire_retransmit(now),
                Timer::Nominate => self.consider_nomination(now),
                Timer::Consent => self.fire_consent(now, Generation::Current),
                Timer::ConsentExpiry => self.fire_consent_expiry(),
                Timer::PreviousConsent => self.fire_consent(now, Generation::Previous),
                Timer::PreviousExpiry => self.fire_previous_expiry(now),
                Timer::Keepalive => self.fire_keepalive(now),
                Timer::RefreshBindings => self.fire_refresh(now),
                Timer::GiveUp => self.consider_failure(now),
            }
        }
        self.gather.client.handle_timeout(now);
        self.drain_client(now);
        self.fire_names(now);
        self.refresh(now);
    }
    /// News of sockets.
    pub fn handle_notice(&mut self, now: Instant, notice: Notice) {
        match notice {
            Notice::Opened { ticket, result } => match ticket.unnest() {
                (CHILD_SOCKETS, own) => self.opened(own, result),
                (CHILD_NAMES, own) => self.notify_names(now, Notice::Opened { ticket: own, result }),
                _ => {}
            },
            Notice::Lost { transport, local, remote } => {
                self.notify_names(now, notice);
                if transport == Transport::Udp && remote.is_none() {
                    self.lost(now, local);
                }
            }
            // Checks find out by silence: an ICMP message is not authenticated (RFC 8445 section 7.2.5.2.2 may fail a
            // pair for it). The client of STUN servers judges for itself.
            Notice::Unreachable { .. } => {
                self.gather.client.handle_notice(now, notice);
                self.drain_client(now);
            }
            Notice::Accepted { .. } | Notice::Spliced { .. } => {}
        }
        self.refresh(now);
    }
    /// Writes the next packet that is due.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        if let Some(transmit) = self.transmit_check(now, packet).or_else(|| self.transmit_link(now, packet)) {
            return Some(transmit);
        }
        let query = self.gather.client.poll_transmit(now, packet);
        query.or_else(|| self.names.poll_transmit(now, packet))
    }
    /// The next request to the driver.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.gather.poll_request().or_else(|| self.names.poll_request())
    }
    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    /// When to call `handle_timeout`, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        let queries = self.gather.client.poll_timeout();
        Wake::soonest([self.timers.soonest(), queries, self.names.poll_timeout()])
    }
    /// Ends, and gives back the sockets. ICE has no goodbye: the peer learns of it when its consent checks stay unanswered.
    pub fn close(&mut self, now: Instant) {
        self.end(now);
    }
    /// Whether it has ended, and the driver has been asked to take its sockets back.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_over() && self.gather.is_closed() && self.names.is_closed()
    }

    /// Whether `close` was called.
    fn is_over(&self) -> bool {
        self.state == State::Closed
    }
    /// Sets the timers that follow from the state. Called at the end of whatever may have changed it, which the paths of
    /// data and of answers to checks on a valid pair are not.
    fn refresh(&mut self, now: Instant) {
        self.stats.pairs_dropped += core::mem::take(&mut self.session.checklist.dropped);
        if matches!(self.state, State::Failed | State::Closed) {
            self.timers.clear();
            if self.state == State::Failed && self.gather.has_query() {
                self.timers.set(Timer::Pace, self.next_pace(now));
            }
            return;
        }
        let expiry = self.config.consent_expiry;
        let consent = |link: Option<&consent::Link>| {
            (link.map(|link| link.consent.next), link.map(|link| link.consent.answered + expiry))
        };
        let (next, expires) = consent(self.link(Generation::Current));
        let (previous, mut previous_expires) = consent(self.link(Generation::Previous));
        previous_expires = previous_expires.or(self.previous.as_ref().and_then(|previous| previous.until));
        self.timers.set(Timer::Consent, next);
        self.timers.set(Timer::ConsentExpiry, expires);
        self.timers.set(Timer::PreviousConsent, previous);
        self.timers.set(Timer::PreviousExpiry, previous_expires);
        self.timers.set(Timer::Keepalive, self.next_keepalive());
        self.timers.set(Timer::Pace, self.next_pace(now));
        self.timers.set(Timer::Retransmit, self.next_retransmit());
        self.timers.set(Timer::GiveUp, self.next_give_up(now));
    }
    fn push_event(&mut self, event: Event) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
            self.stats.events_dropped += 1;
        }
        self.events.push_back(event);
    }
}
ginnel_core::machine!(impl [] Agent { Event = Event; Data = (); } [requests]);

#[cfg(test)]
mod tests;

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
    /// The agent has been closed.
    #[error("the agent is closed")]
    Closed,
}
