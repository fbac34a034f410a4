//! The process around the shards: what is opened when it starts, what signals do to it, how it ends.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ginnel::{
    core::Transport, driver::ServerTls, stun::auth::NonceKey, tokio::shards, turn::server::ServerConfig,
};
use tokio::{net::TcpListener, sync::mpsc, time::Instant};
use tracing::{error, info, warn};

use super::{
    app::Report,
    config::{
        Settings, Sources,
        identity::{self, IdentityFiles},
        keys::{KEYS, Reload},
    },
    fleet::{Fleet, Start},
    host,
    http::{self, Bounded, Health},
    logs::Filter,
    machine::{self, Common, UserChanges},
    notify::notify,
    plan::{Plan, is_private},
    privacy::Privacy,
    say,
    sockets::{Opened, Reserved},
};

/// How often the clock and the files of the certificate are looked at.
const TICK: Duration = Duration::from_secs(5);
/// How long the last words of all streams may take, once the last allocation is gone.
const CLOSING: Duration = Duration::from_secs(5);

/// Runs until it is ended by signals.
pub(super) fn run(sources: Sources, settings: Settings, tls: Option<ServerTls>) -> Result<(), String> {
    let filter = Filter::install(&settings);
    match shards::raise_file_limit() {
        Ok(files) => info!(files, "so many files may be open: each relay is one, and each stream"),
        Err(error) => {
            warn!(%error, "the limit of open files cannot be raised: each relay is one, and each stream")
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the async runtime does not start: {error}"))?;
    let outcome = runtime.block_on(async {
        let mut control = Control::start(sources, settings, tls, filter).await?;
        control.run().await
    });
    // A scrape that nobody reads must not keep the program.
    runtime.shutdown_background();
    outcome
}

/// The whole server.
struct Control {
    sources: Sources,
    settings: Settings,
    common: Common,
    health: Arc<Health>,
    tls: Option<ServerTls>,
    seen: Option<[Option<SystemTime>; 2]>,
    filter: Filter,
    reports: mpsc::UnboundedReceiver<Report>,
    signals: Signals,
}

/// How far the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Until all shards have said that their last allocation is gone.
    Draining {
        left: usize,
    },
    /// Until all shards have ended, and no longer than this.
    Closing {
        left: usize,
        until: Instant,
    },
}

impl Control {
    async fn start(
        sources: Sources,
        settings: Settings,
        tls: Option<ServerTls>,
        filter: Filter,
    ) -> Result<Self, String> {
        // Before anything is opened: a signal that comes early is not lost.
        let signals = Signals::listen()?;
        let host = host::look()?;
        let plan = Plan::new(&settings, &host)?;
        for ip in &host.unfit {
            warn!(%ip, "this address of the host cannot be bound: nothing listens there");
        }
        let reserved = Reserved::take(&plan)?;
        for sentence in &reserved.skipped {
            warn!("{sentence}; the other addresses are served without it");
        }
        let metrics = match settings.metrics {
            Some(at) => Some(TcpListener::bind(at).await.map_err(|error| {
                format!("cannot serve metrics on {at}: {error}; choose another with --metrics ADDR")
            })?),
            None => None,
        };
        let nonce_key = NonceKey::from_seed(crate::host::seed()?);
        let common = Common::new(reserved.opened(), &host, shards(&settings), nonce_key);
        let (reporter, reports) = mpsc::unbounded_channel();
        let fleet = Fleet::start(Start {
            settings: settings.clone(),
            common: common.clone(),
            sockets: Start::sockets(reserved.opened()),
            tls: tls.clone(),
            privacy: Privacy::new(settings.log_personal),
            reports: reporter,
        })?;
        set_clocks(&fleet);
        let health = Arc::new(Health::new(fleet));
        let at =
            metrics.as_ref().map(TcpListener::local_addr).transpose().map_err(|error| error.to_string())?;
        if let Some(listener) = metrics {
            let router = http::router(health.clone());
            let listener = Bounded::new(listener);
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        // What holds a port takes datagrams like every other who shares it: nobody may be told of it before it is gone.
        let opened = reserved.release();
        announce(&opened, &settings, at);
        hint(&opened.plan, &settings);
        if let Some(at) = at.filter(|at| !at.ip().is_loopback() && !is_private(at.ip())) {
            warn!(%at, "metrics are served without a password to whoever reaches this address");
        }
        let seen = settings.identity.as_ref().map(IdentityFiles::changed);
        Ok(Self { sources, settings, common, health, tls, seen, filter, reports, signals })
    }

    /// Until the end.
    async fn run(&mut self) -> Result<(), String> {
        let mut phase = Phase::Serving;
        let mut tick = tokio::time::interval(TICK);
        loop {
            let until = match phase {
                Phase::Closing { until, .. } => Some(until),
                _ => None,
            };
            tokio::select! {
                signal = self.signals.next() => match (signal, phase) {
                    (Signal::Reload, _) => self.reload(),
                    (Signal::End, Phase::Serving) => phase = self.drain(),
                    (Signal::End, _) => return Err("ended at once, at a second signal".to_string()),
                },
                Some(report) = self.reports.recv() => phase = self.note(phase, report),
                _ = tick.tick() => self.look(),
                () = wait(until) => return Err("some streams did not end in time".to_string()),
            }
            if let Phase::Closing { left: 0, .. } = phase {
                info!("ended");
                return Ok(());
            }
        }
    }

    fn note(&self, phase: Phase, report: Report) -> Phase {
        match (phase, report) {
            (Phase::Draining { left: 1 }, Report::Drained(_)) => self.close(),
            (Phase::Draining { left }, Report::Drained(_)) => Phase::Draining { left: left - 1 },
            (Phase::Closing { left, until }, Report::Ended(_)) => {
                Phase::Closing { left: left.saturating_sub(1), until }
            }
            (_, Report::Ended(shard)) => {
                error!(shard, "a shard has ended by itself");
                self.close()
            }
            (phase, Report::Drained(_)) => phase,
        }
    }

    /// Takes no more allocations, and waits for those that there are.
    fn drain(&self) -> Phase {
        let seconds = self.settings.drain_time.as_secs();
        info!(seconds, "draining: no new allocations; a second signal ends at once");
        notify("STOPPING=1");
        self.health.drain();
        say("draining\n");
        let (time, alternates) = (self.settings.drain_time, self.settings.alternates.clone());
        self.health.fleet.tell(move |driver, _| {
            driver.with(|server, now| server.drain(now, now + time, &alternates));
        });
        Phase::Draining { left: self.health.fleet.len() }
    }

    /// Says goodbye to what streams are left.
    fn close(&self) -> Phase {
        info!("closing");
        self.health.fleet.tell(|driver, _| driver.with(|server, now| server.close(now)));
        Phase::Closing { left: self.health.fleet.len(), until: Instant::now() + CLOSING }
    }

    /// SIGHUP: the file and the certificate again, all of it or nothing.
    fn reload(&mut self) {
        notify("RELOADING=1");
        match self.reread() {
            Ok(()) => {
                self.health.reloads.fetch_add(1, Ordering::Relaxed);
                info!("reloaded");
                say("reloaded\n");
            }
            Err(sentence) => {
                self.health.reloads_refused.fetch_add(1, Ordering::Relaxed);
                for line in sentence.lines() {
                    error!("{line}");
                }
                error!("nothing is changed: the configuration has mistakes");
                say("reload refused\n");
            }
        }
        notify("READY=1");
    }

    fn reread(&mut self) -> Result<(), String> {
        let sources = self.sources.reread()?;
        let settings = sources.resolve().map_err(|mistakes| mistakes.to_string())?;
        let changed = settings.with_what_stays(&self.settings);
        let seen = changed.identity.as_ref().map(IdentityFiles::changed);
        let identity = changed.read_identity()?;
        let configs = self.configs(&changed)?;
        for key in
            KEYS.iter().filter(|key| key.reload == Reload::Restart && sources.differ(&self.sources, key))
        {
            warn!("`{}` has changed: that takes effect when the program is started again", key.name);
        }
        if let (Some(tls), Some(new)) = (&self.tls, identity) {
            renew(tls, &new);
            self.seen = seen;
        }
        self.filter.set(&changed);
        self.reconfigure(configs, UserChanges::new(&self.settings, &changed));
        (self.sources, self.settings) = (sources, changed);
        Ok(())
    }

    /// Gives each shard its new configuration.
    fn reconfigure(&self, configs: Vec<ServerConfig>, changes: UserChanges) {
        let changes = Arc::new(changes);
        self.health.fleet.tell(move |driver, shard| {
            let Some(config) = configs.get(usize::from(shard)).cloned() else { return };
            driver.with(|server, now| machine::reconfigure(server, now, config, &changes));
        });
    }

    fn configs(&self, settings: &Settings) -> Result<Vec<ServerConfig>, String> {
        (0..self.common.shards).map(|shard| self.common.config(settings, shard)).collect()
    }

    /// Nobody may relay to this host, at whatever address it has by now.
    fn look_at_host(&mut self) {
        // If they cannot be listed just now, those that are known go on being denied.
        let Ok(own) = host::own() else { return };
        if !self.common.note_own(own) {
            return;
        }
        info!("the addresses of this host have changed: none of them is a peer; listeners stay as they are");
        match self.configs(&self.settings) {
            Ok(configs) => self.reconfigure(configs, UserChanges::default()),
            Err(sentence) => error!("{sentence}"),
        }
    }

    /// The clock may have been set, an address have come or gone, and the certificate been renewed.
    fn look(&mut self) {
        set_clocks(&self.health.fleet);
        self.look_at_host();
        let (Some(tls), Some(files)) = (&self.tls, &self.settings.identity) else { return };
        let changed = files.changed();
        if self.seen == Some(changed) {
            return;
        }
        // Half of a renewal may be there: what does not fit together is looked at again when it changes.
        self.seen = Some(changed);
        match self.settings.read_identity() {
            Ok(None) => {}
            Ok(Some(new)) => {
                renew(tls, &new);
                info!("the certificate has been renewed");
                say("certificate renewed\n");
            }
            Err(sentence) => error!("{sentence}; the old certificate stays"),
        }
    }
}

fn renew(tls: &ServerTls, new: &ServerTls) {
    tls.replace(new);
    if identity::is_past(new) {
        warn!("{}", identity::PAST);
    }
}

fn shards(settings: &Settings) -> u8 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let wanted = settings.shards.map_or(cores, |shards| shards as usize);
    u8::try_from(wanted).unwrap_or(u8::MAX)
}

/// Tells every machine the wall clock.
fn set_clocks(fleet: &Fleet) {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = fleet.epoch.now();
    // What the command waits for its turn is no time that the clock has lost.
    fleet.tell(move |driver, _| {
        driver.with(|server, now| server.set_clock(now, since_1970 + now.saturating_since(at)))
    });
}

async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// One line for each thing that is open, for people and for scripts; `ready` is the last.
fn announce(opened: &Opened, settings: &Settings, metrics: Option<SocketAddr>) {
    let mut text = String::new();
    for (transport, at) in opened.plan.listeners() {
        let name = match transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Dtls => "dtls",
        };
        let _ = writeln!(text, "listening {name} {at}");
    }
    for at in &opened.alternates {
        let _ = writeln!(text, "alternate udp {at}");
    }
    for relay in opened.plan.relays.iter().filter(|_| !settings.stun_only) {
        let (from, to) = (settings.ports.start(), settings.ports.end());
        let _ = match relay.external {
            Some(external) => writeln!(text, "relaying {} as {external} ports {from}-{to}", relay.local),
            None => writeln!(text, "relaying {} ports {from}-{to}", relay.local),
        };
    }
    if let Some(at) = metrics {
        let _ = writeln!(text, "metrics http://{at}/metrics");
    }
    text.push_str("ready\n");
    say(&text);
    notify("READY=1");
}

/// What is allowed and rarely meant.
fn hint(plan: &Plan, settings: &Settings) {
    if plan.is_private() && settings.externals.is_empty() && !settings.stun_only {
        info!("relays are at private addresses: if this host is behind a NAT, say --external-address PUBLIC");
    }
    if (settings.tls_listen.is_empty() || settings.dtls_listen.is_empty()) && settings.identity.is_some() {
        let what = if settings.tls_listen.is_empty() { "TLS" } else { "DTLS" };
        info!("there is a certificate, and no listener over {what}");
    }
}

/// What the operator may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// SIGTERM or SIGINT.
    End,
    /// SIGHUP.
    Reload,
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self, String> {
        use tokio::signal::unix::{SignalKind, signal};
        let hear = |kind| signal(kind).map_err(|error| format!("signals cannot be heard: {error}"));
        Ok(Self {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
            hang_up: hear(SignalKind::hangup())?,
        })
    }
    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::End,
            _ = self.interrupt.recv() => Signal::End,
            _ = self.hang_up.recv() => Signal::Reload,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Result<Self, String> {
        Ok(Self)
    }
    async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::End,
            Err(_) => std::future::pending().await,
        }
    }
}
