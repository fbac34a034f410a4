//! Randomness as a parameter: the seed that a machine is given, and the generator it keys.
//!
//! Both are the ChaCha20 block function of RFC 8439 section 2.3, taken from the `chacha20` crate, so the bytes that a
//! seed gives are defined by that RFC and by the few lines here: they are part of the contract, and tests hold vectors.
//! There is no `rand_core` in the signatures, so no version of it is forced on anybody.

use core::{fmt, hint, time::Duration};

use chacha20::{
    ChaCha20, KeyIvInit,
    cipher::{StreamCipher, StreamCipherSeek},
};

/// All the randomness of a machine, given at construction.
///
/// It is not `Clone`, since two machines with one seed would draw the same transaction ids: each part gets a
/// [`fork`](Seed::fork) of its own. It is wiped when dropped, as well as safe code can, and `Debug` does not show it.
///
/// ```
/// use ginnel_core::Seed;
///
/// let seed = Seed::new([7; 32]); // in production: 32 octets of the operating system's randomness
/// let (ice, dtls) = (seed.fork("ice"), seed.fork("dtls"));
/// assert_ne!(ice.into_rng().octets::<16>(), dtls.into_rng().octets::<16>());
/// assert_eq!(format!("{seed:?}"), "Seed(..)");
/// ```
pub struct Seed([u8; 32]);

