//! DTLS: `fingerprint` (RFC 8122), `setup` (RFC 4145, RFC 8842), `tls-id` (RFC 8842).

use super::Attribute;
use super::cursor::{Cursor, is_token};
use crate::error::ValueError;
use alloc::borrow::Cow;
use core::fmt;

/// The octets of a fingerprint, at most 64 (SHA-512).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    octets: [u8; 64],
    len: u8,
}

impl Digest {
    /// `None` if `octets` is empty or longer than 64.
    #[must_use]
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut digest = Digest { octets: [0; 64], len: u8::try_from(octets.len()).ok()? };
        digest.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        (!octets.is_empty()).then_some(digest)
    }

    /// The octets.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.as_slice().iter().enumerate() {
            write!(f, "{}{octet:02X}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// RFC 8122 section 5: the hash of a certificate.
///
/// ```
/// use ginnel_sdp::attribute::{Attribute, Fingerprint};
/// let text = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";
/// let fingerprint = Fingerprint::parse(text).unwrap();
/// assert_eq!(fingerprint.digest.as_slice()[0], 0x4A);
/// assert_eq!(fingerprint.to_string(), format!("fingerprint:{text}"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint<'a> {
    /// `sha-256`, `sha-384`, ...; compare without case (RFC 8122 section 5).
    pub function: Cow<'a, str>,
    /// The hash.
    pub digest: Digest,
}

impl Fingerprint<'_> {
    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Fingerprint<'static> {
        Fingerprint { function: Cow::Owned(self.function.into_owned()), digest: self.digest }
    }

    /// Whether both name the same hash of the same function.
    #[must_use]
    pub fn same(&self, other: &Fingerprint<'_>) -> bool {
        self.function.eq_ignore_ascii_case(&other.function) && self.digest == other.digest
    }
}

/// Octets of the hash functions that RFC 8122 section 5 names; others may have any length.
fn digest_len(function: &str) -> Option<usize> {
    const TABLE: [(&str, usize); 7] = [
        ("md2", 16),
        ("md5", 16),
        ("sha-1", 20),
        ("sha-224", 28),
        ("sha-256", 32),
        ("sha-384", 48),
        ("sha-512", 64),
    ];
    TABLE.iter().find(|(name, _)| name.eq_ignore_ascii_case(function)).map(|(_, len)| *len)
}

impl<'a> Attribute<'a> for Fingerprint<'a> {
    const NAME: &'static str = "fingerprint";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value, "RFC 8122 section 5");
        let function = cursor.token("a hash function")?;
        cursor.space()?;
        let mut octets = [0; 64];
        let mut len = 0;
        loop {
            const PAIR: &str = "two hexadecimal digits";
            let start = cursor;
            let pair = cursor.until(|octet| octet == b':');
            let value = match pair.as_bytes() {
                [high, low] => (*high as char).to_digit(16).zip((*low as char).to_digit(16)),
                _ => None,
            };
            let (high, low) = value.ok_or_else(|| start.error(PAIR))?;
            let slot = octets.get_mut(len).ok_or_else(|| start.error("at most 64 octets of hash"))?;
            *slot = (high * 16 + low) as u8;
            len += 1;
            if !cursor.take(b':') {
                break;
            }
        }
        cursor.done()?;
        if digest_len(function).is_some_and(|expected| expected != len) {
            return Err(cursor.error("as many octets as the hash function makes"));
        }
        let digest = Digest { octets, len: len as u8 };
        Ok(Fingerprint { function: Cow::Borrowed(function), digest })
    }
}

impl fmt::Display for Fingerprint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fingerprint:{} {}", self.function, self.digest)
    }
}

/// RFC 4145 section 4, as RFC 8842 section 5 uses it: who sends the ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setup {
    /// The writer is the DTLS client.
    Active,
    /// The writer is the DTLS server.
    Passive,
    /// The answerer chooses.
    ActPass,
    /// No connection for now; RFC 8842 section 5.1 has no use for it.
    HoldConn,
}

impl Attribute<'_> for Setup {
    const NAME: &'static str = "setup";

    fn parse(value: &str) -> Result<Self, ValueError> {
        match value {
            "active" => Ok(Setup::Active),
            "passive" => Ok(Setup::Passive),
            "actpass" => Ok(Setup::ActPass),
            "holdconn" => Ok(Setup::HoldConn),
            _ => Err(ValueError::new(0, "active, passive, actpass or holdconn", "RFC 4145 section 4")),
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Setup::Active => "setup:active",
            Setup::Passive => "setup:passive",
            Setup::ActPass => "setup:actpass",
            Setup::HoldConn => "setup:holdconn",
        })
    }
}

/// RFC 8842 section 4: the name of a DTLS association, 20 to 255 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TlsId<'a>(pub &'a str);

impl<'a> Attribute<'a> for TlsId<'a> {
    const NAME: &'static str = "tls-id";

    fn parse(value: &'a str) -> Result<Self, ValueError> {
        const CLAUSE: &str = "RFC 8842 section 4";
        // `tls-id-char` is what base64 and tokens share; a token is the tolerant reading.
        match value.bytes().position(|octet| !is_token(octet) && octet != b'/') {
            Some(at) => Err(ValueError::new(at, "a character of a tls-id", CLAUSE)),
            None if (20..=255).contains(&value.len()) => Ok(TlsId(value)),
            None => Err(ValueError::new(0, "20 to 255 characters", CLAUSE)),
        }
    }
}

impl fmt::Display for TlsId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tls-id:{}", self.0)
    }
}
