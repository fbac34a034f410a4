//! Time as a parameter: the instant that every verb takes, and the wake-up that a machine asks for.
//!
//! Nothing here reads a clock. With the feature `std`, `Epoch` does, for drivers.

use core::{
    fmt,
    ops::{Add, AddAssign},
    time::Duration,
};

/// A point in time: how long after an epoch of the caller's choosing.
///
/// Ordered, hashable, printable, and the same on every platform, which the standard library's is not: so a simulated
/// day costs nothing, and a failure is replayed exactly. All arithmetic saturates; inside one machine time never goes
/// backwards, and where a caller's does, durations are zero.
///
/// ```
/// use core::time::Duration;
/// use ginnel_core::Instant;
///
/// let start = Instant::EPOCH;
/// let later = start + Duration::from_millis(1500);
/// assert_eq!(later.to_string(), "1.5s");
/// assert_eq!(later.saturating_since(start), Duration::from_millis(1500));
/// assert_eq!(start.saturating_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// Time zero.
    ///
    /// ```
    /// # use ginnel_core::Instant;
    /// assert_eq!(Instant::EPOCH, Instant::default());
    /// ```
    pub const EPOCH: Self = Self(Duration::ZERO);

    /// The instant `d` after the epoch.
    ///
    /// ```
    /// # use {core::time::Duration, ginnel_core::Instant};
    /// let d = Duration::from_secs(30);
    /// assert_eq!(Instant::from_epoch(d), Instant::EPOCH + d);
    /// ```
    #[must_use]
    pub const fn from_epoch(d: Duration) -> Self {
        Self(d)
    }

    /// How long after the epoch this is.
    ///
    /// ```
    /// # use {core::time::Duration, ginnel_core::Instant};
    /// let d = Duration::from_secs(30);
    /// assert_eq!(Instant::from_epoch(d).since_epoch(), d);
    /// ```
    #[must_use]
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    ///
    /// ```
    /// # use {core::time::Duration, ginnel_core::Instant};
    /// let (sent, now) = (Instant::EPOCH, Instant::EPOCH + Duration::from_millis(80));
    /// let round_trip = now.saturating_since(sent);
    /// assert_eq!(round_trip.as_millis(), 80);
    /// ```
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Saturates at the end of time, some 580 thousand million years after the epoch: a peer may choose a lifetime.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(d))
    }
}

/// Saturates as [`Add`] does.
impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

/// As the duration since the epoch: `1.5s`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Told apart from a duration: `t+1.5s`.
impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t+{:?}", self.0)
    }
}

/// When a machine wants to be woken, and why.
///
/// The reason rides with the instant, so [`Ord::min`] keeps it through all layers, and a driver that is woken too often can
/// print who asked.
///
/// ```
/// use core::time::Duration;
/// use ginnel_core::{Instant, Wake};
///
/// let check = Wake::new(Instant::EPOCH + Duration::from_millis(50), "ice: next check");
/// let consent = Wake::new(Instant::EPOCH + Duration::from_secs(5), "ice: consent");
/// assert_eq!(consent.min(check).why, "ice: next check");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wake {
    /// Not before this.
    pub at: Instant,
    /// For people: `"ice: next check"`.
    pub why: &'static str,
}

impl Wake {
    /// A wake-up at `at`, for the reason `why`: the layer, a colon, the timer.
    ///
    /// ```
    /// # use ginnel_core::{Instant, Wake};
    /// let wake = Wake::new(Instant::EPOCH, "stun: retransmit");
    /// assert_eq!((wake.at, wake.why), (Instant::EPOCH, "stun: retransmit"));
    /// ```
    #[must_use]
    pub const fn new(at: Instant, why: &'static str) -> Self {
        Self { at, why }
    }

    /// The earliest of several: how an owner answers `poll_timeout`.
    ///
    /// ```
    /// # use {core::time::Duration, ginnel_core::{Instant, Wake}};
    /// let dtls = Some(Wake::new(Instant::EPOCH + Duration::from_secs(1), "dtls: flight"));
    /// let turn = Some(Wake::new(Instant::EPOCH + Duration::from_secs(540), "turn: refresh"));
    /// assert_eq!(Wake::soonest([turn, None, dtls]), dtls);
    /// assert_eq!(Wake::soonest([None]), None);
    /// ```
    #[must_use]
    pub fn soonest(wakes: impl IntoIterator<Item = Option<Self>>) -> Option<Self> {
        wakes.into_iter().flatten().min()
    }
}
