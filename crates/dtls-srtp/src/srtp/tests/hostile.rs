//! SECURITY 62, and the fuzz body over its corpus.

use proptest::prelude::*;

use super::*;
use crate::srtp::{ReceiverStats, Rejected};

/// Every octet of a packet changed, each in turn: refused, and nothing remembered.
#[test]
fn sec_62_any_changed_octet_is_refused() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile, Config::default());
        for (rtcp_too, good) in
            [(false, protect_rtp(&mut sender, &rtp(7, 1))), (true, protect_rtcp(&mut sender, &rtcp(7)))]
        {
            for i in 0..good.len() {
                let mut bad = good.clone();
                bad[i] ^= 0x80;
                let verdict = if rtcp_too {
                    unprotect_rtcp(&mut receiver, &bad)
                } else {
                    unprotect_rtp(&mut receiver, &bad)
                };
                assert!(verdict.is_err(), "{profile:?}, octet {i}");
            }
        }
        assert_eq!((receiver.stats().rtp_sources, receiver.stats().rtcp_sources), (0, 0));
    }
}

/// A hundred forgeries for a known source and a hundred for unknown ones: the call goes on, and no state is made.
#[test]
fn sec_62_bad_packets_do_not_end_the_call() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile, Config::default());
        unprotect_rtp(&mut receiver, &protect_rtp(&mut sender, &rtp(7, 1))).unwrap();
        for n in 0..100u16 {
            let forged_index = |ssrc| {
                let mut octets = rtp(ssrc, 30_000 + n);
                octets.extend([n as u8; 16]);
                octets
            };
            assert_eq!(unprotect_rtp(&mut receiver, &forged_index(7)), Err(Rejected::BadTag));
            assert_eq!(
                unprotect_rtp(&mut receiver, &forged_index(1_000 + u32::from(n))),
                Err(Rejected::BadTag)
            );
            let mut forged = rtcp(7);
            forged.extend([0x80 | n as u8; 20]);
            assert_eq!(unprotect_rtcp(&mut receiver, &forged), Err(Rejected::BadTag));
        }
        let expected = ReceiverStats { rtp: 1, bad_tag: 300, rtp_sources: 1, ..ReceiverStats::default() };
        assert_eq!(receiver.stats(), expected);
        assert!(
            unprotect_rtp(&mut receiver, &protect_rtp(&mut sender, &rtp(7, 2))).is_ok(),
            "the ROC has not moved"
        );
    }
}

#[test]
fn sec_62_replays_are_refused() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile, Config::default());
        let media: Vec<_> = (0..300).map(|seq| protect_rtp(&mut sender, &rtp(7, seq))).collect();
        let control: Vec<_> = (0..300).map(|_| protect_rtcp(&mut sender, &rtcp(7))).collect();
        for (one, other) in media.iter().zip(&control) {
            assert!(unprotect_rtp(&mut receiver, one).is_ok());
            assert!(unprotect_rtcp(&mut receiver, other).is_ok());
            assert_eq!(unprotect_rtp(&mut receiver, one), Err(Rejected::Replayed));
            assert_eq!(unprotect_rtcp(&mut receiver, other), Err(Rejected::Replayed));
        }
        assert_eq!(unprotect_rtp(&mut receiver, &media[0]), Err(Rejected::TooOld));
        assert_eq!(unprotect_rtcp(&mut receiver, &control[0]), Err(Rejected::TooOld));
    }
}

/// Cut at every length.
#[test]
fn sec_62_truncated_at_every_length() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile, Config::default());
        let (media, control) = (protect_rtp(&mut sender, &rtp(7, 1)), protect_rtcp(&mut sender, &rtcp(7)));
        for len in 0..media.len() {
            assert!(unprotect_rtp(&mut receiver, &media[..len]).is_err());
        }
        for len in 0..control.len() {
            assert!(unprotect_rtcp(&mut receiver, &control[..len]).is_err());
        }
        assert_eq!((receiver.stats().rtp_sources, receiver.stats().rtcp_sources), (0, 0));
    }
}

