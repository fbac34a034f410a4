//! The certificate is replaced while calls go on.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use ginnel::{
    driver::{ClientTls, RelayConfig},
    tokio::RelaySocket,
};

use crate::{
    client::{binding, mapped},
    program::{PATIENCE, Serve, Signal, file},
    socket::{LOCAL, block_on, peer},
};

/// A certificate that signed itself, and its key, in PEM.
pub(crate) fn identity() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["turn.test".to_string()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A stream to whoever has this certificate.
fn connect(at: SocketAddr, trusted: &str) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "turn.test".try_into().unwrap()).unwrap();
    let socket = TcpStream::connect(at)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(connection, socket);
    ask(&mut stream)?;
    Ok(stream)
}

fn ask(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> std::io::Result<()> {
    stream.write_all(&binding())?;
    let mut answer = [0; 32];
    stream.read_exact(&mut answer)?;
    assert_eq!(mapped(&answer), stream.sock.local_addr()?);
    Ok(())
}

#[test]
fn a_new_certificate_drops_no_stream() {
    let (old, new) = (identity(), identity());
    let cert = file("replaced-cert.pem", &old.0);
    let key = file("replaced-key.pem", &old.1);
    let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let mut serve = Serve::start(
        &[&["--user", "a:b", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"], &files[..]].concat(),
    );
    let mut before = connect(serve.at("tls"), &old.0).unwrap();
    assert!(connect(serve.at("tls"), &new.0).is_err(), "that is not its certificate yet");

    // Half of a renewal is none.
    file("replaced-cert.pem", &new.0);
    serve.signal(Signal::SIGHUP);
    serve.wait_for("reload refused");
    ask(&mut before).unwrap();
    connect(serve.at("tls"), &old.0).unwrap();

    file("replaced-key.pem", &new.1);
    serve.signal(Signal::SIGHUP);
    serve.wait_for("reloaded");
    ask(&mut before).unwrap();
    connect(serve.at("tls"), &new.0).unwrap();
    assert!(connect(serve.at("tls"), &old.0).is_err(), "the old one is not used any more");
}

/// Whoever renews certificates need not know of signals.
#[test]
fn a_renewed_certificate_is_found_without_a_signal() {
    let (old, new) = (identity(), identity());
    let (cert, key) = (file("renewed-cert.pem", &old.0), file("renewed-key.pem", &old.1));
    let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let mut serve = Serve::start(
        &[&["--user", "a:b", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"], &files[..]].concat(),
    );
    let mut before = connect(serve.at("tls"), &old.0).unwrap();
    file("renewed-cert.pem", &new.0);
    file("renewed-key.pem", &new.1);
    serve.wait_for("certificate renewed");
    ask(&mut before).unwrap();
    connect(serve.at("tls"), &new.0).unwrap();
}

/// An allocation that was made over TLS with the old certificate goes on relaying, over the same stream.
#[test]
fn a_new_certificate_drops_no_call() {
    let (old, new) = (identity(), identity());
    let (cert, key) = (file("call-cert.pem", &old.0), file("call-key.pem", &old.1));
    let files = ["--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let mut serve = Serve::start(&[&LOCAL[..], &files, &["--tls-listen", "127.0.0.1:0"]].concat());
    block_on(async {
        let config = RelayConfig::new("turns:turn.test", "alice", "hunter2").unwrap();
        let config = config.with_tls(ClientTls::from_pem(old.0.as_bytes()).unwrap());
        let relay = RelaySocket::bind_at(&config, serve.at("tls")).await.unwrap();
        let (relayed, (peer, at)) = (relay.local_addr().unwrap(), peer());
        for renewed in [false, true] {
            if renewed {
                file("call-cert.pem", &new.0);
                file("call-key.pem", &new.1);
                serve.signal(Signal::SIGHUP);
                serve.wait_for("reloaded");
                connect(serve.at("tls"), &new.0).expect("it is the new one");
            }
            relay.send_to(b"ping", at).await.unwrap();
            let mut buffer = [0; 64];
            let (n, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..n], from), (&b"ping"[..], relayed));
            peer.send_to(b"pong", from).unwrap();
            let (n, from) = relay.recv_from(&mut buffer).await.unwrap();
            assert_eq!((&buffer[..n], from), (&b"pong"[..], at));
        }
        assert_eq!(serve.metric("ginnel_allocated_total"), 1, "nobody has come back: nobody was gone");
        assert_eq!(relay.local_addr().unwrap(), relayed);
        relay.close().await;
    });
}
