//! RFC 6062: TCP allocations, and the connections of their clients.

use ginnel_core::{Notice, Path, Transport};
use ginnel_stun::{Class, Message, Method, attribute::*};

use super::{
    super::{Listener, policy::Rate},
    rig::*,
};

const PEER: &str = "203.0.113.9:7000";

fn tcp_config() -> super::super::ServerConfig {
    config().with_tcp_relays(true)
}
/// The stream of client number `n`.
fn stream(n: u16) -> Path {
    Path { transport: Transport::Tcp, ..client_path(n) }
}
fn client(n: u16) -> Client {
    Client::named("user", stream(n))
}
fn tcp<'p, 'a>(it: Writer<'p, 'a>) -> Writer<'p, 'a> {
    it.attribute(&RequestedTransport::TCP).unwrap()
}
type Writer<'p, 'a> = ginnel_stun::MessageWriter<'p, 'a, ginnel_stun::Open, ginnel_core::Packet<'a>>;

/// A client with a TCP allocation.
fn allocated(rig: &mut Rig, n: u16) -> (Client, core::net::SocketAddr) {
    let mut client = client(n);
    let said = client.ask(rig, Method::ALLOCATE, &tcp);
    assert_eq!(said.code, 0);
    (client, said.relayed())
}
fn connect(rig: &mut Rig, client: &mut Client, peer: &str) -> Said {
    let peer = XorPeerAddress(addr(peer));
    client.ask(rig, Method::CONNECT, &|it| it.attribute(&peer).unwrap())
}
fn id_of(said: &Said) -> u32 {
    assert_eq!(said.code, 0);
    said.get::<ConnectionId>().expect("a CONNECTION-ID").0
}
fn bind(rig: &mut Rig, data: &mut Client, id: u32) -> u16 {
    data.ask(rig, Method::CONNECTION_BIND, &|it| it.attribute(&ConnectionId(id)).unwrap()).code
}
fn accept(rig: &mut Rig, relayed: core::net::SocketAddr, peer: &str) -> Path {
    let path = Path::new(Transport::Tcp, relayed, addr(peer));
    rig.world.streams.push(path);
    rig.notice(Notice::Accepted { path, alpn: None });
    path
}
/// The peer and the CONNECTION-ID of the one ConnectionAttempt that was sent to this client.
fn attempt(rig: &mut Rig, client: &Client) -> (core::net::SocketAddr, u32) {
    let sent: Vec<_> = rig.world.sent.drain(..).collect();
    let [(transmit, octets)] = &sent[..] else { panic!("{} were sent", sent.len()) };
    assert_eq!(transmit.path, client.path);
    let message = Message::parse(octets).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Indication, Method::CONNECTION_ATTEMPT));
    let XorPeerAddress(peer) = message.get().unwrap().unwrap();
    let ConnectionId(id) = message.get().unwrap().unwrap();
    (peer, id)
}

#[test]
fn rfc6062_5_1_a_tcp_allocation_listens_on_its_relayed_address() {
    let mut rig = Rig::with(tcp_config());
    let (mut client, relayed) = allocated(&mut rig, 0);
    assert_eq!((&rig.world.listening[..], rig.world.open.len()), (&[relayed][..], 0));
    assert_eq!(client.refresh(&mut rig, 0).code, 0);
    assert!(rig.world.listening.is_empty());
}

#[test]
fn rfc6062_5_1_what_is_for_udp_alone_is_a_bad_request() {
    let mut rig = Rig::with(tcp_config());
    let mut client = client(0);
    let fills: [Fill<'_>; 3] = [
        &|it| tcp(it).attribute(&DontFragment).unwrap(),
        &|it| tcp(it).attribute(&EvenPort { reserve_next: false }).unwrap(),
        &|it| tcp(it).attribute(&ReservationToken([7; 8])).unwrap(),
    ];
    for fill in fills {
        assert_eq!(client.ask(&mut rig, Method::ALLOCATE, fill).code, 400);
    }
    // The clients' side must be a stream too.
    for transport in [Transport::Udp, Transport::Dtls] {
        let mut client = Client::named("user", Path { transport, ..client_path(1) });
        assert_eq!(client.ask(&mut rig, Method::ALLOCATE, &tcp).code, 400);
    }
    let mut tls = Client::named("user", Path { transport: Transport::Tls, ..client_path(2) });
    let said = tls.ask(&mut rig, Method::ALLOCATE, &tcp);
    assert_eq!((said.code, said.get::<ReservationToken>()), (0, None));
    // Neither of both, and UDP over a stream as ever.
    let sctp: Fill<'_> = &|it| it.attribute(&RequestedTransport(132)).unwrap();
    assert_eq!(client.ask(&mut rig, Method::ALLOCATE, sctp).code, 442);
    assert_eq!(client.allocate(&mut rig).code, 0);
}

