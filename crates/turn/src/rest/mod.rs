//! Time-limited credentials (draft-uberti-behave-turn-rest): a web service hands them out, the TURN server knows them again,
//! and all they share is a secret.
//!
//! ```text
//!  username = <when it ends, in seconds since 1970> ":" <user id>       or without the colon and what is behind it
//!  password = base64(HMAC-SHA1(secret, username))
//! ```
//!
//! [`RestSecret::credential`] is the half of the web service, [`RestSecrets::find`] that of the server. Several secrets are
//! taken at once, so that they can be changed without a pause (section 5).
//! Left out: the HTTP request and the JSON around them; and USERHASH, from which no name can be told: a server with these
//! credentials must not announce user name anonymity.

mod base64;

use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::{fmt, time::Duration};

use ginnel_stun::{
    Integrity, IntegrityKey, Message,
    attribute::{Algorithm, PasswordAlgorithm},
    auth::{Claimed, User},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use zeroize::Zeroizing;

/// How many secrets there may be: the old, the new, and some to spare. Each costs a failed request three hashes.
pub const SECRETS_MAX: usize = 16;

/// Wall-clock time: whole seconds since 1970 began, in UTC, without leap seconds. No machine has a clock: whoever has one says
/// what it shows.
///
/// ```
/// use core::time::Duration;
/// use ginnel_turn::rest::UnixTime;
///
/// assert_eq!(UnixTime(1_700_000_000) + Duration::from_secs(86_400), UnixTime(1_700_086_400));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);
impl core::ops::Add<Duration> for UnixTime {
    type Output = Self;
    /// Fractions of a second are dropped.
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_secs()))
    }
}

/// What the name of such a user says.
///
/// ```
/// use ginnel_turn::rest::{RestName, UnixTime};
///
/// let name = RestName::parse("12334939:mbzrxpgjys", ':').expect("as in the draft");
/// assert_eq!((name.expires, name.user_id), (UnixTime(12_334_939), "mbzrxpgjys"));
/// assert_eq!(RestName::parse("12334939", ':').map(|it| it.user_id), Some(""));
/// assert_eq!(RestName::parse("mbzrxpgjys", ':'), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestName<'a> {
    /// From when on nothing is allocated any more.
    pub expires: UnixTime,
    /// What the web service calls the user, or nothing. Quotas count by this, not by the whole name, which is new each time.
    pub user_id: &'a str,
}
impl<'a> RestName<'a> {
    /// Reads a USERNAME; `None` if it is not of this kind.
    #[must_use]
    pub fn parse(username: &'a str, separator: char) -> Option<Self> {
        let (expires, user_id) = username.split_once(separator).unwrap_or((username, ""));
        // `parse` alone would take "+1".
        if expires.is_empty() || !expires.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        Some(Self { expires: UnixTime(expires.parse().ok()?), user_id })
    }
    /// What stands for the user where allocations are counted: the user id, or the whole name where there is none.
    #[must_use]
    pub fn owner(username: &'a str, separator: char) -> &'a str {
        Self::parse(username, separator).map(|it| it.user_id).filter(|id| !id.is_empty()).unwrap_or(username)
    }
}

/// A credential, as the web service hands it to the client.
#[derive(Clone)]
#[non_exhaustive]
pub struct RestCredential {
    /// For USERNAME.
    pub username: String,
    /// Wiped when dropped, and never printed.
    pub password: Zeroizing<String>,
}
impl fmt::Debug for RestCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestCredential(..)")
    }
}

/// What the web service and the TURN server share. Wiped when dropped, and never printed.
///
/// ```
/// use core::time::Duration;
/// use ginnel_turn::rest::{RestSecret, UnixTime};
///
/// let now = UnixTime(1_700_000_000); // of the system's clock
/// let credential = RestSecret::new("north").credential("alice", now + Duration::from_secs(86_400));
/// assert_eq!(credential.username, "1700086400:alice");
/// assert_eq!(*credential.password, RestSecret::new("north").password("1700086400:alice"));
/// ```
#[derive(Clone)]
pub struct RestSecret {
    keyed: Arc<Hmac<Sha1>>,
}
impl RestSecret {
    /// From the octets that both sides were configured with, of any length.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        Self { keyed: Arc::new(keyed(secret.as_ref())) }
    }
    /// The half of the web service: a credential for `user_id`, which may be empty and should say nothing of who that is
    /// (section 5), until `expires`. The draft recommends a day (section 2.2).
    #[must_use]
    pub fn credential(&self, user_id: &str, expires: UnixTime) -> RestCredential {
        let username = match user_id {
            "" => format!("{}", expires.0),
            _ => format!("{}:{user_id}", expires.0),
        };
        RestCredential { password: Zeroizing::new(self.password(&username)), username }
    }
    /// The password that belongs to this user name.
    #[must_use]
    pub fn password(&self, username: &str) -> String {
        let mac = Hmac::clone(&self.keyed).chain_update(username).finalize().into_bytes();
        base64::encode(&mac)
    }
}
/// HMAC takes keys of any length, so there is no error to pass on.
fn keyed(secret: &[u8]) -> Hmac<Sha1> {
    Hmac::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&Default::default()))
}
impl fmt::Debug for RestSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestSecret(..)")
    }
}

