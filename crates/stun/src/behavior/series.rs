//! A test as a series of tries, and several of them side by side: when each may be tried, and when silence is an answer.
//!
//! A missing answer may be filtered, or lost. So beside tests that may stay silent a *control* asks the same server in
//! a way that nothing filters. Of the share of its answers that go missing follows how likely it is that as many
//! tries as were made have all been lost: silence counts once that is less than one in a million, and until
//! [`max_tries`](super::DiscoveryConfig::max_tries) it is tried on.
//!
//! What comes from the server's other address may be lost more often than what the control asks for. So a silent test of
//! filtering is *measured* once nothing is filtered any more: does its answer come at all, and so often that its silence
//! was none of chance?

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{Instant, Path};

use super::asking::{Answer, MAX_IN_FLIGHT, Question};
use crate::client::RequestId;

/// Silence is taken for loss unless that is less likely than this, by what the control shows.
const DOUBT: f64 = 1e-6;
/// The same by what the test itself shows later: less strict, or the chance of one would often deny what the other showed.
const MEASURED_DOUBT: f64 = 1e-4;

/// The tests of RFC 5780, by what they ask whom from where. A1:P1 is the server, A2:P2 its OTHER-ADDRESS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// Section 4.2: the first socket asks A1:P1.
    Reach,
    /// The second socket asks A1:P1.
    ReachSecond,
    /// Section 4.4, test II: A2:P2 is to answer.
    FilterAddress,
    /// Section 4.4, test III: A1:P2 is to answer.
    FilterPort,
    /// Section 3.4: the first socket asks the second by its mapped address.
    Hairpin,
    /// The same the other way round, which also opens filters for it.
    HairpinBack,
    /// Section 3.5: a long request, and a long answer.
    Fragments,
    /// What nothing filters, again and again.
    Control,
    /// Section 4.3, test I, once more: like those below, from the second socket.
    MapAgain,
    /// It asks A1:P2.
    MapPort,
    /// Section 4.3, test II: it asks A2:P1.
    MapAddress,
    /// Section 4.3, test III: it asks A2:P2.
    MapBoth,
    /// Tests II and III of section 4.4 again, once everything is open: does the server do as asked, and how often is that
    /// lost?
    VerifyAddress,
    VerifyPort,
    /// Section 4.6: the first socket asks, and is idle from then on.
    Refresh,
    /// Section 4.6: the second socket asks for an answer to the first.
    Revive,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// By this answer, on this path, to a try that was made then.
    Answered { answer: Answer, came: Path, asked: Instant },
    /// By an error.
    Refused(u16),
    /// Our own request came back, from here.
    Returned(SocketAddr),
    /// By silence that is no loss.
    Silent,
    /// By silence that may be loss.
    Lossy,
}

#[derive(Debug)]
pub(super) struct Series {
    pub(super) test: Test,
    pub(super) question: Question,
    pub(super) outcome: Option<Outcome>,
    /// What a measured test was answered last.
    seen: Option<Outcome>,
    manner: Manner,
    /// Between two tries.
    gap: Duration,
    next: Instant,
    tries: u32,
    answered: u32,
    expired: u32,
    in_flight: Vec<Try>,
}
/// When it has been tried often enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Once it is answered.
    Expected,
    /// Once it is answered, or its silence can be told from loss by the control.
    Controlled,
    /// Once its own answers show that so many tries of the kind have not all been lost. Their path is another than that of
    /// the control, and may lose more.
    Measured(u32),
}
#[derive(Clone, Copy, Debug)]
struct Try {
    request: RequestId,
    asked: Instant,
    until: Instant,
}

/// Tests side by side. The next stage begins when all have ended.
#[derive(Debug, Default)]
pub(super) struct Round {
    series: Vec<Series>,
    pub(super) min_tries: u32,
    pub(super) max_tries: u32,
}

