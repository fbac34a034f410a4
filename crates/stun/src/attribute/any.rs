//! Any attribute: one type over all that the crate knows, for who shows, stores or copies messages without knowing what is in
//! them.

use super::*;
use crate::message::RawAttribute;

/// An attribute that [`AnyAttribute`] has no type for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct OtherAttribute<'a> {
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub(super) kind: AttributeType,
    #[cfg_attr(feature = "serde", serde(serialize_with = "hex::serialize"))]
    pub(super) value: &'a [u8],
}
impl<'a> OtherAttribute<'a> {
    /// To be sent. `None` if it would be message integrity or FINGERPRINT, which are computed.
    ///
    /// ```
    /// use ginnel_stun::attribute::{AttributeType, OtherAttribute};
    ///
    /// assert!(OtherAttribute::new(AttributeType(0xFF00), b"value").is_some());
    /// assert!(OtherAttribute::new(AttributeType::FINGERPRINT, b"1234").is_none());
    /// ```
    #[must_use]
    pub const fn new(kind: AttributeType, value: &'a [u8]) -> Option<Self> {
        if kind.is_computed() { None } else { Some(Self { kind, value }) }
    }
    /// Its number.
    #[must_use]
    pub const fn kind(&self) -> AttributeType {
        self.kind
    }
    /// Its value, unread.
    #[must_use]
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }
}
impl core::fmt::Debug for OtherAttribute<'_> {
    /// Without the value, which may be secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}({} octets)", self.kind, self.value.len())
    }
}

macro_rules! any_attribute {
    ($($name:ident $(<$life:lifetime>)?),* $(,)?) => {
        /// Any attribute, read as what it is. A variant is named as its type is.
        ///
        /// ```
        /// use ginnel_stun::{Message, attribute::{AnyAttribute, Priority}};
        ///
        /// let check = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\x00\x24\x00\x04\x6e\x00\x01\xff";
        /// let message = Message::parse(check)?;
        /// for raw in message.attributes() {
        ///     match raw.read(message.transaction_id()) {
        ///         Ok(AnyAttribute::Priority(Priority(priority))) => assert_eq!(priority, 0x6e00_01ff),
        ///         Ok(other) => println!("{other:?}"),
        ///         Err(malformed) => println!("{malformed}"),
        ///     }
        /// }
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub enum AnyAttribute<'a> {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name $(<$life>)?),)*
            /// One that this crate has no type for.
            Other(OtherAttribute<'a>),
        }
        impl<'a> AnyAttribute<'a> {
            /// The numbers of all that it has a type for.
            pub const TYPES: &'static [AttributeType] = &[$($name::TYPE),*];

            /// Reads a value by its type's number. Never fails for a number that is not known. Message integrity and
            /// FINGERPRINT, whose values are computed, are [`AnyAttribute::Other`].
            pub fn parse(
                kind: AttributeType,
                value: &'a [u8],
                transaction_id: TransactionId,
            ) -> Result<Self, Malformed> {
                match kind {
                    $($name::TYPE => $name::parse(value, transaction_id).map(Self::$name),)*
                    _ => Ok(Self::Other(OtherAttribute { kind, value })),
                }
            }
            /// Its number.
            #[must_use]
            pub const fn kind(&self) -> AttributeType {
                match self {
                    $(Self::$name(_) => $name::TYPE,)*
                    Self::Other(other) => other.kind,
                }
            }
            pub(crate) fn encoded_len(&self) -> usize {
                match self {
                    $(Self::$name(value) => value.encoded_len(),)*
                    Self::Other(other) => other.value.len(),
                }
            }
            pub(crate) fn write(&self, out: &mut [u8], transaction_id: TransactionId) {
                match self {
                    $(Self::$name(value) => value.write(out, transaction_id),)*
                    Self::Other(other) => out.copy_from_slice(other.value),
                }
            }
        }
        $(impl<'a> From<$name $(<$life>)?> for AnyAttribute<'a> {
            fn from(value: $name $(<$life>)?) -> Self {
                Self::$name(value)
            }
        })*
    };
}
/// Every attribute that is a type, handed to `$callback`.
macro_rules! every_attribute {
    ($callback:ident) => {
        $callback! {
            MappedAddress, ResponseAddress, ChangeRequest, SourceAddress, ChangedAddress, Username<'a>, Password<'a>,
            ErrorCode<'a>, UnknownAttributes<'a>, ReflectedFrom, ChannelNumber, Lifetime, XorPeerAddress, Data<'a>,
            Realm<'a>, Nonce<'a>, XorRelayedAddress, RequestedAddressFamily, EvenPort, RequestedTransport,
            DontFragment, AccessToken<'a>, PasswordAlgorithm<'a>, UserHash, XorMappedAddress, ReservationToken,
            Priority, UseCandidate, Padding, ResponsePort, ConnectionId, AdditionalAddressFamily,
            AddressErrorCode<'a>, PasswordAlgorithms<'a>, AlternateDomain<'a>, Icmp, XorMappedAddressDraft,
            Software<'a>, AlternateServer, TransactionTransmitCounter, IceControlled, IceControlling, ResponseOrigin,
            OtherAddress, ThirdPartyAuthorization<'a>, MobilityTicket<'a>, Nomination, NetworkCost, GoogMiscInfo<'a>,
            MetaDtlsInStun<'a>, MetaDtlsInStunAcknowledgement, EcnCheck,
        }
    };
}
pub(crate) use every_attribute;
every_attribute!(any_attribute);

impl<'a> RawAttribute<'a> {
    /// Reads it as what it is. `transaction_id` is that of its message.
    pub fn read(&self, transaction_id: TransactionId) -> Result<AnyAttribute<'a>, AttributeError> {
        AnyAttribute::parse(self.kind, self.value, transaction_id).map_err(|reason| AttributeError {
            attribute: self.kind,
            offset: self.offset,
            reason,
        })
    }
}
