//! The task behind a socket: it drives the client, sends what the user has queued, asks for permissions and channels, and
//! lets what needs a permission wait for it.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use ginnel_core::{Instant, Receive, Transmit};
use ginnel_turn::client::{Client, Event, PeerError, Relayed, SendError};

use super::{
    error::RelayError,
    peers::Peers,
    ring::Ring,
    shared::{Command, Phase, Shared},
};
use crate::{App, Driver, Runtime};

/// After so many datagrams in one go the machine has its turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// After so many rounds in one go the task lets others run.
const ROUNDS_PER_TURN: usize = 16;

/// Drives the client until it has ended, and the last words are sent.
pub(super) async fn drive<R: Runtime>(driver: Driver<R, Client>, shared: Arc<Shared>, room: usize) {
    let relaying = Relaying { shared: Arc::clone(&shared), peers: Peers::default(), news: false };
    let mut task = Task {
        driver,
        app: relaying,
        leaving: Ring::new(room),
        waiting: Ring::new(room),
        buf: Box::new([0; 2048]),
        retry: false,
        closed: false,
    };
    // However it ends, and if it is dropped with its runtime: the socket says so.
    let _ended = Ended(shared);
    poll_fn(|cx| task.poll(cx)).await;
}

struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.lock().set_phase(Phase::Ended(RelayError::Closed));
    }
}

struct Task<R: Runtime> {
    driver: Driver<R, Client>,
    app: Relaying,
    /// On its way to the client.
    leaving: Ring,
    /// Until there is a permission, or an allocation.
    waiting: Ring,
    /// Something of what waits could leave, but there was no room for it.
    retry: bool,
    buf: Box<[u8; 2048]>,
    /// The goodbye is said.
    closed: bool,
}

/// What became of a datagram.
enum Fate {
    Gone,
    /// It has to wait for what was asked for.
    Waits,
}

