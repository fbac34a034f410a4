//! What a segment does that has come to its host.

use ginnel_core::{Notice, Refused, Transport};

use super::{Connection, Key, Kind, MAX_STREAMS, Segment, State, listener_at, lost};
use crate::{Datagram, Fate, HostId, net::Net};

impl Net {
    pub(crate) fn segment_arrived(&mut self, host: HostId, datagram: &Datagram, segment: Segment) {
        let key = (host, datagram.destination, datagram.source);
        let known = self.streams.get(&key).is_some_and(|found| found.stream == segment.stream);
        let heard = known || matches!(segment.kind, Kind::Syn { .. });
        self.log.note(self.now, datagram, if heard { Fate::Delivered } else { Fate::NoSocket });
        match segment.kind {
            Kind::Syn { tls } if !known => self.on_syn(key, segment.stream, tls),
            Kind::Reset { misunderstood } if known => self.on_reset(key, misunderstood),
            Kind::Reset { .. } => {}
            _ if known => self.on_segment(key, segment, &datagram.bytes),
            _ => self.refuse(key, segment.stream, false),
        }
    }

    fn on_syn(&mut self, key: Key, stream: u64, tls: bool) {
        if self.streams.get(&key).is_some() {
            // The other end has forgotten the stream that this one still has.
            self.lose(key);
            self.forget(key);
        }
        let (host, local, remote) = key;
        let full = self.streams.connections.len() >= MAX_STREAMS;
        let listener = listener_at(&self.streams, &self.hosts, host, local);
        let Some(listener) = listener.filter(|_| !full) else { return self.refuse(key, stream, false) };
        if (listener.transport == Transport::Tls) != tls {
            return self.refuse(key, stream, true);
        }
        let path = ginnel_core::Path::new(listener.transport, local, remote);
        let state = State::Accepting;
        let connection = Connection::new(self.now, listener.node, path, stream, listener.framing, state);
        self.streams.connections.insert(key, connection);
        self.say(key, Kind::SynAck);
        self.watch(key);
    }

    fn refuse(&mut self, key: Key, stream: u64, misunderstood: bool) {
        let kind = Kind::Reset { misunderstood };
        let segment = Segment { kind, stream, seq: 0, fin: false, ack: 0, window: 0 };
        self.emit(key, segment, alloc::vec::Vec::new());
    }

    fn on_reset(&mut self, key: Key, misunderstood: bool) {
        let Some(connection) = self.streams.get(&key) else { return };
        let (node, path) = (connection.node, connection.path);
        match connection.state {
            State::Connecting { ticket, .. } => {
                let why = if misunderstood { Refused::Handshake } else { Refused::Unreachable };
                self.fail(key, ticket, why);
            }
            State::Open => {
                self.unjoin(key);
                self.forget(key);
                self.tell_soon(node, lost(path));
            }
            State::Accepting | State::Closing { .. } => self.forget(key),
        }
    }

    fn on_segment(&mut self, key: Key, segment: Segment, bytes: &[u8]) {
        let now = self.now;
        let Some(connection) = self.streams.get_mut(&key) else { return };
        let (node, path, state) = (connection.node, connection.path, connection.state);
        match (state, segment.kind) {
            (State::Connecting { ticket, .. }, Kind::SynAck) => {
                connection.state = State::Open;
                connection.out.acknowledge(now, segment.ack, segment.window);
                self.tell_soon(node, Notice::Opened { ticket, result: Ok(path.local) });
                self.say(key, Kind::Data);
                return self.watch(key);
            }
            (State::Accepting, Kind::Data | Kind::Probe) => {
                connection.state = State::Open;
                self.tell_soon(node, Notice::Accepted { path, alpn: None });
            }
            (State::Accepting, Kind::Syn { .. }) => return self.say(key, Kind::SynAck),
            // It was acknowledged already, and that was lost.
            (State::Open | State::Closing { .. }, Kind::SynAck | Kind::Syn { .. }) => {
                return self.say(key, Kind::Data);
            }
            (State::Open | State::Closing { .. }, Kind::Data | Kind::Probe) => {}
            _ => return,
        }
        self.on_octets(key, segment, bytes);
    }

    fn on_octets(&mut self, key: Key, segment: Segment, bytes: &[u8]) {
        let now = self.now;
        let Some(connection) = self.streams.get_mut(&key) else { return };
        let again = connection.out.acknowledge(now, segment.ack, segment.window);
        let closing = matches!(connection.state, State::Closing { .. });
        let before = connection.incoming.expected;
        connection.incoming.take(segment.seq, bytes, segment.fin, closing);
        let news = connection.incoming.expected > before;
        let waits_for_room = connection.joint.as_ref().map(|joint| joint.other);
        if let Some(payload) = again {
            self.say_payload(key, payload);
        }
        if !bytes.is_empty() || segment.fin || segment.kind == Kind::Probe {
            self.say(key, Kind::Data);
        }
        self.push_on(key);
        if news && !closing {
            self.look_soon(key);
        }
        if let Some(other) = waits_for_room {
            self.pump(other);
        }
        self.bury(key);
    }
}
