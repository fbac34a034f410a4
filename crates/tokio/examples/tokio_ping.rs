//! Two machines on loopback: an echo in a task of its own, and a ping whose loop stands beside a channel of commands.
//!
//! `cargo run -p ginnel-tokio --example tokio_ping`

use std::{net::Ipv4Addr, time::Duration};

use ginnel_core::{Epoch, Instant, Receive, Transmit};
use ginnel_netsim::toy::{Echo, Event, Ping};
use ginnel_tokio::{App, driver};
use tokio::sync::mpsc;

/// Prints what comes, and closes the machine after the tenth answer.
struct Printer;

impl App<Ping> for Printer {
    fn event(&mut self, now: Instant, _: &mut Ping, event: Event) {
        println!("{now}: {event:?}");
    }
    fn data(
        &mut self,
        now: Instant,
        ping: &mut Ping,
        number: u32,
        input: &mut Receive<'_>,
    ) -> Option<Transmit> {
        println!("{now}: answer {number} from {}", input.path.remote);
        if number == 9 {
            ping.close(now);
        }
        None
    }
}

/// Has nothing to do.
struct Nothing;

impl App<Echo> for Nothing {
    fn event(&mut self, now: Instant, _: &mut Echo, event: Event) {
        println!("{now}: echo {event:?}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut echo = driver(Epoch::start(), Echo::anywhere(Ipv4Addr::LOCALHOST));
    echo.with(|_, _| ()); // settles, and so opens the socket
    let target = echo.machine().local().expect("an open socket");
    tokio::spawn(async move { echo.run(&mut Nothing).await });

    // Commands come from elsewhere in the program.
    let (commands, mut more) = mpsc::channel(4);
    tokio::spawn(async move {
        for _ in 0..2 {
            let _ = commands.send(5).await;
        }
    });

    let ping = Ping::new(Ipv4Addr::LOCALHOST, target, 0, Duration::from_millis(100));
    let mut ping = driver(Epoch::start(), ping);
    let mut printer = Printer;
    loop {
        tokio::select! {
            () = ping.run(&mut printer) => break,
            Some(count) = more.recv() => ping.with(|ping, now| ping.ping(now, count)),
        }
    }
    println!("{:?}", ping.stats());
}
