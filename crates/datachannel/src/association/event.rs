//! What an association says, and what it refuses.

use super::channel::{ChannelConfig, ChannelId, MessageKind};
use bytes::Bytes;

/// Who opened a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opener {
    /// We did, by [`Association::open`](crate::Association::open).
    Local,
    /// The peer did, by DCEP.
    Remote,
}

/// What happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The association is up.
    Connected,
    /// A channel can be used: the peer opened it, or it was ours and the association has come up. Ours need not be
    /// acknowledged by the peer yet: a refusal comes as [`ChannelCloseReason::Refused`].
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
        /// What it is.
        kind: MessageKind,
        /// The octets; none for an empty message.
        data: Bytes,
    },
    /// What a channel has buffered has fallen to its threshold, from above.
    BufferedAmountLow {
        /// The channel.
        channel: ChannelId,
    },
    /// `send_message` said `Full` on this channel, and now half of `max_buffered` is free.
    Writable {
        /// The channel.
        channel: ChannelId,
    },
    /// The channel is gone; its identifier may be used again.
    ChannelClosed {
        /// The channel.
        channel: ChannelId,
        /// Why.
        reason: ChannelCloseReason,
    },
    /// The association is over. The last event; each channel was closed before it.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// Why a channel closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelCloseReason {
    /// We closed it.
    Local,
    /// The peer closed it.
    Remote,
    /// The peer reset the stream before it acknowledged our OPEN (RFC 8832 section 6), or allows fewer streams.
    Refused,
    /// The peer broke a rule of RFC 8831 or RFC 8832 on it.
    PeerViolatedProtocol,
    /// The association is over.
    AssociationClosed,
}

/// Why an association is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// [`Association::close`](crate::Association::close) was called, and the peer knows.
    Local,
    /// The peer shut it down: all that it sent was received.
    Remote,
    /// The peer aborted it, with this cause code (RFC 9260 section 3.3.10), 0 if it gave none.
    AbortedByPeer(u16),
    /// [`Association::abort`](crate::Association::abort) was called, or `close` took longer than the guard allows.
    Aborted,
    /// The peer did not answer within `max_init_retransmits`.
    HandshakeTimedOut,
    /// The peer violated SCTP such that nothing could be kept.
    PeerViolatedProtocol,
    /// What the peer sent cannot be put together within the receive window.
    ReceiveWindowExhausted,
}

/// Why a channel was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A label is at most 65,535 octets (RFC 8832 section 5.1).
    #[error("the label is longer than 65,535 octets")]
    LabelTooLong,
    /// A protocol name is at most 65,535 octets.
    #[error("the protocol is longer than 65,535 octets")]
    ProtocolTooLong,
    /// A lifetime is at most 2^32 - 1 milliseconds.
    #[error("the lifetime is longer than 4,294,967,295 ms")]
    LifetimeTooLong,
    /// `max_channels` of the configuration are open.
    #[error("{limit} channels are open, the limit of the configuration")]
    TooManyChannels {
        /// The limit.
        limit: usize,
    },
    /// Every stream of our parity is in use or still being reset.
    #[error("no stream identifier of our role is free")]
    StreamIdsExhausted,
    /// The agreed stream belongs to a channel, or its reset has not ended.
    #[error("stream {0} is in use")]
    StreamIdInUse(u16),
    /// 65,535 is reserved, and the peer may allow fewer streams.
    #[error("stream {0} does not exist in this association")]
    StreamIdInvalid(u16),
    /// The association is closing or closed.
    #[error("the association is closed")]
    Closed,
}

/// Why a message was not taken. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// `max_buffered` octets wait: try again after [`Event::Writable`].
    #[error("the send buffer is full: wait for Writable")]
    Full,
    /// The peer takes no message that long.
    #[error("the message is longer than the {limit} octets that the peer accepts")]
    TooLarge {
        /// What the peer accepts.
        limit: usize,
    },
    /// No such channel: it never was, or it has closed.
    #[error("there is no such channel")]
    NoSuchChannel,
    /// The channel is being closed.
    #[error("the channel is closing")]
    ChannelClosing,
    /// The association is closing or closed.
    #[error("the association is closed")]
    Closed,
}

/// Why a role was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a channel was opened already: its stream identifier follows from the role")]
pub struct RoleFixed;

/// Why the peer's out-of-band INIT was not taken (draft-hancke-tsvwg-snap).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// It is no INIT chunk, or its values are illegal (RFC 9260 section 3.3.2), at this offset.
    #[error("no valid INIT chunk: wrong at octet {offset}")]
    Malformed {
        /// Where.
        offset: usize,
    },
    /// It bears our own Initiate Tag: our INIT came back.
    #[error("this is our own INIT")]
    OurOwn,
    /// The association has started: draft-hancke-tsvwg-snap forbids to add an INIT to it.
    #[error("the association has started")]
    Started,
}

/// Counters, since the association was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// SCTP packets received.
    pub packets_received: u64,
    /// SCTP packets sent.
    pub packets_sent: u64,
    /// Octets of SCTP packets received.
    pub bytes_received: u64,
    /// Octets of SCTP packets sent.
    pub bytes_sent: u64,
    /// Messages of users received.
    pub messages_received: u64,
    /// Messages of users accepted for sending.
    pub messages_sent: u64,
    /// Octets in them.
    pub message_bytes_received: u64,
    /// Octets in them.
    pub message_bytes_sent: u64,
    /// Channels that the peer opened.
    pub channels_accepted: u64,
    /// Channels that we opened.
    pub channels_opened: u64,
    /// Channels that closed.
    pub channels_closed: u64,
    /// Packets dropped: too short, wrong ports, wrong checksum, chunks that overrun.
    pub malformed_packets: u64,
    /// Packets dropped for a Verification Tag that is not ours (RFC 9260 section 8.5).
    pub wrong_tags: u64,
    /// Chunks of unknown types skipped (RFC 9260 section 3.2), and those that have no meaning in our state.
    pub ignored_chunks: u64,
    /// ERROR chunks received.
    pub errors_received: u64,
    /// DCEP messages that were malformed, of unknown type, on a stream of the wrong parity or in use, or unexpected.
    pub dcep_violations: u64,
    /// Channels of the peer refused because `max_channels` were open.
    pub channels_refused: u64,
    /// Messages dropped: of a PPID that WebRTC does not use, or on a stream without a channel.
    pub messages_dropped: u64,
    /// Retransmissions of INIT, COOKIE ECHO, SHUTDOWN and SHUTDOWN ACK.
    pub control_retransmissions: u64,
    /// Packets of the SCTP library that no buffer could hold.
    pub oversized_packets: u64,
}
