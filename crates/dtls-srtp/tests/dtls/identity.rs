//! SECURITY 51: who the peer is, in both roles, before anything leaves.

use super::pair::*;
use std::sync::Arc;

use ginnel_core::{Instant, Seed};
use ginnel_dtls_srtp::dtls::{
    Certificate, CertificateError, ConfigError, Endpoint, Event, FailureReason, Fingerprint,
    FingerprintError, HashFunction, MAX_MTU, MIN_MTU, Version, Versions,
};
use ginnel_dtls_srtp::srtp::Profile;

const VERSIONS: [Versions; 3] = [Versions::Auto, Versions::Dtls12, Versions::Dtls13];
const MISMATCH: [Event; 1] = [Event::Failed(FailureReason::FingerprintMismatch)];

#[test]
fn sec_51_wrong_server_certificate() {
    for versions in VERSIONS {
        let mut client = client_config().with_versions(versions);
        client.remote_fingerprints = is(&CLIENT);
        let mut pair = Pair::new(client, server_config());
        pair.run(ms(40_000), &mut clean);
        assert_eq!(pair.client.events, MISMATCH, "{versions:?}");
        assert!(pair.client.endpoint.is_closed());
        assert!(pair.client.endpoint.take_media_keys().is_none());
        assert!(!pair.server.connected(), "{versions:?}: our Finished never left");
        assert_eq!(pair.client.data.len() + pair.server.data.len(), 0);
    }
}

#[test]
fn sec_51_wrong_client_certificate() {
    for versions in VERSIONS {
        let mut server = server_config();
        server.remote_fingerprints = is(&SERVER);
        let mut pair = Pair::new(client_config().with_versions(versions), server);
        pair.run(ms(40_000), &mut clean);
        assert_eq!(pair.server.events, MISMATCH, "{versions:?}");
        assert!(pair.server.endpoint.is_closed());
        assert!(pair.server.endpoint.take_media_keys().is_none());
        assert_eq!(pair.client.data.len() + pair.server.data.len(), 0);
        if versions == Versions::Dtls12 {
            assert!(!pair.client.connected(), "the server's Finished never left");
        }
    }
}

/// RFC 8122 section 5: several certificates, several hashes; those with the strongest hash decide.
#[test]
fn any_fingerprint_of_the_strongest_hash() {
    let weak = |certificate: &Certificate| certificate.fingerprint(HashFunction::Sha256);
    let strong = |certificate: &Certificate| certificate.fingerprint(HashFunction::Sha512);
    let middle = |certificate: &Certificate| certificate.fingerprint(HashFunction::Sha384);
    for (fingerprints, right) in [
        (vec![weak(&CLIENT), weak(&SERVER)], true),
        (vec![strong(&SERVER)], true),
        (vec![middle(&SERVER), weak(&CLIENT)], true),
        (vec![weak(&SERVER), strong(&CLIENT)], false),
        (vec![weak(&SERVER), middle(&CLIENT)], false),
        (vec![strong(&CLIENT), weak(&SERVER), strong(&SERVER)], true),
    ] {
        let mut client = client_config();
        client.remote_fingerprints = fingerprints.clone();
        let mut pair = Pair::new(client, server_config());
        pair.run(ms(2_000), &mut clean);
        assert_eq!(pair.client.connected(), right, "{fingerprints:?}");
        assert_eq!(pair.client.events == MISMATCH, !right, "{fingerprints:?}");
    }
}

#[test]
fn a_configuration_without_identity_is_refused() {
    let mut config = client_config();
    config.remote_fingerprints.clear();
    let made = Endpoint::new(config, Instant::EPOCH, &Seed::new([0; 32]));
    assert_eq!(made.err(), Some(ConfigError::NoRemoteFingerprint));
    for mtu in [0, MIN_MTU - 1, MAX_MTU + 1, usize::MAX] {
        let made = Endpoint::new(client_config().with_mtu(mtu), Instant::EPOCH, &Seed::new([0; 32]));
        assert_eq!(made.err(), Some(ConfigError::MtuOutOfRange { mtu }));
    }
    let made = Endpoint::new(client_config().with_initial_rto(ms(0)), Instant::EPOCH, &Seed::new([0; 32]));
    assert_eq!(made.err(), Some(ConfigError::TimeOutOfRange));
    let none = client_config().with_profiles(Vec::new()).with_required_profile(true);
    let made = Endpoint::new(none, Instant::EPOCH, &Seed::new([0; 32]));
    assert_eq!(made.err(), Some(ConfigError::NoProfile));
}

