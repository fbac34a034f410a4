//! NAT behaviour discovery (RFC 5780): what the NATs and firewalls between this host and a server do, in the words of
//! RFC 4787.
//!
//! ```text
//!  Opening -> Reaching ---> Probing -----> Mapping ---> Verifying -> [ Refreshing -> Idle -> Reviving ]* -> Ended
//!  sockets    section 4.2   sections 4.4,  section 4.3  is it the    section 4.6, where asked for
//!                           3.4 and 3.5                 server?
//! ```
//!
//! A [`Discovery`] asks a server with two addresses from two sockets, and ends in a [`Verdict`]. What cannot be known is
//! [`Unknown`] with its reason, never guessed: silence counts only where a control shows that it is not loss, and
//! only where the server's other address is known to answer, as CHANGE-REQUEST asks, and nearly as often. A server that lies
//! about what it sees is believed: ask two.
//!
//! It is bounded whatever the network and the server do. Without the search for the lifetime it takes some seconds. Where
//! round trips take seconds and answers are lost it takes longer: at the usual pace never more than 120 s, and 13 s for each
//! of `max_tries`. It sends at most 68 requests and eight times
//! `max_tries`, one behind the other. A search makes at most 35 waits, each with 12 requests and
//! twice `max_tries` at most. To addresses that the server alone has named go at most 36 (A1:P2 and the two of A2), and twice
//! `max_tries` to those that it calls ours; to none that leads nowhere or into this host. Left out: TCP and TLS, to which most tests do not apply
//! (section 3), and finding the server (section 5.1), which
//! [`resolve`](crate::resolve) does for STUN.

mod asking;
mod config;
mod event;
#[doc(hidden)]
pub mod fuzz;
mod lifetime;
mod sentence;
mod series;
mod stages;
mod verdict;

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{
    Handled, Instant, Notice, Packet, Port, Receive, Refused, Request, Rng, Seed, Ticket, Transmit,
    Transport, Wake,
};

use asking::{Arrival, Asker, Failure, Reply};
use lifetime::Search;
use series::{Outcome, Round, Test};
use stages::{Facts, Kind};

pub use config::{ConfigError, DiscoveryConfig, LifetimeSearch, MAX_MTU, MAX_TRIES, Sockets};
pub use event::{DiscoveryStats, Event};
pub use verdict::{
    Alg, Filtering, Finding, Fragments, Hairpinning, Lifetime, Mapping, RefreshDirection, Unknown, Verdict,
};

use crate::{
    Credential,
    client::RequestId,
    message::{Class, Message, Method, TransactionId},
};

