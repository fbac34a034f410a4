//! The server's half of both mechanisms (RFC 8489 sections 9.1.3 and 9.2.4): who sent this request, or what to answer him.
//!
//! ```text
//!  long-term                                               short-term
//!  no message integrity                       -> 401       -> 400
//!  USERNAME and USERHASH, REALM or NONCE missing -> 400    no USERNAME -> 400
//!  PASSWORD-ALGORITHM(S) against the rules    -> 400
//!  user not known                             -> 401       -> 401
//!  message integrity wrong                    -> 401       -> 401
//!  nonce not valid                            -> 438
//! ```
//!
//! The checks are made in this order, which is the RFC's. Of what is beside the order:
//! - A user who is not known costs what one costs who is: the message is checked against a key that nobody has, and the
//!   answer is the same.
//! - Where users are looked up elsewhere, the nonce is checked before anybody is asked: else everybody who can name a
//!   source could have a back end work for him. There, a request with a bad nonce is answered 438 whoever sent it.
//! - What PASSWORD-ALGORITHMS has to equal is the list that went with the nonce (section 9.2.4). A nonce that is not
//!   valid here went with a list that nobody knows, such as the one before the configuration changed: so its sender
//!   is told that it is stale, and learns the new list, where a 400 would leave him without an answer he may believe.
//! - Nothing is kept for anybody who is not authenticated, but for the bounded queue of those who are looked up.

use alloc::sync::Arc;

use ginnel_core::{Instant, NoRoom, Packet, Path, Seed, Ticket, Transport};

use crate::{
    attribute::{Algorithm, Nonce, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash, Username},
    auth::{
        AddUserError, AuthConfig, AuthEvent, AuthStats, Authenticated, LookUp, NonceKey, Nonces, RateLimiter,
        Refusal, User, Users, Verdict, Who,
        config::{Mechanism, WAITING_OCTETS_MAX},
        pending::{Pending, Queued},
        verdict::{Claimed, RefusalFingerprint, RefusalKind},
    },
    integrity::{Integrity, IntegrityAlgorithm, IntegrityKey},
    message::{Class, Message},
};

/// Authenticates requests, for a server of any method: [`BindingServer`](crate::BindingServer) has one inside.
///
/// | kind | verbs |
/// |---|---|
/// | tell | [`check`](Self::check), [`check_known`](Self::check_known), [`check_by`](Self::check_by), [`answer`](Self::answer), [`rotate_nonce_key`](Self::rotate_nonce_key), [`add_user`](Self::add_user), [`remove_user`](Self::remove_user), [`close`](Self::close) |
/// | ask | [`poll_event`](Self::poll_event), [`poll_answered`](Self::poll_answered) |
/// | look | [`config`](Self::config), [`users`](Self::users), [`waiting`](Self::waiting), [`stats`](Self::stats) |
///
/// Its owner asks it about each request, and answers as the [`Verdict`] says. Where users are looked up elsewhere
/// ([`LookUp::ByEvent`]), the owner also passes on events, and drains [`poll_answered`](Self::poll_answered) in its own
/// `poll_transmit`.
///
/// ```
/// use ginnel_core::{Instant, Packet, Path, Seed};
/// use ginnel_stun::auth::{AuthConfig, Authenticator, User, Verdict};
/// use ginnel_stun::{Message, attribute::{ErrorCode, Nonce, Realm}};
///
/// let mut auth = Authenticator::new(AuthConfig::long_term("example.org")?, Seed::new([7; 32]));
/// auth.add_user(User::long_term("user", "example.org", "pass")?)?;
///
/// let path = Path::udp("198.51.100.1:3478".parse()?, "192.0.2.1:5000".parse()?);
/// let request = Message::parse(b"\x00\x03\x00\x00\x21\x12\xa4\x42transactions")?; // nobody says so
/// let Verdict::Refused(refusal) = auth.check(Instant::EPOCH, path, &request) else { panic!("a stranger") };
///
/// let mut buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buffer);
/// auth.refuse(&refusal, &mut packet)?;
/// let challenge = Message::parse(packet.bytes())?;
/// assert_eq!(challenge.get::<ErrorCode<'_>>()?, Some(ErrorCode::UNAUTHENTICATED));
/// assert_eq!(challenge.get::<Realm<'_>>()?.map(|it| it.as_str()), Some("example.org"));
/// assert!(challenge.get::<Nonce<'_>>()?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Authenticator {
    config: AuthConfig,
    users: Users,
    nonces: Nonces,
    limiter: Option<RateLimiter>,
    pending: Pending,
    /// Stands in for users who are not known. Its keys are nobody's.
    dummy: Arc<User>,
    stats: AuthStats,
}

