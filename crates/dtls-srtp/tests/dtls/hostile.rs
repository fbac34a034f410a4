//! Records that an attacker, or a bad network, may send: SECURITY 52 to 60 as far as they live here. What the library owns is
//! tested through it.

use super::pair::*;
use ginnel_core::{Handled, Instant, Seed};
use ginnel_dtls_srtp::dtls::{Event, FailureReason, Versions};

const VERSIONS: [Versions; 2] = [Versions::Dtls12, Versions::Dtls13];

fn connected(versions: Versions) -> Pair {
    let mut pair =
        Pair::new(client_config().with_versions(versions), server_config().with_versions(versions));
    assert!(pair.run_until(ms(2_000), &mut clean, Pair::both_connected));
    pair.run(ms(500), &mut clean);
    pair
}
/// A record in the clear.
fn clear_record(kind: u8, epoch: u16, sequence: u8, content: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 254, 253];
    record.extend(epoch.to_be_bytes());
    record.extend([0, 0, 0, 0, 0, sequence]);
    record.extend((content.len() as u16).to_be_bytes());
    record.extend(content);
    record
}

/// SECURITY 52.
#[test]
fn sec_52_application_data_of_epoch_0() {
    let forged = clear_record(23, 0, 77, b"forged");
    for versions in VERSIONS {
        let mut pair =
            Pair::new(client_config().with_versions(versions), server_config().with_versions(versions));
        for step in 0..6 {
            let now = pair.now;
            let _ = pair.client.receive(now, &forged);
            let _ = pair.server.receive(now, &forged);
            pair.run(ms(50 + step), &mut clean);
        }
        assert!(pair.both_connected(), "{versions:?}: {:?} {:?}", pair.client.events, pair.server.events);
        let now = pair.now;
        let _ = pair.client.receive(now, &forged);
        let _ = pair.server.receive(now, &forged);
        assert_eq!(pair.client.data.len() + pair.server.data.len(), 0);
        pair.exchange();
    }
}

/// SECURITY 54: fragments that lie about themselves. The real handshake completes, and memory is bounded by what is kept.
#[test]
fn sec_54_fragments_that_lie() {
    let fragment = |length: u32, seq: u16, offset: u32, len: u32, body: &[u8]| {
        let mut message = vec![1];
        message.extend(&length.to_be_bytes()[1..]);
        message.extend(seq.to_be_bytes());
        message.extend(&offset.to_be_bytes()[1..]);
        message.extend(&len.to_be_bytes()[1..]);
        message.extend(body);
        message
    };
    let hostile = [
        fragment(100, 0, 0, 0, &[]),
        fragment(0, 0, 0, 0, &[]),
        fragment(100, 0, 90, 20, &[1; 20]),
        fragment(0xFF_FFFF, 0, 0, 50, &[1; 50]),
        fragment(0xFF_FFFF, 0, 0xFF_FFF0, 0xFF_FFFF, &[1; 50]),
        fragment(100, 5, 0, 50, &[1; 50]),
        fragment(10, 0, 0, 20, &[1; 5]),
    ];
    for versions in [Versions::Auto, Versions::Dtls12, Versions::Dtls13] {
        for (i, message) in hostile.iter().enumerate() {
            let mut pair = Pair::new(client_config(), server_config().with_versions(versions));
            for sequence in 0..40 {
                let _ = pair.server.receive(start(), &clear_record(22, 0, 100 + sequence, message));
            }
            pair.run(ms(40_000), &mut clean);
            let ended = |events: &[Event]| matches!(events, [Event::Connected { .. }] | [Event::Failed(_)]);
            // What shares the number of the real ClientHello may spoil it: then it ends, with a reason.
            assert!(
                pair.both_connected() || ended(&pair.server.events) || ended(&pair.client.events),
                "{versions:?} {i}: {:?} {:?}",
                pair.client.events,
                pair.server.events
            );
        }
    }
}

