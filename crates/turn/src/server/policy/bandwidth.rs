//! How many octets a second: of one allocation, and of all allocations of a user.
//!
//! A bucket is one instant, when it will be full again. A packet moves that instant by as long as its octets take at the rate, and
//! is dropped if it would then be further ahead than a burst takes: one read, one multiplication, one write.
//! Each direction counts by itself, so a peer that floods does not silence the client.
//! Left out: queues. What is over the limit is dropped, as a network does it that is full.

use core::{sync::atomic::Ordering, time::Duration};

use ginnel_core::Instant;

use super::Claim;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to a peer.
    FromClient,
    /// From a peer to the client.
    FromPeer,
}

/// So many octets a second, and so many at once.
///
/// ```
/// use ginnel_turn::server::policy::Rate;
///
/// let megabit = Rate::new(125_000);
/// assert_eq!((megabit.octets_per_second(), megabit.burst()), (125_000, 125_000));
/// assert_eq!(Rate::new(1_000).burst(), 65_535); // a datagram passes whole
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    octets_per_second: u64,
    burst: u64,
    /// What an octet takes, in units of 2^-20 ns.
    per_octet: u64,
    /// What a burst takes, in nanoseconds.
    burst_takes: u64,
}
/// The longest datagram: what a burst is at the least, or some would never pass.
const LEAST_BURST: u64 = u16::MAX as u64;
const FRACTION: u32 = 20;
impl Rate {
    /// So many octets a second (at least 1), and as many at once as come in a second.
    #[must_use]
    pub const fn new(octets_per_second: u64) -> Self {
        Self::with_burst(octets_per_second, octets_per_second)
    }
    /// So many octets a second (at least 1), and so many at once (at least a datagram).
    #[must_use]
    pub const fn with_burst(octets_per_second: u64, burst: u64) -> Self {
        let rate = if octets_per_second == 0 { 1 } else { octets_per_second };
        let burst = if burst < LEAST_BURST { LEAST_BURST } else { burst };
        let per_octet = (NANOS << FRACTION) / rate;
        // Beyond some petabits a second an octet takes no time, which is no limit.
        let takes = (per_octet as u128 * burst as u128) >> FRACTION;
        let burst_takes = if takes > LONGEST { LONGEST as u64 } else { takes as u64 };
        Self { octets_per_second: rate, burst, per_octet, burst_takes }
    }
    /// Octets a second.
    #[must_use]
    pub const fn octets_per_second(&self) -> u64 {
        self.octets_per_second
    }
    /// Octets at once, after a time of quiet.
    #[must_use]
    pub const fn burst(&self) -> u64 {
        self.burst
    }
    /// When the bucket will be full again if `octets` pass now; `None` if they do not.
    #[inline]
    fn after(&self, now: u64, full_at: u64, octets: usize) -> Option<u64> {
        let takes = ((u128::from(self.per_octet) * octets as u128) >> FRACTION).min(LONGEST) as u64;
        let full_at = full_at.max(now).saturating_add(takes);
        (full_at - now <= self.burst_takes).then_some(full_at)
    }
}
const NANOS: u64 = 1_000_000_000;
/// What fits beside any time of day: 290 years.
const LONGEST: u128 = u64::MAX as u128 / 2;

/// Nanoseconds since the epoch, up to the year 584 of it.
#[inline]
fn nanos(now: Instant) -> u64 {
    u64::try_from(now.since_epoch().as_nanos()).unwrap_or(u64::MAX)
}

/// One bucket, full.
///
/// ```
/// use core::time::Duration;
/// use ginnel_core::Instant;
/// use ginnel_turn::server::policy::{Bucket, Rate};
///
/// let rate = Rate::with_burst(100_000, 100_000);
/// let mut bucket = Bucket::default();
/// assert!(bucket.admits(Instant::EPOCH, 60_000, &rate));
/// assert!(!bucket.admits(Instant::EPOCH, 60_000, &rate));
/// assert!(bucket.admits(Instant::EPOCH + Duration::from_millis(200), 60_000, &rate));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    full_at: u64,
}
impl Bucket {
    /// Whether a packet of so many octets passes, which are then gone from the bucket.
    #[inline]
    pub fn admits(&mut self, now: Instant, octets: usize, rate: &Rate) -> bool {
        let after = rate.after(nanos(now), self.full_at, octets);
        self.full_at = after.unwrap_or(self.full_at);
        after.is_some()
    }
    /// When it will be full again.
    #[must_use]
    pub fn full_at(&self) -> Instant {
        Instant::from_epoch(Duration::from_nanos(self.full_at))
    }
}

