//! A machine over the real sockets of a namespace, under the tokio driver.

use std::{fmt::Debug, time::Duration};

use ginnel_core::{Epoch, Instant, Machine, Receive, Transmit};
use ginnel_tokio::{App, Config, driver_with};
use tokio::sync::Notify;

use crate::Namespace;

/// What a machine said until it was closed.
#[derive(Debug)]
pub struct Heard<M: Machine> {
    /// The machine, to look at.
    pub machine: M,
    /// Its events.
    pub events: Vec<M::Event>,
    /// What it handed up, each with its octets.
    pub data: Vec<(M::Data, Vec<u8>)>,
}

/// Runs a machine until it is closed.
///
/// # Panics
/// If it is not closed within `limit`.
pub fn drive<M>(namespace: &Namespace, limit: Duration, config: Config, machine: M) -> Heard<M>
where
    M: Machine + Send,
    M::Event: Send + Debug,
    M::Data: Send,
{
    namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a tokio runtime").block_on(async {
            let mut driver = driver_with(config, Epoch::start(), machine);
            let mut ears = Ears { events: Vec::new(), data: Vec::new() };
            let ended = tokio::time::timeout(limit, driver.run(&mut ears)).await.is_ok();
            assert!(ended, "the machine is not closed after {limit:?}; it said {:#?}", ears.events);
            let Ears { events, data } = ears;
            Heard { machine: driver.into_machine(), events, data }
        })
    })
}

/// Runs a machine until one of its events is the one that `said` waits for, and leaves its sockets open and unread while
/// `meanwhile` lasts.
///
/// # Panics
/// If it does not say that within `limit`.
pub fn drive_until<M>(
    namespace: &Namespace,
    limit: Duration,
    config: Config,
    machine: M,
    said: impl Fn(&M::Event) -> bool + Send,
    meanwhile: impl FnOnce(&M) + Send,
) where
    M: Machine + Send,
    M::Event: Send + Debug,
{
    namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a tokio runtime").block_on(async {
            let mut driver = driver_with(config, Epoch::start(), machine);
            let heard = Notify::new();
            let mut ear = Ear { said, heard: &heard };
            tokio::select! {
                () = driver.run(&mut ear) => panic!("it is closed before it has said that"),
                () = heard.notified() => {}
                () = tokio::time::sleep(limit) => panic!("it has not said that after {limit:?}"),
            }
            meanwhile(driver.machine());
        });
    });
}

struct Ear<'a, S> {
    said: S,
    heard: &'a Notify,
}

impl<M: Machine, S: Fn(&M::Event) -> bool> App<M> for Ear<'_, S> {
    fn event(&mut self, _: Instant, _: &mut M, event: M::Event) {
        if (self.said)(&event) {
            self.heard.notify_one();
        }
    }
}

struct Ears<M: Machine> {
    events: Vec<M::Event>,
    data: Vec<(M::Data, Vec<u8>)>,
}

impl<M: Machine> App<M> for Ears<M> {
    fn event(&mut self, _: Instant, _: &mut M, event: M::Event) {
        self.events.push(event);
    }
    fn data(&mut self, _: Instant, _: &mut M, data: M::Data, input: &mut Receive<'_>) -> Option<Transmit> {
        self.data.push((data, input.packet.bytes().to_vec()));
        None
    }
}
