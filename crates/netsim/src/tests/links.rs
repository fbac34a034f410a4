//! What links do to datagrams: on fixed seeds, with the figures that chance should give.

use super::*;

/// Two ways, `n` datagrams each way at most.
fn run(link: Link, count: u32, every: Duration) -> Pair {
    let mut p = pair(11, link, count, every);
    assert!(p.sim.run_idle(ms(1_000_000)));
    p
}

#[test]
fn nothing_is_lost_and_order_is_kept_by_default() {
    let mut p = run(Link::new(ms(20)), 1_000, ms(1));
    assert_eq!(numbers(&mut p), (0..1_000).collect::<Vec<_>>());
    let stats = p.sim.stats();
    assert_eq!((stats.sent, stats.delivered, stats.delivered_octets), (2_000, 2_000, 8_000));
    assert_eq!((stats.lost, stats.duplicated, stats.reordered), (0, 0, 0));
}

#[test]
fn jitter_delays_and_keeps_the_order() {
    let mut p = pair(11, Link::new(ms(20)).with_jitter(ms(40)), 1_000, ms(1));
    p.sim.run_for(ms(5_000));
    let data = p.sim.data(p.ping);
    assert!(data.is_sorted_by_key(|received| received.data));
    assert_eq!(data.len(), 1_000);
    // Sent at one a millisecond; two ways of 20 to 60 ms.
    let delays: Vec<_> = data.iter().map(|r| r.at.since_epoch() - ms(u64::from(r.data))).collect();
    assert!(delays.iter().all(|delay| (ms(40)..=ms(120)).contains(delay)));
    assert!(delays.iter().max().unwrap().saturating_sub(*delays.iter().min().unwrap()) > ms(10));
}

#[test]
fn loss_and_duplication_come_as_often_as_they_were_asked_for() {
    let p = run(Link::new(ms(5)).with_loss(0.1).with_duplication(0.05), 20_000, ms(1));
    let stats = p.sim.stats();
    // Four standard deviations of 40,000 throws of ten and of five per cent are 0.6 and 0.44 per cent.
    let share = |n: u64| n as f64 / stats.sent as f64;
    assert!((0.094..0.106).contains(&share(stats.lost)), "{stats:?}");
    assert!(
        (0.0456..0.0544).contains(&(stats.duplicated as f64 / (stats.sent - stats.lost) as f64)),
        "{stats:?}"
    );
    assert_eq!(stats.delivered, stats.sent - stats.lost + stats.duplicated);
}

#[test]
fn all_or_nothing() {
    let mut p = run(Link::new(ms(5)).with_loss(1.0), 1_000, ms(1));
    assert_eq!((numbers(&mut p).len(), p.sim.stats().lost), (0, 1_000));
    let mut p = run(Link::new(ms(5)).with_duplication(1.0), 100, ms(1));
    assert_eq!((numbers(&mut p).len(), p.sim.stats().duplicated), (400, 300));
}

#[test]
fn what_is_reordered_is_overtaken() {
    let mut p = run(Link::new(ms(20)).with_reordering(0.1, ms(5)), 2_000, ms(1));
    let numbers = numbers(&mut p);
    let overtaken = numbers.windows(2).filter(|two| two[0] > two[1]).count();
    assert_eq!(numbers.len(), 2_000);
    assert!((200..400).contains(&overtaken), "{overtaken}");
    assert!((350..450).contains(&p.sim.stats().reordered));
}

#[test]
fn a_rate_spaces_datagrams_and_a_full_queue_drops_the_last() {
    // 100 octets and 28 of headers at 128 kbit/s: 8 ms each. Ten leave at once, the queue takes four and the wire one.
    let link = Link::new(ms(10)).with_rate(128_000, 4);
    let mut sim = Sim::new(1);
    let (left, right) = (sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"]));
    sim.set_link_one_way(left, right, link);
    sim.set_link_one_way(right, left, Link::new(ms(0)));
    sim.add(right, Echo::new("192.0.2.2", 7));
    let burst = Ping::new("192.0.2.1", addr("192.0.2.2:7"), 10, ms(0)).with_size(100);
    let ping = sim.add(left, burst);
    sim.run_for(ms(1_000));
    let data: Vec<_> = sim.data(ping).iter().map(|r| (r.data, r.at.to_string())).collect();
    let expected = [(0, "18ms"), (1, "26ms"), (2, "34ms"), (3, "42ms"), (4, "50ms")];
    assert_eq!(data, expected.map(|(n, at)| (n, at.to_string())));
    assert_eq!(sim.stats().queue_full, 5);
}

#[test]
fn an_mtu_counts_the_headers() {
    for (mtu, lost) in [(1_028, 0), (1_027, 1)] {
        let mut sim = Sim::new(1);
        let (left, right) = (sim.host(["192.0.2.1"]), sim.host(["192.0.2.2"]));
        sim.set_link(left, right, Link::default().with_mtu(mtu));
        sim.add(right, Echo::new("192.0.2.2", 7));
        sim.add(left, Ping::new("192.0.2.1", addr("192.0.2.2:7"), 1, ms(0)).with_size(1_000));
        sim.run_for(ms(10));
        assert_eq!(sim.stats().too_big, lost);
    }
}

#[test]
fn links_break_mend_and_change_at_run_time() {
    let mut p = pair(1, Link::new(ms(10)), 1_000, ms(100));
    p.sim.run_for(ms(101));
    assert_eq!(numbers(&mut p), [0]);
    // The second is on its way; both directions are cut, and so its answer is lost.
    p.sim.cut(p.left, p.right);
    p.sim.run_for(ms(300));
    assert_eq!((numbers(&mut p), p.sim.stats().cut), (vec![], 4));
    p.sim.restore(p.left, p.right);
    p.sim.run_for(ms(120));
    assert_eq!(numbers(&mut p), [5]);
    p.sim.set_link_one_way(p.left, p.right, Link::new(ms(40)));
    p.sim.run_for(ms(130));
    let at: Vec<_> = p.sim.data(p.ping).iter().map(|r| (r.data, r.at.to_string())).collect();
    assert_eq!(at, [(6, "650ms".to_string())]);
}
