//! The Binding server, by what it answers. Timelines of credentials and of RFC 5780 have files of their own.

mod credentials;
mod discovery;
mod limits;
mod rfc3489;

use alloc::vec::Vec;

use ginnel_core::{ANSWER, Buffer, HEADROOM, Handled, Instant, Packet, Path, Receive, Seed, Transport};

use super::{BindingServer, ServerConfig, ServerEvent, request::UNKNOWN_LISTED_MAX};
use crate::{
    Class, Fingerprint, Message, Method,
    attribute::*,
    testing::{ByHand, ID, REQUEST},
};

fn server() -> BindingServer {
    BindingServer::new(ServerConfig::default(), Seed::new([7; 32]))
}
fn path() -> Path {
    Path::udp("198.51.100.1:3478".parse().unwrap(), "192.0.2.1:5000".parse().unwrap())
}
/// What the server makes of `octets`, and the octets afterwards.
fn ask(server: &mut BindingServer, path: Path, octets: &[u8]) -> (Handled, Vec<u8>) {
    let mut buffer: Buffer = [0xEE; _];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(octets).unwrap();
    let mut input = Receive::new(path, packet);
    let handled = server.handle_input(Instant::EPOCH, &mut input);
    (handled, input.packet.bytes().to_vec())
}
fn answer(octets: &[u8]) -> Vec<u8> {
    match ask(&mut server(), path(), octets) {
        (Handled::Send(transmit), answer) => {
            assert_eq!(transmit.path, path(), "RFC 8489 section 6.3.1.2");
            answer
        }
        other => panic!("no answer but {other:?}"),
    }
}
/// It gives no answer, and counts it where `counter` says.
fn silent(octets: &[u8], counter: fn(&super::ServerStats) -> u64) {
    let mut server = server();
    assert_eq!(ask(&mut server, path(), octets).0, Handled::Consumed);
    assert_eq!(counter(&server.stats()), 1);
}
fn foreign(octets: &[u8]) {
    let (handled, after) = ask(&mut server(), path(), octets);
    assert_eq!((handled, &after[..]), (Handled::Foreign, octets), "what is not ours is untouched");
}

#[test]
fn a_binding_request_is_answered_with_its_source() {
    for remote in ["192.0.2.1:5000", "[2001:db8::1]:5000"] {
        let path = Path { remote: remote.parse().unwrap(), ..path() };
        let (handled, octets) = ask(&mut server(), path, &ByHand::binding().octets());
        assert!(matches!(handled, Handled::Send(transmit) if transmit.path == path));
        let answer = Message::parse(&octets).unwrap();
        assert_eq!(
            (answer.class(), answer.method(), answer.transaction_id()),
            (Class::Success, Method::BINDING, ID)
        );
        assert_eq!(answer.get(), Ok(Some(XorMappedAddress(path.remote))));
        // RFC 8489 section 7: FINGERPRINT only for who used it; and nothing that makes the answer larger.
        assert_eq!(answer.attributes().count(), 1);
    }
}

#[test]
fn a_request_with_fingerprint_is_answered_with_fingerprint() {
    let octets = answer(&ByHand::binding().with_fingerprint().octets());
    assert_eq!(Message::parse(&octets).unwrap().fingerprint(), Fingerprint::Ok);
}

#[test]
fn rfc8489_6_3_1_retransmissions_get_the_same_answer() {
    let request = ByHand::binding().octets();
    let mut server = server();
    assert_eq!(ask(&mut server, path(), &request), ask(&mut server, path(), &request));
    assert_eq!(server.stats().answered, 2);
}

#[test]
fn an_answer_leaves_by_the_transport_of_its_question() {
    let tcp = Path { transport: Transport::Tcp, ..path() };
    let (handled, _) = ask(&mut server(), tcp, &ByHand::binding().octets());
    assert!(matches!(handled, Handled::Send(transmit) if transmit.path == tcp));
}

#[test]
fn rfc8489_6_3_1_unknown_required_attributes_are_listed_in_a_420() {
    let octets = ByHand::binding()
        .with(AttributeType(0x7FFF), b"x")
        .with(AttributeType(0x8FFF), b"optional")
        .with(AttributeType::CHANGE_REQUEST, &[0, 0, 0, 6])
        .octets();
    let octets = answer(&octets);
    let answer = Message::parse(&octets).unwrap();
    assert_eq!((answer.class(), answer.transaction_id()), (Class::Error, ID));
    let error = answer.get::<ErrorCode>().unwrap().unwrap();
    assert_eq!((error.code(), error.reason()), (420, ""));
    let listed: Vec<_> = answer.get::<UnknownAttributes>().unwrap().unwrap().iter().collect();
    assert_eq!(listed, [AttributeType(0x7FFF), AttributeType::CHANGE_REQUEST]);
}

