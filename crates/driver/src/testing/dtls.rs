//! The tests of DTLS as what carries a path: `ginnel_driver::dtls_tests!(Tokio, block_on)`.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use dimpl::{Dtls, Output};
use ginnel_core::{Epoch, Framing, Instant, Notice, Path, Port, Refused, Request, Transport};

use super::{
    LOCALHOST,
    node::{CONNECT, Node, listen, named},
    secure::{Authority, host, outcome},
    streams::{Driven, node, server, until},
};
use crate::{Config, Limits, Runtime, dtls::Library};

/// Makes one test of each function below, for a runtime and the function that runs a future on it.
#[macro_export]
macro_rules! dtls_tests {
    ($runtime:expr, $block_on:expr) => {
        $crate::loop_tests!(@ $runtime, $block_on;
            dtls_carries_messages_to_whom_the_name_is_right
            dtls_with_whom_nobody_trusts_is_refused
            dtls_where_nobody_answers_times_out
            dtls_and_plain_datagrams_share_a_socket
            dtls_from_any_address_has_one_of_its_own
            dtls_may_not_be_idle_for_long
            sec_41_ten_thousand_hellos_without_a_cookie_leave_nothing
            sec_41_half_open_dtls_is_bounded_and_the_oldest_goes
            sec_41_half_open_dtls_keeps_little_of_what_it_is_sent
            a_dtls_client_that_begins_anew_is_another
            who_begins_dtls_anew_and_does_not_finish_ends_nothing
            who_cannot_speak_dtls_is_told_so
            a_server_hello_is_no_replay_of_a_request
        );
    };
}

const SECURE: Request = listen(Transport::Dtls, Framing::Stun);

fn wish(at: SocketAddr, name: &str) -> Request {
    named(Transport::Dtls, at, Framing::Stun, host(name), None)
}

async fn serving<R: Runtime + Clone>(
    runtime: &R,
    authority: &Authority,
    limits: Limits,
) -> (Driven<R>, SocketAddr) {
    let config =
        Config::default().with_server_tls(authority.server("turn.example.org", &[])).with_limits(limits);
    server(runtime, config, Node::echo(), SECURE).await
}

pub async fn dtls_carries_messages_to_whom_the_name_is_right<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, &authority, Limits::default()).await;
    let (mut client, result) =
        outcome(&runtime, &mut server, authority.client(), wish(at, "turn.example.org")).await;
    let path = Path::new(Transport::Dtls, result.expect("connected"), at);
    until(&runtime, &mut [&mut server, &mut client], |nodes| nodes[0].1.accepted() == [path.reversed()])
        .await;
    let messages: Vec<Vec<u8>> =
        [1_usize, 20, 333, 1_200, 1_400].iter().map(|len| vec![*len as u8; *len]).collect();
    for message in &messages {
        client.0.with(|node, _| node.say(path, message));
        let wanted = client.1.messages.len() + 1;
        until(&runtime, &mut [&mut server, &mut client], |nodes| nodes[1].1.messages.len() == wanted).await;
    }
    assert_eq!(client.1.bytes(), messages);
    assert!(client.1.messages.iter().all(|(from, _)| *from == path));
    // What is released is told of by a close_notify.
    client.0.with(|node, _| node.ask(Request::release(path)));
    until(&runtime, &mut [&mut server, &mut client], |nodes| nodes[0].1.lost(path.reversed())).await;
    assert!(!client.1.lost(path), "who has released it knows");
    assert_eq!((client.0.streams(), server.0.streams(), client.0.locals().count()), (0, 0, 0));
    let release = Request::Release { transport: Transport::Dtls, local: at, remote: None };
    server.0.with(|node, _| node.ask(release));
    assert_eq!((server.0.locals().count(), server.0.traces()), (0, [0; 5]));
}

pub async fn dtls_from_any_address_has_one_of_its_own<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, &authority, Limits::default()).await;
    let mut request = wish(at, "turn.example.org");
    if let Request::Connect { local, .. } = &mut request {
        *local = Some((Ipv4Addr::UNSPECIFIED, 0).into());
    }
    let (client, result) = outcome(&runtime, &mut server, authority.client(), request).await;
    assert_eq!(result.expect("connected").ip(), LOCALHOST);
    drop(client);
}

