//! The tests of streams inside TLS: `ginnel_driver::tls_tests!(Tokio, block_on)`.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use ginnel_core::{Alpn, Framing, HostName, Notice, Path, Refused, Request, Transport};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    CipherSuiteCommon, ClientConnection, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::{
    LOCALHOST, PATIENCE,
    node::{CONNECT, Node, listen, named},
    patiently,
    streams::{Driven, Until, beside, node, server, until},
};
use crate::{ClientTls, Config, Limits, Runtime, ServerTls};

/// Makes one test of each function below, for a runtime and the function that runs a future on it.
#[macro_export]
macro_rules! tls_tests {
    ($runtime:expr, $block_on:expr) => {
        $crate::loop_tests!(@ $runtime, $block_on;
            tls_carries_messages_to_whom_the_name_is_right
            tls_without_a_name_is_with_the_address
            tls_with_another_name_is_refused
            tls_from_an_unknown_authority_is_refused
            tls_with_a_certificate_of_another_time_is_refused
            a_loop_that_nobody_wakes_misses_nothing_in_tls
            tls_outlives_the_limit_of_its_keys_or_ends
            tls_with_what_is_none_is_refused
            tls_agrees_on_what_is_spoken_or_on_nothing
            sec_41_half_open_handshakes_are_bounded_in_number_and_time
            a_certificate_is_replaced_while_streams_stay
            a_peer_that_never_reads_tls_is_let_go
            sec_41_one_source_does_not_begin_all_handshakes
            a_stream_in_tls_moves_to_another_driver
            streams_in_tls_are_joined
        );
    };
}

/// An authority of its own, and what it has signed.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server of this name or address.
    pub(super) fn server(&self, name: &str, alpn: &[Alpn]) -> ServerTls {
        self.sign(CertificateParams::new([name.to_owned()]).expect("a name"), alpn)
    }

    fn sign(&self, params: CertificateParams, alpn: &[Alpn]) -> ServerTls {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        ServerTls::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes(), alpn)
            .expect("a pair")
    }

    /// The same in the words of `rustls`, for one version, with this one cipher.
    fn rustls(&self, suite: SupportedCipherSuite) -> rustls::ClientConfig {
        let authority = CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("an authority");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority).expect("an authority");
        let provider = CryptoProvider { cipher_suites: vec![suite], ..aws_lc_rs::default_provider() };
        rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[suite.version()])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// Somebody who trusts this authority alone.
    pub(super) fn client(&self) -> Config {
        Config::default().with_client_tls(ClientTls::from_pem(self.pem.as_bytes()).expect("an authority"))
    }
}

pub(super) fn host(name: &str) -> Option<HostName> {
    Some(name.parse().expect("a name"))
}

const SECURE: Request = listen(Transport::Tls, Framing::Stun);

async fn serving<R: Runtime + Clone>(runtime: &R, tls: ServerTls) -> (Driven<R>, SocketAddr) {
    server(runtime, Config::default().with_server_tls(tls), Node::echo(), SECURE).await
}

/// What comes of connecting.
pub(super) async fn outcome<R: Runtime + Clone>(
    runtime: &R,
    server: &mut Driven<R>,
    config: Config,
    request: Request,
) -> (Driven<R>, Result<SocketAddr, Refused>) {
    let mut client = node(runtime, config, Node::default());
    client.0.with(|node, _| node.ask(request));
    until(runtime, &mut [server, &mut client], |nodes| nodes[1].1.opened(CONNECT).is_some()).await;
    let result = client.1.opened(CONNECT).expect("an answer");
    (client, result)
}

pub async fn tls_carries_messages_to_whom_the_name_is_right<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, authority.server("turn.example.org", &[])).await;
    let request = named(Transport::Tls, at, Framing::Stun, host("turn.example.org"), None);
    let (mut client, result) = outcome(&runtime, &mut server, authority.client(), request).await;
    let path = Path::new(Transport::Tls, result.expect("connected"), at);
    // All sizes, up to the longest that a stream has, across many records.
    let messages: Vec<Vec<u8>> = [1_usize, 4, 100, 1_199, 1_900]
        .into_iter()
        .map(|len| {
            let mut message = vec![0x40, 1, (len >> 8) as u8, len as u8];
            message.resize(4 + len, 9);
            message
        })
        .collect();
    for _ in 0..50 {
        client.0.with(|node, _| messages.iter().for_each(|message| node.say(path, message)));
    }
    until(&runtime, &mut [&mut server, &mut client], |nodes| nodes[1].1.messages.len() == 250).await;
    for round in client.1.bytes().chunks(messages.len()) {
        assert_eq!(round, messages);
    }
    assert_eq!(server.1.accepted(), [path.reversed()]);
    client.0.with(|node, _| node.ask(Request::release(path)));
    until(&runtime, &mut [&mut server, &mut client], |nodes| {
        nodes[0].1.lost(path.reversed()) && nodes[0].0.streams() + nodes[1].0.streams() == 0
    })
    .await;
}

