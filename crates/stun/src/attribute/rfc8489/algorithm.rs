//! PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS (RFC 8489 sections 14.11 and 14.12): how the key of a long-term
//! credential is made.
//!
//! ```text
//!  PASSWORD-ALGORITHM    0x001D   one of these
//!  PASSWORD-ALGORITHMS   0x8002   one after another
//!
//!  0               2               4               4 + n   next multiple of 4
//! +---------------+---------------+---------------+-------+
//! | algorithm     | n             | parameters    | 0     |
//! +---------------+---------------+---------------+-------+
//! ```
//!
//! MD5 and SHA-256 have no parameters; those of an algorithm that is not known are kept, since a client has to hand
//! the list back as it is.

use core::fmt;

use crate::{
    attribute::{Attribute, AttributeType, Malformed},
    message::TransactionId,
};

/// The number of a password algorithm (RFC 8489 section 18.5).
///
/// ```
/// use ginnel_stun::attribute::Algorithm;
///
/// assert_eq!(Algorithm::SHA256.to_string(), "SHA-256");
/// assert_eq!(Algorithm(7).to_string(), "0x0007");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Algorithm(pub u16);
impl Algorithm {
    /// RFC 8489 section 18.5.1.1.
    pub const MD5: Self = Self(1);
    /// RFC 8489 section 18.5.1.2.
    pub const SHA256: Self = Self(2);
}
impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MD5 => f.write_str("MD5"),
            Self::SHA256 => f.write_str("SHA-256"),
            Self(number) => write!(f, "{number:#06x}"),
        }
    }
}
impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// PASSWORD-ALGORITHM: what the client made its key with (RFC 8489 section 14.12); and one entry of the server's list.
///
/// ```
/// use ginnel_stun::{Message, attribute::PasswordAlgorithm};
///
/// let request = b"\x00\x01\x00\x08\x21\x12\xa4\x42transactions\x00\x1d\x00\x04\x00\x02\x00\x00";
/// assert_eq!(Message::parse(request)?.get()?, Some(PasswordAlgorithm::SHA256));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PasswordAlgorithm<'a> {
    pub(in crate::attribute) algorithm: Algorithm,
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::attribute::hex::serialize"))]
    pub(in crate::attribute) parameters: &'a [u8],
}
impl PasswordAlgorithm<'static> {
    /// MD5, which has no parameters.
    pub const MD5: Self = Self { algorithm: Algorithm::MD5, parameters: &[] };
    /// SHA-256, which has no parameters.
    pub const SHA256: Self = Self { algorithm: Algorithm::SHA256, parameters: &[] };
}
impl<'a> PasswordAlgorithm<'a> {
    /// An algorithm with parameters. `Err` if they are longer than the length of an attribute can say.
    pub const fn new(algorithm: Algorithm, parameters: &'a [u8]) -> Result<Self, Malformed> {
        if parameters.len() <= PARAMETERS_MAX {
            Ok(Self { algorithm, parameters })
        } else {
            Err(Malformed::Length)
        }
    }
    /// Which.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    /// Its parameters, without padding.
    #[must_use]
    pub const fn parameters(&self) -> &'a [u8] {
        self.parameters
    }

    /// One entry, and what is behind it. `None` at the end.
    fn split(octets: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, Malformed> {
        if octets.is_empty() {
            return Ok(None);
        }
        let (&[a0, a1, n0, n1], rest) = octets.split_first_chunk().ok_or(Malformed::Length)?;
        let length = usize::from(u16::from_be_bytes([n0, n1]));
        let parameters = rest.get(..length).ok_or(Malformed::Length)?;
        // The attribute's own padding may stand for that of the last entry.
        let rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Ok(Some((Self { algorithm: Algorithm(u16::from_be_bytes([a0, a1])), parameters }, rest)))
    }
    fn len(&self) -> usize {
        4 + self.parameters.len().next_multiple_of(4)
    }
    /// Writes the entry, and gives back what is left of `out`.
    fn put<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        let (own, rest) = out.split_at_mut(self.len());
        own[..2].copy_from_slice(&self.algorithm.0.to_be_bytes());
        // It was checked when it was made, or read from 16 bits.
        own[2..4].copy_from_slice(&(self.parameters.len() as u16).to_be_bytes());
        let (parameters, padding) = own[4..].split_at_mut(self.parameters.len());
        parameters.copy_from_slice(self.parameters);
        padding.fill(0);
        rest
    }
}
/// What an attribute of 65,532 octets has room for.
const PARAMETERS_MAX: usize = 0xFFFC - 4;
impl<'a> Attribute<'a> for PasswordAlgorithm<'a> {
    const TYPE: AttributeType = AttributeType::PASSWORD_ALGORITHM;
    #[inline]
    fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
        match Self::split(value)? {
            Some((algorithm, [])) => Ok(algorithm),
            _ => Err(Malformed::Length),
        }
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        self.len()
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        self.put(out);
    }
}

