//! One end of a stream: what leaves and is not acknowledged, what came and is not read.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use ginnel_core::{Framing, Instant, Path, Ticket};

use super::{GIVE_UP, LINGER, WINDOW, splice::Joint};

/// The payload of a segment at most.
const MSS: u64 = 1_400;
/// RFC 6298 section 2: the first, and a least one that tests need not wait long for.
const FIRST_RTO: Duration = Duration::from_secs(1);
const LEAST_RTO: Duration = Duration::from_millis(200);
/// RFC 5681 section 3.2: so many acknowledgements of the same mean a loss.
const DUPLICATES: u8 = 3;
/// No timeout doubles more often.
const MAX_DOUBLINGS: u32 = 5;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) node: usize,
    pub(crate) path: Path,
    pub(crate) stream: u64,
    pub(crate) framing: Framing,
    pub(crate) state: State,
    pub(crate) out: Outgoing,
    pub(crate) incoming: Incoming,
    pub(crate) joint: Option<Joint>,
    /// Where its timer is in the queue of what happens.
    pub(crate) alarm: Option<(Instant, u64)>,
}

/// ```text
///   Connecting -- SYN-ACK --> Open <-- anything else -- Accepting
///                              |
///                 released, lost, or refused to be read any more
///                              v
///                           Closing -- both ends acknowledged, or LINGER is over --> gone
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Connecting { ticket: Ticket, until: Instant },
    Accepting,
    Open,
    Closing { until: Instant },
}

impl Connection {
    pub(crate) fn new(
        now: Instant,
        node: usize,
        path: Path,
        stream: u64,
        framing: Framing,
        state: State,
    ) -> Self {
        let (out, incoming) = (Outgoing::new(now), Incoming::default());
        Self { node, path, stream, framing, state, out, incoming, joint: None, alarm: None }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Nothing more is said, and nothing more is heard.
    pub(crate) fn close(&mut self, now: Instant) {
        self.out.finish();
        self.state = State::Closing { until: now + LINGER };
        (self.framing, self.joint) = (Framing::Held, None);
        self.incoming.ready.clear();
    }

    /// Both directions have ended, and both ends know.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Closing { .. }) && self.incoming.ended && self.out.is_acknowledged()
    }

    /// When it has to be looked at, whatever comes.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Connecting { until, .. } => Some(self.out.due().min(until)),
            State::Accepting => Some(self.out.due()),
            State::Open => self.out.waits().then(|| self.out.due()),
            State::Closing { until } => {
                Some(if self.out.waits() { self.out.due().min(until) } else { until })
            }
        }
    }
}

// ---- outgoing

#[derive(Debug)]
pub(crate) struct Outgoing {
    /// From `base` on.
    queue: VecDeque<u8>,
    /// The first octet that was not acknowledged.
    base: u64,
    /// The next to send.
    next: u64,
    /// The first that the other end has no room for.
    edge: u64,
    /// The number of the end, once there is one.
    fin: Option<u64>,
    /// How much may be in flight: less, after a timeout.
    flight: u64,
    duplicates: u8,
    /// An octet whose acknowledgement is timed, and when it left.
    timed: Option<(u64, Instant)>,
    rto: Duration,
    doublings: u32,
    /// Since when the timer runs.
    since: Instant,
    /// When the other end was last heard, or began to be waited for.
    heard: Instant,
}

/// A payload to send.
pub(crate) struct Payload {
    pub(crate) seq: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fin: bool,
}

impl Outgoing {
    fn new(now: Instant) -> Self {
        Self {
            queue: VecDeque::new(),
            base: 0,
            next: 0,
            edge: WINDOW,
            fin: None,
            flight: WINDOW,
            duplicates: 0,
            timed: None,
            rto: FIRST_RTO,
            doublings: 0,
            since: now,
            heard: now,
        }
    }

    /// Room for octets that wait.
    pub(crate) fn room(&self) -> usize {
        if self.fin.is_some() { 0 } else { (WINDOW as usize).saturating_sub(self.queue.len()) }
    }

    pub(crate) fn push(&mut self, now: Instant, octets: impl IntoIterator<Item = u8>) {
        self.starts(now);
        self.queue.extend(octets);
    }

    /// There is no more behind what waits.
    pub(crate) fn finish(&mut self) {
        self.fin.get_or_insert(self.base + self.queue.len() as u64);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.fin.is_some()
    }

    fn is_acknowledged(&self) -> bool {
        self.fin.is_some_and(|fin| self.base > fin)
    }

    /// Whether an acknowledgement is waited for, or room.
    pub(crate) fn waits(&self) -> bool {
        self.base < self.next || !self.queue.is_empty() || self.fin.is_some_and(|fin| self.next <= fin)
    }

    fn starts(&mut self, now: Instant) {
        if !self.waits() {
            (self.since, self.heard, self.doublings) = (now, now, 0);
        }
    }

