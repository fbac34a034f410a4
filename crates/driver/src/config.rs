//! What a driver may be told about streams.

use std::time::Duration;

/// How a driver is set up. The default has no TLS.
///
/// ```
/// use std::time::Duration;
/// use ginnel_driver::{Config, Limits};
///
/// let config = Config::default().with_limits(Limits::default().with_idle(Duration::from_secs(60)));
/// assert_eq!(config.limits.accepted, 1_024);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// Of streams.
    pub limits: Limits,
    /// Whom streams inside TLS that this side opens are trusted to be. `None` refuses them.
    #[cfg(feature = "tls")]
    pub client_tls: Option<crate::ClientTls>,
    /// Who this side is where it listens for streams inside TLS. `None` refuses that.
    #[cfg(feature = "tls")]
    pub server_tls: Option<crate::ServerTls>,
}

impl Config {
    /// Other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
    /// Whom to trust.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_client_tls(self, tls: crate::ClientTls) -> Self {
        Self { client_tls: Some(tls), ..self }
    }
    /// Who to be.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_server_tls(self, tls: crate::ServerTls) -> Self {
        Self { server_tls: Some(tls), ..self }
    }
}

/// What streams may take. Each limit that is reached is a counter in [`Stats`](crate::Stats).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Streams that others have opened, in all, handshakes included. One more is reset at once. Default: 1,024.
    pub accepted: usize,
    /// Of those from one source: an IPv4 address, or 64 bits of an IPv6 address, which is what one subscriber has.
    /// Default: 64, since a whole office may be behind one NAT.
    pub accepted_from_one: usize,
    /// Of those in the middle of a TLS handshake, and again as many in one of DTLS. One more of TLS is reset, so that 0 allows
    /// none; one more of DTLS takes the place of the oldest, so that there is always one. Default: 128.
    pub handshakes: usize,
    /// Of those, from one source, so that nobody keeps all others out by handshakes that never end. Default: 32.
    pub handshakes_from_one: usize,
    /// Streams that the machine has opened or is opening. Default: 1,024.
    pub connected: usize,
    /// How long connecting may take. Default: 10 s.
    pub connect: Duration,
    /// How long a handshake of TLS or DTLS may take. Default: 10 s.
    pub handshake: Duration,
    /// How long a stream that somebody else has opened may lie idle, no octet either way, before it is closed. Default:
    /// 10 minutes, above the 5 after which the permissions of a relay end (RFC 8656 section 9). Streams that the machine
    /// has opened are its own affair.
    pub idle: Duration,
    /// How long a stream that somebody else has opened may take for its first message, and for a message of which some has
    /// come, where it is cut into messages. Without that, an octet now and then would keep a stream for ever. Default: 30 s.
    pub message: Duration,
    /// Octets that wait for a peer who does not read. A message that does not fit behind them is dropped, as a whole.
    /// Default: 128 KiB; below the longest message of 65,552 octets such are never sent.
    pub unsent: usize,
    /// How long octets may wait without any of them leaving, before the stream is closed. Default: 30 s.
    pub stalled: Duration,
    /// How long a stream that was released may take for its last octets. Default: 3 s.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            accepted: 1_024,
            accepted_from_one: 64,
            handshakes: 128,
            handshakes_from_one: 32,
            connected: 1_024,
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            message: Duration::from_secs(30),
            unsent: 128 << 10,
            stalled: Duration::from_secs(30),
            linger: Duration::from_secs(3),
        }
    }
}

impl Limits {
    /// So many that others have opened, in all and from one source.
    #[must_use]
    pub const fn with_accepted(self, accepted: usize, accepted_from_one: usize) -> Self {
        Self { accepted, accepted_from_one, ..self }
    }
    /// So many handshakes at a time, for so long each.
    #[must_use]
    pub const fn with_handshakes(self, handshakes: usize, handshake: Duration) -> Self {
        Self { handshakes, handshake, ..self }
    }
    /// So many handshakes of one source at a time.
    #[must_use]
    pub const fn with_handshakes_from_one(self, handshakes_from_one: usize) -> Self {
        Self { handshakes_from_one, ..self }
    }
    /// So long for a message to be whole.
    #[must_use]
    pub const fn with_message(self, message: Duration) -> Self {
        Self { message, ..self }
    }
    /// So many that the machine opens, for so long each.
    #[must_use]
    pub const fn with_connected(self, connected: usize, connect: Duration) -> Self {
        Self { connected, connect, ..self }
    }
    /// Idle for so long.
    #[must_use]
    pub const fn with_idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }
    /// So many octets wait, for so long.
    #[must_use]
    pub const fn with_unsent(self, unsent: usize, stalled: Duration) -> Self {
        Self { unsent, stalled, ..self }
    }
    /// So long for last words.
    #[must_use]
    pub const fn with_linger(self, linger: Duration) -> Self {
        Self { linger, ..self }
    }
}
