//! Finds the addresses behind `<uuid>.local` host candidates, by multicast DNS.
//!
//! Browsers hide the addresses of a host from web pages: they offer a random name in their place, and answer for it on the local
//! link. This is the other half: RFC 6762 as a querier of addresses, for draft-ietf-mmusic-mdns-ice-candidates section 3.2.
//!
//! # The machine
//!
//! [`Querier`] is a [`Machine`](ginnel_core::Machine), with requests:
//!
//! | kind | verb | |
//! |---|---|---|
//! | command | [`resolve`](Querier::resolve), [`cancel`](Querier::cancel) | begin and end a question |
//! | tell | [`handle_input`](Querier::handle_input) | what came in on its sockets; what came on others is `Foreign` |
//! | tell | [`handle_timeout`](Querier::handle_timeout), [`handle_notice`](Querier::handle_notice), [`close`](Querier::close) | as the [contract](ginnel_core) has them |
//! | ask | [`poll_transmit`](Querier::poll_transmit) | queries, several names in each |
//! | ask | [`poll_request`](Querier::poll_request) | binds 224.0.0.251:5353 when the first name is asked for, and gives it back |
//! | ask | [`poll_event`](Querier::poll_event), [`poll_timeout`](Querier::poll_timeout), [`is_closed`](Querier::is_closed), [`stats`](Querier::stats) | |
//!
//! After any command or tell: [`ginnel_core::settle`], or the same in your own words.
//!
//! ```
//! use ginnel_core::{Instant, Notice, Packet, Path, Receive, Request, Seed};
//! use ginnel_ice::mdns::{Config, Event, HostName, MessageWriter, Querier};
//!
//! let (now, mut buf) = (Instant::EPOCH, [0; 2048]);
//! let mut querier = Querier::new(Config::default(), Seed::new([7; 32]));
//! let name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
//! let asked = querier.resolve(now, name)?;
//!
//! let Some(Request::Bind { ticket, ip, .. }) = querier.poll_request() else { panic!() };
//! let group = (ip, 5353).into(); // the driver binds it, shared, and joins the group
//! querier.handle_notice(now, Notice::Opened { ticket, result: Ok(group) });
//! let query = querier.poll_transmit(now, &mut Packet::empty(&mut buf)).unwrap();
//! assert_eq!(query.path.remote, group);
//!
//! let mut packet = Packet::empty(&mut buf); // what the browser answers
//! let host = HostName::parse(name)?;
//! MessageWriter::response(&mut packet).unwrap().address(host, [192, 0, 2, 7].into(), 120, true).unwrap();
//! let path = Path::udp(group, "192.0.2.7:5353".parse().unwrap());
//! let _ = querier.handle_input(now, &mut Receive::new(path, packet));
//! assert!(matches!(querier.poll_event(), Some(Event::Resolved { id, .. }) if id == asked));
//! # Ok::<(), ginnel_ice::mdns::NameError>(())
//! ```
//!
//! # What is left out
//!
//! - The responder that hides our own addresses; [`Message`] and [`MessageWriter`] are for it too, and queries that come in
//!   are `Foreign`, so that it can be offered them.
//! - Known-answer lists (RFC 6762 section 7.1): they are for shared records, and for a name with an answer nothing is asked.
//! - Keeping answers fresh (section 5.2): an address is wanted once, for a candidate.
//! - The on-link check of unicast responses (section 11): which prefixes are on the link is known to neither a machine nor
//!   its driver here. What it protects is little: a forger must know the random name, and whoever does had it from the
//!   signalling channel, through which any address can be offered as a candidate anyway.

mod config;
mod event;
#[doc(hidden)]
pub mod fuzz;
mod name;
mod query;
mod socket;
#[cfg(test)]
mod tests;
mod wire;

use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::time::Duration;

use ginnel_core::{
    Handled, Instant, Notice, Packet, Path, Receive, Refused, Request, Rng, Seed, Transmit, Transport, Wake,
};

pub use config::{Config, MAX_NAMES};
pub use event::{Event, FailureReason, QueryId, Stats};
pub use name::{HostName, NameError};
use query::{Known, Phase, Query, Seen};
use socket::{Family, PORT, Socket};
pub use wire::{
    Fault, Kind, MAX_MESSAGE, MAX_WRITTEN, Message, MessageWriter, Name, ParseError, Question, Record,
};

/// Resolves names of the local link. See the [module](self).
#[derive(Debug)]
pub struct Querier {
    config: Config,
    rng: Rng,
    next_id: u64,
    /// At most `max_names`: those being asked for.
    queries: Vec<Query>,
    /// At most `max_names`: those that were answered.
    known: Vec<Known>,
    sockets: [Socket; 2],
    events: VecDeque<Event>,
    /// When the sockets are given back, while there are no queries.
    linger: Option<Instant>,
    life: Life,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    /// Until the driver has its sockets back.
    Closing,
    Closed,
}

