//! What attributes refuse and what they tolerate: those of RFC 8489 and of ICE here, the extensions beside it.

mod extensions;
mod properties;

use alloc::{vec, vec::Vec};

use crate::{attribute::*, testing::ID};

fn read<'a, A: Attribute<'a>>(value: &'a [u8]) -> Result<A, Malformed> {
    A::parse(value, ID)
}
fn written<'a, A: Attribute<'a>>(value: &A) -> Vec<u8> {
    let mut out = vec![0xEE; value.encoded_len()];
    value.write(&mut out, ID);
    out
}

#[test]
fn sec_4_empty_addresses_are_an_error() {
    assert_eq!(read::<MappedAddress>(b""), Err(Malformed::Length));
    assert_eq!(read::<XorMappedAddress>(b""), Err(Malformed::Length));
    assert_eq!(read::<XorMappedAddress>(&[0, 1, 2]), Err(Malformed::Length));
}

#[test]
fn sec_5_addresses_of_the_wrong_family_or_length_are_an_error() {
    for (family, length, want) in [
        (0, 4, Malformed::AddressFamily),
        (3, 4, Malformed::AddressFamily),
        (0xFF, 16, Malformed::AddressFamily),
        (1, 0, Malformed::Length),
        (1, 3, Malformed::Length),
        (1, 5, Malformed::Length),
        (1, 16, Malformed::Length),
        (2, 4, Malformed::Length),
        (2, 15, Malformed::Length),
        (2, 17, Malformed::Length),
    ] {
        let mut value = vec![0, family, 0, 0];
        value.resize(4 + length, 0);
        assert_eq!(read::<MappedAddress>(&value), Err(want), "family {family}, {length} octets");
        assert_eq!(read::<XorMappedAddress>(&value), Err(want), "family {family}, {length} octets");
    }
}

#[test]
fn rfc8489_14_1_the_first_octet_of_an_address_is_ignored() {
    let value = [0xAB, 1, 0x13, 0x88, 192, 0, 2, 1];
    assert_eq!(read(&value), Ok(MappedAddress("192.0.2.1:5000".parse().unwrap())));
    assert_eq!(written(&MappedAddress("192.0.2.1:5000".parse().unwrap()))[0], 0);
}

#[test]
fn sec_7_error_codes_out_of_range_are_an_error() {
    for length in 0..4 {
        assert_eq!(read::<ErrorCode>(&[0, 0, 4, 20][..length]), Err(Malformed::Length));
    }
    for class in [0, 1, 2, 7] {
        assert_eq!(read::<ErrorCode>(&[0, 0, class, 0]), Err(Malformed::ErrorCodeRange));
    }
    for number in [100, 255] {
        assert_eq!(read::<ErrorCode>(&[0, 0, 4, number]), Err(Malformed::ErrorCodeRange));
    }
    assert_eq!(read::<ErrorCode>(&[0, 0, 6, 99]).unwrap().code(), 699);
    // RFC 8489 section 14.8: the reserved bits are ignored.
    assert_eq!(read::<ErrorCode>(&[0xFF, 0xFF, 0xFC, 1]).unwrap().code(), 401);
    assert_eq!(written(&ErrorCode::new(699, "").unwrap()), [0, 0, 6, 99], "reserved bits are zero");
    assert_eq!(ErrorCode::new(299, ""), Err(Malformed::ErrorCodeRange));
    assert_eq!(ErrorCode::new(700, ""), Err(Malformed::ErrorCodeRange));
}

#[test]
fn sec_7_reason_phrases_are_bounded_utf8() {
    let mut value = vec![0, 0, 4, 0];
    value.resize(4 + 763, b'x');
    assert_eq!(read::<ErrorCode>(&value).unwrap().reason().len(), 763);
    value.push(b'x');
    assert_eq!(read::<ErrorCode>(&value), Err(Malformed::Length));
    assert_eq!(read::<ErrorCode>(b"\0\0\x04\0\xFF\xFE"), Err(Malformed::NotUtf8));
    assert!(ErrorCode::new(400, &"x".repeat(127)).is_ok());
    assert_eq!(ErrorCode::new(400, &"x".repeat(128)), Err(Malformed::Length));
}

