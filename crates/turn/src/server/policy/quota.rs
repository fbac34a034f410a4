//! How many allocations there may be: of one user (486, RFC 8656 section 7.2), and in all (508).
//!
//! What counts is a [`Claim`]: an allocation holds one, a port that is reserved for an allocation (EVEN-PORT with its R bit)
//! holds that of the one that it is for, and it ends with the allocation, whichever way that ends. So nothing is
//! left over after a refresh to zero, an expiry, a revoked user, or a move to another address.
//! The table is touched when a claim is made, never on the data path; a claim ends without it.

use alloc::{boxed::Box, collections::BTreeMap, sync::Arc};
use core::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use super::SharedBucket;

/// How many there may be. The default is no limit.
///
/// ```
/// use ginnel_turn::server::policy::QuotaLimits;
///
/// let limits = QuotaLimits::default().with_per_user(10).with_total(50_000);
/// assert_eq!((limits.per_user, limits.total), (Some(10), Some(50_000)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QuotaLimits {
    /// Allocations of one user, and ports that are reserved for some. `None`: as many as there may be in all.
    pub per_user: Option<u32>,
    /// Allocations in all. `None`: as many as there are ports.
    pub total: Option<u32>,
}
impl QuotaLimits {
    /// With so many for each user.
    #[must_use]
    pub const fn with_per_user(mut self, most: u32) -> Self {
        self.per_user = Some(most);
        self
    }
    /// With so many in all.
    #[must_use]
    pub const fn with_total(mut self, most: u32) -> Self {
        self.total = Some(most);
        self
    }
}

/// Why there is no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaExceeded {
    /// 486 (Allocation Quota Reached).
    #[error("the user has as many allocations as one user may have")]
    User,
    /// 508 (Insufficient Capacity).
    #[error("there are as many allocations as there may be")]
    Total,
}

/// Counts allocations, of this server or of all shards.
///
/// ```
/// use ginnel_turn::server::policy::{QuotaExceeded, QuotaLimits, Quotas};
///
/// let mut quotas = Quotas::new(QuotaLimits::default().with_per_user(1));
/// let claim = quotas.claim("alice")?;
/// assert_eq!(quotas.claim("alice").err(), Some(QuotaExceeded::User));
/// assert!(quotas.claim("bob").is_ok()); // and dropped at once
/// drop(claim);
/// assert!(quotas.claim("alice").is_ok());
/// # Ok::<(), QuotaExceeded>(())
/// ```
pub struct Quotas(Table);
enum Table {
    Own(Counts),
    #[cfg(feature = "std")]
    Shared(Arc<std::sync::Mutex<Counts>>),
}

/// One allocation's share. Dropping it gives the share back.
pub struct Claim(Arc<UserCount>);
struct UserCount {
    /// Which of the users it is. Numbers are not used again.
    number: u64,
    /// Claims of this user.
    claims: AtomicU32,
    /// Claims of all users.
    total: Arc<AtomicU32>,
    bucket: [SharedBucket; 2],
}

