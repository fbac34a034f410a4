//! Timelines: two negotiators, or one and a description, step by step.

use super::*;
use crate::attribute::{BundleOnly, Candidate, Digest, Direction, Fingerprint, IceUfrag, Mid, RtpMap, Setup};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use std::string::ToString;

fn transport(ufrag: &str) -> LocalTransport {
    transport_of(ufrag, 0xAB)
}

fn transport_of(ufrag: &str, certificate: u8) -> LocalTransport {
    let digest = Digest::new(&[certificate; 32]).unwrap();
    LocalTransport::new(
        ufrag,
        "VOkJxbRl1RmTxUk/WvJxBt",
        Fingerprint { function: Cow::Borrowed("sha-256"), digest },
    )
}

fn pair() -> (Negotiator, Negotiator) {
    let config = |id| NegotiatorConfig::new(id).with_answer_direction(Direction::SendRecv);
    (Negotiator::new(config(1)), Negotiator::new(config(2)))
}

/// One whole exchange, through text as on the wire.
fn exchange(from: (&mut Negotiator, &str), to: (&mut Negotiator, &str)) {
    let offer = from.0.create_offer(&transport(from.1)).unwrap();
    from.0.set_local(SdpType::Offer, offer.clone()).unwrap();
    to.0.set_remote(SdpType::Offer, Session::parse(&offer.to_string()).unwrap()).unwrap();
    let answer = to.0.create_answer(&transport(to.1)).unwrap();
    to.0.set_local(SdpType::Answer, answer.clone()).unwrap();
    from.0.set_remote(SdpType::Answer, Session::parse(&answer.to_string()).unwrap()).unwrap();
}

fn all_media(negotiator: &mut Negotiator) -> Vec<TransceiverId> {
    negotiator.add_data();
    [MediaKind::Audio, MediaKind::Video]
        .map(|kind| negotiator.add_transceiver(kind, Direction::SendRecv).unwrap())
        .to_vec()
}

#[test]
fn both_sides_agree_on_everything() {
    let (mut alice, mut bob) = pair();
    all_media(&mut alice);
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let (ours, theirs) = (alice.negotiated().unwrap(), bob.negotiated().unwrap());
    assert_eq!(ours.sections.len(), 3);
    for (left, right) in ours.sections.iter().zip(&theirs.sections) {
        assert_eq!((left.rejected, right.rejected), (None, None));
        assert_eq!((&left.mid, left.direction), (&right.mid, right.direction.reversed()));
        assert_eq!(left.codecs.len(), right.codecs.len());
        for (one, other) in left.codecs.iter().zip(&right.codecs) {
            assert_eq!(one.send_payload_type, other.receive_payload_type);
            assert_eq!(one.send_rtx, other.receive_rtx);
        }
    }
    let (ours, theirs) = (ours.transport.as_ref().unwrap(), theirs.transport.as_ref().unwrap());
    assert_eq!((ours.remote_ufrag.as_str(), theirs.remote_ufrag.as_str()), ("bobb", "alic"));
    assert_eq!((ours.dtls_role, theirs.dtls_role), (DtlsRole::Server, DtlsRole::Client));
    assert!(ours.we_offered && !theirs.we_offered);
}

