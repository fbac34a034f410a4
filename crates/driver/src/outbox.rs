//! What is about to be sent: a run of datagrams to one destination, which the operating system takes as one.
//!
//! The copy into a run is the only one on the way out. A run that the operating system has no room for waits, and while
//! it does the machine is not asked for more ([`Io::ready`](ginnel_core::Io::ready)); answers and user data, which cannot wait in the
//! machine, gather in one more run, and are dropped and counted where they do not fit that.

use std::net::{IpAddr, SocketAddr};

use ginnel_core::Ecn;

/// The payload of a run at most: what one UDP message over IPv6 can hold, less a margin.
const MAX_RUN: usize = 65_000;

/// The way that a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) socket: usize,
    /// Which of this host's addresses it comes from, where the socket is for every one of them.
    pub(crate) source: Option<IpAddr>,
    pub(crate) remote: SocketAddr,
    pub(crate) ecn: Ecn,
}

/// Datagrams of one size, the last perhaps shorter, that go one way.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) way: Way,
    /// The size of each.
    pub(crate) segment: usize,
    pub(crate) count: usize,
    pub(crate) bytes: Vec<u8>,
}

impl Run {
    fn new() -> Self {
        let remote = SocketAddr::from(([0, 0, 0, 0], 0));
        let way = Way { socket: 0, source: None, remote, ecn: Ecn::NotEct };
        Self { way, segment: 0, count: 0, bytes: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.bytes.clear();
    }

    fn begin(&mut self, way: Way, datagram: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(datagram);
        (self.way, self.segment, self.count) = (way, datagram.len(), 1);
    }

    /// Adds a datagram that goes the same way and has a size that fits behind.
    fn extend(&mut self, way: Way, datagram: &[u8], max: usize) -> bool {
        let same = self.way == way;
        let whole = self.bytes.len() == self.segment * self.count;
        let fits = !datagram.is_empty() && datagram.len() <= self.segment && self.count < max;
        if same && whole && fits && self.bytes.len() + datagram.len() <= MAX_RUN {
            self.bytes.extend_from_slice(datagram);
            self.count += 1;
            return true;
        }
        false
    }
}

/// What became of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// It is in the open run.
    Taken,
    /// The open run must be sent first.
    Full,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    /// What is being gathered.
    pub(crate) open: Run,
    /// What the operating system had no room for.
    pub(crate) blocked: Run,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self { open: Run::new(), blocked: Run::new() }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    /// Adds a datagram to the open run, of at most `max`.
    pub(crate) fn push(&mut self, way: Way, datagram: &[u8], max: usize) -> Push {
        if self.open.is_empty() {
            self.open.begin(way, datagram);
            return Push::Taken;
        }
        if self.open.extend(way, datagram, max) { Push::Taken } else { Push::Full }
    }

    /// The open run has to wait, in the place that is free for it.
    pub(crate) fn block(&mut self) {
        std::mem::swap(&mut self.open, &mut self.blocked);
    }

    /// Forgets what a socket that goes away has not sent; returns how many datagrams.
    pub(crate) fn forget(&mut self, socket: usize) -> usize {
        let mut forgotten = 0;
        for run in [&mut self.open, &mut self.blocked] {
            if run.way.socket == socket {
                forgotten += run.count;
                run.clear();
            }
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_of_one_size_to_one_destination() {
        let remote = "192.0.2.1:1".parse().unwrap();
        let to = Way { socket: 0, source: None, remote, ecn: Ecn::NotEct };
        let source = Some("192.0.2.9".parse().unwrap());
        let others = [
            Way { socket: 1, ..to },
            Way { source, ..to },
            Way { remote: "192.0.2.1:2".parse().unwrap(), ..to },
            Way { ecn: Ecn::Ce, ..to },
        ];
        let fill = || {
            let mut outbox = Outbox::new();
            assert_eq!(outbox.push(to, &[1; 100], 4), Push::Taken);
            assert_eq!(outbox.push(to, &[2; 100], 4), Push::Taken);
            outbox
        };
        for other in others {
            assert_eq!(fill().push(other, &[3; 100], 4), Push::Full, "{other:?}");
        }
        assert_eq!(fill().push(to, &[3; 101], 4), Push::Full);
        assert_eq!(fill().push(to, &[], 4), Push::Full);
        assert_eq!(fill().push(to, &[3; 100], 2), Push::Full);
        let mut outbox = fill();
        assert_eq!(outbox.push(to, &[3; 60], 4), Push::Taken);
        assert_eq!(outbox.push(to, &[4; 60], 4), Push::Full, "the shorter one was the last");
        assert_eq!((outbox.open.count, outbox.open.segment, outbox.open.bytes.len()), (3, 100, 260));
        outbox.block();
        assert!(outbox.is_blocked() && outbox.open.is_empty());
        assert_eq!((outbox.forget(1), outbox.forget(0)), (0, 3));
        assert!(!outbox.is_blocked());
    }

    #[test]
    fn a_run_stays_below_the_size_of_a_message() {
        let remote = "192.0.2.1:1".parse().unwrap();
        let to = Way { socket: 0, source: None, remote, ecn: Ecn::NotEct };
        let mut outbox = Outbox::new();
        let taken = (0..100).take_while(|_| outbox.push(to, &[0; 1_200], 100) == Push::Taken);
        assert_eq!(taken.count(), 54);
    }
}
