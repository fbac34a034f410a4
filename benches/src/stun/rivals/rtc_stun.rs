//! `rtc-stun`, of webrtc-rs.

use std::hint::black_box;

use rtc_stun::{
    attributes::{ATTR_DATA, ATTR_USERNAME, ATTR_XOR_PEER_ADDRESS, AttrType, RawAttribute},
    fingerprint::FINGERPRINT,
    integrity::MessageIntegrity,
    message::{
        BINDING_REQUEST, BINDING_SUCCESS, CLASS_INDICATION, Getter, METHOD_SEND, Message, MessageType,
        Setter, TransactionId,
    },
    textattrs::TextAttribute,
    xoraddr::XorMappedAddress,
};

use super::FOUR;
use crate::{
    contest::Group,
    stun::{
        PASSWORD, PAYLOAD, PRIORITY, TIEBREAKER, TRANSACTION, USERNAME, address, connectivity_check,
        ours::{response, send_indication},
    },
};

const NAME: &str = "rtc-stun 0.21";

fn read(message: &mut Message, octets: &[u8]) {
    message.unmarshal_binary(black_box(octets)).expect("a message");
}
fn mapped() -> XorMappedAddress {
    XorMappedAddress { ip: black_box(address()).ip(), port: address().port() }
}
fn raw(kind: u16, value: &[u8]) -> Box<dyn Setter> {
    Box::new(RawAttribute { typ: AttrType(kind), length: 0, value: value.to_vec() })
}

pub(super) fn parse(group: Group) -> Group {
    let (octets, mut message) = (connectivity_check(), Message::new());
    let provider = rtc_stun::crypto::default_provider().expect("ring is built in");
    group.with(NAME, move || {
        read(&mut message, &octets);
        MessageIntegrity::check(&mut message, PASSWORD.as_bytes(), provider.crypto()).expect("right");
        FINGERPRINT.check(&message).expect("right");
        FOUR.map(|kind| message.get(AttrType(kind)).map(|value| value.len()).ok())
    })
}
pub(super) fn parse_fingerprint(group: Group) -> Group {
    let (octets, mut message) = (connectivity_check(), Message::new());
    group.with(NAME, move || {
        read(&mut message, &octets);
        FINGERPRINT.check(&message).is_ok()
    })
}
pub(super) fn build(group: Group) -> Group {
    let provider = rtc_stun::crypto::default_provider().expect("ring is built in");
    let mut message = Message::new();
    group.with(NAME, move || {
        let integrity =
            MessageIntegrity::new_short_term_integrity_with_provider(PASSWORD.to_owned(), provider.crypto());
        let setters: [Box<dyn Setter>; 8] = [
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId(black_box(TRANSACTION))),
            Box::new(TextAttribute::new(ATTR_USERNAME, black_box(USERNAME).to_owned())),
            raw(FOUR[1], &black_box(PRIORITY).to_be_bytes()),
            raw(FOUR[2], &black_box(TIEBREAKER).to_be_bytes()),
            raw(FOUR[3], &[]),
            Box::new(integrity),
            Box::new(FINGERPRINT),
        ];
        message.build(&setters).expect("legal");
        message.raw.len()
    })
}
pub(super) fn response_parse(group: Group) -> Group {
    let (octets, mut message) = (response(), Message::new());
    group.with(NAME, move || {
        read(&mut message, &octets);
        let mut mapped = XorMappedAddress::default();
        mapped.get_from(&message).expect("there");
        mapped.port
    })
}
pub(super) fn response_build(group: Group) -> Group {
    let mut message = Message::new();
    group.with(NAME, move || {
        let setters: [Box<dyn Setter>; 3] =
            [Box::new(BINDING_SUCCESS), Box::new(TransactionId(black_box(TRANSACTION))), Box::new(mapped())];
        message.build(&setters).expect("legal");
        message.raw.len()
    })
}
pub(super) fn send_parse(group: Group) -> Group {
    let (octets, mut message) = (send_indication(), Message::new());
    group.with(NAME, move || {
        read(&mut message, &octets);
        let mut peer = XorMappedAddress::default();
        peer.get_from_as(&message, ATTR_XOR_PEER_ADDRESS).expect("there");
        (peer.port, message.get(ATTR_DATA).expect("there").len())
    })
}
pub(super) fn send_build(group: Group) -> Group {
    let mut message = Message::new();
    group.with(NAME, move || {
        message.reset();
        message.set_type(MessageType::new(METHOD_SEND, CLASS_INDICATION));
        message.transaction_id = TransactionId(black_box(TRANSACTION));
        message.write_header();
        mapped().add_to_as(&mut message, ATTR_XOR_PEER_ADDRESS).expect("legal");
        message.add(ATTR_DATA, black_box(&PAYLOAD));
        message.raw.len()
    })
}
