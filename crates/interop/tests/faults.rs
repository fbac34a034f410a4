//! What goes wrong around `ginnel serve`: it is killed, its ports run out, peers flood, clients do not read. Who has nothing to
//! do with it keeps at least 95 % of his datagrams.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    time::Duration,
};

use ginnel_core::Seed;
use ginnel_interop::{By, Crowd, Errand, Identity, Namespace, Peer, Serve, Task, Until, drive, say, skip};
use ginnel_stun::LongTermCredential;
use ginnel_tokio::Config;
use ginnel_turn::client::{ClientConfig, Event, FailureReason, Socket, TurnServer};

/// Long enough for a busy machine, and no test waits for it to pass.
const LIMIT: Duration = Duration::from_secs(60);

/// The machine on which all is, and where other peers are.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 3));

/// A machine with a peer, unless this one cannot have namespaces.
struct Stage {
    namespace: Namespace,
    identity: Identity,
    peer: Peer,
}

fn stage() -> Option<Stage> {
    let made = Namespace::new().map_err(|why| format!("no network namespace can be made: {why}"));
    let namespace = made.inspect_err(|why| skip(why)).ok()?;
    namespace.ip(&format!("address add {SECOND}/24 dev lan0")).expect("one more address");
    Some(Stage { identity: Identity::new(&[]), peer: Peer::start(&namespace, HOST), namespace })
}

impl Stage {
    fn serve(&self, more: &[&str]) -> Serve {
        let options = ["--user", "user:pass", "--allow-peer", "10.99.0.0/24"];
        Serve::start(&self.namespace, &[HOST], &self.identity, &[&options, more].concat())
    }

    fn run(&self, tasks: Vec<Task>) -> Errand {
        self.run_as(config(), tasks)
    }

    fn run_as(&self, config: ClientConfig, tasks: Vec<Task>) -> Errand {
        let (errand, events) = self.attempt(config, tasks);
        assert_eq!(events.last(), Some(&Event::Closed), "{events:#?}");
        errand
    }

    fn attempt(&self, config: ClientConfig, tasks: Vec<Task>) -> (Errand, Vec<Event>) {
        let errand = Errand::new(config, Seed::new([3; 32]), tasks);
        let heard = drive(&self.namespace, LIMIT, Config::default(), errand);
        (heard.machine, heard.events)
    }
}

fn config() -> ClientConfig {
    config_from(HOST)
}

fn config_from(local: IpAddr) -> ClientConfig {
    let server = TurnServer::udp(SocketAddr::new(HOST, Serve::PORT));
    let config = ClientConfig::new(server, LongTermCredential::new("user", "pass").unwrap());
    config.with_socket(Socket::Own(Some(local)))
}

/// At least 95 % of those that were sent came back.
#[track_caller]
fn assert_undisturbed(errand: &Errand, sent: usize) {
    let returned = errand.returned();
    say(&format!("{returned} of {sent} came back to who has nothing to do with it"));
    assert!(returned * 100 >= sent * 95, "{returned} of {sent}");
}

/// A thousand clients of a server that is killed and started again: each notices by itself, and goes on through another
/// allocation.
#[test]
fn a_thousand_clients_come_back_to_a_server_that_was_killed() {
    const CLIENTS: usize = 1000;
    let Some(stage) = stage() else { return };
    // They are at fifty addresses: who is not authenticated is answered only so often.
    let addresses: Vec<IpAddr> = (1..=50).map(|n| Ipv4Addr::new(10, 99, 1, n).into()).collect();
    for address in &addresses {
        stage.namespace.ip(&format!("address add {address}/32 dev lan0")).expect("an address");
    }
    let server = stage.serve(&[]);
    let (tell, told) = channel();
    let members = (0..CLIENTS).map(|n| {
        let config = config_from(addresses[n % addresses.len()]);
        let config =
            config.with_silence(Some(Duration::from_secs(1))).with_keepalive(Some(Duration::from_secs(1)));
        let exchange = Task::Exchange(By::Channel, stage.peer.address());
        let seed = u16::try_from(n).unwrap().to_be_bytes();
        let mut octets = [9; 32];
        octets[..2].copy_from_slice(&seed);
        Errand::new(
            config,
            Seed::new(octets),
            [exchange.clone(), Task::Survive(stage.peer.address(), tell.clone()), exchange],
        )
    });
    let crowd = Crowd::new(members.collect());
    drop(tell);
    let crowd = std::thread::scope(|scope| {
        let crowd = scope.spawn(|| drive(&stage.namespace, LIMIT, Config::default(), crowd).machine);
        for _ in 0..CLIENTS {
            told.recv_timeout(LIMIT).expect("every client has an allocation");
        }
        let killed = std::time::Instant::now();
        drop(server);
        let server = stage.serve(&[]);
        let crowd = crowd.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        say(&format!(
            "{CLIENTS} clients were back {:.1} s after the server was killed",
            killed.elapsed().as_secs_f32()
        ));
        drop(server);
        crowd
    });
    for (at, member) in crowd.members().iter().enumerate() {
        let stats = member.client().stats();
        assert_eq!((member.done(), stats.allocations, stats.lost), (3, 2, 1), "client {at}: {stats:?}");
    }
}

