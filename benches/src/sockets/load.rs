//! The load: clients and their peers, in one thread.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use ginnel_core::{Buffer, Epoch, HEADROOM, Packet, Path, Receive, Seed};
use ginnel_stun::LongTermCredential;
use ginnel_turn::client::{Client, ClientConfig, Event, Socket, TurnServer};
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};

use super::Server;

pub(super) const USER: &str = "user";
pub(super) const PASSWORD: &str = "pass";
/// Flows that are under way at a time: what a receive buffer of the default size holds.
const WINDOW: usize = 64;
/// So long for a datagram that is not lost.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) clients: usize,
    pub(super) size: usize,
    /// Datagrams that a client sends at once, all to one peer.
    pub(super) burst: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, size, burst } = self;
        match (clients, burst) {
            (_, 2..) => write!(f, "runs of {burst} x {size} octets"),
            (1, _) => write!(f, "flows of {size} octets, 1 client"),
            _ => write!(f, "flows of {size} octets, {clients} clients"),
        }
    }
}

/// One end of a flow: a socket with a destination.
struct End {
    socket: UdpSocket,
    state: UdpSocketState,
    to: SocketAddr,
    /// Its datagrams, side by side.
    burst: Vec<u8>,
    segment: usize,
}

impl End {
    fn new(socket: UdpSocket, to: SocketAddr, datagram: &[u8], shape: Shape) -> Self {
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).expect("a socket");
        socket.set_nonblocking(false).expect("a socket that waits");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket that waits so long");
        Self { socket, state, to, burst: datagram.repeat(shape.burst), segment: datagram.len() }
    }

    fn send(&self) {
        let per_call = self.segment * self.state.max_gso_segments().clamp(1, 32);
        for contents in self.burst.chunks(per_call) {
            let segment_size = (contents.len() > self.segment).then_some(self.segment);
            let transmit = Transmit { destination: self.to, ecn: None, contents, segment_size, src_ip: None };
            self.state.try_send(UdpSockRef::from(&self.socket), &transmit).expect("loopback takes it");
        }
    }

    /// Hears what the other end has sent; returns how many datagrams came of so many.
    fn hear(&self, expected: usize, buf: &mut [u8]) -> usize {
        let mut octets = 0;
        while octets < expected * self.segment {
            match self.socket.recv(buf) {
                // Where the kernel has put several together, they are as many as fit: all are of one size.
                Ok(len) => octets += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        octets / self.segment
    }
}

pub(crate) struct Load {
    shape: Shape,
    /// Clients, and the peers of those that relay.
    flows: Vec<(End, Option<End>)>,
    buf: Vec<u8>,
    pub(super) arrived: u64,
    pub(super) lost: u64,
}

impl Load {
    pub(super) fn new(server: &dyn Server, shape: Shape) -> Self {
        let flows = (0..shape.clients).map(|number| flow(server, shape, number)).collect();
        Self { shape, flows, buf: vec![0; 65_536], arrived: 0, lost: 0 }
    }

    /// Each client sends once, and is sent to once.
    pub(super) fn round(&mut self) {
        let Self { shape, flows, buf, arrived, lost } = self;
        let mut count = |came: usize| {
            *arrived += came as u64;
            *lost += shape.burst.saturating_sub(came) as u64;
        };
        for window in flows.chunks(WINDOW) {
            window.iter().for_each(|(client, _)| client.send());
            for (client, peer) in window {
                count(peer.as_ref().unwrap_or(client).hear(shape.burst, buf));
            }
            let peers = window.iter().filter_map(|(client, peer)| Some((client, peer.as_ref()?)));
            peers.clone().for_each(|(_, peer)| peer.send());
            for (client, _) in peers {
                count(client.hear(shape.burst, buf));
            }
        }
    }
}

fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket")
}

fn flow(server: &dyn Server, shape: Shape, number: usize) -> (End, Option<End>) {
    let (client, payload) = (socket(), vec![7; shape.size]);
    if !server.relays() {
        return (End::new(client, server.at(), &payload, shape), None);
    }
    let peer = socket();
    let ends = (client.local_addr().expect("bound"), peer.local_addr().expect("bound"));
    if let Some(relayed) = server.open(ends.0, ends.1) {
        let peer = End::new(peer, relayed, &payload, shape);
        return (End::new(client, server.at(), &payload, shape), Some(peer));
    }
    let (relayed, channel) = allocate(&client, server.at(), peer.local_addr().expect("bound"), number);
    let mut framed = channel.to_be_bytes().to_vec();
    framed.extend(u16::try_from(shape.size).expect("a datagram").to_be_bytes());
    framed.extend(&payload);
    let peer = End::new(peer, relayed, &payload, shape);
    (End::new(client, server.at(), &framed, shape), Some(peer))
}

/// An allocation with one channel, by our client over a socket that blocks.
fn allocate(socket: &UdpSocket, server: SocketAddr, peer: SocketAddr, number: usize) -> (SocketAddr, u16) {
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket that waits so long");
    let local = socket.local_addr().expect("bound");
    let credential = LongTermCredential::new(USER, PASSWORD).expect("plain words");
    let config = ClientConfig::new(TurnServer::udp(server), credential).with_socket(Socket::Lent(local));
    let epoch = Epoch::start();
    let mut seed = [1; 32];
    seed[..8].copy_from_slice(&(number as u64 + (u64::from(local.port()) << 32)).to_be_bytes());
    let mut client = Client::new(epoch.now(), config, Seed::new(seed));
    let mut buf: Buffer = [0; 2_048];
    let mut relayed = None;
    for _ in 0..400 {
        while let Some(event) = client.poll_event() {
            match event {
                Event::Allocated(allocated) => {
                    relayed = allocated.relayed.ipv4;
                    client.bind_channel(epoch.now(), peer).expect("a peer");
                }
                Event::ChannelBound { channel, .. } => {
                    return (relayed.expect("an allocation of IPv4"), channel.number());
                }
                Event::Failed { reason } | Event::ChannelFailed { reason, .. } => panic!("{reason:?}"),
                _ => {}
            }
        }
        // Behind the events: what they have it asked for leaves now, and not when a wait is over.
        while let Some(transmit) = {
            let mut packet = Packet::empty(&mut buf);
            let transmit = client.poll_transmit(epoch.now(), &mut packet);
            transmit.map(|transmit| (transmit, packet.bytes().to_vec()))
        } {
            socket.send_to(&transmit.1, transmit.0.path.remote).expect("loopback takes it");
        }
        match socket.recv_from(&mut buf[HEADROOM..]) {
            Ok((len, from)) => {
                let Some(packet) = Packet::received(&mut buf, HEADROOM..HEADROOM + len) else { continue };
                let mut input = Receive::new(Path::udp(local, from), packet);
                let _ = client.handle_input(epoch.now(), &mut input);
            }
            Err(_) => client.handle_timeout(epoch.now()),
        }
    }
    panic!("no allocation of {server}");
}
