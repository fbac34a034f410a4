//! A map of a bounded size that forgets what was used least recently.
//!
//! It holds what is learnt of servers. Callers choose servers, but a TURN server or a redirection can make them many.
//! A sorted list: what is known already is found by halving and put in place, without allocating, for each answer; only
//! something new moves others.

use alloc::vec::Vec;

use ginnel_core::Instant;

#[derive(Debug)]
pub(super) struct Cache<K, V> {
    /// Sorted by key; with when each was put there.
    entries: Vec<(K, Instant, V)>,
    max: usize,
}
impl<K: Ord + Copy, V> Cache<K, V> {
    pub(super) const fn new(max: usize) -> Self {
        Self { entries: Vec::new(), max }
    }
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
    /// What is kept under `key`, and when it was last put there.
    pub(super) fn get(&self, key: &K) -> Option<(Instant, &V)> {
        let at = self.find(key).ok()?;
        self.entries.get(at).map(|(_, put, value)| (*put, value))
    }
    /// The first at `key` or behind it.
    pub(super) fn first_from(&self, key: &K) -> Option<(&K, &V)> {
        let (Ok(at) | Err(at)) = self.find(key);
        self.entries.get(at).map(|(key, _, value)| (key, value))
    }
    /// Keeps `value`, used at `now`.
    pub(super) fn put(&mut self, now: Instant, key: K, value: V) {
        if let Ok(at) = self.find(&key) {
            self.entries[at] = (key, now, value);
            return;
        }
        if self.max == 0 {
            return;
        }
        if self.entries.len() >= self.max {
            let ages = self.entries.iter().enumerate();
            if let Some((oldest, _)) = ages.min_by_key(|(_, (_, put, _))| *put) {
                self.entries.remove(oldest);
            }
        }
        let (Ok(at) | Err(at)) = self.find(&key);
        self.entries.insert(at, (key, now, value));
    }
    fn find(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, ..)| other.cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn the_least_recently_used_is_forgotten_at_the_bound_and_no_sooner() {
        let at = |s| Instant::EPOCH + Duration::from_secs(s);
        let mut cache = Cache::new(3);
        for key in 0..3 {
            cache.put(at(key), key, key * 10);
        }
        assert_eq!((cache.len(), cache.get(&0)), (3, Some((at(0), &0))));
        cache.put(at(3), 0, 7);
        cache.put(at(4), 9, 90);
        assert_eq!((cache.len(), cache.get(&1), cache.get(&0)), (3, None, Some((at(3), &7))));
        assert_eq!((cache.first_from(&1), cache.first_from(&10)), (Some((&2, &20)), None));
        let mut none = Cache::new(0);
        none.put(at(0), 1, 1);
        assert_eq!(none.len(), 0);
    }
}
