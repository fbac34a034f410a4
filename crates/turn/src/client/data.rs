//! The data path, in place (RFC 8656 sections 11.1, 11.4, 11.6, 12.5 and 12.6): nothing is copied but headers, and nothing is
//! allocated.
//!
//! ```text
//!  out  channel:     [ ChannelData header, 4 ][ payload ]
//!       indication:  [ STUN header, 20 ][ XOR-PEER-ADDRESS, 12 or 24 ][ DONT-FRAGMENT, 4 ]?[ DATA header, 4 ][ payload ][ 0-3 ]
//!  in   the same, stripped; and the path becomes (udp, relayed address, peer)
//! ```

use core::net::SocketAddr;

use ginnel_core::{Handled, IcmpError, Instant, NoRoom, Packet, Path, Receive, Transmit, Transport};
use ginnel_stun::{
    Class, Fingerprint, Message, Method, TransactionId,
    attribute::{Attribute, AttributeType, ConnectionId, Icmp, XorPeerAddress},
};

use super::{
    Client,
    channel::Vouched,
    config::RelayTransport,
    event::{Event, Relayed, SendError},
    permission::Standing,
    state::State,
    timers::Timer,
};
use crate::{ChannelData, ChannelNumber};

/// The comprehension-required attributes of a Data indication (RFC 8656 sections 11.3 and 11.5) and of a ConnectionAttempt
/// (RFC 6062 section 4.4).
const KNOWN: &[AttributeType] =
    &[AttributeType::XOR_PEER_ADDRESS, AttributeType::DATA, AttributeType::CONNECTION_ID];
/// Octets 4 to 7 of a STUN message, as its header has them.
const COOKIE: [u8; 4] = ginnel_stun::MAGIC_COOKIE.to_be_bytes();
/// RFC 8656 section 17: a Send indication.
const SEND_INDICATION: [u8; 2] = [0x00, 0x16];
/// The header of an attribute.
const ATTRIBUTE: usize = 4;

impl Client {
    /// Wraps and says where to.
    #[inline]
    pub(super) fn send_to(
        &mut self,
        now: Instant,
        peer: SocketAddr,
        packet: &mut Packet<'_>,
        unfragmented: bool,
    ) -> Result<Transmit, SendError> {
        let (State::Allocated(allocation), Some(line)) = (&self.state, self.line) else {
            return Err(SendError::NotAllocated);
        };
        if self.config.relay != RelayTransport::Udp {
            return Err(SendError::WrongTransport);
        }
        if unfragmented && !allocation.dont_fragment {
            return Err(SendError::NoDontFragment);
        }
        match self.permissions.standing(now, peer.ip()) {
            Standing::Active => {}
            // RFC 8656 section 10.1: it would never come.
            _ if allocation.given.relayed.towards(peer.ip()).is_none() => return Err(SendError::WrongFamily),
            Standing::Pending => return Err(SendError::Pending),
            Standing::Unknown => return Err(SendError::NotPermitted),
        }
        let octets = packet.len() as u64;
        let channel = if unfragmented { None } else { self.channels.bound(now, peer) };
        if let Some(channel) = channel {
            ChannelData::wrap(channel, packet)?;
            self.stats.channel_sent += 1;
        } else {
            let id = TransactionId::draw(&mut self.rng);
            wrap_indication(peer, packet, id, unfragmented)?;
            self.stats.indication_sent += 1;
        }
        self.stats.octets_sent += octets;
        self.on_sent(now);
        Ok(Transmit::to(line.path))
    }
    /// Something went to the server: it is to be heard of in time.
    #[inline]
    pub(super) fn on_sent(&mut self, now: Instant) {
        self.last_sent = now;
        if self.expects_word && self.timers.get(Timer::Silence).is_none() {
            self.timers.set(Timer::Silence, self.config.silence.map(|silence| now + silence));
        }
    }
    /// Something came from the server.
    #[inline]
    pub(super) fn on_heard(&mut self) {
        self.timers.clear(Timer::Silence);
    }

