//! What is known of the host: its addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ginnel::driver::{Interfaces, interfaces};

use super::plan::Host;

pub(super) fn look() -> Result<Host, String> {
    let addresses = interfaces(Interfaces::default().with_loopback()).map_err(|error| {
        format!("the network interfaces cannot be listed: {error}; name addresses with --listen")
    })?;
    let v4 = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), SocketAddr::from(([198, 51, 100, 1], 9)));
    let v6 = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9)));
    let outward = [v4, v6].into_iter().filter_map(|(any, somewhere)| outward(any, somewhere)).collect();
    Ok(Host { addresses, outward })
}

/// Which address packets to there would leave from. Nothing is sent: connecting a UDP socket only looks for the route.
fn outward(any: IpAddr, somewhere: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(somewhere).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
