//! TCP allocations and their connections (RFC 6062), beside the model. A driver that never answers is in the tests of the
//! module `tcp`.

use alloc::vec::Vec;

use ginnel_core::{Machine as _, Notice, Path, Transport};
use ginnel_stun::{Class, Message, Method, attribute::*};

use super::{
    Script,
    world::{CLIENTS, Fill, PATHS, PEERS, World, path, put},
};

/// CONNECTION-IDs that are kept to be brought again: those before are forgotten.
const IDS: usize = 8;

impl World {
    /// Streams are those of the model's connections, and joined as it has them.
    pub(super) fn look_at_streams(&mut self) {
        let (mut streams, mut spliced) = (Vec::new(), Vec::new());
        for allocation in &self.model {
            for connection in &allocation.connections {
                let relay = allocation.relay_for(connection.peer.ip()).expect("a relayed address");
                let stream = Path::new(Transport::Tcp, relay, connection.peer);
                streams.push(stream);
                spliced.extend(connection.client.map(|client| (path(client), stream)));
            }
        }
        for list in [&mut streams, &mut self.driver.streams] {
            list.sort_unstable();
        }
        for list in [&mut spliced, &mut self.driver.spliced] {
            list.sort_unstable();
        }
        assert_eq!((&self.driver.streams, &self.driver.spliced), (&streams, &spliced));
    }
    /// RFC 6062 section 5.2.
    pub(super) fn connect(&mut self, script: &mut Script<'_>, client: usize) {
        let client = script.mostly(0, client);
        let user = script.mostly(self.of(client).map_or(0, |it| it.user), 1);
        let peer = PEERS[script.below(PEERS.len() as u8)];
        self.driver.unreachable = script.below(4) == 0;
        let fill: Fill<'_> = &|open| put(open, &XorPeerAddress(peer));
        let (code, octets) = self.ask(client, user, Method::CONNECT, fill);
        let refused =
            self.objection(client, user).or_else(|| self.of(client).and_then(|it| it.refuses(peer)));
        let expected = refused.unwrap_or(if self.driver.unreachable { 447 } else { 0 });
        assert_eq!(code, expected, "Connect {peer}");
        if code == 0 {
            self.connected(client, peer, &octets);
        }
    }
    fn connected(&mut self, client: usize, peer: core::net::SocketAddr, octets: &[u8]) {
        let message = Message::parse(octets).expect("a message");
        let ConnectionId(id) = message.get().expect("well formed").expect("a CONNECTION-ID");
        assert!(self.model.iter().flat_map(|it| &it.connections).all(|it| it.id != id), "it names another");
        let now = self.now;
        self.of_mut(client).expect("an allocation").connected(now, peer, id);
        if self.ids.len() >= IDS {
            self.ids.remove(0);
        }
        self.ids.push(id);
    }
    /// RFC 6062 section 5.3: a peer comes.
    pub(super) fn accept(&mut self, script: &mut Script<'_>, client: usize) {
        let client = script.mostly(0, client);
        let peer = PEERS[[0, 1, 2, 4][script.below(4)]];
        let Some(allocation) = self.of(client).filter(|it| it.is_tcp) else { return };
        let relay = allocation.relay_for(peer.ip()).expect("a TCP allocation is of IPv4 here");
        let stream = Path::new(Transport::Tcp, relay, peer);
        if self.driver.streams.contains(&stream) {
            return;
        }
        let is_taken = allocation.permits(self.now, peer.ip()) && allocation.refuses(peer).is_none();
        let at = allocation.at.expect("somebody has it on this path");
        self.driver.streams.push(stream);
        self.server.handle_notice(self.now, Notice::Accepted { path: stream, alpn: None });
        self.settle();
        let told = self.driver.sent.pop();
        assert_eq!(told.is_some(), is_taken, "{stream}");
        let Some((to, octets)) = told else { return };
        assert_eq!(to, path(at));
        let message = Message::parse(&octets).expect("a message");
        assert_eq!((message.class(), message.method()), (Class::Indication, Method::CONNECTION_ATTEMPT));
        assert_eq!(message.get(), Ok(Some(XorPeerAddress(peer))));
        self.connected(client, peer, &octets);
    }
    /// RFC 6062 section 5.4: somebody comes for a connection.
    pub(super) fn connection_bind(&mut self, script: &mut Script<'_>) {
        let client = script.below(PATHS as u8);
        let client = script.mostly(CLIENTS + client % 4, client);
        let which = usize::from(script.octet());
        let Some(&id) = self.ids.iter().rev().nth(which % self.ids.len().max(1)) else { return };
        let whose = self.model.iter().find(|it| it.connections.iter().any(|it| it.id == id));
        let user = script.mostly(whose.map_or(0, |it| it.user), 1);
        let id = if script.below(8) == 0 { id ^ 1 } else { id };
        // Nothing more is heard of a stream that is joined; and a client of other steps does not become one.
        let is_joined = self.driver.spliced.iter().any(|it| it.0 == path(client));
        if is_joined || client == 0 && self.of(client).is_none() {
            return;
        }
        let fill: Fill<'_> = &|open| put(open, &ConnectionId(id));
        let (code, _) = self.ask(client, user, Method::CONNECTION_BIND, fill);
        let is_stream = client >= CLIENTS;
        let allocation = self
            .model
            .iter_mut()
            .find(|it| it.connections.iter().any(|it| it.id == id && it.client.is_none()));
        let Some(allocation) = allocation.filter(|_| is_stream) else {
            assert_eq!(code, 400, "ConnectionBind {id:#x}");
            return;
        };
        let control = [allocation.at, allocation.to].into_iter().flatten().map(|it| path(it).transport);
        // Where the stream of the client has ended, it was TCP, as is all that a TCP allocation can have here.
        let is_beside = control.chain([Transport::Tcp]).any(|it| it == path(client).transport);
        let expected = match (is_beside, allocation.user == user) {
            (false, _) => 400,
            (true, false) => 441,
            (true, true) => 0,
        };
        assert_eq!(code, expected, "ConnectionBind {id:#x}");
        if code == 0 {
            let connection = allocation.connections.iter_mut().find(|it| it.id == id);
            connection.expect("it is pending").client = Some(client);
        }
    }
    /// A stream to a peer ends, and what is joined to it.
    pub(super) fn end_stream(&mut self, script: &mut Script<'_>, client: usize) {
        let (which, client) = (script.below(2), script.mostly(0, client));
        let now = self.now;
        let Some(allocation) = self.of_mut(client).filter(|it| which < it.connections.len()) else { return };
        let connection = allocation.connections.remove(which);
        let relay = allocation.relay_for(connection.peer.ip()).expect("a relayed address");
        let stream = Path::new(Transport::Tcp, relay, connection.peer);
        self.driver.close(stream);
        let lost =
            |Path { transport, local, remote }| Notice::Lost { transport, local, remote: Some(remote) };
        if let Some(client) = connection.client {
            let one = path(client);
            self.server.handle_notice(now, Notice::Spliced { one, other: stream, forth: 10, back: 1 });
            self.server.handle_notice(now, lost(one));
        }
        self.server.handle_notice(now, lost(stream));
        self.settle();
    }
}
