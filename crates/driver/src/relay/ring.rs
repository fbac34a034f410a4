//! Datagrams that wait, in order: one buffer of octets, with a bound, that is allocated while it grows and never after.

use std::{collections::VecDeque, net::SocketAddr};

/// What each datagram counts beyond its octets, so that empty ones are bounded too.
const EACH: usize = 64;

/// A queue of datagrams, each with the peer that it came from or goes to.
#[derive(Debug)]
pub(super) struct Ring {
    octets: VecDeque<u8>,
    fronts: VecDeque<(SocketAddr, usize)>,
    /// What they may count in all.
    room: usize,
}

impl Ring {
    pub(super) fn new(room: usize) -> Self {
        Self { octets: VecDeque::new(), fronts: VecDeque::new(), room }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fronts.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.fronts.len()
    }

    /// Adds one at the end; false, and nothing is added, if there is no room. One alone always fits.
    pub(super) fn push(&mut self, peer: SocketAddr, datagram: &[u8]) -> bool {
        let used = self.octets.len() + EACH * self.fronts.len();
        if !self.is_empty() && used + EACH + datagram.len() > self.room {
            return false;
        }
        self.octets.extend(datagram);
        self.fronts.push_back((peer, datagram.len()));
        true
    }

    /// Takes the first off; what does not fit `into` is cut, as a UDP socket does. How much was put there, and whose it is.
    pub(super) fn pop(&mut self, into: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let (peer, whole) = self.fronts.pop_front()?;
        let len = whole.min(into.len());
        let (first, second) = self.octets.as_slices();
        let from_first = len.min(first.len());
        into[..from_first].copy_from_slice(&first[..from_first]);
        into[from_first..len].copy_from_slice(&second[..len - from_first]);
        self.octets.drain(..whole);
        Some((len, peer))
    }

    /// Throws away what is not this peer's, and says how many those were.
    pub(super) fn keep_only(&mut self, peer: SocketAddr) -> usize {
        let mut octets = std::mem::take(&mut self.octets);
        let fronts = std::mem::take(&mut self.fronts);
        let before = fronts.len();
        for (from, len) in fronts {
            let datagram = octets.drain(..len);
            if from == peer {
                self.octets.extend(datagram);
                self.fronts.push_back((from, len));
            }
        }
        before - self.fronts.len()
    }

    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.fronts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn what_goes_in_comes_out_in_order_whole_or_cut() {
        let mut ring = Ring::new(1_000);
        // Round the end of the buffer many times, with datagrams of every size.
        for round in 0..200_u16 {
            let long = vec![round as u8; usize::from(round)];
            assert!(ring.push(peer(1), &long) && ring.push(peer(2), b"") && ring.push(peer(3), b"abcdef"));
            let mut buf = [0; 300];
            assert_eq!(ring.pop(&mut buf), Some((long.len(), peer(1))));
            assert_eq!(buf[..long.len()], long);
            assert_eq!(ring.len(), 2);
            assert_eq!(ring.pop(&mut buf), Some((0, peer(2))));
            assert_eq!(ring.pop(&mut buf[..4]), Some((4, peer(3))));
            assert_eq!(&buf[..4], b"abcd");
            assert_eq!(ring.pop(&mut buf), None);
        }
    }

    #[test]
    fn the_bound_counts_octets_and_datagrams_and_one_always_fits() {
        let mut ring = Ring::new(10 * (EACH + 36));
        for n in 0..10 {
            assert!(ring.push(peer(n), &[0; 36]));
        }
        assert!(!ring.push(peer(10), b""), "one past it");
        assert_eq!(ring.pop(&mut []), Some((0, peer(0))));
        assert!(ring.push(peer(10), &[0; 36]) && !ring.push(peer(11), b""));
        ring.clear();
        assert!(ring.is_empty() && ring.push(peer(1), &[0; 60_000]) && !ring.push(peer(1), b""));
    }
}
