//! RFC 6062: TCP connections through the relay.

use ginnel_core::{Framing, Handled, Notice, Packet, Path, Refused, Request, Transport};
use ginnel_stun::{
    Message, Method,
    attribute::{ConnectionId, RequestedTransport, XorPeerAddress},
};

use super::world::*;
use crate::client::{
    ClientConfig, Connection, Event, FailureReason, PeerError, RelayTransport, Relayed, SendError,
    TurnServer,
    fuzz::relay::{Reply, indication},
};

const PEER: &str = "203.0.113.9:80";

fn tcp() -> World {
    let config = ClientConfig::new(TurnServer::tcp(addr(SERVER)), credential());
    World::allocated(config.with_relay(RelayTransport::Tcp).with_bounds(10, 10, 2))
}
fn connect(world: &mut World) -> Connection {
    let connection = world.command(|client, now| client.connect(now, addr(PEER))).unwrap();
    assert_eq!(world.events(), [Event::Connected { connection, peer: addr(PEER) }]);
    connection
}
/// The path of the data connection.
fn data_path(world: &World) -> Path {
    let (path, _) = world
        .relay
        .asked
        .iter()
        .rfind(|(_, it)| Message::parse(it).unwrap().method() == Method::CONNECTION_BIND)
        .unwrap();
    *path
}
fn attempt(world: &mut World, peer: &str, id: u32) {
    let (mut buffer, path) = ([0; 2048], world.path());
    let mut packet = Packet::empty(&mut buffer);
    let peer = XorPeerAddress(addr(peer));
    assert!(indication(&mut packet, Method::CONNECTION_ATTEMPT, |open| {
        open.attribute(&peer)?.attribute(&ConnectionId(id))
    }));
    assert_eq!(world.octets(path, packet.bytes()), Handled::Consumed);
}

#[test]
fn rfc6062_4_3_a_connection_to_a_peer() {
    let mut world = tcp();
    let allocate = world.asked(Method::ALLOCATE).pop().unwrap();
    assert_eq!(Message::parse(&allocate).unwrap().get().unwrap(), Some(RequestedTransport::TCP));
    let connection = connect(&mut world);
    // A stream of its own, to the same address, with the CONNECTION-ID echoed.
    let path = data_path(&world);
    assert_eq!(path.remote, world.path().remote);
    assert_ne!(path.local, world.path().local);
    let bind = world.asked(Method::CONNECTION_BIND).pop().unwrap();
    assert!(Message::parse(&bind).unwrap().get::<ConnectionId>().unwrap().is_some());
    assert_eq!(world.requests.last(), Some(&Request::Frame { path, framing: Framing::Raw }));
    // RFC 6062 section 4.5: as it is, both ways, whatever it looks like.
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(b"GET /").unwrap();
    let transmit = world.client.get_mut().send_octets(world.now, connection, &mut packet).unwrap();
    assert_eq!((transmit.path, packet.bytes()), (path, &b"GET /"[..]));
    let relayed = world.client.get().allocated().unwrap().relayed.ipv4.unwrap();
    for octets in [&b"HTTP"[..], b"\x01\x03\x00\x00\x21\x12\xa4\x42transactions", b"\x40\x00\x00\x01x"] {
        assert_eq!(world.octets(path, octets), Handled::Data(Relayed::Octets { connection }));
        let (from, data, _) = world.data.pop().unwrap();
        assert_eq!((from, &data[..]), (Path::new(Transport::Tcp, relayed, addr(PEER)), octets));
    }
    // Section 4.6: it ends with its stream, from either side.
    world.notice(Notice::Lost { transport: path.transport, local: path.local, remote: Some(path.remote) });
    assert_eq!(world.events(), [Event::Disconnected { connection, peer: addr(PEER) }]);
    let mut gone = |world: &mut World, connection| {
        world.client.get_mut().send_octets(world.now, connection, &mut packet)
    };
    assert_eq!(gone(&mut world, connection), Err(SendError::NotConnected));
    let connection = connect(&mut world);
    assert!(world.command(|client, now| client.disconnect(now, connection)));
    assert_eq!(world.requests.last(), Some(&Request::release(data_path(&world))));
    assert!(!world.command(|client, now| client.disconnect(now, connection)));
}

