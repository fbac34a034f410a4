//! Start, reload, drain, end.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
};

use crate::{
    client::{Client, binding, mapped, mapped_over_udp},
    program::{PATIENCE, Serve, Signal, file},
    relay::rest,
};

const LOCAL: [&str; 4] = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];

fn start(more: &[&str]) -> Serve {
    Serve::start(&[&LOCAL[..], more].concat())
}

#[test]
fn a_user_alone_is_a_working_server() {
    // Nothing but the port and the address are said otherwise than by default: tests must not take 3478.
    let serve = Serve::start(&["--listen", "127.0.0.1:0", "--user", "a:b"]);
    mapped_over_udp(serve.at("udp"));
    assert_eq!(serve.at("udp"), serve.at("tcp"));
    let answered = Client::new(serve.at("udp"), "a", "b").allocate().unwrap();
    assert!(answered.relayed.unwrap().ip().is_loopback() && answered.error.is_none(), "{answered:?}");
}

#[test]
fn binding_is_answered_over_tcp() {
    let serve = start(&["--stun-only"]);
    let mut stream = TcpStream::connect(serve.at("tcp")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&binding()).unwrap();
    let mut answer = [0; 32];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(mapped(&answer), stream.local_addr().unwrap());
}

/// A service manager is told how far it is (sd_notify(3)), at a path or at a name that begins with @.
#[cfg(target_os = "linux")]
#[test]
fn the_service_manager_is_told_when_it_is_ready_and_when_it_ends() {
    use std::os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    };
    let name = format!("ginnel-notify-{}", std::process::id());
    let path = std::env::temp_dir().join(&name);
    let _ = std::fs::remove_file(&path);
    let hidden = SocketAddr::from_abstract_name(&name).unwrap();
    for (manager, at) in [
        (UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_string()),
        (UnixDatagram::bind_addr(&hidden).unwrap(), format!("@{name}")),
    ] {
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let hear = || {
            let mut state = [0; 64];
            let n = manager.recv(&mut state).expect("it says something");
            String::from_utf8_lossy(&state[..n]).into_owned()
        };
        let mut command = crate::program::command(&["--stun-only", "--listen", "127.0.0.1:0"]);
        command.env("NOTIFY_SOCKET", at);
        let mut serve = Serve::start_command(command);
        assert_eq!(hear(), "READY=1");
        serve.signal(Signal::SIGHUP);
        serve.wait_for("reloaded");
        assert_eq!([hear(), hear()], ["RELOADING=1", "READY=1"]);
        serve.signal(Signal::SIGTERM);
        let (status, logged) = serve.end();
        assert!(status.success(), "{logged}");
        assert_eq!(hear(), "STOPPING=1");
    }
    std::fs::remove_file(path).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn two_addresses_of_a_family_answer_from_each_other() {
    let serve = Serve::start(&["--stun-only", "--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"]);
    assert_eq!(
        serve.announced.iter().filter(|line| line.starts_with("alternate udp ")).count(),
        2,
        "{serve:?}"
    );
    mapped_over_udp(serve.at("udp"));
}

#[test]
fn scrapes_tell_what_was_done_and_health_is_well() {
    let serve = start(&["--user", "a:b"]);
    assert_eq!(serve.get("/healthz"), (200, "ok\n".to_string()));
    assert_eq!((serve.metric("ginnel_allocations"), serve.metric("ginnel_draining")), (0, 0));
    let mut client = Client::new(serve.at("udp"), "a", "b");
    client.allocate().unwrap();
    assert_eq!(serve.metric("ginnel_allocations"), 1);
    assert_eq!(serve.metric("ginnel_requests_total{method=\"allocate\"}"), 1);
    assert_eq!(serve.metric("ginnel_auth_total{result=\"challenged\"}"), 1);
    client.refresh(0).unwrap();
    assert_eq!(serve.metric("ginnel_allocations"), 0);
    assert_eq!(serve.metric("ginnel_allocations_ended_total{reason=\"deleted\"}"), 1);
    assert_eq!(serve.get("/").0, 404);
}

#[test]
fn without_allocations_a_signal_ends_it_at_once() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let serve = start(&["--user", "a:b", "--drain-time", "1d"]);
        mapped_over_udp(serve.at("udp"));
        serve.signal(signal);
        let (status, logged) = serve.end();
        assert!(status.success(), "{signal}: {logged}");
    }
}