/// SECURITY 56: the server's first flight cut at every octet.
#[test]
fn sec_56_flights_cut_at_every_octet() {
    for versions in [Versions::Auto, Versions::Dtls12, Versions::Dtls13] {
        for cookie in [true, false] {
            let config = server_config().with_versions(versions).with_cookie(cookie);
            let mut pair = Pair::new(client_config().with_versions(versions), config);
            let hello = pair.client.settle(start()).concat();
            let _ = pair.server.receive(start(), &hello);
            let flight = pair.server.settle(start());
            assert!(!flight.is_empty());
            for datagram in flight {
                for len in 0..datagram.len() {
                    let mut fresh = Pair::new(client_config().with_versions(versions), server_config());
                    fresh.client.settle(start());
                    let _ = fresh.client.receive(start(), &datagram[..len]);
                    fresh.client.settle(start());
                    assert!(!fresh.client.connected());
                }
            }
        }
    }
}

/// Octets by seed, led by each content type, before, during and after the handshake.
#[test]
fn garbage_harms_nobody() {
    for versions in VERSIONS {
        for seed in 0..10 {
            let mut rng = Seed::new([seed; 32]).fork("garbage").into_rng();
            let mut pair = Pair::seeded(client_config(), server_config().with_versions(versions), seed);
            let mut spray = |pair: &mut Pair, count: usize| {
                for _ in 0..count {
                    let octets: [u8; 64] = rng.octets();
                    let [kind, len] = rng.octets();
                    let kinds = [20, 21, 22, 23, 24, 25, 26, 0x2C, 0x2E, 0x2F, 0x3F];
                    let mut datagram = vec![kinds[usize::from(kind) % kinds.len()]];
                    datagram.extend(&octets[..usize::from(len) % 64]);
                    let now = pair.now;
                    let _ = pair.client.receive(now, &datagram);
                    let _ = pair.server.receive(now, &datagram);
                }
            };
            for _ in 0..4 {
                spray(&mut pair, 20);
                pair.run(ms(50), &mut clean);
            }
            assert!(
                pair.run_until(ms(20_000), &mut clean, Pair::both_connected),
                "{versions:?} {seed}: {:?} {:?}",
                pair.client.events,
                pair.server.events
            );
            spray(&mut pair, 500);
            pair.exchange();
        }
    }
}

/// SECURITY 57: every record of a real handshake again, out of turn, to the wrong side.
#[test]
fn sec_57_messages_out_of_turn() {
    for versions in VERSIONS {
        let done = connected(versions);
        let (from_client, from_server) = (done.client.sent.clone(), done.server.sent.clone());
        for skip in 0..from_server.len() {
            let mut client = Pair::new(client_config().with_versions(versions), server_config()).client;
            client.settle(start());
            for (i, datagram) in from_server.iter().enumerate() {
                if i != skip {
                    let _ = client.receive(start(), datagram);
                }
            }
            client.settle(start());
            assert!(!client.connected(), "another client's flight is not mine");
        }
        let mut server = Pair::new(client_config(), server_config().with_versions(versions)).server;
        for datagram in from_client.iter().rev().chain(&from_client) {
            let _ = server.receive(start(), datagram);
            server.settle(start());
        }
        assert!(!server.connected());
        let mut early = Pair::new(client_config().with_versions(versions), server_config()).client;
        early.settle(start());
        let _ = early.receive(start(), &clear_record(20, 0, 0, &[1]));
        early.settle(start());
        assert!(!early.connected(), "a ChangeCipherSpec changes nothing by itself");
    }
}

/// SECURITY 59: a record again, an old one, and a thousand with a bad tag.
#[test]
fn sec_59_replays_and_forgeries() {
    for versions in VERSIONS {
        let mut pair = connected(versions);
        let now = pair.now;
        let records: Vec<_> = (0..100u8).map(|n| pair.client.record(now, &[n; 10])).collect();
        for record in &records[1..] {
            assert_eq!(pair.server.receive(now, record), Handled::Data(()));
            assert_eq!(pair.server.receive(now, record), Handled::Consumed, "{versions:?}: a replay");
        }
        assert_eq!(
            pair.server.receive(now, &records[0]),
            Handled::Consumed,
            "{versions:?}: 99 behind the newest"
        );
        let good = pair.client.record(now, b"good");
        for n in 0..1_000usize {
            let mut bad = good.clone();
            let last = bad.len() - 1 - n % 16;
            bad[last] ^= 1 + (n / 16) as u8;
            assert_eq!(pair.server.receive(now, &bad), Handled::Consumed);
        }
        assert_eq!(
            pair.server.receive(now, &good),
            Handled::Data(()),
            "{versions:?}: forgeries do not move the window"
        );
        assert_eq!(pair.server.data.len(), 100);
        pair.exchange();
    }
}

