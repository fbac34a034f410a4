use ginnel_core::{Buffer, Frame, Framing, NoRoom, Packet};

use super::{ChannelData, ChannelDataError, ChannelNumber};

const CHANNEL: ChannelNumber = ChannelNumber::MIN;

#[test]
fn rfc8656_12_channel_numbers_are_0x4000_to_0x4fff() {
    for number in 0..=u16::MAX {
        let channel = ChannelNumber::new(number);
        assert_eq!(channel.is_some(), (0x4000..=0x4FFF).contains(&number), "{number:#x}");
        assert!(channel.is_none_or(|channel| channel.number() == number));
        let [n0, n1] = number.to_be_bytes();
        let parsed = ChannelData::parse(&[n0, n1, 0, 0]).map(|it| it.channel());
        assert_eq!(parsed, channel.ok_or(ChannelDataError::NoChannelNumber));
    }
}

#[test]
fn sec_31_lengths_beyond_the_datagram_are_refused() {
    let whole = b"\x40\x00\x00\x04data";
    for cut in 0..whole.len() {
        let want = if cut < 4 {
            ChannelDataError::ShorterThanHeader
        } else {
            ChannelDataError::LengthBeyondDatagram
        };
        assert_eq!(ChannelData::parse(&whole[..cut]), Err(want));
    }
    assert_eq!(ChannelData::parse(whole).unwrap().payload(), b"data");
    let lying = ChannelData::parse(b"\x40\x00\xff\xffdata").unwrap_err();
    assert_eq!((lying, lying.offset()), (ChannelDataError::LengthBeyondDatagram, 2));
}

#[test]
fn rfc8656_12_5_padding_is_ignored_and_data_may_be_empty() {
    assert_eq!(ChannelData::parse(b"\x40\x00\x00\x01x\0\0\0").unwrap().payload(), b"x");
    assert_eq!(ChannelData::parse(b"\x40\x00\x00\x00").unwrap().payload(), b"");
}

#[test]
fn wrapping_and_stripping_are_inverse_and_in_place() {
    let mut buffer: Buffer = [0; _];
    for length in [0, 1, 3, 4, 1200] {
        let payload = [0x5A; 1200];
        let mut packet = Packet::empty(&mut buffer);
        packet.append(&payload[..length]).unwrap();
        ChannelData::wrap(CHANNEL, &mut packet).unwrap();
        assert_eq!(packet.len(), 4 + length);
        // What a stream adds is taken off too.
        Framing::Stun.wrap(&mut packet).unwrap();
        let total = packet.len();
        assert_eq!(Framing::Stun.next(packet.bytes()), Frame::Whole { skip: 0, len: 4 + length, total });
        assert_eq!(ChannelData::strip(&mut packet), Ok(CHANNEL));
        assert_eq!(packet.bytes(), &payload[..length]);
    }
}

#[test]
fn what_cannot_be_wrapped_or_stripped_is_not_changed() {
    let mut buffer = vec![0; 70_000];
    let mut long = Packet::received(&mut buffer, 1000..1000 + 65_536).unwrap();
    assert_eq!(ChannelData::wrap(CHANNEL, &mut long), Err(NoRoom));
    assert_eq!(long.len(), 65_536);
    let mut tight = Packet::received(&mut buffer, 3..100).unwrap();
    assert_eq!(ChannelData::wrap(CHANNEL, &mut tight), Err(NoRoom));
    assert_eq!(tight.len(), 97);
    let mut buffer: Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(b"\x50\x00\x00\x00").unwrap();
    assert_eq!(ChannelData::strip(&mut packet), Err(ChannelDataError::NoChannelNumber));
    assert_eq!(packet.bytes(), b"\x50\x00\x00\x00");
}

#[test]
fn debug_shows_no_payload() {
    let shown = format!("{:?}", ChannelData::parse(b"\x40\x00\x00\x06secret").unwrap());
    assert_eq!(shown, "ChannelData(0x4000, 6 octets)");
}
