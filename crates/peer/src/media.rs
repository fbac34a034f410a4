//! Which section an RTP packet of a bundle belongs to: RFC 9143 section 9.2.
//!
//! By its MID header extension, else by its SSRC, else by its payload type where only one section uses that. What tells is
//! remembered for the SSRC, since senders stop repeating the MID. Only authenticated packets get here, and how many sources
//! are remembered is bounded.
//!
//! Left out: MIDs in RTCP (SDES), and the order of MIDs that change for one source (RFC 7941 section 4.2.6): the packet that
//! comes last tells.

use std::collections::BTreeMap;

use ginnel_rtp::RtpView;
use ginnel_sdp::jsep::{Negotiated, uri};

/// The index of an `m=` section, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionIndex(pub usize);

/// How many sources of the peer are remembered: simulcast in three layers with retransmissions, over several sections.
pub(crate) const MAX_SOURCES: usize = 64;

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
    /// Takes what was agreed; sources that were learned stay while their section does. Returns how many described sources
    /// were too many.
    pub(crate) fn update(&mut self, negotiated: &Negotiated) -> u64 {
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
        let mut too_many = 0;
        for section in in_use {
            for source in &section.remote.sources {
                too_many += u64::from(!self.remember(source.ssrc, SectionIndex(section.index)));
            }
        }
        too_many
    }

    /// The section of a packet, `None` where nothing tells or what tells is contradictory; and whether its source could be
    /// remembered.
    pub(crate) fn section(&mut self, rtp: &RtpView<'_>) -> (Option<SectionIndex>, bool) {
        let (ssrc, payload_type) = (rtp.ssrc(), rtp.payload_type());
        let index = match self.named(rtp) {
            Named::Section(index) => Some(index),
            Named::Unknown => None,
            Named::Nothing => self.sources.get(&ssrc).copied().or_else(|| self.only_user(payload_type)),
        };
        let takes =
            |section: &Section| Some(section.index) == index && section.payload_types.contains(&payload_type);
        match index {
            Some(index) if self.sections.iter().any(takes) => (Some(index), self.remember(ssrc, index)),
            _ => (None, true),
        }
    }

    /// What the MID says, whichever number the sections gave the extension.
    fn named(&self, rtp: &RtpView<'_>) -> Named {
        let mut found = Named::Nothing;
        for section in self.sections.iter().filter(|section| section.mid_extension != 0) {
            match rtp.extensions().get(section.mid_extension) {
                Some(mid) if mid == section.mid.as_bytes() => return Named::Section(section.index),
                Some(_) => found = Named::Unknown,
                None => {}
            }
        }
        found
    }

    fn only_user(&self, payload_type: u8) -> Option<SectionIndex> {
        let mut users = self.sections.iter().filter(|s| s.payload_types.contains(&payload_type));
        match (users.next(), users.next()) {
            (Some(only), None) => Some(only.index),
            _ => None,
        }
    }

    /// False if there is no room.
    fn remember(&mut self, ssrc: u32, index: SectionIndex) -> bool {
        let has_room = self.sources.len() < MAX_SOURCES || self.sources.contains_key(&ssrc);
        if has_room {
            self.sources.insert(ssrc, index);
        }
        has_room
    }
}

/// What the MID of a packet says.
enum Named {
    Section(SectionIndex),
    /// It names no section.
    Unknown,
    /// There is none.
    Nothing,
}

#[cfg(test)]
mod tests;
