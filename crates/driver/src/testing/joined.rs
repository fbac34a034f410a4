//! The tests of streams that are held, cut otherwise, joined, moved, or too slow: part of `stream_tests!`.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    num::NonZeroU32,
    time::Duration,
};

use ginnel_core::{Epoch, Framing, Instant, Notice, Path, Request, StreamRate, Transmit, Transport};
use socket2::SockRef;

use super::{
    node::{CONNECT, Node, connect, listen},
    streams::{Driven, node, raw, server, slurp, stun, until},
};
use crate::{Config, Limits, Runtime};

/// A relay that holds its streams, and the two that were opened to it.
struct Relay<R: Runtime> {
    relay: Driven<R>,
    clients: [TcpStream; 2],
    /// As the relay sees them.
    paths: [Path; 2],
}

async fn relay<R: Runtime + Clone>(runtime: &R, config: Config, framing: Framing) -> Relay<R> {
    let (mut relay, at) = server(runtime, config, Node::default(), listen(Transport::Tcp, framing)).await;
    let clients = [(); 2].map(|()| raw(at));
    let paths = [0, 1].map(|n| path(at, &clients[n]));
    until(runtime, &mut [&mut relay], |nodes| nodes[0].1.accepted().len() == 2).await;
    Relay { relay, clients, paths }
}

fn stream_rate(octets_per_second: u32, shared: Option<u64>) -> StreamRate {
    StreamRate { octets_per_second: NonZeroU32::new(octets_per_second).expect("a rate"), shared }
}

fn path(at: SocketAddr, client: &TcpStream) -> Path {
    Path::new(Transport::Tcp, at, client.local_addr().expect("an address"))
}

impl<R: Runtime> Relay<R> {
    fn join(&mut self, rate: Option<u32>) {
        let [one, other] = self.paths;
        let rates = [rate.map(|rate| stream_rate(rate, None)), None];
        self.relay.0.with(|node, _| node.ask(Request::Splice { one, other, rates }));
    }

    fn spliced(&self, forth: u64, back: u64) -> bool {
        let [one, other] = self.paths;
        self.relay.1.notices.contains(&Notice::Spliced { one, other, forth, back })
    }

    fn has_ended(&self) -> bool {
        self.paths.iter().all(|path| self.relay.1.lost(*path)) && self.relay.0.streams() == 0
    }
}

pub async fn a_held_stream_is_not_read_until_it_is_told_how<R: Runtime + Clone>(runtime: R) {
    let mut r = relay(&runtime, Config::default(), Framing::Held).await;
    r.clients[0].write_all(b"\0\x02hi\0\x02ho").expect("room");
    // What is read from the other shows that the loop has had its turns.
    r.clients[1].write_all(b"\0\x03yes").expect("room");
    let [held, framed] = r.paths;
    r.relay.0.with(|node, _| node.ask(Request::Frame { path: framed, framing: Framing::Rfc4571 }));
    until(&runtime, &mut [&mut r.relay], |nodes| !nodes[0].1.messages.is_empty()).await;
    assert_eq!(r.relay.1.messages, [(framed, b"yes".to_vec())]);
    r.relay.0.with(|node, _| node.ask(Request::Frame { path: held, framing: Framing::Rfc4571 }));
    until(&runtime, &mut [&mut r.relay], |nodes| nodes[0].1.messages.len() == 3).await;
    assert_eq!(r.relay.1.bytes(), [&b"yes"[..], b"hi", b"ho"]);
}