#[test]
fn without_tcp_relays_tcp_is_an_unsupported_transport() {
    let mut rig = Rig::new();
    let mut client = client(0);
    assert_eq!(client.ask(&mut rig, Method::ALLOCATE, &tcp).code, 442);
    assert!(client.try_ask(&mut rig, Method::CONNECT, &|it| it).is_none());
}

#[test]
fn a_port_that_is_taken_is_not_given() {
    let mut rig = Rig::with(tcp_config());
    rig.world.refuse = 3;
    let (_, relayed) = allocated(&mut rig, 0);
    assert_eq!((rig.world.listening.as_slice(), rig.stats().relay_refusals), (&[relayed][..], 3));
    rig.world.refuse = 100;
    assert_eq!(client(1).ask(&mut rig, Method::ALLOCATE, &tcp).code, 508);
}

#[test]
fn rfc6062_5_2_connect_and_connection_bind_join_two_streams() {
    let mut rig = Rig::with(tcp_config());
    let (mut control, relayed) = allocated(&mut rig, 0);
    let said = connect(&mut rig, &mut control, PEER);
    let peer = Path::new(Transport::Tcp, relayed, addr(PEER));
    assert_eq!(rig.world.streams, [peer]);
    let mut data = client(1);
    assert_eq!(bind(&mut rig, &mut data, id_of(&said)), 0);
    assert_eq!(rig.world.spliced, [(data.path, peer, [None; 2])]);
    // Used up.
    assert_eq!(bind(&mut rig, &mut client(2), id_of(&said)), 400);
    // The octets are counted when it is over, for the server and for the allocation.
    rig.notice(Notice::Spliced { one: data.path, other: peer, forth: 1_000, back: 70 });
    rig.lose(data.path);
    rig.lose(peer);
    let info = rig.server().allocations(ginnel_core::Instant::EPOCH).next().unwrap().stats;
    assert_eq!((info.to_peers.octets, info.to_client.octets), (1_000, 70));
    let stats = rig.stats();
    assert_eq!((stats.to_peers.octets, stats.to_clients.octets, stats.tcp.bound), (1_000, 70, 1));
    // And the peer may be connected to anew.
    id_of(&connect(&mut rig, &mut control, PEER));
}

#[test]
fn rfc6062_5_2_connect_needs_a_tcp_allocation_and_a_peer() {
    let mut rig = Rig::with(tcp_config());
    let mut nobody = client(9);
    assert_eq!(connect(&mut rig, &mut nobody, PEER).code, 437);
    let (mut control, _) = allocated(&mut rig, 0);
    assert_eq!(control.ask(&mut rig, Method::CONNECT, &|it| it).code, 400);
    assert_eq!(connect(&mut rig, &mut control, "[2001:db8::9]:7000").code, 443);
    let mut other = Client::named("other", control.path);
    assert_eq!(connect(&mut rig, &mut other, PEER).code, 441);
    // An allocation of the other kind.
    let mut udp = client(1);
    udp.allocated(&mut rig);
    assert_eq!(connect(&mut rig, &mut udp, PEER).code, 403);
    assert!(rig.world.streams.is_empty());
}

#[test]
fn rfc6062_5_2_the_same_peer_again_is_446_and_one_that_fails_is_447() {
    let mut rig = Rig::with(tcp_config());
    let (mut control, _) = allocated(&mut rig, 0);
    rig.world.refuse = 1;
    assert_eq!(connect(&mut rig, &mut control, PEER).code, 447);
    id_of(&connect(&mut rig, &mut control, PEER));
    assert_eq!(connect(&mut rig, &mut control, PEER).code, 446);
    assert_eq!(connect(&mut rig, &mut control, "203.0.113.9:7001").code, 0);
    let errors = rig.stats().errors;
    assert_eq!((errors.connection_exists_446, errors.connection_failed_447), (1, 1));
}

