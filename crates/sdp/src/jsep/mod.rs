//! Offer and answer as JSEP has them (RFC 8829, RFC 9429), over one bundled transport, without sockets and without ICE.
//!
//! A [`Negotiator`] is told descriptions and says what they come to. It gathers nothing and connects nothing: our side
//! of the transport is passed in ([`LocalTransport`]), the peer's side comes out ([`Negotiated`]).
//!
//! | kind | verb |
//! |---|---|
//! | what we would like | [`Negotiator::add_transceiver`], [`Negotiator::add_data`], [`Negotiator::set_direction`], [`Negotiator::set_sending`], [`Negotiator::stop`] |
//! | make a description | [`Negotiator::create_offer`], [`Negotiator::create_answer`] |
//! | apply one | [`Negotiator::set_local`], [`Negotiator::set_remote`], [`Negotiator::rollback`], [`Negotiator::close`] |
//! | ask | [`Negotiator::negotiated`], [`Negotiator::signaling_state`], [`Negotiator::transceivers`], [`Negotiator::remote_restarts_ice`], [`Negotiator::local_description`], [`Negotiator::remote_description`], [`Negotiator::candidate_verdict`] |
//!
//! The whole of an exchange, both sides in one place:
//!
//! ```
//! use ginnel_sdp::attribute::{Attribute, Fingerprint};
//! use ginnel_sdp::jsep::{DtlsRole, LocalTransport, Negotiator, NegotiatorConfig, SdpType};
//! let transport = |ufrag: &str| {
//!     let fingerprint = Fingerprint::parse("sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB");
//!     LocalTransport::new(ufrag, "asd88fgpdd777uzjYhagZg", fingerprint.unwrap())
//! };
//! let mut alice = Negotiator::new(NegotiatorConfig::new(1));
//! let mut bob = Negotiator::new(NegotiatorConfig::new(2));
//! alice.add_data();
//! let offer = alice.create_offer(&transport("alic"))?;
//! alice.set_local(SdpType::Offer, offer.clone())?;
//! bob.set_remote(SdpType::Offer, offer)?;
//! let answer = bob.create_answer(&transport("bobb"))?;
//! bob.set_local(SdpType::Answer, answer.clone())?;
//! alice.set_remote(SdpType::Answer, answer)?;
//!
//! let agreed = alice.negotiated().unwrap();
//! assert_eq!(agreed.sctp.as_ref().unwrap().remote_port, 5000);
//! let transport = agreed.transport.as_ref().unwrap();
//! assert_eq!((transport.remote_ufrag.as_str(), transport.dtls_role), ("bobb", DtlsRole::Server));
//! # Ok::<(), ginnel_sdp::jsep::NegotiationError>(())
//! ```
//!
//! One transport: `BUNDLE` as with the policy `max-bundle` (RFC 8829 section 4.1.1), `rtcp-mux` always. What a peer
//! offers outside that is answered by rejecting the section, with a [`Rejection`] that says why; an offer that cannot be
//! answered at all is a [`NegotiationError`], and nothing has changed.
//!
//! Left out: sending simulcast, identity assertions, forking, and codec preferences for single transceivers.

mod agree;
mod answer;
mod capability;
mod codec;
mod config;
mod description;
mod error;
mod negotiated;
mod negotiator;
mod numbers;
mod offer;
mod plan;
mod state;
#[cfg(test)]
mod tests;
mod transceiver;
mod write;

pub use capability::{Capabilities, CodecCapability, HeaderExtensionCapability, uri};
pub use config::{AnswerSetup, LocalTransport, NegotiatorConfig, Sending};
pub use error::{Misuse, NegotiationError, PeerFault, Rejection, Unsupported};
pub use negotiated::{
    DtlsRole, Negotiated, NegotiatedCodec, NegotiatedExtension, NegotiatedSctp, NegotiatedSection,
    NegotiatedTransport, RemoteSource, RemoteStreams,
};
pub use negotiator::{CandidateVerdict, Negotiator};
pub use state::SignalingState;
pub use transceiver::{Transceiver, TransceiverId};

use crate::attribute::{Group, MsidSemantic};
use crate::{Origin, Session};
use alloc::string::String;

/// What a section carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKind {
    /// `m=audio`
    Audio,
    /// `m=video`
    Video,
    /// `m=application`: data channels.
    Application,
}

/// What a description is for (RFC 8829 section 4.1.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SdpType {
    /// Begins an exchange.
    Offer,
    /// Answers provisionally.
    Pranswer,
    /// Ends an exchange.
    Answer,
}

/// The session level of offers and answers: RFC 8829 section 5.2.1.
fn session_with_group<'a>(origin: &Origin<'_>, mids: Option<impl Iterator<Item = &'a str>>) -> Session {
    let mut session = Session::new(origin);
    if let Some(mids) = mids {
        let mut tags = String::new();
        for mid in mids {
            if !tags.is_empty() {
                tags.push(' ');
            }
            tags.push_str(mid);
        }
        session.header_mut().push(&Group { semantics: "BUNDLE", tags: &tags });
    }
    // libwebrtc still asks for it before it believes in `msid`.
    session.header_mut().push(&MsidSemantic(" WMS *"));
    session
}
