//! Descriptions of real peers and of the RFCs: kept octet by octet, answered, agreed on.

mod common;

use common::{answered, fixture, fixtures, negotiator, session, transport};
use ginnel_sdp::Session;
use ginnel_sdp::attribute::{BundleOnly, Candidate, Direction, IcePwd, IceUfrag, Mid, SctpInit};
use ginnel_sdp::jsep::{DtlsRole, MediaKind, Negotiated, Rejection, SdpType, uri};

#[test]
fn every_fixture_is_written_as_it_was_read() {
    for (name, text) in fixtures() {
        let session = Session::parse(&text).unwrap_or_else(|error| panic!("{name}:\n{}", error.report()));
        assert_eq!(session.to_string(), text, "{name}");
        let lf = text.replace("\r\n", "\n");
        assert_eq!(Session::parse(&lf).unwrap().to_string(), lf, "{name} with LF alone");
    }
}

#[test]
fn every_candidate_of_every_fixture_is_written_as_it_was_read() {
    let mut seen = 0;
    for (name, text) in fixtures() {
        for line in text.lines().filter_map(|line| line.strip_prefix("a=candidate:")) {
            let candidate = Candidate::from_line(&format!("a=candidate:{line}")).unwrap().into_owned();
            // Browsers do not agree on the case of the transport.
            assert_eq!(
                candidate.to_string().to_lowercase(),
                format!("candidate:{line}").to_lowercase(),
                "{name}"
            );
            seen += 1;
        }
    }
    assert!(seen > 100);
}

/// One line for each section: what was agreed, short enough to be read in a diff.
fn table(agreed: &Negotiated) -> String {
    let mut out = String::new();
    for section in &agreed.sections {
        let kind = match section.kind {
            Some(MediaKind::Audio) => "audio",
            Some(MediaKind::Video) => "video",
            Some(MediaKind::Application) => "data",
            None => "?",
        };
        out += &format!("{} {kind} ", section.mid);
        if let Some(rejection) = section.rejected {
            out += &format!("rejected: {rejection}\n");
            continue;
        }
        if section.kind == Some(MediaKind::Application) {
            let sctp = agreed.sctp.as_ref().unwrap();
            out += &format!(
                "sctp {}:{} max {}\n",
                sctp.local_port, sctp.remote_port, sctp.remote_max_message_size
            );
            continue;
        }
        let codecs = section.codecs.iter().map(|codec| {
            let rtx = codec.send_rtx.map_or(String::new(), |rtx| format!("+{rtx}"));
            format!("{}={}{rtx}", codec.name, codec.send_payload_type)
        });
        let extensions = section.header_extensions.iter().map(|extension| {
            let short = extension.uri.rsplit(['/', ':']).next().unwrap();
            format!("{}={short}", extension.id)
        });
        let sources = section.remote.sources.iter().filter(|source| source.repairs.is_none());
        out += &format!(
            "{} [{}] [{}] {} sources\n",
            section.direction,
            codecs.collect::<Vec<_>>().join(" "),
            extensions.collect::<Vec<_>>().join(" "),
            sources.count(),
        );
    }
    if let Some(transport) = &agreed.transport {
        out += &format!(
            "transport of {}: {} candidates, {} ignored, end {}, trickle {}, we are the {:?}\n",
            transport.mid,
            transport.remote_candidates.len(),
            transport.ignored_candidates,
            transport.end_of_candidates,
            transport.remote_trickle,
            transport.dtls_role,
        );
    }
    out
}

fn table_of(name: &str) -> String {
    table(answered(&session(name)).0.negotiated().unwrap())
}

#[test]
fn chromium_offers_audio_video_and_data() {
    assert_eq!(
        table_of("chromium-av-data-offer-gathered"),
        "\
0 audio sendrecv [opus=111 G722=9 PCMU=0 PCMA=8 telephone-event=110 telephone-event=126] [1=ssrc-audio-level 4=mid] 1 sources\n\
1 video sendrecv [VP8=96+97 H264=102+103 H264=104+107 H264=108+109 H264=114+115 H264=116+117 H264=39+40 AV1=45+46 VP9=98+99 VP9=100+101] [13=video-orientation 5=playout-delay 6=video-content-type 4=mid] 1 sources\n\
2 data sctp 5000:5000 max 262144\n\
transport of 0: 4 candidates, 0 ignored, end false, trickle true, we are the Client\n\
"
    );
}

#[test]
fn firefox_offers_audio_video_and_data() {
    assert_eq!(
        table_of("firefox-av-data-offer-gathered"),
        "\
3 audio sendrecv [opus=109 G722=9 PCMU=0 PCMA=8 telephone-event=101] [1=ssrc-audio-level 3=mid] 1 sources\n\
4 video sendrecv [VP8=120+124 VP9=121+125 AV1=99+100] [3=mid 6=playout-delay] 1 sources\n\
5 data sctp 5000:5000 max 1073741823\n\
transport of 3: 4 candidates, 4 ignored, end true, trickle true, we are the Client\n\
"
    );
}

