//! Our server over DTLS (RFC 7350) with clients that use OpenSSL: its own, and `turnutils_uclient`, which draws the version of
//! DTLS by lot and goes on as soon as it is told that 1.0 is none. Our client over DTLS is in `turn.rs`, with the other transports.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ginnel_interop::{
    Coturn, EchoPeer, Identity, Mode, Namespace, Scratch, Serve, Talk, Verdict, missing, say, skip,
};

/// Long enough for a busy machine, and no test waits for it to pass.
const LIMIT: Duration = Duration::from_secs(60);

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));
const HOST_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1));

fn stage() -> Option<Namespace> {
    let namespace = match missing("/usr/bin/openssl") {
        Some(why) => Err(why),
        None => Namespace::new().map_err(|why| format!("no network namespace can be made: {why}")),
    };
    namespace.inspect_err(|why| skip(why)).ok()
}

fn serve(namespace: &Namespace, identity: &Identity) -> Serve {
    let peers = ["--allow-peer", "10.99.0.0/24", "--allow-peer", "fd99::/64"];
    let options = [&peers[..], &["--user", "user:pass", "--shards", "4"]].concat();
    Serve::start(namespace, &[HOST, HOST_V6], identity, &options)
}

/// With a reservation for RTCP, whose token names a shard: the association that brings it lands at any of them.
#[test]
fn our_server_relays_for_coturns_client_over_dtls() {
    const SENT_BACK: Verdict = Verdict::Counted { sent: 40, received: 40 };
    if let Some(why) = Coturn::missing() {
        return skip(&why);
    }
    let Some(namespace) = stage() else { return };
    let _serve = serve(&namespace, &Identity::new(&[HOST, HOST_V6]));
    let _peer = EchoPeer::start(&namespace, &[HOST, HOST_V6]);
    // Many associations: about half of them begin with DTLS 1.0.
    let modes = [["-S"].as_slice(), &["-S", "-s"], &["-S", "-c"], &["-S", "-g"]]
        .map(|options| Mode::new("DTLS", options));
    let peers = [HOST, HOST_V6];
    let runs = Mode::run_all(&modes, &namespace, |_| HOST, &peers);
    for (mode, (mut verdict, mut said)) in modes.iter().zip(runs) {
        say(&format!("turnutils_uclient -S: {verdict}"));
        if verdict != SENT_BACK {
            // Beside the others it is one of many clients on a small machine.
            (verdict, said) = mode.run(&namespace, HOST, &peers);
        }
        assert_eq!(verdict, SENT_BACK, "{said}");
    }
}

/// `openssl s_client` towards our server, whose name and certificate it checks.
fn s_client(namespace: &Namespace, scratch: &Scratch, identity: &Identity, more: &[&str]) -> Talk {
    let authority = scratch.write("authority.pem", &identity.authority);
    let mut command = namespace.command("openssl");
    command.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", Identity::NAME]);
    command.args(["-connect", &SocketAddr::new(HOST, Serve::TLS_PORT).to_string()]).args(more);
    command.arg("-CAfile").arg(authority);
    Talk::start(command)
}

#[test]
fn openssls_client_asks_our_server_over_dtls() {
    let Some(namespace) = stage() else { return };
    let (identity, scratch) = (Identity::new(&[HOST]), Scratch::new());
    let _serve = serve(&namespace, &identity);
    // Two at once, and each twice: what one says is no other's.
    for transaction in [*b"a transactio", *b"another one "] {
        let mut clients = [(); 2].map(|()| s_client(&namespace, &scratch, &identity, &["-dtls1_2"]));
        for client in &mut clients {
            // RFC 8489 section 5: a Binding request without attributes.
            client.say(&[&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], &transaction[..]].concat());
        }
        for mut client in clients {
            assert!(client.has_said(20, LIMIT), "{client:?}: {}", client.errors());
            let answer = client.output();
            assert_eq!((&answer[..2], &answer[8..20]), (&[1, 1][..], &transaction[..]));
        }
    }
}

#[test]
fn openssls_client_is_told_why_it_cannot_begin() {
    let Some(namespace) = stage() else { return };
    let (identity, scratch) = (Identity::new(&[HOST]), Scratch::new());
    let _serve = serve(&namespace, &identity);
    let old = ["-dtls1", "-cipher", "ALL:@SECLEVEL=0"];
    let none_in_common = ["-dtls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA"];
    for (options, why) in
        [(&old[..], "alert protocol version"), (&none_in_common[..], "alert handshake failure")]
    {
        let mut client = s_client(&namespace, &scratch, &identity, options);
        let status = client.ended(LIMIT);
        let said = client.errors();
        assert!(
            status.is_some_and(|it| !it.success()) && said.contains(why),
            "{options:?}: {status:?}: {said}"
        );
    }
}
