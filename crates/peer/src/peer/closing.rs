//! How a peer ends: top down, staged through the drains (rule 10 of the contract).

use ginnel_core::Instant;
use ginnel_datachannel::Association;
use ginnel_dtls_srtp::Session;

use super::Peer;
use crate::{Closed, Event, Failure};

/// From the first call to the last drain.
///
/// ```text
/// Open --close, a goodbye of the peer, a failure--> Closing --everything drained--> Closed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    /// Goodbyes are being written, top down: SCTP, then DTLS, then ICE.
    Closing(Closed),
    Closed,
}

impl Peer {
    /// Ends the connection politely: SCTP and DTLS tell the peer, as far as there is a path, then the sockets are given back.
    /// Settle once more after it. What was not acknowledged by then may be lost.
    pub fn close(&mut self, now: Instant) {
        self.begin_closing(now, Closed::Local);
    }

    /// Whether it has ended: the last event was polled, and the driver has been asked to take the sockets back.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.life == Life::Closed && self.events.is_empty() && self.agent.is_closed()
    }

    /// A failure that no restart of ICE mends.
    pub(super) fn fail(&mut self, now: Instant, failure: Failure) {
        if self.life == Life::Open {
            self.events.push(Event::Failed(failure));
            self.begin_closing(now, Closed::Failed);
        }
    }

    /// Says goodbye in the uppermost layer; [`Peer::go_on_closing`] goes on downward as each has been drained.
    pub(super) fn begin_closing(&mut self, now: Instant, why: Closed) {
        if self.life != Life::Open {
            return;
        }
        self.life = Life::Closing(why);
        self.update_state();
        self.drain_association(now);
        if let Some(association) = &mut self.association {
            association.abort(now);
        }
        self.drain_association(now);
        if self.agent.selected().is_none() {
            // There is no way to tell anybody.
            self.finish(now);
        }
    }

    /// Called when nothing more is to be sent: the layer above has said what it had to say. True if the next one may have
    /// something to say now.
    pub(super) fn go_on_closing(&mut self, now: Instant) -> bool {
        if !matches!(self.life, Life::Closing(_)) {
            return false;
        }
        match self.session.as_mut().filter(|session| session.is_connected()) {
            Some(session) => {
                session.close(now);
                self.look_at_session(now);
            }
            None => self.finish(now),
        }
        true
    }

    /// The layers above ICE end at once; their counters stay.
    pub(super) fn end_sessions(&mut self, now: Instant) {
        self.drain_association(now);
        if let Some(association) = &mut self.association {
            association.abort(now);
        }
        self.drain_association(now);
        let counted = self.stats();
        (self.stats.session, self.stats.data) = (counted.session, counted.data);
        (self.session, self.association) = (None::<Session>, None::<Association>);
    }

    fn finish(&mut self, now: Instant) {
        let Life::Closing(why) = self.life else { return };
        self.end_sessions(now);
        self.forget_waiting_channels();
        self.life = Life::Closed;
        self.was_read = false;
        self.negotiator.close();
        self.agent.close(now);
        self.look_at_agent(now);
        self.events.push(Event::Closed(why));
    }
}
