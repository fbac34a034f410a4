//! `turn-server-proto`: the other sans-I/O server. It looks through all clients for each packet, so there is no row of it
//! with 100,000: setting it up would take minutes.
//!
//! Its requests are signed here and not by our client: the nonce of its successes promises PASSWORD-ALGORITHMS that are not in
//! them (RFC 8489 section 9.2), which our client takes for bidding down.

use std::{hint::black_box, net::SocketAddr};

use ginnel_core::{Buffer, Packet};
use ginnel_stun::{
    Class, IntegrityKey, Message, MessageWriter, Method, TransactionId,
    attribute::{
        ChannelNumber, Nonce, Realm, RequestedTransport, Username, XorPeerAddress, XorRelayedAddress,
    },
};
use turn_server_proto::{
    api::{Transmit, TurnServerApi, TurnServerPollRet},
    server::TurnServer,
    types::{Instant, TransportType, prelude::DelayedTransmitBuild},
};

use super::{
    CHANNEL, Turns, Way, client, peer, server,
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
        // It writes what it passes on into exactly so much room.
        let len = sent.data.len();
        Some(sent.data.write_into(&mut self.out[..len]))
    }
}
impl Theirs {
    /// With so many allocations, each with a channel to the peer; their relayed addresses.
    fn with(count: usize) -> (Self, Vec<SocketAddr>) {
        let mut theirs = Self::new();
        let key = IntegrityKey::long_term(USER.0, REALM, USER.1).expect("ASCII");
        let relayed = (0..count).map(|n| theirs.allocate(n, &key)).collect();
        (theirs, relayed)
    }

    /// An allocation with a channel; its relayed address.
    fn allocate(&mut self, n: usize, key: &IntegrityKey) -> SocketAddr {
        let challenge = self.tell(client(n), &setup::bare_allocate());
        let challenge = Message::parse(&challenge).expect("a message");
        let nonce = challenge.get::<Nonce<'_>>().expect("legal").expect("a challenge");
        let allocate = signed(Method::ALLOCATE, nonce, key);
        let answer = self.tell(client(n), &allocate);
        let answer = Message::parse(&answer).expect("a message");
        let relayed = answer.get::<XorRelayedAddress>().expect("legal").expect("an allocation").0;
        let bound = self.tell(client(n), &signed(Method::CHANNEL_BIND, nonce, key));
        assert_eq!(Message::parse(&bound).expect("a message").class(), Class::Success, "client {n}");
        relayed
    }

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

/// Allocate or ChannelBind, of our user.
fn signed(method: Method, nonce: Nonce<'_>, key: &IntegrityKey) -> Vec<u8> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let id = TransactionId::new(*if method == Method::ALLOCATE { b"an Allocate " } else { b"ChannelBind " });
    let mut write = || {
        let open = MessageWriter::new(&mut packet, Class::Request, method, id)?;
        let open = if method == Method::ALLOCATE {
            open.attribute(&RequestedTransport::UDP)?
        } else {
            open.attribute(&ChannelNumber(CHANNEL))?.attribute(&XorPeerAddress(peer()))?
        };
        let user = Username::new(USER.0).expect("ASCII");
        let realm = Realm::new(REALM).expect("ASCII");
        open.attribute(&user)?.attribute(&realm)?.attribute(&nonce)?.integrity(key)?.finish();
        Ok::<_, ginnel_core::NoRoom>(())
    };
    write().expect("room");
    packet.bytes().to_vec()
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
        let (theirs, turns) = state.get_or_insert_with(|| {
            let (theirs, relayed) = Theirs::with(count);
            let whose = if way == Way::ToClient { relayed } else { (0..count).map(client).collect() };
            (theirs, Turns::new(whose, random))
        });
        let (from, to) = match way {
            Way::ToPeer | Way::Indication => (turns.next(), server()),
            Way::ToClient => (peer(), turns.next()),
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
        let theirs = state.get_or_insert_with(|| Theirs::with(count).0);
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
