//! Nonces that the server need not remember (RFC 8489 section 9.2, RFC 7616 section 5.4).
//!
//! ```text
//!  0                 13                                          44
//! +-----------------+-------------------------------------------+
//! | nonce cookie    | base64 of 23 octets                       |
//! +-----------------+-------------------------------------------+
//!                     7 octets of chance, 16 octets of
//!                     HMAC-SHA256(key, features, transport, local, remote, period, chance)
//! ```
//!
//! Time is cut into periods as long as [`Nonces::new`] is told, and the number of the period goes into the HMAC only: a nonce
//! says nothing of when it was made or how many were made before. It is valid in its own period and in the next, so for
//! at least one period and for less than two, and only for the path that it was made for.
//! Nothing is kept for a nonce, so nothing is there for a flood of forged ones to fill. What stands in front of it, the
//! security features, is part of the HMAC too: who changes them has forged a nonce (section 9.2.1).
//!
//! All that goes into one HMAC fits one block of SHA-256, and the key is hashed once: two blocks for each nonce.

use core::{fmt, net::IpAddr, time::Duration};

use ginnel_core::{Instant, Path, Rng, Seed};
use subtle::ConstantTimeEq;

use crate::{
    auth::features::{SecurityFeatures, base64_digit, digit_value},
    integrity::IntegrityKey,
};

/// What makes each nonce differ from the last one of the same path.
const CHANCE: usize = 7;
/// Octets of the HMAC that are kept: half of it, which nobody guesses.
const TAG: usize = 16;
/// Octets that are hashed: at most 55, so that with their padding they are one block.
const INPUT: usize = 4 + 2 * 18 + 8 + CHANCE;
/// Base64 digits of both, without padding.
const DIGITS: usize = ((CHANCE + TAG) * 8).div_ceil(6);

/// The secret behind nonces. Servers that share it, and a clock, take each other's nonces for a path: see
/// [`AuthConfig::with_nonce_key`](super::AuthConfig::with_nonce_key). Wiped when dropped, and never printed.
///
/// ```
/// use ginnel_stun::auth::NonceKey;
///
/// let key = NonceKey::new([7; 32]); // in production: 32 octets of the operating system's randomness
/// assert_eq!(format!("{key:?}"), "NonceKey(..)");
/// ```
#[derive(Clone)]
pub struct NonceKey(IntegrityKey);
impl NonceKey {
    /// From 32 octets that nobody else knows.
    #[must_use]
    pub fn new(octets: [u8; 32]) -> Self {
        let octets = zeroize::Zeroizing::new(octets);
        Self(IntegrityKey::from_octets(&*octets))
    }
    /// The key that a seed gives.
    #[must_use]
    pub fn from_seed(seed: Seed) -> Self {
        Self::new(seed.into_rng().octets())
    }
}
impl fmt::Debug for NonceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceKey(..)")
    }
}

/// A nonce that was made here, as the octets of its attribute.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MadeNonce([u8; Self::LEN]);
impl MadeNonce {
    /// Octets, which are characters: RFC 8489 section 14.10 wants fewer than 128.
    pub const LEN: usize = SecurityFeatures::COOKIE_LEN + DIGITS;

    /// The value of its NONCE attribute.
    #[must_use]
    pub const fn octets(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}
impl fmt::Debug for MadeNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MadeNonce({})", self.0.escape_ascii())
    }
}

