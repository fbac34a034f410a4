//! The tests of streams: `ginnel_driver::stream_tests!(Tokio, block_on)`.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use ginnel_core::{
    Epoch, Framing, Instant, Notice, Path, Port, Refused, Request, Ticket, Transmit, Transport,
};
use socket2::SockRef;

use super::{
    LOCALHOST, PATIENCE, nobody,
    node::{CONNECT, LISTEN, Log, Node, connect, listen},
    patiently, race, turns,
};
use crate::{App, Config, Driver, Limits, Runtime};

/// Makes one test of each function below, for a runtime and the function that runs a future on it.
#[macro_export]
macro_rules! stream_tests {
    ($runtime:expr, $block_on:expr) => {
        $crate::loop_tests!(@ $runtime, $block_on;
            streams_carry_messages_both_ways
            a_loop_that_nobody_wakes_misses_nothing
            a_stream_that_is_lost_can_be_opened_again_at_once
            one_who_comes_again_from_where_he_was_is_another
            a_thousand_streams_leave_nothing_behind
            sec_40_messages_are_cut_alike_wherever_segments_break
            sec_40_an_accepted_stream_may_not_be_idle_for_long
            sec_40_a_stream_that_brings_no_whole_message_for_long_is_closed
            sec_41_ten_thousand_silent_streams_take_no_more_than_their_share
            a_held_stream_is_not_read_until_it_is_told_how
            what_is_read_too_far_obeys_the_new_framing
            joined_streams_pass_what_comes_and_what_had_come
            a_slow_reader_holds_back_the_other_end_and_not_the_loop
            ends_pass_through_joined_streams_one_by_one
            joined_streams_end_together
            joined_streams_keep_to_their_rate
            joined_streams_share_a_rate_by_turns
            joined_streams_may_rest_but_not_for_ever
            a_raw_stream_ends_rather_than_lose_octets
            a_stream_moves_to_another_driver
            a_client_speaks_raw
            sec_41_one_stream_more_than_the_limit_is_reset
            sec_41_one_source_does_not_take_the_place_of_all
            a_peer_that_never_reads_costs_no_more_than_the_limit
            a_peer_that_resets_ends_its_own_stream_alone
            what_is_no_message_ends_the_stream
            last_words_are_delivered_and_then_the_end
            a_closed_machine_says_its_last_words_on_streams
            a_port_where_nobody_listens_refuses
            connecting_takes_no_longer_than_it_may
            streams_begin_where_others_are_taken_in
            a_released_listener_leaves_its_streams
            what_no_driver_has_is_unsupported
        );
    };
}

pub(super) type Driven<R> = (Driver<R, Node>, Log);

pub(super) fn node<R: Runtime + Clone>(runtime: &R, config: Config, machine: Node) -> Driven<R> {
    (Driver::with_config(config, runtime.clone(), Epoch::start(), machine), Log::default())
}

/// Runs nodes until the condition holds.
pub(super) async fn until<R: Runtime>(
    runtime: &R,
    nodes: &mut [&mut Driven<R>],
    mut done: impl FnMut(&mut [&mut Driven<R>]) -> bool,
) {
    patiently(runtime, async {
        while !done(nodes) {
            for (driver, log) in nodes.iter_mut() {
                let _ = race(driver.run(log), turns(1)).await;
            }
        }
    })
    .await;
}

/// A node that listens, and where.
pub(super) async fn server<R: Runtime + Clone>(
    runtime: &R,
    config: Config,
    machine: Node,
    request: Request,
) -> (Driven<R>, SocketAddr) {
    let mut server = node(runtime, config, machine);
    server.0.with(|node, _| node.ask(request));
    until(runtime, &mut [&mut server], |nodes| nodes[0].1.opened(LISTEN).is_some()).await;
    let at = server.1.opened(LISTEN).and_then(Result::ok).expect("a listener");
    (server, at)
}

