//! Client transactions (RFC 8489 sections 6.2, 6.3, 9.1, 9.2 and 10): asks servers, very many at once.
//!
//! ```text
//!            start                 sent, Rc not reached: Retransmit after RTO, 2 RTO, 4 RTO ...
//!  (nothing) -----> [ to be sent ] ---------> [ waiting ] --timer--> [ to be sent ]
//!                    ^    ^         sent, Rc reached: GiveUp after Rm x RTO; over a stream: after Ti
//!                    |    |        ---------> [ waiting ] --timer--> Failed(TimedOut or IntegrityViolated)
//!                    |    |                   [ waiting ] --ICMP, hard--> Failed(Unreachable)
//!                    |    |                   [ waiting ] --response, checked--> Mapped, Failed, or a Response
//!                    |    +-- 401, 438, 300 over UDP -+
//!                    |                                +-- 500 --> [ repeating ] --timer--> [ to be sent ]
//!                    +-------------- follow ----------+-- 300 over a connection --> [ following ] --timer--> Failed
//! ```
//!
//! A response counts only on the path of its request or one that the request names, with its method, and made with the
//! credential that the request bore. What fails these checks is discarded, and the schedule goes on (SECURITY.md, case
//! 15). 401, 438, 300 and 500 lead to a new transaction of the same [`RequestId`].
//!
//! What is learnt of a server stays: the round trip (`rto`), and the realm, nonce and key (`auth`), so that later
//! requests are authenticated at once.
//!
//! ICMP errors are not authenticated. One counts only for requests that were sent on just its path and are not answered,
//! only if it is hard ([`IcmpError::is_hard`]), and not at all with [`ClientConfig::with_heed_icmp`] off.
//!
//! Left out: connections, which the caller opens; and waiting for one of a server's ten transactions over UDP to end, which
//! is an error at the start. What waits here would be asked in the order of its coming, 39.5 s later for each ten that a
//! dead server leaves unanswered; who knows what is urgent, a refresh before another channel, keeps the order better.

mod auth;
mod cache;
mod config;
mod event;
#[doc(hidden)]
pub mod fuzz;
mod request;
mod response;
mod rto;
mod table;
mod timers;
mod transaction;

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ginnel_core::{
    Handled, IcmpError, Instant, NoRoom, Notice, Packet, Path, Receive, Rng, Seed, Transmit, Wake,
};

use auth::Learnt;
pub(crate) use request::KNOWN;
use request::{Build, boxed};
use rto::Rtos;
use table::Table;
use timers::Timers;
use transaction::{History, Kind, Timer, Transaction};

pub use config::ClientConfig;
pub use event::{AlternateRefusal, Discard, Discarded, Event, FailureReason, Response, StartError, Stats};
pub use request::{MAX_RESPONSE_PATHS, Request, RequestId};
pub(crate) use response::is_askable;

use crate::{
    message::{Message, Method, TransactionId},
    writer::MessageWriter,
};

/// Asks STUN servers, and pairs what they answer with what was asked.
///
/// | kind | verbs |
/// |---|---|
/// | commands | [`binding`](Self::binding), [`request`](Self::request), [`follow`](Self::follow), [`cancel`](Self::cancel) |
/// | tell | [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout), [`handle_notice`](Self::handle_notice), [`close`](Self::close) |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_request`](Self::poll_request), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed) |
/// | look | [`in_progress`](Self::in_progress), [`rto`](Self::rto), [`stats`](Self::stats) |
///
/// After each command and each tell, drain transmits, then events, then ask for the wake-up: [`ginnel_core::settle`]
/// does it in this order, and [`ginnel_core`] says why.
///
/// ```
/// use ginnel_core::{Instant, Packet, Path, Receive, Seed};
/// use ginnel_stun::{BindingServer, ServerConfig, client::{Client, ClientConfig, Event}};
///
/// let mut client = Client::new(ClientConfig::default(), Seed::new([1; 32]));
/// let mut server = BindingServer::new(ServerConfig::default(), Seed::new([8; 32]));
/// let path = Path::udp("192.0.2.1:5000".parse()?, "198.51.100.1:3478".parse()?);
/// client.binding(Instant::EPOCH, path)?;
/// let mut buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buffer);
/// while let Some(transmit) = client.poll_transmit(Instant::EPOCH, &mut packet) {
///     let mut there = Receive::new(transmit.path.reversed(), packet); // the network
///     let _ = server.handle_input(Instant::EPOCH, &mut there); // answers over the question
///     let mut back = Receive::new(path, there.packet);
///     let _ = client.handle_input(Instant::EPOCH, &mut back);
///     packet = back.packet;
/// }
/// let Some(Event::Mapped { mapped, .. }) = client.poll_event() else { panic!("no answer") };
/// assert_eq!(mapped, path.local);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    rng: Rng,
    table: Table,
    timers: Timers,
    rtos: Rtos,
    learnt: Learnt,
    /// At most two for each of [`ClientConfig::max_transactions`], which counts events too: one on the way, one at the end.
    events: VecDeque<Event>,
    closed: bool,
    stats: Stats,
}

