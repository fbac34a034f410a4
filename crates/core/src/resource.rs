//! What a machine asks of its driver, and what it is told: sockets and streams.
//!
//! What is open is named as paths name it, by transport and addresses, and not by a handle: a machine has the path of a
//! packet at hand, and streams that were accepted have no ticket. The transport belongs to the name, since one address may
//! be bound for datagrams and listened on for streams at once, as STUN servers do.

use core::{
    error::Error,
    fmt,
    net::{IpAddr, SocketAddr},
};

use crate::{Alpn, Framing, HostName, IcmpError, Path, StreamRate, Transport};

/// Pairs a request with its outcome.
///
/// A machine numbers its own requests. An owner of several machines keeps them apart with [`Ticket::nest`]: the number of
/// the child goes into the low octet on the way out, and comes off on the way back.
///
/// ```
/// use ginnel_core::Ticket;
///
/// let inner = Ticket(5);
/// let outer = inner.nest(2).unwrap(); // what child 2 asked
/// assert_eq!(outer.unnest(), (2, inner));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    /// The ticket of child `n`, as its owner hands it on; `None` if the number is too large for another level: seven levels
    /// fit if the innermost tickets are below 256, and four if they are below 2^32.
    ///
    /// ```
    /// # use ginnel_core::Ticket;
    /// assert_eq!(Ticket(5).nest(2), Some(Ticket(0x0502)));
    /// assert_eq!(Ticket(1 << 56).nest(2), None);
    /// ```
    #[must_use]
    pub const fn nest(self, n: u8) -> Option<Self> {
        if self.0 >> 56 == 0 { Some(Self(self.0 << 8 | n as u64)) } else { None }
    }

    /// Which child, and its own ticket.
    ///
    /// ```
    /// # use ginnel_core::Ticket;
    /// assert_eq!(Ticket(0x0502).unnest(), (2, Ticket(5)));
    /// ```
    #[must_use]
    pub const fn unnest(self) -> (u8, Self) {
        (self.0 as u8, Self(self.0 >> 8))
    }
}

/// Which port a socket is to have.
///
/// ```
/// use ginnel_core::Port;
///
/// assert_ne!(Port::Any, Port::Exact(5353));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Whichever is free.
    Any,
    /// An even one: what a TURN client may ask of a server (EVEN-PORT, RFC 8656 section 18.6).
    Even,
    /// This one.
    Exact(u16),
}

