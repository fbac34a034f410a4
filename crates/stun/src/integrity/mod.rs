//! MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 sections 14.5 and 14.6), and their keys (9.1.1 and 9.2.2);
//! and GOOG-MESSAGE-INTEGRITY-32, as libwebrtc has it.
//!
//! ```text
//!  0               2               4
//! +---------------+---------------+--------------------------------------+
//! | 0x0008        | 20            | HMAC-SHA1 of all before              |
//! +---------------+---------------+--------------------------------------+
//! | 0x001C        | 16, 20, .. 32 | HMAC-SHA256 of all before, its front |
//! +---------------+---------------+--------------------------------------+
//! | 0xC060        | 4             | HMAC-SHA1 of all before, its front   |
//! +---------------+---------------+--------------------------------------+
//! ```
//!
//! In all, the message length that is hashed is the one the message would have if it ended with this attribute.
//! Keying an HMAC hashes two blocks before the first octet of the message: as much again as a connectivity check. So a
//! key keeps its two states keyed, and a message costs only itself.

mod keyed;
mod opaque;
#[cfg(test)]
pub(crate) mod work;

use core::fmt;

use keyed::Keyed;
use md5::{Digest, Md5, digest::Output};
pub use opaque::OpaqueString;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// RFC 8489 section 14.5: octets of an HMAC-SHA1.
pub(crate) const SHA1_LEN: usize = 20;
/// RFC 8489 section 14.6: octets of an HMAC-SHA256 that is not truncated.
pub(crate) const SHA256_LEN: usize = 32;
/// RFC 8489 section 14.6: what it may be truncated to, where a usage allows it.
const SHA256_LEN_MIN: usize = 16;
/// libwebrtc, `kStunMessageIntegrity32Size`: octets of GOOG-MESSAGE-INTEGRITY-32.
pub(crate) const GOOG_32_LEN: usize = 4;

/// How much of an HMAC-SHA256 is sent (RFC 8489 section 14.6): all, unless the usage allows less.
///
/// ```
/// use ginnel_stun::Sha256Len;
///
/// assert_eq!(Sha256Len::new(16).map(Sha256Len::octets), Some(16));
/// assert_eq!(Sha256Len::new(18), None); // no multiple of four
/// assert_eq!(Sha256Len::new(12), None); // too short to protect
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Len(u8);
impl Sha256Len {
    /// All 32 octets.
    pub const WHOLE: Self = Self(SHA256_LEN as u8);
    /// The first `octets`: 16, 20, 24, 28 or 32, or it is `None`.
    #[must_use]
    pub const fn new(octets: usize) -> Option<Self> {
        if octets >= SHA256_LEN_MIN && octets <= SHA256_LEN && octets.is_multiple_of(4) {
            Some(Self(octets as u8))
        } else {
            None
        }
    }
    /// How many octets.
    #[must_use]
    pub const fn octets(self) -> usize {
        self.0 as usize
    }
}

/// Which of the two attributes protects a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum IntegrityAlgorithm {
    /// MESSAGE-INTEGRITY. What ICE uses.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256.
    Sha256,
}

/// What became of the check of message integrity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use]
pub enum Integrity {
    /// The message has none.
    Absent,
    /// The key made it.
    Ok,
    /// The key did not make it, or its length is wrong.
    Bad,
}

/// Why a text cannot be a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CredentialError {
    /// RFC 8265 section 4.2.2: OpaqueString forbids the empty string.
    #[error("a credential is empty")]
    Empty,
    /// RFC 8265 section 4.2: OpaqueString forbids control characters.
    #[error("a credential has a control character")]
    ControlCharacter,
    /// RFC 8489 section 14.3: USERNAME has fewer than 509 octets.
    #[error("a user name is longer than 508 octets")]
    TooLong,
    /// RFC 8265 section 4.2.1: OpaqueString allows no such character. Only with the feature `precis`.
    #[error("a credential has a character that OpaqueString (RFC 8265) forbids")]
    Forbidden,
    /// Take the feature `precis`; or prepare the text with OpaqueString (RFC 8265) elsewhere, and give the key by
    /// [`IntegrityKey::from_octets`].
    #[error("a credential is not ASCII, and is not prepared without the feature `precis`")]
    NotAscii,
}

