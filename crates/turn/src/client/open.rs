//! Sockets and streams to the server, what comes of losing one, and when to try again (RFC 8656 sections 7.1 and 7.4).

use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{Alpn, Framing, Instant, Notice, Path, Port, Refused, Request, Ticket, Transport};
use ginnel_stun::client::RequestId;

use super::{
    Client,
    config::{Socket, TurnServer},
    event::{Event, FailureReason},
    state::{Line, MoveStep, Opening, Purpose, Recovery, Setup, State},
    timers::Timer,
};

/// The first and the longest wait between attempts of a client that recovers, unless the RFC wants a longer one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// An allocation that is lost so soon after another is not worth the next at once.
const QUICKLY: Duration = Duration::from_secs(60);
/// How much longer, at random, so that the clients of a server that was away do not come back all at once: a half.
const SPREAD: u64 = 500;

impl Client {
    /// Begins an attempt, with the server of the config.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.lent_is_lost {
            return self.fail(FailureReason::SocketLost);
        }
        let server = self.config.server;
        let moved = self.setup.server.address != server.address;
        self.setup.server = server;
        match &mut self.line {
            Some(line) if !moved || line.path.transport == Transport::Udp => {
                line.path.remote = server.address;
                self.allocate(now);
            }
            _ => self.open(now),
        }
    }
    /// Asks for the socket, unless it was lent.
    pub(super) fn open(&mut self, now: Instant) {
        self.release_line();
        let server = self.setup.server;
        match self.config.socket {
            Socket::Lent(local) if server.transport == Transport::Udp => {
                self.line = Some(Line { path: Path::udp(local, server.address), own: false });
                self.allocate(now);
            }
            socket => {
                let ticket = self.request_socket(server, socket.ip());
                self.state = State::Opening(Opening { ticket, follow: None });
            }
        }
    }
    /// Asks the driver for a socket or a stream to this server.
    pub(super) fn request_socket(&mut self, server: TurnServer, ip: Option<IpAddr>) -> Ticket {
        let TurnServer { transport, address, host } = server;
        let ticket = self.new_ticket();
        let tls = matches!(transport, Transport::Tls | Transport::Dtls);
        self.requests.push_back(match (transport, ip) {
            (Transport::Udp, Some(ip)) => Request::Bind { ticket, ip, port: Port::Any },
            _ => Request::Connect {
                ticket,
                transport,
                local: ip.map(|ip| SocketAddr::new(ip, 0)),
                remote: address,
                framing: Framing::Stun,
                host: if tls { host } else { None },
                alpn: tls.then_some(Alpn::TURN),
            },
        });
        ticket
    }
    fn new_ticket(&mut self) -> Ticket {
        // Tickets that fit into 32 bits can be nested by four owners.
        self.next_ticket = self.next_ticket.wrapping_add(1) & u64::from(u32::MAX);
        Ticket(self.next_ticket)
    }
    /// Gives the socket back, if it is the client's.
    pub(super) fn release_line(&mut self) {
        if let Some(line) = self.line.take() {
            self.release(line);
        }
    }
    pub(super) fn release(&mut self, line: Line) {
        if line.own {
            self.requests.push_back(Request::release(line.path));
        }
    }

    /// News of sockets. What is not the client's is let be.
    pub(super) fn on_notice(&mut self, now: Instant, notice: Notice) {
        match notice {
            Notice::Opened { ticket, result } => self.on_opened(now, ticket, result),
            Notice::Lost { .. } => self.on_socket_lost(now, notice),
            Notice::Unreachable { path, error } => {
                self.stun.handle_notice(now, notice);
                let nobody = error.is_hard() && error.mtu().is_none();
                if nobody && self.line.is_some_and(|line| line.path == path) {
                    self.ask_if_alive(now);
                }
            }
            Notice::Accepted { .. } | Notice::Spliced { .. } => {}
        }
    }
    fn on_opened(&mut self, now: Instant, ticket: Ticket, result: Result<SocketAddr, Refused>) {
        let server = self.setup.server;
        let line = |local| Line { path: Path::new(server.transport, local, server.address), own: true };
        match &self.state {
            State::Opening(opening) if opening.ticket == ticket => match (result, opening.follow) {
                (Ok(local), None) => {
                    self.line = Some(line(local));
                    self.allocate(now);
                }
                (Ok(local), Some(request)) => self.follow(now, request, line(local)),
                (Err(refused), follow) => {
                    if let Some(request) = follow {
                        self.cancel_request(request);
                    }
                    self.on_attempt_failed(now, FailureReason::Socket(refused));
                }
            },
            State::Allocated(allocation) if allocation.is_opening(ticket) => {
                self.on_move_opened(now, result.map(line));
            }
            _ if self.connections.is_opening(ticket) => self.on_connection_opened(now, ticket, result),
            // Asked for by an attempt that has ended since.
            _ => {
                if let Ok(local) = result {
                    self.release(line(local));
                }
            }
        }
    }

    /// RFC 8489 section 10, over a stream: the alternate server takes a connection of its own.
    pub(super) fn on_alternate(&mut self, request: RequestId, address: SocketAddr, domain: Option<&str>) {
        let host = domain.and_then(|domain| domain.parse().ok()).or(self.config.server.host);
        let server = TurnServer { address, host, ..self.setup.server };
        self.setup.server = server;
        self.release_line();
        let ticket = self.request_socket(server, self.config.socket.ip());
        self.state = State::Opening(Opening { ticket, follow: Some(request) });
        self.events.push_back(Event::Redirected { server });
    }
    fn follow(&mut self, now: Instant, request: RequestId, line: Line) {
        self.line = Some(line);
        self.state = State::Allocating;
        if let Err(error) = self.stun.follow(now, request, line.path) {
            self.cancel_request(request);
            self.on_attempt_failed(now, FailureReason::NotStarted(error));
        }
    }
    fn cancel_request(&mut self, request: RequestId) {
        self.stun.cancel(request);
        self.on_their_way.retain(|(other, ..)| *other != request);
    }

    fn on_socket_lost(&mut self, now: Instant, notice: Notice) {
        self.on_connections_lost(now, notice);
        if let State::Allocated(allocation) = &mut self.state {
            if allocation.old.is_some_and(|line| notice.ends(line.path)) {
                allocation.old = None;
                self.timers.clear(Timer::OldPath);
            }
            if let Some(moving) = &allocation.moving
                && let MoveStep::Asking(line) = moving.step
                && notice.ends(line.path)
            {
                // What is lost is not given back.
                allocation.moving = None;
                self.cancel(|purpose| purpose == Purpose::Move);
                return self.on_move_failed(now, FailureReason::SocketLost);
            }
        }
        let Some(line) = self.line.filter(|line| notice.ends(line.path)) else { return };
        self.line = None;
        self.lent_is_lost = !line.own;
        if matches!(self.state, State::Allocated(_)) {
            // What went this way is asked anew on the next one; a Connect has failed.
            self.cancel(|purpose| {
                !matches!(
                    purpose,
                    Purpose::Move
                        | Purpose::Connect(_)
                        | Purpose::ConnectionBind(_)
                        | Purpose::DeleteFamily(_)
                )
            });
            self.permissions.ask_again(now);
            self.channels.ask_again(now);
            self.stun.handle_notice(now, notice);
            self.drain(now);
        }
        match &self.state {
            State::Allocated(allocation) => {
                if allocation.moving.is_some() {
                    // It may still succeed; if not, that is the end.
                    return;
                }
                if line.own && allocation.ticket.is_some() {
                    return self.move_to(now, self.config.socket);
                }
                self.on_lost(now, FailureReason::SocketLost);
            }
            State::Allocating => {
                self.cancel(|purpose| purpose == Purpose::Allocate);
                self.on_attempt_failed(now, FailureReason::SocketLost);
            }
            State::Deleting(_) => self.on_deleted(now),
            State::Opening(_) | State::Waiting | State::Ended => {}
        }
    }

    /// An attempt to allocate has failed: the end, or another one later if there was an allocation before.
    pub(super) fn on_attempt_failed(&mut self, now: Instant, reason: FailureReason) {
        self.cancel(|_| true);
        // A dead session of DTLS, a stream that leads nowhere any more, or a way to another server: the next attempt opens
        // its own.
        let is_useless = |line: Line| match line.path.transport {
            _ if line.path.remote != self.config.server.address && line.own => true,
            Transport::Udp => false,
            Transport::Dtls => true,
            Transport::Tcp | Transport::Tls => reason.is_silence(),
        };
        if self.line.is_some_and(is_useless) {
            self.release_line();
        }
        let Some(recovery) = self.recovery.as_mut().filter(|_| reason.may_pass()) else {
            return self.fail(reason);
        };
        recovery.failed += 1;
        self.try_later(now, reason, reason.retry_after().unwrap_or_default());
    }
    /// Makes another attempt later: ever later, and not before `least`.
    fn try_later(&mut self, now: Instant, reason: FailureReason, least: Duration) {
        let Some(Recovery { until, failed }) = self.recovery else { return self.fail(reason) };
        let backoff = FIRST_WAIT.saturating_mul(1 << failed.saturating_sub(1).min(8)).min(LONGEST_WAIT);
        let spread = backoff.saturating_mul(self.rng.below(SPREAD) as u32) / 1000;
        let after = (backoff + spread).max(least);
        if now + after > until {
            return self.fail(reason);
        }
        self.state = State::Waiting;
        self.timers.clear_all();
        self.timers.set(Timer::Attempt, Some(now + after));
        self.events.push_back(Event::Retrying { reason, after });
    }
    /// The allocation has gone: another one is asked for, at once unless the last one went as quickly.
    pub(super) fn on_lost(&mut self, now: Instant, reason: FailureReason) {
        self.leave_allocation();
        self.channels.allocation_gone(now);
        self.stats.lost += 1;
        self.events.push_back(Event::Lost { reason });
        if self.config.recover.is_zero() {
            return self.fail(reason);
        }
        let failed = match self.lost_before {
            Some((at, times)) if now < at + QUICKLY => times + 1,
            _ => 0,
        };
        self.lost_before = Some((now, failed));
        if reason == FailureReason::Expired
            && self.line.is_some_and(|line| line.path.transport != Transport::Udp)
        {
            // Nothing came of any Refresh: there may be nobody at the other end, and no word of that will ever come.
            self.release_line();
        }
        self.recovery = Some(Recovery { until: now + self.config.recover, failed });
        let without = self.setup.without.take();
        self.setup = Setup { without, server: self.setup.server, ..Setup::new(&self.config) };
        if failed > 0 { self.try_later(now, reason, Duration::ZERO) } else { self.begin(now) }
    }
    /// What goes with an allocation: requests, the paths of a move, TCP connections; permissions and channels wait for the
    /// next one.
    pub(super) fn leave_allocation(&mut self) {
        self.cancel(|_| true);
        if let State::Allocated(allocation) = core::mem::replace(&mut self.state, State::Waiting) {
            let moving = allocation.moving.and_then(|moving| match moving.step {
                MoveStep::Asking(line) => Some(line),
                MoveStep::Opening(_) => None,
            });
            for line in [moving, allocation.old].into_iter().flatten() {
                self.release(line);
            }
        }
        self.timers.clear_all();
        self.end_connections();
        self.permissions.allocation_gone();
    }
    /// The end.
    pub(super) fn fail(&mut self, reason: FailureReason) {
        self.end(Event::Failed { reason });
    }
    pub(super) fn end(&mut self, last: Event) {
        if matches!(self.state, State::Ended) {
            return;
        }
        self.leave_allocation();
        self.channels.retain(|_, _| false);
        self.release_line();
        self.state = State::Ended;
        self.events.push_back(last);
    }
}
