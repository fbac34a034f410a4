//! Offer and answer as JSEP has them (RFC 8829, RFC 9429), over one bundled transport, without sockets and without ICE.

mod capability;
mod config;
mod error;
mod negotiated;
mod state;
mod transceiver;

pub use capability::{Capabilities, CodecCapability, HeaderExtensionCapability, uri};
pub use config::{AnswerSetup, LocalTransport, NegotiatorConfig, Sending};
pub use error::{Misuse, NegotiationError, PeerFault, Rejection, Unsupported};
pub use negotiated::{
    DtlsRole, Negotiated, NegotiatedCodec, NegotiatedExtension, NegotiatedSctp, NegotiatedSection,
    NegotiatedTransport, RemoteSource, RemoteStreams,
};
pub use state::SignalingState;
pub use transceiver::{Transceiver, TransceiverId};

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
