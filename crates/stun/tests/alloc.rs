//! Parsing, verifying, building and answering allocate nothing.

use std::{hint::black_box, time::Duration};

use ginnel_alloc_counter::{Counting, allocations};
use ginnel_core::{Buffer, Handled, Instant, Packet, Path, Receive, Seed};
use ginnel_stun::{
    BindingServer, Class, Fingerprint, Integrity, IntegrityAlgorithm, IntegrityKey, LongTermCredential,
    Message, MessageWriter, Method, ServerConfig, TransactionId,
    attribute::{AttributeType, ErrorCode, IceControlling, Priority, UseCandidate, Username},
    auth::{AnnouncedAlgorithms, AuthConfig, User},
    client::{Client, ClientConfig, Event, Request},
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

/// Requests sent again, answers taken, and what the user hears of them, once as many were outstanding before and the server
/// is known: what is needed is made when a request starts.
#[test]
fn retransmissions_and_answers_allocate_nothing() {
    let config = ServerConfig::default().with_rate_limit(None);
    let mut server = BindingServer::new(config, Seed::new([7; 32]));
    let mut client = Client::new(ClientConfig::default(), Seed::new([8; 32]));
    let mut buffer: Buffer = [0; _];
    let mut now = Instant::EPOCH;
    let mut allocated = u64::MAX;
    for _ in 0..2 {
        for _ in 0..8 {
            client.binding(now, path()).expect("room for eight");
        }
        while client.poll_transmit(now, &mut Packet::empty(&mut buffer)).is_some() {}
        let (count, (sent, mapped)) = allocations(|| {
            let sent = (0..4).map(|_| sent_again(&mut client, &mut now, &mut buffer)).sum::<usize>();
            (sent, answered(&mut client, &mut server, &mut now, &mut buffer))
        });
        assert_eq!((sent, mapped, client.in_progress()), (32, 8, 0));
        allocated = count;
    }
    assert_eq!(allocated, 0);
}
/// How many requests leave at the next wake-up, to be lost.
fn sent_again(client: &mut Client, now: &mut Instant, buffer: &mut Buffer) -> usize {
    *now = client.poll_timeout().expect("they are outstanding").at;
    client.handle_timeout(*now);
    std::iter::from_fn(|| client.poll_transmit(*now, &mut Packet::empty(buffer))).count()
}
/// How many are answered at the next wake-up.
fn answered(
    client: &mut Client,
    server: &mut BindingServer,
    now: &mut Instant,
    buffer: &mut Buffer,
) -> usize {
    *now = client.poll_timeout().expect("they are outstanding").at;
    client.handle_timeout(*now);
    let (mut packet, mut mapped) = (Packet::empty(buffer), 0);
    while client.poll_transmit(*now, &mut packet).is_some() {
        let mut there = Receive::new(path().reversed(), packet);
        assert!(matches!(server.handle_input(*now, &mut there), Handled::Send(_)));
        let mut back = Receive::new(path(), there.packet);
        assert_eq!(client.handle_input(*now, &mut back), Handled::Consumed);
        mapped += usize::from(matches!(client.poll_event(), Some(Event::Mapped { .. })));
        packet = back.packet;
    }
    mapped
}

/// What a server with credentials answers: 401, 438 and success, under both integrities. The client allocates for the session
/// that a 401 begins and for the attempt that it asks for, and once for the first answer.
#[test]
fn authenticated_answers_allocate_nothing_and_clients_little() {
    for (announced, algorithm, of_client) in [
        (AnnouncedAlgorithms::None, IntegrityAlgorithm::Sha1, [6, 1]),
        (AnnouncedAlgorithms::Sha256, IntegrityAlgorithm::Sha256, [7, 1]),
    ] {
        let auth = AuthConfig::long_term("realm").expect("legal").with_algorithms(announced);
        let config = ServerConfig::default().with_credentials(Some(auth));
        let mut server = BindingServer::new(config, Seed::new([1; 32]));
        server.add_user(User::long_term("user", "realm", "pass").expect("ASCII")).expect("room");
        let mut client = Client::new(ClientConfig::default(), Seed::new([2; 32]));
        let credential = LongTermCredential::new("user", "pass").expect("ASCII");
        let request = Request::new(Method::BINDING).with_credential(credential);
        client.request(Instant::EPOCH, path(), request, |open| Ok(open)).expect("room for one");
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        let (mut authenticated, mut taken) = (Vec::new(), Vec::with_capacity(2));
        while client.poll_transmit(Instant::EPOCH, &mut packet).is_some() {
            authenticated = packet.bytes().to_vec();
            let mut there = Receive::new(path().reversed(), packet);
            let (allocated, handled) = allocations(|| server.handle_input(Instant::EPOCH, &mut there));
            assert!(matches!(handled, Handled::Send(_)));
            assert_eq!(allocated, 0, "{announced:?}");
            let mut back = Receive::new(path(), there.packet);
            taken.push(allocations(|| client.handle_input(Instant::EPOCH, &mut back)).0);
            packet = back.packet;
        }
        assert_eq!(taken, of_client, "{announced:?}: a 401, and the answer");
        let message = Message::parse(packet.bytes()).expect("the answer");
        assert_eq!((message.class(), message.integrity_algorithm()), (Class::Success, Some(algorithm)));
        let later = Instant::EPOCH + Duration::from_secs(100_000);
        packet.write(&authenticated).expect("room");
        let mut there = Receive::new(path().reversed(), packet);
        let (allocated, _) = allocations(|| server.handle_input(later, &mut there));
        assert_eq!(allocated, 0, "438, {announced:?}");
        let message = Message::parse(there.packet.bytes()).expect("a refusal");
        assert_eq!(message.get::<ErrorCode<'_>>().expect("legal").expect("there").code(), 438);
        let stats = server.auth_stats();
        assert_eq!((stats.unauthenticated, stats.stale), (1, 1), "{stats:?}");
    }
}
