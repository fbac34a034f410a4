//! HMAC (RFC 2104) with its key hashed once, and a message whose length field is not the one to be hashed.
//!
//! All of HMAC is the crate `hmac`: its block-level core holds the two keyed states, and nothing else. The usual type around
//! it carries a block buffer that is copied and wiped with every clone; here the buffer is on the stack, for one message.
//! What both cost, and what own framing would save, is in `docs/design/keyed-hmac.md`.

use hmac::{
    EagerHash, KeyInit,
    block_api::HmacCore,
    digest::{
        Output,
        block_api::{Buffer, FixedOutputCore, UpdateCore},
    },
};

/// An HMAC that is keyed. The hashes wipe their states when dropped.
pub(super) struct Keyed<H: EagerHash>(HmacCore<H>);

impl<H: EagerHash> Clone for Keyed<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: EagerHash> Keyed<H> {
    /// RFC 2104 section 2: keys of more than one block are hashed, so every length is legal.
    #[allow(clippy::expect_used, reason = "an HMAC takes keys of any length")]
    pub(super) fn new(key: &[u8]) -> Self {
        Self(HmacCore::new_from_slice(key).expect("a key of any length"))
    }

    /// The HMAC of `message` with `length` in its octets 2 and 3.
    #[inline]
    pub(super) fn mac(&self, message: &[u8], length: u16) -> Output<HmacCore<H>> {
        let mut core = self.0.clone();
        let mut buffer = Buffer::<HmacCore<H>>::default();
        let mut mac = Output::<HmacCore<H>>::default();
        if let Some((&[t0, t1, _, _], rest)) = message.split_first_chunk() {
            let [l0, l1] = length.to_be_bytes();
            buffer.digest_blocks(&[t0, t1, l0, l1], |blocks| core.update_blocks(blocks));
            buffer.digest_blocks(rest, |blocks| core.update_blocks(blocks));
        }
        core.finalize_fixed_core(&mut buffer, &mut mac);
        mac
    }
}