#[test]
fn new_offers_keep_order_mids_and_numbers() {
    let (mut alice, mut bob) = pair();
    all_media(&mut alice);
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let before: Vec<_> =
        alice.negotiated().unwrap().sections.iter().map(|s| (s.mid.clone(), s.codecs.clone())).collect();
    // Now the other side offers, with one more section.
    bob.add_transceiver(MediaKind::Video, Direction::SendOnly).unwrap();
    exchange((&mut bob, "bobb"), (&mut alice, "alic"));
    let agreed = alice.negotiated().unwrap();
    assert_eq!(agreed.sections.len(), 4);
    for (section, (mid, codecs)) in agreed.sections.iter().zip(&before) {
        assert_eq!(&section.mid, mid);
        let numbers =
            |codecs: &[NegotiatedCodec]| codecs.iter().map(|c| c.send_payload_type).collect::<Vec<_>>();
        assert_eq!(numbers(&section.codecs), numbers(codecs));
    }
    // One codec has one number in the whole bundle.
    let vp8 = |index: usize| agreed.sections[index].codecs.iter().find(|codec| codec.name == "VP8").unwrap();
    assert_eq!(vp8(1).send_payload_type, vp8(3).send_payload_type);
    let transport = agreed.transport.as_ref().unwrap();
    assert!(!transport.ice_restarted && !transport.dtls_restarted);
    assert_eq!(transport.dtls_role, DtlsRole::Server, "the association goes on with its roles");
}

#[test]
fn a_stopped_section_is_rejected_and_then_used_again() {
    let (mut alice, mut bob) = pair();
    let ids = all_media(&mut alice);
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    alice.stop(ids[1]).unwrap();
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    assert!(bob.negotiated().unwrap().sections[1].rejected.is_some());
    assert!(bob.negotiated().unwrap().section("0").unwrap().rejected.is_none());

    alice.add_transceiver(MediaKind::Audio, Direction::SendRecv).unwrap();
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let section = &bob.negotiated().unwrap().sections[1];
    assert_eq!(
        (section.kind, section.rejected),
        (Some(MediaKind::Audio), None),
        "another kind in the same place"
    );
    assert_eq!(section.mid, "3", "and a mid of its own");
    assert_eq!(bob.negotiated().unwrap().sections.len(), 3);
}

#[test]
fn the_tagged_section_can_be_stopped_and_the_bundle_goes_on() {
    let (mut alice, mut bob) = pair();
    let ids = all_media(&mut alice);
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    alice.stop(ids[0]).unwrap();
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let transport = bob.negotiated().unwrap().transport.as_ref().unwrap();
    assert_eq!((transport.mid.as_str(), transport.ice_restarted), ("1", false));
}

#[test]
fn an_ice_restart_is_seen_and_must_be_answered_by_one() {
    let (mut alice, mut bob) = pair();
    alice.add_data();
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let offer = alice.create_offer(&transport("new1")).unwrap();
    alice.set_local(SdpType::Offer, offer.clone()).unwrap();
    bob.set_remote(SdpType::Offer, offer).unwrap();
    assert!(bob.remote_restarts_ice());
    let error = bob.create_answer(&transport("bobb")).unwrap_err();
    assert_eq!(error, NegotiationError::Misuse(Misuse::RestartNeedsNewCredentials));
    let answer = bob.create_answer(&transport("new2")).unwrap();
    bob.set_local(SdpType::Answer, answer.clone()).unwrap();

    let mut stale = answer.clone();
    stale.media_mut()[0].set(&IceUfrag("bobb"));
    let error = alice.set_remote(SdpType::Answer, stale).unwrap_err();
    assert_eq!(error, NegotiationError::PeerFault(PeerFault::RestartNotAnswered));
    alice.set_remote(SdpType::Answer, answer).unwrap();
    assert!(alice.negotiated().unwrap().transport.as_ref().unwrap().ice_restarted);
}

#[test]
fn an_answer_cannot_restart_ice_or_change_certificates_by_itself() {
    let (mut alice, mut bob) = pair();
    alice.add_data();
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let offer = alice.create_offer(&transport("alic")).unwrap();
    alice.set_local(SdpType::Offer, offer.clone()).unwrap();
    bob.set_remote(SdpType::Offer, offer).unwrap();
    let error = bob.create_answer(&transport("xxxx")).unwrap_err();
    assert_eq!(error, NegotiationError::Misuse(Misuse::RestartNotOffered));
    let answer = bob.create_answer(&transport_of("bobb", 0xCD)).unwrap();
    let error = alice.set_remote(SdpType::Answer, answer.clone()).unwrap_err();
    assert_eq!(error, NegotiationError::PeerFault(PeerFault::IdentityChangedWithoutRestart));
    let mut restarted = answer;
    restarted.media_mut()[0].set(&IceUfrag("xxxx"));
    let error = alice.set_remote(SdpType::Answer, restarted).unwrap_err();
    assert_eq!(error, NegotiationError::PeerFault(PeerFault::RestartNotOffered));
}

