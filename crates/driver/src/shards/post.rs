//! What shards hand over to each other: parcels in bounded queues.
//!
//! A parcel's memory belongs to the shard that has packed it, and comes back by a queue of its own when the parcel has been
//! opened, or was lost: so nothing is allocated for a datagram in the steady state, and what one shard has under way is bounded by what it
//! has.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use ginnel_core::{ANSWER, Ecn, HEADROOM, Path, Receive, Transport};

use super::{bell::Bell, moved::Moved};
use crate::Ejected;

/// Parcels that one shard has under way at most.
pub(super) const PARCELS: usize = 256;
/// In front of the octets of a parcel.
const ROOM: usize = HEADROOM + ANSWER;
/// A parcel that has held more than this is not kept.
const KEPT: usize = 4_096;

/// A message on its way to another shard.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) path: Path,
    pub(super) ecn: Ecn,
    /// The message, with room around it.
    pub(super) octets: Vec<u8>,
    /// Where in it.
    pub(super) range: Range<usize>,
    /// The stream, or DTLS association, on which it came.
    pub(super) stream: Option<Ejected>,
    pub(super) kind: Kind,
    /// Who has packed it.
    pub(super) from: usize,
    /// To whoever has packed it.
    home: SyncSender<Vec<u8>>,
}

/// What a parcel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message, which the machine of this shard is to be shown.
    Message,
    /// A datagram as it came, of an association that has moved, which was handed over so often.
    Datagram { hops: u8 },
    /// Nothing: the association of this path was not taken.
    Refused,
}

/// Opened or lost, its memory goes back: so a shard that ends with parcels in its queue takes nothing from the others.
impl Drop for Parcel {
    fn drop(&mut self) {
        let mut octets = std::mem::take(&mut self.octets);
        if octets.capacity() > KEPT {
            octets = Vec::new();
        }
        // A shard that has ended wants nothing back.
        let _ = self.home.try_send(octets);
    }
}

/// Counters of what one shard hands over, and is handed. To be read from any thread.
#[derive(Debug, Default)]
pub struct PostStats {
    sent: AtomicU64,
    received: AtomicU64,
    dropped: AtomicU64,
    streams: AtomicU64,
}

impl PostStats {
    /// Messages that were handed over from here, and datagrams of DTLS associations that have moved.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
    /// The same that were handed over to here.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
    /// Messages and datagrams that were dropped here: too many were under way, there is no such shard, the stream was gone or not
    /// taken, or another shard had handed it over already.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
    /// Streams and DTLS associations that were moved from here.
    #[must_use]
    pub fn streams(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }
}

/// Why a parcel was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsent {
    Full,
    Gone,
}

/// Where one shard can be reached.
#[derive(Clone, Debug)]
struct Office {
    parcels: SyncSender<Parcel>,
    returns: SyncSender<Vec<u8>>,
    bell: Arc<Bell>,
}

/// The post of one shard.
#[derive(Debug)]
pub(super) struct Post {
    index: usize,
    offices: Vec<Office>,
    parcels: Receiver<Parcel>,
    returns: Receiver<Vec<u8>>,
    free: Vec<Vec<u8>>,
    /// How many parcels there are, free ones and those under way.
    made: usize,
    /// A message that waits for its stream, and whom both are for.
    pending: Option<(usize, Parcel)>,
    /// Where DTLS associations have moved whose datagrams come here.
    moved: Moved,
    /// Those that could not be moved.
    failed: Vec<Ejected>,
    stats: Arc<PostStats>,
}

impl Post {
    /// One for each of these.
    pub(super) fn offices(bells: &[Arc<Bell>]) -> Vec<Self> {
        let count = bells.len();
        let mut ends = Vec::new();
        let mut offices = Vec::new();
        for bell in bells {
            let (parcels, from_others) = sync_channel(PARCELS);
            // Every parcel that a shard has made has its place here: giving back never fails.
            let (returns, own) = sync_channel(PARCELS);
            offices.push(Office { parcels, returns, bell: Arc::clone(bell) });
            ends.push((from_others, own));
        }
        let posts = ends.into_iter().zip(0..count).map(|((parcels, returns), index)| Self {
            index,
            offices: offices.clone(),
            parcels,
            returns,
            free: Vec::with_capacity(PARCELS),
            made: 0,
            pending: None,
            moved: Moved::default(),
            failed: Vec::new(),
            stats: Arc::default(),
        });
        posts.collect()
    }

    pub(super) fn stats(&self) -> Arc<PostStats> {
        Arc::clone(&self.stats)
    }

    /// Hands this message over, or if it came on a stream or inside DTLS, keeps it until that is at hand.
    pub(super) fn hand_over(&mut self, shard: usize, input: &Receive<'_>) {
        let elsewhere = shard < self.offices.len() && shard != self.index;
        let parcel = elsewhere.then(|| self.pack(input)).flatten();
        let Some(parcel) = parcel else { return self.lose() };
        if input.path.transport == Transport::Udp {
            let _ = self.send(shard, parcel);
        } else {
            self.pending = Some((shard, parcel));
        }
    }

    /// A datagram at a socket with DTLS: whether it has gone to where its association is. `hops` says how often it has already.
    pub(super) fn follow(&mut self, input: &Receive<'_>, hops: u8) -> bool {
        let Some(shard) = self.moved.find(&input.path) else { return false };
        // An association that is moved on leaves a trace at each shard that it was at, and no two of them lead to each other:
        // whoever takes one in forgets his.
        if usize::from(hops) >= self.offices.len() {
            self.lose();
            return true;
        }
        let Some(mut parcel) = self.pack(input) else {
            self.lose();
            return true;
        };
        parcel.kind = Kind::Datagram { hops: hops + 1 };
        if self.send(shard, parcel) == Err(Unsent::Gone) {
            // That shard has ended. Whoever begins anew is served here.
            self.moved.forget(&input.path);
        }
        true
    }

