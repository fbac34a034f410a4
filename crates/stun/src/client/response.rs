//! What a response means (RFC 8489 sections 6.3, 6.3.3, 6.3.4, 9.1.4, 9.2.5 and 10).
//!
//! ```text
//!  right path, method, FINGERPRINT? --no--> discarded, as if it had never come
//!  401, 438 to a long-term credential (9.2.5) --> another attempt, with a session
//!  bare 400, or a nonce that tells of what is missing (9.2.5) --> discarded
//!  made with the key? --no--> discarded; over a stream the end
//!  unknown comprehension-required attributes --> the end
//!  300 --> the alternate server    500 --> again, later    else --> the answer
//! ```
//!
//! [`Client::judge`] only looks, and says which arrow it is; [`Client::conclude`] goes along it.

use alloc::{boxed::Box, sync::Arc};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{Handled, Instant, Path, Transport};

use super::{
    AlternateRefusal, Client, Discard, Event, FailureReason, KNOWN, Response,
    auth::{self, Auth, Proof, Session},
    transaction::{Kind, Timer, Transaction},
};
use crate::{
    attribute::{
        AlternateDomain, AlternateServer, Attribute, AttributeType, ErrorCode, UnknownAttributes,
        XorMappedAddress,
    },
    auth::SecurityFeatures,
    credential::{Credential, LongTermCredential},
    fingerprint::Fingerprint,
    message::{Class, Message},
};

/// How many 401s a request survives: one asks for credentials, the others for those of another realm.
const MAX_CHALLENGES: u32 = 3;
/// How many 438s a request survives. A nonce can be stale when it arrives; three in a row are no accident.
const MAX_STALE: u32 = 3;
/// How many servers may send a request on, each to one that was not asked before.
const MAX_ALTERNATES: usize = 5;
/// SECURITY.md case 39: ports below 1024 that a STUN server may stand behind, because firewalls let them through.
const OPEN_PORTS: [u16; 3] = [53, 80, 443];

/// What becomes of a response.
pub(super) enum Verdict {
    /// It is as if it had never come, but for a counter.
    Discard(Discard),
    /// The request has failed.
    Fail(FailureReason),
    /// Another attempt, with this session, after a 438 if `stale`.
    Challenged { session: Box<Session>, stale: bool },
    /// The session does not work: it is not used any more, and the request has failed.
    Refused(FailureReason),
    /// Another attempt, later.
    Repeat { proof: Proof },
    /// Another attempt, elsewhere.
    Alternate { server: SocketAddr, domain: Option<Box<str>>, proof: Proof },
    /// It is the answer.
    Answer { error: Option<u16>, proof: Proof },
}

impl Client {
    pub(super) fn judge(&self, transaction: &Transaction, from: Path, message: &Message<'_>) -> Verdict {
        let fingerprint = message.fingerprint();
        if !transaction.expects(from) {
            return Verdict::Discard(Discard::WrongPath);
        }
        if message.method() != transaction.request.method {
            return Verdict::Discard(Discard::WrongMethod);
        }
        if fingerprint == Fingerprint::Bad || self.config.fingerprint && fingerprint == Fingerprint::Absent {
            return Verdict::Discard(Discard::BadFingerprint);
        }
        let error = code_of(message);
        if let Some(Credential::LongTerm(credential)) = &transaction.request.credential {
            if let Some(code @ (401 | 438)) = error {
                let known = self.learnt.features(&transaction.path);
                return challenge(transaction, credential, known, code == 438, message);
            }
            if auth::is_bid_down(message) {
                return Verdict::Discard(Discard::BidDown);
            }
            if error == Some(400) && message.integrity_algorithm().is_none() {
                return Verdict::Discard(Discard::BareBadRequest);
            }
        }
        let proof = transaction.auth.check(message);
        if proof == Proof::Violated {
            return Verdict::Discard(Discard::BadIntegrity);
        }
        if !is_understood(transaction, message) {
            return Verdict::Fail(FailureReason::ResponseNotUnderstood);
        }
        match (message.class(), error) {
            (Class::Error, None) => Verdict::Fail(FailureReason::NoErrorCode),
            (Class::Error, Some(300)) if self.config.follow_alternate && !transaction.request.stays => {
                match self.alternate(transaction, proof, message) {
                    Ok((server, domain)) => Verdict::Alternate { server, domain, proof },
                    Err(refusal) => Verdict::Fail(FailureReason::Alternate(refusal)),
                }
            }
            (Class::Error, Some(500))
                if transaction.history.repeats < self.config.max_repeats.min(MAX_REPEATS) =>
            {
                Verdict::Repeat { proof }
            }
            (_, error) => Verdict::Answer { error, proof },
        }
    }