/// The clients that are there go on; what is new is refused; when the last has gone, so has the server.
#[test]
fn it_drains_until_the_last_allocation_is_gone() {
    let mut serve = start(&["--user", "a:b", "--drain-time", "1d"]);
    let mut client = Client::new(serve.at("udp"), "a", "b");
    client.allocate().unwrap();
    serve.signal(Signal::SIGTERM);
    serve.wait_for("draining");
    assert_eq!(client.refresh(600).unwrap().error, None);
    assert_eq!(serve.get("/healthz").0, 503);
    assert_eq!(serve.metric("ginnel_draining"), 1);
    let refused = Client::new(serve.at("udp"), "a", "b").allocate().unwrap();
    assert_eq!(refused.error, Some(508), "there is no other server to send it to");
    assert_eq!(client.refresh(0).unwrap().error, None);
    let (status, logged) = serve.end();
    assert!(status.success(), "{logged}");
}

#[test]
fn the_deadline_ends_what_is_left() {
    let mut serve = start(&["--user", "a:b", "--drain-time", "1s"]);
    Client::new(serve.at("udp"), "a", "b").allocate().unwrap();
    serve.signal(Signal::SIGTERM);
    serve.wait_for("draining");
    let (status, logged) = serve.end();
    assert!(status.success() && logged.contains("reason=Drained"), "{logged}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut serve = start(&["--user", "a:b", "--drain-time", "1d"]);
    Client::new(serve.at("udp"), "a", "b").allocate().unwrap();
    serve.signal(Signal::SIGTERM);
    serve.wait_for("draining");
    serve.signal(Signal::SIGTERM);
    let (status, logged) = serve.end();
    assert_eq!(status.code(), Some(1), "{logged}");
    assert!(logged.contains("at a second signal"), "{logged}");
}

/// Who has gone from the file loses what he has, who is new may come, and who stays stays.
#[test]
fn a_reload_changes_who_may_relay() {
    let path = file("reload.toml", "user = ['stays:1', 'goes:2']\n");
    let mut serve = start(&["--config", path.to_str().unwrap()]);
    let client = |user, password| Client::new(serve.at("udp"), user, password);
    let (mut stays, mut goes, mut comes) = (client("stays", "1"), client("goes", "2"), client("comes", "3"));
    assert_eq!((stays.allocate().unwrap().error, goes.allocate().unwrap().error), (None, None));
    assert!(comes.allocate().is_err(), "nobody knows him yet");
    file("reload.toml", "user = ['stays:1', 'comes:3']\nrealm = 'another'\n");
    serve.signal(Signal::SIGHUP);
    serve.wait_for("reloaded");
    let mut comes = Client::new(serve.at("udp"), "comes", "3");
    assert_eq!((stays.refresh(600).unwrap().error, comes.allocate().unwrap().error), (None, None));
    assert!(goes.refresh(600).is_err());
    assert_eq!(serve.metric("ginnel_allocations"), 2);
    assert_eq!(serve.metric("ginnel_reloads_total{result=\"applied\"}"), 1);
    assert!(
        serve.logged().contains("`realm` has changed: that takes effect when the program is started again")
    );
}

#[test]
fn a_reload_brings_the_first_secret_and_takes_the_last_away() {
    let path = file("secrets.toml", "user = ['stays:1']\n");
    let mut serve = start(&["--config", path.to_str().unwrap()]);
    let allocate = |serve: &Serve| {
        let (user, password) = rest("leaked", 60);
        Client::new(serve.at("udp"), &user, &password).allocate().map(|answered| answered.error)
    };
    assert!(allocate(&serve).is_err(), "there is no secret yet");
    for (number, (text, is_known)) in
        [("user = ['stays:1']\nsecret = ['leaked']\n", true), ("user = ['stays:1']\n", false)]
            .into_iter()
            .enumerate()
    {
        file("secrets.toml", text);
        serve.signal(Signal::SIGHUP);
        serve.wait_for("reloaded");
        assert_eq!(serve.metric("ginnel_reloads_total{result=\"applied\"}"), number as u64 + 1);
        assert_eq!(allocate(&serve).ok(), is_known.then_some(None), "{text}");
        assert_eq!(Client::new(serve.at("udp"), "stays", "1").allocate().unwrap().error, None);
    }
}

#[test]
fn a_bad_file_is_refused_and_the_old_one_stays() {
    let path = file("refused.toml", "user = ['a:b']\n");
    let mut serve = start(&["--config", path.to_str().unwrap()]);
    let mut client = Client::new(serve.at("udp"), "a", "b");
    client.allocate().unwrap();
    file("refused.toml", "user = ['other:b']\ndeny-peer = ['nobody']\n");
    serve.signal(Signal::SIGHUP);
    serve.wait_for("reload refused");
    assert_eq!(client.refresh(600).unwrap().error, None);
    assert_eq!(serve.metric("ginnel_reloads_total{result=\"refused\"}"), 1);
    assert!(serve.logged().contains("refused.toml:2:14: `deny-peer`"), "{}", serve.logged());
    std::fs::remove_file(path).unwrap();
    serve.signal(Signal::SIGHUP);
    serve.wait_for("reload refused");
    assert_eq!(client.refresh(600).unwrap().error, None);
}

/// Whoever reads logs need not know who called whom.
#[test]
fn logs_name_nobody_unless_they_are_told_to() {
    let log = |more: &[&str]| {
        let mut serve = start(&[&["--user", "alice:hunter2", "--log", "trace"], more].concat());
        let mut client = Client::new(serve.at("udp"), "alice", "hunter2");
        client.allocate().unwrap();
        client.refresh(0).unwrap();
        serve.signal(Signal::SIGTERM);
        serve.wait_for("draining");
        (client.local().to_string(), serve.end().1)
    };
    let (address, logged) = log(&[]);
    assert!(logged.contains("allocation ended") && logged.contains("reason=Deleted"), "{logged}");
    assert!(
        !logged.contains("alice") && !logged.contains(&address) && !logged.contains("hunter2"),
        "{logged}"
    );
    let (address, logged) = log(&["--log-personal"]);
    assert!(logged.contains("alice") && logged.contains(&address) && !logged.contains("hunter2"), "{logged}");
}

#[test]
fn logs_of_json_are_lines_of_json() {
    let mut serve = start(&["--user", "a:b", "--log-format", "json"]);
    let mut client = Client::new(serve.at("udp"), "a", "b");
    client.allocate().unwrap();
    client.refresh(0).unwrap();
    serve.signal(Signal::SIGTERM);
    serve.wait_for("draining");
    let (_, logged) = serve.end();
    let lines: Vec<serde_json::Value> =
        logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().any(|line| line["message"] == "allocation ended" && line["reason"] == "Deleted"),
        "{logged}"
    );
}

