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
        identity::{self, Watch},
        keys::{KEYS, Reload},
    },
    course::{Course, Step},
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
pub(super) fn run(
    sources: Sources,
    settings: Settings,
    tls: Option<ServerTls>,
    watch: Option<Watch>,
) -> Result<(), String> {
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
        let mut control = Control::start(sources, settings, tls, watch, filter).await?;
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
    /// Of the certificate's files.
    watch: Option<Watch>,
    filter: Filter,
    reports: mpsc::UnboundedReceiver<Report>,
    signals: Signals,
}

impl Control {
    async fn start(
        sources: Sources,
        settings: Settings,
        tls: Option<ServerTls>,
        watch: Option<Watch>,
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
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shards = settings.shard_count(cores);
        say_of_shards(&settings, shards, cores);
        let common = Common::new(reserved.opened(), &host, shards, nonce_key);
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
        Ok(Self { sources, settings, common, health, tls, watch, filter, reports, signals })
    }

    /// Until the end.
    async fn run(&mut self) -> Result<(), String> {
        let mut course = Course::new(self.health.fleet.len());
        let mut until = None;
        let mut tick = tokio::time::interval(TICK);
        loop {
            let step = tokio::select! {
                signal = self.signals.next() => match signal {
                    Signal::End => course.asked_to_end(),
                    Signal::Reload => self.reload(),
                },
                Some(report) = self.reports.recv() => {
                    if course.is_lost(report) {
                        error!(?report, "a shard has ended by itself, and its clients' relays with it");
                    }
                    course.reported(report)
                }
                _ = tick.tick() => self.look(),
                () = wait(until) => course.late(),
            };
            match step {
                Step::Nothing => {}
                Step::Drain => until = Some(self.drain()),
                Step::Close => until = Some(self.close()),
                Step::End => {
                    info!("ended");
                    return course.outcome();
                }
                Step::EndAtOnce => return Err("ended at once, at a second signal".to_string()),
                Step::GiveUp => {
                    return course.outcome().and(Err("some streams did not end in time".to_string()));
                }
            }
        }
    }

    /// Takes no more allocations, and waits for those that there are: no longer than until then, since shards end what is left
    /// after the time that they are given.
    fn drain(&self) -> Instant {
        let seconds = self.settings.drain_time.as_secs();
        info!(seconds, "draining: no new allocations; a second signal ends at once");
        notify("STOPPING=1");
        self.health.drain();
        say("draining\n");
        let (time, alternates) = (self.settings.drain_time, self.settings.alternates.clone());
        self.health.fleet.tell(move |driver, _| {
            driver.with(|server, now| server.drain(now, now + time, &alternates));
        });
        Instant::now() + time + CLOSING
    }

    /// Says goodbye to what streams are left, until then.
    fn close(&self) -> Instant {
        info!("closing");
        self.health.drain();
        self.health.fleet.tell(|driver, _| driver.with(|server, now| server.close(now)));
        Instant::now() + CLOSING
    }

    /// SIGHUP: the file and the certificate again, all of it or nothing.
    fn reload(&mut self) -> Step {
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
        Step::Nothing
    }

    fn reread(&mut self) -> Result<(), String> {
        let sources = self.sources.reread()?;
        let settings = sources.resolve().map_err(|mistakes| mistakes.to_string())?;
        let changed = settings.with_what_stays(&self.settings);
        let watch = changed.identity.as_ref().map(Watch::new);
        let identity = changed.read_identity()?;
        let configs = self.configs(&changed)?;
        for key in
            KEYS.iter().filter(|key| key.reload == Reload::Restart && sources.differ(&self.sources, key))
        {
            warn!("`{}` has changed: that takes effect when the program is started again", key.name);
        }
        if let (Some(tls), Some(new)) = (&self.tls, identity) {
            renew(tls, &new);
            self.watch = watch;
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
    fn look(&mut self) -> Step {
        set_clocks(&self.health.fleet);
        self.look_at_host();
        let settings = &self.settings;
        let files = settings.identity.as_ref();
        let found = self
            .watch
            .as_mut()
            .zip(files)
            .and_then(|(watch, files)| watch.look(files, || settings.read_identity()));
        match (found, &self.tls) {
            (Some(Ok(Some(new))), Some(tls)) => {
                renew(tls, &new);
                info!("the certificate has been renewed");
                say("certificate renewed\n");
            }
            (Some(Err(sentence)), _) => error!("{sentence}; the old certificate stays"),
            _ => {}
        }
        Step::Nothing
    }
}

fn renew(tls: &ServerTls, new: &ServerTls) {
    tls.replace(new);
    if identity::is_past(new) {
        warn!("{}", identity::PAST);
    }
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

/// Whose part of the ports is small.
fn say_of_shards(settings: &Settings, shards: u8, cores: usize) {
    let (from, to) = (settings.ports.start(), settings.ports.end());
    match settings.shards {
        None if usize::from(shards) < cores => {
            info!(
                shards,
                cores, "ports {from}-{to} are few: so are the shards, each of which has a part of them"
            );
        }
        Some(_) if shards > 1 && usize::from(shards) > settings.shards_with_room() && !settings.stun_only => {
            warn!(
                shards,
                "ports {from}-{to} are few for so many shards: each has a part of them, and refuses clients when that is full, though others have free ports; give a wider range by --ports, or fewer by --shards"
            );
        }
        _ => {}
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::config::{Given, Layer, Place, keys::Key};

    fn sources(given: &[(&'static str, &str)]) -> Sources {
        let mut flags = Layer::default();
        for (name, value) in given {
            flags.set(Key::named(name).unwrap(), vec![Given::new(*value, Place::Flag(name.to_string()))]);
        }
        Sources { flags, ..Sources::default() }
    }

    /// Whoever starts it again can do so at once.
    #[tokio::test]
    async fn a_shard_that_panics_ends_the_program_with_an_error() {
        let sources =
            sources(&[("user", "a:b"), ("listen", "127.0.0.1:0"), ("shards", "2"), ("drain-time", "1d")]);
        let settings = sources.resolve().unwrap();
        let filter = Filter::install(&settings);
        let mut control = Control::start(sources, settings, None, None, filter).await.unwrap();
        control.health.fleet.tell(|_, shard| assert_ne!(shard, 1, "a fault of the program"));
        let outcome = tokio::time::timeout(Duration::from_secs(60), control.run()).await.expect("it ends");
        assert!(outcome.unwrap_err().contains("shard 1 has ended by itself"));
        assert!(control.health.is_draining(), "nobody is sent here any more");
    }
}