impl Client {
    /// A client that has asked nobody yet.
    #[must_use]
    pub fn new(config: ClientConfig, seed: Seed) -> Self {
        Self {
            config,
            rng: seed.fork("stun transaction ids").into_rng(),
            table: Table::default(),
            timers: Timers::default(),
            rtos: Rtos::new(config.max_servers),
            learnt: Learnt::new(config.max_servers),
            events: VecDeque::new(),
            closed: false,
            stats: Stats::default(),
        }
    }

    /// Asks for our address as the server on `path` sees it. Ends in [`Event::Mapped`] or [`Event::Failed`].
    pub fn binding(&mut self, now: Instant, path: Path) -> Result<RequestId, StartError> {
        self.start(now, path, Kind::Binding, Request::new(Method::BINDING), None)
    }
    /// Asks anything: `build` adds the attributes, the client those of the credential, message integrity and FINGERPRINT.
    /// Ends in a [`Response`] as data, or in [`Event::Failed`].
    ///
    /// Each attempt after a challenge or a redirection is a message of its own, under another transaction ID: `build` is
    /// kept and called again for it, so that addresses which the ID veils come out right.
    ///
    /// ```
    /// use ginnel_core::{Instant, Path, Seed};
    /// use ginnel_stun::{LongTermCredential, Method, attribute::Software};
    /// use ginnel_stun::client::{Client, ClientConfig, Request};
    ///
    /// let mut client = Client::new(ClientConfig::default(), Seed::new([1; 32]));
    /// let path = Path::udp("192.0.2.1:5000".parse()?, "198.51.100.1:3478".parse()?);
    /// let request = Request::new(Method::BINDING).with_credential(LongTermCredential::new("user", "pass")?);
    /// client.request(Instant::EPOCH, path, request, |open| match Software::new("mine") {
    ///     Ok(software) => open.attribute(&software),
    ///     Err(_) => Ok(open),
    /// })?;
    /// assert_eq!(client.in_progress(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request(
        &mut self,
        now: Instant,
        path: Path,
        request: Request,
        build: impl for<'p, 'b> Fn(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>
        + Send
        + Sync
        + 'static,
    ) -> Result<RequestId, StartError> {
        self.start(now, path, Kind::Request, request, Some(boxed(build)))
    }
    /// After [`Event::Alternate`]: asks the other server, over the connection that was opened to it.
    pub fn follow(&mut self, now: Instant, request: RequestId, path: Path) -> Result<(), StartError> {
        if self.closed {
            return Err(StartError::Closed);
        }
        let slot = self.table.slot_of(request).ok_or(StartError::NotWaiting)?;
        let waits = |it: &Transaction| it.timer == Some(Timer::Follow);
        if !self.table.get(slot).is_some_and(waits) {
            return Err(StartError::NotWaiting);
        }
        if self.is_busy(path) {
            return Err(StartError::TooManyToServer);
        }
        self.go_on(now, slot, path);
        Ok(())
    }
    /// Forgets a request, without an event. False if there is no such.
    pub fn cancel(&mut self, request: RequestId) -> bool {
        self.table.slot_of(request).is_some_and(|slot| self.remove(slot).is_some())
    }