#[test]
fn every_arrow_of_the_diagram_and_no_other() {
    let (mut alice, mut bob) = pair();
    alice.add_data();
    assert_eq!(alice.signaling_state(), SignalingState::Stable);
    let offer = alice.create_offer(&transport("alic")).unwrap();
    assert!(alice.set_remote(SdpType::Answer, offer.clone()).is_err());
    assert!(alice.create_answer(&transport("alic")).is_err());
    assert!(alice.rollback().is_err());
    alice.set_local(SdpType::Offer, offer.clone()).unwrap();
    assert_eq!(alice.signaling_state(), SignalingState::HaveLocalOffer);
    let error = alice.set_remote(SdpType::Offer, offer.clone()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "set_remote(offer) is impossible while the signaling state is have-local-offer"
    );

    bob.set_remote(SdpType::Offer, offer.clone()).unwrap();
    bob.set_remote(SdpType::Offer, offer).unwrap();
    assert_eq!(bob.signaling_state(), SignalingState::HaveRemoteOffer);
    assert!(bob.create_offer(&transport("bobb")).is_err());
    let answer = bob.create_answer(&transport("bobb")).unwrap();
    bob.set_local(SdpType::Pranswer, answer.clone()).unwrap();
    assert_eq!(bob.signaling_state(), SignalingState::HaveLocalPranswer);
    assert!(bob.negotiated().unwrap().provisional);
    assert!(bob.rollback().is_err(), "RFC 8829 section 4.1.10.2: a provisional answer is not rolled back");
    alice.set_remote(SdpType::Pranswer, answer.clone()).unwrap();
    assert_eq!(alice.signaling_state(), SignalingState::HaveRemotePranswer);
    alice.set_remote(SdpType::Pranswer, answer.clone()).unwrap();
    alice.set_remote(SdpType::Answer, answer).unwrap();
    let answer = bob.create_answer(&transport("bobb")).unwrap();
    bob.set_local(SdpType::Answer, answer).unwrap();
    assert_eq!(
        (alice.signaling_state(), bob.signaling_state()),
        (SignalingState::Stable, SignalingState::Stable)
    );
    assert!(!bob.negotiated().unwrap().provisional);
    bob.close();
    assert_eq!(bob.signaling_state(), SignalingState::Closed);
    assert!(bob.create_offer(&transport("bobb")).is_err());
}

#[test]
fn rollback_gives_back_what_was() {
    let (mut alice, mut bob) = pair();
    let ids = all_media(&mut alice);
    let offer = alice.create_offer(&transport("alic")).unwrap();
    alice.set_local(SdpType::Offer, offer.clone()).unwrap();
    assert_eq!(alice.transceiver(ids[0]).unwrap().mid(), Some("0"));
    alice.rollback().unwrap();
    assert_eq!(alice.transceiver(ids[0]).unwrap().mid(), None);

    bob.set_remote(SdpType::Offer, offer).unwrap();
    assert_eq!(bob.transceivers().count(), 2);
    bob.rollback().unwrap();
    assert_eq!(bob.transceivers().count(), 0);

    // Glare: both offer, the polite one rolls back, and all is well.
    exchange((&mut bob, "bobb"), (&mut alice, "alic"));
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let version = alice.local_description(&transport("alic")).unwrap().origin().unwrap().version;
    assert!(version >= 3, "versions never repeat, even over a rollback");
}

