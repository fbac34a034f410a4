use alloc::vec::Vec;

use ginnel_core::NoRoom;

use crate::{
    attribute::{AttributeType, Priority},
    testing::*,
    *,
};

fn key() -> IntegrityKey {
    IntegrityKey::short_term(PASSWORD).unwrap()
}

/// A request with MESSAGE-INTEGRITY-SHA256, its value cut to `length` octets as RFC 8489 section 14.6 allows.
fn truncated(length: usize) -> Vec<u8> {
    let before = ByHand::binding().with(AttributeType::PRIORITY, &[0, 0, 0, 1]);
    let before = before.octets();
    let hashed_length = (before.len() - 20 + 4 + length) as u16;
    let mac = key().sha256(&before, hashed_length);
    ByHand::binding()
        .with(AttributeType::PRIORITY, &[0, 0, 0, 1])
        .with(AttributeType::MESSAGE_INTEGRITY_SHA256, &mac[..length])
        .octets()
}

#[test]
fn rfc8489_9_2_2_md5_key() {
    // RFC 8489 section 9.2.2 gives the key of user:realm:pass.
    let given = IntegrityKey::from_octets(&0x8493_fbc5_3ba5_82fb_4c04_4c45_6bdc_40ebu128.to_be_bytes());
    for (user, realm) in [("user", "realm"), ("\"user\"", "\"realm\""), ("user\0\0", "realm\0")] {
        let ours = IntegrityKey::long_term(user, realm, "pass").unwrap();
        assert_eq!(ours.sha1(REQUEST, 7), given.sha1(REQUEST, 7));
        assert_eq!(ours.sha256(REQUEST, 7), given.sha256(REQUEST, 7));
    }
}

#[test]
fn rfc8489_18_5_1_2_sha256_key() {
    // printf 'user:realm:pass' | sha256sum
    let given = *b"\x07\xe9\x34\x11\x7a\xbd\x40\x83\x6e\x7c\x63\x29\xb5\x47\x31\xb2\
        \xb2\xd2\xa5\xf9\xa7\x1f\x54\x49\x22\xd7\x5e\x07\x30\xd8\x25\x1b";
    let ours = IntegrityKey::long_term_sha256("user", "realm", "pass").unwrap();
    assert_eq!(ours.sha1(REQUEST, 7), IntegrityKey::from_octets(&given).sha1(REQUEST, 7));
}

#[test]
fn credentials_that_need_preparation_are_refused() {
    assert_eq!(IntegrityKey::short_term("").unwrap_err(), CredentialError::Empty);
    assert_eq!(IntegrityKey::short_term("a\nb").unwrap_err(), CredentialError::ControlCharacter);
    assert_eq!(IntegrityKey::long_term("me", "", "pass").unwrap_err(), CredentialError::Empty);
    #[cfg(not(feature = "precis"))]
    assert_eq!(IntegrityKey::long_term("me", "realm", "caf\u{e9}").unwrap_err(), CredentialError::NotAscii);
    assert!(IntegrityKey::short_term("with space ~").is_ok());
}

#[test]
fn a_key_of_any_length_works() {
    for length in [0, 1, 20, 63, 64, 65, 300] {
        let key = IntegrityKey::from_octets(&[7u8; 300][..length]);
        let password = "\u{7}".repeat(length);
        let octets = ByHand::binding().with_sha1(&password).octets();
        assert_eq!(Message::parse(&octets).unwrap().integrity(&key), Integrity::Ok);
    }
}

