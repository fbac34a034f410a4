//! One connection between a client and a peer, and the tables that it stands in.

use super::*;

#[derive(Debug)]
pub(super) struct Connection<A, W> {
    pub(super) allocation: A,
    pub(super) peer: SocketAddr,
    pub(super) state: State<W>,
}
/// Where it stands in the diagram of the module.
#[derive(Debug)]
pub(super) enum State<W> {
    /// The driver was asked for a stream, and the client waits for the answer.
    Connecting { ticket: Ticket, asked: W, until: Instant },
    /// The driver was asked for a stream, and nobody waits for it any more.
    Abandoned { ticket: Ticket },
    /// There is a stream, and the client may come for it.
    Pending { stream: Path, until: Instant },
    /// The client has come for it.
    Bound { stream: Path, client: Path },
}
impl<W> State<W> {
    /// When it ends by itself.
    const fn until(&self) -> Option<Instant> {
        match self {
            Self::Connecting { until, .. } | Self::Pending { until, .. } => Some(*until),
            Self::Abandoned { .. } | Self::Bound { .. } => None,
        }
    }
    fn streams(&self) -> impl Iterator<Item = Path> {
        let (stream, client) = match *self {
            Self::Pending { stream, .. } => (Some(stream), None),
            Self::Bound { stream, client } => (Some(stream), Some(client)),
            Self::Connecting { .. } | Self::Abandoned { .. } => (None, None),
        };
        stream.into_iter().chain(client)
    }
    const fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Connecting { ticket, .. } | Self::Abandoned { ticket } => Some(*ticket),
            Self::Pending { .. } | Self::Bound { .. } => None,
        }
    }
    const fn is_abandoned(&self) -> bool {
        matches!(self, Self::Abandoned { .. })
    }
}

impl<A: Copy + Ord, W, C> Connections<A, W, C> {
    /// Puts a connection into all tables that it belongs into.
    pub(super) fn insert(&mut self, id: u32, connection: Connection<A, W>) {
        let state = &connection.state;
        self.tickets.extend(state.ticket().map(|ticket| (ticket, id)));
        self.streams.extend(state.streams().map(|stream| (stream, id)));
        self.ends.extend(state.until().map(|until| (until, id)));
        let list = if state.is_abandoned() { &mut self.abandoned } else { &mut self.of_allocation };
        list.insert((connection.allocation, id));
        self.connections.insert(id, connection);
    }
    /// Takes it out of all of them.
    pub(super) fn remove(&mut self, id: u32) -> Option<Connection<A, W>> {
        let connection = self.connections.remove(&id)?;
        let state = &connection.state;
        if let Some(ticket) = state.ticket() {
            self.tickets.remove(&ticket);
        }
        for stream in state.streams() {
            self.streams.remove(&stream);
        }
        if let Some(until) = state.until() {
            self.ends.remove(&(until, id));
        }
        self.of_allocation.remove(&(connection.allocation, id));
        if self.abandoned.remove(&(connection.allocation, id)) && !self.has_abandoned(connection.allocation) {
            self.claims.remove(&connection.allocation);
        }
        Some(connection)
    }
    /// There is a stream to a peer: its client may come for it from now on.
    pub(super) fn pend(&mut self, now: Instant, id: u32, allocation: A, stream: Path) {
        let state = State::Pending { stream, until: now + PENDING_FOR };
        self.insert(id, Connection { allocation, peer: stream.remote, state });
    }
    /// The driver owes a stream that nobody waits for: it is given back when it comes.
    pub(super) fn abandon(&mut self, id: u32, allocation: A, peer: SocketAddr, ticket: Ticket) {
        self.insert(id, Connection { allocation, peer, state: State::Abandoned { ticket } });
    }
    /// 447.
    pub(super) fn fail(&mut self, asked: W) {
        self.stats.failed += 1;
        self.says.push_back(Say::Failed { asked });
    }
    pub(super) fn release(&mut self, stream: Path) {
        self.requests.push_back(Request::release(stream));
    }
    pub(super) fn is_full(&self, allocation: A) -> bool {
        // Those that are abandoned count in all, so that the driver is not asked for ever more.
        self.connections.len() >= self.limits.total.min(CONNECTIONS_MAX)
            || self.ids(allocation).count() >= self.limits.per_allocation
    }
    pub(super) fn new_id(&self, tokens: &mut Tokens) -> Option<u32> {
        tokens.connection_id(|id| self.connections.contains_key(&id))
    }
}
