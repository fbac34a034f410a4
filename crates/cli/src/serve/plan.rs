//! What is opened, where: the addresses of the settings made concrete on this host. Relays need addresses that packets can
//! leave from, so nothing is left unspecified.

use std::net::{IpAddr, SocketAddr};

use ginnel::core::Transport;

use super::config::{External, PORT, Settings};

/// The addresses that the server is to have. A port of 0 is any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Each over UDP and TCP.
    pub(super) plain: Vec<SocketAddr>,
    pub(super) tls: Vec<SocketAddr>,
    pub(super) dtls: Vec<SocketAddr>,
    /// For NAT behaviour discovery (RFC 5780): two of `plain`, each of which has the port of the other too.
    pub(super) discovery: Option<(SocketAddr, SocketAddr)>,
    pub(super) relays: Vec<Relay>,
    /// Those of the listeners that can be done without: nobody has named any, and nothing is relayed there.
    pub(super) unnamed: Vec<SocketAddr>,
}

/// Where relayed addresses are taken from, and what clients are told instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relay {
    pub(super) local: IpAddr,
    pub(super) external: Option<IpAddr>,
}

/// What is known of the host.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    /// All its addresses, in the order of the operating system.
    pub(super) own: Vec<IpAddr>,
    /// Those that can be listened at, loopback among them.
    pub(super) addresses: Vec<IpAddr>,
    /// Those that cannot.
    pub(super) unfit: Vec<IpAddr>,
    /// Those that packets to the Internet leave from, of each family that has such.
    pub(super) outward: Vec<IpAddr>,
}

impl Plan {
    /// The plan for these settings on this host.
    pub(super) fn new(settings: &Settings, host: &Host) -> Result<Self, String> {
        let plain = match settings.listen.as_slice() {
            [] => host.addresses.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect(),
            some => expand(some, host)?,
        };
        let (tls, dtls) = (expand(&settings.tls_listen, host)?, expand(&settings.dtls_listen, host)?);
        let listening: Vec<IpAddr> = plain.iter().chain(&tls).chain(&dtls).map(SocketAddr::ip).collect();
        let locals = match settings.relays.as_slice() {
            [] => [true, false].into_iter().filter_map(|v4| relay(&listening, host, v4)).collect(),
            some => some.to_vec(),
        };
        if locals.is_empty() {
            return Err("this host has no address: give one with --listen ADDR".to_string());
        }
        // A server whose relays are where somebody else listens is one that was started twice.
        let spare = |at: &&SocketAddr| settings.listen.is_empty() && !locals.contains(&at.ip());
        Ok(Self {
            unnamed: plain.iter().filter(spare).copied().collect(),
            discovery: discovery(&settings.listen),
            relays: mapped(&locals, &settings.externals)?,
            plain,
            tls,
            dtls,
        })
    }

    /// Whether nobody outside this network can reach a relay.
    pub(super) fn is_private(&self) -> bool {
        self.relays.iter().all(|relay| is_private(relay.external.unwrap_or(relay.local)))
    }

    /// The listeners, each with what carries it.
    pub(super) fn listeners(&self) -> impl Iterator<Item = (Transport, SocketAddr)> {
        let plain = self.plain.iter().flat_map(|at| [(Transport::Udp, *at), (Transport::Tcp, *at)]);
        let tls = self.tls.iter().map(|at| (Transport::Tls, *at));
        plain.chain(tls).chain(self.dtls.iter().map(|at| (Transport::Dtls, *at)))
    }
}

/// Unspecified addresses stand for all of their family.
fn expand(given: &[SocketAddr], host: &Host) -> Result<Vec<SocketAddr>, String> {
    let mut all = Vec::new();
    for at in given {
        if !at.ip().is_unspecified() {
            all.push(*at);
            continue;
        }
        let family = host.addresses.iter().filter(|ip| ip.is_ipv4() == at.is_ipv4());
        let before = all.len();
        all.extend(family.map(|ip| SocketAddr::new(*ip, at.port())));
        if all.len() == before {
            return Err(format!(
                "this host has no address that {at} could stand for: leave it out, or name one"
            ));
        }
    }
    let mut each = Vec::new();
    for at in all {
        // Any port of an address is another one each time.
        if at.port() == 0 || !each.contains(&at) {
            each.push(at);
        }
    }
    Ok(each)
}

