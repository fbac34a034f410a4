//! The session: DTLS keys SRTP, and media flows only between those two.

use super::pair::*;
use ginnel_core::{Buffer, Handled, Instant, Packet, Seed};
use ginnel_dtls_srtp::dtls::{CloseReason, EndpointConfig, FailureReason, SendError};
use ginnel_dtls_srtp::srtp::{Profile, ProtectError};
use ginnel_dtls_srtp::{Event, Kind, MediaError, Session, SessionConfig};

fn session(config: EndpointConfig, seed: u8) -> Session {
    Session::new(SessionConfig::from(config), start(), &Seed::new([seed; 32])).unwrap()
}
fn packet<'a>(buf: &'a mut Buffer, octets: &[u8]) -> Packet<'a> {
    let mut packet = Packet::empty(buf);
    packet.append(octets).unwrap();
    packet
}
fn events(session: &mut Session) -> Vec<Event> {
    core::iter::from_fn(|| session.poll_event()).collect()
}
/// Back and forth until neither has anything to say.
fn settle(one: &mut Session, other: &mut Session, now: Instant) {
    let mut buf: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buf);
    let mut more = true;
    while more {
        more = false;
        while one.poll_transmit(now, &mut packet) {
            let _ = other.handle_input(now, &mut packet);
            more = true;
        }
        while other.poll_transmit(now, &mut packet) {
            let _ = one.handle_input(now, &mut packet);
            more = true;
        }
    }
}
fn connected() -> (Session, Session) {
    let (mut client, mut server) = (session(client_config(), 1), session(server_config(), 2));
    settle(&mut client, &mut server, start());
    for side in [&mut client, &mut server] {
        let happened = events(side);
        let right = matches!(happened[..], [Event::Connected { profile: Some(Profile::AeadAes256Gcm), .. }]);
        assert!(right, "{happened:?}");
    }
    (client, server)
}
const RTP: [u8; 16] = [0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 42, 1, 2, 3, 4];
const RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 42];

#[test]
fn media_and_data_flow_both_ways() {
    let (mut client, mut server) = connected();
    let now = start();
    for swap in [false, true] {
        let (one, other) = if swap { (&mut server, &mut client) } else { (&mut client, &mut server) };
        let mut buf: Buffer = [0; 2048];
        let mut rtp = packet(&mut buf, &RTP);
        one.protect_rtp(now, &mut rtp).unwrap();
        assert_ne!(rtp.bytes()[12..16], RTP[12..]);
        assert_eq!(other.handle_input(now, &mut rtp), Handled::Data(Kind::Rtp));
        assert_eq!(rtp.bytes(), RTP);
        let mut rtcp = packet(&mut buf, &RTCP);
        one.protect_rtcp(now, &mut rtcp).unwrap();
        assert_eq!(other.handle_input(now, &mut rtcp), Handled::Data(Kind::Rtcp));
        assert_eq!(rtcp.bytes(), RTCP);
        let mut data = packet(&mut buf, b"sctp");
        one.send(now, &mut data).unwrap();
        assert_eq!(other.handle_input(now, &mut data), Handled::Data(Kind::ApplicationData));
        assert_eq!(data.bytes(), b"sctp");
        assert!(!other.poll_data(&mut data));
        let stats = other.stats();
        assert_eq!((stats.receiver.rtp, stats.receiver.rtcp, stats.dtls.data_in), (1, 1, 1));
    }
}

/// RTP and RTCP that come before the keys are dropped and counted; nothing can be protected then.
#[test]
fn media_before_keys_is_dropped() {
    let (mut client, mut server) = (session(client_config(), 1), session(server_config(), 2));
    let mut buf: Buffer = [0; 2048];
    assert_eq!(server.handle_input(start(), &mut packet(&mut buf, &RTP)), Handled::Consumed);
    assert_eq!(server.handle_input(start(), &mut packet(&mut buf, &RTCP)), Handled::Consumed);
    assert_eq!(server.stats().media_before_keys, 2);
    let mut rtp = packet(&mut buf, &RTP);
    assert_eq!(client.protect_rtp(start(), &mut rtp), Err(MediaError::NoKeys));
    assert_eq!(client.protect_rtcp(start(), &mut rtp), Err(MediaError::NoKeys));
    assert_eq!(client.send(start(), &mut rtp), Err(SendError::NotConnected));
    assert_eq!(rtp.bytes(), RTP);
    assert_eq!(client.profile(), None);
}

