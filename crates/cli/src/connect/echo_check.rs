//! Sends messages, and judges what comes back.

use std::fmt;

use ginnel::{
    core::Instant,
    datachannel::SendError,
    peer::{ChannelCloseReason, ChannelId, MessageError, MessageKind, Peer},
};

/// So many messages of such a size, each to come back as it went, in order.
#[derive(Debug)]
pub(super) struct EchoCheck {
    messages: u32,
    size: usize,
    channel: Option<ChannelId>,
    sent: u32,
    intact: u32,
    wrong: Option<String>,
    began: Option<Instant>,
    ended: Option<Instant>,
}

impl EchoCheck {
    pub(super) const fn new(messages: u32, size: usize) -> Self {
        Self { messages, size, channel: None, sent: 0, intact: 0, wrong: None, began: None, ended: None }
    }

    /// The channel is open.
    pub(super) fn begin(&mut self, now: Instant, peer: &mut Peer, channel: ChannelId) {
        self.channel = Some(channel);
        self.began = Some(now);
        if self.messages == 0 {
            self.ended = Some(now);
        }
        self.go_on(now, peer);
    }

    /// Sends until all are sent or the send buffer is full.
    pub(super) fn go_on(&mut self, now: Instant, peer: &mut Peer) {
        let Some(channel) = self.channel else { return };
        while self.sent < self.messages && self.wrong.is_none() {
            match peer.send_message(now, channel, MessageKind::Binary, &self.message(self.sent)) {
                Ok(()) => self.sent += 1,
                Err(MessageError::Refused(SendError::Full)) => return,
                Err(why) => self.wrong = Some(format!("message {} was not sent: {why}", self.sent)),
            }
        }
    }

    /// A channel is gone.
    pub(super) fn closed(&mut self, channel: ChannelId, reason: ChannelCloseReason) {
        if !self.is_done() && self.channel.is_none_or(|ours| ours == channel) {
            self.wrong = Some(format!("the channel closed before all was back: {reason:?}"));
        }
    }

    /// One has come back. What comes on channels that the peer opened is none of ours.
    pub(super) fn received(
        &mut self,
        now: Instant,
        peer: &mut Peer,
        channel: ChannelId,
        kind: MessageKind,
        data: &[u8],
    ) {
        if self.is_done() || self.channel != Some(channel) {
            return;
        }
        if kind != MessageKind::Binary {
            self.wrong = Some(format!("message {} was sent as binary and came back as text", self.intact));
        } else if data == self.message(self.intact) {
            self.intact += 1;
        } else {
            let (number, len) = (self.intact, data.len());
            self.wrong = Some(format!("message {number} came back as other {len} octets than were sent"));
        }
        if self.intact == self.messages {
            self.ended = Some(now);
        }
        self.go_on(now, peer);
    }

    pub(super) const fn is_done(&self) -> bool {
        self.ended.is_some() || self.wrong.is_some()
    }

    pub(super) fn verdict(&self) -> Result<(), String> {
        self.wrong.clone().map_or(Ok(()), Err)
    }

    /// Octets that differ from message to message and within each.
    fn message(&self, number: u32) -> Vec<u8> {
        let salt = number.wrapping_mul(0x9e37_79b9);
        (0..self.size as u32).map(|i| (i.wrapping_mul(31).wrapping_add(salt) >> 3) as u8).collect()
    }
}

impl fmt::Display for EchoCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, size, intact, .. } = self;
        write!(f, "{intact} of {messages} messages of {size} octets came back intact")?;
        if let (Some(began), Some(ended)) = (self.began, self.ended) {
            write!(f, ", in {:.1} ms", ended.saturating_since(began).as_secs_f64() * 1000.0)?;
        }
        Ok(())
    }
}
