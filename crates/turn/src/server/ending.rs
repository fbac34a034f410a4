//! How allocations end: deleted, expired, revoked, drained, with their client's stream, with the server.

use alloc::{sync::Arc, vec::Vec};
use core::net::SocketAddr;

use ginnel_core::{Instant, Notice, Path, Transport};
use ginnel_stun::auth::User;

use super::{
    AllocationId, EndReason, Event, Server,
    allocation::{Relay, Rest, place},
    answer::Reply,
    policy::Claim,
};

/// A relayed address that waits for whoever brings its token.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) relay: Relay,
    pub(super) user: Arc<User>,
    /// It counts as the allocation that it is for: a user holds no more ports by promises than by allocations.
    pub(super) claim: Claim,
}

/// The server takes no more allocations.
#[derive(Debug)]
pub(super) struct Draining {
    pub(super) deadline: Instant,
    alternates: Vec<SocketAddr>,
    /// [`Event::Drained`] was told.
    said: bool,
}
impl Draining {
    pub(super) fn new(deadline: Instant, alternates: &[SocketAddr]) -> Self {
        Self { deadline, alternates: alternates.iter().copied().take(ALTERNATES_MAX).collect(), said: false }
    }
    /// What an Allocate request is answered with: 300 where there is another server of the client's family, with one of the
    /// other family behind it where there is one (RFC 8489 section 10); else 508.
    pub(super) fn refusal(&self, client: Path) -> Reply {
        let first = |is_ipv4| self.alternates.iter().copied().find(|it| it.is_ipv4() == is_ipv4);
        let is_ipv4 = client.remote.is_ipv4();
        first(is_ipv4).map_or(Reply::Error(508), |server| Reply::TryAlternate(server, first(!is_ipv4)))
    }
}
/// How many other servers may be named: one of each family is used.
pub(super) const ALTERNATES_MAX: usize = 16;
/// How many allocations one call of `handle_timeout` ends. After a drain of what that tells, and gives back, it is called
/// again: so a host that wakes up when all have expired loses no event. It takes some 3 ms; all of 100,000 take a quarter of a
/// second.
const ENDED_AT_ONCE: usize = 1024;

