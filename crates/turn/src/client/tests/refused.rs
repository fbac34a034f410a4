//! RFC 8656 section 7.4: each error to an Allocate, and what the client does and says then.

use ginnel_core::{Notice, Refused, Request};
use ginnel_stun::{
    Class, Message, MessageWriter, Method,
    attribute::{AlternateServer, AttributeType, ErrorCode},
    client::{AlternateRefusal, FailureReason as Stun},
};

use super::world::*;
use crate::client::{
    ClientConfig, Event, FailureReason, Feature, Socket, TurnServer,
    fuzz::relay::{Relay, Reply},
};

fn refused(code: u16) -> World {
    World::with(config(), |relay| relay.next(Method::ALLOCATE, Reply::Error(code)))
}

#[test]
fn rfc8656_7_4_each_error_ends_an_attempt_and_is_told() {
    for (code, reason, wait) in [
        (400, FailureReason::BadRequest, None),
        (403, FailureReason::Forbidden, None),
        (405, FailureReason::Refused(405), None),
        (420, FailureReason::UnknownAttribute, None),
        (440, FailureReason::AddressFamilyNotSupported, None),
        (441, FailureReason::WrongCredentials, None),
        (442, FailureReason::UnsupportedTransport, None),
        (443, FailureReason::PeerAddressFamilyMismatch, None),
        (446, FailureReason::ConnectionAlreadyExists, None),
        (486, FailureReason::QuotaReached, Some(60)),
        (508, FailureReason::InsufficientCapacity, Some(60)),
        (699, FailureReason::Refused(699), None),
    ] {
        let mut world = refused(code);
        assert_eq!(world.events(), [Event::Failed { reason }], "{code}");
        assert_eq!(reason.retry_after(), wait.map(secs), "{code}");
        assert!(world.client.get().is_closed());
        assert!(
            matches!(world.requests[..], [Request::Bind { .. }, Request::Release { .. }]),
            "the socket is given back"
        );
        world.run_for(secs(3600));
        assert_eq!(world.asked(Method::ALLOCATE).len(), 1, "{code}: not asked again");
    }
}

#[test]
fn rfc8656_7_4_wrong_credentials_end_it_after_one_retry() {
    let mut world = World::with(config(), Relay::remove_user);
    let reason = FailureReason::Transaction(Stun::Unauthenticated);
    assert_eq!(world.events(), [Event::Failed { reason }]);
    assert_eq!(world.sent.len(), 2, "one to be challenged, one with the credentials");
}

#[test]
fn rfc8656_7_4_a_server_that_does_not_answer() {
    let mut world = World::with(config(), |_| {});
    assert!(matches!(world.events()[..], [Event::Allocated(_)]));
    let mut dead = World::dead(config());
    dead.run_for(secs(39));
    assert!(dead.events.is_empty());
    dead.run_for(secs(1));
    let [Event::Failed { reason: FailureReason::Transaction(Stun::TimedOut(_)) }] = dead.events()[..] else {
        panic!("no end")
    };
    assert_eq!(dead.sent.len(), 7);
}

#[test]
fn rfc8656_7_4_a_437_is_tried_from_three_addresses() {
    let mut world = World::with(config(), |relay| {
        for _ in 0..3 {
            relay.next(Method::ALLOCATE, Reply::Error(437));
        }
    });
    let events = world.events();
    let reason = FailureReason::AllocationMismatch;
    let retrying = Event::Retrying { reason, after: secs(0) };
    assert_eq!(events, [retrying.clone(), retrying, Event::Failed { reason }]);
    assert_eq!(reason.retry_after(), Some(secs(120)));
    let mut locals: Vec<_> = world.relay.asked.iter().map(|(path, _)| path.local).collect();
    locals.dedup();
    assert_eq!(locals.len(), 3);
    let released = world.requests.iter().filter(|it| matches!(it, Request::Release { .. })).count();
    assert_eq!(released, 3, "none is kept");
    // The third address is good.
    let mut world = World::with(config(), |relay| {
        for _ in 0..2 {
            relay.next(Method::ALLOCATE, Reply::Error(437));
        }
    });
    assert!(matches!(world.events().last(), Some(Event::Allocated(_))));
    // Another cannot be picked where the socket is somebody else's.
    let lent = config().with_socket(Socket::Lent(addr("198.51.100.7:4000")));
    let mut world = World::with(lent, |relay| relay.next(Method::ALLOCATE, Reply::Error(437)));
    assert_eq!(world.events(), [Event::Failed { reason }]);
}

