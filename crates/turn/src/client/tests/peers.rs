//! Permissions and channels (RFC 8656 sections 9, 10 and 12).

use std::{collections::BTreeMap, net::IpAddr};

use ginnel_stun::{
    Message, Method,
    attribute::{AttributeType, ChannelNumber as Number, XorPeerAddress},
};

use super::world::*;
use crate::{
    ChannelNumber,
    client::{Client, Event, FailureReason, Families, PeerError, SendError, fuzz::relay::Reply},
};

fn ip(n: u8) -> IpAddr {
    [203, 0, 113, n].into()
}
/// The numbers and peers of all ChannelBinds.
fn bindings(world: &World) -> Vec<(u16, String)> {
    let read = |octets: Vec<u8>| {
        let message = Message::parse(&octets).unwrap();
        let Some(Number(number)) = message.get().unwrap() else { panic!() };
        let Some(XorPeerAddress(peer)) = message.get().unwrap() else { panic!() };
        (number, peer.to_string())
    };
    world.asked(Method::CHANNEL_BIND).into_iter().map(read).collect()
}
fn peers_in(octets: &[u8]) -> usize {
    let message = Message::parse(octets).unwrap();
    message.attributes().filter(|raw| raw.kind == AttributeType::XOR_PEER_ADDRESS).count()
}

#[test]
fn rfc8656_9_a_permission_is_kept_alive_until_it_is_forgotten() {
    let mut world = World::allocated(config());
    world.command(|client, now| client.permit(now, ip(9))).unwrap();
    assert_eq!(world.events(), [Event::PermissionReady { ip: ip(9) }]);
    world.command(|client, now| client.permit(now, ip(9))).unwrap();
    assert_eq!(world.asked(Method::CREATE_PERMISSION).len(), 1, "once is enough");
    world.run_for(secs(239));
    assert_eq!(world.asked(Method::CREATE_PERMISSION).len(), 1);
    world.run_for(secs(1));
    assert_eq!(world.asked(Method::CREATE_PERMISSION).len(), 2, "a minute before its end");
    world.run_for(secs(3600));
    assert!(world.client.get().is_permitted(world.now, ip(9)));
    world.command(|client, now| client.forget(now, ip(9)));
    let asked = world.asked(Method::CREATE_PERMISSION).len();
    world.run_for(secs(301));
    assert!(!world.client.get().is_permitted(world.now, ip(9)));
    assert_eq!(world.asked(Method::CREATE_PERMISSION).len(), asked);
    assert_eq!(world.send("203.0.113.9:9", b"late"), Err(SendError::NotPermitted));
}

#[test]
fn rfc8656_10_1_many_are_asked_for_together() {
    let mut world = World::new(config());
    world.relay.asked.clear();
    world.client.get_mut().permit(world.now, ip(0)).unwrap();
    for n in 1..30 {
        let now = world.now;
        world.client.get_mut().permit(now, ip(n)).unwrap();
    }
    world.settle();
    let ready = world.events().iter().filter(|it| matches!(it, Event::PermissionReady { .. })).count();
    assert_eq!(ready, 30);
    world.relay.asked.clear();
    world.run_for(secs(240));
    let again = world.asked(Method::CREATE_PERMISSION);
    assert_eq!(again.len(), 5, "thirty, six in each");
    assert!(again.iter().all(|octets| peers_in(octets) == 6 && octets.len() < 548));
}

#[test]
fn one_that_is_refused_among_several_does_not_take_the_others_along() {
    let mut world = World::dead(config());
    for n in 1..=3 {
        world.command(|client, now| client.permit(now, ip(n))).unwrap();
    }
    world.cut = false;
    world.relay.next(Method::CREATE_PERMISSION, Reply::Error(403)); // of the three
    world.relay.next(Method::CREATE_PERMISSION, Reply::Error(403)); // of the first alone
    world.run_for(secs(5));
    let mut events = world.events();
    assert!(matches!(events.remove(0), Event::Allocated(_)));
    let failed = Event::PermissionFailed { ip: ip(1), reason: FailureReason::Forbidden };
    assert_eq!(events, [failed, Event::PermissionReady { ip: ip(2) }, Event::PermissionReady { ip: ip(3) }]);
    world.run_for(secs(600));
    assert!(
        !world.relay.held.values().any(|held| held.permissions.contains_key(&ip(1))),
        "not asked for again"
    );
}

