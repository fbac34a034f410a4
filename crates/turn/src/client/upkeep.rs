//! Keeping an allocation, moving it, and giving it up (RFC 8656 section 8, RFC 8016 section 3.2).

use core::time::Duration;

use ginnel_core::{Instant, Packet, Refused, Ticket, Transmit, Transport};
use ginnel_stun::{
    Class, MessageWriter, Method, TransactionId,
    attribute::{AddressFamily, Lifetime, MobilityTicket, RequestedAddressFamily},
};

use super::{
    Client,
    allocate::ticket_in,
    config::Socket,
    event::{Event, FailureReason, PeerError},
    requests::Answer,
    state::{After, Allocation, Line, Move, MoveStep, Purpose, State},
    timers::Timer,
};

/// How long before its end an allocation is refreshed: time for all seven sendings of a Refresh (RFC 8489 section 6.2.1:
/// 39.5 s) and some more.
const REFRESH_MARGIN: Duration = Duration::from_secs(60);
/// The least wait between two Refreshes, whatever lifetime the server gives.
const REFRESH_LEAST: Duration = Duration::from_millis(500);
/// The first and the longest wait after a Refresh that failed.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(30);
/// How long the answer to the goodbye is waited for.
const GOODBYE: Duration = Duration::from_secs(4);
/// How long the path before a move is kept: the server uses it until data comes on the new one (RFC 8016 section 3.2.2).
const OLD_PATH: Duration = Duration::from_secs(30);

impl Allocation {
    pub(super) fn is_opening(&self, ticket: Ticket) -> bool {
        self.moving.is_some_and(|moving| matches!(moving.step, MoveStep::Opening(it) if it == ticket))
    }
    /// The ways by which its server reaches us, beside the main one.
    pub(super) fn side_lines(&self) -> impl Iterator<Item = Line> + use<> {
        let moving = self.moving.and_then(|moving| match moving.step {
            MoveStep::Asking(line) => Some(line),
            MoveStep::Opening(_) => None,
        });
        [self.old, moving].into_iter().flatten()
    }
}

impl Client {
    /// The server keeps the allocation for so long, counted from when it was asked: it may have heard the first of several
    /// sendings, and the answer may be late.
    pub(super) fn keep_until(&mut self, now: Instant, since: Instant, lifetime: Duration) {
        let early = if lifetime > 2 * REFRESH_MARGIN { lifetime - REFRESH_MARGIN } else { lifetime / 2 };
        self.timers.set(Timer::Refresh, Some((since + early).max(now + REFRESH_LEAST)));
        self.timers.set(Timer::Expiry, Some(since + lifetime));
        if self.is_datagram_line() {
            self.timers.set(Timer::Keepalive, self.config.keepalive.map(|period| now + period));
        }
    }
    pub(super) fn is_datagram_line(&self) -> bool {
        self.line.is_some_and(|line| !line.path.transport.is_stream())
    }

    /// Asks for the lifetime of the config, unless that is asked for already (RFC 8656 section 8.1).
    pub(super) fn start_refresh(&mut self, now: Instant) {
        let (State::Allocated(_), Some(line)) = (&self.state, self.line) else { return };
        if self.is_asking(Purpose::Refresh) {
            return;
        }
        self.timers.clear(Timer::Refresh);
        let lifetime =
            self.config.lifetime.map(|it| Lifetime(u32::try_from(it.as_secs()).unwrap_or(u32::MAX)));
        let started =
            self.ask(now, line.path, Method::REFRESH, Purpose::Refresh, move |open| match &lifetime {
                Some(lifetime) => open.attribute(lifetime),
                None => Ok(open),
            });
        if let Err(error) = started {
            self.on_refresh_failed(now, FailureReason::NotStarted(error));
        }
    }
    pub(super) fn on_refresh_answer(&mut self, now: Instant, answer: &Answer<'_>) {
        match answer.error {
            None => match answer.message.get::<Lifetime>().ok().flatten().map(Lifetime::duration) {
                Some(lifetime) if !lifetime.is_zero() => {
                    self.on_refreshed(now, answer.since, lifetime);
                }
                _ => self.on_lost(now, FailureReason::Expired),
            },
            // RFC 8656 section 8.3: it no longer exists. 441: it is somebody else's.
            Some(code @ (437 | 441)) => self.on_lost(now, FailureReason::of_code(code)),
            Some(code) => self.on_refresh_failed(now, FailureReason::of_code(code)),
        }
    }
    fn on_refreshed(&mut self, now: Instant, since: Instant, lifetime: Duration) {
        let State::Allocated(allocation) = &mut self.state else { return };
        (allocation.expires, allocation.given.lifetime, allocation.failed) = (since + lifetime, lifetime, 0);
        self.stats.refreshes += 1;
        self.keep_until(now, since, lifetime);
        self.events.push_back(Event::Refreshed { lifetime });
    }
    /// It is tried again as long as the allocation lives; but what the credentials have lost, no time brings back.
    pub(super) fn on_refresh_failed(&mut self, now: Instant, reason: FailureReason) {
        let State::Allocated(allocation) = &mut self.state else { return };
        if reason.is_of_credentials() {
            return self.on_lost(now, reason);
        }
        let wait = RETRY_FIRST.saturating_mul(1 << allocation.failed.min(8)).min(RETRY_LONGEST);
        allocation.failed += 1;
        let expires_in = allocation.expires.saturating_since(now);
        self.timers.set(Timer::Refresh, Some(now + wait));
        self.events.push_back(Event::RefreshFailed { reason, expires_in });
    }
    /// Something says that the server may have forgotten us: it is asked, unless it is being asked.
    pub(super) fn ask_if_alive(&mut self, now: Instant) {
        if let State::Allocated(allocation) = &self.state
            && allocation.failed == 0
        {
            self.start_refresh(now);
        }
    }

