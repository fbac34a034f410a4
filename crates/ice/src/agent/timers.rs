//! The agent's timers: a closed list and a fixed table.

use ginnel_core::{Instant, Wake};

/// Everything that the agent waits for by itself. Its STUN transactions and its resolver have timers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// RFC 8445 section 6.1.4.2: the next slot of Ta, while there is something to send in it.
    Pace,
    /// RFC 8489 section 6.2.1: a check is sent again, or given up.
    Retransmit,
    /// RFC 8445 section 8.1.1: a valid pair is nominated unless a better one has succeeded by then.
    Nominate,
    /// RFC 7675 section 5.1: the next consent check.
    Consent,
    /// RFC 7675 section 5.1: consent ends.
    ConsentExpiry,
    /// The same for the pair of before a restart.
    PreviousConsent,
    /// The same for the pair of before a restart.
    PreviousExpiry,
    /// RFC 8445 section 11: nothing was sent on the pair in use for Tr.
    Keepalive,
    /// RFC 8445 section 5.1.1.4: the bindings of server-reflexive candidates are refreshed.
    RefreshBindings,
    /// RFC 8863 section 4, and the bound on checking.
    GiveUp,
}
impl Timer {
    pub(super) const ALL: [Self; 10] = [
        Self::ConsentExpiry,
        Self::PreviousExpiry,
        Self::Retransmit,
        Self::Nominate,
        Self::Pace,
        Self::Consent,
        Self::PreviousConsent,
        Self::Keepalive,
        Self::RefreshBindings,
        Self::GiveUp,
    ];
    /// For people who ask why the agent woke up.
    const fn why(self) -> &'static str {
        match self {
            Self::Pace => "ice: next check (Ta)",
            Self::Retransmit => "ice: check unanswered",
            Self::Nominate => "ice: nomination",
            Self::Consent => "ice: consent check",
            Self::ConsentExpiry => "ice: consent expires",
            Self::PreviousConsent => "ice: consent check before restart",
            Self::PreviousExpiry => "ice: consent before restart expires",
            Self::Keepalive => "ice: keepalive",
            Self::RefreshBindings => "ice: refresh server-reflexive bindings",
            Self::GiveUp => "ice: give up checking",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Timers([Option<Instant>; Timer::ALL.len()]);
impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Option<Instant>) {
        self.0[timer as usize] = at;
    }
    pub(super) const fn get(&self, timer: Timer) -> Option<Instant> {
        self.0[timer as usize]
    }
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
    /// Whether it is due; it is stopped then.
    pub(super) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        let due = self.get(timer).is_some_and(|at| at <= now);
        if due {
            self.set(timer, None);
        }
        due
    }
    pub(super) fn soonest(&self) -> Option<Wake> {
        Wake::soonest(Timer::ALL.map(|timer| self.get(timer).map(|at| Wake::new(at, timer.why()))))
    }
}
