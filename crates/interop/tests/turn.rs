//! Our TURN client through real servers: each transport, each feature.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::{Duration, SystemTime},
};

use ginnel_core::{Seed, Transport};
use ginnel_interop::{
    By, Coturn, Errand, Hand, Heard, Identity, Inside, Namespace, Peer, Serve, Task, Until, channel_data,
    drive, skip,
};
use ginnel_stun::{LongTermCredential, auth::AuthConfig, client as stun};
use ginnel_tokio::{ClientTls, Config};
use ginnel_turn::{
    client::{
        Allocated, ClientConfig, Event, FailureReason, Families, RelayPort, RelayTransport, Socket,
        TurnServer,
    },
    rest::{RestSecret, UnixTime},
};

/// Long enough for a busy machine, and no test waits for it to pass.
const LIMIT: Duration = Duration::from_secs(30);

/// The machine on which all is, and a second address to move to.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));
const HOST_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 3));

/// A machine with a server and peers.
struct Stage {
    namespace: Namespace,
    identity: Identity,
    peer: Peer,
    peer_v6: Peer,
    server: Arc<Server>,
}

/// Who relays.
enum Server {
    Coturn(Coturn),
    Ours(Serve),
    Inside(Inside),
}

/// coturn, unless this machine cannot have it.
fn coturn(options: &[&str]) -> Option<Stage> {
    let namespace = match Coturn::missing() {
        Some(why) => Err(why),
        None => machine(),
    };
    let namespace = namespace.inspect_err(|why| skip(why)).ok()?;
    let server =
        Coturn::start(&namespace, &[HOST, HOST_V6], &[&["--realm", "ginnel.test"], options].concat());
    let identity = server.identity().clone();
    Some(Stage::new(namespace, identity, Server::Coturn(server)))
}

/// `ginnel serve`, unless this machine cannot have a namespace. Peers on the machine itself are allowed.
fn ours(options: &[&str]) -> Option<Stage> {
    let namespace = machine().inspect_err(|why| skip(why)).ok()?;
    let identity = Identity::new(&[]);
    let peers = ["--allow-peer", "10.99.0.0/24", "--allow-peer", "fd99::/64"];
    let server = Serve::start(&namespace, &[HOST, HOST_V6], &identity, &[&peers, options].concat());
    Some(Stage::new(namespace, identity, Server::Ours(server)))
}

/// Our server in a thread of the test, whose nonces are good for a second. Over UDP and TCP, with relays of IPv4.
fn inside_with_short_nonces() -> Option<Stage> {
    let namespace = machine().inspect_err(|why| skip(why)).ok()?;
    let short = |auth: AuthConfig| auth.with_nonce_period(Duration::from_secs(1));
    let server = Inside::start(&namespace, HOST, short, |config| config);
    Some(Stage::new(namespace, Identity::new(&[]), Server::Inside(server)))
}

fn machine() -> Result<Namespace, String> {
    let made = Namespace::new().map_err(|why| format!("no network namespace can be made: {why}"))?;
    made.ip(&format!("address add {SECOND}/24 dev lan0"))?;
    Ok(made)
}

/// What `user` and `pass` are good for.
const USER: [&str; 3] = ["--lt-cred-mech", "--user", "user:pass"];

impl Stage {
    fn new(namespace: Namespace, identity: Identity, server: Server) -> Self {
        let (peer, peer_v6) = (Peer::start(&namespace, HOST), Peer::start(&namespace, HOST_V6));
        Self { namespace, identity, peer, peer_v6, server: Arc::new(server) }
    }

    fn config(transport: Transport) -> ClientConfig {
        Self::config_at(transport, HOST)
    }

    fn config_at(transport: Transport, ip: IpAddr) -> ClientConfig {
        let host = Identity::NAME.parse().ok();
        let [plain, secure] = [Coturn::PORT, Coturn::TLS_PORT].map(|port| SocketAddr::new(ip, port));
        let server = match transport {
            Transport::Udp => TurnServer::udp(plain),
            Transport::Tcp => TurnServer::tcp(plain),
            Transport::Tls => TurnServer::tls(secure, host),
            _ => TurnServer::dtls(secure, host),
        };
        let config = ClientConfig::new(server, LongTermCredential::new("user", "pass").unwrap());
        config.with_socket(Socket::Own(Some(ip)))
    }