impl Round {
    pub(super) fn new(min_tries: u32, max_tries: u32) -> Self {
        Self { series: Vec::new(), min_tries, max_tries }
    }
    /// Adds a test that is sure to be answered, unless something is wrong: it is tried every `gap`.
    pub(super) fn expect(&mut self, now: Instant, test: Test, question: Question, gap: Duration) {
        self.add(now, test, question, gap, Manner::Expected);
    }
    /// Adds a test that may stay silent. It needs a control beside it.
    pub(super) fn try_out(&mut self, now: Instant, test: Test, question: Question) {
        self.add(now, test, question, Duration::ZERO, Manner::Controlled);
    }
    /// Adds a test that is tried until it is sure that so many tries have not all been lost.
    pub(super) fn measure(&mut self, now: Instant, test: Test, question: Question, silent: u32) {
        self.add(now, test, question, Duration::ZERO, Manner::Measured(silent));
    }
    fn add(&mut self, now: Instant, test: Test, question: Question, gap: Duration, manner: Manner) {
        self.series.push(Series {
            test,
            question,
            outcome: None,
            manner,
            seen: None,
            gap,
            next: now,
            tries: 0,
            answered: 0,
            expired: 0,
            in_flight: Vec::new(),
        });
    }
    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
    pub(super) fn outcome(&self, test: Test) -> Option<Outcome> {
        self.series.iter().find(|series| series.test == test)?.outcome
    }

    /// How often a test was tried.
    pub(super) fn tries(&self, test: Test) -> u32 {
        self.series.iter().find(|series| series.test == test).map_or(0, |series| series.tries)
    }

