//! What a TURN server says, and what it passes on.

use core::net::SocketAddr;

use alloc::sync::Arc;

use ginnel_core::{Path, Ticket};
use ginnel_stun::auth::{User, Who};

use super::AllocationStats;

/// Names one allocation of one machine, for ever: numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocationId(pub u64);

/// What a TURN server says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Look this user up, and call [`Server::answer`](super::Server::answer) with this ticket; or never, and nothing fills up.
    LookUp {
        /// Which request it is for.
        ticket: Ticket,
        /// Who.
        who: Who,
    },
    /// An allocation was made.
    Allocated {
        /// Which.
        id: AllocationId,
        /// Whose.
        user: Arc<User>,
        /// Where its client is.
        client: Path,
        /// Its relayed transport address, as the client is told.
        relayed: SocketAddr,
        /// The second one, of a dual allocation.
        additional: Option<SocketAddr>,
    },
    /// An allocation moves to another address of its client (RFC 8016).
    Moved {
        /// Which.
        id: AllocationId,
        /// Whose.
        user: Arc<User>,
        /// Where its client is now.
        client: Path,
    },
    /// An allocation is gone, with all that belonged to it.
    Ended {
        /// Which.
        id: AllocationId,
        /// Whose it was.
        user: Arc<User>,
        /// Why.
        reason: EndReason,
        /// What it relayed.
        stats: AllocationStats,
    },
    /// [`Server::drain`](super::Server::drain) is done: the last allocation is gone.
    Drained,
    /// It is closed: the last event.
    Closed,
}

/// Why an allocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// Its client refreshed it with a lifetime of zero.
    Deleted,
    /// Nobody refreshed it.
    Expired,
    /// Its client's stream ended.
    Disconnected,
    /// The owner ended it: its user was removed, or it alone.
    Revoked,
    /// The deadline of [`Server::drain`](super::Server::drain) has passed.
    Drained,
    /// The driver has lost its relay socket.
    RelayLost,
    /// The server was closed.
    Closed,
}

/// The message in this packet is for the machine of another shard: give it to
/// [`Server::handle_handed_over`](super::Server::handle_handed_over) there, with its path. A stream is moved whole, with all
/// that comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handover {
    /// Which: [`Shard::index`](super::Shard::index).
    pub shard: u8,
}
