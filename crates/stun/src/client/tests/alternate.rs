//! RFC 8489 section 10, and case 39 of SECURITY.md.

use alloc::vec::Vec;

use ginnel_core::{Handled, Notice, Path, Transport};

use super::*;
use crate::{IntegrityAlgorithm, ShortTermCredential, client::AlternateRefusal, testing::PASSWORD};

fn credential() -> ShortTermCredential {
    ShortTermCredential::new("me", PASSWORD).unwrap().with_only(IntegrityAlgorithm::Sha256)
}
fn start(client: &mut Client, path: Path) -> RequestId {
    let request = Request::new(Method::BINDING).with_credential(credential());
    client.request(ms(0), path, request, |open| Ok(open)).unwrap()
}
fn at(remote: &str) -> Path {
    Path { remote: remote.parse().unwrap(), ..path() }
}
/// A 300 that names these servers; made with the key, or not.
fn try_alternate(id: TransactionId, servers: &[&str], domain: Option<&str>, authenticated: bool) -> Vec<u8> {
    response(Class::Error, id, |open| {
        let mut open = open.attribute(&ErrorCode::TRY_ALTERNATE)?;
        for server in servers {
            open = open.attribute(&AlternateServer(server.parse().unwrap()))?;
        }
        if let Some(domain) = domain {
            open = open.attribute(&AlternateDomain::new(domain).unwrap())?;
        }
        if authenticated {
            open.integrity_as(IntegrityAlgorithm::Sha256, credential().key()).map(MessageWriter::finish)
        } else {
            open.finish();
            Ok(())
        }
    })
}
/// What the next request is sent to, and its transaction.
fn next(client: &mut Client) -> (Path, TransactionId) {
    let mut all = sent_to(client, ms(0));
    assert_eq!(all.len(), 1);
    let (to, octets) = all.remove(0);
    (to, Message::parse(&octets).unwrap().transaction_id())
}
/// Why none of these servers is asked: whether they are named by who has proven himself, or by who need not.
fn refused(servers: &[&str]) -> AlternateRefusal {
    let [proven, trusted] = [true, false].map(|authenticated| {
        let config = ClientConfig::default().with_follow_unauthenticated(!authenticated);
        let mut client = client_with(config);
        if authenticated {
            start(&mut client, path());
        } else {
            client.binding(ms(0), path()).unwrap();
        }
        let (_, id) = next(&mut client);
        let redirected = try_alternate(id, servers, None, authenticated);
        assert_eq!(receive(&mut client, ms(1), path(), &redirected), Handled::Consumed);
        assert!(sent_to(&mut client, ms(1)).is_empty(), "{servers:?} was asked");
        match failure(&mut client) {
            FailureReason::Alternate(refusal) => refusal,
            other => panic!("{servers:?}: {other}"),
        }
    });
    assert_eq!(proven, trusted, "{servers:?}");
    proven
}

#[test]
fn rfc8489_10_another_server_is_asked_the_same_from_the_same_socket() {
    let mut client = client();
    let request = start(&mut client, path());
    let (to, id) = next(&mut client);
    assert_eq!(to, path());
    // The first of our family counts.
    let redirected =
        try_alternate(id, &["[2001:db8::1]:3478", "203.0.113.1:3478", "203.0.113.2:3478"], None, true);
    assert_eq!(receive(&mut client, ms(0), path(), &redirected), Handled::Consumed);
    let (to, id) = next(&mut client);
    assert_eq!((to, client.stats().redirected), (at("203.0.113.1:3478"), 1));
    let answer = response(Class::Success, id, |open| {
        let open = open.attribute(&XorMappedAddress(mapped()))?;
        open.integrity_as(IntegrityAlgorithm::Sha256, credential().key()).map(MessageWriter::finish)
    });
    assert_eq!(
        receive(&mut client, ms(1), path(), &answer),
        Handled::Consumed,
        "the first server is not asked any more"
    );
    let data = receive(&mut client, ms(1), to, &answer);
    assert!(matches!(data, Handled::Data(data) if data.request == request && data.authenticated));
}

#[test]
fn sec_39_a_server_that_names_itself_or_one_that_was_asked_is_not_followed() {
    assert_eq!(refused(&["198.51.100.1:3478"]), AlternateRefusal::Loop);
    for ours in ["192.0.2.1:5000", "192.0.2.1:5001"] {
        assert_eq!(refused(&[ours]), AlternateRefusal::Loopback, "ourselves");
    }
    let mut client = client();
    start(&mut client, path());
    let mut servers = ["203.0.113.1:3478", "198.51.100.1:3478"].iter();
    let (mut to, mut id) = next(&mut client);
    let _ = receive(&mut client, ms(0), to, &try_alternate(id, &[servers.next().unwrap()], None, true));
    (to, id) = next(&mut client);
    let _ = receive(&mut client, ms(0), to, &try_alternate(id, &[servers.next().unwrap()], None, true));
    assert_eq!(failure(&mut client), FailureReason::Alternate(AlternateRefusal::Loop), "A, B, A");
    assert!(sent_to(&mut client, ms(0)).is_empty());
}