impl Quotas {
    /// For one server alone.
    #[must_use]
    pub fn new(limits: QuotaLimits) -> Self {
        Self(Table::Own(Counts::new(limits)))
    }
    /// For several: [`share`](Self::share) gives each of them its own handle to one count.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn shared(limits: QuotaLimits) -> Self {
        Self(Table::Shared(Arc::new(std::sync::Mutex::new(Counts::new(limits)))))
    }
    /// Another handle to the same count; `None` if this is one server's own.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn share(&self) -> Option<Self> {
        match &self.0 {
            Table::Own(_) => None,
            Table::Shared(counts) => Some(Self(Table::Shared(Arc::clone(counts)))),
        }
    }
    /// Claims an allocation for this user.
    pub fn claim(&mut self, user: &str) -> Result<Claim, QuotaExceeded> {
        self.with(|counts| counts.claim(user))
    }
    /// Judges by other limits from now on. Claims beyond them live on.
    pub fn set_limits(&mut self, limits: QuotaLimits) {
        self.with(|counts| counts.limits = limits);
    }
    /// The limits.
    #[must_use]
    pub fn limits(&mut self) -> QuotaLimits {
        self.with(|counts| counts.limits)
    }
    /// How many claims there are in all.
    #[must_use]
    pub fn total(&mut self) -> u32 {
        self.with(|counts| counts.total.load(Ordering::Relaxed))
    }
    /// How many claims this user has.
    #[must_use]
    pub fn of_user(&mut self, user: &str) -> u32 {
        self.with(|counts| counts.users.get(user).map_or(0, |user| user.claims.load(Ordering::Relaxed)))
    }
    fn with<R>(&mut self, f: impl FnOnce(&mut Counts) -> R) -> R {
        match &mut self.0 {
            Table::Own(counts) => f(counts),
            // Nothing in there panics, and a count is right after each step: so a poisoned one is as good.
            #[cfg(feature = "std")]
            Table::Shared(counts) => f(&mut counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)),
        }
    }
}
impl Default for Quotas {
    /// One server's own, without limits.
    fn default() -> Self {
        Self::new(QuotaLimits::default())
    }
}
impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Quotas(..)")
    }
}

impl Claim {
    /// Which user it is of: no two that are counted together have the same number.
    pub(in crate::server) fn user_number(&self) -> u64 {
        self.0.number
    }
    /// What the user's allocations may send together, one bucket for each direction.
    pub(super) fn buckets(&self) -> &[SharedBucket; 2] {
        &self.0.bucket
    }
}
impl Drop for Claim {
    fn drop(&mut self) {
        // Each claim was counted once in both, so neither can fall below zero.
        self.0.claims.fetch_sub(1, Ordering::Relaxed);
        self.0.total.fetch_sub(1, Ordering::Relaxed);
    }
}
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claim(..)")
    }
}

/// Users are kept as long as they have claims, and swept when their number has doubled since the last time.
struct Counts {
    limits: QuotaLimits,
    total: Arc<AtomicU32>,
    users: BTreeMap<Box<str>, Arc<UserCount>>,
    /// How many users there have been.
    known: u64,
    sweep_at: usize,
}
/// Users without a claim that are kept at the most, beside as many as there are with one.
const SWEPT_BELOW: usize = 64;
impl Counts {
    fn new(limits: QuotaLimits) -> Self {
        Self { limits, total: Arc::default(), users: BTreeMap::new(), known: 0, sweep_at: SWEPT_BELOW }
    }
    fn claim(&mut self, user: &str) -> Result<Claim, QuotaExceeded> {
        // Only claims add to the counts, and they are made one at a time; what ends meanwhile only makes room.
        if self.limits.total.is_some_and(|most| self.total.load(Ordering::Relaxed) >= most) {
            return Err(QuotaExceeded::Total);
        }
        let most = self.limits.per_user.unwrap_or(u32::MAX);
        let entry = match self.users.get(user) {
            Some(entry) if entry.claims.load(Ordering::Relaxed) >= most => return Err(QuotaExceeded::User),
            Some(entry) => Arc::clone(entry),
            None if most == 0 => return Err(QuotaExceeded::User),
            None => self.new_user(user),
        };
        entry.claims.fetch_add(1, Ordering::Relaxed);
        entry.total.fetch_add(1, Ordering::Relaxed);
        Ok(Claim(entry))
    }
    fn new_user(&mut self, user: &str) -> Arc<UserCount> {
        if self.users.len() >= self.sweep_at {
            self.users.retain(|_, user| user.claims.load(Ordering::Relaxed) > 0);
            self.sweep_at = 2 * self.users.len() + SWEPT_BELOW;
        }
        self.known += 1;
        let entry = Arc::new(UserCount {
            number: self.known,
            claims: AtomicU32::new(0),
            total: Arc::clone(&self.total),
            bucket: Default::default(),
        });
        self.users.insert(user.into(), Arc::clone(&entry));
        entry
    }
}

#[cfg(test)]
mod tests;
