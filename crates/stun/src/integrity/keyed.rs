//! HMAC (RFC 2104) with its key hashed once, over the compression functions of SHA-1 and SHA-256.
//!
//! ```text
//!  inner = compress(initial, key ^ ipad)                     kept
//!  outer = compress(initial, key ^ opad)                     kept
//!  mac   = hash from outer of (hash from inner of message)   for each message
//! ```
//!
//! The compression functions are those of the crates `sha1` and `sha2`; what stands here is the framing around them: the keys,
//! and the padded end of a message. The crate `hmac` frames as well, for messages that come in pieces: its buffer and its
//! copies are a tenth of a connectivity check (`docs/design/keyed-hmac.md`). It is what the tests compare this with, for keys
//! and messages of every length up to three blocks.

use core::{marker::PhantomData, slice::from_ref};

use sha1::{Digest, Sha1, block_api::compress};
use sha2::{Sha256, block_api::compress256};
use zeroize::{Zeroize, Zeroizing};

/// RFC 2104 section 2: B, octets of a block. Both hashes have it.
const BLOCK: usize = 64;
type Block = [u8; BLOCK];
/// RFC 2104 section 2.
const IPAD: u8 = 0x36;
/// RFC 2104 section 2.
const OPAD: u8 = 0x5C;
/// Where the last block of a hash holds the length of it all, in bits (RFC 6234 section 4.1).
const LENGTH_AT: usize = BLOCK - 8;

/// A hash with a state of `W` words.
pub(super) trait Hash<const W: usize> {
    /// RFC 6234 section 6.1 step 1.
    const INITIAL: [u32; W];
    fn compress(state: &mut [u32; W], blocks: &[Block]);
    /// Shortens a key of more than one block (RFC 2104 section 2); writes to the front of `block`.
    fn shorten(key: &[u8], block: &mut Block);
}
impl Hash<5> for Sha1 {
    const INITIAL: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    fn compress(state: &mut [u32; 5], blocks: &[Block]) {
        compress(state, blocks);
    }
    fn shorten(key: &[u8], block: &mut Block) {
        let hash: Zeroizing<[u8; 20]> = Zeroizing::new(Sha1::digest(key).into());
        block[..20].copy_from_slice(&*hash);
    }
}
impl Hash<8> for Sha256 {
    const INITIAL: [u32; 8] = [
        0x6A09_E667,
        0xBB67_AE85,
        0x3C6E_F372,
        0xA54F_F53A,
        0x510E_527F,
        0x9B05_688C,
        0x1F83_D9AB,
        0x5BE0_CD19,
    ];
    fn compress(state: &mut [u32; 8], blocks: &[Block]) {
        compress256(state, blocks);
    }
    fn shorten(key: &[u8], block: &mut Block) {
        let hash: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(key).into());
        block[..32].copy_from_slice(&*hash);
    }
}

/// An HMAC that is keyed. Wiped when dropped.
#[derive(Clone)]
pub(super) struct Keyed<H, const W: usize> {
    inner: [u32; W],
    outer: [u32; W],
    hash: PhantomData<H>,
}
impl<H: Hash<W>, const W: usize> Keyed<H, W> {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; BLOCK]);
        match block.get_mut(..key.len()) {
            Some(front) => front.copy_from_slice(key),
            None => H::shorten(key, &mut block),
        }
        let mut keyed = Self { inner: H::INITIAL, outer: H::INITIAL, hash: PhantomData };
        block.iter_mut().for_each(|octet| *octet ^= IPAD);
        // Lent as a slice of one: a copy of it would not be wiped.
        H::compress(&mut keyed.inner, from_ref(&*block));
        block.iter_mut().for_each(|octet| *octet ^= IPAD ^ OPAD);
        H::compress(&mut keyed.outer, from_ref(&*block));
        keyed
    }

    /// The HMAC of `message` with `length` in its octets 2 and 3, as words in network byte order.
    #[inline]
    pub(super) fn mac(&self, message: &[u8], length: u16) -> [u32; W] {
        #[cfg(test)]
        super::work::note(4 * W, message.len());
        let mut state = self.inner;
        // Two blocks: what is left of the message, the padding, and the length may need both.
        let mut last = [[0; BLOCK]; 2];
        let [first, _] = &mut last;
        let (front, behind) = message.split_at(message.len().min(BLOCK));
        first[..front.len()].copy_from_slice(front);
        first[2..4].copy_from_slice(&length.to_be_bytes());
        let mut left = front.len();
        if left == BLOCK {
            let (blocks, tail) = behind.as_chunks();
            H::compress(&mut state, &[*first]);
            H::compress(&mut state, blocks);
            *first = [0; BLOCK];
            first[..tail.len()].copy_from_slice(tail);
            left = tail.len();
        }
        first[left] = 0x80;
        let count = if left < LENGTH_AT { 1 } else { 2 };
        last[count - 1][LENGTH_AT..].copy_from_slice(&bits_behind_key(message.len()));
        H::compress(&mut state, &last[..count]);
        self.finish(state)
    }
    /// The outer hash: of one block, for every digest is short.
    #[inline]
    fn finish(&self, inner: [u32; W]) -> [u32; W] {
        let mut block = [0; BLOCK];
        let (words, _) = block.as_chunks_mut::<4>();
        for (octets, word) in words.iter_mut().zip(inner) {
            *octets = word.to_be_bytes();
        }
        block[4 * W] = 0x80;
        block[LENGTH_AT..].copy_from_slice(&bits_behind_key(4 * W));
        let mut state = self.outer;
        H::compress(&mut state, &[block]);
        state
    }
}
impl<H, const W: usize> Drop for Keyed<H, W> {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// The length that a hash ends with: the block of the key, and `octets` behind it.
fn bits_behind_key(octets: usize) -> [u8; 8] {
    (8 * (BLOCK as u64 + octets as u64)).to_be_bytes()
}
