//! One multicast socket: when it is asked for, and when it is given back.
//!
//! ```text
//!            want            asked           opened
//!  [Closed] ------> [Wanted] ------> [Asked] ------> [Open] --release--> [Leaving] --asked--> [Closed]
//!     ^                |               |  \ refused                          |
//!     |<---release-----+               |   `-----> [Refused] --want--> ...   | want: Open again
//!     |                       release  v
//!     |<------- refused ---------- [Unwanted] -- opened --> [Leaving]
//! ```
//!
//! The driver answers a request once, at any time, so a socket that is no longer wanted while it is being opened is kept in
//! mind and given back when it comes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ginnel_core::{Port, Refused, Request, Ticket, Transport};

/// The two address families: RFC 6762 section 20 has both alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// Where queries go. RFC 6762 section 3.
    pub(super) const fn group(self) -> SocketAddr {
        let ip = match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)),
        };
        SocketAddr::new(ip, PORT)
    }

    /// Its bit in a set of families.
    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }

    const fn ticket(self) -> Ticket {
        Ticket(self as u64)
    }
}

/// RFC 6762 section 3.
pub(super) const PORT: u16 = 5353;

#[derive(Clone, Copy, Debug)]
pub(super) struct Socket {
    pub(super) family: Family,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Wanted,
    Asked,
    Unwanted,
    Open(SocketAddr),
    Leaving(SocketAddr),
    Refused(Refused),
}

impl Socket {
    pub(super) const fn new(family: Family) -> Self {
        Self { family, state: State::Closed }
    }

    /// Its address, if it is open and to stay so.
    pub(super) const fn local(&self) -> Option<SocketAddr> {
        if let State::Open(local) = self.state { Some(local) } else { None }
    }

    /// Whether it may open yet.
    pub(super) const fn is_opening(&self) -> bool {
        matches!(self.state, State::Wanted | State::Asked)
    }

    /// Why it did not open.
    pub(super) const fn refused(&self) -> Option<Refused> {
        if let State::Refused(why) = self.state { Some(why) } else { None }
    }

    /// Whether the driver has nothing of it, and is asked for nothing.
    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed | State::Refused(_))
    }

    /// Whether this ticket is for it.
    pub(super) fn owns(&self, ticket: Ticket) -> bool {
        self.family.ticket() == ticket
    }

    /// Somebody has a question.
    pub(super) fn want(&mut self) {
        self.state = match self.state {
            State::Closed | State::Refused(_) => State::Wanted,
            State::Unwanted => State::Asked,
            State::Leaving(local) => State::Open(local),
            same @ (State::Wanted | State::Asked | State::Open(_)) => same,
        }
    }

    /// Nobody has.
    pub(super) fn release(&mut self) {
        self.state = match self.state {
            State::Wanted => State::Closed,
            State::Asked => State::Unwanted,
            State::Open(local) => State::Leaving(local),
            same @ (State::Closed | State::Unwanted | State::Leaving(_) | State::Refused(_)) => same,
        }
    }

    /// What the driver is to do, once.
    pub(super) fn poll_request(&mut self) -> Option<Request> {
        let (next, request) = match self.state {
            State::Wanted => {
                let (ticket, ip) = (self.family.ticket(), self.family.group().ip());
                (State::Asked, Request::Bind { ticket, ip, port: Port::Exact(PORT) })
            }
            State::Leaving(local) => {
                (State::Closed, Request::Release { transport: Transport::Udp, local, remote: None })
            }
            _ => return None,
        };
        self.state = next;
        Some(request)
    }

    /// The driver's answer. One that was not asked for changes nothing.
    pub(super) fn opened(&mut self, result: Result<SocketAddr, Refused>) {
        self.state = match (self.state, result) {
            (State::Asked, Ok(local)) => State::Open(local),
            (State::Asked, Err(why)) => State::Refused(why),
            (State::Unwanted, Ok(local)) => State::Leaving(local),
            (State::Unwanted, Err(_)) => State::Closed,
            (same, _) => same,
        }
    }

    /// Whether this was the socket that the driver lost.
    pub(super) fn lost(&mut self, gone: SocketAddr) -> bool {
        let ours = matches!(self.state, State::Open(local) | State::Leaving(local) if local == gone);
        if ours {
            self.state = State::Closed;
        }
        ours
    }
}
