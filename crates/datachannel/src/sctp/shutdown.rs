//! How an association ends (RFC 9260 section 9): by SHUTDOWN, once everything is acknowledged, or by ABORT.

use super::{Loss, News, Session, State, Timer, wire};
use crate::association::CloseReason;
use ginnel_core::Instant;
use wire::kind;

/// RFC 9260 section 3.3.10: User-Initiated Abort, Protocol Violation, Out of Resource, each without more to say.
const USER_INITIATED: [u8; 4] = [0, 12, 0, 4];
const PROTOCOL_VIOLATION: [u8; 4] = [0, 13, 0, 4];
const OUT_OF_RESOURCE: [u8; 4] = [0, 4, 0, 4];

impl Session {
    /// Begins to close: SHUTDOWN is sent when `drained` says that all is acknowledged.
    pub(crate) fn shutdown(&mut self, now: Instant) {
        match self.state {
            State::Established => {
                self.state = State::ShutdownPending;
                self.ours = true;
                self.start_guard(now);
            }
            // Nothing has been promised to anyone yet.
            State::Listening | State::CookieWait | State::CookieEchoed { .. } => {
                self.say_abort(USER_INITIATED);
                self.over(CloseReason::Local);
            }
            _ => {}
        }
    }
    /// All that was sent is acknowledged.
    pub(crate) fn drained(&mut self, now: Instant) {
        match self.state {
            State::ShutdownPending => {
                self.state = State::ShutdownSent;
                self.say_shutdown(now);
            }
            State::ShutdownReceived => self.say_shutdown_ack(now),
            _ => {}
        }
    }
    pub(super) fn on_shutdown(&mut self, now: Instant) {
        match self.state {
            State::Established | State::ShutdownPending => {
                self.state = State::ShutdownReceived;
                self.start_guard(now);
                self.news.push_back(News::PeerShutsDown);
            }
            // RFC 9260 section 9.2: both at once; or our SHUTDOWN ACK was lost.
            State::ShutdownSent | State::ShutdownAckSent => self.say_shutdown_ack(now),
            _ => self.stats.ignored_chunks += 1,
        }
    }
    pub(super) fn on_shutdown_ack(&mut self) {
        match self.state {
            State::ShutdownSent | State::ShutdownAckSent => {
                let complete = self.remote.map(|r| {
                    self.header(r.tag).packet([&wire::chunk_of(kind::SHUTDOWN_COMPLETE, 0, &[])[..]])
                });
                self.over(self.ended());
                self.control.extend(complete);
            }
            _ => self.stats.ignored_chunks += 1,
        }
    }
    pub(super) fn on_shutdown_complete(&mut self) {
        match self.state {
            State::ShutdownAckSent => self.over(self.ended()),
            _ => self.stats.ignored_chunks += 1,
        }
    }
    pub(super) fn retry_shutdown(&mut self, now: Instant) {
        self.retries += 1;
        self.stats.control_retransmissions += 1;
        match self.state {
            State::ShutdownSent => self.say_shutdown(now),
            State::ShutdownAckSent => self.say_shutdown_ack(now),
            _ => {}
        }
    }
    /// Ends it now, and says so to the peer.
    pub(crate) fn abort(&mut self) {
        if !self.is_over() {
            self.say_abort(USER_INITIATED);
            self.over(CloseReason::Aborted);
        }
    }
    /// The data plane gave up.
    pub(crate) fn lose(&mut self, loss: Loss) {
        if self.is_over() {
            return;
        }
        let (cause, reason) = match loss {
            Loss::ProtocolViolated => (PROTOCOL_VIOLATION, CloseReason::PeerViolatedProtocol),
            Loss::ReceiveWindowExhausted => (OUT_OF_RESOURCE, CloseReason::ReceiveWindowExhausted),
        };
        self.say_abort(cause);
        self.over(reason);
    }

    fn say_shutdown(&mut self, now: Instant) {
        // RFC 9260 section 3.3.8: the cumulative TSN that we acknowledge.
        let chunk = wire::chunk_of(kind::SHUTDOWN, 0, &self.acknowledged.to_be_bytes());
        self.say_to_peer(&chunk);
        self.start_timer(Timer::Shutdown, now);
    }
    fn say_shutdown_ack(&mut self, now: Instant) {
        self.state = State::ShutdownAckSent;
        self.say_to_peer(&wire::chunk_of(kind::SHUTDOWN_ACK, 0, &[]));
        self.start_timer(Timer::Shutdown, now);
    }
    fn say_abort(&mut self, cause: [u8; 4]) {
        self.control.clear();
        self.say_to_peer(&wire::chunk_of(kind::ABORT, 0, &cause));
    }
    fn say_to_peer(&mut self, chunk: &[u8]) {
        if let Some(remote) = self.remote {
            self.say(remote.tag, chunk);
        }
    }
    fn start_guard(&mut self, now: Instant) {
        let guard = &mut self.timers[Timer::Guard as usize];
        *guard = guard.or(Some(now + self.config.shutdown_guard));
    }
    const fn ended(&self) -> CloseReason {
        if self.ours { CloseReason::Local } else { CloseReason::Remote }
    }
    /// What `control` still holds is sent; everything else is gone.
    pub(super) fn over(&mut self, reason: CloseReason) {
        if matches!(reason, CloseReason::AbortedByPeer(_) | CloseReason::HandshakeTimedOut) {
            self.control.clear();
        }
        self.state = State::Over;
        self.plane = None;
        self.outgoing.clear();
        self.timers = [None; 4];
        self.news.push_back(News::Over(reason));
    }
}

/// RFC 9260 section 9.2: a peer in SHUTDOWN-SENT acknowledges data by SHUTDOWN alone, where there are no gaps. The library
/// hears of it as a SACK. The peer reads nothing any more, so the window does not matter; it is that of a new association.
pub(super) fn as_sack(shutdown: &[u8]) -> Option<Vec<u8>> {
    let cumulative: &[u8; 4] = shutdown.first_chunk()?;
    let mut value = [0; 12];
    value[..4].copy_from_slice(cumulative);
    value[4..8].copy_from_slice(&LAST_WINDOW.to_be_bytes());
    Some(wire::chunk_of(kind::SACK, 0, &value))
}
/// RFC 9260 section 3.3.2: the least that a peer may announce is 1,500 octets; what flies to a closing peer needs more.
const LAST_WINDOW: u32 = 128 * 1024;
