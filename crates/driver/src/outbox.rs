//! What is about to be sent: datagrams in runs, each run of one way and one size, which the operating system takes as one.
//!
//! A turn of the loop gathers for many destinations at a time, so that datagrams which came mixed leave in runs: a datagram
//! joins the latest run of its way, or begins one. Runs leave in the order in which they began, those of one socket one
//! behind the other, so what goes one way keeps its order. The copy into a run is the only one on the way out.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

use ginnel_core::Ecn;

use crate::platform::Address;

/// The payload of a run at most: what one UDP message over IPv6 can hold, less a margin.
const MAX_RUN: usize = 65_000;
/// Runs that gather at a time.
const RUNS: usize = 64;
/// Octets that gather at a time, but for the last datagram: so that a turn stays in the caches.
const GATHERED: usize = 64 << 10;
/// Places in the index of ways, and in that of sockets.
const INDEX: usize = 256;
/// Octets that wait at one socket which the system has no room for,
const WAITING: usize = 2 * GATHERED;
/// and runs.
const WAITING_RUNS: usize = 4 * RUNS;
/// With so many octets waiting, or so many runs, a machine is asked for no more of its own: what has gathered meanwhile fits.
const HIGH: usize = GATHERED / 2;
const HIGH_RUNS: usize = RUNS;

/// The way that a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) socket: usize,
    /// Which of this host's addresses it comes from, where the socket is for every one of them.
    pub(crate) source: Option<IpAddr>,
    pub(crate) remote: SocketAddr,
    pub(crate) ecn: Ecn,
    pub(crate) dont_fragment: bool,
    pub(crate) dscp: u8,
}

/// Datagrams of one size, the last perhaps shorter, that go one way.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) way: Way,
    /// The same destination, as the system wants it.
    pub(crate) to: Address,
    /// The size of each.
    segment: usize,
    /// How many are left to be sent.
    pub(crate) count: usize,
    bytes: Vec<u8>,
    /// Where what is left begins.
    begin: usize,
    /// The next run of the same socket.
    next: Option<usize>,
    /// Whether a run before has it as its next.
    follows: bool,
}

impl Run {
    fn new(way: Way, bytes: Vec<u8>, datagram: &[u8]) -> Self {
        let to = Address::from(way.remote);
        let mut run = Self { way, to, segment: 0, count: 0, bytes, begin: 0, next: None, follows: false };
        run.restart(way, datagram);
        run
    }

    /// Begins anew, in the same memory.
    fn restart(&mut self, way: Way, datagram: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(datagram);
        if self.way.remote != way.remote {
            self.to = Address::from(way.remote);
        }
        (self.way, self.segment, self.count, self.begin) = (way, datagram.len(), 1, 0);
        (self.next, self.follows) = (None, false);
    }

    /// Adds a datagram that goes the same way and has a size that fits behind.
    fn extend(&mut self, datagram: &[u8], max: usize) -> bool {
        let whole = self.bytes.len() == self.segment * self.count;
        let fits = !datagram.is_empty() && datagram.len() <= self.segment && self.count < max;
        if whole && fits && self.bytes.len() + datagram.len() <= MAX_RUN {
            self.bytes.extend_from_slice(datagram);
            self.count += 1;
            return true;
        }
        false
    }

    /// The first so many of what is left, side by side, and the size of each.
    pub(crate) fn front(&self, count: usize) -> (&[u8], usize) {
        let end = (self.begin + count * self.segment).min(self.bytes.len());
        (&self.bytes[self.begin..end], self.segment)
    }

    /// The datagram of this number of what is left.
    pub(crate) fn datagram(&self, number: usize) -> &[u8] {
        let begin = (self.begin + number * self.segment).min(self.bytes.len());
        &self.bytes[begin..(begin + self.segment).min(self.bytes.len())]
    }

    /// So many have left.
    pub(crate) fn advance(&mut self, count: usize) {
        let count = count.min(self.count);
        self.begin = (self.begin + count * self.segment).min(self.bytes.len());
        self.count -= count;
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.begin
    }
}

/// What became of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Push {
    /// It is in a run.
    Taken,
    /// What is gathered must be sent first.
    Full,
}

