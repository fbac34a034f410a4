//! In the steady state a relayed datagram allocates nothing at the server, whichever way it goes: TURN server, driver and
//! runtime together, over real sockets.

mod support;

use std::{net::UdpSocket, sync::mpsc, thread};

use ginnel_alloc_counter::{Counting, allocations_of_all_threads, assert_installed};
use ginnel_core::{Epoch, Instant, Packet, Port, Seed, Transport};
use ginnel_stun::auth::{AuthConfig, User};
use ginnel_tokio::App;
use ginnel_turn::{
    client::Event,
    server::{self, Listener, RelayAddress, Server, ServerConfig, policy::PeerFilter},
};
use support::{Caller, LOCALHOST, REALM, socket};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CLIENTS: usize = 8;
/// Datagrams that each sends before it hears any.
const BURST: usize = 16;
/// Rounds that are counted together.
const ROUNDS: usize = 20;
/// So often at most: memory that is used again and again grows as long as runs come longer than any before, which is how a
/// thread happens to be woken. What each datagram, batch or wake-up allocates is there every time.
const TRIES: usize = 20;

struct Nobody;
impl App<Server> for Nobody {
    fn event(&mut self, _: Instant, _: &mut Server, _: server::Event) {}
}

/// A server that runs until the test ends, and where.
#[allow(clippy::disallowed_methods, reason = "it serves beside the test, whose sockets block")]
fn serve() -> std::net::SocketAddr {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let at = UdpSocket::bind((LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a port");
            let config = ServerConfig::new(AuthConfig::long_term(REALM).expect("a realm"))
                .with_listener(Listener::new(Transport::Udp, at))
                .with_relay(RelayAddress::new(LOCALHOST))
                .with_peers(PeerFilter::default().with_allowed("127.0.0.0/8".parse().expect("a range")));
            let mut machine = Server::new(config, Seed::new([7; 32]));
            machine.add_user(User::long_term("user", REALM, "pass").expect("plain words")).expect("room");
            let mut driver = ginnel_tokio::driver(Epoch::start(), machine);
            driver.bind(LOCALHOST, Port::Exact(at.port())).expect("it was free a moment ago");
            tell.send(at).expect("the test waits");
            driver.run(&mut Nobody).await;
        });
    });
    told.recv().expect("a server")
}

/// A client with a channel to a peer, what it sends, and where the peer answers.
struct Flow {
    client: UdpSocket,
    peer: UdpSocket,
    framed: Vec<u8>,
}

fn flow(at: std::net::SocketAddr) -> Flow {
    let peer = socket();
    let mut caller = Caller::new(at, |config| config);
    let relayed = caller.allocated().relayed.ipv4.expect("IPv4");
    let to = peer.local_addr().expect("bound");
    caller.client.bind_channel(caller.epoch.now(), to).expect("a peer");
    caller.until(|caller| {
        caller.events.iter().any(|event| matches!(event, Event::ChannelBound { .. })).then_some(())
    });
    let mut packet = Packet::empty(&mut caller.buf);
    packet.append(&[9; 200]).expect("room");
    let _ = caller.client.send(caller.epoch.now(), to, &mut packet).expect("a channel");
    let framed = packet.bytes().to_vec();
    caller.socket.connect(at).expect("an address");
    peer.connect(relayed).expect("an address");
    Flow { client: caller.socket, peer, framed }
}

/// So many datagrams from here to there; how many were lost.
fn cross(from: &UdpSocket, to: &UdpSocket, octets: &[u8], expected: &[u8]) -> usize {
    for _ in 0..BURST {
        from.send(octets).expect("loopback takes it");
    }
    let mut buf = [0; 512];
    let came = (0..BURST).take_while(|_| matches!(to.recv(&mut buf), Ok(len) if buf[..len] == *expected));
    BURST - came.count()
}

#[test]
fn a_relayed_datagram_allocates_nothing_over_sockets_in_either_direction() {
    assert_installed();
    let at = serve();
    let flows: Vec<_> = (0..CLIENTS).map(|_| flow(at)).collect();
    let mut counts = Vec::with_capacity(TRIES);
    while counts.last() != Some(&0) {
        assert!(counts.len() < TRIES, "it is never without allocations: {counts:?}");
        let (mut lost, before) = (0, allocations_of_all_threads());
        for Flow { client, peer, framed } in std::iter::repeat_n(&flows, ROUNDS).flatten() {
            lost += cross(client, peer, framed, &[9; 200]);
            lost += cross(peer, client, &[9; 200], framed);
        }
        let made = allocations_of_all_threads() - before;
        let sent = ROUNDS * CLIENTS * BURST * 2;
        assert!(lost * 20 < sent, "{lost} of {sent} datagrams lost: nothing is measured so");
        counts.push(made);
    }
}
