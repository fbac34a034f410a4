//! Parsing, verifying, building and answering allocate nothing.

use std::hint::black_box;

use ginnel_alloc_counter::{Counting, allocations};
use ginnel_core::{Buffer, Handled, Instant, Packet, Path, Receive, Seed};
use ginnel_stun::{
    BindingServer, Class, Fingerprint, Integrity, IntegrityKey, Message, MessageWriter, Method, ServerConfig,
    TransactionId,
    attribute::{AttributeType, IceControlling, Priority, UseCandidate, Username},
    client::{Client, ClientConfig},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn build(packet: &mut Packet<'_>, key: &IntegrityKey) {
    MessageWriter::new(packet, Class::Request, Method::BINDING, TransactionId::new(*b"transactions"))
        .and_then(|open| open.attribute(&Username::new("evtj:h6vY").expect("short")))
        .and_then(|open| open.attribute(&Priority(1)))
        .and_then(|open| open.attribute(&IceControlling(2)))
        .and_then(|open| open.attribute(&UseCandidate))
        .and_then(|open| open.integrity(key))
        .and_then(|sealed| sealed.integrity_sha256(key))
        .and_then(MessageWriter::fingerprint)
        .expect("room");
}

fn path() -> Path {
    Path::udp("198.51.100.1:3478".parse().expect("an address"), "192.0.2.1:5000".parse().expect("an address"))
}

#[test]
fn the_counter_counts() {
    ginnel_alloc_counter::assert_installed();
}

#[test]
fn building_parsing_and_verifying_allocate_nothing() {
    let key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt").expect("ASCII");
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let (allocated, ()) = allocations(|| {
        build(&mut packet, &key);
        let message = Message::parse(packet.bytes()).expect("a message");
        assert!(message.fingerprint() == Fingerprint::Ok && message.integrity(&key) == Integrity::Ok);
        assert_eq!(message.get(), Ok(Some(Priority(1))));
        assert!(message.get::<Username<'_>>().is_ok_and(|it| it.is_some()));
        assert_eq!(message.unknown_required(&[AttributeType::USERNAME]).count(), 2);
        assert_eq!(message.attributes().count(), 7);
    });
    assert_eq!(allocated, 0);
}

#[test]
fn a_key_is_made_without_allocating() {
    assert_eq!(allocations(|| drop(black_box(IntegrityKey::short_term("password")))).0, 0);
    assert_eq!(allocations(|| drop(black_box(IntegrityKey::long_term("user", "realm", "pass")))).0, 0);
}

#[test]
fn answering_allocates_nothing() {
    let mut server = BindingServer::new(ServerConfig::default(), Seed::new([7; 32]));
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    for request in [
        &b"\x00\x01\x00\x00\x21\x12\xa4\x42transactions"[..],
        b"\x00\x01\x00\x04\x21\x12\xa4\x42transactions\x7f\xff\x00\x00",
        b"\x00\x01\x00\x04\x21\x12\xa4\x42transactions\x7f\xff\xff\xff",
    ] {
        packet.clear();
        packet.append(request).expect("room");
        let mut input = Receive::new(path(), packet);
        let (allocated, ()) = allocations(|| {
            let handled = server.handle_input(Instant::EPOCH, &mut input);
            assert_ne!(handled, Handled::Foreign);
        });
        assert_eq!(allocated, 0);
        packet = input.packet;
    }
    assert_eq!(
        (server.stats().answered, server.stats().unknown_attributes, server.stats().malformed),
        (1, 1, 1)
    );
}

#[test]
fn a_client_allocates_when_a_transaction_starts_and_not_for_what_strangers_send() {
    let mut client = Client::new(ClientConfig::default(), Seed::new([7; 32]));
    client.binding(Instant::EPOCH, path()).expect("room for one");
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    assert!(client.poll_transmit(Instant::EPOCH, &mut packet).is_some());
    packet.bytes_mut()[0] = 1; // a success, but without what a success must have
    packet.bytes_mut()[19] ^= 1; // of a transaction that nobody asked
    let mut input = Receive::new(path(), packet);
    let (allocated, ()) = allocations(|| {
        assert_eq!(client.handle_input(Instant::EPOCH, &mut input), Handled::Foreign);
        assert!(client.poll_event().is_none() && client.poll_timeout().is_some());
    });
    assert_eq!(allocated, 0);
    assert_eq!(client.stats().unknown_transaction, 1);
}
