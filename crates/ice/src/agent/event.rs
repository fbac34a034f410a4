//! What the agent tells its user.

use core::{fmt, net::SocketAddr};

use ginnel_core::Path;

use crate::{Candidate, CandidateKind, Role};

/// Where an agent is.
///
/// ```text
/// New --set_remote_credentials--> Checking --a pair is valid--> Connected <--missed / answered--> Disconnected
///                                    |                             |                                  |
///                                    +---- nothing worked ---->  Failed  <---- consent expired -------+
///                                    restart: Failed, Disconnected -> New; Connected stays while the old pair works
/// any --close--> Closed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Gathering, and waiting for the other side's credentials.
    New,
    /// Checking pairs; none is valid yet.
    Checking,
    /// A pair is valid: data flows. A better pair may still be selected.
    Connected,
    /// The last consent checks were not answered. Data still flows, as far as the network lets it, until consent expires.
    Disconnected,
    /// It did not work, or it ended; [`Event::Failed`] says why. Only a restart helps.
    Failed,
    /// Over.
    Closed,
}

/// The pair that data takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelectedPair {
    /// From our base to the remote candidate.
    pub path: Path,
    /// Our address as the peer sees it.
    pub local: SocketAddr,
    /// The kind of our candidate.
    pub local_kind: CandidateKind,
    /// The kind of theirs.
    pub remote_kind: CandidateKind,
    /// Whether the controlling agent has nominated it. Before that it is the best of the valid pairs.
    pub nominated: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A candidate to tell the other side, in this order (RFC 8838 section 9). After a restart the candidates come again, with
    /// the new username fragment.
    LocalCandidate(Candidate),
    /// No more local candidates will come: say end-of-candidates to the other side (RFC 8838 section 13).
    GatheringComplete,
    /// The state has changed.
    StateChanged {
        /** It was. */
        from: State,
        /** It is. */
        to: State,
    },
    /// A pair was nominated: data takes it from now on.
    Selected(SelectedPair),
    /// The peer no longer consents to data on the pair in use (RFC 7675 section 5): sending has stopped.
    ConsentExpired,
    /// A role conflict was settled against our role (RFC 8445 section 7.3.1.1).
    RoleSwitched(Role),
    /// A socket could not be opened, or was lost: its candidates are gone.
    SocketLost(SocketLost),
    /// A name could not be resolved: its candidate takes no part.
    NameUnresolved(alloc::string::String),
    /// The agent has failed, for this reason. The state is `Failed` now, and a restart is possible.
    Failed(FailureReason),
}

/// A socket that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketLost {
    /// The driver refused to open it.
    Refused(core::net::IpAddr, ginnel_core::Refused),
    /// It was open, and went away.
    Lost(SocketAddr),
}

/// Why an agent failed, in words for the person who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// No socket, so no candidate of ours.
    #[error("this host has no candidates: no socket could be opened on any address")]
    NoLocalCandidates,
    /// Neither signalling nor a check brought a candidate.
    #[error("the peer sent no candidates, and no check from it arrived")]
    NoRemoteCandidates,
    /// Candidates on both sides, yet no two that fit.
    #[error("no candidate of the peer fits one of ours: the address families differ")]
    NothingToPair,
    /// All they sent were names that nobody answers for.
    #[error("the peer's candidates are .local names, and none could be resolved on this network")]
    NamesUnresolved,
    /// Silence.
    #[error(
        "{pairs} pairs were checked with {checks} requests, and none was answered; the last went to {last}: a firewall or NAT drops UDP, or the peer is gone"
    )]
    NoAnswer {
        /** How many pairs. */
        pairs: u32,
        /** How many requests. */
        checks: u64,
        /** Where the last one went. */
        last: SocketAddr,
    },
    /// 401 to our checks: signalling mixed up sessions or generations.
    #[error("the peer refuses our credentials (401): signalling delivered wrong or outdated ones")]
    WrongCredentials,
    /// Answers came, all from elsewhere than the question went to.
    #[error(
        "answers came from other addresses than the checks went to: something between rewrites addresses one way"
    )]
    NotSymmetric,
    /// The peer answered with an error.
    #[error("the peer answers checks with error {0}")]
    Refused(u16),
    /// RFC 8445 section 7.2.5.3.4.
    #[error("the nominated pair stopped working before the nomination was answered")]
    NominationFailed,
    /// RFC 7675 section 5.1.
    #[error("the peer has not answered consent checks for {0} seconds: it is gone, or the path is")]
    ConsentExpired(u64),
    /// RFC 7675 section 5.2: 403.
    #[error("the peer has revoked its consent")]
    ConsentRevoked,
    /// The interface of the pair in use went away, and no other pair is valid.
    #[error("the socket of the pair in use was lost")]
    SocketLost,
    /// `max_checking` has passed.
    #[error("no pair worked in {0} seconds, though checks or signalling are still unfinished")]
    TooLong(u64),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
