//! Opening, sending and what is buffered.

use super::{
    Association, Channel, ChannelConfig, ChannelState, MessageKind, OpenError, Reliability, SendError, State,
};
use crate::{
    association::{ChannelCloseReason, ChannelId, Event},
    dcep,
    sctp::Ppid,
};
use bytes::Bytes;

/// What was asked for before the association was established. It stays until then: a handshake that has to begin again
/// makes a new data plane, which is told everything anew.
#[derive(Clone, Debug)]
pub(super) enum Deferred {
    Open(u16),
    Send(u16, Ppid, Bytes),
}

impl Association {
    /// Everything that can forbid to open, and the identifier.
    pub(super) fn check_open(&self, config: &ChannelConfig) -> Result<u16, OpenError> {
        if matches!(self.state, State::Closing | State::Closed) {
            return Err(OpenError::Closed);
        }
        if config.label.len() > usize::from(u16::MAX) {
            return Err(OpenError::LabelTooLong);
        }
        if config.protocol.len() > usize::from(u16::MAX) {
            return Err(OpenError::ProtocolTooLong);
        }
        if matches!(config.reliability, Reliability::MaxLifetime(d) if d.as_millis() > u128::from(u32::MAX)) {
            return Err(OpenError::LifetimeTooLong);
        }
        let streams = self.session.stream_limit();
        if let Some(id) = config.negotiated {
            return match id {
                id if id >= streams => Err(OpenError::StreamIdInvalid(id)),
                id if self.is_taken(id) => Err(OpenError::StreamIdInUse(id)),
                id => self.within_limit(id),
            };
        }
        let parity = self.config.role.parity();
        let pairs = streams.saturating_sub(parity).div_ceil(2);
        let free = (0..pairs)
            .map(|i| {
                (self.next_pair.checked_rem(pairs).unwrap_or(0) as u32 + u32::from(i)) % u32::from(pairs)
            })
            .filter_map(|pair| u16::try_from(2 * pair).ok())
            .map(|even| even + parity)
            .find(|id| !self.is_taken(*id) && !self.early.contains_key(id));
        self.within_limit(free.ok_or(OpenError::StreamIdsExhausted)?)
    }
    fn within_limit(&self, id: u16) -> Result<u16, OpenError> {
        let limit = self.config.max_channels;
        if self.channels.len() < limit { Ok(id) } else { Err(OpenError::TooManyChannels { limit }) }
    }
    fn is_taken(&self, id: u16) -> bool {
        self.channels.contains_key(&id)
            || self.resetting.contains(&id)
            || self.spoiled.contains(&id)
            || self.to_reset.contains(&id)
    }

