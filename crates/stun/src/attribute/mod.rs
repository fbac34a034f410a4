//! Attributes (RFC 8489 section 14): the open trait, the types' numbers, and the values, one file for each RFC.
//!
//! Reading tolerates what the RFC wants ignored (reserved bits, padding), and texts that no sender should make: they are only
//! data, and `Debug` escapes them. A value that exists can be written: what would be illegal on the wire is refused where
//! the value is made. Two things are left to who makes it: that user names and realms beyond ASCII are prepared
//! ([`OpaqueString`](crate::OpaqueString)), and the characters of a NONCE, which a client hands back as it came.
//! MESSAGE-INTEGRITY and FINGERPRINT are not here: they are checked by [`Message`](crate::Message) and written by the
//! last steps of [`MessageWriter`](crate::MessageWriter), never by hand.

mod address;
mod any;
pub(crate) mod generate;
mod google;
#[cfg(feature = "serde")]
mod hex;
mod kind;
mod list;
mod rfc3489;
mod rfc5780;
mod rfc6062;
mod rfc6679;
mod rfc7635;
mod rfc7982;
mod rfc8016;
mod rfc8445;
mod rfc8489;
mod rfc8656;
mod sped;

pub use any::{AnyAttribute, OtherAttribute};
pub use google::{GoogMiscInfo, NetworkCost, Nomination};
pub use kind::AttributeType;
pub use rfc3489::{
    ChangedAddress, Password, ReflectedFrom, ResponseAddress, SourceAddress, XorMappedAddressDraft,
};
pub use rfc5780::{ChangeRequest, OtherAddress, Padding, ResponseOrigin, ResponsePort};
pub use rfc6062::ConnectionId;
pub use rfc6679::EcnCheck;
pub use rfc7635::{AccessToken, SealedToken, ThirdPartyAuthorization, TokenBlock};
pub use rfc7982::TransactionTransmitCounter;
pub use rfc8016::MobilityTicket;
pub use rfc8445::{IceControlled, IceControlling, Priority, UseCandidate};
#[cfg(feature = "alloc")]
pub(crate) use rfc8489::text::TEXT_READ_MAX;
pub use rfc8489::{
    Algorithm, AlternateDomain, AlternateServer, ErrorCode, MappedAddress, Nonce, PasswordAlgorithm,
    PasswordAlgorithms, Realm, Software, UnknownAttributes, UserHash, Username, XorMappedAddress,
};
pub use rfc8656::{
    AdditionalAddressFamily, AddressErrorCode, AddressFamily, ChannelNumber, Data, DontFragment, EvenPort,
    Icmp, Lifetime, RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress,
    XorRelayedAddress,
};
pub use sped::{MetaDtlsInStun, MetaDtlsInStunAcknowledgement};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    ($(#[$doc:meta])* $name:ident, $inner:ty, $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub $inner);
        impl Attribute<'_> for $name {
            const TYPE: AttributeType = AttributeType::$kind;
            #[inline]
            fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
                Ok(Self(<$inner>::from_be_bytes(value.try_into().map_err(|_| Malformed::Length)?)))
            }
            #[inline]
            fn encoded_len(&self) -> usize {
                size_of::<$inner>()
            }
            #[inline]
            fn write(&self, out: &mut [u8], _: TransactionId) {
                out.copy_from_slice(&self.0.to_be_bytes());
            }
        }
    };
}
use number_attribute;

/// An attribute without a value.
macro_rules! flag_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name;
        impl Attribute<'_> for $name {
            const TYPE: AttributeType = AttributeType::$kind;
            #[inline]
            fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
                if value.is_empty() { Ok(Self) } else { Err(Malformed::Length) }
            }
            #[inline]
            fn encoded_len(&self) -> usize {
                0
            }
            #[inline]
            fn write(&self, _: &mut [u8], _: TransactionId) {}
        }
    };
}
use flag_attribute;

/// An attribute that is so many octets, no more and no fewer.
macro_rules! array_attribute {
    ($(#[$doc:meta])* $name:ident, $len:literal, $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(#[cfg_attr(feature = "serde", serde(with = "crate::attribute::hex"))] pub [u8; $len]);
        impl Attribute<'_> for $name {
            const TYPE: AttributeType = AttributeType::$kind;
            #[inline]
            fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
                value.try_into().map(Self).map_err(|_| Malformed::Length)
            }
            #[inline]
            fn encoded_len(&self) -> usize {
                $len
            }
            #[inline]
            fn write(&self, out: &mut [u8], _: TransactionId) {
                out.copy_from_slice(&self.0);
            }
        }
    };
}
use array_attribute;

/// An attribute that is any octets. Only their number is printed: they may be secret, and they may be many. `$shown` is
/// how they are serialised: `hex::Hex`, or `hex::Count` where they are a secret.
macro_rules! octets_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $shown:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name<'a>(pub &'a [u8]);
        impl<'a> Attribute<'a> for $name<'a> {
            const TYPE: AttributeType = AttributeType::$kind;
            #[inline]
            fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
                Ok(Self(value))
            }
            #[inline]
            fn encoded_len(&self) -> usize {
                self.0.len()
            }
            #[inline]
            fn write(&self, out: &mut [u8], _: TransactionId) {
                out.copy_from_slice(self.0);
            }
        }
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} octets)"), self.0.len())
            }
        }
        #[cfg(feature = "serde")]
        impl serde::Serialize for $name<'_> {
            /// As a text: hexadecimal digits, or only how many octets there are where they are a secret.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use $crate::attribute::hex;
                serializer.collect_str(&$shown(self.0))
            }
        }
    };
}
use octets_attribute;

#[cfg(test)]
mod tests;
