use alloc::vec::Vec;

use ginnel_core::{ANSWER, HEADROOM, NoRoom, Packet};
use proptest::prelude::*;

use crate::{attribute::*, testing::*, *};

type Step<'p, 'a> = Result<MessageWriter<'p, 'a>, NoRoom>;

/// The octets of a message of class `class`.
fn built(
    class: Class,
    id: TransactionId,
    write: impl for<'p, 'a> FnOnce(MessageWriter<'p, 'a>) -> Result<(), NoRoom>,
) -> Vec<u8> {
    let mut buffer = [0xEE; 2048];
    let mut packet = Packet::empty(&mut buffer);
    MessageWriter::new(&mut packet, class, Method::BINDING, id).and_then(write).unwrap();
    packet.bytes().to_vec()
}

#[test]
fn rfc5769_2_4_is_built_octet_for_octet() {
    let key = IntegrityKey::long_term(MATRIX, "example.org", "TheMatrIX").unwrap();
    let id = Message::parse(REQUEST_LONG_TERM).unwrap().transaction_id();
    let octets = built(Class::Request, id, |open| {
        let open = open.attribute(&Username::new(MATRIX).unwrap())?;
        let open = open.attribute(&Nonce::new(b"f//499k954d6OL34oL9FSTvy64sA").unwrap())?;
        let open = open.attribute(&Realm::new("example.org").unwrap())?;
        open.integrity(&key).map(MessageWriter::finish)
    });
    assert_eq!(octets, REQUEST_LONG_TERM);
}

