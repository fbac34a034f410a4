//! The body of the fuzz target `stun_message`: any octets in, invariants checked.

use ginnel_core::{Buffer, Packet};

use crate::{
    Class, Fingerprint, Integrity, IntegrityKey, Message, MessageWriter, RawAttribute, TransactionId,
    attribute::*,
};

/// Parses `data`, reads every attribute as every kind, checks both integrities, and writes back what could be read.
///
/// # Panics
///
/// When an invariant is broken.
pub fn run(data: &[u8]) {
    #[cfg(feature = "alloc")]
    ask_server(data);
    let claimed = Message::is_claimed_by(data);
    let message = match Message::parse(data) {
        Ok(message) => message,
        Err(error) => {
            assert!(error.offset() <= data.len(), "an error lies within the datagram");
            return;
        }
    };
    assert!(claimed, "what parses has claimed to be STUN");
    assert_eq!(message.octets(), data);
    let key = IntegrityKey::from_octets(b"fuzz");
    assert_eq!(message.integrity(&key) == Integrity::Absent, message.integrity_algorithm().is_none());
    let has_fingerprint = message.has(AttributeType::FINGERPRINT);
    assert_eq!(message.fingerprint() == Fingerprint::Absent, !has_fingerprint);
    let mut end = crate::HEADER_LEN;
    for raw in message.attributes() {
        assert!(raw.offset >= end, "attributes come in order");
        end = raw.offset + 4 + raw.value.len();
        assert!(end <= data.len(), "attributes lie within the message");
        assert_eq!(data.get(raw.offset + 4..end), Some(raw.value));
    }
    let _ = message.unknown_required(&[]).count();
    read_and_write(&message);
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

fn read_and_write<'a>(message: &Message<'a>) {
    let id = message.transaction_id();
    for raw in message.attributes() {
        round_trip::<Username<'a>>(raw, id);
        round_trip::<Realm<'a>>(raw, id);
        round_trip::<Software<'a>>(raw, id);
        round_trip::<Nonce<'a>>(raw, id);
        round_trip::<ErrorCode<'a>>(raw, id);
        round_trip::<UnknownAttributes<'a>>(raw, id);
        round_trip::<AlternateDomain<'a>>(raw, id);
        round_trip::<UserHash>(raw, id);
        round_trip::<MappedAddress>(raw, id);
        round_trip::<XorMappedAddress>(raw, id);
        round_trip::<AlternateServer>(raw, id);
        round_trip::<ResponseOrigin>(raw, id);
        round_trip::<OtherAddress>(raw, id);
        round_trip::<ChangeRequest>(raw, id);
        round_trip::<Priority>(raw, id);
        round_trip::<UseCandidate>(raw, id);
        round_trip::<IceControlled>(raw, id);
        round_trip::<IceControlling>(raw, id);
        round_trip::<Nomination>(raw, id);
        round_trip::<NetworkCost>(raw, id);
    }
}

/// What was read from `raw` as an `A` and is written again reads as the same octets: bits that are to be ignored aside,
/// which are written as zero, so it is compared after the first round.
fn round_trip<'a, A: Attribute<'a>>(raw: RawAttribute<'a>, id: TransactionId) {
    let Ok(value) = A::parse(raw.value, id) else { return };
    let mut first: Buffer = [0; _];
    let mut packet = Packet::empty(&mut first);
    let written = write(&mut packet, &value, id);
    // A text of up to 763 octets always fits; UNKNOWN-ATTRIBUTES can be longer than a packet.
    assert!(written || raw.value.len() > 763, "there is room for every bounded attribute");
    if !written {
        return;
    }
    let Ok(once) = Message::parse(packet.bytes()) else { unreachable!("what is written parses") };
    let Some(again) = once.attributes().next() else { unreachable!("what is written is there") };
    assert_eq!(again.value.len(), raw.value.len());
    let mut second: Buffer = [0; _];
    let mut copy = Packet::empty(&mut second);
    // The lifetime of `A` is that of the input, so it is the input that is written a second time.
    assert!(write(&mut copy, &value, id));
    assert_eq!(copy.bytes(), packet.bytes(), "writing is a function of the value");
}

fn write<'a, A: Attribute<'a>>(packet: &mut Packet<'_>, value: &A, id: TransactionId) -> bool {
    let open = MessageWriter::new(packet, Class::Indication, crate::Method::BINDING, id);
    open.and_then(|open| open.attribute(value)).map(MessageWriter::finish).is_ok()
}