/// PASSWORD-ALGORITHMS: what the server can make keys with, most wanted first (RFC 8489 section 14.11). Two lists are
/// equal when their entries are, wherever they came from.
///
/// ```
/// use ginnel_stun::{Message, attribute::{PasswordAlgorithm, PasswordAlgorithms}};
///
/// let error = b"\x01\x11\x00\x0c\x21\x12\xa4\x42transactions\x80\x02\x00\x08\x00\x02\x00\x00\x00\x01\x00\x00";
/// let offered = Message::parse(error)?.get::<PasswordAlgorithms<'_>>()?.expect("a list");
/// assert!(offered.iter().eq([PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5]));
/// let ours = [PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
/// assert_eq!(offered, PasswordAlgorithms::new(&ours));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct PasswordAlgorithms<'a>(Listed<'a>);
#[derive(Clone, Copy)]
enum Listed<'a> {
    /// As read: checked to the end.
    Octets(&'a [u8]),
    /// To be written.
    Algorithms(&'a [PasswordAlgorithm<'a>]),
}
impl<'a> PasswordAlgorithms<'a> {
    /// To be sent.
    #[must_use]
    pub const fn new(algorithms: &'a [PasswordAlgorithm<'a>]) -> Self {
        Self(Listed::Algorithms(algorithms))
    }
    /// As many entries as there are in front of the first that is cut off.
    pub(in crate::attribute) fn whole_entries_of(octets: &'a [u8]) -> Self {
        let mut rest = octets;
        while let Ok(Some((_, behind))) = PasswordAlgorithm::split(rest) {
            rest = behind;
        }
        Self(Listed::Octets(&octets[..octets.len() - rest.len()]))
    }
    /// The algorithms, in order.
    pub fn iter(&self) -> impl Iterator<Item = PasswordAlgorithm<'a>> + use<'a> {
        let (mut octets, algorithms) = match self.0 {
            Listed::Octets(octets) => (octets, &[][..]),
            Listed::Algorithms(algorithms) => (&[][..], algorithms),
        };
        let read = core::iter::from_fn(move || {
            let (algorithm, rest) = PasswordAlgorithm::split(octets).ok()??;
            octets = rest;
            Some(algorithm)
        });
        read.chain(algorithms.iter().copied())
    }
}
impl<'a> Attribute<'a> for PasswordAlgorithms<'a> {
    const TYPE: AttributeType = AttributeType::PASSWORD_ALGORITHMS;
    #[inline]
    fn parse(value: &'a [u8], _: TransactionId) -> Result<Self, Malformed> {
        let mut rest = value;
        while let Some((_, behind)) = PasswordAlgorithm::split(rest)? {
            rest = behind;
        }
        Ok(Self(Listed::Octets(value)))
    }
    #[inline]
    fn encoded_len(&self) -> usize {
        self.iter().map(|algorithm| algorithm.len()).sum()
    }
    #[inline]
    fn write(&self, out: &mut [u8], _: TransactionId) {
        let _end = self.iter().fold(out, |out, algorithm| algorithm.put(out));
    }
}
impl PartialEq for PasswordAlgorithms<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
impl Eq for PasswordAlgorithms<'_> {}
impl fmt::Debug for PasswordAlgorithms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
#[cfg(feature = "serde")]
impl serde::Serialize for PasswordAlgorithms<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
