//! TURN as coturn's own clients use it: `turnutils_uclient` in each of its modes, through coturn and through `ginnel serve`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ginnel_interop::{Coturn, Credential, EchoPeer, Identity, Mode, Namespace, Serve, Verdict, say, skip};

/// Each mode, and what coturn 4.6.1 gives in it: two clients send twenty messages each.
///
/// Without `-c` each client has a second relay for RTCP, over which nothing is counted. With `-y` clients send to each other's
/// relays, in pairs; `-T` implies it. `-P` has both wait for a connection and so returns half. `-N` binds a peer to a second
/// channel, and stops at the refusal that it provokes. `-R` spoils every tenth message at random octets, its own requests too,
/// and waits for ever where one of those is not answered: most runs end so, at any server. Of 48 at ours 10 were whole, so of 24
/// at once all lose about once in 300 times, and then there are further rounds.
const MODES: &[(Mode, Verdict)] = &[
    (Mode::new("UDP, channels", &[]), BOTH),
    (Mode::new("UDP, Send indications", &["-s"]), BOTH),
    (Mode::new("client to client", &["-y"]), PAIRS),
    (Mode::new("client to client, Send", &["-y", "-s"]), PAIRS),
    (Mode::new("no RTCP", &["-c"]), BOTH),
    (Mode::new("DONT-FRAGMENT", &["-g"]), BOTH),
    (Mode::new("further requests", &["-G"]), BOTH),
    (Mode::new("padded channels", &["-D"]), BOTH),
    (Mode::new("IPv4 by name", &["-X"]), BOTH),
    (Mode::new("dual allocation", &["-Z"]), BOTH),
    (Mode::new("mobility", &["-M"]), BOTH),
    (Mode::new("TCP", &["-t"]), BOTH),
    (Mode::new("TCP, Send", &["-t", "-s"]), BOTH),
    (Mode::new("TLS", &["-t", "-S"]), BOTH),
    (Mode::new("DTLS", &["-S"]), BOTH),
    (Mode::new("RFC 6062", &["-T"]), BOTH),
    (Mode::new("RFC 6062 over TLS", &["-T", "-S"]), BOTH),
    (Mode::new("RFC 6062, passive", &["-P"]), HALF),
    (Mode::new("IPv6 relay", &["-x"]).to_v6(), BOTH),
    (Mode::new("IPv6 relay, client to client", &["-x", "-y"]), PAIRS),
    (Mode::new("REST", &[]).with_rest(), BOTH),
    (Mode::new("negative protocol tests", &["-R"]).best_of(24), BOTH),
    (Mode::new("negative tests", &["-N"]), Verdict::Refused(400)),
];

/// All that two clients sent came back.
const BOTH: Verdict = Verdict::Counted { sent: 40, received: 40 };
/// The same of two pairs.
const PAIRS: Verdict = Verdict::Counted { sent: 80, received: 80 };
/// Half of it came back.
const HALF: Verdict = Verdict::Counted { sent: 40, received: 20 };

/// The machine on which all is: its own addresses, and one more for whoever knows another credential.
const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));
const FIRST_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 3));

fn stage() -> Option<(Namespace, EchoPeer)> {
    let namespace = match Coturn::missing() {
        Some(why) => Err(why),
        None => Namespace::new().map_err(|why| format!("no network namespace can be made: {why}")),
    };
    let namespace = namespace.inspect_err(|why| skip(why)).ok()?;
    namespace.ip(&format!("address add {SECOND}/24 dev lan0")).expect("one more address");
    let peer = EchoPeer::start(&namespace, &[FIRST, FIRST_V6]);
    Some((namespace, peer))
}

/// What the modes came to at the server of the machine, where who asks for it uses the one that knows a secret.
fn run(namespace: &Namespace, modes: &[Mode]) -> Vec<(Verdict, String)> {
    let server = |mode: &Mode| match mode.credential {
        Credential::User => FIRST,
        Credential::Rest => SECOND,
    };
    let peers = [FIRST, FIRST_V6];
    let mut runs = Mode::run_all(modes, namespace, server, &peers);
    // All at once they are many clients for a small machine: who has lost something there may try once more, alone.
    for (mode, (verdict, said)) in modes.iter().zip(&mut runs) {
        let expected = MODES.iter().find(|(known, _)| known.name == mode.name).expect("a known mode").1;
        if *verdict != expected {
            say(&format!("{}: {verdict} beside the others; once more, alone", mode.name));
            (*verdict, *said) = mode.run(namespace, server(mode), &peers);
        }
    }
    runs
}

fn coturns(namespace: &Namespace) -> [Coturn; 2] {
    // What waits for a connection is, to `turnutils_uclient`, on this machine's loopback.
    let user = [
        "--lt-cred-mech",
        "--user",
        "user:pass",
        "--realm",
        "ginnel.test",
        "--mobility",
        "--allow-loopback-peers",
    ];
    let rest = ["--use-auth-secret", "--static-auth-secret", "secret", "--realm", "ginnel.test"];
    [Coturn::start(namespace, &[FIRST, FIRST_V6], &user), Coturn::start(namespace, &[SECOND], &rest)]
}

/// The calibration: what coturn's server gives coturn's clients.
#[test]
fn coturn_relays_for_its_own_clients() {
    let Some((namespace, _peer)) = stage() else { return };
    let _coturns = coturns(&namespace);
    let modes: Vec<Mode> = MODES.iter().map(|(mode, _)| *mode).collect();
    for ((mode, expected), (verdict, said)) in MODES.iter().zip(run(&namespace, &modes)) {
        assert_eq!(verdict, *expected, "{}: {said}", mode.name);
    }
}

/// What ours gives them: in every mode the same, or better. Over DTLS, `turnutils_uclient` draws version 1.0 or 1.2 by lot for
/// each association. Ours refuses 1.0, which RFC 8996 forbids, with an alert, and it draws again.
#[test]
fn ours_relays_for_coturns_clients() {
    let Some((namespace, _peer)) = stage() else { return };
    let identity = Identity::new(&[]);
    // Peers are on the machine itself.
    let peers = ["--allow-peer", "10.99.0.0/24", "--allow-peer", "fd99::/64", "--allow-peer", "127.0.0.0/8"];
    let user = [&peers[..], &["--user", "user:pass"]].concat();
    let rest = [&peers[..], &["--secret", "secret"]].concat();
    let _first = Serve::start(&namespace, &[FIRST, FIRST_V6], &identity, &user);
    let _second = Serve::start(&namespace, &[SECOND], &identity, &rest);
    let modes: Vec<Mode> = MODES.iter().map(|(mode, _)| *mode).collect();
    let runs = run(&namespace, &modes);
    say("                                  coturn      ours");
    for ((mode, coturn), (ours, _)) in MODES.iter().zip(&runs) {
        say(&format!("{:<30} {:>10} {:>9}", mode.name, coturn.to_string(), ours.to_string()));
    }
    for ((mode, coturn), (ours, said)) in MODES.iter().zip(&runs) {
        let same = ours == coturn;
        assert!(same || ours.received() > coturn.received(), "{}: {ours}: {said}", mode.name);
    }
}
