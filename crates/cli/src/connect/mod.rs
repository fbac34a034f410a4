//! `ginnel connect URL`: offers a connection to whatever answers at `URL/offer`, checks an echo over it, and reports.
//!
//! The HTTP contract is the one that many stacks' test programs share: one offer, one answer, every candidate in both.

mod echo_check;

use std::{sync::Arc, time::Duration};

use clap::Args;
use ginnel::{
    core::{Epoch, Instant},
    driver::{App, Driver},
    dtls_srtp::dtls::{Certificate, Version},
    ice::{AgentConfig, Role},
    peer::{ChannelConfig, Closed, Event, Failure, Opener, Peer, PeerConfig, Phases, SdpType},
    tokio::Tokio,
};
use serde::{Deserialize, Serialize};

use self::echo_check::EchoCheck;
use crate::host;

/// Whom to connect to.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Where the peer answers, such as http://127.0.0.1:8080
    url: String,
    /// How many messages are sent
    #[arg(long, default_value_t = 20)]
    messages: u32,
    /// Octets in each
    #[arg(long, default_value_t = 60_000)]
    size: usize,
    /// Seconds that everything may take
    #[arg(long, default_value_t = 30)]
    timeout: u64,
}

/// Connects, checks, reports.
pub(crate) async fn run(options: Options) -> Result<(), String> {
    if !options.url.starts_with("http://") {
        return Err(format!(
            "{} does not begin with http://: there is no TLS in this program yet",
            options.url
        ));
    }
    let deadline = Duration::from_secs(options.timeout);
    let mut connection = Connection::new(&options)?;
    match tokio::time::timeout(deadline, connection.run()).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let stage = connection.stage();
            Err(format!("{stage} was not done after {} s; --timeout gives it longer", options.timeout))
        }
    }
}

/// How long ICE goes on without an answer. Both sides know every candidate from the beginning, so what works does so within
/// a second or two, and the reason is worth more than another half minute.
const CHECKING: Duration = Duration::from_secs(15);

/// The connection, and what has been seen of it.
struct Connection<'o> {
    options: &'o Options,
    driver: Driver<Tokio, Peer>,
    watcher: Watcher,
}

/// Listens to the peer's events.
struct Watcher {
    check: EchoCheck,
    gathered: bool,
    version: Option<Version>,
    failure: Option<Failure>,
    closed: Option<Closed>,
    news: Arc<tokio::sync::Notify>,
}

impl App<Peer> for Watcher {
    fn event(&mut self, now: Instant, peer: &mut Peer, event: Event) {
        match event {
            Event::GatheringComplete => self.gathered = true,
            Event::Secured { version, .. } => self.version = Some(version),
            Event::Failed(failure) => self.failure = Some(failure),
            Event::Closed(how) => self.closed = Some(how),
            Event::ChannelOpened { channel, opener: Opener::Local, .. } => {
                self.check.begin(now, peer, channel)
            }
            Event::ChannelClosed { channel, reason } => self.check.closed(channel, reason),
            Event::Writable { .. } => self.check.go_on(now, peer),
            Event::Message { channel, kind, data } => self.check.received(now, peer, channel, kind, &data),
            _ => {}
        }
        self.news.notify_one();
    }
}

impl<'o> Connection<'o> {
    fn new(options: &'o Options) -> Result<Self, String> {
        let mut ice = AgentConfig::new(Role::Controlling).with_loopback(true);
        (ice.pac, ice.max_checking) = (CHECKING, CHECKING);
        let certificate = Certificate::generate().map_err(|e| format!("no certificate can be made: {e}"))?;
        let epoch = Epoch::start();
        let config = PeerConfig::new(epoch, Arc::new(certificate)).with_trickle(false).with_ice(ice);
        let watcher = Watcher {
            check: EchoCheck::new(options.messages, options.size),
            gathered: false,
            version: None,
            failure: None,
            closed: None,
            news: Arc::default(),
        };
        Ok(Self { options, driver: Driver::new(Tokio, epoch, Peer::new(config, host::seed()?)), watcher })
    }

