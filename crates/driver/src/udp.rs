//! The system calls for datagrams, through `quinn-udp`: many at once, with congestion marks, and unfragmented.
//!
//! Received datagrams land in an arena of slots. In front of each lies `HEADROOM + ANSWER`; where the kernel has put
//! several datagrams of one sender side by side (GRO), the ones in front are done with when the next is looked at, so each
//! has that room.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6},
    ops::Range,
};

use ginnel_core::{ANSWER, Ecn, HEADROOM};
use quinn_udp::{EcnCodepoint, RecvMeta, Transmit, UdpSockRef, UdpSocketState};

use crate::{
    Interest, Socket,
    platform::{FEWER_ARE_ALL, HAS_ERROR_QUEUE},
};

/// Slots, which is how many messages one system call brings. Memory that is never written to is never there.
pub(crate) const SLOTS: usize = 32;
/// A call that brings fewer than were asked for has brought all: that is only true of what one call can bring.
const _: () = assert!(SLOTS <= quinn_udp::BATCH_SIZE || !FEWER_ARE_ALL);
/// In front of each message.
const ROOM: usize = HEADROOM + ANSWER;
/// The largest message, of several datagrams together.
const MAX_MESSAGE: usize = 65_535;
const SLOT: usize = ROOM + MAX_MESSAGE + ANSWER;
/// What is prepared for a call that asks for few: most sockets of a relay have one at a time.
const FEW: usize = 4;

/// Where datagrams land, and what the last call said of each slot.
pub(crate) struct Arena {
    octets: Box<[u8]>,
    metas: [RecvMeta; SLOTS],
}

/// One message of a batch: datagrams of one sender, side by side.
pub(crate) struct Message {
    pub(crate) remote: SocketAddr,
    /// Which of this host's addresses it was sent to, where the system tells.
    pub(crate) to: Option<IpAddr>,
    pub(crate) ecn: Ecn,
    slot: usize,
    stride: usize,
    len: usize,
}

/// The state that `quinn-udp` keeps of a socket.
#[derive(Debug)]
pub(crate) struct Udp(UdpSocketState);

