//! The body of the fuzz target `stun_message`: any octets in, invariants checked.

use core::fmt::{self, Write as _};

use ginnel_core::{Buffer, Packet};

use crate::{
    Class, Fingerprint, Integrity, IntegrityKey, Message, MessageWriter, Method, ParseErrorReason,
    RawAttribute, TransactionId, attribute::*,
};

/// Parses `data`, reads every attribute as every kind, checks the integrities, and writes back what could be read.
///
/// # Panics
///
/// When an invariant is broken.
pub fn run(data: &[u8]) {
    #[cfg(feature = "alloc")]
    ask_server(data);
    let parsed = Message::parse(data);
    match (parsed, Message::parse_or_rfc3489(data)) {
        (Ok(message), again) => assert_eq!(again, Ok(message)),
        (Err(error), Ok(old)) => {
            assert_eq!(error.reason(), ParseErrorReason::NoMagicCookie);
            assert!(old.transaction_id().is_rfc3489());
            look_at(data, &old);
        }
        (Err(error), Err(_)) => assert!(error.offset() <= data.len(), "an error lies within the datagram"),
    }
    let Ok(message) = parsed else { return };
    assert!(Message::is_claimed_by(data), "what parses has claimed to be STUN");
    look_at(data, &message);
    elsewhere(data, &message);
}

/// What holds for each message that parses.
fn look_at(data: &[u8], message: &Message<'_>) {
    assert_eq!(message.octets(), data);
    let key = IntegrityKey::from_octets(b"fuzz");
    assert_eq!(message.integrity(&key) == Integrity::Absent, message.integrity_algorithm().is_none());
    let has_goog = message.has(AttributeType::GOOG_MESSAGE_INTEGRITY_32);
    assert_eq!(message.goog_integrity_32(&key) == Integrity::Absent, !has_goog);
    let has_fingerprint = message.has(AttributeType::FINGERPRINT);
    assert_eq!(message.fingerprint() == Fingerprint::Absent, !has_fingerprint);
    let mut end = crate::HEADER_LEN;
    for raw in message.attributes() {
        assert!(raw.offset >= end, "attributes come in order");
        end = raw.offset + 4 + raw.value.len();
        assert!(end <= data.len(), "attributes lie within the message");
        assert_eq!(data.get(raw.offset + 4..end), Some(raw.value));
        for &kind in AnyAttribute::TYPES {
            round_trip(RawAttribute { kind, ..raw }, message.transaction_id());
        }
        if !raw.kind.is_computed() {
            round_trip(raw, message.transaction_id());
        }
        look_into_tokens(raw.value);
    }
    let _ = message.unknown_required(&[]).count();
    get(message);
    prints(message);
}

/// What is asked for by its type is the first of its kind, read.
fn get(message: &Message<'_>) {
    fn same<'a, A: Attribute<'a> + Into<AnyAttribute<'a>>>(message: &Message<'a>) {
        let first = message.attributes().find(|raw| raw.kind == A::TYPE);
        let read = first.map(|raw| raw.read(message.transaction_id())).transpose();
        assert_eq!(message.get::<A>().map(|value| value.map(Into::into)), read);
    }
    same::<Username<'_>>(message);
    same::<ErrorCode<'_>>(message);
    same::<XorMappedAddress>(message);
    same::<Priority>(message);
    same::<UseCandidate>(message);
}

/// What is printed of a stranger's message is one line, and nothing in it steers a terminal (SECURITY.md, case 23).
fn prints(message: &Message<'_>) {
    struct Line;
    impl fmt::Write for Line {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            assert!(!text.chars().any(char::is_control), "{text:?} is printed");
            Ok(())
        }
    }
    let mut printed = write!(Line, "{message:?}");
    for raw in message.attributes() {
        printed = printed.and_then(|()| match raw.read(message.transaction_id()) {
            Ok(attribute) => write!(Line, "{raw:?} {attribute:?}"),
            Err(error) => write!(Line, "{raw:?} {error}"),
        });
    }
    assert_eq!(printed, Ok(()));
}

/// The same octets at another address are the same message (SECURITY.md, case 6).
fn elsewhere(data: &[u8], message: &Message<'_>) {
    let mut room = [0; 1 + 512];
    for shift in 0..2 {
        let Some(moved) = room.get_mut(shift..shift + data.len()) else { return };
        moved.copy_from_slice(data);
        let Ok(again) = Message::parse(moved) else { unreachable!("it has parsed where it was") };
        assert_eq!(again, *message);
        assert_eq!(again.fingerprint(), message.fingerprint());
        let both = again.attributes().zip(message.attributes());
        assert!(both.into_iter().all(|(moved, raw)| moved == raw));
    }
}

/// A server answers with a message that is at most three times its request, or leaves alone what is not its own.
#[cfg(feature = "alloc")]
fn ask_server(data: &[u8]) {
    use ginnel_core::{Handled, Instant, Path, Receive, Seed};
    let mut server = crate::BindingServer::new(crate::ServerConfig::default(), Seed::new([7; 32]));
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    if packet.append(data).is_err() {
        return;
    }
    let (local, remote) = (([192, 0, 2, 1], 3478).into(), ([192, 0, 2, 2], 5000).into());
    let mut input = Receive::new(Path::udp(local, remote), packet);
    match server.handle_input(Instant::EPOCH, &mut input) {
        Handled::Send(_) => {
            let octets = input.packet.bytes();
            assert!(octets.len() <= 3 * data.len(), "an answer amplifies little");
            assert!(Message::parse(octets).is_ok_and(|answer| answer.class().is_response()));
        }
        Handled::Foreign => assert_eq!(input.packet.bytes(), data),
        Handled::Consumed | Handled::Data(()) => {}
    }
}

/// What was read and is written again reads as the same value. Bits that are to be ignored are written as zero, so the
/// octets may differ.
fn round_trip(raw: RawAttribute<'_>, id: TransactionId) {
    let Ok(value) = raw.read(id) else { return };
    assert_eq!(value.kind(), raw.kind);
    let mut buffer: Buffer = [0xEE; _];
    let mut packet = Packet::empty(&mut buffer);
    let open = MessageWriter::new(&mut packet, Class::Indication, Method::BINDING, id);
    let written = open.and_then(|open| open.any_attribute(&value)).map(MessageWriter::finish).is_ok();
    assert!(written || raw.value.len() > 1900, "there is room for every attribute that is bounded");
    if !written {
        return;
    }
    let Ok(message) = Message::parse_or_rfc3489(packet.bytes()) else {
        unreachable!("what is written parses")
    };
    let Some(again) = message.attributes().next() else { unreachable!("what is written is there") };
    assert_eq!(again.read(id), Ok(value));
}

/// No length inside a token reaches past its end (SECURITY.md, case 25).
fn look_into_tokens(value: &[u8]) {
    if let Ok(token) = AccessToken(value).sealed() {
        assert_eq!(2 + token.nonce.len() + token.encrypted_block.len(), value.len());
    }
    if let Ok(block) = TokenBlock::parse(value) {
        assert_eq!(2 + block.mac_key.len() + 12, value.len());
    }
}
