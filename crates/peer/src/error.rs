//! What a caller is told that asks for something that cannot be. Nothing has changed then.

use ginnel_sdp::jsep::NegotiationError;

/// Why a description was not made or not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// It is not SDP.
    #[error("{0}")]
    Parse(#[from] ginnel_sdp::ParseError),
    /// It cannot be agreed on, or not now.
    #[error("{0}")]
    Negotiation(#[from] NegotiationError),
    /// The peer's ICE user name fragment or password is not one.
    #[error("the ICE credentials in the description are invalid: {0}")]
    Credentials(#[from] ginnel_ice::CredentialsError),
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
}

/// Why a remote candidate was not taken. The others are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// It is not a candidate.
    #[error("{0}")]
    Parse(#[from] ginnel_sdp::ValueError),
    /// It is one that is of no use to anyone.
    #[error("{0}")]
    Refused(#[from] ginnel_sdp::attribute::Refusal),
    /// ICE has no use for it.
    #[error("{0}")]
    Unused(#[from] ginnel_ice::CandidateError),
    /// Its transport, kind or address is of a sort that is unknown here.
    #[error("it is of an unknown sort")]
    UnknownKind,
    /// Candidates mean something only beside the description that they belong to.
    #[error("there is no remote description yet: apply it first")]
    NoRemoteDescription,
    /// Our answer is awaited, and the candidates that wait for it are as many as are kept.
    #[error("{limit} candidates wait for our answer already, and no more are kept")]
    TooManyEarly {
        /// How many are kept.
        limit: usize,
    },
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
}

/// Why a channel was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The association refuses it.
    #[error("{0}")]
    Refused(#[from] ginnel_datachannel::OpenError),
    /// More channels than the configuration allows.
    #[error("{limit} channels are open, the limit of the configuration")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The peer is closed.
    #[error("the peer is closed")]
    Closed,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The association refuses it; `Full` is back-pressure.
    #[error("{0}")]
    Refused(#[from] ginnel_datachannel::SendError),
    /// Wait for `ChannelOpened`.
    #[error("the channel is not open yet: wait for ChannelOpened")]
    NotOpen,
    /// No such channel: it never was, or it has closed.
    #[error("there is no such channel")]
    NoSuchChannel,
}

/// Why media was not sent. The packet is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// There are no keys for media, or the packet cannot be protected.
    #[error("{0}")]
    Session(#[from] ginnel_dtls_srtp::MediaError),
    /// Wait for the state `Connected`.
    #[error("there is no path to the peer yet, or no longer")]
    NoPath,
    /// ICE does not take it.
    #[error("{0}")]
    Path(#[from] ginnel_ice::SendError),
    /// No DTLS session has begun.
    #[error("there is no secure connection yet: wait for Secured")]
    NotSecured,
    /// The peer is closing or closed.
    #[error("the peer is closed")]
    Closed,
}
