//! Makes offers: RFC 8829 section 5.2. Sections in use keep place, mid and numbers; dead ones are used again.

use super::answer::{best_match, is_rid};
use super::codec::Codec;
use super::config::{LocalTransport, NegotiatorConfig};
use super::description::{Description, SectionPart};
use super::error::{Misuse, NegotiationError};
use super::numbers::Numbers;
use super::transceiver::{Transceiver, TransceiverId};
use super::write::{self, OutFormat};
use super::{MediaKind, session_with_group};
use crate::attribute::{
    BundleOnly, Direction, ExtMapAllowMixed, MaxMessageSize, Mid, Rtcp, RtcpMux, RtcpMuxOnly, RtcpRsize,
    SctpPort, Setup,
};
use crate::limits::MAX_SECTIONS;
use crate::{Media, Origin, Session};
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Everything that an offer depends on.
pub(super) struct OfferInput<'a> {
    pub(super) config: &'a NegotiatorConfig,
    pub(super) transceivers: &'a [Transceiver],
    pub(super) transport: &'a LocalTransport,
    pub(super) data_wanted: bool,
    pub(super) version: u64,
    /// No mid below it is new: see [`mids_seen`].
    pub(super) next_mid: u32,
    /// Our description in force: the pending offer, or else the current one.
    pub(super) local: Option<&'a Description<'a>>,
    /// The last finished exchange.
    pub(super) agreed: Option<(&'a Description<'a>, &'a Description<'a>)>,
}

/// What stands at one index of the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    Media { id: TransceiverId, mid: String, live: bool },
    Data { mid: String, live: bool },
    Rejected,
}

/// An offer, and which transceiver is at which index under which mid.
pub(super) struct MadeOffer {
    pub(super) session: Session,
    pub(super) associations: Vec<(TransceiverId, usize, String)>,
}

