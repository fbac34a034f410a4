//! What goes out to clients and comes back: it says which shard made it, and nobody else can make it.
//!
//! ```text
//!  CONNECTION-ID (RFC 6062 section 6.2.1)        RESERVATION-TOKEN (RFC 8656 section 18.10)
//!   0       1               3       4             0       1                   4               8
//!  +-------+---------------+-------+             +-------+-------------------+---------------+
//!  | shard | chance        | tag   |             | shard | chance            | tag           |
//!  +-------+---------------+-------+             +-------+-------------------+---------------+
//!
//!  MOBILITY-TICKET (RFC 8016 section 3.1.2)
//!   0               12                                        28                       44
//!  +---------------+-----------------------------------------+------------------------+
//!  | nonce         | shard, serial, allocation: encrypted    | tag of AES-256-GCM     |
//!  +---------------+-----------------------------------------+------------------------+
//! ```
//!
//! The first two are not secret: the requests that bear them are authenticated, and what is behind them belongs to a user. The
//! tag only keeps a forged one from travelling to another shard: one of 256 connection IDs, one of 2^32 tokens does.
//! Tickets are encrypted and authenticated (RFC 8016 section 5), and no two are the same.
//! Left out: when they end. Whoever made them knows.

use core::fmt;

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{AeadInOut as _, inout::InOutBuf},
};
use ginnel_core::{Rng, Seed};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::server::Shard;

/// How many CONNECTION-IDs of one shard may be in use at once: half of those there are, so that a free one is drawn soon.
pub const CONNECTIONS_MAX: usize = 1 << 15;
/// Octets of a mobility ticket: far below what fits into any datagram beside the rest of a response.
pub const TICKET_LEN: usize = NONCE + BODY + TAG;
/// NIST SP 800-38D section 8.2.2: a nonce of chance has 96 bits.
const NONCE: usize = 12;
const BODY: usize = 16;
const TAG: usize = 16;
/// How often an ID is drawn until one is free. With at most half of them in use this fails once in 2^64 times.
const DRAWS: usize = 64;

/// The secret behind all of them, the same in all shards. Wiped when dropped, and never printed.
///
/// ```
/// use ginnel_core::Seed;
/// use ginnel_turn::server::policy::TokenKey;
///
/// let key = TokenKey::from_seed(Seed::new([7; 32])); // in production: of the operating system's randomness
/// assert_eq!(format!("{key:?}"), "TokenKey(..)");
/// ```
#[derive(Clone)]
pub struct TokenKey(Zeroizing<[u8; 32]>);
impl TokenKey {
    /// From 32 octets that nobody else knows.
    #[must_use]
    pub fn new(octets: [u8; 32]) -> Self {
        Self(Zeroizing::new(octets))
    }
    /// The key that a seed gives.
    #[must_use]
    pub fn from_seed(seed: Seed) -> Self {
        Self::new(seed.fork("turn token key").into_rng().octets())
    }
}
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// What a mobility ticket says: which allocation, and the how-manieth ticket of it this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Where the allocation lives: [`Shard::index`](crate::server::Shard::index).
    pub shard: u8,
    /// Counts the tickets of the allocation. Its lower 56 bits are kept.
    pub serial: u64,
    /// Which allocation, in numbers that are never used again in its shard.
    pub allocation: u64,
}

/// Makes tokens, and knows those of all shards again.
///
/// ```
/// use ginnel_core::Seed;
/// use ginnel_turn::server::{Shard, policy::{Ticket, TokenKey, Tokens}};
///
/// let key = TokenKey::new([7; 32]);
/// let [one, other] = [0, 1].map(|n| Shard::new(n, 2));
/// let mut one = Tokens::new(&key, one, Seed::new([1; 32]));
/// let other = Tokens::new(&key, other, Seed::new([2; 32]));
///
/// let ticket = one.ticket(7, 1);
/// assert_eq!(other.open_ticket(&ticket), Some(Ticket { shard: 0, serial: 1, allocation: 7 }));
/// let id = one.connection_id(|_| false).expect("none is in use");
/// assert_eq!(other.shard_of_connection(id), Some(0));
/// let token = one.reservation();
/// assert_eq!(other.shard_of_reservation(token), Some(0));
/// assert_eq!(other.shard_of_reservation(*b"a forged"), None);
/// ```
pub struct Tokens {
    tags: Hmac<Sha256>,
    tickets: Aes256Gcm,
    shard: Shard,
    rng: Rng,
}
impl Tokens {
    /// Those of this shard. The seed is its own; the key is that of all.
    #[must_use]
    pub fn new(key: &TokenKey, shard: Shard, seed: Seed) -> Self {
        // A seed of the key's octets, so that each use has a key of its own.
        let root = Seed::new(*key.0);
        // A block of the hash: what a key of HMAC is at the most without being hashed.
        let tags = Zeroizing::new(root.fork("turn token tags").into_rng().octets::<64>());
        let tickets = Zeroizing::new(root.fork("turn mobility tickets").into_rng().octets::<32>());
        Self {
            tags: Hmac::new(&(*tags).into()),
            tickets: Aes256Gcm::new(&(*tickets).into()),
            shard,
            // Nonces are never used twice under the key that shards share, should somebody give them one seed.
            rng: seed.fork(&alloc::format!("turn tokens of shard {}", shard.index)).into_rng(),
        }
    }
    /// Which of the shards this is.
    #[must_use]
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// A CONNECTION-ID of this shard that `is_in_use` says no to; `None` if there is none to be found, which does not happen
    /// while at most [`CONNECTIONS_MAX`] are in use.
    pub fn connection_id(&mut self, mut is_in_use: impl FnMut(u32) -> bool) -> Option<u32> {
        let shard = self.shard.index;
        (0..DRAWS)
            .map(|_| {
                let [c0, c1] = self.rng.octets();
                let [tag] = self.tag(b"CONNECTION-ID", &[shard, c0, c1]);
                u32::from_be_bytes([shard, c0, c1, tag])
            })
            .find(|&id| !is_in_use(id))
    }
    /// Which shard made this CONNECTION-ID; `None` if none did.
    #[must_use]
    pub fn shard_of_connection(&self, id: u32) -> Option<u8> {
        let [shard, c0, c1, tag] = id.to_be_bytes();
        self.known(shard, &self.tag::<1>(b"CONNECTION-ID", &[shard, c0, c1]), &[tag])
    }