    /// Which test is to be tried now, if any may: the one that was tried least.
    pub(super) fn next_due(&self, now: Instant) -> Option<(Test, Question)> {
        let due = self.series.iter().filter(|series| series.next <= now && self.wants_try(series));
        due.min_by_key(|series| series.tries).map(|series| (series.test, series.question))
    }
    /// When a test may next be tried, if nothing ends before.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.series.iter().filter(|series| self.wants_try(series)).map(|series| series.next).min()
    }
    /// When the next try has waited long enough.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.series.iter().flat_map(|series| &series.in_flight).map(|it| it.until).min()
    }
    fn wants_try(&self, series: &Series) -> bool {
        if series.outcome.is_some() || self.in_flight() >= MAX_IN_FLIGHT {
            return false;
        }
        if series.test == Test::Control {
            // As often as the test that was tried most: no more, no less.
            let pending =
                self.series.iter().filter(|it| it.manner == Manner::Controlled && it.outcome.is_none());
            return pending.map(|it| it.tries).max().is_some_and(|tries| series.tries < tries);
        }
        if series.tries < self.min_tries {
            return true;
        }
        if series.tries >= self.max_tries {
            return false;
        }
        // More, if what is known by now leaves doubt.
        let waiting = |test| self.series.iter().any(|it| it.test == test && !it.in_flight.is_empty());
        match series.manner {
            Manner::Expected => false,
            Manner::Controlled => {
                !waiting(series.test) && !waiting(Test::Control) && !self.is_sure(series.tries)
            }
            Manner::Measured(silent) => !waiting(series.test) && !series.shows(silent, MEASURED_DOUBT),
        }
    }
    fn in_flight(&self) -> usize {
        self.series.iter().map(|series| series.in_flight.len()).sum()
    }

    /// A try was made.
    pub(super) fn on_asked(&mut self, now: Instant, test: Test, request: RequestId, until: Instant) {
        let Some(series) = self.series.iter_mut().find(|series| series.test == test) else { return };
        series.tries += 1;
        series.next = now + series.gap;
        series.in_flight.push(Try { request, asked: now, until });
    }
    /// Whether a test of this round has not ended yet.
    pub(super) fn is_open(&self, test: Test) -> bool {
        self.series.iter().any(|series| series.test == test && series.outcome.is_none())
    }
    /// What was asked was answered. Returns which test it was, when that was asked, and the tries that need no answer
    /// any more; `None` if it was no try of this round.
    pub(super) fn on_reply(
        &mut self,
        request: RequestId,
        outcome: impl FnOnce(Instant) -> Outcome,
    ) -> Option<(Test, Instant, Vec<RequestId>)> {
        let of = |series: &Series| series.in_flight.iter().position(|it| it.request == request);
        let (series, index) = self.series.iter_mut().find_map(|series| of(series).map(|at| (series, at)))?;
        let (test, asked) = (series.test, series.in_flight.remove(index).asked);
        let outcome = outcome(asked);
        let goes_on = match series.manner {
            _ if test == Test::Control => true,
            Manner::Measured(_) => matches!(outcome, Outcome::Answered { .. }),
            Manner::Expected | Manner::Controlled => false,
        };
        if goes_on {
            (series.answered, series.seen) = (series.answered + 1, Some(outcome));
            return Some((test, asked, Vec::new()));
        }
        Some((test, asked, self.end(test, outcome)))
    }
    /// Ends a test; returns the tries that need no answer any more.
    pub(super) fn end(&mut self, test: Test, outcome: Outcome) -> Vec<RequestId> {
        let Some(series) = self.series.iter_mut().find(|series| series.test == test) else {
            return Vec::new();
        };
        series.outcome = Some(outcome);
        series.in_flight.drain(..).map(|it| it.request).collect()
    }
    /// Drops a test that has become needless; returns its tries.
    pub(super) fn drop_test(&mut self, test: Test) -> Vec<RequestId> {
        let Some(index) =
            self.series.iter().position(|series| series.test == test && series.outcome.is_none())
        else {
            return Vec::new();
        };
        self.series.remove(index).in_flight.into_iter().map(|it| it.request).collect()
    }
    /// A try came to nothing.
    pub(super) fn on_failed(&mut self, request: RequestId) {
        for series in &mut self.series {
            let before = series.in_flight.len();
            series.in_flight.retain(|it| it.request != request);
            series.expired += u32::from(series.in_flight.len() < before);
        }
    }
    /// Takes all tries off that are still open: the round is over.
    pub(super) fn take_in_flight(&mut self) -> Vec<RequestId> {
        self.series.iter_mut().flat_map(|series| series.in_flight.drain(..)).map(|it| it.request).collect()
    }

    /// Gives up the tries that have waited long enough, and returns them.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<RequestId> {
        let mut gone = Vec::new();
        for series in &mut self.series {
            let before = gone.len();
            gone.extend(series.in_flight.iter().filter(|it| it.until <= now).map(|it| it.request));
            series.expired += u32::try_from(gone.len() - before).unwrap_or(u32::MAX);
            series.in_flight.retain(|it| it.until > now);
        }
        gone
    }
    /// Ends the tests whose silence has lasted long enough.
    pub(super) fn judge(&mut self) {
        let control_rests = self.control().is_none_or(|control| control.in_flight.is_empty());
        let silence = |it: &Series| {
            if it.test == Test::Control
                || it.outcome.is_some()
                || !it.in_flight.is_empty()
                || it.tries < self.min_tries
            {
                return None;
            }
            let at_end = it.tries >= self.max_tries;
            match it.manner {
                Manner::Expected => Some(Outcome::Lossy),
                Manner::Controlled if self.is_sure(it.tries) => Some(Outcome::Silent),
                Manner::Controlled => (at_end && control_rests).then_some(Outcome::Lossy),
                Manner::Measured(silent) if it.shows(silent, MEASURED_DOUBT) => it.seen,
                Manner::Measured(_) => {
                    at_end.then_some(if it.seen.is_none() { Outcome::Silent } else { Outcome::Lossy })
                }
            }
        };
        let ends: Vec<_> = self.series.iter().map(silence).collect();
        for (series, end) in self.series.iter_mut().zip(ends) {
            series.outcome = series.outcome.or(end);
        }
    }
    /// Whether all tests have ended.
    pub(super) fn is_over(&self) -> bool {
        self.series.iter().all(|series| series.test == Test::Control || series.outcome.is_some())
    }

    fn control(&self) -> Option<&Series> {
        self.series.iter().find(|series| series.test == Test::Control)
    }
    /// Whether that many lost tries in a row are too unlikely, by what the control shows of loss.
    fn is_sure(&self, tries: u32) -> bool {
        self.control().is_some_and(|control| control.shows(tries, DOUBT))
    }
}

impl Series {
    /// Whether that many lost tries in a row are too unlikely, by what this one shows of loss. Its share of answers that go
    /// missing is taken a little too high: one more is assumed to be lost.
    fn shows(&self, tries: u32, doubt: f64) -> bool {
        let loss = f64::from(self.expired + 1) / f64::from(self.expired + self.answered + 1);
        let mut all_lost = 1.0;
        for _ in 0..tries {
            all_lost *= loss;
        }
        all_lost <= doubt
    }
}
