//! One pass over a description, sorting what the negotiation asks of it: tables instead of searches.
//!
//! Session-level values stand in where a section has none of its own (RFC 8829 section 5.8.3).

use super::MediaKind;
use super::codec::Codec;
use super::error::PeerFault;
use crate::attribute::{
    Attribute, BundleOnly, Candidate, Direction, EndOfCandidates, ExtMap, ExtMapAllowMixed, Feedback,
    FeedbackTarget, Fingerprint, Fmtp, Group, IceLite, IceOptions, IcePwd, IceUfrag, MaxMessageSize, Mid,
    Msid, Parameters, Rid, RidDirection, RtcpMux, RtcpRsize, RtpMap, SctpMap, SctpPort, Setup, Simulcast,
    Ssrc, SsrcGroup, TlsId,
};
use crate::limits::{MAX_EXTENSIONS, MAX_FINGERPRINTS, MAX_SSRCS};
use crate::{Media, Section, Session};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::vec::Vec;

/// One format of an RTP section, `rtx` included.
#[derive(Clone, Debug)]
pub(super) struct Format<'a> {
    pub(super) payload_type: u8,
    pub(super) codec: Codec<'a>,
    /// RFC 4588 section 8.1: what an `rtx` format retransmits.
    pub(super) apt: Option<u8>,
    pub(super) feedback: Vec<&'a str>,
}

impl Format<'_> {
    pub(super) fn is_rtx(&self) -> bool {
        self.codec.is("rtx")
    }
}

/// The protocols of RFC 8829 section 5.1.2, and the ones of drafts before RFC 8841.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Rtp,
    Sctp,
    Other,
}

impl Protocol {
    fn of(text: &str) -> Self {
        match text {
            "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP" | "DTLS/SCTP" => Protocol::Sctp,
            _ if text
                .rsplit('/')
                .next()
                .is_some_and(|profile| matches!(profile, "AVP" | "AVPF" | "SAVP" | "SAVPF"))
                && text.contains("RTP/") =>
            {
                Protocol::Rtp
            }
            _ => Protocol::Other,
        }
    }
}

/// What concerns transports, at session level or in a section.
#[derive(Clone, Debug, Default)]
pub(super) struct TransportPart<'a> {
    pub(super) ufrag: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    pub(super) fingerprints: Vec<Fingerprint<'a>>,
    pub(super) setup: Option<Setup>,
    pub(super) tls_id: Option<&'a str>,
    pub(super) trickle: Option<bool>,
    pub(super) rtcp_mux: bool,
}

/// One section.
#[derive(Clone, Debug)]
pub(super) struct SectionPart<'a> {
    pub(super) media: &'a Media,
    pub(super) kind: Option<MediaKind>,
    pub(super) protocol: Protocol,
    pub(super) mid: Option<&'a str>,
    pub(super) port: u16,
    pub(super) bundle_only: bool,
    pub(super) direction: Direction,
    pub(super) formats: Vec<Format<'a>>,
    pub(super) extensions: Vec<ExtMap<'a>>,
    pub(super) allow_mixed: bool,
    pub(super) transport: TransportPart<'a>,
    pub(super) end_of_candidates: bool,
    pub(super) rtcp_rsize: bool,
    pub(super) msids: Vec<Msid<'a>>,
    pub(super) sources: Vec<u32>,
    pub(super) cnames: BTreeMap<u32, &'a str>,
    /// Source and its retransmission.
    pub(super) fid: Vec<(u32, u32)>,
    pub(super) rids: Vec<Rid<'a>>,
    pub(super) simulcast: Option<Simulcast<'a>>,
    pub(super) sctp_port: Option<u16>,
    pub(super) max_message_size: u64,
}

impl SectionPart<'_> {
    /// RFC 3264 section 6 and RFC 9143 section 6: port 0 rejects, unless the section lives in its bundle only.
    pub(super) fn is_rejected(&self) -> bool {
        self.port == 0 && !self.bundle_only
    }

    pub(super) fn format(&self, payload_type: u8) -> Option<&Format<'_>> {
        self.formats.iter().find(|format| format.payload_type == payload_type)
    }

    /// The rids that flow in a direction, as the writer sees it, where they are agreed or offered as such.
    pub(super) fn rids_of(&self, direction: RidDirection) -> impl Iterator<Item = &Rid<'_>> {
        self.rids.iter().filter(move |rid| rid.direction == direction)
    }
}

