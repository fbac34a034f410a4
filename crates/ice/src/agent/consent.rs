//! Consent freshness (RFC 7675) and keepalives (RFC 8445 section 11) on the pair that data takes.
//!
//! Each consent check is one request with a transaction id of its own, sent once, at 0.8 to 1.2 of the basic interval.
//! An answer counts when its transaction id is outstanding, its integrity is right, and it came from where the request went.
//! Several unanswered ones in a row are `Disconnected`; none for the expiry ends it.

use core::time::Duration;

use ginnel_core::{Instant, Packet, Path, Rng, Transmit};
use ginnel_stun::{Class, MessageWriter, Method, TransactionId};

use super::{Agent, Event, FailureReason, timers::Timer};
use crate::pair::{LocalId, PairId};

/// RFC 7675 section 5.1: with checks at least 4 s apart, no more than 8 fall within 30 s.
const OUTSTANDING: usize = 8;

/// One end of a path that data takes.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) path: Path,
    /// The base of its local candidate.
    pub(super) local: LocalId,
    /// When anything was last sent.
    pub(super) last_sent: Instant,
    pub(super) consent: Consent,
    keepalive_due: bool,
}
impl Link {
    pub(super) const fn new(path: Path, local: LocalId, consent: Consent, now: Instant) -> Self {
        Self { path, local, last_sent: now, consent, keepalive_due: false }
    }
}

#[derive(Debug)]
pub(super) struct Consent {
    /// When the next check is sent.
    pub(super) next: Instant,
    /// When the last answer came.
    pub(super) answered: Instant,
    /// How many in a row were not answered.
    pub(super) missed: u8,
    outstanding: [Option<(TransactionId, Instant)>; OUTSTANDING],
    at: usize,
    /// Written by the next `poll_transmit`.
    due: Option<TransactionId>,
}
impl Consent {
    pub(super) fn new(now: Instant, answered: Instant, interval: Duration, rng: &mut Rng) -> Self {
        Self {
            next: now + randomised(interval, rng),
            answered,
            missed: 0,
            outstanding: [None; OUTSTANDING],
            at: 0,
            due: None,
        }
    }
    /// The time for `next` has come.
    fn fire(&mut self, now: Instant, interval: Duration, rng: &mut Rng) {
        let last = (self.at + OUTSTANDING - 1) % OUTSTANDING;
        if self.outstanding[last].is_some() {
            self.missed = self.missed.saturating_add(1);
        }
        let transaction = TransactionId::draw(rng);
        self.outstanding[self.at] = Some((transaction, now));
        self.at = (self.at + 1) % OUTSTANDING;
        self.due = Some(transaction);
        self.next = now + randomised(interval, rng);
    }
    pub(super) fn knows(&self, transaction: TransactionId) -> bool {
        self.outstanding.iter().flatten().any(|(known, _)| *known == transaction)
    }
    /// Another authenticated answer came on the same path: any STUN response renews consent (RFC 7675 section 5.1).
    pub(super) fn renew(&mut self, now: Instant) {
        (self.answered, self.missed) = (now, 0);
    }
    /// An authenticated answer from the right place. Returns the round trip.
    fn answer(&mut self, now: Instant, transaction: TransactionId) -> Option<Duration> {
        let slot =
            self.outstanding.iter_mut().find(|slot| slot.is_some_and(|(known, _)| known == transaction))?;
        let (_, sent) = slot.take()?;
        self.renew(now);
        Some(now.saturating_since(sent))
    }
}

/// RFC 7675 section 5.1: each interval lies between 0.8 and 1.2 times the basic period.
fn randomised(interval: Duration, rng: &mut Rng) -> Duration {
    let draw = u32::from(u16::from_be_bytes(rng.octets()));
    interval.saturating_mul(8) / 10 + interval.saturating_mul(4) / 10 * draw / u32::from(u16::MAX)
}

/// Whose link is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    Current,
    Previous,
}

