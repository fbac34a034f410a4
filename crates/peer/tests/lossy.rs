//! A network that loses a third of everything, and an interruption that outlasts consent.

mod common;

use std::time::Duration;

use common::{Pair, count, ms, numbered, patient, seeds, send_numbered};
use ginnel_core::Instant;
use ginnel_netsim::{Link, NodeId};
use ginnel_peer::{
    ChannelConfig, ChannelId, ConnectionState, Event, Failure, MessageKind, Peer, PeerConfig, SdpType,
};

fn dreadful() -> Link {
    Link::new(ms(20)).with_loss(0.3).with_jitter(ms(100)).with_duplication(0.05)
}

/// All messages of 0 to `messages`, in order, each as it was sent.
#[track_caller]
fn assert_complete(pair: &Pair, messages: u32) {
    let received: Vec<_> = pair.right.messages().collect();
    assert_eq!(received.len(), messages as usize, "{}", pair.sim.reproduce());
    for (n, (kind, data)) in received.into_iter().enumerate() {
        assert_eq!(kind, MessageKind::Binary);
        assert_eq!(data, numbered(n as u32), "message {n}; {}", pair.sim.reproduce());
    }
}

#[test]
fn a_thousand_messages_in_order_at_thirty_per_cent_loss_seeds() {
    for seed in seeds(5) {
        let (mut pair, channel, _) = Pair::with(seed, dreadful(), patient).connected();
        let mut taken = 0;
        pair.expect("all messages arrive", Duration::from_secs(1_800), |pair| {
            taken = send_numbered(pair, 0, channel, taken, 1_000);
            pair.right.messages().count() == 1_000
        });
        assert_complete(&pair, 1_000);
        // At that very moment some checks of consent may have been lost, and it is to last longer than that.
        for node in [pair.left.node, pair.right.node] {
            let state = pair.sim.get(node).state();
            let lives = matches!(state, ConnectionState::Connected | ConnectionState::Disconnected);
            assert!(lives, "{state}; {}", pair.sim.reproduce());
        }
        let failed =
            |e: &Event| matches!(e, Event::Failed(_) | Event::Closed(_) | Event::ChannelClosed { .. });
        assert_eq!(count(&pair.left.log, failed) + count(&pair.right.log, failed), 0);
    }
}

/// The path is gone for longer than consent lasts. Expiry is a clean event; a restart of ICE resumes the channel, and
/// what was accepted for sending arrives, once and in order.
#[test]
fn a_restart_resumes_the_channel_after_consent_expired_seeds() {
    for seed in seeds(3) {
        let (mut pair, channel, _) = Pair::new(seed, Link::new(ms(20))).connected();
        let mut taken = send_numbered(&mut pair, 0, channel, 0, 200);
        pair.sim.run_for(ms(30)); // some have arrived, some are on their way
        pair.sim.cut(pair.left.host, pair.right.host);
        pair.expect("both sides say that consent has expired", Duration::from_secs(60), |pair| {
            [&pair.left, &pair.right].iter().all(|side| side.said(&Event::State(ConnectionState::Failed)))
        });
        for side in [&pair.left, &pair.right] {
            let expired = |e: &Event| {
                matches!(e, Event::Failed(Failure::Ice(ginnel_ice::FailureReason::ConsentExpired(_))))
            };
            assert_eq!(count(&side.log, expired), 1, "{:#?}", side.log);
            assert_eq!(count(&side.log, |e| matches!(e, Event::ChannelClosed { .. } | Event::Closed(_))), 0);
        }
        // More is accepted while there is no path.
        taken = send_numbered(&mut pair, 0, channel, taken, 300);
        pair.sim.run_for(Duration::from_secs(60));
        pair.sim.restore(pair.left.host, pair.right.host);
        restart(&mut pair);
        pair.expect("all messages arrive", Duration::from_secs(60), |pair| {
            taken = send_numbered(pair, 0, channel, taken, 300);
            pair.right.messages().count() >= 300
        });
        pair.sim.run_for(Duration::from_secs(5));
        pair.look();
        assert_complete(&pair, 300);
        assert_eq!(pair.sim.get(pair.left.node).state(), ConnectionState::Connected);
        assert_eq!(
            count(&pair.left.log, |e| matches!(e, Event::Secured { .. })),
            1,
            "DTLS was not done again"
        );
    }
}

fn restart(pair: &mut Pair) {
    let (left, right) = (pair.left.node, pair.right.node);
    pair.sim.with(left, Peer::restart_ice);
    pair.gather(0);
    let offer = pair.sim.with(left, Peer::offer).expect("an offer");
    pair.sim.with(right, |peer, now| peer.set_remote(now, SdpType::Offer, &offer)).expect("it is taken");
    let answer = pair.sim.with(right, Peer::answer).expect("an answer");
    pair.gather(1);
    pair.sim.with(left, |peer, now| peer.set_remote(now, SdpType::Answer, &answer)).expect("it is taken");
}

/// Restarts ICE whenever it has failed, and not more than every five seconds.
#[derive(Default)]
struct Mender {
    restarts: u32,
    last: Instant,
}

impl Mender {
    fn look(&mut self, pair: &mut Pair) {
        let failed = |node: NodeId<Peer>| pair.sim.get(node).state() == ConnectionState::Failed;
        let settled = pair.sim.now().saturating_since(self.last) > Duration::from_secs(5);
        if settled && (failed(pair.left.node) || failed(pair.right.node)) {
            self.restarts += 1;
            self.last = pair.sim.now();
            restart(pair);
        }
    }
}

/// Consent may expire even before the channel is open.
fn connected_somehow(mut pair: Pair) -> (Pair, ChannelId, Mender) {
    let left = pair.left.node;
    let channel = pair.sim.with(left, |peer, now| peer.open_channel(now, ChannelConfig::new("chat")));
    let mut mender = Mender::default();
    pair.signal();
    pair.expect("both ends open", Duration::from_secs(600), |pair| {
        mender.look(pair);
        pair.left.opened().is_some() && pair.right.opened().is_some()
    });
    (pair, channel.expect("a channel can be opened"), mender)
}

/// At such loss six consent checks in a row go unanswered now and then: with the default that is a clean end, and a
/// restart mends it.
#[test]
fn with_default_consent_an_expiry_at_high_loss_is_mended_by_a_restart_seeds() {
    for seed in seeds(3) {
        let handshake_may_last = |config: PeerConfig| config.with_dtls_timeout(Duration::from_secs(600));
        let (mut pair, channel, mut mender) =
            connected_somehow(Pair::with(seed, dreadful(), handshake_may_last));
        let mut taken = 0;
        pair.expect("all messages arrive", Duration::from_secs(3_600), |pair| {
            taken = send_numbered(pair, 0, channel, taken, 1_000);
            mender.look(pair);
            pair.right.messages().count() == 1_000
        });
        assert_complete(&pair, 1_000);
        assert!(mender.restarts < 100, "seed {seed}: {} restarts", mender.restarts);
    }
}