/// A bucket that shards share, without a lock. Full.
#[derive(Debug, Default)]
pub struct SharedBucket {
    #[cfg(target_has_atomic = "64")]
    full_at: core::sync::atomic::AtomicU64,
    /// The low and the high half. Read between two writes they would be a wrong instant; but where there are no wider atomics
    /// there is one thread.
    #[cfg(not(target_has_atomic = "64"))]
    full_at: [core::sync::atomic::AtomicU32; 2],
}
impl SharedBucket {
    /// Whether a packet of so many octets passes, which are then gone from the bucket.
    #[cfg(target_has_atomic = "64")]
    #[inline]
    pub fn admits(&self, now: Instant, octets: usize, rate: &Rate) -> bool {
        let now = nanos(now);
        let step = |full_at| rate.after(now, full_at, octets);
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).is_ok()
    }
    /// Whether a packet of so many octets passes, which are then gone from the bucket.
    #[cfg(not(target_has_atomic = "64"))]
    pub fn admits(&self, now: Instant, octets: usize, rate: &Rate) -> bool {
        let [low, high] = self.full_at.each_ref().map(|half| u64::from(half.load(Ordering::Relaxed)));
        let Some(after) = rate.after(nanos(now), high << 32 | low, octets) else { return false };
        let [low, high] = &self.full_at;
        low.store(after as u32, Ordering::Relaxed);
        high.store((after >> 32) as u32, Ordering::Relaxed);
        true
    }
}

/// What may pass. The default is no limit.
///
/// Connections of TCP relays pass the machine by: the driver holds them to the same rates, those of one allocation together and
/// those of one user together ([`StreamRate`](ginnel_core::StreamRate)), without a burst and apart from datagrams. It knows of its
/// own shard alone: a user whose connections are spread over four of them has four times as much, and no more.
///
/// ```
/// use ginnel_turn::server::policy::{BandwidthLimits, Rate};
///
/// let limits = BandwidthLimits::default().with_per_allocation(Rate::new(250_000)).with_per_user(Rate::new(1_000_000));
/// assert!(limits.is_limited());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BandwidthLimits {
    /// Each allocation, in each direction.
    pub per_allocation: Option<Rate>,
    /// All allocations of one user, in each direction.
    pub per_user: Option<Rate>,
}
impl BandwidthLimits {
    /// With a rate for each allocation.
    #[must_use]
    pub const fn with_per_allocation(mut self, rate: Rate) -> Self {
        self.per_allocation = Some(rate);
        self
    }
    /// With a rate for each user.
    #[must_use]
    pub const fn with_per_user(mut self, rate: Rate) -> Self {
        self.per_user = Some(rate);
        self
    }
    /// Whether anything is limited: else nobody need ask.
    #[inline]
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.per_allocation.is_some() || self.per_user.is_some()
    }
}

/// The buckets of one allocation: 16 octets, full at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    buckets: [Bucket; 2],
}
impl Bandwidth {
    /// Whether a packet of so many octets passes. `claim` is that of the allocation, and knows the buckets of its user.
    ///
    /// What the user's bucket refuses is not taken from the allocation's.
    #[inline]
    pub fn admits(
        &mut self,
        now: Instant,
        direction: Direction,
        octets: usize,
        limits: &BandwidthLimits,
        claim: &Claim,
    ) -> bool {
        let n = direction as usize;
        let mut after = self.buckets[n];
        if limits.per_allocation.is_some_and(|rate| !after.admits(now, octets, &rate)) {
            return false;
        }
        if limits.per_user.is_some_and(|rate| !claim.buckets()[n].admits(now, octets, &rate)) {
            return false;
        }
        self.buckets[n] = after;
        true
    }
}

#[cfg(test)]
mod tests;
