//! Which ports of the server's own addresses are relays at this moment.
//!
//! Two clients of one server must reach each other's relays, and nothing else that runs on its host (SECURITY.md case 28). They
//! may be clients of different shards, so what is live is known to all: a bit for each port, set and read without a lock.
//! Left out: addresses that are not the server's, and those that a later configuration adds: to ask for one is answered *no*.

use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering},
};

use ginnel_core::Transport;

/// Ports in a word.
const WORD: usize = u32::BITS as usize;
/// Words for the ports of one address and transport.
const WORDS: usize = (1 << 16) / WORD;

/// The live relays of some addresses: 16 KiB for each. Cloning shares, between shards too.
///
/// ```
/// use ginnel_core::Transport;
/// use ginnel_turn::server::policy::LiveRelays;
///
/// let relays = LiveRelays::new(["198.51.100.1".parse()?]);
/// let other_shard = relays.clone();
/// let relay = "198.51.100.1:50000".parse()?;
/// relays.open(Transport::Udp, relay);
/// assert!(other_shard.is_live(Transport::Udp, relay));
/// assert!(!other_shard.is_live(Transport::Tcp, relay));
/// relays.close(Transport::Udp, relay);
/// assert!(!other_shard.is_live(Transport::Udp, relay));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone)]
pub struct LiveRelays(Arc<[Ports]>);
struct Ports {
    ip: IpAddr,
    udp: Box<[AtomicU32]>,
    tcp: Box<[AtomicU32]>,
}
impl LiveRelays {
    /// Those of the relay addresses, as peers see them: the external ones, where a NAT stands before the server.
    #[must_use]
    pub fn new(ips: impl IntoIterator<Item = IpAddr>) -> Self {
        let words = || (0..WORDS).map(|_| AtomicU32::new(0)).collect();
        Self(ips.into_iter().map(|ip| Ports { ip: ip.to_canonical(), udp: words(), tcp: words() }).collect())
    }
    /// There is a relay here from now on.
    pub fn open(&self, transport: Transport, relay: SocketAddr) {
        if let Some((word, bit)) = self.bit(transport, relay) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }
    /// There is none any more.
    pub fn close(&self, transport: Transport, relay: SocketAddr) {
        if let Some((word, bit)) = self.bit(transport, relay) {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }
    /// Whether there is one. Allocates nothing and locks nothing: fit for each packet.
    #[inline]
    #[must_use]
    pub fn is_live(&self, transport: Transport, relay: SocketAddr) -> bool {
        self.bit(transport, relay).is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }
    #[inline]
    fn bit(&self, transport: Transport, relay: SocketAddr) -> Option<(&AtomicU32, u32)> {
        let ip = relay.ip().to_canonical();
        let ports = self.0.iter().find(|ports| ports.ip == ip)?;
        let words = if transport.is_stream() { &ports.tcp } else { &ports.udp };
        let port = usize::from(relay.port());
        Some((words.get(port / WORD)?, 1 << (port % WORD)))
    }
}
impl Default for LiveRelays {
    /// No address, so nothing is ever live.
    fn default() -> Self {
        Self::new([])
    }
}
impl fmt::Debug for LiveRelays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self
            .0
            .iter()
            .flat_map(|it| it.udp.iter().chain(&it.tcp))
            .map(|word| word.load(Ordering::Relaxed));
        write!(f, "LiveRelays({} live)", live.map(u32::count_ones).sum::<u32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_of_each_address_and_transport_is_a_bit_of_its_own() {
        let ips: [IpAddr; 2] = ["198.51.100.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let relays = LiveRelays::new(ips);
        for (n, ip) in ips.into_iter().enumerate() {
            for port in [0, 1, 31, 32, 33, 65_535] {
                for transport in [Transport::Udp, Transport::Tcp] {
                    let relay = SocketAddr::new(ip, port);
                    assert!(!relays.is_live(transport, relay), "{n} {port}");
                    relays.open(transport, relay);
                    assert!(relays.is_live(transport, relay));
                    assert_eq!(std::format!("{relays:?}"), "LiveRelays(1 live)");
                    relays.close(transport, relay);
                    assert!(!relays.is_live(transport, relay));
                }
            }
        }
    }

    #[test]
    fn a_mapped_address_is_the_same_relay() {
        let relays = LiveRelays::new(["198.51.100.1".parse().unwrap()]);
        relays.open(Transport::Udp, "[::ffff:198.51.100.1]:7".parse().unwrap());
        assert!(relays.is_live(Transport::Udp, "198.51.100.1:7".parse().unwrap()));
    }

    #[test]
    fn what_is_no_address_of_the_server_is_never_live() {
        let relays = LiveRelays::default();
        relays.open(Transport::Udp, "192.0.2.1:7".parse().unwrap());
        assert!(!relays.is_live(Transport::Udp, "192.0.2.1:7".parse().unwrap()));
    }
}