impl OfferInput<'_> {
    pub(super) fn offer(&self) -> Result<MadeOffer, NegotiationError> {
        let slots = self.slots()?;
        let is_live =
            |slot: &Slot| matches!(slot, Slot::Media { live: true, .. } | Slot::Data { live: true, .. });
        let in_use = |slot: &Slot| !matches!(slot, Slot::Rejected);
        let tagged = slots.iter().position(is_live).or_else(|| slots.iter().position(in_use));
        let known: Vec<&Description<'_>> =
            self.local.into_iter().chain(self.agreed.map(|(_, remote)| remote)).collect();
        let mut numbers = Numbers::of(&known);
        let mut media = Vec::with_capacity(slots.len());
        for (index, slot) in slots.iter().enumerate() {
            media.push(match slot {
                Slot::Media { id, mid, live } => self.rtp_section(index, *id, mid, *live, &mut numbers)?,
                Slot::Data { mid, .. } => self.data_section(mid)?,
                Slot::Rejected => self.rejected_section(index)?,
            });
        }
        self.apply_transport(&slots, tagged, &mut media);

        let mid_of = |slot: &Slot| match slot {
            Slot::Media { mid, .. } | Slot::Data { mid, .. } => {
                Some(mid.clone()).filter(|mid| !mid.is_empty())
            }
            Slot::Rejected => None,
        };
        let mut mids: Vec<String> =
            tagged.and_then(|tagged| slots.get(tagged)).and_then(mid_of).into_iter().collect();
        mids.extend(
            slots
                .iter()
                .enumerate()
                .filter(|(at, _)| Some(*at) != tagged)
                .filter_map(|(_, slot)| mid_of(slot)),
        );
        let origin = Origin::of_session(self.config.session_id, self.version);
        let group = (!mids.is_empty()).then(|| mids.iter().map(String::as_str));
        let mut session = session_with_group(&origin, group);
        write::push_session(&mut session, self.transport);
        if self.config.capabilities.extmap_allow_mixed {
            session.header_mut().push(&ExtMapAllowMixed);
        }
        media.into_iter().for_each(|media| session.push_media(media));
        let associations = slots
            .into_iter()
            .enumerate()
            .filter_map(|(index, slot)| match slot {
                Slot::Media { id, mid, .. } => Some((id, index, mid)),
                _ => None,
            })
            .collect();
        Ok(MadeOffer { session, associations })
    }

    /// RFC 8829 section 5.2.2: who is where.
    fn slots(&self) -> Result<Vec<Slot>, Misuse> {
        let mut mids = MidSource::of([self.local, self.agreed.map(|(_, remote)| remote)], self.next_mid);
        let mut waiting = self
            .transceivers
            .iter()
            .filter(|transceiver| !transceiver.stopped && transceiver.association.is_none());
        let sections = self.local.map_or(&[][..], |local| &local.sections);
        let mut has_data =
            sections.iter().any(|s| s.kind == Some(MediaKind::Application) && !s.is_rejected());
        let mut slots = Vec::new();
        for (index, section) in sections.iter().enumerate() {
            let owner = self.transceivers.iter().find(|transceiver| transceiver.index() == Some(index));
            let live = self.is_live(index);
            slots.push(match owner {
                Some(owner) if !owner.stopped && !section.is_rejected() => {
                    Slot::Media { id: owner.id, mid: section.mid.unwrap_or_default().to_string(), live }
                }
                // Stopped in this offer: rejected now, used again once the peer has agreed.
                Some(owner) if owner.stopped && live => Slot::Rejected,
                _ if section.kind == Some(MediaKind::Application) && !section.is_rejected() => {
                    Slot::Data { mid: section.mid.unwrap_or_default().to_string(), live }
                }
                _ => match waiting.next() {
                    Some(next) => Slot::Media { id: next.id, mid: mids.next(), live: false },
                    None if self.data_wanted && !has_data => {
                        has_data = true;
                        Slot::Data { mid: mids.next(), live: false }
                    }
                    None => Slot::Rejected,
                },
            });
        }
        slots.extend(waiting.map(|next| Slot::Media { id: next.id, mid: mids.next(), live: false }));
        if self.data_wanted && !has_data {
            slots.push(Slot::Data { mid: mids.next(), live: false });
        }
        if slots.len() > MAX_SECTIONS { Err(Misuse::TooManySections) } else { Ok(slots) }
    }

    /// Whether both sides have the section in use.
    fn is_live(&self, index: usize) -> bool {
        let used = |description: &Description<'_>| {
            description.sections.get(index).is_some_and(|section| !section.is_rejected())
        };
        self.agreed.is_some_and(|(local, remote)| used(local) && used(remote))
    }

    fn section_before(&self, index: usize) -> Option<&SectionPart<'_>> {
        self.local.and_then(|local| local.sections.get(index))
    }

    /// Ports, `bundle-only`, and the transport of the tagged section (RFC 8829 section 5.2.1, RFC 9143 section 7.2.1).
    fn apply_transport(&self, slots: &[Slot], tagged: Option<usize>, media: &mut [Media]) {
        let Some(tagged) = tagged else { return };
        let Some(tagged_media) = media.get_mut(tagged) else { return };
        write::push_transport(tagged_media, self.transport, Setup::ActPass, true);
        if tagged_media.line().is_rtp() {
            tagged_media.push(&Rtcp { port: 9, address: Some("IN IP4 0.0.0.0") });
        }
        let port = tagged_media.line().port;
        for (index, (slot, media)) in slots.iter().zip(media).enumerate() {
            match slot {
                _ if index == tagged => {}
                Slot::Rejected => {}
                Slot::Media { live: true, .. } | Slot::Data { live: true, .. } => media.set_port(port),
                _ if self.config.bundle_only => {
                    media.set_port(0);
                    media.push(&BundleOnly);
                }
                _ => write::push_transport(media, self.transport, Setup::ActPass, true),
            }
        }
    }

    fn rtp_section(
        &self,
        index: usize,
        id: TransceiverId,
        mid: &str,
        live: bool,
        numbers: &mut Numbers,
    ) -> Result<Media, NegotiationError> {
        let transceiver = self
            .transceivers
            .iter()
            .find(|transceiver| transceiver.id == id)
            .ok_or(Misuse::UnknownTransceiver)?;
        let kind = transceiver.kind;
        let before = self.section_before(index).filter(|_| live);
        let formats = self.formats(kind, before, numbers)?;
        let name = if kind == MediaKind::Audio { "audio" } else { "video" };
        // RFC 8829 section 5.1.2: one protocol in offers, whatever the peer once wrote.
        let mut media = Media::new(name, 9, "UDP/TLS/RTP/SAVPF", &write::format_list(&formats))
            .map_err(Misuse::Malformed)?;
        push_mid(&mut media, mid);
        media.set_direction(transceiver.direction);
        self.push_extensions(&mut media, kind, numbers);
        media.push(&RtcpMux);
        media.push(&RtcpMuxOnly);
        media.push(&RtcpRsize);
        write::push_formats(&mut media, &formats);
        if transceiver.direction.sends() {
            let rtx = formats.iter().any(|format| format.rtx.is_some());
            write::push_sending(&mut media, transceiver.sending.as_ref(), rtx)?;
        }
        Ok(media)
    }

    /// What the section has already, in its order, then what else we can.
    fn formats(
        &self,
        kind: MediaKind,
        before: Option<&SectionPart<'_>>,
        numbers: &mut Numbers,
    ) -> Result<Vec<OutFormat>, Misuse> {
        let capabilities = self.config.capabilities.codecs(kind);
        let mut formats: Vec<OutFormat> = Vec::new();
        let mut used = BTreeSet::new();
        let mut covered: Vec<Codec<'_>> = Vec::new();
        for format in
            before.into_iter().flat_map(|section| &section.formats).filter(|format| !format.is_rtx())
        {
            let Some(capability) = best_match(format, capabilities) else { continue };
            used.insert(format.payload_type);
            covered.push(format.codec);
            formats.push(OutFormat {
                payload_type: format.payload_type,
                name: format.codec.name.into(),
                clock_rate: format.codec.clock_rate,
                channels: format.codec.channels,
                fmtp: format.codec.parameters.0.into(),
                feedback: capability.feedback.clone(),
                rtx: numbers.rtx_if(capability.rtx, format.payload_type),
            });
        }
        for capability in capabilities {
            let codec = Codec::of(capability);
            if covered.iter().any(|known| known.same(&codec)) {
                continue;
            }
            // What finds no number is left out: the section can do without, the session not without its offer.
            let Some(payload_type) = numbers.reserve(capability, &used) else { continue };
            used.insert(payload_type);
            formats.push(OutFormat {
                payload_type,
                name: capability.name.clone(),
                clock_rate: capability.clock_rate,
                channels: capability.channels,
                fmtp: capability.fmtp.clone(),
                feedback: capability.feedback.clone(),
                rtx: numbers.rtx_if(capability.rtx, payload_type),
            });
        }
        if formats.is_empty() && !capabilities.is_empty() {
            return Err(Misuse::NoPayloadTypeFree);
        }
        Ok(formats)
    }

    fn push_extensions(&self, media: &mut Media, kind: MediaKind, numbers: &mut Numbers) {
        let capabilities = &self.config.capabilities;
        for extension in capabilities.extensions(kind) {
            // A rid names encodings, and ours are one: only a receiver of simulcast has use for it.
            if capabilities.receive_simulcast || !is_rid(&extension.uri) {
                let id = numbers.extension(&extension.uri, capabilities.extmap_allow_mixed);
                if let Some(id) = id {
                    write::push_extension(media, u16::from(id), &extension.uri, None);
                }
            }
        }
    }

    fn data_section(&self, mid: &str) -> Result<Media, NegotiationError> {
        let mut media =
            Media::new("application", 9, "UDP/DTLS/SCTP", "webrtc-datachannel").map_err(Misuse::Malformed)?;
        push_mid(&mut media, mid);
        media.push(&SctpPort(self.config.sctp_port));
        media.push(&MaxMessageSize(self.config.max_message_size));
        Ok(media)
    }

    /// A dead section, as it was, with port 0.
    fn rejected_section(&self, index: usize) -> Result<Media, NegotiationError> {
        let section = self.section_before(index);
        let line = section.map(|section| section.media.line());
        let (name, protocol, formats) = line
            .map_or(("audio", "UDP/TLS/RTP/SAVPF", "0"), |line| (line.media, line.protocol, line.formats));
        let mut media = Media::new(name, 0, protocol, formats).map_err(Misuse::Malformed)?;
        if let Some(mid) = section.and_then(|section| section.mid) {
            media.push(&Mid(mid));
        }
        media.set_direction(Direction::Inactive);
        Ok(media)
    }
}

