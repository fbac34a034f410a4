//! A TURN client by hand: it says what it is told to, right or wrong, and nothing by itself. For what our client would never
//! send.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use ginnel_core::{NoRoom, Packet};
use ginnel_stun::{
    Class, IntegrityKey, Message, MessageWriter, Method, TransactionId,
    attribute::{
        Attribute, ChannelNumber, Data, ErrorCode, Lifetime, Nonce, Realm, RequestedTransport, Username,
        XorPeerAddress, XorRelayedAddress,
    },
};

use crate::Namespace;

/// Who has a socket, a name, a password, and what the server has challenged it with.
#[derive(Debug)]
pub struct Hand {
    wire: Wire,
    user: String,
    password: String,
    realm: String,
    nonce: Vec<u8>,
    next: u64,
}

#[derive(Debug)]
enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// What the server has said to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its ERROR-CODE; `None` is success.
    pub error: Option<u16>,
    /// All of it.
    pub octets: Vec<u8>,
}

impl Answer {
    fn read(octets: Vec<u8>) -> Self {
        let message = Message::parse(&octets).expect("an answer is STUN");
        let error = message.get::<ErrorCode<'_>>().expect("it can be read").map(|it| it.code());
        Self { error, octets }
    }

    /// An attribute of it.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn get<'a, A: Attribute<'a>>(&'a self) -> Option<A> {
        Message::parse(&self.octets).expect("STUN").get().expect("an attribute that can be read")
    }

    /// The relayed address.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn relayed(&self) -> SocketAddr {
        self.get::<XorRelayedAddress>().unwrap_or_else(|| panic!("no relayed address: {:?}", self.error)).0
    }
}

/// How long an answer may take on a machine that is busy; and a datagram until it is sent again.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_secs(2);

impl Hand {
    /// Over UDP, from this address.
    ///
    /// # Panics
    /// If there is no socket.
    #[must_use]
    pub fn udp(namespace: &Namespace, local: IpAddr, server: SocketAddr) -> Self {
        Self::with(namespace.enter(|| {
            let socket = UdpSocket::bind((local, 0)).expect("a socket");
            socket.connect(server).expect("a way to the server");
            Wire::Udp(socket)
        }))
    }

    /// Over TCP.
    ///
    /// # Panics
    /// If the server does not accept.
    #[must_use]
    pub fn tcp(namespace: &Namespace, server: SocketAddr) -> Self {
        Self::with(namespace.enter(|| {
            let stream = TcpStream::connect(server).expect("the server accepts");
            stream.set_nodelay(true).expect("pieces leave as they are");
            Wire::Tcp(stream)
        }))
    }

    fn with(wire: Wire) -> Self {
        let mut made = Self {
            wire,
            user: String::new(),
            password: String::new(),
            realm: String::new(),
            nonce: Vec::new(),
            next: 1,
        };
        made.be("user", "pass");
        made
    }

    /// As this user from now on.
    pub fn be(&mut self, user: &str, password: &str) {
        (self.user, self.password) = (user.to_string(), password.to_string());
    }

    /// With this nonce from now on.
    pub fn set_nonce(&mut self, nonce: &[u8]) {
        self.nonce = nonce.to_vec();
    }