/// What a machine asks of its **driver**.
///
/// What it asks of the *application* (credentials, policy) is an event with a ticket and an answering call.
///
/// ```
/// use ginnel_core::{Alpn, Framing, Notice, Refused, Request, Ticket, Transport};
///
/// let request = Request::Connect {
///     ticket: Ticket(1),
///     transport: Transport::Tls,
///     local: None,
///     remote: "192.0.2.1:5349".parse().unwrap(),
///     framing: Framing::Stun,
///     host: Some("turn.example.org".parse().unwrap()),
///     alpn: Some(Alpn::TURN),
/// };
/// // What a driver says that has no streams.
/// let answer = request.refuse(Refused::Unsupported);
/// assert_eq!(answer, Some(Notice::Opened { ticket: Ticket(1), result: Err(Refused::Unsupported) }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "a host name is inline: nothing here allocates, and requests are few"
)]
pub enum Request {
    /// Open a datagram socket. Answered by [`Notice::Opened`], once, at once or later.
    ///
    /// # A multicast address
    ///
    /// If `ip` is a multicast group, such as 224.0.0.251 with [`Port::Exact`]`(5353)`, the driver
    ///
    /// - binds that port shared (`SO_REUSEADDR` and, where there is one, `SO_REUSEPORT`), since other programs of the host
    ///   listen on it too;
    /// - joins the group on every interface that carries multicast, and on those that come later;
    /// - answers with the *group's* address, `Ok(224.0.0.251:5353)`, and reports what arrives on the port, whether it was
    ///   sent to the group or to this host, with that as `path.local`;
    /// - sends what has it as `path.local` out of every such interface when `path.remote` is a multicast address (with
    ///   the IP TTL of 255 that RFC 6762 section 11 recommends, and looped back, so that peers on this host hear it), and as
    ///   routing has it otherwise.
    Bind {
        /// Comes back in the notice.
        ticket: Ticket,
        /// On this address. An unspecified one means every interface.
        ip: IpAddr,
        /// With such a port.
        port: Port,
    },
    /// Open a stream, or datagrams inside DTLS. Answered by [`Notice::Opened`], once, at once or later: when it can be sent
    /// on, with TLS behind the handshake.
    ///
    /// Its path is `transport`, the local address of the answer, and `remote`. It is the machine's until it is released,
    /// or [`Notice::Lost`] says that it has ended.
    Connect {
        /// Comes back in the notice.
        ticket: Ticket,
        /// `Tcp`, `Tls` or `Dtls`.
        transport: Transport,
        /// From which address; with port 0, from any port of it. `None` leaves it to routing. It may be one that is
        /// listened on, as a TCP relay connects from the address that it has allocated (RFC 6062 section 5.2).
        local: Option<SocketAddr>,
        /// To whom.
        remote: SocketAddr,
        /// How it is cut into messages; [`Framing::Held`] if that is to be said later. Without a meaning for `Dtls`.
        framing: Framing,
        /// Whose certificate it must be, with `Tls` and `Dtls`: the name that the user gave, not one that a server
        /// redirected to or DNS has made of it. `None` if the user gave an address: then the certificate must be for
        /// `remote`'s.
        host: Option<HostName>,
        /// What is spoken inside, with `Tls` and `Dtls`; `None` does not use the extension.
        alpn: Option<Alpn>,
    },
    /// Take in streams that others open, or datagrams inside DTLS. Answered by [`Notice::Opened`], once, at once or later;
    /// then each stream is told by [`Notice::Accepted`].
    ///
    /// How many there may be, in all and from one source, how long a handshake may take and how long a stream may be idle
    /// is the driver's to limit: what is beyond the limits is closed and never told of.
    Listen {
        /// Comes back in the notice.
        ticket: Ticket,
        /// `Tcp`, `Tls` or `Dtls`.
        transport: Transport,
        /// On this address. An unspecified one means every interface; paths are concrete all the same.
        ip: IpAddr,
        /// With such a port.
        port: Port,
        /// How each stream is cut into messages; [`Framing::Held`] if that is to be said of each, as a TCP relay does until a
        /// client has come for the stream (RFC 6062 section 5.3). Without a meaning for `Dtls`.
        framing: Framing,
    },
    /// Give back a socket, a listener, or one stream. Not answered.
    ///
    /// What was sent on a stream before is still delivered if the peer takes it in time. Streams that a listener has
    /// accepted outlive it: each is released by itself.
    Release {
        /// As it was opened.
        transport: Transport,
        /// The address in the notice; of a stream, `path.local`.
        local: SocketAddr,
        /// The far end of one stream, or with `None` the socket or listener.
        remote: Option<SocketAddr>,
    },
    /// Cut an open stream otherwise from now on. Not answered; without effect on a stream that has ended or is spliced.
    ///
    /// "From now on" is behind the message that the machine was given last: octets that have come behind it obey the new rule,
    /// even if they were read together with it, since a driver takes requests after each message. So a client whose request is
    /// answered on the very stream that becomes its data connection (RFC 6062 section 4.5) misses nothing, and a stream that
    /// was [held](Framing::Held) begins to be read.
    Frame {
        /// Of the stream.
        path: Path,
        /// How it is cut into messages.
        framing: Framing,
    },
    /// Join two open streams: what comes on one is sent on the other, octet for octet, and the machine sees none of it. Not
    /// answered. What is behind the last message that it was given goes along; what it has sent before on either leaves first.
    ///
    /// The driver bounds what is between them: while one takes nothing, the other is not read. Where one side ends its half,
    /// so does the other's far end see it, behind the last octet, and the other direction goes on. When both have ended, or one
    /// is broken, or nothing has moved for the driver's limit, both are gone: then [`Notice::Spliced`] tells how much was passed
    /// and [`Notice::Lost`] follows for each. If one is not open (its end may not have been told yet), the other is closed and
    /// told of in the same way.
    ///
    /// A [release](Request::Release) of either closes both, behind what was on its way, and the other is told of by
    /// [`Notice::Lost`]; nothing can be sent on them.
    Splice {
        /// One stream.
        one: Path,
        /// The other.
        other: Path,
        /// How fast, where there are limits: all of these hold.
        rates: [Option<StreamRate>; 2],
    },
}

