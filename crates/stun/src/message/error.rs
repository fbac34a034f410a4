//! Why octets are not a message.

/// Why octets are not a STUN message, and where it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[error("{reason} (at octet {offset})")]
pub struct ParseError {
    pub(crate) offset: usize,
    pub(crate) reason: ParseErrorReason,
}
impl ParseError {
    /// Octets from the front of the datagram to what is wrong.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
    /// What is wrong.
    #[must_use]
    pub const fn reason(&self) -> ParseErrorReason {
        self.reason
    }
}

/// What is wrong with octets that are not a STUN message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ParseErrorReason {
    /// Fewer than 20 octets (RFC 8489 section 5).
    #[error("shorter than the header")]
    ShorterThanHeader,
    /// The two most significant bits are not zero (RFC 8489 section 5): another protocol.
    #[error("the first two bits are not zero")]
    FirstBitsNotZero,
    /// Octets 4 to 7 are not the magic cookie (RFC 8489 section 5): another protocol, or RFC 3489.
    #[error("no magic cookie")]
    NoMagicCookie,
    /// The message length is no multiple of four (RFC 8489 section 5).
    #[error("the message length is no multiple of four")]
    LengthNotMultipleOfFour,
    /// The message length is not that of the datagram (RFC 8489 section 6.3).
    #[error("the message length is not that of the datagram")]
    LengthNotOfDatagram,
    /// An attribute ends beyond the message (RFC 8489 section 14).
    #[error("an attribute ends beyond the message")]
    AttributeBeyondMessage,
    /// FINGERPRINT is not the last attribute (RFC 8489 section 14.7).
    #[error("an attribute after FINGERPRINT")]
    AttributeAfterFingerprint,
}