    /// RFC 8656 section 12.6.
    #[inline]
    pub(super) fn on_channel_data(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Relayed> {
        let Some((channel, (peer, vouched))) = self.sender_by_channel(now, input.packet.bytes()) else {
            self.stats.bad_channel += 1;
            return Handled::Consumed;
        };
        let Some(path) = self.path_of(now, peer, vouched) else { return Handled::Consumed };
        if ChannelData::strip(&mut input.packet).is_err() {
            self.stats.bad_channel += 1;
            return Handled::Consumed;
        }
        input.path = path;
        self.stats.channel_received += 1;
        self.stats.octets_received += input.packet.len() as u64;
        Handled::Data(Relayed::Datagram { channel: Some(channel) })
    }
    fn sender_by_channel(
        &self,
        now: Instant,
        octets: &[u8],
    ) -> Option<(ChannelNumber, (SocketAddr, Vouched))> {
        let channel = ChannelData::parse(octets).ok()?.channel();
        Some((channel, self.channels.peer(now, channel)?))
    }
    /// From our relayed address to a peer that may send to it.
    #[inline]
    fn path_of(&mut self, now: Instant, peer: SocketAddr, Vouched(vouched): Vouched) -> Option<Path> {
        let State::Allocated(allocation) = &self.state else {
            self.stats.bad_indication += 1;
            return None;
        };
        let relayed = allocation.given.relayed.towards(peer.ip());
        let Some(relayed) = relayed.filter(|_| vouched || self.permissions.lets_in(now, peer.ip())) else {
            self.stats.not_permitted += 1;
            return None;
        };
        Some(Path { transport: Transport::Udp, local: relayed, remote: peer })
    }

    /// An indication: a Data indication, with data or with what ICMP said, or a ConnectionAttempt.
    pub(super) fn on_indication(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Relayed> {
        let Ok(message) = Message::parse(input.packet.bytes()) else { return Handled::Foreign };
        let told = match message.method() {
            Method::DATA => read_data(&message),
            Method::CONNECTION_ATTEMPT => read_attempt(&message),
            _ => return Handled::Foreign,
        };
        // RFC 8489 section 6.3.2: what is not understood is discarded whole.
        let Some(told) = told.filter(|_| message.unknown_required(KNOWN).next().is_none()) else {
            self.stats.bad_indication += 1;
            return Handled::Consumed;
        };
        match told {
            Told::Data { peer, at, len } => {
                let Some(path) = self.path_of(now, peer, Vouched(false)) else { return Handled::Consumed };
                if input.packet.strip(at).is_none() {
                    return Handled::Consumed;
                }
                input.packet.truncate(len);
                input.path = path;
                self.stats.indication_received += 1;
                self.stats.octets_received += len as u64;
                Handled::Data(Relayed::Datagram { channel: None })
            }
            Told::Icmp { peer, error } => {
                // RFC 8656 section 11.6: only of whom we may send to.
                if self.path_of(now, peer, Vouched(false)).is_some() {
                    self.tell_if_room(Event::IcmpError { peer, error });
                }
                Handled::Consumed
            }
            Told::Attempt { peer, id } => {
                self.on_attempt(now, peer, id);
                Handled::Consumed
            }
        }
    }
    /// For what a peer or the network can cause without end.
    pub(super) fn tell_if_room(&mut self, event: Event) -> bool {
        if self.events.len() >= MAX_UNTOLD {
            self.stats.untold += 1;
            return false;
        }
        self.events.push_back(event);
        true
    }
}
/// Events that may wait before those that a peer or the network can cause without end are dropped.
pub(super) const MAX_UNTOLD: usize = 64;

/// What an indication says.
enum Told {
    /// The payload is `len` octets at `at`.
    Data {
        peer: SocketAddr,
        at: usize,
        len: usize,
    },
    Icmp {
        peer: SocketAddr,
        error: IcmpError,
    },
    Attempt {
        peer: SocketAddr,
        id: ConnectionId,
    },
}
/// RFC 8656 sections 11.4 and 11.6.
fn read_data(message: &Message<'_>) -> Option<Told> {
    if message.class() != Class::Indication || message.fingerprint() == Fingerprint::Bad {
        return None;
    }
    let XorPeerAddress(peer) = message.get().ok()??;
    if let Some(data) = message.attributes().find(|raw| raw.kind == AttributeType::DATA) {
        // Nobody can have sent it; of what ICMP says, the port may not be known (RFC 8656 section 11.5).
        if peer.port() == 0 {
            return None;
        }
        return Some(Told::Data { peer, at: data.offset + ATTRIBUTE, len: data.value.len() });
    }
    let Icmp { kind, code, data } = message.get().ok()??;
    let error =
        if peer.is_ipv4() { IcmpError::v4(kind, code, data) } else { IcmpError::v6(kind, code, data) };
    Some(Told::Icmp { peer, error })
}
/// RFC 6062 section 4.4.
fn read_attempt(message: &Message<'_>) -> Option<Told> {
    if message.class() != Class::Indication || message.fingerprint() == Fingerprint::Bad {
        return None;
    }
    let XorPeerAddress(peer) = message.get().ok()??;
    if peer.port() == 0 {
        return None;
    }
    Some(Told::Attempt { peer, id: message.get().ok()?? })
}

/// Makes the payload a Send indication (RFC 8656 section 11.1), in place. `Err` changes nothing.
fn wrap_indication(
    peer: SocketAddr,
    packet: &mut Packet<'_>,
    id: TransactionId,
    unfragmented: bool,
) -> Result<(), NoRoom> {
    let address = XorPeerAddress(peer);
    let flag = if unfragmented { ATTRIBUTE } else { 0 };
    let around = ATTRIBUTE + address.encoded_len() + flag + ATTRIBUTE;
    let (data, padded) = (packet.len(), packet.len().next_multiple_of(4));
    let length = u16::try_from(around + padded).map_err(|_| NoRoom)?;
    let data = u16::try_from(data).map_err(|_| NoRoom)?;
    let padding = padded - usize::from(data);
    if !packet.has_room(ginnel_stun::HEADER_LEN + around, padding) {
        return Err(NoRoom);
    }
    packet.append(&[0; 3][..padding])?;
    packet.prepend(header(AttributeType::DATA, data))?;
    if unfragmented {
        packet.prepend(header(AttributeType::DONT_FRAGMENT, 0))?;
    }
    if peer.is_ipv4() {
        packet.prepend(value::<8>(&address, id))?;
    } else {
        packet.prepend(value::<20>(&address, id))?;
    }
    packet.prepend(header(AttributeType::XOR_PEER_ADDRESS, address.encoded_len() as u16))?;
    packet.prepend(id.octets())?;
    packet.prepend(COOKIE)?;
    packet.prepend(length.to_be_bytes())?;
    packet.prepend(SEND_INDICATION)
}
const fn header(kind: AttributeType, length: u16) -> [u8; ATTRIBUTE] {
    let ([k0, k1], [l0, l1]) = (kind.0.to_be_bytes(), length.to_be_bytes());
    [k0, k1, l0, l1]
}
fn value<const N: usize>(address: &XorPeerAddress, id: TransactionId) -> [u8; N] {
    let mut octets = [0; N];
    address.write(&mut octets, id);
    octets
}
