//! Refresh (RFC 8656 section 8.2), CreatePermission (section 10.2) and ChannelBind (section 12.2).

use alloc::vec::Vec;
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{Instant, Transport};
use ginnel_stun::{
    Message,
    attribute::{ChannelNumber, Lifetime, Malformed, RequestedAddressFamily, XorPeerAddress},
};

use super::{
    CHANNEL_LIFETIME, EndReason, PERMISSION_LIFETIME, Server,
    allocation::{Allocation, place_of},
    answer::Reply,
    asked::{RelayTransport, peers, read},
    policy::PeerVerdict,
};

impl Server {
    /// RFC 8656 section 8.2.
    pub(super) fn refresh(&mut self, now: Instant, slot: u32, message: &Message<'_>) -> Result<Reply, Reply> {
        let family = match message.get::<RequestedAddressFamily>() {
            Ok(family) => family.map(|RequestedAddressFamily(family)| place_of(family)),
            // It is none that the allocation has.
            Err(error) if error.reason() == Malformed::AddressFamily => return Err(Reply::Error(443)),
            Err(_) => return Err(Reply::Error(400)),
        };
        let asked = read::<Lifetime>(message)?.map(|Lifetime(seconds)| seconds);
        let lifetime = if asked == Some(0) { 0 } else { self.lifetime(now, asked) };
        let Some(allocation) = self.table.get_mut(slot) else { return Err(Reply::Error(437)) };
        let concerns = |place: usize| family.is_none_or(|it| it == place);
        if !(0..2).any(|place| concerns(place) && allocation.relays[place].is_some()) {
            return Err(Reply::Error(443));
        }
        if lifetime > 0 {
            let expires = now + Duration::from_secs(u64::from(lifetime));
            for (_, relay) in (0..).zip(&mut allocation.relays).filter(|(place, _)| concerns(*place)) {
                if let Some(relay) = relay {
                    relay.expires = expires;
                }
            }
            self.table.reschedule(slot);
        } else {
            for place in (0..2).filter(|&place| concerns(place)) {
                self.end_relay(slot, place, EndReason::Deleted);
            }
        }
        self.stats.refreshed += 1;
        Ok(Reply::Refreshed { lifetime, ticket: None })
    }

    /// RFC 8656 section 10.2. All peers that are named, or none.
    pub(super) fn create_permission(
        &mut self,
        now: Instant,
        slot: u32,
        message: &Message<'_>,
    ) -> Result<Reply, Reply> {
        let peers = peers(message)?;
        for &peer in &peers {
            self.check_family(slot, peer.ip())?;
        }
        for &peer in &peers {
            self.check_permission(peer)?;
        }
        let (most, expires) = (self.config.limits.permissions, now + PERMISSION_LIFETIME);
        let filter = &self.peers;
        let Some(allocation) = self.table.get_mut(slot) else { return Err(Reply::Error(437)) };
        allocation.sweep(now);
        // A message over a stream has room for thousands: sorted, that is a matter of microseconds.
        let mut ips: Vec<IpAddr> = peers.iter().map(SocketAddr::ip).collect();
        ips.sort_unstable();
        ips.dedup();
        let new = ips.iter().filter(|ip| !allocation.permits(now, **ip)).take(most + 1);
        if allocation.permissions.len() + new.count() > most {
            return Err(Reply::Error(508));
        }
        for ip in ips {
            allocation.permit(ip, filter.address(ip) == PeerVerdict::RelaysOnly, expires);
        }
        self.stats.permissions += 1;
        Ok(Reply::Done)
    }

    /// RFC 8656 section 12.2.
    pub(super) fn channel_bind(
        &mut self,
        now: Instant,
        slot: u32,
        message: &Message<'_>,
    ) -> Result<Reply, Reply> {
        const BAD: Reply = Reply::Error(400);
        // RFC 6062 section 3: data has connections of its own there.
        let is_tcp =
            |it: &Allocation| it.relays.iter().flatten().any(|it| it.transport == RelayTransport::Tcp);
        if self.table.get(slot).is_some_and(is_tcp) {
            return Err(Reply::Error(403));
        }
        let ChannelNumber(number) = read::<ChannelNumber>(message)?.ok_or(BAD)?;
        let XorPeerAddress(peer) = read::<XorPeerAddress>(message)?.ok_or(BAD)?;
        if !self.config.channel_numbers.range().contains(&number) || peer.port() == 0 {
            return Err(BAD);
        }
        self.check_family(slot, peer.ip())?;
        let Some(allocation) = self.table.get_mut(slot) else { return Err(Reply::Error(437)) };
        allocation.sweep(now);
        let bound = allocation.channels.iter().find(|it| it.number == number || it.peer() == peer);
        if bound.is_some_and(|it| it.number != number || it.peer() != peer) {
            return Err(BAD);
        }
        let is_new = bound.is_none();
        let permitted = allocation.permits(now, peer.ip());
        let (channels, permissions) = (allocation.channels.len(), allocation.permissions.len());
        let own = self.check_peer(peer)?;
        let limits = self.config.limits;
        if is_new && channels >= limits.channels || !permitted && permissions >= limits.permissions {
            return Err(Reply::Error(508));
        }
        if let Some(allocation) = self.table.get_mut(slot) {
            allocation.bind(number, peer, own, now + CHANNEL_LIFETIME, now + PERMISSION_LIFETIME);
        }
        self.stats.channels += 1;
        Ok(Reply::Done)
    }

    /// 443: there is no relayed address of the peer's family.
    fn check_family(&self, slot: u32, peer: IpAddr) -> Result<(), Reply> {
        let reaches = self.table.get(slot).is_some_and(|it| it.local_for(peer).is_some());
        if reaches { Ok(()) } else { Err(Reply::Error(443)) }
    }
    /// 403, where the port counts: whether the peer is a relay of this server.
    fn check_peer(&self, peer: SocketAddr) -> Result<bool, Reply> {
        let is_live = |peer| self.live.is_live(Transport::Udp, peer);
        match self.peers.peer(peer, is_live) {
            Ok(()) if !peer.ip().is_unspecified() => {
                Ok(self.peers.address(peer.ip()) == PeerVerdict::RelaysOnly)
            }
            _ => Err(Reply::Error(403)),
        }
    }
    /// 403, where the port is no more than a hint (RFC 8656 section 10.2): of the server's own addresses it must not
    /// name what is no relay; what is then sent is looked at by its port.
    fn check_permission(&self, peer: SocketAddr) -> Result<(), Reply> {
        match self.peers.address(peer.ip()) {
            _ if peer.ip().is_unspecified() => Err(Reply::Error(403)),
            PeerVerdict::Allowed => Ok(()),
            PeerVerdict::RelaysOnly if peer.port() == 0 => Ok(()),
            PeerVerdict::RelaysOnly if self.live.is_live(Transport::Tcp, peer) => Ok(()),
            PeerVerdict::RelaysOnly => self.check_peer(peer).map(|_| ()),
            PeerVerdict::Denied(_) => Err(Reply::Error(403)),
        }
    }
}