#[test]
fn rfc6062_5_2_a_driver_that_never_answers_is_447_after_30_seconds() {
    let mut rig = Rig::with(tcp_config());
    let (mut control, relayed) = allocated(&mut rig, 0);
    rig.world.hold = true;
    let peer = XorPeerAddress(addr(PEER));
    let fill: Fill<'_> = &|it| it.attribute(&peer).unwrap();
    assert!(control.try_ask(&mut rig, Method::CONNECT, fill).is_none());
    assert_eq!(connect(&mut rig, &mut control, PEER).code, 446, "it is being processed");
    rig.pass(secs(29));
    assert!(rig.world.sent.is_empty());
    rig.pass(secs(1));
    let (transmit, octets) = rig.world.sent.pop().unwrap();
    let message = Message::parse(&octets).unwrap();
    assert_eq!((transmit.path, message.method()), (control.path, Method::CONNECT));
    assert_eq!(message.get().unwrap(), Some(ErrorCode::CONNECTION_TIMEOUT_OR_FAILURE));
    // What comes too late is given back.
    rig.world.hold = false;
    let late = rig.world.held.pop().unwrap();
    let notice = rig.world.obey(late).unwrap();
    assert_eq!(rig.world.streams, [Path::new(Transport::Tcp, relayed, addr(PEER))]);
    rig.notice(notice);
    assert!(rig.world.streams.is_empty());
}

#[test]
fn sec_26_to_28_connect_is_forbidden_where_permissions_are() {
    let mut rig = Rig::with(tcp_config());
    let both: Fill<'_> = &|it| tcp(it).attribute(&AdditionalAddressFamily(AddressFamily::Ipv6)).unwrap();
    let mut control = client(0);
    assert_eq!(control.ask(&mut rig, Method::ALLOCATE, both).code, 0);
    for peer in [
        "127.0.0.1:80",
        "0.0.0.0:80",
        "0.1.2.3:80",
        "[::1]:80",
        "[::]:80",
        "[::ffff:127.0.0.1]:80",
        "[::127.0.0.1]:80",
        "[2002:7f00:1::]:80",
        "[64:ff9b::7f00:1]:80",
        "[2001:0:7f00:1::1]:80",
        "169.254.169.254:80",
        "[fe80::1]:80",
        "[fc00::1]:80",
        "[fec0::1]:80",
        "224.0.0.1:80",
        "255.255.255.255:80",
        "10.0.0.1:80",
        "100.64.0.1:80",
        "198.51.100.1:3478",
        "198.51.100.1:22",
        "203.0.113.9:0",
    ] {
        assert_eq!(connect(&mut rig, &mut control, peer).code, 403, "{peer}");
    }
    assert!(rig.world.streams.is_empty());
}

#[test]
fn sec_28_two_clients_reach_each_others_tcp_relays() {
    let mut rig = Rig::with(tcp_config());
    let (mut one, _) = allocated(&mut rig, 0);
    let (_, relayed) = allocated(&mut rig, 1);
    assert_eq!(connect(&mut rig, &mut one, &relayed.to_string()).code, 0);
    // A relay of the other kind is none for TCP.
    let udp = Client::new(2).allocated(&mut rig);
    assert_eq!(connect(&mut rig, &mut one, &udp.to_string()).code, 403);
}

#[test]
fn rfc6062_5_3_a_peer_with_permission_is_told_of_and_others_are_closed() {
    let mut rig = Rig::with(tcp_config());
    let (mut control, relayed) = allocated(&mut rig, 0);
    accept(&mut rig, relayed, PEER);
    assert!(rig.world.streams.is_empty() && rig.world.sent.is_empty(), "nobody permitted it");

    assert_eq!(control.permit(&mut rig, "203.0.113.9:1"), 0);
    let peer = accept(&mut rig, relayed, PEER);
    let (from, id) = attempt(&mut rig, &control);
    assert_eq!((from, &rig.world.streams[..]), (addr(PEER), &[peer][..]));
    let mut data = client(1);
    assert_eq!(bind(&mut rig, &mut data, id), 0);
    assert_eq!(rig.world.spliced, [(data.path, peer, [None; 2])]);
    // When the permission is over the next one is closed; who is joined stays.
    rig.pass(secs(300));
    accept(&mut rig, relayed, "203.0.113.9:7001");
    assert_eq!(rig.world.streams, [peer]);
    assert_eq!((rig.stats().tcp.attempts, rig.stats().tcp.refused), (1, 2));
}

