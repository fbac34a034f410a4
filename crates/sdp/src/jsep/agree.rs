//! Puts offer and answer together: RFC 8829 sections 5.9 to 5.11. Checks the answer of a peer, and reads out of both
//! descriptions what each layer has to do.

use super::MediaKind;
use super::answer::{identity_changed, restarted};
use super::description::{Description, Format, Protocol, SectionPart};
use super::error::{NegotiationError, PeerFault, Rejection, Unsupported};
use super::negotiated::{
    DtlsRole, Negotiated, NegotiatedCodec, NegotiatedExtension, NegotiatedSctp, NegotiatedSection,
    NegotiatedTransport, RemoteSource, RemoteStreams,
};
use super::transceiver::Transceiver;
use crate::attribute::{Direction, Fingerprint, RidDirection, Setup};
use crate::limits::{MAX_CANDIDATES, MAX_FINGERPRINTS};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Offer and answer of one exchange.
pub(super) struct Exchange<'a> {
    pub(super) local: &'a Description<'a>,
    pub(super) remote: &'a Description<'a>,
    pub(super) we_offered: bool,
    pub(super) provisional: bool,
    pub(super) transceivers: &'a [Transceiver],
    /// Why we rejected sections; empty where the peer answered.
    pub(super) reasons: &'a [Option<Rejection>],
    /// The last agreement's transport.
    pub(super) before: Option<&'a NegotiatedTransport>,
}

