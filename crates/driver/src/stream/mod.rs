//! One stream: connecting, the handshake of TLS where there is one, messages in and out, and the end.
//!
//! ```text
//!               connected            handshake done           released
//!  Connecting ------------> Shaking ----------------> Open ------------> Closing
//!       |   (without TLS: Open)  ^                     |                    |
//!       +--------- refused       | accepted            | ended, broken,     | delivered,
//!                                                      v idle, stalled      v or out of time
//!                                                     gone                 gone
//! ```
//!
//! What has to be sent waits in a queue of octets with a bound. A message that does not fit is dropped whole, so the framing
//! never breaks; a peer that takes nothing for long loses the stream.

mod intake;
mod moving;
#[cfg(feature = "tls")]
mod tls;

use std::{
    collections::VecDeque,
    io::{self, Read as _},
    net::{IpAddr, Ipv6Addr, Shutdown},
    task::Waker,
};

use ginnel_core::{Framing, Instant, Pace, Path, Refused, Ticket};

pub(crate) use intake::{Intake, Piece};
pub use moving::Ejected;
pub(crate) use moving::What;
#[cfg(feature = "tls")]
pub use tls::{ClientTls, ServerTls, TlsError};
#[cfg(feature = "tls")]
pub(crate) use tls::{Handshake, Session};

use crate::{Interest, Limits, Socket, platform::NO_SIGNAL};

/// So much room for what waits stays with a stream that has sent all: enough for what gathers in a turn.
const KEPT: usize = 32 << 10;

/// A stream under a runtime.
#[derive(Debug)]
pub(crate) struct Stream<S> {
    pub(crate) io: S,
    pub(crate) path: Path,
    pub(crate) framing: Framing,
    pub(crate) state: State,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Box<Session>>,
    /// Who has opened it, if not this side.
    pub(crate) accepted: Option<Source>,
    /// Wakes the loop with this stream's number.
    pub(crate) waker: Waker,
    /// The front of a message.
    pub(crate) intake: Intake,
    /// Since when a message is waited for whole; of accepted streams alone, and where there are messages.
    pub(crate) begun: Option<Instant>,
    /// Where it goes on, if its octets are not for the machine.
    pub(crate) joint: Option<Box<Joint>>,
    /// What waits for the peer.
    pub(crate) unsent: VecDeque<u8>,
    /// Whether it is among those to be flushed.
    pub(crate) dirty: bool,
    /// Octets went last, either way.
    pub(crate) active: Instant,
    /// Since when nothing leaves, while something waits.
    pub(crate) stalled: Option<Instant>,
    /// When it is looked at next for what is overdue: not later than it is due.
    pub(crate) alarm: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Connecting {
        ticket: Ticket,
        until: Instant,
    },
    /// In the handshake of TLS; of the machine's asking, if there is a ticket.
    #[cfg(feature = "tls")]
    Shaking {
        ticket: Option<Ticket>,
        until: Instant,
    },
    Open,
    /// Released: its last octets leave, and what still comes is thrown away.
    Closing {
        until: Instant,
        said: bool,
    },
}

/// Where accepted streams come from, as far as limits tell sources apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl Source {
    /// A subscriber has one IPv4 address, or 64 bits of IPv6.
    pub(crate) fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
            v4 => v4,
        })
    }
}

/// One direction of two joined streams: from the one that has it to the other.
#[derive(Debug)]
pub(crate) struct Joint {
    /// The number of that.
    pub(crate) other: usize,
    /// It is `one` of the request.
    pub(crate) first: bool,
    /// So many were handed on.
    pub(crate) octets: u64,
    /// When how much of it may be read.
    pub(crate) pace: Pace,
    /// Nothing more will come.
    pub(crate) ended: bool,
    /// Nothing more will be sent, and the peer is told so.
    pub(crate) said: bool,
    /// It is not read, since the other has no room.
    pub(crate) blocked: bool,
}

/// What writing has come to.
pub(crate) enum Flushed {
    All,
    /// The rest waits for the socket.
    Waits,
}

impl<S: Socket> Stream<S> {
    /// When something is overdue.
    pub(crate) fn deadline(&self, now: Instant, limits: &Limits) -> Option<Instant> {
        match self.state {
            State::Connecting { until, .. } | State::Closing { until, .. } => Some(until),
            #[cfg(feature = "tls")]
            State::Shaking { until, .. } => Some(until),
            State::Open => {
                if let Some(joint) = &self.joint {
                    // A peer that rests is held back and not lost: there is a bound to what waits for it.
                    let idle = self.active + limits.idle;
                    return Some(joint.resumes(now).map_or(idle, |at| at.min(idle)));
                }
                let idle = self.accepted.map(|_| self.active + limits.idle);
                let stalled = self.stalled.map(|since| since + limits.stalled);
                let slow = self.begun.map(|since| since + limits.message);
                [idle, stalled, slow].into_iter().flatten().min()
            }
        }
    }

