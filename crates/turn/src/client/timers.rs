//! What a client waits for: a closed set, each at most once.

use ginnel_core::{Instant, Wake};

/// What happens when its time has come. One `match` in [`Client::handle_timeout`](super::Client::handle_timeout) has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The next attempt to allocate, after one that failed.
    Attempt,
    /// The allocation is to be refreshed.
    Refresh,
    /// The allocation ends at the server.
    Expiry,
    /// A permission or a channel is to be refreshed, or has expired.
    Peers,
    /// Nothing was sent for so long that NATs may forget us.
    Keepalive,
    /// The server was sent to and has said nothing since.
    Silence,
    /// The server has not answered that the allocation is deleted.
    Deleting,
    /// The path that the allocation was moved away from is kept no longer.
    OldPath,
    /// A TCP connection that was offered is not offered any more, or one that failed may be tried again.
    Connections,
}
impl Timer {
    const ALL: [Self; 9] = [
        Self::Attempt,
        Self::Refresh,
        Self::Expiry,
        Self::Peers,
        Self::Keepalive,
        Self::Silence,
        Self::Deleting,
        Self::OldPath,
        Self::Connections,
    ];
    const fn why(self) -> &'static str {
        match self {
            Self::Attempt => "turn: allocate again",
            Self::Refresh => "turn: refresh the allocation",
            Self::Expiry => "turn: the allocation expires",
            Self::Peers => "turn: refresh permissions and channels",
            Self::Keepalive => "turn: keep NATs open",
            Self::Silence => "turn: ask the silent server",
            Self::Deleting => "turn: give up waiting for the goodbye",
            Self::OldPath => "turn: let the old path go",
            Self::Connections => "turn: forget old connections",
        }
    }
}

/// When each is due.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Instant>; Timer::ALL.len()]);
impl Timers {
    pub(super) const fn set(&mut self, timer: Timer, at: Option<Instant>) {
        self.0[timer as usize] = at;
    }
    pub(super) const fn get(&self, timer: Timer) -> Option<Instant> {
        self.0[timer as usize]
    }
    pub(super) const fn clear(&mut self, timer: Timer) {
        self.set(timer, None);
    }
    pub(super) fn clear_all(&mut self) {
        *self = Self::default();
    }
    /// Takes one that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let timer = Timer::ALL.into_iter().find(|&timer| self.get(timer).is_some_and(|at| at <= now))?;
        self.clear(timer);
        Some(timer)
    }
    pub(super) fn soonest(&self) -> Option<Wake> {
        let wake = |timer: Timer| Some(Wake::new(self.get(timer)?, timer.why()));
        Wake::soonest(Timer::ALL.into_iter().map(wake))
    }
}
