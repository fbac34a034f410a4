//! The search for the lifetime of mappings (RFC 5780 section 4.6).
//!
//! ```text
//!  Refreshing: X asks A1:P1        Idle, for T        Reviving: Y asks A1:P1 to answer to X's mapped port
//!      |                                                |
//!      +-- answered --> T = 0, 10 s, 20 s, 40 s ... ----+-- X hears it: alive --> a longer T
//!                       then between the bounds         +-- silence, or Y hears it: expired --> a shorter T
//! ```
//!
//! With T = 0 it is seen whether the server can do it at all. In the end the same is asked twice behind one refresh, to see
//! whether what comes in keeps a mapping alive.

use core::time::Duration;

use ginnel_core::{Instant, Path};

use super::{
    Discovery, Event, Stage,
    asking::{Question, Wish},
    series::{Outcome, Round, Test},
    stages::{EXPECTED_TRIES, Kind},
    verdict::{Finding, Lifetime, RefreshDirection, Unknown},
};

use Finding::{Known, Unknown as Not};

/// A search is over after so many waits, however wide the interval still is.
const MAX_WAITS: u32 = 32;
/// Silence cannot be told from loss within less.
const FINEST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Search {
    goal: Goal,
    /// So long mappings live.
    alive: Duration,
    /// So long they do not.
    dead: Option<Duration>,
    /// How long the last silence took to show.
    span: Duration,
    waits: u32,
    /// The external port that is to be reached.
    port: u16,
    /// The first socket was last used between these two instants.
    used: (Instant, Instant),
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// Whether RESPONSE-PORT works: T = 0.
    Begin,
    /// The lifetime.
    Bounds(Duration),
    /// The first answer behind one refresh.
    Refreshed(Duration),
    /// The second one.
    RefreshedTwice,
}
impl Goal {
    const fn wait(self) -> Duration {
        match self {
            Self::Begin | Self::RefreshedTwice => Duration::ZERO,
            Self::Bounds(wait) | Self::Refreshed(wait) => wait,
        }
    }
}

impl Discovery {
    pub(super) fn begin_lifetime(&mut self, now: Instant) {
        if self.config.lifetime.is_none() {
            self.verdict.lifetime = Not(Unknown::NotAsked);
            return self.finish(now);
        }
        let Some(facts) = &self.facts else { return };
        if facts.mapped[0].ip() != facts.mapped[1].ip() {
            return self.end_lifetime(now, Not(Unknown::DifferentAddresses));
        }
        let (alive, dead, span) = (Duration::ZERO, None, Duration::ZERO);
        self.search =
            Some(Search { goal: Goal::Begin, alive, dead, span, waits: 0, port: 0, used: (now, now) });
        self.begin_refreshing(now);
    }

    fn begin_refreshing(&mut self, now: Instant) {
        let path = Path::udp(self.sockets[0], self.config.server);
        let question = Question { path, also: None, wish: Wish::Nothing };
        let mut round = Round::new(EXPECTED_TRIES, EXPECTED_TRIES);
        round.expect(now, Test::Refresh, question, self.patience());
        self.next_send = self.next_send.max(now);
        self.round = round;
        self.stage = Stage::Testing(Kind::Refreshing);
    }
    pub(super) fn conclude_refreshing(&mut self, now: Instant) {
        let outcome = self.round.outcome(Test::Refresh);
        let Some(search) = &mut self.search else { return };
        let Some(Outcome::Answered { answer, asked, .. }) = outcome else {
            return self.end_search(now, Unknown::TooLossy);
        };
        (search.port, search.used) = (answer.mapped.port(), (asked, now));
        let (wait, at_least, at_most) = (search.goal.wait(), search.alive, search.dead);
        if !wait.is_zero() {
            self.events.push_back(Event::Searching { at_least, at_most, wait });
        }
        self.stage = Stage::Idle { until: now + wait };
    }

