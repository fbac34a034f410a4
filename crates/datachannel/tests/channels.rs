//! Opening and closing channels.
mod common;

use common::{Link, Pair, config, ms};
use ginnel_datachannel::{
    ChannelCloseReason, ChannelConfig, ChannelId, Event, MessageKind, OpenError, Opener, Reliability, Role,
    RoleFixed, SendError,
};
use std::collections::BTreeSet;

fn opened(pair: &Pair, who: usize) -> Vec<(ChannelId, ChannelConfig, Opener)> {
    let events = pair.events[who].iter().filter_map(|event| match event {
        Event::ChannelOpened { channel, config, opener } => Some((*channel, config.clone(), *opener)),
        _ => None,
    });
    events.collect()
}
fn closed(pair: &Pair, who: usize) -> Vec<(ChannelId, ChannelCloseReason)> {
    let events = pair.events[who].iter().filter_map(|event| match event {
        Event::ChannelClosed { channel, reason } => Some((*channel, *reason)),
        _ => None,
    });
    events.collect()
}

#[test]
fn parameters_reach_the_peer() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let configs = [
        ChannelConfig::new("plain"),
        ChannelConfig::new("").with_protocol("chat/1").with_ordered(false).with_priority(512),
        ChannelConfig::new("ü").with_reliability(Reliability::MaxRetransmits(3)),
        ChannelConfig::new("t").with_reliability(Reliability::MaxLifetime(ms(1500))).with_ordered(false),
    ];
    for config in &configs {
        pair.ends[0].open(pair.now, config.clone()).unwrap();
    }
    pair.run_for(ms(100));
    let got: Vec<_> = opened(&pair, 1).into_iter().map(|(_, config, opener)| (config, opener)).collect();
    assert_eq!(got, configs.map(|config| (config, Opener::Remote)));
    assert!(opened(&pair, 0).iter().all(|(_, _, opener)| *opener == Opener::Local));
    assert_eq!(pair.ends[1].stats().dcep_violations + pair.ends[0].stats().dcep_violations, 0);
}

#[test]
fn the_client_opens_even_streams_and_the_server_odd_ones() {
    let mut pair = Pair::new(1, Link::GOOD);
    for who in 0..2 {
        let ids: Vec<_> = (0..3)
            .map(|_| pair.ends[who].open(pair.now, ChannelConfig::new("")).unwrap().stream_id())
            .collect();
        assert_eq!(ids, [who as u16, who as u16 + 2, who as u16 + 4]);
    }
    assert_eq!(pair.ends[0].set_role(Role::Server), Err(RoleFixed));
    let mut late = Pair::new(2, Link::GOOD);
    assert_eq!(late.ends[0].set_role(Role::Server), Ok(()));
    assert_eq!(late.ends[0].open(late.now, ChannelConfig::new("")).unwrap().stream_id(), 1);
}

#[test]
fn five_hundred_channels_from_each_end_at_once() {
    let mut pair = Pair::new(1, Link::bad(0.1));
    for who in 0..2 {
        for i in 0..500 {
            let id = pair.ends[who].open(pair.now, ChannelConfig::new(format!("{who}/{i}"))).unwrap();
            pair.ends[who].send_message(pair.now, id, MessageKind::Text, format!("{i}").as_bytes()).unwrap();
        }
    }
    pair.start();
    assert!(pair.run_until(ms(60_000), |p| (0..2).all(|who| p.messages(who).len() == 500)));
    assert!((0..2).all(|who| opened(&pair, who).len() == 1000));
    // The peer's and ours count alike.
    let more = (0..30).map(|_| pair.ends[0].open(pair.now, ChannelConfig::new(""))).last();
    assert_eq!(more, Some(Err(OpenError::TooManyChannels { limit: 1024 })));
    // A thousand at once are closed in several requests, and all identifiers come free.
    let now = pair.now;
    for (id, _, opener) in opened(&pair, 0) {
        if opener == Opener::Local {
            pair.ends[0].close_channel(now, id);
        }
    }
    assert!(pair.run_until(ms(120_000), |p| (0..2).all(|who| closed(p, who).len() == 500)));
    assert!(closed(&pair, 0).iter().all(|(_, reason)| *reason == ChannelCloseReason::Local));
    assert!(closed(&pair, 1).iter().all(|(_, reason)| *reason == ChannelCloseReason::Remote));
}

