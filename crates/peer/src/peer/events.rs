//! What waits for the user to poll it. Bounded, although only a user who stops polling can fill it.
//!
//! Messages are left in the association while enough of them wait here: there they hold back the peer by SCTP's receive
//! window. All other events are few; where they are not, because nobody polls, the oldest news makes room for newer.

use std::collections::VecDeque;

use crate::Event;

/// How many events wait for their user. More than a peer says between two drains.
pub(super) const MAX_EVENTS: usize = 256;

/// The queue of events.
#[derive(Debug, Default)]
pub(super) struct Events {
    queue: VecDeque<Event>,
    /// Octets of the messages in it.
    octets: usize,
    /// How many events made room for others.
    pub(super) dropped: u64,
}

impl Events {
    pub(super) fn push(&mut self, event: Event) {
        if self.queue.len() >= MAX_EVENTS {
            self.make_room();
        }
        if let Event::Message { data, .. } = &event {
            self.octets += data.len();
        }
        self.queue.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        if let Event::Message { data, .. } = &event {
            self.octets -= data.len();
        }
        Some(event)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether the association may hand over one more: half of the places are for the others.
    pub(super) fn has_room(&self, octets: usize) -> bool {
        self.queue.len() < MAX_EVENTS / 2 && self.octets < octets
    }

    /// The oldest news goes; what was received, and what became of channels, stays.
    fn make_room(&mut self) {
        let is_news = |event: &Event| {
            matches!(
                event,
                Event::LocalCandidate(_)
                    | Event::IceState(_)
                    | Event::State(_)
                    | Event::Negotiated
                    | Event::BufferedAmountLow { .. }
                    | Event::Writable { .. }
            )
        };
        if let Some(at) = self.queue.iter().position(is_news) {
            self.queue.remove(at);
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConnectionState;

    #[test]
    fn the_oldest_news_makes_room_and_is_counted() {
        let mut events = Events::default();
        events.push(Event::DataReady);
        for _ in 1..MAX_EVENTS {
            events.push(Event::State(ConnectionState::Connected));
        }
        assert_eq!((events.queue.len(), events.dropped), (MAX_EVENTS, 0));
        events.push(Event::State(ConnectionState::Closed));
        assert_eq!((events.queue.len(), events.dropped), (MAX_EVENTS, 1));
        assert_eq!(events.pop(), Some(Event::DataReady), "what cannot be known again stays");
        let last = std::iter::from_fn(|| events.pop()).last();
        assert_eq!(last, Some(Event::State(ConnectionState::Closed)));
    }

    #[test]
    fn messages_are_taken_up_to_a_number_and_a_size() {
        let message = |len: usize| Event::Message {
            channel: crate::ChannelId::default(),
            kind: crate::MessageKind::Binary,
            data: vec![0; len].into(),
        };
        let mut events = Events::default();
        events.push(message(999));
        assert!(events.has_room(1_000));
        events.push(message(1));
        assert!(!events.has_room(1_000));
        assert!(events.pop().is_some());
        assert!(events.has_room(1_000), "and again once one was polled");
        while events.queue.len() < MAX_EVENTS / 2 {
            assert!(events.has_room(1_000));
            events.push(Event::DataReady);
        }
        assert!(!events.has_room(1_000));
    }
}
