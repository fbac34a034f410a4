//! Through the program as programs use it: a socket at the relay, over DTLS too, and what a limit of bandwidth takes from it.

use std::net::{SocketAddr, UdpSocket};

use ginnel::{
    driver::{ClientTls, RelayConfig},
    tokio::RelaySocket,
};

use crate::{
    certificate::identity,
    program::{PATIENCE, Serve, Signal, file},
};

/// Peers of these tests are where the server is.
pub(crate) const LOCAL: [&str; 8] = [
    "--user",
    "alice:hunter2",
    "--listen",
    "127.0.0.1:0",
    "--metrics",
    "127.0.0.1:0",
    "--allow-peer",
    "127.0.0.1",
];

pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    // Peers block, so what drives the relay has a thread of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("in time") })
}

fn over_dtls(trusted: &str) -> RelayConfig {
    let relay = RelayConfig::new("turns:turn.test?transport=udp", "alice", "hunter2").unwrap();
    relay.with_tls(ClientTls::from_pem(trusted.as_bytes()).unwrap())
}

pub(crate) fn peer() -> (UdpSocket, SocketAddr) {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let at = peer.local_addr().unwrap();
    (peer, at)
}

#[test]
fn packets_go_both_ways_over_dtls_and_logs_tell_nothing_of_them() {
    let made = identity();
    let (cert, key) = (file("dtls-cert.pem", &made.0), file("dtls-key.pem", &made.1));
    let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let more = ["--dtls-listen", "127.0.0.1:0", "--log", "trace"];
    let mut serve = Serve::start(&[&LOCAL[..], &files, &more].concat());
    let mapped = block_on(async {
        let relay = RelaySocket::bind_at(&over_dtls(&made.0), serve.at("dtls")).await.unwrap();
        let (peer, at) = peer();
        relay.send_to(b"ping", at).await.unwrap();
        let mut buffer = [0; 64];
        let (n, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..n], from), (&b"ping"[..], relay.local_addr().unwrap()));
        peer.send_to(b"pong", from).unwrap();
        let (n, from) = relay.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..n], from), (&b"pong"[..], at));
        let mapped = relay.mapped_addr().unwrap();
        relay.close().await;
        mapped
    });
    assert_eq!(serve.metric("ginnel_streams_opened_total{result=\"accepted\"}"), 1);
    serve.signal(Signal::SIGTERM);
    serve.wait_for("draining");
    let (status, logged) = serve.end();
    assert!(status.success() && logged.contains("allocation ended"), "{logged}");
    // A port alone may be part of a time.
    for told in ["alice", "hunter2", &mapped.to_string(), &format!(":{}", mapped.port())] {
        assert!(!logged.contains(told), "{told}: {logged}");
    }
}

/// Who has another certificate than the one that is trusted is no server of ours.
#[test]
fn a_certificate_that_nobody_trusts_is_refused_over_dtls() {
    let (made, other) = (identity(), identity());
    let (cert, key) = (file("strange-cert.pem", &made.0), file("strange-key.pem", &made.1));
    let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let serve = Serve::start(&[&LOCAL[..], &files, &["--dtls-listen", "127.0.0.1:0"]].concat());
    block_on(async {
        let relay = over_dtls(&other.0).with_recover(std::time::Duration::ZERO);
        assert!(RelaySocket::bind_at(&relay, serve.at("dtls")).await.is_err());
    });
    assert_eq!(serve.metric("ginnel_allocated_total"), 0);
}

#[test]
fn what_exceeds_the_bandwidth_is_dropped_and_counted() {
    const SENT: u64 = 200;
    let serve = Serve::start(&[&LOCAL[..], &["--bandwidth", "2000"]].concat());
    let relay = RelayConfig::new("turn:turn.test", "alice", "hunter2").unwrap();
    block_on(async {
        let relay = RelaySocket::bind_at(&relay, serve.at("udp")).await.unwrap();
        let (_peer, at) = peer();
        for _ in 0..SENT {
            relay.send_to(&[0; 1000], at).await.unwrap();
        }
        // Of 200,000 octets in far less than a minute: 65,535 at once, and 2,000 a second.
        let dropped = || serve.metric("ginnel_relay_drops_total{reason=\"over_bandwidth\"}");
        while dropped() == 0 {
            tokio::task::yield_now().await;
        }
        let relayed = serve.metric("ginnel_relayed_packets_total{direction=\"to_peers\"}");
        assert!((1..SENT - 20).contains(&relayed), "{relayed} relayed");
        relay.close().await;
    });
}
