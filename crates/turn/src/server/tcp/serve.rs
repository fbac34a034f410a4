//! TCP relays in the server: Connect and ConnectionBind requests, streams of peers, and what clients are told of them.

use alloc::sync::Arc;
use core::{net::SocketAddr, num::NonZeroU32};

use ginnel_core::{Instant, Packet, Path, StreamRate, Transmit, Transport};
use ginnel_stun::{
    Class, Message, MessageWriter, Method, TransactionId,
    attribute::{ConnectionId, XorPeerAddress},
    auth::{Authenticated, User},
};

use super::Say;
use crate::server::{
    AllocationId, Server,
    allocation::Allocation,
    answer::Reply,
    asked::{Head, RelayTransport, read},
    policy::Rate,
};

/// What is kept to answer a Connect request.
#[derive(Debug)]
pub(in crate::server) struct Asked {
    path: Path,
    head: Head,
    who: Authenticated,
}

impl Server {
    /// RFC 6062 section 5.2. `None` if the answer follows when the peer has answered, or has not.
    pub(in crate::server) fn connect(
        &mut self,
        now: Instant,
        slot: u32,
        (path, head): (Path, Head),
        message: &Message<'_>,
        who: &Authenticated,
    ) -> Option<Reply> {
        match self.may_connect(slot, message) {
            Err(reply) => Some(reply),
            Ok((of, peer)) => {
                let ticket = self.openings.next_ticket();
                let asked = Asked { path, head, who: who.clone() };
                let full =
                    self.connections.connect(now, of, peer, (ticket, asked), &mut self.tokens).is_err();
                full.then_some(Reply::Error(508))
            }
        }
    }
    /// Who it is that connects, from where, and to whom.
    fn may_connect(
        &self,
        slot: u32,
        message: &Message<'_>,
    ) -> Result<((AllocationId, SocketAddr), SocketAddr), Reply> {
        let allocation = self.table.get(slot).ok_or(Reply::Error(437))?;
        let is_tcp = |transport| transport == RelayTransport::Tcp;
        // It is a UDP allocation: the request is understood, and not possible.
        if !allocation.relays.iter().flatten().any(|it| is_tcp(it.transport)) {
            return Err(Reply::Error(403));
        }
        let XorPeerAddress(peer) = read::<XorPeerAddress>(message)?.ok_or(Reply::Error(400))?;
        let relay = allocation.relay_for(peer.ip()).ok_or(Reply::Error(443))?;
        if let Some(error) = self.connections.refusal(allocation.id, peer) {
            return Err(Reply::Error(error.code()));
        }
        let is_live = |peer| self.live.is_live(Transport::Tcp, peer);
        if peer.ip().is_unspecified() || self.peers.peer(peer, is_live).is_err() {
            return Err(Reply::Error(403));
        }
        Ok(((allocation.id, relay.local), peer))
    }
    /// RFC 6062 section 5.4.
    pub(in crate::server) fn connection_bind(
        &mut self,
        path: Path,
        message: &Message<'_>,
        user: &User,
    ) -> Result<Reply, Reply> {
        const BAD: Reply = Reply::Error(400);
        // A connection that is the control connection of an allocation cannot be a data connection (section 3).
        let is_control = self.table.client(&path).is_some() || self.openings.get(&path).is_some();
        if !path.transport.is_stream() || is_control {
            return Err(BAD);
        }
        let ConnectionId(id) = read::<ConnectionId>(message)?.ok_or(BAD)?;
        let allocation = self.connections.pending(id).ok_or(BAD)?;
        let allocation = self.table.slot_of(allocation).and_then(|slot| self.table.get(slot)).ok_or(BAD)?;
        // Sections 4.3 and 4.4: at the address that the control connection came to, and by what it came by: what was asked
        // for inside TLS does not go on in the clear. One that moves has two (RFC 8016).
        let is_beside = |it: &Path| (it.transport, it.local) == (path.transport, path.local);
        let moving = allocation.mobility.as_ref().and_then(|it| it.to());
        if !is_beside(&allocation.client()) && !moving.is_some_and(is_beside) {
            return Err(BAD);
        }
        // Section 4.4: the same credentials as the control connection.
        if *allocation.user != *user {
            return Err(Reply::Error(441));
        }
        let rates = self.stream_rates(allocation);
        if self.connections.bind(id, path, rates) { Ok(Reply::Done) } else { Err(BAD) }
    }
    /// Whose the connection of a ConnectionBind request is.
    pub(in crate::server) fn user_of_connection(&self, message: &Message<'_>) -> Option<&Arc<User>> {
        if message.method() != Method::CONNECTION_BIND {
            return None;
        }
        let ConnectionId(id) = message.get().ok()??;
        let slot = self.table.slot_of(self.connections.pending(id)?)?;
        self.table.get(slot).map(|it| &it.user)
    }
    /// Two streams that are joined pass the machine by, so the driver keeps their bandwidth: all connections of an allocation
    /// share that of an allocation, and all of a user that of a user. Allocations have even numbers there, users odd ones.
    fn stream_rates(&self, allocation: &Allocation) -> [Option<StreamRate>; 2] {
        let limits = &self.config.bandwidth;
        let shared = |rate: Option<Rate>, number: u64| {
            let octets = u32::try_from(rate?.octets_per_second()).unwrap_or(u32::MAX);
            let octets_per_second = NonZeroU32::new(octets)?;
            Some(StreamRate { octets_per_second, shared: Some(number) })
        };
        let AllocationId(id) = allocation.id;
        [
            shared(limits.per_allocation, id << 1),
            shared(limits.per_user, allocation.claim.user_number() << 1 | 1),
        ]
    }

