//! The data path: what clients send to peers and peers to clients, turned over in the caller's buffer.
//!
//! ```text
//!  ChannelData      --strip--> datagram        (RFC 8656 section 12.6)
//!  Send indication  --strip--> datagram        (section 11.2)
//!  datagram --wrap--> ChannelData              (section 12.7), where a channel is bound to the peer
//!  datagram --wrap--> Data indication          (section 11.3), where there is a permission
//! ```
//!
//! Nothing is allocated and nothing copied but headers. A look-up is one hash and one slot, whatever the number of allocations;
//! within an allocation, a walk over a few channels.
//! Left out on purpose: Active Queue Management, and DSCP, which drivers do not tell (section 14: the alternate behavior).

use core::net::SocketAddr;

use ginnel_core::{
    Ecn, Handled, IcmpError, IcmpVersion, Instant, Packet, Path, Receive, Rng, Transmit, Transport,
};
use ginnel_stun::{
    Class, Fingerprint, HEADER_LEN, Message, MessageBuffer, MessageWriter, Method, TransactionId,
    attribute::{Attribute as _, AttributeType, Icmp, XorPeerAddress},
};

use super::{
    Handover, Server,
    allocation::Allocation,
    asked::{RelayTransport, is_known},
    policy::Direction,
};

impl Server {
    /// RFC 8656 section 12.6.
    #[inline]
    pub(super) fn channel_data(
        &mut self,
        now: Instant,
        slot: u32,
        input: &mut Receive<'_>,
    ) -> Handled<Handover> {
        self.arrived(slot, &input.path);
        let Some(allocation) = self.table.get_mut(slot) else { return Handled::Consumed };
        let Some((number, len)) = channel_header(input.packet.bytes()) else {
            self.stats.bad_channel_data += 1;
            return Handled::Consumed;
        };
        let Some(&channel) = allocation.channel(now, number) else {
            self.stats.bad_channel_data += 1;
            allocation.stats.dropped += 1;
            return Handled::Consumed;
        };
        let peer = channel.peer();
        let Some(local) = allocation.local_for(peer.ip()) else {
            return Handled::Consumed;
        };
        if channel.own && !self.live.is_live(Transport::Udp, peer) {
            self.stats.bad_channel_data += 1;
            allocation.stats.dropped += 1;
            return Handled::Consumed;
        }
        let limits = &self.config.bandwidth;
        if !allocation.has_bandwidth(now, Direction::FromClient, len, limits) {
            self.stats.over_bandwidth += 1;
            allocation.stats.dropped += 1;
            return Handled::Consumed;
        }
        allocation.stats.to_peers.count(len);
        self.stats.to_peers.count(len);
        // It was looked at: both edges are there.
        let _ = input.packet.strip(CHANNEL_HEADER);
        input.packet.truncate(len);
        Handled::Send(to_peer(input.path, input.ecn, Path::udp(local, peer), false))
    }

    /// RFC 8656 section 11.2.
    pub(super) fn send_indication(
        &mut self,
        now: Instant,
        slot: u32,
        input: &mut Receive<'_>,
    ) -> Handled<Handover> {
        self.arrived(slot, &input.path);
        let sent = Send::read(&input.packet, self.config.dont_fragment)
            .and_then(|send| Some((self.relay_of_send(now, slot, send.peer)?, send)));
        let Some(allocation) = self.table.get_mut(slot) else { return Handled::Consumed };
        let Some((local, Send { peer, offset, len, dont_fragment })) = sent else {
            self.stats.bad_sends += 1;
            allocation.stats.dropped += 1;
            return Handled::Consumed;
        };
        let limits = &self.config.bandwidth;
        if !allocation.has_bandwidth(now, Direction::FromClient, len, limits) {
            self.stats.over_bandwidth += 1;
            allocation.stats.dropped += 1;
            return Handled::Consumed;
        }
        allocation.stats.to_peers.count(len);
        self.stats.to_peers.count(len);
        // It was looked at: both edges are there.
        let _ = input.packet.strip(offset);
        input.packet.truncate(len);
        Handled::Send(to_peer(input.path, input.ecn, Path::udp(local, peer), dont_fragment))
    }
    /// From which relay socket an indication to this peer leaves, if it may.
    fn relay_of_send(&self, now: Instant, slot: u32, peer: SocketAddr) -> Option<SocketAddr> {
        let allocation = self.table.get(slot)?;
        let permission = allocation.permission(now, peer.ip())?;
        // RFC 6062 section 3: TCP relays pass on no datagrams.
        let relay = allocation.relay_for(peer.ip()).filter(|it| it.transport == RelayTransport::Udp)?;
        let is_there = peer.port() != 0 && (!permission.own || self.live.is_live(Transport::Udp, peer));
        is_there.then_some(relay.local)
    }

