//! What a NAT remembers: mappings, and whom its hosts have sent to. Both are bounded, and forget what is too old.

use alloc::collections::BTreeMap;
use core::{net::SocketAddr, time::Duration};

use ginnel_core::Instant;

use super::words::PeerPart;

/// Whom internal endpoints have sent to, and when: the state of a filter (RFC 4787 section 5).
#[derive(Debug)]
pub(crate) struct Permits {
    sent: BTreeMap<(SocketAddr, PeerPart), Instant>,
    pub(crate) expiry: Duration,
    pub(crate) max: usize,
}
impl Permits {
    pub(crate) const fn new(expiry: Duration, max: usize) -> Self {
        Self { sent: BTreeMap::new(), expiry, max }
    }
    /// Notes that `inside` sends to `peer`. False when there are too many already.
    pub(crate) fn grant(&mut self, now: Instant, inside: SocketAddr, peer: PeerPart) -> bool {
        if !self.sent.contains_key(&(inside, peer)) && self.sent.len() >= self.max {
            let expiry = self.expiry;
            self.sent.retain(|_, used| is_fresh(now, *used, expiry));
            if self.sent.len() >= self.max {
                return false;
            }
        }
        self.sent.insert((inside, peer), now);
        true
    }
    /// Whether `inside` may hear from `peer`.
    pub(crate) fn allow(&self, now: Instant, inside: SocketAddr, peer: PeerPart) -> bool {
        self.sent.get(&(inside, peer)).is_some_and(|used| is_fresh(now, *used, self.expiry))
    }
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }
}

/// The mappings, found from either side.
#[derive(Debug)]
pub(crate) struct Mappings {
    /// By what decides which mapping is used: the internal endpoint, and so much of the peer's as the NAT tells apart.
    outward: BTreeMap<(SocketAddr, PeerPart), SocketAddr>,
    inward: BTreeMap<SocketAddr, Entry>,
    pub(crate) expiry: Duration,
    pub(crate) max: usize,
}
#[derive(Clone, Copy, Debug)]
struct Entry {
    inside: SocketAddr,
    peer: PeerPart,
    used: Instant,
}
impl Mappings {
    pub(crate) const fn new(expiry: Duration, max: usize) -> Self {
        Self { outward: BTreeMap::new(), inward: BTreeMap::new(), expiry, max }
    }
    /// The external endpoint of a mapping that lives; using it from inside refreshes it.
    pub(crate) fn find(&mut self, now: Instant, inside: SocketAddr, peer: PeerPart) -> Option<SocketAddr> {
        let external = *self.outward.get(&(inside, peer))?;
        if !self.is_taken(now, external) {
            return None;
        }
        self.refresh(now, external);
        Some(external)
    }
    /// Whether an external endpoint belongs to a mapping that lives. One that does not is forgotten.
    pub(crate) fn is_taken(&mut self, now: Instant, external: SocketAddr) -> bool {
        let Some(entry) = self.inward.get(&external) else { return false };
        if is_fresh(now, entry.used, self.expiry) {
            return true;
        }
        self.outward.remove(&(entry.inside, entry.peer));
        self.inward.remove(&external);
        false
    }
    /// Whether there is room for one more.
    pub(crate) fn has_room(&mut self, now: Instant) -> bool {
        if self.inward.len() >= self.max {
            let expiry = self.expiry;
            self.inward.retain(|_, entry| is_fresh(now, entry.used, expiry));
            let inward = &self.inward;
            self.outward.retain(|_, external| inward.contains_key(external));
        }
        self.inward.len() < self.max
    }
    pub(crate) fn add(&mut self, now: Instant, inside: SocketAddr, peer: PeerPart, external: SocketAddr) {
        self.outward.insert((inside, peer), external);
        self.inward.insert(external, Entry { inside, peer, used: now });
    }
    /// Whose external endpoint it is.
    pub(crate) fn inside_of(&mut self, now: Instant, external: SocketAddr) -> Option<SocketAddr> {
        if !self.is_taken(now, external) {
            return None;
        }
        self.inward.get(&external).map(|entry| entry.inside)
    }
    pub(crate) fn refresh(&mut self, now: Instant, external: SocketAddr) {
        if let Some(entry) = self.inward.get_mut(&external) {
            entry.used = now;
        }
    }
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        assert_eq!(self.outward.len(), self.inward.len(), "each mapping is found from both sides");
        self.inward.len()
    }
}

fn is_fresh(now: Instant, used: Instant, expiry: Duration) -> bool {
    now.saturating_since(used) < expiry
}
