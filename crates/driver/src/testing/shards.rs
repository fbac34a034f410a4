//! The tests of what shards hand over that the system does not move for them: `ginnel_driver::shard_tests!(Tokio, block_on)`.
//! All shards run in one task here. That they do in threads, and datagrams and streams, is tested above a runtime.

use std::{
    collections::VecDeque,
    io::Write as _,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use dimpl::Output;
use ginnel_core::{
    Epoch, Framing, Handled, Instant, Notice, Packet, Port, Receive, Request, Transmit, Transport, Wake,
    machine,
};

use super::{LOCALHOST, dtls::Peer, patiently, race, secure::Authority, turns};
use crate::{
    App, Config, Driver, Limits, Runtime,
    dtls::Library,
    shards::{Handle, Seat, ShardApp, seats},
};

/// Makes one test of each function below, for a runtime and the function that runs a future on it.
#[macro_export]
macro_rules! shard_tests {
    ($runtime:expr, $block_on:expr) => {
        $crate::loop_tests!(@ $runtime, $block_on;
            an_association_goes_where_its_messages_belong
            an_association_that_finds_no_place_is_told_goodbye
            whose_association_was_in_a_shard_that_has_ended_begins_anew
            a_stream_that_moves_is_there_before_its_message
        );
    };
}

const SHARDS: usize = 3;

/// Answers with its number behind the question, if the first octet says that the question is for it.
#[derive(Debug)]
struct Member {
    index: u8,
    told: VecDeque<Notice>,
}

impl Member {
    fn answer(&mut self, input: &mut Receive<'_>) -> Handled<u8> {
        match input.packet.append(&[self.index]) {
            Ok(()) => Handled::Send(Transmit::to(input.path)),
            Err(_) => Handled::Consumed,
        }
    }
    fn handle_input(&mut self, _: Instant, input: &mut Receive<'_>) -> Handled<u8> {
        match input.packet.bytes().first() {
            Some(octet) if *octet != self.index => Handled::Data(*octet),
            _ => self.answer(input),
        }
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn handle_notice(&mut self, _: Instant, notice: Notice) {
        self.told.push_back(notice);
    }
    fn poll_transmit(&mut self, _: Instant, _: &mut Packet<'_>) -> Option<Transmit> {
        None
    }
    fn poll_request(&mut self) -> Option<Request> {
        None
    }
    fn poll_event(&mut self) -> Option<Notice> {
        self.told.pop_front()
    }
    fn poll_timeout(&self) -> Option<Wake> {
        None
    }
    fn close(&mut self, _: Instant) {}
    fn is_closed(&self) -> bool {
        false
    }
}
machine!(impl [] Member { Event = Notice; Data = u8; } [requests]);

/// What one shard was told, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Accepted,
    Lost,
    Message,
}

#[derive(Debug, Default)]
struct Log(Vec<Told>);
impl App<Member> for Log {
    fn event(&mut self, _: Instant, _: &mut Member, notice: Notice) {
        self.0.extend(match notice {
            Notice::Accepted { .. } => Some(Told::Accepted),
            Notice::Lost { .. } => Some(Told::Lost),
            _ => None,
        });
    }
}
impl ShardApp<Member> for Log {
    fn elsewhere(&self, data: &u8) -> Option<usize> {
        Some(usize::from(*data))
    }
    fn handed_over(&mut self, _: Instant, member: &mut Member, input: &mut Receive<'_>) -> Handled<u8> {
        self.0.push(Told::Message);
        member.answer(input)
    }
}

struct Shard<R: Runtime> {
    seat: Seat<R, Member>,
    driver: Driver<R, Member>,
    log: Log,
}

/// Shards with one address.
fn shards<R: Runtime + Clone>(
    runtime: &R,
    transport: Transport,
    authority: &Authority,
) -> (Vec<Shard<R>>, Vec<Handle<R, Member>>, SocketAddr) {
    let tls = authority.server("turn.example.org", &[]);
    let (seats, handles) = seats(SHARDS);
    let mut port = Port::Any;
    let mut at = None;
    let shards = seats.into_iter().map(|seat| {
        let index = u8::try_from(seat.index()).expect("few");
        let config = Config::default().with_server_tls(tls.clone());
        let member = Member { index, told: VecDeque::new() };
        // Their times begin apart.
        let epoch = Epoch::new(Epoch::start().to_std(Instant::EPOCH) - Duration::from_secs(index.into()));
        let mut driver = Driver::with_config(config, runtime.clone(), epoch, member);
        let local = driver.listen_shared(transport, LOCALHOST, port, Framing::Rfc4571).expect("a place");
        (port, at) = (Port::Exact(local.port()), Some(local));
        Shard { seat, driver, log: Log::default() }
    });
    let shards = shards.collect();
    (shards, handles, at.expect("an address"))
}

/// Runs all of them until the condition holds.
async fn until<R: Runtime>(
    runtime: &R,
    shards: &mut [Shard<R>],
    mut done: impl FnMut(&mut [Shard<R>]) -> bool,
) {
    patiently(runtime, async {
        while !done(shards) {
            for Shard { seat, driver, log } in shards.iter_mut() {
                let _ = race(seat.run(driver, log), turns(1)).await;
            }
        }
    })
    .await;
}

/// A client, and what it has heard.
struct Client {
    peer: Peer,
    connected: bool,
    ended: bool,
    heard: Vec<Vec<u8>>,
}

impl Client {
    async fn connect<R: Runtime>(runtime: &R, shards: &mut [Shard<R>], at: SocketAddr) -> Self {
        let mut client = Self { peer: Peer::new(at), connected: false, ended: false, heard: Vec::new() };
        client.begin(runtime, shards).await;
        client
    }

    async fn begin<R: Runtime>(&mut self, runtime: &R, shards: &mut [Shard<R>]) {
        (self.connected, self.ended) = (false, false);
        self.peer.library.handle_timeout(self.peer.now()).expect("time");
        until(runtime, shards, |_| {
            self.go_on();
            self.connected
        })
        .await;
    }

    /// The same client, who remembers nothing: as after a crash.
    async fn begin_anew<R: Runtime>(&mut self, runtime: &R, shards: &mut [Shard<R>]) {
        let mut shared = Library::new(Duration::from_secs(10)).expect("a library");
        self.peer.library = shared.client(self.peer.now()).expect("a client");
        self.begin(runtime, shards).await;
    }

    fn go_on(&mut self) {
        while self.peer.take() {}
        for datagram in self.said() {
            self.peer.socket.send(&datagram).expect("room");
        }
    }

    /// What it wants to send.
    fn said(&mut self) -> Vec<Vec<u8>> {
        let mut buf = vec![0; 4_096];
        let mut datagrams = Vec::new();
        loop {
            match self.peer.library.poll_output(&mut buf) {
                Output::Packet(datagram) => datagrams.push(datagram.to_vec()),
                Output::Connected => self.connected = true,
                Output::ApplicationData(data) => self.heard.push(data.to_vec()),
                Output::CloseNotify => self.ended = true,
                Output::Timeout(_) => return datagrams,
                _ => {}
            }
        }
    }

    /// Says these, each in a record, all in one datagram, and waits for as many answers.
    async fn ask<R: Runtime>(
        &mut self,
        runtime: &R,
        shards: &mut [Shard<R>],
        words: &[[u8; 2]],
    ) -> Vec<Vec<u8>> {
        self.say(words);
        until(runtime, shards, |_| {
            self.go_on();
            self.heard.len() >= words.len()
        })
        .await;
        std::mem::take(&mut self.heard)
    }

    fn say(&mut self, words: &[[u8; 2]]) {
        let said = words.iter().flat_map(|word| {
            self.peer.library.send_application_data(word).expect("open");
            self.said().concat()
        });
        let datagram: Vec<u8> = said.collect();
        self.peer.socket.send(&datagram).expect("room");
    }
}

fn sum<R: Runtime>(shards: &[Shard<R>], what: impl Fn(&Shard<R>) -> u64) -> u64 {
    shards.iter().map(what).sum()
}

pub async fn an_association_goes_where_its_messages_belong<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut shards, _handles, at) = shards(&runtime, Transport::Dtls, &authority);
    let mut client = Client::connect(&runtime, &mut shards, at).await;
    let first = shards.iter().position(|shard| shard.driver.streams() == 1).expect("one has it");
    // There and on, and back to where its datagrams come, and away from there again.
    let way = [0, 1, 2, 1, 0, 2, 0, 1].map(|step| (first + step) % SHARDS);
    for (number, shard) in (1..).zip(way) {
        let shard = u8::try_from(shard).expect("few");
        // What comes behind it, in the same datagram and in the next, goes the same way.
        let answers = client.ask(&runtime, &mut shards, &[[shard, number], [shard, 100]]).await;
        assert_eq!(answers, [[shard, number, shard], [shard, 100, shard]]);
        assert_eq!(client.ask(&runtime, &mut shards, &[[shard, 200]]).await, [[shard, 200, shard]]);
        let streams: Vec<usize> = shards.iter().map(|shard| shard.driver.streams()).collect();
        assert_eq!((streams[usize::from(shard)], streams.iter().sum::<usize>()), (1, 1));
    }
    let moved = way.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64;
    assert_eq!(sum(&shards, |shard| shard.seat.post_stats().streams()), moved);
    assert_eq!(sum(&shards, |shard| shard.driver.stats().adopted), moved);
    assert_eq!(sum(&shards, |shard| shard.seat.post_stats().dropped()), 0);
    // Nobody was told that it ended, since it did not.
    assert!(shards.iter().all(|shard| !shard.log.0.contains(&Told::Lost)));

    // Whoever has it serves the client that comes again.
    client.begin_anew(&runtime, &mut shards).await;
    let there = way[way.len() - 1];
    assert_eq!(shards[there].log.0.last_chunk(), Some(&[Told::Lost, Told::Accepted]));
    let shard = u8::try_from(first).expect("few");
    assert_eq!(client.ask(&runtime, &mut shards, &[[shard, 1]]).await, [[shard, 1, shard]]);
    assert_eq!(shards.iter().map(|shard| shard.driver.streams()).sum::<usize>(), 1);
}

