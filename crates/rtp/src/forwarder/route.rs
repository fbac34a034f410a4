//! One route at work: which stream it forwards, and what has left on the other side.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use ginnel_core::{Instant, Packet};

use super::{
    config::{Codec, MAX_CODECS, Outgoing, Route, RouteError},
    event::ReceiverView,
    stream::Mapping,
};
use crate::{Edit, SequenceUnwrapper, edit_extensions, rtcp::SenderInfo, uri};

/// How many sequence numbers of one route wait to be passed on.
pub(super) const MAX_PASSED_ON: usize = 128;

/// A route and its state.
#[derive(Debug)]
pub(super) struct RouteState {
    pub(super) config: Route,
    pub(super) mid: Arc<str>,
    /// The SSRC of the incoming stream that is forwarded.
    pub(super) active: Option<u32>,
    pub(super) sent: Sent,
    pub(super) keyframe: Keyframe,
    /// Incoming sequence numbers that the receiver misses.
    pub(super) passed_on: Vec<u16>,
    pub(super) answering: Answering,
    pub(super) receiver: ReceiverView,
    plan: Vec<(u8, Plan)>,
    edits: bool,
}

/// What has left.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) packets: u32,
    pub(super) octets: u32,
    pub(super) numbers: SequenceUnwrapper,
    /// The last timestamp, and when it left.
    pub(super) last: Option<(u32, Instant)>,
    pub(super) rtx_sequence_number: u16,
    /// A report of the sender that is to be passed on.
    pub(super) report_due: Option<SenderInfo>,
    /// LSR of the last report that was passed on, and when.
    pub(super) report: Option<(u32, Instant)>,
}

/// The requests for key frames.
#[derive(Debug, Default)]
pub(super) struct Keyframe {
    pub(super) due: bool,
    /// Asked for too soon after the last.
    pub(super) held_back: bool,
    pub(super) last: Option<Instant>,
    /// The sequence number of our next FIR.
    pub(super) fir_sequence_number: u8,
    /// That of the receiver's last FIR.
    pub(super) fir_seen: Option<u8>,
}

/// Positions that were asked for or repaired a moment ago: a request for one of them crossed with the answer.
#[derive(Debug)]
pub(super) struct Answering {
    /// A ring; the oldest is overwritten.
    entries: [(u64, Instant); MAX_PASSED_ON],
    next: usize,
}

impl Default for Answering {
    fn default() -> Self {
        Self { entries: [(0, Instant::EPOCH); MAX_PASSED_ON], next: 0 }
    }
}

impl Answering {
    pub(super) fn insert(&mut self, position: u64, until: Instant) {
        if let Some(entry) = self.entries.get_mut(self.next % MAX_PASSED_ON) {
            *entry = (position, until);
        }
        self.next = (self.next + 1) % MAX_PASSED_ON;
    }

    pub(super) fn contains(&self, position: u64, now: Instant) -> bool {
        self.entries.iter().any(|(known, until)| *known == position && *until > now)
    }
}

/// What becomes of an extension of the incoming section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Rename(u8),
    Mid(u8),
}

impl RouteState {
    pub(super) fn new(config: Route, rtx_sequence_number: u16) -> Result<Self, RouteError> {
        check(&config)?;
        let (plan, edits) = plan(&config);
        Ok(Self {
            mid: config.incoming.mid.as_str().into(),
            config,
            active: None,
            sent: Sent { rtx_sequence_number, ..Sent::default() },
            keyframe: Keyframe::default(),
            passed_on: Vec::with_capacity(MAX_PASSED_ON),
            answering: Answering::default(),
            receiver: ReceiverView::default(),
            plan,
            edits,
        })
    }

    /// Takes what was negotiated anew; what has left goes on under the same SSRC.
    pub(super) fn renegotiate(&mut self, config: Route) -> Result<(), RouteError> {
        check(&config)?;
        if self.config.outgoing.ssrc != config.outgoing.ssrc {
            self.sent = Sent { rtx_sequence_number: self.sent.rtx_sequence_number, ..Sent::default() };
        }
        (self.plan, self.edits) = plan(&config);
        self.config = config;
        Ok(())
    }

    pub(super) fn codec(&self, incoming: u8) -> Option<&Codec> {
        self.config.codecs.iter().find(|codec| codec.incoming == incoming)
    }

    pub(super) fn codec_of_rtx(&self, incoming_rtx: u8) -> Option<&Codec> {
        self.config.codecs.iter().find(|codec| codec.incoming_rtx == Some(incoming_rtx))
    }