#[test]
fn rfc6062_5_2_and_5_3_whoever_is_not_come_for_in_30_seconds_is_closed() {
    let mut rig = Rig::with(tcp_config());
    let (mut control, relayed) = allocated(&mut rig, 0);
    control.permit(&mut rig, PEER);
    accept(&mut rig, relayed, PEER);
    let (_, id) = attempt(&mut rig, &control);
    let connected = id_of(&connect(&mut rig, &mut control, "203.0.113.10:80"));
    rig.pass(secs(29));
    assert_eq!(rig.world.streams.len(), 2);
    rig.pass(secs(1));
    assert!(rig.world.streams.is_empty());
    for id in [id, connected] {
        assert_eq!(bind(&mut rig, &mut client(1), id), 400);
    }
    assert_eq!(rig.stats().tcp.expired, 2);
}

#[test]
fn rfc6062_5_4_connection_bind_needs_a_stream_and_a_pending_connection_of_the_user() {
    let mut rig = Rig::with(tcp_config());
    let (mut control, _) = allocated(&mut rig, 0);
    let id = id_of(&connect(&mut rig, &mut control, PEER));
    let mut data = client(1);
    assert_eq!(data.ask(&mut rig, Method::CONNECTION_BIND, &|it| it).code, 400);
    assert_eq!(bind(&mut rig, &mut data, id ^ 1), 400);
    assert_eq!(bind(&mut rig, &mut Client::new(2), id), 400, "over UDP");
    assert_eq!(bind(&mut rig, &mut control, id), 400, "on the control connection");
    assert_eq!(bind(&mut rig, &mut Client::named("other", stream(3)), id), 441);
    assert!(rig.world.spliced.is_empty());
    assert_eq!(bind(&mut rig, &mut data, id), 0);
    // The stream that is joined already takes no other.
    let another = id_of(&connect(&mut rig, &mut control, "203.0.113.9:7001"));
    assert_eq!(bind(&mut rig, &mut data, another), 400);
}

#[test]
fn rfc6062_4_3_connection_bind_comes_where_the_control_connection_is() {
    let elsewhere = "198.51.100.1:443".parse().unwrap();
    let config = tcp_config().with_listener(Listener::new(Transport::Tcp, elsewhere)).with_mobility(true);
    let mut rig = Rig::with(config);
    let mobile: Fill<'_> = &|it| tcp(it).attribute(&MobilityTicket(b"")).unwrap();
    let mut control = client(0);
    let said = control.ask(&mut rig, Method::ALLOCATE, mobile);
    let ticket = said.get::<MobilityTicket<'_>>().unwrap().0.to_vec();
    let id = id_of(&connect(&mut rig, &mut control, PEER));
    let by_tls = |n| Client::named("user", Path { transport: Transport::Tls, ..client_path(n) });
    assert_eq!(bind(&mut rig, &mut by_tls(1), id), 400);
    let other_port = Client::named("user", Path { local: elsewhere, ..stream(1) });
    assert_eq!(bind(&mut rig, &mut other_port.clone(), id), 400);
    assert_eq!(bind(&mut rig, &mut client(1), id), 0);
    // One that moves is at two of them.
    let (tls, tcp) =
        ["203.0.113.9:7001", "203.0.113.9:7002"].map(|it| id_of(&connect(&mut rig, &mut control, it))).into();
    let moves: Fill<'_> = &|it| it.attribute(&MobilityTicket(&ticket)).unwrap();
    assert_eq!(by_tls(2).ask(&mut rig, Method::REFRESH, moves).code, 0);
    assert_eq!((bind(&mut rig, &mut by_tls(3), tls), bind(&mut rig, &mut client(4), tcp)), (0, 0));
    assert_eq!(bind(&mut rig, &mut other_port.clone(), tcp), 400);
}

#[test]
fn rfc6062_5_5_connections_end_with_the_allocation_and_with_the_control_connection() {
    for how in 0..4 {
        let mut rig = Rig::with(tcp_config());
        let (mut control, relayed) = allocated(&mut rig, 0);
        let id = id_of(&connect(&mut rig, &mut control, PEER));
        assert_eq!(bind(&mut rig, &mut client(1), id), 0);
        id_of(&connect(&mut rig, &mut control, "203.0.113.9:7001"));
        assert_eq!((rig.world.streams.len(), &rig.world.listening[..]), (2, &[relayed][..]));
        match how {
            0 => assert_eq!(control.refresh(&mut rig, 0).code, 0),
            1 => rig.pass(secs(600)),
            2 => rig.lose(control.path),
            _ => {
                let now = rig.now;
                assert_eq!(rig.server().revoke(now, "user"), 1);
                rig.settle();
            }
        }
        assert!(rig.world.streams.is_empty() && rig.world.listening.is_empty(), "{how}");
    }
}

