//! Loss, duplication, reordering, small MTUs: SECURITY 61.

use super::pair::*;
use ginnel_core::Seed;
use ginnel_dtls_srtp::dtls::{Event, MIN_MTU, Versions};

const VERSIONS: [Versions; 3] = [Versions::Auto, Versions::Dtls12, Versions::Dtls13];

fn connects(what: &str, mut pair: Pair, link: &mut Link<'_>) {
    let done = pair.run_until(ms(40_000), link, Pair::both_connected);
    assert!(done, "{what}: {:?} {:?}", pair.client.events, pair.server.events);
    pair.exchange();
}

/// Each of the first twelve datagrams lost, in turn, and each pair of neighbours.
#[test]
fn sec_61_each_datagram_lost_in_turn() {
    for versions in VERSIONS {
        for lost in 0..12 {
            for span in 1..=2 {
                let mut count = 0;
                let pair = Pair::new(client_config().with_versions(versions), server_config());
                connects(&format!("{versions:?}, {lost} and {span}"), pair, &mut |_, datagram| {
                    count += 1;
                    if (lost..lost + span).contains(&(count - 1)) { Vec::new() } else { vec![datagram] }
                });
            }
        }
    }
}

/// Random loss by seed. Of half the datagrams lost, a few handshakes may run out of time: they fail with a reason.
#[test]
fn sec_61_random_loss_completes_or_fails_cleanly() {
    let (mut completed, mut failed) = (0, 0);
    for versions in VERSIONS {
        for seed in 0..20 {
            for percent in [10u8, 25, 50] {
                let mut rng = Seed::new([seed; 32]).fork("loss").into_rng();
                let mut pair = Pair::seeded(client_config().with_versions(versions), server_config(), seed);
                let done = pair.run_until(
                    ms(40_000),
                    &mut |_, datagram| {
                        let [octet] = rng.octets();
                        if octet % 100 < percent { Vec::new() } else { vec![datagram] }
                    },
                    Pair::both_connected,
                );
                if done {
                    pair.exchange();
                    completed += 1;
                } else {
                    let over = |events: &[Event]| matches!(events.last(), Some(Event::Failed(_)));
                    assert!(
                        over(&pair.client.events) || over(&pair.server.events),
                        "{versions:?} {seed} {percent}: {:?} {:?}",
                        pair.client.events,
                        pair.server.events
                    );
                    assert_eq!(
                        percent, 50,
                        "{versions:?} {seed}: {:?} {:?}",
                        pair.client.events, pair.server.events
                    );
                    failed += 1;
                }
            }
        }
    }
    assert!(failed * 10 <= completed, "{failed} of {} failed", failed + completed);
}

/// Everything twice, and every two datagrams of a burst swapped.
#[test]
fn sec_61_duplicated_and_reordered_flights() {
    for versions in VERSIONS {
        let pair = Pair::new(client_config().with_versions(versions), server_config());
        connects("twice", pair, &mut |_, datagram| vec![datagram.clone(), datagram]);
        let mut held = None;
        let mut turn = 0;
        let pair =
            Pair::new(client_config().with_versions(versions).with_mtu(300), server_config().with_mtu(300));
        connects("swapped", pair, &mut |from, datagram| {
            turn += 1;
            match held.take() {
                Some((other, earlier)) if other == from => vec![datagram, earlier],
                _ if turn % 3 == 0 => {
                    held = Some((from, datagram));
                    Vec::new()
                }
                _ => vec![datagram],
            }
        });
    }
}

/// The least MTU, alone and with loss.
#[test]
fn sec_61_least_mtu() {
    for versions in VERSIONS {
        for lost in [usize::MAX, 3, 7] {
            let pair = Pair::new(
                client_config().with_versions(versions).with_mtu(MIN_MTU),
                server_config().with_mtu(MIN_MTU),
            );
            let mut count = 0;
            connects(&format!("{versions:?} {lost}"), pair, &mut |_, datagram| {
                count += 1;
                if count == lost { Vec::new() } else { vec![datagram] }
            });
        }
    }
}

/// Data that overtakes the peer's last flight is kept until that flight is there.
#[test]
fn data_that_overtakes_the_handshake_is_kept() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let mut pair =
            Pair::new(client_config().with_versions(versions), server_config().with_versions(versions));
        let mut held = Vec::new();
        // The first side to be connected sends at once, and the flight before it comes late.
        let first_is_client = versions == Versions::Dtls13;
        pair.run_until(
            ms(2_000),
            &mut |from, datagram| {
                let last_flight = (from == From::Client) == first_is_client;
                if last_flight && is_last_flight(versions, &datagram) {
                    held.push(datagram);
                    return Vec::new();
                }
                vec![datagram]
            },
            |pair| if first_is_client { pair.client.connected() } else { pair.server.connected() },
        );
        let now = pair.now;
        let (first, second) = if first_is_client {
            (&mut pair.client, &mut pair.server)
        } else {
            (&mut pair.server, &mut pair.client)
        };
        let records: Vec<_> = [b"one", b"two"].map(|data| first.record(now, data)).into();
        for record in &records {
            let _ = second.receive(now, record);
        }
        assert_eq!((second.data.len(), second.connected()), (0, false), "{versions:?}");
        assert_eq!(second.endpoint.stats().early_kept, 2);
        for datagram in &held {
            let _ = second.receive(now, datagram);
        }
        second.settle(now);
        assert!(second.connected(), "{versions:?}");
        assert_eq!(second.data, [b"one", b"two"], "{versions:?}");
    }
}
/// The flight that ends the handshake for its receiver: in 1.2 the server's ChangeCipherSpec and Finished, in 1.3 the client's
/// protected handshake records.
fn is_last_flight(versions: Versions, datagram: &[u8]) -> bool {
    match versions {
        Versions::Dtls12 => datagram[0] == 20,
        _ => datagram[0] & 0b1110_0011 == 0b0010_0010,
    }
}

/// More than is kept: the oldest go, and are counted.
#[test]
fn early_data_is_bounded() {
    let mut pair = Pair::new(client_config(), server_config());
    pair.run(ms(10), &mut clean);
    for n in 0..20u8 {
        let _ = pair.server.receive(pair.now, &[0x2F, 0, n, 0, 4, 1, 2, 3, 4]);
    }
    let stats = pair.server.endpoint.stats();
    assert_eq!((stats.early_kept, stats.early_dropped), (20, 12));
    assert!(pair.run_until(ms(2_000), &mut clean, Pair::both_connected), "and it did no harm");
    pair.exchange();
}
