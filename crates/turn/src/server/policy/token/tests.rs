use std::collections::BTreeSet;

use super::*;

fn tokens(index: u8, count: u8) -> Tokens {
    Tokens::new(&TokenKey::new([7; 32]), Shard::new(index, count), Seed::new([index; 32]))
}

#[test]
fn each_shard_knows_the_tokens_of_all() {
    let mut shards = [0, 1, 2, 3].map(|index| tokens(index, 4));
    for maker in 0..4_u8 {
        let of = &mut shards[usize::from(maker)];
        let (id, token) = (of.connection_id(|_| false).unwrap(), of.reservation());
        let ticket = of.ticket(0x0102_0304_0506_0708, 5);
        for reader in &shards {
            assert_eq!(reader.shard_of_connection(id), Some(maker));
            assert_eq!(reader.shard_of_reservation(token), Some(maker));
            let known = Ticket { shard: maker, serial: 5, allocation: 0x0102_0304_0506_0708 };
            assert_eq!(reader.open_ticket(&ticket), Some(known));
        }
    }
}

#[test]
fn forged_connection_ids_do_not_travel() {
    let shard = tokens(0, 4);
    let forged = (0..100_000_u32).map(|n| n.wrapping_mul(0x9E37_79B1));
    let taken = forged.filter(|&id| shard.shard_of_connection(id).is_some()).count();
    // One of 64 names a shard that there is, and one of 256 of those has its tag: 6.
    assert!(taken < 30, "{taken} of 100000");
}

#[test]
fn sec_35_forged_reservation_tokens_are_worth_nothing() {
    let mut shard = tokens(0, 1);
    let token = shard.reservation();
    for bit in 0..64 {
        let mut forged = token;
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(shard.shard_of_reservation(forged), None, "bit {bit}");
    }
    let other_server = Tokens::new(&TokenKey::new([8; 32]), Shard::default(), Seed::new([0; 32]));
    assert_eq!(other_server.shard_of_reservation(token), None);
}

#[test]
fn sec_38_garbage_is_no_ticket() {
    let mut shard = tokens(0, 1);
    let ticket = shard.ticket(7, 1);
    for bit in 0..8 * TICKET_LEN {
        let mut forged = ticket;
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(shard.open_ticket(&forged), None, "bit {bit}");
    }
    for len in 0..TICKET_LEN {
        assert_eq!(shard.open_ticket(&ticket[..len]), None);
    }
    assert_eq!(shard.open_ticket(&[0; TICKET_LEN + 1]), None);
    assert_eq!(shard.open_ticket(&[0; TICKET_LEN]), None);
    let other_server = Tokens::new(&TokenKey::new([8; 32]), Shard::default(), Seed::new([0; 32]));
    assert_eq!(other_server.open_ticket(&ticket), None);
}

#[test]
fn rfc8016_5_tickets_show_nothing_and_are_all_different() {
    let mut shard = tokens(0, 1);
    let tickets: BTreeSet<_> = (0..1_000).map(|_| shard.ticket(7, 1)).collect();
    assert_eq!(tickets.len(), 1_000, "of one allocation and serial");
    // Each octet takes many values: of 256, a thousand draws give about 251.
    for at in 0..TICKET_LEN {
        let values: BTreeSet<_> = tickets.iter().map(|ticket| ticket[at]).collect();
        assert!(values.len() > 220, "octet {at} takes {} values", values.len());
    }
}

#[test]
fn shards_that_there_are_not_make_no_tokens() {
    let mut fourth = tokens(3, 4);
    let (id, token) = (fourth.connection_id(|_| false).unwrap(), fourth.reservation());
    let ticket = fourth.ticket(7, 1);
    // After a restart with fewer shards, under the same key.
    let now = tokens(0, 3);
    assert_eq!((now.shard_of_connection(id), now.shard_of_reservation(token)), (None, None));
    assert_eq!(now.open_ticket(&ticket), None);
}

#[test]
fn connection_ids_are_drawn_until_one_is_free() {
    let mut shard = tokens(2, 4);
    let mut used = BTreeSet::new();
    while used.len() < CONNECTIONS_MAX {
        let id = shard.connection_id(|id| used.contains(&id)).expect("there are as many again");
        assert!(used.insert(id));
    }
    assert!(used.iter().all(|&id| shard.shard_of_connection(id) == Some(2)));
    assert_eq!(shard.connection_id(|_| true), None, "and it ends where none is");
}

#[test]
fn sec_21_connection_ids_show_no_sequence() {
    let mut shard = tokens(0, 1);
    let ids: std::vec::Vec<_> = (0..10_000).map(|_| shard.connection_id(|_| false).unwrap()).collect();
    let mut steps = std::collections::BTreeMap::<u32, u32>::new();
    ids.windows(2).for_each(|pair| *steps.entry(pair[1].wrapping_sub(pair[0])).or_default() += 1);
    assert!(steps.values().all(|&times| times < 8));
}

#[test]
fn serials_beyond_56_bits_wrap() {
    let mut shard = tokens(9, 10);
    let ticket = shard.ticket(u64::MAX, u64::MAX);
    let known = shard.open_ticket(&ticket).unwrap();
    assert_eq!(known, Ticket { shard: 9, serial: u64::MAX >> 8, allocation: u64::MAX });
}

#[test]
fn the_same_seed_makes_the_same_tokens() {
    let script = || {
        let mut shard = tokens(1, 2);
        (shard.ticket(1, 2), shard.reservation(), shard.connection_id(|_| false))
    };
    assert_eq!(script(), script());
    assert_eq!(std::format!("{:?}", tokens(0, 1)), "Tokens(Shard { index: 0, count: 1 })");
}

#[test]
fn shards_with_one_seed_never_draw_the_same() {
    let key = TokenKey::new([7; 32]);
    let [mut one, mut other] =
        [0, 1].map(|index| Tokens::new(&key, Shard::new(index, 2), Seed::new([1; 32])));
    assert_ne!(one.ticket(7, 1)[..NONCE], other.ticket(7, 1)[..NONCE]);
    assert_ne!(one.reservation()[1..4], other.reservation()[1..4]);
}
