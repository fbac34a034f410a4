//! All allocations: a slab, with hash tables from the five-tuple, the relayed address and the user, and a heap of expiry.
//!
//! The tables hold numbers of slots and parts of hashes, so a look-up reads one word, or a few side by side, and the allocation
//! itself: what it costs does not grow with how many there are, caches aside.

use alloc::{sync::Arc, vec::Vec};
use core::net::SocketAddr;

use ginnel_core::{Instant, Path, Seed};
use hashbrown::HashTable;

use super::{
    AllocationId,
    allocation::{Allocation, Neighbours, Relay, place},
    compact::{Compact, FiveTuple},
    hash::HashKey,
    index::Index,
    mobility::nowhere,
    timers::Timers,
};

/// All allocations of a machine.
#[derive(Debug)]
pub(super) struct Table {
    key: HashKey,
    slots: Vec<Option<Allocation>>,
    free: Vec<u32>,
    /// The number of the slot, and in the low bit whether it is where the allocation is moving to.
    by_client: Index,
    /// The number of the slot, and in the low bit which of its two relays.
    by_relay: Index,
    /// The first of each user's list.
    by_user: HashTable<u32>,
    timers: Timers,
    made: u32,
}
impl Table {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            key: HashKey::new(seed),
            slots: Vec::new(),
            free: Vec::new(),
            by_client: Index::default(),
            by_relay: Index::default(),
            by_user: HashTable::new(),
            timers: Timers::default(),
            made: 0,
        }
    }
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
    /// The allocation of a five-tuple.
    #[inline]
    pub(super) fn client(&self, path: &Path) -> Option<u32> {
        let (slots, client) = (&self.slots, FiveTuple::new(path));
        let found = self.by_client.find(self.key.path(path), |it| is_at(slots, it, &client, path))?;
        Some(found >> 1)
    }
    /// The allocation of a relayed transport address, as the driver has it.
    #[inline]
    pub(super) fn relay(&self, local: SocketAddr) -> Option<u32> {
        let (slots, at) = (&self.slots, Compact::new(local));
        let found = self.by_relay.find(self.key.local(local), |it| relay_at(slots, it) == Some(&at))?;
        Some(found >> 1)
    }
    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Allocation> {
        self.slots.get(slot as usize)?.as_ref()
    }
    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Allocation> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }
    pub(super) fn iter(&self) -> impl Iterator<Item = &Allocation> {
        self.slots.iter().flatten()
    }
    /// The slots that are taken.
    pub(super) fn slots(&self) -> impl Iterator<Item = (u32, &Allocation)> {
        self.slots.iter().zip(0..).filter_map(|(it, slot)| Some((slot, it.as_ref()?)))
    }
    /// Takes an allocation in, under a name of its own. Its five-tuple and its relays are nobody else's.
    pub(super) fn insert(&mut self, mut allocation: Allocation) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.made = self.made.wrapping_add(1);
        allocation.id = AllocationId(u64::from(self.made) << 32 | u64::from(slot));
        let (client, locals) = (allocation.client(), *allocation.locals());
        self.slots[slot as usize] = Some(allocation);
        self.link_client(slot << 1, &client);
        self.link_user(slot);
        for (local, place) in locals.into_iter().zip(0..) {
            let Some(local) = local else { continue };
            self.by_relay.insert(self.key.local(local.get()), slot << 1 | place);
        }
        self.reschedule(slot);
        slot
    }
    /// The slot of an allocation that has this name.
    pub(super) fn slot_of(&self, id: AllocationId) -> Option<u32> {
        // The number of the slot is the lower half of the name.
        let slot = id.0 as u32;
        self.get(slot).is_some_and(|it| it.id == id).then_some(slot)
    }
    /// Gives an allocation that may move a second five-tuple, which is nobody else's (RFC 8016 section 3.2.2).
    pub(super) fn begin_move(&mut self, now: Instant, slot: u32, to: Path) {
        self.cancel_move(slot);
        let Some(mobility) = self.get_mut(slot).and_then(|it| it.mobility.as_mut()) else { return };
        mobility.begin(now, to);
        self.link_client(slot << 1 | MOVING, &to);
    }
    /// Takes the second five-tuple back.
    pub(super) fn cancel_move(&mut self, slot: u32) {
        let Some(to) = self.get_mut(slot).and_then(|it| it.mobility.as_mut()?.cancel()) else { return };
        self.unlink_client(slot << 1 | MOVING, &to);
    }
    /// If this is the second five-tuple, makes it the only one.
    pub(super) fn settle_move(&mut self, slot: u32, to: &Path) {
        let Some(allocation) = self.get_mut(slot) else { return };
        if allocation.mobility.as_ref().and_then(|it| it.to()) != Some(to) {
            return;
        }
        let from = allocation.replace_client(to);
        self.unlink_client(slot << 1, &from);
        self.cancel_move(slot);
        self.link_client(slot << 1, to);
    }
    /// Leaves an allocation without a five-tuple, until it is moved to one.
    pub(super) fn leave(&mut self, slot: u32) {
        let Some(allocation) = self.get_mut(slot) else { return };
        let from = allocation.client();
        allocation.replace_client(&nowhere(from));
        self.unlink_client(slot << 1, &from);
    }
    /// Takes an allocation out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Allocation> {
        let (client, locals) = self.get(slot).map(|it| (it.client(), *it.locals()))?;
        self.cancel_move(slot);
        self.unlink_client(slot << 1, &client);
        self.unlink_user(slot);
        for local in locals.into_iter().flatten() {
            self.unlink_relay(&local);
        }
        self.timers.set(slot, None);
        self.free.push(slot);
        self.slots.get_mut(slot as usize)?.take()
    }
    /// Takes one relay off an allocation that keeps the other, with the permissions and channels of its family (RFC 8656
    /// section 8.1).
    pub(super) fn take_relay(&mut self, slot: u32, which: usize) -> Option<Relay> {
        let local = (*self.get(slot)?.locals().get(which)?)?;
        self.unlink_relay(&local);
        let allocation = self.get_mut(slot)?;
        let relay = allocation.relays.get_mut(which)?.take();
        allocation.channels.retain(|it| place(it.peer_ip()) != which);
        allocation.permissions.retain(|it| place(it.ip) != which);
        allocation.place_locals();
        self.reschedule(slot);
        relay
    }
    fn unlink_relay(&mut self, local: &Compact) {
        let slots = &self.slots;
        self.by_relay.remove(self.key.local(local.get()), |it| relay_at(slots, it) == Some(local));
    }
    fn link_client(&mut self, held: u32, path: &Path) {
        self.by_client.insert(self.key.path(path), held);
    }
    fn unlink_client(&mut self, held: u32, path: &Path) {
        self.by_client.remove(self.key.path(path), |it| it == held);
    }
    /// The allocations of a user.
    pub(super) fn of_user(&self, name: &str) -> impl Iterator<Item = u32> {
        let first = self.by_user.find(self.key.text(name), |&it| self.user_at(it) == Some(name)).copied();
        core::iter::successors(first, |&slot| self.get(slot)?.of_user.after)
    }
    fn user_at(&self, slot: u32) -> Option<&str> {
        Some(self.get(slot)?.user.name())
    }
    /// Puts an allocation in front of its user's list.
    fn link_user(&mut self, slot: u32) {
        let Some(user) = self.get(slot).map(|it| Arc::clone(&it.user)) else { return };
        let first = self.of_user(user.name()).next();
        if let Some(first) = first
            && let Some(it) = self.get_mut(first)
        {
            it.of_user.before = Some(slot);
        }
        if let Some(it) = self.get_mut(slot) {
            it.of_user = Neighbours { before: None, after: first };
        }
        self.replace_first(user.name(), first, Some(slot));
    }
    fn unlink_user(&mut self, slot: u32) {
        let Some((user, Neighbours { before, after })) =
            self.get(slot).map(|it| (Arc::clone(&it.user), it.of_user))
        else {
            return;
        };
        if let Some(it) = after.and_then(|after| self.get_mut(after)) {
            it.of_user.before = before;
        }
        match before.and_then(|before| self.get_mut(before)) {
            Some(it) => it.of_user.after = after,
            None => self.replace_first(user.name(), Some(slot), after),
        }
    }
    fn replace_first(&mut self, name: &str, old: Option<u32>, new: Option<u32>) {
        let (key, slots) = (self.key, &self.slots);
        match (old, new) {
            (Some(old), new) => {
                let Ok(mut entry) = self.by_user.find_entry(key.text(name), |&it| it == old) else { return };
                match new {
                    Some(new) => *entry.get_mut() = new,
                    None => drop(entry.remove()),
                }
            }
            (None, Some(new)) => {
                let hash = |&other: &u32| {
                    let allocation = slots.get(other as usize).and_then(Option::as_ref);
                    allocation.map_or(0, |it| key.text(it.user.name()))
                };
                self.by_user.insert_unique(key.text(name), new, hash);
            }
            (None, None) => {}
        }
    }
    /// To be called whenever a relay's expiry has changed.
    pub(super) fn reschedule(&mut self, slot: u32) {
        let at = self.get(slot).and_then(Allocation::expires);
        self.timers.set(slot, at);
    }
    /// The next allocation of which something expires.
    #[inline]
    pub(super) fn next_expiry(&self) -> Option<(Instant, u32)> {
        self.timers.next()
    }
}

