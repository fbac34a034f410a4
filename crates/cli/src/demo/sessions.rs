//! The peers of the demo: one task each, found by an identifier that nobody can guess.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ginnel::{
    core::Rng,
    dtls_srtp::dtls::{Certificate, Versions},
};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::session::{self, Command};
use crate::host;

/// How many peers may be connected at once: each has sockets, and a page that reloads for ever must not take them all.
const MOST_SESSIONS: usize = 32;
/// How long an ended session stays in the statistics, so that whoever looks finds out how it ended.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How many ended sessions are remembered at most.
const MOST_REMEMBERED: usize = 64;
/// How long answering may take: gathering on local sockets takes milliseconds, asking STUN servers a second or two.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// What every session is made with.
pub(crate) struct Setup {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) versions: Versions,
    pub(crate) stun_servers: Vec<SocketAddr>,
}

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Offer(String),
    #[error("there is no such session: it may have ended; connect again")]
    NoSuchSession,
    #[error("{0} connections are open, the most that this demo holds; close one and try again")]
    TooMany(usize),
    #[error("{0}")]
    Failed(String),
}

/// An answer, and the session that it began.
pub(crate) struct Answer {
    pub(crate) sdp: String,
    pub(crate) session: String,
}

/// A trickled candidate, as the page sends it.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// The `candidate:...` line, or nothing for end-of-candidates.
    pub(crate) line: String,
    /// The section; where it is not said, the candidate's own `ufrag` decides.
    pub(crate) mid: Option<String>,
}

/// All sessions.
pub(crate) struct Sessions {
    setup: Setup,
    entries: Mutex<BTreeMap<String, Entry>>,
    rng: Mutex<Rng>,
}

struct Entry {
    commands: mpsc::Sender<Command>,
    status: Arc<Mutex<Value>>,
    ended: Arc<Mutex<Option<Instant>>>,
}

/// Says that a session has ended, however its task ended.
struct End(Arc<Mutex<Option<Instant>>>);

impl Drop for End {
    fn drop(&mut self) {
        *lock(&self.0) = Some(Instant::now());
    }
}

impl Entry {
    fn ended_at(&self) -> Option<Instant> {
        *lock(&self.ended)
    }
}

impl Sessions {
    pub(crate) fn new(setup: Setup) -> Result<Self, String> {
        let rng = host::seed()?.fork("session identifiers").into_rng();
        Ok(Self { setup, entries: Mutex::default(), rng: Mutex::new(rng) })
    }

    /// Answers an offer with a new peer.
    pub(crate) async fn offer(&self, sdp: String) -> Result<Answer, Refusal> {
        let session = self.new_id();
        let (commands, inbox) = mpsc::channel(64);
        let (reply, answer) = oneshot::channel();
        let status = Arc::new(Mutex::new(Value::Null));
        let ended = Arc::new(Mutex::new(None));
        let task = session::Task::new(&self.setup, session.clone(), sdp, status.clone(), inbox, reply);
        let task = task.map_err(Refusal::Failed)?;
        self.add(&session, Entry { commands, status, ended: ended.clone() })?;
        let end = End(ended);
        tokio::spawn(async move {
            task.run().await;
            drop(end);
        });
        match tokio::time::timeout(ANSWER_DEADLINE, answer).await {
            Ok(Ok(Ok(sdp))) => Ok(Answer { sdp, session }),
            Ok(Ok(Err(why))) => Err(self.forget(&session, Refusal::Offer(why))),
            Ok(Err(_)) => {
                Err(self.forget(&session, Refusal::Failed("the peer ended before it answered".into())))
            }
            Err(_) => {
                Err(self.forget(&session, Refusal::Failed("gathering candidates took too long".into())))
            }
        }
    }

    /// Hands a candidate to its peer.
    pub(crate) async fn candidate(&self, session: &str, candidate: Candidate) -> Result<(), Refusal> {
        let sent = self.inbox(session)?.send(Command::Candidate(candidate)).await;
        sent.map_err(|_| Refusal::NoSuchSession)
    }

    /// Ends a session politely, and waits until it has. One that has ended already, as it has when the browser's own
    /// goodbye was faster, is ended.
    pub(crate) async fn hangup(&self, session: &str) -> Result<(), Refusal> {
        let (done, ended) = oneshot::channel();
        let _ = self.inbox(session)?.send(Command::Hangup(done)).await;
        let _ = ended.await;
        Ok(())
    }

    /// What the sessions are doing, as the page's JSON.
    pub(crate) fn stats(&self, only: Option<&str>) -> Vec<Value> {
        let mut entries = lock(&self.entries);
        prune(&mut entries);
        let wanted = entries.iter().filter(|(id, _)| only.is_none_or(|only| only == id.as_str()));
        wanted.map(|(_, entry)| lock(&entry.status).clone()).filter(|status| !status.is_null()).collect()
    }

    /// Ends every session politely.
    pub(crate) async fn close(&self) {
        let ids: Vec<String> = lock(&self.entries).keys().cloned().collect();
        for id in ids {
            let _ = self.hangup(&id).await;
        }
    }

    fn inbox(&self, session: &str) -> Result<mpsc::Sender<Command>, Refusal> {
        let entries = lock(&self.entries);
        entries.get(session).map(|entry| entry.commands.clone()).ok_or(Refusal::NoSuchSession)
    }

    fn add(&self, session: &str, entry: Entry) -> Result<(), Refusal> {
        let mut entries = lock(&self.entries);
        prune(&mut entries);
        let open = entries.values().filter(|e| e.ended_at().is_none()).count();
        if open >= MOST_SESSIONS {
            return Err(Refusal::TooMany(open));
        }
        entries.insert(session.to_string(), entry);
        Ok(())
    }

    fn forget(&self, session: &str, refusal: Refusal) -> Refusal {
        lock(&self.entries).remove(session);
        refusal
    }

    fn new_id(&self) -> String {
        let octets: [u8; 12] = lock(&self.rng).octets();
        octets.iter().fold(String::new(), |mut id, octet| {
            let _ = write!(id, "{octet:02x}");
            id
        })
    }
}

/// Forgets what ended long ago, and of what ended lately what is too much to remember.
fn prune(entries: &mut BTreeMap<String, Entry>) {
    entries.retain(|_, e| e.ended_at().is_none_or(|at| at.elapsed() < REMEMBERED));
    while entries.len() > MOST_SESSIONS + MOST_REMEMBERED {
        let ended = entries.iter().filter_map(|(id, entry)| Some((entry.ended_at()?, id.clone())));
        let Some((_, oldest)) = ended.min() else { return };
        entries.remove(&oldest);
    }
}

/// A lock whose holder cannot leave anything half done, so a panic elsewhere does not matter.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
