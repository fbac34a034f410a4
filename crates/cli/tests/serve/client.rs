//! A client that blocks: the machine of the STUN crate over one socket.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    time::Duration,
};

use ginnel::{
    core::{Buffer, Epoch, HEADROOM, Handled, Instant, NoRoom, Packet, Path, Receive, Seed},
    stun::{
        Class, LongTermCredential, Message, MessageWriter, Method, TransactionId,
        attribute::{
            AddressFamily, AlternateServer, AttributeType, ChannelNumber, Data, Lifetime,
            RequestedAddressFamily, RequestedTransport, XorMappedAddress, XorPeerAddress, XorRelayedAddress,
        },
        client::{self, Client as Machine, ClientConfig, Event, FailureReason},
    },
};

use crate::program::PATIENCE;

/// A Binding request as octets.
pub(crate) fn binding() -> Vec<u8> {
    let mut buffer: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    let id = TransactionId::new([9; 12]);
    MessageWriter::new(&mut packet, Class::Request, Method::BINDING, id).unwrap().finish();
    packet.bytes().to_vec()
}

/// An Allocate request of nobody.
pub(crate) fn stranger() -> Vec<u8> {
    let mut buffer: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    let id = TransactionId::new([8; 12]);
    let open = MessageWriter::new(&mut packet, Class::Request, Method::ALLOCATE, id).unwrap();
    open.attribute(&RequestedTransport::UDP).unwrap().finish();
    packet.bytes().to_vec()
}

/// What an answer says of where its request came from.
pub(crate) fn mapped(answer: &[u8]) -> SocketAddr {
    let message = Message::parse(answer).expect("STUN");
    message.get::<XorMappedAddress>().unwrap().expect("XOR-MAPPED-ADDRESS").0
}

/// Asks over UDP whence it is seen.
pub(crate) fn mapped_over_udp(server: SocketAddr) -> SocketAddr {
    let socket = UdpSocket::bind((server.ip(), 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&binding(), server).unwrap();
    let mut buffer = [0; 2048];
    let n = socket.recv(&mut buffer).unwrap();
    let seen = mapped(&buffer[..n]);
    assert_eq!(seen, socket.local_addr().unwrap());
    seen
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) error: Option<u16>,
    pub(crate) relayed: Option<SocketAddr>,
}

pub(crate) type Outcome = Result<Answered, FailureReason>;

/// One five-tuple, and who speaks over it.
pub(crate) struct Client {
    socket: UdpSocket,
    machine: Machine,
    clock: Epoch,
    credential: LongTermCredential,
    server: SocketAddr,
    /// Where a server wants it to go. Nobody follows to loopback, but for a test that is there itself.
    pub(crate) alternate: Option<SocketAddr>,
}

impl Client {
    pub(crate) fn new(server: SocketAddr, user: &str, password: &str) -> Self {
        let socket = UdpSocket::bind((server.ip(), 0)).unwrap();
        let clock = Epoch::start();
        // A busy machine answers late, and tests count what was asked: nothing is asked twice within their patience.
        let config = ClientConfig::default().with_schedule(PATIENCE, 1, 1).with_learn_rto(false);
        let machine = Machine::new(config, Seed::new([7; 32]));
        Self {
            socket,
            machine,
            clock,
            credential: LongTermCredential::new(user, password).unwrap(),
            server,
            alternate: None,
        }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }
    pub(crate) fn allocate(&mut self) -> Outcome {
        self.ask(Method::ALLOCATE, |open| open.attribute(&RequestedTransport::UDP))
    }
    pub(crate) fn allocate_v6(&mut self) -> Outcome {
        self.ask(Method::ALLOCATE, |open| {
            let open = open.attribute(&RequestedTransport::UDP)?;
            open.attribute(&RequestedAddressFamily(AddressFamily::Ipv6))
        })
    }

