//! `ginnel turn-load`: puts a TURN server under load, in the manner of coturn's `turnutils_uclient`, and tells what came of it.
//!
//! Every client is an ordinary TURN client of this project. A thread drives as many as there are for it in one fleet, with one
//! timer for all of their packets; the echo that they talk to has a thread of its own. What a packet says of itself is in
//! `stamp`; clocks are not compared between hosts, since both ends of its way are in this process.

mod cpu;
mod echo;
mod fleet;
mod histogram;
mod options;
mod progress;
mod report;
mod stamp;
mod worker;

use std::{
    io::IsTerminal as _,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel::{
    core::{Epoch, Transport},
    driver::Config,
    turn::client::ClientConfig,
};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

pub(crate) use self::options::Options;
use self::{
    fleet::Task,
    options::Mode,
    progress::{Bar, Sums},
    report::{Asked, Report, Tally},
    worker::{Orders, Phase, Worker},
};
use crate::host;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);
/// How long packets that are on their way are waited for.
const STRAGGLERS: Duration = Duration::from_millis(500);
/// How long clients may take to give their allocations back.
const GOODBYE: Duration = Duration::from_secs(3);

/// Runs the load and prints the report.
pub(crate) async fn run(options: Options) -> Result<(), String> {
    options.check()?;
    raise_open_files(options.clients as u64 + 256);
    let server = options.server().await?;
    let local = route_to(server.address)?;
    let peer = match (options.client_to_client, options.peer) {
        (true, _) => None,
        (false, Some(peer)) => Some(peer),
        (false, None) => Some(echo::start(options.peer_address.unwrap_or(local))?),
    };
    let client = ClientConfig::new(server, options.credential()?).with_recover(options.recover());
    let from = if options.from.is_empty() { vec![local] } else { options.from.clone() };
    let asked = Asked {
        server: options.server.clone(),
        transport: server.transport.to_string(),
        mode: options.mode.to_string(),
        between_clients: options.client_to_client,
        octets: options.size,
    };
    let load = Load::start(&options, client, from, peer)?;
    let run = load.run(&options).await?;
    let tally = &run.tally;
    let report = Report::new(asked, tally, run.lasted, run.server_cpu);
    if options.json {
        let json =
            serde_json::to_string(&report).map_err(|error| format!("no report can be written: {error}"))?;
        println!("{json}");
    } else {
        println!("{report}");
    }
    verdict(tally)
}

/// Whether the server has relayed anything at all.
fn verdict(tally: &Tally) -> Result<(), String> {
    match (tally.allocated, tally.sent, tally.received) {
        (0, ..) => Err("no client got an allocation; the report says why".to_string()),
        (_, 0, _) => Err("nothing could be sent; the report says why".to_string()),
        (.., 0) => {
            Err("nothing came back: does the server relay to the peer, and does the peer answer?".to_string())
        }
        _ => Ok(()),
    }
}

/// Which of this host's addresses leads to the server: asks the system, and sends nothing.
fn route_to(server: SocketAddr) -> Result<IpAddr, String> {
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let found = std::net::UdpSocket::bind(any).and_then(|probe| {
        probe.connect(server)?;
        probe.local_addr()
    });
    found.map(|local| local.ip()).map_err(|error| format!("there is no way to {server}: {error}"))
}

/// As many sockets as are needed, if the system allows it: if not, the driver's refusals are in the report.
fn raise_open_files(wanted: u64) {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
        // Who may raise the hard limit does so; everybody else has as many as it allows.
        if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).is_err() {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
        }
    }
    #[cfg(not(unix))]
    let _ = wanted;
}

/// What came of the load.
struct Run {
    tally: Tally,
    /// For how long packets were sent.
    lasted: Duration,
    /// What the server spent from the first packet to the last.
    server_cpu: Option<Duration>,
}

/// The threads that are the load.
struct Load {
    workers: Vec<Worker>,
    phase: watch::Sender<Phase>,
    clients: u64,
}