/// Finds out what stands between two sockets and a server. One discovery, one verdict; then it is closed.
///
/// | kind | verbs |
/// |---|---|
/// | tell | [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout), [`handle_notice`](Self::handle_notice), [`close`](Self::close) |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_request`](Self::poll_request), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed) |
/// | look | [`verdict`](Self::verdict), [`stats`](Self::stats) |
///
/// It begins when it is made. After that and after each tell, drain requests, transmits and events, then ask for the
/// wake-up: [`ginnel_core::settle`] does it in this order, and [`ginnel_core`] says why. A loop over any driver:
///
/// ```
/// use ginnel_core::{Instant, Io, settle};
/// use ginnel_stun::behavior::{Discovery, Event, Verdict};
///
/// /// Runs a discovery to its end; `wait` sleeps until then or until something came, which it tells the machine.
/// fn run(
///     discovery: &mut Discovery,
///     mut now: Instant,
///     io: &mut impl Io<Event>,
///     mut wait: impl FnMut(&mut Discovery, Instant) -> Instant,
/// ) -> Verdict {
///     let mut buffer = [0; 2048];
///     while let Some(wake) = settle(discovery, now, &mut buffer, io) {
///         now = wait(discovery, wake.at);
///     }
///     *discovery.verdict() // and it came as an event
/// }
/// ```
///
/// Without a network there is no answer, which is a verdict too:
///
/// ```
/// use ginnel_core::{Instant, Io, Notice, Packet, Request, Seed, Transmit, settle};
/// use ginnel_stun::behavior::{Discovery, DiscoveryConfig, Event, Finding, Unknown};
///
/// struct Nowhere;
/// impl Io<Event> for Nowhere {
///     fn send(&mut self, _: Transmit, _: &mut Packet<'_>) {}
///     fn request(&mut self, _: Request) -> Option<Notice> {
///         None
///     }
///     fn event(&mut self, _: Event) {}
/// }
/// let config = DiscoveryConfig::new("198.51.100.1:3478".parse()?, "192.0.2.1".parse()?)
///     .with_sockets("192.0.2.1:40000".parse()?, "192.0.2.1:40001".parse()?);
/// let mut now = Instant::EPOCH;
/// let mut discovery = Discovery::new(now, config, Seed::new([1; 32]))?;
/// let mut buffer = [0; 2048];
/// while let Some(wake) = settle(&mut discovery, now, &mut buffer, &mut Nowhere) {
///     now = wake.at;
/// }
/// assert_eq!(discovery.verdict().mapping, Finding::Unknown(Unknown::NoAnswer));
/// assert!(now < Instant::EPOCH + core::time::Duration::from_secs(10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Discovery {
    config: DiscoveryConfig,
    asker: Asker,
    rng: Rng,
    stage: Stage,
    /// The first and the second; both known once the stage is past `Opening`.
    sockets: [SocketAddr; 2],
    round: Round,
    /// No new transaction before this (RFC 5780 section 5).
    next_send: Instant,
    /// The longest round trip to the server that is known.
    rtt: Option<Duration>,
    facts: Option<Facts>,
    /// Whether A1:P2 and A2:P2 answered when asked directly.
    reached_directly: [bool; 2],
    search: Option<Search>,
    /// ICMP has said that the server cannot be reached.
    unreachable: bool,
    /// The transactions that may come back to ourselves, the latest last: at most [`MAX_HAIRPINS`].
    hairpins: VecDeque<TransactionId>,
    verdict: Verdict,
    /// At most two of either kind.
    requests: VecDeque<Request>,
    /// Which sockets the driver was asked for and has said nothing of.
    awaited: [bool; 2],
    /// Each finding once: at most a dozen, and one for each wait.
    events: VecDeque<Event>,
    stats: DiscoveryStats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The driver opens the sockets: which are open, and how often each may still be asked for.
    Opening { open: [bool; 2], wishes: [u8; 2] },
    /// The tests of a round.
    Testing(Kind),
    /// A wait of section 4.6.
    Idle { until: Instant },
    /// The verdict is there.
    Ended,
}

/// How many hairpins are remembered: those of one test's tries both ways.
const MAX_HAIRPINS: usize = 2 * MAX_TRIES as usize;
/// RFC 5780 section 4.1: a random port of these.
const PORTS: core::ops::RangeInclusive<u16> = 32_768..=65_535;
/// How many ports are tried before any will do.
const PORT_WISHES: u8 = 8;
/// How long an answer is waited for: this where the round trip is not known, and three round trips where it is, within
/// bounds.
const PATIENCE: Duration = Duration::from_millis(3_500);
const LEAST_PATIENCE: Duration = Duration::from_millis(500);
const MOST_PATIENCE: Duration = Duration::from_secs(6);
/// A pace of nothing would never rest.
const LEAST_PACE: Duration = Duration::from_millis(1);

