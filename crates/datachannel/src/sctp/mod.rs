//! SCTP for one peer over DTLS (RFC 9260, RFC 8261): the life of an association around the library's data plane.
//!
//! ```text
//!            start                 INIT ACK                    COOKIE ACK
//!   Listening ----> CookieWait ----------------> CookieEchoed ------------.
//!       |               |                             |                   v
//!       '---------------'---- COOKIE ECHO ------------'-----------> Established
//!       '---- start, with the peer's INIT from signalling (SNAP) -------^ |
//!                                                                         |
//!   Established -- close --> ShutdownPending -- all acknowledged --> ShutdownSent ------- SHUTDOWN ACK --> Over
//!   Established -- SHUTDOWN --> ShutdownReceived -- all acknowledged --> ShutdownAckSent - COMPLETE -----> Over
//! ```
//!
//! The handshake (section 5) and the shutdown (section 9) are ours, in `handshake.rs` and `shutdown.rs`; DATA, SACK,
//! congestion, retransmission, partial reliability and stream resets are the library's, in `library.rs`. Why they are
//! divided so is recorded in `docs/design/sctp-choice.md`. Left out: several addresses, path MTU discovery, heartbeats of
//! our own (ICE consent does their work), the restart of an association by its peer (a new DTLS connection makes a new
//! association: RFC 8842), I-DATA (RFC 8260) and zero checksums (RFC 9653).

mod flight;
mod handshake;
mod library;
mod outgoing;
mod shutdown;
pub(crate) mod wire;

use crate::association::{AssociationConfig, CloseReason, Stats};
use bytes::Bytes;
use flight::Flight;
use ginnel_core::{Instant, Packet, Rng, Seed, Wake};
use handshake::Offer;
use std::{borrow::Cow, collections::VecDeque};
use wire::{Chunks, Header, Init, kind};

pub(crate) use library::{DataPlane, Happening, Loss, Ppid};

/// Packets of the handshake and the shutdown that wait to be polled: a flood of INITs meets this bound.
const CONTROL_PACKETS: usize = 16;
/// RFC 8831 section 6.2: streams to announce in both directions. So 65,534 is the last identifier.
const STREAMS: u16 = 65_535;

/// RFC 9260 section 4.
#[derive(Debug)]
enum State {
    /// CLOSED, where an INIT is answered.
    Listening,
    CookieWait,
    /// `due`: the COOKIE ECHO is to be sent; `flown`: the first flight of data was taken for it.
    CookieEchoed {
        cookie: Vec<u8>,
        due: bool,
        flown: bool,
    },
    Established,
    ShutdownPending,
    ShutdownSent,
    ShutdownReceived,
    ShutdownAckSent,
    Over,
}

/// RFC 9260 section 16 names them T1-init, T1-cookie, T2-shutdown, T5-shutdown-guard. T3-rtx, the delayed
/// acknowledgement and the re-configuration timer are the library's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Init,
    Cookie,
    Shutdown,
    Guard,
}
impl Timer {
    const ALL: [Self; 4] = [Self::Init, Self::Cookie, Self::Shutdown, Self::Guard];
    const fn why(self) -> &'static str {
        match self {
            Self::Init => "sctp: T1-init",
            Self::Cookie => "sctp: T1-cookie",
            Self::Shutdown => "sctp: T2-shutdown",
            Self::Guard => "sctp: T5-shutdown-guard",
        }
    }
}

/// What the channels must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// There is a new data plane: everything that was sent so far goes into it.
    PlaneReady,
    Established,
    /// The peer shuts down: nothing new is sent.
    PeerShutsDown,
    Over(CloseReason),
}