/// What a request says about its sender.
#[derive(Clone, Copy)]
struct Claim<'a> {
    who: Claimed<'a>,
    /// It names our realm, or none is needed.
    in_realm: bool,
    algorithm: Algorithm,
    reply: IntegrityAlgorithm,
    fresh: bool,
}
impl Authenticator {
    /// One that knows nobody yet. The seed gives the nonces, their key unless the configuration has one, and the key of
    /// the rate limit.
    #[must_use]
    pub fn new(config: AuthConfig, seed: Seed) -> Self {
        let (key, period) = match &config.mechanism {
            Mechanism::LongTerm { nonce_key, nonce_period, .. } => (nonce_key.clone(), *nonce_period),
            Mechanism::ShortTerm => (None, core::time::Duration::ZERO),
        };
        let (key, clock) = key.unwrap_or_else(|| {
            (NonceKey::from_seed(seed.fork("stun nonce key")), core::time::Duration::ZERO)
        });
        let nonces = Nonces::new(key, period, config.features(), seed.fork("stun nonces"));
        let nonces = nonces.with_clock_at_zero(clock);
        let limiter =
            config.challenge_limit.map(|limit| RateLimiter::new(limit, seed.fork("stun refusal limit")));
        let nobody = IntegrityKey::from_octets(&seed.fork("stun nobody").into_rng().octets::<32>());
        let dummy = User::from_long_term_keys("", "", Some(nobody.clone()), Some(nobody));
        let max_waiting = match config.look_up {
            LookUp::InMemory => 0,
            LookUp::ByEvent { max_waiting } => max_waiting,
        };
        Self {
            users: Users::new(config.max_users),
            nonces,
            limiter,
            pending: Pending::new(max_waiting),
            dummy: Arc::new(dummy),
            stats: AuthStats::default(),
            config,
        }
    }

