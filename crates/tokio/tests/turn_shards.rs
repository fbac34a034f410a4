//! A TURN server of four shards over real sockets: what one of them has given is good at all of them.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::Mutex,
    thread,
    time::Duration,
};

use ginnel_core::{Epoch, Framing, Handled, Instant, Port, Receive, Seed, Transmit, Transport};
use ginnel_stun::{
    LongTermCredential,
    auth::{AuthConfig, NonceKey, User},
};
use ginnel_tokio::{
    App, Driver,
    shards::{ShardApp, Shards, start},
};
use ginnel_turn::{
    client::{
        Client, ClientConfig, Connection, Event, RelayPort, RelayTransport, Relayed, Socket, TurnServer,
    },
    server::{
        self, Handover, Listener, RelayAddress, Server, ServerConfig, Shard, Shared,
        policy::{PeerFilter, QuotaLimits},
    },
};
use support::{Caller, LOCALHOST, REALM, socket};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const SHARDS: u8 = 4;
const PATIENCE: Duration = Duration::from_secs(20);

struct Sorts;
impl App<Server> for Sorts {
    fn event(&mut self, _: Instant, _: &mut Server, _: server::Event) {}
}
impl ShardApp<Server> for Sorts {
    fn elsewhere(&self, data: &Handover) -> Option<usize> {
        Some(data.shard.into())
    }
    fn handed_over(
        &mut self,
        now: Instant,
        server: &mut Server,
        input: &mut Receive<'_>,
    ) -> Handled<Handover> {
        server.handle_handed_over(now, input)
    }
}

/// Four shards on one address, for one user with so many allocations.
fn serve(quota: u32) -> (Shards<Server>, SocketAddr) {
    // Somebody else may take a port that was free a moment ago.
    (0..20).find_map(|_| try_to_serve(quota).ok()).expect("four threads")
}

fn try_to_serve(quota: u32) -> std::io::Result<(Shards<Server>, SocketAddr)> {
    // A port that is free for streams may be taken for datagrams.
    let at = loop {
        let listener = TcpListener::bind((LOCALHOST, 0)).expect("a port");
        let at = listener.local_addr().expect("bound");
        if UdpSocket::bind(at).is_ok() {
            break at;
        }
    };
    let auth =
        AuthConfig::long_term(REALM).expect("a realm").with_nonce_key(NonceKey::new([7; 32]), Duration::ZERO);
    let config = ServerConfig::new(auth)
        .with_listener(Listener::new(Transport::Udp, at))
        .with_listener(Listener::new(Transport::Tcp, at))
        .with_relay(RelayAddress::new(LOCALHOST))
        .with_peers(PeerFilter::default().with_allowed("127.0.0.0/8".parse().expect("a range")))
        .with_quotas(QuotaLimits::default().with_per_user(quota))
        .with_mobility(true)
        .with_tcp_relays(true);
    let shared = Shared::several(&config, &Seed::new([8; 32]), SHARDS.into());
    let shared = Mutex::new(shared.into_iter().map(Some).collect::<Vec<_>>());
    // One time for all: nonces are dated.
    let epoch = Epoch::start();
    let shards = start(SHARDS.into(), move |index| -> std::io::Result<_> {
        let shared = shared.lock().expect("whole")[index].take().expect("once each");
        let number = u8::try_from(index).expect("a small number");
        let config = config.clone().with_shard(Shard::new(number, SHARDS));
        let mut server = Server::with_shared(config, shared, Seed::new([number; 32]));
        server.add_user(User::long_term("user", REALM, "pass").expect("plain words")).expect("room");
        let mut driver = ginnel_tokio::driver(epoch, server);
        let refused = |why| std::io::Error::other(format!("{why:?}"));
        let port = Port::Exact(at.port());
        driver.bind_shared(LOCALHOST, port).map_err(refused)?;
        driver.listen_shared(Transport::Tcp, LOCALHOST, port, Framing::Stun).map_err(refused)?;
        Ok((driver, Sorts))
    });
    Ok((shards?, at))
}

fn end(shards: Shards<Server>) {
    shards.close();
    shards.join().expect("no panic");
}

/// How many allocations each shard has.
fn allocations(shards: &Shards<Server>) -> Vec<usize> {
    let count = |handle: &ginnel_tokio::shards::Handle<Server>| {
        let now = |driver: &mut ginnel_tokio::Driver<Server>| {
            driver.with(|server, now| server.allocations(now).count())
        };
        handle.ask(now).expect("room").wait().expect("an answer")
    };
    shards.handles().iter().map(count).collect()
}