impl Udp {
    pub(crate) fn new(socket: &std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self(UdpSocketState::new(UdpSockRef::from(socket))?))
    }

    /// Receives what is there, up to so many messages, without waiting; returns how many. If they are fewer there were no
    /// more, and the runtime knows that already, where [`FEWER_ARE_ALL`].
    pub(crate) fn receive(&self, socket: &impl Socket, arena: &mut Arena, most: usize) -> io::Result<usize> {
        match most.clamp(1, SLOTS) {
            few @ ..=FEW => self.receive_into::<FEW>(socket, arena, few),
            many => self.receive_into::<SLOTS>(socket, arena, many),
        }
    }

    fn receive_into<const N: usize>(
        &self,
        socket: &impl Socket,
        arena: &mut Arena,
        most: usize,
    ) -> io::Result<usize> {
        let mut slots = arena.octets.chunks_exact_mut(SLOT).take(most);
        let mut slices: [IoSliceMut<'_>; N] = std::array::from_fn(|_| match slots.next() {
            Some(slot) => IoSliceMut::new(&mut slot[ROOM..ROOM + MAX_MESSAGE]),
            None => IoSliceMut::new(&mut []),
        });
        let mut came = 0;
        let outcome = socket.try_io(Interest::Readable, || {
            let socket = socket.sock_ref();
            came = self.0.recv(UdpSockRef::from(&*socket), &mut slices[..most], &mut arena.metas)?;
            // Said to the runtime now, or a call would be spent on hearing it from the system.
            if FEWER_ARE_ALL && came < most { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match outcome {
            Ok(()) => Ok(came),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && came > 0 => Ok(came),
            Err(error) => Err(error),
        }
    }

    /// Sends datagrams of `segment` octets each, the last perhaps shorter, with one call; from `source`, where the socket is for
    /// every address.
    pub(crate) fn send(
        &self,
        socket: &impl Socket,
        source: Option<IpAddr>,
        destination: SocketAddr,
        ecn: Ecn,
        contents: &[u8],
        segment: usize,
    ) -> io::Result<()> {
        let segment_size = (segment < contents.len()).then_some(segment);
        let transmit = Transmit { destination, ecn: mark(ecn), contents, segment_size, src_ip: source };
        socket
            .try_io(Interest::Writable, || self.0.try_send(UdpSockRef::from(&*socket.sock_ref()), &transmit))
    }

    /// Asks the system to tell of ICMP errors by its error queue; whether it does.
    pub(crate) fn report_errors(&self, socket: &std::net::UdpSocket) -> bool {
        HAS_ERROR_QUEUE && self.0.enable_transport_errors(UdpSockRef::from(socket)).is_ok()
    }

    /// How many datagrams one call may send. It shrinks to one when the kernel turns out not to know how.
    pub(crate) fn max_segments(&self) -> usize {
        self.0.max_gso_segments()
    }
}

impl Message {
    /// How many datagrams it holds; an empty datagram is one.
    pub(crate) fn datagrams(&self) -> usize {
        self.len.div_ceil(self.stride).max(1)
    }
}

impl Arena {
    pub(crate) fn new() -> Self {
        Self { octets: vec![0; SLOT * SLOTS].into(), metas: [RecvMeta::default(); SLOTS] }
    }

    /// The message in this slot, one of those that the last call brought.
    pub(crate) fn message(&self, slot: usize) -> Message {
        let RecvMeta { addr, ecn, len, stride, dst_ip, .. } = self.metas[slot];
        let (stride, len) = (stride.max(1), len.min(MAX_MESSAGE));
        let to = dst_ip.map(|ip| ip.to_canonical());
        Message { remote: plain(addr), to, ecn: unmark(ecn), slot, stride, len }
    }

    /// The datagram of this number in a message, and the buffer around it: what is behind another is not lent.
    pub(crate) fn datagram(&mut self, message: &Message, number: usize) -> (&mut [u8], Range<usize>) {
        let begin = (number * message.stride).min(message.len);
        let end = (begin + message.stride).min(message.len);
        let limit = if end == message.len { SLOT } else { ROOM + end };
        let slot = message.slot * SLOT;
        (&mut self.octets[slot..slot + limit], ROOM + begin..ROOM + end)
    }
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Arena")
    }
}

/// The local address of a path: on a socket for every address, the one that the datagram was sent to (a path is concrete).
/// `None` if nothing can be sent from there.
pub(crate) fn arrived_at(bound: SocketAddr, to: Option<IpAddr>) -> Option<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return Some(bound);
    }
    // Where the system does not tell, the routing decides where an answer comes from.
    let Some(ip) = to else { return Some(bound) };
    let unicast = !ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST);
    unicast.then_some(SocketAddr::new(ip, bound.port()))
}

/// As paths have it: IPv4 as IPv4, no flow label, no scope.
pub(crate) fn plain(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => addr,
        SocketAddr::V6(v6) => SocketAddr::new(v6.ip().to_canonical(), v6.port()),
    }
}

/// As the operating system wants it: a link-local address is one only on an interface.
pub(crate) fn scoped(addr: SocketAddr, scope: u32) -> SocketAddr {
    match addr {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() || v6.ip().is_multicast() => {
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope).into()
        }
        other => other,
    }
}

fn mark(ecn: Ecn) -> Option<EcnCodepoint> {
    match ecn {
        Ecn::NotEct => None,
        Ecn::Ect0 => Some(EcnCodepoint::Ect0),
        Ecn::Ect1 => Some(EcnCodepoint::Ect1),
        Ecn::Ce => Some(EcnCodepoint::Ce),
    }
}

