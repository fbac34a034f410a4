use alloc::{collections::BTreeSet, vec::Vec};
use core::time::Duration;

use ginnel_core::{Instant, Path, Seed, Transport};

use super::{MadeNonce, NonceKey, Nonces};
use crate::auth::SecurityFeatures;

const HOUR: Duration = Duration::from_secs(3600);

fn path() -> Path {
    Path::udp("198.51.100.1:3478".parse().unwrap(), "192.0.2.1:5000".parse().unwrap())
}
fn nonces(key: u8, features: SecurityFeatures) -> Nonces {
    Nonces::new(NonceKey::new([key; 32]), HOUR, features, Seed::new([key; 32]))
}
fn at(hours: f64) -> Instant {
    Instant::EPOCH + HOUR.mul_f64(hours)
}

#[test]
fn a_nonce_is_short_text_behind_the_cookie() {
    let features = SecurityFeatures::default().with_password_algorithms(true);
    let nonce = nonces(1, features).draw(at(0.0), path());
    assert_eq!(MadeNonce::LEN, 44);
    assert!(nonce.octets().starts_with(b"obMatJos2gAAA"));
    assert!(nonce.octets().iter().all(|it| it.is_ascii_alphanumeric() || b"+/".contains(it)));
    assert_eq!(SecurityFeatures::parse(nonce.octets()), Some(features));
}

#[test]
fn a_nonce_lives_for_one_period_at_least_and_for_less_than_two() {
    let mut nonces = nonces(1, SecurityFeatures::default());
    for drawn in [0.0, 0.5, 0.999, 7.25] {
        let nonce = nonces.draw(at(drawn), path());
        assert!(nonces.is_valid(at(drawn), path(), nonce.octets()));
        assert!(nonces.is_valid(at(drawn + 1.0), path(), nonce.octets()));
        assert!(!nonces.is_valid(at(drawn + 2.0), path(), nonce.octets()));
    }
    let nonce = nonces.draw(at(3.0), path());
    assert!(!nonces.is_valid(at(2.9), path(), nonce.octets()), "from the future");
}

#[test]
fn a_nonce_is_good_on_its_path_alone() {
    let mut nonces = nonces(1, SecurityFeatures::default());
    let nonce = nonces.draw(at(0.0), path());
    for other in [
        Path { remote: "192.0.2.1:5001".parse().unwrap(), ..path() },
        Path { remote: "192.0.2.2:5000".parse().unwrap(), ..path() },
        Path { remote: "[2001:db8::1]:5000".parse().unwrap(), ..path() },
        Path { local: "198.51.100.1:3479".parse().unwrap(), ..path() },
        Path { transport: Transport::Tcp, ..path() },
    ] {
        assert!(!nonces.is_valid(at(0.0), other, nonce.octets()));
    }
}

#[test]
fn any_change_of_a_nonce_makes_it_another() {
    let mut nonces = nonces(1, SecurityFeatures::default());
    let nonce = *nonces.draw(at(0.0), path()).octets();
    for i in 0..nonce.len() {
        for other in *b"AB/+=" {
            let mut changed = nonce;
            changed[i] = other;
            assert_eq!(nonces.is_valid(at(0.0), path(), &changed), changed == nonce, "{i}");
        }
        assert!(!nonces.is_valid(at(0.0), path(), &nonce[..i]));
    }
    let longer: Vec<u8> = nonce.into_iter().chain(*b"A").collect();
    assert!(!nonces.is_valid(at(0.0), path(), &longer));
}

#[test]
fn the_features_are_part_of_what_is_protected() {
    let all = SecurityFeatures::default().with_password_algorithms(true).with_username_anonymity(true);
    let without = SecurityFeatures::default().with_username_anonymity(true);
    let nonce = *nonces(1, all).draw(at(0.0), path()).octets();
    let mut stripped = nonce;
    stripped[..13].copy_from_slice(&without.cookie());
    assert!(!nonces(1, all).is_valid(at(0.0), path(), &stripped));
    assert!(!nonces(1, without).is_valid(at(0.0), path(), &stripped));
}

#[test]
fn servers_with_one_key_take_each_others_nonces() {
    let features = SecurityFeatures::default();
    let mut one = Nonces::new(NonceKey::new([1; 32]), HOUR, features, Seed::new([1; 32]));
    let other = Nonces::new(NonceKey::new([1; 32]), HOUR, features, Seed::new([2; 32]));
    let stranger = Nonces::new(NonceKey::new([2; 32]), HOUR, features, Seed::new([1; 32]));
    let nonce = one.draw(at(0.0), path());
    assert!(other.is_valid(at(0.5), path(), nonce.octets()));
    assert!(!stranger.is_valid(at(0.5), path(), nonce.octets()));
}

#[test]
fn a_rotated_key_is_taken_once_more() {
    let mut nonces = nonces(1, SecurityFeatures::default());
    let first = nonces.draw(at(0.0), path());
    nonces.rotate(NonceKey::new([2; 32]));
    let second = nonces.draw(at(0.0), path());
    assert!(nonces.is_valid(at(0.5), path(), first.octets()));
    nonces.rotate(NonceKey::new([3; 32]));
    assert!(!nonces.is_valid(at(0.5), path(), first.octets()));
    assert!(nonces.is_valid(at(0.5), path(), second.octets()));
}

/// CVE-2025-69217: whoever draws nonces learns nothing of the next. All differ, each of their bits is as often 0 as 1, and
/// no bit says anything of the same bit in the nonce before, nor of the bit beside it; whether one client draws them all
/// in one moment, or each comes from the next port.
#[test]
fn sec_21_nonces_show_no_sequence() {
    const DRAWS: usize = 10_000;
    let features = SecurityFeatures::default();
    let one_client: fn(usize) -> Path = |_| path();
    let many: fn(usize) -> Path = |n| Path { remote: ([192, 0, 2, 1], 5_000 + n as u16).into(), ..path() };
    for paths in [one_client, many] {
        let mut nonces = nonces(1, features);
        let drawn: Vec<_> = (0..DRAWS).map(|n| nonces.draw(at(0.0), paths(n))).collect();
        let different: BTreeSet<_> = drawn.iter().map(|nonce| nonce.octets()).collect();
        assert_eq!(different.len(), DRAWS);
        let bits: Vec<u128> = drawn.iter().flat_map(halves).collect();
        for bit in 0..90 {
            let bit = |half: &u128| half >> bit & 1;
            let ones: u128 = bits.iter().map(bit).sum();
            let changes: u128 = bits.windows(3).map(|it| bit(&it[0]) ^ bit(&it[2])).sum();
            let beside: u128 = bits.iter().map(|half| bit(half) ^ bit(&half.rotate_right(1))).sum();
            // 20,000 tosses of a coin: five standard deviations are 354.
            let fair = 10_000 - 354..10_000 + 354;
            assert!(fair.contains(&ones), "{ones} ones");
            assert!(fair.contains(&changes), "{changes} changes from one to the next");
            assert!(fair.contains(&beside), "{beside} differ from the bit beside");
        }
    }
}
/// The base64 digits of a nonce in two halves of 90 bits; the last digit, some of whose bits are always zero, is left out.
fn halves(nonce: &MadeNonce) -> [u128; 2] {
    let digits = &nonce.octets()[SecurityFeatures::COOKIE_LEN..][..30];
    let value = |digits: &[u8]| {
        let bits = digits.iter().map(|&digit| u128::from(super::digit_value(digit).unwrap()));
        bits.fold(0, |all, digit| all << 6 | digit)
    };
    [value(&digits[..15]), value(&digits[15..])]
}
