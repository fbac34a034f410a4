//! RFC 8656 section 8, and what becomes of a client whose server forgets it, dies or is silent.

use ginnel_core::{IcmpError, Notice, Refused, Request};
use ginnel_stun::{
    Class, Message, Method,
    attribute::Lifetime,
    client::{FailureReason as Stun, StartError},
};

use super::world::*;
use crate::client::{ClientConfig, Event, FailureReason, Socket, TurnServer, fuzz::relay::Reply};

fn is_retrying(event: &Event) -> bool {
    matches!(event, Event::Retrying { .. })
}

#[test]
fn rfc8656_8_1_it_is_refreshed_a_minute_before_its_end() {
    let mut world = World::allocated(config().with_lifetime(secs(900)));
    world.run_for(secs(539));
    assert!(world.asked(Method::REFRESH).is_empty());
    world.run_for(secs(1));
    let refresh = world.asked(Method::REFRESH).pop().expect("it is asked for");
    assert_eq!(Message::parse(&refresh).unwrap().get().unwrap(), Some(Lifetime(900)));
    assert_eq!(world.events(), [Event::Refreshed { lifetime: secs(600) }], "the server decides");
    // A short lifetime is refreshed at its half, and one that is absurd not all the time.
    for (lifetime, refreshes) in [(100, 11..=13), (1, 500..=1200)] {
        let mut world = World::with(config(), |relay| relay.gives.lifetime = Some(lifetime));
        world.run_for(secs(600));
        assert!(refreshes.contains(&world.asked(Method::REFRESH).len()), "{lifetime}");
        assert_eq!(world.asked(Method::ALLOCATE).len(), 1);
    }
}

#[test]
fn rfc8656_8_3_a_lost_answer_is_asked_for_again_and_an_error_tried_again() {
    let mut world = World::allocated(config());
    world.relay.next(Method::REFRESH, Reply::Lost);
    world.run_for(secs(541));
    assert_eq!(world.events(), [Event::Refreshed { lifetime: secs(600) }]);
    world.relay.next(Method::REFRESH, Reply::Error(508));
    world.relay.next(Method::REFRESH, Reply::Error(400));
    world.run_for(secs(545));
    let events = world.events();
    let left = |event: &Event| match event {
        Event::RefreshFailed { reason, expires_in } => (*reason, expires_in.as_secs()),
        other => panic!("{other:?}"),
    };
    assert_eq!(left(&events[0]), (FailureReason::InsufficientCapacity, 60));
    assert_eq!(left(&events[1]), (FailureReason::BadRequest, 59));
    assert_eq!(events[2..], [Event::Refreshed { lifetime: secs(600) }]);
}

#[test]
fn rfc8656_8_3_a_437_means_that_it_is_gone_and_another_is_made_with_all_that_was_asked_for() {
    let mut world = World::allocated(config());
    let (ip, peer) = (addr("203.0.113.9:1").ip(), addr("203.0.113.8:8"));
    world.command(|client, now| client.permit(now, ip)).unwrap();
    world.command(|client, now| client.bind_channel(now, peer)).unwrap();
    world.events();
    world.relay.held.clear(); // restarted
    world.run_for(secs(240));
    let events = world.events();
    assert_eq!(events[0], Event::Lost { reason: FailureReason::AllocationMismatch });
    assert!(matches!(events[1], Event::Allocated(_)));
    assert!(events.contains(&Event::PermissionReady { ip }));
    assert!(events.iter().any(|it| matches!(it, Event::ChannelBound { peer: to, .. } if *to == peer)));
    world.send("203.0.113.8:8", b"back").unwrap();
    world.send("203.0.113.9:8", b"too").unwrap();
    assert_eq!(world.relay.relayed.len(), 2);
    assert_eq!(world.client.get().stats().lost, 1);
}

#[test]
fn who_does_not_want_another_is_told_of_the_loss_and_of_the_end() {
    let mut world = World::allocated(config().with_recover(secs(0)));
    world.relay.held.clear();
    world.command(|client, now| client.refresh(now));
    let reason = FailureReason::AllocationMismatch;
    assert_eq!(world.events(), [Event::Lost { reason }, Event::Failed { reason }]);
    assert!(world.client.get().is_closed());
}

#[test]
fn a_user_who_was_removed_is_told_so() {
    let mut world = World::allocated(config());
    world.relay.remove_user();
    world.command(|client, now| client.refresh(now));
    let reason = FailureReason::Transaction(Stun::Unauthenticated);
    assert_eq!(world.events(), [Event::Lost { reason }, Event::Failed { reason }]);
}

