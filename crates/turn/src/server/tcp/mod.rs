//! Connections of TCP allocations (RFC 6062 section 5): to peers, from peers, and to the client that comes for them.
//!
//! ```text
//!  Connect request --> Connecting --opened--> Pending --ConnectionBind--> Bound --ended--> gone
//!                          |                  ^    |
//!                          | failed, 30 s     |    | 30 s, the peer ended
//!                          v                  |    v
//!                         447       a peer's stream, gone
//!                                  ConnectionAttempt
//! ```
//!
//! A stream to a peer is held: nothing is read from it, so what the peer sends waits in the two operating systems, as flow
//! control has it, and is there when the client comes (section 5.4). Then the driver joins the two streams, and no octet
//! of them is seen here.
//! Left out: who may ask for what. The owner has checked credentials, permissions and peers, and answers.

mod connection;
mod serve;

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{Framing, Instant, Path, Refused, Request, StreamRate, Ticket, Transport};
use ginnel_stun::attribute::ErrorCode;

use super::policy::{CONNECTIONS_MAX, Tokens};
use connection::{Connection, State};
pub(super) use serve::Asked;

/// RFC 6062 section 5.2: how long connecting may take; at least 30 seconds.
const CONNECTING_FOR: Duration = Duration::from_secs(30);
/// RFC 6062 sections 5.2 and 5.3: how long a stream to a peer waits for its ConnectionBind.
const PENDING_FOR: Duration = Duration::from_secs(30);

/// How many connections there may be.
///
/// ```
/// use ginnel_turn::server::TcpLimits;
///
/// let limits = TcpLimits::default().with_per_allocation(4).with_total(1000);
/// assert_eq!((limits.per_allocation, limits.total), (4, 1000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpLimits {
    /// Of one allocation. Beyond it Connect is answered with 508, and peers' streams are closed.
    pub per_allocation: usize,
    /// In this machine, at most [`CONNECTIONS_MAX`]. Beyond it the same.
    pub total: usize,
}
impl Default for TcpLimits {
    fn default() -> Self {
        Self { per_allocation: 64, total: CONNECTIONS_MAX }
    }
}
impl TcpLimits {
    /// With so many for each allocation.
    #[must_use]
    pub const fn with_per_allocation(mut self, most: usize) -> Self {
        self.per_allocation = most;
        self
    }
    /// With so many in all.
    #[must_use]
    pub const fn with_total(mut self, most: usize) -> Self {
        self.total = if most > CONNECTIONS_MAX { CONNECTIONS_MAX } else { most };
        self
    }
}

/// What became of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpStats {
    /// Connect requests that led to a stream.
    pub connected: u64,
    /// Connect requests that were answered with 447.
    pub failed: u64,
    /// Streams of peers that the client was told of.
    pub attempts: u64,
    /// Streams of peers that were closed at once: no permission, or no room.
    pub refused: u64,
    /// ConnectionBind requests that joined two streams.
    pub bound: u64,
    /// Streams that no client came for in time.
    pub expired: u64,
    /// Octets from clients to peers, of streams that have ended.
    pub from_clients: u64,
    /// Octets from peers to clients, of streams that have ended.
    pub from_peers: u64,
}

/// What is to be said to a client. `W` is what its owner keeps to answer a Connect request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Say<A, W> {
    /// A Connect success response with this CONNECTION-ID.
    Connected { asked: W, id: u32 },
    /// 447 (Connection Timeout or Failure).
    Failed { asked: W },
    /// A ConnectionAttempt indication.
    Attempt { allocation: A, peer: SocketAddr, id: u32 },
}

/// The connections of all TCP allocations of a server. `A` names an allocation, and `C` is its share of the quotas.
#[derive(Debug)]
pub(super) struct Connections<A, W, C> {
    limits: TcpLimits,
    /// By CONNECTION-ID, which those that are still being made have already.
    connections: BTreeMap<u32, Connection<A, W>>,
    tickets: BTreeMap<Ticket, u32>,
    /// The streams to peers, and those of clients that are joined to them.
    streams: BTreeMap<Path, u32>,
    of_allocation: BTreeSet<(A, u32)>,
    /// Those that are abandoned, and the shares of allocations that have ended before them: else a user could ask for
    /// streams without end by allocating anew.
    abandoned: BTreeSet<(A, u32)>,
    claims: BTreeMap<A, C>,
    ends: BTreeSet<(Instant, u32)>,
    /// Both are drained after each call: one call leaves one in each for each connection that it is about.
    says: VecDeque<Say<A, W>>,
    requests: VecDeque<Request>,
    stats: TcpStats,
}

