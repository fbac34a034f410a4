//! Estimates, windows, wraps, lifetimes: RFC 3711 sections 3.3.1, 3.3.2 and 9.2.

use proptest::prelude::*;

use super::*;
use crate::srtp::index::{Freshness, Sources, estimate};
use crate::srtp::{KeyUse, ProtectError, Rejected};

const CM: Profile = Profile::Aes128CmHmacSha1_80;

#[test]
fn estimate_by_table() {
    let roc = |roc: u64, seq: u64| roc << 16 | seq;
    for (highest, seq, expected) in [
        (None, 0, Some(0)),
        (None, 65_535, Some(65_535)),
        (Some(5), 6, Some(6)),
        (Some(5), 4, Some(4)),
        // Half the space ahead is ahead still, one more is behind.
        (Some(5), 5 + 0x8000, Some(5 + 0x8000)),
        (Some(5), 6 + 0x8000, None),
        (Some(roc(1, 5)), 6 + 0x8000, Some(roc(0, 6 + 0x8000))),
        (Some(65_535), 0, Some(roc(1, 0))),
        (Some(roc(1, 0)), 65_535, Some(65_535)),
        (Some(0x8000), 0, Some(0)),
        (Some(0x8001), 0, Some(roc(1, 0))),
        (Some(roc(0xFFFF_FFFF, 65_535)), 65_534, Some(roc(0xFFFF_FFFF, 65_534))),
        (Some(roc(0xFFFF_FFFF, 65_535)), 0, None),
    ] {
        assert_eq!(estimate(highest, seq), expected, "{highest:?} {seq}");
    }
}

proptest! {
    /// Whoever is within half the sequence space of the newest is found.
    #[test]
    fn estimate_finds_what_is_near(highest in 0x1_0000u64..1 << 47, offset in -0x7FFFi64..0x7FFF) {
        let index = highest.saturating_add_signed(offset);
        prop_assert_eq!(estimate(Some(highest), index as u16), Some(index));
    }
    /// The window against a set of everything ever seen.
    #[test]
    fn window_agrees_with_a_model(steps in prop::collection::vec(-200i64..200, 1..300)) {
        let mut sources = Sources::new(128, 1);
        let (mut seen, mut newest) = (std::collections::BTreeSet::new(), 1_000u64);
        sources.pretend(7, newest);
        seen.insert(newest);
        for step in steps {
            let index = newest.saturating_add_signed(step);
            let expected = if index + 128 <= newest { Freshness::TooOld }
                else if seen.contains(&index) { Freshness::Replayed }
                else { Freshness::Fresh };
            let slot = sources.find(7).unwrap();
            prop_assert_eq!(sources.check(slot, index), expected);
            if expected == Freshness::Fresh {
                sources.accept(Some(slot), 7, index);
                seen.insert(index);
                newest = newest.max(index);
            }
        }
    }
}

#[test]
fn window_at_its_edge() {
    let mut sources = Sources::new(128, 1);
    sources.pretend(7, 1_000);
    let slot = sources.find(7).unwrap();
    assert_eq!(sources.check(slot, 1_000), Freshness::Replayed);
    assert_eq!(sources.check(slot, 1_000 - 127), Freshness::Fresh);
    assert_eq!(sources.check(slot, 1_000 - 128), Freshness::TooOld);
    sources.pretend(7, 1_000 + 128);
    assert_eq!(sources.check(slot, 1_001), Freshness::Fresh, "a jump as long as the window clears it");
    assert_eq!(sources.check(slot, 1_000), Freshness::TooOld);
}

/// SECURITY 63: the wrap with loss and reordering around it, in every profile.
#[test]
fn sec_63_wrap_with_loss_and_reordering() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile, Config::default());
        let sequence = (65_500u32..65_536).chain(0..40).map(|seq| seq as u16);
        let protected: Vec<_> = sequence.map(|seq| (seq, protect_rtp(&mut sender, &rtp(7, seq)))).collect();
        // Pairs swapped, every seventh lost: the packets around the wrap come in both orders.
        for two in protected.chunks(2) {
            for (seq, octets) in two.iter().rev().filter(|(seq, _)| seq % 7 != 0) {
                assert_eq!(unprotect_rtp(&mut receiver, octets), Ok(rtp(7, *seq)), "{profile:?} {seq}");
            }
        }
        assert_eq!(receiver.stats().rtp_sources, 1);
    }
}

