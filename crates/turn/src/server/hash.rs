//! The hash behind the tables of addresses: SipHash-1-3 under a key that nobody knows.
//!
//! Clients and peers choose their addresses, so without a key they could choose them to collide. Addresses are packed into as
//! few words as they need first: a five-tuple of IPv4 is two, which costs a few nanoseconds.

use core::net::{IpAddr, SocketAddr};

use ginnel_core::{Path, Seed, Transport};

/// The key of one machine.
#[derive(Clone, Copy)]
pub(super) struct HashKey(u64, u64);
impl HashKey {
    pub(super) fn new(seed: Seed) -> Self {
        let mut rng = seed.into_rng();
        Self(rng.next_u64(), rng.next_u64())
    }
    /// Of a five-tuple.
    #[inline]
    pub(super) fn path(self, path: &Path) -> u64 {
        let transport = match path.transport {
            Transport::Udp => 0_u64,
            Transport::Tcp => 1,
            Transport::Tls => 2,
            Transport::Dtls => 3,
        };
        let ports = transport << 32 | u64::from(path.local.port()) << 16 | u64::from(path.remote.port());
        match (path.local.ip(), path.remote.ip()) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                let ips = u64::from(local.to_bits()) << 32 | u64::from(remote.to_bits());
                self.words([ips, ports])
            }
            (local, remote) => {
                let ([l0, l1], [r0, r1]) = (wide(local), wide(remote));
                self.words([l0, l1, r0, r1, ports])
            }
        }
    }
    /// Of an address of ours.
    #[inline]
    pub(super) fn local(self, local: SocketAddr) -> u64 {
        match local.ip() {
            IpAddr::V4(ip) => self.words([u64::from(ip.to_bits()) << 16 | u64::from(local.port())]),
            ip => {
                let [w0, w1] = wide(ip);
                self.words([w0, w1, u64::from(local.port())])
            }
        }
    }
    /// Of a name.
    pub(super) fn text(self, text: &str) -> u64 {
        let mut state = self.state();
        let words = text.as_bytes().chunks_exact(8);
        let mut last = [0; 8];
        last.iter_mut().zip(words.remainder()).for_each(|(to, from)| *to = *from);
        last[7] = text.len() as u8;
        for word in words {
            state.absorb(word.try_into().map_or(0, u64::from_le_bytes));
        }
        state.absorb(u64::from_le_bytes(last));
        state.finish()
    }
    #[inline]
    const fn state(self) -> State {
        State([
            self.0 ^ 0x736f_6d65_7073_6575,
            self.1 ^ 0x646f_7261_6e64_6f6d,
            self.0 ^ 0x6c79_6765_6e65_7261,
            self.1 ^ 0x7465_6462_7974_6573,
        ])
    }
    #[inline]
    fn words<const N: usize>(self, words: [u64; N]) -> u64 {
        let mut state = self.state();
        for word in words {
            state.absorb(word);
        }
        state.absorb((N as u64 * 8) << 56);
        state.finish()
    }
}
/// Nobody is to see the key.
impl core::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashKey(..)")
    }
}

/// An address of either family as two words.
const fn wide(ip: IpAddr) -> [u64; 2] {
    let bits = match ip {
        IpAddr::V4(ip) => ip.to_bits() as u128,
        IpAddr::V6(ip) => ip.to_bits(),
    };
    [(bits >> 64) as u64, bits as u64]
}

/// The four words of SipHash.
struct State([u64; 4]);
impl State {
    #[inline]
    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xFF;
        self.round();
        self.round();
        self.round();
        let Self([v0, v1, v2, v3]) = self;
        v0 ^ v1 ^ v2 ^ v3
    }
    #[inline]
    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.0[0] ^= word;
    }
    #[inline]
    fn round(&mut self) {
        let Self([v0, v1, v2, v3]) = self;
        *v0 = v0.wrapping_add(*v1);
        *v2 = v2.wrapping_add(*v3);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v1);
        *v0 = v0.wrapping_add(*v3);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use core::hash::Hasher;
    use std::hash::DefaultHasher;

    use super::*;

    #[test]
    fn it_is_siphash_1_3() {
        // The standard library's hasher is SipHash-1-3 with a key of zeros.
        let key = HashKey(0, 0);
        let mut hasher = DefaultHasher::new();
        for word in [7_u64, u64::MAX, 0x0123_4567_89AB_CDEF] {
            hasher.write_u64(word);
        }
        assert_eq!(key.words([7, u64::MAX, 0x0123_4567_89AB_CDEF]), hasher.finish());
        assert_eq!(key.words([]), DefaultHasher::new().finish());
        for text in ["", "seven..", "eight...", "1700000000:somebody"] {
            let mut hasher = DefaultHasher::new();
            hasher.write(text.as_bytes());
            assert_eq!(key.text(text), hasher.finish(), "{text}");
        }
    }

    #[test]
    fn every_part_of_a_path_counts() {
        let key = HashKey(1, 2);
        for (local, remote) in [("192.0.2.1:1", "192.0.2.2:2"), ("[2001:db8::1]:1", "[2001:db8::2]:2")] {
            let path = Path::udp(local.parse().unwrap(), remote.parse().unwrap());
            let hash = key.path(&path);
            assert_ne!(hash, key.path(&path.reversed()));
            assert_ne!(hash, key.path(&Path { transport: Transport::Tcp, ..path }));
            let mut other = path;
            other.remote.set_port(3);
            assert_ne!(hash, key.path(&other));
            assert_ne!(hash, HashKey(1, 3).path(&path));
            assert_ne!(key.local(path.local), key.local(path.remote));
        }
    }
}