#[test]
fn a_dead_server_costs_the_allocation_at_its_end_and_is_tried_until_the_time_is_over() {
    let mut world = World::allocated(config());
    world.cut = true;
    world.run_for(secs(599));
    assert!(world.client.get().allocated().is_some());
    assert!(matches!(world.events()[..], [Event::RefreshFailed { .. }, ..] | []));
    world.run_for(secs(1));
    assert!(world.events().contains(&Event::Lost { reason: FailureReason::Expired }));
    world.run_for(secs(300));
    assert!(world.events().iter().all(is_retrying) && world.client.get().allocated().is_none());
    // It comes back.
    let mut back = World::allocated(config());
    back.cut = true;
    back.run_for(secs(700));
    back.cut = false;
    back.run_for(secs(60));
    assert!(back.client.get().allocated().is_some(), "{:?}", back.events);
    // It does not.
    world.run_for(secs(600));
    let [.., Event::Failed { reason: FailureReason::Transaction(Stun::TimedOut(_)) }] = world.events()[..]
    else {
        panic!("no end")
    };
}

#[test]
fn while_it_recovers_it_waits_as_long_as_the_server_wants() {
    for (code, least) in [(486, 60), (508, 60), (437, 120)] {
        let lent = config().with_socket(Socket::Lent(addr("198.51.100.7:4000")));
        let mut world = World::allocated(lent);
        world.relay.held.clear();
        world.relay.next(Method::ALLOCATE, Reply::Error(code));
        world.command(|client, now| client.refresh(now));
        let [Event::Lost { .. }, Event::Retrying { reason, after }] = world.events()[..] else { panic!() };
        assert_eq!(reason, FailureReason::of_code(code));
        assert_eq!(after, secs(least));
        world.run_for(secs(least - 1));
        assert!(world.client.get().allocated().is_none());
        world.run_for(secs(1));
        assert!(world.client.get().allocated().is_some());
    }
    // What no waiting mends is the end.
    let mut world = World::allocated(config());
    world.relay.held.clear();
    world.relay.next(Method::ALLOCATE, Reply::Error(403));
    world.command(|client, now| client.refresh(now));
    assert_eq!(world.events().last(), Some(&Event::Failed { reason: FailureReason::Forbidden }));
}

#[test]
fn a_stream_that_is_lost_is_opened_again_and_later_if_it_is_refused() {
    let mut world = World::allocated(ClientConfig::new(TurnServer::tcp(addr(SERVER)), credential()));
    let path = world.path();
    world.relay.held.clear();
    let lost = Notice::Lost { transport: path.transport, local: path.local, remote: Some(path.remote) };
    world.refuse = Some(Refused::Unreachable);
    world.notice(lost);
    let events = world.events();
    assert_eq!(events[0], Event::Lost { reason: FailureReason::SocketLost });
    let Event::Retrying { reason: FailureReason::Socket(Refused::Unreachable), after } = events[1] else {
        panic!()
    };
    assert!((secs(1)..secs(2)).contains(&after), "{after:?}");
    world.run_for(secs(20));
    world.refuse = None;
    world.run_for(secs(30));
    assert!(matches!(world.events().last(), Some(Event::Allocated(_))));
    assert_ne!(world.path().local, path.local);
}

#[test]
fn a_server_that_is_silent_while_it_is_sent_to_is_asked() {
    let mut world = World::allocated(config().with_keepalive(None));
    let peer = addr("203.0.113.9:9");
    world.command(|client, now| client.permit(now, peer.ip())).unwrap();
    world.relay.held.clear(); // restarted
    world.send("203.0.113.9:9", b"one").unwrap();
    world.run_for(secs(14));
    assert!(world.asked(Method::REFRESH).is_empty());
    world.run_for(secs(1));
    assert_eq!(world.asked(Method::REFRESH).len(), 1);
    assert!(world.events().iter().any(|it| matches!(it, Event::Lost { .. })));
    assert!(world.client.get().is_permitted(world.now, peer.ip()));
    // One that speaks is not asked.
    let mut world = World::allocated(config().with_keepalive(None));
    world.command(|client, now| client.permit(now, peer.ip())).unwrap();
    for _ in 0..10 {
        world.send("203.0.113.9:9", b"one").unwrap();
        world.run_for(secs(10));
        assert!(world.peer_sends("203.0.113.9:9", b"two"));
    }
    assert!(world.asked(Method::REFRESH).is_empty());
}