#[test]
fn rfc8656_7_4_a_420_for_dont_fragment_and_a_405_are_survived_without_the_feature() {
    let config = config().with_dont_fragment(true).with_mobility(true);
    let mut world = World::with(config.clone(), |relay| {
        relay.next(Method::ALLOCATE, Reply::Unknown(AttributeType::DONT_FRAGMENT));
        relay.next(Method::ALLOCATE, Reply::Error(405));
    });
    let [one, other, Event::Allocated(given)] = &world.events()[..] else { panic!() };
    assert_eq!(*one, Event::Unsupported { feature: Feature::DontFragment, error: Some(420) });
    assert_eq!(*other, Event::Unsupported { feature: Feature::Mobility, error: Some(405) });
    assert!(!given.movable);
    let last = world.asked(Method::ALLOCATE).pop().unwrap();
    let message = Message::parse(&last).unwrap();
    assert!(!message.has(AttributeType::DONT_FRAGMENT) && !message.has(AttributeType::MOBILITY_TICKET));
    // A 420 for something else is not.
    let mut world = World::with(config.clone(), |relay| {
        relay.next(Method::ALLOCATE, Reply::Unknown(AttributeType::REQUESTED_TRANSPORT));
    });
    assert_eq!(world.events(), [Event::Failed { reason: FailureReason::UnknownAttribute }]);
    // A server that does not know of mobility gives no ticket.
    let mut world = World::with(config, |relay| relay.gives.tickets = false);
    let events = world.events();
    assert_eq!(events[0], Event::Unsupported { feature: Feature::Mobility, error: None });
}

#[test]
fn rfc8656_7_4_a_300_is_followed_over_udp() {
    let other = addr("192.0.2.2:3478");
    let mut world = World::with(config(), |relay| relay.next(Method::ALLOCATE, Reply::Alternate(other)));
    let [Event::Redirected { server }, Event::Allocated(given)] = world.events()[..] else { panic!() };
    assert_eq!((server.address, given.path.remote), (other, other));
    // All that follows goes there.
    world.command(|client, now| client.permit(now, addr("203.0.113.9:1").ip())).unwrap();
    world.send("203.0.113.9:9", b"ping").unwrap();
    assert_eq!(world.sent.last().unwrap().1.remote, other);
    world.run_for(secs(2000));
    assert_eq!(world.relay.relayed.len(), 1);
    assert!(world.client.get().allocated().is_some());
}

#[test]
fn rfc8656_7_4_a_300_is_followed_over_a_connection_of_its_own() {
    let other = addr("192.0.2.2:443");
    let server = TurnServer::tls(addr("192.0.2.1:5349"), "turn.example.org".parse().ok());
    let config = ClientConfig::new(server, credential());
    let mut world = World::with(config, |relay| relay.next(Method::ALLOCATE, Reply::Alternate(other)));
    let [Request::Connect { .. }, first, Request::Connect { remote, host, .. }] = world.requests[..] else {
        panic!("{:?}", world.requests)
    };
    assert!(matches!(first, Request::Release { .. }));
    assert_eq!((remote, host), (other, server.host), "the certificate is still to be the user's server's");
    let [Event::Redirected { .. }, Event::Allocated(given)] = world.events()[..] else { panic!() };
    assert_eq!(given.path.remote, other);
}

/// An error 300 to the first request, which nobody has authenticated.
fn unauthenticated_300(world: &World, other: &str) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut packet = ginnel_core::Packet::empty(&mut buffer);
    let id = Message::parse(&world.sent.last().unwrap().2).unwrap().transaction_id();
    let open = MessageWriter::new(&mut packet, Class::Error, Method::ALLOCATE, id).unwrap();
    let open = open.attribute(&ErrorCode::TRY_ALTERNATE).unwrap();
    open.attribute(&AlternateServer(addr(other))).unwrap().finish();
    packet.bytes().to_vec()
}
#[test]
fn sec_39_an_unauthenticated_redirection_is_followed_only_if_the_user_wants_it() {
    let mut world = World::dead(config());
    let (path, octets) = (world.sent[0].1, unauthenticated_300(&world, "192.0.2.2:3478"));
    let _ = world.octets(path, &octets);
    let reason = FailureReason::Transaction(Stun::Alternate(AlternateRefusal::Unauthenticated));
    assert_eq!(world.events(), [Event::Failed { reason }]);
    // Whoever wants it is still not sent anywhere.
    for (other, followed) in
        [("192.0.2.2:3478", true), ("127.0.0.1:3478", false), ("192.0.2.2:25", false), (SERVER, false)]
    {
        let mut world = World::dead(config().with_follow_unauthenticated(true));
        let (path, octets) = (world.sent[0].1, unauthenticated_300(&world, other));
        world.cut = false;
        let _ = world.octets(path, &octets);
        let gone = world.events().iter().any(|it| matches!(it, Event::Allocated(_)));
        assert_eq!(gone, followed, "{other}");
    }
}

#[test]
fn a_socket_that_cannot_be_opened_is_the_end_of_the_first_attempt() {
    let mut world = World::refusing(config(), Refused::NotPermitted);
    assert_eq!(world.events(), [Event::Failed { reason: FailureReason::Socket(Refused::NotPermitted) }]);
}

#[test]
fn a_socket_that_is_lost_while_allocating_is_the_end_too() {
    let mut world = World::dead(config());
    let path = world.sent[0].1;
    world.notice(Notice::Lost { transport: path.transport, local: path.local, remote: None });
    assert_eq!(world.events(), [Event::Failed { reason: FailureReason::SocketLost }]);
    assert_eq!(world.requests.len(), 1, "what is lost is not given back");
}