/// SECURITY 58: a profile that is not allowed fails where media is required, and where it is not wanted is ignored.
#[test]
fn sec_58_profiles() {
    let narrow = |config: ginnel_dtls_srtp::dtls::EndpointConfig| {
        config.with_profiles(vec![Profile::Aes128CmHmacSha1_80]).with_required_profile(true)
    };
    let mut pair = Pair::new(narrow(client_config()), server_config());
    pair.run(ms(2_000), &mut clean);
    let refused = FailureReason::ProfileNotAllowed(Profile::AeadAes256Gcm);
    assert_eq!(pair.client.events, [Event::Failed(refused)]);
    assert!(pair.client.endpoint.take_media_keys().is_none());

    let none = client_config().with_profiles(Vec::new());
    let mut pair = Pair::new(none, server_config());
    pair.run(ms(2_000), &mut clean);
    assert_eq!(pair.client.events, [Event::Connected { version: Version::Dtls13, profile: None }]);
    assert!(pair.client.endpoint.take_media_keys().is_none());
    pair.exchange();
}

#[test]
fn both_sides_have_the_same_keys_once() {
    for versions in VERSIONS {
        let mut pair = Pair::new(client_config().with_versions(versions), server_config());
        assert!(pair.client.endpoint.take_media_keys().is_none(), "not before the handshake");
        pair.run(ms(2_000), &mut clean);
        let (ours, theirs) = (pair.client.endpoint.take_media_keys(), pair.server.endpoint.take_media_keys());
        assert!(ours.is_some() && theirs.is_some());
        assert!(pair.client.endpoint.take_media_keys().is_none());
    }
}

#[test]
fn fingerprints_are_parsed_and_printed() {
    for hash in [HashFunction::Sha256, HashFunction::Sha384, HashFunction::Sha512] {
        let fingerprint = CLIENT.fingerprint(hash);
        let text = fingerprint.to_string();
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(text.to_lowercase().parse(), Ok(fingerprint));
        assert_eq!(text.to_uppercase().parse(), Ok(fingerprint));
        assert_eq!(fingerprint.octets().len(), hash.digest_len());
        assert_eq!(Fingerprint::new(hash, fingerprint.octets()), Ok(fingerprint));
        assert_ne!(fingerprint, SERVER.fingerprint(hash));
    }
    let ok = CLIENT.fingerprint(HashFunction::Sha256).to_string();
    let wrong = |text: &str| text.parse::<Fingerprint>().unwrap_err();
    assert_eq!(wrong("sha-1 AB:CD"), FingerprintError::UnknownHash);
    assert_eq!(wrong("md5 AB"), FingerprintError::UnknownHash);
    assert_eq!(wrong(""), FingerprintError::Malformed { offset: 0 });
    assert_eq!(wrong("sha-256"), FingerprintError::Malformed { offset: 7 });
    assert_eq!(wrong("sha-256 AB:+1"), FingerprintError::Malformed { offset: 11 });
    assert_eq!(wrong("sha-256 AB:C"), FingerprintError::Malformed { offset: 11 });
    assert_eq!(wrong("sha-256 \u{e9}B"), FingerprintError::Malformed { offset: 8 });
    assert_eq!(wrong(&ok[..ok.len() - 3]), FingerprintError::WrongLength { expected: 32, found: 31 });
    let long = format!("{ok}:00{}", ":11".repeat(100_000));
    assert_eq!(wrong(&long), FingerprintError::WrongLength { expected: 32, found: 100_033 });
}

#[test]
fn certificates_from_der() {
    let (ours, other) = (&CLIENT, &SERVER);
    let again = Certificate::from_der(ours.der().to_vec(), ours.private_key_der().to_vec()).unwrap();
    assert_eq!(again.fingerprint(HashFunction::Sha256), ours.fingerprint(HashFunction::Sha256));
    let crossed = Certificate::from_der(ours.der().to_vec(), other.private_key_der().to_vec());
    assert_eq!(crossed.err(), Some(CertificateError::KeyDoesNotMatch));
    let no_key = Certificate::from_der(ours.der().to_vec(), vec![1, 2, 3]);
    assert_eq!(no_key.err(), Some(CertificateError::UnusableKey));
    let no_certificate = Certificate::from_der(vec![1, 2, 3], ours.private_key_der().to_vec());
    assert_eq!(no_certificate.err(), Some(CertificateError::KeyDoesNotMatch));
    let shown = format!("{again:?}");
    assert!(shown.contains("sha-256") && !shown.contains("private"), "{shown}");
}

