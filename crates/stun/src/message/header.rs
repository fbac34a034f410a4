//! The fixed header of a message (RFC 8489 section 5): class, method, transaction ID.

use core::{fmt, str::FromStr};

use ginnel_core::Rng;

/// RFC 8489 section 5: octets before the first attribute.
pub const HEADER_LEN: usize = 20;
/// RFC 8489 section 5: what octets 4 to 7 of every message hold.
pub const MAGIC_COOKIE: u32 = 0x2112_A442;

/// What a message is in its transaction (RFC 8489 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Class {
    /// Asks, and wants an answer.
    Request,
    /// Tells, and wants none.
    Indication,
    /// Answers a request that succeeded.
    Success,
    /// Answers a request that failed; bears an ERROR-CODE.
    Error,
}
impl Class {
    /// Whether messages of this class answer a request.
    #[must_use]
    pub const fn is_response(self) -> bool {
        matches!(self, Self::Success | Self::Error)
    }
}

/// What a message is about: twelve bits (RFC 8489 section 5 and the IANA registry of section 18.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(into = "u16", try_from = "u16")
)]
pub struct Method(u16);
impl Method {
    /// Binding (RFC 8489 section 3).
    pub const BINDING: Self = Self(0x001);
    /// Shared Secret (RFC 3489 section 11.1), reserved since RFC 5389.
    pub const SHARED_SECRET: Self = Self(0x002);
    /// Allocate (RFC 8656 section 17).
    pub const ALLOCATE: Self = Self(0x003);
    /// Refresh (RFC 8656 section 17).
    pub const REFRESH: Self = Self(0x004);
    /// Send (RFC 8656 section 17).
    pub const SEND: Self = Self(0x006);
    /// Data (RFC 8656 section 17).
    pub const DATA: Self = Self(0x007);
    /// CreatePermission (RFC 8656 section 17).
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// ChannelBind (RFC 8656 section 17).
    pub const CHANNEL_BIND: Self = Self(0x009);
    /// Connect (RFC 6062 section 6.1).
    pub const CONNECT: Self = Self(0x00A);
    /// ConnectionBind (RFC 6062 section 6.1).
    pub const CONNECTION_BIND: Self = Self(0x00B);
    /// ConnectionAttempt (RFC 6062 section 6.1).
    pub const CONNECTION_ATTEMPT: Self = Self(0x00C);
    /// GOOG-PING: libwebrtc's small connectivity check. Registered to Google.
    pub const GOOG_PING: Self = Self(0x080);

    /// The method of this number; `None` if it takes more than twelve bits.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 0xFFF { Some(Self(number)) } else { None }
    }
    /// Its number, below 0x1000.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::BINDING => "Binding",
            Self::SHARED_SECRET => "SharedSecret",
            Self::ALLOCATE => "Allocate",
            Self::REFRESH => "Refresh",
            Self::SEND => "Send",
            Self::DATA => "Data",
            Self::CREATE_PERMISSION => "CreatePermission",
            Self::CHANNEL_BIND => "ChannelBind",
            Self::CONNECT => "Connect",
            Self::CONNECTION_BIND => "ConnectionBind",
            Self::CONNECTION_ATTEMPT => "ConnectionAttempt",
            Self::GOOG_PING => "GoogPing",
            _ => return None,
        })
    }
}
impl From<Method> for u16 {
    fn from(method: Method) -> Self {
        method.0
    }
}
impl TryFrom<u16> for Method {
    type Error = MethodError;
    fn try_from(number: u16) -> Result<Self, MethodError> {
        Self::new(number).ok_or(MethodError)
    }
}
/// A number is no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the number of a method is below 0x1000")]
pub struct MethodError;
impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Method({:#05x})", self.0),
        }
    }
}
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Pairs a response with its request: 96 random bits (RFC 8489 section 5).
///
/// In RFC 3489 it had 128 bits, with no magic cookie in front. Such an ID comes from nowhere but
/// [`Message::parse_or_rfc3489`](crate::Message::parse_or_rfc3489) and [`TransactionId::rfc3489`]. A response written
/// with it bears all 128 bits and no cookie, as its client wants (RFC 5389 section 12.2).
///
/// ```
/// use ginnel_stun::TransactionId;
///
/// let id = TransactionId::new(*b"transactions");
/// assert_eq!(id.to_string(), "7472616e73616374696f6e73");
/// let old = TransactionId::rfc3489(*b"old!transactions");
/// assert_eq!(old.to_string(), "6f6c64217472616e73616374696f6e73");
/// assert!(old.is_rfc3489() && old != id && old.octets() == id.octets());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId([u8; 16]);
impl TransactionId {
    /// The transaction ID of these octets.
    #[must_use]
    pub const fn new(octets: [u8; 12]) -> Self {
        let [c0, c1, c2, c3] = MAGIC_COOKIE.to_be_bytes();
        let [a, b, c, d, e, f, g, h, i, j, k, l] = octets;
        Self([c0, c1, c2, c3, a, b, c, d, e, f, g, h, i, j, k, l])
    }
    /// The transaction ID of RFC 3489 of these octets; or one of today, if the first four are the magic cookie.
    #[must_use]
    pub const fn rfc3489(octets: [u8; 16]) -> Self {
        Self(octets)
    }
    /// A fresh one. The generator is ChaCha20, keyed by the caller's seed: RFC 8489 section 5 wants cryptographic
    /// randomness.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        Self::new(rng.octets())
    }
    /// Its octets: the last twelve, where it is of RFC 3489.
    #[must_use]
    pub const fn octets(self) -> [u8; 12] {
        let [_, _, _, _, octets @ ..] = self.0;
        octets
    }
    /// Octets 4 to 19 of its messages: the magic cookie and the ID, or all of an ID of RFC 3489.
    #[must_use]
    pub const fn header_octets(self) -> [u8; 16] {
        self.0
    }
    /// Whether it is of a sender that knows no magic cookie.
    #[must_use]
    pub const fn is_rfc3489(self) -> bool {
        let [c0, c1, c2, c3, ..] = self.0;
        u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE
    }
}
impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.is_rfc3489() { &self.0[..] } else { &self.0[4..] };
        shown.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}
impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for TransactionId {
    type Err = TransactionIdError;
    /// Reads what [`Display`](fmt::Display) writes: 24 hexadecimal digits, or 32 where it is of RFC 3489.
    fn from_str(text: &str) -> Result<Self, TransactionIdError> {
        let mut all = Self::new([0; 12]);
        let octets = match text.len() {
            24 => &mut all.0[4..],
            32 => &mut all.0[..],
            _ => return Err(TransactionIdError),
        };
        for (octet, digits) in octets.iter_mut().zip(text.as_bytes().as_chunks::<2>().0) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(TransactionIdError);
            // Two digits make an octet.
            *octet = (digit(digits[0])? << 4 | digit(digits[1])?) as u8;
        }
        Ok(all)
    }
}
/// A text is no transaction ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a transaction ID is 24 hexadecimal digits, or 32 in RFC 3489")]
pub struct TransactionIdError;
#[cfg(feature = "serde")]
impl serde::Serialize for TransactionId {
    /// As a text of hexadecimal digits.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for TransactionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl serde::de::Visitor<'_> for Digits {
            type Value = TransactionId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("24 or 32 hexadecimal digits")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TransactionId, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

#[cfg(feature = "arbitrary")]
mod arbitrary {
    use arbitrary::{Arbitrary, Result, Unstructured};

    use super::{Class, Method, TransactionId, class_of, method_of};

    impl<'a> Arbitrary<'a> for Class {
        fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
            Ok(class_of(u.arbitrary()?))
        }
    }
    impl<'a> Arbitrary<'a> for Method {
        fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
            Ok(method_of(u.arbitrary()?))
        }
    }
    /// One of today: [`TransactionId::rfc3489`] is not what a fuzzer should find by chance.
    impl<'a> Arbitrary<'a> for TransactionId {
        fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
            Ok(Self::new(u.arbitrary()?))
        }
    }
}

/// The message type field. The bits of method (`m`) and class (`C`) are interleaved (RFC 8489 section 5, figure 3):
///
/// ```text
///  bit  15 14 13 12 11 10  9  8  7  6  5  4  3  2  1  0
///        0  0  m  m  m  m  m  C  m  m  m  C  m  m  m  m
/// ```
pub(crate) const fn message_type(class: Class, method: Method) -> u16 {
    let m = method.0;
    let class = match class {
        Class::Request => 0x000,
        Class::Indication => 0x010,
        Class::Success => 0x100,
        Class::Error => 0x110,
    };
    (m & 0x00F) | (m & 0x070) << 1 | (m & 0xF80) << 2 | class
}
/// The class of a message type field.
pub(crate) const fn class_of(message_type: u16) -> Class {
    match message_type & 0x110 {
        0x000 => Class::Request,
        0x010 => Class::Indication,
        0x100 => Class::Success,
        _ => Class::Error,
    }
}
/// The method of a message type field.
pub(crate) const fn method_of(message_type: u16) -> Method {
    Method(message_type & 0x00F | (message_type >> 1) & 0x070 | (message_type >> 2) & 0xF80)
}
