//! Inputs that have hurt others (SECURITY.md, cases 18 to 38), at `ginnel serve` itself: over its sockets, by a client that says
//! what ours never would. Cases 40 and 41 are in `floods.rs`; all of them are at the machine too, in `crates/turn`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use ginnel_interop::{Answer, Hand, Identity, Namespace, Serve, channel_data, skip};
use ginnel_stun::{
    Class, Message, Method,
    attribute::{
        AddressFamily, AttributeType, Data, EvenPort, Lifetime, MobilityTicket, Nonce,
        RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress,
    },
};

/// How long something may take that comes in any case.
const LIMIT: Duration = Duration::from_secs(30);

/// The server; and hosts on the Internet, which peers are at.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const HOST_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 51, 0, 0, 0, 0, 1));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 3));
const SERVER: SocketAddr = SocketAddr::new(HOST, Serve::PORT);

/// A machine with a server, which knows `user` and `other`, and allows two peers besides those that it allows by default.
struct Stage {
    namespace: Namespace,
    server: Serve,
}

fn stage(more: &[&str]) -> Option<Stage> {
    let made = Namespace::new().map_err(|why| format!("no network namespace can be made: {why}"));
    let namespace = made.inspect_err(|why| skip(why)).ok()?;
    for ip in [HOST, PEER, OTHER] {
        namespace.ip(&format!("address add {ip}/24 dev lan0")).expect("an address");
    }
    namespace.ip(&format!("address add {HOST_V6}/64 dev lan0 nodad")).expect("an address");
    // They are on this machine, whose addresses are no peers unless they are allowed.
    let options =
        ["--user", "user:pass", "--user", "other:pass", "--allow-peer", "198.51.100.2-198.51.100.3"];
    let identity = Identity::new(&[]);
    let options = [&options, more].concat();
    let server = Serve::start(&namespace, &[HOST, HOST_V6], &identity, &options);
    Some(Stage { namespace, server })
}

impl Stage {
    /// A client with a socket of its own.
    fn hand(&self) -> Hand {
        Hand::udp(&self.namespace, HOST, SERVER)
    }

    /// One with an allocation, and its relayed address.
    fn allocated(&self) -> (Hand, SocketAddr) {
        let mut hand = self.hand();
        let relayed = hand.allocate().relayed();
        (hand, relayed)
    }

    /// A peer's socket.
    fn peer(&self, ip: IpAddr) -> UdpSocket {
        self.namespace.enter(|| {
            let socket = UdpSocket::bind((ip, 0)).expect("a socket");
            socket.set_read_timeout(Some(LIMIT)).expect("a limit");
            socket
        })
    }
}

/// What comes to a peer next.
fn next(peer: &UdpSocket) -> Vec<u8> {
    let mut octets = [0; 2048];
    let (length, _) = peer.recv_from(&mut octets).expect("it comes");
    octets[..length].to_vec()
}

fn at(peer: &UdpSocket) -> SocketAddr {
    peer.local_addr().expect("an address")
}

/// An Allocate of nobody.
fn stranger(hand: &mut Hand) -> Vec<u8> {
    hand.message(Class::Request, Method::ALLOCATE, |open| open.attribute(&RequestedTransport::UDP))
}

#[test]
fn sec_18_a_challenge_is_small_and_says_no_more_than_it_must() {
    let Some(stage) = stage(&[]) else { return };
    for hand in [stage.hand(), Hand::tcp(&stage.namespace, SERVER)] {
        let mut hand = hand;
        let request = stranger(&mut hand);
        let answer = hand.exchange(&request);
        assert_eq!(answer.error, Some(401));
        let nonce = answer.get::<Nonce<'_>>().expect("a nonce").octets().len();
        let most = 48 + "ginnel.test".len() + nonce;
        assert!(answer.octets.len() <= most, "{} octets, at most {most}", answer.octets.len());
        assert!(!Message::parse(&answer.octets).unwrap().has(AttributeType::SOFTWARE));
    }
}

/// What remains of an answer without what is drawn anew each time.
fn without_chance(answer: &Answer) -> Vec<u8> {
    let nonce = answer.get::<Nonce<'_>>().expect("a nonce").octets().to_vec();
    let at = answer.octets.windows(nonce.len()).position(|octets| octets == nonce).expect("it is there");
    [&answer.octets[..4], &answer.octets[20..at], &answer.octets[at + nonce.len()..]].concat()
}

