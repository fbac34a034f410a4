//! Hosts, networks and links.

use alloc::boxed::Box;
use alloc::format;
use core::net::IpAddr;

use ginnel_core::{Notice, Transport};

use crate::{HostId, Link, Middlebox, NetworkId, Place, Sim, ToIp, host::Host, net::Network};

impl Sim {
    /// A host on the core network, with an interface for each address.
    ///
    /// # Panics
    /// When an address is taken already, is unspecified or multicast, or is no address.
    #[track_caller]
    pub fn host(&mut self, ips: impl IntoIterator<Item = impl ToIp>) -> HostId {
        self.host_in(NetworkId::CORE, ips)
    }

    /// A host on any network. As [`host`](Self::host).
    #[track_caller]
    pub fn host_in(&mut self, network: NetworkId, ips: impl IntoIterator<Item = impl ToIp>) -> HostId {
        let id = HostId(self.net.hosts.len());
        self.net.hosts.push(Host::new(self.net.seed.fork(&format!("host {}", id.0))));
        for ip in ips {
            self.add_ip(id, network, ip);
        }
        id
    }

    /// A network that hangs on `outer` through a middlebox: [`Open`](crate::Open), or one of your own.
    pub fn network(&mut self, outer: NetworkId, middlebox: impl Middlebox + 'static) -> NetworkId {
        assert!(outer.0 < self.net.networks.len(), "no such network");
        let link = self.net.networks[outer.0].link;
        self.net.networks.push(Network { uplink: Some((outer, Box::new(middlebox))), link });
        NetworkId(self.net.networks.len() - 1)
    }

    /// Adds an interface. A host may have interfaces on several networks.
    ///
    /// # Panics
    /// As [`host`](Self::host).
    #[track_caller]
    pub fn add_ip(&mut self, host: HostId, network: NetworkId, ip: impl ToIp) {
        let ip = ip.to_ip();
        assert!(!ip.is_unspecified() && !ip.is_multicast(), "{ip} cannot be an interface's address");
        let hosts = &self.net.hosts;
        let taken = hosts.iter().any(|other| other.network_of(ip) == Some(network));
        assert!(!taken && hosts[host.0].network_of(ip).is_none(), "{ip} is taken");
        self.net.hosts[host.0].interfaces.push((ip, network));
    }

    /// Takes an interface away: its sockets are gone, and their machines are told by [`Notice::Lost`]. What is on its way to
    /// it finds no one.
    pub fn remove_ip(&mut self, host: HostId, ip: impl ToIp) {
        let ip = ip.to_ip();
        let streams = self.net.lose_streams(host, ip);
        for (node, local) in self.net.hosts[host.0].remove_interface(ip) {
            self.tell(node, Notice::Lost { transport: Transport::Udp, local, remote: None });
        }
        for (node, notice) in streams {
            self.tell(node, notice);
        }
    }

    /// The addresses of a host.
    pub fn ips(&self, host: HostId) -> impl ExactSizeIterator<Item = IpAddr> {
        self.net.hosts[host.0].interfaces.iter().map(|(ip, _)| *ip)
    }

    // ---- links

    /// Every link of a network that has not been set on its own, from now on. Networks made later inside it start with the
    /// same.
    pub fn set_default_link(&mut self, network: NetworkId, link: Link) {
        self.net.networks[network.0].link = link;
    }

    /// Both directions between two places of one network: hosts, or networks that hang on it.
    ///
    /// # Panics
    /// When the two share no network.
    #[track_caller]
    pub fn set_link(&mut self, a: impl Into<Place>, b: impl Into<Place>, link: Link) {
        let (a, b) = (a.into(), b.into());
        self.set_link_one_way(a, b, link);
        self.set_link_one_way(b, a, link);
    }

    /// The direction from one place to another. As [`set_link`](Self::set_link).
    #[track_caller]
    pub fn set_link_one_way(&mut self, from: impl Into<Place>, to: impl Into<Place>, link: Link) {
        let (from, to) = (from.into(), to.into());
        for network in self.shared(from, to) {
            self.net.pipe(network, from, to).link = Some(link);
        }
    }

    /// From now on nothing passes between two places, until [`restore`](Self::restore). What is on its way arrives.
    #[track_caller]
    pub fn cut(&mut self, a: impl Into<Place>, b: impl Into<Place>) {
        self.set_cut(a.into(), b.into(), true);
    }

    /// Undoes [`cut`](Self::cut); the link is as it was.
    #[track_caller]
    pub fn restore(&mut self, a: impl Into<Place>, b: impl Into<Place>) {
        self.set_cut(a.into(), b.into(), false);
    }

    #[track_caller]
    fn set_cut(&mut self, a: Place, b: Place, cut: bool) {
        for network in self.shared(a, b) {
            self.net.pipe(network, a, b).cut = cut;
            self.net.pipe(network, b, a).cut = cut;
        }
    }

    /// The networks that both places are on.
    #[track_caller]
    fn shared(&self, a: Place, b: Place) -> alloc::vec::Vec<NetworkId> {
        let on = |place: Place, network: NetworkId| match place {
            Place::Host(host) => self.net.hosts[host.0].interfaces.iter().any(|(_, own)| *own == network),
            Place::Network(inner) => {
                self.net.networks[inner.0].uplink.as_ref().is_some_and(|(outer, _)| *outer == network)
            }
            Place::Gateway => self.net.networks[network.0].uplink.is_some(),
        };
        let all = (0..self.net.networks.len()).map(NetworkId);
        let shared: alloc::vec::Vec<_> = all.filter(|network| on(a, *network) && on(b, *network)).collect();
        assert!(
            !shared.is_empty(),
            "{a:?} and {b:?} share no network: set the links on the way between them"
        );
        shared
    }
}