/// The listening address of a family that is most likely to be reachable: the one that packets leave from, or else the first
/// that is no loopback address.
fn relay(listening: &[IpAddr], host: &Host, v4: bool) -> Option<IpAddr> {
    let family = || listening.iter().copied().filter(|ip| ip.is_ipv4() == v4);
    let outward = family().find(|ip| host.outward.contains(ip));
    outward.or_else(|| family().find(|ip| !ip.is_loopback())).or_else(|| family().next())
}

/// The first two listening addresses of one family that were named: those of interfaces would pair what has nothing to do with
/// each other, such as the bridge of a container.
fn discovery(listen: &[SocketAddr]) -> Option<(SocketAddr, SocketAddr)> {
    [true, false].into_iter().find_map(|v4| {
        let mut family = listen.iter().filter(|at| at.is_ipv4() == v4 && !at.ip().is_unspecified());
        let first = family.next()?;
        let second = family.find(|at| at.ip() != first.ip())?;
        Some((*first, *second))
    })
}

fn mapped(locals: &[IpAddr], externals: &[External]) -> Result<Vec<Relay>, String> {
    for External { public, private } in externals {
        let stands =
            |local: &IpAddr| private.map_or(local.is_ipv4() == public.is_ipv4(), |private| private == *local);
        if !locals.iter().any(stands) {
            return Err(format!(
                "--external-address {public} stands for no relay address: those are {}",
                locals.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
            ));
        }
    }
    let external = |local: IpAddr| {
        let own = |it: &&External| it.private == Some(local);
        let any = |it: &&External| it.private.is_none() && it.public.is_ipv4() == local.is_ipv4();
        externals.iter().find(own).or_else(|| externals.iter().find(any)).map(|it| it.public)
    };
    Ok(locals.iter().map(|local| Relay { local: *local, external: external(*local) }).collect())
}

