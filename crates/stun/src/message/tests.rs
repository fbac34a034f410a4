use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use crate::{
    attribute::{
        AttributeType, ErrorCode, IceControlled, MappedAddress, Nonce, Priority, Realm, Software,
        UnknownAttributes, UserHash, Username, XorMappedAddress,
    },
    testing::*,
    *,
};

fn reason(octets: &[u8]) -> ParseErrorReason {
    Message::parse(octets).expect_err("it is no message").reason()
}

#[test]
fn rfc5769_2_1_request() {
    let message = Message::parse(REQUEST).unwrap();
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
    assert_eq!(message.transaction_id(), ID);
    assert_eq!(message.get::<Software>().unwrap().unwrap().as_str(), "STUN test client");
    assert_eq!(message.get(), Ok(Some(Priority(0x6e00_01ff))));
    assert_eq!(message.get(), Ok(Some(IceControlled(0x932f_f9b1_5126_3b36))));
    assert_eq!(message.get::<Username>().unwrap().unwrap().as_str(), "evtj:h6vY");
    assert_eq!(message.integrity(&key), Integrity::Ok);
    assert_eq!(message.integrity_algorithm(), Some(IntegrityAlgorithm::Sha1));
    assert_eq!(message.fingerprint(), Fingerprint::Ok);
}

#[test]
fn rfc5769_2_2_and_2_3_responses() {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let table =
        [(RESPONSE_IPV4, "192.0.2.1:32853"), (RESPONSE_IPV6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")];
    for (octets, mapped) in table {
        let message = Message::parse(octets).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Success, Method::BINDING));
        assert_eq!(message.get(), Ok(Some(XorMappedAddress(mapped.parse().unwrap()))));
        assert_eq!(message.get::<Software>().unwrap().unwrap().as_str(), "test vector");
        assert_eq!(message.integrity(&key), Integrity::Ok);
        assert_eq!(message.fingerprint(), Fingerprint::Ok);
    }
}

#[test]
fn rfc5769_2_4_long_term_request() {
    let message = Message::parse(REQUEST_LONG_TERM).unwrap();
    let key = IntegrityKey::long_term(MATRIX, "example.org", "TheMatrIX").unwrap();
    assert_eq!(message.get::<Username>().unwrap().unwrap().as_str(), MATRIX);
    assert_eq!(message.get::<Nonce>().unwrap().unwrap().octets(), b"f//499k954d6OL34oL9FSTvy64sA");
    assert_eq!(message.get::<Realm>().unwrap().unwrap().as_str(), "example.org");
    assert_eq!(message.integrity(&key), Integrity::Ok);
    assert_eq!(message.fingerprint(), Fingerprint::Absent);
}

#[test]
fn rfc8489_b_1_long_term_request_with_sha256() {
    let message = Message::parse(REQUEST_SHA256).unwrap();
    let key = IntegrityKey::long_term_sha256(MATRIX, "example.org", "TheMatrIX").unwrap();
    assert_eq!(message.get(), Ok(Some(UserHash::of(MATRIX, "example.org"))));
    assert_eq!(message.integrity_algorithm(), Some(IntegrityAlgorithm::Sha256));
    assert_eq!(message.integrity(&key), Integrity::Ok);
}

#[test]
fn every_class_and_method_survives_its_encoding() {
    for class in [Class::Request, Class::Indication, Class::Success, Class::Error] {
        for number in 0..=0xFFF {
            let method = Method::new(number).unwrap();
            let octets = ByHand::new(class, method).octets();
            let message = Message::parse(&octets).unwrap();
            assert_eq!((message.class(), message.method()), (class, method));
        }
    }
    assert_eq!(Method::new(0x1000), None);
    // RFC 8489 section 5 gives these two.
    assert_eq!(ByHand::new(Class::Request, Method::BINDING).octets()[..2], [0x00, 0x01]);
    assert_eq!(ByHand::new(Class::Success, Method::BINDING).octets()[..2], [0x01, 0x01]);
}

#[test]
fn sec_1_short_datagrams_are_no_messages() {
    for length in 0..20 {
        assert_eq!(reason(&REQUEST[..length]), ParseErrorReason::ShorterThanHeader);
        assert!(!Message::is_claimed_by(&REQUEST[..length]));
    }
}

#[test]
fn sec_2_message_length_must_be_that_of_the_datagram() {
    for (length, want) in [
        (0x57, ParseErrorReason::LengthNotMultipleOfFour),
        (0x5a, ParseErrorReason::LengthNotMultipleOfFour),
        (0x54, ParseErrorReason::LengthNotOfDatagram),
        (0x5c, ParseErrorReason::LengthNotOfDatagram),
        (0x00, ParseErrorReason::LengthNotOfDatagram),
    ] {
        let mut octets = REQUEST.to_vec();
        octets[3] = length;
        assert_eq!(reason(&octets), want, "length {length}");
        assert_eq!(Message::parse(&octets).unwrap_err().offset(), 2);
    }
    for cut in 20..REQUEST.len() {
        assert_eq!(reason(&REQUEST[..cut]), ParseErrorReason::LengthNotOfDatagram);
    }
}