impl<A: Copy + Ord, W, C> Connections<A, W, C> {
    pub(super) fn new(limits: TcpLimits) -> Self {
        Self {
            limits,
            connections: BTreeMap::new(),
            tickets: BTreeMap::new(),
            streams: BTreeMap::new(),
            of_allocation: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            claims: BTreeMap::new(),
            ends: BTreeSet::new(),
            says: VecDeque::new(),
            requests: VecDeque::new(),
            stats: TcpStats::default(),
        }
    }
    pub(super) const fn set_limits(&mut self, limits: TcpLimits) {
        self.limits = limits;
    }

    /// Why a Connect request for this peer is refused: 446 (section 5.2), or 508.
    pub(super) fn refusal(&self, allocation: A, peer: SocketAddr) -> Option<ErrorCode<'static>> {
        let is_there =
            self.ids(allocation).any(|id| self.connections.get(&id).is_some_and(|it| it.peer == peer));
        if is_there {
            Some(ErrorCode::CONNECTION_ALREADY_EXISTS)
        } else if self.is_full(allocation) {
            Some(ErrorCode::INSUFFICIENT_CAPACITY)
        } else {
            None
        }
    }
    /// Connects to a peer from the relayed address (section 5.2). Ask [`refusal`](Self::refusal) first. `Err` gives back
    /// what was asked: there is no CONNECTION-ID left (508).
    pub(super) fn connect(
        &mut self,
        now: Instant,
        (allocation, relayed): (A, SocketAddr),
        peer: SocketAddr,
        (ticket, asked): (Ticket, W),
        tokens: &mut Tokens,
    ) -> Result<(), W> {
        let Some(id) = self.new_id(tokens) else { return Err(asked) };
        let until = now + CONNECTING_FOR;
        self.requests.push_back(Request::Connect {
            ticket,
            transport: Transport::Tcp,
            local: Some(relayed),
            remote: peer,
            framing: Framing::Held,
            host: None,
            alpn: None,
        });
        self.insert(id, Connection { allocation, peer, state: State::Connecting { ticket, asked, until } });
        Ok(())
    }
    /// The outcome of a request of [`connect`](Self::connect). False if the ticket is somebody else's.
    pub(super) fn opened(
        &mut self,
        now: Instant,
        ticket: Ticket,
        result: Result<SocketAddr, Refused>,
    ) -> bool {
        let Some(&id) = self.tickets.get(&ticket) else { return false };
        let Some(connection) = self.remove(id) else { return true };
        let Connection { allocation, peer, state } = connection;
        match (state, result) {
            (State::Connecting { asked, .. }, Ok(local)) => {
                let stream = Path::new(Transport::Tcp, local, peer);
                self.stats.connected += 1;
                self.says.push_back(Say::Connected { asked, id });
                self.pend(now, id, allocation, stream);
            }
            (State::Connecting { asked, .. }, Err(_)) => self.fail(asked),
            // Nobody waits for it any more.
            (_, Ok(local)) => self.release(Path::new(Transport::Tcp, local, peer)),
            (_, Err(_)) => {}
        }
        true
    }
    /// A peer's stream to a relayed address (section 5.3). `allocation` is whose that is, if the peer is permitted and
    /// the stream is to be kept; else it is closed at once.
    pub(super) fn accepted(
        &mut self,
        now: Instant,
        stream: Path,
        allocation: Option<A>,
        tokens: &mut Tokens,
    ) {
        let room = allocation.filter(|&allocation| !self.is_full(allocation));
        let Some((allocation, id)) = room.zip(self.new_id(tokens)) else {
            self.stats.refused += 1;
            return self.release(stream);
        };
        self.stats.attempts += 1;
        self.says.push_back(Say::Attempt { allocation, peer: stream.remote, id });
        self.pend(now, id, allocation, stream);
    }
    /// Whose the pending connection of this CONNECTION-ID is; `None` (400, section 5.4) if there is none.
    pub(super) fn pending(&self, id: u32) -> Option<A> {
        let connection = self.connections.get(&id)?;
        matches!(connection.state, State::Pending { .. }).then_some(connection.allocation)
    }
    /// Joins the client's stream to the pending connection (section 5.4), at these rates at the most. The answer on the client's
    /// stream goes first. False if it is not pending.
    pub(super) fn bind(&mut self, id: u32, client: Path, rates: [Option<StreamRate>; 2]) -> bool {
        if self.pending(id).is_none() || self.streams.contains_key(&client) {
            return false;
        }
        let Some(Connection { allocation, peer, state: State::Pending { stream, .. } }) = self.remove(id)
        else {
            return false;
        };
        self.stats.bound += 1;
        self.requests.push_back(Request::Splice { one: client, other: stream, rates });
        self.insert(id, Connection { allocation, peer, state: State::Bound { stream, client } });
        true
    }
    /// Two joined streams have ended: whose they were, and how many octets went from the client and from the peer.
    pub(super) fn spliced(&mut self, one: Path, forth: u64, back: u64) -> Option<(A, u64, u64)> {
        // Joined here, so the client's is the first. Others join none.
        self.stats.from_clients = self.stats.from_clients.saturating_add(forth);
        self.stats.from_peers = self.stats.from_peers.saturating_add(back);
        let connection = self.connections.get(self.streams.get(&one)?)?;
        Some((connection.allocation, forth, back))
    }
    /// A stream has ended (section 5.5). Where two were joined, the driver has closed both. False if it is none of these.
    pub(super) fn lost(&mut self, stream: Path) -> bool {
        let Some(&id) = self.streams.get(&stream) else { return false };
        self.remove(id);
        true
    }
    /// An allocation has ended, and with it all its connections (section 5.5). Its share of the quotas is kept as long as the
    /// driver still opens streams for it.
    pub(super) fn end(&mut self, allocation: A, claim: C) {
        let ids: Vec<u32> = self.ids(allocation).collect();
        ids.into_iter().for_each(|id| self.end_one(id));
        if self.has_abandoned(allocation) {
            self.claims.insert(allocation, claim);
        }
    }
    /// Ends the connections to these peers, and stops connecting to them.
    pub(super) fn cut_off(&mut self, is_denied: impl Fn(SocketAddr) -> bool) {
        let cut: Vec<u32> = self
            .of_allocation
            .iter()
            .map(|&(_, id)| id)
            .filter(|id| self.connections.get(id).is_some_and(|it| is_denied(it.peer)))
            .collect();
        cut.into_iter().for_each(|id| self.end_one(id));
    }
    /// Ends what has taken too long.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(until, id)) = self.ends.first()
            && now >= until
        {
            if matches!(self.connections.get(&id), Some(Connection { state: State::Pending { .. }, .. })) {
                self.stats.expired += 1;
            }
            self.end_one(id);
        }
    }
    /// Ends one, whatever its state.
    fn end_one(&mut self, id: u32) {
        let Some(Connection { allocation, peer, state }) = self.remove(id) else { return };
        match state {
            State::Connecting { ticket, asked, .. } => {
                self.fail(asked);
                self.abandon(id, allocation, peer, ticket);
            }
            // What is joined to it goes with it.
            State::Pending { stream, .. } | State::Bound { stream, .. } => self.release(stream),
            // The driver still owes it: it is ended already.
            State::Abandoned { ticket } => self.abandon(id, allocation, peer, ticket),
        }
    }
    /// All is over, and nobody is told: what is asked of the driver is all that is left.
    pub(super) fn close(&mut self) {
        self.cut_off(|_| true);
        self.says.clear();
    }
    /// Whether the driver owes an answer, or is owed a request.
    pub(super) fn is_waiting(&self) -> bool {
        !self.connections.is_empty() || !self.requests.is_empty()
    }
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.ends.first().map(|&(until, _)| until)
    }
    pub(super) fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }
    pub(super) fn poll_say(&mut self) -> Option<Say<A, W>> {
        self.says.pop_front()
    }
    pub(super) const fn stats(&self) -> TcpStats {
        self.stats
    }

    fn has_abandoned(&self, allocation: A) -> bool {
        self.abandoned.range((allocation, 0)..=(allocation, u32::MAX)).next().is_some()
    }
    /// Those of an allocation that are not abandoned.
    fn ids(&self, allocation: A) -> impl Iterator<Item = u32> {
        self.of_allocation.range((allocation, 0)..=(allocation, u32::MAX)).map(|&(_, id)| id)
    }
}

#[cfg(test)]
mod tests;
