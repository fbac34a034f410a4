//! Timelines of the querier.

use super::*;

#[test]
fn a_name_is_asked_for_at_once_and_resolved_by_the_answer() {
    let mut host = Host::new(Config::default());
    assert_eq!(host.settle(), None);
    assert!(host.io.requests.is_empty(), "no socket before there is a question");
    let id = host.resolve(NAME);
    let bind = Request::Bind { ticket: Ticket(0), ip: [224, 0, 0, 251].into(), port: Port::Exact(5353) };
    assert_eq!(host.io.requests, [bind]);
    let group = "224.0.0.251:5353".parse().unwrap();
    assert_eq!(host.io.sent[0].0.path, Path::udp(group, group));
    let asked = vec![(format!("{NAME}."), 1, false), (format!("{NAME}."), 28, false)];
    assert_eq!(host.questions(), [asked]);
    assert_eq!(host.io.sent[0].1[..4], [0; 4], "RFC 6762 sections 18.1 to 18.11: no ID, no flags");
    host.now += ms(3);
    assert_eq!(host.deliver(&answer(NAME)), Handled::Consumed);
    assert_eq!(host.events(), [resolved(id, NAME)]);
    // Nothing is asked again.
    assert_eq!(host.run_for(ms(5_000)), []);
}

#[test]
fn rfc6762_section_5_2_first_at_once_then_one_second_doubling_and_an_end() {
    for (attempts, at, end) in
        [(1, vec![0], 1_000), (3, vec![0, 1_000, 3_000], 7_000), (4, vec![0, 1_000, 3_000, 7_000], 15_000)]
    {
        let mut host = Host::new(Config::default().with_attempts(attempts));
        let id = host.querier.get_mut().resolve(host.now, NAME).unwrap();
        assert_eq!(host.run_for(ms(end - 1)), at);
        assert_eq!(host.events(), []);
        host.run_for(ms(1));
        assert_eq!(host.events(), [failed(id, NAME, FailureReason::NoAnswer)]);
    }
}

#[test]
fn rfc6762_section_5_2_an_interval_below_one_second_is_not_obeyed() {
    let mut host = Host::new(Config::default().with_interval(ms(10)));
    host.querier.get_mut().resolve(host.now, NAME).unwrap();
    assert_eq!(host.run_for(ms(60_000)), [0, 1_000, 3_000]);
}

#[test]
fn rfc6762_section_5_2_the_delay_of_chance_where_it_is_wanted() {
    let mut host = Host::new(Config::default().with_delay_first(true));
    host.querier.get_mut().resolve(host.now, NAME).unwrap();
    let at = host.run_for(ms(500));
    assert!(matches!(at[..], [20..=120]), "{at:?}");
}

#[test]
fn rfc6762_section_5_4_only_the_first_question_welcomes_unicast() {
    let mut host = Host::new(Config::default().with_unicast_response(true));
    host.querier.get_mut().resolve(host.now, NAME).unwrap();
    host.run_for(ms(3_000));
    let unicast: Vec<bool> = host.questions().iter().map(|questions| questions[0].2).collect();
    assert_eq!(unicast, [true, false, false]);
}

#[test]
fn names_that_are_due_together_share_a_query() {
    let mut host = Host::new(Config::default());
    let a = host.querier.get_mut().resolve(host.now, NAME).unwrap();
    let b = host.querier.get_mut().resolve(host.now, OTHER).unwrap();
    // The same name in other letters is the same question.
    let c = host.querier.get_mut().resolve(host.now, &NAME.to_uppercase()).unwrap();
    host.settle();
    assert_eq!(host.io.sent.len(), 1);
    assert_eq!(host.questions()[0].len(), 4);
    // RFC 6762 section 18.14: compressed. 12 + (1 + 36 + 7) + 4, a pointer + 4; then (1 + 36 + 2) + 4, a pointer + 4.
    assert_eq!(host.io.sent[0].1.len(), 12 + 48 + 6 + 43 + 6);
    host.hear(&response(&[(OTHER, PEER.into(), 120, true), (NAME, PEER.into(), 120, true)]));
    assert_eq!(host.events(), [resolved(a, NAME), resolved(b, OTHER), resolved(c, &NAME.to_uppercase())]);
}