/// What gathers in one turn.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The first `open` of them are in use, in the order in which they began; the others are memory to be used again.
    runs: Vec<Run>,
    open: usize,
    octets: usize,
    /// By a hash of ways: the latest run that has it. What another has displaced begins a run of its own.
    ways: [u8; INDEX],
    /// By a hash of sockets, likewise.
    sockets: [u8; INDEX],
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self { runs: Vec::new(), open: 0, octets: 0, ways: [0; INDEX], sockets: [0; INDEX] }
    }

    /// Adds a datagram, to a run of at most `max`.
    pub(crate) fn push(&mut self, way: Way, datagram: &[u8], max: usize) -> Push {
        if self.open > 0 && self.octets >= GATHERED {
            return Push::Full;
        }
        let place = place_of(&way);
        let latest = usize::from(self.ways[place]);
        if let Some(run) = self.runs[..self.open].get_mut(latest)
            && run.way == way
            && run.extend(datagram, max)
        {
            self.octets += datagram.len();
            return Push::Taken;
        }
        if self.open == RUNS {
            return Push::Full;
        }
        let number = self.open;
        match self.runs.get_mut(number) {
            Some(run) => run.restart(way, datagram),
            None => self.runs.push(Run::new(way, Vec::new(), datagram)),
        }
        self.link(number);
        self.ways[place] = small(number);
        self.open += 1;
        self.octets += datagram.len();
        Push::Taken
    }

    /// Puts a run behind the latest of its socket.
    fn link(&mut self, number: usize) {
        let socket = self.runs[number].way.socket;
        let latest = &mut self.sockets[socket % INDEX];
        let before = usize::from(std::mem::replace(latest, small(number)));
        if before < number && self.runs[before].way.socket == socket {
            self.runs[before].next = Some(number);
            self.runs[number].follows = true;
        }
    }

    /// How many runs there are.
    pub(crate) fn len(&self) -> usize {
        self.open
    }

    /// The run of this number, to look at.
    pub(crate) fn look(&self, number: usize) -> &Run {
        &self.runs[number]
    }

    /// The run of this number.
    pub(crate) fn run(&mut self, number: usize) -> &mut Run {
        &mut self.runs[number]
    }

    /// The numbers of the runs of one socket from this on, if this is the first of them.
    pub(crate) fn chain(&self, number: usize) -> Option<Chain> {
        (!self.runs[number].follows).then_some(Chain { next: Some(number) })
    }

    /// All of it has been sent, refused, or is to wait.
    pub(crate) fn clear(&mut self) {
        (self.open, self.octets) = (0, 0);
    }

    /// Forgets what a socket that goes away has not sent; returns how many datagrams.
    pub(crate) fn forget(&mut self, socket: usize) -> usize {
        let gone = self.runs[..self.open].iter_mut().filter(|run| run.way.socket == socket);
        gone.map(|run| std::mem::take(&mut run.count)).sum()
    }
}

/// Runs of one socket, one behind the other.
pub(crate) struct Chain {
    next: Option<usize>,
}

impl Chain {
    pub(crate) fn next(&mut self, outbox: &Outbox) -> Option<usize> {
        let number = self.next?;
        self.next = outbox.runs[number].next;
        Some(number)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "there are at most RUNS of them")]
fn small(number: usize) -> u8 {
    number as u8
}

/// Where the index has a way: what varies most is the port of one end or the other.
fn place_of(way: &Way) -> usize {
    let last = match way.remote.ip() {
        IpAddr::V4(ip) => usize::from(ip.octets()[3]),
        IpAddr::V6(ip) => usize::from(ip.octets()[15]),
    };
    let port = usize::from(way.remote.port());
    (way.socket.wrapping_mul(37) ^ port ^ (port >> 8) ^ last.wrapping_mul(91)) % INDEX
}

/// What waits at a socket that the system has no room for: the oldest in front.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    runs: VecDeque<Run>,
    octets: usize,
}

impl Waiting {
    /// Whether it is time to ask for no more.
    pub(crate) fn is_high(&self) -> bool {
        self.octets >= HIGH || self.runs.len() >= HIGH_RUNS
    }

    /// Takes what is left of a run, and leaves it empty; or as many datagrams as were lost, where too much waits already.
    pub(crate) fn take(&mut self, run: &mut Run) -> Result<(), usize> {
        let count = std::mem::take(&mut run.count);
        if self.octets + run.len() > WAITING || self.runs.len() >= WAITING_RUNS {
            return Err(count);
        }
        let mut kept = Run::new(run.way, Vec::new(), &[]);
        std::mem::swap(&mut kept.bytes, &mut run.bytes);
        (kept.segment, kept.count, kept.begin) = (run.segment, count, run.begin);
        run.begin = 0;
        self.octets += kept.len();
        self.runs.push_back(kept);
        Ok(())
    }

    pub(crate) fn first(&mut self) -> Option<&mut Run> {
        self.runs.front_mut()
    }

    /// The first is done with, or a part of it has left.
    pub(crate) fn settle(&mut self) {
        if self.runs.front().is_some_and(|run| run.count == 0) {
            self.runs.pop_front();
        }
        self.octets = self.runs.iter().map(Run::len).sum();
    }

