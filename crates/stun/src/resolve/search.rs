//! The search itself: steps in order of preference, each of which waits for an answer or is a candidate.
//!
//! An answer takes the steps that wait for it and puts what follows in their place: a NAPTR record leads to more NAPTR, SRV
//! or addresses, an SRV record to addresses, an address to a candidate. What the same place of the order leads to stays
//! behind what was in front of it, so the map of steps is always the order of preference.

use alloc::vec::Vec;
use core::{mem, net::SocketAddr};

use ginnel_core::{HostName, Instant, Ticket, Transport};

use super::{
    Answer, Asked, AskedState, Candidate, Event, Failure, FailureReason, FinishReason, Finished, HOPS_MAX,
    Question, Rank, RecordKind, Resolver, STEPS_MAX, plan,
    record::{Pointer, Then, Transports},
};

/// What stands at one place of the order.
pub(super) enum Step {
    /// Waits for the question of this number.
    Waits { number: usize, purpose: Purpose },
    /// Was found then.
    Found { transport: Transport, address: SocketAddr, at: Instant },
}

/// What an answer is wanted for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// RFC 5928 section 3, step 4.
    Naptr { transports: Transports, ranking: Ranking, hops: usize },
    /// Steps 3 and 5, where there is a way without SRV records, or what a NAPTR record led to, where there is none.
    Srv { transport: Transport, without: Without },
    /// Steps 1 and 2, and the end of all others.
    Addresses { transport: Transport, port: u16 },
}

/// Whether NAPTR records have said yet which transport comes first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ranking {
    Open,
    Done,
}

/// What to do without SRV records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    /// RFC 5928 section 3, RFC 8489 section 8.1: the host itself, on the default port.
    HostItself,
    /// RFC 3958: this way leads nowhere.
    Nothing,
}

impl Asked {
    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.state, AskedState::Waiting { .. })
    }
}

impl Resolver {
    pub(super) fn begin(&mut self, now: Instant, start: plan::Start) {
        match start {
            plan::Start::Address(ip) => {
                for (i, transport) in self.plan.transports.clone().into_iter().enumerate() {
                    let address = SocketAddr::new(ip, self.plan.port_for(transport));
                    self.found(now, Rank::ROOT.child(i), transport, address);
                }
            }
            plan::Start::Port(name) => {
                for (i, transport) in self.plan.transports.clone().into_iter().enumerate() {
                    let port = self.plan.port_for(transport);
                    self.ask_addresses(now, Rank::ROOT.child(i), name, transport, port);
                }
            }
            plan::Start::Srv(name) => self.ask_services(now, Rank::ROOT, name),
            plan::Start::Naptr(name) => {
                let transports = self.plan.for_naptr.iter().copied().collect();
                let purpose = Purpose::Naptr { transports, ranking: Ranking::Open, hops: 0 };
                self.ask(now, Rank::ROOT, name, RecordKind::Naptr, purpose);
            }
        }
    }

    /// Step 5 of RFC 5928 section 3; step 3 is the same with one transport, and so is RFC 8489 section 8.1 with the service
    /// names of STUN.
    fn ask_services(&mut self, now: Instant, rank: Rank, host: HostName) {
        for (i, transport) in self.plan.transports.clone().into_iter().enumerate() {
            let rank = rank.child(i);
            match self.plan.service(transport, host) {
                Some(name) => {
                    let purpose = Purpose::Srv { transport, without: Without::HostItself };
                    self.ask(now, rank, name, RecordKind::Srv, purpose);
                }
                // Asked as a host without such records is.
                None => self.ask_addresses(now, rank, host, transport, self.plan.port_for(transport)),
            }
        }
    }

    /// RFC 8489 section 8.1: both families. They share a level of the order, so that they alternate (RFC 8305 section 4).
    fn ask_addresses(&mut self, now: Instant, rank: Rank, name: HostName, transport: Transport, port: u16) {
        let purpose = Purpose::Addresses { transport, port };
        if self.config.ipv6 {
            self.ask(now, rank.child(0), name, RecordKind::Aaaa, purpose);
        }
        if self.config.ipv4 {
            self.ask(now, rank.child(1), name, RecordKind::A, purpose);
        }
    }

    /// Asks, unless this was asked before: then the answer is, or will be, for both.
    fn ask(&mut self, now: Instant, rank: Rank, name: HostName, kind: RecordKind, purpose: Purpose) {
        if !self.takes_step() {
            return;
        }
        let asked = self.questions.iter().position(|asked| asked.kind == kind && asked.name == name);
        let number = match asked {
            Some(number) => number,
            None if self.questions.len() >= self.config.max_questions.max(1) => {
                self.failed(name, kind, FailureReason::TooManyQuestions);
                self.stats.cut_off += 1;
                return;
            }
            None => {
                let until = now + self.config.question_timeout;
                let state = AskedState::Waiting { until };
                self.questions.push(Asked { name, kind, state });
                self.stats.questions += 1;
                let number = self.questions.len() - 1;
                let ticket = Ticket(number as u64);
                self.events.push_back(Event::Question(Question { ticket, name, kind }));
                number
            }
        };
        if self.questions[number].is_waiting() {
            self.steps.insert(rank, Step::Waits { number, purpose });
        } else {
            self.work.push_back((rank, purpose, number));
        }
    }

