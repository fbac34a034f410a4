//! The bridge to the standard library's clock, behind the feature `std`.
//!
//! Drivers read it. Protocol crates only convert: a library below them that wants `std::time::Instant` gets one from the
//! `Epoch` in its configuration, so one place in the whole workspace below the drivers names the clock: `read_clock`.

use std::time::{Duration, Instant as StdInstant};

use crate::Instant;

/// Where a driver's time begins: pairs [`Instant::EPOCH`] with an instant of the standard library.
///
/// All machines of one driver, and all libraries that want the standard library's time, share one; it is `Copy`.
///
/// ```
/// use core::time::Duration;
/// use ginnel_core::{Epoch, Instant};
///
/// let epoch = Epoch::start();
/// let later = Instant::EPOCH + Duration::from_secs(5);
/// assert_eq!(epoch.from_std(epoch.to_std(later)), later);
/// assert!(epoch.now() < later);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(StdInstant);

impl Epoch {
    /// The epoch that begins at `start`: for simulators and tests, which fix it once and then only convert.
    ///
    /// ```
    /// # use ginnel_core::{Epoch, Instant};
    /// # #[allow(clippy::disallowed_methods)]
    /// let start = std::time::Instant::now();
    /// assert_eq!(Epoch::new(start).to_std(Instant::EPOCH), start);
    /// ```
    #[must_use]
    pub const fn new(start: StdInstant) -> Self {
        Self(start)
    }

    /// The epoch that begins now. For drivers.
    ///
    /// ```
    /// # use {core::time::Duration, ginnel_core::{Epoch, Instant}};
    /// assert!(Epoch::start().now() < Instant::EPOCH + Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn start() -> Self {
        Self(read_clock())
    }

    /// What time it is. For drivers: a machine takes `now` as a parameter.
    ///
    /// ```
    /// # use ginnel_core::Epoch;
    /// let epoch = Epoch::start();
    /// let earlier = epoch.now();
    /// assert!(earlier <= epoch.now());
    /// ```
    #[must_use]
    pub fn now(self) -> Instant {
        self.from_std(read_clock())
    }

    /// The standard library's name for `instant`; its far future, if it is later than the platform can express.
    ///
    /// ```
    /// # use {core::time::Duration, ginnel_core::{Epoch, Instant}};
    /// let epoch = Epoch::start();
    /// let hour = Duration::from_secs(3600);
    /// assert_eq!(epoch.to_std(Instant::EPOCH + hour) - epoch.to_std(Instant::EPOCH), hour);
    /// assert!(epoch.to_std(Instant::from_epoch(Duration::MAX)) > epoch.to_std(Instant::EPOCH + hour));
    /// ```
    #[must_use]
    pub fn to_std(self, instant: Instant) -> StdInstant {
        self.0.checked_add(instant.since_epoch()).or_else(|| self.0.checked_add(FAR)).unwrap_or(self.0)
    }

    /// Our name for `instant`; [`Instant::EPOCH`], if it is earlier.
    ///
    /// ```
    /// # use {core::time::Duration, ginnel_core::{Epoch, Instant}};
    /// let epoch = Epoch::start();
    /// let second = Duration::from_secs(1);
    /// assert_eq!(epoch.from_std(epoch.to_std(Instant::EPOCH) + second), Instant::EPOCH + second);
    /// ```
    #[must_use]
    #[allow(clippy::wrong_self_convention, reason = "the counterpart of to_std, on a small value")]
    pub fn from_std(self, instant: StdInstant) -> Instant {
        Instant::from_epoch(instant.saturating_duration_since(self.0))
    }
}

/// Thirty years: longer than a process lives, and within what every platform can add.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The one place of the workspace, below the drivers, that reads a clock.
#[allow(clippy::disallowed_methods, reason = "an Epoch is how a driver tells the time")]
fn read_clock() -> StdInstant {
    StdInstant::now()
}
