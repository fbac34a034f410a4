//! A hash table from keyed hashes to numbers, in which a look-up reads one cache line as a rule.
//!
//! A place is one word: half of it the hash, half the number. Places that collide follow one another, and at most three in four
//! are taken. What is compared with the real key is only what has all of the 32 bits, so the allocation behind a number is
//! looked at for its own sake.

use alloc::{boxed::Box, vec};

/// Numbers by hashes.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// None, or a power of two; 0 is free.
    places: Box<[u64]>,
    len: usize,
}
/// The fewest places.
const FEWEST: usize = 16;

impl Index {
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.len
    }
    /// The number under this hash that is the right one.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.place_of(hash, is_it).map(|place| number(self.places[place]))
    }
    /// Takes a number in. The largest `u32` is none.
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        if (self.len + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        self.put(word(hash, number));
        self.len += 1;
    }
    /// Takes out what is under this hash and is the right one; whether there was any.
    pub(super) fn remove(&mut self, hash: u64, is_it: impl FnMut(u32) -> bool) -> bool {
        let Some(mut free) = self.place_of(hash, is_it) else { return false };
        self.len -= 1;
        // What has been pushed on moves up, so that nothing lies behind a free place.
        let mask = self.places.len() - 1;
        let mut next = (free + 1) & mask;
        while self.places[next] != 0 {
            let home = self.home(self.places[next]);
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(free) & mask) {
                self.places[free] = self.places[next];
                free = next;
            }
            next = (next + 1) & mask;
        }
        self.places[free] = 0;
        true
    }
    /// All numbers, in no order.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.places.iter().filter(|place| **place != 0).map(|place| number(*place))
    }

    #[inline]
    fn place_of(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<usize> {
        let mask = self.places.len().wrapping_sub(1);
        let mut place = (hash >> 32) as usize & mask;
        loop {
            // Of no places none is there.
            let held = *self.places.get(place)?;
            if held == 0 {
                return None;
            }
            if held >> 32 == hash >> 32 && is_it(number(held)) {
                return Some(place);
            }
            place = (place + 1) & mask;
        }
    }
    /// Where it would lie if nothing collided.
    fn home(&self, held: u64) -> usize {
        (held >> 32) as usize & (self.places.len() - 1)
    }
    fn put(&mut self, held: u64) {
        let mask = self.places.len() - 1;
        let mut place = self.home(held);
        while self.places[place] != 0 {
            place = (place + 1) & mask;
        }
        self.places[place] = held;
    }
    fn grow(&mut self) {
        let larger = vec![0; (self.places.len() * 2).max(FEWEST)].into();
        let held = core::mem::replace(&mut self.places, larger);
        held.iter().filter(|held| **held != 0).for_each(|held| self.put(*held));
    }
}

/// Half of the hash, and a number that is never 0.
const fn word(hash: u64, number: u32) -> u64 {
    hash >> 32 << 32 | (number as u64 + 1)
}
#[inline]
const fn number(held: u64) -> u32 {
    (held as u32).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeMap, vec::Vec};

    use ginnel_core::Seed;

    use super::*;

    /// Few hashes, at both ends of the table, so that much collides and runs go round the end.
    fn hash(key: u32) -> u64 {
        [0, 1, 2, u64::from(u32::MAX), 0x7F00_0001][key as usize % 5] << 32 | u64::from(key)
    }

    #[test]
    fn it_says_what_a_map_says() {
        let mut rng = Seed::new([5; 32]).into_rng();
        let (mut index, mut model) = (Index::default(), BTreeMap::new());
        for _ in 0..20_000 {
            let key = rng.below(60) as u32;
            if model.remove(&key).is_some() {
                assert!(index.remove(hash(key), |it| it == key));
            } else {
                assert!(!index.remove(hash(key), |it| it == key));
                index.insert(hash(key), key);
                model.insert(key, ());
            }
            assert_eq!(index.len(), model.len());
            for key in 0..60 {
                assert_eq!(index.find(hash(key), |it| it == key), model.get(&key).map(|()| key));
            }
        }
        let mut all: Vec<u32> = index.iter().collect();
        all.sort_unstable();
        assert_eq!(all, model.into_keys().collect::<Vec<_>>());
    }

    #[test]
    fn there_is_always_a_free_place() {
        let mut index = Index::default();
        assert_eq!((index.find(7 << 32, |_| true), index.remove(7 << 32, |_| true)), (None, false));
        for number in 0..10_000 {
            index.insert(u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15), number);
            assert!(index.len() * 4 <= index.places.len() * 3);
        }
        assert_eq!(index.places.len(), 16_384);
    }
}
