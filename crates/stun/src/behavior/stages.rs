//! The course of a discovery: which tests each stage makes, and what their outcomes say.
//!
//! The order is that of what the tests do to a NAT (RFC 5780 sections 4.4 and 4.5). Filtering is tested from the first socket,
//! and mapping then from the second. The tests of mapping open the filters; and where a filter has refused something, some
//! NATs, Linux' among them, give the next datagram to that peer another port, as if their mapping depended on it. What does
//! not disturb each other goes side by side; the lifetime, which wants idle sockets, comes last.

use core::net::{IpAddr, SocketAddr};

use ginnel_core::{Instant, Path};

use super::{
    Discovery, Event, Stage,
    asking::{Answer, Question, Wish},
    config::MAX_MTU,
    series::{Outcome, Round, Test},
    verdict::{Alg, Filtering, Finding, Fragments, Hairpinning, Mapping, Unknown},
};
use crate::{
    attribute::ChangeRequest,
    client::{self, AlternateRefusal},
};

use Finding::{Known, Unknown as Not};

/// Which tests are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Connectivity, with both sockets.
    Reaching,
    /// Filtering, hairpinning, fragments.
    Probing,
    /// Mapping.
    Mapping,
    /// Whether the server does what CHANGE-REQUEST asks for.
    Verifying,
    /// The first socket is used, for the last time before a wait.
    Refreshing,
    /// Whether its mapping is still there.
    Reviving,
}

/// What is known so far, beside the verdict.
#[derive(Debug)]
pub(super) struct Facts {
    /// As whom the server sees each socket.
    pub(super) mapped: [SocketAddr; 2],
    /// A2:P2, if the server has a usable one.
    other: Result<SocketAddr, Unknown>,
    /// What became of the tests of filtering, hairpinning and fragments.
    probed: Probed,
}
#[derive(Clone, Copy, Debug, Default)]
struct Probed {
    address: Option<Outcome>,
    port: Option<Outcome>,
    /// How often these two were tried.
    tries: [u32; 2],
    hairpin: Option<Outcome>,
    hairpin_back: Option<Outcome>,
    fragments: Option<Outcome>,
}

impl Discovery {
    /// A stage is over: draws its conclusion, and begins the next.
    pub(super) fn conclude(&mut self, now: Instant, kind: Kind) {
        match kind {
            Kind::Reaching => self.conclude_reaching(now),
            Kind::Probing => self.conclude_probing(now),
            Kind::Mapping => self.conclude_mapping(now),
            Kind::Verifying => self.conclude_verifying(now),
            Kind::Refreshing => self.conclude_refreshing(now),
            Kind::Reviving => self.conclude_reviving(now),
        }
    }
    fn begin(&mut self, now: Instant, kind: Kind, round: Round) {
        self.next_send = self.next_send.max(now);
        self.round = round;
        self.stage = Stage::Testing(kind);
    }
    fn question(&self, socket: usize, to: SocketAddr) -> Question {
        Question { path: Path::udp(self.sockets[socket], to), also: None, wish: Wish::Nothing }
    }

    // ---- RFC 5780 section 4.2

    pub(super) fn begin_reaching(&mut self, now: Instant) {
        let server = self.config.server;
        let mut round = Round::new(REACH_TRIES, REACH_TRIES);
        round.expect(now, Test::Reach, self.question(0, server), REACH_GAP);
        round.expect(now, Test::ReachSecond, self.question(1, server), REACH_GAP);
        self.begin(now, Kind::Reaching, round);
    }
    fn conclude_reaching(&mut self, now: Instant) {
        let first = self.round.outcome(Test::Reach);
        let second = self.round.outcome(Test::ReachSecond);
        let (answer, mapped) = match (first, second) {
            (Some(Outcome::Answered { answer, .. }), Some(Outcome::Answered { answer: second, .. })) => {
                (answer, [answer.mapped, second.mapped])
            }
            (Some(Outcome::Refused(code)), _) | (_, Some(Outcome::Refused(code))) => {
                return self.finish_unknown(now, Unknown::Refused(code));
            }
            _ if self.unreachable => return self.finish_unknown(now, Unknown::Unreachable),
            _ => return self.finish_unknown(now, Unknown::NoAnswer),
        };
        self.verdict.mapped = Known(answer.mapped);
        self.verdict.alg = match answer.plain {
            None => Not(Unknown::NoPlainAddress),
            Some(plain) if plain == answer.mapped => Known(Alg::None),
            Some(_) => Known(Alg::Generic),
        };
        self.events.push_back(Event::Alg(self.verdict.alg));
        let other = self.other_address(&answer);
        self.facts = Some(Facts { mapped, other, probed: Probed::default() });
        self.begin_probing(now);
    }

