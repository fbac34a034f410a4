//! The data path, permissions and channels: RFC 8656 sections 9 to 12 and 14.

use ginnel_core::{Ecn, IcmpError, Notice, Path, Transport};
use ginnel_stun::{Message, Method, attribute::*};

use super::{super::*, rig::*};

const PEER: &str = "203.0.113.9:7000";

#[test]
fn data_goes_both_ways_by_indications_and_by_channels() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let relayed = client.allocated(&mut rig);
    assert_eq!(rig.world.open, [relayed]);
    let to_peer = Path::udp(relayed, addr(PEER));
    // Nobody is permitted yet.
    let send = client.send_indication(addr(PEER), b"early");
    assert_eq!(rig.receive(client.path, &send), Out::Nothing);
    assert_eq!(rig.receive(to_peer, b"early"), Out::Nothing);
    assert_eq!(client.permit(&mut rig, PEER), 0);
    // RFC 8656 section 11.
    let send = client.send_indication(addr(PEER), b"hello");
    let (transmit, octets) = rig.receive(client.path, &send).sent();
    assert_eq!((transmit.path, octets.as_slice(), transmit.dont_fragment), (to_peer, &b"hello"[..], false));
    let (transmit, octets) = rig.receive(to_peer, b"there").sent();
    assert_eq!((transmit.path, read_data(&octets)), (client.path, (addr(PEER), b"there".to_vec())));
    // RFC 8656 section 12.
    assert_eq!(client.bind(&mut rig, 0x4001, PEER), 0);
    let (transmit, octets) = rig.receive(client.path, &channel_data(0x4001, b"ping")).sent();
    assert_eq!((transmit.path, octets.as_slice()), (to_peer, &b"ping"[..]));
    let (transmit, octets) = rig.receive(to_peer, b"pong").sent();
    assert_eq!((transmit.path, octets), (client.path, channel_data(0x4001, b"pong")));
    let stats = rig.server.get().allocations(rig.now).next().unwrap().stats;
    assert_eq!((stats.to_peers.packets, stats.to_peers.octets), (2, 9));
    assert_eq!((stats.to_client.packets, stats.to_client.octets, stats.dropped), (2, 9, 2));
}

#[test]
fn data_of_any_length_goes_by_ipv4_and_by_ipv6() {
    let mut rig = Rig::new();
    let v6: Fill<'_> = &|it| {
        let it = it.attribute(&RequestedTransport::UDP).unwrap();
        it.attribute(&RequestedAddressFamily(AddressFamily::Ipv6)).unwrap()
    };
    for (n, peer) in [(0, PEER), (1, "[2606:4700::9]:7000")] {
        let mut client = Client::new(n);
        let said =
            if n == 0 { client.allocate(&mut rig) } else { client.ask(&mut rig, Method::ALLOCATE, v6) };
        let to_peer = Path::udp(said.relayed(), addr(peer));
        assert_eq!(client.permit(&mut rig, peer), 0);
        for len in [0, 1, 2, 3, 4, 1_200, 1_472, 60_000] {
            let data = std::vec![0xA5; len];
            let send = client.send_indication(addr(peer), &data);
            assert_eq!(rig.receive(client.path, &send).sent().1, data);
            let octets = rig.receive(to_peer, &data).sent().1;
            assert_eq!(read_data(&octets), (addr(peer), data.clone()));
            // SECURITY.md case 17: padding is zero.
            assert!(octets[octets.len() - (len.next_multiple_of(4) - len)..].iter().all(|it| *it == 0));
        }
        // No message holds 65,530 octets, and nothing breaks.
        assert_eq!(rig.receive(to_peer, &[0; 65_530]), Out::Nothing);
    }
}

