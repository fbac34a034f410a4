//! The shards: a driver for each, that commands are given to from outside.

use std::{collections::BTreeMap, time::Duration};

use ginnel::{
    core::{Epoch, Framing, Port, Transport},
    driver::{self, Config, Driver, ServerTls},
    tokio::Tokio,
    turn::server::Server,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    app::{Report, ShardApp},
    config::Settings,
    machine::{self, Common},
    privacy::Privacy,
    sockets::Reserved,
};

/// A driver of a shard.
pub(super) type ShardDriver = Driver<Tokio, Server>;
type Command = Box<dyn FnOnce(&mut ShardDriver) + Send>;

/// All shards. Dropping it ends them without a word to anyone.
#[derive(Debug)]
pub(super) struct Fleet {
    shards: Vec<mpsc::UnboundedSender<Command>>,
    pub(super) epoch: Epoch,
}

/// What starting a fleet takes.
pub(super) struct Start<'s> {
    pub(super) settings: &'s Settings,
    pub(super) common: &'s Common,
    pub(super) reserved: &'s Reserved,
    pub(super) tls: Option<ServerTls>,
    pub(super) privacy: &'s Privacy,
    pub(super) reports: mpsc::UnboundedSender<Report>,
}

impl Fleet {
    /// Opens all sockets, in every shard.
    pub(super) fn start(start: &Start<'_>) -> Result<Self, String> {
        let epoch = Epoch::start();
        let mut shards = Vec::new();
        for shard in 0..usize::from(start.common.shards) {
            let (commands, orders) = mpsc::unbounded_channel();
            let machine = start.machine(shard)?;
            let (config, reserved) =
                (start.driver_config(), (&start.reserved.plan, &start.reserved.alternates));
            let sockets: Vec<_> =
                reserved.0.listeners().chain(reserved.1.iter().map(|at| (Transport::Udp, *at))).collect();
            let app = ShardApp {
                shard,
                privacy: start.privacy.clone(),
                reports: start.reports.clone(),
                since: BTreeMap::new(),
            };
            let (opened, outcome) = std::sync::mpsc::channel();
            let thread = std::thread::Builder::new().name(format!("shard-{shard}"));
            let run = move || run(app, machine, config, epoch, &sockets, orders, &opened);
            thread.spawn(run).map_err(|error| format!("a shard cannot be started: {error}"))?;
            outcome.recv().map_err(|_| "a shard ended at once".to_string())??;
            shards.push(commands);
        }
        Ok(Self { shards, epoch })
    }

    pub(super) fn len(&self) -> usize {
        self.shards.len()
    }

    /// Gives each shard a command.
    pub(super) fn tell(&self, command: impl FnOnce(&mut ShardDriver, u8) + Clone + Send + 'static) {
        for (shard, commands) in (0..).zip(&self.shards) {
            let command = command.clone();
            let _ = commands.send(Box::new(move |driver| command(driver, shard)));
        }
    }

    /// Asks each shard. Those that have ended say nothing.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut ShardDriver) -> T + Clone + Send + 'static,
    ) -> Vec<T> {
        let mut answers = Vec::new();
        for commands in &self.shards {
            let (reply, answer) = oneshot::channel();
            let question = question.clone();
            let asked =
                commands.send(Box::new(move |driver: &mut ShardDriver| drop(reply.send(question(driver)))));
            answers.push(asked.map(|()| answer));
        }
        let mut said = Vec::new();
        for answer in answers.into_iter().flatten() {
            said.extend(answer.await);
        }
        said
    }
}

impl Start<'_> {
    fn machine(&self, shard: usize) -> Result<Server, String> {
        let index = u8::try_from(shard).map_err(|_| "there are too many shards".to_string())?;
        let mut server = Server::new(self.common.config(self.settings, index)?, crate::host::seed()?);
        for it in &self.settings.users {
            if let Some(user) = machine::user(self.settings, it) {
                server.add_user(user).map_err(|error| error.to_string())?;
            }
        }
        Ok(server)
    }

    fn driver_config(&self) -> Config {
        let limits = driver::Limits::default()
            .with_accepted(self.settings.max_streams as usize, self.settings.max_streams_per_source as usize)
            .with_idle(self.settings.stream_idle);
        let config = Config::default().with_limits(limits);
        match &self.tls {
            Some(tls) => config.with_server_tls(tls.clone()),
            None => config,
        }
    }
}

/// A shard from its first socket to its last word.
fn run(
    mut app: ShardApp,
    machine: Server,
    config: Config,
    epoch: Epoch,
    sockets: &[(Transport, std::net::SocketAddr)],
    mut orders: mpsc::UnboundedReceiver<Command>,
    opened: &std::sync::mpsc::Sender<Result<(), String>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = opened.send(Err(format!("the async runtime does not start: {error}")));
            return;
        }
    };
    runtime.block_on(async {
        let mut driver = Driver::with_config(config, Tokio, epoch, machine);
        let outcome = sockets.iter().try_for_each(|(transport, at)| open(&mut driver, *transport, *at));
        let failed = outcome.is_err();
        let _ = opened.send(outcome);
        if failed {
            return;
        }
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => match order {
                    Some(order) => order(&mut driver),
                    None => return,
                },
                () = driver.run(&mut app) => break,
            }
        }
        let _ = app.reports.send(Report::Ended(app.shard));
    });
    runtime.shutdown_timeout(Duration::ZERO);
}

fn open(driver: &mut ShardDriver, transport: Transport, at: std::net::SocketAddr) -> Result<(), String> {
    let port = Port::Exact(at.port());
    let opened = match transport {
        Transport::Udp | Transport::Dtls => driver.bind_shared(at.ip(), port),
        _ => driver.listen_shared(transport, at.ip(), port, Framing::Stun),
    };
    opened.map(drop).map_err(|refused| format!("cannot listen on {at} over {transport}: {refused}"))
}