    /// A new RESERVATION-TOKEN of this shard.
    pub fn reservation(&mut self) -> [u8; 8] {
        let [c0, c1, c2] = self.rng.octets();
        let head = [self.shard.index, c0, c1, c2];
        let [t0, t1, t2, t3] = self.tag(b"RESERVATION-TOKEN", &head);
        [head[0], c0, c1, c2, t0, t1, t2, t3]
    }
    /// Which shard made this RESERVATION-TOKEN; `None` if none did.
    #[must_use]
    pub fn shard_of_reservation(&self, token: [u8; 8]) -> Option<u8> {
        let [shard, c0, c1, c2, tag @ ..] = token;
        self.known(shard, &self.tag::<4>(b"RESERVATION-TOKEN", &[shard, c0, c1, c2]), &tag)
    }

    /// A new MOBILITY-TICKET for an allocation of this shard.
    pub fn ticket(&mut self, allocation: u64, serial: u64) -> [u8; TICKET_LEN] {
        let mut ticket = [0; TICKET_LEN];
        let (nonce, rest) = ticket.split_at_mut(NONCE);
        let (body, tag) = rest.split_at_mut(BODY);
        self.rng.fill(nonce);
        body[..8].copy_from_slice(&serial.to_be_bytes());
        body[0] = self.shard.index;
        body[8..].copy_from_slice(&allocation.to_be_bytes());
        let nonce: [u8; NONCE] = core::array::from_fn(|i| nonce[i]);
        match self.tickets.encrypt_inout_detached(&nonce.into(), b"", InOutBuf::from(&mut *body)) {
            Ok(sealed) => tag.copy_from_slice(&sealed),
            // Only what is longer than 64 GiB is not encrypted.
            Err(_) => body.fill(0),
        }
        ticket
    }
    /// What a MOBILITY-TICKET says; `None` (400) if no shard made it.
    #[must_use]
    pub fn open_ticket(&self, ticket: &[u8]) -> Option<Ticket> {
        let ticket: &[u8; TICKET_LEN] = ticket.try_into().ok()?;
        let (nonce, rest) = ticket.split_first_chunk::<NONCE>()?;
        let (body, tag) = rest.split_first_chunk::<BODY>()?;
        let (mut body, tag) = (*body, <[u8; TAG]>::try_from(tag).ok()?);
        let opened =
            self.tickets.decrypt_inout_detached(&(*nonce).into(), b"", (&mut body[..]).into(), &tag.into());
        opened.ok()?;
        let (serial, allocation) = body.split_first_chunk::<8>()?;
        let [shard, serial @ ..] = *serial;
        let [s0, s1, s2, s3, s4, s5, s6] = serial;
        let serial = u64::from_be_bytes([0, s0, s1, s2, s3, s4, s5, s6]);
        let allocation = u64::from_be_bytes(allocation.try_into().ok()?);
        (shard < self.shard.count).then_some(Ticket { shard, serial, allocation })
    }

    /// What belongs to `head`, in the name of an attribute.
    fn tag<const N: usize>(&self, attribute: &[u8], head: &[u8]) -> [u8; N] {
        let mac = self.tags.clone().chain_update(attribute).chain_update(head).finalize().into_bytes();
        core::array::from_fn(|i| mac[i])
    }
    fn known(&self, shard: u8, ours: &[u8], theirs: &[u8]) -> Option<u8> {
        (bool::from(ours.ct_eq(theirs)) && shard < self.shard.count).then_some(shard)
    }
}
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({:?})", self.shard)
    }
}

#[cfg(test)]
mod tests;