/// A whole description.
#[derive(Clone, Debug)]
pub(super) struct Description<'a> {
    pub(super) session: TransportPart<'a>,
    pub(super) lite: bool,
    pub(super) end_of_candidates: bool,
    /// The BUNDLE groups, each with the indices of its sections, in the order of the group.
    pub(super) bundles: Vec<Vec<usize>>,
    pub(super) sections: Vec<SectionPart<'a>>,
}

impl<'a> Description<'a> {
    pub(super) fn of(session: &'a Session) -> Result<Self, PeerFault> {
        let header = session.header();
        let mut common = TransportPart::default();
        let mut groups = Vec::new();
        for (name, value) in header.attributes() {
            match name {
                Group::NAME => groups.extend(Group::parse(value)),
                _ => common.read(name, value),
            }
        }
        let inherited = header.direction().unwrap_or_default();
        let allow_mixed = header.has::<ExtMapAllowMixed>();
        let extensions: Vec<_> = header.all::<ExtMap<'_>>().take(MAX_EXTENSIONS).collect();
        let mut sections = Vec::with_capacity(session.media().len());
        for (index, media) in session.media().iter().enumerate() {
            let mut section = SectionPart::of(media, inherited, allow_mixed);
            // RFC 8285 section 6: extensions of the session level hold for all sections.
            let room = MAX_EXTENSIONS.saturating_sub(section.extensions.len());
            section.extensions.extend(extensions.iter().copied().take(room));
            section.check(index)?;
            sections.push(section);
        }
        let bundles = bundles(&groups, &sections)?;
        Ok(Description {
            session: common,
            lite: header.has::<IceLite>(),
            end_of_candidates: header.has::<EndOfCandidates>(),
            bundles,
            sections,
        })
    }

    /// The bundle that a section is in, as the indices of its sections.
    pub(super) fn bundle_of(&self, index: usize) -> Option<&[usize]> {
        self.bundles.iter().find(|bundle| bundle.contains(&index)).map(Vec::as_slice)
    }

    fn part(&self, index: usize) -> Option<&TransportPart<'a>> {
        self.sections.get(index).map(|section| &section.transport)
    }

    pub(super) fn ufrag(&self, index: usize) -> Option<&'a str> {
        self.part(index)?.ufrag.or(self.session.ufrag)
    }

    pub(super) fn password(&self, index: usize) -> Option<&'a str> {
        self.part(index)?.password.or(self.session.password)
    }

    pub(super) fn fingerprints(&self, index: usize) -> &[Fingerprint<'a>] {
        match self.part(index) {
            Some(part) if !part.fingerprints.is_empty() => &part.fingerprints,
            _ => &self.session.fingerprints,
        }
    }

    pub(super) fn setup(&self, index: usize) -> Option<Setup> {
        self.part(index)?.setup.or(self.session.setup)
    }

    pub(super) fn tls_id(&self, index: usize) -> Option<&'a str> {
        self.part(index)?.tls_id.or(self.session.tls_id)
    }

    pub(super) fn trickle(&self, index: usize) -> bool {
        self.part(index).and_then(|part| part.trickle).or(self.session.trickle).unwrap_or(false)
    }

    /// The section whose transport holds for all: the first of the bundle that is in use and has an address, else the
    /// first section in use (RFC 9143 section 7.2).
    pub(super) fn tagged(&self, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let bundled =
            self.bundles.iter().flatten().copied().find(|&index| usable(index) && self.has_address(index));
        bundled.or_else(|| (0..self.sections.len()).find(|&index| usable(index) && self.has_address(index)))
    }

    fn has_address(&self, index: usize) -> bool {
        self.sections.get(index).is_some_and(|section| section.port != 0) && self.ufrag(index).is_some()
    }
}

fn bundles(groups: &[Group<'_>], sections: &[SectionPart<'_>]) -> Result<Vec<Vec<usize>>, PeerFault> {
    let by_mid: BTreeMap<&str, usize> =
        sections.iter().enumerate().filter_map(|(index, section)| Some((section.mid?, index))).collect();
    let mut taken = BTreeSet::new();
    let mut bundles = Vec::new();
    for group in groups.iter().filter(|group| group.semantics == "BUNDLE") {
        let mut bundle = Vec::new();
        for mid in group.mids() {
            match by_mid.get(mid) {
                Some(&index) if taken.insert(index) => bundle.push(index),
                _ => return Err(PeerFault::UnknownMidInBundle { mid: mid.to_string() }),
            }
        }
        bundles.push(bundle);
    }
    Ok(bundles)
}

