//! What is known of the host: its addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ginnel::driver::{Interfaces, interfaces};

use super::plan::Host;

pub(super) fn look() -> Result<Host, String> {
    let own = own()?;
    // An address may be there and not be ready yet, such as one of IPv6 that is looked for duplicates of.
    let (addresses, unfit) = own
        .iter()
        .copied()
        .filter(|ip| !is_link_local(*ip))
        .partition(|ip| UdpSocket::bind((*ip, 0)).is_ok());
    let v4 = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::from(([198, 51, 100, 1], 9)));
    let v6 = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9)));
    let outward = [v4, v6].into_iter().filter_map(|(any, somewhere)| outward(any, somewhere)).collect();
    Ok(Host { own, addresses, unfit, outward })
}

/// The addresses of this host, those of loopback among them.
pub(super) fn own() -> Result<Vec<IpAddr>, String> {
    let wanted = Interfaces::default().with_loopback().with_link_local();
    interfaces(wanted).map_err(|error| {
        format!("the network interfaces cannot be listed: {error}; name addresses with --listen")
    })
}

/// Of one link alone: whoever listens there has to say on which, and nobody can be sent there.
const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Which address packets to there would leave from. Nothing is sent: connecting a UDP socket only looks for the route.
fn outward(any: IpAddr, somewhere: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(somewhere).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
