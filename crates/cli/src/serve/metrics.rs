//! `/metrics`: what the shards have counted, in the words of Prometheus.

use std::fmt::Display;

use ginnel::{
    driver,
    stun::{ServerStats, auth::AuthStats},
    turn::server::Stats,
};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::ConstGauge},
    registry::Registry,
};

/// What one shard has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) turn: Stats,
    pub(super) auth: AuthStats,
    pub(super) binding: ServerStats,
    pub(super) sockets: driver::Stats,
    pub(super) streams: u64,
}

/// What the whole knows of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Whole {
    pub(super) draining: bool,
    pub(super) uptime_seconds: u64,
    /// Messages from shard to shard; those of them that were lost; streams.
    pub(super) handed_over: [u64; 3],
    pub(super) reloads: u64,
    pub(super) reloads_refused: u64,
}

/// A counter of a labelled family: the label's value, and where to read it.
type Labelled<T> = (&'static str, fn(&T) -> u64);

/// The text of a scrape.
pub(super) fn text(shards: &[Counted], whole: Whole) -> Result<String, String> {
    let mut registry = Registry::with_prefix("ginnel");
    let build = Family::<[(&str, &str); 1], ConstGaugeOne>::default();
    drop(build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]));
    registry.register("build_info", "The version that runs", build);
    gauge(&mut registry, "draining", "1 while no new allocations are taken", u64::from(whole.draining));
    gauge(&mut registry, "uptime_seconds", "How long the program has been running", whole.uptime_seconds);
    gauge(&mut registry, "shards", "Threads that relay", shards.len() as u64);
    counters(
        &mut registry,
        "reloads",
        "Reloads of the configuration",
        "result",
        &[whole],
        &[("applied", |it| it.reloads), ("refused", |it| it.reloads_refused)],
    );
    counters(
        &mut registry,
        "handed_over",
        "What one shard has handed over to another",
        "what",
        &[whole],
        &[
            ("messages", |it| it.handed_over[0]),
            ("messages_lost", |it| it.handed_over[1]),
            ("streams", |it| it.handed_over[2]),
        ],
    );
    turn(&mut registry, &shards.iter().map(|it| it.turn).collect::<Vec<_>>());
    auth(&mut registry, &shards.iter().map(|it| it.auth).collect::<Vec<_>>());
    binding(&mut registry, &shards.iter().map(|it| it.binding).collect::<Vec<_>>());
    sockets(&mut registry, &shards.iter().map(|it| it.sockets).collect::<Vec<_>>());
    gauge(
        &mut registry,
        "streams",
        "Streams that are open or about to be",
        shards.iter().map(|it| it.streams).sum(),
    );
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| error.to_string())?;
    Ok(text)
}

/// A gauge of a family that is always 1.
#[derive(Clone, Debug, Default)]
struct ConstGaugeOne;

impl prometheus_client::encoding::EncodeMetric for ConstGaugeOne {
    fn encode(&self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        ConstGauge::new(1u64).encode(encoder)
    }
    fn metric_type(&self) -> prometheus_client::metrics::MetricType {
        prometheus_client::metrics::MetricType::Gauge
    }
}
impl prometheus_client::metrics::TypedMetric for ConstGaugeOne {
    const TYPE: prometheus_client::metrics::MetricType = prometheus_client::metrics::MetricType::Gauge;
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(value));
}

/// One family of counters, summed over the shards.
fn counters<T>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    shards: &[T],
    labelled: &[Labelled<T>],
) {
    let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
    for (value, read) in labelled {
        family.get_or_create(&[(label, *value)]).inc_by(shards.iter().map(read).sum());
    }
    registry.register(name, help, family);
}

fn counter<T>(registry: &mut Registry, name: &str, help: impl Display, shards: &[T], read: fn(&T) -> u64) {
    let counter: Counter = Counter::default();
    counter.inc_by(shards.iter().map(read).sum());
    registry.register(name, help.to_string(), counter);
}

fn turn(registry: &mut Registry, shards: &[Stats]) {
    let now = shards.iter().map(|it| it.allocations).sum();
    gauge(registry, "allocations", "Allocations now", now);
    counter(registry, "allocated", "Allocations made", shards, |it| it.allocated);
    counters(
        registry,
        "allocations_ended",
        "Allocations that ended",
        "reason",
        shards,
        &[("expired", |it| it.expired), ("deleted", |it| it.deleted), ("other", |it| it.ended)],
    );
    counters(
        registry,
        "requests",
        "Requests that succeeded",
        "method",
        shards,
        &[
            ("allocate", |it| it.allocated),
            ("refresh", |it| it.refreshed),
            ("move", |it| it.moved),
            ("create_permission", |it| it.permissions),
            ("channel_bind", |it| it.channels),
        ],
    );
    relayed(registry, shards);
}

