//! `stun-types`, `turn-types` and `stun-proto`, of one author.

use std::hint::black_box;

use stun_proto::{
    Instant,
    agent::{StunAgent, StunAgentPollRet},
};
use stun_types::{
    TransportType,
    attribute::{AttributeStaticType, AttributeType, Fingerprint, RawAttribute, Username, XorMappedAddress},
    message::{
        BINDING, IntegrityAlgorithm, IntegrityKey, Message, MessageClass, MessageIntegrityCredentials,
        MessageType, MessageWrite, MessageWriteExt, MessageWriteMutSlice, MessageWriteVec,
        ShortTermCredentials, TransactionId,
    },
};
use turn_types::{
    attribute::{Data, XorPeerAddress},
    channel::ChannelData,
    message::SEND,
};

use super::FOUR;
use crate::{
    contest::Group,
    stun::{
        PASSWORD, PAYLOAD, PRIORITY, Room, TIEBREAKER, TRANSACTION, USERNAME, address, connectivity_check,
        machines::{Asks, Part, batches_of, server_address},
        ours::{channel_data, response, send_indication},
        server::REQUEST,
    },
};

const NAME: &str = "stun-types 2.0";
const PROTO: &str = "stun-proto 2.0";

/// Keys nothing but the password's octets: the HMAC is keyed for each message.
fn key() -> IntegrityKey {
    MessageIntegrityCredentials::ShortTerm(ShortTermCredentials::new(PASSWORD.to_owned()))
        .make_key(IntegrityAlgorithm::Sha1)
}
fn id() -> TransactionId {
    let mut octets = [0; 16];
    octets[4..].copy_from_slice(&black_box(TRANSACTION));
    u128::from_be_bytes(octets).into()
}
fn begin(
    out: &mut [u8],
    class: MessageClass,
    method: stun_types::message::Method,
) -> MessageWriteMutSlice<'_> {
    Message::builder(MessageType::from_class_method(class, method), id(), MessageWriteMutSlice::new(out))
}

pub(super) fn parse(group: Group) -> Group {
    let (octets, key) = (connectivity_check(), key());
    group.with(NAME, move || {
        let message = Message::from_bytes(black_box(&octets)).expect("a message");
        assert!(message.validate_integrity_with_key(&key).is_ok());
        FOUR.map(|kind| message.raw_attribute(AttributeType::new(kind)).map(|raw| raw.value.len()))
    })
}
pub(super) fn parse_fingerprint(group: Group) -> Group {
    let octets = connectivity_check();
    group.with(NAME, move || {
        Message::from_bytes(black_box(&octets)).expect("a message").has_attribute(Fingerprint::TYPE)
    })
}
pub(super) fn build(group: Group) -> Group {
    let (key, mut room) = (key(), Room::new());
    group.with(NAME, move || {
        let (priority, tiebreaker) = (black_box(PRIORITY).to_be_bytes(), black_box(TIEBREAKER).to_be_bytes());
        let mut message = begin(&mut room.0, MessageClass::Request, BINDING);
        message.add_attribute(&Username::new(black_box(USERNAME)).expect("short")).expect("legal");
        for (kind, value) in FOUR.into_iter().skip(1).zip([&priority[..], &tiebreaker, &[]]) {
            message.add_attribute(&RawAttribute::new(AttributeType::new(kind), value)).expect("legal");
        }
        message.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1).expect("legal");
        message.add_fingerprint().expect("legal");
        message.finish()
    })
}
pub(super) fn response_parse(group: Group) -> Group {
    let octets = response();
    group.with(NAME, move || {
        let message = Message::from_bytes(black_box(&octets)).expect("a message");
        message.attribute::<XorMappedAddress>().expect("there").addr(message.transaction_id())
    })
}
pub(super) fn response_build(group: Group) -> Group {
    let mut room = Room::new();
    group.with(NAME, move || {
        let mut message = begin(&mut room.0, MessageClass::Success, BINDING);
        message.add_attribute(&XorMappedAddress::new(black_box(address()), id())).expect("legal");
        message.finish()
    })
}
pub(super) fn serve(group: Group) -> Group {
    let mut room = Room::new();
    group.with("stun-types 2.0 (codec alone)", move || {
        let request = Message::from_bytes(black_box(&REQUEST)).expect("a message");
        let mut message = Message::builder_success(&request, MessageWriteMutSlice::new(&mut room.0));
        let mapped = XorMappedAddress::new(black_box(address()), request.transaction_id());
        message.add_attribute(&mapped).expect("legal");
        message.finish()
    })
}
pub(super) fn channel_parse(group: Group) -> Group {
    let octets = channel_data();
    group.with("turn-types 0.7", move || {
        let data = ChannelData::parse(black_box(&octets)).expect("ChannelData");
        (data.id(), data.data().len())
    })
}
pub(super) fn send_parse(group: Group) -> Group {
    let octets = send_indication();
    group.with("turn-types 0.7", move || {
        let message = Message::from_bytes(black_box(&octets)).expect("a message");
        let peer = message.attribute::<XorPeerAddress>().expect("there").addr(message.transaction_id());
        (peer, message.attribute::<Data<'_>>().expect("there").data().len())
    })
}
pub(super) fn send_build(group: Group) -> Group {
    let mut room = Room::new();
    group.with("turn-types 0.7", move || {
        let mut message = begin(&mut room.0, MessageClass::Indication, SEND);
        message.add_attribute(&XorPeerAddress::new(black_box(address()), id())).expect("legal");
        message.add_attribute(&Data::new(black_box(&PAYLOAD))).expect("legal");
        message.finish()
    })
}

struct Asking(StunAgent);
impl Asking {
    fn new(outstanding: usize) -> Self {
        let agent = StunAgent::builder(TransportType::Udp, std::net::SocketAddr::from(([10, 0, 0, 1], 5000)));
        let mut asking = Self(agent.build());
        for _ in 0..outstanding {
            asking.start();
        }
        asking
    }
}
impl Asks for Asking {
    fn start(&mut self) -> [u8; 20] {
        let message = Message::builder_request(BINDING, MessageWriteVec::new()).finish();
        let sent = self.0.send_request(message, server_address(), Instant::ZERO).expect("a fresh ID");
        *sent.data.first_chunk().expect("a header")
    }
    fn answer(&mut self, octets: &[u8]) {
        let message = Message::from_bytes(octets).expect("a message");
        assert!(self.0.handle_stun_message_with_time(&message, server_address(), Instant::ZERO));
        black_box(message.attribute::<XorMappedAddress>().expect("there").addr(message.transaction_id()));
    }
}
pub(super) fn batches(group: Group, part: Part, outstanding: usize) -> Group {
    group.with_part(PROTO, batches_of(part, move || Asking::new(outstanding)))
}
pub(super) fn wake(group: Group, outstanding: usize) -> Group {
    let mut asking = None;
    group.with(PROTO, move || {
        let Asking(agent) = asking.get_or_insert_with(|| Asking::new(outstanding));
        assert!(matches!(agent.poll(Instant::ZERO), StunAgentPollRet::WaitUntil(_)));
    })
}