pub async fn dtls_with_whom_nobody_trusts_is_refused<R: Runtime + Clone>(runtime: R) {
    let (authority, other) = (Authority::new(), Authority::new());
    let (mut server, at) = serving(&runtime, &authority, Limits::default()).await;
    for (config, name) in [(authority.client(), "turn.example.com"), (other.client(), "turn.example.org")] {
        let (client, result) = outcome(&runtime, &mut server, config, wish(at, name)).await;
        assert_eq!(
            (result, client.0.streams(), client.0.locals().count()),
            (Err(Refused::Untrusted), 0, 0),
            "{name}"
        );
    }
    // Without a name it must be for the address.
    let nameless = named(Transport::Dtls, at, Framing::Stun, None, None);
    let (_, result) = outcome(&runtime, &mut server, authority.client(), nameless).await;
    assert_eq!(result, Err(Refused::Untrusted));
    // Who has nobody to trust, or nothing to show, is told so at once.
    let (_, result) = outcome(&runtime, &mut server, Config::default(), nameless).await;
    assert_eq!(result, Err(Refused::Unsupported));
    let mut bare = node(&runtime, Config::default(), Node::echo());
    assert_eq!(
        bare.0.listen(Transport::Dtls, LOCALHOST, Port::Any, Framing::Stun),
        Err(Refused::Unsupported)
    );
    assert!(server.1.accepted().is_empty(), "the machine hears of none of them");
}

pub async fn dtls_where_nobody_answers_times_out<R: Runtime + Clone>(runtime: R) {
    let silent = UdpSocket::bind((LOCALHOST, 0)).expect("loopback");
    let at = silent.local_addr().expect("an address");
    let limits = Limits::default().with_handshakes(8, Duration::from_millis(700));
    let config = Authority::new().client().with_limits(limits);
    let mut client = node(&runtime, config, Node::default());
    client.0.with(|node, _| node.ask(wish(at, "turn.example.org")));
    until(&runtime, &mut [&mut client], |nodes| nodes[0].1.opened(CONNECT).is_some()).await;
    assert_eq!(client.1.opened(CONNECT), Some(Err(Refused::TimedOut)));
    assert_eq!((client.0.streams(), client.0.traces()), (0, [0; 5]));
}

pub async fn dtls_and_plain_datagrams_share_a_socket<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, &authority, Limits::default()).await;
    let plain = UdpSocket::bind((LOCALHOST, 0)).expect("loopback");
    plain.set_nonblocking(true).expect("a socket");
    let mut buf = [0; 64];
    plain.send_to(b"\0early", at).expect("room");
    assert_eq!(server.0.bind(LOCALHOST, Port::Exact(at.port())), Ok(at));
    assert_eq!(server.0.bind(LOCALHOST, Port::Exact(at.port())), Err(Refused::InUse));
    let (mut client, result) =
        outcome(&runtime, &mut server, authority.client(), wish(at, "turn.example.org")).await;
    let path = Path::new(Transport::Dtls, result.expect("connected"), at);
    plain.send_to(b"\0plain", at).expect("room");
    client.0.with(|node, _| node.say(path, b"\0secure"));
    until(&runtime, &mut [&mut server, &mut client], |nodes| {
        let answered = plain.recv_from(&mut buf).is_ok_and(|(len, _)| buf[..len] == *b"\0plain");
        nodes[1].1.messages.len() + usize::from(answered) > 1 || answered
    })
    .await;
    until(&runtime, &mut [&mut server, &mut client], |nodes| nodes[1].1.bytes() == [b"\0secure"]).await;
    // Given back by the one, it stays for the other.
    server
        .0
        .with(|node, _| node.ask(Request::Release { transport: Transport::Udp, local: at, remote: None }));
    client.0.with(|node, _| node.say(path, b"\0again"));
    until(&runtime, &mut [&mut server, &mut client], |nodes| nodes[1].1.messages.len() == 2).await;
}

pub async fn dtls_may_not_be_idle_for_long<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let limits = Limits::default().with_idle(Duration::from_millis(200));
    let (mut server, at) = serving(&runtime, &authority, limits).await;
    let (mut client, result) =
        outcome(&runtime, &mut server, authority.client(), wish(at, "turn.example.org")).await;
    let path = Path::new(Transport::Dtls, result.expect("connected"), at);
    until(&runtime, &mut [&mut server, &mut client], |nodes| nodes[1].1.lost(path)).await;
    assert!(server.1.lost(path.reversed()));
    assert_eq!((server.0.stats().streams_idle, server.0.streams()), (1, 0));
}

/// A client of the library, by hand.
pub(super) struct Peer {
    pub(super) socket: UdpSocket,
    pub(super) library: Dtls,
    epoch: Epoch,
}

