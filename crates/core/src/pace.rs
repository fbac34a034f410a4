//! How fast joined streams may go.

use core::{num::NonZeroU32, time::Duration};

use crate::Instant;

/// At most so many octets a second in each direction of two [joined](crate::Request::Splice) streams, or of all that share it.
///
/// ```
/// use core::num::NonZeroU32;
/// use ginnel_core::StreamRate;
///
/// let megabit = StreamRate { octets_per_second: NonZeroU32::new(125_000).unwrap(), shared: Some(7) };
/// assert_eq!(megabit.shared, Some(7)); // all streams that are joined with a 7 here have a megabit together
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRate {
    /// Octets in each second, in each direction.
    pub octets_per_second: NonZeroU32,
    /// With whom: all streams that one driver has joined with this number have the rate together, each in its turn. Those who
    /// share say the same rate. `None`: these two have it for themselves.
    pub shared: Option<u64>,
}

/// Who may pass octets on, and when: one direction of two joined streams. For those who write drivers.
///
/// Each takes turns of a tenth of a second's worth, and pays for a turn before it takes it: the next one to ask comes behind.
/// So those who share a rate get on by turns whatever order they are looked at in, and one that has nothing to say holds one
/// turn at the most.
///
/// ```
/// use core::{num::NonZeroU32, time::Duration};
/// use ginnel_core::{Instant, Pace, StreamRate};
///
/// let rate = StreamRate { octets_per_second: NonZeroU32::new(1_000).unwrap(), shared: None };
/// let mut pace = Pace::new([Some(rate), None]);
/// let alone = |_, _| Instant::EPOCH; // never asked: this rate is shared with nobody
/// assert_eq!(pace.allowance(Instant::EPOCH, alone), 100);
/// pace.passed(100);
/// assert_eq!(pace.allowance(Instant::EPOCH, alone), 0);
/// assert_eq!(pace.resumes(Instant::EPOCH), Some(Instant::EPOCH + Duration::from_millis(100)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    turns: [Option<Turns>; 2],
}

/// The turns under one rate.
#[derive(Clone, Copy, Debug)]
struct Turns {
    rate: StreamRate,
    /// What is left of the turn that was paid for.
    credit: u32,
    /// When that may be taken.
    at: Instant,
    /// When the next turn begins, if the rate is shared with nobody.
    next: Instant,
}

/// A turn is what a rate lets pass in so many parts of a second.
const TURNS_PER_SECOND: u32 = 10;

impl Pace {
    /// Under all of these rates at once.
    #[must_use]
    pub const fn new([one, other]: [Option<StreamRate>; 2]) -> Self {
        Self { turns: [Turns::new(one), Turns::new(other)] }
    }

    /// How many octets may pass now; `usize::MAX` where there is no limit.
    ///
    /// `turn` keeps the time of those who share a rate: for their number and this direction it says when the next turn begins,
    /// `now` at the earliest, and from then on it is as much later as the turn takes.
    #[must_use]
    pub fn allowance(&mut self, now: Instant, mut turn: impl FnMut(u64, Duration) -> Instant) -> usize {
        let mut most = usize::MAX;
        for turns in self.turns.iter_mut().flatten() {
            if turns.credit == 0 {
                turns.pay(now, &mut turn);
            }
            let due = turns.at <= now;
            most = most.min(if due { turns.credit as usize } else { 0 });
        }
        most
    }

    /// So many have passed.
    pub fn passed(&mut self, octets: usize) {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        for turns in self.turns.iter_mut().flatten() {
            turns.credit = turns.credit.saturating_sub(octets);
        }
    }

    /// When more may pass, if none may now.
    #[must_use]
    pub fn resumes(&self, now: Instant) -> Option<Instant> {
        self.turns.iter().flatten().map(|turns| turns.at).max().filter(|at| *at > now)
    }
}

impl Turns {
    const fn new(rate: Option<StreamRate>) -> Option<Self> {
        match rate {
            None => None,
            Some(rate) => Some(Self { rate, credit: 0, at: Instant::EPOCH, next: Instant::EPOCH }),
        }
    }

    fn pay(&mut self, now: Instant, turn: &mut impl FnMut(u64, Duration) -> Instant) {
        let rate = self.rate.octets_per_second.get();
        self.credit = (rate / TURNS_PER_SECOND).max(1);
        let takes = Duration::from_nanos(u64::from(self.credit) * 1_000_000_000 / u64::from(rate));
        self.at = match self.rate.shared {
            Some(number) => turn(number, takes),
            None => {
                let at = self.next.max(now);
                self.next = at + takes;
                at
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn rate(octets_per_second: u32, shared: Option<u64>) -> Option<StreamRate> {
        Some(StreamRate { octets_per_second: NonZeroU32::new(octets_per_second).unwrap(), shared })
    }

    fn at(ms: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(ms)
    }

    /// Streams that always have something to say, looked at in their order every ten milliseconds: what each has passed.
    fn play(paces: &mut [Pace], ms: u64) -> Vec<usize> {
        let (mut book, mut passed) = (BTreeMap::<u64, Instant>::new(), vec![0; paces.len()]);
        for now in (0..ms).step_by(10).map(at) {
            for (pace, passed) in paces.iter_mut().zip(&mut passed) {
                let octets = pace.allowance(now, |number, takes| {
                    let next = book.entry(number).or_insert(now);
                    let at = (*next).max(now);
                    *next = at + takes;
                    at
                });
                pace.passed(octets);
                *passed += octets;
            }
        }
        passed
    }

    #[test]
    fn without_a_rate_everything_passes() {
        let mut pace = Pace::new([None; 2]);
        assert_eq!(pace.allowance(at(0), |_, _| at(0)), usize::MAX);
        pace.passed(usize::MAX);
        assert_eq!((pace.allowance(at(0), |_, _| at(0)), pace.resumes(at(0))), (usize::MAX, None));
    }

    #[test]
    fn the_lesser_of_two_rates_counts() {
        let mut pace = [Pace::new([rate(10_000, None), rate(1_000, None)])];
        assert_eq!(play(&mut pace, 10_000), [10_000]);
    }

    #[test]
    fn those_who_share_a_rate_have_it_together_and_each_its_part() {
        for order in [[1, 0, 0, 0], [0, 0, 0, 1]] {
            let mut paces: Vec<Pace> =
                order.iter().map(|other| Pace::new([rate(10_000, Some(*other)), None])).collect();
            let passed = play(&mut paces, 30_000);
            let alone = passed[order.iter().position(|other| *other == 1).unwrap()];
            assert_eq!(alone, 300_000, "what has another number is not touched");
            for (passed, _) in passed.iter().zip(order).filter(|(_, other)| *other == 0) {
                assert!((99_000..=101_000).contains(passed), "{passed} of 100,000");
            }
        }
    }

    #[test]
    fn who_says_nothing_costs_one_turn() {
        let mut paces = [Pace::new([rate(10_000, Some(1)), None]); 2];
        let mut book = at(0);
        let mut turn = |_, takes| {
            let at = book;
            book = at + takes;
            at
        };
        assert_eq!(paces[0].allowance(at(0), &mut turn), 1_000);
        for now in [0, 10, 20, 500] {
            let _ = paces[1].allowance(at(now), &mut turn);
        }
        assert_eq!(book, at(200), "one turn each");
    }
}
