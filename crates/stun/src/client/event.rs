//! What a client says.

use core::{net::SocketAddr, time::Duration};

use ginnel_core::Path;

use crate::message::{Class, TransactionId};

/// What became of a transaction. Each ends in exactly one event or one [`Response`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A Binding request succeeded.
    Mapped {
        /** Which, as [`Client::binding`](super::Client::binding) returned it. */
        transaction: TransactionId,
        /** Who was asked, and from where. */
        path: Path,
        /** As whom the server sees us. */
        mapped: SocketAddr,
        /** How long it took; `None` if the request was sent more than once (Karn's algorithm, RFC 8489 section 6.2.1). */
        rtt: Option<Duration>,
    },
    /// A transaction failed.
    Failed {
        /** Which. */
        transaction: TransactionId,
        /** Who was asked, and from where. */
        path: Path,
        /** Why. */
        reason: FailureReason,
    },
    /// The client is closed: the last event.
    Closed,
}

/// Why a transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureReason {
    /// Nothing came in time (RFC 8489 sections 6.2.1 and 6.2.2).
    #[error("no response in time")]
    TimedOut,
    /// Responses came, and none of them was made with the key (RFC 8489 section 9.1.4).
    #[error("every response failed its integrity check")]
    IntegrityViolated,
    /// The server refused a Binding request, with this error code.
    #[error("refused with error {0}")]
    Refused(u16),
    /// The response has comprehension-required attributes that are not understood (RFC 8489 sections 6.3.3 and 6.3.4).
    #[error("the response has attributes that are not understood")]
    ResponseNotUnderstood,
    /// An error response without a legal ERROR-CODE (RFC 8489 section 6.3.4).
    #[error("the error response has no legal ERROR-CODE")]
    NoErrorCode,
    /// A Binding success without a legal XOR-MAPPED-ADDRESS (RFC 8489 section 6.3.3).
    #[error("the response has no legal XOR-MAPPED-ADDRESS")]
    NoMappedAddress,
    /// The driver lost the socket or the stream.
    #[error("the socket was lost")]
    SocketLost,
    /// The client was closed first.
    #[error("the client was closed")]
    Closed,
}

/// The answer to a [`Client::request`](super::Client::request): the message is in the packet, checked as its request asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// Which request it answers.
    pub transaction: TransactionId,
    /// Success, or Error: then there is a legal ERROR-CODE.
    pub class: Class,
    /// How long it took; `None` if the request was sent more than once (Karn's algorithm, RFC 8489 section 6.2.1).
    pub rtt: Option<Duration>,
}

/// Why a transaction was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// As many as [`max_transactions`](super::ClientConfig::max_transactions): poll events, or wait for one.
    #[error("too many transactions at once: poll events, or wait for one")]
    TooMany,
    /// As many as [`max_transactions_per_server`](super::ClientConfig::max_transactions_per_server): wait for one.
    #[error("too many transactions at once to this server: wait for one")]
    TooManyToServer,
    /// The request does not fit into a packet: leave attributes out.
    #[error("the request does not fit into a packet")]
    NoRoom,
    /// The client is closed: make another.
    #[error("the client is closed")]
    Closed,
}

/// Counters of a client, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Transactions started.
    pub started: u64,
    /// Packets sent.
    pub sent: u64,
    /// How many of them were retransmissions.
    pub retransmitted: u64,
    /// Transactions that ended in an answer, be it an error.
    pub answered: u64,
    /// Transactions that ended otherwise.
    pub failed: u64,
    /// Responses to no transaction of ours: left to others.
    pub unknown_transaction: u64,
    /// Responses from another address than was asked, or to another: discarded.
    pub wrong_path: u64,
    /// Responses of another method than was asked: discarded.
    pub wrong_method: u64,
    /// Responses with a bad FINGERPRINT, or without one where it is required: discarded.
    pub bad_fingerprint: u64,
    /// Responses that fail message integrity, or bear the wrong kind: discarded.
    pub bad_integrity: u64,
}
