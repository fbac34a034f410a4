//! A rate limit for each source, in a table that never grows.
//!
//! Over datagrams anybody can be named as the source of a request, so what is answered to strangers must not be worth
//! asking for: each source gets so many answers a second and no more. A source is an IPv4 address or an IPv6 /64, since
//! whoever has one address of a /64 has all of them.
//!
//! The table is a fixed number of token buckets. A source is hashed to one of them under a key that nobody knows
//! (SipHash), so nobody can choose whom he shares a bucket with. A bucket is one instant, when it will be full again:
//! asking costs one hash, one read and one write, however many sources there are, and nothing is ever swept.
//!
//! Two sources can share a bucket, and one of them may be a flood. The other is not starved for ever:
//! - a refusal costs no token, so a bucket goes on giving its answers each second, to whoever comes next, and
//!   a client that asks again, as RFC 8489 section 6.2.1 has it do seven times, is one of those who come;
//! - the hash changes every [`RESHUFFLED_EVERY`], and with it who shares with whom.
//!
//! Whoever sends in the name of somebody else uses up that one's answers to strangers, which is what keeps a flood from
//! reaching him. He loses only what strangers get: requests with credentials that are right take no token.

use alloc::{boxed::Box, vec};
use core::{hash::Hasher, net::IpAddr, time::Duration};

use ginnel_core::{Instant, Seed};
use zeroize::Zeroizing;

/// How often sources are dealt out to the buckets anew.
const RESHUFFLED_EVERY: Duration = Duration::from_secs(60);

/// How many answers each source gets.
///
/// ```
/// use ginnel_stun::auth::RateLimit;
///
/// let limit = RateLimit::default().with_rate(20, 100).with_buckets(1 << 16);
/// assert_eq!((limit.per_second, limit.burst, limit.buckets), (20, 100, 65_536));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// Answers a second, in the long run. At least 1.
    pub per_second: u32,
    /// Answers at once, after a time of quiet. At least 1.
    pub burst: u32,
    /// How many buckets there are, of 8 octets each. At least 1; it is allocated once.
    pub buckets: usize,
}
impl Default for RateLimit {
    /// For plain answers: 50 a second and 200 at once for each source, in 128 KiB.
    fn default() -> Self {
        Self { per_second: 50, burst: 200, buckets: 1 << 14 }
    }
}
impl RateLimit {
    /// With another rate: so many a second, and so many at once.
    #[must_use]
    pub const fn with_rate(mut self, per_second: u32, burst: u32) -> Self {
        (self.per_second, self.burst) = (per_second, burst);
        self
    }
    /// With another number of buckets.
    #[must_use]
    pub const fn with_buckets(mut self, buckets: usize) -> Self {
        self.buckets = buckets;
        self
    }
}

