//! One candidate pair and its states: RFC 8445 section 6.1.2.6.
//!
//! ```text
//! Frozen --unfreeze--> Waiting --start--> InProgress --succeed--> Succeeded --start (nominating)--> InProgress
//!                        ^                   |   |                    |
//!                        +----- trigger -----+   +--fail--> Failed    +--> retire, from any: Retired
//!                        ^                                    |
//!                        +------------- trigger --------------+
//! ```
//!
//! Each arrow is a function that consumes the state. Whether a pair is in the *valid list* is apart from its state:
//! a valid pair stays valid while the check that nominates it is under way (RFC 8445 section 8.1.1).
//! A pair whose local candidate would be reflexive is never formed: it is redundant with that of its base (6.1.2.4).

use alloc::boxed::Box;
use core::time::Duration;

use ginnel_core::{Instant, Path};
use ginnel_stun::TransactionId;

use crate::{PairFailure, PairStatus, Role, foundation::Foundation};

/// A pair of the current generation. Numbers are never used twice within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PairId(pub(crate) u32);
/// A local candidate, for the life of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalId(pub(crate) u16);
/// A remote candidate of the current generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RemoteId(pub(crate) u16);

/// RFC 8489 section 6.2.1: Rc, the transmissions of one request.
pub(crate) const RC: u8 = 7;
/// RFC 8489 section 6.2.1: Rm, how many RTOs the last transmission is given.
const RM: u32 = 16;

/// One check under way: a client transaction with the schedule of RFC 8489 section 6.2.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) transaction: TransactionId,
    /// The role that its request claims: a 487 is judged by it (RFC 8445 section 7.2.5.1).
    pub(crate) role: Role,
    /// Whether its request has USE-CANDIDATE.
    pub(crate) nominating: bool,
    /// Whether somebody without our key answered that the credentials are wrong.
    pub(crate) refused: bool,
    /// Whether a transmission waits to be written.
    pub(crate) due: bool,
    /// Transmissions so far, the due one included.
    pub(crate) transmissions: u8,
    pub(crate) rto: Duration,
    pub(crate) last_sent: Instant,
    /// When to send again, or to give up.
    pub(crate) next: Instant,
}
impl Check {
    pub(crate) fn new(
        now: Instant,
        transaction: TransactionId,
        role: Role,
        nominating: bool,
        rto: Duration,
    ) -> Self {
        Self {
            transaction,
            role,
            nominating,
            refused: false,
            due: true,
            transmissions: 1,
            rto,
            last_sent: now,
            next: now + rto,
        }
    }
    /// The time for `next` has come: true if there is to be another transmission.
    pub(crate) fn again(&mut self, now: Instant) -> bool {
        if self.transmissions >= RC {
            return false;
        }
        self.transmissions += 1;
        self.due = true;
        self.last_sent = now;
        let wait = if self.transmissions == RC { RM } else { 1 << (self.transmissions - 1) };
        self.next = now + self.rto.saturating_mul(wait);
        true
    }
    /// When all transmissions would have been waited for: how long a cancelled transaction still takes an answer.
    pub(crate) fn end(&self) -> Instant {
        let doublings = (1 << (RC - 1)) - (1 << (self.transmissions.min(RC) - 1));
        if self.transmissions >= RC {
            self.next
        } else {
            self.last_sent + self.rto.saturating_mul(doublings + RM)
        }
    }
    /// The round trip, if the answer can only be to one transmission (Karn's rule, RFC 8489 section 6.2.1).
    pub(crate) fn round_trip(&self, now: Instant) -> Option<Duration> {
        (self.transmissions == 1).then(|| now.saturating_since(self.last_sent))
    }
}

