//! RFC 3550 section 5.1, field by field.

use super::*;
use proptest::prelude::*;

/// Two CSRCs, an extension of one word, three octets of payload, one of padding.
const FULL: [u8; 12 + 8 + 8 + 4] = [
    0b1011_0010,
    0x80 | 111,
    0x12,
    0x34,
    0,
    0,
    1,
    0,
    0,
    0,
    0,
    42, // fixed
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    2, // CSRCs
    0xbe,
    0xde,
    0,
    1,
    0x10,
    0x85,
    0,
    0, // extension
    7,
    8,
    9,
    1, // payload and padding
];

#[test]
fn all_parts_are_found() {
    let rtp = RtpView::parse(&FULL).unwrap();
    assert!(rtp.marker());
    assert_eq!((rtp.payload_type(), rtp.sequence_number()), (111, 0x1234));
    assert_eq!((rtp.timestamp(), rtp.ssrc()), (256, 42));
    assert!(rtp.csrcs().eq([1, 2]));
    assert_eq!(rtp.extensions().get(1), Some(&[0x85][..]));
    assert_eq!((rtp.header_len(), rtp.payload(), rtp.padding_len()), (28, &[7, 8, 9][..], 1));
}

#[test]
fn each_cut_is_an_error_with_its_place() {
    for len in 0..FULL.len() - 4 {
        assert!(RtpView::parse(&FULL[..len]).is_err(), "{len} octets");
    }
    let reason = |octets: &[u8]| RtpView::parse(octets).map(|_| ()).unwrap_err();
    assert_eq!(reason(&FULL[..11]), ParseError::new(11, Reason::Truncated));
    assert_eq!(reason(&FULL[..19]), ParseError::new(0, Reason::CsrcListPastEnd));
    assert_eq!(reason(&FULL[..27]), ParseError::new(20, Reason::ExtensionPastEnd));
    let mut version = FULL;
    version[0] &= 0x7f;
    assert_eq!(reason(&version), ParseError::new(0, Reason::VersionIsNotTwo));
}

#[test]
fn padding_is_between_one_and_the_payload() {
    let with_last = |last: u8| {
        let mut octets = FULL;
        octets[31] = last;
        RtpView::parse(&octets).map(|rtp| rtp.payload().len())
    };
    assert_eq!(with_last(4), Ok(0));
    for wrong in [0, 5, 255] {
        assert_eq!(with_last(wrong), Err(ParseError::new(31, Reason::PaddingIsWrong)));
    }
    let mut nothing_to_pad = [0; 12];
    nothing_to_pad[0] = 0xa0;
    assert_eq!(RtpView::parse(&nothing_to_pad).unwrap_err().reason, Reason::PaddingIsWrong);
}

proptest! {
    #[test]
    fn edits_change_what_they_name_and_nothing_else(
        marker: bool, payload_type in 0_u8..128, sequence_number: u16, timestamp: u32, ssrc: u32,
    ) {
        let mut buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buffer);
        packet.append(&FULL).unwrap();
        let mut header = RtpHeaderMut::of(&mut packet).unwrap();
        header.set_marker(marker);
        header.set_payload_type(payload_type);
        header.set_sequence_number(sequence_number);
        header.set_timestamp(timestamp);
        header.set_ssrc(ssrc);
        prop_assert_eq!(packet.bytes()[0], FULL[0]);
        prop_assert_eq!(&packet.bytes()[12..], &FULL[12..]);
        let rtp = RtpView::parse(packet.bytes()).unwrap();
        prop_assert_eq!((rtp.marker(), rtp.payload_type()), (marker, payload_type));
        prop_assert_eq!((rtp.sequence_number(), rtp.timestamp(), rtp.ssrc()), (sequence_number, timestamp, ssrc));
    }

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
        crate::fuzz::rtp::run(&octets);
    }
}
