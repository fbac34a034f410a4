//! Opening sockets as machines ask for them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket},
};

use ginnel_core::{Port, Refused};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::{
    interfaces::up,
    platform::{in_progress, only_joined, share_datagrams, share_port},
    udp::{plain, scoped},
};

/// How often an even port is tried for before giving up.
const EVEN_TRIES: usize = 64;

/// Octets of receive buffer to ask for. A sender hands a whole congestion window over in a few runs, faster than a task
/// wakes; what does not fit meanwhile is lost, and a stream above loses hundreds of milliseconds. The default of Linux
/// holds three such runs. The system grants as much as it allows (`net.core.rmem_max`), and reserves nothing for it.
const RECEIVE_BUFFER: usize = 2 << 20;

/// A socket, and what is known of it.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) socket: UdpSocket,
    /// As paths have it.
    pub(crate) local: SocketAddr,
    /// Of a link-local address.
    pub(crate) scope: u32,
    /// Where a group was joined; none where the socket is for one address.
    pub(crate) joined: Vec<Joined>,
}

/// An interface on which a group was joined, as sending wants it named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    V4(Ipv4Addr),
    V6(u32),
}

impl Joined {
    /// Makes the socket's next multicast datagram leave through this interface.
    pub(crate) fn select(self, socket: &SockRef<'_>) -> io::Result<()> {
        match self {
            Self::V4(ip) => socket.set_multicast_if_v4(&ip),
            Self::V6(index) => socket.set_multicast_if_v6(index),
        }
    }
}

/// Who else may have an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Nobody.
    Alone,
    /// Other sockets of this program that say so too (`SO_REUSEPORT`): the system deals senders out among them.
    Shared,
}

pub(crate) fn bind(ip: IpAddr, port: Port, sharing: Sharing) -> Result<Bound, Refused> {
    let bound = if ip.is_multicast() { join(ip, port) } else { unicast(ip, port, sharing) };
    bound.map_err(|error| refused(&error))
}

fn refused(error: &io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::AddrInUse => Refused::InUse,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::AddrNotAvailable => Refused::Unreachable,
        io::ErrorKind::Unsupported => Refused::Unsupported,
        io::ErrorKind::TimedOut => Refused::TimedOut,
        _ => Refused::NotPermitted,
    }
}

fn unicast(ip: IpAddr, port: Port, sharing: Sharing) -> io::Result<Bound> {
    // Whoever leaves the choice to the system begins a group. A socket that says before it is bound that it shares may be put to
    // somebody else's: Linux takes no port for taken whose sockets all share it.
    let first = !matches!(port, Port::Exact(_));
    choose(port, |port| open(ip, port, sharing, first), |bound| bound.local)
}

