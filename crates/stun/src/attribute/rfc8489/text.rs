//! The texts of STUN (RFC 8489 sections 14.3, 14.9, 14.10, 14.14 and 14.16).
//!
//! ```text
//!  USERNAME           0x0006   UTF-8, fewer than 509 octets sent, up to 763 read
//!  REALM              0x0014   UTF-8, fewer than 128 characters sent (up to 509 octets), up to 763 octets read
//!  NONCE              0x0015   octets, up to 763 read
//!  ALTERNATE-DOMAIN   0x8003   ASCII, up to 255 octets
//!  SOFTWARE           0x8022   UTF-8, as REALM
//! ```
//!
//! What is longer than a receiver must take is malformed, and never stored (SECURITY.md, case 9).

use core::fmt;

use crate::{
    attribute::{Attribute, AttributeType, Malformed},
    message::TransactionId,
};

/// RFC 8489 sections 14.3, 14.8 to 14.10, 14.14: what receivers take.
pub(crate) const TEXT_READ_MAX: usize = 763;
/// RFC 8489 sections 14.8 to 14.10, 14.14: what senders keep to. USERNAME has one less (14.3: *fewer* than 509).
pub(in crate::attribute) const TEXT_SENT_MAX: usize = 509;
/// RFC 8489 sections 14.8 to 14.10, 14.14: fewer than 128 characters are sent.
pub(in crate::attribute) const TEXT_SENT_CHARS: usize = 127;

/// An attribute that is a bounded text; where a sender is bound to a syntax as well, `$syntax` checks that.
macro_rules! text_attribute {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $too_long:expr, $max_chars:expr $(, $syntax:path)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        pub struct $name<'a>(pub(in crate::attribute) &'a str);
        impl<'a> $name<'a> {
            /// To be sent. `Err` if it is not what a sender may make it.
            pub fn new(text: &'a str) -> Result<Self, Malformed> {
                $($syntax(text)?;)?
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
                $crate::attribute::rfc8489::text::text(value).map(Self)
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
pub(in crate::attribute) use text_attribute;
text_attribute! {
    /// USERNAME: whose key made the message integrity (RFC 8489 section 14.3). In ICE: `remote:local`, the
    /// fragments of who is asked and who asks (RFC 8445 section 7.2.2).
    ///
    /// Not ASCII? Then prepare it with OpaqueString (RFC 8265) first.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::Username};
    ///
    /// let check = b"\x00\x01\x00\x10\x21\x12\xa4\x42transactions\x00\x06\x00\x09evtj:h6vY\x00\x00\x00";
    /// let name = Message::parse(check)?.get::<Username<'_>>()?;
    /// assert_eq!(name, Some(Username::new("evtj:h6vY")?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Username, USERNAME, TEXT_SENT_MAX, usize::MAX
}
text_attribute! {
    /// REALM: which long-term credentials the server wants (RFC 8489 section 14.9). Without quotes around it, and within
    /// it a quote or a backslash only behind a backslash.
    ///
    /// Not ASCII? Then prepare it with OpaqueString (RFC 8265) first.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::Realm};
    ///
    /// let error = b"\x01\x11\x00\x10\x21\x12\xa4\x42transactions\x00\x14\x00\x0bexample.org\x00";
    /// let realm = Message::parse(error)?.get::<Realm<'_>>()?;
    /// assert_eq!(realm, Some(Realm::new("example.org")?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Realm, REALM, TEXT_SENT_MAX + 1, TEXT_SENT_CHARS, realm_value
}
/// RFC 8489 section 14.9: qdtext and quoted-pairs (RFC 3261 section 25.1), without what OpaqueString forbids: nothing at
/// all, and control characters.
fn realm_value(text: &str) -> Result<(), Malformed> {
    if text.is_empty() {
        return Err(Malformed::Length);
    }
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let quoted = if character == '\\' { characters.next().filter(char::is_ascii) } else { Some('.') };
        if character == '"' || character.is_control() || quoted.is_none_or(char::is_control) {
            return Err(Malformed::Character);
        }
    }
    Ok(())
}
text_attribute! {
    /// SOFTWARE: what the sender is (RFC 8489 section 14.14). Nothing in this crate sends it.
    ///
    /// ```
    /// use ginnel_stun::{Message, attribute::Software};
    ///
    /// let success = b"\x01\x01\x00\x0c\x21\x12\xa4\x42transactions\x80\x22\x00\x07example\x00";
    /// let software = Message::parse(success)?.get::<Software<'_>>()?;
    /// assert_eq!(software, Some(Software::new("example")?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Software, SOFTWARE, TEXT_SENT_MAX + 1, TEXT_SENT_CHARS
}

/// NONCE: the server's challenge, to be handed back as it is (RFC 8489 section 14.10).
///
/// ```
/// use ginnel_stun::{Message, attribute::Nonce};
///
/// let error = b"\x01\x11\x00\x0c\x21\x12\xa4\x42transactions\x00\x15\x00\x08f//499k9";
/// let nonce = Message::parse(error)?.get::<Nonce<'_>>()?;
/// assert_eq!(nonce, Some(Nonce::new(b"f//499k9")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce<'a>(pub(in crate::attribute) &'a [u8]);
impl<'a> Nonce<'a> {
    /// To be sent. `Err` if it is longer than what receivers take. Nothing else is asked of it, for a client hands back
    /// what a server chose. A server keeps below 128 characters, and leaves out quotes, backslashes and control
    /// characters: `Nonces`, behind the feature `alloc`, makes such.
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
    #[inline]
    fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
        Self::new(value)
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

impl fmt::Debug for Nonce<'_> {
    /// As text, whatever it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce(\"{}\")", self.0.escape_ascii())
    }
}
#[cfg(feature = "serde")]
impl serde::Serialize for Nonce<'_> {
    /// As text: visible ASCII as it stands, all else escaped as in Rust.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.escape_ascii())
    }
}

