//! The tests of the socket at a relay: `ginnel_driver::relay_tests!(Tokio, block_on)`.
//!
//! A server of this project runs beside them. Peers are sockets at relays themselves, or of the system.

use std::{
    future::{Future, poll_fn},
    io::{self, BufRead as _, BufReader},
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::PathBuf,
    pin::pin,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::Duration,
};

use ginnel_core::{Epoch, Framing, Instant, Port, Seed, Transport};
use ginnel_stun::auth::{AuthConfig, User};
use ginnel_turn::server::{
    Event, Listener, RelayAddress, Server, ServerConfig,
    policy::{PeerFilter, PeerRange},
};

use super::streams::beside;
use crate::{App, Driver, RelayConfig, RelayError, RelayRuntime, RelaySocket};

/// Makes one test of each function below, for a runtime and the function that runs a future on it.
#[macro_export]
macro_rules! relay_tests {
    ($runtime:expr, $block_on:expr) => {
        $crate::loop_tests!(@ $runtime, $block_on;
            relayed_datagrams_go_both_ways
            relayed_datagrams_go_over_a_stream_to_the_server
            the_first_datagrams_wait_for_their_permission
            what_the_relay_refuses_is_said
            who_is_connected_hears_one_peer_alone
            a_wait_that_is_dropped_takes_nothing
            senders_wait_for_room_and_nothing_is_lost
            a_socket_that_is_closed_gives_its_address_back
            what_was_sent_leaves_before_the_goodbye
            two_that_receive_get_one_each_and_one_that_gave_up_takes_none
            a_wrong_password_and_a_closed_port_say_so
            a_server_that_goes_away_says_so
        );
    };
}

/// Where peers of the system are.
const PEERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const REALM: &str = "example.org";

/// What is known of a server that runs beside the test.
struct Running {
    at: SocketAddr,
    /// Allocations that it has.
    allocations: Arc<AtomicUsize>,
    /// Ends it when it is dropped.
    stop: Arc<()>,
}

struct Counting(Arc<AtomicUsize>);

impl App<Server> for Counting {
    fn event(&mut self, _now: Instant, _server: &mut Server, event: Event) {
        match event {
            Event::Allocated { .. } => self.0.fetch_add(1, SeqCst),
            Event::Ended { .. } => self.0.fetch_sub(1, SeqCst),
            _ => 0,
        };
    }
}

fn serve<R: RelayRuntime>(runtime: &R) -> Running {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let epoch = Epoch::start();
    let (mut driver, at) = loop {
        // The machine is told where it listens, so the port is found first; it may be taken over TCP.
        let probe = UdpSocket::bind((localhost, 0)).expect("a port");
        let at = probe.local_addr().expect("an address");
        drop(probe);
        let allowed = PeerRange::prefix([127, 0, 0, 0].into(), 8).expect("a range");
        let config = ServerConfig::new(AuthConfig::long_term(REALM).expect("a realm"))
            .with_listener(Listener::new(Transport::Udp, at))
            .with_listener(Listener::new(Transport::Tcp, at))
            .with_relay(RelayAddress::new(localhost))
            .with_peers(PeerFilter::default().with_allowed(allowed));
        let mut server = Server::new(config, Seed::new([9; 32]));
        server.add_user(User::long_term("user", REALM, "password").expect("ASCII")).expect("room");
        let mut driver = Driver::new(R::default(), epoch, server);
        let udp = driver.bind(localhost, Port::Exact(at.port()));
        let tcp = driver.listen(Transport::Tcp, localhost, Port::Exact(at.port()), Framing::Stun);
        if udp.is_ok() && tcp.is_ok() {
            break (driver, at);
        }
    };
    let allocations = Arc::<AtomicUsize>::default();
    let stop = Arc::new(());
    let (mut app, alive) = (Counting(Arc::clone(&allocations)), Arc::downgrade(&stop));
    runtime.spawn(async move {
        let mut running = pin!(driver.run(&mut app));
        // Whoever stops it has something of its own happen on its sockets, which wakes this.
        poll_fn(|cx| if alive.strong_count() == 0 { Poll::Ready(()) } else { running.as_mut().poll(cx) })
            .await;
    });
    Running { at, allocations, stop }
}

fn config(server: &Running, transport: &str) -> RelayConfig {
    let uri = format!("turn:{}?transport={transport}", server.at);
    RelayConfig::new(&uri, "user", "password").expect("a relay")
}