#[test]
fn sec_30_permissions_are_of_an_address_and_end_after_five_minutes() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let relayed = client.allocated(&mut rig);
    let from = |peer: &str| Path::udp(relayed, addr(peer));
    client.refresh(&mut rig, 3_600);
    assert_eq!(client.permit(&mut rig, PEER), 0);
    let _ = rig.receive(from(PEER), b"in").sent();
    let _ = rig.receive(from("203.0.113.9:1"), b"another port").sent();
    assert_eq!(rig.receive(from("203.0.113.10:7000"), b"another host"), Out::Nothing);
    // Data refreshes nothing; a request does.
    rig.pass(secs(299));
    let _ = rig.receive(from(PEER), b"in").sent();
    assert_eq!(client.permit(&mut rig, "203.0.113.9:99"), 0);
    rig.pass(secs(299));
    let _ = rig.receive(from(PEER), b"in").sent();
    let send = client.send_indication(addr(PEER), b"out");
    rig.receive(client.path, &send).passes();
    rig.pass(secs(1));
    assert_eq!(rig.receive(from(PEER), b"late"), Out::Nothing);
    assert_eq!(rig.receive(client.path, &send), Out::Nothing);
    assert_eq!((rig.stats().not_permitted, rig.stats().bad_sends), (2, 1));
}

#[test]
fn channels_outlive_their_permissions_and_end_after_ten_minutes() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let relayed = client.allocated(&mut rig);
    client.refresh(&mut rig, 3_600);
    assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0);
    rig.pass(secs(300));
    // RFC 8656 section 12.6 has a server relay what comes on a channel; section 11.3 asks for a permission back.
    let _ = rig.receive(client.path, &channel_data(0x4000, b"out")).sent();
    assert_eq!(rig.receive(Path::udp(relayed, addr(PEER)), b"in"), Out::Nothing);
    assert_eq!(client.permit(&mut rig, PEER), 0);
    let octets = rig.receive(Path::udp(relayed, addr(PEER)), b"in").sent().1;
    assert_eq!(octets, channel_data(0x4000, b"in"));
    rig.pass(secs(299));
    let _ = rig.receive(client.path, &channel_data(0x4000, b"out")).sent();
    rig.pass(secs(1));
    assert_eq!(rig.receive(client.path, &channel_data(0x4000, b"late")), Out::Nothing);
    // The permission is there still, so that data comes in an indication.
    client.permit(&mut rig, PEER);
    let octets = rig.receive(Path::udp(relayed, addr(PEER)), b"in").sent().1;
    assert_eq!(read_data(&octets).1, b"in");
    // Number and peer are free again.
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7001"), 0);
    assert_eq!(client.bind(&mut rig, 0x4001, PEER), 0);
}

#[test]
fn rfc8656_12_a_channel_that_is_bound_again_lasts_ten_minutes_more_and_its_permission_five() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let relayed = client.allocated(&mut rig);
    client.refresh(&mut rig, 3_600);
    let from_peer = Path::udp(relayed, addr(PEER));
    let (out, back) = (channel_data(0x4000, b"out"), channel_data(0x4000, b"in"));
    for _ in 0..2 {
        // By the request alone: nobody has asked for a permission.
        assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0);
        rig.pass(secs(299));
        assert_eq!(rig.receive(from_peer, b"in").sent().1, back);
        rig.pass(secs(1));
        assert_eq!(rig.receive(from_peer, b"in"), Out::Nothing);
        rig.pass(secs(200));
        rig.receive(client.path, &out).passes();
    }
    assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0);
    rig.pass(secs(599));
    rig.receive(client.path, &out).passes();
    rig.pass(secs(1));
    assert_eq!(rig.receive(client.path, &out), Out::Nothing);
}

