//! Allocations for whoever has a server: asked for by our STUN client, message by message.

use std::net::SocketAddr;

use ginnel_core::{Buffer, Handled, Instant, Packet, Path, Receive, Seed};
use ginnel_stun::{
    Class, LongTermCredential, Message, MessageWriter, Method, TransactionId,
    attribute::{
        AttributeType, ChannelNumber, Data, ErrorCode, RequestedTransport, XorPeerAddress, XorRelayedAddress,
    },
    client::{Client, ClientConfig, Request},
};

use super::{CHANNEL, PAYLOAD, client, peer, server};
use crate::contest::Probe;

pub(super) const REALM: &str = "example.org";
pub(super) const USER: (&str, &str) = ("user", "password");

/// What is in the answers beside what is STUN's own. Were it not known, a client would not take the answer for a success, and
/// forget the server's challenge with it: some servers say only once which algorithms of passwords they have.
const KNOWN: &[AttributeType] =
    &[AttributeType::XOR_RELAYED_ADDRESS, AttributeType::LIFETIME, AttributeType::RESERVATION_TOKEN];

/// A server that is spoken to by datagrams.
pub trait Relays {
    /// A message of a client, and the answer to it.
    fn tell(&mut self, client: SocketAddr, octets: &[u8]) -> Vec<u8>;
}

/// So many allocations, each with a channel to the peer; their relayed addresses.
///
/// # Panics
/// If the server refuses one.
pub fn allocate_all(relays: &mut impl Relays, count: usize) -> Vec<SocketAddr> {
    (0..count)
        .map(|n| {
            // Each has a session of its own: where nonces belong to addresses, that of one is no good for the next.
            let mut asking = Asking::new();
            let answer = asking.ask(relays, n, Method::ALLOCATE);
            let relayed = Message::parse(&answer).expect("a message").get::<XorRelayedAddress>();
            asking.ask(relays, n, Method::CHANNEL_BIND);
            relayed.expect("legal").expect("an allocation").0
        })
        .collect()
}

/// Who asks: one session with the server, which is challenged once.
pub(super) struct Asking {
    client: Client,
    credential: LongTermCredential,
    buffer: Box<Buffer>,
}
impl Asking {
    pub(super) fn new() -> Self {
        let client = Client::new(ClientConfig::default(), Seed::new([3; 32]));
        let credential = LongTermCredential::new(USER.0, USER.1).expect("ASCII");
        Self { client, credential, buffer: Box::new([0; _]) }
    }
    /// A request of client number `n`, challenged if need be, and the success.
    pub(super) fn ask(&mut self, relays: &mut impl Relays, n: usize, method: Method) -> Vec<u8> {
        let path = Path::udp(client(n), server());
        let request = Request::new(method).with_known(KNOWN).with_credential(self.credential.clone());
        let started = self.client.request(Instant::EPOCH, path, request, move |open| match method {
            Method::ALLOCATE => open.attribute(&RequestedTransport::UDP),
            Method::CHANNEL_BIND => {
                open.attribute(&ChannelNumber(CHANNEL))?.attribute(&XorPeerAddress(peer()))
            }
            _ => Ok(open),
        });
        started.expect("room for one");
        let mut answer = Vec::new();
        loop {
            let mut packet = Packet::empty(&mut self.buffer);
            if self.client.poll_transmit(Instant::EPOCH, &mut packet).is_none() {
                break;
            }
            answer = relays.tell(client(n), packet.bytes());
            let mut back = Packet::empty(&mut self.buffer);
            back.append(&answer).expect("room");
            let handled = self.client.handle_input(Instant::EPOCH, &mut Receive::new(path, back));
            assert!(!matches!(handled, Handled::Foreign), "an answer to another question");
        }
        while self.client.poll_event().is_some() {}
        let message = Message::parse(&answer).expect("a message");
        let error = message.get::<ErrorCode<'_>>();
        assert_eq!(message.class(), Class::Success, "{method:?} of client {n}: {error:?}");
        answer
    }
}

/// Refreshes allocations, one after another.
pub struct Refreshing(Asking);
impl Refreshing {
    /// Somebody who has not asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Asking::new())
    }
    /// Refreshes the allocation of client number `n`: what the probe says of the server's part.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn refresh(&mut self, relays: &mut impl Relays, n: usize, probe: Probe) -> u64 {
        let mut timed = Timed { relays, probe, spent: 0 };
        self.0.ask(&mut timed, n, Method::REFRESH);
        timed.spent
    }
}
impl Default for Refreshing {
    fn default() -> Self {
        Self::new()
    }
}
impl std::fmt::Debug for Refreshing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refreshing")
    }
}

struct Timed<'r, R> {
    relays: &'r mut R,
    probe: Probe,
    spent: u64,
}
impl<R: Relays> Relays for Timed<'_, R> {
    fn tell(&mut self, client: SocketAddr, octets: &[u8]) -> Vec<u8> {
        let before = (self.probe)();
        let answer = self.relays.tell(client, octets);
        self.spent += (self.probe)() - before;
        answer
    }
}

fn written(write: impl FnOnce(MessageWriter<'_, '_>)) -> Vec<u8> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let id = TransactionId::new(*b"transactions");
    write(MessageWriter::new(&mut packet, Class::Indication, Method::SEND, id).expect("room"));
    packet.bytes().to_vec()
}
pub(super) fn send_indication() -> Vec<u8> {
    written(|open| {
        let open = open.attribute(&XorPeerAddress(peer())).and_then(|open| open.attribute(&Data(&PAYLOAD)));
        open.expect("room").finish();
    })
}
pub(super) fn channel_data() -> Vec<u8> {
    let mut octets = CHANNEL.to_be_bytes().to_vec();
    octets.extend((PAYLOAD.len() as u16).to_be_bytes());
    octets.extend(PAYLOAD);
    octets
}
/// An Allocate of nobody.
///
/// # Panics
/// If it cannot be written.
#[must_use]
pub fn bare_allocate() -> Vec<u8> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let id = TransactionId::new(*b"transactions");
    MessageWriter::new(&mut packet, Class::Request, Method::ALLOCATE, id)
        .and_then(|open| open.attribute(&RequestedTransport::UDP))
        .expect("room")
        .finish();
    packet.bytes().to_vec()
}
