//! The one place for what only some operating systems have. Segmentation offload, batched system calls and congestion marks
//! come from `quinn-udp`, which has its plain fallbacks inside.

use std::{io, net::IpAddr};

use socket2::Socket;

/// Lets several sockets share a port, as each listener of a multicast group must.
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)
}

/// Keeps a socket on every address from hearing groups that other sockets of this host have joined (ip(7),
/// `IP_MULTICAST_ALL`). Where the system does not know the option, the machine sees more than it wants, and copes.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn only_joined(socket: &Socket, group: IpAddr) {
    let _ = match group {
        IpAddr::V4(_) => socket.set_multicast_all_v4(false),
        IpAddr::V6(_) => socket.set_multicast_all_v6(false),
    };
}

/// Elsewhere a socket hears what it has joined.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn only_joined(_: &Socket, _: IpAddr) {}

/// Elsewhere the one option is enough.
#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}