#[test]
fn both_offer_data_alone() {
    let tables =
        ["chromium-data-offer-gathered", "firefox-data-offer-trickle", "chromium-mdns-warp-data-offer"];
    assert_eq!(
        tables.map(table_of).concat(),
        "\
0 data sctp 5000:5000 max 262144\n\
transport of 0: 4 candidates, 0 ignored, end false, trickle true, we are the Client\n\
0 data sctp 5000:5000 max 1073741823\n\
transport of 0: 0 candidates, 0 ignored, end false, trickle true, we are the Client\n\
0 data sctp 5000:5000 max 262144\n\
transport of 0: 2 candidates, 0 ignored, end false, trickle true, we are the Client\n\
"
    );
}

#[test]
fn both_offer_simulcast_and_one_encoding_is_taken() {
    let tables = ["chromium-simulcast-offer", "firefox-simulcast-offer"];
    assert_eq!(
        tables.map(table_of).concat(),
        "\
0 video recvonly [VP8=96+97 H264=102+103 H264=104+107 H264=108+109 H264=114+115 H264=116+117 H264=39+40 AV1=45+46 VP9=98+99 VP9=100+101] [3=video-orientation 5=playout-delay 6=video-content-type 9=mid] 0 sources\n\
transport of 0: 0 candidates, 0 ignored, end false, trickle true, we are the Client\n\
0 video recvonly [VP8=120+124 VP9=121+125 AV1=99+100] [3=mid 6=playout-delay] 3 sources\n\
transport of 0: 0 candidates, 0 ignored, end false, trickle true, we are the Client\n\
"
    );
}

#[test]
fn a_stopped_section_stays_rejected() {
    assert_eq!(
        table_of("firefox-stopped-offer"),
        "\
0 audio sendrecv [opus=109 G722=9 PCMU=0 PCMA=8 telephone-event=101] [1=ssrc-audio-level 3=mid] 1 sources\n\
1 video sendrecv [VP8=120+124 VP9=121+125 AV1=99+100] [3=mid 6=playout-delay] 1 sources\n\
2 data sctp 5000:5000 max 1073741823\n\
3 video rejected: it was offered as rejected\n\
transport of 0: 4 candidates, 0 ignored, end true, trickle true, we are the Client\n\
"
    );
}

#[test]
fn the_offers_of_rfc_8829_are_answered() {
    let tables = ["rfc8829-01", "rfc8829-03", "rfc8829-05", "rfc8829-07"];
    assert_eq!(
        tables.map(table_of).concat(),
        "\
a1 audio sendrecv [opus=96 PCMU=0 PCMA=8 telephone-event=97 telephone-event=98] [1=mid 2=ssrc-audio-level] 0 sources\n\
v1 video sendrecv [VP8=100+102 H264=101+103] [1=mid] 0 sources\n\
transport of a1: 1 candidates, 1 ignored, end true, trickle true, we are the Client\n\
a1 audio sendrecv [opus=96 PCMU=0 PCMA=8 telephone-event=97 telephone-event=98] [1=mid 2=ssrc-audio-level] 0 sources\n\
d1 data sctp 5000:5000 max 65536\n\
transport of a1: 0 candidates, 0 ignored, end false, trickle true, we are the Client\n\
a1 audio sendrecv [opus=96 PCMU=0 PCMA=8 telephone-event=97 telephone-event=98] [1=mid 2=ssrc-audio-level] 0 sources\n\
d1 data sctp 5000:5000 max 65536\n\
v1 video sendrecv [VP8=100+102 H264=101+103] [1=mid] 0 sources\n\
v2 video sendrecv [VP8=100+102 H264=101+103] [1=mid] 0 sources\n\
transport of a1: 3 candidates, 0 ignored, end true, trickle true, we are the Client\n\
a1 audio sendrecv [opus=96 PCMU=0 PCMA=8 telephone-event=97 telephone-event=98] [1=mid 2=ssrc-audio-level] 0 sources\n\
v1 video sendrecv [VP8=100+102 H264=101+103] [1=mid] 0 sources\n\
transport of a1: 0 candidates, 0 ignored, end false, trickle true, we are the Client\n\
"
    );
}

#[test]
fn plain_rtp_of_sip_gear_is_rejected_with_a_reason() {
    for name in ["rfc3264-02", "rfc8866-01"] {
        let (negotiator, answer) = answered(&session(name));
        let agreed = negotiator.negotiated().unwrap();
        assert!(agreed.transport.is_none());
        assert!(agreed.sections.iter().all(|section| section.rejected.is_some()));
        assert!(answer.media().iter().all(|media| media.line().port == 0));
    }
    let (negotiator, _) = answered(&session("rfc3264-02"));
    let rejections: Vec<_> = negotiator.negotiated().unwrap().sections.iter().map(|s| s.rejected).collect();
    assert_eq!(rejections[0], Some(Rejection::NoRtcpMux), "PCMU is known, a port for RTCP is not");
}