    /// Judges a request. `message` came on `path`, and its fingerprint, if there is one, was checked.
    ///
    /// An indication is judged where the mechanism is short-term, and [`Verdict::Discarded`] if it fails; long-term
    /// credentials cannot protect indications (RFC 8489 section 9.2).
    pub fn check(&mut self, now: Instant, path: Path, message: &Message<'_>) -> Verdict {
        self.check_known(now, path, message, None)
    }
    /// As [`check`](Self::check), where the owner knows already who is likely to ask on this path, such as the
    /// user of an allocation: if it is he, and he is looked up [by event](LookUp::ByEvent), he is not asked for again. If
    /// it is somebody else he is looked up: so compare [`Authenticated::user`] afterwards. Users in memory are found there
    /// in any case.
    ///
    /// Whoever is known is known with the keys he had: when a back end takes a user back, or gives him another password,
    /// forget the reference, and the next request is looked up. One that [`remove_user`](Self::remove_user) or
    /// [`add_user`](Self::add_user) takes out of memory is taken back at once, known or not.
    pub fn check_known(
        &mut self,
        now: Instant,
        path: Path,
        message: &Message<'_>,
        known: Option<&Arc<User>>,
    ) -> Verdict {
        let claim = match self.claim(now, path, message) {
            Ok(claim) => claim,
            Err(kind) => return self.refusal(now, path, message, kind),
        };
        match self.config.look_up {
            LookUp::InMemory => {
                let user = self.in_memory(claim.who);
                self.decide(now, path, message, &claim, user)
            }
            LookUp::ByEvent { .. } if !claim.fresh => self.refusal(now, path, message, RefusalKind::Stale),
            LookUp::ByEvent { .. } if !claim.in_realm => self.decide(now, path, message, &claim, None),
            LookUp::ByEvent { .. } => match known.filter(|user| is_from(message, &claim, user)) {
                Some(user) => self.authenticated(&claim, Arc::clone(user)),
                None => self.look_up(now, path, message),
            },
        }
    }
    /// As [`check`](Self::check), where `find` says at once who that is: keys that are computed from the name (TURN REST), or
    /// a table that is shared. It is asked only about who names our realm and has a nonce that is valid, so that it does
    /// not work for everybody who can name a source; whoever has a bad nonce is answered 438. Users in memory come first, so
    /// that a few of them can stand beside those that are computed; events are not used.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use ginnel_core::{Instant, Path, Seed};
    /// # use ginnel_stun::{Message, auth::{AuthConfig, Authenticator, Claimed, User, Verdict}};
    /// # let mut auth = Authenticator::new(AuthConfig::long_term("example.org")?, Seed::new([7; 32]));
    /// # let path = Path::udp("198.51.100.1:3478".parse()?, "192.0.2.1:5000".parse()?);
    /// # let request = Message::parse(b"\x00\x03\x00\x00\x21\x12\xa4\x42transactions")?;
    /// let table = [Arc::new(User::long_term("user", "example.org", "pass")?)];
    /// let verdict = auth.check_by(Instant::EPOCH, path, &request, |who| {
    ///     table.iter().find(|user| who.is(user)).map(Arc::clone)
    /// });
    /// assert!(matches!(verdict, Verdict::Refused(_))); // a first request
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check_by(
        &mut self,
        now: Instant,
        path: Path,
        message: &Message<'_>,
        find: impl FnOnce(Claimed<'_>) -> Option<Arc<User>>,
    ) -> Verdict {
        match self.claim(now, path, message) {
            Err(kind) => self.refusal(now, path, message, kind),
            Ok(claim) if !claim.fresh => self.refusal(now, path, message, RefusalKind::Stale),
            Ok(claim) => {
                let found = |who| self.in_memory(who).or_else(|| find(who));
                let user = if claim.in_realm { found(claim.who) } else { None };
                let user = user.filter(|user| claim.who.is(user));
                self.decide(now, path, message, &claim, user)
            }
        }
    }
    /// Whether a request bears a nonce that was made for whoever is at the other end of `path` and has not expired: so that he
    /// can receive there what was sent to him. It says nothing about who he is.
    #[must_use]
    pub fn has_fresh_nonce(&self, now: Instant, path: Path, message: &Message<'_>) -> bool {
        let nonce = message.get::<Nonce<'_>>().ok().flatten();
        nonce.is_some_and(|nonce| self.nonces.is_valid(now, path, nonce.octets()))
    }
    fn in_memory(&self, who: Claimed<'_>) -> Option<Arc<User>> {
        let user = match who {
            Claimed::Username(name) => self.users.get(name),
            Claimed::UserHash(hash) => self.users.get_by_hash(hash),
        };
        user.map(Arc::clone)
    }
    /// RFC 8489 sections 9.1.3 and 9.2.4, up to where a user is needed.
    fn claim<'m>(&self, now: Instant, path: Path, message: &Message<'m>) -> Result<Claim<'m>, RefusalKind> {
        // SECURITY.md case 9: a text that is longer than a receiver need read makes the request malformed. So does one
        // that is not UTF-8.
        let malformed = |_| RefusalKind::BadRequest;
        let username = message.get::<Username<'_>>().map_err(malformed)?;
        let realm = message.get::<Realm<'_>>().map_err(malformed)?;
        let nonce = message.get::<Nonce<'_>>().map_err(malformed)?;
        let integrity = message.integrity_algorithm();
        let username = username.map(|it| Claimed::Username(it.as_str()));
        let Mechanism::LongTerm { realm: ours, .. } = &self.config.mechanism else {
            let (Some(reply), Some(who)) = (integrity, username) else { return Err(RefusalKind::BadRequest) };
            return Ok(Claim { who, in_realm: true, algorithm: Algorithm::MD5, reply, fresh: true });
        };
        if integrity.is_none() {
            return Err(RefusalKind::Unauthenticated);
        }
        let hash = message.get::<UserHash>().map_err(malformed)?;
        let who = username.or(hash.map(Claimed::UserHash));
        let (Some(who), Some(realm), Some(nonce)) = (who, realm, nonce) else {
            return Err(RefusalKind::BadRequest);
        };
        let fresh = self.nonces.is_valid(now, path, nonce.octets());
        let chosen = self.password_algorithm(message, nonce, fresh)?;
        Ok(Claim {
            who,
            in_realm: realm.as_str() == &**ours,
            algorithm: chosen.unwrap_or(Algorithm::MD5),
            // RFC 8489 section 9.2.4, its last paragraph.
            reply: if chosen.is_some() { IntegrityAlgorithm::Sha256 } else { IntegrityAlgorithm::Sha1 },
            fresh,
        })
    }
    /// RFC 8489 section 9.2.4: which password algorithm; `None` for a client that knows of none, whose key is MD5.
    fn password_algorithm(
        &self,
        message: &Message<'_>,
        nonce: Nonce<'_>,
        fresh: bool,
    ) -> Result<Option<Algorithm>, RefusalKind> {
        let announced =
            super::SecurityFeatures::parse(nonce.octets()).is_some_and(|it| it.password_algorithms);
        if !announced {
            return Ok(None);
        }
        let malformed = |_| RefusalKind::BadRequest;
        let list = message.get::<PasswordAlgorithms<'_>>().map_err(malformed)?;
        let chosen = message.get::<PasswordAlgorithm<'_>>().map_err(malformed)?;
        match (list, chosen) {
            (None, None) => Ok(None),
            (Some(list), Some(chosen)) => {
                let ours = PasswordAlgorithms::new(self.config.announced().list());
                let listed = list.iter().any(|it| it == chosen);
                // A list that differs from that of a nonce of ours was changed on the way.
                if !listed || fresh && list != ours {
                    return Err(RefusalKind::BadRequest);
                }
                Ok(Some(chosen.algorithm()))
            }
            _ => Err(RefusalKind::BadRequest),
        }
    }
    /// The rest of section 9.2.4, with the user, or without one.
    fn decide(
        &mut self,
        now: Instant,
        path: Path,
        message: &Message<'_>,
        claim: &Claim<'_>,
        user: Option<Arc<User>>,
    ) -> Verdict {
        let user = user.filter(|_| claim.in_realm);
        let key = user.as_ref().and_then(|user| user.key(claim.algorithm));
        let known = key.is_some();
        // SECURITY.md case 19: the same work for a user who is not there.
        let key = key.or_else(|| self.dummy.key(Algorithm::MD5));
        let genuine = key.is_some_and(|key| message.integrity(key) == Integrity::Ok);
        match user {
            Some(user) if known && genuine => {
                if claim.fresh {
                    self.authenticated(claim, user)
                } else {
                    self.refusal(now, path, message, RefusalKind::Stale)
                }
            }
            _ => {
                self.stats.wrong_credentials += 1;
                self.refusal(now, path, message, RefusalKind::Unauthenticated)
            }
        }
    }
    fn authenticated(&mut self, claim: &Claim<'_>, user: Arc<User>) -> Verdict {
        self.stats.authenticated += 1;
        Verdict::Authenticated(Authenticated { user, algorithm: claim.algorithm, reply: claim.reply })
    }
    fn refusal(&mut self, now: Instant, path: Path, message: &Message<'_>, kind: RefusalKind) -> Verdict {
        if message.class() != Class::Request {
            self.stats.indications_discarded += 1;
            return Verdict::Discarded;
        }
        // Whoever names such a source cannot be answered.
        if path.remote.port() == 0 {
            return Verdict::Discarded;
        }
        // Over a stream nobody is named but who is there.
        if path.transport == Transport::Udp
            && let Some(limiter) = &mut self.limiter
            && !limiter.admits(now, path.remote.ip())
        {
            self.stats.limited += 1;
            return Verdict::Discarded;
        }
        let challenges = matches!(self.config.mechanism, Mechanism::LongTerm { .. });
        let nonce = (challenges && kind != RefusalKind::BadRequest).then(|| self.nonces.draw(now, path));
        *match kind {
            RefusalKind::BadRequest => &mut self.stats.bad_requests,
            RefusalKind::Unauthenticated => &mut self.stats.unauthenticated,
            RefusalKind::Stale => &mut self.stats.stale,
        } += 1;
        Verdict::Refused(Refusal {
            kind,
            method: message.method(),
            transaction_id: message.transaction_id(),
            nonce,
            fingerprint: RefusalFingerprint::None,
        })
    }
    fn look_up(&mut self, now: Instant, path: Path, message: &Message<'_>) -> Verdict {
        if message.octets().len() > WAITING_OCTETS_MAX {
            self.stats.look_ups_dropped += 1;
            return Verdict::Discarded;
        }
        match self.pending.push(now, path, message.transaction_id(), message.octets()) {
            Queued::New(ticket) | Queued::Already(ticket) => Verdict::LookingUp(ticket),
            Queued::InPlaceOfAnother(ticket) => {
                self.stats.look_ups_dropped += 1;
                Verdict::LookingUp(ticket)
            }
            Queued::NoRoom => {
                self.stats.look_ups_dropped += 1;
                Verdict::Discarded
            }
        }
    }

    /// The next user who is to be looked up. Answer by [`answer`](Self::answer), or never: nothing fills up.
    pub fn poll_event(&mut self) -> Option<AuthEvent> {
        while let Some((ticket, waiting)) = self.pending.ask() {
            let Ok(message) = Message::parse(&waiting.octets) else { continue };
            let who = match (message.get::<Username<'_>>(), message.get::<UserHash>()) {
                (Ok(Some(name)), _) => Who::Username(name.as_str().into()),
                (_, Ok(Some(hash))) => Who::UserHash(hash),
                _ => continue,
            };
            self.stats.look_ups += 1;
            return Some(AuthEvent::LookUp { ticket, who });
        }
        None
    }
    /// Who it was that [`AuthEvent::LookUp`] asked for; `None` if there is no such user. False if the request does not wait
    /// any more.
    pub fn answer(&mut self, ticket: Ticket, user: Option<User>) -> bool {
        self.pending.answer(ticket, user.map(Arc::new))
    }
    /// The next request whose user has been answered, written into `packet` as it came; its path; and the verdict, which is
    /// not [`Verdict::LookingUp`] again. Go on as with an arrival.
    pub fn poll_answered(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<(Path, Verdict)> {
        loop {
            let (waiting, user) = self.pending.poll_answered(now)?;
            packet.clear();
            if packet.append(&waiting.octets).is_err() {
                continue;
            }
            let Ok(message) = Message::parse(&waiting.octets) else { continue };
            let path = waiting.path;
            let verdict = match self.claim(now, path, &message) {
                // The back end answered for somebody else: that is as good as no answer.
                Ok(claim) => {
                    let user = user.filter(|user| claim.who.is(user));
                    self.decide(now, path, &message, &claim, user)
                }
                Err(kind) => self.refusal(now, path, &message, kind),
            };
            return Some((path, verdict));
        }
    }
    /// Requests that are kept until they are answered: never more than [`LookUp::ByEvent`] allows.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Writes the answer to a request that was refused into `packet`, over whatever it holds.
    pub fn refuse(&self, refusal: &Refusal, packet: &mut Packet<'_>) -> Result<(), NoRoom> {
        refusal.write(&self.config, packet)
    }
    /// The users in memory.
    #[must_use]
    pub const fn users(&self) -> &Users {
        &self.users
    }
    /// Adds a user in memory, or gives one of that name his new keys: at once, for what is authenticated from now on. One
    /// who could never be authenticated here is an error.
    ///
    /// ```
    /// use ginnel_core::Seed;
    /// use ginnel_stun::auth::{AddUserError, AuthConfig, Authenticator, User};
    ///
    /// let mut auth = Authenticator::new(AuthConfig::long_term("example.org")?, Seed::new([7; 32]));
    /// auth.add_user(User::long_term("user", "example.org", "pass")?)?;
    /// let lost = User::long_term("user", "example.com", "pass")?;
    /// assert_eq!(auth.add_user(lost), Err(AddUserError::OtherRealm));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_user(&mut self, user: User) -> Result<(), AddUserError> {
        user.fits(self.config.realm())?;
        Ok(self.users.insert(user)?)
    }
    /// Removes a user from memory. False if there is none of that name.
    pub fn remove_user(&mut self, name: &str) -> bool {
        self.users.remove(name)
    }
    /// Makes nonces under another key from now on: see [`Nonces::rotate`].
    pub fn rotate_nonce_key(&mut self, key: NonceKey) {
        self.nonces.rotate(key);
    }
    /// What it was told.
    #[must_use]
    pub const fn config(&self) -> &AuthConfig {
        &self.config
    }
    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> AuthStats {
        self.stats
    }
    /// Forgets what waits.
    pub fn close(&mut self) {
        self.pending.clear();
    }
}

/// Whether this is the user who is named, and he made the message.
fn is_from(message: &Message<'_>, claim: &Claim<'_>, user: &User) -> bool {
    let key = user.key(claim.algorithm).filter(|_| claim.who.is(user));
    key.is_some_and(|key| message.integrity(key) == Integrity::Ok)
}