#[test]
fn sec_19_an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let Some(stage) = stage(&[]) else { return };
    // Names of one length, each from a socket of its own.
    let answers = [("user", "wrong"), ("nobd", "wrong"), ("nobd", "pass")].map(|(user, password)| {
        let mut hand = stage.hand();
        hand.be(user, password);
        hand.allocate()
    });
    assert_eq!(answers.each_ref().map(|answer| answer.error), [Some(401); 3]);
    let [first, second, third] = answers.each_ref().map(without_chance);
    assert_eq!((&second, &third), (&first, &first));
}

/// A nonce of somebody else's, and one that nobody gave out, are stale; and who has them gets another that is good.
#[test]
fn sec_20_nonces_of_others_and_forged_ones_are_stale() {
    let Some(stage) = stage(&[]) else { return };
    let (owner, _) = stage.allocated();
    let mut thief = stage.hand();
    let request = stranger(&mut thief);
    let challenge = thief.exchange(&request);
    thief.heed(&challenge);
    let mut forged = thief.nonce().to_vec();
    *forged.last_mut().expect("octets") ^= 1;
    for nonce in [owner.nonce(), &forged] {
        thief.set_nonce(nonce);
        let request = thief.request(Method::ALLOCATE, |open| open.attribute(&RequestedTransport::UDP));
        let answer = thief.exchange(&request);
        assert_eq!(answer.error, Some(438));
        assert_ne!(answer.get::<Nonce<'_>>().expect("another").octets(), nonce);
    }
    assert_eq!(thief.allocate().error, None);
}

/// Two servers, or one that was started twice, draw other ports and nonces; and neither goes by steps.
#[test]
fn sec_21_ports_and_nonces_of_two_starts_have_nothing_in_common() {
    let draw = || {
        let stage = stage(&[])?;
        let each = (0..8).map(|_| {
            let (hand, relayed) = stage.allocated();
            (hand.nonce().to_vec(), relayed.port())
        });
        Some(each.unzip::<_, _, Vec<_>, Vec<_>>())
    };
    let (Some((nonces, ports)), Some((others, other_ports))) = (draw(), draw()) else { return };
    assert!(nonces.iter().all(|nonce| !others.contains(nonce)));
    assert_ne!(ports, other_ports);
    for ports in [ports, other_ports] {
        let steps: Vec<u16> = ports.windows(2).map(|two| two[1].wrapping_sub(two[0])).collect();
        assert!(steps.iter().any(|step| *step != steps[0]), "{ports:?}");
    }
}

/// Whatever a name holds, a line of the log is one line, and nothing in it means anything.
#[test]
fn sec_23_a_name_is_only_data_in_the_log_too() {
    let logged = ["--secret", "north", "--log", "debug", "--log-personal", "--log-format", "json"];
    let Some(stage) = stage(&logged) else { return };
    let name = "4102444800:%n%s'; DROP {0} \\\"\u{85}\u{2028}$(x)";
    let mut hand = stage.hand();
    let secret = ginnel_turn::rest::RestSecret::new("north");
    hand.be(name, &secret.password(name));
    let answer = hand.allocate();
    // Whether it is taken or refused, it is no more than data.
    assert!(matches!(answer.error, None | Some(400 | 401)), "{answer:?}");
    assert_eq!(hand.refresh(0).error.is_none(), answer.error.is_none());
    let (_plain, _) = stage.allocated();
    for line in stage.server.said().lines().filter(|line| line.contains("allocat")) {
        let read: Result<serde_json::Value, _> = serde_json::from_str(line);
        assert!(read.is_ok(), "{line:?}");
    }
}

#[test]
fn sec_24_an_allocation_is_its_users_alone() {
    let Some(stage) = stage(&[]) else { return };
    let (mut hand, _) = stage.allocated();
    let peer = stage.peer(PEER);
    hand.be("other", "pass");
    assert_eq!(hand.refresh(0).error, Some(441));
    assert_eq!(hand.permit(at(&peer)).error, Some(441));
    assert_eq!(hand.bind(0x4000, at(&peer)).error, Some(441));
    hand.be("user", "pass");
    assert_eq!(hand.refresh(600).error, None);
}

/// Each of the ways to a peer: three that answer, and one that does not.
fn is_forbidden(hands: &mut [Hand; 2], peer: SocketAddr) {
    let [datagrams, streams] = hands;
    assert_eq!(datagrams.permit(peer).error, Some(403), "CreatePermission of {peer}");
    assert_eq!(datagrams.bind(0x4000, peer).error, Some(403), "ChannelBind of {peer}");
    assert_eq!(streams.permit(peer).error, Some(403), "CreatePermission of {peer} for TCP");
    assert_eq!(streams.connect(peer).error, Some(403), "Connect to {peer}");
    datagrams.send(peer, b"forbidden");
}

/// A client with a relay over UDP, and one over TCP, of this family.
fn both_relays(stage: &Stage, v6: bool) -> [Hand; 2] {
    let family = RequestedAddressFamily(if v6 { AddressFamily::Ipv6 } else { AddressFamily::Ipv4 });
    let mut hands = [stage.hand(), Hand::tcp(&stage.namespace, SERVER)];
    for (hand, transport) in hands.iter_mut().zip([RequestedTransport::UDP, RequestedTransport::TCP]) {
        let answer = hand.ask(Method::ALLOCATE, |open| open.attribute(&transport)?.attribute(&family));
        assert_eq!(answer.error, None);
    }
    hands
}

/// Loopback listens: whatever got through would be heard there.
#[test]
fn sec_26_nothing_on_this_host_is_reached() {
    let Some(stage) = stage(&Serve::METRICS) else { return };
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].map(|ip| stage.peer(ip));
    let port = at(&loopback[0]).port();
    let mut v4 = both_relays(&stage, false);
    for peer in ["127.0.0.1", "0.0.0.0", "0.1.2.3"] {
        is_forbidden(&mut v4, SocketAddr::new(peer.parse().unwrap(), port));
    }
    let mut v6 = both_relays(&stage, true);
    for peer in ["::1", "::"] {
        is_forbidden(&mut v6, SocketAddr::new(peer.parse().unwrap(), at(&loopback[1]).port()));
    }
    nothing_was_heard(&stage, 5, &mut [&mut v4[0], &mut v6[0]], &loopback);
}

