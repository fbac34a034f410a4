//! The addresses of this host.

use std::{io, net::IpAddr};

use if_addrs::{IfOperStatus, Interface, get_if_addrs};

/// Which addresses [`interfaces`] gives. By default those that a peer elsewhere could use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interfaces {
    /// `127.0.0.1`, `::1`.
    pub loopback: bool,
    /// `169.254.0.0/16`, `fe80::/10`.
    pub link_local: bool,
}

impl Interfaces {
    /// Loopback addresses too: for tests, and for peers on this host.
    #[must_use]
    pub const fn with_loopback(self) -> Self {
        Self { loopback: true, ..self }
    }
    /// Link-local addresses too.
    #[must_use]
    pub const fn with_link_local(self) -> Self {
        Self { link_local: true, ..self }
    }

    fn wants(self, ip: IpAddr) -> bool {
        let link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        let unusable = ip.is_unspecified() || ip.is_multicast();
        !unusable && (self.loopback || !ip.is_loopback()) && (self.link_local || !link_local)
    }
}

/// The unicast addresses of the interfaces that are up, each once, in the order of the operating system.
///
/// ```
/// use ginnel_driver::{Interfaces, interfaces};
/// let with_loopback = interfaces(Interfaces::default().with_loopback())?;
/// assert!(interfaces(Interfaces::default())?.iter().all(|ip| with_loopback.contains(ip)));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When the operating system does not tell.
pub fn interfaces(which: Interfaces) -> io::Result<Vec<IpAddr>> {
    let mut ips = Vec::new();
    for ip in up()?.iter().map(Interface::ip) {
        if which.wants(ip) && !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    Ok(ips)
}

/// All interfaces that are up.
pub(crate) fn up() -> io::Result<Vec<Interface>> {
    let mut all = get_if_addrs()?;
    all.retain(|interface| !matches!(interface.oper_status, IfOperStatus::Down | IfOperStatus::NotPresent));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for() {
        let wants = |which: Interfaces, ip: &str| which.wants(ip.parse().unwrap());
        let (plain, loopback) = (Interfaces::default(), Interfaces::default().with_loopback());
        let link_local = Interfaces::default().with_link_local();
        for ip in ["10.0.0.1", "192.0.2.1", "2001:db8::1", "fd00::1"] {
            assert!(wants(plain, ip) && wants(loopback, ip) && wants(link_local, ip), "{ip}");
        }
        for ip in ["127.0.0.1", "::1"] {
            assert!(!wants(plain, ip) && wants(loopback, ip) && !wants(link_local, ip), "{ip}");
        }
        for ip in ["169.254.3.4", "fe80::1"] {
            assert!(!wants(plain, ip) && !wants(loopback, ip) && wants(link_local, ip), "{ip}");
        }
        for ip in ["0.0.0.0", "::", "224.0.0.251", "ff02::fb"] {
            assert!(!wants(plain, ip) && !wants(loopback, ip) && !wants(link_local, ip), "{ip}");
        }
    }
}
