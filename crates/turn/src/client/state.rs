//! The states of a client: see the figure in the module's documentation.

use alloc::boxed::Box;

use ginnel_core::{Instant, Path, Ticket};
use ginnel_stun::{attribute::AddressFamily, client::RequestId};
use zeroize::Zeroizing;

use super::{
    config::{ClientConfig, Families, Socket, TurnServer},
    event::{Allocated, Connection, FailureReason},
};

/// How far it has come.
#[derive(Debug)]
pub(super) enum State {
    /// The driver was asked for a socket or a stream.
    Opening(Opening),
    /// An Allocate request is on its way.
    Allocating,
    /// There is an allocation.
    Allocated(Box<Allocation>),
    /// Another attempt is made when its timer fires.
    Waiting,
    /// A Refresh with lifetime 0 is on its way.
    Deleting(After),
    /// Nothing more happens.
    Ended,
}
/// A stream that is opened, and the request that it is for after a 300.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) ticket: Ticket,
    pub(super) follow: Option<RequestId>,
}
/// What comes when the allocation is deleted.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    /// The user has closed the client.
    Close,
    /// The allocation was of no use.
    Fail(FailureReason),
    /// Another one (RFC 8656 section 12.3).
    Again,
}

/// An allocation: the client's copy of what the server holds (RFC 8656 section 7.3).
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) given: Allocated,
    pub(super) expires: Instant,
    /// Whether the server has taken DONT-FRAGMENT.
    pub(super) dont_fragment: bool,
    /// RFC 8016 section 3.1.3: as good as a key, so it is wiped.
    pub(super) ticket: Option<Zeroizing<Box<[u8]>>>,
    pub(super) moving: Option<Move>,
    /// The path before the last move, until the server has left it.
    pub(super) old: Option<Line>,
    /// Refreshes that failed in a row.
    pub(super) failed: u32,
}
/// A move to another path (RFC 8016 section 3.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) socket: Socket,
    pub(super) step: MoveStep,
}
#[derive(Clone, Copy, Debug)]
pub(super) enum MoveStep {
    /// The socket is not there yet.
    Opening(Ticket),
    /// The Refresh is on its way.
    Asking(Line),
}

/// A path to the server, and whether its socket is the client's to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) path: Path,
    pub(super) own: bool,
}

/// What is asked for at the next attempt, which is less than the config where the server has refused something.
#[derive(Debug)]
pub(super) struct Setup {
    /// The server that is asked, after redirections.
    pub(super) server: TurnServer,
    pub(super) dont_fragment: bool,
    pub(super) mobility: bool,
    /// RFC 8656 section 7.3: a family that is not asked for until then.
    pub(super) without: Option<(AddressFamily, Option<Instant>)>,
    /// Client transport addresses that were answered with 437 in a row.
    pub(super) mismatches: u32,
}
impl Setup {
    pub(super) const fn new(config: &ClientConfig) -> Self {
        Self {
            server: config.server,
            dont_fragment: config.dont_fragment,
            mobility: config.mobility,
            without: None,
            mismatches: 0,
        }
    }
    /// The families to ask for now.
    pub(super) fn families(&self, now: Instant, wanted: Families) -> Families {
        match self.without {
            Some((family, until)) if wanted == Families::Both && until.is_none_or(|until| until > now) => {
                match family {
                    AddressFamily::Ipv4 => Families::Ipv6,
                    AddressFamily::Ipv6 => Families::Ipv4,
                }
            }
            _ => wanted,
        }
    }
}

/// The client had an allocation and tries to have another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery {
    pub(super) until: Instant,
    /// Attempts that failed.
    pub(super) failed: u32,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Allocate,
    Refresh,
    /// The Refresh with a ticket.
    Move,
    /// The Refresh with lifetime 0.
    Delete,
    /// The same for one of two relayed addresses.
    DeleteFamily(AddressFamily),
    /// CreatePermission: the entries of the table know it.
    Permissions,
    /// ChannelBind: the entry of the table knows it.
    Channel,
    Connect(Connection),
    ConnectionBind(Connection),
}
