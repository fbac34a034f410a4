//! How long bulk data takes both ways at once, where no packet is lost.
mod common;

use common::{Link, Pair, ms};
use ginnel_core::Instant;
use ginnel_datachannel::{ChannelConfig, Event, MessageKind, SendError};
use std::{collections::BTreeSet, time::Duration};

/// How many messages one end has received.
fn received(pair: &Pair, who: usize) -> usize {
    pair.events[who].iter().filter(|event| matches!(event, Event::Message { .. })).count()
}

/// Sends `count` messages of `size` octets, which the other end echoes as they come; how long until all are back.
fn echo(pair: &mut Pair, count: usize, size: usize) -> Duration {
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("echo")).unwrap();
    pair.run_for(ms(1_000));
    pair.events.iter_mut().for_each(Vec::clear);
    let (begin, message) = (pair.now, vec![7; size]);
    let mut said = [0, 0];
    while received(pair, 0) < count {
        let now = pair.now;
        for (who, said) in said.iter_mut().enumerate() {
            let due = if who == 0 { count } else { received(pair, 1) };
            while *said < due {
                match pair.ends[who].send_message(now, id, MessageKind::Binary, &message) {
                    Ok(()) => *said += 1,
                    Err(SendError::Full) => break,
                    Err(e) => panic!("{e}"),
                }
            }
        }
        let before = [received(pair, 0), received(pair, 1)];
        let news = |p: &Pair| p.now > now || [received(p, 0), received(p, 1)] != before;
        assert!(pair.run_until(ms(60_000), news), "stuck at {before:?}");
    }
    pair.now.saturating_since(begin)
}

/// TSNs that left more than once.
fn retransmitted(log: &[(Instant, usize, Vec<u8>)]) -> usize {
    let mut seen = BTreeSet::new();
    log.iter().filter(|(_, who, p)| p[12] == 0 && !seen.insert((*who, p[16..20].to_vec()))).count()
}

/// A socket of usual size holds some ninety packets, and what comes beside them is lost without a word. At the end of a burst
/// no gap reports it: only T3-rtx would, 400 ms later.
#[test]
fn a_megabyte_echoed_over_a_short_path_waits_for_no_timer() {
    for delay in [0, 20, 100, 500] {
        let link = Link {
            delay: Duration::from_micros(delay),
            queue: Some((90, Duration::from_micros(5))),
            ..Link::GOOD
        };
        let mut pair = Pair::connected(1, link);
        let before = pair.log.len();
        let took = echo(&mut pair, 20, 60_000);
        assert_eq!(pair.overflowed, 0, "{delay} us");
        assert_eq!(retransmitted(&pair.log[before..]), 0, "{delay} us");
        assert!(took < ms(50), "{delay} us: {took:?}");
    }
}

/// What is allowed in flight grows with the path, also where the path grows long after the start.
#[test]
fn a_long_path_is_filled() {
    let mut pair = Pair::connected(1, Link { delay: Duration::from_micros(50), ..Link::GOOD });
    assert!(echo(&mut pair, 20, 60_000) < ms(50));
    pair.link.delay = ms(50);
    // The short round trips are forgotten: 1.2 MB take twelve round trips of a window of 100 kB, and four of a megabyte.
    for _ in 0..25 {
        echo(&mut pair, 1, 100);
    }
    let took = echo(&mut pair, 20, 60_000);
    assert!(took < ms(900), "{took:?}");
}