/// SECURITY 51, on the session: no contexts, no data, one event, then the end; in both roles.
#[test]
fn sec_51_wrong_fingerprint_releases_nothing() {
    for client_is_deceived in [true, false] {
        let (mut client, mut server) = (client_config(), server_config());
        if client_is_deceived {
            client.remote_fingerprints = is(&CLIENT);
        } else {
            server.remote_fingerprints = is(&SERVER);
        }
        let (mut client, mut server) = (session(client, 1), session(server, 2));
        settle(&mut client, &mut server, start());
        let deceived = if client_is_deceived { &mut client } else { &mut server };
        assert_eq!(events(deceived), [Event::Failed(FailureReason::FingerprintMismatch)]);
        assert!(deceived.is_closed());
        assert_eq!(deceived.profile(), None);
        let mut buf: Buffer = [0; 2048];
        let mut rtp = packet(&mut buf, &RTP);
        assert_eq!(deceived.protect_rtp(start(), &mut rtp), Err(MediaError::NoKeys));
        assert_eq!(deceived.send(start(), &mut rtp), Err(SendError::NotConnected));
        assert_eq!(deceived.handle_input(start(), &mut rtp), Handled::Foreign);
        assert_eq!(rtp.bytes(), RTP);
    }
}

/// SECURITY 53: ClientHellos of others reach a session only from paths that ICE has validated, because its owner says so; one
/// that does, from a peer with another certificate, ends in the identity check, never in keys.
#[test]
fn sec_53_another_client_first() {
    let mut server = session(server_config(), 2);
    let mut stranger = client_config();
    stranger.certificate = SERVER.clone();
    let mut stranger = session(stranger, 3);
    settle(&mut stranger, &mut server, start());
    assert_eq!(events(&mut server), [Event::Failed(FailureReason::FingerprintMismatch)]);
    assert_eq!(server.profile(), None);
}

#[test]
fn what_is_foreign_stays_untouched() {
    let (mut client, _) = connected();
    let mut buf: Buffer = [0; 2048];
    for octets in [&[0, 1, 0, 0][..], &[16, 0], &[64, 0, 0, 0], &[96, 1], &[200, 1], &[5], &[], &[0x80]] {
        let mut packet = packet(&mut buf, octets);
        assert_eq!(client.handle_input(start(), &mut packet), Handled::Foreign, "{octets:?}");
        assert_eq!(packet.bytes(), octets);
    }
}

#[test]
fn closing_ends_media_and_keeps_the_counters() {
    let (mut client, mut server) = connected();
    let mut buf: Buffer = [0; 2048];
    let mut rtp = packet(&mut buf, &RTP);
    client.protect_rtp(start(), &mut rtp).unwrap();
    let late = rtp.bytes().to_vec();
    client.close(start());
    assert_eq!(client.protect_rtp(start(), &mut rtp), Err(MediaError::NoKeys));
    settle(&mut client, &mut server, start());
    assert_eq!(events(&mut client), [Event::Closed { reason: CloseReason::Local }]);
    assert_eq!(events(&mut server), [Event::Closed { reason: CloseReason::Remote }]);
    assert!(client.is_closed() && server.is_closed());
    assert_eq!(server.handle_input(start(), &mut packet(&mut buf, &late)), Handled::Foreign);
    assert_eq!(client.stats().sender.rtp, 1);
    assert_eq!((client.poll_timeout(), server.poll_timeout()), (None, None));
}

#[test]
fn refusals_are_passed_on() {
    let (mut client, _) = connected();
    let mut buf: Buffer = [0; 2048];
    client.protect_rtp(start(), &mut packet(&mut buf, &RTP)).unwrap();
    let again = client.protect_rtp(start(), &mut packet(&mut buf, &RTP));
    assert_eq!(again, Err(MediaError::Protect(ProtectError::IndexUsed)));
}
