//! Retransmission (RFC 4588 section 4): the original packet behind two octets of its original sequence number.
//!
//! SSRC multiplexing only, as in WebRTC (RFC 8834 section 6.3.1); the history that answers requests is the sender's.

use ginnel_core::Packet;

use crate::{RtpHeaderMut, RtpView};

/// What a retransmission packet repairs: the original sequence number. `None` for one that carries nothing but padding
/// (bandwidth probes do), and for what is no RTP.
#[must_use]
pub fn original_sequence_number(octets: &[u8]) -> Option<u16> {
    RtpView::parse(octets).ok()?.payload().first_chunk().map(|osn| u16::from_be_bytes(*osn))
}

/// Replaces the original sequence number that a retransmission packet carries; false if it carries none.
pub fn set_original_sequence_number(packet: &mut Packet<'_>, osn: u16) -> bool {
    let Ok(rtp) = RtpView::parse(packet.bytes()) else { return false };
    let (start, has) = (rtp.header_len(), rtp.payload().len() >= 2);
    match packet.bytes_mut().get_mut(start..start + 2) {
        Some(place) if has => place.copy_from_slice(&osn.to_be_bytes()),
        _ => return false,
    }
    true
}

/// Turns a retransmission packet into the original, in place: the header moves two octets towards the payload, and gets
/// the original's sequence number, payload type and SSRC. False, and nothing has changed, if there is no original in it.
pub fn unwrap(packet: &mut Packet<'_>, payload_type: u8, ssrc: u32) -> bool {
    let Some(osn) = original_sequence_number(packet.bytes()) else { return false };
    let Ok(header_len) = RtpView::parse(packet.bytes()).map(|rtp| rtp.header_len()) else { return false };
    packet.bytes_mut().copy_within(..header_len, 2);
    if packet.strip(2).is_none() {
        return false;
    }
    if let Some(mut header) = RtpHeaderMut::of(packet) {
        header.set_sequence_number(osn);
        header.set_payload_type(payload_type);
        header.set_ssrc(ssrc);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RtpHeader;

    fn packet_of<'a>(buffer: &'a mut [u8; 2048], header: &RtpHeader, payload: &[u8]) -> Packet<'a> {
        let mut packet = Packet::empty(buffer);
        packet.append(payload).unwrap();
        header.prepend(&mut packet).unwrap();
        packet
    }

    #[test]
    fn unwrapping_restores_the_original_octets() {
        let original =
            RtpHeader { marker: true, payload_type: 96, sequence_number: 513, timestamp: 9, ssrc: 1 };
        let retransmission = RtpHeader { payload_type: 97, sequence_number: 4, ssrc: 2, ..original };
        let (mut a, mut b) = ([0; 2048], [0; 2048]);
        let expected = packet_of(&mut a, &original, b"frame");
        let mut packet = packet_of(&mut b, &retransmission, b"\x02\x01frame");
        assert_eq!(original_sequence_number(packet.bytes()), Some(513));
        assert!(unwrap(&mut packet, 96, 1));
        assert_eq!(packet.bytes(), expected.bytes());
    }

    #[test]
    fn a_probe_of_padding_alone_repairs_nothing() {
        let mut buffer = [0; 2048];
        let mut packet = packet_of(&mut buffer, &RtpHeader::default(), &[0, 0, 0, 4]);
        packet.bytes_mut()[0] |= 0x20;
        let before = packet.bytes().to_vec();
        assert_eq!(original_sequence_number(packet.bytes()), None);
        assert!(!unwrap(&mut packet, 96, 1) && !set_original_sequence_number(&mut packet, 3));
        assert_eq!(packet.bytes(), before);
    }

    #[test]
    fn the_original_sequence_number_is_replaced_in_place() {
        let mut buffer = [0; 2048];
        let mut packet = packet_of(&mut buffer, &RtpHeader::default(), &[0, 1, 2]);
        assert!(set_original_sequence_number(&mut packet, 0xabcd));
        assert_eq!(original_sequence_number(packet.bytes()), Some(0xabcd));
        assert_eq!(packet.bytes().last(), Some(&2));
    }
}
