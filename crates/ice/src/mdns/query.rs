//! One name on its way: the series of questions, and what was answered.
//!
//! ```text
//!  resolve                socket open             written           unanswered
//!  ------> [Opening] -----------------> [Due] ------------> [Asked] ----------> [Due] ... or failed
//!                     \--> [Delayed] --/
//! ```
//!
//! RFC 6762 section 5.2 has the intervals. A question that no socket can carry uses up no attempt.

use alloc::string::String;
use core::net::IpAddr;

use ginnel_core::{Instant, Wake};

use super::{Config, event::QueryId, socket::Family};

#[derive(Debug)]
pub(super) struct Query {
    pub(super) id: QueryId,
    /// As it was given: a `HostName`.
    pub(super) name: String,
    pub(super) phase: Phase,
    /// The families that its present question is still to be written for: their bits.
    pub(super) to: u8,
    /// What the message at hand says.
    pub(super) seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// No socket is open.
    Opening { until: Instant },
    /// The first question waits for a moment of chance.
    Delayed { until: Instant },
    /// A question goes out with the next drain; this many did before.
    Due { asked: u8 },
    /// This many questions went out.
    Asked { asked: u8, until: Instant },
}

impl Phase {
    /// After question number `asked` + 1, at `now`.
    pub(super) fn asked(asked: u8, now: Instant, config: &Config) -> Self {
        let asked = asked.saturating_add(1);
        Self::Asked { asked, until: now + config.wait(asked) }
    }

    pub(super) const fn wake(self) -> Option<Wake> {
        match self {
            Self::Opening { until } => Some(Wake::new(until, "mdns: no socket yet")),
            Self::Delayed { until } => Some(Wake::new(until, "mdns: first question")),
            Self::Due { .. } => None,
            Self::Asked { until, .. } => Some(Wake::new(until, "mdns: no answer yet")),
        }
    }
}

impl Query {
    pub(super) const fn new(id: QueryId, name: String, until: Instant) -> Self {
        Self { id, name, phase: Phase::Opening { until }, to: 0, seen: Seen::Nothing }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Its question stands in a message to `family`.
    pub(super) fn written(&mut self, family: Family, now: Instant, config: &Config) {
        self.to &= !family.bit();
        if let (Phase::Due { asked }, 0) = (self.phase, self.to) {
            self.phase = Phase::asked(asked, now, config);
        }
    }
}

/// An answer, kept while it holds.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) ip: IpAddr,
    pub(super) expires: Instant,
    /// What the message at hand says.
    pub(super) seen: Seen,
}

impl Known {
    pub(super) const fn new(name: String, ip: IpAddr, expires: Instant) -> Self {
        Self { name, ip, expires, seen: Seen::Nothing }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Takes in what the message at hand said; false if nothing certain is known any more.
    pub(super) fn update(&mut self) -> bool {
        match core::mem::take(&mut self.seen) {
            Seen::Nothing => true,
            Seen::Several => false,
            // RFC 6762 section 10.2: with the cache-flush bit the new address takes the old one's place; without, both hold.
            Seen::One { ip, expires, flush } if ip == self.ip || flush => {
                (self.ip, self.expires) = (ip, expires);
                true
            }
            Seen::One { .. } => false,
        }
    }
}

/// What one message says of a name's address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Seen {
    #[default]
    Nothing,
    One {
        ip: IpAddr,
        expires: Instant,
        /// The cache-flush bit.
        flush: bool,
    },
    Several,
}

impl Seen {
    /// This, and another record.
    pub(super) fn and(&mut self, other: Self) {
        *self = match (*self, other) {
            (Self::Nothing, other) => other,
            (Self::One { ip: a, .. }, Self::One { ip: b, .. }) if a == b => other,
            _ => Self::Several,
        }
    }
}
