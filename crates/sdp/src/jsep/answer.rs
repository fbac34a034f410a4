//! Makes answers: RFC 8829 section 5.3. The payload types and extension numbers of the offer are kept, in its order.

use super::capability::{Capabilities, CodecCapability, uri};
use super::config::{AnswerSetup, LocalTransport, NegotiatorConfig};
use super::description::{Description, Format, SectionPart};
use super::error::{Misuse, NegotiationError, PeerFault};
use super::negotiated::{DtlsRole, NegotiatedTransport};
use super::plan::Plan;
use super::transceiver::Transceiver;
use super::write::{self, OutFormat};
use super::{MediaKind, session_with_group};
use crate::attribute::{
    Direction, ExtMapAllowMixed, MaxMessageSize, Mid, Rid, RidDirection, RtcpMux, RtcpRsize, SctpPort, Setup,
    Simulcast, SimulcastAlternatives,
};
use crate::{Media, Origin, Session};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Everything that an answer depends on.
pub(super) struct AnswerInput<'a> {
    pub(super) config: &'a NegotiatorConfig,
    pub(super) transceivers: &'a [Transceiver],
    pub(super) transport: &'a LocalTransport,
    /// The last agreement's transport, if there was one.
    pub(super) before: Option<&'a NegotiatedTransport>,
    pub(super) version: u64,
}

impl AnswerInput<'_> {
    pub(super) fn answer(&self, offer: &Description<'_>, plan: &Plan) -> Result<Session, NegotiationError> {
        let setup =
            plan.tagged.map(|tagged| answer_setup(offer, tagged, self.config, self.before)).transpose()?;
        let mut media = Vec::with_capacity(offer.sections.len());
        for (index, section) in offer.sections.iter().enumerate() {
            media.push(if plan.accepts(index) {
                self.section(offer, index, section)?
            } else {
                rejected(section)?
            });
        }
        if let (Some(tagged), Some(setup)) = (plan.tagged, setup)
            && let Some(tagged_media) = media.get_mut(tagged)
        {
            write::push_transport(tagged_media, self.transport, setup, offer.tls_id(tagged).is_some());
            let port = tagged_media.line().port;
            for (index, other) in media.iter_mut().enumerate() {
                if index != tagged && plan.accepts(index) {
                    // RFC 9143 section 7.3: bundled sections share the address of the tagged one.
                    other.set_port(port);
                    write::repeat_credentials(other, self.transport, setup);
                }
            }
        }
        let bundle = plan.tagged.and_then(|tagged| offer.bundle_of(tagged));
        let accepted = bundle.unwrap_or_default().iter().filter(|&&index| plan.accepts(index));
        // The tagged section comes first (RFC 9143 section 7.3.1).
        let mut order: Vec<usize> = plan.tagged.into_iter().filter(|_| bundle.is_some()).collect();
        order.extend(accepted.copied().filter(|index| Some(*index) != plan.tagged));
        let mids = order.iter().filter_map(|&index| offer.sections.get(index)?.mid);

        let origin = Origin::of_session(self.config.session_id, self.version);
        let mut session = session_with_group(&origin, bundle.map(|_| mids));
        write::push_session(&mut session, self.transport);
        media.into_iter().for_each(|media| session.push_media(media));
        Ok(session)
    }

    fn section(
        &self,
        offer: &Description<'_>,
        index: usize,
        section: &SectionPart<'_>,
    ) -> Result<Media, NegotiationError> {
        match section.kind {
            Some(kind @ (MediaKind::Audio | MediaKind::Video)) => {
                self.rtp_section(offer, index, section, kind)
            }
            _ => self.data_section(section),
        }
    }

    fn rtp_section(
        &self,
        offer: &Description<'_>,
        index: usize,
        section: &SectionPart<'_>,
        kind: MediaKind,
    ) -> Result<Media, NegotiationError> {
        let capabilities = &self.config.capabilities;
        let transceiver = self.transceivers.iter().find(|transceiver| transceiver.index() == Some(index));
        let formats = answer_formats(section, capabilities.codecs(kind));
        let line = section.media.line();
        let mut media = Media::new(line.media, 9, line.protocol, &write::format_list(&formats))
            .map_err(Misuse::Malformed)?;
        push_mid(&mut media, section);
        let in_use = transceiver.filter(|transceiver| !transceiver.stopped);
        let wanted = in_use.map_or(Direction::Inactive, |transceiver| transceiver.direction);
        let direction = wanted.and(section.direction.reversed());
        media.set_direction(direction);
        push_extensions(&mut media, section, capabilities, kind);
        media.push(&RtcpMux);
        // RFC 5506 section 5.2: only what was offered is answered.
        let rsize = section.rtcp_rsize
            || offer.bundle_of(index).is_some_and(|bundle| {
                bundle
                    .first()
                    .and_then(|&first| offer.sections.get(first))
                    .is_some_and(|first| first.rtcp_rsize)
            });
        if rsize {
            media.push(&RtcpRsize);
        }
        write::push_formats(&mut media, &formats);
        if capabilities.receive_simulcast && direction.receives() {
            push_simulcast(&mut media, section);
        }
        if direction.sends() {
            let rtx = formats.iter().any(|format| format.rtx.is_some());
            write::push_sending(&mut media, transceiver.and_then(|t| t.sending.as_ref()), rtx)?;
        }
        Ok(media)
    }

    fn data_section(&self, section: &SectionPart<'_>) -> Result<Media, NegotiationError> {
        let line = section.media.line();
        let own_port = self.config.sctp_port.to_string();
        // In drafts before RFC 8841 the format is the writer's own port.
        let is_port = line.formats.bytes().all(|octet| octet.is_ascii_digit());
        let formats = if is_port { own_port.as_str() } else { line.formats };
        let mut media = Media::new(line.media, 9, line.protocol, formats).map_err(Misuse::Malformed)?;
        push_mid(&mut media, section);
        if line.protocol == "DTLS/SCTP" {
            // They name the port in sctpmap only; the answer speaks both.
            let map = crate::attribute::SctpMap {
                port: self.config.sctp_port,
                application: "webrtc-datachannel",
                streams: Some(1024),
            };
            media.push(&map);
        }
        media.push(&SctpPort(self.config.sctp_port));
        media.push(&MaxMessageSize(self.config.max_message_size));
        Ok(media)
    }
}

