//! The body of the fuzz target `datachannel`: a peer that says anything, under true tags and checksums, to an association
//! that is up or coming up.
//!
//! Input: one octet of mode, then records of a length octet (times 4) and as many octets of chunks. A length of 0 lets
//! 200 ms pass. Invariants: nothing panics, every drain ends, packets keep to the MTU, a closed association is silent,
//! buffers add up, and what the DCEP and INIT codecs read they write again alike.

use crate::{
    Association, AssociationConfig, ChannelConfig, Event, MessageKind, Role, dcep,
    sctp::wire::{Header, Init, kind},
};
use core::time::Duration;
use ginnel_core::{ANSWER, Buffer, Epoch, HEADROOM, Instant, Packet, Seed};

/// More packets than that after one tell would be a loop.
const DRAIN: usize = 20_000;
/// The tag of the peer.
const PEER: Init = Init {
    tag: 7,
    window: 1 << 20,
    outbound_streams: 99,
    inbound_streams: 99,
    tsn: 1,
    reconfig: true,
    forward_tsn: true,
};

/// Runs one input.
///
/// # Panics
/// If an invariant does not hold.
pub fn run(data: &[u8]) {
    codecs(data);
    let Some((mode, mut rest)) = data.split_first() else { return };
    let role = if mode & 1 == 0 { Role::Client } else { Role::Server };
    let mut end = Association::new(AssociationConfig::new(role, Epoch::start()), Seed::new([*mode; 32]));
    let tag = end
        .local_init()
        .get(4..8)
        .and_then(|tag| tag.first_chunk())
        .map_or(0, |tag| u32::from_be_bytes(*tag));
    let mut now = Instant::EPOCH;
    if mode & 2 == 0 {
        assert_eq!(end.set_remote_init(&PEER.chunk(kind::INIT, None)), Ok(()));
    }
    if mode & 4 == 0 {
        end.start(now);
    }
    if let Ok(id) = end.open(now, ChannelConfig::new("ours")) {
        assert_eq!(end.send_message(now, id, MessageKind::Text, &[0; 3000]), Ok(()));
    }
    settle(&mut end, now);
    while let Some((length, after)) = rest.split_first() {
        let length = (4 * usize::from(*length)).min(after.len());
        let (chunks, next) = after.split_at(length);
        rest = next;
        if length == 0 {
            now += Duration::from_millis(200);
            end.handle_timeout(now);
        } else {
            let tag = if chunks.first() == Some(&kind::INIT) { 0 } else { tag };
            give(&mut end, now, &Header { source: 5000, destination: 5000, tag }.packet([chunks]));
        }
        settle(&mut end, now);
    }
    if mode & 8 != 0 {
        end.close(now);
        settle(&mut end, now);
    }
    end.abort(now);
    settle(&mut end, now);
    assert!(end.is_closed() && end.poll_timeout().is_none());
}

fn codecs(data: &[u8]) {
    if let Ok(message) = dcep::Message::parse(data) {
        assert_eq!(dcep::Message::parse(&message.write()), Ok(message));
    }
    if let Ok((init, cookie)) = Init::parse(data) {
        let again = init.chunk(kind::INIT_ACK, cookie);
        assert_eq!(Init::parse(&again), Ok((init, cookie)));
    }
}

fn give(end: &mut Association, now: Instant, octets: &[u8]) {
    let start = HEADROOM + ANSWER;
    let mut buffer = vec![0; start + octets.len()];
    buffer[start..].copy_from_slice(octets);
    if let Some(mut packet) = Packet::received(&mut buffer, start..start + octets.len()) {
        let _ = end.handle_input(now, &mut packet);
    }
}

fn settle(end: &mut Association, now: Instant) {
    let mut buffer: Buffer = [0; 2048];
    for round in 0.. {
        let mut packet = Packet::empty(&mut buffer);
        while end.poll_transmit(now, &mut packet) {
            assert!(packet.len() <= crate::DEFAULT_MTU || packet.bytes().get(12) != Some(&kind::DATA));
        }
        while let Some(event) = end.poll_event() {
            if let Event::Closed { .. } = event {
                assert_eq!(end.poll_event(), None, "an event after the last");
            }
        }
        match end.poll_timeout() {
            Some(wake) if wake.at <= now => end.handle_timeout(now),
            _ => return,
        }
        assert!(round < DRAIN, "the timer never rests");
    }
}
