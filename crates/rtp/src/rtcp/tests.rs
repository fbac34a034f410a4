//! RTCP there and back, and what is refused.

use super::*;
use ginnel_core::{NoRoom, Packet};
use proptest::prelude::*;

fn written(write: impl FnOnce(&mut RtcpWriter<'_, '_>) -> Result<(), NoRoom>) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    write(&mut RtcpWriter::new(&mut packet)).unwrap();
    packet.bytes().to_vec()
}

fn only(octets: &[u8]) -> Result<Rtcp<'_>, ParseError> {
    let compound = Compound::parse(octets)?;
    let mut packets = compound.packets();
    let first = packets.next().unwrap();
    assert!(packets.next().is_none());
    first
}

const INFO: SenderInfo =
    SenderInfo { ntp_timestamp: 0x0102_0304_0506_0708, rtp_timestamp: 9, packet_count: 10, octet_count: 11 };

fn block(ssrc: u32) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 128,
        cumulative_lost: -5,
        extended_highest_sequence: 0x1_0002,
        jitter: 77,
        last_sender_report: 0x0304_0506,
        delay_since_last_sender_report: 65_536,
    }
}

#[test]
fn reports_there_and_back() {
    let octets = written(|writer| writer.sender_report(3, INFO, [block(1), block(2)]));
    let Ok(Rtcp::SenderReport(report)) = only(&octets) else { panic!() };
    assert_eq!((report.ssrc, report.info), (3, INFO));
    assert!(report.blocks().eq([block(1), block(2)]));
    assert_eq!(INFO.compact_ntp(), 0x0304_0506);
    let octets = written(|writer| writer.receiver_report(3, (0..40).map(block)));
    let Ok(Rtcp::ReceiverReport(report)) = only(&octets) else { panic!() };
    assert!(report.blocks().eq((0..31).map(block)), "31 are the most there can be");
    assert!(!Compound::parse(&octets).unwrap().is_reduced_size());
}

#[test]
fn what_a_profile_adds_to_a_report_is_ignored() {
    let mut octets = written(|writer| writer.receiver_report(3, [block(1)]));
    octets.extend([1, 2, 3, 4]);
    octets[3] += 1;
    let Ok(Rtcp::ReceiverReport(report)) = only(&octets) else { panic!() };
    assert!(report.blocks().eq([block(1)]));
}

#[test]
fn a_sender_report_by_hand() {
    // RFC 3550 section 6.4.1, octet by octet.
    let octets = written(|writer| writer.sender_report(0x0a0b_0c0d, INFO, [block(7)]));
    let expected = [
        0x81, 200, 0, 12, 0x0a, 0x0b, 0x0c, 0x0d, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0, 0, 10, 0, 0, 0,
        11, 0, 0, 0, 7, 128, 0xff, 0xff, 0xfb, 0, 1, 0, 2, 0, 0, 0, 77, 3, 4, 5, 6, 0, 1, 0, 0,
    ];
    assert_eq!(octets, expected);
}

#[test]
fn losses_are_clamped_to_24_bits() {
    for (lost, read) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1)] {
        let octets =
            written(|writer| writer.receiver_report(1, [ReportBlock { cumulative_lost: lost, ..block(1) }]));
        let Ok(Rtcp::ReceiverReport(report)) = only(&octets) else { panic!() };
        assert_eq!(report.blocks().next().unwrap().cumulative_lost, read);
    }
}

#[test]
fn names_of_every_length_are_padded_to_words() {
    for len in 0..=256 {
        let name = "n".repeat(len);
        let octets = written(|writer| writer.cname(5, &name));
        let Ok(Rtcp::SourceDescription(names)) = only(&octets) else { panic!("{len}") };
        let chunk = names.chunks().next().unwrap();
        assert_eq!((chunk.ssrc, chunk.cname()), (5, Some(&name.as_bytes()[..len.min(255)])));
        assert_eq!((names.chunks().count(), octets.len() % 4), (1, 0));
    }
}

