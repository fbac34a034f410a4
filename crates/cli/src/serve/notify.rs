//! Tells systemd how far it is (sd_notify(3)): a datagram to the socket that the environment names.

/// Says it, if somebody wants to know. `state` is such as `READY=1`.
#[cfg(target_os = "linux")]
pub(super) fn notify(state: &str) {
    use std::os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    };
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let name = name.as_encoded_bytes();
    let address = match name.strip_prefix(b"@") {
        Some(hidden) => SocketAddr::from_abstract_name(hidden),
        None => SocketAddr::from_pathname(String::from_utf8_lossy(name).as_ref()),
    };
    let sent = address.and_then(|at| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &at));
    if let Err(error) = sent {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
#[cfg(not(target_os = "linux"))]
pub(super) fn notify(_: &str) {}
