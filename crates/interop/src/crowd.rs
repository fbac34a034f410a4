//! Many clients of one driver, over UDP, each with something to do.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use ginnel_core::{Handled, Instant, Notice, Packet, Receive, Request, Transmit, Wake, machine};
use ginnel_turn::client::Event;

use crate::Errand;

/// The machine: closed when all of them are. Its events are those of the one with that number.
///
/// Who has nothing to say is not asked: with a thousand of them that would be most of the work.
#[derive(Debug)]
pub struct Crowd {
    members: Vec<Errand>,
    /// Who has which socket.
    sockets: BTreeMap<SocketAddr, usize>,
    /// Who was told something since it last had nothing to send, to ask for, to say.
    senders: BTreeSet<usize>,
    askers: BTreeSet<usize>,
    sayers: BTreeSet<usize>,
    /// Who wants to be woken, soonest first; and when each wants to be.
    wakes: BTreeSet<(Instant, usize)>,
    wake: Vec<Option<Instant>>,
}

impl Crowd {
    /// Of these.
    ///
    /// # Panics
    /// If they are more than 65,536.
    #[must_use]
    pub fn new(members: Vec<Errand>) -> Self {
        assert!(members.len() <= 1 << 16, "tickets tell apart 65,536 members");
        let all: BTreeSet<usize> = (0..members.len()).collect();
        let mut made = Self {
            sockets: BTreeMap::new(),
            senders: all.clone(),
            askers: all.clone(),
            sayers: all.clone(),
            wakes: BTreeSet::new(),
            wake: vec![None; members.len()],
            members,
        };
        all.into_iter().for_each(|at| made.look_at_clock(at));
        made
    }

    /// They, to look at.
    #[must_use]
    pub fn members(&self) -> &[Errand] {
        &self.members
    }

    /// One was told something.
    fn told(&mut self, at: usize) {
        self.senders.insert(at);
        self.askers.insert(at);
        self.sayers.insert(at);
        self.look_at_clock(at);
    }

    fn look_at_clock(&mut self, at: usize) {
        let wake = self.members[at].poll_timeout().map(|wake| wake.at);
        if let Some(old) = std::mem::replace(&mut self.wake[at], wake) {
            self.wakes.remove(&(old, at));
        }
        self.wakes.extend(wake.map(|wake| (wake, at)));
    }

    fn handle_input(&mut self, now: Instant, input: &mut Receive<'_>) -> Handled {
        let Some(at) = self.sockets.get(&input.path.local).copied() else { return Handled::Foreign };
        let handled = self.members[at].handle_input(now, input);
        self.told(at);
        handled
    }
    fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<usize> =
            self.wakes.iter().take_while(|(wake, _)| *wake <= now).map(|(_, at)| *at).collect();
        for at in due {
            self.members[at].handle_timeout(now);
            self.told(at);
        }
    }
    fn handle_notice(&mut self, now: Instant, notice: Notice) {
        if let Notice::Opened { ticket, result } = notice {
            let (high, ticket) = ticket.unnest();
            let (low, ticket) = ticket.unnest();
            let at = usize::from(u16::from_be_bytes([high, low]));
            if let Ok(local) = result {
                self.sockets.insert(local, at);
            }
            self.members[at].handle_notice(now, Notice::Opened { ticket, result });
            return self.told(at);
        }
        for at in 0..self.members.len() {
            self.members[at].handle_notice(now, notice);
            self.told(at);
        }
    }
    fn poll_transmit(&mut self, now: Instant, packet: &mut Packet<'_>) -> Option<Transmit> {
        while let Some(at) = self.senders.first().copied() {
            let transmit = self.members[at].poll_transmit(now, packet);
            self.askers.insert(at);
            self.sayers.insert(at);
            self.look_at_clock(at);
            if transmit.is_some() {
                return transmit;
            }
            self.senders.remove(&at);
        }
        None
    }
    fn poll_request(&mut self) -> Option<Request> {
        while let Some(at) = self.askers.first().copied() {
            let Some(mut request) = self.members[at].poll_request() else {
                self.askers.remove(&at);
                continue;
            };
            let [high, low] = u16::try_from(at).expect("65,536 members").to_be_bytes();
            if let Request::Bind { ticket, .. }
            | Request::Connect { ticket, .. }
            | Request::Listen { ticket, .. } = &mut request
            {
                *ticket = ticket.nest(low).and_then(|it| it.nest(high)).expect("small numbers");
            }
            return Some(request);
        }
        None
    }
    fn poll_event(&mut self) -> Option<(usize, Event)> {
        while let Some(at) = self.sayers.first().copied() {
            if let Some(event) = self.members[at].poll_event() {
                return Some((at, event));
            }
            self.sayers.remove(&at);
        }
        None
    }
    fn poll_timeout(&self) -> Option<Wake> {
        self.wakes.first().map(|(wake, _)| Wake::new(*wake, "crowd: one of them"))
    }
    fn close(&mut self, now: Instant) {
        for at in 0..self.members.len() {
            self.members[at].close(now);
            self.told(at);
        }
    }
    fn is_closed(&self) -> bool {
        self.members.iter().all(Errand::is_closed)
    }
}
machine!(impl [] Crowd { Event = (usize, Event); Data = (); } [requests]);
