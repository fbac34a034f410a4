//! Addresses, as tests like to write them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What can stand for an IP address in a test: an [`IpAddr`] in any of its forms, or its text.
///
/// ```
/// use ginnel_netsim::{Sim, ToIp};
/// assert_eq!("10.0.0.1".to_ip(), [10, 0, 0, 1].to_ip());
/// let mut sim = Sim::new(1);
/// let dual_stack = sim.host(["192.0.2.1", "2001:db8::1"]);
/// assert_eq!(sim.ips(dual_stack).len(), 2);
/// ```
pub trait ToIp {
    /// The address.
    ///
    /// # Panics
    /// When text is not an IP address: the mistake of whoever wrote the test.
    fn to_ip(&self) -> IpAddr;
}

impl ToIp for IpAddr {
    fn to_ip(&self) -> IpAddr {
        *self
    }
}
impl ToIp for Ipv4Addr {
    fn to_ip(&self) -> IpAddr {
        (*self).into()
    }
}
impl ToIp for Ipv6Addr {
    fn to_ip(&self) -> IpAddr {
        (*self).into()
    }
}
impl ToIp for [u8; 4] {
    fn to_ip(&self) -> IpAddr {
        (*self).into()
    }
}
impl ToIp for &str {
    #[track_caller]
    fn to_ip(&self) -> IpAddr {
        match self.parse() {
            Ok(ip) => ip,
            Err(_) => panic!("{self:?} is not an IP address"),
        }
    }
}