/// The server has dropped so many Send indications, of these clients, and none came to these sockets.
fn nothing_was_heard(stage: &Stage, sent: u64, hands: &mut [&mut Hand], sockets: &[UdpSocket]) {
    for hand in hands {
        assert_eq!(hand.refresh(600).error, None);
    }
    // By one server socket these came behind all that was to be dropped.
    let dropped = stage.server.metric(&stage.namespace, "ginnel_relay_drops_total{reason=\"bad_send\"}");
    assert_eq!(dropped, sent, "Send indications are dropped");
    for socket in sockets {
        socket.set_nonblocking(true).expect("it need not wait");
        let heard = socket.recv_from(&mut [0; 64]);
        assert!(heard.is_err(), "{heard:?}");
    }
}

#[test]
fn sec_27_embedded_ipv4_peers_are_refused() {
    let Some(stage) = stage(&Serve::METRICS) else { return };
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].map(|ip| stage.peer(ip));
    let mut v6 = both_relays(&stage, true);
    for peer in [
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2001:0:c633:6401::80ff:fffe",
        "2001:db8:51::5efe:7f00:1",
    ] {
        is_forbidden(&mut v6, SocketAddr::new(peer.parse().unwrap(), at(&loopback[0]).port()));
    }
    nothing_was_heard(&stage, 8, &mut [&mut v6[0]], &loopback);
}

