//! What the machines of several shards have in common: counts of allocations, which relays are live, and the key of tokens.
//!
//! The data path touches none of it, but for the buckets of users with a bandwidth limit and for peers that are relays of this
//! very server: atomics, no lock. What else shards share is in their configurations: the nonce key
//! ([`AuthConfig::with_nonce_key`](ginnel_stun::auth::AuthConfig::with_nonce_key)) and the users.

use ginnel_core::Seed;

use super::{
    ServerConfig,
    policy::{LiveRelays, Quotas, TokenKey},
};

/// What one machine holds in common with those of other shards.
///
/// ```
/// use ginnel_core::Seed;
/// use ginnel_stun::auth::{AuthConfig, NonceKey};
/// use ginnel_turn::server::{RelayAddress, Server, ServerConfig, Shard, Shared};
///
/// let auth = AuthConfig::long_term("example.org")?.with_nonce_key(NonceKey::new([7; 32]), core::time::Duration::ZERO);
/// let config = ServerConfig::new(auth).with_relay(RelayAddress::new("198.51.100.1".parse()?));
/// # #[cfg(feature = "std")] {
/// let shared = Shared::several(&config, &Seed::new([8; 32]), 4);
/// let machines = shared.into_iter().zip(0..).map(|(shared, index)| {
///     let config = config.clone().with_shard(Shard::new(index, 4));
///     Server::with_shared(config, shared, Seed::new([index; 32])) // in production: a seed for each
/// });
/// assert_eq!(machines.count(), 4);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Shared {
    pub(super) quotas: Quotas,
    pub(super) live: LiveRelays,
    pub(super) tokens: TokenKey,
}
impl Shared {
    /// Of one machine alone.
    #[must_use]
    pub fn alone(config: &ServerConfig, seed: &Seed) -> Self {
        Self { quotas: Quotas::new(config.quotas), live: live(config), tokens: key(seed) }
    }
    /// Of `count` machines, one for each.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn several(config: &ServerConfig, seed: &Seed, count: usize) -> alloc::vec::Vec<Self> {
        let (quotas, live) = (Quotas::shared(config.quotas), live(config));
        let handles = core::iter::repeat_with(|| quotas.share()).map_while(|it| it).take(count);
        handles.map(|quotas| Self { quotas, live: live.clone(), tokens: key(seed) }).collect()
    }
}
fn live(config: &ServerConfig) -> LiveRelays {
    LiveRelays::new(config.relays.iter().map(|it| it.external))
}
fn key(seed: &Seed) -> TokenKey {
    TokenKey::from_seed(seed.fork("turn tokens"))
}
