//! The life of an allocation: RFC 8656 sections 5 to 8.

use ginnel_core::{Notice, Path, Transport};
use ginnel_stun::{Message, MessageWriter, Method, Open, attribute::*};

use super::{super::*, rig::*};

type Writer<'p, 'a> = MessageWriter<'p, 'a, Open, ginnel_core::Packet<'a>>;
fn udp<'p, 'a>(open: Writer<'p, 'a>) -> Writer<'p, 'a> {
    open.attribute(&RequestedTransport::UDP).unwrap()
}

#[test]
fn an_allocation_is_made_refreshed_and_deleted() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    client.fingerprint = true;
    let said = client.allocate(&mut rig);
    assert_eq!((said.code, said.lifetime()), (0, 600));
    let relayed = said.relayed();
    assert!(relayed.is_ipv4() && relayed.port() >= 49_152);
    assert_eq!(said.get::<XorMappedAddress>(), Some(XorMappedAddress(client.path.remote)));
    // RFC 8656 section 5: SOFTWARE, and FINGERPRINT as the request had it.
    assert_eq!(said.get::<Software<'_>>().unwrap().as_str(), "ginnel test");
    assert_eq!(Message::parse(&said.octets).unwrap().fingerprint(), ginnel_stun::Fingerprint::Ok);
    assert!(
        matches!(rig.events()[..], [Event::Allocated { relayed: it, additional: None, .. }] if it == relayed)
    );
    // RFC 8656 section 8.2: not less than the default, not more than the most.
    for (asked, lifetime) in [(1, 600), (601, 601), (3_600, 3_600), (100_000, 3_600)] {
        let said = client.refresh(&mut rig, asked);
        assert_eq!((said.code, said.lifetime()), (0, lifetime));
        assert!(said.get::<Software<'_>>().is_some());
    }
    let said = client.refresh(&mut rig, 0);
    assert_eq!((said.code, said.lifetime()), (0, 0));
    assert!(rig.world.open.is_empty());
    assert!(matches!(rig.events()[..], [Event::Ended { reason: EndReason::Deleted, .. }]));
    // The note of section 8.2: asked again, it is gone.
    let said = client.refresh(&mut rig, 0);
    assert_eq!((said.code, said.get::<Software<'_>>().is_some()), (437, true));
    assert_eq!((rig.stats().allocations, rig.stats().allocated, rig.stats().deleted), (0, 1, 1));
}

#[test]
fn rfc8656_5_software_is_in_answers_to_allocate_and_refresh_good_and_bad() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let has_it = |said: &Said| said.get::<Software<'_>>().map(|it| it.as_str() == "ginnel test");
    for (code, expected) in [(0, Some(true)), (437, Some(true))] {
        let said = client.allocate(&mut rig);
        assert_eq!((said.code, has_it(&said)), (code, expected));
    }
    let said = client.ask(&mut rig, Method::REFRESH, &|it| odd(it, AttributeType::LIFETIME, b"no"));
    assert_eq!((said.code, has_it(&said)), (400, Some(true)));
    // Not in the others, which come often.
    for method in [Method::CREATE_PERMISSION, Method::CHANNEL_BIND] {
        let said = client.ask(&mut rig, method, &|it| it);
        assert_eq!((said.code, has_it(&said)), (400, None));
    }
}

#[test]
fn an_allocation_expires_unless_it_is_refreshed() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    client.allocated(&mut rig);
    rig.pass(secs(599));
    assert_eq!(client.refresh(&mut rig, 700).lifetime(), 700);
    rig.pass(secs(699));
    assert_eq!(rig.world.open.len(), 1);
    rig.pass(secs(1));
    assert!(rig.world.open.is_empty());
    assert!(matches!(rig.events()[..], [_, Event::Ended { reason: EndReason::Expired, .. }]));
    assert_eq!(rig.server.get().poll_timeout(), None);
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7"), 437);
}

#[test]
fn lifetimes_are_what_the_configuration_says() {
    let lifetimes = Lifetimes::default().with(secs(60), secs(120));
    let mut rig = Rig::with(config().with_lifetimes(lifetimes));
    let mut client = Client::new(0);
    let said = client.ask(&mut rig, Method::ALLOCATE, &|it| udp(it).attribute(&Lifetime(3_600)).unwrap());
    assert_eq!(said.lifetime(), 120);
    assert_eq!(client.refresh(&mut rig, 1).lifetime(), 60);
}

#[test]
fn sec_36_a_five_tuple_in_use_is_a_mismatch_and_a_retransmission_is_not() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    client.learn_nonce(&mut rig);
    let id = client.next_id();
    let request = client.request(Method::ALLOCATE, id, &udp);
    rig.world.hold = true;
    // Sent twice before the socket is open, and once behind it.
    assert_eq!(rig.ask(client.path, &request), None);
    assert_eq!(rig.ask(client.path, &request), None);
    assert_eq!(client.allocate(&mut rig).code, 437, "another transaction");
    let bind = rig.world.held.pop().unwrap();
    assert!(rig.world.held.is_empty(), "one socket");
    rig.world.hold = false;
    let notice = rig.world.obey(bind).unwrap();
    rig.server().handle_notice(Instant::EPOCH, notice);
    rig.settle();
    let [(_, first)] = &rig.world.sent[..] else { panic!("one answer") };
    let first = first.clone();
    let again = rig.receive(client.path, &request).sent().1;
    assert_eq!(first, again, "the same success");
    // The same transaction of somebody else is not the same.
    let mut thief = Client::named("other", client.path);
    thief.nonce = client.nonce.clone();
    let stolen = rig.receive(client.path, &thief.request(Method::ALLOCATE, id, &udp)).sent().1;
    assert_eq!(thief.read(Method::ALLOCATE, id, stolen).code, 437);
    assert_eq!(client.allocate(&mut rig).code, 437);
    assert_eq!((rig.stats().allocated, rig.world.binds), (1, 1));
}

