//! SRTP, protect and unprotect, for payloads of 20 and 1,200 octets, against the cryptography alone ("floor") and, with the
//! feature `peers`, against other implementations.
#![allow(missing_docs)]

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use ginnel_core::{Buffer, Packet};
use ginnel_dtls_srtp::srtp::{Config, MasterKey, Profile, Receiver, Sender};
use std::hint::black_box;
use std::time::{Duration, Instant};

const PROFILES: [Profile; 3] = [Profile::Aes128CmHmacSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];
const PAYLOADS: [usize; 2] = [20, 1200];
const KEY: [u8; 32] = [0x5A; 32];
const SALT: [u8; 14] = [0xC3; 14];
/// Packets protected before the clock runs, then unprotected under it.
const BATCH: u64 = 256;

fn rtp(payload: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96, 0, 0, 0, 0, 0, 7, 0, 0, 0, 42];
    packet.resize(12 + payload, 0xA5);
    packet
}
fn number(packet: &mut [u8], sequence: u16) {
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
}
fn master(profile: Profile) -> MasterKey {
    MasterKey::new(profile, &KEY[..profile.key_len()], &SALT[..profile.salt_len()]).expect("right lengths")
}

/// Times `open` alone: `seal` fills the batch before.
#[allow(clippy::disallowed_methods)]
fn unprotect<P>(iterations: u64, mut seal: impl FnMut() -> P, mut open: impl FnMut(&mut P)) -> Duration {
    let (mut left, mut spent) = (iterations, Duration::ZERO);
    while left > 0 {
        let mut batch: Vec<P> = (0..left.min(BATCH)).map(|_| seal()).collect();
        left -= batch.len() as u64;
        let begin = Instant::now();
        batch.iter_mut().for_each(&mut open);
        spent += begin.elapsed();
    }
    spent
}

fn ours(group: &mut BenchmarkGroup<'_, WallTime>, profile: Profile, payload: usize, decrypt: bool) {
    let mut sender = Sender::new(&master(profile), Config::default());
    let mut receiver = Receiver::new(&master(profile), Config::default());
    let mut plain = rtp(payload);
    let mut sequence = 0u16;
    let mut buf: Buffer = [0; 2048];
    let mut seal = |buf: &mut Buffer| {
        sequence = sequence.wrapping_add(1);
        number(&mut plain, sequence);
        let mut packet = Packet::empty(buf);
        packet.append(&plain).expect("it fits");
        sender.protect_rtp(&mut packet).expect("a fresh number");
        packet.len()
    };
    if !decrypt {
        group.bench_function("ginnel", |b| b.iter(|| black_box(seal(&mut buf))));
        return;
    }
    group.bench_function("ginnel", |b| {
        b.iter_custom(|iterations| {
            unprotect(
                iterations,
                || {
                    let mut buf = Box::new([0; 2048]);
                    let len = seal(&mut buf);
                    (buf, len)
                },
                |(buf, len)| {
                    let range = ginnel_core::HEADROOM..ginnel_core::HEADROOM + *len;
                    let mut packet = Packet::received(&mut buf[..], range).expect("it fits");
                    receiver.unprotect_rtp(&mut packet).expect("just sealed");
                },
            )
        });
    });
}

