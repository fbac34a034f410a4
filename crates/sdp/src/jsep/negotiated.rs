//! What offer and answer agree on, in the form in which transports, SCTP and RTP need it.

use super::error::Rejection;
use super::{MediaKind, TransceiverId};
use crate::attribute::{Candidate, Direction, Fingerprint};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Who sends the ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DtlsRole {
    /// We do.
    Client,
    /// The peer does.
    Server,
}

/// What has been agreed, or provisionally agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// By a provisional answer: the answer may change it.
    pub provisional: bool,
    /// One for each `m=` section, in order; rejected ones too.
    pub sections: Vec<NegotiatedSection>,
    /// The one transport; `None` where every section is rejected.
    pub transport: Option<NegotiatedTransport>,
    /// The SCTP association; `None` where there is no data.
    pub sctp: Option<NegotiatedSctp>,
}

impl Negotiated {
    /// The section of a transceiver.
    #[must_use]
    pub fn section_of(&self, transceiver: TransceiverId) -> Option<&NegotiatedSection> {
        self.sections.iter().find(|section| section.transceiver == Some(transceiver))
    }

    /// The section of that mid.
    #[must_use]
    pub fn section(&self, mid: &str) -> Option<&NegotiatedSection> {
        self.sections.iter().find(|section| section.mid == mid)
    }
}

/// One `m=` section.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedSection {
    /// From 0.
    pub index: usize,
    /// Empty where the peer names none.
    pub mid: String,
    /// What it carries; `None` for media that we do not know.
    pub kind: Option<MediaKind>,
    /// Its transceiver, if it is audio or video.
    pub transceiver: Option<TransceiverId>,
    /// Why it carries nothing; `None` if it is in use.
    pub rejected: Option<Rejection>,
    /// As we see it: `sends` means that we may send.
    pub direction: Direction,
    /// In the peer's order of preference. Retransmission formats stand beside their codec.
    pub codecs: Vec<NegotiatedCodec>,
    /// Header extensions that both know.
    pub header_extensions: Vec<NegotiatedExtension>,
    /// What the peer says of its sources.
    pub remote: RemoteStreams,
    /// RFC 5506: RTCP need not be compound, in either direction.
    pub rtcp_rsize: bool,
}

impl NegotiatedSection {
    /// The number by which both sides know a header extension.
    #[must_use]
    pub fn extension_id(&self, uri: &str) -> Option<u8> {
        self.header_extensions.iter().find(|extension| extension.uri == uri).map(|extension| extension.id)
    }

    /// The codec that an incoming payload type means; for one of retransmissions, the codec retransmitted.
    #[must_use]
    pub fn codec_of_received(&self, payload_type: u8) -> Option<&NegotiatedCodec> {
        self.codecs.iter().find(|codec| {
            codec.receive_payload_type == payload_type || codec.receive_rtx == Some(payload_type)
        })
    }
}

/// One codec, with the numbers of both directions: each side sends by the receiver's description (RFC 3264 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedCodec {
    /// The encoding name, as we write it.
    pub name: String,
    /// Hz.
    pub clock_rate: u32,
    /// Channels of audio; `None` is one.
    pub channels: Option<u8>,
    /// The payload type of what the peer sends to us.
    pub receive_payload_type: u8,
    /// The payload type of what we send to the peer.
    pub send_payload_type: u8,
    /// The payload type of retransmissions to us.
    pub receive_rtx: Option<u8>,
    /// The payload type of our retransmissions.
    pub send_rtx: Option<u8>,
    /// Our parameters: how we want it.
    pub local_fmtp: String,
    /// The peer's parameters: how it wants it.
    pub remote_fmtp: String,
    /// The feedback that both have: `nack`, `nack pli`, `ccm fir`, ...
    pub feedback: Vec<String>,
}

impl NegotiatedCodec {
    /// Whether both have a kind of feedback.
    #[must_use]
    pub fn has_feedback(&self, value: &str) -> bool {
        self.feedback.iter().any(|known| known == value)
    }
}