#[test]
fn sec_36_a_retransmission_is_told_of_its_token_and_of_what_is_missing() {
    let pair: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: true }).unwrap();
    let both: Fill<'_> = &|it| udp(it).attribute(&AdditionalAddressFamily(AddressFamily::Ipv6)).unwrap();
    let mut of_one = config();
    of_one.relays.pop();
    for (fill, kind) in [(pair, AttributeType::RESERVATION_TOKEN), (both, AttributeType::ADDRESS_ERROR_CODE)]
    {
        let (mut rig, mut client) = (Rig::with(of_one.clone()), Client::new(0));
        client.learn_nonce(&mut rig);
        let id = client.next_id();
        let request = client.request(Method::ALLOCATE, id, fill);
        let first = rig.ask(client.path, &request).unwrap();
        let message = Message::parse(&first).unwrap();
        assert!(message.has(AttributeType::XOR_RELAYED_ADDRESS) && message.has(kind));
        let binds = rig.world.binds;
        assert_eq!((rig.ask(client.path, &request), rig.world.binds), (Some(first), binds));
    }
}

#[test]
fn rfc8656_7_2_lawless_requests_are_bad_requests() {
    let mut rig = Rig::new();
    let mut client = Client::new(0);
    let v4 = RequestedAddressFamily(AddressFamily::Ipv4);
    let (more4, more6) =
        (AdditionalAddressFamily(AddressFamily::Ipv4), AdditionalAddressFamily(AddressFamily::Ipv6));
    let token = ReservationToken([0; 8]);
    let even = |reserve_next| EvenPort { reserve_next };
    let table: [(&str, u16, Fill<'_>); 19] = [
        ("no transport", 400, &|it| it),
        ("REQUESTED-TRANSPORT of an octet", 400, &|it| odd(it, AttributeType::REQUESTED_TRANSPORT, &[17])),
        ("EVEN-PORT of nothing", 400, &|it| odd(udp(it), AttributeType::EVEN_PORT, b"")),
        ("a token of seven octets", 400, &|it| odd(udp(it), AttributeType::RESERVATION_TOKEN, b"7octets")),
        ("DONT-FRAGMENT with a value", 400, &|it| odd(udp(it), AttributeType::DONT_FRAGMENT, b"1234")),
        ("a family of two octets", 400, &|it| odd(udp(it), AttributeType::REQUESTED_ADDRESS_FAMILY, &[1, 0])),
        ("an additional family of two octets", 400, &|it| {
            odd(udp(it), AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[2, 0])
        }),
        ("TCP, which is off", 442, &|it| it.attribute(&RequestedTransport::TCP).unwrap()),
        ("an unknown transport", 442, &|it| it.attribute(&RequestedTransport(99)).unwrap()),
        ("a token that nobody made", 508, &|it| udp(it).attribute(&token).unwrap()),
        ("a token and EVEN-PORT", 400, &|it| {
            udp(it).attribute(&token).unwrap().attribute(&even(false)).unwrap()
        }),
        ("a token and a family", 400, &|it| udp(it).attribute(&token).unwrap().attribute(&v4).unwrap()),
        ("a token and another family", 400, &|it| {
            udp(it).attribute(&token).unwrap().attribute(&more6).unwrap()
        }),
        ("two ways to ask for a family", 400, &|it| {
            udp(it).attribute(&v4).unwrap().attribute(&more6).unwrap()
        }),
        ("IPv4 in addition", 400, &|it| udp(it).attribute(&more4).unwrap()),
        ("a pair of ports in both families", 400, &|it| {
            udp(it).attribute(&even(true)).unwrap().attribute(&more6).unwrap()
        }),
        ("LIFETIME of two octets", 400, &|it| odd(udp(it), AttributeType::LIFETIME, b"no")),
        ("family 9", 440, &|it| odd(udp(it), AttributeType::REQUESTED_ADDRESS_FAMILY, &[9, 0, 0, 0])),
        ("what nobody knows", 420, &|it| odd(udp(it), AttributeType(0x7ABC), b"")),
    ];
    for (what, code, fill) in table {
        let said = client.ask(&mut rig, Method::ALLOCATE, fill);
        assert_eq!(said.code, code, "{what}");
        if code == 420 {
            let unknown: Vec<_> = said.get::<UnknownAttributes<'_>>().unwrap().iter().collect();
            assert_eq!(unknown, [AttributeType(0x7ABC)]);
        }
    }
    assert_eq!((rig.stats().allocated, rig.world.binds), (0, 0));
}

#[test]
fn dont_fragment_is_unknown_where_it_cannot_be_obeyed() {
    let fill: Fill<'_> = &|it| udp(it).attribute(&DontFragment).unwrap();
    let mut rig = Rig::with(config().with_dont_fragment(false));
    let said = Client::new(0).ask(&mut rig, Method::ALLOCATE, fill);
    assert_eq!(said.code, 420);
    assert_eq!(
        said.get::<UnknownAttributes<'_>>().unwrap().iter().next(),
        Some(AttributeType::DONT_FRAGMENT)
    );
    assert_eq!(Client::new(0).ask(&mut Rig::new(), Method::ALLOCATE, fill).code, 0);
}

#[test]
fn rfc8656_3_7_dont_fragment_is_unknown_where_ipv4_becomes_ipv6() {
    use AddressFamily::{Ipv4, Ipv6};
    let to: Fill<'_> = &|it| udp(it).attribute(&RequestedAddressFamily(Ipv6)).unwrap();
    let and: Fill<'_> = &|it| udp(it).attribute(&AdditionalAddressFamily(Ipv6)).unwrap();
    let code = |config, transport, over, fill: Fill<'_>| {
        let mut rig = Rig::with(config);
        let said = Client::named("user", path_by(transport, over))
            .ask(&mut rig, Method::ALLOCATE, &|it| fill(it).attribute(&DontFragment).unwrap());
        if said.code == 420 {
            let unknown: Vec<_> = said.get::<UnknownAttributes<'_>>().unwrap().iter().collect();
            assert_eq!((unknown.as_slice(), rig.world.binds), ([AttributeType::DONT_FRAGMENT].as_slice(), 0));
        }
        said.code
    };
    for transport in [Transport::Udp, Transport::Dtls] {
        assert_eq!(code(config(), transport, Ipv4, to), 420);
        assert_eq!(code(config(), transport, Ipv4, and), 420);
        assert_eq!(code(config(), transport, Ipv4, &udp), 0);
        // Not where nothing is translated to IPv6, of which IPv4 says more than IPv6 can.
        assert_eq!(code(config(), transport, Ipv6, to), 0);
        assert_eq!(code(config(), transport, Ipv6, and), 0);
    }
    // From a stream nothing is translated: DONT-FRAGMENT is obeyed there.
    assert_eq!(code(config(), Transport::Tcp, Ipv4, to), 0);
    assert_eq!(code(config(), Transport::Tls, Ipv4, and), 0);
    // Where there is no IPv6 the answer says that.
    let mut of_one = config();
    of_one.relays.pop();
    assert_eq!(code(of_one.clone(), Transport::Udp, Ipv4, to), 440);
    assert_eq!(code(of_one, Transport::Udp, Ipv4, and), 0);
    // What a token holds may be of IPv6 too; it stays for whoever comes without the attribute.
    let mut rig = Rig::new();
    let pair: Fill<'_> = &|it| to(it).attribute(&EvenPort { reserve_next: true }).unwrap();
    let token = Client::new(0).ask(&mut rig, Method::ALLOCATE, pair).get::<ReservationToken>().unwrap();
    let with: Fill<'_> = &|it| udp(it).attribute(&token).unwrap();
    let both: Fill<'_> = &|it| with(it).attribute(&DontFragment).unwrap();
    assert_eq!(Client::new(1).ask(&mut rig, Method::ALLOCATE, both).code, 420);
    assert_eq!(Client::new(1).ask(&mut rig, Method::ALLOCATE, with).code, 0);
}