#[test]
fn sec_31_channel_data_that_is_not_right_is_dropped() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    client.allocated(&mut rig);
    assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0);
    let long = [0x40, 0, 0, 5, b'f', b'o', b'u', b'r'];
    let table: [&[u8]; 6] = [
        &channel_data(0x4001, b"not bound"),
        &channel_data(0x5000, b"reserved"),
        &channel_data(0x7FFF, b"RFC 5766"),
        &long,
        &long[..3],
        &long[..1],
    ];
    for octets in table {
        assert_eq!(rig.receive(client.path, octets), Out::Nothing, "{octets:?}");
    }
    assert_eq!(rig.stats().bad_channel_data, 6);
    // Of somebody without an allocation.
    assert_eq!(rig.receive(client_path(9), &channel_data(0x4000, b"x")), Out::Nothing);
    assert_eq!(rig.stats().no_allocation, 1);
    // RFC 8656 section 12.5: what is behind it is padding; and there may be nothing.
    assert_eq!(rig.receive(client.path, b"\x40\x00\x00\x01x\0\0\0").sent().1, b"x");
    assert_eq!(rig.receive(client.path, b"\x40\x00\x00\x00").sent().1, b"");
}

#[test]
fn sec_32_a_channel_is_one_peer_and_a_peer_is_one_channel() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    client.allocated(&mut rig);
    assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0);
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7001"), 400, "another peer");
    assert_eq!(client.bind(&mut rig, 0x4001, PEER), 400, "another channel");
    assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0, "again");
    for number in [0x3FFF, 0, 0x8000, 0xFFFF] {
        assert_eq!(client.bind(&mut rig, number, "203.0.113.9:7002"), 400, "{number:#x}");
    }
    assert_eq!(client.bind(&mut rig, 0x4FFF, "203.0.113.9:7002"), 0);
    assert_eq!(client.bind(&mut rig, 0x4002, "203.0.113.9:0"), 400, "port 0");
    let (number, peer) = (ChannelNumber(0x4005), XorPeerAddress(addr("203.0.113.9:7005")));
    let table: [(&str, Fill<'_>); 4] = [
        ("no peer", &|it| it.attribute(&number).unwrap()),
        ("no number", &|it| it.attribute(&peer).unwrap()),
        ("a peer that is none", &|it| {
            odd(it.attribute(&number).unwrap(), AttributeType::XOR_PEER_ADDRESS, &[0, 1])
        }),
        ("a number that is none", &|it| {
            odd(it, AttributeType::CHANNEL_NUMBER, &[0x40, 5]).attribute(&peer).unwrap()
        }),
    ];
    for (what, fill) in table {
        assert_eq!(client.ask(&mut rig, Method::CHANNEL_BIND, fill).code, 400, "{what}");
    }
    assert_eq!(client.bind(&mut rig, 0x4005, "203.0.113.9:7005"), 0, "with both it is bound");
}

#[test]
fn sec_33_send_indications_that_are_not_right_are_dropped() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    client.allocated(&mut rig);
    assert_eq!(client.permit(&mut rig, PEER), 0);
    let (good, other) = (XorPeerAddress(addr(PEER)), XorPeerAddress(addr("203.0.113.10:7000")));
    let data = Data(b"data");
    let table: [(&str, Fill<'_>); 7] = [
        ("no permission", &|it| it.attribute(&other).unwrap().attribute(&data).unwrap()),
        ("no DATA", &|it| it.attribute(&good).unwrap()),
        ("no peer", &|it| it.attribute(&data).unwrap()),
        ("the first peer counts", &|it| {
            it.attribute(&other).unwrap().attribute(&good).unwrap().attribute(&data).unwrap()
        }),
        ("a peer that is none", &|it| {
            odd(it, AttributeType::XOR_PEER_ADDRESS, &[0, 1]).attribute(&data).unwrap()
        }),
        ("port 0", &|it| {
            it.attribute(&XorPeerAddress(addr("203.0.113.9:0"))).unwrap().attribute(&data).unwrap()
        }),
        ("what nobody knows", &|it| {
            odd(it.attribute(&good).unwrap().attribute(&data).unwrap(), AttributeType(0x7ABC), b"")
        }),
    ];
    for (what, fill) in table {
        let send = client.indication(fill);
        assert_eq!(rig.receive(client.path, &send), Out::Nothing, "{what}");
    }
    let send = client
        .indication(&|it| it.attribute(&good).unwrap().attribute(&other).unwrap().attribute(&data).unwrap());
    assert_eq!(rig.receive(client.path, &send).sent().0.path.remote, addr(PEER));
    assert_eq!(rig.stats().bad_sends, 7);
}

