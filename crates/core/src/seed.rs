//! Randomness as a parameter.

use core::fmt;

/// All the randomness of a machine, given at construction. Not `Clone`: hand each part its own [`Seed::fork`].
pub struct Seed([u8; 32]);
impl Seed {
    /// From 32 octets of the operating system's randomness, or of a test's.
    pub const fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }
    /// The seed of a part. Labels name parts, so that adding one does not change what the others draw.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        let mut key = self.0;
        // A cascade of the ChaCha20 block function; the nonce says *fork*, so a part never repeats its owner's stream.
        for (i, chunk) in label.as_bytes().chunks(8).chain([&[][..]]).enumerate() {
            let mut nonce = *b"fork\0\0\0\0\0\0\0\0";
            nonce[4..4 + chunk.len()].copy_from_slice(chunk);
            key = *chacha20(&key, (i as u32) << 8 | chunk.len() as u32, &nonce).first_chunk().unwrap_or(&key);
        }
        Self(key)
    }
    /// The generator that this seed keys.
    pub const fn into_rng(self) -> Rng {
        Rng { key: self.0, block: [0; 64], used: 64, counter: 0 }
    }
}
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// ChaCha20 as a generator (RFC 8439 section 2.3).
pub struct Rng {
    key: [u8; 32],
    block: [u8; 64],
    used: usize,
    counter: u32,
}
impl Rng {
    /// The next `N` octets: `let id: [u8; 12] = rng.octets();`
    pub fn octets<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| {
            if self.used == 64 {
                self.block = chacha20(&self.key, self.counter, &[0; 12]);
                self.counter = self.counter.wrapping_add(1);
                self.used = 0
            }
            self.used += 1;
            self.block[self.used - 1]
        })
    }
}
impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(..)")
    }
}

fn chacha20(key: &[u8; 32], counter: u32, nonce: &[u8; 12]) -> [u8; 64] {
    let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let mut s =
        [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574, 0, 0, 0, 0, 0, 0, 0, 0, counter, 0, 0, 0];
    for i in 0..8 {
        s[4 + i] = word(&key[4 * i..])
    }
    for i in 0..3 {
        s[13 + i] = word(&nonce[4 * i..])
    }
    let mut w = s;
    let mut quarter = |a: usize, b: usize, c: usize, d: usize| {
        for (x, y, z, n) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
            w[x] = w[x].wrapping_add(w[y]);
            w[z] = (w[z] ^ w[x]).rotate_left(n);
        }
    };
    for _ in 0..10 {
        for i in 0..4 {
            quarter(i, 4 + i, 8 + i, 12 + i)
        }
        for i in 0..4 {
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        }
    }
    let mut out = [0; 64];
    for i in 0..16 {
        out[4 * i..4 * i + 4].copy_from_slice(&w[i].wrapping_add(s[i]).to_le_bytes())
    }
    out
}
