//! What the feature `serde` writes, and that it is read again.
#![cfg(feature = "serde")]

use ginnel_stun::{
    Class, Message, Method, ParseError, TransactionId,
    attribute::{
        AccessToken, Algorithm, AnyAttribute, AttributeType, ErrorCode, Lifetime, MobilityTicket, Nonce,
        Password, PasswordAlgorithm, RequestedTransport, ReservationToken, UserHash, XorMappedAddress,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, from_value, json, to_value};

fn is<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T, want: Value) {
    assert_eq!(to_value(&value).expect("it is written"), want);
    assert_eq!(from_value::<T>(want).expect("it is read"), value);
}

#[test]
fn values_are_written_and_read() {
    is(AttributeType::PRIORITY, json!(0x24));
    is(Class::Success, json!("Success"));
    is(Method::ALLOCATE, json!(3));
    is(TransactionId::new(*b"transactions"), json!("7472616e73616374696f6e73"));
    is(TransactionId::rfc3489(*b"old!transactions"), json!("6f6c64217472616e73616374696f6e73"));
    is(XorMappedAddress(([192, 0, 2, 1], 3478).into()), json!("192.0.2.1:3478"));
    is(Lifetime(600), json!(600));
    is(RequestedTransport::UDP, json!(17));
    is(ReservationToken(*b"reserved"), json!("7265736572766564"));
    is(UserHash([0xA5; 32]), json!("a5".repeat(32)));
    is(Message::parse(b"short").expect_err("short"), json!({ "offset": 5, "reason": "ShorterThanHeader" }));
}

#[test]
fn what_is_no_value_is_not_read() {
    assert!(from_value::<Method>(json!(0x1000)).is_err());
    for text in ["", "7472616e73616374696f6e7", "7472616e73616374696f6ezz", "+472616e73616374696f6e73"] {
        assert!(from_value::<TransactionId>(json!(text)).is_err(), "{text}");
    }
    for text in
        [json!("72657365727665"), json!("726573657276656g"), json!("+265736572766564"), json!([1, 2, 3])]
    {
        assert!(from_value::<ReservationToken>(text.clone()).is_err(), "{text}");
    }
    assert!(from_value::<ParseError>(json!({ "offset": 5, "reason": "Unheard" })).is_err());
}

#[test]
fn secrets_are_counted_and_octets_are_text() {
    let shown = |value: AnyAttribute<'_>| to_value(value).expect("it is written");
    assert_eq!(shown(Password(b"secret").into()), json!({ "Password": "6 octets" }));
    assert_eq!(shown(AccessToken(b"secret!").into()), json!({ "AccessToken": "7 octets" }));
    assert_eq!(shown(MobilityTicket(b"").into()), json!({ "MobilityTicket": "0 octets" }));
    assert_eq!(shown(Nonce::new(b"f//4\n\xff").expect("short").into()), json!({ "Nonce": r"f//4\n\xff" }));
    let unheard = PasswordAlgorithm::new(Algorithm(7), &[1, 2, 0xAB]).expect("short");
    let want = json!({ "PasswordAlgorithm": { "algorithm": 7, "parameters": "0102ab" } });
    assert_eq!(shown(unheard.into()), want);
}

#[test]
fn attributes_are_shown() {
    let octets = b"\x01\x11\x00\x18\x21\x12\xa4\x42transactions\x00\x09\x00\x04\x00\x00\x04\x26\
        \x00\x13\x00\x02\xab\xcd\x00\x00\xff\xee\x00\x01\x07\x00\x00\x00";
    let message = Message::parse(octets).expect("a message");
    let shown: Vec<Value> = message
        .attributes()
        .map(|raw| raw.read(message.transaction_id()).expect("well-formed"))
        .map(|attribute| to_value(attribute).expect("it is written"))
        .collect();
    assert_eq!(to_value(AnyAttribute::from(ErrorCode::STALE_NONCE)).expect("it is written"), shown[0]);
    assert_eq!(shown[0], json!({ "ErrorCode": { "code": 438, "reason": "" } }));
    assert_eq!(shown[1], json!({ "Data": "abcd" }));
    assert_eq!(shown[2], json!({ "Other": { "type": 0xFFEE, "value": "07" } }));
}
