//! The checklist of one data stream: RFC 8445 sections 6.1.2 and 6.1.4, RFC 8838 sections 10 to 12.
//!
//! It knows pairs, their foundations and the triggered-check queue; it knows neither candidates nor the wire. The
//! pairs stand in the order in which they were formed, so their numbers ascend; the best is found by looking, since a
//! list of 100 is walked faster than it is kept sorted.
//! One stream with one component for now: a checklist set is a `Vec` of these, and what RFC 8445 asks *across*
//! checklists goes through [`Checklist::has_active`] and [`Checklist::unfreeze`].

use alloc::{collections::VecDeque, vec::Vec};

use ginnel_core::Path;
use ginnel_stun::TransactionId;

use crate::{
    foundation::Foundation,
    pair::{Check, LocalId, Nomination, Pair, PairId, PairState, RemoteId},
};

/// RFC 8445 section 6.1.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChecklistState {
    Running,
    Completed,
    Failed,
}

/// What a pair is formed of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPair {
    pub(crate) local: LocalId,
    pub(crate) remote: RemoteId,
    pub(crate) path: Path,
    pub(crate) foundation: (Foundation, Foundation),
    pub(crate) priority: u64,
}

/// What became of a new pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    New(PairId),
    /// Redundant with this one (RFC 8445 section 6.1.2.4).
    Redundant(PairId),
    /// The list is full of better ones (section 6.1.2.5).
    Full,
}