/// CSRC count and extension length that reach past the end, on both sides.
#[test]
fn sec_62_headers_past_the_end() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm, Config::default());
    let csrcs: Vec<u8> = [0x8F].into_iter().chain(rtp(7, 1).into_iter().skip(1)).collect();
    let mut extension = rtp(7, 1);
    extension[0] |= 0x10;
    extension[14..16].copy_from_slice(&[0xFF, 0xFF]);
    let mut no_extension = rtp(7, 1)[..12].to_vec();
    no_extension[0] |= 0x10;
    for bad in [csrcs, extension, no_extension, vec![0x80; 11], Vec::new()] {
        let mut buf = BUFFER;
        assert_eq!(sender.protect_rtp(&mut packet(&mut buf, &bad)), Err(super::super::ProtectError::NotRtp));
        let mut tagged = bad;
        tagged.extend([0; 16]);
        assert_eq!(unprotect_rtp(&mut receiver, &tagged), Err(Rejected::Malformed));
    }
    let mut buf = BUFFER;
    assert_eq!(
        sender.protect_rtcp(&mut packet(&mut buf, &[0x80; 7])),
        Err(super::super::ProtectError::NotRtp)
    );
}

/// CSRCs and an extension that do fit stay in the clear, and come back.
#[test]
fn headers_that_fit_stay_in_the_clear() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile, Config::default());
        let mut octets = rtp(7, 1)[..12].to_vec();
        octets[0] = 0x80 | 0x10 | 2;
        octets.extend([1, 1, 1, 1, 2, 2, 2, 2]);
        octets.extend([0xBE, 0xDE, 0, 1, 0x10, 0xAA, 0, 0]);
        let header = octets.len();
        octets.extend(*b"payload");
        let protected = protect_rtp(&mut sender, &octets);
        assert_eq!(protected[..header], octets[..header]);
        assert_ne!(protected[header..header + 7], octets[header..]);
        assert_eq!(unprotect_rtp(&mut receiver, &protected), Ok(octets));
    }
}

/// Padding can be judged only once it is decrypted.
#[test]
fn sec_62_padding_longer_than_the_payload() {
    let (mut sender, mut receiver) = pair(Profile::Aes128CmHmacSha1_80, Config::default());
    let padded = |seq, count: u8| {
        let mut octets = rtp(7, seq);
        octets[0] |= 0x20;
        *octets.last_mut().unwrap() = count;
        octets
    };
    for (seq, count, good) in [(1, 1, true), (2, 20, true), (3, 21, false), (4, 255, false), (5, 0, false)] {
        let protected = protect_rtp(&mut sender, &padded(seq, count));
        let verdict = unprotect_rtp(&mut receiver, &protected);
        assert_eq!(verdict.is_ok(), good, "{count}");
        assert!(good || verdict == Err(Rejected::Malformed));
    }
    let mut empty = rtp(7, 6)[..12].to_vec();
    empty[0] |= 0x20;
    assert_eq!(unprotect_rtp(&mut receiver, &protect_rtp(&mut sender, &empty)), Err(Rejected::Malformed));
}

/// RFC 5764 section 4.1.2: the profiles encrypt RTCP; a clear packet is refused even if its tag were right.
#[test]
fn unencrypted_rtcp_is_refused() {
    let (mut sender, mut receiver) = pair(Profile::Aes128CmHmacSha1_80, Config::default());
    let mut protected = protect_rtcp(&mut sender, &rtcp(7));
    let word = protected.len() - 14;
    protected[word] &= 0x7F;
    assert_eq!(unprotect_rtcp(&mut receiver, &protected), Err(Rejected::NotEncrypted));
}

#[test]
fn rejected_packets_are_untouched() {
    for profile in Profile::ALL {
        let (mut sender, mut receiver) = pair(profile, Config::default());
        let mut bad = protect_rtp(&mut sender, &rtp(7, 1));
        *bad.last_mut().unwrap() ^= 1;
        let mut buf = BUFFER;
        let mut packet = packet(&mut buf, &bad);
        assert_eq!(receiver.unprotect_rtp(&mut packet), Err(Rejected::BadTag));
        assert_eq!(packet.bytes(), bad);
    }
}

#[test]
fn keys_are_never_printed() {
    let key = master(Profile::AeadAes256Gcm);
    let sender = Sender::new(&key, Config::default());
    let shown = format!("{key:?} {sender:?}");
    assert!(!shown.contains("90") && !shown.to_lowercase().contains("5a"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_protected_comes_back(profile in 0usize..3, ssrc: u32, seq: u16, payload in prop::collection::vec(any::<u8>(), 0..1200)) {
        let (mut sender, mut receiver) = pair(Profile::ALL[profile], Config::default());
        let mut octets = rtp(ssrc, seq)[..12].to_vec();
        octets.extend(&payload);
        prop_assert_eq!(unprotect_rtp(&mut receiver, &protect_rtp(&mut sender, &octets)), Ok(octets));
        let mut octets = rtcp(ssrc);
        octets.extend(&payload);
        prop_assert_eq!(unprotect_rtcp(&mut receiver, &protect_rtcp(&mut sender, &octets)), Ok(octets));
    }
}