#[test]
fn create_permission_takes_all_peers_or_none() {
    let mut rig = Rig::with(config().with_limits(Limits::default().with_peers(3, 2)));
    let mut client = Client::new(0);
    client.allocated(&mut rig);
    let permit = |rig: &mut Rig, client: &mut Client, peers: &[&str]| {
        let fill: Fill<'_> =
            &|it| peers.iter().fold(it, |it, peer| it.attribute(&XorPeerAddress(addr(peer))).unwrap());
        client.ask(rig, Method::CREATE_PERMISSION, fill).code
    };
    let count = |rig: &Rig| rig.server.get().allocations(rig.now).next().unwrap().permissions;
    assert_eq!(permit(&mut rig, &mut client, &[]), 400);
    let odd_one: Fill<'_> = &|it| {
        let good = it.attribute(&XorPeerAddress(addr("203.0.113.1:1"))).unwrap();
        odd(good, AttributeType::XOR_PEER_ADDRESS, &[0, 1])
    };
    assert_eq!(client.ask(&mut rig, Method::CREATE_PERMISSION, odd_one).code, 400);
    assert_eq!(permit(&mut rig, &mut client, &["203.0.113.1:1", "127.0.0.1:1"]), 403);
    assert_eq!(permit(&mut rig, &mut client, &["203.0.113.1:1", "[2606:4700::9]:1"]), 443);
    assert_eq!(count(&rig), 0);
    // The limit, where one address counts once; and one past it.
    let four = ["203.0.113.1:1", "203.0.113.1:2", "203.0.113.2:1", "203.0.113.3:1"];
    assert_eq!(permit(&mut rig, &mut client, &four), 0);
    assert_eq!(count(&rig), 3);
    assert_eq!(permit(&mut rig, &mut client, &["203.0.113.4:1"]), 508);
    assert_eq!(permit(&mut rig, &mut client, &four[..1]), 0, "a refresh");
    // Channels have a limit of their own, and need room for a permission.
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.4:1"), 508);
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.1:1"), 0);
    assert_eq!(client.bind(&mut rig, 0x4001, "203.0.113.2:1"), 0);
    assert_eq!(client.bind(&mut rig, 0x4002, "203.0.113.3:1"), 508);
    // What has expired makes room.
    rig.pass(secs(300));
    client.refresh(&mut rig, 600);
    assert_eq!(permit(&mut rig, &mut client, &["203.0.113.4:1"]), 0);
}

#[test]
fn sec_26_to_28_denied_peers_are_refused_by_each_method() {
    let v6: Fill<'_> = &|it| {
        let it = it.attribute(&RequestedTransport::UDP).unwrap();
        it.attribute(&RequestedAddressFamily(AddressFamily::Ipv6)).unwrap()
    };
    let mut rig = Rig::new();
    let (mut four, mut six) = (Client::new(0), Client::new(1));
    four.allocated(&mut rig);
    assert_eq!(six.ask(&mut rig, Method::ALLOCATE, v6).code, 0);
    let denied = [
        "127.0.0.1:7",
        "0.0.0.0:7",
        "0.1.2.3:7",
        "[::1]:7",
        "[::]:7",
        "[::ffff:127.0.0.1]:7",
        "[::127.0.0.1]:7",
        "[2002:7f00:1::]:7",
        "[64:ff9b::7f00:1]:7",
        "[2001:0:1::1]:7",
        "169.254.169.254:80",
        "[fe80::1]:7",
        "[fc00::1]:7",
        "[fec0::1]:7",
        "224.0.0.1:7",
        "[ff02::1]:7",
        "255.255.255.255:7",
        "10.0.0.1:7",
        "192.168.0.1:7",
        "172.16.0.1:7",
        "100.64.0.1:7",
        "198.51.100.1:3478",
        "198.51.100.1:22",
        "[2001:db8:51::1]:22",
    ];
    for peer in denied {
        let client = if addr(peer).is_ipv4() { &mut four } else { &mut six };
        assert_eq!(client.permit(&mut rig, peer), 403, "{peer}");
        assert_eq!(client.bind(&mut rig, 0x4000, peer), 403, "{peer}");
        let send = client.send_indication(addr(peer), b"data");
        let path = client.path;
        assert_eq!(rig.receive(path, &send), Out::Nothing, "{peer}");
    }
    assert_eq!(
        rig.server.get().allocations(rig.now).map(|it| it.permissions + it.channels).sum::<usize>(),
        0
    );
    // RFC 1918 by configuration.
    let peers = policy::PeerFilter::default().with_allowed("10.0.0.0/8".parse().unwrap());
    let mut rig = Rig::with(config().with_peers(peers));
    let mut client = Client::new(0);
    client.allocated(&mut rig);
    assert_eq!((client.permit(&mut rig, "10.0.0.1:7"), client.permit(&mut rig, "192.168.0.1:7")), (0, 403));
}

