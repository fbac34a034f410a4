//! Server errors, ICMP, paths that a request names, DTLS, and the RTO that is learnt.

use alloc::vec::Vec;
use core::time::Duration;

use ginnel_core::{Handled, IcmpError, Notice, Path, Transport};

use super::*;

fn error(id: TransactionId, code: u16) -> Vec<u8> {
    response(Class::Error, id, |open| {
        open.attribute(&ErrorCode::new(code, "").unwrap()).map(MessageWriter::finish)
    })
}
fn unreachable(path: Path, error: IcmpError) -> Notice {
    Notice::Unreachable { path, error }
}
const PORT: IcmpError = IcmpError::v4(3, 3, 0);
const HOST: IcmpError = IcmpError::v4(3, 1, 0);

#[test]
fn rfc8489_6_3_4_a_500_is_repeated_four_times_and_ever_later() {
    let mut client = client();
    let request = client.binding(ms(0), path()).unwrap();
    let (mut now, mut times, mut ids) = (ms(0), Vec::new(), Vec::new());
    while client.in_progress() > 0 {
        for octets in sent(&mut client, now) {
            times.push(now.since_epoch().as_millis());
            let id = Message::parse(&octets).unwrap().transaction_id();
            ids.push(id);
            assert_eq!(receive(&mut client, now, path(), &error(id, 500)), Handled::Consumed);
            // A second copy is no second failure.
            if client.in_progress() > 0 {
                assert_eq!(receive(&mut client, now, path(), &error(id, 500)), Handled::Foreign);
            }
        }
        let Some(wake) = client.poll_timeout() else { break };
        now = wake.at;
        client.handle_timeout(now);
    }
    assert_eq!(times, [0, 500, 1500, 3500, 7500]);
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), client.stats().repeated), (5, 4), "each under an ID of its own");
    let reason = FailureReason::Refused(500);
    assert_eq!(client.poll_event(), Some(Event::Failed { request, path: path(), reason }));
}

#[test]
fn rfc8489_6_3_4_a_500_after_which_the_server_recovers_is_no_failure() {
    let mut client = client();
    let request = client.request(ms(0), path(), Request::new(Method::BINDING), |open| Ok(open)).unwrap();
    let id = transaction(&client, request);
    sent(&mut client, ms(0));
    let _ = receive(&mut client, ms(20), path(), &error(id, 500));
    assert!(sent(&mut client, ms(20)).is_empty(), "not at once");
    let wake = client.poll_timeout().unwrap();
    client.handle_timeout(wake.at);
    let id = transaction(&client, request);
    assert_eq!(sent(&mut client, wake.at).len(), 1);
    let data = receive(&mut client, wake.at, path(), &success(id));
    assert!(matches!(data, Handled::Data(data) if data.request == request && data.error.is_none()));
}

#[test]
fn rfc8489_6_3_4_other_errors_go_to_the_caller_with_their_code() {
    for code in [400, 401, 403, 420, 437, 438, 486, 508, 600, 699] {
        let mut client = client();
        let request = client.request(ms(0), path(), Request::new(Method::BINDING), |open| Ok(open)).unwrap();
        let id = transaction(&client, request);
        sent(&mut client, ms(0));
        let data = receive(&mut client, ms(1), path(), &error(id, code));
        assert!(
            matches!(data, Handled::Data(data) if (data.class, data.error) == (Class::Error, Some(code)))
        );
        assert_eq!((client.poll_event(), client.in_progress(), client.stats().answered), (None, 0, 1));
    }
}

#[test]
fn rfc8489_6_2_1_a_hard_icmp_error_fails_what_was_sent_on_its_path() {
    let mut client = client();
    let other = Path { remote: "198.51.100.2:3478".parse().unwrap(), ..path() };
    let elsewhere = Path { local: "192.0.2.1:5001".parse().unwrap(), ..path() };
    let [first, second] = [(); 2].map(|()| client.binding(ms(0), path()).unwrap());
    client.binding(ms(0), other).unwrap();
    client.binding(ms(0), elsewhere).unwrap();
    sent_to(&mut client, ms(0));
    let unsent = client.binding(ms(1), path()).unwrap();
    client.handle_notice(ms(1), unreachable(path(), PORT));
    let mut failed = Vec::new();
    while let Some(Event::Failed { request, reason, .. }) = client.poll_event() {
        assert_eq!(reason, FailureReason::Unreachable(PORT));
        failed.push(request);
    }
    assert_eq!(failed, [first, second]);
    assert_eq!((client.in_progress(), client.stats().icmp_hard), (3, 2));
    assert!(client.cancel(unsent), "what was not sent cannot have come back");
    assert_eq!(
        alloc::format!("{}", FailureReason::Unreachable(PORT)),
        "unreachable: ICMP type 3 code 3 (port unreachable)"
    );
}