    /// RFC 5780 section 7.4: another address and another port. What leads nowhere, or to ourselves, is not asked.
    fn other_address(&self, answer: &Answer) -> Result<SocketAddr, Unknown> {
        let (other, server) = (answer.other.ok_or(Unknown::NoOtherAddress)?, self.config.server);
        let differs = other.ip() != server.ip() && other.port() != server.port();
        let own = [self.sockets[0].ip(), answer.mapped.ip()].contains(&other.ip());
        if differs && leads_somewhere(other, server) && (!own || server.ip().is_loopback()) {
            Ok(other)
        } else {
            Err(Unknown::BadOtherAddress)
        }
    }

    // ---- RFC 5780 sections 4.4, 3.4 and 3.5

    fn begin_probing(&mut self, now: Instant) {
        let Some(facts) = &self.facts else { return };
        let (server, mapped) = (self.config.server, facts.mapped);
        let mut round = Round::new(self.config.min_tries(), self.config.max_tries());
        if let (true, Ok(other)) = (self.config.filtering, facts.other) {
            let [address, port] = self.change_questions(0, other);
            round.try_out(now, Test::FilterAddress, address);
            round.try_out(now, Test::FilterPort, port);
        }
        let leads_here = mapped.into_iter().all(|at| leads_somewhere(at, server));
        if self.config.hairpinning && self.verdict.is_translated() == Some(true) && leads_here {
            round.try_out(now, Test::Hairpin, self.question(0, mapped[1]));
            round.try_out(now, Test::HairpinBack, self.question(1, mapped[0]));
        }
        if let Some(mtu) = self.config.fragments {
            let wish = Wish::Length(mtu.min(MAX_MTU));
            round.try_out(now, Test::Fragments, Question { wish, ..self.question(0, server) });
        }
        if !round.is_empty() {
            round.expect(now, Test::Control, self.question(0, server), core::time::Duration::ZERO);
        }
        self.begin(now, Kind::Probing, round);
    }
    /// Tests II and III of section 4.4: on which path each is answered.
    fn change_questions(&self, socket: usize, other: SocketAddr) -> [Question; 2] {
        let asked = self.question(socket, self.config.server);
        [(true, other), (false, self.same_address(other))].map(|(ip, from)| Question {
            also: Some(Path { remote: from, ..asked.path }),
            wish: Wish::Change(ChangeRequest { ip, port: true }),
            ..asked
        })
    }
    /// A1:P2.
    fn same_address(&self, other: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.config.server.ip(), other.port())
    }
    fn conclude_probing(&mut self, now: Instant) {
        let probed = Probed {
            address: self.round.outcome(Test::FilterAddress),
            port: self.round.outcome(Test::FilterPort),
            tries: [Test::FilterAddress, Test::FilterPort].map(|test| self.round.tries(test)),
            hairpin: self.round.outcome(Test::Hairpin),
            hairpin_back: self.round.outcome(Test::HairpinBack),
            fragments: self.round.outcome(Test::Fragments),
        };
        if let Some(facts) = &mut self.facts {
            facts.probed = probed;
        }
        self.verdict.fragments = match probed.fragments {
            None => Not(Unknown::NotAsked),
            Some(Outcome::Answered { answer, .. }) if !answer.padded => Not(Unknown::PaddingIgnored),
            Some(Outcome::Answered { .. }) => Known(Fragments::Arrive),
            Some(Outcome::Silent) => Known(Fragments::Lost),
            Some(Outcome::Refused(code)) => Not(Unknown::Refused(code)),
            Some(_) => Not(Unknown::TooLossy),
        };
        if self.config.fragments.is_some() {
            self.events.push_back(Event::Fragments(self.verdict.fragments));
        }
        self.begin_mapping(now);
    }

    // ---- RFC 5780 section 4.3

    fn begin_mapping(&mut self, now: Instant) {
        let Some(other) = self.facts.as_ref().map(|facts| facts.other) else { return };
        let mut round = Round::new(EXPECTED_TRIES, EXPECTED_TRIES);
        if let Ok(other) = other {
            let server = self.config.server;
            let questions = [
                (Test::MapAgain, server),
                (Test::MapPort, self.same_address(other)),
                (Test::MapAddress, SocketAddr::new(other.ip(), server.port())),
                (Test::MapBoth, other),
            ];
            let gap = self.patience();
            for (test, to) in questions {
                round.expect(now, test, self.question(1, to), gap);
            }
        }
        self.begin(now, Kind::Mapping, round);
    }
    fn conclude_mapping(&mut self, now: Instant) {
        let Some(other) = self.facts.as_ref().map(|facts| facts.other) else { return };
        self.verdict.mapping = match (self.verdict.is_translated(), other) {
            // Section 4.3: without a NAT the effective mapping is endpoint-independent.
            (Some(false), _) => Known(Mapping::EndpointIndependent),
            (_, Err(why)) => Not(why),
            (_, Ok(_)) => self.mapping(),
        };
        self.events.push_back(Event::Mapping(self.verdict.mapping));
        let seen = [Test::MapPort, Test::MapBoth].map(|test| self.mapped_by(test));
        self.reached_directly = seen.map(|seen| seen.is_some());
        self.begin_verifying(now, seen);
    }
    /// The second socket has sent to all of the server's addresses: what they answer is let in, if it comes to the mapping
    /// that they see. `seen` are those of A1:P2 and A2:P2.
    fn begin_verifying(&mut self, now: Instant, seen: [Option<SocketAddr>; 2]) {
        let mut round = Round::new(self.config.min_tries(), self.config.max_tries());
        if let Some(Facts { mapped: [_, first], other: Ok(other), probed }) = self.facts {
            let [address, port] = self.change_questions(1, other);
            let tests = [
                (Test::VerifyAddress, address, probed.address, probed.tries[0], seen[1]),
                (Test::VerifyPort, port, probed.port, probed.tries[1], seen[0]),
            ];
            for (test, mut question, probed, silent, seen) in tests {
                let (Some(Outcome::Silent), Some(seen)) = (probed, seen) else { continue };
                // Section 7.5: to any port, and to no other address.
                if let (Wish::Change(change), true) =
                    (question.wish, seen != first && seen.ip() == first.ip())
                {
                    question.wish = Wish::ChangeTo(change, seen.port());
                }
                round.measure(now, test, question, silent);
            }
        }
        self.begin(now, Kind::Verifying, round);
    }
    fn mapped_by(&self, test: Test) -> Option<SocketAddr> {
        match self.round.outcome(test)? {
            Outcome::Answered { answer, .. } => Some(answer.mapped),
            _ => None,
        }
    }
    /// From whom the server's four endpoints see us: which ones agree?
    fn mapping(&self) -> Finding<Mapping> {
        let first = self.facts.as_ref().map(|facts| facts.mapped[1]);
        let again = self.mapped_by(Test::MapAgain);
        let (Some(address), Some(both)) = (self.mapped_by(Test::MapAddress), self.mapped_by(Test::MapBoth))
        else {
            return Not(Unknown::OtherAddressSilent);
        };
        // Section 4.3 does without these two; where they contradict, the NAT does not keep to one behaviour.
        if again.is_none() || again != first {
            return Not(Unknown::Unstable);
        }
        let port = self.mapped_by(Test::MapPort);
        let same_port = port.is_none_or(|port| Some(port) == first);
        match (Some(address) == first, both == address) {
            (true, true) if same_port => Known(Mapping::EndpointIndependent),
            (false, true) if same_port => Known(Mapping::AddressDependent),
            (false, false) if port.is_none() || !same_port => Known(Mapping::AddressAndPortDependent),
            _ => Not(Unknown::Unstable),
        }
    }

    // ---- what all of it says

    fn conclude_verifying(&mut self, now: Instant) {
        self.verdict.filtering = self.filtering();
        if self.config.filtering {
            self.events.push_back(Event::Filtering(self.verdict.filtering));
        }
        self.verdict.hairpinning = self.hairpinning();
        if self.config.hairpinning {
            self.events.push_back(Event::Hairpinning(self.verdict.hairpinning));
        }
        self.begin_lifetime(now);
    }
    /// RFC 5780 section 4.4.
    fn filtering(&self) -> Finding<Filtering> {
        let Some(facts) = self.facts.as_ref().filter(|_| self.config.filtering) else {
            return Not(Unknown::NotAsked);
        };
        let other = match facts.other {
            Ok(other) => other,
            Err(why) => return Not(why),
        };
        let [port_answers, address_answers] = self.reached_directly;
        let heard = |outcome: Option<Outcome>, from: SocketAddr, verify: Test, answers: bool| match outcome {
            Some(Outcome::Answered { came, .. }) if came.remote == from => Ok(true),
            Some(Outcome::Answered { .. }) => Err(Unknown::ChangeRequestIgnored),
            Some(Outcome::Refused(code)) => Err(Unknown::Refused(code)),
            Some(Outcome::Silent) if !answers => Err(Unknown::OtherAddressSilent),
            Some(Outcome::Silent) => match self.round.outcome(verify) {
                Some(Outcome::Answered { came, .. }) if came.remote == from => Ok(false),
                Some(Outcome::Answered { .. }) => Err(Unknown::ChangeRequestIgnored),
                Some(Outcome::Refused(code)) => Err(Unknown::Refused(code)),
                Some(Outcome::Lossy) => Err(Unknown::TooLossy),
                _ => Err(Unknown::ChangeRequestUnanswered),
            },
            _ => Err(Unknown::TooLossy),
        };
        let probed = &facts.probed;
        match heard(probed.address, other, Test::VerifyAddress, address_answers) {
            Ok(true) => return Known(Filtering::EndpointIndependent),
            Ok(false) => {}
            Err(why) => return Not(why),
        }
        match heard(probed.port, self.same_address(other), Test::VerifyPort, port_answers) {
            Ok(true) => Known(Filtering::AddressDependent),
            Ok(false) => Known(Filtering::AddressAndPortDependent),
            Err(why) => Not(why),
        }
    }
    /// RFC 5780 section 3.4. Silence says something only where no filter can be the cause of it: where the filter is open to
    /// all, or where each socket has sent to the very endpoint from which the other's requests come.
    fn hairpinning(&self) -> Finding<Hairpinning> {
        let Some(facts) = self.facts.as_ref().filter(|_| self.config.hairpinning) else {
            return Not(Unknown::NotAsked);
        };
        if self.verdict.is_translated() == Some(false) {
            return Not(Unknown::NotTranslated);
        }
        let open = self.verdict.mapping == Known(Mapping::EndpointIndependent)
            || self.verdict.filtering == Known(Filtering::EndpointIndependent);
        match (facts.probed.hairpin, facts.probed.hairpin_back) {
            (None, None) => Not(Unknown::BadMappedAddress),
            (Some(Outcome::Returned(from)), _) | (_, Some(Outcome::Returned(from))) => {
                hairpin_from(from.ip(), self.sockets[0].ip(), facts.mapped.map(|it| it.ip()))
            }
            (Some(Outcome::Silent), Some(Outcome::Silent)) if open => Known(Hairpinning::None),
            (Some(Outcome::Silent), Some(Outcome::Silent)) => Not(Unknown::HiddenByFiltering),
            _ => Not(Unknown::TooLossy),
        }
    }
}

