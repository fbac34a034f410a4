//! When each transaction wants to be woken: a heap that knows where everybody stands in it.
//!
//! ```text
//!             soonest                       A parent is never later than its four children. `place` says where the
//!        /    /    \    \                   timer of a slot stands, so one that is answered is taken out at once:
//!      ..    ..    ..    ..                 nothing dead is kept, and the first is always somebody's true wake-up.
//! ```
//!
//! Asking for the soonest costs nothing. A new timer is mostly later than what is there and stays at the bottom; what is
//! taken out is replaced by the last, which belongs at the bottom too. So starting and answering are flat, and only
//! firing walks down: 9 levels with 100,000 timers. What it costs beside a tree and a heap with dead entries is in
//! `docs/design/stun-timers.md`.

use alloc::vec::Vec;

use ginnel_core::Instant;

/// How many children a parent has. With four the walk down is half as long as with two, and they share a cache line or two.
const CHILDREN: usize = 4;
/// The place of a slot without a timer.
const NOWHERE: u32 = u32::MAX;

/// At most one timer for each slot.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Ties go to the lower slot: the same script gives the same order.
    heap: Vec<(Instant, u32)>,
    /// Where in `heap` the timer of each slot stands.
    place: Vec<u32>,
    /// What setting and clearing costs: entries moved.
    #[cfg(test)]
    moves: u64,
}
impl Timers {
    /// The soonest: when, and whose.
    pub(super) fn first(&self) -> Option<(Instant, u32)> {
        self.heap.first().copied()
    }
    /// Makes room for `slots` timers, so that setting one allocates nothing.
    pub(super) fn reserve(&mut self, slots: usize) {
        self.heap.reserve(slots.saturating_sub(self.heap.len()));
        if self.place.len() < slots {
            self.place.resize(slots, NOWHERE);
        }
    }
    /// How many are set.
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
    /// Sets the timer of `slot`, in place of the one it had.
    pub(super) fn set(&mut self, slot: u32, at: Instant) {
        self.clear(slot);
        let index = slot as usize;
        if self.place.len() <= index {
            self.place.resize(index + 1, NOWHERE);
        }
        let hole = self.heap.len();
        self.heap.push((at, slot));
        self.rise(hole);
    }
    /// Takes the timer of `slot` out, if it has one.
    pub(super) fn clear(&mut self, slot: u32) {
        let Some(place) = self.place.get_mut(slot as usize) else { return };
        let at = core::mem::replace(place, NOWHERE);
        if at == NOWHERE {
            return;
        }
        let at = at as usize;
        self.heap.swap_remove(at);
        if at < self.heap.len() {
            let rose = self.rise(at);
            self.sink(rose);
        }
    }

    /// Moves the entry at `at` up to where it belongs, and says where that is.
    fn rise(&mut self, mut at: usize) -> usize {
        while at > 0 {
            let parent = (at - 1) / CHILDREN;
            if self.heap[parent] <= self.heap[at] {
                break;
            }
            self.heap.swap(parent, at);
            self.settle(at);
            at = parent;
        }
        self.settle(at);
        at
    }
    /// Moves the entry at `at` down to where it belongs.
    fn sink(&mut self, mut at: usize) {
        loop {
            let first = at * CHILDREN + 1;
            let children = first..(first + CHILDREN).min(self.heap.len());
            let Some(least) = children.min_by_key(|&child| self.heap[child]) else { break };
            if self.heap[at] <= self.heap[least] {
                break;
            }
            self.heap.swap(at, least);
            self.settle(at);
            at = least;
        }
        self.settle(at);
    }
    /// Notes where the entry at `at` stands. The heap has at most as many entries as there are slots, which `u32` counts.
    fn settle(&mut self, at: usize) {
        let (_, slot) = self.heap[at];
        #[cfg(test)]
        {
            self.moves += 1;
        }
        self.place[slot as usize] = at as u32;
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use core::time::Duration;

    use ginnel_core::Seed;
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(ms)
    }
    /// The first of the model.
    fn first(model: &BTreeMap<u32, Instant>) -> Option<(Instant, u32)> {
        model.iter().map(|(&slot, &at)| (at, slot)).min()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_first_is_that_of_a_sorted_list(script in prop::collection::vec((0u32..40, 0u64..50, 0u8..4), 0..300)) {
            let (mut timers, mut model) = (Timers::default(), BTreeMap::new());
            for (slot, ms, what) in script {
                if what == 0 {
                    timers.clear(slot);
                    model.remove(&slot);
                } else if what == 1 {
                    if let Some((_, slot)) = timers.first() {
                        timers.clear(slot);
                        model.remove(&slot);
                    }
                } else {
                    timers.set(slot, at(ms));
                    model.insert(slot, at(ms));
                }
                prop_assert_eq!((timers.first(), timers.len()), (first(&model), model.len()));
            }
        }
    }

    /// Entries moved for each request that is answered and followed by another, and for each timer that fires and is set
    /// again, with `n` timers. Memory is one entry for each, whatever happened before.
    fn moves_with(n: u32) -> (u64, u64) {
        const ROUNDS: u64 = 20_000;
        let mut timers = Timers::default();
        let mut rng = Seed::new([1; 32]).into_rng();
        let (mut now, step) = (at(0), Duration::from_millis(500) / n);
        for slot in 0..n {
            now += step;
            timers.set(slot, now + Duration::from_millis(500 << rng.below(4)));
        }
        timers.moves = 0;
        for _ in 0..ROUNDS {
            now += step;
            timers.set(rng.below(n.into()) as u32, now + Duration::from_millis(500));
        }
        let answered = core::mem::take(&mut timers.moves);
        for _ in 0..ROUNDS {
            let Some((at, slot)) = timers.first() else { unreachable!("there are some") };
            timers.set(slot, at + Duration::from_millis(500 << rng.below(4)));
        }
        assert_eq!(timers.len(), n as usize);
        (answered / ROUNDS, timers.moves / ROUNDS)
    }

    #[test]
    fn the_work_stays_flat_with_a_hundred_thousand_timers() {
        let (few, many) = (moves_with(1_000), moves_with(100_000));
        assert!(many.0 <= few.0 + 2, "answered: {few:?}, {many:?}");
        // A walk down: one level more for four times as many.
        assert!(many.1 <= few.1 + 8, "fired: {few:?}, {many:?}");
        extern crate std;
        std::println!("entries moved, answered and fired: {few:?} with 1,000, {many:?} with 100,000");
    }

    #[test]
    fn they_fire_in_order_and_ties_by_slot() {
        let mut timers = Timers::default();
        let mut rng = Seed::new([1; 32]).into_rng();
        for slot in 0..1000 {
            timers.set(slot, at(rng.below(100)));
        }
        let mut before = None;
        while let Some(now) = timers.first() {
            assert!(before < Some(now));
            before = Some(now);
            timers.clear(now.1);
        }
        assert_eq!(timers.len(), 0);
    }
}
