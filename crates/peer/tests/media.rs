//! Audio and video between two peers: keys from DTLS, sections by MID, SSRC and payload type.

mod common;

use std::time::Duration;

use common::{Pair, count, ms, rtcp, rtp, sends};
use ginnel_core::{Buffer, Packet, Path, Receive};
use ginnel_dtls_srtp::dtls::{Version, Versions};
use ginnel_netsim::Link;
use ginnel_peer::{ConnectionState, Data, Event, MediaError, Peer, PeerConfig, SectionIndex};
use ginnel_sdp::{
    attribute::Direction,
    jsep::{Capabilities, MediaKind},
};

/// A pair with an audio and a video section, not connected yet.
fn with_media(seed: u64, link: Link, change: impl Fn(PeerConfig) -> PeerConfig) -> Pair {
    let mut pair = Pair::with(seed, link, change);
    pair.sim.with(pair.left.node, |peer, _| {
        for kind in [MediaKind::Audio, MediaKind::Video] {
            peer.add_transceiver(kind, Direction::SendRecv).expect("there is room");
        }
    });
    pair
}

#[track_caller]
fn connect(pair: &mut Pair) {
    pair.signal();
    pair.expect("both are connected", Duration::from_secs(60), |pair| {
        [pair.left.node, pair.right.node]
            .iter()
            .all(|node| pair.sim.get(*node).state() == ConnectionState::Connected)
    });
}

#[test]
fn media_flows_both_ways_in_its_sections_with_either_version_of_dtls() {
    for (versions, agreed) in [(Versions::Dtls12, Version::Dtls12), (Versions::Dtls13, Version::Dtls13)] {
        let mut pair = with_media(1, Link::new(ms(10)), |config| config.with_versions(versions));
        connect(&mut pair);
        let secured =
            |e: &Event| matches!(e, Event::Secured { version, profile: Some(_) } if *version == agreed);
        assert_eq!(count(&pair.left.log, secured), 1, "{:#?}", pair.left.log);
        for (from, to) in [(pair.left.node, pair.right.node), (pair.right.node, pair.left.node)] {
            for section in 0..2 {
                let (payload_type, ssrc) = sends(pair.sim.get(from), section);
                let sent = rtp(payload_type, ssrc, 7);
                pair.sim.send(from, &sent, Peer::send_rtp).expect("there are keys and a path");
                pair.sim.run_for(ms(20));
                let data = pair.sim.data(to);
                let [received] = &data[..] else { panic!("{data:?}") };
                assert_eq!(received.data, Data::Rtp { section: SectionIndex(section) });
                assert_eq!(received.bytes, sent);
            }
            pair.sim.send(from, &rtcp(5), Peer::send_rtcp).expect("there are keys and a path");
            pair.sim.run_for(ms(20));
            let data = pair.sim.data(to);
            assert!(data.len() == 1 && data[0].data == Data::Rtcp && data[0].bytes == rtcp(5), "{data:?}");
        }
    }
}

#[test]
fn what_is_lost_is_lost_and_what_arrives_is_whole() {
    let link = Link::new(ms(20)).with_loss(0.2).with_jitter(ms(30)).with_duplication(0.1);
    let mut pair = with_media(2, link, common::patient);
    connect(&mut pair);
    let (left, right) = (pair.left.node, pair.right.node);
    let (payload_type, ssrc) = sends(pair.sim.get(left), 0);
    for n in 0..1_000 {
        pair.sim.send(left, &rtp(payload_type, ssrc, n), Peer::send_rtp).expect("there is a path");
        pair.sim.run_for(ms(20));
    }
    pair.sim.run_for(ms(200));
    let data = pair.sim.data(right);
    assert!((720..880).contains(&data.len()), "{} of 1,000 at 20 % loss", data.len());
    let mut numbers: Vec<_> = data.iter().map(|d| u16::from_be_bytes([d.bytes[2], d.bytes[3]])).collect();
    assert!(data.iter().zip(&numbers).all(|(d, n)| d.bytes == rtp(payload_type, ssrc, *n)));
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), data.len(), "a copy that the network made is not delivered");
}

/// RFC 5764 section 5.1.2: what cannot be verified yet is dropped, and counted.
#[test]
fn media_before_keys_is_refused_here_and_dropped_there() {
    let mut pair = with_media(3, Link::new(ms(50)), |config| config);
    let left = pair.left.node;
    let early = |pair: &mut Pair| pair.sim.send(left, &rtp(111, 1, 1), Peer::send_rtp);
    assert_eq!(early(&mut pair), Err(MediaError::NoPath));
    pair.signal();
    pair.expect("a path, and no keys yet", Duration::from_secs(5), |pair| {
        pair.sim.get(pair.right.node).agent().selected().is_some()
            && pair.sim.get(pair.left.node).agent().selected().is_some()
    });
    assert!(matches!(early(&mut pair), Err(MediaError::Session(_))), "{:?}", early(&mut pair));
    let path = pair.sim.get(pair.right.node).agent().selected().expect("there is one").path;
    assert!(pair.sim.inject(path, &rtp(111, 1, 1)));
    assert_eq!(pair.sim.get(pair.right.node).stats().session.media_before_keys, 1);
    assert!(pair.sim.data(pair.right.node).is_empty());
    connect_already_signalled(&mut pair);
}