#[test]
fn what_may_pass_is_tried_again_where_it_was_there_before() {
    let mut world = World::allocated(config());
    world.relay.next(Method::CREATE_PERMISSION, Reply::Error(508));
    world.command(|client, now| client.permit(now, ip(9))).unwrap();
    assert_eq!(
        world.events(),
        [Event::PermissionFailed { ip: ip(9), reason: FailureReason::InsufficientCapacity }]
    );
    world.command(|client, now| client.permit(now, ip(9))).unwrap();
    world.relay.next(Method::CREATE_PERMISSION, Reply::Error(508));
    world.run_for(secs(241));
    assert_eq!(world.asked(Method::CREATE_PERMISSION).len(), 3);
    world.run_for(secs(10));
    assert!(!world.events().iter().any(|it| matches!(it, Event::PermissionFailed { .. })));
    assert_eq!(world.asked(Method::CREATE_PERMISSION).len(), 4);
    // Refused for good, it is told, and can be used until its end.
    world.relay.next(Method::CREATE_PERMISSION, Reply::Error(403));
    world.run_for(secs(240));
    assert!(
        world.events().contains(&Event::PermissionFailed { ip: ip(9), reason: FailureReason::Forbidden })
    );
    assert!(world.client.get().is_permitted(world.now, ip(9)));
    world.run_for(secs(61));
    assert!(!world.client.get().is_permitted(world.now, ip(9)));
}

#[test]
fn peers_are_checked_before_anything_is_sent() {
    let mut world = World::allocated(config().with_bounds(2, 1, 0));
    let sent = world.sent.len();
    for (wrong, why) in [
        ("0.0.0.0:1", PeerError::NoPeer),
        ("224.0.0.1:1", PeerError::NoPeer),
        ("[2001:db8::9]:1", PeerError::WrongFamily),
    ] {
        assert_eq!(world.command(|client, now| client.permit(now, addr(wrong).ip())), Err(why));
        assert_eq!(world.command(|client, now| client.bind_channel(now, addr(wrong))), Err(why));
    }
    assert_eq!(
        world.command(|client, now| client.bind_channel(now, addr("203.0.113.9:0"))),
        Err(PeerError::NoPeer)
    );
    assert_eq!(world.sent.len(), sent);
    // At the bounds, and one past them.
    assert_eq!(world.command(|client, now| client.permit(now, ip(1))), Ok(()));
    assert_eq!(world.command(|client, now| client.bind_channel(now, addr("203.0.113.2:1"))), Ok(()));
    assert_eq!(world.command(|client, now| client.permit(now, ip(3))), Err(PeerError::TooMany));
    assert_eq!(
        world.command(|client, now| client.bind_channel(now, addr("203.0.113.2:2"))),
        Err(PeerError::TooMany)
    );
    assert_eq!(world.command(|client, now| client.bind_channel(now, addr("203.0.113.2:1"))), Ok(()));
    assert_eq!(
        world.command(|client, now| client.connect(now, addr("203.0.113.2:1"))),
        Err(PeerError::WrongTransport)
    );
    world.command(|client, now| client.close(now));
    assert_eq!(world.command(|client, now| client.permit(now, ip(1))), Err(PeerError::Closed));
}

