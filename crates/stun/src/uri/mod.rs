//! The URIs of servers: `stun:`, `stuns:` (RFC 7064) and `turn:`, `turns:` (RFC 7065).
//!
//! ```text
//! stunURI   = ( "stun" / "stuns" ) ":" host [ ":" port ]
//! turnURI   = ( "turn" / "turns" ) ":" host [ ":" port ] [ "?transport=" transport ]
//! transport = "udp" / "tcp" / transport-ext            ; transport-ext = 1*unreserved
//! host      = "[" IPv6address "]" / IPv4address / reg-name      ; RFC 3986 section 3.2.2
//! port      = *DIGIT                                            ; RFC 3986 section 3.2.3
//! ```
//!
//! These URIs are opaque: no `//`, no user, no path. Both RFCs forbid a generic parser of hierarchical URIs, so this is
//! one of their own; it goes over the text once, allocates nothing, and a URI borrows from its text. [`UriBuf`] keeps one.
//! What a URI leaves open, [`Uri`] fills in: the port ([`Uri::port_or_default`]), the transport
//! ([`Uri::transport_to_use`]; over DTLS as RFC 7350 has it), the ALPN id ([`Uri::alpn`]). Where the servers of a name are,
//! [`resolve`](crate::resolve) asks the DNS.
//! Left out on purpose: IPvFuture, which nothing defines, and zone identifiers, which mean nothing to another host: both are
//! refused, each with its reason. Names are not translated by IDNA: that needs tables of Unicode; see [`RegName`].

mod error;
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub mod fuzz;
mod host;
#[cfg(feature = "alloc")]
mod owned;
mod parse;

use core::fmt;

use ginnel_core::{Alpn, Transport};

pub use error::{UriError, UriErrorReason};
pub use host::{Host, RegName};
#[cfg(feature = "alloc")]
pub use owned::UriBuf;

/// RFC 8489 section 8.1: where STUN and TURN servers listen for UDP and TCP.
pub const DEFAULT_PORT: u16 = 3478;
/// RFC 8489 section 8.1 and RFC 7350 section 3: where they listen for TLS and DTLS.
pub const DEFAULT_PORT_SECURE: u16 = 5349;
/// The most octets that a URI may have. The longest name with every octet percent-encoded fits; nothing larger can mean
/// a server.
pub const URI_LEN_MAX: usize = 1024;

/// One URI, borrowing its names from the text that it was parsed from.
///
/// It prints as it should be written: lower-case scheme, no empty port, the shortest form of an IPv6 address. Two are equal
/// if they differ in nothing but the case of their letters.
///
/// ```
/// use ginnel_core::Transport;
/// use ginnel_stun::uri::{Host, Scheme, Uri};
///
/// let uri = Uri::parse("turns:example.org?transport=tcp")?;
/// assert_eq!(uri.scheme(), Scheme::Turns);
/// assert!(matches!(uri.host(), Host::Name(name) if name.as_str() == "example.org"));
/// assert_eq!((uri.port(), uri.port_or_default()), (None, 5349));
/// assert_eq!(uri.transport_to_use(), Some(Transport::Tls));
/// assert_eq!(uri.to_string(), "turns:example.org?transport=tcp");
/// # Ok::<(), ginnel_stun::uri::UriError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    scheme: Scheme,
    host: Host<'a>,
    port: Option<u16>,
    transport: Option<TransportParam<'a>>,
}

impl<'a> Uri<'a> {
    /// Parses the whole of `text`.
    ///
    /// # Errors
    ///
    /// [`UriError`]: what is wrong, where, and what to write instead.
    ///
    /// ```
    /// use ginnel_stun::uri::Uri;
    ///
    /// let error = Uri::parse("stun://example.org").unwrap_err();
    /// assert_eq!(error.offset(), 5);
    /// assert_eq!(error.to_string(), "these URIs have no `//`: write the host right behind the colon (at octet 5)");
    /// ```
    pub fn parse(text: &'a str) -> Result<Self, UriError> {
        parse::uri(text)
    }

    /// Makes one of its parts, which exist only if they are legal; a port of 0 is none.
    ///
    /// ```
    /// use ginnel_stun::uri::{Host, Scheme, Uri};
    ///
    /// let uri = Uri::new(Scheme::Stun, Host::Ipv4([192, 0, 2, 1].into())).with_port(8000);
    /// assert_eq!(uri.to_string(), "stun:192.0.2.1:8000");
    /// ```
    #[must_use]
    pub const fn new(scheme: Scheme, host: Host<'a>) -> Self {
        Self { scheme, host, port: None, transport: None }
    }
    /// The same with this port.
    #[must_use]
    pub const fn with_port(self, port: u16) -> Self {
        Self { port: if port == 0 { None } else { Some(port) }, ..self }
    }
    /// The same with a transport; `stun:` and `stuns:` have none, and stay as they are (RFC 7064 section 3.1).
    #[must_use]
    pub const fn with_transport(self, transport: TransportParam<'a>) -> Self {
        if self.scheme.is_turn() { Self { transport: Some(transport), ..self } } else { self }
    }

