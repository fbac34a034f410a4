//! A TURN server with its listeners, a client, and a peer, in one simulated network.
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{
    Framing, Handled, Instant, Notice, Packet, Path, Port, Receive, Request, Ticket, Transmit, Transport,
    Wake,
};
use ginnel_netsim::{HostId, Link, NetworkId, NodeId, Sim};
use ginnel_stun::{
    LongTermCredential,
    auth::{AuthConfig, User},
};
use ginnel_turn::{
    client::{Client, ClientConfig, Event, TurnServer},
    server::{self, Handover, Listener, RelayAddress, Server, ServerConfig},
};

pub(crate) const REALM: &str = "example.org";
pub(crate) const SERVER: &str = "198.51.100.1:3478";
pub(crate) const TLS: &str = "198.51.100.1:5349";
pub(crate) const HOME: &str = "192.0.2.1";
pub(crate) const AWAY: &str = "192.0.2.2";
pub(crate) const PEER: &str = "203.0.113.9:7000";

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}
pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A server that opens its listeners itself, as the program around it would.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) server: Server,
    listeners: VecDeque<Request>,
}
impl Owner {
    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Handover> {
        self.server.handle_input(now, input)
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now);
    }
    fn handle_notice(&mut self, now: Instant, notice: Notice) {
        match notice {
            Notice::Opened { ticket: LISTENER, result } => assert!(result.is_ok(), "{result:?}"),
            notice => self.server.handle_notice(now, notice),
        }
    }
    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        self.server.poll_transmit(now, packet)
    }
    fn poll_request(&mut self) -> Option<Request> {
        self.listeners.pop_front().or_else(|| self.server.poll_request())
    }
    fn poll_event(&mut self) -> Option<server::Event> {
        self.server.poll_event()
    }
    fn poll_timeout(&self) -> Option<Wake> {
        self.server.poll_timeout()
    }
    fn close(&mut self, now: Instant) {
        self.server.close(now);
    }
    fn is_closed(&self) -> bool {
        self.server.is_closed()
    }
}
ginnel_core::machine!(impl [] Owner { Event = server::Event; Data = Handover; } [requests]);
/// No ticket that the server draws.
const LISTENER: Ticket = Ticket(u64::MAX);

