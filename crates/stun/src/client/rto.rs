//! The retransmission timeout to each server (RFC 8489 section 6.2.1, RFC 6298 section 2).
//!
//! ```text
//!  first round trip R:   SRTT = R                        RTTVAR = R / 2
//!  another one R':       RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R'|, then SRTT = 7/8 SRTT + 1/8 R'
//!  RTO = SRTT + max(1 ms, 4 RTTVAR), to the next millisecond, within the bounds of the configuration
//! ```
//!
//! Karn's algorithm has two halves. A request that was sent twice says nothing about the round trip (the client gives no
//! sample); and the doubled RTO by which it was answered stays until there is a sample again, because a server that is
//! farther away than the RTO would never give one otherwise (RFC 6298 section 5.5). It stays up to 3 s, which is what RFC
//! 6298 section 5.7 goes on with where a handshake had to be repeated: without that end, 30 per cent of loss had a server
//! 50 ms away asked by an RTO of a minute before long, and a request to it given up after more than an hour.
//! A request that was never answered changes nothing: it measured no network.
//!
//! Servers are told apart by IP address, as section 6.2.1 has it, and forgotten ten minutes after their last answer.

use core::{net::IpAddr, time::Duration};

use ginnel_core::Instant;

use super::{ClientConfig, cache::Cache};

/// RFC 8489 section 6.2.1: after ten minutes without a transaction the RTO is stale.
const STALE_AFTER: Duration = Duration::from_secs(600);
/// RFC 8489 section 6.2.1: *a 1 ms accuracy*; the clock granularity G of RFC 6298.
const GRANULARITY: Duration = Duration::from_millis(1);

