//! How a peer ends: rule 10 of the contract, and what it says meanwhile.

mod common;

use std::time::Duration;

use common::{Pair, certificate, count, ms, rtp, states};
use ginnel_core::{Buffer, Epoch, Handled, Instant, Machine, Packet, Path, Receive, Seed, check::Checked};
use ginnel_netsim::{Link, Sim};
use ginnel_peer::{
    ChannelCloseReason, ChannelConfig, Closed, ConnectionState, DescriptionError, Event, MediaError,
    MessageError, MessageKind, OpenError, Peer, PeerConfig, SdpType,
};

fn peer(of: usize) -> Peer {
    Peer::new(PeerConfig::new(Epoch::start(), certificate(of)), Seed::new([of as u8; 32]))
}

/// Everything that it can be asked, after the end.
#[track_caller]
fn assert_over(peer: &mut Peer) {
    let mut buf: Buffer = [0; 2048];
    let now = Instant::EPOCH + Duration::from_secs(9);
    assert!(peer.is_closed());
    peer.close(now);
    peer.handle_timeout(now);
    peer.restart_ice(now);
    peer.end_of_remote_candidates(now);
    peer.end_of_local_ips(now);
    assert!(peer.add_local_ip(now, "192.0.2.9".parse().expect("an address")).is_err());
    assert_eq!(peer.offer(now), Err(DescriptionError::Closed));
    assert_eq!(peer.answer(now), Err(DescriptionError::Closed));
    assert_eq!(peer.set_remote(now, SdpType::Offer, ""), Err(DescriptionError::Closed));
    assert!(peer.rollback().is_err());
    assert_eq!(peer.open_channel(now, ChannelConfig::new("late")), Err(OpenError::Closed));
    let mut packet = Packet::empty(&mut buf);
    packet.append(&rtp(111, 1, 1)).expect("it fits");
    assert_eq!(peer.send_rtp(now, &mut packet), Err(MediaError::Closed));
    let path = Path::udp("192.0.2.1:1".parse().expect("an address"), "192.0.2.2:2".parse().expect("one"));
    let mut input = Receive::new(path, packet);
    assert_eq!(peer.handle_input(now, &mut input), Handled::Foreign);
    assert_eq!(input.packet.bytes(), rtp(111, 1, 1));
    assert_eq!(peer.poll_transmit(now, &mut Packet::empty(&mut buf)), None);
    assert_eq!(peer.poll_request(), None);
    assert_eq!(peer.poll_event(), None);
    assert_eq!(peer.poll_timeout(), None);
    assert!(peer.is_closed());
    assert_eq!(peer.state(), ConnectionState::Closed);
}

#[test]
fn a_peer_that_has_done_nothing_closes_at_once() {
    let mut peer = peer(0);
    let channel = peer.open_channel(Instant::EPOCH, ChannelConfig::new("never")).expect("it may wait");
    peer.close(Instant::EPOCH);
    peer.close(Instant::EPOCH);
    assert!(!peer.is_closed(), "there are events to poll");
    let mut log = Vec::new();
    while let Some(event) = peer.poll_event() {
        log.push(event);
    }
    let never = Event::ChannelClosed { channel, reason: ChannelCloseReason::AssociationClosed };
    assert!(log.contains(&never), "{log:?}");
    assert_eq!(log.last(), Some(&Event::Closed(Closed::Local)));
    let sent = peer.send_message(Instant::EPOCH, channel, MessageKind::Text, b"");
    assert_eq!(sent, Err(MessageError::NoSuchChannel));
    assert_over(&mut peer);
}

