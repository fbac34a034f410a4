//! Ends: polite, simultaneous, by alert.

use super::pair::*;
use ginnel_core::{Buffer, Handled, Packet};
use ginnel_dtls_srtp::dtls::{CloseReason, Event, FailureReason, SendError, Versions};

const VERSIONS: [Versions; 2] = [Versions::Dtls12, Versions::Dtls13];
const LOCAL: Event = Event::Closed { reason: CloseReason::Local };
const REMOTE: Event = Event::Closed { reason: CloseReason::Remote };

fn connected(versions: Versions) -> Pair {
    let mut pair =
        Pair::new(client_config().with_versions(versions), server_config().with_versions(versions));
    assert!(pair.run_until(ms(2_000), &mut clean, Pair::both_connected));
    pair.run(ms(500), &mut clean);
    pair
}

#[test]
fn close_notify_both_ways() {
    for versions in VERSIONS {
        for by_client in [true, false] {
            let mut pair = connected(versions);
            let now = pair.now;
            if by_client { &mut pair.client } else { &mut pair.server }.endpoint.close(now);
            pair.run(ms(1_000), &mut clean);
            let (closer, other) =
                if by_client { (&pair.client, &pair.server) } else { (&pair.server, &pair.client) };
            assert_eq!(closer.events[1..], [LOCAL], "{versions:?}");
            assert_eq!(other.events[1..], [REMOTE], "{versions:?}");
            assert!(closer.endpoint.is_closed() && other.endpoint.is_closed());
        }
    }
}

#[test]
fn both_close_at_once() {
    for versions in VERSIONS {
        let mut pair = connected(versions);
        let now = pair.now;
        pair.client.endpoint.close(now);
        pair.server.endpoint.close(now);
        pair.run(ms(1_000), &mut clean);
        for side in [&pair.client, &pair.server] {
            assert_eq!(side.events[1..], [LOCAL], "{versions:?}");
            assert!(side.endpoint.is_closed());
        }
    }
}

/// Word 10 of the contract.
#[test]
fn a_closed_endpoint_is_silent() {
    let mut pair = Pair::connected();
    let late = pair.server.record(pair.now, b"late");
    let now = pair.now;
    pair.client.endpoint.close(now);
    assert!(!pair.client.endpoint.is_closed(), "there is a close_notify to send");
    pair.client.endpoint.close(now);
    let out = pair.client.settle(now);
    assert_eq!(out.len(), 1, "and only one");
    assert!(pair.client.endpoint.is_closed());
    assert_eq!(pair.client.receive(now, &late), Handled::Foreign);
    assert_eq!(pair.client.endpoint.poll_timeout(), None);
    assert_eq!(pair.client.endpoint.poll_event(), None);
    let mut buf: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buf);
    packet.append(b"data").unwrap();
    assert_eq!(pair.client.endpoint.send(now, &mut packet), Err(SendError::NotConnected));
    assert_eq!(packet.bytes(), b"data");
}

#[test]
fn close_in_the_handshake() {
    for versions in [Versions::Auto, Versions::Dtls12, Versions::Dtls13] {
        let mut pair = Pair::new(client_config().with_versions(versions), server_config());
        let now = pair.now;
        pair.client.endpoint.close(now);
        pair.server.endpoint.close(now);
        pair.run(ms(1_000), &mut clean);
        assert_eq!((&pair.client.events[..], &pair.server.events[..]), (&[LOCAL][..], &[LOCAL][..]));
        assert!(pair.client.endpoint.is_closed() && pair.server.endpoint.is_closed());
    }
}

/// Data before the close_notify is delivered, though both come in one step.
#[test]
fn data_before_the_goodbye_is_delivered() {
    for versions in VERSIONS {
        let mut pair = connected(versions);
        let now = pair.now;
        let mut datagram = pair.server.record(now, b"last words");
        pair.server.endpoint.close(now);
        datagram.extend(pair.server.settle(now).concat());
        assert_eq!(pair.client.receive(now, &datagram), Handled::Data(()));
        assert_eq!(pair.client.data, [b"last words"], "{versions:?}");
        pair.client.settle(now);
        assert_eq!(pair.client.events[1..], [REMOTE]);
    }
}

/// A fatal alert in the clear while the handshake runs; the same octets afterwards are nobody's.
#[test]
fn alerts_in_the_clear() {
    const HANDSHAKE_FAILURE: [u8; 15] = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    for versions in [Versions::Auto, Versions::Dtls12, Versions::Dtls13] {
        let mut pair = Pair::new(client_config().with_versions(versions), server_config());
        pair.client.settle(start());
        assert_eq!(pair.client.receive(start(), &HANDSHAKE_FAILURE), Handled::Consumed);
        pair.client.settle(start());
        assert_eq!(pair.client.events, [Event::Failed(FailureReason::Alert(40))], "{versions:?}");
        assert!(pair.client.endpoint.is_closed());
    }
    for versions in VERSIONS {
        let mut pair = connected(versions);
        let now = pair.now;
        let _ = pair.client.receive(now, &HANDSHAKE_FAILURE);
        let _ = pair.server.receive(now, &HANDSHAKE_FAILURE);
        pair.exchange();
    }
}

#[test]
fn misuse_of_send_changes_nothing() {
    let mut pair = Pair::connected();
    let max = pair.client.endpoint.max_payload();
    assert_eq!(max, 1200 - 37);
    let mut buf: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buf);
    assert_eq!(pair.client.endpoint.send(start(), &mut packet), Err(SendError::Empty));
    packet.append(&vec![7; max + 1]).unwrap();
    assert_eq!(pair.client.endpoint.send(start(), &mut packet), Err(SendError::TooLong { max }));
    assert_eq!(packet.len(), max + 1);
    packet.truncate(max);
    assert_eq!(pair.client.endpoint.send(start(), &mut packet), Ok(()));
    assert!(packet.len() <= 1200);
    let mut small = vec![9; 640];
    let mut full = Packet::received(&mut small, 30..640).unwrap();
    assert_eq!(pair.client.endpoint.send(start(), &mut full), Err(SendError::NoRoom));
    assert_eq!(full.bytes(), vec![9; 610]);
    let mut fits = Packet::received(&mut small, 37..640).unwrap();
    assert_eq!(pair.client.endpoint.send(start(), &mut fits), Ok(()));
    pair.exchange();
}
