//! Users who are looked up elsewhere.

use super::*;

const MAX: usize = 8;

fn by_event() -> Authenticator {
    unlimited(long_term().with_look_up(LookUp::ByEvent { max_waiting: MAX }))
}
fn user() -> User {
    User::long_term("user", REALM, PASSWORD).unwrap()
}
fn id(n: u32) -> crate::TransactionId {
    let mut octets = [0; 12];
    octets[..4].copy_from_slice(&n.to_be_bytes());
    crate::TransactionId::new(octets)
}
fn answered(auth: &mut Authenticator, now: Instant) -> Option<(Vec<u8>, Verdict)> {
    let mut buffer: Buffer = [0xEE; _];
    let mut packet = Packet::empty(&mut buffer);
    let (answered, verdict) = auth.poll_answered(now, &mut packet)?;
    assert_eq!(answered, path());
    Some((packet.bytes().to_vec(), verdict))
}

#[test]
fn a_user_is_looked_up_by_event_and_the_request_goes_on_where_it_was() {
    let mut auth = by_event();
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    for (ask, who) in [
        (modern(&nonce, &key), Who::Username("user".into())),
        (
            Ask {
                username: None,
                userhash: Some(UserHash::of("user", REALM)),
                id: id(1),
                ..modern(&nonce, &key)
            },
            Who::UserHash(UserHash::of("user", REALM)),
        ),
    ] {
        let Verdict::LookingUp(ticket) = judge(&mut auth, at(0), ask) else { panic!("not looked up") };
        assert_eq!(auth.poll_event(), Some(AuthEvent::LookUp { ticket, who }));
        assert_eq!((auth.poll_event(), auth.waiting()), (None, 1));
        assert!(answered(&mut auth, at(1)).is_none(), "nobody has answered");
        assert!(auth.answer(ticket, Some(user())) && !auth.answer(ticket, Some(user())));
        let (request, verdict) = answered(&mut auth, at(1)).unwrap();
        assert_eq!(request, octets(ask));
        assert_eq!(authenticated(verdict).user().name(), "user");
        assert_eq!(auth.waiting(), 0);
    }
}

#[test]
fn sec_19_who_is_not_found_is_told_what_one_with_a_wrong_password_is_told() {
    let mut auth = by_event();
    let (nonce, key, wrong) = (nonce(&mut auth, at(0)), sha256("user"), IntegrityKey::from_octets(b"wrong"));
    let cases = [
        (modern(&nonce, &key), None),
        (modern(&nonce, &wrong), Some(user())),
        // The back end answers for somebody else.
        (modern(&nonce, &key), Some(User::long_term("other", REALM, PASSWORD).unwrap())),
    ];
    for (ask, found) in cases {
        let Verdict::LookingUp(ticket) = judge(&mut auth, at(0), ask) else { panic!("not looked up") };
        auth.answer(ticket, found);
        let Some((_, Verdict::Refused(refusal))) = answered(&mut auth, at(0)) else { panic!("accepted") };
        assert_eq!(refusal.error_code(), ErrorCode::UNAUTHENTICATED);
    }
}

#[test]
fn nobody_is_looked_up_for_a_bad_nonce_or_another_realm() {
    let mut auth = by_event();
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let forged = Ask { nonce: Some(b"obMatJos2gAAAforged"), ..modern(&nonce, &key) };
    assert_eq!(refused(&mut auth, at(0), forged).0, 438);
    let elsewhere = Ask { realm: Some("example.com"), ..modern(&nonce, &key) };
    assert_eq!(refused(&mut auth, at(0), elsewhere).0, 401);
    assert_eq!((auth.poll_event(), auth.waiting()), (None, 0));
}

#[test]
fn a_retransmission_does_not_wait_twice() {
    let mut auth = by_event();
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let first = judge(&mut auth, at(0), modern(&nonce, &key));
    let second = judge(&mut auth, at(0), modern(&nonce, &key));
    assert!(first == second && matches!(first, Verdict::LookingUp(_)));
    assert_eq!(auth.waiting(), 1);
    assert!(auth.poll_event().is_some() && auth.poll_event().is_none());
}

#[test]
fn a_back_end_that_never_answers_fills_nothing() {
    let mut auth = by_event();
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let ask = |n| Ask { id: id(n), ..modern(&nonce, &key) };
    let tickets: Vec<_> = (0..1_000)
        .map(|n| match judge(&mut auth, at(0), ask(n)) {
            Verdict::LookingUp(ticket) => ticket,
            other => panic!("not looked up, but {other:?}"),
        })
        .collect();
    assert_eq!((auth.waiting(), auth.stats().look_ups_dropped), (MAX, 1_000 - MAX as u64));
    let events: Vec<_> = core::iter::from_fn(|| auth.poll_event()).collect();
    assert_eq!(events.len(), MAX, "the user hears of those that wait, and of no others");
    // The oldest went; the newest are there.
    assert!(!auth.answer(tickets[0], Some(user())));
    assert!(auth.answer(tickets[999], Some(user())));
    // Those that were answered are counted until they are fetched.
    let _ = judge(&mut auth, at(0), ask(1_000));
    assert_eq!(auth.waiting(), MAX);
    let (_, verdict) = answered(&mut auth, at(0)).unwrap();
    let _ = authenticated(verdict);
}

