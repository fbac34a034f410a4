//! What arrives: checks of the peer (RFC 8445 section 7.3), answers, data.
//!
//! A check is answered in place, before anything else is known of its sender but that it has our password: so answers
//! work before signalling has brought the peer's credentials, and no queue can be filled. What the check teaches is applied to
//! the current generation only, and only when the username fragments of both sides match it.
//! Data is passed on from paths that are validated: those in the valid list, and those on which an authenticated check of the
//! peer came, since its first data may overtake the answer to our check.

use alloc::string::String;

use ginnel_core::{Handled, Instant, Packet, Path, Receive, Transmit};
use ginnel_stun::{
    Class, Fingerprint, Integrity, IntegrityAlgorithm, Message, MessageWriter, Method, TransactionId,
    attribute::{
        AttributeType, ErrorCode, IceControlled, IceControlling, Priority, UnknownAttributes, Username,
        XorMappedAddress,
    },
};

use super::{Agent, Role, State, consent::Generation, session::EarlyCheck};
use crate::{
    Candidate, CandidateAddress, CandidateKind,
    checklist::ChecklistState,
    pair::{Nomination, PairState},
};

/// RFC 8489 section 18.3 and RFC 8445 section 16.1: what a check may contain and we understand.
const KNOWN: &[AttributeType] =
    &[AttributeType::USERNAME, AttributeType::PRIORITY, AttributeType::USE_CANDIDATE];
/// How many unknown attributes an error names; more would not help the sender.
const MAX_UNKNOWN: usize = 16;

/// A check that has our password.
struct Inbound {
    of: Generation,
    /// The sender's username fragment, where it is not the one that signalling brought.
    stranger: Option<String>,
    priority: u32,
    nominating: bool,
    /// The role and the tiebreaker that it claims.
    claim: Option<(Role, u64)>,
}
/// What is to be answered.
enum Verdict {
    Accept(Inbound),
    /// With our password where the sender has it.
    Refuse {
        code: u16,
        of: Option<Generation>,
        unknown: ([AttributeType; MAX_UNKNOWN], usize),
    },
}
impl Verdict {
    const fn refuse(code: u16, of: Option<Generation>) -> Self {
        Self::Refuse { code, of, unknown: ([AttributeType::USERNAME; MAX_UNKNOWN], 0) }
    }
}

