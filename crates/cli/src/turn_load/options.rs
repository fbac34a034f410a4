//! What `ginnel turn-load` can be told.

use std::{fmt, fs, net::IpAddr, net::SocketAddr, num::NonZero, path::PathBuf, thread, time::Duration};

use clap::{Args, ValueEnum};
use ginnel::{
    core::{HostName, Transport},
    driver::ClientTls,
    stun::{
        LongTermCredential,
        uri::{RegName, Uri},
    },
    turn::client::TurnServer,
};

use super::stamp::STAMP;

/// The longest packet: what a path takes, with the headers of a relay.
const LARGEST: usize = 1_400;

/// Which server, how many clients, and what they send.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The server, such as turn:192.0.2.1, turn:192.0.2.1?transport=tcp, turns:turn.example.org or
    /// turns:turn.example.org?transport=udp
    pub(super) server: String,
    /// Who asks, as NAME:PASSWORD
    #[arg(long, env = "GINNEL_TURN_USER", hide_env_values = true)]
    user: String,
    /// How many clients there are, each with an allocation of its own
    #[arg(short, long, default_value_t = 10)]
    pub(super) clients: usize,
    /// Packets a second that each client sends
    #[arg(short, long, default_value_t = 50.0)]
    pub(super) rate: f64,
    /// Packets that a client sends at once, so many times less often
    #[arg(long, default_value_t = 1)]
    pub(super) burst: u32,
    /// Octets of each packet
    #[arg(short = 'l', long, default_value_t = 172)]
    pub(super) size: usize,
    /// How packets are sent to the server
    #[arg(short, long, value_enum, default_value_t = Mode::Channel)]
    pub(super) mode: Mode,
    /// Clients send to each other, in pairs, instead of to an echo
    #[arg(short = 'y', long)]
    pub(super) client_to_client: bool,
    /// Seconds for which packets are sent
    #[arg(short, long, default_value_t = 10.0)]
    duration: f64,
    /// An echo that runs already, instead of one of this program
    #[arg(short = 'e', long, value_name = "ADDR", conflicts_with = "client_to_client")]
    pub(super) peer: Option<SocketAddr>,
    /// Where the echo of this program is; by default at the address that leads to the server
    #[arg(long, value_name = "IP", conflicts_with_all = ["client_to_client", "peer"])]
    pub(super) peer_address: Option<IpAddr>,
    /// Addresses of this host that clients are at, in turn: one address has ports for some 28,000 of them; repeatable
    #[arg(long, value_name = "IP")]
    pub(super) from: Vec<IpAddr>,
    /// Threads that the clients are split over; by default half of the processors
    #[arg(long)]
    threads: Option<NonZero<usize>>,
    /// How many clients ask for an allocation at once
    #[arg(long, default_value_t = 100)]
    pub(super) at_once: usize,
    /// Seconds that allocating may take; the load begins then with those who have one
    #[arg(long, default_value_t = 60.0)]
    setup: f64,
    /// Certificates of authorities to trust over TLS and DTLS, in PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The process that the server is, where it runs on this host: the report tells what it spends for each packet (Linux)
    #[arg(long, value_name = "PID")]
    pub(super) server_pid: Option<u32>,
    /// The report as one line of JSON
    #[arg(long)]
    pub(super) json: bool,
    /// No progress bar
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// How packets are sent to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// Through channels
    Channel,
    /// In Send indications
    Send,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Channel => "channel",
            Self::Send => "send",
        })
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

