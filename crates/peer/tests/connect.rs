//! Two peers find each other, talk, and part.

mod common;

use std::time::Duration;

use common::{Pair, certificate, count, ms, states};
use ginnel_core::Instant;
use ginnel_dtls_srtp::dtls::{Version, Versions};
use ginnel_netsim::Link;
use ginnel_peer::{
    ChannelConfig, Closed, ConnectionState, Event, Failure, MessageKind, Peer, PeerConfig, Reliability,
    SdpType,
};

#[test]
fn a_channel_opens_and_carries_messages_both_ways() {
    let (mut pair, ours, theirs) = Pair::new(1, Link::new(ms(10))).connected();
    let (left, right) = (pair.left.node, pair.right.node);
    let big = vec![7; 200_000];
    pair.sim.with(left, |peer, now| {
        peer.send_message(now, ours, MessageKind::Text, "hello".as_bytes()).expect("it is taken");
        peer.send_message(now, ours, MessageKind::Binary, &[]).expect("an empty one too");
        peer.send_message(now, ours, MessageKind::Binary, &big).expect("a big one too");
    });
    pair.sim.with(right, |peer, now| {
        peer.send_message(now, theirs, MessageKind::Text, b"and you").expect("taken")
    });
    pair.expect("all messages", Duration::from_secs(5), |pair| {
        pair.right.messages().count() == 3 && pair.left.messages().count() == 1
    });
    let received: Vec<_> = pair.right.messages().collect();
    assert_eq!(received[0], (MessageKind::Text, &b"hello"[..]));
    assert_eq!(received[1], (MessageKind::Binary, &b""[..]));
    assert_eq!(received[2], (MessageKind::Binary, &big[..]));
    assert_eq!(states(&pair.left.log), ["connecting", "connected"]);
    assert_eq!(states(&pair.right.log), ["connecting", "connected"]);
}

#[test]
fn phases_follow_each_other_within_the_round_trips_they_need() {
    let (pair, ..) = Pair::new(2, Link::new(ms(100))).connected();
    let phases = pair.sim.get(pair.right.node).phases();
    let at = |instant: Option<Instant>| instant.expect("the phase is done").since_epoch();
    let (started, ice, dtls, sctp) = (at(phases.started), at(phases.ice), at(phases.dtls), at(phases.sctp));
    assert!(started <= ice && ice < dtls && dtls < sctp, "{phases:?}");
    // A check takes one round trip of 200 ms. The right side is the DTLS client: two more for DTLS 1.3 with its
    // certificates in both directions, and two for SCTP.
    assert!(ice - started <= ms(450), "{phases:?}");
    assert!(dtls - ice <= ms(650), "{phases:?}");
    assert!(sctp - dtls <= ms(450), "{phases:?}");
}

#[test]
fn channels_opened_before_and_after_by_either_side() {
    let mut pair = Pair::new(3, Link::new(ms(5)));
    let (left, right) = (pair.left.node, pair.right.node);
    pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("first")).expect("opens"));
    // The answerer may want channels too before anything is connected.
    pair.sim.with(right, |peer, now| peer.open_channel(now, ChannelConfig::new("second")).expect("opens"));
    pair.signal();
    pair.expect("two channels on both sides", Duration::from_secs(5), |pair| {
        [&pair.left, &pair.right]
            .iter()
            .all(|s| count(&s.log, |e| matches!(e, Event::ChannelOpened { .. })) == 2)
    });
    let unordered =
        ChannelConfig::new("third").with_ordered(false).with_reliability(Reliability::MaxRetransmits(0));
    let third = pair.sim.with(left, |peer, now| peer.open_channel(now, unordered.clone()).expect("opens"));
    pair.expect("the third", Duration::from_secs(5), |pair| {
        pair.right
            .log
            .iter()
            .any(|(_, e)| matches!(e, Event::ChannelOpened { config, .. } if *config == unordered))
    });
    pair.sim.with(left, |peer, now| peer.close_channel(now, third));
    pair.expect("it closes on both sides", Duration::from_secs(5), |pair| {
        [&pair.left, &pair.right]
            .iter()
            .all(|s| count(&s.log, |e| matches!(e, Event::ChannelClosed { .. })) == 1)
    });
}

#[test]
fn every_version_of_dtls_is_agreed_on_as_configured() {
    for (left, right, agreed) in [
        (Versions::Auto, Versions::Auto, Version::Dtls13),
        (Versions::Dtls12, Versions::Auto, Version::Dtls12),
        (Versions::Auto, Versions::Dtls12, Version::Dtls12),
        (Versions::Dtls13, Versions::Dtls13, Version::Dtls13),
    ] {
        let versions = [left, right];
        let pair = Pair::with_each(4, Link::new(ms(5)), |of, config| config.with_versions(versions[of]));
        let (pair, ..) = pair.connected();
        let secured = |e: &Event| matches!(e, Event::Secured { version, profile: Some(_) | None } if *version == agreed);
        assert_eq!(count(&pair.left.log, secured), 1, "{left:?} and {right:?}");
        assert_eq!(count(&pair.right.log, secured), 1, "{left:?} and {right:?}");
    }
}