/// SECURITY 60, as far as it shows on the wire: no record number twice in 20,000 records.
#[test]
fn sec_60_record_numbers_are_unique() {
    let mut pair = connected(Versions::Dtls12);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20_000 {
        let record = pair.client.record(start(), b"same");
        let number: Vec<u8> = record[3..11].iter().chain(&record[13..21]).copied().collect();
        assert!(seen.insert(number), "epoch, number and explicit nonce");
    }
}

/// Several records in one datagram: the first is returned, the others polled.
#[test]
fn several_records_in_a_datagram() {
    for versions in VERSIONS {
        let mut pair = connected(versions);
        let now = pair.now;
        let datagram: Vec<u8> = (0..5u8).flat_map(|n| pair.client.record(now, &[n; 3])).collect();
        assert_eq!(pair.server.receive(now, &datagram), Handled::Data(()));
        let expected: Vec<_> = (0..5u8).map(|n| vec![n; 3]).collect();
        assert_eq!(pair.server.data, expected, "{versions:?}");
    }
}

/// Datagrams longer than any network delivers are not given to a handshake; a connected endpoint takes them.
#[test]
fn giant_datagrams() {
    let mut pair = Pair::new(client_config(), server_config());
    let mut giant = clear_record(22, 0, 0, &[1; 2_040]);
    giant.resize(3_000, 0);
    assert_eq!(pair.server.receive(start(), &giant), Handled::Consumed);
    assert_eq!(pair.server.endpoint.stats().ignored, 1);
    assert!(pair.run_until(ms(2_000), &mut clean, Pair::both_connected));
    let now = pair.now;
    let records: Vec<u8> = (0..3u8).flat_map(|n| pair.client.record(now, &[n; 1_100])).collect();
    assert_eq!(pair.server.receive(now, &records), Handled::Data(()));
    assert_eq!(pair.server.data.len(), 3);
}

#[test]
fn what_is_not_dtls_is_foreign_and_untouched() {
    let mut pair = Pair::connected();
    for first in (0u8..20).chain(64..=255) {
        assert_eq!(pair.client.receive(start(), &[first, 1, 2, 3]), Handled::Foreign);
    }
    assert_eq!(pair.client.receive(Instant::EPOCH, &[]), Handled::Foreign);
    pair.exchange();
}

/// SECURITY 55: the client's CertificateVerify, which DTLS 1.2 sends in the clear, missing or with another signature.
#[test]
fn sec_55_client_without_proof_of_its_key() {
    for forge in [false, true] {
        let mut pair = Pair::new(client_config().with_versions(Versions::Dtls12), server_config());
        let mut met = 0;
        pair.run(ms(40_000), &mut |from, datagram| {
            let mut out = Vec::new();
            let mut rest = &datagram[..];
            while from == From::Client && rest.len() > 13 {
                let len = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
                let (record, behind) = rest.split_at(len);
                rest = behind;
                let mut record = record.to_vec();
                if record[0] == 22 && record[3..5] == [0, 0] && record[13] == 15 {
                    met += 1;
                    if !forge {
                        continue;
                    }
                    *record.last_mut().unwrap() ^= 1;
                }
                out.extend(record);
            }
            if from == From::Client { vec![out] } else { vec![datagram] }
        });
        assert!(met > 0, "there was one");
        assert!(!pair.server.connected() && !pair.client.connected());
        assert!(pair.server.endpoint.take_media_keys().is_none());
        let expected = if forge { FailureReason::HandshakeForged } else { FailureReason::TimedOut };
        assert_eq!(pair.server.events, [Event::Failed(expected)]);
    }
}
