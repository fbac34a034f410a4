use super::*;

fn limits(per_user: u32, total: u32) -> QuotaLimits {
    QuotaLimits::default().with_per_user(per_user).with_total(total)
}

#[test]
fn sec_37_beyond_its_quota_a_user_has_no_claim_and_others_have() {
    let mut quotas = Quotas::new(limits(2, 100));
    let mut claims = std::vec![quotas.claim("alice").unwrap(), quotas.claim("alice").unwrap()];
    assert_eq!(quotas.claim("alice").err(), Some(QuotaExceeded::User));
    let bobs = quotas.claim("bob").unwrap();
    assert_eq!((quotas.of_user("alice"), quotas.of_user("bob"), quotas.total()), (2, 1, 3));

    claims.pop();
    assert!(quotas.claim("alice").is_ok(), "it came back at once");
    drop((claims, bobs));
    assert_eq!((quotas.of_user("alice"), quotas.of_user("bob"), quotas.total()), (0, 0, 0));
}

#[test]
fn sec_37_beyond_the_total_nobody_has_a_claim() {
    let mut quotas = Quotas::new(limits(2, 3));
    let mut claims: Vec<_> = ["a", "b", "c"].map(|user| quotas.claim(user).unwrap()).into();
    assert_eq!(quotas.claim("d").err(), Some(QuotaExceeded::Total));
    assert_eq!(quotas.claim("a").err(), Some(QuotaExceeded::Total));
    claims.pop();
    assert!(quotas.claim("d").is_ok());
}

#[test]
fn without_limits_there_are_claims_for_all() {
    let mut quotas = Quotas::default();
    let claims: Vec<_> = (0..1000).map(|_| quotas.claim("alice").unwrap()).collect();
    assert_eq!((quotas.total(), quotas.limits()), (1000, QuotaLimits::default()));
    drop(claims);
    assert_eq!(quotas.total(), 0);
}

#[test]
fn a_limit_of_none_at_all_is_one() {
    assert_eq!(Quotas::new(limits(0, 9)).claim("a").err(), Some(QuotaExceeded::User));
    assert_eq!(Quotas::new(limits(9, 0)).claim("a").err(), Some(QuotaExceeded::Total));
}

#[test]
fn other_limits_count_for_claims_to_come() {
    let mut quotas = Quotas::new(limits(9, 9));
    let claims: Vec<_> = (0..4).map(|_| quotas.claim("alice").unwrap()).collect();
    quotas.set_limits(limits(2, 9));
    assert_eq!((quotas.of_user("alice"), quotas.claim("alice").err()), (4, Some(QuotaExceeded::User)));
    drop(claims);
    assert!(quotas.claim("alice").is_ok());
}

#[test]
fn users_without_claims_are_forgotten() {
    let mut quotas = Quotas::default();
    let stays = quotas.claim("stays").unwrap();
    for n in 0..10_000 {
        let _ = quotas.claim(&std::format!("user {n}")).unwrap();
    }
    #[cfg_attr(not(feature = "std"), allow(irrefutable_let_patterns, reason = "there is no other kind"))]
    let Table::Own(counts) = &quotas.0 else { panic!("it is its own") };
    assert!(counts.users.len() <= 2 * SWEPT_BELOW + 2, "{}", counts.users.len());
    assert_eq!(quotas.of_user("stays"), 1);
    drop(stays);
}

#[test]
fn a_user_swept_while_he_claims_is_still_one_user() {
    let mut quotas = Quotas::new(limits(1, 1_000_000));
    let alices = quotas.claim("alice").unwrap();
    let others: Vec<_> = (0..500).map(|n| quotas.claim(&std::format!("user {n}")).unwrap()).collect();
    assert_eq!(quotas.claim("alice").err(), Some(QuotaExceeded::User));
    drop((alices, others));
}

#[cfg(feature = "std")]
#[test]
fn sec_37_shards_count_together() {
    let quotas = Quotas::shared(limits(5, 12));
    let most = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut quotas = quotas.share().unwrap();
            let most = &most;
            scope.spawn(move || {
                for n in 0..2_000 {
                    let user = ["a", "b", "c"][n % 3];
                    let claims: Vec<_> = (0..4).filter_map(|_| quotas.claim(user).ok()).collect();
                    most.fetch_max(quotas.total(), Ordering::Relaxed);
                    assert!(quotas.of_user(user) <= 5 && quotas.total() <= 12);
                    drop(claims);
                }
            });
        }
    });
    let mut quotas = quotas;
    assert_eq!((quotas.total(), quotas.of_user("a")), (0, 0), "all came back");
    assert!(most.into_inner() > 0);
    assert!(Quotas::default().share().is_none());
}

#[test]
fn no_name_is_printed() {
    let mut quotas = Quotas::default();
    let claim = quotas.claim("alice").unwrap();
    assert_eq!(std::format!("{quotas:?} {claim:?}"), "Quotas(..) Claim(..)");
}
