//! TURN as coturn's own clients use it: `turnutils_uclient` in each of its modes, through coturn and through `ginnel serve`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ginnel_interop::{Coturn, Credential, EchoPeer, Mode, Namespace, Verdict, say, skip};

/// Each mode, and what coturn 4.6.1 gives in it: two clients send twenty messages each.
///
/// Without `-c` each client has a second relay for RTCP, over which nothing is counted. With `-y` clients send to each other's
/// relays, in pairs; `-T` implies it. `-P` has both wait for a connection and so returns half. `-N` binds a peer to a second
/// channel, and stops at the refusal that it provokes. `-R` spoils every tenth message at random octets, its own requests too,
/// and waits for ever where one of those is not answered: most runs end so, at any server.
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
fn run(namespace: &Namespace) -> Vec<(Verdict, String)> {
    let modes: Vec<Mode> = MODES.iter().map(|(mode, _)| *mode).collect();
    let server = |mode: &Mode| match mode.credential {
        Credential::User => FIRST,
        Credential::Rest => SECOND,
    };
    Mode::run_all(&modes, namespace, server, &[FIRST, FIRST_V6])
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
    for ((mode, expected), (verdict, said)) in MODES.iter().zip(run(&namespace)) {
        say(&format!("{:<30} coturn {verdict}", mode.name));
        assert_eq!(verdict, *expected, "{}: {said}", mode.name);
    }
}
