//! A server that asks for credentials, as its clients see it.

use core::time::Duration;

use super::*;
use crate::{
    DiscoveryAddresses, DiscoverySupport, Integrity, IntegrityAlgorithm, IntegrityKey,
    auth::{
        AddUserError, AuthConfig, LookUp, NonceKey, User, Who,
        ask::{Ask, modern, octets},
    },
};

const REALM: &str = "example.org";

fn asking(auth: AuthConfig) -> BindingServer {
    let config = ServerConfig::default().with_credentials(Some(auth.with_challenge_limit(None)));
    BindingServer::new(config, Seed::new([7; 32]))
}
fn long_term() -> AuthConfig {
    AuthConfig::long_term(REALM).unwrap().with_nonce_period(Duration::from_secs(60))
}
fn user() -> User {
    User::long_term("user", REALM, "pass").unwrap()
}
fn key() -> IntegrityKey {
    IntegrityKey::long_term_sha256("user", REALM, "pass").unwrap()
}
fn send(server: &mut BindingServer, now: u64, octets: &[u8]) -> Option<Vec<u8>> {
    let mut buffer: Buffer = [0xEE; _];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(octets).unwrap();
    let mut input = Receive::new(path(), packet);
    let now = Instant::EPOCH + Duration::from_secs(now);
    match server.handle_input(now, &mut input) {
        Handled::Send(transmit) => {
            assert_eq!(transmit.path, path());
            Some(input.packet.bytes().to_vec())
        }
        Handled::Consumed => None,
        other => panic!("{other:?}"),
    }
}
fn code(octets: &[u8]) -> Option<u16> {
    Message::parse(octets).unwrap().get::<ErrorCode<'_>>().unwrap().map(|error| error.code())
}
fn nonce_of(octets: &[u8]) -> Vec<u8> {
    Message::parse(octets).unwrap().get::<Nonce<'_>>().unwrap().unwrap().octets().to_vec()
}

#[test]
fn a_client_is_challenged_and_served_and_told_when_its_nonce_is_stale() {
    let (mut server, key) = (asking(long_term()), key());
    server.add_user(user()).unwrap();
    let challenge = send(&mut server, 0, &octets(Ask::default())).unwrap();
    assert_eq!(code(&challenge), Some(401));
    let nonce = nonce_of(&challenge);
    let served = send(&mut server, 30, &octets(modern(&nonce, &key))).unwrap();
    let stale = send(&mut server, 150, &octets(modern(&nonce, &key))).unwrap();
    assert_eq!(code(&stale), Some(438));
    let again = send(&mut server, 151, &octets(modern(&nonce_of(&stale), &key))).unwrap();
    for answer in [served, again] {
        let answer = Message::parse(&answer).unwrap();
        assert_eq!(answer.class(), Class::Success);
        assert_eq!(answer.get(), Ok(Some(XorMappedAddress(path().remote))));
        assert_eq!(answer.integrity_algorithm(), Some(IntegrityAlgorithm::Sha256));
        assert_eq!(answer.integrity(&key), Integrity::Ok);
        // RFC 8489 section 9.2.4: no REALM, NONCE, USERNAME or USERHASH in it.
        assert_eq!(answer.attributes().count(), 2);
    }
    assert_eq!(
        (server.stats().answered, server.auth_stats().authenticated, server.auth_stats().stale),
        (2, 2, 1)
    );
}

#[test]
fn sec_13_a_bad_fingerprint_is_dropped_before_anybody_is_authenticated() {
    let (mut server, key) = (asking(long_term()), key());
    server.add_user(user()).unwrap();
    let nonce = nonce_of(&send(&mut server, 0, &octets(Ask::default())).unwrap());
    let mut request = octets(Ask { fingerprint: true, ..modern(&nonce, &key) });
    *request.last_mut().unwrap() ^= 1;
    assert_eq!(send(&mut server, 0, &request), None);
    assert_eq!((server.stats().bad_fingerprint, server.auth_stats().authenticated), (1, 0));
}

#[test]
fn rfc8489_6_3_unknown_attributes_come_after_authentication_and_the_420_is_protected() {
    let (mut server, key) = (asking(long_term()), key());
    server.add_user(user()).unwrap();
    let unknown = Ask { change: Some(ChangeRequest { ip: true, port: true }), ..Ask::default() };
    let challenge = send(&mut server, 0, &octets(unknown)).unwrap();
    assert_eq!(code(&challenge), Some(401), "a stranger learns nothing more");
    let nonce = nonce_of(&challenge);
    let ask = Ask { change: unknown.change, ..modern(&nonce, &key) };
    let answer = send(&mut server, 0, &octets(ask)).unwrap();
    assert_eq!(code(&answer), Some(420));
    assert_eq!(Message::parse(&answer).unwrap().integrity(&key), Integrity::Ok);
}

#[test]
fn rfc5780_6_1_where_authentication_is_required_answers_of_discovery_are_protected() {
    let addresses = DiscoveryAddresses::new(path().local, "198.51.100.2:3479".parse().unwrap()).unwrap();
    let config = ServerConfig::default()
        .with_discovery(DiscoverySupport::TwoAddresses(addresses))
        .with_credentials(Some(long_term().with_challenge_limit(None)));
    let (mut server, key) = (BindingServer::new(config, Seed::new([7; 32])), key());
    server.add_user(user()).unwrap();
    let change = Some(ChangeRequest { ip: true, port: true });
    // A challenge goes to who asked, from where he asked, whatever he wishes for.
    let challenge = send(&mut server, 0, &octets(Ask { change, ..Ask::default() })).unwrap();
    assert_eq!(code(&challenge), Some(401));
    let nonce = nonce_of(&challenge);
    let (handled, answer) = ask(&mut server, path(), &octets(Ask { change, ..modern(&nonce, &key) }));
    let from = Path { local: "198.51.100.2:3479".parse().unwrap(), ..path() };
    assert!(matches!(handled, Handled::Send(transmit) if transmit.path == from));
    let answer = Message::parse(&answer).unwrap();
    assert_eq!(answer.get(), Ok(Some(ResponseOrigin(from.local))));
    assert_eq!(answer.integrity(&key), Integrity::Ok);
    // Both mapped addresses, RESPONSE-ORIGIN, OTHER-ADDRESS and the integrity.
    assert_eq!(answer.attributes().count(), 5);
}

