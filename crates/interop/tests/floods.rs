//! Floods and slow streams (SECURITY.md, cases 20, 40 and 41) at `ginnel serve` itself: what is not authenticated leaves nothing
//! behind, and who is goes on. All of them are at the driver too, in `crates/driver`.

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use ginnel_core::Seed;
use ginnel_interop::{
    By, Errand, Hand, Identity, Namespace, Peer, Serve, Task, channel_data, drive, say, skip,
};
use ginnel_stun::{
    Class, LongTermCredential, Message, Method,
    attribute::{RequestedTransport, XorPeerAddress},
};
use ginnel_tokio::{ClientTls, Config};
use ginnel_turn::client::{ClientConfig, Event, Socket, TurnServer};

/// How long something may take that comes in any case.
const LIMIT: Duration = Duration::from_secs(60);
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));
const SERVER: SocketAddr = SocketAddr::new(HOST, Serve::PORT);
/// What memory may grow by, in octets: less than a kilobyte for each of ten thousand.
const BOUND: usize = 8 << 20;

struct Stage {
    namespace: Namespace,
    identity: Identity,
    peer: Peer,
    server: Serve,
}

fn stage(more: &[&str]) -> Option<Stage> {
    let made = Namespace::new().map_err(|why| format!("no network namespace can be made: {why}"));
    let namespace = made.inspect_err(|why| skip(why)).ok()?;
    let identity = Identity::new(&[]);
    let options = ["--user", "user:pass", "--allow-peer", "10.99.0.0/24"];
    let options = [&options, &Serve::METRICS[..], more].concat();
    let server = Serve::start(&namespace, &[HOST], &identity, &options);
    Some(Stage { peer: Peer::start(&namespace, HOST), namespace, identity, server })
}

impl Stage {
    fn metric(&self, name: &str) -> u64 {
        self.server.metric(&self.namespace, name)
    }

    /// Memory has not grown since, whatever `what` was.
    #[track_caller]
    fn assert_bounded(&self, what: &str, before: usize) {
        let after = self.server.memory();
        say(&format!("{what}: {before} octets of memory before, {after} after"));
        assert!(after < before + BOUND, "{before} octets of memory grew to {after}");
    }

    /// Somebody with credentials relays something there and back.
    fn relays_over(&self, server: TurnServer) {
        let config = ClientConfig::new(server, LongTermCredential::new("user", "pass").unwrap());
        let config = config.with_socket(Socket::Own(Some(HOST)));
        let trusted = ClientTls::from_pem(self.identity.authority.as_bytes()).unwrap();
        let errand =
            Errand::new(config, Seed::new([3; 32]), [Task::Exchange(By::Channel, self.peer.address())]);
        let heard = drive(&self.namespace, LIMIT, Config::default().with_client_tls(trusted), errand);
        assert_eq!(heard.machine.done(), 1, "{:#?}", heard.events);
        assert_eq!(heard.events.last(), Some(&Event::Closed));
    }
}

/// Each with an integrity that is right, as of a user who has made up a nonce. (By default few of them would be judged at all:
/// those of one source are limited.)
#[test]
fn sec_20_a_hundred_thousand_forged_nonces_leave_nothing() {
    const FORGED: u32 = 100_000;
    let Some(stage) = stage(&["--challenge-rate", "1000000"]) else { return };
    let mut hand = Hand::udp(&stage.namespace, HOST, SERVER);
    let allocate =
        |hand: &mut Hand| hand.request(Method::ALLOCATE, |open| open.attribute(&RequestedTransport::UDP));
    let bare = allocate(&mut hand);
    let challenge = hand.exchange(&bare);
    hand.heed(&challenge);
    let nonce = hand.nonce().to_vec();
    let before = stage.server.memory();
    for n in 1..=FORGED {
        let mut forged = nonce.clone();
        // Behind what says which features there are.
        let last = forged.len() - 4;
        forged[last..].iter_mut().zip(n.to_be_bytes()).for_each(|(octet, change)| *octet ^= change);
        hand.set_nonce(&forged);
        let request = allocate(&mut hand);
        hand.say(&request);
    }
    // A busy machine loses some of them before anybody sees them.
    stage.relays_over(TurnServer::udp(SERVER));
    let stale = stage.metric("ginnel_auth_total{result=\"stale_nonce\"}");
    assert!(stale > u64::from(FORGED) / 10, "{stale} of {FORGED} were judged");
    assert_eq!(stage.metric("ginnel_allocations"), 0);
    stage.assert_bounded(&format!("{stale} of {FORGED} forged nonces were judged, and stale"), before);
}

