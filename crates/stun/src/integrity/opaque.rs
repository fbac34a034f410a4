//! OpaqueString (RFC 8265 section 4.2): how passwords, realms and user names are prepared before they are hashed or sent
//! (RFC 8489 sections 9.1.1, 9.2.2, 14.3, 14.4 and 14.9).
//!
//! ```text
//!  printable ASCII              as it stands
//!  empty, control characters    refused
//!  all else                     feature `precis`: spaces to SPACE, then NFC; refused if not of the FreeformClass
//!                               without it: refused, never passed on unprepared
//! ```

use core::{fmt, ops::Deref};

use crate::integrity::CredentialError;

/// A text that is prepared with OpaqueString (RFC 8265 section 4.2.2). Not printed.
///
/// ```
/// use ginnel_stun::{CredentialError, OpaqueString};
///
/// assert_eq!(OpaqueString::new("correct horse battery staple")?.as_str(), "correct horse battery staple");
/// assert_eq!(OpaqueString::new("").unwrap_err(), CredentialError::Empty);
/// # Ok::<(), CredentialError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OpaqueString<'a>(Prepared<'a>);
#[derive(Clone, PartialEq, Eq)]
enum Prepared<'a> {
    AsItStands(&'a str),
    #[cfg(feature = "precis")]
    Mapped(zeroize::Zeroizing<alloc::string::String>),
}
impl<'a> OpaqueString<'a> {
    /// Prepares a text. Without the feature `precis` it must be printable ASCII.
    pub fn new(text: &'a str) -> Result<Self, CredentialError> {
        if text.is_empty() {
            Err(CredentialError::Empty)
        } else if text.bytes().any(|octet| octet.is_ascii_control()) {
            Err(CredentialError::ControlCharacter)
        } else if text.is_ascii() {
            Ok(Self(Prepared::AsItStands(text)))
        } else {
            Self::beyond_ascii(text)
        }
    }
    #[cfg(feature = "precis")]
    fn beyond_ascii(text: &'a str) -> Result<Self, CredentialError> {
        use alloc::borrow::Cow;

        use precis_core::profile::Profile;
        match precis_profiles::OpaqueString::new().enforce(text) {
            Ok(Cow::Borrowed(same)) => Ok(Self(Prepared::AsItStands(same))),
            Ok(Cow::Owned(mapped)) => Ok(Self(Prepared::Mapped(mapped.into()))),
            Err(_) => Err(CredentialError::Forbidden),
        }
    }
    #[cfg(not(feature = "precis"))]
    fn beyond_ascii(_: &'a str) -> Result<Self, CredentialError> {
        Err(CredentialError::NotAscii)
    }
    /// The text, prepared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Prepared::AsItStands(text) => text,
            #[cfg(feature = "precis")]
            Prepared::Mapped(text) => text,
        }
    }
}
impl Deref for OpaqueString<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}
impl fmt::Debug for OpaqueString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueString(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8265_4_3_ascii_examples() {
        // 12 and 13 are legal and differ; 17 and 18 are not.
        let (lower, upper) = (
            OpaqueString::new("correct horse battery staple"),
            OpaqueString::new("Correct Horse Battery Staple"),
        );
        assert_ne!(lower.unwrap(), upper.unwrap());
        assert_eq!(OpaqueString::new(""), Err(CredentialError::Empty));
        assert_eq!(OpaqueString::new("my cat is a \tby"), Err(CredentialError::ControlCharacter));
        assert_eq!(std::format!("{:?}", OpaqueString::new("secret").unwrap()), "OpaqueString(..)");
    }

    #[test]
    #[cfg(feature = "precis")]
    fn rfc8265_4_3_examples_beyond_ascii() {
        for (number, text, want) in [
            (14, "\u{3c0}\u{df}\u{e5}", "\u{3c0}\u{df}\u{e5}"),
            (15, "Jack of \u{2666}s", "Jack of \u{2666}s"),
            (16, "foo\u{1680}bar", "foo bar"),
        ] {
            assert_eq!(OpaqueString::new(text).as_deref(), Ok(want), "example {number}");
        }
        assert_eq!(OpaqueString::new("\u{e9}\tx"), Err(CredentialError::ControlCharacter));
        assert_eq!(OpaqueString::new("\u{e9}\u{85}"), Err(CredentialError::Forbidden));
        // RFC 8265 section 4.2.2, rules 1 and 4: NFC, and widths stay.
        assert_eq!(OpaqueString::new("cafe\u{301}").as_deref(), Ok("caf\u{e9}"));
        assert_eq!(OpaqueString::new("\u{ff21}").as_deref(), Ok("\u{ff21}"));
    }

    /// RFC 8265 section 5.2: an output that were not stable would have to be prepared again.
    #[test]
    #[cfg(feature = "precis")]
    fn rfc8265_what_is_prepared_is_stable() {
        let mut legal = 0;
        for letter in ('\u{80}'..'\u{ffff}').step_by(3) {
            let text = alloc::format!("a{letter}\u{301}");
            let Ok(once) = OpaqueString::new(&text) else { continue };
            legal += 1;
            assert_eq!(OpaqueString::new(once.as_str()).as_deref(), Ok(once.as_str()), "{letter:?}");
        }
        assert!(legal > 10_000, "{legal}");
    }

    #[test]
    #[cfg(feature = "precis")]
    fn keys_are_of_what_is_prepared() {
        use crate::{IntegrityKey, testing::REQUEST};
        let mac = |key: Result<IntegrityKey, CredentialError>| key.unwrap().sha1(REQUEST, 7);
        assert_eq!(mac(IntegrityKey::short_term("foo\u{1680}bar")), mac(IntegrityKey::short_term("foo bar")));
        assert_eq!(
            mac(IntegrityKey::long_term("me", "cafe\u{301}", "foo\u{3000}bar")),
            mac(IntegrityKey::long_term("me", "caf\u{e9}", "foo bar"))
        );
    }

    #[test]
    #[cfg(not(feature = "precis"))]
    fn without_precis_nothing_beyond_ascii_passes() {
        assert_eq!(OpaqueString::new("caf\u{e9}"), Err(CredentialError::NotAscii));
        assert_eq!(OpaqueString::new("foo\u{1680}bar"), Err(CredentialError::NotAscii));
    }
}
