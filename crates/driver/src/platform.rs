//! The one place for what only some operating systems have. Segmentation offload, batched system calls and congestion marks
//! come from `quinn-udp`, which has its plain fallbacks inside.

use std::io;

use socket2::Socket;

/// Lets several sockets share a port, as each listener of a multicast group must.
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)
}

/// Elsewhere the one option is enough.
#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}