#[test]
fn peers_of_a_family_that_was_not_given_are_told_so() {
    let mut world = World::dead(config().with_families(Families::Both));
    let six = addr("[2001:db8::9]:9");
    world.command(|client, now| client.permit(now, six.ip())).unwrap();
    world.command(|client, now| client.bind_channel(now, six)).unwrap();
    world.cut = false;
    world.run_for(secs(5));
    let reason = FailureReason::PeerAddressFamilyMismatch;
    let events = world.events();
    assert!(events.contains(&Event::PermissionFailed { ip: six.ip(), reason }));
    assert!(events.contains(&Event::ChannelFailed { peer: six, reason }));
    assert!(world.asked(Method::CREATE_PERMISSION).is_empty());
}

#[test]
fn rfc8656_8_1_one_of_two_families_can_be_given_back() {
    use ginnel_stun::attribute::{AddressFamily, RequestedAddressFamily};
    let mut world = World::with(config().with_families(Families::Both), |relay| relay.gives.ipv6 = true);
    let six = addr("[2001:db8::9]:9");
    world.command(|client, now| client.bind_channel(now, six)).unwrap();
    world.command(|client, now| client.permit(now, ip(9))).unwrap();
    world.events();
    world.command(|client, now| client.release_family(now, AddressFamily::Ipv6)).unwrap();
    let refresh = world.asked(Method::REFRESH).pop().unwrap();
    let message = Message::parse(&refresh).unwrap();
    assert_eq!(message.get().unwrap(), Some(RequestedAddressFamily(AddressFamily::Ipv6)));
    let given = world.client.get().allocated().unwrap();
    assert_eq!((given.relayed.ipv4.is_some(), given.relayed.ipv6), (true, None));
    assert_eq!(world.send("[2001:db8::9]:9", b"x"), Err(SendError::WrongFamily));
    assert_eq!(world.send("203.0.113.9:9", b"x"), Ok(()), "the other family is as it was");
    assert_eq!(
        world.command(|client, now| client.release_family(now, AddressFamily::Ipv4)),
        Err(PeerError::WrongFamily)
    );
    world.run_for(secs(3600));
    assert_eq!((world.relay.broken, world.asked(Method::ALLOCATE).len()), (0, 1));
}

#[test]
fn rfc8656_12_a_channel_brings_its_permission_and_is_kept_alive() {
    let mut world = World::allocated(config());
    let peer = addr("203.0.113.9:9");
    world.command(|client, now| client.bind_channel(now, peer)).unwrap();
    let channel = ChannelNumber::MIN;
    assert_eq!(world.events(), [Event::PermissionReady { ip: ip(9) }, Event::ChannelBound { peer, channel }]);
    assert!(world.asked(Method::CREATE_PERMISSION).is_empty(), "it came along");
    world.run_for(secs(539));
    assert_eq!(bindings(&world).len(), 1);
    world.run_for(secs(1));
    assert_eq!(bindings(&world), vec![(0x4000, peer.to_string()); 2]);
    world.run_for(secs(86_400));
    assert_eq!(world.client.get().channel(world.now, peer), Some(channel));
    assert!(world.client.get().is_permitted(world.now, peer.ip()));
    assert_eq!(world.relay.broken, 0);
}

#[test]
fn rfc8656_12_neither_number_nor_peer_is_bound_anew_within_five_minutes() {
    let mut world = World::allocated(config().with_bounds(10, 2, 0));
    let (one, two, three) = (addr("203.0.113.1:1"), addr("203.0.113.2:2"), addr("203.0.113.3:3"));
    let bind = |world: &mut World, peer| world.command(|client, now| client.bind_channel(now, peer));
    bind(&mut world, one).unwrap();
    bind(&mut world, two).unwrap();
    world.command(|client, now| client.unbind_channel(now, one));
    // Until it expires it can be used; for five minutes more its number is nobody else's.
    world.run_for(secs(599));
    assert!(world.client.get().channel(world.now, one).is_some());
    world.run_for(secs(1));
    assert!(world.client.get().channel(world.now, one).is_none());
    assert_eq!(bind(&mut world, three), Err(PeerError::TooMany));
    world.run_for(secs(299));
    assert_eq!(bind(&mut world, three), Err(PeerError::TooMany));
    world.run_for(secs(1));
    assert_eq!(bind(&mut world, three), Ok(()));
    assert_eq!(world.client.get().channel(world.now, three), Some(ChannelNumber::MIN));
    // Its own peer may have it again at any time, by the same number.
    world.command(|client, now| client.unbind_channel(now, two));
    world.run_for(secs(700));
    bind(&mut world, two).unwrap();
    assert_eq!(world.client.get().channel(world.now, two).map(ChannelNumber::number), Some(0x4001));
    assert_eq!(world.relay.broken, 0);
}

