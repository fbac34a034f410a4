//! TCP connections through the relay (RFC 6062 section 4).
//!
//! ```text
//!  connect: [ asking ] --success, CONNECTION-ID--> [ opening ] --a stream of its own--> [ binding ] --success--> [ open ]
//!  offered: [ offered ] ------------accept---------^    |                                  |                      |
//!               | 30 s                                  +-----------> failed <-------------+                lost, ended
//!  447: kept for 10 s, in which the same peer is not asked for again (section 4.3: MUST)
//! ```
//!
//! While a connection is bound its stream carries STUN messages; from the success on, the peer's octets as they are
//! (section 4.5).

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{
    Framing, Handled, Instant, Notice, Packet, Path, Receive, Refused, Request, Ticket, Transmit, Transport,
};
use ginnel_stun::{
    Method,
    attribute::{ConnectionId, XorPeerAddress},
    client::StartError,
};

use super::{
    Client,
    config::RelayTransport,
    event::{Connection, Event, FailureReason, PeerError, Relayed, SendError},
    requests::Answer,
    state::{Line, Purpose, State},
    timers::Timer,
};

/// RFC 6062 section 5.3: so long the server keeps a connection that nobody has come for.
const OFFERED: Duration = Duration::from_secs(30);
/// RFC 6062 section 4.3: *MUST wait at least 10 seconds*.
const AFTER_447: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Connect is to be sent.
    Wanted,
    /// Connect is on its way.
    Asking,
    /// The server has told of it, and the user has not taken it.
    Offered { id: ConnectionId, until: Instant },
    /// The data connection is opened.
    Opening { id: ConnectionId, ticket: Ticket },
    /// ConnectionBind is on its way.
    Binding { path: Path },
    /// It stands.
    Open { path: Path },
    /// The server could not connect; not before this again.
    Barred { until: Instant },
}
#[derive(Debug)]
struct Entry {
    name: Connection,
    peer: SocketAddr,
    step: Step,
}
impl Entry {
    const fn path(&self) -> Option<Path> {
        match self.step {
            Step::Binding { path } | Step::Open { path } => Some(path),
            _ => None,
        }
    }
}

/// All of them, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Connections {
    entries: Vec<Entry>,
    last: u32,
}
impl Connections {
    fn find(&mut self, name: Connection) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|it| it.name == name)
    }
    fn add(&mut self, peer: SocketAddr, step: Step) -> Connection {
        self.last = self.last.wrapping_add(1);
        let name = Connection(self.last);
        self.entries.push(Entry { name, peer, step });
        name
    }
    fn take(&mut self, name: Connection) -> Option<Entry> {
        let at = self.entries.iter().position(|it| it.name == name)?;
        Some(self.entries.remove(at))
    }
    pub(super) fn is_opening(&self, ticket: Ticket) -> bool {
        self.entries
            .iter()
            .any(|it| matches!(it.step, Step::Opening { ticket: other, .. } if other == ticket))
    }
    pub(super) fn is_on(&self, path: Path) -> bool {
        self.entries.iter().any(|it| it.path() == Some(path))
    }
    fn next(&self) -> Option<Instant> {
        let until = |it: &Entry| match it.step {
            Step::Offered { until, .. } | Step::Barred { until } => Some(until),
            _ => None,
        };
        self.entries.iter().filter_map(until).min()
    }
}

impl Client {
    pub(super) fn start_connect(&mut self, now: Instant, peer: SocketAddr) -> Result<Connection, PeerError> {
        if self.is_ended() {
            return Err(PeerError::Closed);
        }
        if self.config.relay != RelayTransport::Tcp {
            return Err(PeerError::WrongTransport);
        }
        let State::Allocated(allocation) = &self.state else { return Err(PeerError::NotAllocated) };
        if peer.port() == 0 || peer.ip().is_unspecified() || peer.ip().is_multicast() {
            return Err(PeerError::NoPeer);
        }
        if allocation.given.relayed.towards(peer.ip()).is_none() {
            return Err(PeerError::WrongFamily);
        }
        self.forget_old_connections(now);
        for it in self.connections.entries.iter().filter(|it| it.peer == peer) {
            match it.step {
                Step::Barred { .. } => return Err(PeerError::TooSoon),
                Step::Offered { .. } => {}
                _ => return Err(PeerError::AlreadyConnected),
            }
        }
        if self.connections.entries.len() >= self.config.max_connections {
            return Err(PeerError::TooMany);
        }
        let name = self.connections.add(peer, Step::Wanted);
        self.pump(now);
        Ok(name)
    }
    pub(super) fn start_accept(&mut self, now: Instant, name: Connection) -> Result<(), PeerError> {
        self.forget_old_connections(now);
        let Some(Entry { step: Step::Offered { id, .. }, .. }) = self.connections.find(name) else {
            return Err(PeerError::NoConnection);
        };
        let id = *id;
        self.open_data_connection(now, name, id);
        Ok(())
    }
    pub(super) fn end_connection(&mut self, now: Instant, name: Connection) -> bool {
        self.cancel(|it| it == Purpose::Connect(name) || it == Purpose::ConnectionBind(name));
        let Some(entry) = self.connections.take(name) else { return false };
        if let Some(path) = entry.path() {
            self.release(Line { path, own: true });
        }
        let barred = matches!(entry.step, Step::Barred { .. });
        if barred {
            self.connections.entries.push(entry);
        }
        self.rearm_connections(now);
        !barred
    }