/// RFC 8489 section 14.16.
pub(in crate::attribute) const DOMAIN_MAX: usize = 255;
/// RFC 1123 section 2.1, by RFC 1035 section 2.3.4.
const LABEL_MAX: usize = 63;

/// ALTERNATE-DOMAIN: the name to verify the alternate server by (RFC 8489 section 14.16).
///
/// ```
/// use ginnel_stun::{Message, attribute::AlternateDomain};
///
/// let error = b"\x01\x11\x00\x14\x21\x12\xa4\x42transactions\x80\x03\x00\x10stun.example.org";
/// let domain = Message::parse(error)?.get::<AlternateDomain<'_>>()?;
/// assert_eq!(domain, Some(AlternateDomain::new("stun.example.org")?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct AlternateDomain<'a>(pub(in crate::attribute) &'a str);
impl<'a> AlternateDomain<'a> {
    /// To be sent. `Err` unless it is a name of DNS: up to 255 octets in labels of up to 63 letters, digits, hyphens
    /// and, as some have it, underscores.
    pub fn new(domain: &'a str) -> Result<Self, Malformed> {
        let whole = domain.strip_suffix('.').unwrap_or(domain);
        if domain.len() > DOMAIN_MAX
            || whole.split('.').any(|label| label.is_empty() || label.len() > LABEL_MAX)
        {
            return Err(Malformed::Length);
        }
        let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
        if !whole.bytes().all(legal)
            || whole.split('.').any(|label| label.starts_with('-') || label.ends_with('-'))
        {
            return Err(Malformed::Character);
        }
        Ok(Self(domain))
    }
    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}
impl<'a> Attribute<'a> for AlternateDomain<'a> {
    const TYPE: AttributeType = AttributeType::ALTERNATE_DOMAIN;
    #[inline]
    fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
        if !(1..=DOMAIN_MAX).contains(&value.len()) {
            return Err(Malformed::Length);
        }
        if !value.iter().all(u8::is_ascii_graphic) {
            return Err(Malformed::Character);
        }
        core::str::from_utf8(value).map(Self).map_err(|_| Malformed::NotUtf8)
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

/// What receivers take of any text: up to 763 octets of UTF-8.
pub(in crate::attribute) fn text(value: &[u8]) -> Result<&str, Malformed> {
    if value.len() > TEXT_READ_MAX {
        return Err(Malformed::Length);
    }
    core::str::from_utf8(value).map_err(|_| Malformed::NotUtf8)
}
