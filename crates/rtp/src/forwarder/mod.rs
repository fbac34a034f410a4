//! The forwarder: takes media from one peer and hands it to another, or back to the same one.
//!
//! It decodes nothing and keeps no packet. Headers are rewritten in place, feedback of the receiver becomes feedback
//! for the sender, and reports flow on both sides. Left out: congestion control, pacing, redundancy (RED) whose inner
//! payload types differ between the sections, SDES MID items.

mod config;
mod event;
mod feedback;
mod learn;
mod media;
mod report;
mod route;
mod stream;
mod timers;

pub use config::{
    Codec, Feedback, ForwarderConfig, Incoming, MAX_CODECS, MAX_ROUTES, Outgoing, Route, RouteError,
};
pub use event::{DropReason, Event, ReceiverView, Side, Stats, StreamReport, Verdict};

use alloc::{
    collections::{BTreeMap, VecDeque},
    format,
    vec::Vec,
};
use core::time::Duration;

use ginnel_core::{Instant, Packet, Rng, Seed, Wake};

use self::{
    route::RouteState,
    stream::{Kind, Stream},
    timers::{Timer, Timers},
};

/// How many events wait to be fetched.
const MAX_EVENTS: usize = 64;
/// No timer of the config is believed below this: it would spin.
const SHORTEST: Duration = Duration::from_millis(5);

/// Forwards the media of one peer, the *sender*, to another, the *receiver*. For an echo both are the same peer.
///
/// It is a session: it has no addresses, and speaks plain RTP and RTCP; its owner unprotects what comes and protects
/// what goes ([the contract](ginnel_core), words 7 and 9).
///
/// | kind | verbs |
/// |---|---|
/// | tell | [`handle_rtp`](Self::handle_rtp), [`handle_rtcp`](Self::handle_rtcp), [`handle_timeout`](Self::handle_timeout), [`close`](Self::close) |
/// | command | [`set_route`](Self::set_route), [`remove_route`](Self::remove_route), [`request_keyframe`](Self::request_keyframe), [`set_sender_rtt`](Self::set_sender_rtt) |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed), [`stats`](Self::stats), [`streams`](Self::streams), [`receiver`](Self::receiver) |
///
/// After each tell or command: `poll_transmit` until `None`, `poll_event` until `None`, `handle_timeout` while
/// `poll_timeout` is due.
///
/// # Who asks for what is missing
///
/// There is no history here, so only the sender can retransmit. A packet that got lost on its way to us is asked for at
/// once ([`ForwarderConfig::own_nacks`]): that takes one round trip to the sender and not two. The receiver sees the same
/// gap and asks as well; its request is absorbed while ours, or the answer to it, is under way, so nothing is sent twice.
/// What the receiver misses and we have seen was lost behind us: that request is passed on. What comes in answer is forwarded like
/// everything else.
///
/// ```
/// use ginnel_core::{Instant, Packet, Seed};
/// use ginnel_rtp::{RtpHeader, RtpView, forwarder::*};
///
/// let incoming = Incoming { mid: "0".into(), feedback: Feedback::ALL, ..Incoming::default() };
/// let outgoing = Outgoing { mid: "0".into(), ssrc: 42, ..Outgoing::default() };
/// let mut forwarder = Forwarder::new(ForwarderConfig::default(), Seed::new([7; 32]));
/// forwarder.set_route(Route { incoming, outgoing, codecs: vec![Codec::same(96, 90_000)] })?;
///
/// let now = Instant::EPOCH;
/// let mut buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buffer);
/// let header = RtpHeader { payload_type: 96, sequence_number: 1, ssrc: 5, ..RtpHeader::default() };
/// header.prepend(&mut packet).unwrap();
///
/// if let Verdict::Forward { ssrc, .. } = forwarder.handle_rtp(now, &mut packet) {
///     assert_eq!(ssrc, 42);
///     assert_eq!(RtpView::parse(packet.bytes()).unwrap().ssrc(), 42); // protect it, and send it
/// }
/// while let Some(side) = forwarder.poll_transmit(now, &mut packet) {
///     let _ = side; // protect the RTCP in `packet`, and send it to that side
/// }
/// while let Some(event) = forwarder.poll_event() {
///     assert!(matches!(event, Event::StreamStarted { ssrc: 5, .. }));
/// }
/// while forwarder.poll_timeout().is_some_and(|wake| wake.at <= now) {
///     forwarder.handle_timeout(now);
/// }
/// # Ok::<(), RouteError>(())
/// ```
#[derive(Debug)]
pub struct Forwarder {
    config: ForwarderConfig,
    reporter_ssrc: u32,
    routes: Vec<RouteState>,
    /// By SSRC on the way in.
    streams: BTreeMap<u32, Stream>,
    events: VecDeque<Event>,
    timers: Timers,
    phase: Phase,
    report_due: bool,
    remb_due: Option<u64>,
    rng: Rng,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// To whom goodbye is still to be said.
    Closing {
        sender: bool,
        receiver: bool,
    },
    Closed,
}

