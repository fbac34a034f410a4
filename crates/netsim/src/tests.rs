//! The simulator, shown by its toys. What needs a machine of its own is below it.

mod contract;
mod links;
mod multicast;
mod networks;
mod sockets;
mod streams;
mod time;

use core::time::Duration;
use std::net::SocketAddr;

use crate::{
    HostId, Link, NetworkId, NodeId, Sim,
    toy::{Echo, Ping},
};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A pinger and an echo on two hosts.
struct Pair {
    sim: Sim,
    left: HostId,
    right: HostId,
    ping: NodeId<Ping>,
    echo: NodeId<Echo>,
}

/// `count` pings, one each `every`, over a link.
fn pair(seed: u64, link: Link, count: u32, every: Duration) -> Pair {
    let mut sim = Sim::new(seed);
    let (left, right) = (sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"]));
    sim.set_default_link(NetworkId::CORE, link);
    let echo = sim.add(right, Echo::new("192.0.2.2", 7));
    let ping = sim.add(left, Ping::new("192.0.2.1", addr("192.0.2.2:7"), count, every));
    Pair { sim, left, right, ping, echo }
}

/// The numbers that came back, in the order in which they came.
fn numbers(pair: &mut Pair) -> Vec<u32> {
    pair.sim.data(pair.ping).into_iter().map(|received| received.data).collect()
}