    fn start(
        &mut self,
        now: Instant,
        path: Path,
        kind: Kind,
        request: Request,
        build: Option<Box<Build>>,
    ) -> Result<RequestId, StartError> {
        if self.closed {
            return Err(StartError::Closed);
        }
        if self.table.len() + self.events.len() >= self.config.max_transactions {
            return Err(StartError::TooMany);
        }
        if self.is_busy(path) {
            return Err(StartError::TooManyToServer);
        }
        let auth = self.learnt.auth(&path, request.credential.as_ref());
        let mut transaction = Transaction {
            id: TransactionId::draw(&mut self.rng),
            path,
            request,
            kind,
            build,
            auth,
            octets: Box::default(),
            rto: self.rtos.rto(now, path.remote.ip(), &self.config),
            sent: 0,
            first_sent: None,
            timer: None,
            violated: false,
            discarded: Discarded::default(),
            history: History::default(),
        };
        transaction.write(&self.config).map_err(|NoRoom| StartError::NoRoom)?;
        let request = self.table.insert(transaction).ok_or(StartError::TooMany)?;
        self.table.enqueue(request.slot());
        // What comes later, answers and timers, allocates nothing.
        self.timers.reserve(self.table.capacity());
        self.events.reserve(2 * self.table.len());
        self.stats.started += 1;
        Ok(request)
    }
    /// RFC 8489 section 6.2: whether this server has as many requests as it may have at once. A stream limits by itself.
    fn is_busy(&self, path: Path) -> bool {
        !path.transport.is_stream()
            && self.table.len_with(path.remote) >= self.config.max_transactions_per_server
    }
    /// Begins another attempt of a request, on this path, at once or later: a new transaction (RFC 8489 section 6.1).
    fn attempt(&mut self, now: Instant, slot: u32, path: Path, later: Option<Instant>) {
        let id = TransactionId::draw(&mut self.rng);
        self.timers.clear(slot);
        self.table.unqueue(slot);
        self.table.rename(slot, id, path.remote);
        let Some(transaction) = self.table.get_mut(slot) else { return };
        transaction.path = path;
        transaction.rto = self.rtos.rto(now, path.remote.ip(), &self.config);
        if transaction.write(&self.config).is_err() {
            return self.fail(slot, FailureReason::NoRoom);
        }
        match later {
            None => self.table.enqueue(slot),
            Some(at) => {
                transaction.timer = Some(Timer::Repeat);
                self.timers.set(slot, at);
            }
        }
    }

    /// One arrival: [`Handled::Data`] is the answer to a [`Client::request`], still in the packet. Requests, indications
    /// and the answers to others' questions are [`Handled::Foreign`].
    pub fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled<Response> {
        if self.closed {
            return Handled::Foreign;
        }
        let Ok(message) = Message::parse(input.packet.bytes()) else { return Handled::Foreign };
        if !message.class().is_response() {
            return Handled::Foreign;
        }
        let slot = self.table.find(message.transaction_id());
        // What was not sent yet, nobody can answer.
        let asked = slot.and_then(|slot| Some((slot, self.table.get(slot).filter(|it| it.sent > 0)?)));
        let Some((slot, transaction)) = asked else {
            self.stats.unknown_transaction += 1;
            return Handled::Foreign;
        };
        let verdict = self.judge(transaction, input.path, &message);
        self.conclude(now, slot, verdict, &message)
    }