/// As it stands in the traffic class (RFC 3168 section 5).
pub(crate) fn mark_of(ecn: Ecn) -> u8 {
    mark(ecn).map_or(0, |mark| mark as u8)
}

fn unmark(ecn: Option<EcnCodepoint>) -> Ecn {
    match ecn {
        None => Ecn::NotEct,
        Some(EcnCodepoint::Ect0) => Ecn::Ect0,
        Some(EcnCodepoint::Ect1) => Ecn::Ect1,
        Some(EcnCodepoint::Ce) => Ecn::Ce,
    }
}

#[cfg(test)]
mod tests {
    use ginnel_core::Packet;

    use super::*;

    #[test]
    fn every_segment_has_room_for_any_answer_and_keeps_off_the_next() {
        let mut arena = Arena::new();
        let message = Message {
            remote: "192.0.2.1:1".parse().unwrap(),
            to: None,
            ecn: Ecn::NotEct,
            slot: 1,
            stride: 20,
            len: 50,
        };
        let first = SLOT + ROOM;
        for (offset, octet) in arena.octets[first..first + 50].iter_mut().enumerate() {
            *octet = u8::try_from(offset).unwrap();
        }
        assert_eq!(message.datagrams(), 3);
        for (number, len) in [(0, 20), (1, 20), (2, 10)] {
            let (buf, range) = arena.datagram(&message, number);
            let mut packet = Packet::received(buf, range).unwrap();
            let expected = u8::try_from(number * 20).unwrap();
            assert_eq!((packet.len(), packet.bytes()[0]), (len, expected));
            packet.clear();
            packet.append(&[0xff; ANSWER]).unwrap();
            packet.prepend([0xff; HEADROOM]).unwrap();
        }
    }

    #[test]
    fn an_empty_datagram_is_one() {
        let mut arena = Arena::new();
        let remote = "192.0.2.1:1".parse().unwrap();
        let message = Message { remote, to: None, ecn: Ecn::NotEct, slot: 0, stride: 1, len: 0 };
        assert_eq!(message.datagrams(), 1);
        let (buf, range) = arena.datagram(&message, 0);
        assert!(Packet::received(buf, range).unwrap().is_empty());
    }

    #[test]
    fn a_path_is_concrete() {
        let at = |bound: &str, to: Option<&str>| {
            let to = to.map(|ip| ip.parse().unwrap());
            arrived_at(bound.parse().unwrap(), to).map(|at| at.to_string())
        };
        assert_eq!(at("0.0.0.0:5", Some("192.0.2.1")).as_deref(), Some("192.0.2.1:5"));
        assert_eq!(at("[::]:5", Some("2001:db8::1")).as_deref(), Some("[2001:db8::1]:5"));
        assert_eq!(at("192.0.2.1:5", Some("192.0.2.1")).as_deref(), Some("192.0.2.1:5"));
        assert_eq!(at("224.0.0.251:5353", Some("192.0.2.1")).as_deref(), Some("224.0.0.251:5353"));
        assert_eq!(at("0.0.0.0:5", None).as_deref(), Some("0.0.0.0:5"));
        for nobody in ["255.255.255.255", "224.0.0.1", "ff02::1"] {
            assert_eq!(at("0.0.0.0:5", Some(nobody)), None, "{nobody}");
        }
    }

    #[test]
    fn addresses_are_as_paths_have_them() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:5".parse().unwrap();
        assert_eq!(plain(mapped), "192.0.2.1:5".parse().unwrap());
        let local = SocketAddr::from(SocketAddrV6::new("fe80::1".parse().unwrap(), 5, 7, 3));
        assert_eq!(plain(local), "[fe80::1]:5".parse().unwrap());
        assert_eq!(scoped(plain(local), 3).to_string(), "[fe80::1%3]:5");
        assert_eq!(scoped("[2001:db8::1]:5".parse().unwrap(), 3).to_string(), "[2001:db8::1]:5");
    }
}