#[test]
fn sec_28_networks_of_the_host_and_the_host_itself_are_no_peers() {
    let Some(stage) = stage(&Serve::METRICS) else { return };
    let own = [HOST, HOST_V6].map(|ip| stage.peer(ip));
    let mut v4 = both_relays(&stage, false);
    for peer in [
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "10.99.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "100.64.0.1",
    ] {
        is_forbidden(&mut v4, SocketAddr::new(peer.parse().unwrap(), 9));
    }
    let mut v6 = both_relays(&stage, true);
    for peer in ["fe80::1", "fd99::1", "fec0::1", "ff02::1"] {
        is_forbidden(&mut v6, SocketAddr::new(peer.parse().unwrap(), 9));
    }
    // Its own addresses: its listeners, what else listens there, and what nobody has.
    for (hands, socket) in [&mut v4, &mut v6].into_iter().zip(&own) {
        for port in [Serve::PORT, Serve::TLS_PORT, at(socket).port(), 9] {
            let peer = SocketAddr::new(at(socket).ip(), port);
            assert_eq!(hands[0].bind(0x4000, peer).error, Some(403), "ChannelBind of {peer}");
            assert_eq!(hands[1].connect(peer).error, Some(403), "Connect to {peer}");
            assert_eq!(hands[0].permit(peer).error, Some(403), "CreatePermission of {peer}");
            // Without a port a permission is for the relays there, and for nothing else.
            let any = SocketAddr::new(peer.ip(), 0);
            assert_eq!(hands[0].permit(any).error, None, "CreatePermission of {any}");
            hands[0].send(peer, b"forbidden");
        }
    }
    nothing_was_heard(&stage, 7 + 4 + 2 * 4, &mut [&mut v4[0], &mut v6[0]], &own);
}

/// Two clients of one server do reach each other, relay to relay.
#[test]
fn sec_28_relays_of_one_server_reach_each_other() {
    let Some(stage) = stage(&[]) else { return };
    let ((mut first, first_at), (mut second, second_at)) = (stage.allocated(), stage.allocated());
    assert_eq!(first.bind(0x4001, second_at).error, None);
    assert_eq!(second.permit(first_at).error, None);
    first.say(&channel_data(0x4001, b"relayed"));
    assert_eq!(second.hear_data(LIMIT).as_deref(), Some(&b"relayed"[..]));
}

#[test]
fn sec_30_permissions_are_of_an_address_and_of_all_its_ports() {
    let Some(stage) = stage(&[]) else { return };
    let (mut hand, relayed) = stage.allocated();
    let (permitted, another, stranger) = (stage.peer(PEER), stage.peer(PEER), stage.peer(OTHER));
    assert_eq!(hand.permit(at(&permitted)).error, None);
    // The relay takes what comes in the order in which it came.
    for (socket, word) in [(&stranger, b"no"), (&another, b"ok"), (&stranger, b"no"), (&permitted, b"go")] {
        socket.send_to(word, relayed).expect("it leaves");
    }
    let heard = [hand.hear_data(LIMIT), hand.hear_data(LIMIT)];
    assert_eq!(heard, [Some(b"ok".to_vec()), Some(b"go".to_vec())]);
}

#[test]
fn sec_31_bad_channel_data_reaches_nobody() {
    let Some(stage) = stage(&[]) else { return };
    let (mut hand, _) = stage.allocated();
    let peer = stage.peer(PEER);
    assert_eq!(hand.bind(0x4000, at(&peer)).error, None);
    let mut longer = channel_data(0x4000, b"lies");
    longer[3] += 1;
    for wrong in [
        channel_data(0x4001, b"unbound"),
        channel_data(0x3FFF, b"below"),
        channel_data(0x8000, b"above"),
        channel_data(0xFFFF, b"far above"),
        longer,
        vec![0x40, 0x00, 0xFF, 0xFF],
        vec![0x40, 0x00, 0x00],
        vec![0x40],
    ] {
        hand.say(&wrong);
    }
    hand.say(&channel_data(0x4000, b"right"));
    assert_eq!(next(&peer), b"right");
    // Over a stream what is unbound is dropped, and what is no message at all ends the stream.
    let mut stream = Hand::tcp(&stage.namespace, SERVER);
    assert_eq!(stream.allocate().error, None);
    assert_eq!(stream.bind(0x4000, at(&peer)).error, None);
    stream.say(&channel_data(0x4001, b"gone"));
    stream.say(&channel_data(0x4000, b"also"));
    assert_eq!(next(&peer), b"also");
    stream.say(&channel_data(0x8000, b"none"));
    assert!(stream.is_ended(LIMIT), "nobody knows where the next message would begin");
}