/// Who holds connections and reads nothing keeps nobody from scraping, and no files from relays.
#[test]
fn slow_readers_of_metrics_are_few_and_are_cut_off() {
    let serve = start(&["--user", "a:b"]);
    let metrics = serve.announced.iter().find_map(|line| line.strip_prefix("metrics http://")).unwrap();
    let at = metrics.trim_end_matches("/metrics").to_string();
    let mut idle: Vec<_> = (0..100).map(|_| TcpStream::connect(&at).unwrap()).collect();
    write!(idle[0], "GET /metrics HT").unwrap();
    idle[0].set_read_timeout(Some(PATIENCE)).unwrap();
    // More than there are places, so that this one waits for the others' end.
    idle.truncate(40);
    assert_eq!(serve.metric("ginnel_allocations"), 0);
    match idle[0].read(&mut [0; 64]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("it is not cut off: {other:?}"),
    }
}

/// An office is behind one address.
#[test]
fn strangers_of_one_source_are_answered_as_often_as_is_said() {
    let serve = start(&["--user", "a:b", "--shards", "1", "--challenge-rate", "2"]);
    for _ in 0..10 {
        Client::new(serve.at("udp"), "a", "b").allocate().unwrap();
    }
    let limited = |serve: &Serve| serve.metric("ginnel_auth_total{result=\"limited\"}");
    assert_eq!(limited(&serve), 0, "five times as many at once");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..50 {
        socket.send_to(&crate::client::stranger(), serve.at("udp")).unwrap();
    }
    mapped_over_udp(serve.at("udp"));
    assert!(limited(&serve) > 0);
}
