//! What a session tells its user, and counts.

use crate::dtls::{self, CloseReason, FailureReason, Version};
use crate::srtp::{KeyUse, Profile, ReceiverStats, SenderStats};

/// What happened. [`Event::Closed`] or [`Event::Failed`] is the last one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer is who the signalling said, and keys are there: data and, with a profile, media flow.
    Connected {
        /// The version of DTLS.
        version: Version,
        /// The profile for media, where one was agreed on.
        profile: Option<Profile>,
    },
    /// The key for media that we send is used up to three quarters, or wholly: a new session is due.
    MediaKeyExpiring(KeyUse),
    /// Ended politely.
    Closed {
        /// By whom.
        reason: CloseReason,
    },
    /// Ended by a failure.
    Failed(FailureReason),
}

/// Counters of a session.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// RTP and RTCP that came while there were no keys, and were dropped.
    pub media_before_keys: u64,
    /// DTLS.
    pub dtls: dtls::Stats,
    /// Media that went out.
    pub sender: SenderStats,
    /// Media that came in.
    pub receiver: ReceiverStats,
}
