//! coturn's clients: `turnutils_uclient`, which relays messages through a server to a peer and counts what comes back, and
//! `turnutils_peer`, who sends everything back.
//!
//! The exit code of `turnutils_uclient` is no verdict: it is 0 where nothing came back, and 255 where a negative test did what
//! it should. What counts is what it counted.

use std::{
    io::{PipeReader, Read as _},
    net::IpAddr,
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use crate::{Daemon, Namespace};

/// One way of relaying, in the options of `turnutils_uclient`.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// What it is about.
    pub name: &'static str,
    /// Its options.
    pub options: &'static [&'static str],
    /// Which family the peer has.
    pub peer: Family,
    /// By which credential it is authenticated.
    pub credential: Credential,
    /// How many runs are started, of which the best counts.
    pub runs: usize,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How a client is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// As `user` with the password `pass`.
    User,
    /// As `user` for a while, by the secret `secret` (draft-uberti-behave-turn-rest).
    Rest,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many messages were sent, and so many came back.
    Counted {
        /// `tot_send_msgs`
        sent: u32,
        /// `tot_recv_msgs`
        received: u32,
    },
    /// It stopped before it counted anything, because a request was refused with this code.
    Refused(u16),
}

impl Mode {
    /// Each of two clients sends this many messages.
    const MESSAGES: &str = "20";
    /// When a run is ended. None takes longer than a quarter of that on an idle machine.
    const LIMIT: Duration = Duration::from_secs(60);
    /// The same of runs that may hang, whoever serves them.
    const ROUND: Duration = Duration::from_secs(20);
    /// How often those are begun anew, before all of them have lost.
    const ROUNDS: usize = 5;

