//! What goes wrong around our server: it is killed, it is stopped, its ports run out, peers flood, clients do not read, the
//! clock of the machine jumps, users are looked up where nobody answers. Who has nothing to do with it keeps at least 95 % of
//! his datagrams. `ginnel serve`, where it has a key for it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread::ScopedJoinHandle,
    time::Duration,
};

use ginnel_core::{Seed, Transport};
use ginnel_interop::{
    By, Crowd, Errand, Hand, Identity, Inside, Namespace, Peer, Serve, Task, Until, channel_data, drive,
    drive_until, say, skip,
};
use ginnel_stun::{Class, LongTermCredential, Method, attribute::RequestedTransport, client as stun};
use ginnel_tokio::{ClientTls, Config};
use ginnel_turn::{
    client::{ClientConfig, Event, FailureReason, Socket, TurnServer},
    rest::{RestSecret, RestSecrets, UnixTime},
    server::{Credentials, ServerConfig},
};

/// Long enough for a busy machine, and no test waits for it to pass.
const LIMIT: Duration = Duration::from_secs(60);

/// How long nothing comes where nothing is to come.
const SILENCE: Duration = Duration::from_secs(2);

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

    /// For a client, which trusts the server.
    fn driver(&self) -> Config {
        let trusted = ClientTls::from_pem(self.identity.authority.as_bytes()).expect("an authority");
        Config::default().with_client_tls(trusted)
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
        let heard = drive(&self.namespace, LIMIT, self.driver(), errand);
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

/// The same through another transport.
fn config_over(transport: Transport) -> ClientConfig {
    let [plain, secure] = [Serve::PORT, Serve::TLS_PORT].map(|port| SocketAddr::new(HOST, port));
    let server = match transport {
        Transport::Udp => TurnServer::udp(plain),
        Transport::Tcp => TurnServer::tcp(plain),
        _ => TurnServer::tls(secure, Identity::NAME.parse().ok()),
    };
    let config = ClientConfig::new(server, LongTermCredential::new("user", "pass").unwrap());
    config.with_socket(Socket::Own(Some(HOST)))
}

/// What a thread has come to; a panic of it is ours.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
    // They share one thread.
    const THOUSAND: Duration = Duration::from_secs(180);
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
        let crowd = scope.spawn(|| drive(&stage.namespace, THOUSAND, Config::default(), crowd).machine);
        for _ in 0..CLIENTS {
            told.recv_timeout(THOUSAND).expect("every client has an allocation");
        }
        let killed = std::time::Instant::now();
        drop(server);
        let server = stage.serve(&[]);
        let crowd = joined(crowd);
        say(&format!(
            "{CLIENTS} clients were back {:.1} s after the server was killed",
            killed.elapsed().as_secs_f32()
        ));
        drop(server);
        crowd
    });
    for (at, member) in crowd.members().iter().enumerate() {
        let stats = member.client().stats();
        assert_eq!(member.done(), 3, "client {at}: {stats:?}");
        assert!(stats.lost >= 1 && stats.allocations > stats.lost, "client {at}: {stats:?}");
    }
}