/// RFC 6298 section 5.7: the RTO after a handshake that timed out.
const DOUBLED_MAX: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Rtos(Cache<IpAddr, Estimate>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Estimate {
    /// SRTT and RTTVAR, once there was a sample.
    smoothed: Option<(Duration, Duration)>,
    /// Before bounds.
    rto: Duration,
}
impl Estimate {
    /// RFC 6298 sections 2.2 and 2.3.
    fn with_sample(self, rtt: Duration) -> Self {
        let (srtt, rttvar) = match self.smoothed {
            None => (rtt, rtt / 2),
            Some((srtt, rttvar)) => (srtt / 8 * 7 + rtt / 8, rttvar / 4 * 3 + srtt.abs_diff(rtt) / 4),
        };
        let rto = srtt.saturating_add(rttvar.saturating_mul(4).max(GRANULARITY));
        Self { smoothed: Some((srtt, rttvar)), rto }
    }
}

impl Rtos {
    pub(super) const fn new(max_servers: usize) -> Self {
        Self(Cache::new(max_servers))
    }
    /// What a transaction with this server begins with.
    pub(super) fn rto(&self, now: Instant, server: IpAddr, config: &ClientConfig) -> Duration {
        match self.fresh(now, server) {
            Some(Estimate { smoothed, rto }) if config.learn_rto => {
                let least = if smoothed.is_some() { config.min_rto } else { config.rto };
                up_to_ms(rto).min(config.max_rto).max(least)
            }
            _ => config.rto,
        }
    }
    /// A transaction was answered: with a round trip, or, if it was sent more than once, by this RTO.
    pub(super) fn answered(&mut self, now: Instant, server: IpAddr, rtt: Option<Duration>, rto: Duration) {
        let before = self.fresh(now, server).unwrap_or_default();
        let after = match rtt {
            Some(rtt) => before.with_sample(rtt),
            None => Estimate { rto: before.rto.max(rto.min(DOUBLED_MAX)), ..before },
        };
        self.0.put(now, server, after);
    }
    fn fresh(&self, now: Instant, server: IpAddr) -> Option<Estimate> {
        let (at, estimate) = self.0.get(&server)?;
        (now.saturating_since(at) <= STALE_AFTER).then_some(*estimate)
    }
}

/// To the next whole millisecond.
fn up_to_ms(time: Duration) -> Duration {
    let whole = Duration::new(time.as_secs(), time.subsec_millis() * 1_000_000);
    if whole == time { time } else { whole + GRANULARITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));
    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }
    fn at(s: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(s)
    }
    /// Bounds out of the way.
    fn config() -> ClientConfig {
        ClientConfig::default().with_rto_bounds(Duration::ZERO, Duration::from_secs(60))
    }

    #[test]
    fn rfc6298_2_the_smoothing() {
        let mut rtos = Rtos::new(1);
        assert_eq!(rtos.rto(at(0), SERVER, &config()), ms(500));
        // SRTT 80, RTTVAR 40.
        rtos.answered(at(0), SERVER, Some(ms(80)), ms(500));
        assert_eq!(rtos.rto(at(0), SERVER, &config()), ms(240));
        // RTTVAR 30 + 20 = 50, SRTT 70 + 20 = 90.
        rtos.answered(at(1), SERVER, Some(ms(160)), ms(240));
        assert_eq!(rtos.rto(at(1), SERVER, &config()), ms(290));
        // RTTVAR 37.5 + 2.5 = 40, SRTT 78.75 + 12.5 = 91.25: 251.25, and to the millisecond.
        rtos.answered(at(2), SERVER, Some(ms(100)), ms(290));
        assert_eq!(rtos.rto(at(2), SERVER, &config()), ms(252));
    }

    #[test]
    fn rfc6298_4_the_variance_counts_at_least_the_granularity() {
        let mut rtos = Rtos::new(1);
        for i in 0..200 {
            rtos.answered(at(i), SERVER, Some(ms(64)), ms(500));
        }
        let rto = rtos.rto(at(200), SERVER, &config());
        assert!((ms(65)..=ms(66)).contains(&rto), "{rto:?}");
    }

    #[test]
    fn rfc8489_6_2_1_not_below_500_ms_nor_above_the_most() {
        let mut rtos = Rtos::new(1);
        rtos.answered(at(0), SERVER, Some(ms(20)), ms(500));
        assert_eq!(rtos.rto(at(0), SERVER, &ClientConfig::default()), ms(500));
        rtos.answered(at(0), SERVER, Some(Duration::from_secs(300)), ms(500));
        assert_eq!(rtos.rto(at(0), SERVER, &ClientConfig::default()), Duration::from_secs(60));
        assert_eq!(rtos.rto(at(0), SERVER, &ClientConfig::default().with_learn_rto(false)), ms(500));
    }

    #[test]
    fn rfc6298_5_5_a_doubled_rto_stays_until_there_is_a_sample() {
        let mut rtos = Rtos::new(1);
        rtos.answered(at(0), SERVER, None, ms(2000));
        assert_eq!(rtos.rto(at(1), SERVER, &config()), ms(2000));
        rtos.answered(at(1), SERVER, None, ms(1000));
        assert_eq!(rtos.rto(at(1), SERVER, &config()), ms(2000));
        rtos.answered(at(1), SERVER, None, Duration::from_secs(32));
        assert_eq!(rtos.rto(at(1), SERVER, &config()), ms(3000), "RFC 6298 section 5.7");
        rtos.answered(at(2), SERVER, Some(ms(100)), ms(2000));
        assert_eq!(rtos.rto(at(2), SERVER, &config()), ms(300));
    }

    #[test]
    fn rfc8489_6_2_1_it_is_stale_after_ten_minutes() {
        let mut rtos = Rtos::new(1);
        rtos.answered(at(0), SERVER, Some(ms(400)), ms(500));
        assert_eq!(rtos.rto(at(600), SERVER, &config()), ms(1200));
        assert_eq!(rtos.rto(at(601), SERVER, &config()), ms(500));
        // And what was smoothed is forgotten with it.
        rtos.answered(at(601), SERVER, Some(ms(100)), ms(500));
        assert_eq!(rtos.rto(at(601), SERVER, &config()), ms(300));
    }
}