#[test]
fn sections_outside_the_bundle_are_rejected_with_a_reason() {
    let keys = "a=ice-ufrag:evtj\r\na=ice-pwd:VOkJxbRl1RmTxUk/WvJxBt\r\na=setup:actpass\r\n\
        a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n";
    let audio = |mid| std::format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\na=rtcp-mux\r\n");
    let offer = |group: &str| {
        let head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
        let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=rtcp-mux\r\na=rtpmap:96 H266/90000\r\n";
        let text = std::format!("{head}{group}{keys}{}{}{video}{}", audio("a"), audio("b"), audio("c"));
        Session::parse(&text).unwrap()
    };
    let verdicts = |group: &str| {
        let (_, mut bob) = pair();
        bob.set_remote(SdpType::Offer, offer(group)).unwrap();
        let verdicts = bob.verdicts();
        let answer = bob.create_answer(&transport("bobb")).unwrap();
        bob.set_local(SdpType::Answer, answer).unwrap();
        let agreed: Vec<_> = bob.negotiated().unwrap().sections.iter().map(|s| s.rejected).collect();
        assert_eq!(verdicts, agreed);
        verdicts
    };
    let (outside, codec) = (Some(Rejection::OutsideBundle), Some(Rejection::NoCommonCodec));
    assert_eq!(verdicts(""), [None, outside, codec, outside]);
    assert_eq!(verdicts("a=group:BUNDLE a c\r\n"), [None, outside, codec, None]);
    assert_eq!(verdicts("a=group:BUNDLE v b\r\n"), [outside, None, codec, outside]);
    let (_, mut bob) = pair();
    let error = bob.set_remote(SdpType::Offer, offer("a=group:BUNDLE a a\r\n")).unwrap_err();
    assert!(matches!(error, NegotiationError::PeerFault(PeerFault::UnknownMidInBundle { .. })));
    assert_eq!(bob.signaling_state(), SignalingState::Stable);
}

#[test]
fn what_cannot_be_answered_at_all_is_an_error_with_its_reason() {
    let (mut alice, _) = pair();
    alice.add_data();
    let offer = alice.create_offer(&transport("alic")).unwrap();
    let refused = |change: &dyn Fn(&mut Session)| {
        let mut offer = offer.clone();
        change(&mut offer);
        let (_, mut bob) = pair();
        match bob.set_remote(SdpType::Offer, offer) {
            Err(error) => error,
            Ok(()) => bob.create_answer(&transport("bobb")).unwrap_err(),
        }
    };
    let index = 0;
    let fault = |name: &'static str| refused(&move |offer| assert_eq!(offer.media_mut()[0].remove(name), 1));
    assert_eq!(fault("ice-ufrag"), PeerFault::NoIceCredentials { index }.into());
    assert_eq!(fault("ice-pwd"), PeerFault::NoIceCredentials { index }.into());
    let nameless = refused(&|offer| assert_eq!(offer.header_mut().remove("fingerprint"), 1));
    assert_eq!(nameless, PeerFault::NoFingerprint { index }.into());
    let hold = refused(&|offer| offer.media_mut()[0].set(&Setup::HoldConn));
    assert_eq!(hold, PeerFault::ImpossibleSetup { index }.into());
}

#[test]
fn setup_is_answered_by_its_counterpart() {
    let (mut alice, _) = pair();
    alice.add_data();
    let offer = alice.create_offer(&transport("alic")).unwrap();
    assert_eq!(offer.media()[0].get::<Setup>(), Some(Setup::ActPass));
    for (offered, configured, answered) in [
        (Some(Setup::ActPass), AnswerSetup::Active, Setup::Active),
        (Some(Setup::ActPass), AnswerSetup::Passive, Setup::Passive),
        (Some(Setup::Active), AnswerSetup::Active, Setup::Passive),
        (Some(Setup::Passive), AnswerSetup::Passive, Setup::Active),
        (None, AnswerSetup::Active, Setup::Passive),
    ] {
        let mut offer = offer.clone();
        match offered {
            Some(setup) => offer.media_mut()[0].set(&setup),
            None => assert_eq!(offer.media_mut()[0].remove("setup"), 1),
        }
        let mut bob = Negotiator::new(NegotiatorConfig::new(2).with_answer_setup(configured));
        bob.set_remote(SdpType::Offer, offer).unwrap();
        let answer = bob.create_answer(&transport("bobb")).unwrap();
        assert_eq!(answer.media()[0].get::<Setup>(), Some(answered), "{offered:?} {configured:?}");
    }
}

