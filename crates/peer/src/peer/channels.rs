//! Data channels, from the moment the user wants one.
//!
//! RFC 8832 section 6 gives the DTLS client the even streams and the server the odd ones, and until an answer says who is
//! which no stream can be chosen. So a peer has names of its own for channels, and opens them once it is known.

use std::collections::{BTreeMap, VecDeque};

use ginnel_core::Instant;
use ginnel_datachannel::{
    Association, ChannelCloseReason, ChannelConfig, ChannelId as StreamName, CloseReason, Event as DataEvent,
    MessageKind, OpenError as RefusedOpen,
};

use super::{Life, Peer};
use crate::{Closed, Event, Failure, MessageError, OpenError};

/// Names a channel of one peer. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(Default))]
pub struct ChannelId(u64);

/// The channels of a peer, by the peer's name and by the association's.
#[derive(Debug, Default)]
pub(super) struct Channels {
    next: u64,
    waiting: VecDeque<(ChannelId, ChannelConfig)>,
    by_name: BTreeMap<ChannelId, StreamName>,
    /// A stream serves one channel after the other: in front is the one that the association's next events are about, at
    /// the back the one that is in use.
    by_stream: BTreeMap<StreamName, VecDeque<ChannelId>>,
}

impl Channels {
    fn name(&mut self) -> ChannelId {
        self.next += 1;
        ChannelId(self.next)
    }

    fn bind(&mut self, name: ChannelId, stream: StreamName) {
        self.by_name.insert(name, stream);
        self.by_stream.entry(stream).or_default().push_back(name);
    }

    fn count(&self) -> usize {
        self.waiting.len() + self.by_name.len()
    }

    /// The stream of a channel, while it is its own.
    fn stream(&self, name: ChannelId) -> Option<StreamName> {
        let stream = *self.by_name.get(&name)?;
        let user = self.by_stream.get(&stream)?.back();
        (user == Some(&name)).then_some(stream)
    }

    /// The name of a stream's channel; a new one for a channel that the peer opens.
    fn of_stream(&mut self, stream: StreamName) -> ChannelId {
        if let Some(name) = self.by_stream.get(&stream).and_then(|users| users.front()) {
            return *name;
        }
        let name = self.name();
        self.bind(name, stream);
        name
    }

    fn remove(&mut self, stream: StreamName) -> ChannelId {
        let name = self.of_stream(stream);
        self.by_name.remove(&name);
        if let Some(users) = self.by_stream.get_mut(&stream) {
            users.pop_front();
            if users.is_empty() {
                self.by_stream.remove(&stream);
            }
        }
        name
    }
}

