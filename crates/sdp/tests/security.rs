//! Inputs that hurt others: each test bears the number of its case.

mod common;

use common::{answered, fixture, negotiator, session, transport};
use ginnel_sdp::attribute::{Candidate, Refusal};
use ginnel_sdp::jsep::{MediaKind, NegotiationError, PeerFault, SdpType};
use ginnel_sdp::limits::{MAX_CANDIDATES, MAX_LINE, MAX_SECTION_LINES, MAX_SECTIONS};
use ginnel_sdp::{ParseError, Session};

fn candidate(address: &str, port: &str) -> String {
    format!("candidate:1 1 udp 1 {address} {port} typ host")
}

#[test]
fn sec_48_candidates_with_impossible_ports_and_names_are_refused_unresolved() {
    let refusal = |address, port| Candidate::from_line(&candidate(address, port)).unwrap().refusal();
    assert_eq!(refusal("192.0.2.1", "1"), None);
    assert_eq!(refusal("192.0.2.1", "0"), Some(Refusal::PortZero));
    assert_eq!(refusal("example.org", "1"), Some(Refusal::DomainName));
    assert_eq!(refusal("a.b.local", "1"), Some(Refusal::DomainName));
    assert_eq!(refusal("61a47d07-88df-42eb-ac95-6f98faa48ffd.local", "1"), None);
    for (address, port) in [
        ("192.0.2.1", "70000"),
        ("192.0.2.1", "-1"),
        ("192.0.2.1", "18446744073709551616"),
        ("..local", "1"),
        (".local", "1"),
        ("192.0.2.256", "1"),
        ("fe80::1::2", "1"),
        ("host\u{7f}.local", "1"),
        (&"x".repeat(10_000), "1"),
        (&"x.".repeat(127), "1"),
    ] {
        assert!(Candidate::from_line(&candidate(address, port)).is_err(), "{address} {port}");
    }
    let longest = format!("{}.local", "x".repeat(63));
    assert_eq!(refusal(&longest, "1"), None);
    assert!(Candidate::from_line(&candidate(&format!("x{longest}"), "1")).is_err());
}

#[test]
fn sec_43_candidates_are_capped() {
    let line = |n: usize| format!("a={}\r\n", candidate(&format!("10.0.{}.{}", n / 250, n % 250), "9"));
    let many: String = (0..MAX_CANDIDATES + 7).map(line).collect();
    let offer = Session::parse(&(fixture("chromium-data-offer-trickle") + &many)).unwrap();
    let (negotiator, _) = answered(&offer);
    let transport = negotiator.negotiated().unwrap().transport.as_ref().unwrap();
    assert_eq!((transport.remote_candidates.len(), transport.ignored_candidates), (MAX_CANDIDATES, 7));
}

/// A description with `lines` behind its only section.
fn with_lines(lines: &str) -> Result<Session, ParseError> {
    Session::parse(&(fixture("chromium-data-offer-trickle") + lines))
}

#[test]
fn sec_66_lines_sections_and_attributes_are_bounded() {
    assert!(with_lines(&format!("a=x:{}\r\n", "x".repeat(MAX_LINE - 4))).is_ok());
    assert!(with_lines(&format!("a=x:{}\r\n", "x".repeat(MAX_LINE - 3))).is_err());
    assert!(with_lines(&format!("a={}\r\n", "x".repeat(1 << 20))).is_err());

    let section = "m=audio 0 RTP/AVP 0\r\n";
    assert!(with_lines(&section.repeat(MAX_SECTIONS - 1)).is_ok());
    assert!(with_lines(&section.repeat(MAX_SECTIONS)).is_err());
    assert!(with_lines(&section.repeat(10_000)).is_err());

    let used = session("chromium-data-offer-trickle").media()[0].lines().count();
    let extmap = |n: usize| format!("a=extmap:{} urn:x\r\n", n % 14 + 1);
    let room: String = (0..MAX_SECTION_LINES - used).map(extmap).collect();
    assert!(with_lines(&room).is_ok());
    assert!(with_lines(&(room + &extmap(0))).is_err());
    assert!(with_lines(&(0..100_000).map(extmap).collect::<String>()).is_err());
}

#[test]
fn sec_66_broken_lines_and_values_are_errors_at_their_place() {
    let text = fixture("chromium-data-offer-trickle");
    assert!(Session::parse(&text.replace("\r\n", "")).is_err(), "no line ends at all");
    assert!(Session::parse(&text.replace("\r\n", "\r")).is_err(), "CR alone ends no line");
    for (line, column) in [
        ("a=x\0y", 4),
        ("m=audio -1 RTP/AVP 0", 9),
        ("m=audio 18446744073709551616 RTP/AVP 0", 9),
        ("m=audio 65536 RTP/AVP 0", 9),
        ("m=audio +9 RTP/AVP 0", 9),
        ("m=audio 9 RTP/AVP 128", 19),
        ("m=audio 9 RTP/AVP", 18),
        ("a=fingerprint:sha-256 AB:CD", 28),
        ("a=fingerprint:sha-1 ZZ:AD", 21),
        ("a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:A", 78),
        ("a=sctp-init:%%%", 13),
        ("a=sctp-init:AgAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA", 13),
        ("a=sctp-init:AQAA", 13),
        ("a=rtpmap:96 VP8/90000000000000", 17),
        ("a=candidate:1 1 udp 1 192.0.2.1 70000 typ host", 33),
        ("a=mid:0", 3),
    ] {
        let error = with_lines(&format!("{line}\r\n")).expect_err(line);
        let number = text.lines().count() as u32 + 1;
        assert_eq!((error.line, error.column), (number, column), "{line}: {error}");
    }
}

#[test]
fn sec_66_duplicate_mids_are_an_error() {
    let section = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";
    let error = with_lines(section).unwrap_err();
    assert_eq!(error.expected, "a mid that no other section has");
}

#[test]
fn sec_66_an_answer_in_another_order_is_an_error_and_changes_nothing() {
    let mut offerer = negotiator();
    offerer.add_transceiver(MediaKind::Audio, Default::default()).unwrap();
    offerer.add_data();
    let offer = offerer.create_offer(&transport("evtj")).unwrap();
    let (_, answer) = answered(&offer);
    offerer.set_local(SdpType::Offer, offer).unwrap();

    let mut swapped = Session::parse(&answer.to_string()).unwrap();
    swapped.media_mut().reverse();
    let error = offerer.set_remote(SdpType::Answer, swapped).unwrap_err();
    assert_eq!(error, NegotiationError::PeerFault(PeerFault::SectionMismatch { index: 0 }));

    let mut short = Session::new(&answer.origin().unwrap());
    short.push_media(answer.media()[0].clone());
    let error = offerer.set_remote(SdpType::Answer, short).unwrap_err();
    assert_eq!(error, NegotiationError::PeerFault(PeerFault::SectionCount { offered: 2, answered: 1 }));

    assert!(offerer.negotiated().is_none());
    offerer.set_remote(SdpType::Answer, answer).unwrap();
}