#[test]
fn sec_9_texts_end_at_763_octets() {
    let long = vec![b'x'; 764];
    assert!(read::<Username>(&long[..763]).is_ok());
    assert!(read::<Realm>(&long[..763]).is_ok());
    assert!(read::<Nonce>(&long[..763]).is_ok());
    assert!(read::<Software>(&long[..763]).is_ok());
    assert_eq!(read::<Username>(&long), Err(Malformed::Length));
    assert_eq!(read::<Realm>(&long), Err(Malformed::Length));
    assert_eq!(read::<Nonce>(&long), Err(Malformed::Length));
    assert_eq!(read::<Software>(&long), Err(Malformed::Length));
}

#[test]
fn sec_9_senders_stay_below_509_octets_and_128_characters() {
    assert!(Username::new(&"x".repeat(508)).is_ok());
    assert_eq!(Username::new(&"x".repeat(509)), Err(Malformed::Length));
    // 127 characters of four octets each are 508 octets.
    assert!(Realm::new(&"\u{1F600}".repeat(127)).is_ok());
    assert_eq!(Realm::new(&"\u{1F600}".repeat(128)), Err(Malformed::Length));
    assert_eq!(Software::new(&"x".repeat(128)), Err(Malformed::Length));
}

#[test]
fn texts_are_only_data() {
    for text in ["%n%s", "\"'; DROP", "nul\0nul", "line\nline"] {
        assert_eq!(read::<Username>(text.as_bytes()).unwrap().as_str(), text);
    }
    assert_eq!(read::<Username>(b"\xC3"), Err(Malformed::NotUtf8));
    assert_eq!(read::<Nonce>(b"\xC3").unwrap().octets(), b"\xC3");
}

#[test]
fn sec_23_debug_is_one_line_without_control_characters() {
    let texts = ["line\nline", "\r\u{1b}[2J", "nul\0nul", "\u{85}", "\u{2028}\u{202e}", "\"'; DROP %n"];
    let kinds = [
        AttributeType::USERNAME,
        AttributeType::REALM,
        AttributeType::NONCE,
        AttributeType::SOFTWARE,
        AttributeType::THIRD_PARTY_AUTHORIZATION,
        AttributeType::ERROR_CODE,
        AttributeType::ADDRESS_ERROR_CODE,
        AttributeType(0xFFEE),
    ];
    for text in texts {
        for kind in kinds {
            let head: &[u8] = match kind {
                AttributeType::ERROR_CODE | AttributeType::ADDRESS_ERROR_CODE => &[1, 0, 4, 0],
                _ => &[],
            };
            let value = [head, text.as_bytes()].concat();
            let shown = std::format!("{:?}", AnyAttribute::parse(kind, &value, ID).unwrap());
            let bad = |it: char| it.is_control() || matches!(it, '\u{2028}' | '\u{202e}');
            assert!(!shown.contains(bad), "{shown}");
        }
    }
    assert_eq!(std::format!("{:?}", Nonce::new(b"f//\n\xff").unwrap()), r#"Nonce("f//\n\xff")"#);
}

#[test]
fn rfc8489_14_9_a_realm_to_be_sent_is_an_unquoted_realm_value() {
    for legal in ["example.org", "two words", r#"say \"hello\" and \\"#, "caf\u{e9}"] {
        assert_eq!(Realm::new(legal).map(|it| it.as_str()), Ok(legal));
    }
    for illegal in ["\"quoted\"", "a\"b", "ends in \\", "\\\u{e9}", "\\\n", "line\nline", "nul\0", "\u{85}"] {
        assert_eq!(Realm::new(illegal), Err(Malformed::Character), "{illegal:?}");
        // What others send is read as it is.
        assert_eq!(read::<Realm>(illegal.as_bytes()).unwrap().as_str(), illegal);
    }
    assert_eq!(Realm::new(""), Err(Malformed::Length));
}

#[test]
fn domains_are_visible_ascii() {
    assert_eq!(read::<AlternateDomain>(b"stun.example.org").unwrap().as_str(), "stun.example.org");
    assert_eq!(read::<AlternateDomain>(b"").unwrap_err(), Malformed::Length);
    assert_eq!(read::<AlternateDomain>(&[b'a'; 256]).unwrap_err(), Malformed::Length);
    assert!(read::<AlternateDomain>(&[b'a'; 255]).is_ok());
    assert_eq!(read::<AlternateDomain>(b"a b").unwrap_err(), Malformed::Character);
    assert_eq!(AlternateDomain::new("caf\u{e9}").unwrap_err(), Malformed::Character);
    // What is sent is a name of DNS.
    for name in ["a", "stun.example.org", "xn--caf-dma.example.", "_stun._udp.example.org"] {
        assert!(AlternateDomain::new(name).is_ok(), "{name}");
    }
    let (label, whole) =
        ("a".repeat(63), ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(63)].join("."));
    assert!(AlternateDomain::new(&label).is_ok() && AlternateDomain::new(&whole).is_ok());
    for name in ["", ".", "a..b", ".a", &(label + "a"), &(whole + "e")] {
        assert_eq!(AlternateDomain::new(name), Err(Malformed::Length), "{name}");
    }
    for name in ["-a", "a-", "a.-b", "a!b", "a b"] {
        assert_eq!(AlternateDomain::new(name), Err(Malformed::Character), "{name}");
    }
}

