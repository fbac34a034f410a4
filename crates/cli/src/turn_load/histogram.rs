//! How long things took: a histogram with buckets that grow with their values, so that it is small, exact to 1 part in 64,
//! and costs the loop that it measures nothing.

use std::time::Duration;

/// Each power of two is split into so many buckets: what is read out is at most 1/64 too large.
const SPLIT_BITS: u32 = 6;
const SPLIT: usize = 1 << SPLIT_BITS;
/// Values from 2^40 ns (18 minutes) on share the last bucket.
const POWERS: usize = 40 - SPLIT_BITS as usize;

/// Durations, counted by size.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    buckets: Box<[u64]>,
    count: u64,
    sum: u128,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; SPLIT * (POWERS + 1)].into(), count: 0, sum: 0, max: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one.
    pub(super) fn record(&mut self, value: Duration) {
        let nanos = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(nanos).min(self.buckets.len() - 1)] += 1;
        self.count += 1;
        self.sum += u128::from(nanos);
        self.max = self.max.max(value);
    }

    /// Adds what another has counted.
    pub(super) fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(own, others)| *own += others);
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }

    /// How many there are.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub(super) const fn max(&self) -> Duration {
        self.max
    }

    /// The mean; zero of none.
    pub(super) fn mean(&self) -> Duration {
        let nanos = self.sum.checked_div(u128::from(self.count)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// What so many of 1,000 are not above; zero of none.
    pub(super) fn per_mille(&self, part: u64) -> Duration {
        let rank = (self.count * part).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (number, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(top_of(number)).min(self.max);
            }
        }
        self.max
    }
}

/// Values below [`SPLIT`] have a bucket each; then every power of two has [`SPLIT`] of them.
fn bucket_of(nanos: u64) -> usize {
    let power = (64 - SPLIT_BITS).saturating_sub(nanos.leading_zeros());
    if power == 0 {
        return nanos as usize;
    }
    // The top bit of what is left is the power's own: the others say which of its buckets.
    let within = (nanos >> (power - 1)) as usize - SPLIT;
    power as usize * SPLIT + within
}

/// The largest value of a bucket.
fn top_of(bucket: usize) -> u64 {
    let (power, within) = (bucket / SPLIT, (bucket % SPLIT) as u64);
    if power == 0 {
        return within;
    }
    ((within + SPLIT as u64 + 1) << (power - 1)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_bucket_that_it_is_read_from() {
        let mut last = 0;
        for power in 0..40 {
            for offset in [0, 1, 3, 7, 100, 12_345] {
                let value = (1_u64 << power) + offset;
                let bucket = bucket_of(value);
                let top = top_of(bucket);
                assert!(top >= value, "{value}: {top}");
                assert!(top - value <= value / SPLIT as u64, "{value}: {top}");
                assert!(bucket == 0 || top_of(bucket - 1) < value, "{value}");
                last = last.max(bucket);
            }
        }
        assert!(last < Histogram::default().buckets.len() + SPLIT);
    }

    #[test]
    fn percentiles_of_a_thousand_values() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.per_mille(500), histogram.mean()), (Duration::ZERO, Duration::ZERO));
        (1..=1_000).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let close = |part, micros: u64| {
            let read = histogram.per_mille(part).as_nanos() as f64 / 1_000.0;
            assert!(read >= micros as f64 && read <= micros as f64 * 1.02, "{part}: {read}");
        };
        close(500, 500);
        close(900, 900);
        close(990, 990);
        close(999, 999);
        assert_eq!(histogram.per_mille(1_000), Duration::from_millis(1));
        assert_eq!((histogram.max(), histogram.count()), (Duration::from_millis(1), 1_000));
        assert_eq!(histogram.mean(), Duration::from_nanos(500_500));
    }

    #[test]
    fn merged_is_as_counted_by_one() {
        let (mut one, mut other, mut both) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for nanos in (1..10_000_000).step_by(9_973) {
            let value = Duration::from_nanos(nanos);
            if nanos % 2 == 0 {
                one.record(value)
            } else {
                other.record(value)
            }
            both.record(value);
        }
        both.record(Duration::MAX);
        other.record(Duration::MAX);
        one.merge(&other);
        assert_eq!(
            (one.buckets, one.count, one.sum, one.max),
            (both.buckets, both.count, both.sum, both.max)
        );
    }
}