#[test]
fn several_chunks_and_items() {
    let octets = [
        0x82, 202, 0, 7, 0, 0, 0, 1, 1, 1, b'a', 15, 2, b'm', b'0', 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0,
    ];
    let Ok(Rtcp::SourceDescription(names)) = only(&octets) else { panic!() };
    let chunks: Vec<_> = names.chunks().collect();
    assert_eq!(chunks.iter().map(|chunk| chunk.ssrc).collect::<Vec<_>>(), [1, 2]);
    let items: Vec<_> = chunks[0].items().collect();
    assert_eq!(items, [Item { kind: 1, text: b"a" }, Item { kind: 15, text: b"m0" }]);
    assert_eq!(chunks[1].cname(), None);
}

#[test]
fn goodbyes_with_and_without_a_reason() {
    for reason in ["", "a", "abc", "camera malfunction"] {
        let octets = written(|writer| writer.goodbye([1, 2], reason));
        let Ok(Rtcp::Goodbye(goodbye)) = only(&octets) else { panic!() };
        assert!(goodbye.sources().eq([1, 2]));
        assert_eq!(goodbye.reason(), Some(reason.as_bytes()).filter(|reason| !reason.is_empty()));
    }
}

#[test]
fn key_frame_requests_there_and_back() {
    let octets = written(|writer| writer.picture_loss(1, 2));
    assert_eq!(octets, [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
    let octets = written(|writer| writer.full_intra_request(1, 2, 3));
    assert_eq!(octets, [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0, 0]);
    let Ok(Rtcp::FullIntraRequest(fir)) = only(&octets) else { panic!() };
    assert!(fir.entries().eq([FirEntry { ssrc: 2, sequence_number: 3 }]));
}

#[test]
fn estimates_there_and_back() {
    for (bitrate, read) in
        [(0, 0), (262_143, 262_143), (262_145, 262_144), (2_500_000, 2_500_000), (u64::MAX, u64::MAX << 46)]
    {
        let octets = written(|writer| writer.remb(1, bitrate, [8, 9]));
        let Ok(Rtcp::Remb(remb)) = only(&octets) else { panic!() };
        assert_eq!(remb.bitrate, read);
        assert!(remb.ssrcs().eq([8, 9]));
    }
}

#[test]
fn what_is_not_known_is_handed_out_raw() {
    for (kind, format) in [(204, 1), (205, 9), (206, 2), (206, 15), (207, 0), (199, 0)] {
        let octets = [0x80 | format, kind, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, b'X', b'Y', b'Z', b'W'];
        let raw = match only(&octets).unwrap() {
            Rtcp::ApplicationDefined(raw) | Rtcp::TransportFeedback(raw) => raw,
            Rtcp::PayloadFeedback(raw) | Rtcp::ExtendedReport(raw) | Rtcp::Unknown(raw) => raw,
            other => panic!("{other:?}"),
        };
        assert_eq!((raw.packet_type, raw.count, raw.body.len()), (kind, format, 12));
    }
}

#[test]
fn a_wrong_packet_does_not_hide_the_next() {
    let mut octets = written(|writer| writer.goodbye([1], ""));
    octets[0] |= 3;
    octets.extend(written(|writer| writer.picture_loss(1, 2)));
    let packets: Vec<_> = Compound::parse(&octets).unwrap().packets().collect();
    assert_eq!(packets[0].as_ref().unwrap_err(), &ParseError::new(4, Reason::CountPastEnd));
    assert!(matches!(packets[1], Ok(Rtcp::PictureLoss(_))));
}

#[test]
fn padding_is_for_the_last_packet_alone() {
    let padded = [0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4];
    assert!(matches!(only(&padded), Ok(Rtcp::PictureLoss(Feedback { control: [], .. }))));
    let twice = [padded, padded].concat();
    assert_eq!(Compound::parse(&twice).unwrap_err().reason, Reason::PaddingBeforeTheLast);
    for wrong in [0, 3, 16, 255] {
        let mut octets = padded;
        octets[15] = wrong;
        assert_eq!(Compound::parse(&octets).unwrap_err(), ParseError::new(15, Reason::PaddingIsWrong));
    }
}

#[test]
fn without_room_nothing_is_written() {
    let mut buffer = [0; 640];
    let mut packet = Packet::received(&mut buffer, 0..0).unwrap();
    let mut writer = RtcpWriter::new(&mut packet);
    writer.picture_loss(1, 2).unwrap();
    assert_eq!(writer.receiver_report(1, (0..31).map(block)), Err(NoRoom));
    assert_eq!(writer.nack(1, 2, []), Err(NoRoom));
    assert_eq!(writer.len(), 12);
    assert!(matches!(only(packet.bytes()), Ok(Rtcp::PictureLoss(_))));
}

#[test]
fn sec_64_length_words_past_the_end_are_errors() {
    let mut octets = written(|writer| writer.receiver_report(1, [block(2)]));
    octets[3] = 0xff;
    assert_eq!(Compound::parse(&octets).unwrap_err(), ParseError::new(2, Reason::LengthPastEnd));
    assert_eq!(Compound::parse(&[]).unwrap_err().reason, Reason::Truncated);
    assert_eq!(Compound::parse(&[0x80, 201, 0]).unwrap_err().reason, Reason::Truncated);
    // A report that promises 31 blocks and holds one.
    let mut octets = written(|writer| writer.receiver_report(1, [block(2)]));
    octets[0] = 0x80 | 31;
    assert_eq!(only(&octets).unwrap_err().reason, Reason::CountPastEnd);
}

#[test]
fn sec_64_bye_reason_past_the_end_is_an_error() {
    let mut octets = written(|writer| writer.goodbye([1], "abc"));
    octets[8] = 4;
    assert_eq!(only(&octets).unwrap_err(), ParseError::new(8, Reason::ReasonPastEnd));
    octets[8] = 255;
    assert_eq!(only(&octets).unwrap_err().reason, Reason::ReasonPastEnd);
}

#[test]
fn sec_64_transport_cc_run_of_65535_in_few_octets_stays_raw() {
    // Base 0, 65,535 packets, one run-length chunk: nothing is expanded, so nothing can grow.
    let octets = [0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0x3f, 0xff, 0, 0];
    let Ok(Rtcp::TransportCc(feedback)) = only(&octets) else { panic!() };
    assert_eq!((feedback.media_ssrc, feedback.control.len()), (2, 12));
}

#[test]
fn sec_64_remb_of_255_ssrcs_is_bounded_by_its_octets() {
    let full = written(|writer| writer.remb(1, 1000, 0..255));
    let Ok(Rtcp::Remb(remb)) = only(&full) else { panic!() };
    assert!(remb.ssrcs().eq(0..255));
    let mut few = written(|writer| writer.remb(1, 1000, [7]));
    few[16] = 255;
    assert_eq!(only(&few).unwrap_err().reason, Reason::CountPastEnd);
}

#[test]
fn sec_64_sdes_item_past_the_end_is_an_error() {
    let mut octets = written(|writer| writer.cname(1, "abc"));
    octets[9] = 200;
    assert_eq!(only(&octets).unwrap_err(), ParseError::new(4, Reason::ItemPastEnd));
    // A chunk without its null octet.
    let octets = [0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'a', b'b'];
    assert_eq!(only(&octets).unwrap_err().reason, Reason::ItemPastEnd);
}

proptest! {
    #[test]
    fn missing_packets_there_and_back(first: u16, steps in proptest::collection::vec(1_u16..40, 0..60)) {
        let mut missing = vec![first];
        for step in steps {
            missing.push(missing[missing.len() - 1].wrapping_add(step));
        }
        let octets = written(|writer| writer.nack(1, 2, missing.iter().copied()));
        let Ok(Rtcp::Nack(nack)) = only(&octets) else { panic!() };
        prop_assert_eq!((nack.sender_ssrc, nack.media_ssrc), (1, 2));
        prop_assert_eq!(nack.missing().collect::<Vec<_>>(), missing);
    }

    #[test]
    fn no_octets_make_it_panic(kind in 199_u8..209, octets in proptest::collection::vec(any::<u8>(), 0..120)) {
        let mut whole = vec![0x80 | octets.first().unwrap_or(&0) & 0x3f, kind, 0, (octets.len() / 4) as u8];
        whole.extend(&octets[..octets.len() / 4 * 4]);
        crate::fuzz::rtcp::run(&whole);
        crate::fuzz::rtcp::run(&octets);
    }
}
