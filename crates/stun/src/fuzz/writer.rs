//! The body of the fuzz target `stun_writer`: any sequence of builder calls, and reading gives back what was written.

use ginnel_core::{Buffer, HEADROOM, NoRoom, Packet};

use super::{Draft, Seal};
use crate::{
    Fingerprint, Integrity, IntegrityKey, Message, MessageBuffer,
    attribute::generate::{Generate, Source},
};

/// Writes the [`Draft`] that `data` describes, into a packet and into octets of a length that `data` says, and reads it.
///
/// # Panics
///
/// When an invariant is broken.
pub fn run(mut data: &[u8]) {
    let room = usize::from(u16::from_be_bytes(data.array())) % 2048;
    let draft = Draft::generate(&mut data);
    let key = IntegrityKey::from_octets(b"fuzz");
    let mut octets: Buffer = [0xEE; _];
    let mut buffer = MessageBuffer::new(&mut octets[..room]);
    let into_buffer = draft.write(&mut buffer, &key);
    check_room(&draft, into_buffer, buffer.octets(), room);
    let mut packets: Buffer = [0x77; _];
    let mut packet = Packet::empty(&mut packets);
    let into_packet = draft.write(&mut packet, &key);
    check_room(&draft, into_packet, packet.bytes(), size_of::<Buffer>() - HEADROOM);
    if into_buffer.is_ok() && into_packet.is_ok() {
        assert_eq!(buffer.octets(), packet.bytes(), "where it is written makes no difference");
    }
    if into_packet.is_ok() {
        check(&draft, packet.bytes(), &key);
    }
}

/// It is written whole where there is room, and not at all where there is not.
fn check_room(draft: &Draft<'_>, written: Result<(), NoRoom>, octets: &[u8], room: usize) {
    let fits = draft.octets() <= room;
    assert_eq!(written.is_ok(), fits, "{} octets into {room}", draft.octets());
    assert_eq!(octets.len(), if fits { draft.octets() } else { 0 });
}

/// What is read is what was written.
fn check(draft: &Draft<'_>, octets: &[u8], key: &IntegrityKey) {
    let Ok(message) = Message::parse_or_rfc3489(octets) else { unreachable!("what is written parses") };
    let id = draft.transaction_id;
    assert_eq!((message.class(), message.method()), (draft.class, draft.method));
    assert_eq!((message.transaction_id(), Message::parse(octets).is_err()), (id, id.is_rfc3489()));
    let mut raws = message.attributes();
    for wanted in draft.attributes() {
        let Some(raw) = raws.next() else { unreachable!("every attribute is there") };
        assert_eq!(raw.read(id), Ok(*wanted));
        let padding =
            raw.offset + 4 + raw.value.len()..(raw.offset + 4 + raw.value.len()).next_multiple_of(4);
        assert!(octets[padding].iter().all(|&octet| octet == 0), "padding is zero");
        assert!(message.has(raw.kind));
    }
    assert!(raws.all(|raw| raw.kind.is_computed()), "and no attribute more");
    let fingerprint = if draft.fingerprint { Fingerprint::Ok } else { Fingerprint::Absent };
    assert_eq!(message.fingerprint(), fingerprint);
    check_seal(draft, &message, key);
}

fn check_seal(draft: &Draft<'_>, message: &Message<'_>, key: &IntegrityKey) {
    let (whole, goog) = match draft.seal {
        Seal::None => (Integrity::Absent, Integrity::Absent),
        Seal::Sha1 | Seal::Both => (Integrity::Ok, Integrity::Absent),
        Seal::Sha256(length) => {
            assert_eq!(message.integrity_truncated(key, length.octets()), Integrity::Ok);
            assert_eq!(message.integrity_truncated(key, length.octets() + 4), Integrity::Bad);
            (if length.octets() == 32 { Integrity::Ok } else { Integrity::Bad }, Integrity::Absent)
        }
        Seal::Goog32 => (Integrity::Absent, Integrity::Ok),
    };
    assert_eq!((message.integrity(key), message.goog_integrity_32(key)), (whole, goog));
    if !cfg!(fuzzing) {
        let other = IntegrityKey::from_octets(b"fuzy");
        assert_ne!(message.integrity(&other), Integrity::Ok);
        // One in four thousand million is right by chance.
        assert_ne!(message.goog_integrity_32(&other), Integrity::Ok);
    }
}
