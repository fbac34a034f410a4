//! The host of a URI (RFC 3986 section 3.2.2): an address, or a name.

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ginnel_core::{HostName, HostNameError};

/// The longest name, with its final dot. The parser takes none that is longer.
const DECODED_MAX: usize = 254;

/// Whom a URI names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A registered name: one of the DNS, as a rule.
    Name(RegName<'a>),
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
    pub const fn name(self) -> Option<RegName<'a>> {
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

/// A registered name as a URI writes it (`reg-name`): not empty, and short enough for the DNS.
///
/// RFC 3986 has it in ASCII, with other characters as percent-encoded UTF-8, and RFC 7065 passes it on without a change. So
/// it is kept as it is written; [`RegName::octets`] decodes it. Whether it is the name of a host, [`RegName::host_name`]
/// says: names beyond ASCII have to be translated by IDNA before, so they are refused there with that advice.
///
/// ```
/// use ginnel_stun::uri::{Host, Uri};
///
/// let Host::Name(name) = Uri::parse("stun:STUN.ex%61mple.org")?.host() else { panic!() };
/// assert_eq!(name.as_str(), "STUN.ex%61mple.org");
/// assert!(name.octets().eq(*b"STUN.example.org"));
/// assert_eq!(name.host_name().unwrap().as_str(), "stun.example.org");
/// # Ok::<(), ginnel_stun::uri::UriError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq)]
pub struct RegName<'a>(pub(super) &'a str);

impl<'a> RegName<'a> {
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
    /// The host that is to be looked up in the DNS and that a certificate names, with what is percent-encoded decoded (RFC
    /// 3986 section 3.2.2).
    ///
    /// # Errors
    ///
    /// [`HostNameError`]; its offsets count decoded octets.
    pub fn host_name(self) -> Result<HostName, HostNameError> {
        let mut decoded = [0; DECODED_MAX];
        let mut len = 0;
        for octet in self.octets() {
            if !octet.is_ascii() {
                return Err(HostNameError::Octet { at: len });
            }
            *decoded.get_mut(len).ok_or(HostNameError::TooLong)? = octet;
            len += 1;
        }
        str::from_utf8(&decoded[..len]).unwrap_or_default().parse()
    }
}

/// Equal if the octets are, whatever the case of letters (RFC 3986 sections 6.2.2.1 and 6.2.2.2).
impl PartialEq for RegName<'_> {
    fn eq(&self, other: &Self) -> bool {
        let lower = |name: Self| name.octets().map(|octet| octet.to_ascii_lowercase());
        lower(*self).eq(lower(*other))
    }
}

impl fmt::Display for RegName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