#[test]
fn rfc8489_9_1_3_short_term_answers_bear_the_integrity_of_their_request() {
    let mut server = asking(AuthConfig::short_term());
    server.add_user(User::short_term("evtj:h6vY", "pass").unwrap()).unwrap();
    let key = IntegrityKey::short_term("pass").unwrap();
    for algorithm in [IntegrityAlgorithm::Sha1, IntegrityAlgorithm::Sha256] {
        let ask = Ask {
            username: Some("evtj:h6vY"),
            key: Some((&key, algorithm)),
            fingerprint: true,
            ..Ask::default()
        };
        let answer = send(&mut server, 0, &octets(ask)).unwrap();
        let answer = Message::parse(&answer).unwrap();
        assert_eq!((answer.class(), answer.integrity_algorithm()), (Class::Success, Some(algorithm)));
        assert_eq!((answer.integrity(&key), answer.fingerprint()), (Integrity::Ok, Fingerprint::Ok));
        assert!(!answer.has(AttributeType::USERNAME));
    }
    assert!(server.remove_user("evtj:h6vY") && !server.remove_user("evtj:h6vY"));
    let ask =
        Ask { username: Some("evtj:h6vY"), key: Some((&key, IntegrityAlgorithm::Sha1)), ..Ask::default() };
    assert_eq!(code(&send(&mut server, 0, &octets(ask)).unwrap()), Some(401));
}

#[test]
fn a_user_is_looked_up_by_event_and_answered_when_he_is_found() {
    let (mut server, key) = (asking(long_term().with_look_up(LookUp::ByEvent { max_waiting: 10 })), key());
    let nonce = nonce_of(&send(&mut server, 0, &octets(Ask::default())).unwrap());
    let request = octets(Ask { fingerprint: true, ..modern(&nonce, &key) });
    for (found, want) in [(Some(user()), None), (None, Some(401))] {
        assert_eq!(send(&mut server, 1, &request), None);
        let Some(ServerEvent::LookUp { ticket, who }) = server.poll_event() else { panic!("no event") };
        assert_eq!((who, server.waiting()), (Who::Username("user".into()), 1));
        let mut buffer: Buffer = [0xEE; _];
        let mut packet = Packet::empty(&mut buffer);
        let now = Instant::EPOCH + Duration::from_secs(2);
        assert!(server.poll_transmit(now, &mut packet).is_none());
        assert!(server.answer(ticket, found));
        let transmit = server.poll_transmit(now, &mut packet).unwrap();
        assert_eq!((transmit.path, code(packet.bytes())), (path(), want));
        let answer = Message::parse(packet.bytes()).unwrap();
        if want.is_none() {
            assert_eq!((answer.integrity(&key), answer.fingerprint()), (Integrity::Ok, Fingerprint::Ok));
        }
        assert_eq!((server.waiting(), server.poll_transmit(now, &mut packet)), (0, None));
    }
}

#[test]
fn a_rotated_key_makes_old_nonces_stale_when_it_is_rotated_again() {
    let (mut server, key) = (asking(long_term()), key());
    server.add_user(user()).unwrap();
    let nonce = nonce_of(&send(&mut server, 0, &octets(Ask::default())).unwrap());
    let request = octets(modern(&nonce, &key));
    server.rotate_nonce_key(NonceKey::new([1; 32]));
    assert_eq!(code(&send(&mut server, 0, &request).unwrap()), None);
    server.rotate_nonce_key(NonceKey::new([2; 32]));
    assert_eq!(code(&send(&mut server, 0, &request).unwrap()), Some(438));
}

#[test]
fn closing_forgets_who_waits_and_says_so() {
    let (mut server, key) = (asking(long_term().with_look_up(LookUp::ByEvent { max_waiting: 10 })), key());
    let nonce = nonce_of(&send(&mut server, 0, &octets(Ask::default())).unwrap());
    assert_eq!(send(&mut server, 0, &octets(modern(&nonce, &key))), None);
    server.close(Instant::EPOCH);
    assert_eq!((server.poll_event(), server.poll_event()), (Some(ServerEvent::Closed), None));
    assert_eq!(server.waiting(), 0);
}

#[test]
fn the_same_seed_and_script_give_the_same_octets() {
    let run = || {
        let (mut server, key) = (asking(long_term()), key());
        server.add_user(user()).unwrap();
        let challenge = send(&mut server, 0, &octets(Ask::default())).unwrap();
        let served = send(&mut server, 1, &octets(modern(&nonce_of(&challenge), &key))).unwrap();
        [challenge, served]
    };
    assert_eq!(run(), run());
}

#[test]
fn a_server_without_credentials_takes_no_users() {
    let mut server = BindingServer::new(ServerConfig::default(), Seed::new([1; 32]));
    assert_eq!(server.add_user(user()), Err(AddUserError::NoCredentials));
}
