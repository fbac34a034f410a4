//! How an association comes up (RFC 9260 section 5, draft-hancke-tsvwg-snap): both ends may send INIT at once.
//!
//! The whole TCB of RFC 9260 section 5.1.3 need not hide in the cookie: DTLS has proven the peer, so one answered INIT is
//! kept, and the cookie is 32 random octets that name it.

use super::{DataPlane, News, Session, State, Timer, wire};
use crate::association::{CloseReason, InitError};
use ginnel_core::Instant;
use wire::{Init, kind};

/// RFC 9260 section 3.3.10.3.
const STALE_COOKIE: u16 = 3;

/// An INIT that was answered.
#[derive(Debug)]
pub(super) struct Offer {
    remote: Init,
    cookie: [u8; 32],
}

impl Session {
    pub(crate) fn start(&mut self, now: Instant) {
        if !matches!(self.state, State::Listening) {
            return;
        }
        if let Some(remote) = self.signalled
            && self.connect_plane(remote)
        {
            return self.establish();
        }
        self.state = State::CookieWait;
        self.say_init(now);
    }
    pub(crate) fn set_remote_init(&mut self, chunk: &[u8]) -> Result<(), InitError> {
        if !matches!(self.state, State::Listening) {
            return Err(InitError::Started);
        }
        if chunk.first() != Some(&kind::INIT) {
            return Err(InitError::Malformed { offset: 0 });
        }
        let (remote, _) = Init::parse(chunk).map_err(|offset| InitError::Malformed { offset })?;
        if remote.tag == self.local.tag {
            return Err(InitError::OurOwn);
        }
        self.signalled = Some(remote);
        Ok(())
    }
    fn say_init(&mut self, now: Instant) {
        let chunk = self.local_chunk.clone();
        self.say(0, &chunk);
        self.start_timer(Timer::Init, now);
    }

    /// RFC 9260 sections 5.1 B and 5.2.1: the answer bears the tag and the TSN of our own INIT.
    pub(super) fn on_init(&mut self, chunk: &[u8]) {
        if !matches!(self.state, State::Listening | State::CookieWait | State::CookieEchoed { .. }) {
            // Section 5.2.2 would prepare a restart. Whoever restarts comes with a new DTLS connection; a late copy of an
            // INIT must not shake what is established.
            self.stats.ignored_chunks += 1;
            return;
        }
        let Some((remote, _)) = Init::parse(chunk).ok().filter(|(remote, _)| remote.tag != self.local.tag)
        else {
            self.stats.malformed_packets += 1;
            return;
        };
        let cookie = match &self.offer {
            Some(offer) if offer.remote == remote => offer.cookie,
            _ => self.rng.octets(),
        };
        self.offer = Some(Offer { remote, cookie });
        let answer = self.local.chunk(kind::INIT_ACK, Some(&cookie));
        self.say(remote.tag, &answer);
    }
    /// RFC 9260 section 5.1 C; in other states it is discarded (section 5.2.3).
    pub(super) fn on_init_ack(&mut self, now: Instant, chunk: &[u8]) {
        if !matches!(self.state, State::CookieWait) {
            self.stats.ignored_chunks += 1;
            return;
        }
        let parsed = Init::parse(chunk).ok().filter(|(remote, _)| remote.tag != self.local.tag);
        let Some((remote, Some(cookie))) = parsed else {
            self.stats.malformed_packets += 1;
            return;
        };
        if !self.connect_plane(remote) {
            return;
        }
        self.timers[Timer::Init as usize] = None;
        self.retries = 0;
        self.state = State::CookieEchoed { cookie: cookie.to_vec(), due: true, flown: false };
        self.start_timer(Timer::Cookie, now);
    }
    /// RFC 9260 sections 5.1 D and 5.2.4: the cookie names the INIT that we answered last.
    pub(super) fn on_cookie_echo(&mut self, cookie: &[u8]) {
        let Some(remote) =
            self.offer.as_ref().filter(|offer| offer.cookie == cookie).map(|offer| offer.remote)
        else {
            self.stats.ignored_chunks += 1;
            return;
        };
        let connected = match self.state {
            State::Over => return,
            State::Listening | State::CookieWait | State::CookieEchoed { .. } => {
                self.connect_plane(remote) && {
                    self.establish();
                    true
                }
            }
            // Its COOKIE ACK was lost: case D of section 5.2.4.
            _ => true,
        };
        if connected {
            self.say(remote.tag, &wire::chunk_of(kind::COOKIE_ACK, 0, &[]));
        }
    }
    pub(super) fn on_cookie_ack(&mut self) {
        match self.state {
            State::CookieEchoed { .. } => self.establish(),
            _ => self.stats.ignored_chunks += 1,
        }
    }
    /// An ERROR changes nothing (RFC 9260 section 3.3.10), but for a stale cookie: section 5.2.6, the first choice.
    pub(super) fn on_error(&mut self, now: Instant, value: &[u8]) {
        self.stats.errors_received += 1;
        if matches!(self.state, State::CookieEchoed { .. }) && wire::cause(value) == STALE_COOKIE {
            self.timers[Timer::Cookie as usize] = None;
            self.state = State::CookieWait;
            self.say_init(now);
        }
    }
    pub(super) fn retry_handshake(&mut self, now: Instant) {
        self.retries += 1;
        if self.config.max_init_retransmits.is_some_and(|most| self.retries > most) {
            return self.over(CloseReason::HandshakeTimedOut);
        }
        self.stats.control_retransmissions += 1;
        match &mut self.state {
            State::CookieWait => self.say_init(now),
            State::CookieEchoed { due, .. } => {
                *due = true;
                self.start_timer(Timer::Cookie, now);
            }
            _ => {}
        }
    }

