//! Much at once: many peers, hours in which the machine slept, ways that do not answer, servers that send elsewhere.

use std::{collections::BTreeSet, net::IpAddr, vec::Vec};

use ginnel_core::Notice;
use ginnel_stun::{
    LongTermCredential, Message, Method, attribute::AddressFamily, client::FailureReason as Stun,
};

use super::world::*;
use crate::client::{
    Client, ClientConfig, ConfigError, Event, FailureReason, Families, PeerError, Socket, TurnServer,
    fuzz::relay::{Reply, USER},
};

const ELSEWHERE: &str = "192.0.2.2:3478";

fn ip(n: u8) -> IpAddr {
    [203, 0, 113, n].into()
}
/// One with so many permissions, and channels for some of them.
fn with_peers(config: ClientConfig, permissions: u8, channels: u8) -> World {
    let mut world = World::allocated(config);
    for n in 1..=permissions {
        world.command(|client, now| client.permit(now, ip(n))).unwrap();
    }
    for n in 1..=channels {
        world.command(|client, now| client.bind_channel(now, (ip(n), 9).into())).unwrap();
    }
    world.events();
    world
}
fn count(events: &[Event], of: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|it| of(it)).count()
}
/// The transactions of this method that have left since then.
fn transactions(world: &World, since: usize, method: Method) -> usize {
    let parsed = world.sent[since..].iter().filter_map(|(_, _, octets)| Message::parse(octets).ok());
    let of = parsed.filter(|it| it.method() == method);
    of.map(|it| it.transaction_id().octets()).collect::<BTreeSet<_>>().len()
}

#[test]
fn rfc8489_10_a_300_sends_elsewhere_who_has_no_allocation_yet_and_nobody_else() {
    for server in [TurnServer::udp(addr(SERVER)), TurnServer::tcp(addr(SERVER))] {
        let config = ClientConfig::new(server, credential()).with_socket(Socket::Own(LOCAL.parse().ok()));
        let mut world = with_peers(config, 1, 0);
        let path = world.path();
        world.relay.next(Method::REFRESH, Reply::Alternate(addr(ELSEWHERE)));
        world.command(Client::refresh);
        let reason = FailureReason::Refused(300);
        let [Event::RefreshFailed { reason: told, expires_in }] = world.events()[..] else {
            panic!("{:?}", world.events)
        };
        assert_eq!((told, expires_in), (reason, secs(600)));
        // It lives on where it is, and is asked for again there.
        world.send("203.0.113.1:9", b"still here").unwrap();
        world.run_for(secs(2));
        assert!(matches!(world.events()[..], [Event::Refreshed { .. }]));
        for (method, event) in [
            (Method::CREATE_PERMISSION, Event::PermissionFailed { ip: ip(2), reason }),
            (Method::CHANNEL_BIND, Event::ChannelFailed { peer: addr("203.0.113.1:9"), reason }),
        ] {
            world.relay.next(method, Reply::Alternate(addr(ELSEWHERE)));
            if method == Method::CHANNEL_BIND {
                world.command(|client, now| client.bind_channel(now, addr("203.0.113.1:9"))).unwrap();
            } else {
                world.command(|client, now| client.permit(now, ip(2))).unwrap();
            }
            assert_eq!(world.events(), [event]);
        }
        assert_eq!(world.path(), path);
        assert!(world.sent.iter().all(|(_, path, _)| path.remote == addr(SERVER)));
    }
}

