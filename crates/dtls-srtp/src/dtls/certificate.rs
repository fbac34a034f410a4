//! Our own certificate: made here, or brought by the caller.

use dimpl::crypto::{HashAlgorithm, aws_lc_rs::default_provider};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
use std::fmt;
use zeroize::Zeroize;

use super::{Fingerprint, HashFunction};

/// A self-signed certificate and its private key. Share it in an `Arc`: making one costs a key pair and a signature, and a peer
/// may recognise it, so applications decide how long they keep it (RFC 8826 section 4.3.2 advises against tracking by it).
pub struct Certificate {
    der: Vec<u8>,
    private_key: Vec<u8>,
}
impl Certificate {
    /// A new key on P-256 and a certificate for it, with operating system randomness.
    ///
    /// It never expires (RFC 5280 section 4.1.2.5): what WebRTC trusts is the fingerprint in the signalling, and so no clock is
    /// read here. Its serial number is a hash of the key, so no two are alike, which Firefox demands.
    ///
    /// # Errors
    /// [`CertificateError::Generation`] if the library refuses, as it does when the system has no randomness.
    pub fn generate() -> Result<Self, CertificateError> {
        let failed = |_| CertificateError::Generation;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "WebRTC");
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(9999, 12, 31);
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Self { der: certificate.der().to_vec(), private_key: key.serialize_der() })
    }

    /// From a certificate in DER and its private key in DER (PKCS #8 or SEC1), ECDSA on P-256 or P-384.
    ///
    /// # Errors
    /// [`CertificateError`]: a key that does not parse, or does not belong to the certificate.
    pub fn from_der(certificate: Vec<u8>, private_key: Vec<u8>) -> Result<Self, CertificateError> {
        let this = Self { der: certificate, private_key };
        this.verify()?;
        Ok(this)
    }
    /// Signs something and verifies it: a handshake would fail only later, and the library panics on a key it cannot load.
    fn verify(&self) -> Result<(), CertificateError> {
        let provider = default_provider();
        let mut key = provider
            .key_provider
            .load_private_key(&self.private_key)
            .map_err(|_| CertificateError::UnusableKey)?;
        let (probe, hash): (_, HashAlgorithm) = (b"is this the key?", key.hash_algorithm());
        let mut signature = dimpl::crypto::Buf::new();
        key.sign(probe, hash, &mut signature).map_err(|_| CertificateError::UnusableKey)?;
        provider
            .signature_verification
            .verify_signature(&self.der, probe, &signature, hash, key.algorithm())
            .map_err(|_| CertificateError::KeyDoesNotMatch)
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }
    /// Its fingerprint, for the signalling.
    #[must_use]
    pub fn fingerprint(&self, hash: HashFunction) -> Fingerprint {
        Fingerprint::of(hash, &self.der)
    }
    /// The private key in DER, to be stored with the certificate.
    #[must_use]
    pub fn private_key_der(&self) -> &[u8] {
        &self.private_key
    }
    pub(super) fn to_library(&self) -> dimpl::DtlsCertificate {
        dimpl::DtlsCertificate { certificate: self.der.clone(), private_key: self.private_key.clone() }
    }
}
impl Drop for Certificate {
    fn drop(&mut self) {
        self.private_key.zeroize();
    }
}
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint(HashFunction::Sha256))
            .finish_non_exhaustive()
    }
}

/// Why there is no certificate.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The library could not make one.
    #[error("no certificate could be generated")]
    Generation,
    /// The private key is none, or of a kind other than ECDSA on P-256 or P-384.
    #[error("the private key cannot be used")]
    UnusableKey,
    /// The certificate does not parse, or has another key.
    #[error("the private key does not belong to the certificate")]
    KeyDoesNotMatch,
}