#[test]
fn quotas_are_counted_across_shards() {
    const QUOTA: usize = 12;
    let (shards, at) = serve(12);
    let mut callers: Vec<_> = (0..QUOTA).map(|_| Caller::new(at, |config| config)).collect();
    for caller in &mut callers {
        caller.allocated();
    }
    let each = allocations(&shards);
    assert_eq!(each.iter().sum::<usize>(), QUOTA);
    assert!(each.iter().filter(|count| **count > 0).count() > 1, "the system deals senders out: {each:?}");
    for _ in 0..8 {
        let mut one_more = Caller::new(at, |config| config);
        let refused = one_more.until(|caller| {
            caller.events.iter().find_map(|event| match event {
                Event::Failed { reason } => Some(format!("{reason:?}")),
                Event::Allocated(_) => panic!("beyond the quota"),
                _ => None,
            })
        });
        assert!(refused.contains("QuotaReached"), "whichever shard is asked: {refused}");
    }
    // What one shard gives back, another can give out.
    let gone = &mut callers[0];
    gone.client.close(gone.epoch.now());
    gone.until(|caller| caller.events.contains(&Event::Closed).then_some(()));
    Caller::new(at, |config| config).allocated();
    end(shards);
}

#[test]
fn reservations_and_nonces_are_good_at_every_shard() {
    let (shards, at) = serve(200);
    for _ in 0..8 {
        let mut first = Caller::new(at, |config| config.with_port(RelayPort::EvenAndNext));
        let given = first.allocated();
        let token = given.reservation.expect("a token");
        let relayed = given.relayed.ipv4.expect("IPv4");
        let mut second = Caller::new(at, |config| config.with_port(RelayPort::Reserved(token)));
        let next = second.allocated().relayed.ipv4.expect("IPv4");
        assert_eq!((relayed.port() % 2, next.port()), (0, relayed.port() + 1));
        // Where it lives, its data goes, wherever it lands.
        let peer = socket();
        second.client.bind_channel(second.epoch.now(), peer.local_addr().expect("bound")).expect("a peer");
        second.until(|caller| {
            caller.events.iter().any(|event| matches!(event, Event::ChannelBound { .. })).then_some(())
        });
        second.talk(&peer, b"reserved");
    }
    assert!(shards.posts().iter().any(|post| post.sent() > 0), "some of them landed elsewhere");
    let stale = |driver: &mut ginnel_tokio::Driver<Server>| driver.machine().auth_stats().stale;
    for handle in shards.handles() {
        let stale = handle.ask(stale).expect("room").wait().expect("an answer");
        assert_eq!(stale, 0, "a nonce that one shard has given is good at another");
    }
    end(shards);
}

#[test]
fn a_client_that_moves_keeps_its_allocation_whichever_shard_it_comes_to() {
    let (shards, at) = serve(200);
    let mut caller = Caller::new(at, |config| config.with_mobility(true));
    assert!(caller.allocated().movable);
    let peer = socket();
    caller.client.bind_channel(caller.epoch.now(), peer.local_addr().expect("bound")).expect("a peer");
    caller.until(|caller| {
        caller.events.iter().any(|event| matches!(event, Event::ChannelBound { .. })).then_some(())
    });
    caller.talk(&peer, b"before");
    for moved in 1..=8 {
        caller.socket = socket();
        let local = caller.socket.local_addr().expect("bound");
        caller.client.migrate(caller.epoch.now(), Socket::Lent(local)).expect("it can move");
        caller.until(|caller| {
            let count = caller.events.iter().filter(|event| matches!(event, Event::Moved { .. })).count();
            (count == moved).then_some(())
        });
        caller.talk(&peer, format!("after {moved}").as_bytes());
    }
    assert_eq!(allocations(&shards).iter().sum::<usize>(), 1, "it is one allocation all the time");
    assert!(shards.posts().iter().any(|post| post.sent() > 0), "some of them landed elsewhere");
    end(shards);
}

/// What a client says of itself.
#[derive(Debug)]
enum Said {
    Event(Box<Event>),
    Octets(Connection, Vec<u8>),
}
struct Tells(UnboundedSender<Said>);
impl App<Client> for Tells {
    fn event(&mut self, _: Instant, _: &mut Client, event: Event) {
        self.0.send(Said::Event(Box::new(event))).expect("the test listens");
    }
    fn data(
        &mut self,
        _: Instant,
        _: &mut Client,
        data: Relayed,
        input: &mut Receive<'_>,
    ) -> Option<Transmit> {
        let Relayed::Octets { connection } = data else { return None };
        self.0.send(Said::Octets(connection, input.packet.bytes().to_vec())).expect("the test listens");
        None
    }
}