    /// Gives the allocation up (RFC 8656 section 8.1: lifetime 0).
    pub(super) fn delete(&mut self, now: Instant, after: After) {
        self.leave_allocation();
        self.channels.allocation_gone(now);
        self.state = State::Deleting(after);
        let asked = self.line.is_some_and(|line| {
            self.ask(now, line.path, Method::REFRESH, Purpose::Delete, |open| open.attribute(&Lifetime(0)))
                .is_ok()
        });
        if asked {
            self.timers.set(Timer::Deleting, Some(now + GOODBYE));
        } else {
            self.on_deleted(now);
        }
    }
    /// RFC 8656 section 8.3: a success, or a 437, says that it is gone; with anything else it expires.
    pub(super) fn on_deleted(&mut self, now: Instant) {
        let State::Deleting(after) = self.state else { return };
        self.cancel(|_| true);
        self.timers.clear(Timer::Deleting);
        match after {
            After::Close => self.end(Event::Closed),
            After::Fail(reason) => self.fail(reason),
            After::Again => self.on_lost(now, FailureReason::OutOfSync),
        }
    }
    /// One of two relayed addresses is deleted (RFC 8656 section 8.1).
    pub(super) fn start_family_release(
        &mut self,
        now: Instant,
        family: AddressFamily,
    ) -> Result<(), PeerError> {
        let (State::Allocated(allocation), Some(line)) = (&self.state, self.line) else {
            return Err(PeerError::NotAllocated);
        };
        let relayed = allocation.given.relayed;
        if relayed.ipv4.is_none() || relayed.ipv6.is_none() {
            return Err(PeerError::WrongFamily);
        }
        let purpose = Purpose::DeleteFamily(family);
        if self.on_their_way.iter().any(|(_, other, _)| matches!(other, Purpose::DeleteFamily(_))) {
            return Ok(());
        }
        self.ask(now, line.path, Method::REFRESH, purpose, move |open| {
            open.attribute(&Lifetime(0))?.attribute(&RequestedAddressFamily(family))
        })
        .map(|_| ())
        .map_err(|_| PeerError::TooMany)
    }
    pub(super) fn on_family_deleted(
        &mut self,
        now: Instant,
        family: AddressFamily,
        refused: Option<FailureReason>,
    ) {
        let State::Allocated(allocation) = &mut self.state else { return };
        if let Some(reason) = refused {
            let expires_in = allocation.expires.saturating_since(now);
            self.events.push_back(Event::RefreshFailed { reason, expires_in });
            return;
        }
        let relayed = &mut allocation.given.relayed;
        match family {
            AddressFamily::Ipv4 => relayed.ipv4 = None,
            AddressFamily::Ipv6 => relayed.ipv6 = None,
        }
        self.setup.without = Some((family, None));
        self.forget_unreachable();
    }