/// Octet by octet, and cut anywhere: messages are what they are. The largest that there can be pass.
#[test]
fn sec_40_messages_over_tcp_are_cut_alike_wherever_segments_break() {
    let Some(stage) = stage(&[]) else { return };
    let mut hand = Hand::tcp(&stage.namespace, SERVER);
    assert_eq!(hand.allocate().error, None);
    assert_eq!(hand.bind(0x4000, stage.peer.address()).error, None);
    // One octet a segment.
    let binding = hand.binding();
    let (first, last) = binding.split_at(binding.len() - 1);
    for octet in first {
        hand.say(&[*octet]);
    }
    let answer = hand.exchange_rest(last, &binding);
    assert_eq!(answer.error, None);
    // A STUN message and ChannelData, both in two halves that are together.
    let request =
        hand.request(Method::CREATE_PERMISSION, |open| open.attribute(&XorPeerAddress(stage.peer.address())));
    let mut both = channel_data(0x4000, b"odd");
    // RFC 8656 section 12.5: over streams it is padded.
    both.push(0);
    both.extend(&request);
    both.extend(channel_data(0x4000, b"even"));
    for piece in both.chunks(7) {
        hand.say(piece);
    }
    let mut heard: Vec<Vec<u8>> = (0..3).map(|_| hand.hear(LIMIT).expect("three answers")).collect();
    heard.sort_by_key(Vec::len);
    assert_eq!(heard[0], channel_data(0x4000, b"odd").into_iter().chain([0]).collect::<Vec<u8>>());
    assert_eq!(heard[1], channel_data(0x4000, b"even"));
    assert_eq!(Message::parse(&heard[2]).expect("STUN").class(), Class::Success);
    // Longer than any datagram: taken from the stream, and not relayed.
    hand.say(&channel_data(0x4000, &[7; 65_532]));
    hand.say(&channel_data(0x4000, b"next"));
    assert_eq!(hand.hear_data(LIMIT).as_deref(), Some(&b"next"[..]));
}

/// Streams on which nothing goes on are ended, and so are those that go on without ever getting anywhere.
#[test]
fn sec_40_idle_streams_are_ended() {
    let Some(stage) = stage(&["--stream-idle", "2s"]) else { return };
    let mut silent = Hand::tcp(&stage.namespace, SERVER);
    assert!(silent.is_ended(LIMIT), "who says nothing");
    let mut spoke = Hand::tcp(&stage.namespace, SERVER);
    let binding = spoke.binding();
    assert_eq!(spoke.exchange(&binding).error, None);
    assert!(spoke.is_ended(LIMIT), "who says nothing more");
    let mut half = Hand::tcp(&stage.namespace, SERVER);
    half.say(&binding[..19]);
    assert!(half.is_ended(LIMIT), "who does not finish");
}