/// SECURITY 63: a source that begins at the wrap, in whatever order its first packets come.
#[test]
fn sec_63_first_packet_near_the_wrap() {
    for profile in Profile::ALL {
        for order in [[0, 1, 2], [1, 0, 2], [2, 0, 1], [1, 2, 0]] {
            let (mut sender, mut receiver) = pair(profile, Config::default());
            let protected = [65_535, 0, 1].map(|seq| protect_rtp(&mut sender, &rtp(7, seq)));
            for i in order {
                assert!(unprotect_rtp(&mut receiver, &protected[i]).is_ok(), "{profile:?} {order:?} {i}");
            }
        }
    }
}

/// SECURITY 63: the 48-bit index ends, and never wraps.
#[test]
fn sec_63_index_exhaustion() {
    let (mut sender, mut receiver) = pair(CM, Config::default());
    let last = (1u64 << 48) - 1;
    sender.rtp_sources.pretend(7, last - 1);
    receiver.rtp_sources.pretend(7, last - 1);
    let protected = protect_rtp(&mut sender, &rtp(7, 65_535));
    assert_eq!(unprotect_rtp(&mut receiver, &protected), Ok(rtp(7, 65_535)));
    let mut buf = BUFFER;
    let mut next = packet(&mut buf, &rtp(7, 0));
    assert_eq!(sender.protect_rtp(&mut next), Err(ProtectError::KeyExhausted));
    assert_eq!(next.bytes(), rtp(7, 0), "refused packets are untouched");
    assert_eq!(
        receiver.unprotect_rtp(&mut packet(&mut BUFFER.clone(), &protected_like(0))),
        Err(Rejected::OutOfReach)
    );
}
fn protected_like(seq: u16) -> Vec<u8> {
    let mut octets = rtp(7, seq);
    octets.extend([0; 10]);
    octets
}

/// RFC 3711 section 9.2: 2^48 RTP packets under a key, whatever their sources.
#[test]
fn key_lifetime_of_rtp() {
    let (mut sender, _) = pair(CM, Config::default());
    sender.lifetime.rtp = (1 << 48) / 4 * 3 - 1;
    assert_eq!(sender.key_use(), KeyUse::Fresh);
    protect_rtp(&mut sender, &rtp(7, 1));
    assert_eq!(sender.key_use(), KeyUse::Expiring, "2^46 packets before the end");
    sender.lifetime.rtp = (1 << 48) - 1;
    protect_rtp(&mut sender, &rtp(7, 2));
    assert_eq!(sender.key_use(), KeyUse::Exhausted);
    let mut buf = BUFFER;
    assert_eq!(sender.protect_rtp(&mut packet(&mut buf, &rtp(7, 3))), Err(ProtectError::KeyExhausted));
}

/// RFC 3711 section 9.2: 2^31 RTCP packets.
#[test]
fn key_lifetime_of_rtcp() {
    let (mut sender, mut receiver) = pair(CM, Config::default());
    sender.rtcp_sources.pretend(7, (1 << 31) - 2);
    let protected = protect_rtcp(&mut sender, &rtcp(7));
    assert_eq!(unprotect_rtcp(&mut receiver, &protected), Ok(rtcp(7)));
    let mut buf = BUFFER;
    assert_eq!(sender.protect_rtcp(&mut packet(&mut buf, &rtcp(7))), Err(ProtectError::KeyExhausted));
    sender.lifetime.rtcp = (1 << 31) / 4 * 3;
    assert_eq!(sender.key_use(), KeyUse::Expiring);
    sender.lifetime.rtcp = 1 << 31;
    assert_eq!(sender.protect_rtcp(&mut packet(&mut buf, &rtcp(8))), Err(ProtectError::KeyExhausted));
}

#[test]
fn an_index_goes_out_once() {
    for profile in Profile::ALL {
        let (mut sender, _) = pair(profile, Config::default());
        protect_rtp(&mut sender, &rtp(7, 100));
        protect_rtp(&mut sender, &rtp(7, 300));
        protect_rtp(&mut sender, &rtp(7, 299));
        let mut buf = BUFFER;
        for seq in [300, 299, 100] {
            let refused = sender.protect_rtp(&mut packet(&mut buf, &rtp(7, seq)));
            assert_eq!(refused, Err(ProtectError::IndexUsed), "{seq}: used, or behind the window");
        }
        protect_rtp(&mut sender, &rtp(8, 1));
        let before = sender.protect_rtp(&mut packet(&mut buf, &rtp(8, 65_000)));
        assert_eq!(before, Err(ProtectError::BeforeFirst));
    }
}