impl Querier {
    /// A querier without sockets or questions. `seed` is for the delays of [`Config::delay_first`].
    #[must_use]
    pub fn new(config: Config, seed: Seed) -> Self {
        Self {
            config,
            rng: seed.into_rng(),
            next_id: 0,
            queries: Vec::new(),
            known: Vec::new(),
            sockets: Family::BOTH.map(Socket::new),
            events: VecDeque::new(),
            linger: None,
            life: Life::Running,
            stats: Stats::default(),
        }
    }

    /// Begins to resolve a name; an [`Event`] with this id will say how it went.
    ///
    /// A name that was answered is resolved from memory while its TTL lasts. Two questions for one name go out as one. With
    /// [`Config::max_names`] others on their way it fails at once, by an event; after [`Querier::close`] there is no event.
    ///
    /// # Errors
    ///
    /// [`NameError`] if the name is not to be asked for; then nothing has happened. Ignore the candidate.
    pub fn resolve(&mut self, now: Instant, name: &str) -> Result<QueryId, NameError> {
        let host = HostName::parse(name)?;
        if self.config.uuid_only && !host.is_uuid() {
            return Err(NameError::NotUuid);
        }
        let id = QueryId(self.next_id);
        self.next_id += 1;
        if self.life != Life::Running {
            return Ok(id);
        }
        self.known.retain(|known| now < known.expires);
        if let Some(known) = self.known.iter().find(|known| known.is(name)) {
            self.stats.remembered += 1;
            self.events.push_back(Event::Resolved { id, name: name.into(), ip: known.ip });
        } else if self.queries.len() >= self.config.max_names {
            self.fail(id, name.into(), FailureReason::TooManyNames);
        } else {
            self.queries.push(Query::new(id, name.into(), now + self.config.socket_patience));
            self.linger = None;
            self.want_sockets();
            self.start(now);
        }
        Ok(id)
    }

    /// Forgets a question. Unless its event is waiting to be polled already, there will be none.
    pub fn cancel(&mut self, now: Instant, id: QueryId) {
        self.queries.retain(|query| query.id != id);
        self.rest(now);
    }