#[test]
fn rfc6062_4_6_the_allocation_is_refreshed_on_the_control_connection_as_long_as_there_are_others() {
    let mut world = tcp();
    let connection = connect(&mut world);
    let data = data_path(&world);
    world.run_for(secs(7200));
    let refreshes = world.asked(Method::REFRESH).len();
    assert!((7200 / 600..=7200 / 500).contains(&refreshes), "{refreshes} in two hours");
    let control = world.path();
    let of = |octets: &[u8]| Message::parse(octets).unwrap().method();
    let mut ways = world.relay.asked.iter().filter(|(_, it)| of(it) == Method::REFRESH);
    assert!(ways.all(|(path, _)| *path == control));
    assert_eq!(world.octets(data, b"still"), Handled::Data(Relayed::Octets { connection }));
}

#[test]
fn rfc6062_4_3_the_same_peer_is_not_asked_for_twice_nor_soon_after_a_447() {
    let mut world = tcp();
    connect(&mut world);
    let again = |world: &mut World| world.command(|client, now| client.connect(now, addr(PEER)));
    assert_eq!(again(&mut world), Err(PeerError::AlreadyConnected));
    let mut world = tcp();
    world.relay.next(Method::CONNECT, Reply::Error(447));
    let connection = again(&mut world).unwrap();
    let reason = FailureReason::ConnectionFailed;
    assert_eq!(world.events(), [Event::ConnectFailed { connection, peer: addr(PEER), reason }]);
    assert_eq!(reason.retry_after(), Some(secs(10)));
    world.run_for(secs(9));
    assert_eq!(again(&mut world), Err(PeerError::TooSoon));
    world.run_for(secs(1));
    assert!(again(&mut world).is_ok());
    let mut world = tcp();
    world.relay.next(Method::CONNECT, Reply::Error(446));
    let connection = again(&mut world).unwrap();
    let reason = FailureReason::ConnectionAlreadyExists;
    assert_eq!(world.events(), [Event::ConnectFailed { connection, peer: addr(PEER), reason }]);
}

#[test]
fn rfc6062_4_4_a_peer_that_connects_is_offered_and_taken() {
    let mut world = tcp();
    attempt(&mut world, PEER, 5);
    assert!(world.events().is_empty(), "without a permission nobody can have come");
    world.command(|client, now| client.permit(now, addr(PEER).ip())).unwrap();
    world.events();
    attempt(&mut world, PEER, 5);
    attempt(&mut world, PEER, 5);
    let [Event::ConnectionAttempt { connection, peer }] = world.events()[..] else { panic!("told once") };
    assert_eq!(peer, addr(PEER));
    world.command(|client, now| client.accept(now, connection)).unwrap();
    assert_eq!(world.events(), [Event::Connected { connection, peer }]);
    let bind = world.asked(Method::CONNECTION_BIND).pop().unwrap();
    assert_eq!(Message::parse(&bind).unwrap().get().unwrap(), Some(ConnectionId(5)));
    // One that is not taken in time is gone, and no more are kept than the config says.
    for id in 6..10 {
        attempt(&mut world, "203.0.113.9:81", id);
    }
    let events = world.events();
    let [Event::ConnectionAttempt { connection, .. }] = events[..] else { panic!("{events:?}") };
    assert_eq!(world.client.get().stats().untold, 3);
    world.run_for(secs(30));
    assert_eq!(world.command(|client, now| client.accept(now, connection)), Err(PeerError::NoConnection));
}

#[test]
fn rfc6062_what_goes_wrong_on_the_way_is_told() {
    let mut world = tcp();
    world.refuse = Some(Refused::TimedOut);
    let connection = world.command(|client, now| client.connect(now, addr(PEER))).unwrap();
    let reason = FailureReason::Socket(Refused::TimedOut);
    assert_eq!(world.events(), [Event::ConnectFailed { connection, peer: addr(PEER), reason }]);
    world.refuse = None;
    world.relay.next(Method::CONNECTION_BIND, Reply::Error(400));
    let connection = world.command(|client, now| client.connect(now, addr(PEER))).unwrap();
    let reason = FailureReason::BadRequest;
    assert_eq!(world.events(), [Event::ConnectFailed { connection, peer: addr(PEER), reason }]);
    assert_eq!(world.requests.last(), Some(&Request::release(data_path(&world))));
    // Datagrams are not for it, and connections not for a relay of datagrams.
    let mut packet_buffer = [0; 2048];
    let mut packet = Packet::empty(&mut packet_buffer);
    assert_eq!(
        world.client.get_mut().send(world.now, addr(PEER), &mut packet),
        Err(SendError::WrongTransport)
    );
    // With the control connection all end.
    let connection = connect(&mut world);
    let path = world.path();
    world.notice(Notice::Lost { transport: path.transport, local: path.local, remote: Some(path.remote) });
    let events = world.events();
    assert!(events.contains(&Event::Disconnected { connection, peer: addr(PEER) }), "{events:?}");
}
