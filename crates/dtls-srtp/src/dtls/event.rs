//! What an endpoint tells its user.

use crate::srtp::Profile;

/// The version that a handshake agreed on.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// DTLS 1.2.
    Dtls12,
    /// DTLS 1.3.
    Dtls13,
}

/// What happened. [`Event::Closed`] or [`Event::Failed`] is the last one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done and the peer's certificate is one of those expected: data flows.
    Connected {
        /// The version.
        version: Version,
        /// The profile for media, where one was agreed on.
        profile: Option<Profile>,
    },
    /// Ended politely.
    Closed {
        /// By whom.
        reason: CloseReason,
    },
    /// Ended by a failure.
    Failed(FailureReason),
}

/// Who ended it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// We did.
    Local,
    /// The peer sent its close_notify.
    Remote,
}

/// What went wrong.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailureReason {
    /// The peer's certificate has none of the fingerprints that the signalling gave: someone is in between.
    #[error("the peer's certificate does not match its fingerprint")]
    FingerprintMismatch,
    /// The peer showed no certificate.
    #[error("the peer showed no certificate")]
    NoCertificate,
    /// No SRTP profile was agreed on, and media needs one.
    #[error("no SRTP profile was agreed on")]
    NoProfile,
    /// The peer chose a profile outside the configuration.
    #[error("the peer chose an SRTP profile that is not allowed")]
    ProfileNotAllowed(Profile),
    /// The peer sent a fatal alert.
    #[error("the peer sent the fatal alert {0}")]
    Alert(u8),
    /// The handshake did not end in time.
    #[error("the handshake timed out")]
    TimedOut,
    /// No version, cipher suite, group or signature scheme in common.
    #[error("the peer has no parameters in common with us")]
    Incompatible,
    /// A signature or Finished did not verify.
    #[error("the peer's handshake did not verify")]
    HandshakeForged,
    /// A message out of turn, or a certificate of a kind that is not supported.
    #[error("the peer broke the protocol, or its certificate is not supported")]
    Protocol,
    /// The keys are used up, or a queue of the library overflowed.
    #[error("a limit was reached")]
    Limit,
}
