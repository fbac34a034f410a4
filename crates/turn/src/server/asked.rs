//! What is read of a request before its answer is written over it.

use core::net::SocketAddr;

use alloc::vec::Vec;

use ginnel_core::Transport;
use ginnel_stun::{
    Fingerprint, Message, Method, TransactionId,
    attribute::{
        AdditionalAddressFamily, AddressFamily, Attribute, AttributeType, DontFragment, EvenPort, Lifetime,
        Malformed, MobilityTicket, RequestedAddressFamily, RequestedTransport, ReservationToken,
        XorPeerAddress,
    },
};

use super::answer::{Reply, Unknown};

/// What every answer repeats of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) id: TransactionId,
    /// The request bore a FINGERPRINT, so the answer does.
    pub(super) fingerprint: bool,
}
impl Head {
    /// `None` if the FINGERPRINT is wrong: the message is to be discarded (RFC 8489 section 7).
    pub(super) fn of(message: &Message<'_>) -> Option<Self> {
        let fingerprint = match message.fingerprint() {
            Fingerprint::Bad => return None,
            Fingerprint::Ok => true,
            Fingerprint::Absent => false,
        };
        Some(Self { method: message.method(), id: message.transaction_id(), fingerprint })
    }
}

/// RFC 8489 section 6.3.1: what of a request is not understood, and has to be. Attributes that are known and not expected
/// are ignored (section 6.3).
pub(super) fn unknown(message: &Message<'_>, dont_fragment: bool, tcp: bool) -> Option<Unknown> {
    let mut unknown = Unknown::default();
    let is_understood = |kind: AttributeType| match kind {
        AttributeType::DONT_FRAGMENT => dont_fragment,
        AttributeType::CONNECTION_ID => tcp,
        kind => is_known(kind),
    };
    for raw in message.attributes() {
        if raw.kind.is_comprehension_required() && !is_understood(raw.kind) {
            unknown.list(raw.kind);
        }
    }
    (!unknown.is_empty()).then_some(unknown)
}
/// The comprehension-required attributes of RFC 8489 section 18.3 and RFC 8656 section 18 that any message may bear.
pub(super) const fn is_known(kind: AttributeType) -> bool {
    matches!(
        kind,
        AttributeType::MAPPED_ADDRESS
            | AttributeType::USERNAME
            | AttributeType::MESSAGE_INTEGRITY
            | AttributeType::ERROR_CODE
            | AttributeType::UNKNOWN_ATTRIBUTES
            | AttributeType::CHANNEL_NUMBER
            | AttributeType::LIFETIME
            | AttributeType::XOR_PEER_ADDRESS
            | AttributeType::DATA
            | AttributeType::REALM
            | AttributeType::NONCE
            | AttributeType::XOR_RELAYED_ADDRESS
            | AttributeType::REQUESTED_ADDRESS_FAMILY
            | AttributeType::EVEN_PORT
            | AttributeType::REQUESTED_TRANSPORT
            | AttributeType::MESSAGE_INTEGRITY_SHA256
            | AttributeType::PASSWORD_ALGORITHM
            | AttributeType::USERHASH
            | AttributeType::XOR_MAPPED_ADDRESS
            | AttributeType::RESERVATION_TOKEN
    )
}

/// How the relayed transport address is chosen (RFC 8656 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Any port.
    Any,
    /// An even one (EVEN-PORT, R = 0).
    Even,
    /// An even one, with the next one reserved (EVEN-PORT, R = 1).
    Pair,
    /// What was reserved under this token.
    Reserved([u8; 8]),
}