#[test]
fn every_answer_can_be_read_and_has_the_shape_of_its_offer() {
    for (name, text) in fixtures().into_iter().filter(|(name, _)| name.contains("offer")) {
        let offer = Session::parse(&text).unwrap();
        if name.contains("answer") {
            continue;
        }
        let (_, answer) = answered(&offer);
        let again = Session::parse(&answer.to_string()).unwrap();
        assert_eq!(again, answer, "{name}");
        assert_eq!(offer.media().len(), answer.media().len(), "{name}");
        for (offered, answered) in offer.media().iter().zip(answer.media()) {
            assert_eq!(offered.line().media, answered.line().media, "{name}");
            assert_eq!(offered.line().protocol, answered.line().protocol, "{name}");
            assert_eq!(offered.get::<Mid<'_>>(), answered.get::<Mid<'_>>(), "{name}");
            let known: Vec<_> = offered.line().formats().collect();
            assert!(answered.line().formats().all(|format| known.contains(&format)), "{name}");
            let was_rejected = offered.line().port == 0 && !offered.has::<BundleOnly>();
            assert_eq!(was_rejected, answered.line().port == 0, "{name}: nothing is rejected by us");
        }
    }
}

/// aiortc refuses an answer in which a bundled section has no credentials; candidates stand once.
#[test]
fn answers_repeat_the_credentials_in_every_bundled_section() {
    let mut bundles = 0;
    for (name, text) in fixtures().into_iter().filter(|(name, _)| name.contains("offer")) {
        let (_, answer) = answered(&Session::parse(&text).unwrap());
        let accepted: Vec<_> = answer.media().iter().filter(|media| media.line().port != 0).collect();
        bundles += usize::from(accepted.len() > 1);
        let credentials: Vec<_> =
            accepted.iter().map(|m| (m.get::<IceUfrag<'_>>(), m.get::<IcePwd<'_>>())).collect();
        assert!(
            credentials.iter().all(|both| both.0.is_some() && *both == credentials[0]),
            "{name}: {answer}"
        );
        let with_candidates = accepted.iter().filter(|media| media.has::<Candidate<'_>>()).count();
        assert!(with_candidates <= 1, "{name}: {answer}");
    }
    assert!(bundles >= 4, "only {bundles} offers had a bundle");
}

/// Both sides of the exchange come to the same: what one sends the other receives, under the same numbers.
#[test]
fn offers_of_ours_and_answers_of_browsers_agree() {
    for browser in ["chromium", "firefox"] {
        let mut negotiator = negotiator();
        negotiator.add_transceiver(MediaKind::Audio, Direction::SendRecv).unwrap();
        negotiator.add_transceiver(MediaKind::Video, Direction::SendRecv).unwrap();
        negotiator.add_data();
        let offer = negotiator.create_offer(&transport("evtj")).unwrap();
        negotiator.set_local(SdpType::Offer, offer).unwrap();
        let answer = session(&format!("{browser}-answer-to-ginnel-av-data"));
        negotiator.set_remote(SdpType::Answer, answer).unwrap();
        let agreed = negotiator.negotiated().unwrap();
        assert!(agreed.sections.iter().all(|section| section.rejected.is_none()), "{browser}");
        assert_eq!(agreed.transport.as_ref().unwrap().dtls_role, DtlsRole::Server, "{browser}");
        let video = &agreed.sections[1];
        assert_eq!(video.direction, Direction::SendRecv, "{browser}");
        assert!(video.extension_id(uri::MID).is_some(), "{browser}");
        let vp8 = video.codecs.iter().find(|codec| codec.name == "VP8").unwrap();
        assert_eq!((vp8.receive_payload_type, vp8.send_payload_type), (96, 96), "{browser}");
        assert_eq!((vp8.receive_rtx, vp8.send_rtx), (Some(97), Some(97)), "{browser}");
        assert!(vp8.has_feedback("nack pli") && !vp8.has_feedback("transport-cc"), "{browser}");
        assert!(agreed.sctp.is_some(), "{browser}");
    }
}

#[test]
fn an_mdns_offer_keeps_its_names_and_its_init_chunk() {
    let offer = session("chromium-mdns-warp-data-offer");
    let init: SctpInit<'_> = offer.media()[0].get().unwrap();
    let mut chunk = [0; 64];
    assert_eq!(init.decode(&mut chunk), Some(30));
    let (negotiator, _) = answered(&offer);
    let transport = negotiator.negotiated().unwrap().transport.as_ref().unwrap();
    assert!(transport.remote_candidates.iter().all(|candidate| candidate.to_string().contains(".local")));
}

#[test]
fn firefox_candidates_of_component_2_and_of_other_sections_are_left_out() {
    let (negotiator, _) = answered(&session("firefox-av-data-offer-gathered"));
    let transport = negotiator.negotiated().unwrap().transport.as_ref().unwrap();
    assert!(transport.remote_candidates.iter().all(|candidate| candidate.component == 1));
    assert_eq!(transport.remote_candidates.len() + transport.ignored_candidates, 8);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let run = || answered(&session("firefox-av-data-offer-gathered")).1.to_string();
    assert_eq!(run(), run());
    assert!(!fixture("chromium-data-offer-trickle").is_empty());
}