#[test]
fn sec_34_families_and_transports_that_are_not_there() {
    let v6: Fill<'_> = &|it| udp(it).attribute(&RequestedAddressFamily(AddressFamily::Ipv6)).unwrap();
    let mut rig = Rig::new();
    let mut client = Client::new(0);
    let said = client.ask(&mut rig, Method::ALLOCATE, v6);
    assert!(said.code == 0 && said.relayed().is_ipv6());
    // A peer of the other family.
    assert_eq!(client.permit(&mut rig, "203.0.113.9:7"), 443);
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7"), 443);
    assert_eq!(client.permit(&mut rig, "[2606:4700::9]:7"), 0);
    let mut client = Client::new(1);
    client.allocated(&mut rig);
    assert_eq!(client.permit(&mut rig, "[2606:4700::9]:7"), 443);
    assert_eq!(client.bind(&mut rig, 0x4000, "[2606:4700::9]:7"), 443);
    // Nor is it 400, whatever else is wrong with it.
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7"), 0);
    assert_eq!(client.bind(&mut rig, 0x4000, "[2606:4700::9]:7"), 443);
    // RFC 8656 section 8.2: a family that the allocation has not; and one that there is not.
    for family in [2, 9] {
        let said = client.ask(&mut rig, Method::REFRESH, &|it| {
            odd(it, AttributeType::REQUESTED_ADDRESS_FAMILY, &[family, 0, 0, 0])
        });
        assert_eq!(said.code, 443, "family {family}");
    }
    // A server of one family.
    let only = |ip: &str| {
        let mut config = config();
        config.relays = std::vec![RelayAddress::new(ip.parse().unwrap())];
        Rig::with(config)
    };
    assert_eq!(Client::new(0).ask(&mut only(RELAY), Method::ALLOCATE, v6).code, 440);
    assert_eq!(Client::new(0).allocate(&mut only(RELAY6)).code, 440);
    assert_eq!(Client::new(0).ask(&mut only(RELAY6), Method::ALLOCATE, v6).code, 0);
}