/// A client of the standard library, which does not wait.
pub(super) fn raw(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("somebody listens");
    stream.set_nonblocking(true).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// The other end of a stream, in a thread, so that nothing but the stream wakes this side.
#[allow(clippy::disallowed_methods, reason = "no machine runs in it")]
pub(super) fn beside<T: Send + 'static>(
    peer: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    std::thread::spawn(peer)
}

/// Reads what there is; whether the stream has ended.
pub(super) fn slurp(stream: &mut TcpStream, into: &mut Vec<u8>) -> bool {
    let mut buf = [0; 16_384];
    loop {
        match stream.read(&mut buf) {
            Ok(0) => return true,
            Ok(count) => into.extend(&buf[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
    }
}

pub(super) fn stun(number: u8, length: u16) -> Vec<u8> {
    let mut message = vec![0, 1];
    message.extend(length.to_be_bytes());
    message.extend([0x21, 0x12, 0xa4, 0x42]);
    message.resize(20 + usize::from(length), number);
    message
}

fn channel_data(number: u8, length: u16) -> Vec<u8> {
    let mut message = vec![0x40, number];
    message.extend(length.to_be_bytes());
    message.resize(4 + usize::from(length), number);
    message
}

/// Messages of both kinds and all sizes, and the stream that they make.
fn interleaved() -> (Vec<Vec<u8>>, Vec<u8>) {
    let messages = vec![
        stun(1, 0),
        channel_data(2, 1),
        channel_data(3, 0),
        stun(4, 1_000),
        channel_data(5, 65_535),
        stun(6, 8),
        channel_data(7, 1_203),
        stun(8, 65_532),
        channel_data(9, 2),
        stun(10, 4),
    ];
    let padded = |message: &Vec<u8>| {
        let mut padded = message.clone();
        padded.resize(message.len().next_multiple_of(4), 0);
        padded
    };
    let stream = messages.iter().flat_map(padded).collect();
    (messages, stream)
}

pub async fn streams_carry_messages_both_ways<R: Runtime + Clone>(runtime: R) {
    for framing in [Framing::Stun, Framing::Rfc4571] {
        let config = Config::default();
        let request = listen(Transport::Tcp, framing);
        let (mut server, at) = server(&runtime, config.clone(), Node::echo(), request).await;
        let mut client = node(&runtime, config, Node::default());
        client.0.with(|node, _| node.ask(connect(Transport::Tcp, at, framing)));
        let mut both = [&mut server, &mut client];
        until(&runtime, &mut both, |nodes| {
            nodes[1].1.opened(CONNECT).is_some() && !nodes[0].1.accepted().is_empty()
        })
        .await;
        let local = both[1].1.opened(CONNECT).and_then(Result::ok).expect("connected");
        let path = Path::new(Transport::Tcp, local, at);
        assert_eq!(both[0].1.accepted(), [path.reversed()]);

        let messages = [stun(1, 0), channel_data(2, 5), channel_data(3, 1_200), stun(4, 400)];
        both[1].0.with(|node, _| messages.iter().for_each(|message| node.say(path, message)));
        assert_eq!(both[1].0.send(&stun(5, 4), |_, _, _| Ok::<_, ()>(Transmit::to(path))), Ok(()));
        until(&runtime, &mut both, |nodes| nodes[1].1.messages.len() == 5).await;
        let expected: Vec<_> =
            messages.iter().chain([&stun(5, 4)]).map(|message| (path, message.clone())).collect();
        assert_eq!(both[1].1.messages, expected, "whole, in order, without padding");
        let stats = both[0].0.stats();
        assert_eq!((stats.accepted, stats.messages_received, stats.messages_sent), (1, 5, 5));

        both[1].0.with(|node, _| node.ask(Request::release(path)));
        until(&runtime, &mut both, |nodes| nodes[0].1.lost(path.reversed())).await;
        until(&runtime, &mut both, |nodes| nodes[0].0.streams() == 0 && nodes[1].0.streams() == 0).await;
        assert!(!both[1].1.lost(path), "who has released it knows");
        let _ = both[1].0.send(b"late", |_, _, _| Ok::<_, ()>(Transmit::to(path)));
        assert_eq!(both[1].0.stats().not_open, 1);
    }
}

/// Closes its machine when a stream is lost for the last time, and opens another before.
pub(super) struct Until {
    pub(super) lost: usize,
    pub(super) again: Option<Request>,
}

impl App<Node> for Until {
    fn event(&mut self, now: Instant, node: &mut Node, notice: Notice) {
        match (notice, self.again) {
            (Notice::Lost { .. }, _) if self.lost == 1 => node.close(now),
            (Notice::Lost { .. }, again) => {
                self.lost -= 1;
                again.into_iter().for_each(|request| node.ask(request));
            }
            _ => {}
        }
    }
}

pub async fn a_loop_that_nobody_wakes_misses_nothing<R: Runtime + Clone>(runtime: R) {
    // Other tests poll their loops over and over. Here the sockets alone do, since the other end is in a thread.
    const ROUNDS: usize = 100;
    let (mut server, at) =
        server(&runtime, Config::default(), Node::echo(), listen(Transport::Tcp, Framing::Rfc4571)).await;
    let peer = beside(move || {
        let mut stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(PATIENCE / 2))?;
        stream.set_nodelay(true)?;
        for _ in 0..ROUNDS {
            // In two writes, so that messages come in part as well.
            stream.write_all(b"\0\x04pi")?;
            stream.write_all(b"ng")?;
            stream.read_exact(&mut [0; 6])?;
        }
        Ok::<_, io::Error>(())
    });
    patiently(&runtime, server.0.run(&mut Until { lost: 1, again: None })).await;
    peer.join().expect("a thread").expect("answers");
    assert_eq!(server.0.stats().messages_received, ROUNDS as u64);
}

pub async fn a_stream_that_is_lost_can_be_opened_again_at_once<R: Runtime + Clone>(runtime: R) {
    const TIMES: usize = 20;
    let listener = TcpListener::bind((LOCALHOST, 0)).expect("loopback");
    let at = listener.local_addr().expect("an address");
    let peer = beside(move || (0..TIMES).try_for_each(|_| listener.accept().map(drop)));
    let mut client = node(&runtime, Config::default(), Node::default());
    let request = connect(Transport::Tcp, at, Framing::Stun);
    client.0.with(|node, _| node.ask(request));
    patiently(&runtime, client.0.run(&mut Until { lost: TIMES, again: Some(request) })).await;
    peer.join().expect("a thread").expect("streams");
    assert_eq!(client.0.streams(), 0);
}

/// A socket at a port that no system gives out by itself: other tests, which take what they are given, do not take it when
/// this one lets go of it for a moment.
fn at_a_port_of_its_own() -> socket2::Socket {
    let first = 10_000 + std::process::id() * 16 % 20_000;
    let free = (first..first + 16).filter_map(|port| u16::try_from(port).ok()).find_map(|port| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).ok()?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).ok()?;
        Some(socket)
    });
    free.expect("one of sixteen ports is free")
}

