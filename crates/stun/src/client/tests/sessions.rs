//! What a session with a server survives, and what it does not: RFC 8489 sections 9.1.5, 9.2.5 and 10 at their edges.

use core::time::Duration;

use ginnel_core::{Handled, IcmpError, Notice, Path, Transport};

use super::{long_term::*, *};
use crate::{Integrity, IntegrityAlgorithm, ShortTermCredential, auth::SecurityFeatures, testing::PASSWORD};

/// Nobody knows this one.
struct Strange;
impl Attribute<'_> for Strange {
    const TYPE: AttributeType = AttributeType(0x7777);
    fn parse(_: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        Ok(Self)
    }
    fn encoded_len(&self) -> usize {
        0
    }
    fn write(&self, _: &mut [u8], _: TransactionId) {}
}
fn short_term(name: &str) -> ShortTermCredential {
    ShortTermCredential::new(name, PASSWORD).unwrap()
}
/// Whether a request bears MESSAGE-INTEGRITY, and MESSAGE-INTEGRITY-SHA256.
fn kinds(octets: &[u8]) -> (bool, bool) {
    let message = Message::parse(octets).unwrap();
    (message.has(AttributeType::MESSAGE_INTEGRITY), message.has(AttributeType::MESSAGE_INTEGRITY_SHA256))
}
fn plain(client: &mut Client, credential: &ShortTermCredential) {
    let request = Request::new(Method::BINDING).with_credential(credential.clone());
    client.request(ms(0), path(), request, |open| Ok(open)).unwrap();
}

#[test]
fn rfc8489_9_2_5_a_400_that_is_protected_is_an_answer() {
    let mut client = client();
    authenticated(&mut client, path());
    start(&mut client, ms(100), path(), &user());
    let (id, _) = one(&mut client, ms(100));
    let refused = sealed(id, Some(400), &sha256(), IntegrityAlgorithm::Sha256);
    let data = receive(&mut client, ms(110), path(), &refused);
    assert!(matches!(data, Handled::Data(it) if it.error == Some(400) && it.authenticated));
}

#[test]
fn rfc8489_6_3_4_a_challenge_that_is_not_understood_is_the_end() {
    let mut client = client();
    challenged(&mut client, |id| {
        response(Class::Error, id, |open| {
            let open = open.attribute(&ErrorCode::UNAUTHENTICATED)?.attribute(&Strange)?;
            let open = open.attribute(&Realm::new(REALM).unwrap())?;
            open.attribute(&Nonce::new(b"n").unwrap()).map(MessageWriter::finish)
        })
    });
    assert_eq!(failure(&mut client), FailureReason::ResponseNotUnderstood);
}

#[test]
fn a_second_401_leads_on_where_it_asks_for_another_name_of_the_user() {
    let mut client = client();
    challenged(&mut client, |id| challenge(id, 401, REALM, b"plain", None));
    let (id, _) = one(&mut client, ms(10));
    let anonymous = nonce(SecurityFeatures::default().with_username_anonymity(true), "2");
    let _ = receive(&mut client, ms(20), path(), &challenge(id, 401, REALM, &anonymous, None));
    let (_, octets) = one(&mut client, ms(20));
    assert!(
        Message::parse(&octets).unwrap().has(AttributeType::USERHASH),
        "RFC 8489 section 9.2.5: it changes"
    );
}

#[test]
fn a_401_must_name_its_realm_even_where_one_is_known() {
    let mut client = client();
    authenticated(&mut client, path());
    start(&mut client, ms(100), path(), &user());
    let (id, _) = one(&mut client, ms(100));
    let bare = response(Class::Error, id, |open| {
        let open = open.attribute(&ErrorCode::UNAUTHENTICATED)?;
        let open = open.attribute(&Nonce::new(&nonce(algorithms(), "2")).unwrap())?;
        open.attribute(&PasswordAlgorithms::new(&[PasswordAlgorithm::SHA256])).map(MessageWriter::finish)
    });
    let _ = receive(&mut client, ms(110), path(), &bare);
    assert_eq!(failure(&mut client), FailureReason::BadChallenge);
}

#[test]
fn rfc8489_9_2_3_2_a_438_does_not_change_the_kind_of_integrity() {
    let mut client = client();
    challenged(&mut client, |id| challenge(id, 401, REALM, b"1", None));
    let (id, octets) = one(&mut client, ms(10));
    assert_eq!(kinds(&octets), (true, false));
    let _ = receive(&mut client, ms(20), path(), &sealed(id, None, &md5(), IntegrityAlgorithm::Sha256));
    start(&mut client, ms(30), path(), &user());
    let (id, _) = one(&mut client, ms(30));
    let _ = receive(&mut client, ms(40), path(), &challenge(id, 438, REALM, b"2", None));
    let (_, octets) = one(&mut client, ms(40));
    assert_eq!(kinds(&octets), (false, true), "that of the first response");
}

