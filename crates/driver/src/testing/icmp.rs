//! The tests of what ICMP says: `ginnel_driver::icmp_tests!(Tokio, block_on)`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ginnel_core::{IcmpError, Instant, Notice, Path, Port, Receive, Transmit};

use super::{
    LOCALHOST, nobody,
    node::Node,
    patiently,
    streams::{node, until},
};
use crate::{App, Config, Runtime};

/// Makes one test of each function below, for a runtime and the function that runs a future on it.
#[macro_export]
macro_rules! icmp_tests {
    ($runtime:expr, $block_on:expr) => {
        $crate::loop_tests!(@ $runtime, $block_on;
            icmp_says_that_a_port_is_closed
            icmp_costs_no_datagram_and_no_socket
            errors_without_end_starve_no_datagram
        );
    };
}

pub async fn icmp_says_that_a_port_is_closed<R: Runtime + Clone>(runtime: R) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let v4 = IcmpError::v4(3, 3, 0);
    let v6 = IcmpError::v6(1, 4, 0);
    let (any4, any6) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into());
    for (bind, host, error) in [
        (LOCALHOST, LOCALHOST, v4),
        (any4, LOCALHOST, v4),
        (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), v6),
        (any6, Ipv6Addr::LOCALHOST.into(), v6),
    ] {
        if UdpSocket::bind((host, 0)).is_err() {
            continue; // this host has no IPv6
        }
        // The system gives such a port to nobody who does not ask for it.
        let closed = SocketAddr::new(host, 1);
        let mut client = node(&runtime, Config::default(), Node::default());
        let bound = client.0.bind(bind, Port::Any).expect("a socket");
        let path = Path::udp(SocketAddr::new(host, bound.port()), closed);
        client.0.with(|node, _| node.say(path, b"anybody?"));
        until(&runtime, &mut [&mut client], |nodes| !nodes[0].1.notices.is_empty()).await;
        assert_eq!(client.1.notices, [Notice::Unreachable { path, error }]);
        assert_eq!((client.0.stats().icmp, client.0.locals().count()), (1, 1));
    }
}

pub async fn icmp_costs_no_datagram_and_no_socket<R: Runtime + Clone>(runtime: R) {
    const PINGS: usize = 300;
    let closed = nobody();
    let mut echo = node(&runtime, Config::default(), Node::echo());
    let at = echo.0.bind(LOCALHOST, Port::Any).expect("a socket");
    let mut client = node(&runtime, Config::default(), Node::default());
    let local = client.0.bind(LOCALHOST, Port::Any).expect("a socket");
    // Each that nobody takes makes the system fail a later call for it.
    for number in 0..PINGS {
        client.0.with(|node, _| {
            node.say(Path::udp(local, closed), b"nobody");
            node.say(Path::udp(local, at), &number.to_be_bytes());
        });
    }
    until(&runtime, &mut [&mut client, &mut echo], |nodes| nodes[0].1.messages.len() == PINGS).await;
    let numbers: Vec<Vec<u8>> = (0..PINGS).map(|number| number.to_be_bytes().to_vec()).collect();
    assert_eq!(client.1.bytes(), numbers);
    let stats = client.0.stats();
    assert_eq!((stats.sent, stats.send_errors), (2 * PINGS as u64, 0));
    if cfg!(target_os = "linux") {
        until(&runtime, &mut [&mut client], |nodes| nodes[0].0.stats().icmp == PINGS as u64).await;
        assert!(client.1.notices.iter().all(|notice| matches!(
            notice,
            Notice::Unreachable { path, error } if *path == Path::udp(local, closed) && error.is_hard()
        )));
    }
    assert_eq!(client.0.locals().collect::<Vec<_>>(), [local]);
}

/// Sends another datagram to nobody for each that ICMP tells of, and closes its machine when one has come.
struct Obstinate(u64);

impl App<Node> for Obstinate {
    fn event(&mut self, _: Instant, node: &mut Node, notice: Notice) {
        if let Notice::Unreachable { path, .. } = notice {
            self.0 += 1;
            node.say(path, b"anybody?");
        }
    }
    fn data(&mut self, now: Instant, node: &mut Node, (): (), _: &mut Receive<'_>) -> Option<Transmit> {
        node.close(now);
        None
    }
}

pub async fn errors_without_end_starve_no_datagram<R: Runtime + Clone>(runtime: R) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let closed = nobody();
    let friend = UdpSocket::bind((LOCALHOST, 0)).expect("a socket");
    let mut client = node(&runtime, Config::default(), Node::default());
    let local = client.0.bind(LOCALHOST, Port::Any).expect("a socket");
    let path = Path::udp(local, closed);
    client.0.with(|node, _| (0..64).for_each(|_| node.say(path, b"anybody?")));
    friend.send_to(b"here", local).expect("room");
    let mut app = Obstinate(0);
    patiently(&runtime, client.0.run(&mut app)).await;
    assert!(app.0 < 1_000, "{}", app.0);
}