    /// Sends the Connect requests that are wanted, as far as there is room.
    pub(super) fn pump_connections(&mut self, now: Instant) {
        let Some(line) = self.line else { return };
        while let Some(entry) = self.connections.entries.iter_mut().find(|it| matches!(it.step, Step::Wanted))
        {
            let (name, peer) = (entry.name, entry.peer);
            entry.step = Step::Asking;
            let asked = self.ask(now, line.path, Method::CONNECT, Purpose::Connect(name), move |open| {
                open.attribute(&XorPeerAddress(peer))
            });
            match asked {
                Ok(_) => {}
                Err(StartError::TooMany | StartError::TooManyToServer) => {
                    if let Some(entry) = self.connections.find(name) {
                        entry.step = Step::Wanted;
                    }
                    return;
                }
                Err(error) => self.on_connect_failed(now, name, FailureReason::NotStarted(error)),
            }
        }
    }
    pub(super) fn on_connect_answer(&mut self, now: Instant, name: Connection, answer: &Answer<'_>) {
        match (answer.error, answer.message.get::<ConnectionId>()) {
            (None, Ok(Some(id))) => self.open_data_connection(now, name, id),
            (None, _) => self.on_connect_failed(now, name, FailureReason::IncompleteSuccess),
            (Some(437), _) => self.on_lost(now, FailureReason::AllocationMismatch),
            (Some(code), _) => self.on_connect_failed(now, name, FailureReason::of_code(code)),
        }
    }
    /// RFC 6062 sections 4.3 and 4.4: a stream of its own to the same address of the server.
    fn open_data_connection(&mut self, now: Instant, name: Connection, id: ConnectionId) {
        let Some(line) = self.line else {
            return self.on_connect_failed(now, name, FailureReason::SocketLost);
        };
        let server = super::TurnServer { address: line.path.remote, ..self.setup.server };
        let ticket = self.request_socket(server, self.config.socket.ip());
        if let Some(entry) = self.connections.find(name) {
            entry.step = Step::Opening { id, ticket };
        }
        self.rearm_connections(now);
    }
    pub(super) fn on_connection_opened(
        &mut self,
        now: Instant,
        ticket: Ticket,
        result: Result<SocketAddr, Refused>,
    ) {
        let opening =
            |it: &&mut Entry| matches!(it.step, Step::Opening { ticket: other, .. } if other == ticket);
        let Some(entry) = self.connections.entries.iter_mut().find(opening) else { return };
        let Step::Opening { id, .. } = entry.step else { return };
        let name = entry.name;
        let (local, control) = match (result, self.line) {
            (Ok(local), Some(control)) => (local, control.path),
            (Err(refused), _) => {
                return self.on_connect_failed(now, name, FailureReason::Socket(refused));
            }
            (Ok(local), None) => {
                let server = self.setup.server;
                self.release(Line { path: Path::new(server.transport, local, server.address), own: true });
                return self.on_connect_failed(now, name, FailureReason::SocketLost);
            }
        };
        let path = Path { local, ..control };
        entry.step = Step::Binding { path };
        let purpose = Purpose::ConnectionBind(name);
        let asked = self.ask(now, path, Method::CONNECTION_BIND, purpose, move |open| open.attribute(&id));
        if let Err(error) = asked {
            self.on_connect_failed(now, name, FailureReason::NotStarted(error));
        }
    }
    /// The answer to a ConnectionBind.
    pub(super) fn on_bound(&mut self, now: Instant, name: Connection, refused: Option<FailureReason>) {
        if let Some(reason) = refused {
            return self.on_connect_failed(now, name, reason);
        }
        let Some(entry) = self.connections.find(name) else { return };
        let Step::Binding { path } = entry.step else { return };
        entry.step = Step::Open { path };
        let peer = entry.peer;
        self.requests.push_back(Request::Frame { path, framing: Framing::Raw });
        self.events.push_back(Event::Connected { connection: name, peer });
    }
    pub(super) fn on_connect_failed(&mut self, now: Instant, name: Connection, reason: FailureReason) {
        let Some(entry) = self.connections.take(name) else { return };
        let (connection, peer) = (name, entry.peer);
        if let Some(path) = entry.path() {
            self.release(Line { path, own: true });
        }
        if reason == FailureReason::ConnectionFailed {
            self.connections.entries.push(Entry { step: Step::Barred { until: now + AFTER_447 }, ..entry });
        }
        self.rearm_connections(now);
        self.events.push_back(Event::ConnectFailed { connection, peer, reason });
    }
    /// RFC 6062 section 4.4: a peer has come.
    pub(super) fn on_attempt(&mut self, now: Instant, peer: SocketAddr, id: ConnectionId) {
        let permitted = self.permissions.lets_in(now, peer.ip());
        if self.config.relay != RelayTransport::Tcp
            || !matches!(self.state, State::Allocated(_))
            || !permitted
        {
            self.stats.not_permitted += 1;
            return;
        }
        self.forget_old_connections(now);
        let twice = |it: &Entry| matches!(it.step, Step::Offered { id: other, .. } if other == id);
        if self.connections.entries.iter().any(twice) {
            return;
        }
        if self.connections.entries.len() >= self.config.max_connections
            || self.events.len() >= super::data::MAX_UNTOLD
        {
            self.stats.untold += 1;
            return;
        }
        let connection = self.connections.add(peer, Step::Offered { id, until: now + OFFERED });
        self.rearm_connections(now);
        self.events.push_back(Event::ConnectionAttempt { connection, peer });
    }

