//! Addresses in little room: 20 octets, where `SocketAddr` takes 32, so that a relayed packet touches fewer cache lines.
//!
//! Scope and flow label are left out: paths have none, and neither have the addresses of STUN attributes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ginnel_core::{Path, Transport};

/// A transport address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Compact {
    /// In host order; IPv4 in the first.
    ip: [u32; 4],
    port: u16,
    family: Family,
}
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Compact {
    #[inline]
    pub(super) const fn new(address: SocketAddr) -> Self {
        let (ip, family) = match address.ip() {
            IpAddr::V4(ip) => ([ip.to_bits(), 0, 0, 0], Family::V4),
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                let words = [(bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32];
                (words, Family::V6)
            }
        };
        Self { ip, port: address.port(), family }
    }
    #[inline]
    pub(super) const fn ip(&self) -> IpAddr {
        let [first, second, third, fourth] = self.ip;
        match self.family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(first)),
            Family::V6 => {
                let (upper, lower) = (wide(first, second), wide(third, fourth));
                IpAddr::V6(Ipv6Addr::from_bits((upper as u128) << 64 | lower as u128))
            }
        }
    }
    #[inline]
    pub(super) const fn get(&self) -> SocketAddr {
        SocketAddr::new(self.ip(), self.port)
    }
}
const fn wide(upper: u32, lower: u32) -> u64 {
    (upper as u64) << 32 | lower as u64
}
impl core::fmt::Debug for Compact {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.get().fmt(f)
    }
}

/// The five-tuple of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FiveTuple {
    remote: Compact,
    local: Compact,
    transport: Transport,
}
impl FiveTuple {
    #[inline]
    pub(super) const fn new(path: &Path) -> Self {
        let (remote, local) = (Compact::new(path.remote), Compact::new(path.local));
        Self { remote, local, transport: path.transport }
    }
    #[inline]
    pub(super) const fn remote_port(&self) -> u16 {
        self.remote.port
    }
    #[inline]
    pub(super) const fn get(&self) -> Path {
        Path::new(self.transport, self.local.get(), self.remote.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let addresses =
            ["192.0.2.1:3478", "0.0.0.0:0", "[2001:db8:1:2:3:4:5:6]:65535", "[::]:0", "[::c000:201]:3478"];
        let addresses = addresses.map(|it| it.parse::<SocketAddr>().unwrap());
        for (number, &one) in addresses.iter().enumerate() {
            assert_eq!((Compact::new(one).get(), Compact::new(one).ip()), (one, one.ip()));
            for &other in &addresses[number + 1..] {
                assert_ne!(Compact::new(one), Compact::new(other));
                let path = Path::new(Transport::Tls, one, other);
                assert_eq!(FiveTuple::new(&path).get(), path);
                assert_ne!(FiveTuple::new(&path), FiveTuple::new(&path.reversed()));
            }
        }
        assert_eq!(
            (size_of::<Compact>(), size_of::<Option<Compact>>(), size_of::<FiveTuple>()),
            (20, 20, 44)
        );
    }
}