#[test]
fn more_names_than_fit_go_into_several_queries() {
    let mut host = Host::new(Config::default());
    let names: Vec<String> =
        (0..MAX_NAMES).map(|i| format!("00000000-0000-4000-8000-{i:012}.local")).collect();
    for name in &names {
        host.querier.get_mut().resolve(host.now, name).unwrap();
    }
    host.settle();
    let sent = host.questions();
    assert_eq!(sent.len(), 2);
    assert!(host.io.sent.iter().all(|(_, octets)| octets.len() <= MAX_WRITTEN));
    let asked: Vec<&String> = sent.iter().flatten().filter(|q| q.1 == 1).map(|q| &q.0).collect();
    assert!(asked.into_iter().eq(&names.iter().map(|name| format!("{name}.")).collect::<Vec<_>>()));
}

#[test]
fn sec_49_a_name_that_never_resolves_does_not_hold_up_the_others() {
    let mut host = Host::new(Config::default());
    let slow = host.resolve(OTHER);
    let id = host.resolve(NAME);
    host.hear(&answer(NAME));
    assert_eq!(host.events(), [resolved(id, NAME)]);
    host.run_for(ms(7_000));
    assert_eq!(host.events(), [failed(slow, OTHER, FailureReason::NoAnswer)]);
}

#[test]
fn the_bound_on_names_is_told_and_then_there_is_room_again() {
    let mut host = Host::new(Config::default().with_max_names(1));
    let first = host.resolve(NAME);
    let second = host.resolve(OTHER);
    assert_eq!(host.events(), [failed(second, OTHER, FailureReason::TooManyNames)]);
    assert_eq!(host.querier.get().pending(), 1);
    host.hear(&answer(NAME));
    assert_eq!(host.events(), [resolved(first, NAME)]);
    let third = host.resolve(OTHER);
    host.hear(&answer(OTHER));
    assert_eq!(host.events(), [resolved(third, OTHER)]);
    // The memory is bounded too: the first name is forgotten, and asked for.
    let sent = host.io.sent.len();
    host.resolve(NAME);
    assert_eq!(host.io.sent.len(), sent + 1);
}

#[test]
fn an_answer_is_remembered_for_its_ttl() {
    let mut host = Host::new(Config::default());
    host.resolve(NAME);
    host.hear(&response(&[(NAME, PEER.into(), 10, true)]));
    host.events();
    host.run_for(ms(9_999));
    let id = host.resolve(NAME);
    assert_eq!(host.events(), [resolved(id, NAME)]);
    assert_eq!(host.querier.get().stats().remembered, 1);
    host.run_for(ms(1));
    host.resolve(NAME);
    assert_eq!((host.events(), host.io.sent.len()), (vec![], 2));
}

#[test]
fn no_ttl_is_believed_beyond_two_minutes() {
    let mut host = Host::new(Config::default());
    host.resolve(NAME);
    host.hear(&response(&[(NAME, PEER.into(), u32::MAX, true)]));
    host.events();
    host.run_for(ms(120_000));
    host.resolve(NAME);
    assert_eq!(host.events(), []);
}

#[test]
fn rfc6762_section_10_1_a_goodbye_is_no_answer_and_forgets_after_a_second() {
    let mut host = Host::new(Config::default());
    let goodbye = response(&[(NAME, PEER.into(), 0, true)]);
    let id = host.resolve(NAME);
    host.hear(&goodbye);
    assert_eq!(host.events(), []);
    host.hear(&answer(NAME));
    assert_eq!(host.events(), [resolved(id, NAME)]);
    host.hear(&goodbye);
    host.run_for(ms(999));
    let id = host.resolve(NAME);
    assert_eq!(host.events(), [resolved(id, NAME)]);
    host.run_for(ms(1));
    host.resolve(NAME);
    assert_eq!(host.events(), []);
}

#[test]
fn rfc6762_section_10_2_the_cache_flush_bit_replaces_what_is_remembered() {
    let moved: IpAddr = [192, 0, 2, 8].into();
    for (flush, ip) in [(true, Some(moved)), (false, None)] {
        let mut host = Host::new(Config::default());
        host.resolve(NAME);
        host.hear(&answer(NAME));
        host.events();
        host.hear(&response(&[(NAME, moved, 120, flush)]));
        let id = host.resolve(NAME);
        // Without the bit both addresses hold: nothing certain is known, so it is asked for again.
        let expected = ip.map(|ip| Event::Resolved { id, name: NAME.into(), ip });
        assert_eq!(host.events(), Vec::from_iter(expected));
    }
}

