//! SRTP, protect and unprotect, for payloads of 20 and 1,200 octets, against the cryptography alone ("floor") and, with the
//! feature `peers`, against other implementations. Packets are protected under numbers that rise, because no receiver takes
//! one twice.

#[cfg(feature = "peers")]
use std::hint::black_box;

use ginnel_core::{Buffer, Packet};
use ginnel_dtls_srtp::srtp::{Config, MasterKey, Profile, Receiver, Sender};

use crate::contest::{Group, Probe};

const PROFILES: [Profile; 3] = [Profile::Aes128CmHmacSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];
const PAYLOADS: [usize; 2] = [20, 1200];
const KEY: [u8; 32] = [0x5A; 32];
const SALT: [u8; 14] = [0xC3; 14];
/// Packets protected unmeasured, then unprotected under the probe.
const BATCH: u64 = 256;

/// What is done, by everybody who does it.
#[derive(Clone, Copy, Debug)]
struct Work {
    profile: Profile,
    payload: usize,
    unprotect: bool,
}
impl Work {
    fn rtp(self) -> Vec<u8> {
        let mut packet = vec![0x80, 96, 0, 0, 0, 0, 0, 7, 0, 0, 0, 42];
        packet.resize(12 + self.payload, 0xA5);
        packet
    }
    fn key(self) -> &'static [u8] {
        &KEY[..self.profile.key_len()]
    }
    fn salt(self) -> &'static [u8] {
        &SALT[..self.profile.salt_len()]
    }
    fn master(self) -> MasterKey {
        MasterKey::new(self.profile, self.key(), self.salt()).expect("right lengths")
    }
}

/// Every row: ours, the floors, the rivals.
#[must_use]
pub fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for profile in PROFILES {
        for payload in PAYLOADS {
            for (verb, unprotect) in [("protect", false), ("unprotect", true)] {
                let work = Work { profile, payload, unprotect };
                let group = Group::new(format!("srtp/{verb}/{profile:?}/{payload}"));
                groups.push(rivals(floor(ours(group, work), work), work));
            }
        }
    }
    groups
}

/// Adds somebody who protects, or whose `open` alone is measured: `seal` fills the batch before.
fn with_either<P: 'static>(
    group: Group,
    name: &str,
    work: Work,
    mut seal: impl FnMut() -> P + 'static,
    mut open: impl FnMut(&mut P) + 'static,
) -> Group {
    if !work.unprotect {
        return group.with(name, seal);
    }
    group.with_part(name, move |times, probe: Probe| {
        let (mut left, mut spent) = (times, 0);
        while left > 0 {
            let mut batch: Vec<P> = (0..left.min(BATCH)).map(|_| seal()).collect();
            left -= batch.len() as u64;
            let before = probe();
            batch.iter_mut().for_each(&mut open);
            spent += probe() - before;
        }
        spent
    })
}
/// Gives a packet the number after the one before.
fn number(packet: &mut [u8], sequence: &mut u16) {
    *sequence = sequence.wrapping_add(1);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
}

/// Our packets lie in a buffer of the caller's: one for all that are protected, one for each that is unprotected.
fn ours(group: Group, work: Work) -> Group {
    let mut sender = Sender::new(&work.master(), Config::default());
    let mut receiver = Receiver::new(&work.master(), Config::default());
    let (mut plain, mut sequence) = (work.rtp(), 0);
    let mut seal = move |buffer: &mut Buffer| {
        number(&mut plain, &mut sequence);
        let mut packet = Packet::empty(buffer);
        packet.append(&plain).expect("it fits");
        sender.protect_rtp(&mut packet).expect("a fresh number");
        packet.len()
    };
    if !work.unprotect {
        let mut buffer: Box<Buffer> = Box::new([0; _]);
        return group.with("ginnel", move || seal(&mut buffer));
    }
    let sealed = move || {
        let mut buffer: Box<Buffer> = Box::new([0; _]);
        let len = seal(&mut buffer);
        (buffer, len)
    };
    with_either(group, "ginnel", work, sealed, move |(buffer, len)| {
        let range = ginnel_core::HEADROOM..ginnel_core::HEADROOM + *len;
        let mut packet = Packet::received(&mut buffer[..], range).expect("it fits");
        receiver.unprotect_rtp(&mut packet).expect("just sealed");
    })
}

