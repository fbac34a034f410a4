//! What the caller decides: what can be negotiated, and what our side of the transport is.

use super::capability::Capabilities;
use crate::attribute::{Candidate, Direction, Fingerprint};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Which DTLS role an answer takes where the offer leaves the choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerSetup {
    /// We are the client, as RFC 8842 section 5.3 and RFC 8829 section 5.3.1 recommend.
    #[default]
    Active,
    /// We are the server.
    Passive,
}

/// How a [`super::Negotiator`] negotiates.
///
/// ```
/// use ginnel_sdp::jsep::{Capabilities, NegotiatorConfig};
/// let config = NegotiatorConfig::new(4962303333179871722).with_capabilities(Capabilities::forwarding());
/// assert_eq!(config.sctp_port, 5000);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NegotiatorConfig {
    /// RFC 8829 section 5.2.1: 63 random bits, the caller's; the highest bit is cleared.
    pub session_id: u64,
    /// Codecs, header extensions and what else of media can be negotiated.
    pub capabilities: Capabilities,
    /// Our DTLS role in answers to `actpass`.
    pub answer_setup: AnswerSetup,
    /// What a transceiver made by a remote offer starts with; RFC 8829 section 5.10: `recvonly`.
    pub answer_direction: Direction,
    /// Whether sections for data channels are accepted where no data was added by us.
    pub accept_data: bool,
    /// RFC 8841 section 5: our SCTP port.
    pub sctp_port: u16,
    /// RFC 8841 section 6: octets of the largest message that we receive; 0 for any size.
    pub max_message_size: u64,
    /// RFC 8829 section 4.1.1 `must-bundle`: in offers, new sections behind the first have port 0 and `bundle-only`, and
    /// no transport attributes. Off by default: Chromium 156 rejects a section for data that is `bundle-only`, and
    /// itself repeats the address and the transport attributes of the first section, as is done here then.
    pub bundle_only: bool,
}

impl NegotiatorConfig {
    /// Defaults, with the capabilities of [`Capabilities::forwarding`].
    #[must_use]
    pub fn new(session_id: u64) -> Self {
        NegotiatorConfig {
            session_id: session_id & (u64::MAX >> 1),
            capabilities: Capabilities::forwarding(),
            answer_setup: AnswerSetup::Active,
            answer_direction: Direction::RecvOnly,
            accept_data: true,
            sctp_port: 5000,
            max_message_size: 262_144,
            bundle_only: false,
        }
    }

    /// Other capabilities.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Another role in answers.
    #[must_use]
    pub fn with_answer_setup(mut self, setup: AnswerSetup) -> Self {
        self.answer_setup = setup;
        self
    }

    /// Another direction of transceivers that remote offers make.
    #[must_use]
    pub fn with_answer_direction(mut self, direction: Direction) -> Self {
        self.answer_direction = direction;
        self
    }

    /// With `bundle-only` sections in offers, or without.
    #[must_use]
    pub fn with_bundle_only(mut self, bundle_only: bool) -> Self {
        self.bundle_only = bundle_only;
        self
    }

    /// Another bound on received messages, in octets; 0 for none.
    #[must_use]
    pub fn with_max_message_size(mut self, octets: u64) -> Self {
        self.max_message_size = octets;
        self
    }
}

/// Our side of the one transport, as ICE and DTLS have it at the moment of the call.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct LocalTransport {
    /// Our ICE user name fragment.
    pub ufrag: String,
    /// Our ICE password.
    pub password: String,
    /// Of our certificate or certificates.
    pub fingerprints: Vec<Fingerprint<'static>>,
    /// Those gathered so far; more may be trickled.
    pub candidates: Vec<Candidate<'static>>,
    /// Gathering is complete: `candidates` is all there is.
    pub end_of_candidates: bool,
    /// Whether more candidates may follow by trickling. Without it `ice-options:trickle` is left out, and the answer
    /// or offer should be made when gathering is complete.
    pub trickle: bool,
    /// We are an ICE lite agent.
    pub lite: bool,
    /// RFC 8842 section 4; 20 to 255 characters. Offered if given, answered if given and offered.
    pub tls_id: Option<String>,
}

impl LocalTransport {
    /// Credentials and one fingerprint; no candidates yet, trickling.
    #[must_use]
    pub fn new(
        ufrag: impl Into<String>,
        password: impl Into<String>,
        fingerprint: Fingerprint<'static>,
    ) -> Self {
        LocalTransport {
            ufrag: ufrag.into(),
            password: password.into(),
            fingerprints: alloc::vec![fingerprint],
            trickle: true,
            ..LocalTransport::default()
        }
    }

    /// With the candidates gathered so far.
    #[must_use]
    pub fn with_candidates(mut self, candidates: Vec<Candidate<'static>>, end_of_candidates: bool) -> Self {
        self.candidates = candidates;
        self.end_of_candidates = end_of_candidates;
        self
    }

    /// With trickling announced or not.
    #[must_use]
    pub fn with_trickle(mut self, trickle: bool) -> Self {
        self.trickle = trickle;
        self
    }
}

impl fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTransport")
            .field("ufrag", &self.ufrag)
            .field("password", &"..")
            .field("fingerprints", &self.fingerprints)
            .field("candidates", &self.candidates)
            .field("end_of_candidates", &self.end_of_candidates)
            .finish_non_exhaustive()
    }
}

/// What one transceiver sends, as the description names it: `msid`, `ssrc`, and `ssrc-group:FID` with retransmission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sending {
    /// The source.
    pub ssrc: u32,
    /// The source of retransmissions (RFC 4588), written where a codec with `rtx` is negotiated.
    pub rtx_ssrc: Option<u32>,
    /// RFC 7022: the canonical name, one for the whole session.
    pub cname: String,
    /// The stream (`msid`), `-` for none.
    pub stream: String,
    /// The track, for browsers; empty for none.
    pub track: String,
}