/// All ports are taken: who comes then is told so at once, and everybody else goes on; a port that is given back is had
/// by the next. (By one shard: of several, each has its share of the ports.)
#[test]
fn a_full_range_of_ports_refuses_and_disturbs_nobody() {
    const DATAGRAMS: usize = 400;
    let Some(stage) = stage() else { return };
    let _server = stage.serve(&["--ports", "20000-20009", "--shards", "1"]);
    let (tell, told) = channel();
    let (full, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let tasks = || {
        let over = Arc::clone(&over);
        let until = Until::new(move || over.load(Ordering::Acquire));
        vec![Task::Listen(SECOND, tell.clone(), until), Task::Exchange(By::Channel, stage.peer.address())]
    };
    let nine = (0..9).map(|n| Errand::new(config(), Seed::new([n; 32]), tasks()));
    let crowd = Crowd::new(nine.collect());
    let waits = Arc::clone(&full);
    let waits = Until::new(move || waits.load(Ordering::Acquire));
    let tenth = vec![Task::Listen(SECOND, tell.clone(), waits), Task::Pace(stage.peer.address(), DATAGRAMS)];
    std::thread::scope(|scope| {
        let crowd = scope.spawn(|| drive(&stage.namespace, LIMIT, Config::default(), crowd).machine);
        let tenth = scope.spawn(|| stage.run(tenth));
        let mut ports: Vec<u16> =
            (0..10).map(|_| told.recv_timeout(LIMIT).expect("ten relays").port()).collect();
        ports.sort_unstable();
        assert_eq!(ports, (20_000..20_010).collect::<Vec<u16>>());
        full.store(true, Ordering::Release);
        let mut refused = 0;
        while refused == 0 || !tenth.is_finished() {
            let (_, events) = stage.attempt(config().with_recover(Duration::ZERO), vec![Task::Refresh]);
            // The one that paced may have given its port back meanwhile.
            if events != [Event::Failed { reason: FailureReason::InsufficientCapacity }] {
                assert!(refused > 0 && events.last() == Some(&Event::Closed), "{events:#?}");
                break;
            }
            refused += 1;
        }
        say(&format!("{refused} clients were refused"));
        assert_undisturbed(&joined(tenth), DATAGRAMS);
        over.store(true, Ordering::Release);
        let crowd = joined(crowd);
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
        let victim = joined(victim).arrived();
        let (sent, lasted) = joined(flood);
        let share = QUOTA as f64 * lasted.as_secs_f64();
        say(&format!("the peer sent {sent} octets, the quota was {share:.0}, {} arrived", victim.octets));
        assert!(sent as f64 > 5.0 * share, "that was no flood: {sent} octets in {lasted:?}");
        // A second's worth may be saved up.
        assert!((victim.octets as f64) < 1.2 * share + QUOTA as f64, "{} of {share}", victim.octets);
        assert!((victim.octets as f64) > 0.5 * share, "{} of {share}", victim.octets);
        assert_undisturbed(&other, DATAGRAMS);
    });
}

/// Clients over TCP and TLS read nothing while their peers flood them: what waits for them is bounded, and so is what it takes
/// of the memory of the server.
#[test]
fn clients_that_do_not_read_disturb_nobody() {
    const DATAGRAMS: usize = 800;
    /// Octets a second, for each of them.
    const RATE: usize = 5_000_000;
    /// What the kernel may keep for a stream (`tcp_wmem`), and more than that.
    const ENOUGH: usize = 10_000_000;
    const BOUND: usize = 8 << 20;
    let Some(stage) = stage() else { return };
    let server = stage.serve(&Serve::METRICS);
    let dropped = || server.metric(&stage.namespace, "ginnel_stream_messages_total{result=\"dropped\"}");
    let over = Arc::new(AtomicBool::new(false));
    let stage = &stage;
    std::thread::scope(|scope| {
        let (ends, floods): (Vec<_>, Vec<_>) = [Transport::Tcp, Transport::Tls]
            .map(|transport| {
                let (tell, told) = channel();
                let (end, ended) = channel::<()>();
                scope.spawn(move || {
                    let task = Task::Listen(SECOND, tell, Until::new(|| false));
                    let errand = Errand::new(config_over(transport), Seed::new([4; 32]), [task]);
                    let ready = |event: &Event| matches!(event, Event::PermissionReady { .. });
                    drive_until(&stage.namespace, LIMIT, stage.driver(), errand, ready, move |_| {
                        // It is over when the other end is gone.
                        let _ = ended.recv();
                    });
                });
                let relayed = told.recv_timeout(LIMIT).expect("a relay");
                let over = Arc::clone(&over);
                let flood =
                    scope.spawn(move || stage.namespace.enter(|| flood(SECOND, relayed, RATE, &over)).0);
                (end, flood)
            })
            .into_iter()
            .unzip();
        let before = server.memory();
        let paced = [Transport::Udp, Transport::Tcp].map(|transport| {
            let task = Task::Pace(stage.peer.address(), DATAGRAMS);
            scope.spawn(move || stage.run_as(config_over(transport), vec![task]))
        });
        for paced in paced {
            assert_undisturbed(&joined(paced), DATAGRAMS);
        }
        let (after, dropped) = (server.memory(), dropped());
        over.store(true, Ordering::Release);
        let sent: Vec<usize> = floods.into_iter().map(joined).collect();
        drop(ends);
        say(&format!(
            "{sent:?} octets for two who do not read: {dropped} datagrams dropped, {before} octets of memory before, {after} after"
        ));
        assert!(sent.iter().all(|sent| *sent > ENOUGH), "those would fit into the kernel: {sent:?}");
        assert!(dropped > 0, "somebody has read");
        assert!(after < before + BOUND, "{before} octets of memory grew to {after}");
    });
    // It ends them, and goes on.
    stage.run(vec![Task::Exchange(By::Channel, stage.peer.address())]);
}

/// The server is stopped, as by a machine that sleeps, and goes on later: its allocations are there, and so are their
/// permissions and channels.
#[test]
fn a_server_that_was_stopped_goes_on() {
    let Some(stage) = stage() else { return };
    let server = stage.serve(&[]);
    let at = SocketAddr::new(HOST, Serve::PORT);
    let mut hands = [Hand::udp(&stage.namespace, HOST, at), Hand::tcp(&stage.namespace, at)];
    for hand in &mut hands {
        assert_eq!(hand.allocate().error, None);
        assert_eq!(hand.bind(0x4000, stage.peer.address()).error, None);
    }
    server.stop();
    for hand in &mut hands {
        let binding = hand.binding();
        hand.say(&binding);
        assert_eq!(hand.hear(SILENCE), None, "it is stopped");
    }
    server.signal("-CONT");
    for hand in &mut hands {
        assert_eq!(hand.refresh(600).error, None);
        assert!(echoes(hand, b"data"), "the channel is there");
    }
}

/// Whether these octets come back from the peer of channel 0x4000; of those that are lost the next are tried.
fn echoes(hand: &mut Hand, octets: &[u8]) -> bool {
    assert_eq!(octets.len() % 4, 0, "over streams the rest would have to be padded");
    (0..10).any(|_| {
        hand.say(&channel_data(0x4000, octets));
        hand.hear_data(SILENCE).as_deref() == Some(octets)
    })
}

/// The clock of the machine jumps, a day ahead and two days back: who has an allocation keeps it and all its datagrams, and
/// only who comes then is judged by what the clock says.
#[test]
fn jumps_of_the_clock_end_no_allocation() {
    const DATAGRAMS: usize = 600;
    const DAY: Duration = Duration::from_secs(86_400);
    const NOON: Duration = Duration::from_secs(1_800_000_000);
    let Some(stage) = stage() else { return };
    let secret = RestSecret::new("secret");
    let credentials = Credentials::Rest(RestSecrets::new([secret.clone()]).unwrap());
    let server = Inside::start(&stage.namespace, HOST, |auth| auth, |it| it.with_credentials(credentials));
    server.set_clock(NOON);
    // Good for an hour.
    let named = secret.credential("alice", UnixTime(NOON.as_secs() + 3600));
    let mut config = config();
    config.credential = Some(LongTermCredential::new(&named.username, &named.password).unwrap());
    let (stage, config) = (&stage, &config);
    let (tell, told) = channel();
    let jumped = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&jumped);
    let until = Until::new(move || until.load(Ordering::Acquire));
    std::thread::scope(|scope| {
        let tasks = vec![
            Task::Listen(SECOND, tell, until),
            Task::Pace(stage.peer.address(), DATAGRAMS),
            Task::Refresh,
            Task::Exchange(By::Channel, stage.peer.address()),
        ];
        let there = scope.spawn(move || stage.run_as(config.clone(), tasks));
        told.recv_timeout(LIMIT).expect("a relay");
        jumped.store(true, Ordering::Release);
        let newcomer = || {
            let tasks = vec![Task::Exchange(By::Channel, stage.peer.address())];
            stage.attempt(config.clone().with_recover(Duration::ZERO), tasks).1
        };
        server.set_clock(NOON + DAY);
        let reason = FailureReason::Transaction(stun::FailureReason::Unauthenticated);
        assert_eq!(newcomer(), [Event::Failed { reason }], "that credential is over by the new clock");
        server.set_clock(NOON - DAY);
        assert_eq!(newcomer().last(), Some(&Event::Closed), "and it is good again by this one");
        server.set_clock(NOON);
        let there = joined(there);
        assert_undisturbed(&there, DATAGRAMS);
        assert_eq!((there.client().stats().allocations, there.client().stats().lost), (1, 0));
    });
}

