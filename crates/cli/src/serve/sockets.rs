//! The ports of the listeners, before anybody listens: chosen where any will do, and known to be nobody else's.
//!
//! The shards share each address (`SO_REUSEPORT`), and what shares does not notice another program that does so too: a second
//! server that was started by mistake would take half of the first one's clients. So each port is first taken alone, and
//! held until every shard has it.

use std::{io::ErrorKind, net::SocketAddr};

use ginnel::stun::DiscoveryAddresses;
use socket2::{Domain, Protocol, Socket, Type};

use super::plan::Plan;

/// The plan with every port known.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) plan: Plan,
    pub(super) discovery: Option<DiscoveryAddresses>,
    /// The other ports of the addresses of `discovery`, over UDP.
    pub(super) alternates: Vec<SocketAddr>,
}

/// The ports of a plan, held against others.
#[derive(Debug)]
pub(super) struct Reserved {
    opened: Opened,
    /// Given back when dropped.
    held: Vec<Socket>,
    /// Why some of the addresses that nobody has named are not there.
    pub(super) skipped: Vec<String>,
}

/// A port that is free in UDP may be taken in TCP, or on the second address: so often others are tried.
const TRIES: usize = 32;

impl Reserved {
    /// Takes all ports of the plan.
    pub(super) fn take(plan: &Plan) -> Result<Self, String> {
        let chooses = plan.listeners().any(|(_, at)| at.port() == 0);
        let mut outcome = Self::try_take(plan);
        for _ in 1..if chooses { TRIES } else { 1 } {
            if outcome.is_ok() {
                break;
            }
            outcome = Self::try_take(plan);
        }
        outcome
    }

    fn try_take(plan: &Plan) -> Result<Self, String> {
        let (mut held, mut listening) = (Vec::new(), Vec::new());
        let mut take = |kinds: &[Type], at: SocketAddr, flag: &str| {
            let mut at = at;
            let mut sockets = Vec::new();
            for kind in kinds {
                // Sockets of TCP that do not listen yet share a port, if they may have it after others.
                let twice = at.port() != 0 && listening.contains(&(*kind, at));
                let reserved = if twice { Err(ErrorKind::AddrInUse.into()) } else { reserve(*kind, at) };
                let (socket, bound) = reserved.map_err(|error| {
                    let transport = if *kind == Type::DGRAM { "UDP" } else { "TCP" };
                    let other = match error.kind() {
                        ErrorKind::AddrInUse => "is another server running? If that is meant, ",
                        _ => "",
                    };
                    format!("cannot listen on {at} over {transport}: {error}; {other}choose another address with {flag} ADDR")
                })?;
                at = bound;
                sockets.push(socket);
            }
            listening.extend(kinds.iter().map(|kind| (*kind, at)));
            held.append(&mut sockets);
            Ok::<_, String>(at)
        };
        let both = [Type::DGRAM, Type::STREAM];
        // What was asked for, and what it is.
        let mut skipped = Vec::new();
        let mut each =
            |addresses: &[SocketAddr], take: &mut dyn FnMut(SocketAddr) -> Result<SocketAddr, String>| {
                let (mut taken, mut failed) = (Vec::new(), Vec::new());
                for at in addresses {
                    match take(*at) {
                        Ok(bound) => taken.push((*at, bound)),
                        Err(sentence) if plan.unnamed.contains(at) => failed.push(sentence),
                        Err(sentence) => return Err(sentence),
                    }
                }
                match failed.first() {
                    Some(sentence) if taken.is_empty() => Err(sentence.clone()),
                    _ => {
                        skipped.append(&mut failed);
                        Ok(taken)
                    }
                }
            };
        let plain = each(&plan.plain, &mut |at| take(&both, at, "--listen"))?;
        let tls = each(&plan.tls, &mut |at| take(&[Type::STREAM], at, "--tls-listen"))?;
        let dtls = each(&plan.dtls, &mut |at| take(&[Type::DGRAM], at, "--dtls-listen"))?;
        let bound = |pairs: &[(SocketAddr, SocketAddr)]| pairs.iter().map(|(_, bound)| *bound).collect();
        let taken = Plan { plain: bound(&plain), tls: bound(&tls), dtls: bound(&dtls), ..plan.clone() };
        let known = |wanted: SocketAddr| {
            plain.iter().find(|(at, _)| *at == wanted).map_or(wanted, |(_, bound)| *bound)
        };
        let discovery = plan.discovery.map(|(one, other)| pair(known(one), known(other))).transpose()?;
        let all = discovery.iter().flat_map(|pair| pair.all());
        let alternates: Vec<_> = all.filter(|at| !taken.plain.contains(at)).collect();
        for at in &alternates {
            take(
                &[Type::DGRAM],
                *at,
                "the discovery of NAT behaviour needs it: give addresses of one family only once, or other ports, by --listen",
            )?;
        }
        Ok(Self { opened: Opened { plan: taken, discovery, alternates }, held, skipped })
    }

    pub(super) const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// Gives the ports up: every shard has them.
    pub(super) fn release(self) -> Opened {
        drop(self.held);
        self.opened
    }
}

