//! The floor: a thread that sends back what comes, as many at a time as there are.
//!
//! Nothing is spared that a server could spare: one call waits and receives, one sends; no call is for anything else, and
//! nothing is allocated once it runs.

use std::{
    array,
    io::{IoSlice, IoSliceMut},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd as _,
    sync::mpsc,
    thread,
};

use nix::{
    cmsg_space,
    sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt, sockopt},
};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg, sendto};

use super::Server;

/// As many as one call receives or sends.
pub(super) const BATCH: usize = 32;
/// A message, of several datagrams perhaps.
const SIZE: usize = 65_536;

struct Echo {
    at: SocketAddr,
    thread: String,
}

impl Server for Echo {
    fn at(&self) -> SocketAddr {
        self.at
    }
    fn threads(&self) -> Vec<String> {
        vec![self.thread.clone()]
    }
    fn relays(&self) -> bool {
        false
    }
}

pub(super) fn start() -> Option<Box<dyn Server>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    let at = socket.local_addr().ok()?;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let _ = tell.send(super::ours::this_thread());
        echo(&socket);
    });
    Some(Box::new(Echo { at, thread: told.recv().ok()? }))
}

/// Until the program ends. The socket waits by itself: the least that there is.
fn echo(socket: &UdpSocket) {
    let runs = Runs::new(socket);
    let mut inbox = Inbox::new(socket);
    loop {
        let came = inbox.receive(socket, MsgFlags::MSG_WAITFORONE);
        let mut outbox = Outbox::default();
        for (meta, octets) in came {
            if meta.segment < meta.len {
                runs.send(socket, &meta, octets);
            } else {
                outbox.push(socket, meta.from.into(), octets);
            }
        }
        outbox.flush(socket);
    }
}

/// Datagrams of one size to one destination, as the kernel has put them together and takes them apart.
struct Runs(UdpSocketState);

impl Runs {
    fn new(socket: &UdpSocket) -> Self {
        let state = UdpSocketState::new(UdpSockRef::from(socket)).expect("a socket");
        socket.set_nonblocking(false).expect("a socket that waits");
        Self(state)
    }

    fn send(&self, socket: &UdpSocket, meta: &Meta, contents: &[u8]) {
        let destination = meta.from.into();
        let transmit =
            Transmit { destination, ecn: None, contents, segment_size: Some(meta.segment), src_ip: None };
        let _ = self.0.try_send(UdpSockRef::from(socket), &transmit);
    }
}

/// One message that came.
#[derive(Clone, Copy)]
pub(super) struct Meta {
    pub(super) from: SocketAddrV4,
    pub(super) len: usize,
    /// The size of its datagrams.
    pub(super) segment: usize,
}

/// Where messages land.
pub(super) struct Inbox {
    octets: Vec<u8>,
    headers: MultiHeaders<SockaddrIn>,
    metas: [Meta; BATCH],
}

impl Inbox {
    /// The socket is to put together what belongs together, and to tell nothing but that.
    pub(super) fn new(socket: &UdpSocket) -> Self {
        let _ = rustix::net::sockopt::set_socket_recv_buffer_size(socket, 2 << 20);
        let _ = setsockopt(socket, sockopt::ReceiveTimestampns, &false);
        let _ = setsockopt(socket, sockopt::Ipv4PacketInfo, &false);
        let _ = rustix::net::sockopt::set_ip_recvtos(socket, false);
        let _ = setsockopt(socket, sockopt::UdpGroSegment, &true);
        let nobody = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        Self {
            octets: vec![0; BATCH * SIZE],
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(i32))),
            metas: [Meta { from: nobody, len: 0, segment: 0 }; BATCH],
        }
    }

    /// What is there, with one call; it waits for the first if it is told so and the socket does.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        flags: MsgFlags,
    ) -> impl Iterator<Item = (Meta, &[u8])> {
        let Self { octets, headers, metas } = self;
        let mut slots = octets.chunks_exact_mut(SIZE);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let mut count = 0;
        for message in recvmmsg(socket.as_raw_fd(), headers, &mut slices, flags, None).into_iter().flatten() {
            let Some(from) = message.address else { continue };
            let together = message.cmsgs().into_iter().flatten().find_map(|control| match control {
                ControlMessageOwned::UdpGroSegments(size) => usize::try_from(size).ok(),
                _ => None,
            });
            let (from, len) = (SocketAddrV4::new(from.ip(), from.port()), message.bytes);
            metas[count] = Meta { from, len, segment: together.unwrap_or(len) };
            count += 1;
        }
        let messages = self.metas[..count].iter().zip(self.octets.chunks_exact(SIZE));
        messages.map(|(meta, slot)| (*meta, &slot[..meta.len]))
    }
}

/// What is sent with one call.
pub(super) struct Outbox<'o> {
    datagrams: [(SocketAddrAny, &'o [u8]); BATCH],
    count: usize,
}

impl Default for Outbox<'_> {
    fn default() -> Self {
        let nobody = SocketAddrAny::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
        Self { datagrams: array::from_fn(|_| (nobody.clone(), &[][..])), count: 0 }
    }
}

impl<'o> Outbox<'o> {
    pub(super) fn push(&mut self, socket: &UdpSocket, to: SocketAddrAny, octets: &'o [u8]) {
        self.datagrams[self.count] = (to, octets);
        self.count += 1;
        if self.count == BATCH {
            self.flush(socket);
        }
    }

    pub(super) fn flush(&mut self, socket: &UdpSocket) {
        match &self.datagrams[..std::mem::take(&mut self.count)] {
            [] => {}
            [(to, octets)] => drop(sendto(socket, octets, SendFlags::empty(), to)),
            several => send(socket, several),
        }
    }
}

fn send(socket: &UdpSocket, several: &[(SocketAddrAny, &[u8])]) {
    let at = |number: usize| several.get(number).unwrap_or(&several[0]);
    let slices: [_; BATCH] = array::from_fn(|number| [IoSlice::new(at(number).1)]);
    let mut controls: [SendAncillaryBuffer<'_, '_, '_>; BATCH] = array::from_fn(|_| Default::default());
    let mut number = 0;
    let mut messages = controls.each_mut().map(|control| {
        let message = MMsgHdr::new_with_addr(&at(number).0, &slices[number], control);
        number += 1;
        message
    });
    let mut left = &mut messages[..several.len()];
    while !left.is_empty() {
        match sendmmsg(socket, left, SendFlags::empty()) {
            Ok(count) => left = &mut left[count..],
            Err(_) => return,
        }
    }
}
