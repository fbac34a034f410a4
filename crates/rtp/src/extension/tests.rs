//! RFC 8285 sections 4.2 and 4.3.

use super::*;
use crate::RtpHeader;

fn packet_with<'a>(buffer: &'a mut [u8; 2048], profile: u16, data: &[u8]) -> Packet<'a> {
    assert_eq!(data.len() % 4, 0);
    let mut packet = Packet::empty(buffer);
    RtpHeader::default().prepend(&mut packet).unwrap();
    packet.bytes_mut()[0] |= 0x10;
    packet.append(&profile.to_be_bytes()).unwrap();
    packet.append(&(data.len() as u16 / 4).to_be_bytes()).unwrap();
    packet.append(data).unwrap();
    packet.append(b"payload").unwrap();
    packet
}

fn elements(profile: u16, data: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut buffer = [0; 2048];
    let packet = packet_with(&mut buffer, profile, data);
    let rtp = RtpView::parse(packet.bytes()).unwrap();
    rtp.extensions().map(|element| (element.id, element.value.to_vec())).collect()
}

#[test]
fn one_byte_elements_with_padding_between() {
    let data = [0x10, 1, 0, 0, 0x21, 2, 3, 0x30, 4, 0, 0, 0];
    assert_eq!(elements(ONE_BYTE, &data), [(1, vec![1]), (2, vec![2, 3]), (3, vec![4])]);
}

#[test]
fn two_byte_elements_may_be_empty() {
    let data = [16, 0, 0, 255, 2, 7, 8, 0];
    for profile in [TWO_BYTE, TWO_BYTE | 0x0f] {
        assert_eq!(elements(profile, &data), [(16, vec![]), (255, vec![7, 8])]);
    }
}

#[test]
fn identifier_fifteen_ends_the_processing() {
    assert_eq!(elements(ONE_BYTE, &[0x10, 1, 0xf0, 9, 0x20, 2, 0, 0]), [(1, vec![1])]);
}

#[test]
fn padding_with_a_length_ends_the_processing() {
    assert_eq!(elements(ONE_BYTE, &[0x10, 1, 0x01, 9, 0x20, 2, 0, 0]), [(1, vec![1])]);
}

#[test]
fn a_length_past_the_end_ends_the_processing() {
    assert_eq!(elements(ONE_BYTE, &[0x10, 1, 0x2f, 9]), [(1, vec![1])]);
    assert_eq!(elements(TWO_BYTE, &[1, 1, 7, 9]), [(1, vec![7])]);
    assert_eq!(elements(TWO_BYTE, &[1, 200, 7, 9]), []);
}

#[test]
fn other_profiles_have_no_elements() {
    assert_eq!(elements(0xabac, &[0x10, 1, 0, 0]), []);
}

#[test]
fn edits_rename_overwrite_and_blank_in_place() {
    let mut buffer = [0; 2048];
    let mut packet = packet_with(&mut buffer, ONE_BYTE, &[0x10, b'a', 0x21, 2, 3, 0x30, 4, 0]);
    let before = packet.len();
    let erased = edit_extensions(&mut packet, |id, value| match id {
        1 => {
            value[0] = b'b';
            Edit::Rename(5)
        }
        2 => Edit::Erase,
        _ => Edit::Keep,
    });
    assert_eq!((erased, packet.len()), (1, before));
    let rtp = RtpView::parse(packet.bytes()).unwrap();
    let left: Vec<_> = rtp.extensions().map(|element| (element.id, element.value)).collect();
    assert_eq!(left, [(5, &b"b"[..]), (3, &[4][..])]);
    assert_eq!(rtp.payload(), b"payload");
}

#[test]
fn an_identifier_that_the_form_cannot_express_is_erased() {
    for (profile, data, new, erased) in [
        (ONE_BYTE, [0x10, 1, 0, 0], 15, 1),
        (ONE_BYTE, [0x10, 1, 0, 0], 14, 0),
        (TWO_BYTE, [1, 1, 9, 0], 15, 0),
        (TWO_BYTE, [1, 1, 9, 0], 0, 1),
    ] {
        let mut buffer = [0; 2048];
        let mut packet = packet_with(&mut buffer, profile, &data);
        assert_eq!(edit_extensions(&mut packet, |_, _| Edit::Rename(new)), erased);
    }
}

#[test]
fn a_map_knows_mid_rid_and_audio_level() {
    let mut map = ExtensionMap::new();
    for (id, uri) in [(1, uri::AUDIO_LEVEL), (4, uri::MID), (10, uri::RID), (11, uri::REPAIRED_RID)] {
        map.insert(id, uri).unwrap();
    }
    let mut buffer = [0; 2048];
    let data = [0x10, 0x85, 0x41, b'v', b'0', 0xa0, b'h', 0xb0, b'l', 0, 0, 0];
    let packet = packet_with(&mut buffer, ONE_BYTE, &data);
    let rtp = RtpView::parse(packet.bytes()).unwrap();
    assert_eq!((map.mid(&rtp), map.rid(&rtp), map.repaired_rid(&rtp)), (Some("v0"), Some("h"), Some("l")));
    assert_eq!(map.audio_level(&rtp), Some(AudioLevel { voice: true, level: 5 }));
    assert_eq!(ExtensionMap::new().mid(&rtp), None);
}

#[test]
fn a_map_refuses_what_contradicts_it_and_what_is_too_much() {
    let mut map = ExtensionMap::new();
    assert_eq!(map.insert(0, uri::MID), Err(ExtensionMapError::IdentifierIsPadding));
    assert_eq!(map.insert(1, uri::MID), Ok(()));
    assert_eq!(map.insert(1, uri::MID), Ok(()));
    assert_eq!(map.insert(1, uri::RID), Err(ExtensionMapError::IdentifierTaken));
    for id in 2..=MAX_EXTENSIONS as u8 {
        assert_eq!(map.insert(id, "urn:other"), Ok(()));
    }
    assert_eq!(map.insert(255, uri::RID), Err(ExtensionMapError::Full));
    assert_eq!(map.iter().count(), MAX_EXTENSIONS);
}