/// All ports are taken: who comes then is told so at once, and everybody else goes on; a port that is given back is had
/// by the next. (By one shard: of several, each has its share of the ports.)
#[test]
fn a_full_range_of_ports_refuses_and_disturbs_nobody() {
    let Some(stage) = stage() else { return };
    let _server = stage.serve(&["--ports", "20000-20009", "--shards", "1"]);
    let (tell, told) = channel();
    let full = Arc::new(AtomicBool::new(false));
    let tasks = || {
        let full = Arc::clone(&full);
        let until = Until::new(move || full.load(Ordering::Acquire));
        vec![Task::Listen(SECOND, tell.clone(), until), Task::Exchange(By::Channel, stage.peer.address())]
    };
    let ten = (0..10).map(|n| Errand::new(config(), Seed::new([n; 32]), tasks()));
    let crowd = Crowd::new(ten.collect());
    std::thread::scope(|scope| {
        let crowd = scope.spawn(|| drive(&stage.namespace, LIMIT, Config::default(), crowd).machine);
        let mut ports: Vec<u16> =
            (0..10).map(|_| told.recv_timeout(LIMIT).expect("ten relays").port()).collect();
        ports.sort_unstable();
        assert_eq!(ports, (20_000..20_010).collect::<Vec<u16>>());
        let config = config().with_recover(Duration::ZERO);
        let (_, events) = stage.attempt(config, vec![Task::Refresh]);
        assert_eq!(events, [Event::Failed { reason: FailureReason::InsufficientCapacity }]);
        full.store(true, Ordering::Release);
        let crowd = crowd.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(crowd.members().iter().all(|member| member.done() == 2), "{crowd:#?}");
    });
    stage.run(vec![Task::Exchange(By::Channel, stage.peer.address())]);
}

/// A peer sends ten times what an allocation may relay: its client gets what the quota lets through, and the others all of
/// theirs.
#[test]
fn a_flooding_peer_is_held_to_the_quota() {
    const QUOTA: usize = 50_000;
    const DATAGRAMS: usize = 600;
    let Some(stage) = stage() else { return };
    let _server = stage.serve(&["--bandwidth", &QUOTA.to_string()]);
    let (tell, told) = channel();
    let over = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&over);
    let until = Until::new(move || until.load(Ordering::Acquire));
    std::thread::scope(|scope| {
        let victim = scope.spawn(|| stage.run(vec![Task::Listen(SECOND, tell, until)]));
        let (namespace, over) = (&stage.namespace, &over);
        let flood = scope.spawn(move || {
            let relayed = told.recv_timeout(LIMIT).expect("a relay");
            namespace.enter(|| flood(SECOND, relayed, 10 * QUOTA, over))
        });
        let other = stage.run(vec![Task::Pace(stage.peer.address(), DATAGRAMS)]);
        over.store(true, Ordering::Release);
        let victim = victim.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).arrived();
        let (sent, lasted) = flood.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let share = QUOTA as f64 * lasted.as_secs_f64();
        say(&format!("the peer sent {sent} octets, the quota was {share:.0}, {} arrived", victim.octets));
        assert!(sent as f64 > 5.0 * share, "that was no flood: {sent} octets in {lasted:?}");
        // A second's worth may be saved up.
        assert!((victim.octets as f64) < 1.2 * share + QUOTA as f64, "{} of {share}", victim.octets);
        assert!((victim.octets as f64) > 0.5 * share, "{} of {share}", victim.octets);
        assert_undisturbed(&other, DATAGRAMS);
    });
}

/// Sends so many octets a second, until it is over; how many, and how long it was.
fn flood(from: IpAddr, to: SocketAddr, rate: usize, over: &AtomicBool) -> (usize, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a tokio runtime").block_on(async {
        let socket = tokio::net::UdpSocket::bind((from, 0)).await.expect("a socket");
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        let (begun, mut sent) = (std::time::Instant::now(), 0);
        while !over.load(Ordering::Acquire) && begun.elapsed() < LIMIT {
            tick.tick().await;
            while (sent as f64) < rate as f64 * begun.elapsed().as_secs_f64() {
                sent += socket.send_to(&[0x5A; 1000], to).await.unwrap_or_default();
            }
        }
        (sent, begun.elapsed())
    })
}
