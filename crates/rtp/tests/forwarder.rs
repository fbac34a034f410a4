//! The forwarder, rule by rule. What it does over time and under loss is in `echo.rs`.

use std::time::Duration;

use ginnel_core::{Instant, Packet, Seed};
use ginnel_rtp::{
    ExtensionMap, RtpHeader, RtpView,
    forwarder::*,
    rtcp::{Compound, Rtcp, RtcpWriter, SenderInfo},
    rtx, uri,
};

const OUT: u32 = 2000;
const OUT_RTX: u32 = 2001;

fn at(ms: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(ms)
}

fn video() -> Route {
    Route {
        incoming: Incoming { mid: "v".into(), feedback: Feedback::ALL, ..Incoming::default() },
        outgoing: Outgoing { mid: "v".into(), ssrc: OUT, rtx_ssrc: Some(OUT_RTX), ..Outgoing::default() },
        codecs: vec![Codec::same(96, 90_000).with_rtx(97)],
    }
}

fn audio() -> Route {
    Route {
        incoming: Incoming { mid: "a".into(), ..Incoming::default() },
        outgoing: Outgoing { mid: "a".into(), ssrc: 3000, ..Outgoing::default() },
        codecs: vec![Codec::same(111, 48_000)],
    }
}

fn forwarder_with(config: ForwarderConfig, routes: impl IntoIterator<Item = Route>) -> Forwarder {
    let mut forwarder = Forwarder::new(config, Seed::new([9; 32]));
    for route in routes {
        forwarder.set_route(route).unwrap();
    }
    forwarder
}

fn forwarder() -> Forwarder {
    forwarder_with(ForwarderConfig::default(), [video()])
}

fn media(ssrc: u32, sequence_number: u16) -> RtpHeader {
    RtpHeader { payload_type: 96, sequence_number, timestamp: 5000, ssrc, marker: false }
}

/// What a packet was turned into: its numbers and its payload.
fn forwarded(
    forwarder: &mut Forwarder,
    now: Instant,
    header: RtpHeader,
    payload: &[u8],
) -> Result<(RtpHeader, Vec<u8>), DropReason> {
    with_extension(forwarder, now, header, &[], payload).map(|(header, _, payload)| (header, payload))
}

type Elements = Vec<(u8, Vec<u8>)>;

/// The same with elements of a one-byte header extension.
fn with_extension(
    forwarder: &mut Forwarder,
    now: Instant,
    header: RtpHeader,
    elements: &[(u8, &[u8])],
    payload: &[u8],
) -> Result<(RtpHeader, Elements, Vec<u8>), DropReason> {
    let mut extension = Vec::new();
    for (id, value) in elements {
        extension.push(id << 4 | (value.len() as u8 - 1));
        extension.extend_from_slice(value);
    }
    extension.resize(extension.len().next_multiple_of(4), 0);
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    if !elements.is_empty() {
        packet.append(&[0xbe, 0xde, 0, extension.len() as u8 / 4]).unwrap();
        packet.append(&extension).unwrap();
    }
    packet.append(payload).unwrap();
    header.prepend(&mut packet).unwrap();
    packet.bytes_mut()[0] |= u8::from(!elements.is_empty()) << 4;
    let before = packet.bytes().to_vec();
    match forwarder.handle_rtp(now, &mut packet) {
        Verdict::Forward { ssrc, .. } => {
            let rtp = RtpView::parse(packet.bytes()).unwrap();
            assert_eq!(rtp.ssrc(), ssrc);
            let header = RtpHeader {
                marker: rtp.marker(),
                payload_type: rtp.payload_type(),
                sequence_number: rtp.sequence_number(),
                timestamp: rtp.timestamp(),
                ssrc,
            };
            let elements = rtp.extensions().map(|element| (element.id, element.value.to_vec())).collect();
            Ok((header, elements, rtp.payload().to_vec()))
        }
        Verdict::Drop(reason) => {
            assert_eq!(packet.bytes(), before, "what is dropped is untouched");
            Err(reason)
        }
        other => panic!("{other:?}"),
    }
}

fn tell(forwarder: &mut Forwarder, now: Instant, side: Side, write: impl FnOnce(&mut RtcpWriter<'_, '_>)) {
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    write(&mut RtcpWriter::new(&mut packet));
    forwarder.handle_rtcp(now, side, &packet);
}

