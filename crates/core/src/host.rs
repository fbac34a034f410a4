//! How the far end of a TLS connection is named: the host name of its certificate, and the protocol spoken inside.
//!
//! Both are plain values without allocation, so that a [`Request`](crate::Request) can be copied about. What is not here:
//! resolving a name (a machine connects to an address), and trust (which certificates are believed is the driver's
//! configuration).

use core::{error::Error, fmt, str::FromStr};

/// RFC 1035 section 3.1: 255 octets on the wire, which is 253 in text.
const LONGEST: usize = 253;
/// RFC 1035 section 2.3.4.
const LONGEST_LABEL: usize = 63;

/// The name of a host, as TLS sends it (RFC 6066 section 3) and checks it against a certificate.
///
/// Labels of letters, digits, hyphens and underscores, in lower case and without a dot at the end; names in other scripts in
/// their ASCII form (`xn--`). Never an IP address: where a server is known by its address alone, there is no name.
///
/// ```
/// use ginnel_core::HostName;
///
/// let name: HostName = "Turn.Example.ORG.".parse()?;
/// assert_eq!(name.as_str(), "turn.example.org");
/// assert!("192.0.2.1".parse::<HostName>().is_err());
/// # Ok::<(), ginnel_core::HostNameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName {
    // Invariant: what is behind `len` is zero, so that equal names are equal; what is before is ASCII.
    octets: [u8; LONGEST],
    len: u8,
}

/// Why some text is not the name of a host.
///
/// ```
/// use ginnel_core::{HostName, HostNameError};
///
/// assert_eq!("a_b.example".parse::<HostName>().map(|name| name.as_str().len()), Ok(11));
/// assert_eq!("exa mple.org".parse::<HostName>(), Err(HostNameError::Octet { at: 3 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostNameError {
    /// Nothing is there.
    Empty,
    /// It has more than 253 octets.
    TooLong,
    /// A label is empty, has more than 63 octets, or begins or ends with a hyphen.
    Label {
        /// The offset of the label, in octets.
        at: usize,
    },
    /// An octet that no host's name has: give names in other scripts in their ASCII form.
    Octet {
        /// Its offset.
        at: usize,
    },
    /// It is an IP address, or ends in a number as only addresses do: leave the name out, or correct the address.
    Address,
}

impl fmt::Display for HostNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the host name is empty"),
            Self::TooLong => write!(f, "the host name has more than {LONGEST} octets"),
            Self::Label { at } => {
                write!(
                    f,
                    "the label at offset {at} of the host name is empty, longer than {LONGEST_LABEL} octets, or \
                           begins or ends with a hyphen"
                )
            }
            Self::Octet { at } => {
                write!(
                    f,
                    "the octet at offset {at} is none of a host name: write other scripts in their ASCII form"
                )
            }
            Self::Address => f.write_str(
                "this is an IP address, or ends in a number as only addresses do, so it is not a host name: connect without \
                 a name, or correct the address",
            ),
        }
    }
}

impl Error for HostNameError {}

impl HostName {
    /// The name, in lower case.
    ///
    /// ```
    /// # use ginnel_core::HostName;
    /// assert_eq!("LOCALHOST".parse::<HostName>()?.as_str(), "localhost");
    /// # Ok::<(), ginnel_core::HostNameError>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.octets[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        // A dot at the end says only that the name is complete; RFC 6066 section 3 sends it without.
        let name = text.strip_suffix('.').unwrap_or(text).as_bytes();
        if name.is_empty() {
            return Err(HostNameError::Empty);
        }
        if name.len() > LONGEST {
            return Err(HostNameError::TooLong);
        }
        let usable = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
        if let Some(at) = name.iter().position(|octet| !usable(octet)) {
            // IPv6 addresses have colons: they end here too.
            let address = text.parse::<core::net::IpAddr>().is_ok();
            return Err(if address { HostNameError::Address } else { HostNameError::Octet { at } });
        }
        let mut at = 0;
        let mut last: &[u8] = &[];
        for label in name.split(|octet| *octet == b'.') {
            let hyphen = label.first() == Some(&b'-') || label.last() == Some(&b'-');
            if label.is_empty() || label.len() > LONGEST_LABEL || hyphen {
                return Err(HostNameError::Label { at });
            }
            at += label.len() + 1;
            last = label;
        }
        // No top-level domain is a number; resolvers take such names for IPv4 addresses in one of their odd forms.
        if last.iter().all(u8::is_ascii_digit) {
            return Err(HostNameError::Address);
        }
        let mut octets = [0; LONGEST];
        octets[..name.len()].copy_from_slice(name);
        octets.make_ascii_lowercase();
        Ok(Self { octets, len: name.len() as u8 })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostName({})", self.as_str())
    }
}

/// What is spoken inside TLS, by its name in ALPN (RFC 7301): the two that RFC 7443 has registered, or another.
///
/// A client that names one offers it alone. A server that does not know ALPN goes on without; one that knows it and speaks
/// something else ends the handshake.
///
/// ```
/// use ginnel_core::Alpn;
///
/// assert_eq!(Alpn::TURN.as_str(), "stun.turn");
/// assert_eq!(Alpn::NAT_DISCOVERY.to_string(), "stun.nat-discovery");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alpn(&'static str);

impl Alpn {
    /// RFC 7443 section 2: TURN.
    pub const TURN: Self = Self("stun.turn");
    /// RFC 7443 section 2: STUN for discovering what NATs there are.
    pub const NAT_DISCOVERY: Self = Self("stun.nat-discovery");

    /// Another protocol; `None` if the name has not 1 to 255 octets (RFC 7301 section 3.1).
    ///
    /// ```
    /// # use ginnel_core::Alpn;
    /// assert!(Alpn::new("xmpp-client").is_some());
    /// assert!(Alpn::new("").is_none());
    /// ```
    #[must_use]
    pub const fn new(name: &'static str) -> Option<Self> {
        if name.is_empty() || name.len() > 255 { None } else { Some(Self(name)) }
    }

    /// The name.
    ///
    /// ```
    /// # use ginnel_core::Alpn;
    /// assert_eq!(Alpn::TURN.as_str().as_bytes(), [0x73, 0x74, 0x75, 0x6e, 0x2e, 0x74, 0x75, 0x72, 0x6e]);
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Alpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}
