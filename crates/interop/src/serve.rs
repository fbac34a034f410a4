//! `ginnel serve` as a child process.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use crate::{Daemon, Identity, Namespace, Program, Scratch};

/// A running `ginnel serve`; killed when dropped.
#[derive(Debug)]
pub struct Serve {
    daemon: Daemon,
    _scratch: Scratch,
}

impl Serve {
    /// For UDP and TCP.
    pub const PORT: u16 = 3478;
    /// For TLS and DTLS.
    pub const TLS_PORT: u16 = 5349;

    /// Options for whoever reads metrics, on loopback.
    pub const METRICS: [&str; 2] = ["--metrics", "127.0.0.1:9641"];

    /// Starts it on these addresses, over everything, and waits until it listens. `more` are further options.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(namespace: &Namespace, ips: &[IpAddr], identity: &Identity, more: &[&str]) -> Self {
        let scratch = Scratch::new();
        let certificate = scratch.write("cert.pem", &identity.certificate);
        let key = scratch.write("key.pem", &identity.key);
        let mut command = namespace.command(Program::path());
        command.arg("serve").arg("--cert").arg(certificate).arg("--key").arg(key);
        for ip in ips {
            let [plain, secure] =
                [Self::PORT, Self::TLS_PORT].map(|port| SocketAddr::new(*ip, port).to_string());
            command.args(["--listen", &plain, "--tls-listen", &secure, "--dtls-listen", &secure]);
        }
        command.args(["--realm", "ginnel.test"]).args(more);
        if !more.contains(&"--log") {
            command.args(["--log", "warn"]);
        }
        let daemon = Daemon::start(command, |line| line == "ready");
        Self { daemon, _scratch: scratch }
    }

    /// What it has printed so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.daemon.said()
    }

    /// Waits until it has printed this line.
    ///
    /// # Panics
    /// If it does not in 20 seconds.
    pub fn wait_for(&self, line: &str) {
        self.daemon.wait_for(|said| said == line);
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.daemon.id()
    }

    /// How much memory it has, in octets.
    ///
    /// # Panics
    /// If it has ended.
    #[must_use]
    pub fn memory(&self) -> usize {
        let path = format!("/proc/{}/status", self.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        let kilobytes = line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number");
        kilobytes << 10
    }

    /// What this line of its metrics says, where it was started with [`METRICS`](Self::METRICS).
    ///
    /// # Panics
    /// If there is no such line.
    #[must_use]
    pub fn metric(&self, namespace: &Namespace, name: &str) -> u64 {
        let said = namespace.enter(|| {
            let mut stream = TcpStream::connect(Self::METRICS[1]).expect("it gives metrics");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nHost: metrics\r\nConnection: close\r\n\r\n")
                .expect("it hears");
            let mut said = String::new();
            stream.read_to_string(&mut said).expect("it answers");
            said
        });
        let value = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {name} in {said}"))
    }

    /// Stops it as a machine that sleeps would, and waits until all its threads are; `-CONT` has it go on.
    ///
    /// # Panics
    /// If it goes on for 20 seconds.
    pub fn stop(&self) {
        self.signal("-STOP");
        let deadline = Instant::now() + Duration::from_secs(20);
        let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = task.and_then(|task| std::fs::read_to_string(task.path().join("stat")));
            // The state stands behind the name, which is in brackets.
            stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
        };
        while !std::fs::read_dir(format!("/proc/{}/task", self.id())).expect("it is there").all(is_stopped) {
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::yield_now();
        }
    }

    /// Sends it a signal, such as `-TERM`.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "no signal can be sent: is procps installed?");
    }
}
