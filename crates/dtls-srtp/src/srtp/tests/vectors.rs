//! RFC 3711 appendix B, RFC 6188 section 7, RFC 7714 sections 16 and 17, byte for byte.

use super::*;
use crate::srtp::crypto::{Backend, Crypto};
use crate::srtp::key::SessionKeys;

fn session_keys(profile: Profile, key: &str, salt: &str) -> SessionKeys<Backend> {
    let (mut k, mut s) = ([0; 32], [0; 14]);
    hex(key).iter().zip(&mut k).for_each(|(from, to)| *to = *from);
    hex(salt).iter().zip(&mut s).for_each(|(from, to)| *to = *from);
    SessionKeys::from_parts(profile, &k, &[0; 20], &s)
}
fn contexts(profile: Profile, key: &str, salt: &str) -> (Sender, Receiver) {
    let keys = || session_keys(profile, key, salt);
    (
        Sender::from_session_keys(keys(), keys(), Config::default()),
        Receiver::from_session_keys(keys(), keys(), Config::default()),
    )
}

/// RFC 3711 appendix B.2: the keystream for SSRC 0, index 0, both ends of the segment.
#[test]
fn rfc_3711_b2_counter_mode() {
    let mut key = [0; 32];
    hex("2B7E151628AED2A6ABF7158809CF4F3C").iter().zip(&mut key).for_each(|(from, to)| *to = *from);
    let crypto = Backend::new(Profile::Aes128CmHmacSha1_80, &key, &[0; 20]);
    let mut iv = [0; 16];
    hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").iter().zip(&mut iv).for_each(|(from, to)| *to = *from);
    let mut stream = vec![0; 1_044_512];
    crypto.seal(&iv, &[], &mut stream, &[]);
    let head = hex(
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0",
    );
    let tail = hex(
        "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44",
    );
    assert_eq!(stream[..48], head);
    assert_eq!(stream[0xFEFF * 16..0xFF02 * 16], tail);
}

/// RFC 3711 appendix B.3.
#[test]
fn rfc_3711_b3_key_derivation() {
    let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    let master = MasterKey::new(Profile::Aes128CmHmacSha1_80, &key, &salt).unwrap();
    let mut out = [0; 94];
    master.derive(0, &mut out[..16]);
    assert_eq!(out[..16], hex("C61E7A93744F39EE10734AFE3FF7A087"));
    master.derive(2, &mut out[..14]);
    assert_eq!(out[..14], hex("30CBBC08863D8C85D49DB34A9AE1"));
    master.derive(1, &mut out);
    let expected = hex(
        "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE E049646C43D9327AD175578EF7227098
         6371C10C9A369AC2F94A8C5FBCDDDC25 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2",
    );
    assert_eq!(out[..], expected);
}

/// RFC 6188 section 7.4: the derivation with a 256-bit key. Its salt has 112 bits, so it is placed by hand.
#[test]
fn rfc_6188_key_derivation_256() {
    let key = hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
    let salt = hex("3b04803de51ee7c96423ab5b78d2");
    let master = MasterKey::for_derivation_only(Profile::AeadAes256Gcm, &key, &salt);
    let mut out = [0; 32];
    master.derive(0, &mut out);
    assert_eq!(out[..], hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"));
    master.derive(2, &mut out[..14]);
    assert_eq!(out[..14], hex("fa31791685ca444a9e07c6c64e93"));
    master.derive(1, &mut out[..20]);
    assert_eq!(out[..20], hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
}

const SALT: &str = "517569642070726f2071756f";
const KEY_128: &str = "000102030405060708090a0b0c0d0e0f";
const KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
    69736120 696e2070 61727465 73207472 6573";

fn rtp_both_ways(profile: Profile, key: &str, expected: &str) {
    let (mut sender, mut receiver) = contexts(profile, key, SALT);
    let protected = protect_rtp(&mut sender, &hex(RTP));
    assert_eq!(protected, hex(expected));
    assert_eq!(unprotect_rtp(&mut receiver, &protected), Ok(hex(RTP)));
}
/// RFC 7714 sections 16.1.1 and 16.1.2.
#[test]
fn rfc_7714_16_1_rtp_gcm_128() {
    rtp_both_ways(
        Profile::AeadAes128Gcm,
        KEY_128,
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
         0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
    );
}
/// RFC 7714 sections 16.2.1 and 16.2.2.
#[test]
fn rfc_7714_16_2_rtp_gcm_256() {
    rtp_both_ways(
        Profile::AeadAes256Gcm,
        KEY_256,
        "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
         9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
    );
}

const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
    deadbeef deadbeef deadbeef deadbeef deadbeef";

fn rtcp_both_ways(profile: Profile, key: &str, expected: &str) {
    let (mut sender, mut receiver) = contexts(profile, key, SALT);
    // The vectors have index 0x5d4, so the one before it was the last.
    sender.rtcp_sources.pretend(0x4d61_7273, 0x5d3);
    let protected = protect_rtcp(&mut sender, &hex(RTCP));
    assert_eq!(protected, hex(expected));
    assert_eq!(unprotect_rtcp(&mut receiver, &protected), Ok(hex(RTCP)));
}
/// RFC 7714 section 17.1.
#[test]
fn rfc_7714_17_1_rtcp_gcm_128() {
    rtcp_both_ways(
        Profile::AeadAes128Gcm,
        KEY_128,
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
         c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
    );
}
/// RFC 7714 section 17.2.
#[test]
fn rfc_7714_17_2_rtcp_gcm_256() {
    rtcp_both_ways(
        Profile::AeadAes256Gcm,
        KEY_256,
        "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
         a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
    );
}
/// RFC 7714 sections 16.1.3, 16.2.3, 17.3 and 17.4: everything is associated data and nothing is encrypted. The contexts never
/// do that (RFC 5764 encrypts always), so the cipher is asked directly.
#[test]
fn rfc_7714_tagging_only() {
    let tag = |profile, key: &str, iv: &str, aad: &[u8]| {
        let (mut k, mut nonce) = ([0; 32], [0; 16]);
        hex(key).iter().zip(&mut k).for_each(|(from, to)| *to = *from);
        hex(iv).iter().zip(&mut nonce).for_each(|(from, to)| *to = *from);
        let crypto = Backend::new(profile, &k, &[0; 20]);
        let tag = crypto.seal(&nonce, aad, &mut [], &[]).as_slice().to_vec();
        assert!(crypto.open(&nonce, aad, &mut [], &[], &tag));
        tag
    };
    let (rtp_iv, rtcp_iv) = ("51753c6580c2726f20718414", "517524055203726f207170bb");
    let (rtp, mut rtcp) = (hex(RTP), hex(RTCP));
    rtcp.extend(hex("000005d4"));
    let (short, long) = (Profile::AeadAes128Gcm, Profile::AeadAes256Gcm);
    assert_eq!(tag(short, KEY_128, rtp_iv, &rtp), hex("22493f82 d2bce397 e9d79e3b 19aa4216"));
    assert_eq!(tag(long, KEY_256, rtp_iv, &rtp), hex(RFC_16_2_3));
    assert_eq!(tag(short, KEY_128, rtcp_iv, &rtcp), hex("841dd968 3dd78ec9 2ae58790 125f62b3"));
    assert_eq!(tag(long, KEY_256, rtcp_iv, &rtcp), hex("91db4afb feee5a97 8fab4393 ed2615fe"));
}
const RFC_16_2_3: &str = "a866d591 0f887463 067ceefe c45215d4";
