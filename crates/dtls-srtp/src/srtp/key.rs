//! Master keys, and the session keys derived from them (RFC 3711 section 4.3, RFC 6188 section 2, RFC 7714 section 11).
//!
//! The key derivation rate is zero, as DTLS-SRTP fixes it (RFC 5764 section 4.1.2): session keys are derived once.

use aes::{
    Aes128Enc, Aes256Enc, Block,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use core::fmt;
use zeroize::Zeroize;

use super::Profile;
use super::crypto::{Crypto, Tag};

/// A master key and its salt, for one direction. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct MasterKey {
    profile: Profile,
    key: [u8; 32],
    salt: [u8; 14],
}
impl MasterKey {
    /// From [`Profile::key_len`] octets of key and [`Profile::salt_len`] octets of salt.
    ///
    /// # Errors
    /// [`WrongKeyLength`] if either has another length.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, WrongKeyLength> {
        if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
            return Err(WrongKeyLength { key: key.len(), salt: salt.len() });
        }
        let mut this = Self { profile, key: [0; 32], salt: [0; 14] };
        // A salt of 96 bits is padded on the right to the 112 of the derivation.
        this.key.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        this.salt.iter_mut().zip(salt).for_each(|(to, from)| *to = *from);
        Ok(this)
    }
    /// For the vectors of RFC 6188, whose salt is longer than that of the profile with the same key length.
    #[cfg(test)]
    pub(crate) fn for_derivation_only(profile: Profile, key: &[u8], salt: &[u8]) -> Self {
        let mut this = Self { profile, key: [0; 32], salt: [0; 14] };
        this.key.copy_from_slice(key);
        this.salt.copy_from_slice(salt);
        this
    }
    /// The profile that it is for.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }
    /// RFC 3711 section 4.3.1, with a key derivation rate of zero: fills `out` for `label`.
    pub(crate) fn derive(&self, label: u8, out: &mut [u8]) {
        // Section 4.3.3: the pseudo-random function is AES-CM over the salt with the label at octet 7, times 2^16.
        let mut counter = [0u8; 16];
        counter.iter_mut().zip(self.salt).for_each(|(to, from)| *to = from);
        counter[7] ^= label;
        let prf = Prf::new(self);
        for (i, chunk) in (0u16..).zip(out.chunks_mut(16)) {
            [counter[14], counter[15]] = i.to_be_bytes();
            let mut block = Block::from(counter);
            prf.encrypt(&mut block);
            chunk.iter_mut().zip(block.iter()).for_each(|(to, from)| *to = *from);
            block.as_mut_slice().zeroize();
        }
        counter.zeroize();
    }
}
impl Drop for MasterKey {
    fn drop(&mut self) {
        self.key.zeroize();
        self.salt.zeroize();
    }
}
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// AES with the master key: RFC 3711 section 4.3.3 for 128 bits, RFC 6188 section 2 for 256.
enum Prf {
    Short(Aes128Enc),
    Long(Aes256Enc),
}
impl Prf {
    fn new(master: &MasterKey) -> Self {
        if master.profile.key_len() == 32 {
            return Self::Long(Aes256Enc::new(&master.key.into()));
        }
        let mut short = [0; 16];
        short.iter_mut().zip(master.key).for_each(|(to, from)| *to = from);
        let aes = Aes128Enc::new(&short.into());
        short.zeroize();
        Self::Short(aes)
    }
    fn encrypt(&self, block: &mut Block) {
        match self {
            Self::Short(aes) => aes.encrypt_block(block),
            Self::Long(aes) => aes.encrypt_block(block),
        }
    }
}

/// Key or salt have a length that the profile does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of {key} octets and a salt of {salt} do not fit the profile")]
pub struct WrongKeyLength {
    /// Octets of key that were given.
    pub key: usize,
    /// Octets of salt that were given.
    pub salt: usize,
}

/// RFC 3711 section 4.3.2: the labels. Those of SRTCP are greater by 3.
pub(crate) mod label {
    pub(crate) const RTP_ENCRYPTION: u8 = 0x00;
    pub(crate) const RTP_AUTHENTICATION: u8 = 0x01;
    pub(crate) const RTP_SALT: u8 = 0x02;
    pub(crate) const RTCP: u8 = 0x03;
}

/// The session keys of SRTP or of SRTCP, made into a cipher.
pub(crate) struct SessionKeys<C> {
    profile: Profile,
    crypto: C,
    salt: [u8; 14],
}
impl<C: Crypto> SessionKeys<C> {
    pub(crate) fn rtp(master: &MasterKey) -> Self {
        Self::derive(master, 0)
    }
    pub(crate) fn rtcp(master: &MasterKey) -> Self {
        Self::derive(master, label::RTCP)
    }
    fn derive(master: &MasterKey, offset: u8) -> Self {
        let profile = master.profile;
        let (mut key, mut auth, mut salt) = ([0; 32], [0; 20], [0; 14]);
        master.derive(label::RTP_ENCRYPTION + offset, &mut key);
        master.derive(label::RTP_AUTHENTICATION + offset, &mut auth);
        master.derive(label::RTP_SALT + offset, &mut salt);
        let this = Self::from_parts(profile, &key, &auth, &salt);
        key.zeroize();
        auth.zeroize();
        salt.zeroize();
        this
    }
    /// From session keys; what the profile does not need of them is ignored.
    pub(crate) fn from_parts(profile: Profile, key: &[u8; 32], auth: &[u8; 20], salt: &[u8; 14]) -> Self {
        Self { profile, crypto: C::new(profile, key, auth), salt: *salt }
    }
    pub(crate) const fn profile(&self) -> Profile {
        self.profile
    }
    /// Encrypts `body` and authenticates it with `header` before and `suffix` behind it.
    pub(crate) fn seal(&self, id: PacketId, header: &[u8], body: &mut [u8], suffix: &[u8]) -> Tag {
        self.crypto.seal(&self.iv(id), header, body, suffix)
    }
    /// The inverse: false, and `body` as it was, if `tag` is wrong.
    pub(crate) fn open(
        &self,
        id: PacketId,
        header: &[u8],
        body: &mut [u8],
        suffix: &[u8],
        tag: &[u8],
    ) -> bool {
        self.crypto.open(&self.iv(id), header, body, suffix, tag)
    }
    /// RFC 3711 section 4.1.1 for counter mode; RFC 7714 sections 8.1 and 9.1 for GCM, which uses the first 12 octets.
    /// Both place SSRC and a 48-bit index (of which SRTCP fills 31 bits) side by side, and differ by two octets.
    fn iv(&self, id: PacketId) -> [u8; 16] {
        let shift = if self.profile.is_aead() { 32 } else { 16 };
        let placed = (u128::from(id.ssrc) << 48 | u128::from(id.index)) << shift;
        let mut salt = [0; 16];
        salt.iter_mut().zip(&self.salt[..self.profile.salt_len()]).for_each(|(to, from)| *to = *from);
        (u128::from_be_bytes(salt) ^ placed).to_be_bytes()
    }
}
impl<C> Drop for SessionKeys<C> {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}
impl<C> fmt::Debug for SessionKeys<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// What makes a nonce unique under one session key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacketId {
    pub(crate) ssrc: u32,
    pub(crate) index: u64,
}
