//! Answers of every kind allocate nothing, and a flood of forged requests leaves nothing behind.

use std::time::Duration;

use ginnel_alloc_counter::{Counting, allocations};
use ginnel_core::{Buffer, Handled, Instant, Packet, Path, Receive, Seed};
use ginnel_stun::{
    BindingServer, Class, DiscoveryAddresses, DiscoverySupport, IntegrityAlgorithm, IntegrityKey, Message,
    MessageWriter, Method, ServerConfig, TransactionId,
    attribute::{
        ChangeRequest, ErrorCode, Nonce, Padding, PasswordAlgorithm, PasswordAlgorithms, Realm, UserHash,
        Username,
    },
    auth::{AnnouncedAlgorithms, AuthConfig, MadeNonce, RateLimit, User},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const REALM: &str = "example.org";
const ID: TransactionId = TransactionId::new(*b"transactions");

fn path(port: u16) -> Path {
    Path::udp(([198, 51, 100, 1], 3478).into(), ([192, 0, 2, 1], port).into())
}
/// The answer to a request, which allocated nothing.
fn answered(server: &mut BindingServer, now: Instant, path: Path, request: &[u8]) -> Vec<u8> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(request).expect("room");
    let mut input = Receive::new(path, packet);
    let (allocated, handled) = allocations(|| server.handle_input(now, &mut input));
    assert_eq!(allocated, 0);
    assert!(matches!(handled, Handled::Send(_)), "no answer but {handled:?}");
    input.packet.bytes().to_vec()
}
fn built(
    write: impl for<'p, 'a> FnOnce(MessageWriter<'p, 'a>) -> Result<MessageWriter<'p, 'a>, ginnel_core::NoRoom>,
    key: Option<(&IntegrityKey, IntegrityAlgorithm)>,
) -> Vec<u8> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let open =
        MessageWriter::new(&mut packet, Class::Request, Method::BINDING, ID).and_then(write).expect("room");
    match key {
        Some((key, algorithm)) => open.integrity_as(algorithm, key).expect("room").finish(),
        None => open.finish(),
    }
    packet.bytes().to_vec()
}
fn code(answer: &[u8]) -> Option<u16> {
    let answer = Message::parse(answer).expect("a message");
    answer.get::<ErrorCode<'_>>().expect("well formed").map(|error| error.code())
}
fn nonce_of(answer: &[u8]) -> Vec<u8> {
    let answer = Message::parse(answer).expect("a message");
    answer.get::<Nonce<'_>>().expect("well formed").expect("a nonce").octets().to_vec()
}
fn server(announced: AnnouncedAlgorithms, limit: Option<RateLimit>) -> BindingServer {
    let auth = AuthConfig::long_term(REALM)
        .expect("a realm")
        .with_algorithms(announced)
        .with_nonce_period(Duration::from_secs(60))
        .with_challenge_limit(limit);
    let config = ServerConfig::default().with_credentials(Some(auth));
    let mut server = BindingServer::new(config, Seed::new([7; 32]));
    server.add_user(User::long_term("user", REALM, "pass").expect("ASCII")).expect("room");
    server
}
/// How a request is made of a nonce and a key.
type Write = fn(&[u8], &IntegrityKey) -> Vec<u8>;
/// With MD5 keys, as clients of RFC 5389.
fn legacy(nonce: &[u8], key: &IntegrityKey) -> Vec<u8> {
    let nonce = Nonce::new(nonce).expect("short");
    built(
        move |open| {
            open.attribute(&Username::new("user").expect("short"))?
                .attribute(&Realm::new(REALM).expect("short"))?
                .attribute(&nonce)
        },
        Some((key, IntegrityAlgorithm::Sha1)),
    )
}
/// With SHA-256, and the user unnamed.
fn modern(nonce: &[u8], key: &IntegrityKey) -> Vec<u8> {
    let nonce = Nonce::new(nonce).expect("short");
    built(
        move |open| {
            open.attribute(&UserHash::of("user", REALM))?
                .attribute(&Realm::new(REALM).expect("short"))?
                .attribute(&nonce)?
                .attribute(&PasswordAlgorithms::new(&[PasswordAlgorithm::SHA256]))?
                .attribute(&PasswordAlgorithm::SHA256)
        },
        Some((key, IntegrityAlgorithm::Sha256)),
    )
}

