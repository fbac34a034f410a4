//! The signaling state: RFC 8829 section 3.2, one type for each state and one function for each arrow.
//!
//! An arrow consumes the state it leaves, so a description cannot be in two states, and an arrow that the figure does
//! not have cannot be written.

use super::TransceiverId;
use crate::Session;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The name of the state, as `RTCPeerConnection.signalingState` has it.
///
/// ```text
///                       set_remote(offer)               set_local(pranswer)
///                      /---------------\                /---------------\
///                      |               |                |               |
///    /-----------------v--\            |      /---------v--------\      |
///    |                    |            |      |                  |      |
///    |  HaveRemoteOffer   |------------/      | HaveLocalPranswer|------/
///    |                    |------------------>|                  |
///    \--------------------/ set_local(pranswer)\-----------------/
///      ^              |                             |
///      | set_remote   | set_local(answer)           | set_local(answer)
///      | (offer)      v                             |
///    /--------------------\                         |
///    |       Stable       |<------------------------/
///    |                    |<------------------------\
///    \--------------------/                         |
///      | set_local    ^                             | set_remote(answer)
///      v (offer)      | set_remote(answer)          |
///    /--------------------\                   /------------------\
///    |                    |------------------>|                  |
///    |  HaveLocalOffer    | set_remote        |HaveRemotePranswer|
///    |                    | (pranswer)        |                  |
///    \--------------------/                   \------------------/
///       repeats by set_local(offer)             repeats by set_remote(pranswer)
/// ```
/// `rollback` leads from both offers back to `Stable`; `close` from anywhere to `Closed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SignalingState {
    /// No exchange is under way.
    Stable,
    /// Our offer waits for an answer.
    HaveLocalOffer,
    /// The peer's offer waits for our answer.
    HaveRemoteOffer,
    /// We answered provisionally.
    HaveLocalPranswer,
    /// The peer answered provisionally.
    HaveRemotePranswer,
    /// It is over.
    Closed,
}

impl fmt::Display for SignalingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignalingState::Stable => "stable",
            SignalingState::HaveLocalOffer => "have-local-offer",
            SignalingState::HaveRemoteOffer => "have-remote-offer",
            SignalingState::HaveLocalPranswer => "have-local-pranswer",
            SignalingState::HaveRemotePranswer => "have-remote-pranswer",
            SignalingState::Closed => "closed",
        })
    }
}

/// Both descriptions of a finished exchange.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) local: Session,
    pub(super) remote: Session,
}

/// No exchange is under way; `agreed` is the last one.
#[derive(Debug, Default)]
pub(super) struct Stable {
    pub(super) agreed: Option<Agreed>,
}

/// Which section a transceiver had before the exchange, for rollback (RFC 8829 section 5.7).
#[derive(Clone, Debug)]
pub(super) struct Undo {
    pub(super) associations: Vec<(TransceiverId, Option<(usize, String)>)>,
}

#[derive(Debug)]
pub(super) struct LocalOffer {
    pub(super) before: Stable,
    pub(super) undo: Undo,
    pub(super) offer: Session,
}

#[derive(Debug)]
pub(super) struct RemoteOffer {
    pub(super) before: Stable,
    pub(super) undo: Undo,
    pub(super) offer: Session,
}

#[derive(Debug)]
pub(super) struct LocalPranswer {
    pub(super) before: Stable,
    pub(super) offer: Session,
    pub(super) pranswer: Session,
}

#[derive(Debug)]
pub(super) struct RemotePranswer {
    pub(super) before: Stable,
    pub(super) offer: Session,
    pub(super) pranswer: Session,
}

#[derive(Debug)]
pub(super) enum Signaling {
    Stable(Stable),
    LocalOffer(LocalOffer),
    RemoteOffer(RemoteOffer),
    LocalPranswer(LocalPranswer),
    RemotePranswer(RemotePranswer),
    Closed,
}

impl Stable {
    pub(super) fn on_local_offer(self, offer: Session, undo: Undo) -> LocalOffer {
        LocalOffer { before: self, undo, offer }
    }

    pub(super) fn on_remote_offer(self, offer: Session, undo: Undo) -> RemoteOffer {
        RemoteOffer { before: self, undo, offer }
    }
}

impl LocalOffer {
    pub(super) fn on_local_offer(self, offer: Session) -> LocalOffer {
        LocalOffer { offer, ..self }
    }

