//! Who a client is: short-term and long-term credentials (RFC 8489 sections 9.1 and 9.2), as its requests bear them.
//!
//! A short-term credential knows its key from the beginning. The key of a long-term credential depends on the realm and
//! the password algorithm that a server asks for, so it is made with the first challenge and kept with the session.
//! Cloning shares: ten thousand requests hold one credential, and its secrets are wiped with the last of them.
//! Left out: the users' side of RFC 7635 (access tokens), of which only the attributes are here.

use alloc::{boxed::Box, sync::Arc};
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    attribute::{Algorithm, UserHash, Username},
    integrity::{CredentialError, IntegrityAlgorithm, IntegrityKey, OpaqueString},
};

/// What a request is authenticated with.
///
/// ```
/// use ginnel_stun::{Credential, LongTermCredential, ShortTermCredential};
///
/// let ice: Credential = ShortTermCredential::new("evtj:h6vY", "VOkJxbRl1RmTxUk/WvJxBt")?.into();
/// let turn: Credential = LongTermCredential::new("user", "pass")?.into();
/// assert_eq!(format!("{ice:?}, {turn:?}"), "ShortTermCredential(..), LongTermCredential(..)");
/// # Ok::<(), ginnel_stun::CredentialError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// Both sides were told it (RFC 8489 section 9.1).
    ShortTerm(ShortTermCredential),
    /// A user of the server (RFC 8489 section 9.2).
    LongTerm(LongTermCredential),
}
impl From<ShortTermCredential> for Credential {
    fn from(credential: ShortTermCredential) -> Self {
        Self::ShortTerm(credential)
    }
}
impl From<LongTermCredential> for Credential {
    fn from(credential: LongTermCredential) -> Self {
        Self::LongTerm(credential)
    }
}
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortTerm(it) => it.fmt(f),
            Self::LongTerm(it) => it.fmt(f),
        }
    }
}

/// A short-term credential: a user name and a password that both sides were told by other means, with its HMACs keyed
/// once (RFC 8489 section 9.1). Requests bear USERNAME and both kinds of message integrity, until the server's first
/// response shows which of them it speaks (sections 9.1.2 and 9.1.5).
///
/// ```
/// use ginnel_stun::{IntegrityAlgorithm, ShortTermCredential};
///
/// let known = ShortTermCredential::new("evtj:h6vY", "VOkJxbRl1RmTxUk/WvJxBt")?.with_only(IntegrityAlgorithm::Sha1);
/// assert_eq!(known.username(), "evtj:h6vY");
/// # Ok::<(), ginnel_stun::CredentialError>(())
/// ```
#[derive(Clone)]
pub struct ShortTermCredential {
    inner: Arc<ShortTerm>,
    only: Option<IntegrityAlgorithm>,
}
struct ShortTerm {
    username: Box<str>,
    key: IntegrityKey,
}
impl ShortTermCredential {
    /// From the user name and the password, which are prepared as [`IntegrityKey::short_term`] says.
    pub fn new(username: &str, password: &str) -> Result<Self, CredentialError> {
        Self::with_key(username, IntegrityKey::short_term(password)?)
    }
    /// From a user name and a key that was made before.
    pub fn with_key(username: &str, key: IntegrityKey) -> Result<Self, CredentialError> {
        let username = prepared(username)?.as_str().into();
        Ok(Self { inner: Arc::new(ShortTerm { username, key }), only: None })
    }
    /// It is known from elsewhere that both sides speak this kind of message integrity: no other is sent or taken (RFC
    /// 8489 section 9.1.2).
    #[must_use]
    pub const fn with_only(mut self, algorithm: IntegrityAlgorithm) -> Self {
        self.only = Some(algorithm);
        self
    }
    /// The user name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.inner.username
    }
    /// The key.
    #[must_use]
    pub fn key(&self) -> &IntegrityKey {
        &self.inner.key
    }
    pub(crate) const fn only(&self) -> Option<IntegrityAlgorithm> {
        self.only
    }
}
impl PartialEq for ShortTermCredential {
    /// Whether they are clones of one: keys are not compared.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner) && self.only == other.only
    }
}
impl Eq for ShortTermCredential {}
impl fmt::Debug for ShortTermCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShortTermCredential(..)")
    }
}

