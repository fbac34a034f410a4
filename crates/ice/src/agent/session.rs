//! One generation: everything that a restart flushes (RFC 8445 section 9), and what is kept of the one before.

use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::net::SocketAddr;

use ginnel_core::{Instant, Path};
use ginnel_stun::{IntegrityKey, TransactionId};

use super::{SelectedPair, consent::Link};
use crate::{
    Candidate, Credentials,
    checklist::Checklist,
    foundation::{Foundation, RemoteFoundations},
    pair::{Check, PairId, RemoteId},
};

/// How many checks are remembered that came before the credentials of their sender. More pairs than a peer checks
/// in the time that an answer takes through signalling.
pub(super) const MAX_EARLY_CHECKS: usize = 16;
/// How many cancelled transactions may still be answered.
const MAX_LINGERING: usize = 64;

/// The other side's credentials, ready for use.
#[derive(Debug)]
pub(super) struct RemoteSide {
    pub(super) credentials: Credentials,
    /// Keys our requests, and their answers (RFC 8445 section 7.2.2).
    pub(super) key: IntegrityKey,
    /// `theirs:ours`.
    pub(super) username: String,
}
impl RemoteSide {
    pub(super) fn new(credentials: Credentials, local: &Credentials) -> Self {
        Self {
            key: IntegrityKey::from_octets(credentials.password.as_bytes()),
            username: alloc::format!("{}:{}", credentials.ufrag, local.ufrag),
            credentials,
        }
    }
}

/// A candidate of the other side.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) id: RemoteId,
    pub(super) candidate: Candidate,
    pub(super) foundation: Foundation,
    /// Where it is, once a name is resolved.
    pub(super) address: Option<SocketAddr>,
}

/// A check that came before the credentials of its sender (RFC 8445 section 7.3): answered, and applied later.
#[derive(Debug)]
pub(super) struct EarlyCheck {
    pub(super) path: Path,
    pub(super) priority: u32,
    pub(super) nominating: bool,
    pub(super) ufrag: String,
}

/// A cancelled check whose answer still counts (RFC 8445 section 7.3.1.4).
#[derive(Debug)]
struct Lingering {
    pair: PairId,
    check: Check,
    until: Instant,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) local: Credentials,
    /// Keys the peer's requests, and our answers.
    pub(super) key: IntegrityKey,
    pub(super) remote: Option<RemoteSide>,
    pub(super) remotes: Vec<Remote>,
    pub(super) foundations: RemoteFoundations,
    pub(super) early: Vec<EarlyCheck>,
    pub(super) checklist: Checklist,
    lingering: VecDeque<Lingering>,
    /// The pair that data takes, unless the one of before the restart still does.
    pub(super) in_use: Option<(PairId, Link)>,
    pub(super) selected: Option<PairId>,
    pub(super) first_valid: Option<Instant>,
    /// The peer has said end-of-candidates.
    pub(super) remote_end: bool,
    /// We have said it.
    pub(super) local_end: bool,
    /// When both sides' credentials were known: checks may begin, and the PAC timer runs.
    pub(super) started: Option<Instant>,
    pub(super) checks_sent: u64,
    pub(super) last_checked: Option<SocketAddr>,
}
impl Session {
    pub(super) fn new(local: Credentials, max_pairs: usize) -> Self {
        Self {
            key: IntegrityKey::from_octets(local.password.as_bytes()),
            local,
            remote: None,
            remotes: Vec::new(),
            foundations: RemoteFoundations::default(),
            early: Vec::new(),
            checklist: Checklist::new(max_pairs),
            lingering: VecDeque::new(),
            in_use: None,
            selected: None,
            first_valid: None,
            remote_end: false,
            local_end: false,
            started: None,
            checks_sent: 0,
            last_checked: None,
        }
    }
    pub(super) fn remote_at(&self, address: SocketAddr) -> Option<&Remote> {
        self.remotes.iter().find(|remote| remote.address == Some(address))
    }
    pub(super) fn remote(&self, id: RemoteId) -> Option<&Remote> {
        self.remotes.get(usize::from(id.0))
    }
    /// Keeps a cancelled check until its last transmission would have been waited for.
    pub(super) fn linger(&mut self, now: Instant, pair: PairId, check: Check) {
        self.lingering.retain(|lingering| now < lingering.until);
        if self.lingering.len() >= MAX_LINGERING {
            self.lingering.pop_front();
        }
        self.lingering.push_back(Lingering { pair, until: check.end(), check });
    }
    pub(super) fn lingering(&self, transaction: TransactionId) -> Option<(PairId, Check)> {
        let known = self.lingering.iter().find(|lingering| lingering.check.transaction == transaction)?;
        Some((known.pair, known.check))
    }
    pub(super) fn forget(&mut self, transaction: TransactionId) {
        self.lingering.retain(|lingering| lingering.check.transaction != transaction);
    }
    /// Remembers a check until the credentials of its sender come. False if it was dropped.
    pub(super) fn remember(&mut self, check: EarlyCheck) -> bool {
        if let Some(known) =
            self.early.iter_mut().find(|known| known.path == check.path && known.ufrag == check.ufrag)
        {
            known.nominating |= check.nominating;
            known.priority = check.priority;
            return true;
        }
        let room = self.early.len() < MAX_EARLY_CHECKS;
        if room {
            self.early.push(check);
        }
        room
    }
}

/// What is kept of the generation before a restart: its pair works on until the new one does, and its checks are answered
/// and its data taken until no peer can mean it any more. Nothing of it touches the new session.
#[derive(Debug)]
pub(super) struct Previous {
    pub(super) local: Credentials,
    pub(super) key: IntegrityKey,
    pub(super) remote: RemoteSide,
    pub(super) selected: SelectedPair,
    /// While data still takes the old pair.
    pub(super) link: Option<Link>,
    /// When it is forgotten, once a pair of the new generation is selected.
    pub(super) until: Option<Instant>,
}