/// What is asked of the sender.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Missing(u32, Vec<u16>),
    Pli(u32),
    Fir(u32, u8),
    Remb(u64, Vec<u32>),
    Goodbye(Side, Vec<u32>),
    Report(Side, u32),
}

fn asked(forwarder: &mut Forwarder, now: Instant) -> Vec<Asked> {
    let mut all = Vec::new();
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    while let Some(side) = forwarder.poll_transmit(now, &mut packet) {
        for packet in Compound::parse(packet.bytes()).unwrap().packets() {
            match packet.unwrap() {
                Rtcp::Nack(nack) => all.push(Asked::Missing(nack.media_ssrc, nack.missing().collect())),
                Rtcp::PictureLoss(loss) => all.push(Asked::Pli(loss.media_ssrc)),
                Rtcp::FullIntraRequest(fir) => {
                    all.extend(fir.entries().map(|entry| Asked::Fir(entry.ssrc, entry.sequence_number)));
                }
                Rtcp::Remb(remb) => all.push(Asked::Remb(remb.bitrate, remb.ssrcs().collect())),
                Rtcp::Goodbye(goodbye) => all.push(Asked::Goodbye(side, goodbye.sources().collect())),
                Rtcp::SenderReport(report) => all.push(Asked::Report(side, report.ssrc)),
                _ => {}
            }
        }
    }
    all
}

#[test]
fn a_stream_keeps_its_numbers_and_gets_a_new_name() {
    let mut forwarder = forwarder();
    let (header, payload) = forwarded(&mut forwarder, at(0), media(7, 100), b"x").unwrap();
    assert_eq!((header, payload), (RtpHeader { ssrc: OUT, ..media(7, 100) }, b"x".to_vec()));
    let started = Event::StreamStarted { ssrc: 7, mid: "v".into(), outgoing_ssrc: OUT };
    assert_eq!((forwarder.poll_event(), forwarder.poll_event()), (Some(started), None));
}

#[test]
fn a_new_stream_goes_on_where_the_last_ended() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 65_535), b"x").unwrap();
    let new = RtpHeader { timestamp: 123, ..media(8, 40_000) };
    let (header, _) = forwarded(&mut forwarder, at(100), new, b"y").unwrap();
    assert_eq!((header.ssrc, header.sequence_number), (OUT, 0));
    assert_eq!(header.timestamp, 5000 + 9000, "a tenth of a second later");
    assert_eq!(asked(&mut forwarder, at(100)), [Asked::Pli(8)], "its pictures begin anew");
    assert_eq!(forwarded(&mut forwarder, at(100), media(8, 39_999), b"z"), Err(DropReason::OutOfRange));
    assert_eq!(forwarded(&mut forwarder, at(100), media(7, 0), b"z"), Err(DropReason::NotSelected));

    // Requests and reports are mapped by the same offsets.
    tell(&mut forwarder, at(110), Side::Receiver, |writer| writer.nack(1, OUT, [0]).unwrap());
    assert_eq!(asked(&mut forwarder, at(110)), [Asked::Missing(8, vec![40_000])]);
    tell(&mut forwarder, at(120), Side::Receiver, |writer| writer.nack(1, OUT, [65_535]).unwrap());
    assert_eq!(asked(&mut forwarder, at(120)), [], "what the last stream sent cannot be had of this one");
    let retransmission = RtpHeader { payload_type: 97, ..media(9, 1) };
    let (header, payload) = forwarded(&mut forwarder, at(150), retransmission, &[0x9c, 0x40, b'y']).unwrap();
    assert_eq!((header.ssrc, payload), (OUT_RTX, vec![0, 0, b'y']), "40,000 is 0 on the other side");
}

/// The window of RFC 3550 appendix A.1 was left: what lay between is lost, and the numbers that leave do not show it.
#[test]
fn a_sender_that_restarts_its_numbers_is_asked_for_a_key_frame() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 100), b"x").unwrap();
    assert_eq!(forwarded(&mut forwarder, at(10), media(7, 30_000), b"y"), Err(DropReason::OutOfRange));
    assert_eq!(forwarded(&mut forwarder, at(20), media(7, 30_001), b"z").unwrap().0.sequence_number, 101);
    assert_eq!(asked(&mut forwarder, at(20)), [Asked::Pli(7)]);
}

