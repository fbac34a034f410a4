//! How an attempt is authenticated, and what is learnt of a server from it (RFC 8489 sections 9.1 and 9.2).
//!
//! ```text
//!  no session --first request, bare (9.2.3.1)--> 401 with REALM, NONCE (9.2.5) --> session, not yet proven
//!  session --request with USERNAME or USERHASH, REALM, NONCE, algorithms--> authenticated response --> session kept
//!  session kept --later requests (9.2.3.2)--> 438 with a new NONCE --> session renewed, same key
//! ```
//!
//! A session is kept only once a response has proven that its key is the server's: a challenge is not authenticated.

use alloc::{boxed::Box, sync::Arc};
use core::net::SocketAddr;

use ginnel_core::{Instant, NoRoom, Path, Transport};

use super::{cache::Cache, event::FailureReason};
use crate::{
    attribute::{
        Algorithm, Attribute, AttributeType, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash,
        Username,
    },
    auth::SecurityFeatures,
    credential::{Credential, LongTermCredential, ShortTermCredential},
    integrity::{Integrity, IntegrityAlgorithm, IntegrityKey},
    message::{Message, TransactionId},
    writer::MessageWriter,
};

/// How one attempt is authenticated.
#[derive(Clone, Debug)]
pub(super) enum Auth {
    /// Not at all: there is no credential, or the server has not asked for it yet (RFC 8489 section 9.2.3.1).
    Bare,
    /// With a short-term credential; with one kind of message integrity, or with both while nothing is known of the server
    /// (RFC 8489 sections 9.1.2 and 9.1.5).
    ShortTerm(ShortTermCredential, Option<IntegrityAlgorithm>),
    /// With a long-term credential, as a server has asked for it.
    LongTerm(Arc<Session>),
}

/// A long-term credential with what a server said of itself: all that a request needs to be authenticated at once.
#[derive(Clone, Debug)]
pub(super) struct Session {
    credential: LongTermCredential,
    /// RFC 8489 section 9.2.5: what must be used in place of USERNAME, where the server asks for it.
    anonymous: Option<UserHash>,
    realm: Box<str>,
    nonce: Box<[u8]>,
    /// PASSWORD-ALGORITHMS as it came, to be handed back.
    offered: Option<Box<[u8]>>,
    algorithm: Algorithm,
    key: IntegrityKey,
    integrity: IntegrityAlgorithm,
}

/// Whether a response is what its request asked for (RFC 8489 sections 9.1.4 and 9.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The request had no message integrity, so there is no key to prove anything with.
    NotAsked,
    Given,
    Violated,
}

impl Auth {
    /// Adds what is before message integrity.
    pub(super) fn attributes<'p, 'b>(
        &self,
        open: MessageWriter<'p, 'b>,
    ) -> Result<MessageWriter<'p, 'b>, NoRoom> {
        match self {
            Self::Bare => Ok(open),
            Self::ShortTerm(credential, _) => username(open, credential.username()),
            Self::LongTerm(session) => session.attributes(open),
        }
    }
    /// Adds message integrity, and FINGERPRINT if it is used, and ends the message.
    pub(super) fn seal(&self, open: MessageWriter<'_, '_>, fingerprint: bool) -> Result<(), NoRoom> {
        let (key, only) = match self {
            Self::Bare if fingerprint => return open.fingerprint(),
            Self::Bare => {
                open.finish();
                return Ok(());
            }
            Self::ShortTerm(credential, only) => (credential.key(), *only),
            Self::LongTerm(session) => (&session.key, Some(session.integrity)),
        };
        let sealed = match only {
            Some(algorithm) => open.integrity_as(algorithm, key)?,
            None => open.integrity(key)?.integrity_sha256(key)?,
        };
        if fingerprint {
            sealed.fingerprint()
        } else {
            sealed.finish();
            Ok(())
        }
    }
    /// Whether a response is protected as its request was.
    pub(super) fn check(&self, response: &Message<'_>) -> Proof {
        let (key, only) = match self {
            Self::Bare => return Proof::NotAsked,
            Self::ShortTerm(credential, only) => (credential.key(), *only),
            // RFC 8489 section 9.2.5: once there are PASSWORD-ALGORITHMS, SHA-256 alone. Without them the server chooses.
            Self::LongTerm(session) => {
                (&session.key, session.offered.is_some().then_some(IntegrityAlgorithm::Sha256))
            }
        };
        let matching = only.is_none() || response.integrity_algorithm() == only;
        if matching && response.integrity(key) == Integrity::Ok { Proof::Given } else { Proof::Violated }
    }
    /// The session that it used.
    pub(super) fn session(&self) -> Option<&Session> {
        match self {
            Self::LongTerm(session) => Some(session),
            Self::Bare | Self::ShortTerm(..) => None,
        }
    }
}