impl Exchange<'_> {
    pub(super) fn negotiate(&self) -> Result<Negotiated, NegotiationError> {
        if self.we_offered {
            self.check_shape()?;
        }
        let answer = if self.we_offered { self.remote } else { self.local };
        let tagged = answer.tagged(|index| self.rejection(index).is_none());
        let Some(tagged) = tagged else {
            // In use, but nowhere to be reached?
            if let Some(index) = (0..answer.sections.len()).find(|&index| self.rejection(index).is_none()) {
                return Err(PeerFault::NoIceCredentials { index }.into());
            }
            return Ok(Negotiated {
                provisional: self.provisional,
                sections: self.sections(),
                transport: None,
                sctp: None,
            });
        };
        if self.we_offered {
            self.check_bundle(tagged)?;
        }
        Ok(Negotiated {
            provisional: self.provisional,
            sections: self.sections(),
            transport: Some(self.transport(tagged)?),
            sctp: self.sctp(),
        })
    }

    /// RFC 3264 section 6: as many sections, of the same media and protocols, in the same order.
    fn check_shape(&self) -> Result<(), PeerFault> {
        let (offered, answered) = (self.local.sections.len(), self.remote.sections.len());
        if offered != answered {
            return Err(PeerFault::SectionCount { offered, answered });
        }
        for (index, (ours, theirs)) in self.local.sections.iter().zip(&self.remote.sections).enumerate() {
            let (offer, answer) = (ours.media.line(), theirs.media.line());
            // A rejected section may have lost its mid, and nothing else.
            let mid_differs = theirs.mid.is_some() && theirs.mid != ours.mid;
            // RFC 8841 section 4.2: which transport below DTLS is named may follow the candidates.
            let same_protocol = ours.protocol == theirs.protocol;
            if offer.media != answer.media || !same_protocol || mid_differs {
                return Err(PeerFault::SectionMismatch { index });
            }
        }
        Ok(())
    }

    /// One transport only: what was accepted is in the bundle of the tagged section, and has `rtcp-mux`.
    fn check_bundle(&self, tagged: usize) -> Result<(), Unsupported> {
        let bundle = self.remote.bundle_of(tagged).unwrap_or(core::slice::from_ref(&tagged));
        let mux =
            bundle.iter().any(|&index| self.remote.sections.get(index).is_some_and(|s| s.transport.rtcp_mux));
        for (index, section) in self.remote.sections.iter().enumerate() {
            if self.rejection(index).is_some() {
                continue;
            }
            if !bundle.contains(&index) {
                return Err(Unsupported::OutsideBundle { index });
            }
            if section.protocol == Protocol::Rtp && !mux && !self.remote.session.rtcp_mux {
                return Err(Unsupported::NoRtcpMux { index });
            }
        }
        Ok(())
    }

    fn rejection(&self, index: usize) -> Option<Rejection> {
        let (Some(ours), Some(theirs)) = (self.local.sections.get(index), self.remote.sections.get(index))
        else {
            return Some(Rejection::ByPeer);
        };
        match (ours.is_rejected(), theirs.is_rejected()) {
            (false, false) => None,
            (false, true) => Some(Rejection::ByPeer),
            (true, _) => Some(self.reasons.get(index).copied().flatten().unwrap_or(Rejection::Stopped)),
        }
    }

    fn sections(&self) -> Vec<NegotiatedSection> {
        let both = self.local.sections.iter().zip(&self.remote.sections).enumerate();
        both.map(|(index, (ours, theirs))| self.section(index, ours, theirs)).collect()
    }

    fn section(&self, index: usize, ours: &SectionPart<'_>, theirs: &SectionPart<'_>) -> NegotiatedSection {
        let transceiver = self.transceivers.iter().find(|transceiver| transceiver.index() == Some(index));
        let rejected = self.rejection(index);
        let mut section = NegotiatedSection {
            index,
            mid: ours.mid.or(theirs.mid).unwrap_or_default().to_string(),
            kind: ours.kind,
            transceiver: transceiver.map(|transceiver| transceiver.id),
            rejected,
            direction: Direction::Inactive,
            codecs: Vec::new(),
            header_extensions: Vec::new(),
            remote: RemoteStreams::default(),
            rtcp_rsize: false,
        };
        if rejected.is_none() && ours.protocol == Protocol::Rtp {
            section.direction = ours.direction.and(theirs.direction.reversed());
            section.codecs = codecs(ours, theirs);
            section.header_extensions = extensions(ours, theirs);
            section.remote = remote_streams(ours, theirs);
            section.rtcp_rsize = ours.rtcp_rsize && theirs.rtcp_rsize;
        }
        section
    }

    fn transport(&self, tagged: usize) -> Result<NegotiatedTransport, PeerFault> {
        let remote = self.remote;
        let index = tagged;
        let ufrag = remote.ufrag(index).ok_or(PeerFault::NoIceCredentials { index })?;
        let password = remote.password(index).ok_or(PeerFault::NoIceCredentials { index })?;
        if remote.fingerprints(index).is_empty() {
            return Err(PeerFault::NoFingerprint { index });
        }
        let local_ufrag = self.local.ufrag(index).or_else(|| self.local_ufrag()).unwrap_or_default();
        let dtls_role = self.dtls_role(index)?;
        let ice_restarted = self.before.is_some_and(|before| restarted(remote, index, before));
        let dtls_restarted = self.before.is_some_and(|before| identity_changed(remote, index, before));
        self.check_restart(local_ufrag, ice_restarted, dtls_restarted, dtls_role, index)?;

        let section = remote.sections.get(index);
        let (mut candidates, mut ignored) = (Vec::new(), 0);
        for candidate in section.into_iter().flat_map(SectionPart::candidates) {
            if candidate.refusal().is_some() || candidates.len() >= MAX_CANDIDATES {
                ignored += 1;
            } else {
                candidates.push(candidate.into_owned());
            }
        }
        let trickle = remote.trickle(index);
        Ok(NegotiatedTransport {
            mid: section.and_then(|section| section.mid).unwrap_or_default().to_string(),
            index,
            local_ufrag: local_ufrag.to_string(),
            remote_ufrag: ufrag.to_string(),
            remote_password: password.to_string(),
            remote_candidates: candidates,
            ignored_candidates: ignored,
            // RFC 8840 section 8.1: at the session level it holds for all sections.
            end_of_candidates: section.is_some_and(|section| section.end_of_candidates)
                || remote.end_of_candidates
                || !trickle,
            remote_trickle: trickle,
            remote_lite: remote.lite,
            remote_fingerprints: self.fingerprints(index),
            dtls_role,
            remote_tls_id: remote.tls_id(index).map(String::from).or_else(|| {
                self.before.filter(|_| !dtls_restarted).and_then(|before| before.remote_tls_id.clone())
            }),
            we_offered: self.we_offered,
            ice_restarted,
            dtls_restarted,
        })
    }

    /// Where the tagged section of the answer was bundle-only in our offer, another one had our credentials.
    fn local_ufrag(&self) -> Option<&str> {
        (0..self.local.sections.len()).find_map(|index| self.local.ufrag(index))
    }

    /// Of the tagged section, and of the others in its bundle that say their own.
    fn fingerprints(&self, tagged: usize) -> Vec<Fingerprint<'static>> {
        let others = self.remote.bundle_of(tagged).unwrap_or_default().iter().copied();
        let mut found: Vec<Fingerprint<'static>> = Vec::new();
        for index in core::iter::once(tagged).chain(others.filter(|&index| self.rejection(index).is_none())) {
            for fingerprint in self.remote.fingerprints(index) {
                if found.len() < MAX_FINGERPRINTS && !found.iter().any(|known| known.same(fingerprint)) {
                    found.push(fingerprint.clone().into_owned());
                }
            }
        }
        found
    }

    /// RFC 8842 section 5: the answer decides.
    fn dtls_role(&self, index: usize) -> Result<DtlsRole, PeerFault> {
        let answer = if self.we_offered { self.remote } else { self.local };
        // RFC 4145 section 4: an answer that says nothing is passive.
        match (answer.setup(index).unwrap_or(Setup::Passive), self.we_offered) {
            (Setup::Active, true) | (Setup::Passive, false) => Ok(DtlsRole::Server),
            (Setup::Passive, true) | (Setup::Active, false) => Ok(DtlsRole::Client),
            (Setup::ActPass | Setup::HoldConn, _) => Err(PeerFault::ImpossibleSetup { index }),
        }
    }

    /// RFC 8829 sections 5.10 and 5.11: restarts are offered first, answered, and whole.
    fn check_restart(
        &self,
        local_ufrag: &str,
        ice_restarted: bool,
        dtls_restarted: bool,
        role: DtlsRole,
        index: usize,
    ) -> Result<(), PeerFault> {
        let Some(before) = self.before else { return Ok(()) };
        let we_restarted = before.local_ufrag != local_ufrag;
        match (self.we_offered, we_restarted, ice_restarted) {
            (true, false, true) => return Err(PeerFault::RestartNotOffered),
            (true, true, false) => return Err(PeerFault::RestartNotAnswered),
            _ => {}
        }
        if dtls_restarted && !ice_restarted {
            return Err(PeerFault::IdentityChangedWithoutRestart);
        }
        if !dtls_restarted && role != before.dtls_role {
            return Err(PeerFault::ImpossibleSetup { index });
        }
        Ok(())
    }

    fn sctp(&self) -> Option<NegotiatedSctp> {
        let both = self.local.sections.iter().zip(&self.remote.sections).enumerate();
        let mut data = both
            .filter(|(index, (ours, _))| self.rejection(*index).is_none() && ours.protocol == Protocol::Sctp);
        let (_, (ours, theirs)) = data.next()?;
        Some(NegotiatedSctp {
            mid: ours.mid.or(theirs.mid).unwrap_or_default().to_string(),
            // RFC 8841 section 5.1: port 0 is no association.
            local_port: ours.sctp_port.filter(|port| *port != 0)?,
            remote_port: theirs.sctp_port.filter(|port| *port != 0)?,
            local_max_message_size: ours.max_message_size,
            remote_max_message_size: theirs.max_message_size,
        })
    }
}