#[derive(Debug)]
pub(crate) struct Checklist {
    pub(crate) state: ChecklistState,
    pairs: Vec<Pair>,
    triggered: VecDeque<PairId>,
    next: u32,
    limit: usize,
    /// How many were dropped because of the limit.
    pub(crate) dropped: u64,
}
impl Checklist {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            state: ChecklistState::Running,
            pairs: Vec::new(),
            triggered: VecDeque::new(),
            next: 0,
            limit,
            dropped: 0,
        }
    }
    pub(crate) fn iter(&self) -> core::slice::Iter<'_, Pair> {
        self.pairs.iter()
    }
    pub(crate) fn iter_mut(&mut self) -> core::slice::IterMut<'_, Pair> {
        self.pairs.iter_mut()
    }
    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.pairs.get(self.index(id)?)
    }
    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        let index = self.index(id)?;
        self.pairs.get_mut(index)
    }
    fn index(&self, id: PairId) -> Option<usize> {
        self.pairs.binary_search_by_key(&id, |pair| pair.id).ok()
    }
    pub(crate) fn by_path(&mut self, path: &Path) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.path == *path)
    }
    pub(crate) fn by_transaction(&self, transaction: TransactionId) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.check().is_some_and(|check| check.transaction == transaction))
    }
    /// The highest of those that `wanted` picks.
    pub(crate) fn best(&self, wanted: impl Fn(&Pair) -> bool) -> Option<&Pair> {
        self.pairs
            .iter()
            .filter(|pair| wanted(pair))
            .max_by_key(|pair| (pair.priority, core::cmp::Reverse(pair.id)))
    }

    /// RFC 8838 section 12: pairs that come while checks run. Where all come at once, the states are those of RFC 8445
    /// section 6.1.2.6.
    pub(crate) fn insert(&mut self, new: NewPair) -> Inserted {
        if let Some(known) = self.by_path(&new.path) {
            return Inserted::Redundant(known.id);
        }
        if self.pairs.len() >= self.limit && !self.make_room(new.priority) {
            self.dropped += 1;
            return Inserted::Full;
        }
        let mut topmost = true;
        let mut succeeded = false;
        for pair in self.pairs.iter().filter(|pair| pair.foundation == new.foundation) {
            topmost &= pair.priority < new.priority;
            succeeded |= matches!(pair.state, PairState::Succeeded);
        }
        if self.pairs.len() == self.pairs.capacity() {
            // Grows by half, and never beyond the limit: a full list wastes nothing.
            let more = (self.pairs.len() / 2).max(4).min(self.limit - self.pairs.len());
            self.pairs.reserve_exact(more);
        }
        let id = PairId(self.next);
        self.next += 1;
        self.pairs.push(Pair {
            id,
            local: new.local,
            remote: new.remote,
            path: new.path,
            foundation: new.foundation,
            priority: new.priority,
            state: if topmost || succeeded { PairState::Waiting } else { PairState::Frozen },
            nomination: Nomination::Nobody,
            heard: false,
            valid: None,
            rtt: None,
            requests: 0,
            responses: 0,
        });
        Inserted::New(id)
    }
    /// RFC 8838 section 10 item 6: failed pairs go first, then the worst that is worse than the new one. What is under
    /// way or has succeeded stays.
    fn make_room(&mut self, priority: u64) -> bool {
        let failed = |pair: &&Pair| matches!(pair.state, PairState::Failed(_) | PairState::Retired);
        let idle = |pair: &&Pair| matches!(pair.state, PairState::Frozen | PairState::Waiting);
        let victim = self.pairs.iter().filter(|pair| !pair.is_valid()).find(failed).or_else(|| {
            let worst = self
                .pairs
                .iter()
                .filter(|pair| !pair.is_valid())
                .filter(idle)
                .min_by_key(|pair| pair.priority);
            worst.filter(|worst| worst.priority < priority)
        });
        let Some(victim) = victim.map(|pair| pair.id) else { return false };
        self.remove(|pair| pair.id == victim);
        self.dropped += 1;
        true
    }
    /// Removes pairs, and what waits for them.
    pub(crate) fn remove(&mut self, gone: impl Fn(&Pair) -> bool) {
        self.pairs.retain(|pair| !gone(pair));
        let pairs = &self.pairs;
        self.triggered.retain(|id| pairs.binary_search_by_key(id, |pair| pair.id).is_ok());
    }

    /// RFC 8445 section 7.3.1.4: enqueues a pair, once. Returns the transaction that this cancels.
    pub(crate) fn trigger(&mut self, id: PairId) -> Option<Check> {
        let pair = self.get_mut(id)?;
        let (state, cancelled) = pair.state.trigger();
        pair.state = state;
        self.enqueue(id);
        cancelled
    }
    /// Enqueues a pair whatever its state: a nomination repeats the check of a pair that has succeeded (section 8.1.1).
    pub(crate) fn enqueue(&mut self, id: PairId) {
        if !self.triggered.contains(&id) {
            self.triggered.push_back(id);
        }
    }
    pub(crate) fn dequeue(&mut self, id: PairId) {
        self.triggered.retain(|queued| *queued != id);
    }
    /// Whether a slot of Ta would be used.
    pub(crate) fn has_work(&self) -> bool {
        !self.triggered.is_empty() || self.has_ordinary()
    }
    pub(crate) fn has_triggered(&self) -> bool {
        !self.triggered.is_empty()
    }
    /// Whether there is an ordinary check to send, now or after unfreezing.
    fn has_ordinary(&self) -> bool {
        let frozen =
            |pair: &Pair| matches!(pair.state, PairState::Frozen) && !self.has_active(pair.foundation);
        self.state == ChecklistState::Running
            && self.pairs.iter().any(|pair| matches!(pair.state, PairState::Waiting) || frozen(pair))
    }
    /// RFC 8445 section 6.1.4.2, steps 1 to 3.
    pub(crate) fn next(&mut self) -> Option<PairId> {
        if let Some(id) = self.triggered.pop_front() {
            return Some(id);
        }
        if self.state != ChecklistState::Running {
            return None;
        }
        if !self.pairs.iter().any(|pair| matches!(pair.state, PairState::Waiting)) {
            self.unfreeze_idle();
        }
        self.best(|pair| matches!(pair.state, PairState::Waiting)).map(|pair| pair.id)
    }
    /// Step 2: for each foundation without a pair that waits or is under way, the best frozen one waits.
    fn unfreeze_idle(&mut self) {
        while let Some(id) = self
            .best(|pair| matches!(pair.state, PairState::Frozen) && !self.has_active(pair.foundation))
            .map(|pair| pair.id)
        {
            let Some(pair) = self.get_mut(id) else { return };
            pair.state = pair.state.unfreeze();
        }
    }
    pub(crate) fn has_active(&self, foundation: (Foundation, Foundation)) -> bool {
        self.pairs.iter().any(|pair| {
            pair.foundation == foundation
                && matches!(pair.state, PairState::Waiting | PairState::InProgress(_))
        })
    }
    /// RFC 8445 section 7.2.5.3.3: all that share this foundation wait.
    pub(crate) fn unfreeze(&mut self, foundation: (Foundation, Foundation)) {
        for pair in self.pairs.iter_mut().filter(|pair| pair.foundation == foundation) {
            pair.state = pair.state.unfreeze();
        }
    }
    /// Num-Waiting + Num-In-Progress of RFC 8445 section 14.3.
    pub(crate) fn active(&self) -> usize {
        let active = |pair: &&Pair| matches!(pair.state, PairState::Waiting | PairState::InProgress(_));
        self.pairs.iter().filter(active).count()
    }
    /// Whether a check may still succeed.
    pub(crate) fn has_hope(&self) -> bool {
        !self.triggered.is_empty()
            || self.pairs.iter().any(|pair| {
                matches!(pair.state, PairState::Frozen | PairState::Waiting | PairState::InProgress(_))
            })
    }
    /// RFC 8445 section 8.1.2: all others are removed from checking. `cancelled` is told what was under way.
    pub(crate) fn complete(&mut self, selected: PairId, mut cancelled: impl FnMut(PairId, Check)) {
        self.state = ChecklistState::Completed;
        self.triggered.clear();
        for pair in self.pairs.iter_mut().filter(|pair| pair.id != selected) {
            let (state, check) = pair.state.retire();
            pair.state = state;
            pair.nomination = Nomination::Nobody;
            if let Some(check) = check {
                cancelled(pair.id, check);
            }
        }
    }
}