pub async fn an_association_that_finds_no_place_is_told_goodbye<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    for ended in [false, true] {
        let (mut shards, _handles, at) = shards(&runtime, Transport::Dtls, &authority);
        let mut client = Client::connect(&runtime, &mut shards, at).await;
        let first = shards.iter().position(|shard| shard.driver.streams() == 1).expect("one has it");
        let other = (first + 1) % SHARDS;
        let number = u8::try_from(other).expect("few");
        if ended {
            // It is not there any more, and the system has not come to know: its socket is.
            let (mut seats, _) = seats(1);
            std::mem::swap(&mut shards[other].seat, &mut seats[0]);
        } else {
            let limits = Limits::default().with_accepted(0, 0);
            let config = Config::default().with_server_tls(authority.server("turn.example.org", &[]));
            let member = Member { index: number, told: VecDeque::new() };
            let mut full =
                Driver::with_config(config.with_limits(limits), runtime.clone(), Epoch::start(), member);
            full.listen_shared(Transport::Dtls, LOCALHOST, Port::Exact(at.port()), Framing::Stun)
                .expect("a place");
            shards[other].driver = full;
        }
        client.say(&[[number, 1]]);
        until(&runtime, &mut shards, |_| {
            client.go_on();
            client.ended
        })
        .await;
        assert!(client.heard.is_empty());
        assert_eq!(sum(&shards, |shard| shard.seat.post_stats().dropped()), 1);
        assert_eq!(shards.iter().map(|shard| shard.driver.streams()).sum::<usize>(), 0);
        // Who begins anew is served, by whom it comes to.
        client.begin_anew(&runtime, &mut shards).await;
        let shard = u8::try_from(first).expect("few");
        assert_eq!(client.ask(&runtime, &mut shards, &[[shard, 1]]).await, [[shard, 1, shard]]);
    }
}