    /// Fires what is due: sends again, or gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, slot)) = self.timers.first() {
            if at > now {
                return;
            }
            self.timers.clear(slot);
            let Some(transaction) = self.table.get_mut(slot) else { continue };
            match transaction.timer.take() {
                None => {}
                Some(Timer::Retransmit | Timer::Repeat) => self.table.enqueue(slot),
                Some(Timer::GiveUp) => {
                    let reason = transaction.expired();
                    self.fail(slot, reason);
                }
                Some(Timer::Follow) => {
                    self.fail(slot, FailureReason::Alternate(AlternateRefusal::NotFollowed));
                }
            }
        }
    }
    /// News of sockets: what was asked through one that is lost has failed (RFC 8489 section 6.2.2).
    pub fn handle_notice(&mut self, _now: Instant, notice: Notice) {
        match notice {
            Notice::Lost { remote, .. } => {
                // Whoever waits for the connection to another server needs this one no longer.
                let lost = |it: &Transaction| notice.ends(it.path) && it.timer != Some(Timer::Follow);
                match remote {
                    Some(remote) => _ = self.fail_with(remote, FailureReason::SocketLost, lost),
                    None => self.fail_all(FailureReason::SocketLost, lost),
                }
            }
            Notice::Unreachable { path, error } => self.on_icmp(path, error),
            Notice::Opened { .. } | Notice::Accepted { .. } | Notice::Spliced { .. } => {}
        }
    }
    /// RFC 8489 section 6.2.1: a hard error fails what was sent on this path and is not answered. It may be forged, so it
    /// says nothing of what was not sent, nor of what would have passed where *too big* is said.
    fn on_icmp(&mut self, path: Path, error: IcmpError) {
        let hit = |it: &Transaction| {
            it.path == path && it.sent > 0 && error.mtu().is_none_or(|mtu| it.is_larger_than(mtu))
        };
        let failed = if self.config.heed_icmp && error.is_hard() && !path.transport.is_stream() {
            self.fail_with(path.remote, FailureReason::Unreachable(error), hit)
        } else {
            0
        };
        self.stats.icmp_hard += failed;
        self.stats.icmp_ignored += u64::from(failed == 0);
    }
    /// Writes the next request that is due.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        let slot = self.table.front()?;
        let transaction = self.table.get_mut(slot)?;
        packet.clear();
        // A packet that is smaller than the contract's `Buffer`: nothing is lost, a larger one takes it.
        packet.append(&transaction.octets).ok()?;
        let at = transaction.on_sent(now, &self.config);
        self.stats.sent += 1;
        self.stats.retransmitted += u64::from(transaction.sent > 1);
        let transmit = Transmit::to(transaction.path);
        self.table.unqueue(slot);
        self.timers.set(slot, at);
        Some(transmit)
    }
    /// Nothing: a client uses the sockets it is given.
    pub fn poll_request(&mut self) -> Option<ginnel_core::Request> {
        None
    }
    /// What became of a request.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        let (at, slot) = self.timers.first()?;
        let why = match self.table.get(slot)?.timer? {
            Timer::Retransmit => "stun: send the request again",
            Timer::GiveUp => "stun: give the request up",
            Timer::Repeat => "stun: repeat the request after a server error",
            Timer::Follow => "stun: give up waiting for the alternate server",
        };
        Some(Wake::new(at, why))
    }
    /// Ends at once: every request fails, and [`Event::Closed`] is the last event.
    pub fn close(&mut self, _now: Instant) {
        if self.closed {
            return;
        }
        self.fail_all(FailureReason::Closed, |_| true);
        self.closed = true;
        self.events.push_back(Event::Closed);
    }
    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }
    /// Requests that have not ended.
    #[must_use]
    pub fn in_progress(&self) -> usize {
        self.table.len()
    }
    /// The retransmission timeout that a request to this server would begin with (RFC 8489 section 6.2.1).
    #[must_use]
    pub fn rto(&self, now: Instant, server: IpAddr) -> Duration {
        self.rtos.rto(now, server, &self.config)
    }
    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Fails requests of one server, and says how many.
    fn fail_with(
        &mut self,
        server: SocketAddr,
        reason: FailureReason,
        of: impl Fn(&Transaction) -> bool,
    ) -> u64 {
        let (mut next, mut failed) = (self.table.next_with(server, None), 0);
        while let Some(slot) = next {
            next = self.table.next_with(server, Some(slot));
            if self.table.get(slot).is_some_and(&of) {
                self.fail(slot, reason);
                failed += 1;
            }
        }
        failed
    }
    fn fail_all(&mut self, reason: FailureReason, of: impl Fn(&Transaction) -> bool) {
        let slots: Vec<u32> =
            self.table.slots().filter(|&slot| self.table.get(slot).is_some_and(&of)).collect();
        for slot in slots {
            self.fail(slot, reason);
        }
    }
    fn fail(&mut self, slot: u32, reason: FailureReason) {
        let request = self.table.request_of(slot);
        let Some(transaction) = self.remove(slot) else { return };
        self.stats.failed += 1;
        self.events.push_back(Event::Failed { request, path: transaction.path, reason });
    }
    fn remove(&mut self, slot: u32) -> Option<Transaction> {
        self.timers.clear(slot);
        self.table.remove(slot)
    }
}
ginnel_core::machine!(impl [] Client { Event = Event; Data = Response; } [requests]);

#[cfg(test)]
mod tests;