#[test]
fn when_the_forwarded_stream_says_goodbye_one_that_goes_on_takes_over() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
    forwarded(&mut forwarder, at(10), media(8, 500), b"x").unwrap();
    assert_eq!(forwarded(&mut forwarder, at(20), media(7, 2), b"x"), Err(DropReason::NotSelected));
    tell(&mut forwarder, at(30), Side::Sender, |writer| writer.goodbye([8], "").unwrap());
    while forwarder.poll_event().is_some() {}
    asked(&mut forwarder, at(600));
    let (header, _) = forwarded(&mut forwarder, at(600), media(7, 3), b"x").unwrap();
    assert_eq!((header.ssrc, header.sequence_number), (OUT, 3));
    assert_eq!(asked(&mut forwarder, at(600)), [Asked::Pli(7)], "its pictures begin anew");
    let started = Event::StreamStarted { ssrc: 7, mid: "v".into(), outgoing_ssrc: OUT };
    assert_eq!(forwarder.poll_event(), Some(started));
}

#[test]
fn a_number_that_left_in_a_retransmission_is_not_given_to_the_next_stream() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 10), b"x").unwrap();
    let retransmission = RtpHeader { payload_type: 97, ..media(9, 1) };
    forwarded(&mut forwarder, at(5), retransmission, &[0, 11, b'y']).unwrap();
    let (header, _) = forwarded(&mut forwarder, at(10), media(8, 500), b"z").unwrap();
    assert_eq!(
        header.sequence_number, 12,
        "11 was the retransmitted packet, which its original would have followed"
    );
}

#[test]
fn duplicates_and_leaps_are_dropped() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 100), b"x").unwrap();
    assert_eq!(forwarded(&mut forwarder, at(0), media(7, 100), b"x"), Err(DropReason::Duplicate));
    assert_eq!(forwarded(&mut forwarder, at(0), media(7, 30_000), b"x"), Err(DropReason::OutOfRange));
    assert_eq!(forwarded(&mut forwarder, at(0), media(7, 99), b"late").unwrap().0.sequence_number, 99);
    assert_eq!(forwarder.stats().duplicates, 1);
}

#[test]
fn retransmissions_are_unwrapped_for_a_section_without_them() {
    let mut route = video();
    route.outgoing.rtx_ssrc = None;
    let mut forwarder = forwarder_with(ForwarderConfig::default(), [route]);
    forwarded(&mut forwarder, at(0), media(7, 100), b"x").unwrap();
    forwarded(&mut forwarder, at(0), media(7, 102), b"z").unwrap();
    let retransmission = |sequence_number| RtpHeader { payload_type: 97, ..media(8, sequence_number) };
    let (header, payload) = forwarded(&mut forwarder, at(50), retransmission(1), &[0, 101, b'y']).unwrap();
    assert_eq!((header, payload), (RtpHeader { ssrc: OUT, ..media(7, 101) }, b"y".to_vec()));
    let again = forwarded(&mut forwarder, at(60), retransmission(2), &[0, 101, b'y']);
    assert_eq!(again, Err(DropReason::Duplicate), "SRTP must not see an index twice");
}

#[test]
fn probes_and_orphans_among_retransmissions_are_dropped() {
    let mut forwarder = forwarder();
    let retransmission = |n| RtpHeader { payload_type: 97, ..media(8, n) };
    assert_eq!(
        forwarded(&mut forwarder, at(0), retransmission(1), &[0, 1, 9]),
        Err(DropReason::RepairsNothing)
    );
    forwarded(&mut forwarder, at(0), media(7, 100), b"x").unwrap();
    assert_eq!(forwarded(&mut forwarder, at(0), retransmission(2), &[]), Err(DropReason::RepairsNothing));
    assert_eq!(
        forwarded(&mut forwarder, at(0), retransmission(3), &[0x20, 0, 9]),
        Err(DropReason::OutOfRange)
    );
}