impl Forwarder {
    /// One without routes: it drops everything.
    #[must_use]
    pub fn new(mut config: ForwarderConfig, seed: Seed) -> Self {
        let mut rng = seed.fork("forwarder").into_rng();
        let drawn = u32::from_be_bytes(rng.octets());
        if config.cname.is_empty() {
            // RFC 7022 section 4.2: 96 random bits.
            let name: [u8; 12] = rng.octets();
            config.cname = name.iter().map(|octet| format!("{octet:02x}")).collect();
        }
        config.report_interval = config.report_interval.max(SHORTEST);
        config.nack_interval = config.nack_interval.max(SHORTEST);
        config.keyframe_interval = config.keyframe_interval.max(SHORTEST);
        Self {
            reporter_ssrc: config.reporter_ssrc.unwrap_or(drawn),
            config,
            routes: Vec::new(),
            streams: BTreeMap::new(),
            events: VecDeque::with_capacity(MAX_EVENTS),
            timers: Timers::default(),
            phase: Phase::Open,
            report_due: false,
            remb_due: None,
            rng,
            stats: Stats::default(),
        }
    }

    /// A packet of RTP from the sender, unprotected. On [`Verdict::Forward`] it was rewritten in place for the receiver.
    pub fn handle_rtp(&mut self, now: Instant, packet: &mut Packet<'_>) -> Verdict {
        self.stats.packets_received += 1;
        let forwarded =
            if self.phase == Phase::Open { self.on_rtp(now, packet) } else { Err(DropReason::Closed) };
        match forwarded {
            Ok(forwarded) => {
                self.stats.packets_forwarded += 1;
                self.stats.octets_forwarded += forwarded.payload_len as u64;
                self.stats.retransmissions_forwarded += u64::from(forwarded.retransmission);
                Verdict::Forward { ssrc: forwarded.ssrc, retransmission: forwarded.retransmission }
            }
            Err(reason) => {
                self.stats.packets_dropped += 1;
                match reason {
                    DropReason::Malformed => self.stats.malformed_rtp += 1,
                    DropReason::TooManyStreams => self.stats.streams_refused += 1,
                    DropReason::Duplicate => self.stats.duplicates += 1,
                    _ => {}
                }
                Verdict::Drop(reason)
            }
        }
    }

    /// A compound of RTCP, unprotected. Reports of the incoming streams are heard from [`Side::Sender`] alone, and requests for
    /// the outgoing ones from [`Side::Receiver`]: for an echo, where one peer is both, call it once for each.
    pub fn handle_rtcp(&mut self, now: Instant, from: Side, packet: &Packet<'_>) {
        if self.phase == Phase::Open {
            self.on_rtcp(now, from, packet.bytes());
        }
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for timer in Timer::ALL {
            if !self.timers.fire(timer, now) {
                continue;
            }
            match timer {
                Timer::Report => {
                    self.report_due = true;
                    self.schedule_report(now);
                }
                Timer::Nack => self.on_nack_timer(now),
                Timer::Keyframe => self.on_keyframe_timer(now),
            }
        }
    }