/// Whoever is at the other end of a TCP relay: does what the test says, and keeps what it is told. Sends octets back, if it
/// is to.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) requests: VecDeque<Request>,
    pub(crate) streams: Vec<Path>,
    pub(crate) lost: Vec<Path>,
    pub(crate) echoes: bool,
    target: Option<SocketAddr>,
}
impl Peer {
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled {
        if self.echoes { Handled::Send(Transmit::to(input.path)) } else { Handled::Data(()) }
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn handle_notice(&mut self, _: Instant, notice: Notice) {
        match notice {
            Notice::Accepted { path, .. } => self.streams.push(path),
            Notice::Opened { ticket: CONNECT, result: Ok(local) } => {
                let remote = self.target.expect("it asked");
                self.streams.push(Path::new(Transport::Tcp, local, remote));
            }
            Notice::Lost { transport, local, remote: Some(remote) } => {
                self.lost.push(Path::new(transport, local, remote));
            }
            _ => {}
        }
    }
    fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
    fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    fn close(&mut self, _: Instant) {}
    fn is_closed(&self) -> bool {
        false
    }
    /// One that begins with this request.
    pub(crate) fn asking(request: Request, echoes: bool) -> Self {
        Self { requests: [request].into(), echoes, ..Self::default() }
    }
    /// Opens a stream to a relayed address.
    pub(crate) fn connect(&mut self, remote: SocketAddr) {
        self.target = Some(remote);
        self.requests.push_back(Request::Connect {
            ticket: CONNECT,
            transport: Transport::Tcp,
            local: None,
            remote,
            framing: Framing::Raw,
            host: None,
            alpn: None,
        });
    }
}
ginnel_core::machine!(impl [] Peer { Event = (); Data = (); } [requests]);
const CONNECT: Ticket = Ticket(1);

/// The network.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) home: HostId,
    pub(crate) away: HostId,
    pub(crate) server: NodeId<Owner>,
    pub(crate) peer_host: HostId,
    pub(crate) log: Vec<Event>,
}
impl World {
    pub(crate) fn new(scenario: &str, seed: u64, link: Link) -> Self {
        let mut sim = Sim::new(seed).named(scenario);
        sim.set_default_link(NetworkId::CORE, link);
        let home = sim.host([HOME, AWAY]);
        let host = sim.host(["198.51.100.1"]);
        let peer_host = sim.host(["203.0.113.9"]);
        let server = serve(&mut sim, host, "server");
        Self { sim, home, away: host, server, peer_host, log: Vec::new() }
    }
    /// The server's machine loses its power, and comes back after a while as one that knows nobody.
    pub(crate) fn restart(&mut self, after: Duration) {
        self.sim.kill(self.server);
        self.sim.run_for(after);
        self.server = serve(&mut self.sim, self.away, "restarted");
    }
    /// A client, which begins to allocate.
    pub(crate) fn client(
        &mut self,
        server: TurnServer,
        configure: impl FnOnce(ClientConfig) -> ClientConfig,
    ) -> NodeId<Client> {
        let credential = LongTermCredential::new("user", "pass").unwrap();
        let config = configure(ClientConfig::new(server, credential));
        let machine = Client::new(self.sim.now(), config, self.sim.seed("client"));
        self.sim.add(self.home, machine)
    }
    /// A peer that listens for streams.
    pub(crate) fn peer(&mut self, echoes: bool) -> NodeId<Peer> {
        let listen = Request::Listen {
            ticket: LISTENER,
            transport: Transport::Tcp,
            ip: addr(PEER).ip(),
            port: Port::Exact(addr(PEER).port()),
            framing: Framing::Raw,
        };
        self.sim.add(self.peer_host, Peer::asking(listen, echoes))
    }
    /// Runs until the client says what is looked for, and returns what that is made into.
    #[track_caller]
    pub(crate) fn expect<R>(
        &mut self,
        client: NodeId<Client>,
        what: &str,
        limit: Duration,
        mut is_it: impl FnMut(&Event) -> Option<R>,
    ) -> R {
        let (mut found, mut log) = (None, Vec::new());
        self.sim.run_until(limit, |sim| {
            for event in sim.events(client) {
                found = found.take().or_else(|| is_it(&event));
                log.push(event);
            }
            found.is_some()
        });
        self.log.append(&mut log);
        found.unwrap_or_else(|| panic!("no {what} in {:?}: {}", self.log, self.sim.reproduce()))
    }
    /// All that a client's relay gave it since it was asked last.
    pub(crate) fn heard(&mut self, client: NodeId<Client>) -> Vec<u8> {
        self.sim.data(client).into_iter().flat_map(|it| it.bytes).collect()
    }
    pub(crate) fn heard_by(&mut self, peer: NodeId<Peer>) -> Vec<u8> {
        self.sim.data(peer).into_iter().flat_map(|it| it.bytes).collect()
    }
    /// A peer sends octets on a stream of its own.
    pub(crate) fn peer_says(&mut self, peer: NodeId<Peer>, stream: Path, octets: &[u8]) {
        self.sim.send(peer, octets, |_, _, _| Ok::<_, ()>(Transmit::to(stream))).unwrap();
    }
}
/// A server of everything, over UDP, TCP and TLS.
fn serve(sim: &mut Sim, host: HostId, label: &str) -> NodeId<Owner> {
    let mut config = ServerConfig::new(AuthConfig::long_term(REALM).unwrap())
        .with_relay(RelayAddress::new(ip("198.51.100.1")))
        .with_tcp_relays(true)
        .with_mobility(true);
    let mut listeners = VecDeque::new();
    for (transport, at) in [(Transport::Udp, SERVER), (Transport::Tcp, SERVER), (Transport::Tls, TLS)] {
        config = config.with_listener(Listener::new(transport, addr(at)));
        let (ticket, ip, port) = (LISTENER, addr(at).ip(), Port::Exact(addr(at).port()));
        listeners.push_back(match transport {
            Transport::Udp => Request::Bind { ticket, ip, port },
            _ => Request::Listen { ticket, transport, ip, port, framing: Framing::Stun },
        });
    }
    let mut server = Server::new(config, sim.seed(label));
    server.add_user(User::long_term("user", REALM, "pass").unwrap()).unwrap();
    sim.add(host, Owner { server, listeners })
}
