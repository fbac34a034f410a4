//! Who may relay, and to whom.

use std::time::{SystemTime, UNIX_EPOCH};

use ginnel::turn::rest::{RestSecret, UnixTime};

use crate::{
    client::Client,
    program::{Serve, Signal, command, file},
};

/// A credential of a web service that has this secret, good for this long or past by this long.
pub(crate) fn rest(secret: &str, seconds: i64) -> (String, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let credential =
        RestSecret::new(secret).credential("alice", UnixTime(now.checked_add_signed(seconds).unwrap()));
    (credential.username.clone(), credential.password.to_string())
}

#[test]
fn every_secret_makes_credentials_beside_users() {
    let args = ["--listen", "127.0.0.1:0", "--secret", "north", "--secret", "south", "--user", "bob:fixed"];
    let serve = Serve::start(&args);
    let allocate =
        |(user, password): (String, String)| Client::new(serve.at("udp"), &user, &password).allocate();
    for good in [rest("north", 60), rest("south", 60), ("bob".to_string(), "fixed".to_string())] {
        assert_eq!(allocate(good.clone()).unwrap().error, None, "{}", good.0);
    }
    let mut other = rest("north", 60);
    other.0.push('2');
    for bad in [rest("west", 60), rest("north", -60), other, ("bob".to_string(), "wrong".to_string())] {
        assert!(allocate(bad.clone()).is_err(), "{}", bad.0);
    }
}

#[test]
fn quotas_hold_over_all_shards() {
    let args = ["--listen", "127.0.0.1:0", "--user", "a:b", "--user", "c:d", "--shards", "4"];
    let serve =
        Serve::start(&[&args[..], &["--max-allocations", "5", "--max-allocations-per-user", "3"]].concat());
    let mut clients = Vec::new();
    let mut outcomes = Vec::new();
    for (user, password) in
        [("a", "b"), ("a", "b"), ("a", "b"), ("a", "b"), ("c", "d"), ("c", "d"), ("c", "d")]
    {
        let mut client = Client::new(serve.at("udp"), user, password);
        outcomes.push(client.allocate().unwrap().error);
        clients.push(client);
    }
    assert_eq!(outcomes, [None, None, None, Some(486), None, None, Some(508)]);
    assert_eq!(clients[0].refresh(0).unwrap().error, None);
    assert_eq!(clients[6].allocate().unwrap().error, None, "what was given back is there again");
}

#[test]
fn users_of_the_environment_are_in_no_list_of_processes() {
    let mut command = command(&["--listen", "127.0.0.1:0", "--log", "trace"]);
    command.env("GINNEL_USER", "alice:hunter2 bob:hunter3");
    let mut serve = Serve::start_command(command);
    assert_eq!(Client::new(serve.at("udp"), "bob", "hunter3").allocate().unwrap().error, None);
    serve.signal(Signal::SIGTERM);
    serve.wait_for("draining");
    serve.signal(Signal::SIGTERM);
    let (_, logged) = serve.end();
    assert!(!logged.contains("hunter"), "{logged}");
}

#[test]
fn a_server_for_stun_alone_relays_for_nobody() {
    let serve = Serve::start(&["--listen", "127.0.0.1:0", "--stun-only"]);
    assert!(Client::new(serve.at("udp"), "a", "b").allocate().is_err());
    assert!(!serve.announced.iter().any(|line| line.starts_with("relaying")), "{serve:?}");
}

#[test]
fn clients_are_told_the_external_address() {
    let args = ["--listen", "127.0.0.1:0", "--user", "a:b", "--external-address", "203.0.113.7/127.0.0.1"];
    let serve = Serve::start(&[&args[..], &["--ports", "40000-49151"]].concat());
    let relayed = Client::new(serve.at("udp"), "a", "b").allocate().unwrap().relayed.unwrap();
    assert_eq!(relayed.ip().to_string(), "203.0.113.7");
    assert!((40_000..=49_151).contains(&relayed.port()), "{relayed}");
    assert!(
        serve.announced.contains(&"relaying 127.0.0.1 as 203.0.113.7 ports 40000-49151".to_string()),
        "{serve:?}"
    );
}