impl Options {
    /// What the types do not say.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.clients == 0 || self.clients > 1_000_000 {
            return Err("--clients is from 1 to 1000000".to_string());
        }
        if self.client_to_client && !self.clients.is_multiple_of(2) {
            return Err("--client-to-client goes in pairs: --clients must be even".to_string());
        }
        if self.size < STAMP || self.size > LARGEST {
            return Err(format!(
                "--size is from {STAMP}, which tell a packet's number and time, to {LARGEST}"
            ));
        }
        if !self.rate.is_finite() || self.rate <= 0.0 || self.burst == 0 {
            return Err("--rate and --burst are above zero".to_string());
        }
        let spans = [("--duration", self.duration), ("--setup", self.setup)];
        match spans.iter().find(|(_, span)| !(0.1..=1e6).contains(span)) {
            Some((name, _)) => Err(format!("{name} is from 0.1 to 1000000 seconds")),
            None => Ok(()),
        }
    }

    pub(super) fn duration(&self) -> Duration {
        seconds(self.duration)
    }

    pub(super) fn setup(&self) -> Duration {
        seconds(self.setup)
    }

    /// Clients whose server is restarted come back within the run.
    pub(super) fn recover(&self) -> Duration {
        self.duration()
    }

    pub(super) fn threads(&self) -> usize {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let threads = self.threads.map_or(processors.div_ceil(2), NonZero::get);
        // Pairs stay together.
        threads.min(self.clients.div_ceil(2)).max(1)
    }

    /// How many clients each thread has: even numbers, but for the last.
    pub(super) fn shares(&self, threads: usize) -> Vec<usize> {
        let pairs = self.clients / 2;
        let mut shares: Vec<_> =
            (0..threads).map(|n| 2 * (pairs * (n + 1) / threads - pairs * n / threads)).collect();
        if let Some(last) = shares.last_mut() {
            *last += self.clients % 2;
        }
        shares.retain(|share| *share > 0);
        shares
    }

    pub(super) fn credential(&self) -> Result<LongTermCredential, String> {
        let (name, password) =
            self.user.split_once(':').ok_or("--user is NAME:PASSWORD, with a colon between them")?;
        LongTermCredential::new(name, password)
            .map_err(|error| format!("the user name or password cannot be used: {error}"))
    }

    /// Where the server is. Of a name's addresses, the first: all clients are to load one server.
    pub(super) async fn server(&self) -> Result<TurnServer, String> {
        let unreadable = |why: &dyn fmt::Display| format!("{} cannot be used: {why}", self.server);
        let uri = Uri::parse(&self.server).map_err(|error| unreadable(&error))?;
        if !uri.scheme().is_turn() {
            return Err(unreadable(&"it begins with turn: or turns:"));
        }
        let transport = uri.transport_to_use().ok_or_else(|| unreadable(&"its transport is not known"))?;
        let host: Option<HostName> =
            uri.host().name().map(RegName::host_name).transpose().map_err(|error| unreadable(&error))?;
        let port = uri.port_or_default();
        let address = match (uri.host().ip(), host) {
            (Some(ip), _) => SocketAddr::new(ip, port),
            (None, Some(name)) => tokio::net::lookup_host((name.as_str(), port))
                .await
                .map_err(|error| unreadable(&error))?
                .next()
                .ok_or_else(|| unreadable(&"its name has no address"))?,
            (None, None) => return Err(unreadable(&"it names no host")),
        };
        Ok(match transport {
            Transport::Udp => TurnServer::udp(address),
            Transport::Tcp => TurnServer::tcp(address),
            Transport::Tls => TurnServer::tls(address, host),
            Transport::Dtls => TurnServer::dtls(address, host),
        })
    }

    /// Whom to trust over TLS.
    pub(super) fn trusted(&self) -> Result<ClientTls, String> {
        let file = self.ca.as_ref().ok_or("over TLS and DTLS, --ca FILE says whom to trust")?;
        let pem = fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        ClientTls::from_pem(&pem).map_err(|error| format!("{} cannot be used: {error}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn options(more: &[&str]) -> Options {
        let line = ["turn-load", "turn:192.0.2.1", "--user", "a:b"];
        Line::try_parse_from(line.iter().chain(more)).unwrap_or_else(|error| panic!("{error}")).options
    }

    #[test]
    fn clients_are_shared_out_in_pairs() {
        for (clients, threads, expected) in
            [("10", 2, vec![4, 6]), ("7", 2, vec![2, 5]), ("1", 1, vec![1]), ("6", 3, vec![2, 2, 2])]
        {
            let options = options(&["--clients", clients]);
            assert_eq!(options.shares(threads), expected, "{clients} over {threads}");
        }
        assert_eq!(options(&["--clients", "3", "--threads", "16"]).threads(), 2);
    }

    #[test]
    fn what_cannot_be_says_so() {
        for (more, part) in [
            (["--clients", "0"], "--clients"),
            (["--size", "23"], "--size"),
            (["--size", "1401"], "--size"),
            (["--rate", "0"], "--rate"),
            (["--rate", "NaN"], "--rate"),
            (["--duration", "0"], "--duration"),
        ] {
            let why = options(&more).check().unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        assert!(options(&["--clients", "3", "-y"]).check().unwrap_err().contains("pairs"));
        assert_eq!(options(&[]).check(), Ok(()));
    }

    #[tokio::test]
    async fn the_uri_says_over_what() {
        for (uri, said) in [
            ("turn:192.0.2.1", "udp 192.0.2.1:3478"),
            ("turn:192.0.2.1:99?transport=tcp", "tcp 192.0.2.1:99"),
            ("turns:192.0.2.1", "tls 192.0.2.1:5349"),
            ("turns:[2001:db8::1]?transport=udp", "dtls [2001:db8::1]:5349"),
        ] {
            let options = Options { server: uri.to_string(), ..options(&[]) };
            assert_eq!(options.server().await.map(|server| server.to_string()), Ok(said.to_string()));
        }
        let stun = Options { server: "stun:192.0.2.1".to_string(), ..options(&[]) };
        assert!(stun.server().await.unwrap_err().contains("turn:"));
    }
}
