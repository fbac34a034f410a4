//! `turn-server-proto`: the other sans-I/O server. It looks through all clients for each packet, so there is no row of it
//! with 100,000: setting it up would take minutes.

use std::{hint::black_box, net::SocketAddr};

use turn_server_proto::api::Transmit;
use turn_server_proto::{
    api::{TurnServerApi, TurnServerPollRet},
    server::TurnServer,
    types::{Instant, TransportType, prelude::DelayedTransmitBuild},
};

use super::{
    Relays, Way, Whose, allocate_all, client, peer, server,
    setup::{self, REALM, USER},
};
use crate::contest::Group;

const NAME: &str = "turn-server-proto 0.7";
const MOST: usize = 5_000;

struct Theirs {
    server: TurnServer,
    ports: u16,
    out: Vec<u8>,
}
impl Theirs {
    fn new() -> Self {
        let mut server = TurnServer::new(TransportType::Udp, server(), REALM.to_string());
        server.add_user(USER.0.to_string(), USER.1.to_string());
        Self { server, ports: 10_000, out: vec![0; 2_048] }
    }
    fn input(&mut self, octets: &[u8], from: SocketAddr, to: SocketAddr) -> Option<usize> {
        let transmit = Transmit::new(octets, TransportType::Udp, from, to);
        let sent = self.server.recv(transmit, Instant::ZERO)?;
        Some(sent.data.write_into(&mut self.out))
    }
}
impl Relays for Theirs {
    fn tell(&mut self, client: SocketAddr, octets: &[u8]) -> Vec<u8> {
        let transmit = Transmit::new(octets, TransportType::Udp, client, server());
        if let Some(sent) = self.server.recv(transmit, Instant::ZERO) {
            return sent.data.build();
        }
        while let TurnServerPollRet::AllocateSocket {
            transport,
            listen_addr,
            client_addr,
            allocation_transport,
            family,
        } = self.server.poll(Instant::ZERO)
        {
            self.ports += 1;
            let relayed = SocketAddr::from(([192, 0, 2, 10], self.ports));
            self.server.allocated_socket(
                transport,
                listen_addr,
                client_addr,
                allocation_transport,
                family,
                Ok(relayed),
                Instant::ZERO,
            );
        }
        self.server.poll_transmit(Instant::ZERO).expect("an answer").data
    }
}

pub(super) fn relay(group: Group, count: usize, way: Way, random: bool) -> Group {
    if count > MOST {
        return group;
    }
    let mut state = None;
    let octets = match way {
        Way::ToPeer => setup::channel_data(),
        Way::ToClient => super::PAYLOAD.to_vec(),
        Way::Indication => setup::send_indication(),
    };
    group.with(NAME, move || {
        let (theirs, relayed, whose) = state.get_or_insert_with(|| {
            let mut theirs = Theirs::new();
            let relayed = allocate_all(&mut theirs, count);
            (theirs, relayed, Whose::new(count, random))
        });
        let n = whose.next();
        let (from, to) = match way {
            Way::ToPeer | Way::Indication => (client(n), server()),
            Way::ToClient => (peer(), relayed[n]),
        };
        theirs.input(black_box(&octets), from, to).expect("relayed")
    })
}

pub(super) fn wake(group: Group, count: usize) -> Group {
    if count > MOST {
        return group;
    }
    let mut state: Option<Theirs> = None;
    group.with(NAME, move || {
        let theirs = state.get_or_insert_with(|| {
            let mut theirs = Theirs::new();
            allocate_all(&mut theirs, count);
            theirs
        });
        matches!(theirs.server.poll(Instant::ZERO), TurnServerPollRet::WaitUntil(_))
    })
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