    pub(super) fn knows(&self, payload_type: u8) -> bool {
        self.codec(payload_type).is_some() || self.codec_of_rtx(payload_type).is_some()
    }

    pub(super) fn owns(&self, outgoing_ssrc: u32) -> bool {
        let Outgoing { ssrc, rtx_ssrc, .. } = self.config.outgoing;
        ssrc == outgoing_ssrc || rtx_ssrc == Some(outgoing_ssrc)
    }

    /// How a stream leaves that takes over this route at `position` with these numbers.
    pub(super) fn take_over(&self, now: Instant, position: u64, timestamp: u32, clock_rate: u32) -> Mapping {
        let (Some(highest), Some((last, at))) = (self.sent.numbers.highest(), self.sent.last) else {
            return Mapping::IDENTITY;
        };
        let elapsed = now.saturating_since(at).as_nanos() * u128::from(clock_rate) / 1_000_000_000;
        let continued = last.wrapping_add((elapsed as u32).max(1));
        Mapping {
            sequence_offset: (highest as u16).wrapping_add(1).wrapping_sub(position as u16),
            timestamp_offset: continued.wrapping_sub(timestamp),
            first: position,
        }
    }

    /// Rewrites the header extension for the outgoing section; how many elements had to go is returned.
    pub(super) fn edit_extensions(&self, packet: &mut Packet<'_>) -> u64 {
        if !self.edits {
            return 0;
        }
        let mid: &String = &self.config.outgoing.mid;
        edit_extensions(packet, |id, value| {
            match self.plan.iter().find(|(known, _)| *known == id).map(|(_, plan)| *plan) {
                Some(Plan::Rename(new)) => Edit::Rename(new),
                // Another length would move the payload: the receiver knows the SSRC, and does without.
                Some(Plan::Mid(new)) if value.len() == mid.len() => {
                    value.copy_from_slice(mid.as_bytes());
                    Edit::Rename(new)
                }
                _ => Edit::Erase,
            }
        }) as u64
    }

    /// A key frame is wanted: at once, or as soon as the last request is old enough. When that is, if it is later.
    pub(super) fn want_keyframe(&mut self, now: Instant, interval: Duration) -> Option<Instant> {
        let feedback = self.config.incoming.feedback;
        if self.active.is_none() || !(feedback.pli || feedback.fir) {
            return None;
        }
        match self.keyframe.last.map(|last| last + interval) {
            Some(earliest) if earliest > now => {
                self.keyframe.held_back = true;
                Some(earliest)
            }
            _ => {
                (self.keyframe.due, self.keyframe.last) = (true, Some(now));
                None
            }
        }
    }
}

fn check(route: &Route) -> Result<(), RouteError> {
    let above = |payload_type: Option<u8>| payload_type.is_some_and(|payload_type| payload_type > 127);
    let codecs = &route.codecs;
    match () {
        () if codecs.is_empty() => Err(RouteError::NoCodec),
        () if codecs.len() > MAX_CODECS => Err(RouteError::TooManyCodecs),
        () if codecs.iter().any(|codec| {
            above(Some(codec.incoming | codec.outgoing))
                || above(codec.incoming_rtx)
                || above(codec.outgoing_rtx)
        }) =>
        {
            Err(RouteError::PayloadTypeTooHigh)
        }
        () if codecs.iter().any(|codec| codec.clock_rate == 0) => Err(RouteError::ClockRateIsZero),
        () if route.outgoing.rtx_ssrc == Some(route.outgoing.ssrc) => Err(RouteError::SsrcTaken),
        () => Ok(()),
    }
}

/// What becomes of each extension, and whether anything does. What is not in the plan is erased: identifiers without a
/// meaning on the other side, the names of simulcast streams (one stream leaves), and transport-wide sequence numbers,
/// which count the packets of a transport that is not this one.
fn plan(route: &Route) -> (Vec<(u8, Plan)>, bool) {
    let (from, to) = (&route.incoming.extensions, &route.outgoing.extensions);
    let same_mid = route.incoming.mid == route.outgoing.mid;
    let plan: Vec<_> = from
        .iter()
        .filter(|(_, uri)| ![uri::RID, uri::REPAIRED_RID, uri::TRANSPORT_CC].contains(uri))
        .filter_map(|(id, uri)| {
            let new = to.id(uri)?;
            Some((id, if uri == uri::MID && !same_mid { Plan::Mid(new) } else { Plan::Rename(new) }))
        })
        .collect();
    let kept = plan.len() == from.iter().count();
    let edits = !kept || plan.iter().any(|(id, plan)| *plan != Plan::Rename(*id));
    (plan, edits)
}
