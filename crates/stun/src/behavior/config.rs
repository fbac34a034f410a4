//! What a discovery is told.

use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// What is to be found out, from which sockets, and how patiently.
///
/// ```
/// use ginnel_stun::behavior::{DiscoveryConfig, LifetimeSearch};
///
/// let server = "198.51.100.1:3478".parse()?;
/// let quick = DiscoveryConfig::new(server, "192.168.0.2".parse()?);
/// let thorough = quick.with_fragments(1500).with_lifetime(LifetimeSearch::default());
/// assert!(quick.lifetime.is_none() && thorough.lifetime.is_some());
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveryConfig {
    /// The primary address of the server. It must have a second one (RFC 5780 section 6): else mapping and filtering stay
    /// unknown.
    pub server: SocketAddr,
    /// From which sockets it is asked.
    pub sockets: Sockets,
    /// Whether filtering is tested (RFC 5780 section 4.4).
    pub filtering: bool,
    /// Whether hairpinning is tested (RFC 5780 section 3.4).
    pub hairpinning: bool,
    /// Whether fragments are tested (RFC 5780 section 3.5), and the MTU of the interface, in octets. More than
    /// [`MAX_MTU`] counts as that.
    pub fragments: Option<u16>,
    /// Whether and how the lifetime of mappings is searched (RFC 5780 section 4.6): it takes minutes.
    pub lifetime: Option<LifetimeSearch>,
    /// How long to wait at least between two new transactions (RFC 5780 section 5: no more than ten a second).
    pub pace: Duration,
    /// How often a test is tried at least before silence counts.
    pub min_tries: u32,
    /// How often it is tried at most, where answers are lost on the way. Silence that could be loss counts as unknown.
    pub max_tries: u32,
    /// Whether requests bear FINGERPRINT, and answers without it are discarded: where other traffic shares the sockets
    /// (RFC 5780 section 5).
    pub fingerprint: bool,
}

/// The longest message that fits a packet of the contract, with the largest headers.
pub const MAX_MTU: u16 = 1_900;

/// The two sockets of a discovery. What it says is true of the first one; the second helps. The mapping alone is looked at
/// from the second, because the tests of filtering spoil the first one for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    /// Both are asked of the driver, on this address and at random ports of the upper half (RFC 5780 section 4.1), and given
    /// back in the end.
    Bind(IpAddr),
    /// They are there. They must be fresh: nothing sent from them for 15 minutes (RFC 5780 section 4.1).
    Given {
        /// The one that is characterised.
        first: SocketAddr,
        /// Another, on the same address.
        second: SocketAddr,
    },
}

impl DiscoveryConfig {
    /// Asks `server` from two sockets of the driver's on the interface `local`, for everything that takes seconds.
    #[must_use]
    pub const fn new(server: SocketAddr, local: IpAddr) -> Self {
        Self {
            server,
            sockets: Sockets::Bind(local),
            filtering: true,
            hairpinning: true,
            fragments: None,
            lifetime: None,
            pace: Duration::from_millis(100),
            min_tries: 10,
            max_tries: 24,
            fingerprint: false,
        }
    }
    /// From two sockets that are there.
    #[must_use]
    pub const fn with_sockets(mut self, first: SocketAddr, second: SocketAddr) -> Self {
        self.sockets = Sockets::Given { first, second };
        self
    }
    /// With the test of filtering, or without.
    #[must_use]
    pub const fn with_filtering(mut self, filtering: bool) -> Self {
        self.filtering = filtering;
        self
    }
    /// With the test of hairpinning, or without.
    #[must_use]
    pub const fn with_hairpinning(mut self, hairpinning: bool) -> Self {
        self.hairpinning = hairpinning;
        self
    }
    /// With the test of fragments, on an interface with this MTU.
    #[must_use]
    pub const fn with_fragments(mut self, mtu: u16) -> Self {
        self.fragments = Some(mtu);
        self
    }
    /// With the search for the lifetime of mappings.
    #[must_use]
    pub const fn with_lifetime(mut self, search: LifetimeSearch) -> Self {
        self.lifetime = Some(search);
        self
    }
    /// With another pace. Less than 100 ms is more than RFC 5780 section 5 allows.
    #[must_use]
    pub const fn with_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }
    /// With another number of tries, at least and at most. More than [`MAX_TRIES`] count as that.
    #[must_use]
    pub const fn with_tries(mut self, least: u32, most: u32) -> Self {
        (self.min_tries, self.max_tries) = (least, most);
        self
    }
    /// With FINGERPRINT in both directions, or without.
    #[must_use]
    pub const fn with_fingerprint(mut self, fingerprint: bool) -> Self {
        self.fingerprint = fingerprint;
        self
    }

    pub(super) fn min_tries(&self) -> u32 {
        self.min_tries.clamp(1, MAX_TRIES)
    }
    pub(super) fn max_tries(&self) -> u32 {
        self.max_tries.clamp(self.min_tries(), MAX_TRIES)
    }
}

/// The most tries of one test.
pub const MAX_TRIES: u32 = 100;

/// How the lifetime of mappings is searched (RFC 5780 section 4.6): by doubling the wait until a mapping has expired, and
/// then by halving the interval between what it survived and what not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LifetimeSearch {
    /// The first wait.
    pub shortest: Duration,
    /// The longest wait: a mapping that survives it lives *at least* so long.
    pub longest: Duration,
    /// How narrow the interval is to become. Less than 5 s counts as 5 s: to tell that an answer is missing takes some
    /// seconds itself. Where many answers are lost it may stay wider.
    pub resolution: Duration,
}
impl Default for LifetimeSearch {
    /// From 10 s to 10 minutes, to within 10 s.
    fn default() -> Self {
        Self {
            shortest: Duration::from_secs(10),
            longest: Duration::from_secs(600),
            resolution: Duration::from_secs(10),
        }
    }
}
impl LifetimeSearch {
    /// Between these waits.
    #[must_use]
    pub const fn with_range(mut self, shortest: Duration, longest: Duration) -> Self {
        (self.shortest, self.longest) = (shortest, longest);
        self
    }
    /// To within this.
    #[must_use]
    pub const fn with_resolution(mut self, resolution: Duration) -> Self {
        self.resolution = resolution;
        self
    }
}

/// Why a discovery cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Paths bear the address of an interface: name that of the interface which leads to the server.
    #[error("the local address is unspecified: name the interface that leads to the server")]
    Unspecified,
    /// Server and sockets are of different families: choose sockets of the server's.
    #[error("server and sockets are of different address families")]
    Families,
    /// The two sockets are one, or on two addresses: give two on one address.
    #[error("two different sockets on one address are needed")]
    SameSocket,
    /// The server has no port, or a multicast or unspecified address: name one that can be asked.
    #[error("the server's address cannot be sent to")]
    Server,
}
