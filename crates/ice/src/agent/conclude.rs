//! How it ends, and how it begins again: failure with a reason, restart (RFC 8445 section 9), close.
//!
//! RFC 8863: while the PAC timer runs nothing fails for want of pairs. After it the agent fails once nothing is left to
//! check and both sides have said end-of-candidates (RFC 8838 section 8); without the latter it fails at `max_checking`,
//! so that it never hangs.

use ginnel_core::Instant;

use super::{
    Agent, CandidateError, Event, FailureReason, PairFailure, State,
    session::{Previous, Session},
    timers::Timer,
};
use crate::{CandidateAddress, Credentials, checklist::ChecklistState, pair::PairState};

impl Agent {
    /// Whether it is time to fail for want of a valid pair.
    pub(super) fn consider_failure(&mut self, now: Instant) {
        let Some(started) = self.session.started else { return };
        // A pair of before a restart may carry the data while one of this generation is valid: that is no failure.
        let expiry = self.config.consent_expiry;
        let works = |pair: &crate::pair::Pair| pair.has_consent(now, expiry);
        if self.session.in_use.is_some()
            || matches!(self.state, State::Failed | State::Closed)
            || self.session.checklist.best(works).is_some()
        {
            return;
        }
        let too_long = started + self.config.max_checking <= now;
        let exhausted = started + self.config.pac <= now
            && self.session.remote_end
            && self.session.local_end
            && !self.session.checklist.has_hope()
            && !self.is_resolving();
        if too_long || exhausted {
            self.session.checklist.state = ChecklistState::Failed;
            let reason = self.diagnose(exhausted);
            self.fail(reason);
        }
    }
    /// When [`Timer::GiveUp`] is to look.
    pub(super) fn next_give_up(&self, now: Instant) -> Option<Instant> {
        let started =
            self.session.started.filter(|_| self.session.in_use.is_none() && self.state != State::Failed)?;
        let pac = started + self.config.pac;
        Some(if now < pac { pac } else { started + self.config.max_checking })
    }
    /// What a person should read. From what is missing outright to what was tried in vain.
    fn diagnose(&self, exhausted: bool) -> FailureReason {
        let session = &self.session;
        if self.locals.is_empty() {
            return FailureReason::NoLocalCandidates;
        }
        if session.remotes.is_empty() {
            return FailureReason::NoRemoteCandidates;
        }
        let named = |address: &CandidateAddress| matches!(address, CandidateAddress::Mdns { .. });
        if session.remotes.iter().all(|remote| named(&remote.candidate.address) && remote.address.is_none()) {
            return FailureReason::NamesUnresolved;
        }
        let Some(last) = session.last_checked else { return FailureReason::NothingToPair };
        let mut failures = session.checklist.iter().filter_map(|pair| match pair.state {
            PairState::Failed(why) => Some(why),
            PairState::InProgress(check) if check.refused => Some(PairFailure::WrongCredentials),
            _ => None,
        });
        // One pair that met something is worth more to the reader than ten that met silence.
        match failures.find(|why| *why != PairFailure::NoAnswer) {
            Some(PairFailure::WrongCredentials) => FailureReason::WrongCredentials,
            Some(PairFailure::NotSymmetric) => FailureReason::NotSymmetric,
            Some(PairFailure::Refused(code)) => FailureReason::Refused(code),
            Some(PairFailure::NoAnswer) | None
                if exhausted || session.checklist.iter().all(|pair| pair.responses == 0) =>
            {
                let pairs = u32::try_from(session.checklist.iter().filter(|pair| pair.requests > 0).count());
                FailureReason::NoAnswer {
                    pairs: pairs.unwrap_or(u32::MAX),
                    checks: session.checks_sent,
                    last,
                }
            }
            Some(PairFailure::NoAnswer) | None => FailureReason::TooLong(self.config.max_checking.as_secs()),
        }
    }
    /// Loudly: the state, then the reason.
    pub(super) fn fail(&mut self, reason: FailureReason) {
        if matches!(self.state, State::Failed | State::Closed) {
            return;
        }
        self.session.checklist.state = ChecklistState::Failed;
        self.session.in_use = None;
        self.previous = None;
        self.outbox.clear();
        self.timers.clear();
        self.set_state(State::Failed);
        self.push_event(Event::Failed(reason));
    }

    /// RFC 8445 section 9: a new generation. Roles stay, and so do sockets.
    pub(super) fn begin_again(&mut self, now: Instant) {
        let selected = self.current_selection();
        let fresh = Session::new(Credentials::generate(&mut self.rng), self.config.max_pairs);
        let old = core::mem::replace(&mut self.session, fresh);
        self.restarted = true;
        // A pair that works is kept until the new one does; after two restarts in a row that is still the first one's.
        if let (Some(selected), Some(remote)) = (selected, old.remote) {
            let link = old.in_use.map(|(_, link)| link);
            self.previous =
                Some(Previous { local: old.local, key: old.key, remote, selected, link, until: None });
        }
        self.outbox.clear();
        for timer in [Timer::Nominate, Timer::Retransmit, Timer::GiveUp, Timer::Pace] {
            self.timers.set(timer, None);
        }
        self.forget_names(now);
        if self.state == State::Failed {
            self.set_state(State::New);
        }
        self.update_state();
        self.gather_again();
    }
    /// Both sides' credentials are known: checks begin, and what came too early is applied (RFC 8445 section 7.3).
    pub(super) fn begin_checks(&mut self, now: Instant) {
        self.session.started = Some(now);
        let Some(remote) = &self.session.remote else { return };
        let ufrag = remote.credentials.ufrag.clone();
        self.drop_other_generations(now, &ufrag);
        self.update_state();
        for early in core::mem::take(&mut self.session.early) {
            if early.ufrag == ufrag {
                self.apply_check(now, early.path, early.priority, early.nominating);
            }
        }
    }
    /// Candidates that came before the credentials and name another username fragment.
    fn drop_other_generations(&mut self, now: Instant, ufrag: &str) {
        let other =
            |remote: &super::session::Remote| remote.candidate.ufrag.as_deref().is_some_and(|u| u != ufrag);
        if !self.session.remotes.iter().any(other) {
            return;
        }
        // Numbers of candidates are their places, so the table is made anew.
        self.forget_names(now);
        self.session.checklist.remove(|_| true);
        for remote in core::mem::take(&mut self.session.remotes).into_iter().filter(|remote| !other(remote)) {
            // It was taken once, and there is more room now than there was then.
            let _taken: Result<(), CandidateError> = self.admit(now, remote.candidate);
        }
    }
    /// Ends: RFC 8445 says nothing on the wire, so there is nothing to drain but the sockets.
    pub(super) fn end(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        self.session.in_use = None;
        self.previous = None;
        self.outbox.clear();
        self.timers.clear();
        self.gather.client.close(now);
        self.close_names(now);
        self.gather.release_all();
        self.set_state(State::Closed);
    }
}
