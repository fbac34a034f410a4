//! What a Binding server can be told.

use core::net::SocketAddr;

use crate::auth::{AuthConfig, RateLimit};

/// What becomes of FINGERPRINT (RFC 8489 section 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FingerprintPolicy {
    /// An answer has it if its request does: who asks with FINGERPRINT may need it to tell the answer from other traffic.
    /// What RFC 8489 section 12 has a server on a port of its own do.
    #[default]
    AsAsked,
    /// Requests without it are discarded, and all answers have it: for a port that STUN shares with other protocols.
    Required,
    /// Answers never have it. A wrong one in a request still has it discarded.
    Never,
}

/// Whether requests of NAT behaviour discovery are answered (RFC 5780), and from where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoverySupport {
    /// As a plain server of RFC 8489: CHANGE-REQUEST, RESPONSE-PORT and PADDING are not understood.
    #[default]
    Off,
    /// With one address: answers have MAPPED-ADDRESS and RESPONSE-ORIGIN too, and PADDING and RESPONSE-PORT are obeyed, but
    /// there is no OTHER-ADDRESS, and CHANGE-REQUEST is not understood (RFC 5780 section 6).
    OneAddress,
    /// With two addresses and two ports: all of it.
    TwoAddresses(DiscoveryAddresses),
}

/// Why two addresses are no pair for NAT behaviour discovery (RFC 5780 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryAddressesError {
    /// Give two of IPv4 or two of IPv6.
    #[error("the addresses are not of one family")]
    Families,
    /// Give two different IP addresses.
    #[error("both have the same IP address")]
    SameIp,
    /// Give two different ports.
    #[error("both have the same port")]
    SamePort,
    /// Give addresses that packets can leave from: not port 0, nor 0.0.0.0, :: or a multicast address.
    #[error("an address is unspecified, multicast, or has port 0")]
    Unusable,
}

/// The four addresses of a server of RFC 5780: each of two IP addresses with each of two ports. The driver has a socket on
/// each, and reports exactly these as local.
///
/// ```
/// use ginnel_stun::{DiscoveryAddresses, DiscoveryAddressesError};
///
/// let addresses = DiscoveryAddresses::new("198.51.100.1:3478".parse()?, "198.51.100.2:3479".parse()?)?;
/// assert!(addresses.all().contains(&"198.51.100.2:3478".parse()?));
/// assert_eq!(
///     DiscoveryAddresses::new("198.51.100.1:3478".parse()?, "198.51.100.2:3478".parse()?),
///     Err(DiscoveryAddressesError::SamePort),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscoveryAddresses {
    primary: SocketAddr,
    alternate: SocketAddr,
}
impl DiscoveryAddresses {
    /// A1:P1 and A2:P2 in the words of RFC 5780 section 6.1.
    pub fn new(primary: SocketAddr, alternate: SocketAddr) -> Result<Self, DiscoveryAddressesError> {
        use DiscoveryAddressesError as Error;
        let unusable = |it: SocketAddr| it.port() == 0 || it.ip().is_unspecified() || it.ip().is_multicast();
        if unusable(primary) || unusable(alternate) {
            Err(Error::Unusable)
        } else if primary.is_ipv4() != alternate.is_ipv4() {
            Err(Error::Families)
        } else if primary.ip() == alternate.ip() {
            Err(Error::SameIp)
        } else if primary.port() == alternate.port() {
            Err(Error::SamePort)
        } else {
            Ok(Self { primary, alternate })
        }
    }
    /// All four: A1:P1, A1:P2, A2:P1 and A2:P2.
    #[must_use]
    pub const fn all(&self) -> [SocketAddr; 4] {
        let (mut a1p2, mut a2p1) = (self.primary, self.alternate);
        a1p2.set_port(self.alternate.port());
        a2p1.set_port(self.primary.port());
        [self.primary, a1p2, a2p1, self.alternate]
    }
    /// RFC 5780 section 6.1, table 1: which of the four is at `local` with another IP address, another port, or both.
    /// `None` if `local` is none of them.
    #[must_use]
    pub fn changed(&self, local: SocketAddr, ip: bool, port: bool) -> Option<SocketAddr> {
        let all = self.all();
        let at = all.iter().position(|&it| it == local)?;
        all.get(at ^ (usize::from(ip) << 1) ^ usize::from(port)).copied()
    }
}

