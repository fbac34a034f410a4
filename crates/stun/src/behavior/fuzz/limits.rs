//! The bounds that [the module](super::super) states.

use core::time::Duration;

use ginnel_core::Instant;

use super::super::DiscoveryConfig;

const REQUESTS: u64 = 68;
const REQUESTS_OF_MAX_TRIES: u64 = 8;
pub(super) const WAITS: u64 = 35;
const REQUESTS_OF_WAIT: u64 = 12;
/// To A1:P2 and the two of A2.
const TO_OTHERS: u64 = 36;

/// So long it takes at most without a search, at the usual pace or a faster one.
pub(super) fn time(config: &DiscoveryConfig) -> Duration {
    Duration::from_secs(120) + Duration::from_secs(13) * config.max_tries()
}
pub(super) fn requests(config: &DiscoveryConfig) -> u64 {
    let tries = u64::from(config.max_tries());
    let search = if config.lifetime.is_some() { WAITS * (REQUESTS_OF_WAIT + 2 * tries) } else { 0 };
    REQUESTS + REQUESTS_OF_MAX_TRIES * tries + search
}
/// To addresses that the server alone has named.
pub(super) const fn to_others() -> u64 {
    TO_OTHERS
}
/// To those that it calls ours.
pub(super) fn to_mapped(config: &DiscoveryConfig) -> u64 {
    2 * u64::from(config.max_tries())
}
/// So long it goes on by itself from `now`: in a search, through the wait that it is in and one round. A wait is no longer
/// than the longest, or than a mapping was ever seen to be gone, which was by now.
pub(super) fn rest(config: &DiscoveryConfig, now: Instant) -> Duration {
    let wait = config
        .lifetime
        .map(|search| search.longest.max(search.shortest).max(now.saturating_since(Instant::EPOCH)));
    time(config) + wait.unwrap_or_default()
}