#[test]
fn rfc8656_12_all_4096_numbers_can_be_had_and_no_more() {
    let mut world = World::allocated(config().with_bounds(5000, 9999, 0));
    let mut refused = 0;
    for n in 0..4097u32 {
        let peer = std::net::SocketAddr::new(ip(9), 1 + n as u16);
        refused += u32::from(world.client.get_mut().bind_channel(world.now, peer).is_err());
    }
    world.settle();
    assert_eq!(refused, 1);
    let numbers: BTreeMap<u16, String> = bindings(&world).into_iter().collect();
    assert_eq!(numbers.len(), 4096);
    assert!(numbers.keys().all(|it| (0x4000..=0x4FFF).contains(it)));
    assert_eq!(world.relay.broken, 0);
}

#[test]
fn rfc8656_12_3_a_channel_that_is_refused_is_told_and_data_goes_in_indications() {
    let mut world = World::allocated(config());
    let peer = addr("203.0.113.9:9");
    for (code, reason) in [(403, FailureReason::Forbidden), (400, FailureReason::BadRequest)] {
        world.relay.next(Method::CHANNEL_BIND, Reply::Error(code));
        world.command(|client, now| client.bind_channel(now, peer)).unwrap();
        world.run_for(secs(3));
        assert!(world.events().contains(&Event::ChannelFailed { peer, reason }));
    }
    world.send("203.0.113.9:9", b"data").unwrap();
    assert_eq!(world.relay.relayed.len(), 1);
    assert_eq!(world.client.get().stats().indication_sent, 1);
    assert!(world.client.get().allocated().is_some());
}

#[test]
fn rfc8656_12_3_when_channels_are_out_of_sync_it_starts_afresh() {
    let mut world = World::allocated(config());
    let peer = addr("203.0.113.9:9");
    world.command(|client, now| client.bind_channel(now, peer)).unwrap();
    world.events();
    world.relay.next(Method::CHANNEL_BIND, Reply::Error(400));
    world.run_for(secs(540));
    let events = world.events();
    assert!(events.contains(&Event::Lost { reason: FailureReason::OutOfSync }), "{events:?}");
    assert!(events.iter().any(|it| matches!(it, Event::Allocated(_))));
    assert!(world.client.get().channel(world.now, peer).is_some());
    assert_eq!(world.relay.held.len(), 1, "the old one was deleted");
}

#[test]
fn of_the_ten_requests_that_may_be_on_their_way_peers_take_seven() {
    let mut world = World::allocated(config());
    world.cut = true;
    for n in 1..=40 {
        world.client.get_mut().bind_channel(world.now, std::net::SocketAddr::new(ip(n), 9)).unwrap();
    }
    let before = world.sent.len();
    world.settle();
    assert_eq!(world.sent.len() - before, 7);
    // RFC 8489 section 6.2: ten at once. A Refresh and a move find room.
    let before = world.sent.len();
    world.command(Client::refresh);
    assert_eq!(world.sent.len() - before, 1);
    assert!(world.events().is_empty());
    world.cut = false;
    world.run_for(secs(5));
    assert_eq!(world.events().iter().filter(|it| matches!(it, Event::ChannelBound { .. })).count(), 40);
}
