//! One incoming stream: what has come of it, what is missing, and how its numbers map to the outgoing stream's.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use ginnel_core::Instant;

use crate::Reception;

/// How far back it is known what has come: more than what a NACK can sensibly ask for.
const WINDOW: u64 = 1024;
/// How many packets of one stream are asked for at once. A larger gap is an outage: only a key frame helps.
pub(super) const MAX_MISSING: usize = 128;

/// An incoming stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// Which route it belongs to.
    pub(super) route: usize,
    pub(super) kind: Kind,
    pub(super) reception: Reception,
    pub(super) last_heard: Instant,
}

#[derive(Debug)]
pub(super) enum Kind {
    Primary(Primary),
    Retransmission(Retransmission),
}

/// A stream of media.
#[derive(Debug)]
pub(super) struct Primary {
    /// Which of several simulcast streams it says it is.
    pub(super) rid: Option<Box<str>>,
    pub(super) seen: Seen,
    pub(super) missing: Missing,
    /// How its numbers leave; `None` until its route has once selected it.
    pub(super) mapping: Option<Mapping>,
}

/// A stream of retransmissions.
#[derive(Debug)]
pub(super) struct Retransmission {
    /// The SSRC of what it repairs, where that was signalled.
    pub(super) repairs: Option<u32>,
    /// The simulcast stream that it says it repairs.
    pub(super) repaired_rid: Option<Box<str>>,
}

/// What is added to the numbers of an incoming stream on their way out. The first stream of a route keeps its numbers;
/// a later one goes on where the last one ended, so that the receiver sees one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) sequence_offset: u16,
    pub(super) timestamp_offset: u32,
    /// Positions below this one belong to the outgoing numbers of an earlier stream.
    pub(super) first: u64,
}

impl Mapping {
    pub(super) const IDENTITY: Self = Self { sequence_offset: 0, timestamp_offset: 0, first: 0 };
}

/// Which of the last [`WINDOW`] positions have come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    bits: [u64; (WINDOW / 64) as usize],
    highest: Option<u64>,
}

impl Seen {
    /// Notes a position; false if it was noted before, or is too old to know.
    pub(super) fn insert(&mut self, position: u64) -> bool {
        let highest = *self.highest.get_or_insert(position);
        if position + WINDOW <= highest {
            return false;
        }
        if position > highest {
            let skipped = (position - highest).min(WINDOW);
            for passed in position + 1 - skipped..=position {
                self.set(passed, false);
            }
            self.highest = Some(position);
        }
        !self.set(position, true)
    }

    /// Whether a position has come; `None` if that is not known.
    pub(super) fn contains(&self, position: u64) -> Option<bool> {
        let highest = self.highest?;
        if position > highest || position + WINDOW <= highest {
            return None;
        }
        let slot = position % WINDOW;
        Some(self.bits[(slot / 64) as usize] >> (slot % 64) & 1 == 1)
    }

    /// Sets one bit, and says what it was.
    fn set(&mut self, position: u64, value: bool) -> bool {
        let slot = position % WINDOW;
        let word = &mut self.bits[(slot / 64) as usize];
        let bit = 1 << (slot % 64);
        let was = *word & bit != 0;
        *word = if value { *word | bit } else { *word & !bit };
        was
    }
}

/// The gaps of one stream that are being asked for. Room for all of them is taken when the stream begins.
#[derive(Debug)]
pub(super) struct Missing {
    /// Ascending.
    gaps: Vec<Gap>,
    /// Up to which position gaps were looked for.
    looked: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Gap {
    position: u64,
    attempts: u8,
    next: Instant,
    due: bool,
}

/// What lies between the last packet and this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing is missing.
    Whole,
    /// Something may be.
    Gaps,
    /// So much is missing that it is not asked for, nor what was missing before.
    Outage,
}

/// What the passing of time has done to the gaps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fired {
    pub(super) due: u64,
    pub(super) abandoned: u64,
}

impl Missing {
    pub(super) fn new() -> Self {
        Self { gaps: Vec::with_capacity(MAX_MISSING), looked: None }
    }

    /// A packet has come. Gaps before it are noted, to be asked for at `ask_at`, unless a retransmission closed them
    /// already.
    pub(super) fn on_arrival(&mut self, position: u64, ask_at: Instant, seen: &Seen) -> Look {
        let looked = *self.looked.get_or_insert(position);
        if position <= looked + 1 {
            self.looked = Some(position.max(looked));
            return Look::Whole;
        }
        self.looked = Some(position);
        if position - looked - 1 > (MAX_MISSING - self.gaps.len()) as u64 {
            self.gaps.clear();
            return Look::Outage;
        }
        let gap = |position| Gap { position, attempts: 0, next: ask_at, due: false };
        let open = (looked + 1..position).filter(|position| seen.contains(*position) != Some(true));
        self.gaps.extend(open.map(gap));
        Look::Gaps
    }

