//! coturn: the STUN and TURN server that most people run, and the tools that come with it.

use std::{collections::BTreeSet, net::IpAddr, process::Stdio};

use crate::{Daemon, Identity, Namespace, Scratch};

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
    pub const NAME: &str = Identity::NAME;

    /// Why it cannot be used on this machine, if it cannot.
    #[must_use]
    pub fn missing() -> Option<String> {
        crate::missing("/usr/bin/turnserver")
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
        Self::run(namespace, ips, port, Identity::new(ips), more)
    }

    /// Starts one that has this certificate.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_as(identity: &Identity, namespace: &Namespace, ips: &[IpAddr], more: &[&str]) -> Self {
        Self::run(namespace, ips, Self::PORT, identity.clone(), more)
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
            command.arg(option).arg(scratch.path().join(file));
        }
        command.arg("--listening-port").arg(port.to_string());
        // There it complains, for each relay, that the kernel has no SCTP.
        command.stderr(Stdio::null());
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

    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it has printed so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.daemon.said()
    }
}