#[test]
fn sec_28_clients_of_one_server_reach_each_others_relays_and_nothing_else_of_it() {
    let mut rig = Rig::new();
    let (mut one, mut other) = (Client::new(0), Client::new(1));
    let (from, to) = (one.allocated(&mut rig), other.allocated(&mut rig));
    assert_eq!(one.bind(&mut rig, 0x4000, &to.to_string()), 0);
    assert_eq!(other.permit(&mut rig, &from.to_string()), 0);
    assert_eq!(rig.receive(one.path, &channel_data(0x4000, b"hi")).sent().0.path, Path::udp(from, to));
    assert_eq!(read_data(&rig.receive(Path::udp(to, from), b"hi").sent().1).0, from);
    // The permission is for the address; its other ports are no relays.
    let ssh = std::net::SocketAddr::new(to.ip(), 22);
    let send = one.send_indication(ssh, b"hi");
    assert_eq!(rig.receive(one.path, &send), Out::Nothing);
    let send = one.send_indication(to, b"hi");
    let _ = rig.receive(one.path, &send).sent();
    // Nor is this one, once its allocation is gone.
    other.refresh(&mut rig, 0);
    assert_eq!(rig.receive(one.path, &send), Out::Nothing);
    assert_eq!(rig.receive(one.path, &channel_data(0x4000, b"hi")), Out::Nothing);
}

#[test]
fn sec_28_an_address_that_becomes_the_servers_own_is_guarded_from_then_on() {
    const LATER: &str = "198.51.100.2";
    let ssh = addr("198.51.100.2:22");
    let mut rig = Rig::new();
    let mut one = Client::new(0);
    one.allocated(&mut rig);
    // As long as it is anybody's, all of its ports are.
    assert_eq!(
        (one.permit(&mut rig, "198.51.100.2:22"), one.bind(&mut rig, 0x4000, "198.51.100.2:22")),
        (0, 0)
    );
    let send = one.send_indication(ssh, b"hi");
    assert_eq!(rig.receive(one.path, &send).sent().0.path.remote, ssh);
    let now = rig.now;
    rig.server().reconfigure(now, config().with_relay(RelayAddress::new(LATER.parse().unwrap())));
    rig.settle();
    for _ in 0..2 {
        assert_eq!(rig.receive(one.path, &send), Out::Nothing);
        assert_eq!(rig.receive(one.path, &channel_data(0x4000, b"hi")), Out::Nothing);
        // Nor is it anybody's again when the permission is refreshed.
        assert_eq!(one.permit(&mut rig, "198.51.100.2:0"), 0);
    }
    assert_eq!(one.bind(&mut rig, 0x4000, "198.51.100.2:22"), 403);
    // The relays that are made there are found.
    let mut others = (1..64).map(Client::new);
    let relay =
        others.find_map(|mut it| Some(it.allocated(&mut rig)).filter(|it| it.ip() == ssh.ip())).unwrap();
    let send_there = one.send_indication(relay, b"hi");
    assert_eq!(rig.receive(one.path, &send_there).sent().0.path.remote, relay);
    // And the configuration that leaves it behind does not give it away while there are some.
    rig.server().reconfigure(now, config());
    rig.settle();
    assert_eq!(rig.receive(one.path, &send), Out::Nothing);
    assert_eq!(rig.receive(one.path, &send_there).sent().0.path.remote, relay);
    rig.server().revoke(now, "user");
    rig.server().reconfigure(now, config());
    rig.settle();
    one.allocated(&mut rig);
    assert_eq!(one.permit(&mut rig, "198.51.100.2:22"), 0);
    assert_eq!(rig.receive(one.path, &send).sent().0.path.remote, ssh);
}

