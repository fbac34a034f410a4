//! What a socket and the task that drives its client share: two queues, what is known of peers, and how it stands.

use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    net::{IpAddr, SocketAddr},
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use ginnel_turn::client::{Allocated, FailureReason};

use super::{RelayConfig, error::RelayError, ring::Ring, waiters::Waiters};

/// The longest datagram that is relayed: what [`ginnel_core::Buffer`] is for.
const LONGEST: usize = 1_500;

/// How the allocation stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// It is asked for, for the first time.
    Asked,
    Allocated(Allocated),
    /// It was lost, and another is asked for.
    Lost(FailureReason),
    Ended(RelayError),
}

/// What the task is to tell the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Permit(IpAddr),
    Bind(SocketAddr),
}

/// What a [`RelaySocket`](super::RelaySocket) has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayStats {
    /// Datagrams that went to the relay.
    pub sent: u64,
    /// Datagrams that were dropped: nobody would have relayed them, or too many waited for a permission.
    pub unsent: u64,
    /// Datagrams that came.
    pub received: u64,
    /// Datagrams that came and were dropped, since too many waited to be received.
    pub dropped: u64,
    /// Datagrams that came from others than the peer that the socket is connected to, and were dropped.
    pub strangers: u64,
    /// Datagrams that did not arrive at their peers, as ICMP told the relay.
    pub unreachable: u64,
    /// Allocations that were lost, of which the last may have been the end.
    pub lost: u64,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// For the user.
    inbound: Ring,
    /// From the user.
    pub(super) outbound: Ring,
    pub(super) commands: VecDeque<Command>,
    /// What the server said of addresses: at most [`PEERS`](super::peers::PEERS), as the client has them.
    permissions: BTreeMap<IpAddr, Result<(), RelayError>>,
    pub(super) connected: Option<SocketAddr>,
    /// Whom to wake when the lock is released: a waker may do anything, and come back here.
    woken: Vec<Waker>,
    /// The user is gone, or wants to be.
    pub(super) closing: bool,
    pub(super) stats: RelayStats,
    /// Woken when there is something for it to do.
    task: Option<Waker>,
    receivers: Waiters,
    senders: Waiters,
    watchers: Waiters,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Datagram,
    Room,
    News,
}

impl State {
    /// Wakes all who wait for this: whoever finds nothing left waits again.
    fn wake(&mut self, wanted: Wanted) {
        let waiters = match wanted {
            Wanted::Datagram => &self.receivers,
            Wanted::Room => &self.senders,
            Wanted::News => &self.watchers,
        };
        self.woken.extend(waiters.wakers().cloned());
    }

    fn waiters(&mut self, wanted: Wanted) -> &mut Waiters {
        match wanted {
            Wanted::Datagram => &mut self.receivers,
            Wanted::Room => &mut self.senders,
            Wanted::News => &mut self.watchers,
        }
    }

    pub(super) fn wake_task(&mut self) {
        self.woken.extend(self.task.clone());
    }

    /// Has the task tell the client something, if it is not about to.
    pub(super) fn ask(&mut self, command: Command) {
        if !self.commands.contains(&command) {
            self.commands.push_back(command);
            self.wake_task();
        }
    }

    /// Why the socket is of no use any more, if it is not.
    pub(super) const fn ended(&self) -> Option<RelayError> {
        match self.phase {
            Phase::Ended(why) => Some(why),
            _ => None,
        }
    }

    // ---- the user's side

    /// The next datagram. `None`: wait.
    pub(super) fn receive(&mut self, into: &mut [u8]) -> Option<Result<(usize, SocketAddr), RelayError>> {
        match self.inbound.pop(into) {
            Some(taken) => Some(Ok(taken)),
            None => self.ended().map(Err),
        }
    }

    /// Takes a datagram to send. `None`: there is no room.
    pub(super) fn send(&mut self, peer: SocketAddr, datagram: &[u8]) -> Option<Result<usize, RelayError>> {
        match self.phase {
            Phase::Ended(why) => return Some(Err(why)),
            Phase::Lost(reason) => return Some(Err(RelayError::Lost(reason))),
            Phase::Asked | Phase::Allocated(_) => {}
        }
        if datagram.len() > LONGEST {
            return Some(Err(RelayError::TooLarge));
        }
        // What was refused is said once; the next datagram asks again.
        if let Some(Err(why)) = self.permissions.get(&peer.ip()).copied() {
            self.permissions.remove(&peer.ip());
            return Some(Err(why));
        }
        let idle = self.outbound.is_empty();
        if !self.outbound.push(peer, datagram) {
            return None;
        }
        if idle {
            self.wake_task();
        }
        Some(Ok(datagram.len()))
    }

