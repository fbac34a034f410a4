//! The codec of `ginnel-stun` and `ginnel-turn`, and of the framing of `ginnel-core`.

use std::hint::black_box;

use ginnel_core::{Buffer, Frame, Framing, NoRoom, Packet};
use ginnel_stun::{
    Class, Fingerprint, Integrity, IntegrityKey, Message, MessageWriter, Method, TransactionId,
    attribute::{Data, IceControlling, Priority, UseCandidate, Username, XorMappedAddress, XorPeerAddress},
};
use ginnel_turn::{ChannelData, ChannelNumber};

use super::{CHANNEL, PASSWORD, PAYLOAD, PRIORITY, Room, TIEBREAKER, TRANSACTION, USERNAME, address};
use crate::contest::Group;

/// What ours is called in every group.
pub(super) const OURS: &str = "ginnel";

/// A connectivity check of 92 octets: USERNAME, PRIORITY, ICE-CONTROLLING, USE-CANDIDATE, MESSAGE-INTEGRITY, FINGERPRINT.
///
/// # Panics
///
/// If the writer cannot write it.
#[must_use]
pub fn connectivity_check() -> Vec<u8> {
    let octets = check_by(&IntegrityKey::short_term(PASSWORD).expect("an ICE password"));
    assert_eq!(octets.len(), 92);
    octets
}
/// The same, by another key.
pub(super) fn check_by(key: &IntegrityKey) -> Vec<u8> {
    written(|packet| write_check(packet, key))
}
/// A success response without integrity or FINGERPRINT: what a STUN server writes and its client reads.
pub(super) fn response() -> Vec<u8> {
    written(write_response)
}
pub(super) fn send_indication() -> Vec<u8> {
    written(write_send)
}
pub(super) fn channel_data() -> Vec<u8> {
    written(|packet| {
        packet.write(&PAYLOAD)?;
        ChannelData::wrap(ChannelNumber::new(CHANNEL).expect("a channel"), packet)
    })
}
fn written(write: impl FnOnce(&mut Packet<'_>) -> Result<(), NoRoom>) -> Vec<u8> {
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    write(&mut packet).expect("room");
    packet.bytes().to_vec()
}

#[inline]
fn write_check(packet: &mut Packet<'_>, key: &IntegrityKey) -> Result<(), NoRoom> {
    let id = TransactionId::new(black_box(TRANSACTION));
    MessageWriter::new(packet, Class::Request, Method::BINDING, id)?
        .attribute(&Username::new(black_box(USERNAME)).expect("a short name"))?
        .attribute(&Priority(black_box(PRIORITY)))?
        .attribute(&IceControlling(black_box(TIEBREAKER)))?
        .attribute(&UseCandidate)?
        .integrity(key)?
        .fingerprint()
}
#[inline]
fn write_response(packet: &mut Packet<'_>) -> Result<(), NoRoom> {
    let id = TransactionId::new(black_box(TRANSACTION));
    let open = MessageWriter::new(packet, Class::Success, Method::BINDING, id)?;
    open.attribute(&XorMappedAddress(black_box(address()))).map(MessageWriter::finish)
}
#[inline]
fn write_send(packet: &mut Packet<'_>) -> Result<(), NoRoom> {
    let id = TransactionId::new(black_box(TRANSACTION));
    MessageWriter::new(packet, Class::Indication, Method::SEND, id)?
        .attribute(&XorPeerAddress(black_box(address())))?
        .attribute(&Data(black_box(&PAYLOAD)))
        .map(MessageWriter::finish)
}

pub(super) fn parse(group: Group) -> Group {
    let octets = connectivity_check();
    let key = IntegrityKey::short_term(PASSWORD).expect("an ICE password");
    group.with(OURS, move || {
        let message = Message::parse(black_box(&octets)).expect("a message");
        assert!(message.fingerprint() == Fingerprint::Ok && message.integrity(&key) == Integrity::Ok);
        (
            message.get::<Username<'_>>().expect("legal").expect("there").as_str().len(),
            message.get::<Priority>().expect("legal"),
            message.get::<IceControlling>().expect("legal"),
            message.get::<UseCandidate>().expect("legal"),
        )
    })
}
pub(super) fn parse_fingerprint(group: Group) -> Group {
    let octets = connectivity_check();
    group.with(OURS, move || Message::parse(black_box(&octets)).expect("a message").fingerprint())
}
pub(super) fn build(group: Group) -> Group {
    let key = IntegrityKey::short_term(PASSWORD).expect("an ICE password");
    let mut room = Room::new();
    group.with(OURS, move || write_check(&mut Packet::empty(&mut room.0), &key))
}
pub(super) fn response_parse(group: Group) -> Group {
    let octets = response();
    group.with(OURS, move || {
        Message::parse(black_box(&octets)).expect("a message").get::<XorMappedAddress>().expect("legal")
    })
}
pub(super) fn response_build(group: Group) -> Group {
    let mut room = Room::new();
    group.with(OURS, move || write_response(&mut Packet::empty(&mut room.0)))
}
pub(super) fn channel_parse(group: Group) -> Group {
    let octets = channel_data();
    group.with(OURS, move || {
        let data = ChannelData::parse(black_box(&octets)).expect("ChannelData");
        (data.channel(), data.payload().len())
    })
}
pub(super) fn send_parse(group: Group) -> Group {
    let octets = send_indication();
    group.with(OURS, move || {
        let message = Message::parse(black_box(&octets)).expect("a message");
        let peer = message.get::<XorPeerAddress>().expect("legal").expect("there");
        (peer.0, message.get::<Data<'_>>().expect("legal").expect("there").0.len())
    })
}
pub(super) fn send_build(group: Group) -> Group {
    let mut room = Room::new();
    group.with(OURS, move || write_send(&mut Packet::empty(&mut room.0)))
}
pub(super) fn frame(group: Group) -> Group {
    let stream = [connectivity_check(), response()].concat();
    group.with(OURS, move || match Framing::Stun.next(black_box(&stream)) {
        Frame::Whole { total, .. } => total,
        other => panic!("{other:?}"),
    })
}