#[cfg(test)]
impl Table {
    /// Asserts that each five-tuple of each allocation is found, and nothing else.
    pub(super) fn check(&self) {
        let mut tuples = 0;
        for (slot, allocation) in self.slots() {
            let client = Some(allocation.client()).filter(|it| it.remote.port() != 0);
            let to = allocation.mobility.as_ref().and_then(|it| it.to().copied());
            for path in client.into_iter().chain(to) {
                assert_eq!(self.client(&path), Some(slot), "{path}");
                tuples += 1;
            }
        }
        assert_eq!(self.by_client.len(), tuples);
        let of_users = self.by_user.iter().flat_map(|&first| {
            let name = self.user_at(first).unwrap();
            self.of_user(name).inspect(move |&slot| assert_eq!(self.user_at(slot), Some(name)))
        });
        assert_eq!(of_users.count(), self.len());
        assert_eq!(self.len(), self.slots().count());
    }
}

/// In what [`Table::by_client`] holds: where the allocation is moving to.
const MOVING: u32 = 1;
/// Whether what [`Table::by_client`] holds is of this five-tuple, in its two forms.
#[inline]
fn is_at(slots: &[Option<Allocation>], held: u32, client: &FiveTuple, path: &Path) -> bool {
    let Some(Some(allocation)) = slots.get(held as usize >> 1) else { return false };
    if held & MOVING == 0 {
        return allocation.is_of(client);
    }
    allocation.mobility.as_ref().and_then(|it| it.to()) == Some(path)
}
/// The local address of what [`Table::by_relay`] holds.
#[inline]
fn relay_at(slots: &[Option<Allocation>], held: u32) -> Option<&Compact> {
    let allocation = slots.get(held as usize >> 1)?.as_ref()?;
    allocation.locals()[held as usize & 1].as_ref()
}
