//! coturn, if it is installed.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    Server,
    load::{PASSWORD, USER},
};

struct Coturn {
    at: SocketAddr,
    child: Child,
}

impl Server for Coturn {
    fn at(&self) -> SocketAddr {
        self.at
    }
    fn threads(&self) -> Vec<String> {
        let folder = format!("/proc/{}/task", self.child.id());
        let threads = fs::read_dir(folder).into_iter().flatten().flatten();
        threads.map(|thread| thread.path().to_string_lossy().into_owned()).collect()
    }
    fn relays(&self) -> bool {
        true
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn is_there() -> bool {
    Command::new("turnserver").arg("--version").output().is_ok()
}

/// Another may have the port that was free a moment ago, so it is tried several times.
pub(super) fn start() -> Option<Box<dyn Server>> {
    (0..5).find_map(|_| try_start())
}

fn try_start() -> Option<Box<dyn Server>> {
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?.local_addr().ok()?;
    let port = free.port().to_string();
    let user = format!("{USER}:{PASSWORD}");
    let words = [
        "-n",
        "--listening-ip=127.0.0.1",
        "--relay-ip=127.0.0.1",
        "-p",
        &port,
        "-a",
        "-u",
        &user,
        "-r",
        "ginnel.test",
        "-m",
        "1",
        "--no-cli",
        "--no-tls",
        "--no-dtls",
        "--no-tcp",
        "--no-rfc5780",
        "--allow-loopback-peers",
        "--log-file=stdout",
        "--no-stdout-log",
        "--pidfile=/dev/null",
    ];
    let child =
        Command::new("turnserver").args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let mut server = Coturn { at: free, child };
    // A Binding request is answered as soon as it listens.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket.set_read_timeout(Some(Duration::from_millis(50))).ok()?;
    let begun = clock();
    while begun.elapsed() < Duration::from_secs(10) {
        let _ = socket.send_to(b"\x00\x01\x00\x00\x21\x12\xa4\x42transactions", free);
        let answered = socket.recv(&mut [0; 512]).is_ok();
        if server.child.try_wait().ok()?.is_some() {
            return None;
        }
        if answered {
            return Some(Box::new(server));
        }
    }
    None
}

#[allow(clippy::disallowed_methods, reason = "it waits for a program to start")]
fn clock() -> Instant {
    Instant::now()
}