pub async fn what_is_read_too_far_obeys_the_new_framing<R: Runtime + Clone>(runtime: R) {
    // As a client of RFC 6062 meets it: an answer, and octets of the peer right behind.
    let mut r = relay(&runtime, Config::default(), Framing::Stun).await;
    let [first, second] = r.paths;
    let raw_then = Request::Frame { path: first, framing: Framing::Raw };
    r.relay.0.with(|node, _| node.ask_at_message(raw_then));
    let mut said = stun(1, 8);
    said.extend([0xff; 3_000]);
    r.clients[0].write_all(&said).expect("room");
    until(&runtime, &mut [&mut r.relay], |nodes| {
        nodes[0].1.messages.iter().map(|(_, message)| message.len()).sum::<usize>() == said.len()
    })
    .await;
    let pieces = r.relay.1.bytes();
    assert_eq!(pieces[0], stun(1, 8));
    assert!(pieces[1..].iter().all(|piece| piece.len() <= ginnel_core::PIECE));
    assert_eq!(pieces.concat(), said);
    // Held again in the middle, and what has been read already is kept.
    r.relay.1.messages.clear();
    let hold = Request::Frame { path: second, framing: Framing::Held };
    r.relay.0.with(|node, _| node.ask_at_message(hold));
    let (one, two) = (stun(2, 0), stun(3, 4));
    r.clients[1].write_all(&[&one[..], &two[..]].concat()).expect("room");
    until(&runtime, &mut [&mut r.relay], |nodes| nodes[0].1.messages.len() == 1).await;
    r.relay.0.with(|node, _| node.ask(Request::Frame { path: second, framing: Framing::Stun }));
    until(&runtime, &mut [&mut r.relay], |nodes| nodes[0].1.messages.len() == 2).await;
    assert_eq!(r.relay.1.bytes(), [one, two]);
}

pub async fn joined_streams_pass_what_comes_and_what_had_come<R: Runtime + Clone>(runtime: R) {
    // As a server of RFC 6062 meets it: the peer has spoken already, and the client's request has octets right behind.
    let mut r = relay(&runtime, Config::default(), Framing::Held).await;
    let [client, peer] = r.paths;
    r.clients[1].write_all(b"early").expect("room");
    r.relay.0.with(|node, _| {
        node.ask(Request::Frame { path: client, framing: Framing::Stun });
        node.ask_at_message(Request::Splice { one: client, other: peer, rates: [None; 2] });
    });
    r.clients[0].write_all(&[&stun(1, 8)[..], b"behind"].concat()).expect("room");
    let (mut to_client, mut to_peer) = (Vec::new(), Vec::new());
    until(&runtime, &mut [&mut r.relay], |_| {
        slurp(&mut r.clients[0], &mut to_client);
        slurp(&mut r.clients[1], &mut to_peer);
        to_client.len() == 5 && to_peer.len() == 6
    })
    .await;
    assert_eq!((&to_client[..], &to_peer[..]), (&b"early"[..], &b"behind"[..]));
    assert_eq!(r.relay.1.bytes(), [stun(1, 8)], "the machine has seen its request alone");
    let sent = r.relay.0.send(b"nothing", |_, _, _| Ok::<_, ()>(Transmit::to(client)));
    assert_eq!((sent, r.relay.0.stats().not_open), (Ok(()), 1), "it can say nothing more there");
    assert_eq!((r.relay.0.stats().splices, r.relay.0.stats().spliced_octets), (1, 11));
}

pub async fn a_slow_reader_holds_back_the_other_end_and_not_the_loop<R: Runtime + Clone>(runtime: R) {
    /// More than the buffers of any system hold.
    const MUCH: usize = 64 << 20;
    let mut r = relay(&runtime, Config::default(), Framing::Held).await;
    // Of the four on the way, two at least are of no size that somebody has tuned.
    SockRef::from(&r.clients[0]).set_send_buffer_size(64 << 10).expect("a socket");
    SockRef::from(&r.clients[1]).set_recv_buffer_size(64 << 10).expect("a socket");
    r.join(None);
    let piece: Vec<u8> = (0..65_537_u32).map(|n| n as u8).collect();
    let (mut wrote, mut full, mut echoed) = (0, 0_u32, Vec::new());
    // Until nothing goes in any more although the loop has had its turns; the other direction works on.
    until(&runtime, &mut [&mut r.relay], |_| {
        match r.clients[0].write(&piece[wrote % 65_537..]) {
            Ok(count) => (wrote, full) = (wrote + count, 0),
            Err(_) => full += 1,
        }
        let _ = r.clients[1].write(b"x");
        slurp(&mut r.clients[0], &mut echoed);
        assert!(wrote < MUCH, "nobody reads, and still more goes in");
        full == 2_000
    })
    .await;
    assert!(echoed.len() > 1_000, "{}", echoed.len());
    let mut read = 0;
    let mut buf = vec![0; 1 << 16];
    until(&runtime, &mut [&mut r.relay], |_| {
        while let Ok(count @ 1..) = r.clients[1].read(&mut buf) {
            for octet in &buf[..count] {
                assert_eq!(*octet, (read % 65_537) as u8, "in order");
                read += 1;
            }
        }
        read == wrote
    })
    .await;
    assert_eq!(r.relay.0.stats().streams_stalled, 0);
}

