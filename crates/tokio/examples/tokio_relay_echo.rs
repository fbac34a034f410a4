//! An echo that is reached from behind any NAT: a program for a UDP socket, with one line changed.
//!
//! ```text
//! ginnel serve --user user:password --allow-peer 127.0.0.0/8
//! cargo run -p ginnel-tokio --features relay --example tokio_relay_echo -- turn:127.0.0.1 user password 127.0.0.1
//! ```
//!
//! Behind the password stand the addresses that may use the echo: a relay passes on what comes from those alone.

use std::{env::args, io};

use ginnel_tokio::{RelayConfig, RelaySocket};

#[tokio::main]
async fn main() -> io::Result<()> {
    let words: Vec<_> = args().skip(1).collect();
    let [uri, user, password, peers @ ..] = &words[..] else {
        return Err(io::Error::other("say URI USER PASSWORD PEER..."));
    };
    let relay = RelayConfig::new(uri, user, password)?;

    // It was: let socket = UdpSocket::bind("0.0.0.0:7").await?;
    let socket = RelaySocket::bind(&relay).await?;
    println!("send to {}", socket.local_addr()?);

    for peer in peers {
        socket.permit(peer.parse().map_err(io::Error::other)?).await?;
    }

    let mut buf = [0; 1500];
    loop {
        let (len, peer) = socket.recv_from(&mut buf).await?;
        println!("{len} octets of {peer}");
        socket.send_to(&buf[..len], peer).await?;
    }
}
