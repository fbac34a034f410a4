//! What a client can be told.

use core::time::Duration;

/// How a [`Client`](super::Client) asks. The defaults are those of RFC 8489.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The first retransmission timeout over UDP, doubled after each (RFC 8489 section 6.2.1: RTO, 500 ms).
    pub rto: Duration,
    /// How often a request is sent over UDP in all (RFC 8489 section 6.2.1: Rc, 7). At least 1.
    pub rc: u32,
    /// How many first timeouts to wait after the last (RFC 8489 section 6.2.1: Rm, 16).
    pub rm: u32,
    /// How long to wait over a stream (RFC 8489 section 6.2.2: Ti, 39.5 s).
    pub ti: Duration,
    /// Transactions at once in all, events that wait to be polled included.
    pub max_transactions: usize,
    /// Transactions at once to one server (RFC 8489 section 6.2: 10).
    pub max_transactions_per_server: usize,
    /// Whether requests bear FINGERPRINT, and responses without it are discarded (RFC 8489 section 7).
    pub fingerprint: bool,
}
impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            rto: Duration::from_millis(500),
            rc: 7,
            rm: 16,
            ti: Duration::from_millis(39_500),
            max_transactions: 100,
            max_transactions_per_server: 10,
            fingerprint: false,
        }
    }
}
impl ClientConfig {
    /// With another schedule over UDP: RTO, Rc and Rm.
    #[must_use]
    pub const fn with_schedule(mut self, rto: Duration, rc: u32, rm: u32) -> Self {
        (self.rto, self.rc, self.rm) = (rto, rc, rm);
        self
    }
    /// With another patience over streams.
    #[must_use]
    pub const fn with_ti(mut self, ti: Duration) -> Self {
        self.ti = ti;
        self
    }
    /// With other bounds: in all, and to one server.
    #[must_use]
    pub const fn with_max_transactions(mut self, in_all: usize, per_server: usize) -> Self {
        (self.max_transactions, self.max_transactions_per_server) = (in_all, per_server);
        self
    }
    /// With FINGERPRINT in both directions, or without.
    #[must_use]
    pub const fn with_fingerprint(mut self, fingerprint: bool) -> Self {
        self.fingerprint = fingerprint;
        self
    }
}
