//! What a TURN server keeps, by the words of RFC 8656: lists that are walked, and times that are compared.

use alloc::{collections::BTreeMap, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::Instant;

/// Permissions and channels that an allocation may have in these scripts.
pub(super) const PERMISSIONS: usize = 3;
pub(super) const CHANNELS: usize = 2;

/// One allocation.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) user: usize,
    /// IPv4 and IPv6, and until when.
    pub(super) relays: [Option<(SocketAddr, Instant)>; 2],
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
}
impl Allocation {
    pub(super) fn new(user: usize, relayed: &[SocketAddr], expires: Instant) -> Self {
        let mut relays = [None; 2];
        for &relay in relayed {
            relays[usize::from(relay.is_ipv6())] = Some((relay, expires));
        }
        Self { user, relays, permissions: BTreeMap::new(), channels: BTreeMap::new() }
    }
    pub(super) fn relay_for(&self, peer: IpAddr) -> Option<SocketAddr> {
        self.relays[usize::from(peer.is_ipv6())].map(|it| it.0)
    }
    /// False if nothing is left.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        for relay in &mut self.relays {
            relay.take_if(|it| it.1 <= now);
        }
        self.relays.iter().any(Option::is_some)
    }
    fn forget(&mut self, now: Instant) {
        self.permissions.retain(|_, until| now < *until);
        self.channels.retain(|_, (_, until)| now < *until);
    }
    /// How many permissions and channels there are.
    pub(super) fn counts(&mut self, now: Instant) -> (usize, usize) {
        self.forget(now);
        (self.permissions.len(), self.channels.len())
    }
    pub(super) fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        self.permissions.get(&peer).is_some_and(|until| now < *until)
    }
    pub(super) fn channel(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        self.channels.get(&number).filter(|it| now < it.1).map(|it| it.0)
    }
    pub(super) fn channel_of(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        self.channels.iter().find(|(_, it)| it.0 == peer && now < it.1).map(|(number, _)| *number)
    }
    /// RFC 8656 section 10.2: the code of the answer.
    pub(super) fn create_permission(&mut self, now: Instant, peers: &[SocketAddr]) -> u16 {
        if peers.is_empty() {
            return 400;
        }
        if peers.iter().any(|it| self.relay_for(it.ip()).is_none()) {
            return 443;
        }
        if peers.iter().any(|it| is_denied(it.ip())) {
            return 403;
        }
        self.forget(now);
        let mut ips: Vec<IpAddr> = peers.iter().map(SocketAddr::ip).collect();
        ips.extend(self.permissions.keys());
        ips.sort_unstable();
        ips.dedup();
        if ips.len() > PERMISSIONS {
            return 508;
        }
        self.permissions.extend(peers.iter().map(|it| (it.ip(), now + Duration::from_secs(300))));
        0
    }
    /// RFC 8656 section 12.2: the code of the answer.
    pub(super) fn channel_bind(&mut self, now: Instant, number: u16, peer: SocketAddr) -> u16 {
        self.forget(now);
        let other_peer = self.channels.get(&number).is_some_and(|it| it.0 != peer);
        let other_number = self.channel_of(now, peer).is_some_and(|it| it != number);
        if !(0x4000..=0x7FFE).contains(&number) || peer.port() == 0 || other_peer || other_number {
            return 400;
        }
        if self.relay_for(peer.ip()).is_none() {
            return 443;
        }
        if is_denied(peer.ip()) {
            return 403;
        }
        let no_channel = !self.channels.contains_key(&number) && self.channels.len() >= CHANNELS;
        let no_permission =
            !self.permissions.contains_key(&peer.ip()) && self.permissions.len() >= PERMISSIONS;
        if no_channel || no_permission {
            return 508;
        }
        self.channels.insert(number, (peer, now + Duration::from_secs(600)));
        self.permissions.insert(peer.ip(), now + Duration::from_secs(300));
        0
    }
}

/// Of the peers of these scripts.
fn is_denied(peer: IpAddr) -> bool {
    peer.is_loopback()
}
