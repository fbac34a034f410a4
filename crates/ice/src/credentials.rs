//! Username fragment and password: RFC 8445 section 5.3, with the grammar of RFC 8839 section 5.4.

use alloc::string::String;
use core::fmt;

use ginnel_core::Rng;

/// RFC 8839 section 5.4: `ufrag = 4*256ice-char`.
const UFRAG: core::ops::RangeInclusive<usize> = 4..=256;
/// RFC 8839 section 5.4: `password = 22*256ice-char`.
const PASSWORD: core::ops::RangeInclusive<usize> = 22..=256;
/// RFC 8839 section 5.4: at least 24 bits of randomness; eight characters of six bits are 48.
const OUR_UFRAG: usize = 8;
/// RFC 8839 section 5.4: at least 128 bits of randomness; 32 characters of six bits are 192.
const OUR_PASSWORD: usize = 32;
/// RFC 8839 section 5.1: `ice-char = ALPHA / DIGIT / "+" / "/"`. They are 64, so six random bits choose one evenly.
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The credentials of one side for one generation. The password is not printed by `Debug`.
///
/// ```
/// use ginnel_ice::Credentials;
/// let credentials = Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg").unwrap();
/// assert_eq!(format!("{credentials:?}"), r#"Credentials { ufrag: "8hhY", password: "[redacted]" }"#);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The username fragment.
    pub ufrag: String,
    /// The password.
    pub password: String,
}
impl Credentials {
    /// Credentials as they came by signalling.
    ///
    /// # Errors
    /// When RFC 8839 section 5.4 does not allow them.
    pub fn new(ufrag: impl Into<String>, password: impl Into<String>) -> Result<Self, CredentialsError> {
        let credentials = Self { ufrag: ufrag.into(), password: password.into() };
        credentials.validate().map(|()| credentials)
    }
    /// Fresh ones.
    pub(crate) fn generate(rng: &mut Rng) -> Self {
        Self { ufrag: word(rng, OUR_UFRAG), password: word(rng, OUR_PASSWORD) }
    }
    pub(crate) fn validate(&self) -> Result<(), CredentialsError> {
        let ice = |s: &str| s.bytes().all(|octet| ICE_CHARS.contains(&octet));
        if !UFRAG.contains(&self.ufrag.len()) || !ice(&self.ufrag) {
            return Err(CredentialsError::BadUfrag);
        }
        if !PASSWORD.contains(&self.password.len()) || !ice(&self.password) {
            return Err(CredentialsError::BadPassword);
        }
        Ok(())
    }
}
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("ufrag", &self.ufrag).field("password", &"[redacted]").finish()
    }
}

fn word(rng: &mut Rng, len: usize) -> String {
    (0..len).map(|_| char::from(ICE_CHARS[usize::from(rng.octets::<1>()[0] & 63)])).collect()
}

/// Why remote credentials were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// RFC 8839 section 5.4.
    #[error("a username fragment has 4 to 256 letters, digits, '+' or '/'")]
    BadUfrag,
    /// RFC 8839 section 5.4.
    #[error("a password has 22 to 256 letters, digits, '+' or '/'")]
    BadPassword,
    /// The peer has restarted: call `restart` first, so that both sides begin a new generation (RFC 8445 section 9).
    #[error("this generation has other remote credentials already: restart first")]
    RestartFirst,
    /// The agent has been closed.
    #[error("the agent is closed")]
    Closed,
}