/// What went through, and what did not.
fn relayed(registry: &mut Registry, shards: &[Stats]) {
    counters(
        registry,
        "errors",
        "Requests answered with an error, by its code",
        "code",
        shards,
        &[
            ("300", |it| it.errors.try_alternate_300),
            ("400", |it| it.errors.bad_request_400),
            ("403", |it| it.errors.forbidden_403),
            ("405", |it| it.errors.mobility_405),
            ("420", |it| it.errors.unknown_attribute_420),
            ("437", |it| it.errors.allocation_mismatch_437),
            ("440", |it| it.errors.address_family_440),
            ("441", |it| it.errors.wrong_credentials_441),
            ("442", |it| it.errors.transport_442),
            ("443", |it| it.errors.peer_family_443),
            ("446", |it| it.errors.connection_exists_446),
            ("447", |it| it.errors.connection_failed_447),
            ("486", |it| it.errors.quota_486),
            ("508", |it| it.errors.capacity_508),
            ("other", |it| it.errors.other),
        ],
    );
    counters(
        registry,
        "relayed_packets",
        "Messages relayed",
        "direction",
        shards,
        &[("to_peers", |it| it.to_peers.packets), ("to_clients", |it| it.to_clients.packets)],
    );
    counters(
        registry,
        "relayed_bytes",
        "Octets of application data relayed",
        "direction",
        shards,
        &[("to_peers", |it| it.to_peers.octets), ("to_clients", |it| it.to_clients.octets)],
    );
    counters(
        registry,
        "relay_drops",
        "Messages that were not relayed",
        "reason",
        shards,
        &[
            ("bad_channel_data", |it| it.bad_channel_data),
            ("bad_send", |it| it.bad_sends),
            ("not_permitted", |it| it.not_permitted),
            ("over_bandwidth", |it| it.over_bandwidth),
            ("no_client", |it| it.no_client),
            ("no_allocation", |it| it.no_allocation),
            ("malformed", |it| it.discarded),
        ],
    );
    connections(registry, shards);
    counter(registry, "icmp_errors", "ICMP errors passed on to clients", shards, |it| it.icmp);
    counter(registry, "relay_refusals", "Relay ports that the system refused", shards, |it| {
        it.relay_refusals
    });
    counter(registry, "events_dropped", "Events that were lost", shards, |it| it.events_dropped);
}

/// What RFC 6062 adds.
fn connections(registry: &mut Registry, shards: &[Stats]) {
    counters(
        registry,
        "tcp_connections",
        "Connections of TCP relays (RFC 6062)",
        "result",
        shards,
        &[
            ("connected", |it| it.tcp.connected),
            ("failed", |it| it.tcp.failed),
            ("attempted", |it| it.tcp.attempts),
            ("refused", |it| it.tcp.refused),
            ("bound", |it| it.tcp.bound),
            ("expired", |it| it.tcp.expired),
        ],
    );
    counters(
        registry,
        "tcp_relayed_bytes",
        "Octets of such connections that have ended",
        "direction",
        shards,
        &[("to_peers", |it| it.tcp.from_clients), ("to_clients", |it| it.tcp.from_peers)],
    );
}

fn auth(registry: &mut Registry, shards: &[AuthStats]) {
    counters(
        registry,
        "auth",
        "Requests whose credentials were judged",
        "result",
        shards,
        &[
            ("authenticated", |it| it.authenticated),
            ("challenged", |it| it.unauthenticated),
            ("stale_nonce", |it| it.stale),
            ("bad_request", |it| it.bad_requests),
            ("limited", |it| it.limited),
        ],
    );
    counter(
        registry,
        "wrong_credentials",
        "Requests of unknown users, or with a wrong password",
        shards,
        |it| it.wrong_credentials,
    );
}

fn binding(registry: &mut Registry, shards: &[ServerStats]) {
    counters(
        registry,
        "binding",
        "Binding requests",
        "result",
        shards,
        &[
            ("answered", |it| it.answered),
            ("unknown_attributes", |it| it.unknown_attributes),
            ("bad_request", |it| it.bad_requests),
            ("limited", |it| it.limited),
            ("discarded", |it| it.malformed + it.bad_fingerprint + it.no_way_back),
        ],
    );
}

fn sockets(registry: &mut Registry, shards: &[driver::Stats]) {
    counters(
        registry,
        "datagrams",
        "Datagrams at the sockets",
        "direction",
        shards,
        &[("received", |it| it.received), ("sent", |it| it.sent)],
    );
    counters(
        registry,
        "datagram_calls",
        "System calls that moved them",
        "direction",
        shards,
        &[("received", |it| it.receives), ("sent", |it| it.sends)],
    );
    counters(
        registry,
        "datagram_drops",
        "Datagrams that did not leave, or had nowhere to go",
        "reason",
        shards,
        &[("no_room", |it| it.dropped), ("refused", |it| it.send_errors), ("not_open", |it| it.not_open)],
    );
    counters(
        registry,
        "stream_messages",
        "Messages on streams",
        "result",
        shards,
        &[
            ("received", |it| it.messages_received),
            ("sent", |it| it.messages_sent),
            ("dropped", |it| it.messages_dropped),
        ],
    );
    counters(
        registry,
        "streams_opened",
        "Streams that clients opened",
        "result",
        shards,
        &[
            ("accepted", |it| it.accepted),
            ("refused", |it| it.accept_refused),
            ("failed", |it| it.accept_errors),
            ("handshake_failed", |it| it.handshakes_failed),
        ],
    );
    counters(
        registry,
        "streams_cut",
        "Streams that the server closed",
        "reason",
        shards,
        &[
            ("malformed", |it| it.streams_malformed),
            ("idle", |it| it.streams_idle),
            ("slow", |it| it.streams_slow),
            ("stalled", |it| it.streams_stalled),
        ],
    );
    counter(
        registry,
        "dtls_challenged",
        "Clients that began DTLS and were asked first to show that they hear",
        shards,
        |it| it.dtls_challenged,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_summed_and_everything_has_its_name_and_help() {
        let mut one = Counted::default();
        one.turn.allocations = 3;
        one.turn.to_peers.octets = 1_000;
        one.turn.errors.quota_486 = 2;
        let text = text(&[one, one], Whole { draining: true, ..Whole::default() }).unwrap();
        for line in [
            "ginnel_allocations 6",
            "ginnel_relayed_bytes_total{direction=\"to_peers\"} 2000",
            "ginnel_errors_total{code=\"486\"} 4",
            "ginnel_draining 1",
            "ginnel_shards 2",
            concat!("ginnel_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# EOF",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        let types = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(types, text.lines().filter(|line| line.starts_with("# HELP")).count());
    }
}
