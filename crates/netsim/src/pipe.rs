//! One direction of a link at work: the state behind a [`Link`].

use alloc::collections::VecDeque;
use core::time::Duration;

use ginnel_core::{Instant, Seed};

use crate::{
    Fate, Link,
    dice::{Dice, share, within},
};

/// One direction between two places.
#[derive(Debug)]
pub(crate) struct Pipe {
    dice: Dice,
    /// Set for this pair of places; otherwise the network's default holds.
    pub(crate) link: Option<Link>,
    /// Nothing passes.
    pub(crate) cut: bool,
    /// When the last datagram that keeps its turn arrives.
    last: Instant,
    /// When each datagram in the queue has left it; the last entry is when the queue will be empty.
    leaving: VecDeque<Instant>,
}

/// What becomes of one datagram.
#[derive(Debug, PartialEq)]
pub(crate) enum Passage {
    /// It does not arrive.
    Lost(Fate),
    /// It arrives `at`.
    Arrives {
        at: Instant,
        /// And once more.
        twice: bool,
        /// Later than what follows it, perhaps.
        reordered: bool,
    },
}

impl Pipe {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { dice: Dice::new(seed), link: None, cut: false, last: Instant::EPOCH, leaving: VecDeque::new() }
    }

    /// Takes in an IP packet of `octets`.
    pub(crate) fn carry(&mut self, now: Instant, octets: usize, default: &Link) -> Passage {
        let link = self.link.unwrap_or(*default);
        let throw = self.dice.throw();
        if self.cut {
            return Passage::Lost(Fate::Cut);
        }
        if link.mtu.is_some_and(|mtu| octets > mtu) {
            return Passage::Lost(Fate::TooBig);
        }
        let Some(leaves) = self.enqueue(now, octets, &link) else { return Passage::Lost(Fate::QueueFull) };
        if within(throw.loss, link.loss) {
            return Passage::Lost(Fate::Lost);
        }
        let undisturbed = leaves + link.latency + share(throw.jitter, link.jitter);
        let reordered = within(throw.reordering, link.reordering);
        let at = if reordered {
            undisturbed + link.reordered_by
        } else {
            self.last = self.last.max(undisturbed);
            self.last
        };
        Passage::Arrives { at, twice: within(throw.duplication, link.duplication), reordered }
    }

    /// When the datagram has left the queue; `None` when there is no room in it.
    fn enqueue(&mut self, now: Instant, octets: usize, link: &Link) -> Option<Instant> {
        let Some(rate) = link.rate else { return Some(now) };
        while self.leaving.front().is_some_and(|left| *left <= now) {
            self.leaving.pop_front();
        }
        // The one that is being put on the wire does not wait any more.
        if self.leaving.len() > link.queue {
            return None;
        }
        let begins = self.leaving.back().copied().unwrap_or(now);
        let bits = u128::try_from(octets).unwrap_or(u128::MAX).saturating_mul(8);
        let nanos = bits.saturating_mul(1_000_000_000).div_ceil(u128::from(rate.max(1)));
        let leaves = begins + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.leaving.push_back(leaves);
        Some(leaves)
    }
}
