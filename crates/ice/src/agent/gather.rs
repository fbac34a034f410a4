//! Gathering (RFC 8445 section 5.1.1): sockets from the driver, host candidates, server-reflexive candidates.
//!
//! A socket is asked for as soon as its address is added; the candidate is told the moment it is there. STUN servers
//! are asked through each socket of their family, paced by Ta together with the checks (section 14.1); a dead server delays
//! `GatheringComplete` by 9.5 s and nothing else. Until a pair is selected the bindings are refreshed (section 5.1.1.4).
//! Left out: relayed candidates, and TCP.

use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{Instant, Notice, Path, Refused, Request, Seed, Ticket, Transport};
use ginnel_stun::client::{Client, ClientConfig, Event as StunEvent};

use super::{AddLocalIpError, Agent, Event, FailureReason, SocketLost, State, timers::Timer};
use crate::{
    COMPONENT, Candidate, CandidateAddress, CandidateKind, CandidateTransport,
    candidate::is_unicast,
    foundation::{Foundation, FoundationKey},
    pair::LocalId,
    priority,
};

/// How many addresses of the host an agent takes.
pub(super) const MAX_SOCKETS: usize = 16;
/// How many local candidates there are at most: those of all sockets and servers, and some peer-reflexive ones.
const MAX_LOCALS: usize = 64;
/// RFC 8445 section 14.3: the RTO while gathering; with the default Ta its formula gives more only beyond 10 queries.
const RTO: Duration = Duration::from_millis(500);
/// A server is asked 5 times, and after the last given 4 RTOs: 9.5 s in all. RFC 8489 section 6.2.1 lets both be chosen.
const RC: u32 = 5;
/// See [`RC`].
const RM: u32 = 4;
/// Which child of the agent a ticket belongs to.
pub(super) const CHILD_SOCKETS: u8 = 0;

/// A socket, from the request to its loss.
#[derive(Clone, Copy, Debug)]
struct Socket {
    ticket: Ticket,
    ip: IpAddr,
    /// RFC 8445 section 5.1.2.1: unique, falling in the order of adding.
    preference: u16,
    state: SocketState,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SocketState {
    /// Asked for; the request waits in `poll_request` or with the driver.
    Opening,
    Open(SocketAddr),
}
impl Socket {
    const fn address(&self) -> Option<SocketAddr> {
        match self.state {
            SocketState::Opening => None,
            SocketState::Open(address) => Some(address),
        }
    }
}

/// A candidate of ours.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) id: LocalId,
    pub(super) candidate: Candidate,
    pub(super) address: SocketAddr,
    pub(super) base: SocketAddr,
    pub(super) foundation: Foundation,
    /// What a peer-reflexive candidate of this base would have: PRIORITY of checks (RFC 8445 section 7.1.1).
    pub(super) reflexive_priority: u32,
}

/// The sockets, and the queries to STUN servers.
#[derive(Debug)]
pub(super) struct Gatherer {
    sockets: Vec<Socket>,
    requests: VecDeque<Request>,
    next_ticket: u64,
    added: u16,
    pub(super) next_local: u16,
    /// Queries that wait for their slot.
    queue: VecDeque<Path>,
    pub(super) client: Client,
    /// Queries of the first round that have not ended; refreshes of bindings do not count.
    open_queries: Vec<Path>,
    /// The user has said that no more addresses come.
    ended: bool,
    /// Whether the last slot of Ta went to a check: then a query is next.
    pub(super) turn: bool,
}
impl Gatherer {
    pub(super) fn new(seed: &Seed) -> Self {
        let config = ClientConfig::default()
            .with_schedule(RTO, RC, RM)
            .with_learn_rto(false) // RFC 8445 section 14.3 has its own
            .with_max_transactions(2 * MAX_SOCKETS * super::MAX_STUN_SERVERS, 2 * MAX_SOCKETS);
        Self {
            sockets: Vec::new(),
            requests: VecDeque::new(),
            next_ticket: 0,
            added: 0,
            next_local: 0,
            queue: VecDeque::new(),
            client: Client::new(config, seed.fork("ice gathering")),
            open_queries: Vec::new(),
            ended: false,
            turn: false,
        }
    }
    pub(super) fn has_query(&self) -> bool {
        !self.queue.is_empty()
    }
    pub(super) fn poll_request(&mut self) -> Option<Request> {
        let request = self.requests.pop_front();
        if self.requests.is_empty() {
            // A request is large, since it may hold a host name, and there are few after the first: no room is kept for them.
            self.requests.shrink_to_fit();
        }
        request
    }
    pub(super) fn is_open(&self, local: SocketAddr) -> bool {
        self.sockets.iter().any(|socket| socket.address() == Some(local))
    }
    /// Whether the first round is over.
    fn is_complete(&self) -> bool {
        self.ended
            && self.open_queries.is_empty()
            && self.sockets.iter().all(|socket| socket.state != SocketState::Opening)
    }
    /// Gives all sockets back: those that are open at once, those that the driver is opening when it has.
    pub(super) fn release_all(&mut self) {
        let unasked = core::mem::take(&mut self.requests);
        self.sockets.retain(|socket| {
            let ticket = socket.ticket.nest(CHILD_SOCKETS);
            let asked =
                !unasked.iter().any(|r| matches!(r, Request::Bind { ticket: t, .. } if Some(*t) == ticket));
            match socket.state {
                SocketState::Opening => asked,
                SocketState::Open(local) => {
                    self.requests.push_back(Request::Release {
                        transport: Transport::Udp,
                        local,
                        remote: None,
                    });
                    false
                }
            }
        });
    }
    /// Whether the driver has all sockets back.
    pub(super) fn is_closed(&self) -> bool {
        self.sockets.is_empty() && self.requests.is_empty()
    }
}

