//! The one seam between SRTP's framing and a library of ciphers.
//!
//! [`Crypto`] is all that a backend must do; [`Backend`] names the one in use. Key derivation is not behind the seam: it runs
//! once for each context, on RustCrypto's AES.

mod rust_crypto;

use super::Profile;

/// The backend in use.
pub(crate) type Backend = rust_crypto::RustCrypto;

/// One direction of SRTP or of SRTCP under one session key.
pub(crate) trait Crypto: Sized {
    /// Of `key` the first [`Profile::key_len`] octets count; `auth` only where the profile authenticates apart.
    fn new(profile: Profile, key: &[u8; 32], auth: &[u8; 20]) -> Self;
    /// Encrypts `body` in place. In counter mode `suffix` is authenticated behind the body; in GCM, where it is empty or the
    /// four octets of SRTCP, as the end of the associated data. GCM uses the first 12 octets of `iv`.
    fn seal(&self, iv: &[u8; 16], header: &[u8], body: &mut [u8], suffix: &[u8]) -> Tag;
    /// Verifies in constant time, then decrypts in place; on false, `body` is as it was.
    fn open(&self, iv: &[u8; 16], header: &[u8], body: &mut [u8], suffix: &[u8], tag: &[u8]) -> bool;
}

/// An authentication tag of at most 16 octets.
#[derive(Clone, Copy)]
pub(crate) struct Tag {
    octets: [u8; 16],
    len: usize,
}
impl Tag {
    /// The first `len` of `octets`, at most 16.
    pub(crate) fn new(octets: &[u8], len: usize) -> Self {
        let mut this = Self { octets: [0; 16], len: len.min(16) };
        this.octets.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
        this
    }
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}