#[test]
fn a_missing_packet_is_asked_for_after_a_moment_and_again_until_given_up() {
    let mut config = ForwarderConfig::default();
    config.nack_attempts = 2;
    let mut forwarder = forwarder_with(config, [video()]);
    forwarded(&mut forwarder, at(0), media(7, 100), b"x").unwrap();
    forwarded(&mut forwarder, at(10), media(7, 103), b"x").unwrap();
    assert_eq!(forwarder.poll_timeout().map(|wake| wake.at), Some(at(20)));
    forwarder.handle_timeout(at(20));
    assert_eq!(asked(&mut forwarder, at(20)), [Asked::Missing(7, vec![101, 102])]);
    assert_eq!(asked(&mut forwarder, at(20)), []);
    forwarded(&mut forwarder, at(60), media(7, 102), b"x").unwrap();

    tell(&mut forwarder, at(70), Side::Receiver, |writer| writer.nack(1, OUT, [101]).unwrap());
    assert_eq!(asked(&mut forwarder, at(70)), [], "we have asked already");
    forwarder.handle_timeout(at(120));
    assert_eq!(asked(&mut forwarder, at(120)), [Asked::Missing(7, vec![101])]);
    forwarder.handle_timeout(at(220));
    assert_eq!(asked(&mut forwarder, at(220)), []);
    assert_eq!(forwarder.stats().nacks_abandoned, 1);

    tell(&mut forwarder, at(230), Side::Receiver, |writer| writer.nack(1, OUT, [101]).unwrap());
    assert_eq!(
        asked(&mut forwarder, at(230)),
        [Asked::Missing(7, vec![101])],
        "what we gave up, it may ask for"
    );
}

#[test]
fn a_request_that_crosses_with_its_answer_is_absorbed() {
    let mut forwarder = forwarder();
    for sequence_number in 100..110 {
        forwarded(&mut forwarder, at(0), media(7, sequence_number), b"x").unwrap();
    }
    let mut ask = |ms, missing: u16| {
        tell(&mut forwarder, at(ms), Side::Receiver, |writer| writer.nack(1, OUT, [missing]).unwrap());
        asked(&mut forwarder, at(ms))
    };
    assert_eq!(ask(10, 105), [Asked::Missing(7, vec![105])]);
    assert_eq!(ask(30, 105), []);
    assert_eq!(ask(110, 105), [Asked::Missing(7, vec![105])]);
    assert_eq!(ask(120, 300), [], "that was never sent");
}

#[test]
fn an_outage_asks_for_a_key_frame_and_not_for_the_packets() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 100), b"x").unwrap();
    forwarded(&mut forwarder, at(0), media(7, 1000), b"x").unwrap();
    assert_eq!(asked(&mut forwarder, at(0)), [Asked::Pli(7)]);
    forwarder.handle_timeout(at(400));
    assert_eq!(asked(&mut forwarder, at(400)), []);
}

#[test]
fn key_frames_are_asked_for_at_most_twice_a_second() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
    for ms in [0, 100, 200] {
        tell(&mut forwarder, at(ms), Side::Receiver, |writer| writer.picture_loss(1, OUT).unwrap());
    }
    assert_eq!(asked(&mut forwarder, at(200)), [Asked::Pli(7)]);
    forwarder.handle_timeout(at(500));
    assert_eq!(asked(&mut forwarder, at(500)), [Asked::Pli(7)], "the held-back ones, as one");
    forwarder.handle_timeout(at(1000));
    assert_eq!(asked(&mut forwarder, at(1000)), []);
    assert!(forwarder.request_keyframe(at(1100), "v") && !forwarder.request_keyframe(at(1100), "w"));
    assert_eq!(asked(&mut forwarder, at(1100)), [Asked::Pli(7)]);
}

#[test]
fn a_repeated_fir_is_no_new_command() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
    let mut fir = |ms, sequence_number| {
        tell(&mut forwarder, at(ms), Side::Receiver, |writer| {
            writer.full_intra_request(1, OUT, sequence_number).unwrap();
        });
        asked(&mut forwarder, at(ms))
    };
    assert_eq!(fir(0, 5), [Asked::Pli(7)]);
    assert_eq!(fir(900, 5), []);
    assert_eq!(fir(1800, 6), [Asked::Pli(7)]);
}

