//! Clients that move (RFC 8016), beside the model.

use ginnel_stun::{Message, Method, attribute::*};

use super::{
    Script,
    world::{CLIENTS, Fill, World, path, put, refresh},
};

/// Tickets that are kept to be brought again: those before are forgotten.
const TICKETS: usize = 16;

impl World {
    /// Remembers the ticket of an answer, if there is one.
    pub(super) fn keep_ticket(&mut self, allocation: u64, serial: u64, octets: &[u8]) {
        let message = Message::parse(octets).expect("a message");
        let Some(MobilityTicket(ticket)) = message.get().expect("well formed") else { return };
        assert!(self.tickets.iter().all(|it| it.2 != ticket), "no two are the same");
        if self.tickets.len() >= TICKETS {
            self.tickets.remove(0);
        }
        self.tickets.push((allocation, serial, ticket.to_vec()));
    }
    /// RFC 8016 section 3.2.2: a Refresh with a ticket, good or bad, of whoever, from wherever.
    pub(super) fn move_by_ticket(&mut self, script: &mut Script<'_>, client: usize) {
        let (family, kind) = (script.below(3), script.below(4));
        let family = script.mostly(0, family);
        let (which, flaw) = (usize::from(script.octet()), script.below(8));
        let Some((name, serial, mut ticket)) =
            self.tickets.iter().rev().nth(which % self.tickets.len().max(1)).cloned()
        else {
            return;
        };
        if flaw == 0 {
            ticket[which % 44] ^= 1;
        }
        let whose = self.model.iter().find(|it| it.name == name);
        let user = script.mostly(whose.map_or(0, |it| it.user), 1);
        let fill: Fill<'_> = &|open| put(refresh(open, family, kind), &MobilityTicket(&ticket));
        let (code, octets) = self.ask(client, user, Method::REFRESH, fill);
        let at = self.model.iter().position(|it| it.name == name);
        let (Some(at), true) = (at, flaw != 0) else {
            assert_eq!(code, if flaw == 0 { 400 } else { 437 }, "a ticket that is no good");
            return;
        };
        let now = self.now;
        let allocation = &self.model[at];
        let Some(is_new) = allocation.judge(now, serial, client) else {
            assert_eq!(code, 400, "a ticket that was used, or a client that stays");
            return;
        };
        let expected = if allocation.user != user {
            441
        } else if allocation.is_tcp && !path(client).transport.is_stream() {
            400
        } else if is_new && self.of(client).is_some() {
            437
        } else {
            0
        };
        if expected != 0 {
            assert_eq!(code, expected, "a move to client {client} of {CLIENTS}");
            return;
        }
        let granted = self.refreshed(at, family, kind, code, &octets).unwrap_or(0);
        assert_eq!(
            Message::parse(&octets).expect("a message").has(AttributeType::MOBILITY_TICKET),
            granted > 0
        );
        if granted == 0 {
            return;
        }
        let allocation = &mut self.model[at];
        if is_new {
            allocation.move_to(now, client);
        }
        let serial = allocation.mobility.as_ref().map_or(0, |it| it.serial);
        self.keep_ticket(name, serial, &octets);
    }
}
