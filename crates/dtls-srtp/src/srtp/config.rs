//! What can be set of a context.

use super::Profile;

/// How a context bounds its memory, and how far behind the newest packet it looks.
///
/// ```
/// let config = ginnel_dtls_srtp::srtp::Config::default().with_window(512);
/// assert_eq!(config.window, 512);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Packets that a replay window spans (RFC 3711 section 3.3.2), rounded up to a multiple of 64. A packet that comes later
    /// than this many behind the newest is refused.
    pub window: usize,
    /// How many sources a context keeps state of, for RTP and for RTCP each. One beyond is refused: forgetting one instead
    /// would accept its packets again, or use a keystream twice.
    pub max_sources: usize,
}
impl Default for Config {
    fn default() -> Self {
        Self { window: DEFAULT_WINDOW, max_sources: DEFAULT_MAX_SOURCES }
    }
}
impl Config {
    /// The same with another [`Config::window`].
    #[must_use]
    pub const fn with_window(self, window: usize) -> Self {
        Self { window, ..self }
    }
    /// The same with another [`Config::max_sources`].
    #[must_use]
    pub const fn with_max_sources(self, max_sources: usize) -> Self {
        Self { max_sources, ..self }
    }
}
/// Twice what RFC 3711 section 3.3.2 demands: at 2,000 packets a second, 64 ms of reordering.
const DEFAULT_WINDOW: usize = 128;
/// More than a conference shows at once; at 16 octets of window and 24 of state, at most 40 kB.
const DEFAULT_MAX_SOURCES: usize = 1024;

/// The most that any profile adds to an RTP packet.
pub const MAX_RTP_OVERHEAD: usize = Profile::AeadAes128Gcm.rtp_overhead();
/// The most that any profile adds to an RTCP packet.
pub const MAX_RTCP_OVERHEAD: usize = Profile::AeadAes128Gcm.rtcp_overhead();
