use super::*;

fn s(n: u64) -> Instant {
    Instant::EPOCH + Duration::from_secs(n)
}

#[test]
fn sec_35_a_token_is_worth_something_once_and_for_30_seconds() {
    let mut held = Reservations::new(10);
    held.hold(s(0), [1; 8], 'a').unwrap();
    held.hold(s(1), [2; 8], 'b').unwrap();
    assert_eq!(held.take(s(1), [9; 8]), None, "unknown");
    let last = s(29) + Duration::from_nanos(999_999_999);
    assert_eq!(held.take(last, [1; 8]), Some('a'));
    assert_eq!(held.take(last, [1; 8]), None, "used");
    assert_eq!(held.take(s(31), [2; 8]), None, "expired");
    assert_eq!((held.expired(s(31)), held.expired(s(31))), (Some('b'), None));
    assert!(held.is_empty() && held.next_end().is_none());
}

#[test]
fn what_expires_comes_back_once_and_in_order() {
    let mut held = Reservations::new(10);
    for n in 0..5 {
        held.hold(s(n.into()), [n; 8], n).unwrap();
    }
    assert_eq!(held.next_end(), Some(s(30)));
    assert_eq!(held.expired(s(29)), None);
    assert_eq!(held.take(s(29), [1; 8]), Some(1));
    let back: alloc::vec::Vec<_> = core::iter::from_fn(|| held.expired(s(33))).collect();
    assert_eq!(back, [0, 2, 3]);
    assert_eq!((held.len(), held.next_end()), (1, Some(s(34))));
}

#[test]
fn what_is_gone_is_worth_nothing_and_does_not_come_back() {
    let mut held = Reservations::new(3);
    for n in 0..3 {
        held.hold(s(n.into()), [n; 8], n).unwrap();
    }
    assert_eq!((held.get(s(2), [1; 8]), held.get(s(31), [1; 8])), (Some(&1), None));
    assert_eq!((held.take_where(|&it| it == 9), held.take_where(|&it| it == 1)), (None, Some(1)));
    assert_eq!((held.take(s(3), [1; 8]), held.len()), (None, 2));
    let back: alloc::vec::Vec<_> = core::iter::from_fn(|| held.expired(s(99))).collect();
    assert_eq!(back, [0, 2]);
}

#[test]
fn it_stays_for_the_one_that_it_is_for() {
    let mut held = Reservations::new(10);
    held.hold(s(0), [1; 8], "alice").unwrap();
    assert_eq!(held.take_if(s(0), [1; 8], |&owner| owner == "bob"), None);
    assert_eq!(held.take_if(s(0), [1; 8], |&owner| owner == "alice"), Some("alice"));
}

#[test]
fn beyond_its_room_it_holds_nothing_and_gives_it_back() {
    let mut held = Reservations::new(2);
    held.hold(s(0), [1; 8], 1).unwrap();
    assert_eq!(held.hold(s(0), [1; 8], 9), Err(TooManyReservations(9)), "one thing under one token");
    held.hold(s(0), [2; 8], 2).unwrap();
    assert_eq!(held.hold(s(0), [3; 8], 3), Err(TooManyReservations(3)));
    // Taking and asking again and again does not grow it either: an end is kept until it is over.
    assert_eq!(held.take(s(0), [1; 8]), Some(1));
    assert_eq!(held.hold(s(0), [3; 8], 3), Err(TooManyReservations(3)));
    assert_eq!((held.expired(s(30)), held.expired(s(30))), (Some(2), None));
    held.hold(s(30), [3; 8], 3).unwrap();
}

#[test]
fn a_token_that_was_used_may_come_again_and_ends_by_its_own_time() {
    let mut held = Reservations::new(10);
    held.hold(s(0), [1; 8], 1).unwrap();
    assert_eq!(held.take(s(1), [1; 8]), Some(1));
    held.hold(s(10), [1; 8], 2).unwrap();
    assert_eq!(held.expired(s(30)), None, "the first one's end is not the second one's");
    assert_eq!(held.take(s(39), [1; 8]), Some(2));
}
