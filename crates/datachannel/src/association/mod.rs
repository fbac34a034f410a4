//! The association: see [`Association`].

mod channel;
mod config;
mod event;

pub use channel::{ChannelConfig, ChannelId, MessageKind, Reliability};
pub use config::{AssociationConfig, DEFAULT_MTU, DEFAULT_PORT, DEFAULT_REMOTE_MAX_MESSAGE_SIZE, Role};
pub use event::{ChannelCloseReason, CloseReason, Event, InitError, OpenError, Opener, RoleFixed, SendError, Stats};

use ginnel_core::{Handled, Instant, Packet, Seed, Wake};

/// One SCTP association with its data channels.
#[derive(Debug)]
pub struct Association {
    config: AssociationConfig,
    closed: bool,
}
impl Association {
    /// An association that has not started.
    #[must_use]
    pub fn new(config: AssociationConfig, seed: Seed) -> Self {
        drop(seed);
        Self { config, closed: false }
    }
    /// Starts the handshake.
    pub fn start(&mut self, _now: Instant) {}
    /// Our INIT chunk for `a=sctp-init`.
    #[must_use]
    pub fn local_init(&self) -> &[u8] {
        &[]
    }
    /// The peer's INIT chunk, from its `a=sctp-init`, before `start`.
    pub fn set_remote_init(&mut self, _chunk: &[u8]) -> Result<(), InitError> {
        Err(InitError::Started)
    }
    /// Corrects the role before the first channel is opened.
    pub fn set_role(&mut self, role: Role) -> Result<(), RoleFixed> {
        self.config.role = role;
        Ok(())
    }
    /// What the peer said in `a=max-message-size`; 0 for no limit.
    pub fn set_remote_max_message_size(&mut self, octets: usize) {
        self.config.remote_max_message_size = octets;
    }
    /// The peer's port, from `a=sctp-port`, before `start`.
    pub fn set_remote_port(&mut self, port: u16) {
        self.config.remote_port = port;
    }
    /// One SCTP packet, out of its DTLS record.
    pub fn handle_input(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> Handled {
        Handled::Foreign
    }
    /// Fires what is due.
    pub fn handle_timeout(&mut self, _now: Instant) {}
    /// Writes the next SCTP packet, for a DTLS record.
    pub fn poll_transmit(&mut self, _now: Instant, _packet: &mut Packet<'_>) -> bool {
        false
    }
    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    /// When to call `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    /// Opens a channel.
    pub fn open(&mut self, _now: Instant, _config: ChannelConfig) -> Result<ChannelId, OpenError> {
        Err(OpenError::Closed)
    }
    /// Sends one message.
    pub fn send_message(
        &mut self,
        _now: Instant,
        _channel: ChannelId,
        _kind: MessageKind,
        _message: &[u8],
    ) -> Result<(), SendError> {
        Err(SendError::Closed)
    }
    /// Closes a channel once what was sent on it has arrived.
    pub fn close_channel(&mut self, _now: Instant, _channel: ChannelId) {}
    /// Octets of messages that were accepted on this channel and are neither acknowledged nor abandoned.
    #[must_use]
    pub fn buffered_amount(&self, _channel: ChannelId) -> usize {
        0
    }
    /// Sets when `BufferedAmountLow` is said.
    pub fn set_buffered_amount_low_threshold(&mut self, _channel: ChannelId, _octets: usize) {}
    /// Ends the association politely.
    pub fn close(&mut self, _now: Instant) {
        self.closed = true;
    }
    /// Ends the association at once.
    pub fn abort(&mut self, _now: Instant) {
        self.closed = true;
    }
    /// Whether it is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }
    /// Whether messages flow.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        false
    }
    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}
