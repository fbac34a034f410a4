//! Asks a STUN server how it sees us: `cargo run -p ginnel-stun --example binding -- SERVER:PORT`.

use std::{error::Error, io::ErrorKind, net::*, time::Duration};

use ginnel_core::{Epoch, HEADROOM, Packet, Path, Receive, Seed};
use ginnel_stun::client::{Client, ClientConfig, Event};

fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("usage: binding SERVER:PORT")?;
    let server = server.to_socket_addrs()?.next().ok_or("that name has no address")?;
    let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    socket.connect(server)?; // Gives it an address of ours, and reports a closed port at once.
    let path = Path::udp(socket.local_addr()?, server);
    let (mut seed, mut buffer, clock) = ([0; 32], [0; 2048], Epoch::start());
    getrandom::fill(&mut seed)?;
    let mut client = Client::new(ClientConfig::default(), Seed::new(seed));
    client.binding(clock.now(), path)?;
    loop {
        client.handle_timeout(clock.now()); // Too early it does nothing.
        let mut packet = Packet::empty(&mut buffer);
        while client.poll_transmit(clock.now(), &mut packet).is_some() {
            socket.send(packet.bytes())?;
        }
        match client.poll_event() {
            Some(Event::Mapped { mapped, .. }) => break println!("{mapped}"),
            Some(Event::Failed { reason, .. }) => return Err(reason.to_string().into()),
            _ => {}
        }
        let wait = client.poll_timeout().map(|wake| wake.at.saturating_since(clock.now()));
        socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
        let received = match socket.recv(&mut buffer[HEADROOM..]) {
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            received => HEADROOM..HEADROOM + received?,
        };
        let packet = Packet::received(&mut buffer, received).ok_or("too long for the buffer")?;
        let _ = client.handle_input(clock.now(), &mut Receive::new(path, packet));
    }
    Ok(())
}