    /// Everything that can forbid to send.
    pub(super) fn check_send(&mut self, id: u16, length: usize) -> Result<(), SendError> {
        if matches!(self.state, State::Closing | State::Closed) {
            return Err(SendError::Closed);
        }
        match self.channels.get(&id).map(|channel| channel.state) {
            None => return Err(SendError::NoSuchChannel),
            Some(ChannelState::Closing(_)) => return Err(SendError::ChannelClosing),
            Some(ChannelState::Opening | ChannelState::Open) => {}
        }
        let limit = self.config.remote_max_message_size;
        if limit != 0 && length > limit {
            return Err(SendError::TooLarge { limit });
        }
        // A message longer than the whole buffer goes alone.
        if self.buffered != 0 && self.buffered.saturating_add(length.max(1)) > self.config.max_buffered {
            self.starved.insert(id);
            return Err(SendError::Full);
        }
        Ok(())
    }
    /// Takes a message that was checked.
    pub(super) fn accept_message(&mut self, id: u16, kind: MessageKind, message: &[u8]) {
        // RFC 8831 section 6.6: an empty message is one zero octet under a PPID of its own.
        let (ppid, octets) = match (kind, message.is_empty()) {
            (MessageKind::Text, false) => (Ppid::Text, message),
            (MessageKind::Text, true) => (Ppid::TextEmpty, &[0][..]),
            (MessageKind::Binary, false) => (Ppid::Binary, message),
            (MessageKind::Binary, true) => (Ppid::BinaryEmpty, &[0][..]),
        };
        if self.session.has_plane() {
            self.write(id, ppid, octets);
        } else if let Some(channel) = self.channels.get_mut(&id) {
            channel.waiting += octets.len();
        }
        if self.state == State::Connecting {
            self.deferred.push_back(Deferred::Send(id, ppid, Bytes::copy_from_slice(octets)));
        }
        self.buffered += octets.len();
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.buffered += octets.len();
            self.active.insert(id);
        }
    }
    /// Gives octets to the data plane.
    fn write(&mut self, id: u16, ppid: Ppid, octets: &[u8]) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        let Some(plane) = self.session.plane() else { return };
        if !plane.write(id, ppid, octets) {
            return;
        }
        let length = octets.len() as u64;
        if ppid == Ppid::Dcep && channel.written == 0 {
            channel.dcep = length;
        }
        channel.written += length;
        self.active.insert(id);
    }

    /// Makes a channel's stream, and tells the peer of it.
    pub(super) fn open_stream(&mut self, id: u16) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        channel.state = ChannelState::Open;
        (channel.written, channel.dcep) = (0, 0);
        let message =
            channel.config.negotiated.is_none().then(|| dcep::Message::Open(channel.config.clone()).write());
        if let Some(plane) = self.session.plane() {
            plane.open(id);
        }
        self.set_delivery(id);
        if let Some(open) = message {
            self.write(id, Ppid::Dcep, &open);
        }
    }
    pub(super) fn acknowledge(&mut self, id: u16) {
        self.write(id, Ppid::Dcep, &dcep::Message::Ack.write());
    }
    /// RFC 8832 section 6: everything goes ordered until the peer has answered.
    pub(super) fn set_delivery(&mut self, id: u16) {
        let Some(channel) = self.channels.get(&id) else { return };
        let (ordered, reliability) =
            (channel.config.ordered || !channel.answered, channel.config.reliability);
        if let Some(plane) = self.session.plane() {
            plane.set_delivery(id, ordered, reliability);
        }
    }
    /// Tells a new data plane all that was deferred.
    pub(super) fn fill_plane(&mut self) {
        let streams = self.session.stream_limit();
        let beyond: Vec<u16> = self.channels.range(streams..).map(|(id, _)| *id).collect();
        for id in beyond {
            self.forget(id, ChannelCloseReason::Refused);
        }
        for deferred in self.deferred.clone() {
            match deferred {
                Deferred::Open(id) => self.open_stream(id),
                Deferred::Send(id, ppid, octets) => self.write(id, ppid, &octets),
            }
        }
        for channel in self.channels.values_mut() {
            channel.waiting = 0;
        }
    }
    /// The association is up: what was deferred is in the plane for good.
    pub(super) fn settle_deferred(&mut self) {
        for deferred in core::mem::take(&mut self.deferred) {
            if let Deferred::Open(id) = deferred {
                self.announce(id);
            }
        }
    }
    pub(super) fn announce(&mut self, id: u16) {
        if let Some(Channel { config, opener, state: ChannelState::Open, .. }) = self.channels.get(&id) {
            let (config, opener) = (config.clone(), *opener);
            self.events.push_back(Event::ChannelOpened { channel: ChannelId(id), config, opener });
        }
    }

    /// Looks at what has been acknowledged or abandoned since.
    pub(super) fn refresh_buffered(&mut self) {
        let Some(plane) = self.session.plane() else { return };
        let (channels, events, buffered) = (&mut self.channels, &mut self.events, &mut self.buffered);
        self.active.retain(|id| {
            let Some(channel) = channels.get_mut(id) else { return false };
            let left = plane.buffered(*id);
            // DCEP's octets were the first: as many as were acknowledged are off its part.
            let dcep = channel.dcep.saturating_sub(channel.written.saturating_sub(left as u64));
            let now = left.saturating_sub(dcep as usize) + channel.waiting;
            let before = core::mem::replace(&mut channel.buffered, now);
            *buffered = (*buffered + now).saturating_sub(before);
            if before > channel.low_threshold && now <= channel.low_threshold {
                events.push_back(Event::BufferedAmountLow { channel: ChannelId(*id) });
            }
            left > 0
        });
        if !self.starved.is_empty() && self.buffered <= self.config.max_buffered / 2 {
            for id in core::mem::take(&mut self.starved) {
                if self.channels.contains_key(&id) {
                    self.events.push_back(Event::Writable { channel: ChannelId(id) });
                }
            }
        }
    }
}
impl Deferred {
    /// Whose it is.
    pub(super) const fn channel(&self) -> u16 {
        match self {
            Self::Open(id) | Self::Send(id, ..) => *id,
        }
    }
}