pub async fn tls_without_a_name_is_with_the_address<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    for (subject, expected) in [
        ("127.0.0.1", None),
        ("127.0.0.2", Some(Refused::Untrusted)),
        ("localhost", Some(Refused::Untrusted)),
    ] {
        let (mut server, at) = serving(&runtime, authority.server(subject, &[])).await;
        let request = named(Transport::Tls, at, Framing::Stun, None, None);
        let (_, result) = outcome(&runtime, &mut server, authority.client(), request).await;
        assert_eq!(result.err(), expected, "{subject}");
    }
}

pub async fn tls_with_another_name_is_refused<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, authority.server("turn.example.org", &[])).await;
    let request = named(Transport::Tls, at, Framing::Stun, host("example.org"), None);
    let (client, result) = outcome(&runtime, &mut server, authority.client(), request).await;
    assert_eq!((result, client.0.streams()), (Err(Refused::Untrusted), 0));
    until(&runtime, &mut [&mut server], |nodes| nodes[0].0.stats().handshakes_failed == 1).await;
    assert!(server.1.accepted().is_empty(), "the machine hears nothing of it");
}

pub async fn tls_from_an_unknown_authority_is_refused<R: Runtime + Clone>(runtime: R) {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (mut server, at) = serving(&runtime, authority.server("turn.example.org", &[])).await;
    let request = named(Transport::Tls, at, Framing::Stun, host("turn.example.org"), None);
    let (_, result) = outcome(&runtime, &mut server, stranger.client(), request).await;
    assert_eq!(result, Err(Refused::Untrusted));
}

pub async fn tls_with_a_certificate_of_another_time_is_refused<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    for (from, to) in [((2001, 1, 1), (2002, 1, 1)), ((4001, 1, 1), (4002, 1, 1))] {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        params.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
        let (mut server, at) = serving(&runtime, authority.sign(params, &[])).await;
        let request = named(Transport::Tls, at, Framing::Stun, host("localhost"), None);
        let (_, result) = outcome(&runtime, &mut server, authority.client(), request).await;
        assert_eq!(result, Err(Refused::Untrusted), "{from:?}");
    }
}

pub async fn a_loop_that_nobody_wakes_misses_nothing_in_tls<R: Runtime + Clone>(runtime: R) {
    const ROUNDS: usize = 100;
    let authority = Authority::new();
    let (mut server, at) = serving(&runtime, authority.server("localhost", &[])).await;
    let config = authority.rustls(aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256);
    let peer = beside(move || {
        let name = "localhost".try_into().map_err(std::io::Error::other)?;
        let tls = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
        let stream = TcpStream::connect(at)?;
        stream.set_read_timeout(Some(PATIENCE / 2))?;
        stream.set_nodelay(true)?;
        let mut stream = rustls::StreamOwned::new(tls, stream);
        for _ in 0..ROUNDS {
            // In two records, and the second holds a message and the front of another.
            stream.write_all(&[0x40, 1, 0])?;
            stream.write_all(&[0, 0x40])?;
            stream.read_exact(&mut [0; 4])?;
            stream.write_all(&[1, 0, 0])?;
            stream.read_exact(&mut [0; 4])?;
        }
        // A goodbye, and the stream stays: it is over all the same.
        stream.conn.send_close_notify();
        stream.flush()?;
        Ok::<_, std::io::Error>(stream)
    });
    patiently(&runtime, server.0.run(&mut Until { lost: 1, again: None })).await;
    let _open = peer.join().expect("a thread").expect("answers");
    assert_eq!((server.0.stats().messages_received, server.0.streams()), (2 * ROUNDS as u64, 0));
}

