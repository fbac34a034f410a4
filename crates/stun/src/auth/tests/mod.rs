//! Requests and verdicts, without a server around them.

mod looked_up;
mod order;
mod relay;

use alloc::vec::Vec;
use core::time::Duration;

use ginnel_core::{Buffer, Instant, Packet, Path, Seed};

use crate::{
    Class, Integrity, IntegrityAlgorithm, IntegrityKey, Message, MessageWriter, Method,
    attribute::*,
    auth::{
        ask::{Ask, modern, octets},
        *,
    },
};

const REALM: &str = "example.org";
const PASSWORD: &str = "TheMatrIX";

fn path() -> Path {
    Path::udp("198.51.100.1:3478".parse().unwrap(), "192.0.2.1:5000".parse().unwrap())
}
fn at(seconds: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(seconds)
}
fn unlimited(config: AuthConfig) -> Authenticator {
    Authenticator::new(config.with_challenge_limit(None), Seed::new([7; 32]))
}
fn long_term() -> AuthConfig {
    AuthConfig::long_term(REALM).unwrap()
}
/// One that knows "user".
fn knowing_a_user(config: AuthConfig) -> Authenticator {
    let mut auth = unlimited(config);
    auth.add_user(User::long_term("user", REALM, PASSWORD).unwrap()).unwrap();
    auth
}
fn md5(name: &str) -> IntegrityKey {
    IntegrityKey::long_term(name, REALM, PASSWORD).unwrap()
}
fn sha256(name: &str) -> IntegrityKey {
    IntegrityKey::long_term_sha256(name, REALM, PASSWORD).unwrap()
}
fn judge(auth: &mut Authenticator, now: Instant, ask: Ask<'_>) -> Verdict {
    auth.check(now, path(), &Message::parse(&octets(ask)).unwrap())
}
/// The code it is refused with, and the whole answer.
fn refused(auth: &mut Authenticator, now: Instant, ask: Ask<'_>) -> (u16, Vec<u8>) {
    match judge(auth, now, ask) {
        Verdict::Refused(refusal) => {
            let mut buffer: Buffer = [0; _];
            let mut packet = Packet::empty(&mut buffer);
            auth.refuse(&refusal, &mut packet).unwrap();
            let answer = Message::parse(packet.bytes()).unwrap();
            assert_eq!(
                (answer.class(), answer.method(), answer.transaction_id()),
                (Class::Error, ask.method, ask.id)
            );
            let error = answer.get::<ErrorCode<'_>>().unwrap().unwrap();
            assert_eq!(error.reason(), "");
            (error.code(), packet.bytes().to_vec())
        }
        other => panic!("not refused, but {other:?}"),
    }
}
/// The nonce of a challenge.
fn nonce_of(answer: &[u8]) -> Vec<u8> {
    Message::parse(answer).unwrap().get::<Nonce<'_>>().unwrap().unwrap().octets().to_vec()
}
/// A nonce as a stranger gets it.
fn nonce(auth: &mut Authenticator, now: Instant) -> Vec<u8> {
    let (code, answer) = refused(auth, now, Ask::default());
    assert_eq!(code, 401);
    nonce_of(&answer)
}
/// A request of a client of RFC 5389.
fn legacy<'a>(nonce: &'a [u8], key: &'a IntegrityKey) -> Ask<'a> {
    let protection = Some((key, IntegrityAlgorithm::Sha1));
    Ask { list: None, chosen: None, key: protection, ..modern(nonce, key) }
}
fn authenticated(verdict: Verdict) -> Authenticated {
    match verdict {
        Verdict::Authenticated(user) => user,
        other => panic!("not authenticated, but {other:?}"),
    }
}
