//! Whatever is thrown at a connected peer changes nothing but counters.

mod common;

use std::time::Duration;

use common::{Pair, ms, rtcp, rtp, sends};
use ginnel_core::{Path, Rng, Seed};
use ginnel_netsim::Link;
use ginnel_peer::{ConnectionState, Event, MessageKind, Peer};
use ginnel_sdp::{attribute::Direction, jsep::MediaKind};

/// How many datagrams: half random, half real traffic with a few octets changed: STUN, DTLS, SRTP and SRTCP.
const DATAGRAMS: usize = 100_000;

fn random(rng: &mut Rng) -> Vec<u8> {
    let mut octets = vec![0; rng.below(1_400) as usize];
    rng.fill(&mut octets);
    octets
}

/// One of `real` with up to eight octets changed, and now and then cut short or made longer.
fn mutated(rng: &mut Rng, real: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = real[rng.below(real.len() as u64) as usize].clone();
    for _ in 0..1 + rng.below(8) {
        let at = rng.below(octets.len() as u64) as usize;
        octets[at] ^= 1 << rng.below(8);
    }
    match rng.below(8) {
        0 => octets.truncate(rng.below(octets.len() as u64) as usize),
        1 => octets.extend(random(rng).into_iter().take(64)),
        _ => {}
    }
    octets
}

#[test]
fn a_hundred_thousand_datagrams_change_nothing_but_counters() {
    let mut pair = Pair::new(11, Link::new(ms(1)));
    pair.sim.record(2_000);
    pair.sim.with(pair.left.node, |peer, _| {
        peer.add_transceiver(MediaKind::Audio, Direction::SendRecv).expect("there is room")
    });
    let (mut pair, ours, theirs) = pair.connected();
    let (left, right) = (pair.left.node, pair.right.node);
    let (payload_type, ssrc) = sends(pair.sim.get(left), 0);
    for n in 0..50u8 {
        pair.sim.with(left, |peer, now| {
            peer.send_message(now, ours, MessageKind::Binary, &[n; 300]).expect("it is taken");
        });
        pair.sim.send(left, &rtp(payload_type, ssrc, n.into()), Peer::send_rtp).expect("it is sent");
        pair.sim.send(left, &rtcp(ssrc), Peer::send_rtcp).expect("it is sent");
        pair.sim.run_for(ms(20));
    }
    assert_eq!(pair.sim.data(right).len(), 100, "media arrives");
    let path = pair.sim.get(right).agent().selected().expect("there is a path").path;
    let (to, from) = (path.local, path.remote);
    let real: Vec<Vec<u8>> =
        pair.sim.log().filter(|entry| entry.destination == to).map(|entry| entry.bytes.clone()).collect();
    assert!(real.len() > 50, "only {} datagrams of real traffic", real.len());
    pair.look();
    let events_before = pair.right.log.len();

    let mut rng = Seed::new([9; 32]).into_rng();
    for n in 0..DATAGRAMS {
        let octets = if n % 2 == 0 { random(&mut rng) } else { mutated(&mut rng, &real) };
        // As if from the peer, from a stranger, and from the peer's host.
        let remote = match n % 3 {
            0 => "203.0.113.9:9".parse().expect("an address"),
            1 => (from.ip(), 9).into(),
            _ => from,
        };
        pair.sim.inject(Path::udp(to, remote).reversed(), &octets);
        if n % 1_000 == 999 {
            pair.sim.run_for(ms(1));
        }
    }
    pair.sim.run_for(Duration::from_secs(10));
    pair.look();
    let said: Vec<_> = pair.right.log[events_before..].iter().map(|(_, event)| event).collect();
    assert!(said.is_empty(), "{said:?}");
    assert!(pair.sim.data(right).is_empty(), "nothing that was changed is media");
    let peer = pair.sim.get(right);
    assert_eq!(peer.state(), ConnectionState::Connected);
    assert_eq!(peer.agent().selected().map(|pair| pair.path), Some(path));
    assert_eq!(peer.agent().pairs().len(), 1, "{:#?}", peer.agent().pairs());

    // And everything still works, both ways.
    pair.sim.with(left, |peer, now| {
        peer.send_message(now, ours, MessageKind::Text, b"still there?").expect("taken")
    });
    pair.sim
        .with(right, |peer, now| peer.send_message(now, theirs, MessageKind::Text, b"yes").expect("taken"));
    pair.expect("messages", Duration::from_secs(5), |pair| {
        let last = |side: &common::Side| side.messages().last().map(|(_, data)| data.to_vec());
        last(&pair.right) == Some(b"still there?".to_vec()) && last(&pair.left) == Some(b"yes".to_vec())
    });
    assert!(!pair.right.log.iter().any(|(_, event)| matches!(event, Event::Failed(_) | Event::Closed(_))));
}
