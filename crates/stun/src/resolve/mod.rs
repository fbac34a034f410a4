//! Where the servers of a URI are: DNS discovery for STUN (RFC 8489 section 8) and TURN (RFC 5928, with RFC 7350 section
//! 4.6.2 for DTLS), as a machine that asks its questions by event.
//!
//! ```text
//!  the URI has   an address       a port        a transport, or is STUN's      nothing (TURN)
//!  RFC 5928          |              |                    |                          |
//!  section 3       step 1         step 2              step 3, 5       none        step 4
//!                    |              |                    |      <------------   NAPTR of host <---+
//!                    |              |             SRV _service._proto.host          |     |  |   | flag ""
//!                    |              |                 |          | none        "S"  |     |  +---+
//!                    |              |          target | port     |      SRV of  <---+     | "A"
//!                    |              +-----> A and AAAA of target or host <----------------+
//!                    v                                |
//!               candidates  <-------------------------+
//! ```
//!
//! Who drives it asks the DNS in any way: with a stub resolver, with a library, over HTTPS. Answers may come in any order,
//! or not at all. A candidate is an event as soon as it is known and its turn has come; one that waits for a better one waits
//! [`attempt_delay`](ResolverConfig::attempt_delay) and no longer, so a name that never resolves delays nothing else. Whoever
//! wants the exact order at the price of waiting sorts by [`Candidate::rank`].
//! Left out on purpose: DNSSEC and DANE, so what the DNS says is believed as far as TLS and credentials then show it; caching
//! by time to live, which is the DNS resolver's; the destination addresses' order of RFC 6724, which needs routing tables: the
//! families are interleaved, IPv6 first (RFC 8305 section 4). A server that sends 437, 486 or 508 has to be remembered by the
//! TURN client.

mod config;
mod event;
pub(crate) mod fuzz;
mod plan;
mod rank;
mod record;
mod search;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::{fmt, net::SocketAddr};

use ginnel_core::{
    Handled, HostName, Instant, Packet, Receive, Rng, Seed, Ticket, Transmit, Transport, Wake,
};

pub use config::ResolverConfig;
pub use event::{
    AnswerError, Candidate, Event, Failure, FailureReason, FinishReason, Finished, Question, RecordKind,
    ResolveError,
};
use plan::Plan;
pub use rank::Rank;
use record::Answer;
pub use record::{Naptr, Record, Srv};
use search::{Purpose, Step};

use crate::uri::Uri;

/// Through how many names NAPTR records may lead. Remote hosting (RFC 5928 section 4.2) takes three.
pub const HOPS_MAX: usize = 8;
/// The most steps of one search. Answers are kept, so records in a circle cost no questions; they cost steps.
pub const STEPS_MAX: usize = 512;
/// The most records of one answer that any configuration takes.
const RECORDS_MAX: usize = 100;

/// One search for the servers of one URI.
///
/// | kind | verbs |
/// |---|---|
/// | tell | [`answer`](Self::answer), [`handle_timeout`](Self::handle_timeout), [`close`](Self::close) |
/// | ask | [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed) |
/// | look | [`stats`](Self::stats) |
///
/// After each tell drain the events; when `poll_timeout` is due call `handle_timeout`. It sends and receives nothing itself
/// ([`handle_input`](Self::handle_input) and [`poll_transmit`](Self::poll_transmit) are there for the contract of
/// [`ginnel_core`]). A search is for one allocation or one exchange and is then dropped (RFC 5928 section 3).
///
/// ```
/// use ginnel_core::{Instant, Seed};
/// use ginnel_stun::{resolve::{Event, Record, RecordKind, Resolver, ResolverConfig, Srv}, uri::Uri};
///
/// let uri = Uri::parse("turn:example.org?transport=udp")?;
/// let now = Instant::EPOCH; // in production: the driver's
/// let mut resolver = Resolver::new(now, &uri, &ResolverConfig::default(), Seed::new([7; 32]))?;
/// let mut found = Vec::new();
/// while let Some(event) = resolver.poll_event() {
///     match event {
///         // Here a table; in production a DNS resolver, whose answers may come much later.
///         Event::Question(question) => match (question.name.as_str(), question.kind) {
///             ("_turn._udp.example.org", RecordKind::Srv) => {
///                 let srv = Srv { priority: 0, weight: 0, port: 5000, target: "a.example.org." };
///                 resolver.answer(now, question.ticket, Ok(&[Record::Srv(srv)]));
///             }
///             ("a.example.org", RecordKind::A) => {
///                 resolver.answer(now, question.ticket, Ok(&[Record::A([192, 0, 2, 1].into())]));
///             }
///             _ => resolver.answer(now, question.ticket, Ok(&[])),
///         },
///         Event::Candidate(server) => found.push(format!("{} {}", server.transport, server.address)),
///         Event::Failed(failure) => assert_eq!(failure.to_string(), "AAAA a.example.org: no such records"),
///         _ => {}
///     }
/// }
/// assert_eq!(found, ["udp 192.0.2.1:5000"]);
/// assert!(resolver.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Resolver {
    plan: Plan,
    config: ResolverConfig,
    rng: Rng,
    deadline: Instant,
    /// Each question once; its number is its ticket.
    questions: Vec<Asked>,
    /// What is waited for and what is found, in order of preference.
    steps: BTreeMap<Rank, Step>,
    /// Steps whose answer is known already. Empty between the verbs.
    work: VecDeque<(Rank, Purpose, usize)>,
    /// How many steps there were.
    taken: usize,
    /// What was found, so that nothing comes twice.
    seen: BTreeSet<(Transport, SocketAddr)>,
    /// Bounded by the steps (each one question or failure, and one failure more for its answer) and the candidates.
    events: VecDeque<Event>,
    finished: bool,
    stats: Stats,
}

