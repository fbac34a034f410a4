//! Who a server is over TLS and DTLS: a certificate for a name, the key, and the authority that vouches for it.
//!
//! The authority is apart from the certificate, since browsers take none as its own authority.

use std::{fmt, net::IpAddr};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A certificate for [`Identity::NAME`], and what belongs to it; each in PEM.
#[derive(Clone)]
pub struct Identity {
    /// What a client must trust.
    pub authority: String,
    /// The server's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Identity {
    /// The name in the certificate.
    pub const NAME: &str = "turn.test";

    /// A new one, of a new authority, for these addresses too.
    ///
    /// # Panics
    /// If there is no randomness.
    #[must_use]
    pub fn new(ips: &[IpAddr]) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);

        let mut names = vec![Self::NAME.to_string()];
        names.extend(ips.iter().map(IpAddr::to_string));
        let mut params = CertificateParams::new(names).expect("a name");
        params.distinguished_name.push(DnType::CommonName, Self::NAME);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate").pem();
        Self { authority, certificate, key: key.serialize_pem() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}
