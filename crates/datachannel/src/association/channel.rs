//! A data channel's parameters (RFC 8831 section 6.4), as DCEP carries them or as both ends agreed.

use core::{fmt, time::Duration};

/// Names a channel: the identifier of its pair of SCTP streams. It may name another channel after `ChannelClosed`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub(crate) u16);
impl ChannelId {
    /// The stream identifier, 0 to 65,534: `RTCDataChannel.id`.
    #[must_use]
    pub const fn stream_id(self) -> u16 {
        self.0
    }
}
impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelId({})", self.0)
    }
}
impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// How long a message is retransmitted (RFC 8832 section 5.1, Channel Type).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reliability {
    /// Until it is acknowledged.
    #[default]
    Reliable,
    /// This many times after the first transmission (RFC 7496), then it is abandoned.
    MaxRetransmits(u16),
    /// Until this long after `send_message` (RFC 3758), in whole milliseconds, then it is abandoned.
    MaxLifetime(Duration),
}

/// The parameters of a channel.
///
/// ```
/// use ginnel_datachannel::{ChannelConfig, Reliability};
/// let game = ChannelConfig::new("positions").with_ordered(false).with_reliability(Reliability::MaxRetransmits(0));
/// assert_eq!((game.label.as_str(), game.negotiated), ("positions", None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ChannelConfig {
    /// A name for the application, up to 65,535 octets of UTF-8.
    pub label: String,
    /// The subprotocol (RFC 6455 registry), or empty; up to 65,535 octets.
    pub protocol: String,
    /// Whether messages arrive in the order in which they were sent: `true`.
    pub ordered: bool,
    /// How long messages are retransmitted: until acknowledged.
    pub reliability: Reliability,
    /// RFC 8831 section 6.4: 128 below normal, 256 normal, 512 high, 1024 extra high. It is told to the peer; our own
    /// scheduling does not weigh it yet.
    pub priority: u16,
    /// The stream that both ends agreed on out of band; `None` to tell the peer by DCEP.
    pub negotiated: Option<u16>,
}
impl ChannelConfig {
    /// An ordered, reliable channel that is told to the peer.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }
    /// Sets the subprotocol.
    #[must_use]
    pub fn with_protocol(mut self, protocol: impl Into<String>) -> Self {
        self.protocol = protocol.into();
        self
    }
    /// Sets whether messages arrive in order.
    #[must_use]
    pub const fn with_ordered(mut self, ordered: bool) -> Self {
        self.ordered = ordered;
        self
    }
    /// Sets how long messages are retransmitted.
    #[must_use]
    pub const fn with_reliability(mut self, reliability: Reliability) -> Self {
        self.reliability = reliability;
        self
    }
    /// Sets the priority.
    #[must_use]
    pub const fn with_priority(mut self, priority: u16) -> Self {
        self.priority = priority;
        self
    }
    /// Makes it a channel agreed on out of band, on this stream.
    #[must_use]
    pub const fn with_negotiated(mut self, stream_id: u16) -> Self {
        self.negotiated = Some(stream_id);
        self
    }
}
impl Default for ChannelConfig {
    fn default() -> Self {
        Self {
            label: String::new(),
            protocol: String::new(),
            ordered: true,
            reliability: Reliability::Reliable,
            priority: 256,
            negotiated: None,
        }
    }
}

/// What a message is (RFC 8831 section 8: the PPIDs 51 and 53, and 56 and 57 when it is empty).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A string. Received octets are not checked to be UTF-8: the receiver of the event does that.
    Text,
    /// Octets.
    Binary,
}