pub async fn ends_pass_through_joined_streams_one_by_one<R: Runtime + Clone>(runtime: R) {
    let mut r = relay(&runtime, Config::default(), Framing::Held).await;
    r.join(None);
    r.clients[0].write_all(b"question").expect("room");
    r.clients[0].shutdown(Shutdown::Write).expect("a stream");
    let mut heard = Vec::new();
    until(&runtime, &mut [&mut r.relay], |_| slurp(&mut r.clients[1], &mut heard)).await;
    assert_eq!(heard, b"question", "and then the end");
    assert!(!r.has_ended());
    r.clients[1].write_all(b"answer").expect("room");
    let mut back = Vec::new();
    until(&runtime, &mut [&mut r.relay], |_| slurp(&mut r.clients[0], &mut back) || back.len() == 6).await;
    r.clients[1].shutdown(Shutdown::Write).expect("a stream");
    until(&runtime, &mut [&mut r.relay], |_| slurp(&mut r.clients[0], &mut back)).await;
    assert_eq!(back, b"answer");
    until(&runtime, &mut [&mut r.relay], |nodes| nodes[0].0.streams() == 0).await;
    assert!(r.has_ended() && r.spliced(8, 6), "{:?}", r.relay.1.notices);
    r.relay.0.with(|node, _| {
        node.ask(Request::Release { transport: Transport::Tcp, local: r.paths[0].local, remote: None })
    });
    assert_eq!(r.relay.0.traces(), [0; 5]);
}

pub async fn joined_streams_end_together<R: Runtime + Clone>(runtime: R) {
    // A reset.
    let mut r = relay(&runtime, Config::default(), Framing::Held).await;
    r.join(None);
    r.clients[0].write_all(b"last").expect("room");
    let mut heard = Vec::new();
    until(&runtime, &mut [&mut r.relay], |_| slurp(&mut r.clients[1], &mut heard) || heard.len() == 4).await;
    SockRef::from(&r.clients[0]).set_linger(Some(Duration::ZERO)).expect("a socket");
    let [reset, mut other] = r.clients;
    drop(reset);
    until(&runtime, &mut [&mut r.relay], |_| slurp(&mut other, &mut heard)).await;
    drop(other);
    let [one, two] = r.paths;
    until(&runtime, &mut [&mut r.relay], |nodes| nodes[0].0.streams() == 0).await;
    assert!(r.relay.1.lost(one) && r.relay.1.lost(two));
    // A release of one, with something on its way.
    let mut r = relay(&runtime, Config::default(), Framing::Held).await;
    r.join(None);
    r.clients[0].write_all(b"last").expect("room");
    until(&runtime, &mut [&mut r.relay], |nodes| nodes[0].0.stats().spliced_octets == 4).await;
    let released = r.paths[0];
    r.relay.0.with(|node, _| node.ask(Request::release(released)));
    let mut heard = Vec::new();
    let [mut one, mut other] = r.clients;
    let [here, there] = r.paths;
    until(&runtime, &mut [&mut r.relay], |nodes| {
        let ended = slurp(&mut one, &mut Vec::new()) && slurp(&mut other, &mut heard);
        ended && nodes[0].1.lost(there)
    })
    .await;
    assert_eq!(heard, b"last");
    assert!(r.relay.1.notices.contains(&Notice::Spliced { one: here, other: there, forth: 4, back: 0 }));
    assert_eq!(
        (r.relay.1.lost(here), r.relay.1.lost(there)),
        (false, true),
        "of the released one nothing is told"
    );
    // One that is not there.
    let mut r = relay(&runtime, Config::default(), Framing::Held).await;
    let nobody = Path { remote: ([127, 0, 0, 1], 1).into(), ..r.paths[1] };
    let one = r.paths[0];
    r.relay.0.with(|node, _| node.ask(Request::Splice { one, other: nobody, rates: [None; 2] }));
    until(&runtime, &mut [&mut r.relay], |nodes| {
        slurp(&mut r.clients[0], &mut Vec::new()) && nodes[0].1.lost(one)
    })
    .await;
    assert!(r.relay.1.notices.contains(&Notice::Spliced { one, other: nobody, forth: 0, back: 0 }));
}

