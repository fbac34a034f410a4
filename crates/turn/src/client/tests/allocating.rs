//! RFC 8656 sections 7.1, 7.3 and 7.4.

use std::net::SocketAddr;

use ginnel_core::{Alpn, Framing, Packet, Path, Port, Request, Transport};
use ginnel_stun::{
    Message, Method,
    attribute::{
        AddressFamily, AttributeType, EvenPort, Lifetime, MobilityTicket, RequestedTransport,
        ReservationToken,
    },
};

use super::world::*;
use crate::client::{
    ClientConfig, ConfigError, Event, FailureReason, Families, RelayPort, RelayTransport, Relayed, Socket,
    TurnServer, fuzz::relay::Gives,
};

#[test]
fn a_datagram_relay_end_to_end() {
    let mut world = World::new(config());
    assert!(matches!(world.requests[..], [Request::Bind { port: Port::Any, .. }]));
    let [Event::Allocated(given)] = world.events()[..] else { panic!("no allocation") };
    assert_eq!(given.relayed.ipv4, Some(addr("203.0.113.1:49154")));
    assert_eq!((given.mapped, given.lifetime), (given.path.local, secs(600)));
    // A permission, an indication, a channel, ChannelData, and back.
    world.command(|client, now| client.permit(now, addr("203.0.113.9:1").ip())).unwrap();
    assert_eq!(world.events(), [Event::PermissionReady { ip: addr("203.0.113.9:1").ip() }]);
    world.send("203.0.113.9:9", b"ping").unwrap();
    assert_eq!(world.relay.relayed, [(addr("203.0.113.9:9"), b"ping".to_vec(), false)]);
    assert!(world.peer_sends("203.0.113.9:9", b"pong"));
    let back = Path::new(Transport::Udp, given.relayed.ipv4.unwrap(), addr("203.0.113.9:9"));
    assert_eq!(world.data, [(back, b"pong".to_vec(), Relayed::Datagram { channel: None })]);
    world.command(|client, now| client.bind_channel(now, addr("203.0.113.9:9"))).unwrap();
    let [Event::ChannelBound { channel, .. }] = world.events()[..] else { panic!("no channel") };
    world.send("203.0.113.9:9", b"hello").unwrap();
    assert_eq!(world.sent.last().unwrap().2, b"\x40\x00\x00\x05hello");
    assert!(world.peer_sends("203.0.113.9:9", b""));
    assert_eq!(world.data[1], (back, Vec::new(), Relayed::Datagram { channel: Some(channel) }));
    // A day later all of it is still there.
    world.run_for(secs(86_400));
    world.send("203.0.113.9:9", b"later").unwrap();
    assert_eq!(world.relay.relayed.len(), 3);
    world.client.get_mut().close(world.now);
    world.settle();
    assert!(world.relay.held.is_empty() && world.client.get().is_closed());
    assert_eq!(world.events().last(), Some(&Event::Closed));
    assert_eq!((world.relay.broken, world.asked(Method::ALLOCATE).len()), (0, 1));
    let mut buffer = [0; 2048];
    assert!(world.client.get_mut().poll_transmit(world.now, &mut Packet::empty(&mut buffer)).is_none());
}

/// The last Allocate that was authenticated.
fn allocate(world: &World) -> Vec<u8> {
    world.asked(Method::ALLOCATE).pop().expect("an Allocate")
}
fn has(octets: &[u8], kind: AttributeType) -> bool {
    Message::parse(octets).unwrap().has(kind)
}