#[test]
fn closing_works_at_any_time() {
    // Before the first check is answered, during DTLS, during SCTP, and once all is up.
    for after in [1, 15, 35, 55, 75, 95, 500] {
        for closing in [0, 1] {
            let mut pair = Pair::new(1, Link::new(ms(10)));
            let nodes = [pair.left.node, pair.right.node];
            pair.sim.with(nodes[0], |peer, now| {
                peer.open_channel(now, ChannelConfig::new("chat")).expect("opens")
            });
            pair.signal();
            pair.sim.run_for(ms(after));
            pair.sim.with(nodes[closing], Peer::close);
            pair.look();
            assert!(pair.sim.get(nodes[closing]).is_closed(), "after {after} ms");
            let log = &pair.side(closing).log;
            assert_eq!(log.last().map(|(_, event)| event), Some(&Event::Closed(Closed::Local)));
            assert_eq!(states(log).last().map(String::as_str), Some("closed"));
            let ended = |e: &Event| matches!(e, Event::Closed(_));
            assert_eq!(count(log, ended), 1);
            // The other side learns of it by a goodbye, or finds that nobody is there.
            pair.expect("the other side ends", Duration::from_secs(100), |pair| {
                matches!(
                    pair.sim.get(nodes[1 - closing]).state(),
                    ConnectionState::Closed | ConnectionState::Failed
                )
            });
        }
    }
}

#[test]
fn both_may_close_at_once() {
    let (mut pair, ..) = Pair::new(2, Link::new(ms(10))).connected();
    for node in [pair.left.node, pair.right.node] {
        pair.sim.with(node, Peer::close);
    }
    pair.sim.run_for(ms(50));
    pair.look();
    for side in [&pair.left, &pair.right] {
        assert_eq!(side.log.last().map(|(_, event)| event), Some(&Event::Closed(Closed::Local)));
    }
}

#[test]
fn a_channel_that_was_open_is_said_to_close_before_the_end() {
    let (mut pair, ours, theirs) = Pair::new(3, Link::new(ms(10))).connected();
    pair.sim.with(pair.left.node, Peer::close);
    pair.sim.run_for(ms(50));
    pair.look();
    for (side, channel) in [(&pair.left, ours), (&pair.right, theirs)] {
        let of = |wanted: &dyn Fn(&Event) -> bool| side.log.iter().position(|(_, event)| wanted(event));
        let gone = of(&|e| matches!(e, Event::ChannelClosed { channel: c, .. } if *c == channel));
        let over = of(&|e| matches!(e, Event::Closed(_)));
        assert!(gone.is_some() && gone < over, "{:#?}", side.log);
    }
}

/// Every rule that can be seen from outside is watched, from the offer to the end.
#[test]
fn the_contract_is_kept_from_offer_to_close() {
    let mut sim = Sim::new(4);
    let hosts = [sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"])];
    sim.set_link(hosts[0], hosts[1], Link::new(ms(10)).with_loss(0.1).with_duplication(0.1));
    let nodes = [0, 1].map(|of| sim.add(hosts[of], Checked::new(peer(of))));
    for (of, ip) in ["192.0.2.1", "192.0.2.2"].into_iter().enumerate() {
        sim.with(nodes[of], |peer, now| {
            let peer = peer.get_mut();
            peer.add_local_ip(now, ip.parse().expect("an address")).expect("it is usable");
            peer.end_of_local_ips(now);
        });
    }
    let [left, right] = nodes;
    let channel = sim.with(left, |peer, now| peer.get_mut().open_channel(now, ChannelConfig::new("chat")));
    let channel = channel.expect("it opens");
    let offer = sim.with(left, |peer, now| peer.get_mut().offer(now)).expect("an offer");
    sim.with(right, |peer, now| peer.get_mut().set_remote(now, SdpType::Offer, &offer)).expect("it is taken");
    let answer = sim.with(right, |peer, now| peer.get_mut().answer(now)).expect("an answer");
    sim.with(left, |peer, now| peer.get_mut().set_remote(now, SdpType::Answer, &answer)).expect("taken");
    sim.expect("the channel opens", Duration::from_secs(60), |sim| {
        sim.events(right).iter().any(|event| matches!(event, Event::ChannelOpened { .. }))
    });
    sim.with(left, |peer, now| {
        peer.get_mut().send_message(now, channel, MessageKind::Text, b"hello").expect("it is taken");
    });
    sim.expect("a message", Duration::from_secs(60), |sim| {
        sim.events(right).iter().any(|event| matches!(event, Event::Message { .. }))
    });
    sim.run_for(Duration::from_secs(60));
    sim.with(left, Machine::close);
    sim.run_for(Duration::from_secs(60));
    for node in nodes {
        let state = sim.get(node).get().state();
        assert!(matches!(state, ConnectionState::Closed | ConnectionState::Failed), "{state}");
    }
    sim.with(left, |peer, _| assert_over(peer.get_mut()));
}