    /// RFC 6062 section 5.3. Streams of clients, on a listener, say by their first request what they want.
    pub(in crate::server) fn accepted(&mut self, now: Instant, stream: Path) {
        if self.config.listeners.iter().any(|it| it.takes(stream.transport, stream.local)) {
            return;
        }
        let peer = stream.remote;
        let is_live = |peer| self.live.is_live(Transport::Tcp, peer);
        let slot = self.table.relay(stream.local);
        let allocation = slot.and_then(|slot| self.table.get(slot)).filter(|it| {
            // Of the server's own addresses the permission is for relays alone. And somebody has to be there to be told.
            it.permits(now, peer.ip()) && !it.is_left() && self.peers.peer(peer, is_live).is_ok()
        });
        let allocation = allocation.map(|it| it.id);
        self.connections.accepted(now, stream, allocation, &mut self.tokens);
    }
    /// What has gone through two streams that have ended.
    pub(in crate::server) fn spliced(&mut self, one: Path, forth: u64, back: u64) {
        self.stats.to_peers.octets = self.stats.to_peers.octets.saturating_add(forth);
        self.stats.to_clients.octets = self.stats.to_clients.octets.saturating_add(back);
        let Some((id, forth, back)) = self.connections.spliced(one, forth, back) else { return };
        let slot = self.table.slot_of(id);
        let Some(allocation) = slot.and_then(|slot| self.table.get_mut(slot)) else { return };
        let stats = &mut allocation.stats;
        stats.to_peers.octets = stats.to_peers.octets.saturating_add(forth);
        stats.to_client.octets = stats.to_client.octets.saturating_add(back);
    }
    /// The next thing that a client is told of its connections.
    pub(in crate::server) fn poll_connections(&mut self, packet: &mut Packet<'_>) -> Option<Transmit> {
        loop {
            let told = match self.connections.poll_say()? {
                Say::Connected { asked: Asked { path, head, who }, id } => {
                    self.write(path, head, &who, &Reply::Connected(id), packet)
                }
                Say::Failed { asked: Asked { path, head, who } } => {
                    self.write(path, head, &who, &Reply::Error(447), packet)
                }
                Say::Attempt { allocation, peer, id } => self.attempt(allocation, peer, id, packet),
            };
            if told.is_some() {
                return told;
            }
        }
    }
    /// RFC 6062 section 5.3: a ConnectionAttempt indication.
    fn attempt(
        &mut self,
        allocation: AllocationId,
        peer: SocketAddr,
        connection: u32,
        packet: &mut Packet<'_>,
    ) -> Option<Transmit> {
        let client = self.table.slot_of(allocation).and_then(|slot| self.table.get(slot))?.client();
        let id = TransactionId::draw(&mut self.rng);
        let open = MessageWriter::new(packet, Class::Indication, Method::CONNECTION_ATTEMPT, id).ok()?;
        open.attribute(&ConnectionId(connection)).ok()?.attribute(&XorPeerAddress(peer)).ok()?.finish();
        Some(Transmit::to(client))
    }
}