impl Request {
    /// Gives back what carries the stream of this path, or the datagram socket.
    ///
    /// ```
    /// # use ginnel_core::{Path, Request, Transport};
    /// let (local, remote) = ("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
    /// let stream = Request::release(Path::new(Transport::Tcp, local, remote));
    /// assert_eq!(stream, Request::Release { transport: Transport::Tcp, local, remote: Some(remote) });
    /// let socket = Request::release(Path::udp(local, remote));
    /// assert_eq!(socket, Request::Release { transport: Transport::Udp, local, remote: None });
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub const fn release(path: Path) -> Self {
        let remote = if matches!(path.transport, Transport::Udp) { None } else { Some(path.remote) };
        Self::Release { transport: path.transport, local: path.local, remote }
    }

    /// The ticket of what is answered.
    ///
    /// ```
    /// # use ginnel_core::{Port, Request, Ticket};
    /// let request = Request::Bind { ticket: Ticket(1), ip: [10, 0, 0, 1].into(), port: Port::Any };
    /// assert_eq!(request.ticket(), Some(Ticket(1)));
    /// ```
    #[must_use]
    pub const fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Bind { ticket, .. } | Self::Connect { ticket, .. } | Self::Listen { ticket, .. } => {
                Some(*ticket)
            }
            Self::Release { .. } | Self::Frame { .. } | Self::Splice { .. } => None,
        }
    }

    /// The request of child `n`, as its owner hands it on: see [`Ticket::nest`]. `None` if the ticket is too large.
    ///
    /// ```
    /// # use ginnel_core::{Port, Request, Ticket};
    /// let request = Request::Bind { ticket: Ticket(5), ip: [10, 0, 0, 1].into(), port: Port::Any };
    /// assert_eq!(request.nest(2).and_then(|request| request.ticket()), Some(Ticket(0x0502)));
    /// ```
    #[must_use]
    pub const fn nest(mut self, n: u8) -> Option<Self> {
        match &mut self {
            Self::Bind { ticket, .. } | Self::Connect { ticket, .. } | Self::Listen { ticket, .. } => {
                match ticket.nest(n) {
                    Some(outer) => *ticket = outer,
                    None => return None,
                }
            }
            Self::Release { .. } | Self::Frame { .. } | Self::Splice { .. } => {}
        }
        Some(self)
    }

    /// What a driver says to what it does not do; `None` where no answer is waited for.
    ///
    /// ```
    /// # use ginnel_core::{Refused, Request, Transport};
    /// let release =
    ///     Request::Release { transport: Transport::Udp, local: "10.0.0.1:5000".parse().unwrap(), remote: None };
    /// assert_eq!(release.refuse(Refused::Unsupported), None);
    /// ```
    #[must_use]
    pub const fn refuse(&self, why: Refused) -> Option<Notice> {
        match self.ticket() {
            Some(ticket) => Some(Notice::Opened { ticket, result: Err(why) }),
            None => None,
        }
    }
}