async fn socket<R: RelayRuntime>(server: &Running) -> RelaySocket<R> {
    RelaySocket::bind(&config(server, "udp")).await.expect("an allocation")
}

fn reason(error: &io::Error) -> Option<RelayError> {
    error.get_ref()?.downcast_ref().copied()
}

async fn there_and_back<R: RelayRuntime>(one: &RelaySocket<R>, other: &RelaySocket<R>) {
    let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    other.permit(here.ip()).await.unwrap();
    let mut buf = [0; 2_000];
    for round in 0..20_u8 {
        let datagram = vec![round; usize::from(round) * 60];
        assert_eq!(one.send_to(&datagram, there).await.unwrap(), datagram.len());
        assert_eq!(other.recv_from(&mut buf).await.unwrap(), (datagram.len(), here));
        assert_eq!(buf[..datagram.len()], datagram);
        other.send_to(&buf[..datagram.len()], here).await.unwrap();
        assert_eq!(one.recv_from(&mut buf[..700]).await.unwrap(), (datagram.len().min(700), there));
    }
}

pub async fn relayed_datagrams_go_both_ways<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let (one, other) = (socket::<R>(&server).await, socket::<R>(&server).await);
    assert_ne!(one.local_addr().unwrap(), one.mapped_addr().unwrap());
    assert_eq!(one.mapped_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
    there_and_back(&one, &other).await;
    let stats = one.stats();
    assert_eq!((stats.sent, stats.received, stats.dropped, stats.unsent), (20, 20, 0, 0));
}

pub async fn relayed_datagrams_go_over_a_stream_to_the_server<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let one: RelaySocket<R> = RelaySocket::bind(&config(&server, "tcp")).await.unwrap();
    there_and_back(&one, &socket::<R>(&server).await).await;
}

pub async fn the_first_datagrams_wait_for_their_permission<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let socket = socket::<R>(&server).await;
    let peer = UdpSocket::bind((PEERS, 0)).unwrap();
    peer.set_nonblocking(true).unwrap();
    let at = peer.local_addr().unwrap();
    for number in 0..10_u8 {
        socket.send_to(&[number], at).await.unwrap();
    }
    // Once the permission is there, all that was sent before has left: they leave in order.
    socket.permit(at.ip()).await.unwrap();
    socket.send_to(b"last", at).await.unwrap();
    let mut buf = [0; 10];
    let mut seen = Vec::new();
    while seen.last() != Some(&b'l') {
        match peer.recv_from(&mut buf) {
            Ok((_, from)) => {
                assert_eq!(from, socket.local_addr().unwrap());
                seen.push(buf[0]);
            }
            Err(_) => breathe().await,
        }
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, b'l']);
}

/// Lets the other tasks run once.
async fn breathe() {
    let mut again = true;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::take(&mut again) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

pub async fn what_the_relay_refuses_is_said<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let socket = socket::<R>(&server).await;
    let forbidden: SocketAddr = "10.0.0.1:9".parse().unwrap();
    let error = socket.permit(forbidden.ip()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    // A socket of the system takes a datagram too, and tells of the last one with the next.
    let mut error = socket.send_to(b"one", forbidden).await.unwrap_err();
    assert!(matches!(reason(&error), Some(RelayError::Peer(ip, _)) if ip == forbidden.ip()), "{error}");
    socket.send_to(b"two", forbidden).await.unwrap();
    loop {
        match socket.send_to(b"three", forbidden).await {
            Ok(_) => breathe().await,
            Err(again) => break error = again,
        }
    }
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    let ipv6 = socket.permit("2001:db8::1".parse().unwrap()).await.unwrap_err();
    assert_eq!(ipv6.kind(), io::ErrorKind::AddrNotAvailable, "{ipv6}");
    let long = socket.send_to(&[0; 1_501], forbidden).await.unwrap_err();
    assert_eq!(reason(&long), Some(RelayError::TooLarge));
    assert_eq!(reason(&socket.send(b"nobody").await.unwrap_err()), Some(RelayError::NotConnected));
}

pub async fn who_is_connected_hears_one_peer_alone<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let (one, other, third) =
        (socket::<R>(&server).await, socket::<R>(&server).await, socket::<R>(&server).await);
    // All are at one address, which is what has the permission.
    let at = one.local_addr().unwrap();
    one.permit(at.ip()).await.unwrap();
    third.send_to(b"early", at).await.unwrap();
    while one.stats().received < 1 {
        breathe().await;
    }
    one.connect(other.local_addr().unwrap()).await.unwrap();
    assert_eq!(one.stats().strangers, 1, "who came before is not there any more");
    third.send_to(b"third", at).await.unwrap();
    while one.stats().strangers < 2 {
        breathe().await;
    }
    other.send_to(b"other", at).await.unwrap();
    let mut buf = [0; 10];
    assert_eq!((one.recv(&mut buf).await.unwrap(), &buf[..5]), (5, &b"other"[..]));
    other.permit(at.ip()).await.unwrap();
    one.send(b"answer").await.unwrap();
    assert_eq!(other.recv_from(&mut buf).await.unwrap(), (6, at));
    assert_eq!(one.peer_addr().unwrap(), other.local_addr().unwrap());
}

