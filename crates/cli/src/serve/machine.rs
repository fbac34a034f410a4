//! The settings in the words of the machine.

use ginnel::{
    stun::{
        self, DiscoverySupport,
        auth::{AuthConfig, NonceKey, User},
    },
    turn::server::{Lifetimes, Limits, Listener, RelayAddress, Server, ServerConfig, Shard},
};

use super::{
    config::{Settings, StaticUser},
    sockets::Reserved,
};
use ginnel::core::{Instant, Transport};

/// What all shards share.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// Of nonces: each shard takes those of the others.
    pub(super) nonce_key: NonceKey,
    pub(super) shards: u8,
    pub(super) listeners: Vec<Listener>,
    pub(super) relays: Vec<RelayAddress>,
    pub(super) discovery: DiscoverySupport,
}

impl Common {
    pub(super) fn new(reserved: &Reserved, shards: u8, nonce_key: NonceKey) -> Self {
        let mut listeners: Vec<_> =
            reserved.plan.listeners().map(|(transport, local)| Listener::new(transport, local)).collect();
        listeners.extend(reserved.alternates.iter().map(|at| Listener::new(Transport::Udp, *at)));
        let relay = |relay: &super::plan::Relay| {
            let plain = RelayAddress::new(relay.local);
            relay.external.map_or(plain, |external| plain.with_external(external))
        };
        let relays = reserved.plan.relays.iter().map(relay).collect();
        let discovery = reserved.discovery.map_or(DiscoverySupport::Off, DiscoverySupport::TwoAddresses);
        Self { nonce_key, shards, listeners, relays, discovery }
    }

    /// How the machine of a shard works under these settings.
    pub(super) fn config(&self, settings: &Settings, shard: u8) -> Result<ServerConfig, String> {
        let auth = AuthConfig::long_term(&settings.realm).map_err(|error| format!("realm: {error}"))?;
        // The key is drawn at the start, and so is the time that it counts from.
        let auth = auth.with_nonce_key(self.nonce_key.clone(), std::time::Duration::ZERO);
        let lifetimes = Lifetimes::default();
        let mut limits = Limits::default();
        if let Some(max) = settings.max_allocations {
            limits = limits.with_allocations(max as usize);
        }
        let mut config = ServerConfig::new(auth)
            .with_ports(settings.ports.clone())
            .with_binding(stun::ServerConfig::default().with_rfc3489(true).with_discovery(self.discovery))
            .with_software(Some(concat!("Ginnel ", env!("CARGO_PKG_VERSION"))))
            .with_lifetimes(lifetimes.with(lifetimes.default, settings.max_lifetime))
            .with_limits(limits)
            .with_shard(Shard::new(shard, self.shards));
        config = self.listeners.iter().fold(config, |config, it| config.with_listener(*it));
        Ok(self.relays.iter().fold(config, |config, it| config.with_relay(*it)))
    }
}

/// The keys of a user; that they can be made was seen when the settings were judged.
pub(super) fn user(settings: &Settings, user: &StaticUser) -> Option<User> {
    User::long_term(&user.name, &settings.realm, &user.password.0).ok()
}

/// Gives a machine other settings while it runs. Users who are gone, or have another password, lose what they have.
pub(super) fn reconfigure(
    server: &mut Server,
    now: Instant,
    config: ServerConfig,
    old: &Settings,
    new: &Settings,
) {
    server.reconfigure(now, config);
    for gone in old.users.iter().filter(|user| !new.users.contains(user)) {
        server.remove_user(now, &gone.name);
    }
    for added in new.users.iter().filter(|user| !old.users.contains(user)) {
        if let Some(user) = user(new, added) {
            let _ = server.add_user(user);
        }
    }
}
