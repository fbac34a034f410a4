//! One request, from its first attempt to its end (RFC 8489 section 6.2).

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, net::SocketAddr, time::Duration};

use ginnel_core::{Buffer, Instant, NoRoom, Packet, Path, Transport};

use super::{
    ClientConfig, Discarded, FailureReason,
    auth::Auth,
    request::{Build, Request},
};
use crate::{
    message::{Class, TransactionId},
    writer::MessageWriter,
};

/// What happens when a transaction's time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Send the request again.
    Retransmit,
    /// The last wait is over.
    GiveUp,
    /// Send the request anew, after a 500.
    Repeat,
    /// The caller has opened no connection to the alternate server.
    Follow,
}

/// Who evaluates the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The client: a plain Binding.
    Binding,
    /// The caller.
    Request,
}

/// A request and its attempt of the moment. It is either in the queue, and has no timer, or it waits for its timer.
pub(super) struct Transaction {
    /// Of this attempt.
    pub(super) id: TransactionId,
    pub(super) path: Path,
    pub(super) request: Request,
    pub(super) kind: Kind,
    pub(super) build: Option<Box<Build>>,
    pub(super) auth: Auth,
    /// The request as it is first sent: every resend is the same, octet for octet (RFC 8489 section 5).
    pub(super) octets: Box<[u8]>,
    /// The first timeout of this attempt.
    pub(super) rto: Duration,
    pub(super) sent: u32,
    pub(super) first_sent: Option<Instant>,
    pub(super) timer: Option<Timer>,
    /// A response was discarded because of its integrity.
    pub(super) violated: bool,
    pub(super) discarded: Discarded,
    pub(super) history: History,
}
/// What led to this attempt: the bounds of how many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) challenges: u32,
    pub(super) stale: u32,
    pub(super) repeats: u32,
    /// The servers that sent the request on.
    pub(super) asked: Vec<SocketAddr>,
}

impl Transaction {
    /// The request leaves now: says what comes next, and when (RFC 8489 section 6.2.1, or 6.2.2 for a stream).
    pub(super) fn on_sent(&mut self, now: Instant, config: &ClientConfig) -> Instant {
        self.first_sent.get_or_insert(now);
        let (wait, timer) = if self.path.transport.is_stream() {
            (config.ti, Timer::GiveUp)
        } else if self.sent.saturating_add(1) < config.rc {
            (self.doubled(self.sent), Timer::Retransmit)
        } else {
            (self.rto.saturating_mul(config.rm), Timer::GiveUp)
        };
        self.sent = self.sent.saturating_add(1);
        self.timer = Some(timer);
        now + wait
    }
    /// The timeout by which the request was last sent.
    pub(super) fn last_rto(&self) -> Duration {
        self.doubled(self.sent.saturating_sub(1))
    }
    fn doubled(&self, times: u32) -> Duration {
        self.rto.saturating_mul(1u32.checked_shl(times).unwrap_or(u32::MAX))
    }
    /// RFC 8489 section 6.2.1: a response to a request that was sent twice says nothing about the round trip.
    pub(super) fn rtt(&self, now: Instant) -> Option<Duration> {
        if self.sent == 1 { self.first_sent.map(|sent| now.saturating_since(sent)) } else { None }
    }
    /// Why it has failed when the last wait is over (RFC 8489 sections 6.2.1, 9.1.4 and 9.2.5).
    pub(super) fn expired(&self) -> FailureReason {
        if self.violated {
            FailureReason::IntegrityViolated(self.discarded)
        } else {
            FailureReason::TimedOut(self.discarded)
        }
    }
    /// Whether the response may come on this path.
    pub(super) fn expects(&self, path: Path) -> bool {
        self.path == path || self.request.response_paths.contains(&Some(path))
    }
    /// Whether its datagram does not pass where the next hop's MTU is this. ICMP that gives none, or one that no hop may
    /// have (RFC 791 section 3.2, RFC 8200 section 5), is not believed.
    pub(super) fn is_larger_than(&self, mtu: u32) -> bool {
        let least = if self.path.local.is_ipv4() { 68 } else { 1280 };
        let whole = self.octets.len() + overhead(&self.path);
        mtu >= least && u32::try_from(whole).is_ok_and(|whole| whole > mtu)
    }
    /// Begins a new attempt: writes the request as it is to be sent (RFC 8489 section 6.1).
    pub(super) fn write(&mut self, config: &ClientConfig) -> Result<(), NoRoom> {
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        let mut open = MessageWriter::new(&mut packet, Class::Request, self.request.method, self.id)?;
        if let Some(build) = &self.build {
            open = build(open)?;
        }
        self.auth.seal(self.auth.attributes(open)?, config.fingerprint)?;
        if !self.request.beyond_mtu && packet.len() >= limit(&self.path, config) {
            return Err(NoRoom);
        }
        self.octets = packet.bytes().into();
        (self.sent, self.first_sent, self.timer) = (0, None, None);
        (self.violated, self.discarded) = (false, Discarded::default());
        Ok(())
    }
}
impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, path, kind, sent, timer, .. } = self;
        f.debug_struct("Transaction")
            .field("id", id)
            .field("path", path)
            .field("kind", kind)
            .field("sent", sent)
            .field("timer", timer)
            .finish_non_exhaustive()
    }
}

/// RFC 8489 section 6.1: requests are smaller than the path's MTU; where that is not known, than what every host takes.
fn limit(path: &Path, config: &ClientConfig) -> usize {
    if path.transport.is_stream() {
        return usize::MAX;
    }
    let unknown = if path.local.is_ipv4() { 576 } else { 1280 };
    config.path_mtu.map_or(unknown, usize::from).saturating_sub(overhead(path))
}
/// What is around a message on its way: IP, UDP, DTLS.
fn overhead(path: &Path) -> usize {
    let ip = if path.local.is_ipv4() { 20 } else { 40 };
    let record = if path.transport == Transport::Dtls { DTLS_OVERHEAD } else { 0 };
    ip + UDP_HEADER + record
}
const UDP_HEADER: usize = 8;
/// RFC 7350 section 3: the record header of 13 octets, and the most that MAC, explicit nonce and padding take.
const DTLS_OVERHEAD: usize = 13 + 48 + 16 + 16;