#[test]
fn sec_32_a_channel_stays_with_its_peer() {
    let Some(stage) = stage(&[]) else { return };
    let (mut hand, _) = stage.allocated();
    let (peer, other) = (stage.peer(PEER), stage.peer(OTHER));
    assert_eq!(hand.bind(0x4000, at(&peer)).error, None);
    assert_eq!(hand.bind(0x4000, at(&other)).error, Some(400));
    assert_eq!(hand.bind(0x4001, at(&peer)).error, Some(400));
    assert_eq!(hand.bind(0x4000, at(&peer)).error, None);
    assert_eq!(hand.bind(0x3FFF, at(&other)).error, Some(400));
    assert_eq!(hand.bind(0x8000, at(&other)).error, Some(400));
    hand.say(&channel_data(0x4000, b"still"));
    assert_eq!(next(&peer), b"still");
}

#[test]
fn sec_33_bad_send_indications_reach_nobody() {
    let Some(stage) = stage(&[]) else { return };
    let (mut hand, _) = stage.allocated();
    let (peer, other) = (stage.peer(PEER), stage.peer(OTHER));
    hand.send(at(&peer), b"not permitted");
    assert_eq!(hand.permit(at(&peer)).error, None);
    let to = at(&peer);
    let without_data =
        hand.message(Class::Indication, Method::SEND, |open| open.attribute(&XorPeerAddress(to)));
    let without_peer = hand.message(Class::Indication, Method::SEND, |open| open.attribute(&Data(b"lost")));
    hand.say(&without_data);
    hand.say(&without_peer);
    let second = at(&other);
    // The second is not permitted, and does not count.
    let two = hand.message(Class::Indication, Method::SEND, |open| {
        open.attribute(&XorPeerAddress(to))?.attribute(&XorPeerAddress(second))?.attribute(&Data(b"first"))
    });
    hand.say(&two);
    assert_eq!(next(&peer), b"first");
}

#[test]
fn sec_34_a_server_of_one_family_says_so() {
    let Some(stage) = stage(&["--relay-address", "198.51.100.1"]) else { return };
    let mut hand = stage.hand();
    let v6 = hand.ask(Method::ALLOCATE, |open| {
        open.attribute(&RequestedTransport::UDP)?.attribute(&RequestedAddressFamily(AddressFamily::Ipv6))
    });
    assert_eq!(v6.error, Some(440));
    let unknown = hand.ask(Method::ALLOCATE, |open| open.attribute(&RequestedTransport(132)));
    assert_eq!(unknown.error, Some(442));
    assert_eq!(hand.allocate().error, None);
    let peer = SocketAddr::new("2001:db8:51::2".parse().unwrap(), 9);
    assert_eq!((hand.permit(peer).error, hand.bind(0x4000, peer).error), (Some(443), Some(443)));
}

/// Of a range of ten ports none is lost, however often they are taken, reserved and given back.
#[test]
fn sec_35_no_port_is_lost_and_tokens_are_worth_something_once() {
    let Some(stage) = stage(&["--ports", "20000-20009", "--shards", "1"]) else { return };
    let even = |hand: &mut Hand, reserve_next| {
        hand.ask(Method::ALLOCATE, move |open| {
            open.attribute(&RequestedTransport::UDP)?.attribute(&EvenPort { reserve_next })
        })
    };
    let reserved = |hand: &mut Hand, token: [u8; 8]| {
        hand.ask(Method::ALLOCATE, move |open| {
            open.attribute(&RequestedTransport::UDP)?.attribute(&ReservationToken(token))
        })
    };
    let mut hand = stage.hand();
    for round in 0..100 {
        let given = even(&mut hand, false);
        assert_eq!((given.error, given.relayed().port() % 2), (None, 0), "round {round}");
        assert!(given.get::<ReservationToken>().is_none());
        assert_eq!(hand.refresh(0).error, None);
        let first = even(&mut hand, true);
        let ReservationToken(token) = first.get().expect("a token");
        let mut next = stage.hand();
        let second = reserved(&mut next, token);
        assert_eq!(second.relayed().port(), first.relayed().port() + 1, "round {round}");
        assert_eq!(reserved(&mut stage.hand(), token).error, Some(508), "a token is used once");
        assert_eq!((hand.refresh(0).error, next.refresh(0).error), (None, None));
    }
    assert_eq!(reserved(&mut stage.hand(), *b"invented").error, Some(508));
    let mut ten: Vec<_> = (0..10).map(|_| stage.allocated()).collect();
    assert_eq!(stage.hand().allocate().error, Some(508));
    assert_eq!(ten[3].0.refresh(0).error, None);
    assert_eq!(stage.hand().allocate().relayed(), ten[3].1);
}

