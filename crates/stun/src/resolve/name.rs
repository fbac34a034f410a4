//! Names that the DNS may be asked for.
//!
//! They come from a user's configuration and from the answers of strangers' servers, so this is where a bad one is stopped
//! before it is asked for. RFC 1035 section 2.3.4 for the lengths; letters, digits and hyphens as hosts have them (RFC 1123
//! section 2.1), and the underscore of service names (RFC 2782).

use alloc::{boxed::Box, string::String};
use core::{fmt, net::Ipv4Addr};

use crate::uri::HostName;

/// RFC 1035 section 2.3.4: 255 octets on the wire, so 253 as text: without the first length and the root.
pub const NAME_MAX: usize = 253;
/// RFC 1035 section 2.3.4: octets of a label.
pub const LABEL_MAX: usize = 63;

/// A checked, absolute name of the DNS, in lower case and without the final dot.
///
/// ```
/// use ginnel_stun::resolve::{DnsName, DnsNameError};
///
/// let name = DnsName::parse("_turn._udp.Example.ORG.")?;
/// assert_eq!(name.as_str(), "_turn._udp.example.org");
/// assert_eq!(DnsName::parse("a..b"), Err(DnsNameError::EmptyLabel { offset: 2 }));
/// # Ok::<(), DnsNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Box<str>);

/// Why a text is not a name of the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DnsNameError {
    /// Nothing, or the root.
    #[error("the name is empty")]
    Empty,
    /// Two dots in a row, or one in front.
    #[error("a label of the name is empty (at octet {offset}): take out the dot")]
    EmptyLabel {
        /// Where it would be.
        offset: usize,
    },
    /// More than 63 octets between two dots.
    #[error("a label of the name is longer than 63 octets (at octet {offset})")]
    LabelTooLong {
        /// Where it begins.
        offset: usize,
    },
    /// More than 253 octets.
    #[error("the name is longer than 253 octets")]
    TooLong,
    /// Neither a letter, a digit, a hyphen nor an underscore.
    #[error("the octet at {offset} does not belong into a host name")]
    Octet {
        /// Where it is.
        offset: usize,
    },
    /// A label begins or ends with a hyphen (RFC 1123 section 2.1).
    #[error("a label begins or ends with a hyphen (at octet {offset})")]
    Hyphen {
        /// Where the hyphen is.
        offset: usize,
    },
    /// An octet beyond ASCII.
    #[error("the name is not ASCII: write an internationalized name as its A-label (`xn--...`)")]
    NotAscii,
    /// The last label is a number: no such domain exists, and programs would take it for an IPv4 address.
    #[error("the name ends in a number, like an IPv4 address that is not written as four numbers up to 255")]
    Numeric,
}

impl DnsName {
    /// Checks a name: with or without its final dot, letters of either case.
    ///
    /// # Errors
    ///
    /// [`DnsNameError`], in time proportional to 254 octets at most.
    pub fn parse(text: &str) -> Result<Self, DnsNameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if !name.is_ascii() {
            return Err(DnsNameError::NotAscii);
        }
        if name.len() > NAME_MAX {
            return Err(DnsNameError::TooLong);
        }
        if name.is_empty() {
            return Err(DnsNameError::Empty);
        }
        let mut offset = 0;
        for label in name.split('.') {
            check_label(label, offset)?;
            offset += label.len() + 1;
        }
        let last = name.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|octet| octet.is_ascii_digit()) || name.parse::<Ipv4Addr>().is_ok() {
            return Err(DnsNameError::Numeric);
        }
        Ok(Self(name.to_ascii_lowercase().into()))
    }

    /// The name that the host of a URI is, with what is percent-encoded decoded (RFC 3986 section 3.2.2). Names beyond ASCII
    /// are refused: IDNA has to translate them before.
    ///
    /// # Errors
    ///
    /// [`DnsNameError`]; its offsets count decoded octets.
    pub fn from_host(host: HostName<'_>) -> Result<Self, DnsNameError> {
        let text: Option<String> =
            host.octets().map(|octet| octet.is_ascii().then_some(char::from(octet))).collect();
        Self::parse(&text.ok_or(DnsNameError::NotAscii)?)
    }

    /// The name of a service here: `_service._proto.name` (RFC 2782).
    pub(super) fn service(&self, service: &str, proto: &str) -> Result<Self, DnsNameError> {
        let mut text = String::with_capacity(service.len() + proto.len() + self.0.len() + 4);
        for part in ["_", service, "._", proto, ".", &self.0] {
            text.push_str(part);
        }
        Self::parse(&text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_label(label: &str, offset: usize) -> Result<(), DnsNameError> {
    if label.is_empty() {
        return Err(DnsNameError::EmptyLabel { offset });
    }
    if label.len() > LABEL_MAX {
        return Err(DnsNameError::LabelTooLong { offset });
    }
    let good = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
    if let Some(at) = label.bytes().position(|octet| !good(octet)) {
        return Err(DnsNameError::Octet { offset: offset + at });
    }
    if label.starts_with('-') {
        return Err(DnsNameError::Hyphen { offset });
    }
    if label.ends_with('-') {
        return Err(DnsNameError::Hyphen { offset: offset + label.len() - 1 });
    }
    Ok(())
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