impl Load {
    fn start(
        options: &Options,
        client: ClientConfig,
        from: Vec<IpAddr>,
        peer: Option<SocketAddr>,
    ) -> Result<Self, String> {
        let (phase, watching) = watch::channel(Phase::Allocate);
        let seed = host::seed()?;
        let epoch = Epoch::start();
        let threads = options.threads();
        let run = seed.fork("run").into_rng().next_u32();
        let mut first = 0;
        let mut workers = Vec::new();
        for (number, clients) in options.shares(threads).into_iter().enumerate() {
            let task = Task {
                run,
                first,
                clients,
                from: from.clone(),
                rate: options.rate,
                burst: options.burst,
                octets: options.size,
                channels: options.mode == Mode::Channel,
                peer,
                at_once: (options.at_once / threads).max(2),
            };
            first += clients as u32;
            workers.push(Worker::start(Orders {
                task,
                client: client.clone(),
                driver: driver_config(options, client.server.transport)?,
                seed: seed.fork(&format!("worker {number}")),
                epoch,
                phase: watching.clone(),
            })?);
        }
        Ok(Self { workers, phase, clients: options.clients as u64 })
    }

    fn sums(&self) -> Sums {
        Sums::of(self.workers.iter().map(|worker| &*worker.counters))
    }

    /// From the first allocation to the last goodbye.
    async fn run(self, options: &Options) -> Result<Run, String> {
        let mut bar = Bar::new(!options.quiet && std::io::stderr().is_terminal());
        self.allocate(&bar, options.setup()).await;
        let spent = || options.server_pid.map(cpu::spent).transpose();
        let before = spent()?;
        let started = Instant::now();
        self.tell(Phase::Send);
        self.send(&mut bar, started, options.duration()).await;
        self.tell(Phase::Wait);
        let lasted = started.elapsed();
        sleep_until(Instant::now() + STRAGGLERS).await;
        let server_cpu = spent()?.zip(before).map(|(after, before)| after.saturating_sub(before));
        bar.done();
        self.tell(Phase::Close);
        let tally = self.gather().await?;
        Ok(Run { tally, lasted, server_cpu })
    }

    fn tell(&self, phase: Phase) {
        // Workers that have died are found when they are joined.
        let _ = self.phase.send(phase);
    }

    async fn allocate(&self, bar: &Bar, patience: Duration) {
        let until = Instant::now() + patience;
        let mut ticks = ticks();
        loop {
            let sums = self.sums();
            bar.allocating(sums, self.clients);
            if sums.settled >= self.clients || Instant::now() >= until {
                return;
            }
            ticks.tick().await;
        }
    }

    async fn send(&self, bar: &mut Bar, started: Instant, duration: Duration) {
        let mut ticks = ticks();
        ticks.tick().await;
        while started.elapsed() < duration {
            tokio::select! {
                _ = ticks.tick() => bar.running(self.sums(), started.elapsed(), duration, TICK),
                () = sleep_until(started + duration) => return,
            }
        }
    }

    async fn gather(self) -> Result<Tally, String> {
        let Self { workers, phase, .. } = self;
        let end = tokio::spawn(async move {
            sleep_until(Instant::now() + GOODBYE).await;
            let _ = phase.send(Phase::End);
        });
        let joined = tokio::task::spawn_blocking(move || {
            let mut all = Tally::default();
            for worker in workers {
                all.merge(&worker.join()?);
            }
            Ok(all)
        });
        let tally = joined.await.map_err(|error| format!("the threads of the load are lost: {error}"))?;
        end.abort();
        tally
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn driver_config(options: &Options, transport: Transport) -> Result<Config, String> {
    let config = Config::default();
    match transport {
        Transport::Udp | Transport::Tcp => Ok(config),
        Transport::Tls | Transport::Dtls => Ok(config.with_client_tls(options.trusted()?)),
    }
}
