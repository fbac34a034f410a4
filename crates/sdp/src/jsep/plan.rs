//! Which sections of an offer we accept, on which transport, and why not the others: RFC 8829 section 5.3.1, RFC 9143
//! section 7.3. A pure function of the offer and of what we can do.

use super::MediaKind;
use super::config::NegotiatorConfig;
use super::description::{Description, Protocol, SectionPart};
use super::error::{PeerFault, Rejection};
use alloc::vec::Vec;

/// The verdicts on an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// One for each section: why it is rejected.
    pub(super) rejections: Vec<Option<Rejection>>,
    /// The section whose transport holds for all accepted ones.
    pub(super) tagged: Option<usize>,
}

impl Plan {
    /// `stopped` says of which sections we stopped the transceiver.
    pub(super) fn of(
        offer: &Description<'_>,
        config: &NegotiatorConfig,
        stopped: impl Fn(usize) -> bool,
    ) -> Result<Plan, PeerFault> {
        let mut rejections = Vec::with_capacity(offer.sections.len());
        let mut data = false;
        for (index, section) in offer.sections.iter().enumerate() {
            let mut verdict = section_verdict(section, config, data);
            if verdict.is_none() && stopped(index) {
                verdict = Some(Rejection::Stopped);
            }
            data |= verdict.is_none() && section.kind == Some(MediaKind::Application);
            rejections.push(verdict);
        }
        reject_without_mux(offer, &mut rejections);
        let usable = |rejections: &[Option<Rejection>], index| matches!(rejections.get(index), Some(None));
        let mut tagged = offer.tagged(|index| usable(&rejections, index));
        let unreachable = (0..offer.sections.len()).find(|&index| {
            usable(&rejections, index) && offer.sections.get(index).is_some_and(|s| s.port != 0)
        });
        if let (None, Some(index)) = (tagged, unreachable) {
            // RFC 9143 section 7.3.3: in a later offer the tagged section alone says where the bundle is, so it cannot be
            // rejected while others live; our next offer ends it.
            let is_stopped = |index| matches!(rejections.get(index), Some(Some(Rejection::Stopped)));
            tagged = Some(offer.tagged(is_stopped).ok_or(PeerFault::NoIceCredentials { index })?);
            if let Some(kept) = tagged.and_then(|tagged| rejections.get_mut(tagged)) {
                *kept = None;
            }
        }
        for (index, rejection) in rejections.iter_mut().enumerate() {
            let together = tagged.is_some_and(|tagged| {
                index == tagged || offer.bundle_of(tagged).is_some_and(|bundle| bundle.contains(&index))
            });
            if rejection.is_none() && !together {
                *rejection = Some(Rejection::OutsideBundle);
            }
        }
        Ok(Plan { rejections, tagged })
    }

    pub(super) fn accepts(&self, index: usize) -> bool {
        matches!(self.rejections.get(index), Some(None))
    }
}

/// RFC 8858 section 3 and RFC 8829 section 4.1.1: without `rtcp-mux` a section is rejected. The attribute may stand in
/// one section of a bundle for all (RFC 9143 section 7.1.3).
fn reject_without_mux(offer: &Description<'_>, rejections: &mut [Option<Rejection>]) {
    let has_mux: Vec<bool> = offer
        .bundles
        .iter()
        .map(|bundle| {
            bundle.iter().any(|&index| offer.sections.get(index).is_some_and(|s| s.transport.rtcp_mux))
        })
        .collect();
    let mut bundle_mux = alloc::vec![offer.session.rtcp_mux; offer.sections.len()];
    for (bundle, has_mux) in offer.bundles.iter().zip(has_mux) {
        for &index in bundle {
            if let Some(mux) = bundle_mux.get_mut(index) {
                *mux |= has_mux;
            }
        }
    }
    for ((section, rejection), mux) in offer.sections.iter().zip(rejections).zip(bundle_mux) {
        if rejection.is_none() && section.protocol == Protocol::Rtp && !section.transport.rtcp_mux && !mux {
            *rejection = Some(Rejection::NoRtcpMux);
        }
    }
}

/// What is wrong with the section itself, whatever the transport.
fn section_verdict(section: &SectionPart<'_>, config: &NegotiatorConfig, data: bool) -> Option<Rejection> {
    if section.is_rejected() {
        return Some(Rejection::OfferedAsRejected);
    }
    let Some(kind) = section.kind else { return Some(Rejection::UnknownMedia) };
    match (kind, section.protocol) {
        (MediaKind::Application, Protocol::Sctp) => data_verdict(section, config, data),
        (MediaKind::Audio | MediaKind::Video, Protocol::Rtp) => {
            let capabilities = config.capabilities.codecs(kind);
            let common = section.formats.iter().any(|format| {
                !format.codec.is("telephone-event")
                    && capabilities.iter().any(|capability| format.codec.matches(capability))
            });
            if common { None } else { Some(Rejection::NoCommonCodec) }
        }
        _ => Some(Rejection::UnsupportedProtocol),
    }
}

fn data_verdict(section: &SectionPart<'_>, config: &NegotiatorConfig, data: bool) -> Option<Rejection> {
    if !config.accept_data {
        return Some(Rejection::DataNotWanted);
    }
    if data {
        return Some(Rejection::SecondDataSection);
    }
    match section.sctp_port {
        None | Some(0) => Some(Rejection::NoSctpPort),
        Some(_) => None,
    }
}
