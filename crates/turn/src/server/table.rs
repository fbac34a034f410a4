//! All allocations: a slab, with a hash table from the five-tuple, one from the relayed address, and a heap of expiry.
//!
//! The tables hold numbers of slots and nothing else, so a look-up reads a byte or two of tags, one number, and the allocation
//! itself: what it costs does not grow with how many there are, caches aside.

use alloc::vec::Vec;
use core::net::SocketAddr;

use ginnel_core::{Instant, Path, Seed};
use hashbrown::HashTable;

use super::{
    AllocationId,
    allocation::{Allocation, Relay},
    hash::HashKey,
    timers::Timers,
};

/// All allocations of a machine.
#[derive(Debug)]
pub(super) struct Table {
    key: HashKey,
    slots: Vec<Option<Allocation>>,
    free: Vec<u32>,
    by_client: HashTable<u32>,
    /// The number of the slot, and in the low bit which of its two relays.
    by_relay: HashTable<u32>,
    timers: Timers,
    made: u32,
}
impl Table {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            key: HashKey::new(seed),
            slots: Vec::new(),
            free: Vec::new(),
            by_client: HashTable::new(),
            by_relay: HashTable::new(),
            timers: Timers::default(),
            made: 0,
        }
    }
    pub(super) fn len(&self) -> usize {
        self.by_client.len()
    }
    /// The allocation of a five-tuple.
    #[inline]
    pub(super) fn client(&self, path: &Path) -> Option<u32> {
        let slots = &self.slots;
        self.by_client.find(self.key.path(path), |&slot| is_client(slots, slot, path)).copied()
    }
    /// The allocation of a relayed transport address, as the driver has it.
    #[inline]
    pub(super) fn relay(&self, local: SocketAddr) -> Option<u32> {
        let slots = &self.slots;
        let found = self.by_relay.find(self.key.local(local), |&it| relay_at(slots, it) == Some(local))?;
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
        let (client, relays) = (allocation.client, allocation.relays);
        self.slots[slot as usize] = Some(allocation);
        self.link_client(slot, &client);
        for (relay, place) in relays.into_iter().zip(0..) {
            let Some(relay) = relay else { continue };
            let (key, slots) = (self.key, &self.slots);
            self.by_relay.insert_unique(key.local(relay.local), slot << 1 | place, |&other| {
                relay_at(slots, other).map_or(0, |local| key.local(local))
            });
        }
        self.reschedule(slot);
        slot
    }
    #[allow(dead_code, reason = "mobility moves")]
    /// Gives an allocation another five-tuple, which is nobody else's (RFC 8016 section 3.2).
    pub(super) fn move_client(&mut self, slot: u32, to: Path) {
        let Some(from) = self.get(slot).map(|it| it.client) else { return };
        self.unlink_client(slot, &from);
        if let Some(allocation) = self.get_mut(slot) {
            allocation.client = to;
        }
        self.link_client(slot, &to);
    }
    /// Takes an allocation out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Allocation> {
        let (client, relays) = self.get(slot).map(|it| (it.client, it.relays))?;
        self.unlink_client(slot, &client);
        for relay in relays.into_iter().flatten() {
            self.unlink_relay(relay.local);
        }
        self.timers.set(slot, None);
        self.free.push(slot);
        self.slots.get_mut(slot as usize)?.take()
    }
    /// Takes one relay off an allocation that keeps the other.
    pub(super) fn take_relay(&mut self, slot: u32, place: usize) -> Option<Relay> {
        let local = self.get(slot)?.relays.get(place)?.as_ref()?.local;
        self.unlink_relay(local);
        let relay = self.get_mut(slot)?.relays.get_mut(place)?.take();
        self.reschedule(slot);
        relay
    }
    fn unlink_relay(&mut self, local: SocketAddr) {
        let slots = &self.slots;
        if let Ok(entry) =
            self.by_relay.find_entry(self.key.local(local), |&it| relay_at(slots, it) == Some(local))
        {
            entry.remove();
        }
    }
    fn link_client(&mut self, slot: u32, path: &Path) {
        let (key, slots) = (self.key, &self.slots);
        self.by_client.insert_unique(key.path(path), slot, |&other| {
            slots.get(other as usize).and_then(Option::as_ref).map_or(0, |it| key.path(&it.client))
        });
    }
    fn unlink_client(&mut self, slot: u32, path: &Path) {
        if let Ok(entry) = self.by_client.find_entry(self.key.path(path), |&it| it == slot) {
            entry.remove();
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

#[inline]
fn is_client(slots: &[Option<Allocation>], slot: u32, path: &Path) -> bool {
    slots.get(slot as usize).and_then(Option::as_ref).is_some_and(|it| it.client == *path)
}
/// The local address of what [`Table::by_relay`] holds.
#[inline]
fn relay_at(slots: &[Option<Allocation>], held: u32) -> Option<SocketAddr> {
    let allocation = slots.get(held as usize >> 1)?.as_ref()?;
    Some(allocation.relays[held as usize & 1].as_ref()?.local)
}
