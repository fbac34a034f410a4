//! One association: a handshake, then messages.

use std::collections::VecDeque;

use dimpl::{Dtls, Error, Output};
use ginnel_core::{Epoch, Instant, Packet, Path, Ticket};

use super::{COOKIE, Hello, Verify, number, renumber, with_cookie};
use crate::{Limits, stream::Source};

/// Messages that wait to be shown to the machine: those of one datagram.
const MAX_INBOX: usize = 32;
/// What the library writes into at first, and at most.
const SCRATCH: usize = 2_048;
const MAX_SCRATCH: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Association {
    pub(crate) path: Path,
    pub(crate) state: State,
    library: Box<Dtls>,
    /// Of a client.
    verify: Option<Verify>,
    /// Who has begun it, if not this side.
    pub(crate) accepted: Option<Source>,
    /// The client's, by which a new one is told from a repetition.
    pub(crate) random: [u8; 32],
    /// What is added to the sequence numbers of plain records.
    shift: u64,
    /// When the library wants to be called.
    wake: Option<Instant>,
    pub(crate) alarm: Option<Instant>,
    pub(crate) active: Instant,
    inbox: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

/// ```text
///   Shaking -- both Finished, and the certificate is trusted --> Open
///      |                                                          |
///      +-- refused, failed, too late                              +-- close_notify, released, idle
///      v                                                          v
///     gone                                                       gone
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Shaking { ticket: Option<Ticket>, until: Instant },
    Open,
}

/// What has come of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing that ends or begins.
    On,
    /// The handshake is done.
    Connected,
    /// The peer has said goodbye.
    Ended,
    /// The certificate is not to be trusted.
    Untrusted,
    Failed,
}

impl Association {
    pub(crate) fn new(
        now: Instant,
        path: Path,
        library: Dtls,
        state: State,
        verify: Option<Verify>,
        accepted: Option<Source>,
    ) -> Self {
        Self {
            path,
            state,
            library: Box::new(library),
            verify,
            accepted,
            random: [0; 32],
            shift: 0,
            wake: None,
            alarm: None,
            active: now,
            inbox: VecDeque::new(),
            spare: Vec::new(),
            scratch: vec![0; SCRATCH],
        }
    }

    /// It has come from another driver, whose time began elsewhere. When the library wants to be called is to be asked anew.
    pub(crate) fn arrived(&mut self, now: Instant) {
        (self.wake, self.alarm, self.active) = (None, None, now);
    }

    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let limit = match self.state {
            State::Shaking { until, .. } => Some(until),
            State::Open => self.accepted.map(|_| self.active + limits.idle),
        };
        [limit, self.wake].into_iter().flatten().min()
    }

    /// Whether it has had its time.
    pub(crate) fn is_overdue(&self, now: Instant, limits: &Limits) -> bool {
        match self.state {
            State::Shaking { until, .. } => until <= now,
            State::Open => self.accepted.is_some() && self.active + limits.idle <= now,
        }
    }

    /// A client whose cookie is right: the library is shown what it has not seen, and what it would have answered is dropped,
    /// since it was said already.
    pub(crate) fn greet(
        &mut self,
        now: Instant,
        epoch: Epoch,
        hello: &Hello<'_>,
        datagram: &[u8],
        send: &mut dyn FnMut(&[u8]),
    ) -> Step {
        let mut cookie = [0; COOKIE];
        if hello.cookie().len() != COOKIE {
            return Step::Failed;
        }
        cookie.copy_from_slice(hello.cookie());
        self.random = hello.random;
        // The library would count from its own HelloVerifyRequest, the one that it thinks was sent. But the first ServerHello
        // bears the number of its ClientHello (RFC 6347 section 4.2.1): a lower one may have been a request's, and then the
        // client takes it for a replay.
        self.shift = number(hello.sequence()).wrapping_sub(1);
        let first = hello.first();
        with_cookie(hello.random, cookie, || {
            let shown = self.step(now, epoch, Some(&first), &mut |_| {});
            if shown == Step::On { self.step(now, epoch, Some(datagram), send) } else { shown }
        })
    }

    /// Goes on: with a datagram, or because it is time.
    pub(crate) fn step(
        &mut self,
        now: Instant,
        epoch: Epoch,
        datagram: Option<&[u8]>,
        send: &mut dyn FnMut(&[u8]),
    ) -> Step {
        let before = self.inbox.len();
        // `handle_packet` takes no time: the library learns it first.
        let ticked = self.library.handle_timeout(epoch.to_std(now));
        let given = datagram.map_or(Ok(()), |datagram| self.library.handle_packet(datagram));
        let drained = self.drain(epoch, send);
        if self.inbox.len() > before {
            // Only what its peer alone can have said keeps it: anybody can send octets from his address.
            self.active = now;
        }
        match (ticked.and(given), drained) {
            (_, ended @ (Step::Ended | Step::Untrusted | Step::Failed)) => ended,
            // Anyone can send what makes one too many wait for those before it.
            (Err(Error::ReceiveQueueFull) | Ok(()), drained) => drained,
            (Err(_), _) => Step::Failed,
        }
    }

    fn drain(&mut self, epoch: Epoch, send: &mut dyn FnMut(&[u8])) -> Step {
        let mut step = Step::On;
        loop {
            match self.library.poll_output(&mut self.scratch) {
                Output::Packet(datagram) => {
                    let datagram = ..datagram.len();
                    if self.shift != 0 {
                        renumber(&mut self.scratch[datagram], self.shift);
                    }
                    send(&self.scratch[datagram]);
                }
                // Judged before anything that follows from it leaves.
                Output::PeerCert(certificate)
                    if self.verify.as_ref().is_some_and(|verify| !verify.trusts(certificate)) =>
                {
                    return Step::Untrusted;
                }
                Output::Connected => step = Step::Connected,
                // What a peer says that is not known yet, and what is one too many, is dropped.
                Output::ApplicationData(data)
                    if self.inbox.len() < MAX_INBOX
                        && (self.state == State::Open || step == Step::Connected) =>
                {
                    let mut kept = self.spare.pop().unwrap_or_default();
                    kept.clear();
                    kept.extend_from_slice(data);
                    self.inbox.push_back(kept);
                }
                Output::CloseNotify => step = Step::Ended,
                Output::Timeout(at) => {
                    if self.scratch.len() > SCRATCH {
                        self.scratch = vec![0; SCRATCH];
                    }
                    self.wake = Some(epoch.from_std(at));
                    return step;
                }
                Output::BufferTooSmall { needed } if needed <= MAX_SCRATCH => self.scratch.resize(needed, 0),
                Output::BufferTooSmall { .. } => return Step::Failed,
                _ => {}
            }
        }
    }

    /// Sends one message.
    pub(crate) fn say(&mut self, epoch: Epoch, message: &[u8], send: &mut dyn FnMut(&[u8])) -> Step {
        match self.library.send_application_data(message) {
            Ok(_) => self.drain(epoch, send),
            Err(_) => Step::Failed,
        }
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, epoch: Epoch, send: &mut dyn FnMut(&[u8])) {
        if self.state == State::Open && self.library.close().is_ok() {
            self.drain(epoch, send);
        }
    }

    /// The next message that has come, if it fits.
    pub(crate) fn take(&mut self, packet: &mut Packet<'_>) -> bool {
        while let Some(message) = self.inbox.pop_front() {
            packet.clear();
            let fits = packet.append(&message).is_ok();
            // What was there for a long message is not kept.
            if message.capacity() <= SCRATCH {
                self.spare.push(message);
            }
            if fits {
                return true;
            }
        }
        false
    }
}
