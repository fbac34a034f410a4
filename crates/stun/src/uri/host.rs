//! The host of a URI (RFC 3986 section 3.2.2): an address, or a name.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Whom a URI names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A registered name: one of the DNS, as a rule.
    Name(HostName<'a>),
    /// An IPv4 address in its strict form: four decimal numbers without leading zeros. Other numbers with dots are names
    /// by the grammar, and no names of the DNS.
    Ipv4(Ipv4Addr),
    /// An IPv6 address, in brackets where it is printed.
    Ipv6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// The address, if it is one.
    #[must_use]
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Ipv4(ip) => Some(IpAddr::V4(ip)),
            Self::Ipv6(ip) => Some(IpAddr::V6(ip)),
        }
    }
    /// The name, if it is one.
    #[must_use]
    pub const fn name(self) -> Option<HostName<'a>> {
        match self {
            Self::Name(name) => Some(name),
            Self::Ipv4(_) | Self::Ipv6(_) => None,
        }
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::Ipv4(ip),
            IpAddr::V6(ip) => Self::Ipv6(ip),
        }
    }
}

/// As a URI has it: an IPv6 address in brackets.
impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Ipv4(ip) => ip.fmt(f),
            Self::Ipv6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// A registered name as a URI writes it: `reg-name`, not empty, and short enough for the DNS.
///
/// RFC 3986 has it in ASCII, with other characters as percent-encoded UTF-8, and RFC 7065 passes it on without a change. So
/// it is kept as it is written; [`HostName::octets`] decodes it. Whether it is a name of the DNS,
/// [`DnsName::from_host`](crate::resolve::DnsName::from_host) says: names beyond ASCII have to be translated by IDNA before,
/// so they are refused there with that advice.
///
/// ```
/// use ginnel_stun::uri::{Host, Uri};
///
/// let Host::Name(name) = Uri::parse("stun:STUN.ex%61mple.org")?.host() else { panic!() };
/// assert_eq!(name.as_str(), "STUN.ex%61mple.org");
/// assert!(name.octets().eq(*b"STUN.example.org"));
/// # Ok::<(), ginnel_stun::uri::UriError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq)]
pub struct HostName<'a>(pub(super) &'a str);

impl<'a> HostName<'a> {
    /// The text, as it was written.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
    /// Its octets, with what is percent-encoded decoded (RFC 3986 section 2.1).
    pub fn octets(self) -> impl Iterator<Item = u8> + use<'a> {
        let mut rest = self.0.as_bytes();
        core::iter::from_fn(move || match *rest {
            [b'%', high, low, ref behind @ ..] => {
                rest = behind;
                // The parser has seen that both are digits.
                Some(hex(high)? << 4 | hex(low)?)
            }
            [octet, ref behind @ ..] => {
                rest = behind;
                Some(octet)
            }
            [] => None,
        })
    }
}

/// Equal if the octets are, whatever the case of letters (RFC 3986 sections 6.2.2.1 and 6.2.2.2).
impl PartialEq for HostName<'_> {
    fn eq(&self, other: &Self) -> bool {
        let lower = |name: Self| name.octets().map(|octet| octet.to_ascii_lowercase());
        lower(*self).eq(lower(*other))
    }
}

impl fmt::Display for HostName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
