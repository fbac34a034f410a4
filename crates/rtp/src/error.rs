//! What can be wrong with the octets of an RTP or RTCP packet, and where.

/// Octets that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at octet {offset})")]
pub struct ParseError {
    /// How many octets into the packet the mistake lies.
    pub offset: usize,
    /// What the mistake is.
    pub reason: Reason,
}

impl ParseError {
    pub(crate) const fn new(offset: usize, reason: Reason) -> Self {
        Self { offset, reason }
    }

    /// The same mistake, told in offsets of the packet that encloses it.
    pub(crate) const fn within(self, base: usize) -> Self {
        Self { offset: self.offset + base, reason: self.reason }
    }
}

/// The kinds of mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Fewer octets than the fixed part takes.
    #[error("the packet ends before its header does")]
    Truncated,
    /// RFC 3550 section 5.1: the version is 2.
    #[error("the version is not 2")]
    VersionIsNotTwo,
    /// The CSRC count promises more than there is.
    #[error("the CSRC list reaches past the end")]
    CsrcListPastEnd,
    /// The header extension's length promises more than there is.
    #[error("the header extension reaches past the end")]
    ExtensionPastEnd,
    /// RFC 3550 section 5.1: the last octet counts the padding, itself included.
    #[error("the padding is longer than what it pads, or of length zero")]
    PaddingIsWrong,
    /// An RTCP length field promises more than there is.
    #[error("the RTCP length reaches past the end")]
    LengthPastEnd,
    /// RFC 3550 section 6.4.1: only the last packet of a compound may be padded.
    #[error("a packet that is not the last of its compound is padded")]
    PaddingBeforeTheLast,
    /// The count field promises more than the packet's length allows.
    #[error("the count field promises more than the packet holds")]
    CountPastEnd,
    /// An SDES chunk without its end, or an item that reaches past it.
    #[error("an SDES item reaches past the end")]
    ItemPastEnd,
    /// A BYE whose reason is longer than the packet.
    #[error("the reason for leaving reaches past the end")]
    ReasonPastEnd,
    /// Feedback whose control information is not of its format's size.
    #[error("the feedback control information has the wrong size")]
    FeedbackSize,
}
