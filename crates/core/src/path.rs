//! Where bytes go: the path, and the verdict *send this*.

use core::{fmt, net::SocketAddr};

/// What carries a path.
///
/// ```
/// use ginnel_core::Transport;
///
/// assert_eq!(Transport::Udp.to_string(), "udp");
/// assert!(Transport::Tls.is_stream() && !Transport::Dtls.is_stream());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream, cut into messages by its [`Framing`](crate::Framing).
    Tcp,
    /// The same inside TLS, which is the driver's business.
    Tls,
    /// Datagrams inside DTLS, which is the driver's business (RFC 7350 for STUN and TURN). WebRTC's own DTLS is another:
    /// it is a session above a path, and its path is `Udp`.
    Dtls,
}

impl Transport {
    /// Whether messages arrive in order and once, or the path is lost: so nothing is sent twice (RFC 8489 section 6.2.2).
    ///
    /// ```
    /// # use ginnel_core::Transport;
    /// assert!(Transport::Tcp.is_stream());
    /// assert!(!Transport::Udp.is_stream());
    /// ```
    #[must_use]
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }
}

/// In lower case, as SDP and URIs write it.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Dtls => "dtls",
        })
    }
}

/// One path as *this* host sees it.
///
/// `local` is always known, so a path means the same in both directions and `==` finds its owner. The driver reports IPv4
/// as IPv4 (not mapped into IPv6), with zero flow labels: else equal paths would differ.
///
/// ```
/// use ginnel_core::Path;
///
/// let ours = Path::udp("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
/// assert_eq!(ours.to_string(), "udp 10.0.0.1:5000 -> 192.0.2.1:3478");
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
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
    /// A path of any kind.
    ///
    /// ```
    /// # use ginnel_core::{Path, Transport};
    /// let path = Path::new(Transport::Tcp, "10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
    /// assert_eq!(path.to_string(), "tcp 10.0.0.1:5000 -> 192.0.2.1:3478");
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub const fn new(transport: Transport, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport, local, remote }
    }

    /// A path of datagrams.
    ///
    /// ```
    /// # use ginnel_core::{Path, Transport};
    /// let path = Path::udp("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
    /// assert_eq!((path.transport, path.local.port()), (Transport::Udp, 5000));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, local, remote }
    }

    /// The path as the other end sees it, if nothing translates between them.
    ///
    /// ```
    /// # use ginnel_core::Path;
    /// # let path = Path::udp("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
    /// assert_eq!(path.reversed().local, path.remote);
    /// assert_eq!(path.reversed().reversed(), path);
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { transport: self.transport, local: self.remote, remote: self.local }
    }
}

/// `udp 10.0.0.1:5000 -> 192.0.2.1:3478`. Addresses are personal data: not for logs that leave the host.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.transport, self.local, self.remote)
    }
}

/// The congestion mark of a packet (RFC 3168 section 5), which RTP feedback reports and L4S sets.
///
/// ```
/// use ginnel_core::Ecn;
///
/// assert_eq!(Ecn::default(), Ecn::NotEct);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ecn {
    /// `00`: the sender does not understand marks.
    #[default]
    NotEct,
    /// `01`: it does, and this packet is for L4S (RFC 9331 section 4.1).
    Ect1,
    /// `10`: it does.
    Ect0,
    /// `11`: congestion was experienced on the way.
    Ce,
}

/// Where the packet at hand is to go.
///
/// Grows by fields, so it is made by [`Transmit::to`]. It holds no bytes: they are in the packet that the machine was lent.
///
/// ```
/// use ginnel_core::{Ecn, Path, Transmit};
///
/// let path = Path::udp("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
/// let mut transmit = Transmit::to(path);
/// transmit.ecn = Ecn::Ect1;
/// assert_eq!(transmit.path, path);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[must_use = "a transmit that is not sent is a lost packet"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// Which socket or stream, and to whom.
    pub path: Path,
    /// The mark to send it with.
    pub ecn: Ecn,
    /// Whether it goes unfragmented or not at all: the network drops what is too large for it, and tells by ICMP (RFC 791: the
    /// DF bit; IPv6 cuts nothing on the way). True unless it is changed: who sends packets of its own wants them whole. A relay
    /// sets it as RFC 8656 section 14 has it. Without a meaning on streams.
    pub dont_fragment: bool,
    /// The differentiated services code point, 0 to 63, where the driver and its system can set it for one datagram (RFC 2474
    /// section 3). 0 is best effort. Without a meaning on streams.
    pub dscp: u8,
}

impl Transmit {
    /// An unmarked transmit on `path`, of best effort, that is not to be fragmented.
    ///
    /// ```
    /// # use ginnel_core::{Ecn, Path, Transmit};
    /// # let path = Path::udp("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
    /// let transmit = Transmit::to(path);
    /// assert_eq!((transmit.ecn, transmit.dont_fragment, transmit.dscp), (Ecn::NotEct, true, 0));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    pub const fn to(path: Path) -> Self {
        Self { path, ecn: Ecn::NotEct, dont_fragment: true, dscp: 0 }
    }
}