/// One header extension.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedExtension {
    /// Its number in both directions (RFC 8285 section 6: the answer keeps the offer's).
    pub id: u8,
    /// What it is.
    pub uri: String,
    /// As we see it.
    pub direction: Direction,
}

/// What the peer says of what it sends in a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteStreams {
    /// Its sources, in order of mention.
    pub sources: Vec<RemoteSource>,
    /// Streams and tracks (`msid`); the track is empty where none is said.
    pub msids: Vec<(String, String)>,
    /// The rids it sends, where simulcast or a single rid was agreed.
    pub rids: Vec<String>,
}

/// One source of the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteSource {
    /// The source.
    pub ssrc: u32,
    /// Its canonical name, where said.
    pub cname: Option<String>,
    /// The source of its retransmissions (`ssrc-group:FID`).
    pub rtx_ssrc: Option<u32>,
    /// The source that this one retransmits (`ssrc-group:FID`).
    pub repairs: Option<u32>,
}

/// The one transport.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedTransport {
    /// The mid of the section whose attributes hold for all (RFC 9143: the tagged section).
    pub mid: String,
    /// Its index: trickled candidates may name it by `sdpMLineIndex`.
    pub index: usize,
    /// Our ICE user name fragment, of which this agreement is.
    pub local_ufrag: String,
    /// The peer's ICE user name fragment.
    pub remote_ufrag: String,
    /// The peer's ICE password.
    pub remote_password: String,
    /// The peer's candidates, of use to one bundled transport; see [`Candidate::refusal`].
    pub remote_candidates: Vec<Candidate<'static>>,
    /// Candidates left out: refused, or more than [`crate::limits::MAX_CANDIDATES`].
    pub ignored_candidates: usize,
    /// No more candidates will come: the peer said so, or does not trickle.
    pub end_of_candidates: bool,
    /// The peer trickles.
    pub remote_trickle: bool,
    /// The peer is an ICE lite agent.
    pub remote_lite: bool,
    /// Of the peer's certificates, from all sections of the bundle, without repetition.
    pub remote_fingerprints: Vec<Fingerprint<'static>>,
    /// Our DTLS role.
    pub dtls_role: DtlsRole,
    /// The peer's name of the DTLS association (RFC 8842).
    pub remote_tls_id: Option<String>,
    /// We made the offer: the ICE agent is controlling unless one is lite (RFC 8445 section 6.1.1).
    pub we_offered: bool,
    /// The credentials of the peer changed with this agreement: an ICE restart.
    pub ice_restarted: bool,
    /// The peer's fingerprints or `tls-id` changed: a new DTLS association is needed.
    pub dtls_restarted: bool,
}

impl fmt::Debug for NegotiatedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NegotiatedTransport")
            .field("mid", &self.mid)
            .field("local_ufrag", &self.local_ufrag)
            .field("remote_ufrag", &self.remote_ufrag)
            .field("remote_password", &"..")
            .field("remote_candidates", &self.remote_candidates)
            .field("end_of_candidates", &self.end_of_candidates)
            .field("remote_trickle", &self.remote_trickle)
            .field("remote_lite", &self.remote_lite)
            .field("remote_fingerprints", &self.remote_fingerprints)
            .field("dtls_role", &self.dtls_role)
            .field("ice_restarted", &self.ice_restarted)
            .field("dtls_restarted", &self.dtls_restarted)
            .finish_non_exhaustive()
    }
}

/// The SCTP association.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedSctp {
    /// The mid of its section.
    pub mid: String,
    /// Our port.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
    /// Octets of the largest message that we receive; 0 for any size.
    pub local_max_message_size: u64,
    /// Octets of the largest message that the peer receives; 0 for any size (RFC 8841 section 6.1; 65536 if unsaid).
    pub remote_max_message_size: u64,
}
