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
    policy::{Bandwidth, BandwidthLimits, Claim, Direction},
};

/// Channels and permissions that lie in the allocation itself: a browser's call has about so many.
const INLINE: usize = 2;

/// One allocation. What the data path reads and writes stands first: the first four cache lines, for a client with a channel.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Allocation {
    /// The five-tuple.
    pub(super) client: Path,
    /// Of one that may move to another (RFC 8016).
    pub(super) mobility: Option<Box<Mobility>>,
    /// Its relay sockets as the driver has them, of IPv4 and of IPv6: what `relays` says too, further down.
    pub(super) locals: [Option<SocketAddr>; 2],
    pub(super) stats: AllocationStats,
    pub(super) channels: Few<Channel, INLINE>,
    pub(super) permissions: Few<Permission, INLINE>,
    pub(super) bandwidth: Bandwidth,
    /// Its relayed transport addresses, of IPv4 and of IPv6.
    pub(super) relays: [Option<Relay>; 2],
    /// Its share of the quotas, which ends with it.
    pub(super) claim: Claim,
    pub(super) id: AllocationId,
    pub(super) user: Arc<User>,
    /// The others of its user.
    pub(super) of_user: Neighbours,
    /// What its Allocate was answered with, should it be asked again.
    pub(super) made: Made,
}

/// `PERFORMANCE.md`: at most 2 KB for an allocation, its share of the tables and its user included.
const _: () = assert!(size_of::<Option<Allocation>>() <= 1024);

/// Slots before and after in the list of a user's allocations: so that to take a user back costs as much as he has, and not as
/// much as all have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Neighbours {
    pub(super) before: Option<u32>,
    pub(super) after: Option<u32>,
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
    pub(super) expires: Until,
}

/// RFC 8656 section 12: a number that stands for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) number: u16,
    /// The peer is one of the server's own addresses: it has to be a live relay at each packet.
    pub(super) own: bool,
    pub(super) peer: SocketAddr,
    pub(super) expires: Until,
    /// When the permission for the peer's IP address expires, so that it need not be looked for.
    pub(super) permitted: Until,
}

/// A time in half the room: nanoseconds since the epoch, for some 580 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Until(u64);
impl Until {
    pub(super) fn new(at: Instant) -> Self {
        Self(nanos(at))
    }
    /// Whether it has not come yet.
    #[inline]
    pub(super) fn is_after(self, now: Instant) -> bool {
        nanos(now) < self.0
    }
}
#[inline]
fn nanos(at: Instant) -> u64 {
    let at = at.since_epoch();
    at.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(at.subsec_nanos()))
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
    /// The relay of this address's family.
    pub(super) const fn relay_for(&self, peer: IpAddr) -> Option<&Relay> {
        self.relays[place(peer)].as_ref()
    }
    /// The relay socket that reaches peers of this address's family.
    #[inline]
    pub(super) const fn local_for(&self, peer: IpAddr) -> Option<SocketAddr> {
        self.locals[place(peer)]
    }
    /// Whether it may pass on so many octets, and its user.
    #[inline]
    pub(super) fn has_bandwidth(
        &mut self,
        now: Instant,
        direction: Direction,
        octets: usize,
        limits: &BandwidthLimits,
    ) -> bool {
        !limits.is_limited() || self.bandwidth.admits(now, direction, octets, limits, &self.claim)
    }
    /// Whether its client's stream has ended, so that there is nowhere to send to until it is moved (RFC 8016).
    #[inline]
    pub(super) const fn is_left(&self) -> bool {
        self.client.remote.port() == 0
    }
    /// When the first of its relayed addresses expires.
    pub(super) fn expires(&self) -> Option<Instant> {
        self.relays.iter().flatten().map(|relay| relay.expires).min()
    }
    /// The channel of this number, if it is bound.
    #[inline]
    pub(super) fn channel(&self, now: Instant, number: u16) -> Option<&Channel> {
        self.channels.iter().find(|it| it.number == number).filter(|it| it.expires.is_after(now))
    }
    /// The channel of this peer, if it is bound.
    #[inline]
    pub(super) fn channel_of(&self, now: Instant, peer: SocketAddr) -> Option<&Channel> {
        self.channels.iter().find(|it| it.peer == peer).filter(|it| it.expires.is_after(now))
    }
    /// RFC 8656 section 9: whether there is a permission for this address.
    #[inline]
    pub(super) fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        self.permission(now, peer).is_some()
    }
    #[inline]
    pub(super) fn permission(&self, now: Instant, peer: IpAddr) -> Option<&Permission> {
        self.permissions.iter().find(|it| it.ip == peer).filter(|it| it.expires.is_after(now))
    }
    /// Installs or refreshes a permission (RFC 8656 section 9). There is room for it.
    pub(super) fn permit(&mut self, ip: IpAddr, own: bool, expires: Instant) {
        let expires = Until::new(expires);
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
        let until = Until::new(expires);
        match self.channels.find_mut(|it| it.number == number) {
            Some(channel) => channel.expires = until,
            None => {
                let channel = Channel { number, own, peer, expires: until, permitted: Until::new(permitted) };
                self.channels.push(channel);
            }
        }
        self.permit(peer.ip(), own, permitted);
    }
    /// Forgets permissions and channels that have expired: before new ones are counted.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.channels.retain(|it| it.expires.is_after(now));
        self.permissions.retain(|it| it.expires.is_after(now));
    }
}