pub async fn tls_outlives_the_limit_of_its_keys_or_ends<R: Runtime + Clone>(runtime: R) {
    // A key may seal so many records, here few. TLS 1.3 takes another key then; 1.2 cannot, and ends.
    const RECORDS: u64 = 32;
    let authority = Authority::new();
    let SupportedCipherSuite::Tls13(long) = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        panic!()
    };
    let common = CipherSuiteCommon { confidentiality_limit: RECORDS, ..long.common };
    let new: &'static _ = Box::leak(Box::new(Tls13CipherSuite { common, ..*long }));
    let old = aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let SupportedCipherSuite::Tls12(long) = old else { panic!() };
    let common = CipherSuiteCommon { confidentiality_limit: RECORDS, ..long.common };
    let old: &'static _ = Box::leak(Box::new(Tls12CipherSuite { common, ..*long }));
    for (suite, lives) in
        [(SupportedCipherSuite::Tls13(new), true), (SupportedCipherSuite::Tls12(old), false)]
    {
        let (mut server, at) = serving(&runtime, authority.server("localhost", &[])).await;
        let config = Config::default().with_client_tls(ClientTls::from_config(authority.rustls(suite)));
        let request = named(Transport::Tls, at, Framing::Stun, host("localhost"), None);
        let (mut client, result) = outcome(&runtime, &mut server, config, request).await;
        let path = Path::new(Transport::Tls, result.expect("connected"), at);
        let count = 4 * RECORDS as usize;
        for number in 0..count {
            // Each is a record of its own.
            client.0.with(|node, _| node.say(path, &[0x40, 0, 0, 1, number as u8]));
        }
        until(&runtime, &mut [&mut server, &mut client], |nodes| {
            nodes[1].1.messages.len() == count || nodes[1].1.lost(path)
        })
        .await;
        assert_eq!((!client.1.lost(path), client.1.messages.len() == count), (lives, lives));
        assert_eq!(client.0.streams(), usize::from(lives));
        let echoes = client.1.messages.iter().map(|(_, message)| message[4]);
        assert!(echoes.eq(0..client.1.messages.len() as u8), "in order, and none is left out in between");
    }
}

pub async fn tls_with_what_is_none_is_refused<R: Runtime + Clone>(runtime: R) {
    // One who answers in clear text, one who hangs up, and one who says nothing.
    let authority = Authority::new();
    let listener = TcpListener::bind((LOCALHOST, 0)).expect("loopback");
    let at = listener.local_addr().expect("an address");
    let limits = Limits::default().with_handshakes(1, Duration::from_secs(2));
    type Answer<'a> = &'a dyn Fn(TcpStream) -> Option<TcpStream>;
    let cases: [(Answer<'_>, Refused); 3] = [
        (
            &|mut stream| {
                stream.write_all(b"220 mail.example.org\r\n").expect("room");
                Some(stream)
            },
            Refused::Handshake,
        ),
        (
            &|mut stream| {
                // Read first: else it would be a reset.
                let _ = stream.read(&mut [0; 16_384]);
                None
            },
            Refused::Handshake,
        ),
        (&Some, Refused::TimedOut),
    ];
    for (answer, expected) in cases {
        let mut client = node(&runtime, authority.client().with_limits(limits), Node::default());
        let request = named(Transport::Tls, at, Framing::Stun, host("turn.example.org"), None);
        client.0.with(|node, _| node.ask(request));
        listener.set_nonblocking(true).expect("a socket");
        let mut accepted = None;
        until(&runtime, &mut [&mut client], |_| {
            accepted = accepted.take().or_else(|| listener.accept().ok());
            accepted.is_some()
        })
        .await;
        // What it says first is on its way when it is connected.
        for _ in 0..100 {
            until(&runtime, &mut [&mut client], {
                let mut once = false;
                move |_| std::mem::replace(&mut once, true)
            })
            .await;
        }
        let (stream, _) = accepted.expect("a stream");
        stream.set_nonblocking(false).expect("a socket");
        let _open = answer(stream);
        until(&runtime, &mut [&mut client], |nodes| nodes[0].1.opened(CONNECT).is_some()).await;
        assert_eq!(client.1.opened(CONNECT), Some(Err(expected)));
        assert_eq!(client.0.streams(), 0);
    }
}

pub async fn tls_agrees_on_what_is_spoken_or_on_nothing<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let both = [Alpn::TURN, Alpn::NAT_DISCOVERY];
    // What the server speaks, what the client asks for, and what comes of it.
    let cases = [
        (&both[..], Some(Alpn::NAT_DISCOVERY), Ok(Some(Alpn::NAT_DISCOVERY))),
        (&both[..], None, Ok(None)),
        (&[], Some(Alpn::TURN), Ok(None)),
        (&both[..1], Some(Alpn::NAT_DISCOVERY), Err(Refused::Handshake)),
    ];
    for (spoken, asked, expected) in cases {
        let (mut server, at) = serving(&runtime, authority.server("localhost", spoken)).await;
        let request = named(Transport::Tls, at, Framing::Stun, host("localhost"), asked);
        let (mut client, result) = outcome(&runtime, &mut server, authority.client(), request).await;
        assert_eq!(result.err(), expected.err(), "{spoken:?} {asked:?}");
        let Ok(agreed) = expected else { continue };
        until(&runtime, &mut [&mut server, &mut client], |nodes| !nodes[0].1.accepted().is_empty()).await;
        let Some(Notice::Accepted { alpn, .. }) = server.1.notices.last() else { panic!() };
        assert_eq!(*alpn, agreed, "{spoken:?} {asked:?}");
    }
}

