use alloc::{vec, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use ginnel_core::{Buffer, Handled, Instant, Notice, Packet, Path, Receive, Seed, Transport};

use super::{Algorithms, Client, ClientConfig, Event, FailureReason, Request, StartError};
use crate::{
    Class, Integrity, IntegrityAlgorithm, IntegrityKey, Message, MessageWriter, Method, TransactionId,
    attribute::*,
    testing::{ByHand, PASSWORD},
};

fn ms(ms: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(ms)
}
fn path() -> Path {
    Path::udp("192.0.2.1:5000".parse().unwrap(), "198.51.100.1:3478".parse().unwrap())
}
fn client() -> Client {
    Client::new(ClientConfig::default(), Seed::new([7; 32]))
}
/// What is sent at `now`.
fn sent(client: &mut Client, now: Instant) -> Vec<Vec<u8>> {
    let mut buffer: Buffer = [0; _];
    let mut all = Vec::new();
    loop {
        let mut packet = Packet::empty(&mut buffer);
        let Some(transmit) = client.poll_transmit(now, &mut packet) else { return all };
        assert_eq!(transmit.path.local, path().local);
        all.push(packet.bytes().to_vec());
    }
}
fn receive(client: &mut Client, now: Instant, path: Path, octets: &[u8]) -> Handled<super::Response> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(octets).unwrap();
    let mut input = Receive::new(path, packet);
    let handled = client.handle_input(now, &mut input);
    if handled == Handled::Foreign {
        assert_eq!(input.packet.bytes(), octets, "what is not ours is untouched");
    }
    handled
}
/// A response, written by the crate's own writer.
fn response(
    class: Class,
    id: TransactionId,
    write: impl for<'p, 'a> FnOnce(MessageWriter<'p, 'a>) -> Result<(), ginnel_core::NoRoom>,
) -> Vec<u8> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    MessageWriter::new(&mut packet, class, Method::BINDING, id).and_then(write).unwrap();
    packet.bytes().to_vec()
}
fn mapped() -> SocketAddr {
    "203.0.113.9:40000".parse().unwrap()
}
fn success(id: TransactionId) -> Vec<u8> {
    response(Class::Success, id, |open| {
        open.attribute(&XorMappedAddress(mapped())).map(MessageWriter::finish)
    })
}
fn failure(client: &mut Client) -> FailureReason {
    match client.poll_event() {
        Some(Event::Failed { reason, .. }) => reason,
        other => panic!("{other:?} is no failure"),
    }
}

#[test]
fn rfc8489_6_2_1_schedule() {
    let mut client = client();
    let id = client.binding(ms(0), path()).unwrap();
    let mut first = None;
    let mut times = Vec::new();
    let mut now = ms(0);
    let failed_at = loop {
        for octets in sent(&mut client, now) {
            times.push(now.since_epoch().as_millis());
            assert_eq!(first.get_or_insert(octets.clone()), &octets, "every resend is the same");
        }
        if let Some(event) = client.poll_event() {
            assert_eq!(
                event,
                Event::Failed { transaction: id, path: path(), reason: FailureReason::TimedOut }
            );
            break now;
        }
        now = client.poll_timeout().expect("it waits").at;
        client.handle_timeout(now);
    };
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(failed_at, ms(39500));
    assert_eq!((client.in_progress(), client.poll_timeout()), (0, None));
    let stats = client.stats();
    assert_eq!((stats.started, stats.sent, stats.retransmitted, stats.failed), (1, 7, 6, 1));
}

#[test]
fn rfc8489_6_2_2_a_stream_is_given_up_after_ti_without_retransmission() {
    let mut client = client();
    let tcp = Path { transport: Transport::Tcp, ..path() };
    client.binding(ms(0), tcp).unwrap();
    assert_eq!(sent(&mut client, ms(0)).len(), 1);
    assert_eq!(client.poll_timeout().unwrap().at, ms(39500));
    client.handle_timeout(ms(39500));
    assert_eq!(sent(&mut client, ms(39500)).len(), 0);
    assert_eq!(failure(&mut client), FailureReason::TimedOut);
}

#[test]
fn an_answer_ends_the_transaction_with_the_mapped_address_and_the_round_trip() {
    let mut client = client();
    let id = client.binding(ms(0), path()).unwrap();
    sent(&mut client, ms(10));
    assert_eq!(receive(&mut client, ms(90), path(), &success(id)), Handled::Consumed);
    let rtt = Some(Duration::from_millis(80));
    assert_eq!(
        client.poll_event(),
        Some(Event::Mapped { transaction: id, path: path(), mapped: mapped(), rtt })
    );
    assert_eq!((client.poll_event(), client.poll_timeout()), (None, None));
    // A second copy is no longer ours.
    assert_eq!(receive(&mut client, ms(91), path(), &success(id)), Handled::Foreign);
}

