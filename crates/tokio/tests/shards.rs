//! Four drivers side by side, each in a thread of its own, over real sockets.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ginnel_core::{
    Epoch, Framing, Handled, Instant, Packet, Port, Receive, Transmit, Transport, Wake, machine,
};
use ginnel_tokio::{
    App, Driver,
    shards::{NotTold, ShardApp, Shards, start},
};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SHARDS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers with its own number behind what was asked, if the first octet says that the question is for it. Messages on a
/// stream bear two octets of length.
#[derive(Debug)]
struct Member {
    index: u8,
    closed: bool,
    asked: u64,
}

impl Member {
    fn answer(&mut self, input: &mut Receive<'_>) -> Handled<u8> {
        self.asked += 1;
        match input.packet.append(&[self.index]) {
            Ok(()) => Handled::Send(Transmit::to(input.path)),
            Err(_) => Handled::Consumed,
        }
    }
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled<u8> {
        match input.packet.bytes().first() {
            Some(octet) if *octet != self.index => Handled::Data(*octet),
            Some(_) => self.answer(input),
            None => Handled::Consumed,
        }
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
    fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    fn close(&mut self, _: Instant) {
        self.closed = true;
    }
    fn is_closed(&self) -> bool {
        self.closed
    }
}
machine!(impl [] Member { Event = (); Data = u8; });

/// The second octet of a question that no shard takes: it says that the one of the third octet should.
const ELSEWHERE: u8 = 0xee;

struct Sorts;
impl App<Member> for Sorts {
    fn event(&mut self, _: Instant, _: &mut Member, (): ()) {}
}
impl ShardApp<Member> for Sorts {
    fn elsewhere(&self, data: &u8) -> Option<usize> {
        Some(usize::from(*data))
    }
    fn handed_over(&mut self, _: Instant, member: &mut Member, input: &mut Receive<'_>) -> Handled<u8> {
        match *input.packet.bytes() {
            [_, ELSEWHERE, shard, ..] => Handled::Data(shard),
            _ => member.answer(input),
        }
    }
}

/// Four members on one address, for datagrams and streams.
fn club() -> (Shards<Member>, SocketAddr) {
    let at = Arc::new(OnceLock::new());
    let made = Arc::clone(&at);
    let shards = start(SHARDS, move |index| -> std::io::Result<(Driver<Member>, Sorts)> {
        let index = u8::try_from(index).expect("a small number");
        let mut driver = ginnel_tokio::driver(Epoch::start(), Member { index, closed: false, asked: 0 });
        let refused = |why| std::io::Error::other(format!("{why:?}"));
        let listen = |driver: &mut Driver<Member>, port| {
            driver.listen_shared(Transport::Tcp, LOCALHOST, port, Framing::Rfc4571)
        };
        match made.get() {
            Some(SocketAddr::V4(at)) => {
                driver.bind_shared(LOCALHOST, Port::Exact(at.port())).map_err(refused)?;
                listen(&mut driver, Port::Exact(at.port())).map_err(refused)?;
            }
            _ => {
                // A port that is free for datagrams may be taken for streams, by somebody who shares it too.
                let local = loop {
                    let local = driver.bind_shared(LOCALHOST, Port::Any).map_err(refused)?;
                    let free = TcpListener::bind(local).map(drop);
                    if free.is_ok() && listen(&mut driver, Port::Exact(local.port())).is_ok() {
                        break local;
                    }
                };
                let _ = made.set(local);
            }
        }
        Ok((driver, Sorts))
    });
    (shards.expect("four threads"), *at.get().expect("an address"))
}

fn asker() -> UdpSocket {
    let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("patience");
    socket
}

#[test]
fn what_lands_on_the_wrong_shard_is_handed_over_and_answered_from_the_same_address() {
    let (shards, at) = club();
    let askers: Vec<_> = (0..16).map(|_| asker()).collect();
    for socket in &askers {
        // Connected: it hears nobody but the address that it asks.
        socket.connect(at).expect("an address");
        for shard in 0..4 {
            socket.send(&[shard, 7, 7]).expect("room");
            let mut buf = [0; 16];
            let len = socket.recv(&mut buf).expect("an answer");
            assert_eq!(buf[..len], [shard, 7, 7, shard]);
        }
    }
    let asked: Vec<u64> = shards
        .handles()
        .iter()
        .map(|handle| handle.ask(|driver| driver.machine().asked).expect("room").wait().expect("an answer"))
        .collect();
    assert_eq!(asked, [16; SHARDS], "each has answered its own");
    let (sent, received): (u64, u64) = shards
        .posts()
        .iter()
        .fold((0, 0), |(sent, received), post| (sent + post.sent(), received + post.received()));
    assert_eq!((sent, received), (16 * 3, 16 * 3), "three of four land wrong, wherever a sender lands");
    assert!(shards.posts().iter().all(|post| post.dropped() == 0));
    let landed = shards.posts().iter().filter(|post| post.sent() > 0).count();
    assert!(landed > 1, "the system deals senders out");
    shards.close();
    shards.join().expect("no panic");
}

#[test]
fn a_stream_moves_whole_with_what_comes_after() {
    // Of so many, one lands where it does not belong.
    const TRIES: u64 = 8;
    let (shards, at) = club();
    for shard in (0..4).cycle().take(4 * TRIES as usize) {
        let mut stream = TcpStream::connect(at).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("patience");
        // All at once: what is behind the first message has been read when the stream moves.
        let question = |number: u8| [0, 2, shard, number];
        let all: Vec<u8> = (0..50).flat_map(question).collect();
        stream.write_all(&all).expect("room");
        let mut answers = [0; 50 * 5];
        stream.read_exact(&mut answers).expect("answers");
        let expected: Vec<u8> = (0..50).flat_map(|number| [0, 3, shard, number, shard]).collect();
        assert_eq!(answers[..], expected);
        // It stays there.
        stream.write_all(&question(50)).expect("room");
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(answer, [0, 3, shard, 50, shard]);
    }
    let moved: u64 = shards.posts().iter().map(|post| post.streams()).sum();
    let adopted: u64 = shards
        .handles()
        .iter()
        .map(|handle| handle.ask(|driver| driver.stats().adopted).expect("room").wait().expect("an answer"))
        .sum();
    assert_eq!(moved, adopted);
    assert!((1..=4 * TRIES).contains(&moved), "each once at most: {moved}");
    shards.close();
    shards.join().expect("no panic");
}

#[test]
fn what_is_for_nobody_is_dropped_and_counted() {
    let (shards, at) = club();
    let socket = asker();
    socket.send_to(&[200], at).expect("room");
    socket.send_to(&[0], at).expect("room");
    assert_eq!(socket.recv(&mut [0; 16]).expect("an answer to the second"), 2);
    assert_eq!(shards.posts().iter().map(|post| post.dropped()).sum::<u64>(), 1);
    shards.close();
    shards.join().expect("no panic");
}

#[test]
fn what_was_handed_over_once_goes_no_further() {
    let (shards, at) = club();
    let socket = asker();
    socket.connect(at).expect("an address");
    let mut buf = [0; 16];
    for shard in 0..4 {
        socket.send(&[shard, ELSEWHERE, (shard + 1) % 4]).expect("room");
        // Behind it on the same way: whoever has opened this has opened that.
        socket.send(&[shard, 7]).expect("room");
        while socket.recv(&mut buf).expect("an answer") != 3 || buf[1] != 7 {}
    }
    let sum = |what: fn(&ginnel_tokio::shards::PostStats) -> u64| {
        shards.posts().iter().map(|post| what(post)).sum::<u64>()
    };
    assert_eq!(sum(|post| post.sent()), 2 * 3, "both of each, where it landed wrong");
    assert_eq!(sum(|post| post.dropped()), 3, "the first of them");

    // A stream stays where it was handed to, and no other moves in its place.
    for shard in 0..4 {
        let mut streams: Vec<_> = (0..4).map(|_| TcpStream::connect(at).expect("somebody listens")).collect();
        for (first, stream) in streams.iter_mut().enumerate() {
            stream.set_read_timeout(Some(PATIENCE)).expect("patience");
            if first == 0 {
                stream.write_all(&[0, 3, shard, ELSEWHERE, (shard + 1) % 4]).expect("room");
            }
            stream.write_all(&[0, 2, shard, 5]).expect("room");
            let mut answer = [0; 5];
            stream.read_exact(&mut answer).expect("an answer");
            // Where it did not move, the shard itself has answered the first.
            if answer[1] == 4 {
                stream.read_exact(&mut [0; 6]).expect("the rest of it, and the other");
                continue;
            }
            assert_eq!(answer, [0, 3, shard, 5, shard]);
        }
    }
    shards.close();
    shards.join().expect("no panic");
}

#[test]
fn the_panic_of_one_shard_leaves_the_others_whole() {
    let (shards, at) = club();
    assert!(!shards.any_ended());
    let socket = asker();
    socket.connect(at).expect("an address");
    let gone = &shards.handles()[3];
    let answer = gone.ask(|_: &mut Driver<Member>| -> u8 { panic!("as the test wants it") });
    assert_eq!(answer.expect("room").wait(), Err(NotTold::Gone));
    // Its sockets close as the thread unwinds; then every sender lands on another.
    let mut buf = [0; 16];
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("patience");
    for shard in 0..3 {
        let answered = (0..200).any(|_| {
            // Refused, while nobody is there.
            let _ = socket.send(&[shard, 7]);
            matches!(socket.recv(&mut buf), Ok(3)) && buf[..3] == [shard, 7, shard]
        });
        assert!(answered, "shard {shard} goes on");
    }
    // What is for the one that has ended is lost, however much it is, and holds up nothing.
    socket.set_read_timeout(Some(PATIENCE)).expect("patience");
    let counted = || shards.posts().iter().map(|post| post.dropped()).sum::<u64>();
    for number in 0..=u8::MAX {
        for _ in 0..20 {
            socket.send(&[3, 7]).expect("room");
        }
        // Behind them: whoever has answered has had those too.
        socket.send(&[0, 8, number]).expect("room");
        while socket.recv(&mut buf).expect("an answer") != 4 || buf[1..3] != [8, number] {}
        if counted() >= 300 {
            break;
        }
    }
    assert!(shards.any_ended());
    assert!(counted() >= 300, "{} are counted", counted());
    shards.close();
    assert!(shards.join().is_err(), "it is told in the end");
}

#[test]
fn commands_reach_a_shard_that_sleeps_and_none_that_has_ended() {
    let (shards, _) = club();
    let handle = shards.handles()[3].clone();
    assert_eq!(handle.index(), 3);
    let told = Arc::new(AtomicU64::new(0));
    for _ in 0..10 {
        let told = Arc::clone(&told);
        let add = move |_: &mut Driver<Member>| {
            told.fetch_add(1, Ordering::Relaxed);
        };
        handle.tell(add).expect("room");
        // Each in its turn: behind those that were told before.
        let count = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&count);
        handle.ask(move |_| *seen.lock().expect("whole") += 1).expect("room").wait().expect("an answer");
        assert_eq!(*count.lock().expect("whole"), 1);
    }
    assert_eq!(told.load(Ordering::Relaxed), 10);
    shards.close();
    shards.join().expect("no panic");
    assert_eq!(handle.tell(|_| ()), Err(NotTold::Gone));
}

