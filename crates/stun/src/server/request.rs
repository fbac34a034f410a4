//! What is kept of a request once its octets are given up: the answer is written over it.

use core::net::SocketAddr;

use ginnel_core::{Path, Transport};

use crate::{
    attribute::{Attribute, AttributeType, ChangeRequest, ErrorCode, Padding, ResponsePort, TEXT_READ_MAX},
    message::{Message, RawAttribute, TransactionId},
    server::{DiscoverySupport, ServerConfig},
};

/// How many attributes a 420 lists: as many as fit into an answer, with room to spare. Who sends more learns of these.
pub(super) const UNKNOWN_LISTED_MAX: usize = 100;

/// A Binding request, read.
pub(super) struct Asked {
    pub(super) transaction_id: TransactionId,
    pub(super) fingerprint: bool,
    /// What is to be answered.
    pub(super) answer: Answer,
    unknown: [AttributeType; UNKNOWN_LISTED_MAX],
    unknown_count: usize,
}

/// What is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// XOR-MAPPED-ADDRESS, or what stands for it.
    Mapped,
    /// What RFC 5780 adds to that.
    Discovery(Behavior),
    /// This, and nothing more.
    Error(ErrorCode<'static>),
    /// 420.
    Unknown,
}

/// How a request of RFC 5780 wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behavior {
    /// The socket that the answer leaves from.
    pub(super) origin: SocketAddr,
    /// OTHER-ADDRESS.
    pub(super) other: Option<SocketAddr>,
    /// RESPONSE-PORT, if it was there.
    pub(super) port: Option<u16>,
    /// How long PADDING was, if it was there.
    pub(super) padding: Option<u16>,
}

/// What a request says of RFC 5780, whether it is malformed, and what of it is not understood.
#[derive(Default)]
struct Found {
    change: Option<ChangeRequest>,
    port: Option<ResponsePort>,
    padding: Option<Padding>,
    malformed: bool,
}

impl Asked {
    pub(super) fn of(message: &Message<'_>, fingerprint: bool, config: &ServerConfig, path: Path) -> Self {
        let mut asked = Self {
            transaction_id: message.transaction_id(),
            fingerprint,
            answer: Answer::Mapped,
            unknown: [AttributeType(0); UNKNOWN_LISTED_MAX],
            unknown_count: 0,
        };
        let addresses = match config.discovery {
            DiscoverySupport::TwoAddresses(addresses) => Some(addresses),
            DiscoverySupport::Off | DiscoverySupport::OneAddress => None,
        };
        let other = addresses.and_then(|it| it.changed(path.local, true, true));
        let discovery = config.discovery != DiscoverySupport::Off;
        // RFC 5780 section 3: a server opens no stream to a client, so over streams an answer cannot take another way.
        let datagrams = path.transport == Transport::Udp;
        let mut found = Found::default();
        for raw in message.attributes() {
            match raw.kind {
                AttributeType::CHANGE_REQUEST if other.is_some() && datagrams => {
                    found.read(raw, message, |found| &mut found.change);
                }
                AttributeType::RESPONSE_PORT if discovery && datagrams && config.response_port => {
                    found.read(raw, message, |found| &mut found.port);
                }
                AttributeType::PADDING if discovery => {
                    found.read(raw, message, |found| &mut found.padding);
                }
                // SECURITY.md case 9. What they hold concerns nobody here.
                AttributeType::USERNAME | AttributeType::REALM | AttributeType::NONCE => {
                    found.malformed |= raw.value.len() > TEXT_READ_MAX;
                }
                kind if kind.is_comprehension_required() && !is_known(kind) => asked.list(kind),
                _ => {}
            }
        }
        asked.answer = if asked.unknown_count > 0 {
            Answer::Unknown
        } else if found.is_refused() {
            Answer::Error(ErrorCode::BAD_REQUEST)
        } else if discovery {
            let change = found.change.unwrap_or(ChangeRequest { ip: false, port: false });
            let origin = addresses.and_then(|it| it.changed(path.local, change.ip, change.port));
            Answer::Discovery(Behavior {
                origin: origin.unwrap_or(path.local),
                other,
                port: found.port.map(|ResponsePort(port)| port),
                padding: found.padding.map(|padding| padding.octets),
            })
        } else {
            Answer::Mapped
        };
        asked
    }
    fn list(&mut self, kind: AttributeType) {
        if let Some(slot) = self.unknown.get_mut(self.unknown_count) {
            *slot = kind;
            self.unknown_count += 1;
        }
    }
    /// UNKNOWN-ATTRIBUTES of a 420.
    pub(super) fn unknown(&mut self) -> &[AttributeType] {
        // RFC 3489 section 11.2.10: an even number, so that there is no padding; one is listed again.
        if self.transaction_id.is_rfc3489()
            && self.unknown_count % 2 == 1
            && let Some(&last) = self.unknown.get(self.unknown_count - 1)
        {
            self.list(last);
        }
        &self.unknown[..self.unknown_count]
    }
}

impl Found {
    /// RFC 8489 section 14: the first of its kind counts.
    fn read<'m, A: Attribute<'m>>(
        &mut self,
        raw: RawAttribute<'m>,
        message: &Message<'_>,
        slot: impl FnOnce(&mut Self) -> &mut Option<A>,
    ) {
        match A::parse(raw.value, message.transaction_id()) {
            Ok(value) => {
                slot(self).get_or_insert(value);
            }
            Err(_) => self.malformed = true,
        }
    }
    fn is_refused(&self) -> bool {
        self.malformed
            // RFC 5780 section 6.1: else an answer could be many octets to somebody else's port.
            || self.port.is_some() && self.padding.is_some()
            // Nothing can be sent to port 0.
            || self.port == Some(ResponsePort(0))
    }
}

/// RFC 8489 section 18.3: the comprehension-required attributes of STUN itself. Those that belong into responses are known
/// and unexpected, and so ignored (section 6.3).
const fn is_known(kind: AttributeType) -> bool {
    matches!(
        kind,
        AttributeType::MAPPED_ADDRESS
            | AttributeType::USERNAME
            | AttributeType::MESSAGE_INTEGRITY
            | AttributeType::ERROR_CODE
            | AttributeType::UNKNOWN_ATTRIBUTES
            | AttributeType::REALM
            | AttributeType::NONCE
            | AttributeType::MESSAGE_INTEGRITY_SHA256
            | AttributeType::PASSWORD_ALGORITHM
            | AttributeType::USERHASH
            | AttributeType::XOR_MAPPED_ADDRESS
    )
}
