//! Who may ask: a user and his keys, and a bounded table of users that are kept in memory.

use alloc::{boxed::Box, collections::BTreeMap, sync::Arc};
use core::fmt;

use crate::{
    attribute::{Algorithm, UserHash},
    integrity::{CredentialError, IntegrityKey},
};

/// A user: the name, its hash, and a key for each password algorithm, whose HMACs are keyed once. What is authenticated
/// shares it, so that nothing is hashed or copied for a message. Keys are wiped when dropped, and never printed.
///
/// ```
/// use ginnel_stun::auth::User;
///
/// let user = User::long_term("user", "example.org", "TheMatrIX")?;
/// assert_eq!(user.name(), "user");
/// # Ok::<(), ginnel_stun::CredentialError>(())
/// ```
#[derive(Clone)]
pub struct User {
    name: Box<str>,
    hash: UserHash,
    keys: Keys,
}
#[derive(Clone)]
enum Keys {
    ShortTerm(IntegrityKey),
    LongTerm { md5: Option<IntegrityKey>, sha256: Option<IntegrityKey> },
}
impl User {
    /// A user of the short-term mechanism (RFC 8489 section 9.1.1). The password is printable ASCII.
    pub fn short_term(name: &str, password: &str) -> Result<Self, CredentialError> {
        Ok(Self::from_short_term_key(name, IntegrityKey::short_term(password)?))
    }
    /// As [`User::short_term`], where the key is made elsewhere.
    #[must_use]
    pub fn from_short_term_key(name: &str, key: IntegrityKey) -> Self {
        // USERHASH belongs to the other mechanism: nobody is found by it here.
        Self { name: name.into(), hash: UserHash([0; 32]), keys: Keys::ShortTerm(key) }
    }
    /// A user of the long-term mechanism, with the keys of both password algorithms (RFC 8489 sections 9.2.2 and
    /// 18.5.1). `name` is as the USERNAME attribute holds it, so prepared already.
    pub fn long_term(name: &str, realm: &str, password: &str) -> Result<Self, CredentialError> {
        let md5 = IntegrityKey::long_term(name, realm, password)?;
        let sha256 = IntegrityKey::long_term_sha256(name, realm, password)?;
        Ok(Self::from_long_term_keys(name, realm, Some(md5), Some(sha256)))
    }
    /// As [`User::long_term`], where a database holds the keys and not the password. A user without the key of the
    /// algorithm that a request names is refused as one who is not known: announce only algorithms that all have.
    #[must_use]
    pub fn from_long_term_keys(
        name: &str,
        realm: &str,
        md5: Option<IntegrityKey>,
        sha256: Option<IntegrityKey>,
    ) -> Self {
        Self { name: name.into(), hash: UserHash::of(name, realm), keys: Keys::LongTerm { md5, sha256 } }
    }
    /// The name. It came from whoever configured it, or from a back end: in any case it is only data.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// What USERHASH holds instead of the name, of a user of the long-term mechanism (RFC 8489 section 14.4).
    #[must_use]
    pub const fn hash(&self) -> UserHash {
        self.hash
    }
    /// Whether he can ever be authenticated where this realm is announced, or none.
    pub(super) fn fits(&self, realm: Option<&str>) -> Result<(), AddUserError> {
        match (&self.keys, realm) {
            (Keys::ShortTerm(_), None) => Ok(()),
            (Keys::LongTerm { .. }, Some(realm)) if self.hash == UserHash::of(&self.name, realm) => Ok(()),
            (Keys::LongTerm { .. }, Some(_)) => Err(AddUserError::OtherRealm),
            _ => Err(AddUserError::OtherMechanism),
        }
    }
    /// The key for a password algorithm; a short-term key is the same for all.
    pub(super) fn key(&self, algorithm: Algorithm) -> Option<&IntegrityKey> {
        match (&self.keys, algorithm) {
            (Keys::ShortTerm(key), _) => Some(key),
            (Keys::LongTerm { md5, .. }, Algorithm::MD5) => md5.as_ref(),
            (Keys::LongTerm { sha256, .. }, Algorithm::SHA256) => sha256.as_ref(),
            (Keys::LongTerm { .. }, _) => None,
        }
    }
}
/// Names are personal data, and keys are secret: neither is printed.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User(..)")
    }
}
/// The same name under the same mechanism and realm, whatever the keys.
impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.name == other.name
    }
}
impl Eq for User {}