fn connect_already_signalled(pair: &mut Pair) {
    pair.expect("both are connected", Duration::from_secs(10), |pair| {
        pair.left.said(&Event::State(ConnectionState::Connected))
            && pair.right.said(&Event::State(ConnectionState::Connected))
    });
}

/// Rule 6 of the contract: what is refused is as it was, and so is the cipher.
#[test]
fn what_is_refused_changes_neither_packet_nor_cipher() {
    let mut pair = with_media(4, Link::new(ms(10)), |config| config);
    connect(&mut pair);
    let (left, right) = (pair.left.node, pair.right.node);
    let (payload_type, ssrc) = sends(pair.sim.get(left), 0);
    let packet_of = rtp(payload_type, ssrc, 1);
    // No room around it for the tag.
    pair.sim.with(left, |peer, now| {
        let mut buf: Buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        packet.append(&packet_of).expect("it fits");
        while packet.append(&[0]).is_ok() {}
        let long = packet.bytes().to_vec();
        let refused = peer.send_rtp(now, &mut packet);
        assert!(matches!(refused, Err(MediaError::Session(_))), "{refused:?}");
        assert_eq!(packet.bytes(), long);
    });
    // What is no RTP is refused too.
    let not_rtp = pair.sim.send(left, b"short", Peer::send_rtp);
    assert!(matches!(not_rtp, Err(MediaError::Session(_))), "{not_rtp:?}");
    // The path is gone: the same sequence number can go out once there is one again.
    pair.sim.cut(pair.left.host, pair.right.host);
    pair.expect("it fails", Duration::from_secs(60), |pair| {
        pair.left.said(&Event::State(ConnectionState::Failed))
    });
    let before = pair.sim.get(left).stats().session.sender.rtp;
    pair.sim.with(left, |peer, now| {
        let mut buf: Buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        packet.append(&packet_of).expect("it fits");
        assert_eq!(peer.send_rtp(now, &mut packet), Err(MediaError::NoPath));
        assert_eq!(packet.bytes(), packet_of);
    });
    assert_eq!(pair.sim.get(left).stats().session.sender.rtp, before, "the cipher was not used");
    pair.sim.restore(pair.left.host, pair.right.host);
    pair.sim.with(left, Peer::restart_ice);
    pair.exchange(0);
    pair.expect("it works again", Duration::from_secs(10), |pair| {
        pair.sim.get(pair.left.node).state() == ConnectionState::Connected
            && pair.sim.get(pair.right.node).state() == ConnectionState::Connected
    });
    pair.sim.send(left, &packet_of, Peer::send_rtp).expect("the number is still free");
    pair.sim.run_for(ms(20));
    assert_eq!(pair.sim.data(right).len(), 1);
}

/// A section that the peer rejects is not sent in, and what comes for it belongs nowhere.
#[test]
fn a_rejected_section_takes_no_media_and_harms_no_other() {
    let mut pair = Pair::with_each(5, Link::new(ms(10)), |of, config| match of {
        0 => config,
        _ => config.with_capabilities(Capabilities::none()),
    });
    pair.sim.with(pair.left.node, |peer, _| {
        peer.add_transceiver(MediaKind::Audio, Direction::SendRecv).expect("there is room")
    });
    let (mut pair, ours, _) = pair.connected();
    let (left, right) = (pair.left.node, pair.right.node);
    let agreed = pair.sim.get(left).negotiated().expect("it was agreed on").clone();
    assert!(agreed.sections[0].rejected.is_some() && agreed.sections[1].rejected.is_none(), "{agreed:#?}");
    assert_eq!(agreed.transport.map(|transport| transport.index), Some(1));
    pair.sim.send(left, &rtp(111, 1, 1), Peer::send_rtp).expect("DTLS agreed on keys nevertheless");
    pair.sim.run_for(ms(20));
    assert!(pair.sim.data(right).is_empty());
    assert_eq!(pair.sim.get(right).stats().rtp_without_section, 1);
    pair.sim.with(left, |peer, now| {
        peer.send_message(now, ours, ginnel_peer::MessageKind::Text, b"hello").expect("it is taken")
    });
    pair.expect("data flows", Duration::from_secs(1), |pair| pair.right.messages().count() == 1);
}

/// A packet on a socket of nobody is not touched.
#[test]
fn what_comes_to_another_socket_is_foreign() {
    let mut pair = with_media(6, Link::new(ms(10)), |config| config);
    connect(&mut pair);
    pair.sim.with(pair.left.node, |peer, now| {
        let mut buf: Buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        packet.append(&rtp(111, 1, 1)).expect("it fits");
        let elsewhere = Path::udp(
            "192.0.2.77:7".parse().expect("an address"),
            "192.0.2.2:9".parse().expect("an address"),
        );
        let mut input = Receive::new(elsewhere, packet);
        assert_eq!(peer.handle_input(now, &mut input), ginnel_core::Handled::Foreign);
        assert_eq!(input.packet.bytes(), rtp(111, 1, 1));
    });
}