#[test]
fn times_of_nothing_are_refused_before_they_turn_into_loops() {
    let none = std::time::Duration::ZERO;
    for config in [
        config().with_keepalive(Some(none)),
        config().with_silence(Some(none)),
        config().with_lifetime(std::time::Duration::from_millis(999)),
    ] {
        assert_eq!(config.check(), Err(ConfigError::TooShort));
        let world = World::new(config);
        let reason = FailureReason::Config(ConfigError::TooShort);
        assert_eq!(world.events, [Event::Failed { reason }]);
    }
    let second = Some(secs(1));
    let config = config().with_keepalive(second).with_silence(second).with_lifetime(secs(1));
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn after_hours_of_sleep_all_has_expired_at_once_and_all_comes_back() {
    for asking in [false, true] {
        let mut world = with_peers(config(), 50, 20);
        if asking {
            // Asleep in the middle of everything: refreshes are on their way.
            world.run_for(secs(239));
            world.cut = true;
            world.run_for(secs(2));
        }
        world.events();
        let before = world.sent.len();
        world.now += secs(7 * 3600);
        world.cut = false;
        world.settle();
        let events = world.events();
        assert_eq!(events[0], Event::Lost { reason: FailureReason::Expired }, "{events:?}");
        assert_eq!(count(&events, |it| matches!(it, Event::Lost { .. })), 1);
        assert_eq!(count(&events, |it| matches!(it, Event::Allocated(_))), 1);
        assert_eq!(count(&events, |it| matches!(it, Event::PermissionReady { .. })), 50);
        assert_eq!(count(&events, |it| matches!(it, Event::ChannelBound { .. })), 20);
        // Together as far as they fit: not one request for each.
        assert!(transactions(&world, before, Method::CREATE_PERMISSION) <= 10);
        assert_eq!(world.relay.broken, 0);
        world.send("203.0.113.50:9", b"awake").unwrap();
        // And it goes on as before.
        world.run_for(secs(3600));
        assert!(!world.events().iter().any(|it| matches!(it, Event::Lost { .. })));
        assert!((1..=50).all(|n| world.client.get().is_permitted(world.now, ip(n))));
    }
}

#[test]
fn after_hours_of_sleep_who_wants_no_other_is_told_of_the_end() {
    let lent = config().with_socket(Socket::Lent(addr("198.51.100.7:4000"))).with_recover(secs(0));
    let mut world = with_peers(lent, 5, 5);
    world.now += secs(7 * 3600);
    world.settle();
    let reason = FailureReason::Expired;
    assert_eq!(world.events(), [Event::Lost { reason }, Event::Failed { reason }]);
    assert!(world.client.get().is_closed());
    assert_eq!(world.client.get().poll_timeout(), None);
    assert!(world.requests.is_empty(), "a socket that was lent is not given back");
}

#[test]
fn a_way_that_does_not_answer_has_room_for_a_move_away_from_it() {
    let mut world = World::allocated(config().with_mobility(true));
    world.cut = true;
    for n in 1..=40 {
        world.command(|client, now| client.bind_channel(now, (ip(n), 9).into())).unwrap();
    }
    world.command(Client::refresh);
    assert!(world.events().is_empty());
    world.cut = false;
    let elsewhere = Socket::Own("198.51.100.99".parse().ok());
    world.command(|client, now| client.migrate(now, elsewhere)).unwrap();
    let events = world.events();
    assert!(matches!(events[0], Event::Moved { .. }), "{events:?}");
    assert_eq!(count(&events, |it| matches!(it, Event::ChannelBound { .. })), 40);
}

#[test]
fn a_permission_that_lapses_and_returns_is_told_again() {
    let mut world = with_peers(config(), 1, 0);
    for _ in 0..16 {
        world.relay.next(Method::CREATE_PERMISSION, Reply::Error(508));
    }
    world.run_for(secs(301));
    assert!(!world.client.get().is_permitted(world.now, ip(1)));
    assert!(!world.events().iter().any(|it| matches!(it, Event::PermissionFailed { .. })));
    // Who was told to wait for the event when `send` said `Pending` waits no longer than this.
    world.run_for(secs(60));
    let ready = |it: &Event| *it == Event::PermissionReady { ip: ip(1) };
    assert_eq!(count(&world.events(), ready), 1);
    world.run_for(secs(600));
    assert_eq!(count(&world.events(), ready), 0);
}

#[test]
fn silence_does_not_multiply_requests() {
    let mut world = with_peers(config().with_keepalive(None), 12, 0);
    world.run_for(secs(239));
    let before = world.sent.len();
    world.cut = true;
    world.run_for(secs(60));
    // Two are asked anew for the twelve, and two again when those have timed out.
    assert_eq!(transactions(&world, before, Method::CREATE_PERMISSION), 4);
    world.cut = false;
    world.run_for(secs(60));
    assert!((1..=12).all(|n| world.client.get().is_permitted(world.now, ip(n))));
}

#[test]
fn a_password_that_was_changed_costs_the_allocation_and_not_what_was_asked_for() {
    let mut world = with_peers(config(), 8, 2);
    world.relay.change_password("other");
    let credential = LongTermCredential::new(USER, "other").unwrap();
    world.command(|client, _| client.set_credential(credential));
    world.relay.held.clear();
    world.run_for(secs(300));
    let events = world.events();
    let reason = FailureReason::Transaction(Stun::Unauthenticated);
    assert_eq!(events[0], Event::Lost { reason }, "{events:?}");
    assert_eq!(count(&events, |it| matches!(it, Event::Allocated(_))), 1);
    assert_eq!(count(&events, |it| matches!(it, Event::PermissionReady { .. })), 8);
    assert_eq!(count(&events, |it| matches!(it, Event::ChannelBound { .. })), 2);
    assert_eq!(count(&events, |it| matches!(it, Event::PermissionFailed { .. })), 0);
}

#[test]
fn a_channel_too_many_asks_for_nothing() {
    let mut world = World::allocated(config().with_bounds(10, 1, 0));
    world.command(|client, now| client.bind_channel(now, addr("203.0.113.1:9"))).unwrap();
    let (before, second) = (world.sent.len(), addr("203.0.113.2:9"));
    assert_eq!(world.command(|client, now| client.bind_channel(now, second)), Err(PeerError::TooMany));
    world.run_for(secs(5));
    assert_eq!(world.sent.len(), before);
    assert_eq!(
        world.send("203.0.113.2:9", b"no"),
        Err(crate::client::SendError::NotPermitted),
        "and nothing is left behind"
    );
}

#[test]
fn a_family_that_is_given_back_during_a_move_is_told_of() {
    let config = config().with_mobility(true).with_families(Families::Both);
    let mut world = World::with(config, |relay| relay.gives.ipv6 = true);
    world.events();
    world.cut = true;
    world.command(|client, now| client.release_family(now, AddressFamily::Ipv6)).unwrap();
    world.cut = false;
    let elsewhere = Socket::Own("198.51.100.99".parse().ok());
    world.command(|client, now| client.migrate(now, elsewhere)).unwrap();
    world.run_for(secs(30));
    let failed =
        |it: &Event| matches!(it, Event::RefreshFailed { expires_in, .. } if *expires_in > secs(500));
    let events = world.events();
    let told = count(&events, failed) == 1;
    assert!(told || world.client.get().allocated().unwrap().relayed.ipv6.is_none(), "{events:?}");
}

#[test]
fn an_offer_that_is_taken_while_there_is_no_way_to_the_server_has_failed() {
    use ginnel_core::{Packet, Receive};
    use ginnel_stun::attribute::{ConnectionId, XorPeerAddress};

    let config = ClientConfig::new(TurnServer::tcp(addr(SERVER)), credential())
        .with_relay(crate::client::RelayTransport::Tcp)
        .with_mobility(true);
    let mut world = World::allocated(config);
    world.command(|client, now| client.permit(now, ip(9))).unwrap();
    world.events();
    let (mut buffer, path) = ([0; 2048], world.path());
    let mut packet = Packet::empty(&mut buffer);
    let peer = XorPeerAddress((ip(9), 80).into());
    assert!(crate::client::fuzz::relay::indication(&mut packet, Method::CONNECTION_ATTEMPT, |open| {
        open.attribute(&peer)?.attribute(&ConnectionId(7))
    }));
    let _ = world.input(&mut Receive::new(path, packet));
    let [Event::ConnectionAttempt { connection, peer }] = world.events()[..] else { panic!() };
    let lost = Notice::Lost { transport: path.transport, local: path.local, remote: Some(path.remote) };
    let taken = world.command(|client, now| {
        client.handle_notice(now, lost);
        client.accept(now, connection)
    });
    assert_eq!(taken, Ok(()));
    let events: Vec<Event> = world.events();
    let reason = FailureReason::SocketLost;
    assert!(events.contains(&Event::ConnectFailed { connection, peer, reason }), "{events:?}");
    assert!(events.iter().any(|it| matches!(it, Event::Moved { .. })), "{events:?}");
}

#[test]
fn a_connection_that_leads_nowhere_any_more_is_not_asked_again() {
    for server in [TurnServer::tcp(addr(SERVER)), TurnServer::dtls(addr(SERVER), None)] {
        let config = ClientConfig::new(server, credential()).with_socket(Socket::Own(LOCAL.parse().ok()));
        let mut world = with_peers(config, 1, 1);
        // The NAT on the way has forgotten it, and nobody says so.
        let old = world.path();
        world.dead = Some(old);
        world.now += secs(600);
        world.settle();
        let events = world.events();
        assert!(events.contains(&Event::Lost { reason: FailureReason::Expired }), "{events:?}");
        assert!(world.requests.contains(&ginnel_core::Request::release(old)));
        assert_eq!(count(&events, |it| matches!(it, Event::ChannelBound { .. })), 1, "{events:?}");
        assert_ne!(world.path(), old);

        // The next one dies as soon as it is asked: another is opened for the attempt after it.
        let second = world.path();
        world.cut = true;
        world.now += secs(600);
        world.settle();
        world.run_for(secs(40));
        world.cut = false;
        world.run_for(secs(10));
        assert_ne!(world.path(), second);
        assert!(!world.events().iter().any(|it| matches!(it, Event::Failed { .. })));
    }
}

/// An ICE agent has one for each server and interface.
#[test]
fn a_client_is_less_than_three_kilobytes() {
    let size = size_of::<Client>();
    assert!(size < 3 * 1024, "{size} octets");
}