/// Ten thousand streams that say nothing, as many as there may be at a time, and handshakes that are never finished.
#[test]
fn sec_41_half_open_streams_take_bounded_memory() {
    const STREAMS: usize = 10_000;
    const MOST: u64 = 200;
    let limits = ["--shards", "1", "--max-streams", "200", "--max-streams-per-source", "20"];
    let Some(stage) = stage(&limits) else { return };
    // Together they may have twice as many as there may be.
    let sources: Vec<IpAddr> = (1..=20).map(|n| Ipv4Addr::new(10, 99, 2, n).into()).collect();
    for source in &sources {
        stage.namespace.ip(&format!("address add {source}/32 dev lan0")).expect("an address");
    }
    stage.relays_over(TurnServer::udp(SERVER));
    let before = stage.server.memory();
    let held = stage.namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a tokio runtime");
        let mut held = Vec::new();
        for n in 0..STREAMS {
            let port = if n % 2 == 0 { Serve::PORT } else { Serve::TLS_PORT };
            let source = SocketAddr::new(sources[n % sources.len()], 0);
            // Those that are reset at once may say so here, or later.
            let stream = runtime.block_on(connect(source, SocketAddr::new(HOST, port)));
            let Ok(mut stream) = stream else { continue };
            let _ = stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01][..1 + n % 6]);
            held.push(stream);
            // Files of this process are few.
            if held.len() == 600 {
                held.clear();
            }
        }
        held
    });
    let open = stage.metric("ginnel_streams");
    assert!(open <= MOST, "{open} streams are open");
    // Of six hundred at a time two thirds are too many, but for those that came as others went.
    let refused = stage.metric("ginnel_streams_opened_total{result=\"refused\"}");
    assert!(refused >= 1_000, "{refused} of {STREAMS} streams were refused");
    stage.assert_bounded(&format!("{STREAMS} streams that say nothing, {open} of them are open"), before);
    // Datagrams never need a stream; and streams are had again as soon as those are gone.
    stage.relays_over(TurnServer::udp(SERVER));
    drop(held);
    let deadline = Instant::now() + LIMIT;
    while stage.metric("ginnel_streams") > 0 {
        assert!(Instant::now() < deadline, "streams that were closed are still open");
    }
    stage.relays_over(TurnServer::tcp(SERVER));
    stage.relays_over(TurnServer::tls(SocketAddr::new(HOST, Serve::TLS_PORT), Identity::NAME.parse().ok()));
}

async fn connect(source: SocketAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind(source)?;
    let stream = tokio::time::timeout(Duration::from_secs(2), socket.connect(to)).await??;
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Ten thousand ClientHellos without a cookie, from two hundred ports: each is sent a cookie, and nothing is kept.
#[test]
fn sec_41_hellos_without_a_cookie_leave_nothing() {
    const HELLOS: u32 = 10_000;
    let Some(stage) = stage(&[]) else { return };
    let secure = SocketAddr::new(HOST, Serve::TLS_PORT);
    stage.relays_over(TurnServer::dtls(secure, Identity::NAME.parse().ok()));
    let before = stage.server.memory();
    let verified = stage.namespace.enter(|| {
        let sockets: Vec<UdpSocket> = (0..200)
            .map(|_| {
                let socket = UdpSocket::bind((HOST, 0)).expect("a socket");
                socket.connect(secure).expect("a way to the server");
                socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a limit");
                socket
            })
            .collect();
        let (mut verified, mut unanswered) = (0, 0);
        for n in 0..HELLOS {
            let socket = &sockets[n as usize % sockets.len()];
            socket.send(&client_hello(n)).expect("it leaves");
            let mut answer = [0; 1500];
            // RFC 6347 section 4.3.2: HelloVerifyRequest is 3.
            let length = socket.recv(&mut answer).unwrap_or_default();
            verified += u32::from(length > 13 && (answer[0], answer[13]) == (22, 3));
            unanswered += u32::from(length == 0);
            assert!(unanswered < 20, "{unanswered} of {n} are not answered");
        }
        verified
    });
    assert!(verified > HELLOS - 20, "{verified} of {HELLOS} were asked for a cookie");
    assert_eq!(stage.metric("ginnel_streams"), 0);
    stage.assert_bounded(&format!("{HELLOS} hellos without a cookie"), before);
    stage.relays_over(TurnServer::dtls(secure, Identity::NAME.parse().ok()));
}

/// A ClientHello of DTLS 1.2 (RFC 6347 section 4.2.1) as every client begins.
fn client_hello(number: u32) -> Vec<u8> {
    // secp256r1, ecdsa_secp256r1_sha256, uncompressed points.
    let extensions = [
        0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, 0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03, 0x00,
        0x0b, 0x00, 0x02, 0x01, 0x00, 0x00, 0x17, 0x00, 0x00,
    ];
    let mut body = vec![0xfe, 0xfd];
    body.extend(number.to_be_bytes());
    body.extend([0x5A; 28]);
    // No session, no cookie, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression.
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let length = &(body.len() as u32).to_be_bytes()[1..];
    let handshake = [&[1][..], length, &[0, 0], &[0, 0, 0], length, &body].concat();
    let header = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
    [&header[..], &(handshake.len() as u16).to_be_bytes(), &handshake].concat()
}
