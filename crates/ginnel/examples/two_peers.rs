//! Two peers in one process, over real sockets on loopback: a data channel, a question, an answer.
//!
//! `cargo run -p ginnel --example two_peers`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, net::Ipv4Addr};

use ginnel::{
    core::{Epoch, Instant},
    peer::{ChannelConfig, Event, Opener, Peer, PeerConfig},
    tokio::{App, Driver, driver},
};

/// Asks once the channel is open, and hangs up when it has its answer.
struct Alice;

impl App<Peer> for Alice {
    fn event(&mut self, now: Instant, alice: &mut Peer, event: Event) {
        match event {
            Event::ChannelOpened { channel, opener: Opener::Local, .. } => {
                alice.send_text(now, channel, "is anybody there?").expect("the channel is open");
            }
            Event::Message { data, .. } => {
                println!("bob says: {}", String::from_utf8_lossy(&data));
                alice.close(now);
            }
            _ => {}
        }
    }
}

/// Answers whatever is asked.
struct Bob;

impl App<Peer> for Bob {
    fn event(&mut self, now: Instant, bob: &mut Peer, event: Event) {
        if let Event::Message { channel, data, .. } = event {
            println!("alice says: {}", String::from_utf8_lossy(&data));
            bob.send_text(now, channel, "just us").expect("there is room for an answer");
        }
    }
}

/// A peer on a socket of its own.
fn peer() -> Result<Driver<Peer>, Box<dyn Error>> {
    let epoch = Epoch::start();
    let config = PeerConfig::generate(epoch)?.with_loopback(true);
    let mut peer = driver(epoch, Peer::new(config, ginnel::random_seed()?));
    peer.with(|peer, now| peer.gather(now, [Ipv4Addr::LOCALHOST.into()]));
    Ok(peer)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut alice, mut bob) = (peer()?, peer()?);
    alice.with(|alice, now| alice.open_channel(now, ChannelConfig::new("chat")))?;

    // Signalling: how these two strings get from one to the other is up to you.
    let offer = alice.with(|alice, now| alice.offer(now))?;
    let answer = bob.with(|bob, now| bob.accept_offer(now, &offer))?;
    alice.with(|alice, now| alice.accept_answer(now, &answer))?;

    let (asking, answering) = (&mut Alice, &mut Bob);
    tokio::join!(alice.run(asking), bob.run(answering));
    Ok(())
}