    /// With the user's password and a peer of IPv4.
    #[must_use]
    pub const fn new(name: &'static str, options: &'static [&'static str]) -> Self {
        Self { name, options, peer: Family::V4, credential: Credential::User, runs: 1 }
    }

    /// With a peer of IPv6.
    #[must_use]
    pub const fn to_v6(self) -> Self {
        Self { peer: Family::V6, ..self }
    }

    /// With a time-limited user name.
    #[must_use]
    pub const fn with_rest(self) -> Self {
        Self { credential: Credential::Rest, ..self }
    }

    /// By this many runs at once, of which one that loses nothing is enough: for what throws dice.
    #[must_use]
    pub const fn best_of(self, runs: usize) -> Self {
        Self { runs, ..self }
    }

    /// Runs it against the server at `server`, with the peer of the right family among `peers`, and returns what came of it
    /// and all that it printed.
    ///
    /// # Panics
    /// If it cannot be started, or says neither what it counted nor what was refused.
    #[must_use]
    pub fn run(&self, namespace: &Namespace, server: IpAddr, peers: &[IpAddr]) -> (Verdict, String) {
        // Where the program throws dice, all runs of a round may lose.
        let rounds = if self.runs == 1 { 1 } else { Self::ROUNDS };
        let mut best = Err(String::new());
        for _ in 0..rounds {
            let outcome = self.round(namespace, server, peers);
            let received = |it: &(Verdict, String)| it.0.received();
            if outcome.as_ref().ok().map(received) >= best.as_ref().ok().map(received) {
                best = outcome;
            }
            if best.as_ref().is_ok_and(|(verdict, _)| verdict.is_all()) {
                break;
            }
        }
        best.unwrap_or_else(|last| panic!("{}: no verdict, last in:\n{last}", self.name))
    }

    /// All runs at once, and what the best of them came to; else what the last one said.
    fn round(
        &self,
        namespace: &Namespace,
        server: IpAddr,
        peers: &[IpAddr],
    ) -> Result<(Verdict, String), String> {
        let (ended, over) = channel();
        let runs = (0..self.runs).map(|_| {
            let (run, mut output) = Run::start(self.command(namespace, server, peers));
            let ended = ended.clone();
            std::thread::spawn(move || {
                let mut said = String::new();
                let _ = output.read_to_string(&mut said);
                let _ = ended.send(said);
            });
            run
        });
        // Those that go on are ended with this function.
        let runs: Vec<Run> = runs.collect();
        let limit = if self.runs == 1 { Self::LIMIT } else { Self::ROUND };
        let deadline = Instant::now() + limit;
        let (mut best, mut last) = (None::<(Verdict, String)>, String::new());
        for _ in &runs {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(said) = over.recv_timeout(left) else { break };
            if let Some(verdict) = Verdict::read(&said) {
                if best.as_ref().is_none_or(|(best, _)| verdict.received() > best.received()) {
                    best = Some((verdict, said));
                }
                if verdict.is_all() {
                    break;
                }
            } else {
                last = said;
            }
        }
        best.ok_or(last)
    }

    fn command(&self, namespace: &Namespace, server: IpAddr, peers: &[IpAddr]) -> Command {
        let mut command = namespace.command("turnutils_uclient");
        command.args(["-n", Self::MESSAGES, "-m", "2", "-z", "5", "-l", "200"]);
        command.args(match self.credential {
            Credential::User => ["-u", "user", "-w", "pass"],
            Credential::Rest => ["-u", "user", "-W", "secret"],
        });
        command.args(self.options);
        if let Some(peer) = peers.iter().find(|ip| ip.is_ipv6() == (self.peer == Family::V6)) {
            command.args(["-e", &peer.to_string(), "-r", &PEER_PORT.to_string()]);
        }
        command.arg(server.to_string());
        command
    }

    /// Runs all of them at once, which takes hardly longer than one.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    #[must_use]
    pub fn run_all(
        modes: &[Self],
        namespace: &Namespace,
        server: impl Fn(&Self) -> IpAddr + Sync,
        peers: &[IpAddr],
    ) -> Vec<(Verdict, String)> {
        let server = &server;
        std::thread::scope(|scope| {
            let runs = modes.iter().map(|mode| scope.spawn(move || mode.run(namespace, server(mode), peers)));
            let runs: Vec<_> = runs.collect();
            let join = |run: std::thread::ScopedJoinHandle<'_, _>| {
                run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            runs.into_iter().map(join).collect()
        })
    }
}

/// A running program; killed when dropped.
struct Run(Child);

impl Run {
    /// Starts it; what it prints, of either kind, can be read until it ends.
    fn start(mut command: Command) -> (Self, PipeReader) {
        let (output, input) = std::io::pipe().expect("a pipe");
        command.stdin(Stdio::null()).stdout(input.try_clone().expect("a pipe")).stderr(input);
        let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        (Self(child), output)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Verdict {
    fn read(said: &str) -> Option<Self> {
        let count = |name: &str| -> Option<u32> {
            let (_, value) = said.rsplit_once(name)?;
            value.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        if let (Some(sent), Some(received)) = (count("tot_send_msgs="), count("tot_recv_msgs=")) {
            return Some(Self::Counted { sent, received });
        }
        let (_, code) = said.rsplit_once(": error ")?;
        code.split(' ').next()?.parse().ok().map(Self::Refused)
    }

    /// Whether nothing was lost.
    fn is_all(self) -> bool {
        matches!(self, Self::Counted { sent, received } if received >= sent)
    }

    /// How many messages came back.
    #[must_use]
    pub fn received(self) -> u32 {
        match self {
            Self::Counted { received, .. } => received,
            Self::Refused(_) => 0,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Counted { sent, received } => write!(f, "{received}/{sent}"),
            Self::Refused(code) => write!(f, "refused {code}"),
        }
    }
}

/// Where `turnutils_peer` listens; RTCP goes to the port above.
const PEER_PORT: u16 = 3480;

/// A running `turnutils_peer`, who sends back what comes by UDP; ended when dropped.
#[derive(Debug)]
pub struct EchoPeer {
    _daemon: Daemon,
}

impl EchoPeer {
    /// Starts one at these addresses, and waits until it is there.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(namespace: &Namespace, ips: &[IpAddr]) -> Self {
        let mut command: Command = namespace.command("turnutils_peer");
        command.args(["-v", "-p", &PEER_PORT.to_string()]);
        for ip in ips {
            command.args(["-L", &ip.to_string()]);
        }
        // Each address is opened at the port and at the one above.
        let mut awaited = 2 * ips.len();
        let daemon = Daemon::start(command, |line| {
            awaited -= usize::from(line.contains("create_server_socket") && line.ends_with(":end"));
            awaited == 0
        });
        Self { _daemon: daemon }
    }
}