/// A question, and what became of it.
struct Asked {
    name: HostName,
    kind: RecordKind,
    state: AskedState,
}

enum AskedState {
    Waiting { until: Instant },
    Answered(Answer),
}

/// Counters of one search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Questions that were asked.
    pub questions: u64,
    /// Candidates that were found.
    pub candidates: u64,
    /// Candidates that were found again by another way.
    pub duplicates: u64,
    /// Candidates and steps that a bound cut off.
    pub cut_off: u64,
    /// Answers to what was not asked, or not any more.
    pub ignored_answers: u64,
    /// Records of answers that were of another kind or service, malformed, or too many.
    pub ignored_records: u64,
}

impl Resolver {
    /// Begins a search: the first questions, or for a URI with an address the candidates, are in the events at once.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] if the URI cannot be resolved with what the application supports (RFC 5928 section 3).
    pub fn new(
        now: Instant,
        uri: &Uri<'_>,
        config: &ResolverConfig,
        seed: Seed,
    ) -> Result<Self, ResolveError> {
        let (plan, start) = Plan::new(uri, config)?;
        let mut resolver = Self {
            plan,
            rng: seed.fork("stun: srv").into_rng(),
            deadline: now + config.deadline,
            config: config.clone(),
            questions: Vec::new(),
            steps: BTreeMap::new(),
            work: VecDeque::new(),
            taken: 0,
            seen: BTreeSet::new(),
            events: VecDeque::new(),
            finished: false,
            stats: Stats::default(),
        };
        resolver.begin(now, start);
        resolver.go_on(now);
        Ok(resolver)
    }

    /// The answer to a [`Question`]: its records, of which there may be none, or why there is no answer. It counts once; a
    /// ticket that is not waited for is ignored and counted.
    pub fn answer(&mut self, now: Instant, ticket: Ticket, answer: Result<&[Record<'_>], AnswerError>) {
        let number = usize::try_from(ticket.0).unwrap_or(usize::MAX);
        let waiting = self.questions.get(number).filter(|asked| asked.is_waiting());
        let (Some(asked), false) = (waiting, self.finished) else {
            self.stats.ignored_answers += 1;
            return;
        };
        let answer = match answer {
            Ok(records) => {
                let max = self.config.max_records.min(RECORDS_MAX);
                let (answer, ignored) = record::check(asked.kind, records, max, &mut self.rng);
                self.stats.ignored_records += ignored;
                answer
            }
            Err(error) => Answer::Nothing(FailureReason::Dns(error)),
        };
        self.settle_question(number, answer);
        self.go_on(now);
    }

    /// Gives up questions that were not answered in time, and yields what has waited long enough for a better one.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.finished {
            return;
        }
        if now >= self.deadline {
            self.give_up();
            return;
        }
        for number in 0..self.questions.len() {
            if matches!(self.questions[number].state, AskedState::Waiting { until } if until <= now) {
                self.settle_question(number, Answer::Nothing(FailureReason::TimedOut));
            }
        }
        self.go_on(now);
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When something is given up, or a candidate has waited long enough.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        if self.finished {
            return None;
        }
        let answers = self.questions.iter().filter_map(|asked| match asked.state {
            AskedState::Waiting { until } => Some(Wake::new(until, "resolve: answer")),
            AskedState::Answered(_) => None,
        });
        let turn = self.next_turn().map(|at| Wake::new(at, "resolve: next candidate"));
        answers.chain(turn).chain([Wake::new(self.deadline, "resolve: deadline")]).min()
    }

    /// Ends the search: [`Event::Finished`] is the last event, and late answers are ignored.
    pub fn close(&mut self, _now: Instant) {
        if !self.finished {
            self.steps.clear();
            self.finish(FinishReason::Closed);
        }
    }

    /// Whether it has ended. Events may be left to be polled.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.finished
    }

    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Nothing that arrives is a resolver's: its answers come by [`answer`](Self::answer).
    pub fn handle_input(&mut self, _now: Instant, _input: &mut Receive<'_>) -> Handled {
        Handled::Foreign
    }

    /// Nothing: its questions are events.
    pub fn poll_transmit(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
}
ginnel_core::machine!(impl [] Resolver { Event = Event; Data = (); });

/// Numbers alone: names are whom the user talks to.
impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("questions", &self.questions.len())
            .field("steps", &self.steps.len())
            .field("finished", &self.finished)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
