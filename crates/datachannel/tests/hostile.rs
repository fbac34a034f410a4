//! What a peer may do to an association: RFC 8832 sections 6 and 7, and hostile SCTP.
mod common;

use common::{Link, Pair, Raw, chunk, config, data, ms, reseal, sealed};
use ginnel_core::{Buffer, Instant, Packet, Seed};
use ginnel_datachannel::{
    Association, AssociationConfig, ChannelCloseReason, ChannelConfig, CloseReason, Event, MessageKind, Role,
};

const DCEP: u32 = 50;
const TEXT: u32 = 51;

fn client() -> AssociationConfig {
    config(Role::Client)
}
fn open(label: &[u8]) -> Vec<u8> {
    let mut out = vec![3, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8, 0, 0];
    out.extend_from_slice(label);
    out
}
fn accepted(raw: &Raw) -> usize {
    raw.events.iter().filter(|event| matches!(event, Event::ChannelOpened { .. })).count()
}
fn over(raw: &Raw) -> Option<CloseReason> {
    raw.events.iter().find_map(|event| match event {
        Event::Closed { reason } => Some(*reason),
        _ => None,
    })
}

#[test]
fn an_open_by_the_book_is_acknowledged() {
    let mut raw = Raw::connected(client());
    raw.message(1, 0, DCEP, &open(b"hi"));
    assert_eq!(accepted(&raw), 1);
    let ack = raw.sent.iter().find(|packet| packet[12] == 0).expect("a DATA chunk");
    assert_eq!((&ack[20..22], &ack[24..29]), (&[0, 1][..], &[0, 0, 0, 50, 2][..]));
}

#[test]
fn sec_65_dcep_open_malformed_is_refused_by_reset() {
    let mut long_label = open(b"abc");
    long_label[9] = 200;
    let mut long_protocol = open(b"abc");
    long_protocol[10] = 0xFF;
    let mut channel_type = open(b"abc");
    channel_type[1] = 0x7F;
    let cases: [&[u8]; 8] =
        [&long_label, &long_protocol, &channel_type, &open(b"\xFF\xFE"), &[3], &[3, 0, 0], &[9], &[0x03; 11]];
    for (i, payload) in cases.into_iter().enumerate() {
        let mut raw = Raw::connected(client());
        raw.message(1, 0, DCEP, payload);
        assert_eq!(accepted(&raw), 0, "case {i}");
        assert_eq!(raw.end.stats().dcep_violations, 1, "case {i}");
        assert_eq!(raw.resets(), [1], "case {i}");
        assert!(raw.end.is_connected(), "case {i}");
    }
}

#[test]
fn sec_65_dcep_open_of_the_wrong_parity_is_refused_by_reset() {
    let mut raw = Raw::connected(client());
    raw.message(2, 0, DCEP, &open(b"x"));
    assert_eq!((accepted(&raw), raw.resets()), (0, vec![2]));
    let mut raw = Raw::connected(config(Role::Server));
    raw.message(1, 0, DCEP, &open(b"x"));
    assert_eq!((accepted(&raw), raw.resets()), (0, vec![1]));
}

#[test]
fn sec_65_dcep_open_on_an_open_stream_closes_it() {
    let mut raw = Raw::connected(client());
    raw.message(1, 0, DCEP, &open(b"x"));
    raw.message(1, 1, DCEP, &open(b"y"));
    assert_eq!((accepted(&raw), raw.end.stats().dcep_violations), (1, 1));
    // The reset waits until our ACK is acknowledged (RFC 8831 section 6.7).
    assert_eq!(raw.resets(), []);
    let tsn = raw.sent.iter().find(|packet| packet[12] == 0).unwrap()[16..20].to_vec();
    raw.give_chunks(&[chunk(3, 0, &[&tsn[..], &[0, 16, 0, 0, 0, 0, 0, 0]].concat())]);
    assert_eq!(raw.resets(), [1]);
}

#[test]
fn sec_65_dcep_ack_without_open_is_refused() {
    let mut raw = Raw::connected(client());
    raw.message(1, 0, DCEP, &[2]);
    assert_eq!((raw.end.stats().dcep_violations, raw.resets()), (1, vec![1]));
    // A second ACK on a channel that is open is counted, and does nothing.
    let id = raw.end.open(raw.now, ChannelConfig::new("x")).unwrap();
    for number in 0..2 {
        raw.message(id.stream_id(), number, DCEP, &[2]);
    }
    assert_eq!(raw.end.stats().dcep_violations, 2);
    assert!(raw.end.send_message(raw.now, id, MessageKind::Text, b"fine").is_ok());
}

