//! The protection profiles (RFC 5764 section 4.1.2, RFC 7714 section 14.2) and their sizes.
//!
//! The profile with a tag of 32 bits, the null ciphers and AES-192/256 in counter mode are left out.

/// An SRTP protection profile: cipher, authentication and their sizes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80`, mandatory to implement for WebRTC.
    Aes128CmHmacSha1_80,
    /// `SRTP_AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`.
    AeadAes256Gcm,
}
impl Profile {
    /// Every profile here, in the order of preference that the DTLS library has.
    pub const ALL: [Self; 3] = [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::Aes128CmHmacSha1_80];

    /// The number in the `use_srtp` extension.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Aes128CmHmacSha1_80 => 0x0001,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }
    /// The profile of that number.
    #[must_use]
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            0x0001 => Some(Self::Aes128CmHmacSha1_80),
            0x0007 => Some(Self::AeadAes128Gcm),
            0x0008 => Some(Self::AeadAes256Gcm),
            _ => None,
        }
    }
    /// Octets of the master key, and of the session key that encrypts.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }
    /// Octets of the master salt, and of the session salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }
    /// Octets of the authentication tag.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes128CmHmacSha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }
    /// Octets that protection adds behind an RTP packet.
    #[must_use]
    pub const fn rtp_overhead(self) -> usize {
        self.tag_len()
    }
    /// Octets that protection adds behind an RTCP packet: the tag and the word with the index.
    #[must_use]
    pub const fn rtcp_overhead(self) -> usize {
        self.tag_len() + 4
    }
    /// Whether cipher and authentication are one.
    pub(crate) const fn is_aead(self) -> bool {
        !matches!(self, Self::Aes128CmHmacSha1_80)
    }
}