impl Seed {
    /// From 32 octets of the operating system's randomness, or of a test's.
    #[must_use]
    pub const fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The seed of a part. Labels name parts, so that adding one does not change what the others draw.
    ///
    /// The same seed and label give the same fork; a fork never repeats its owner's stream, and knowing one says nothing
    /// of the owner or of the siblings. Forks of forks are as good.
    ///
    /// ```
    /// # use ginnel_core::Seed;
    /// let draw = |label| Seed::new([7; 32]).fork(label).into_rng().next_u64();
    /// assert_eq!(draw("ice"), draw("ice"));
    /// assert_ne!(draw("ice"), draw("ice2"));
    /// ```
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        let mut part = Self(self.0);
        // A cascade: each eight octets of the label, and an empty end, key the next step. The position and the number
        // of octets are the block counter, so no two labels walk the same way; the nonce says *fork*, which no
        // generator's nonce does.
        for (i, chunk) in label.as_bytes().chunks(8).chain([&[][..]]).enumerate() {
            let mut nonce = *b"fork\0\0\0\0\0\0\0\0";
            nonce[4..4 + chunk.len()].copy_from_slice(chunk);
            let step = (i as u32 & (COUNTERS >> 8)) << 8 | chunk.len() as u32;
            let mut block = stream::<BLOCK>(&part.0, step, &nonce);
            part.0.copy_from_slice(&block[..32]);
            wipe(&mut block);
        }
        part
    }

    /// The generator that this seed keys.
    ///
    /// ```
    /// # use ginnel_core::Seed;
    /// let mut rng = Seed::new([7; 32]).into_rng();
    /// let transaction_id: [u8; 12] = rng.octets();
    /// # assert_ne!(transaction_id, [0; 12]);
    /// ```
    #[must_use]
    pub fn into_rng(self) -> Rng {
        Rng { key: self.0, ready: [0; READY], used: READY, next: 0 }
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// ChaCha20 as a generator: the key stream of RFC 8439 section 2.4 under the seed, with a nonce of zeros.
///
/// Fit for credentials and keys, if the seed was. It is wiped when dropped, as well as safe code can.
///
/// ```
/// use ginnel_core::Seed;
///
/// let mut rng = Seed::new([7; 32]).fork("lottery").into_rng();
/// let die = 1 + rng.below(6);
/// assert!((1..=6).contains(&die));
/// ```
pub struct Rng {
    key: [u8; 32],
    /// Key stream drawn in advance, and how much of it is used up.
    ready: [u8; READY],
    used: usize,
    /// The number of the next block. What the block counter does not hold goes into the nonce, so the stream does not
    /// end, nor repeat itself, after 128 GiB.
    next: u64,
}

impl Rng {
    /// The next `N` octets.
    ///
    /// ```
    /// # use ginnel_core::Seed;
    /// # let mut rng = Seed::new([7; 32]).into_rng();
    /// let id: [u8; 12] = rng.octets();
    /// assert_ne!(id, rng.octets());
    /// ```
    #[must_use]
    pub fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// Overwrites `out` with the next octets: `octets` where the length is known only at run time.
    ///
    /// ```
    /// # use ginnel_core::Seed;
    /// let mut password = vec![0; 22];
    /// Seed::new([7; 32]).into_rng().fill(&mut password);
    /// assert_eq!(password, Seed::new([7; 32]).into_rng().octets::<22>());
    /// ```
    pub fn fill(&mut self, mut out: &mut [u8]) {
        while !out.is_empty() {
            if self.used == READY {
                self.refill();
            }
            let n = out.len().min(READY - self.used);
            let (head, rest) = out.split_at_mut(n);
            head.copy_from_slice(&self.ready[self.used..self.used + n]);
            self.used += n;
            out = rest;
        }
    }

    /// The next four octets as a number.
    ///
    /// ```
    /// # use ginnel_core::Seed;
    /// let (mut a, mut b) = (Seed::new([7; 32]).into_rng(), Seed::new([7; 32]).into_rng());
    /// assert_eq!(a.next_u32().to_le_bytes(), b.octets::<4>());
    /// ```
    #[must_use]
    pub fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.octets())
    }

    /// The next eight octets as a number: an ICE tie-breaker.
    ///
    /// ```
    /// # use ginnel_core::Seed;
    /// let (mut a, mut b) = (Seed::new([7; 32]).into_rng(), Seed::new([7; 32]).into_rng());
    /// assert_eq!(a.next_u64().to_le_bytes(), b.octets::<8>());
    /// ```
    #[must_use]
    pub fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.octets())
    }

    /// A number in `0..n`, each as likely as any other; 0 if `n` is 0.
    ///
    /// ```
    /// # use ginnel_core::Seed;
    /// # let mut rng = Seed::new([7; 32]).into_rng();
    /// assert!(rng.below(10) < 10);
    /// assert_eq!((rng.below(1), rng.below(0)), (0, 0));
    /// ```
    #[must_use]
    pub fn below(&mut self, n: u64) -> u64 {
        if n < 2 {
            return 0;
        }
        // The high word of a product spreads 2^64 draws over n numbers; the few low words that would favour some of
        // them are drawn again.
        let uneven = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= uneven {
                return (product >> 64) as u64;
            }
        }
    }

    /// True with this probability: never at 0.0 (or less, or NaN), always at 1.0 or more.
    ///
    /// ```
    /// # use ginnel_core::Seed;
    /// # let mut rng = Seed::new([7; 32]).into_rng();
    /// let lost = (0..1000).filter(|_| rng.chance(0.1)).count();
    /// assert!((50..150).contains(&lost));
    /// ```
    #[must_use]
    pub fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what an f64 holds exactly.
        let unit = (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < probability
    }

    /// A time from `least` up to, but not including, `most`, to the nanosecond; `least` if the range is empty.
    ///
    /// ```
    /// # use {core::time::Duration, ginnel_core::Seed};
    /// # let mut rng = Seed::new([7; 32]).into_rng();
    /// let (least, most) = (Duration::from_millis(20), Duration::from_millis(120));
    /// assert!((least..most).contains(&rng.between(least, most)));
    /// assert_eq!(rng.between(most, least), most);
    /// ```
    #[must_use]
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = most.saturating_sub(least).as_nanos();
        least.saturating_add(Duration::from_nanos(self.below(u64::try_from(span).unwrap_or(u64::MAX))))
    }

    /// Puts the items into an order of chance, each order as likely as any other.
    ///
    /// ```
    /// # use ginnel_core::Seed;
    /// # let mut rng = Seed::new([7; 32]).into_rng();
    /// let mut cards: Vec<u8> = (0..52).collect();
    /// rng.shuffle(&mut cards);
    /// assert!(!cards.is_sorted());
    /// cards.sort();
    /// assert!(cards.into_iter().eq(0..52));
    /// ```
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            // Not more than `i`, so it fits where `i` came from.
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }

    fn refill(&mut self) {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&(self.next / (u64::from(COUNTERS) + 1)).to_le_bytes());
        self.ready = stream(&self.key, self.next as u32 & COUNTERS, &nonce);
        self.next = self.next.wrapping_add((READY / BLOCK) as u64);
        self.used = 0;
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(..)")
    }
}

impl Drop for Rng {
    fn drop(&mut self) {
        wipe(&mut self.key);
        wipe(&mut self.ready);
    }
}

/// RFC 8439 section 2.3: what the block function gives, in octets.
const BLOCK: usize = 64;

/// How much a generator draws at once: four blocks cost little more than one where there are vector instructions.
const READY: usize = 4 * BLOCK;

/// The block counters in use, as a mask: half of what RFC 8439 has, because the cipher refuses to come to its last block.
const COUNTERS: u32 = u32::MAX >> 1;

