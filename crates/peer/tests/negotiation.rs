//! Offers after the first one, from either side; those that cross; and a peer that is replaced by another.

mod common;

use std::time::Duration;

use common::{Pair, certificate, count, ms, rtp, sends, states};
use ginnel_core::Epoch;
use ginnel_dtls_srtp::dtls::ConfigError;
use ginnel_ice::Role;
use ginnel_netsim::Link;
use ginnel_peer::{
    CandidateError, ChannelCloseReason, ChannelConfig, Closed, ConnectionState, Data, Event, Failure,
    MessageKind, OpenError, Peer, PeerConfig, SdpType, SectionIndex,
};
use ginnel_sdp::{attribute::Direction, jsep::MediaKind};

fn audio(pair: &mut Pair, of: usize) {
    let node = pair.side(of).node;
    pair.sim.with(node, |peer, _| {
        peer.add_transceiver(MediaKind::Audio, Direction::SendRecv).expect("there is room")
    });
}

#[track_caller]
fn expect_connected(pair: &mut Pair) {
    pair.expect("both are connected", Duration::from_secs(30), |pair| {
        [pair.left.node, pair.right.node]
            .iter()
            .all(|node| pair.sim.get(*node).state() == ConnectionState::Connected)
    });
}

fn opened(pair: &Pair) -> [usize; 2] {
    let opened = |e: &Event| matches!(e, Event::ChannelOpened { .. });
    [count(&pair.left.log, opened), count(&pair.right.log, opened)]
}

#[test]
fn data_is_added_to_media_by_an_offer_of_the_other_side() {
    let mut pair = Pair::new(1, Link::new(ms(10)));
    audio(&mut pair, 0);
    pair.signal();
    expect_connected(&mut pair);
    assert!(pair.sim.get(pair.left.node).negotiated().expect("agreed").sctp.is_none());
    let right = pair.right.node;
    pair.sim.with(right, |peer, now| peer.open_channel(now, ChannelConfig::new("late")).expect("opens"));
    pair.exchange(1);
    pair.expect("the channel opens", Duration::from_secs(5), |pair| opened(pair) == [1, 1]);
    for side in [&pair.left, &pair.right] {
        assert_eq!(count(&side.log, |e| matches!(e, Event::Secured { .. })), 1, "DTLS was not done again");
        assert_eq!(count(&side.log, |e| *e == Event::Negotiated), 2);
    }
}

#[test]
fn media_is_added_to_data_by_either_side() {
    let (mut pair, ..) = Pair::new(2, Link::new(ms(10))).connected();
    let nodes = [pair.left.node, pair.right.node];
    for of in [0, 1] {
        audio(&mut pair, of);
        pair.exchange(of);
        let section = 1 + of;
        let (payload_type, ssrc) = sends(pair.sim.get(nodes[of]), section);
        pair.sim.send(nodes[of], &rtp(payload_type, ssrc, 1), Peer::send_rtp).expect("there are keys");
        pair.sim.run_for(ms(20));
        let data = pair.sim.data(nodes[1 - of]);
        // Both sections have the same payload types: the description's SSRC tells.
        assert_eq!(data.first().map(|d| d.data), Some(Data::Rtp { section: SectionIndex(section) }), "{of}");
    }
    assert_eq!(count(&pair.left.log, |e| matches!(e, Event::Secured { .. })), 1);
}

/// RFC 8829 section 4.1.10.2: who gives way rolls back.
#[test]
fn when_both_offer_one_gives_way_and_offers_again() {
    let mut pair = Pair::new(3, Link::new(ms(10)));
    let (left, right) = (pair.left.node, pair.right.node);
    for node in [left, right] {
        pair.sim.with(node, |peer, now| peer.open_channel(now, ChannelConfig::new("mine")).expect("opens"));
    }
    audio(&mut pair, 0);
    let _crossed = pair.sim.with(left, Peer::offer).expect("an offer");
    let theirs = pair.sim.with(right, Peer::offer).expect("an offer");
    pair.sim.with(left, |peer, now| {
        assert!(peer.set_remote(now, SdpType::Offer, &theirs).is_err(), "not while ours is pending");
        peer.rollback().expect("ours is pending");
        peer.set_remote(now, SdpType::Offer, &theirs).expect("now it is taken");
    });
    let answer = pair.sim.with(left, Peer::answer).expect("an answer");
    pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).expect("it is taken");
    assert_eq!(pair.sim.get(left).agent().role(), Role::Controlled, "the offer that counted was theirs");
    assert_eq!(pair.sim.get(right).agent().role(), Role::Controlling);
    pair.expect("both channels open on both sides", Duration::from_secs(5), |pair| opened(pair) == [2, 2]);
    assert_eq!(pair.sim.get(right).negotiated().expect("agreed").sections.len(), 1);
    pair.exchange(0);
    assert_eq!(pair.sim.get(right).negotiated().expect("agreed").sections.len(), 2, "what was put off");
}

