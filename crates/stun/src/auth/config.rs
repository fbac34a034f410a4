//! What an authenticator can be told.

use alloc::boxed::Box;
use core::time::Duration;

use crate::{
    attribute::{PasswordAlgorithm, Realm},
    auth::{NonceKey, RateLimit, SecurityFeatures},
};

/// How long a realm may be, in octets, so that a challenge fits wherever an answer does. RFC 8489 section 14.9 has fewer than
/// 128 characters, of up to four octets each.
pub const REALM_MAX: usize = 127;

/// Why a realm cannot be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RealmError {
    /// Give the realm a name: best the domain name of the provider (RFC 8489 section 9.2.4).
    #[error("a realm is empty")]
    Empty,
    /// Shorten it.
    #[error("a realm is longer than {REALM_MAX} octets")]
    TooLong,
    /// Leave out quotes, backslashes and control characters (RFC 8489 section 14.9: an unquoted realm-value).
    #[error("a realm has a quote, a backslash or a control character")]
    Character,
}

/// What PASSWORD-ALGORITHMS lists (RFC 8489 section 14.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnnouncedAlgorithms {
    /// Nothing, as a server of RFC 5389: all keys are MD5, and what protects a message is HMAC-SHA1.
    None,
    /// SHA-256 alone. Clients of RFC 5389 ignore the list and go on using MD5, as RFC 8489 section 9.2.4 has it.
    #[default]
    Sha256,
    /// SHA-256, and MD5 for clients that read the list and know only that. A challenge is 4 octets longer: with a realm
    /// whose length is no multiple of four, up to three beyond what `SECURITY.md` allows.
    Sha256AndMd5,
}
impl AnnouncedAlgorithms {
    pub(super) const fn list(self) -> &'static [PasswordAlgorithm<'static>] {
        match self {
            Self::None => &[],
            Self::Sha256 => &[PasswordAlgorithm::SHA256],
            Self::Sha256AndMd5 => &[PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5],
        }
    }
}

/// Where users are looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookUp {
    /// In memory: see [`Authenticator::add_user`](super::Authenticator::add_user).
    #[default]
    InMemory,
    /// Wherever the user of this crate has them: each request is an event with a ticket, and waits for
    /// [`Authenticator::answer`](super::Authenticator::answer).
    ByEvent {
        /// Requests that wait at once, of at most [`WAITING_OCTETS_MAX`] octets each. When there are more the oldest go.
        max_waiting: usize,
    },
}
/// What a request that waits for a look-up may measure, in octets: as much as a packet of a driver holds.
pub const WAITING_OCTETS_MAX: usize = 1280;

/// Which mechanism of RFC 8489 section 9.
#[derive(Clone, Debug)]
pub(super) enum Mechanism {
    ShortTerm,
    LongTerm {
        realm: Box<str>,
        announced: AnnouncedAlgorithms,
        username_anonymity: bool,
        nonce_period: Duration,
        nonce_key: Option<(NonceKey, Duration)>,
    },
}

