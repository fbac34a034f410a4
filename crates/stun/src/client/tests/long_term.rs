//! RFC 8489 section 9.2, from the client's side.

use alloc::vec::Vec;

use ginnel_core::{Handled, Path, Transport};

use super::*;
use crate::{
    Integrity, IntegrityAlgorithm, IntegrityKey, LongTermCredential, auth::SecurityFeatures, client::Stats,
};

pub(super) const REALM: &str = "example.org";

pub(super) fn user() -> LongTermCredential {
    LongTermCredential::new("user", "pass").unwrap()
}
pub(super) fn md5() -> IntegrityKey {
    IntegrityKey::long_term("user", REALM, "pass").unwrap()
}
pub(super) fn sha256() -> IntegrityKey {
    IntegrityKey::long_term_sha256("user", REALM, "pass").unwrap()
}
/// A nonce that announces what is listed, like that of a server of RFC 8489.
pub(super) fn nonce(features: SecurityFeatures, rest: &str) -> Vec<u8> {
    let mut nonce = features.cookie().to_vec();
    nonce.extend(rest.as_bytes());
    nonce
}
pub(super) fn algorithms() -> SecurityFeatures {
    SecurityFeatures::default().with_password_algorithms(true)
}
/// A 401 or a 438.
pub(super) fn challenge(
    id: TransactionId,
    code: u16,
    realm: &str,
    nonce: &[u8],
    offered: Option<&[PasswordAlgorithm<'_>]>,
) -> Vec<u8> {
    response(Class::Error, id, |open| {
        let mut open = open.attribute(&ErrorCode::new(code, "").unwrap())?;
        open = open.attribute(&Realm::new(realm).unwrap())?;
        open = open.attribute(&Nonce::new(nonce).unwrap())?;
        if let Some(offered) = offered {
            open = open.attribute(&PasswordAlgorithms::new(offered))?;
        }
        open.finish();
        Ok(())
    })
}
/// A success or, with a code, an error that is made with a key.
pub(super) fn sealed(
    id: TransactionId,
    code: Option<u16>,
    key: &IntegrityKey,
    algorithm: IntegrityAlgorithm,
) -> Vec<u8> {
    let class = if code.is_some() { Class::Error } else { Class::Success };
    response(class, id, |open| {
        let open = match code {
            Some(code) => open.attribute(&ErrorCode::new(code, "").unwrap())?,
            None => open.attribute(&XorMappedAddress(mapped()))?,
        };
        open.integrity_as(algorithm, key).map(MessageWriter::finish)
    })
}
pub(super) fn start(
    client: &mut Client,
    now: Instant,
    path: Path,
    credential: &LongTermCredential,
) -> RequestId {
    let request = Request::new(Method::BINDING).with_credential(credential.clone());
    client.request(now, path, request, |open| open.attribute(&Software::new("test").unwrap())).unwrap()
}
/// The one request that is sent at `now`, and its transaction.
pub(super) fn one(client: &mut Client, now: Instant) -> (TransactionId, Vec<u8>) {
    let mut all = sent(client, now);
    assert_eq!(all.len(), 1);
    let octets = all.remove(0);
    (Message::parse(&octets).unwrap().transaction_id(), octets)
}
/// The bare first request, and its answer.
pub(super) fn challenged(client: &mut Client, octets: impl Fn(TransactionId) -> Vec<u8>) -> RequestId {
    let request = start(client, ms(0), path(), &user());
    let (id, first) = one(client, ms(0));
    let first = Message::parse(&first).unwrap();
    let kinds: Vec<_> = first.attributes().map(|raw| raw.kind).collect();
    assert_eq!(kinds, [AttributeType::SOFTWARE], "RFC 8489 section 9.2.3.1: nothing of the credential");
    assert_eq!(receive(client, ms(10), path(), &octets(id)), Handled::Consumed);
    request
}
/// An authenticated session with a server of SHA-256, 20 ms after the beginning.
pub(super) fn authenticated(client: &mut Client, path: Path) -> RequestId {
    let request = start(client, ms(0), path, &user());
    let (id, _) = one(client, ms(0));
    let first = nonce(algorithms(), "1");
    let _ =
        receive(client, ms(10), path, &challenge(id, 401, REALM, &first, Some(&[PasswordAlgorithm::SHA256])));
    let (id, _) = one(client, ms(10));
    let answer = receive(client, ms(20), path, &sealed(id, None, &sha256(), IntegrityAlgorithm::Sha256));
    assert!(matches!(answer, Handled::Data(data) if data.request == request && data.authenticated));
    request
}

#[test]
fn rfc8489_9_2_5_a_401_of_an_old_server_is_answered_with_md5() {
    let mut client = client();
    let request = challenged(&mut client, |id| challenge(id, 401, REALM, b"f//499k954d6", None));
    let (id, octets) = one(&mut client, ms(10));
    let message = Message::parse(&octets).unwrap();
    assert_eq!(message.get::<Username<'_>>().unwrap().unwrap().as_str(), "user");
    assert_eq!(message.get::<Realm<'_>>().unwrap().unwrap().as_str(), REALM);
    assert_eq!(message.get::<Nonce<'_>>().unwrap().unwrap().octets(), b"f//499k954d6");
    assert!(message.has(AttributeType::SOFTWARE), "built anew");
    assert!(
        !message.has(AttributeType::PASSWORD_ALGORITHM) && !message.has(AttributeType::PASSWORD_ALGORITHMS)
    );
    assert_eq!(
        (message.integrity_algorithm(), message.integrity(&md5())),
        (Some(IntegrityAlgorithm::Sha1), Integrity::Ok)
    );
    let Handled::Data(answer) =
        receive(&mut client, ms(30), path(), &sealed(id, None, &md5(), IntegrityAlgorithm::Sha1))
    else {
        panic!("no answer")
    };
    assert_eq!((answer.request, answer.class, answer.authenticated), (request, Class::Success, true));
    assert_eq!((client.stats().challenged, client.stats().answered, client.in_progress()), (1, 1, 0));
}

#[test]
fn rfc8489_9_2_5_the_first_algorithm_that_is_known_is_chosen_and_the_list_handed_back() {
    let strange = PasswordAlgorithm::new(Algorithm(0x7777), b"hello").unwrap();
    for (offered, key) in [
        (&[strange, PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5][..], sha256()),
        (&[PasswordAlgorithm::MD5, PasswordAlgorithm::SHA256], md5()),
    ] {
        let mut client = client();
        let first = nonce(algorithms(), "abc");
        challenged(&mut client, |id| challenge(id, 401, REALM, &first, Some(offered)));
        let (id, octets) = one(&mut client, ms(10));
        let message = Message::parse(&octets).unwrap();
        assert_eq!(message.get(), Ok(Some(PasswordAlgorithms::new(offered))));
        let chosen = message.get::<PasswordAlgorithm<'_>>().unwrap().unwrap();
        assert_eq!(chosen, *offered.iter().find(|it| **it != strange).unwrap());
        // Section 9.2.5: MESSAGE-INTEGRITY-SHA256 only, whatever the key is made with.
        assert!(!message.has(AttributeType::MESSAGE_INTEGRITY));
        assert_eq!(message.integrity(&key), Integrity::Ok);
        let weaker = sealed(id, None, &key, IntegrityAlgorithm::Sha1);
        assert_eq!(receive(&mut client, ms(20), path(), &weaker), Handled::Consumed);
        assert_eq!(client.stats().bad_integrity, 1);
        let right = sealed(id, None, &key, IntegrityAlgorithm::Sha256);
        assert!(matches!(receive(&mut client, ms(20), path(), &right), Handled::Data(_)));
    }
}

#[test]
fn rfc8489_9_2_5_anonymity_is_used_where_it_is_announced() {
    let mut client = client();
    let announced = nonce(algorithms().with_username_anonymity(true), "abc");
    challenged(&mut client, |id| challenge(id, 401, REALM, &announced, Some(&[PasswordAlgorithm::SHA256])));
    let (_, octets) = one(&mut client, ms(10));
    let message = Message::parse(&octets).unwrap();
    assert!(!message.has(AttributeType::USERNAME));
    assert_eq!(message.get(), Ok(Some(UserHash::of("user", REALM))));
    assert!(!octets.windows(4).any(|window| window == b"user"), "nowhere in it");
}

#[test]
fn rfc8489_9_2_3_2_later_requests_are_authenticated_at_once() {
    let mut client = client();
    authenticated(&mut client, path());
    start(&mut client, ms(100), path(), &user());
    let (id, octets) = one(&mut client, ms(100));
    let message = Message::parse(&octets).unwrap();
    assert_eq!(message.integrity(&sha256()), Integrity::Ok);
    assert!(
        message.has(AttributeType::PASSWORD_ALGORITHMS) && message.has(AttributeType::PASSWORD_ALGORITHM)
    );
    let answer = sealed(id, None, &sha256(), IntegrityAlgorithm::Sha256);
    assert!(matches!(receive(&mut client, ms(120), path(), &answer), Handled::Data(_)));
    assert_eq!(client.stats().challenged, 1, "that of the first request");
    // From another port too: it is the same server (section 9.2.3). Its nonce will be stale there, and say so.
    let other = Path { local: "192.0.2.1:6000".parse().unwrap(), ..path() };
    start(&mut client, ms(200), other, &user());
    let again = sent_to(&mut client, ms(200)).remove(0);
    assert_eq!((again.0, Message::parse(&again.1).unwrap().integrity(&sha256())), (other, Integrity::Ok));
    // Another user, or another server, begins anew.
    let stranger = LongTermCredential::new("other", "pass").unwrap();
    let elsewhere = Path { remote: "198.51.100.2:3478".parse().unwrap(), ..path() };
    for (path, who) in [(path(), &stranger), (elsewhere, &user())] {
        start(&mut client, ms(300), path, who);
        let (_, octets) = one(&mut client, ms(300));
        assert_eq!(Message::parse(&octets).unwrap().integrity_algorithm(), None);
    }
}

#[test]
fn a_session_that_no_response_has_proven_is_not_kept() {
    let mut client = client();
    let first = nonce(algorithms(), "abc");
    challenged(&mut client, |id| challenge(id, 401, REALM, &first, Some(&[PasswordAlgorithm::SHA256])));
    one(&mut client, ms(10));
    start(&mut client, ms(11), path(), &user());
    let (_, octets) = one(&mut client, ms(11));
    assert_eq!(Message::parse(&octets).unwrap().integrity_algorithm(), None);
}

#[test]
fn rfc8489_9_2_3_2_without_algorithms_the_response_decides_the_kind_of_integrity() {
    let mut client = client();
    challenged(&mut client, |id| challenge(id, 401, REALM, b"plain", None));
    let (id, _) = one(&mut client, ms(10));
    let answer = sealed(id, None, &md5(), IntegrityAlgorithm::Sha256);
    assert!(matches!(receive(&mut client, ms(20), path(), &answer), Handled::Data(_)));
    start(&mut client, ms(30), path(), &user());
    let (_, octets) = one(&mut client, ms(30));
    let message = Message::parse(&octets).unwrap();
    assert!(!message.has(AttributeType::MESSAGE_INTEGRITY));
    assert_eq!(message.integrity(&md5()), Integrity::Ok);
}

#[test]
fn rfc8489_9_2_5_a_438_renews_the_nonce_with_the_same_key() {
    let mut client = client();
    authenticated(&mut client, path());
    let request = start(&mut client, ms(100), path(), &user());
    let (id, _) = one(&mut client, ms(100));
    let second = nonce(algorithms(), "2");
    // Section 9.2.4 wants REALM in it; one is known already where a server of RFC 5389 leaves it out.
    let stale = response(Class::Error, id, |open| {
        let open = open.attribute(&ErrorCode::STALE_NONCE)?.attribute(&Nonce::new(&second).unwrap())?;
        open.attribute(&PasswordAlgorithms::new(&[PasswordAlgorithm::SHA256])).map(MessageWriter::finish)
    });
    assert_eq!(receive(&mut client, ms(110), path(), &stale), Handled::Consumed);
    let (again, octets) = one(&mut client, ms(110));
    let message = Message::parse(&octets).unwrap();
    assert_ne!(again, id, "a new transaction");
    assert_eq!(message.get::<Nonce<'_>>().unwrap().unwrap().octets(), second);
    assert_eq!(message.get::<Username<'_>>().unwrap().unwrap().as_str(), "user");
    assert_eq!(message.get::<Realm<'_>>().unwrap().unwrap().as_str(), REALM);
    assert_eq!(message.integrity(&sha256()), Integrity::Ok);
    // The old transaction is over: its late answer is nobody's.
    let late = sealed(id, None, &sha256(), IntegrityAlgorithm::Sha256);
    assert_eq!(receive(&mut client, ms(111), path(), &late), Handled::Foreign);
    let answer = sealed(again, None, &sha256(), IntegrityAlgorithm::Sha256);
    assert!(
        matches!(receive(&mut client, ms(120), path(), &answer), Handled::Data(data) if data.request == request)
    );
    assert_eq!((client.stats().stale, client.stats().challenged), (1, 1));
    start(&mut client, ms(200), path(), &user());
    let (_, octets) = one(&mut client, ms(200));
    assert_eq!(Message::parse(&octets).unwrap().get::<Nonce<'_>>().unwrap().unwrap().octets(), second);
}

#[test]
fn sec_22_a_nonce_that_announces_algorithms_without_them_ends_the_request() {
    for code in [401, 438] {
        let mut client = client();
        challenged(&mut client, |id| challenge(id, code, REALM, &nonce(algorithms(), "x"), None));
        assert_eq!(failure(&mut client), FailureReason::BidDown);
        assert!(sent(&mut client, ms(10)).is_empty(), "RFC 8489 section 9.2.5: MUST NOT retry");
    }
}

#[test]
fn sec_22_a_feature_that_was_there_does_not_vanish_from_a_session() {
    for (before, now) in [
        (algorithms(), SecurityFeatures::default()),
        (SecurityFeatures::default().with_username_anonymity(true), SecurityFeatures::default()),
    ] {
        let mut client = client();
        let offered = [PasswordAlgorithm::SHA256];
        let offered = before.password_algorithms.then_some(&offered[..]);
        challenged(&mut client, |id| challenge(id, 401, REALM, &nonce(before, "1"), offered));
        let (id, _) = one(&mut client, ms(10));
        let stripped = challenge(id, 438, REALM, &nonce(now, "2"), None);
        assert_eq!(receive(&mut client, ms(20), path(), &stripped), Handled::Consumed);
        assert_eq!(failure(&mut client), FailureReason::BidDown);
        assert!(sent(&mut client, ms(20)).is_empty());
    }
}

#[test]
fn sec_22_a_forged_refusal_opens_no_way_down_for_the_next_request() {
    let mut client = client();
    authenticated(&mut client, path());
    start(&mut client, ms(100), path(), &user());
    let (id, _) = one(&mut client, ms(100));
    let offered = [PasswordAlgorithm::SHA256];
    let refused = challenge(id, 401, REALM, &nonce(algorithms(), "2"), Some(&offered));
    let _ = receive(&mut client, ms(110), path(), &refused);
    assert_eq!(failure(&mut client), FailureReason::Unauthenticated);
    // The next begins anew, and does not take MD5, HMAC-SHA1 and the rest of RFC 5389 from whoever says so.
    start(&mut client, ms(200), path(), &user());
    let (id, octets) = one(&mut client, ms(200));
    assert_eq!(Message::parse(&octets).unwrap().integrity_algorithm(), None);
    let _ = receive(&mut client, ms(210), path(), &challenge(id, 401, REALM, b"plain", None));
    assert_eq!(failure(&mut client), FailureReason::BidDown);
    assert!(sent(&mut client, ms(210)).is_empty());
    // The server itself is still welcome.
    start(&mut client, ms(300), path(), &user());
    let (id, _) = one(&mut client, ms(300));
    let honest = challenge(id, 401, REALM, &nonce(algorithms(), "3"), Some(&offered));
    let _ = receive(&mut client, ms(310), path(), &honest);
    let (id, _) = one(&mut client, ms(310));
    let answer = sealed(id, None, &sha256(), IntegrityAlgorithm::Sha256);
    assert!(matches!(receive(&mut client, ms(320), path(), &answer), Handled::Data(it) if it.authenticated));
    start(&mut client, ms(400), path(), &user());
    let (_, octets) = one(&mut client, ms(400));
    assert_eq!(Message::parse(&octets).unwrap().integrity(&sha256()), Integrity::Ok, "kept again");
}

#[test]
fn a_session_of_another_path_that_is_refused_is_not_tried_again() {
    let mut client = client();
    authenticated(&mut client, path());
    let other = Path { local: "192.0.2.1:6000".parse().unwrap(), ..path() };
    for integrity in [Some(IntegrityAlgorithm::Sha256), None] {
        start(&mut client, ms(100), other, &user());
        let octets = sent_to(&mut client, ms(100)).remove(0).1;
        let message = Message::parse(&octets).unwrap();
        assert_eq!(message.integrity_algorithm(), integrity);
        let id = message.transaction_id();
        let first = nonce(algorithms(), "o");
        let refused = challenge(id, 401, REALM, &first, Some(&[PasswordAlgorithm::SHA256]));
        let _ = receive(&mut client, ms(110), other, &refused);
        if integrity.is_some() {
            assert_eq!(failure(&mut client), FailureReason::Unauthenticated);
        } else {
            assert_eq!((client.poll_event(), client.in_progress()), (None, 1), "challenged, and asked anew");
        }
    }
    start(&mut client, ms(120), path(), &user());
    let all = sent_to(&mut client, ms(120));
    let own = all.iter().find(|(to, _)| *to == path()).unwrap();
    assert_eq!(
        Message::parse(&own.1).unwrap().integrity(&sha256()),
        Integrity::Ok,
        "that of the first stays"
    );
}

#[test]
fn sec_22_other_responses_that_lie_about_algorithms_are_ignored() {
    let mut client = client();
    challenged(&mut client, |id| challenge(id, 401, REALM, b"plain", None));
    let (id, _) = one(&mut client, ms(10));
    let lying = response(Class::Success, id, |open| {
        let open = open.attribute(&XorMappedAddress(mapped()))?;
        let open = open.attribute(&Nonce::new(&nonce(algorithms(), "x")).unwrap())?;
        open.integrity(&md5()).map(MessageWriter::finish)
    });
    assert_eq!(receive(&mut client, ms(20), path(), &lying), Handled::Consumed);
    assert_eq!((client.stats().bid_down, client.in_progress()), (1, 1));
}

#[test]
fn rfc8489_9_2_5_every_challenge_that_leads_nowhere_says_why() {
    type Write = dyn Fn(MessageWriter<'_, '_>) -> Result<(), ginnel_core::NoRoom>;
    let cases: [(&Write, FailureReason); 5] = [
        (
            &|open| open.attribute(&ErrorCode::UNAUTHENTICATED).map(MessageWriter::finish),
            FailureReason::BadChallenge,
        ),
        (
            &|open| {
                open.attribute(&ErrorCode::UNAUTHENTICATED)?
                    .attribute(&Realm::new(REALM).unwrap())
                    .map(MessageWriter::finish)
            },
            FailureReason::BadChallenge,
        ),
        (
            &|open| {
                open.attribute(&ErrorCode::UNAUTHENTICATED)?
                    .attribute(&Nonce::new(b"n").unwrap())
                    .map(MessageWriter::finish)
            },
            FailureReason::BadChallenge,
        ),
        (
            &|open| {
                let open =
                    open.attribute(&ErrorCode::UNAUTHENTICATED)?.attribute(&Nonce::new(b"n").unwrap())?;
                let open = open.attribute(&Realm::new(REALM).unwrap())?;
                let unknown = [PasswordAlgorithm::new(Algorithm(9), b"").unwrap()];
                open.attribute(&PasswordAlgorithms::new(&unknown)).map(MessageWriter::finish)
            },
            FailureReason::NoCommonAlgorithm,
        ),
        (
            &|open| {
                let open =
                    open.attribute(&ErrorCode::UNAUTHENTICATED)?.attribute(&Nonce::new(b"n").unwrap())?;
                // None that we could make, but one that can be read.
                open.attribute(&Realm::parse(b"\x07", crate::testing::ID).unwrap()).map(MessageWriter::finish)
            },
            FailureReason::UnusableRealm(crate::CredentialError::ControlCharacter),
        ),
    ];
    for (write, reason) in cases {
        let mut client = client();
        challenged(&mut client, |id| response(Class::Error, id, write));
        assert_eq!((failure(&mut client), client.poll_event()), (reason, None));
        assert!(sent(&mut client, ms(10)).is_empty());
    }
}

#[test]
fn sec_9_a_challenge_with_texts_beyond_763_octets_is_not_kept() {
    use crate::testing::ByHand;
    let long = [b'x'; 764];
    for kind in [AttributeType::REALM, AttributeType::NONCE] {
        let mut client = client();
        challenged(&mut client, |id| {
            let mut octets =
                ByHand::new(Class::Error, Method::BINDING).with(AttributeType::ERROR_CODE, &[0, 0, 4, 1]);
            for text in [AttributeType::REALM, AttributeType::NONCE] {
                octets = octets.with(text, if text == kind { &long } else { b"short" });
            }
            octets.set(8, &id.octets());
            octets.octets()
        });
        assert_eq!(failure(&mut client), FailureReason::BadChallenge);
    }
}

#[test]
fn a_wrong_password_ends_at_the_second_401() {
    let mut client = client();
    challenged(&mut client, |id| challenge(id, 401, REALM, b"one", None));
    let (id, _) = one(&mut client, ms(10));
    let _ = receive(&mut client, ms(20), path(), &challenge(id, 401, REALM, b"two", None));
    assert_eq!(failure(&mut client), FailureReason::Unauthenticated);
    assert!(sent(&mut client, ms(20)).is_empty(), "RFC 8489 section 9.2.5: nothing would change");
}

#[test]
fn a_loop_of_401s_with_new_realms_ends() {
    let mut client = client();
    challenged(&mut client, |id| challenge(id, 401, "realm 0", b"n", None));
    for realm in ["realm 1", "realm 2"] {
        let (id, _) = one(&mut client, ms(10));
        let _ = receive(&mut client, ms(10), path(), &challenge(id, 401, realm, b"n", None));
        assert_eq!(client.poll_event(), None);
    }
    let (id, _) = one(&mut client, ms(10));
    let _ = receive(&mut client, ms(10), path(), &challenge(id, 401, "realm 3", b"n", None));
    assert_eq!(failure(&mut client), FailureReason::TooManyChallenges);
    assert_eq!(client.stats().challenged, 3);
}

#[test]
fn a_loop_of_438s_ends() {
    let mut client = client();
    challenged(&mut client, |id| challenge(id, 401, REALM, b"0", None));
    for nonce in [b"1", b"2", b"3"] {
        let (id, _) = one(&mut client, ms(10));
        let _ = receive(&mut client, ms(10), path(), &challenge(id, 438, REALM, nonce, None));
        assert_eq!(client.poll_event(), None);
    }
    let (id, _) = one(&mut client, ms(10));
    let _ = receive(&mut client, ms(10), path(), &challenge(id, 438, REALM, b"4", None));
    assert_eq!(failure(&mut client), FailureReason::TooManyStaleNonces);
    assert_eq!(client.stats().stale, 3);
}

#[test]
fn a_credential_of_one_realm_is_shown_to_no_other() {
    let mut client = client();
    start(&mut client, ms(0), path(), &user().with_realm("example.com"));
    let (id, _) = one(&mut client, ms(0));
    let _ = receive(&mut client, ms(10), path(), &challenge(id, 401, REALM, b"n", None));
    assert_eq!(failure(&mut client), FailureReason::WrongRealm);
    assert!(sent(&mut client, ms(10)).is_empty());
}

#[test]
fn rfc8489_9_2_5_an_unprotected_400_never_came() {
    let mut client = client();
    start(&mut client, ms(0), path(), &user());
    let (id, _) = one(&mut client, ms(0));
    let bare =
        response(Class::Error, id, |open| open.attribute(&ErrorCode::BAD_REQUEST).map(MessageWriter::finish));
    assert_eq!(receive(&mut client, ms(10), path(), &bare), Handled::Consumed);
    assert_eq!((client.stats().bare_bad_request, client.poll_timeout().unwrap().at), (1, ms(500)));
    // It times out, as the note there says; but what came is told with it.
    while client.in_progress() > 0 {
        let now = client.poll_timeout().unwrap().at;
        client.handle_timeout(now);
        for _ in sent(&mut client, now) {
            let _ = receive(&mut client, now, path(), &bare);
        }
    }
    let reason = failure(&mut client);
    let all = Discarded { count: 7, last: Some(Discard::BareBadRequest), error: Some(400) };
    assert_eq!(reason, FailureReason::TimedOut(all));
    assert_eq!(
        alloc::format!("{reason}"),
        "no response in time: responses discarded: 7, the last because it is a 400 without message integrity \
         (it says error 400)"
    );
}

#[test]
fn a_server_that_asks_for_nothing_answers_unauthenticated() {
    let mut client = client();
    start(&mut client, ms(0), path(), &user());
    let (id, _) = one(&mut client, ms(0));
    let answer = receive(&mut client, ms(10), path(), &success(id));
    assert!(matches!(answer, Handled::Data(data) if !data.authenticated));
}

#[test]
fn rfc8489_9_2_5_forged_responses_are_discarded_and_end_in_a_violation() {
    let mut client = client();
    challenged(&mut client, |id| challenge(id, 401, REALM, b"n", None));
    let wrong = IntegrityKey::long_term("user", REALM, "other").unwrap();
    let mut now = ms(10);
    while client.in_progress() > 0 {
        for octets in sent(&mut client, now) {
            let id = Message::parse(&octets).unwrap().transaction_id();
            let forged = sealed(id, None, &wrong, IntegrityAlgorithm::Sha1);
            assert_eq!(receive(&mut client, now, path(), &forged), Handled::Consumed);
            assert_eq!(receive(&mut client, now, path(), &success(id)), Handled::Consumed, "unprotected");
        }
        now = client.poll_timeout().unwrap().at;
        client.handle_timeout(now);
    }
    let all = Discarded { count: 14, last: Some(Discard::BadIntegrity), error: None };
    assert_eq!(failure(&mut client), FailureReason::IntegrityViolated(all));
    let Stats { bad_integrity, .. } = client.stats();
    assert_eq!((bad_integrity, now), (14, ms(10 + 39_500)));
    // Over a stream the first one ends it.
    let mut client = super::client();
    let tcp = Path { transport: Transport::Tcp, ..path() };
    authenticated(&mut client, tcp);
    start(&mut client, ms(100), tcp, &user());
    let (id, _) = one(&mut client, ms(100));
    let _ = receive(&mut client, ms(110), tcp, &success(id));
    assert_eq!(failure(&mut client), FailureReason::IntegrityViolated(Discarded { count: 1, ..all }));
}

#[test]
fn addresses_that_the_transaction_veils_come_out_right_in_each_attempt() {
    let mut client = client();
    let peer = "203.0.113.77:7777".parse().unwrap();
    let request = Request::new(Method::BINDING).with_credential(user());
    client.request(ms(0), path(), request, move |open| open.attribute(&XorPeerAddress(peer))).unwrap();
    let v6 = "[2001:db8::7]:7777".parse().unwrap();
    let request = Request::new(Method::BINDING).with_credential(user());
    client.request(ms(0), path(), request, move |open| open.attribute(&XorPeerAddress(v6))).unwrap();
    for now in [ms(0), ms(10)] {
        let all = sent(&mut client, now);
        let read: Vec<_> = all.iter().map(|it| Message::parse(it).unwrap()).collect();
        let peers: Vec<SocketAddr> =
            read.iter().map(|it| it.get::<XorPeerAddress>().unwrap().unwrap().0).collect();
        assert_eq!(peers, [peer, v6]);
        for it in read {
            let _ =
                receive(&mut client, now, path(), &challenge(it.transaction_id(), 401, REALM, b"n", None));
        }
    }
}

#[test]
fn a_request_that_the_server_makes_too_large_fails() {
    let mut client = client();
    let huge = [b'n'; 763];
    challenged(&mut client, |id| challenge(id, 401, REALM, &huge, None));
    assert_eq!(failure(&mut client), FailureReason::NoRoom, "548 octets over IPv4, RFC 8489 section 6.1");
    let mut client = client_with(ClientConfig::default().with_path_mtu(1500));
    challenged(&mut client, |id| challenge(id, 401, REALM, &huge, None));
    assert_eq!(sent(&mut client, ms(10)).len(), 1);
}
