//! How associations come up and end.
mod common;

use common::{Link, Pair, config, ms};
use ginnel_datachannel::{
    Association, ChannelCloseReason, ChannelConfig, CloseReason, Event, InitError, MessageKind, Role,
};

fn count(pair: &Pair, who: usize, wanted: &Event) -> usize {
    pair.events[who].iter().filter(|event| *event == wanted).count()
}
fn closed(pair: &Pair, who: usize) -> Option<CloseReason> {
    pair.events[who].iter().find_map(|event| match event {
        Event::Closed { reason } => Some(*reason),
        _ => None,
    })
}

#[test]
fn both_ends_send_init_at_once() {
    let mut pair = Pair::new(1, Link::GOOD);
    pair.start();
    assert!(pair.run_until(ms(100), |p| p.ends.iter().all(Association::is_connected)));
    // Two INITs at time zero, crossing: RFC 9260 section 5.2.1.
    assert_eq!(pair.log.iter().filter(|(at, _, p)| at.since_epoch().is_zero() && p[12] == 1).count(), 2);
    for who in 0..2 {
        assert_eq!(count(&pair, who, &Event::Connected), 1);
    }
}

#[test]
fn one_end_alone_starts() {
    for starter in 0..2 {
        let mut pair = Pair::new(2, Link::GOOD);
        pair.ends[starter].start(pair.now);
        assert!(pair.run_until(ms(100), |p| p.ends.iter().all(Association::is_connected)));
    }
}

#[test]
fn the_first_message_rides_with_the_cookie_echo() {
    let mut pair = Pair::new(3, Link::GOOD);
    let chat = pair.ends[0].open(pair.now, ChannelConfig::new("chat")).unwrap();
    pair.ends[0].send_message(pair.now, chat, MessageKind::Text, b"hello").unwrap();
    pair.ends[0].start(pair.now);
    // INIT, INIT ACK, COOKIE ECHO with OPEN and the message: one and a half round trips of 20 ms.
    assert!(pair.run_until(ms(30), |p| p.messages(1) == [b"hello"]));
    assert_eq!(pair.ends[0].buffered_amount(chat), 5);
}

#[test]
fn connects_under_loss_duplication_and_reordering() {
    for seed in 0..60 {
        let pair = Pair::connected(seed, Link::bad(0.4));
        assert!(pair.ends.iter().all(Association::is_connected), "seed {seed}");
    }
}

#[test]
fn snap_connects_without_a_round_trip() {
    let mut pair = Pair::new(4, Link::GOOD);
    let [a, b] = &mut pair.ends;
    let (ia, ib) = (a.local_init().to_vec(), b.local_init().to_vec());
    a.set_remote_init(&ib).unwrap();
    b.set_remote_init(&ia).unwrap();
    let chat = a.open(pair.now, ChannelConfig::new("chat")).unwrap();
    a.send_message(pair.now, chat, MessageKind::Text, b"at once").unwrap();
    pair.start();
    assert!(pair.ends.iter().all(Association::is_connected));
    assert!(pair.run_until(ms(10), |p| p.messages(1) == [b"at once"]));
    assert!(pair.log.iter().all(|(_, _, p)| p[12] != 1), "an INIT was sent");
}

#[test]
fn snap_refuses_what_is_no_init() {
    let mut pair = Pair::new(5, Link::GOOD);
    let own = pair.ends[0].local_init().to_vec();
    let good = pair.ends[1].local_init().to_vec();
    let end = &mut pair.ends[0];
    assert_eq!(end.set_remote_init(&own), Err(InitError::OurOwn));
    assert_eq!(end.set_remote_init(&[]), Err(InitError::Malformed { offset: 0 }));
    assert_eq!(end.set_remote_init(&good[..10]), Err(InitError::Malformed { offset: 10 }));
    for (at, value) in [(0, vec![2]), (4, vec![0; 4]), (8, vec![0; 4]), (12, vec![0; 2]), (14, vec![0; 2])] {
        let mut bad = good.clone();
        bad[at..at + value.len()].copy_from_slice(&value);
        assert_eq!(end.set_remote_init(&bad), Err(InitError::Malformed { offset: at }));
    }
    end.start(pair.now);
    assert_eq!(end.set_remote_init(&good), Err(InitError::Started));
}

