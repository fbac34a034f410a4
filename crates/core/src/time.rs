//! Time as a parameter.

use core::{fmt, ops::Add, time::Duration};

/// A point in time: how long after an epoch of the caller's choosing.
///
/// ```text
/// assert_eq!((Instant::EPOCH + Duration::from_millis(1500)).to_string(), "1.5s");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);
impl Instant {
    /// Time zero.
    pub const EPOCH: Self = Self(Duration::ZERO);
    /// The instant `d` after the epoch.
    pub const fn from_epoch(d: Duration) -> Self {
        Self(d)
    }
    /// How long after the epoch this is.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }
    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(d))
    }
}
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t+{:?}", self.0)
    }
}

/// When a machine wants to be woken, and why. The reason rides with the instant, so `min` keeps it through all layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wake {
    /// Not before this.
    pub at: Instant,
    /// For people: `"ice: next check"`.
    pub why: &'static str,
}
impl Wake {
    /// A wake-up at `at`.
    pub const fn new(at: Instant, why: &'static str) -> Self {
        Self { at, why }
    }
    /// The earliest of several: how an owner answers `poll_timeout`.
    pub fn soonest(wakes: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        wakes.into_iter().flatten().min()
    }
}