pub async fn joined_streams_keep_to_their_rate<R: Runtime + Clone>(runtime: R) {
    let mut r = relay(&runtime, Config::default(), Framing::Held).await;
    r.join(Some(100_000));
    let epoch = Epoch::start();
    r.clients[0].write_all(&[7; 40_000]).expect("room");
    let mut heard = Vec::new();
    until(&runtime, &mut [&mut r.relay], |_| slurp(&mut r.clients[1], &mut heard) || heard.len() == 40_000)
        .await;
    // All but the first tenth of a second's worth has waited.
    assert!(epoch.now() >= Instant::EPOCH + Duration::from_millis(290), "{:?}", epoch.now());
}

pub async fn joined_streams_share_a_rate_by_turns<R: Runtime + Clone>(runtime: R) {
    let (mut relay, at) =
        server(&runtime, Config::default(), Node::default(), listen(Transport::Tcp, Framing::Held)).await;
    let mut clients = [(); 4].map(|()| raw(at));
    let paths = clients.each_ref().map(|client| path(at, client));
    until(&runtime, &mut [&mut relay], |nodes| nodes[0].1.accepted().len() == 4).await;
    for pair in paths.chunks(2) {
        let (one, other) = (pair[0], pair[1]);
        let rates = [Some(stream_rate(100_000, Some(7))), None];
        relay.0.with(|node, _| node.ask(Request::Splice { one, other, rates }));
    }
    let epoch = Epoch::start();
    clients[0].write_all(&[7; 60_000]).expect("room");
    clients[2].write_all(&[7; 60_000]).expect("room");
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut ahead = 0;
    until(&runtime, &mut [&mut relay], |_| {
        let [_, one, _, other] = &mut clients;
        let moved = slurp(one, &mut first) | slurp(other, &mut second);
        ahead = ahead.max(first.len().abs_diff(second.len()));
        moved || first.len() + second.len() == 120_000
    })
    .await;
    // Twelve turns of a tenth of a second, of which the first is at once; and neither waits until the other has done.
    assert!(epoch.now() >= Instant::EPOCH + Duration::from_millis(1_090), "{:?}", epoch.now());
    assert!(ahead <= 45_000, "one was {ahead} octets ahead of the other");
}

pub async fn joined_streams_may_rest_but_not_for_ever<R: Runtime + Clone>(runtime: R) {
    let limits = Limits::default().with_idle(Duration::from_secs(2)).with_message(Duration::from_millis(1));
    let mut r = relay(&runtime, Config::default().with_limits(limits), Framing::Held).await;
    r.join(None);
    until(&runtime, &mut [&mut r.relay], |nodes| nodes[0].0.streams() == 0).await;
    assert!(r.has_ended() && r.spliced(0, 0));
    assert_eq!((r.relay.0.stats().streams_idle, r.relay.0.stats().streams_slow), (1, 0));
}