/// What a nonce proves is an address, and everybody has one: a flood with valid nonces from one of them fills the queue while
/// it is empty, and then it only displaces itself.
#[test]
fn one_source_that_floods_does_not_displace_the_others() {
    let from = |host: u8, port: u16| Path { remote: ([192, 0, 2, host], port).into(), ..path() };
    let mut auth = by_event();
    let key = sha256("user");
    let mut nonces = alloc::collections::BTreeMap::new();
    let mut wait = |auth: &mut Authenticator, path: Path, n: u32| {
        let nonce = nonces.entry(path).or_insert_with(|| {
            let request = octets(Ask::default());
            match auth.check(at(0), path, &Message::parse(&request).unwrap()) {
                Verdict::Refused(refusal) => refusal.nonce.unwrap().octets().to_vec(),
                other => panic!("{other:?}"),
            }
        });
        let octets = octets(Ask { id: id(n), ..modern(nonce, &key) });
        match auth.check(at(0), path, &Message::parse(&octets).unwrap()) {
            Verdict::LookingUp(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    };
    let flood = |n: u32| from(1, 1_000 + (n % 50) as u16);
    for n in 0..100 {
        wait(&mut auth, flood(n), n);
    }
    let others: Vec<_> = (2..6).map(|host| wait(&mut auth, from(host, 5_000), 1_000)).collect();
    for n in 100..1_000 {
        wait(&mut auth, flood(n), n);
    }
    assert_eq!(auth.waiting(), MAX);
    for ticket in others {
        assert!(auth.answer(ticket, Some(user())), "it was displaced");
    }
}

#[test]
fn a_request_that_is_retransmitted_seven_times_is_asked_for_once_and_answered_once() {
    let mut auth = by_event();
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let mut asked = Vec::new();
    for second in [0, 1, 3, 7, 15, 31, 38] {
        assert!(matches!(judge(&mut auth, at(second), modern(&nonce, &key)), Verdict::LookingUp(_)));
        asked.extend(auth.poll_event());
    }
    let [AuthEvent::LookUp { ticket, .. }] = asked[..] else { panic!("{asked:?}") };
    // Tickets that nobody gave, and the same one twice.
    assert!(!auth.answer(ginnel_core::Ticket(ticket.0 + 1), Some(user())));
    assert!(auth.answer(ticket, Some(user())) && !auth.answer(ticket, None));
    let (_, verdict) = answered(&mut auth, at(39)).unwrap();
    let _ = authenticated(verdict);
    assert!(answered(&mut auth, at(39)).is_none());
}

#[test]
fn sec_19_who_is_not_found_costs_what_one_with_a_wrong_password_costs() {
    let mut auth = by_event();
    let (nonce, wrong) = (nonce(&mut auth, at(0)), IntegrityKey::from_octets(b"wrong"));
    let other = User::long_term("other", REALM, PASSWORD).unwrap();
    let work = [Some(user()), None, Some(other)].map(|found| {
        let Verdict::LookingUp(ticket) = judge(&mut auth, at(0), modern(&nonce, &wrong)) else {
            panic!("not looked up")
        };
        auth.answer(ticket, found);
        let (work, judged) = crate::integrity::work::of(|| answered(&mut auth, at(0)));
        assert!(matches!(judged, Some((_, Verdict::Refused(_)))));
        work
    });
    assert_eq!(work[0].len(), 3);
    assert!(work.iter().all(|it| *it == work[0]), "{work:?}");
}

#[test]
fn one_request_may_wait_where_there_is_room_for_one_and_none_where_there_is_none() {
    for (max, want) in [(1, 1), (0, 0)] {
        let mut auth = unlimited(long_term().with_look_up(LookUp::ByEvent { max_waiting: max }));
        let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
        for n in 0..3 {
            let verdict = judge(&mut auth, at(0), Ask { id: id(n), ..modern(&nonce, &key) });
            assert_eq!(verdict == Verdict::Discarded, max == 0);
            assert_eq!(auth.waiting(), want);
        }
        assert_eq!(auth.stats().look_ups_dropped, 3 - want as u64);
    }
}

#[test]
fn what_is_too_long_does_not_wait() {
    let mut auth = by_event();
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let bare = octets(modern(&nonce, &key)).len();
    let padded = |octets: usize| Ask {
        padding: Some(Padding { octets: (octets - bare - 4) as u16 }),
        ..modern(&nonce, &key)
    };
    assert!(matches!(judge(&mut auth, at(0), padded(WAITING_OCTETS_MAX)), Verdict::LookingUp(_)));
    assert_eq!(judge(&mut auth, at(0), padded(WAITING_OCTETS_MAX + 4)), Verdict::Discarded);
}

#[test]
fn an_answer_that_comes_when_the_client_has_given_up_is_not_sent() {
    let mut auth = by_event();
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    for (later, sent) in [(39, true), (40, false)] {
        let Verdict::LookingUp(ticket) = judge(&mut auth, at(0), modern(&nonce, &key)) else {
            panic!("not looked up")
        };
        auth.answer(ticket, Some(user()));
        assert_eq!(answered(&mut auth, at(later)).is_some(), sent);
        assert_eq!(auth.waiting(), 0);
    }
}

#[test]
fn who_is_known_already_is_not_looked_up() {
    let mut auth = by_event();
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let known = alloc::sync::Arc::new(user());
    let mut check =
        |ask: Ask<'_>| auth.check_known(at(0), path(), &Message::parse(&octets(ask)).unwrap(), Some(&known));
    let user = authenticated(check(modern(&nonce, &key)));
    assert!(alloc::sync::Arc::ptr_eq(user.user(), &known));
    // Somebody else, or the same with a new password, goes the long way.
    let (other, new) = (sha256("other"), IntegrityKey::from_octets(b"new password"));
    let somebody = Ask { username: Some("other"), id: id(1), ..modern(&nonce, &other) };
    assert!(matches!(check(somebody), Verdict::LookingUp(_)));
    assert!(matches!(check(Ask { id: id(2), ..modern(&nonce, &new) }), Verdict::LookingUp(_)));
    // RFC 8656 section 5: 441 is a comparison of users.
    assert_ne!(*known, User::long_term("other", REALM, PASSWORD).unwrap());
    assert_eq!(*known, User::long_term("user", REALM, "new password").unwrap());
}

#[test]
fn who_is_known_and_not_in_memory_any_more_is_nobody() {
    let mut auth = knowing_a_user(long_term());
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let request = octets(modern(&nonce, &key));
    let request = Message::parse(&request).unwrap();
    let known = authenticated(auth.check(at(0), path(), &request)).user().clone();
    let _ = authenticated(auth.check_known(at(0), path(), &request, Some(&known)));
    // With another password.
    auth.add_user(User::long_term("user", REALM, "another").unwrap()).unwrap();
    assert!(matches!(auth.check_known(at(0), path(), &request, Some(&known)), Verdict::Refused(_)));
    assert!(auth.remove_user("user"));
    assert!(matches!(auth.check_known(at(0), path(), &request, Some(&known)), Verdict::Refused(_)));
}

#[test]
fn sec_23_names_are_only_ever_data() {
    let long = "x".repeat(508);
    for name in ["%n%s%n", "'; DROP TABLE users; --", "a\"b", "nul\0nul", "line\r\nline", "$(reboot)", &long]
    {
        let mut auth = by_event();
        let nonce = nonce(&mut auth, at(0));
        let key = sha256(name);
        let ask = Ask { username: Some(name), ..modern(&nonce, &key) };
        let Verdict::LookingUp(ticket) = judge(&mut auth, at(0), ask) else { panic!("not looked up") };
        let Some(AuthEvent::LookUp { who, .. }) = auth.poll_event() else { panic!("no event") };
        // It comes out as it went in, and whoever prints the event prints one line without it.
        assert_eq!(who, Who::Username(name.into()));
        assert_eq!(std::format!("{who:?}"), "Username(..)");
        auth.answer(ticket, Some(User::long_term(name, REALM, PASSWORD).unwrap()));
        let (_, verdict) = answered(&mut auth, at(0)).unwrap();
        assert_eq!(authenticated(verdict).user().name(), name);
        // In memory as well.
        let mut auth = unlimited(long_term());
        auth.add_user(User::long_term(name, REALM, PASSWORD).unwrap()).unwrap();
        let nonce = super::nonce(&mut auth, at(0));
        let _ = authenticated(judge(&mut auth, at(0), Ask { nonce: Some(&nonce), ..ask }));
    }
}

#[test]
fn sec_23_a_name_of_763_octets_is_looked_up_as_it_is() {
    use crate::testing::ByHand;
    let mut auth = by_event();
    let nonce = nonce(&mut auth, at(0));
    let name = "%n'\"\0".repeat(153)[..763].to_owned();
    let octets = ByHand::binding()
        .with(AttributeType::USERNAME, name.as_bytes())
        .with(AttributeType::REALM, REALM.as_bytes())
        .with(AttributeType::NONCE, &nonce)
        .with_sha1("whatever")
        .octets();
    let verdict = auth.check(at(0), path(), &Message::parse(&octets).unwrap());
    assert!(matches!(verdict, Verdict::LookingUp(_)));
    let Some(AuthEvent::LookUp { who, .. }) = auth.poll_event() else { panic!("no event") };
    assert_eq!(who, Who::Username(name.into()));
}

#[test]
fn closing_forgets_what_waits() {
    let mut auth = by_event();
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let Verdict::LookingUp(ticket) = judge(&mut auth, at(0), modern(&nonce, &key)) else {
        panic!("not looked up")
    };
    auth.close();
    assert_eq!((auth.waiting(), auth.poll_event()), (0, None));
    assert!(!auth.answer(ticket, Some(user())));
}
