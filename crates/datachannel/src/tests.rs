//! The codecs against published octets, and against themselves.

use crate::{
    ChannelConfig, Reliability, dcep,
    sctp::wire::{self, Header, Init, kind},
};
use proptest::prelude::*;
use std::time::Duration;

/// The example of draft-hancke-tsvwg-snap, section *General*.
const SNAP_EXAMPLE: [u8; 30] = [
    1, 0, 0, 30, 0x89, 0x6C, 0xDD, 0x1D, 0, 0x50, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xE0, 0x79, 0x65, 0x1D, 0xC0,
    0, 0, 4, 0x80, 8, 0, 6, 0x82, 0xC0,
];

#[test]
fn the_snap_drafts_init_reads_and_writes() {
    let (init, cookie) = Init::parse(&SNAP_EXAMPLE).unwrap();
    let expected = Init {
        tag: 0x896C_DD1D,
        window: 0x0050_0000,
        outbound_streams: 65_535,
        inbound_streams: 65_535,
        tsn: 0xE079_651D,
        reconfig: true,
        forward_tsn: true,
    };
    assert_eq!((init, cookie), (expected, None));
    assert_eq!(init.chunk(kind::INIT, None), SNAP_EXAMPLE);
}

#[test]
fn the_checksum_is_crc32c_little_endian() {
    // The packet header of RFC 9260 with ports 5000, tag 0 and a COOKIE ACK, against the bitwise definition of appendix A.
    let packet =
        Header { source: 5000, destination: 5000, tag: 0 }.packet([&[kind::COOKIE_ACK, 0, 0, 4][..]]);
    let mut zeroed = packet.clone();
    zeroed[8..12].fill(0);
    let mut crc = u32::MAX;
    for octet in &zeroed {
        crc ^= u32::from(*octet);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    assert_eq!(packet[8..12], (!crc).to_le_bytes());
    assert!(wire::checksum_holds(&packet));
    for at in 0..packet.len() {
        let mut bad = packet.clone();
        bad[at] ^= 1;
        assert!(!wire::checksum_holds(&bad), "octet {at}");
    }
}

#[test]
fn open_has_the_layout_of_rfc_8832_section_5_1() {
    let config = ChannelConfig::new("ab")
        .with_protocol("c")
        .with_ordered(false)
        .with_priority(0x0102)
        .with_reliability(Reliability::MaxLifetime(Duration::from_millis(0x0304_0506)));
    let octets = [3, 0x82, 1, 2, 3, 4, 5, 6, 0, 2, 0, 1, b'a', b'b', b'c'];
    assert_eq!(dcep::Message::Open(config.clone()).write(), octets);
    assert_eq!(dcep::Message::parse(&octets), Ok(dcep::Message::Open(config)));
    for length in 0..octets.len() {
        assert!(dcep::Message::parse(&octets[..length]).is_err(), "{length} octets");
    }
}

fn reliability() -> impl Strategy<Value = Reliability> {
    prop_oneof![
        Just(Reliability::Reliable),
        any::<u16>().prop_map(Reliability::MaxRetransmits),
        any::<u32>().prop_map(|ms| Reliability::MaxLifetime(Duration::from_millis(ms.into()))),
    ]
}
proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn every_open_reads_as_written(
        label in ".{0,40}", protocol in ".{0,20}", ordered: bool, priority: u16, reliability in reliability(),
    ) {
        let config = ChannelConfig::new(label)
            .with_protocol(protocol)
            .with_ordered(ordered)
            .with_priority(priority)
            .with_reliability(reliability);
        let message = dcep::Message::Open(config);
        prop_assert_eq!(dcep::Message::parse(&message.write()), Ok(message));
    }
}
