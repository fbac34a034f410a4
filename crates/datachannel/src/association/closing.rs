//! Closing channels by stream resets (RFC 8831 section 6.7, RFC 6525), and closing the association.

use super::{Association, ChannelState, State};
use crate::association::{ChannelCloseReason, ChannelId, CloseReason, Event, Opener};

/// Streams in one reset request: two octets each, so the chunk fits the least MTU.
const RESETS_AT_ONCE: usize = 200;

impl Association {
    /// Begins to close a channel: our reset is asked for as soon as there is a place.
    pub(super) fn begin_close(&mut self, id: u16, reason: ChannelCloseReason) {
        let Some(channel) = self.channels.get_mut(&id) else { return };
        match channel.state {
            ChannelState::Closing(_) => {}
            // Nobody knows of it.
            ChannelState::Opening => self.forget(id, reason),
            ChannelState::Open => {
                channel.state = ChannelState::Closing(reason);
                self.starved.remove(&id);
                self.to_reset.push_back(id);
            }
        }
    }
    /// Resets a stream that has no channel.
    pub(super) fn refuse(&mut self, id: u16) {
        if !self.resetting.contains(&id) && !self.to_reset.contains(&id) {
            self.to_reset.push_back(id);
        }
    }
    /// Asks for resets, a limited number at once. Only an established association has them.
    pub(super) fn issue_resets(&mut self) {
        if self.state != State::Connected {
            return;
        }
        while self.resetting.len() < RESETS_AT_ONCE
            && let Some(id) = self.to_reset.pop_front()
        {
            let can = self.session.can_reset();
            if can && self.session.plane().is_some_and(|plane| plane.reset(id)) {
                self.resetting.insert(id);
            } else {
                // Without RFC 6525 a stream cannot be used again.
                self.spoiled.insert(id);
                self.finish_close(id);
            }
        }
    }
    /// The peer reset its side: the data plane resets ours in answer.
    pub(super) fn on_reset_by_peer(&mut self, id: u16) {
        self.to_reset.retain(|waiting| *waiting != id);
        self.resetting.insert(id);
        self.early.remove(&id);
        let Some(channel) = self.channels.get_mut(&id) else { return };
        if !matches!(channel.state, ChannelState::Closing(_)) {
            let refused = channel.opener == Opener::Local && !channel.answered;
            let reason = if refused { ChannelCloseReason::Refused } else { ChannelCloseReason::Remote };
            channel.state = ChannelState::Closing(reason);
        }
    }
    /// Both sides are reset.
    pub(super) fn on_reset_done(&mut self, id: u16, succeeded: bool) {
        self.resetting.remove(&id);
        if !succeeded {
            self.spoiled.insert(id);
        }
        self.finish_close(id);
    }
    fn finish_close(&mut self, id: u16) {
        if let Some(ChannelState::Closing(reason)) = self.channels.get(&id).map(|channel| channel.state) {
            self.forget(id, reason);
        }
    }
    /// Takes a channel out of the table, and says so.
    pub(super) fn forget(&mut self, id: u16, reason: ChannelCloseReason) {
        let Some(channel) = self.channels.remove(&id) else { return };
        self.buffered = self.buffered.saturating_sub(channel.buffered);
        self.active.remove(&id);
        self.starved.remove(&id);
        self.deferred.retain(|deferred| deferred.channel() != id);
        self.session.stats.channels_closed += 1;
        self.events.push_back(Event::ChannelClosed { channel: ChannelId(id), reason });
    }
    /// The association is over.
    pub(super) fn on_over(&mut self, reason: CloseReason) {
        self.state = State::Closed;
        while let Some((id, channel)) = self.channels.first_key_value() {
            let reason = match channel.state {
                ChannelState::Closing(reason) => reason,
                _ => ChannelCloseReason::AssociationClosed,
            };
            self.forget(*id, reason);
        }
        self.early.clear();
        self.readable.clear();
        self.to_reset.clear();
        self.resetting.clear();
        self.events.push_back(Event::Closed { reason });
    }
}
