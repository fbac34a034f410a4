//! What a peer says: events, data, and how it ended.

use std::fmt;

use bytes::Bytes;
use ginnel_core::Instant;
use ginnel_datachannel::{ChannelCloseReason, ChannelConfig, MessageKind, Opener};
use ginnel_dtls_srtp::dtls::{self, Version};
use ginnel_dtls_srtp::srtp::Profile;

use crate::{ChannelId, SectionIndex};

/// Where a connection is, as `RTCPeerConnectionState` has it: ICE and DTLS seen together.
///
/// ```text
/// New --both descriptions--> Connecting --DTLS done--> Connected <--missed / answered--> Disconnected
///                                |                         |                                  |
///                                +-- ICE or DTLS failed -> Failed <-------- consent expired --+
///                                 a restart of ICE: Failed -> Connecting or Connected
/// any --close, or the peer's--> Closed
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// No pair of descriptions yet.
    #[default]
    New,
    /// ICE or DTLS is under way.
    Connecting,
    /// The path works and the peer is who its description says.
    Connected,
    /// The peer has missed consent checks; data still flows as far as the network lets it.
    Disconnected,
    /// It did not work, or it stopped working. ICE can be restarted, if it was ICE.
    Failed,
    /// Over.
    Closed,
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        })
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A candidate to tell the other side, where trickling is in use. Those that were there when a description was made
    /// are in it, and do not come as events.
    LocalCandidate(LocalCandidate),
    /// No more local candidates will come: tell the other side, or, without trickling, make the description now.
    GatheringComplete,
    /// ICE has changed its state.
    IceState(ginnel_ice::State),
    /// The connection has changed its state.
    State(ConnectionState),
    /// DTLS is done and the peer is who its description says.
    Secured {
        /// The version of DTLS.
        version: Version,
        /// How media is protected, if there is any.
        profile: Option<Profile>,
    },
    /// Messages can flow.
    DataReady,
    /// A channel can be used.
    ChannelOpened {
        /// The channel.
        channel: ChannelId,
        /// Its parameters.
        config: ChannelConfig,
        /// Who opened it.
        opener: Opener,
    },
    /// A whole message.
    Message {
        /// The channel that it came on.
        channel: ChannelId,
        /// Text or binary. Text is not checked to be UTF-8.
        kind: MessageKind,
        /// Its octets.
        data: Bytes,
    },
    /// What a channel has buffered has fallen to its threshold.
    BufferedAmountLow {
        /// The channel.
        channel: ChannelId,
    },
    /// Sending was refused as `Full` on this channel, and now there is room.
    Writable {
        /// The channel.
        channel: ChannelId,
    },
    /// A channel is gone.
    ChannelClosed {
        /// The channel.
        channel: ChannelId,
        /// Why.
        reason: ChannelCloseReason,
    },
    /// An agreement was reached or changed: look at [`Peer::negotiated`](crate::Peer::negotiated).
    Negotiated,
    /// It failed, and why. A failure of ICE can be mended by a restart; others are followed by `Closed`.
    Failed(Failure),
    /// Over; the last event.
    Closed(Closed),
}

/// A candidate of ours, as signalling carries it (RFC 8840, `RTCIceCandidate`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalCandidate {
    /// The media identification of the section that it belongs to.
    pub mid: String,
    /// The index of that section.
    pub line_index: usize,
    /// `candidate:...`
    pub candidate: String,
}

/// What received data is; its bytes are in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Data {
    /// An RTP packet, decrypted, that belongs to this section.
    Rtp {
        /// The section, by its index.
        section: SectionIndex,
    },
    /// RTCP, decrypted; possibly compound, about any section.
    Rtcp,
}

/// Why a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// There is no path, or there is none any more.
    #[error("no path to the peer: {0}")]
    Ice(ginnel_ice::FailureReason),
    /// The path works, the handshake did not.
    #[error("no secure connection: {0}")]
    Dtls(dtls::FailureReason),
    /// The descriptions agree on something that DTLS cannot be made from.
    #[error("no secure connection: {0}")]
    Setup(dtls::ConfigError),
    /// SCTP ended by itself, and there was nothing but messages.
    #[error("the data channels failed: {0:?}")]
    Data(ginnel_datachannel::CloseReason),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// By [`Peer::close`](crate::Peer::close).
    Local,
    /// The peer said goodbye.
    Remote,
    /// By a failure, which was told before.
    Failed,
}

/// When each phase was done, `None` while it is not. A restart of ICE changes none of them; where the peer's certificate has
/// changed, `dtls` and `sctp` are those of the new session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// Both descriptions were known: the first check could leave.
    pub started: Option<Instant>,
    /// A path worked.
    pub ice: Option<Instant>,
    /// The peer's identity was proven and keys were there.
    pub dtls: Option<Instant>,
    /// Messages could flow.
    pub sctp: Option<Instant>,
}