pub async fn sec_41_half_open_handshakes_are_bounded_in_number_and_time<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let limits = Limits::default().with_handshakes(4, Duration::from_secs(2));
    let config = Config::default().with_limits(limits).with_server_tls(authority.server("localhost", &[]));
    let (mut server, at) = server(&runtime, config, Node::echo(), SECURE).await;
    let _silent: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(at).expect("it listens")).collect();
    until(&runtime, &mut [&mut server], |nodes| nodes[0].0.stats().accept_refused == 6).await;
    assert!(server.0.streams() <= 4);
    until(&runtime, &mut [&mut server], |nodes| nodes[0].0.streams() == 0).await;
    assert_eq!((server.0.stats().handshakes_failed, server.1.accepted().len()), (4, 0));
    // And then there is room again.
    let request = named(Transport::Tls, at, Framing::Stun, host("localhost"), None);
    let (_, result) = outcome(&runtime, &mut server, authority.client(), request).await;
    assert!(result.is_ok());
}

pub async fn a_certificate_is_replaced_while_streams_stay<R: Runtime + Clone>(runtime: R) {
    let (old, new) = (Authority::new(), Authority::new());
    let tls = old.server("localhost", &[]);
    let (mut server, at) = serving(&runtime, tls.clone()).await;
    let request = named(Transport::Tls, at, Framing::Stun, host("localhost"), None);
    let (mut first, result) = outcome(&runtime, &mut server, old.client(), request).await;
    let path = Path::new(Transport::Tls, result.expect("connected"), at);
    tls.replace(&new.server("localhost", &[]));
    let (_, refused) = outcome(&runtime, &mut server, old.client(), request).await;
    let (_second, taken) = outcome(&runtime, &mut server, new.client(), request).await;
    assert_eq!((refused, taken.is_ok()), (Err(Refused::Untrusted), true));
    first.0.with(|node, _| node.say(path, &[0x40, 0, 0, 0]));
    until(&runtime, &mut [&mut server, &mut first], |nodes| nodes[1].1.messages.len() == 1).await;
}

pub async fn a_peer_that_never_reads_tls_is_let_go<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let limits = Limits::default().with_unsent(10_000, Duration::from_millis(200));
    let config = authority.client().with_limits(limits);
    let (mut server, at) = serving(&runtime, authority.server("localhost", &[])).await;
    let request = named(Transport::Tls, at, Framing::Stun, host("localhost"), None);
    let (mut client, result) = outcome(&runtime, &mut server, config, request).await;
    let path = Path::new(Transport::Tls, result.expect("connected"), at);
    // The server is not driven any more.
    until(&runtime, &mut [&mut client], |nodes| {
        nodes[0].0.with(|node, _| (0..100).for_each(|_| node.say(path, &[0x40, 0, 4, 0].repeat(257))));
        nodes[0].1.lost(path)
    })
    .await;
    let stats = client.0.stats();
    assert!(stats.messages_dropped > 0);
    assert_eq!((stats.streams_stalled, client.0.streams()), (1, 0));
}

