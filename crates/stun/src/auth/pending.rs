//! Requests that wait until a back end has looked a user up.
//!
//! The queue is bounded in number and in octets for each. A back end that never answers fills it once: from then on the
//! oldest request goes for each new one, and is counted. Nobody loses but its sender, who asks again.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use core::time::Duration;

use ginnel_core::{Instant, Path, Ticket};

use crate::{auth::User, message::TransactionId};

/// RFC 8489 sections 6.2.1 and 6.2.2: after 39.5 s a client has given up.
const PATIENCE: Duration = Duration::from_millis(39_500);

/// A request, as it came.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) path: Path,
    pub(super) octets: Box<[u8]>,
    transaction_id: TransactionId,
    since: Instant,
}

#[derive(Debug)]
pub(super) struct Pending {
    max: usize,
    next: u64,
    waiting: BTreeMap<Ticket, Waiting>,
    /// So that a retransmission does not wait a second time.
    by_transaction: BTreeMap<(Path, TransactionId), Ticket>,
    /// What the user has not been asked yet: a subset of what waits, in order.
    unasked: VecDeque<Ticket>,
    /// What the user has answered: with [`Pending::waiting`] never more than `max`.
    answered: VecDeque<(Waiting, Option<Arc<User>>)>,
}

/// What became of a request that is to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queued {
    /// It waits.
    New(Ticket),
    /// It waits, and another had to go for it.
    InPlaceOfTheOldest(Ticket),
    /// It waits already.
    Already(Ticket),
    /// There is no room at all.
    NoRoom,
}

impl Pending {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            max,
            next: 0,
            waiting: BTreeMap::new(),
            by_transaction: BTreeMap::new(),
            unasked: VecDeque::new(),
            answered: VecDeque::new(),
        }
    }
    pub(super) fn push(&mut self, now: Instant, path: Path, id: TransactionId, octets: &[u8]) -> Queued {
        if let Some(&ticket) = self.by_transaction.get(&(path, id)) {
            return Queued::Already(ticket);
        }
        let full = self.len() >= self.max;
        if full && !self.drop_oldest() {
            return Queued::NoRoom;
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        let waiting = Waiting { path, octets: octets.into(), transaction_id: id, since: now };
        self.waiting.insert(ticket, waiting);
        self.by_transaction.insert((path, id), ticket);
        self.unasked.push_back(ticket);
        if full { Queued::InPlaceOfTheOldest(ticket) } else { Queued::New(ticket) }
    }
    /// The next of which the user has not heard.
    pub(super) fn ask(&mut self) -> Option<(Ticket, &Waiting)> {
        let ticket = self.unasked.pop_front()?;
        Some((ticket, self.waiting.get(&ticket)?))
    }
    /// Whether there is one that the user has not heard of.
    pub(super) fn has_unasked(&self) -> bool {
        !self.unasked.is_empty()
    }
    /// False if it waits no more.
    pub(super) fn answer(&mut self, ticket: Ticket, user: Option<Arc<User>>) -> bool {
        let Some(waiting) = self.remove(ticket) else { return false };
        self.answered.push_back((waiting, user));
        true
    }
    /// The next that was answered while its sender still cares.
    pub(super) fn poll_answered(&mut self, now: Instant) -> Option<(Waiting, Option<Arc<User>>)> {
        loop {
            let (waiting, user) = self.answered.pop_front()?;
            if now.saturating_since(waiting.since) < PATIENCE {
                return Some((waiting, user));
            }
        }
    }
    /// Requests that are kept, answered or not.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.answered.len()
    }
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.by_transaction.clear();
        self.unasked.clear();
        self.answered.clear();
    }

    fn drop_oldest(&mut self) -> bool {
        match self.waiting.first_key_value() {
            Some((&ticket, _)) => self.remove(ticket).is_some(),
            None => self.answered.pop_front().is_some(),
        }
    }
    fn remove(&mut self, ticket: Ticket) -> Option<Waiting> {
        let waiting = self.waiting.remove(&ticket)?;
        self.by_transaction.remove(&(waiting.path, waiting.transaction_id));
        self.unasked.retain(|&other| other != ticket);
        Some(waiting)
    }
}