#[test]
fn closing_is_noticed_at_once() {
    let (mut pair, ..) = Pair::new(5, Link::new(ms(10))).connected();
    let left = pair.left.node;
    pair.sim.with(left, Peer::close);
    pair.expect("the other side knows after one trip", ms(50), |pair| {
        pair.right.said(&Event::Closed(Closed::Remote))
    });
    assert!(pair.left.said(&Event::Closed(Closed::Local)));
    assert!(pair.sim.get(pair.left.node).is_closed());
    assert!(pair.sim.get(pair.right.node).is_closed());
    assert_eq!(pair.left.log.last().map(|(_, event)| event), Some(&Event::Closed(Closed::Local)));
    assert_eq!(pair.right.log.last().map(|(_, event)| event), Some(&Event::Closed(Closed::Remote)));
}

#[test]
fn a_peer_that_dies_is_noticed_by_consent() {
    let (mut pair, ..) = Pair::new(6, Link::new(ms(10))).connected();
    let (left, died) = (pair.left.node, pair.sim.now());
    pair.sim.kill(left);
    pair.expect("half a minute later the other side gives it up", Duration::from_secs(40), |pair| {
        pair.right.said(&Event::State(ConnectionState::Failed))
    });
    let took = pair.sim.now().saturating_since(died);
    assert!(took >= Duration::from_secs(24) && took <= Duration::from_secs(31), "after {took:?}");
    assert!(pair.right.said(&Event::State(ConnectionState::Disconnected)), "there was a warning before");
    let why =
        |e: &Event| matches!(e, Event::Failed(Failure::Ice(ginnel_ice::FailureReason::ConsentExpired(30))));
    assert_eq!(count(&pair.right.log, why), 1);
}

/// SECURITY.md 51: nothing of the upper layers begins with someone who is not whom the description promised.
#[test]
fn sec_51_another_certificate_than_described_is_refused_in_both_roles() {
    for impostor in [0, 1] {
        let mut pair = Pair::new(7, Link::new(ms(5)));
        let (left, right) = (pair.left.node, pair.right.node);
        pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
        pair.look();
        // Signalling is tampered with: the fingerprint of one side is replaced by the other's own.
        let swap = |sdp: String, from: usize| -> String {
            let hash = ginnel_dtls_srtp::dtls::HashFunction::Sha256;
            let (real, other) =
                (certificate(from).fingerprint(hash), certificate(1 - from).fingerprint(hash));
            let swapped = sdp.replace(&real.to_string(), &other.to_string());
            assert_ne!(swapped, sdp);
            swapped
        };
        let mut offer = pair.sim.with(left, Peer::offer).expect("an offer");
        if impostor == 0 {
            offer = swap(offer, 0);
        }
        pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Offer, &offer)).expect("it is taken");
        let mut answer = pair.sim.with(right, Peer::answer).expect("an answer");
        if impostor == 1 {
            answer = swap(answer, 1);
        }
        pair.sim.with(left, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).expect("it is taken");
        let deceived = 1 - impostor;
        pair.expect("the deceived side refuses", Duration::from_secs(10), |pair| {
            let mismatch = |e: &Event| {
                let reason = ginnel_dtls_srtp::dtls::FailureReason::FingerprintMismatch;
                *e == Event::Failed(Failure::Dtls(reason))
            };
            count(&pair.side(deceived).log, mismatch) == 1
        });
        let log = &pair.side(deceived).log;
        assert_eq!(count(log, |e| matches!(e, Event::Secured { .. } | Event::DataReady)), 0, "{log:#?}");
        assert_eq!(log.last().map(|(_, e)| e), Some(&Event::Closed(Closed::Failed)));
        assert_eq!(states(log), ["connecting", "failed", "closed"]);
    }
}

#[test]
fn without_trickling_descriptions_carry_every_candidate() {
    let mut pair = Pair::with(8, Link::new(ms(5)), |config: PeerConfig| config.with_trickle(false));
    let (left, right) = (pair.left.node, pair.right.node);
    pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
    pair.sim.run_for(ms(1));
    let offer = pair.sim.with(left, Peer::offer).expect("an offer");
    assert!(offer.contains("a=candidate:") && offer.contains("a=end-of-candidates"), "{offer}");
    assert!(!offer.contains("trickle"), "{offer}");
    pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Offer, &offer)).expect("it is taken");
    let answer = pair.sim.with(right, Peer::answer).expect("an answer");
    pair.sim.with(left, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).expect("it is taken");
    // Nothing else is signalled.
    let opened = pair.sim.run_until(Duration::from_secs(2), |sim| {
        sim.events(right).iter().any(|e| matches!(e, Event::ChannelOpened { .. }))
    });
    assert!(opened, "{}", pair.sim.reproduce());
}

#[test]
fn no_path_ends_in_a_failure_that_says_so() {
    let mut pair = Pair::new(9, Link::new(ms(5)));
    pair.sim.cut(pair.left.host, pair.right.host);
    let left = pair.left.node;
    pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")).expect("opens"));
    pair.signal();
    pair.expect("both give up", Duration::from_secs(70), |pair| {
        pair.left.said(&Event::State(ConnectionState::Failed))
            && pair.right.said(&Event::State(ConnectionState::Failed))
    });
    let reason = pair.left.log.iter().find_map(|(_, event)| match event {
        Event::Failed(failure) => Some(failure.to_string()),
        _ => None,
    });
    assert!(reason.as_deref().is_some_and(|r| r.starts_with("no path to the peer: ")), "{reason:?}");
}
