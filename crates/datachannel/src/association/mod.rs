//! The association with its channels: see [`Association`].

mod channel;
mod closing;
mod config;
mod event;
mod receiving;
mod sending;

pub use channel::{ChannelConfig, ChannelId, MessageKind, Reliability};
pub use config::{AssociationConfig, DEFAULT_MTU, DEFAULT_PORT, DEFAULT_REMOTE_MAX_MESSAGE_SIZE, Role};
pub use event::{
    ChannelCloseReason, CloseReason, Event, InitError, OpenError, Opener, RoleFixed, SendError, Stats,
};

use crate::sctp::{Ppid, Session};
use bytes::Bytes;
use ginnel_core::{Handled, Instant, Packet, Seed, Wake};
use sending::Deferred;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One SCTP association over one DTLS connection, with its data channels (RFC 8831, RFC 8832).
///
/// It is a *session*: it rides on another's path, and has the verbs of
/// [`Machine`](ginnel_core::Machine) on [`Packet`] alone. Its owner puts each packet that it writes into one DTLS record,
/// and gives it what each record held.
///
/// | kind | verbs |
/// |---|---|
/// | before the start | [`set_role`](Self::set_role), [`set_remote_port`](Self::set_remote_port), [`set_remote_max_message_size`](Self::set_remote_max_message_size), [`local_init`](Self::local_init), [`set_remote_init`](Self::set_remote_init) |
/// | tell | [`start`](Self::start), [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout), [`close`](Self::close), [`abort`](Self::abort) |
/// | commands | [`open`](Self::open), [`send_message`](Self::send_message), [`close_channel`](Self::close_channel), [`set_buffered_amount_low_threshold`](Self::set_buffered_amount_low_threshold) |
/// | ask | [`poll_transmit`](Self::poll_transmit), then [`poll_event`](Self::poll_event), then [`poll_timeout`](Self::poll_timeout); and again after each tell or command |
/// | read | [`is_connected`](Self::is_connected), [`is_closed`](Self::is_closed), [`buffered_amount`](Self::buffered_amount), [`stats`](Self::stats) |
///
/// Both ends call `start` once DTLS is connected: it does not matter who is first. Channels may be opened and messages
/// sent before that; they leave with the handshake's third packet.
///
/// ```
/// use ginnel_core::{Buffer, Epoch, Instant, Packet, Seed};
/// use ginnel_datachannel::{Association, AssociationConfig, ChannelConfig, Event, MessageKind, Role};
///
/// let epoch = Epoch::start();
/// let mut a = Association::new(AssociationConfig::new(Role::Client, epoch), Seed::new([1; 32]));
/// let mut b = Association::new(AssociationConfig::new(Role::Server, epoch), Seed::new([2; 32]));
/// let now = Instant::EPOCH;
/// let chat = a.open(now, ChannelConfig::new("chat"))?;
/// a.send_message(now, chat, MessageKind::Text, b"hello")?;
/// a.start(now);
/// b.start(now);
///
/// let (mut buffer, mut heard) = ([0; 2048], None);
/// while heard.is_none() {
///     // In place of DTLS records and a network.
///     for (from, to) in [(&mut a, &mut b)] {
///         let mut packet = Packet::empty(&mut buffer);
///         while from.poll_transmit(now, &mut packet) {
///             let _ = to.handle_input(now, &mut packet);
///         }
///         while to.poll_transmit(now, &mut packet) {
///             let _ = from.handle_input(now, &mut packet);
///         }
///     }
///     while a.poll_event().is_some() {}
///     while let Some(event) = b.poll_event() {
///         if let Event::Message { data, .. } = event {
///             heard = Some(data);
///         }
///     }
/// }
/// assert_eq!(heard.as_deref(), Some(&b"hello"[..]));
/// # let _: Buffer = buffer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Association {
    config: AssociationConfig,
    session: Session,
    state: State,
    channels: BTreeMap<u16, Channel>,
    /// Where the search for a free identifier goes on, without the parity.
    next_pair: u16,
    role_fixed: bool,
    /// What was asked for before the association was established.
    deferred: VecDeque<Deferred>,
    /// Channels with octets that are not acknowledged.
    active: BTreeSet<u16>,
    /// Those octets.
    buffered: usize,
    /// Channels on which `Full` was said.
    starved: BTreeSet<u16>,
    /// Streams with messages to read.
    readable: BTreeSet<u16>,
    /// Messages on streams that have no channel yet.
    early: BTreeMap<u16, Vec<(Ppid, Bytes)>>,
    /// Streams that wait for their reset to be asked for.
    to_reset: VecDeque<u16>,
    /// Streams whose reset was asked for.
    resetting: BTreeSet<u16>,
    /// Streams whose reset failed, or cannot be had: never used again.
    spoiled: BTreeSet<u16>,
    events: VecDeque<Event>,
    /// Octets of the messages in `events`.
    queued: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Up to and with the handshake.
    Connecting,
    Connected,
    /// `close` was called, or the peer shuts down: what was sent still drains.
    Closing,
    Closed,
}

