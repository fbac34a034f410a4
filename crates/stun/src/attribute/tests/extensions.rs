//! The attributes of the extensions: their lengths, and the bits that must be ignored.

use ginnel_core::Ecn;

use super::{read, written};
use crate::attribute::*;

/// Octets that are read, with all reserved bits set, and what is written, where they are zero.
fn reserved<A: for<'a> Attribute<'a> + PartialEq + core::fmt::Debug>(value: A, set: &[u8], clear: &[u8]) {
    assert_eq!(written(&value), clear);
    assert_eq!(read::<A>(clear).as_ref(), Ok(&value));
    assert_eq!(read::<A>(set), Ok(value));
}
/// Every length but these is refused.
fn only_of<A: for<'a> Attribute<'a> + PartialEq + core::fmt::Debug>(lengths: &[usize]) {
    for length in 0..24 {
        let refused = read::<A>(&[1; 24][..length]) == Err(Malformed::Length);
        assert_eq!(refused, !lengths.contains(&length), "{} octets of {}", length, A::TYPE);
    }
}

#[test]
fn rfc8656_18_reserved_bits_are_written_as_zero_and_ignored() {
    reserved(ChannelNumber(0x4001), b"\x40\x01\xff\xff", b"\x40\x01\0\0");
    reserved(RequestedAddressFamily(AddressFamily::Ipv4), b"\x01\xff\xff\xff", b"\x01\0\0\0");
    reserved(AdditionalAddressFamily(AddressFamily::Ipv6), b"\x02\xff\xff\xff", b"\x02\0\0\0");
    reserved(EvenPort { reserve_next: true }, b"\xff", b"\x80");
    reserved(EvenPort { reserve_next: false }, b"\x7f", b"\0");
    reserved(RequestedTransport::UDP, b"\x11\xff\xff\xff", b"\x11\0\0\0");
    reserved(Icmp { kind: 3, code: 4, data: 1280 }, b"\xff\xff\x03\x04\0\0\x05\0", b"\0\0\x03\x04\0\0\x05\0");
    reserved(ResponsePort(5000), b"\x13\x88\xff\xff", b"\x13\x88\0\0");
    let counter = TransactionTransmitCounter { requests: 3, responses: 2 };
    reserved(counter, b"\xff\xff\x03\x02", b"\0\0\x03\x02");
    // An echo that is not valid is arbitrary, so it is among the ignored.
    reserved(EcnCheck::default(), b"\xff\xff\xff\xfe", b"\0\0\0\0");
    for (echo, bits) in [(Ecn::NotEct, 0b001), (Ecn::Ect1, 0b011), (Ecn::Ect0, 0b101), (Ecn::Ce, 0b111)] {
        reserved(EcnCheck { echo: Some(echo) }, &[0xff, 0xff, 0xff, 0xf8 | bits], &[0, 0, 0, bits]);
    }
}

#[test]
fn rfc8656_18_lengths_are_exact() {
    only_of::<ChannelNumber>(&[4]);
    only_of::<Lifetime>(&[4]);
    only_of::<RequestedAddressFamily>(&[4]);
    only_of::<AdditionalAddressFamily>(&[4]);
    only_of::<EvenPort>(&[1]);
    only_of::<RequestedTransport>(&[4]);
    only_of::<DontFragment>(&[0]);
    only_of::<ReservationToken>(&[8]);
    only_of::<Icmp>(&[8]);
    only_of::<ConnectionId>(&[4]);
    only_of::<TransactionTransmitCounter>(&[4]);
    only_of::<ResponsePort>(&[2, 4]);
    only_of::<EcnCheck>(&[4]);
}

