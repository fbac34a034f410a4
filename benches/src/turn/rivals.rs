//! `turn-server-proto`: the other sans-I/O server, at what it does for one who is nobody; the reason is below.

use std::{hint::black_box, net::SocketAddr};

use turn_server_proto::{
    api::{Transmit, TurnServerApi},
    server::TurnServer,
    types::{Instant, TransportType, prelude::DelayedTransmitBuild},
};

use super::{
    Way, client, server,
    setup::{self, REALM, USER},
};
use crate::contest::Group;

/// Clients that ask, in turn.
const MOST: usize = 5_000;

struct Theirs {
    server: TurnServer,
    out: Vec<u8>,
}
impl Theirs {
    fn new() -> Self {
        let mut server = TurnServer::new(TransportType::Udp, server(), REALM.to_string());
        server.add_user(USER.0.to_string(), USER.1.to_string());
        Self { server, out: vec![0; 2_048] }
    }
    fn input(&mut self, octets: &[u8], from: SocketAddr, to: SocketAddr) -> Option<usize> {
        let transmit = Transmit::new(octets, TransportType::Udp, from, to);
        let sent = self.server.recv(transmit, Instant::ZERO)?;
        Some(sent.data.write_into(&mut self.out))
    }
}

// RFC 8489 section 9.2: its successes bear a nonce that promises PASSWORD-ALGORITHMS, and not those. Our STUN client counts
// that as bidding down and ignores them, so it sets up no allocations here, and nothing can be relayed.
pub(super) fn relay(group: Group, _count: usize, _way: Way, _random: bool) -> Group {
    group
}
pub(super) fn wake(group: Group, _count: usize) -> Group {
    group
}

pub(super) fn challenge(group: Group) -> Group {
    let mut theirs = Theirs::new();
    let octets = setup::bare_allocate();
    let mut n = 0;
    group.with("turn-server-proto 0.7 (keeps something of each)", move || {
        n = (n + 1) % MOST;
        theirs.input(black_box(&octets), client(n), server()).expect("a 401")
    })
}