    /// Begins a move (RFC 8016 section 3.2.1).
    pub(super) fn move_to(&mut self, now: Instant, socket: Socket) {
        let server = self.setup.server;
        let State::Allocated(_) = &self.state else { return };
        self.end_move();
        let step = match socket {
            Socket::Lent(local) if server.transport == Transport::Udp => {
                let path = ginnel_core::Path::udp(local, server.address);
                MoveStep::Asking(Line { path, own: false })
            }
            socket => MoveStep::Opening(self.request_socket(server, socket.ip())),
        };
        if let State::Allocated(allocation) = &mut self.state {
            allocation.moving = Some(Move { socket, step });
        }
        if let MoveStep::Asking(line) = step {
            self.ask_to_move(now, line);
        }
    }
    /// Lets a move that is under way go.
    fn end_move(&mut self) {
        self.cancel(|purpose| purpose == Purpose::Move);
        let State::Allocated(allocation) = &mut self.state else { return };
        if let Some(Move { step: MoveStep::Asking(line), .. }) = allocation.moving.take() {
            self.release(line);
        }
    }
    pub(super) fn on_move_opened(&mut self, now: Instant, opened: Result<Line, Refused>) {
        let State::Allocated(allocation) = &mut self.state else { return };
        match (opened, &mut allocation.moving) {
            (Ok(line), Some(moving)) => {
                moving.step = MoveStep::Asking(line);
                self.ask_to_move(now, line);
            }
            (Ok(line), None) => self.release(line),
            (Err(refused), _) => self.on_move_failed(now, FailureReason::Socket(refused)),
        }
    }
    fn ask_to_move(&mut self, now: Instant, line: Line) {
        let State::Allocated(allocation) = &self.state else { return };
        let Some(ticket) = allocation.ticket.clone() else {
            return self.on_move_failed(now, FailureReason::NoTicket);
        };
        let asked = self.ask(now, line.path, Method::REFRESH, Purpose::Move, move |open| {
            open.attribute(&MobilityTicket(&ticket))
        });
        if let Err(error) = asked {
            self.on_move_failed(now, FailureReason::NotStarted(error));
        }
    }
    pub(super) fn on_move_answer(&mut self, now: Instant, answer: &Answer<'_>) {
        if let Some(code) = answer.error {
            return self.on_move_failed(now, FailureReason::of_code(code));
        }
        let State::Allocated(allocation) = &mut self.state else { return };
        let Some(Move { socket, step: MoveStep::Asking(line) }) = allocation.moving.take() else { return };
        // RFC 8016 section 3.2.2: the next move takes the new ticket.
        if let Some(ticket) = ticket_in(&answer.message) {
            allocation.ticket = Some(ticket);
        }
        let lifetime = answer.message.get::<Lifetime>().ok().flatten().map(Lifetime::duration);
        let lifetime = lifetime.filter(|it| !it.is_zero()).unwrap_or(allocation.given.lifetime);
        (allocation.expires, allocation.given.lifetime, allocation.failed) =
            (answer.since + lifetime, lifetime, 0);
        allocation.given.path = line.path;
        let older = core::mem::replace(&mut allocation.old, self.line.replace(line));
        (self.config.socket, self.lent_is_lost) = (socket, false);
        if let Some(older) = older {
            self.release(older);
        }
        // Requests that went the old way are asked anew.
        self.cancel(|purpose| {
            !matches!(purpose, Purpose::Connect(_) | Purpose::ConnectionBind(_) | Purpose::DeleteFamily(_))
        });
        self.permissions.ask_again(now);
        self.channels.ask_again(now);
        self.stats.moves += 1;
        self.keep_until(now, answer.since, lifetime);
        self.timers.set(Timer::OldPath, Some(now + OLD_PATH));
        self.events.push_back(Event::Moved { path: line.path });
    }
    pub(super) fn on_move_failed(&mut self, now: Instant, reason: FailureReason) {
        self.end_move();
        if matches!(self.state, State::Allocated(_)) {
            self.events.push_back(Event::MoveFailed { reason });
            // RFC 8016 section 3.2.2: with 437, the server does not know the ticket's allocation any more.
            if self.line.is_none() || reason == FailureReason::AllocationMismatch {
                self.on_lost(now, reason);
            }
        }
    }
    /// Lets the path before the last move go.
    pub(super) fn release_old_path(&mut self) {
        if let State::Allocated(allocation) = &mut self.state
            && let Some(line) = allocation.old.take()
        {
            self.release(line);
        }
    }

    /// Writes a Binding indication, if it is time for one (RFC 8489 section 6.3.2: it is not answered).
    pub(super) fn write_keepalive(&mut self, packet: &mut Packet<'_>) -> Option<Transmit> {
        if !core::mem::take(&mut self.keepalive_due) {
            return None;
        }
        let line = self.line?;
        let id = TransactionId::draw(&mut self.rng);
        MessageWriter::new(packet, Class::Indication, Method::BINDING, id).ok()?.finish();
        self.stats.keepalives += 1;
        Some(Transmit::to(line.path))
    }
}
impl FailureReason {
    /// Whether the server does not serve the user any more, as the answer to a Refresh.
    const fn is_of_credentials(&self) -> bool {
        matches!(self, Self::Forbidden) || self.is_of_user()
    }
    /// Whether nothing came back that this server has said.
    pub(super) const fn is_silence(&self) -> bool {
        use ginnel_stun::client::FailureReason as Stun;
        matches!(self, Self::Transaction(Stun::TimedOut(_) | Stun::Unreachable(_) | Stun::SocketLost))
            || matches!(self, Self::SocketLost)
    }
    /// Whether the server does not know the user any more, whatever was asked.
    pub(super) const fn is_of_user(&self) -> bool {
        use ginnel_stun::client::FailureReason as Stun;
        match self {
            Self::WrongCredentials => true,
            Self::Transaction(reason) => matches!(
                reason,
                Stun::Unauthenticated
                    | Stun::TooManyChallenges
                    | Stun::WrongRealm
                    | Stun::BidDown
                    | Stun::BadChallenge
                    | Stun::NoCommonAlgorithm
            ),
            _ => false,
        }
    }
}