/// There may be [`SECRETS_MAX`] secrets: leave out those that no web service uses any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there may be {SECRETS_MAX} secrets: leave out those that no web service uses any more")]
pub struct TooManySecrets;

/// The half of the TURN server: knows the users of all secrets that are in use.
///
/// ```
/// use ginnel_turn::rest::{RestSecret, RestSecrets};
///
/// let secrets = RestSecrets::new([RestSecret::new("old"), RestSecret::new("new")])?.with_separator('-');
/// assert_eq!(secrets.len(), 2);
/// # Ok::<(), ginnel_turn::rest::TooManySecrets>(())
/// ```
#[derive(Clone, Debug)]
pub struct RestSecrets {
    secrets: Vec<RestSecret>,
    separator: char,
}
impl RestSecrets {
    /// With these secrets, at most [`SECRETS_MAX`].
    pub fn new(secrets: impl IntoIterator<Item = RestSecret>) -> Result<Self, TooManySecrets> {
        let secrets: Vec<_> = secrets.into_iter().take(SECRETS_MAX + 1).collect();
        if secrets.len() > SECRETS_MAX { Err(TooManySecrets) } else { Ok(Self { secrets, separator: ':' }) }
    }
    /// With another character than a colon between time and user id, as some web services have it.
    #[must_use]
    pub const fn with_separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.secrets.len()
    }
    /// Whether there are none: then nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }
    /// What stands between time and user id.
    #[must_use]
    pub const fn separator(&self) -> char {
        self.separator
    }

    /// Who sent this request: for [`Authenticator::check_by`](ginnel_stun::auth::Authenticator::check_by), which checks the
    /// message integrity. `None` (401) if the name is not of this kind, or its time is over at `now`.
    ///
    /// Where there are several secrets the one is taken that the message integrity was made with, and any if none
    /// was: it is refused then, like any wrong password.
    /// Ask it about Allocate requests: an allocation outlives the credential it was made with, so for all other requests the
    /// user is who made the allocation (section 4.2).
    ///
    /// ```
    /// # use ginnel_core::{Instant, Path, Seed};
    /// # use ginnel_stun::{Message, auth::{AuthConfig, Authenticator, Verdict}};
    /// # use ginnel_turn::rest::{RestSecret, RestSecrets, UnixTime};
    /// # let mut auth = Authenticator::new(AuthConfig::long_term("example.org")?, Seed::new([7; 32]));
    /// # let path = Path::udp("198.51.100.1:3478".parse()?, "192.0.2.1:5000".parse()?);
    /// # let request = Message::parse(b"\x00\x03\x00\x00\x21\x12\xa4\x42transactions")?;
    /// let secrets = RestSecrets::new([RestSecret::new("north")])?;
    /// let now = UnixTime(1_700_000_000); // of the system's clock
    /// let verdict = auth.check_by(Instant::EPOCH, path, &request, |who| {
    ///     secrets.find(who, "example.org", now, &request)
    /// });
    /// assert!(matches!(verdict, Verdict::Refused(_))); // a first request
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn find(
        &self,
        who: Claimed<'_>,
        realm: &str,
        now: UnixTime,
        message: &Message<'_>,
    ) -> Option<Arc<User>> {
        let Claimed::Username(name) = who else { return None };
        let parsed = RestName::parse(name, self.separator)?;
        if now >= parsed.expires {
            return None;
        }
        let is_right = |user: &Keys| {
            let sha256 = matches!(
                message.get::<PasswordAlgorithm<'_>>(),
                Ok(Some(chosen)) if chosen.algorithm() == Algorithm::SHA256
            );
            let key = if sha256 { &user.sha256 } else { &user.md5 };
            message.integrity(key) == Integrity::Ok
        };
        let (last, others) = self.secrets.split_last()?;
        // The last one need not be tried: whether it is right is found out anyway.
        let keys = others.iter().filter_map(|secret| Keys::of(secret, name, realm)).find(is_right);
        let Keys { md5, sha256 } = keys.or_else(|| Keys::of(last, name, realm))?;
        Some(Arc::new(User::from_long_term_keys(name, realm, Some(md5), Some(sha256))))
    }
}

/// The keys of one name under one secret.
struct Keys {
    md5: IntegrityKey,
    sha256: IntegrityKey,
}
impl Keys {
    fn of(secret: &RestSecret, name: &str, realm: &str) -> Option<Self> {
        let password = Zeroizing::new(secret.password(name));
        Some(Self {
            md5: IntegrityKey::long_term(name, realm, &password).ok()?,
            sha256: IntegrityKey::long_term_sha256(name, realm, &password).ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
