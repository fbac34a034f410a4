//! Tasks that wait for one thing: any number of them, each of which may give up at any time.

use std::{collections::BTreeMap, task::Waker};

/// The wakers of futures that wait. A future takes its entry away when it is dropped, so what is here is as much as is
/// waiting, and a future that was cancelled never swallows a wake-up that another one needed.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    /// Waits under this key, which is made with the first call.
    pub(super) fn wait(&mut self, key: &mut Option<u64>, waker: &Waker) {
        let key = *key.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.wakers.entry(key).and_modify(|known| known.clone_from(waker)).or_insert_with(|| waker.clone());
    }

    /// Waits no more.
    pub(super) fn forget(&mut self, key: u64) {
        self.wakers.remove(&key);
    }

    /// All who wait.
    pub(super) fn wakers(&self) -> impl Iterator<Item = &Waker> {
        self.wakers.values()
    }
}