impl Peer {
    /// Opens a channel, at once or as soon as the connection is there; `ChannelOpened` says when it can be used. The next
    /// offer has a section for data.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_channel(&mut self, now: Instant, config: ChannelConfig) -> Result<ChannelId, OpenError> {
        if self.life != Life::Open {
            return Err(OpenError::Closed);
        }
        let limit = self.config.max_channels;
        if self.channels.count() >= limit {
            return Err(OpenError::TooMany { limit });
        }
        let name = match &mut self.association {
            Some(association) => {
                let stream = association.open(now, config)?;
                let name = self.channels.name();
                self.channels.bind(name, stream);
                name
            }
            None => {
                check_lengths(&config)?;
                let name = self.channels.name();
                self.channels.waiting.push_back((name, config));
                name
            }
        };
        self.negotiator.add_data();
        self.look_at_association(now);
        Ok(name)
    }

    /// Opens what was wanted before it could be.
    pub(super) fn open_waiting_channels(&mut self, now: Instant) {
        let Some(association) = &mut self.association else { return };
        while let Some((name, config)) = self.channels.waiting.pop_front() {
            match association.open(now, config) {
                Ok(stream) => self.channels.bind(name, stream),
                Err(_) => self
                    .events
                    .push(Event::ChannelClosed { channel: name, reason: ChannelCloseReason::Refused }),
            }
        }
    }

    /// Sends one message. It is kept until it is acknowledged or abandoned.
    ///
    /// # Errors
    /// [`MessageError`]; `Full` is back-pressure, and [`Event::Writable`] says when there is room.
    pub fn send_message(
        &mut self,
        now: Instant,
        channel: ChannelId,
        kind: MessageKind,
        message: &[u8],
    ) -> Result<(), MessageError> {
        let Some(stream) = self.channels.stream(channel) else {
            let waits = self.channels.waiting.iter().any(|(name, _)| *name == channel);
            return Err(if waits { MessageError::NotOpen } else { MessageError::NoSuchChannel });
        };
        let association = self.association.as_mut().ok_or(MessageError::NoSuchChannel)?;
        association.send_message(now, stream, kind, message)?;
        self.look_at_association(now);
        Ok(())
    }

    /// Sends one message of text.
    ///
    /// # Errors
    /// As for [`send_message`](Self::send_message).
    pub fn send_text(&mut self, now: Instant, channel: ChannelId, text: &str) -> Result<(), MessageError> {
        self.send_message(now, channel, MessageKind::Text, text.as_bytes())
    }

    /// Octets of messages that were accepted on this channel and are neither acknowledged nor abandoned.
    #[must_use]
    pub fn buffered_amount(&self, channel: ChannelId) -> usize {
        let stream = self.channels.stream(channel);
        let amount = |association: &Association| Some(association.buffered_amount(stream?));
        self.association.as_ref().and_then(amount).unwrap_or(0)
    }

    /// Sets when [`Event::BufferedAmountLow`] is said.
    pub fn set_buffered_amount_low_threshold(&mut self, channel: ChannelId, octets: usize) {
        if let (Some(association), Some(stream)) = (&mut self.association, self.channels.stream(channel)) {
            association.set_buffered_amount_low_threshold(stream, octets);
        }
    }

    /// Closes a channel once what was sent on it has arrived; `ChannelClosed` says when.
    pub fn close_channel(&mut self, now: Instant, channel: ChannelId) {
        if let Some(at) = self.channels.waiting.iter().position(|(name, _)| *name == channel) {
            self.channels.waiting.remove(at);
            self.events.push(Event::ChannelClosed { channel, reason: ChannelCloseReason::Local });
        }
        if let (Some(association), Some(stream)) = (&mut self.association, self.channels.stream(channel)) {
            association.close_channel(now, stream);
        }
        self.look_at_association(now);
    }

    /// What has come of a call into SCTP, as far as there is room for it. Whether anything has.
    pub(super) fn look_at_association(&mut self, now: Instant) -> bool {
        let mut any = false;
        while self.events.has_room(self.config.max_message_size) && self.take_association_event(now) {
            any = true;
        }
        any
    }

    /// All of it, before the association goes: what was received and acknowledged is not lost.
    pub(super) fn drain_association(&mut self, now: Instant) {
        while self.take_association_event(now) {}
    }

    fn take_association_event(&mut self, now: Instant) -> bool {
        let Some(event) = self.association.as_mut().and_then(Association::poll_event) else { return false };
        let told = match event {
            DataEvent::Connected => {
                self.phases.sctp.get_or_insert(now);
                Event::DataReady
            }
            DataEvent::ChannelOpened { channel, config, opener } => {
                Event::ChannelOpened { channel: self.channels.of_stream(channel), config, opener }
            }
            DataEvent::Message { channel, kind, data } => {
                Event::Message { channel: self.channels.of_stream(channel), kind, data }
            }
            DataEvent::BufferedAmountLow { channel } => {
                Event::BufferedAmountLow { channel: self.channels.of_stream(channel) }
            }
            DataEvent::Writable { channel } => Event::Writable { channel: self.channels.of_stream(channel) },
            DataEvent::ChannelClosed { channel, reason } => {
                Event::ChannelClosed { channel: self.channels.remove(channel), reason }
            }
            DataEvent::Closed { reason } => {
                self.association_closed(now, reason);
                return true;
            }
            _ => return true,
        };
        self.events.push(told);
        true
    }

    /// Messages are over. Where there was nothing else, so is the connection: a browser that closes ends SCTP first, and
    /// some say nothing after it.
    fn association_closed(&mut self, now: Instant, reason: CloseReason) {
        if self.has_media() {
            return;
        }
        match reason {
            CloseReason::Aborted => {}
            CloseReason::Local | CloseReason::Remote | CloseReason::AbortedByPeer(_) => {
                self.begin_closing(now, Closed::Remote);
            }
            failed => self.fail(now, Failure::Data(failed)),
        }
    }

    /// Channels that will never open.
    pub(super) fn forget_waiting_channels(&mut self) {
        for (channel, _) in std::mem::take(&mut self.channels.waiting) {
            self.events.push(Event::ChannelClosed { channel, reason: ChannelCloseReason::AssociationClosed });
        }
    }
}

/// What the association will refuse is refused now, where the caller sees why.
fn check_lengths(config: &ChannelConfig) -> Result<(), RefusedOpen> {
    let fits = |text: &str| u16::try_from(text.len()).is_ok();
    match (fits(&config.label), fits(&config.protocol)) {
        (true, true) => Ok(()),
        (false, _) => Err(RefusedOpen::LabelTooLong),
        (true, false) => Err(RefusedOpen::ProtocolTooLong),
    }
}