/// Not to be reached from the Internet (RFC 1918, RFC 6598, RFC 4193, and what is of this host or link alone).
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::config::{Given, Layer, Place, Sources, keys::Key};

    fn host() -> Host {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Host {
            own: Vec::new(),
            unfit: Vec::new(),
            addresses: ips(&["127.0.0.1", "172.17.0.1", "198.51.100.1", "::1", "2001:db8::1"]),
            outward: ips(&["198.51.100.1", "2001:db8::1"]),
        }
    }

    fn plan_on(host: &Host, given: &[(&'static str, &str)]) -> Result<Plan, String> {
        let mut flags = Layer::default();
        let given = given.iter().chain(&[("user", "a:b"), ("cert", "c"), ("key", "k")]);
        for (name, values) in given {
            let values =
                values.split(' ').map(|value| Given::new(value, Place::Flag(name.to_string()))).collect();
            flags.set(Key::named(name).unwrap(), values);
        }
        Plan::new(&Sources { flags, ..Sources::default() }.resolve().unwrap(), host)
    }
    fn plan(given: &[(&'static str, &str)]) -> Plan {
        plan_on(&host(), given).unwrap()
    }
    fn shown(addresses: &[SocketAddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }
    fn relays(plan: &Plan) -> Vec<String> {
        let shown = |relay: &Relay| match relay.external {
            Some(external) => format!("{} as {external}", relay.local),
            None => relay.local.to_string(),
        };
        plan.relays.iter().map(shown).collect()
    }

    #[test]
    fn by_default_it_listens_everywhere_and_relays_from_where_packets_leave() {
        let plan = plan(&[]);
        let everywhere =
            ["127.0.0.1:3478", "172.17.0.1:3478", "198.51.100.1:3478", "[::1]:3478", "[2001:db8::1]:3478"];
        assert_eq!(shown(&plan.plain), everywhere);
        assert_eq!(relays(&plan), ["198.51.100.1", "2001:db8::1"]);
        assert_eq!((plan.discovery, plan.is_private()), (None, false));
        assert_eq!(plan.listeners().count(), 10);
        let spare = ["127.0.0.1:3478", "172.17.0.1:3478", "[::1]:3478"];
        assert_eq!(shown(&plan.unnamed), spare, "where it relays, it has to listen");
    }

    #[test]
    fn a_host_without_a_network_talks_to_itself() {
        let host = Host { addresses: vec!["127.0.0.1".parse().unwrap()], ..Host::default() };
        let plan = plan_on(&host, &[]).unwrap();
        assert_eq!((relays(&plan), plan.is_private()), (vec!["127.0.0.1".to_string()], true));
        assert!(plan_on(&host, &[("listen", "[::]")]).unwrap_err().contains("[::]:3478"));
        assert!(plan_on(&Host::default(), &[]).unwrap_err().contains("--listen"));
    }

    #[test]
    fn unspecified_addresses_stand_for_their_family() {
        let plan = plan(&[("listen", "[::] [::1]:3478 192.0.2.1:0"), ("tls-listen", "0.0.0.0:443")]);
        assert_eq!(shown(&plan.plain), ["[::1]:3478", "[2001:db8::1]:3478", "192.0.2.1:0"]);
        assert_eq!(shown(&plan.tls), ["127.0.0.1:443", "172.17.0.1:443", "198.51.100.1:443"]);
        assert_eq!(relays(&plan), ["198.51.100.1", "2001:db8::1"]);
        assert!(plan.unnamed.is_empty(), "whoever names all of them wants all of them");
    }

    #[test]
    fn relays_are_the_first_of_what_was_named_unless_packets_leave_elsewhere() {
        assert_eq!(relays(&plan(&[("listen", "127.0.0.1 192.0.2.1 192.0.2.2")])), ["192.0.2.1"]);
        assert_eq!(relays(&plan(&[("listen", "192.0.2.1 198.51.100.1")])), ["198.51.100.1"]);
        assert_eq!(relays(&plan(&[("listen", "127.0.0.1")])), ["127.0.0.1"]);
        assert_eq!(relays(&plan(&[("relay-address", "10.0.0.1")])), ["10.0.0.1"]);
        assert!(plan(&[("relay-address", "100.64.0.1")]).is_private());
    }

    #[test]
    fn two_addresses_of_a_family_turn_discovery_on_if_they_were_named() {
        let pair = |listen| plan(&[("listen", listen)]).discovery.map(|(a, b)| shown(&[a, b]));
        let expected = |a: &str, b: &str| Some(vec![a.to_string(), b.to_string()]);
        assert_eq!(pair("192.0.2.1 ::1 192.0.2.2:3479"), expected("192.0.2.1:3478", "192.0.2.2:3479"));
        assert_eq!(pair("::1 [::2]:3478"), expected("[::1]:3478", "[::2]:3478"));
        assert_eq!(pair("192.0.2.1:1 192.0.2.1:2"), None, "one address with two ports is not enough");
        assert_eq!(pair("192.0.2.1 ::1"), None);
        assert_eq!(pair("0.0.0.0"), None);
    }

    #[test]
    fn external_addresses_stand_for_relays_of_their_family() {
        let named =
            [("relay-address", "10.0.0.1 fd00::1"), ("external-address", "203.0.113.1/10.0.0.1 2001:db8::9")];
        assert_eq!(relays(&plan(&named)), ["10.0.0.1 as 203.0.113.1", "fd00::1 as 2001:db8::9"]);
        assert!(!plan(&named).is_private());
        let none = plan_on(&host(), &[("listen", "192.0.2.1"), ("external-address", "2001:db8::9")]);
        assert!(none.unwrap_err().contains("those are 192.0.2.1"));
    }
}