#[test]
fn rfc8489_6_2_1_karn_no_round_trip_from_a_retransmitted_request() {
    let mut client = client();
    let id = client.binding(ms(0), path()).unwrap();
    sent(&mut client, ms(0));
    client.handle_timeout(ms(500));
    assert_eq!(sent(&mut client, ms(500)).len(), 1);
    let _ = receive(&mut client, ms(510), path(), &success(id));
    assert!(matches!(client.poll_event(), Some(Event::Mapped { rtt: None, .. })));
}

#[test]
fn many_transactions_at_once_are_told_apart() {
    let mut client = client();
    let ids: Vec<_> = (0..10).map(|_| client.binding(ms(0), path()).unwrap()).collect();
    assert_eq!(client.binding(ms(0), path()), Err(StartError::TooManyToServer));
    let requests = sent(&mut client, ms(0));
    let asked: Vec<_> = requests.iter().map(|it| Message::parse(it).unwrap().transaction_id()).collect();
    assert_eq!(asked, ids);
    for &id in ids.iter().rev() {
        assert_eq!(receive(&mut client, ms(20), path(), &success(id)), Handled::Consumed);
        assert!(matches!(client.poll_event(), Some(Event::Mapped { transaction, .. }) if transaction == id));
    }
    assert_eq!((client.in_progress(), client.poll_timeout()), (0, None));
}

#[test]
fn bounds_count_events_that_wait() {
    let config = ClientConfig::default().with_max_transactions(2, 2);
    let mut client = Client::new(config, Seed::new([7; 32]));
    let first = client.binding(ms(0), path()).unwrap();
    client.binding(ms(0), path()).unwrap();
    assert_eq!(client.binding(ms(0), path()), Err(StartError::TooMany));
    sent(&mut client, ms(0));
    let _ = receive(&mut client, ms(1), path(), &success(first));
    assert_eq!(client.binding(ms(1), path()), Err(StartError::TooMany), "an event waits");
    assert!(client.poll_event().is_some());
    assert!(client.binding(ms(1), path()).is_ok());
}

#[test]
fn sec_15_unknown_transactions_and_wrong_addresses_are_ignored() {
    let mut client = client();
    let id = client.binding(ms(0), path()).unwrap();
    sent(&mut client, ms(0));
    let mut stranger = id.octets();
    stranger[11] ^= 1;
    let stranger = success(TransactionId::new(stranger));
    assert_eq!(receive(&mut client, ms(1), path(), &stranger), Handled::Foreign);
    for wrong in [
        Path { remote: "198.51.100.1:3479".parse().unwrap(), ..path() },
        Path { remote: "198.51.100.2:3478".parse().unwrap(), ..path() },
        Path { local: "192.0.2.1:5001".parse().unwrap(), ..path() },
        Path { transport: Transport::Tcp, ..path() },
    ] {
        assert_eq!(receive(&mut client, ms(1), wrong, &success(id)), Handled::Consumed);
    }
    assert_eq!((client.stats().unknown_transaction, client.stats().wrong_path), (1, 4));
    // Retransmission continues, and the true answer still counts.
    assert_eq!((client.poll_event(), client.poll_timeout().unwrap().at), (None, ms(500)));
    client.handle_timeout(ms(500));
    assert_eq!(sent(&mut client, ms(500)).len(), 1);
    let _ = receive(&mut client, ms(520), path(), &success(id));
    assert!(matches!(client.poll_event(), Some(Event::Mapped { .. })));
}

#[test]
fn requests_indications_and_other_protocols_are_foreign() {
    let mut client = client();
    client.binding(ms(0), path()).unwrap();
    let request = sent(&mut client, ms(0)).remove(0);
    assert_eq!(receive(&mut client, ms(1), path(), &request), Handled::Foreign, "our own request, reflected");
    let indication = ByHand::new(Class::Indication, Method::BINDING).octets();
    assert_eq!(receive(&mut client, ms(1), path(), &indication), Handled::Foreign);
    assert_eq!(receive(&mut client, ms(1), path(), b"\x80rtp"), Handled::Foreign);
}