#[test]
fn draft_section_3_2_2_a_name_with_several_addresses_is_ignored() {
    let mut host = Host::new(Config::default());
    let id = host.resolve(NAME);
    let six: IpAddr = "2001:db8::7".parse().unwrap();
    host.hear(&response(&[(NAME, PEER.into(), 120, true), (NAME, six, 120, true)]));
    assert_eq!(host.events(), [failed(id, NAME, FailureReason::SeveralAddresses)]);
    // The same address twice is one.
    let id = host.resolve(OTHER);
    host.hear(&response(&[(OTHER, PEER.into(), 120, true), (OTHER, PEER.into(), 60, true)]));
    assert_eq!(host.events(), [resolved(id, OTHER)]);
}

#[test]
fn an_ipv6_address_answers_over_ipv4_too() {
    let mut host = Host::new(Config::default());
    let id = host.resolve(NAME);
    let ip: IpAddr = "2001:db8::7".parse().unwrap();
    host.hear(&response(&[(NAME, ip, 120, true)]));
    assert_eq!(host.events(), [Event::Resolved { id, name: NAME.into(), ip }]);
}

#[test]
fn both_families_are_asked_alike() {
    let mut host = Host::new(Config::default().with_ipv6(true));
    let id = host.querier.get_mut().resolve(host.now, NAME).unwrap();
    assert_eq!(host.run_for(ms(1_000)), [0, 0, 1_000, 1_000]);
    let groups: Vec<String> = host.io.sent.iter().map(|(t, _)| format!("{}", t.path.remote)).collect();
    assert_eq!(groups[..2], ["224.0.0.251:5353", "[ff02::fb]:5353"]);
    let _ = host.deliver_on("[ff02::fb]:5353", "[fe80::7]:5353", &answer(NAME));
    assert_eq!(host.events(), [resolved(id, NAME)]);
}

#[test]
fn a_family_without_a_socket_does_not_stop_the_other() {
    let mut host = Host::new(Config::default().with_ipv6(true));
    host.io.answer = None;
    let id = host.resolve(NAME);
    assert_eq!(host.io.requests.len(), 2);
    host.querier
        .handle_notice(host.now, Notice::Opened { ticket: Ticket(1), result: Err(Refused::Unsupported) });
    assert_eq!(host.run_for(ms(100)), []);
    let local = "224.0.0.251:5353".parse().unwrap();
    host.querier.handle_notice(host.now, Notice::Opened { ticket: Ticket(0), result: Ok(local) });
    assert_eq!(host.run_for(ms(0)), [100]);
    host.hear(&answer(NAME));
    assert_eq!(host.events(), [resolved(id, NAME)]);
}

#[test]
fn a_socket_that_opens_late_asks_what_was_asked() {
    let mut host = Host::new(Config::default().with_ipv6(true));
    host.io.answer = None;
    host.resolve(NAME);
    for (ticket, local) in [(0, "224.0.0.251:5353"), (1, "[ff02::fb]:5353")] {
        let result = Ok(local.parse().unwrap());
        host.querier.handle_notice(host.now, Notice::Opened { ticket: Ticket(ticket), result });
        host.settle();
        host.now += ms(200);
    }
    assert_eq!(host.io.sent.len(), 2);
    // The schedule is the first one's.
    assert_eq!(host.run_for(ms(1_000)), [1_000, 1_000]);
}

#[test]
fn without_any_socket_names_fail_and_the_next_one_tries_again() {
    let mut host = Host::new(Config::default());
    host.io.answer = Some(Err(Refused::NotPermitted));
    let id = host.resolve(NAME);
    assert_eq!(host.events(), [failed(id, NAME, FailureReason::NoSocket(Refused::NotPermitted))]);
    host.io.answer = Some(Ok(()));
    let id = host.resolve(NAME);
    host.hear(&answer(NAME));
    assert_eq!(host.events(), [resolved(id, NAME)]);
}