#[test]
fn the_handshake_gives_up_only_when_told_to() {
    let mut patient = Pair::new(6, Link { down: true, ..Link::GOOD });
    patient.start();
    patient.run_for(ms(600_000));
    assert_eq!(closed(&patient, 0), None);

    let mut a = config(Role::Client);
    a.max_init_retransmits = Some(2);
    let mut pair = Pair::with(7, Link { down: true, ..Link::GOOD }, a, config(Role::Server));
    pair.ends[0].start(pair.now);
    // 1 s, 2 s, then RTO.Max = 3 s.
    pair.run_for(ms(5_999));
    assert_eq!(closed(&pair, 0), None);
    pair.run_for(ms(1));
    assert_eq!(closed(&pair, 0), Some(CloseReason::HandshakeTimedOut));
    assert!(pair.ends[0].is_closed());
}

#[test]
fn close_delivers_everything_first() {
    for seed in 0..20 {
        let mut pair = Pair::connected(seed, Link::bad(0.2));
        let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
        for i in 0..50_u8 {
            pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &[i; 2000]).unwrap();
        }
        pair.ends[0].close(pair.now);
        assert!(pair.run_until(ms(120_000), |p| p.ends.iter().all(Association::is_closed)), "seed {seed}");
        assert_eq!(pair.messages(1).len(), 50, "seed {seed}");
        assert_eq!(closed(&pair, 0), Some(CloseReason::Local));
        assert_eq!(closed(&pair, 1), Some(CloseReason::Remote));
        let gone = Event::ChannelClosed { channel: id, reason: ChannelCloseReason::AssociationClosed };
        assert_eq!(count(&pair, 0, &gone), 1);
    }
}

#[test]
fn both_ends_close_at_once() {
    let mut pair = Pair::connected(8, Link::GOOD);
    let now = pair.now;
    pair.ends.iter_mut().for_each(|end| end.close(now));
    assert!(pair.run_until(ms(5_000), |p| p.ends.iter().all(Association::is_closed)));
    assert_eq!([closed(&pair, 0), closed(&pair, 1)], [Some(CloseReason::Local); 2]);
}

#[test]
fn close_into_silence_ends_with_the_guard() {
    let mut pair = Pair::connected(9, Link::GOOD);
    pair.link.down = true;
    pair.ends[0].close(pair.now);
    pair.run_for(ms(29_999));
    assert_eq!(closed(&pair, 0), None);
    pair.run_for(ms(1));
    assert_eq!(closed(&pair, 0), Some(CloseReason::Aborted));
}

#[test]
fn abort_reaches_the_peer() {
    let mut pair = Pair::connected(10, Link::GOOD);
    pair.ends[1].abort(pair.now);
    pair.run_for(ms(20));
    assert_eq!(closed(&pair, 1), Some(CloseReason::Aborted));
    // RFC 9260 section 3.3.10.12: User-Initiated Abort.
    assert_eq!(closed(&pair, 0), Some(CloseReason::AbortedByPeer(12)));
    assert!(pair.ends.iter().all(Association::is_closed));
    pair.run_for(ms(100_000));
    assert!(pair.ends.iter().all(|end| end.poll_timeout().is_none()));
}

#[test]
fn close_before_the_start_is_quiet() {
    let mut pair = Pair::new(11, Link::GOOD);
    pair.ends[0].close(pair.now);
    pair.run_for(ms(10));
    assert_eq!(closed(&pair, 0), Some(CloseReason::Local));
    assert!(pair.log.is_empty());
}

#[test]
fn an_association_moves_between_threads() {
    fn is_send<T: Send + 'static>() {}
    is_send::<Association>();
}