    pub(super) fn on_remote_answer(self, answer: Session) -> Stable {
        Stable { agreed: Some(Agreed { local: self.offer, remote: answer }) }
    }

    pub(super) fn on_remote_pranswer(self, pranswer: Session) -> RemotePranswer {
        RemotePranswer { before: self.before, offer: self.offer, pranswer }
    }

    pub(super) fn on_rollback(self) -> (Stable, Undo) {
        (self.before, self.undo)
    }
}

impl RemoteOffer {
    pub(super) fn on_remote_offer(self, offer: Session) -> RemoteOffer {
        RemoteOffer { offer, ..self }
    }

    pub(super) fn on_local_answer(self, answer: Session) -> Stable {
        Stable { agreed: Some(Agreed { local: answer, remote: self.offer }) }
    }

    pub(super) fn on_local_pranswer(self, pranswer: Session) -> LocalPranswer {
        LocalPranswer { before: self.before, offer: self.offer, pranswer }
    }

    pub(super) fn on_rollback(self) -> (Stable, Undo) {
        (self.before, self.undo)
    }
}

impl LocalPranswer {
    pub(super) fn on_local_pranswer(self, pranswer: Session) -> LocalPranswer {
        LocalPranswer { pranswer, ..self }
    }

    pub(super) fn on_local_answer(self, answer: Session) -> Stable {
        Stable { agreed: Some(Agreed { local: answer, remote: self.offer }) }
    }
}

impl RemotePranswer {
    pub(super) fn on_remote_pranswer(self, pranswer: Session) -> RemotePranswer {
        RemotePranswer { pranswer, ..self }
    }

    pub(super) fn on_remote_answer(self, answer: Session) -> Stable {
        Stable { agreed: Some(Agreed { local: self.offer, remote: answer }) }
    }
}

impl Signaling {
    pub(super) fn name(&self) -> SignalingState {
        match self {
            Signaling::Stable(_) => SignalingState::Stable,
            Signaling::LocalOffer(_) => SignalingState::HaveLocalOffer,
            Signaling::RemoteOffer(_) => SignalingState::HaveRemoteOffer,
            Signaling::LocalPranswer(_) => SignalingState::HaveLocalPranswer,
            Signaling::RemotePranswer(_) => SignalingState::HaveRemotePranswer,
            Signaling::Closed => SignalingState::Closed,
        }
    }

    /// The last finished exchange.
    pub(super) fn agreed(&self) -> Option<&Agreed> {
        match self {
            Signaling::Stable(stable) => stable.agreed.as_ref(),
            Signaling::LocalOffer(state) => state.before.agreed.as_ref(),
            Signaling::RemoteOffer(state) => state.before.agreed.as_ref(),
            Signaling::LocalPranswer(state) => state.before.agreed.as_ref(),
            Signaling::RemotePranswer(state) => state.before.agreed.as_ref(),
            Signaling::Closed => None,
        }
    }

    /// Our description: the pending one, or else the current one.
    pub(super) fn local(&self) -> Option<&Session> {
        match self {
            Signaling::LocalOffer(state) => Some(&state.offer),
            Signaling::LocalPranswer(state) => Some(&state.pranswer),
            Signaling::RemotePranswer(state) => Some(&state.offer),
            _ => self.agreed().map(|agreed| &agreed.local),
        }
    }

    /// The peer's description: the pending one, or else the current one.
    pub(super) fn remote(&self) -> Option<&Session> {
        match self {
            Signaling::RemoteOffer(state) => Some(&state.offer),
            Signaling::RemotePranswer(state) => Some(&state.pranswer),
            Signaling::LocalPranswer(state) => Some(&state.offer),
            _ => self.agreed().map(|agreed| &agreed.remote),
        }
    }

    /// The offer of the peer that waits for our answer.
    pub(super) fn remote_offer(&self) -> Option<&Session> {
        match self {
            Signaling::RemoteOffer(state) => Some(&state.offer),
            Signaling::LocalPranswer(state) => Some(&state.offer),
            _ => None,
        }
    }

    /// Our offer that waits for the peer's answer.
    pub(super) fn local_offer(&self) -> Option<&Session> {
        match self {
            Signaling::LocalOffer(state) => Some(&state.offer),
            Signaling::RemotePranswer(state) => Some(&state.offer),
            _ => None,
        }
    }
}
