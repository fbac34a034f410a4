//! What a machine asks of its driver, and what it is told.

use core::net::{IpAddr, SocketAddr};

use crate::{Framing, Transport};

/// Pairs a request with its outcome. An owner of several machines keeps them apart with [`Ticket::nest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);
impl Ticket {
    /// The ticket of child `n`, as its owner hands it on; `None` beyond eight levels.
    pub const fn nest(self, n: u8) -> Option<Self> {
        if self.0 >> 56 == 0 { Some(Self(self.0 << 8 | n as u64)) } else { None }
    }
    /// Which child, and its own ticket.
    pub const fn unnest(self) -> (u8, Self) {
        (self.0 as u8, Self(self.0 >> 8))
    }
}
/// Which port a socket is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Port {
    Any,
    Even,
    Exact(u16),
}
/// What a machine asks of its **driver**. What it asks of the *application* (credentials, policy) is an event with a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Open a datagram socket. Answered by [`Notice::Opened`].
    Bind {
        /** Comes back. */
        ticket: Ticket,
        /** On this address. */
        ip: IpAddr,
        /** With such a port. */
        port: Port,
    },
    /// Open a stream. Answered by [`Notice::Opened`].
    Connect {
        /** Comes back. */
        ticket: Ticket,
        /** `Tcp` or `Tls`. */
        transport: Transport,
        /** To whom. */
        remote: SocketAddr,
        /** How it is cut. */
        framing: Framing,
    },
    /// Give back a socket, or one stream of it.
    Release {
        /** What was opened. */
        local: SocketAddr,
        /** One stream, or the whole socket. */
        remote: Option<SocketAddr>,
    },
}
/// Why the driver did not open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Refused {
    InUse,
    NotPermitted,
    Unreachable,
    TimedOut,
    Unsupported,
}
/// What the driver tells a machine about sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The outcome of a request: the local address, or why not.
    Opened {
        /** The request's. */
        ticket: Ticket,
        /** The local address. */
        result: Result<SocketAddr, Refused>,
    },
    /// It is gone: a stream ended, an interface went away.
    Lost {
        /** What was opened. */
        local: SocketAddr,
        /** One stream, or the whole socket. */
        remote: Option<SocketAddr>,
    },
}