pub async fn one_who_comes_again_from_where_he_was_is_another<R: Runtime + Clone>(runtime: R) {
    let (mut server, at) =
        server(&runtime, Config::default(), Node::echo(), listen(Transport::Tcp, Framing::Rfc4571)).await;
    let first = at_a_port_of_its_own();
    let from = first.local_addr().expect("an address");
    first.connect(&at.into()).expect("somebody listens");
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == 1).await;
    let path = server.1.accepted()[0];
    // The listener has something before the stream does: so the loop hears of the second stream before the first one's end.
    let _other = raw(at);
    first.set_linger(Some(Duration::ZERO)).expect("a socket");
    drop(first);
    let again = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    again.bind(&from).expect("free after a reset");
    again.connect(&at.into()).expect("somebody listens");
    let mut again = TcpStream::from(again);
    again.set_nonblocking(true).expect("a socket");
    again.write_all(b"\0\x02hi").expect("room");
    let mut back = Vec::new();
    until(&runtime, &mut [&mut server], |_| slurp(&mut again, &mut back) || back.len() == 4).await;
    assert_eq!((back, server.0.streams()), (b"\0\x02hi".to_vec(), 2));
    let of_it: Vec<bool> = server
        .1
        .notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Accepted { path: accepted, .. } => (*accepted == path).then_some(true),
            lost => lost.ends(path).then_some(false),
        })
        .collect();
    assert_eq!(of_it, [true, false, true], "accepted, lost, accepted");
    server.0.with(|node, now| node.close(now));
    patiently(&runtime, server.0.run(&mut server.1)).await;
}