impl Server {
    /// Ends an allocation.
    pub(super) fn end_slot(&mut self, slot: u32, reason: EndReason) {
        let Some(allocation) = self.table.remove(slot) else { return };
        for relay in allocation.relays.iter().flatten() {
            self.close_relay(relay, reason);
        }
        // RFC 6062 section 5.5.
        let stats = allocation.stats;
        let Rest { id, user, claim, .. } = allocation.into_rest();
        self.connections.end(id, claim);
        *match reason {
            EndReason::Deleted => &mut self.stats.deleted,
            EndReason::Expired => &mut self.stats.expired,
            _ => &mut self.stats.ended,
        } += 1;
        self.tell(Event::Ended { id, user, reason, stats });
        self.look_for_the_end();
    }
    /// Ends one relayed address of an allocation, and the allocation with the last.
    pub(super) fn end_relay(&mut self, slot: u32, place: usize, reason: EndReason) {
        let Some(allocation) = self.table.get(slot) else { return };
        if allocation.relays.iter().zip(0..).all(|(relay, other)| relay.is_none() || other == place) {
            self.end_slot(slot, reason);
        } else if let Some(relay) = self.table.take_relay(slot, place) {
            self.close_relay(&relay, reason);
        }
    }
    fn close_relay(&mut self, relay: &Relay, reason: EndReason) {
        self.live.close(relay.transport.transport(), relay.external);
        match reason {
            EndReason::RelayLost => self.give_port_back(relay.address, relay.local.port()),
            _ => self.give_back(relay),
        }
    }
    /// Ends what has expired.
    pub(super) fn expire(&mut self, now: Instant) {
        for _ in 0..ENDED_AT_ONCE {
            let Some((_, slot)) = self.table.next_expiry().filter(|&(at, _)| at <= now) else { break };
            self.expire_slot(now, slot);
        }
        while let Some(reserved) = self.reservations.expired(now) {
            self.give_back(&reserved.relay);
        }
        self.expire_openings(now);
        if self.draining.as_ref().is_some_and(|it| it.deadline <= now) {
            self.end_all(EndReason::Drained, ENDED_AT_ONCE);
        }
    }
    /// Ends what has expired of one allocation.
    pub(super) fn expire_slot(&mut self, now: Instant, slot: u32) {
        for place in 0..2 {
            let relay = self.table.get(slot).and_then(|it| it.relays[place]);
            if relay.is_some_and(|it| it.expires <= now) {
                self.end_relay(slot, place, EndReason::Expired);
            }
        }
    }
    /// Ends so many allocations, finished ones, and all that are not.
    pub(super) fn end_all(&mut self, reason: EndReason, most: usize) {
        for _ in 0..most {
            // Each of them expires at some time.
            let Some((_, slot)) = self.table.next_expiry() else { break };
            self.end_slot(slot, reason);
        }
        self.give_up(|_| true);
    }
    /// Ends the allocations of a user, finished or not. How many those were.
    pub(super) fn end_user(&mut self, name: &str, reason: EndReason) -> usize {
        let slots: Vec<u32> = self.table.of_user(name).collect();
        let count = slots.len();
        slots.into_iter().for_each(|slot| self.end_slot(slot, reason));
        count + self.give_up(|user| user.name() == name)
    }
    /// Forgets those requests that have not been answered. How many allocations were being made.
    fn give_up(&mut self, which: impl Fn(&User) -> bool) -> usize {
        let opening = self.openings.clients().filter(|(_, it)| which(it.who.user()));
        let opening: Vec<Path> = opening.map(|(client, _)| *client).collect();
        let count = opening.len();
        for client in opening {
            self.cancel(&client);
        }
        // Nor is anything kept for them.
        self.answers.retain(|it| !which(it.who.user()));
        self.look_for_the_end();
        count
    }
    /// Ends one allocation. False if there is none.
    pub(super) fn end_id(&mut self, id: AllocationId, reason: EndReason) -> bool {
        let slot = self.table.slot_of(id);
        if let Some(slot) = slot {
            self.end_slot(slot, reason);
        }
        slot.is_some()
    }
    /// A socket or a stream is gone.
    pub(super) fn lost(&mut self, notice: Notice) {
        let Notice::Lost { transport, local, remote } = notice else { return };
        match remote {
            Some(remote) => {
                let client = Path::new(transport, local, remote);
                if self.connections.lost(client) {
                    return;
                }
                self.cancel(&client);
                if let Some(slot) = self.table.client(&client)
                    && !self.outlives(slot, &client)
                {
                    self.end_slot(slot, EndReason::Disconnected);
                }
            }
            None => self.lost_relay(transport, local),
        }
        self.look_for_the_end();
    }
    /// A relay socket is gone: of an allocation, or one that is promised to somebody.
    fn lost_relay(&mut self, transport: Transport, local: SocketAddr) {
        let place = place(local.ip());
        let is_it = |it: &Relay| it.local == local && it.transport.transport() == transport;
        let has_it = |slot: &u32| self.table.get(*slot).is_some_and(|it| it.relays[place].iter().any(is_it));
        if let Some(slot) = self.table.relay(local).filter(has_it) {
            self.end_relay(slot, place, EndReason::RelayLost);
        } else if let Some(Reserved { relay, .. }) = self.reservations.take_where(|it| is_it(&it.relay)) {
            // RFC 8656 section 7.2, check 5: its token is not valid any more.
            self.give_port_back(relay.address, local.port());
        } else {
            self.lost_opening(is_it);
        }
    }
    /// Keeps the port above for whoever brings the token that is returned; `None` if there is no room.
    pub(super) fn reserve(&mut self, now: Instant, reserved: Reserved) -> Option<[u8; 8]> {
        let token = self.tokens.reservation();
        match self.reservations.hold(now, token, reserved) {
            Ok(()) => Some(token),
            Err(full) => {
                self.give_back(&full.0.relay);
                None
            }
        }
    }
    /// Whether the drain is done.
    pub(super) fn look_for_the_end(&mut self) {
        let empty = self.table.len() == 0 && self.openings.len() == 0;
        if let Some(draining) = &mut self.draining
            && empty
            && !draining.said
        {
            draining.said = true;
            self.drained = true;
        }
    }
}
