//! Where transactions are kept: slots that are used again, found by transaction ID, in a queue, and by server.
//!
//! ```text
//!  transaction ID --index--> slot --+-- the transaction
//!  server ---------lanes---> slot --+-- its neighbours in the queue of what is due
//!                                   +-- its neighbours in the lane of its server
//! ```
//!
//! All is reached without a search: an answer finds its transaction by a hash, a server's ten are a list of their own, and
//! what is cancelled leaves queue and lane at once. No more than the most that ever were in progress is kept.

use alloc::{collections::BTreeMap, vec::Vec};
use core::net::SocketAddr;

use hashbrown::HashTable;

use super::{RequestId, transaction::Transaction};
use crate::message::TransactionId;

/// No slot.
const NONE: u32 = u32::MAX;

/// The transactions in progress.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots by transaction ID. The IDs are our own random numbers, so nobody can choose what collides.
    index: HashTable<u32>,
    queue: List,
    lanes: BTreeMap<SocketAddr, List>,
    len: usize,
}
#[derive(Debug)]
struct Slot {
    generation: u32,
    transaction: Option<Transaction>,
    queue: Links,
    lane: Links,
}
/// A list through the slots.
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
    len: u32,
}
impl Default for List {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, len: 0 }
    }
}
/// The neighbours of a slot in a list; `before` is itself where it is in none.
#[derive(Clone, Copy, Debug)]
struct Links {
    linked: bool,
    before: u32,
    after: u32,
}
const UNLINKED: Links = Links { linked: false, before: NONE, after: NONE };

