//! Which route a new stream belongs to, and whether that route forwards it (RFC 9143 section 9.2, RFC 8851).
//!
//! A stream is associated once, by its first packet; it does not move to another section later.

use core::time::Duration;

use ginnel_core::Instant;

use super::{
    DropReason, Event, Forwarder,
    route::Answering,
    stream::{Kind, Missing, Primary, Retransmission, Seen, Stream},
};
use crate::{Reception, RtpView};

/// A stream that was not heard for so long makes room for a new one where there is none.
const STALE: Duration = Duration::from_secs(10);

impl Forwarder {
    /// The first packet of a stream has come.
    pub(super) fn learn(&mut self, now: Instant, rtp: &RtpView<'_>) -> Result<(), DropReason> {
        let index = self.route_of(rtp)?;
        let route = self.routes.get(index).ok_or(DropReason::UnknownMid)?;
        let incoming = &route.config.incoming;
        let (clock_rate, kind) = if let Some(codec) = route.codec(rtp.payload_type()) {
            let primary = Primary {
                rid: incoming.extensions.rid(rtp).map(Into::into),
                seen: Seen::default(),
                missing: Missing::new(),
                mapping: None,
            };
            (codec.clock_rate, Kind::Primary(primary))
        } else if let Some(codec) = route.codec_of_rtx(rtp.payload_type()) {
            let signalled = incoming.rtx_ssrc == Some(rtp.ssrc());
            let retransmission = Retransmission {
                repairs: incoming.ssrc.filter(|_| signalled),
                repaired_rid: incoming.extensions.repaired_rid(rtp).map(Into::into),
            };
            (codec.clock_rate, Kind::Retransmission(retransmission))
        } else {
            return Err(DropReason::UnknownPayloadType);
        };
        self.make_room(now)?;
        let stream = Stream { route: index, kind, reception: Reception::new(clock_rate), last_heard: now };
        let selected = stream.primary().is_some_and(|primary| self.selects(index, primary));
        self.streams.insert(rtp.ssrc(), stream);
        if selected {
            self.select(now, index, rtp.ssrc());
        }
        Ok(())
    }

    /// By MID, then by signalled SSRC, then by a payload type that only one section has.
    fn route_of(&self, rtp: &RtpView<'_>) -> Result<usize, DropReason> {
        let mut mid_seen = false;
        for (index, route) in self.routes.iter().enumerate() {
            let incoming = &route.config.incoming;
            match incoming.extensions.mid(rtp) {
                Some(mid) if mid == incoming.mid => return Ok(index),
                Some(_) => mid_seen = true,
                None => {}
            }
        }
        if mid_seen {
            return Err(DropReason::UnknownMid);
        }
        let signalled = self.routes.iter().position(|route| {
            let incoming = &route.config.incoming;
            incoming.ssrc == Some(rtp.ssrc()) || incoming.rtx_ssrc == Some(rtp.ssrc())
        });
        if let Some(index) = signalled {
            return Ok(index);
        }
        let mut knowing = self.routes.iter().enumerate().filter(|(_, route)| route.knows(rtp.payload_type()));
        match (knowing.next(), knowing.next()) {
            (Some((index, _)), None) => Ok(index),
            _ => Err(DropReason::UnknownPayloadType),
        }
    }

    fn make_room(&mut self, now: Instant) -> Result<(), DropReason> {
        if self.streams.len() < self.config.max_streams {
            return Ok(());
        }
        let idle = |stream: &Stream, ssrc: u32| {
            now.saturating_since(stream.last_heard) >= STALE
                && self.routes.get(stream.route).is_none_or(|route| route.active != Some(ssrc))
        };
        let candidates = self.streams.iter().filter(|(ssrc, stream)| idle(stream, **ssrc));
        let oldest = candidates.min_by_key(|(_, stream)| stream.last_heard).map(|(ssrc, _)| *ssrc);
        self.streams.remove(&oldest.ok_or(DropReason::TooManyStreams)?);
        Ok(())
    }

    /// A wanted simulcast stream and no other. Where none is named, the newest stream takes over (the sender has a new track),
    /// but not from another stream of the same simulcast.
    pub(super) fn selects(&self, index: usize, new: &Primary) -> bool {
        let Some(route) = self.routes.get(index) else { return false };
        if let Some(wanted) = &route.config.incoming.rid {
            return new.rid.as_deref() == Some(wanted);
        }
        let active = route.active.and_then(|ssrc| self.streams.get(&ssrc)).and_then(Stream::primary);
        match active.and_then(|active| active.rid.as_deref()) {
            Some(rid) => new.rid.as_deref().is_none_or(|new| new == rid),
            None => true,
        }
    }

    pub(super) fn select(&mut self, now: Instant, index: usize, ssrc: u32) {
        let Some(route) = self.routes.get_mut(index) else { return };
        let before = route.active.replace(ssrc);
        let has_sent = route.sent.packets > 0;
        let event =
            Event::StreamStarted { ssrc, mid: route.mid.clone(), outgoing_ssrc: route.config.outgoing.ssrc };
        route.passed_on.clear();
        route.answering = Answering::default();
        if let Some(primary) =
            before.and_then(|before| self.streams.get_mut(&before)).and_then(Stream::primary_mut)
        {
            primary.mapping = None;
            primary.missing.clear();
        }
        if before.is_some() || has_sent {
            // The receiver's decoder cannot go on from another stream's pictures.
            self.want_keyframe(now, index);
        }
        self.push_event(event);
    }

    /// The sender says that a stream ends.
    pub(super) fn forget(&mut self, ssrc: u32) {
        let Some(stream) = self.streams.remove(&ssrc) else { return };
        let Some(route) = self.routes.get_mut(stream.route) else { return };
        if route.active == Some(ssrc) {
            route.active = None;
            let mid = route.mid.clone();
            self.push_event(Event::StreamEnded { ssrc, mid });
        }
    }
}