impl Agent {
    pub(super) fn receive(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<()> {
        if self.is_over() || self.offer_names(now, input) {
            return if self.is_over() { Handled::Foreign } else { self.consumed(now) };
        }
        if !self.gather.is_open(input.path.local) {
            self.stats.foreign += 1;
            return Handled::Foreign;
        }
        if !Message::is_claimed_by(input.packet.bytes()) {
            return self.receive_data(input);
        }
        let path = input.path;
        let Some(message) = readable(input.packet.bytes()) else {
            self.stats.malformed += 1;
            return Handled::Consumed;
        };
        match message.class() {
            Class::Request => self.receive_request(now, input),
            // RFC 8445 section 11: a keepalive has done its work by arriving.
            Class::Indication => Handled::Consumed,
            Class::Success | Class::Error if self.asked_server(path) => {
                let taken = self.gather.client.handle_input(now, input);
                self.drain_client(now);
                match taken {
                    Handled::Foreign => match readable(input.packet.bytes()) {
                        Some(message) => self.handle_response(now, path, &message),
                        None => Handled::Consumed,
                    },
                    _ => self.consumed(now),
                }
            }
            Class::Success | Class::Error => self.handle_response(now, path, &message),
        }
    }
    fn consumed(&mut self, now: Instant) -> Handled<()> {
        self.refresh(now);
        Handled::Consumed
    }
    fn asked_server(&self, path: Path) -> bool {
        self.config.stun_servers.contains(&path.remote)
    }

    /// RFC 8445 section 12.2, narrowed to validated paths.
    fn receive_data(&mut self, input: &Receive<'_>) -> Handled<()> {
        let octets = input.packet.len() as u64;
        let in_use =
            self.session.in_use.as_ref().filter(|(_, link)| link.path == input.path).map(|(id, _)| *id);
        let pair = match in_use {
            Some(id) => self.session.checklist.get_mut(id),
            None => self.session.checklist.by_path(&input.path),
        };
        let known = match pair {
            Some(pair) if pair.valid.is_some() || pair.heard => {
                if let Some(valid) = &mut pair.valid {
                    valid.packets_received += 1;
                    valid.bytes_received += octets;
                }
                true
            }
            _ => self.previous.as_ref().is_some_and(|previous| previous.selected.path == input.path),
        };
        if !known || self.state == State::Failed {
            self.stats.packets_unvalidated += 1;
            return Handled::Consumed;
        }
        self.stats.packets_received += 1;
        self.stats.bytes_received += octets;
        Handled::Data(())
    }

    fn receive_request(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<()> {
        let Some(message) = readable(input.packet.bytes()) else { return Handled::Consumed };
        let (transaction, method) = (message.transaction_id(), message.method());
        let algorithm = message.integrity_algorithm().unwrap_or(IntegrityAlgorithm::Sha1);
        // A failed session is over for both sides (RFC 7675 section 5.1).
        if method != Method::BINDING || self.state == State::Failed {
            self.stats.checks_rejected += 1;
            return Handled::Consumed;
        }
        let verdict = self.judge(&message);
        let inbound = match verdict {
            Verdict::Accept(inbound) => inbound,
            Verdict::Refuse { code, of, unknown: (unknown, len) } => {
                self.stats.checks_rejected += 1;
                let unknown = unknown.get(..len).unwrap_or_default();
                return self.answer_error(now, input, transaction, algorithm, (code, of, unknown));
            }
        };
        if inbound.of == Generation::Current && self.conflicts(now, &inbound) {
            self.stats.role_conflicts += 1;
            return self.answer_error(
                now,
                input,
                transaction,
                algorithm,
                (487, Some(Generation::Current), &[]),
            );
        }
        let path = input.path;
        let Some(transmit) =
            self.answer_success(path, &mut input.packet, (transaction, algorithm), inbound.of)
        else {
            return Handled::Consumed;
        };
        self.stats.checks_answered += 1;
        self.learn(now, path, inbound);
        Handled::Send(transmit)
    }
    /// RFC 8445 section 7.3: whether a check is from the peer of this session.
    fn judge(&self, message: &Message<'_>) -> Verdict {
        // RFC 8489 section 9.1.3: 400 without credentials, 401 for wrong ones, neither with integrity.
        let (Ok(Some(username)), true) =
            (message.get::<Username<'_>>(), message.integrity_algorithm().is_some())
        else {
            return Verdict::refuse(400, None);
        };
        let Some((ours, theirs)) = username.as_str().split_once(':') else {
            return Verdict::refuse(401, None);
        };
        let (of, key) = match &self.previous {
            _ if ours == self.session.local.ufrag => (Generation::Current, &self.session.key),
            Some(previous) if ours == previous.local.ufrag => (Generation::Previous, &previous.key),
            _ => return Verdict::refuse(401, None),
        };
        if message.integrity(key) != Integrity::Ok {
            return Verdict::refuse(401, None);
        }
        let mut unknown = ([AttributeType::USERNAME; MAX_UNKNOWN], 0);
        for (slot, kind) in unknown.0.iter_mut().zip(message.unknown_required(KNOWN)) {
            *slot = kind;
            unknown.1 += 1;
        }
        if unknown.1 > 0 {
            return Verdict::Refuse { code: 420, of: Some(of), unknown };
        }
        let Ok(Some(Priority(priority))) = message.get::<Priority>() else {
            return Verdict::refuse(400, Some(of));
        };
        let claim = match (message.get::<IceControlling>(), message.get::<IceControlled>()) {
            (Ok(Some(IceControlling(tiebreaker))), _) => Some((Role::Controlling, tiebreaker)),
            (_, Ok(Some(IceControlled(tiebreaker)))) => Some((Role::Controlled, tiebreaker)),
            _ => None,
        };
        let known = self.session.remote.as_ref().is_some_and(|remote| remote.credentials.ufrag == theirs);
        Verdict::Accept(Inbound {
            of,
            stranger: (of == Generation::Current && !known).then(|| String::from(theirs)),
            priority,
            nominating: message.has(AttributeType::USE_CANDIDATE),
            claim,
        })
    }
    /// RFC 8445 section 7.3.1.1: true if the answer is 487. Otherwise our role may have changed.
    fn conflicts(&mut self, now: Instant, inbound: &Inbound) -> bool {
        let Some((role, theirs)) = inbound.claim.filter(|(role, _)| *role == self.role) else { return false };
        let larger = self.tiebreaker >= theirs;
        // The larger tiebreaker, ours if they are equal, is controlling in the end.
        let stays = (role == Role::Controlling) == larger;
        if !stays {
            self.switch_role(now, role.other());
            self.refresh(now);
        }
        stays
    }

    fn key(&self, of: Generation) -> Option<&ginnel_stun::IntegrityKey> {
        match of {
            Generation::Current => Some(&self.session.key),
            Generation::Previous => self.previous.as_ref().map(|previous| &previous.key),
        }
    }
    /// The answer, over its question.
    fn answer_success(
        &self,
        path: Path,
        packet: &mut Packet<'_>,
        (transaction, algorithm): (TransactionId, IntegrityAlgorithm),
        of: Generation,
    ) -> Option<Transmit> {
        let transmit = self.route(path)?;
        MessageWriter::new(packet, Class::Success, Method::BINDING, transaction)
            .and_then(|writer| writer.attribute(&XorMappedAddress(path.remote)))
            .and_then(|writer| writer.integrity_as(algorithm, self.key(of).unwrap_or(&self.session.key)))
            .and_then(MessageWriter::fingerprint)
            .ok()?;
        Some(transmit)
    }
    /// An error, over its question. To a sender without our password it is smaller than the question, and no more than one
    /// such leaves in each Ta.
    fn answer_error(
        &mut self,
        now: Instant,
        input: &mut Receive<'_>,
        transaction: TransactionId,
        algorithm: IntegrityAlgorithm,
        (code, of, unknown): (u16, Option<Generation>, &[AttributeType]),
    ) -> Handled<()> {
        if of.is_none() {
            if now < self.next_refusal {
                return Handled::Consumed;
            }
            self.next_refusal = now + self.config.ta;
        }
        let written = (|| {
            let transmit = self.route(input.path)?;
            let error = ErrorCode::new(code, "").ok()?;
            let mut writer =
                MessageWriter::new(&mut input.packet, Class::Error, Method::BINDING, transaction)
                    .and_then(|writer| writer.attribute(&error))
                    .ok()?;
            if !unknown.is_empty() {
                writer = writer.attribute(&UnknownAttributes::new(unknown)).ok()?;
            }
            match of.and_then(|of| self.key(of)) {
                Some(key) => writer.integrity_as(algorithm, key).and_then(MessageWriter::fingerprint).ok()?,
                None => writer.fingerprint().ok()?,
            }
            Some(transmit)
        })();
        written.map_or(Handled::Consumed, Handled::Send)
    }

    /// What an accepted check teaches: nothing, if it is of another generation; later, if its sender is unknown yet.
    fn learn(&mut self, now: Instant, path: Path, inbound: Inbound) {
        match (inbound.of, inbound.stranger) {
            (Generation::Previous, _) => self.stats.checks_other_generation += 1,
            (Generation::Current, Some(ufrag)) => {
                let known = self.session.remote.is_some();
                self.stats.checks_other_generation += u64::from(known);
                let check =
                    EarlyCheck { path, priority: inbound.priority, nominating: inbound.nominating, ufrag };
                if !known && !self.session.remember(check) {
                    self.stats.candidates_dropped += 1;
                }
            }
            (Generation::Current, None) => {
                if self.apply_check(now, path, inbound.priority, inbound.nominating) {
                    self.refresh(now);
                }
            }
        }
    }
    /// RFC 8445 sections 7.3.1.3 to 7.3.1.5. Returns whether anything changed.
    pub(super) fn apply_check(&mut self, now: Instant, path: Path, priority: u32, nominating: bool) -> bool {
        let nominated = nominating && self.role == Role::Controlled;
        let expiry = self.config.consent_expiry;
        if let Some(pair) = self.session.checklist.by_path(&path)
            && {
                // Whatever else comes of it: the peer may send data here by now.
                pair.heard = true;
                pair.has_consent(now, expiry)
            }
        {
            // It is valid already: nothing more than a nomination can come of it.
            let id = pair.id;
            let news = nominated
                && pair
                    .valid
                    .as_ref()
                    .is_some_and(|valid| !valid.nominated || self.session.selected != Some(id));
            if news {
                self.nominate(now, id);
            }
            return news;
        }
        // Once a pair is selected, only a further nomination begins another check (section 8.1.2).
        if self.session.checklist.state != ChecklistState::Running && !nominated {
            return false;
        }
        let Some(id) = self.pair_of(path, priority) else { return false };
        let Some(pair) = self.session.checklist.get_mut(id) else { return false };
        pair.heard = true;
        if nominated {
            pair.nomination = Nomination::Theirs;
        }
        if matches!(pair.state, PairState::Succeeded) {
            // Another address of ours answered for it, or its consent has grown old: it is checked anew.
            self.session.checklist.enqueue(id);
        } else if let Some(cancelled) = self.session.checklist.trigger(id) {
            self.session.linger(now, id, cancelled);
        }
        true
    }
    /// The pair that a check came on; formed if it is new, with a peer-reflexive candidate if its sender is.
    fn pair_of(&mut self, path: Path, priority: u32) -> Option<crate::pair::PairId> {
        if let Some(pair) = self.session.checklist.by_path(&path) {
            return Some(pair.id);
        }
        let host = |kind| kind == CandidateKind::Host;
        let local =
            self.locals.iter().find(|known| known.base == path.local && host(known.candidate.kind))?.id;
        let remote = match self.session.remote_at(path.remote) {
            Some(known) => known.id,
            None => {
                let candidate =
                    Candidate::udp(CandidateAddress::Ip(path.remote), CandidateKind::PeerReflexive)
                        .with_priority(priority)
                        .with_foundation("prflx");
                self.enter_remote(candidate, Some(path.remote)).ok()?
            }
        };
        self.insert_pair(local, remote)
    }
}

/// A message whose structure and fingerprint are right. RFC 8445 section 7.1: FINGERPRINT is used in every check; an answer
/// or a check without one is still judged by its integrity, which is more.
fn readable(octets: &[u8]) -> Option<Message<'_>> {
    Message::parse(octets).ok().filter(|message| message.fingerprint() != Fingerprint::Bad)
}