/// A certificate that fills most of what a handshake may reassemble: the library writes it into our buffer, and would panic if
/// it did not fit. The peer is the library alone, which sends what we would not.
#[test]
fn long_certificates_of_peers_are_taken_or_refused() {
    for (versions, mtu, len) in [
        (Versions::Dtls12, 1_200, 2_000),
        (Versions::Dtls12, 1_900, 30_000),
        (Versions::Dtls12, 1_900, 50_000),
        (Versions::Dtls12, 1_900, 90_000),
        (Versions::Dtls13, 1_900, 9_000),
    ] {
        let certificate = certificate_of(len);
        let mut client = client_config().with_versions(versions);
        client.remote_fingerprints = is(&certificate);
        let mut client = Pair::new(client, server_config()).client;
        let mut server = bare_server(versions, mtu, &certificate);
        let mut now = start();
        let mut scratch = vec![0; 100_000];
        for _ in 0..12 {
            server.handle_timeout(EPOCH.to_std(now)).unwrap();
            for datagram in client.settle(now) {
                server.handle_packet(&datagram).unwrap();
            }
            loop {
                match server.poll_output(&mut scratch) {
                    dimpl::Output::Packet(datagram) => {
                        let _ = client.receive(now, datagram);
                    }
                    dimpl::Output::Timeout(_) => break,
                    _ => {}
                }
            }
            now += ms(10);
        }
        let fits = len <= 50_000;
        assert_eq!(client.connected(), fits, "{versions:?} {len}: {:?}", client.events);
        assert!(fits || client.endpoint.stats().overflowed > 0, "what does not fit is counted");
    }
}
fn bare_server(versions: Versions, mtu: usize, certificate: &Certificate) -> dimpl::Dtls {
    let config =
        dimpl::Config::builder().mtu(mtu).max_queue_tx(200).use_server_cookie(false).build().unwrap();
    let certificate = dimpl::DtlsCertificate {
        certificate: certificate.der().to_vec(),
        private_key: certificate.private_key_der().to_vec(),
    };
    let make = if versions == Versions::Dtls12 { dimpl::Dtls::new_12 } else { dimpl::Dtls::new_13 };
    make(Arc::new(config), certificate, EPOCH.to_std(start()))
}

/// Ours must fit a flight, or the library would panic: at the limit it connects, one past it is refused.
#[test]
fn our_certificate_must_fit_a_flight() {
    let shortest = certificate_of(0).der().len();
    for versions in VERSIONS {
        for mtu in (MIN_MTU..=MAX_MTU).step_by(97).chain([MAX_MTU]) {
            let mut too_long = server_config().with_mtu(mtu);
            too_long.certificate = Arc::new(certificate_of(10_000));
            let refused = Endpoint::new(too_long, start(), &Seed::new([0; 32]));
            let Err(ConfigError::CertificateTooLong { max }) = refused else { panic!("{refused:?}") };
            let filler = (max - shortest).saturating_sub(14);
            let certificate = Arc::new(certificate_of(filler));
            let len = certificate.der().len();
            assert!(len <= max && len + 30 > max, "{len} of {max}, shortest {shortest}");
            for cookie in [false, true] {
                let mut client = client_config().with_versions(versions).with_mtu(mtu);
                client.remote_fingerprints = is(&certificate);
                client.certificate = certificate.clone();
                let mut server = server_config().with_mtu(mtu).with_cookie(cookie);
                server.remote_fingerprints = is(&certificate);
                server.certificate = certificate.clone();
                let mut pair = Pair::new(client, server);
                let done = pair.run_until(ms(2_000), &mut clean, Pair::both_connected);
                assert!(done, "{versions:?} {mtu}: {:?} {:?}", pair.client.events, pair.server.events);
            }
        }
    }
}
fn certificate_of(filler: usize) -> Certificate {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::default();
    let filler = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![4; filler]);
    params.custom_extensions.push(filler);
    let der = params.self_signed(&key).unwrap().der().to_vec();
    Certificate::from_der(der, key.serialize_der()).unwrap()
}