/// RFC 8445 section 6.1.2.6, and `Retired` for what section 8.1.2 removes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PairState {
    Frozen,
    Waiting,
    InProgress(Check),
    Succeeded,
    Failed(PairFailure),
    Retired,
}
impl PairState {
    /// RFC 8445 sections 6.1.4.2 step 2 and 7.2.5.3.3.
    #[must_use]
    pub(crate) fn unfreeze(self) -> Self {
        if let Self::Frozen = self { Self::Waiting } else { self }
    }
    /// RFC 8445 section 6.1.4.2 step 3: a check is sent.
    #[must_use]
    pub(crate) fn start(self, check: Check) -> Self {
        Self::InProgress(check)
    }
    /// RFC 8445 section 7.3.1.4: a check of the peer triggers one of ours. What was under way is cancelled.
    #[must_use]
    pub(crate) fn trigger(self) -> (Self, Option<Check>) {
        match self {
            Self::InProgress(check) => (Self::Waiting, Some(check)),
            Self::Succeeded => (Self::Succeeded, None),
            Self::Frozen | Self::Waiting | Self::Failed(_) | Self::Retired => (Self::Waiting, None),
        }
    }
    /// RFC 8445 section 7.2.5.3.3.
    #[must_use]
    pub(crate) fn succeed(self) -> Self {
        Self::Succeeded
    }
    /// RFC 8445 section 7.2.5.2.
    #[must_use]
    pub(crate) fn fail(self, why: PairFailure) -> Self {
        Self::Failed(why)
    }
    /// RFC 8445 section 8.1.2: another pair was nominated. What is known of this one is kept for reports.
    #[must_use]
    pub(crate) fn retire(self) -> (Self, Option<Check>) {
        match self {
            Self::InProgress(check) => (Self::Retired, Some(check)),
            Self::Frozen | Self::Waiting | Self::Retired => (Self::Retired, None),
            done @ (Self::Succeeded | Self::Failed(_)) => (done, None),
        }
    }
    pub(crate) const fn status(&self) -> PairStatus {
        match self {
            Self::Frozen => PairStatus::Frozen,
            Self::Waiting => PairStatus::Waiting,
            Self::InProgress(_) => PairStatus::InProgress,
            Self::Succeeded => PairStatus::Succeeded,
            Self::Failed(why) => PairStatus::Failed(*why),
            Self::Retired => PairStatus::Retired,
        }
    }
}

/// Who wants this pair nominated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nomination {
    Nobody,
    /// We are controlling and have picked it: its next check has USE-CANDIDATE (RFC 8445 section 8.1.1).
    Ours,
    /// The peer is controlling and has said USE-CANDIDATE; it counts once our check succeeds (section 7.3.1.5).
    Theirs,
}

/// What is kept of a pair in the valid list (RFC 8445 section 7.2.5.3.2).
#[derive(Debug)]
pub(crate) struct Valid {
    /// The local candidate that equals the mapped address.
    pub(crate) mapped: LocalId,
    pub(crate) nominated: bool,
    /// The last answer: consent counts from it (RFC 7675 section 5).
    pub(crate) answered: Instant,
    pub(crate) packets_sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) packets_received: u64,
    pub(crate) bytes_received: u64,
}
impl Valid {
    fn new(now: Instant, mapped: LocalId) -> Self {
        Self {
            mapped,
            nominated: false,
            answered: now,
            packets_sent: 0,
            bytes_sent: 0,
            packets_received: 0,
            bytes_received: 0,
        }
    }
}

/// A pair in a checklist.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) id: PairId,
    /// A host or relayed candidate: packets leave from it.
    pub(crate) local: LocalId,
    pub(crate) remote: RemoteId,
    pub(crate) path: Path,
    pub(crate) foundation: (Foundation, Foundation),
    pub(crate) priority: u64,
    pub(crate) state: PairState,
    pub(crate) nomination: Nomination,
    /// Whether an authenticated check of this generation came this way.
    pub(crate) heard: bool,
    pub(crate) valid: Option<Box<Valid>>,
    pub(crate) rtt: Option<Duration>,
    pub(crate) requests: u32,
    pub(crate) responses: u32,
}
impl Pair {
    pub(crate) fn check(&self) -> Option<&Check> {
        if let PairState::InProgress(check) = &self.state { Some(check) } else { None }
    }
    pub(crate) fn check_mut(&mut self) -> Option<&mut Check> {
        if let PairState::InProgress(check) = &mut self.state { Some(check) } else { None }
    }
    pub(crate) const fn is_valid(&self) -> bool {
        self.valid.is_some()
    }
    /// Whether data may be sent on it: it is valid, and the last answer is not too old (RFC 7675 section 5.1).
    pub(crate) fn has_consent(&self, now: Instant, expiry: Duration) -> bool {
        self.valid.as_ref().is_some_and(|valid| now < valid.answered + expiry)
    }
    /// Adds it to the valid list, or renews its consent there.
    pub(crate) fn validate(&mut self, now: Instant, mapped: LocalId) {
        match &mut self.valid {
            Some(valid) => (valid.mapped, valid.answered) = (mapped, now),
            none => *none = Some(Box::new(Valid::new(now, mapped))),
        }
    }
}
