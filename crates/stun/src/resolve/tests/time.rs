//! Answers that come late, or never.

use core::time::Duration;
use std::{string::ToString, vec::Vec};

use ginnel_core::{Instant, Seed, Ticket, Transport::Udp};

use super::{
    super::*,
    zone::{Zone, config},
};

const ZONE: &str = "
    _stun._udp.h.example.
    IN SRV 1 0 1 first.example.
    IN SRV 2 0 1 second.example.
    first.example.
    IN A 192.0.2.1
    IN AAAA 2001:db8::1
    second.example.
    IN A 192.0.2.2
";

const fn ms(ms: u64) -> Instant {
    Instant::from_epoch(Duration::from_millis(ms))
}

struct Timeline {
    resolver: Resolver,
    zone: Zone,
    open: Vec<Question>,
}

impl Timeline {
    fn new(uri: &str, config: &ResolverConfig) -> Self {
        let uri = Uri::parse(uri).unwrap();
        let resolver = Resolver::new(ms(0), &uri, config, Seed::new([7; 32])).unwrap();
        Self { resolver, zone: Zone::new(ZONE), open: Vec::new() }
    }
    /// What there is to say, without the questions.
    fn said(&mut self) -> Vec<std::string::String> {
        let mut said = Vec::new();
        while let Some(event) = self.resolver.poll_event() {
            match event {
                Event::Question(question) => self.open.push(question),
                Event::Candidate(candidate) => said.push(candidate.address.to_string()),
                Event::Failed(failure) => said.push(failure.to_string()),
                Event::Finished(Finished { reason, .. }) => said.push(std::format!("{reason:?}")),
            }
        }
        said
    }
    /// The zone answers this question.
    fn answer(&mut self, now: Instant, question: &str) -> Vec<std::string::String> {
        self.said();
        let at = self.open.iter().position(|open| open.to_string() == question).expect(question);
        let Question { ticket, name, kind } = self.open.remove(at);
        self.resolver.answer(now, ticket, Ok(&self.zone.records(name.as_str(), kind)));
        self.said()
    }
    fn at(&mut self, now: Instant) -> Vec<std::string::String> {
        self.resolver.handle_timeout(now);
        self.said()
    }
    fn wake(&self) -> (Instant, &'static str) {
        let wake = self.resolver.poll_timeout().expect("something is waited for");
        (wake.at, wake.why)
    }
}

#[test]
fn a_name_that_never_resolves_delays_nothing_else() {
    let mut t = Timeline::new("stun:h.example", &config(&[Udp]).with_families(true, false));
    t.answer(ms(20), "SRV _stun._udp.h.example");
    // The first server is never answered for; the second is, and waits for it a little.
    assert!(t.answer(ms(40), "A second.example").is_empty());
    assert_eq!(t.wake(), (ms(290), "resolve: next candidate"));
    assert!(t.at(ms(289)).is_empty());
    assert_eq!(t.at(ms(290)), ["192.0.2.2:1"]);
    assert_eq!(t.wake(), (ms(5020), "resolve: answer"));
    assert_eq!(t.at(ms(5020)), ["A first.example: no answer in time", "Complete"]);
    assert_eq!(t.resolver.poll_timeout(), None);
}

#[test]
fn answers_in_time_are_put_into_the_order_of_preference() {
    let mut t = Timeline::new("stun:h.example", &config(&[Udp]).with_families(true, false));
    t.answer(ms(20), "SRV _stun._udp.h.example");
    assert!(t.answer(ms(40), "A second.example").is_empty());
    assert_eq!(t.answer(ms(200), "A first.example"), ["192.0.2.1:1", "192.0.2.2:1", "Complete"]);
}

