//! RFC 8016: an allocation that goes along to another address.

use ginnel_core::{Notice, Path, Refused, Request};
use ginnel_stun::{
    Message, Method,
    attribute::{AttributeType, MobilityTicket},
};

use super::world::*;
use crate::client::{
    ClientConfig, ConfigError, Event, FailureReason, PeerError, Socket, TurnServer, fuzz::relay::Reply,
};

fn mobile() -> World {
    let mut world = World::allocated(config().with_mobility(true));
    world.command(|client, now| client.bind_channel(now, addr("203.0.113.8:8"))).unwrap();
    world.events();
    world
}
fn elsewhere() -> Socket {
    Socket::Own("198.51.100.99".parse().ok())
}

#[test]
fn rfc8016_3_2_it_moves_with_its_permissions_and_channels() {
    let mut world = mobile();
    let old = world.path();
    let relayed = world.client.get().allocated().unwrap().relayed;
    world.command(|client, now| client.migrate(now, elsewhere())).unwrap();
    let [Event::Moved { path }] = world.events()[..] else { panic!("{:?}", world.events) };
    assert_ne!(path, old);
    assert_eq!(world.path(), path);
    assert_eq!(world.client.get().allocated().unwrap().relayed, relayed);
    world.send("203.0.113.8:8", b"moved").unwrap();
    assert_eq!(world.relay.relayed, [(addr("203.0.113.8:8"), b"moved".to_vec(), false)]);
    // What still comes the old way is taken, for a while.
    let _ = world.octets(old, b"\x40\x00\x00\x03old");
    assert_eq!(world.data.last().unwrap().1, b"old");
    world.run_for(secs(31));
    assert!(world.requests.contains(&Request::release(old)));
    // The new ticket is for the next move.
    world.command(|client, now| client.migrate(now, elsewhere())).unwrap();
    assert!(matches!(world.events()[..], [Event::Moved { .. }]));
    let tickets: Vec<Vec<u8>> = world
        .asked(Method::REFRESH)
        .iter()
        .filter_map(|it| {
            Message::parse(it).unwrap().get::<MobilityTicket<'_>>().unwrap().map(|it| it.0.to_vec())
        })
        .collect();
    assert!(tickets.len() == 2 && tickets[0] != tickets[1]);
    world.run_for(secs(3600));
    assert_eq!((world.asked(Method::ALLOCATE).len(), world.relay.broken), (1, 0));
    assert_eq!(world.client.get().stats().moves, 2);
}

#[test]
fn rfc8016_3_2_1_a_refresh_that_does_not_move_has_no_ticket() {
    let mut world = mobile();
    world.run_for(secs(1200));
    let refreshes = world.asked(Method::REFRESH);
    assert!(refreshes.len() >= 2);
    for refresh in refreshes {
        assert!(!Message::parse(&refresh).unwrap().has(AttributeType::MOBILITY_TICKET));
    }
}

#[test]
fn rfc8016_3_2_2_until_it_is_answered_data_goes_the_old_way() {
    let mut world = mobile();
    let old = world.path();
    world.cut = true;
    world.command(|client, now| client.migrate(now, elsewhere())).unwrap();
    assert_eq!(world.path(), old);
    world.send("203.0.113.8:8", b"still").unwrap();
    assert_eq!(world.sent.last().unwrap().1, old);
    world.cut = false;
    world.run_for(secs(2));
    assert!(matches!(world.events()[..], [Event::Moved { .. }]));
}

