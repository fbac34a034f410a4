//! The network itself: which datagram goes where, and when it arrives.

use alloc::{boxed::Box, collections::BTreeMap, format, vec::Vec};
use core::net::{IpAddr, SocketAddr};

use ginnel_core::{Instant, Notice, Packet, Request, Seed, Transmit, Transport};

use crate::{
    Datagram, Fate, HostId, Link, Middlebox, NetworkId, Place, Verdict,
    host::Host,
    log::Log,
    pipe::{Passage, Pipe},
    tcp::{Errand, Key, Streams},
};

/// More middleboxes than any sensible tree has on one way; a loop of hairpins ends here.
const MAX_HOPS: u8 = 32;

#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) seed: Seed,
    pub(crate) hosts: Vec<Host>,
    pub(crate) networks: Vec<Network>,
    pub(crate) pipes: BTreeMap<(NetworkId, Place, Place), Pipe>,
    pub(crate) log: Log,
    /// In the order of arrival; what arrives together, in the order of departure.
    flights: BTreeMap<(Instant, u64), Happening>,
    pub(crate) streams: Streams,
    departed: u64,
}

#[derive(Debug)]
pub(crate) struct Network {
    /// What it hangs on, through what; the core hangs on nothing.
    pub(crate) uplink: Option<(NetworkId, Box<dyn Middlebox>)>,
    pub(crate) link: Link,
}

/// A datagram between two places of one network.
#[derive(Debug)]
struct Flight {
    datagram: Datagram,
    network: NetworkId,
    to: Place,
    hops: u8,
}

/// What happens at an instant.
#[derive(Debug)]
enum Happening {
    Arrival(Flight),
    Stream(Errand),
}

/// What a node is to be shown.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// A datagram that has come to a socket.
    Datagram { node: usize, local: SocketAddr, datagram: Datagram },
    /// A stream that may have a message.
    Stream(Key),
    /// News.
    Notice(usize, Notice),
}

impl Net {
    pub(crate) fn new(seed: Seed) -> Self {
        let core = Network { uplink: None, link: Link::default() };
        Self {
            now: Instant::EPOCH,
            seed,
            hosts: Vec::new(),
            networks: [core].into(),
            pipes: BTreeMap::new(),
            log: Log::new(),
            flights: BTreeMap::new(),
            streams: Streams::default(),
            departed: 0,
        }
    }

    pub(crate) fn pipe(&mut self, network: NetworkId, from: Place, to: Place) -> &mut Pipe {
        let seed = &self.seed;
        self.pipes
            .entry((network, from, to))
            .or_insert_with(|| Pipe::new(seed.fork(&format!("link {} {from:?} {to:?}", network.0))))
    }

    // ---- what nodes do

    /// Sends for a node: from a socket of its own, or from all interfaces where that socket is a group's.
    pub(crate) fn send(&mut self, host: HostId, node: usize, transmit: Transmit, packet: &mut Packet<'_>) {
        let Transmit { path, ecn, .. } = transmit;
        if path.transport.is_stream() {
            return self.send_message(host, node, path, packet);
        }
        let datagram = Datagram::new(path.local, path.remote, ecn, packet.bytes().to_vec());
        if path.transport != Transport::Udp || !self.hosts[host.0].has_open(node, path.local) {
            return self.log.note(self.now, &datagram, Fate::NotOpen);
        }
        if !path.local.ip().is_multicast() {
            return self.depart(host, datagram);
        }
        let everywhere = path.remote.ip().is_multicast();
        let sources: Vec<IpAddr> = self.hosts[host.0]
            .interfaces
            .iter()
            .map(|(ip, _)| *ip)
            .filter(|ip| ip.is_ipv4() == path.remote.is_ipv4())
            .take(if everywhere { usize::MAX } else { 1 })
            .collect();
        if sources.is_empty() {
            self.log.note(self.now, &datagram, Fate::NoRoute);
        }
        for ip in sources {
            let source = SocketAddr::new(ip, path.local.port());
            self.depart(host, Datagram { source, ..datagram.clone() });
        }
    }

