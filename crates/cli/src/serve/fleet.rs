//! The shards: a thread, a driver and a machine for each, that commands are given to from outside.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ginnel::{
    core::{Epoch, Framing, Port, Refused, Transport},
    driver::{self, Config, Driver, ServerTls},
    tokio::{
        Tokio,
        shards::{Handle, NotTold, PostStats, Shards},
    },
    turn::server::{Server, Shared},
};
use tokio::sync::mpsc;
use tracing::error;

use super::{
    app::{Report, ShardApp},
    config::Settings,
    machine::{self, Common},
    privacy::Privacy,
    sockets::Opened,
};

/// How long a shard may have hundreds of commands to obey: one that hangs must not keep the program from hearing signals.
const BUSY: Duration = Duration::from_secs(2);

/// A driver of a shard.
pub(super) type ShardDriver = Driver<Tokio, Server>;

/// All shards.
#[derive(Debug)]
pub(super) struct Fleet {
    handles: Vec<Handle<Server>>,
    pub(super) posts: Vec<Arc<PostStats>>,
    pub(super) epoch: Epoch,
}

/// What starting a fleet takes.
pub(super) struct Start {
    pub(super) settings: Settings,
    pub(super) common: Common,
    /// What carries it, and where.
    pub(super) sockets: Vec<(Transport, SocketAddr)>,
    pub(super) tls: Option<ServerTls>,
    pub(super) privacy: Privacy,
    pub(super) reports: mpsc::UnboundedSender<Report>,
}

/// Why a shard does not start.
#[derive(Debug)]
struct NotStarted(String);

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        Self(format!("a shard cannot be started: {error}"))
    }
}
impl From<String> for NotStarted {
    fn from(sentence: String) -> Self {
        Self(sentence)
    }
}

impl Fleet {
    /// Opens all sockets, in every shard.
    pub(super) fn start(start: Start) -> Result<Self, String> {
        let epoch = Epoch::start();
        let count = usize::from(start.common.shards);
        let config = start.common.config(&start.settings, 0)?;
        let shared = Shared::several(&config, &crate::host::seed()?, count);
        let shared: Mutex<Vec<_>> = Mutex::new(shared.into_iter().map(Some).collect());
        let make = move |shard: usize| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let shared = shared.get_mut(shard).and_then(Option::take);
            start.shard(epoch, shard, shared.ok_or_else(|| "there are too many shards".to_string())?)
        };
        let shards: Shards<Server> =
            ginnel::tokio::shards::start(count, make).map_err(|NotStarted(sentence)| sentence)?;
        Ok(Self { handles: shards.handles().to_vec(), posts: shards.posts().to_vec(), epoch })
    }

    pub(super) fn len(&self) -> usize {
        self.handles.len()
    }

    /// Gives each shard a command. Those that have ended do not mind.
    pub(super) fn tell(&self, command: impl FnOnce(&mut ShardDriver, u8) + Clone + Send + 'static) {
        for (shard, handle) in (0..).zip(&self.handles) {
            let until = std::time::Instant::now() + BUSY;
            let tell = || {
                let command = command.clone();
                handle.tell(move |driver| command(driver, shard))
            };
            while tell() == Err(NotTold::Busy) {
                if std::time::Instant::now() >= until {
                    error!(shard, "a shard does nothing that it is told");
                    break;
                }
                // It has hundreds to obey, which takes it less than it takes to say so.
                std::thread::yield_now();
            }
        }
    }

    /// Asks each shard. Those that have ended, or have too much to do, say nothing.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut ShardDriver) -> T + Clone + Send + 'static,
    ) -> Vec<T> {
        let asked: Vec<_> = self.handles.iter().map(|handle| handle.ask(question.clone())).collect();
        let mut said = Vec::new();
        for answer in asked.into_iter().flatten() {
            said.extend(answer.await);
        }
        said
    }
}

impl Start {
    /// The sockets of the listeners, those of NAT behaviour discovery among them.
    pub(super) fn sockets(opened: &Opened) -> Vec<(Transport, SocketAddr)> {
        let alternates = opened.alternates.iter().map(|at| (Transport::Udp, *at));
        opened.plan.listeners().chain(alternates).collect()
    }

    /// One of them, in its own thread.
    fn shard(
        &self,
        epoch: Epoch,
        shard: usize,
        shared: Shared,
    ) -> Result<(ShardDriver, ShardApp), NotStarted> {
        let index = u8::try_from(shard).map_err(|_| "there are too many shards".to_string())?;
        let config = self.common.config(&self.settings, index)?;
        let mut server = Server::with_shared(config, shared, crate::host::seed()?);
        for it in &self.settings.users {
            if let Some(user) = machine::user(&self.settings, it) {
                server.add_user(user).map_err(|error| error.to_string())?;
            }
        }
        let mut driver = Driver::with_config(self.driver_config(), Tokio, epoch, server);
        for (transport, at) in &self.sockets {
            open(&mut driver, *transport, *at)?;
        }
        let (privacy, reports) = (self.privacy.clone(), self.reports.clone());
        Ok((driver, ShardApp { shard, privacy, reports, since: BTreeMap::new() }))
    }

    fn driver_config(&self) -> Config {
        let settings = &self.settings;
        // Handshakes are what strangers may cost: few of the streams, and half of those of one source, who may come at once.
        let usual = driver::Limits::default();
        let handshakes = settings.max_streams as usize / 32;
        let from_one = settings.max_streams_per_source as usize / 2;
        let limits = usual
            .with_accepted(settings.max_streams as usize, settings.max_streams_per_source as usize)
            .with_handshakes(handshakes.max(usual.handshakes), usual.handshake)
            .with_handshakes_from_one(from_one.max(usual.handshakes_from_one))
            // RFC 6062 section 5.2: at least 30 seconds for a peer of a TCP relay.
            .with_connected(settings.max_streams as usize, Duration::from_secs(30))
            .with_idle(settings.stream_idle);
        let config = Config::default().with_limits(limits);
        match &self.tls {
            Some(tls) => config.with_server_tls(tls.clone()),
            None => config,
        }
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("sockets", &self.sockets).finish_non_exhaustive()
    }
}

fn open(driver: &mut ShardDriver, transport: Transport, at: SocketAddr) -> Result<(), String> {
    let port = Port::Exact(at.port());
    let opened = match transport {
        Transport::Udp => driver.bind_shared(at.ip(), port),
        // DTLS comes in datagrams, which have no framing.
        _ => driver.listen_shared(transport, at.ip(), port, Framing::Stun),
    };
    let hint = match (transport, opened) {
        (Transport::Dtls, Err(Refused::Unsupported)) => {
            "; DTLS takes certificates with ECDSA keys alone (P-256, P-384)"
        }
        _ => "",
    };
    opened.map(drop).map_err(|refused| format!("cannot listen on {at} over {transport}: {refused}{hint}"))
}