#[test]
fn a_sender_without_pli_is_commanded_by_fir() {
    let mut route = video();
    route.incoming.feedback = Feedback { fir: true, ..Feedback::default() };
    let mut forwarder = forwarder_with(ForwarderConfig::default(), [route]);
    forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
    for (ms, sequence_number) in [(0, 0), (600, 1)] {
        forwarder.request_keyframe(at(ms), "v");
        assert_eq!(asked(&mut forwarder, at(ms)), [Asked::Fir(7, sequence_number)]);
    }
}

#[test]
fn estimates_are_passed_on_to_who_heeds_them() {
    let mut forwarder = forwarder_with(ForwarderConfig::default(), [video(), audio()]);
    forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
    forwarded(&mut forwarder, at(0), RtpHeader { payload_type: 111, ..media(70, 1) }, b"x").unwrap();
    tell(&mut forwarder, at(0), Side::Receiver, |writer| writer.remb(1, 300_000, [OUT]).unwrap());
    assert_eq!(asked(&mut forwarder, at(0)), [Asked::Remb(299_999 / 2 * 2 + 2, vec![7])]);
    tell(&mut forwarder, at(0), Side::Receiver, |writer| writer.remb(1, 300_000, [1]).unwrap());
    assert_eq!(asked(&mut forwarder, at(0)), []);
}

#[test]
fn sides_hear_only_what_is_theirs() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
    while forwarder.poll_event().is_some() {}
    tell(&mut forwarder, at(0), Side::Receiver, |writer| {
        writer.sender_report(7, SenderInfo::default(), []).unwrap();
        writer.goodbye([7], "").unwrap();
    });
    tell(&mut forwarder, at(0), Side::Sender, |writer| {
        writer.nack(1, OUT, [1]).unwrap();
        writer.picture_loss(1, OUT).unwrap();
    });
    assert_eq!((asked(&mut forwarder, at(0)), forwarder.poll_event()), (vec![], None));
    tell(&mut forwarder, at(0), Side::Sender, |writer| {
        writer.sender_report(7, SenderInfo::default(), []).unwrap();
    });
    assert_eq!(asked(&mut forwarder, at(0)), [Asked::Report(Side::Receiver, OUT)]);
    tell(&mut forwarder, at(0), Side::Sender, |writer| writer.goodbye([7], "").unwrap());
    assert_eq!(forwarder.poll_event(), Some(Event::StreamEnded { ssrc: 7, mid: "v".into() }));
}

#[test]
fn the_round_trip_to_the_receiver_is_measured() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
    let info = SenderInfo { ntp_timestamp: 0x11_2233_4455_6677, ..SenderInfo::default() };
    tell(&mut forwarder, at(100), Side::Sender, |writer| writer.sender_report(7, info, []).unwrap());
    asked(&mut forwarder, at(100));
    let block = ginnel_rtp::rtcp::ReportBlock {
        ssrc: OUT,
        fraction_lost: 3,
        last_sender_report: info.compact_ntp(),
        delay_since_last_sender_report: 65_536 / 2,
        ..Default::default()
    };
    tell(&mut forwarder, at(650), Side::Receiver, |writer| writer.receiver_report(1, [block]).unwrap());
    let view = forwarder.receiver(OUT).unwrap();
    assert_eq!(view.fraction_lost, 3);
    let trip = view.round_trip.unwrap();
    assert!(trip.abs_diff(Duration::from_millis(50)) < Duration::from_millis(1), "{trip:?}");
}

