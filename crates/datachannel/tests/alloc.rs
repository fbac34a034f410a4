//! What is allocated: nothing where nothing is kept. The SCTP library allocates for each packet and chunk; how much is
//! bounded here, so that it cannot grow unseen.
mod common;

use common::{Link, Pair, ms, sealed};
use ginnel_alloc_counter::{Counting, allocations, assert_installed};
use ginnel_core::{Buffer, Packet};
use ginnel_datachannel::{ChannelConfig, MessageKind, SendError};
#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn asking_and_refusing_allocate_nothing() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    pair.run_for(ms(1_000));
    while pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &[0; 60_000]).is_ok() {}
    let now = pair.now;
    let foreign = sealed([0xAA; 4], &[common::data(3, 1, 0, 0, 53, b"not for us")]);
    let mut buffer = vec![0; 2048];
    buffer[640..640 + foreign.len()].copy_from_slice(&foreign);
    let [a, b] = &mut pair.ends;
    assert_installed();
    let (n, ()) = allocations(|| {
        for _ in 0..100 {
            assert_eq!(a.send_message(now, id, MessageKind::Binary, &[0; 60_000]), Err(SendError::Full));
            assert!(a.poll_event().is_none() && a.buffered_amount(id) > 0);
            let _ = (a.poll_timeout(), a.stats());
            let mut packet = Packet::received(&mut buffer, 640..640 + foreign.len()).unwrap();
            let _ = b.handle_input(now, &mut packet);
            assert!(b.poll_event().is_none());
        }
    });
    assert_eq!(n, 0);
    assert_eq!(b.stats().wrong_tags, 100);
}

#[test]
fn a_message_of_one_packet_costs_a_bounded_number() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    pair.run_for(ms(1_000));
    let message = [7; 1000];
    let mut buffer: Buffer = [0; 2048];
    let [a, b] = &mut pair.ends;
    let mut now = pair.now;
    let mut exchange = |n: u32| {
        for _ in 0..n {
            a.send_message(now, id, MessageKind::Binary, &message).unwrap();
            let mut packet = Packet::empty(&mut buffer);
            while a.poll_transmit(now, &mut packet) {
                let _ = b.handle_input(now, &mut packet);
            }
            while b.poll_event().is_some() {}
            while b.poll_transmit(now, &mut packet) {
                let _ = a.handle_input(now, &mut packet);
            }
            now += ms(1);
            a.handle_timeout(now);
            b.handle_timeout(now);
        }
    };
    exchange(1000);
    let (n, ()) = allocations(|| exchange(1000));
    // Measured: see the README. Both ends together, acknowledgements included.
    println!("{} allocations for each message of 1,000 octets", n as f64 / 1000.0);
    assert!(n < 40 * 1000, "{n} for 1,000 messages");
}