/// A long-term credential: the name and the password of a user, kept until a server names its realm, its nonce and its
/// password algorithms (RFC 8489 section 9.2). Wiped when dropped, and never printed.
///
/// ```
/// use ginnel_stun::LongTermCredential;
///
/// let user = LongTermCredential::new("user", "pass")?.with_realm("example.org");
/// assert_eq!((user.username(), user.realm()), ("user", Some("example.org")));
/// # Ok::<(), ginnel_stun::CredentialError>(())
/// ```
#[derive(Clone)]
pub struct LongTermCredential {
    inner: Arc<LongTerm>,
    realm: Option<Arc<str>>,
}
struct LongTerm {
    username: Box<str>,
    password: Zeroizing<Box<[u8]>>,
}
impl LongTermCredential {
    /// From the user name and the password, which are prepared as [`IntegrityKey::long_term`] says.
    pub fn new(username: &str, password: &str) -> Result<Self, CredentialError> {
        let username = prepared(username)?;
        // Whether the password can be prepared does not depend on the realm: better said here than by a server's 401.
        IntegrityKey::long_term(&username, "realm", password)?;
        let password = Zeroizing::new(password.as_bytes().into());
        Ok(Self { inner: Arc::new(LongTerm { username: username.as_str().into(), password }), realm: None })
    }
    /// For this realm alone: a server of another one gets neither the user's name nor anything made of the password,
    /// and the transaction fails.
    #[must_use]
    pub fn with_realm(mut self, realm: &str) -> Self {
        self.realm = Some(realm.into());
        self
    }
    /// The user name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.inner.username
    }
    /// The realm that it is for, if it is for one alone.
    #[must_use]
    pub fn realm(&self) -> Option<&str> {
        self.realm.as_deref()
    }
    /// The key in this realm; `None` for an algorithm that is not known here.
    pub(crate) fn key(
        &self,
        realm: &str,
        algorithm: Algorithm,
    ) -> Result<Option<IntegrityKey>, CredentialError> {
        let LongTerm { username, password } = &*self.inner;
        // It was text when it came.
        let Ok(password) = core::str::from_utf8(password) else { return Ok(None) };
        Ok(match algorithm {
            Algorithm::MD5 => Some(IntegrityKey::long_term(username, realm, password)?),
            Algorithm::SHA256 => Some(IntegrityKey::long_term_sha256(username, realm, password)?),
            _ => None,
        })
    }
    /// The user, unnamed (RFC 8489 section 14.4: both parts are prepared).
    pub(crate) fn user_hash(&self, realm: &str) -> Result<UserHash, CredentialError> {
        Ok(UserHash::of(self.username(), &OpaqueString::new(realm)?))
    }
}
impl PartialEq for LongTermCredential {
    /// Whether they name the same user with the same password. Passwords are compared in constant time.
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (&*self.inner, &*other.inner);
        self.realm == other.realm
            && (Arc::ptr_eq(&self.inner, &other.inner)
                || ours.username == theirs.username && bool::from(ours.password.ct_eq(&theirs.password)))
    }
}
impl Eq for LongTermCredential {}
impl fmt::Debug for LongTermCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LongTermCredential(..)")
    }
}

