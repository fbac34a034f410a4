//! Who may be a peer: what RFC 8656 section 21.2.1 leaves to local policy, safe as long as nobody configures anything.
//!
//! ```text
//!  an address, and each IPv4 address that is embedded in it:
//!    in a denied range                     -> denied
//!    in an allowed range                   -> allowed
//!    special: loopback, private, ..        -> denied
//!    the server's own                      -> live relays alone
//!    any other                             -> allowed
//! ```
//!
//! All of them must pass: an IPv6 address is a way to every IPv4 address inside it (SECURITY.md cases 26 to 29).
//! Left out: ports of peers, which are anybody's to choose; and the addresses that a network translates in ways that
//! nobody outside knows, which are denied like any other range.

mod embedded;
mod range;
mod special;

use alloc::vec::Vec;
use core::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use embedded::embedded;
use range::Ranges;
pub use range::{PeerRange, PeerRangeError};

/// Which peers a client may reach.
///
/// The default denies whatever is not a host on the internet: this host, its networks, metadata services of clouds, and
/// every way of writing those in IPv6. RFC 1918 and RFC 6598 are among them: allow what clients are to reach.
///
/// An allowed range wins over all that is denied by default, the server's own addresses included: allowing the network that the
/// server stands in lets its clients speak to whatever listens on its host. A denied range wins over all.
///
/// ```
/// use ginnel_turn::server::policy::{PeerFilter, PeerVerdict};
///
/// let filter = PeerFilter::default()
///     .with_allowed("10.1.0.0/16".parse()?)
///     .with_denied("10.1.2.0-10.1.2.9".parse()?)
///     .with_own_address("198.51.100.1".parse()?);
/// assert_eq!(filter.address("10.1.0.1".parse()?), PeerVerdict::Allowed);
/// assert!(matches!(filter.address("10.1.2.3".parse()?), PeerVerdict::Denied(_)));
/// assert!(matches!(filter.address("10.2.0.1".parse()?), PeerVerdict::Denied(_)));
/// assert_eq!(filter.address("198.51.100.1".parse()?), PeerVerdict::RelaysOnly);
/// assert!(matches!(filter.address("::ffff:127.0.0.1".parse()?), PeerVerdict::Denied(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerFilter {
    allowed: Ranges,
    denied: Ranges,
    own: Vec<IpAddr>,
}

/// What becomes of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerVerdict {
    /// Any port of it.
    Allowed,
    /// It is the server's own: those of its ports that are live relays. A permission may be installed for it; each port has
    /// to be asked for with [`PeerFilter::peer`].
    RelaysOnly,
    /// 403 (Forbidden), and Send indications are dropped.
    Denied(Denial),
}

/// Why a peer is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denial {
    /// The operator denies it.
    Configured,
    /// It is no host on the internet, or a way to one that is none: what kind of address it is.
    Special(&'static str),
    /// It is the server's own address, and no relay is live on this port.
    Own,
    /// Nothing can be sent to port 0.
    PortZero,
}
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured => f.write_str("the configuration denies this peer"),
            Self::Special(kind) => write!(f, "the peer's address is {kind}: allow its range to permit it"),
            Self::Own => f.write_str("the peer is this server, and no relay of it"),
            Self::PortZero => f.write_str("the peer's port is 0"),
        }
    }
}

impl PeerFilter {
    /// These too may be reached, whatever is denied by default.
    #[must_use]
    pub fn with_allowed(mut self, range: PeerRange) -> Self {
        self.allowed.insert(range);
        self
    }
    /// These may not, whatever is allowed.
    #[must_use]
    pub fn with_denied(mut self, range: PeerRange) -> Self {
        self.denied.insert(range);
        self
    }
    /// This is an address of the server: one that it listens on, relays from, or is seen at behind its NAT.
    #[must_use]
    pub fn with_own_address(mut self, ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        if !ip.is_unspecified() && !self.own.contains(&ip) {
            self.own.push(ip);
        }
        self
    }

    /// Whether a permission for this address may be installed (CreatePermission has no port).
    #[must_use]
    pub fn address(&self, ip: IpAddr) -> PeerVerdict {
        let outer = self.one(ip);
        let inner = match ip {
            IpAddr::V6(ip) => embedded(ip),
            IpAddr::V4(_) => [None; embedded::MOST],
        };
        let inner = inner.into_iter().flatten().map(|inner| self.one(IpAddr::V4(inner)));
        inner.fold(outer, |worst, next| match (worst, next) {
            (PeerVerdict::Denied(_), _) | (_, PeerVerdict::Allowed) => worst,
            (_, PeerVerdict::Denied(_)) | (PeerVerdict::Allowed, _) => next,
            (PeerVerdict::RelaysOnly, PeerVerdict::RelaysOnly) => worst,
        })
    }
    /// Whether this peer may be reached. `is_live` is asked about the server's own addresses alone: whether a relay
    /// is live there ([`LiveRelays`](super::LiveRelays)).
    ///
    /// ```
    /// # use ginnel_turn::server::policy::{Denial, PeerFilter};
    /// let filter = PeerFilter::default().with_own_address("198.51.100.1".parse()?);
    /// assert_eq!(filter.peer("198.51.100.1:50000".parse()?, |_| true), Ok(()));
    /// assert_eq!(filter.peer("198.51.100.1:22".parse()?, |_| false), Err(Denial::Own));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub fn peer(&self, peer: SocketAddr, is_live: impl FnOnce(SocketAddr) -> bool) -> Result<(), Denial> {
        if peer.port() == 0 {
            return Err(Denial::PortZero);
        }
        match self.address(peer.ip()) {
            PeerVerdict::Allowed => Ok(()),
            PeerVerdict::RelaysOnly if is_live(peer) => Ok(()),
            PeerVerdict::RelaysOnly => Err(Denial::Own),
            PeerVerdict::Denied(why) => Err(why),
        }
    }
    /// One address, as it is written.
    fn one(&self, ip: IpAddr) -> PeerVerdict {
        if self.denied.contains(ip) {
            PeerVerdict::Denied(Denial::Configured)
        } else if self.allowed.contains(ip) {
            PeerVerdict::Allowed
        } else if let Some(kind) = special::kind(ip) {
            PeerVerdict::Denied(Denial::Special(kind))
        } else if self.own.contains(&ip) {
            PeerVerdict::RelaysOnly
        } else {
            PeerVerdict::Allowed
        }
    }
}

#[cfg(test)]
mod tests;
