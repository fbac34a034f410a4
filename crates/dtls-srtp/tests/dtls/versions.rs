//! Every pair of versions, and what comes of it.

use super::pair::*;
use ginnel_dtls_srtp::dtls::{Event, FailureReason, Version, Versions};
use ginnel_dtls_srtp::srtp::Profile;

const ALL: [Versions; 3] = [Versions::Auto, Versions::Dtls12, Versions::Dtls13];

fn expected(client: Versions, server: Versions) -> Option<Version> {
    match (client, server) {
        (Versions::Dtls12, Versions::Dtls13) | (Versions::Dtls13, Versions::Dtls12) => None,
        (Versions::Dtls12, _) | (_, Versions::Dtls12) => Some(Version::Dtls12),
        _ => Some(Version::Dtls13),
    }
}

#[test]
fn every_pair_of_versions() {
    for client in ALL {
        for server in ALL {
            for cookie in [false, true] {
                let what = format!("{client:?} to {server:?}, cookie {cookie}");
                let mut pair = Pair::new(
                    client_config().with_versions(client),
                    server_config().with_versions(server).with_cookie(cookie),
                );
                pair.run_until(ms(60_000), &mut clean, Pair::both_connected);
                let Some(version) = expected(client, server) else {
                    assert!(!pair.client.connected() && !pair.server.connected(), "{what}");
                    assert!(
                        matches!(pair.client.events[..], [Event::Failed(_)]),
                        "{what}: {:?}",
                        pair.client.events
                    );
                    continue;
                };
                let event = Event::Connected { version, profile: Some(Profile::AeadAes256Gcm) };
                assert_eq!(pair.client.events, [event], "{what}");
                assert_eq!(pair.server.events, [event], "{what}");
                pair.exchange();
            }
        }
    }
}

/// The round trips of each version, which PERFORMANCE counts on: one for DTLS 1.3, two for 1.2.
#[test]
fn handshakes_take_no_round_trip_too_many() {
    for (versions, client_ms, server_ms) in [(Versions::Dtls13, 100, 150), (Versions::Dtls12, 200, 150)] {
        let mut pair =
            Pair::new(client_config().with_versions(versions), server_config().with_versions(versions));
        assert!(pair.run_until(ms(1_000), &mut clean, |pair| pair.client.connected()));
        assert_eq!(pair.now, start() + ms(client_ms), "{versions:?}, client");
        assert!(pair.run_until(ms(1_000), &mut clean, |pair| pair.server.connected()));
        assert!(pair.now <= start() + ms(server_ms).max(ms(client_ms)), "{versions:?}, server");
    }
}

#[test]
fn nobody_answers() {
    for versions in ALL {
        let mut pair = Pair::new(client_config().with_versions(versions), server_config());
        pair.run(ms(60_000), &mut |_, _| Vec::new());
        assert_eq!(pair.client.events, [Event::Failed(FailureReason::TimedOut)]);
        assert!(pair.client.endpoint.is_closed());
        assert!(pair.client.sent.len() >= 5, "it kept trying: {}", pair.client.sent.len());
        assert_eq!(pair.server.events, []);
        assert_eq!(pair.server.endpoint.poll_timeout(), None, "nothing has begun");
    }
}

/// Everything but key pairs and signatures, which are drawn from the operating system inside the library: with the same seed
/// the ClientHello differs in its key share alone, and the timers not at all.
#[test]
fn same_seed_same_bytes_but_for_key_shares() {
    let hello = |versions, seed| {
        let mut pair = Pair::seeded(client_config().with_versions(versions), server_config(), seed);
        let mut times = Vec::new();
        pair.run(ms(20_000), &mut |_, _| Vec::new());
        let wake = pair.client.endpoint.poll_timeout();
        times.push(wake);
        (pair.client.sent[0].clone(), pair.client.sent.len(), times)
    };
    for (versions, differing) in [(Versions::Dtls12, 0), (Versions::Dtls13, 32), (Versions::Auto, 32)] {
        let (first, again, other) = (hello(versions, 1), hello(versions, 1), hello(versions, 2));
        let differences = first.0.iter().zip(&again.0).filter(|(a, b)| a != b).count();
        assert_eq!(first.0.len(), again.0.len());
        assert!(differences <= differing, "{versions:?}: {differences} octets differ");
        assert_eq!((first.1, &first.2), (again.1, &again.2), "the timers are the seed's");
        assert_ne!(first.2, other.2, "and another seed has others");
    }
}