    /// The COOKIE ECHO, and behind it what fits of the first flight of data (RFC 9260 section 5.1 C): so the first message
    /// leaves one round trip earlier.
    pub(super) fn cookie_echo(&mut self, now: Instant) -> Vec<u8> {
        let State::CookieEchoed { cookie, due, flown } = &mut self.state else { return Vec::new() };
        *due = false;
        let first = !core::mem::replace(flown, true);
        let echo = wire::chunk_of(kind::COOKIE_ECHO, 0, cookie);
        if first {
            self.refill(now);
        }
        let header = self.header(self.remote.map_or(0, |remote| remote.tag));
        let room = self.config.packet_limit().saturating_sub(echo.len().next_multiple_of(4));
        match self.outgoing.front() {
            Some(data) if first && data.len() <= room => {
                let packet = header.packet([&echo[..], data.get(wire::HEADER..).unwrap_or_default()]);
                self.outgoing.pop_front();
                packet
            }
            _ => header.packet([&echo[..]]),
        }
    }
    /// Makes the data plane for this peer, unless it is there. What was sent into an older one is sent again into this.
    /// Where both ends began, the peer's INIT and its INIT ACK may differ in the streams that they announce: the same tag is
    /// the same association (RFC 9260 section 5.2.4, case D), and what it has received so far stays received.
    fn connect_plane(&mut self, remote: Init) -> bool {
        let same = |have: Init| (have.tag, have.tsn) == (remote.tag, remote.tsn);
        if self.plane.is_some() && self.remote.is_some_and(same) {
            return true;
        }
        let Some(plane) = DataPlane::new(&self.config, &self.local, &remote) else {
            self.stats.malformed_packets += 1;
            return false;
        };
        self.plane = Some(plane);
        self.remote = Some(remote);
        self.acknowledged = remote.tsn.wrapping_sub(1);
        self.outgoing.clear();
        self.news.push_back(News::PlaneReady);
        true
    }
    fn establish(&mut self) {
        self.state = State::Established;
        self.timers = [None; 4];
        self.retries = 0;
        self.news.push_back(News::Established);
    }
}
