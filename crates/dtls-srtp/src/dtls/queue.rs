//! A bounded queue of datagrams that reuses their memory.

use ginnel_core::Packet;
use std::collections::VecDeque;

/// At most `max` datagrams, in order. Once it has held as many and as long ones, it allocates no more.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    max: usize,
}
impl Queue {
    pub(super) const fn new(max: usize) -> Self {
        Self { waiting: VecDeque::new(), spare: Vec::new(), max }
    }
    /// Appends a copy; false if there are `max` already.
    pub(super) fn push(&mut self, datagram: &[u8]) -> bool {
        if self.waiting.len() >= self.max {
            return false;
        }
        let mut slot = self.spare.pop().unwrap_or_default();
        slot.clear();
        slot.extend_from_slice(datagram);
        self.waiting.push_back(slot);
        true
    }
    /// Moves the oldest into `packet`, emptying it first. `None`: there is none. `Some(false)`: it was there and does not fit,
    /// and is gone.
    pub(super) fn pop(&mut self, packet: &mut Packet<'_>) -> Option<bool> {
        let slot = self.waiting.pop_front()?;
        packet.clear();
        let fits = packet.append(&slot).is_ok();
        self.spare.push(slot);
        Some(fits)
    }
    /// The oldest, by value: give it back by [`Queue::recycle`].
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop_front()
    }
    pub(super) fn recycle(&mut self, slot: Vec<u8>) {
        if self.spare.len() < self.max {
            self.spare.push(slot);
        }
    }
    pub(super) fn drop_oldest(&mut self) {
        if let Some(slot) = self.waiting.pop_front() {
            self.recycle(slot);
        }
    }
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.max);
    }
}