#[test]
fn sec_3_attribute_beyond_the_message() {
    for length in [5u16, 8, 0x7FFF, 0xFFFC, 0xFFFD, 0xFFFF] {
        let mut octets = ByHand::binding().with(AttributeType::SOFTWARE, b"four").octets();
        octets[22..24].copy_from_slice(&length.to_be_bytes());
        let error = Message::parse(&octets).unwrap_err();
        assert_eq!((error.reason(), error.offset()), (ParseErrorReason::AttributeBeyondMessage, 20));
    }
}

#[test]
fn sec_6_alignment_changes_nothing() {
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    for shift in 0..16 {
        let mut moved = vec![0; shift];
        moved.extend(REQUEST);
        let message = Message::parse(&moved[shift..]).unwrap();
        assert_eq!(message, Message::parse(REQUEST).unwrap());
        assert_eq!(message.integrity(&key), Integrity::Ok);
        assert_eq!(message.fingerprint(), Fingerprint::Ok);
    }
}

#[test]
fn sec_10_other_protocols_are_not_stun() {
    for bits in [0x40, 0x80, 0xC0] {
        let mut octets = REQUEST.to_vec();
        octets[0] |= bits;
        assert_eq!(reason(&octets), ParseErrorReason::FirstBitsNotZero);
        assert!(!Message::is_claimed_by(&octets));
    }
    for octet in 4..8 {
        let mut octets = REQUEST.to_vec();
        octets[octet] ^= 1;
        assert_eq!(reason(&octets), ParseErrorReason::NoMagicCookie);
        assert!(!Message::is_claimed_by(&octets));
    }
    assert!(Message::is_claimed_by(REQUEST));
}

#[test]
fn rfc3489_messages_are_read_where_they_are_asked_for() {
    let mut octets = ByHand::binding().with(AttributeType::CHANGE_REQUEST, &[0, 0, 0, 6]);
    octets.set(4, b"old!");
    let octets = octets.octets();
    assert_eq!(reason(&octets), ParseErrorReason::NoMagicCookie);
    assert!(!Message::is_claimed_by(&octets));
    let message = Message::parse_or_rfc3489(&octets).unwrap();
    assert!(message.transaction_id().is_rfc3489());
    assert_eq!(message.transaction_id().octets(), ID.octets());
    assert_eq!(message.transaction_id().header_octets(), octets[4..20]);
    assert_ne!(message.transaction_id(), ID);
    assert_eq!(message.get(), Ok(Some(attribute::ChangeRequest { ip: true, port: true })));
    // What has a cookie is read as ever, and everything else is checked as ever.
    assert_eq!(Message::parse_or_rfc3489(REQUEST), Message::parse(REQUEST));
    for cut in 0..octets.len() {
        assert!(Message::parse_or_rfc3489(&octets[..cut]).is_err());
    }
    let refused = |at: usize, octet: u8| {
        let mut damaged = octets.clone();
        damaged[at] = octet;
        Message::parse_or_rfc3489(&damaged).unwrap_err().reason()
    };
    assert_eq!(refused(0, 0x40), ParseErrorReason::FirstBitsNotZero);
    assert_eq!(refused(3, 7), ParseErrorReason::LengthNotMultipleOfFour);
    assert_eq!(refused(3, 12), ParseErrorReason::LengthNotOfDatagram);
    assert_eq!(refused(23, 5), ParseErrorReason::AttributeBeyondMessage);
}

#[test]
fn sec_11_what_follows_integrity_is_ignored() {
    let octets = ByHand::binding()
        .with(AttributeType::PRIORITY, &[0, 0, 0, 1])
        .with_sha1(PASSWORD)
        .with(AttributeType::USE_CANDIDATE, b"")
        .with(AttributeType::USERNAME, b"mallory")
        .with(AttributeType(0x7777), b"")
        .with_fingerprint()
        .octets();
    let message = Message::parse(&octets).unwrap();
    let kinds: Vec<_> = message.attributes().map(|raw| raw.kind).collect();
    let want = [AttributeType::PRIORITY, AttributeType::MESSAGE_INTEGRITY, AttributeType::FINGERPRINT];
    assert_eq!(kinds, want);
    assert!(!message.has(AttributeType::USE_CANDIDATE));
    assert_eq!(message.get::<Username>(), Ok(None));
    assert_eq!(message.unknown_required(&[AttributeType::PRIORITY]).count(), 0);
    assert_eq!(message.integrity(&IntegrityKey::short_term(PASSWORD).unwrap()), Integrity::Ok);
    assert_eq!(message.fingerprint(), Fingerprint::Ok);
}

