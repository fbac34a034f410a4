//! What becomes of messages.
mod common;

use common::{Link, Pair, config, ms};
use ginnel_datachannel::{Association, ChannelConfig, Event, MessageKind, Reliability, Role, SendError};
use std::time::Duration;

fn numbered(i: u32) -> Vec<u8> {
    let mut message = vec![i as u8; 4 + (i as usize * 37) % 900];
    message[..4].copy_from_slice(&i.to_be_bytes());
    message
}
/// Sends as the buffer allows, until all has arrived.
fn transfer(pair: &mut Pair, config: ChannelConfig, count: u32) -> bool {
    let id = pair.ends[0].open(pair.now, config).unwrap();
    // Until the peer has answered, everything would go ordered.
    pair.run_until(ms(60_000), |p| p.events[1].iter().any(|e| matches!(e, Event::ChannelOpened { .. })));
    pair.run_for(ms(5_000));
    let mut next = 0;
    loop {
        while next < count {
            match pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &numbered(next)) {
                Ok(()) => next += 1,
                Err(SendError::Full) => break,
                Err(e) => panic!("{e}"),
            }
        }
        if next == count {
            return pair.run_until(ms(3_600_000), |p| p.messages(1).len() >= count as usize);
        }
        pair.run_for(ms(50));
    }
}

#[test]
fn a_thousand_ordered_messages_survive_thirty_percent_loss() {
    for seed in 0..20 {
        let mut pair = Pair::connected(seed, Link::bad(0.3));
        assert!(
            transfer(&mut pair, ChannelConfig::new("ordered"), 1000),
            "seed {seed}: {}",
            pair.messages(1).len()
        );
        pair.run_for(ms(10_000));
        let expected: Vec<_> = (0..1000).map(numbered).collect();
        assert_eq!(pair.messages(1), expected, "seed {seed}");
        assert_eq!(pair.ends[0].stats().messages_sent, 1000);
        assert_eq!(pair.ends[1].stats().messages_received, 1000);
    }
}

#[test]
fn unordered_messages_all_arrive_and_some_overtake() {
    let mut overtook = false;
    for seed in 0..10 {
        let mut pair = Pair::connected(seed, Link::bad(0.2));
        assert!(transfer(&mut pair, ChannelConfig::new("u").with_ordered(false), 300), "seed {seed}");
        let mut got = pair.messages(1);
        overtook |= !got.is_sorted_by_key(|m| m[..4].to_vec());
        got.sort_by_key(|m| m[..4].to_vec());
        assert_eq!(got, (0..300).map(numbered).collect::<Vec<_>>(), "seed {seed}");
    }
    assert!(overtook);
}

#[test]
fn partial_reliability_abandons_and_goes_on() {
    for (reliability, name) in
        [(Reliability::MaxRetransmits(0), "rexmit"), (Reliability::MaxLifetime(ms(60)), "timed")]
    {
        for ordered in [true, false] {
            let mut pair = Pair::connected(3, Link::GOOD);
            let config = ChannelConfig::new(name).with_reliability(reliability).with_ordered(ordered);
            let id = pair.ends[0].open(pair.now, config).unwrap();
            pair.run_for(ms(1000));
            pair.link = Link::bad(0.3);
            for i in 0..200 {
                pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &numbered(i)).unwrap();
                pair.run_for(ms(20));
            }
            pair.link = Link::GOOD;
            pair.run_for(ms(30_000));
            let got = pair.messages(1).len();
            assert!((80..200).contains(&got), "{name}, ordered {ordered}: {got} of 200");
            assert_eq!(pair.ends[0].buffered_amount(id), 0, "{name}");
            pair.ends[0].send_message(pair.now, id, MessageKind::Binary, b"last").unwrap();
            pair.run_for(ms(5_000));
            assert_eq!(pair.messages(1).last().map(Vec::as_slice), Some(&b"last"[..]), "{name}");
        }
    }
}

#[test]
fn large_messages_go_both_ways() {
    for seed in 0..4 {
        let mut a = config(Role::Client);
        a.remote_max_message_size = 256 * 1024;
        let mut b = config(Role::Server);
        b.remote_max_message_size = 0;
        let mut pair = Pair::with(seed, Link { loss: 0.02, ..Link::GOOD }, a, b);
        pair.start();
        let id = pair.ends[0].open(pair.now, ChannelConfig::new("big")).unwrap();
        let big: Vec<u8> = (0..256 * 1024).map(|i| (i % 251) as u8).collect();
        assert!(
            pair.run_until(ms(10_000), |p| p.events[1]
                .iter()
                .any(|e| matches!(e, Event::ChannelOpened { .. })))
        );
        for who in 0..2 {
            for _ in 0..3 {
                pair.ends[who].send_message(pair.now, id, MessageKind::Binary, &big).unwrap();
            }
        }
        assert!(pair.run_until(ms(600_000), |p| (0..2).all(|who| p.messages(who).len() == 3)), "seed {seed}");
        assert!((0..2).all(|who| pair.messages(who).iter().all(|m| *m == big)));
    }
}

#[test]
fn a_message_beyond_the_peers_limit_is_refused() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    let long = vec![0; 65_537];
    let refused = pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &long);
    assert_eq!(refused, Err(SendError::TooLarge { limit: 65_536 }));
    pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &long[1..]).unwrap();
    pair.ends[0].set_remote_max_message_size(0);
    pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &long).unwrap();
    pair.run_for(ms(5_000));
    assert_eq!(pair.messages(1).iter().map(Vec::len).collect::<Vec<_>>(), [65_536, 65_537]);
}

