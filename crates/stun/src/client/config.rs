//! What a client can be told.

use core::time::Duration;

/// How a [`Client`](super::Client) asks. The defaults are those of RFC 8489.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The first retransmission timeout over UDP and DTLS, to a server of which nothing is known; doubled after each
    /// (RFC 8489 section 6.2.1: RTO, 500 ms).
    pub rto: Duration,
    /// Whether the RTO is learnt from the round trips to each server (RFC 8489 section 6.2.1, RFC 6298). Without, it is
    /// always [`rto`](Self::rto): where something else paces the requests, as ICE does.
    pub learn_rto: bool,
    /// The least that is learnt (RFC 8489 section 6.2.1: 500 ms).
    pub min_rto: Duration,
    /// The most that is learnt (RFC 6298 section 2.5: 60 s).
    pub max_rto: Duration,
    /// How often a request is sent over UDP and DTLS in all (RFC 8489 section 6.2.1: Rc, 7). At least 1.
    pub rc: u32,
    /// How many first timeouts to wait after the last (RFC 8489 section 6.2.1: Rm, 16).
    pub rm: u32,
    /// How long to wait over a stream (RFC 8489 section 6.2.2: Ti, 39.5 s).
    pub ti: Duration,
    /// Requests at once in all, events that wait to be polled included.
    pub max_transactions: usize,
    /// Requests at once to one server (RFC 8489 section 6.2: 10).
    pub max_transactions_per_server: usize,
    /// Of how many servers the round trips, and of how many paths the realm, the nonce and the key are kept when nothing is
    /// asked of them: the least recently used are forgotten first.
    pub max_servers: usize,
    /// How often a request is repeated after error 500 (RFC 8489 section 6.3.4: at most 4).
    pub max_repeats: u32,
    /// Whether an ALTERNATE-SERVER is followed (RFC 8489 section 10), if it is authenticated.
    pub follow_alternate: bool,
    /// Whether one that nothing shows to be the server's own is followed too, against RFC 8489 section 10: for servers that
    /// redirect before they challenge. Anybody on the way can send such a client elsewhere.
    pub follow_unauthenticated: bool,
    /// Whether hard ICMP errors fail requests (RFC 8489 section 6.2.1). Anybody who knows both addresses can forge them: a
    /// client that can wait may do without.
    pub heed_icmp: bool,
    /// The MTU of the path, IP header included, where it is known. Without, requests over UDP keep to 576 octets for
    /// IPv4 and to 1280 for IPv6 (RFC 8489 section 6.1).
    pub path_mtu: Option<u16>,
    /// Whether requests bear FINGERPRINT, and responses without it are discarded (RFC 8489 section 7).
    pub fingerprint: bool,
}
impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            rto: Duration::from_millis(500),
            learn_rto: true,
            min_rto: Duration::from_millis(500),
            max_rto: Duration::from_secs(60),
            rc: 7,
            rm: 16,
            ti: Duration::from_millis(39_500),
            max_transactions: 100,
            max_transactions_per_server: 10,
            max_servers: 100,
            max_repeats: 4,
            follow_alternate: true,
            follow_unauthenticated: false,
            heed_icmp: true,
            path_mtu: None,
            fingerprint: false,
        }
    }
}
impl ClientConfig {
    /// With another schedule over UDP and DTLS: RTO, Rc and Rm.
    #[must_use]
    pub const fn with_schedule(mut self, rto: Duration, rc: u32, rm: u32) -> Self {
        (self.rto, self.rc, self.rm) = (rto, rc, rm);
        self
    }
    /// With an RTO learnt from earlier round trips, or always the same.
    #[must_use]
    pub const fn with_learn_rto(mut self, learn: bool) -> Self {
        self.learn_rto = learn;
        self
    }
    /// With other bounds of what is learnt. Less than 500 ms is for networks whose capacity is known.
    #[must_use]
    pub const fn with_rto_bounds(mut self, least: Duration, most: Duration) -> Self {
        (self.min_rto, self.max_rto) = (least, most);
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
    /// With another bound of what is kept of servers.
    #[must_use]
    pub const fn with_max_servers(mut self, max: usize) -> Self {
        self.max_servers = max;
        self
    }
    /// With other repeats after error 500. More than 4 are not sent.
    #[must_use]
    pub const fn with_max_repeats(mut self, max: u32) -> Self {
        self.max_repeats = if max < 4 { max } else { 4 };
        self
    }
    /// With alternate servers followed, or not.
    #[must_use]
    pub const fn with_follow_alternate(mut self, follow: bool) -> Self {
        self.follow_alternate = follow;
        self
    }
    /// With alternate servers followed that are not authenticated, or not.
    #[must_use]
    pub const fn with_follow_unauthenticated(mut self, follow: bool) -> Self {
        self.follow_unauthenticated = follow;
        self
    }
    /// With hard ICMP errors heeded, or not.
    #[must_use]
    pub const fn with_heed_icmp(mut self, heed: bool) -> Self {
        self.heed_icmp = heed;
        self
    }
    /// With a path MTU that is known.
    #[must_use]
    pub const fn with_path_mtu(mut self, mtu: u16) -> Self {
        self.path_mtu = Some(mtu);
        self
    }
    /// With FINGERPRINT in both directions, or without.
    #[must_use]
    pub const fn with_fingerprint(mut self, fingerprint: bool) -> Self {
        self.fingerprint = fingerprint;
        self
    }
}
