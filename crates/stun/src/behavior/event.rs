//! What a discovery says.

use alloc::boxed::Box;
use core::{net::SocketAddr, time::Duration};

use super::verdict::{Alg, Filtering, Finding, Fragments, Hairpinning, Lifetime, Mapping, Verdict};

/// What has been found out so far. Findings come as soon as they are sure, each once, and all are in the
/// [`Verdict`](Event::Verdict) again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server answers: there is UDP connectivity (RFC 5780 section 4.2).
    Reached {
        /** As whom it sees the first socket. */
        mapped: SocketAddr,
        /** The round trip. */
        rtt: Duration,
    },
    /// Whether addresses in payloads are rewritten.
    Alg(Finding<Alg>),
    /// The mapping.
    Mapping(Finding<Mapping>),
    /// The filtering.
    Filtering(Finding<Filtering>),
    /// The hairpinning.
    Hairpinning(Finding<Hairpinning>),
    /// What becomes of fragments.
    Fragments(Finding<Fragments>),
    /// The search for the lifetime goes on: what is known of it, and how long the next wait is.
    Searching {
        /** So long mappings live. */
        at_least: Duration,
        /** So long they do not. */
        at_most: Option<Duration>,
        /** The next wait. */
        wait: Duration,
    },
    /// The lifetime.
    Lifetime(Finding<Lifetime>),
    /// Everything.
    Verdict(Box<Verdict>),
    /// The discovery is closed, by itself behind its verdict, or by [`close`](super::Discovery::close): the last event.
    Closed,
}

/// Counters of a discovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveryStats {
    /// Requests sent.
    pub sent: u64,
    /// Answers to them, errors included.
    pub answered: u64,
    /// Requests that were not answered in time.
    pub unanswered: u64,
    /// Our own requests that came back: hairpins.
    pub hairpinned: u64,
    /// Answers to none of our requests, or from or to another address than the request allows: ignored.
    pub ignored: u64,
}