#[test]
fn early_candidates_are_kept_up_to_the_bound_and_forgotten_with_their_offer() {
    let mut pair = Pair::new(4, Link::new(ms(10)));
    let (left, right) = (pair.left.node, pair.right.node);
    pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
    let line = |n: usize| format!("candidate:{n} 1 udp {} 198.51.100.{n} 9 typ host", 1_000 + n);
    let add = |pair: &mut Pair, n: usize| {
        pair.sim.with(right, |peer, now| peer.add_ice_candidate(now, Some("0"), &line(n)))
    };
    assert_eq!(add(&mut pair, 1), Err(CandidateError::NoRemoteDescription));
    let offer = pair.sim.with(left, Peer::offer).expect("an offer");
    pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Offer, &offer)).expect("it is taken");
    for n in 1..=64 {
        assert_eq!(add(&mut pair, n), Ok(()), "{n}");
    }
    assert_eq!(add(&mut pair, 65), Err(CandidateError::TooManyEarly { limit: 64 }));
    pair.sim.with(right, Peer::end_of_remote_candidates);
    pair.sim.with(right, |peer, _| peer.rollback()).expect("the offer is pending");
    pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Offer, &offer)).expect("it is taken");
    assert_eq!(add(&mut pair, 7), Ok(()));
    let answer = pair.sim.with(right, Peer::answer).expect("an answer");
    let known = |pair: &Pair| pair.sim.get(right).agent().remote_candidates().count();
    assert_eq!(known(&pair), 2, "the one in the offer, and the one that came after the rollback");
    pair.sim.with(left, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).expect("it is taken");
    pair.expect("it connects", Duration::from_secs(5), |pair| opened(pair) == [1, 1]);
}

/// What is said to end before it has begun ends when it has.
#[test]
fn the_end_of_candidates_may_come_before_the_answer() {
    let mut pair = Pair::new(5, Link::new(ms(10)));
    let (left, right) = (pair.left.node, pair.right.node);
    pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
    let offer = pair.sim.with(left, Peer::offer).expect("an offer");
    pair.sim.with(left, Peer::end_of_remote_candidates);
    pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Offer, &offer)).expect("it is taken");
    let answer = pair.sim.with(right, Peer::answer).expect("an answer");
    pair.sim.with(left, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).expect("it is taken");
    assert_eq!(pair.sim.get(left).agent().remote_candidates().count(), 1, "the answer's candidate was taken");
    pair.expect("it connects", Duration::from_secs(5), |pair| opened(pair) == [1, 1]);
}

/// RFC 8445 section 6.1.1: a lite agent does not nominate, so the other side does, whoever offered.
#[test]
fn towards_a_lite_peer_we_are_controlling() {
    let mut pair = Pair::new(6, Link::new(ms(10)));
    let (left, right) = (pair.left.node, pair.right.node);
    pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
    let offer = pair.sim.with(left, Peer::offer).expect("an offer");
    let lite = offer.replacen("a=group:", "a=ice-lite\r\na=group:", 1);
    assert_ne!(lite, offer);
    pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Offer, &lite)).expect("it is taken");
    let _ = pair.sim.with(right, Peer::answer).expect("an answer");
    assert_eq!(pair.sim.get(right).agent().role(), Role::Controlling);
}

/// RFC 8842 section 5: another fingerprint is another DTLS association, here because another process answers the restart.
#[test]
fn a_peer_that_was_replaced_gets_a_new_secure_connection() {
    for with_media in [false, true] {
        let mut pair = Pair::new(7, Link::new(ms(10)));
        if with_media {
            audio(&mut pair, 0);
        }
        let (mut pair, old_channel, _) = pair.connected();
        let left = pair.left.node;
        pair.sim.kill(pair.right.node);
        // Elsewhere, with another certificate, and knowing nothing.
        let config = PeerConfig::new(Epoch::start(), certificate(2));
        let seed = pair.sim.seed("another");
        pair.right.node = pair.sim.add(pair.right.host, Peer::new(config, seed));
        pair.right.log.clear();
        pair.gather(1);
        pair.sim.with(left, Peer::restart_ice);
        pair.exchange(0);
        pair.expect("the old channel has ended", ms(10), |pair| {
            let gone =
                Event::ChannelClosed { channel: old_channel, reason: ChannelCloseReason::AssociationClosed };
            pair.left.said(&gone)
        });
        assert_eq!(pair.sim.get(left).phases().dtls, None, "it is to come");
        expect_connected(&mut pair);
        let channel = pair
            .sim
            .with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("new")).expect("opens"));
        pair.expect("it opens", Duration::from_secs(5), |pair| pair.right.opened().is_some());
        pair.sim.with(left, |peer, now| {
            peer.send_message(now, channel, MessageKind::Text, b"hello").expect("it is taken")
        });
        pair.expect("a message", Duration::from_secs(5), |pair| pair.right.messages().count() == 1);
        assert_eq!(count(&pair.left.log, |e| matches!(e, Event::Secured { .. })), 2);
        assert_eq!(count(&pair.left.log, |e| matches!(e, Event::Failed(_) | Event::Closed(_))), 0);
        if with_media {
            let (payload_type, ssrc) = sends(pair.sim.get(left), 0);
            pair.sim.send(left, &rtp(payload_type, ssrc, 1), Peer::send_rtp).expect("there are new keys");
            pair.sim.run_for(ms(20));
            assert_eq!(pair.sim.data(pair.right.node).len(), 1);
        }
    }
}

