//! What the server keeps of one allocation (RFC 8656 section 6), laid out so that a relayed packet touches few cache lines.

use alloc::{boxed::Box, sync::Arc};
use core::net::{IpAddr, SocketAddr};

use ginnel_core::{Instant, Path};
use ginnel_stun::{TransactionId, attribute::AddressFamily, auth::User};

use super::{
    AllocationId, AllocationStats,
    asked::RelayTransport,
    few::Few,
    mobility::Mobility,
    policy::{Bandwidth, Claim},
};

/// Channels and permissions that lie in the allocation itself: a browser's call has about so many.
const INLINE: usize = 2;

/// One allocation. What the data path reads stands first.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Allocation {
    /// The five-tuple.
    pub(super) client: Path,
    /// Of one that may move to another (RFC 8016).
    pub(super) mobility: Option<Box<Mobility>>,
    /// Its relayed transport addresses: of IPv4, and of IPv6.
    pub(super) relays: [Option<Relay>; 2],
    pub(super) channels: Few<Channel, INLINE>,
    pub(super) permissions: Few<Permission, INLINE>,
    pub(super) stats: AllocationStats,
    pub(super) bandwidth: Bandwidth,
    /// Its share of the quotas, which ends with it.
    pub(super) claim: Claim,
    pub(super) id: AllocationId,
    pub(super) user: Arc<User>,
    /// What its Allocate was answered with, should it be asked again.
    pub(super) made: Made,
}

/// A socket that peers reach the client by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relay {
    /// As the driver has it.
    pub(super) local: SocketAddr,
    /// As peers see it.
    pub(super) external: SocketAddr,
    /// RFC 8656 section 6: each relayed address has a time of its own.
    pub(super) expires: Instant,
    /// Which of the server's relay addresses it is of.
    pub(super) address: u16,
    /// By which protocol peers reach it.
    pub(super) transport: RelayTransport,
}

/// RFC 8656 section 9: whoever has this IP address may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Permission {
    pub(super) ip: IpAddr,
    /// It is one of the server's own addresses: each peer on it has to be a live relay.
    pub(super) own: bool,
    pub(super) expires: Instant,
}

/// RFC 8656 section 12: a number that stands for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) number: u16,
    /// The peer is one of the server's own addresses: it has to be a live relay at each packet.
    pub(super) own: bool,
    pub(super) peer: SocketAddr,
    pub(super) expires: Instant,
    /// When the permission for the peer's IP address expires, so that it need not be looked for.
    pub(super) permitted: Instant,
}

/// RFC 8656 section 7.2, the note on retransmissions: what the success response said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) by: TransactionId,
    pub(super) lifetime: u32,
    pub(super) token: Option<[u8; 8]>,
    pub(super) failed: Option<(AddressFamily, u16)>,
}

/// Which place of [`Allocation::relays`].
#[inline]
pub(super) const fn place(ip: IpAddr) -> usize {
    if ip.is_ipv4() { 0 } else { 1 }
}
/// The same of a family.
pub(super) const fn place_of(family: AddressFamily) -> usize {
    match family {
        AddressFamily::Ipv4 => 0,
        AddressFamily::Ipv6 => 1,
    }
}

impl Allocation {
    /// The relay that reaches peers of this address's family.
    #[inline]
    pub(super) const fn relay_for(&self, peer: IpAddr) -> Option<&Relay> {
        self.relays[place(peer)].as_ref()
    }
    /// When the first of its relayed addresses expires.
    pub(super) fn expires(&self) -> Option<Instant> {
        self.relays.iter().flatten().map(|relay| relay.expires).min()
    }
    /// The channel of this number, if it is bound.
    #[inline]
    pub(super) fn channel(&self, now: Instant, number: u16) -> Option<&Channel> {
        self.channels.iter().find(|it| it.number == number).filter(|it| now < it.expires)
    }
    /// The channel of this peer, if it is bound.
    #[inline]
    pub(super) fn channel_of(&self, now: Instant, peer: SocketAddr) -> Option<&Channel> {
        self.channels.iter().find(|it| it.peer == peer).filter(|it| now < it.expires)
    }
    /// RFC 8656 section 9: whether there is a permission for this address.
    #[inline]
    pub(super) fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        self.permission(now, peer).is_some()
    }
    #[inline]
    pub(super) fn permission(&self, now: Instant, peer: IpAddr) -> Option<&Permission> {
        self.permissions.iter().find(|it| it.ip == peer).filter(|it| now < it.expires)
    }
    /// Installs or refreshes a permission (RFC 8656 section 9). There is room for it.
    pub(super) fn permit(&mut self, ip: IpAddr, own: bool, expires: Instant) {
        match self.permissions.find_mut(|it| it.ip == ip) {
            Some(permission) => permission.expires = expires,
            None => self.permissions.push(Permission { ip, own, expires }),
        }
        for channel in self.channels.iter_mut().filter(|it| it.peer.ip() == ip) {
            channel.permitted = expires;
        }
    }
    /// Creates or refreshes a channel, with its permission (RFC 8656 section 12.2). There is room for both.
    pub(super) fn bind(
        &mut self,
        number: u16,
        peer: SocketAddr,
        own: bool,
        expires: Instant,
        permitted: Instant,
    ) {
        match self.channels.find_mut(|it| it.number == number) {
            Some(channel) => channel.expires = expires,
            None => self.channels.push(Channel { number, own, peer, expires, permitted }),
        }
        self.permit(peer.ip(), own, permitted);
    }
    /// Forgets permissions and channels that have expired: before new ones are counted.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.channels.retain(|it| now < it.expires);
        self.permissions.retain(|it| now < it.expires);
    }
}
