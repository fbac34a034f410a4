//! How much may be in flight, beyond what congestion control says (RFC 9260 section 6.1 asks for a limit of bursts).
//!
//! The library's congestion window grows until something is lost or the peer's window is full, which may be a megabyte. On a
//! short path that is far more than the path holds: the rest waits in the peer's socket, where a buffer of usual size drops
//! it. What is dropped at the end of a burst is reported by no gap, and costs a whole RTO. So no more is in flight than a
//! path of [`RATE`] holds, and [`LEAST`] beside it. The library knows no such limit, but the peer's window: what a SACK
//! says of that is lowered on its way in, so SACKs clock the data out as ever.

use super::wire::{self, Chunks, kind};
use core::time::Duration;
use ginnel_core::Instant;

/// What a path is taken to carry, in octets for each microsecond: 1 Gbit/s.
const RATE: u64 = 125;
/// What is always allowed: a burst that sockets of common systems hold.
const LEAST: u32 = 48 * 1024;
/// The shortest round trip is forgotten after one to two of these: the path may have become longer.
const MEMORY: Duration = Duration::from_secs(10);
/// RFC 9260 section 3.3.4: where the value of a SACK has the window, behind the cumulative TSN.
const SACK_WINDOW: usize = 4;

/// Knows the shortest round trip of late.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// The TSN that is timed, and when it was sent.
    timed: Option<(u32, Instant)>,
    /// The shortest of this span and of the span before.
    shortest: [Option<Duration>; 2],
    since: Instant,
}
impl Flight {
    /// A packet leaves.
    pub(super) fn sent(&mut self, now: Instant, packet: &[u8]) {
        if self.timed.is_none()
            && packet.get(wire::HEADER) == Some(&kind::DATA)
            && let Some(tsn) = word(packet, wire::HEADER + 4)
        {
            self.timed = Some((tsn, now));
        }
    }
    /// A packet of data chunks came: what to give to the library in its place, where its SACK says more than we want.
    /// A false checksum stays false.
    pub(super) fn lower_window(&mut self, now: Instant, packet: &[u8]) -> Option<Vec<u8>> {
        let mut lowered: Option<Vec<u8>> = None;
        // Where the chunk's value begins.
        let mut at = wire::HEADER + 4;
        for chunk in Chunks::of(packet).flatten() {
            if chunk.kind == kind::SACK
                && let (Some(tsn), Some(window)) = (word(chunk.value, 0), word(chunk.value, SACK_WINDOW))
            {
                if lowered.is_none() && !wire::checksum_holds(packet) {
                    return None;
                }
                self.acknowledged(now, tsn);
                if let Some(limit) = self.limit().filter(|limit| window > *limit)
                    && let Some(field) = lowered
                        .get_or_insert_with(|| packet.to_vec())
                        .get_mut(at + SACK_WINDOW..at + SACK_WINDOW + 4)
                {
                    field.copy_from_slice(&limit.to_be_bytes());
                }
            }
            at += chunk.octets.len();
        }
        let mut lowered = lowered?;
        wire::seal(&mut lowered);
        Some(lowered)
    }
    /// A retransmission can only make the measured time longer than the true one, which the shortest of many forgives.
    fn acknowledged(&mut self, now: Instant, cumulative: u32) {
        let Some((tsn, at)) = self.timed else { return };
        // RFC 1982, as RFC 9260 section 1.6 asks.
        if cumulative.wrapping_sub(tsn) >= 1 << 31 {
            return;
        }
        self.timed = None;
        if now.saturating_since(self.since) >= MEMORY {
            self.since = now;
            self.shortest = [None, self.shortest[0]];
        }
        let took = now.saturating_since(at);
        let shortest = &mut self.shortest[0];
        *shortest = Some(shortest.map_or(took, |before| before.min(took)));
    }
    /// Octets; nothing before the first round trip.
    fn limit(&self) -> Option<u32> {
        let shortest = self.shortest.into_iter().flatten().min()?;
        let micros = u64::try_from(shortest.as_micros()).unwrap_or(u64::MAX);
        let held = u32::try_from(micros.saturating_mul(RATE)).unwrap_or(u32::MAX);
        Some(LEAST.saturating_add(held))
    }
}
fn word(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{Header, chunk_of};

    const HEADER: Header = Header { source: 5000, destination: 5000, tag: 7 };
    fn at(millis: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(millis)
    }
    fn data(tsn: u32) -> Vec<u8> {
        HEADER.packet([&chunk_of(kind::DATA, 3, &[&tsn.to_be_bytes()[..], &[0; 12]].concat())[..]])
    }
    fn sack(tsn: u32, window: u32) -> Vec<u8> {
        let value = [tsn.to_be_bytes(), window.to_be_bytes(), [0; 4]].concat();
        HEADER.packet([&chunk_of(kind::SACK, 0, &value)[..]])
    }
    fn round_trip(flight: &mut Flight, tsn: u32, from: u64, to: u64) -> Option<Vec<u8>> {
        flight.sent(at(from), &data(tsn));
        flight.lower_window(at(to), &sack(tsn, u32::MAX))
    }

    #[test]
    fn the_window_is_what_a_gigabit_holds_in_the_shortest_round_trip() {
        let mut flight = Flight::default();
        assert_eq!(flight.lower_window(at(0), &sack(9, u32::MAX)), None, "nothing is known yet");
        // TSNs wrap.
        assert_eq!(round_trip(&mut flight, u32::MAX, 0, 10), Some(sack(u32::MAX, LEAST + 1_250_000)));
        assert_eq!(round_trip(&mut flight, 0, 20, 21), Some(sack(0, LEAST + 125_000)));
        assert_eq!(round_trip(&mut flight, 1, 30, 90), Some(sack(1, LEAST + 125_000)), "the shortest counts");
        assert_eq!(flight.lower_window(at(91), &sack(1, LEAST)), None, "less than that is left alone");
    }
    #[test]
    fn an_older_sack_times_nothing() {
        let mut flight = Flight::default();
        flight.sent(at(0), &data(5));
        assert_eq!(flight.lower_window(at(1), &sack(4, u32::MAX)), None);
        assert_eq!(flight.lower_window(at(2), &sack(5, u32::MAX)), Some(sack(5, LEAST + 250_000)));
    }
    #[test]
    fn a_path_that_became_longer_is_believed_in_time() {
        let mut flight = Flight::default();
        round_trip(&mut flight, 1, 0, 1);
        for (tsn, from) in (2..).zip((100..30_000).step_by(200)) {
            round_trip(&mut flight, tsn, from, from + 100);
        }
        assert_eq!(round_trip(&mut flight, 999, 30_000, 30_100), Some(sack(999, LEAST + 12_500_000)));
    }
    #[test]
    fn a_false_checksum_stays_false() {
        let mut flight = Flight::default();
        round_trip(&mut flight, 1, 0, 1);
        let mut broken = sack(1, u32::MAX);
        broken[8] ^= 1;
        assert_eq!(flight.lower_window(at(2), &broken), None);
    }
    #[test]
    fn a_sack_behind_data_is_found_and_truncated_ones_do_no_harm() {
        let mut flight = Flight::default();
        round_trip(&mut flight, 1, 0, 1);
        let both = |window| {
            let (data, sack) = (data(7), sack(1, window));
            HEADER.packet([&data[wire::HEADER..], &sack[wire::HEADER..]])
        };
        assert_eq!(flight.lower_window(at(2), &both(u32::MAX)), Some(both(LEAST + 125_000)));
        for length in 0..8 {
            let short = HEADER.packet([&chunk_of(kind::SACK, 0, &vec![0xFF; length])[..]]);
            assert_eq!(flight.lower_window(at(2), &short), None);
        }
    }
}