#[test]
fn a_response_of_another_method_or_with_a_bad_fingerprint_is_discarded() {
    let mut client = client();
    let id = client.binding(ms(0), path()).unwrap();
    sent(&mut client, ms(0));
    let mut other_method = success(id);
    other_method[1] = 0x03;
    let mut damaged =
        response(Class::Success, id, |open| open.attribute(&XorMappedAddress(mapped()))?.fingerprint());
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(receive(&mut client, ms(1), path(), &other_method), Handled::Consumed);
    assert_eq!(receive(&mut client, ms(1), path(), &damaged), Handled::Consumed);
    assert_eq!((client.stats().wrong_method, client.stats().bad_fingerprint), (1, 1));
    assert_eq!((client.poll_event(), client.in_progress()), (None, 1));
}

#[test]
fn rfc8489_7_where_fingerprint_is_used_it_must_be_there() {
    let config = ClientConfig::default().with_fingerprint(true);
    let mut client = Client::new(config, Seed::new([7; 32]));
    let id = client.binding(ms(0), path()).unwrap();
    let request = sent(&mut client, ms(0)).remove(0);
    assert_eq!(Message::parse(&request).unwrap().fingerprint(), crate::Fingerprint::Ok);
    let _ = receive(&mut client, ms(1), path(), &success(id));
    assert_eq!((client.poll_event(), client.stats().bad_fingerprint), (None, 1));
    let whole =
        response(Class::Success, id, |open| open.attribute(&XorMappedAddress(mapped()))?.fingerprint());
    let _ = receive(&mut client, ms(2), path(), &whole);
    assert!(matches!(client.poll_event(), Some(Event::Mapped { .. })));
}

#[test]
fn every_failure_says_why() {
    let bad = |write: fn(MessageWriter<'_, '_>) -> Result<(), ginnel_core::NoRoom>, class| {
        let mut client = client();
        let id = client.binding(ms(0), path()).unwrap();
        sent(&mut client, ms(0));
        assert_eq!(receive(&mut client, ms(1), path(), &response(class, id, write)), Handled::Consumed);
        let reason = failure(&mut client);
        assert_eq!((client.poll_event(), client.poll_timeout(), client.stats().failed), (None, None, 1));
        reason
    };
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
    // RFC 8489 sections 6.3.3 and 6.3.4.
    let strange = bad(
        |open| open.attribute(&XorMappedAddress(mapped()))?.attribute(&Strange).map(MessageWriter::finish),
        Class::Success,
    );
    assert_eq!(strange, FailureReason::ResponseNotUnderstood);
    let empty = |open: MessageWriter<'_, '_>| {
        open.finish();
        Ok(())
    };
    assert_eq!(bad(empty, Class::Success), FailureReason::NoMappedAddress);
    assert_eq!(bad(empty, Class::Error), FailureReason::NoErrorCode);
    let refused = bad(
        |open| {
            let open = open.attribute(&ErrorCode::UNKNOWN_ATTRIBUTE)?;
            open.attribute(&UnknownAttributes::new(&[AttributeType(1)])).map(MessageWriter::finish)
        },
        Class::Error,
    );
    assert_eq!(refused, FailureReason::Refused(420));
}

#[test]
fn a_lost_socket_fails_what_was_asked_through_it() {
    let mut client = client();
    let other = Path { remote: "198.51.100.2:3478".parse().unwrap(), ..path() };
    client.binding(ms(0), path()).unwrap();
    client.binding(ms(0), other).unwrap();
    sent(&mut client, ms(0));
    client.handle_notice(
        ms(1),
        Notice::Lost { transport: Transport::Udp, local: path().local, remote: Some(path().remote) },
    );
    assert_eq!((failure(&mut client), client.in_progress()), (FailureReason::SocketLost, 1));
    client
        .handle_notice(ms(1), Notice::Lost { transport: Transport::Udp, local: path().local, remote: None });
    assert_eq!((failure(&mut client), client.in_progress()), (FailureReason::SocketLost, 0));
}

#[test]
fn a_cancelled_transaction_is_silent() {
    let mut client = client();
    let early = client.binding(ms(0), path()).unwrap();
    assert!(client.cancel(early) && !client.cancel(early));
    assert_eq!(sent(&mut client, ms(0)), Vec::<Vec<u8>>::new());
    let late = client.binding(ms(0), path()).unwrap();
    sent(&mut client, ms(0));
    assert!(client.cancel(late));
    assert_eq!((client.poll_event(), client.poll_timeout()), (None, None));
}

