//! The keys for media that a handshake leaves (RFC 5764 section 4.2).

use super::Role;
use crate::srtp::{MasterKey, Profile};

/// What keys both directions of media.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct MediaKeys {
    /// The profile agreed on.
    pub profile: Profile,
    /// Protects what we send.
    pub local: MasterKey,
    /// Verifies what the peer sends.
    pub remote: MasterKey,
}
impl MediaKeys {
    /// Cuts up the exported material: client key, server key, client salt, server salt. `None` if it is too short.
    pub(super) fn split(profile: Profile, role: Role, material: &[u8]) -> Option<Self> {
        let (client_key, rest) = material.split_at_checked(profile.key_len())?;
        let (server_key, rest) = rest.split_at_checked(profile.key_len())?;
        let (client_salt, rest) = rest.split_at_checked(profile.salt_len())?;
        let (server_salt, _) = rest.split_at_checked(profile.salt_len())?;
        let client = MasterKey::new(profile, client_key, client_salt).ok()?;
        let server = MasterKey::new(profile, server_key, server_salt).ok()?;
        let (local, remote) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Some(Self { profile, local, remote })
    }
}

/// The library's name for a profile, in ours.
pub(super) const fn profile_of(library: dimpl::SrtpProfile) -> Option<Profile> {
    match library {
        dimpl::SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmHmacSha1_80),
        dimpl::SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
        dimpl::SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
        _ => None,
    }
}
