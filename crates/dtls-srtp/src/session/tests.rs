//! What only shows near the end of a key. All else is tested from outside, in `tests/dtls`.

use super::*;
use crate::dtls::HashFunction;
use ginnel_core::Buffer;

fn connected() -> Session {
    let certificates = [(); 2].map(|()| Arc::new(Certificate::generate().unwrap()));
    let make = |role, ours: usize| {
        let theirs = vec![certificates[1 - ours].fingerprint(HashFunction::Sha256)];
        let config = SessionConfig::new(certificates[ours].clone(), role, theirs, Epoch::start());
        Session::new(config, Instant::EPOCH, &Seed::new([ours as u8; 32])).unwrap()
    };
    let (mut client, mut server) = (make(Role::Client, 0), make(Role::Server, 1));
    let mut buf: Buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buf);
    for _ in 0..8 {
        while client.poll_transmit(Instant::EPOCH, &mut packet) {
            let _ = server.handle_input(Instant::EPOCH, &mut packet);
        }
        while server.poll_transmit(Instant::EPOCH, &mut packet) {
            let _ = client.handle_input(Instant::EPOCH, &mut packet);
        }
    }
    assert!(matches!(client.poll_event(), Some(Event::Connected { .. })));
    client
}

/// RFC 3711 section 9.2: one event well before the end, one at it, and no packet after it.
#[test]
fn the_end_of_a_key_is_announced() {
    let mut session = connected();
    let send = |session: &mut Session, sequence: u8| {
        let mut buf: Buffer = [0; 2048];
        let mut packet = Packet::empty(&mut buf);
        packet.append(&[0x80, 96, 0, sequence, 0, 0, 0, 0, 0, 0, 0, 42]).unwrap();
        session.protect_rtp(Instant::EPOCH, &mut packet)
    };
    send(&mut session, 1).unwrap();
    assert_eq!(session.poll_event(), None);
    session.media.as_mut().unwrap().sender.pretend_used((1 << 48) / 4 * 3);
    send(&mut session, 2).unwrap();
    send(&mut session, 3).unwrap();
    assert_eq!(session.poll_event(), Some(Event::MediaKeyExpiring(KeyUse::Expiring)));
    assert_eq!(session.poll_event(), None, "once");
    session.media.as_mut().unwrap().sender.pretend_used((1 << 48) - 1);
    send(&mut session, 4).unwrap();
    assert_eq!(session.poll_event(), Some(Event::MediaKeyExpiring(KeyUse::Exhausted)));
    assert_eq!(send(&mut session, 5), Err(MediaError::Protect(ProtectError::KeyExhausted)));
}
