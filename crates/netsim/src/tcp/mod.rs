//! Streams: a small TCP, so that machines meet over it what they meet over the real one.
//!
//! Segments travel as datagrams do, over the same links and through the same middleboxes, and are lost, doubled and reordered
//! there; an end repeats what is not acknowledged, puts in order what comes, and takes in no more than its window. So a
//! stream is late where a link is bad, ends where one is cut for long, and holds its sender back where nobody reads.
//!
//! Left out on purpose: congestion control (the window is constant), delayed acknowledgements, simultaneous open, urgent data,
//! and the records of TLS: a stream with TLS is one that both ends ask for as such, and every certificate is trusted.

mod arriving;
mod connection;
mod segment;
mod splice;

use alloc::{collections::BTreeMap, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{
    Ecn, Frame, Framing, Instant, Notice, Packet, Path, Port, Refused, Request, Ticket, Transport,
};

use crate::{Datagram, Fate, HostId, host::Host, net::Net};
pub(crate) use connection::{Connection, State};
pub(crate) use segment::{HEADER, Kind, Segment};

/// Octets that an end takes in unread, and that wait unacknowledged: more than the longest message.
pub(crate) const WINDOW: u64 = 128 << 10;
/// How long connecting may take: as a driver has it.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an end speaks to one that never answers.
const GIVE_UP: Duration = Duration::from_secs(30);
/// How long a stream that was released may take for its last octets: as a driver has it.
const LINGER: Duration = Duration::from_secs(3);
/// Streams of one host, in all; another is refused.
const MAX_STREAMS: usize = 65_536;

/// What a stream is called: its host, and its two endpoints as that host sees them.
pub(crate) type Key = (HostId, SocketAddr, SocketAddr);

#[derive(Debug, Default)]
pub(crate) struct Streams {
    listeners: BTreeMap<(HostId, SocketAddr), Listener>,
    connections: BTreeMap<Key, Connection>,
    /// When the next turn begins of those streams of a node that share a rate, in each direction.
    turns: BTreeMap<(usize, u64, bool), Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Listener {
    node: usize,
    transport: Transport,
    framing: Framing,
}

impl Streams {
    pub(crate) fn get(&self, key: &Key) -> Option<&Connection> {
        self.connections.get(key)
    }

    fn get_mut(&mut self, key: &Key) -> Option<&mut Connection> {
        self.connections.get_mut(key)
    }

    /// The open stream of a node with this path.
    fn open(&self, host: HostId, node: usize, path: Path) -> Option<Key> {
        let key = (host, path.local, path.remote);
        let found = self.connections.get(&key)?;
        (found.is_open() && found.node == node && found.path == path).then_some(key)
    }

    /// Whether something has this endpoint: for whoever wants to listen there, or to have a port of its own.
    fn is_taken(&self, host: HostId, local: SocketAddr, with_connections: bool) -> bool {
        let clash = |other: &SocketAddr| {
            let same_ip =
                other.ip() == local.ip() || other.ip().is_unspecified() || local.ip().is_unspecified();
            other.port() == local.port() && other.is_ipv4() == local.is_ipv4() && same_ip
        };
        let listened = self.listeners.keys().any(|(owner, at)| *owner == host && clash(at));
        let connected = || self.connections.keys().any(|(owner, at, _)| *owner == host && clash(at));
        listened || with_connections && connected()
    }
}

impl Net {
    // ---- what nodes ask for

    pub(crate) fn listen(
        &mut self,
        host: HostId,
        node: usize,
        transport: Transport,
        local: (core::net::IpAddr, Port),
        framing: Framing,
    ) -> Result<SocketAddr, Refused> {
        let (ip, port) = local;
        if !transport.is_stream() {
            return Err(Refused::Unsupported);
        }
        if ip.is_multicast() || !self.hosts[host.0].has(ip) {
            return Err(Refused::NotPermitted);
        }
        let streams = &self.streams;
        let any = port == Port::Any || port == Port::Even;
        let free = |port| !streams.is_taken(host, SocketAddr::new(ip, port), any);
        let port = self.hosts[host.0].free_port(port, free)?;
        let at = SocketAddr::new(ip, port);
        self.streams.listeners.insert((host, at), Listener { node, transport, framing });
        Ok(at)
    }

    /// Begins to connect. Answered later, or refused at once.
    pub(crate) fn connect(&mut self, host: HostId, node: usize, request: &Request) -> Option<Notice> {
        self.dial(host, node, request).err().and_then(|why| request.refuse(why))
    }

    fn dial(&mut self, host: HostId, node: usize, request: &Request) -> Result<(), Refused> {
        let Request::Connect { ticket, transport, local, remote, framing, .. } = *request else {
            return Ok(());
        };
        if !transport.is_stream() {
            return Err(Refused::Unsupported);
        }
        let local = self.local_end(host, local, remote)?;
        let key = (host, local, remote);
        if self.streams.connections.contains_key(&key) {
            return Err(Refused::InUse);
        }
        if self.streams.connections.len() >= MAX_STREAMS {
            return Err(Refused::NotPermitted);
        }
        let (path, stream) = (Path::new(transport, local, remote), self.unique());
        let state = State::Connecting { ticket, until: self.now + CONNECT };
        let connection = Connection::new(self.now, node, path, stream, framing, state);
        self.streams.connections.insert(key, connection);
        self.say(key, Kind::Syn { tls: transport == Transport::Tls });
        self.watch(key);
        Ok(())
    }

    /// From where to connect: as routing has it, or as it was asked for.
    fn local_end(
        &mut self,
        host: HostId,
        local: Option<SocketAddr>,
        remote: SocketAddr,
    ) -> Result<SocketAddr, Refused> {
        let own = &self.hosts[host.0].interfaces;
        let ip = match local {
            Some(local) => Some(local.ip()),
            None => own.iter().map(|(ip, _)| *ip).find(|ip| ip.is_ipv4() == remote.is_ipv4()),
        };
        let ip = ip.filter(|ip| self.hosts[host.0].network_of(*ip).is_some());
        let Some(ip) = ip.filter(|ip| ip.is_ipv4() == remote.is_ipv4()) else {
            return Err(Refused::Unreachable);
        };
        if let Some(local) = local.filter(|local| local.port() != 0) {
            return Ok(local);
        }
        let streams = &self.streams;
        let free = |port| !streams.is_taken(host, SocketAddr::new(ip, port), true);
        Ok(SocketAddr::new(ip, self.hosts[host.0].free_port(Port::Any, free)?))
    }

    /// Gives back a listener or one stream.
    pub(crate) fn release_stream(
        &mut self,
        host: HostId,
        node: usize,
        transport: Transport,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) {
        let Some(remote) = remote else {
            let at = (host, local);
            let own = |listener: &Listener| listener.node == node && listener.transport == transport;
            if self.streams.listeners.get(&at).is_some_and(own) {
                self.streams.listeners.remove(&at);
            }
            return;
        };
        if let Some(key) = self.streams.open(host, node, Path::new(transport, local, remote)) {
            self.unjoin(key);
            self.close_stream(key);
        }
    }

    /// Takes all that a node has: politely, or as a power cut does.
    pub(crate) fn release_streams(&mut self, node: usize, politely: bool) {
        self.streams.listeners.retain(|_, listener| listener.node != node);
        let of_node = |connection: &&Connection| connection.node == node;
        let keys: Vec<Key> = self
            .streams
            .connections
            .iter()
            .filter(|(_, connection)| of_node(connection))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            match self.streams.get(&key).map(|connection| connection.state) {
                Some(State::Open) if politely => self.close_stream(key),
                Some(State::Closing { .. }) if politely => {}
                _ => self.forget(key),
            }
        }
    }

    /// An interface is gone, and with it what was on it: the notices of that.
    pub(crate) fn lose_streams(&mut self, host: HostId, ip: core::net::IpAddr) -> Vec<(usize, Notice)> {
        let mut notices = Vec::new();
        self.streams.listeners.retain(|(owner, local), listener| {
            let stays = *owner != host || local.ip() != ip;
            if !stays {
                let lost = Notice::Lost { transport: listener.transport, local: *local, remote: None };
                notices.push((listener.node, lost));
            }
            stays
        });
        let gone = |(owner, local, _): &&Key| *owner == host && local.ip() == ip;
        let keys: Vec<Key> = self.streams.connections.keys().filter(gone).copied().collect();
        for key in keys {
            let Some(connection) = self.streams.get(&key) else { continue };
            let (node, path) = (connection.node, connection.path);
            match connection.state {
                State::Open => notices.push((node, lost(path))),
                State::Connecting { ticket, .. } => {
                    notices.push((node, Notice::Opened { ticket, result: Err(Refused::Unreachable) }));
                }
                State::Accepting | State::Closing { .. } => {}
            }
            self.unjoin(key);
            self.forget(key);
        }
        notices
    }

    /// Cuts a stream otherwise from now on.
    pub(crate) fn reframe(&mut self, host: HostId, node: usize, path: Path, framing: Framing) {
        let Some(key) = self.streams.open(host, node, path) else { return };
        let Some(connection) = self.streams.get_mut(&key).filter(|connection| connection.joint.is_none())
        else {
            return;
        };
        connection.framing = framing;
        self.look_soon(key);
    }

    /// Sends one message on a stream: if it finds room, as a whole.
    pub(crate) fn send_message(&mut self, host: HostId, node: usize, path: Path, packet: &mut Packet<'_>) {
        let segment = |bytes: &[u8]| Datagram::new(path.local, path.remote, Ecn::NotEct, bytes.to_vec());
        let key = self.streams.open(host, node, path);
        let found = key.and_then(|key| Some((key, self.streams.connections.get_mut(&key)?)));
        let Some((key, connection)) = found.filter(|(_, connection)| connection.joint.is_none()) else {
            return self.log.note(self.now, &segment(packet.bytes()), Fate::NotOpen);
        };
        let framing = connection.framing;
        if framing.wrap(packet).is_err() || packet.len() > connection.out.room() {
            self.log.note(self.now, &segment(packet.bytes()), Fate::QueueFull);
            if matches!(framing, Framing::Raw | Framing::Held) {
                // Octets that go missing would be worse than an end.
                self.lose(key);
            }
            return;
        }
        connection.out.push(self.now, packet.bytes().iter().copied());
        self.push_on(key);
    }

    // ---- speaking

    /// Sends what may leave.
    fn push_on(&mut self, key: Key) {
        while let Some(connection) = self.streams.get_mut(&key) {
            if !matches!(connection.state, State::Open | State::Closing { .. }) {
                break;
            }
            let Some(payload) = connection.out.next(self.now) else { break };
            self.say_payload(key, payload);
        }
        self.watch(key);
    }

    fn say_payload(&mut self, key: Key, payload: connection::Payload) {
        let Some(connection) = self.streams.get(&key) else { return };
        let connection::Payload { seq, bytes, fin } = payload;
        let segment = Segment { seq, fin, ..header(connection, Kind::Data) };
        self.emit(key, segment, bytes);
    }

    fn say(&mut self, key: Key, kind: Kind) {
        let Some(connection) = self.streams.get(&key) else { return };
        let segment = header(connection, kind);
        self.emit(key, segment, Vec::new());
    }

    fn emit(&mut self, (host, local, remote): Key, segment: Segment, bytes: Vec<u8>) {
        let mut datagram = Datagram::new(local, remote, Ecn::NotEct, bytes);
        datagram.segment = Some(segment);
        self.depart(host, datagram);
    }

    // ---- ending

    /// The stream is no more the node's; what waits still leaves.
    fn close_stream(&mut self, key: Key) {
        let now = self.now;
        if let Some(connection) = self.streams.get_mut(&key) {
            connection.close(now);
            // Room for what comes, which nobody reads.
            self.say(key, Kind::Data);
            self.push_on(key);
            self.bury(key);
        }
    }

    /// The stream has ended, and the node is told.
    fn lose(&mut self, key: Key) {
        self.unjoin(key);
        let Some(connection) = self.streams.get(&key).filter(|connection| connection.is_open()) else {
            return;
        };
        let (node, path) = (connection.node, connection.path);
        self.close_stream(key);
        self.tell_soon(node, lost(path));
    }

    /// Forgets a stream whose both directions are over.
    fn bury(&mut self, key: Key) {
        if self.streams.get(&key).is_some_and(Connection::is_over) {
            self.forget(key);
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(connection) = self.streams.connections.remove(&key)
            && let Some(alarm) = connection.alarm
        {
            self.unschedule(alarm);
        }
    }

    // ---- time

    /// Sets the timer of a stream to what is due next.
    fn watch(&mut self, key: Key) {
        let Some(connection) = self.streams.get_mut(&key) else { return };
        let at = connection.deadline();
        if connection.alarm.map(|(at, _)| at) == at {
            return;
        }
        if let Some(alarm) = connection.alarm.take() {
            self.unschedule(alarm);
        }
        let alarm = at.map(|at| self.schedule_timer(at.max(self.now), key));
        if let Some(connection) = self.streams.get_mut(&key) {
            connection.alarm = alarm;
        }
    }

    /// The timer of a stream has fired.
    pub(crate) fn stream_due(&mut self, key: Key) {
        let now = self.now;
        let Some(connection) = self.streams.get_mut(&key) else { return };
        connection.alarm = None;
        match connection.state {
            State::Connecting { ticket, until } if until <= now => self.fail(key, ticket, Refused::TimedOut),
            State::Connecting { .. } => {
                connection.out.time_out(now);
                let tls = connection.path.transport == Transport::Tls;
                self.say(key, Kind::Syn { tls });
            }
            State::Closing { until } if until <= now => {
                self.say(key, Kind::Reset { misunderstood: false });
                self.forget(key);
            }
            State::Accepting if connection.out.is_given_up(now) => self.forget(key),
            State::Accepting => {
                connection.out.time_out(now);
                self.say(key, Kind::SynAck);
            }
            State::Open if connection.out.is_given_up(now) => self.lose(key),
            State::Open | State::Closing { .. } => {
                if connection.out.time_out(now) {
                    self.say(key, Kind::Probe);
                }
                self.push_on(key);
            }
        }
        self.watch(key);
    }

    fn fail(&mut self, key: Key, ticket: Ticket, why: Refused) {
        let Some(connection) = self.streams.get(&key) else { return };
        let node = connection.node;
        self.forget(key);
        self.tell_soon(node, Notice::Opened { ticket, result: Err(why) });
    }
}

fn header(connection: &Connection, kind: Kind) -> Segment {
    let Connection { stream, out, incoming, .. } = connection;
    Segment {
        kind,
        stream: *stream,
        seq: out.position(),
        fin: false,
        ack: incoming.expected,
        window: incoming.window(),
    }
}

fn lost(path: Path) -> Notice {
    let Path { transport, local, remote } = path;
    Notice::Lost { transport, local, remote: Some(remote) }
}

/// Whether a listener is there: for the parts of this module.
fn listener_at(streams: &Streams, hosts: &[Host], host: HostId, local: SocketAddr) -> Option<Listener> {
    let exact = streams.listeners.get(&(host, local));
    let everywhere = || {
        hosts[host.0].network_of(local.ip())?;
        streams.listeners.get(&(host, crate::host::everywhere(local)))
    };
    exact.or_else(everywhere).copied()
}

impl Net {
    /// Takes the next message of a stream, for its node; ends the stream where there will be none any more.
    pub(crate) fn next_message(&mut self, key: Key) -> Option<(usize, Path, Vec<u8>)> {
        let connection = self.streams.get_mut(&key).filter(|connection| connection.is_open())?;
        if connection.joint.is_some() {
            self.pump(key);
            return None;
        }
        let Connection { node, path, framing, incoming, .. } = connection;
        let (node, path, before) = (*node, *path, incoming.window());
        match framing.next(incoming.ready.make_contiguous()) {
            Frame::Whole { skip, len, total } => {
                let message = incoming.ready.drain(..total).skip(skip).take(len).collect();
                self.reopened(key, before);
                return Some((node, path, message));
            }
            Frame::NeedMore if *framing == Framing::Held || !incoming.ended => {}
            Frame::NeedMore | Frame::Bad => self.lose(key),
        }
        None
    }

    /// Tells the other end that there is room again, where there was little.
    fn reopened(&mut self, key: Key, before: u64) {
        let Some(connection) = self.streams.get(&key) else { return };
        let now = connection.incoming.window();
        if before < WINDOW / 2 && now >= WINDOW / 2 {
            self.say(key, Kind::Data);
        }
    }
}

/// Now, or later: what the queue of the network holds of streams.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Errand {
    /// There may be something to read.
    Look(Key),
    /// A timer.
    Due(Key),
    /// A node is to be told.
    Tell(usize, Notice),
}

impl Net {
    fn look_soon(&mut self, key: Key) {
        self.schedule_errand(self.now, Errand::Look(key));
    }

    fn tell_soon(&mut self, node: usize, notice: Notice) {
        self.schedule_errand(self.now, Errand::Tell(node, notice));
    }

    fn schedule_timer(&mut self, at: Instant, key: Key) -> (Instant, u64) {
        self.schedule_errand(at, Errand::Due(key))
    }
}