    /// Writes the next compound of RTCP into `packet`, emptying it first, and says to whom it goes; `None` when there is none.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Side> {
        self.write_next(now, packet)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        self.timers.soonest()
    }

    /// Begins to end: goodbyes are written (RFC 3550 section 6.6), and nothing is forwarded any more.
    pub fn close(&mut self, _now: Instant) {
        if self.phase == Phase::Open {
            self.timers = Timers::default();
            // In an echo the reporter is one of the outgoing streams, and says goodbye with them.
            let echo = self.routes.iter().any(|route| route.owns(self.reporter_ssrc));
            let receiver = self.routes.iter().any(|route| route.sent.packets > 0);
            let sender = !self.streams.is_empty() && (!echo || !receiver);
            self.phase = Phase::Closing { sender, receiver };
            self.finish_closing();
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Adds a route, or puts it in place of the one from the same incoming MID: streams that are known stay known.
    ///
    /// # Errors
    /// If the route contradicts itself or another one, or there are [`MAX_ROUTES`]. Nothing has changed then.
    pub fn set_route(&mut self, route: Route) -> Result<(), RouteError> {
        let known = self.routes.iter().position(|known| known.config.incoming.mid == route.incoming.mid);
        let taken = self.routes.iter().enumerate().any(|(index, other)| {
            Some(index) != known
                && (other.owns(route.outgoing.ssrc)
                    || route.outgoing.rtx_ssrc.is_some_and(|ssrc| other.owns(ssrc)))
        });
        if taken {
            return Err(RouteError::SsrcTaken);
        }
        if let Some(known) = known.and_then(|index| self.routes.get_mut(index)) {
            return known.renegotiate(route);
        }
        if self.routes.len() >= MAX_ROUTES {
            return Err(RouteError::TooManyRoutes);
        }
        let first = u16::from_be_bytes(self.rng.octets());
        self.routes.push(RouteState::new(route, first)?);
        Ok(())
    }

    /// Removes the route from an incoming MID, with its streams; false if there is none.
    pub fn remove_route(&mut self, mid: &str) -> bool {
        let Some(index) = self.routes.iter().position(|route| *route.mid == *mid) else { return false };
        self.routes.remove(index);
        self.streams.retain(|_, stream| stream.route != index);
        for stream in self.streams.values_mut() {
            stream.route -= usize::from(stream.route > index);
        }
        true
    }

    /// Asks the sender for a key frame, because somebody new receives the outgoing stream; false if the route does not
    /// exist. A request within [`ForwarderConfig::keyframe_interval`] of the last waits until that is over.
    pub fn request_keyframe(&mut self, now: Instant, mid: &str) -> bool {
        let Some(index) = self.routes.iter().position(|route| *route.mid == *mid) else { return false };
        self.want_keyframe(now, index);
        true
    }

    /// The round trip to the sender as it is known from elsewhere (ICE checks): missing packets are asked for again after it.
    pub fn set_sender_rtt(&mut self, rtt: Duration) {
        /// Beyond this, a longer wait only loses the picture.
        const LONGEST: Duration = Duration::from_millis(500);
        // The answer may be overtaken, so a little more than the round trip.
        self.config.nack_interval = (rtt + rtt / 4 + SHORTEST).min(LONGEST);
    }

    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// The incoming streams, in the order of their SSRCs.
    pub fn streams(&self) -> impl Iterator<Item = StreamReport> {
        self.streams.iter().filter_map(|(ssrc, stream)| {
            let route = self.routes.get(stream.route)?;
            let retransmissions = matches!(stream.kind, Kind::Retransmission(_));
            let outgoing = route.config.outgoing.ssrc;
            Some(StreamReport {
                mid: route.mid.clone(),
                ssrc: *ssrc,
                outgoing_ssrc: if retransmissions {
                    route.config.outgoing.rtx_ssrc
                } else {
                    (route.active == Some(*ssrc)).then_some(outgoing)
                },
                retransmissions,
                packets_received: stream.reception.received(),
                packets_lost: stream.reception.cumulative_lost(),
                jitter: stream.reception.jitter(),
            })
        })
    }

    /// How the receiver says the stream of an outgoing SSRC does.
    #[must_use]
    pub fn receiver(&self, outgoing_ssrc: u32) -> Option<ReceiverView> {
        let route = self.routes.iter().find(|route| route.config.outgoing.ssrc == outgoing_ssrc)?;
        Some(route.receiver)
    }

    fn schedule_report(&mut self, now: Instant) {
        // RFC 3550 section 6.3.1: from half of the interval to one and a half.
        let [a, b] = self.rng.octets();
        let share = u32::from(u16::from_be_bytes([a, b]));
        let interval = self.config.report_interval;
        self.timers.set(Timer::Report, Some(now + interval / 2 + interval * share / 65_536));
    }

    fn on_nack_timer(&mut self, now: Instant) {
        let (interval, attempts) = (self.config.nack_interval, self.config.nack_attempts);
        let mut next: Option<Instant> = None;
        for stream in self.streams.values_mut() {
            let Some(primary) = stream.primary_mut() else { continue };
            let fired = primary.missing.on_timeout(now, interval, attempts);
            self.stats.nacks_sent += fired.due;
            self.stats.nacks_abandoned += fired.abandoned;
            next = [next, primary.missing.next()].into_iter().flatten().min();
        }
        self.timers.set(Timer::Nack, next);
    }

    fn on_keyframe_timer(&mut self, now: Instant) {
        for index in 0..self.routes.len() {
            if self.routes.get_mut(index).is_some_and(|route| core::mem::take(&mut route.keyframe.held_back))
            {
                self.want_keyframe(now, index);
            }
        }
    }

    fn want_keyframe(&mut self, now: Instant, route: usize) {
        let interval = self.config.keyframe_interval;
        let Some(route) = self.routes.get_mut(route) else { return };
        if let Some(later) = route.want_keyframe(now, interval) {
            self.timers.no_later_than(Timer::Keyframe, later);
        }
    }

    fn push_event(&mut self, event: Event) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
            self.stats.events_lost += 1;
        }
        self.events.push_back(event);
    }

    /// Once all goodbyes are written, it is over.
    fn finish_closing(&mut self) {
        if self.phase == (Phase::Closing { sender: false, receiver: false }) {
            self.phase = Phase::Closed;
            self.push_event(Event::Closed);
        }
    }
}