#[test]
fn sec_65_channels_beyond_the_bound_are_refused() {
    let mut few = client();
    few.max_channels = 3;
    let mut raw = Raw::connected(few);
    for i in 0..10 {
        raw.message(2 * i + 1, 0, DCEP, &open(b""));
    }
    assert_eq!((accepted(&raw), raw.end.stats().channels_refused), (3, 7));
    assert!(raw.end.is_connected());
}

#[test]
fn sec_65_data_without_a_channel_is_bounded() {
    let mut raw = Raw::connected(client());
    for i in 0..200 {
        raw.message(2 * i + 1, 0, TEXT, b"nobody asked");
    }
    assert_eq!(raw.end.stats().messages_dropped, 200 - 64);
    assert_eq!(raw.end.stats().messages_received, 0);
}

#[test]
fn sec_65_never_ending_message_aborts() {
    let mut small = client();
    small.max_message_size = 10_000;
    let mut raw = Raw::connected(small);
    raw.message(1, 0, DCEP, &open(b"x"));
    for i in 0..20 {
        let fragment = data(if i == 0 { 2 } else { 0 }, raw.tsn, 1, 1, TEXT, &[7; 1000]);
        raw.tsn += 1;
        raw.give_chunks(&[fragment]);
    }
    assert_eq!(over(&raw), Some(CloseReason::PeerViolatedProtocol));
    assert_eq!(raw.sent_kinds().last(), Some(&6), "the peer is told by ABORT");
    assert!(raw.end.is_closed());
}

#[test]
fn sec_65_reassembly_stays_within_the_window() {
    // Fragments with a gap before each: none can ever be put together.
    let mut raw = Raw::connected(client());
    raw.message(1, 0, DCEP, &open(b"x"));
    for i in 0..3000_u32 {
        let tsn = raw.tsn + 2 * i + 1;
        let unordered = 4;
        raw.give_chunks(&[data(unordered, tsn, 1, 0, TEXT, &[7; 1000])]);
    }
    let window = 1024 * 1024;
    let last = raw.sent.iter().rfind(|packet| packet[12] == 3).expect("a SACK");
    let credit = u32::from_be_bytes(last[20..24].try_into().unwrap());
    assert!(credit < 4096, "credit {credit} of {window}");
    assert_eq!(over(&raw), None);
    assert!(raw.sent.iter().all(|packet| packet.len() <= 1191));
}

#[test]
fn sec_65_wrong_verification_tag_changes_nothing() {
    let mut raw = Raw::connected(client());
    let before = raw.sent.len();
    for kind in [0, 2, 3, 6, 7, 8, 10, 11, 14, 130, 192] {
        raw.give(&sealed([0xAB; 4], &[chunk(kind, 0, &[0; 16])]));
    }
    assert_eq!(raw.end.stats().wrong_tags, 11);
    assert_eq!((raw.sent.len(), over(&raw)), (before, None));
    // Only with the T bit may ABORT bear the peer's own tag (RFC 9260 section 8.5.1).
    raw.give(&sealed(Raw::TAG, &[chunk(6, 0, &[])]));
    assert_eq!(over(&raw), None);
    raw.give(&sealed(Raw::TAG, &[chunk(6, 1, &[])]));
    assert_eq!(over(&raw), Some(CloseReason::AbortedByPeer(0)));
}

#[test]
fn sec_65_init_with_addresses_or_zero_length_parameter() {
    let mut init = [[0x22; 4], [0, 16, 0, 0], [0xFF; 4], [0, 0, 0, 5]].concat();
    // IPv4 Address parameters mean nothing over DTLS (RFC 8261 section 6).
    let addresses = [&init[..], &[0, 5, 0, 8, 192, 0, 2, 1]].concat();
    let mut pair = Pair::new(1, Link::GOOD);
    pair.inject(0, &sealed([0; 4], &[chunk(1, 0, &addresses)]));
    assert_eq!(pair.log.last().map(|(_, _, packet)| packet[12]), Some(2), "INIT ACK");
    let answers = pair.log.len();
    init.extend_from_slice(&[0x80, 8, 0, 0]);
    pair.inject(0, &sealed([0; 4], &[chunk(1, 0, &init)]));
    assert_eq!((pair.log.len(), pair.ends[0].stats().malformed_packets), (answers, 1));
}