impl<'a> TransportPart<'a> {
    fn read(&mut self, name: &str, value: &'a str) {
        match name {
            IceUfrag::NAME => self.ufrag = Some(value),
            IcePwd::NAME => self.password = Some(value),
            IceOptions::NAME => self.trickle = IceOptions::parse(value).ok().map(|options| options.trickle()),
            Fingerprint::NAME if self.fingerprints.len() < MAX_FINGERPRINTS => {
                self.fingerprints.extend(Fingerprint::parse(value));
            }
            Setup::NAME => self.setup = Setup::parse(value).ok(),
            TlsId::NAME => self.tls_id = Some(value),
            RtcpMux::NAME => self.rtcp_mux = true,
            _ => {}
        }
    }
}

impl<'a> SectionPart<'a> {
    fn of(media: &'a Media, direction: Direction, allow_mixed: bool) -> Self {
        let line = media.line();
        let mut section = SectionPart {
            media,
            kind: match line.media {
                "audio" => Some(MediaKind::Audio),
                "video" => Some(MediaKind::Video),
                "application" => Some(MediaKind::Application),
                _ => None,
            },
            protocol: Protocol::of(line.protocol),
            mid: None,
            port: line.port,
            bundle_only: false,
            direction,
            formats: Vec::new(),
            extensions: Vec::new(),
            allow_mixed,
            transport: TransportPart::default(),
            end_of_candidates: false,
            rtcp_rsize: false,
            msids: Vec::new(),
            sources: Vec::new(),
            cnames: BTreeMap::new(),
            fid: Vec::new(),
            rids: Vec::new(),
            simulcast: None,
            sctp_port: None,
            max_message_size: MaxMessageSize::DEFAULT.0,
        };
        let mut table = FormatTable::new();
        let mut known_sources = BTreeSet::new();
        for (name, value) in media.attributes() {
            table.read(name, value);
            section.read(name, value, &mut known_sources);
        }
        match section.protocol {
            Protocol::Rtp => section.formats = table.formats(line.formats()),
            // Drafts before RFC 8841: the format is the port.
            Protocol::Sctp if section.sctp_port.is_none() => section.sctp_port = line.formats.parse().ok(),
            _ => {}
        }
        section
    }

    fn read(&mut self, name: &str, value: &'a str, known_sources: &mut BTreeSet<u32>) {
        match name {
            Mid::NAME => self.mid = Some(value),
            BundleOnly::NAME => self.bundle_only = true,
            ExtMap::NAME if self.extensions.len() < MAX_EXTENSIONS => {
                self.extensions.extend(ExtMap::parse(value));
            }
            ExtMapAllowMixed::NAME => self.allow_mixed = true,
            EndOfCandidates::NAME => self.end_of_candidates = true,
            RtcpRsize::NAME => self.rtcp_rsize = true,
            Msid::NAME if self.msids.len() < MAX_SSRCS => self.msids.extend(Msid::parse(value)),
            Ssrc::NAME => self.read_source(value, known_sources),
            SsrcGroup::NAME => self.read_group(value, known_sources),
            Rid::NAME if self.rids.len() < MAX_SSRCS => self.rids.extend(Rid::parse(value)),
            Simulcast::NAME => self.simulcast = Simulcast::parse(value).ok(),
            SctpPort::NAME => self.sctp_port = SctpPort::parse(value).ok().map(|port| port.0),
            SctpMap::NAME => {
                self.sctp_port = self.sctp_port.or(SctpMap::parse(value).ok().map(|map| map.port))
            }
            MaxMessageSize::NAME => {
                self.max_message_size = MaxMessageSize::parse(value).unwrap_or(MaxMessageSize::DEFAULT).0;
            }
            _ => match Direction::from_name(name) {
                Some(direction) => self.direction = direction,
                None => self.transport.read(name, value),
            },
        }
    }

    fn read_source(&mut self, value: &'a str, known: &mut BTreeSet<u32>) {
        let Ok(source) = Ssrc::parse(value) else { return };
        self.know_source(source.ssrc, known);
        if source.name == "cname" && known.contains(&source.ssrc) {
            self.cnames.insert(source.ssrc, source.value);
        }
    }

    fn read_group(&mut self, value: &'a str, known: &mut BTreeSet<u32>) {
        let Ok(group) = SsrcGroup::parse(value) else { return };
        if group.semantics != "FID" || self.fid.len() >= MAX_SSRCS {
            return;
        }
        let mut sources = group.ssrcs();
        if let (Some(source), Some(repair)) = (sources.next(), sources.next()) {
            self.know_source(source, known);
            self.know_source(repair, known);
            self.fid.push((source, repair));
        }
    }