    pub(crate) fn depart(&mut self, host: HostId, datagram: Datagram) {
        self.log.note(self.now, &datagram, Fate::Sent);
        let Some(network) = self.hosts[host.0].network_of(datagram.source.ip()) else {
            return self.log.note(self.now, &datagram, Fate::NoRoute);
        };
        let flight = Flight { datagram, network, to: Place::Host(host), hops: 0 };
        if flight.datagram.destination.ip().is_multicast() {
            self.spread(flight);
        } else {
            self.route(flight);
        }
    }

    /// Answers a request of a node at once.
    pub(crate) fn request(&mut self, host: HostId, node: usize, request: Request) -> Option<Notice> {
        match request {
            Request::Bind { ticket, ip, port } => {
                let result = self.hosts[host.0].bind(node, ip, port);
                Some(Notice::Opened { ticket, result })
            }
            Request::Connect { .. } => self.connect(host, node, &request),
            Request::Listen { ticket, transport, ip, port, framing } => {
                let result = self.listen(host, node, transport, (ip, port), framing);
                Some(Notice::Opened { ticket, result })
            }
            Request::Release { transport: Transport::Udp, local, remote: None } => {
                self.hosts[host.0].release(node, local);
                None
            }
            Request::Release { transport, local, remote } => {
                self.release_stream(host, node, transport, local, remote);
                None
            }
            Request::Frame { path, framing } => {
                self.reframe(host, node, path, framing);
                None
            }
            Request::Splice { one, other, rates } => {
                self.splice(host, node, (one, other), rates);
                None
            }
        }
    }

    // ---- the way of a datagram