#[test]
fn rfc8656_14_marks_and_fragmentation() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let relayed = client.allocated(&mut rig);
    assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0);
    let out = channel_data(0x4000, b"x");
    // ECN as it came; DF is taken to have been 0.
    assert_eq!(rig.marks(client.path, &out, Ecn::Ect1), (Ecn::Ect1, false));
    assert_eq!(rig.marks(Path::udp(relayed, addr(PEER)), b"x", Ecn::Ce), (Ecn::Ce, false));
    let send = unfragmented(&mut client, PEER);
    assert_eq!(rig.marks(client.path, &send, Ecn::Ect1), (Ecn::Ect1, true));
    // RFC 8656 sections 15 and 16: a stream has no marks to copy; nor do drivers tell those of DTLS.
    for transport in [Transport::Tcp, Transport::Tls, Transport::Dtls] {
        let mut client = Client::named("user", path_by(transport, AddressFamily::Ipv4));
        let relayed = client.allocated(&mut rig);
        assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0);
        assert_eq!(rig.marks(client.path, &out, Ecn::Ect1), (Ecn::NotEct, false), "{transport:?}");
        assert_eq!(rig.marks(client.path, &send, Ecn::Ect1), (Ecn::NotEct, true), "{transport:?}");
        let back = rig.marks(Path::udp(relayed, addr(PEER)), b"x", Ecn::Ect1);
        assert_eq!(back, (Ecn::NotEct, false), "{transport:?}");
    }
    // Where DF cannot be set, the indication is worth nothing (section 11.2).
    let mut rig = Rig::with(config().with_dont_fragment(false));
    let mut client = Client::new(0);
    client.allocated(&mut rig);
    client.permit(&mut rig, PEER);
    assert_eq!(rig.receive(client.path, &send), Out::Nothing);
}
/// A Send indication with DONT-FRAGMENT.
fn unfragmented(client: &mut Client, peer: &str) -> std::vec::Vec<u8> {
    let peer = XorPeerAddress(addr(peer));
    client.indication(&|it| {
        it.attribute(&peer).unwrap().attribute(&DontFragment).unwrap().attribute(&Data(b"x")).unwrap()
    })
}

#[test]
fn rfc8656_13_dont_fragment_is_ignored_beside_ipv6_between_datagrams() {
    use AddressFamily::{Ipv4, Ipv6};
    for transport in [Transport::Udp, Transport::Dtls, Transport::Tcp, Transport::Tls] {
        for (over, to, peer) in [
            (Ipv4, Ipv4, PEER),
            (Ipv4, Ipv6, "[2606:4700::9]:7000"),
            (Ipv6, Ipv4, PEER),
            (Ipv6, Ipv6, "[2606:4700::9]:7000"),
        ] {
            let (mut rig, mut client) = (Rig::new(), Client::named("user", path_by(transport, over)));
            assert_eq!((client.allocate_of(&mut rig, to).code, client.permit(&mut rig, peer)), (0, 0));
            let send = unfragmented(&mut client, peer);
            // Section 15: a stream says nothing else of fragments.
            let is_obeyed = (over, to) == (Ipv4, Ipv4) || transport.is_stream();
            let (_, dont_fragment) = rig.marks(client.path, &send, Ecn::NotEct);
            assert_eq!(dont_fragment, is_obeyed, "{transport:?}: {over:?} to {to:?}");
        }
    }
}