#[test]
fn sec_39_a_chain_of_servers_ends() {
    let mut client = client();
    start(&mut client, path());
    for last in 1..=6 {
        let (to, id) = next(&mut client);
        let server = alloc::format!("203.0.113.{last}:3478");
        let _ = receive(&mut client, ms(0), to, &try_alternate(id, &[&server], None, true));
    }
    assert_eq!(failure(&mut client), FailureReason::Alternate(AlternateRefusal::TooMany));
    assert_eq!(client.stats().redirected, 5);
}

#[test]
fn sec_39_nobody_is_asked_on_this_host_nor_where_nobody_can_be() {
    for loopback in ["127.0.0.1:3478", "127.9.9.9:3478"] {
        assert_eq!(refused(&[loopback]), AlternateRefusal::Loopback, "{loopback}");
    }
    for nowhere in ["0.0.0.0:3478", "0.1.2.3:3478", "224.0.0.1:3478", "255.255.255.255:3478", "203.0.113.1:0"]
    {
        assert_eq!(refused(&[nowhere]), AlternateRefusal::NotUnicast, "{nowhere}");
    }
    assert_eq!(refused(&[]), AlternateRefusal::NoAddress);
    assert_eq!(refused(&["[2001:db8::1]:3478"]), AlternateRefusal::NoAddress, "of the other family");
    // The same over IPv6, with IPv4 inside.
    for (server, why) in [
        ("[::1]:3478", AlternateRefusal::Loopback),
        ("[::ffff:127.0.0.1]:3478", AlternateRefusal::Loopback),
        ("[::127.0.0.1]:3478", AlternateRefusal::Loopback),
        ("[::]:3478", AlternateRefusal::NotUnicast),
        ("[::ffff:0.0.0.0]:3478", AlternateRefusal::NotUnicast),
        ("[ff02::1]:3478", AlternateRefusal::NotUnicast),
    ] {
        let v6 = Path::udp("[2001:db8::5]:5000".parse().unwrap(), "[2001:db8::9]:3478".parse().unwrap());
        let mut client = client();
        start(&mut client, v6);
        let (_, id) = next(&mut client);
        let _ = receive(&mut client, ms(0), v6, &try_alternate(id, &[server], None, true));
        assert_eq!(failure(&mut client), FailureReason::Alternate(why), "{server}");
    }
}

#[test]
fn sec_39_privileged_ports_are_refused_but_for_those_of_dns_and_the_web() {
    for port in ["1", "25", "52", "54", "79", "81", "442", "1023"] {
        assert_eq!(refused(&[&alloc::format!("203.0.113.1:{port}")]), AlternateRefusal::PrivilegedPort);
    }
    for port in ["53", "80", "443", "1024"] {
        let mut client = client();
        start(&mut client, path());
        let (_, id) = next(&mut client);
        let server = alloc::format!("203.0.113.1:{port}");
        let _ = receive(&mut client, ms(0), path(), &try_alternate(id, &[&server], None, true));
        assert_eq!(next(&mut client).0, at(&server));
    }
}

#[test]
fn sec_39_what_is_not_authenticated_is_not_followed() {
    // Nothing to authenticate it with: a plain Binding over UDP or TCP.
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut client = client();
        let path = Path { transport, ..path() };
        let id = ask(&mut client, path);
        sent(&mut client, ms(0));
        let _ = receive(&mut client, ms(1), path, &try_alternate(id, &["203.0.113.1:3478"], None, false));
        assert_eq!(failure(&mut client), FailureReason::Alternate(AlternateRefusal::Unauthenticated));
    }
    // A credential, and a 300 that is not made with it: it never came.
    let mut client = client();
    start(&mut client, path());
    let (_, id) = next(&mut client);
    let _ = receive(&mut client, ms(1), path(), &try_alternate(id, &["203.0.113.1:3478"], None, false));
    assert_eq!((client.poll_event(), client.stats().bad_integrity, client.in_progress()), (None, 1, 1));
    assert!(sent_to(&mut client, ms(1)).is_empty());
}

#[test]
fn sec_39_who_follows_without_proof_still_goes_no_circles_and_no_long_ways() {
    let config = ClientConfig::default().with_follow_unauthenticated(true);
    let mut client = client_with(config);
    client.binding(ms(0), path()).unwrap();
    for last in 1..=6 {
        let (to, id) = next(&mut client);
        let server = alloc::format!("203.0.113.{last}:3478");
        let _ = receive(&mut client, ms(0), to, &try_alternate(id, &[&server], None, false));
    }
    assert_eq!(failure(&mut client), FailureReason::Alternate(AlternateRefusal::TooMany));
    assert!(sent_to(&mut client, ms(0)).is_empty());

    let mut client = client_with(config);
    client.binding(ms(0), path()).unwrap();
    for server in ["203.0.113.1:3478", "198.51.100.1:3478"] {
        let (to, id) = next(&mut client);
        let _ = receive(&mut client, ms(0), to, &try_alternate(id, &[server], None, false));
    }
    assert_eq!(failure(&mut client), FailureReason::Alternate(AlternateRefusal::Loop), "A, B, A");

    // It is for those who cannot prove themselves yet: what is made with the wrong key, or ought to be made with one, is as
    // if it had never come.
    let mut client = client_with(config);
    start(&mut client, path());
    let (_, id) = next(&mut client);
    let _ = receive(&mut client, ms(1), path(), &try_alternate(id, &["203.0.113.1:3478"], None, false));
    assert_eq!((client.poll_event(), client.stats().bad_integrity, client.in_progress()), (None, 1, 1));
}