#[test]
fn a_shard_that_cannot_begin_ends_the_others() {
    // Nobody else looks for a port there.
    const ALONE: IpAddr =
        IpAddr::V4(if cfg!(target_os = "linux") { Ipv4Addr::new(127, 0, 0, 3) } else { Ipv4Addr::LOCALHOST });
    let begun = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&begun);
    let at = Arc::new(OnceLock::new());
    let bound = Arc::clone(&at);
    let made = start(SHARDS, move |index| {
        counted.fetch_add(1, Ordering::Relaxed);
        if index == 2 {
            return Err(std::io::Error::other("no more of this"));
        }
        let member = Member { index: 0, closed: false, asked: 0 };
        let mut driver = ginnel_tokio::driver(Epoch::start(), member);
        let port = bound.get().map_or(Port::Any, |at: &SocketAddr| Port::Exact(at.port()));
        let local = driver.bind_shared(ALONE, port).expect("a port");
        let _ = bound.set(local);
        Ok((driver, Sorts))
    });
    assert_eq!(made.map(|_| ()).unwrap_err().to_string(), "no more of this");
    assert_eq!(begun.load(Ordering::Relaxed), 3);
    let at = at.get().expect("an address");
    assert!(UdpSocket::bind(at).is_ok(), "it is free again at once");
}