/// The framing is our own, so it is held to the library's: every boundary of a block, in the key and in the message.
#[test]
fn the_framing_is_that_of_the_library_for_keys_and_messages_of_every_length() {
    use hmac::{Hmac, KeyInit, Mac};
    let octets: [u8; 200] = core::array::from_fn(|i| (i * 7 + 3) as u8);
    let lengths =
        (4..=octets.len()).flat_map(|message| [0, 1, 22, 63, 64, 65, 200].map(|key| (key, message)));
    for (key, message) in lengths.chain((0..=octets.len()).map(|key| (key, 60))) {
        let ours = IntegrityKey::from_octets(&octets[..key]);
        let mut hashed = octets[..message].to_vec();
        hashed[2..4].copy_from_slice(&0xBEEF_u16.to_be_bytes());
        let mut sha1 = Hmac::<sha1::Sha1>::new_from_slice(&octets[..key]).unwrap();
        sha1.update(&hashed);
        assert_eq!(
            ours.sha1(&octets[..message], 0xBEEF)[..],
            sha1.finalize().into_bytes()[..],
            "{key}, {message}"
        );
        let mut sha256 = Hmac::<sha2::Sha256>::new_from_slice(&octets[..key]).unwrap();
        sha256.update(&hashed);
        assert_eq!(
            ours.sha256(&octets[..message], 0xBEEF)[..],
            sha256.finalize().into_bytes()[..],
            "{key}, {message}"
        );
    }
}

#[test]
fn a_key_is_not_shown() {
    assert_eq!(std::format!("{:?}", key()), "IntegrityKey(..)");
}

#[test]
fn integrity_is_absent_ok_or_bad() {
    let none = ByHand::binding().octets();
    assert_eq!(Message::parse(&none).unwrap().integrity(&key()), Integrity::Absent);
    let other = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBT").unwrap();
    assert_eq!(Message::parse(REQUEST).unwrap().integrity(&key()), Integrity::Ok);
    assert_eq!(Message::parse(REQUEST).unwrap().integrity(&other), Integrity::Bad);
}

#[test]
fn where_both_are_present_sha256_decides_alone() {
    let mut buffer = [0; 2048];
    let mut packet = ginnel_core::Packet::empty(&mut buffer);
    MessageWriter::new(&mut packet, Class::Request, Method::BINDING, ID)
        .and_then(|open| open.attribute(&Priority(1)))
        .and_then(|open| open.integrity(&key()))
        .and_then(|sealed| sealed.integrity_sha256(&key()))
        .unwrap()
        .finish();
    let whole = packet.bytes().to_vec();
    assert_eq!(Message::parse(&whole).unwrap().integrity(&key()), Integrity::Ok);
    let mut bad_sha256 = whole;
    *bad_sha256.last_mut().unwrap() ^= 1;
    assert_eq!(Message::parse(&bad_sha256).unwrap().integrity(&key()), Integrity::Bad);
}

#[test]
fn sec_14_truncated_hmac_sha1_is_bad() {
    for length in [0, 4, 16, 19, 21, 24, 32] {
        let octets = ByHand::binding().with(AttributeType::MESSAGE_INTEGRITY, &[0; 32][..length]).octets();
        assert_eq!(Message::parse(&octets).unwrap().integrity(&key()), Integrity::Bad, "{length} octets");
    }
}

#[test]
fn sec_14_truncated_hmac_sha256_is_bad_unless_a_usage_allows_it() {
    for length in 0..=32 {
        let octets = truncated(length);
        let message = Message::parse(&octets).unwrap();
        let whole = if length == 32 { Integrity::Ok } else { Integrity::Bad };
        assert_eq!(message.integrity(&key()), whole, "{length} octets");
        let legal = length >= 16 && length % 4 == 0;
        let allowed = if legal { Integrity::Ok } else { Integrity::Bad };
        assert_eq!(message.integrity_truncated(&key(), 0), allowed, "{length} octets");
        let longer = if legal && length >= 20 { Integrity::Ok } else { Integrity::Bad };
        assert_eq!(message.integrity_truncated(&key(), 20), longer, "{length} octets");
    }
    let octets = ByHand::binding().with(AttributeType::MESSAGE_INTEGRITY_SHA256, &[0; 36]).octets();
    assert_eq!(Message::parse(&octets).unwrap().integrity_truncated(&key(), 16), Integrity::Bad);
}

