//! One thread of the load: a fleet, and the driver under it.

use std::{sync::Arc, thread};

use ginnel::{
    core::{Epoch, Instant, Machine, Seed},
    driver::{App, Config, Driver, Limits},
    tokio::Tokio,
    turn::client::ClientConfig,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
};

use super::{
    fleet::{Fleet, Task},
    progress::Counters,
    report::Tally,
};

/// What everybody does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Allocate,
    Send,
    /// What is on its way still comes.
    Wait,
    Close,
    /// Whoever has not closed by now does not any more.
    End,
}

/// A worker that runs.
pub(super) struct Worker {
    pub(super) counters: Arc<Counters>,
    thread: thread::JoinHandle<Tally>,
}

/// The runtime of one thread.
pub(super) fn runtime() -> Result<Runtime, String> {
    let built = Builder::new_current_thread().enable_all().build();
    built.map_err(|error| format!("the async runtime does not start: {error}"))
}

/// What a worker is made of.
pub(super) struct Orders {
    pub(super) task: Task,
    pub(super) client: ClientConfig,
    pub(super) driver: Config,
    pub(super) seed: Seed,
    pub(super) epoch: Epoch,
    pub(super) phase: watch::Receiver<Phase>,
}

impl Worker {
    pub(super) fn start(orders: Orders) -> Result<Self, String> {
        let counters = Arc::<Counters>::default();
        let shared = Arc::clone(&counters);
        let runtime = runtime()?;
        let thread = thread::Builder::new()
            .name("load".to_string())
            .spawn(move || runtime.block_on(work(orders, shared)))
            .map_err(|error| format!("no thread can be started: {error}"))?;
        Ok(Self { counters, thread })
    }

    /// What it has counted, once it has ended.
    pub(super) fn join(self) -> Result<Tally, String> {
        self.thread
            .join()
            .map_err(|_| "a thread of the load has died: that is a bug of this program".to_string())
    }
}

struct Nothing;

impl<M: Machine> App<M> for Nothing {
    fn event(&mut self, _now: Instant, _machine: &mut M, _event: M::Event) {}
}

async fn work(orders: Orders, counters: Arc<Counters>) -> Tally {
    let Orders { task, client, driver, seed, epoch, mut phase } = orders;
    let connected = Limits::default().with_connected(task.clients, Limits::default().connect);
    let fleet = Fleet::new(epoch.now(), task, client, seed, counters);
    let mut driver = Driver::with_config(driver.with_limits(connected), Tokio, epoch, fleet);
    let mut app = Nothing;
    loop {
        tokio::select! {
            () = driver.run(&mut app) => break,
            changed = phase.changed() => {
                let now = if changed.is_ok() { *phase.borrow_and_update() } else { Phase::End };
                match now {
                    Phase::Allocate => {}
                    Phase::Send => driver.with(Fleet::start),
                    Phase::Wait => driver.with(Fleet::stop),
                    Phase::Close => driver.with(Fleet::close),
                    Phase::End => break,
                }
            }
        }
    }
    driver.into_machine().into_tally()
}
