//! Allocate (RFC 8656 section 7.2): who may have an allocation, and what it is.

use alloc::{boxed::Box, sync::Arc};
use core::time::Duration;

use ginnel_core::{Instant, Path};
use ginnel_stun::{
    Message, TransactionId,
    attribute::{AddressFamily, AttributeType},
    auth::{Authenticated, User},
};

use super::{
    AllocationId, Credentials, Event, Server,
    allocation::{Allocation, Made, Neighbours, Rest},
    answer::{Allocated, Reply, Unknown},
    asked::{Head, RelayTransport, Wish, Wishes},
    few::Few,
    policy::{Bandwidth, Claim, QuotaExceeded},
    relays::Opening,
};
use crate::rest::RestName;

impl Server {
    /// RFC 8656 section 7.2. `None` if the answer follows when the driver has opened the sockets.
    pub(super) fn allocate(
        &mut self,
        now: Instant,
        path: Path,
        head: Head,
        message: &Message<'_>,
        who: &Authenticated,
    ) -> Option<Reply> {
        match self.known_allocate(path, head.id, who.user()) {
            Known::No => {}
            Known::Made(reply) => return Some(reply),
            Known::BeingMade => return None,
        }
        match self.admit(now, path, head, message, who) {
            Ok(opening) => {
                self.open(now, path, opening);
                None
            }
            Err(reply) => Some(reply),
        }
    }
    /// Check 2: whether the five-tuple is in use; by this very request perhaps, which is then answered as before.
    fn known_allocate(&mut self, path: Path, id: TransactionId, user: &Arc<User>) -> Known {
        if let Some(slot) = self.table.client(&path) {
            let is_it = |it: &Allocation| it.made.by == id && it.user == *user;
            return if self.table.get(slot).is_some_and(is_it) {
                Known::Made(self.allocated(slot))
            } else {
                Known::Made(Reply::Error(437))
            };
        }
        match self.openings.get(&path) {
            None => Known::No,
            Some(opening) if opening.head.id == id && opening.who.user() == user => Known::BeingMade,
            Some(_) => Known::Made(Reply::Error(437)),
        }
    }
    /// Checks 3 to 11.
    fn admit(
        &mut self,
        now: Instant,
        path: Path,
        head: Head,
        message: &Message<'_>,
        who: &Authenticated,
    ) -> Result<Opening, Reply> {
        let wishes = Wishes::of(message, self.config.tcp_relays)?;
        // RFC 6062 section 5.1.
        if wishes.transport == RelayTransport::Tcp && !path.transport.is_stream() {
            return Err(Reply::Error(400));
        }
        // Check 4.
        if message.has(AttributeType::DONT_FRAGMENT) && self.translates_unseen(now, path, &wishes) {
            return Err(Reply::Unknown(Unknown::of(AttributeType::DONT_FRAGMENT)));
        }
        // RFC 8016 section 3.1.2.
        if wishes.mobility && !self.config.mobility {
            return Err(Reply::Error(405));
        }
        if let Some(draining) = &self.draining {
            return Err(draining.refusal(path));
        }
        if self.table.len() + self.openings.len() >= self.config.limits.allocations {
            return Err(Reply::Error(508));
        }
        if let Wish::Reserved(token) = wishes.wish {
            // Check 5: the token is as good as the user who was given it. What it is for was counted when it was promised.
            let held = self.reservations.take_if(now, token, |it| it.user == *who.user());
            let held = held.ok_or(Reply::Error(508))?;
            let mut opening = Opening::new(head, who.clone(), wishes, held.claim);
            opening.hold(held.relay);
            return Ok(opening);
        }
        let mut opening = Opening::new(head, who.clone(), wishes, self.claim(who.user())?);
        if wishes.wish == Wish::Pair {
            opening.claim_above = Some(self.claim(who.user())?);
        }
        Ok(opening)
    }
    /// RFC 8656 section 3.7: whether datagrams become IPv6 of which nobody says whether they could be fragmented as IPv4.
    /// Drivers do not tell that of an arrival.
    fn translates_unseen(&self, now: Instant, client: Path, wishes: &Wishes) -> bool {
        let is_translated = match wishes.wish {
            Wish::Reserved(token) => {
                self.reservations.get(now, token).is_some_and(|it| it.relay.local.is_ipv6())
            }
            _ => wishes.both || wishes.family == AddressFamily::Ipv6,
        };
        let is_unseen = !client.transport.is_stream() && client.remote.is_ipv4();
        is_translated && is_unseen && self.serves(AddressFamily::Ipv6)
    }
    /// A share of the quotas: 486 or 508 if there is none.
    fn claim(&mut self, user: &User) -> Result<Claim, Reply> {
        self.quotas.claim(self.quota_name(user)).map_err(|exceeded| match exceeded {
            QuotaExceeded::User => Reply::Error(486),
            QuotaExceeded::Total => Reply::Error(508),
        })
    }
    /// By which name a user's allocations are counted.
    fn quota_name<'u>(&self, user: &'u User) -> &'u str {
        match &self.config.credentials {
            Credentials::Rest(secrets) => RestName::owner(user.name(), secrets.separator()),
            _ => user.name(),
        }
    }

    /// Makes the allocation: all its sockets are open.
    pub(super) fn make(&mut self, now: Instant, path: Path, opening: Opening) -> Reply {
        let lifetime = self.lifetime(now, opening.wishes.lifetime);
        let expires = now + Duration::from_secs(u64::from(lifetime));
        let mut relays = opening.relays;
        for relay in relays.iter_mut().flatten() {
            relay.expires = expires;
            self.live.open(relay.transport.transport(), relay.external);
        }
        let user = Arc::clone(opening.who.user());
        let token = opening.token;
        let rest = Rest {
            relays,
            permissions: Few::new(),
            bandwidth: Bandwidth::default(),
            claim: opening.claim,
            id: AllocationId(0),
            user: Arc::clone(&user),
            of_user: Neighbours::default(),
            made: Made { by: opening.head.id, lifetime, token, failed: opening.failed },
        };
        let allocation = Allocation::new(&path, opening.wishes.mobility.then(Box::default), rest);
        let [first, second] = relays.map(|it| it.map(|it| it.external));
        let slot = self.table.insert(allocation);
        self.stats.allocated += 1;
        let reply = self.allocated(slot);
        if let (Some(id), Some(relayed)) = (self.table.get(slot).map(|it| it.id), first.or(second)) {
            let additional = second.filter(|_| first.is_some());
            self.tell(Event::Allocated { id, user, client: path, relayed, additional });
        }
        reply
    }
    /// What the success response says of an allocation.
    fn allocated(&mut self, slot: u32) -> Reply {
        let ticket = self.ticket(slot);
        let Some(allocation) = self.table.get(slot) else { return Reply::Error(437) };
        let Made { lifetime, token, failed, .. } = allocation.made;
        let relayed = allocation.relays.map(|it| it.map(|it| it.external));
        Reply::Allocated(Allocated { relayed, failed, lifetime, token, ticket })
    }
    /// RFC 8656 sections 7.2 and 8.2: how long an allocation lives for which this was asked, in seconds.
    pub(super) fn lifetime(&self, now: Instant, asked: Option<u32>) -> u32 {
        let (default, max) = (self.config.lifetimes.default, self.config.lifetimes.max);
        let asked = Duration::from_secs(u64::from(asked.unwrap_or(0))).min(max).max(default);
        let left = self.draining.as_ref().map_or(Duration::MAX, |it| it.deadline.saturating_since(now));
        // At least a second: zero would say that the allocation is gone.
        u32::try_from(asked.min(left).as_secs()).unwrap_or(u32::MAX).max(1)
    }
}

/// What is known of an Allocate request.
enum Known {
    No,
    BeingMade,
    Made(Reply),
}