#[test]
fn a_driver_that_never_answers_uses_up_patience_and_no_attempt() {
    let mut host = Host::new(Config::default());
    host.io.answer = None;
    let id = host.resolve(NAME);
    assert_eq!(host.run_for(ms(5_000)), []);
    assert_eq!(host.events(), [failed(id, NAME, FailureReason::NoSocket(Refused::TimedOut))]);
}

#[test]
fn a_lost_socket_is_opened_again_while_there_are_questions() {
    let mut host = Host::new(Config::default());
    let id = host.resolve(NAME);
    let local = "224.0.0.251:5353".parse().unwrap();
    host.querier.handle_notice(host.now, Notice::Lost { transport: Transport::Udp, local, remote: None });
    host.settle();
    assert_eq!((host.io.requests.len(), host.io.sent.len()), (2, 2));
    host.hear(&answer(NAME));
    assert_eq!(host.events(), [resolved(id, NAME)]);
    // And not when there are none.
    host.querier.handle_notice(host.now, Notice::Lost { transport: Transport::Udp, local, remote: None });
    assert_eq!(host.settle(), None);
    assert_eq!(host.io.requests.len(), 2);
}

#[test]
fn the_socket_is_given_back_when_nobody_asks() {
    let mut host = Host::new(Config::default());
    host.resolve(NAME);
    host.hear(&answer(NAME));
    host.run_for(ms(9_999));
    assert_eq!(host.io.requests.len(), 1);
    host.run_for(ms(1));
    let local = "224.0.0.251:5353".parse().unwrap();
    assert_eq!(host.io.requests[1..], [Request::Release { transport: Transport::Udp, local, remote: None }]);
    // What comes now is not ours.
    assert_eq!(host.deliver(&answer(NAME)), Handled::Foreign);
    host.resolve(OTHER);
    assert_eq!(host.io.requests.len(), 3);
}

#[test]
fn a_cancelled_question_is_silent() {
    let mut host = Host::new(Config::default());
    let id = host.resolve(NAME);
    host.querier.get_mut().cancel(host.now, id);
    host.hear(&answer(NAME));
    assert_eq!(host.run_for(ms(8_000)), []);
    assert_eq!((host.events(), host.querier.get().pending()), (vec![], 0));
}

#[test]
fn closing_gives_back_even_a_socket_that_is_still_being_opened() {
    let mut host = Host::new(Config::default());
    host.io.answer = None;
    host.resolve(NAME);
    host.querier.close(host.now);
    host.settle();
    assert!(!host.querier.is_closed());
    let local = "224.0.0.251:5353".parse().unwrap();
    host.querier.handle_notice(host.now, Notice::Opened { ticket: Ticket(0), result: Ok(local) });
    host.settle();
    assert_eq!(
        host.io.requests.last(),
        Some(&Request::Release { transport: Transport::Udp, local, remote: None })
    );
    assert_eq!(host.events(), [Event::Closed]);
    assert!(host.querier.is_closed());
    assert_eq!(host.deliver(&answer(NAME)), Handled::Foreign);
    // Too late, and silent.
    host.resolve(NAME);
    assert_eq!((host.settle(), host.events(), host.io.sent.len()), (None, vec![], 0));
}

#[test]
fn the_same_seed_and_script_give_the_same_octets() {
    let play = |seed: u8| {
        let mut host = Host::new(Config::default().with_ipv6(true).with_delay_first(true));
        host.querier = Checked::new(Querier::new(host.querier.get().config, Seed::new([seed; 32])));
        host.querier.get_mut().resolve(host.now, NAME).unwrap();
        host.run_for(ms(50));
        host.querier.get_mut().resolve(host.now, OTHER).unwrap();
        let at = host.run_for(ms(3_000));
        host.hear(&answer(OTHER));
        host.run_for(ms(20_000));
        (at, host.io.sent, format!("{:?}", host.io.events))
    };
    assert_eq!(play(1), play(1));
    assert_ne!(play(1).0, play(2).0);
}

#[test]
fn it_is_a_machine() {
    let querier = &mut Querier::new(Config::default(), Seed::new([0; 32]));
    let machine: &mut dyn Machine<Event = Event, Data = ()> = querier;
    machine.close(Instant::EPOCH);
    assert!(machine.is_closed());
    assert_eq!(machine.poll_event(), Some(Event::Closed));
}