/// Why the driver did not open it.
///
/// ```
/// use ginnel_core::Refused;
///
/// assert_eq!(Refused::InUse.to_string(), "the address is in use");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The port is taken, or the address is.
    InUse,
    /// The operating system, or the driver's policy, does not allow it.
    NotPermitted,
    /// There is no such address here, no route, or nobody listens there.
    Unreachable,
    /// Connecting took too long, or the TLS handshake behind it.
    TimedOut,
    /// The certificate is not for that name or address, has expired, or comes from nobody who is trusted here.
    Untrusted,
    /// The TLS handshake failed for another reason: it is not TLS, or no version, cipher or protocol is common.
    Handshake,
    /// This driver cannot do that at all.
    Unsupported,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InUse => "the address is in use",
            Self::NotPermitted => "opening it is not permitted",
            Self::Unreachable => "the address is unreachable",
            Self::TimedOut => "connecting timed out",
            Self::Untrusted => "the certificate is not to be trusted",
            Self::Handshake => "the TLS handshake failed",
            Self::Unsupported => "the driver does not support it",
        })
    }
}

impl Error for Refused {}

/// What the driver tells a machine about sockets.
///
/// ```
/// use ginnel_core::{Notice, Ticket, Transport};
///
/// let local = "10.0.0.1:40000".parse().unwrap();
/// let notice = Notice::Opened { ticket: Ticket(1), result: Ok(local) };
/// assert_ne!(notice, Notice::Lost { transport: Transport::Udp, local, remote: None });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The outcome of a request.
    Opened {
        /// The request's.
        ticket: Ticket,
        /// The local address, which paths will bear, or why there is none.
        result: Result<SocketAddr, Refused>,
    },
    /// Somebody has opened a stream to where [`Request::Listen`] listens; with TLS, its handshake is done.
    ///
    /// It need not be answered: the stream is open, and its first message may follow. Whoever does not want it releases
    /// it.
    Accepted {
        /// Of the stream.
        path: Path,
        /// What was agreed to be spoken inside, if the peer asked.
        alpn: Option<Alpn>,
    },
    /// It is gone, and nobody asked for that: a stream ended, an interface went away.
    ///
    /// Nothing of a stream comes after this. Streams that a listener has accepted outlive it.
    Lost {
        /// As it was opened.
        transport: Transport,
        /// What was opened: the address in the notice; of a stream, `path.local`.
        local: SocketAddr,
        /// The far end of one stream, or with `None` the socket or listener.
        remote: Option<SocketAddr>,
    },
    /// Two streams that were joined by [`Request::Splice`] have ended, and so much has gone through them. [`Notice::Lost`] of each
    /// follows, unless it was released.
    Spliced {
        /// As in the request.
        one: Path,
        /// As in the request.
        other: Path,
        /// Octets that came on `one` and were handed to `other`.
        forth: u64,
        /// Octets that came on `other` and were handed to `one`.
        back: u64,
    },
    /// ICMP says that a datagram which was sent on this path did not arrive. The socket is as it was.
    ///
    /// It says nothing of other datagrams, comes only where the operating system tells (Linux), may be forged, and is
    /// never told of streams, which end by [`Notice::Lost`] when their own stack gives up.
    Unreachable {
        /// What the datagram was sent on.
        path: Path,
        /// What ICMP says.
        error: IcmpError,
    },
}

impl Notice {
    /// Whether nothing will come or go on this path any more: it is lost, or the socket is that carries it.
    ///
    /// ```
    /// # use ginnel_core::{Notice, Path, Transport};
    /// let path = Path::udp("10.0.0.1:5000".parse()?, "192.0.2.1:3478".parse()?);
    /// let lost = |transport, local: &str| Notice::Lost { transport, local: local.parse().unwrap(), remote: None };
    /// assert!(lost(Transport::Udp, "10.0.0.1:5000").ends(path));
    /// assert!(lost(Transport::Udp, "0.0.0.0:5000").ends(path), "a socket for every address");
    /// assert!(!lost(Transport::Tcp, "10.0.0.1:5000").ends(path));
    /// # Ok::<(), core::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn ends(&self, path: Path) -> bool {
        let Self::Lost { transport, local, remote } = *self else { return false };
        let same_ip = local.ip() == path.local.ip()
            || local.ip().is_unspecified() && local.is_ipv4() == path.local.is_ipv4();
        let carried = match remote {
            Some(remote) => remote == path.remote,
            // A stream outlives its listener.
            None => transport == Transport::Udp,
        };
        transport == path.transport && local.port() == path.local.port() && same_ip && carried
    }
}
