//! Counters.

/// What a driver has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams that came.
    pub received: u64,
    /// System calls that brought them.
    pub receives: u64,
    /// Datagrams that were handed to the operating system.
    pub sent: u64,
    /// System calls that took them: fewer, where segmentation offload combines datagrams.
    pub sends: u64,
    /// How often the operating system had no room for more, and the driver waited.
    pub blocked: u64,
    /// Datagrams that were dropped because the operating system had no room, and what waits already was another's.
    pub dropped: u64,
    /// Datagrams that the operating system refused: unreachable, or too large for the path.
    pub send_errors: u64,
    /// Errors in receiving, such as ICMP messages that some systems report there.
    pub receive_errors: u64,
    /// Datagrams that came to a multicast or broadcast address at a socket for every unicast address: there is no path to
    /// say of them, and an answer to all would serve an attacker. They are dropped.
    pub misdirected: u64,
    /// Datagrams for an address that is not open, or for a stream.
    pub not_open: u64,
}
