//! The floor: a thread that sends back what comes, as many at a time as there are.

use std::{
    io::IoSliceMut,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::mpsc,
    thread,
};

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};

use super::Server;

/// As many as `quinn-udp` receives at a time.
pub(super) const BATCH: usize = 32;
pub(super) const SIZE: usize = 2_048;

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
    let state = UdpSocketState::new(UdpSockRef::from(socket)).expect("a socket");
    // Segments apart, as they are sent back.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(socket, 2 << 20);
    socket.set_nonblocking(false).expect("a socket that waits");
    let mut octets = vec![0; BATCH * SIZE * 32];
    let mut metas = [RecvMeta::default(); BATCH];
    loop {
        let Ok(count) = receive(socket, &state, &mut slices(&mut octets), &mut metas) else { continue };
        let answers: Vec<_> = metas[..count]
            .iter()
            .zip(octets.chunks_exact(SIZE * 32))
            .flat_map(|(meta, slot)| {
                let to = SocketAddrAny::from(meta.addr);
                slot[..meta.len].chunks(meta.stride.max(1)).map(move |datagram| (to.clone(), datagram))
            })
            .collect();
        answers.chunks(BATCH).for_each(|answers| send(socket, answers));
    }
}

/// Where a batch lands.
pub(super) fn slices(octets: &mut [u8]) -> [IoSliceMut<'_>; BATCH] {
    let mut slots = octets.chunks_exact_mut(SIZE * 32);
    std::array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()))
}

/// Waits for one, and takes what else is there.
fn receive(
    socket: &UdpSocket,
    state: &UdpSocketState,
    slices: &mut [IoSliceMut<'_>; BATCH],
    metas: &mut [RecvMeta; BATCH],
) -> std::io::Result<usize> {
    // A call that waits would wait for all of them.
    let mut poll = [rustix::event::PollFd::new(socket, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut poll, None)?;
    socket.set_nonblocking(true)?;
    state.recv(UdpSockRef::from(socket), slices, metas)
}

pub(super) fn send(socket: &UdpSocket, answers: &[(SocketAddrAny, &[u8])]) {
    let slices: Vec<_> = answers.iter().map(|(_, datagram)| [std::io::IoSlice::new(datagram)]).collect();
    let mut controls: Vec<_> = answers.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let mut messages: Vec<_> = answers
        .iter()
        .zip(&slices)
        .zip(&mut controls)
        .map(|(((to, _), slice), control)| MMsgHdr::new_with_addr(to, slice, control))
        .collect();
    let mut left = &mut messages[..];
    while !left.is_empty() {
        match sendmmsg(socket, left, SendFlags::empty()) {
            Ok(count) => left = &mut left[count..],
            Err(_) => return,
        }
    }
}