/// A user name as USERNAME carries it (RFC 8489 section 14.3).
fn prepared(username: &str) -> Result<OpaqueString<'_>, CredentialError> {
    let prepared = OpaqueString::new(username)?;
    match Username::new(&prepared) {
        Ok(_) => Ok(prepared),
        Err(_) => Err(CredentialError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use super::*;

    #[test]
    fn credentials_that_cannot_be_sent_are_refused_when_made() {
        let long = "x".repeat(509);
        for (name, password, why) in [
            ("", "pass", CredentialError::Empty),
            ("user", "", CredentialError::Empty),
            ("us\ner", "pass", CredentialError::ControlCharacter),
            (&long, "pass", CredentialError::TooLong),
        ] {
            assert_eq!(LongTermCredential::new(name, password), Err(why));
            assert_eq!(ShortTermCredential::new(name, password), Err(why));
        }
        assert!(LongTermCredential::new(&long[1..], "pass").is_ok());
    }

    #[cfg(feature = "precis")]
    #[test]
    fn rfc8489_14_3_texts_beyond_ascii_are_prepared_whatever_way_they_are_written() {
        // A decomposed umlaut and a space of another width, and what RFC 8265 section 4.2.2 makes of them.
        let (written, prepared) = ("mu\u{308}ller\u{3000}x", "m\u{fc}ller x");
        let (one, other) =
            (LongTermCredential::new(written, written), LongTermCredential::new(prepared, prepared));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.username(), prepared);
        assert_eq!(ShortTermCredential::new(written, written).unwrap().username(), prepared);
        for algorithm in [Algorithm::MD5, Algorithm::SHA256] {
            let [one, other] = [(&one, written), (&other, prepared)]
                .map(|(user, realm)| user.key(realm, algorithm).unwrap().unwrap().sha256(b"message", 0));
            assert_eq!(one, other);
        }
        assert_eq!(one.user_hash(written), other.user_hash(prepared));
        assert_eq!(other.user_hash(prepared), Ok(UserHash::of(prepared, prepared)));
    }

    #[cfg(not(feature = "precis"))]
    #[test]
    fn without_precis_texts_beyond_ascii_are_refused_and_not_sent_unprepared() {
        for (name, password) in [("m\u{fc}ller", "pass"), ("user", "p\u{e4}ss")] {
            assert_eq!(LongTermCredential::new(name, password), Err(CredentialError::NotAscii));
            assert_eq!(ShortTermCredential::new(name, password), Err(CredentialError::NotAscii));
        }
        let user = LongTermCredential::new("user", "pass").unwrap();
        assert_eq!(user.user_hash("m\u{fc}ller"), Err(CredentialError::NotAscii));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let (short, long) =
            (ShortTermCredential::new("alice", "s3cret"), LongTermCredential::new("alice", "s3cret"));
        let printed: String = format!("{short:?} {long:?} {:?}", Credential::from(long.clone().unwrap()));
        assert!(!printed.contains("alice") && !printed.contains("s3cret"), "{printed}");
    }

    #[test]
    fn equal_are_the_same_user_with_the_same_password() {
        let user = || LongTermCredential::new("alice", "s3cret").unwrap();
        assert_eq!(user(), user());
        assert_ne!(user(), LongTermCredential::new("alice", "s3cre7").unwrap());
        assert_ne!(user(), LongTermCredential::new("alicf", "s3cret").unwrap());
        assert_ne!(user(), user().with_realm("example.org"));
    }

    #[test]
    fn rfc8489_9_2_2_each_algorithm_has_its_key() {
        let user = LongTermCredential::new("user", "pass").unwrap();
        let of = |key: Option<IntegrityKey>| key.unwrap().sha1(b"message", 0);
        assert_eq!(
            of(user.key("realm", Algorithm::MD5).unwrap()),
            of(Some(IntegrityKey::long_term("user", "realm", "pass").unwrap()))
        );
        assert_eq!(
            of(user.key("realm", Algorithm::SHA256).unwrap()),
            of(Some(IntegrityKey::long_term_sha256("user", "realm", "pass").unwrap()))
        );
        assert!(user.key("realm", Algorithm(3)).unwrap().is_none());
    }
}