    pub(crate) fn bind_channel(&mut self, channel: u16, peer: SocketAddr) -> Outcome {
        self.ask(Method::CHANNEL_BIND, move |open| {
            open.attribute(&ChannelNumber(channel))?.attribute(&XorPeerAddress(peer))
        })
    }

    /// A Send indication: nobody answers.
    pub(crate) fn indicate(&self, peer: SocketAddr, data: &[u8]) {
        let mut buffer: Buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        let id = TransactionId::new([7; 12]);
        let open = MessageWriter::new(&mut packet, Class::Indication, Method::SEND, id).unwrap();
        open.attribute(&XorPeerAddress(peer)).unwrap().attribute(&Data(data)).unwrap().finish();
        self.socket.send_to(packet.bytes(), self.server).unwrap();
    }

    /// Of zero seconds: the end of the allocation.
    pub(crate) fn refresh(&mut self, seconds: u32) -> Outcome {
        self.ask(Method::REFRESH, move |open| open.attribute(&Lifetime(seconds)))
    }

    /// Asks that this peer may be reached.
    pub(crate) fn permit(&mut self, peer: IpAddr) -> Outcome {
        self.ask(Method::CREATE_PERMISSION, move |open| {
            open.attribute(&XorPeerAddress(SocketAddr::new(peer, 0)))
        })
    }

    fn ask(
        &mut self,
        method: Method,
        write: impl for<'p, 'b> Fn(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>
        + Send
        + Sync
        + 'static,
    ) -> Outcome {
        let request = client::Request::new(method).with_credential(self.credential.clone()).with_known(KNOWN);
        let path = Path::udp(self.socket.local_addr().unwrap(), self.server);
        self.machine.request(self.clock.now(), path, request, write).unwrap();
        let deadline = self.clock.now() + PATIENCE;
        loop {
            let now = self.clock.now();
            assert!(now < deadline, "{method:?} is not answered");
            self.send(now);
            match self.machine.poll_event() {
                None => {}
                Some(Event::Failed { reason, .. }) => return Err(reason),
                Some(event) => panic!("{event:?}"),
            }
            if let Some(answered) = self.receive() {
                return Ok(answered);
            }
        }
    }

    fn send(&mut self, now: Instant) {
        if self.machine.poll_timeout().is_some_and(|wake| wake.at <= now) {
            self.machine.handle_timeout(now);
        }
        let mut buffer: Buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        while let Some(transmit) = self.machine.poll_transmit(now, &mut packet) {
            self.socket.send_to(packet.bytes(), transmit.path.remote).unwrap();
            packet = Packet::empty(&mut buffer);
        }
    }

    fn receive(&mut self) -> Option<Answered> {
        let wait =
            self.machine.poll_timeout().map_or(PATIENCE, |wake| wake.at.saturating_since(self.clock.now()));
        self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1)))).unwrap();
        let mut buffer: Buffer = [0; 2048];
        let mut octets = [0; 1280];
        let (n, from) = self.socket.recv_from(&mut octets).ok()?;
        let alternate = Message::parse(&octets[..n]).ok()?.get::<AlternateServer>().unwrap();
        self.alternate = self.alternate.or(alternate.map(|it| it.0));
        buffer[HEADROOM..HEADROOM + n].copy_from_slice(&octets[..n]);
        let packet = Packet::received(&mut buffer, HEADROOM..HEADROOM + n).unwrap();
        let path = Path::udp(self.socket.local_addr().unwrap(), from);
        let mut input = Receive::new(path, packet);
        match self.machine.handle_input(self.clock.now(), &mut input) {
            Handled::Data(response) => {
                let message = Message::parse(input.packet.bytes()).unwrap();
                let relayed = message.get::<XorRelayedAddress>().unwrap().map(|it| it.0);
                Some(Answered { error: response.error, relayed })
            }
            _ => None,
        }
    }
}

/// What answers hold that must be understood.
const KNOWN: &[AttributeType] = &[
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::LIFETIME,
    AttributeType::ERROR_CODE,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::ALTERNATE_SERVER,
];
