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

use nix::sys::socket::MsgFlags;
use rustix::{
    buffer::spare_capacity,
    event::epoll,
    net::{SendFlags, SocketAddrAny, sendto},
};

use super::{
    Server,
    floor::{Inbox, Outbox},
};

/// Sockets that are looked at between two calls that wait.
const READY: usize = 64;
/// The largest datagram of a peer.
const SIZE: usize = 2_048;
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
    let mut events = Vec::with_capacity(READY);
    let mut inbox = Inbox::new(listener);
    let mut octets = vec![0; READY * SIZE];
    loop {
        events.clear();
        if epoll::wait(epoll, spare_capacity(&mut events), None).is_err() {
            continue;
        }
        let flows = flows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outbox = Outbox::default();
        for (event, slot) in events.iter().zip(octets.chunks_exact_mut(SIZE)) {
            if event.data.u64() == LISTENER {
                pass_on(&flows, listener, &mut inbox);
                continue;
            }
            let number = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            let Some(flow) = flows.flows.get(number) else { continue };
            if let Ok(len) = flow.socket.recv(slot) {
                outbox.push(listener, flow.client.clone(), &slot[..len]);
            }
        }
        outbox.flush(listener);
    }
}

/// What clients have sent, to their peers.
fn pass_on(flows: &Flows, listener: &UdpSocket, inbox: &mut Inbox) {
    for (meta, octets) in inbox.receive(listener, MsgFlags::empty()) {
        let flow = flows.by_client.get(&meta.from.into()).and_then(|number| flows.flows.get(*number));
        let Some(flow) = flow else { continue };
        for datagram in octets.chunks(meta.segment.max(1)) {
            let _ = sendto(&flow.socket, datagram, SendFlags::empty(), &flow.peer);
        }
    }
}
