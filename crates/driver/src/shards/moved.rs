//! Where DTLS associations have moved whose datagrams come to this shard.
//!
//! The system deals datagrams out by their addresses, and goes on doing so when an association has moved. So they are handed over
//! as they are, sealed, to whoever has it; he answers from the same address by himself. Nobody says when such an association
//! has ended, and nobody needs to: whoever begins anew from that address is served over there. The table is bounded, and
//! whose client was quiet for longest is forgotten first.

use std::collections::BTreeMap;

use ginnel_core::Path;

/// Associations that one shard knows to be elsewhere. A client whose entry is lost has to begin anew.
const MAX: usize = 16_384;

#[derive(Debug, Default)]
pub(super) struct Moved {
    table: BTreeMap<Path, Entry>,
    /// Counts what is asked and learnt.
    clock: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    shard: usize,
    /// When it was heard of last.
    heard: u64,
}

impl Moved {
    /// Where this datagram belongs, if not here.
    pub(super) fn find(&mut self, path: &Path) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        let entry = self.table.get_mut(path)?;
        self.clock += 1;
        entry.heard = self.clock;
        Some(entry.shard)
    }

    pub(super) fn learn(&mut self, path: Path, shard: usize) {
        if self.table.len() >= MAX
            && !self.table.contains_key(&path)
            && let Some(quiet) = self.table.iter().min_by_key(|(_, entry)| entry.heard).map(|(path, _)| *path)
        {
            self.table.remove(&quiet);
        }
        self.clock += 1;
        self.table.insert(path, Entry { shard, heard: self.clock });
    }

    pub(super) fn forget(&mut self, path: &Path) {
        self.table.remove(path);
    }
}

#[cfg(test)]
mod tests {
    use ginnel_core::Transport;

    use super::*;

    #[test]
    fn the_table_is_bounded_and_whoever_was_quiet_for_longest_goes() {
        let path = |number: usize| {
            let [_, .., high, low] = number.to_be_bytes();
            let remote = ([192, 0, 2, high], 1_000 + u16::from(low)).into();
            Path::new(Transport::Dtls, ([198, 51, 100, 1], 5_349).into(), remote)
        };
        let mut moved = Moved::default();
        assert_eq!(moved.find(&path(0)), None);
        for number in 0..MAX {
            moved.learn(path(number), number % 4);
        }
        // The first is heard of again, so the second goes when there is one more.
        assert_eq!(moved.find(&path(0)), Some(0));
        moved.learn(path(MAX), 3);
        let found = [0, 1, 2, MAX].map(|number| moved.find(&path(number)));
        assert_eq!((moved.table.len(), found), (MAX, [Some(0), None, Some(2), Some(3)]));
        // One that is known changes its place, and takes nobody else's.
        moved.learn(path(2), 1);
        assert_eq!((moved.table.len(), moved.find(&path(2))), (MAX, Some(1)));
        moved.forget(&path(2));
        assert_eq!((moved.table.len(), moved.find(&path(2))), (MAX - 1, None));
    }
}
