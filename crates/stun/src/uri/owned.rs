//! A URI that borrows nothing, to be kept in a configuration.

use alloc::boxed::Box;
use core::{fmt, net::IpAddr, str::FromStr};

use super::{Extension, Host, RegName, Scheme, TransportParam, Uri, UriError};

/// An owned [`Uri`].
///
/// ```
/// use ginnel_stun::uri::UriBuf;
///
/// let servers: Vec<UriBuf> =
///     ["stun:example.org", "turn:[2001:db8::1]:3479"].map(str::parse).into_iter().collect::<Result<_, _>>()?;
/// assert_eq!(servers[1].as_uri().port_or_default(), 3479);
/// assert_eq!(servers[0].to_string(), "stun:example.org");
/// # Ok::<(), ginnel_stun::uri::UriError>(())
/// ```
#[derive(Clone)]
pub struct UriBuf {
    scheme: Scheme,
    host: OwnedHost,
    port: Option<u16>,
    transport: Option<OwnedTransport>,
}

#[derive(Clone)]
enum OwnedHost {
    Name(Box<str>),
    Ip(IpAddr),
}

#[derive(Clone)]
enum OwnedTransport {
    Udp,
    Tcp,
    Extension(Box<str>),
}

impl UriBuf {
    /// It, borrowed: for everything that can be asked.
    #[must_use]
    pub fn as_uri(&self) -> Uri<'_> {
        Uri {
            scheme: self.scheme,
            host: match &self.host {
                OwnedHost::Name(name) => Host::Name(RegName(name)),
                OwnedHost::Ip(ip) => Host::from(*ip),
            },
            port: self.port,
            transport: self.transport.as_ref().map(|transport| match transport {
                OwnedTransport::Udp => TransportParam::Udp,
                OwnedTransport::Tcp => TransportParam::Tcp,
                OwnedTransport::Extension(name) => TransportParam::Extension(Extension(name)),
            }),
        }
    }
}

impl From<Uri<'_>> for UriBuf {
    fn from(uri: Uri<'_>) -> Self {
        Self {
            scheme: uri.scheme,
            host: match uri.host {
                Host::Name(name) => OwnedHost::Name(name.as_str().into()),
                Host::Ipv4(ip) => OwnedHost::Ip(ip.into()),
                Host::Ipv6(ip) => OwnedHost::Ip(ip.into()),
            },
            port: uri.port,
            transport: uri.transport.map(|transport| match transport {
                TransportParam::Udp => OwnedTransport::Udp,
                TransportParam::Tcp => OwnedTransport::Tcp,
                TransportParam::Extension(name) => OwnedTransport::Extension(name.as_str().into()),
            }),
        }
    }
}

impl FromStr for UriBuf {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Uri::parse(text).map(Self::from)
    }
}

impl PartialEq for UriBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_uri() == other.as_uri()
    }
}

impl Eq for UriBuf {}

impl fmt::Debug for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_uri().fmt(f)
    }
}

impl fmt::Display for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_uri(), f)
    }
}
