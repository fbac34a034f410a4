//! What can be chosen.

use core::time::Duration;

/// How a [`Querier`](super::Querier) asks.
///
/// ```
/// use ginnel_ice::mdns::Config;
///
/// let config = Config::default().with_ipv6(true).with_attempts(4);
/// assert!(config.ipv4 && config.ipv6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Whether to ask through 224.0.0.251. Default: true. RFC 6762 section 3.
    pub ipv4: bool,
    /// Whether to ask through ff02::fb. Default: false, since peers that hide addresses listen on IPv4 wherever there is any,
    /// and the driver must support IPv6 groups. RFC 6762 section 20.
    pub ipv6: bool,
    /// Whether only names of the form `<uuid>.local` are resolved. Default: true, so that a peer cannot make this host talk to
    /// a printer. draft-ietf-mmusic-mdns-ice-candidates section 3.2.2.
    pub uuid_only: bool,
    /// Whether the first question of a series welcomes a unicast response. Default: false.
    ///
    /// The draft, section 3.2.1, recommends it; but RFC 6762 section 15.1 has unicast responses go to the first socket bound to
    /// the port, which on a host with a system-wide responder is not ours, and the answer would be lost. Set it where
    /// this is the only socket on port 5353. Later questions never do: RFC 6762 section 5.4.
    pub unicast_response: bool,
    /// Whether the first question waits for 20 to 120 ms. Default: false.
    ///
    /// RFC 6762 section 5.2 recommends it for hosts that begin to ask at the same moment because of a common cause, such as a
    /// link that comes up. A candidate from one peer is no common cause, and the wait would go into the time to connect.
    pub delay_first: bool,
    /// How often a name is asked for before it has failed. Default: 3, so after 7 s; at least 1, at most 8.
    pub attempts: u8,
    /// The time from the first question to the second; each later one is twice the last. Default: 1 s, which is also the
    /// least: RFC 6762 section 5.2.
    pub interval: Duration,
    /// How long to wait for a socket before a name has failed. Default: 5 s.
    pub socket_patience: Duration,
    /// For how long the sockets stay open after the last name. Default: 10 s.
    pub linger: Duration,
    /// How many names are asked for at a time, and how many answers are remembered. Default: [`MAX_NAMES`].
    pub max_names: usize,
}

/// How many names are asked for at a time, unless configured otherwise: more than an agent takes pairs from.
pub const MAX_NAMES: usize = 32;

impl Default for Config {
    fn default() -> Self {
        Self {
            ipv4: true,
            ipv6: false,
            uuid_only: true,
            unicast_response: false,
            delay_first: false,
            attempts: 3,
            interval: Duration::from_secs(1),
            socket_patience: Duration::from_secs(5),
            linger: Duration::from_secs(10),
            max_names: MAX_NAMES,
        }
    }
}

impl Config {
    /// Sets [`Config::ipv4`].
    #[must_use]
    pub const fn with_ipv4(mut self, ipv4: bool) -> Self {
        self.ipv4 = ipv4;
        self
    }

    /// Sets [`Config::ipv6`].
    #[must_use]
    pub const fn with_ipv6(mut self, ipv6: bool) -> Self {
        self.ipv6 = ipv6;
        self
    }

    /// Sets [`Config::uuid_only`].
    #[must_use]
    pub const fn with_uuid_only(mut self, uuid_only: bool) -> Self {
        self.uuid_only = uuid_only;
        self
    }

    /// Sets [`Config::unicast_response`].
    #[must_use]
    pub const fn with_unicast_response(mut self, unicast_response: bool) -> Self {
        self.unicast_response = unicast_response;
        self
    }

    /// Sets [`Config::delay_first`].
    #[must_use]
    pub const fn with_delay_first(mut self, delay_first: bool) -> Self {
        self.delay_first = delay_first;
        self
    }

    /// Sets [`Config::attempts`].
    #[must_use]
    pub const fn with_attempts(mut self, attempts: u8) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets [`Config::interval`].
    #[must_use]
    pub const fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets [`Config::socket_patience`].
    #[must_use]
    pub const fn with_socket_patience(mut self, socket_patience: Duration) -> Self {
        self.socket_patience = socket_patience;
        self
    }

    /// Sets [`Config::linger`].
    #[must_use]
    pub const fn with_linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets [`Config::max_names`].
    #[must_use]
    pub const fn with_max_names(mut self, max_names: usize) -> Self {
        self.max_names = max_names;
        self
    }

    /// How long to wait for an answer to question number `asked`, the first being 1.
    pub(super) fn wait(&self, asked: u8) -> Duration {
        let doublings = u32::from(asked.clamp(1, MAX_ATTEMPTS) - 1);
        self.interval.max(LEAST_INTERVAL).saturating_mul(1 << doublings)
    }

    /// Whether `asked` questions are all there are to be.
    pub(super) fn is_last(&self, asked: u8) -> bool {
        asked >= self.attempts.clamp(1, MAX_ATTEMPTS)
    }
}

/// RFC 6762 section 5.2: "at least one second".
const LEAST_INTERVAL: Duration = Duration::from_secs(1);
/// The eighth question goes out after 127 s; nobody waits longer for a connection.
const MAX_ATTEMPTS: u8 = 8;