pub async fn a_wait_that_is_dropped_takes_nothing<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let (one, other) = (socket::<R>(&server).await, socket::<R>(&server).await);
    let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    one.permit(there.ip()).await.unwrap();
    let (mut dropped, mut kept) = ([0; 10], [0; 10]);
    {
        let mut waits = pin!(one.recv_from(&mut dropped));
        let first = poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx))).await;
        assert!(first.is_pending());
    }
    assert_eq!(one.try_recv_from(&mut kept).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    other.send_to(b"datagram", here).await.unwrap();
    assert_eq!(one.recv_from(&mut kept).await.unwrap(), (8, there));
    assert_eq!((&kept[..8], dropped), (&b"datagram"[..], [0; 10]));
}

pub async fn senders_wait_for_room_and_nothing_is_lost<R: RelayRuntime>(runtime: R) {
    const COUNT: u16 = 2_000;
    let server = serve(&runtime);
    let small = config(&server, "tcp").with_buffers(1 << 20, 4_096);
    let one: RelaySocket<R> = RelaySocket::bind(&small).await.unwrap();
    let other: RelaySocket<R> = RelaySocket::bind(&config(&server, "tcp")).await.unwrap();
    let there = other.local_addr().unwrap();
    other.permit(one.local_addr().unwrap().ip()).await.unwrap();
    one.permit(there.ip()).await.unwrap();
    // So many fit, and some more where the task of the socket runs meanwhile.
    let mut fitting = 0;
    let full = loop {
        match one.try_send_to(&[0; 64], there) {
            Ok(_) => fitting += 1,
            Err(full) => break full,
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    assert!(fitting >= 4_096 / 128, "{fitting}");
    let mut buf = [0; 64];
    for _ in 0..fitting {
        other.recv_from(&mut buf).await.unwrap();
    }
    // Fifty on their way at most, so that what a socket of the system between them drops is none.
    for number in 0..COUNT {
        one.send_to(&number.to_be_bytes(), there).await.unwrap();
        if number % 50 == 49 {
            for expected in number - 49..=number {
                other.recv_from(&mut buf).await.unwrap();
                assert_eq!(buf[..2], expected.to_be_bytes());
            }
        }
    }
    assert_eq!(other.stats().received, u64::from(COUNT) + fitting as u64);
}

pub async fn a_socket_that_is_closed_gives_its_address_back<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let (one, other) = (socket::<R>(&server).await, socket::<R>(&server).await);
    assert_eq!(server.allocations.load(SeqCst), 2);
    one.close().await;
    assert_eq!(server.allocations.load(SeqCst), 1);
    drop(other);
    while server.allocations.load(SeqCst) > 0 {
        breathe().await;
    }
}

pub async fn what_was_sent_leaves_before_the_goodbye<R: RelayRuntime>(runtime: R) {
    // More than leave in one go, to somebody who has no permission yet, and closed at once.
    const COUNT: u8 = 150;
    let server = serve(&runtime);
    let socket: RelaySocket<R> = RelaySocket::bind(&config(&server, "tcp")).await.unwrap();
    let peer = UdpSocket::bind((PEERS, 0)).unwrap();
    peer.set_nonblocking(true).unwrap();
    for number in 0..COUNT {
        socket.send_to(&[number], peer.local_addr().unwrap()).await.unwrap();
    }
    socket.close().await;
    // The server has answered the goodbye, so all that it had to relay before is there.
    let mut buf = [0; 10];
    let seen = std::iter::from_fn(|| peer.recv_from(&mut buf).ok().map(|_| buf[0]));
    assert_eq!(seen.collect::<Vec<_>>(), Vec::from_iter(0..COUNT));
}

pub async fn two_that_receive_get_one_each_and_one_that_gave_up_takes_none<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let (one, other) = (socket::<R>(&server).await, socket::<R>(&server).await);
    let (here, there) = (one.local_addr().unwrap(), other.local_addr().unwrap());
    one.permit(there.ip()).await.unwrap();
    let mut buffers = [[0; 4]; 3];
    let [first, second, third] = &mut buffers;
    let (mut first, mut second) = (pin!(one.recv_from(first)), pin!(one.recv_from(second)));
    {
        let mut given_up = pin!(one.recv_from(third));
        poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending());
            assert!(given_up.as_mut().poll(cx).is_pending());
            assert!(second.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        other.send_to(b"a", here).await.unwrap();
        while one.stats().received == 0 {
            breathe().await;
        }
        // It was woken too, and never looks.
    }
    assert_eq!(second.await.unwrap(), (1, there));
    other.send_to(b"b", here).await.unwrap();
    assert_eq!(first.await.unwrap(), (1, there));
    assert_eq!(one.try_recv_from(&mut [0; 4]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

pub async fn a_wrong_password_and_a_closed_port_say_so<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let uri = format!("turn:{}", server.at);
    let wrong = RelayConfig::new(&uri, "user", "passwort").unwrap();
    let error = RelaySocket::<R>::bind(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    let closed = RelayConfig::new("turn:127.0.0.1:1?transport=tcp", "user", "password").unwrap();
    let error = RelaySocket::<R>::bind(&closed).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{error}");
}

pub async fn a_server_that_goes_away_says_so<R: RelayRuntime>(runtime: R) {
    let server = serve(&runtime);
    let mortal = config(&server, "tcp").with_recover(Duration::ZERO);
    let socket: RelaySocket<R> = RelaySocket::bind(&mortal).await.unwrap();
    drop(server.stop);
    // Something on its sockets, so that it looks.
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(b"?", server.at).unwrap();
    let error = socket.recv_from(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    assert_eq!(socket.local_addr().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let peer = (Ipv4Addr::LOCALHOST, 9).into();
    assert_eq!(socket.send_to(b"?", peer).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

/// The program that the examples of a runtime's crate have for this, built if it is not there.
#[must_use]
pub fn example(cargo: &str, package: &str, name: &str) -> PathBuf {
    // This test is target/debug/deps/relay-0123, or the like of another profile.
    let this = std::env::current_exe().unwrap();
    let profile = this.ancestors().nth(2).unwrap();
    let path = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    if !path.is_file() {
        // Cargo builds examples with the tests, but not where it is told to run these alone.
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--package", package, "--features", "relay", "--example", name]);
        if !profile.ends_with("debug") {
            command.arg("--profile").arg(profile.file_name().unwrap());
        }
        assert!(command.status().unwrap().success() && path.is_file(), "{} cannot be built", path.display());
    }
    path
}

/// Ended when it is dropped.
struct Program(Child);
impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the first line of this example says is an echo, for the peer that it was told of.
pub async fn an_example_is_an_echo<R: RelayRuntime>(runtime: R, program: PathBuf) {
    let server = serve(&runtime);
    let mut command = Command::new(program);
    command.args([&format!("turn:{}", server.at), "user", "password", &PEERS.to_string()]);
    let mut program = Program(command.stdout(Stdio::piped()).spawn().unwrap());
    // The server runs in this thread, so another waits for what is said.
    let stdout = program.0.stdout.take().unwrap();
    let said = beside(move || {
        let mut lines = BufReader::new(stdout).lines();
        (lines.next(), lines)
    });
    while !said.is_finished() {
        breathe().await;
    }
    // Its output is kept open: it says more.
    let (said, _lines) = said.join().unwrap();
    let said = said.expect("it says where it is").unwrap();
    let at: SocketAddr = said.strip_prefix("send to ").expect(&said).parse().unwrap();
    let peer = UdpSocket::bind((PEERS, 0)).unwrap();
    peer.set_nonblocking(true).unwrap();
    // It says so before it has asked for the peer: what comes until then is dropped.
    let mut buf = [0; 16];
    loop {
        peer.send_to(b"echo", at).unwrap();
        for _ in 0..1_000 {
            breathe().await;
        }
        if let Ok(heard) = peer.recv_from(&mut buf) {
            assert_eq!((heard, &buf[..4]), ((4, at), &b"echo"[..]));
            return;
        }
    }
}
