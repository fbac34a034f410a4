use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn pool(range: RangeInclusive<u16>) -> PortPool {
    PortPool::new(range, Shard::default(), Seed::new([7; 32])).unwrap()
}

#[test]
fn sec_21_relay_ports_show_no_sequence() {
    let mut pool = pool(49_152..=65_535);
    let mut drawn = Vec::new();
    for _ in 0..10_000 {
        let port = pool.take().unwrap();
        assert!(pool.give_back(port));
        drawn.push(port);
    }
    // Of 16,384 ports, a next one is given by the last one and a constant as seldom as chance has it.
    let mut steps = std::collections::BTreeMap::<u16, u32>::new();
    for pair in drawn.windows(2) {
        *steps.entry(pair[1].wrapping_sub(pair[0])).or_default() += 1;
    }
    assert!(steps.values().all(|&times| times < 10), "{:?}", steps.values().max());
    // And each sixteenth of the range has its share: 625, and 24 of standard deviation.
    let mut sixteenths = [0; 16];
    drawn.iter().for_each(|port| sixteenths[usize::from((port - 49_152) / 1_024)] += 1);
    assert!(sixteenths.iter().all(|n| (500..750).contains(n)), "{sixteenths:?}");
    let odd = drawn.iter().filter(|port| *port % 2 == 1).count();
    assert!((4_700..5_300).contains(&odd), "{odd}");
}

#[test]
fn sec_35_no_port_is_lost_in_10000_cycles() {
    let mut pool = pool(50_000..=50_099);
    for cycle in 0..10_000 {
        match cycle % 3 {
            0 => {
                let port = pool.take().unwrap();
                assert!(pool.give_back(port));
            }
            1 => {
                let port = pool.take_even().unwrap();
                assert!(port.is_multiple_of(2) && pool.give_back(port));
            }
            _ => {
                let port = pool.take_pair().unwrap();
                assert!(port.is_multiple_of(2) && pool.give_back(port + 1) && pool.give_back(port));
            }
        }
    }
    assert_eq!((pool.free(), pool.pairs.len()), (100, 50));
}

#[test]
fn sec_35_a_full_pool_says_so_and_goes_on_when_one_comes_back() {
    let mut pool = pool(50_000..=50_009);
    let mut taken: Vec<_> = core::iter::from_fn(|| pool.take()).collect();
    assert_eq!((pool.take(), pool.take_even(), pool.take_pair(), pool.free()), (None, None, None, 0));
    taken.sort_unstable();
    assert!(taken.into_iter().eq(50_000..=50_009));

    assert!(pool.give_back(50_003));
    assert_eq!((pool.take_even(), pool.take_pair()), (None, None), "an odd one alone");
    assert!(pool.give_back(50_002));
    assert_eq!(pool.take_pair(), Some(50_002));
    assert!(pool.give_back(50_004) && pool.give_back(50_007));
    assert_eq!((pool.take_pair(), pool.take_even()), (None, Some(50_004)), "no two are neighbours");
    assert_eq!((pool.take(), pool.take()), (Some(50_007), None));
}

#[test]
fn what_was_not_taken_cannot_be_given_back() {
    let mut pool = pool(50_000..=50_003);
    assert!(
        !pool.give_back(50_000) && !pool.give_back(49_999) && !pool.give_back(50_004) && !pool.give_back(0)
    );
    let port = pool.take().unwrap();
    assert!(pool.give_back(port) && !pool.give_back(port));
    assert_eq!(pool.free(), 4);
}

#[test]
fn an_odd_end_has_no_neighbour() {
    let mut pool = pool(50_001..=50_004);
    assert_eq!(pool.take_pair(), Some(50_002));
    assert_eq!(pool.take_pair(), None);
    assert_eq!(pool.take_even(), Some(50_004));
    assert_eq!((pool.take(), pool.take()), (Some(50_001), None));
}

#[test]
fn the_whole_range_and_a_single_port_are_ranges() {
    let mut all = pool(1..=65_535);
    assert_eq!(core::iter::from_fn(|| all.take()).count(), 65_535);
    let mut one = pool(65_535..=65_535);
    assert_eq!((one.take_even(), one.take(), one.take()), (None, Some(65_535), None));
}

#[test]
fn what_holds_no_port_is_refused() {
    let new = |range, shard| PortPool::new(range, shard, Seed::new([7; 32])).map(|pool| pool.free());
    #[allow(clippy::reversed_empty_ranges, reason = "what an operator may write")]
    let reversed = 9..=1;
    assert_eq!(new(reversed, Shard::default()), Err(PortRangeError::Empty));
    assert_eq!(new(0..=1000, Shard::default()), Err(PortRangeError::Empty));
    assert_eq!(new(50_000..=50_003, Shard::new(1, 2)), Ok(2));
    assert_eq!(new(50_000..=50_003, Shard::new(2, 3)), Err(PortRangeError::TooFewForShards));
}

#[test]
fn shards_share_a_range_out() {
    let mut seen = BTreeSet::new();
    for index in 0..4 {
        let mut pool = PortPool::new(49_152..=65_535, Shard::new(index, 4), Seed::new([index; 32])).unwrap();
        assert_eq!((pool.free(), pool.pairs.len()), (4_096, 2_048));
        while let Some(port) = pool.take() {
            assert!(seen.insert(port), "{port} belongs to two");
        }
    }
    assert!(seen.into_iter().eq(49_152..=65_535));
}

#[test]
fn the_same_seed_draws_the_same_ports() {
    let draw = |octet| {
        let mut pool = PortPool::new(49_152..=65_535, Shard::default(), Seed::new([octet; 32])).unwrap();
        [pool.take(), pool.take_even(), pool.take_pair()]
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_is_a_set_of_ports(
        first in 1_u16..40,
        length in 0_u16..40,
        count in 1_u8..4,
        index in 0_u8..4,
        script in prop::collection::vec((0_u8..4, any::<u16>()), 0..120),
    ) {
        let (range, shard) = (first..=first + length, Shard::new(index, count));
        let mine = |port: u16| {
            range.contains(&port) && (port / 2 - first / 2) % u16::from(count) == u16::from(shard.index)
        };
        let mut free: BTreeSet<u16> = (0..100).filter(|&port| mine(port)).collect();
        let all = free.clone();
        let Ok(mut pool) = PortPool::new(range.clone(), shard, Seed::new([index; 32])) else {
            prop_assert!(free.is_empty());
            return Ok(());
        };
        for (what, port) in script {
            match what {
                0 => match pool.take() {
                    Some(port) => prop_assert!(free.remove(&port)),
                    None => prop_assert!(free.is_empty()),
                },
                1 => match pool.take_even() {
                    Some(port) => prop_assert!(port % 2 == 0 && free.remove(&port)),
                    None => prop_assert!(free.iter().all(|port| port % 2 == 1)),
                },
                2 => match pool.take_pair() {
                    Some(port) => prop_assert!(port % 2 == 0 && free.remove(&port) && free.remove(&(port + 1))),
                    None => prop_assert!(!free.iter().any(|port| port % 2 == 0 && free.contains(&(port + 1)))),
                },
                _ => {
                    let port = port % 100;
                    prop_assert_eq!(pool.give_back(port), all.contains(&port) && free.insert(port));
                }
            }
            prop_assert_eq!(pool.free(), free.len());
        }
    }
}
