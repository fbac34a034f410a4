//! One request, from its first sending to its end (RFC 8489 section 6.2).

use alloc::boxed::Box;
use core::time::Duration;

use ginnel_core::{Instant, Path, Transport};

use crate::{
    attribute::AttributeType,
    client::ClientConfig,
    integrity::{Integrity, IntegrityAlgorithm, IntegrityKey},
    message::{Message, Method},
};

/// Which kinds of message integrity a request bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithms {
    /// One, because both sides know it (RFC 8489 section 9.1.2). The response must bear the same.
    Only(IntegrityAlgorithm),
    /// Both, because it is not known what the server speaks (RFC 8489 section 9.1.2).
    Both,
}

/// A request that is more than a plain Binding.
#[derive(Clone, Debug)]
#[must_use]
pub struct Request {
    pub(super) method: Method,
    pub(super) protection: Option<(IntegrityKey, Algorithms)>,
    pub(super) known: &'static [AttributeType],
}
impl Request {
    /// One of this method, unprotected.
    pub const fn new(method: Method) -> Self {
        Self { method, protection: None, known: KNOWN }
    }
    /// Protected: the request bears message integrity, and so must its response (RFC 8489 section 9.1). USERNAME is
    /// the caller's to add.
    pub fn with_protection(mut self, key: IntegrityKey, algorithms: Algorithms) -> Self {
        self.protection = Some((key, algorithms));
        self
    }
    /// With all the comprehension-required attributes that the caller understands in the response, in place of those
    /// of RFC 8489.
    pub const fn with_known(mut self, known: &'static [AttributeType]) -> Self {
        self.known = known;
        self
    }
}

/// RFC 8489 section 18.3: the comprehension-required attributes of STUN itself.
pub(crate) const KNOWN: &[AttributeType] = &[
    AttributeType::MAPPED_ADDRESS,
    AttributeType::USERNAME,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::USERHASH,
    AttributeType::XOR_MAPPED_ADDRESS,
];

/// What happens when a transaction's time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Send the request again.
    Retransmit,
    /// The last wait is over.
    GiveUp,
}

/// Who evaluates the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The client: a plain Binding.
    Binding,
    /// The caller.
    Request,
}

#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) path: Path,
    pub(super) request: Request,
    pub(super) kind: Kind,
    /// The request as it was first sent: every resend is the same, octet for octet (RFC 8489 section 5).
    pub(super) octets: Box<[u8]>,
    pub(super) sent: u32,
    pub(super) first_sent: Option<Instant>,
    pub(super) timer: Option<(Instant, Timer)>,
    /// A response was discarded because of its integrity.
    pub(super) violated: bool,
}
impl Transaction {
    /// The request leaves now: sets the timer for what comes next (RFC 8489 section 6.2.1, or 6.2.2 for a stream).
    pub(super) fn on_sent(&mut self, now: Instant, config: &ClientConfig) -> Instant {
        let doublings = self.sent;
        self.sent = self.sent.saturating_add(1);
        self.first_sent.get_or_insert(now);
        let (wait, timer) = if self.path.transport != Transport::Udp {
            (config.ti, Timer::GiveUp)
        } else if self.sent < config.rc {
            let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
            (config.rto.saturating_mul(factor), Timer::Retransmit)
        } else {
            (config.rto.saturating_mul(config.rm), Timer::GiveUp)
        };
        let at = now + wait;
        self.timer = Some((at, timer));
        at
    }
    /// RFC 8489 section 6.2.1: a response to a request that was sent twice says nothing about the round trip.
    pub(super) fn rtt(&self, now: Instant) -> Option<Duration> {
        if self.sent == 1 { self.first_sent.map(|sent| now.saturating_since(sent)) } else { None }
    }
    /// RFC 8489 section 9.1.4: whether the response is protected as its request was.
    pub(super) fn accepts(&self, response: &Message<'_>) -> bool {
        let Some((key, algorithms)) = &self.request.protection else { return true };
        let matching = match algorithms {
            Algorithms::Both => true,
            Algorithms::Only(algorithm) => response.integrity_algorithm() == Some(*algorithm),
        };
        matching && response.integrity(key) == Integrity::Ok
    }
}
