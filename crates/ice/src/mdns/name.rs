//! Host names that may be asked for: `<label>.local`, and nothing else.
//!
//! The names come from the peer's candidates, so this is where a hostile one is stopped before anything is sent.
//! draft-ietf-mmusic-mdns-ice-candidates section 3.2.1; RFC 1035 section 2.3.4 for the lengths. Not here: names of more
//! labels, which that section leaves to other resolvers, and UTF-8 labels (RFC 6762 section 16), which no UUID has.

use thiserror::Error;

/// A name that cannot be resolved here. The caller ignores the candidate (section 3.2.1, steps 1 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// It does not end in `.local`.
    #[error("the name does not end in .local")]
    NotLocal,
    /// Nothing stands before `.local`, or between two dots.
    #[error("a label of the name is empty")]
    EmptyLabel,
    /// There is more than one dot: an ordinary host name.
    #[error("more than one label stands before .local")]
    SeveralLabels,
    /// It is longer than 255 octets.
    #[error("the name is longer than 255 octets")]
    TooLong,
    /// The label is longer than 63 octets.
    #[error("the label before .local is longer than 63 octets")]
    LabelTooLong,
    /// An octet that is no letter, digit, hyphen or underscore.
    #[error("the octet at {offset} does not belong into a host name")]
    BadOctet {
        /// Where it is, in octets.
        offset: usize,
    },
    /// The label is no UUID, and [`Config::uuid_only`](super::Config::uuid_only) is set.
    #[error("the label before .local is not a UUID")]
    NotUuid,
}

/// A checked `<label>.local`.
///
/// ```
/// use ginnel_ice::mdns::{HostName, NameError};
///
/// let name = HostName::parse("1f4712db-ea17-4bcf-a596-105139dfd8bf.local")?;
/// assert!(name.is_uuid());
/// assert_eq!(HostName::parse("..local"), Err(NameError::EmptyLabel));
/// assert_eq!(HostName::parse("example.org"), Err(NameError::NotLocal));
/// # Ok::<(), NameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostName<'a> {
    name: &'a str,
    label: &'a str,
}

impl<'a> HostName<'a> {
    /// Checks a name as a candidate has it: no final dot, letters of either case.
    ///
    /// # Errors
    ///
    /// [`NameError`], in time proportional to 255 octets at most.
    pub fn parse(name: &'a str) -> Result<Self, NameError> {
        if name.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        let at = name.len().checked_sub(SUFFIX.len()).ok_or(NameError::NotLocal)?;
        let (label, suffix) = name.split_at_checked(at).ok_or(NameError::NotLocal)?;
        if !suffix.eq_ignore_ascii_case(SUFFIX) {
            return Err(NameError::NotLocal);
        }
        if label.split('.').any(str::is_empty) {
            return Err(NameError::EmptyLabel);
        }
        if label.contains('.') {
            return Err(NameError::SeveralLabels);
        }
        if label.len() > MAX_LABEL {
            return Err(NameError::LabelTooLong);
        }
        let good = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_';
        match label.bytes().position(|octet| !good(octet)) {
            Some(offset) => Err(NameError::BadOctet { offset }),
            None => Ok(Self { name, label }),
        }
    }

    /// The whole name, as it was given.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.name
    }

    /// What stands before `.local`.
    #[must_use]
    pub const fn label(self) -> &'a str {
        self.label
    }

    /// Whether the label has the form of a UUID, whatever its version: 8-4-4-4-12 hexadecimal digits.
    ///
    /// Section 3.1.1 has version 4; peers that hide addresses behind another are not worse off for it.
    #[must_use]
    pub fn is_uuid(self) -> bool {
        let hyphen = |i| matches!(i, 8 | 13 | 18 | 23);
        self.label.len() == 36
            && self
                .label
                .bytes()
                .enumerate()
                .all(|(i, o)| if hyphen(i) { o == b'-' } else { o.is_ascii_hexdigit() })
    }
}

/// The top-level domain of RFC 6762 section 3.
pub(super) const LOCAL: &str = "local";
const SUFFIX: &str = ".local";
/// RFC 1035 section 2.3.4.
pub(super) const MAX_NAME: usize = 255;
/// RFC 1035 section 2.3.4.
pub(super) const MAX_LABEL: usize = 63;