/// What both have, in the peer's order, each with the numbers of both directions.
fn codecs(ours: &SectionPart<'_>, theirs: &SectionPart<'_>) -> Vec<NegotiatedCodec> {
    let retransmissions = |section: &SectionPart<'_>| -> BTreeMap<u8, u8> {
        section.formats.iter().filter_map(|format| Some((format.apt?, format.payload_type))).collect()
    };
    let (our_rtx, their_rtx) = (retransmissions(ours), retransmissions(theirs));
    let mut codecs = Vec::new();
    for remote in theirs.formats.iter().filter(|format| !format.is_rtx()) {
        let same = |format: &&Format<'_>| !format.is_rtx() && format.codec.same(&remote.codec);
        let by_number =
            ours.formats.iter().filter(same).find(|format| format.payload_type == remote.payload_type);
        let Some(local) = by_number.or_else(|| ours.formats.iter().find(same)) else { continue };
        let (receive_rtx, send_rtx) =
            match (our_rtx.get(&local.payload_type), their_rtx.get(&remote.payload_type)) {
                (Some(&receive), Some(&send)) => (Some(receive), Some(send)),
                _ => (None, None),
            };
        codecs.push(NegotiatedCodec {
            name: local.codec.name.to_string(),
            clock_rate: local.codec.clock_rate,
            channels: local.codec.channels,
            receive_payload_type: local.payload_type,
            send_payload_type: remote.payload_type,
            receive_rtx,
            send_rtx,
            local_fmtp: local.codec.parameters.0.to_string(),
            remote_fmtp: remote.codec.parameters.0.to_string(),
            feedback: local
                .feedback
                .iter()
                .filter(|value| remote.feedback.contains(value))
                .map(|value| value.to_string())
                .collect(),
        });
    }
    codecs
}