/// Why a user cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is room for {0} users: remove one, or configure room for more")]
pub struct TooManyUsers(pub usize);

/// Why a server does not take a user: with keys that do not fit what it asks for he would be refused for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddUserError {
    /// There is no room.
    #[error(transparent)]
    TooMany(#[from] TooManyUsers),
    /// Make his keys with the realm of the [`AuthConfig`](super::AuthConfig).
    #[error("the user's keys are for another realm")]
    OtherRealm,
    /// Make him by the constructor for the mechanism of the [`AuthConfig`](super::AuthConfig): short-term or long-term.
    #[error("the user's keys are for the other mechanism")]
    OtherMechanism,
    /// Configure the server with credentials first.
    #[error("the server asks nobody for credentials")]
    NoCredentials,
}

/// Users in memory, of one realm. The configuration bounds their number.
///
/// ```
/// use ginnel_stun::auth::{TooManyUsers, User, Users};
///
/// let mut users = Users::new(1);
/// users.insert(User::short_term("evtj:h6vY", "VOkJxbRl1RmTxUk/WvJxBt")?)?;
/// assert!(users.get("evtj:h6vY").is_some());
/// let another = User::short_term("another", "VOkJxbRl1RmTxUk/WvJxBt")?;
/// assert_eq!(users.insert(another), Err(TooManyUsers(1)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Users {
    by_name: BTreeMap<Box<str>, Arc<User>>,
    /// Of the long-term mechanism alone.
    by_hash: BTreeMap<[u8; 32], Arc<User>>,
    max: usize,
}
impl Users {
    /// Room for `max` users.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { by_name: BTreeMap::new(), by_hash: BTreeMap::new(), max }
    }
    /// Adds a user, or gives one of that name his new keys: at once, for what is authenticated from now on.
    pub fn insert(&mut self, user: User) -> Result<(), TooManyUsers> {
        self.remove(&user.name);
        if self.by_name.len() >= self.max {
            return Err(TooManyUsers(self.max));
        }
        let user = Arc::new(user);
        if let Keys::LongTerm { .. } = user.keys {
            self.by_hash.insert(user.hash.0, Arc::clone(&user));
        }
        self.by_name.insert(user.name.clone(), user);
        Ok(())
    }
    /// Removes a user. False if there is none of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let Some(user) = self.by_name.remove(name) else { return false };
        self.by_hash.remove(&user.hash.0);
        true
    }
    /// The user of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }
    /// The user whose name and realm have that hash.
    #[must_use]
    pub fn get_by_hash(&self, hash: UserHash) -> Option<&Arc<User>> {
        self.by_hash.get(&hash.0)
    }
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> User {
        User::long_term(name, "realm", "pass").unwrap()
    }

    #[test]
    fn users_are_found_by_name_and_by_hash_until_they_are_removed() {
        let mut users = Users::new(2);
        users.insert(user("a")).unwrap();
        users.insert(user("b")).unwrap();
        assert_eq!(users.insert(user("c")), Err(TooManyUsers(2)));
        // Replacing takes no room.
        users.insert(user("b")).unwrap();
        assert_eq!(users.get("a").unwrap().name(), "a");
        assert_eq!(users.get_by_hash(UserHash::of("b", "realm")).unwrap().name(), "b");
        assert!(users.get_by_hash(UserHash::of("b", "other")).is_none());
        assert!(users.remove("b") && !users.remove("b"));
        assert!(users.get("b").is_none() && users.get_by_hash(UserHash::of("b", "realm")).is_none());
        assert_eq!((users.len(), users.is_empty()), (1, false));
    }

    #[test]
    fn short_term_users_have_no_hash_to_be_found_by() {
        let mut users = Users::new(2);
        users.insert(User::short_term("a", "pass").unwrap()).unwrap();
        assert!(users.get_by_hash(UserHash([0; 32])).is_none());
    }

    #[test]
    fn nothing_of_a_user_is_printed() {
        assert_eq!(std::format!("{:?}", user("somebody")), "User(..)");
    }
}