impl Peer {
    pub(super) fn new(at: SocketAddr) -> Self {
        let epoch = Epoch::start();
        let mut shared = Library::new(Duration::from_secs(10)).expect("a library");
        Self::with(at, epoch, shared.client(epoch.to_std(Instant::EPOCH)).expect("a client"))
    }

    fn with(at: SocketAddr, epoch: Epoch, library: Dtls) -> Self {
        let socket = UdpSocket::bind((LOCALHOST, 0)).expect("loopback");
        socket.connect(at).expect("loopback");
        socket.set_nonblocking(true).expect("a socket");
        Self { socket, library, epoch }
    }

    pub(super) fn now(&self) -> std::time::Instant {
        self.epoch.to_std(self.epoch.now())
    }

    /// What it wants to send.
    fn flight(&mut self) -> Vec<Vec<u8>> {
        let mut buf = vec![0; 4_096];
        let mut flight = Vec::new();
        while let Output::Packet(packet) = self.library.poll_output(&mut buf) {
            flight.push(packet.to_vec());
        }
        flight
    }

    /// Says hello, and proves that it hears: then it is half open at the server, and says no more.
    fn hello(&mut self) {
        self.library.handle_timeout(self.epoch.to_std(Instant::EPOCH)).expect("time");
        self.send();
    }

    fn send(&mut self) {
        for datagram in self.flight() {
            self.socket.send(&datagram).expect("room");
        }
    }

    /// Takes what has come; whether something has.
    pub(super) fn take(&mut self) -> bool {
        let mut buf = [0; 4_096];
        let Ok(len) = self.socket.recv(&mut buf) else { return false };
        self.library.handle_packet(&buf[..len]).expect("the library takes it");
        true
    }
}

pub async fn sec_41_ten_thousand_hellos_without_a_cookie_leave_nothing<R: Runtime + Clone>(runtime: R) {
    const HELLOS: u64 = 10_000;
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, &authority, Limits::default()).await;
    let mut peer = Peer::new(at);
    peer.library.handle_timeout(peer.epoch.to_std(Instant::EPOCH)).expect("time");
    let hello = peer.flight().remove(0);
    // From many ports, and with wrong cookies as well: nobody proves anything.
    let sockets: Vec<UdpSocket> =
        (0..50).map(|_| UdpSocket::bind((LOCALHOST, 0)).expect("loopback")).collect();
    let mut sent = 0_usize;
    until(&runtime, &mut [&mut server], |nodes| {
        // As many at once as a socket's buffer takes.
        for _ in 0..100 {
            let mut hello = hello.clone();
            hello[5..11].copy_from_slice(&(sent as u64).to_be_bytes()[2..]);
            sockets[sent % sockets.len()].send_to(&hello, at).expect("room");
            sent += 1;
        }
        assert_eq!(nodes[0].0.streams(), 0);
        nodes[0].0.stats().dtls_challenged >= HELLOS
    })
    .await;
    // A listening socket, and nothing else.
    assert_eq!(server.0.traces(), [0; 5]);
    assert_eq!(server.0.stats().handshakes_failed, 0);
    // Each was answered by less than it had said, and somebody real is served.
    let mut buf = [0; 4_096];
    sockets[0].set_nonblocking(true).expect("a socket");
    let (len, _) = sockets[0].recv_from(&mut buf).expect("an answer");
    assert!(len < hello.len(), "{len} octets for {}", hello.len());
    let (_, result) = outcome(&runtime, &mut server, authority.client(), wish(at, "turn.example.org")).await;
    assert!(result.is_ok());
}

pub async fn sec_41_half_open_dtls_is_bounded_and_the_oldest_goes<R: Runtime + Clone>(runtime: R) {
    const LIMIT: usize = 5;
    let authority = Authority::new();
    let limits = Limits::default().with_handshakes(LIMIT, Duration::from_secs(60));
    let (mut server, at) = serving(&runtime, &authority, limits).await;
    let mut peers: Vec<Peer> = (0..12).map(|_| Peer::new(at)).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.hello();
        // The demand for a cookie, and then its return: the server's flight shows that it has an association.
        until(&runtime, &mut [&mut server], |_| peer.take()).await;
        peer.send();
        until(&runtime, &mut [&mut server], |_| peer.take()).await;
        assert_eq!(server.0.streams(), (number + 1).min(LIMIT));
    }
    assert_eq!((server.0.stats().handshakes_failed, server.1.accepted().len()), (7, 0));
    // The youngest can still finish, the oldest cannot: what it says is for nobody.
    let last = peers.last_mut().expect("twelve");
    until(&runtime, &mut [&mut server], |nodes| {
        while last.take() {}
        last.send();
        nodes[0].1.accepted().len() == 1
    })
    .await;
    assert_eq!(server.0.streams(), LIMIT);
}