    /// Messages were taken out, or not, and some octets are left or not: notes since when the next is waited for.
    pub(crate) fn note_front(&mut self, now: Instant, messages: usize) {
        let waits = !self.intake.is_empty();
        if self.accepted.is_none() || !has_messages(self.framing) {
            self.begun = None;
        } else if messages > 0 || self.begun.is_none() {
            self.begun = waits.then_some(now);
        }
    }

    /// Whether the TCP handshake is over; an error is its outcome too.
    pub(crate) fn connected(&self) -> io::Result<bool> {
        let socket = self.io.sock_ref();
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads into `buf` without waiting; 0 is the end.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.read(&self.io, buf);
        }
        self.io.try_io(Interest::Readable, || (&*self.io.sock_ref()).read(buf))
    }

    /// Takes one message to be sent, if there is room for it.
    pub(crate) fn push(&mut self, message: &[u8], limits: &Limits) -> bool {
        let needed = self.unsent.len() + message.len();
        if needed > limits.unsent {
            return false;
        }
        if needed > self.unsent.capacity() {
            // In doubling, as it would itself, but for the last time: memory has the same limit.
            let capacity = (2 * self.unsent.capacity()).min(limits.unsent).max(needed);
            self.unsent.reserve_exact(capacity - self.unsent.len());
        }
        self.unsent.extend(message);
        true
    }

    /// Hands over what waits, as far as the system takes it.
    pub(crate) fn flush(&mut self, now: Instant) -> io::Result<Flushed> {
        let mut progress = false;
        let flushed = self.write_out(&mut progress);
        match &flushed {
            Ok(Flushed::All) => {
                self.stalled = None;
                // What was there for a slow peer is not kept for a quick one.
                if self.unsent.capacity() > KEPT {
                    self.unsent = VecDeque::new();
                }
            }
            // Any progress counts: a slow peer is not a dead one.
            Ok(Flushed::Waits) if progress || self.stalled.is_none() => self.stalled = Some(now),
            Ok(Flushed::Waits) | Err(_) => {}
        }
        if progress {
            self.active = now;
        }
        flushed
    }

    fn write_out(&mut self, progress: &mut bool) -> io::Result<Flushed> {
        loop {
            let (first, _) = self.unsent.as_slices();
            #[cfg(feature = "tls")]
            if let Some(tls) = &mut self.tls {
                let taken = if first.is_empty() { 0 } else { tls.write(first)? };
                self.unsent.drain(..taken);
                let before = tls.sent();
                let all = tls.write_records(&self.io);
                let left = tls.sent() > before;
                *progress |= left;
                if !all? {
                    return Ok(Flushed::Waits);
                }
                if self.unsent.is_empty() {
                    return Ok(Flushed::All);
                }
                if taken == 0 && !left {
                    // It takes nothing more, ever: not to be asked for ever.
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                continue;
            }
            if first.is_empty() {
                return Ok(Flushed::All);
            }
            let sent =
                self.io.try_io(Interest::Writable, || self.io.sock_ref().send_with_flags(first, NO_SIGNAL));
            match sent {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    *progress = true;
                    self.unsent.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flushed::Waits),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Once all has left: says that nothing more will come. Whether that is done.
    pub(crate) fn say_goodbye(&mut self) -> io::Result<bool> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            tls.goodbye();
            if !tls.write_records(&self.io)? {
                return Ok(false);
            }
        }
        match self.io.sock_ref().shutdown(Shutdown::Write) {
            // The peer has left already.
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(true),
        }
    }
}

/// Whether what comes is to be whole at some time.
pub(crate) const fn has_messages(framing: Framing) -> bool {
    matches!(framing, Framing::Stun | Framing::Rfc4571)
}

/// Why connecting failed.
pub(crate) fn refused(error: &io::Error) -> Refused {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::AddrInUse => Refused::InUse,
        Kind::TimedOut => Refused::TimedOut,
        Kind::ConnectionRefused
        | Kind::ConnectionReset
        | Kind::HostUnreachable
        | Kind::NetworkUnreachable => Refused::Unreachable,
        Kind::Unsupported => Refused::Unsupported,
        _ => Refused::NotPermitted,
    }
}