#[test]
fn sec_36_an_allocate_that_comes_twice_is_one_allocation() {
    let Some(stage) = stage(&Serve::METRICS) else { return };
    let mut hand = stage.hand();
    let challenge = stranger(&mut hand);
    let challenge = hand.exchange(&challenge);
    hand.heed(&challenge);
    let request = hand.request(Method::ALLOCATE, |open| open.attribute(&RequestedTransport::UDP));
    let relayed = [hand.exchange(&request).relayed(), hand.exchange(&request).relayed()];
    assert_eq!(relayed[0], relayed[1]);
    assert_eq!(hand.allocate().error, Some(437));
    assert_eq!(stage.server.metric(&stage.namespace, "ginnel_allocations"), 1);
}

/// An Allocate that asks for a ticket, and the ticket.
fn movable(hand: &mut Hand) -> (Answer, Vec<u8>) {
    let answer = hand.ask(Method::ALLOCATE, |open| {
        open.attribute(&RequestedTransport::UDP)?.attribute(&MobilityTicket(b""))
    });
    let ticket = answer.get::<MobilityTicket<'_>>().map(|ticket| ticket.0.to_vec());
    (answer, ticket.unwrap_or_default())
}

/// A Refresh that moves the allocation here.
fn claim(hand: &mut Hand, ticket: &[u8], seconds: u32) -> Answer {
    hand.ask(Method::REFRESH, |open| open.attribute(&MobilityTicket(ticket))?.attribute(&Lifetime(seconds)))
}

#[test]
fn sec_37_the_quota_is_given_back_at_once_and_once_after_a_move_too() {
    let Some(stage) = stage(&["--max-allocations-per-user", "1"]) else { return };
    for round in 0..5 {
        let mut first = stage.hand();
        let (answer, ticket) = movable(&mut first);
        assert_eq!(answer.error, None, "round {round}");
        assert_eq!(stage.hand().allocate().error, Some(486));
        let mut moved = stage.hand();
        let taken = claim(&mut moved, &ticket, 600);
        assert_eq!(taken.error, None);
        let peer = stage.peer(PEER);
        assert_eq!(moved.bind(0x4000, at(&peer)).error, None);
        moved.say(&channel_data(0x4000, b"moved"));
        assert_eq!(next(&peer), b"moved");
        assert_eq!(stage.hand().allocate().error, Some(486), "it is one allocation all the time");
        assert_eq!(moved.refresh(0).error, None);
        let mut after = stage.hand();
        assert_eq!(after.allocate().error, None, "it came back");
        assert_eq!(stage.hand().allocate().error, Some(486), "but once");
        assert_eq!(after.refresh(0).error, None);
    }
}

#[test]
fn sec_38_an_allocation_moves_with_its_owner_alone() {
    let Some(stage) = stage(&Serve::METRICS) else { return };
    let mut owner = stage.hand();
    let (answer, ticket) = movable(&mut owner);
    assert_eq!(answer.error, None);
    let mut thief = stage.hand();
    thief.be("other", "pass");
    assert_eq!(claim(&mut thief, &ticket, 600).error, Some(441));
    assert_eq!(thief.refresh(600).error, Some(437), "no orphan");
    let mut changed = ticket.clone();
    changed[20] ^= 1;
    for garbage in [&b"x"[..], &[0; 44], &[7; 100], &[0xFF; 400], &changed] {
        assert_eq!(claim(&mut stage.hand(), garbage, 600).error, Some(400));
    }
    let peer = stage.peer(PEER);
    let mut moved = stage.hand();
    assert_eq!(claim(&mut moved, &ticket, 600).error, None);
    assert_eq!(moved.bind(0x4000, at(&peer)).error, None);
    moved.say(&channel_data(0x4000, b"moved"));
    assert_eq!(next(&peer), b"moved");
    assert_eq!(claim(&mut stage.hand(), &ticket, 600).error, Some(400), "replayed");
    assert_eq!(owner.refresh(600).error, Some(437), "it has moved away");
    assert_eq!(stage.server.metric(&stage.namespace, "ginnel_allocations"), 1);
}