    pub(crate) fn due(&self) -> Instant {
        self.since + self.rto * (1 << self.doublings.min(MAX_DOUBLINGS))
    }

    pub(crate) fn is_given_up(&self, now: Instant) -> bool {
        now.saturating_since(self.heard) >= GIVE_UP
    }

    /// The next payload that may leave.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Payload> {
        let end = self.base + self.queue.len() as u64;
        let limit = end.min(self.edge).min(self.base + self.flight);
        let count = limit.saturating_sub(self.next).min(MSS);
        let (seq, fin) = (self.next, self.fin == Some(self.next + count));
        if count == 0 && !fin {
            return None;
        }
        self.next += count + u64::from(fin);
        self.timed.get_or_insert((self.next, now));
        Some(Payload { seq, bytes: self.copy(seq, count), fin })
    }

    fn copy(&self, seq: u64, count: u64) -> Vec<u8> {
        let start = (seq - self.base) as usize;
        self.queue.range(start..start + count as usize).copied().collect()
    }

    /// The other end has everything before `ack`, and room for `window` behind it. What is to be sent once more, if anything.
    pub(crate) fn acknowledge(&mut self, now: Instant, ack: u64, window: u64) -> Option<Payload> {
        let sent = self.fin.map_or(self.base + self.queue.len() as u64, |fin| fin + 1);
        if ack < self.base || ack > sent {
            return None;
        }
        self.heard = now;
        let (advanced, opened) = (ack > self.base, ack + window > self.edge);
        self.edge = self.edge.max(ack + window);
        if advanced {
            let octets = (ack - self.base).min(self.queue.len() as u64);
            self.queue.drain(..octets as usize);
            (self.base, self.next) = (ack, self.next.max(ack));
            (self.duplicates, self.doublings, self.flight, self.since) = (0, 0, WINDOW, now);
            if let Some((_, left)) = self.timed.take_if(|(octet, _)| *octet <= ack) {
                self.rto = (now.saturating_since(left) * 2).max(LEAST_RTO);
            }
            return None;
        }
        if opened || self.base >= self.next {
            return None;
        }
        self.duplicates = self.duplicates.saturating_add(1);
        (self.duplicates == DUPLICATES).then(|| {
            let end = self.base + self.queue.len() as u64;
            let count = (self.next.min(end) - self.base).min(MSS);
            let fin = self.fin == Some(self.base + count);
            self.timed = None;
            Payload { seq: self.base, bytes: self.copy(self.base, count), fin }
        })
    }

    /// Nothing was acknowledged for too long: what is in flight is taken for lost. True if there is nothing in flight: then it is
    /// room that is waited for, to be asked for.
    pub(crate) fn time_out(&mut self, now: Instant) -> bool {
        let idle = self.base == self.next;
        (self.next, self.flight, self.timed) = (self.base, MSS, None);
        (self.since, self.doublings, self.duplicates) = (now, self.doublings + 1, 0);
        idle
    }

    /// Where a probe stands.
    pub(crate) fn position(&self) -> u64 {
        self.next
    }
}

// ---- incoming

#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// The first octet that has not come.
    pub(crate) expected: u64,
    /// What came before its turn.
    early: BTreeMap<u64, Vec<u8>>,
    /// In order, and not read.
    pub(crate) ready: VecDeque<u8>,
    /// The number of the end, once it is known.
    fin: Option<u64>,
    /// It has come, and all before it.
    pub(crate) ended: bool,
}

impl Incoming {
    /// How much more is welcome.
    pub(crate) fn window(&self) -> u64 {
        WINDOW.saturating_sub(self.ready.len() as u64)
    }

    /// Takes in what has come; what is beyond the window is not kept. `throw_away` if nobody will read it.
    pub(crate) fn take(&mut self, seq: u64, bytes: &[u8], fin: bool, throw_away: bool) {
        let edge = self.expected + self.window();
        if fin && seq + bytes.len() as u64 <= edge {
            self.fin = Some(seq + bytes.len() as u64);
        }
        let welcome = bytes.len().min(edge.saturating_sub(seq) as usize);
        if welcome > 0 && seq + welcome as u64 > self.expected {
            let longest = self.early.entry(seq).or_default();
            if longest.len() < welcome {
                *longest = bytes[..welcome].to_vec();
            }
        }
        while let Some(entry) = self.early.first_entry().filter(|entry| *entry.key() <= self.expected) {
            let (seq, bytes) = entry.remove_entry();
            let known = ((self.expected - seq) as usize).min(bytes.len());
            self.expected += (bytes.len() - known) as u64;
            if !throw_away {
                self.ready.extend(&bytes[known..]);
            }
        }
        if self.fin == Some(self.expected) && !self.ended {
            self.ended = true;
            self.expected += 1;
        }
    }
}
