//! Which peers a socket talks to: whom the client keeps permissions for, and who is busy enough for a channel.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use ginnel_core::Instant;

/// Addresses with a permission, and channels, at most. Whoever talks to more loses those that were idle for longest.
pub(super) const PEERS: usize = 1_024;
/// After so many datagrams without a channel, either way, a peer is busy: a channel takes two messages to bind, and saves 32
/// octets of each datagram from then on.
const BUSY: u8 = 4;

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// When each address was last sent to or heard of.
    known: BTreeMap<IpAddr, Instant>,
    /// Datagrams that went without a channel, up to [`BUSY`].
    busy: BTreeMap<SocketAddr, u8>,
}

impl Peers {
    /// This address is in use.
    pub(super) fn touch(&mut self, ip: IpAddr, now: Instant) {
        self.known.insert(ip, now);
    }

    /// Takes away the one that was idle for longest, not counting this one, if there are as many as may be.
    pub(super) fn make_room(&mut self, for_whom: IpAddr) -> Option<IpAddr> {
        if self.known.len() < PEERS || self.known.contains_key(&for_whom) {
            return None;
        }
        let (idle, _) = self.known.iter().min_by_key(|(_, last)| **last)?;
        let idle = *idle;
        self.known.remove(&idle);
        self.busy.retain(|peer, _| peer.ip() != idle);
        Some(idle)
    }

    /// A datagram went to this peer or came from it without a channel. Whether it is time for one: that is said once.
    pub(super) fn is_busy(&mut self, peer: SocketAddr) -> bool {
        if self.busy.len() >= PEERS && !self.busy.contains_key(&peer) {
            // Ports of one address may be many. Who is busy will be found to be so again.
            self.busy.clear();
        }
        let count = self.busy.entry(peer).or_default();
        *count = count.saturating_add(1);
        *count == BUSY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: usize) -> IpAddr {
        IpAddr::from([10, 0, (n >> 8) as u8, n as u8])
    }

    #[test]
    fn the_idlest_makes_room_for_one_past_the_bound() {
        let mut peers = Peers::default();
        let at = |seconds: usize| Instant::EPOCH + std::time::Duration::from_secs(seconds as u64);
        for n in 0..PEERS {
            assert_eq!(peers.make_room(ip(n)), None);
            peers.touch(ip(n), at(n));
        }
        peers.touch(ip(0), at(PEERS));
        assert_eq!(peers.make_room(ip(5)), None, "it is there already");
        assert_eq!(peers.make_room(ip(PEERS)), Some(ip(1)));
        peers.touch(ip(PEERS), at(PEERS + 1));
        assert_eq!(peers.make_room(ip(PEERS + 1)), Some(ip(2)));
    }

    #[test]
    fn busy_is_said_once_for_each_and_bounded() {
        let mut peers = Peers::default();
        let peer = |port: usize| SocketAddr::new(ip(1), port as u16);
        let said =
            |peers: &mut Peers, n| (0..20).map(|_| peers.is_busy(peer(n))).filter(|busy| *busy).count();
        assert_eq!(said(&mut peers, 1), 1);
        for n in 2..=PEERS {
            assert!(!peers.is_busy(peer(n)));
        }
        assert_eq!(peers.busy.len(), PEERS);
        assert!(!peers.is_busy(peer(PEERS + 1)));
        assert_eq!(peers.busy.len(), 1);
        assert_eq!(said(&mut peers, PEERS + 1), 1);
    }
}