/// A restart of ICE while all is well: nothing above notices, and phases stay as they were.
#[test]
fn a_restart_in_mid_connection_is_not_noticed_above() {
    let (mut pair, channel, _) = Pair::new(8, Link::new(ms(10))).connected();
    let (left, before) = (pair.left.node, pair.sim.get(pair.left.node).phases());
    let (old, path) = {
        let agent = pair.sim.get(left).agent();
        (agent.local_credentials().ufrag.clone(), agent.selected().expect("there is one").path)
    };
    pair.sim.with(left, Peer::restart_ice);
    pair.exchange(0);
    pair.sim.with(left, |peer, now| {
        peer.send_message(now, channel, MessageKind::Text, b"meanwhile").expect("it is taken")
    });
    pair.expect("it arrives", Duration::from_secs(2), |pair| pair.right.messages().count() == 1);
    pair.expect("the new generation is in use", Duration::from_secs(5), |pair| {
        let agent = pair.sim.get(left).agent();
        !agent.uses_previous() && agent.selected().is_some_and(|selected| selected.nominated)
    });
    let peer = pair.sim.get(left);
    assert_ne!(peer.agent().local_credentials().ufrag, old);
    assert_eq!(peer.agent().selected().map(|selected| selected.path), Some(path));
    assert_eq!((peer.phases(), peer.state()), (before, ConnectionState::Connected));
    assert_eq!(states(&pair.left.log), ["connecting", "connected"]);
    assert_eq!(count(&pair.left.log, |e| matches!(e, Event::Secured { .. } | Event::DataReady)), 2);
}

#[test]
fn a_fingerprint_that_proves_nothing_is_a_failure_that_says_so() {
    let mut pair = Pair::new(9, Link::new(ms(10)));
    let (left, right) = (pair.left.node, pair.right.node);
    pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
    let offer = pair.sim.with(left, Peer::offer).expect("an offer");
    let start = offer.find("a=fingerprint:").expect("there is one");
    let end = start + offer[start..].find("\r\n").expect("the line ends");
    let weak = format!("a=fingerprint:sha-1 {}", ["AB"; 20].join(":"));
    let offer = offer.replace(&offer[start..end], &weak);
    pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Offer, &offer)).expect("it is SDP");
    let answer = pair.sim.with(right, Peer::answer).expect("an answer");
    pair.sim.with(left, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).expect("it is taken");
    pair.expect("it is refused", Duration::from_secs(5), |pair| {
        pair.right.said(&Event::Closed(Closed::Failed))
    });
    let why = pair.right.log.iter().find_map(|(_, event)| match event {
        Event::Failed(Failure::Setup(why)) => Some(*why),
        _ => None,
    });
    assert_eq!(why, Some(ConfigError::NoRemoteFingerprint));
}

#[test]
fn channels_are_bounded_before_and_after_they_can_open() {
    let mut pair = Pair::with(10, Link::new(ms(5)), |mut config| {
        config.max_channels = 3;
        config
    });
    let left = pair.left.node;
    let open = |pair: &mut Pair| {
        pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("one of them")))
    };
    let first = open(&mut pair).expect("there is room");
    for _ in 1..3 {
        open(&mut pair).expect("there is room");
    }
    assert_eq!(open(&mut pair), Err(OpenError::TooMany { limit: 3 }));
    let long = ChannelConfig::new("x".repeat(65_536));
    pair.sim.with(left, |peer, now| peer.close_channel(now, first));
    let refused = pair.sim.with(left, |peer, now| peer.open_channel(now, long));
    assert!(matches!(refused, Err(OpenError::Refused(_))), "{refused:?}");
    let again = open(&mut pair).expect("one was closed before it was open");
    pair.signal();
    pair.expect("three are open", Duration::from_secs(5), |pair| opened(pair) == [3, 3]);
    assert_eq!(open(&mut pair), Err(OpenError::TooMany { limit: 3 }));
    pair.sim.with(left, |peer, now| peer.close_channel(now, again));
    pair.expect("one closes on both sides", Duration::from_secs(5), |pair| {
        let closed = |e: &Event| matches!(e, Event::ChannelClosed { .. });
        count(&pair.right.log, closed) == 1 && count(&pair.left.log, closed) == 2
    });
    open(&mut pair).expect("there is room again");
}