/// Allowed wins over what is denied by default, denied over what is allowed; and a reload changes both.
#[test]
fn peers_are_judged_by_what_the_operator_says() {
    let path = file(
        "peers.toml",
        "allow-peer = ['10.0.0.0/8']\ndeny-peer = ['10.1.0.0/16', '192.0.2.1-192.0.2.9']\n",
    );
    let args = ["--listen", "127.0.0.1:0", "--user", "a:b", "--config", path.to_str().unwrap()];
    let mut serve = Serve::start(&args);
    let mut client = Client::new(serve.at("udp"), "a", "b");
    client.allocate().unwrap();
    let mut judge = |peer: &str| client.permit(peer.parse().unwrap()).unwrap().error;
    for peer in ["10.0.0.1", "192.0.2.10", "198.51.100.1"] {
        assert_eq!(judge(peer), None, "{peer}");
    }
    for peer in ["10.1.2.3", "192.0.2.1", "192.168.0.1", "169.254.169.254", "127.0.0.2", "172.16.0.1"] {
        assert_eq!(judge(peer), Some(403), "{peer}");
    }
    file("peers.toml", "allow-peer = ['192.168.0.0/16']\n");
    serve.signal(Signal::SIGHUP);
    serve.wait_for("reloaded");
    assert_eq!([judge("192.168.0.1"), judge("192.0.2.1"), judge("10.0.0.1")], [None, None, Some(403)]);
}

/// The same by flags alone, and with nothing allowed: what is public is, unless it is denied.
#[test]
fn peers_are_denied_by_flags() {
    let args = ["--listen", "127.0.0.1:0", "--user", "a:b", "--allow-peer", "10.0.0.0/8"];
    let deny = ["--deny-peer", "10.1.0.0/16", "--deny-peer", "198.51.100.7"];
    let serve = Serve::start(&[&args[..], &deny].concat());
    let mut client = Client::new(serve.at("udp"), "a", "b");
    client.allocate().unwrap();
    let mut judge = |peer: &str| client.permit(peer.parse().unwrap()).unwrap().error;
    assert_eq!([judge("10.0.0.1"), judge("198.51.100.8")], [None, None]);
    assert_eq!([judge("10.1.2.3"), judge("198.51.100.7"), judge("192.168.0.1")], [Some(403); 3]);
}

/// One user does not take the ports of all: a quarter of them, or what is said.
#[test]
fn one_user_has_no_more_than_his_part_unless_it_is_said() {
    let count = |more: &[&str]| {
        let args = ["--listen", "127.0.0.1:0", "--user", "a:b", "--ports", "20000-20479"];
        let serve = Serve::start(&[&args[..], more].concat());
        let mut clients: Vec<_> = (0..122).map(|_| Client::new(serve.at("udp"), "a", "b")).collect();
        let outcomes: Vec<_> = clients.iter_mut().map(|client| client.allocate().unwrap().error).collect();
        let refused = outcomes.iter().position(|error| *error == Some(486));
        assert!(outcomes.iter().take(refused.unwrap_or(122)).all(Option::is_none), "{outcomes:?}");
        refused
    };
    assert_eq!(count(&[]), Some(120));
    assert_eq!(count(&["--max-allocations-per-user", "121"]), Some(121));
    assert_eq!(count(&["--max-allocations-per-user", "none"]), None);
}

/// Each shard has a part of the ports: of few ports, one has all, so that all can be had.
#[test]
fn few_ports_make_one_shard_that_gives_out_all_of_them() {
    let args = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--user", "a:b"];
    // Ports that the system gives to nobody by itself.
    let serve = Serve::start(&[&args[..], &["--ports", "20501-20511"]].concat());
    assert_eq!(serve.metric("ginnel_shards"), 1);
    let mut clients: Vec<_> = (0..12).map(|_| Client::new(serve.at("udp"), "a", "b")).collect();
    let answers: Vec<_> = clients.iter_mut().map(|client| client.allocate().unwrap()).collect();
    let mut ports: Vec<_> = answers.iter().filter_map(|it| Some(it.relayed?.port())).collect();
    ports.sort_unstable();
    assert_eq!(ports, (20_501..=20_511).collect::<Vec<_>>());
    assert_eq!(answers[11].error, Some(508));
}

/// Clients come to one address of the host, and relays are at another.
#[cfg(target_os = "linux")]
#[test]
fn relays_are_where_the_flag_says() {
    let args = ["--listen", "127.0.0.1:0", "--user", "a:b", "--relay-address", "127.0.0.2"];
    let serve = Serve::start(&args);
    assert_eq!(serve.at("udp").ip().to_string(), "127.0.0.1");
    let relayed = Client::new(serve.at("udp"), "a", "b").allocate().unwrap().relayed.unwrap();
    assert_eq!(relayed.ip().to_string(), "127.0.0.2");
    assert!(std::net::UdpSocket::bind(relayed).is_err(), "the socket is there");
}