#[test]
fn bundle_only_sections_live_without_a_port() {
    let config = NegotiatorConfig::new(1).with_bundle_only(true);
    let (mut alice, (_, mut bob)) = (Negotiator::new(config), pair());
    all_media(&mut alice);
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let offer = bob.remote_description().unwrap();
    let ports: Vec<_> = offer.media().iter().map(|m| (m.line().port, m.has::<BundleOnly>())).collect();
    assert_eq!(ports, [(9, false), (0, true), (0, true)]);
    assert!(offer.media()[1].get::<IceUfrag<'_>>().is_none());
    assert!(bob.negotiated().unwrap().sections.iter().all(|section| section.rejected.is_none()));
    // Once agreed they have the address of the bundle.
    let offer = alice.create_offer(&transport("alic")).unwrap();
    assert!(offer.media().iter().all(|media| media.line().port == 9 && !media.has::<BundleOnly>()));
}

#[test]
fn what_we_send_is_named_with_its_retransmission() {
    let (mut alice, _) = pair();
    let ids = all_media(&mut alice);
    let sending = |ssrc| Sending {
        ssrc,
        rtx_ssrc: Some(ssrc + 1),
        cname: "c".into(),
        stream: "s".into(),
        track: "t".into(),
    };
    alice.set_sending(ids[0], sending(1)).unwrap();
    alice.set_sending(ids[1], sending(3)).unwrap();
    assert!(alice.set_sending(ids[1], Sending { cname: "a\r\nb".into(), ..sending(3) }).is_err());
    let offer = alice.create_offer(&transport("alic")).unwrap();
    let lines = |index: usize| {
        let media = &offer.media()[index];
        media
            .lines()
            .filter(|l| l.contains("ssrc:") || l.contains("ssrc-g") || l.contains("msid"))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(0), ["a=msid:s t", "a=ssrc:1 cname:c"], "no audio codec has retransmission");
    assert_eq!(lines(1), ["a=msid:s t", "a=ssrc-group:FID 3 4", "a=ssrc:3 cname:c", "a=ssrc:4 cname:c"]);
    let (_, mut bob) = pair();
    bob.set_remote(SdpType::Offer, offer).unwrap();
    let answer = bob.create_answer(&transport("bobb")).unwrap();
    bob.set_local(SdpType::Answer, answer).unwrap();
    let sources = &bob.negotiated().unwrap().sections[1].remote.sources;
    assert_eq!((sources[0].ssrc, sources[0].rtx_ssrc, sources[1].repairs), (3, Some(4), Some(3)));
}

#[test]
fn candidates_are_for_the_tagged_section_and_its_generation() {
    let (mut alice, mut bob) = pair();
    all_media(&mut alice);
    let candidate = |text| Candidate::from_line(text).unwrap();
    let plain = candidate("candidate:1 1 udp 1 192.0.2.1 1 typ host");
    assert_eq!(bob.candidate_verdict(Some("0"), None, &plain), CandidateVerdict::Early);
    let offer = alice.create_offer(&transport("alic")).unwrap();
    bob.set_remote(SdpType::Offer, offer).unwrap();
    let verdict = |mid, index, text| bob.candidate_verdict(mid, index, &candidate(text));
    let plain = "candidate:1 1 udp 1 192.0.2.1 1 typ host";
    assert_eq!(verdict(Some("0"), None, plain), CandidateVerdict::Use);
    assert_eq!(verdict(None, Some(0), plain), CandidateVerdict::Use);
    assert_eq!(verdict(None, None, plain), CandidateVerdict::Use);
    assert_eq!(verdict(Some("1"), Some(0), plain), CandidateVerdict::OtherSection);
    let old = "candidate:1 1 udp 1 192.0.2.1 1 typ host ufrag gone";
    assert_eq!(verdict(Some("0"), None, old), CandidateVerdict::OtherGeneration);
    let new = "candidate:1 1 udp 1 192.0.2.1 1 typ host ufrag alic";
    assert_eq!(verdict(Some("0"), None, new), CandidateVerdict::Use);
    let name = "candidate:1 1 udp 1 example.org 1 typ host";
    let refused = crate::attribute::Refusal::DomainName;
    assert_eq!(verdict(Some("0"), None, name), CandidateVerdict::Refused(refused));
}

#[test]
fn without_trickling_the_description_is_completed_after_gathering() {
    let (mut alice, mut bob) = pair();
    alice.add_data();
    let early = transport("alic").with_trickle(false);
    let offer = alice.create_offer(&early).unwrap();
    alice.set_local(SdpType::Offer, offer).unwrap();
    let candidate = Candidate::host("1", 1, "192.0.2.7".parse().unwrap(), 4444);
    let complete =
        alice.local_description(&early.with_candidates(alloc::vec![candidate.clone()], true)).unwrap();
    assert_eq!(complete.media()[0].line().port, 4444);
    assert_eq!(complete.media()[0].line_value(b'c'), Some("IN IP4 192.0.2.7"));
    bob.set_remote(SdpType::Offer, complete).unwrap();
    let answer = bob.create_answer(&transport("bobb")).unwrap();
    bob.set_local(SdpType::Answer, answer).unwrap();
    let remote = bob.negotiated().unwrap().transport.as_ref().unwrap();
    assert_eq!(remote.remote_candidates, [candidate]);
    assert!(remote.end_of_candidates && !remote.remote_trickle);
}

#[test]
fn directions_meet_in_the_middle() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (ours, theirs, agreed) in [
        (SendRecv, SendRecv, SendRecv),
        (SendRecv, RecvOnly, SendOnly),
        (SendOnly, RecvOnly, SendOnly),
        (SendOnly, SendOnly, Inactive),
        (RecvOnly, SendRecv, RecvOnly),
        (Inactive, SendRecv, Inactive),
    ] {
        let mut alice = pair().0;
        let mut bob = Negotiator::new(NegotiatorConfig::new(2).with_answer_direction(theirs));
        alice.add_transceiver(MediaKind::Audio, ours).unwrap();
        exchange((&mut alice, "alic"), (&mut bob, "bobb"));
        assert_eq!(alice.negotiated().unwrap().sections[0].direction, agreed, "{ours} and {theirs}");
    }
}