impl<R: Runtime> Task<R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.app.shared.register(cx.waker());
        for _ in 0..ROUNDS_PER_TURN {
            self.obey();
            if self.retry {
                self.try_waiting();
            }
            self.send();
            if self.may_close() {
                self.closed = true;
                self.driver.with(Client::close);
            }
            if pin!(self.driver.run(&mut self.app)).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let news = std::mem::take(&mut self.app.news);
            if news {
                self.try_waiting();
            }
            if !self.more_to_do(news) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether something has come in the meantime that nobody will wake this task for.
    fn more_to_do(&self, news: bool) -> bool {
        let state = self.app.shared.lock();
        let queued = self.retry || !self.leaving.is_empty() || !state.outbound.is_empty();
        let told = !state.commands.is_empty();
        drop(state);
        news || told || self.may_close() || (queued && self.has_room())
    }

    /// Whether it is time for the goodbye: the user is gone, and what he has sent has left, or never will. What waits for a
    /// permission waits for an answer, or until there will be none.
    fn may_close(&self) -> bool {
        let state = self.app.shared.lock();
        let all_left = self.leaving.is_empty() && self.waiting.is_empty() && state.outbound.is_empty();
        let none_leaves = !matches!(state.phase, Phase::Allocated(_));
        state.closing && !self.closed && (all_left || none_leaves)
    }

    /// Whether the driver would take a datagram now; if not, it wakes the task when it would.
    fn has_room(&self) -> bool {
        self.driver.machine().allocated().is_none_or(|allocated| self.driver.has_room(allocated.path))
    }

    fn obey(&mut self) {
        loop {
            // The lock ends with the line.
            let command = self.app.shared.lock().commands.pop_front();
            let Some(command) = command else { return };
            match command {
                Command::Permit(ip) => self.permit(SocketAddr::new(ip, 0)),
                Command::Bind(peer) => {
                    let _ = self.driver.with(|client, now| client.bind_channel(now, peer));
                }
            }
        }
    }

    fn permit(&mut self, peer: SocketAddr) {
        let ip = peer.ip();
        if let Some(idle) = self.app.peers.make_room(ip) {
            self.driver.with(|client, now| client.forget(now, idle));
            self.app.shared.lock().forget_permission(idle);
        }
        let now = self.driver.epoch().now();
        let asked =
            self.driver.with(|client, now| client.permit(now, ip).map(|()| client.is_permitted(now, ip)));
        match asked {
            Ok(ready) => {
                self.app.peers.touch(ip, now);
                if ready {
                    self.app.shared.lock().set_permission(ip, Ok(()));
                }
            }
            Err(why) => self.app.shared.lock().set_permission(ip, Err(unusable(peer, why))),
        }
    }

    /// Sends what the user has queued, as long as there is room and others are not kept waiting.
    fn send(&mut self) {
        for _ in 0..DATAGRAMS_PER_TURN {
            if self.leaving.is_empty() {
                self.app.shared.lock().take_outbound(&mut self.leaving);
            }
            if self.leaving.is_empty() || !self.has_room() {
                return;
            }
            let Some((len, peer)) = self.leaving.pop(&mut self.buf[..]) else { return };
            if let Fate::Waits = self.send_one(peer, len)
                && !self.waiting.push(peer, &self.buf[..len])
            {
                self.app.shared.lock().stats.unsent += 1;
            }
        }
    }

    /// Sends what has waited, where it need not any more and there is room: the rest goes round, so that it stays in order.
    fn try_waiting(&mut self) {
        self.retry = false;
        for _ in 0..self.waiting.len() {
            let Some((len, peer)) = self.waiting.pop(&mut self.buf[..]) else { return };
            self.retry = self.retry || !self.has_room();
            if self.retry || matches!(self.send_one(peer, len), Fate::Waits) {
                // It came from there, so there is room.
                self.waiting.push(peer, &self.buf[..len]);
            }
        }
    }

    /// Sends the front of the buffer to a peer, and asks for what that needs.
    fn send_one(&mut self, peer: SocketAddr, len: usize) -> Fate {
        let before = self.driver.machine().stats().indication_sent;
        let payload = &self.buf[..len];
        let sent = self.driver.send(payload, |client, now, packet| client.send(now, peer, packet));
        match sent {
            Ok(()) => {
                self.app.shared.lock().stats.sent += 1;
                self.app.peers.touch(peer.ip(), self.driver.epoch().now());
                if self.driver.machine().stats().indication_sent > before && self.app.peers.is_busy(peer) {
                    // Where there is no room for one, indications do.
                    let _ = self.driver.with(|client, now| client.bind_channel(now, peer));
                }
                return Fate::Gone;
            }
            // Refused already, and the user has not heard of it yet: asking again for this one would have no end.
            Err(SendError::NotPermitted) if self.is_refused(peer) => {}
            Err(SendError::NotPermitted) => {
                self.permit(peer);
                if !self.is_refused(peer) {
                    return Fate::Waits;
                }
            }
            Err(SendError::Pending | SendError::NotAllocated) if !self.closed => return Fate::Waits,
            Err(SendError::WrongFamily) => {
                let why = unusable(peer, PeerError::WrongFamily);
                self.app.shared.lock().set_permission(peer.ip(), Err(why));
            }
            Err(_) => {}
        }
        self.app.shared.lock().stats.unsent += 1;
        Fate::Gone
    }

    fn is_refused(&self, peer: SocketAddr) -> bool {
        self.app.shared.lock().is_refused(peer.ip())
    }
}

fn unusable(peer: SocketAddr, why: PeerError) -> RelayError {
    RelayError::Unusable(peer.ip(), why)
}

/// What becomes of the client's events and data.
struct Relaying {
    shared: Arc<Shared>,
    peers: Peers,
    /// Something has changed for what waits.
    news: bool,
}

impl App<Client> for Relaying {
    fn event(&mut self, _now: Instant, _client: &mut Client, event: Event) {
        let mut state = self.shared.lock();
        match event {
            Event::Allocated(allocated) => state.set_phase(Phase::Allocated(allocated)),
            Event::Lost { reason } => {
                state.stats.lost += 1;
                state.set_phase(Phase::Lost(reason));
            }
            Event::Failed { reason } => state.set_phase(Phase::Ended(RelayError::Failed(reason))),
            Event::Closed => state.set_phase(Phase::Ended(RelayError::Closed)),
            Event::PermissionReady { ip } => state.set_permission(ip, Ok(())),
            Event::PermissionFailed { ip, reason } => {
                state.set_permission(ip, Err(RelayError::Peer(ip, reason)));
            }
            Event::IcmpError { .. } => state.stats.unreachable += 1,
            _ => return,
        }
        self.news = true;
    }

    fn data(
        &mut self,
        now: Instant,
        client: &mut Client,
        data: Relayed,
        input: &mut Receive<'_>,
    ) -> Option<Transmit> {
        let Relayed::Datagram { channel } = data else { return None };
        let peer = input.path.remote;
        self.peers.touch(peer.ip(), now);
        if channel.is_none() && self.peers.is_busy(peer) {
            let _ = client.bind_channel(now, peer);
        }
        self.shared.lock().deliver(peer, input.packet.bytes());
        None
    }
}
