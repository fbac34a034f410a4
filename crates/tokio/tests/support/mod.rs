//! A TURN client over a socket that blocks.

#![allow(dead_code, missing_docs, reason = "each test uses a part of it")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use ginnel_core::{Buffer, Epoch, HEADROOM, Handled, Packet, Path, Receive, Seed};
use ginnel_stun::LongTermCredential;
use ginnel_turn::client::{Allocated, Client, ClientConfig, Event, Relayed, Socket, TurnServer};

pub(crate) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const REALM: &str = "ginnel.test";
const TRIES: usize = 200;

/// A client with a socket that blocks, and what it has been told.
pub(crate) struct Caller {
    pub(crate) epoch: Epoch,
    pub(crate) client: Client,
    pub(crate) socket: UdpSocket,
    pub(crate) events: Vec<Event>,
    pub(crate) heard: Vec<(SocketAddr, Vec<u8>)>,
    pub(crate) buf: Buffer,
}

impl Caller {
    pub(crate) fn new(at: SocketAddr, change: impl FnOnce(ClientConfig) -> ClientConfig) -> Self {
        static DRAWN: AtomicU8 = AtomicU8::new(1);
        let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
        let socket = socket();
        let local = socket.local_addr().expect("bound");
        let credential = LongTermCredential::new("user", "pass").expect("plain words");
        let config = ClientConfig::new(TurnServer::udp(at), credential)
            .with_socket(Socket::Lent(local))
            .with_recover(Duration::ZERO);
        let epoch = Epoch::start();
        let client = Client::new(epoch.now(), change(config), Seed::new([drawn; 32]));
        Self { epoch, client, socket, events: Vec::new(), heard: Vec::new(), buf: [0; 2_048] }
    }

    pub(crate) fn say(&mut self) {
        loop {
            let mut packet = Packet::empty(&mut self.buf);
            let Some(transmit) = self.client.poll_transmit(self.epoch.now(), &mut packet) else { break };
            self.socket.send_to(packet.bytes(), transmit.path.remote).expect("loopback takes it");
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
    }

    /// Until one of the events says what is wanted.
    pub(crate) fn until<T>(&mut self, wanted: impl Fn(&Self) -> Option<T>) -> T {
        for _ in 0..TRIES {
            self.say();
            if let Some(found) = wanted(self) {
                return found;
            }
            let local = self.socket.local_addr().expect("bound");
            match self.socket.recv_from(&mut self.buf[HEADROOM..]) {
                Ok((len, from)) => {
                    let packet = Packet::received(&mut self.buf, HEADROOM..HEADROOM + len).expect("room");
                    let mut input = Receive::new(Path::udp(local, from), packet);
                    let handled = self.client.handle_input(self.epoch.now(), &mut input);
                    if matches!(handled, Handled::Data(Relayed::Datagram { .. })) {
                        self.heard.push((input.path.remote, input.packet.bytes().to_vec()));
                    }
                }
                Err(_) => self.client.handle_timeout(self.epoch.now()),
            }
        }
        panic!("it never comes: {:?}", self.events);
    }

    pub(crate) fn allocated(&mut self) -> Allocated {
        self.until(|caller| {
            caller.events.iter().find_map(|event| match event {
                Event::Allocated(allocated) => Some(*allocated),
                Event::Failed { reason } => panic!("{reason:?}"),
                _ => None,
            })
        })
    }

    /// Data to a peer through the relay and back again.
    pub(crate) fn talk(&mut self, peer: &UdpSocket, word: &[u8]) {
        let to = peer.local_addr().expect("bound");
        let mut packet = Packet::empty(&mut self.buf);
        packet.append(word).expect("room");
        let transmit = self.client.send(self.epoch.now(), to, &mut packet).expect("a channel");
        self.socket.send_to(packet.bytes(), transmit.path.remote).expect("loopback takes it");
        let mut buf = [0; 64];
        peer.set_read_timeout(Some(Duration::from_secs(20))).expect("patience");
        let (len, from) = peer.recv_from(&mut buf).expect("it comes");
        assert_eq!(&buf[..len], word);
        peer.send_to(word, from).expect("loopback takes it");
        let expected = (to, word.to_vec());
        self.until(|caller| caller.heard.contains(&expected).then_some(()));
    }
}

/// A socket that waits for a tenth of a second.
pub(crate) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("patience");
    socket
}
