//! One client of a fleet, and what the fleet knows of it.

use std::net::SocketAddr;

use ginnel::{
    core::{Instant, Request, Ticket, Transport},
    stun::client as stun,
    turn::client::{Client, FailureReason},
};

use crate::turn_load::stamp::Seen;

pub(super) struct Member {
    pub(super) client: Client,
    pub(super) status: Status,
    /// Whether it is among those that were told something.
    pub(super) touched: bool,
    pub(super) began: Instant,
    pub(super) relayed: Option<SocketAddr>,
    /// Whom it sends to.
    pub(super) peer: Option<SocketAddr>,
    /// The number of its next packet.
    pub(super) next: u32,
    /// Which of its packets have come.
    pub(super) seen: Seen,
    /// When it wants to be woken.
    pub(super) wake: Option<Instant>,
    /// What carries what it has asked the driver to open.
    pub(super) opening: Transport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    SettingUp,
    /// It can send.
    Ready,
    /// It never will.
    Failed,
}

impl Member {
    pub(super) fn new(client: Client, now: Instant) -> Self {
        Self {
            client,
            status: Status::SettingUp,
            touched: false,
            began: now,
            relayed: None,
            peer: None,
            next: 0,
            seen: Seen::default(),
            wake: None,
            opening: Transport::Udp,
        }
    }

    /// A request of member `number`, as its fleet hands it on.
    pub(super) fn nest(&mut self, mut request: Request, number: usize) -> Request {
        match &mut request {
            Request::Bind { ticket, .. } => {
                self.opening = Transport::Udp;
                *ticket = nest(number, *ticket);
            }
            Request::Connect { ticket, transport, .. } | Request::Listen { ticket, transport, .. } => {
                self.opening = *transport;
                *ticket = nest(number, *ticket);
            }
            _ => {}
        }
        request
    }
}

/// Clients number their tickets from zero, so the upper half is free. `Ticket::nest` has room for 256 children, and a fleet
/// has more.
const fn nest(number: usize, ticket: Ticket) -> Ticket {
    Ticket((number as u64) << 32 | ticket.0 & 0xFFFF_FFFF)
}

pub(super) const fn unnest(ticket: Ticket) -> (usize, Ticket) {
    ((ticket.0 >> 32) as usize, Ticket(ticket.0 & 0xFFFF_FFFF))
}

/// The error code that a server has sent; 0 where it is none's.
pub(super) const fn code(reason: &FailureReason) -> u16 {
    match reason {
        FailureReason::Transaction(stun::FailureReason::Unauthenticated) => 401,
        FailureReason::Transaction(stun::FailureReason::TooManyStaleNonces) => 438,
        FailureReason::Transaction(stun::FailureReason::Alternate(_)) => 300,
        FailureReason::BadRequest => 400,
        FailureReason::Forbidden => 403,
        FailureReason::UnknownAttribute => 420,
        FailureReason::AllocationMismatch => 437,
        FailureReason::AddressFamilyNotSupported => 440,
        FailureReason::WrongCredentials => 441,
        FailureReason::UnsupportedTransport => 442,
        FailureReason::PeerAddressFamilyMismatch => 443,
        FailureReason::QuotaReached => 486,
        FailureReason::InsufficientCapacity => 508,
        FailureReason::Refused(code) => *code,
        _ => 0,
    }
}
