//! Client transactions (RFC 8489 sections 6.2, 6.3.3, 6.3.4 and 9.1.4): asks servers, many at once.
//!
//! ```text
//!            start                 sent, Rc not reached: Retransmit after RTO, 2 RTO, 4 RTO ...
//!  (nothing) -----> [ to be sent ] ---------> [ waiting ] --timer--> [ to be sent ]
//!                                   sent, Rc reached: GiveUp after Rm x RTO; over a stream: after Ti
//!                                  ---------> [ waiting ] --timer--> Failed(TimedOut or IntegrityViolated)
//!                                             [ waiting ] --response, checked--> Mapped, Failed, or a Response
//! ```
//!
//! A response counts only on the path of its request, with its method, with the integrity that was asked for. What
//! fails these checks is discarded, and the schedule goes on (SECURITY.md, case 15).
//! Left out so far: an RTO learnt from earlier transactions, long-term credentials, ALTERNATE-SERVER.

mod config;
mod event;
mod transaction;

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

use ginnel_core::{
    Buffer, Handled, Instant, NoRoom, Notice, Packet, Path, Receive, Rng, Seed, Transmit, Wake,
};

pub(crate) use transaction::KNOWN;
use transaction::{Kind, Timer, Transaction};

pub use config::ClientConfig;
pub use event::{Event, FailureReason, Response, StartError, Stats};
pub use transaction::{Algorithms, Request};

use crate::{
    attribute::{ErrorCode, XorMappedAddress},
    fingerprint::Fingerprint,
    integrity::IntegrityAlgorithm,
    message::{Class, Message, Method, TransactionId},
    writer::MessageWriter,
};