#[derive(Debug)]
struct Channel {
    config: ChannelConfig,
    opener: Opener,
    state: ChannelState,
    /// RFC 8832 section 6: an ACK or any other message has come, so unordered messages may go unordered.
    answered: bool,
    /// Octets given to the data plane, DCEP's included, and how many of them were DCEP's, which came first.
    written: u64,
    dcep: u64,
    /// Octets of messages in `deferred` that no data plane has.
    waiting: usize,
    /// `buffered_amount`, as it was when last looked at.
    buffered: usize,
    low_threshold: usize,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChannelState {
    /// The data plane does not know it yet.
    Opening,
    Open,
    /// Being reset, for this reason.
    Closing(ChannelCloseReason),
}
impl Channel {
    fn new(config: ChannelConfig, opener: Opener, state: ChannelState) -> Self {
        let answered = opener == Opener::Remote || config.negotiated.is_some();
        Self {
            config,
            opener,
            state,
            answered,
            written: 0,
            dcep: 0,
            waiting: 0,
            buffered: 0,
            low_threshold: 0,
        }
    }
}

impl Association {
    /// An association that has not started. Nothing of its behaviour is random but what the seed says.
    #[must_use]
    pub fn new(config: AssociationConfig, seed: Seed) -> Self {
        Self {
            session: Session::new(&config, &seed),
            config,
            state: State::Connecting,
            channels: BTreeMap::new(),
            next_pair: 0,
            role_fixed: false,
            deferred: VecDeque::new(),
            active: BTreeSet::new(),
            buffered: 0,
            starved: BTreeSet::new(),
            readable: BTreeSet::new(),
            early: BTreeMap::new(),
            to_reset: VecDeque::new(),
            resetting: BTreeSet::new(),
            spoiled: BTreeSet::new(),
            events: VecDeque::new(),
            queued: 0,
        }
    }

    /// Corrects the role, where channels are wanted before DTLS has its roles.
    ///
    /// # Errors
    /// Once a channel was opened without an agreed stream: its identifier follows from the role.
    pub const fn set_role(&mut self, role: Role) -> Result<(), RoleFixed> {
        if self.role_fixed {
            return Err(RoleFixed);
        }
        self.config.role = role;
        Ok(())
    }
    /// What the peer said in `a=sctp-port`. Before `start`.
    pub const fn set_remote_port(&mut self, port: u16) {
        self.config.remote_port = port;
        self.session.set_remote_port(port);
    }
    /// What the peer said in `a=max-message-size`, in octets; 0 for no limit. It may change at any time.
    pub const fn set_remote_max_message_size(&mut self, octets: usize) {
        self.config.remote_max_message_size = octets;
    }
    /// Our INIT chunk, for `a=sctp-init` in base64 (draft-hancke-tsvwg-snap). It never changes.
    #[must_use]
    pub fn local_init(&self) -> &[u8] {
        self.session.local_chunk()
    }
    /// The peer's INIT chunk, from its `a=sctp-init`. If we sent ours too, `start` then connects without a round trip.
    ///
    /// # Errors
    /// If it is malformed, our own, or the association has started.
    pub fn set_remote_init(&mut self, chunk: &[u8]) -> Result<(), InitError> {
        self.session.set_remote_init(chunk)
    }

