//! What came of a tell: news of the association, resets, messages and DCEP.

use super::{Association, Channel, ChannelState, MessageKind, State};
use crate::{
    association::{ChannelCloseReason, ChannelConfig, ChannelId, Event, Opener},
    dcep,
    sctp::{Happening, News, Ppid},
};
use bytes::Bytes;

/// Events that may wait to be polled before nothing more is read.
const EVENTS: usize = 8192;
/// What is kept of messages on streams that have no channel: the application may be about to open an agreed one.
const EARLY_MESSAGES: usize = 64;
/// The same, in octets.
const EARLY_OCTETS: usize = 65_536;

impl Association {
    /// Looks at all that a tell or a command has changed.
    pub(super) fn absorb(&mut self, now: ginnel_core::Instant) {
        self.take_news();
        self.read();
        self.refresh_buffered();
        self.issue_resets();
        // What is acknowledged but unread would be lost with the association: it is read first.
        let idle = self.active.is_empty() && self.buffered == 0 && self.readable.is_empty();
        if self.state == State::Closing && idle && self.session.has_plane() {
            self.session.drained(now);
        }
        self.take_news();
    }
    fn take_news(&mut self) {
        while let Some(news) = self.session.poll_news() {
            match news {
                News::PlaneReady => self.fill_plane(),
                News::Established => {
                    if self.state == State::Connecting {
                        self.state = State::Connected;
                    }
                    self.events.push_back(Event::Connected);
                    self.settle_deferred();
                }
                News::PeerShutsDown => self.state = State::Closing,
                News::Over(reason) => self.on_over(reason),
            }
        }
    }
    /// Reads messages while there is room for their events, and follows the resets between them.
    pub(super) fn read(&mut self) {
        loop {
            while let Some(happening) = self.session.plane().and_then(|plane| plane.poll()) {
                match happening {
                    Happening::Readable(id) => _ = self.readable.insert(id),
                    Happening::ResetByPeer(id) => self.on_reset_by_peer(id),
                    Happening::ResetDone(id) => self.on_reset_done(id, true),
                    Happening::ResetFailed(id) => self.on_reset_done(id, false),
                    Happening::Lost(loss) => {
                        self.session.lose(loss);
                        return self.take_news();
                    }
                }
            }
            if self.events.len() >= EVENTS || self.queued >= self.config.window() as usize {
                return;
            }
            let Some(id) = self.readable.first().copied() else { return };
            match self.session.plane().and_then(|plane| plane.read(id)) {
                Some((ppid, octets)) => self.on_message(id, ppid, octets),
                None => _ = self.readable.remove(&id),
            }
        }
    }
    fn on_message(&mut self, id: u16, ppid: Ppid, octets: Bytes) {
        if ppid == Ppid::Dcep {
            return self.on_dcep(id, &octets);
        }
        let Some(channel) = self.channels.get_mut(&id) else { return self.keep_early(id, ppid, octets) };
        if !core::mem::replace(&mut channel.answered, true) {
            self.set_delivery(id);
        }
        let (kind, data) = match ppid {
            Ppid::Text => (MessageKind::Text, octets),
            Ppid::Binary => (MessageKind::Binary, octets),
            // RFC 8831 section 6.6: the octet that carries it is ignored.
            Ppid::TextEmpty => (MessageKind::Text, Bytes::new()),
            Ppid::BinaryEmpty => (MessageKind::Binary, Bytes::new()),
            // RFC 8831 section 6.6 would close the channel; one message of a PPID that we do not know is dropped, so that
            // the deprecated 52 and 54 do no more harm than that.
            Ppid::Other | Ppid::Dcep => {
                self.session.stats.messages_dropped += 1;
                return;
            }
        };
        self.session.stats.messages_received += 1;
        self.session.stats.message_bytes_received += data.len() as u64;
        self.queued += data.len();
        self.events.push_back(Event::Message { channel: ChannelId(id), kind, data });
    }
    /// RFC 8832 section 6 calls user data on an unused stream an error; but where a channel is agreed on out of band, the
    /// peer may simply have been faster. What goes beyond a small bound closes the stream, as the RFC says.
    fn keep_early(&mut self, id: u16, ppid: Ppid, octets: Bytes) {
        let (messages, size) =
            self.early.values().flatten().fold((0, 0), |(n, sum), (_, m)| (n + 1, sum + m.len()));
        if messages < EARLY_MESSAGES && size + octets.len() <= EARLY_OCTETS && !self.resetting.contains(&id) {
            return self.early.entry(id).or_default().push((ppid, octets));
        }
        self.session.stats.messages_dropped += 1;
        if !self.resetting.contains(&id) {
            self.refuse(id);
        }
    }
    /// Delivers what came before its channel was opened.
    pub(super) fn deliver_early(&mut self, id: u16) {
        for (ppid, octets) in self.early.remove(&id).unwrap_or_default() {
            self.on_message(id, ppid, octets);
        }
    }

    fn on_dcep(&mut self, id: u16, octets: &[u8]) {
        let known = self.channels.contains_key(&id);
        match dcep::Message::parse(octets) {
            Ok(dcep::Message::Open(config)) if !known && id % 2 != self.config.role.parity() => {
                self.on_open(id, config);
            }
            Ok(dcep::Message::Ack) if known => self.on_ack(id),
            // RFC 8832 section 6: malformed, of unknown type, on a stream in use or of our parity: the channel is closed.
            _ => {
                self.session.stats.dcep_violations += 1;
                if known {
                    self.begin_close(id, ChannelCloseReason::PeerViolatedProtocol);
                } else {
                    self.refuse(id);
                }
            }
        }
    }
    fn on_open(&mut self, id: u16, config: ChannelConfig) {
        if self.resetting.contains(&id) || self.to_reset.contains(&id) {
            return;
        }
        if self.state != State::Connected && self.state != State::Connecting
            || self.channels.len() >= self.config.max_channels
        {
            self.session.stats.channels_refused += 1;
            return self.refuse(id);
        }
        self.session.stats.channels_accepted += 1;
        self.channels.insert(id, Channel::new(config, Opener::Remote, ChannelState::Open));
        self.set_delivery(id);
        self.acknowledge(id);
        self.announce(id);
        self.deliver_early(id);
    }
    /// An ACK that nobody waits for is counted, and changes nothing.
    fn on_ack(&mut self, id: u16) {
        match self.channels.get_mut(&id) {
            Some(channel) if channel.opener == Opener::Local && !channel.answered => {
                channel.answered = true;
                self.set_delivery(id);
            }
            _ => self.session.stats.dcep_violations += 1,
        }
    }
}
