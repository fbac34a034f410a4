//! The discovery behind simulated NATs.

mod kinds;
mod lifetime;
mod loss;
mod rules;
mod sentences;
mod server;
mod trouble;

use core::{net::IpAddr, time::Duration};
use std::vec::Vec;

use ginnel_core::{Port, check::Checked};
use ginnel_netsim as netsim;
use ginnel_netsim::{HostId, Link, Nat, NetworkId, NodeId, Sim};

use super::*;
use server::{Fault, PORTS, Server};

const A1: &str = "198.51.100.1";
const A2: &str = "198.51.100.2";
const EXTERNAL: &str = "203.0.113.1";
const HOME: &str = "192.168.0.2";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
fn server_address() -> SocketAddr {
    SocketAddr::new(A1.parse().unwrap(), PORTS[0])
}
fn config() -> DiscoveryConfig {
    DiscoveryConfig::new(server_address(), HOME.parse().unwrap())
}

type Node = NodeId<Checked<Discovery>>;

/// A server with two addresses on the internet, and a host somewhere behind something.
struct World {
    sim: Sim,
    server: NodeId<Server>,
    server_host: HostId,
}
impl World {
    fn new(seed: u64) -> Self {
        Self::with_server(seed, Fault::None, [A1, A2])
    }
    fn with_fault(fault: Fault) -> Self {
        Self::with_server(1, fault, [A1, A2])
    }
    fn with_server(seed: u64, fault: Fault, ips: [&str; 2]) -> Self {
        let mut sim = Sim::new(seed);
        let server_host = sim.host(ips);
        let ips: [IpAddr; 2] = ips.map(|ip| ip.parse().unwrap());
        let server = sim.add(server_host, Server::new(ips, fault));
        for ip in ips {
            for port in PORTS {
                sim.bind(server, ip, Port::Exact(port)).unwrap();
            }
        }
        Self { sim, server, server_host }
    }
    /// A NAT with random ports, so that nothing is alike by chance.
    fn nat(&self) -> Nat {
        Nat::new([EXTERNAL], self.sim.seed("nat")).with_ports(netsim::PortAssignment::Random)
    }
    fn behind(&mut self, middlebox: impl netsim::Middlebox + 'static) -> NetworkId {
        self.sim.network(NetworkId::CORE, middlebox)
    }
    fn discover_in(&mut self, network: NetworkId, config: DiscoveryConfig) -> Node {
        let host = self.sim.host_in(
            network,
            [match config.sockets {
                Sockets::Bind(ip) => ip,
                Sockets::Given { first, .. } => first.ip(),
            }],
        );
        self.discover_on(host, config)
    }
    fn discover_on(&mut self, host: HostId, config: DiscoveryConfig) -> Node {
        let seed = self.sim.seed("discovery");
        let discovery = Discovery::new(self.sim.now(), config, seed).unwrap();
        self.sim.add(host, Checked::new(discovery))
    }
    /// Runs to the verdict.
    #[track_caller]
    fn verdict(&mut self, node: Node, limit: Duration) -> Verdict {
        self.sim.expect("a verdict", limit, |sim| !sim.is_alive(node));
        let verdict = *self.sim.get(node).get().verdict();
        let events = self.sim.events(node);
        let [.., Event::Verdict(told), Event::Closed] = &events[..] else { panic!("{events:?}") };
        assert_eq!(**told, verdict);
        verdict
    }
}

/// Everything behind one NAT, on links as they are by default.
fn behind(nat: impl FnOnce(&World) -> Nat, config: DiscoveryConfig) -> Verdict {
    let mut world = World::new(1);
    let nat = nat(&world);
    let home = world.behind(nat);
    let node = world.discover_in(home, config);
    world.verdict(node, secs(20))
}

const MAPPINGS: [(netsim::Mapping, Mapping); 3] = [
    (netsim::Mapping::EndpointIndependent, Mapping::EndpointIndependent),
    (netsim::Mapping::AddressDependent, Mapping::AddressDependent),
    (netsim::Mapping::AddressAndPortDependent, Mapping::AddressAndPortDependent),
];
const FILTERINGS: [(netsim::Filtering, Filtering); 3] = [
    (netsim::Filtering::EndpointIndependent, Filtering::EndpointIndependent),
    (netsim::Filtering::AddressDependent, Filtering::AddressDependent),
    (netsim::Filtering::AddressAndPortDependent, Filtering::AddressAndPortDependent),
];
const HAIRPINNINGS: [(netsim::Hairpinning, Hairpinning); 3] = [
    (netsim::Hairpinning::None, Hairpinning::None),
    (netsim::Hairpinning::InternalSource, Hairpinning::InternalSource),
    (netsim::Hairpinning::ExternalSource, Hairpinning::ExternalSource),
];
