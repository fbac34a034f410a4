//! What the server keeps of one allocation (RFC 8656 section 6), laid out so that a relayed packet touches few cache lines.

use alloc::{boxed::Box, sync::Arc};
use core::{
    net::{IpAddr, SocketAddr},
    ops::{Deref, DerefMut},
};

use ginnel_core::{Instant, Path};
use ginnel_stun::{TransactionId, attribute::AddressFamily, auth::User};

use super::{
    AllocationId, AllocationStats,
    asked::RelayTransport,
    compact::{Compact, FiveTuple},
    few::Few,
    mobility::Mobility,
    policy::{Bandwidth, BandwidthLimits, Claim, Direction},
};

/// Channels that lie in the allocation itself, and permissions that lie beside it: a call has about so many.
const CHANNELS_INLINE: usize = 1;
const PERMISSIONS_INLINE: usize = 2;

/// One allocation: what a packet on a channel reads and writes, in three cache lines. The rest is elsewhere, or else 100,000 of
/// them would be more than caches hold.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Allocation {
    client: FiveTuple,
    /// Its relay sockets as the driver has them, of IPv4 and of IPv6: what `relays` says too.
    locals: [Option<Compact>; 2],
    /// Of one that may move to another five-tuple (RFC 8016).
    pub(super) mobility: Option<Box<Mobility>>,
    pub(super) channels: Few<Channel, CHANNELS_INLINE>,
    pub(super) stats: AllocationStats,
    rest: Box<Rest>,
}

/// What is read now and then.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) permissions: Few<Permission, PERMISSIONS_INLINE>,
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

const _: () = assert!(size_of::<Option<Allocation>>() == 192);
/// At most 2 KB for an allocation, its share of the tables and its user included.
const _: () = assert!(size_of::<Option<Allocation>>() + size_of::<Rest>() <= 1024);

/// Where a field lies is of no interest but to the data path.
impl Deref for Allocation {
    type Target = Rest;
    fn deref(&self) -> &Rest {
        &self.rest
    }
}
impl DerefMut for Allocation {
    fn deref_mut(&mut self) -> &mut Rest {
        &mut self.rest
    }
}

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
    peer: Compact,
    pub(super) expires: Until,
    /// When the permission for the peer's IP address expires, so that it need not be looked for.
    pub(super) permitted: Until,
}

impl Channel {
    #[inline]
    pub(super) const fn peer(&self) -> SocketAddr {
        self.peer.get()
    }
    #[inline]
    pub(super) const fn peer_ip(&self) -> IpAddr {
        self.peer.ip()
    }
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
    pub(super) fn new(client: &Path, mobility: Option<Box<Mobility>>, rest: Rest) -> Self {
        let mut allocation = Self {
            client: FiveTuple::new(client),
            locals: [None; 2],
            mobility,
            channels: Few::new(),
            stats: AllocationStats::default(),
            rest: Box::new(rest),
        };
        allocation.place_locals();
        allocation
    }
    /// What is left of one that has ended.
    pub(super) fn into_rest(self) -> Rest {
        *self.rest
    }
    /// Its relays have changed.
    pub(super) fn place_locals(&mut self) {
        self.locals = self.rest.relays.map(|relay| relay.map(|relay| Compact::new(relay.local)));
    }
    /// Its five-tuple.
    #[inline]
    pub(super) const fn client(&self) -> Path {
        self.client.get()
    }
    #[inline]
    pub(super) fn is_of(&self, client: &FiveTuple) -> bool {
        self.client == *client
    }
    /// Gives it another five-tuple; returns the one that it had.
    pub(super) fn replace_client(&mut self, to: &Path) -> Path {
        core::mem::replace(&mut self.client, FiveTuple::new(to)).get()
    }
    /// Its relay sockets as the driver has them, of IPv4 and of IPv6.
    #[inline]
    pub(super) const fn locals(&self) -> &[Option<Compact>; 2] {
        &self.locals
    }
    /// The relay of this address's family.
    pub(super) fn relay_for(&self, peer: IpAddr) -> Option<&Relay> {
        self.rest.relays[place(peer)].as_ref()
    }
    /// The relay socket that reaches peers of this address's family.
    #[inline]
    pub(super) fn local_for(&self, peer: IpAddr) -> Option<SocketAddr> {
        self.locals[place(peer)].as_ref().map(Compact::get)
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
        let Rest { bandwidth, claim, .. } = &mut *self.rest;
        !limits.is_limited() || bandwidth.admits(now, direction, octets, limits, claim)
    }
    /// Whether its client's stream has ended, so that there is nowhere to send to until it is moved (RFC 8016).
    #[inline]
    pub(super) const fn is_left(&self) -> bool {
        self.client.remote_port() == 0
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
        let peer = Compact::new(peer);
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
        for channel in self.channels.iter_mut().filter(|it| it.peer_ip() == ip) {
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
                let (peer, permitted) = (Compact::new(peer), Until::new(permitted));
                let channel = Channel { number, own, peer, expires: until, permitted };
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