#[test]
fn simulcast_is_received_if_we_can() {
    let mut capabilities = Capabilities::forwarding();
    capabilities.receive_simulcast = true;
    let mut bob = Negotiator::new(NegotiatorConfig::new(2).with_capabilities(capabilities));
    let text = include_str!("../../tests/fixtures/chromium-simulcast-offer.sdp");
    bob.set_remote(SdpType::Offer, Session::parse(text).unwrap()).unwrap();
    let answer = bob.create_answer(&transport("bobb")).unwrap();
    bob.set_local(SdpType::Answer, answer.clone()).unwrap();
    let section = &bob.negotiated().unwrap().sections[0];
    assert_eq!(section.remote.rids, ["q", "h", "f"]);
    assert!(section.extension_id(uri::RID).is_some());
    assert!(answer.to_string().contains("a=simulcast:recv q;h;f\r\n"));
}

#[test]
fn foreign_descriptions_are_no_local_ones() {
    let (mut alice, _) = pair();
    alice.add_data();
    let offer = alice.create_offer(&transport("alic")).unwrap();
    let mut changed = offer.clone();
    changed.media_mut()[0].set(&Mid("other"));
    let misuse = NegotiationError::Misuse(Misuse::NotTheCreatedDescription);
    assert_eq!(alice.set_local(SdpType::Offer, changed).unwrap_err(), misuse);
    assert!(alice.create_offer(&transport("a\r\n")).is_err());
    alice.set_local(SdpType::Offer, offer).unwrap();
}