#[test]
fn rfc8016_a_move_that_fails_leaves_it_where_it_was() {
    for (code, reason) in [(405, FailureReason::Refused(405)), (400, FailureReason::BadRequest)] {
        let mut world = mobile();
        let old = world.path();
        world.relay.next(Method::REFRESH, Reply::Error(code));
        world.command(|client, now| client.migrate(now, elsewhere())).unwrap();
        assert_eq!(world.events(), [Event::MoveFailed { reason }]);
        assert_eq!(world.path(), old);
        assert!(
            matches!(world.requests.last(), Some(Request::Release { .. })),
            "the new socket is given back"
        );
        world.send("203.0.113.8:8", b"still").unwrap();
        assert_eq!(world.relay.relayed.len(), 1);
    }
    // With 437 the server says that it has no such allocation any more.
    let mut world = mobile();
    world.relay.held.clear();
    world.command(|client, now| client.migrate(now, elsewhere())).unwrap();
    let events = world.events();
    let reason = FailureReason::AllocationMismatch;
    assert_eq!(events[..2], [Event::MoveFailed { reason }, Event::Lost { reason }]);
    assert!(matches!(events[2], Event::Allocated(_)), "{events:?}");
    let mut world = mobile();
    world.refuse = Some(Refused::Unreachable);
    world.command(|client, now| client.migrate(now, elsewhere())).unwrap();
    assert_eq!(world.events(), [Event::MoveFailed { reason: FailureReason::Socket(Refused::Unreachable) }]);
    assert!(world.client.get().allocated().is_some());
}

#[test]
fn rfc8016_a_socket_that_is_lost_is_moved_away_from_by_itself() {
    let mut world = mobile();
    let old = world.path();
    world.notice(Notice::Lost { transport: old.transport, local: old.local, remote: None });
    assert!(matches!(world.events()[..], [Event::Moved { .. }]));
    assert_eq!(world.asked(Method::ALLOCATE).len(), 1);
    // Where the server has lost it too, another one is made.
    let config = ClientConfig::new(TurnServer::tcp(addr(SERVER)), credential()).with_mobility(true);
    let mut world = World::allocated(config);
    let old = world.path();
    world.relay.held.clear();
    world.notice(Notice::Lost { transport: old.transport, local: old.local, remote: Some(old.remote) });
    let reason = FailureReason::AllocationMismatch;
    let events = world.events();
    assert_eq!(events[..2], [Event::MoveFailed { reason }, Event::Lost { reason }]);
    assert!(matches!(events[2], Event::Allocated(_)));
}

#[test]
fn rfc8016_5_a_ticket_alone_is_no_proof() {
    let over = |server| {
        ClientConfig::unauthenticated(server)
            .with_socket(Socket::Own(LOCAL.parse().ok()))
            .with_mobility(true)
            .check()
    };
    for server in [TurnServer::udp(addr(SERVER)), TurnServer::tcp(addr(SERVER))] {
        assert_eq!(over(server), Err(ConfigError::MovableByAnybody));
    }
    for server in [TurnServer::tls(addr(SERVER), None), TurnServer::dtls(addr(SERVER), None)] {
        assert_eq!(over(server), Ok(()));
    }
    assert_eq!(config().with_mobility(true).check(), Ok(()));
}

#[test]
fn without_a_ticket_another_allocation_is_made_at_the_new_address() {
    let mut world = World::allocated(config());
    world.command(|client, now| client.permit(now, addr("203.0.113.9:1").ip())).unwrap();
    world.events();
    let socket = Socket::Lent(addr("198.51.100.99:4444"));
    world.command(|client, now| client.migrate(now, socket)).unwrap();
    let events = world.events();
    assert_eq!(events[0], Event::Lost { reason: FailureReason::NoTicket });
    assert!(matches!(events[1], Event::Allocated(_)));
    assert!(matches!(events[2], Event::PermissionReady { .. }));
    assert_eq!(world.path(), Path::udp(addr("198.51.100.99:4444"), addr(SERVER)));
    assert_eq!(
        world.command(|client, now| client.migrate(now, Socket::Own(None))),
        Err(PeerError::WrongFamily)
    );
    let mut dead = World::dead(config());
    assert_eq!(dead.command(|client, now| client.migrate(now, socket)), Err(PeerError::NotAllocated));
}
