//! A TURN server of four shards over real sockets: what one of them has given is good at all of them.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use ginnel_core::{Buffer, Epoch, HEADROOM, Handled, Instant, Packet, Path, Port, Receive, Seed, Transport};
use ginnel_stun::{
    LongTermCredential,
    auth::{AuthConfig, NonceKey, User},
};
use ginnel_tokio::{
    App,
    shards::{ShardApp, Shards, start},
};
use ginnel_turn::{
    client::{Client, ClientConfig, Event, RelayPort, Relayed, Socket, TurnServer},
    server::{
        self, Handover, Listener, RelayAddress, Server, ServerConfig, Shard, Shared,
        policy::{PeerFilter, QuotaLimits},
    },
};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SHARDS: u8 = 4;
const REALM: &str = "ginnel.test";
const TRIES: usize = 200;

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
    let at = UdpSocket::bind((LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a port");
    let auth =
        AuthConfig::long_term(REALM).expect("a realm").with_nonce_key(NonceKey::new([7; 32]), Duration::ZERO);
    let config = ServerConfig::new(auth)
        .with_listener(Listener::new(Transport::Udp, at))
        .with_relay(RelayAddress::new(LOCALHOST))
        .with_peers(PeerFilter::default().with_allowed("127.0.0.0/8".parse().expect("a range")))
        .with_quotas(QuotaLimits::default().with_per_user(quota))
        .with_mobility(true);
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
        driver.bind_shared(LOCALHOST, Port::Exact(at.port())).map_err(refused)?;
        Ok((driver, Sorts))
    });
    (shards.expect("four threads"), at)
}

/// A client with a socket that blocks, and what it has been told.
struct Caller {
    epoch: Epoch,
    client: Client,
    socket: UdpSocket,
    events: Vec<Event>,
    heard: Vec<(SocketAddr, Vec<u8>)>,
    buf: Buffer,
}

impl Caller {
    fn new(at: SocketAddr, change: impl FnOnce(ClientConfig) -> ClientConfig) -> Self {
        static DRAWN: OnceLock<Arc<Mutex<u8>>> = OnceLock::new();
        let mut drawn = DRAWN.get_or_init(Arc::default).lock().expect("whole");
        *drawn += 1;
        let socket = socket();
        let local = socket.local_addr().expect("bound");
        let credential = LongTermCredential::new("user", "pass").expect("plain words");
        let config = ClientConfig::new(TurnServer::udp(at), credential)
            .with_socket(Socket::Lent(local))
            .with_recover(Duration::ZERO);
        let epoch = Epoch::start();
        let client = Client::new(epoch.now(), change(config), Seed::new([*drawn; 32]));
        Self { epoch, client, socket, events: Vec::new(), heard: Vec::new(), buf: [0; 2_048] }
    }

    fn say(&mut self) {
        loop {
            let mut packet = Packet::empty(&mut self.buf);
            let Some(transmit) = self.client.poll_transmit(self.epoch.now(), &mut packet) else { break };
            self.socket.send_to(packet.bytes(), transmit.path.remote).expect("loopback takes it");
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
    }

    /// Until one of the events says what is wanted.
    fn until<T>(&mut self, wanted: impl Fn(&Self) -> Option<T>) -> T {
        for _ in 0..TRIES {
            self.say();
            if let Some(found) = wanted(self) {
                return found;
            }
            let local = self.socket.local_addr().expect("bound");
            match self.socket.recv_from(&mut self.buf[HEADROOM..]) {
                Ok((len, from)) => {
                    let packet = Packet::received(&mut self.buf, HEADROOM..HEADROOM + len).expect("room");
                    let mut input = Receive::new(Path::udp(local, from), packet);
                    let handled = self.client.handle_input(self.epoch.now(), &mut input);
                    if matches!(handled, Handled::Data(Relayed::Datagram { .. })) {
                        self.heard.push((input.path.remote, input.packet.bytes().to_vec()));
                    }
                }
                Err(_) => self.client.handle_timeout(self.epoch.now()),
            }
        }
        panic!("it never comes: {:?}", self.events);
    }

    fn allocated(&mut self) -> ginnel_turn::client::Allocated {
        self.until(|caller| {
            caller.events.iter().find_map(|event| match event {
                Event::Allocated(allocated) => Some(*allocated),
                Event::Failed { reason } => panic!("{reason:?}"),
                _ => None,
            })
        })
    }

    /// Data to a peer through the relay and back again.
    fn talk(&mut self, peer: &UdpSocket, word: &[u8]) {
        let to = peer.local_addr().expect("bound");
        let mut packet = Packet::empty(&mut self.buf);
        packet.append(word).expect("room");
        let transmit = self.client.send(self.epoch.now(), to, &mut packet).expect("a channel");
        self.socket.send_to(packet.bytes(), transmit.path.remote).expect("loopback takes it");
        let mut buf = [0; 64];
        let (len, from) = peer.recv_from(&mut buf).expect("it comes");
        assert_eq!(&buf[..len], word);
        peer.send_to(word, from).expect("loopback takes it");
        let expected = (to, word.to_vec());
        self.until(|caller| caller.heard.contains(&expected).then_some(()));
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("patience");
    socket
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
