//! What can be asked of an agent at any time: pairs and counters.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use ginnel_core::Path;

use super::{Agent, Role, SelectedPair, State, consent::Generation};
use crate::{Candidate, CandidateKind, Credentials, pair::Pair};

impl Agent {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }
    /// The role, which a conflict may have changed.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }
    /// Our credentials of this generation.
    #[must_use]
    pub const fn local_credentials(&self) -> &Credentials {
        &self.session.local
    }
    /// Theirs, if they are known.
    #[must_use]
    pub fn remote_credentials(&self) -> Option<&Credentials> {
        self.session.remote.as_ref().map(|remote| &remote.credentials)
    }
    /// The pair that data takes: the nominated one, or before that the best of the valid pairs. After a restart the old one,
    /// until the new one is selected.
    #[must_use]
    pub fn selected(&self) -> Option<SelectedPair> {
        match self.in_use()? {
            (Generation::Current, _) => self.current_selection(),
            (Generation::Previous, _) => self.previous.as_ref().map(|previous| previous.selected),
        }
    }
    /// Our candidates, peer-reflexive ones included.
    pub fn local_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.locals.iter().map(|local| &local.candidate)
    }
    /// Theirs, as they were given or learnt.
    pub fn remote_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.session.remotes.iter().map(|remote| &remote.candidate)
    }
    /// Whether all local candidates of this generation have been told.
    #[must_use]
    pub const fn is_gathering_complete(&self) -> bool {
        self.session.local_end
    }
    /// All pairs of this generation, best first.
    #[must_use]
    pub fn pairs(&self) -> Vec<PairReport> {
        let mut pairs: Vec<_> = self.session.checklist.iter().map(|pair| self.report(pair)).collect();
        pairs.sort_by_key(|pair| core::cmp::Reverse(pair.priority));
        pairs
    }
    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }
    fn report(&self, pair: &Pair) -> PairReport {
        let valid = pair.valid.as_deref();
        let shown = valid.map_or(pair.local, |valid| valid.mapped);
        let local = self.locals.iter().find(|local| local.id == shown);
        let remote = self.session.remote(pair.remote);
        PairReport {
            local: local.map_or(pair.path.local, |local| local.address),
            local_kind: local.map_or(CandidateKind::Host, |local| local.candidate.kind),
            remote: pair.path.remote,
            remote_kind: remote.map_or(CandidateKind::PeerReflexive, |remote| remote.candidate.kind),
            path: pair.path,
            priority: pair.priority,
            state: pair.state.status(),
            valid: valid.is_some(),
            nominated: valid.is_some_and(|valid| valid.nominated),
            selected: self.session.in_use.as_ref().is_some_and(|(id, _)| *id == pair.id),
            rtt: pair.rtt,
            requests_sent: pair.requests.into(),
            responses_received: pair.responses.into(),
            packets_sent: valid.map_or(0, |valid| valid.packets_sent),
            bytes_sent: valid.map_or(0, |valid| valid.bytes_sent),
            packets_received: valid.map_or(0, |valid| valid.packets_received),
            bytes_received: valid.map_or(0, |valid| valid.bytes_received),
        }
    }
}

/// RFC 8445 section 6.1.2.6, in the report's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PairStatus {
    /// Waits until another pair of its foundation has been checked.
    Frozen,
    /// Waits for its turn.
    Waiting,
    /// A check is under way.
    InProgress,
    /// A check was answered.
    Succeeded,
    /// See the failure.
    Failed(PairFailure),
    /// Not checked any more: another pair was nominated (RFC 8445 section 8.1.2).
    Retired,
}

/// Why a pair failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PairFailure {
    /// RFC 8445 section 7.2.5.2.3.
    #[error("no answer")]
    NoAnswer,
    /// RFC 8445 section 7.2.5.2.1.
    #[error("the answer came from elsewhere")]
    NotSymmetric,
    /// The peer said 401 or 400 without integrity, and nothing better until the transaction ended.
    #[error("the peer refuses our credentials")]
    WrongCredentials,
    /// RFC 8445 section 7.2.5.2.4.
    #[error("the peer answered with error {0}")]
    Refused(u16),
}

/// One pair, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairReport {
    /// Our address: the mapped one once a check has shown it, else the base.
    pub local: SocketAddr,
    /// The kind of our candidate.
    pub local_kind: CandidateKind,
    /// Theirs.
    pub remote: SocketAddr,
    /// The kind of theirs.
    pub remote_kind: CandidateKind,
    /// From our base to theirs: what packets take.
    pub path: Path,
    /// RFC 8445 section 6.1.2.3.
    pub priority: u64,
    /// Where it stands.
    pub state: PairStatus,
    /// Whether it is in the valid list.
    pub valid: bool,
    /// Whether it was nominated.
    pub nominated: bool,
    /// Whether data takes it.
    pub selected: bool,
    /// The last measured round trip.
    pub rtt: Option<Duration>,
    /// Requests sent for checks and consent, retransmissions included.
    pub requests_sent: u64,
    /// Answers that counted.
    pub responses_received: u64,
    /// Data sent.
    pub packets_sent: u64,
    /// Data sent.
    pub bytes_sent: u64,
    /// Data received.
    pub packets_received: u64,
    /// Data received.
    pub bytes_received: u64,
}

/// Counters of an agent since it was made. They survive restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Data packets sent.
    pub packets_sent: u64,
    /// Their octets.
    pub bytes_sent: u64,
    /// Data packets received on a validated path.
    pub packets_received: u64,
    /// Their octets.
    pub bytes_received: u64,
    /// Data packets from a path that is not validated: dropped.
    pub packets_unvalidated: u64,
    /// Connectivity checks sent, without retransmissions.
    pub checks_sent: u64,
    /// Retransmissions of them.
    pub retransmissions: u64,
    /// Consent checks sent.
    pub consent_sent: u64,
    /// Keepalive indications sent.
    pub keepalives_sent: u64,
    /// Checks of the peer that were answered with success.
    pub checks_answered: u64,
    /// Checks that were answered with an error, or not at all: wrong credentials, missing attributes.
    pub checks_rejected: u64,
    /// Checks of another generation that were answered and changed nothing.
    pub checks_other_generation: u64,
    /// Role conflicts that we answered with 487.
    pub role_conflicts: u64,
    /// Answers that counted.
    pub responses_received: u64,
    /// Answers to nothing that was asked, from where it was not asked, or without integrity.
    pub responses_ignored: u64,
    /// STUN messages that cannot be read, or whose fingerprint is wrong.
    pub malformed: u64,
    /// Packets on sockets that are not the agent's.
    pub foreign: u64,
    /// Pairs that were dropped because `max_pairs` was reached.
    pub pairs_dropped: u64,
    /// Remote candidates, early checks or peer-reflexive candidates that were not taken because a bound was reached.
    pub candidates_dropped: u64,
    /// Events that nobody fetched in time: the oldest made room.
    pub events_dropped: u64,
}