    /// The nonce that it was given last.
    #[must_use]
    pub fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// Where it is.
    ///
    /// # Panics
    /// If the socket is gone.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        match &self.wire {
            Wire::Udp(socket) => socket.local_addr(),
            Wire::Tcp(stream) => stream.local_addr(),
        }
        .expect("an address")
    }

    fn next_id(&mut self) -> TransactionId {
        let mut id = [0x7E; 12];
        id[..8].copy_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        TransactionId::new(id)
    }

    /// A message without credentials, as octets.
    ///
    /// # Panics
    /// If it does not fit.
    #[must_use]
    pub fn message(
        &mut self,
        class: Class,
        method: Method,
        write: impl for<'p, 'b> FnOnce(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>,
    ) -> Vec<u8> {
        let id = self.next_id();
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        let open = MessageWriter::new(&mut packet, class, method, id).expect("room");
        write(open).expect("room").finish();
        packet.bytes().to_vec()
    }

    /// A Binding request, as octets.
    #[must_use]
    pub fn binding(&mut self) -> Vec<u8> {
        self.message(Class::Request, Method::BINDING, |open| Ok(open))
    }

    /// A request with the credentials that there are, as octets.
    ///
    /// # Panics
    /// If it does not fit.
    #[must_use]
    pub fn request(
        &mut self,
        method: Method,
        write: impl for<'p, 'b> FnOnce(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>,
    ) -> Vec<u8> {
        if self.nonce.is_empty() {
            return self.message(Class::Request, method, write);
        }
        let id = self.next_id();
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        let open = MessageWriter::new(&mut packet, Class::Request, method, id).expect("room");
        let open = write(open).expect("room");
        let key = IntegrityKey::long_term(&self.user, &self.realm, &self.password).expect("plain words");
        open.attribute(&Username::new(&self.user).expect("a short name"))
            .and_then(|open| open.attribute(&Realm::new(&self.realm).expect("a short realm")))
            .and_then(|open| open.attribute(&Nonce::new(&self.nonce).expect("a short nonce")))
            .and_then(|open| open.integrity(&key))
            .expect("room")
            .finish();
        packet.bytes().to_vec()
    }

    /// Asks, and hears the answer; where that is a challenge (401 without credentials, 438) asks again as it wants.
    ///
    /// # Panics
    /// If there is none.
    pub fn ask(
        &mut self,
        method: Method,
        write: impl for<'p, 'b> Fn(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>,
    ) -> Answer {
        loop {
            let challenged = !self.nonce.is_empty();
            let request = self.request(method, &write);
            let answer = self.exchange(&request);
            if !(answer.error == Some(438) || answer.error == Some(401) && !challenged) {
                return answer;
            }
            self.heed(&answer);
        }
    }

    /// Takes the realm and the nonce of a challenge.
    ///
    /// # Panics
    /// If it has none.
    pub fn heed(&mut self, challenge: &Answer) {
        self.realm = challenge.get::<Realm<'_>>().expect("a realm").as_str().to_string();
        self.nonce = challenge.get::<Nonce<'_>>().expect("a nonce").octets().to_vec();
    }

    /// Says a request, and hears its answer; whatever else comes before that is gone.
    ///
    /// # Panics
    /// If it is not answered.
    pub fn exchange(&mut self, request: &[u8]) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            // Over TCP nothing is lost, and what is late comes.
            self.say(request);
            let wait = if matches!(self.wire, Wire::Udp(_)) { AGAIN } else { PATIENCE };
            let again = Instant::now() + wait;
            while let Some(heard) = self.hear_until(again) {
                if heard.len() >= 20 && heard[4..20] == request[4..20] {
                    return Answer::read(heard);
                }
            }
        }
        panic!("no answer to {request:02x?}");
    }

    /// Says the rest of a request, and hears the answer to the whole of it.
    ///
    /// # Panics
    /// If it is not answered.
    pub fn exchange_rest(&mut self, rest: &[u8], request: &[u8]) -> Answer {
        self.say(rest);
        let until = Instant::now() + PATIENCE;
        while let Some(heard) = self.hear_until(until) {
            if heard.len() >= 20 && heard[4..20] == request[4..20] {
                return Answer::read(heard);
            }
        }
        panic!("no answer to {request:02x?}");
    }

    /// An allocation over UDP.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn allocate(&mut self) -> Answer {
        self.ask(Method::ALLOCATE, |open| open.attribute(&RequestedTransport::UDP))
    }

    /// Its lifetime; 0 ends it.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn refresh(&mut self, seconds: u32) -> Answer {
        self.ask(Method::REFRESH, move |open| open.attribute(&Lifetime(seconds)))
    }

    /// CreatePermission.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn permit(&mut self, peer: SocketAddr) -> Answer {
        self.ask(Method::CREATE_PERMISSION, move |open| open.attribute(&XorPeerAddress(peer)))
    }

    /// ChannelBind.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn bind(&mut self, channel: u16, peer: SocketAddr) -> Answer {
        self.ask(Method::CHANNEL_BIND, move |open| {
            open.attribute(&ChannelNumber(channel))?.attribute(&XorPeerAddress(peer))
        })
    }

    /// Connect (RFC 6062).
    ///
    /// # Panics
    /// If there is no answer.
    pub fn connect(&mut self, peer: SocketAddr) -> Answer {
        self.ask(Method::CONNECT, move |open| open.attribute(&XorPeerAddress(peer)))
    }

    /// A Send indication.
    pub fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let indication = self.message(Class::Indication, Method::SEND, |open| {
            open.attribute(&XorPeerAddress(peer))?.attribute(&Data(data))
        });
        self.say(&indication);
    }

    /// These octets as they are.
    ///
    /// # Panics
    /// If they do not leave.
    pub fn say(&mut self, octets: &[u8]) {
        match &mut self.wire {
            Wire::Udp(socket) => drop(socket.send(octets).expect("it leaves")),
            Wire::Tcp(stream) => stream.write_all(octets).expect("it leaves"),
        }
    }

    /// The next message, if one comes within `wait`. A stream that has ended brings none.
    #[must_use]
    pub fn hear(&mut self, wait: Duration) -> Option<Vec<u8>> {
        self.hear_until(Instant::now() + wait)
    }

    /// What a peer has sent, by whichever way, if it comes in time: of ChannelData and Data indications the data.
    #[must_use]
    pub fn hear_data(&mut self, wait: Duration) -> Option<Vec<u8>> {
        let until = Instant::now() + wait;
        while let Some(heard) = self.hear_until(until) {
            if heard.first().is_some_and(|first| first & 0xC0 == 0x40) {
                let length = usize::from(u16::from_be_bytes([heard[2], heard[3]]));
                return Some(heard[4..4 + length].to_vec());
            }
            let message = Message::parse(&heard).expect("STUN");
            if message.method() == Method::DATA {
                return message.get::<Data<'_>>().expect("it can be read").map(|data| data.0.to_vec());
            }
        }
        None
    }

    fn hear_until(&mut self, until: Instant) -> Option<Vec<u8>> {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match &mut self.wire {
            Wire::Udp(socket) => {
                socket.set_read_timeout(Some(left)).expect("a limit");
                let mut octets = vec![0; 65_536];
                let length = socket.recv(&mut octets).ok()?;
                octets.truncate(length);
                Some(octets)
            }
            Wire::Tcp(stream) => {
                stream.set_read_timeout(Some(left)).expect("a limit");
                let mut octets = vec![0; 4];
                stream.read_exact(&mut octets).ok()?;
                let length = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
                // RFC 8656 section 12.5: over streams ChannelData is padded.
                let rest = if octets[0] & 0xC0 == 0 { 16 + length } else { length.next_multiple_of(4) };
                octets.resize(4 + rest, 0);
                stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
                stream.read_exact(&mut octets[4..]).ok()?;
                Some(octets)
            }
        }
    }

    /// Whether the server ends the stream in this time; what comes until then is gone.
    ///
    /// # Panics
    /// Over UDP, which has no end.
    #[must_use]
    pub fn is_ended(&mut self, wait: Duration) -> bool {
        let Wire::Tcp(stream) = &mut self.wire else { panic!("a datagram socket has no end") };
        stream.set_read_timeout(Some(wait)).expect("a limit");
        let mut octets = [0; 4096];
        loop {
            match stream.read(&mut octets) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(why) => return why.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

/// ChannelData as it is on the wire over UDP (RFC 8656 section 12.4).
#[must_use]
pub fn channel_data(channel: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a datagram");
    [&channel.to_be_bytes()[..], &length.to_be_bytes(), data].concat()
}