pub async fn sec_41_half_open_dtls_keeps_little_of_what_it_is_sent<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let limits = Limits::default();
    let limits = limits.with_handshakes(limits.handshakes, Duration::from_secs(60));
    let (mut server, at) = serving(&runtime, &authority, limits).await;
    let mut peer = Peer::new(at);
    peer.hello();
    until(&runtime, &mut [&mut server], |_| peer.take()).await;
    peer.send();
    until(&runtime, &mut [&mut server], |nodes| nodes[0].0.streams() == 1).await;
    // The beginnings of messages that are not their turn: those of 2,048 octets may wait, one more is too long. So is a hello.
    for len in [2_048_usize, 2_049, 60_000] {
        let before = server.0.stats();
        for number in 1..=40_u8 {
            let [body, whole] = [len - 25, 0xff_ffff].map(|len| (len as u32).to_be_bytes());
            let [_, body @ ..] = body;
            let [_, whole @ ..] = whole;
            let record = (len as u16 - 13).to_be_bytes();
            let mut datagram = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 1, number, record[0], record[1], 16];
            datagram.extend(whole);
            datagram.extend([0, 100 + number, 0, 0, 0]);
            datagram.extend(body);
            datagram.resize(len, 7);
            peer.socket.send(&datagram).expect("room");
            let seen = before.received + u64::from(number);
            until(&runtime, &mut [&mut server], |nodes| nodes[0].0.stats().received >= seen).await;
        }
        let expected = if len > 2_048 { 40 } else { 0 };
        assert_eq!(server.0.stats().not_open - before.not_open, expected, "{len}");
    }
    assert_eq!(server.0.streams(), 1, "what anyone could have sent ends nothing");
}

pub async fn a_dtls_client_that_begins_anew_is_another<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, &authority, Limits::default()).await;
    let mut peer = Peer::new(at);
    let remote = peer.socket.local_addr().expect("an address");
    let path = Path::new(Transport::Dtls, at, remote);
    for round in 1..=2 {
        peer.hello();
        until(&runtime, &mut [&mut server], |nodes| {
            while peer.take() {}
            peer.send();
            nodes[0].1.accepted().len() == round
        })
        .await;
        // The same address, and nothing remembered: as after a crash.
        let mut shared = Library::new(Duration::from_secs(10)).expect("a library");
        peer.library = shared.client(peer.epoch.to_std(Instant::EPOCH)).expect("a client");
        let mut stray = [0; 4_096];
        while peer.socket.recv(&mut stray).is_ok() {}
    }
    let expected = [
        Notice::Accepted { path, alpn: None },
        Notice::Lost { transport: Transport::Dtls, local: at, remote: Some(remote) },
        Notice::Accepted { path, alpn: None },
    ];
    let of_it: Vec<Notice> =
        server.1.notices.iter().copied().filter(|notice| !matches!(notice, Notice::Opened { .. })).collect();
    assert_eq!((of_it, server.0.streams()), (expected.to_vec(), 1));
}

/// From the address of somebody who is known, as who spoofs it and sees the answers, or who has got hold of a hello.
pub async fn who_begins_dtls_anew_and_does_not_finish_ends_nothing<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, &authority, Limits::default()).await;
    let mut peer = Peer::new(at);
    peer.hello();
    until(&runtime, &mut [&mut server], |nodes| {
        while peer.take() {}
        peer.send();
        nodes[0].1.accepted().len() == 1
    })
    .await;
    // Two strangers, one after the other: each gets as far as half open.
    for random in [1, 2] {
        let mut cookie = Vec::new();
        let mut buf = [0; 4_096];
        until(&runtime, &mut [&mut server], |nodes| {
            while let Ok(len) = peer.socket.recv(&mut buf) {
                // A HelloVerifyRequest.
                if len == 60 && (buf[0], buf[13]) == (22, 3) {
                    cookie = buf[28..len].to_vec();
                }
            }
            let hello = client_hello([254, 253], &GOOD, random, &cookie, 1);
            peer.socket.send(&hello).expect("room");
            let stats = nodes[0].0.stats();
            (nodes[0].0.streams(), stats.handshakes_failed) == (2, u64::from(random) - 1)
        })
        .await;
        // Who was there is there.
        let heard = server.0.stats().messages_received;
        peer.library.handle_timeout(peer.epoch.to_std(Instant::EPOCH)).expect("time");
        peer.library.send_application_data(b"\0still here").expect("open");
        until(&runtime, &mut [&mut server], |nodes| {
            peer.send();
            nodes[0].0.stats().messages_received > heard
        })
        .await;
    }
    assert_eq!(server.0.streams(), 2, "one handshake of a path at a time");
    assert_eq!(server.1.accepted().len(), 1);
    let path = Path::new(Transport::Dtls, at, peer.socket.local_addr().expect("an address"));
    assert!(!server.1.lost(path));
    // Given back, it takes the stranger along that would follow it.
    for _ in 0..2 {
        server.0.with(|node, _| node.ask(Request::release(path)));
        until(&runtime, &mut [&mut server], |_| true).await;
    }
    assert_eq!((server.0.traces(), server.0.streams()), ([0; 5], 0));
}

