//! What a resolver can be told.

use alloc::vec::Vec;
use core::time::Duration;

use ginnel_core::{HostName, Transport};

/// How a [`Resolver`](super::Resolver) goes about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolverConfig {
    /// What the application can talk over, the most preferred first (RFC 5928 section 3). By default UDP, TCP, TLS. A
    /// transport that comes again counts once.
    pub transports: Vec<Transport>,
    /// Whether IPv4 addresses are asked for and yielded.
    pub ipv4: bool,
    /// Whether IPv6 addresses are asked for and yielded.
    pub ipv6: bool,
    /// The name in the certificate of a server whose URI holds an address, if the same source gave both (RFC 7350 section
    /// 4.6.1). Where a URI has a name, that is the name (RFC 5928 section 5).
    pub server_name: Option<HostName>,
    /// Whether `stun:` and `stuns:` URIs are of servers for NAT behaviour discovery, whose SRV records have service names of
    /// their own (RFC 5780 section 5.1). By default not.
    pub nat_behavior: bool,
    /// When to give up what is not answered. By default ten seconds after the start.
    pub deadline: Duration,
    /// How long to wait for one answer. By default five seconds.
    pub question_timeout: Duration,
    /// How long an address waits for the better family of the same name (RFC 8305 section 3: 50 ms).
    pub resolution_delay: Duration,
    /// How long a candidate waits for a better one to be found (RFC 8305 section 5: the 250 ms after which the next server
    /// would be tried).
    pub attempt_delay: Duration,
    /// The most questions in all; at least 1.
    pub max_questions: usize,
    /// The most candidates in all.
    pub max_candidates: usize,
    /// The most records that count of one answer, up to 100.
    pub max_records: usize,
}

impl Default for ResolverConfig {
    fn default() -> Self {
        Self {
            transports: Vec::from([Transport::Udp, Transport::Tcp, Transport::Tls]),
            ipv4: true,
            ipv6: true,
            server_name: None,
            nat_behavior: false,
            deadline: Duration::from_secs(10),
            question_timeout: Duration::from_secs(5),
            resolution_delay: Duration::from_millis(50),
            attempt_delay: Duration::from_millis(250),
            max_questions: 32,
            max_candidates: 64,
            max_records: 16,
        }
    }
}

impl ResolverConfig {
    /// With these transports, the most preferred first.
    #[must_use]
    pub fn with_transports(mut self, transports: &[Transport]) -> Self {
        self.transports = transports.into();
        self
    }
    /// With these families of addresses.
    #[must_use]
    pub fn with_families(mut self, ipv4: bool, ipv6: bool) -> Self {
        (self.ipv4, self.ipv6) = (ipv4, ipv6);
        self
    }
    /// With the name that the certificate must hold where the URI has an address.
    #[must_use]
    pub const fn with_server_name(mut self, name: HostName) -> Self {
        self.server_name = Some(name);
        self
    }
    /// With the SRV records of servers for NAT behaviour discovery (RFC 5780 section 5.1) in place of those of STUN. Nothing
    /// else about the search changes, and nothing at all for `turn:` and `turns:`.
    #[must_use]
    pub const fn with_nat_behavior(mut self, nat_behavior: bool) -> Self {
        self.nat_behavior = nat_behavior;
        self
    }
    /// With other patience: in all, and for one answer.
    #[must_use]
    pub fn with_deadlines(mut self, in_all: Duration, question: Duration) -> Self {
        (self.deadline, self.question_timeout) = (in_all, question);
        self
    }
    /// With other delays: for the other family of a name, and for a better candidate.
    #[must_use]
    pub fn with_delays(mut self, resolution: Duration, attempt: Duration) -> Self {
        (self.resolution_delay, self.attempt_delay) = (resolution, attempt);
        self
    }
    /// With other bounds: of questions, of candidates, and of the records of an answer.
    #[must_use]
    pub fn with_bounds(mut self, questions: usize, candidates: usize, records: usize) -> Self {
        (self.max_questions, self.max_candidates, self.max_records) = (questions, candidates, records);
        self
    }
}
