//! What is set before an association starts, with the bounds of everything that it keeps.

use core::time::Duration;
use ginnel_core::Epoch;

/// RFC 8831 section 8 registers no port: 5000 is what every implementation offers in `a=sctp-port` (RFC 8841 section 5).
pub const DEFAULT_PORT: u16 = 5000;
/// The longest SCTP packet by default: it fits an IPv6 path of 1,280 octets less IPv6 (40), UDP (8), a TURN ChannelData
/// header (4) and the longest record overhead in use (DTLS 1.2 with AES-GCM: 13 + 8 + 16).
pub const DEFAULT_MTU: usize = 1280 - 40 - 8 - 4 - 37;
/// RFC 8841 section 6.1: what a peer accepts that does not say `a=max-message-size`.
pub const DEFAULT_REMOTE_MAX_MESSAGE_SIZE: usize = 65_536;

/// Which end of the DTLS connection we are: RFC 8832 section 6 gives the client the even stream identifiers, and the
/// server the odd ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The DTLS client opens channels on even streams.
    Client,
    /// The DTLS server opens channels on odd streams.
    Server,
}
impl Role {
    /// The least stream identifier that this role may open: its parity.
    pub(crate) const fn parity(self) -> u16 {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// The configuration of an [`Association`](crate::Association).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AssociationConfig {
    /// Our end of the DTLS connection. [`Association::set_role`](crate::Association::set_role) can change it until the
    /// first channel is opened.
    pub role: Role,
    /// Where the caller's time begins: the SCTP library counts in `std` time.
    pub epoch: Epoch,
    /// Our port: 5000. Never 0.
    pub local_port: u16,
    /// The peer's port, from its `a=sctp-port`: 5000. Never 0.
    pub remote_port: u16,
    /// The longest SCTP packet that we send, in octets, without DTLS, UDP and IP: [`DEFAULT_MTU`]. From 512 to 1,500.
    pub mtu: usize,
    /// The longest message that we receive, in octets: 256 KiB. It belongs into our `a=max-message-size`; a peer that
    /// sends more violates RFC 8841 section 6.1, and the association is aborted.
    pub max_message_size: usize,
    /// The longest message that the peer receives, in octets, from its `a=max-message-size`, 0 for no limit (RFC 8841
    /// section 6.1): 65,536.
    pub remote_max_message_size: usize,
    /// How many octets of messages may wait to be acknowledged, over all channels: 1 MiB. Beyond it `send_message` says
    /// [`Full`](crate::SendError::Full). One message is always taken while nothing waits, however long it is.
    pub max_buffered: usize,
    /// How many octets the peer may have on their way to us, and how many received octets may wait to be polled: 1 MiB,
    /// and at least four messages of `max_message_size`.
    pub receive_window: usize,
    /// How many channels may exist at once, the peer's included: 1,024.
    pub max_channels: usize,
    /// RTO.Initial (RFC 9260 section 16): 1 s.
    pub rto_initial: Duration,
    /// RTO.Min: 400 ms, twice the delay that RFC 9260 section 6.2 allows an acknowledgement. The RFC recommends 1 s.
    pub rto_min: Duration,
    /// RTO.Max: 3 s, so that an association goes on at most 3 s after its path came back. The RFC recommends 60 s.
    pub rto_max: Duration,
    /// Max.Init.Retransmits: `None`, for no limit: the layers below know whether a path still exists.
    /// Association.Max.Retrans has no field: data is retransmitted without limit, so that an ICE restart after any
    /// silence finds the association as it was.
    pub max_init_retransmits: Option<u32>,
    /// T5-shutdown-guard (RFC 9260 section 9.2): how long `close` may take before it aborts: 30 s.
    pub shutdown_guard: Duration,
}
impl AssociationConfig {
    /// The defaults, for our end of the DTLS connection.
    #[must_use]
    pub const fn new(role: Role, epoch: Epoch) -> Self {
        Self {
            role,
            epoch,
            local_port: DEFAULT_PORT,
            remote_port: DEFAULT_PORT,
            mtu: DEFAULT_MTU,
            max_message_size: 256 * 1024,
            remote_max_message_size: DEFAULT_REMOTE_MAX_MESSAGE_SIZE,
            max_buffered: 1024 * 1024,
            receive_window: 1024 * 1024,
            max_channels: 1024,
            rto_initial: Duration::from_secs(1),
            rto_min: Duration::from_millis(400),
            rto_max: Duration::from_secs(3),
            max_init_retransmits: None,
            shutdown_guard: Duration::from_secs(30),
        }
    }
    /// The window in force: never less than four of the longest messages, or a message could not be put together.
    pub(crate) fn window(&self) -> u32 {
        let least = self.max_message_size.saturating_mul(4);
        u32::try_from(self.receive_window.max(least)).unwrap_or(u32::MAX)
    }
    /// The longest packet in force.
    pub(crate) fn packet_limit(&self) -> usize {
        self.mtu.clamp(512, 1500)
    }
}
