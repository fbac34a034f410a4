//! The keys that a password gives.

use ginnel::stun::{CredentialError, IntegrityKey, attribute::Algorithm};

/// The keys to try.
#[derive(Debug)]
pub(super) struct Keys(Vec<Tried>);

/// A key, and how it was made.
#[derive(Debug)]
pub(super) struct Tried {
    pub(super) key: IntegrityKey,
    pub(super) name: &'static str,
    /// The password algorithm of a long-term credential.
    pub(super) algorithm: Option<Algorithm>,
}

impl Keys {
    /// With user and realm the password is a long-term credential, of both algorithms; alone it is a short-term one. Without
    /// a password nothing is checked.
    pub(super) fn new(
        password: Option<&str>,
        long_term: Option<(&str, &str)>,
    ) -> Result<Self, CredentialError> {
        let Some(password) = password else { return Ok(Self(Vec::new())) };
        let Some((user, realm)) = long_term else {
            let key = IntegrityKey::short_term(password)?;
            return Ok(Self(vec![Tried { key, name: "short-term", algorithm: None }]));
        };
        Ok(Self(vec![
            Tried {
                key: IntegrityKey::long_term(user, realm, password)?,
                name: "long-term, MD5",
                algorithm: Some(Algorithm::MD5),
            },
            Tried {
                key: IntegrityKey::long_term_sha256(user, realm, password)?,
                name: "long-term, SHA-256",
                algorithm: Some(Algorithm::SHA256),
            },
        ]))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Whether no user and no realm were given.
    pub(super) fn are_short_term(&self) -> bool {
        self.0.iter().all(|tried| tried.algorithm.is_none())
    }
    pub(super) fn iter(&self) -> impl Iterator<Item = &Tried> {
        self.0.iter()
    }
}
