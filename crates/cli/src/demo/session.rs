//! One connected page: a task that drives its peer, takes commands, and keeps its status for whoever asks.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use ginnel::{
    core::{Epoch, Instant},
    driver::{App, Driver},
    ice::{AgentConfig, Role},
    peer::{ConnectionState, Event, Peer, PeerConfig, SdpType},
    tokio::Tokio,
};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::{
    echo::EchoPeer,
    sessions::{Candidate, Setup, lock},
    status::Status,
};
use crate::host;

/// How often the status is renewed while nothing happens.
const STATUS_INTERVAL: Duration = Duration::from_millis(250);

/// What the HTTP side asks of a session.
#[derive(Debug)]
pub(super) enum Command {
    /// A trickled candidate of the browser's.
    Candidate(Candidate),
    /// End; the reply is dropped once that is done.
    Hangup(oneshot::Sender<()>),
}

/// The task.
pub(super) struct Task {
    driver: Driver<Tokio, EchoPeer>,
    watcher: Watcher,
    addresses: Vec<IpAddr>,
    offer: String,
    commands: mpsc::Receiver<Command>,
    answer: Option<oneshot::Sender<Result<String, String>>>,
}

/// Listens to the peer's events.
struct Watcher {
    status: Status,
    shared: Arc<Mutex<Value>>,
    gathered: bool,
    /// Wakes the task when the watcher saw something that it must act upon.
    news: Arc<tokio::sync::Notify>,
}

impl App<EchoPeer> for Watcher {
    fn event(&mut self, _: Instant, echo: &mut EchoPeer, event: Event) {
        match &event {
            Event::GatheringComplete => {
                self.gathered = true;
                self.news.notify_one();
            }
            Event::State(ConnectionState::Failed) => self.news.notify_one(),
            _ => {}
        }
        self.status.note(&event);
        self.publish(echo);
    }
}

impl Watcher {
    fn publish(&self, echo: &EchoPeer) {
        *lock(&self.shared) = self.status.json(echo);
    }
}

impl Task {
    pub(super) fn new(
        setup: &Setup,
        session: String,
        offer: String,
        shared: Arc<Mutex<Value>>,
        commands: mpsc::Receiver<Command>,
        answer: oneshot::Sender<Result<String, String>>,
    ) -> Result<Self, String> {
        // Asked each time: a laptop changes networks while the demo runs.
        let addresses = host::addresses()?;
        let seed = host::seed()?;
        let epoch = Epoch::start();
        let mut ice = AgentConfig::new(Role::Controlled).with_loopback(true);
        ice.stun_servers.clone_from(&setup.stun_servers);
        // The answer carries every candidate: the contract has no way to send more.
        let config = PeerConfig::new(epoch, setup.certificate.clone())
            .with_versions(setup.versions)
            .with_trickle(false)
            .with_ice(ice);
        let watcher = Watcher { status: Status::new(session), shared, gathered: false, news: Arc::default() };
        Ok(Self {
            driver: Driver::new(Tokio, epoch, EchoPeer::new(config, &seed)),
            watcher,
            addresses,
            offer,
            commands,
            answer: Some(answer),
        })
    }

    /// From the offer to the end of the connection.
    pub(super) async fn run(mut self) {
        if let Err(why) = self.begin() {
            self.reply(Err(why));
            return;
        }
        let news = self.watcher.news.clone();
        let mut tick = tokio::time::interval(STATUS_INTERVAL);
        let mut hangups = Vec::new();
        loop {
            tokio::select! {
                () = self.driver.run(&mut self.watcher) => break,
                command = self.commands.recv() => match command {
                    Some(Command::Candidate(candidate)) => self.add_candidate(&candidate),
                    Some(Command::Hangup(reply)) => {
                        hangups.push(reply);
                        self.driver.with(EchoPeer::close);
                    }
                    None => self.driver.with(EchoPeer::close),
                },
                () = news.notified() => self.act(),
                _ = tick.tick() => self.publish(),
            }
        }
        self.publish();
        // Only now is the end in the statistics: whoever hung up may look.
        drop(hangups);
    }

    /// Takes the offer, and begins to gather.
    fn begin(&mut self) -> Result<(), String> {
        let (offer, addresses) = (std::mem::take(&mut self.offer), std::mem::take(&mut self.addresses));
        self.driver.with(|echo, now| {
            echo.command(now, |peer| {
                peer.set_remote(now, SdpType::Offer, &offer).map_err(|e| e.to_string())?;
                peer.gather(now, addresses);
                Ok(())
            })
        })
    }

    fn act(&mut self) {
        if self.watcher.gathered && self.answer.is_some() {
            let made = self.driver.with(|echo, now| echo.command(now, |peer| answer(peer, now)));
            self.reply(made);
        }
        if self.driver.machine().peer().state() == ConnectionState::Failed {
            // The page would have to offer a restart; it starts anew instead.
            self.driver.with(EchoPeer::close);
        }
    }

    fn add_candidate(&mut self, candidate: &Candidate) {
        let mid = candidate.mid.as_deref();
        self.driver.with(|echo, now| {
            echo.command(now, |peer| {
                if candidate.line.is_empty() {
                    peer.end_of_remote_candidates(now);
                } else if let Err(why) = peer.add_ice_candidate(now, mid, &candidate.line) {
                    tracing::debug!("a candidate is of no use: {why}");
                }
            });
        });
    }

    fn publish(&self) {
        self.watcher.publish(self.driver.machine());
    }

    fn reply(&mut self, answer: Result<String, String>) {
        if let Some(reply) = self.answer.take() {
            // Whoever asked may have gone; then consent runs out and the session ends.
            let _ = reply.send(answer);
        }
    }
}

/// An answer that accepts something: one that rejects every section would be legal, and leave a session that never begins.
fn answer(peer: &mut Peer, now: Instant) -> Result<String, String> {
    let answer = peer.answer(now).map_err(|e| e.to_string())?;
    if peer.negotiated().is_some_and(|agreed| agreed.transport.is_some()) {
        return Ok(answer);
    }
    Err("nothing in the offer can be accepted: it needs data channels, or audio or video with a codec known here and \
         rtcp-mux"
        .to_string())
}