impl Discovery {
    /// Begins.
    pub fn new(now: Instant, config: DiscoveryConfig, seed: Seed) -> Result<Self, ConfigError> {
        check(&config)?;
        let mut discovery = Self {
            config,
            asker: Asker::new(seed.fork("behavior client"), config.fingerprint),
            rng: seed.fork("behavior ports").into_rng(),
            stage: Stage::Opening { open: [false; 2], wishes: [PORT_WISHES; 2] },
            sockets: [config.server; 2],
            round: Round::default(),
            next_send: now,
            rtt: None,
            facts: None,
            reached_directly: [false; 2],
            search: None,
            unreachable: false,
            hairpins: VecDeque::new(),
            verdict: Verdict::unknown(config.server, Unknown::Stopped),
            requests: VecDeque::new(),
            awaited: [false; 2],
            events: VecDeque::new(),
            stats: DiscoveryStats::default(),
        };
        match config.sockets {
            Sockets::Given { first, second } => {
                discovery.sockets = [first, second];
                discovery.verdict.local = Some(first);
                discovery.begin_reaching(now);
            }
            Sockets::Bind(_) => [0, 1].into_iter().for_each(|socket| discovery.wish_for_socket(socket, true)),
        }
        Ok(discovery)
    }
    /// With the credential that the server wants of everybody (RFC 5780 section 5.2). Without it such a server is
    /// [`Unknown::Refused`] with 401.
    #[must_use]
    pub fn with_credential(mut self, credential: impl Into<Credential>) -> Self {
        self.asker.set_credential(credential.into());
        self
    }
    fn wish_for_socket(&mut self, socket: u64, at_random: bool) {
        let Sockets::Bind(ip) = self.config.sockets else { return };
        let count = u64::from(*PORTS.end() - *PORTS.start()) + 1;
        let offset = u16::try_from(self.rng.below(count)).unwrap_or(0);
        let port = if at_random { Port::Exact(*PORTS.start() + offset) } else { Port::Any };
        self.requests.push_back(Request::Bind { ticket: Ticket(socket), ip, port });
    }