    /// This association is here, or nowhere: nothing of it is to be sent after it any more.
    pub(super) fn forget(&mut self, path: &Path) {
        self.moved.forget(path);
    }

    /// The stream of this parcel has found no place here. Of an association, whoever has sent it learns that: its client begins
    /// anew, and not here.
    pub(super) fn refuse(&mut self, mut parcel: Parcel) {
        self.lose();
        if parcel.path.transport == Transport::Dtls {
            parcel.kind = Kind::Refused;
            let sender = &self.offices[parcel.from];
            // Where there is no room, it is the client who finds out.
            if sender.parcels.try_send(parcel).is_ok() {
                sender.bell.ring();
            }
        }
    }

    /// An association that was to move, and found no room: its peer is to be told.
    pub(super) fn take_failed(&mut self) -> Option<Ejected> {
        self.failed.pop()
    }

    pub(super) fn wants_stream(&self) -> bool {
        self.pending.is_some()
    }

    /// The stream of the message that waits for it; `None` if it is gone.
    pub(super) fn hand_over_stream(&mut self, stream: Option<Ejected>) {
        let Some((shard, mut parcel)) = self.pending.take() else { return };
        if stream.is_none() {
            return self.lose();
        }
        parcel.stream = stream;
        let path = parcel.path;
        // Counted before anybody can know of it.
        self.stats.streams.fetch_add(1, Ordering::Relaxed);
        if self.send(shard, parcel).is_err() {
            self.stats.streams.fetch_sub(1, Ordering::Relaxed);
        } else if path.transport == Transport::Dtls {
            self.moved.learn(path, shard);
        }
    }

    fn pack(&mut self, input: &Receive<'_>) -> Option<Parcel> {
        self.free.extend(self.returns.try_iter());
        let mut octets = match self.free.pop() {
            Some(octets) => octets,
            None if self.made < PARCELS => {
                self.made += 1;
                Vec::new()
            }
            None => return None,
        };
        let end = ROOM + input.packet.len();
        octets.resize(end + ANSWER, 0);
        octets[ROOM..end].copy_from_slice(input.packet.bytes());
        let home = self.offices[self.index].returns.clone();
        Some(Parcel {
            path: input.path,
            ecn: input.ecn,
            octets,
            range: ROOM..end,
            stream: None,
            kind: Kind::Message,
            from: self.index,
            home,
        })
    }

    fn send(&mut self, shard: usize, parcel: Parcel) -> Result<(), Unsent> {
        let office = &self.offices[shard];
        // Counted before anybody can know of it.
        self.stats.sent.fetch_add(1, Ordering::Relaxed);
        match office.parcels.try_send(parcel) {
            Ok(()) => {
                office.bell.ring();
                Ok(())
            }
            Err(error) => {
                self.stats.sent.fetch_sub(1, Ordering::Relaxed);
                self.lose();
                let (why, mut parcel) = match error {
                    TrySendError::Full(parcel) => (Unsent::Full, parcel),
                    TrySendError::Disconnected(parcel) => (Unsent::Gone, parcel),
                };
                self.failed.extend(parcel.stream.take());
                Err(why)
            }
        }
    }

    /// A message that is nobody's any more.
    pub(super) fn lose(&self) {
        self.stats.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The next parcel for this shard.
    pub(super) fn open(&mut self) -> Option<Parcel> {
        let parcel = self.parcels.try_recv().ok()?;
        if parcel.kind != Kind::Refused {
            self.stats.received.fetch_add(1, Ordering::Relaxed);
        }
        Some(parcel)
    }
}

#[cfg(test)]
mod tests {
    use ginnel_core::Packet;

    use super::*;

    fn hand_over(post: &mut Post, shard: usize) {
        let mut buf = [0; 2_048];
        let packet = Packet::received(&mut buf, ROOM..ROOM + 8).unwrap();
        let path = Path::udp("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
        post.hand_over(shard, &Receive::new(path, packet));
    }

    #[test]
    fn what_is_under_way_has_a_bound_and_comes_back() {
        let bells: Vec<_> = (0..3).map(|_| Arc::new(Bell::default())).collect();
        let [mut one, mut two, mut three] = <[Post; 3]>::try_from(Post::offices(&bells)).unwrap();
        let fill = |post: &mut Post| (0..PARCELS + 10).for_each(|_| hand_over(post, 1));
        for round in 1..=3 {
            fill(&mut one);
            assert_eq!(one.stats.sent(), round * PARCELS as u64, "whatever else there is to hand over");
            while let Some(parcel) = two.open() {
                assert_eq!(parcel.octets[parcel.range.clone()], [0; 8]);
            }
        }
        assert_eq!((one.made, one.stats.dropped()), (PARCELS, 30));
        // A shard that ends takes nothing along.
        fill(&mut one);
        drop(two);
        for _ in 0..PARCELS {
            hand_over(&mut one, 1);
        }
        assert_eq!(one.stats.dropped(), 40 + PARCELS as u64, "nobody is there");
        for _ in 0..PARCELS {
            hand_over(&mut one, 2);
        }
        assert_eq!(std::iter::from_fn(|| three.open()).count(), PARCELS, "all of its parcels are there");
    }
}