#[test]
fn a_closed_channel_delivers_first_and_its_stream_is_used_again() {
    for seed in 0..10 {
        let mut pair = Pair::connected(seed, Link::bad(0.15));
        for round in 0..5 {
            let config = ChannelConfig::new(format!("{round}")).with_negotiated(6);
            let ids: BTreeSet<_> =
                (0..2).map(|who| pair.ends[who].open(pair.now, config.clone()).unwrap()).collect();
            assert_eq!(ids.len(), 1);
            let id = *ids.first().unwrap();
            for i in 0..20_u8 {
                pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &[round, i]).unwrap();
            }
            pair.ends[0].close_channel(pair.now, id);
            let refused = pair.ends[0].send_message(pair.now, id, MessageKind::Binary, b"x");
            assert_eq!(refused, Err(SendError::ChannelClosing));
            let taken = pair.ends[0].open(pair.now, config.clone());
            assert_eq!(taken, Err(OpenError::StreamIdInUse(6)));
            let rounds = usize::from(round) + 1;
            let done = pair.run_until(ms(60_000), |p| (0..2).all(|who| closed(p, who).len() == rounds));
            assert!(done, "seed {seed}, round {round}");
            assert_eq!(pair.messages(1).len(), 20 * rounds, "seed {seed}");
        }
        let expected: Vec<_> = (0..5).flat_map(|r| (0..20).map(move |i| vec![r, i])).collect();
        assert_eq!(pair.messages(1), expected);
        let gone = pair.ends[0].send_message(pair.now, closed(&pair, 0)[0].0, MessageKind::Text, b"x");
        assert_eq!(gone, Err(SendError::NoSuchChannel));
    }
}

#[test]
fn both_ends_close_one_channel_at_once() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    pair.run_for(ms(100));
    let now = pair.now;
    pair.ends.iter_mut().for_each(|end| end.close_channel(now, id));
    pair.run_for(ms(5_000));
    assert_eq!(
        [closed(&pair, 0), closed(&pair, 1)],
        [vec![(id, ChannelCloseReason::Local)], vec![(id, ChannelCloseReason::Local)]]
    );
    // Identifiers go round, so that a late copy meets no new channel; this one is free all the same.
    let again = pair.ends[0].open(pair.now, ChannelConfig::new("y").with_negotiated(id.stream_id()));
    assert_eq!(again, Ok(id));
}

#[test]
fn identifiers_run_out_and_come_back() {
    let mut a = config(Role::Client);
    a.max_channels = 40_000;
    let mut pair = Pair::with(1, Link::GOOD, a, config(Role::Server));
    let ids: BTreeSet<_> = (0..32_768)
        .map(|_| pair.ends[0].open(pair.now, ChannelConfig::new("")).unwrap().stream_id())
        .collect();
    assert_eq!((ids.len(), ids.first(), ids.last()), (32_768, Some(&0), Some(&65_534)));
    assert_eq!(pair.ends[0].open(pair.now, ChannelConfig::new("")), Err(OpenError::StreamIdsExhausted));
    let reserved = pair.ends[0].open(pair.now, ChannelConfig::new("").with_negotiated(65_535));
    assert_eq!(reserved, Err(OpenError::StreamIdInvalid(65_535)));
}

#[test]
fn an_agreed_channel_keeps_what_came_before_it() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let config = ChannelConfig::new("agreed").with_negotiated(100);
    let id = pair.ends[0].open(pair.now, config.clone()).unwrap();
    pair.ends[0].send_message(pair.now, id, MessageKind::Text, b"early").unwrap();
    pair.run_for(ms(1_000));
    assert_eq!(pair.messages(1), Vec::<Vec<u8>>::new());
    pair.ends[1].open(pair.now, config).unwrap();
    pair.run_for(ms(1_000));
    assert_eq!(pair.messages(1), [b"early"]);
    assert_eq!(opened(&pair, 1).len(), 1);
}

#[test]
fn what_is_too_long_is_not_opened() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let long = "x".repeat(65_536);
    let open = |pair: &mut Pair, config| pair.ends[0].open(pair.now, config).map(drop);
    assert_eq!(open(&mut pair, ChannelConfig::new(&long[..])), Err(OpenError::LabelTooLong));
    assert_eq!(
        open(&mut pair, ChannelConfig::new("").with_protocol(&long[..])),
        Err(OpenError::ProtocolTooLong)
    );
    let age = std::time::Duration::from_secs(5_000_000);
    let config = ChannelConfig::new("").with_reliability(Reliability::MaxLifetime(age));
    assert_eq!(open(&mut pair, config), Err(OpenError::LifetimeTooLong));
    // RFC 8832 section 7: the longest are legal.
    let longest = ChannelConfig::new(&long[1..]).with_protocol(&long[1..]);
    assert_eq!(open(&mut pair, longest.clone()), Ok(()));
    pair.run_for(ms(5_000));
    assert_eq!(opened(&pair, 1)[0].1, longest);
    pair.ends[0].close(pair.now);
    assert_eq!(open(&mut pair, ChannelConfig::new("")), Err(OpenError::Closed));
}

#[test]
fn user_data_stays_ordered_until_the_peer_has_answered() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("u").with_ordered(false)).unwrap();
    pair.ends[0].send_message(pair.now, id, MessageKind::Text, b"before").unwrap();
    pair.run_for(ms(500));
    pair.ends[0].send_message(pair.now, id, MessageKind::Text, b"after").unwrap();
    pair.run_for(ms(500));
    // RFC 9260 section 3.3.1: bit 2 of the flags says unordered. Each was the last chunk of its packet.
    let unordered = |text: &[u8]| {
        let (_, _, packet) =
            pair.log.iter().find(|(_, _, p)| p.windows(text.len()).any(|w| w == text)).unwrap();
        let at = packet.windows(text.len()).position(|w| w == text).unwrap();
        packet[at - 16 + 1] & 4 != 0
    };
    assert!(!unordered(b"before"));
    assert!(unordered(b"after"));
}