pub async fn a_raw_stream_ends_rather_than_lose_octets<R: Runtime + Clone>(runtime: R) {
    let limits = Limits::default().with_unsent(10_000, Duration::from_secs(60));
    let mut r = relay(&runtime, Config::default().with_limits(limits), Framing::Raw).await;
    let path = r.paths[0];
    assert_eq!(r.relay.0.room(path), Some(10_000));
    // Until the buffers of the system are full as well.
    let mut said = 0;
    until(&runtime, &mut [&mut r.relay], |nodes| {
        while nodes[0].0.room(path).is_some_and(|room| room >= 1_000) {
            let sent = nodes[0].0.send(&[7; 1_000], |_, _, _| Ok::<_, ()>(Transmit::to(path)));
            assert_eq!(sent, Ok(()));
            said += 1_000;
            if nodes[0].0.room(path) == Some(0) {
                break;
            }
        }
        nodes[0].0.room(path).is_some_and(|room| room < 1_000)
    })
    .await;
    assert_eq!((r.relay.0.stats().messages_dropped, r.relay.1.lost(path)), (0, false));
    for _ in 0..2 {
        let _ = r.relay.0.send(&[7; 1_900], |_, _, _| Ok::<_, ()>(Transmit::to(path)));
    }
    until(&runtime, &mut [&mut r.relay], |nodes| nodes[0].1.lost(path)).await;
    assert_eq!(r.relay.0.room(path), None);
    let mut heard = Vec::new();
    until(&runtime, &mut [&mut r.relay], |_| slurp(&mut r.clients[0], &mut heard)).await;
    assert!(heard.len() <= said && heard.iter().all(|octet| *octet == 7));
}

pub async fn a_stream_moves_to_another_driver<R: Runtime + Clone>(runtime: R) {
    let (mut first, at) =
        server(&runtime, Config::default(), Node::echo(), listen(Transport::Tcp, Framing::Stun)).await;
    let mut second =
        node(&runtime, Config::default().with_limits(Limits::default().with_accepted(1, 1)), Node::echo());
    let (mut client, mut spare) = (raw(at), raw(at));
    until(&runtime, &mut [&mut first], |nodes| nodes[0].1.accepted().len() == 2).await;
    let moved = path(at, &client);
    // A message, and the front of another which goes along.
    let (one, two) = (stun(1, 0), stun(2, 8));
    client.write_all(&[&one[..], &two[..9]].concat()).expect("room");
    let mut back = Vec::new();
    until(&runtime, &mut [&mut first], |_| slurp(&mut client, &mut back) || back.len() == one.len()).await;
    let ejected = first.0.eject(moved).expect("a stream");
    assert_eq!((first.0.eject(moved).is_none(), first.0.streams()), (true, 1));
    assert_eq!(second.0.adopt(ejected), Ok(moved));
    client.write_all(&two[9..]).expect("room");
    until(&runtime, &mut [&mut first, &mut second], |_| slurp(&mut client, &mut back) || back.len() == 48)
        .await;
    assert_eq!(back, [one, two].concat());
    assert_eq!(second.1.notices, [Notice::Accepted { path: moved, alpn: None }]);
    assert!(!first.1.lost(moved), "the first is told nothing");
    assert_eq!((second.0.stats().adopted, second.0.stats().accepted), (1, 0));
    // Limits are those of where it comes to; what is refused is closed.
    let other = path(at, &spare);
    let ejected = first.0.eject(other).expect("a stream");
    assert!(second.0.adopt(ejected).is_err());
    until(&runtime, &mut [&mut first, &mut second], |_| slurp(&mut spare, &mut Vec::new())).await;
    // And at the end nothing is left anywhere.
    drop(client);
    until(&runtime, &mut [&mut first, &mut second], |nodes| nodes[1].0.streams() == 0).await;
    assert_eq!(second.0.traces(), [0; 5]);
}

pub async fn sec_40_a_stream_that_brings_no_whole_message_for_long_is_closed<R: Runtime + Clone>(runtime: R) {
    let limits = Limits::default().with_message(Duration::from_secs(2));
    let config = Config::default().with_limits(limits);
    let (mut server, at) =
        server(&runtime, config, Node::echo(), listen(Transport::Tcp, Framing::Stun)).await;
    let (mut silent, mut slow, mut busy) = (raw(at), raw(at), raw(at));
    until(&runtime, &mut [&mut server], |nodes| nodes[0].1.accepted().len() == 3).await;
    // The longest message, an octet at a time; and whole messages all along, each in two parts.
    let epoch = Epoch::start();
    let (mut octets, mut wrote, mut whole) = (stun(1, 0xfffc).into_iter(), epoch.now(), 0_usize);
    let (mut ends, mut back) = ([false; 2], Vec::new());
    let message = stun(7, 8);
    until(&runtime, &mut [&mut server], |_| {
        if epoch.now().saturating_since(wrote) > Duration::from_millis(100) {
            wrote = epoch.now();
            let _ = slow.write(&[octets.next().expect("more")]);
            let half = if whole % 2 == 0 { &message[..9] } else { &message[9..] };
            whole += 1;
            busy.write_all(half).expect("it is open");
        }
        ends[0] |= slurp(&mut silent, &mut Vec::new());
        ends[1] |= slurp(&mut slow, &mut Vec::new());
        assert!(!slurp(&mut busy, &mut back), "who brings whole messages stays");
        ends == [true; 2]
    })
    .await;
    assert_eq!((server.0.stats().streams_slow, server.0.streams()), (2, 1));
    assert!(!back.is_empty());
}

