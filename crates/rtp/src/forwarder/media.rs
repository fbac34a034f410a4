//! Media on its way through: numbers are mapped, headers rewritten, gaps noted.

use ginnel_core::{Instant, Packet};

use super::{
    DropReason, Forwarder, Timer,
    stream::{Kind, Look, Mapping, Retransmission, Stream},
};
use crate::{Arrival, RtpHeaderMut, RtpView, rtx};

/// How far ahead of all that has come a retransmission may repair something.
const MAX_AHEAD: u64 = 512;

/// A packet that was rewritten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forwarded {
    pub(super) ssrc: u32,
    pub(super) payload_len: usize,
    pub(super) retransmission: bool,
}

/// The numbers of a packet, copied out of it.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    payload_type: u8,
    sequence_number: u16,
    timestamp: u32,
    ssrc: u32,
    payload_len: usize,
}

impl Forwarder {
    pub(super) fn on_rtp(&mut self, now: Instant, packet: &mut Packet<'_>) -> Result<Forwarded, DropReason> {
        let rtp = RtpView::parse(packet.bytes()).map_err(|_| DropReason::Malformed)?;
        let numbers = Numbers {
            payload_type: rtp.payload_type(),
            sequence_number: rtp.sequence_number(),
            timestamp: rtp.timestamp(),
            ssrc: rtp.ssrc(),
            payload_len: rtp.payload().len(),
        };
        match self.streams.get(&numbers.ssrc) {
            None => self.learn(now, &rtp)?,
            Some(known) => {
                // The forwarded stream has said goodbye, and this one was waiting or comes again.
                let index = known.route;
                let is_free = self.routes.get(index).is_some_and(|route| route.active.is_none());
                if is_free && known.primary().is_some_and(|primary| self.selects(index, primary)) {
                    self.select(now, index, numbers.ssrc);
                }
            }
        }
        if !self.timers.is_set(Timer::Report) {
            self.schedule_report(now);
        }
        let stream = self.streams.get_mut(&numbers.ssrc).ok_or(DropReason::TooManyStreams)?;
        stream.last_heard = now;
        match stream.kind {
            Kind::Primary(_) => self.on_primary(now, packet, numbers),
            Kind::Retransmission(_) => self.on_retransmission(now, packet, numbers),
        }
    }

    fn on_primary(
        &mut self,
        now: Instant,
        packet: &mut Packet<'_>,
        numbers: Numbers,
    ) -> Result<Forwarded, DropReason> {
        let Some(Stream { route: index, reception, kind: Kind::Primary(primary), .. }) =
            self.streams.get_mut(&numbers.ssrc)
        else {
            return Err(DropReason::NotSelected);
        };
        let index = *index;
        let route = self.routes.get_mut(index).ok_or(DropReason::UnknownMid)?;
        let codec = *route.codec(numbers.payload_type).ok_or(DropReason::UnknownPayloadType)?;
        let (position, restarted) = match reception.on_rtp(now, numbers.sequence_number, numbers.timestamp) {
            Arrival::Accepted(position) => (position, false),
            Arrival::Restarted(position) => (position, true),
            Arrival::Refused => return Err(DropReason::OutOfRange),
        };
        if !primary.seen.insert(position) {
            return Err(DropReason::Duplicate);
        }
        self.stats.nacks_recovered += u64::from(primary.missing.close(position) == Some(true));
        if route.active != Some(numbers.ssrc) {
            return Err(DropReason::NotSelected);
        }
        if restarted {
            primary.missing.clear();
        }
        if primary.mapping.is_none() || restarted {
            primary.mapping = Some(route.take_over(now, position, numbers.timestamp, codec.clock_rate));
        }
        let mapping = primary.mapping.unwrap_or(Mapping::IDENTITY);
        let look = if self.config.own_nacks && route.config.incoming.feedback.nack {
            primary.missing.on_arrival(position, now + self.config.nack_delay, &primary.seen)
        } else {
            Look::Whole
        };
        match look {
            Look::Whole => {}
            Look::Gaps => self.timers.no_later_than(Timer::Nack, now + self.config.nack_delay),
            Look::Outage => self.want_keyframe(now, index),
        }
        if restarted {
            // The numbers that leave have no gap, so the receiver cannot know that it should ask.
            self.want_keyframe(now, index);
        }
        if position < mapping.first {
            return Err(DropReason::OutOfRange);
        }
        self.forward_primary(now, packet, index, codec.outgoing, mapping, numbers)
    }

