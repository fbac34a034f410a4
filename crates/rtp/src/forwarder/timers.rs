//! What a forwarder waits for.

use ginnel_core::{Instant, Wake};

/// The reasons to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A report to the sender is due (RFC 3550 section 6.2).
    Report,
    /// A missing packet is to be asked for, or given up.
    Nack,
    /// A key frame was asked for too soon after the last, and may be asked for now.
    Keyframe,
}

impl Timer {
    pub(super) const ALL: [Self; 3] = [Self::Report, Self::Nack, Self::Keyframe];

    const fn why(self) -> &'static str {
        match self {
            Self::Report => "rtp: report",
            Self::Nack => "rtp: missing packet",
            Self::Keyframe => "rtp: key frame request held back",
        }
    }
}

/// One instant for each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timers([Option<Instant>; 3]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Option<Instant>) {
        self.0[timer as usize] = at;
    }

    /// Moves the timer to `at` unless it is earlier already.
    pub(super) fn no_later_than(&mut self, timer: Timer, at: Instant) {
        let slot = &mut self.0[timer as usize];
        *slot = Some(slot.map_or(at, |set| set.min(at)));
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// Whether it has come; it is unset then.
    pub(super) fn fire(&mut self, timer: Timer, now: Instant) -> bool {
        self.0[timer as usize].take_if(|at| *at <= now).is_some()
    }

    pub(super) fn soonest(&self) -> Option<Wake> {
        Wake::soonest(Timer::ALL.map(|timer| Some(Wake::new(self.0[timer as usize]?, timer.why()))))
    }
}