#[test]
fn soft_and_impossible_icmp_errors_change_nothing() {
    let mut client = client();
    client.binding(ms(0), path()).unwrap();
    let tcp = Path { transport: Transport::Tcp, ..path() };
    client.binding(ms(0), tcp).unwrap();
    sent(&mut client, ms(0));
    let stranger = Path { remote: "198.51.100.9:1".parse().unwrap(), ..path() };
    for (path, error) in [
        (path(), HOST),
        (path(), IcmpError::v4(11, 0, 0)),
        (stranger, PORT),
        (tcp, PORT),
        // Too big, says somebody, for a hop through which 48 octets pass; or for one that cannot be.
        (path(), IcmpError::v4(3, 4, 576)),
        (path(), IcmpError::v4(3, 4, 0)),
        (path(), IcmpError::v4(3, 4, 20)),
    ] {
        client.handle_notice(ms(1), unreachable(path, error));
        assert_eq!((client.poll_event(), client.in_progress()), (None, 2), "{error}");
    }
    assert_eq!(client.stats().icmp_ignored, 7);
    let mut deaf = client_with(ClientConfig::default().with_heed_icmp(false));
    deaf.binding(ms(0), path()).unwrap();
    sent(&mut deaf, ms(0));
    deaf.handle_notice(ms(1), unreachable(path(), PORT));
    assert_eq!((deaf.in_progress(), deaf.stats().icmp_ignored), (1, 1));
}

#[test]
fn an_icmp_error_that_says_too_big_fails_what_is() {
    let mut client = client();
    let text = "x".repeat(200);
    client
        .request(ms(0), path(), Request::new(Method::BINDING), move |open| {
            open.attribute(&Username::new(&text).unwrap())
        })
        .unwrap();
    sent(&mut client, ms(0));
    let too_big = IcmpError::v4(3, 4, 128);
    client.handle_notice(ms(1), unreachable(path(), too_big));
    assert_eq!(failure(&mut client), FailureReason::Unreachable(too_big));
}

#[test]
fn sec_15_a_response_may_come_on_the_paths_that_the_request_names() {
    let other = Path { remote: "198.51.100.2:3479".parse().unwrap(), ..path() };
    let port = Path { local: "192.0.2.1:5001".parse().unwrap(), ..path() };
    let stranger = Path { remote: "198.51.100.3:3479".parse().unwrap(), ..path() };
    for (from, accepted) in [(path(), true), (other, true), (port, true), (stranger, false)] {
        let mut client = client();
        let request = Request::new(Method::BINDING).with_response_paths([other, port]);
        let change = ChangeRequest { ip: true, port: true };
        let request = client.request(ms(0), path(), request, move |open| open.attribute(&change)).unwrap();
        let id = transaction(&client, request);
        sent(&mut client, ms(0));
        let handled = receive(&mut client, ms(1), from, &success(id));
        assert_eq!(matches!(handled, Handled::Data(_)), accepted, "{from}");
        assert_eq!(client.stats().wrong_path, u64::from(!accepted));
    }
}

#[test]
fn rfc7350_3_dtls_is_retransmitted_as_udp_is() {
    let mut client = client();
    let dtls = Path { transport: Transport::Dtls, ..path() };
    client.binding(ms(0), dtls).unwrap();
    let (mut now, mut times) = (ms(0), Vec::new());
    while client.in_progress() > 0 {
        times.extend(sent(&mut client, now).iter().map(|_| now.since_epoch().as_millis()));
        now = client.poll_timeout().unwrap().at;
        client.handle_timeout(now);
    }
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!((failure(&mut client), now), (TIMED_OUT, ms(39_500)));
}

#[test]
fn rfc8489_6_1_requests_stay_below_the_mtu_of_their_path() {
    let v6 = Path::udp("[2001:db8::5]:5000".parse().unwrap(), "[2001:db8::9]:3478".parse().unwrap());
    let tcp = Path { transport: Transport::Tcp, ..path() };
    let dtls = Path { transport: Transport::Dtls, ..path() };
    // Octets of attributes that just pass: header and all it is less than 576 - 28 and 1280 - 48.
    for (path, config, most) in [
        (path(), ClientConfig::default(), 544),
        (v6, ClientConfig::default(), 1228),
        (dtls, ClientConfig::default(), 452),
        (path(), ClientConfig::default().with_path_mtu(1000), 968),
        (tcp, ClientConfig::default(), 1600),
    ] {
        let mut client = client_with(config);
        let with = |client: &mut Client, octets: u16, request: Request| {
            let padding = Padding { octets: octets - 24 };
            client.request(ms(0), path, request, move |open| open.attribute(&padding))
        };
        assert!(with(&mut client, most, Request::new(Method::BINDING)).is_ok(), "{path} {most}");
        if path.transport != Transport::Tcp {
            let over = with(&mut client, most + 4, Request::new(Method::BINDING));
            assert_eq!(over, Err(StartError::NoRoom), "{path} {most}");
            assert!(with(&mut client, most + 4, Request::new(Method::BINDING).beyond_mtu()).is_ok());
        }
    }
}

