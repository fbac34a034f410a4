//! RFC 9143 section 9.2, step by step.

use ginnel_sdp::{
    Session,
    attribute::{Digest, Direction, Fingerprint},
    jsep::{Capabilities, LocalTransport, MediaKind, Negotiator, NegotiatorConfig, SdpType},
};

use super::*;

fn transport(ufrag: &str) -> LocalTransport {
    let digest = Digest::new(&[7; 32]).expect("32 octets");
    let fingerprint = Fingerprint { function: "sha-256".into(), digest };
    LocalTransport::new(ufrag, "a-password-of-22-chars".replace('-', "x"), fingerprint)
}

/// Two sections of audio, with the same payload types, and one of video, agreed on with ourselves.
fn agreed() -> Negotiated {
    let config = || NegotiatorConfig::new(1).with_capabilities(Capabilities::forwarding());
    let (mut left, mut right) = (Negotiator::new(config()), Negotiator::new(config()));
    for kind in [MediaKind::Audio, MediaKind::Audio, MediaKind::Video] {
        left.add_transceiver(kind, Direction::SendRecv).expect("there is room");
    }
    let offer = left.create_offer(&transport("left")).expect("an offer");
    let carried = Session::parse(&offer.to_string()).expect("it is SDP");
    left.set_local(SdpType::Offer, offer).expect("ours");
    right.set_remote(SdpType::Offer, carried).expect("it is taken");
    let answer = right.create_answer(&transport("right")).expect("an answer");
    right.set_local(SdpType::Answer, answer).expect("ours");
    right.negotiated().expect("there is an agreement").clone()
}

struct Table {
    routes: Routes,
    agreed: Negotiated,
}

impl Table {
    fn new() -> Self {
        let (mut routes, agreed) = (Routes::default(), agreed());
        assert_eq!(routes.update(&agreed), 0);
        Self { routes, agreed }
    }
    fn payload_type(&self, section: usize) -> u8 {
        self.agreed.sections[section].codecs[0].receive_payload_type
    }
    /// A packet of that source, with the MID in a one-byte extension if there is one.
    fn packet(&self, payload_type: u8, ssrc: u32, mid: Option<&str>) -> Vec<u8> {
        let id = self.agreed.sections[0].extension_id(uri::MID).expect("it was agreed on");
        let mut octets = vec![0x80 | u8::from(mid.is_some()) << 4, payload_type, 0, 1, 0, 0, 0, 0];
        octets.extend(ssrc.to_be_bytes());
        if let Some(mid) = mid {
            let mut body = vec![id << 4 | (mid.len() as u8 - 1)];
            body.extend(mid.as_bytes());
            body.resize(body.len().next_multiple_of(4), 0);
            octets.extend([0xbe, 0xde, 0, (body.len() / 4) as u8]);
            octets.extend(body);
        }
        octets.extend(b"payload");
        octets
    }
    fn route(&mut self, payload_type: u8, ssrc: u32, mid: Option<&str>) -> Option<usize> {
        let octets = self.packet(payload_type, ssrc, mid);
        let rtp = RtpView::parse(&octets).expect("it is RTP");
        self.routes.section(&rtp).0.map(|index| index.0)
    }
}

#[test]
fn the_mid_tells_and_is_remembered_for_its_source() {
    let mut table = Table::new();
    let (mid, audio) = (table.agreed.sections[1].mid.clone(), table.payload_type(1));
    assert_eq!(table.payload_type(0), audio, "the payload type alone does not tell");
    assert_eq!(table.route(audio, 11, None), None);
    assert_eq!(table.route(audio, 11, Some(&mid)), Some(1));
    assert_eq!(table.route(audio, 11, None), Some(1));
    // The source moves when its MID says so.
    let other = table.agreed.sections[0].mid.clone();
    assert_eq!(table.route(audio, 11, Some(&other)), Some(0));
    assert_eq!(table.route(audio, 11, None), Some(0));
}

#[test]
fn a_mid_that_no_section_has_is_dropped_whatever_else_would_tell() {
    let mut table = Table::new();
    let video = table.payload_type(2);
    assert_eq!(table.route(video, 12, Some("zz")), None);
    assert_eq!(table.route(video, 12, None), Some(2));
    assert_eq!(table.route(video, 12, Some("zz")), None);
}

#[test]
fn a_payload_type_that_one_section_has_tells_and_binds_the_source() {
    let mut table = Table::new();
    let (audio, video) = (table.payload_type(0), table.payload_type(2));
    assert_eq!(table.route(video, 13, None), Some(2));
    // An SSRC does not move by its payload type, and one that its section does not have is dropped.
    assert_eq!(table.route(audio, 13, None), None);
    assert_eq!(table.route(video, 13, None), Some(2));
    let unknown = (0..128u8)
        .find(|pt| table.agreed.sections.iter().all(|s| s.codec_of_received(*pt).is_none()))
        .expect("not all are in use");
    assert_eq!(table.route(unknown, 14, None), None);
}

#[test]
fn sources_are_remembered_up_to_the_bound_and_one_more_is_not() {
    let mut table = Table::new();
    let (mid, audio) = (table.agreed.sections[1].mid.clone(), table.payload_type(1));
    for ssrc in 0..MAX_SOURCES as u32 {
        assert_eq!(table.route(audio, ssrc, Some(&mid)), Some(1));
    }
    let one_more = table.packet(audio, 1_000, Some(&mid));
    let view = RtpView::parse(&one_more).expect("it is RTP");
    assert_eq!(table.routes.section(&view), (Some(SectionIndex(1)), false), "the MID still tells");
    assert_eq!(table.route(audio, 1_000, None), None, "and nothing else does");
    assert_eq!(table.route(audio, 0, None), Some(1), "those that are known go on");
    assert_eq!(table.routes.sources.len(), MAX_SOURCES);
}

#[test]
fn what_was_learnt_goes_with_its_section() {
    let mut table = Table::new();
    let (mid, audio) = (table.agreed.sections[1].mid.clone(), table.payload_type(1));
    assert_eq!(table.route(audio, 15, Some(&mid)), Some(1));
    table.agreed.sections.truncate(1);
    let agreed = table.agreed.clone();
    table.routes.update(&agreed);
    // Only one section uses the payload type now.
    assert_eq!(table.route(audio, 15, None), Some(0));
}