#[test]
fn a_dual_allocation_has_two_lives() {
    let both: Fill<'_> = &|it| udp(it).attribute(&AdditionalAddressFamily(AddressFamily::Ipv6)).unwrap();
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let said = client.ask(&mut rig, Method::ALLOCATE, both);
    let relayed = said.all_relayed();
    let of_drafts: Fill<'_> = &|it| odd(udp(it), AttributeType(0x8032), &[2, 0, 0, 0]);
    assert_eq!(Client::new(1).ask(&mut Rig::new(), Method::ALLOCATE, of_drafts).all_relayed().len(), 2);
    assert!(matches!(relayed[..], [v4, v6] if v4.is_ipv4() && v6.is_ipv6()), "{relayed:?}");
    assert!(said.get::<AddressErrorCode<'_>>().is_none());
    assert_eq!(client.permit(&mut rig, "203.0.113.9:7"), 0);
    assert_eq!(client.permit(&mut rig, "[2606:4700::9]:7"), 0);
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7"), 0);
    // RFC 8656 section 8.2: each family by itself.
    let refresh = |family, seconds| {
        move |it: &mut Client, rig: &mut Rig| {
            it.ask(rig, Method::REFRESH, &|open| {
                let open = open.attribute(&Lifetime(seconds)).unwrap();
                open.attribute(&RequestedAddressFamily(family)).unwrap()
            })
        }
    };
    assert_eq!(refresh(AddressFamily::Ipv6, 1_000)(&mut client, &mut rig).lifetime(), 1_000);
    rig.pass(secs(590));
    assert_eq!(client.bind(&mut rig, 0x4000, "203.0.113.9:7"), 0);
    assert_eq!(client.bind(&mut rig, 0x4001, "[2606:4700::9]:7"), 0);
    rig.pass(secs(10));
    assert_eq!(rig.world.open, [relayed[1]], "IPv4 has expired");
    assert_eq!(refresh(AddressFamily::Ipv4, 600)(&mut client, &mut rig).code, 443);
    assert_eq!(client.permit(&mut rig, "203.0.113.9:7"), 443);
    let send = client.send_indication(addr("203.0.113.9:7"), b"late");
    assert_eq!(rig.receive(client.path, &send), Out::Nothing);
    assert_eq!(rig.stats().expired, 0);
    // Section 8.1: its channels have gone with it, and those of the other family have not.
    assert_eq!(client.bind(&mut rig, 0x4002, "203.0.113.9:7"), 443);
    assert_eq!(client.bind(&mut rig, 0x4001, "[2606:4700::8]:7"), 400);
    assert_eq!(client.bind(&mut rig, 0x4000, "[2606:4700::8]:7"), 0);
    assert!(matches!(rig.receive(client.path, &channel_data(0x4001, b"on")), Out::Sent(..)));
    assert_eq!(refresh(AddressFamily::Ipv6, 0)(&mut client, &mut rig).code, 0);
    assert_eq!((rig.stats().deleted, rig.stats().allocations), (1, 0));
    assert!(rig.world.open.is_empty());
}

#[test]
fn half_of_a_dual_allocation_says_what_is_missing() {
    let both: Fill<'_> = &|it| udp(it).attribute(&AdditionalAddressFamily(AddressFamily::Ipv6)).unwrap();
    let mut of_one = config();
    of_one.relays.pop();
    let said = Client::new(0).ask(&mut Rig::with(of_one), Method::ALLOCATE, both);
    let error = said.get::<AddressErrorCode<'_>>().unwrap();
    assert_eq!((said.code, error.family, error.error.code()), (0, AddressFamily::Ipv6, 440));
    assert_eq!(said.all_relayed().len(), 1);
    // Ports that the operating system does not give.
    let mut rig = Rig::new();
    rig.world.refuse = super::super::relays::BIND_TRIES;
    let said = Client::new(0).ask(&mut rig, Method::ALLOCATE, both);
    let error = said.get::<AddressErrorCode<'_>>().unwrap();
    assert_eq!((said.code, error.family, error.error.code()), (0, AddressFamily::Ipv4, 508));
    assert!(said.relayed().is_ipv6());
    rig.world.refuse = 2 * super::super::relays::BIND_TRIES;
    assert_eq!(Client::new(1).ask(&mut rig, Method::ALLOCATE, both).code, 508);
}

#[test]
fn a_port_that_is_refused_is_followed_by_another() {
    let tries = super::super::relays::BIND_TRIES;
    for (refused, code) in [(1, 0), (tries - 1, 0), (tries, 508)] {
        let mut rig = Rig::new();
        rig.world.refuse = refused;
        assert_eq!(Client::new(0).allocate(&mut rig).code, code, "{refused} refused");
        assert_eq!(rig.stats().relay_refusals, refused as u64);
        // No port is lost: of sixteen ports, sixteen allocations.
        let mut rig = Rig::with(config().with_ports(50_000..=50_015));
        rig.world.refuse = refused;
        let _ = Client::new(9).allocate(&mut rig);
        let more = (20..36).filter(|&n| Client::new(n).allocate(&mut rig).code == 0).count();
        assert_eq!(more, if code == 0 { 15 } else { 16 });
        assert_eq!(rig.world.open.len(), 16, "{refused} refused");
    }
}

#[test]
fn sec_35_even_ports_and_reservations() {
    let even: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: false }).unwrap();
    let pair: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: true }).unwrap();
    let mut rig = Rig::new();
    for n in 0..8 {
        assert_eq!(Client::new(n).ask(&mut rig, Method::ALLOCATE, even).relayed().port() % 2, 0);
    }
    let mut client = Client::new(10);
    let said = client.ask(&mut rig, Method::ALLOCATE, pair);
    let (relayed, token) = (said.relayed(), said.get::<ReservationToken>().unwrap());
    assert_eq!(relayed.port() % 2, 0);
    assert!(
        rig.world.open.contains(&std::net::SocketAddr::new(relayed.ip(), relayed.port() + 1)),
        "held open"
    );
    let with: Fill<'_> = &|it| udp(it).attribute(&token).unwrap();
    // A token belongs to its user, and works once.
    assert_eq!(Client::named("other", client_path(11)).ask(&mut rig, Method::ALLOCATE, with).code, 508);
    assert_eq!(Client::new(12).ask(&mut rig, Method::ALLOCATE, with).relayed().port(), relayed.port() + 1);
    assert_eq!(Client::new(13).ask(&mut rig, Method::ALLOCATE, with).code, 508, "used");
    // An expired one: its socket is given back.
    let before = rig.world.open.len();
    let token = Client::new(14).ask(&mut rig, Method::ALLOCATE, pair).get::<ReservationToken>().unwrap();
    assert_eq!(rig.world.open.len(), before + 2);
    rig.pass(secs(30));
    assert_eq!(rig.world.open.len(), before + 1);
    let with: Fill<'_> = &|it| udp(it).attribute(&token).unwrap();
    assert_eq!(Client::new(15).ask(&mut rig, Method::ALLOCATE, with).code, 508);
}