    /// Counts a step, if there may be one more.
    fn takes_step(&mut self) -> bool {
        let may = self.taken < STEPS_MAX;
        if may {
            self.taken += 1;
        } else {
            self.stats.cut_off += 1;
        }
        may
    }

    /// Keeps an answer, says if it holds nothing, and hands it to the steps that wait for it.
    pub(super) fn settle_question(&mut self, number: usize, answer: Answer) {
        let Some(asked) = self.questions.get_mut(number) else { return };
        let nothing = if let Answer::Nothing(reason) = &answer { Some(*reason) } else { None };
        asked.state = AskedState::Answered(answer);
        let (name, kind) = (asked.name, asked.kind);
        if let Some(reason) = nothing {
            self.failed(name, kind, reason);
        }
        let ours = |step: &Step| match *step {
            Step::Waits { number: waits, purpose } if waits == number => Some(purpose),
            _ => None,
        };
        self.work.extend(self.steps.iter().filter_map(|(&rank, step)| Some((rank, ours(step)?, number))));
        self.steps.retain(|_, step| ours(step).is_none());
    }

    /// Follows the answers that are known, yields what can be, and ends when nothing is left.
    pub(super) fn go_on(&mut self, now: Instant) {
        while let Some((rank, purpose, number)) = self.work.pop_front() {
            // Taken out while it is followed, and not copied: what leads back to it waits in `work` meanwhile.
            let nothing = AskedState::Answered(Answer::Nothing(FailureReason::NoRecords));
            let state = mem::replace(&mut self.questions[number].state, nothing);
            if let AskedState::Answered(answer) = &state {
                let name = self.questions[number].name;
                self.follow(now, rank, purpose, name, answer);
            }
            self.questions[number].state = state;
        }
        self.yield_found(now);
        if self.steps.is_empty() {
            self.finish(FinishReason::Complete);
        }
    }

    /// One arrow of the figure.
    fn follow(&mut self, now: Instant, rank: Rank, purpose: Purpose, name: HostName, answer: &Answer) {
        match (purpose, answer) {
            (Purpose::Addresses { transport, port }, Answer::Addresses(ips)) => {
                // The rank ends in 0 or 1, for the family: the next of a family are two further on.
                for (i, &ip) in ips.iter().enumerate() {
                    let rank = rank.parent().child(2 * i + usize::from(ip.is_ipv4()));
                    self.found(now, rank, transport, SocketAddr::new(ip, port));
                }
            }
            (Purpose::Srv { transport, .. }, Answer::Srv(services)) => {
                for (i, service) in services.iter().enumerate() {
                    self.ask_addresses(now, rank.child(i), service.target, transport, service.port);
                }
            }
            (Purpose::Srv { transport, without: Without::HostItself }, Answer::Nothing(reason))
                if *reason != FailureReason::NoSuchService =>
            {
                if let Some(host) = self.plan.server_name {
                    self.ask_addresses(now, rank, host, transport, self.plan.port_for(transport));
                }
            }
            (Purpose::Naptr { transports, ranking, hops }, Answer::Naptr(pointers)) => {
                self.follow_pointers(now, rank, (transports, ranking, hops), name, pointers);
            }
            // RFC 5928 section 3: only the *first* query leads on to step 5.
            (Purpose::Naptr { hops: 0, .. }, Answer::Nothing(_)) => self.ask_services(now, rank, name),
            _ => {}
        }
    }

    /// RFC 5928 section 3, step 4: the first set of NAPTR records that tells transports apart gives their order, and the
    /// application's order decides where it ranks them alike. A single record that only points elsewhere ranks nothing, so
    /// the set behind it counts: without that, the examples of sections 4.1 and 4.2 would contradict each other.
    fn follow_pointers(
        &mut self,
        now: Instant,
        rank: Rank,
        (transports, ranking, hops): (Transports, Ranking, usize),
        name: HostName,
        pointers: &[Pointer],
    ) {
        let ours = |pointer: &&Pointer| !pointer.transports.and(transports).is_empty();
        let pointers: Vec<&Pointer> = pointers.iter().filter(ours).collect();
        if pointers.is_empty() {
            self.failed(name, RecordKind::Naptr, FailureReason::NotOffered);
            return;
        }
        if let ([only], Ranking::Open) = (&pointers[..], ranking)
            && only.then == Then::Naptr
        {
            let transports = only.transports.and(transports);
            self.follow_pointer(now, rank.child(0), (transports, ranking, hops), only);
            return;
        }
        let mut ways: Vec<((u16, u16), usize, Transport, &Pointer)> = Vec::new();
        for pointer in pointers {
            for (i, &transport) in self.plan.for_naptr.iter().enumerate() {
                if pointer.transports.and(transports).has(transport) {
                    ways.push((pointer.order, i, transport, pointer));
                }
            }
        }
        ways.sort_by_key(|&(order, preferred, ..)| (order, preferred));
        for (i, (_, _, transport, pointer)) in ways.into_iter().enumerate() {
            let only = Transports::only(transport);
            self.follow_pointer(now, rank.child(i), (only, Ranking::Done, hops), pointer);
        }
    }

