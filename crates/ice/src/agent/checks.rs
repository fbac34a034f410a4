//! Connectivity checks as a STUN client: RFC 8445 sections 6.1.4.2 and 7.2.
//!
//! One slot of Ta sends one new transaction: a triggered check, else a waiting query to a STUN server and an ordinary
//! check by turns. The first slot is free at once, and so is any that comes Ta or more after the last; nothing else is waited
//! for. Retransmissions are not paced: their RTO is (section 14.3).

use core::{net::SocketAddr, time::Duration};

use ginnel_core::{Handled, Instant, NoRoom, Packet, Path, Transmit};
use ginnel_stun::{
    Class, Integrity, Message, MessageWriter, Method, TransactionId,
    attribute::{
        ErrorCode, IceControlled, IceControlling, Priority, UseCandidate, Username, XorMappedAddress,
    },
};

use super::{
    Agent, Event, FailureReason, PairFailure, Role, State, consent::Generation, session::RemoteSide,
    timers::Timer,
};
use crate::{
    CandidateKind,
    checklist::ChecklistState,
    pair::{Check, LocalId, Nomination, Pair, PairId, PairState},
};

/// RFC 8445 section 14.3: never less.
const MIN_RTO: Duration = Duration::from_millis(500);
/// After so many transmissions a nomination on a pair that has consent begins anew. Silence while consent lasts is loss: the
/// path is known to work, whether it still does is for consent to say, and the pauses of one transaction's schedule, up to
/// 16 s, would keep the peer waiting for nothing. So it is not silence that fails a nomination (section 7.2.5.3.4).
const NOMINATION_TRANSMISSIONS: u8 = 3;
/// RFC 8445 section 7.3.1.1.
const ROLE_CONFLICT: u16 = 487;
/// RFC 7675 section 5.2.
const FORBIDDEN: u16 = 403;

/// What an answer is an answer to.
enum Asked {
    Check(PairId, Check),
    Consent(Generation),
}

impl Agent {
    /// [`Timer::Pace`]: one new transaction.
    pub(super) fn fire_pace(&mut self, now: Instant) {
        self.next_slot = now + self.config.ta;
        let query = self.gather.has_query();
        let checks = self.can_check() && self.session.checklist.has_work();
        if query && (!checks || (self.gather.turn && !self.session.checklist.has_triggered())) {
            self.fire_query(now);
        } else if checks {
            self.gather.turn = true;
            self.start_check(now);
        }
    }
    /// Checks need the other side's credentials (RFC 8445 section 7.2.2).
    fn can_check(&self) -> bool {
        self.session.remote.is_some() && !matches!(self.state, State::Failed | State::Closed)
    }
    /// RFC 8445 section 6.1.4.2.
    fn start_check(&mut self, now: Instant) {
        let Some(id) = self.session.checklist.next() else { return };
        let mut rto = self.check_rto();
        let role = self.role;
        let Some(pair) = self.session.checklist.get(id) else { return };
        if self.route(pair.path).is_none() {
            // It cannot be sent yet: it waits on, and no attempt is used up.
            self.session.checklist.enqueue(id);
            return;
        }
        let transaction = TransactionId::draw(&mut self.rng);
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        let nominating = role == Role::Controlling && pair.nomination == Nomination::Ours;
        if nominating {
            // Section 14.3 allows what is measured: however much else there is to check, this path is known.
            rto = (pair.rtt.unwrap_or_default() * 2).max(MIN_RTO);
        }
        pair.state = pair.state.start(Check::new(now, transaction, role, nominating, rto));
        self.session.checks_sent += 1;
        self.session.last_checked = Some(pair.path.remote);
        self.stats.checks_sent += 1;
        self.outbox.push_back(id);
    }
    /// RFC 8445 section 14.3: `MAX(500 ms, Ta * N * (Num-Waiting + Num-In-Progress))`, where N is the number of checklists
    /// whose checks share Ta: one. That is RFC 5245's N; it keeps what section 14.1 says of the formula, that every
    /// check is sent once before any is sent again.
    pub(super) fn check_rto(&self) -> Duration {
        let active = u32::try_from(self.session.checklist.active()).unwrap_or(u32::MAX);
        self.config.ta.saturating_mul(active).max(MIN_RTO)
    }
    /// [`Timer::Retransmit`]: sends again what is due, and gives up what was sent often enough.
    pub(super) fn fire_retransmit(&mut self, now: Instant) {
        let mut given_up = None;
        while self.state != State::Failed {
            self.renew_nomination(now);
            for pair in self.session.checklist.iter_mut() {
                let id = pair.id;
                let Some(check) = pair.check_mut().filter(|check| check.next <= now) else { continue };
                let queued = check.due;
                if !check.again(now) {
                    given_up = Some((id, *check));
                    break;
                }
                self.session.checks_sent += 1;
                self.stats.retransmissions += 1;
                if !queued {
                    self.outbox.push_back(id);
                }
            }
            let Some((id, check)) = given_up.take() else { return };
            let why = if check.refused { PairFailure::WrongCredentials } else { PairFailure::NoAnswer };
            self.fail_pair(now, id, &check, why);
        }
    }
    /// See [`NOMINATION_TRANSMISSIONS`]. The answers to the transaction that is cancelled count as before.
    fn renew_nomination(&mut self, now: Instant) {
        let expiry = self.config.consent_expiry;
        let in_vain = |pair: &&Pair| {
            let spent = |check: &Check| check.next <= now && check.transmissions >= NOMINATION_TRANSMISSIONS;
            pair.nomination == Nomination::Ours
                && pair.has_consent(now, expiry)
                && pair.check().is_some_and(spent)
        };
        let Some(id) = self.session.checklist.iter().find(in_vain).map(|pair| pair.id) else { return };
        if let Some(cancelled) = self.session.checklist.trigger(id) {
            self.session.linger(now, id, cancelled);
        }
    }
    pub(super) fn next_retransmit(&self) -> Option<Instant> {
        self.session.checklist.iter().filter_map(|pair| pair.check()).map(|check| check.next).min()
    }
    /// When the next slot of Ta is wanted.
    pub(super) fn next_pace(&self, now: Instant) -> Option<Instant> {
        let work = self.gather.has_query() || (self.can_check() && self.session.checklist.has_work());
        work.then(|| self.next_slot.max(now))
    }

