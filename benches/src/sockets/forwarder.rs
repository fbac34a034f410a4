//! The floor of a relay: a thread with one socket for all clients and one for each flow, which passes on what comes, as many
//! at a time as there are, and looks at nothing but who has sent it.
//!
//! An echo receives and sends on one socket, so each of its calls serves many flows. A relay cannot: towards peers each flow
//! has a socket of its own, and the call to it carries what that flow has. This is the least that such a server must do.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use rustix::{
    buffer::spare_capacity,
    event::epoll,
    net::{SendFlags, SocketAddrAny, sendto},
};

use super::{
    Server,
    floor::{BATCH, SIZE, send, slices},
};

/// Sockets that are looked at between two calls that wait.
const READY: usize = 64;
/// What the listener is called; flows are called by their number.
const LISTENER: u64 = u64::MAX;

struct Forwarder {
    at: SocketAddr,
    thread: String,
    epoll: Arc<OwnedFd>,
    flows: Arc<Mutex<Flows>>,
}

#[derive(Default)]
struct Flows {
    by_client: HashMap<SocketAddr, usize>,
    flows: Vec<Flow>,
}

struct Flow {
    socket: UdpSocket,
    client: SocketAddrAny,
    peer: SocketAddrAny,
}

impl Server for Forwarder {
    fn at(&self) -> SocketAddr {
        self.at
    }
    fn threads(&self) -> Vec<String> {
        vec![self.thread.clone()]
    }
    fn relays(&self) -> bool {
        true
    }
    fn open(&self, client: SocketAddr, peer: SocketAddr) -> Option<SocketAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        let relayed = socket.local_addr().ok()?;
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        let number = flows.flows.len();
        epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)
            .ok()?;
        flows.by_client.insert(client, number);
        flows.flows.push(Flow { socket, client: client.into(), peer: peer.into() });
        Some(relayed)
    }
}

pub(super) fn start() -> Option<Box<dyn Server>> {
    let listener = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    listener.set_nonblocking(true).ok()?;
    let at = listener.local_addr().ok()?;
    let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC).ok()?);
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN).ok()?;
    let flows = Arc::<Mutex<Flows>>::default();
    let (tell, told) = mpsc::channel();
    let (waits, table) = (Arc::clone(&epoll), Arc::clone(&flows));
    thread::spawn(move || {
        let _ = tell.send(super::ours::this_thread());
        forward(&listener, &waits, &table);
    });
    Some(Box::new(Forwarder { at, thread: told.recv().ok()?, epoll, flows }))
}

/// Until the program ends.
fn forward(listener: &UdpSocket, epoll: &OwnedFd, flows: &Mutex<Flows>) {
    let state = UdpSocketState::new(UdpSockRef::from(listener)).expect("a socket");
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(listener, 2 << 20);
    let mut events = Vec::with_capacity(READY);
    let (mut requests, mut answers) = (vec![0; BATCH * SIZE * 32], vec![0; READY * SIZE]);
    let mut metas = [RecvMeta::default(); BATCH];
    loop {
        events.clear();
        if epoll::wait(epoll, spare_capacity(&mut events), None).is_err() {
            continue;
        }
        let flows = flows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gathered = Vec::with_capacity(READY);
        for (event, slot) in events.iter().zip(answers.chunks_exact_mut(SIZE)) {
            if event.data.u64() == LISTENER {
                let came = state.recv(UdpSockRef::from(listener), &mut slices(&mut requests), &mut metas);
                pass_on(&flows, &metas[..came.unwrap_or(0)], &requests);
                continue;
            }
            let number = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            let Some(flow) = flows.flows.get(number) else { continue };
            if let Ok(len) = flow.socket.recv(slot) {
                gathered.push((flow.client.clone(), &slot[..len]));
            }
        }
        gathered.chunks(BATCH).for_each(|answers| send(listener, answers));
    }
}

/// What clients have sent, to their peers.
fn pass_on(flows: &Flows, metas: &[RecvMeta], requests: &[u8]) {
    for (meta, slot) in metas.iter().zip(requests.chunks_exact(SIZE * 32)) {
        let Some(flow) = flows.by_client.get(&meta.addr).and_then(|number| flows.flows.get(*number)) else {
            continue;
        };
        for datagram in slot[..meta.len].chunks(meta.stride.max(1)) {
            let _ = sendto(&flow.socket, datagram, SendFlags::empty(), &flow.peer);
        }
    }
}
