//! What the user chooses, with the RFCs' defaults and the bounds that the RFCs set.

use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};

use ginnel_core::Port;

/// RFC 8445 section 6.1.1: who nominates. The side that starts the exchange is controlling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nominates.
    Controlling,
    /// Follows.
    Controlled,
}
impl Role {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

/// The configuration of an agent.
///
/// ```
/// use core::time::Duration;
/// use ginnel_ice::{AgentConfig, Role};
/// let config = AgentConfig::new(Role::Controlled).with_stun_server("192.0.2.7:3478".parse().unwrap());
/// assert_eq!(config.ta, Duration::from_millis(50));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AgentConfig {
    /// The role to begin with; a conflict may change it (RFC 8445 section 7.3.1.1).
    pub role: Role,
    /// Servers that are asked for server-reflexive candidates, at most [`MAX_STUN_SERVERS`]. Default: none.
    pub stun_servers: Vec<SocketAddr>,
    /// RFC 8445 section 14.2: the pace of new transactions. Default 50 ms, at least 5 ms; another value than the default
    /// must be signalled (`a=ice-pacing`), and the peer's goes to [`Agent::set_remote_pacing`](crate::Agent::set_remote_pacing).
    pub ta: Duration,
    /// RFC 7675 section 5.1: the basic period of consent checks, randomised by 0.8 to 1.2. Default and least 5 s.
    pub consent_interval: Duration,
    /// RFC 7675 section 5.1: how long consent lasts after the last answer. Default 30 s, the most that the RFC allows. Each
    /// consent check is sent once, so where a third of all packets is lost both ways, six in a row fail now and then: a
    /// network of one's own that is like that may raise it.
    pub consent_expiry: Duration,
    /// How many consent checks in a row stay unanswered before the state is `Disconnected`. Default 2.
    pub disconnected_after: u8,
    /// RFC 8445 section 11: Tr. Default and least 15 s. Consent checks count as keepalives (RFC 7675 section 4), and the
    /// bindings of server-reflexive candidates are refreshed at this interval until a pair is selected.
    pub keepalive: Duration,
    /// RFC 8445 section 6.1.2.5: how many pairs a checklist holds. Default 100.
    pub max_pairs: usize,
    /// How many remote candidates are known at most, peer-reflexive ones included. Default 100.
    pub max_remote_candidates: usize,
    /// RFC 8863: for so long after the remote credentials came, the agent does not fail. Default 39.5 s.
    pub pac: Duration,
    /// For so long after the remote credentials came, the agent goes on checking without a valid pair, whatever may still
    /// be under way or missing. Default 60 s; at least `pac`.
    pub max_checking: Duration,
    /// Whether names ending in `.local` are resolved. Default true.
    pub mdns: bool,
    /// Whether addresses of the loopback interface are taken by `add_local_ip`. RFC 8445 section 5.1.1.1 forbids them as
    /// candidates; tests and programs that talk to their own host want them. Default false.
    pub loopback: bool,
    /// Which port the sockets are to have. Default any.
    pub port: Port,
}
/// More servers than anyone configures on purpose.
pub const MAX_STUN_SERVERS: usize = 8;
/// RFC 8445 section 14.2: the default Ta.
pub const TA: Duration = Duration::from_millis(50);
/// RFC 8445 section 14.2: no two transactions closer than this.
const MIN_TA: Duration = Duration::from_millis(5);
/// RFC 7675 section 5.1: the default, and since a period under 4 s is forbidden and 0.8 * 5 = 4, also the least.
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// RFC 7675 section 5.1.
const CONSENT_EXPIRY: Duration = Duration::from_secs(30);
/// RFC 8445 section 11: Tr, and never less.
const TR: Duration = Duration::from_secs(15);
/// RFC 8863 section 4: all transmissions of a check at an RTO of 500 ms.
const PAC: Duration = Duration::from_millis(39_500);

impl Default for AgentConfig {
    fn default() -> Self {
        Self::new(Role::Controlling)
    }
}
impl AgentConfig {
    /// The defaults, for `role`.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            stun_servers: Vec::new(),
            ta: TA,
            consent_interval: CONSENT_INTERVAL,
            consent_expiry: CONSENT_EXPIRY,
            disconnected_after: 2,
            keepalive: TR,
            max_pairs: 100,
            max_remote_candidates: 100,
            pac: PAC,
            max_checking: Duration::from_secs(60),
            mdns: true,
            loopback: false,
            port: Port::Any,
        }
    }
    /// With `role`.
    #[must_use]
    pub const fn with_role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }
    /// With one more STUN server.
    #[must_use]
    pub fn with_stun_server(mut self, server: SocketAddr) -> Self {
        self.stun_servers.push(server);
        self
    }
    /// With or without resolving `.local` names.
    #[must_use]
    pub const fn with_mdns(mut self, mdns: bool) -> Self {
        self.mdns = mdns;
        self
    }
    /// With or without loopback addresses.
    #[must_use]
    pub const fn with_loopback(mut self, loopback: bool) -> Self {
        self.loopback = loopback;
        self
    }
    /// With another pace. Values under 5 ms become 5 ms.
    #[must_use]
    pub const fn with_ta(mut self, ta: Duration) -> Self {
        self.ta = ta;
        self
    }
    /// With another consent expiry; see [`AgentConfig::consent_expiry`] before raising it.
    #[must_use]
    pub const fn with_consent_expiry(mut self, consent_expiry: Duration) -> Self {
        self.consent_expiry = consent_expiry;
        self
    }
    /// With another limit of pairs.
    #[must_use]
    pub const fn with_max_pairs(mut self, max_pairs: usize) -> Self {
        self.max_pairs = max_pairs;
        self
    }
    /// With sockets on `port`.
    #[must_use]
    pub const fn with_port(mut self, port: Port) -> Self {
        self.port = port;
        self
    }
    /// The same, moved within the bounds that the RFCs set.
    pub(crate) fn bounded(mut self) -> Self {
        self.stun_servers.truncate(MAX_STUN_SERVERS);
        self.ta = self.ta.max(MIN_TA);
        self.consent_interval = self.consent_interval.max(CONSENT_INTERVAL);
        self.disconnected_after = self.disconnected_after.max(1);
        self.keepalive = self.keepalive.max(TR);
        self.max_pairs = self.max_pairs.clamp(1, usize::from(u16::MAX) / 2);
        self.max_remote_candidates = self.max_remote_candidates.clamp(1, usize::from(u16::MAX) / 4);
        self.max_checking = self.max_checking.max(self.pac);
        self
    }
}