/// The cipher and the MAC over the same octets, with keys set up, copied in as ours is.
fn floor(group: Group, work: Work) -> Group {
    match work.profile {
        Profile::Aes128CmHmacSha1_80 => floor_cm(group, work),
        Profile::AeadAes128Gcm => floor_aws(floor_gcm::<aes_gcm::Aes128Gcm>(group, work), work),
        _ => floor_aws(floor_gcm::<aes_gcm::Aes256Gcm>(group, work), work),
    }
}
fn floor_cm(group: Group, work: Work) -> Group {
    use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
    use hmac::Mac;
    let (plain, mut buffer) = (work.rtp(), [0; 2048]);
    let aes = aes::Aes128Enc::new(&[7; 16].into());
    let mac = hmac::Hmac::<sha1::Sha1>::new_from_slice(&[9; 20]).expect("any length");
    group.with("floor: RustCrypto", move || {
        let packet = &mut buffer[..plain.len()];
        packet.copy_from_slice(&plain);
        ctr::CtrCore::<_, ctr::flavors::Ctr128BE>::inner_iv_init(&aes, &[1; 16].into())
            .apply_keystream_partial((&mut packet[12..]).into());
        let mut mac = mac.clone();
        mac.update(packet);
        mac.update(&[0; 4]);
        mac.finalize().into_bytes()
    })
}
fn floor_gcm<G>(group: Group, work: Work) -> Group
where
    G: aes_gcm::KeyInit
        + aes_gcm::aead::AeadInOut<NonceSize = aes::cipher::consts::U12, TagSize = aes::cipher::consts::U16>
        + 'static,
{
    let (plain, mut buffer) = (work.rtp(), [0; 2048]);
    let gcm = G::new_from_slice(work.key()).expect("right length");
    group.with("floor: RustCrypto", move || {
        let packet = &mut buffer[..plain.len()];
        packet.copy_from_slice(&plain);
        let (head, body) = packet.split_at_mut(12);
        gcm.encrypt_inout_detached(&[1; 12].into(), head, body.into()).expect("short")
    })
}
#[cfg(feature = "peers")]
fn floor_aws(group: Group, work: Work) -> Group {
    use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let (plain, mut buffer) = (work.rtp(), [0; 2048]);
    let algorithm = if work.key().len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, work.key()).expect("right length"));
    group.with("floor: aws-lc", move || {
        let packet = &mut buffer[..plain.len()];
        packet.copy_from_slice(&plain);
        let (head, body) = packet.split_at_mut(12);
        let nonce = Nonce::assume_unique_for_key([1; 12]);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), body).expect("short");
        tag.as_ref().first().copied()
    })
}

#[cfg(feature = "peers")]
macro_rules! rival {
    ($group:expr, $name:literal, $library:ident, [$($crypto:expr)?], $work:expr) => {{
        use $library::{context::Context, protection_profile::ProtectionProfile};
        let work: Work = $work;
        let profile = match work.profile {
            Profile::Aes128CmHmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            _ => ProtectionProfile::AeadAes256Gcm,
        };
        let context = || Context::new(work.key(), work.salt(), profile, None, None $(, $crypto)?).expect("right lengths");
        let (mut sender, mut receiver) = (context(), context());
        let (mut plain, mut sequence) = (work.rtp(), 0);
        let seal = move || {
            number(&mut plain, &mut sequence);
            sender.encrypt_rtp(&plain).expect("a fresh number")
        };
        with_either($group, $name, work, seal, move |sealed| {
            black_box(receiver.decrypt_rtp(sealed).expect("just sealed"));
        })
    }};
}
#[cfg(feature = "peers")]
fn rivals(group: Group, work: Work) -> Group {
    let group = rival!(group, "rtc-srtp", rtc_srtp, [&rtc_srtp::crypto::providers::RingCrypto], work);
    rival!(group, "webrtc-srtp", webrtc_srtp, [], work)
}

#[cfg(not(feature = "peers"))]
fn floor_aws(group: Group, _: Work) -> Group {
    group
}
#[cfg(not(feature = "peers"))]
fn rivals(group: Group, _: Work) -> Group {
    group
}
