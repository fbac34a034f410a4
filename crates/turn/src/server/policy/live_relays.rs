//! Which ports of the server's own addresses are relays at this moment.
//!
//! Two clients of one server must reach each other's relays, and nothing else that runs on its host (SECURITY.md case 28). They
//! may be clients of different shards, so what is live is known to all: a bit for each port, set and read without a lock. Only
//! the list of addresses has one, and it is taken when a configuration adds some.
//! Left out: addresses that are not the server's: to ask for one is answered *no*.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
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

/// The live relays of some addresses: 16 KiB for each. Cloning shares, between shards too; without the feature `std` only the
/// addresses that there are by then.
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
pub struct LiveRelays {
    /// Those that this handle has heard of, which are read without a lock.
    known: Vec<Arc<Ports>>,
    /// Those of all handles. None is ever taken out: a handle may still have it.
    #[cfg(feature = "std")]
    all: Arc<std::sync::Mutex<Vec<Arc<Ports>>>>,
}
/// Addresses over the life of a server. Of those beyond no port is ever live.
const ADDRESSES_MAX: usize = 4096;
struct Ports {
    ip: IpAddr,
    udp: Box<[AtomicU32]>,
    tcp: Box<[AtomicU32]>,
}
impl LiveRelays {
    /// Those of the relay addresses, as peers see them: the external ones, where a NAT stands before the server.
    #[must_use]
    pub fn new(ips: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut relays = Self {
            known: Vec::new(),
            #[cfg(feature = "std")]
            all: Arc::default(),
        };
        relays.add(ips);
        relays
    }
    /// With these addresses too, and those that other handles have added. Relays that are live stay so.
    ///
    /// ```
    /// # use ginnel_core::Transport;
    /// # use ginnel_turn::server::policy::LiveRelays;
    /// let mut one = LiveRelays::new(["198.51.100.1".parse()?]);
    /// let mut other = one.clone();
    /// one.add(["198.51.100.2".parse()?]);
    /// one.open(Transport::Udp, "198.51.100.2:50000".parse()?);
    /// other.add([]); // its configuration changes later
    /// # #[cfg(feature = "std")]
    /// assert!(other.is_live(Transport::Udp, "198.51.100.2:50000".parse()?));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn add(&mut self, ips: impl IntoIterator<Item = IpAddr>) {
        #[cfg(feature = "std")]
        {
            // Nothing in there panics, and the list is right after each step: so a poisoned one is as good.
            let mut all = self.all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            extend(&mut all, ips);
            self.known.clone_from(&all);
        }
        #[cfg(not(feature = "std"))]
        extend(&mut self.known, ips);
    }
    /// Whether any relay of this address is live.
    #[must_use]
    pub fn is_in_use(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let words = self.known.iter().filter(|it| it.ip == ip).flat_map(|it| it.words());
        words.into_iter().any(|word| word.load(Ordering::Relaxed) != 0)
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
        let ports = self.known.iter().find(|ports| ports.ip == ip)?;
        let words = if transport.is_stream() { &ports.tcp } else { &ports.udp };
        let port = usize::from(relay.port());
        Some((words.get(port / WORD)?, 1 << (port % WORD)))
    }
}
impl Ports {
    fn words(&self) -> impl Iterator<Item = &AtomicU32> {
        self.udp.iter().chain(&self.tcp)
    }
}
fn extend(list: &mut Vec<Arc<Ports>>, ips: impl IntoIterator<Item = IpAddr>) {
    let words = || (0..WORDS).map(|_| AtomicU32::new(0)).collect();
    for ip in ips {
        let ip = ip.to_canonical();
        if list.len() < ADDRESSES_MAX && list.iter().all(|it| it.ip != ip) {
            list.push(Arc::new(Ports { ip, udp: words(), tcp: words() }));
        }
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
        let live = self.known.iter().flat_map(|it| it.words()).map(|word| word.load(Ordering::Relaxed));
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

    #[cfg(feature = "std")]
    #[test]
    fn addresses_that_are_added_are_the_same_for_all() {
        let [first, second] = ["198.51.100.1", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let mut one = LiveRelays::new([first]);
        let mut other = one.clone();
        let at = |ip| SocketAddr::new(ip, 50_000);
        one.open(Transport::Tcp, at(first));
        one.add([second, first]);
        one.open(Transport::Udp, at(second));
        assert!(!other.is_live(Transport::Udp, at(second)), "it has not heard of it");
        other.add([second]);
        assert!(other.is_live(Transport::Udp, at(second)) && other.is_live(Transport::Tcp, at(first)));
        other.close(Transport::Udp, at(second));
        assert!(!one.is_live(Transport::Udp, at(second)));
        assert_eq!((one.is_in_use(first), one.is_in_use(second)), (true, false));
    }

    #[test]
    fn addresses_are_as_many_as_there_may_be() {
        let ip = |n: usize| IpAddr::V4(core::net::Ipv4Addr::from_bits(n as u32));
        let mut list = Vec::new();
        let ports = |n| Arc::new(Ports { ip: ip(n), udp: Box::new([]), tcp: Box::new([]) });
        list.extend((1..ADDRESSES_MAX).map(ports));
        extend(&mut list, [ip(ADDRESSES_MAX), ip(ADDRESSES_MAX + 1)]);
        assert_eq!((list.len(), list.last().map(|it| it.ip)), (ADDRESSES_MAX, Some(ip(ADDRESSES_MAX))));
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