/// How an [`Authenticator`](super::Authenticator) works.
///
/// ```
/// use ginnel_stun::auth::{AnnouncedAlgorithms, AuthConfig};
///
/// let config = AuthConfig::long_term("example.org")?.with_algorithms(AnnouncedAlgorithms::Sha256AndMd5);
/// assert_eq!(config.realm(), Some("example.org"));
/// assert!(AuthConfig::long_term("an \"other\"").is_err());
/// # Ok::<(), ginnel_stun::auth::RealmError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AuthConfig {
    pub(super) mechanism: Mechanism,
    pub(super) look_up: LookUp,
    pub(super) max_users: usize,
    pub(super) challenge_limit: Option<RateLimit>,
}
impl AuthConfig {
    /// The short-term mechanism (RFC 8489 section 9.1): no challenge, so passwords must not live long.
    #[must_use]
    pub fn short_term() -> Self {
        Self::of(Mechanism::ShortTerm)
    }
    /// The long-term mechanism in this realm (RFC 8489 section 9.2), with SHA-256 announced, and nonces that live for half
    /// an hour or a little more.
    pub fn long_term(realm: &str) -> Result<Self, RealmError> {
        if realm.is_empty() {
            return Err(RealmError::Empty);
        }
        if realm.len() > REALM_MAX {
            return Err(RealmError::TooLong);
        }
        // What no REALM may hold could not be written, and nobody would ever be challenged.
        if Realm::new(realm).is_err() || realm.chars().any(|it| it.is_control() || it == '"' || it == '\\') {
            return Err(RealmError::Character);
        }
        Ok(Self::of(Mechanism::LongTerm {
            realm: realm.into(),
            announced: AnnouncedAlgorithms::default(),
            username_anonymity: false,
            // RFC 8656 section 5: a nonce expires at least once every hour during the lifetime of an allocation.
            nonce_period: Duration::from_secs(1800),
            nonce_key: None,
        }))
    }
    fn of(mechanism: Mechanism) -> Self {
        Self {
            mechanism,
            look_up: LookUp::default(),
            max_users: 100_000,
            challenge_limit: Some(RateLimit { per_second: 20, burst: 100, buckets: 1 << 14 }),
        }
    }
    /// With another list of password algorithms. Nothing for short-term credentials, which have none.
    #[must_use]
    pub const fn with_algorithms(mut self, algorithms: AnnouncedAlgorithms) -> Self {
        if let Mechanism::LongTerm { announced, .. } = &mut self.mechanism {
            *announced = algorithms;
        }
        self
    }
    /// With clients asked for USERHASH instead of USERNAME, or not (RFC 8489 section 9.2.4). Either is taken.
    #[must_use]
    pub const fn with_username_anonymity(mut self, asked: bool) -> Self {
        if let Mechanism::LongTerm { username_anonymity, .. } = &mut self.mechanism {
            *username_anonymity = asked;
        }
        self
    }
    /// With nonces that live at least as long as `period`, and less than twice as long. At least a second; a TURN server should
    /// take half an hour at the most, so that none lives for an hour (RFC 8656 section 5).
    #[must_use]
    pub const fn with_nonce_period(mut self, period: Duration) -> Self {
        if let Mechanism::LongTerm { nonce_period, .. } = &mut self.mechanism {
            *nonce_period = period;
        }
        self
    }
    /// With nonces under this key instead of one from the seed: several servers that share key, realm, period,
    /// announcements and a clock take each other's nonces, and a server that comes back takes its own.
    ///
    /// `clock_at_zero` is what the clock that they share said at the zero of this server's time: in production how long
    /// after 1970 that was. It must not begin anew while the key is in use: under the same key and clock, nonces that
    /// expired long ago would be valid again, and with them requests that somebody recorded.
    #[must_use]
    pub fn with_nonce_key(mut self, key: NonceKey, clock_at_zero: Duration) -> Self {
        if let Mechanism::LongTerm { nonce_key, .. } = &mut self.mechanism {
            *nonce_key = Some((key, clock_at_zero));
        }
        self
    }
    /// With users looked up elsewhere.
    #[must_use]
    pub const fn with_look_up(mut self, look_up: LookUp) -> Self {
        self.look_up = look_up;
        self
    }
    /// With room for so many users in memory.
    #[must_use]
    pub const fn with_max_users(mut self, max: usize) -> Self {
        self.max_users = max;
        self
    }
    /// With another limit for refusals (400, 401 and 438) over datagrams to each source, or without one: then something
    /// in front of the server must bound them.
    #[must_use]
    pub const fn with_challenge_limit(mut self, limit: Option<RateLimit>) -> Self {
        self.challenge_limit = limit;
        self
    }
    /// The realm of the long-term mechanism.
    #[must_use]
    pub fn realm(&self) -> Option<&str> {
        match &self.mechanism {
            Mechanism::ShortTerm => None,
            Mechanism::LongTerm { realm, .. } => Some(realm),
        }
    }
    /// What nonces announce.
    pub(super) fn features(&self) -> SecurityFeatures {
        match self.mechanism {
            Mechanism::ShortTerm => SecurityFeatures::default(),
            Mechanism::LongTerm { announced, username_anonymity, .. } => SecurityFeatures::default()
                .with_password_algorithms(!announced.list().is_empty())
                .with_username_anonymity(username_anonymity),
        }
    }
    pub(super) fn announced(&self) -> AnnouncedAlgorithms {
        match self.mechanism {
            Mechanism::ShortTerm => AnnouncedAlgorithms::None,
            Mechanism::LongTerm { announced, .. } => announced,
        }
    }
}