#[test]
fn numbers_and_flags_have_their_length_and_no_other() {
    let octets = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    assert_eq!(read(&octets[..4]), Ok(Priority(0x0102_0304)));
    assert_eq!(read(&octets[..4]), Ok(Nomination(0x0102_0304)));
    assert_eq!(read(&octets[..4]), Ok(NetworkCost { network_id: 0x0102, cost: 0x0304 }));
    assert_eq!(read(&octets[..8]), Ok(IceControlled(0x0102_0304_0506_0708)));
    assert_eq!(read(&octets[..8]), Ok(IceControlling(0x0102_0304_0506_0708)));
    assert_eq!(read(b""), Ok(UseCandidate));
    for length in [0, 3, 5, 8, 9] {
        assert_eq!(read::<Priority>(&octets[..length]), Err(Malformed::Length));
        assert_eq!(read::<NetworkCost>(&octets[..length]), Err(Malformed::Length));
        assert_eq!(read::<ChangeRequest>(&octets[..length]), Err(Malformed::Length));
    }
    for length in [0, 4, 7, 9] {
        assert_eq!(read::<IceControlled>(&octets[..length]), Err(Malformed::Length));
    }
    assert_eq!(read::<UseCandidate>(b"x"), Err(Malformed::Length));
    assert_eq!(read::<UserHash>(&[0; 31]), Err(Malformed::Length));
    assert_eq!(written(&NetworkCost { network_id: 0x0102, cost: 0x0304 }), octets[..4]);
}

#[test]
fn rfc5780_7_2_change_request_is_two_bits() {
    for (value, ip, port) in [(0, false, false), (2, false, true), (4, true, false), (6, true, true)] {
        let octets = [0, 0, 0, value];
        assert_eq!(read(&octets), Ok(ChangeRequest { ip, port }));
        assert_eq!(written(&ChangeRequest { ip, port }), octets);
    }
    assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xF9]), Ok(ChangeRequest { ip: false, port: false }));
}

#[test]
fn kinds_name_themselves() {
    assert_eq!(std::format!("{}", AttributeType::XOR_MAPPED_ADDRESS), "XOR-MAPPED-ADDRESS");
    assert_eq!(std::format!("{:?}", AttributeType(0x7FFF)), "0x7fff");
    assert!(AttributeType(0x7FFF).is_comprehension_required());
    assert!(!AttributeType(0x8000).is_comprehension_required());
}

#[test]
fn rfc5389_12_1_reserved_attributes_are_those_of_rfc3489() {
    let numbers = AttributeType::IN_RFC3489_RESPONSES.map(|kind| kind.0);
    assert_eq!(numbers, [0x0002, 0x0004, 0x0005, 0x000B]);
    let response = crate::testing::ByHand::new(crate::Class::Success, crate::Method::BINDING)
        .with(AttributeType::MAPPED_ADDRESS, b"\0\x01\x13\x88\xc0\0\x02\x01")
        .with(AttributeType::SOURCE_ADDRESS, b"\0\x01\x0d\x96\xc0\0\x02\x02")
        .with(AttributeType::CHANGED_ADDRESS, b"\0\x01\x0d\x97\xc0\0\x02\x03")
        .octets();
    let response = crate::Message::parse(&response).unwrap();
    let mut known = AttributeType::IN_RFC3489_RESPONSES.to_vec();
    assert_eq!(response.unknown_required(&known).count(), 1);
    known.push(AttributeType::MAPPED_ADDRESS);
    assert_eq!(response.unknown_required(&known).count(), 0);
}
