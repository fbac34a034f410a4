//! What a peer is made from.

use std::{sync::Arc, time::Duration};

use ginnel_core::Epoch;
use ginnel_dtls_srtp::dtls::{Certificate, CertificateError, Versions};
use ginnel_ice::{AgentConfig, Role};
use ginnel_sdp::{attribute::Direction, jsep::Capabilities};

/// The configuration of a [`Peer`](crate::Peer).
///
/// ```
/// use std::sync::Arc;
/// use ginnel_core::Epoch;
/// use ginnel_dtls_srtp::dtls::{Certificate, Versions};
/// use ginnel_peer::PeerConfig;
///
/// let certificate = Arc::new(Certificate::generate()?);
/// let config = PeerConfig::new(Epoch::start(), certificate).with_versions(Versions::Dtls13);
/// assert_eq!(config.max_message_size, 256 * 1024);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerConfig {
    /// Where the caller's time begins: the DTLS and SCTP libraries count in `std` time.
    pub epoch: Epoch,
    /// Ours. One may serve many peers, which saves making one for each; then they can be told to belong together.
    pub certificate: Arc<Certificate>,
    /// STUN servers, pace, consent. The role in it is ignored: who offers first is controlling.
    pub ice: AgentConfig,
    /// Which versions of DTLS are spoken: whichever the peer has, 1.3 before 1.2.
    pub versions: Versions,
    /// How long the handshake of DTLS may take: 60 s. Its timer doubles with each retransmission, so on a path that loses a
    /// third it now and then takes half of that. Whether the path works at all is ICE's to say, and sooner.
    pub dtls_timeout: Duration,
    /// Codecs and header extensions that may be agreed on: those that can be forwarded unchanged.
    pub capabilities: Capabilities,
    /// What a section that the peer offered is answered with, as far as the offer permits: `sendrecv`, for a peer that
    /// sends media back.
    pub answer_direction: Direction,
    /// Whether our descriptions announce that candidates may follow them. Turn it off where signalling carries one offer
    /// and one answer and nothing else; then make the description once gathering is complete.
    pub trickle: bool,
    /// The longest message that is received, in octets: 256 KiB.
    pub max_message_size: usize,
    /// How many octets of messages may wait to be acknowledged, over all channels: 1 MiB.
    pub max_buffered: usize,
    /// How many channels may be open at once: 1,024.
    pub max_channels: usize,
}

impl PeerConfig {
    /// The defaults.
    #[must_use]
    pub fn new(epoch: Epoch, certificate: Arc<Certificate>) -> Self {
        Self {
            epoch,
            certificate,
            ice: AgentConfig::new(Role::Controlled),
            versions: Versions::Auto,
            dtls_timeout: Duration::from_secs(60),
            capabilities: Capabilities::forwarding(),
            answer_direction: Direction::SendRecv,
            trickle: true,
            max_message_size: 256 * 1024,
            max_buffered: 1024 * 1024,
            max_channels: 1024,
        }
    }

    /// The defaults, with a certificate made for this peer alone.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate(epoch: Epoch) -> Result<Self, CertificateError> {
        Ok(Self::new(epoch, Arc::new(Certificate::generate()?)))
    }

    /// With or without candidates on loopback addresses: without them, unless both peers are on this host.
    #[must_use]
    pub fn with_loopback(mut self, loopback: bool) -> Self {
        self.ice.loopback = loopback;
        self
    }

    /// With other settings of ICE.
    #[must_use]
    pub fn with_ice(self, ice: AgentConfig) -> Self {
        Self { ice, ..self }
    }

    /// With other versions of DTLS.
    #[must_use]
    pub fn with_versions(self, versions: Versions) -> Self {
        Self { versions, ..self }
    }

    /// With another limit for the handshake of DTLS.
    #[must_use]
    pub fn with_dtls_timeout(self, dtls_timeout: Duration) -> Self {
        Self { dtls_timeout, ..self }
    }

    /// With or without announcing that candidates may follow.
    #[must_use]
    pub fn with_trickle(self, trickle: bool) -> Self {
        Self { trickle, ..self }
    }

    /// With other capabilities.
    #[must_use]
    pub fn with_capabilities(self, capabilities: Capabilities) -> Self {
        Self { capabilities, ..self }
    }

    /// With another direction of answered media.
    #[must_use]
    pub fn with_answer_direction(self, answer_direction: Direction) -> Self {
        Self { answer_direction, ..self }
    }

    /// With another bound on received messages, in octets.
    #[must_use]
    pub fn with_max_message_size(self, max_message_size: usize) -> Self {
        Self { max_message_size, ..self }
    }

    /// With another bound on what waits to be acknowledged, in octets.
    #[must_use]
    pub fn with_max_buffered(self, max_buffered: usize) -> Self {
        Self { max_buffered, ..self }
    }
}
