//! Which pair data takes, and which is nominated: RFC 8445 sections 8.1.1, 8.1.2 and 12.1.
//!
//! Data may take any valid pair, so nothing waits for a nomination: the agent is `Connected` with its first valid pair, one
//! round trip after its first check. The controlling agent then nominates, which is one round trip more. Stopping
//! criterion: the best valid pair is nominated as soon as no better pair is *about to succeed*. Better pairs are those of
//! higher priority; one is about to succeed while it waits for its first check, or was last sent less than two round trips of
//! the valid pair ago; and none is waited for longer than [`PATIENCE`] after the first success. With nothing better left
//! to answer the nomination leaves in the next slot of Ta.
//!
//! Waiting delays only controlled peers that call themselves connected no sooner than a pair is nominated, and those by
//! [`PATIENCE`] at most.
//!
//! As the controlled agent we follow: of several nominations (RFC 5245's aggressive peers) the pair of the highest priority
//! is selected; a lower one only when the selected pair no longer answers.

use core::time::Duration;

use ginnel_core::Instant;

use super::{
    Agent, Event, Role, SelectedPair, State,
    consent::{Consent, Generation, Link},
    timers::Timer,
};
use crate::{
    checklist::ChecklistState,
    pair::{Nomination, Pair, PairId, PairState},
};

/// How long after the first success a better pair is hoped for. Waiting costs no data: the valid pair carries it.
const PATIENCE: Duration = Duration::from_millis(500);

impl Agent {
    /// RFC 8445 section 12.1: data takes the selected pair; until there is one the pair of before the restart, as long as it
    /// answers; else the best valid pair.
    pub(super) fn choose_pair(&mut self, now: Instant) {
        if matches!(self.state, State::Failed | State::Closed) {
            return;
        }
        let expiry = self.config.consent_expiry;
        let usable = |pair: &Pair| pair.has_consent(now, expiry);
        let selected =
            self.session.selected.and_then(|id| self.session.checklist.get(id)).filter(|pair| usable(pair));
        let previous = self.link(Generation::Previous).is_some_and(|link| !self.is_missing(link));
        let chosen = match selected {
            Some(pair) => Some(pair),
            None if previous => None,
            None => self.session.checklist.best(usable),
        };
        let chosen = chosen
            .map(|pair| (pair.id, pair.path, pair.local, pair.valid.as_ref().map_or(now, |v| v.answered)));
        if chosen.map(|(id, ..)| id) != self.session.in_use.as_ref().map(|(id, _)| *id) {
            self.session.in_use = chosen.map(|(id, path, local, answered)| {
                let consent = Consent::new(now, answered, self.config.consent_interval, &mut self.rng);
                (id, Link::new(path, local, consent, now))
            });
        }
        self.update_state();
    }
    /// Whether the last consent checks stayed unanswered.
    fn is_missing(&self, link: &Link) -> bool {
        link.consent.missed >= self.config.disconnected_after
    }
    /// The link that data takes.
    pub(super) fn in_use(&self) -> Option<(Generation, &Link)> {
        let current = || self.link(Generation::Current).map(|link| (Generation::Current, link));
        let previous = || self.link(Generation::Previous).map(|link| (Generation::Previous, link));
        current().or_else(previous)
    }
    /// The state follows from what is in use.
    pub(super) fn update_state(&mut self) {
        if matches!(self.state, State::Failed | State::Closed) {
            return;
        }
        let state = match self.in_use() {
            Some((_, link)) if self.is_missing(link) => State::Disconnected,
            Some(_) => State::Connected,
            None if self.session.remote.is_some() => State::Checking,
            None => State::New,
        };
        self.set_state(state);
    }
    pub(super) fn set_state(&mut self, to: State) {
        let from = core::mem::replace(&mut self.state, to);
        if from != to {
            self.push_event(Event::StateChanged { from, to });
        }
    }