#[test]
fn rfc8656_7_1_an_allocate_asks_for_what_the_config_says() {
    use AttributeType as A;
    let all = [
        A::LIFETIME,
        A::REQUESTED_ADDRESS_FAMILY,
        A::ADDITIONAL_ADDRESS_FAMILY,
        A::EVEN_PORT,
        A::RESERVATION_TOKEN,
        A::DONT_FRAGMENT,
        A::MOBILITY_TICKET,
    ];
    let token = ReservationToken(*b"reserved");
    for (config, wanted) in [
        (config(), &[][..]),
        (config().with_lifetime(secs(1200)), &[A::LIFETIME]),
        (config().with_families(Families::Ipv4), &[A::REQUESTED_ADDRESS_FAMILY]),
        (config().with_families(Families::Both), &[A::ADDITIONAL_ADDRESS_FAMILY]),
        (config().with_port(RelayPort::Even), &[A::EVEN_PORT]),
        (config().with_port(RelayPort::EvenAndNext), &[A::EVEN_PORT]),
        (config().with_port(RelayPort::Reserved(token)), &[A::RESERVATION_TOKEN]),
        (config().with_dont_fragment(true), &[A::DONT_FRAGMENT]),
        (config().with_mobility(true), &[A::MOBILITY_TICKET]),
    ] {
        let world = World::new(config.clone());
        let request = allocate(&world);
        let message = Message::parse(&request).unwrap();
        assert_eq!(message.get().unwrap(), Some(RequestedTransport::UDP), "always");
        for kind in all {
            assert_eq!(message.has(kind), wanted.contains(&kind), "{kind} of {config:?}");
        }
        if let Some(EvenPort { reserve_next }) = message.get().unwrap() {
            assert_eq!(reserve_next, config.port == RelayPort::EvenAndNext);
        }
        assert!(message.get::<Lifetime>().unwrap().is_none_or(|it| it.0 == 1200));
        assert!(message.get::<MobilityTicket<'_>>().unwrap().is_none_or(|it| it.0.is_empty()));
    }
}

#[test]
fn rfc8656_7_1_what_must_not_go_together_is_refused_before_anything_is_sent() {
    let token = RelayPort::Reserved(ReservationToken(*b"reserved"));
    let tcp = |transport: fn(SocketAddr) -> TurnServer| {
        ClientConfig::new(transport(addr(SERVER)), credential())
            .with_socket(Socket::Own(LOCAL.parse().ok()))
            .with_relay(RelayTransport::Tcp)
    };
    for (config, why) in [
        (config().with_port(token).with_families(Families::Ipv6), ConfigError::ReservedHasItsFamily),
        (config().with_port(token).with_families(Families::Both), ConfigError::ReservedHasItsFamily),
        (
            config().with_port(RelayPort::EvenAndNext).with_families(Families::Both),
            ConfigError::OneReservationAlone,
        ),
        (tcp(TurnServer::udp), ConfigError::TcpOverDatagrams),
        (tcp(TurnServer::tcp).with_dont_fragment(true), ConfigError::NotForTcp),
        (tcp(TurnServer::tcp).with_port(RelayPort::Even), ConfigError::NotForTcp),
        (config().with_socket(Socket::Own(None)), ConfigError::NoLocalAddress),
        (config().with_socket(Socket::Lent(addr("0.0.0.0:1"))), ConfigError::NoLocalAddress),
        (config().with_socket(Socket::Lent(addr("[2001:db8::1]:1"))), ConfigError::SocketOfOtherFamily),
    ] {
        let mut world = World::new(config);
        assert_eq!(world.events(), [Event::Failed { reason: FailureReason::Config(why) }]);
        assert!(world.sent.is_empty() && world.requests.is_empty() && world.client.get().is_closed());
    }
    assert_eq!(tcp(TurnServer::tcp).check(), Ok(()));
}

#[test]
fn rfc8656_7_1_a_reserved_port_is_handed_on() {
    let mut world = World::new(config().with_port(RelayPort::EvenAndNext));
    let [Event::Allocated(given)] = world.events()[..] else { panic!() };
    assert_eq!(given.reservation, Some(ReservationToken(*b"reserved")));
}

#[test]
fn rfc8656_7_3_both_families_and_what_address_error_code_says() {
    for (ipv6, refused) in
        [(true, None), (false, Some((AddressFamily::Ipv6, 440))), (false, Some((AddressFamily::Ipv6, 508)))]
    {
        let mut world = World::with(config().with_families(Families::Both), |relay| {
            (relay.gives.ipv6, relay.gives.refused) = (ipv6, refused);
        });
        let [Event::Allocated(given)] = world.events()[..] else { panic!() };
        assert_eq!((given.relayed.ipv4.is_some(), given.relayed.ipv6.is_some()), (true, ipv6));
        assert_eq!(given.refused, refused);
        assert_eq!(given.relayed.iter().count(), 1 + usize::from(ipv6));
        // The allocation is lost at once, and another asked for: never of the family that 440 refused, and of the one that
        // 508 refused not within a minute.
        world.relay.held.clear();
        world.command(|client, now| client.refresh(now));
        let again = allocate(&world);
        assert_eq!(has(&again, AttributeType::ADDITIONAL_ADDRESS_FAMILY), refused.is_none(), "{refused:?}");
        assert_eq!(has(&again, AttributeType::REQUESTED_ADDRESS_FAMILY), refused.is_some());
        world.run_for(secs(61));
        world.relay.held.clear();
        world.command(|client, now| client.refresh(now));
        let later = has(&allocate(&world), AttributeType::ADDITIONAL_ADDRESS_FAMILY);
        assert_eq!(later, !matches!(refused, Some((_, 440))), "{refused:?}");
    }
}

#[test]
fn rfc8656_7_3_addresses_of_another_family_are_given_back_and_not_asked_for_again() {
    // The relay gives IPv4 whatever it is asked for.
    let mut world = World::new(config().with_families(Families::Ipv6));
    assert_eq!(world.events(), [Event::Failed { reason: FailureReason::UnexpectedFamily }]);
    assert!(world.relay.held.is_empty(), "it MUST be deleted");
    world.run_for(secs(3600));
    assert_eq!(world.asked(Method::ALLOCATE).len(), 1);
}

#[test]
fn rfc8656_7_3_a_success_without_what_it_must_have_is_given_back() {
    let cuts: [fn(&mut Gives); 4] = [
        |gives| gives.mapped = false,
        |gives| gives.lifetime = None,
        |gives| gives.ipv4 = false,
        |gives| gives.lifetime = Some(0),
    ];
    for cut in cuts {
        let mut world = World::with(config(), |relay| cut(&mut relay.gives));
        assert_eq!(world.events(), [Event::Failed { reason: FailureReason::IncompleteSuccess }]);
        assert!(world.relay.held.is_empty());
    }
}

#[test]
fn over_tls_the_stream_leads_to_the_host_that_the_user_named() {
    let host = "turn.example.org".parse().ok();
    let server = TurnServer::tls(addr("192.0.2.1:5349"), host);
    let mut world = World::new(ClientConfig::new(server, credential()));
    let [Request::Connect { transport, local, remote, framing, host: asked, alpn, .. }] = world.requests[..]
    else {
        panic!("{:?}", world.requests)
    };
    assert_eq!((transport, local, remote), (Transport::Tls, None, server.address));
    assert_eq!((framing, asked, alpn), (Framing::Stun, host, Some(Alpn::TURN)));
    assert!(matches!(world.events()[..], [Event::Allocated(_)]));
    // Nothing is sent twice, and nothing to keep NATs open.
    let sent = world.sent.len();
    world.run_for(secs(500));
    assert_eq!(world.sent.len(), sent);
    world.command(|client, now| client.close(now));
    assert_eq!(world.requests.last(), Some(&Request::release(world.sent[0].1)));
}

#[test]
fn over_dtls_and_tcp_it_is_the_same_client() {
    for server in [TurnServer::tcp(addr(SERVER)), TurnServer::dtls(addr(SERVER), None)] {
        let mut world = World::new(ClientConfig::new(server, credential()));
        let [Request::Connect { transport, alpn, .. }] = world.requests[..] else { panic!() };
        assert_eq!(transport, server.transport);
        assert_eq!(alpn, (transport == Transport::Dtls).then_some(Alpn::TURN));
        let [Event::Allocated(given)] = world.events()[..] else { panic!() };
        assert_eq!(given.path.transport, transport);
        world.command(|client, now| client.permit(now, addr("203.0.113.9:1").ip())).unwrap();
        world.send("203.0.113.9:9", b"odd").unwrap();
        assert_eq!(world.relay.relayed, [(addr("203.0.113.9:9"), b"odd".to_vec(), false)]);
    }
}

#[test]
fn a_socket_that_was_lent_is_used_and_not_given_back() {
    let local = addr("198.51.100.7:4000");
    let mut world = World::allocated(config().with_socket(Socket::Lent(local)));
    assert_eq!(world.path(), Path::udp(local, addr(SERVER)));
    world.command(|client, now| client.close(now));
    assert!(world.requests.is_empty() && world.client.get().is_closed());
}

#[test]
fn without_a_credential_a_server_that_asks_for_none_serves() {
    let config = ClientConfig::unauthenticated(TurnServer::udp(addr(SERVER)))
        .with_socket(Socket::Own(LOCAL.parse().ok()));
    let mut world = World::new(config);
    let reason = FailureReason::of_code(401);
    assert_eq!(world.events(), [Event::Failed { reason }], "this one asks");
}

#[test]
fn the_same_seed_and_script_give_the_same_octets() {
    let play = || {
        let mut world = World::allocated(config().with_mobility(true));
        world.command(|client, now| client.bind_channel(now, addr("203.0.113.9:9"))).unwrap();
        world.command(|client, now| client.permit(now, addr("203.0.113.8:9").ip())).unwrap();
        world.send("203.0.113.8:9", b"one").unwrap();
        world.run_for(secs(2000));
        world.command(|client, now| client.close(now));
        world.sent
    };
    let (one, other) = (play(), play());
    assert!(one.len() > 20 && one == other);
}