#[test]
fn closing_fails_everything_and_says_so_last() {
    let mut client = client();
    client.binding(ms(0), path()).unwrap();
    let id = client.binding(ms(0), path()).unwrap();
    client.close(ms(1));
    assert!(client.is_closed());
    assert_eq!(failure(&mut client), FailureReason::Closed);
    assert_eq!(failure(&mut client), FailureReason::Closed);
    assert_eq!((client.poll_event(), client.poll_event()), (Some(Event::Closed), None));
    assert_eq!(client.binding(ms(1), path()), Err(StartError::Closed));
    assert_eq!(receive(&mut client, ms(1), path(), &success(id)), Handled::Foreign);
    assert_eq!((sent(&mut client, ms(1)), client.poll_timeout()), (vec![], None));
    client.close(ms(2));
    assert_eq!(client.poll_event(), None);
}

fn protected(client: &mut Client, path: Path, algorithms: Algorithms) -> TransactionId {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let request = Request::new(Method::BINDING).with_protection(key, algorithms);
    client.request(ms(0), path, request, |open| open.attribute(&Username::new("me").unwrap())).unwrap()
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
    for (algorithms, answer, accepted) in [
        (Algorithms::Only(Sha1), Sha1, true),
        (Algorithms::Only(Sha256), Sha256, true),
        (Algorithms::Only(Sha1), Sha256, false),
        (Algorithms::Only(Sha256), Sha1, false),
        (Algorithms::Both, Sha1, true),
        (Algorithms::Both, Sha256, true),
    ] {
        let mut client = client();
        let id = protected(&mut client, path(), algorithms);
        let request = sent(&mut client, ms(0)).remove(0);
        let request = Message::parse(&request).unwrap();
        assert_eq!(request.integrity(&key), Integrity::Ok);
        let both = request.has(AttributeType::MESSAGE_INTEGRITY)
            && request.has(AttributeType::MESSAGE_INTEGRITY_SHA256);
        assert_eq!(both, algorithms == Algorithms::Both, "RFC 8489 section 9.1.2");
        let handled = receive(&mut client, ms(30), path(), &sealed(id, PASSWORD, answer));
        match handled {
            Handled::Data(data) if accepted => {
                assert_eq!((data.transaction, data.class), (id, Class::Success));
                assert_eq!(data.rtt, Some(Duration::from_millis(30)));
            }
            Handled::Consumed if !accepted => assert_eq!(client.stats().bad_integrity, 1),
            other => panic!("{algorithms:?} answered with {answer:?}: {other:?}"),
        }
    }
}

#[test]
fn rfc8489_9_1_4_discarded_responses_end_in_a_violation_not_a_timeout() {
    let mut client = client();
    let id = protected(&mut client, path(), Algorithms::Only(IntegrityAlgorithm::Sha1));
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
    assert_eq!((failure(&mut client), now), (FailureReason::IntegrityViolated, ms(39500)));
    assert_eq!(client.stats().bad_integrity, 14);
}

#[test]
fn rfc8489_9_1_4_over_a_stream_a_violation_ends_at_once() {
    let mut client = client();
    let tcp = Path { transport: Transport::Tcp, ..path() };
    let id = protected(&mut client, tcp, Algorithms::Both);
    sent(&mut client, ms(0));
    assert_eq!(receive(&mut client, ms(1), tcp, &success(id)), Handled::Consumed);
    assert_eq!((failure(&mut client), client.in_progress()), (FailureReason::IntegrityViolated, 0));
}

#[test]
fn a_request_that_does_not_fit_is_not_started() {
    let mut client = client();
    let text = "x".repeat(508);
    let username = Username::new(&text).unwrap();
    let full = client.request(ms(0), path(), Request::new(Method::BINDING), |open| {
        open.attribute(&username)?.attribute(&username)?.attribute(&username)?.attribute(&username)
    });
    assert_eq!((full, client.in_progress()), (Err(StartError::NoRoom), 0));
    assert!(sent(&mut client, ms(0)).is_empty());
}

#[test]
fn the_same_seed_and_script_give_the_same_octets() {
    let run = |seed| {
        let mut client = Client::new(ClientConfig::default(), Seed::new([seed; 32]));
        let mut log = Vec::new();
        for _ in 0..5 {
            client.binding(ms(0), path()).unwrap();
        }
        for now in [ms(0), ms(500), ms(1500)] {
            client.handle_timeout(now);
            log.extend(sent(&mut client, now));
        }
        log
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert_eq!(run(1).len(), 15);
}
