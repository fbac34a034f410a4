//! `ginnel serve` as a child process.

use std::net::{IpAddr, SocketAddr};

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
        command.args(["--realm", "ginnel.test", "--log", "warn"]).args(more);
        let daemon = Daemon::start(command, |line| line == "ready");
        Self { daemon, _scratch: scratch }
    }

    /// What it has printed so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.daemon.said()
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.daemon.id()
    }
}
