//! RFC 3550 appendices A.1, A.3 and A.8.

use super::*;

fn at(ms: u64) -> Instant {
    Instant::EPOCH + Duration::from_millis(ms)
}

#[test]
fn cycles_are_counted_across_the_wrap() {
    let mut reception = Reception::new(90_000);
    for sequence_number in [65_534, 65_535, 1, 0, 2] {
        assert!(matches!(reception.on_rtp(at(0), sequence_number, 0), Arrival::Accepted(_)));
    }
    assert_eq!(reception.extended_highest_sequence(), 1 << 16 | 2);
    assert_eq!((reception.expected(), reception.received(), reception.cumulative_lost()), (5, 5, 0));
}

#[test]
fn the_fraction_is_of_the_interval_and_the_loss_of_the_whole() {
    let mut reception = Reception::new(90_000);
    for sequence_number in (0..100).filter(|n| n % 4 != 1) {
        reception.on_rtp(at(0), sequence_number, 0);
    }
    let first = reception.report_block(at(1), 1);
    assert_eq!((first.fraction_lost, first.cumulative_lost), (64, 25));
    assert!(!reception.is_fresh());
    for sequence_number in 100..200 {
        reception.on_rtp(at(1), sequence_number, 0);
    }
    assert!(reception.is_fresh());
    let second = reception.report_block(at(2), 1);
    assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 25));
}

#[test]
fn duplicates_make_the_loss_negative_and_the_fraction_zero() {
    let mut reception = Reception::new(90_000);
    for sequence_number in [5, 5, 5, 6] {
        reception.on_rtp(at(0), sequence_number, 0);
    }
    let block = reception.report_block(at(0), 1);
    assert_eq!((block.fraction_lost, block.cumulative_lost), (0, -2));
}

#[test]
fn a_leap_is_refused_and_believed_when_the_next_follows() {
    let mut reception = Reception::new(90_000);
    reception.on_rtp(at(0), 10, 0);
    assert_eq!(reception.on_rtp(at(0), 10_000, 0), Arrival::Refused);
    assert!(matches!(reception.on_rtp(at(0), 11, 0), Arrival::Accepted(_)), "the stream goes on");
    assert_eq!(reception.on_rtp(at(0), 20_000, 0), Arrival::Refused);
    let before = reception.highest();
    let Arrival::Restarted(position) = reception.on_rtp(at(0), 20_001, 0) else {
        panic!("two in a row are a restart")
    };
    assert_eq!((position as u16, Some(position) > before), (20_001, true));
    assert_eq!((reception.expected(), reception.extended_highest_sequence()), (1, 20_001));
}

#[test]
fn the_limits_of_a_leap() {
    for (sequence_number, accepted) in [(2999, true), (3000, false), (64_536, true), (64_535, false)] {
        let mut reception = Reception::new(90_000);
        reception.on_rtp(at(0), 0, 0);
        let arrival = reception.on_rtp(at(0), sequence_number, 0);
        assert_eq!(matches!(arrival, Arrival::Accepted(_)), accepted, "{sequence_number}: {arrival:?}");
    }
}

#[test]
fn jitter_follows_the_formula() {
    // Packets every 20 ms of a clock of 8,000; every second one is 10 ms late: |D| is 80 units each time.
    let mut reception = Reception::new(8_000);
    let mut expected = 0.0_f64;
    for n in 0..200_u64 {
        reception.on_rtp(at(n * 20 + n % 2 * 10), n as u16, n as u32 * 160);
        if n > 0 {
            expected += (80.0 - expected) / 16.0;
        }
    }
    assert!(
        (f64::from(reception.jitter()) - expected).abs() <= 1.0,
        "{} against {expected}",
        reception.jitter()
    );
}

#[test]
fn the_last_report_comes_back_with_its_age() {
    let mut reception = Reception::new(90_000);
    reception.on_rtp(at(0), 1, 0);
    assert_eq!(reception.report_block(at(5), 1).last_sender_report, 0);
    reception.on_sender_report(
        at(100),
        &SenderInfo { ntp_timestamp: 0x1122_3344_5566_7788, ..SenderInfo::default() },
    );
    let block = reception.report_block(at(1600), 1);
    assert_eq!(block.last_sender_report, 0x3344_5566);
    assert_eq!(block.delay_since_last_sender_report, 98_304, "1.5 s in 1/65536 s");
}