#[test]
fn every_payload_type_of_an_offer_is_mapped_once() {
    let (mut alice, _) = pair();
    all_media(&mut alice);
    alice.add_transceiver(MediaKind::Video, Direction::SendRecv).unwrap();
    let offer = alice.create_offer(&transport("alic")).unwrap();
    for media in offer.media().iter().filter(|media| media.line().is_rtp()) {
        let mut listed: Vec<_> = media.line().formats().map(|f| f.parse::<u8>().unwrap()).collect();
        let mut mapped: Vec<_> = media.all::<RtpMap<'_>>().map(|map| map.payload_type).collect();
        listed.sort_unstable();
        mapped.sort_unstable();
        assert_eq!(listed, mapped);
        listed.dedup();
        assert_eq!(listed.len(), mapped.len());
    }
    let formats = |index: usize| offer.media()[index].line().formats.to_string();
    assert_eq!(formats(1), formats(2), "one codec, one number, in all sections");
}

#[test]
fn sec_66_extensions_of_the_session_level_are_not_copied_without_bound() {
    use crate::limits::{MAX_EXTENSIONS, MAX_SECTIONS};
    let mut text = String::from("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");
    for n in 0..2_000 {
        text += &std::format!("a=extmap:{} urn:x:{n}\r\n", n % 14 + 1);
    }
    text += &"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=extmap:1 urn:y\r\n".repeat(MAX_SECTIONS);
    let session = Session::parse(&text).unwrap();
    let description = description::Description::of(&session).unwrap();
    let copied: usize = description.sections.iter().map(|section| section.extensions.len()).sum();
    assert!(copied <= MAX_SECTIONS * MAX_EXTENSIONS, "{copied}");
    assert_eq!(description.sections[0].extensions[0].uri, "urn:y", "a section's own come first");
}

/// RFC 9143 section 7.3.3: in a later offer only the tagged section says where the bundle is, so it is not rejected.
#[test]
fn a_stopped_tagged_section_is_kept_until_our_own_offer_ends_it() {
    let (mut alice, mut bob) = pair();
    all_media(&mut alice);
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let tagged = bob.transceivers().find(|t| t.index() == Some(0)).map(|t| t.id).unwrap();
    bob.stop(tagged).unwrap();
    exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    let agreed = bob.negotiated().unwrap();
    assert!(agreed.sections.iter().all(|section| section.rejected.is_none()));
    assert_eq!(agreed.sections[0].direction, Direction::Inactive);
    exchange((&mut bob, "bobb"), (&mut alice, "alic"));
    let agreed = alice.negotiated().unwrap();
    assert_eq!(agreed.sections[0].rejected, Some(Rejection::OfferedAsRejected));
    assert_eq!(agreed.transport.as_ref().unwrap().index, 1);
}

#[test]
fn a_section_used_again_gets_a_mid_that_none_had() {
    let (mut alice, mut bob) = pair();
    let mut mids = alloc::collections::BTreeSet::new();
    for _ in 0..4 {
        let id = alice.add_transceiver(MediaKind::Audio, Direction::SendRecv).unwrap();
        exchange((&mut alice, "alic"), (&mut bob, "bobb"));
        assert!(mids.insert(alice.transceiver(id).unwrap().mid().map(String::from)), "{mids:?}");
        alice.stop(id).unwrap();
        exchange((&mut alice, "alic"), (&mut bob, "bobb"));
    }
}