#[test]
fn rfc8489_9_2_5_a_438_with_another_algorithm_makes_another_key() {
    let mut client = client();
    authenticated(&mut client, path());
    start(&mut client, ms(100), path(), &user());
    let (id, _) = one(&mut client, ms(100));
    let other = nonce(algorithms(), "2");
    let stale = challenge(id, 438, REALM, &other, Some(&[PasswordAlgorithm::MD5]));
    let _ = receive(&mut client, ms(110), path(), &stale);
    let (_, octets) = one(&mut client, ms(110));
    assert_eq!(kinds(&octets), (false, true));
    assert_eq!(Message::parse(&octets).unwrap().integrity(&md5()), Integrity::Ok);
}

#[test]
fn rfc8489_18_5_1_an_algorithm_with_parameters_is_another_one() {
    let mut client = client();
    let strange = PasswordAlgorithm::new(Algorithm::SHA256, b"salt").unwrap();
    let announced = nonce(algorithms(), "1");
    challenged(&mut client, |id| {
        challenge(id, 401, REALM, &announced, Some(&[strange, PasswordAlgorithm::MD5]))
    });
    let (_, octets) = one(&mut client, ms(10));
    let message = Message::parse(&octets).unwrap();
    assert_eq!(message.get(), Ok(Some(PasswordAlgorithm::MD5)));
    assert_eq!(message.integrity(&md5()), Integrity::Ok);
}

#[test]
fn what_a_server_said_is_not_shown_to_the_one_it_names() {
    let mut client = client();
    authenticated(&mut client, path());
    start(&mut client, ms(100), path(), &user());
    let (id, _) = one(&mut client, ms(100));
    let other = "203.0.113.1:3478".parse().unwrap();
    let redirected = response(Class::Error, id, |open| {
        let open = open.attribute(&ErrorCode::TRY_ALTERNATE)?.attribute(&AlternateServer(other))?;
        open.integrity_as(IntegrityAlgorithm::Sha256, &sha256()).map(MessageWriter::finish)
    });
    let _ = receive(&mut client, ms(110), path(), &redirected);
    let (to, octets) = sent_to(&mut client, ms(110)).remove(0);
    let message = Message::parse(&octets).unwrap();
    assert_eq!(
        (to.remote, message.integrity_algorithm()),
        (other, None),
        "it has not asked for anything yet"
    );
    assert!(!message.has(AttributeType::USERNAME) && !message.has(AttributeType::NONCE));
}

#[test]
fn a_session_belongs_to_its_transport() {
    let tcp = Path { transport: Transport::Tcp, ..path() };
    for (known, other) in [(path(), tcp), (tcp, path())] {
        let mut client = client();
        authenticated(&mut client, known);
        start(&mut client, ms(100), other, &user());
        let (_, octets) = sent_to(&mut client, ms(100)).remove(0);
        assert_eq!(kinds(&octets), (false, false), "{known}, {other}");
    }
}

#[test]
fn rfc8489_9_1_5_what_is_learnt_of_one_credential_says_nothing_of_another() {
    let mut client = client();
    let (me, you) = (short_term("me"), short_term("you"));
    plain(&mut client, &me);
    let (id, _) = one(&mut client, ms(0));
    let _ = receive(&mut client, ms(1), path(), &sealed(id, None, me.key(), IntegrityAlgorithm::Sha1));
    plain(&mut client, &you);
    assert_eq!(kinds(&one(&mut client, ms(2)).1), (true, true));
    plain(&mut client, &me);
    assert_eq!(kinds(&one(&mut client, ms(3)).1), (true, false));
}

#[test]
fn rfc8489_9_1_5_an_error_500_teaches_the_kind_of_integrity_too() {
    let mut client = client();
    let me = short_term("me");
    plain(&mut client, &me);
    let (id, octets) = one(&mut client, ms(0));
    assert_eq!(kinds(&octets), (true, true));
    let _ = receive(&mut client, ms(1), path(), &sealed(id, Some(500), me.key(), IntegrityAlgorithm::Sha1));
    let at = client.poll_timeout().unwrap().at;
    client.handle_timeout(at);
    assert_eq!(kinds(&one(&mut client, at).1), (true, false));
}

#[test]
fn a_500_takes_back_the_retransmission_that_waits() {
    let mut client = client();
    let id = ask(&mut client, path());
    sent(&mut client, ms(0));
    client.handle_timeout(ms(500));
    let failed = response(Class::Error, id, |open| {
        open.attribute(&ErrorCode::new(500, "").unwrap()).map(MessageWriter::finish)
    });
    let _ = receive(&mut client, ms(500), path(), &failed);
    assert!(sent(&mut client, ms(500)).is_empty(), "not before its time");
    assert!(client.poll_timeout().unwrap().at > ms(500));
}

