//! What an operator decides: who may be a peer, which ports relays get, how many allocations and how many octets a second
//! there are for whom, and what tokens say that go out to clients and come back.
//!
//! | part | what it holds |
//! |---|---|
//! | [`PeerFilter`], [`LiveRelays`] | which peers may be reached: safe without any configuration |
//! | [`PortPool`] | the ports of one relay address |
//! | [`Quotas`] | allocations of a user and of all, here or over all shards |
//! | [`Bandwidth`], [`Bucket`] | octets a second, of an allocation and of a user |
//! | [`Reservations`] | what RESERVATION-TOKEN promises |
//! | [`Tokens`] | mobility tickets, reservation tokens and CONNECTION-IDs, which name their shard |
//!
//! Each is a plain value that is asked and told, without events: [`Server`](super) calls them, and so may any other relay.

mod bandwidth;
mod live_relays;
mod peer_filter;
mod port_pool;
mod quota;
mod reservation;
mod token;

pub use bandwidth::{Bandwidth, BandwidthLimits, Bucket, Direction, Rate, SharedBucket};
pub use live_relays::LiveRelays;
pub use peer_filter::{Denial, PeerFilter, PeerRange, PeerRangeError, PeerVerdict};
pub use port_pool::{PortPool, PortRangeError};
pub use quota::{Claim, QuotaExceeded, QuotaLimits, Quotas};
pub use reservation::{Reservations, TooManyReservations};
pub use token::{CONNECTIONS_MAX, TICKET_LEN, Ticket, TokenKey, Tokens};