/// How a [`BindingServer`](super::BindingServer) answers. By default everybody, without credentials, as RFC 8489 section 12
/// has a server on the public Internet do; and each source up to 50 times a second.
///
/// ```
/// use ginnel_stun::{DiscoverySupport, DiscoveryAddresses, ServerConfig, auth::{AuthConfig, RateLimit}};
///
/// let public = ServerConfig::default().with_rfc3489(true);
/// let addresses = DiscoveryAddresses::new("198.51.100.1:3478".parse()?, "198.51.100.2:3479".parse()?)?;
/// let behavior = public.with_discovery(DiscoverySupport::TwoAddresses(addresses));
/// let closed = ServerConfig::default().with_credentials(Some(AuthConfig::long_term("example.org")?));
/// # let _ = (behavior, closed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Who is answered: everybody, or only those who authenticate themselves.
    pub credentials: Option<AuthConfig>,
    /// What becomes of FINGERPRINT.
    pub fingerprint: FingerprintPolicy,
    /// Whether clients of RFC 3489, which know no magic cookie, are answered, over UDP (RFC 5389 section 12.2). Not where
    /// STUN shares its port, nor where credentials or FINGERPRINT are asked for: they have neither.
    pub rfc3489: bool,
    /// Whether requests of NAT behaviour discovery are answered.
    pub discovery: DiscoverySupport,
    /// Octets of PADDING in an answer at the most: the MTU of the interface, rounded up to a multiple of four (RFC 5780
    /// section 7.6). An answer never has more than its request, so that it does not amplify.
    pub padding: u16,
    /// Whether RESPONSE-PORT is obeyed, which sends an answer to another port of who asks (RFC 5780 section 7.5).
    pub response_port: bool,
    /// How many answers each source gets over UDP without credentials; `None` where something in front of the server
    /// sees to that. Refusals have a limit of their own: see [`AuthConfig::with_challenge_limit`].
    pub rate_limit: Option<RateLimit>,
}
impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            credentials: None,
            fingerprint: FingerprintPolicy::AsAsked,
            rfc3489: false,
            discovery: DiscoverySupport::Off,
            padding: 1500,
            response_port: true,
            rate_limit: Some(RateLimit::default()),
        }
    }
}
impl ServerConfig {
    /// With credentials asked for, or not.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Option<AuthConfig>) -> Self {
        self.credentials = credentials;
        self
    }
    /// With another policy for FINGERPRINT.
    #[must_use]
    pub const fn with_fingerprint(mut self, policy: FingerprintPolicy) -> Self {
        self.fingerprint = policy;
        self
    }
    /// With clients of RFC 3489 answered, or not.
    #[must_use]
    pub const fn with_rfc3489(mut self, answered: bool) -> Self {
        self.rfc3489 = answered;
        self
    }
    /// With NAT behaviour discovery.
    #[must_use]
    pub const fn with_discovery(mut self, discovery: DiscoverySupport) -> Self {
        self.discovery = discovery;
        self
    }
    /// With the MTU of another interface for PADDING, in octets.
    #[must_use]
    pub const fn with_padding(mut self, mtu: u16) -> Self {
        self.padding = mtu;
        self
    }
    /// With RESPONSE-PORT obeyed, or not understood.
    #[must_use]
    pub const fn with_response_port(mut self, obeyed: bool) -> Self {
        self.response_port = obeyed;
        self
    }
    /// With another limit for answers to each source, or none.
    #[must_use]
    pub const fn with_rate_limit(mut self, limit: Option<RateLimit>) -> Self {
        self.rate_limit = limit;
        self
    }
}