/// Key stream from block `counter` on. RFC 8439 section 2.4. All its blocks are at most [`COUNTERS`], and so below the
/// cipher's limit: `N` octets divide the period.
fn stream<const N: usize>(key: &[u8; 32], counter: u32, nonce: &[u8; 12]) -> [u8; N] {
    let mut cipher = ChaCha20::new(key.into(), nonce.into());
    cipher.seek(u64::from(counter) * BLOCK as u64);
    let mut octets = [0; N];
    cipher.apply_keystream(&mut octets);
    octets
}

/// Overwrites a secret. Without unsafe code there is no volatile write: `black_box` keeps the optimiser from dropping
/// the plain one, on every target that rustc has a real one for.
fn wipe(secret: &mut [u8]) {
    secret.fill(0);
    hint::black_box(secret);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting_key() -> [u8; 32] {
        core::array::from_fn(|i| i as u8)
    }

    #[test]
    fn rfc8439_section_2_3_2_block() {
        let block = stream::<BLOCK>(&counting_key(), 1, &[0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0]);
        assert_eq!(block[..8], [0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15]);
        assert_eq!(block[60..], [0xa2, 0x50, 0x3c, 0x4e]);
    }

    #[test]
    fn the_stream_goes_on_where_the_block_counter_ends() {
        let at = |next| {
            let mut rng = Seed::new(counting_key()).into_rng();
            rng.next = next;
            (rng.octets::<READY>(), rng.octets::<READY>())
        };
        let period = u64::from(COUNTERS) + 1;
        let blocks = (READY / BLOCK) as u64;
        let last = stream(&counting_key(), COUNTERS - blocks as u32 + 1, &[0; 12]);
        let next = stream(&counting_key(), 0, &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(at(period - blocks), (last, next));
        assert_ne!(at(period), at(0));
        assert_ne!(at(u64::MAX - blocks + 1).0, at(0).0);
    }

    #[test]
    fn rfc8439_appendix_a1_vector_1_is_the_stream_of_the_zero_seed() {
        let first: [u8; 16] = Seed::new([0; 32]).into_rng().octets();
        let expected =
            [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28];
        assert_eq!(first, expected);
    }

    #[test]
    fn forks_differ_from_each_other_and_from_their_owner() {
        let draw = |label| Seed::new(counting_key()).fork(label).into_rng().octets::<32>();
        assert_eq!(draw("ice"), draw("ice"));
        let labels = ["", "i", "ic", "ice", "ice\0", "dtls", "12345678", "123456789", "1234567\0"];
        let mut all: Vec<[u8; 32]> = labels.into_iter().map(draw).collect();
        all.push(Seed::new(counting_key()).into_rng().octets());
        all.push(Seed::new(counting_key()).fork("ic").fork("e").into_rng().octets());
        // The key of a fork is not in its owner's stream either.
        all.push(Seed::new(counting_key()).fork("ice").0);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), labels.len() + 3);
    }

    /// From another ChaCha20 under the same cascade: what seeds give is part of the contract.
    #[test]
    fn forks_give_these_octets_for_ever() {
        let seed = Seed::new(counting_key());
        assert_eq!(seed.fork("ice").into_rng().octets(), [90, 204, 68, 235, 158, 187, 125, 3]);
        let long = seed.fork("gathering").fork("");
        assert_eq!(long.into_rng().octets(), [124, 28, 196, 156, 2, 131, 38, 32]);
    }

    #[test]
    fn the_stream_does_not_depend_on_how_it_is_cut() {
        let (mut whole, mut cut) = ([0; 1000], [0; 1000]);
        Seed::new([3; 32]).into_rng().fill(&mut whole);
        let mut rng = Seed::new([3; 32]).into_rng();
        let mut at = 0;
        for n in (0..=63).cycle() {
            let end = (at + n).min(1000);
            rng.fill(&mut cut[at..end]);
            at = end;
            if at == 1000 {
                break;
            }
        }
        assert_eq!(whole, cut);
    }

    #[test]
    fn below_reaches_everything_and_nothing_else() {
        let mut rng = Seed::new([1; 32]).into_rng();
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[rng.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
        // The widest ranges, where most of the redrawing happens.
        for n in [u64::MAX, (1 << 63) + 1] {
            assert!((0..100).all(|_| rng.below(n) < n));
        }
    }

    #[test]
    fn chances_at_the_edges() {
        let mut rng = Seed::new([1; 32]).into_rng();
        assert!((0..100).all(|_| !rng.chance(0.0) && !rng.chance(f64::NAN) && rng.chance(1.0)));
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert_eq!(format!("{:?}", Seed::new([9; 32])), "Seed(..)");
        let mut rng = Seed::new([9; 32]).into_rng();
        let _ = rng.next_u64();
        assert_eq!(format!("{rng:?}"), "Rng(..)");
    }
}