/// The table.
///
/// ```
/// use core::time::Duration;
/// use ginnel_core::{Instant, Seed};
/// use ginnel_stun::auth::{RateLimit, RateLimiter};
///
/// let mut limiter = RateLimiter::new(RateLimit::default().with_rate(1, 2), Seed::new([7; 32]));
/// let source = "192.0.2.1".parse()?;
/// let asked = [(); 3].map(|()| limiter.admits(Instant::EPOCH, source));
/// assert_eq!(asked, [true, true, false]);
/// assert!(limiter.admits(Instant::EPOCH + Duration::from_secs(1), source)); // a token has come
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RateLimiter {
    /// Nanoseconds after the epoch at which each bucket is full again. In the past: it is full.
    full_at: Box<[u64]>,
    /// Nanoseconds that a token takes to come.
    token: u64,
    /// Nanoseconds that all of them take.
    capacity: u64,
    key: Zeroizing<[u64; 2]>,
}
impl RateLimiter {
    /// A table whose buckets are all full.
    #[must_use]
    pub fn new(limit: RateLimit, seed: Seed) -> Self {
        let mut rng = seed.into_rng();
        let token = 1_000_000_000 / u64::from(limit.per_second.max(1));
        Self {
            full_at: vec![0; limit.buckets.max(1)].into_boxed_slice(),
            token,
            capacity: token.saturating_mul(u64::from(limit.burst.max(1))).min(u64::MAX / 4),
            key: Zeroizing::new([rng.next_u64(), rng.next_u64()]),
        }
    }
    /// Whether `source` may have one more answer now; if so, it is counted.
    #[must_use]
    pub fn admits(&mut self, now: Instant, source: IpAddr) -> bool {
        let index = self.bucket_of(now, source);
        // Time ends after 584 years, with room for the last burst.
        let end = u64::MAX - self.capacity - self.token;
        let now = u64::try_from(now.since_epoch().as_nanos()).map_or(end, |now| now.min(end));
        let Some(full_at) = self.full_at.get_mut(index) else { return false };
        let after = (*full_at).max(now) + self.token;
        let admitted = after - now <= self.capacity;
        if admitted {
            *full_at = after;
        }
        admitted
    }
    #[allow(
        deprecated,
        reason = "the standard hasher of today is the same one, but only with std and without a key"
    )]
    fn bucket_of(&self, now: Instant, source: IpAddr) -> usize {
        let mut hasher = core::hash::SipHasher::new_with_keys(self.key[0], self.key[1]);
        hasher.write_u64(source_of(source));
        hasher.write_u64(now.since_epoch().as_secs() / RESHUFFLED_EVERY.as_secs());
        // The high word of a product spreads the hash over any number of buckets.
        let product = u128::from(hasher.finish()) * self.full_at.len() as u128;
        (product >> 64) as usize
    }
}
/// What counts as one source: an IPv4 address, written as IPv6 or not, or an IPv6 /64.
pub(super) fn source_of(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        // The low half is the host's own to choose. No address of ::/64 is anybody's, so none is taken for an IPv4.
        IpAddr::V6(ip) => (u128::from(ip) >> 64) as u64,
    }
}
impl core::fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RateLimiter").field("buckets", &self.full_at.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn limiter(per_second: u32, burst: u32, buckets: usize) -> RateLimiter {
        let limit = RateLimit::default().with_rate(per_second, burst).with_buckets(buckets);
        RateLimiter::new(limit, Seed::new([7; 32]))
    }
    fn ms(ms: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(ms)
    }
    fn admitted(limiter: &mut RateLimiter, now: Instant, source: IpAddr, asked: usize) -> usize {
        (0..asked).filter(|_| limiter.admits(now, source)).count()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut limiter = limiter(10, 5, 64);
        assert_eq!(admitted(&mut limiter, ms(0), SOURCE, 100), 5);
        assert_eq!(admitted(&mut limiter, ms(99), SOURCE, 100), 0);
        assert_eq!(admitted(&mut limiter, ms(100), SOURCE, 100), 1);
        assert_eq!(admitted(&mut limiter, ms(350), SOURCE, 100), 2);
        // However long it was quiet, no more than the burst is saved up.
        assert_eq!(admitted(&mut limiter, ms(50_000), SOURCE, 100), 5);
        let within: usize = (0..1_000).map(|i| admitted(&mut limiter, ms(55_000 + i), SOURCE, 3)).sum();
        assert!((14..=15).contains(&within), "5 at once and 10 in a second, not {within}");
    }

    #[test]
    fn sources_have_buckets_of_their_own_and_a_64_is_one_source() {
        let mut limiter = limiter(1, 1, 1 << 16);
        assert_eq!(admitted(&mut limiter, ms(0), SOURCE, 2), 1);
        assert_eq!(admitted(&mut limiter, ms(0), "192.0.2.2".parse().unwrap(), 2), 1);
        let hosts = (0..1_000u128).map(|host| Ipv6Addr::from(0x2001_0db8 << 96 | host << 20 | 1));
        let answered = hosts.filter(|&host| limiter.admits(ms(0), host.into())).count();
        assert_eq!(answered, 1, "a thousand addresses of one /64");
        assert!(limiter.admits(ms(0), "2001:db8:0:1::1".parse().unwrap()), "the next /64");
    }

    #[test]
    fn an_ipv4_address_is_one_source_however_it_is_written() {
        let mut limiter = limiter(1, 1, 1 << 16);
        let mapped = |last: u8| IpAddr::V6(Ipv4Addr::new(192, 0, 2, last).to_ipv6_mapped());
        assert!(limiter.admits(ms(0), SOURCE));
        assert!(!limiter.admits(ms(0), mapped(1)), "the same one");
        let others = (2..=255).filter(|&last| limiter.admits(ms(0), mapped(last))).count();
        assert!(others >= 250, "{others} of 254 others are sources of their own");
    }

    #[test]
    fn whoever_shares_a_bucket_with_a_flood_is_answered_in_the_end() {
        // One bucket, so that they do share it; the flood is ten times what the bucket gives.
        let mut shared = limiter(10, 10, 1);
        let flood: IpAddr = "203.0.113.9".parse().unwrap();
        // RFC 8489 section 6.2.1: when a request is sent for the first to the seventh time.
        let sent = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500];
        let mut unlucky = 0;
        for start in 0..200 {
            let start = 60_000 * start + 37 * start;
            let mut answered = false;
            for now in 0..31_600 {
                if now % 10 == 3 {
                    let _ = shared.admits(ms(start + now), flood);
                }
                answered |= sent.contains(&now) && shared.admits(ms(start + now), SOURCE);
            }
            unlucky += u32::from(!answered);
        }
        assert!(unlucky < 100, "{unlucky} of 200 transactions had no answer");
    }

    #[test]
    fn nobody_shares_a_bucket_for_ever() {
        let limiter = limiter(1, 1, 16);
        let other: IpAddr = "203.0.113.9".parse().unwrap();
        let shares = |minute: u64| {
            let now = ms(60_000 * minute);
            limiter.bucket_of(now, SOURCE) == limiter.bucket_of(now, other)
        };
        let shared = (0..1_600).filter(|&minute| shares(minute)).count();
        assert!((50..150).contains(&shared), "about one minute in sixteen, not {shared} of 1600");
    }

    #[test]
    fn sources_are_spread_evenly_and_the_table_never_grows() {
        let mut limiter = limiter(1, 1, 100);
        let mut hits = [0_u32; 100];
        for n in 0..100_000_u32 {
            let source = IpAddr::V4(n.into());
            hits[limiter.bucket_of(ms(0), source)] += 1;
            let _ = limiter.admits(ms(0), source);
        }
        assert!(hits.iter().all(|&hits| (800..1_200).contains(&hits)), "{hits:?}");
        assert_eq!(limiter.full_at.len(), 100);
    }

    #[test]
    fn nonsense_is_taken_for_the_least() {
        let mut limiter = limiter(0, 0, 0);
        assert_eq!(admitted(&mut limiter, ms(0), SOURCE, 9), 1);
        assert_eq!(admitted(&mut limiter, Instant::from_epoch(Duration::MAX), SOURCE, 9), 1);
    }
}
