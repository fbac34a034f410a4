//! The bare command, on a host of its own: a thread that leaves the network of this one, and what is started from there. The
//! network is gone with the last of them.

use std::{
    net::{TcpListener, UdpSocket},
    panic::resume_unwind,
    process::Command,
};

use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

use crate::{
    client::{Client, mapped_over_udp},
    program::{Serve, finish, ginnel, run, stderr, stdout},
};

/// Where the host is.
pub(crate) const HOST: &str = "198.51.100.1";
pub(crate) const HOST_V6: &str = "2001:db8::1";

/// Runs it where there is loopback, one interface, and a way out that ends behind it. Skipped where that may not be had.
pub(crate) fn on_a_host_of_its_own(test: impl FnOnce() + Send) {
    let work = || {
        if let Err(why) =
            unshare(CloneFlags::CLONE_NEWNET).map_err(|e| e.to_string()).and_then(|()| furnish())
        {
            assert!(std::env::var_os("CI").is_none(), "CI may make networks, but {why}");
            eprintln!("SKIPPED: no network of its own can be had: {why}");
            return;
        }
        test();
    };
    std::thread::scope(|scope| {
        if let Err(panic) = scope.spawn(work).join() {
            resume_unwind(panic);
        }
    });
}

fn furnish() -> Result<(), String> {
    for line in [
        "link set lo up",
        "link add lan0 type veth peer name lan1",
        "address add 198.51.100.1/24 dev lan0",
        "link set lan0 up",
        "link set lan1 up",
        "route add default via 198.51.100.2",
        "address add 2001:db8::1/64 dev lan0 nodad",
        "route add default via 2001:db8::2 dev lan0",
    ] {
        let output =
            Command::new("ip").args(line.split(' ')).output().map_err(|error| format!("ip: {error}"))?;
        if !output.status.success() {
            return Err(format!("ip {line}: {}", stderr(&output)));
        }
    }
    Ok(())
}

/// Nothing is said but who may relay.
#[test]
fn the_bare_command_is_a_working_server() {
    on_a_host_of_its_own(|| {
        let serve = Serve::start(&["--user", "a:b"]);
        for line in [
            "listening udp 127.0.0.1:3478",
            "listening tcp 127.0.0.1:3478",
            "listening udp 198.51.100.1:3478",
            "listening tcp 198.51.100.1:3478",
            "listening udp [2001:db8::1]:3478",
            "relaying 198.51.100.1 ports 49152-65535",
            "relaying 2001:db8::1 ports 49152-65535",
        ] {
            assert!(serve.announced.iter().any(|it| it == line), "{line}: {serve:?}");
        }
        let at = format!("{HOST}:3478").parse().unwrap();
        mapped_over_udp(at);
        let mut client = Client::new(at, "a", "b");
        assert_eq!(client.allocate().unwrap().relayed.unwrap().ip().to_string(), HOST);
        let mut judge = |peer: &str| client.permit(peer.parse().unwrap()).unwrap().error;
        // A peer on the Internet, one in a private network, the host itself.
        assert_eq!(
            [judge("203.0.113.1"), judge("10.0.0.1"), judge("127.0.0.1")],
            [None, Some(403), Some(403)]
        );
        // From client to client, over both transports.
        for uri in ["turn:198.51.100.1", "turn:198.51.100.1?transport=tcp"] {
            let load =
                ["turn-load", uri, "--user", "a:b", "--json", "-y", "--clients", "2", "--duration", "0.5"];
            let output = finish(ginnel(&load));
            assert!(output.status.success(), "{output:?}");
            let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
            assert!(report["received"].as_u64().is_some_and(|n| n > 0), "{report:#}");
        }
    });
}

/// A second server, started by mistake, does not run beside the first on what the first has left.
#[test]
fn a_server_that_was_started_twice_says_where_the_other_is() {
    on_a_host_of_its_own(|| {
        let refused = |args: &[&str], told: &str| {
            let output = run(&[&["--user", "a:b"], args].concat());
            assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
            let said = stderr(&output);
            assert!(said.contains(told) && said.contains("is another server running?"), "{args:?}: {said}");
        };
        let first = Serve::start(&["--user", "a:b"]);
        refused(&[], "cannot listen on 198.51.100.1:3478 over UDP");
        drop(first);
        // Where it would relay.
        let first = Serve::start(&["--user", "a:b", "--listen", HOST]);
        refused(&[], "cannot listen on 198.51.100.1:3478 over UDP");
        drop(first);
        // What was named, if only as one of all.
        let other = TcpListener::bind("127.0.0.1:3478").unwrap();
        refused(&["--listen", "0.0.0.0"], "cannot listen on 127.0.0.1:3478 over TCP");
        refused(&["--listen", HOST, "--listen", "127.0.0.1"], "cannot listen on 127.0.0.1:3478 over TCP");
        drop(other);
        // What nobody has named, and nobody would miss.
        let _other = UdpSocket::bind("127.0.0.1:3478").unwrap();
        let serve = Serve::start(&["--user", "a:b"]);
        assert!(serve.announced.iter().any(|line| line == "listening udp 198.51.100.1:3478"), "{serve:?}");
        assert!(!serve.announced.iter().any(|line| line.contains("127.0.0.1")), "{serve:?}");
        assert!(serve.logged().contains("cannot listen on 127.0.0.1:3478 over UDP"), "{serve:?}");
    });
}