#[test]
fn icmp_makes_it_ask_and_never_costs_the_allocation_by_itself() {
    let mut world = World::allocated(config());
    let path = world.path();
    world.notice(Notice::Unreachable { path, error: IcmpError::v4(3, 3, 0) });
    assert_eq!(world.events(), [Event::Refreshed { lifetime: secs(600) }]);
    // The server is down, and comes back with nothing.
    world.cut = true;
    let down = Notice::Unreachable { path, error: IcmpError::v4(3, 3, 0) };
    for _ in 0..20 {
        world.notice(down);
        world.run_for(secs(1));
    }
    assert!(world.client.get().allocated().is_some());
    let refreshes = world
        .sent
        .iter()
        .filter(|(_, _, it)| Message::parse(it).is_ok_and(|it| it.method() == Method::REFRESH));
    assert!(refreshes.count() < 12, "however much ICMP says, it is asked ever more rarely");
    world.cut = false;
    world.relay.held.clear();
    world.run_for(secs(30));
    assert!(world.events().iter().any(|it| matches!(it, Event::Allocated(_))));
}

#[test]
fn nats_are_kept_open_when_nothing_else_is_sent() {
    let mut world = World::allocated(config());
    let before = world.sent.len();
    world.run_for(secs(60));
    let kept: Vec<_> = world.sent.split_off(before);
    assert_eq!(kept.len(), 4);
    for (_, path, octets) in kept {
        let message = Message::parse(&octets).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Indication, Method::BINDING));
        assert_eq!(path, world.path());
    }
    // What is sent anyway keeps them open too.
    let peer = addr("203.0.113.9:9");
    world.command(|client, now| client.permit(now, peer.ip())).unwrap();
    let kept = world.client.get().stats().keepalives;
    for _ in 0..10 {
        world.run_for(secs(8));
        world.send("203.0.113.9:9", b"data").unwrap();
    }
    assert_eq!(world.client.get().stats().keepalives, kept);
    let mut without = World::allocated(config().with_keepalive(None));
    without.run_for(secs(500));
    assert_eq!(without.client.get().stats().keepalives, 0);
}

#[test]
fn rfc8656_8_1_the_goodbye_deletes_and_is_not_waited_for_for_ever() {
    let mut world = World::allocated(config());
    world.relay.next(Method::REFRESH, Reply::Error(437));
    world.command(|client, now| client.close(now));
    assert_eq!(world.events(), [Event::Closed], "437: it is gone, which was wanted");
    let mut world = World::allocated(config());
    world.cut = true;
    world.command(|client, now| client.close(now));
    assert!(!world.client.get().is_closed());
    world.run_for(secs(4));
    assert_eq!(world.events(), [Event::Closed]);
    assert!(matches!(world.requests.last(), Some(Request::Release { .. })));
    assert!(world.client.get().is_closed());
    // Before there is one, too: it may be on its way.
    let mut world = World::dead(config());
    world.cut = false;
    world.command(|client, now| client.close(now));
    assert_eq!(world.events(), [Event::Closed]);
    assert!(world.relay.held.is_empty());
    world.command(|client, now| client.close(now));
    assert!(world.events().is_empty());
}

#[test]
fn rfc8656_5_a_credential_that_is_changed_is_for_the_next_allocation() {
    let mut world = World::allocated(config());
    let other = ginnel_stun::LongTermCredential::new("nobody", "else").unwrap();
    world.command(|client, _| client.set_credential(other));
    world.command(|client, now| client.refresh(now));
    assert_eq!(world.events(), [Event::Refreshed { lifetime: secs(600) }], "the user name of its making");
    world.relay.held.clear();
    world.command(|client, now| client.refresh(now));
    let reason = FailureReason::Transaction(Stun::Unauthenticated);
    assert_eq!(world.events().last(), Some(&Event::Failed { reason }));
}

#[test]
fn a_name_that_does_not_fit_is_an_end_and_not_a_loop() {
    let long = "n".repeat(508);
    let credential = ginnel_stun::LongTermCredential::new(&long, "pass").unwrap();
    let mut world = World::new(
        ClientConfig::new(TurnServer::udp(addr(SERVER)), credential)
            .with_socket(Socket::Own(LOCAL.parse().ok())),
    );
    let [Event::Failed { reason }] = world.events()[..] else { panic!() };
    assert!(
        matches!(
            reason,
            FailureReason::Transaction(Stun::NoRoom | Stun::Unauthenticated)
                | FailureReason::NotStarted(StartError::NoRoom)
        ),
        "{reason:?}"
    );
}

#[test]
fn a_server_that_gives_and_forgets_at_once_is_asked_ever_more_rarely() {
    let mut world = World::allocated(config());
    for _ in 0..50 {
        world.relay.next(Method::CREATE_PERMISSION, Reply::Error(437));
    }
    world.command(|client, now| client.permit(now, addr("203.0.113.9:9").ip())).unwrap();
    world.run_for(secs(60));
    // Two for each attempt: on its five-tuple the old one is still there.
    assert!(
        (6..16).contains(&world.asked(Method::ALLOCATE).len()),
        "{}",
        world.asked(Method::ALLOCATE).len()
    );
    assert!(world.events().iter().any(is_retrying));
}
