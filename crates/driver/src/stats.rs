//! Counters.

/// What a driver has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How often a socket was looked at: those that have something, and no others.
    pub looks: u64,
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
    /// ICMP messages that the system has told of in full, and the machine was.
    pub icmp: u64,
    /// Datagrams that came to a multicast or broadcast address at a socket for every unicast address: there is no path to
    /// say of them, and an answer to all would serve an attacker. They are dropped.
    pub misdirected: u64,
    /// Datagrams for an address that is not open, and messages for a stream that is not; of DTLS also datagrams too long for a
    /// handshake.
    pub not_open: u64,
    /// Messages that came on streams.
    pub messages_received: u64,
    /// Messages that were taken to be sent on streams.
    pub messages_sent: u64,
    /// Messages that were dropped because the peer does not read, and as much waits already as may.
    pub messages_dropped: u64,
    /// Streams that others have opened, and that were taken in: those inside TLS before their handshake. And DTLS associations
    /// that others have begun, behind their handshake: whoever ends none leaves nothing.
    pub accepted: u64,
    /// Streams that others have opened, and that were reset at once because a limit was reached.
    pub accept_refused: u64,
    /// Errors in accepting: of single streams, or because there are too many files open.
    pub accept_errors: u64,
    /// Accepted streams whose TLS handshake failed or took too long.
    pub handshakes_failed: u64,
    /// Streams that were closed because what came on them was none of their framing.
    pub streams_malformed: u64,
    /// Streams that were closed because they were idle for too long.
    pub streams_idle: u64,
    /// Streams that were closed because a message was not whole in time, or none came at all.
    pub streams_slow: u64,
    /// Those who wanted to begin DTLS and were asked to prove first that they hear: nothing was kept of them.
    pub dtls_challenged: u64,
    /// Pairs of streams that were joined.
    pub splices: u64,
    /// Octets that passed between joined streams.
    pub spliced_octets: u64,
    /// Streams and DTLS associations that were taken over from another driver.
    pub adopted: u64,
    /// Streams that were to leave for another driver, and were closed instead: the system had no file left for that.
    pub eject_errors: u64,
    /// Streams that were closed because the peer took nothing for too long.
    pub streams_stalled: u64,
}