/// A key of message integrity, as two HMAC states that are keyed once. Wiped when dropped, and never printed.
///
/// ```
/// use ginnel_stun::IntegrityKey;
///
/// let ice = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt")?;
/// assert_eq!(format!("{ice:?}"), "IntegrityKey(..)");
/// # Ok::<(), ginnel_stun::CredentialError>(())
/// ```
#[derive(Clone)]
pub struct IntegrityKey {
    sha1: Keyed<Sha1, 5>,
    sha256: Keyed<Sha256, 8>,
}
impl IntegrityKey {
    /// The key of a short-term credential (RFC 8489 section 9.1.1): the password, which is prepared as an
    /// [`OpaqueString`]. Every ICE password is ASCII (RFC 8839 section 5.4).
    pub fn short_term(password: &str) -> Result<Self, CredentialError> {
        Ok(Self::from_octets(OpaqueString::new(password)?.as_bytes()))
    }
    /// The key of a long-term credential (RFC 8489 section 9.2.2, MD5). `username` is what the USERNAME attribute
    /// holds, so prepared already; realm and password are prepared as [`OpaqueString`]s.
    pub fn long_term(username: &str, realm: &str, password: &str) -> Result<Self, CredentialError> {
        long_term_key::<Md5>(username, realm, password)
    }
    /// The key of a long-term credential where the password algorithm is SHA-256 (RFC 8489 section 18.5.1.2).
    pub fn long_term_sha256(username: &str, realm: &str, password: &str) -> Result<Self, CredentialError> {
        long_term_key::<Sha256>(username, realm, password)
    }
    /// The HMAC key itself: the octets of a password that OpaqueString has prepared (short-term), or what a user
    /// database holds as H(A1) (long-term).
    #[must_use]
    pub fn from_octets(key: &[u8]) -> Self {
        Self { sha1: Keyed::new(key), sha256: Keyed::new(key) }
    }

    /// The HMAC-SHA1 of `before` as if its message length were `length`.
    pub(crate) fn sha1(&self, before: &[u8], length: u16) -> [u8; SHA1_LEN] {
        octets(self.sha1.mac(before, length))
    }
    /// The HMAC-SHA256 of `before` as if its message length were `length`.
    pub(crate) fn sha256(&self, before: &[u8], length: u16) -> [u8; SHA256_LEN] {
        octets(self.sha256.mac(before, length))
    }
    pub(crate) fn check_sha1(&self, before: &[u8], value: &[u8]) -> Integrity {
        let Some(length) = length_ending_with(before, SHA1_LEN) else { return Integrity::Bad };
        if value.len() != SHA1_LEN {
            return Integrity::Bad;
        }
        verdict(value, &self.sha1(before, length))
    }
    pub(crate) fn check_sha256(&self, before: &[u8], value: &[u8], at_least: usize) -> Integrity {
        let Some(length) = length_ending_with(before, value.len()) else { return Integrity::Bad };
        if value.len() < at_least || Sha256Len::new(value.len()).is_none() {
            return Integrity::Bad;
        }
        verdict(value, &self.sha256(before, length)[..value.len()])
    }
    pub(crate) fn check_goog_32(&self, before: &[u8], value: &[u8]) -> Integrity {
        let Some(length) = length_ending_with(before, GOOG_32_LEN) else { return Integrity::Bad };
        if value.len() != GOOG_32_LEN {
            return Integrity::Bad;
        }
        verdict(value, &self.sha1(before, length)[..GOOG_32_LEN])
    }
}
impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(..)")
    }
}

/// What the length field says when `before` is followed by one more attribute of `value_len` octets.
pub(crate) fn length_ending_with(before: &[u8], value_len: usize) -> Option<u16> {
    u16::try_from(before.len().checked_sub(crate::message::HEADER_LEN)? + 4 + value_len).ok()
}

/// Words in network byte order.
fn octets<const W: usize, const N: usize>(words: [u32; W]) -> [u8; N] {
    const { assert!(N == 4 * W) };
    core::array::from_fn(|i| words[i / 4].to_be_bytes()[i % 4])
}

/// Compares in constant time, four octets at once: there are five words to compare, and not twenty octets.
fn same(theirs: &[u8], ours: &[u8]) -> bool {
    let ((theirs, []), (ours, [])) = (theirs.as_chunks(), ours.as_chunks()) else { return false };
    let words = |theirs: &[u8; 4], ours: &[u8; 4]| u32::from_ne_bytes(*theirs) ^ u32::from_ne_bytes(*ours);
    let difference = theirs.iter().zip(ours).fold(0, |difference, (a, b)| difference | words(a, b));
    theirs.len() == ours.len() && bool::from(difference.ct_eq(&0))
}

fn verdict(theirs: &[u8], ours: &[u8]) -> Integrity {
    // A fuzzer cannot guess an HMAC: under it every one that is well formed is right, so that it reaches what is behind.
    if cfg!(fuzzing) || same(theirs, ours) { Integrity::Ok } else { Integrity::Bad }
}

/// RFC 8489 section 9.2.2: `username ":" realm ":" password`, hashed; quotes and trailing nulls do not count.
fn long_term_key<D: Digest>(
    username: &str,
    realm: &str,
    password: &str,
) -> Result<IntegrityKey, CredentialError> {
    let unquoted = |text| str::trim_matches(str::trim_end_matches(text, '\0'), '"');
    let realm = OpaqueString::new(unquoted(realm))?;
    let password = OpaqueString::new(password.trim_end_matches('\0'))?;
    let mut digest = D::new();
    for part in [unquoted(username), ":", &realm, ":", &password] {
        digest.update(part.as_bytes());
    }
    // Wiped where it was written, for a copy would stay.
    let mut hash = Output::<D>::default();
    digest.finalize_into(&mut hash);
    let key = IntegrityKey::from_octets(&hash);
    hash.as_mut_slice().zeroize();
    Ok(key)
}

#[cfg(test)]
mod tests;
