//! Counters.

/// Counters of an endpoint.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams taken.
    pub datagrams_in: u64,
    /// Datagrams handed out.
    pub datagrams_out: u64,
    /// Application data records handed out.
    pub data_in: u64,
    /// Application data records sent.
    pub data_out: u64,
    /// Datagrams of application data that came before the handshake was done, and were kept.
    pub early_kept: u64,
    /// Of those, dropped because too many came.
    pub early_dropped: u64,
    /// Application data that nobody collected in time, or that found no room.
    pub data_dropped: u64,
    /// Datagrams that were no DTLS worth giving to the library: too long, or not an answer to a ClientHello.
    pub ignored: u64,
    /// Datagrams that the library had no room to queue.
    pub overflowed: u64,
    /// Datagrams to send that were dropped because nobody collected them.
    pub transmit_dropped: u64,
}