/// A request of one attribute that ends as `seal` would have it.
fn sealed(
    seal: impl for<'p, 'b> FnOnce(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b, SealedSha256>, NoRoom>,
) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut packet = ginnel_core::Packet::empty(&mut buffer);
    MessageWriter::new(&mut packet, Class::Request, Method::BINDING, ID)
        .and_then(|open| open.attribute(&attribute::Username::new("evtj:h6vY").unwrap()))
        .and_then(seal)
        .and_then(MessageWriter::fingerprint)
        .unwrap();
    packet.bytes().to_vec()
}

#[test]
fn sec_16_no_flipped_bit_is_accepted() {
    let (key, shortest) = (key(), Sha256Len::new(16).unwrap());
    type Check = fn(&Message<'_>, &IntegrityKey) -> Integrity;
    let whole: Check = |message, key| message.integrity(key);
    let table: [(&str, Vec<u8>, Check, usize); 6] = [
        ("RFC 5769", REQUEST.to_vec(), whole, 24),
        ("SHA1", sealed(|open| open.integrity_as(IntegrityAlgorithm::Sha1, &key)), whole, 24),
        ("SHA256", sealed(|open| open.integrity_sha256(&key)), whole, 36),
        // Without its name the second is no more than an attribute to be ignored behind the first.
        ("both", sealed(|open| open.integrity(&key)?.integrity_sha256(&key)), whole, 24),
        (
            "SHA256, 16 octets",
            sealed(|open| open.integrity_sha256_truncated(&key, shortest)),
            |message, key| message.integrity_truncated(key, 16),
            20,
        ),
        (
            "GOOG 32",
            sealed(|open| open.goog_integrity_32(&key)),
            |message, key| message.goog_integrity_32(key),
            8,
        ),
    ];
    for (name, octets, check, len) in table {
        let kinds = [0x0008, 0x001C, 0xC060].map(AttributeType);
        let message = Message::parse(&octets).unwrap();
        assert_eq!(check(&message, &key), Integrity::Ok, "{name}");
        // What integrity covers, and integrity itself; FINGERPRINT covers the rest.
        let covered = message.attributes().find(|raw| kinds.contains(&raw.kind)).unwrap().offset + len;
        for bit in 0..8 * octets.len() {
            let mut flipped = octets.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Nor is it by a reader that does without the magic cookie.
            let Ok(message) = Message::parse_or_rfc3489(&flipped) else { continue };
            if bit / 8 < covered {
                assert_ne!(check(&message, &key), Integrity::Ok, "{name}, bit {bit}");
            }
            assert_ne!(message.fingerprint(), Fingerprint::Ok, "{name}, bit {bit}");
        }
    }
}

#[test]
fn sec_11_nothing_is_smuggled_past_an_integrity_that_is_checked() {
    let key = key();
    type Check = fn(&Message<'_>, &IntegrityKey) -> Integrity;
    let whole: Check = |message, key| message.integrity(key);
    let table: [(&str, Vec<u8>, Check); 4] = [
        ("SHA1", sealed(|open| open.integrity_as(IntegrityAlgorithm::Sha1, &key)), whole),
        ("SHA256", sealed(|open| open.integrity_sha256(&key)), whole),
        ("both", sealed(|open| open.integrity(&key)?.integrity_sha256(&key)), whole),
        ("GOOG 32", sealed(|open| open.goog_integrity_32(&key)), |message, key| {
            message.goog_integrity_32(key)
        }),
    ];
    let shown = |message: &Message<'_>| {
        let values = message.attributes().filter(|raw| !raw.kind.ends_message());
        values.map(|raw| (raw.kind, raw.value.to_vec())).collect::<Vec<_>>()
    };
    for (name, honest, check) in table {
        let before = shown(&Message::parse(&honest).unwrap());
        let mut believed = 0;
        for octets in with_strangers(&honest) {
            let Ok(message) = Message::parse(&octets) else { continue };
            if check(&message, &key) == Integrity::Ok {
                believed += 1;
                assert_eq!(shown(&message), before, "{name}");
                assert_eq!(message.get(), Ok(Some(attribute::Username::new("evtj:h6vY").unwrap())));
                assert!(!message.has(AttributeType::USE_CANDIDATE));
                assert_eq!(message.unknown_required(&[AttributeType::USERNAME]).count(), 0);
            }
        }
        // Behind MESSAGE-INTEGRITY there is room for what is ignored; behind the short one of libwebrtc there is none.
        assert_eq!(believed > 0, name != "GOOG 32", "{name}: {believed} are believed");
    }
}
/// A message, with two attributes of somebody else's at any places in it.
fn with_strangers(honest: &[u8]) -> Vec<Vec<u8>> {
    let strangers = [
        (AttributeType::USE_CANDIDATE, 0),
        (AttributeType::USERNAME, 8),
        (AttributeType(0x7777), 0),
        (AttributeType::MESSAGE_INTEGRITY, 20),
        (AttributeType::MESSAGE_INTEGRITY_SHA256, 32),
        (AttributeType::GOOG_MESSAGE_INTEGRITY_32, 4),
        (AttributeType::FINGERPRINT, 4),
    ];
    let strangers = strangers.map(|(kind, len)| ByHand::binding().with(kind, &[7; 32][..len]).octets());
    let places: Vec<_> = Message::parse(honest).unwrap().attributes().map(|raw| raw.offset).collect();
    let mut all = Vec::new();
    for (one, two) in strangers.iter().flat_map(|one| strangers.iter().map(move |two| (one, two))) {
        for (first, second) in places.iter().flat_map(|a| places.iter().map(move |b| (*a, *b))) {
            if first <= second {
                let (front, middle, back) = (&honest[..first], &honest[first..second], &honest[second..]);
                let mut octets = [front, &one[20..], middle, &two[20..], back].concat();
                let length = (octets.len() - 20) as u16;
                octets[2..4].copy_from_slice(&length.to_be_bytes());
                all.push(octets);
            }
        }
    }
    all
}

#[test]
fn goog_integrity_32_is_absent_ok_or_bad() {
    let whole = sealed(|open| open.goog_integrity_32(&key()));
    let without = &whole[..whole.len() - 16];
    let check = |octets: &[u8]| Message::parse(octets).unwrap().goog_integrity_32(&key());
    assert_eq!(check(&whole), Integrity::Ok);
    assert_eq!(check(REQUEST), Integrity::Absent);
    let hand = || ByHand::binding().with(AttributeType::PRIORITY, &[0; 4]);
    for length in [0, 1, 3, 5, 8, 20] {
        let octets = hand().with(AttributeType::GOOG_MESSAGE_INTEGRITY_32, &[0; 20][..length]).octets();
        assert_eq!(check(&octets), Integrity::Bad, "{length} octets");
    }
    // An attribute behind it is not protected by it: the message is not believed.
    let mut longer = without.to_vec();
    longer.extend(&whole[without.len()..whole.len() - 8]);
    longer.extend([0x00, 0x25, 0, 0]);
    let length = (longer.len() - 20) as u16;
    longer[2..4].copy_from_slice(&length.to_be_bytes());
    assert!(Message::parse(&longer).unwrap().has(AttributeType::USE_CANDIDATE));
    assert_eq!(check(&longer), Integrity::Bad);
}

#[test]
fn the_keyed_hmac_is_that_of_the_crate_hmac() {
    use hmac::{Hmac, KeyInit, Mac};
    let message: Vec<u8> = (0..400u16).map(|n| n as u8).collect();
    for key_len in [0, 1, 22, 63, 64, 65, 200] {
        let key = &message[..key_len];
        let ours = IntegrityKey::from_octets(key);
        for length in 4..message.len() {
            let mut text = message[..length].to_vec();
            text[2..4].copy_from_slice(&[0xBE, 0xEF]);
            let sha1 = Hmac::<sha1::Sha1>::new_from_slice(key).unwrap().chain_update(&text).finalize();
            let sha256 = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap().chain_update(&text).finalize();
            assert_eq!(ours.sha1(&message[..length], 0xBEEF)[..], sha1.into_bytes()[..], "{length} octets");
            assert_eq!(
                ours.sha256(&message[..length], 0xBEEF)[..],
                sha256.into_bytes()[..],
                "{length} octets"
            );
        }
    }
}