#[test]
fn sections_are_told_apart_by_mid_then_ssrc_then_payload_type() {
    let mut extensions = ExtensionMap::new();
    extensions.insert(4, uri::MID).unwrap();
    let section = |mid: &str, ssrc, signalled| {
        let mut route = video();
        route.incoming.mid = mid.into();
        route.incoming.extensions = extensions.clone();
        route.incoming.ssrc = signalled;
        route.outgoing = Outgoing { mid: mid.into(), extensions: extensions.clone(), ssrc, rtx_ssrc: None };
        route
    };
    let routes = [section("0", 10, None), section("1", 11, Some(77)), audio()];
    let mut forwarder = forwarder_with(ForwarderConfig::default(), routes);
    let (header, elements, _) =
        with_extension(&mut forwarder, at(0), media(5, 1), &[(4, b"1")], b"x").unwrap();
    assert_eq!((header.ssrc, elements), (11, vec![(4, b"1".to_vec())]));
    let unknown = with_extension(&mut forwarder, at(0), media(6, 1), &[(4, b"9")], b"x");
    assert_eq!(unknown, Err(DropReason::UnknownMid));
    assert_eq!(forwarded(&mut forwarder, at(0), media(77, 1), b"x").unwrap().0.ssrc, 11);
    assert_eq!(forwarded(&mut forwarder, at(0), media(78, 1), b"x"), Err(DropReason::UnknownPayloadType));
    let voice = RtpHeader { payload_type: 111, ..media(79, 1) };
    assert_eq!(forwarded(&mut forwarder, at(0), voice, b"x").unwrap().0.ssrc, 3000);
    // RFC 9143 section 9.2: a known stream does not move by changing its payload type.
    let moved = RtpHeader { payload_type: 96, ..media(79, 2) };
    assert_eq!(forwarded(&mut forwarder, at(0), moved, b"x"), Err(DropReason::UnknownPayloadType));
}

#[test]
fn header_extensions_are_those_of_the_outgoing_section() {
    let mut route = video();
    for (id, uri) in [(1, uri::MID), (2, uri::TRANSPORT_CC), (3, uri::VIDEO_ORIENTATION), (4, uri::RID)] {
        route.incoming.extensions.insert(id, uri).unwrap();
    }
    route.outgoing.mid = "w".into();
    for (id, uri) in [(7, uri::MID), (2, uri::TRANSPORT_CC), (9, uri::VIDEO_ORIENTATION), (4, uri::RID)] {
        route.outgoing.extensions.insert(id, uri).unwrap();
    }
    let mut forwarder = forwarder_with(ForwarderConfig::default(), [route.clone()]);
    let elements: [(u8, &[u8]); 5] = [(1, b"v"), (2, &[0, 1]), (3, &[1]), (4, b"hi"), (12, &[5])];
    let (_, left, payload) =
        with_extension(&mut forwarder, at(0), media(5, 1), &elements, b"picture").unwrap();
    assert_eq!(left, [(7, b"w".to_vec()), (9, vec![1])]);
    assert_eq!((payload, forwarder.stats().extensions_erased), (b"picture".to_vec(), 3));

    // A name of another length cannot be put in place, and goes.
    route.outgoing.mid = "longer".into();
    forwarder.set_route(route).unwrap();
    let (_, left, _) = with_extension(&mut forwarder, at(0), media(5, 2), &elements, b"picture").unwrap();
    assert_eq!(left, [(9, vec![1])]);
}

#[test]
fn of_a_simulcast_one_stream_is_forwarded() {
    let mut route = video();
    route.incoming.extensions.insert(4, uri::RID).unwrap();
    let layers = |route: Route| {
        let mut forwarder = forwarder_with(ForwarderConfig::default(), [route]);
        [(5, b"l"), (6, b"h")].map(|(ssrc, rid)| {
            with_extension(&mut forwarder, at(0), media(ssrc, 1), &[(4, rid)], b"x").is_ok()
        })
    };
    assert_eq!(layers(route.clone()), [true, false], "the first");
    route.incoming.rid = Some("h".into());
    assert_eq!(layers(route), [false, true], "the wanted");
}

#[test]
fn streams_are_bounded_and_idle_ones_make_room() {
    let mut forwarder = forwarder_with(ForwarderConfig::default().with_max_streams(3), [video()]);
    for ssrc in 1..=3 {
        forwarded(&mut forwarder, at(0), media(ssrc, 1), b"x").unwrap();
    }
    for ssrc in 4..1000 {
        assert_eq!(forwarded(&mut forwarder, at(1), media(ssrc, 1), b"x"), Err(DropReason::TooManyStreams));
    }
    assert_eq!((forwarder.streams().count(), forwarder.stats().streams_refused), (3, 996));
    forwarded(&mut forwarder, at(20_000), media(2000, 1), b"x").unwrap();
    assert_eq!(forwarder.streams().count(), 3);
    assert!(forwarder.streams().any(|stream| stream.ssrc == 3), "what was forwarded last stays");
}