fn push_mid(media: &mut Media, section: &SectionPart<'_>) {
    if let Some(mid) = section.mid {
        media.push(&Mid(mid));
    }
}

/// RFC 8829 section 5.3.1: a rejected section repeats media, protocol and formats, with port 0.
fn rejected(section: &SectionPart<'_>) -> Result<Media, Misuse> {
    let line = section.media.line();
    let mut media = Media::new(line.media, 0, line.protocol, line.formats)?;
    push_mid(&mut media, section);
    media.set_direction(Direction::Inactive);
    Ok(media)
}

/// The formats of the offer that we have, in its order.
pub(super) fn answer_formats(section: &SectionPart<'_>, capabilities: &[CodecCapability]) -> Vec<OutFormat> {
    let rtx_of = |payload_type: u8| {
        section.formats.iter().find(|format| format.is_rtx() && format.apt == Some(payload_type))
    };
    let mut formats = Vec::new();
    for format in section.formats.iter().filter(|format| !format.is_rtx()) {
        let Some(capability) = best_match(format, capabilities) else { continue };
        formats.push(OutFormat {
            payload_type: format.payload_type,
            name: format.codec.name.into(),
            clock_rate: format.codec.clock_rate,
            channels: format.codec.channels,
            fmtp: format.codec.answer(capability),
            feedback: capability
                .feedback
                .iter()
                .filter(|value| format.feedback.contains(&value.as_str()))
                .cloned()
                .collect(),
            rtx: rtx_of(format.payload_type).filter(|_| capability.rtx).map(|rtx| rtx.payload_type),
        });
    }
    formats
}

/// The capability of the same profile, or else one that takes any.
pub(super) fn best_match<'a>(
    format: &Format<'_>,
    known: &'a [CodecCapability],
) -> Option<&'a CodecCapability> {
    let exact = known.iter().find(|capability| format.codec.same(&super::codec::Codec::of(capability)));
    exact.or_else(|| known.iter().find(|capability| format.codec.matches(capability)))
}