    /// What comes on a data connection.
    pub(super) fn on_connection_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Relayed> {
        let Some(entry) = self.connections.entries.iter().find(|it| it.path() == Some(input.path)) else {
            return Handled::Foreign;
        };
        let Step::Open { .. } = entry.step else { return self.on_response(now, input) };
        let State::Allocated(allocation) = &self.state else { return Handled::Consumed };
        let Some(relayed) = allocation.given.relayed.towards(entry.peer.ip()) else {
            return Handled::Consumed;
        };
        input.path = Path { transport: Transport::Tcp, local: relayed, remote: entry.peer };
        self.stats.octets_received += input.packet.len() as u64;
        Handled::Data(Relayed::Octets { connection: entry.name })
    }
    pub(super) fn send_on(&mut self, name: Connection, packet: &Packet<'_>) -> Result<Transmit, SendError> {
        match self.connections.find(name) {
            Some(Entry { step: Step::Open { path }, .. }) => {
                let transmit = Transmit::to(*path);
                self.stats.octets_sent += packet.len() as u64;
                Ok(transmit)
            }
            _ => Err(SendError::NotConnected),
        }
    }

    /// Data connections end with their streams (RFC 6062 section 4.6).
    pub(super) fn on_connections_lost(&mut self, now: Instant, notice: Notice) {
        let ended = |it: &Entry| it.path().is_some_and(|path| notice.ends(path));
        while let Some(at) = self.connections.entries.iter().position(ended) {
            let Entry { name, peer, step } = self.connections.entries.remove(at);
            self.cancel(|it| it == Purpose::ConnectionBind(name));
            let connection = name;
            self.events.push_back(match step {
                Step::Open { .. } => Event::Disconnected { connection, peer },
                _ => Event::ConnectFailed { connection, peer, reason: FailureReason::SocketLost },
            });
        }
        self.rearm_connections(now);
    }
    /// All end with the allocation.
    pub(super) fn end_connections(&mut self) {
        for Entry { name, peer, step } in core::mem::take(&mut self.connections.entries) {
            let connection = name;
            match step {
                Step::Open { path } => {
                    self.release(Line { path, own: true });
                    self.events.push_back(Event::Disconnected { connection, peer });
                }
                Step::Barred { .. } | Step::Offered { .. } => {}
                Step::Wanted | Step::Asking | Step::Opening { .. } | Step::Binding { .. } => {
                    if let Step::Binding { path } = step {
                        self.release(Line { path, own: true });
                    }
                    let reason = FailureReason::Ended;
                    self.events.push_back(Event::ConnectFailed { connection, peer, reason });
                }
            }
        }
    }
    /// Takes out offers that have passed, and peers that may be asked for again.
    pub(super) fn forget_old_connections(&mut self, now: Instant) {
        self.connections.entries.retain(|it| match it.step {
            Step::Offered { until, .. } | Step::Barred { until } => until > now,
            _ => true,
        });
        self.rearm_connections(now);
    }
    fn rearm_connections(&mut self, now: Instant) {
        let next = self.connections.next().map(|at| at.max(now));
        self.timers.set(Timer::Connections, next);
    }
}