    /// How many datagrams wait.
    pub(crate) fn count(&self) -> usize {
        self.runs.iter().map(|run| run.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> Way {
        let remote = SocketAddr::from(([192, 0, 2, 1], port));
        Way { socket: 0, source: None, remote, ecn: Ecn::NotEct, dont_fragment: true, dscp: 0 }
    }

    /// Each run: its port, and the first octet of each datagram.
    fn runs(outbox: &mut Outbox) -> Vec<(u16, Vec<u8>)> {
        let runs = &outbox.runs[..outbox.open];
        runs.iter()
            .map(|run| (run.way.remote.port(), (0..run.count).map(|n| run.datagram(n)[0]).collect()))
            .collect()
    }

    #[test]
    fn a_run_is_of_one_size_to_one_destination() {
        let source = Some("192.0.2.9".parse().unwrap());
        let others = [
            Way { socket: 1, ..to(1) },
            Way { source, ..to(1) },
            to(2),
            Way { ecn: Ecn::Ce, ..to(1) },
            Way { dont_fragment: false, ..to(1) },
            Way { dscp: 46, ..to(1) },
        ];
        let fill = || {
            let mut outbox = Outbox::new();
            assert_eq!(outbox.push(to(1), &[1; 100], 4), Push::Taken);
            assert_eq!(outbox.push(to(1), &[2; 100], 4), Push::Taken);
            assert_eq!(outbox.len(), 1);
            outbox
        };
        for other in others {
            let mut outbox = fill();
            assert_eq!((outbox.push(other, &[3; 100], 4), outbox.len()), (Push::Taken, 2), "{other:?}");
        }
        for (datagram, max) in [(&[3; 101][..], 4), (&[], 4), (&[3; 100], 2)] {
            let mut outbox = fill();
            assert_eq!((outbox.push(to(1), datagram, max), outbox.len()), (Push::Taken, 2));
        }
        let mut outbox = fill();
        outbox.push(to(1), &[3; 60], 4);
        outbox.push(to(1), &[4; 60], 4); // the shorter one was the last
        let first = outbox.run(0);
        assert_eq!((first.count, first.front(3).0.len(), first.front(2)), (3, 260, (first.front(2).0, 100)));
        assert_eq!(runs(&mut outbox), [(1, vec![1, 2, 3]), (1, vec![4])]);
    }

    #[test]
    fn what_comes_mixed_leaves_in_runs_and_in_order() {
        let mut outbox = Outbox::new();
        for number in 0..3 {
            for port in 1..=3 {
                outbox.push(to(port), &[number; 10], 64);
            }
        }
        outbox.push(to(2), &[9; 20], 64);
        outbox.push(to(2), &[10; 20], 64);
        let mixed = [(1, vec![0, 1, 2]), (2, vec![0, 1, 2]), (3, vec![0, 1, 2]), (2, vec![9, 10])];
        assert_eq!(runs(&mut outbox), mixed);
    }

    #[test]
    fn runs_of_one_socket_are_found_one_behind_the_other() {
        let mut outbox = Outbox::new();
        let sockets = [5, 6, 5, 5 + INDEX, 5, 6];
        for (port, socket) in (1..).zip(sockets) {
            outbox.push(Way { socket, ..to(port) }, &[0; 10], 64);
        }
        let mut seen = Vec::new();
        for number in 0..outbox.len() {
            let Some(mut chain) = outbox.chain(number) else { continue };
            let mut of_one = Vec::new();
            while let Some(number) = chain.next(&outbox) {
                of_one.push(outbox.run(number).way.remote.port());
            }
            seen.push(of_one);
        }
        // The neighbour in the index has cut the chain of 5 in two.
        assert_eq!(seen, [vec![1, 3], vec![2, 6], vec![4], vec![5]]);
    }

    #[test]
    fn there_is_an_end_to_gathering() {
        let mut outbox = Outbox::new();
        let taken = (0..1_000).take_while(|port| outbox.push(to(*port), &[0; 10], 64) == Push::Taken);
        assert_eq!(taken.count(), RUNS);
        outbox.clear();
        let taken = (0..1_000).take_while(|_| outbox.push(to(1), &[0; 1_200], 64) == Push::Taken).count();
        assert_eq!(taken, GATHERED.div_ceil(1_200));
        assert_eq!((outbox.len(), outbox.run(0).count), (2, 54), "a run stays below the size of a message");
        assert_eq!((outbox.forget(1), outbox.forget(0), outbox.forget(0)), (0, taken, 0));
    }

    #[test]
    fn what_waits_has_a_bound_and_loses_no_place() {
        let mut outbox = Outbox::new();
        let mut waiting = Waiting::default();
        for number in 0..3 {
            outbox.push(to(1), &[number; 10], 64);
        }
        outbox.run(0).advance(1);
        assert_eq!(waiting.take(outbox.run(0)), Ok(()));
        assert_eq!((waiting.count(), waiting.octets, outbox.run(0).count), (2, 20, 0));
        let first = waiting.first().unwrap();
        assert_eq!((first.datagram(0), first.datagram(1)), (&[1; 10][..], &[2; 10][..]));
        first.advance(1);
        waiting.settle();
        assert_eq!((waiting.count(), waiting.octets), (1, 10));
        outbox.clear();
        for room in [true, true, false] {
            assert_eq!(
                (outbox.push(to(1), &[0; 60_000], 64), waiting.is_high()),
                (Push::Taken, waiting.octets > 10)
            );
            assert_eq!(waiting.take(outbox.run(0)).is_ok(), room);
            outbox.clear();
        }
        assert_eq!((waiting.octets, waiting.count()), (120_010, 3));
        let mut waiting = Waiting::default();
        let taken = (0..1_000).take_while(|_| {
            outbox.clear();
            outbox.push(to(1), &[], 64);
            waiting.take(outbox.run(0)).is_ok()
        });
        assert_eq!(taken.count(), WAITING_RUNS, "empty datagrams have an end too");
    }
}
