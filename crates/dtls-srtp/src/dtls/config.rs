//! What can be set of an endpoint.

use core::time::Duration;
use std::{fmt, sync::Arc};

use ginnel_core::Epoch;

use super::{Certificate, Fingerprint};
use crate::srtp::Profile;

/// Which side of the handshake one is: `a=setup:active` makes the client, `passive` the server (RFC 5763 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sends the ClientHello.
    Client,
    /// Waits for it.
    Server,
}

/// Which versions of DTLS are spoken.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Versions {
    /// 1.3 if the peer has it, else 1.2.
    #[default]
    Auto,
    /// DTLS 1.2 (RFC 6347) alone.
    Dtls12,
    /// DTLS 1.3 (RFC 9147) alone.
    Dtls13,
}

/// What an endpoint is made from.
#[non_exhaustive]
#[derive(Clone)]
pub struct EndpointConfig {
    /// Ours.
    pub certificate: Arc<Certificate>,
    /// Which side we are.
    pub role: Role,
    /// Theirs, from the signalling: the peer's certificate must match one of those with the strongest hash. At least one.
    pub remote_fingerprints: Vec<Fingerprint>,
    /// Which versions we speak.
    pub versions: Versions,
    /// The profiles that may protect media. The library always offers all of [`Profile::ALL`] in that order; one outside this
    /// list fails the handshake. Empty: no media, and whatever the peer says of it is ignored.
    pub profiles: Vec<Profile>,
    /// Whether a handshake that agrees on no profile fails: true where there is media.
    pub require_profile: bool,
    /// What [`ginnel_core::Instant`] means in the library's time.
    pub epoch: Epoch,
    /// Octets of the largest datagram that is sent: [`MIN_MTU`] to [`MAX_MTU`].
    pub mtu: usize,
    /// The first retransmission timeout, doubled each time (RFC 9147 section 5.8.2). Where ICE has measured the round trip, a
    /// little more than that is right; it cannot be changed later.
    pub initial_rto: Duration,
    /// When a handshake that has not ended has failed, counted from the first ClientHello.
    pub handshake_timeout: Duration,
    /// Whether a server makes clients prove their address first, which costs a round trip. Below ICE the address is proven.
    pub cookie: bool,
}
impl EndpointConfig {
    /// With the certificates of both sides, and everything else at its default: any version, all profiles but none required,
    /// [`DEFAULT_MTU`], [`DEFAULT_RTO`], [`DEFAULT_HANDSHAKE_TIMEOUT`], no cookie.
    #[must_use]
    pub fn new(
        certificate: Arc<Certificate>,
        role: Role,
        remote_fingerprints: Vec<Fingerprint>,
        epoch: Epoch,
    ) -> Self {
        Self {
            certificate,
            role,
            remote_fingerprints,
            versions: Versions::Auto,
            profiles: Profile::ALL.to_vec(),
            require_profile: false,
            epoch,
            mtu: DEFAULT_MTU,
            initial_rto: DEFAULT_RTO,
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            cookie: false,
        }
    }
    /// The same with other [`EndpointConfig::versions`].
    #[must_use]
    pub fn with_versions(self, versions: Versions) -> Self {
        Self { versions, ..self }
    }
    /// The same with other [`EndpointConfig::profiles`].
    #[must_use]
    pub fn with_profiles(self, profiles: Vec<Profile>) -> Self {
        Self { profiles, ..self }
    }
    /// The same with another [`EndpointConfig::require_profile`].
    #[must_use]
    pub fn with_required_profile(self, require_profile: bool) -> Self {
        Self { require_profile, ..self }
    }
    /// The same with another [`EndpointConfig::mtu`].
    #[must_use]
    pub fn with_mtu(self, mtu: usize) -> Self {
        Self { mtu, ..self }
    }
    /// The same with another [`EndpointConfig::initial_rto`].
    #[must_use]
    pub fn with_initial_rto(self, initial_rto: Duration) -> Self {
        Self { initial_rto, ..self }
    }
    /// The same with another [`EndpointConfig::handshake_timeout`].
    #[must_use]
    pub fn with_handshake_timeout(self, handshake_timeout: Duration) -> Self {
        Self { handshake_timeout, ..self }
    }
    /// The same with another [`EndpointConfig::cookie`].
    #[must_use]
    pub fn with_cookie(self, cookie: bool) -> Self {
        Self { cookie, ..self }
    }
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.remote_fingerprints.is_empty() {
            return Err(ConfigError::NoRemoteFingerprint);
        }
        if !(MIN_MTU..=MAX_MTU).contains(&self.mtu) {
            return Err(ConfigError::MtuOutOfRange { mtu: self.mtu });
        }
        if self.certificate.der().len() > max_certificate(self.mtu) {
            return Err(ConfigError::CertificateTooLong { max: max_certificate(self.mtu) });
        }
        if self.require_profile && self.profiles.is_empty() {
            return Err(ConfigError::NoProfile);
        }
        Ok(())
    }
}
impl fmt::Debug for EndpointConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointConfig")
            .field("role", &self.role)
            .field("versions", &self.versions)
            .field("profiles", &self.profiles)
            .field("mtu", &self.mtu)
            .finish_non_exhaustive()
    }
}

/// 1,280 octets of IPv6 less 40 of IPv6, 8 of UDP and 32 for a relay's framing.
pub const DEFAULT_MTU: usize = 1200;
/// The least at which a flight with a usual certificate stays within what the library saves of it.
pub const MIN_MTU: usize = 256;
/// Records that the library saves of a flight of DTLS 1.3; it panics at one more. A flight has six messages, and each datagram
/// that it fills cuts one of them in two.
const MAX_FLIGHT: usize = 12;
/// What a flight holds besides the certificate: hello, extensions, request, a signature on P-384, Finished, their headers.
const FLIGHT_BESIDES_CERTIFICATE: usize = 700;
/// Headers of a record, a fragment, and the tag.
const FRAGMENT_OVERHEAD: usize = 60;
/// The longest certificate that can be sent at `mtu`.
const fn max_certificate(mtu: usize) -> usize {
    ((MAX_FLIGHT - 6) * (mtu - FRAGMENT_OVERHEAD)).saturating_sub(FLIGHT_BESIDES_CERTIFICATE)
}
/// What an empty [`ginnel_core::Buffer`] takes and leaves the room in front and behind.
pub const MAX_MTU: usize = 1408;
/// Shorter than the second of RFC 9147 section 5.8.2, as it advises for real-time uses, and longer than most paths' round trip.
pub const DEFAULT_RTO: Duration = Duration::from_millis(400);
/// As long as consent lives (RFC 7675 section 5.1) without an answer.
pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is wrong with a configuration.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No fingerprint to check the peer by: take them from the signalling.
    #[error("there is no remote fingerprint to check the peer by")]
    NoRemoteFingerprint,
    /// Not [`MIN_MTU`] to [`MAX_MTU`].
    #[error("an MTU of {mtu} octets is out of range")]
    MtuOutOfRange {
        /// What was given.
        mtu: usize,
    },
    /// Our certificate does not fit a flight at this MTU.
    #[error("the certificate is longer than the {max} octets that a flight can carry")]
    CertificateTooLong {
        /// Octets that can be carried.
        max: usize,
    },
    /// A profile is required and none allowed.
    #[error("a profile is required, and none is allowed")]
    NoProfile,
    /// The library refuses the times: zero, or longer than ten years.
    #[error("the retransmission or handshake timeout is out of range")]
    TimeOutOfRange,
}