fn hairpin_from(source: IpAddr, local: IpAddr, mapped: [IpAddr; 2]) -> Finding<Hairpinning> {
    if source == local {
        Known(Hairpinning::InternalSource)
    } else if mapped.contains(&source) {
        Known(Hairpinning::ExternalSource)
    } else {
        // One of two NATs in a row, or another address of a pool.
        Not(Unknown::StrangeSource)
    }
}

/// Whether an address that the server has named is one that its own sockets can ask, and somebody may be at. The checks are
/// those of an alternate server.
fn leads_somewhere(named: SocketAddr, server: SocketAddr) -> bool {
    let asked = match client::is_askable(named) {
        // Tests on one host.
        Err(AlternateRefusal::Loopback) => server.ip().is_loopback() && named.port() != 0,
        asked => asked.is_ok(),
    };
    asked && named.is_ipv4() == server.is_ipv4()
}

/// How often something is tried that is sure to be answered unless something is wrong.
pub(super) const EXPECTED_TRIES: u32 = 12;
/// The same while nothing is known of the round trip, and each is waited for longer.
const REACH_TRIES: u32 = 10;
/// RFC 8489 section 6.2.1: the RTO where nothing is known of the round trip.
const REACH_GAP: core::time::Duration = core::time::Duration::from_millis(500);