    /// RFC 8445 section 8.1.1, as the file's head says.
    pub(super) fn consider_nomination(&mut self, now: Instant) {
        self.timers.set(Timer::Nominate, None);
        let under_way = self.session.checklist.iter().any(|pair| pair.nomination == Nomination::Ours);
        let running = self.session.checklist.state == ChecklistState::Running;
        if self.role != Role::Controlling || under_way || !running || self.state == State::Failed {
            return;
        }
        let expiry = self.config.consent_expiry;
        let Some(best) = self.session.checklist.best(|pair| pair.has_consent(now, expiry)) else { return };
        let (id, priority) = (best.id, best.priority);
        let patience = self.session.first_valid.unwrap_or(now) + PATIENCE;
        let round_trips = (best.rtt.unwrap_or(PATIENCE) * 2).max(self.config.ta);
        let wait = self
            .session
            .checklist
            .iter()
            .filter(|pair| pair.priority > priority)
            .filter_map(|pair| hope(pair, round_trips, patience))
            .filter(|until| *until > now)
            .min();
        match wait {
            Some(until) => self.timers.set(Timer::Nominate, Some(until)),
            None => {
                if let Some(pair) = self.session.checklist.get_mut(id) {
                    pair.nomination = Nomination::Ours;
                }
                self.session.checklist.enqueue(id);
            }
        }
    }
    /// The nomination of a pair has succeeded (RFC 8445 sections 7.2.5.3.4 and 7.3.1.5).
    pub(super) fn nominate(&mut self, now: Instant, id: PairId) {
        let expiry = self.config.consent_expiry;
        let Some(pair) = self.session.checklist.get_mut(id) else { return };
        pair.nomination = Nomination::Nobody;
        let priority = pair.priority;
        let Some(valid) = &mut pair.valid else { return };
        valid.nominated = true;
        let current = self.session.selected.and_then(|selected| self.session.checklist.get(selected));
        let better = match current {
            None => true,
            Some(current) if current.id == id => false,
            Some(current) => {
                let missing = self.link(Generation::Current).is_none_or(|link| self.is_missing(link));
                priority > current.priority || missing || !current.has_consent(now, expiry)
            }
        };
        if better {
            self.select(now, id);
        }
    }
    /// RFC 8445 section 8.1.2.
    fn select(&mut self, now: Instant, id: PairId) {
        self.session.selected = Some(id);
        self.timers.set(Timer::Nominate, None);
        let mut cancelled = alloc::vec::Vec::new();
        self.session.checklist.complete(id, |pair, check| cancelled.push((pair, check)));
        for (pair, check) in cancelled {
            self.session.linger(now, pair, check);
        }
        // The old pair has done its service; its checks are still answered.
        if let Some(previous) = &mut self.previous {
            previous.link = None;
            // The peer selects within this time, or consents to nothing (RFC 7675 section 5.1).
            previous.until = Some(now + self.config.consent_expiry);
        }
        self.choose_pair(now);
        if let Some(selected) = self.current_selection() {
            self.push_event(Event::Selected(selected));
        }
    }
    /// What the current generation uses.
    pub(super) fn current_selection(&self) -> Option<SelectedPair> {
        let (id, _) = self.session.in_use.as_ref()?;
        let pair = self.session.checklist.get(*id)?;
        let valid = pair.valid.as_ref()?;
        let local = self.locals.iter().find(|local| local.id == valid.mapped);
        Some(SelectedPair {
            path: pair.path,
            local: local.map_or(pair.path.local, |local| local.address),
            local_kind: local.map_or(crate::CandidateKind::Host, |local| local.candidate.kind),
            remote_kind: self.session.remote(pair.remote).map(|remote| remote.candidate.kind)?,
            nominated: valid.nominated,
        })
    }
}

/// Until when a better pair is about to succeed, if it is.
fn hope(pair: &Pair, round_trips: Duration, patience: Instant) -> Option<Instant> {
    match &pair.state {
        PairState::Frozen | PairState::Waiting => Some(patience),
        PairState::InProgress(check) => Some(patience.min(check.last_sent + round_trips)),
        PairState::Succeeded | PairState::Failed(_) | PairState::Retired => None,
    }
}