#[test]
fn sec_11_what_follows_integrity_sha256_is_ignored_even_integrity() {
    let octets = ByHand::binding()
        .with(AttributeType::MESSAGE_INTEGRITY_SHA256, &[0; 32])
        .with_sha1(PASSWORD)
        .octets();
    let message = Message::parse(&octets).unwrap();
    assert_eq!(message.integrity_algorithm(), Some(IntegrityAlgorithm::Sha256));
    assert_eq!(message.integrity(&IntegrityKey::short_term(PASSWORD).unwrap()), Integrity::Bad);
    assert!(!message.has(AttributeType::MESSAGE_INTEGRITY));
}

#[test]
fn sec_12_nothing_follows_fingerprint() {
    for (kind, value) in [
        (AttributeType::SOFTWARE, &b"late"[..]),
        (AttributeType::MESSAGE_INTEGRITY, &[0; 20]),
        (AttributeType::FINGERPRINT, &[0; 4]),
    ] {
        let octets = ByHand::binding().with_fingerprint().with(kind, value).octets();
        let error = Message::parse(&octets).unwrap_err();
        assert_eq!((error.reason(), error.offset()), (ParseErrorReason::AttributeAfterFingerprint, 28));
    }
}

#[test]
fn sec_13_bad_fingerprint_is_told() {
    for bit in 0..32 {
        let mut octets = REQUEST.to_vec();
        octets[REQUEST.len() - 4 + bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Message::parse(&octets).unwrap().fingerprint(), Fingerprint::Bad);
    }
    for length in [0, 3, 8] {
        let octets = ByHand::binding().with(AttributeType::FINGERPRINT, &vec![0; length]).octets();
        assert_eq!(Message::parse(&octets).unwrap().fingerprint(), Fingerprint::Bad);
    }
}

#[test]
fn attributes_are_read_first_of_a_kind_and_missing_ones_are_none() {
    let octets = ByHand::binding()
        .with(AttributeType::PRIORITY, &[0, 0, 0, 1])
        .with(AttributeType::PRIORITY, &[0, 0, 0, 2])
        .with(AttributeType::USERNAME, b"\xFF")
        .octets();
    let message = Message::parse(&octets).unwrap();
    assert_eq!(message.get(), Ok(Some(Priority(1))));
    assert_eq!(message.get::<MappedAddress>(), Ok(None));
    let error = message.get::<Username>().unwrap_err();
    assert_eq!((error.attribute(), error.offset()), (AttributeType::USERNAME, 36));
    assert_eq!(std::format!("{error}"), "USERNAME: its text is not UTF-8 (at octet 36)");
}

#[test]
fn unknown_required_leaves_out_what_is_known_optional_or_integrity() {
    let octets = ByHand::binding()
        .with(AttributeType(0x7FFF), b"")
        .with(AttributeType(0x8000), b"")
        .with(AttributeType::USERNAME, b"me")
        .with(AttributeType(0x0002), b"")
        .with_sha1(PASSWORD)
        .octets();
    let message = Message::parse(&octets).unwrap();
    let unknown: Vec<_> = message.unknown_required(&[AttributeType::USERNAME]).collect();
    assert_eq!(unknown, [AttributeType(0x7FFF), AttributeType(0x0002)]);
}

#[test]
fn debug_shows_no_values() {
    let shown = std::format!("{:?}", Message::parse(REQUEST).unwrap());
    assert_eq!(
        shown,
        "Binding Request b7e7a701bc34d686fa87dfae [SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, \
         MESSAGE-INTEGRITY, FINGERPRINT]"
    );
}

/// A message of attributes of any kind, number and length, then perhaps damaged.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let kind =
        prop_oneof![Just(0x0008u16), Just(0x001C), Just(0x8028), Just(0x0006), Just(0x0009), any::<u16>()];
    let attributes = proptest::collection::vec((kind, proptest::collection::vec(any::<u8>(), 0..40)), 0..8);
    let damage = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3);
    (attributes, damage).prop_map(|(attributes, damage)| {
        let mut octets = attributes
            .iter()
            .fold(ByHand::binding(), |message, (kind, value)| message.with(AttributeType(*kind), value))
            .octets();
        for (index, octet) in damage {
            let at = index.index(octets.len());
            octets[at] = octet;
        }
        octets
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_octets_keep_the_invariants(octets in messages()) {
        fuzz::message::run(&octets);
    }

    #[test]
    fn noise_keeps_the_invariants(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzz::message::run(&octets);
    }

    #[test]
    fn any_truncation_is_refused(cut in 0..REQUEST.len()) {
        prop_assert!(Message::parse(&REQUEST[..cut]).is_err());
    }
}

#[test]
fn sec_8_odd_unknown_attributes_are_an_error() {
    let octets = ByHand::new(Class::Error, Method::BINDING)
        .with(AttributeType::ERROR_CODE, &[0, 0, 4, 20])
        .with(AttributeType::UNKNOWN_ATTRIBUTES, &[0, 1, 2])
        .octets();
    let message = Message::parse(&octets).unwrap();
    assert_eq!(message.get::<ErrorCode>().unwrap().unwrap().code(), 420);
    assert!(message.get::<UnknownAttributes>().is_err());
}