#[derive(Debug)]
pub(crate) struct Session {
    config: AssociationConfig,
    rng: Rng,
    state: State,
    local: Init,
    local_chunk: Vec<u8>,
    /// The peer's INIT by signalling (SNAP).
    signalled: Option<Init>,
    /// The INIT that we answered last.
    offer: Option<Offer>,
    /// Whom the data plane speaks to.
    remote: Option<Init>,
    plane: Option<DataPlane>,
    control: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Bytes>,
    flight: Flight,
    /// What our last SACK said, for SHUTDOWN.
    acknowledged: u32,
    timers: [Option<Instant>; 4],
    retries: u32,
    /// Whether `close` began the shutdown.
    ours: bool,
    news: VecDeque<News>,
    pub(crate) stats: Stats,
}
impl Session {
    pub(crate) fn new(config: &AssociationConfig, seed: &Seed) -> Self {
        let mut rng = seed.fork("sctp").into_rng();
        let local = Init {
            // RFC 9260 section 5.3.1: any but 0. The library wants no TSN of 0 either.
            tag: u32::from_be_bytes(rng.octets()).max(1),
            tsn: u32::from_be_bytes(rng.octets()).max(1),
            window: config.window(),
            outbound_streams: STREAMS,
            inbound_streams: STREAMS,
            reconfig: true,
            forward_tsn: true,
        };
        Self {
            config: config.clone(),
            rng,
            state: State::Listening,
            local,
            local_chunk: local.chunk(kind::INIT, None),
            signalled: None,
            offer: None,
            remote: None,
            plane: None,
            control: VecDeque::new(),
            outgoing: VecDeque::new(),
            flight: Flight::default(),
            acknowledged: 0,
            timers: [None; 4],
            retries: 0,
            ours: false,
            news: VecDeque::new(),
            stats: Stats::default(),
        }
    }
    pub(crate) fn local_chunk(&self) -> &[u8] {
        &self.local_chunk
    }
    pub(crate) const fn set_remote_port(&mut self, port: u16) {
        self.config.remote_port = port;
    }
    pub(crate) const fn plane(&mut self) -> Option<&mut DataPlane> {
        self.plane.as_mut()
    }
    pub(crate) const fn has_plane(&self) -> bool {
        self.plane.is_some()
    }
    pub(crate) fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }
    /// Streams that exist in both directions: identifiers are below it.
    pub(crate) fn stream_limit(&self) -> u16 {
        self.remote.map_or(STREAMS, |remote| remote.inbound_streams.min(remote.outbound_streams))
    }
    /// Whether the peer can reset streams (RFC 6525); assumed until it is known.
    pub(crate) fn can_reset(&self) -> bool {
        self.remote.is_none_or(|remote| remote.reconfig)
    }
    pub(crate) const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }
    /// Whether there is nothing left to send either.
    pub(crate) fn is_done(&self) -> bool {
        self.is_over() && self.control.is_empty()
    }

    /// Takes a packet. What it brought is in `poll_news` and in the data plane.
    pub(crate) fn handle_input(&mut self, now: Instant, packet: &[u8]) {
        self.stats.packets_received += 1;
        self.stats.bytes_received += packet.len() as u64;
        let ports =
            |h: &Header| h.source == self.config.remote_port && h.destination == self.config.local_port;
        let Some(header) = Header::parse(packet).filter(ports) else {
            self.stats.malformed_packets += 1;
            return;
        };
        let mut data_only = true;
        for chunk in Chunks::of(packet) {
            match chunk {
                Ok(chunk) => data_only &= is_data(chunk.kind) && is_understood(&chunk),
                Err(()) => {
                    self.stats.malformed_packets += 1;
                    return;
                }
            }
        }
        if !data_only {
            return self.handle_control(now, header, packet);
        }
        if header.tag == self.local.tag {
            // The library checks the checksum: once is enough on this path.
            let lowered = self.flight.lower_window(now, packet);
            self.feed(now, lowered.map_or_else(|| Bytes::copy_from_slice(packet), Bytes::from));
        } else {
            self.stats.wrong_tags += 1;
        }
    }
    fn feed(&mut self, now: Instant, packet: Bytes) {
        match self.plane.as_mut().map(|plane| plane.input(now, packet)) {
            Some(true) => {}
            Some(false) => self.stats.malformed_packets += 1,
            None => self.stats.ignored_chunks += 1,
        }
    }
    /// A packet with control chunks that the library must not see. The others of it go on.
    fn handle_control(&mut self, now: Instant, header: Header, packet: &[u8]) {
        if !wire::checksum_holds(packet) {
            self.stats.malformed_packets += 1;
            return;
        }
        let mut passed: Vec<Cow<'_, [u8]>> = Vec::new();
        for (i, chunk) in Chunks::of(packet).flatten().enumerate() {
            // RFC 9260 section 8.5.1: which tag a packet must bear.
            let theirs = self.remote.is_some_and(|remote| remote.tag == header.tag);
            let right = match chunk.kind {
                kind::INIT => header.tag == 0 && i == 0 && chunk.octets.len() == packet.len() - wire::HEADER,
                kind::ABORT | kind::SHUTDOWN_COMPLETE if chunk.flags & 1 == 1 => theirs,
                _ => header.tag == self.local.tag,
            };
            if !right {
                self.stats.wrong_tags += 1;
                return;
            }
            match chunk.kind {
                kind::INIT => self.on_init(chunk.octets),
                kind::INIT_ACK => self.on_init_ack(now, chunk.octets),
                kind::COOKIE_ECHO => self.on_cookie_echo(chunk.value),
                kind::COOKIE_ACK => self.on_cookie_ack(),
                kind::SHUTDOWN => {
                    self.on_shutdown(now);
                    passed.extend(shutdown::as_sack(chunk.value).map(Cow::Owned));
                }
                kind::SHUTDOWN_ACK => self.on_shutdown_ack(),
                kind::SHUTDOWN_COMPLETE => self.on_shutdown_complete(),
                kind::ABORT => return self.over(CloseReason::AbortedByPeer(wire::cause(chunk.value))),
                kind::ERROR => self.on_error(now, chunk.value),
                kind if is_data(kind) && is_understood(&chunk) => passed.push(Cow::Borrowed(chunk.octets)),
                kind => {
                    self.stats.ignored_chunks += 1;
                    // RFC 9260 section 3.2: the highest bit of an unknown type says whether to go on. It is not reported.
                    if kind & 0x80 == 0 && kind != kind::HEARTBEAT_ACK {
                        break;
                    }
                }
            }
        }
        if !passed.is_empty() {
            let packet = header.packet(passed.iter().map(AsRef::as_ref));
            let lowered = self.flight.lower_window(now, &packet);
            self.feed(now, lowered.unwrap_or(packet).into());
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for timer in Timer::ALL {
            if self.timers[timer as usize].is_none_or(|at| at > now) {
                continue;
            }
            self.timers[timer as usize] = None;
            match timer {
                Timer::Init | Timer::Cookie => self.retry_handshake(now),
                Timer::Shutdown => self.retry_shutdown(now),
                Timer::Guard => self.abort(),
            }
        }
        if self.data_flows()
            && let Some(plane) = &mut self.plane
        {
            plane.timeout(now);
        }
    }
    pub(crate) fn poll_timeout(&self) -> Option<Wake> {
        let data = self.plane.as_ref().filter(|_| self.data_flows()).and_then(DataPlane::next_timeout);
        let ours = Timer::ALL
            .into_iter()
            .map(|timer| self.timers[timer as usize].map(|at| Wake::new(at, timer.why())));
        Wake::soonest(ours.chain([data.map(|at| Wake::new(at, "sctp: data"))]))
    }
    pub(crate) fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> bool {
        loop {
            let next: Bytes = if let Some(control) = self.control.pop_front() {
                control.into()
            } else if matches!(self.state, State::CookieEchoed { due: true, .. }) {
                self.cookie_echo(now).into()
            } else if self.data_flows() {
                if self.outgoing.is_empty() {
                    self.refill(now);
                }
                let Some(data) = self.outgoing.pop_front() else { return false };
                data
            } else {
                return false;
            };
            packet.clear();
            if packet.append(&next).is_ok() {
                self.stats.packets_sent += 1;
                self.stats.bytes_sent += next.len() as u64;
                return true;
            }
            self.stats.oversized_packets += 1;
        }
    }
    /// Fetches what the library has to send.
    fn refill(&mut self, now: Instant) {
        let limit = self.config.packet_limit();
        for packet in self.plane.as_mut().map(|plane| plane.transmit(now)).unwrap_or_default() {
            if packet.get(wire::HEADER) == Some(&kind::SACK)
                && let Some(tsn) = packet.get(16..20).and_then(|tsn| tsn.first_chunk())
            {
                self.acknowledged = u32::from_be_bytes(*tsn);
            }
            self.flight.sent(now, &packet);
            outgoing::enqueue(&mut self.outgoing, packet, limit);
        }
    }
    /// RFC 9260 section 5.1 C: between COOKIE ECHO and COOKIE ACK nothing but the former is sent.
    const fn data_flows(&self) -> bool {
        match self.state {
            State::Listening | State::CookieWait | State::CookieEchoed { .. } | State::Over => false,
            State::Established
            | State::ShutdownPending
            | State::ShutdownSent
            | State::ShutdownReceived
            | State::ShutdownAckSent => true,
        }
    }

    fn header(&self, tag: u32) -> Header {
        Header { source: self.config.local_port, destination: self.config.remote_port, tag }
    }
    /// Queues a packet of one control chunk for the peer.
    fn say(&mut self, tag: u32, chunk: &[u8]) {
        if self.control.len() < CONTROL_PACKETS {
            self.control.push_back(self.header(tag).packet([chunk]));
        }
    }
    fn start_timer(&mut self, timer: Timer, now: Instant) {
        let factor = 1_u32 << self.retries.min(16);
        let rto =
            self.config.rto_initial.saturating_mul(factor).min(self.config.rto_max.max(self.config.rto_min));
        self.timers[timer as usize] = Some(now + rto.max(core::time::Duration::from_millis(1)));
    }
}

/// The chunks that are the library's.
const fn is_data(kind: u8) -> bool {
    matches!(kind, kind::DATA | kind::SACK | kind::HEARTBEAT | kind::RE_CONFIG | kind::FORWARD_TSN)
}
/// Whether the library takes this chunk: it would end the association over a RE-CONFIG parameter that it does not know.
/// RFC 6525 section 4: 13 is an Outgoing SSN Reset Request, 16 a Response.
fn is_understood(chunk: &wire::Chunk<'_>) -> bool {
    let mut at = 0;
    while chunk.kind == kind::RE_CONFIG && at < chunk.value.len() {
        let Some(&[0, kind @ (13 | 16), high, low]) =
            chunk.value.get(at..).and_then(|rest| rest.first_chunk())
        else {
            return false;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let least = if kind == 13 { 16 } else { 12 };
        if length < least || at + length > chunk.value.len() {
            return false;
        }
        at += length.next_multiple_of(4);
    }
    true
}
