//! Remote candidates that are `.local` names: the mDNS candidates draft, section 3.2.
//!
//! A name is asked for as soon as its candidate comes, and everything else goes on meanwhile. The resolver is made
//! when the first name comes, so that an agent that meets none asks for no multicast socket.

use ginnel_core::{Instant, Notice, Packet, Receive, Request, Transmit, Wake};

use super::{Agent, Event, State};
use crate::{
    Candidate, CandidateAddress, CandidateError,
    mdns::{self, Querier, QueryId},
    pair::RemoteId,
};

/// Which child of the agent a ticket belongs to.
pub(super) const CHILD_NAMES: u8 = 1;

/// The resolver, and which candidate waits for which question.
#[derive(Debug, Default)]
pub(super) struct Names {
    querier: Option<Querier>,
    waiting: alloc::vec::Vec<(QueryId, RemoteId)>,
}
impl Names {
    pub(super) fn poll_timeout(&self) -> Option<Wake> {
        self.querier.as_ref()?.poll_timeout()
    }
    pub(super) fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        self.querier.as_mut()?.poll_transmit(now, packet)
    }
    pub(super) fn poll_request(&mut self) -> Option<Request> {
        loop {
            // A ticket of eight levels is beyond any driver; the question times out without a socket.
            let nested = self.querier.as_mut()?.poll_request()?.nest(CHILD_NAMES);
            if nested.is_some() {
                return nested;
            }
        }
    }
    pub(super) fn is_closed(&self) -> bool {
        self.querier.as_ref().is_none_or(Querier::is_closed)
    }
}

impl Agent {
    pub(super) fn take_named(&mut self, now: Instant, candidate: Candidate) -> Result<(), CandidateError> {
        if !self.config.mdns {
            return Err(CandidateError::MdnsOff);
        }
        let CandidateAddress::Mdns { name, .. } = candidate.address.clone() else {
            return Err(CandidateError::BadName);
        };
        // The same one again, as where signalling says a candidate both in its description and by trickle.
        if self.session.remotes.iter().any(|known| known.candidate.address == candidate.address) {
            return Ok(());
        }
        let id = self.enter_remote(candidate, None)?;
        let seed = &self.names_seed;
        let querier = self
            .names
            .querier
            .get_or_insert_with(|| Querier::new(mdns::Config::default(), seed.fork("ice names")));
        match querier.resolve(now, &name) {
            Ok(query) => self.names.waiting.push((query, id)),
            Err(_) => return Err(CandidateError::BadName),
        }
        self.drain_names();
        Ok(())
    }
    /// What the resolver says. Called after each call into it.
    pub(super) fn drain_names(&mut self) {
        while let Some(event) = self.names.querier.as_mut().and_then(Querier::poll_event) {
            match event {
                mdns::Event::Resolved { id, ip, .. } => match self.answered(id) {
                    Some(remote) => self.resolved(remote, ip),
                    None => continue,
                },
                mdns::Event::Failed { id, name, .. } => match self.answered(id) {
                    Some(_) => self.push_event(Event::NameUnresolved(name)),
                    None => continue,
                },
                _ => {}
            }
        }
    }
    fn answered(&mut self, query: QueryId) -> Option<RemoteId> {
        let at = self.names.waiting.iter().position(|(known, _)| *known == query)?;
        Some(self.names.waiting.swap_remove(at).1)
    }
    /// The draft, section 3.2.1 step 4: the candidate goes on as if it had come with the address.
    fn resolved(&mut self, id: RemoteId, ip: core::net::IpAddr) {
        let Some(remote) = self.session.remote(id) else { return };
        let address = (ip, remote.candidate.address.port()).into();
        if let Some(known) = self.session.remote_at(address).map(|known| known.id) {
            let candidate = remote.candidate.clone();
            return self.merge_remote(known, candidate);
        }
        if let Some(remote) = self.session.remotes.get_mut(usize::from(id.0)) {
            remote.address = Some(address);
        }
        self.pair_remote(id);
    }
    /// Whether an answer may still come.
    pub(super) fn is_resolving(&self) -> bool {
        !self.names.waiting.is_empty()
    }
    /// A restart flushes the names of the old generation.
    pub(super) fn forget_names(&mut self, now: Instant) {
        let Some(querier) = &mut self.names.querier else { return };
        for (query, _) in self.names.waiting.drain(..) {
            querier.cancel(now, query);
        }
        self.drain_names();
    }
    /// Whether the packet was the resolver's.
    pub(super) fn offer_names(&mut self, now: Instant, input: &mut Receive<'_>) -> bool {
        let Some(querier) = &mut self.names.querier else { return false };
        let taken = !matches!(querier.handle_input(now, input), ginnel_core::Handled::Foreign);
        if taken {
            self.drain_names();
        }
        taken
    }
    pub(super) fn notify_names(&mut self, now: Instant, notice: Notice) {
        let Some(querier) = &mut self.names.querier else { return };
        querier.handle_notice(now, notice);
        self.drain_names();
    }
    pub(super) fn fire_names(&mut self, now: Instant) {
        let Some(querier) = &mut self.names.querier else { return };
        querier.handle_timeout(now);
        self.drain_names();
        if self.state == State::Checking {
            self.consider_failure(now);
        }
    }
    pub(super) fn close_names(&mut self, now: Instant) {
        self.names.waiting.clear();
        if let Some(querier) = &mut self.names.querier {
            querier.close(now);
        }
        self.drain_names();
    }
}