#[test]
fn sec_65_late_init_does_not_shake_what_is_established() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let inits: Vec<_> =
        pair.log.iter().filter(|(_, _, p)| p[12] == 1).map(|(_, w, p)| (1 - w, p.clone())).collect();
    assert_eq!(inits.len(), 2);
    for (to, init) in inits {
        pair.inject(to, &init);
    }
    pair.run_for(ms(1_000));
    assert!(pair.ends.iter().all(|end| end.is_connected()));
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    pair.ends[0].send_message(pair.now, id, MessageKind::Text, b"still here").unwrap();
    pair.run_for(ms(1_000));
    assert_eq!(pair.messages(1), [b"still here"]);
}

#[test]
fn sec_65_forged_or_stale_cookie_echo_is_dropped() {
    let mut pair = Pair::new(1, Link::GOOD);
    let tag: [u8; 4] = pair.ends[0].local_init()[4..8].try_into().unwrap();
    pair.inject(0, &sealed(tag, &[chunk(10, 0, &[0x55; 32])]));
    assert!(!pair.ends[0].is_connected());
    assert_eq!(pair.ends[0].stats().ignored_chunks, 1);
    // A stale cookie begins the handshake anew, and nothing that was sent is lost.
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    pair.ends[0].send_message(pair.now, id, MessageKind::Text, b"kept").unwrap();
    pair.ends[0].start(pair.now);
    pair.run_until(ms(100), |p| p.log.iter().any(|(_, who, packet)| *who == 0 && packet[12] == 10));
    pair.inject(0, &sealed(tag, &[chunk(9, 0, &[0, 3, 0, 8, 0, 0, 0, 1])]));
    assert!(pair.run_until(ms(5_000), |p| p.messages(1) == [b"kept"]));
    assert_eq!(pair.ends[0].stats().errors_received, 1);
}

#[test]
fn sec_65_zero_length_and_overrunning_chunks_are_dropped() {
    let mut raw = Raw::connected(client());
    for (length, body) in [(0_u16, 0), (3, 0), (200, 4), (0xFFFF, 8)] {
        let mut bad = chunk(0, 3, &vec![0; body]);
        bad[2..4].copy_from_slice(&length.to_be_bytes());
        raw.give_chunks(&[bad]);
    }
    assert_eq!(raw.end.stats().malformed_packets, 4);
    raw.give(&[]);
    raw.give(&[0x13, 0x88]);
    assert_eq!((raw.end.stats().malformed_packets, over(&raw)), (6, None));
}

#[test]
fn sec_65_duplicate_tsn_flood_and_far_gaps() {
    let mut raw = Raw::connected(client());
    raw.message(1, 0, DCEP, &open(b"x"));
    for _ in 0..5_000 {
        raw.give_chunks(&[data(3, 1, 1, 0, DCEP, &open(b"x"))]);
    }
    assert_eq!(accepted(&raw), 1);
    for far in [1 << 31, (1 << 31) + 5, u32::MAX - 3, 100_000] {
        raw.give_chunks(&[data(3, far, 1, 9, TEXT, b"far")]);
    }
    raw.message(1, 1, TEXT, b"next");
    let got = raw.events.iter().any(|e| matches!(e, Event::Message { data, .. } if &data[..] == b"next"));
    assert!(got, "the next message in order arrives all the same");
    assert!(raw.sent.iter().all(|packet| packet.len() <= 1191));
}

#[test]
fn sec_65_forward_tsn_far_ahead_and_false_sack() {
    let mut raw = Raw::connected(client());
    raw.give_chunks(&[chunk(192, 0, &(1_u32 << 30).to_be_bytes())]);
    assert!(raw.end.is_connected());
    // It acknowledges what was never sent: RFC 9260 leaves nothing but to end.
    raw.give_chunks(&[chunk(3, 0, &[0x7F, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0])]);
    raw.wait(ms(1_000));
    assert!(raw.end.is_connected() || raw.sent_kinds().last() == Some(&6));
}