#[test]
fn a_better_candidate_that_comes_late_says_by_its_rank_that_it_is_better() {
    let mut t = Timeline::new("stun:h.example", &config(&[Udp]).with_families(true, false));
    t.answer(ms(0), "SRV _stun._udp.h.example");
    t.answer(ms(0), "A second.example");
    t.resolver.handle_timeout(ms(250));
    let Some(Event::Candidate(second)) = t.resolver.poll_event() else { panic!() };
    let ticket = t.open.iter().find(|open| open.name.as_str() == "first.example").unwrap().ticket;
    t.resolver.answer(ms(300), ticket, Ok(&[Record::A([192, 0, 2, 1].into())]));
    let Some(Event::Candidate(first)) = t.resolver.poll_event() else { panic!() };
    assert!(first.rank < second.rank);
}

#[test]
fn rfc8305_3_an_ipv4_address_waits_50_ms_for_the_ipv6_address_of_its_name() {
    let mut t = Timeline::new("stun:first.example:1", &config(&[Udp]));
    assert!(t.answer(ms(10), "A first.example").is_empty());
    assert_eq!(t.wake(), (ms(60), "resolve: next candidate"));
    assert!(t.at(ms(59)).is_empty());
    assert_eq!(t.at(ms(60)), ["192.0.2.1:1"]);
    assert_eq!(t.answer(ms(70), "AAAA first.example"), ["[2001:db8::1]:1", "Complete"]);
    // In the other order nothing waits.
    let mut t = Timeline::new("stun:first.example:1", &config(&[Udp]));
    assert_eq!(t.answer(ms(10), "AAAA first.example"), ["[2001:db8::1]:1"]);
    assert_eq!(t.answer(ms(20), "A first.example"), ["192.0.2.1:1", "Complete"]);
}

#[test]
fn the_deadline_yields_what_was_found_and_names_what_was_not() {
    let patience = (Duration::from_millis(100), Duration::from_secs(5));
    let config = config(&[Udp]).with_families(true, false).with_deadlines(patience.0, patience.1);
    let mut t = Timeline::new("stun:h.example", &config);
    t.answer(ms(10), "SRV _stun._udp.h.example");
    t.answer(ms(20), "A second.example");
    assert_eq!(t.wake(), (ms(100), "resolve: deadline"));
    let failure = "A first.example: no answer before the deadline of the whole search";
    assert_eq!(t.at(ms(100)), [failure, "192.0.2.2:1", "Deadline"]);
    assert!(t.resolver.is_closed());
}

#[test]
fn a_question_that_times_out_is_an_answer_without_records() {
    let mut t = Timeline::new("stun:second.example", &config(&[Udp]).with_families(true, false));
    let failure = "SRV _stun._udp.second.example: no answer in time";
    assert_eq!(t.at(ms(5000)), [failure]);
    assert_eq!(t.answer(ms(5010), "A second.example"), ["192.0.2.2:3478", "Complete"]);
}

#[test]
fn answers_count_once_and_only_to_what_was_asked() {
    let mut t = Timeline::new("stun:first.example:1", &config(&[Udp]).with_families(true, false));
    t.said();
    t.resolver.answer(ms(0), Ticket(99), Ok(&[Record::A([192, 0, 2, 7].into())]));
    assert!(t.said().is_empty());
    let ticket = t.open[0].ticket;
    t.resolver.answer(ms(0), ticket, Err(AnswerError::NoSuchName));
    assert_eq!(t.said(), ["A first.example: the name does not exist", "Complete"]);
    t.resolver.answer(ms(0), ticket, Ok(&[Record::A([192, 0, 2, 7].into())]));
    assert!(t.said().is_empty());
    assert_eq!(t.resolver.stats().ignored_answers, 2);
}

#[test]
fn closing_ends_it_once() {
    let mut t = Timeline::new("stun:h.example", &config(&[Udp]));
    t.said();
    t.resolver.close(ms(1));
    t.resolver.close(ms(2));
    assert_eq!(t.said(), ["Closed"]);
    assert!(t.resolver.is_closed() && t.resolver.poll_timeout().is_none());
    t.resolver.handle_timeout(ms(20_000));
    assert!(t.said().is_empty());
}
