//! Inputs that have hurt others, at the program as operators run it. Each is tested at its machine and its driver too; here it is
//! shown that nothing between those and the operator undoes it.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
};

use crate::{
    client::{Client, binding, mapped, mapped_over_udp, stranger},
    program::{PATIENCE, Serve},
};

const LOCAL: [&str; 6] = ["--user", "a:b", "--metrics", "127.0.0.1:0", "--shards", "1"];

fn start(more: &[&str]) -> Serve {
    Serve::start(&[&LOCAL[..], &["--listen", "127.0.0.1:0"], more].concat())
}

fn stream(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Waits until the other side has ended the stream, in whatever way.
fn assert_cut(stream: &mut TcpStream) {
    match stream.read(&mut [0; 64]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("it is not cut off: {other:?}"),
    }
}

/// The answer tells a realm and a nonce, and no amplifier would be built of it.
#[test]
fn sec_18_the_program_challenges_strangers_briefly() {
    let serve = start(&[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&stranger(), serve.at("udp")).unwrap();
    let mut answer = [0; 2048];
    let n = socket.recv(&mut answer).unwrap();
    let message = ginnel::stun::Message::parse(&answer[..n]).unwrap();
    let error = message.get::<ginnel::stun::attribute::ErrorCode<'_>>().unwrap().expect("ERROR-CODE");
    assert_eq!(error.code(), 401);
    assert!(message.get::<ginnel::stun::attribute::Realm<'_>>().unwrap().is_some());
    assert!(n <= 48 + 6 + 64 + 2 + stranger().len(), "{n} octets");
    assert_eq!(serve.metric("ginnel_allocations"), 0);
}

/// Nothing of the host and of private networks, in whatever form it is written.
#[cfg(target_os = "linux")]
#[test]
fn sec_26_to_28_the_program_reaches_no_host_that_only_it_can_reach() {
    use crate::network::{HOST, HOST_V6, on_a_host_of_its_own};

    const V4: [&str; 13] = [
        "127.0.0.1",
        "127.0.0.2",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "224.0.0.1",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
    ];
    const V6: [&str; 13] = [
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
    ];
    on_a_host_of_its_own(|| {
        let serve = Serve::start(&LOCAL);
        let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 3478);
        let relays =
            |ip: &str| serve.announced.iter().any(|line| line.starts_with(&format!("relaying {ip} ")));
        assert!(relays(HOST) && relays(HOST_V6), "{serve:?}");
        let (mut v4, mut v6) = (Client::new(at(HOST), "a", "b"), Client::new(at(HOST), "a", "b"));
        let relayed = v4.allocate().unwrap().relayed.unwrap();
        let relayed_v6 = v6.allocate_v6().unwrap().relayed.unwrap();
        assert_eq!(relayed_v6.ip(), HOST_V6.parse::<std::net::IpAddr>().unwrap());
        let mut dropped = 0;
        for (client, peers, channel) in [(&mut v4, &V4, 0x4000), (&mut v6, &V6, 0x4000)] {
            for peer in peers {
                let peer = peer.parse().unwrap();
                assert_eq!(client.permit(peer).unwrap().error, Some(403), "{peer}");
                let peer = SocketAddr::new(peer, 7000);
                assert_eq!(client.bind_channel(channel, peer).unwrap().error, Some(403), "{peer}");
                client.indicate(peer, b"data");
                dropped += 1;
            }
        }
        // What the host's own addresses have is no peer either, but for relays that somebody holds.
        let metrics =
            serve.announced.iter().find_map(|line| line.strip_prefix("metrics http://127.0.0.1:")).unwrap();
        let metrics: u16 = metrics.trim_end_matches("/metrics").parse().unwrap();
        for port in [3478, metrics, 22, 53] {
            for (client, own) in [(&mut v4, HOST), (&mut v6, HOST_V6)] {
                let peer = SocketAddr::new(own.parse().unwrap(), port);
                assert_eq!(client.bind_channel(0x4001, peer).unwrap().error, Some(403), "{peer}");
                client.permit(peer.ip()).unwrap();
                client.indicate(peer, b"data");
                dropped += 1;
            }
        }
        assert_eq!(v4.bind_channel(0x4002, relayed).unwrap().error, None);
        assert_eq!(v6.bind_channel(0x4002, relayed_v6).unwrap().error, None);
        // Indications are judged in the order in which they came, so all of them have been.
        assert_eq!(serve.metric("ginnel_relayed_packets_total{direction=\"to_peers\"}"), 0);
        assert_eq!(serve.metric("ginnel_relay_drops_total{reason=\"bad_send\"}"), dropped);
    });
}

#[test]
fn sec_40_the_program_reads_streams_however_they_are_cut() {
    let serve = start(&["--stream-idle", "4s"]);
    // One octet at a time.
    let mut drips = stream(serve.at("tcp"));
    for octet in binding() {
        drips.write_all(&[octet]).unwrap();
    }
    let mut answer = [0; 32];
    drips.read_exact(&mut answer).unwrap();
    assert_eq!(mapped(&answer), drips.local_addr().unwrap());
    // Requests, and data of a channel that nobody has bound between them, cut anywhere.
    let mut mixed = stream(serve.at("tcp"));
    let data = [0x40, 0, 0, 3, 1, 2, 3, 0];
    let all = [&binding()[..], &data, &binding(), &data, &binding()].concat();
    for piece in all.chunks(7) {
        mixed.write_all(piece).unwrap();
    }
    for _ in 0..3 {
        mixed.read_exact(&mut answer).unwrap();
        assert_eq!(mapped(&answer), mixed.local_addr().unwrap());
    }
    // What is neither is cut off at once.
    let mut media = stream(serve.at("tcp"));
    media.write_all(&[0x80; 64]).unwrap();
    assert_cut(&mut media);
    assert_eq!(serve.metric("ginnel_streams_cut_total{reason=\"malformed\"}"), 1);
    // The longest frame that can be announced, and all of it but the end; and those who say nothing more: in time.
    let mut long = binding();
    long[2..4].copy_from_slice(&0xfffc_u16.to_be_bytes());
    long.resize(65_536, 0);
    let mut endless = stream(serve.at("tcp"));
    endless.write_all(&long).unwrap();
    for stream in [&mut endless, &mut drips, &mut mixed] {
        assert_cut(stream);
    }
    let cut = |reason: &str| serve.metric(&format!("ginnel_streams_cut_total{{reason=\"{reason}\"}}"));
    assert_eq!(cut("idle") + cut("slow"), 3);
}

#[test]
fn sec_41_the_program_holds_few_streams_that_say_nothing() {
    let serve = start(&["--max-streams", "8"]);
    let mut silent: Vec<_> = (0..50).map(|_| stream(serve.at("tcp"))).collect();
    let opened = |result: &str| serve.metric(&format!("ginnel_streams_opened_total{{result=\"{result}\"}}"));
    let deadline = std::time::Instant::now() + PATIENCE;
    while opened("accepted") + opened("refused") < 50 {
        assert!(std::time::Instant::now() < deadline, "{serve:?}");
    }
    assert_eq!((opened("accepted"), opened("refused"), serve.metric("ginnel_streams")), (8, 42, 8));
    // Those that were too many are cut off; over UDP nobody notices.
    for stream in &mut silent[8..] {
        assert_cut(stream);
    }
    assert_eq!(Client::new(serve.at("udp"), "a", "b").allocate().unwrap().error, None);
    // When they go, others may come.
    silent.clear();
    while serve.metric("ginnel_streams") > 0 {
        assert!(std::time::Instant::now() < deadline, "{serve:?}");
    }
    let mut comes = stream(serve.at("tcp"));
    comes.write_all(&binding()).unwrap();
    comes.read_exact(&mut [0; 32]).unwrap();
}

/// Nobody who does not show that he hears us has us keep anything.
#[cfg(target_os = "linux")]
#[test]
fn sec_41_ten_thousand_hellos_leave_nothing_in_the_program() {
    use crate::{certificate::identity, program::file, socket::block_on};
    use ginnel::{
        driver::{ClientTls, RelayConfig},
        tokio::RelaySocket,
    };

    const HELLOS: u64 = 10_000;
    let made = identity();
    let (cert, key) = (file("hello-cert.pem", &made.0), file("hello-key.pem", &made.1));
    let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let serve = start(&[&files[..], &["--dtls-listen", "127.0.0.1:0"]].concat());

    // The first words of a client, as they come to somebody who says nothing.
    let ear = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut hello = vec![0; 2048];
    let n = block_on(async {
        let relay = RelayConfig::new("turns:turn.test?transport=udp", "a", "b").unwrap();
        let relay = relay.with_tls(ClientTls::from_pem(made.0.as_bytes()).unwrap());
        ear.set_nonblocking(true).unwrap();
        let asks = RelaySocket::bind_at(&relay, ear.local_addr().unwrap());
        let ear = tokio::net::UdpSocket::from_std(ear.try_clone().unwrap()).unwrap();
        tokio::select! {
            _ = asks => panic!("nobody has answered"),
            heard = ear.recv(&mut hello) => heard.unwrap(),
        }
    });
    hello.truncate(n);

    let sockets: Vec<_> = (0..50).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let challenged = || serve.metric("ginnel_dtls_challenged_total");
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut before = None;
    let mut sent = 0_usize;
    while challenged() < HELLOS {
        // As many at once as a socket's buffer takes.
        for _ in 0..200 {
            hello[5..11].copy_from_slice(&(sent as u64).to_be_bytes()[2..]);
            sockets[sent % sockets.len()].send_to(&hello, serve.at("dtls")).unwrap();
            sent += 1;
        }
        if challenged() > HELLOS / 10 {
            before.get_or_insert_with(|| serve.resident());
        }
        assert!(std::time::Instant::now() < deadline, "{} of {sent}", challenged());
    }
    // An association has some kilobytes: those of nine thousand would be tens of megabytes.
    let grown = serve.resident().saturating_sub(before.expect("it was looked at"));
    assert!(grown < 4 << 20, "{grown} octets more");
    assert_eq!(serve.metric("ginnel_streams"), 0);
    // Somebody real is served.
    block_on(async {
        let relay = RelayConfig::new("turns:turn.test?transport=udp", "a", "b").unwrap();
        let relay = relay.with_tls(ClientTls::from_pem(made.0.as_bytes()).unwrap());
        RelaySocket::bind_at(&relay, serve.at("dtls")).await.unwrap().close().await;
    });
    mapped_over_udp(serve.at("udp"));
}
