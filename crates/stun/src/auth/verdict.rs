//! What an authenticator says, and the answers to those it refuses.

use alloc::{boxed::Box, sync::Arc};

use ginnel_core::{NoRoom, Packet, Ticket};

use crate::{
    attribute::{Algorithm, Attribute, ErrorCode, Nonce, PasswordAlgorithms, Realm, UserHash},
    auth::{AuthConfig, MadeNonce, User},
    integrity::IntegrityAlgorithm,
    message::{Class, HEADER_LEN, Method, TransactionId},
    writer::{MessageWriter, SealedSha256},
};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It is genuine: go on, and seal every answer, errors too, with [`Authenticated::seal`].
    Authenticated(Authenticated),
    /// Answer by [`Authenticator::refuse`](super::Authenticator::refuse).
    Refused(Refusal),
    /// Its user is being looked up: do nothing now.
    LookingUp(Ticket),
    /// Do nothing: there were too many of its kind, or it is an indication that failed.
    Discarded,
}

/// A request whose sender is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    pub(super) user: Arc<User>,
    pub(super) algorithm: Algorithm,
    pub(super) reply: IntegrityAlgorithm,
}
impl Authenticated {
    /// Who sent it. Keep the reference to compare with who sends the next (441 of RFC 8656 section 5), and to spare the
    /// next look-up (see [`Authenticator::check_known`](super::Authenticator::check_known)).
    #[must_use]
    pub const fn user(&self) -> &Arc<User> {
        &self.user
    }
    /// Which message integrity the answer bears (RFC 8489 sections 9.1.3 and 9.2.4).
    #[must_use]
    pub const fn reply_algorithm(&self) -> IntegrityAlgorithm {
        self.reply
    }
    /// Ends the attributes of an answer with its message integrity.
    pub fn seal<'p, 'a>(
        &self,
        open: MessageWriter<'p, 'a>,
    ) -> Result<MessageWriter<'p, 'a, SealedSha256>, NoRoom> {
        // A user without this key was not authenticated by it.
        let key = self.user.key(self.algorithm).ok_or(NoRoom)?;
        open.integrity_as(self.reply, key)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalKind {
    BadRequest,
    Unauthenticated,
    Stale,
}

/// An answer to somebody who is not known: small, since nobody knows to whom it goes. No reason phrase, no SOFTWARE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Refusal {
    pub(super) kind: RefusalKind,
    pub(super) method: Method,
    pub(super) transaction_id: TransactionId,
    /// Of a challenge of the long-term mechanism.
    pub(super) nonce: Option<MadeNonce>,
    pub(super) fingerprint: RefusalFingerprint,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalFingerprint {
    None,
    IfItFits,
    Always,
}
/// `SECURITY.md`: what a challenge may measure beside its realm and its nonce, in octets.
const CHALLENGE_MAX: usize = 48;
/// Octets of a FINGERPRINT.
const FINGERPRINT_LEN: usize = 8;
impl Refusal {
    /// 400, 401 or 438.
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode<'static> {
        match self.kind {
            RefusalKind::BadRequest => ErrorCode::BAD_REQUEST,
            RefusalKind::Unauthenticated => ErrorCode::UNAUTHENTICATED,
            RefusalKind::Stale => ErrorCode::STALE_NONCE,
        }
    }
    /// With FINGERPRINT where there is room for it: beside PASSWORD-ALGORITHMS there is none in the 48 octets that
    /// `SECURITY.md` allows a challenge.
    pub const fn with_fingerprint(mut self, asked: bool) -> Self {
        self.fingerprint = if asked { RefusalFingerprint::IfItFits } else { RefusalFingerprint::None };
        self
    }
    /// With FINGERPRINT in any case: for a port that STUN shares, where an answer without one is not taken for STUN. Beside
    /// PASSWORD-ALGORITHMS a challenge then has 52 to 55 octets and its realm and nonce, and no fewer are possible: 20 of the
    /// header, 8 of ERROR-CODE, 4 and 4 before realm and nonce, 8 of the list, 8 of FINGERPRINT, and the realm's padding.
    /// Its request has 8 more than others, so that it amplifies less than theirs.
    pub const fn with_fingerprint_always(mut self) -> Self {
        self.fingerprint = RefusalFingerprint::Always;
        self
    }
    pub(super) fn write(&self, config: &AuthConfig, packet: &mut Packet<'_>) -> Result<(), NoRoom> {
        let open = MessageWriter::new(packet, Class::Error, self.method, self.transaction_id)?;
        let mut open = open.attribute(&self.error_code())?;
        let (mut len, mut allowed) = (HEADER_LEN + 8, CHALLENGE_MAX);
        if let (Some(nonce), Some(realm)) = (&self.nonce, config.realm()) {
            // Both were made here, and are short and legal.
            let realm = Realm::new(realm).map_err(|_| NoRoom)?;
            let nonce = Nonce::new(nonce.octets()).map_err(|_| NoRoom)?;
            let list = PasswordAlgorithms::new(config.announced().list());
            let (realm_len, nonce_len) = (realm.encoded_len(), nonce.encoded_len());
            allowed += realm_len + nonce_len;
            len += 4 + realm_len.next_multiple_of(4) + 4 + nonce_len.next_multiple_of(4);
            open = open.attribute(&realm)?.attribute(&nonce)?;
            if config.features().password_algorithms {
                len += 4 + list.encoded_len();
                open = open.attribute(&list)?;
            }
        }
        let fingerprint = match self.fingerprint {
            RefusalFingerprint::None => false,
            RefusalFingerprint::IfItFits => len + FINGERPRINT_LEN <= allowed,
            RefusalFingerprint::Always => true,
        };
        if fingerprint {
            open.fingerprint()?
        } else {
            open.finish()
        }
        Ok(())
    }
}

/// What an authenticator asks of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthEvent {
    /// Look this user up, and call [`Authenticator::answer`](super::Authenticator::answer) with this ticket.
    LookUp {
        /// Which request it is for.
        ticket: Ticket,
        /// Who.
        who: Who,
    },
}