/// The cipher and the MAC over the same octets, with keys set up, copied in as ours is.
fn floor(group: &mut BenchmarkGroup<'_, WallTime>, profile: Profile, payload: usize) {
    let plain = rtp(payload);
    let mut buf = [0u8; 2048];
    if profile == Profile::Aes128CmHmacSha1_80 {
        use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
        use hmac::Mac;
        let aes = aes::Aes128Enc::new(&[7; 16].into());
        let mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(&[9; 20]).expect("any length");
        group.bench_function("floor: RustCrypto", |b| {
            b.iter(|| {
                let packet = &mut buf[..plain.len()];
                packet.copy_from_slice(&plain);
                ctr::CtrCore::<_, ctr::flavors::Ctr128BE>::inner_iv_init(&aes, &[1; 16].into())
                    .apply_keystream_partial((&mut packet[12..]).into());
                let mut mac = mac.clone();
                mac.update(packet);
                mac.update(&[0; 4]);
                black_box(mac.finalize().into_bytes());
            });
        });
        return;
    }
    let key = &KEY[..profile.key_len()];
    if profile == Profile::AeadAes128Gcm {
        floor_gcm::<aes_gcm::Aes128Gcm>(group, key, &plain);
    } else {
        floor_gcm::<aes_gcm::Aes256Gcm>(group, key, &plain);
    }
    #[cfg(feature = "peers")]
    {
        use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key).expect("right length"));
        group.bench_function("floor: aws-lc", |b| {
            b.iter(|| {
                let packet = &mut buf[..plain.len()];
                packet.copy_from_slice(&plain);
                let (head, body) = packet.split_at_mut(12);
                let nonce = Nonce::assume_unique_for_key([1; 12]);
                black_box(key.seal_in_place_separate_tag(nonce, Aad::from(&*head), body).expect("short"));
            });
        });
    }
}
fn floor_gcm<G>(group: &mut BenchmarkGroup<'_, WallTime>, key: &[u8], plain: &[u8])
where
    G: aes_gcm::KeyInit
        + aes_gcm::aead::AeadInOut<NonceSize = aes::cipher::consts::U12, TagSize = aes::cipher::consts::U16>,
{
    let gcm = G::new_from_slice(key).expect("right length");
    let mut buf = [0u8; 2048];
    group.bench_function("floor: RustCrypto", |b| {
        b.iter(|| {
            let packet = &mut buf[..plain.len()];
            packet.copy_from_slice(plain);
            let (head, body) = packet.split_at_mut(12);
            black_box(gcm.encrypt_inout_detached(&[1; 12].into(), head, body.into()).expect("short"));
        });
    });
}

#[cfg(feature = "peers")]
macro_rules! rival {
    ($group:expr, $name:literal, $library:ident, [$($crypto:expr)?], $profile:expr, $payload:expr, $decrypt:expr) => {{
        use $library::{context::Context, protection_profile::ProtectionProfile};
        let profile = match $profile {
            Profile::Aes128CmHmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            _ => ProtectionProfile::AeadAes256Gcm,
        };
        let (key, salt) = (&KEY[..$profile.key_len()], &SALT[..$profile.salt_len()]);
        let context = || Context::new(key, salt, profile, None, None $(, $crypto)?).expect("right lengths");
        let (mut sender, mut receiver) = (context(), context());
        let mut plain = rtp($payload);
        let mut sequence = 0u16;
        let mut seal = || {
            sequence = sequence.wrapping_add(1);
            number(&mut plain, sequence);
            sender.encrypt_rtp(&plain).expect("a fresh number")
        };
        $group.bench_function($name, |b| {
            if $decrypt {
                b.iter_custom(|iterations| {
                    unprotect(iterations, &mut seal, |sealed| {
                        black_box(receiver.decrypt_rtp(sealed).expect("just sealed"));
                    })
                });
            } else {
                b.iter(|| black_box(seal()));
            }
        });
    }};
}

fn benches(criterion: &mut Criterion) {
    for profile in PROFILES {
        for payload in PAYLOADS {
            for decrypt in [false, true] {
                let verb = if decrypt { "unprotect" } else { "protect" };
                let mut group = criterion.benchmark_group(format!("srtp/{verb}/{profile:?}/{payload}"));
                ours(&mut group, profile, payload, decrypt);
                floor(&mut group, profile, payload);
                #[cfg(feature = "peers")]
                {
                    rival!(
                        group,
                        "rtc-srtp",
                        rtc_srtp,
                        [&rtc_srtp::crypto::providers::RingCrypto],
                        profile,
                        payload,
                        decrypt
                    );
                    rival!(group, "webrtc-srtp", webrtc_srtp, [], profile, payload, decrypt);
                }
                group.finish();
            }
        }
    }
}

criterion_group!(group, benches);
criterion_main!(group);