impl Session {
    /// What its server has.
    fn features(&self) -> SecurityFeatures {
        SecurityFeatures::default()
            .with_password_algorithms(self.offered.is_some())
            .with_username_anonymity(self.anonymous.is_some())
    }
    fn attributes<'p, 'b>(&self, open: MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom> {
        let mut open = match &self.anonymous {
            Some(user_hash) => open.attribute(user_hash)?,
            None => username(open, self.credential.username())?,
        };
        open = open.attribute(&again::<Realm<'_>>(self.realm.as_bytes())?)?;
        open = open.attribute(&Nonce::new(&self.nonce).map_err(|_| NoRoom)?)?;
        let Some(offered) = &self.offered else { return Ok(open) };
        open = open.attribute(&again::<PasswordAlgorithms<'_>>(offered)?)?;
        open.attribute(&PasswordAlgorithm::new(self.algorithm, &[]).map_err(|_| NoRoom)?)
    }

    /// What follows from a 401, or a 438 if `stale`, to an attempt with the session `before`, of a server that is `known` to
    /// have these features (RFC 8489 section 9.2.5).
    pub(super) fn from_challenge(
        credential: &LongTermCredential,
        before: Option<&Self>,
        known: SecurityFeatures,
        stale: bool,
        error: &Message<'_>,
    ) -> Result<Self, FailureReason> {
        use FailureReason::{
            BadChallenge, BidDown, NoCommonAlgorithm, Unauthenticated, UnusableRealm, WrongRealm,
        };
        let nonce = error.get::<Nonce<'_>>().ok().flatten().ok_or(BadChallenge)?.octets();
        let realm = match (error.get::<Realm<'_>>(), before) {
            (Ok(Some(realm)), _) => realm.as_str(),
            // Section 9.2.4 wants REALM in a 438, and there is one already where it is missing.
            (Ok(None), Some(before)) if stale => &before.realm,
            _ => return Err(BadChallenge),
        };
        if credential.realm().is_some_and(|own| own != realm) {
            return Err(WrongRealm);
        }
        let offered = error.get::<PasswordAlgorithms<'_>>().map_err(|_| BadChallenge)?;
        let features = SecurityFeatures::parse(nonce).unwrap_or_default();
        // Section 9.2.1: what the nonce announces, and what there was before, does not vanish by itself.
        let before_has = before.map(Self::features).unwrap_or_default();
        let had = |of: fn(SecurityFeatures) -> bool| of(known) || of(before_has);
        if offered.is_none() && (features.password_algorithms || had(|it| it.password_algorithms))
            || !features.username_anonymity && had(|it| it.username_anonymity)
        {
            return Err(BidDown);
        }
        let algorithm = match &offered {
            None => Algorithm::MD5,
            Some(offered) => offered.iter().find_map(supported).ok_or(NoCommonAlgorithm)?,
        };
        let same = before.filter(|before| *before.realm == *realm);
        // *MUST NOT perform this retry if it is not changing* who we are.
        if !stale && same.is_some_and(|before| before.anonymous.is_some() == features.username_anonymity) {
            return Err(Unauthenticated);
        }
        let key = match same.filter(|before| before.algorithm == algorithm) {
            Some(before) => before.key.clone(),
            None => credential.key(realm, algorithm).map_err(UnusableRealm)?.ok_or(NoCommonAlgorithm)?,
        };
        let anonymous = match features.username_anonymity {
            true => Some(credential.user_hash(realm).map_err(UnusableRealm)?),
            false => None,
        };
        let integrity = match &offered {
            Some(_) => IntegrityAlgorithm::Sha256,
            None => same.map_or(IntegrityAlgorithm::Sha1, |before| before.integrity),
        };
        Ok(Self {
            credential: credential.clone(),
            anonymous,
            realm: realm.into(),
            nonce: nonce.into(),
            offered: offered
                .and_then(|_| value_of(error, AttributeType::PASSWORD_ALGORITHMS))
                .map(Into::into),
            algorithm,
            key,
            integrity,
        })
    }
}

/// RFC 8489 section 9.2.5: the nonce announces password algorithms, and they are not there.
pub(super) fn is_bid_down(message: &Message<'_>) -> bool {
    let nonce = value_of(message, AttributeType::NONCE).and_then(SecurityFeatures::parse);
    nonce.is_some_and(|features| features.password_algorithms)
        && !message.has(AttributeType::PASSWORD_ALGORITHMS)
}

fn username<'p, 'b>(open: MessageWriter<'p, 'b>, name: &str) -> Result<MessageWriter<'p, 'b>, NoRoom> {
    // Its length was checked when the credential was made.
    open.attribute(&Username::new(name).map_err(|_| NoRoom)?)
}
/// An attribute that a server sent, to be sent back as it is, though it may be longer than ours would be.
fn again<'a, A: Attribute<'a>>(value: &'a [u8]) -> Result<A, NoRoom> {
    A::parse(value, TransactionId::new([0; 12])).map_err(|_| NoRoom)
}
fn value_of<'a>(message: &Message<'a>, kind: AttributeType) -> Option<&'a [u8]> {
    message.attributes().find(|raw| raw.kind == kind).map(|raw| raw.value)
}
/// The algorithms that a key can be made with here. Neither has parameters (RFC 8489 section 18.5.1).
fn supported(offered: PasswordAlgorithm<'_>) -> Option<Algorithm> {
    let known = matches!(offered.algorithm(), Algorithm::MD5 | Algorithm::SHA256);
    (known && offered.parameters().is_empty()).then_some(offered.algorithm())
}

/// What authenticated responses taught of servers.
#[derive(Debug)]
pub(super) struct Learnt(Cache<Key, Lesson>);
/// By server first, so that what belongs to one stands together. A nonce is for one source address alone (RFC 8489 section
/// 9.2.4), so each path has its own session.
type Key = (SocketAddr, Transport, Option<SocketAddr>);
#[derive(Debug)]
enum Lesson {
    /// RFC 8489 section 9.1.5: which of the two it answered a short-term credential with.
    ShortTerm(ShortTermCredential, IntegrityAlgorithm),
    LongTerm(Arc<Session>),
    /// A session that was refused. The next request begins anew, but a refusal is not authenticated: whoever forged it is
    /// not to gain a challenge without the features that the server has shown (section 9.2.1).
    Refused(SecurityFeatures),
}
impl Learnt {
    pub(super) const fn new(max: usize) -> Self {
        Self(Cache::new(max))
    }
    /// Of how many paths something is known.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
    /// How to authenticate on `path` with what is known.
    pub(super) fn auth(&self, path: &Path, credential: Option<&Credential>) -> Auth {
        match credential {
            None => Auth::Bare,
            Some(Credential::ShortTerm(own)) => {
                let learnt = || match self.lesson(path)? {
                    Lesson::ShortTerm(theirs, algorithm) if theirs == own => Some(*algorithm),
                    _ => None,
                };
                Auth::ShortTerm(own.clone(), own.only().or_else(learnt))
            }
            Some(Credential::LongTerm(own)) => match self.lesson(path) {
                Some(Lesson::LongTerm(session)) if session.credential == *own => {
                    Auth::LongTerm(session.clone())
                }
                _ => Auth::Bare,
            },
        }
    }
    /// A response that `auth` asked for was authenticated.
    pub(super) fn learn(&mut self, now: Instant, path: &Path, auth: &Auth, response: &Message<'_>) {
        let Some(integrity) = response.integrity_algorithm() else { return };
        let lesson = match auth {
            Auth::Bare => return,
            Auth::ShortTerm(credential, _) => Lesson::ShortTerm(credential.clone(), integrity),
            Auth::LongTerm(session) if session.integrity == integrity => Lesson::LongTerm(session.clone()),
            // RFC 8489 section 9.2.3.2: the choice depends on what the response bore.
            Auth::LongTerm(session) => {
                Lesson::LongTerm(Arc::new(Session { integrity, ..(**session).clone() }))
            }
        };
        self.0.put(now, key(path), lesson);
    }
    /// What was kept for this path was refused: it is used no more on it, be it that of another path.
    pub(super) fn refuse(&mut self, now: Instant, path: &Path) {
        if let Some(Lesson::LongTerm(_)) = self.lesson(path) {
            let features = self.features(path);
            self.0.put(now, key(path), Lesson::Refused(features));
        }
    }
    /// What the server has shown, authenticated, of its features.
    pub(super) fn features(&self, path: &Path) -> SecurityFeatures {
        match self.lesson(path) {
            Some(Lesson::LongTerm(session)) => session.features(),
            Some(Lesson::Refused(features)) => *features,
            Some(Lesson::ShortTerm(..)) | None => SecurityFeatures::default(),
        }
    }
    /// That of the path, or, since it is one server to RFC 8489 section 9.2.3, that of another path to it.
    fn lesson(&self, path: &Path) -> Option<&Lesson> {
        if let Some((_, lesson)) = self.0.get(&key(path)) {
            return Some(lesson);
        }
        let ((remote, transport, _), lesson) = self.0.first_from(&(path.remote, path.transport, None))?;
        (*remote == path.remote && *transport == path.transport).then_some(lesson)
    }
}
fn key(path: &Path) -> Key {
    (path.remote, path.transport, Some(path.local))
}
