//! The attributes of STUN itself (RFC 8489 section 14).
//!
//! ```text
//!  MAPPED-ADDRESS      0x0001   an address in the plain shape
//!  USERNAME            0x0006   UTF-8, fewer than 509 octets sent, up to 763 read
//!  ERROR-CODE          0x0009   21 zero bits, class (3 bits), number (8 bits), reason phrase in UTF-8
//!  UNKNOWN-ATTRIBUTES  0x000A   attribute types, 2 octets each
//!  REALM               0x0014   UTF-8, as USERNAME
//!  NONCE               0x0015   octets, as USERNAME
//!  USERHASH            0x001E   32 octets: SHA-256 of USERNAME ":" REALM
//!  XOR-MAPPED-ADDRESS  0x0020   an address in the XOR shape
//!  ALTERNATE-DOMAIN    0x8003   ASCII, up to 255 octets
//!  SOFTWARE            0x8022   UTF-8, as USERNAME
//!  ALTERNATE-SERVER    0x8023   an address in the plain shape
//! ```
//!
//! Elsewhere: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, which are computed, never chosen.
//! PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS have a file of their own.

use core::net::SocketAddr;

use sha2::{Digest, Sha256};

use crate::{
    attribute::{
        Attribute, AttributeType, Malformed,
        address::{PLAIN, address_attribute, veil},
    },
    message::TransactionId,
};

/// RFC 8489 sections 14.3, 14.8 to 14.10, 14.14: what receivers take.
pub(crate) const TEXT_READ_MAX: usize = 763;
/// RFC 8489 sections 14.8 to 14.10, 14.14: what senders keep to. USERNAME has one less (14.3: *fewer* than 509).
const TEXT_SENT_MAX: usize = 509;
/// RFC 8489 sections 14.8 to 14.10, 14.14: fewer than 128 characters are sent.
const TEXT_SENT_CHARS: usize = 127;

/// MAPPED-ADDRESS: where the request came from, for clients of RFC 3489 (RFC 8489 section 14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappedAddress(pub SocketAddr);
address_attribute!(MappedAddress, MAPPED_ADDRESS, |_| PLAIN);

/// XOR-MAPPED-ADDRESS: where the request came from (RFC 8489 section 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XorMappedAddress(pub SocketAddr);
address_attribute!(XorMappedAddress, XOR_MAPPED_ADDRESS, veil);

/// ALTERNATE-SERVER: who to ask instead (RFC 8489 section 14.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlternateServer(pub SocketAddr);
address_attribute!(AlternateServer, ALTERNATE_SERVER, |_| PLAIN);

/// An attribute that is a bounded text.
macro_rules! text_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $too_long:expr, $max_chars:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a>(&'a str);
        impl<'a> $name<'a> {
            /// To be sent. `Err` if it is longer than a sender may make it.
            pub fn new(text: &'a str) -> Result<Self, Malformed> {
                let chars_fit = text.len() <= $max_chars || text.chars().count() <= $max_chars;
                if text.len() < $too_long && chars_fit {
                    Ok(Self(text))
                } else {
                    Err(Malformed::Length)
                }
            }
            /// The text.
            #[must_use]
            pub const fn as_str(&self) -> &'a str {
                self.0
            }
        }
        impl<'a> Attribute<'a> for $name<'a> {
            const TYPE: AttributeType = AttributeType::$kind;
            #[inline]
            fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
                $crate::attribute::rfc8489::text(value).map(Self)
            }
            #[inline]
            fn encoded_len(&self) -> usize {
                self.0.len()
            }
            #[inline]
            fn write(&self, out: &mut [u8], _: TransactionId) {
                out.copy_from_slice(self.0.as_bytes());
            }
        }
    };
}
pub(super) use text_attribute;
text_attribute! {
    /// USERNAME: whose key made the message integrity (RFC 8489 section 14.3). In ICE: `remote:local`, the
    /// fragments of who is asked and who asks (RFC 8445 section 7.2.2).
    ///
    /// Not ASCII? Then prepare it with OpaqueString (RFC 8265) first.
    Username, USERNAME, TEXT_SENT_MAX, usize::MAX
}
text_attribute! {
    /// REALM: which long-term credentials the server wants (RFC 8489 section 14.9). Without quotes.
    Realm, REALM, TEXT_SENT_MAX + 1, TEXT_SENT_CHARS
}
text_attribute! {
    /// SOFTWARE: what the sender is (RFC 8489 section 14.14). Nothing in this crate sends it.
    Software, SOFTWARE, TEXT_SENT_MAX + 1, TEXT_SENT_CHARS
}

/// NONCE: the server's challenge, to be handed back as it is (RFC 8489 section 14.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce<'a>(&'a [u8]);
impl<'a> Nonce<'a> {
    /// To be sent. `Err` if it is longer than what receivers take: a client hands back what a server chose.
    pub const fn new(octets: &'a [u8]) -> Result<Self, Malformed> {
        if octets.len() <= TEXT_READ_MAX { Ok(Self(octets)) } else { Err(Malformed::Length) }
    }
    /// The octets.
    #[must_use]
    pub const fn octets(&self) -> &'a [u8] {
        self.0
    }
}
impl<'a> Attribute<'a> for Nonce<'a> {
    const TYPE: AttributeType = AttributeType::NONCE;
    fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
        Self::new(value)
    }
    fn encoded_len(&self) -> usize {
        self.0.len()
    }
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out.copy_from_slice(self.0);
    }
}