pub async fn sec_41_one_source_does_not_begin_all_handshakes<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let limits = Limits::default().with_handshakes(100, Duration::from_secs(60)).with_handshakes_from_one(3);
    let config = Config::default().with_limits(limits).with_server_tls(authority.server("localhost", &[]));
    let (mut server, at) = server(&runtime, config, Node::echo(), SECURE).await;
    let silent: Vec<TcpStream> = (0..10).map(|_| TcpStream::connect(at).expect("it listens")).collect();
    until(&runtime, &mut [&mut server], |nodes| nodes[0].0.stats().accept_refused == 7).await;
    assert_eq!(server.0.streams(), 3);
    drop(silent);
    until(&runtime, &mut [&mut server], |nodes| nodes[0].0.streams() == 0).await;
    // Handshakes that are done count no more: one after another, there may be many.
    let request = named(Transport::Tls, at, Framing::Stun, host("localhost"), None);
    let mut open = Vec::new();
    for _ in 0..5 {
        let (client, result) = outcome(&runtime, &mut server, authority.client(), request).await;
        open.push(client);
        assert!(result.is_ok());
    }
    assert_eq!(server.0.streams(), 5);
}

pub async fn a_stream_in_tls_moves_to_another_driver<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let tls = authority.server("localhost", &[Alpn::TURN]);
    let (mut first, at) = serving(&runtime, tls).await;
    let mut second = node(&runtime, Config::default(), Node::echo());
    let request = named(Transport::Tls, at, Framing::Stun, host("localhost"), Some(Alpn::TURN));
    let (mut client, result) = outcome(&runtime, &mut first, authority.client(), request).await;
    let path = Path::new(Transport::Tls, result.expect("connected"), at);
    let there = path.reversed();
    let message = [0x40, 1, 0, 4, 1, 2, 3, 4];
    client.0.with(|node, _| node.say(path, &message));
    until(&runtime, &mut [&mut first, &mut client], |nodes| nodes[1].1.messages.len() == 1).await;
    let ejected = first.0.eject(there).expect("a stream");
    assert_eq!((ejected.path(), first.0.streams()), (there, 0));
    client.0.with(|node, _| node.say(path, &message));
    assert_eq!(second.0.adopt(ejected), Ok(there));
    until(&runtime, &mut [&mut second, &mut client], |nodes| nodes[1].1.messages.len() == 2).await;
    assert_eq!(second.1.notices, [Notice::Accepted { path: there, alpn: Some(Alpn::TURN) }]);
    assert_eq!(first.0.traces(), [0, 0, 0, 0, 0]);
}

pub async fn streams_in_tls_are_joined<R: Runtime + Clone>(runtime: R) {
    let authority = Authority::new();
    let tls = authority.server("localhost", &[]);
    let held = listen(Transport::Tls, Framing::Held);
    let config = Config::default().with_server_tls(tls);
    let (mut relay, at) = server(&runtime, config, Node::default(), held).await;
    let request = named(Transport::Tls, at, Framing::Rfc4571, host("localhost"), None);
    let (mut one, opened) = outcome(&runtime, &mut relay, authority.client(), request).await;
    let here = Path::new(Transport::Tls, opened.expect("connected"), at);
    let (mut other, opened) = outcome(&runtime, &mut relay, authority.client(), request).await;
    let there = Path::new(Transport::Tls, opened.expect("connected"), at);
    // Long before anybody listens.
    let said: Vec<Vec<u8>> = (0..60_u8).map(|n| vec![n; 1_900]).collect();
    one.0.with(|node, _| said.iter().for_each(|message| node.say(here, message)));
    let (left, right) = (here.reversed(), there.reversed());
    until(&runtime, &mut [&mut relay, &mut one, &mut other], |nodes| nodes[0].1.accepted().len() == 2).await;
    relay.0.with(|node, _| node.ask(Request::Splice { one: left, other: right, rates: [None; 2] }));
    until(&runtime, &mut [&mut relay, &mut one, &mut other], |nodes| nodes[2].1.messages.len() == 60).await;
    assert_eq!(other.1.bytes(), said);
    other.0.with(|node, _| {
        node.say(there, b"thanks");
        node.ask(Request::release(there));
    });
    until(&runtime, &mut [&mut relay, &mut one, &mut other], |nodes| nodes[1].1.lost(here)).await;
    assert_eq!(one.1.bytes(), [b"thanks"]);
    until(&runtime, &mut [&mut relay, &mut one, &mut other], |nodes| nodes[0].0.streams() == 0).await;
    let spliced = Notice::Spliced { one: left, other: right, forth: 60 * 1_902, back: 8 };
    assert!(relay.1.notices.contains(&spliced) && relay.1.lost(left) && relay.1.lost(right));
    assert!(relay.1.messages.is_empty(), "the machine has seen none of it");
}
