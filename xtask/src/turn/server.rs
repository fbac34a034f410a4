//! The servers that are put under load: started, waited for, and ended.

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::step::{Failure, Step, on_path, scratch};

/// Who asks for allocations.
pub(super) const USER: &str = "load";
pub(super) const PASSWORD: &str = "load-password";
const REALM: &str = "ginnel.test";
/// As many as a run has clients, and some more.
const ENOUGH: &str = "5000";

/// Files of a certificate for 127.0.0.1, which is its own authority.
pub(super) struct Certificate {
    pub(super) chain: String,
    key: String,
}

/// Has OpenSSL make one.
pub(super) fn certificate() -> Result<Certificate, Failure> {
    let file = |name: &str| scratch().join(name).to_string_lossy().into_owned();
    let made = Certificate { chain: file("turn-chain.pem"), key: file("turn-key.pem") };
    let words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=ginnel.test",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        &made.key,
        "-out",
        &made.chain,
    ];
    Step::new("a certificate", &words).run()?;
    Ok(made)
}

/// A server that runs until it is dropped.
pub(super) struct Running {
    pub(super) name: &'static str,
    child: Child,
    /// UDP and TCP.
    pub(super) plain: u16,
    tls: u16,
    dtls: u16,
}

impl Running {
    /// `ginnel serve`, on ports of its choice, which it says.
    pub(super) fn ginnel(program: &str, certificate: &Certificate) -> Result<Self, Failure> {
        let mut child = Command::new(program)
            .args(["serve", "--shards", "1", "--realm", REALM, "--user", &format!("{USER}:{PASSWORD}")])
            .args(["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--dtls-listen", "127.0.0.1:0"])
            .args(["--cert", &certificate.chain, "--key", &certificate.key])
            .args(["--relay-address", "127.0.0.1", "--allow-peer", "127.0.0.0/8"])
            .args(["--max-allocations-per-user", ENOUGH, "--challenge-rate", ENOUGH])
            .args(["--max-streams", ENOUGH, "--max-streams-per-source", ENOUGH])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("ginnel serve cannot be started: {error}"))?;
        let said = child.stdout.take();
        let mut running = Self { name: "ginnel", child, plain: 0, tls: 0, dtls: 0 };
        let mut lines = BufReader::new(said.ok_or("ginnel serve says nothing")?).lines();
        loop {
            let line =
                lines.next().and_then(Result::ok).ok_or("ginnel serve has ended before it was ready")?;
            let port = || line.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0);
            match line.split(' ').nth(1) {
                Some("udp") => running.plain = port(),
                Some("tls") => running.tls = port(),
                Some("dtls") => running.dtls = port(),
                _ => {}
            }
            if line == "ready" {
                break;
            }
        }
        // What it says later is read by nobody, and must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(running)
    }

    /// coturn with the same means; `None` where it is not installed.
    pub(super) fn coturn(certificate: &Certificate) -> Result<Option<Self>, Failure> {
        if !on_path("turnserver") {
            return Ok(None);
        }
        // It takes no port of the system's choice, and another may have by now what was free a moment ago.
        let tried = (0..5).map(|_| Self::try_coturn(certificate)).find(Result::is_ok);
        tried.unwrap_or_else(|| Self::try_coturn(certificate)).map(Some)
    }

    fn try_coturn(certificate: &Certificate) -> Result<Self, Failure> {
        let (plain, secure) = (free_port()?, free_port()?);
        let child = Command::new("turnserver")
            .args(["-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "-m", "1", "-a", "-r", REALM])
            .args(["-p", &plain.to_string(), "--tls-listening-port", &secure.to_string()])
            .args([
                "-u",
                &format!("{USER}:{PASSWORD}"),
                "--cert",
                &certificate.chain,
                "--pkey",
                &certificate.key,
            ])
            .args(["--no-cli", "--no-rfc5780", "--allow-loopback-peers", "--no-stdout-log"])
            .args(["--log-file=stdout", "--pidfile=/dev/null"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("coturn cannot be started: {error}"))?;
        let mut running = Self { name: "coturn", child, plain, tls: secure, dtls: secure };
        for port in [plain, secure] {
            wait_for(port)?;
        }
        match running.child.try_wait() {
            Ok(None) => Ok(running),
            _ => Err("coturn has ended".to_string()),
        }
    }

    /// Where TLS or DTLS is.
    pub(super) fn secure(&self, transport: &str) -> u16 {
        if transport == "TLS" { self.tls } else { self.dtls }
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free over UDP and over TCP.
fn free_port() -> Result<u16, Failure> {
    let both = || {
        let udp = UdpSocket::bind(("127.0.0.1", 0)).ok()?;
        let port = udp.local_addr().ok()?.port();
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    };
    (0..100).find_map(|_| both()).ok_or_else(|| "no port is free".to_string())
}

/// Waits until somebody listens.
fn wait_for(port: u16) -> Result<(), Failure> {
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("nobody listens on port {port}"))
}
