//! Where bytes go.

use core::net::SocketAddr;

/// What carries a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream, cut into messages by its [`Framing`].
    Tcp,
    /// The same inside TLS, which is the driver's business.
    Tls,
}
/// One path as *this* host sees it. `local` is always known, so a path means the same in both directions and `==` finds
/// its owner. The driver reports IPv4 as IPv4 (not mapped into IPv6) with zero flow labels: else equal paths would differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// What carries it.
    pub transport: Transport,
    /// Our end: exactly the address that the driver reported when it opened the socket.
    pub local: SocketAddr,
    /// Their end.
    pub remote: SocketAddr,
}
impl Path {
    /// A path of datagrams.
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, local, remote }
    }
    /// The path as the other end sees it, if nothing translates between them.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { transport: self.transport, local: self.remote, remote: self.local }
    }
}
/// RFC 3168: congestion marks, which RTP feedback reports and L4S sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Ecn {
    #[default]
    NotEct,
    Ect1,
    Ect0,
    Ce,
}

/// Where the packet at hand is to go. Grows by fields (DSCP, do-not-fragment), so it is made by [`Transmit::to`].
#[must_use = "a transmit that is not sent is a lost packet"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// Which socket or stream, and to whom.
    pub path: Path,
    /// The mark to send it with.
    pub ecn: Ecn,
}
impl Transmit {
    /// An unmarked transmit on `path`.
    pub const fn to(path: Path) -> Self {
        Self { path, ecn: Ecn::NotEct }
    }
}
