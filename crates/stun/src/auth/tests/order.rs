//! RFC 8489 sections 9.1.3 and 9.2.4, check by check.

use super::*;

#[test]
fn rfc8489_9_2_4_no_integrity_is_challenged() {
    let mut auth = knowing_a_user(long_term().with_username_anonymity(true));
    for ask in [
        Ask::default(),
        Ask { method: Method::ALLOCATE, ..Ask::default() },
        Ask { username: Some("user"), realm: Some(REALM), nonce: Some(b"n"), ..Ask::default() },
    ] {
        let (code, answer) = refused(&mut auth, at(0), ask);
        assert_eq!(code, 401);
        let answer = Message::parse(&answer).unwrap();
        assert_eq!(answer.get::<Realm<'_>>().unwrap().unwrap().as_str(), REALM);
        let nonce = answer.get::<Nonce<'_>>().unwrap().unwrap();
        let features = SecurityFeatures::parse(nonce.octets()).unwrap();
        assert!(features.password_algorithms && features.username_anonymity);
        let list = answer.get::<PasswordAlgorithms<'_>>().unwrap().unwrap();
        assert_eq!(list, PasswordAlgorithms::new(&[PasswordAlgorithm::SHA256]));
        // Nothing but what the RFC requires: ERROR-CODE and these three.
        assert_eq!(answer.attributes().count(), 4);
    }
}

#[test]
fn rfc8489_9_2_4_no_nonce_serves_two_addresses() {
    let mut auth = unlimited(long_term());
    let request = octets(Ask::default());
    let request = Message::parse(&request).unwrap();
    let mut drawn = alloc::collections::BTreeSet::new();
    for port in 1..=1_000 {
        let path = Path { remote: ([192, 0, 2, 1], port).into(), ..path() };
        let Verdict::Refused(refusal) = auth.check(at(0), path, &request) else { panic!("a stranger") };
        assert!(drawn.insert(refusal.nonce.unwrap().octets().to_vec()));
    }
}

#[test]
fn rfc8489_9_2_4_a_server_without_algorithms_is_one_of_rfc5389() {
    let mut auth = knowing_a_user(long_term().with_algorithms(AnnouncedAlgorithms::None));
    let (_, answer) = refused(&mut auth, at(0), Ask::default());
    assert!(!Message::parse(&answer).unwrap().has(AttributeType::PASSWORD_ALGORITHMS));
    let nonce = nonce_of(&answer);
    assert_eq!(&nonce[..13], b"obMatJos2AAAA");
    let key = md5("user");
    assert_eq!(authenticated(judge(&mut auth, at(0), legacy(&nonce, &key))).user().name(), "user");
}

#[test]
fn rfc8489_9_2_4_what_is_missing_is_a_bad_request() {
    let mut auth = knowing_a_user(long_term());
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let whole = modern(&nonce, &key);
    for lacking in [
        Ask { username: None, ..whole },
        Ask { realm: None, ..whole },
        Ask { nonce: None, ..whole },
        Ask { username: None, realm: None, nonce: None, ..whole },
    ] {
        let (code, answer) = refused(&mut auth, at(0), lacking);
        assert_eq!(code, 400);
        // "SHOULD NOT include a USERNAME, USERHASH, NONCE, or REALM", and cannot be protected.
        assert_eq!(Message::parse(&answer).unwrap().attributes().count(), 1);
    }
    let _ = authenticated(judge(&mut auth, at(0), whole));
}

#[test]
fn sec_22_exactly_one_of_password_algorithm_and_its_list_is_a_bad_request() {
    use AnnouncedAlgorithms::Sha256AndMd5;
    let mut auth = knowing_a_user(long_term().with_algorithms(Sha256AndMd5));
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    const SHA: PasswordAlgorithm<'static> = PasswordAlgorithm::SHA256;
    const MD: PasswordAlgorithm<'static> = PasswordAlgorithm::MD5;
    let (sha, md) = (SHA, MD);
    let with = |list, chosen| Ask { list, chosen, ..modern(&nonce, &key) };
    let both: &[_] = &[SHA, MD];
    for (list, chosen) in [
        (None, Some(sha)),
        (Some(both), None),
        // A list that differs from ours: shorter, longer, in another order, of other algorithms.
        (Some(&[SHA][..]), Some(sha)),
        (Some(&[MD][..]), Some(md)),
        (Some(&[SHA, MD, MD][..]), Some(sha)),
        (Some(&[MD, SHA][..]), Some(sha)),
        (Some(&[][..]), Some(sha)),
        // One that is not on the list.
        (Some(both), Some(PasswordAlgorithm::new(Algorithm(7), b"").unwrap())),
        (Some(both), Some(PasswordAlgorithm::new(Algorithm::SHA256, b"parameters").unwrap())),
    ] {
        let (code, _) = refused(&mut auth, at(0), with(list, chosen));
        assert_eq!(code, 400, "{list:?} {chosen:?}");
    }
    let md5 = md5("user");
    let of_md5 = Ask { key: Some((&md5, IntegrityAlgorithm::Sha256)), ..with(Some(both), Some(md)) };
    for ask in [with(Some(both), Some(sha)), of_md5] {
        let user = authenticated(judge(&mut auth, at(0), ask));
        assert_eq!(user.reply_algorithm(), IntegrityAlgorithm::Sha256);
    }
}

#[test]
fn sec_22_with_neither_the_request_is_processed_as_md5() {
    let mut auth = knowing_a_user(long_term());
    let (nonce, md5, sha256) = (nonce(&mut auth, at(0)), md5("user"), sha256("user"));
    let user = authenticated(judge(&mut auth, at(0), legacy(&nonce, &md5)));
    assert_eq!(user.reply_algorithm(), IntegrityAlgorithm::Sha1);
    assert_eq!(refused(&mut auth, at(0), legacy(&nonce, &sha256)).0, 401);
}

#[test]
fn rfc8489_9_2_1_whoever_strips_the_feature_off_the_nonce_has_forged_it() {
    let mut auth = knowing_a_user(long_term());
    let (mut nonce, key) = (nonce(&mut auth, at(0)), md5("user"));
    nonce[..13].copy_from_slice(&SecurityFeatures::default().cookie());
    assert_eq!(refused(&mut auth, at(0), legacy(&nonce, &key)).0, 438);
}

#[test]
fn a_list_that_went_with_a_nonce_of_before_is_stale_and_not_bad() {
    let before = long_term().with_algorithms(AnnouncedAlgorithms::Sha256AndMd5);
    let (nonce, key) = (nonce(&mut unlimited(before), at(0)), sha256("user"));
    let list: &[_] = &[PasswordAlgorithm::SHA256, PasswordAlgorithm::MD5];
    let ask = Ask { list: Some(list), ..modern(&nonce, &key) };
    let mut after = Authenticator::new(long_term().with_challenge_limit(None), Seed::new([8; 32]));
    after.add_user(User::long_term("user", REALM, PASSWORD).unwrap()).unwrap();
    assert_eq!(refused(&mut after, at(0), ask).0, 438);
}

#[test]
fn sec_19_an_unknown_user_and_a_wrong_password_are_told_the_same() {
    let mut auth = knowing_a_user(long_term());
    let (nonce, wrong) = (nonce(&mut auth, at(0)), IntegrityKey::from_octets(b"wrong"));
    let known = modern(&nonce, &wrong);
    let hashed = |name| Ask { username: None, userhash: Some(UserHash::of(name, REALM)), ..known };
    let answers = [
        known,
        Ask { username: Some("nobody"), ..known },
        hashed("user"),
        hashed("nobody"),
        Ask { realm: Some("example.com"), ..known },
        legacy(&nonce, &wrong),
    ]
    .map(|ask| refused(&mut auth, at(0), ask));
    let without_nonce = |(code, answer): &(u16, Vec<u8>)| {
        let (code, mut answer, nonce) = (*code, answer.clone(), nonce_of(answer));
        let found = answer.windows(nonce.len()).position(|it| it == nonce).unwrap();
        answer[found..found + nonce.len()].fill(0);
        (code, answer)
    };
    for answer in &answers {
        assert_eq!(without_nonce(answer), without_nonce(&answers[0]));
        assert_eq!(answer.0, 401);
        // RFC 8489 section 9.2.4: these MUST be in it; USERNAME, USERHASH and integrity SHOULD NOT.
        let parsed = Message::parse(&answer.1).unwrap();
        for kind in [AttributeType::REALM, AttributeType::NONCE, AttributeType::PASSWORD_ALGORITHMS] {
            assert!(parsed.has(kind), "{kind}");
        }
        assert_eq!(parsed.attributes().count(), 4);
    }
    assert_eq!(auth.stats().wrong_credentials, 6);
}

/// Whoever is not known costs the same HMACs, of the same hash over as many octets and in the same order, as one who is
/// known and whose password is wrong. Equal time is what follows, and what the benchmarks show.
#[test]
fn sec_19_an_unknown_user_costs_what_a_known_one_costs() {
    use AnnouncedAlgorithms::{None as Nothing, Sha256, Sha256AndMd5};
    let wrong = IntegrityKey::from_octets(b"wrong");
    for announced in [Nothing, Sha256, Sha256AndMd5] {
        let mut auth = knowing_a_user(long_term().with_algorithms(announced));
        let only_sha256 = User::from_long_term_keys("half", REALM, None, Some(sha256("half")));
        auth.add_user(only_sha256).unwrap();
        let nonce = nonce(&mut auth, at(0));
        let legacy = legacy(&nonce, &wrong);
        let sha256 = Ask { list: Some(announced.list()), ..modern(&nonce, &wrong) };
        let md5 = Ask { chosen: Some(PasswordAlgorithm::MD5), ..sha256 };
        let mut asks = std::vec![legacy];
        asks.extend([sha256].into_iter().filter(|_| announced != Nothing));
        asks.extend([md5].into_iter().filter(|_| announced == Sha256AndMd5));
        for ask in asks {
            let hashed = |name| Ask { username: None, userhash: Some(UserHash::of(name, REALM)), ..ask };
            let named = |name| Ask { username: Some(name), ..ask };
            let elsewhere = Ask { realm: Some("example.com"), ..ask };
            let known = work(&mut auth, ask);
            for stranger in [named("nobo"), named("half"), elsewhere] {
                assert_eq!(work(&mut auth, stranger), known);
            }
            assert_eq!(work(&mut auth, hashed("nobody")), work(&mut auth, hashed("user")));
            // That of the nonce that came, that of the message, and that of the nonce that goes.
            assert_eq!(known.len(), 3);
            assert_eq!(work(&mut auth, Ask { key: None, ..ask }).len(), 1, "what counts is counted");
        }
    }
    let mut auth = unlimited(AuthConfig::short_term());
    auth.add_user(User::short_term("user", PASSWORD).unwrap()).unwrap();
    let ask = Ask { username: Some("user"), key: Some((&wrong, IntegrityAlgorithm::Sha1)), ..Ask::default() };
    let known = work(&mut auth, ask);
    assert_eq!(known.len(), 1);
    assert_eq!(work(&mut auth, Ask { username: Some("nobo"), ..ask }), known);
}
/// The HMACs of a request that is refused.
fn work(auth: &mut Authenticator, ask: Ask<'_>) -> Vec<crate::integrity::work::Hmac> {
    let octets = octets(ask);
    let message = Message::parse(&octets).unwrap();
    let (work, verdict) = crate::integrity::work::of(|| auth.check(at(0), path(), &message));
    assert!(matches!(verdict, Verdict::Refused(_)));
    work
}

#[test]
fn rfc8489_9_2_4_userhash_stands_for_the_name() {
    let mut auth = knowing_a_user(long_term().with_username_anonymity(true));
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let ask = Ask { username: None, userhash: Some(UserHash::of("user", REALM)), ..modern(&nonce, &key) };
    let user = authenticated(judge(&mut auth, at(0), ask));
    assert_eq!((user.user().name(), user.user().hash()), ("user", UserHash::of("user", REALM)));
    // USERNAME is taken all the same.
    let _ = authenticated(judge(&mut auth, at(0), modern(&nonce, &key)));
}

#[test]
fn rfc8489_9_2_4_the_nonce_is_checked_last_and_says_stale_only_to_whom_it_should() {
    let mut auth = knowing_a_user(long_term().with_nonce_period(Duration::from_secs(60)));
    let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
    let wrong = IntegrityKey::from_octets(b"wrong");
    assert_eq!(refused(&mut auth, at(120), modern(&nonce, &wrong)).0, 401);
    let (code, answer) = refused(&mut auth, at(120), modern(&nonce, &key));
    assert_eq!(code, 438);
    let parsed = Message::parse(&answer).unwrap();
    for kind in [AttributeType::REALM, AttributeType::NONCE, AttributeType::PASSWORD_ALGORITHMS] {
        assert!(parsed.has(kind), "{kind}");
    }
    assert_eq!(parsed.attributes().count(), 4, "nothing else: no USERNAME, no USERHASH");
    // "The NONCE attribute value MUST be valid."
    let _ = authenticated(judge(&mut auth, at(120), modern(&nonce_of(&answer), &key)));
}

#[test]
fn sec_20_forged_foreign_and_expired_nonces_are_stale() {
    let mut auth = knowing_a_user(long_term().with_nonce_period(Duration::from_secs(60)));
    let key = sha256("user");
    let expired = nonce(&mut auth, at(0));
    let stolen = {
        let other = Path { remote: "192.0.2.1:5001".parse().unwrap(), ..path() };
        let request = octets(Ask::default());
        let verdict = auth.check(at(120), other, &Message::parse(&request).unwrap());
        let Verdict::Refused(refusal) = verdict else { panic!("a stranger") };
        refusal.nonce.unwrap().octets().to_vec()
    };
    let mut forged = nonce(&mut auth, at(120));
    *forged.last_mut().unwrap() ^= 1;
    let nonsense = b"obMatJos2gAAA and nonsense".to_vec();
    for nonce in [expired, stolen, forged, nonsense] {
        let (code, answer) = refused(&mut auth, at(120), modern(&nonce, &key));
        assert_eq!(code, 438);
        assert_ne!(nonce_of(&answer), nonce);
    }
    assert_eq!(auth.stats().stale, 4);
    // Without the feature bit a client is taken for one of RFC 5389.
    let md5 = md5("user");
    assert_eq!(refused(&mut auth, at(120), legacy(b"f//499k954d6OL34oL9FSTvy64sA", &md5)).0, 438);
}

#[test]
fn rfc8489_9_2_4_answers_bear_the_integrity_of_the_password_algorithm() {
    let mut auth = knowing_a_user(long_term());
    let (nonce, md5, sha256) = (nonce(&mut auth, at(0)), md5("user"), sha256("user"));
    for (ask, key, algorithm) in [
        (modern(&nonce, &sha256), &sha256, IntegrityAlgorithm::Sha256),
        (legacy(&nonce, &md5), &md5, IntegrityAlgorithm::Sha1),
    ] {
        let user = authenticated(judge(&mut auth, at(0), ask));
        let mut buffer: Buffer = [0; _];
        let mut packet = Packet::empty(&mut buffer);
        let open = MessageWriter::new(&mut packet, Class::Success, Method::BINDING, ask.id).unwrap();
        user.seal(open).unwrap().finish();
        let answer = Message::parse(packet.bytes()).unwrap();
        assert_eq!(answer.integrity_algorithm(), Some(algorithm));
        assert_eq!(answer.integrity(key), Integrity::Ok);
    }
}

#[test]
fn a_user_without_the_key_that_is_needed_is_nobody() {
    let mut auth = unlimited(long_term());
    let only_md5 = User::from_long_term_keys("user", REALM, Some(md5("user")), None);
    auth.add_user(only_md5).unwrap();
    let (nonce, md5, sha256) = (nonce(&mut auth, at(0)), md5("user"), sha256("user"));
    assert_eq!(refused(&mut auth, at(0), modern(&nonce, &sha256)).0, 401);
    let _ = authenticated(judge(&mut auth, at(0), legacy(&nonce, &md5)));
}

#[test]
fn sec_9_texts_beyond_763_octets_are_a_bad_request() {
    use crate::testing::ByHand;
    let mut long = unlimited(long_term());
    let mut short = unlimited(AuthConfig::short_term());
    let text = [b'x'; 764];
    for kind in [AttributeType::USERNAME, AttributeType::REALM, AttributeType::NONCE] {
        for (length, want) in [(764, true), (763, false)] {
            let others = [AttributeType::USERNAME, AttributeType::REALM, AttributeType::NONCE];
            let others = others.into_iter().filter(|&it| it != kind);
            let message = ByHand::binding().with(kind, &text[..length]);
            let octets = others.fold(message, |it, kind| it.with(kind, b"short")).with_sha1("x").octets();
            let message = Message::parse(&octets).unwrap();
            for auth in [&mut long, &mut short] {
                let Verdict::Refused(refusal) = auth.check(at(0), path(), &message) else {
                    panic!("accepted")
                };
                assert_eq!(refusal.error_code() == ErrorCode::BAD_REQUEST, want, "{kind} {length}");
            }
        }
    }
    assert_eq!((long.waiting(), long.users().len()), (0, 0));
}

#[test]
fn rfc8489_9_1_3_short_term_checks_in_order() {
    let mut auth = unlimited(AuthConfig::short_term());
    auth.add_user(User::short_term("evtj:h6vY", PASSWORD).unwrap()).unwrap();
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let wrong = IntegrityKey::short_term("another").unwrap();
    let of = |key| Ask {
        username: Some("evtj:h6vY"),
        key: Some((key, IntegrityAlgorithm::Sha1)),
        ..Ask::default()
    };
    for (ask, want) in [
        (Ask::default(), 400),
        (Ask { key: None, ..of(&key) }, 400),
        (Ask { username: None, ..of(&key) }, 400),
        (Ask { username: Some("nobody"), ..of(&key) }, 401),
        (of(&wrong), 401),
    ] {
        let (code, answer) = refused(&mut auth, at(0), ask);
        assert_eq!(code, want);
        // "MUST NOT include" integrity or USERNAME; and there is no challenge to make.
        assert_eq!(Message::parse(&answer).unwrap().attributes().count(), 1);
    }
    for algorithm in [IntegrityAlgorithm::Sha1, IntegrityAlgorithm::Sha256] {
        let user = authenticated(judge(&mut auth, at(0), Ask { key: Some((&key, algorithm)), ..of(&key) }));
        assert_eq!((user.user().name(), user.reply_algorithm()), ("evtj:h6vY", algorithm));
    }
}

#[test]
fn rfc8489_9_1_3_indications_that_fail_are_silently_discarded() {
    let mut auth = unlimited(AuthConfig::short_term());
    auth.add_user(User::short_term("user", PASSWORD).unwrap()).unwrap();
    let key = IntegrityKey::short_term(PASSWORD).unwrap();
    let ask = Ask { class: Class::Indication, username: Some("user"), ..Ask::default() };
    let genuine = Ask { key: Some((&key, IntegrityAlgorithm::Sha1)), ..ask };
    let wrong = IntegrityKey::short_term("another").unwrap();
    // No integrity, no USERNAME, one that is not valid, and an integrity that is wrong.
    for failing in [
        ask,
        Ask { username: None, ..genuine },
        Ask { username: Some("nobody"), ..genuine },
        Ask { key: Some((&wrong, IntegrityAlgorithm::Sha1)), ..genuine },
    ] {
        assert_eq!(judge(&mut auth, at(0), failing), Verdict::Discarded);
    }
    assert_eq!(auth.stats().indications_discarded, 4);
    let _ = authenticated(judge(&mut auth, at(0), genuine));
    // RFC 8489 section 9.2: the long-term mechanism cannot challenge an indication.
    assert_eq!(judge(&mut knowing_a_user(long_term()), at(0), ask), Verdict::Discarded);
}

#[test]
fn refusals_to_one_source_are_limited_over_datagrams_alone() {
    let limit = RateLimit::default().with_rate(1, 3);
    let config = long_term().with_challenge_limit(Some(limit));
    let mut auth = Authenticator::new(config, Seed::new([7; 32]));
    let request = octets(Ask::default());
    let request = Message::parse(&request).unwrap();
    let mut ask = |path| matches!(auth.check(at(0), path, &request), Verdict::Refused(_));
    let answered =
        (1..=10).filter(|&port| ask(Path { remote: ([192, 0, 2, 1], port).into(), ..path() })).count();
    assert_eq!(answered, 3);
    assert!(ask(Path { remote: "192.0.2.2:1".parse().unwrap(), ..path() }), "another source");
    assert!((0..10).all(|_| ask(Path { transport: ginnel_core::Transport::Tcp, ..path() })));
    assert_eq!(auth.stats().limited, 7);
}

#[test]
fn keys_of_nonces_are_rotated_and_shared() {
    let key = || NonceKey::new([3; 32]);
    let config = || long_term().with_nonce_key(key(), Duration::ZERO);
    let mut one = knowing_a_user(config());
    let mut other = Authenticator::new(config(), Seed::new([99; 32]));
    other.add_user(User::long_term("user", REALM, PASSWORD).unwrap()).unwrap();
    let (nonce, key) = (nonce(&mut one, at(0)), sha256("user"));
    let _ = authenticated(judge(&mut other, at(0), modern(&nonce, &key)));
    other.rotate_nonce_key(NonceKey::new([4; 32]));
    let _ = authenticated(judge(&mut other, at(0), modern(&nonce, &key)));
    other.rotate_nonce_key(NonceKey::new([5; 32]));
    assert_eq!(refused(&mut other, at(0), modern(&nonce, &key)).0, 438);
}

#[test]
fn the_same_seed_and_script_give_the_same_octets() {
    let run = || {
        let mut auth = knowing_a_user(long_term());
        let (nonce, key) = (nonce(&mut auth, at(0)), sha256("user"));
        [refused(&mut auth, at(1), Ask::default()), refused(&mut auth, at(9_999), modern(&nonce, &key))]
    };
    assert_eq!(run(), run());
}

#[test]
fn realms_are_short_unquoted_text() {
    assert_eq!(AuthConfig::long_term("").unwrap_err(), RealmError::Empty);
    let mut longest = unlimited(AuthConfig::long_term(&"x".repeat(REALM_MAX)).unwrap());
    let (code, _) = refused(&mut longest, at(0), Ask::default());
    assert_eq!(code, 401, "what may be configured can be written");
    assert_eq!(AuthConfig::long_term(&"x".repeat(REALM_MAX + 1)).unwrap_err(), RealmError::TooLong);
    for bad in ["a\"b", "a\\b", "a\nb", "a\0"] {
        assert_eq!(AuthConfig::long_term(bad).unwrap_err(), RealmError::Character);
    }
}

/// A server that came back would take requests that were recorded in its first hours if its key lived on and its clock did not.
#[test]
fn nonces_of_a_key_that_outlives_its_server_expire_by_a_clock_that_does_too() {
    let begun = |clock| {
        let config = long_term().with_nonce_period(Duration::from_secs(60));
        knowing_a_user(config.with_nonce_key(NonceKey::new([3; 32]), Duration::from_secs(clock)))
    };
    let key = sha256("user");
    let nonce = nonce(&mut begun(1_000_000), at(50));
    let _ = authenticated(judge(&mut begun(1_000_050), at(0), modern(&nonce, &key)));
    assert_eq!(refused(&mut begun(1_000_200), at(0), modern(&nonce, &key)).0, 438);
    assert_eq!(refused(&mut begun(1_000_200), at(50), modern(&nonce, &key)).0, 438);
    // A clock at its end stands still.
    let mut late = begun(u64::MAX);
    let nonce = super::nonce(&mut late, Instant::from_epoch(Duration::MAX));
    let _ = authenticated(judge(&mut late, Instant::from_epoch(Duration::MAX), modern(&nonce, &key)));
}

#[test]
fn whoever_names_port_0_is_not_answered() {
    let mut auth = unlimited(long_term());
    let request = octets(Ask::default());
    let nowhere = Path { remote: "192.0.2.1:0".parse().unwrap(), ..path() };
    assert_eq!(auth.check(at(0), nowhere, &Message::parse(&request).unwrap()), Verdict::Discarded);
}

#[test]
fn who_is_asked_about_at_once_is_asked_about_only_with_a_nonce_that_is_valid_and_in_our_realm() {
    let mut auth = unlimited(long_term());
    let (nonce, key, wrong) = (nonce(&mut auth, at(0)), sha256("user"), IntegrityKey::from_octets(b"wrong"));
    let user = || Some(alloc::sync::Arc::new(User::long_term("user", REALM, PASSWORD).unwrap()));
    let other = || Some(alloc::sync::Arc::new(User::long_term("other", REALM, PASSWORD).unwrap()));
    let whole = modern(&nonce, &key);
    let hashed = Ask { username: None, userhash: Some(UserHash::of("user", REALM)), ..whole };
    let forged = Ask { nonce: Some(b"obMatJos2gAAAforged"), ..whole };
    for (ask, found, want, asked) in [
        (Ask::default(), user(), Some(401), false),
        (forged, user(), Some(438), false),
        (Ask { realm: Some("example.com"), ..whole }, user(), Some(401), false),
        (Ask { realm: None, ..whole }, user(), Some(400), false),
        (whole, None, Some(401), true),
        (whole, other(), Some(401), true),
        (modern(&nonce, &wrong), user(), Some(401), true),
        (whole, user(), None, true),
        (hashed, user(), None, true),
    ] {
        let octets = octets(ask);
        let mut was_asked = false;
        let verdict = auth.check_by(at(0), path(), &Message::parse(&octets).unwrap(), |who| {
            was_asked = true;
            assert!(matches!(std::format!("{who:?}").as_str(), "Username(..)" | "UserHash(..)"));
            found
        });
        let code = match verdict {
            Verdict::Refused(refusal) => Some(refusal.error_code().code()),
            verdict => authenticated(verdict).user().name().strip_prefix("user").map(|_| 0),
        };
        assert_eq!((code, was_asked), (want.or(Some(0)), asked));
    }
}

#[test]
fn users_in_memory_come_before_those_who_are_computed() {
    let mut auth = knowing_a_user(long_term());
    let (nonce, key, computed) = (nonce(&mut auth, at(0)), sha256("user"), sha256("computed"));
    let of_memory = modern(&nonce, &key);
    let beside = Ask { username: Some("computed"), ..modern(&nonce, &computed) };
    for (ask, is_asked) in [(of_memory, false), (beside, true)] {
        let mut was_asked = false;
        let octets = octets(ask);
        let verdict = auth.check_by(at(0), path(), &Message::parse(&octets).unwrap(), |_| {
            was_asked = true;
            Some(alloc::sync::Arc::new(User::long_term("computed", REALM, PASSWORD).unwrap()))
        });
        assert!(matches!(verdict, Verdict::Authenticated(_)), "{verdict:?}");
        assert_eq!(was_asked, is_asked);
    }
}

#[test]
fn a_user_who_could_never_be_authenticated_is_not_taken() {
    let mut long = unlimited(AuthConfig::long_term(REALM).unwrap());
    let of = |realm| User::long_term("user", realm, PASSWORD).unwrap();
    assert_eq!(long.add_user(of("example.com")), Err(AddUserError::OtherRealm));
    assert_eq!(long.add_user(User::short_term("user", PASSWORD).unwrap()), Err(AddUserError::OtherMechanism));
    assert!(long.users().is_empty());
    assert_eq!(long.add_user(of(REALM)), Ok(()));
    let mut short = unlimited(AuthConfig::short_term().with_max_users(1));
    assert_eq!(short.add_user(of(REALM)), Err(AddUserError::OtherMechanism));
    assert_eq!(short.add_user(User::short_term("user", PASSWORD).unwrap()), Ok(()));
    let one_more = short.add_user(User::short_term("other", PASSWORD).unwrap());
    assert_eq!(one_more, Err(AddUserError::TooMany(TooManyUsers(1))));
}
