//! How one stream is received: what report blocks say (RFC 3550 section 6.4.1, appendices A.1, A.3 and A.8).
//!
//! Left out: probation (A.1, MIN_SEQUENTIAL). In WebRTC every packet is authenticated before it comes here, so the first
//! one is as good as the second.

use core::time::Duration;

use ginnel_core::Instant;

use crate::rtcp::{ReportBlock, SenderInfo};

/// RFC 3550 appendix A.1: MAX_DROPOUT, how far ahead a sequence number may leap.
const MAX_DROPOUT: u16 = 3000;
/// RFC 3550 appendix A.1: MAX_MISORDER, how far behind one may lie. The RFC takes 100 as typical; a retransmission without
/// a stream of its own comes a round trip late, which is more packets than that in a stream of 4 Mbit/s.
const MAX_MISORDER: u16 = 1000;
/// Sequence numbers in a cycle.
const CYCLE: u64 = 1 << 16;

/// What became of a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It has this position: sequence numbers that never wrap.
    Accepted(u64),
    /// Two in a row came from far away: the sender has restarted, and goes on at this position, above all others.
    Restarted(u64),
    /// It is too far away to be believed, until a next one follows it.
    Refused,
}

/// The reception of one stream.
///
/// ```
/// use ginnel_core::Instant;
/// use ginnel_rtp::Reception;
///
/// let mut reception = Reception::new(90_000);
/// for sequence_number in [1, 2, 4, 5] {
///     reception.on_rtp(Instant::EPOCH, sequence_number, 0);
/// }
/// let block = reception.report_block(Instant::EPOCH, 7);
/// assert_eq!((block.ssrc, block.cumulative_lost, block.extended_highest_sequence), (7, 1, 5));
/// assert_eq!(block.fraction_lost, 51, "one of five, in 1/256");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reception {
    clock_rate: u32,
    span: Option<Span>,
    expected_after_jump: Option<u16>,
    received: u64,
    prior: Prior,
    transit: Option<u32>,
    /// Sixteen times the jitter, as in A.8.
    jitter: u32,
    last_sender_report: Option<(u32, Instant)>,
}

/// Positions from the first to the highest.
#[derive(Clone, Copy, Debug)]
struct Span {
    base: u64,
    highest: u64,
}

/// The totals at the last report.
#[derive(Clone, Copy, Debug, Default)]
struct Prior {
    expected: u64,
    received: u64,
}

impl Reception {
    /// Of a stream whose timestamps count `clock_rate` to the second.
    #[must_use]
    pub const fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            span: None,
            expected_after_jump: None,
            received: 0,
            prior: Prior { expected: 0, received: 0 },
            transit: None,
            jitter: 0,
            last_sender_report: None,
        }
    }

    /// A packet has come (appendix A.1, `update_seq`).
    pub fn on_rtp(&mut self, now: Instant, sequence_number: u16, timestamp: u32) -> Arrival {
        let Some(span) = self.span else {
            let position = self.start(CYCLE + u64::from(sequence_number));
            self.on_transit(now, timestamp);
            return Arrival::Accepted(position);
        };
        let ahead = sequence_number.wrapping_sub(span.highest as u16);
        let arrival = if ahead < MAX_DROPOUT {
            let highest = span.highest + u64::from(ahead);
            self.span = Some(Span { highest, ..span });
            Arrival::Accepted(highest)
        } else if ahead > u16::MAX - MAX_MISORDER {
            Arrival::Accepted(span.highest - u64::from(ahead.wrapping_neg()))
        } else if self.expected_after_jump == Some(sequence_number) {
            // The next cycle but one, so that what the restart overtakes is above all that was before.
            let cycle = (span.highest / CYCLE + 2) * CYCLE;
            Arrival::Restarted(self.start(cycle + u64::from(sequence_number)))
        } else {
            self.expected_after_jump = Some(sequence_number.wrapping_add(1));
            return Arrival::Refused;
        };
        self.expected_after_jump = None;
        if matches!(arrival, Arrival::Accepted(_)) {
            self.received += 1;
        }
        self.on_transit(now, timestamp);
        arrival
    }

    /// `init_seq`: the totals begin anew.
    fn start(&mut self, position: u64) -> u64 {
        self.span = Some(Span { base: position, highest: position });
        self.received = 1;
        self.prior = Prior::default();
        self.transit = None;
        position
    }

    /// Appendix A.8: the smoothed difference of transit times.
    fn on_transit(&mut self, now: Instant, timestamp: u32) {
        let arrival = now.since_epoch().as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        let transit = (arrival as u32).wrapping_sub(timestamp);
        if let Some(before) = self.transit {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            let decay = (self.jitter + 8) >> 4;
            self.jitter = self.jitter.saturating_sub(decay).saturating_add(difference.min(u32::MAX >> 5));
        }
        self.transit = Some(transit);
    }

    /// The sender has reported: what LSR and DLSR tell it back.
    pub const fn on_sender_report(&mut self, now: Instant, info: &SenderInfo) {
        self.last_sender_report = Some((info.compact_ntp(), now));
    }

    /// The report block of this moment. It closes the interval that the fraction is of (appendix A.3).
    pub fn report_block(&mut self, now: Instant, ssrc: u32) -> ReportBlock {
        let expected = self.expected();
        let expected_interval = expected.saturating_sub(self.prior.expected);
        let received_interval = self.received.saturating_sub(self.prior.received);
        let lost_interval = expected_interval.saturating_sub(received_interval);
        self.prior = Prior { expected, received: self.received };
        let fraction_lost = (lost_interval << 8).checked_div(expected_interval).unwrap_or(0).min(255) as u8;
        let (last_sender_report, delay) = match self.last_sender_report {
            Some((compact, at)) => (compact, in_65536ths(now.saturating_since(at))),
            None => (0, 0),
        };
        ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost: self.cumulative_lost(),
            extended_highest_sequence: self.extended_highest_sequence(),
            jitter: self.jitter(),
            last_sender_report,
            delay_since_last_sender_report: delay,
        }
    }

    /// Packets that should have come since the beginning.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.span.map_or(0, |span| span.highest - span.base + 1)
    }

    /// Packets that have come, duplicates and late ones included.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Those that should have come less those that have: below zero if there were duplicates. Clamped to 24 bits.
    #[must_use]
    pub fn cumulative_lost(&self) -> i32 {
        let lost = self.expected().cast_signed().saturating_sub(self.received.cast_signed());
        lost.clamp(-0x80_0000, 0x7f_ffff) as i32
    }

    /// The highest sequence number, with the count of cycles since the beginning above.
    #[must_use]
    pub fn extended_highest_sequence(&self) -> u32 {
        self.span.map_or(0, |span| (span.highest - span.base / CYCLE * CYCLE) as u32)
    }

    /// Interarrival jitter, in units of the stream's clock.
    #[must_use]
    pub const fn jitter(&self) -> u32 {
        self.jitter >> 4
    }

    /// Whether something has come since the last report: only then is there something to report (section 6.4.2).
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.received > self.prior.received
    }

    /// The position of a sequence number: the nearest to the highest. `None` before anything has come.
    #[must_use]
    pub fn position_of(&self, sequence_number: u16) -> Option<u64> {
        let highest = self.span?.highest;
        let distance = sequence_number.wrapping_sub(highest as u16) as i16;
        Some(highest.saturating_add_signed(i64::from(distance)))
    }

    /// The highest position so far.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.span.map(|span| span.highest)
    }
}

/// The unit of DLSR.
pub(crate) fn in_65536ths(d: Duration) -> u32 {
    u32::try_from(d.as_nanos() * 65_536 / 1_000_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
