//! The data path of the server allocates nothing, and strangers leave nothing behind.

use std::net::SocketAddr;

use ginnel_alloc_counter::{Counting, allocations, assert_installed, live_octets};
use ginnel_core::{
    Buffer, HEADROOM, Handled, Instant, Io, Notice, Packet, Path, Port, Receive, Request, Seed, Transmit,
    Transport, settle,
};
use ginnel_stun::{
    Class, IntegrityKey, Message, MessageWriter, Method, TransactionId,
    attribute::{
        ChannelNumber, Data, ErrorCode, Nonce, Realm, RequestedTransport, Username, XorPeerAddress,
        XorRelayedAddress,
    },
    auth::{AuthConfig, User},
};
use ginnel_turn::server::{
    Credentials, Event, Listener, RelayAddress, Server, ServerConfig,
    policy::{BandwidthLimits, Rate},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const REALM: &str = "example.org";
const NOW: Instant = Instant::EPOCH;

fn server(config: impl FnOnce(ServerConfig) -> ServerConfig) -> Server {
    let auth = AuthConfig::long_term(REALM).expect("a realm").with_challenge_limit(None);
    let base = ServerConfig::new(auth)
        .with_listener(Listener::new(Transport::Udp, ([198, 51, 100, 1], 3478).into()))
        .with_relay(RelayAddress::new([198, 51, 100, 1].into()));
    let mut server = Server::new(config(base), Seed::new([7; 32]));
    server.add_user(User::long_term("user", REALM, "pass").expect("a user")).expect("room");
    server
}
fn client(n: u32) -> Path {
    let [_, a, b, c] = n.to_be_bytes();
    Path::udp(([198, 51, 100, 1], 3478).into(), ([192, a, b, c], 5_000).into())
}
/// Opens every socket, and keeps the last answer.
#[derive(Default)]
struct World(Vec<u8>);
impl Io<Event> for World {
    fn send(&mut self, _: Transmit, packet: &mut Packet<'_>) {
        self.0 = packet.bytes().to_vec();
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        let Request::Bind { ticket, ip, port: Port::Exact(port) } = request else { return None };
        Some(Notice::Opened { ticket, result: Ok(SocketAddr::new(ip, port)) })
    }
    fn event(&mut self, _: Event) {}
}
type Fill<'f> = &'f dyn for<'p, 'a> Fn(MessageWriter<'p, 'a>) -> MessageWriter<'p, 'a>;
fn asked(server: &mut Server, path: Path, method: Method, nonce: &[u8], fill: Fill<'_>) -> Vec<u8> {
    asked_by("user", server, path, method, nonce, fill)
}
fn asked_by(
    name: &str,
    server: &mut Server,
    path: Path,
    method: Method,
    nonce: &[u8],
    fill: Fill<'_>,
) -> Vec<u8> {
    let key = IntegrityKey::long_term(name, REALM, "pass").expect("a key");
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let id = TransactionId::new(*b"transactions");
    let open = fill(MessageWriter::new(&mut packet, Class::Request, method, id).expect("room"));
    if nonce.is_empty() {
        open.finish();
    } else {
        let open = open.attribute(&Username::new(name).expect("a name")).expect("room");
        let open = open.attribute(&Realm::new(REALM).expect("a realm")).expect("room");
        let open = open.attribute(&Nonce::new(nonce).expect("a nonce")).expect("room");
        open.integrity(&key).expect("room").finish();
    }
    let mut input = Receive::new(path, packet);
    if let Handled::Send(_) = server.handle_input(NOW, &mut input) {
        return input.packet.bytes().to_vec();
    }
    while let Some(event) = server.poll_event() {
        if let Event::LookUp { ticket, .. } = event {
            let user = User::long_term(name, REALM, "pass").expect("a user");
            assert!(server.answer(ticket, Some(user)));
        }
    }
    let (mut world, mut buffer) = (World::default(), [0; 2048]);
    let _ = settle(server, NOW, &mut buffer, &mut world);
    world.0
}
/// An allocation with a channel to `peer`: its relayed address.
fn allocated(server: &mut Server, path: Path, peer: SocketAddr) -> SocketAddr {
    allocated_by("user", server, path, peer)
}
fn allocated_by(name: &str, server: &mut Server, path: Path, peer: SocketAddr) -> SocketAddr {
    let challenge = asked(server, path, Method::ALLOCATE, b"", &|open| open);
    let message = Message::parse(&challenge).expect("a message");
    let nonce = message.get::<Nonce<'_>>().expect("well formed").expect("a nonce").octets().to_vec();
    let answer = asked_by(name, server, path, Method::ALLOCATE, &nonce, &|open| {
        open.attribute(&RequestedTransport::UDP).expect("room")
    });
    let bound = asked_by(name, server, path, Method::CHANNEL_BIND, &nonce, &|open| {
        let open = open.attribute(&ChannelNumber(0x4000)).expect("room");
        open.attribute(&XorPeerAddress(peer)).expect("room")
    });
    assert_eq!(Message::parse(&bound).expect("a message").class(), Class::Success);
    let message = Message::parse(&answer).expect("a message");
    message.get::<XorRelayedAddress>().expect("well formed").expect("an address").0
}
/// What is sent for these octets, which allocates nothing.
fn relayed(server: &mut Server, path: Path, octets: &[u8]) -> Path {
    let mut buffer: Buffer = [0; _];
    buffer[HEADROOM..HEADROOM + octets.len()].copy_from_slice(octets);
    let packet = Packet::received(&mut buffer, HEADROOM..HEADROOM + octets.len()).expect("room");
    let mut input = Receive::new(path, packet);
    let (count, handled) = allocations(|| server.handle_input(NOW, &mut input));
    assert_eq!(count, 0);
    match handled {
        Handled::Send(transmit) => transmit.path,
        other => panic!("not relayed, but {other:?}"),
    }
}

#[test]
fn relaying_allocates_nothing_in_either_direction() {
    let limits =
        BandwidthLimits::default().with_per_allocation(Rate::new(1 << 30)).with_per_user(Rate::new(1 << 30));
    for bandwidth in [BandwidthLimits::default(), limits] {
        let mut server = server(|config| config.with_bandwidth(bandwidth));
        let peer = SocketAddr::from(([203, 0, 113, 9], 7_000));
        let other = SocketAddr::from(([203, 0, 113, 9], 7_001));
        let relay = allocated(&mut server, client(1), peer);
        let mut channel_data = vec![0x40, 0, 0x04, 0xB0];
        channel_data.resize(4 + 1_200, 0xA5);
        assert_eq!(relayed(&mut server, client(1), &channel_data), Path::udp(relay, peer));
        assert_eq!(relayed(&mut server, Path::udp(relay, peer), &[0xA5; 1_200]), client(1));
        // Without a channel: indications.
        assert_eq!(relayed(&mut server, Path::udp(relay, other), &[0xA5; 1_199]), client(1));
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        let id = TransactionId::new(*b"transactions");
        let open = MessageWriter::new(&mut packet, Class::Indication, Method::SEND, id).expect("room");
        let open = open.attribute(&XorPeerAddress(other)).expect("room");
        open.attribute(&Data(&[0xA5; 1_199])).expect("room").finish();
        assert_eq!(relayed(&mut server, client(1), packet.bytes()), Path::udp(relay, other));
        // What is dropped costs no more.
        let mut buffer: Buffer = [0; _];
        let packet = Packet::received(&mut buffer, HEADROOM..HEADROOM + 100).expect("room");
        let stranger = Path::udp(relay, ([203, 0, 113, 10], 7_000).into());
        let mut input = Receive::new(stranger, packet);
        let (count, handled) = allocations(|| server.handle_input(NOW, &mut input));
        assert_eq!((count, handled), (0, Handled::Consumed));
    }
}

#[test]
fn two_hundred_thousand_strangers_leave_nothing() {
    let mut server = server(|config| config);
    let allocate = b"\x00\x03\x00\x00\x21\x12\xa4\x42transactions";
    let (count, ()) = allocations(|| {
        for n in 0..200_000 {
            let mut buffer: Buffer = [0; _];
            let mut packet = Packet::empty(&mut buffer);
            packet.append(allocate).expect("room");
            let mut input = Receive::new(client(n), packet);
            assert!(matches!(server.handle_input(NOW, &mut input), Handled::Send(_)));
            let challenge = Message::parse(input.packet.bytes()).expect("a message");
            assert_eq!(challenge.get(), Ok(Some(ErrorCode::UNAUTHENTICATED)));
        }
    });
    assert_eq!((count, server.stats().allocations, server.poll_timeout()), (0, 0, None));
}

#[test]
fn an_allocation_and_a_user_of_its_own_take_at_most_two_kilobytes() {
    assert_installed();
    let by_event = Credentials::ByEvent { max_waiting: 16 };
    let mut server = server(|config| config.with_credentials(by_event));
    let peer = SocketAddr::from(([203, 0, 113, 9], 7_000));
    let add = |server: &mut Server, n: u32| {
        // As those of time-limited credentials: nobody shares one.
        let name = format!("1700000000:somebody-{n:06}");
        allocated_by(&name, server, client(n), peer);
    };
    add(&mut server, 0);
    let before = live_octets();
    // A power of two, and one more: every table is full, and has just been doubled.
    for (from, to, most) in [(1, 4_096, 1_700), (4_096, 4_097, 3_100), (4_097, 6_000, 2_048)] {
        (from..to).for_each(|n| add(&mut server, n));
        let each = (live_octets() - before) / i64::from(to - 1);
        assert!(each <= most, "{each} octets each with {to}");
    }
    for n in 0..6_000 {
        server.revoke(NOW, &format!("1700000000:somebody-{n:06}"));
        while server.poll_event().is_some() || server.poll_request().is_some() {}
    }
    assert_eq!(server.stats().allocations, 0);
}