    /// What is under way, for whoever runs out of patience.
    fn stage(&self) -> &'static str {
        let Phases { started, ice, dtls, sctp, .. } = self.driver.machine().phases();
        match (self.watcher.gathered, started, ice, dtls, sctp) {
            (false, ..) => "gathering candidates",
            (_, None, ..) => "the answer",
            (_, _, None, ..) => "ICE",
            (_, _, _, None, _) => "DTLS",
            (_, _, _, _, None) => "SCTP",
            _ => "the echo",
        }
    }

    async fn run(&mut self) -> Result<(), String> {
        let addresses = host::addresses()?;
        self.driver.with(|peer, now| {
            peer.open_channel(now, ChannelConfig::new("echo")).map_err(|e| e.to_string())?;
            peer.gather(now, addresses);
            Ok::<(), String>(())
        })?;
        self.drive_until(|watcher| watcher.gathered).await?;
        let offer = self.driver.with(Peer::offer).map_err(|e| format!("no offer can be made: {e}"))?;
        let limit = Duration::from_secs(self.options.timeout);
        let answer = exchange(self.options.url.clone(), offer, limit).await?;
        self.driver
            .with(|peer, now| peer.set_remote(now, SdpType::Answer, &answer))
            .map_err(|e| format!("the answer of {} cannot be used: {e}", self.options.url))?;
        let agreed = self.driver.machine().negotiated();
        if agreed.is_none_or(|agreed| agreed.sctp.is_none() || agreed.transport.is_none()) {
            return Err(format!("the answer of {} refuses data channels", self.options.url));
        }
        self.drive_until(|watcher| watcher.check.is_done()).await?;
        self.report();
        let phases_done = self.watcher.check.verdict();
        self.driver.with(Peer::close);
        self.drive_until(|watcher| watcher.closed.is_some()).await?;
        phases_done
    }

    /// Drives the peer until the watcher has seen enough, or the connection is over.
    async fn drive_until(&mut self, enough: impl Fn(&Watcher) -> bool) -> Result<(), String> {
        let news = self.watcher.news.clone();
        loop {
            if enough(&self.watcher) {
                return Ok(());
            }
            if let Some(failure) = self.watcher.failure {
                return Err(format!("{failure}"));
            }
            if self.watcher.closed.is_some() {
                return Err("the peer closed the connection before the echo was complete".to_string());
            }
            tokio::select! {
                () = self.driver.run(&mut self.watcher) => {}
                () = news.notified() => {}
            }
        }
    }

    fn report(&self) {
        let Phases { started, ice, dtls, sctp, .. } = self.driver.machine().phases();
        let between = |from: Option<Instant>, to: Option<Instant>| match (from, to) {
            (Some(from), Some(to)) => format!("{:.1} ms", to.saturating_since(from).as_secs_f64() * 1000.0),
            _ => "-".to_string(),
        };
        let version = match self.watcher.version {
            Some(Version::Dtls12) => " (1.2)",
            Some(Version::Dtls13) => " (1.3)",
            _ => "",
        };
        println!("connected to {}", self.options.url);
        println!("  ICE    {}", between(started, ice));
        println!("  DTLS   {}{version}", between(ice, dtls));
        println!("  SCTP   {}", between(dtls, sctp));
        println!("  total  {}", between(started, sctp));
        println!("  {}", self.watcher.check);
    }
}

#[derive(Serialize)]
struct Offer {
    sdp: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    sdp: Option<String>,
    error: Option<String>,
}

/// Posts the offer and returns the answer's SDP.
async fn exchange(url: String, sdp: String, limit: Duration) -> Result<String, String> {
    let target = format!("{}/offer", url.trim_end_matches('/'));
    let post = move || -> Result<String, String> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(limit));
        // The peer is named by the user, not to be found through a proxy of the environment.
        let agent: ureq::Agent = config.proxy(None).build().into();
        let mut reply = agent
            .post(&target)
            .send_json(Offer { sdp, kind: "offer" })
            .map_err(|e| format!("{target} cannot be reached: {e}"))?;
        let status = reply.status();
        let answer: Answer = reply
            .body_mut()
            .read_json()
            .map_err(|e| format!("{target} answered {status} with something that is no answer: {e}"))?;
        match answer {
            Answer { sdp: Some(sdp), .. } if status.is_success() => Ok(sdp),
            Answer { error: Some(why), .. } => Err(format!("{target} refused the offer ({status}): {why}")),
            _ => Err(format!("{target} answered {status} without an answer's \"sdp\"")),
        }
    };
    tokio::task::spawn_blocking(post).await.map_err(|e| format!("the request was lost: {e}"))?
}