pub async fn a_thousand_streams_leave_nothing_behind<R: Runtime + Clone>(runtime: R) {
    const ROUNDS: usize = 100;
    let config = Config::default().with_limits(Limits::default().with_accepted(20, 20));
    let (mut server, at) =
        server(&runtime, config, Node::echo(), listen(Transport::Tcp, Framing::Stun)).await;
    let mut client = node(&runtime, Config::default(), Node::default());
    let request = connect(Transport::Tcp, at, Framing::Stun);
    for round in 0..ROUNDS {
        // Some are reset, some end in the middle of a message, some speak nonsense; some are a client's.
        let mut strangers: Vec<TcpStream> = (0..8).map(|_| raw(at)).collect();
        client.0.with(|node, _| (0..2).for_each(|_| node.ask(request)));
        let (open, theirs) = (2 * (round + 1), 10 * (round + 1));
        until(&runtime, &mut [&mut server, &mut client], |nodes| {
            let opened = nodes[1].1.notices.iter().filter(|notice| matches!(notice, Notice::Opened { .. }));
            opened.count() == open && nodes[0].1.accepted().len() == theirs
        })
        .await;
        for (number, stranger) in strangers.iter_mut().enumerate() {
            let said: &[u8] = if number % 2 == 0 { &[0, 1, 0] } else { &[0xff; 8] };
            stranger.write_all(said).expect("room");
            SockRef::from(&*stranger).set_linger(Some(Duration::ZERO)).expect("a socket");
        }
        drop(strangers);
        let locals: Vec<SocketAddr> = client
            .1
            .notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::Opened { result, .. } => result.ok(),
                _ => None,
            })
            .collect();
        client.0.with(|node, _| {
            // Twice does no harm.
            for local in locals.iter().rev().take(2).flat_map(|local| [local, local]) {
                node.ask(Request::release(Path::new(Transport::Tcp, *local, at)));
            }
        });
        until(&runtime, &mut [&mut server, &mut client], |nodes| {
            nodes[0].0.streams() + nodes[1].0.streams() == 0
        })
        .await;
    }
    assert_eq!((server.0.traces(), client.0.traces()), ([0; 5], [0; 5]));
    let lost = server.1.notices.iter().filter(|notice| matches!(notice, Notice::Lost { .. })).count();
    assert_eq!((lost, server.0.stats().accept_refused), (10 * ROUNDS, 0));
    assert!(client.1.notices.iter().all(|notice| matches!(notice, Notice::Opened { result: Ok(_), .. })));
}

pub async fn sec_40_messages_are_cut_alike_wherever_segments_break<R: Runtime + Clone>(runtime: R) {
    let (messages, stream) = interleaved();
    for sizes in [&[1, 2, 3][..], &[4_093], &[1_460], &[usize::MAX]] {
        let limits = Limits::default().with_unsent(300_000, Duration::from_secs(60));
        let config = Config::default().with_limits(limits);
        let (mut server, at) =
            server(&runtime, config.clone(), Node::default(), listen(Transport::Tcp, Framing::Stun)).await;
        let mut client = raw(at);
        let (mut rest, mut sizes) = (&stream[..], sizes.iter().cycle());
        // One octet at a time up to the first long message, and behind it again: in between it only takes long.
        until(&runtime, &mut [&mut server], |nodes| {
            let in_long = nodes[0].1.messages.len() == 4 || nodes[0].1.messages.len() == 7;
            let size = sizes.next().copied().unwrap_or(1) * if in_long { 97 } else { 1 };
            if let Ok(count) = client.write(&rest[..rest.len().min(size)]) {
                rest = &rest[count..];
            }
            nodes[0].1.messages.len() == messages.len()
        })
        .await;
        assert_eq!(server.1.bytes(), messages);
        // And back: what is padding on the wire is added again.
        let path = server.1.accepted()[0];
        for message in messages.iter().filter(|message| message.len() < 1_500) {
            server.0.with(|node, _| node.say(path, message));
        }
        let short: usize =
            messages.iter().map(|m| m.len().next_multiple_of(4)).filter(|padded| *padded < 1_500).sum();
        let mut back = Vec::new();
        until(&runtime, &mut [&mut server], |_| {
            slurp(&mut client, &mut back);
            back.len() >= short
        })
        .await;
        assert_eq!(back.len(), short);
    }
}

