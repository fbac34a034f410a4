//! coturn: the STUN and TURN server that most people run, and the tools that come with it.

use std::{
    collections::BTreeSet,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use crate::{Daemon, Namespace};

/// A running `turnserver` with a configuration of the test's own; ended when dropped.
#[derive(Debug)]
pub struct Coturn {
    daemon: Daemon,
    _scratch: Scratch,
    identity: Identity,
}

impl Coturn {
    /// For UDP and TCP. RFC 5780's other port is the one above it.
    pub const PORT: u16 = 3478;
    /// For TLS and DTLS.
    pub const TLS_PORT: u16 = 5349;
    /// The name in its certificate.
    pub const NAME: &str = "turn.test";

    /// Why it cannot be used on this machine, if it cannot.
    #[must_use]
    pub fn missing() -> Option<String> {
        let program = "/usr/bin/turnserver";
        let why = format!("{program} is not installed (as root on Debian, `cargo xtask test` installs it)");
        (!Path::new(program).exists()).then_some(why)
    }

    /// Starts it on these addresses and waits until it listens. `more` are further options.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(namespace: &Namespace, ips: &[IpAddr], more: &[&str]) -> Self {
        Self::start_on(namespace, ips, Self::PORT, more)
    }

    /// The same with another port than [`PORT`](Self::PORT).
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_on(namespace: &Namespace, ips: &[IpAddr], port: u16, more: &[&str]) -> Self {
        Self::run(namespace, ips, port, Identity::new(), more)
    }

    /// Starts another one, that has the same certificate.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_as(other: &Self, namespace: &Namespace, ips: &[IpAddr], more: &[&str]) -> Self {
        Self::run(namespace, ips, Self::PORT, other.identity.clone(), more)
    }

    fn run(namespace: &Namespace, ips: &[IpAddr], port: u16, identity: Identity, more: &[&str]) -> Self {
        let scratch = Scratch::new();
        scratch.write("cert.pem", &identity.certificate);
        scratch.write("key.pem", &identity.key);
        let mut command = namespace.command("turnserver");
        // Nothing of the machine: no configuration, database, log or process file but its own.
        command.args(["-n", "-v", "--no-cli", "--simple-log", "--log-file", "stdout"]).args(more);
        for (option, file) in
            [("--userdb", "db"), ("--pidfile", "pid"), ("--cert", "cert.pem"), ("--pkey", "key.pem")]
        {
            command.arg(option).arg(scratch.0.join(file));
        }
        command.arg("--listening-port").arg(port.to_string());
        let mut awaited = BTreeSet::new();
        for ip in ips {
            command.arg("--listening-ip").arg(ip.to_string());
            for (what, port) in [("UDP", port), ("TCP", port), ("TCP", Self::TLS_PORT)] {
                // Of IPv6 it writes no brackets.
                awaited.insert(format!("{what} {ip}:{port}"));
            }
        }
        let daemon = Daemon::start(command, |line| {
            awaited.retain(|listener| {
                let (what, at) = listener.split_once(' ').unwrap_or_default();
                !(line.contains(what) && line.contains("listener opened on") && line.ends_with(at))
            });
            awaited.is_empty()
        });
        Self { daemon, _scratch: scratch, identity }
    }

    /// Its certificate, which it signed itself, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.identity.certificate
    }

    /// What it has printed so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.daemon.said()
    }
}

/// A certificate for [`Coturn::NAME`], and its key, in PEM.
#[derive(Clone)]
struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed([Coturn::NAME.to_string()]).expect("a certificate");
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// A folder that is removed when dropped.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ginnel-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).expect("a scratch folder");
        Self(dir)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("a file in the scratch folder");
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
