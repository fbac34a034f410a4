//! The place of a candidate in the order of preference.

/// Levels of a rank: transport, NAPTR hops, SRV record, address.
const LEVELS: usize = super::HOPS_MAX + 4;

/// Where a candidate stands in the order that the DNS and the application prefer: the smaller, the sooner to be tried.
///
/// Candidates come in this order as long as every answer does; a late answer may bring a better one late
/// ([`ResolverConfig::attempt_delay`](super::ResolverConfig::attempt_delay)), and then this says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    levels: [u16; LEVELS],
    len: u8,
}

impl Rank {
    pub(super) const ROOT: Self = Self { levels: [0; LEVELS], len: 0 };

    /// The `n`-th below this one. Nothing is as deep as to fall off the end, since the hops of NAPTR are counted; nothing is
    /// as wide as to meet another, since the records of an answer are.
    pub(super) fn child(mut self, n: usize) -> Self {
        if let Some(level) = self.levels.get_mut(usize::from(self.len)) {
            *level = u16::try_from(n).unwrap_or(u16::MAX);
            self.len += 1;
        }
        self
    }
    /// What this one was made a child of.
    pub(super) fn parent(mut self) -> Self {
        if let Some(len) = self.len.checked_sub(1) {
            self.len = len;
            self.levels[usize::from(len)] = 0;
        }
        self
    }
}