#[test]
fn rfc8656_7_2_check_8_a_pair_is_had_whole_or_not_at_all() {
    let even: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: false }).unwrap();
    let pair: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: true }).unwrap();
    // There are ports, and none of them stands below another.
    let mut rig = Rig::with(config().with_ports(50_000..=50_003));
    for n in 0..2 {
        assert_eq!(Client::new(n).ask(&mut rig, Method::ALLOCATE, even).code, 0);
    }
    assert_eq!(Client::new(2).ask(&mut rig, Method::ALLOCATE, pair).code, 508);
    assert_eq!((rig.world.open.len(), Client::new(3).allocate(&mut rig).code), (2, 0));
    // The driver refuses the one above: another pair is had, and the one below is given back.
    let mut rig = Rig::with(config().with_ports(50_000..=50_003));
    let mut client = Client::new(0);
    client.learn_nonce(&mut rig);
    rig.world.hold = true;
    assert!(client.try_ask(&mut rig, Method::ALLOCATE, pair).is_none());
    let below = rig.world.held.pop().unwrap();
    let notice = rig.world.obey(below).unwrap();
    rig.notice(notice);
    let Some(ginnel_core::Request::Bind { ticket, port: ginnel_core::Port::Exact(above), .. }) =
        rig.world.held.pop()
    else {
        panic!("the port above")
    };
    rig.world.hold = false;
    rig.notice(Notice::Opened { ticket, result: Err(ginnel_core::Refused::InUse) });
    let mut open: Vec<u16> = rig.world.open.iter().map(|it| it.port()).collect();
    open.sort_unstable();
    assert_eq!((open.len(), open[0] % 2, open[1]), (2, 0, open[0] + 1));
    assert!(!open.contains(&above) && !open.contains(&(above - 1)));
    assert_eq!((rig.world.releases, rig.world.sent.len(), rig.stats().relay_refusals), (1, 1, 1));
    let rest = (1..3).map(|n| Client::new(n).allocated(&mut rig).port());
    assert_eq!(rest.map(|it| it / 2).collect::<Vec<_>>(), [above / 2; 2], "both are free again");
    // Where no more is held for anybody, it is as if there were no pair.
    let mut rig = Rig::new();
    rig.server().reservations = policy::Reservations::new(0);
    assert_eq!(Client::new(0).ask(&mut rig, Method::ALLOCATE, pair).code, 508);
    assert_eq!((rig.world.open.len(), rig.world.releases, rig.stats().allocations), (0, 2, 0));
}

