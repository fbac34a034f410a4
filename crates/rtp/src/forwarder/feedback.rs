//! RTCP that comes: reports of the sender, requests of the receiver.

use core::time::Duration;

use ginnel_core::Instant;

use super::{Forwarder, Side, route::MAX_PASSED_ON, stream::Stream};
use crate::{
    reception::in_65536ths,
    rtcp::{Compound, Fir, Nack, Remb, ReportBlock, Rtcp, SenderInfo, SenderReport},
};

impl Forwarder {
    pub(super) fn on_rtcp(&mut self, now: Instant, from: Side, octets: &[u8]) {
        let Ok(compound) = Compound::parse(octets) else {
            self.stats.malformed_rtcp += 1;
            return;
        };
        for packet in compound.packets() {
            match (packet, from) {
                (Err(_), _) => self.stats.malformed_rtcp += 1,
                (Ok(packet), Side::Sender) => self.on_sender(now, packet),
                (Ok(packet), Side::Receiver) => self.on_receiver(now, packet),
            }
        }
    }

    /// What the sender says of what it sends.
    fn on_sender(&mut self, now: Instant, packet: Rtcp<'_>) {
        match packet {
            Rtcp::SenderReport(report) => self.on_sender_report(now, &report),
            Rtcp::Goodbye(goodbye) => {
                for ssrc in goodbye.sources() {
                    self.forget(ssrc);
                }
            }
            _ => {}
        }
    }

    fn on_sender_report(&mut self, now: Instant, report: &SenderReport<'_>) {
        let Some(stream) = self.streams.get_mut(&report.ssrc) else { return };
        stream.reception.on_sender_report(now, &report.info);
        let Some(mapping) = stream.primary().and_then(|primary| primary.mapping) else { return };
        let Some(route) = self.routes.get_mut(stream.route) else { return };
        if route.active == Some(report.ssrc) {
            // The same moment on both clocks, so that what was in step stays in step; the counts are of what left.
            let rtp_timestamp = report.info.rtp_timestamp.wrapping_add(mapping.timestamp_offset);
            route.sent.report_due = Some(SenderInfo { rtp_timestamp, ..report.info });
        }
    }

    /// What the receiver says of what we send.
    fn on_receiver(&mut self, now: Instant, packet: Rtcp<'_>) {
        match packet {
            Rtcp::SenderReport(report) => report.blocks().for_each(|block| self.on_block(now, &block)),
            Rtcp::ReceiverReport(report) => report.blocks().for_each(|block| self.on_block(now, &block)),
            Rtcp::Nack(nack) => self.on_nack(now, &nack),
            Rtcp::PictureLoss(loss) => {
                if let Some(index) = self.route_to(loss.media_ssrc) {
                    self.want_keyframe(now, index);
                }
            }
            Rtcp::FullIntraRequest(fir) => self.on_full_intra_request(now, &fir),
            Rtcp::Remb(remb) => self.on_remb(&remb),
            _ => {}
        }
    }

    /// Which route sends media under this SSRC.
    fn route_to(&self, outgoing_ssrc: u32) -> Option<usize> {
        self.routes.iter().position(|route| route.config.outgoing.ssrc == outgoing_ssrc)
    }

    fn on_block(&mut self, now: Instant, block: &ReportBlock) {
        let Some(index) = self.route_to(block.ssrc) else { return };
        let Some(route) = self.routes.get_mut(index) else { return };
        route.receiver.fraction_lost = block.fraction_lost;
        route.receiver.packets_lost = block.cumulative_lost;
        // RFC 3550 section 6.4.1: the round trip is what passed since the report, less what it lay there.
        if let Some((compact, at)) = route.sent.report
            && compact == block.last_sender_report
            && compact != 0
        {
            let passed = in_65536ths(now.saturating_since(at));
            let trip = u64::from(passed.saturating_sub(block.delay_since_last_sender_report));
            route.receiver.round_trip = Some(Duration::from_nanos(trip * 1_000_000_000 / 65_536));
        }
    }

    /// RFC 4585 section 6.2.1, turned around: the numbers are mapped back to those of the incoming stream.
    fn on_nack(&mut self, now: Instant, nack: &Nack<'_>) {
        // Who asks again by a timer may be a little early.
        let under_way = now + self.config.nack_interval * 3 / 4;
        let Some(index) = self.route_to(nack.media_ssrc) else { return };
        let Some(route) = self.routes.get_mut(index) else { return };
        let active = route.active.and_then(|ssrc| self.streams.get(&ssrc));
        let known = active.and_then(|stream| Some((stream, stream.primary()?, stream.primary()?.mapping?)));
        for outgoing in nack.missing() {
            let Some((Stream { reception, .. }, primary, mapping)) = known else {
                self.stats.nacks_refused += 1;
                continue;
            };
            let incoming = outgoing.wrapping_sub(mapping.sequence_offset);
            let position = reception.position_of(incoming);
            // Neither from the time of an earlier stream, nor from what is still to come, nor too old to be kept anywhere.
            let known = position.filter(|position| *position >= mapping.first);
            let Some(position) = known else {
                self.stats.nacks_refused += 1;
                continue;
            };
            if primary.missing.contains(position) || route.answering.contains(position, now) {
                self.stats.nacks_absorbed += 1;
            } else if primary.seen.contains(position).is_some()
                && route.config.incoming.feedback.nack
                && route.passed_on.len() < MAX_PASSED_ON
            {
                route.passed_on.push(incoming);
                route.answering.insert(position, under_way);
                self.stats.nacks_passed_on += 1;
            } else {
                self.stats.nacks_refused += 1;
            }
        }
    }

    /// RFC 5104 section 4.3.1.2: a repetition has the sequence number of what it repeats, and commands nothing new.
    fn on_full_intra_request(&mut self, now: Instant, fir: &Fir<'_>) {
        for entry in fir.entries() {
            let Some(index) = self.route_to(entry.ssrc) else { continue };
            let Some(route) = self.routes.get_mut(index) else { continue };
            if route.keyframe.fir_seen.replace(entry.sequence_number) != Some(entry.sequence_number) {
                self.want_keyframe(now, index);
            }
        }
    }

    fn on_remb(&mut self, remb: &Remb<'_>) {
        if remb.ssrcs().any(|ssrc| self.route_to(ssrc).is_some()) {
            self.remb_due = Some(remb.bitrate);
        }
    }
}
