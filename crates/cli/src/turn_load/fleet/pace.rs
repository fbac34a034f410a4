//! When packets leave: evenly, one client after another, so that finding the next one costs nothing.

use std::time::Duration;

use ginnel::core::Instant;

/// What is later than this is not sent any more: a generator that catches up would measure itself.
const TOO_LATE: Duration = Duration::from_millis(100);

/// The order of packets.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    senders: Vec<usize>,
    burst: u64,
    /// From one burst to the next, of all senders: nanoseconds.
    interval: f64,
    /// Packets that have left, or were too late.
    gone: u64,
    late: u64,
}

impl Pace {
    /// `rate` packets a second of each sender, `burst` of them at once. `None` without senders.
    pub(super) fn new(start: Instant, senders: Vec<usize>, rate: f64, burst: u32) -> Option<Self> {
        if senders.is_empty() || rate <= 0.0 {
            return None;
        }
        let burst = u64::from(burst.max(1));
        let interval = burst as f64 * 1e9 / (rate * senders.len() as f64);
        Some(Self { start, senders, burst, interval, gone: 0, late: 0 })
    }

    /// When the next packet is due.
    pub(super) fn due(&self) -> Instant {
        self.start + Duration::from_nanos(((self.gone / self.burst) as f64 * self.interval) as u64)
    }

    /// Whose packet is to leave now, if one is.
    pub(super) fn next(&mut self, now: Instant) -> Option<usize> {
        let behind = now.saturating_since(self.due());
        if behind > TOO_LATE {
            let bursts = (behind.as_nanos() as f64 / self.interval) as u64;
            self.gone += bursts * self.burst;
            self.late += bursts * self.burst;
        }
        if self.due() > now {
            return None;
        }
        let burst = self.gone / self.burst;
        self.gone += 1;
        self.senders.get((burst % self.senders.len() as u64) as usize).copied()
    }

    /// How many were due and did not leave.
    pub(super) fn unsent(mut self, now: Instant) -> u64 {
        let mut waiting = 0;
        while self.next(now).is_some() {
            waiting += 1;
        }
        self.late + waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(n)
    }

    #[test]
    fn everybody_sends_evenly() {
        let mut pace = Pace::new(ms(0), vec![7, 8], 50.0, 1).unwrap();
        let mut sent = Vec::new();
        for now in 0..100 {
            while let Some(who) = pace.next(ms(now)) {
                sent.push((now, who));
            }
        }
        let expected: Vec<_> = (0..10).map(|n| (n * 10, if n % 2 == 0 { 7 } else { 8 })).collect();
        assert_eq!(sent, expected);
        assert_eq!(pace.due(), ms(100));
        assert_eq!(pace.unsent(ms(99)), 0);
    }

    #[test]
    fn bursts_are_of_one_sender_and_as_many_less_often() {
        let mut pace = Pace::new(ms(0), vec![0, 1], 100.0, 5).unwrap();
        let at = |pace: &mut Pace, now| std::iter::from_fn(|| pace.next(ms(now))).collect::<Vec<_>>();
        assert_eq!(at(&mut pace, 0), [0; 5]);
        assert_eq!(at(&mut pace, 24), [0_usize; 0]);
        assert_eq!(at(&mut pace, 25), [1; 5]);
    }

    #[test]
    fn what_is_too_late_is_counted_and_not_sent() {
        let mut pace = Pace::new(ms(0), vec![0], 1_000.0, 1).unwrap();
        let mut sent = 0;
        while pace.next(ms(1_000)).is_some() {
            sent += 1;
        }
        assert_eq!((sent, pace.late), (1, 1_000));
        assert_eq!(pace.unsent(ms(1_005)), 1_005);
        assert!(Pace::new(ms(0), vec![], 1.0, 1).is_none());
    }
}