#[test]
fn sec_35_no_port_leaks_and_a_full_pool_says_so_at_once() {
    let pair: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: true }).unwrap();
    let mut rig = Rig::with(config().with_ports(50_000..=50_007));
    let mut client = Client::new(0);
    client.learn_nonce(&mut rig);
    for cycle in 0..10_000_u32 {
        if cycle % 100 == 0 {
            client.nonce.clear();
        }
        let fill: Fill<'_> = if cycle % 4 == 0 { pair } else { &udp };
        let said = client.ask(&mut rig, Method::ALLOCATE, fill);
        assert_eq!(said.code, 0, "cycle {cycle}");
        if cycle % 4 == 0 {
            rig.pass(secs(30));
        }
        assert_eq!(client.refresh(&mut rig, 0).code, 0);
        rig.events();
    }
    assert!(rig.world.open.is_empty());
    for n in 0..8 {
        assert_eq!(Client::new(n).allocate(&mut rig).code, 0);
    }
    let binds = rig.world.binds;
    assert_eq!(Client::new(8).allocate(&mut rig).code, 508);
    assert_eq!(rig.world.binds, binds, "nothing was tried");
}

#[test]
fn sec_37_quota_and_capacity() {
    let quotas = policy::QuotaLimits::default().with_per_user(2).with_total(3);
    let mut rig = Rig::with(config().with_quotas(quotas));
    let mut mine = [Client::new(0), Client::new(1), Client::new(2)];
    assert_eq!(mine.each_mut().map(|it| it.allocate(&mut rig).code), [0, 0, 486]);
    let mut others = [3, 4].map(|n| Client::named("other", client_path(n)));
    assert_eq!(others.each_mut().map(|it| it.allocate(&mut rig).code), [0, 508]);
    // A lifetime of zero frees at once.
    assert_eq!(mine[0].refresh(&mut rig, 0).code, 0);
    assert_eq!(mine[2].allocate(&mut rig).code, 0);
    // What fails costs nothing.
    assert_eq!(others[0].refresh(&mut rig, 0).code, 0);
    rig.world.refuse = 100;
    assert_eq!(others[0].allocate(&mut rig).code, 508);
    rig.world.refuse = 0;
    assert_eq!(others[0].allocate(&mut rig).code, 0);
    // The limit of the machine.
    let mut rig = Rig::with(config().with_limits(Limits::default().with_allocations(1)));
    assert_eq!(Client::new(0).allocate(&mut rig).code, 0);
    assert_eq!(Client::new(1).allocate(&mut rig).code, 508);
}

#[test]
fn sec_37_ports_that_are_promised_count_too() {
    let pair: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: true }).unwrap();
    let quotas = policy::QuotaLimits::default().with_per_user(3);
    let mut rig = Rig::with(config().with_quotas(quotas));
    let mut client = Client::new(0);
    // One that asks again and again gets no more than his quota, though he gives back what he has.
    let token = client.ask(&mut rig, Method::ALLOCATE, pair).get::<ReservationToken>().unwrap();
    assert_eq!(client.refresh(&mut rig, 0).code, 0);
    let said = client.ask(&mut rig, Method::ALLOCATE, pair);
    assert_eq!(said.code, 0);
    assert_eq!(client.refresh(&mut rig, 0).code, 0);
    assert_eq!(client.ask(&mut rig, Method::ALLOCATE, pair).code, 486);
    assert_eq!(rig.world.open.len(), 2);
    // The last of them is had, and who comes for what he was promised is not counted again.
    assert_eq!(client.allocate(&mut rig).code, 0);
    let with: Fill<'_> = &|it| udp(it).attribute(&token).unwrap();
    assert_eq!(Client::new(1).ask(&mut rig, Method::ALLOCATE, with).code, 0);
    assert_eq!(Client::new(2).allocate(&mut rig).code, 486);
    // The other promise has ended.
    rig.pass(secs(30));
    assert_eq!(Client::new(2).allocate(&mut rig).code, 0);
    assert_eq!(Client::new(3).allocate(&mut rig).code, 486);
}