/// Makes nonces and knows its own again.
///
/// ```
/// use core::time::Duration;
/// use ginnel_core::{Instant, Path, Seed};
/// use ginnel_stun::auth::{NonceKey, Nonces, SecurityFeatures};
///
/// let path = Path::udp("198.51.100.1:3478".parse()?, "192.0.2.1:5000".parse()?);
/// let other = Path { remote: "192.0.2.1:5001".parse()?, ..path };
/// let hour = Duration::from_secs(3600);
/// let features = SecurityFeatures::default();
/// let mut nonces = Nonces::new(NonceKey::new([7; 32]), hour, features, Seed::new([8; 32]));
///
/// let nonce = nonces.draw(Instant::EPOCH, path);
/// assert!(nonces.is_valid(Instant::EPOCH + hour, path, nonce.octets()));
/// assert!(!nonces.is_valid(Instant::EPOCH + hour, other, nonce.octets())); // somebody else's
/// assert!(!nonces.is_valid(Instant::EPOCH + 2 * hour, path, nonce.octets())); // expired
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Nonces {
    key: NonceKey,
    /// What [`Nonces::rotate`] replaced: its nonces are still taken.
    previous: Option<NonceKey>,
    period: Duration,
    /// What the clock of the key said at the zero of our time.
    clock_at_zero: Duration,
    features: SecurityFeatures,
    rng: Rng,
}
impl Nonces {
    /// Nonces under `key`, each valid for at least `period` (a second at the least) and for less than two, announcing
    /// `features`. The seed gives what tells nonces of one path and period apart.
    #[must_use]
    pub fn new(key: NonceKey, period: Duration, features: SecurityFeatures, seed: Seed) -> Self {
        let period = period.max(Duration::from_secs(1));
        Self { key, previous: None, period, clock_at_zero: Duration::ZERO, features, rng: seed.into_rng() }
    }
    /// With a clock that outlives this server: what it said at the zero of our time, such as the time since 1970.
    /// Under a key that was used before, a clock that starts anew makes the nonces of back then valid again.
    #[must_use]
    pub const fn with_clock_at_zero(mut self, clock: Duration) -> Self {
        self.clock_at_zero = clock;
        self
    }
    /// What the nonces announce.
    #[must_use]
    pub const fn features(&self) -> SecurityFeatures {
        self.features
    }
    /// Makes nonces under another key from now on. Those of the key before are taken until they expire or the key is
    /// changed again; those of the key before that are not.
    pub fn rotate(&mut self, key: NonceKey) {
        self.previous = Some(core::mem::replace(&mut self.key, key));
    }
    /// A new nonce for whoever is at the other end of `path`.
    #[must_use]
    pub fn draw(&mut self, now: Instant, path: Path) -> MadeNonce {
        let chance = self.rng.octets();
        let tag = tag(&self.key, self.features, path, self.period_at(now), &chance);
        let mut octets = [0; MadeNonce::LEN];
        let (cookie, digits) = octets.split_at_mut(SecurityFeatures::COOKIE_LEN);
        cookie.copy_from_slice(&self.features.cookie());
        encode(chance.into_iter().chain(tag), digits);
        MadeNonce(octets)
    }
    /// Whether `nonce` was made here for this path, with these features, and has not expired. Each check takes the same
    /// number of HMACs, two for each key that is in use, whatever is wrong with the nonce.
    #[must_use]
    pub fn is_valid(&self, now: Instant, path: Path, nonce: &[u8]) -> bool {
        let Some((cookie, digits)) = nonce.split_first_chunk::<{ SecurityFeatures::COOKIE_LEN }>() else {
            return false;
        };
        let Some((chance, theirs)) = decode(digits) else { return false };
        let period = self.period_at(now);
        let mut valid = subtle::Choice::from(0);
        for key in [Some(&self.key), self.previous.as_ref()].into_iter().flatten() {
            for period in [Some(period), period.checked_sub(1)].into_iter().flatten() {
                valid |= tag(key, self.features, path, period, &chance).ct_eq(&theirs);
            }
        }
        bool::from(valid) && *cookie == self.features.cookie()
    }
    fn period_at(&self, now: Instant) -> u64 {
        // A second at the least, so this is as many periods as there are seconds at the most.
        let clock = self.clock_at_zero.saturating_add(now.since_epoch());
        u64::try_from(clock.as_nanos() / self.period.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The HMAC of what a nonce is bound to: [`INPUT`] octets, which with their padding are one block.
fn tag(
    key: &NonceKey,
    features: SecurityFeatures,
    path: Path,
    period: u64,
    chance: &[u8; CHANCE],
) -> [u8; TAG] {
    let mut input = [0; INPUT];
    input[0] = path.transport as u8 | u8::from(features.password_algorithms) << 7;
    input[0] |= u8::from(features.username_anonymity) << 6;
    for (half, address) in input[4..40].chunks_exact_mut(18).zip([path.local, path.remote]) {
        let ip = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        half[..16].copy_from_slice(&ip.octets());
        half[16..].copy_from_slice(&address.port().to_be_bytes());
    }
    input[40..48].copy_from_slice(&period.to_be_bytes());
    input[48..55].copy_from_slice(chance);
    // The HMAC of a message has the length of the message in octets 2 and 3: here they say nothing.
    let whole = key.0.sha256(&input, 0);
    let mut tag = [0; TAG];
    tag.copy_from_slice(&whole[..TAG]);
    tag
}

/// RFC 4648 section 4, without padding.
fn encode(octets: impl IntoIterator<Item = u8>, digits: &mut [u8]) {
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut octets = octets.into_iter();
    for digit in digits {
        if held < 6 {
            bits = bits << 8 | u32::from(octets.next().unwrap_or(0));
            held += 8;
        }
        held -= 6;
        *digit = base64_digit(bits >> held);
    }
}

/// The chance and the tag. Other digits than those written here for the same octets are refused.
fn decode(digits: &[u8]) -> Option<([u8; CHANCE], [u8; TAG])> {
    if digits.len() != DIGITS {
        return None;
    }
    let mut octets = [0; CHANCE + TAG];
    let (mut bits, mut held) = (0_u32, 0_u32);
    let mut out = octets.iter_mut();
    for &digit in digits {
        bits = (bits << 6 | digit_value(digit)?) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            *out.next()? = (bits >> held) as u8;
        }
    }
    if bits & ((1 << held) - 1) != 0 {
        return None;
    }
    let (chance, tag) = octets.split_first_chunk::<CHANCE>()?;
    Some((*chance, *tag.first_chunk::<TAG>()?))
}

#[cfg(test)]
mod tests;
