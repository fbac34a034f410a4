//! The settings in the words of the machine.

use std::collections::BTreeMap;

use ginnel::{
    core::{Instant, Transport},
    stun::{
        self, DiscoverySupport,
        auth::{AuthConfig, NonceKey, RateLimit, User},
    },
    turn::{
        rest::{RestSecret, RestSecrets},
        server::{
            Credentials, Lifetimes, Limits, Listener, RelayAddress, Server, ServerConfig, Shard,
            policy::{BandwidthLimits, PeerFilter, PeerRange, QuotaLimits, Rate},
        },
    },
};

use super::{
    config::{Settings, StaticUser, USERS_MAX, range::Range},
    plan::Host,
    sockets::Opened,
};

/// What all shards share.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// Of nonces: each shard takes those of the others.
    pub(super) nonce_key: NonceKey,
    pub(super) shards: u8,
    pub(super) listeners: Vec<Listener>,
    pub(super) relays: Vec<RelayAddress>,
    pub(super) discovery: DiscoverySupport,
    /// Of this host: no peers, whatever port is meant, but for live relays.
    pub(super) own: Vec<std::net::IpAddr>,
}

impl Common {
    pub(super) fn new(opened: &Opened, host: &Host, shards: u8, nonce_key: NonceKey) -> Self {
        let mut listeners: Vec<_> =
            opened.plan.listeners().map(|(transport, local)| Listener::new(transport, local)).collect();
        listeners.extend(opened.alternates.iter().map(|at| Listener::new(Transport::Udp, *at)));
        let relay = |relay: &super::plan::Relay| {
            let plain = RelayAddress::new(relay.local);
            relay.external.map_or(plain, |external| plain.with_external(external))
        };
        let relays = opened.plan.relays.iter().map(relay).collect();
        let discovery = opened.discovery.map_or(DiscoverySupport::Off, DiscoverySupport::TwoAddresses);
        Self { nonce_key, shards, listeners, relays, discovery, own: host.own.clone() }
    }

    /// Interfaces come and go: what has become an address of this host is no peer any more. Whether anything has changed.
    pub(super) fn note_own(&mut self, own: Vec<std::net::IpAddr>) -> bool {
        let changed = own != self.own;
        self.own = own;
        changed
    }

    /// How the machine of a shard works under these settings.
    pub(super) fn config(&self, settings: &Settings, shard: u8) -> Result<ServerConfig, String> {
        let auth = AuthConfig::long_term(&settings.realm).map_err(|error| format!("realm: {error}"))?;
        // The key is drawn at the start, and so is the time that it counts from.
        let auth = auth.with_nonce_key(self.nonce_key.clone(), std::time::Duration::ZERO);
        let rate = settings.challenge_rate;
        let challenges = RateLimit::default().with_rate(rate, rate.saturating_mul(5));
        let auth = auth.with_challenge_limit(Some(challenges)).with_max_users(USERS_MAX);
        let (lifetimes, limits) = (Lifetimes::default(), Limits::default());
        // All of them may come to one shard: the quota is what bounds them.
        let most =
            settings.max_allocations.map_or(limits.allocations, |most| limits.allocations.max(most as usize));
        let mut config = ServerConfig::new(auth)
            .with_credentials(credentials(settings)?)
            .with_ports(settings.ports.clone())
            .with_peers(self.peers(settings)?)
            .with_quotas(quotas(settings))
            .with_bandwidth(bandwidth(settings))
            .with_mobility(settings.mobility)
            .with_tcp_relays(settings.tcp_relay)
            .with_binding(stun::ServerConfig::default().with_rfc3489(true).with_discovery(self.discovery))
            .with_software(Some(concat!("Ginnel ", env!("CARGO_PKG_VERSION"))))
            .with_lifetimes(lifetimes.with(lifetimes.default, settings.max_lifetime))
            .with_limits(limits.with_allocations(most))
            .with_shard(Shard::new(shard, self.shards));
        config = self.listeners.iter().fold(config, |config, it| config.with_listener(*it));
        Ok(self.relays.iter().fold(config, |config, it| config.with_relay(*it)))
    }

    fn peers(&self, settings: &Settings) -> Result<PeerFilter, String> {
        let range = |range: &Range| {
            PeerRange::new(range.first, range.last).map_err(|error| format!("{range}: {error}"))
        };
        let mut peers = self.own.iter().copied().fold(PeerFilter::default(), PeerFilter::with_own_address);
        for allowed in &settings.allow {
            peers = peers.with_allowed(range(allowed)?);
        }
        for denied in &settings.deny {
            peers = peers.with_denied(range(denied)?);
        }
        Ok(peers)
    }
}

/// Users are in memory in any case; those of secrets are computed. Of secrets there may be none: a reload cannot change the kind of
/// credentials, and it may bring the first secret, or take the last one away.
fn credentials(settings: &Settings) -> Result<Credentials, String> {
    let secrets = settings.secrets.iter().map(|secret| RestSecret::new(secret.0.as_bytes()));
    let secrets = RestSecrets::new(secrets).map_err(|error| error.to_string())?;
    Ok(Credentials::Rest(secrets.with_separator(settings.separator)))
}

fn quotas(settings: &Settings) -> QuotaLimits {
    let quotas = QuotaLimits::default();
    let quotas = settings.max_allocations.map_or(quotas, |most| quotas.with_total(most));
    settings.max_allocations_per_user.map_or(quotas, |most| quotas.with_per_user(most))
}

fn bandwidth(settings: &Settings) -> BandwidthLimits {
    let limits = BandwidthLimits::default();
    let limits = settings.bandwidth.map_or(limits, |rate| limits.with_per_allocation(Rate::new(rate)));
    settings.bandwidth_per_user.map_or(limits, |rate| limits.with_per_user(Rate::new(rate)))
}

/// The keys of a user; that they can be made was seen when the settings were judged.
pub(super) fn user(settings: &Settings, user: &StaticUser) -> Option<User> {
    User::long_term(&user.name, &settings.realm, &user.password.0).ok()
}

/// Who is a user no longer, and who is one now. Made once for all shards, and where no packet waits for it.
#[derive(Clone, Debug, Default)]
pub(super) struct UserChanges {
    /// Those who have another password too.
    gone: Vec<String>,
    added: Vec<User>,
}

impl UserChanges {
    pub(super) fn new(old: &Settings, new: &Settings) -> Self {
        let by_name = |settings: &Settings| -> BTreeMap<String, StaticUser> {
            settings.users.iter().map(|user| (user.name.clone(), user.clone())).collect()
        };
        let (before, after) = (by_name(old), by_name(new));
        Self {
            gone: before
                .values()
                .filter(|it| after.get(&it.name) != Some(*it))
                .map(|it| it.name.clone())
                .collect(),
            added: after
                .values()
                .filter(|it| before.get(&it.name) != Some(*it))
                .filter_map(|it| user(new, it))
                .collect(),
        }
    }
}

/// Gives a machine other settings while it runs. Users who are gone, or have another password, lose what they have.
pub(super) fn reconfigure(server: &mut Server, now: Instant, config: ServerConfig, changes: &UserChanges) {
    server.reconfigure(now, config);
    for gone in &changes.gone {
        server.remove_user(now, gone);
    }
    for added in &changes.added {
        // There is room: their number was judged with the settings.
        let _ = server.add_user(added.clone());
    }
}