    /// Does these tasks through a relay, one after the other, and all of them.
    #[track_caller]
    fn do_all(&self, config: ClientConfig, tasks: Vec<Task>) -> Heard<Errand> {
        let (named, count) = (format!("{config:?}"), tasks.len());
        let heard = self.attempt(config, tasks);
        assert_eq!(heard.machine.done(), count, "{named}: {:#?}", heard.events);
        assert_eq!(heard.events.last(), Some(&Event::Closed), "{named}: {:#?}", heard.events);
        heard
    }

    fn attempt(&self, config: ClientConfig, tasks: Vec<Task>) -> Heard<Errand> {
        let trusted = ClientTls::from_pem(self.identity.authority.as_bytes()).unwrap();
        let errand = Errand::new(config, Seed::new([7; 32]), tasks);
        drive(&self.namespace, LIMIT, Config::default().with_client_tls(trusted), errand)
    }

    fn exchange(&self, by: By) -> Task {
        Task::Exchange(by, self.peer.address())
    }

    fn exchange_v6(&self, by: By) -> Task {
        Task::Exchange(by, self.peer_v6.address())
    }
}

fn allocated(heard: &Heard<Errand>) -> Allocated {
    let found = heard.events.iter().find_map(|event| match event {
        Event::Allocated(allocated) => Some(*allocated),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no allocation: {:#?}", heard.events))
}

/// Over what a server is reached.
const TRANSPORTS: [Transport; 4] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls];

/// Channels and Send indications, over IPv4 and IPv6, at servers of both families.
fn datagrams(stage: &Stage) {
    for transport in TRANSPORTS {
        for server in [HOST, HOST_V6] {
            let config = Stage::config_at(transport, server);
            let v4 = vec![stage.exchange(By::Channel), Task::Refresh, stage.exchange(By::Channel)];
            let heard = stage.do_all(config.clone().with_families(Families::Ipv4), v4);
            assert!(allocated(&heard).relayed.ipv4.is_some_and(|at| at.ip() == HOST), "{heard:?}");

            let v6 = vec![stage.exchange_v6(By::Send), stage.exchange_v6(By::Channel)];
            let heard = stage.do_all(config.clone().with_families(Families::Ipv6), v6);
            assert!(allocated(&heard).relayed.ipv6.is_some_and(|at| at.ip() == HOST_V6), "{heard:?}");
        }
    }
}

#[test]
fn coturn_relays_datagrams_of_both_families() {
    let Some(stage) = coturn(&USER) else { return };
    datagrams(&stage);
}

/// coturn 4.6.1 knows ADDITIONAL-ADDRESS-FAMILY by the number that a draft gave it, 0x8032, and not by that of RFC 8656: who
/// asks for both families gets one, and sees it.
#[test]
fn coturn_gives_one_family_to_who_asks_for_both() {
    let Some(stage) = coturn(&USER) else { return };
    for transport in TRANSPORTS {
        let config = Stage::config(transport).with_families(Families::Both);
        let heard = stage.do_all(config, vec![stage.exchange(By::Channel)]);
        let Allocated { relayed, refused, .. } = allocated(&heard);
        assert_eq!((relayed.iter().count(), relayed.ipv6, refused), (1, None, None), "{heard:?}");
    }
}

/// An even port, and the next for another client.
fn even_ports(stage: &Stage, transports: &[Transport]) {
    for &transport in transports {
        let config = Stage::config(transport);
        let heard =
            stage.do_all(config.clone().with_port(RelayPort::EvenAndNext), vec![stage.exchange(By::Send)]);
        let Allocated { relayed, reservation, .. } = allocated(&heard);
        let first = relayed.ipv4.expect("a relayed address");
        assert_eq!(first.port() % 2, 0, "{heard:?}");
        let token = reservation.expect("a token");
        let heard =
            stage.do_all(config.with_port(RelayPort::Reserved(token)), vec![stage.exchange(By::Send)]);
        let next = SocketAddr::new(first.ip(), first.port() + 1);
        assert_eq!(allocated(&heard).relayed.ipv4, Some(next), "{heard:?}");
    }
}

#[test]
fn coturn_gives_even_ports_and_keeps_the_next() {
    let Some(stage) = coturn(&USER) else { return };
    even_ports(&stage, &TRANSPORTS);
}

fn unfragmented(stage: &Stage) {
    for transport in TRANSPORTS {
        let config = Stage::config(transport).with_dont_fragment(true);
        let tasks = vec![stage.exchange(By::Unfragmented), stage.exchange(By::Channel)];
        stage.do_all(config, tasks);
    }
}

#[test]
fn coturn_sends_unfragmented_datagrams() {
    let Some(stage) = coturn(&USER) else { return };
    unfragmented(&stage);
}

/// RFC 6062: a connection to a peer, and one from a peer.
fn connections(stage: &Stage) {
    for transport in [Transport::Tcp, Transport::Tls] {
        let config = Stage::config(transport).with_relay(RelayTransport::Tcp);
        let (tell, relayed) = channel();
        let tasks = vec![Task::Connect(stage.peer.address()), Task::Accept(HOST, tell)];
        std::thread::scope(|scope| {
            let caller = scope.spawn(move || stage.namespace.enter(move || call(&relayed)));
            stage.do_all(config, tasks);
            caller.join().expect("the peer is content");
        });
    }
}

/// Connects to where it is told, and is content when all that it says comes back.
fn call(relayed: &Receiver<SocketAddr>) {
    let Ok(relayed) = relayed.recv() else { return };
    let mut stream = TcpStream::connect(relayed).expect("the relay accepts");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    let words: Vec<u8> = (0..20_000_u32).map(|i| (i % 253) as u8).collect();
    stream.write_all(&words).expect("the relay takes octets");
    let mut back = vec![0; words.len()];
    stream.read_exact(&mut back).expect("octets come back");
    assert_eq!(back, words);
}

#[test]
fn coturn_relays_connections() {
    let Some(stage) = coturn(&USER) else { return };
    connections(&stage);
}

/// RFC 8016: to another socket, and to another address.
fn moves(stage: &Stage, transport: Transport) {
    let config = Stage::config(transport).with_mobility(true);
    let tasks = vec![
        stage.exchange(By::Channel),
        Task::Migrate(Socket::Own(Some(HOST))),
        stage.exchange(By::Channel),
        Task::Migrate(Socket::Own(Some(SECOND))),
        stage.exchange(By::Channel),
    ];
    let heard = stage.do_all(config, tasks);
    assert!(allocated(&heard).movable, "{heard:?}");
    assert_eq!(heard.machine.client().stats().moves, 2, "{transport}: {heard:?}");
    assert_eq!(heard.machine.client().stats().allocations, 1, "{transport}: {heard:?}");
}

/// Over UDP alone: over TCP coturn 4.6.1 leaves the Refresh with the ticket unanswered. Its own client fails there too (`-t -M`).
#[test]
fn coturn_lets_a_client_move() {
    let Some(stage) = coturn(&[&USER[..], &["--mobility"]].concat()) else { return };
    moves(&stage, Transport::Udp);
}

/// A user name that is good until tomorrow, by the secret that the servers know.
fn time_limited() -> LongTermCredential {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is past 1970");
    let tomorrow = UnixTime(now.as_secs() + 86_400);
    let credential = RestSecret::new("secret").credential("user", tomorrow);
    LongTermCredential::new(&credential.username, &credential.password).expect("plain ASCII")
}

fn rest(stage: &Stage) {
    for transport in TRANSPORTS {
        let mut config = Stage::config(transport);
        config.credential = Some(time_limited());
        stage.do_all(config, vec![stage.exchange(By::Channel)]);
    }
    // Another's secret.
    let wrong = LongTermCredential::new("4102444800:user", "none").unwrap();
    let mut config = Stage::config(Transport::Udp);
    config.credential = Some(wrong);
    let heard = stage.attempt(config, vec![stage.exchange(By::Channel)]);
    let reason = FailureReason::Transaction(stun::FailureReason::Unauthenticated);
    assert_eq!(heard.events, [Event::Failed { reason }]);
}

#[test]
fn coturn_knows_time_limited_users() {
    let Some(stage) = coturn(&["--use-auth-secret", "--static-auth-secret", "secret"]) else { return };
    rest(&stage);
}

/// Nonces are good for a second here: the client goes on with new ones, and does not notice.
fn stale_nonces(stage: &Stage, transport: Transport) {
    let server = Arc::clone(&stage.server);
    let so_often = move || match &*server {
        Server::Coturn(coturn) => coturn.said().matches("error 438").count() as u64,
        Server::Ours(ours) => ours.said().matches("error 438").count() as u64,
        Server::Inside(inside) => inside.ask(|driver| driver.machine().auth_stats().stale),
    };
    let before = so_often();
    let refused = Until::new(move || so_often() > before);
    let tasks = vec![stage.exchange(By::Channel), Task::RefreshUntil(refused), stage.exchange(By::Channel)];
    let heard = stage.do_all(Stage::config(transport), tasks);
    assert_eq!(heard.machine.client().stats().allocations, 1, "{transport}: {heard:?}");
}

#[test]
fn coturn_has_stale_nonces() {
    let Some(stage) = coturn(&[&USER[..], &["--stale-nonce=1"]].concat()) else { return };
    for transport in TRANSPORTS {
        stale_nonces(&stage, transport);
    }
}

#[test]
fn ours_has_stale_nonces() {
    let Some(stage) = inside_with_short_nonces() else { return };
    for transport in [Transport::Udp, Transport::Tcp] {
        stale_nonces(&stage, transport);
    }
}

/// coturn 4.6.1 passes on no ICMP (RFC 8656 section 11.5 came later than it): what is sent to nobody is lost without a word, and
/// the allocation goes on.
#[test]
fn coturn_tells_nothing_of_icmp() {
    let Some(stage) = coturn(&USER) else { return };
    let closed = SocketAddr::new(HOST, 9);
    for transport in TRANSPORTS {
        let tasks = vec![Task::Pace(closed, 20), stage.exchange(By::Send)];
        let heard = stage.do_all(Stage::config(transport), tasks);
        assert_eq!(heard.machine.returned(), 0, "{transport}");
        let told = heard.events.iter().any(|event| matches!(event, Event::IcmpError { .. }));
        assert!(!told, "coturn has learnt it: {:#?}", heard.events);
    }
}

/// coturn sends elsewhere whoever wants an allocation, and does not prove that it is coturn who says so: the client goes there
/// only if it is told to.
#[test]
fn coturn_redirects_and_the_client_follows_if_it_may() {
    let elsewhere = SocketAddr::new(SECOND, Coturn::PORT).to_string();
    let Some(stage) = coturn(&[&USER[..], &["--alternate-server", &elsewhere]].concat()) else { return };
    let options = [&USER[..], &["--realm", "ginnel.test"]].concat();
    let _second = Coturn::start(&stage.namespace, &[SECOND], &options);
    let config = Stage::config(Transport::Udp);

    let heard = stage.attempt(config.clone(), vec![stage.exchange(By::Channel)]);
    let why = stun::AlternateRefusal::Unauthenticated;
    let reason = FailureReason::Transaction(stun::FailureReason::Alternate(why));
    assert_eq!(heard.events, [Event::Failed { reason }]);

    let heard = stage.do_all(config.with_follow_unauthenticated(true), vec![stage.exchange(By::Channel)]);
    assert_eq!(allocated(&heard).path.remote.ip(), SECOND, "{heard:?}");
}

/// What `user` and `pass` are good for.
const OUR_USER: [&str; 2] = ["--user", "user:pass"];

#[test]
fn ours_relays_datagrams_of_both_families() {
    let Some(stage) = ours(&OUR_USER) else { return };
    datagrams(&stage);
}

#[test]
fn ours_gives_both_families_at_once() {
    let Some(stage) = ours(&OUR_USER) else { return };
    for transport in TRANSPORTS {
        let config = Stage::config(transport).with_families(Families::Both);
        let both = [By::Send, By::Channel].map(|by| [stage.exchange(by), stage.exchange_v6(by)]);
        let heard = stage.do_all(config, both.concat());
        let Allocated { relayed, refused, .. } = allocated(&heard);
        assert_eq!((relayed.iter().count(), refused), (2, None), "{heard:?}");
    }
}

#[test]
fn ours_gives_even_ports_and_keeps_the_next() {
    // What names a shard mostly comes to another one.
    for shards in ["1", "4"] {
        let Some(stage) = ours(&[&OUR_USER[..], &["--shards", shards]].concat()) else { return };
        even_ports(&stage, &TRANSPORTS);
    }
}

#[test]
fn ours_sends_unfragmented_datagrams() {
    let Some(stage) = ours(&OUR_USER) else { return };
    unfragmented(&stage);
}

#[test]
fn ours_relays_connections() {
    let Some(stage) = ours(&OUR_USER) else { return };
    connections(&stage);
}

#[test]
fn ours_lets_a_client_move() {
    for shards in ["1", "4"] {
        let Some(stage) = ours(&[&OUR_USER[..], &["--shards", shards]].concat()) else { return };
        TRANSPORTS.into_iter().for_each(|transport| moves(&stage, transport));
    }
}

#[test]
fn ours_knows_time_limited_users() {
    let Some(stage) = ours(&["--secret", "before", "--secret", "secret"]) else { return };
    rest(&stage);
}

/// What ICMP says of a peer's port reaches the client (RFC 8656 section 11.5).
#[test]
fn ours_tells_that_nobody_listens() {
    let Some(stage) = ours(&OUR_USER) else { return };
    let closed = SocketAddr::new(HOST, 9);
    for transport in TRANSPORTS {
        stage.do_all(Stage::config(transport), vec![Task::Lose(closed), stage.exchange(By::Send)]);
    }
}

/// Our server drains: who comes then is sent to another, by an answer that is authenticated, and goes there by itself.
#[test]
fn ours_sends_clients_elsewhere_when_it_drains() {
    let elsewhere = SocketAddr::new(SECOND, Serve::PORT).to_string();
    let options = [&OUR_USER[..], &["--alternate-server", &elsewhere, "--drain-time", "1d"]].concat();
    let Some(stage) = ours(&options) else { return };
    let second = ["--allow-peer", "10.99.0.0/24"];
    let _second =
        Serve::start(&stage.namespace, &[SECOND], &stage.identity, &[&OUR_USER[..], &second].concat());
    let Server::Ours(first) = &*stage.server else { unreachable!("it is ours") };
    // Without any allocation it would end at once.
    let mut stays = Hand::udp(&stage.namespace, HOST, SocketAddr::new(HOST, Serve::PORT));
    assert_eq!(stays.allocate().error, None);
    assert_eq!(stays.bind(0x4000, stage.peer.address()).error, None);
    first.signal("-TERM");
    first.wait_for("draining");
    for transport in [Transport::Udp, Transport::Tcp] {
        let heard = stage.do_all(Stage::config(transport), vec![stage.exchange(By::Channel)]);
        assert_eq!(allocated(&heard).path.remote.ip(), SECOND, "{transport}: {heard:?}");
    }
    // Who was there goes on.
    assert_eq!(stays.refresh(600).error, None);
    let back = (0..10).any(|_| {
        stays.say(&channel_data(0x4000, b"stay"));
        stays.hear_data(Duration::from_secs(2)).as_deref() == Some(b"stay")
    });
    assert!(back, "his channel is there");
}

/// Beyond his quota a user is refused, whichever way he comes, and what he gives back he may have again.
#[test]
fn ours_refuses_beyond_the_quota() {
    let Some(stage) = ours(&[&OUR_USER[..], &["--max-allocations-per-user", "2"]].concat()) else { return };
    let server = SocketAddr::new(HOST, Serve::PORT);
    let mut two = [Hand::udp(&stage.namespace, HOST, server), Hand::tcp(&stage.namespace, server)];
    for hand in &mut two {
        assert_eq!(hand.allocate().error, None);
    }
    for transport in TRANSPORTS {
        let config = Stage::config(transport).with_recover(Duration::ZERO);
        let heard = stage.attempt(config, vec![stage.exchange(By::Channel)]);
        assert_eq!(heard.events, [Event::Failed { reason: FailureReason::QuotaReached }], "{transport}");
    }
    for hand in &mut two {
        assert_eq!(hand.refresh(0).error, None);
        for transport in TRANSPORTS {
            stage.do_all(Stage::config(transport), vec![stage.exchange(By::Channel)]);
        }
    }
}

/// Peers that the server denies are told to the client as such, by permissions and by channels.
#[test]
fn ours_forbids_peers() {
    let Some(stage) = ours(&OUR_USER) else { return };
    let loopback = SocketAddr::from(([127, 0, 0, 1], 9));
    let mapped = SocketAddr::new("::ffff:127.0.0.1".parse().unwrap(), 9);
    for transport in TRANSPORTS {
        for (peer, families) in [(loopback, Families::Ipv4), (mapped, Families::Ipv6)] {
            let config = Stage::config(transport).with_families(families);
            let heard = stage.attempt(config.clone(), vec![Task::Exchange(By::Send, peer)]);
            let forbidden = |event: &Event| {
                matches!(event, Event::PermissionFailed { reason: FailureReason::Forbidden, .. })
            };
            assert!(heard.events.iter().any(forbidden), "{transport} {peer}: {:#?}", heard.events);
            let heard = stage.attempt(config, vec![Task::Exchange(By::Channel, peer)]);
            let forbidden = |event: &Event| {
                matches!(event, Event::ChannelFailed { reason: FailureReason::Forbidden, .. })
            };
            assert!(heard.events.iter().any(forbidden), "{transport} {peer}: {:#?}", heard.events);
        }
    }
}