#[test]
fn routes_that_contradict_themselves_or_others_are_refused() {
    let mut forwarder = forwarder();
    let mut change = |edit: fn(&mut Route)| {
        let mut route = audio();
        edit(&mut route);
        forwarder.set_route(route)
    };
    assert_eq!(change(|route| route.codecs.clear()), Err(RouteError::NoCodec));
    assert_eq!(change(|route| route.codecs = vec![Codec::same(1, 1); 129]), Err(RouteError::TooManyCodecs));
    assert_eq!(change(|route| route.codecs[0].outgoing = 128), Err(RouteError::PayloadTypeTooHigh));
    assert_eq!(change(|route| route.codecs[0].incoming_rtx = Some(200)), Err(RouteError::PayloadTypeTooHigh));
    assert_eq!(change(|route| route.codecs[0].clock_rate = 0), Err(RouteError::ClockRateIsZero));
    assert_eq!(change(|route| route.outgoing.ssrc = OUT_RTX), Err(RouteError::SsrcTaken));
    assert_eq!(
        change(|route| route.outgoing.rtx_ssrc = Some(route.outgoing.ssrc)),
        Err(RouteError::SsrcTaken)
    );
    assert_eq!(change(|_| {}), Ok(()));
    let mut route = audio();
    for n in 2..MAX_ROUTES {
        (route.incoming.mid, route.outgoing.ssrc) = (format!("m{n}"), 10_000 + n as u32);
        assert_eq!(forwarder.set_route(route.clone()), Ok(()));
    }
    (route.incoming.mid, route.outgoing.ssrc) = ("one more".into(), 5);
    assert_eq!(forwarder.set_route(route), Err(RouteError::TooManyRoutes));
}

#[test]
fn a_removed_route_takes_its_streams_with_it() {
    let mut forwarder = forwarder_with(ForwarderConfig::default(), [video(), audio()]);
    let voice = |n| RtpHeader { payload_type: 111, ..media(9, n) };
    forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
    forwarded(&mut forwarder, at(0), voice(1), b"x").unwrap();
    assert!(forwarder.remove_route("v") && !forwarder.remove_route("v"));
    assert_eq!(forwarded(&mut forwarder, at(0), media(7, 2), b"x"), Err(DropReason::UnknownPayloadType));
    assert_eq!(forwarded(&mut forwarder, at(0), voice(2), b"x").unwrap().0.ssrc, 3000);
}

#[test]
fn a_full_report_leaves_the_rest_to_the_next() {
    let config = ForwarderConfig::default().with_max_streams(40);
    let mut forwarder = forwarder_with(config, [video()]);
    for ssrc in 0..40 {
        forwarded(&mut forwarder, at(0), media(ssrc, 1), b"x").unwrap();
    }
    let mut reported = Vec::new();
    for _ in 0..3 {
        let now = forwarder.poll_timeout().unwrap().at;
        forwarder.handle_timeout(now);
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        while forwarder.poll_transmit(now, &mut packet).is_some() {
            for packet in Compound::parse(packet.bytes()).unwrap().packets() {
                if let Ok(Rtcp::ReceiverReport(report)) = packet {
                    reported.push(report.blocks().map(|block| block.ssrc).collect::<Vec<_>>());
                }
            }
        }
    }
    let reported: Vec<_> = reported.into_iter().filter(|blocks| !blocks.is_empty()).collect();
    assert_eq!(reported, [(0..31).collect::<Vec<_>>(), (31..40).collect()]);
}

#[test]
fn feedback_goes_alone_only_where_reduced_size_was_negotiated() {
    for reduced in [false, true] {
        let config = ForwarderConfig::default().with_reduced_size(reduced);
        let mut forwarder = forwarder_with(config, [video()]);
        forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
        forwarder.request_keyframe(at(0), "v");
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        assert_eq!(forwarder.poll_transmit(at(0), &mut packet), Some(Side::Sender));
        let compound = Compound::parse(packet.bytes()).unwrap();
        assert_eq!(
            (compound.is_reduced_size(), compound.packets().count()),
            (reduced, if reduced { 1 } else { 3 })
        );
    }
}