/// RFC 8285 section 6: an answer takes a subset, keeps the numbers and turns the directions.
fn push_extensions(
    media: &mut Media,
    section: &SectionPart<'_>,
    capabilities: &Capabilities,
    kind: MediaKind,
) {
    if section.allow_mixed && capabilities.extmap_allow_mixed {
        media.push(&ExtMapAllowMixed);
    }
    let highest = if section.allow_mixed && capabilities.extmap_allow_mixed { 255 } else { 14 };
    let mut taken: Vec<&str> = Vec::new();
    for extension in &section.extensions {
        let wanted = capabilities.has_extension(kind, extension.uri)
            && (capabilities.receive_simulcast || !is_rid(extension.uri))
            && extension.id <= highest
            && extension.id != 15;
        if wanted && !taken.contains(&extension.uri) {
            taken.push(extension.uri);
            let direction = extension.direction.map(Direction::reversed);
            write::push_extension(media, extension.id, extension.uri, direction);
        }
    }
}

pub(super) fn is_rid(extension: &str) -> bool {
    extension == uri::RID || extension == uri::REPAIRED_RID
}

/// RFC 8853 section 5.3.2: what is offered to be sent is answered as received, pauses left to the sender.
fn push_simulcast(media: &mut Media, section: &SectionPart<'_>) {
    let Some(offered) = section.simulcast.filter(|simulcast| !simulcast.send.0.is_empty()) else { return };
    for rid in section.rids_of(RidDirection::Send) {
        media.push(&Rid { id: rid.id, direction: RidDirection::Recv, restrictions: "" });
    }
    let list = offered.send.0.replace('~', "");
    let recv = SimulcastAlternatives(&list);
    media.push(&Simulcast { send: SimulcastAlternatives::default(), recv });
}

/// RFC 8842 section 5.3: our role, given the offered one and the association that may go on.
fn answer_setup(
    offer: &Description<'_>,
    tagged: usize,
    config: &NegotiatorConfig,
    before: Option<&NegotiatedTransport>,
) -> Result<Setup, PeerFault> {
    // RFC 4145 section 4: an offer that says nothing is active.
    let offered = offer.setup(tagged).unwrap_or(Setup::Active);
    let going_on =
        before.filter(|before| !identity_changed(offer, tagged, before)).map(|before| before.dtls_role);
    let kept = going_on.map(|role| match role {
        DtlsRole::Client => Setup::Active,
        DtlsRole::Server => Setup::Passive,
    });
    let answer = match (offered, kept) {
        (Setup::HoldConn, _) => return Err(PeerFault::ImpossibleSetup { index: tagged }),
        (Setup::Active, _) => Setup::Passive,
        (Setup::Passive, _) => Setup::Active,
        (Setup::ActPass, Some(kept)) => kept,
        (Setup::ActPass, None) => match config.answer_setup {
            AnswerSetup::Active => Setup::Active,
            AnswerSetup::Passive => Setup::Passive,
        },
    };
    match kept {
        Some(kept) if kept != answer => Err(PeerFault::ImpossibleSetup { index: tagged }),
        _ => Ok(answer),
    }
}

/// Whether the peer's certificates or `tls-id` are others than before: a new DTLS association.
pub(super) fn identity_changed(
    remote: &Description<'_>,
    tagged: usize,
    before: &NegotiatedTransport,
) -> bool {
    let known = |fingerprint: &crate::attribute::Fingerprint<'_>| {
        before.remote_fingerprints.iter().any(|old| old.same(fingerprint))
    };
    // RFC 8842 section 5.3: who answers an offer without `tls-id` has to leave it out, so its absence says nothing.
    let named_anew =
        remote.tls_id(tagged).zip(before.remote_tls_id.as_deref()).is_some_and(|(new, old)| new != old);
    named_anew || !remote.fingerprints(tagged).iter().any(known)
}

/// Whether the peer's credentials are others than before: an ICE restart (RFC 8839 section 4.4.3.1.1).
pub(super) fn restarted(remote: &Description<'_>, tagged: usize, before: &NegotiatedTransport) -> bool {
    let differs = |new: Option<&str>, old: &String| new != Some(old.as_str());
    differs(remote.ufrag(tagged), &before.remote_ufrag)
        || differs(remote.password(tagged), &before.remote_password)
}