pub async fn sec_40_an_accepted_stream_may_not_be_idle_for_long<R: Runtime + Clone>(runtime: R) {
    let config = Config::default().with_limits(Limits::default().with_idle(Duration::from_secs(2)));
    let (mut server, at) =
        server(&runtime, config, Node::default(), listen(Transport::Tcp, Framing::Stun)).await;
    let (mut idle, mut busy) = (raw(at), raw(at));
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == 2).await;
    let path = Path::new(Transport::Tcp, at, idle.local_addr().expect("an address"));
    let mut octets = 0_usize;
    // A few octets of one message that is never whole keep the other stream.
    let epoch = Epoch::start();
    let (mut wrote, mut ended) = (epoch.now(), false);
    until(&runtime, &mut [&mut server], |nodes| {
        if epoch.now().saturating_since(wrote) > Duration::from_millis(100) {
            wrote = epoch.now();
            octets += busy.write(&[0, 1, 0xff, 0xfc][octets % 4..=octets % 4]).unwrap_or(0);
        }
        ended |= slurp(&mut idle, &mut Vec::new());
        nodes[0].1.lost(path) && ended
    })
    .await;
    assert_eq!((server.0.stats().streams_idle, server.0.streams()), (1, 1));
}

pub async fn sec_41_one_stream_more_than_the_limit_is_reset<R: Runtime + Clone>(runtime: R) {
    const LIMIT: usize = 40;
    let config = Config::default().with_limits(Limits::default().with_accepted(LIMIT, LIMIT));
    let (mut server, at) =
        server(&runtime, config, Node::echo(), listen(Transport::Tcp, Framing::Rfc4571)).await;
    let mut clients: Vec<TcpStream> = (0..LIMIT).map(|_| raw(at)).collect();
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == LIMIT).await;
    let mut late = raw(at);
    until(&runtime, &mut [&mut server], |_| slurp(&mut late, &mut Vec::new())).await;
    assert_eq!((server.0.streams(), server.0.stats().accept_refused), (LIMIT, 1));
    assert_eq!(server.1.accepted().len(), LIMIT, "the machine hears nothing of it");
    // The others are as they were,
    for client in &mut clients {
        client.write_all(b"\0\x02hi").expect("room");
    }
    for client in &mut clients {
        let mut back = Vec::new();
        until(&runtime, &mut [&mut server], |_| slurp(client, &mut back) || back.len() == 4).await;
        assert_eq!(back, b"\0\x02hi");
    }
    // and when one of them goes there is room again.
    drop(clients.pop());
    until(&runtime, &mut [&mut server], |nodes| nodes[0].0.streams() < LIMIT).await;
    let _next = raw(at);
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == LIMIT + 1).await;
    assert_eq!(server.0.stats().accept_refused, 1);
}

pub async fn sec_41_one_source_does_not_take_the_place_of_all<R: Runtime + Clone>(runtime: R) {
    let config = Config::default().with_limits(Limits::default().with_accepted(100, 3));
    let (mut server, at) =
        server(&runtime, config, Node::default(), listen(Transport::Tcp, Framing::Stun)).await;
    let _greedy: Vec<TcpStream> = (0..10).map(|_| raw(at)).collect();
    until(&runtime, &mut [&mut server], |nodes| nodes[0].0.stats().accept_refused == 7).await;
    assert_eq!(server.0.streams(), 3);
    if cfg!(target_os = "linux") {
        // Another address of this host, which only Linux has without being told.
        let other =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        other.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, 77), 0)).into()).expect("loopback");
        other.connect(&at.into()).expect("somebody listens");
        until(&runtime, &mut [&mut server], |nodes| nodes[0].0.streams() == 4).await;
    }
}