#[test]
fn closing_says_goodbye_to_both_sides_and_then_is_closed() {
    let mut forwarder = forwarder_with(ForwarderConfig::default().with_reporter_ssrc(1), [video()]);
    forwarded(&mut forwarder, at(0), media(7, 1), b"x").unwrap();
    while forwarder.poll_event().is_some() {}
    forwarder.close(at(1));
    assert!(!forwarder.is_closed());
    let expected = [Asked::Goodbye(Side::Receiver, vec![OUT]), Asked::Goodbye(Side::Sender, vec![1])];
    assert_eq!(asked(&mut forwarder, at(1)), expected);
    assert!(forwarder.is_closed());
    assert_eq!((forwarder.poll_event(), forwarder.poll_event()), (Some(Event::Closed), None));
    assert_eq!(forwarded(&mut forwarder, at(2), media(7, 2), b"x"), Err(DropReason::Closed));
    tell(&mut forwarder, at(2), Side::Receiver, |writer| writer.picture_loss(1, OUT).unwrap());
    assert_eq!((asked(&mut forwarder, at(2)), forwarder.poll_timeout()), (vec![], None));
}

#[test]
fn an_echo_says_goodbye_once_and_an_unused_forwarder_never() {
    let mut echo = forwarder_with(ForwarderConfig::default().with_reporter_ssrc(OUT), [video()]);
    forwarded(&mut echo, at(0), media(7, 1), b"x").unwrap();
    echo.close(at(1));
    assert_eq!(asked(&mut echo, at(1)), [Asked::Goodbye(Side::Receiver, vec![OUT])]);
    let mut unused = forwarder();
    unused.close(at(1));
    assert!(unused.is_closed() && asked(&mut unused, at(1)).is_empty());
}

#[test]
fn sec_62_wrong_lengths_are_dropped_and_begin_no_stream() {
    let mut forwarder = forwarder();
    let mut header = [0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5];
    for first in [0x8f, 0x90, 0xa0, 0x40] {
        header[0] = first;
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        packet.append(&header).unwrap();
        assert_eq!(forwarder.handle_rtp(at(0), &mut packet), Verdict::Drop(DropReason::Malformed));
    }
    assert_eq!((forwarder.streams().count(), forwarder.stats().malformed_rtp), (0, 4));
    assert_eq!(forwarder.poll_timeout(), None);
}

#[test]
fn sec_64_a_flood_of_requests_stays_bounded() {
    let mut forwarder = forwarder();
    for sequence_number in 0..1000 {
        forwarded(&mut forwarder, at(0), media(7, sequence_number), b"x").unwrap();
    }
    asked(&mut forwarder, at(0));
    for _ in 0..50 {
        tell(&mut forwarder, at(1), Side::Receiver, |writer| writer.nack(1, OUT, 0..1000).unwrap());
    }
    let passed_on: usize = asked(&mut forwarder, at(1))
        .iter()
        .map(|asked| if let Asked::Missing(7, missing) = asked { missing.len() } else { 0 })
        .sum();
    assert_eq!(passed_on, 128);
    let stats = forwarder.stats();
    assert_eq!(stats.nacks_passed_on + stats.nacks_absorbed + stats.nacks_refused, 50_000);
}

#[test]
fn sec_64_wrong_rtcp_is_counted_and_changes_nothing() {
    let mut forwarder = forwarder();
    let wrong: [&[u8]; 4] =
        [&[], &[0x81, 206, 0, 9, 0, 0, 0, 1], &[0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2], &[0; 8]];
    for octets in wrong {
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        packet.append(octets).unwrap();
        forwarder.handle_rtcp(at(0), Side::Receiver, &packet);
    }
    assert_eq!(forwarder.stats().malformed_rtcp, 4);
    assert!(asked(&mut forwarder, at(0)).is_empty());
}

#[test]
fn the_original_sequence_number_of_a_retransmission_is_where_it_was() {
    let mut forwarder = forwarder();
    forwarded(&mut forwarder, at(0), media(7, 100), b"x").unwrap();
    let retransmission = RtpHeader { payload_type: 97, ..media(8, 4) };
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(&[0, 100, b'x']).unwrap();
    retransmission.prepend(&mut packet).unwrap();
    let verdict = forwarder.handle_rtp(at(1), &mut packet);
    assert_eq!(verdict, Verdict::Forward { ssrc: OUT_RTX, retransmission: true });
    assert_eq!(rtx::original_sequence_number(packet.bytes()), Some(100));
}
