//! An allocation whose client moves (RFC 8016 section 3.2.2): which tickets are good, and where its data goes.
//!
//! ```text
//!            Refresh with the ticket, from elsewhere
//!  Settled --------------------------------------------> Moving
//!     ^                                                    | \__ the same again, to a third place
//!     |  Send or ChannelData from there; the old stream    |
//!     +----------------------------------------------------+
//! ```
//!
//! While it moves both five-tuples are the client's, and data goes to the old one. Each ticket moves the allocation once: the
//! serial number in it is that of the allocation, which counts the moves. For 30 seconds the last ticket is known again where
//! it was used, since the answer may have been lost.
//! Left out: whose the allocation is. The owner has authenticated the request and compared users (441).

mod serve;

use core::time::Duration;

use ginnel_core::{Instant, Path};

pub(super) use serve::{has_ticket, nowhere};

/// RFC 8016 section 3.2.2: how long an old ticket is known again, at least.
const TICKET_RETAINED: Duration = Duration::from_secs(30);

/// What an allocation that may move keeps for it.
#[derive(Debug, Default)]
pub(super) struct Mobility {
    /// Of the ticket that moves it next.
    serial: u64,
    /// Where it is moving to.
    to: Option<Path>,
    /// The ticket that was used last.
    used: Option<Used>,
}
#[derive(Clone, Copy, Debug)]
struct Used {
    serial: u64,
    by: Path,
    until: Instant,
}

/// What becomes of a Refresh request with a ticket for this allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// It moves: [`Mobility::begin`].
    Granted,
    /// It has moved by this request already: the answer was lost, and is given again.
    Again,
    /// 400: the ticket was used before, or the client has not moved.
    Refused,
}

impl Mobility {
    /// The serial number of the ticket that the client is to have next.
    pub(super) const fn serial(&self) -> u64 {
        self.serial
    }
    /// Where it is moving to: a five-tuple of the client beside the one that data goes to.
    #[inline]
    pub(super) const fn to(&self) -> Option<&Path> {
        self.to.as_ref()
    }
    /// Judges a ticket of this serial number, in a request that came on `from`. `client` is where data goes to now.
    pub(super) fn judge(&self, now: Instant, client: Path, serial: u64, from: Path) -> Move {
        let stays = from == client || Some(from) == self.to;
        if serial == self.serial && !stays {
            Move::Granted
        } else if self.used.is_some_and(|it| it.serial == serial && it.by == from && now < it.until) {
            Move::Again
        } else {
            Move::Refused
        }
    }
    /// Moves to `to`, once that was granted, and nowhere else.
    pub(super) fn begin(&mut self, now: Instant, to: Path) {
        self.used = Some(Used { serial: self.serial, by: to, until: now + TICKET_RETAINED });
        self.serial = self.serial.wrapping_add(1) & SERIALS;
        self.to = Some(to);
    }
    /// The move is over, by whichever end. Returns where it was moving to.
    pub(super) const fn cancel(&mut self) -> Option<Path> {
        self.to.take()
    }
}
/// What a ticket holds of a serial number: 56 bits.
const SERIALS: u64 = u64::MAX >> 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn s(n: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(n)
    }
    fn at(port: u16) -> Path {
        Path::udp("198.51.100.1:3478".parse().unwrap(), ([192, 0, 2, 1], port).into())
    }

    #[test]
    fn rfc8016_3_2_2_a_ticket_moves_once_and_is_known_again_for_30_seconds() {
        let mut it = Mobility::default();
        assert_eq!(it.judge(s(0), at(1), 0, at(1)), Move::Refused, "it has not moved");
        assert_eq!(it.judge(s(0), at(1), 1, at(2)), Move::Refused, "no ticket like that was made");
        assert_eq!(it.judge(s(0), at(1), 0, at(2)), Move::Granted);
        it.begin(s(0), at(2));
        assert_eq!((it.to(), it.serial()), (Some(&at(2)), 1));
        // The old ticket: again from there, and from nowhere else.
        assert_eq!(it.judge(s(29), at(1), 0, at(2)), Move::Again);
        assert_eq!(it.judge(s(29), at(1), 0, at(3)), Move::Refused);
        assert_eq!(it.judge(s(29), at(1), 0, at(1)), Move::Refused);
        assert_eq!(it.judge(s(30), at(1), 0, at(2)), Move::Refused);
        // The new one: from elsewhere.
        assert_eq!(it.judge(s(1), at(1), 1, at(2)), Move::Refused);
        assert_eq!(it.judge(s(1), at(1), 1, at(1)), Move::Refused);
        assert_eq!(it.judge(s(1), at(1), 1, at(3)), Move::Granted);
    }

    #[test]
    fn rfc8016_3_2_2_a_ticket_is_known_again_when_the_move_is_over() {
        let mut it = Mobility::default();
        it.begin(s(0), at(2));
        assert_eq!((it.cancel(), it.cancel(), it.to()), (Some(at(2)), None, None));
        // The answer may be lost all the same.
        assert_eq!(it.judge(s(1), at(2), 0, at(2)), Move::Again);
    }

    #[test]
    fn whoever_moves_on_gives_up_the_place_in_between() {
        let mut it = Mobility::default();
        it.begin(s(0), at(2));
        assert_eq!(it.judge(s(1), at(1), 1, at(3)), Move::Granted);
        it.begin(s(1), at(3));
        assert_eq!(it.to(), Some(&at(3)));
        assert_eq!(it.judge(s(2), at(3), 0, at(2)), Move::Refused, "of the ticket before the last one");
    }

    #[test]
    fn serial_numbers_are_those_that_tickets_hold() {
        let mut it = Mobility { serial: SERIALS, ..Mobility::default() };
        it.begin(s(0), at(2));
        assert_eq!(it.serial(), 0);
    }
}
