//! Finds out what NATs and firewalls stand between here and a server (RFC 5780), and what that means for connecting:
//! `cargo run -p ginnel-stun --example nat_behaviour -- SERVER[:PORT] [--fragments MTU] [--lifetime]`.

use std::{
    error::Error,
    io::ErrorKind,
    net::{SocketAddr, ToSocketAddrs as _, UdpSocket},
    process::ExitCode,
    time::Duration,
};

use ginnel_core::{
    Epoch, HEADROOM, Io, Notice, Packet, Path, Port, Receive, Refused, Request, Seed, Transmit, receive,
    settle,
};
use ginnel_stun::behavior::{Discovery, DiscoveryConfig, Event, LifetimeSearch};

const USAGE: &str = "usage: nat_behaviour SERVER[:PORT] [--fragments MTU] [--lifetime]

SERVER must have two addresses (RFC 5780); the default port is 3478.
  --fragments MTU  tests whether datagrams longer than the MTU of this interface arrive
  --lifetime       searches how long a path stays open without traffic: this takes many minutes";

fn main() -> ExitCode {
    match discover(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nat_behaviour: {error}");
            ExitCode::FAILURE
        }
    }
}

fn discover(mut args: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let server = args.next().ok_or(USAGE)?;
    if server == "--help" || server == "-h" {
        println!("{USAGE}");
        return Ok(());
    }
    let server = resolve(&server)?;
    // Connecting sends nothing: it asks the host which of its addresses leads there.
    let probe = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    probe.connect(server)?;
    let mut config = DiscoveryConfig::new(server, probe.local_addr()?.ip());
    while let Some(option) = args.next() {
        config = match option.as_str() {
            "--fragments" => {
                config.with_fragments(args.next().and_then(|mtu| mtu.parse().ok()).ok_or(USAGE)?)
            }
            "--lifetime" => config.with_lifetime(LifetimeSearch::default()),
            _ => return Err(USAGE.into()),
        };
    }
    let (mut seed, clock) = ([0; 32], Epoch::start());
    getrandom::fill(&mut seed)?;
    let mut discovery = Discovery::new(clock.now(), config, Seed::new(seed))?;
    println!("asking {server} from {}: some seconds", probe.local_addr()?.ip());
    let (mut sockets, mut buffer) = (Sockets::default(), [0; 2048]);
    while let Some(wake) = settle(&mut discovery, clock.now(), &mut buffer, &mut sockets) {
        // One after the other, each for a moment: two sockets need no threads.
        let wait = wake.at.saturating_since(clock.now()).clamp(Duration::from_millis(1), MOMENT);
        for index in 0..sockets.0.len() {
            let Some((path, len)) = sockets.receive(index, wait, &mut buffer[HEADROOM..])? else { continue };
            let Some(packet) = Packet::received(&mut buffer, HEADROOM..HEADROOM + len) else { continue };
            receive(&mut discovery, clock.now(), &mut Receive::new(path, packet), &mut sockets);
        }
    }
    println!("\n{}", discovery.verdict());
    Ok(())
}

/// How long one socket is listened to while the other waits.
const MOMENT: Duration = Duration::from_millis(2);

fn resolve(server: &str) -> Result<SocketAddr, Box<dyn Error>> {
    let found = server.to_socket_addrs().or_else(|_| (server, 3478).to_socket_addrs());
    let found = found.map_err(|error| format!("{server}: {error}\n\n{USAGE}"))?.next();
    Ok(found.ok_or_else(|| format!("{server} has no address"))?)
}

/// The driver's half: the sockets that were asked for.
#[derive(Default)]
struct Sockets(Vec<(SocketAddr, UdpSocket)>);

impl Sockets {
    fn open(&mut self, ip: std::net::IpAddr, port: Port) -> Result<SocketAddr, Refused> {
        let port = if let Port::Exact(port) = port { port } else { 0 };
        let socket = UdpSocket::bind((ip, port)).map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => Refused::InUse,
            ErrorKind::AddrNotAvailable => Refused::Unreachable,
            _ => Refused::NotPermitted,
        })?;
        let local = socket.local_addr().map_err(|_| Refused::NotPermitted)?;
        self.0.push((local, socket));
        Ok(local)
    }
    fn receive(
        &self,
        index: usize,
        wait: Duration,
        room: &mut [u8],
    ) -> std::io::Result<Option<(Path, usize)>> {
        let Some((local, socket)) = self.0.get(index) else { return Ok(None) };
        socket.set_read_timeout(Some(wait))?;
        match socket.recv_from(room) {
            Ok((len, remote)) => Ok(Some((Path::udp(*local, remote), len))),
            // Nothing came, or ICMP says that something did not arrive: the next one may.
            Err(_) => Ok(None),
        }
    }
}

impl Io<Event> for Sockets {
    fn send(&mut self, transmit: Transmit, packet: &mut Packet<'_>) {
        if let Some((_, socket)) = self.0.iter().find(|(local, _)| *local == transmit.path.local) {
            // What cannot be sent is lost, as it could be on its way.
            let _ = socket.send_to(packet.bytes(), transmit.path.remote);
        }
    }
    fn request(&mut self, request: Request) -> Option<Notice> {
        match request {
            Request::Bind { ticket, ip, port } => {
                Some(Notice::Opened { ticket, result: self.open(ip, port) })
            }
            Request::Release { local, .. } => {
                self.0.retain(|(open, _)| *open != local);
                None
            }
            other => other.refuse(Refused::Unsupported),
        }
    }
    fn event(&mut self, event: Event) {
        match event {
            Event::Verdict(_) | Event::Closed => {}
            found => println!("{found:?}"),
        }
    }
}