    /// Whether the relay relays to this address. `None`: it was asked.
    pub(super) fn permit(&mut self, ip: IpAddr) -> Option<Result<(), RelayError>> {
        if let Some(why) = self.ended() {
            return Some(Err(why));
        }
        let known = self.permissions.get(&ip).copied();
        if known.is_none() {
            self.ask(Command::Permit(ip));
        }
        known
    }

    /// Hears this peer alone from now on, also of what has come already.
    pub(super) fn connect(&mut self, peer: SocketAddr) {
        self.connected = Some(peer);
        self.stats.strangers += self.inbound.keep_only(peer) as u64;
        self.ask(Command::Bind(peer));
    }

    pub(super) fn forget_refusal(&mut self, ip: IpAddr) {
        if let Some(Err(_)) = self.permissions.get(&ip) {
            self.permissions.remove(&ip);
        }
    }

    pub(super) fn close(&mut self) {
        self.closing = true;
        self.wake_task();
    }

    // ---- the task's side

    /// A datagram has come.
    pub(super) fn deliver(&mut self, peer: SocketAddr, datagram: &[u8]) {
        if self.connected.is_some_and(|connected| connected != peer) {
            self.stats.strangers += 1;
            return;
        }
        let idle = self.inbound.is_empty();
        if !self.inbound.push(peer, datagram) {
            self.stats.dropped += 1;
            return;
        }
        self.stats.received += 1;
        if idle {
            self.wake(Wanted::Datagram);
        }
    }

    /// What the user has given to be sent, and room for more.
    pub(super) fn take_outbound(&mut self, into: &mut Ring) {
        if into.is_empty() && !self.outbound.is_empty() {
            std::mem::swap(into, &mut self.outbound);
            self.wake(Wanted::Room);
        }
    }

    pub(super) fn set_phase(&mut self, phase: Phase) {
        if let Phase::Lost(_) | Phase::Ended(_) = phase {
            self.permissions.clear();
            self.outbound.clear();
        }
        // Whoever came first knows why.
        if self.ended().is_none() {
            self.phase = phase;
        }
        self.wake(Wanted::News);
        self.wake(Wanted::Room);
        if self.ended().is_some() {
            self.wake(Wanted::Datagram);
        }
    }

    pub(super) fn set_permission(&mut self, ip: IpAddr, permission: Result<(), RelayError>) {
        if self.permissions.len() >= super::peers::PEERS && !self.permissions.contains_key(&ip) {
            // The client keeps as many, so what is here beside them are refusals that nobody has asked for since.
            self.permissions.retain(|_, known| known.is_ok());
        }
        self.permissions.insert(ip, permission);
        self.wake(Wanted::News);
    }

    pub(super) fn is_refused(&self, ip: IpAddr) -> bool {
        matches!(self.permissions.get(&ip), Some(Err(_)))
    }

    pub(super) fn forget_permission(&mut self, ip: IpAddr) {
        self.permissions.remove(&ip);
    }
}

#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

impl Shared {
    pub(super) fn new(config: &RelayConfig) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            phase: Phase::Asked,
            inbound: Ring::new(config.receive_buffer),
            outbound: Ring::new(config.send_buffer),
            commands: VecDeque::new(),
            permissions: BTreeMap::new(),
            connected: None,
            woken: Vec::new(),
            closing: false,
            stats: RelayStats::default(),
            task: None,
            receivers: Waiters::default(),
            senders: Waiters::default(),
            watchers: Waiters::default(),
        })))
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        Locked(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The task is woken by this from now on.
    pub(super) fn register(&self, waker: &Waker) {
        let mut state = self.lock();
        match &mut state.task {
            Some(task) => task.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Waits until `check` has an answer, asking again whenever there may be one. It may be dropped at any time.
    pub(super) async fn until<T>(&self, wanted: Wanted, mut check: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut waiting = Waiting { shared: self, wanted, key: None };
        poll_fn(|cx| {
            let mut state = self.lock();
            if let Some(answer) = check(&mut state) {
                return Poll::Ready(answer);
            }
            state.waiters(wanted).wait(&mut waiting.key, cx.waker());
            Poll::Pending
        })
        .await
    }
}

/// The state, until this is dropped: then those are woken who were to be, and not before.
pub(super) struct Locked<'s>(Option<MutexGuard<'s, State>>);

impl Deref for Locked<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        self.0.as_ref().expect("locked until it is dropped")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.0.as_mut().expect("locked until it is dropped")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let woken = std::mem::take(&mut self.woken);
        self.0 = None;
        woken.into_iter().for_each(Waker::wake);
    }
}

/// Takes its entry away when the future is done or dropped.
struct Waiting<'s> {
    shared: &'s Shared,
    wanted: Wanted,
    key: Option<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.lock().waiters(self.wanted).forget(key);
        }
    }
}
