//! A STUN server over UDP and TCP.
//!
//! ```text
//! cargo run -p ginnel-stun --example server -- 192.0.2.1:3478
//! cargo run -p ginnel-stun --example server -- 192.0.2.1:3478 192.0.2.2:3479
//! cargo run -p ginnel-stun --example server -- 192.0.2.1:3478 --realm example.org --user NAME:PASSWORD
//! ```
//!
//! With a second IP address and a second port it is one for NAT behaviour discovery too (RFC 5780), and listens on each
//! address with each port. With users it answers nobody else.
//!
//! The machine waits for nothing here, so threads that share it behind a mutex, and block on one socket each, are driver
//! enough.

use std::{
    error::Error,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use ginnel_core::{
    Epoch, FrameReader, Framing, HEADROOM, Handled, Packet, Path, Receive, Seed, Transmit, Transport,
};
use ginnel_stun::{
    BindingServer, DiscoveryAddresses, DiscoverySupport, ServerConfig,
    auth::{AuthConfig, User},
};

/// Streams at once.
const MAX_STREAMS: usize = 100;
/// How long a stream may be silent.
const IDLE: Duration = Duration::from_secs(60);
/// How often a port is asked for that is free in UDP and in TCP.
const PORT_ATTEMPTS: u32 = 100;

const USAGE: &str = "usage: server ADDRESS:PORT [ADDRESS:PORT] [--realm REALM --user NAME:PASSWORD ...]";

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    let sockets = options.listen.iter().map(|at| bind(*at)).collect::<io::Result<Vec<_>>>()?;
    let (udp, tcp): (Vec<_>, Vec<_>) = sockets.into_iter().unzip();
    let listen = udp.iter().map(UdpSocket::local_addr).collect::<Result<Vec<_>, _>>()?;
    let machine = options.machine()?;
    let (clock, streams) = (Epoch::start(), AtomicUsize::new(0));
    let service = Service { machine: Mutex::new(machine), clock, sockets: udp, streams };
    thread::scope(|scope| {
        for socket in &service.sockets {
            scope.spawn(|| service.datagrams(socket));
        }
        for listener in &tcp {
            scope.spawn(|| service.accept(scope, listener));
        }
        let listen: Vec<_> = listen.iter().map(SocketAddr::to_string).collect();
        println!("STUN over UDP and TCP on {}", listen.join(", "));
    });
    Ok(())
}

/// Both sockets of an address. With port 0 any port that is free for both: the one that UDP was given may be taken in TCP.
fn bind(at: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempts = if at.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let udp = UdpSocket::bind(at)?;
        match TcpListener::bind(udp.local_addr()?) {
            Err(taken) if taken.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            tcp => return Ok((udp, tcp?)),
        }
    }
}

/// What the command line asks for.
#[derive(Default)]
struct Options {
    listen: Vec<SocketAddr>,
    discovery: DiscoverySupport,
    realm: Option<String>,
    users: Vec<(String, String)>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--realm" => options.realm = Some(words.next().ok_or(USAGE)?),
                "--user" => {
                    let user = words.next().ok_or(USAGE)?;
                    let (name, password) = user.split_once(':').ok_or(USAGE)?;
                    options.users.push((name.to_string(), password.to_string()));
                }
                address => options.listen.push(address.parse().map_err(|_| USAGE)?),
            }
        }
        match options.listen[..] {
            [_] => {}
            [primary, alternate] => {
                let addresses = DiscoveryAddresses::new(primary, alternate)?;
                options.listen = addresses.all().to_vec();
                options.discovery = DiscoverySupport::TwoAddresses(addresses);
            }
            _ => return Err(USAGE.into()),
        }
        if options.realm.is_some() == options.users.is_empty() {
            return Err(USAGE.into());
        }
        Ok(options)
    }

    fn machine(&self) -> Result<BindingServer, Box<dyn Error>> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let config = ServerConfig::default().with_discovery(self.discovery);
        let Some(realm) = &self.realm else {
            return Ok(BindingServer::new(config.with_rfc3489(true), Seed::new(seed)));
        };
        let config = config.with_credentials(Some(AuthConfig::long_term(realm)?));
        let mut machine = BindingServer::new(config, Seed::new(seed));
        for (name, password) in &self.users {
            machine.add_user(User::long_term(name, realm, password)?)?;
        }
        Ok(machine)
    }
}

/// What the threads share.
struct Service {
    machine: Mutex<BindingServer>,
    clock: Epoch,
    sockets: Vec<UdpSocket>,
    streams: AtomicUsize,
}

impl Service {
    /// The answer, if there is one, over what was received.
    fn answer(&self, input: &mut Receive<'_>) -> Option<Transmit> {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        match machine.handle_input(self.clock.now(), input) {
            Handled::Send(transmit) => Some(transmit),
            _ => None,
        }
    }

    fn datagrams(&self, socket: &UdpSocket) {
        let Ok(local) = socket.local_addr() else { return };
        let mut buffer = [0; 2048];
        loop {
            // An error is what ICMP says of an earlier answer: its client has gone.
            let Ok((len, remote)) = socket.recv_from(&mut buffer[HEADROOM..]) else { continue };
            let Some(packet) = Packet::received(&mut buffer, HEADROOM..HEADROOM + len) else { continue };
            let mut input = Receive::new(Path::udp(local, remote), packet);
            if let Some(Transmit { path, .. }) = self.answer(&mut input) {
                // From where the machine says: CHANGE-REQUEST asks for another socket than the one that was asked.
                let is_it = |socket: &&UdpSocket| socket.local_addr().is_ok_and(|at| at == path.local);
                if let Some(socket) = self.sockets.iter().find(is_it) {
                    let _ = socket.send_to(input.packet.bytes(), path.remote);
                }
            }
        }
    }

    fn accept<'s>(&'s self, scope: &'s thread::Scope<'s, '_>, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            if self.streams.fetch_add(1, Ordering::Relaxed) < MAX_STREAMS {
                scope.spawn(|| {
                    // However it ends: its client has what it asked for, or gives up.
                    let _ = self.stream(stream);
                    self.streams.fetch_sub(1, Ordering::Relaxed);
                });
            } else {
                self.streams.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Serves one stream until its end, or until what comes is no STUN.
    fn stream(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(IDLE))?;
        let path = Path::new(Transport::Tcp, stream.local_addr()?, stream.peer_addr()?);
        let (mut collected, mut buffer) = ([0; 1500], [0; 2048]);
        let mut reader = FrameReader::new(Framing::Stun, &mut collected);
        loop {
            while !reader.has_message().map_err(io::Error::other)? {
                match stream.read(reader.space())? {
                    0 => return Ok(()),
                    n => reader.filled(n),
                }
            }
            let mut packet = Packet::empty(&mut buffer);
            packet.write(reader.take()).map_err(io::Error::other)?;
            let mut input = Receive::new(path, packet);
            if self.answer(&mut input).is_some() {
                stream.write_all(input.packet.bytes())?;
            }
        }
    }
}