impl Table {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.len
    }
    /// How many slots there are, used or free.
    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }
    /// How many there are with this server.
    pub(super) fn len_with(&self, server: SocketAddr) -> usize {
        self.lanes.get(&server).map_or(0, |lane| lane.len as usize)
    }
    /// Enters a transaction, and says what it is called. `None` where there are more than `u32` counts.
    pub(super) fn insert(&mut self, transaction: Transaction) -> Option<RequestId> {
        let (id, server) = (transaction.id, transaction.path.remote);
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).ok().filter(|&slot| slot != NONE)?;
                self.slots.push(Slot { generation: 0, transaction: None, queue: UNLINKED, lane: UNLINKED });
                // So that the end of a transaction allocates nothing.
                self.free.reserve(self.slots.len());
                slot
            }
        };
        let place = self.slots.get_mut(slot as usize)?;
        place.transaction = Some(transaction);
        let request = RequestId::new(slot, place.generation);
        self.len += 1;
        self.enter_index(slot, id);
        self.enter_lane(slot, server);
        Some(request)
    }
    /// Takes a transaction out of everything.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Transaction> {
        let place = self.slots.get_mut(slot as usize)?;
        let transaction = place.transaction.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.len -= 1;
        self.leave_index(slot, transaction.id);
        self.unqueue(slot);
        self.leave_lane(slot, transaction.path.remote);
        self.free.push(slot);
        Some(transaction)
    }
    /// The slot of a request that is in progress.
    pub(super) fn slot_of(&self, request: RequestId) -> Option<u32> {
        let slot = self.slots.get(request.slot() as usize)?;
        (slot.generation == request.generation() && slot.transaction.is_some()).then_some(request.slot())
    }
    /// What the request in this slot is called.
    pub(super) fn request_of(&self, slot: u32) -> RequestId {
        RequestId::new(slot, self.slots.get(slot as usize).map_or(0, |it| it.generation))
    }
    /// The slot of this transaction.
    pub(super) fn find(&self, id: TransactionId) -> Option<u32> {
        self.index.find(hash(id), |&slot| id_of(&self.slots, slot) == Some(id)).copied()
    }
    pub(super) fn get(&self, slot: u32) -> Option<&Transaction> {
        self.slots.get(slot as usize)?.transaction.as_ref()
    }
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Transaction> {
        self.slots.get_mut(slot as usize)?.transaction.as_mut()
    }
    /// Gives the transaction in `slot` another ID, and another server.
    pub(super) fn rename(&mut self, slot: u32, id: TransactionId, server: SocketAddr) {
        let Some(transaction) = self.get_mut(slot) else { return };
        let old = (transaction.id, transaction.path.remote);
        transaction.id = id;
        transaction.path.remote = server;
        self.leave_index_as(slot, old.0, id);
        if old.1 != server {
            self.leave_lane(slot, old.1);
            self.enter_lane(slot, server);
        }
    }
    /// All slots in use, in the order of slots.
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        // `insert` lets no more slots be than `u32` counts.
        (0..self.slots.len() as u32).filter(|&slot| self.get(slot).is_some())
    }
    /// The first of the lane of a server, or what follows `slot` in it.
    pub(super) fn next_with(&self, server: SocketAddr, slot: Option<u32>) -> Option<u32> {
        let next = match slot {
            None => self.lanes.get(&server)?.head,
            Some(slot) => self.slots.get(slot as usize)?.lane.after,
        };
        (next != NONE).then_some(next)
    }

    /// Puts a slot at the end of the queue, unless it is in it.
    pub(super) fn enqueue(&mut self, slot: u32) {
        link(&mut self.slots, &mut self.queue, slot, |slot| &mut slot.queue);
    }
    /// The first of the queue, which stays in it.
    pub(super) const fn front(&self) -> Option<u32> {
        if self.queue.head == NONE { None } else { Some(self.queue.head) }
    }
    /// Takes a slot out of the queue, if it is in it.
    pub(super) fn unqueue(&mut self, slot: u32) {
        unlink(&mut self.slots, &mut self.queue, slot, |slot| &mut slot.queue);
    }

    fn enter_lane(&mut self, slot: u32, server: SocketAddr) {
        link(&mut self.slots, self.lanes.entry(server).or_default(), slot, |slot| &mut slot.lane);
    }
    fn leave_lane(&mut self, slot: u32, server: SocketAddr) {
        let Some(lane) = self.lanes.get_mut(&server) else { return };
        unlink(&mut self.slots, lane, slot, |slot| &mut slot.lane);
        if lane.len == 0 {
            self.lanes.remove(&server);
        }
    }
    fn enter_index(&mut self, slot: u32, id: TransactionId) {
        let slots = &self.slots;
        self.index.insert_unique(hash(id), slot, |&slot| id_of(slots, slot).map_or(0, hash));
    }
    fn leave_index(&mut self, slot: u32, id: TransactionId) {
        if let Ok(entry) = self.index.find_entry(hash(id), |&other| other == slot) {
            entry.remove();
        }
    }
    fn leave_index_as(&mut self, slot: u32, old: TransactionId, new: TransactionId) {
        self.leave_index(slot, old);
        self.enter_index(slot, new);
    }
}

/// IDs are random, so any eight octets of one are its hash.
fn hash(id: TransactionId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id.octets();
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}
fn id_of(slots: &[Slot], slot: u32) -> Option<TransactionId> {
    slots.get(slot as usize)?.transaction.as_ref().map(|it| it.id)
}

fn link(slots: &mut [Slot], list: &mut List, slot: u32, of: impl Fn(&mut Slot) -> &mut Links) {
    let Some(own) = slots.get_mut(slot as usize) else { return };
    if of(own).linked {
        return;
    }
    *of(own) = Links { linked: true, before: list.tail, after: NONE };
    match slots.get_mut(list.tail as usize) {
        Some(tail) => of(tail).after = slot,
        None => list.head = slot,
    }
    list.tail = slot;
    list.len += 1;
}
fn unlink(slots: &mut [Slot], list: &mut List, slot: u32, of: impl Fn(&mut Slot) -> &mut Links) {
    let Some(own) = slots.get_mut(slot as usize) else { return };
    let Links { linked, before, after } = core::mem::replace(of(own), UNLINKED);
    if !linked {
        return;
    }
    match slots.get_mut(before as usize) {
        Some(before) => of(before).after = after,
        None => list.head = after,
    }
    match slots.get_mut(after as usize) {
        Some(after) => of(after).before = before,
        None => list.tail = before,
    }
    list.len -= 1;
}
