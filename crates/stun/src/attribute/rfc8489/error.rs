//! ERROR-CODE and UNKNOWN-ATTRIBUTES (RFC 8489 sections 14.8 and 14.13).
//!
//! ```text
//!  ERROR-CODE   0x0009
//!  0               2       3       4
//! +-------------+-+-------+-------+--------------------------+
//! | 21 zero bits|class (3)| number| reason phrase in UTF-8   |
//! +-------------+-+-------+-------+--------------------------+
//!
//!  UNKNOWN-ATTRIBUTES   0x000A
//! +---------------+---------------+--
//! | type          | type          | ...
//! +---------------+---------------+--
//! ```

use core::fmt;

use crate::{
    attribute::{
        Attribute, AttributeType, Malformed,
        list::{Listed, list_attribute},
        rfc8489::text::{TEXT_SENT_CHARS, TEXT_SENT_MAX, text},
    },
    message::TransactionId,
};

/// ERROR-CODE: why a request failed (RFC 8489 section 14.8).
///
/// ```
/// use ginnel_stun::{Message, attribute::ErrorCode};
///
/// let error = b"\x01\x11\x00\x0c\x21\x12\xa4\x42transactions\x00\x09\x00\x07\x00\x00\x04\x01why\x00";
/// let error = Message::parse(error)?.get::<ErrorCode<'_>>()?.expect("an error code");
/// assert_eq!((error.code(), error.reason(), error.phrase()), (401, "why", Some("Unauthenticated")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ErrorCode<'a> {
    pub(in crate::attribute) code: u16,
    pub(in crate::attribute) reason: &'a str,
}
/// The table, once: a constant for each code, and its phrase.
macro_rules! codes {
    ($(#[$doc:meta] $constant:ident = $code:literal, $phrase:literal;)*) => {
        impl ErrorCode<'static> {
            $(#[$doc] pub const $constant: Self = Self::bare($code);)*

            const fn bare(code: u16) -> Self {
                Self { code, reason: "" }
            }
        }
        impl ErrorCode<'_> {
            /// What the registry calls the code, where this crate knows it: for people, whatever the peer says.
            #[must_use]
            pub const fn phrase(&self) -> Option<&'static str> {
                match self.code {
                    $($code => Some($phrase),)*
                    _ => None,
                }
            }
        }
    };
}
codes! {
    /// 300: ask another server (RFC 8489 section 14.8).
    TRY_ALTERNATE = 300, "Try Alternate";
    /// 400: the request was malformed (RFC 8489 section 14.8).
    BAD_REQUEST = 400, "Bad Request";
    /// 401: the credentials are missing or wrong (RFC 8489 section 14.8).
    UNAUTHENTICATED = 401, "Unauthenticated";
    /// 403: the request is understood, and not allowed (RFC 8656 section 19).
    FORBIDDEN = 403, "Forbidden";
    /// 405: mobility is understood, and not allowed (RFC 8016 section 3.4).
    MOBILITY_FORBIDDEN = 405, "Mobility Forbidden";
    /// 420: a comprehension-required attribute was not understood (RFC 8489 section 14.8).
    UNKNOWN_ATTRIBUTE = 420, "Unknown Attribute";
    /// 437: there is no allocation, or there is one already (RFC 8656 section 19).
    ALLOCATION_MISMATCH = 437, "Allocation Mismatch";
    /// 438: the nonce is no longer valid (RFC 8489 section 14.8).
    STALE_NONCE = 438, "Stale Nonce";
    /// 440: the server has no addresses of that family (RFC 8656 section 19).
    ADDRESS_FAMILY_NOT_SUPPORTED = 440, "Address Family not Supported";
    /// 441: the allocation was made with other credentials (RFC 8656 section 19).
    WRONG_CREDENTIALS = 441, "Wrong Credentials";
    /// 442: the server does not reach peers by that protocol (RFC 8656 section 19).
    UNSUPPORTED_TRANSPORT = 442, "Unsupported Transport Protocol";
    /// 443: the peer is of another family than the relayed address (RFC 8656 section 19).
    PEER_ADDRESS_FAMILY_MISMATCH = 443, "Peer Address Family Mismatch";
    /// 446: there is a connection to that peer already (RFC 6062 section 6.3).
    CONNECTION_ALREADY_EXISTS = 446, "Connection Already Exists";
    /// 447: the peer could not be reached (RFC 6062 section 6.3).
    CONNECTION_TIMEOUT_OR_FAILURE = 447, "Connection Timeout or Failure";
    /// 486: the user has all the allocations that it may have (RFC 8656 section 19).
    ALLOCATION_QUOTA_REACHED = 486, "Allocation Quota Reached";
    /// 487: both agents claim the same role (RFC 8445 section 16.2).
    ROLE_CONFLICT = 487, "Role Conflict";
    /// 500: try again (RFC 8489 section 14.8).
    SERVER_ERROR = 500, "Server Error";
    /// 508: the server has reached a limit of its own (RFC 8656 section 19).
    INSUFFICIENT_CAPACITY = 508, "Insufficient Capacity";
}
impl<'a> ErrorCode<'a> {
    /// To be sent. `Err` if the code is not in 300..=699, or the reason longer than a sender may make it. An empty
    /// reason is best where the answer goes to somebody unknown: it must not be larger than it has to be.
    pub fn new(code: u16, reason: &'a str) -> Result<Self, Malformed> {
        if !(300..=699).contains(&code) {
            Err(Malformed::ErrorCodeRange)
        } else if reason.len() > TEXT_SENT_MAX || reason.chars().count() > TEXT_SENT_CHARS {
            Err(Malformed::Length)
        } else {
            Ok(Self { code, reason })
        }
    }
    /// The code, in 300..=699.
    #[must_use]
    pub const fn code(&self) -> u16 {
        self.code
    }
    /// What the peer says for people to read. Never act on it.
    #[must_use]
    pub const fn reason(&self) -> &'a str {
        self.reason
    }
}
impl<'a> Attribute<'a> for ErrorCode<'a> {
    const TYPE: AttributeType = AttributeType::ERROR_CODE;
    #[inline]
    fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
        let Some((&[_, _, class, number], reason)) = value.split_first_chunk() else {
            return Err(Malformed::Length);
        };
        // RFC 8489 section 14.8: the bits in front of the class are ignored.
        let (class, number) = (u16::from(class & 0b111), u16::from(number));
        if !(3..=6).contains(&class) || number > 99 {
            return Err(Malformed::ErrorCodeRange);
        }
        Ok(Self { code: class * 100 + number, reason: text(reason)? })
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        4 + self.reason.len()
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        // Both fit an octet: the code is below 700.
        out[..4].copy_from_slice(&[0, 0, (self.code / 100) as u8, (self.code % 100) as u8]);
        out[4..].copy_from_slice(self.reason.as_bytes());
    }
}

/// UNKNOWN-ATTRIBUTES: what was not understood, in an error 420 (RFC 8489 section 14.13).
///
/// ```
/// use ginnel_stun::{Message, attribute::{AttributeType, UnknownAttributes}};
///
/// let error = b"\x01\x11\x00\x08\x21\x12\xa4\x42transactions\x00\x0a\x00\x02\x00\x03\x00\x00";
/// let unknown = Message::parse(error)?.get::<UnknownAttributes<'_>>()?;
/// assert_eq!(unknown, Some(UnknownAttributes::new(&[AttributeType::CHANGE_REQUEST])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct UnknownAttributes<'a>(pub(in crate::attribute) Listed<'a, AttributeType>);
impl<'a> UnknownAttributes<'a> {
    /// To be sent.
    #[must_use]
    pub const fn new(types: &'a [AttributeType]) -> Self {
        Self(Listed::Values(types))
    }
    /// The types.
    pub fn iter(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        self.0.iter()
    }
}
list_attribute!(UnknownAttributes, UNKNOWN_ATTRIBUTES);
