//! Certificate fingerprints (RFC 8122 section 5): computed, parsed, printed, and matched.

use sha2::{Digest, Sha256, Sha384, Sha512};
use std::{fmt, str::FromStr};
use subtle::ConstantTimeEq;

/// A hash function for fingerprints. Ordered by strength, the strongest last. SHA-1 and SHA-224 are left out on purpose, MD2
/// and MD5 are forbidden by RFC 8122 section 5.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    /// `sha-256`: what every WebRTC endpoint has.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}
impl HashFunction {
    /// The name in SDP.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }
    /// Octets of a fingerprint.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
    fn from_name(name: &str) -> Option<Self> {
        // RFC 8122 section 5: names are compared without regard to case, as SDP tokens of this attribute are.
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|hash| hash.name().eq_ignore_ascii_case(name))
    }
}

/// The hash of a certificate, as it stands in `a=fingerprint`.
///
/// ```
/// use ginnel_dtls_srtp::dtls::{Certificate, Fingerprint, HashFunction};
///
/// let fingerprint = Certificate::generate()?.fingerprint(HashFunction::Sha256);
/// let line = format!("a=fingerprint:{fingerprint}");
/// assert!(line.starts_with("a=fingerprint:sha-256 "));
/// assert_eq!(line["a=fingerprint:".len()..].parse(), Ok(fingerprint));
/// assert!("md5 AA".parse::<Fingerprint>().is_err());
/// # Ok::<(), ginnel_dtls_srtp::dtls::CertificateError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Fingerprint {
    hash: HashFunction,
    /// Zero behind the hash's length.
    octets: [u8; 64],
}
impl Fingerprint {
    /// From the octets of the hash.
    ///
    /// # Errors
    /// [`FingerprintError::WrongLength`] if they are not [`HashFunction::digest_len`].
    pub fn new(hash: HashFunction, octets: &[u8]) -> Result<Self, FingerprintError> {
        if octets.len() != hash.digest_len() {
            return Err(FingerprintError::WrongLength { expected: hash.digest_len(), found: octets.len() });
        }
        let mut this = Self { hash, octets: [0; 64] };
        this.octets.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        Ok(this)
    }
    /// The fingerprint of a certificate in DER.
    #[must_use]
    pub fn of(hash: HashFunction, der: &[u8]) -> Self {
        let mut octets = [0; 64];
        let mut fill = |digest: &[u8]| octets.iter_mut().zip(digest).for_each(|(to, from)| *to = *from);
        match hash {
            HashFunction::Sha256 => fill(&Sha256::digest(der)),
            HashFunction::Sha384 => fill(&Sha384::digest(der)),
            HashFunction::Sha512 => fill(&Sha512::digest(der)),
        }
        Self { hash, octets }
    }
    /// Its hash function.
    #[must_use]
    pub const fn hash(&self) -> HashFunction {
        self.hash
    }
    /// Its octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.hash.digest_len()]
    }
}
impl PartialEq for Fingerprint {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && bool::from(self.octets.ct_eq(&other.octets))
    }
}
impl Eq for Fingerprint {}
impl fmt::Display for Fingerprint {
    /// As in SDP: `sha-256 4A:AD:..`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.name())?;
        self.octets()
            .iter()
            .enumerate()
            .try_for_each(|(i, octet)| write!(f, "{}{octet:02X}", if i == 0 { ' ' } else { ':' }))
    }
}
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}
impl FromStr for Fingerprint {
    type Err = FingerprintError;
    /// Parses the value of `a=fingerprint`: hash function, space, hexadecimal octets between colons, in either case.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let (name, hex) =
            text.trim_end().split_once(' ').ok_or(FingerprintError::Malformed { offset: text.len() })?;
        let hash = HashFunction::from_name(name).ok_or(FingerprintError::UnknownHash)?;
        let mut this = Self { hash, octets: [0; 64] };
        let mut found = 0;
        let mut offset = name.len() + 1;
        for octet in hex.split(':') {
            let malformed = FingerprintError::Malformed { offset };
            // `from_str_radix` would take a sign.
            if octet.len() != 2 || !octet.bytes().all(|c| c.is_ascii_hexdigit()) {
                return Err(malformed);
            }
            let value = u8::from_str_radix(octet, 16).map_err(|_| malformed)?;
            if let Some(place) = this.octets.get_mut(found) {
                *place = value;
            }
            found += 1;
            offset += 3;
        }
        if found != hash.digest_len() {
            return Err(FingerprintError::WrongLength { expected: hash.digest_len(), found });
        }
        Ok(this)
    }
}

/// What is wrong with a fingerprint.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// A hash function that is unknown, or too weak to be used: ignore the line.
    #[error("the hash function is unknown or too weak")]
    UnknownHash,
    /// Not a name, a space and pairs of hexadecimal digits between colons.
    #[error("not a fingerprint, from octet {offset} on")]
    Malformed {
        /// Octets before the mistake.
        offset: usize,
    },
    /// Too many octets or too few for the hash function.
    #[error("{found} octets where the hash function has {expected}")]
    WrongLength {
        /// Octets that the hash function has.
        expected: usize,
        /// Octets that are there.
        found: usize,
    },
}

/// RFC 8122 section 5.1: of the fingerprints given, those of the strongest hash count, and the certificate must be one of theirs.
/// False if none is given.
pub(crate) fn matches(expected: &[Fingerprint], der: &[u8]) -> bool {
    let Some(strongest) = expected.iter().map(Fingerprint::hash).max() else { return false };
    let actual = Fingerprint::of(strongest, der);
    // All are compared, so that the time taken does not tell which one matched.
    expected.iter().fold(false, |found, fingerprint| (*fingerprint == actual) | found)
}
