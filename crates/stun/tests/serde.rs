//! What the feature `serde` writes, and that it is read again.
#![cfg(feature = "serde")]

use ginnel_stun::{
    Class, Message, Method, ParseError, TransactionId,
    attribute::{AnyAttribute, AttributeType, ErrorCode, Lifetime, RequestedTransport, XorMappedAddress},
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
    is(Message::parse(b"short").expect_err("short"), json!({ "offset": 5, "reason": "ShorterThanHeader" }));
}

#[test]
fn what_is_no_value_is_not_read() {
    assert!(from_value::<Method>(json!(0x1000)).is_err());
    for text in ["", "7472616e73616374696f6e7", "7472616e73616374696f6ezz", "+472616e73616374696f6e73"] {
        assert!(from_value::<TransactionId>(json!(text)).is_err(), "{text}");
    }
    assert!(from_value::<ParseError>(json!({ "offset": 5, "reason": "Unheard" })).is_err());
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