fn extensions(ours: &SectionPart<'_>, theirs: &SectionPart<'_>) -> Vec<NegotiatedExtension> {
    let mut found: Vec<NegotiatedExtension> = Vec::new();
    for local in &ours.extensions {
        let Some(remote) =
            theirs.extensions.iter().find(|remote| remote.uri == local.uri && remote.id == local.id)
        else {
            continue;
        };
        let Ok(id) = u8::try_from(local.id) else { continue };
        let remote_direction = remote.direction.unwrap_or_default().reversed();
        found.push(NegotiatedExtension {
            id,
            uri: local.uri.to_string(),
            direction: local.direction.unwrap_or_default().and(remote_direction),
        });
    }
    found
}

fn remote_streams(ours: &SectionPart<'_>, theirs: &SectionPart<'_>) -> RemoteStreams {
    let rtx: BTreeMap<u32, u32> = theirs.fid.iter().copied().collect();
    let repairs: BTreeMap<u32, u32> = theirs.fid.iter().map(|&(source, repair)| (repair, source)).collect();
    let sources = theirs.sources.iter().map(|&ssrc| RemoteSource {
        ssrc,
        cname: theirs.cnames.get(&ssrc).map(|cname| cname.to_string()),
        rtx_ssrc: rtx.get(&ssrc).copied(),
        repairs: repairs.get(&ssrc).copied(),
    });
    let msids =
        theirs.msids.iter().map(|msid| (msid.stream.to_string(), msid.track.unwrap_or_default().to_string()));
    // A rid holds where both sides name it (RFC 8851 section 6).
    let answered: alloc::collections::BTreeSet<&str> =
        ours.rids_of(RidDirection::Recv).map(|rid| rid.id).collect();
    let rids = theirs.rids_of(RidDirection::Send).map(|rid| rid.id).filter(|rid| answered.contains(rid));
    RemoteStreams {
        sources: sources.collect(),
        msids: msids.collect(),
        rids: rids.map(String::from).collect(),
    }
}

/// The kind of media of a section that a transceiver can be for.
pub(super) fn media_kind(section: &SectionPart<'_>) -> Option<MediaKind> {
    match (section.kind, section.protocol) {
        (Some(kind @ (MediaKind::Audio | MediaKind::Video)), Protocol::Rtp) => Some(kind),
        _ => None,
    }
}
