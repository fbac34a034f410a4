//! Which five-tuples have their allocation in another shard (each shard has a machine of its own, and the operating system
//! spreads five-tuples over them by a hash that knows nothing of TURN).
//!
//! A token names the shard that made it. The request that bears one is passed on to that shard, and so is all that comes on
//! the same five-tuple afterwards: what is here remembers it, until nothing has come for as long as an allocation may live.
//! Only tokens that a shard has really made get anybody in here, with a nonce that was made for this five-tuple, so that one
//! ticket sent from many addresses does not fill the table; and it is bounded.
//! Left out: streams. They are moved whole, and nothing more of them comes here.

use core::time::Duration;

use ginnel_core::{Instant, Path, Seed};
use hashbrown::HashTable;

use super::hash::HashKey;

/// Five-tuples that belong to other shards.
#[derive(Debug)]
pub(super) struct Forwards {
    key: HashKey,
    table: HashTable<Forward>,
    max: usize,
    /// For how long one is kept that nothing comes on.
    patience: Duration,
    /// When a table that is full is looked through again.
    sweep: Instant,
}
#[derive(Clone, Copy, Debug)]
struct Forward {
    path: Path,
    shard: u8,
    until: Instant,
}
impl Forwards {
    pub(super) fn new(max: usize, patience: Duration, seed: Seed) -> Self {
        Self { key: HashKey::new(seed), table: HashTable::new(), max, patience, sweep: Instant::EPOCH }
    }
    /// The shard that has the allocation of this five-tuple.
    pub(super) fn find(&mut self, now: Instant, path: &Path) -> Option<u8> {
        if self.table.is_empty() {
            return None;
        }
        let forward = self.table.find_mut(self.key.path(path), |it| it.path == *path)?;
        if now >= forward.until {
            return None;
        }
        forward.until = now + self.patience;
        Some(forward.shard)
    }
    /// From now on this five-tuple belongs to that shard. False if there is no room.
    pub(super) fn learn(&mut self, now: Instant, path: Path, shard: u8) -> bool {
        let until = now + self.patience;
        let hash = self.key.path(&path);
        if let Some(forward) = self.table.find_mut(hash, |it| it.path == path) {
            (forward.shard, forward.until) = (shard, until);
            return true;
        }
        if self.table.len() >= self.max && now >= self.sweep {
            self.table.retain(|it| now < it.until);
            self.sweep = now + Duration::from_secs(1);
        }
        if self.table.len() >= self.max {
            return false;
        }
        let key = self.key;
        self.table.insert_unique(hash, Forward { path, shard, until }, |it| key.path(&it.path));
        true
    }
    pub(super) fn clear(&mut self) {
        self.table.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path::udp("198.51.100.1:3478".parse().unwrap(), ([192, 0, 2, 1], port).into())
    }
    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_table_is_bounded_and_forgets_whom_nothing_comes_from() {
        let mut forwards = Forwards::new(2, Duration::from_secs(10), Seed::new([7; 32]));
        assert!(forwards.learn(at(0), path(1), 3) && forwards.learn(at(0), path(2), 1));
        assert!(!forwards.learn(at(0), path(3), 1), "full");
        assert_eq!(forwards.find(at(9), &path(1)), Some(3));
        // The second was quiet for too long; the first was not.
        assert_eq!(forwards.find(at(10), &path(2)), None);
        assert!(forwards.learn(at(10), path(3), 2));
        assert_eq!((forwards.find(at(18), &path(1)), forwards.find(at(18), &path(3))), (Some(3), Some(2)));
        // What is there learns anew at the limit.
        assert!(forwards.learn(at(18), path(1), 0));
        assert_eq!(forwards.find(at(18), &path(1)), Some(0));
    }
}