pub async fn a_peer_that_never_reads_costs_no_more_than_the_limit<R: Runtime + Clone>(runtime: R) {
    let limits = Limits::default().with_unsent(10_000, Duration::from_secs(2));
    let config = Config::default().with_limits(limits);
    let (mut server, at) =
        server(&runtime, config, Node::default(), listen(Transport::Tcp, Framing::Rfc4571)).await;
    let (mut deaf, mut listener) = (raw(at), raw(at));
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == 2).await;
    let to = |client: &TcpStream| Path::new(Transport::Tcp, at, client.local_addr().expect("an address"));
    let (deaf_path, other_path) = (to(&deaf), to(&listener));
    // Until the buffers of the system and ours are full.
    until(&runtime, &mut [&mut server], |nodes| {
        nodes[0].0.with(|node, _| (0..100).for_each(|_| node.say(deaf_path, &[7; 1_200])));
        nodes[0].0.stats().messages_dropped > 0
    })
    .await;
    // It holds up nobody else,
    server.0.with(|node, _| node.say(other_path, b"hi"));
    let mut heard = Vec::new();
    until(&runtime, &mut [&mut server], |_| slurp(&mut listener, &mut heard) || heard.len() == 4).await;
    assert_eq!(heard, b"\0\x02hi");
    // what was dropped was dropped whole,
    let before = server.0.stats().messages_sent;
    let mut all = Vec::new();
    until(&runtime, &mut [&mut server], |_| {
        slurp(&mut deaf, &mut all);
        all.len() as u64 == (before - 1) * 1_202
    })
    .await;
    assert!(all.chunks(1_202).all(|frame| frame[..3] == [4, 0xb0, 7]));
    assert!(!server.1.lost(deaf_path), "it does read after all");
    // and one who never does is let go.
    until(&runtime, &mut [&mut server], |nodes| {
        nodes[0].0.with(|node, _| (0..100).for_each(|_| node.say(deaf_path, &[7; 1_200])));
        nodes[0].1.lost(deaf_path)
    })
    .await;
    assert_eq!((server.0.stats().streams_stalled, server.0.streams()), (1, 1));
}

pub async fn a_peer_that_resets_ends_its_own_stream_alone<R: Runtime + Clone>(runtime: R) {
    let (mut server, at) =
        server(&runtime, Config::default(), Node::echo(), listen(Transport::Tcp, Framing::Rfc4571)).await;
    let (rude, mut other) = (raw(at), raw(at));
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == 2).await;
    let path = Path::new(Transport::Tcp, at, rude.local_addr().expect("an address"));
    SockRef::from(&rude).set_linger(Some(Duration::ZERO)).expect("a socket");
    drop(rude);
    // Answering into it does no harm either.
    server.0.with(|node, _| node.say(path, b"anybody?"));
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.lost(path)).await;
    other.write_all(b"\0\x01x").expect("room");
    let mut back = Vec::new();
    until(&runtime, &mut [&mut server], |_| slurp(&mut other, &mut back) || back.len() == 3).await;
    assert_eq!((back, server.0.streams()), (b"\0\x01x".to_vec(), 1));
}

pub async fn what_is_no_message_ends_the_stream<R: Runtime + Clone>(runtime: R) {
    let (mut server, at) =
        server(&runtime, Config::default(), Node::default(), listen(Transport::Tcp, Framing::Stun)).await;
    let mut client = raw(at);
    // A message, and then TLS where none is spoken.
    client.write_all(&[&stun(1, 4)[..], &[0x16, 3, 1, 2, 0, 1]].concat()).expect("room");
    until(&runtime, &mut [&mut server], |_| slurp(&mut client, &mut Vec::new())).await;
    let path = Path::new(Transport::Tcp, at, client.local_addr().expect("an address"));
    assert!(server.1.lost(path));
    assert_eq!(server.1.bytes(), [stun(1, 4)], "what came before counts");
    assert_eq!((server.0.stats().streams_malformed, server.0.streams()), (1, 0));
}