#[test]
fn rfc8656_11_5_icmp_is_told_to_who_has_a_permission() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let relayed = client.allocated(&mut rig);
    client.permit(&mut rig, PEER);
    let tell = |rig: &mut Rig, peer: &str, error| {
        let path = Path::udp(relayed, addr(peer));
        rig.server().handle_notice(Instant::EPOCH, Notice::Unreachable { path, error });
        rig.settle();
        rig.world.sent.pop()
    };
    let (transmit, octets) = tell(&mut rig, PEER, IcmpError::v4(3, 4, 1_300)).unwrap();
    assert_eq!(transmit.path, client.path);
    let message = Message::parse(&octets).unwrap();
    assert_eq!(message.get().unwrap(), Some(XorPeerAddress(addr(PEER))));
    assert_eq!(message.get().unwrap(), Some(Icmp { kind: 3, code: 4, data: 1_300 }));
    assert!(!message.has(AttributeType::DATA));
    // By a Data indication, a channel or not (section 12.5).
    assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0);
    let (_, octets) = tell(&mut rig, PEER, IcmpError::v4(11, 0, 0)).unwrap();
    let message = Message::parse(&octets).unwrap();
    assert_eq!((message.class(), message.method()), (ginnel_stun::Class::Indication, Method::DATA));
    assert_eq!(message.get().unwrap(), Some(Icmp { kind: 11, code: 0, data: 0 }));
    assert!(tell(&mut rig, PEER, IcmpError::v4(8, 0, 0)).is_none(), "another type");
    assert!(tell(&mut rig, PEER, IcmpError::v4(1, 0, 0)).is_none(), "one of ICMPv6");
    assert!(tell(&mut rig, "203.0.113.10:7", IcmpError::v4(3, 3, 0)).is_none(), "no permission");
    assert_eq!(rig.stats().icmp, 2);
    // What is not drained is bounded.
    for _ in 0..data::ICMP_WAITING_MAX + 1 {
        let path = Path::udp(relayed, addr(PEER));
        let error = IcmpError::v4(3, 3, 0);
        rig.server().handle_notice(Instant::EPOCH, Notice::Unreachable { path, error });
    }
    rig.settle();
    assert_eq!(rig.world.sent.len(), data::ICMP_WAITING_MAX);
}

#[test]
fn rfc8656_11_5_icmpv6_has_types_of_its_own() {
    const PEER6: &str = "[2606:4700::9]:7000";
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let relayed = client.allocate_of(&mut rig, AddressFamily::Ipv6).relayed();
    assert_eq!(client.permit(&mut rig, PEER6), 0);
    for (kind, code, data) in [(1, 4, 0), (2, 0, 1_280), (3, 1, 0)] {
        let path = Path::udp(relayed, addr(PEER6));
        rig.notice(Notice::Unreachable { path, error: IcmpError::v6(kind, code, data) });
        let (transmit, octets) = rig.world.sent.pop().expect("it is told");
        let message = Message::parse(&octets).unwrap();
        assert_eq!((transmit.path, message.get().unwrap()), (client.path, Some(XorPeerAddress(addr(PEER6)))));
        assert_eq!(message.get().unwrap(), Some(Icmp { kind, code, data }));
    }
    for kind in [0, 4, 11, 128] {
        let path = Path::udp(relayed, addr(PEER6));
        rig.notice(Notice::Unreachable { path, error: IcmpError::v6(kind, 0, 0) });
        assert!(rig.world.sent.is_empty(), "{kind}");
    }
}