#[test]
fn challenges_and_authenticated_answers_allocate_nothing() {
    let md5 = IntegrityKey::long_term("user", REALM, "pass").expect("ASCII");
    let sha256 = IntegrityKey::long_term_sha256("user", REALM, "pass").expect("ASCII");
    let wrong = IntegrityKey::from_octets(b"wrong");
    let at = |seconds| Instant::EPOCH + Duration::from_secs(seconds);
    let kinds: [(Write, _); 2] = [(legacy, &md5), (modern, &sha256)];
    for (request, key) in kinds {
        let mut server = server(AnnouncedAlgorithms::Sha256, Some(RateLimit::default()));
        let challenge = answered(&mut server, at(0), path(5000), &built(|open| Ok(open), None));
        assert_eq!(code(&challenge), Some(401));
        let nonce = nonce_of(&challenge);
        assert_eq!(code(&answered(&mut server, at(0), path(5000), &request(&nonce, key))), None);
        assert_eq!(code(&answered(&mut server, at(0), path(5000), &request(&nonce, &wrong))), Some(401));
        assert_eq!(code(&answered(&mut server, at(120), path(5000), &request(&nonce, key))), Some(438));
        let incomplete = built(|open| Ok(open), Some((key, IntegrityAlgorithm::Sha1)));
        assert_eq!(code(&answered(&mut server, at(120), path(5000), &incomplete)), Some(400));
    }
}

#[test]
fn answers_of_rfc5780_allocate_nothing() {
    let addresses = DiscoveryAddresses::new(path(0).local, ([198, 51, 100, 2], 3479).into())
        .expect("a pair of addresses");
    let config =
        ServerConfig::default().with_discovery(DiscoverySupport::TwoAddresses(addresses)).with_rfc3489(true);
    let mut server = BindingServer::new(config, Seed::new([7; 32]));
    let change = built(|open| open.attribute(&ChangeRequest { ip: true, port: true }), None);
    let padded = built(|open| open.attribute(&Padding { octets: 1_400 }), None);
    let old = b"\x00\x01\x00\x00old!transactions".to_vec();
    for request in [built(|open| Ok(open), None), change, padded, old] {
        let _ = answered(&mut server, Instant::EPOCH, path(5000), &request);
    }
    assert_eq!(server.stats().answered, 4);
}

/// A hundred thousand requests with forged nonces, from as many addresses: each is refused with a nonce of its own, and
/// not an octet is allocated for any of them, so there is nothing that could grow.
#[test]
fn sec_20_a_flood_of_forged_nonces_allocates_nothing() {
    let key = IntegrityKey::long_term("user", REALM, "pass").expect("ASCII");
    let mut server = server(AnnouncedAlgorithms::Sha256, None);
    let template = legacy(&[b'A'; MadeNonce::LEN], &key);
    let at =
        template.windows(MadeNonce::LEN).position(|it| it.iter().all(|&it| it == b'A')).expect("the nonce");
    let mut buffer: Buffer = [0; _];
    let (mut refused, mut stale) = (0, 0);
    let mut forged = *b"obMatJos2gAAA0000000000000000000000000000000";
    let (allocated, ()) = allocations(|| {
        for n in 0..100_000_u32 {
            for (digit, nibble) in forged[13..].iter_mut().zip((0..8).map(|shift| n >> (4 * shift) & 15)) {
                *digit = b"ABCDEFGHIJKLMNOP"[nibble as usize];
            }
            let mut packet = Packet::empty(&mut buffer);
            packet.append(&template).expect("room");
            packet.bytes_mut()[at..at + forged.len()].copy_from_slice(&forged);
            let remote = (std::net::Ipv4Addr::from(0x0A00_0000 + n), 5000).into();
            let mut input = Receive::new(Path { remote, ..path(0) }, packet);
            let handled = server.handle_input(Instant::EPOCH, &mut input);
            refused += u32::from(matches!(handled, Handled::Send(_)));
        }
        // Those who know the password are told that the nonce is stale: so the order of RFC 8489 section 9.2.4.
        for port in 1..1_000 {
            let mut packet = Packet::empty(&mut buffer);
            packet.append(&template).expect("room");
            let mut input = Receive::new(path(port), packet);
            let handled = server.handle_input(Instant::EPOCH, &mut input);
            let answer = Message::parse(input.packet.bytes()).expect("an answer");
            let error = answer.get::<ErrorCode<'_>>().expect("well formed");
            stale += u32::from(matches!(handled, Handled::Send(_)) && error == Some(ErrorCode::STALE_NONCE));
        }
    });
    assert_eq!(allocated, 0);
    assert_eq!((refused, stale), (100_000, 999));
}