#[test]
fn chunks_that_the_library_does_not_know_are_skipped() {
    let mut raw = Raw::connected(client());
    // PAD (RFC 4820), HEARTBEAT ACK, ERROR, an unknown type that says *skip*: the DATA behind them counts.
    for (i, kind) in [0x84, 5, 9, 0xBF].into_iter().enumerate() {
        let first = chunk(kind, 0, &[0, 1, 0, 4]);
        let tsn = raw.tsn;
        raw.tsn += 1;
        raw.give_chunks(&[first, data(3, tsn, 2 * i as u16 + 1, 0, DCEP, &open(b"x"))]);
    }
    assert_eq!(accepted(&raw), 4);
    // Of a type that says *stop* nothing behind it is looked at.
    raw.give_chunks(&[chunk(0x3F, 0, &[]), data(3, raw.tsn, 99, 0, DCEP, &open(b"x"))]);
    // Nor does a reset of a kind that nobody asked for end anything: Add Outgoing Streams, RFC 6525 section 4.5.
    raw.give_chunks(&[chunk(130, 0, &[0, 17, 0, 12, 0, 0, 0, 1, 0, 1, 0, 0])]);
    assert_eq!((accepted(&raw), over(&raw)), (4, None));
}

#[test]
fn a_heartbeat_is_answered() {
    let mut raw = Raw::connected(client());
    raw.give_chunks(&[chunk(4, 0, &[0, 1, 0, 8, 1, 2, 3, 4])]);
    let answer = raw.sent.iter().find(|packet| packet[12] == 5).expect("HEARTBEAT ACK");
    assert_eq!(answer[16..24], [0, 1, 0, 8, 1, 2, 3, 4]);
}

#[test]
fn a_refused_channel_says_so() {
    let mut few = client();
    few.max_channels = 1;
    let mut pair = Pair::with(1, Link::GOOD, config(Role::Server), few);
    pair.start();
    let ids: Vec<_> = (0..2).map(|_| pair.ends[0].open(pair.now, ChannelConfig::new("")).unwrap()).collect();
    pair.run_for(ms(5_000));
    let closed: Vec<_> = pair.events[0].iter().filter(|e| matches!(e, Event::ChannelClosed { .. })).collect();
    assert_eq!(closed, [&Event::ChannelClosed { channel: ids[1], reason: ChannelCloseReason::Refused }]);
}

#[test]
fn mutated_packets_change_nothing_but_counters() {
    let mut pair = Pair::connected(1, Link::GOOD);
    let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
    for i in 0..100_u8 {
        pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &[i; 300]).unwrap();
    }
    pair.run_for(ms(5_000));
    let packets: Vec<_> = pair.log.iter().map(|(_, who, packet)| (1 - who, packet.clone())).collect();
    let events = pair.events.clone();
    let mut rng = ginnel_core::Seed::new([1; 32]).into_rng();
    for (to, packet) in &packets {
        for _ in 0..20 {
            let mut bad = packet.clone();
            let at = rng.below(bad.len() as u64) as usize;
            bad[at] ^= 1 << rng.below(8);
            pair.inject(*to, &bad);
            pair.inject(*to, &bad[..at]);
        }
    }
    pair.run_for(ms(1_000));
    assert_eq!(pair.events, events);
    assert!(pair.ends[1].stats().malformed_packets + pair.ends[1].stats().wrong_tags > 100);
    pair.ends[0].send_message(pair.now, id, MessageKind::Binary, b"after").unwrap();
    pair.run_for(ms(1_000));
    assert_eq!(pair.messages(1).last().unwrap(), b"after");
}

#[test]
fn mutations_with_true_checksums_panic_nowhere() {
    for seed in 0..30 {
        let mut pair = Pair::connected(seed, Link::GOOD);
        let id = pair.ends[0].open(pair.now, ChannelConfig::new("x")).unwrap();
        for i in 0..10_u8 {
            pair.ends[0].send_message(pair.now, id, MessageKind::Binary, &[i; 2000]).unwrap();
        }
        pair.run_for(ms(100));
        pair.ends[0].close_channel(pair.now, id);
        pair.run_for(ms(1000));
        let packets: Vec<_> = pair.log.iter().map(|(_, who, packet)| (1 - who, packet.clone())).collect();
        let mut rng = ginnel_core::Seed::new([seed; 32]).into_rng();
        for (to, packet) in &packets {
            let mut bad = packet.clone();
            let at = 12 + rng.below(bad.len() as u64 - 12) as usize;
            bad[at] = rng.octets::<1>()[0];
            reseal(&mut bad);
            pair.inject(*to, &bad);
        }
        pair.run_for(ms(10_000));
    }
}