/// A peer without mids agreed on sections without them, and they stay so.
fn push_mid(media: &mut Media, mid: &str) {
    if !mid.is_empty() {
        media.push(&Mid(mid));
    }
}

/// The counter of mids after a description was applied: above every number that is a mid in it. A section used again gets
/// a name that none had before (RFC 8829 section 5.2.2), or packets under way would find the wrong one by their MID.
pub(super) fn mids_seen(next_mid: u32, description: &Description<'_>) -> u32 {
    /// Beyond three digits a number is the peer's own way of naming, and no count.
    const LAST: u32 = 999;
    let numbers = description.sections.iter().filter_map(|section| section.mid?.parse::<u32>().ok());
    numbers.filter(|number| *number <= LAST).fold(next_mid, |next, number| next.max(number + 1))
}

/// New mids: small numbers that neither side uses (RFC 8829 section 5.2.1: a counter, at most 3 octets for long).
struct MidSource {
    used: BTreeSet<String>,
    next: u32,
}

impl MidSource {
    fn of(descriptions: [Option<&Description<'_>>; 2], next: u32) -> Self {
        let sections = descriptions.into_iter().flatten().flat_map(|description| &description.sections);
        MidSource { used: sections.filter_map(|section| section.mid).map(String::from).collect(), next }
    }

    fn next(&mut self) -> String {
        loop {
            let mid = self.next.to_string();
            self.next += 1;
            if self.used.insert(mid.clone()) {
                return mid;
            }
        }
    }
}