    /// The one place where a transmit on a path of ours is made. `None` while there is no way.
    pub(super) fn route(&self, path: Path) -> Option<Transmit> {
        self.gather.is_open(path.local).then(|| Transmit::to(path))
    }
    /// Writes the next check that is due.
    pub(super) fn transmit_check(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        while let Some(id) = self.outbox.pop_front() {
            let Some(pair) = self.session.checklist.get_mut(id) else { continue };
            let (path, local) = (pair.path, pair.local);
            let Some(check) = pair.check_mut() else { continue };
            if !core::mem::take(&mut check.due) {
                continue;
            }
            check.last_sent = now;
            let (transaction, how) = (check.transaction, (check.role, check.nominating));
            pair.requests = pair.requests.saturating_add(1);
            let priority = self.check_priority(local);
            let Some(remote) = &self.session.remote else { continue };
            let Some(transmit) = self.route(path) else { continue };
            if self.write_request(packet, remote, transaction, priority, Some(how)).is_ok() {
                return Some(transmit);
            }
        }
        None
    }
    /// PRIORITY: what a peer-reflexive candidate of this base would have (RFC 8445 section 7.1.1).
    pub(super) fn check_priority(&self, local: LocalId) -> u32 {
        self.locals.iter().find(|known| known.id == local).map_or(1, |local| local.reflexive_priority)
    }
    /// RFC 8445 sections 7.1 and 7.2.4. `how` is the role and USE-CANDIDATE; consent checks have our role and no flag.
    pub(super) fn write_request(
        &self,
        packet: &mut Packet<'_>,
        remote: &RemoteSide,
        transaction: TransactionId,
        priority: u32,
        how: Option<(Role, bool)>,
    ) -> Result<(), NoRoom> {
        let (role, nominating) = how.unwrap_or((self.role, false));
        let username = Username::new(&remote.username).map_err(|_| NoRoom)?;
        let writer = MessageWriter::new(packet, Class::Request, Method::BINDING, transaction)?
            .attribute(&username)?
            .attribute(&Priority(priority))?;
        let writer = match role {
            Role::Controlling => writer.attribute(&IceControlling(self.tiebreaker))?,
            Role::Controlled => writer.attribute(&IceControlled(self.tiebreaker))?,
        };
        let writer = if nominating { writer.attribute(&UseCandidate)? } else { writer };
        writer.integrity(&remote.key)?.fingerprint()
    }

