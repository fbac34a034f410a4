//! The client and the server in one simulated network, with a peer that sends everything back: loss and reordering, stale
//! nonces, users who are removed, servers that restart or stay away.

use core::{net::SocketAddr, time::Duration};

use ginnel_core::{Handled, Instant, Packet, Port, Receive, Transmit, Transport, Wake};
use ginnel_netsim::{HostId, Link, NodeId, Sim};
use ginnel_stun::{
    LongTermCredential,
    auth::{AuthConfig, User},
    client::FailureReason as Stun,
};
use ginnel_turn::{
    client::{Client, ClientConfig, Event, FailureReason, Socket, TurnServer},
    server::{Listener, RelayAddress, Server, ServerConfig},
};

const REALM: &str = "example.org";
const HOME: &str = "192.0.2.10";
const SERVER: &str = "198.51.100.1";
const PEER: &str = "203.0.113.9";
const SEEDS: u64 = 10;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
fn peer() -> SocketAddr {
    SocketAddr::new(PEER.parse().expect("an address"), 9)
}

/// Sends everything back.
#[derive(Debug, Default)]
struct Echo;
impl Echo {
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
ginnel_core::machine!(impl [] Echo { Event = (); Data = (); });

struct Net {
    sim: Sim,
    client: NodeId<Client>,
    server: NodeId<Server>,
    away: HostId,
    /// What came back.
    echoes: usize,
}
impl Net {
    fn new(scenario: &str, seed: u64, link: Link) -> Self {
        Self::with(scenario, seed, link, |config| config)
    }
    fn with(scenario: &str, seed: u64, link: Link, tell: impl FnOnce(ClientConfig) -> ClientConfig) -> Self {
        let mut sim = Sim::new(seed).named(scenario);
        let (home, away, there) = (sim.host([HOME]), sim.host([SERVER]), sim.host([PEER]));
        sim.set_link(home, away, link);
        let server = serve(&mut sim, away, "server");
        let echo = sim.add(there, Echo);
        sim.bind(echo, PEER, Port::Exact(9)).expect("a free port");
        let credential = LongTermCredential::new("user", "pass").expect("ASCII");
        let address = SocketAddr::new(SERVER.parse().expect("an address"), 3478);
        let config = ClientConfig::new(TurnServer::udp(address), credential)
            .with_socket(Socket::Own(HOME.parse().ok()));
        let seed = sim.seed("client");
        let client = sim.add(home, Client::new(sim.now(), tell(config), seed));
        Self { sim, client, server, away, echoes: 0 }
    }
    fn ready(&mut self, limit: u64) {
        self.sim.with(self.client, |client, now| client.bind_channel(now, peer())).expect("room for one");
        let client = self.client;
        self.sim.expect("a channel", secs(limit), |sim| {
            let now = sim.now();
            sim.get(client).channel(now, peer()).is_some()
        });
    }
    /// A datagram in each second. Returns how many came back.
    fn talk(&mut self, seconds: u64) -> usize {
        let before = self.echoes;
        for _ in 0..seconds {
            let sent = self
                .sim
                .send(self.client, b"are you there", |client, now, packet| client.send(now, peer(), packet));
            let _ = sent; // While there is no allocation, nothing is sent.
            self.sim.run_for(secs(1));
            self.echoes += self.sim.data(self.client).len();
        }
        self.echoes - before
    }
    fn restart(&mut self, after: u64) {
        self.sim.kill(self.server);
        self.sim.run_for(secs(after));
        self.server = serve(&mut self.sim, self.away, "restarted");
    }
    fn events(&mut self) -> Vec<Event> {
        self.sim.events(self.client)
    }
}
fn serve(sim: &mut Sim, host: HostId, label: &str) -> NodeId<Server> {
    let auth = AuthConfig::long_term(REALM).expect("legal").with_nonce_period(secs(300));
    let listener = SocketAddr::new(SERVER.parse().expect("an address"), 3478);
    let config = ServerConfig::new(auth)
        .with_listener(Listener::new(Transport::Udp, listener))
        .with_relay(RelayAddress::new(listener.ip()));
    let mut server = Server::new(config, sim.seed(label));
    server.add_user(User::long_term("user", REALM, "pass").expect("ASCII")).expect("room for one");
    let node = sim.add(host, server);
    sim.bind(node, SERVER, Port::Exact(3478)).expect("a free port");
    node
}
fn good() -> Link {
    Link::new(Duration::from_millis(30)).with_jitter(Duration::from_millis(10))
}

#[test]
fn with_loss_reordering_and_duplicates_it_has_all_that_it_asks_for_and_keeps_it() {
    for (loss, most) in [(0.0, 2), (0.1, 10), (0.3, 40)] {
        for seed in 0..SEEDS {
            let link = good()
                .with_loss(loss)
                .with_reordering(loss, Duration::from_millis(80))
                .with_duplication(loss);
            let mut net = Net::new("turn over a bad link", seed, link);
            net.ready(most);
            let back = net.talk(100);
            assert!(
                back as f64 >= 100.0 * (1.0 - loss) * (1.0 - loss) * 0.8,
                "{back} of 100 with loss {loss}"
            );
            // Two hours, with nonces that last five minutes.
            net.sim.run_for(secs(7200));
            assert!(net.talk(20) > 5, "seed {seed}, loss {loss}");
            let events = net.events();
            assert!(
                !events.iter().any(|it| matches!(it, Event::Lost { .. } | Event::Failed { .. })),
                "{events:?}"
            );
        }
    }
}

#[test]
fn a_restarted_server_is_come_back_to_with_all_that_was_asked_for() {
    for seed in 0..SEEDS {
        for away in [0, 1, 20, 100] {
            let mut net = Net::new("a server restarts", seed, good());
            net.ready(2);
            assert!(net.talk(5) >= 4);
            net.events();
            net.restart(away);
            // Sent to a server that is silent, it asks; the more often it failed, the longer it waits.
            net.talk(50);
            let events = net.events();
            assert!(events.iter().any(|it| matches!(it, Event::Lost { .. })), "{away}: {events:?}");
            assert!(events.iter().any(|it| matches!(it, Event::ChannelBound { .. })), "{away}: {events:?}");
            assert!(net.talk(10) >= 9, "away for {away} s");
        }
    }
}

#[test]
fn a_server_that_stays_away_is_given_up_with_a_reason() {
    let mut net = Net::with("a server is gone", 1, good(), |config| config.with_recover(secs(120)));
    net.ready(2);
    net.sim.kill(net.server);
    net.sim.run_for(secs(1200));
    let events = net.events();
    let Some(Event::Failed { reason: FailureReason::Transaction(Stun::TimedOut(_) | Stun::Unreachable(_)) }) =
        events.last()
    else {
        panic!("{events:?}")
    };
}

#[test]
fn a_user_who_is_removed_is_told_so_and_asks_no_more() {
    let mut net = Net::new("a user is removed", 1, good());
    net.ready(2);
    net.sim.with(net.server, |server, now| server.remove_user(now, "user"));
    net.talk(40);
    let events = net.events();
    let reason = FailureReason::Transaction(Stun::Unauthenticated);
    assert_eq!(events.last(), Some(&Event::Failed { reason }), "{events:?}");
}

#[test]
fn a_goodbye_frees_the_allocation_at_the_server() {
    let mut net = Net::new("a goodbye", 1, good());
    net.ready(2);
    net.sim.with(net.client, Client::close);
    net.sim.run_for(secs(2));
    assert_eq!(net.events().last(), Some(&Event::Closed));
    let now = net.sim.now();
    assert_eq!(net.sim.get(net.server).allocations(now).count(), 0);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let play = || {
        let mut net = Net::new("twice", 7, good().with_loss(0.2));
        net.ready(60);
        net.talk(30);
        net.restart(3);
        net.talk(60);
        net.sim.digest()
    };
    assert_eq!(play(), play());
}
