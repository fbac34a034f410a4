//! RFC 8489 sections 6.2.1 and 6.2.2: when requests are sent again, and when they are given up.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use ginnel_core::{Handled, Notice, Path, Seed, Transport};

use super::*;
use crate::testing::ByHand;

#[test]
fn rfc8489_6_2_1_schedule() {
    let mut client = client();
    let request = client.binding(ms(0), path()).unwrap();
    let mut first = None;
    let mut times = Vec::new();
    let mut now = ms(0);
    let failed_at = loop {
        for octets in sent(&mut client, now) {
            times.push(now.since_epoch().as_millis());
            assert_eq!(first.get_or_insert(octets.clone()), &octets, "every resend is the same");
        }
        if let Some(event) = client.poll_event() {
            assert_eq!(event, Event::Failed { request, path: path(), reason: TIMED_OUT });
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
    assert_eq!(failure(&mut client), TIMED_OUT);
}

#[test]
fn an_answer_ends_the_transaction_with_the_mapped_address_and_the_round_trip() {
    let mut client = client();
    let request = client.binding(ms(0), path()).unwrap();
    let id = transaction(&client, request);
    sent(&mut client, ms(10));
    assert_eq!(receive(&mut client, ms(90), path(), &success(id)), Handled::Consumed);
    let rtt = Some(Duration::from_millis(80));
    assert_eq!(client.poll_event(), Some(Event::Mapped { request, path: path(), mapped: mapped(), rtt }));
    assert_eq!((client.poll_event(), client.poll_timeout()), (None, None));
    // A second copy is no longer ours.
    assert_eq!(receive(&mut client, ms(91), path(), &success(id)), Handled::Foreign);
}

#[test]
fn rfc8489_6_2_1_karn_no_round_trip_from_a_retransmitted_request() {
    let mut client = client();
    let id = ask(&mut client, path());
    sent(&mut client, ms(0));
    client.handle_timeout(ms(500));
    assert_eq!(sent(&mut client, ms(500)).len(), 1);
    let _ = receive(&mut client, ms(510), path(), &success(id));
    assert!(matches!(client.poll_event(), Some(Event::Mapped { rtt: None, .. })));
}

#[test]
fn many_transactions_at_once_are_told_apart() {
    let mut client = client();
    let requests: Vec<_> = (0..10).map(|_| client.binding(ms(0), path()).unwrap()).collect();
    let ids: Vec<_> = requests.iter().map(|&request| transaction(&client, request)).collect();
    assert_eq!(client.binding(ms(0), path()), Err(StartError::TooManyToServer));
    let octets = sent(&mut client, ms(0));
    let asked: Vec<_> = octets.iter().map(|it| Message::parse(it).unwrap().transaction_id()).collect();
    assert_eq!(asked, ids);
    for (&expected, &id) in requests.iter().zip(&ids).rev() {
        assert_eq!(receive(&mut client, ms(20), path(), &success(id)), Handled::Consumed);
        assert!(matches!(client.poll_event(), Some(Event::Mapped { request, .. }) if request == expected));
    }
    assert_eq!((client.in_progress(), client.poll_timeout()), (0, None));
}

#[test]
fn rfc8489_6_2_a_stream_is_not_limited_to_ten() {
    let mut client = client();
    for (transport, limited) in
        [(Transport::Tcp, false), (Transport::Tls, false), (Transport::Udp, true), (Transport::Dtls, true)]
    {
        let remote = ([198, 51, 100, 1], 3000 + transport as u16).into();
        let path = Path { transport, remote, ..path() };
        for _ in 0..10 {
            client.binding(ms(0), path).unwrap();
        }
        assert_eq!(client.binding(ms(0), path) == Err(StartError::TooManyToServer), limited, "{path}");
    }
}

#[test]
fn every_response_that_is_discarded_is_told_of_at_the_end() {
    let mut client = client();
    let id = ask(&mut client, path());
    sent(&mut client, ms(0));
    let stranger = Path { remote: "198.51.100.2:3478".parse().unwrap(), ..path() };
    assert_eq!(receive(&mut client, ms(1), stranger, &success(id)), Handled::Consumed);
    while client.in_progress() > 0 {
        let now = client.poll_timeout().unwrap().at;
        client.handle_timeout(now);
        sent(&mut client, now);
    }
    let one = Discarded { count: 1, last: Some(Discard::WrongPath), error: None };
    assert_eq!(failure(&mut client), FailureReason::TimedOut(one));
    assert_eq!(alloc::format!("{TIMED_OUT}"), "no response in time: nothing came");
}

#[test]
fn bounds_count_events_that_wait() {
    let config = ClientConfig::default().with_max_transactions(2, 2);
    let mut client = Client::new(config, Seed::new([7; 32]));
    let first = ask(&mut client, path());
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
    let id = ask(&mut client, path());
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
    let id = ask(&mut client, path());
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
    let id = ask(&mut client, path());
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
        let id = ask(&mut client, path());
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
    assert_eq!(refused, FailureReason::UnknownAttribute(AttributeType(1)));
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
    let id = ask(&mut client, path());
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

#[test]
fn a_request_that_does_not_fit_is_not_started() {
    let mut client = client();
    let text = "x".repeat(508);
    let full = client.request(ms(0), path(), Request::new(Method::BINDING), move |open| {
        let username = Username::new(&text).unwrap();
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
