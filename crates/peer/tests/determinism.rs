//! The same seed and the same script give the same packets, and where they do not.
//!
//! DTLS draws its key pairs and signatures from the operating system, inside its library, so what is in its records
//! differs between two runs, and so do the lengths of its handshake's: a signature in DER has 70 to 72 octets. All else
//! follows from the seed: when which datagram goes where, of which protocol, every octet of STUN, and the length of each
//! record once both sides are connected, which says that SCTP does the same.

mod common;

use std::{net::SocketAddr, time::Duration};

use common::{Pair, count, ms, numbered, patient, send_numbered};
use ginnel_core::Instant;
use ginnel_netsim::{Fate, Link};
use ginnel_peer::{Event, Peer};

/// What of a datagram follows from the seed.
#[derive(Debug, PartialEq)]
struct Line {
    at: Instant,
    from: SocketAddr,
    to: SocketAddr,
    fate: Fate,
    is_dtls: bool,
    len: Option<usize>,
    stun: Vec<u8>,
}

fn run(seed: u64) -> (Vec<Line>, Vec<(Instant, String)>) {
    let link = Link::new(ms(20)).with_loss(0.1).with_jitter(ms(30)).with_duplication(0.05);
    let mut pair = Pair::with(seed, link, patient);
    pair.sim.record(1_000_000);
    let (mut pair, channel, _) = pair.connected();
    let secured = |log: &[(Instant, Event)]| {
        log.iter().find(|(_, event)| matches!(event, Event::Secured { .. })).map(|(at, _)| *at)
    };
    // A last flight of the handshake may have to be sent again for a while.
    let ready =
        secured(&pair.left.log).max(secured(&pair.right.log)).expect("both are") + Duration::from_secs(5);
    pair.sim.run_for(Duration::from_secs(10));
    let mut taken = 0;
    pair.expect("all messages arrive", Duration::from_secs(600), |pair| {
        taken = send_numbered(pair, 0, channel, taken, 300);
        pair.right.messages().count() == 300
    });
    assert!(pair.right.messages().zip(0..).all(|((_, data), n)| data == numbered(n)));
    pair.sim.with(pair.left.node, Peer::close);
    pair.sim.run_for(Duration::from_secs(1));
    pair.look();
    assert_eq!(count(&pair.left.log, |e| matches!(e, Event::Closed(_))), 1);
    let lines = pair.sim.log().map(|entry| {
        let is_dtls = matches!(entry.bytes.first(), Some(20..=63));
        Line {
            at: entry.at,
            from: entry.source,
            to: entry.destination,
            fate: entry.fate,
            is_dtls,
            len: (!is_dtls || entry.at > ready).then_some(entry.bytes.len()),
            stun: if is_dtls { Vec::new() } else { entry.bytes.clone() },
        }
    });
    let lines: Vec<_> = lines.collect();
    assert!(lines.iter().filter(|line| line.is_dtls && line.len.is_some()).count() > 300, "{}", lines.len());
    let events = pair.left.log.iter().chain(&pair.right.log);
    (lines, events.map(|(at, event)| (*at, format!("{event:?}"))).collect())
}

#[test]
fn the_same_seed_gives_the_same_packets_but_for_what_dtls_draws() {
    let (first, second) = (run(1), run(1));
    assert_eq!(first.0.len(), second.0.len());
    for (one, other) in first.0.iter().zip(&second.0) {
        assert_eq!(one, other);
    }
    assert_eq!(first.1, second.1, "and the same events at the same instants");
    assert_ne!(first.0, run(2).0, "another seed gives another run");
}