/// Whom a request says it is from. It comes from anybody, and holds anything: quotes, control characters, NUL, what a shell
/// or a database takes for its own. Bind it as a parameter, and never paste it into a command or a log.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who {
    /// USERNAME: up to 763 octets.
    Username(Box<str>),
    /// USERHASH (RFC 8489 section 14.4): a database that is to find it holds SHA-256(username ":" realm) of its users.
    UserHash(UserHash),
}
/// On one line, whatever the name holds.
impl core::fmt::Debug for Who {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Username(_) => f.write_str("Username(..)"),
            Self::UserHash(_) => f.write_str("UserHash(..)"),
        }
    }
}

/// As [`Who`], while the request is being judged: what [`Authenticator::check_by`](super::Authenticator::check_by) asks
/// about.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claimed<'a> {
    /// USERNAME: up to 763 octets, which may be anything.
    Username(&'a str),
    /// USERHASH (RFC 8489 section 14.4).
    UserHash(UserHash),
}
impl Claimed<'_> {
    /// Whether it is this user's name, or the hash of it.
    #[must_use]
    pub fn is(self, user: &User) -> bool {
        match self {
            Self::Username(name) => user.name() == name,
            Self::UserHash(hash) => user.hash() == hash,
        }
    }
}
/// On one line, whatever the name holds.
impl core::fmt::Debug for Claimed<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Username(_) => f.write_str("Username(..)"),
            Self::UserHash(_) => f.write_str("UserHash(..)"),
        }
    }
}

/// Counters of an authenticator, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthStats {
    /// Requests that were genuine.
    pub authenticated: u64,
    /// Refused with 400.
    pub bad_requests: u64,
    /// Refused with 401: first requests without message integrity are among them, and wrong credentials.
    pub unauthenticated: u64,
    /// Requests with message integrity whose user is not known, or whose integrity is wrong; answered or not.
    pub wrong_credentials: u64,
    /// Refused with 438.
    pub stale: u64,
    /// Not refused but dropped, because their source had too many refusals.
    pub limited: u64,
    /// Indications that failed.
    pub indications_discarded: u64,
    /// Look-ups that were asked for by event.
    pub look_ups: u64,
    /// Requests that were too long to wait for a look-up, or had to go for newer ones.
    pub look_ups_dropped: u64,
}