    /// Which of the four.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }
    /// The server, or the domain whose servers are asked for.
    #[must_use]
    pub const fn host(&self) -> Host<'a> {
        self.host
    }
    /// The port, if one is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }
    /// The port that is written, or else the default of the scheme: 3478, or 5349 for the secure ones.
    #[must_use]
    pub const fn port_or_default(&self) -> u16 {
        match self.port {
            Some(port) => port,
            None if self.scheme.is_secure() => DEFAULT_PORT_SECURE,
            None => DEFAULT_PORT,
        }
    }
    /// The transport that is written, as it is written: that of `turns:` with `tcp` is [`Transport::Tls`].
    #[must_use]
    pub const fn transport(&self) -> Option<TransportParam<'a>> {
        self.transport
    }
    /// The transport to talk to the server over, if the DNS is not asked for another: that of
    /// [`TransportParam::over`] where one is written (RFC 5928 table 1, RFC 7350 section 4.6.2), else UDP, or TLS for the
    /// secure schemes (RFC 7064 section 3.2). `None` if what is written is not known here.
    ///
    /// ```
    /// use {ginnel_core::Transport, ginnel_stun::uri::Uri};
    ///
    /// let over = |text| Uri::parse(text).unwrap().transport_to_use();
    /// assert_eq!(over("stun:example.org"), Some(Transport::Udp));
    /// assert_eq!(over("stuns:example.org"), Some(Transport::Tls));
    /// assert_eq!(over("turns:example.org?transport=udp"), Some(Transport::Dtls));
    /// assert_eq!(over("turn:example.org?transport=sctp"), None);
    /// ```
    #[must_use]
    pub fn transport_to_use(&self) -> Option<Transport> {
        match self.transport {
            Some(transport) => transport.over(self.scheme.is_secure()),
            None if self.scheme.is_secure() => Some(Transport::Tls),
            None => Some(Transport::Udp),
        }
    }
    /// What to offer by ALPN inside TLS or DTLS (RFC 7443); `None` for the schemes without them.
    ///
    /// ```
    /// use {ginnel_core::Alpn, ginnel_stun::uri::Uri};
    ///
    /// assert_eq!(Uri::parse("turns:example.org").unwrap().alpn(), Some(Alpn::TURN));
    /// assert_eq!(Uri::parse("turn:example.org").unwrap().alpn(), None);
    /// ```
    #[must_use]
    pub const fn alpn(&self) -> Option<Alpn> {
        self.scheme.alpn()
    }
    /// A copy that borrows nothing.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_owned(&self) -> UriBuf {
        UriBuf::from(*self)
    }
}

/// As it should be written: what it parses to is equal to it.
impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(transport) => write!(f, "?transport={transport}"),
            None => Ok(()),
        }
    }
}

/// What stands before the first colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// A STUN server, over UDP or TCP.
    Stun,
    /// A STUN server, over TLS or DTLS.
    Stuns,
    /// A TURN server, over UDP or TCP.
    Turn,
    /// A TURN server, over TLS or DTLS.
    Turns,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Stun, Self::Stuns, Self::Turn, Self::Turns];

    /// Whether the server is talked to inside TLS or DTLS: the `<secure>` of RFC 5928.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Stuns | Self::Turns)
    }
    /// Whether the server relays.
    #[must_use]
    pub const fn is_turn(self) -> bool {
        matches!(self, Self::Turn | Self::Turns)
    }
    /// The name, which is also that of the service in SRV records (RFC 8489 section 8.1, RFC 5928 section 3).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Stuns => "stuns",
            Self::Turn => "turn",
            Self::Turns => "turns",
        }
    }
    /// What to offer by ALPN (RFC 7443), if there is TLS to offer it in.
    #[must_use]
    pub const fn alpn(self) -> Option<Alpn> {
        match self {
            Self::Stuns => Some(Alpn::NAT_DISCOVERY),
            Self::Turns => Some(Alpn::TURN),
            Self::Stun | Self::Turn => None,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What stands behind `?transport=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportParam<'a> {
    /// `udp`: with `turns:`, DTLS.
    Udp,
    /// `tcp`: with `turns:`, TLS.
    Tcp,
    /// Another, as the grammar allows (`transport-ext`): only letters, digits, and `-`, `.`, `_`, `~`. What is not known is
    /// kept, so that it can be printed, and not used (RFC 5928 section 3). Made by parsing.
    Extension(Extension<'a>),
}

/// A transport that this crate's RFCs do not name.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Extension<'a>(&'a str);

impl<'a> Extension<'a> {
    /// The text, as it was written.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl PartialEq for Extension<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl TransportParam<'_> {
    /// What it means with and without security (RFC 5928 table 1, and RFC 7350 section 4.6.2 for DTLS); `None` if that is
    /// not known. `dtls`, which that section adds to the names, is taken with security.
    #[must_use]
    pub fn over(self, secure: bool) -> Option<Transport> {
        match (self, secure) {
            (Self::Udp, false) => Some(Transport::Udp),
            (Self::Tcp, false) => Some(Transport::Tcp),
            (Self::Udp, true) => Some(Transport::Dtls),
            (Self::Tcp, true) => Some(Transport::Tls),
            (Self::Extension(name), true) if name.0.eq_ignore_ascii_case("dtls") => Some(Transport::Dtls),
            (Self::Extension(_), _) => None,
        }
    }
}

impl fmt::Display for TransportParam<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Extension(name) => name.as_str(),
        })
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests;
