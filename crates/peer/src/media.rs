//! Which section an RTP packet of a bundle belongs to: RFC 9143 section 9.2.
//!
//! By its MID header extension, else by its SSRC, else by its payload type where only one section uses that. What the MID
//! says of an SSRC is remembered, since senders stop repeating it. Bounded, and only authenticated packets get here.

use std::collections::BTreeMap;

use ginnel_rtp::RtpView;
use ginnel_sdp::jsep::{Negotiated, uri};

/// The index of an `m=` section, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionIndex(pub usize);

/// How many sources of the peer are remembered: simulcast in three layers with retransmissions, over several sections.
const MAX_SOURCES: usize = 64;

/// The routing table of incoming media.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    sections: Vec<Section>,
    sources: BTreeMap<u32, SectionIndex>,
}

#[derive(Debug)]
struct Section {
    index: SectionIndex,
    mid: String,
    /// The number of the MID extension in this section, 0 if it was not agreed on.
    mid_extension: u8,
    payload_types: Vec<u8>,
}

impl Routes {
    /// Takes what was agreed; sources that were learned stay while their section does.
    pub(crate) fn update(&mut self, negotiated: &Negotiated) {
        let in_use = negotiated.sections.iter().filter(|s| s.rejected.is_none() && s.transceiver.is_some());
        self.sections = in_use
            .clone()
            .map(|section| Section {
                index: SectionIndex(section.index),
                mid: section.mid.clone(),
                mid_extension: section.extension_id(uri::MID).unwrap_or(0),
                payload_types: section
                    .codecs
                    .iter()
                    .flat_map(|codec| [Some(codec.receive_payload_type), codec.receive_rtx])
                    .flatten()
                    .collect(),
            })
            .collect();
        self.sources.retain(|_, index| self.sections.iter().any(|s| s.index == *index));
        for section in in_use {
            for source in &section.remote.sources {
                self.remember(source.ssrc, SectionIndex(section.index));
            }
        }
    }

    /// The section of a packet, or `None` where nothing tells.
    pub(crate) fn section(&mut self, rtp: &RtpView<'_>) -> Option<SectionIndex> {
        let ssrc = rtp.ssrc();
        let named = self.sections.iter().find(|section| {
            section.mid_extension != 0
                && rtp.extensions().get(section.mid_extension) == Some(section.mid.as_bytes())
        });
        if let Some(index) = named.map(|section| section.index) {
            self.remember(ssrc, index);
            return Some(index);
        }
        if let Some(index) = self.sources.get(&ssrc) {
            return Some(*index);
        }
        let mut users = self.sections.iter().filter(|s| s.payload_types.contains(&rtp.payload_type()));
        let (Some(only), None) = (users.next(), users.next()) else { return None };
        let index = only.index;
        self.remember(ssrc, index);
        Some(index)
    }

    fn remember(&mut self, ssrc: u32, index: SectionIndex) {
        if self.sources.len() < MAX_SOURCES || self.sources.contains_key(&ssrc) {
            self.sources.insert(ssrc, index);
        }
    }
}