#[test]
fn rfc8656_18_6_families_are_1_and_2() {
    for family in [0, 3, 0xFF] {
        let value = [family, 0, 0, 0];
        assert_eq!(read::<RequestedAddressFamily>(&value), Err(Malformed::AddressFamily));
        assert_eq!(read::<AdditionalAddressFamily>(&value), Err(Malformed::AddressFamily));
        assert_eq!(read::<AddressErrorCode<'_>>(&[family, 0, 4, 40]), Err(Malformed::AddressFamily));
    }
    assert_eq!(AddressFamily::of([192, 0, 2, 1].into()), AddressFamily::Ipv4);
}

#[test]
fn rfc8656_18_12_address_error_codes_are_error_codes_with_a_family() {
    let value = b"\x02\xff\xfd\x08Insufficient Capacity";
    let read_ = read::<AddressErrorCode<'_>>(value).unwrap();
    assert_eq!((read_.family, read_.error.code()), (AddressFamily::Ipv6, 508));
    assert_eq!(read_.error.reason(), "Insufficient Capacity");
    assert_eq!(written(&read_), b"\x02\0\x05\x08Insufficient Capacity");
    assert_eq!(read::<AddressErrorCode<'_>>(&[]), Err(Malformed::Length));
    assert_eq!(read::<AddressErrorCode<'_>>(b"\x01\0\x04"), Err(Malformed::Length));
    assert_eq!(read::<AddressErrorCode<'_>>(b"\x01\0\x02\0"), Err(Malformed::ErrorCodeRange));
}

#[test]
fn rfc8489_14_11_lists_of_algorithms_keep_parameters() {
    // MD5; an unknown one with five octets of parameters, their padding not zero; SHA-256.
    let value = b"\0\x01\0\0\x12\x34\0\x05abcde\xff\xff\xff\0\x02\0\0";
    let list = read::<PasswordAlgorithms<'_>>(value).unwrap();
    let unknown = PasswordAlgorithm::new(Algorithm(0x1234), b"abcde").unwrap();
    assert!(list.iter().eq([PasswordAlgorithm::MD5, unknown, PasswordAlgorithm::SHA256]));
    assert_eq!((unknown.algorithm(), unknown.parameters()), (Algorithm(0x1234), &b"abcde"[..]));
    // RFC 8489 section 14.12: padding is zero when it is sent.
    assert_eq!(written(&list), b"\0\x01\0\0\x12\x34\0\x05abcde\0\0\0\0\x02\0\0");
    assert_eq!(written(&unknown), b"\x12\x34\0\x05abcde\0\0\0");
    // The last padding may be the attribute's own.
    assert_eq!(read(&value[4..13]), Ok(unknown));
    assert!(
        read::<PasswordAlgorithms<'_>>(&value[..13]).unwrap().iter().eq([PasswordAlgorithm::MD5, unknown])
    );
    assert_eq!(read::<PasswordAlgorithms<'_>>(b"").unwrap().iter().count(), 0);
}

#[test]
fn sec_25_algorithms_with_lying_lengths_are_an_error() {
    for value in
        [&b"\0"[..], b"\0\x01\0", b"\0\x01\0\x01", b"\0\x01\xff\xffabcd", b"\0\x01\0\0\0\x02\0\x05abcd"]
    {
        assert_eq!(read::<PasswordAlgorithms<'_>>(value), Err(Malformed::Length), "{value:?}");
        assert_eq!(read::<PasswordAlgorithm<'_>>(value), Err(Malformed::Length), "{value:?}");
    }
    // One algorithm is one.
    assert_eq!(read::<PasswordAlgorithm<'_>>(b""), Err(Malformed::Length));
    assert_eq!(read::<PasswordAlgorithm<'_>>(b"\0\x01\0\0\0\x02\0\0"), Err(Malformed::Length));
    assert_eq!(PasswordAlgorithm::new(Algorithm::MD5, &[0; 65_529]), Err(Malformed::Length));
    assert!(PasswordAlgorithm::new(Algorithm::MD5, &[0; 65_528]).is_ok());
}

#[test]
fn sec_25_tokens_with_lying_inner_lengths_are_refused() {
    let sealed = |token: &'static [u8]| AccessToken(token).sealed().map(|it| (it.nonce, it.encrypted_block));
    assert_eq!(sealed(b"\0\x02ivbox"), Ok((&b"iv"[..], &b"box"[..])));
    assert_eq!(sealed(b"\0\0"), Ok((&b""[..], &b""[..])));
    for token in [&b""[..], b"\0", b"\0\x01", b"\0\x06ivbox", b"\xff\xffivbox", b"\x80\0ivbox"] {
        assert_eq!(sealed(token), Err(Malformed::Length), "{token:?}");
    }
    let block = b"\0\x04key!\0\0\0\0\0\x0a\x3e\x80\0\0\x0e\x10";
    let read = TokenBlock::parse(block).unwrap();
    assert_eq!((read.mac_key, read.timestamp, read.lifetime), (&b"key!"[..], 0x000A_3E80, 3600));
    assert_eq!(read.issued(), core::time::Duration::from_millis(10_250));
    assert!(!std::format!("{read:?}").contains("key!"));
    for cut in 0..block.len() {
        assert_eq!(TokenBlock::parse(&block[..cut]), Err(Malformed::Length), "{cut} octets");
    }
    for lie in [0u16, 3, 5, 16, 0x7FFF, 0xFFFF] {
        let mut lying = *block;
        lying[..2].copy_from_slice(&lie.to_be_bytes());
        assert_eq!(TokenBlock::parse(&lying), Err(Malformed::Length), "{lie}");
    }
    // The latest time there is does not overflow.
    let mut last = *block;
    last[6..14].fill(0xFF);
    assert_eq!(TokenBlock::parse(&last).unwrap().issued().as_secs(), (1 << 48) - 1 + 1);
}

#[test]
fn sped_acknowledges_at_most_four_packets() {
    for length in 0..=24 {
        let legal = length % 4 == 0 && length <= 16;
        assert_eq!(
            read::<MetaDtlsInStunAcknowledgement>(&[7; 24][..length]).is_ok(),
            legal,
            "{length} octets"
        );
    }
    let two = MetaDtlsInStunAcknowledgement::new(&[1, 0xFFFF_FFFF]).unwrap();
    assert_eq!(written(&two), b"\0\0\0\x01\xff\xff\xff\xff");
    assert_eq!(read::<MetaDtlsInStunAcknowledgement>(&written(&two)).unwrap().hashes(), [1, 0xFFFF_FFFF]);
    assert!(MetaDtlsInStunAcknowledgement::new(&[0; 4]).is_ok());
    assert_eq!(MetaDtlsInStunAcknowledgement::new(&[0; 5]), Err(Malformed::Length));
}

#[test]
fn octets_are_not_printed() {
    let shown = std::format!("{:?} {:?}", Password(b"secret"), AnyAttribute::from(AccessToken(b"secret")));
    assert_eq!(shown, "Password(6 octets) AccessToken(AccessToken(6 octets))");
}

#[test]
fn any_attribute_is_the_attribute_of_its_number() {
    let any = |number, value| AnyAttribute::parse(AttributeType(number), value, crate::testing::ID);
    assert_eq!(any(0x0024, b"\0\0\0\x07"), Ok(AnyAttribute::Priority(Priority(7))));
    assert_eq!(any(0x0024, b"\0\0\x07"), Err(Malformed::Length));
    let Ok(AnyAttribute::Other(other)) = any(0xFFEE, b"value") else { panic!("nobody knows it") };
    assert_eq!((other.kind(), other.value()), (AttributeType(0xFFEE), &b"value"[..]));
    // What is computed has no type of its own, and cannot be made.
    for kind in [AttributeType::MESSAGE_INTEGRITY, AttributeType::FINGERPRINT] {
        assert!(matches!(any(kind.0, b""), Ok(AnyAttribute::Other(_))));
        assert_eq!(OtherAttribute::new(kind, b""), None);
    }
}

#[test]
fn error_codes_have_the_phrases_of_the_registry() {
    assert_eq!(ErrorCode::STALE_NONCE.phrase(), Some("Stale Nonce"));
    assert_eq!(ErrorCode::new(508, "").unwrap(), ErrorCode::INSUFFICIENT_CAPACITY);
    assert_eq!(ErrorCode::new(499, "").unwrap().phrase(), None);
}
