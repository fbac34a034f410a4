//! Two machines on loopback, each in a task of smol's.
//!
//! `cargo run -p ginnel-smol --example smol_ping`

use std::{net::Ipv4Addr, time::Duration};

use ginnel_core::{Epoch, Instant, Receive, Transmit};
use ginnel_netsim::toy::{Echo, Event, Ping};
use ginnel_smol::{App, driver};

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

fn main() {
    smol::block_on(async {
        let mut echo = driver(Epoch::start(), Echo::anywhere(Ipv4Addr::LOCALHOST));
        echo.with(|_, _| ()); // settles, and so opens the socket
        let target = echo.machine().local().expect("an open socket");
        let echoing = smol::spawn(async move { echo.run(&mut Nothing).await });

        let ping = Ping::new(Ipv4Addr::LOCALHOST, target, 10, Duration::from_millis(100));
        let mut ping = driver(Epoch::start(), ping);
        ping.run(&mut Printer).await;
        println!("{:?}", ping.stats());
        drop(echoing);
    });
}