#[test]
fn a_port_of_an_earlier_configuration_is_not_given_to_the_other_transport() {
    let mut rig = Rig::with(config().with_ports(50_000..=50_000));
    let mut first = Client::new(0);
    let relayed = first.allocated(&mut rig);
    let (now, later) = (rig.now, config().with_ports(50_000..=50_001).with_tcp_relays(true));
    rig.server().reconfigure(now, later);
    let stream = |n| Path { transport: Transport::Tcp, ..client_path(n) };
    let tcp: Fill<'_> = &|it| it.attribute(&RequestedTransport::TCP).unwrap();
    let said = Client::named("user", stream(1)).ask(&mut rig, Method::ALLOCATE, tcp);
    assert_eq!(said.relayed().port(), 50_001);
    assert_eq!(Client::named("user", stream(2)).ask(&mut rig, Method::ALLOCATE, tcp).code, 508);
    assert!(rig.stats().relay_refusals > 0, "it was drawn");
    assert_eq!((rig.world.open.len(), rig.world.listening.len()), (1, 1));
    // It is free for both when it is given back.
    assert_eq!((relayed.port(), first.refresh(&mut rig, 0).code), (50_000, 0));
    let said = Client::named("user", stream(2)).ask(&mut rig, Method::ALLOCATE, tcp);
    assert_eq!(said.relayed().port(), 50_000);
}

#[test]
fn an_allocation_ends_with_the_stream_of_its_client() {
    let mut rig = Rig::new();
    let path = Path { transport: Transport::Tcp, ..client_path(0) };
    let mut client = Client::named("user", path);
    client.allocated(&mut rig);
    let lost = Notice::Lost { transport: Transport::Tcp, local: path.local, remote: Some(path.remote) };
    rig.server().handle_notice(Instant::EPOCH, lost);
    rig.settle();
    assert!(rig.world.open.is_empty());
    assert!(matches!(rig.events()[..], [_, Event::Ended { reason: EndReason::Disconnected, .. }]));
    // While its socket is being opened, too: it is given back when it comes.
    rig.world.hold = true;
    assert_eq!(client.try_ask(&mut rig, Method::ALLOCATE, &udp), None);
    rig.server().handle_notice(Instant::EPOCH, lost);
    let bind = rig.world.held.pop().unwrap();
    let notice = rig.world.obey(bind).unwrap();
    rig.world.hold = false;
    rig.server().handle_notice(Instant::EPOCH, notice);
    rig.settle();
    assert!(rig.world.open.is_empty() && rig.world.sent.is_empty());
    assert_eq!(rig.stats().allocations, 0);
}

#[test]
fn a_relay_socket_that_is_lost_ends_its_allocation() {
    let (mut rig, mut client) = (Rig::new(), Client::new(0));
    let relayed = client.allocated(&mut rig);
    rig.lose_socket(relayed);
    assert!(matches!(rig.events()[..], [_, Event::Ended { reason: EndReason::RelayLost, .. }]));
    assert_eq!(client.refresh(&mut rig, 600).code, 437);
    // Of two, the other lives on.
    let both: Fill<'_> = &|it| udp(it).attribute(&AdditionalAddressFamily(AddressFamily::Ipv6)).unwrap();
    let relayed = client.ask(&mut rig, Method::ALLOCATE, both).all_relayed();
    rig.lose_socket(relayed[0]);
    assert_eq!((rig.world.open.as_slice(), rig.stats().allocations), (&relayed[1..], 1));
    assert_eq!(client.refresh(&mut rig, 0).code, 0);
    assert!(rig.world.open.is_empty());
}