impl Agent {
    pub(super) fn bind(&mut self, ip: IpAddr) -> Result<(), AddLocalIpError> {
        if self.is_over() {
            return Err(AddLocalIpError::Closed);
        }
        if ip.is_loopback() && !self.config.loopback {
            return Err(AddLocalIpError::Loopback);
        }
        if !is_usable(ip) {
            return Err(AddLocalIpError::NotUsable);
        }
        let gather = &mut self.gather;
        if gather.sockets.iter().any(|socket| socket.ip == ip) {
            return Err(AddLocalIpError::AlreadyAdded);
        }
        if gather.sockets.len() >= MAX_SOCKETS {
            return Err(AddLocalIpError::TooMany);
        }
        let own = Ticket(gather.next_ticket);
        let ticket = own.nest(CHILD_SOCKETS).ok_or(AddLocalIpError::TooMany)?;
        gather.next_ticket += 1;
        let preference = u16::MAX - gather.added;
        gather.added = gather.added.saturating_add(1);
        gather.sockets.push(Socket { ticket: own, ip, preference, state: SocketState::Opening });
        gather.requests.push_back(Request::Bind { ticket, ip, port: self.config.port });
        Ok(())
    }
    pub(super) fn end_gathering(&mut self) {
        self.gather.ended = true;
        self.complete_gathering();
    }
    /// The driver's answer to a `Bind` of ours.
    pub(super) fn opened(&mut self, ticket: Ticket, result: Result<SocketAddr, Refused>) {
        let opening = |socket: &Socket| socket.ticket == ticket && socket.state == SocketState::Opening;
        let Some(at) = self.gather.sockets.iter().position(opening) else { return };
        if self.is_over() {
            self.gather.sockets.remove(at);
            if let Ok(local) = result {
                self.gather.requests.push_back(Request::Release {
                    transport: Transport::Udp,
                    local,
                    remote: None,
                });
            }
            return;
        }
        match result {
            Ok(local) => {
                self.gather.sockets[at].state = SocketState::Open(local);
                // RFC 8838 section 13: after end-of-candidates no candidate is told until a restart.
                if !self.session.local_end {
                    self.add_host(at);
                }
            }
            Err(why) => {
                let socket = self.gather.sockets.remove(at);
                self.push_event(Event::SocketLost(SocketLost::Refused(socket.ip, why)));
            }
        }
        self.complete_gathering();
    }
    /// A host candidate for the socket at `at`, and the queries through it.
    fn add_host(&mut self, at: usize) {
        let Some((socket, local)) = self.gather.sockets.get(at).and_then(|s| Some((*s, s.address()?))) else {
            return;
        };
        let Some(id) = self.add_local(CandidateKind::Host, local, local, None, socket.preference) else {
            return;
        };
        self.announce(id);
        self.pair_local(id);
        self.ask_servers(local);
    }
    /// Queues a query to each server of its family through the socket at `local`.
    fn ask_servers(&mut self, local: SocketAddr) {
        for server in self.config.stun_servers.iter().filter(|server| server.is_ipv4() == local.is_ipv4()) {
            let path = Path::udp(local, *server);
            if !self.gather.queue.contains(&path) {
                self.gather.queue.push_back(path);
            }
            self.gather.open_queries.push(path);
        }
    }
    /// Enters a candidate, unless the table is full.
    pub(super) fn add_local(
        &mut self,
        kind: CandidateKind,
        address: SocketAddr,
        base: SocketAddr,
        server: Option<IpAddr>,
        preference: u16,
    ) -> Option<LocalId> {
        if self.locals.len() >= MAX_LOCALS {
            self.stats.candidates_dropped += 1;
            return None;
        }
        let transport = CandidateTransport::Udp;
        let foundation = self.foundations.of(FoundationKey { kind, base: base.ip(), server, transport });
        let id = LocalId(self.gather.next_local);
        self.gather.next_local = self.gather.next_local.wrapping_add(1);
        let candidate = Candidate {
            foundation: alloc::format!("{}", foundation.0 + 1),
            priority: self.unique_priority(kind, preference),
            related: (kind != CandidateKind::Host).then_some(base),
            ..Candidate::udp(CandidateAddress::Ip(address), kind)
        };
        let reflexive_priority = priority::candidate(CandidateKind::PeerReflexive, preference, COMPONENT);
        self.locals.push(Local { id, candidate, address, base, foundation, reflexive_priority });
        Some(id)
    }
    /// RFC 8445 section 5.1.2.1: of several candidates of one kind each has a local preference of its own. A second server
    /// may see the same base elsewhere, so it may take the next free one.
    fn unique_priority(&self, kind: CandidateKind, preference: u16) -> u32 {
        let taken = |p: u32| {
            kind != CandidateKind::PeerReflexive && self.locals.iter().any(|l| l.candidate.priority == p)
        };
        (0..=preference)
            .rev()
            .step_by(MAX_SOCKETS)
            .map(|preference| priority::candidate(kind, preference, COMPONENT))
            .find(|priority| !taken(*priority))
            .unwrap_or(1)
    }
    /// Tells the user of a candidate, in this generation's name.
    fn announce(&mut self, id: LocalId) {
        let Some(local) = self.locals.iter_mut().find(|local| local.id == id) else { return };
        local.candidate.ufrag = Some(String::from(self.session.local.ufrag.as_str()));
        let candidate = local.candidate.clone();
        self.push_event(Event::LocalCandidate(candidate));
    }
    /// After a restart host candidates are told again (RFC 8445 section 9), those of new sockets too. Servers are asked again:
    /// since a pair was selected the bindings were not refreshed, and may be others now.
    pub(super) fn gather_again(&mut self) {
        self.locals.retain(|local| local.candidate.kind == CandidateKind::Host);
        self.gather.open_queries.clear();
        let known: Vec<(LocalId, SocketAddr)> =
            self.locals.iter().map(|local| (local.id, local.base)).collect();
        for (id, base) in &known {
            self.announce(*id);
            self.ask_servers(*base);
        }
        for at in 0..self.gather.sockets.len() {
            let local = self.gather.sockets.get(at).and_then(Socket::address);
            if local.is_some_and(|local| !known.iter().any(|(_, base)| *base == local)) {
                self.add_host(at);
            }
        }
        self.complete_gathering();
    }
    /// Asks the next server: one slot of Ta.
    pub(super) fn fire_query(&mut self, now: Instant) {
        let Some(path) = self.gather.queue.pop_front() else { return };
        self.gather.turn = false;
        if self.gather.client.binding(now, path).is_err() {
            self.gather.open_queries.retain(|open| *open != path);
            self.complete_gathering();
        }
    }
    /// [`Timer::RefreshBindings`]: RFC 8445 section 5.1.1.4.
    pub(super) fn fire_refresh(&mut self, now: Instant) {
        if self.session.selected.is_some() || self.state == State::Failed {
            return;
        }
        for local in self.locals.iter().filter(|local| local.candidate.kind == CandidateKind::Host) {
            for server in self.config.stun_servers.iter().filter(|s| s.is_ipv4() == local.base.is_ipv4()) {
                let path = Path::udp(local.base, *server);
                if !self.gather.queue.contains(&path) && !self.gather.open_queries.contains(&path) {
                    self.gather.queue.push_back(path);
                }
            }
        }
        if !self.config.stun_servers.is_empty() {
            self.timers.set(Timer::RefreshBindings, Some(now + self.config.keepalive));
        }
    }
    /// What became of queries. Called after each call into the client.
    pub(super) fn drain_client(&mut self, now: Instant) {
        while let Some(event) = self.gather.client.poll_event() {
            let path = match event {
                StunEvent::Mapped { path, mapped, .. } => {
                    self.add_reflexive(path, mapped);
                    if self.timers.get(Timer::RefreshBindings).is_none() {
                        self.timers.set(Timer::RefreshBindings, Some(now + self.config.keepalive));
                    }
                    path
                }
                StunEvent::Failed { path, .. } => path,
                _ => continue,
            };
            self.gather.open_queries.retain(|open| *open != path);
            self.complete_gathering();
        }
    }
    /// RFC 8445 section 5.1.3 and RFC 8838 section 9: told, unless its address and base are known already. Not paired:
    /// checks leave from its base, whose pairs exist (RFC 8445 section 6.1.2.4).
    fn add_reflexive(&mut self, path: Path, mapped: SocketAddr) {
        let known = |local: &Local| local.address == mapped && local.base == path.local;
        if self.session.local_end
            || !is_unicast(mapped.ip())
            || mapped.port() == 0
            || self.locals.iter().any(known)
        {
            return;
        }
        let base = |socket: &&Socket| socket.address() == Some(path.local);
        let Some(preference) = self.gather.sockets.iter().find(base).map(|socket| socket.preference) else {
            return;
        };
        let server = Some(path.remote.ip());
        if let Some(id) =
            self.add_local(CandidateKind::ServerReflexive, mapped, path.local, server, preference)
        {
            self.announce(id);
        }
    }
    fn complete_gathering(&mut self) {
        if !self.session.local_end && self.gather.is_complete() {
            self.session.local_end = true;
            self.push_event(Event::GatheringComplete);
        }
    }
    /// A socket went away: its candidates and pairs go with it (RFC 8445 section 5.1.1.4).
    pub(super) fn lost(&mut self, now: Instant, lost: SocketAddr) {
        let Some(at) = self.gather.sockets.iter().position(|socket| socket.address() == Some(lost)) else {
            return;
        };
        self.gather.sockets.remove(at);
        self.gather.queue.retain(|path| path.local != lost);
        // Those that waited for their slot will have no end of their own.
        self.gather.open_queries.retain(|path| path.local != lost);
        self.gather
            .client
            .handle_notice(now, Notice::Lost { transport: Transport::Udp, local: lost, remote: None });
        self.drain_client(now);
        self.locals.retain(|local| local.base != lost);
        self.session.checklist.remove(|pair| pair.path.local == lost);
        self.push_event(Event::SocketLost(SocketLost::Lost(lost)));
        if self.previous.as_ref().is_some_and(|previous| previous.selected.path.local == lost) {
            self.previous = None;
        }
        let selected = self.session.selected;
        if selected.is_some_and(|id| self.session.checklist.get(id).is_none()) {
            self.session.selected = None;
        }
        if self.session.in_use.as_ref().is_some_and(|(_, link)| link.path.local == lost) {
            self.session.in_use = None;
        }
        self.choose_pair(now);
        // What was being nominated may be gone.
        self.consider_nomination(now);
        // RFC 8445 section 8.1.1: a second nomination takes a restart.
        let nothing_left = selected.is_some() && self.session.selected.is_none() && self.in_use().is_none();
        if nothing_left && self.state != State::Failed {
            self.fail(FailureReason::SocketLost);
        }
        self.complete_gathering();
    }
}

/// RFC 8445 section 5.1.1.1: what cannot be a host candidate.
fn is_usable(ip: IpAddr) -> bool {
    let deprecated = match ip {
        IpAddr::V4(_) => false,
        // IPv4-mapped, IPv4-compatible and site-local.
        IpAddr::V6(v6) => {
            (v6.to_ipv4().is_some() && !v6.is_loopback()) || v6.segments()[0] & 0xffc0 == 0xfec0
        }
    };
    is_unicast(ip) && !deprecated
}