/// Users are looked up where nobody ever answers: those who are known go on, those who have an allocation are not asked for,
/// and thousands who wait take no more than the room that there is.
#[test]
fn a_back_end_that_never_answers_disturbs_nobody_who_is_known() {
    const DATAGRAMS: usize = 600;
    const WAITING: usize = 64;
    const STRANGERS: usize = 5_000;
    const BOUND: usize = 4 << 20;
    let Some(stage) = stage() else { return };
    let credentials = Credentials::ByEvent { max_waiting: WAITING };
    let change = |config: ServerConfig| config.with_credentials(credentials);
    let server = Inside::start(&stage.namespace, HOST, |auth| auth, change);
    let stage = &stage;
    std::thread::scope(|scope| {
        let tasks = vec![Task::Pace(stage.peer.address(), DATAGRAMS), Task::Refresh];
        let known = scope.spawn(|| stage.run(tasks));
        let mut stranger = Hand::udp(&stage.namespace, SECOND, SocketAddr::new(HOST, Serve::PORT));
        let bare = stranger
            .message(Class::Request, Method::ALLOCATE, |open| open.attribute(&RequestedTransport::UDP));
        let challenge = stranger.exchange(&bare);
        assert_eq!(challenge.error, Some(401));
        stranger.heed(&challenge);
        let before = own_memory();
        for n in 0..STRANGERS {
            stranger.be(&format!("stranger {n}"), "pass");
            let request = stranger.request(Method::ALLOCATE, |open| open.attribute(&RequestedTransport::UDP));
            stranger.say(&request);
            if n % 50 == 0 {
                // It keeps up: what is asked behind them is answered.
                let binding = stranger.binding();
                assert_eq!(stranger.exchange(&binding).error, None);
            }
        }
        let after = own_memory();
        let asked = server.asked();
        let count = asked.len();
        let (waiting, open, allocations) = server.ask(move |driver| {
            let open = driver.locals().count();
            driver.with(|server, now| {
                let allocations = server.allocations(now).count();
                // For who waits no more an answer is too late.
                let waiting = asked.into_iter().filter(|ticket| server.answer(*ticket, None)).count();
                (waiting, open, allocations)
            })
        });
        say(&format!(
            "{count} strangers were asked for: {waiting} wait, {open} sockets are open, {before} octets of memory before, {after} after"
        ));
        assert!(count > STRANGERS / 2 && waiting == WAITING, "{waiting} of {count} wait");
        // The listener, and the relay of who is known, if he is there already or still.
        assert!(open <= 2 && allocations <= 1, "{open} sockets, {allocations} allocations");
        assert!(after < before + BOUND, "{before} octets of memory grew to {after}");
        assert_undisturbed(&joined(known), DATAGRAMS);
    });
    stage.run(vec![Task::Exchange(By::Channel, stage.peer.address())]);
}

/// How much memory this process has, in octets.
fn own_memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux says");
    statm.split(' ').nth(1).expect("a second number").parse::<usize>().expect("a number") << 12
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
