//! The peer that the load goes to and comes back from, where no other is named: a socket that sends back what comes.

use std::{
    net::{IpAddr, SocketAddr},
    thread,
};

use ginnel::{
    core::{Epoch, Handled, Instant, Machine, Packet, Port, Receive, Transmit, Wake},
    driver::{App, Driver},
    tokio::Tokio,
};

/// Sends back what comes, for as long as the process lives.
struct Echo;

impl Echo {
    #[allow(clippy::unused_self, reason = "a verb of every machine")]
    fn handle_input(&mut self, _now: Instant, input: &mut Receive<'_>) -> Handled {
        Handled::Send(Transmit::to(input.path))
    }
    fn handle_timeout(&mut self, _now: Instant) {}
    fn poll_transmit(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
    fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    fn close(&mut self, _now: Instant) {}
    fn is_closed(&self) -> bool {
        false
    }
}
ginnel::core::machine!(impl [] Echo { Event = (); Data = (); });

struct Nothing;

impl<M: Machine> App<M> for Nothing {
    fn event(&mut self, _now: Instant, _machine: &mut M, _event: M::Event) {}
}

/// Starts one in a thread of its own, on any port of this address. It ends with the process.
pub(super) fn start(ip: IpAddr) -> Result<SocketAddr, String> {
    let runtime = super::worker::runtime()?;
    let mut driver = {
        let _inside = runtime.enter();
        Driver::new(Tokio, Epoch::start(), Echo)
    };
    let at = driver.bind(ip, Port::Any).map_err(|why| {
        format!("the echo that the load goes to cannot be at {ip}: {why}; --peer names another")
    })?;
    thread::Builder::new()
        .name("echo".to_string())
        .spawn(move || runtime.block_on(driver.run(&mut Nothing)))
        .map_err(|error| format!("no thread can be started: {error}"))?;
    Ok(at)
}
