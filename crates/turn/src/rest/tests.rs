use std::{string::ToString, vec::Vec};

use ginnel_core::{Buffer, Instant, Packet, Path, Seed};
use ginnel_stun::{
    Class, MessageWriter, Method, TransactionId,
    attribute::{ErrorCode, Nonce, PasswordAlgorithms, Realm, UserHash, Username},
    auth::{AuthConfig, Authenticator, Verdict},
};

use super::*;

const REALM: &str = "example.org";
const NOW: UnixTime = UnixTime(1_700_000_000);

/// What speaks to the server: an octet for each way of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Client {
    Rfc5389,
    Rfc8489,
}
fn path() -> Path {
    Path::udp("198.51.100.1:3478".parse().unwrap(), "192.0.2.1:5000".parse().unwrap())
}
fn secrets(texts: &[&str]) -> RestSecrets {
    RestSecrets::new(texts.iter().map(RestSecret::new)).unwrap()
}

/// An Allocate, with the challenge before it; the code it is answered with, 0 for none.
fn allocate(secrets: &RestSecrets, now: UnixTime, client: Client, name: &str, password: &str) -> u16 {
    let mut auth = Authenticator::new(AuthConfig::long_term(REALM).unwrap(), Seed::new([7; 32]));
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    let id = TransactionId::new(*b"transactions");
    MessageWriter::new(&mut packet, Class::Request, Method::ALLOCATE, id).unwrap().finish();
    let first = Message::parse(packet.bytes()).unwrap();
    let find = |message: &Message<'_>, who: Claimed<'_>| secrets.find(who, REALM, now, message);
    let Verdict::Refused(challenge) = auth.check_by(Instant::EPOCH, path(), &first, |who| find(&first, who))
    else {
        panic!("nobody yet");
    };
    let mut buffer: Buffer = [0; _];
    let mut answer = Packet::empty(&mut buffer);
    auth.refuse(&challenge, &mut answer).unwrap();
    let answer = Message::parse(answer.bytes()).unwrap();

    let open = MessageWriter::new(&mut packet, Class::Request, Method::ALLOCATE, id)
        .unwrap()
        .attribute(&Username::new(name).unwrap())
        .and_then(|open| open.attribute(&Realm::new(REALM).unwrap()))
        .and_then(|open| open.attribute(&answer.get::<Nonce<'_>>().unwrap().unwrap()))
        .unwrap();
    match client {
        Client::Rfc5389 => {
            open.integrity(&IntegrityKey::long_term(name, REALM, password).unwrap()).unwrap().finish();
        }
        Client::Rfc8489 => {
            let list = answer.get::<PasswordAlgorithms<'_>>().unwrap().unwrap();
            let chosen = list.iter().find(|it| it.algorithm() == Algorithm::SHA256).unwrap();
            let open = open.attribute(&list).and_then(|open| open.attribute(&chosen)).unwrap();
            let key = IntegrityKey::long_term_sha256(name, REALM, password).unwrap();
            open.integrity_sha256(&key).unwrap().finish();
        }
    }
    let message = Message::parse(packet.bytes()).unwrap();
    match auth.check_by(Instant::EPOCH, path(), &message, |who| find(&message, who)) {
        Verdict::Authenticated(genuine) => {
            assert_eq!(genuine.user().name(), name);
            0
        }
        Verdict::Refused(refusal) => {
            let mut buffer: Buffer = [0; _];
            let mut answer = Packet::empty(&mut buffer);
            auth.refuse(&refusal, &mut answer).unwrap();
            Message::parse(answer.bytes()).unwrap().get::<ErrorCode<'_>>().unwrap().unwrap().code()
        }
        other => panic!("{other:?}"),
    }
}
const CLIENTS: [Client; 2] = [Client::Rfc5389, Client::Rfc8489];

#[test]
fn rfc2202_section_3_case_2_is_a_password() {
    let password = RestSecret::new("Jefe").password("what do ya want for nothing?");
    assert_eq!(password, "7/zfauXrL6LSdBbV8YTfnCWafHk=");
    // And a key of more than a block is hashed, as RFC 2202's case 6 has it.
    let long = RestSecret::new([0xAA; 80]).password("Test Using Larger Than Block-Size Key - Hash Key First");
    assert_eq!(long, "qkrl4VJy0A6VcFY3zoo7Ve1AIRI=");
}

#[test]
fn section_2_2_a_name_is_its_time_and_the_user_id() {
    let credential = RestSecret::new("north").credential("mbzrxpgjys", UnixTime(1_433_895_918));
    assert_eq!(credential.username, "1433895918:mbzrxpgjys");
    assert_eq!(*credential.password, "d2Q1V6JRLjCTMOhoc8cTgEoi7u0=");
    assert_eq!(RestSecret::new("north").credential("", UnixTime(7)).username, "7");
}

#[test]
fn section_4_what_the_web_service_hands_out_the_server_takes() {
    for client in CLIENTS {
        for user_id in ["alice", "", "a:b", "1:2"] {
            let it = RestSecret::new("north").credential(user_id, NOW + Duration::from_secs(60));
            assert_eq!(allocate(&secrets(&["north"]), NOW, client, &it.username, &it.password), 0);
        }
    }
}

#[test]
fn section_4_2_an_expired_name_is_refused_and_another_time_needs_another_password() {
    let it = RestSecret::new("north").credential("alice", NOW + Duration::from_secs(60));
    let known = secrets(&["north"]);
    for client in CLIENTS {
        let at = |seconds| allocate(&known, UnixTime(NOW.0 + seconds), client, &it.username, &it.password);
        assert_eq!((at(0), at(59), at(60), at(1_000_000)), (0, 0, 401, 401));
        // Whoever changes the time in the name has no password for it.
        assert_eq!(allocate(&known, NOW, client, "9999999999:alice", &it.password), 401);
        assert_eq!(allocate(&known, NOW, client, &it.username, "d2Q1V6JRLjCTMOhoc8cTgEoi7u0="), 401);
    }
}

#[test]
fn section_5_two_secrets_are_taken_while_they_change_and_a_third_is_not() {
    let of = |secret| RestSecret::new(secret).credential("alice", NOW + Duration::from_secs(60));
    let known = secrets(&["old", "middle", "new"]);
    for client in CLIENTS {
        for (secret, code) in [("old", 0), ("middle", 0), ("new", 0), ("other", 401)] {
            let it = of(secret);
            assert_eq!(allocate(&known, NOW, client, &it.username, &it.password), code, "{secret}");
        }
        let it = of("old");
        assert_eq!(allocate(&secrets(&["new"]), NOW, client, &it.username, &it.password), 401);
        assert_eq!(allocate(&secrets(&[]), NOW, client, &it.username, &it.password), 401);
    }
}

#[test]
fn names_of_another_kind_are_nobody() {
    for name in ["alice", "alice:1800000000", "+1800000000:alice", "-1:alice", ":alice", "", "1800000000 :a"]
    {
        assert_eq!(RestName::parse(name, ':'), None, "{name}");
    }
    // A number that no clock will show is none.
    assert_eq!(RestName::parse("99999999999999999999999:a", ':'), None);
    let password = RestSecret::new("north").password("alice");
    assert_eq!(allocate(&secrets(&["north"]), NOW, Client::Rfc5389, "alice", &password), 401);
}

#[test]
fn what_separates_time_and_user_id_can_be_another_character() {
    let known = secrets(&["north"]).with_separator('-');
    let name = "1800000000-alice";
    let password = RestSecret::new("north").password(name);
    assert_eq!(allocate(&known, NOW, Client::Rfc5389, name, &password), 0);
    assert_eq!(allocate(&secrets(&["north"]), NOW, Client::Rfc5389, name, &password), 401);
    assert_eq!(known.separator(), '-');
}

#[test]
fn quotas_count_by_user_id_and_not_by_the_name_that_is_new_each_time() {
    assert_eq!(RestName::owner("1800000000:alice", ':'), "alice");
    assert_eq!(RestName::owner("1900000000:alice", ':'), "alice");
    assert_eq!(RestName::owner("1800000000", ':'), "1800000000");
    assert_eq!(RestName::owner("1800000000:", ':'), "1800000000:");
    assert_eq!(RestName::owner("bob", ':'), "bob");
}

#[test]
fn a_hash_of_a_name_tells_no_time() {
    let name = "1800000000:alice";
    let hash = Claimed::UserHash(UserHash::of(name, REALM));
    let octets = b"\x00\x03\x00\x00\x21\x12\xa4\x42transactions";
    let message = Message::parse(octets).unwrap();
    let known = secrets(&["north"]);
    assert!(known.find(hash, REALM, NOW, &message).is_none());
    assert!(known.find(Claimed::Username(name), REALM, NOW, &message).is_some());
}

#[test]
fn there_are_as_many_secrets_as_there_may_be() {
    let many = |n: usize| RestSecrets::new((0..n).map(|n| RestSecret::new(n.to_string())));
    assert_eq!(many(SECRETS_MAX).unwrap().len(), SECRETS_MAX);
    assert_eq!(many(SECRETS_MAX + 1).err(), Some(TooManySecrets));
    assert!(many(0).unwrap().is_empty());
}

#[test]
fn nothing_secret_is_printed() {
    let secret = RestSecret::new("north");
    let it = secret.credential("alice", NOW);
    let printed: Vec<_> =
        [std::format!("{secret:?}"), std::format!("{it:?}"), std::format!("{:?}", secrets(&["x"]))].into();
    assert_eq!(printed[..2], ["RestSecret(..)", "RestCredential(..)"]);
    assert_eq!(printed[2], "RestSecrets { secrets: [RestSecret(..)], separator: ':' }");
}