    /// RFC 8489 section 10 and SECURITY.md case 39: who is to be asked instead.
    fn alternate(
        &self,
        transaction: &Transaction,
        proof: Proof,
        error: &Message<'_>,
    ) -> Result<(SocketAddr, Option<Box<str>>), AlternateRefusal> {
        let Path { transport, local, remote } = transaction.path;
        let is_secure = matches!(transport, Transport::Tls | Transport::Dtls);
        if proof != Proof::Given && !is_secure && !self.config.follow_unauthenticated {
            return Err(AlternateRefusal::Unauthenticated);
        }
        let server = error
            .attributes()
            .filter(|raw| raw.kind == AttributeType::ALTERNATE_SERVER)
            .filter_map(|raw| AlternateServer::parse(raw.value, error.transaction_id()).ok())
            .map(|AlternateServer(server)| server)
            .find(|server| server.is_ipv4() == local.is_ipv4())
            .ok_or(AlternateRefusal::NoAddress)?;
        is_askable(server)?;
        // Another port of ours is this host too, unless that is where the server was from the beginning.
        if server.ip() == local.ip() && remote.ip() != local.ip() {
            return Err(AlternateRefusal::Loopback);
        }
        let asked = &transaction.history.asked;
        if server == remote || server == local || asked.contains(&server) {
            return Err(AlternateRefusal::Loop);
        }
        if asked.len() >= MAX_ALTERNATES {
            return Err(AlternateRefusal::TooMany);
        }
        if self.is_busy(Path { remote: server, ..transaction.path }) {
            return Err(AlternateRefusal::Busy);
        }
        let domain = if is_secure { error.get::<AlternateDomain<'_>>().ok().flatten() } else { None };
        Ok((server, domain.map(|domain| domain.as_str().into())))
    }

    /// Goes where the verdict points.
    pub(super) fn conclude(
        &mut self,
        now: Instant,
        slot: u32,
        verdict: Verdict,
        message: &Message<'_>,
    ) -> Handled<Response> {
        match verdict {
            Verdict::Discard(why) => self.on_discard(slot, why, code_of(message)),
            Verdict::Fail(reason) => self.fail(slot, reason),
            Verdict::Refused(reason) => {
                if let Some(transaction) = self.table.get(slot) {
                    self.learnt.refuse(now, &transaction.path);
                }
                self.fail(slot, reason);
            }
            Verdict::Challenged { session, stale } => self.on_challenge(now, slot, session, stale),
            Verdict::Repeat { proof } => {
                let wait = self.on_proof(now, slot, proof, message);
                self.on_server_error(now, slot, wait);
            }
            Verdict::Alternate { server, domain, proof } => {
                self.on_proof(now, slot, proof, message);
                self.on_alternate(now, slot, server, domain);
            }
            Verdict::Answer { error, proof } => {
                self.on_proof(now, slot, proof, message);
                return self.on_answer(now, slot, error, proof, message);
            }
        }
        Handled::Consumed
    }

    /// It is as if it had never come; but over a reliable transport one that was not made with the key is the end (RFC 8489
    /// sections 9.1.4 and 9.2.5).
    fn on_discard(&mut self, slot: u32, why: Discard, error: Option<u16>) {
        self.stats.count(why);
        let Some(transaction) = self.table.get_mut(slot) else { return };
        transaction.discarded.add(why, error);
        if why != Discard::BadIntegrity {
            return;
        }
        transaction.violated = true;
        if transaction.path.transport.is_stream() {
            let reason = transaction.expired();
            self.fail(slot, reason);
        }
    }
    /// The attempt has ended in a response: learns the round trip and, if it is proven, how to authenticate. Returns the RTO
    /// that the server is asked with from now on.
    fn on_proof(&mut self, now: Instant, slot: u32, proof: Proof, message: &Message<'_>) -> Duration {
        let Some(transaction) = self.table.get(slot) else { return self.config.rto };
        if proof == Proof::Given {
            self.learnt.learn(now, &transaction.path, &transaction.auth, message);
        }
        let server = transaction.path.remote.ip();
        if !transaction.path.transport.is_stream() {
            self.rtos.answered(now, server, transaction.rtt(now), transaction.last_rto());
        }
        self.rtos.rto(now, server, &self.config)
    }
    /// RFC 8489 section 9.2.5: a new transaction, with what the server wants.
    fn on_challenge(&mut self, now: Instant, slot: u32, session: Box<Session>, stale: bool) {
        let Some(transaction) = self.table.get_mut(slot) else { return };
        let (path, rtt, rto) = (transaction.path, transaction.rtt(now), transaction.last_rto());
        let (history, stats) = (&mut transaction.history, &mut self.stats);
        if stale {
            (history.stale, stats.stale) = (history.stale + 1, stats.stale + 1);
        } else {
            (history.challenges, stats.challenged) = (history.challenges + 1, stats.challenged + 1);
        }
        transaction.auth = Auth::LongTerm(Arc::from(session));
        if !path.transport.is_stream() {
            self.rtos.answered(now, path.remote.ip(), rtt, rto);
        }
        self.attempt(now, slot, path, None);
    }
    /// RFC 8489 section 6.3.4: the request is sent again, and each time the server gets twice as long to recover.
    fn on_server_error(&mut self, now: Instant, slot: u32, rto: Duration) {
        let Some(transaction) = self.table.get_mut(slot) else { return };
        let (path, repeats) = (transaction.path, &mut transaction.history.repeats);
        let wait = rto.saturating_mul(1 << (*repeats).min(MAX_REPEATS));
        *repeats += 1;
        transaction.auth = self.learnt.auth(&path, transaction.request.credential.as_ref());
        self.stats.repeated += 1;
        self.attempt(now, slot, path, Some(now + wait));
    }
    /// RFC 8489 section 10: over UDP the same socket serves; anything else takes a connection, which is the caller's to open.
    fn on_alternate(&mut self, now: Instant, slot: u32, server: SocketAddr, domain: Option<Box<str>>) {
        let request = self.table.request_of(slot);
        let Some(transaction) = self.table.get_mut(slot) else { return };
        let path = transaction.path;
        transaction.history.asked.push(path.remote);
        self.stats.redirected += 1;
        if path.transport == Transport::Udp {
            return self.go_on(now, slot, Path { remote: server, ..path });
        }
        // Until then no response counts: `sent` is 0.
        (transaction.sent, transaction.timer) = (0, Some(Timer::Follow));
        self.table.unqueue(slot);
        self.timers.set(slot, now + self.config.ti);
        self.events.push_back(Event::Alternate { request, path, server, domain });
    }
    /// Asks another server the same. The credentials are the same too; what a server said of itself is not.
    pub(super) fn go_on(&mut self, now: Instant, slot: u32, path: Path) {
        let Some(transaction) = self.table.get_mut(slot) else { return };
        transaction.auth = self.learnt.auth(&path, transaction.request.credential.as_ref());
        self.attempt(now, slot, path, None);
    }
    /// RFC 8489 sections 6.3.3 and 6.3.4: the end.
    fn on_answer(
        &mut self,
        now: Instant,
        slot: u32,
        error: Option<u16>,
        proof: Proof,
        message: &Message<'_>,
    ) -> Handled<Response> {
        let request = self.table.request_of(slot);
        let Some(transaction) = self.table.get(slot) else { return Handled::Consumed };
        let (path, rtt) = (transaction.path, transaction.rtt(now));
        if transaction.kind == Kind::Request {
            self.remove(slot);
            self.stats.answered += 1;
            let (class, authenticated) = (message.class(), proof == Proof::Given);
            return Handled::Data(Response { request, class, error, authenticated, rtt });
        }
        match (error, message.get::<XorMappedAddress>()) {
            (Some(code), _) => self.fail(slot, refusal(code, message)),
            (None, Ok(Some(XorMappedAddress(mapped)))) => {
                self.remove(slot);
                self.stats.answered += 1;
                self.events.push_back(Event::Mapped { request, path, mapped, rtt });
            }
            (None, _) => self.fail(slot, FailureReason::NoMappedAddress),
        }
        Handled::Consumed
    }
}

/// RFC 8489 section 6.3.4: *SHOULD be limited to 4*.
const MAX_REPEATS: u32 = 4;

/// The code of an error response that has a legal one.
fn code_of(message: &Message<'_>) -> Option<u16> {
    if message.class() != Class::Error {
        return None;
    }
    message.get::<ErrorCode<'_>>().ok().flatten().map(|error| error.code())
}

/// RFC 8489 section 9.2.5: what a 401 or a 438 leads to.
fn challenge(
    transaction: &Transaction,
    credential: &LongTermCredential,
    known: SecurityFeatures,
    stale: bool,
    error: &Message<'_>,
) -> Verdict {
    if !is_understood(transaction, error) {
        return Verdict::Fail(FailureReason::ResponseNotUnderstood);
    }
    if stale && transaction.history.stale >= MAX_STALE {
        return Verdict::Refused(FailureReason::TooManyStaleNonces);
    }
    if !stale && transaction.history.challenges >= MAX_CHALLENGES {
        return Verdict::Refused(FailureReason::TooManyChallenges);
    }
    match Session::from_challenge(credential, transaction.auth.session(), known, stale, error) {
        Ok(session) => Verdict::Challenged { session: Box::new(session), stale },
        Err(reason) => Verdict::Refused(reason),
    }
}

/// RFC 8489 sections 6.3.3 and 6.3.4: nothing is in it that must be understood and is not.
fn is_understood(transaction: &Transaction, response: &Message<'_>) -> bool {
    response.unknown_required(transaction.request.known).all(|kind| KNOWN.contains(&kind))
}

/// A Binding request was refused. RFC 8489 section 6.3.4: a 420 says what was not understood.
fn refusal(code: u16, error: &Message<'_>) -> FailureReason {
    let unknown = match error.get::<UnknownAttributes<'_>>() {
        Ok(Some(unknown)) if code == 420 => unknown.iter().next(),
        _ => None,
    };
    unknown.map_or(FailureReason::Refused(code), FailureReason::UnknownAttribute)
}

/// SECURITY.md case 39: whether a server can be there, and not something else.
pub(crate) fn is_askable(server: SocketAddr) -> Result<(), AlternateRefusal> {
    // An IPv4 address within an IPv6 one is where it leads to.
    let ip = match server.ip() {
        IpAddr::V6(v6) => match v6.to_ipv4() {
            Some(v4) if !v6.is_loopback() && !v6.is_unspecified() => IpAddr::V4(v4),
            _ => IpAddr::V6(v6),
        },
        v4 @ IpAddr::V4(_) => v4,
    };
    let nowhere = match ip {
        // RFC 1122 section 3.2.1.3: 0/8 is *this* network; 240/4 holds the broadcast address and nobody else.
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.octets()[0] >= 240,
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    if ip.is_loopback() {
        Err(AlternateRefusal::Loopback)
    } else if nowhere || ip.is_multicast() || server.port() == 0 {
        Err(AlternateRefusal::NotUnicast)
    } else if server.port() < 1024 && !OPEN_PORTS.contains(&server.port()) {
        Err(AlternateRefusal::PrivilegedPort)
    } else {
        Ok(())
    }
}
