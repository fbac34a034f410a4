//! A STUN server over UDP and TCP: `cargo run -p ginnel-stun --example server -- ADDRESS:PORT`.
//!
//! The machine keeps nothing for anybody and never waits, so threads that share it behind a mutex and block on one socket
//! each are driver enough.

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
    Epoch, Frame, Framing, HEADROOM, Handled, Packet, Path, Receive, Seed, Transmit, Transport,
};
use ginnel_stun::{BindingServer, ServerConfig};

/// Streams at once.
const MAX_STREAMS: usize = 100;
/// How long a stream may be silent.
const IDLE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let at: SocketAddr = std::env::args().nth(1).ok_or("usage: server ADDRESS:PORT")?.parse()?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let udp = UdpSocket::bind(at)?;
    let at = udp.local_addr()?;
    let tcp = TcpListener::bind(at)?;
    let service = Service {
        machine: Mutex::new(BindingServer::new(ServerConfig::default(), Seed::new(seed))),
        clock: Epoch::start(),
        sockets: vec![udp],
        streams: AtomicUsize::new(0),
    };
    println!("STUN on {at}");
    thread::scope(|scope| {
        scope.spawn(|| service.accept(scope, &tcp));
        for socket in &service.sockets {
            scope.spawn(|| service.datagrams(socket));
        }
    });
    Ok(())
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
            if let Some(transmit) = self.answer(&mut input) {
                // Which is not always the one that was asked: RFC 5780.
                let from =
                    |socket: &&UdpSocket| socket.local_addr().is_ok_and(|at| at == transmit.path.local);
                let from = self.sockets.iter().find(from).unwrap_or(socket);
                let _ = from.send_to(input.packet.bytes(), transmit.path.remote);
            }
        }
    }

    fn accept<'s>(&'s self, scope: &'s thread::Scope<'s, '_>, listener: &TcpListener) {
        for stream in listener.incoming().flatten() {
            if self.streams.fetch_add(1, Ordering::Relaxed) < MAX_STREAMS {
                scope.spawn(|| {
                    let _ = self.stream(stream);
                    self.streams.fetch_sub(1, Ordering::Relaxed);
                });
            } else {
                self.streams.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Serves one stream until its end, or until what comes is no STUN, or longer than there is a reason for.
    fn stream(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(IDLE))?;
        let path = Path::new(Transport::Tcp, stream.local_addr()?, stream.peer_addr()?);
        let (mut collected, mut buffer) = (Vec::new(), [0; 2048]);
        loop {
            let n = stream.read(&mut buffer)?;
            collected.extend_from_slice(&buffer[..n]);
            while let Frame::Whole { skip, len, total } = Framing::Stun.next(&collected) {
                let mut packet = Packet::empty(&mut buffer);
                packet.write(&collected[skip..skip + len]).map_err(io::Error::other)?;
                let mut input = Receive::new(path, packet);
                if self.answer(&mut input).is_some() {
                    stream.write_all(input.packet.bytes())?;
                }
                collected.drain(..total);
            }
            let hopeless = Framing::Stun.next(&collected) == Frame::Bad || collected.len() > buffer.len();
            if n == 0 || hopeless {
                return Ok(());
            }
        }
    }
}
