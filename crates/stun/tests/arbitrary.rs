//! The feature `arbitrary`: values out of a fuzzer's octets, which can be written and read.
#![cfg(feature = "arbitrary")]

use arbitrary::{Arbitrary, Unstructured};
use ginnel_core::Packet;
use ginnel_stun::{Class, Draft, IntegrityKey, Message, Method, TransactionId, attribute::Username};

#[test]
fn any_octets_are_a_draft_and_a_draft_is_a_message() {
    let key = IntegrityKey::short_term("password").expect("ASCII");
    let octets: Vec<u8> = (0..4096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut written = 0;
    for start in 0..200 {
        let draft = Draft::arbitrary(&mut Unstructured::new(&octets[start * 7..])).expect("never fails");
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        if draft.write(&mut packet, &key).is_err() {
            continue;
        }
        let message = Message::parse_or_rfc3489(packet.bytes()).expect("a message");
        let read = message.attributes().map(|raw| raw.read(message.transaction_id()).expect("well-formed"));
        assert!(draft.attributes().copied().eq(read.take(draft.attributes().count())));
        written += 1;
    }
    assert!(written > 50, "{written} drafts of 200 fit a packet");
}

#[test]
fn headers_are_arbitrary_too() {
    let mut u = Unstructured::new(&[0xFF; 40]);
    assert_eq!(Class::arbitrary(&mut u), Ok(Class::Error));
    assert_eq!(Method::arbitrary(&mut u).map(Method::number), Ok(0xFFF));
    assert_eq!(TransactionId::arbitrary(&mut u), Ok(TransactionId::new([0xFF; 12])));
}

#[test]
fn a_value_of_no_octets_is_the_empty_one() {
    let name = Username::arbitrary(&mut Unstructured::new(&[])).expect("never fails");
    assert_eq!(name.as_str(), "");
}
