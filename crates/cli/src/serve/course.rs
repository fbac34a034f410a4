//! The way to the end: which signals and which reports of shards lead to which step. No I/O; the process around it does the steps.
//!
//! ```text
//!   serving --- signal ---> draining --- every shard has drained ---> closing --- every shard has ended
//!      |                                                                ^
//!      +------------------ a shard has ended by itself ------------------+
//! ```

use super::app::Report;

/// How far it is.
#[derive(Debug)]
pub(super) struct Course {
    phase: Phase,
    shards: Vec<Shard>,
    /// The first that ended though nobody had closed it.
    lost: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Until every shard has said that its last allocation is gone.
    Draining,
    /// Until every shard has ended.
    Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shard {
    Serves,
    Drained,
    Ended,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// No more allocations; those that there are may go on for a while.
    Drain,
    /// The last words of all streams.
    Close,
    /// With [`Course::outcome`].
    End,
    /// Whoever asks twice does not want to wait.
    EndAtOnce,
    /// What was waited for does not come.
    GiveUp,
}

impl Course {
    pub(super) fn new(shards: usize) -> Self {
        Self { phase: Phase::Serving, shards: vec![Shard::Serves; shards], lost: None }
    }

    /// SIGTERM or SIGINT.
    pub(super) fn asked_to_end(&mut self) -> Step {
        match self.phase {
            Phase::Serving => self.enter(Phase::Draining, Step::Drain),
            Phase::Draining | Phase::Closing => Step::EndAtOnce,
        }
    }

    /// What a shard says.
    ///
    /// One that ends by itself takes its clients' relays with it, and nobody can bring it back. Nor do the others serve on: the
    /// system deals all clients out anew among the sockets that are left, so that many come to a shard that does not know
    /// them. All of them are back soonest if the program ends, and a supervisor starts it again.
    pub(super) fn reported(&mut self, report: Report) -> Step {
        let (number, is) = match report {
            Report::Drained(number) => (number, Shard::Drained),
            Report::Ended(number) => (number, Shard::Ended),
        };
        if let Some(shard) = self.shards.get_mut(number).filter(|shard| **shard != Shard::Ended) {
            *shard = is;
        }
        if is == Shard::Ended && self.phase != Phase::Closing {
            self.lost.get_or_insert(number);
        }
        match self.phase {
            _ if self.shards.iter().all(|shard| *shard == Shard::Ended) => Step::End,
            Phase::Serving if self.lost.is_some() => self.enter(Phase::Closing, Step::Close),
            Phase::Draining if !self.shards.contains(&Shard::Serves) => {
                self.enter(Phase::Closing, Step::Close)
            }
            _ => Step::Nothing,
        }
    }

    /// The time for draining is over and some shard has not said that it has drained, or that for closing.
    pub(super) fn late(&mut self) -> Step {
        match self.phase {
            Phase::Draining => self.enter(Phase::Closing, Step::Close),
            Phase::Serving | Phase::Closing => Step::GiveUp,
        }
    }

    const fn enter(&mut self, phase: Phase, step: Step) -> Step {
        self.phase = phase;
        step
    }

    /// Whether this shard has ended though nobody had closed it.
    pub(super) fn is_lost(&self, report: Report) -> bool {
        matches!(report, Report::Ended(_)) && self.phase != Phase::Closing
    }

    /// How it has ended.
    pub(super) fn outcome(&self) -> Result<(), String> {
        match self.lost {
            None => Ok(()),
            Some(shard) => Err(format!(
                "shard {shard} has ended by itself, which is a fault of this program: start it again, and tell us what it said"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Report::{Drained, Ended};

    fn after(course: &mut Course, reports: &[Report]) -> Vec<Step> {
        reports.iter().map(|report| course.reported(*report)).collect()
    }

    #[test]
    fn a_signal_drains_then_closes_then_ends() {
        let mut course = Course::new(2);
        assert_eq!(course.asked_to_end(), Step::Drain);
        let steps = after(&mut course, &[Drained(1), Drained(0), Ended(0), Ended(1)]);
        assert_eq!(steps, [Step::Nothing, Step::Close, Step::Nothing, Step::End]);
        assert_eq!(course.outcome(), Ok(()));
    }

    #[test]
    fn a_second_signal_ends_it_at_once() {
        let mut course = Course::new(1);
        assert_eq!(course.asked_to_end(), Step::Drain);
        assert_eq!(course.asked_to_end(), Step::EndAtOnce);
        course.reported(Drained(0));
        assert_eq!(course.asked_to_end(), Step::EndAtOnce);
    }

    #[test]
    fn a_shard_that_ends_by_itself_ends_the_others() {
        let mut course = Course::new(3);
        assert!(course.is_lost(Ended(1)) && !course.is_lost(Drained(1)));
        assert_eq!(course.reported(Ended(1)), Step::Close);
        assert_eq!(after(&mut course, &[Ended(2), Ended(0)]), [Step::Nothing, Step::End]);
        assert!(course.outcome().unwrap_err().contains("shard 1 has ended by itself"));
    }

    #[test]
    fn the_only_shard_that_ends_by_itself_is_the_end() {
        let mut course = Course::new(1);
        assert_eq!(course.reported(Ended(0)), Step::End);
        assert!(course.outcome().is_err());
    }

    /// One that hangs keeps nobody from ending the program.
    #[test]
    fn what_does_not_come_is_not_waited_for_without_end() {
        let mut course = Course::new(2);
        course.asked_to_end();
        course.reported(Drained(0));
        assert_eq!(course.late(), Step::Close);
        assert_eq!(course.reported(Ended(0)), Step::Nothing);
        assert_eq!(course.late(), Step::GiveUp);
    }

    /// Nobody will start it again, so calls that still go on have their time.
    #[test]
    fn a_shard_that_ends_while_it_drains_is_waited_for_no_longer() {
        let mut course = Course::new(2);
        course.asked_to_end();
        assert_eq!(
            after(&mut course, &[Ended(0), Drained(1), Ended(1)]),
            [Step::Nothing, Step::Close, Step::End]
        );
        assert!(course.outcome().unwrap_err().contains("shard 0"));
    }
}
