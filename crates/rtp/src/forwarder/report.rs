//! RTCP that goes: to the sender reports and requests, to the receiver the sender's reports, to both goodbye.

use ginnel_core::{Instant, NoRoom, Packet};

use super::{Forwarder, Phase, Side};
use crate::rtcp::RtcpWriter;

/// No compound begins another message beyond this: the largest message is a full NACK of 500 octets.
const FULL: usize = 700;

impl Forwarder {
    pub(super) fn write_next(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Side> {
        packet.clear();
        match self.phase {
            Phase::Open => {
                if self.write_to_receiver(now, packet) {
                    return Some(Side::Receiver);
                }
                self.write_to_sender(now, packet).then_some(Side::Sender)
            }
            Phase::Closing { sender, receiver } => {
                let written = self.write_goodbye(packet, receiver);
                self.phase = match receiver {
                    true => Phase::Closing { sender, receiver: false },
                    false => Phase::Closing { sender: false, receiver },
                };
                self.finish_closing();
                let side = if receiver { Side::Receiver } else { Side::Sender };
                written.ok().map(|()| side)
            }
            Phase::Closed => None,
        }
    }

    /// A sender report that is to be passed on: one compound for each stream.
    fn write_to_receiver(&mut self, now: Instant, packet: &mut Packet<'_>) -> bool {
        let due = |route: &&mut super::RouteState| route.sent.report_due.is_some();
        let Some(route) = self.routes.iter_mut().find(due) else { return false };
        let Some(mut info) = route.sent.report_due.take() else { return false };
        (info.packet_count, info.octet_count) = (route.sent.packets, route.sent.octets);
        let ssrc = route.config.outgoing.ssrc;
        let mut writer = RtcpWriter::new(packet);
        let written = writer
            .sender_report(ssrc, info, [])
            .and_then(|()| writer.cname(ssrc, &self.config.cname))
            .is_ok();
        if written {
            route.sent.report = Some((info.compact_ntp(), now));
            self.stats.reports_sent += 1;
        }
        written
    }

    /// The report and all requests that are due. What finds no room goes into the next compound.
    fn write_to_sender(&mut self, now: Instant, packet: &mut Packet<'_>) -> bool {
        if !self.report_due && !self.has_requests() {
            return false;
        }
        let mut writer = RtcpWriter::new(packet);
        if (self.report_due || !self.config.reduced_size) && self.write_report(now, &mut writer).is_err() {
            return false;
        }
        self.write_nacks(&mut writer);
        self.write_keyframe_requests(&mut writer);
        self.write_remb(&mut writer);
        !writer.is_empty()
    }

    fn has_requests(&self) -> bool {
        let missing =
            |stream: &super::Stream| stream.primary().is_some_and(|primary| primary.missing.has_due());
        self.remb_due.is_some()
            || self.routes.iter().any(|route| route.keyframe.due || !route.passed_on.is_empty())
            || self.streams.values().any(missing)
    }

    /// RFC 3550 section 6.1: a report, which is empty in front of mere requests, and the canonical name.
    fn write_report(&mut self, now: Instant, writer: &mut RtcpWriter<'_, '_>) -> Result<(), NoRoom> {
        let due = core::mem::take(&mut self.report_due);
        // What a full report leaves out is still fresh for the next.
        let fresh = self.streams.iter_mut().filter(|(_, stream)| due && stream.reception.is_fresh());
        let blocks = fresh.map(|(ssrc, stream)| stream.reception.report_block(now, *ssrc));
        writer.receiver_report(self.reporter_ssrc, blocks)?;
        self.stats.reports_sent += u64::from(due);
        writer.cname(self.reporter_ssrc, &self.config.cname)
    }

    fn write_nacks(&mut self, writer: &mut RtcpWriter<'_, '_>) {
        for (ssrc, stream) in &mut self.streams {
            let Some(primary) = stream.primary_mut() else { continue };
            if primary.missing.has_due()
                && writer.len() < FULL
                && writer.nack(self.reporter_ssrc, *ssrc, primary.missing.due()).is_ok()
            {
                primary.missing.asked();
            }
        }
        for route in &mut self.routes {
            let Some(active) = route.active.filter(|_| !route.passed_on.is_empty()) else {
                route.passed_on.clear();
                continue;
            };
            if writer.len() < FULL
                && writer.nack(self.reporter_ssrc, active, route.passed_on.iter().copied()).is_ok()
            {
                route.passed_on.clear();
            }
        }
    }

    fn write_keyframe_requests(&mut self, writer: &mut RtcpWriter<'_, '_>) {
        for route in self.routes.iter_mut().filter(|route| route.keyframe.due) {
            let Some(active) = route.active else {
                route.keyframe.due = false;
                continue;
            };
            let written = if writer.len() >= FULL {
                Err(NoRoom)
            } else if route.config.incoming.feedback.pli {
                writer.picture_loss(self.reporter_ssrc, active)
            } else {
                writer.full_intra_request(self.reporter_ssrc, active, route.keyframe.fir_sequence_number)
            };
            if written.is_ok() {
                route.keyframe.due = false;
                route.keyframe.fir_sequence_number = route.keyframe.fir_sequence_number.wrapping_add(1);
                self.stats.keyframes_requested += 1;
            }
        }
    }

    /// The estimate is for all streams together, so it names all that heed it.
    fn write_remb(&mut self, writer: &mut RtcpWriter<'_, '_>) {
        let Some(bitrate) = self.remb_due.filter(|_| writer.len() < FULL) else { return };
        self.remb_due = None;
        let heeding = self.routes.iter().filter(|route| route.config.incoming.feedback.remb);
        let mut ssrcs = heeding.filter_map(|route| route.active).peekable();
        if ssrcs.peek().is_some() {
            // A compound without room for it leaves it out: the receiver repeats it every second.
            let _ = writer.remb(self.reporter_ssrc, bitrate, ssrcs);
        }
    }

    /// RFC 3550 section 6.6, behind the report and the name that every compound begins with.
    fn write_goodbye(&self, packet: &mut Packet<'_>, to_receiver: bool) -> Result<(), NoRoom> {
        let sent = || self.routes.iter().filter(|route| route.sent.packets > 0);
        let ssrc = match sent().next() {
            Some(route) if to_receiver => route.config.outgoing.ssrc,
            _ => self.reporter_ssrc,
        };
        let mut writer = RtcpWriter::new(packet);
        writer.receiver_report(ssrc, [])?;
        writer.cname(ssrc, &self.config.cname)?;
        if to_receiver {
            writer.goodbye(sent().map(|route| route.config.outgoing.ssrc), "")
        } else {
            writer.goodbye([ssrc], "")
        }
    }
}
