//! Attributes (RFC 8489 section 14): the open trait, the types' numbers, and the values, one file for each RFC.
//!
//! Reading tolerates what the RFC wants ignored (reserved bits, padding). A value that exists can be written: what would be
//! illegal on the wire is refused where the value is made.
//! MESSAGE-INTEGRITY and FINGERPRINT are not here: they are checked by [`Message`](crate::Message) and written by the
//! last steps of [`MessageWriter`](crate::MessageWriter), never by hand.

mod address;
mod google;
mod kind;
mod rfc5780;
mod rfc8445;
mod rfc8489;

pub use google::{NetworkCost, Nomination};
pub use kind::AttributeType;
pub use rfc5780::{ChangeRequest, OtherAddress, ResponseOrigin};
pub use rfc8445::{IceControlled, IceControlling, Priority, UseCandidate};
pub use rfc8489::{
    AlternateDomain, AlternateServer, ErrorCode, MappedAddress, Nonce, Realm, Software, UnknownAttributes,
    UserHash, Username, XorMappedAddress,
};

use crate::message::TransactionId;

/// An attribute: its number, and how its value is read and written. Implement it for attributes of your own.
///
/// ```
/// use ginnel_stun::{Message, TransactionId, attribute::{Attribute, AttributeType, Malformed}};
///
/// /// A comprehension-optional attribute of one octet.
/// struct Mood(u8);
/// impl Attribute<'_> for Mood {
///     const TYPE: AttributeType = AttributeType(0xFF00);
///     fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
///         let &[mood] = value else { return Err(Malformed::Length) };
///         Ok(Self(mood))
///     }
///     fn encoded_len(&self) -> usize {
///         1
///     }
///     fn write(&self, out: &mut [u8], _: TransactionId) {
///         out.copy_from_slice(&[self.0]);
///     }
/// }
/// let octets = b"\x00\x11\x00\x08\x21\x12\xa4\x42transactions\xff\x00\x00\x01\x07\x00\x00\x00";
/// let mood = Message::parse(octets)?.get::<Mood>()?;
/// assert!(matches!(mood, Some(Mood(7))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Attribute<'a>: Sized {
    /// Its number.
    const TYPE: AttributeType;
    /// Reads the value, which comes without padding. `transaction_id` is the message's: some addresses are veiled by it.
    fn parse(value: &'a [u8], transaction_id: TransactionId) -> Result<Self, Malformed>;
    /// Octets of the value, without padding.
    fn encoded_len(&self) -> usize;
    /// Writes the value into `out`, which has exactly [`Attribute::encoded_len`] octets.
    fn write(&self, out: &mut [u8], transaction_id: TransactionId);
}

/// What is wrong with the value of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is shorter or longer than its kind can be.
    #[error("its length is wrong")]
    Length,
    /// An address of neither IPv4 nor IPv6 (RFC 8489 section 14.1).
    #[error("its address family is neither 1 nor 2")]
    AddressFamily,
    /// An error code below 300 or above 699, or a number above 99 (RFC 8489 section 14.8).
    #[error("its error code is not in 300..=699")]
    ErrorCodeRange,
    /// It is not UTF-8.
    #[error("its text is not UTF-8")]
    NotUtf8,
    /// It holds a character that its kind forbids.
    #[error("its text has a character that is not allowed there")]
    Character,
}

/// An attribute that was asked for and is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{attribute}: {reason} (at octet {offset})")]
pub struct AttributeError {
    pub(crate) attribute: AttributeType,
    pub(crate) offset: usize,
    pub(crate) reason: Malformed,
}
impl AttributeError {
    /// Which.
    #[must_use]
    pub const fn attribute(&self) -> AttributeType {
        self.attribute
    }
    /// Octets from the front of the message to its header.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
    /// What is wrong.
    #[must_use]
    pub const fn reason(&self) -> Malformed {
        self.reason
    }
}

/// An attribute that is one unsigned number in network byte order.
macro_rules! number_attribute {
    ($name:ident, $inner:ty, $kind:ident) => {
        impl Attribute<'_> for $name {
            const TYPE: AttributeType = AttributeType::$kind;
            fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
                Ok(Self(<$inner>::from_be_bytes(value.try_into().map_err(|_| Malformed::Length)?)))
            }
            fn encoded_len(&self) -> usize {
                size_of::<$inner>()
            }
            fn write(&self, out: &mut [u8], _: TransactionId) {
                out.copy_from_slice(&self.0.to_be_bytes());
            }
        }
    };
}
use number_attribute;

#[cfg(test)]
mod tests;