pub async fn last_words_are_delivered_and_then_the_end<R: Runtime + Clone>(runtime: R) {
    let limits =
        Limits::default().with_unsent(4 << 20, Duration::from_secs(60)).with_linger(Duration::from_secs(30));
    let config = Config::default().with_limits(limits);
    let (mut server, at) =
        server(&runtime, config, Node::default(), listen(Transport::Tcp, Framing::Rfc4571)).await;
    let mut client = raw(at);
    // What the server never reads must not turn its goodbye into a reset.
    client.write_all(&[0xff; 10]).expect("room");
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == 1).await;
    let path = server.1.accepted()[0];
    server.0.with(|node, _| {
        (0..2_000).for_each(|_| node.say(path, &[7; 1_198]));
        node.ask(Request::release(path));
    });
    client.write_all(&[0xff; 10]).expect("room");
    let mut all = Vec::new();
    until(&runtime, &mut [&mut server], |_| slurp(&mut client, &mut all)).await;
    assert_eq!(all.len(), 2_000 * 1_200);
    drop(client);
    until(&runtime, &mut [&mut server], |nodes| nodes[0].0.streams() == 0).await;
}

pub async fn a_closed_machine_says_its_last_words_on_streams<R: Runtime + Clone>(runtime: R) {
    let (mut server, at) =
        server(&runtime, Config::default(), Node::default(), listen(Transport::Tcp, Framing::Rfc4571)).await;
    let mut client = raw(at);
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == 1).await;
    let path = server.1.accepted()[0];
    server.0.with(|node, _| node.say(path, b"goodbye"));
    server.0.with(|node, now| node.close(now));
    patiently(&runtime, server.0.run(&mut server.1)).await;
    let mut all = Vec::new();
    until(&runtime, &mut [], |_| slurp(&mut client, &mut all)).await;
    assert_eq!(all, b"\0\x07goodbye");
}

pub async fn a_port_where_nobody_listens_refuses<R: Runtime + Clone>(runtime: R) {
    let closed = nobody();
    let mut client = node(&runtime, Config::default(), Node::default());
    client.0.with(|node, _| node.ask(connect(Transport::Tcp, closed, Framing::Stun)));
    until(&runtime, &mut [&mut client], |nodes| nodes[0].1.opened(CONNECT).is_some()).await;
    assert_eq!(client.1.notices, [Notice::Opened { ticket: CONNECT, result: Err(Refused::Unreachable) }]);
    assert_eq!(client.0.streams(), 0);
}

pub async fn connecting_takes_no_longer_than_it_may<R: Runtime + Clone>(runtime: R) {
    if !cfg!(target_os = "linux") {
        return; // where a full queue answers nobody
    }
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    full.bind(&SocketAddr::from((LOCALHOST, 0)).into()).expect("loopback");
    full.listen(0).expect("a socket");
    let at = full.local_addr().ok().and_then(|at| at.as_socket()).expect("an address");
    let _queued = TcpStream::connect(at).expect("the one place in the queue");
    let limits = Limits::default().with_connected(2, Duration::from_millis(100));
    let mut client = node(&runtime, Config::default().with_limits(limits), Node::default());
    let again = |ticket| Request::Connect {
        ticket: Ticket(ticket),
        transport: Transport::Tcp,
        local: None,
        remote: at,
        framing: Framing::Stun,
        host: None,
        alpn: None,
    };
    let epoch = Epoch::start();
    client.0.with(|node, _| (10..13).for_each(|ticket| node.ask(again(ticket))));
    until(&runtime, &mut [&mut client], |nodes| nodes[0].1.notices.len() == 3).await;
    let outcome = [10, 11, 12].map(|ticket| client.1.opened(Ticket(ticket)).and_then(Result::err));
    assert_eq!(outcome, [Some(Refused::TimedOut), Some(Refused::TimedOut), Some(Refused::NotPermitted)]);
    assert!(epoch.now() >= ginnel_core::Instant::EPOCH + Duration::from_millis(100));
    assert_eq!(client.0.streams(), 0);
}