    fn know_source(&mut self, ssrc: u32, known: &mut BTreeSet<u32>) {
        if known.len() < MAX_SSRCS && known.insert(ssrc) {
            self.sources.push(ssrc);
        }
    }

    /// RFC 8829 sections 5.8.3 and 5.10: what refers to something refers to something that is there.
    fn check(&self, index: usize) -> Result<(), PeerFault> {
        if self.is_rejected() {
            return Ok(());
        }
        for format in self.formats.iter().filter(|format| format.is_rtx()) {
            if format.apt.is_none_or(|apt| self.format(apt).is_none()) {
                return Err(PeerFault::RtxWithoutPrimary { index, payload_type: format.payload_type });
            }
        }
        let rids: BTreeSet<(RidDirection, &str)> =
            self.rids.iter().map(|rid| (rid.direction, rid.id)).collect();
        let Some(simulcast) = self.simulcast else { return Ok(()) };
        for (direction, list) in [(RidDirection::Send, simulcast.send), (RidDirection::Recv, simulcast.recv)]
        {
            if list.streams().flatten().any(|(rid, _)| !rids.contains(&(direction, rid))) {
                return Err(PeerFault::UnknownRid { index });
            }
        }
        Ok(())
    }

    /// The candidates, in order; read when they are wanted only.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate<'a>> + use<'a> {
        let section: &'a Section = self.media;
        section.all::<Candidate<'a>>()
    }
}

/// What `rtpmap`, `fmtp` and `rtcp-fb` say, by payload type.
struct FormatTable<'a> {
    maps: BTreeMap<u8, RtpMap<'a>>,
    fmtps: BTreeMap<u8, Parameters<'a>>,
    feedback: BTreeMap<u8, Vec<&'a str>>,
    for_all: Vec<&'a str>,
}

/// Kinds of feedback that one format may name; browsers name at most seven.
const MAX_FEEDBACK: usize = 32;

impl<'a> FormatTable<'a> {
    fn new() -> Self {
        FormatTable {
            maps: BTreeMap::new(),
            fmtps: BTreeMap::new(),
            feedback: BTreeMap::new(),
            for_all: Vec::new(),
        }
    }

    fn read(&mut self, name: &str, value: &'a str) {
        match name {
            RtpMap::NAME => {
                if let Ok(map) = RtpMap::parse(value) {
                    self.maps.entry(map.payload_type).or_insert(map);
                }
            }
            Fmtp::NAME => {
                if let Ok(fmtp) = Fmtp::parse(value)
                    && let Ok(payload_type) = fmtp.format.parse()
                {
                    self.fmtps.entry(payload_type).or_insert(fmtp.parameters);
                }
            }
            Feedback::NAME => {
                if let Ok(feedback) = Feedback::parse(value) {
                    let list = match feedback.target {
                        FeedbackTarget::All => &mut self.for_all,
                        FeedbackTarget::PayloadType(payload_type) => {
                            self.feedback.entry(payload_type).or_default()
                        }
                    };
                    if list.len() < MAX_FEEDBACK {
                        list.push(feedback.value);
                    }
                }
            }
            _ => {}
        }
    }

    /// The formats of the `m=` line that mean something, each once.
    fn formats(mut self, names: impl Iterator<Item = &'a str>) -> Vec<Format<'a>> {
        let mut seen = BTreeSet::new();
        let mut formats = Vec::new();
        for payload_type in names.filter_map(|name| name.parse::<u8>().ok()) {
            let parameters = self.fmtps.get(&payload_type).copied().unwrap_or_default();
            let codec = match self.maps.get(&payload_type) {
                Some(map) => Some(Codec {
                    name: map.encoding,
                    clock_rate: map.clock_rate,
                    channels: map.channels,
                    parameters,
                }),
                None => Codec::of_static(payload_type),
            };
            let Some(codec) = codec.filter(|_| seen.insert(payload_type)) else { continue };
            let mut feedback = self.feedback.remove(&payload_type).unwrap_or_default();
            feedback.extend(self.for_all.iter().copied());
            let apt = parameters.get("apt").filter(|_| codec.is("rtx")).and_then(|apt| apt.parse().ok());
            formats.push(Format { payload_type, codec, apt, feedback });
        }
        formats
    }
}