#[test]
fn rfc8489_b_1_is_built_octet_for_octet() {
    let key = IntegrityKey::long_term_sha256(MATRIX, "example.org", "TheMatrIX").unwrap();
    let id = Message::parse(REQUEST_SHA256).unwrap().transaction_id();
    let octets = built(Class::Request, id, |open| {
        let open = open.attribute(&UserHash::of(MATRIX, "example.org"))?;
        let open = open.attribute(&Nonce::new(b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA").unwrap())?;
        let open = open.attribute(&Realm::new("example.org").unwrap())?;
        open.integrity_sha256(&key).map(MessageWriter::finish)
    });
    assert_eq!(octets, REQUEST_SHA256);
}

/// RFC 5769 pads its first three messages with spaces. We pad with zeros, so here the writer is told to do as the RFC did,
/// which only this crate's own tests can.
#[test]
fn rfc5769_2_1_to_2_3_are_built_octet_for_octet() {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let request = |padding| {
        built(Class::Request, ID, |open| {
            open.padded_with(padding)
                .attribute(&Software::new("STUN test client").unwrap())?
                .attribute(&Priority(0x6e00_01ff))?
                .attribute(&IceControlled(0x932f_f9b1_5126_3b36))?
                .attribute(&Username::new("evtj:h6vY").unwrap())?
                .integrity(&key)?
                .fingerprint()
        })
    };
    let response = |mapped: &str| {
        built(Class::Success, ID, |open| {
            open.padded_with(b' ')
                .attribute(&Software::new("test vector").unwrap())?
                .attribute(&XorMappedAddress(mapped.parse().unwrap()))?
                .integrity(&key)?
                .fingerprint()
        })
    };
    assert_eq!(request(b' '), REQUEST);
    assert_eq!(response("192.0.2.1:32853"), RESPONSE_IPV4);
    assert_eq!(response("[2001:db8:1234:5678:11:2233:4455:6677]:32853"), RESPONSE_IPV6);
    // Of its own accord it pads with zeros, and so makes another HMAC: the one that libwebrtc's tests have.
    let ours = request(0);
    assert_eq!((&ours[..73], &ours[73..76], &ours[76..80]), (&REQUEST[..73], &[0; 3][..], &REQUEST[76..80]));
    let hmac = *b"\x79\x07\xc2\xd2\xed\xbf\xea\x48\x0e\x4c\x76\xd8\x29\x62\xd5\xc3\x74\x2a\xf9\xe3";
    assert_eq!(ours[80..100], hmac);
}

#[test]
fn a_response_to_rfc3489_bears_the_whole_transaction_id() {
    let octets = b"\x00\x01\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";
    let id = Message::parse_or_rfc3489(octets).unwrap().transaction_id();
    let answer = built(Class::Success, id, |open| {
        open.attribute(&MappedAddress("192.0.2.1:5000".parse().unwrap())).map(MessageWriter::finish)
    });
    let want = b"\x01\x01\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\
        \x00\x01\x00\x08\x00\x01\x13\x88\xc0\x00\x02\x01";
    assert_eq!(answer, want);
}

#[test]
fn rfc8489_14_6_integrity_sha256_is_truncated_where_a_usage_allows_it() {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    for kept in 0..=40 {
        let legal = [16, 20, 24, 28, 32].contains(&kept);
        let Some(length) = Sha256Len::new(kept) else {
            assert!(!legal, "{kept} octets");
            continue;
        };
        assert!(legal, "{kept} octets");
        let octets = built(Class::Request, ID, |open| {
            open.attribute(&Priority(1))?.integrity_sha256_truncated(&key, length)?.fingerprint()
        });
        assert_eq!(octets.len(), 20 + 8 + 4 + kept + 8);
        let message = Message::parse(&octets).unwrap();
        assert_eq!(message.integrity_truncated(&key, kept), Integrity::Ok);
        assert_eq!(message.integrity_truncated(&key, kept + 4), Integrity::Bad);
        assert_eq!(message.fingerprint(), Fingerprint::Ok);
    }
}

#[test]
fn goog_integrity_32_is_that_of_libwebrtc() {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let octets = built(Class::Request, ID, |open| {
        open.attribute(&Software::new("STUN test client").unwrap())?
            .attribute(&Priority(0x6e00_01ff))?
            .attribute(&IceControlled(0x932f_f9b1_5126_3b36))?
            .attribute(&Username::new("evtj:h6vY").unwrap())?
            .goog_integrity_32(&key)
            .map(MessageWriter::finish)
    });
    // From the test AddMessageIntegrity32 of libwebrtc's stun_unittest.cc.
    assert_eq!(octets[octets.len() - 8..], *b"\xc0\x60\x00\x04\xda\x39\xde\x5d");
    assert_eq!(Message::parse(&octets).unwrap().goog_integrity_32(&key), Integrity::Ok);
}

#[test]
fn goog_ping_is_a_header_and_integrity() {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    for (class, kind) in [(Class::Request, 0x0200u16), (Class::Success, 0x0300), (Class::Error, 0x0310)] {
        let mut octets = [0; 28];
        let mut message = MessageBuffer::new(&mut octets);
        MessageWriter::new(&mut message, class, Method::GOOG_PING, ID)
            .and_then(|open| open.goog_integrity_32(&key))
            .unwrap()
            .finish();
        assert_eq!(message.octets()[..4], [kind.to_be_bytes(), 8u16.to_be_bytes()].concat());
        let message = Message::parse(message.octets()).unwrap();
        assert_eq!(message.goog_integrity_32(&key), Integrity::Ok);
        // Nobody takes it for message integrity.
        assert_eq!((message.integrity(&key), message.integrity_algorithm()), (Integrity::Absent, None));
    }
}

#[test]
fn a_message_buffer_holds_what_a_packet_would_and_no_more_than_fits() {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let packet = built(Class::Request, ID, |open| {
        open.attribute(&Username::new("evtj:h6vY").unwrap())?.integrity(&key)?.fingerprint()
    });
    for room in 0..=packet.len() + 4 {
        let mut octets = std::vec![0xEE; room];
        let mut message = MessageBuffer::new(&mut octets);
        let written = MessageWriter::new(&mut message, Class::Request, Method::BINDING, ID)
            .and_then(|open| open.attribute(&Username::new("evtj:h6vY").unwrap()))
            .and_then(|open| open.integrity(&key))
            .and_then(MessageWriter::fingerprint);
        if room < packet.len() {
            assert_eq!((written, message.octets()), (Err(NoRoom), &b""[..]), "{room} octets");
        } else {
            assert_eq!((written, message.into_octets()), (Ok(()), &packet[..]), "{room} octets");
        }
    }
}

#[test]
fn a_message_longer_than_its_length_can_say_is_refused() {
    let mut octets = std::vec![0; 70_000];
    let mut message = MessageBuffer::new(&mut octets);
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let data = std::vec![7; 65_532 - 4];
    // The header's length is at most 65,532: exactly one attribute of this size.
    let open = MessageWriter::new(&mut message, Class::Indication, Method::SEND, ID).unwrap();
    open.attribute(&Data(&data)).unwrap().finish();
    assert_eq!(message.octets().len(), 20 + 65_532);
    assert!(Message::parse(message.octets()).is_ok());
    for too_much in 0..4 {
        let open = MessageWriter::new(&mut message, Class::Indication, Method::SEND, ID).unwrap();
        let full = open.attribute(&Data(&data)).unwrap();
        let written = match too_much {
            0 => full.fingerprint(),
            1 => full.integrity(&key).map(MessageWriter::finish),
            2 => full.integrity_sha256(&key).map(MessageWriter::finish),
            _ => full.attribute(&UseCandidate).map(MessageWriter::finish),
        };
        assert_eq!((written, message.octets().len()), (Err(NoRoom), 0), "{too_much}");
    }
}

#[test]
fn integrity_and_fingerprint_are_those_of_another_implementation() {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    for length in 0..80 {
        let text = "x".repeat(length);
        let ours = built(Class::Request, ID, |open| {
            open.attribute(&Username::new(&text).unwrap())?.integrity(&key)?.fingerprint()
        });
        let mut value = text.into_bytes();
        let unpadded = value.len();
        // The hand pads with other octets than zero: so give it the padding as part of the value, then mend the length.
        value.resize(unpadded.next_multiple_of(4), 0);
        let mut theirs = ByHand::binding().with(AttributeType::USERNAME, &value);
        theirs.set(22, &(unpadded as u16).to_be_bytes());
        assert_eq!(ours, theirs.with_sha1(PASSWORD).with_fingerprint().octets());
    }
}

#[test]
fn sec_17_padding_is_zero() {
    for length in 0..9 {
        let text = "x".repeat(length);
        let octets = built(Class::Success, ID, |open| {
            open.attribute(&Software::new(&text).unwrap()).map(MessageWriter::finish)
        });
        assert_eq!(octets.len() % 4, 0);
        assert!(octets[24 + length..].iter().all(|&octet| octet == 0), "{octets:?}");
    }
}

#[test]
fn a_message_that_finds_no_room_leaves_the_packet_empty() {
    let mut buffer = [0; HEADROOM + ANSWER];
    let mut packet = Packet::received(&mut buffer, 0..0).unwrap();
    let text = "x".repeat(500);
    let username = Username::new(&text).unwrap();
    let open = MessageWriter::new(&mut packet, Class::Request, Method::BINDING, ID).unwrap();
    let full: Step<'_, '_> = open.attribute(&username).and_then(|open| open.attribute(&username));
    assert_eq!(full.err(), Some(NoRoom));
    assert!(packet.is_empty());
}

#[test]
fn a_response_is_written_over_its_request() {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let mut buffer = [0; 2048];
    buffer[640..640 + REQUEST.len()].copy_from_slice(REQUEST);
    let mut packet = Packet::received(&mut buffer, 640..640 + REQUEST.len()).unwrap();
    let request = Message::parse(packet.bytes()).unwrap();
    let (id, algorithm) = (request.transaction_id(), request.integrity_algorithm().unwrap());
    MessageWriter::new(&mut packet, Class::Success, Method::BINDING, id)
        .and_then(|open| open.attribute(&XorMappedAddress("192.0.2.1:5000".parse().unwrap())))
        .and_then(|open| open.integrity_as(algorithm, &key))
        .and_then(MessageWriter::fingerprint)
        .unwrap();
    let response = Message::parse(packet.bytes()).unwrap();
    assert_eq!((response.class(), response.transaction_id()), (Class::Success, ID));
    assert_eq!(response.integrity(&key), Integrity::Ok);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_is_read(
        username in "[a-zA-Z0-9+/:]{0,300}", priority: u32, tiebreaker: u64, id: [u8; 12],
        ip: std::net::IpAddr, port: u16, code in 300u16..=699, types: Vec<u16>,
    ) {
        let types: Vec<_> = types.into_iter().map(AttributeType).collect();
        let (id, address) = (TransactionId::new(id), std::net::SocketAddr::new(ip, port));
        let key = IntegrityKey::short_term(PASSWORD).unwrap();
        let octets = built(Class::Error, id, |open| {
            open.attribute(&Username::new(&username).unwrap())?
                .attribute(&Priority(priority))?
                .attribute(&IceControlling(tiebreaker))?
                .attribute(&XorMappedAddress(address))?
                .attribute(&MappedAddress(address))?
                .attribute(&ErrorCode::new(code, "why").unwrap())?
                .attribute(&UnknownAttributes::new(&types))?
                .integrity(&key)?
                .integrity_sha256(&key)?
                .fingerprint()
        });
        let message = Message::parse(&octets).unwrap();
        prop_assert_eq!(message.transaction_id(), id);
        prop_assert_eq!(message.get::<Username>().unwrap().unwrap().as_str(), username);
        prop_assert_eq!(message.get(), Ok(Some(Priority(priority))));
        prop_assert_eq!(message.get(), Ok(Some(IceControlling(tiebreaker))));
        prop_assert_eq!(message.get(), Ok(Some(XorMappedAddress(address))));
        prop_assert_eq!(message.get(), Ok(Some(MappedAddress(address))));
        prop_assert_eq!(message.get::<ErrorCode>().unwrap().unwrap(), ErrorCode::new(code, "why").unwrap());
        let listed: Vec<_> = message.get::<UnknownAttributes>().unwrap().unwrap().iter().collect();
        prop_assert_eq!(listed, types);
        prop_assert_eq!(message.integrity(&key), Integrity::Ok);
        prop_assert_eq!(message.fingerprint(), Fingerprint::Ok);
        fuzz::message::run(&octets);
    }

    #[test]
    fn any_draft_is_read_as_it_was_written(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        fuzz::writer::run(&octets);
    }

    #[test]
    fn sec_16_several_flipped_bits_are_never_accepted(
        username in "[a-zA-Z0-9+/:]{0,60}", bits in proptest::collection::vec(any::<proptest::sample::Index>(), 1..4),
    ) {
        let key = IntegrityKey::short_term(PASSWORD).unwrap();
        let octets = built(Class::Request, ID, |open| {
            open.attribute(&Username::new(&username).unwrap())?.attribute(&UseCandidate)?.integrity_sha256(&key).map(MessageWriter::finish)
        });
        let mut flipped = octets.clone();
        for bit in bits {
            let bit = bit.index(8 * octets.len());
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
        if let Ok(message) = Message::parse(&flipped) && flipped != octets {
            prop_assert_ne!(message.integrity(&key), Integrity::Ok);
        }
    }
}
