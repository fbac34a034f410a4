//! How long a master key lasts (RFC 3711 section 9.2, RFC 7714 section 8.4 counts alike): packets counted, a warning in good
//! time, a refusal at the end.

use super::index::{RTCP_INDEX_END, RTP_INDEX_END};

/// How far a key has been used.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUse {
    /// Less than three quarters of what it may protect.
    #[default]
    Fresh,
    /// More: a new key, which is a new DTLS association, is due.
    Expiring,
    /// All: nothing more is protected with it.
    Exhausted,
}

/// The packets that one master key has protected in one direction, over all sources: the limits are the key's, not a source's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lifetime {
    pub(crate) rtp: u64,
    pub(crate) rtcp: u64,
}
impl Lifetime {
    pub(crate) fn of_rtp(&self) -> KeyUse {
        judge(self.rtp, RTP_INDEX_END)
    }
    pub(crate) fn of_rtcp(&self) -> KeyUse {
        judge(self.rtcp, RTCP_INDEX_END)
    }
    /// The worse of both.
    pub(crate) fn worst(&self) -> KeyUse {
        self.of_rtp().max(self.of_rtcp())
    }
}
const fn judge(used: u64, end: u64) -> KeyUse {
    if used >= end {
        KeyUse::Exhausted
    } else if used >= end / 4 * 3 {
        KeyUse::Expiring
    } else {
        KeyUse::Fresh
    }
}