#[test]
fn a_relay_socket_that_is_lost_while_it_is_held_makes_its_token_worth_nothing() {
    let pair: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: true }).unwrap();
    let quotas = policy::QuotaLimits::default().with_per_user(2);
    let mut rig = Rig::with(config().with_ports(50_000..=50_001).with_quotas(quotas));
    let said = Client::new(0).ask(&mut rig, Method::ALLOCATE, pair);
    let token = said.get::<ReservationToken>().unwrap();
    rig.lose_socket(std::net::SocketAddr::new(said.relayed().ip(), 50_001));
    // RFC 8656 section 7.2, check 5: it is not available any more.
    let with: Fill<'_> = &|it| udp(it).attribute(&token).unwrap();
    assert_eq!(Client::new(1).ask(&mut rig, Method::ALLOCATE, with).code, 508);
    // Its port and its share of the quota are free for others.
    assert_eq!(Client::new(1).allocated(&mut rig).port(), 50_001);
    assert_eq!(Client::new(2).allocate(&mut rig).code, 486);
    // Nobody's end is its end: what is there now is another socket.
    rig.pass(secs(30));
    assert_eq!((rig.world.open.len(), rig.world.releases), (2, 0));
}

#[test]
fn a_relay_socket_that_is_lost_while_the_next_is_opened_makes_the_request_fail() {
    let pair: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: true }).unwrap();
    let both: Fill<'_> = &|it| udp(it).attribute(&AdditionalAddressFamily(AddressFamily::Ipv6)).unwrap();
    for fill in [pair, both] {
        let mut rig = Rig::with(config().with_ports(50_000..=50_001));
        let mut client = Client::new(0);
        rig.world.hold = true;
        client.learn_nonce(&mut rig);
        let (id, path) = (client.next_id(), client.path);
        assert_eq!(rig.ask(path, &client.request(Method::ALLOCATE, id, fill)), None);
        let first = rig.world.held.pop().unwrap();
        let notice = rig.world.obey(first).unwrap();
        let Notice::Opened { result: Ok(local), .. } = notice else { panic!("{notice:?}") };
        rig.notice(notice);
        assert_eq!((rig.world.held.len(), rig.world.sent.len()), (1, 0), "the second is asked for");
        rig.lose_socket(local);
        let answer = rig.world.sent.pop().expect("an answer").1;
        assert_eq!((client.read(Method::ALLOCATE, id, answer).code, rig.stats().allocations), (508, 0));
        // What is opened now is nobody's, and all ports are in their pools again.
        let second = rig.world.held.pop().unwrap();
        let notice = rig.world.obey(second).unwrap();
        rig.world.hold = false;
        rig.notice(notice);
        assert!(rig.world.open.is_empty() && rig.server.get().poll_timeout().is_none());
        let all = [
            (0, AddressFamily::Ipv4),
            (1, AddressFamily::Ipv4),
            (2, AddressFamily::Ipv6),
            (3, AddressFamily::Ipv6),
        ];
        for (n, family) in all {
            assert_eq!(Client::new(n).allocate_of(&mut rig, family).code, 0);
        }
    }
}

#[test]
fn external_addresses_are_told_and_local_ones_are_bound() {
    let mut config = config();
    config.relays = std::vec![
        RelayAddress::new("198.51.100.1".parse().unwrap()).with_external("203.0.113.1".parse().unwrap())
    ];
    let mut rig = Rig::with(config);
    let relayed = Client::new(0).allocated(&mut rig);
    assert_eq!(relayed.ip(), addr("203.0.113.1:0").ip());
    assert_eq!(rig.world.open, [std::net::SocketAddr::new(RELAY.parse().unwrap(), relayed.port())]);
}

#[test]
fn the_same_seed_and_script_give_the_same_bytes() {
    let run = || {
        let mut rig = Rig::new();
        let mut said = Vec::new();
        for n in 0..20 {
            let mut client = Client::new(n);
            said.push(client.allocate(&mut rig).octets);
            client.permit(&mut rig, "203.0.113.9:7");
            let relayed = rig.world.open[rig.world.open.len() - 1];
            said.push(rig.receive(Path::udp(relayed, addr("203.0.113.9:7")), b"data").sent().1);
            rig.pass(secs(50));
        }
        (said, rig.stats())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_closed_server_gives_everything_back() {
    let mut rig = Rig::new();
    let pair: Fill<'_> = &|it| udp(it).attribute(&EvenPort { reserve_next: true }).unwrap();
    let mut client = Client::new(0);
    client.ask(&mut rig, Method::ALLOCATE, pair);
    // One is being opened.
    rig.world.hold = true;
    assert_eq!(Client::new(1).try_ask(&mut rig, Method::ALLOCATE, &udp), None);
    rig.world.hold = false;
    let now = rig.now;
    rig.server().close(now);
    rig.settle();
    assert!(rig.world.open.is_empty() && !rig.server.get().is_closed(), "one answer is owed");
    let bind = rig.world.held.pop().unwrap();
    let notice = rig.world.obey(bind).unwrap();
    rig.server().handle_notice(now, notice);
    rig.settle();
    assert!(rig.world.open.is_empty() && rig.server.get().is_closed());
    assert_eq!(rig.events().pop(), Some(Event::Closed));
    assert_eq!(rig.receive(client.path, &channel_data(0x4000, b"x")), Out::Foreign);
}