/// A Binding at `now` that is answered after `rtt`, sent once.
fn exchange(client: &mut Client, now: Instant, rtt: Duration) {
    let request = client.binding(now, path()).unwrap();
    let id = transaction(client, request);
    assert_eq!(sent(client, now).len(), 1);
    assert_eq!(receive(client, now + rtt, path(), &success(id)), Handled::Consumed);
    assert!(client.poll_event().is_some());
}

#[test]
fn rfc8489_6_2_1_the_rto_is_learnt_and_forgotten_after_ten_minutes() {
    let mut client = client();
    let server = path().remote.ip();
    exchange(&mut client, ms(0), Duration::from_millis(400));
    assert_eq!(client.rto(ms(400), server), Duration::from_millis(1200));
    client.binding(ms(1000), path()).unwrap();
    sent(&mut client, ms(1000));
    assert_eq!(client.poll_timeout().unwrap().at, ms(2200));
    // By IP address: another port is the same server, another address is not.
    let other = Path { remote: "198.51.100.1:9".parse().unwrap(), ..path() };
    let elsewhere = Path { remote: "198.51.100.2:3478".parse().unwrap(), ..path() };
    client.binding(ms(1001), other).unwrap();
    client.binding(ms(1001), elsewhere).unwrap();
    sent(&mut client, ms(1001));
    assert_eq!(client.poll_timeout().unwrap().at, ms(1501));
    assert_eq!(client.rto(ms(600_400), server), Duration::from_millis(1200));
    assert_eq!(client.rto(ms(600_401), server), Duration::from_millis(500));
    // ICE has its own.
    let mut fixed = client_with(ClientConfig::default().with_learn_rto(false));
    exchange(&mut fixed, ms(0), Duration::from_millis(400));
    assert_eq!(fixed.rto(ms(400), server), Duration::from_millis(500));
}

#[test]
fn rfc8489_6_2_1_karn_the_doubled_rto_is_kept_and_a_timeout_teaches_nothing() {
    let mut client = client();
    let server = path().remote.ip();
    let request = client.binding(ms(0), path()).unwrap();
    let id = transaction(&client, request);
    for now in [ms(0), ms(500), ms(1500)] {
        client.handle_timeout(now);
        assert_eq!(sent(&mut client, now).len(), 1);
    }
    let _ = receive(&mut client, ms(1600), path(), &success(id));
    assert_eq!(client.rto(ms(1600), server), Duration::from_secs(2));
    assert!(client.poll_event().is_some());
    let mut now = ms(10_000);
    client.binding(now, path()).unwrap();
    while client.in_progress() > 0 {
        sent(&mut client, now);
        now = client.poll_timeout().unwrap().at;
        client.handle_timeout(now);
    }
    assert_eq!(failure(&mut client), TIMED_OUT);
    assert_eq!(client.rto(now, server), Duration::from_secs(2));
    exchange(&mut client, now, Duration::from_millis(40));
    assert_eq!(client.rto(now, server), Duration::from_millis(500));
}

#[test]
fn a_stream_teaches_no_rto() {
    let mut client = client();
    let tcp = Path { transport: Transport::Tcp, ..path() };
    let id = ask(&mut client, tcp);
    sent(&mut client, ms(0));
    let _ = receive(&mut client, ms(5000), tcp, &success(id));
    assert_eq!(client.rto(ms(5000), tcp.remote.ip()), Duration::from_millis(500));
}

#[test]
fn names_of_requests_are_not_used_twice() {
    let mut client = client();
    let first = client.binding(ms(0), path()).unwrap();
    assert!(client.cancel(first));
    let second = client.binding(ms(0), path()).unwrap();
    assert!(first != second && !client.cancel(first) && client.cancel(second));
}

#[test]
fn rfc8489_6_3_unknown_optional_and_unexpected_attributes_are_ignored() {
    struct Optional;
    impl Attribute<'_> for Optional {
        const TYPE: AttributeType = AttributeType(0xFEDC);
        fn parse(_: &[u8], _: TransactionId) -> Result<Self, Malformed> {
            Ok(Self)
        }
        fn encoded_len(&self) -> usize {
            3
        }
        fn write(&self, out: &mut [u8], _: TransactionId) {
            out.fill(7);
        }
    }
    let mut client = client();
    let id = ask(&mut client, path());
    sent(&mut client, ms(0));
    let answer = response(Class::Success, id, |open| {
        let open = open.attribute(&Optional)?.attribute(&Username::new("unexpected").unwrap())?;
        open.attribute(&XorMappedAddress(mapped())).map(MessageWriter::finish)
    });
    let _ = receive(&mut client, ms(1), path(), &answer);
    assert!(matches!(client.poll_event(), Some(Event::Mapped { .. })));
}
