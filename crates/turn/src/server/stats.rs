//! Counters, of the whole server and of each allocation.

use core::{net::SocketAddr, time::Duration};

use ginnel_core::Path;

use super::{AllocationId, TcpStats};

/// Counters of a TURN server, since it was made; gauges say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Gauge: allocations now, those being made among them.
    pub allocations: u64,
    /// Allocations made.
    pub allocated: u64,
    /// Allocations that ended because nobody refreshed them.
    pub expired: u64,
    /// Allocations that ended by a lifetime of zero.
    pub deleted: u64,
    /// Allocations that ended for another reason.
    pub ended: u64,
    /// Refresh requests that succeeded.
    pub refreshed: u64,
    /// Moves of allocations to another address of their client (RFC 8016).
    pub moved: u64,
    /// CreatePermission requests that succeeded.
    pub permissions: u64,
    /// ChannelBind requests that succeeded.
    pub channels: u64,
    /// What was relayed from clients to peers.
    pub to_peers: Traffic,
    /// What was relayed from peers to clients.
    pub to_clients: Traffic,
    /// ChannelData on a channel that is not bound, with a number that is none, or with a wrong length: discarded.
    pub bad_channel_data: u64,
    /// Send indications without permission, without XOR-PEER-ADDRESS or DATA, or of a peer that is not allowed: discarded.
    pub bad_sends: u64,
    /// Datagrams of peers without permission: discarded.
    pub not_permitted: u64,
    /// Datagrams of peers for an allocation whose client's stream has ended, and that has not come back by another yet
    /// (RFC 8016): discarded.
    pub no_client: u64,
    /// Messages that exceeded the bandwidth of a user or an allocation: discarded.
    pub over_bandwidth: u64,
    /// ICMP errors passed on to clients.
    pub icmp: u64,
    /// Requests answered with an error, by code; refusals of strangers are counted by
    /// [`Server::auth_stats`](super::Server::auth_stats).
    pub errors: Errors,
    /// What claims to be STUN and is malformed, or has a bad FINGERPRINT, or a method or class that a server has not:
    /// discarded.
    pub discarded: u64,
    /// Messages for five-tuples without allocation that are no requests: discarded.
    pub no_allocation: u64,
    /// Messages passed on to other shards.
    pub handed_over: u64,
    /// Relay sockets that the driver refused; another port was tried.
    pub relay_refusals: u64,
    /// Events that were dropped because nobody polled them.
    pub events_dropped: u64,
    /// Connections of TCP relays (RFC 6062).
    pub tcp: TcpStats,
}

/// Error answers to those who are authenticated, by code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are the codes of RFC 8656 section 19 and RFC 8489 section 14.8")]
pub struct Errors {
    pub try_alternate_300: u64,
    pub bad_request_400: u64,
    pub forbidden_403: u64,
    pub mobility_405: u64,
    pub unknown_attribute_420: u64,
    pub allocation_mismatch_437: u64,
    pub address_family_440: u64,
    pub wrong_credentials_441: u64,
    pub transport_442: u64,
    pub peer_family_443: u64,
    pub connection_exists_446: u64,
    pub connection_failed_447: u64,
    pub quota_486: u64,
    pub capacity_508: u64,
    pub other: u64,
}

/// So many messages, and the octets of data in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages.
    pub packets: u64,
    /// Octets of application data.
    pub octets: u64,
}
impl Traffic {
    pub(super) const fn count(&mut self, octets: usize) {
        self.packets += 1;
        self.octets += octets as u64;
    }
}

/// Counters of one allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllocationStats {
    /// From its client to its peers.
    pub to_peers: Traffic,
    /// From its peers to its client.
    pub to_client: Traffic,
    /// Messages either way that were discarded: not permitted, no such channel, beyond the bandwidth, for a client that is
    /// away.
    pub dropped: u64,
}

/// One allocation, as [`Server::allocations`](super::Server::allocations) shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AllocationInfo<'a> {
    /// Which.
    pub id: AllocationId,
    /// Whose: from outside, and only data.
    pub user: &'a str,
    /// Where its client is.
    pub client: Path,
    /// Its relayed transport addresses, as the client was told; two of a dual allocation.
    pub relayed: [Option<SocketAddr>; 2],
    /// How long it lives unless it is refreshed.
    pub expires_in: Duration,
    /// Peers that may send.
    pub permissions: usize,
    /// Channels that are bound.
    pub channels: usize,
    /// What it relayed.
    pub stats: AllocationStats,
}