#[test]
fn the_allocations_of_a_user_share_his_bandwidth_and_others_have_theirs() {
    let limits = policy::BandwidthLimits::default().with_per_user(policy::Rate::with_burst(1_000, 100_000));
    let mut rig = Rig::with(config().with_bandwidth(limits));
    let mut clients = [Client::new(0), Client::new(1), Client::named("other", client_path(2))];
    for client in &mut clients {
        client.allocated(&mut rig);
        assert_eq!(client.bind(&mut rig, 0x4000, PEER), 0);
    }
    let paths = clients.each_ref().map(|it| it.path);
    let passes =
        |rig: &mut Rig, n: usize| rig.receive(paths[n], &channel_data(0x4000, &[0; 1_000])) != Out::Nothing;
    // One takes most of what both have, the other the rest.
    assert_eq!((0..70).filter(|_| passes(&mut rig, 0)).count(), 70);
    assert_eq!((0..70).filter(|_| passes(&mut rig, 1)).count(), 30);
    assert_eq!((0..200).filter(|_| passes(&mut rig, 2)).count(), 100);
    rig.pass(secs(1));
    assert_eq!([0, 1, 2].map(|n| passes(&mut rig, n)), [true, false, true]);
    assert_eq!(rig.stats().over_bandwidth, 40 + 100 + 1);
}

#[test]
fn a_flood_is_cut_to_its_bandwidth_and_others_keep_theirs() {
    let limits =
        policy::BandwidthLimits::default().with_per_allocation(policy::Rate::with_burst(100_000, 100_000));
    let mut rig = Rig::with(config().with_bandwidth(limits));
    let mut clients = [Client::new(0), Client::new(1)];
    let relayed = clients.each_mut().map(|it| it.allocated(&mut rig));
    clients.iter_mut().for_each(|it| assert_eq!(it.bind(&mut rig, 0x4000, PEER), 0));
    let (mut flood, mut calm) = (0, 0);
    // Ten times the rate for ten seconds, beside half of it.
    for tick in 0..1_000_u32 {
        for _ in 0..10 {
            let out = rig.receive(Path::udp(relayed[0], addr(PEER)), &[0; 1_000]);
            flood += usize::from(out != Out::Nothing);
        }
        if tick % 2 == 0 {
            let out = rig.receive(Path::udp(relayed[1], addr(PEER)), &[0; 1_000]);
            calm += usize::from(out != Out::Nothing);
        }
        rig.now += core::time::Duration::from_millis(10);
    }
    assert!((1_090..=1_110).contains(&flood), "{flood}");
    assert_eq!(calm, 500);
    // The other direction has a bucket of its own.
    let _ = rig.receive(clients[0].path, &channel_data(0x4000, &[0; 1_000])).sent();
    let over = 10_000 - flood as u64;
    assert_eq!(rig.stats().over_bandwidth, over);
    // An indication that is too much is right for all that.
    assert_eq!(clients[0].permit(&mut rig, PEER), 0);
    let send = clients[0].send_indication(addr(PEER), &[0; 60_000]);
    let passed = [(); 3].map(|()| rig.receive(clients[0].path, &send) != Out::Nothing);
    assert_eq!(passed, [true, false, false]);
    assert_eq!((rig.stats().over_bandwidth, rig.stats().bad_sends), (over + 2, 0));
}

#[test]
fn channels_of_rfc5766_are_taken_unless_the_configuration_is_strict() {
    let relays = |numbers, number| {
        let mut rig = Rig::with(config().with_channel_numbers(numbers));
        let mut client = Client::new(0);
        let relayed = client.allocated(&mut rig);
        if client.bind(&mut rig, number, PEER) != 0 {
            return false;
        }
        assert_eq!(rig.receive(client.path, &channel_data(number, b"out")).sent().1, b"out");
        let back = rig.receive(Path::udp(relayed, addr(PEER)), b"in").sent().1;
        assert_eq!(back, channel_data(number, b"in"));
        true
    };
    use ChannelNumbers::{Rfc5766, Rfc8656};
    for (number, old, strict) in [
        (0x3FFF, false, false),
        (0x4FFF, true, true),
        (0x5000, true, false),
        (0x7FFF, true, false),
        (0x8000, false, false),
    ] {
        assert_eq!((relays(Rfc5766, number), relays(Rfc8656, number)), (old, strict), "{number:#x}");
    }
}