/// What an Allocate request asks for, once it is known to be lawful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) transport: RelayTransport,
    pub(super) wish: Wish,
    pub(super) family: AddressFamily,
    /// ADDITIONAL-ADDRESS-FAMILY: IPv6 beside IPv4.
    pub(super) both: bool,
    pub(super) lifetime: Option<u32>,
    /// RFC 8016 section 3.1.1: a mobility ticket is asked for.
    pub(super) mobility: bool,
}
/// By which protocol peers are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelayTransport {
    Udp,
    /// RFC 6062.
    Tcp,
}
impl RelayTransport {
    /// As the driver names it.
    pub(super) const fn transport(self) -> Transport {
        match self {
            Self::Udp => Transport::Udp,
            Self::Tcp => Transport::Tcp,
        }
    }
}
impl Wishes {
    /// RFC 8656 section 7.2, checks 3 to 9, in so far as the request decides them; RFC 6062 section 5.1.
    pub(super) fn of(message: &Message<'_>, tcp: bool) -> Result<Self, Reply> {
        const BAD: Reply = Reply::Error(400);
        let transport = match message.get::<RequestedTransport>() {
            Ok(Some(RequestedTransport::UDP)) => RelayTransport::Udp,
            Ok(Some(RequestedTransport::TCP)) if tcp => RelayTransport::Tcp,
            Ok(Some(_)) => return Err(Reply::Error(442)),
            Ok(None) | Err(_) => return Err(BAD),
        };
        let token = read::<ReservationToken>(message)?.map(|ReservationToken(token)| token);
        let even = read::<EvenPort>(message)?;
        let lifetime = read::<Lifetime>(message)?.map(|Lifetime(seconds)| seconds);
        read::<DontFragment>(message)?;
        let requested = match message.get::<RequestedAddressFamily>() {
            Ok(it) => it.map(|RequestedAddressFamily(family)| family),
            Err(error) if error.reason() == Malformed::AddressFamily => return Err(Reply::Error(440)),
            Err(_) => return Err(BAD),
        };
        let additional = additional_family(message)?;
        let with_token = even.is_some() || requested.is_some() || additional.is_some();
        let reserves = even.is_some_and(|it| it.reserve_next);
        if token.is_some() && with_token
            || requested.is_some() && additional.is_some()
            || reserves && additional.is_some()
            || additional == Some(AddressFamily::Ipv4)
            // RFC 6062 section 5.1.
            || transport == RelayTransport::Tcp && (even.is_some() || token.is_some() || message.has(AttributeType::DONT_FRAGMENT))
        {
            return Err(BAD);
        }
        let wish = match (token, even) {
            (Some(token), _) => Wish::Reserved(token),
            (None, Some(EvenPort { reserve_next: true })) => Wish::Pair,
            (None, Some(EvenPort { reserve_next: false })) => Wish::Even,
            (None, None) => Wish::Any,
        };
        // RFC 8016 section 3.1.2: nobody has a ticket yet.
        let mobility = match read::<MobilityTicket<'_>>(message)? {
            None => false,
            Some(MobilityTicket(b"")) => true,
            Some(_) => return Err(BAD),
        };
        let family = requested.unwrap_or(AddressFamily::Ipv4);
        Ok(Self { transport, wish, family, both: additional.is_some(), lifetime, mobility })
    }
}

/// ADDITIONAL-ADDRESS-FAMILY, by its number or by that of the drafts before RFC 8656, which coturn and its clients use still.
fn additional_family(message: &Message<'_>) -> Result<Option<AddressFamily>, Reply> {
    const OF_DRAFTS: AttributeType = AttributeType(0x8032);
    if let Some(AdditionalAddressFamily(family)) = read(message)? {
        return Ok(Some(family));
    }
    let Some(raw) = message.attributes().find(|raw| raw.kind == OF_DRAFTS) else { return Ok(None) };
    match AdditionalAddressFamily::parse(raw.value, message.transaction_id()) {
        Ok(AdditionalAddressFamily(family)) => Ok(Some(family)),
        Err(_) => Err(Reply::Error(400)),
    }
}

/// An attribute that may be absent, and else has to be well formed.
pub(super) fn read<'m, A: Attribute<'m>>(message: &Message<'m>) -> Result<Option<A>, Reply> {
    message.get().map_err(|_| Reply::Error(400))
}

/// RFC 8656 section 10.2: all the peers that a CreatePermission names; at least one, and each of them well formed.
pub(super) fn peers(message: &Message<'_>) -> Result<Vec<SocketAddr>, Reply> {
    let mut peers = Vec::new();
    for raw in message.attributes().filter(|raw| raw.kind == AttributeType::XOR_PEER_ADDRESS) {
        match XorPeerAddress::parse(raw.value, message.transaction_id()) {
            Ok(XorPeerAddress(peer)) => peers.push(peer),
            Err(_) => return Err(Reply::Error(400)),
        }
    }
    if peers.is_empty() { Err(Reply::Error(400)) } else { Ok(peers) }
}