#[test]
fn empty_messages_keep_their_kind() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    for kind in [MessageKind::Text, MessageKind::Binary] {
        pair.ends[0].send_message(pair.now, id, kind, b"").unwrap();
    }
    pair.run_for(ms(1_000));
    let kinds: Vec<_> = pair.events[1]
        .iter()
        .filter_map(|event| match event {
            Event::Message { kind, data, .. } => Some((*kind, data.len())),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [(MessageKind::Text, 0), (MessageKind::Binary, 0)]);
}

#[test]
fn many_short_messages_share_packets_within_the_mtu() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    let before = pair.log.len();
    for i in 0..1000_u32 {
        pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &[i as u8]).unwrap();
    }
    pair.run_for(ms(2_000));
    assert_eq!(pair.messages(1).len(), 1000);
    assert!(pair.log.len() - before < 150, "{} packets", pair.log.len() - before);
}

#[test]
fn sixty_seconds_of_silence_lose_nothing() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    let mut sent = 0;
    let mut send = |pair: &mut Pair, n: u32| {
        for _ in 0..n {
            pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &numbered(sent)).unwrap();
            sent += 1;
        }
    };
    send(&mut pair, 100);
    pair.run_for(ms(15));
    pair.link.down = true;
    send(&mut pair, 100);
    pair.run_for(Duration::from_secs(60));
    send(&mut pair, 100);
    assert!(pair.ends.iter().all(Association::is_connected));
    pair.link.down = false;
    // RTO.Max bounds the wait for the first retransmission; then slow start.
    assert!(pair.run_until(ms(3_000 + 2_000), |p| p.messages(1).len() == 300), "{}", pair.messages(1).len());
    assert_eq!(pair.messages(1), (0..300).map(numbered).collect::<Vec<_>>());
    pair.run_for(ms(1_000));
    assert_eq!(pair.ends[0].buffered_amount(id), 0);
}

#[test]
fn back_pressure_is_said_and_lifted() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    pair.ends[0].set_buffered_amount_low_threshold(id, 100_000);
    let mut accepted = 0;
    let full = loop {
        match pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &[7; 10_000]) {
            Ok(()) => accepted += 1,
            Err(e) => break e,
        }
    };
    assert_eq!(full, SendError::Full);
    assert_eq!(pair.ends[0].buffered_amount(id), accepted * 10_000);
    assert_eq!(accepted, 1024 * 1024 / 10_000);
    let said = |p: &Pair, wanted: Event| p.events[0].iter().filter(|e| **e == wanted).count();
    assert_eq!(said(&pair, Event::Writable { channel: id }), 0);
    assert!(pair.run_until(ms(20_000), |p| p.messages(1).len() == accepted));
    pair.run_for(ms(1_000));
    assert_eq!(said(&pair, Event::Writable { channel: id }), 1);
    assert_eq!(said(&pair, Event::BufferedAmountLow { channel: id }), 1);
    assert_eq!(pair.ends[0].buffered_amount(id), 0);
}

#[test]
fn an_idle_reader_holds_the_sender_back_and_loses_nothing() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    let mut accepted = 0_u32;
    // The pair polls events; so drive the ends by hand, and never poll the receiver's.
    let mut buffer = [0; 2048];
    for _ in 0..3000 {
        while pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &numbered(accepted)).is_ok() {
            accepted += 1;
        }
        for (from, to) in [(0, 1), (1, 0)] {
            let mut packet = ginnel_core::Packet::empty(&mut buffer);
            while pair.ends[from].poll_transmit(pair.now, &mut packet) {
                let _ = pair.ends[to].handle_input(pair.now, &mut packet);
            }
        }
        pair.now += ms(20);
        let now = pair.now;
        pair.ends.iter_mut().for_each(|end| end.handle_timeout(now));
    }
    let total: usize = (0..accepted).map(|i| numbered(i).len()).sum();
    // Two windows (unread events and the library's) and one send buffer.
    assert!(total < 4 * 1024 * 1024, "{total} octets were taken");
    assert!(pair.run_until(ms(120_000), |p| p.messages(1).len() == accepted as usize));
    assert_eq!(pair.messages(1), (0..accepted).map(numbered).collect::<Vec<_>>());
}

#[test]
fn the_same_seed_and_script_give_the_same_bytes() {
    let run = || {
        let mut pair = Pair::new(42, Link::bad(0.2));
        pair.start();
        let ids: Vec<_> = (0..8)
            .map(|i| {
                let config =
                    ChannelConfig::new(format!("c{i}")).with_reliability(Reliability::MaxRetransmits(1));
                pair.ends[i % 2].open(pair.now, config).unwrap()
            })
            .collect();
        for round in 0..60 {
            for (i, id) in ids.iter().enumerate() {
                pair.ends[i % 2].send_message(pair.now, *id, MessageKind::Text, &numbered(round)).unwrap();
            }
            pair.run_for(ms(30));
        }
        pair.ends[0].close_channel(pair.now, ids[0]);
        pair.run_for(ms(20_000));
        pair.ends[1].close(pair.now);
        pair.run_for(ms(60_000));
        (pair.log, pair.events)
    };
    let (first, second) = (run(), run());
    assert!(first.0.iter().any(|(_, _, packet)| packet[12] == 192), "no FORWARD TSN was sent");
    assert_eq!(first, second);
}