    /// A gap is closed; whether it had been asked for, if it was one.
    pub(super) fn close(&mut self, position: u64) -> Option<bool> {
        let at = self.gaps.binary_search_by_key(&position, |gap| gap.position).ok()?;
        Some(self.gaps.remove(at).attempts > 0)
    }

    pub(super) fn contains(&self, position: u64) -> bool {
        self.gaps.binary_search_by_key(&position, |gap| gap.position).is_ok()
    }

    /// Marks what is to be asked for now, and gives up what was asked for often enough.
    pub(super) fn on_timeout(&mut self, now: Instant, interval: Duration, attempts: u8) -> Fired {
        let mut fired = Fired::default();
        self.gaps.retain_mut(|gap| {
            if gap.next > now {
                return true;
            }
            if gap.attempts >= attempts {
                fired.abandoned += 1;
                return false;
            }
            (gap.attempts, gap.next, gap.due) = (gap.attempts + 1, now + interval, true);
            fired.due += 1;
            true
        });
        fired
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.gaps.iter().map(|gap| gap.next).min()
    }

    pub(super) fn has_due(&self) -> bool {
        self.gaps.iter().any(|gap| gap.due)
    }

    pub(super) fn due(&self) -> impl Iterator<Item = u16> {
        self.gaps.iter().filter(|gap| gap.due).map(|gap| gap.position as u16)
    }

    pub(super) fn asked(&mut self) {
        for gap in &mut self.gaps {
            gap.due = false;
        }
    }

    pub(super) fn clear(&mut self) {
        self.gaps.clear();
        self.looked = None;
    }
}

impl Stream {
    pub(super) const fn primary(&self) -> Option<&Primary> {
        match &self.kind {
            Kind::Primary(primary) => Some(primary),
            Kind::Retransmission(_) => None,
        }
    }

    pub(super) const fn primary_mut(&mut self) -> Option<&mut Primary> {
        match &mut self.kind {
            Kind::Primary(primary) => Some(primary),
            Kind::Retransmission(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set(steps in proptest::collection::vec(-1500i64..1500, 1..200)) {
            let (mut seen, mut model) = (Seen::default(), BTreeSet::new());
            let mut position = 100_000_u64;
            for step in steps {
                position = position.saturating_add_signed(step);
                let highest = model.last().copied().unwrap_or(position).max(position);
                let known = position + WINDOW > highest;
                prop_assert_eq!(seen.insert(position), known && !model.contains(&position));
                if known {
                    model.insert(position);
                }
                let highest = *model.last().unwrap();
                for probe in [position, position + 1, highest, highest - 5, highest + 1 - WINDOW] {
                    let expected = (probe <= highest && probe + WINDOW > highest).then(|| model.contains(&probe));
                    prop_assert_eq!(seen.contains(probe), expected);
                }
            }
        }
    }

    #[test]
    fn a_gap_is_asked_for_until_it_closes_or_is_given_up() {
        let at = |ms| Instant::EPOCH + Duration::from_millis(ms);
        let (mut missing, seen) = (Missing::new(), Seen::default());
        assert_eq!(missing.on_arrival(10, at(0), &seen), Look::Whole);
        assert_eq!(missing.on_arrival(13, at(10), &seen), Look::Gaps);
        assert_eq!(missing.next(), Some(at(10)));
        assert_eq!(missing.on_timeout(at(9), Duration::from_millis(50), 2).due, 0);
        assert_eq!(missing.on_timeout(at(10), Duration::from_millis(50), 2).due, 2);
        assert!(missing.due().eq([11, 12]));
        missing.asked();
        assert_eq!(missing.close(11), Some(true));
        assert_eq!(missing.close(11), None);
        assert_eq!(missing.on_timeout(at(60), Duration::from_millis(50), 2).due, 1);
        let fired = missing.on_timeout(at(110), Duration::from_millis(50), 2);
        assert_eq!((fired.due, fired.abandoned, missing.next()), (0, 1, None));
    }

    #[test]
    fn an_outage_is_not_asked_for() {
        let (mut missing, seen) = (Missing::new(), Seen::default());
        let beyond = 2 + MAX_MISSING as u64;
        assert_eq!(missing.on_arrival(0, Instant::EPOCH, &seen), Look::Whole);
        assert_eq!(missing.on_arrival(beyond, Instant::EPOCH, &seen), Look::Outage);
        assert_eq!(missing.next(), None);
        assert_eq!(missing.on_arrival(beyond + 2, Instant::EPOCH, &seen), Look::Gaps);
        assert!(missing.contains(beyond + 1));
    }

    #[test]
    fn what_a_retransmission_brought_early_is_not_missing() {
        let (mut missing, mut seen) = (Missing::new(), Seen::default());
        for position in [5, 7, 8] {
            seen.insert(position);
        }
        missing.on_arrival(5, Instant::EPOCH, &seen);
        missing.on_arrival(8, Instant::EPOCH, &seen);
        assert!(missing.contains(6) && !missing.contains(7));
    }
}