    /// When the next datagram arrives somewhere.
    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.flights.first_key_value().map(|((at, _), _)| *at)
    }

    /// Moves the next datagram one place on; what reaches sockets thereby is returned.
    pub(crate) fn arrive(&mut self) -> Vec<Delivery> {
        let Some((_, happening)) = self.flights.pop_first() else { return Vec::new() };
        let mut flight = match happening {
            Happening::Arrival(flight) => flight,
            Happening::Stream(errand) => return self.run(errand),
        };
        let verdict = match flight.to {
            Place::Host(host) => return self.deliver(host, flight.datagram, Fate::Delivered),
            Place::Network(inner) => match &mut self.networks[inner.0].uplink {
                Some((_, middlebox)) => middlebox.inbound(self.now, &mut flight.datagram),
                None => Verdict::Drop,
            },
            Place::Gateway => match &mut self.networks[flight.network.0].uplink {
                Some((_, middlebox)) => middlebox.outbound(self.now, &mut flight.datagram),
                None => Verdict::Drop,
            },
        };
        match verdict {
            Verdict::Drop => self.log.note(self.now, &flight.datagram, Fate::Filtered),
            // Back from the door at which it stands.
            Verdict::Return => self.route(flight),
            Verdict::Pass => self.pass(flight),
        }
        Vec::new()
    }

    /// Takes a datagram through the middlebox at which it stands.
    fn pass(&mut self, flight: Flight) {
        let (network, to) = match flight.to {
            Place::Network(inner) => (inner, Place::Gateway),
            _ => match self.networks[flight.network.0].uplink {
                Some((outer, _)) => (outer, Place::Network(flight.network)),
                None => return self.log.note(self.now, &flight.datagram, Fate::NoRoute),
            },
        };
        self.route(Flight { network, to, ..flight });
    }

    /// Sends a datagram on from the place at which it stands, `flight.to`, towards its destination.
    fn route(&mut self, mut flight: Flight) {
        let from = flight.to;
        flight.hops += 1;
        match self.next_place(flight.network, from, flight.datagram.destination.ip()) {
            Some(to) if flight.hops <= MAX_HOPS => self.carry(from, Flight { to, ..flight }),
            _ => self.log.note(self.now, &flight.datagram, Fate::NoRoute),
        }
    }

    fn next_place(&self, network: NetworkId, from: Place, ip: IpAddr) -> Option<Place> {
        let here = |host: &Host| host.network_of(ip) == Some(network);
        if let Some(host) = self.hosts.iter().position(here) {
            return Some(Place::Host(HostId(host)));
        }
        let inner = self.networks.iter().enumerate().position(|(index, inner)| match &inner.uplink {
            Some((outer, middlebox)) => {
                *outer == network && middlebox.attracts(ip, self.contains(NetworkId(index), ip))
            }
            None => false,
        });
        if let Some(inner) = inner {
            return Some(Place::Network(NetworkId(inner)));
        }
        // What came from above and is not known here would only be sent up again.
        let leaves = self.networks[network.0].uplink.is_some() && from != Place::Gateway;
        leaves.then_some(Place::Gateway)
    }

    /// Whether a host with this address is in the network, or in one that hangs on it.
    fn contains(&self, network: NetworkId, ip: IpAddr) -> bool {
        let within = |mut at: NetworkId| loop {
            match &self.networks[at.0].uplink {
                _ if at == network => break true,
                Some((outer, _)) => at = *outer,
                None => break false,
            }
        };
        self.hosts.iter().filter_map(|host| host.network_of(ip)).any(within)
    }

    /// To every host of the network that has joined the group, the sender's own included, as with `IP_MULTICAST_LOOP`.
    fn spread(&mut self, flight: Flight) {
        let from = flight.to;
        let group = flight.datagram.destination;
        let same_network = |host: &Host| {
            let mut own = host.interfaces.iter();
            own.any(|(ip, network)| *network == flight.network && ip.is_ipv4() == group.is_ipv4())
        };
        let members: Vec<usize> = (0..self.hosts.len())
            .filter(|index| self.hosts[*index].hears_group(group) && same_network(&self.hosts[*index]))
            .collect();
        for member in members {
            let to = Place::Host(HostId(member));
            let datagram = flight.datagram.clone();
            self.carry(from, Flight { datagram, to, ..flight });
        }
    }

    /// Puts a datagram on the link from `from` to `flight.to`. Within one host nothing is lost and no time passes.
    fn carry(&mut self, from: Place, flight: Flight) {
        if from == flight.to {
            return self.schedule(self.now, flight);
        }
        let default = self.networks[flight.network.0].link;
        let (now, octets) = (self.now, flight.datagram.ip_len());
        match self.pipe(flight.network, from, flight.to).carry(now, octets, &default) {
            Passage::Lost(fate) => self.log.note(self.now, &flight.datagram, fate),
            Passage::Arrives { at, twice, reordered } => {
                self.log.stats.reordered += u64::from(reordered);
                self.log.stats.duplicated += u64::from(twice);
                let copy = twice.then(|| Flight { datagram: flight.datagram.clone(), ..flight });
                self.schedule(at, flight);
                if let Some(copy) = copy {
                    self.schedule(at, copy);
                }
            }
        }
    }

    fn schedule(&mut self, at: Instant, flight: Flight) {
        let number = self.unique();
        self.flights.insert((at, number), Happening::Arrival(flight));
    }

    /// A number that was never given out before.
    pub(crate) fn unique(&mut self) -> u64 {
        self.departed += 1;
        self.departed
    }

    pub(crate) fn schedule_errand(&mut self, at: Instant, errand: Errand) -> (Instant, u64) {
        let key = (at, self.unique());
        self.flights.insert(key, Happening::Stream(errand));
        key
    }

    pub(crate) fn unschedule(&mut self, key: (Instant, u64)) {
        self.flights.remove(&key);
    }

    fn run(&mut self, errand: Errand) -> Vec<Delivery> {
        match errand {
            Errand::Look(key) => [Delivery::Stream(key)].into(),
            Errand::Tell(node, notice) => [Delivery::Notice(node, notice)].into(),
            Errand::Due(key) => {
                self.stream_due(key);
                Vec::new()
            }
        }
    }

    /// Gives a datagram to the sockets of a host that hear it.
    pub(crate) fn deliver(&mut self, host: HostId, datagram: Datagram, fate: Fate) -> Vec<Delivery> {
        if let Some(segment) = datagram.segment {
            self.segment_arrived(host, &datagram, segment);
            return Vec::new();
        }
        let listeners = self.hosts[host.0].listeners(datagram.destination);
        if listeners.is_empty() {
            self.log.note(self.now, &datagram, Fate::NoSocket);
        }
        let mut deliveries = Vec::with_capacity(listeners.len());
        for (node, local) in listeners {
            self.log.note(self.now, &datagram, fate);
            deliveries.push(Delivery::Datagram { node, local, datagram: datagram.clone() });
        }
        deliveries
    }
}
