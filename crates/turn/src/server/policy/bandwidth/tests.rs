use super::*;
use crate::server::policy::Quotas;

fn ms(n: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(n)
}

#[test]
fn a_flood_of_ten_times_the_rate_is_held_to_the_rate() {
    let rate = Rate::with_burst(100_000, 100_000);
    let mut bucket = Bucket::default();
    // A packet of 1,000 octets each millisecond, for a minute: 1,000,000 octets a second.
    let passed: usize = (0..60_000).filter(|&n| bucket.admits(ms(n), 1_000, &rate)).map(|_| 1_000).sum();
    let fair = 60 * 100_000 + 100_000;
    assert!((fair - 2_000..=fair).contains(&passed), "{passed} of {fair}");
}

#[test]
fn what_keeps_below_the_rate_always_passes() {
    let rate = Rate::with_burst(100_000, 0);
    let mut bucket = Bucket::default();
    assert!((0..60_000).step_by(10).all(|n| bucket.admits(ms(n), 1_000, &rate)));
}

#[test]
fn a_burst_passes_at_once_and_not_an_octet_more() {
    let rate = Rate::with_burst(1_000_000, 200_000);
    let mut bucket = Bucket::default();
    assert!((0..200).all(|_| bucket.admits(ms(5), 1_000, &rate)));
    assert!(!bucket.admits(ms(5), 1, &rate));
    assert!(bucket.admits(ms(6), 1_000, &rate), "a millisecond later");
    assert!(!bucket.admits(ms(6), 1, &rate));
    assert_eq!(bucket.full_at(), ms(5 + 201));
    assert!(
        bucket.admits(ms(1_000), 200_000, &rate) && !bucket.admits(ms(1_000), 1, &rate),
        "no more than full"
    );
}

#[test]
fn the_longest_datagram_passes_at_any_rate() {
    for octets_per_second in [0, 1, 100, 65_534] {
        assert!(Bucket::default().admits(ms(0), 65_535, &Rate::new(octets_per_second)));
    }
}

#[test]
fn extremes_neither_overflow_nor_stop_the_world() {
    let end = Instant::from_epoch(Duration::MAX);
    for rate in [Rate::new(0), Rate::new(u64::MAX), Rate::with_burst(1, u64::MAX), Rate::new(1 << 40)] {
        let mut bucket = Bucket::default();
        let _ = bucket.admits(end, usize::MAX, &rate);
        let _ = bucket.admits(end, 1, &rate);
        let mut bucket = Bucket::default();
        assert!(bucket.admits(ms(0), 1_500, &rate), "{rate:?}");
        assert!(!Bucket::default().admits(ms(0), usize::MAX, &Rate::new(1)));
    }
    let endless = Rate::new(u64::MAX);
    let mut bucket = Bucket::default();
    assert!((0..100_000).all(|_| bucket.admits(ms(0), 65_535, &endless)));
}

#[test]
fn a_hundred_gigabits_are_told_apart_from_ninety() {
    let passed = |octets_per_second| {
        let rate = Rate::with_burst(octets_per_second, 1 << 20);
        let mut bucket = Bucket::default();
        (0..10_000)
            .flat_map(|n| core::iter::repeat_n(n, 10))
            .filter(|&n| bucket.admits(Instant::EPOCH + Duration::from_micros(n), 1_400, &rate))
            .count()
    };
    // Asked for: 10,000 us of 14,000 octets each, 112 Gbit/s.
    let (ten, nine) = (passed(12_500_000_000), passed(11_250_000_000));
    assert!((88_000..92_000).contains(&ten) && (79_000..83_000).contains(&nine), "{ten} {nine}");
}

#[test]
fn each_direction_has_its_own_bucket() {
    let claim = Quotas::default().claim("alice").unwrap();
    let limits = BandwidthLimits::default().with_per_allocation(Rate::new(0));
    let mut bandwidth = Bandwidth::default();
    assert!(bandwidth.admits(ms(0), Direction::FromPeer, 65_535, &limits, &claim));
    assert!(!bandwidth.admits(ms(0), Direction::FromPeer, 1, &limits, &claim));
    assert!(bandwidth.admits(ms(0), Direction::FromClient, 65_535, &limits, &claim));
    assert!(!bandwidth.admits(ms(0), Direction::FromClient, 1, &limits, &claim));
}

#[test]
fn the_allocations_of_a_user_share_his_bucket_and_others_do_not() {
    let mut quotas = Quotas::default();
    let [one, other] = [(); 2].map(|()| quotas.claim("alice").unwrap());
    let bobs = quotas.claim("bob").unwrap();
    let limits = BandwidthLimits::default().with_per_user(Rate::with_burst(1_000, 100_000));
    let [mut a, mut b, mut c] = [Bandwidth::default(); 3];
    let from = Direction::FromClient;
    assert!(a.admits(ms(0), from, 60_000, &limits, &one));
    assert!(!b.admits(ms(0), from, 60_000, &limits, &other));
    assert!(b.admits(ms(0), from, 40_000, &limits, &other));
    assert!(c.admits(ms(0), from, 60_000, &limits, &bobs));
    assert!(a.admits(ms(0), Direction::FromPeer, 60_000, &limits, &one));
}

#[test]
fn what_the_user_may_not_is_not_taken_from_the_allocation() {
    let mut quotas = Quotas::default();
    let claim = quotas.claim("alice").unwrap();
    let limits = BandwidthLimits::default()
        .with_per_allocation(Rate::with_burst(1_000, 70_000))
        .with_per_user(Rate::with_burst(1_000, 70_000));
    let (mut one, mut other) = (Bandwidth::default(), Bandwidth::default());
    assert!(one.admits(ms(0), Direction::FromPeer, 60_000, &limits, &claim));
    assert!(!other.admits(ms(0), Direction::FromPeer, 60_000, &limits, &claim), "the user's is empty");
    assert_eq!(other, Bandwidth::default());
    assert!(!one.admits(ms(0), Direction::FromPeer, 20_000, &limits, &claim), "the allocation's is empty");
    assert!(
        other.admits(ms(0), Direction::FromPeer, 10_000, &limits, &claim),
        "and took nothing of the user's"
    );
}

#[test]
fn without_limits_everything_passes() {
    let claim = Quotas::default().claim("alice").unwrap();
    let limits = BandwidthLimits::default();
    assert!(!limits.is_limited());
    let mut bandwidth = Bandwidth::default();
    assert!((0..1000).all(|_| bandwidth.admits(ms(0), Direction::FromPeer, 65_535, &limits, &claim)));
    assert_eq!(bandwidth, Bandwidth::default());
}

#[test]
fn threads_together_get_what_one_gets() {
    let bucket = SharedBucket::default();
    let rate = Rate::with_burst(1, 1_000_000);
    let passed: usize = std::thread::scope(|scope| {
        let threads = [(); 4]
            .map(|()| scope.spawn(|| (0..1_000).filter(|_| bucket.admits(ms(0), 1_000, &rate)).count()));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 1_000);
}
