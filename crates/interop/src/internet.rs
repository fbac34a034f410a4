//! A small Internet: servers on public addresses, and sites behind gateways of the kernel's own making.
//!
//! ```text
//!   host 10.n.0.2 --- 10.n.0.1 gateway 203.0.113.(10+n) ---+
//!                                                          +--- 203.0.113.1, 203.0.113.2 servers
//!   host 10.m.0.2 --- 10.m.0.1 gateway 203.0.113.(10+m) ---+
//! ```
//!
//! Every box is a [`Namespace`]: a host or a server runs whatever a test wants to run, by [`Namespace::command`] or
//! [`Namespace::enter`]. A site without translation has public addresses, 198.51.100.0/24, instead of 10.n.0.0/24.
//! What a gateway does is nftables over conntrack, the NAT that most home routers have. IPv4 only: it is what is translated.

use std::net::Ipv4Addr;

use crate::Namespace;

/// The network that everybody can reach.
#[derive(Debug)]
pub struct Internet {
    servers: Namespace,
    sites: u8,
}

/// A host behind a gateway.
#[derive(Debug)]
pub struct Site {
    host: Namespace,
    // Only to be there.
    _gateway: Namespace,
    inside: Ipv4Addr,
    outside: Ipv4Addr,
}

/// What stands between a host and the Internet, in the words of RFC 4787 sections 4 and 5 (mapping, filtering).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// A router. The host has a public address, and who wants reaches it.
    Router,
    /// A router that lets in only answers: no mapping, address and port-dependent filtering.
    Firewall,
    /// All ports forwarded to the host: endpoint-independent mapping, endpoint-independent filtering, and hairpinning with
    /// the external address as source.
    PortForwarding,
    /// Each port forwarded to the host, but only for the addresses that it has sent to from there: endpoint-independent
    /// mapping, address-dependent filtering. No hairpinning.
    AddressDependent,
    /// Plain `masquerade`. The kernel keeps the mapping of a source for every destination as long as nothing is in its way,
    /// and its port if it can: endpoint-independent mapping. Conntrack lets in only answers: address and port-dependent
    /// filtering. No hairpinning.
    Masquerade,
    /// `masquerade fully-random`: a new port for each connection, so address and port-dependent mapping; and such filtering.
    MasqueradeFullyRandom,
}

impl Internet {
    /// Where the servers are: two addresses of one machine.
    pub const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];

    /// One without sites, or why it cannot be made.
    ///
    /// # Errors
    /// A sentence.
    pub fn new() -> Result<Self, String> {
        let servers = Namespace::empty()?;
        let [first, second] = Self::SERVERS;
        servers.ip(&format!(
            "link add wan type bridge
             address add {first}/24 dev wan
             address add {second}/24 dev wan
             link set wan up"
        ))?;
        servers.forward()?;
        Ok(Self { servers, sites: 0 })
    }

    /// The machine that has the servers' addresses.
    #[must_use]
    pub fn servers(&self) -> &Namespace {
        &self.servers
    }

    /// Attaches a site; fifteen at most.
    ///
    /// # Errors
    /// A sentence.
    pub fn site(&mut self, gateway: Gateway) -> Result<Site, String> {
        self.sites += 1;
        let n = self.sites;
        assert!(n <= 15, "an Internet has addresses for fifteen sites");
        let outside = Ipv4Addr::new(203, 0, 113, 10 + n);
        let [network, router, inside] = match gateway {
            Gateway::Router | Gateway::Firewall => {
                [0, 1, 2].map(|last| Ipv4Addr::new(198, 51, 100, 16 * n + last))
            }
            _ => [0, 1, 2].map(|last| Ipv4Addr::new(10, n, 0, last)),
        };
        let (between, host) = (Namespace::empty()?, Namespace::empty()?);
        let (servers, [first, _]) = (&self.servers, Self::SERVERS);
        between.ip(&format!(
            "link add wan type veth peer name site{n} netns {}
             link add lan type veth peer name lan netns {}
             address add {outside}/24 dev wan
             address add {router}/28 dev lan
             link set wan up
             link set lan up
             route add default via {first}",
            servers.name(),
            host.name(),
        ))?;
        servers.ip(&format!("link set site{n} master wan up"))?;
        if matches!(gateway, Gateway::Router | Gateway::Firewall) {
            servers.ip(&format!("route add {network}/28 via {outside}"))?;
        }
        host.ip(&format!(
            "address add {inside}/28 dev lan
             link set lan up
             route add default via {router}"
        ))?;
        between.nft(&gateway.rules(inside, outside))?;
        between.forward()?;
        Ok(Site { host, _gateway: between, inside, outside })
    }
}

impl Site {
    /// The machine behind the gateway.
    #[must_use]
    pub fn host(&self) -> &Namespace {
        &self.host
    }

    /// The host's own address.
    #[must_use]
    pub fn inside(&self) -> Ipv4Addr {
        self.inside
    }

    /// The gateway's address on the Internet.
    #[must_use]
    pub fn outside(&self) -> Ipv4Addr {
        self.outside
    }
}

impl Gateway {
    /// For `nft -f`.
    fn rules(self, inside: Ipv4Addr, outside: Ipv4Addr) -> String {
        let masquerade = match self {
            Self::Router | Self::Firewall => "",
            Self::MasqueradeFullyRandom => "oif wan masquerade fully-random",
            _ => "oif wan masquerade",
        };
        let port_forwarding = match self {
            Self::PortForwarding => format!("ip daddr {outside} udp dport 1024-65535 dnat to {inside}"),
            Self::AddressDependent => {
                format!("ip daddr {outside} udp dport . ip saddr @contacted dnat to {inside}")
            }
            _ => String::new(),
        };
        // What comes back in by the external address must not be answered past the gateway.
        let hairpin = match self {
            Self::PortForwarding => format!("oif lan ip saddr {inside} snat to {outside}"),
            _ => String::new(),
        };
        let from_outside = if self == Self::Router { "accept" } else { "ct status dnat accept" };
        format!(
            "table ip gateway {{
                set contacted {{ type inet_service . ipv4_addr; flags dynamic, timeout; size 1024; timeout 1m; }}
                chain prerouting {{
                    type nat hook prerouting priority dstnat
                    {port_forwarding}
                }}
                chain postrouting {{
                    type nat hook postrouting priority srcnat
                    {masquerade}
                    {hairpin}
                }}
                chain input {{
                    type filter hook input priority filter
                    # Were it answered by ICMP, conntrack would remember it, and give its port to nobody behind the gateway.
                    iif wan meta l4proto {{ tcp, udp }} ct state new drop
                }}
                chain forward {{
                    type filter hook forward priority filter; policy drop
                    iif lan oif wan update @contacted {{ udp sport . ip daddr }}
                    iif lan accept
                    ct state established,related accept
                    {from_outside}
                }}
            }}"
        )
    }
}
