//! Mobility in the server: tickets that go out, and Refresh requests that bring them.

use alloc::{boxed::Box, sync::Arc};

use ginnel_core::{Instant, Path};
use ginnel_stun::{
    Message, Method,
    attribute::{AttributeType, MobilityTicket},
    auth::User,
};

use super::Move;
use crate::server::{
    AllocationId, Event, Server,
    allocation::Allocation,
    answer::Reply,
    asked::{RelayTransport, read},
    policy::Ticket,
};

impl Server {
    /// The ticket that moves this allocation next; `None` if it is not to move.
    pub(in crate::server) fn ticket(&mut self, slot: u32) -> Option<Box<[u8]>> {
        let allocation = self.table.get(slot)?;
        let serial = allocation.mobility.as_ref()?.serial();
        Some(Box::new(self.tokens.ticket(allocation.id.0, serial)))
    }
    /// What the ticket of a Refresh request says; `None` if there is none that a server of this key has made.
    pub(in crate::server) fn brings(&self, message: &Message<'_>) -> Option<Ticket> {
        if !self.config.mobility || message.method() != Method::REFRESH {
            return None;
        }
        let MobilityTicket(ticket) = message.get().ok()??;
        self.tokens.open_ticket(ticket)
    }
    /// Which allocation a ticket of this shard is for.
    fn slot_of(&self, ticket: Ticket) -> Option<u32> {
        let is_ours = ticket.shard == self.config.shard.index;
        let slot = self.table.slot_of(AllocationId(ticket.allocation)).filter(|_| is_ours)?;
        self.table.get(slot)?.mobility.is_some().then_some(slot)
    }
    /// Whose allocation the ticket of a request is for.
    pub(in crate::server) fn user_of_ticket(&self, message: &Message<'_>) -> Option<&Arc<User>> {
        let slot = self.slot_of(self.brings(message)?)?;
        self.table.get(slot).map(|it| &it.user)
    }

    /// RFC 8016 section 3.2.2: a Refresh request with a ticket, from a user who is known.
    pub(in crate::server) fn move_by_ticket(
        &mut self,
        now: Instant,
        from: Path,
        message: &Message<'_>,
        user: &Arc<User>,
    ) -> Result<Reply, Reply> {
        const BAD: Reply = Reply::Error(400);
        if !self.config.mobility {
            return Err(Reply::Error(405));
        }
        read::<MobilityTicket<'_>>(message)?;
        let ticket = self.brings(message).ok_or(BAD)?;
        let slot = self.slot_of(ticket).ok_or(Reply::Error(437))?;
        self.expire_slot(now, slot);
        let Some(allocation) = self.table.get(slot) else { return Err(Reply::Error(437)) };
        let Some(mobility) = &allocation.mobility else { return Err(BAD) };
        let verdict = mobility.judge(now, allocation.client(), ticket.serial, from);
        if verdict == Move::Refused {
            return Err(BAD);
        }
        if allocation.user != *user {
            return Err(Reply::Error(441));
        }
        // RFC 6062 section 5.1 has the same for Allocate: TCP relays are for clients on streams.
        let is_tcp = allocation.relays.iter().flatten().any(|it| it.transport == RelayTransport::Tcp);
        if is_tcp && !from.transport.is_stream() {
            return Err(BAD);
        }
        // The five-tuple has an allocation of its own, or is about to.
        let is_taken = self.table.client(&from).is_some() || self.openings.get(&from).is_some();
        if verdict == Move::Granted && is_taken {
            return Err(Reply::Error(437));
        }
        // First what may fail. A lifetime of zero leaves nothing to move.
        let Reply::Refreshed { lifetime, .. } = self.refresh(now, slot, message)? else { return Err(BAD) };
        if verdict == Move::Granted && lifetime > 0 {
            self.begin_move(now, slot, from);
        }
        Ok(Reply::Refreshed { lifetime, ticket: self.ticket(slot).filter(|_| lifetime > 0) })
    }
    fn begin_move(&mut self, now: Instant, slot: u32, to: Path) {
        self.table.begin_move(now, slot, to);
        self.stats.moved += 1;
        let Some(allocation) = self.table.get(slot) else { return };
        let (id, user) = (allocation.id, Arc::clone(&allocation.user));
        self.tell(Event::Moved { id, user, client: to });
        // Where the old stream has ended already there is nothing to wait for.
        if self.table.get(slot).is_some_and(Allocation::is_left) {
            self.table.settle_move(slot, &to);
        }
    }
    /// Data has come from the client on this five-tuple: if the allocation was moving there, it has arrived.
    #[inline]
    pub(in crate::server) fn arrived(&mut self, slot: u32, from: &Path) {
        if self.table.get(slot).is_some_and(|it| it.mobility.is_some()) {
            self.table.settle_move(slot, from);
        }
    }
    /// The stream of a client has ended. True if the allocation lives on: it has another, or may move to one.
    pub(in crate::server) fn outlives(&mut self, slot: u32, stream: &Path) -> bool {
        let Some(allocation) = self.table.get(slot) else { return false };
        let Some(mobility) = allocation.mobility.as_ref().filter(|_| self.config.mobility) else {
            return false;
        };
        match mobility.to().copied() {
            Some(to) if to == *stream => self.table.cancel_move(slot),
            Some(to) => self.table.settle_move(slot, &to),
            None => self.table.leave(slot),
        }
        true
    }
}

/// Where the client of an allocation is whose stream has ended, and that waits to be moved: no stream has such an end.
pub(in crate::server) const fn nowhere(client: Path) -> Path {
    let ip = core::net::IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED);
    Path::new(client.transport, client.local, core::net::SocketAddr::new(ip, 0))
}

/// Whether a Refresh request brings a ticket, good or bad.
pub(in crate::server) fn has_ticket(message: &Message<'_>) -> bool {
    message.method() == Method::REFRESH && message.has(AttributeType::MOBILITY_TICKET)
}