impl Agent {
    pub(super) fn link(&self, of: Generation) -> Option<&Link> {
        match of {
            Generation::Current => self.session.in_use.as_ref().map(|(_, link)| link),
            Generation::Previous => self.previous.as_ref()?.link.as_ref(),
        }
    }
    pub(super) fn link_mut(&mut self, of: Generation) -> Option<&mut Link> {
        match of {
            Generation::Current => self.session.in_use.as_mut().map(|(_, link)| link),
            Generation::Previous => self.previous.as_mut()?.link.as_mut(),
        }
    }
    /// [`Timer::Consent`] or [`Timer::PreviousConsent`].
    pub(super) fn fire_consent(&mut self, now: Instant, of: Generation) {
        let interval = self.config.consent_interval;
        let link = match of {
            Generation::Current => self.session.in_use.as_mut().map(|(_, link)| link),
            Generation::Previous => self.previous.as_mut().and_then(|previous| previous.link.as_mut()),
        };
        if let Some(link) = link {
            link.consent.fire(now, interval, &mut self.rng);
        }
        self.update_state();
    }
    /// [`Timer::ConsentExpiry`]: RFC 7675 section 5.1, sending stops. Before a nomination too: these credentials must not be
    /// used on this path again, so what is left to check would be checked for a connection that lacks its best path.
    pub(super) fn fire_consent_expiry(&mut self) {
        let Some((id, _)) = self.session.in_use.take() else { return };
        self.revoke(id);
        self.push_event(Event::ConsentExpired);
        self.fail(FailureReason::ConsentExpired(self.config.consent_expiry.as_secs()));
    }
    /// [`Timer::PreviousExpiry`]: the old pair is gone, and the new session goes on without it.
    pub(super) fn fire_previous_expiry(&mut self, now: Instant) {
        if self.previous.take().is_some_and(|previous| previous.link.is_some()) {
            self.push_event(Event::ConsentExpired);
        }
        self.choose_pair(now);
    }
    /// Takes a pair out of the valid list: its credentials are not used on it again (RFC 7675 section 5.1).
    fn revoke(&mut self, id: PairId) {
        if let Some(pair) = self.session.checklist.get_mut(id) {
            pair.valid = None;
            pair.state = pair.state.fail(crate::PairFailure::NoAnswer);
        }
    }
    /// [`Timer::Keepalive`]: data may have been sent since it was set, which counts.
    pub(super) fn fire_keepalive(&mut self, now: Instant) {
        let keepalive = self.config.keepalive;
        for of in [Generation::Current, Generation::Previous] {
            if let Some(link) = self.link_mut(of) {
                link.keepalive_due |= link.last_sent + keepalive <= now;
            }
        }
    }
    /// When [`Agent::fire_keepalive`] is to look again.
    pub(super) fn next_keepalive(&self) -> Option<Instant> {
        let links = [self.link(Generation::Current), self.link(Generation::Previous)];
        // One that is due waits for a drain, not for time.
        let waits = |link: &&Link| !link.keepalive_due;
        links.into_iter().flatten().filter(waits).map(|link| link.last_sent + self.config.keepalive).min()
    }
    /// An authenticated success response to a consent check.
    pub(super) fn on_consent(&mut self, now: Instant, of: Generation, transaction: TransactionId) {
        let Some(link) = self.link_mut(of) else { return };
        let rtt = link.consent.answer(now, transaction);
        if let (Generation::Current, Some((id, _))) = (of, &self.session.in_use)
            && let Some(pair) = self.session.checklist.get_mut(*id)
        {
            pair.rtt = rtt.or(pair.rtt);
            pair.responses = pair.responses.saturating_add(1);
            if let Some(valid) = &mut pair.valid {
                valid.answered = now;
            }
        }
        self.stats.responses_received += 1;
        self.update_state();
    }
    /// RFC 7675 section 5.2: an authenticated 403.
    pub(super) fn on_revocation(&mut self, now: Instant, of: Generation) {
        match of {
            Generation::Current => {
                if let Some((id, _)) = self.session.in_use.take() {
                    self.revoke(id);
                }
                self.fail(FailureReason::ConsentRevoked);
            }
            Generation::Previous => self.fire_previous_expiry(now),
        }
    }
    /// Writes what is due on the links.
    pub(super) fn transmit_link(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        for of in [Generation::Current, Generation::Previous] {
            if let Some(transmit) =
                self.transmit_consent(now, of, packet).or_else(|| self.transmit_keepalive(now, of, packet))
            {
                return Some(transmit);
            }
        }
        None
    }
    fn transmit_consent(
        &mut self,
        now: Instant,
        of: Generation,
        packet: &mut Packet<'_>,
    ) -> Option<Transmit> {
        let link = self.link_mut(of)?;
        let transaction = link.consent.due.take()?;
        let (path, local) = (link.path, link.local);
        let priority = self.check_priority(local);
        let remote = match of {
            Generation::Current => self.session.remote.as_ref()?,
            Generation::Previous => &self.previous.as_ref()?.remote,
        };
        let transmit = self.route(path)?;
        self.write_request(packet, remote, transaction, priority, None).ok()?;
        self.stats.consent_sent += 1;
        if let (Generation::Current, Some((id, _))) = (of, &self.session.in_use)
            && let Some(pair) = self.session.checklist.get_mut(*id)
        {
            pair.requests = pair.requests.saturating_add(1);
        }
        self.sent_on(now, of);
        Some(transmit)
    }
    /// RFC 8445 section 11: a Binding indication with FINGERPRINT, and nothing else.
    fn transmit_keepalive(
        &mut self,
        now: Instant,
        of: Generation,
        packet: &mut Packet<'_>,
    ) -> Option<Transmit> {
        let link = self.link_mut(of)?;
        if !core::mem::take(&mut link.keepalive_due) {
            return None;
        }
        let path = link.path;
        let transmit = self.route(path)?;
        let transaction = TransactionId::draw(&mut self.rng);
        MessageWriter::new(packet, Class::Indication, Method::BINDING, transaction)
            .ok()?
            .fingerprint()
            .ok()?;
        self.stats.keepalives_sent += 1;
        self.sent_on(now, of);
        Some(transmit)
    }
    fn sent_on(&mut self, now: Instant, of: Generation) {
        let keepalive = self.config.keepalive;
        if let Some(link) = self.link_mut(of) {
            link.last_sent = now;
            if self.timers.get(Timer::Keepalive).is_none() {
                self.timers.set(Timer::Keepalive, Some(now + keepalive));
            }
        }
    }
}