    /// RFC 8445 section 7.2.5: an answer to a check, or to a consent check.
    pub(super) fn handle_response(&mut self, now: Instant, path: Path, message: &Message<'_>) -> Handled<()> {
        let transaction = message.transaction_id();
        // Once the session has failed no answer revives it: only a restart does (RFC 7675 section 5.1).
        let wanted = message.method() == Method::BINDING && self.state != State::Failed;
        let Some(asked) = self.asked(transaction).filter(|_| wanted) else {
            self.stats.responses_ignored += 1;
            return Handled::Consumed;
        };
        let error = match (message.class(), message.get::<ErrorCode<'_>>()) {
            (Class::Error, Ok(Some(error))) => Some(error.code()),
            (Class::Error, _) => Some(0),
            _ => None,
        };
        let mapped = message.get::<XorMappedAddress>().ok().flatten().map(|mapped| mapped.0);
        let key = match asked {
            Asked::Consent(Generation::Previous) => {
                self.previous.as_ref().map(|previous| &previous.remote.key)
            }
            _ => self.session.remote.as_ref().map(|remote| &remote.key),
        };
        let authentic = key.is_some_and(|key| message.integrity(key) == Integrity::Ok);
        if !authentic {
            // RFC 8489 section 9.1.4: as if it had never come. But a 401 explains the silence that follows.
            if let (Asked::Check(id, _), Some(400 | 401)) = (&asked, error)
                && let Some(check) = self.session.checklist.get_mut(*id).and_then(|pair| pair.check_mut())
            {
                check.refused = true;
            }
            self.stats.responses_ignored += 1;
            return Handled::Consumed;
        }
        match asked {
            Asked::Check(id, check) => self.on_check_answer(now, path, id, check, error, mapped),
            Asked::Consent(of) => self.on_consent_answer(now, path, of, transaction, error),
        }
        self.refresh(now);
        Handled::Consumed
    }
    fn asked(&self, transaction: TransactionId) -> Option<Asked> {
        if let Some(pair) = self.session.checklist.by_transaction(transaction) {
            return Some(Asked::Check(pair.id, *pair.check()?));
        }
        if let Some((id, check)) = self.session.lingering(transaction) {
            return Some(Asked::Check(id, check));
        }
        [Generation::Current, Generation::Previous]
            .into_iter()
            .find(|of| self.link(*of).is_some_and(|link| link.consent.knows(transaction)))
            .map(Asked::Consent)
    }
    fn on_consent_answer(
        &mut self,
        now: Instant,
        path: Path,
        of: Generation,
        transaction: TransactionId,
        error: Option<u16>,
    ) {
        // RFC 7675 section 5.1: from the address that consent is about, or it is none.
        if self.link(of).is_none_or(|link| link.path != path) {
            self.stats.responses_ignored += 1;
            return;
        }
        match error {
            None => self.on_consent(now, of, transaction),
            Some(FORBIDDEN) => self.on_revocation(now, of),
            Some(ROLE_CONFLICT) => {
                self.switch_role(now, self.role.other());
                self.redraw_tiebreaker();
                self.on_consent(now, of, transaction);
            }
            Some(_) => self.stats.responses_ignored += 1,
        }
    }
    fn on_check_answer(
        &mut self,
        now: Instant,
        path: Path,
        id: PairId,
        check: Check,
        error: Option<u16>,
        mapped: Option<SocketAddr>,
    ) {
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        if pair.path != path {
            return self.fail_pair(now, id, &check, PairFailure::NotSymmetric);
        }
        pair.responses = pair.responses.saturating_add(1);
        self.stats.responses_received += 1;
        match (error, mapped) {
            (Some(ROLE_CONFLICT), _) => self.on_role_conflict(now, id, &check),
            (Some(code), _) => self.fail_pair(now, id, &check, PairFailure::Refused(code)),
            (None, Some(mapped)) => self.on_success(now, id, &check, mapped),
            // Without a mapped address it is no answer: the schedule goes on.
            (None, None) => self.stats.responses_ignored += 1,
        }
    }
    /// RFC 8445 section 7.2.5.1.
    fn on_role_conflict(&mut self, now: Instant, id: PairId, check: &Check) {
        if check.role == self.role {
            self.switch_role(now, self.role.other());
            self.redraw_tiebreaker();
        }
        self.session.forget(check.transaction);
        if let Some(pair) = self.session.checklist.get_mut(id)
            && pair.check().is_none_or(|current| current.transaction == check.transaction)
        {
            // What is cancelled here has just been answered.
            let _ = self.session.checklist.trigger(id);
        }
    }
    /// RFC 8445 section 7.2.5.3.
    fn on_success(&mut self, now: Instant, id: PairId, check: &Check, mapped: SocketAddr) {
        self.session.forget(check.transaction);
        let Some(base) = self.session.checklist.get(id).map(|pair| (pair.local, pair.path.local)) else {
            return;
        };
        let valid = self.valid_pair(id, mapped);
        let local = self.mapped_local(base, mapped);
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        pair.rtt = check.round_trip(now).or(pair.rtt);
        let (foundation, wanted) = (pair.foundation, pair.nomination);
        let superseded = pair.check().filter(|current| current.transaction != check.transaction).copied();
        // A late answer to an earlier check must not end the one that nominates.
        let nominating = !check.nominating && superseded.is_some_and(|current| current.nominating);
        if !nominating {
            pair.state = pair.state.succeed();
        }
        if let Some(current) = superseded.filter(|_| !nominating) {
            self.session.linger(now, id, current);
        }
        if let Some(pair) = self.session.checklist.get_mut(valid) {
            if valid != id {
                pair.state = pair.state.succeed();
            }
            pair.validate(now, local);
        }
        if let Some((_, link)) = self.session.in_use.as_mut().filter(|(used, _)| *used == valid) {
            link.consent.renew(now);
        }
        self.session.checklist.unfreeze(foundation);
        if wanted != Nomination::Ours || check.nominating {
            self.session.checklist.dequeue(id);
        }
        self.session.first_valid.get_or_insert(now);
        let ours = check.nominating && check.role == self.role && self.role == Role::Controlling;
        let theirs = wanted == Nomination::Theirs && self.role == Role::Controlled;
        if ours || theirs {
            self.nominate(now, valid);
        }
        self.choose_pair(now);
        self.consider_nomination(now);
    }
    /// RFC 8445 section 7.2.5.3.2: usually the pair that was checked; another one of the checklist, if the mapped
    /// address is that of another base.
    fn valid_pair(&mut self, id: PairId, mapped: SocketAddr) -> PairId {
        let Some(pair) = self.session.checklist.get(id) else { return id };
        let path = Path { local: mapped, ..pair.path };
        self.session.checklist.by_path(&path).map_or(id, |other| other.id)
    }
    /// RFC 8445 section 7.2.5.3.1: the local candidate at the mapped address; a peer-reflexive one, if it is new.
    fn mapped_local(&mut self, (local, base): (LocalId, SocketAddr), mapped: SocketAddr) -> LocalId {
        let same = |of_base: bool| {
            let fits = move |known: &&super::gather::Local| {
                known.address == mapped && (!of_base || known.base == base)
            };
            self.locals.iter().find(fits).map(|known| known.id)
        };
        if let Some(known) = same(true).or_else(|| same(false)) {
            return known;
        }
        let preference = (self.check_priority(local) >> 8) as u16;
        self.add_local(CandidateKind::PeerReflexive, mapped, base, None, preference).unwrap_or(local)
    }
    /// RFC 8445 section 7.2.5.2.
    pub(super) fn fail_pair(&mut self, now: Instant, id: PairId, check: &Check, why: PairFailure) {
        self.session.forget(check.transaction);
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        // A cancelled check that fails late says nothing about a pair that has succeeded since.
        let current = pair.check().is_some_and(|current| current.transaction == check.transaction);
        if !current && matches!(pair.state, PairState::Succeeded) {
            return;
        }
        pair.state = pair.state.fail(why);
        let wanted = core::mem::replace(&mut pair.nomination, Nomination::Nobody);
        if wanted != Nomination::Nobody {
            pair.valid = None;
        }
        self.session.checklist.dequeue(id);
        if self.session.in_use.as_ref().is_some_and(|(used, _)| *used == id) && wanted != Nomination::Nobody {
            self.session.in_use = None;
        }
        // Section 7.2.5.3.4: a nomination that fails, fails the checklist.
        if check.nominating && wanted == Nomination::Ours {
            self.session.checklist.state = ChecklistState::Failed;
            return self.fail(FailureReason::NominationFailed);
        }
        self.choose_pair(now);
        self.consider_nomination(now);
        self.consider_failure(now);
    }
    /// RFC 8445 sections 7.2.5.1 and 7.3.1.1.
    pub(super) fn switch_role(&mut self, now: Instant, role: Role) {
        self.role = role;
        self.recompute_priorities();
        self.timers.set(Timer::Nominate, None);
        for pair in self.session.checklist.iter_mut() {
            pair.nomination = Nomination::Nobody;
        }
        self.push_event(Event::RoleSwitched(role));
        self.consider_nomination(now);
    }
    /// RFC 8445 section 7.2.5.1: after a 487 the tiebreaker changes too, so that equal ones do not meet again.
    fn redraw_tiebreaker(&mut self) {
        self.tiebreaker = u64::from_be_bytes(self.rng.octets());
    }
}
