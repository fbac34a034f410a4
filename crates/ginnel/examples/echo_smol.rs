//! The same two peers under smol: one greets on a channel of its own, the other echoes.
//!
//! `cargo run -p ginnel --features smol --example echo_smol`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, net::Ipv4Addr};

use ginnel::{
    core::{Epoch, Instant},
    peer::{ChannelConfig, Event, Opener, Peer, PeerConfig},
    smol::{App, Driver, driver},
};

/// Greets, and hangs up when the greeting comes back.
struct Greeter;

impl App<Peer> for Greeter {
    fn event(&mut self, now: Instant, peer: &mut Peer, event: Event) {
        match event {
            Event::ChannelOpened { channel, opener: Opener::Local, .. } => {
                peer.send_text(now, channel, "hello, smol").expect("the channel is open");
            }
            Event::Message { data, .. } => {
                println!("back came: {}", String::from_utf8_lossy(&data));
                peer.close(now);
            }
            _ => {}
        }
    }
}

/// Sends back what comes, on the channel that it came on.
struct Echo;

impl App<Peer> for Echo {
    fn event(&mut self, now: Instant, peer: &mut Peer, event: Event) {
        if let Event::Message { channel, kind, data } = event {
            peer.send_message(now, channel, kind, &data).expect("there is room for one");
        }
    }
}

fn peer() -> Result<Driver<Peer>, Box<dyn Error>> {
    let epoch = Epoch::start();
    let config = PeerConfig::generate(epoch)?.with_loopback(true);
    let mut peer = driver(epoch, Peer::new(config, ginnel::random_seed()?));
    peer.with(|peer, now| peer.gather(now, [Ipv4Addr::LOCALHOST.into()]));
    Ok(peer)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut greeter, mut echo) = (peer()?, peer()?);
    greeter.with(|peer, now| peer.open_channel(now, ChannelConfig::new("echo")))?;
    let offer = greeter.with(Peer::offer)?;
    let answer = echo.with(|peer, now| peer.accept_offer(now, &offer))?;
    greeter.with(|peer, now| peer.accept_answer(now, &answer))?;
    smol::block_on(smol::future::zip(greeter.run(&mut Greeter), echo.run(&mut Echo)));
    Ok(())
}