    /// How many names are being asked for.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queries.len()
    }

    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// One arrival. `Foreign`: from another socket than this querier's, or a query, which is a responder's business.
    pub fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        if self.life != Life::Running || !self.sockets.iter().any(|s| s.local() == Some(input.path.local)) {
            return Handled::Foreign;
        }
        let Ok(message) = Message::parse(input.packet.bytes()) else {
            self.stats.malformed += 1;
            return Handled::Consumed;
        };
        if !message.is_response() {
            return Handled::Foreign;
        }
        // RFC 6762 section 6: responses from another port MUST be ignored.
        if input.path.remote.port() != PORT || !message.is_plain() {
            self.stats.ignored += 1;
            return Handled::Consumed;
        }
        self.stats.responses += 1;
        self.read(now, &message);
        self.conclude(now);
        Handled::Consumed
    }

    /// Fires what is due: the next question of a series, its end, or giving the sockets back.
    pub fn handle_timeout(&mut self, now: Instant) {
        let open = self.open();
        let mut i = 0;
        while let Some(query) = self.queries.get_mut(i) {
            match query.phase {
                Phase::Opening { until } if until <= now => {
                    let query = self.queries.remove(i);
                    self.fail(query.id, query.name, FailureReason::NoSocket(Refused::TimedOut));
                    continue;
                }
                Phase::Delayed { until } if until <= now => {
                    (query.phase, query.to) = (Phase::Due { asked: 0 }, open);
                }
                Phase::Asked { asked, until } if until <= now && self.config.is_last(asked) => {
                    let query = self.queries.remove(i);
                    self.fail(query.id, query.name, FailureReason::NoAnswer);
                    continue;
                }
                Phase::Asked { asked, until } if until <= now => {
                    (query.phase, query.to) = (Phase::Due { asked }, open);
                }
                Phase::Opening { .. } | Phase::Delayed { .. } | Phase::Due { .. } | Phase::Asked { .. } => {}
            }
            i += 1;
        }
        if self.linger.is_some_and(|at| at <= now) {
            self.linger = None;
            self.sockets.iter_mut().for_each(Socket::release);
        }
        self.rest(now);
    }

    /// News of the sockets.
    pub fn handle_notice(&mut self, now: Instant, notice: Notice) {
        match notice {
            Notice::Opened { ticket, result } => {
                let Some(socket) = self.sockets.iter_mut().find(|socket| socket.owns(ticket)) else { return };
                let before = socket.local();
                socket.opened(result);
                if before != socket.local() {
                    let bit = socket.family.bit();
                    // One that opens late asks what the other has asked already.
                    let asked = |q: &&mut Query| matches!(q.phase, Phase::Due { .. } | Phase::Asked { .. });
                    self.queries.iter_mut().filter(asked).for_each(|query| query.to |= bit);
                }
                self.start(now);
            }
            Notice::Lost { transport: Transport::Udp, local, remote: None } => {
                if !self.sockets.iter_mut().any(|socket| socket.lost(local)) {
                    return;
                }
                self.lost(now);
            }
            // A group that nobody hears is no error: what is not answered times out.
            Notice::Lost { .. }
            | Notice::Accepted { .. }
            | Notice::Spliced { .. }
            | Notice::Unreachable { .. } => {}
        }
        self.finish();
    }

    /// Writes a query with all names that are due, as far as they fit; the others go into the next.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let (family, local) = self.sockets.iter().find_map(|socket| {
            let waiting = self.queries.iter().any(|query| query.to & socket.family.bit() != 0);
            Some((socket.family, socket.local().filter(|_| waiting)?))
        })?;
        let (bit, mut writer) = (family.bit(), MessageWriter::query(packet).ok()?);
        let (mut end, mut questions) = (0, 0);
        for query in &self.queries {
            let mut before = self.queries[..end].iter();
            // Of two queries for one name the first one's question stands for both.
            let stands =
                query.to & bit == 0 || before.any(|other| other.to & bit != 0 && other.is(&query.name));
            if let (false, Ok(host)) = (stands, HostName::parse(&query.name)) {
                let unicast = self.config.unicast_response && query.phase == Phase::Due { asked: 0 };
                if writer.question(host, &KINDS, unicast).is_err() {
                    break;
                }
                questions += KINDS.len() as u64;
            }
            end += 1;
        }
        if questions == 0 {
            return None; // the caller's buffer holds not even one
        }
        let written = self.queries[..end].iter_mut().filter(|query| query.to & bit != 0);
        written.for_each(|query| query.written(family, now, &self.config));
        self.stats.questions += questions;
        self.stats.queries += 1;
        Some(Transmit::to(Path::udp(local, family.group())))
    }

    /// The next socket to open or to give back.
    pub fn poll_request(&mut self) -> Option<Request> {
        let request = self.sockets.iter_mut().find_map(Socket::poll_request);
        self.finish();
        request
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Querier::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        let queries = self.queries.iter().map(|query| query.phase.wake());
        Wake::soonest(queries.chain([self.linger.map(|at| Wake::new(at, "mdns: give sockets back"))]))
    }

    /// Forgets all questions, without an event for each, and gives the sockets back. [`Event::Closed`] comes last.
    pub fn close(&mut self, _now: Instant) {
        if self.life != Life::Running {
            return;
        }
        self.life = Life::Closing;
        self.linger = None;
        self.queries.clear();
        self.known.clear();
        self.sockets.iter_mut().for_each(Socket::release);
        self.finish();
    }

    /// Whether the driver has all sockets back.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.life == Life::Closed
    }

    /// Notes for each name which addresses the message gives it.
    fn read(&mut self, now: Instant, message: &Message<'_>) {
        for record in message.records().take(MAX_RECORDS) {
            let Some(ip) = record.address().map(|ip| ip.to_canonical()) else { continue };
            if ip.is_unspecified() || ip.is_multicast() || ip == core::net::Ipv4Addr::BROADCAST {
                self.stats.bad_addresses += 1;
                continue;
            }
            if record.ttl == 0 {
                // RFC 6762 section 10.1: a goodbye takes effect a second later.
                for known in self.known.iter_mut().filter(|k| k.ip == ip && record.name.is(&k.name)) {
                    known.expires = known.expires.min(now + GOODBYE);
                }
                continue;
            }
            let lifetime = Duration::from_secs(record.ttl.into()).min(MAX_TTL);
            let seen = Seen::One { ip, expires: now + lifetime, flush: record.flush };
            let queries = self.queries.iter_mut().map(|query| (&query.name, &mut query.seen));
            let known = self.known.iter_mut().map(|known| (&known.name, &mut known.seen));
            for (_, place) in queries.chain(known).filter(|(name, _)| record.name.is(name)) {
                place.and(seen);
            }
        }
    }

    /// Ends the queries that `read` found an answer for, and brings the memory up to date.
    fn conclude(&mut self, now: Instant) {
        self.known.retain_mut(Known::update);
        let mut i = 0;
        while let Some(query) = self.queries.get(i) {
            match query.seen {
                Seen::Nothing => i += 1,
                Seen::Several => {
                    let query = self.queries.remove(i);
                    self.fail(query.id, query.name, FailureReason::SeveralAddresses);
                }
                Seen::One { ip, expires, .. } => {
                    let Query { id, name, .. } = self.queries.remove(i);
                    self.stats.resolved += 1;
                    self.remember(Known::new(name.clone(), ip, expires));
                    self.events.push_back(Event::Resolved { id, name, ip });
                }
            }
        }
        self.rest(now);
    }

    /// Keeps an answer, in the place of the one that is soonest out of date if there are too many.
    fn remember(&mut self, known: Known) {
        self.known.retain(|other| !other.is(&known.name));
        if self.known.len() >= self.config.max_names {
            let oldest = self.known.iter().enumerate().min_by_key(|(_, known)| known.expires).map(|(i, _)| i);
            if let Some(oldest) = oldest {
                self.known.swap_remove(oldest);
            }
        }
        self.known.push(known);
    }

    fn fail(&mut self, id: QueryId, name: String, reason: FailureReason) {
        self.stats.failed += 1;
        self.events.push_back(Event::Failed { id, name, reason });
    }

    fn want_sockets(&mut self) {
        let wanted = [self.config.ipv4, self.config.ipv6];
        // One that was refused is tried again only when nothing else is open: not for every name.
        let stuck = self.sockets.iter().all(|s| s.local().is_none() && !s.is_opening());
        for (socket, _) in self.sockets.iter_mut().zip(wanted).filter(|(_, wanted)| *wanted) {
            if stuck || socket.refused().is_none() {
                socket.want();
            }
        }
    }

    /// The families whose sockets are open.
    fn open(&self) -> u8 {
        self.sockets.iter().filter(|s| s.local().is_some()).fold(0, |set, s| set | s.family.bit())
    }

    /// Begins the series of those that waited for a socket; or fails them, if none will come.
    fn start(&mut self, now: Instant) {
        let open = self.open();
        if open != 0 {
            for query in self.queries.iter_mut().filter(|q| matches!(q.phase, Phase::Opening { .. })) {
                if self.config.delay_first {
                    let delay = self.rng.between(LEAST_DELAY, MOST_DELAY);
                    query.phase = Phase::Delayed { until: now + delay };
                } else {
                    (query.phase, query.to) = (Phase::Due { asked: 0 }, open);
                }
            }
        } else if !self.sockets.iter().any(Socket::is_opening) {
            let why = self.sockets.iter().find_map(Socket::refused).unwrap_or(Refused::Unsupported);
            for query in core::mem::take(&mut self.queries) {
                self.fail(query.id, query.name, FailureReason::NoSocket(why));
            }
        }
    }

    /// A socket went away: what no other carries waits for a new one.
    fn lost(&mut self, now: Instant) {
        if self.life != Life::Running || self.queries.is_empty() {
            return self.rest(now);
        }
        let (open, until) = (self.open(), now + self.config.socket_patience);
        for query in &mut self.queries {
            query.to &= open;
            match query.phase {
                _ if open == 0 => query.phase = Phase::Opening { until },
                // What was due went out through the other socket already.
                Phase::Due { asked } if query.to == 0 => query.phase = Phase::asked(asked, now, &self.config),
                _ => {}
            }
        }
        self.want_sockets();
    }

    /// With nothing to ask, begins to wait before the sockets are given back.
    fn rest(&mut self, now: Instant) {
        let in_use = self.sockets.iter().any(|socket| socket.local().is_some() || socket.is_opening());
        if !in_use || !self.queries.is_empty() {
            self.linger = None;
        } else if self.linger.is_none() && self.life == Life::Running {
            self.linger = Some(now + self.config.linger);
        }
    }

    /// Says that all is over, once it is.
    fn finish(&mut self) {
        if self.life == Life::Closing && self.sockets.iter().all(Socket::is_closed) {
            self.life = Life::Closed;
            self.events.push_back(Event::Closed);
        }
    }
}

ginnel_core::machine!(impl [] Querier { Event = Event; Data = (); } [requests]);

/// What is asked for each name: whichever family its address has.
const KINDS: [Kind; 2] = [Kind::A, Kind::AAAA];
/// The records of a message that are looked at: a host that hides its addresses has one for each name.
const MAX_RECORDS: usize = 128;
/// RFC 6762 section 10.1.
const GOODBYE: Duration = Duration::from_secs(1);
/// RFC 6762 section 10: what records with a host name in them last for. None is believed for longer.
const MAX_TTL: Duration = Duration::from_secs(120);
/// RFC 6762 section 5.2.
const LEAST_DELAY: Duration = Duration::from_millis(20);
/// RFC 6762 section 5.2.
const MOST_DELAY: Duration = Duration::from_millis(120);
