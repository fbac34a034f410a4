//! The codec of `turn-server` (turn-rs). It checks no FINGERPRINT, and its keys are those of long-term credentials: 16 octets,
//! so its check is made by such a key.

use std::hint::black_box;

use bytes::{Buf, BytesMut};
use ginnel_stun::IntegrityKey;
use turn_server::codec::{
    Decoder,
    channel_data::ChannelData,
    crypto::Password,
    message::{
        Message, MessageEncoder,
        attributes::{
            Data, IceControlling, Priority, UseCandidate, UserName, XorMappedAddress, XorPeerAddress,
        },
        methods::{BINDING_REQUEST, BINDING_RESPONSE, SEND_INDICATION},
    },
};

use crate::{
    contest::Group,
    stun::{
        PAYLOAD, PRIORITY, TIEBREAKER, TRANSACTION, USERNAME, address, connectivity_check,
        ours::{channel_data, check_by, response, send_indication},
        server::REQUEST,
    },
};

const NAME: &str = "turn-server 4.1";
const KEY: [u8; 16] = *b"sixteen octets..";

/// As [`crate::stun::Room`], of the kind that this library writes into.
fn room() -> BytesMut {
    let mut room = BytesMut::zeroed(2048 + 64);
    let in_front = room.as_ptr().align_offset(64);
    room.advance(in_front);
    room
}
fn message<'a>(decoder: &'a mut Decoder, octets: &'a [u8]) -> Message<'a> {
    let decoded = decoder.decode(octets).unwrap_or_else(|e| panic!("{e}"));
    decoded.into_message().expect("a message")
}

pub(super) fn parse(group: Group) -> Group {
    let octets = check_by(&IntegrityKey::from_octets(&KEY));
    let mut decoder = Decoder::default();
    let key = Password::Md5(KEY);
    group.with("turn-server 4.1 (never checks the fingerprint)", move || {
        let message = message(&mut decoder, black_box(&octets));
        assert!(message.verify(&key).is_ok());
        (
            message.get::<UserName>().map(str::len),
            message.get::<Priority>(),
            message.get::<IceControlling>(),
            message.get::<UseCandidate>(),
        )
    })
}
pub(super) fn decode(group: Group) -> Group {
    let octets = connectivity_check();
    let mut decoder = Decoder::default();
    group.with("turn-server 4.1 (never checks the fingerprint)", move || {
        message(&mut decoder, black_box(&octets)).method()
    })
}
pub(super) fn build(group: Group) -> Group {
    let mut out = room();
    let key = Password::Md5(KEY);
    group.with(NAME, move || {
        let mut encoder = MessageEncoder::new(BINDING_REQUEST, black_box(&TRANSACTION), &mut out);
        encoder.append::<UserName>(black_box(USERNAME));
        encoder.append::<Priority>(black_box(PRIORITY));
        encoder.append::<IceControlling>(black_box(TIEBREAKER));
        encoder.append::<UseCandidate>(());
        assert!(encoder.flush(Some(&key)).is_ok());
        out.len()
    })
}
pub(super) fn response_parse(group: Group) -> Group {
    let octets = response();
    let mut decoder = Decoder::default();
    group.with(NAME, move || {
        message(&mut decoder, black_box(&octets)).get::<XorMappedAddress>().expect("there")
    })
}
fn respond(out: &mut BytesMut) -> usize {
    let mut encoder = MessageEncoder::new(BINDING_RESPONSE, black_box(&TRANSACTION), out);
    encoder.append::<XorMappedAddress>(black_box(address()));
    assert!(encoder.flush(None).is_ok());
    out.len()
}
pub(super) fn response_build(group: Group) -> Group {
    let mut out = room();
    group.with(NAME, move || respond(&mut out))
}
pub(super) fn serve(group: Group) -> Group {
    let (mut out, mut decoder) = (room(), Decoder::default());
    group.with("turn-server 4.1 (codec alone)", move || {
        let request = message(&mut decoder, black_box(&REQUEST));
        let mut encoder = MessageEncoder::extend(BINDING_RESPONSE, &request, &mut out);
        encoder.append::<XorMappedAddress>(black_box(address()));
        assert!(encoder.flush(None).is_ok());
        out.len()
    })
}
pub(super) fn channel_parse(group: Group) -> Group {
    let octets = channel_data();
    group.with(NAME, move || {
        let data = ChannelData::decode(black_box(&octets)).unwrap_or_else(|e| panic!("{e}"));
        (data.number(), data.bytes().len())
    })
}
pub(super) fn send_parse(group: Group) -> Group {
    let octets = send_indication();
    let mut decoder = Decoder::default();
    group.with(NAME, move || {
        let message = message(&mut decoder, black_box(&octets));
        (message.get::<XorPeerAddress>().expect("there"), message.get::<Data>().expect("there").len())
    })
}
pub(super) fn send_build(group: Group) -> Group {
    let mut out = room();
    group.with(NAME, move || {
        let mut encoder = MessageEncoder::new(SEND_INDICATION, black_box(&TRANSACTION), &mut out);
        encoder.append::<XorPeerAddress>(black_box(address()));
        encoder.append::<Data>(black_box(&PAYLOAD));
        assert!(encoder.flush(None).is_ok());
        out.len()
    })
}
pub(super) fn frame(group: Group) -> Group {
    let stream = [connectivity_check(), response()].concat();
    group
        .with(NAME, move || Decoder::message_size(black_box(&stream), true).unwrap_or_else(|e| panic!("{e}")))
}