/// RFC 5780 section 6 wants two ports; where there is one, its neighbour is the other.
fn pair(one: SocketAddr, mut other: SocketAddr) -> Result<DiscoveryAddresses, String> {
    if one.port() == other.port() {
        other.set_port(one.port().checked_add(1).unwrap_or(one.port() - 1));
    }
    DiscoveryAddresses::new(one, other)
        .map_err(|error| format!("{one} and {other} are no pair for RFC 5780: {error}"))
}

/// Nobody else has the port; from now on those who share it may.
fn reserve(kind: Type, at: SocketAddr) -> std::io::Result<(Socket, SocketAddr)> {
    let protocol = if kind == Type::DGRAM { Protocol::UDP } else { Protocol::TCP };
    let socket = Socket::new(Domain::for_address(at), kind, Some(protocol))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // What is left of streams that have ended keeps nobody from listening again.
    #[cfg(unix)]
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&at.into())?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    let bound = socket.local_addr()?.as_socket().unwrap_or(at);
    Ok((socket, SocketAddr::new(at.ip(), bound.port())))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn plan(plain: &[&str], discovery: Option<(&str, &str)>) -> Plan {
        Plan {
            plain: plain.iter().map(|at| at.parse().unwrap()).collect(),
            tls: Vec::new(),
            dtls: Vec::new(),
            discovery: discovery.map(|(one, other)| (one.parse().unwrap(), other.parse().unwrap())),
            relays: Vec::new(),
            unnamed: Vec::new(),
        }
    }

    /// A port that is free over UDP and TCP at an address where no other test is.
    #[cfg(target_os = "linux")]
    fn free(ip: &str) -> SocketAddr {
        let reserved = Reserved::take(&plan(&[&format!("{ip}:0")], None)).unwrap();
        reserved.release().plan.plain[0]
    }

    /// One address of the host is taken, such as by the resolver of a container's bridge: that is no reason to serve nobody.
    #[cfg(target_os = "linux")]
    #[test]
    fn of_every_address_those_are_left_out_that_somebody_has() {
        let (taken, free) = (free("127.0.7.1"), free("127.0.7.2"));
        let _other = std::net::TcpListener::bind(taken).unwrap();
        let mut plan = plan(&[&taken.to_string(), &free.to_string()], None);
        let told = Reserved::take(&plan).unwrap_err();
        assert!(told.contains(&format!("{taken} over TCP")), "what was named must be there: {told}");
        plan.unnamed.clone_from(&plan.plain);
        let reserved = Reserved::take(&plan).unwrap();
        assert_eq!(reserved.opened.plan.plain, [free]);
        assert!(reserved.skipped[0].contains(&format!("{taken} over TCP")), "{reserved:?}");
        assert!(UdpSocket::bind(taken).is_ok(), "no half of it is held");
        plan.plain.truncate(1);
        assert!(Reserved::take(&plan).unwrap_err().contains("--listen ADDR"), "none is left");
    }

    #[test]
    fn a_port_that_somebody_has_is_not_shared_with_him() {
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = other.local_addr().unwrap();
        let told = Reserved::take(&plan(&[&at.to_string()], None)).unwrap_err();
        assert!(told.contains(&format!("{at} over UDP")) && told.contains("--listen ADDR"), "{told}");
        assert!(told.contains("is another server running?"), "{told}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_address_is_not_for_plain_streams_and_for_tls() {
        let mut plan = plan(&[&free("127.0.7.3").to_string()], None);
        plan.tls.clone_from(&plan.plain);
        let told = Reserved::take(&plan).unwrap_err();
        assert!(told.contains("--tls-listen ADDR"), "{told}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn any_port_is_one_that_is_free_over_both() {
        let reserved = Reserved::take(&plan(&["127.0.7.4:0", "127.0.7.4:0"], None)).unwrap();
        let [one, other] = reserved.opened.plan.plain[..] else { panic!("{reserved:?}") };
        assert!(one.port() != 0 && other.port() != 0 && one != other);
        assert!(UdpSocket::bind(one).is_err(), "it is held");
        assert!(Reserved::take(&plan(&[&one.to_string()], None)).is_err(), "against the like of it too");
        reserved.release();
        assert!(UdpSocket::bind(one).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn discovery_has_each_address_with_each_port() {
        let two = ["127.0.7.5:0", "127.0.7.6:0"];
        let reserved = Reserved::take(&plan(&two, Some((two[0], two[1])))).unwrap();
        let all = reserved.opened.discovery.unwrap().all();
        assert_eq!(reserved.opened.alternates.len(), 2, "{reserved:?}");
        for at in all {
            assert!(
                reserved.opened.plan.plain.contains(&at) || reserved.opened.alternates.contains(&at),
                "{at}"
            );
            assert!(UdpSocket::bind(at).is_err(), "{at} is held");
        }
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let same = pair(at("192.0.2.1:3478"), at("192.0.2.2:3478")).unwrap().all();
        assert_eq!(same, ["192.0.2.1:3478", "192.0.2.1:3479", "192.0.2.2:3478", "192.0.2.2:3479"].map(at));
        assert!(pair(at("192.0.2.1:65535"), at("192.0.2.2:65535")).is_ok());
    }
}