pub async fn streams_begin_where_others_are_taken_in<R: Runtime + Clone>(runtime: R) {
    if !cfg!(target_os = "linux") {
        return; // others differ in what they let share a port
    }
    // RFC 6062 section 5.2: a relay connects to peers from the address where it takes their streams in.
    let listening = listen(Transport::Tcp, Framing::Rfc4571);
    let (mut peer, remote) = server(&runtime, Config::default(), Node::echo(), listening).await;
    let (mut relay, local) = server(&runtime, Config::default(), Node::default(), listening).await;
    let request = Request::Connect {
        ticket: CONNECT,
        transport: Transport::Tcp,
        local: Some(local),
        remote,
        framing: Framing::Rfc4571,
        host: None,
        alpn: None,
    };
    relay.0.with(|node, _| node.ask(request));
    until(&runtime, &mut [&mut relay, &mut peer], |nodes| nodes[0].1.opened(CONNECT).is_some()).await;
    assert_eq!(relay.1.opened(CONNECT), Some(Ok(local)));
    let other = raw(local);
    until(&runtime, &mut [&mut relay], |nodes| nodes[0].1.accepted().len() == 1).await;
    assert_eq!(relay.1.accepted()[0].remote, other.local_addr().expect("an address"));
    // And no second one listens there.
    let Request::Listen { ticket, transport, ip, framing, .. } = listening else { unreachable!() };
    let second = Request::Listen { ticket, transport, ip, port: Port::Exact(local.port()), framing };
    let mut thief = node(&runtime, Config::default(), Node::default());
    thief.0.with(|node, _| node.ask(second));
    until(&runtime, &mut [&mut thief], |nodes| nodes[0].1.opened(LISTEN).is_some()).await;
    assert_eq!(thief.1.opened(LISTEN), Some(Err(Refused::InUse)));
}

pub async fn a_released_listener_leaves_its_streams<R: Runtime + Clone>(runtime: R) {
    let (mut server, at) =
        server(&runtime, Config::default(), Node::echo(), listen(Transport::Tcp, Framing::Rfc4571)).await;
    // Datagrams at the same address are another socket, and releasing names the one.
    let datagrams = server.0.bind(at.ip(), Port::Exact(at.port())).expect("free for datagrams");
    let mut client = raw(at);
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == 1).await;
    let release = Request::Release { transport: Transport::Tcp, local: at, remote: None };
    server.0.with(|node, _| node.ask(release));
    assert!(TcpStream::connect(at).is_err(), "nobody listens");
    assert_eq!(server.0.locals().collect::<Vec<_>>(), [datagrams]);
    client.write_all(b"\0\x01x").expect("room");
    let mut back = Vec::new();
    until(&runtime, &mut [&mut server], |_| slurp(&mut client, &mut back) || back.len() == 3).await;
    assert_eq!(back, b"\0\x01x");
}

pub async fn what_no_driver_has_is_unsupported<R: Runtime + Clone>(runtime: R) {
    let mut client = node(&runtime, Config::default(), Node::default());
    let to = SocketAddr::from((LOCALHOST, 9));
    for transport in [Transport::Udp, Transport::Tls, Transport::Dtls] {
        client.0.with(|node, _| {
            node.ask(connect(transport, to, Framing::Stun));
            node.ask(listen(transport, Framing::Stun));
        });
    }
    until(&runtime, &mut [&mut client], |nodes| nodes[0].1.notices.len() == 6).await;
    let refused =
        |notice: &Notice| matches!(notice, Notice::Opened { result: Err(Refused::Unsupported), .. });
    assert!(client.1.notices.iter().all(refused), "{:?}", client.1.notices);
}
