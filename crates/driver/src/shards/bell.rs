//! What wakes a shard that sleeps.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: AtomicBool,
    /// The machine is to be closed: said beside the commands, since there is always room for that.
    closing: AtomicBool,
    sleeper: Mutex<Option<Waker>>,
}

impl Bell {
    /// Whoever has put something where the shard looks rings behind it. The lock is taken by the first who does since the
    /// shard has looked.
    pub(super) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            let sleeper = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(sleeper) = sleeper {
                sleeper.wake();
            }
        }
    }

    /// Has the shard close its machine.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.ring();
    }

    /// Whether it is to, asked once.
    pub(super) fn take_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire) && self.closing.swap(false, Ordering::AcqRel)
    }

    /// This task is woken from now on; to be called before looking.
    pub(super) fn register(&self, waker: &Waker) {
        let mut sleeper = self.sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *sleeper {
            Some(sleeper) => sleeper.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Whether it has rung since it was asked last. Look then at all there is: it rings again for what comes later.
    pub(super) fn take(&self) -> bool {
        self.has_rung() && self.rung.swap(false, Ordering::AcqRel)
    }

    pub(super) fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }
}