    /// Starts the association: DTLS is connected. Both ends do.
    pub fn start(&mut self, now: Instant) {
        self.session.start(now);
        self.absorb(now);
    }
    /// Takes one SCTP packet, the content of one DTLS record. `Foreign` once closed.
    pub fn handle_input(&mut self, now: Instant, packet: &mut Packet<'_>) -> Handled {
        if self.session.is_over() {
            return Handled::Foreign;
        }
        self.session.handle_input(now, packet.bytes());
        self.absorb(now);
        Handled::Consumed
    }
    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.absorb(now);
    }
    /// Writes the next SCTP packet over `packet`, for one DTLS record of its own.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> bool {
        self.session.poll_transmit(now, packet)
    }
    /// What happened. Unpolled events hold back the peer by the receive window, not by loss.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            self.read();
        }
        let event = self.events.pop_front();
        if let Some(Event::Message { data, .. }) = &event {
            self.queued = self.queued.saturating_sub(data.len());
        }
        event
    }
    /// When to call `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        self.session.poll_timeout()
    }

    /// Opens a channel. It says [`Event::ChannelOpened`] at once if the association is up, else once it is.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing has changed then.
    pub fn open(&mut self, now: Instant, config: ChannelConfig) -> Result<ChannelId, OpenError> {
        let id = self.check_open(&config)?;
        self.role_fixed |= config.negotiated.is_none();
        if config.negotiated.is_none() {
            self.next_pair = id / 2 + 1;
        }
        self.channels.insert(id, Channel::new(config, Opener::Local, ChannelState::Opening));
        self.session.stats.channels_opened += 1;
        if self.state == State::Connecting {
            self.deferred.push_back(Deferred::Open(id));
        }
        if self.session.has_plane() {
            self.open_stream(id);
        }
        if self.state == State::Connected {
            self.announce(id);
            self.deliver_early(id);
        }
        self.absorb(now);
        Ok(ChannelId(id))
    }
    /// Sends one message, whole. It is copied, and leaves with the next `poll_transmit` that congestion allows.
    ///
    /// # Errors
    /// [`SendError::Full`] is back-pressure; the others are mistakes. Nothing has changed then.
    pub fn send_message(
        &mut self,
        now: Instant,
        channel: ChannelId,
        kind: MessageKind,
        message: &[u8],
    ) -> Result<(), SendError> {
        self.check_send(channel.0, message.len())?;
        self.session.stats.messages_sent += 1;
        self.session.stats.message_bytes_sent += message.len() as u64;
        self.accept_message(channel.0, kind, message);
        self.absorb(now);
        Ok(())
    }
    /// Octets of messages that were accepted on this channel and are neither acknowledged nor abandoned. An empty message
    /// counts as the one octet that carries it (RFC 8831 section 6.6). 0 if there is no such channel.
    #[must_use]
    pub fn buffered_amount(&self, channel: ChannelId) -> usize {
        self.channels.get(&channel.0).map_or(0, |channel| channel.buffered)
    }
    /// Sets when [`Event::BufferedAmountLow`] is said: when `buffered_amount` falls to this many octets. 0 at first.
    pub fn set_buffered_amount_low_threshold(&mut self, channel: ChannelId, octets: usize) {
        if let Some(channel) = self.channels.get_mut(&channel.0) {
            channel.low_threshold = octets;
        }
    }
    /// Closes a channel: once what was sent on it is acknowledged, its streams are reset, and [`Event::ChannelClosed`] is
    /// said. Nothing more can be sent on it, and what the peer still sends is dropped.
    pub fn close_channel(&mut self, now: Instant, channel: ChannelId) {
        self.begin_close(channel.0, ChannelCloseReason::Local);
        self.absorb(now);
    }
    /// Ends the association: what was sent is delivered, then the peer is told, then [`Event::Closed`] is said. After
    /// `shutdown_guard` it is aborted instead. An association that is not up yet has delivered nothing, and ends at once.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.state, State::Connecting | State::Connected) {
            self.state = State::Closing;
            self.session.shutdown(now);
        }
        self.absorb(now);
    }
    /// Ends the association at once, with an ABORT: what was not acknowledged may be lost.
    pub fn abort(&mut self, now: Instant) {
        self.session.abort();
        self.absorb(now);
    }

    /// Whether messages flow.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }
    /// Whether it is over: its last packet and its last event were polled.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed && self.session.is_done() && self.events.is_empty()
    }
    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.session.stats
    }
}
