//! One client, one server, one clock: what is sent arrives at once, unless the test loses it.

use std::{net::SocketAddr, time::Duration, vec::Vec};

use ginnel_core::{
    Buffer, HEADROOM, Handled, Instant, Machine as _, Notice, Packet, Path, Receive, Refused, Request, Seed,
    Transmit, check::Checked,
};
use ginnel_stun::{LongTermCredential, Message, Method};

use crate::client::{
    Client, ClientConfig, Event, Relayed, Socket, TurnServer,
    fuzz::relay::{PASSWORD, Relay, USER},
};

pub(super) const LOCAL: &str = "198.51.100.7";
pub(super) const SERVER: &str = "192.0.2.1:3478";

pub(super) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
pub(super) fn credential() -> LongTermCredential {
    LongTermCredential::new(USER, PASSWORD).unwrap()
}
pub(super) fn config() -> ClientConfig {
    ClientConfig::new(TurnServer::udp(addr(SERVER)), credential())
        .with_socket(Socket::Own(LOCAL.parse().ok()))
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) client: Checked<Client>,
    pub(super) relay: Relay,
    pub(super) events: Vec<Event>,
    /// Requests to the driver, as they came.
    pub(super) requests: Vec<Request>,
    /// What left the client, path and octets.
    pub(super) sent: Vec<(Instant, Path, Vec<u8>)>,
    /// Payloads that came from peers.
    pub(super) data: Vec<(Path, Vec<u8>, Relayed)>,
    /// Nothing arrives.
    pub(super) cut: bool,
    /// Nothing arrives on this path: a stream whose other end has forgotten it.
    pub(super) dead: Option<Path>,
    /// What the driver says to the next requests for sockets.
    pub(super) refuse: Option<Refused>,
    next_port: u16,
    buffer: Box<Buffer>,
}
impl World {
    pub(super) fn new(config: ClientConfig) -> Self {
        Self::with(config, |_| {})
    }
    /// With a server that is told something first.
    pub(super) fn with(config: ClientConfig, tell: impl FnOnce(&mut Relay)) -> Self {
        let mut world = Self::unsettled(config);
        tell(&mut world.relay);
        world.settle();
        world
    }
    fn unsettled(config: ClientConfig) -> Self {
        let now = Instant::EPOCH;
        Self {
            now,
            client: Checked::new(Client::new(now, config, Seed::new([1; 32]))),
            relay: Relay::new(7),
            events: Vec::new(),
            requests: Vec::new(),
            sent: Vec::new(),
            data: Vec::new(),
            cut: false,
            dead: None,
            refuse: None,
            next_port: 50_000,
            buffer: Box::new([0; _]),
        }
    }
    /// With a server that nothing reaches.
    pub(super) fn dead(config: ClientConfig) -> Self {
        let mut world = Self::unsettled(config);
        world.cut = true;
        world.settle();
        world
    }
    /// With a driver that opens nothing.
    pub(super) fn refusing(config: ClientConfig, why: Refused) -> Self {
        let mut world = Self::unsettled(config);
        world.refuse = Some(why);
        world.settle();
        world
    }
    /// One that has its allocation, and no more to tell of that.
    pub(super) fn allocated(config: ClientConfig) -> Self {
        let mut world = Self::new(config);
        assert!(matches!(world.events.pop(), Some(Event::Allocated(_))), "{:?}", world.events);
        world
    }

    pub(super) fn command<R>(&mut self, command: impl FnOnce(&mut Client, Instant) -> R) -> R {
        let done = command(self.client.get_mut(), self.now);
        self.settle();
        done
    }
    pub(super) fn notice(&mut self, notice: Notice) {
        self.client.handle_notice(self.now, notice);
        self.settle();
    }
    /// Drains, delivers and answers until nothing is left at this time.
    pub(super) fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 200, "it never rests");
            let mut busy = self.exchange();
            while let Some(request) = self.client.poll_request() {
                self.requests.push(request);
                busy |= self.serve(request);
            }
            while let Some(event) = self.client.poll_event() {
                self.events.push(event);
            }
            match self.client.poll_timeout() {
                Some(wake) if wake.at <= self.now => self.client.handle_timeout(self.now),
                _ if busy => {}
                _ => return,
            }
        }
    }
    /// The driver.
    fn serve(&mut self, request: Request) -> bool {
        let Some(ticket) = request.ticket() else { return false };
        self.next_port += 1;
        let local = SocketAddr::new(LOCAL.parse().unwrap(), self.next_port);
        let result = self.refuse.map_or(Ok(local), Err);
        self.client.handle_notice(self.now, Notice::Opened { ticket, result });
        true
    }
    fn exchange(&mut self) -> bool {
        let mut buffer = std::mem::replace(&mut self.buffer, Box::new([0; _]));
        let mut any = false;
        loop {
            let mut packet = Packet::empty(&mut buffer);
            let Some(Transmit { path, .. }) = self.client.poll_transmit(self.now, &mut packet) else { break };
            any = true;
            self.sent.push((self.now, path, packet.bytes().to_vec()));
            let passes = !self.cut && self.dead != Some(path);
            if passes && self.relay.handle(self.now, path, &mut packet) {
                let mut input = Receive::new(path, packet);
                let _ = self.input(&mut input);
            }
        }
        self.buffer = buffer;
        any
    }
    pub(super) fn input(&mut self, input: &mut Receive<'_>) -> Handled<Relayed> {
        let handled = self.client.handle_input(self.now, input);
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
        if let Handled::Data(relayed) = &handled {
            self.data.push((input.path, input.packet.bytes().to_vec(), *relayed));
        }
        handled
    }
    /// Octets that come from the server.
    pub(super) fn octets(&mut self, path: Path, octets: &[u8]) -> Handled<Relayed> {
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        packet.write(octets).unwrap();
        let handled = self.input(&mut Receive::new(path, packet));
        self.settle();
        handled
    }
    /// A datagram of a peer to the relayed address.
    pub(super) fn peer_sends(&mut self, peer: &str, data: &[u8]) -> bool {
        let (mut buffer, path) = ([0; 2048], self.path());
        let mut packet = Packet::empty(&mut buffer);
        let relayed = self.relay.peer_sends(path, addr(peer), data, &mut packet);
        if relayed {
            let _ = self.input(&mut Receive::new(path, packet));
            self.settle();
        }
        relayed
    }
    /// The client's datagram to a peer, all the way to the relay.
    pub(super) fn send(&mut self, peer: &str, data: &[u8]) -> Result<(), crate::client::SendError> {
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        packet.append(data).unwrap();
        assert!(packet.has_room(HEADROOM, 0));
        let transmit = self.client.get_mut().send(self.now, addr(peer), &mut packet)?;
        self.sent.push((self.now, transmit.path, packet.bytes().to_vec()));
        if !self.cut {
            self.relay.handle(self.now, transmit.path, &mut packet);
        }
        self.settle();
        Ok(())
    }
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.client.poll_timeout().filter(|wake| wake.at <= end) {
            self.now = self.now.max(wake.at);
            self.settle();
        }
        self.now = end;
    }
    pub(super) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
    /// The path of the allocation.
    pub(super) fn path(&self) -> Path {
        self.client.get().allocated().expect("an allocation").path
    }
    /// The requests of this method that the server has authenticated.
    pub(super) fn asked(&self, method: Method) -> Vec<Vec<u8>> {
        let of = |octets: &&Vec<u8>| Message::parse(octets).unwrap().method() == method;
        self.relay.asked.iter().map(|(_, octets)| octets).filter(of).cloned().collect()
    }
}