#[test]
fn sec_8_a_420_is_bounded() {
    for count in [UNKNOWN_LISTED_MAX, UNKNOWN_LISTED_MAX + 1, 300] {
        let many = (0..count)
            .fold(ByHand::binding(), |message, n| message.with(AttributeType(0x7000 + n as u16), b""));
        let octets = answer(&many.octets());
        assert!(octets.len() <= ANSWER);
        let answer = Message::parse(&octets).unwrap();
        assert_eq!(answer.get::<UnknownAttributes>().unwrap().unwrap().iter().count(), UNKNOWN_LISTED_MAX);
    }
}

#[test]
fn rfc8489_6_3_known_but_unexpected_attributes_are_ignored() {
    let octets = ByHand::binding()
        .with(AttributeType::XOR_MAPPED_ADDRESS, b"nonsense")
        .with(AttributeType::USERNAME, b"\xFF")
        .with(AttributeType::SOFTWARE, b"browser")
        .with_sha1("whatever")
        .octets();
    assert_eq!(Message::parse(&answer(&octets)).unwrap().class(), Class::Success);
}

#[test]
fn sec_1_and_2_what_is_cut_short_gets_no_reply() {
    for length in 0..20 {
        foreign(&REQUEST[..length]);
    }
    for length in 20..REQUEST.len() {
        silent(&REQUEST[..length], |stats| stats.malformed);
    }
}

#[test]
fn sec_10_other_protocols_get_no_reply() {
    foreign(b"\x80\x60 and more: this could be RTP, if anything");
    let mut octets = ByHand::binding().octets();
    octets[4] = 0;
    foreign(&octets);
}

#[test]
fn sec_12_and_13_bad_fingerprints_get_no_reply() {
    let mut octets = ByHand::binding().with_fingerprint().octets();
    *octets.last_mut().unwrap() ^= 1;
    silent(&octets, |stats| stats.bad_fingerprint);
    let octets = ByHand::binding().with_fingerprint().with(AttributeType::SOFTWARE, b"late").octets();
    silent(&octets, |stats| stats.malformed);
}

#[test]
fn rfc8489_6_3_2_indications_get_no_reply() {
    silent(&ByHand::new(Class::Indication, Method::BINDING).octets(), |stats| stats.indications);
}

#[test]
fn responses_and_other_methods_are_left_to_others() {
    foreign(&ByHand::new(Class::Success, Method::BINDING).octets());
    foreign(&ByHand::new(Class::Error, Method::BINDING).octets());
    foreign(&ByHand::new(Class::Request, Method::ALLOCATE).octets());
}

#[test]
fn sec_17_padding_of_answers_is_zero() {
    let octets = answer(&ByHand::binding().with(AttributeType(0x7FFF), b"").octets());
    assert_eq!(octets[octets.len() - 2..], [0, 0], "one type of two octets, and its padding");
}

#[test]
fn unauthenticated_answers_amplify_little() {
    let ipv6 = Path { remote: "[2001:db8::1]:5000".parse().unwrap(), ..path() };
    let factor = |octets: Vec<u8>| {
        let (_, answer) = ask(&mut server(), ipv6, &octets);
        answer.len() as f64 / octets.len() as f64
    };
    assert!(factor(ByHand::binding().octets()) <= 2.2);
    assert!(factor(ByHand::binding().with_fingerprint().octets()) <= 2.2);
    for count in 1..20 {
        let many = || (0..count).fold(ByHand::binding(), |it, _| it.with(AttributeType(0x7FFF), b""));
        assert!(factor(many().octets()) <= 1.5);
        assert!(factor(many().with_fingerprint().octets()) <= 1.5);
    }
}

#[test]
fn the_smallest_packet_of_the_contract_has_room_for_every_answer() {
    let many = (0..135).fold(ByHand::binding(), |message, n| message.with(AttributeType(0x7000 + n), b""));
    let octets = many.octets();
    let mut buffer = [0; HEADROOM + ANSWER];
    let end = buffer.len();
    buffer[end - octets.len()..].copy_from_slice(&octets);
    let mut input = Receive::new(path(), Packet::received(&mut buffer, end - octets.len()..end).unwrap());
    assert!(matches!(server().handle_input(Instant::EPOCH, &mut input), Handled::Send(_)));
}

#[test]
fn a_closed_server_says_so_once_and_answers_nobody() {
    let mut server = server();
    assert_eq!((server.is_closed(), server.poll_event()), (false, None));
    server.close(Instant::EPOCH);
    server.close(Instant::EPOCH);
    assert!(server.is_closed());
    assert_eq!((server.poll_event(), server.poll_event()), (Some(ServerEvent::Closed), None));
    assert_eq!(ask(&mut server, path(), &ByHand::binding().octets()).0, Handled::Foreign);
    server.close(Instant::EPOCH);
    assert_eq!(server.poll_event(), None);
}