    /// The wait is over.
    pub(super) fn begin_reviving(&mut self, now: Instant) {
        let Some(search) = &self.search else { return };
        let asked = Path::udp(self.sockets[1], self.config.server);
        let question = Question {
            path: asked,
            also: Some(Path { local: self.sockets[0], ..asked }),
            wish: Wish::ResponsePort(search.port),
        };
        let mut round = Round::new(self.config.min_tries(), self.config.max_tries());
        round.try_out(now, Test::Revive, question);
        round.expect(
            now,
            Test::Control,
            Question { also: None, wish: Wish::Nothing, ..question },
            Duration::ZERO,
        );
        self.next_send = self.next_send.max(now);
        self.round = round;
        self.stage = Stage::Testing(Kind::Reviving);
    }
    pub(super) fn conclude_reviving(&mut self, now: Instant) {
        let (outcome, first) = (self.round.outcome(Test::Revive), self.sockets[0]);
        let Some(search) = &mut self.search else { return };
        let is_alive = match outcome {
            Some(Outcome::Answered { came, asked, .. }) if came.local == first => Ok((true, asked)),
            // Section 4.6: it has expired, and the second socket was given its port.
            Some(Outcome::Answered { answer, asked, .. }) if answer.mapped.port() == search.port => {
                Ok((false, asked))
            }
            Some(Outcome::Answered { .. }) => Err(Unknown::ResponsePortIgnored),
            Some(Outcome::Refused(code)) => Err(Unknown::Refused(code)),
            Some(Outcome::Silent) => Ok((false, now)),
            _ => Err(Unknown::TooLossy),
        };
        match (search.goal, is_alive) {
            (_, Err(why)) => self.end_search(now, why),
            (Goal::Begin, Ok((false, _))) => self.end_search(now, Unknown::ResponsePortUnanswered),
            (Goal::Begin, Ok((true, _))) => self.next_wait(now),
            (Goal::Bounds(wait), Ok((alive, asked))) => {
                search.learn(now, wait, alive, asked);
                self.next_wait(now);
            }
            (Goal::Refreshed(wait), Ok((true, _))) => {
                search.goal = Goal::RefreshedTwice;
                self.stage = Stage::Idle { until: now + wait };
            }
            (Goal::Refreshed(_), Ok((false, _))) => self.end_search(now, Unknown::Unstable),
            (Goal::RefreshedTwice, Ok((alive, _))) => {
                let direction =
                    if alive { RefreshDirection::OutboundAndInbound } else { RefreshDirection::Outbound };
                self.end_with_bounds(now, Known(direction));
            }
        }
    }

    /// Decides what is to be known next, if anything.
    fn next_wait(&mut self, now: Instant) {
        let (Some(search), Some(config)) = (&mut self.search, self.config.lifetime) else { return };
        search.waits += 1;
        let (resolution, longest) = (config.resolution.max(FINEST), config.longest);
        let wait = match search.dead {
            None if search.alive >= longest => None,
            None => Some((search.alive * 2).clamp(config.shortest.min(longest), longest)),
            Some(dead) if dead.saturating_sub(search.alive) <= resolution => None,
            // So that both outcomes leave an interval of one width: silence shows only after its span.
            Some(dead) => {
                let half = dead.saturating_sub(search.alive).saturating_sub(search.span) / 2;
                Some(search.alive + half.max(Duration::from_secs(1)))
            }
        };
        match (wait, search.dead) {
            (Some(wait), _) if search.waits <= MAX_WAITS => {
                search.goal = Goal::Bounds(wait);
                self.begin_refreshing(now);
            }
            (_, None) => self.end_with_bounds(now, Not(Unknown::NeverExpired)),
            // A wait that it survives for sure, with time for lost tries, and twice does not.
            (_, Some(dead)) => {
                let wait = search.alive * 3 / 4;
                if wait * 2 < dead + Duration::from_secs(2) {
                    return self.end_with_bounds(now, Not(Unknown::TooCoarse));
                }
                search.goal = Goal::Refreshed(wait);
                self.begin_refreshing(now);
            }
        }
    }

    fn end_with_bounds(&mut self, now: Instant, refresh: Finding<RefreshDirection>) {
        let Some(search) = &self.search else { return };
        let lifetime = Lifetime { at_least: search.alive, at_most: search.dead, refresh };
        self.end_lifetime(now, Known(lifetime));
    }
    /// The search cannot go on. What it has found holds.
    fn end_search(&mut self, now: Instant, why: Unknown) {
        match &self.search {
            Some(search) if !search.alive.is_zero() || search.dead.is_some() => {
                self.end_with_bounds(now, Not(why));
            }
            _ => self.end_lifetime(now, Not(why)),
        }
    }
    fn end_lifetime(&mut self, now: Instant, lifetime: Finding<Lifetime>) {
        self.verdict.lifetime = lifetime;
        self.events.push_back(Event::Lifetime(lifetime));
        self.finish(now);
    }
}

impl Search {
    /// A wait has ended. A mapping that was reached was alive when that was asked for, counted from when it was surely
    /// used no more; one that was not had expired by now, counted from when it was last surely used.
    fn learn(&mut self, now: Instant, wait: Duration, alive: bool, asked: Instant) {
        let (earliest, latest) = self.used;
        if alive {
            self.alive = self.alive.max(asked.saturating_since(latest));
        } else {
            let dead = now.saturating_since(earliest);
            self.span = dead.saturating_sub(wait);
            self.dead = Some(self.dead.map_or(dead, |before| before.min(dead)));
        }
    }
}
