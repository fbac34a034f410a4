//! Vectors of the RFCs, indices and windows at their edges, and what an attacker may send.

mod hostile;
mod indices;
mod vectors;

use ginnel_core::{Buffer, Packet};

use super::{Config, MasterKey, Profile, Receiver, Sender};

pub(super) const BUFFER: Buffer = [0; 2048];

/// An RTP packet with a payload of 20 octets.
pub(super) fn rtp(ssrc: u32, sequence_number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence_number.to_be_bytes());
    packet.extend([0, 0, 0, 7]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(*b"twenty octets of it!");
    packet
}
/// A receiver report.
pub(super) fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet
}
pub(super) fn packet<'a>(buf: &'a mut Buffer, octets: &[u8]) -> Packet<'a> {
    let mut packet = Packet::empty(buf);
    packet.append(octets).expect("test packets are short");
    packet
}
pub(super) fn master(profile: Profile) -> MasterKey {
    MasterKey::new(profile, &[0x5A; 32][..profile.key_len()], &[0xC3; 14][..profile.salt_len()])
        .expect("the profile's own lengths")
}
pub(super) fn pair(profile: Profile, config: Config) -> (Sender, Receiver) {
    (Sender::new(&master(profile), config), Receiver::new(&master(profile), config))
}
pub(super) fn protect_rtp(sender: &mut Sender, octets: &[u8]) -> Vec<u8> {
    let mut buf = BUFFER;
    let mut packet = packet(&mut buf, octets);
    sender.protect_rtp(&mut packet).expect("a fresh packet");
    packet.bytes().to_vec()
}
pub(super) fn protect_rtcp(sender: &mut Sender, octets: &[u8]) -> Vec<u8> {
    let mut buf = BUFFER;
    let mut packet = packet(&mut buf, octets);
    sender.protect_rtcp(&mut packet).expect("a fresh packet");
    packet.bytes().to_vec()
}
pub(super) fn unprotect_rtp(receiver: &mut Receiver, octets: &[u8]) -> Result<Vec<u8>, super::Rejected> {
    let mut buf = BUFFER;
    let mut packet = packet(&mut buf, octets);
    receiver.unprotect_rtp(&mut packet).map(|()| packet.bytes().to_vec())
}
pub(super) fn unprotect_rtcp(receiver: &mut Receiver, octets: &[u8]) -> Result<Vec<u8>, super::Rejected> {
    let mut buf = BUFFER;
    let mut packet = packet(&mut buf, octets);
    receiver.unprotect_rtcp(&mut packet).map(|()| packet.bytes().to_vec())
}
/// Octets from hexadecimal, spaces ignored.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}