    /// RFC 8656 sections 11.3 and 12.7: a datagram on a relayed transport address.
    #[inline]
    pub(super) fn peer_data(
        &mut self,
        now: Instant,
        slot: u32,
        input: &mut Receive<'_>,
    ) -> Handled<Handover> {
        let Some(allocation) = self.table.get_mut(slot) else { return Handled::Consumed };
        let peer = input.path.remote;
        let channel = allocation.channel_of(now, peer);
        let permitted =
            channel.is_some_and(|it| it.permitted.is_after(now)) || allocation.permits(now, peer.ip());
        let number = channel.map(|it| it.number);
        if !permitted {
            self.stats.not_permitted += 1;
            allocation.stats.dropped += 1;
            return Handled::Consumed;
        }
        if allocation.is_left() {
            self.stats.no_client += 1;
            allocation.stats.dropped += 1;
            return Handled::Consumed;
        }
        let (len, limits) = (input.packet.len(), &self.config.bandwidth);
        if !allocation.has_bandwidth(now, Direction::FromPeer, len, limits) {
            self.stats.over_bandwidth += 1;
            allocation.stats.dropped += 1;
            return Handled::Consumed;
        }
        let wrapped = match number {
            Some(number) => wrap_channel(number, &mut input.packet),
            None => wrap_data(peer, &mut self.rng, &mut input.packet).is_some(),
        };
        if !wrapped {
            // A datagram of nearly 64 KiB, which no message can hold.
            allocation.stats.dropped += 1;
            return Handled::Consumed;
        }
        allocation.stats.to_client.count(len);
        self.stats.to_clients.count(len);
        let client = allocation.client();
        let mut transmit = Transmit::to(client);
        // RFC 8656 section 14, and 16 for streams.
        transmit.dont_fragment = false;
        if client.transport == Transport::Udp {
            transmit.ecn = input.ecn;
        }
        Handled::Send(transmit)
    }

    /// RFC 8656 section 11.5: what ICMP says of a datagram to a peer, if its client is to hear it.
    pub(super) fn unreachable(&mut self, now: Instant, path: Path, error: IcmpError) {
        let told = match error.version {
            IcmpVersion::V4 => matches!(error.kind, 3 | 11),
            IcmpVersion::V6 => matches!(error.kind, 1..=3),
        };
        let Some(slot) = self.table.relay(path.local).filter(|_| told) else { return };
        let hears = |it: &&Allocation| it.permits(now, path.remote.ip()) && !it.is_left();
        let Some(allocation) = self.table.get(slot).filter(hears) else { return };
        if self.icmp.len() < ICMP_WAITING_MAX {
            self.icmp.push_back(IcmpWaiting { client: allocation.client(), peer: path.remote, error });
        }
    }
    /// The next Data indication with an ICMP attribute.
    pub(super) fn poll_icmp(&mut self, packet: &mut Packet<'_>) -> Option<Transmit> {
        let IcmpWaiting { client, peer, error } = self.icmp.pop_front()?;
        let id = TransactionId::draw(&mut self.rng);
        let icmp = Icmp { kind: error.kind, code: error.code, data: error.data };
        let open = MessageWriter::new(packet, Class::Indication, Method::DATA, id).ok()?;
        open.attribute(&XorPeerAddress(peer)).ok()?.attribute(&icmp).ok()?.finish();
        self.stats.icmp += 1;
        Some(Transmit::to(client))
    }
}

/// An ICMP error that waits to be drained.
#[derive(Clone, Copy, Debug)]
pub(super) struct IcmpWaiting {
    client: Path,
    peer: SocketAddr,
    error: IcmpError,
}
/// How many of them wait at the most: more are dropped, as networks drop them.
pub(super) const ICMP_WAITING_MAX: usize = 256;

/// RFC 8656 sections 13 to 15: how a datagram to a peer is sent. DONT-FRAGMENT means something where the client's data comes
/// by a stream, and between datagrams from IPv4 to IPv4 alone.
#[inline]
fn to_peer(client: Path, ecn: Ecn, path: Path, dont_fragment: bool) -> Transmit {
    let mut transmit = Transmit::to(path);
    let over_ipv4 = client.remote.is_ipv4() && path.remote.is_ipv4();
    transmit.dont_fragment = dont_fragment && (over_ipv4 || client.transport.is_stream());
    if client.transport == Transport::Udp {
        transmit.ecn = ecn;
    }
    transmit
}

