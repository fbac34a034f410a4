//! The RustCrypto backend: `aes` and `ctr`, `hmac` and `sha1`, `aes-gcm`. It is `no_std` and uses AES-NI, SHA-NI and CLMUL
//! where the processor has them.

use aes::{
    Aes128Enc,
    cipher::{InnerIvInit, KeyInit as _, StreamCipherCore},
};
use aes_gcm::{Aes128Gcm, Aes256Gcm, aead::AeadInOut, aead::inout::InOutBuf};
use ctr::{CtrCore, flavors::Ctr128BE};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::{Crypto, Tag};
use crate::srtp::Profile;

/// RFC 3711 section 5.2: `n_tag` of the profile, in octets.
const SHORT_TAG: usize = Profile::Aes128CmHmacSha1_80.tag_len();

/// Contexts are few and long-lived, and a pointer to the keys would cost each packet: the variants stay unboxed.
#[allow(clippy::large_enum_variant)]
pub(crate) enum RustCrypto {
    /// The HMAC is keyed already: a packet costs no hash of the key.
    CounterHmac {
        aes: Aes128Enc,
        mac: Hmac<Sha1>,
    },
    Gcm128(Aes128Gcm),
    Gcm256(Aes256Gcm),
}

impl Crypto for RustCrypto {
    fn new(profile: Profile, key: &[u8; 32], auth: &[u8; 20]) -> Self {
        let [short @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = key;
        match profile {
            Profile::Aes128CmHmacSha1_80 => {
                // RFC 2104: HMAC takes a key of any length, so `new` over one block, padded with zeros, is the same key.
                let mut block = [0; 64];
                block[..20].copy_from_slice(auth);
                Self::CounterHmac { aes: Aes128Enc::new(short.into()), mac: Hmac::new(&block.into()) }
            }
            Profile::AeadAes128Gcm => Self::Gcm128(Aes128Gcm::new(short.into())),
            Profile::AeadAes256Gcm => Self::Gcm256(Aes256Gcm::new(key.into())),
        }
    }

    fn seal(&self, iv: &[u8; 16], header: &[u8], body: &mut [u8], suffix: &[u8]) -> Tag {
        match self {
            Self::CounterHmac { aes, mac } => {
                apply_keystream(aes, iv, body);
                Tag::new(&authenticate(mac, header, body, suffix), SHORT_TAG)
            }
            Self::Gcm128(gcm) => seal_gcm(gcm, iv, header, body, suffix),
            Self::Gcm256(gcm) => seal_gcm(gcm, iv, header, body, suffix),
        }
    }

    fn open(&self, iv: &[u8; 16], header: &[u8], body: &mut [u8], suffix: &[u8], tag: &[u8]) -> bool {
        match self {
            Self::CounterHmac { aes, mac } => {
                let expected = authenticate(mac, header, body, suffix);
                let ok: bool = expected[..SHORT_TAG].ct_eq(tag).into();
                if ok {
                    apply_keystream(aes, iv, body);
                }
                ok
            }
            Self::Gcm128(gcm) => open_gcm(gcm, iv, header, body, suffix, tag),
            Self::Gcm256(gcm) => open_gcm(gcm, iv, header, body, suffix, tag),
        }
    }
}

/// RFC 3711 section 4.1.1.
fn apply_keystream(aes: &Aes128Enc, iv: &[u8; 16], body: &mut [u8]) {
    CtrCore::<_, Ctr128BE>::inner_iv_init(aes, iv.into()).apply_keystream_partial(InOutBuf::from(body));
}

/// RFC 3711 section 4.2.1: HMAC-SHA1 over M, not yet truncated.
fn authenticate(mac: &Hmac<Sha1>, header: &[u8], body: &[u8], suffix: &[u8]) -> [u8; 20] {
    let mut mac = mac.clone();
    mac.update(header);
    mac.update(body);
    mac.update(suffix);
    mac.finalize().into_bytes().into()
}

/// The associated data in one piece. With a suffix it is SRTCP's: 8 octets of header and the word with the index.
fn associated<'a>(header: &'a [u8], suffix: &[u8], room: &'a mut [u8; 12]) -> &'a [u8] {
    if suffix.is_empty() {
        return header;
    }
    room.iter_mut().zip(header.iter().chain(suffix)).for_each(|(to, from)| *to = *from);
    room
}

type Nonce = aes_gcm::Nonce<aes::cipher::consts::U12>;

fn nonce(iv: &[u8; 16]) -> Nonce {
    let [nonce @ .., _, _, _, _] = iv;
    (*nonce).into()
}

/// The library refuses only what is longer than 64 GiB, which no packet is; a tag of zeros would then go out.
fn seal_gcm<G>(gcm: &G, iv: &[u8; 16], header: &[u8], body: &mut [u8], suffix: &[u8]) -> Tag
where
    G: AeadInOut<NonceSize = aes::cipher::consts::U12, TagSize = aes::cipher::consts::U16>,
{
    let mut room = [0; 12];
    let aad = associated(header, suffix, &mut room);
    let tag = gcm.encrypt_inout_detached(&nonce(iv), aad, InOutBuf::from(body)).unwrap_or_default();
    Tag::new(&tag, 16)
}

fn open_gcm<G>(gcm: &G, iv: &[u8; 16], header: &[u8], body: &mut [u8], suffix: &[u8], tag: &[u8]) -> bool
where
    G: AeadInOut<NonceSize = aes::cipher::consts::U12, TagSize = aes::cipher::consts::U16>,
{
    let mut room = [0; 12];
    let aad = associated(header, suffix, &mut room);
    let Ok(tag) = <&[u8; 16]>::try_from(tag) else { return false };
    gcm.decrypt_inout_detached(&nonce(iv), aad, InOutBuf::from(body), tag.into()).is_ok()
}
