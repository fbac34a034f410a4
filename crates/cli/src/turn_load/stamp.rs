//! What a packet of the load says: who sent it, which it is, and when.
//!
//! ```text
//!  0                   1                   2                   3
//! +---------------------------------------------------------------+
//! |              "gtl1": whose packets these are                  |
//! |              the run: packets of others are not counted       |
//! |              the client that sent it                          |
//! |              its number among that client's packets           |
//! |              when it was sent: nanoseconds                    |
//! |              since the run began (64 bits)                    |
//! |              octets that fill it up ...                       |
//! ```

use std::time::Duration;

use ginnel::core::Instant;

/// Octets of a stamp: a packet of the load is not smaller.
pub(super) const STAMP: usize = 24;
const MAGIC: [u8; 4] = *b"gtl1";

/// The front of a packet of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) run: u32,
    pub(super) client: u32,
    pub(super) number: u32,
    pub(super) sent: Instant,
}

impl Stamp {
    pub(super) fn write(self) -> [u8; STAMP] {
        let mut octets = [0; STAMP];
        octets[..4].copy_from_slice(&MAGIC);
        octets[4..8].copy_from_slice(&self.run.to_be_bytes());
        octets[8..12].copy_from_slice(&self.client.to_be_bytes());
        octets[12..16].copy_from_slice(&self.number.to_be_bytes());
        let nanos = u64::try_from(self.sent.since_epoch().as_nanos()).unwrap_or(u64::MAX);
        octets[16..].copy_from_slice(&nanos.to_be_bytes());
        octets
    }

    /// `None` if it is no packet of a load.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let stamp: &[u8; STAMP] = octets.first_chunk()?;
        let word = |at: usize| stamp[at..].first_chunk().copied().map(u32::from_be_bytes);
        let nanos = stamp[16..].first_chunk().copied().map(u64::from_be_bytes)?;
        let sent = Instant::from_epoch(Duration::from_nanos(nanos));
        let read = Self { run: word(4)?, client: word(8)?, number: word(12)?, sent };
        stamp.starts_with(&MAGIC).then_some(read)
    }
}

/// Which packets of one sender have come: the last 64 numbers, so that what comes twice is not counted twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// One above the highest number.
    next: u32,
    /// The bit of 2^n is of the number `next - 1 - n`.
    recent: u64,
}

/// What a number is, beside those that have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Newer than all.
    InOrder,
    /// Behind a newer one.
    Late,
    /// It has come before, or is so old that nobody knows.
    Again,
}

impl Seen {
    pub(super) fn note(&mut self, number: u32) -> Arrival {
        if number >= self.next {
            let ahead = (number - self.next).saturating_add(1);
            self.recent = self.recent.checked_shl(ahead).unwrap_or(0) | 1;
            self.next = number.saturating_add(1);
            return Arrival::InOrder;
        }
        let bit = 1_u64.checked_shl(self.next - 1 - number).unwrap_or(0);
        if bit == 0 || self.recent & bit != 0 {
            return Arrival::Again;
        }
        self.recent |= bit;
        Arrival::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let sent = Instant::EPOCH + Duration::from_nanos(123_456_789_012);
        let stamp = Stamp { run: 1, client: 70_000, number: u32::MAX, sent };
        let mut octets = stamp.write().to_vec();
        assert_eq!(Stamp::read(&octets), Some(stamp));
        octets.extend([0; 100]);
        assert_eq!(Stamp::read(&octets), Some(stamp));
        assert_eq!(Stamp::read(&octets[..STAMP - 1]), None);
        octets[0] = b'G';
        assert_eq!(Stamp::read(&octets), None);
    }

    #[test]
    fn each_number_counts_once() {
        let mut seen = Seen::default();
        assert_eq!(
            [0, 2, 1, 1].map(|n| seen.note(n)),
            [Arrival::InOrder, Arrival::InOrder, Arrival::Late, Arrival::Again]
        );
        assert_eq!(
            [66, 3, 2, 67, 130].map(|n| seen.note(n)),
            [Arrival::InOrder, Arrival::Late, Arrival::Again, Arrival::InOrder, Arrival::InOrder]
        );
        assert_eq!(
            [66, 67, 68, 300, 299].map(|n| seen.note(n)),
            [Arrival::Again, Arrival::Again, Arrival::Late, Arrival::InOrder, Arrival::Late]
        );
    }
}