/// A ClientHello as `version | cipher suites` say, with a cookie, or none yet.
fn client_hello(version: [u8; 2], suites: &[u8], random: u8, cookie: &[u8], sequence: u8) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([random; 32]);
    body.extend([0, cookie.len() as u8]);
    body.extend(cookie);
    body.extend([0, suites.len() as u8]);
    body.extend(suites);
    // No compression; supported_groups, signature_algorithms and extended_master_secret.
    body.extend([1, 0, 0, 20, 0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3, 0, 23, 0, 0]);
    let length = body.len() as u8;
    let mut datagram = vec![22, 254, 255, 0, 0, 0, 0, 0, 0, 0, sequence, 0, length + 12];
    datagram.extend([1, 0, 0, length, 0, u8::from(!cookie.is_empty()), 0, 0, 0, 0, 0, length]);
    datagram.extend(body);
    datagram
}

/// What is answered to a hello, and then to its repetition with the cookie.
async fn begin<R: Runtime + Clone>(
    runtime: &R,
    server: &mut Driven<R>,
    socket: &UdpSocket,
    version: [u8; 2],
    suites: &[u8],
    sequence: u8,
) -> [Vec<u8>; 2] {
    let mut buf = [0; 4_096];
    let mut answers = [vec![], vec![]];
    for round in 0..2_u8 {
        // Behind the headers, the version and the length of the cookie.
        let cookie = answers[0].get(28..).unwrap_or_default().to_vec();
        socket.send(&client_hello(version, suites, 9, &cookie, sequence + round)).expect("room");
        let mut len = 0;
        until(runtime, &mut [server], |_| socket.recv(&mut buf).inspect(|count| len = *count).is_ok()).await;
        answers[usize::from(round)] = buf[..len].to_vec();
    }
    answers
}

const GOOD: [u8; 2] = [0xc0, 0x2b];

pub async fn who_cannot_speak_dtls_is_told_so<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, &authority, Limits::default()).await;
    let socket = UdpSocket::bind((LOCALHOST, 0)).expect("loopback");
    socket.connect(at).expect("loopback");
    socket.set_nonblocking(true).expect("a socket");
    // DTLS 1.0; and none of the ciphers: protocol_version and handshake_failure, both fatal.
    for (version, suites, why) in
        [([254, 255], &GOOD, 70), ([254, 253], &[0xc0, 0x0a], 40), ([254, 255], &[0xc0, 0x0a], 70)]
    {
        let [request, alert] = begin(&runtime, &mut server, &socket, version, suites, 3).await;
        assert_eq!((request[13], request[10]), (3, 3), "HelloVerifyRequest, with the number of the hello");
        assert_eq!(alert, [21, 254, 255, 0, 0, 0, 0, 0, 0, 0, 4, 0, 2, 2, why]);
        assert_eq!(server.0.streams(), 0);
    }
    assert_eq!((server.0.traces(), server.0.stats().handshakes_failed), ([0; 5], 3));
}

pub async fn a_server_hello_is_no_replay_of_a_request<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, &authority, Limits::default()).await;
    for sequence in [0, 1, 7] {
        let socket = UdpSocket::bind((LOCALHOST, 0)).expect("loopback");
        socket.connect(at).expect("loopback");
        socket.set_nonblocking(true).expect("a socket");
        let [request, hello] = begin(&runtime, &mut server, &socket, [254, 253], &GOOD, sequence).await;
        assert_eq!((request[13], request[10]), (3, sequence));
        assert_eq!((hello[13], hello[10]), (2, sequence + 1), "RFC 6347 section 4.2.1");
    }
}
