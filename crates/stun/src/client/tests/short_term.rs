//! RFC 8489 section 9.1, from the client's side.

use alloc::vec::Vec;
use core::time::Duration;

use ginnel_core::{Handled, Path, Transport};

use super::*;
use crate::{Integrity, IntegrityAlgorithm, IntegrityKey, ShortTermCredential, testing::PASSWORD};

/// A Binding with a short-term credential, and its transaction.
fn protected(client: &mut Client, path: Path, only: Option<IntegrityAlgorithm>) -> TransactionId {
    let credential = ShortTermCredential::new("me", PASSWORD).unwrap();
    let credential = match only {
        Some(algorithm) => credential.with_only(algorithm),
        None => credential,
    };
    with(client, path, &credential)
}
fn with(client: &mut Client, path: Path, credential: &ShortTermCredential) -> TransactionId {
    let request = Request::new(Method::BINDING).with_credential(credential.clone());
    let request = client.request(ms(0), path, request, |open| Ok(open)).unwrap();
    transaction(client, request)
}
fn sealed(id: TransactionId, password: &str, algorithm: IntegrityAlgorithm) -> Vec<u8> {
    let key = IntegrityKey::short_term(password).unwrap();
    response(Class::Success, id, |open| {
        open.attribute(&XorMappedAddress(mapped()))?.integrity_as(algorithm, &key).map(MessageWriter::finish)
    })
}

#[test]
fn rfc8489_9_1_4_a_response_is_authenticated_as_its_request_was() {
    use IntegrityAlgorithm::{Sha1, Sha256};
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    for (only, answer, accepted) in [
        (Some(Sha1), Sha1, true),
        (Some(Sha256), Sha256, true),
        (Some(Sha1), Sha256, false),
        (Some(Sha256), Sha1, false),
        (None, Sha1, true),
        (None, Sha256, true),
    ] {
        let mut client = client();
        let id = protected(&mut client, path(), only);
        let request = sent(&mut client, ms(0)).remove(0);
        let request = Message::parse(&request).unwrap();
        assert_eq!(request.integrity(&key), Integrity::Ok);
        let both = request.has(AttributeType::MESSAGE_INTEGRITY)
            && request.has(AttributeType::MESSAGE_INTEGRITY_SHA256);
        assert_eq!(both, only.is_none(), "RFC 8489 section 9.1.2");
        let handled = receive(&mut client, ms(30), path(), &sealed(id, PASSWORD, answer));
        match handled {
            Handled::Data(data) if accepted => {
                assert_eq!((data.class, data.error, data.authenticated), (Class::Success, None, true));
                assert_eq!(data.rtt, Some(Duration::from_millis(30)));
            }
            Handled::Consumed if !accepted => assert_eq!(client.stats().bad_integrity, 1),
            other => panic!("{only:?} answered with {answer:?}: {other:?}"),
        }
    }
}

#[test]
fn rfc8489_9_1_4_discarded_responses_end_in_a_violation_not_a_timeout() {
    let mut client = client();
    let id = protected(&mut client, path(), Some(IntegrityAlgorithm::Sha1));
    let forged = sealed(id, "another password", IntegrityAlgorithm::Sha1);
    let mut now = ms(0);
    while client.in_progress() > 0 {
        for _ in sent(&mut client, now) {
            assert_eq!(receive(&mut client, now, path(), &forged), Handled::Consumed);
            assert_eq!(receive(&mut client, now, path(), &success(id)), Handled::Consumed, "unprotected");
        }
        now = client.poll_timeout().unwrap().at;
        client.handle_timeout(now);
    }
    let all = Discarded { count: 14, last: Some(Discard::BadIntegrity), error: None };
    assert_eq!((failure(&mut client), now), (FailureReason::IntegrityViolated(all), ms(39500)));
    assert_eq!(client.stats().bad_integrity, 14);
}

#[test]
fn rfc8489_9_1_4_over_a_stream_a_violation_ends_at_once() {
    let mut client = client();
    let tcp = Path { transport: Transport::Tcp, ..path() };
    let id = protected(&mut client, tcp, None);
    sent(&mut client, ms(0));
    assert_eq!(receive(&mut client, ms(1), tcp, &success(id)), Handled::Consumed);
    let one = Discarded { count: 1, last: Some(Discard::BadIntegrity), error: None };
    assert_eq!((failure(&mut client), client.in_progress()), (FailureReason::IntegrityViolated(one), 0));
}

#[test]
fn rfc8489_9_1_5_later_requests_bear_what_the_first_response_bore() {
    use IntegrityAlgorithm::{Sha1, Sha256};
    for (answer, other) in [(Sha1, Sha256), (Sha256, Sha1)] {
        let mut client = client();
        let credential = ShortTermCredential::new("me", PASSWORD).unwrap();
        let first = with(&mut client, path(), &credential);
        sent(&mut client, ms(0));
        let _ = receive(&mut client, ms(1), path(), &sealed(first, PASSWORD, answer));
        let second = with(&mut client, path(), &credential);
        let request = sent(&mut client, ms(2)).remove(0);
        let request = Message::parse(&request).unwrap();
        let both = request.has(AttributeType::MESSAGE_INTEGRITY)
            && request.has(AttributeType::MESSAGE_INTEGRITY_SHA256);
        assert_eq!((request.integrity_algorithm(), both), (Some(answer), false));
        assert_eq!(request.get::<Username<'_>>().unwrap().unwrap().as_str(), "me");
        let _ = receive(&mut client, ms(3), path(), &sealed(second, PASSWORD, other));
        assert_eq!((client.stats().bad_integrity, client.in_progress()), (1, 1));
        // The same server is the same IP address and port.
        let elsewhere = Path { remote: "198.51.100.1:3479".parse().unwrap(), ..path() };
        with(&mut client, elsewhere, &credential);
        let request = sent(&mut client, ms(4)).remove(0);
        let request = Message::parse(&request).unwrap();
        assert!(
            request.has(AttributeType::MESSAGE_INTEGRITY)
                && request.has(AttributeType::MESSAGE_INTEGRITY_SHA256)
        );
    }
}