#[test]
fn what_was_discarded_in_one_attempt_is_not_told_of_the_next() {
    let mut client = client();
    challenged(&mut client, |id| challenge(id, 401, REALM, b"1", None));
    let (id, _) = one(&mut client, ms(10));
    assert_eq!(receive(&mut client, ms(20), path(), &success(id)), Handled::Consumed, "unprotected");
    assert_eq!(client.stats().bad_integrity, 1);
    let _ = receive(&mut client, ms(30), path(), &challenge(id, 438, REALM, b"2", None));
    let mut now = ms(30);
    while client.in_progress() > 0 {
        sent(&mut client, now);
        now = client.poll_timeout().unwrap().at;
        client.handle_timeout(now);
    }
    assert_eq!(failure(&mut client), TIMED_OUT);
}

#[test]
fn a_challenge_over_a_stream_teaches_no_rto() {
    let mut client = client();
    let tcp = Path { transport: Transport::Tcp, ..path() };
    start(&mut client, ms(0), tcp, &user());
    let (id, _) = one(&mut client, ms(0));
    let _ = receive(&mut client, ms(5000), tcp, &challenge(id, 401, REALM, b"1", None));
    assert_eq!(client.rto(ms(5000), tcp.remote.ip()), Duration::from_millis(500));
}

#[test]
fn a_lost_path_to_a_server_leaves_its_other_paths() {
    let mut client = client();
    let other = Path { local: "192.0.2.1:6000".parse().unwrap(), ..path() };
    client.binding(ms(0), path()).unwrap();
    client.binding(ms(0), other).unwrap();
    let remote = Some(path().remote);
    client.handle_notice(ms(1), Notice::Lost { transport: Transport::Udp, local: other.local, remote });
    assert!(matches!(client.poll_event(), Some(Event::Failed { path, .. }) if path == other));
    assert_eq!((client.poll_event(), client.in_progress()), (None, 1));
}

#[test]
fn too_big_is_what_with_its_headers_does_not_pass() {
    for (mtu, fails) in [(92, false), (91, true)] {
        let mut client = client();
        let text = "x".repeat(40);
        let request = Request::new(Method::BINDING);
        client
            .request(ms(0), path(), request, move |open| open.attribute(&Username::new(&text).unwrap()))
            .unwrap();
        assert_eq!(sent(&mut client, ms(0))[0].len(), 64);
        let error = IcmpError::v4(3, 4, mtu);
        client.handle_notice(ms(1), Notice::Unreachable { path: path(), error });
        assert_eq!(client.in_progress() == 0, fails, "{mtu}");
    }
}

#[test]
fn a_server_on_this_host_may_name_another_port_of_it() {
    let mut client = client();
    let own = Path { remote: "192.0.2.1:3478".parse().unwrap(), ..path() };
    let other = "192.0.2.1:3479".parse().unwrap();
    let me = short_term("me");
    let request = Request::new(Method::BINDING).with_credential(me.clone());
    client.request(ms(0), own, request, |open| Ok(open)).unwrap();
    let (id, _) = one(&mut client, ms(0));
    let redirected = response(Class::Error, id, |open| {
        let open = open.attribute(&ErrorCode::TRY_ALTERNATE)?.attribute(&AlternateServer(other))?;
        open.integrity_as(IntegrityAlgorithm::Sha256, me.key()).map(MessageWriter::finish)
    });
    let _ = receive(&mut client, ms(1), own, &redirected);
    assert_eq!(sent_to(&mut client, ms(1)).remove(0).0.remote, other);
}

#[test]
fn rfc8489_10_a_domain_is_for_certificates_alone() {
    let mut client = client();
    let tcp = Path { transport: Transport::Tcp, ..path() };
    let me = short_term("me");
    let request = Request::new(Method::BINDING).with_credential(me.clone());
    client.request(ms(0), tcp, request, |open| Ok(open)).unwrap();
    let (id, _) = one(&mut client, ms(0));
    let redirected = response(Class::Error, id, |open| {
        let open = open.attribute(&ErrorCode::TRY_ALTERNATE)?;
        let open = open.attribute(&AlternateServer("203.0.113.1:3478".parse().unwrap()))?;
        let open = open.attribute(&AlternateDomain::new("b.example.org").unwrap())?;
        open.integrity_as(IntegrityAlgorithm::Sha256, me.key()).map(MessageWriter::finish)
    });
    let _ = receive(&mut client, ms(1), tcp, &redirected);
    assert!(matches!(client.poll_event(), Some(Event::Alternate { domain: None, .. })));
}

#[test]
fn hours_that_pass_at_once_send_each_request_once() {
    let mut client = client();
    for _ in 0..3 {
        client.binding(ms(0), path()).unwrap();
    }
    sent(&mut client, ms(0));
    let late = ms(10 * 3_600_000);
    client.handle_timeout(late);
    assert_eq!(sent(&mut client, late).len(), 3);
    assert_eq!(
        client.poll_timeout().unwrap().at,
        late + Duration::from_secs(1),
        "the schedule goes on from now"
    );
    assert_eq!((client.poll_event(), client.in_progress()), (None, 3));
}