/// Opens what `open` opens at a port, 0 for any, at such a port as is wanted.
fn choose<T>(
    port: Port,
    open: impl Fn(u16) -> io::Result<T>,
    local: impl Fn(&T) -> SocketAddr,
) -> io::Result<T> {
    match port {
        Port::Any => return open(0),
        Port::Exact(0) => return Err(io::ErrorKind::InvalidInput.into()),
        Port::Exact(port) => return open(port),
        Port::Even => {}
    }
    // The kernel chooses ports evenly, so half of its choices are even; the neighbour of an odd one may be free.
    for _ in 0..EVEN_TRIES {
        let chosen = open(0)?;
        let port = local(&chosen).port();
        if port.is_multiple_of(2) {
            return Ok(chosen);
        }
        if let Ok(neighbour) = open(port - 1) {
            return Ok(neighbour);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// Streams that the system holds for a listener which has not had its turn. More than that it refuses.
const BACKLOG: i32 = 1_024;

/// A listener on this address, and what that is.
pub(crate) fn listen(ip: IpAddr, port: Port, sharing: Sharing) -> Result<(TcpListener, SocketAddr), Refused> {
    if ip.is_multicast() {
        return Err(Refused::NotPermitted);
    }
    let first = !matches!(port, Port::Exact(_));
    choose(port, |port| listen_at(ip, port, sharing, first), |(_, local)| *local)
        .map_err(|error| refused(&error))
}

fn listen_at(ip: IpAddr, port: u16, sharing: Sharing, first: bool) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = new_stream(ip)?;
    // What is left of streams that have ended keeps nobody from listening again, on systems where that is all it means.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    // Only who names the port joins others: see `unicast`.
    if sharing == Sharing::Shared && !first {
        share_port(&socket)?;
    }
    socket.bind(&with_scope(ip, port, scope_of(ip)?).into())?;
    socket.listen(BACKLOG)?;
    // From now on streams may be opened from here (RFC 6062 section 5.2), and others may join. Not before: else two could listen.
    let shared = share_port(&socket);
    if sharing == Sharing::Shared {
        shared?;
    }
    let listener = TcpListener::from(socket);
    let local = plain(listener.local_addr()?);
    Ok((listener, local))
}

/// Which of this host's addresses leads there: asks the system, and sends nothing.
#[cfg(any(feature = "dtls", feature = "relay"))]
pub(crate) fn route_to(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr =
        if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(remote)?;
    Ok(probe.local_addr()?.ip())
}

/// Begins to connect, from this address if there is one.
pub(crate) fn connect(local: Option<SocketAddr>, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = new_stream(remote.ip())?;
    let mut scope = 0;
    if let Some(local) = local {
        scope = scope_of(local.ip())?;
        if local.port() != 0 {
            share_port(&socket)?;
        }
        socket.bind(&with_scope(local.ip(), local.port(), scope).into())?;
    }
    match socket.connect(&scoped(remote, scope).into()) {
        Err(error) if !in_progress(&error) => Err(error),
        _ => Ok(socket.into()),
    }
}

fn new_stream(ip: IpAddr) -> io::Result<Socket> {
    let domain = if ip.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn new(ip: IpAddr) -> io::Result<Socket> {
    let domain = if ip.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    enlarge(&socket);
    Ok(socket)
}

/// Enlarges the receive buffer as far as the system allows; what it has already is never made smaller.
fn enlarge(socket: &Socket) {
    let present = socket.recv_buffer_size().unwrap_or(0);
    let mut size = RECEIVE_BUFFER;
    // Linux cuts the wish to its limit; others refuse it.
    while size > present && socket.set_recv_buffer_size(size).is_err() {
        size /= 2;
    }
}

fn open(ip: IpAddr, port: u16, sharing: Sharing, first: bool) -> io::Result<Bound> {
    let socket = new(ip)?;
    let shared = sharing == Sharing::Shared;
    if shared && !first {
        share_datagrams(&socket)?;
    }
    let scope = scope_of(ip)?;
    socket.bind(&with_scope(ip, port, scope).into())?;
    if shared && first {
        share_datagrams(&socket)?;
    }
    let socket = UdpSocket::from(socket);
    let local = plain(socket.local_addr()?);
    Ok(Bound { socket, local, scope, joined: Vec::new() })
}

fn with_scope(ip: IpAddr, port: u16, scope: u32) -> SocketAddr {
    match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
    }
}

/// The number of the interface that has this address, if it is a link-local one.
fn scope_of(ip: IpAddr) -> io::Result<u32> {
    if !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
        return Ok(0);
    }
    let found =
        up()?.into_iter().find(|interface| interface.ip() == ip).and_then(|interface| interface.index);
    found.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// A socket on the group's port, which it shares, that hears the group on every interface.
fn join(group: IpAddr, port: Port) -> io::Result<Bound> {
    let Port::Exact(port @ 1..) = port else { return Err(io::ErrorKind::InvalidInput.into()) };
    let socket = new(group)?;
    share_port(&socket)?;
    only_joined(&socket, group);
    let any = match group {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    socket.bind(&SocketAddr::new(any, port).into())?;
    let joined = match group {
        IpAddr::V4(group) => join_v4(&socket, group)?,
        IpAddr::V6(group) => join_v6(&socket, group)?,
    };
    if joined.is_empty() {
        return Err(io::ErrorKind::NetworkUnreachable.into());
    }
    Ok(Bound { socket: socket.into(), local: SocketAddr::new(group, port), scope: 0, joined })
}

/// What RFC 6762 section 11 asks for: 255 hops, so that a receiver can tell the link's datagrams from others.
const HOPS: u32 = 255;

fn join_v4(socket: &Socket, group: Ipv4Addr) -> io::Result<Vec<Joined>> {
    socket.set_multicast_loop_v4(true)?;
    socket.set_multicast_ttl_v4(HOPS)?;
    socket.set_ttl_v4(HOPS)?;
    let own = candidates(|ip| match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    })?;
    let joined = own.into_iter().filter(|(ip, _)| socket.join_multicast_v4(&group, ip).is_ok());
    Ok(joined.map(|(ip, _)| Joined::V4(ip)).collect())
}

fn join_v6(socket: &Socket, group: Ipv6Addr) -> io::Result<Vec<Joined>> {
    socket.set_multicast_loop_v6(true)?;
    socket.set_multicast_hops_v6(HOPS)?;
    socket.set_unicast_hops_v6(HOPS)?;
    let mut indices: Vec<u32> =
        candidates(|ip| ip.is_ipv6().then_some(()))?.into_iter().filter_map(|((), index)| index).collect();
    indices.sort_unstable();
    indices.dedup();
    indices.retain(|index| socket.join_multicast_v6(&group, *index).is_ok());
    Ok(indices.into_iter().map(Joined::V6).collect())
}

/// The interfaces to join on: all but loopback, and loopback where there is nothing else.
fn candidates<T>(wanted: impl Fn(IpAddr) -> Option<T>) -> io::Result<Vec<(T, Option<u32>)>> {
    let (loopback, others): (Vec<_>, Vec<_>) = up()?.into_iter().partition(if_addrs::Interface::is_loopback);
    let pick = |from: Vec<if_addrs::Interface>| -> Vec<_> {
        from.iter().filter_map(|interface| Some((wanted(interface.ip())?, interface.index))).collect()
    };
    let picked = pick(others);
    Ok(if picked.is_empty() { pick(loopback) } else { picked })
}

#[cfg(test)]
mod tests {
    use super::{bind as bind_at, *};

    fn bind(ip: IpAddr, port: Port) -> Result<Bound, Refused> {
        bind_at(ip, port, Sharing::Alone)
    }

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn ports_are_as_asked_for() {
        let any = bind(LOCALHOST, Port::Any).unwrap();
        assert_ne!(any.local.port(), 0);
        assert_eq!(bind(LOCALHOST, Port::Exact(any.local.port())).unwrap_err(), Refused::InUse);
        let even: Vec<_> = (0..20).map(|_| bind(LOCALHOST, Port::Even).unwrap()).collect();
        assert!(even.iter().all(|bound| bound.local.port() % 2 == 0));
        assert_eq!(bind(LOCALHOST, Port::Exact(0)).unwrap_err(), Refused::NotPermitted);
    }

    #[test]
    fn an_address_is_shared_by_those_that_all_say_so() {
        let first = bind_at(LOCALHOST, Port::Any, Sharing::Shared).unwrap();
        let port = Port::Exact(first.local.port());
        let second = bind_at(LOCALHOST, port, Sharing::Shared).unwrap();
        assert_eq!(first.local, second.local);
        assert_eq!(bind(LOCALHOST, port).unwrap_err(), Refused::InUse);

        let (first, local) = listen(LOCALHOST, Port::Any, Sharing::Shared).unwrap();
        let port = Port::Exact(local.port());
        let (second, same) = listen(LOCALHOST, port, Sharing::Shared).unwrap();
        assert_eq!(local, same);
        assert_eq!(listen(LOCALHOST, port, Sharing::Alone).unwrap_err(), Refused::InUse);
        drop((first, second));
    }

    /// Of three thousand that said so before they were bound, Linux put 150 to others.
    #[test]
    fn who_begins_to_share_joins_nobody() {
        let bound: Vec<_> = [Port::Any, Port::Even]
            .into_iter()
            .flat_map(|port| (0..400).map(move |_| bind_at(LOCALHOST, port, Sharing::Shared).unwrap()))
            .collect();
        let ports: std::collections::BTreeSet<u16> = bound.iter().map(|bound| bound.local.port()).collect();
        assert_eq!(ports.len(), bound.len());
        // And yet others who name it can join each.
        for first in bound.iter().step_by(100) {
            let port = Port::Exact(first.local.port());
            assert_eq!(bind_at(LOCALHOST, port, Sharing::Shared).unwrap().local, first.local);
        }
    }

    /// On Linux two sockets with `SO_REUSEADDR` share a port whoever they belong to, and the later one hears it all.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_shared_address_is_not_for_those_who_share_it_another_way() {
        let ours = bind_at(LOCALHOST, Port::Any, Sharing::Shared).unwrap();
        let thief = new(LOCALHOST).unwrap();
        thief.set_reuse_address(true).unwrap();
        assert_eq!(thief.bind(&ours.local.into()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn an_address_that_the_host_has_not_is_refused() {
        assert_eq!(bind("203.0.113.77".parse().unwrap(), Port::Any).unwrap_err(), Refused::Unreachable);
        assert_eq!(bind("fe80::dead:beef".parse().unwrap(), Port::Any).unwrap_err(), Refused::Unreachable);
    }

    #[test]
    fn a_group_needs_its_port_and_shares_it() {
        let group: IpAddr = "224.0.0.199".parse().unwrap();
        assert_eq!(bind(group, Port::Any).unwrap_err(), Refused::NotPermitted);
        let first = bind(group, Port::Exact(45_353)).unwrap();
        let second = bind(group, Port::Exact(45_353)).unwrap();
        assert_eq!((first.local, second.local), ("224.0.0.199:45353".parse().unwrap(), first.local));
        assert_eq!(first.joined, second.joined);
    }

    #[test]
    fn a_group_socket_sends_as_rfc_6762_section_11_has_it() {
        let bound = bind("224.0.0.199".parse().unwrap(), Port::Exact(45_354)).unwrap();
        let socket = SockRef::from(&bound.socket);
        assert_eq!((socket.multicast_ttl_v4().unwrap(), socket.ttl_v4().unwrap()), (255, 255));
        assert!(socket.multicast_loop_v4().unwrap(), "peers of this host hear it too");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_group_socket_hears_no_group_that_others_joined() {
        let bound = bind("224.0.0.199".parse().unwrap(), Port::Exact(45_355)).unwrap();
        assert!(!SockRef::from(&bound.socket).multicast_all_v4().unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_receive_buffer_is_larger_than_the_default() {
        let plain = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        let default = SockRef::from(&plain).recv_buffer_size().unwrap();
        let limit: usize =
            std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap().trim().parse().unwrap();
        let bound = bind(LOCALHOST, Port::Any).unwrap();
        let got = SockRef::from(&bound.socket).recv_buffer_size().unwrap();
        // Linux doubles what it is asked for (socket(7)).
        assert!(got >= default && got >= 2 * RECEIVE_BUFFER.min(limit), "{got}, default {default}");
    }
}