    fn follow_pointer(
        &mut self,
        now: Instant,
        rank: Rank,
        (transports, ranking, hops): (Transports, Ranking, usize),
        pointer: &Pointer,
    ) {
        let name = pointer.name;
        if pointer.then == Then::Naptr {
            if hops + 1 < HOPS_MAX {
                let purpose = Purpose::Naptr { transports, ranking, hops: hops + 1 };
                self.ask(now, rank, name, RecordKind::Naptr, purpose);
            } else if self.takes_step() {
                self.failed(name, RecordKind::Naptr, FailureReason::TooManyHops);
            }
            return;
        }
        for (i, &transport) in self.plan.for_naptr.clone().iter().enumerate() {
            if !transports.has(transport) {
                continue;
            }
            if pointer.then == Then::Srv {
                let purpose = Purpose::Srv { transport, without: Without::Nothing };
                self.ask(now, rank.child(i), name, RecordKind::Srv, purpose);
            } else {
                self.ask_addresses(now, rank.child(i), name, transport, self.plan.port_for(transport));
            }
        }
    }

    fn found(&mut self, now: Instant, rank: Rank, transport: Transport, address: SocketAddr) {
        if self.seen.contains(&(transport, address)) {
            self.stats.duplicates += 1;
        } else if self.seen.len() >= self.config.max_candidates {
            self.stats.cut_off += 1;
        } else {
            self.seen.insert((transport, address));
            self.steps.insert(rank, Step::Found { transport, address, at: now });
        }
    }

    fn yield_candidate(&mut self, rank: Rank, transport: Transport, address: SocketAddr) {
        let server_name = self.plan.server_name.filter(|_| plan::is_secure(transport));
        let alpn = self.plan.alpn(transport);
        self.stats.candidates += 1;
        self.events.push_back(Event::Candidate(Candidate { transport, address, server_name, alpn, rank }));
    }

    /// Yields each candidate in front of which nothing is waited for, or that has waited long enough.
    fn yield_found(&mut self, now: Instant) {
        let mut waits = None;
        let due: Vec<Rank> = self
            .steps
            .iter()
            .filter_map(|(&rank, step)| (self.turn(rank, step, &mut waits)? <= now).then_some(rank))
            .collect();
        for rank in due {
            if let Some(Step::Found { transport, address, .. }) = self.steps.remove(&rank) {
                self.yield_candidate(rank, transport, address);
            }
        }
    }

    /// When the next candidate has waited long enough.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        let mut waits = None;
        self.steps.iter().filter_map(|(&rank, step)| self.turn(rank, step, &mut waits)).min()
    }

    /// When a candidate's turn has come. `waits` keeps the first step that waits, over a walk through all steps in order: if
    /// that is of the same name, so is all that waits between the two.
    fn turn(&self, rank: Rank, step: &Step, waits: &mut Option<Rank>) -> Option<Instant> {
        match (step, *waits) {
            (Step::Waits { .. }, None) => {
                *waits = Some(rank);
                None
            }
            (Step::Waits { .. }, Some(_)) => None,
            (Step::Found { at, .. }, None) => Some(*at),
            (Step::Found { at, .. }, Some(first)) if first.parent() == rank.parent() => {
                Some(*at + self.config.resolution_delay)
            }
            (Step::Found { at, .. }, Some(_)) => Some(*at + self.config.attempt_delay),
        }
    }

    /// The deadline: what waits has failed, and what was found is yielded.
    pub(super) fn give_up(&mut self) {
        let waiting = self.questions.iter_mut().filter(|asked| asked.is_waiting());
        let given_up: Vec<(HostName, RecordKind)> = waiting
            .map(|asked| {
                asked.state = AskedState::Answered(Answer::Nothing(FailureReason::Deadline));
                (asked.name, asked.kind)
            })
            .collect();
        for (name, kind) in given_up {
            self.failed(name, kind, FailureReason::Deadline);
        }
        while let Some((rank, step)) = self.steps.pop_first() {
            if let Step::Found { transport, address, .. } = step {
                self.yield_candidate(rank, transport, address);
            }
        }
        self.finish(FinishReason::Deadline);
    }

    pub(super) fn finish(&mut self, reason: FinishReason) {
        self.finished = true;
        let candidates = usize::try_from(self.stats.candidates).unwrap_or(usize::MAX);
        self.events.push_back(Event::Finished(Finished { candidates, reason }));
    }

    fn failed(&mut self, name: HostName, kind: RecordKind, reason: FailureReason) {
        self.events.push_back(Event::Failed(Failure { name, kind, reason }));
    }
}