/// RFC 9260 section 9.2: in SHUTDOWN-SENT a peer acknowledges by SHUTDOWN alone.
#[test]
fn a_shutdown_acknowledges_what_was_sent() {
    let mut raw = Raw::connected(client());
    let id = raw.end.open(raw.now, ChannelConfig::new("late")).unwrap();
    raw.end.send_message(raw.now, id, MessageKind::Text, b"on its way").unwrap();
    raw.wait(ms(1));
    let last = |raw: &Raw| raw.sent.iter().rfind(|packet| packet[12] == 0).expect("DATA").clone();
    // DCEP's OPEN and the message share the packet, or follow one another.
    let tsn = u32::from_be_bytes(raw.end.local_init()[16..20].try_into().unwrap()).wrapping_add(1);
    assert!(last(&raw).windows(10).any(|octets| octets == b"on its way"));
    raw.give_chunks(&[chunk(7, 0, &tsn.wrapping_sub(2).to_be_bytes())]);
    assert!(!raw.sent_kinds().contains(&8), "nothing is acknowledged yet");
    raw.give_chunks(&[chunk(7, 0, &tsn.to_be_bytes())]);
    assert!(raw.sent_kinds().contains(&8), "SHUTDOWN ACK: {:?}", raw.sent_kinds());
    raw.give_chunks(&[chunk(14, 0, &[])]);
    assert_eq!(over(&raw), Some(CloseReason::Remote));
}

/// RFC 9260 section 5.2.4, case D: both ends began, and the peer's INIT and INIT ACK announce different streams, as usrsctp's
/// do. What came between its COOKIE ECHO's departure and arrival is not taken twice.
#[test]
fn a_late_cookie_echo_of_the_same_peer_keeps_what_was_received() {
    let mut end = Association::new(client(), Seed::new([4; 32]));
    let now = Instant::EPOCH;
    let id = end.open(now, ChannelConfig::new("").with_negotiated(6)).unwrap();
    end.start(now);
    let tag: [u8; 4] = end.local_init()[4..8].try_into().unwrap();
    let init = |streams: u16| {
        let mut value = Raw::TAG.to_vec();
        value.extend_from_slice(&0x0010_0000_u32.to_be_bytes());
        value.extend_from_slice(&streams.to_be_bytes());
        value.extend_from_slice(&[0xFF, 0xFF, 0, 0, 0, 1, 0xC0, 0, 0, 4, 0x80, 8, 0, 6, 130, 192, 0, 0]);
        value
    };
    let give = |end: &mut Association, packet: &[u8]| {
        let mut buffer: Buffer = [0; 2048];
        let mut received = Packet::empty(&mut buffer);
        received.append(packet).unwrap();
        let _ = end.handle_input(now, &mut received);
        let mut sent = Vec::new();
        while end.poll_transmit(now, &mut received) {
            sent.push(received.bytes().to_vec());
        }
        sent
    };
    let answers = give(&mut end, &sealed([0; 4], &[chunk(1, 0, &init(2048))]));
    let ack = answers.iter().find(|packet| packet[12] == 2).expect("an INIT ACK");
    let at = ack.windows(4).position(|octets| octets == [0, 7, 0, 36]).expect("a cookie") + 4;
    let echo = sealed(tag, &[chunk(10, 0, &ack[at..at + 32])]);
    let mut value = init(65_535);
    value.extend_from_slice(&[0, 7, 0, 8, 1, 2, 3, 4]);
    give(&mut end, &sealed(tag, &[chunk(2, 0, &value)]));
    let message = sealed(tag, &[data(3, 1, 6, 0, TEXT, b"once")]);
    give(&mut end, &message);
    give(&mut end, &echo);
    assert!(end.is_connected());
    give(&mut end, &message);
    let mut got = Vec::new();
    while let Some(event) = end.poll_event() {
        if let Event::Message { channel, data, .. } = event {
            got.push((channel, data));
        }
    }
    assert_eq!(got, [(id, "once".into())]);
}
