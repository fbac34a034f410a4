//! The ports of one relay address (RFC 8656 section 7.2: chosen so that nobody can guess the next).
//!
//! Each free port is as likely as any other, and taking one costs the same however many are taken: nothing is drawn twice
//! and nothing is searched, so a full pool says so at once (SECURITY.md cases 21 and 35).
//!
//! ```text
//!  slot      0        1        2        ..      two ports each: an even one and the odd one above
//!            2 3      4 5      6 7
//!  free even * .      * .      . .              sets of slots, each an array of what is in it and an
//!  free odd  . *      . *      . *              index of where: one draw, one swap
//!  pairs     *        *        .
//! ```
//!
//! Shards that share an address share its ports out by slots, so that they never ask for the same socket.
//! Left out: whether the operating system has given the port to somebody else. The owner learns that when it binds: it keeps
//! the refused port until it has another, and then gives it back.

use alloc::{vec, vec::Vec};
use core::ops::RangeInclusive;

use ginnel_core::{Rng, Seed};

use crate::server::Shard;

/// The ports of one relay address.
///
/// ```
/// use ginnel_core::Seed;
/// use ginnel_turn::server::{Shard, policy::PortPool};
///
/// let mut pool = PortPool::new(50_000..=50_003, Shard::default(), Seed::new([7; 32]))?;
/// let even = pool.take_pair().expect("two pairs are free"); // EVEN-PORT with R: the next port is reserved
/// assert_eq!(even % 2, 0);
/// let (one, other) = (pool.take().expect("two are left"), pool.take().expect("one is left"));
/// assert_eq!(pool.take(), None);
/// for port in [even, even + 1, one, other] {
///     pool.give_back(port);
/// }
/// assert_eq!(pool.free(), 4);
/// # Ok::<(), ginnel_turn::server::policy::PortRangeError>(())
/// ```
#[derive(Debug)]
pub struct PortPool {
    even: Slots,
    odd: Slots,
    /// Of which both are free.
    pairs: Slots,
    range: RangeInclusive<u16>,
    shard: Shard,
    rng: Rng,
}

/// Why there are no ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PortRangeError {
    /// Write the lower end first, and leave out port 0.
    #[error("the range of ports is empty, or begins with 0")]
    Empty,
    /// Give each shard at least one pair of ports.
    #[error("some shards would have no port: widen the range to two ports for each")]
    TooFewForShards,
}

impl PortPool {
    /// All ports of `range` that fall to this shard, free.
    pub fn new(range: RangeInclusive<u16>, shard: Shard, seed: Seed) -> Result<Self, PortRangeError> {
        if range.is_empty() || *range.start() == 0 {
            return Err(PortRangeError::Empty);
        }
        let room = usize::from(range.end() / 2 - range.start() / 2) / usize::from(shard.count) + 1;
        let set = || Slots { members: Vec::with_capacity(room), place: vec![ABSENT; room] };
        let rng = seed.fork("turn relay ports").into_rng();
        let mut pool = Self { even: set(), odd: set(), pairs: set(), range: range.clone(), shard, rng };
        for port in range {
            pool.give_back(port);
        }
        if pool.free() == 0 { Err(PortRangeError::TooFewForShards) } else { Ok(pool) }
    }
    /// Takes any free port; `None` if none is.
    #[must_use]
    pub fn take(&mut self) -> Option<u16> {
        let n = self.rng.below(self.free() as u64) as usize;
        let (slot, is_odd) = match n.checked_sub(self.even.len()) {
            None => (self.even.at(n)?, false),
            Some(n) => (self.odd.at(n)?, true),
        };
        self.take_slot(slot, is_odd)
    }
    /// Takes any free even port (EVEN-PORT without its R bit).
    #[must_use]
    pub fn take_even(&mut self) -> Option<u16> {
        let n = self.rng.below(self.even.len() as u64) as usize;
        let slot = self.even.at(n)?;
        self.take_slot(slot, false)
    }
    /// Takes a free even port and the one above (EVEN-PORT with its R bit), and returns the even one. Each is given back by
    /// itself.
    #[must_use]
    pub fn take_pair(&mut self) -> Option<u16> {
        let n = self.rng.below(self.pairs.len() as u64) as usize;
        let slot = self.pairs.at(n)?;
        self.take_slot(slot, true);
        self.take_slot(slot, false)
    }
    /// Gives a port back. False if it is not one of this pool that was taken: nothing is given out twice.
    pub fn give_back(&mut self, port: u16) -> bool {
        let Some(slot) = self.slot(port) else { return false };
        let (mine, other) =
            if port % 2 == 1 { (&mut self.odd, &self.even) } else { (&mut self.even, &self.odd) };
        if !mine.insert(slot) {
            return false;
        }
        if other.contains(slot) {
            self.pairs.insert(slot);
        }
        true
    }
    /// Whether this port is one of this pool, and taken.
    #[must_use]
    pub fn is_taken(&self, port: u16) -> bool {
        let free = if port % 2 == 1 { &self.odd } else { &self.even };
        self.slot(port).is_some_and(|slot| !free.contains(slot))
    }
    /// How many are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.even.len() + self.odd.len()
    }
    fn take_slot(&mut self, slot: u16, is_odd: bool) -> Option<u16> {
        let set = if is_odd { &mut self.odd } else { &mut self.even };
        if !set.remove(slot) {
            return None;
        }
        self.pairs.remove(slot);
        let pair = self.range.start() / 2 + slot * u16::from(self.shard.count) + u16::from(self.shard.index);
        Some(2 * pair + u16::from(is_odd))
    }
    /// `None` if the port is not of this pool.
    fn slot(&self, port: u16) -> Option<u16> {
        let pair = port.checked_sub(self.range.start() & !1)? / 2;
        let (count, index) = (u16::from(self.shard.count), u16::from(self.shard.index));
        (self.range.contains(&port) && pair % count == index).then_some(pair / count)
    }
}

/// What marks a slot that is not in a set: there are at most 2^15 slots.
const ABSENT: u16 = u16::MAX;

/// A set of slots, from which one can be drawn.
#[derive(Debug)]
struct Slots {
    members: Vec<u16>,
    /// Where in `members` each slot is, or [`ABSENT`].
    place: Vec<u16>,
}
impl Slots {
    fn len(&self) -> usize {
        self.members.len()
    }
    fn at(&self, n: usize) -> Option<u16> {
        self.members.get(n).copied()
    }
    fn contains(&self, slot: u16) -> bool {
        self.place.get(usize::from(slot)).is_some_and(|&place| place != ABSENT)
    }
    fn insert(&mut self, slot: u16) -> bool {
        let Some(place) = self.place.get_mut(usize::from(slot)) else { return false };
        if *place != ABSENT {
            return false;
        }
        *place = self.members.len() as u16;
        self.members.push(slot);
        true
    }
    fn remove(&mut self, slot: u16) -> bool {
        let Some(place) = self.place.get_mut(usize::from(slot)) else { return false };
        let place = core::mem::replace(place, ABSENT);
        if place == ABSENT {
            return false;
        }
        self.members.swap_remove(usize::from(place));
        if let Some(&moved) = self.members.get(usize::from(place))
            && let Some(its) = self.place.get_mut(usize::from(moved))
        {
            *its = place;
        }
        true
    }
}

#[cfg(test)]
mod tests;
