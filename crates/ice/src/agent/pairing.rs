//! Forming pairs: RFC 8445 sections 6.1.2.2 to 6.1.2.5, RFC 8838 sections 10 and 11.
//!
//! Only bases are paired: a pair of a reflexive candidate is always redundant with that of its base (6.1.2.4). Pairing and
//! telling the user are one step, so a candidate is never paired before it was told (RFC 8838 section 10 item 1).

use core::net::{IpAddr, SocketAddr};

use ginnel_core::{Instant, Path};

use super::{Agent, session::Remote};
use crate::{
    Candidate, CandidateAddress, CandidateError, CandidateKind,
    checklist::{ChecklistState, Inserted, NewPair},
    pair::{LocalId, PairId, RemoteId},
    priority,
};

impl Agent {
    /// A candidate that came by signalling.
    pub(super) fn take_remote(
        &mut self,
        now: Instant,
        mut candidate: Candidate,
    ) -> Result<(), CandidateError> {
        if self.is_over() {
            return Err(CandidateError::Closed);
        }
        candidate.validate()?;
        let generation = self.session.remote.as_ref().map(|remote| remote.credentials.ufrag.as_str());
        if let (Some(theirs), Some(known)) = (candidate.ufrag.as_deref(), generation)
            && theirs != known
        {
            return Err(CandidateError::OtherGeneration);
        }
        if self.session.remote_end {
            return Err(CandidateError::AfterEndOfCandidates);
        }
        // RFC 8445 section 5.1.1.1 has no use for IPv4-mapped addresses: packets come from the address that they map.
        if let CandidateAddress::Ip(address) = &mut candidate.address {
            address.set_ip(address.ip().to_canonical());
        }
        self.admit(now, candidate)
    }
    /// A candidate that may be one: known already, named, or new.
    pub(super) fn admit(&mut self, now: Instant, candidate: Candidate) -> Result<(), CandidateError> {
        match &candidate.address {
            CandidateAddress::Ip(address) => {
                let address = *address;
                if let Some(id) = self.session.remote_at(address).map(|known| known.id) {
                    self.merge_remote(id, candidate);
                    return Ok(());
                }
                let id = self.enter_remote(candidate, Some(address))?;
                self.pair_remote(id);
            }
            CandidateAddress::Mdns { .. } => self.take_named(now, candidate)?,
        }
        Ok(())
    }
    /// Enters a candidate, unless the table is full.
    pub(super) fn enter_remote(
        &mut self,
        candidate: Candidate,
        address: Option<SocketAddr>,
    ) -> Result<RemoteId, CandidateError> {
        let session = &mut self.session;
        if session.remotes.len() >= self.config.max_remote_candidates {
            self.stats.candidates_dropped += 1;
            return Err(CandidateError::TooMany);
        }
        let foundation = match candidate.kind {
            // RFC 8445 section 7.3.1.3: different from all others.
            CandidateKind::PeerReflexive => session.foundations.unique(),
            _ => session.foundations.of(&candidate.foundation),
        };
        let id = RemoteId(session.remotes.len() as u16);
        session.remotes.push(Remote { id, candidate, foundation, address });
        Ok(id)
    }
    /// The same address again. What a check taught us gives way to what signalling says of it: priority and foundation
    /// are the peer's own now (RFC 8445 section 7.3.1.3, RFC 8838 section 11 item 4). Other duplicates change nothing.
    pub(super) fn merge_remote(&mut self, id: RemoteId, candidate: Candidate) {
        let session = &mut self.session;
        let Some(known) = session.remotes.get_mut(usize::from(id.0)) else { return };
        if known.candidate.kind != CandidateKind::PeerReflexive
            || candidate.kind == CandidateKind::PeerReflexive
        {
            return;
        }
        known.foundation = session.foundations.of(&candidate.foundation);
        known.candidate = candidate;
        let (priority, foundation) = (known.candidate.priority, known.foundation);
        for pair in session.checklist.iter_mut().filter(|pair| pair.remote == id) {
            pair.foundation.1 = foundation;
            if let Some(local) = self.locals.iter().find(|local| local.id == pair.local) {
                pair.priority = priority::pair(self.role, local.candidate.priority, priority);
            }
        }
    }
    pub(super) fn pair_remote(&mut self, id: RemoteId) {
        for at in 0..self.locals.len() {
            let base =
                self.locals.get(at).filter(|local| is_base(local.candidate.kind)).map(|local| local.id);
            if let Some(base) = base {
                self.pair(base, id);
            }
        }
    }
    pub(super) fn pair_local(&mut self, id: LocalId) {
        for at in 0..self.session.remotes.len() {
            self.pair(id, RemoteId(at as u16));
        }
    }
    /// RFC 8445 section 6.1.2.2: same component, same family, link-local only with link-local. RFC 8445 section 7.3.1.3:
    /// not with what a check taught us; its pair is formed where the check arrived. Loopback is paired with loopback only:
    /// section 5.1.1.1 allows none, and a peer must not make this host talk to itself from its other addresses.
    fn pair(&mut self, local: LocalId, remote: RemoteId) {
        if self.session.checklist.state != ChecklistState::Running {
            return;
        }
        let Some(path) = self.path_of(local, remote) else { return };
        let learnt =
            self.session.remote(remote).is_some_and(|r| r.candidate.kind == CandidateKind::PeerReflexive);
        let alike = |test: fn(IpAddr) -> bool| test(path.local.ip()) == test(path.remote.ip());
        if !learnt && alike(is_link_local) && alike(|ip| ip.is_loopback()) {
            self.insert_pair(local, remote);
        }
    }
    fn path_of(&self, local: LocalId, remote: RemoteId) -> Option<Path> {
        let base = self.locals.iter().find(|known| known.id == local)?.base;
        let address = self.session.remote(remote)?.address?;
        (base.is_ipv4() == address.is_ipv4()).then(|| Path::udp(base, address))
    }
    /// Puts a pair into the checklist, or finds it there.
    pub(super) fn insert_pair(&mut self, local: LocalId, remote: RemoteId) -> Option<PairId> {
        let path = self.path_of(local, remote)?;
        let ours = self.locals.iter().find(|known| known.id == local)?;
        let theirs = self.session.remote(remote)?;
        let new = NewPair {
            local,
            remote,
            path,
            foundation: (ours.foundation, theirs.foundation),
            priority: priority::pair(self.role, ours.candidate.priority, theirs.candidate.priority),
        };
        match self.session.checklist.insert(new) {
            Inserted::New(id) | Inserted::Redundant(id) => Some(id),
            Inserted::Full => None,
        }
    }
    /// Pair priorities are a function of the role (RFC 8445 section 7.2.5.1).
    pub(super) fn recompute_priorities(&mut self) {
        let session = &mut self.session;
        for pair in session.checklist.iter_mut() {
            let ours = self.locals.iter().find(|local| local.id == pair.local);
            let theirs = session.remotes.get(usize::from(pair.remote.0));
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                pair.priority = priority::pair(self.role, ours.candidate.priority, theirs.candidate.priority);
            }
        }
    }
}

/// Whether packets leave from candidates of this kind.
const fn is_base(kind: CandidateKind) -> bool {
    matches!(kind, CandidateKind::Host | CandidateKind::Relayed)
}
/// RFC 4291 section 2.5.6.
fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
