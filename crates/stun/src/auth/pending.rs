//! Requests that wait until a back end has looked a user up.
//!
//! The queue is bounded in number and in octets for each. A back end that never answers fills it once: from then on one
//! request goes for each new one, and is counted. Nobody loses but its sender, who asks again. Which one goes is the oldest
//! of all, unless the new one's source has its share of the queue already: then it is the oldest of that source. So one
//! source, which can fill the queue since nothing but a nonce is asked of it, does not starve the others.
//! Nothing here looks at each request that waits.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use core::time::Duration;

use ginnel_core::{Instant, Path, Ticket};

use crate::{
    auth::{User, rate::source_of},
    message::TransactionId,
};

/// RFC 8489 sections 6.2.1 and 6.2.2: after 39.5 s a client has given up.
const PATIENCE: Duration = Duration::from_millis(39_500);

/// Of a full queue, one part in so many is the share of one source.
const SHARES: usize = 8;

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
    /// What waits for each source, an address or a /64; none of them empty.
    by_source: BTreeMap<u64, BTreeSet<Ticket>>,
    /// The first ticket that the user has not been asked about, nor about any behind it.
    unasked: Ticket,
    /// What the user has answered: with [`Pending::waiting`] never more than `max`.
    answered: VecDeque<(Waiting, Option<Arc<User>>)>,
}

/// What became of a request that is to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queued {
    /// It waits.
    New(Ticket),
    /// It waits, and another had to go for it.
    InPlaceOfAnother(Ticket),
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
            by_source: BTreeMap::new(),
            unasked: Ticket(0),
            answered: VecDeque::new(),
        }
    }
    pub(super) fn push(&mut self, now: Instant, path: Path, id: TransactionId, octets: &[u8]) -> Queued {
        if let Some(&ticket) = self.by_transaction.get(&(path, id)) {
            return Queued::Already(ticket);
        }
        let source = source_of(path.remote.ip());
        let full = self.len() >= self.max;
        if full && !self.make_room_for(source) {
            return Queued::NoRoom;
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        let waiting = Waiting { path, octets: octets.into(), transaction_id: id, since: now };
        self.waiting.insert(ticket, waiting);
        self.by_transaction.insert((path, id), ticket);
        self.by_source.entry(source).or_default().insert(ticket);
        if full { Queued::InPlaceOfAnother(ticket) } else { Queued::New(ticket) }
    }
    /// The next of which the user has not heard.
    pub(super) fn ask(&mut self) -> Option<(Ticket, &Waiting)> {
        let (&ticket, waiting) = self.waiting.range(self.unasked..).next()?;
        self.unasked = Ticket(ticket.0 + 1);
        Some((ticket, waiting))
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
        self.by_source.clear();
        self.answered.clear();
    }

    /// False if nothing waits that could go.
    fn make_room_for(&mut self, source: u64) -> bool {
        let share = (self.max / SHARES).max(1);
        let own = self.by_source.get(&source).filter(|own| own.len() >= share);
        let oldest = own.and_then(BTreeSet::first).or_else(|| self.waiting.keys().next());
        match oldest {
            Some(&ticket) => self.remove(ticket).is_some(),
            None => self.answered.pop_front().is_some(),
        }
    }
    fn remove(&mut self, ticket: Ticket) -> Option<Waiting> {
        let waiting = self.waiting.remove(&ticket)?;
        self.by_transaction.remove(&(waiting.path, waiting.transaction_id));
        let source = source_of(waiting.path.remote.ip());
        if let Some(own) = self.by_source.get_mut(&source) {
            own.remove(&ticket);
            if own.is_empty() {
                self.by_source.remove(&source);
            }
        }
        Some(waiting)
    }
}