#[test]
fn a_request_for_one_server_alone_is_answered_by_a_300() {
    let mut client = client();
    let request = Request::new(Method::BINDING).with_credential(credential()).for_this_server_alone();
    let request = client.request(ms(0), path(), request, |open| Ok(open)).unwrap();
    let (_, id) = next(&mut client);
    let redirected = try_alternate(id, &["203.0.113.1:3478"], None, true);
    let data = receive(&mut client, ms(1), path(), &redirected);
    assert!(matches!(data, Handled::Data(data) if (data.request, data.error) == (request, Some(300))));
    assert!(sent_to(&mut client, ms(1)).is_empty());
    assert_eq!(client.in_progress(), 0);
}

#[test]
fn rfc8489_10_over_tls_the_caller_opens_the_connection_and_is_told_the_domain() {
    let mut client = client();
    let tls = Path { transport: Transport::Tls, ..path() };
    let request = client.binding(ms(0), tls).unwrap();
    let (_, id) = next(&mut client);
    // TLS shows who says it.
    let redirected = try_alternate(id, &["203.0.113.1:5349"], Some("b.example.org"), false);
    assert_eq!(receive(&mut client, ms(10), tls, &redirected), Handled::Consumed);
    let Some(Event::Alternate { request: same, server, domain, .. }) = client.poll_event() else {
        panic!("no alternate")
    };
    assert_eq!(
        (same, server, domain.as_deref()),
        (request, "203.0.113.1:5349".parse().unwrap(), Some("b.example.org"))
    );
    // A second copy is nobody's, and the old connection may go.
    assert_eq!(receive(&mut client, ms(11), tls, &redirected), Handled::Foreign);
    client.handle_notice(
        ms(12),
        Notice::Lost { transport: Transport::Tls, local: tls.local, remote: Some(tls.remote) },
    );
    assert_eq!((client.poll_event(), client.in_progress()), (None, 1));
    let other = Path { remote: server, local: "192.0.2.1:5001".parse().unwrap(), ..tls };
    assert_eq!(client.follow(ms(100), request, other), Ok(()));
    assert_eq!(client.follow(ms(100), request, other), Err(StartError::NotWaiting));
    let (to, id) = next(&mut client);
    assert_eq!(to, other);
    assert_eq!(receive(&mut client, ms(120), other, &success(id)), Handled::Consumed);
    assert!(
        matches!(client.poll_event(), Some(Event::Mapped { request: it, path, .. }) if it == request && path == other)
    );
}

#[test]
fn a_caller_who_opens_no_connection_is_not_waited_for_for_ever() {
    let mut client = client();
    let tls = Path { transport: Transport::Tls, ..path() };
    client.binding(ms(0), tls).unwrap();
    let (_, id) = next(&mut client);
    let _ = receive(&mut client, ms(10), tls, &try_alternate(id, &["203.0.113.1:5349"], None, false));
    assert!(matches!(client.poll_event(), Some(Event::Alternate { domain: None, .. })));
    assert_eq!(client.poll_timeout().unwrap().at, ms(10 + 39_500));
    client.handle_timeout(ms(10 + 39_500));
    let refusal = FailureReason::Alternate(AlternateRefusal::NotFollowed);
    assert_eq!((failure(&mut client), client.in_progress()), (refusal, 0));
}

#[test]
fn a_client_that_follows_nobody_hands_the_300_to_its_caller() {
    let mut client = client_with(ClientConfig::default().with_follow_alternate(false));
    let request = start(&mut client, path());
    let (_, id) = next(&mut client);
    let data = receive(&mut client, ms(1), path(), &try_alternate(id, &["203.0.113.1:3478"], None, true));
    assert!(matches!(data, Handled::Data(data) if (data.request, data.error) == (request, Some(300))));
    let id = ask(&mut client, path());
    sent(&mut client, ms(1));
    let _ = receive(&mut client, ms(2), path(), &try_alternate(id, &["203.0.113.1:3478"], None, false));
    assert_eq!(failure(&mut client), FailureReason::Refused(300));
}

#[test]
fn a_server_with_ten_transactions_gets_no_more_from_others() {
    let mut client = client();
    for _ in 0..10 {
        client.binding(ms(0), at("203.0.113.1:3478")).unwrap();
    }
    sent_to(&mut client, ms(0));
    start(&mut client, path());
    let (_, id) = next(&mut client);
    let _ = receive(&mut client, ms(0), path(), &try_alternate(id, &["203.0.113.1:3478"], None, true));
    assert_eq!(failure(&mut client), FailureReason::Alternate(AlternateRefusal::Busy));
}