/// USERHASH: the user, unnamed (RFC 8489 section 14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserHash(pub [u8; 32]);
impl UserHash {
    /// The hash of a user name and a realm, both prepared with OpaqueString.
    #[must_use]
    pub fn of(username: &str, realm: &str) -> Self {
        let hash = Sha256::new().chain_update(username).chain_update(":").chain_update(realm);
        Self(hash.finalize().into())
    }
}
impl Attribute<'_> for UserHash {
    const TYPE: AttributeType = AttributeType::USERHASH;
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        value.try_into().map(Self).map_err(|_| Malformed::Length)
    }
    fn encoded_len(&self) -> usize {
        32
    }
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out.copy_from_slice(&self.0);
    }
}

/// ALTERNATE-DOMAIN: the name to verify the alternate server by (RFC 8489 section 14.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlternateDomain<'a>(&'a str);
impl<'a> AlternateDomain<'a> {
    /// To be sent. `Err` unless it is 1 to 255 octets of visible ASCII.
    pub fn new(domain: &'a str) -> Result<Self, Malformed> {
        Self::parse(domain.as_bytes(), TransactionId::new([0; 12]))
    }
    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}
impl<'a> Attribute<'a> for AlternateDomain<'a> {
    const TYPE: AttributeType = AttributeType::ALTERNATE_DOMAIN;
    fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
        if !(1..=255).contains(&value.len()) {
            return Err(Malformed::Length);
        }
        if !value.iter().all(u8::is_ascii_graphic) {
            return Err(Malformed::Character);
        }
        core::str::from_utf8(value).map(Self).map_err(|_| Malformed::NotUtf8)
    }
    fn encoded_len(&self) -> usize {
        self.0.len()
    }
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out.copy_from_slice(self.0.as_bytes());
    }
}

/// ERROR-CODE: why a request failed (RFC 8489 section 14.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode<'a> {
    code: u16,
    reason: &'a str,
}
impl ErrorCode<'static> {
    /// 300: ask another server (RFC 8489 section 14.8).
    pub const TRY_ALTERNATE: Self = Self::bare(300);
    /// 400: the request was malformed (RFC 8489 section 14.8).
    pub const BAD_REQUEST: Self = Self::bare(400);
    /// 401: the credentials are missing or wrong (RFC 8489 section 14.8).
    pub const UNAUTHENTICATED: Self = Self::bare(401);
    /// 420: a comprehension-required attribute was not understood (RFC 8489 section 14.8).
    pub const UNKNOWN_ATTRIBUTE: Self = Self::bare(420);
    /// 438: the nonce is no longer valid (RFC 8489 section 14.8).
    pub const STALE_NONCE: Self = Self::bare(438);
    /// 487: both agents claim the same role (RFC 8445 section 16.2).
    pub const ROLE_CONFLICT: Self = Self::bare(487);
    /// 500: try again (RFC 8489 section 14.8).
    pub const SERVER_ERROR: Self = Self::bare(500);

    const fn bare(code: u16) -> Self {
        Self { code, reason: "" }
    }
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
    fn encoded_len(&self) -> usize {
        4 + self.reason.len()
    }
    fn write(&self, out: &mut [u8], _: TransactionId) {
        // Both fit an octet: the code is below 700.
        out[..4].copy_from_slice(&[0, 0, (self.code / 100) as u8, (self.code % 100) as u8]);
        out[4..].copy_from_slice(self.reason.as_bytes());
    }
}

/// UNKNOWN-ATTRIBUTES: what was not understood, in an error 420 (RFC 8489 section 14.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownAttributes<'a>(Listed<'a>);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed<'a> {
    /// As read: an even number of octets.
    Octets(&'a [u8]),
    /// To be written.
    Types(&'a [AttributeType]),
}
impl<'a> UnknownAttributes<'a> {
    /// To be sent.
    #[must_use]
    pub const fn new(types: &'a [AttributeType]) -> Self {
        Self(Listed::Types(types))
    }
    /// The types.
    pub fn iter(&self) -> impl Iterator<Item = AttributeType> + use<'a> {
        let (octets, types) = match self.0 {
            Listed::Octets(octets) => (octets, &[][..]),
            Listed::Types(types) => (&[][..], types),
        };
        let read = octets.chunks_exact(2).map(|pair| AttributeType(u16::from_be_bytes([pair[0], pair[1]])));
        read.chain(types.iter().copied())
    }
}
impl<'a> Attribute<'a> for UnknownAttributes<'a> {
    const TYPE: AttributeType = AttributeType::UNKNOWN_ATTRIBUTES;
    fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
        if value.len().is_multiple_of(2) { Ok(Self(Listed::Octets(value))) } else { Err(Malformed::Length) }
    }
    fn encoded_len(&self) -> usize {
        match self.0 {
            Listed::Octets(octets) => octets.len(),
            Listed::Types(types) => 2 * types.len(),
        }
    }
    fn write(&self, out: &mut [u8], _: TransactionId) {
        for (pair, kind) in out.chunks_exact_mut(2).zip(self.iter()) {
            pair.copy_from_slice(&kind.0.to_be_bytes());
        }
    }
}

/// What receivers take of any text: up to 763 octets of UTF-8.
pub(super) fn text(value: &[u8]) -> Result<&str, Malformed> {
    if value.len() > TEXT_READ_MAX {
        return Err(Malformed::Length);
    }
    core::str::from_utf8(value).map_err(|_| Malformed::NotUtf8)
}