    /// One arrival. An answer counts only from the addresses, and on the socket, that its request allows; everything that
    /// is not an answer to this discovery is [`Handled::Foreign`].
    pub fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        if self.stage == Stage::Ended || !self.sockets.contains(&input.path.local) {
            return Handled::Foreign;
        }
        if self.is_hairpin(input) {
            self.stats.hairpinned += 1;
            self.on_returned(now, input);
            return Handled::Consumed;
        }
        let arrival = self.asker.handle_input(now, input);
        self.take_failures(now);
        match arrival {
            Arrival::Foreign => Handled::Foreign,
            Arrival::Ignored => {
                self.stats.ignored += 1;
                Handled::Consumed
            }
            Arrival::Reply(reply) => {
                self.on_reply(now, reply);
                Handled::Consumed
            }
        }
    }
    /// What the client has seen fail by itself: challenges that it cannot meet, and ICMP.
    fn take_failures(&mut self, now: Instant) {
        while let Some(reply) = self.asker.poll_failure() {
            self.on_reply(now, reply);
        }
    }
    /// Whether it is a request that one of our sockets has sent to the other.
    fn is_hairpin(&self, input: &Receive<'_>) -> bool {
        let Ok(message) = Message::parse(input.packet.bytes()) else { return false };
        let is_request = message.class() == Class::Request && message.method() == Method::BINDING;
        is_request && self.hairpins.contains(&message.transaction_id())
    }
    fn on_returned(&mut self, now: Instant, input: &Receive<'_>) {
        let test = if input.path.local == self.sockets[1] { Test::Hairpin } else { Test::HairpinBack };
        if self.round.is_open(test) {
            let needless = self.round.end(test, Outcome::Returned(input.path.remote));
            self.cancel(needless);
            let other = if test == Test::Hairpin { Test::HairpinBack } else { Test::Hairpin };
            let needless = self.round.drop_test(other);
            self.cancel(needless);
        }
        self.advance(now);
    }
    fn on_reply(&mut self, now: Instant, reply: Reply) {
        let Reply { request, came, result } = reply;
        let failure = match result {
            Ok(_) | Err(Failure::Refused(_)) => None,
            Err(failure) => Some(failure),
        };
        if let Some(failure) = failure {
            self.unreachable |= failure == Failure::Unreachable;
            self.stats.unanswered += 1;
            self.round.on_failed(request);
            return self.advance(now);
        }
        self.stats.answered += 1;
        let outcome = |asked| match result {
            Ok(answer) => Outcome::Answered { answer, came, asked },
            Err(Failure::Refused(code)) => Outcome::Refused(code),
            Err(_) => Outcome::Lossy,
        };
        let Some((test, asked, needless)) = self.round.on_reply(request, outcome) else { return };
        self.cancel(needless);
        let rtt = now.saturating_since(asked);
        self.rtt = Some(self.rtt.map_or(rtt, |longest| longest.max(rtt)));
        match (test, result) {
            (Test::Reach, Ok(answer)) => self.events.push_back(Event::Reached { mapped: answer.mapped, rtt }),
            // Endpoint-independent, or refused: test III has nothing to add (section 4.4).
            (Test::FilterAddress, _) => {
                let needless = self.round.drop_test(Test::FilterPort);
                self.cancel(needless);
            }
            _ => {}
        }
        self.advance(now);
    }

    /// Fires what is due: gives up tries, makes new ones, goes on.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.stage == Stage::Ended {
            return;
        }
        self.asker.handle_timeout(now);
        self.take_failures(now);
        let expired = self.round.expire(now);
        self.stats.unanswered += expired.len() as u64;
        self.cancel(expired);
        if let Stage::Idle { until } = self.stage
            && until <= now
        {
            self.begin_reviving(now);
        }
        self.advance(now);
        if self.next_send <= now && self.next_try().is_some() {
            self.try_next(now);
        }
    }
    fn try_next(&mut self, now: Instant) {
        let Some((test, question)) = self.round.next_due(now) else { return };
        let Some(request) = self.asker.ask(now, question) else { return };
        self.round.on_asked(now, test, request, now + self.patience());
        self.next_send = now + self.config.pace.max(LEAST_PACE);
    }
    /// Ends the tests that have shown enough, and goes on to the next stage as long as one is over.
    fn advance(&mut self, now: Instant) {
        self.round.judge();
        while let Stage::Testing(kind) = self.stage
            && self.round.is_over()
        {
            let needless = self.round.take_in_flight();
            self.cancel(needless);
            self.conclude(now, kind);
            self.round.judge();
        }
    }
    fn cancel(&mut self, requests: Vec<RequestId>) {
        for request in requests {
            self.asker.cancel(request);
        }
    }
    fn patience(&self) -> Duration {
        self.rtt.map_or(PATIENCE, |rtt| rtt.saturating_mul(3).clamp(LEAST_PATIENCE, MOST_PATIENCE))
    }

    /// News of the sockets that were asked for.
    pub fn handle_notice(&mut self, now: Instant, notice: Notice) {
        match notice {
            Notice::Opened { ticket: Ticket(socket @ (0 | 1)), result } => {
                self.on_opened(now, usize::from(socket == 1), result);
            }
            Notice::Lost { transport: Transport::Udp, local, .. } if self.sockets.contains(&local) => {
                self.finish_unknown(now, Unknown::SocketLost);
            }
            Notice::Unreachable { .. } => {
                self.asker.handle_notice(now, notice);
                self.take_failures(now);
            }
            _ => {}
        }
    }
    fn on_opened(&mut self, now: Instant, socket: usize, result: Result<SocketAddr, Refused>) {
        if !core::mem::take(&mut self.awaited[socket]) {
            return;
        }
        let Stage::Opening { open, wishes } = &mut self.stage else {
            // Closed in the meantime.
            self.requests.extend(result.ok().map(release));
            return;
        };
        match result {
            Ok(local) => {
                (open[socket], self.sockets[socket]) = (true, local);
                if *open == [true; 2] {
                    self.verdict.local = Some(self.sockets[0]);
                    self.begin_reaching(now);
                }
            }
            Err(Refused::InUse) if wishes[socket] > 0 => {
                wishes[socket] -= 1;
                let at_random = wishes[socket] > 0;
                self.wish_for_socket(socket as u64, at_random);
            }
            Err(why) => self.finish_unknown(now, Unknown::NoSocket(why)),
        }
    }

    /// Writes the next request that is due.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let transmit = self.asker.poll_transmit(now, packet)?;
        self.stats.sent += 1;
        let to_ourselves = self.facts.as_ref().is_some_and(|it| it.mapped.contains(&transmit.path.remote));
        if let (true, Ok(message)) = (to_ourselves, Message::parse(packet.bytes())) {
            if self.hairpins.len() >= MAX_HAIRPINS {
                self.hairpins.pop_front();
            }
            self.hairpins.push_back(message.transaction_id());
        }
        Some(transmit)
    }
    /// Sockets to open, and to give back.
    pub fn poll_request(&mut self) -> Option<Request> {
        let request = self.requests.pop_front()?;
        if let Request::Bind { ticket: Ticket(socket), .. } = request {
            self.awaited[usize::from(socket == 1)] = true;
        }
        Some(request)
    }
    /// What was found out.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        match self.stage {
            Stage::Opening { .. } | Stage::Ended => None,
            Stage::Idle { until } => {
                Some(Wake::new(until, "stun behavior: the mapping was idle long enough"))
            }
            Stage::Testing(_) => {
                let expiry =
                    self.round.next_expiry().map(|at| Wake::new(at, "stun behavior: no answer came"));
                let try_at = self.next_try().map(|at| Wake::new(at, "stun behavior: next try"));
                Wake::soonest([expiry, try_at])
            }
        }
    }
    fn next_try(&self) -> Option<Instant> {
        self.round.next_try().map(|at| at.max(self.next_send))
    }
    /// Ends early: what is found out by now is the verdict.
    pub fn close(&mut self, now: Instant) {
        self.finish_unknown(now, Unknown::Stopped);
    }
    /// Whether it has ended, and has given its sockets back: those too that the driver was still opening.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.stage == Stage::Ended && self.requests.is_empty() && self.awaited == [false; 2]
    }
    /// What is found out by now; complete once [`Event::Verdict`] has come.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }
    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> DiscoveryStats {
        self.stats
    }

    /// Ends because nothing more can be found out: what is not known by now has this reason.
    fn finish_unknown(&mut self, now: Instant, why: Unknown) {
        // What was said once holds.
        if self.stage != Stage::Ended {
            self.verdict.fill(why);
            self.finish(now);
        }
    }
    fn finish(&mut self, _now: Instant) {
        if self.stage == Stage::Ended {
            return;
        }
        let open = match self.stage {
            Stage::Opening { open, .. } => open,
            _ => [true; 2],
        };
        self.stage = Stage::Ended;
        let open_tries = self.round.take_in_flight();
        self.cancel(open_tries);
        self.requests.clear();
        if let Sockets::Bind(_) = self.config.sockets {
            for (local, _) in self.sockets.into_iter().zip(open).filter(|(_, open)| *open) {
                self.requests.push_back(release(local));
            }
        }
        self.events.push_back(Event::Verdict(Box::new(self.verdict)));
        self.events.push_back(Event::Closed);
    }
}
ginnel_core::machine!(impl [] Discovery { Event = Event; Data = (); } [requests]);

fn release(local: SocketAddr) -> Request {
    Request::Release { transport: Transport::Udp, local, remote: None }
}

/// Whether paths can be made of what the configuration names.
fn check(config: &DiscoveryConfig) -> Result<(), ConfigError> {
    let server = config.server;
    if server.port() == 0 || server.ip().is_unspecified() || server.ip().is_multicast() {
        return Err(ConfigError::Server);
    }
    let local = match config.sockets {
        Sockets::Bind(ip) => ip,
        Sockets::Given { first, second } => {
            if first == second || first.ip() != second.ip() {
                return Err(ConfigError::SameSocket);
            }
            first.ip()
        }
    };
    if local.is_unspecified() {
        return Err(ConfigError::Unspecified);
    }
    if local.is_ipv4() != server.is_ipv4() {
        return Err(ConfigError::Families);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