    /// Rewrites a packet of media, or what was unwrapped to one.
    fn forward_primary(
        &mut self,
        now: Instant,
        packet: &mut Packet<'_>,
        index: usize,
        payload_type: u8,
        mapping: Mapping,
        numbers: Numbers,
    ) -> Result<Forwarded, DropReason> {
        let route = self.routes.get_mut(index).ok_or(DropReason::UnknownMid)?;
        self.stats.extensions_erased += route.edit_extensions(packet);
        let ssrc = route.config.outgoing.ssrc;
        let sequence_number = numbers.sequence_number.wrapping_add(mapping.sequence_offset);
        let timestamp = numbers.timestamp.wrapping_add(mapping.timestamp_offset);
        let mut header = RtpHeaderMut::of(packet).ok_or(DropReason::Malformed)?;
        header.set_payload_type(payload_type);
        header.set_sequence_number(sequence_number);
        header.set_timestamp(timestamp);
        header.set_ssrc(ssrc);
        let sent = &mut route.sent;
        sent.packets = sent.packets.wrapping_add(1);
        sent.octets = sent.octets.wrapping_add(numbers.payload_len as u32);
        let position = sent.numbers.unwrap(sequence_number);
        if sent.numbers.highest() == Some(position) {
            sent.last = Some((timestamp, now));
        }
        Ok(Forwarded { ssrc, payload_len: numbers.payload_len, retransmission: false })
    }

    fn on_retransmission(
        &mut self,
        now: Instant,
        packet: &mut Packet<'_>,
        numbers: Numbers,
    ) -> Result<Forwarded, DropReason> {
        let stream = self.streams.get_mut(&numbers.ssrc).ok_or(DropReason::RepairsNothing)?;
        let index = stream.route;
        let route = self.routes.get_mut(index).ok_or(DropReason::UnknownMid)?;
        let codec = *route.codec_of_rtx(numbers.payload_type).ok_or(DropReason::UnknownPayloadType)?;
        let active = route.active.ok_or(DropReason::RepairsNothing)?;
        if stream.reception.on_rtp(now, numbers.sequence_number, numbers.timestamp) == Arrival::Refused {
            return Err(DropReason::OutOfRange);
        }
        let osn = rtx::original_sequence_number(packet.bytes()).ok_or(DropReason::RepairsNothing)?;
        if !self.repairs(numbers.ssrc, active) {
            return Err(DropReason::NotSelected);
        }
        let Some(Stream { reception, kind: Kind::Primary(primary), .. }) = self.streams.get_mut(&active)
        else {
            return Err(DropReason::RepairsNothing);
        };
        let route = self.routes.get_mut(index).ok_or(DropReason::UnknownMid)?;
        let position = reception.position_of(osn).ok_or(DropReason::RepairsNothing)?;
        let mapping = primary.mapping.ok_or(DropReason::RepairsNothing)?;
        let highest = reception.highest().unwrap_or(position);
        if position < mapping.first || position > highest + MAX_AHEAD {
            return Err(DropReason::OutOfRange);
        }
        let first_time = primary.seen.insert(position);
        self.stats.nacks_recovered += u64::from(primary.missing.close(position) == Some(true));
        // Until the receiver can have it, its requests were sent before.
        let round_trip = route.receiver.round_trip.unwrap_or(self.config.nack_interval);
        route.answering.insert(position, now + round_trip.min(self.config.nack_interval) * 3 / 4);
        match (route.config.outgoing.rtx_ssrc, codec.outgoing_rtx) {
            (Some(ssrc), Some(payload_type)) => {
                self.stats.extensions_erased += route.edit_extensions(packet);
                rtx::set_original_sequence_number(packet, osn.wrapping_add(mapping.sequence_offset));
                let mut header = RtpHeaderMut::of(packet).ok_or(DropReason::Malformed)?;
                header.set_payload_type(payload_type);
                header.set_sequence_number(route.sent.rtx_sequence_number);
                header.set_timestamp(numbers.timestamp.wrapping_add(mapping.timestamp_offset));
                header.set_ssrc(ssrc);
                route.sent.rtx_sequence_number = route.sent.rtx_sequence_number.wrapping_add(1);
                // It may be ahead of all that has left: the number is taken then.
                route.sent.numbers.unwrap(osn.wrapping_add(mapping.sequence_offset));
                Ok(Forwarded { ssrc, payload_len: numbers.payload_len, retransmission: true })
            }
            // Under the SSRC of the media a packet may leave but once: a second time, SRTP would repeat its index.
            _ if !first_time => Err(DropReason::Duplicate),
            _ => {
                if !rtx::unwrap(packet, codec.incoming, active) {
                    return Err(DropReason::RepairsNothing);
                }
                let numbers = Numbers {
                    sequence_number: osn,
                    payload_len: numbers.payload_len.saturating_sub(2),
                    ..numbers
                };
                let forwarded = self.forward_primary(now, packet, index, codec.outgoing, mapping, numbers)?;
                Ok(Forwarded { retransmission: true, ..forwarded })
            }
        }
    }

    /// Whether a stream of retransmissions is of this stream: by signalled pair, by name, or because the route has no other.
    fn repairs(&self, retransmissions: u32, media: u32) -> bool {
        let named =
            self.streams.get(&media).and_then(Stream::primary).and_then(|primary| primary.rid.as_ref());
        match self.streams.get(&retransmissions).map(|stream| &stream.kind) {
            Some(Kind::Retransmission(Retransmission { repairs: Some(repairs), .. })) => *repairs == media,
            Some(Kind::Retransmission(Retransmission { repaired_rid: Some(repaired), .. })) => {
                named.is_none_or(|rid| rid == repaired)
            }
            Some(Kind::Retransmission(_)) => true,
            _ => false,
        }
    }
}