pub async fn sec_41_ten_thousand_silent_streams_take_no_more_than_their_share<R: Runtime + Clone>(
    runtime: R,
) {
    const ROUNDS: usize = 100;
    // As many as any system lets wait for a listener that has not had its turn.
    const AT_ONCE: usize = 100;
    let limits = Limits::default().with_message(Duration::from_secs(300));
    let config = Config::default().with_limits(limits);
    let (mut server, at) =
        server(&runtime, config, Node::echo(), listen(Transport::Tcp, Framing::Stun)).await;
    let share = Limits::default().accepted_from_one;
    let mut kept: Vec<TcpStream> = Vec::new();
    for round in 0..ROUNDS {
        let mut silent: Vec<TcpStream> = (0..AT_ONCE).map(|_| raw(at)).collect();
        until(&runtime, &mut [&mut server], |nodes| {
            let stats = nodes[0].0.stats();
            stats.accepted + stats.accept_refused == ((round + 1) * AT_ONCE) as u64
        })
        .await;
        assert!(server.0.streams() <= share);
        // Those that were let in stay and stay silent.
        kept.extend(silent.drain(..).take(share.saturating_sub(kept.len())));
    }
    assert_eq!(
        (server.0.streams(), server.0.stats().accept_refused),
        (share, (ROUNDS * AT_ONCE - share) as u64)
    );
    // Somebody from elsewhere is served all the while.
    if cfg!(target_os = "linux") {
        let other =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        other.bind(&SocketAddr::from(([127, 0, 0, 78], 0)).into()).expect("loopback");
        other.connect(&at.into()).expect("somebody listens");
        let mut other = TcpStream::from(other);
        other.set_nonblocking(true).expect("a socket");
        other.write_all(&stun(1, 0)).expect("room");
        let mut back = Vec::new();
        until(&runtime, &mut [&mut server], |_| slurp(&mut other, &mut back) || back.len() == 20).await;
        assert_eq!(back, stun(1, 0));
    }
}

/// A driver as client, whose stream becomes raw: it sees the pieces, and nothing is added to what it says.
pub async fn a_client_speaks_raw<R: Runtime + Clone>(runtime: R) {
    let listener = std::net::TcpListener::bind((super::LOCALHOST, 0)).expect("loopback");
    let at = listener.local_addr().expect("an address");
    let mut client = node(&runtime, Config::default(), Node::default());
    client.0.with(|node, _| node.ask(connect(Transport::Tcp, at, Framing::Raw)));
    until(&runtime, &mut [&mut client], |nodes| nodes[0].1.opened(CONNECT).is_some()).await;
    let (mut peer, _) = listener.accept().expect("it has connected");
    peer.set_nonblocking(true).expect("a socket");
    let local = client.1.opened(CONNECT).and_then(Result::ok).expect("connected");
    let path = Path::new(Transport::Tcp, local, at);
    client.0.with(|node, _| node.say(path, b"abc"));
    let mut heard = Vec::new();
    until(&runtime, &mut [&mut client], |_| slurp(&mut peer, &mut heard) || heard.len() == 3).await;
    assert_eq!(heard, b"abc");
    peer.write_all(&[9; 5_000]).expect("room");
    until(&runtime, &mut [&mut client], |nodes| nodes[0].1.bytes().concat().len() == 5_000).await;
    let _: io::Result<()> = peer.shutdown(Shutdown::Both);
    until(&runtime, &mut [&mut client], |nodes| nodes[0].1.lost(path)).await;
}