/// Octets in front of ChannelData (RFC 8656 section 12.4).
const CHANNEL_HEADER: usize = 4;
/// What a ChannelData header says: the number, and how much data there is. Any number is read that RFC 5766 had: which of them
/// are bound is the allocation's to know.
#[inline]
fn channel_header(octets: &[u8]) -> Option<(u16, usize)> {
    let (&[n0, n1, l0, l1], behind) = octets.split_first_chunk::<CHANNEL_HEADER>()?;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    (len <= behind.len()).then_some((u16::from_be_bytes([n0, n1]), len))
}
/// Makes a datagram ChannelData, in place; false if it is too long for that.
#[inline]
fn wrap_channel(number: u16, packet: &mut Packet<'_>) -> bool {
    let Ok(len) = u16::try_from(packet.len()) else { return false };
    let ([n0, n1], [l0, l1]) = (number.to_be_bytes(), len.to_be_bytes());
    packet.prepend([n0, n1, l0, l1]).is_ok()
}

/// What a Send indication says, and where in the packet its data lies.
struct Send {
    peer: SocketAddr,
    offset: usize,
    len: usize,
    dont_fragment: bool,
}
impl Send {
    /// `None` if it is not valid (RFC 8656 section 11.2). The first attribute of each kind counts.
    #[inline]
    fn read(packet: &Packet<'_>, dont_fragment_known: bool) -> Option<Self> {
        let message = Message::parse(packet.bytes()).ok()?;
        if message.fingerprint() == Fingerprint::Bad {
            return None;
        }
        let (mut peer, mut data, mut dont_fragment) = (None, None, false);
        for raw in message.attributes() {
            match raw.kind {
                AttributeType::XOR_PEER_ADDRESS if peer.is_none() => peer = Some(raw),
                AttributeType::DATA if data.is_none() => data = Some(raw),
                AttributeType::DONT_FRAGMENT if dont_fragment_known => dont_fragment = true,
                // RFC 8489 section 6.3.2: what is not understood and has to be makes it worth nothing.
                kind if kind.is_comprehension_required() && !is_known(kind) => return None,
                _ => {}
            }
        }
        let XorPeerAddress(peer) = XorPeerAddress::parse(peer?.value, message.transaction_id()).ok()?;
        let data = data?;
        Some(Self { peer, offset: data.offset + ATTRIBUTE_HEADER, len: data.value.len(), dont_fragment })
    }
}
/// Octets in front of an attribute's value (RFC 8489 section 14).
const ATTRIBUTE_HEADER: usize = 4;

/// What stands in front of the data of a Data indication: header, XOR-PEER-ADDRESS of IPv6, header of DATA.
const DATA_HEADER_V6: usize = HEADER_LEN + 24 + ATTRIBUTE_HEADER;
const DATA_HEADER_V4: usize = HEADER_LEN + 12 + ATTRIBUTE_HEADER;

/// RFC 8656 section 11.3: makes the datagram in `packet` a Data indication, in place. `None` changes nothing of it that
/// is to be sent.
pub(crate) fn wrap_data(peer: SocketAddr, rng: &mut Rng, packet: &mut Packet<'_>) -> Option<()> {
    let len = packet.len();
    let padding = len.next_multiple_of(4) - len;
    let front = if peer.is_ipv4() { DATA_HEADER_V4 } else { DATA_HEADER_V6 };
    let message_len = u16::try_from(front - HEADER_LEN + len + padding).ok()?;
    if !packet.has_room(front, padding) {
        return None;
    }
    let mut scratch = [0; DATA_HEADER_V6];
    let mut header = MessageBuffer::new(&mut scratch);
    let open =
        MessageWriter::new(&mut header, Class::Indication, Method::DATA, TransactionId::draw(rng)).ok()?;
    open.attribute(&XorPeerAddress(peer)).ok()?.finish();
    let [t0, t1] = AttributeType::DATA.0.to_be_bytes();
    let [l0, l1] = (len as u16).to_be_bytes();
    scratch[2..4].copy_from_slice(&message_len.to_be_bytes());
    scratch[front - ATTRIBUTE_HEADER..front].copy_from_slice(&[t0, t1, l0, l1]);
    packet.append(&[0; 3][..padding]).ok()?;
    if peer.is_ipv4() {
        packet.prepend(*scratch.first_chunk::<DATA_HEADER_V4>()?).ok()
    } else {
        packet.prepend(scratch).ok()
    }
}
