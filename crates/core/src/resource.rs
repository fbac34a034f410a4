//! What a machine asks of its driver, and what it is told: sockets and streams.

use core::{
    error::Error,
    fmt,
    net::{IpAddr, SocketAddr},
};

use crate::{Framing, Transport};

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
/// use ginnel_core::{Notice, Port, Refused, Request, Ticket};
///
/// /// What a driver with a single socket says.
/// fn answer(request: Request) -> Option<Notice> {
///     match request {
///         Request::Bind { ticket, .. } | Request::Connect { ticket, .. } => {
///             Some(Notice::Opened { ticket, result: Err(Refused::Unsupported) })
///         }
///         Request::Release { .. } => None,
///     }
/// }
/// let request = Request::Bind { ticket: Ticket(1), ip: [10, 0, 0, 1].into(), port: Port::Any };
/// assert!(answer(request).is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Open a stream. Answered by [`Notice::Opened`], once, at once or later.
    Connect {
        /// Comes back in the notice.
        ticket: Ticket,
        /// `Tcp` or `Tls`.
        transport: Transport,
        /// To whom.
        remote: SocketAddr,
        /// How it is cut into messages.
        framing: Framing,
    },
    /// Give back a socket, or one stream of it. Not answered.
    Release {
        /// What was opened: the address in the notice.
        local: SocketAddr,
        /// One stream, or with `None` the whole socket.
        remote: Option<SocketAddr>,
    },
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
    /// Connecting took too long.
    TimedOut,
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
            Self::Unsupported => "the driver does not support it",
        })
    }
}

impl Error for Refused {}

/// What the driver tells a machine about sockets.
///
/// ```
/// use ginnel_core::{Notice, Ticket};
///
/// let local = "10.0.0.1:40000".parse().unwrap();
/// let notice = Notice::Opened { ticket: Ticket(1), result: Ok(local) };
/// assert_ne!(notice, Notice::Lost { local, remote: None });
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
    /// It is gone, and nobody asked for that: a stream ended, an interface went away.
    Lost {
        /// What was opened.
        local: SocketAddr,
        /// One stream, or with `None` the whole socket.
        remote: Option<SocketAddr>,
    },
}
