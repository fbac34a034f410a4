//! Why a step of the negotiation was refused, sorted by who must do something about it.

use super::SignalingState;
use crate::error::ValueError;
use alloc::string::String;

/// A refused step. The negotiator is as it was before (RFC 8829 section 5.10).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NegotiationError {
    /// We were called wrongly; the text says what to do.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The other side's description contradicts itself or the offer.
    #[error("the peer's description is wrong: {0}")]
    PeerFault(#[from] PeerFault),
    /// The other side's description is in order, and asks for what is not here.
    #[error("the peer's description is not supported: {0}")]
    Unsupported(#[from] Unsupported),
}

/// The caller's mistakes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// RFC 8829 section 3.2 has no such arrow.
    #[error("{verb} is impossible while the signaling state is {state}")]
    WrongState {
        /// What was asked.
        verb: &'static str,
        /// In which state.
        state: SignalingState,
    },
    /// The description was not made by `create_offer` or `create_answer`, or is not the last one made.
    #[error(
        "the local description is not the one that was created last: apply what create_offer or create_answer gave"
    )]
    NotTheCreatedDescription,
    /// No transceiver has this identifier.
    #[error("no transceiver has this identifier")]
    UnknownTransceiver,
    /// A transceiver of an application section makes no sense.
    #[error("a transceiver is for audio or video: use add_data for data")]
    NotMedia,
    /// A field of the local transport or of what is sent is no text for a description.
    #[error("a value of the local transport or sender is malformed: {0}")]
    Malformed(#[from] ValueError),
    /// DTLS needs one.
    #[error("the local transport has no fingerprint: DTLS needs a certificate")]
    NoFingerprint,
    /// The remote offer restarts ICE.
    #[error("the remote offer restarts ICE: restart the agent and pass its new credentials")]
    RestartNeedsNewCredentials,
    /// An answer cannot begin an ICE restart (RFC 8839 section 4.4.1.1.1).
    #[error("the offer does not restart ICE: pass the credentials that are in use")]
    RestartNotOffered,
    /// Not one codec found a payload type: the session has given all of them other meanings.
    #[error("no payload type is free for any codec: the session uses all of them for others")]
    NoPayloadTypeFree,
    /// More sections than a description may have.
    #[error("no more sections fit: stop transceivers so that their sections are used again")]
    TooManySections,
}

/// What the peer did wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerFault {
    /// RFC 3264 section 6: an answer has as many sections as its offer.
    #[error("the answer has {answered} sections, the offer {offered}")]
    SectionCount {
        /// In the offer.
        offered: usize,
        /// In the answer.
        answered: usize,
    },
    /// RFC 3264 section 6: sections keep their order.
    #[error("section {index} of the answer is not what was offered there")]
    SectionMismatch {
        /// From 0.
        index: usize,
    },
    /// RFC 3264 section 8: sections never disappear.
    #[error("the new offer has {offered} sections, the session has {before}")]
    SectionsRemoved {
        /// In the offer.
        offered: usize,
        /// Before it.
        before: usize,
    },
    /// RFC 8829 section 5.2.2: a section that lives keeps its mid.
    #[error("section {index} changed its mid while in use")]
    MidChanged {
        /// From 0.
        index: usize,
    },
    /// RFC 8829 section 5.8.3: credentials of ICE.
    #[error("section {index} needs ice-ufrag and ice-pwd")]
    NoIceCredentials {
        /// From 0.
        index: usize,
    },
    /// RFC 8829 section 5.8.3: a fingerprint.
    #[error("section {index} needs a fingerprint")]
    NoFingerprint {
        /// From 0.
        index: usize,
    },
    /// RFC 8842 section 5: `holdconn`, or an answer that leaves the role open, or a role that changed in mid-association.
    #[error("section {index} has a setup attribute that is impossible there")]
    ImpossibleSetup {
        /// From 0.
        index: usize,
    },
    /// RFC 8829 section 5.10: an answer changes credentials only if the offer did.
    #[error("the answer restarts ICE, the offer did not")]
    RestartNotOffered,
    /// RFC 8839 section 4.4.1.1.1: an offer that restarts is answered by a restart.
    #[error("the offer restarts ICE, the answer did not")]
    RestartNotAnswered,
    /// RFC 8829 section 5.11: a new DTLS association needs new ICE credentials.
    #[error("the DTLS identity changed without an ICE restart")]
    IdentityChangedWithoutRestart,
    /// RFC 9143 section 7: groups name sections that exist, each once.
    #[error("the BUNDLE group names \"{mid}\", which no section is, or names it twice")]
    UnknownMidInBundle {
        /// The name.
        mid: String,
    },
    /// RFC 8829 section 5.10: `apt` names a payload type of the section.
    #[error("payload type {payload_type} retransmits one that section {index} does not have")]
    RtxWithoutPrimary {
        /// From 0.
        index: usize,
        /// Of the `rtx` format.
        payload_type: u8,
    },
    /// RFC 8829 section 5.8.3: `simulcast` names rids that exist.
    #[error("the simulcast attribute of section {index} names a rid that is not there")]
    UnknownRid {
        /// From 0.
        index: usize,
    },
}

/// What the peer asks for and we do not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// An answer accepted a section outside the one bundle.
    #[error("section {index} was accepted outside the bundle: there is one transport only")]
    OutsideBundle {
        /// From 0.
        index: usize,
    },
    /// An answer accepted a section without `rtcp-mux`.
    #[error("section {index} was accepted without rtcp-mux: RTCP has no port of its own here")]
    NoRtcpMux {
        /// From 0.
        index: usize,
    },
}

/// Why a section is rejected, by us or by the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It was offered with port 0.
    #[error("it was offered as rejected")]
    OfferedAsRejected,
    /// The peer's answer has port 0.
    #[error("the peer rejected it")]
    ByPeer,
    /// We stopped its transceiver.
    #[error("its transceiver was stopped")]
    Stopped,
    /// Neither audio, video nor application.
    #[error("its kind of media is unknown")]
    UnknownMedia,
    /// Not RTP over DTLS, not SCTP over DTLS.
    #[error("its protocol is not supported")]
    UnsupportedProtocol,
    /// No codec that both have.
    #[error("there is no codec in common")]
    NoCommonCodec,
    /// Not in the bundle of the one transport.
    #[error("it is outside the bundle, and there is one transport only")]
    OutsideBundle,
    /// No `rtcp-mux`.
    #[error("it has no rtcp-mux")]
    NoRtcpMux,
    /// RFC 8841 section 9.1: no port, or port 0.
    #[error("it names no SCTP port")]
    NoSctpPort,
    /// There is one association.
    #[error("there is another section for data already")]
    SecondDataSection,
    /// The configuration accepts no data.
    #[error("data channels are not wanted")]
    DataNotWanted,
}