/// Asks STUN servers, and pairs what they answer with what was asked.
///
/// | kind | verbs |
/// |---|---|
/// | commands | [`binding`](Self::binding), [`request`](Self::request), [`cancel`](Self::cancel) |
/// | tell | [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout), [`handle_notice`](Self::handle_notice), [`close`](Self::close) |
/// | ask | [`poll_transmit`](Self::poll_transmit), [`poll_request`](Self::poll_request), [`poll_event`](Self::poll_event), [`poll_timeout`](Self::poll_timeout), [`is_closed`](Self::is_closed) |
/// | look | [`in_progress`](Self::in_progress), [`stats`](Self::stats) |
///
/// After each command and each tell, drain transmits, then events, then ask for the wake-up: [`ginnel_core::settle`]
/// does it in this order, and [`ginnel_core`] says why.
///
/// ```
/// use ginnel_core::{Instant, Packet, Path, Receive, Seed};
/// use ginnel_stun::{BindingServer, client::{Client, ClientConfig, Event}};
///
/// let mut client = Client::new(ClientConfig::default(), Seed::new([1; 32]));
/// let mut server = BindingServer::new();
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
    transactions: BTreeMap<TransactionId, Transaction>,
    /// When each waiting transaction wants to be woken, soonest first.
    wakes: BTreeSet<(Instant, TransactionId)>,
    /// Requests that are due, each at most once.
    outbox: VecDeque<TransactionId>,
    /// At most as many as transactions were started: [`ClientConfig::max_transactions`] counts them too.
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
            transactions: BTreeMap::new(),
            wakes: BTreeSet::new(),
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            closed: false,
            stats: Stats::default(),
        }
    }

    /// Asks for our address as the server on `path` sees it. Ends in [`Event::Mapped`] or [`Event::Failed`].
    pub fn binding(&mut self, _now: Instant, path: Path) -> Result<TransactionId, StartError> {
        self.start(path, Kind::Binding, Request::new(Method::BINDING), |open| Ok(open))
    }
    /// Asks anything: `build` adds the attributes, the client message integrity and FINGERPRINT. Ends in a [`Response`]
    /// as data, or in [`Event::Failed`].
    pub fn request(
        &mut self,
        _now: Instant,
        path: Path,
        request: Request,
        build: impl for<'p, 'b> FnOnce(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>,
    ) -> Result<TransactionId, StartError> {
        self.start(path, Kind::Request, request, build)
    }
    /// Forgets a transaction, without an event. False if there is no such.
    pub fn cancel(&mut self, transaction: TransactionId) -> bool {
        self.remove(transaction).is_some()
    }

    fn start(
        &mut self,
        path: Path,
        kind: Kind,
        request: Request,
        build: impl for<'p, 'b> FnOnce(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>,
    ) -> Result<TransactionId, StartError> {
        if self.closed {
            return Err(StartError::Closed);
        }
        if self.transactions.len() + self.events.len() >= self.config.max_transactions {
            return Err(StartError::TooMany);
        }
        let to_server = self.transactions.values().filter(|other| other.path.remote == path.remote).count();
        if to_server >= self.config.max_transactions_per_server {
            return Err(StartError::TooManyToServer);
        }
        let id = TransactionId::draw(&mut self.rng);
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        self.write(&mut packet, id, &request, build).map_err(|NoRoom| StartError::NoRoom)?;
        let octets = packet.bytes().into();
        let transaction = Transaction {
            path,
            request,
            kind,
            octets,
            sent: 0,
            first_sent: None,
            timer: None,
            violated: false,
        };
        self.transactions.insert(id, transaction);
        self.outbox.push_back(id);
        self.stats.started += 1;
        Ok(id)
    }
    fn write(
        &self,
        packet: &mut Packet<'_>,
        id: TransactionId,
        request: &Request,
        build: impl for<'p, 'b> FnOnce(MessageWriter<'p, 'b>) -> Result<MessageWriter<'p, 'b>, NoRoom>,
    ) -> Result<(), NoRoom> {
        use IntegrityAlgorithm::{Sha1, Sha256};
        let open = build(MessageWriter::new(packet, Class::Request, request.method, id)?)?;
        let fingerprint = self.config.fingerprint;
        match &request.protection {
            None if fingerprint => open.fingerprint()?,
            None => open.finish(),
            Some((key, algorithms)) => {
                let sealed = match algorithms {
                    Algorithms::Only(Sha1) => open.integrity_as(Sha1, key)?,
                    Algorithms::Only(Sha256) => open.integrity_sha256(key)?,
                    Algorithms::Both => open.integrity(key)?.integrity_sha256(key)?,
                };
                if fingerprint { sealed.fingerprint()? } else { sealed.finish() }
            }
        }
        Ok(())
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
        let id = message.transaction_id();
        let Some(transaction) = self.transactions.get_mut(&id) else {
            self.stats.unknown_transaction += 1;
            return Handled::Foreign;
        };
        let fingerprint = message.fingerprint();
        // RFC 8489 section 6.3 and SECURITY.md case 15: what fails these is as if it had never come.
        let discarded = if transaction.path != input.path {
            &mut self.stats.wrong_path
        } else if message.method() != transaction.request.method {
            &mut self.stats.wrong_method
        } else if fingerprint == Fingerprint::Bad
            || self.config.fingerprint && fingerprint == Fingerprint::Absent
        {
            &mut self.stats.bad_fingerprint
        } else if !transaction.accepts(&message) {
            transaction.violated = true;
            // RFC 8489 section 9.1.4: over a reliable transport it ends at once.
            if transaction.path.transport != ginnel_core::Transport::Udp {
                self.fail(id, FailureReason::IntegrityViolated);
            }
            &mut self.stats.bad_integrity
        } else {
            return self.on_response(now, &message);
        };
        *discarded += 1;
        Handled::Consumed
    }

    /// RFC 8489 sections 6.3.3 and 6.3.4: a response that passed every check ends its transaction.
    fn on_response(&mut self, now: Instant, message: &Message<'_>) -> Handled<Response> {
        let id = message.transaction_id();
        let Some(transaction) = self.transactions.get(&id) else { return Handled::Foreign };
        let (path, rtt) = (transaction.path, transaction.rtt(now));
        if message.unknown_required(transaction.request.known).next().is_some() {
            self.fail(id, FailureReason::ResponseNotUnderstood);
            return Handled::Consumed;
        }
        let error = match (message.class(), message.get::<ErrorCode<'_>>()) {
            (Class::Error, Ok(Some(error))) => Some(error.code()),
            (Class::Error, _) => {
                self.fail(id, FailureReason::NoErrorCode);
                return Handled::Consumed;
            }
            _ => None,
        };
        if transaction.kind == Kind::Request {
            self.remove(id);
            self.stats.answered += 1;
            return Handled::Data(Response { transaction: id, class: message.class(), rtt });
        }
        match (error, message.get::<XorMappedAddress>()) {
            (Some(code), _) => self.fail(id, FailureReason::Refused(code)),
            (None, Ok(Some(XorMappedAddress(mapped)))) => {
                self.remove(id);
                self.stats.answered += 1;
                self.events.push_back(Event::Mapped { transaction: id, path, mapped, rtt });
            }
            (None, _) => self.fail(id, FailureReason::NoMappedAddress),
        }
        Handled::Consumed
    }

    /// Fires what is due: sends again, or gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.wakes.first() {
            if at > now {
                return;
            }
            self.wakes.pop_first();
            let Some(transaction) = self.transactions.get_mut(&id) else { continue };
            match transaction.timer.take() {
                None => {}
                Some((_, Timer::Retransmit)) => self.outbox.push_back(id),
                Some((_, Timer::GiveUp)) if transaction.violated => {
                    self.fail(id, FailureReason::IntegrityViolated);
                }
                Some((_, Timer::GiveUp)) => self.fail(id, FailureReason::TimedOut),
            }
        }
    }
    /// News of sockets: what was asked through one that is lost has failed (RFC 8489 section 6.2.2).
    pub fn handle_notice(&mut self, _now: Instant, notice: Notice) {
        self.fail_all(FailureReason::SocketLost, |path: &Path| notice.ends(*path));
    }
    /// Writes the next request that is due.
    pub fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        loop {
            let id = self.outbox.pop_front()?;
            let Some(transaction) = self.transactions.get_mut(&id) else { continue };
            packet.clear();
            if packet.append(&transaction.octets).is_err() {
                // A packet that is smaller than the contract's `Buffer`: nothing is lost, a larger one takes it.
                self.outbox.push_front(id);
                return None;
            }
            let at = transaction.on_sent(now, &self.config);
            self.wakes.insert((at, id));
            self.stats.sent += 1;
            self.stats.retransmitted += u64::from(transaction.sent > 1);
            return Some(Transmit::to(transaction.path));
        }
    }
    /// Nothing: a client uses the sockets it is given.
    pub fn poll_request(&mut self) -> Option<ginnel_core::Request> {
        None
    }
    /// What became of a transaction.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wake> {
        let &(at, id) = self.wakes.first()?;
        let why = match self.transactions.get(&id)?.timer? {
            (_, Timer::Retransmit) => "stun: send the request again",
            (_, Timer::GiveUp) => "stun: give the request up",
        };
        Some(Wake::new(at, why))
    }
    /// Ends at once: every transaction fails, and [`Event::Closed`] is the last event.
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
    /// Transactions that have not ended.
    #[must_use]
    pub fn in_progress(&self) -> usize {
        self.transactions.len()
    }
    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    fn fail_all(&mut self, reason: FailureReason, of: impl Fn(&Path) -> bool) {
        let ids: Vec<_> =
            self.transactions.iter().filter(|(_, it)| of(&it.path)).map(|(&id, _)| id).collect();
        for id in ids {
            self.fail(id, reason);
        }
    }
    fn fail(&mut self, id: TransactionId, reason: FailureReason) {
        let Some(transaction) = self.remove(id) else { return };
        self.stats.failed += 1;
        self.events.push_back(Event::Failed { transaction: id, path: transaction.path, reason });
    }
    fn remove(&mut self, id: TransactionId) -> Option<Transaction> {
        let transaction = self.transactions.remove(&id)?;
        match transaction.timer {
            Some((at, _)) => {
                self.wakes.remove(&(at, id));
            }
            None => self.outbox.retain(|&other| other != id),
        }
        Some(transaction)
    }
}
ginnel_core::machine!(impl [] Client { Event = Event; Data = Response; } [requests]);

#[cfg(test)]
mod tests;