pub async fn whose_association_was_in_a_shard_that_has_ended_begins_anew<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut shards, _handles, at) = shards(&runtime, Transport::Dtls, &authority);
    let mut client = Client::connect(&runtime, &mut shards, at).await;
    let first = shards.iter().position(|shard| shard.driver.streams() == 1).expect("one has it");
    let [here, other] = [first, first + 1].map(|shard| u8::try_from(shard % SHARDS).expect("few"));
    assert_eq!(client.ask(&runtime, &mut shards, &[[other, 1]]).await, [[other, 1, other]]);
    let (mut seats, _) = seats(1);
    std::mem::swap(&mut shards[usize::from(other)].seat, &mut seats[0]);
    drop(seats);
    client.say(&[[other, 2]]);
    until(&runtime, &mut shards, |shards| shards[first].seat.post_stats().dropped() == 1).await;
    client.begin_anew(&runtime, &mut shards).await;
    assert_eq!(client.ask(&runtime, &mut shards, &[[here, 3]]).await, [[here, 3, here]]);
}

pub async fn a_stream_that_moves_is_there_before_its_message<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut shards, _handles, at) = shards(&runtime, Transport::Tcp, &authority);
    let mut stream = TcpStream::connect(at).expect("somebody listens");
    until(&runtime, &mut shards, |shards| shards.iter().any(|shard| shard.driver.streams() == 1)).await;
    let first = shards.iter().position(|shard| shard.driver.streams() == 1).expect("one has it");
    let other = (first + 1) % SHARDS;
    stream.write_all(&[0, 2, u8::try_from(other).expect("few"), 7]).expect("room");
    until(&runtime, &mut shards, |shards| shards[other].log.0.contains(&Told::Message)).await;
    assert_eq!(shards[other].log.0, [Told::Accepted, Told::Message]);
}