#[test]
fn no_datagrams_go_through_a_tcp_allocation() {
    let mut rig = Rig::with(tcp_config());
    let (mut control, _) = allocated(&mut rig, 0);
    assert_eq!(control.permit(&mut rig, PEER), 0);
    assert_eq!(control.bind(&mut rig, 0x4000, PEER), 403);
    let send = control.send_indication(addr(PEER), b"data");
    assert_eq!(rig.receive(control.path, &send), Out::Nothing);
    assert_eq!(rig.receive(control.path, &channel_data(0x4000, b"data")), Out::Nothing);
}

#[test]
fn streams_that_are_joined_keep_to_the_bandwidth() {
    let bandwidth = super::super::policy::BandwidthLimits::default()
        .with_per_allocation(Rate::new(250_000))
        .with_per_user(Rate::new(100_000));
    let mut rig = Rig::with(tcp_config().with_bandwidth(bandwidth));
    // Two allocations of one user, and the first of them has two connections.
    let mut controls = [0, 1].map(|n| allocated(&mut rig, n).0);
    for (n, (allocation, peer)) in [(0, PEER), (0, "192.0.2.77:80"), (1, PEER)].into_iter().enumerate() {
        let id = id_of(&connect(&mut rig, &mut controls[allocation], peer));
        assert_eq!(bind(&mut rig, &mut client(2 + n as u16), id), 0);
    }
    let rates: Vec<_> = rig.world.spliced.iter().map(|it| it.2.map(Option::unwrap)).collect();
    for [allocation, user] in &rates {
        assert_eq!((allocation.octets_per_second.get(), user.octets_per_second.get()), (250_000, 100_000));
        assert!(user.shared.is_some() && user.shared == rates[0][1].shared, "one user");
        assert!(rates.iter().all(|it| it[0].shared != user.shared), "allocations are no users");
    }
    let allocations: Vec<_> = rates.iter().map(|it| it[0].shared).collect();
    assert!(allocations[0] == allocations[1] && allocations[0] != allocations[2], "{allocations:?}");
}

#[test]
fn peers_that_are_denied_later_are_cut_off() {
    let mut rig = Rig::with(tcp_config());
    let (mut control, _) = allocated(&mut rig, 0);
    let id = id_of(&connect(&mut rig, &mut control, PEER));
    assert_eq!(bind(&mut rig, &mut client(1), id), 0);
    id_of(&connect(&mut rig, &mut control, "192.0.2.77:80"));
    let peers = super::super::policy::PeerFilter::default().with_denied("203.0.113.0/24".parse().unwrap());
    let now = rig.now;
    rig.server().reconfigure(now, tcp_config().with_peers(peers));
    rig.settle();
    assert_eq!(rig.world.streams.iter().map(|it| it.remote).collect::<Vec<_>>(), [addr("192.0.2.77:80")]);
}

#[test]
fn clients_streams_are_no_peers() {
    let mut rig = Rig::with(tcp_config());
    // The listener took it in: it is the driver's news, and nothing to release.
    rig.notice(Notice::Accepted { path: stream(0), alpn: None });
    assert!(rig.world.held.is_empty());
    let (control, relayed) = allocated(&mut rig, 0);
    // A stream that was taken in as the allocation ended.
    rig.lose(control.path);
    accept(&mut rig, relayed, PEER);
    assert!(rig.world.streams.is_empty());
}

#[test]
fn what_the_driver_owes_a_closed_server_is_given_back() {
    let mut rig = Rig::with(tcp_config());
    let (mut control, relayed) = allocated(&mut rig, 0);
    control.permit(&mut rig, PEER);
    accept(&mut rig, relayed, PEER);
    attempt(&mut rig, &control);
    rig.world.hold = true;
    let peer = XorPeerAddress(addr("203.0.113.10:80"));
    let fill: Fill<'_> = &|it| it.attribute(&peer).unwrap();
    assert!(control.try_ask(&mut rig, Method::CONNECT, fill).is_none());
    let ticket = rig.world.held.pop().and_then(|request| request.ticket()).unwrap();
    rig.world.hold = false;
    ginnel_core::Machine::close(&mut rig.server, rig.now);
    rig.settle();
    assert!(!ginnel_core::Machine::is_closed(&rig.server), "a stream is owed");
    rig.world.streams.push(Path::new(Transport::Tcp, relayed, peer.0));
    rig.notice(Notice::Opened { ticket, result: Ok(relayed) });
    assert!(ginnel_core::Machine::is_closed(&rig.server));
    assert!(rig.world.streams.is_empty() && rig.world.listening.is_empty());
}