#[test]
fn room_is_checked_before_anything_changes() {
    let (mut sender, mut receiver) = pair(CM, Config::default());
    for (octets, overhead) in [(rtp(7, 1), CM.rtp_overhead()), (rtcp(7), CM.rtcp_overhead())] {
        for spare in 0..overhead {
            let mut buf = vec![0; ginnel_core::HEADROOM + ginnel_core::ANSWER + 64];
            let end = buf.len();
            // The packet fills the buffer, but for `spare` octets in front.
            let content: Vec<_> =
                octets.iter().copied().chain(core::iter::repeat(1)).take(end - spare).collect();
            buf[spare..].copy_from_slice(&content);
            let mut full = Packet::received(&mut buf, spare..end).unwrap();
            let result =
                if octets[1] == 96 { sender.protect_rtp(&mut full) } else { sender.protect_rtcp(&mut full) };
            assert_eq!(result, Err(ProtectError::NoRoom));
            assert_eq!(full.bytes(), content);
        }
    }
    assert_eq!(sender.stats(), crate::srtp::SenderStats::default());
    assert!(
        unprotect_rtp(&mut receiver, &protect_rtp(&mut sender, &rtp(7, 1))).is_ok(),
        "the index is still free"
    );
}

/// One source at the bound is served, one past it is refused, and the others go on.
#[test]
fn sources_are_bounded() {
    let config = Config::default().with_max_sources(3);
    let (mut sender, mut receiver) = pair(CM, config);
    let (mut other, _) = pair(CM, Config::default());
    for ssrc in [30, 10, 20] {
        assert!(unprotect_rtp(&mut receiver, &protect_rtp(&mut sender, &rtp(ssrc, 1))).is_ok());
        assert!(unprotect_rtcp(&mut receiver, &protect_rtcp(&mut sender, &rtcp(ssrc))).is_ok());
    }
    let mut buf = BUFFER;
    assert_eq!(sender.protect_rtp(&mut packet(&mut buf, &rtp(40, 1))), Err(ProtectError::TooManySources));
    assert_eq!(sender.protect_rtcp(&mut packet(&mut buf, &rtcp(40))), Err(ProtectError::TooManySources));
    let fourth = protect_rtp(&mut other, &rtp(40, 1));
    assert_eq!(unprotect_rtp(&mut receiver, &fourth), Err(Rejected::TooManySources));
    let fourth = protect_rtcp(&mut other, &rtcp(40));
    assert_eq!(unprotect_rtcp(&mut receiver, &fourth), Err(Rejected::TooManySources));
    for ssrc in [10, 20, 30] {
        assert!(unprotect_rtp(&mut receiver, &protect_rtp(&mut sender, &rtp(ssrc, 2))).is_ok());
    }
    assert_eq!(receiver.stats().too_many_sources, 2);
    assert_eq!((receiver.stats().rtp_sources, receiver.stats().rtcp_sources), (3, 3));
}

/// SECURITY 60: no nonce twice, over two streams, and a wrap.
#[test]
fn sec_60_nonces_are_unique() {
    let (mut sender, _) = pair(Profile::AeadAes128Gcm, Config::default());
    let (rtp_keys, rtcp_keys) = {
        let master = master(Profile::AeadAes128Gcm);
        let (mut a, mut b) = ([0; 16], [0; 16]);
        master.derive(0, &mut a);
        master.derive(3, &mut b);
        (a, b)
    };
    assert_ne!(rtp_keys, rtcp_keys, "SRTP and SRTCP share no key, so they share no nonce");
    let mut ivs = std::collections::BTreeSet::new();
    for step in 0..70_000u32 {
        for ssrc in [7, 8] {
            protect_rtp(&mut sender, &rtp(ssrc, step as u16));
            let slot = sender.rtp_sources.find(ssrc).unwrap();
            let index = sender.rtp_sources.highest(slot).unwrap();
            assert_eq!(index, u64::from(step));
            assert!(ivs.insert((ssrc, index)));
        }
    }
}
