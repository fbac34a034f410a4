//! What is told: events, their reasons, and the counters.

use alloc::string::String;
use core::net::IpAddr;

use ginnel_core::Refused;
use thiserror::Error;

/// Names one call of [`Querier::resolve`](super::Querier::resolve). Never used twice by one querier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub(super) u64);

/// What happened. Each [`QueryId`] ends in exactly one `Resolved` or `Failed`, unless it is cancelled or all is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The name has this address.
    Resolved {
        /// Whose name it is.
        id: QueryId,
        /// As it was given.
        name: String,
        /// An address on the local link, as far as mDNS can say; never unspecified, multicast, or IPv4 mapped into IPv6.
        ip: IpAddr,
    },
    /// The name has no address that could be used: its candidate is to be ignored.
    Failed {
        /// Whose name it is.
        id: QueryId,
        /// As it was given.
        name: String,
        /// Why not.
        reason: FailureReason,
    },
    /// All is over: the last event.
    Closed,
}

/// Why a name was not resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// Nobody answered: the peer is on another link, or gone.
    #[error("nobody on the local link knows the name")]
    NoAnswer,
    /// It has more than one. draft-ietf-mmusic-mdns-ice-candidates section 3.2.2: the candidate SHOULD be ignored.
    #[error("the name has more than one address")]
    SeveralAddresses,
    /// [`Config::max_names`](super::Config::max_names) others are being asked for.
    #[error("too many names are being resolved")]
    TooManyNames,
    /// The driver opened no socket for mDNS.
    #[error("no socket for mDNS: {0}")]
    NoSocket(Refused),
}

/// What happened so far, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Query messages sent.
    pub queries: u64,
    /// Questions in them; two for each name.
    pub questions: u64,
    /// Response messages looked into.
    pub responses: u64,
    /// Names resolved by a response.
    pub resolved: u64,
    /// Names resolved from memory.
    pub remembered: u64,
    /// Names that failed.
    pub failed: u64,
    /// Messages that could not be parsed.
    pub malformed: u64,
    /// Responses from another port than 5353, or with an OPCODE or RCODE. RFC 6762 sections 6, 18.3 and 18.11.
    pub ignored: u64,
    /// Addresses in responses that no candidate can have: unspecified, multicast, broadcast.
    pub bad_addresses: u64,
}