/// A client with a TCP allocation, over a stream, while it is driven.
struct Streams {
    driver: Driver<Client>,
    app: Tells,
    said: UnboundedReceiver<Said>,
}
impl Streams {
    fn new(at: SocketAddr) -> Self {
        let credential = LongTermCredential::new("user", "pass").expect("plain words");
        let config = ClientConfig::new(TurnServer::tcp(at), credential).with_relay(RelayTransport::Tcp);
        let epoch = Epoch::start();
        let client = Client::new(epoch.now(), config, Seed::new([62; 32]));
        let (tell, said) = unbounded_channel();
        Self { driver: ginnel_tokio::driver(epoch, client), app: Tells(tell), said }
    }
    /// Until it says what is wanted.
    async fn until<T>(&mut self, wanted: impl Fn(&Said) -> Option<T>) -> T {
        loop {
            let said = tokio::select! {
                said = self.said.recv() => said.expect("it is there"),
                () = self.driver.run(&mut self.app) => panic!("it is never closed"),
                () = tokio::time::sleep(PATIENCE) => panic!("it never comes"),
            };
            if let Some(found) = wanted(&said) {
                return found;
            }
            if let Said::Event(event) = said {
                assert!(!matches!(*event, Event::Failed { .. } | Event::ConnectFailed { .. }), "{event:?}");
            }
        }
    }
    async fn connected(&mut self, wanted: Connection) {
        self.until(|said| match said {
            Said::Event(event) => {
                matches!(**event, Event::Connected { connection, .. } if connection == wanted).then_some(())
            }
            Said::Octets(..) => None,
        })
        .await;
    }
    fn say(&mut self, connection: Connection, octets: &[u8]) {
        for piece in octets.chunks(1_000) {
            self.driver
                .send(piece, |client, now, packet| client.send_octets(now, connection, packet))
                .expect("it is open");
        }
    }
    /// So many octets of a connection.
    async fn hear(&mut self, wanted: Connection, count: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        while heard.len() < count {
            let octets = self.until(|said| match said {
                Said::Octets(connection, octets) => (*connection == wanted).then(|| octets.clone()),
                Said::Event(_) => None,
            });
            heard.extend(octets.await);
        }
        heard
    }
}

/// A peer, which waits for its octets in a thread of its own.
#[allow(clippy::disallowed_methods, reason = "a plain socket beside the runtime under test")]
fn aside<T: Send + 'static>(peer: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(peer)
}

/// RFC 6062: the stream that a client opens for a connection lands at any shard, and belongs to the one with its allocation.
#[test]
fn connections_of_a_tcp_relay_find_their_shard() {
    const EACH: usize = 8;
    let (shards, at) = serve(200);
    let words: Vec<u8> = (0..20_000_u32).map(|n| u8::try_from(n % 251).expect("small")).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut client = Streams::new(at);
        let relayed = client
            .until(|said| match said {
                Said::Event(event) => match **event {
                    Event::Allocated(allocated) => allocated.relayed.ipv4,
                    _ => None,
                },
                Said::Octets(..) => None,
            })
            .await;
        // To peers, each of which sends back what it hears.
        for _ in 0..EACH {
            let peer = TcpListener::bind((LOCALHOST, 0)).expect("a port");
            let to = peer.local_addr().expect("bound");
            aside(move || {
                let (stream, _) = peer.accept().expect("the relay comes");
                std::io::copy(&mut &stream, &mut &stream)
            });
            let connection = client.driver.with(|client, now| client.connect(now, to)).expect("a peer");
            client.connected(connection).await;
            client.say(connection, &words);
            assert!(client.hear(connection, words.len()).await == words, "it comes back as it was");
        }
        // From peers.
        client.driver.with(|client, now| client.permit(now, LOCALHOST)).expect("a peer");
        client
            .until(|said| match said {
                Said::Event(event) => matches!(**event, Event::PermissionReady { .. }).then_some(()),
                Said::Octets(..) => None,
            })
            .await;
        for _ in 0..EACH {
            let expected = words.clone();
            let peer = aside(move || {
                let mut stream = TcpStream::connect(relayed).expect("the relay listens");
                stream.set_read_timeout(Some(PATIENCE)).expect("patience");
                // Before the client has come for it.
                stream.write_all(&expected).expect("room");
                let mut back = vec![0; expected.len()];
                stream.read_exact(&mut back).expect("octets come back");
                assert!(back == expected);
            });
            let connection = client
                .until(|said| match said {
                    Said::Event(event) => match **event {
                        Event::ConnectionAttempt { connection, .. } => Some(connection),
                        _ => None,
                    },
                    Said::Octets(..) => None,
                })
                .await;
            client.driver.with(|client, now| client.accept(now, connection)).expect("it is offered");
            client.connected(connection).await;
            let heard = client.hear(connection, words.len()).await;
            client.say(connection, &heard);
            let done = async {
                while !peer.is_finished() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = done => {}
                () = client.driver.run(&mut client.app) => panic!("it is never closed"),
            }
            peer.join().expect("the peer is content");
        }
        assert_eq!(allocations(&shards).iter().sum::<usize>(), 1, "all of them belong to one");
    });
    assert!(shards.posts().iter().any(|post| post.streams() > 0), "some of them landed elsewhere");
    assert!(shards.posts().iter().all(|post| post.dropped() == 0));
    end(shards);
}
