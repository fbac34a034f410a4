//! What came of a run, for people and for programs.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::histogram::Histogram;

/// What one worker, or all of them, have counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Clients that there are.
    pub(super) clients: u64,
    /// Of those, who got an allocation.
    pub(super) allocated: u64,
    /// How long that took each.
    pub(super) allocation: Histogram,
    /// From when a packet left a client to when it came back, or to the other client.
    pub(super) latency: Histogram,
    /// Packets that left.
    pub(super) sent: u64,
    /// Packets that came, each once.
    pub(super) received: u64,
    /// Of those, behind a newer one.
    pub(super) reordered: u64,
    /// Packets that came once more.
    pub(super) duplicates: u64,
    /// Packets that were due and could not be sent: the generator was too slow, or the system had no room.
    pub(super) unsent: u64,
    /// What failed, by code and reason; code 0 is of this side.
    pub(super) refusals: BTreeMap<(u16, String), u64>,
}

impl Tally {
    pub(super) fn merge(&mut self, other: &Self) {
        self.clients += other.clients;
        self.allocated += other.allocated;
        self.allocation.merge(&other.allocation);
        self.latency.merge(&other.latency);
        self.sent += other.sent;
        self.received += other.received;
        self.reordered += other.reordered;
        self.duplicates += other.duplicates;
        self.unsent += other.unsent;
        for (what, count) in &other.refusals {
            *self.refusals.entry(what.clone()).or_default() += count;
        }
    }

    pub(super) fn refused(&mut self, code: u16, reason: impl fmt::Display) {
        *self.refusals.entry((code, reason.to_string())).or_default() += 1;
    }
}

/// The outcome, as `--json` prints it. These names stay.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    server: String,
    transport: String,
    mode: String,
    path: &'static str,
    clients: u64,
    allocated: u64,
    packet_octets: usize,
    /// Seconds in which packets were sent.
    seconds: f64,
    sent: u64,
    received: u64,
    lost: u64,
    loss: f64,
    reordered: u64,
    duplicates: u64,
    unsent: u64,
    packets_per_second: f64,
    payload_bits_per_second: f64,
    latency_ms: Percentiles,
    allocation_ms: Percentiles,
    /// Of all processors together, while packets were sent; where the server's process is known.
    server_cpu_seconds: Option<f64>,
    /// Of that, for each packet that it relayed: a packet that comes back was relayed twice.
    server_cpu_us_per_packet: Option<f64>,
    refusals: Vec<Refusal>,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    count: u64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Refusal {
    /// The server's error code; 0 where it is no server's.
    code: u16,
    reason: String,
    count: u64,
}

fn millis(duration: Duration) -> f64 {
    // Whole microseconds: what is below is noise, and nobody wants to read it.
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl Percentiles {
    fn of(histogram: &Histogram) -> Self {
        let part = |part| millis(histogram.per_mille(part));
        Self {
            count: histogram.count(),
            mean: millis(histogram.mean()),
            p50: part(500),
            p90: part(900),
            p99: part(990),
            p999: part(999),
            max: millis(histogram.max()),
        }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mean, p50, p90, p99, p999, max, .. } = self;
        write!(
            f,
            "p50 {p50:.3}, p90 {p90:.3}, p99 {p99:.3}, p99.9 {p999:.3}, max {max:.3}, mean {mean:.3} ms"
        )
    }
}

/// What was asked for, as far as a report says it again.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) server: String,
    pub(super) transport: String,
    pub(super) mode: String,
    /// Whether packets go from client to client.
    pub(super) between_clients: bool,
    pub(super) octets: usize,
}

impl Report {
    pub(super) fn new(asked: Asked, tally: &Tally, lasted: Duration, server_cpu: Option<Duration>) -> Self {
        let seconds = lasted.as_secs_f64();
        let rate = if seconds > 0.0 { tally.received as f64 / seconds } else { 0.0 };
        let server_cpu = server_cpu.as_ref().map(Duration::as_secs_f64);
        let relayed = (tally.sent + tally.received).max(1) as f64;
        let lost = tally.sent.saturating_sub(tally.received);
        let refusal = |((code, reason), count): (&(u16, String), &u64)| Refusal {
            code: *code,
            reason: reason.clone(),
            count: *count,
        };
        Self {
            server: asked.server,
            transport: asked.transport,
            mode: asked.mode,
            path: if asked.between_clients { "one way, client to client" } else { "there and back" },
            clients: tally.clients,
            allocated: tally.allocated,
            packet_octets: asked.octets,
            seconds,
            sent: tally.sent,
            received: tally.received,
            lost,
            loss: if tally.sent > 0 { lost as f64 / tally.sent as f64 } else { 0.0 },
            reordered: tally.reordered,
            duplicates: tally.duplicates,
            unsent: tally.unsent,
            packets_per_second: rate,
            payload_bits_per_second: rate * asked.octets as f64 * 8.0,
            latency_ms: Percentiles::of(&tally.latency),
            allocation_ms: Percentiles::of(&tally.allocation),
            server_cpu_seconds: server_cpu,
            server_cpu_us_per_packet: server_cpu.map(|spent| spent * 1e6 / relayed),
            refusals: tally.refusals.iter().map(refusal).collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} over {}, {}, {}", self.server, self.transport, self.mode, self.path)?;
        writeln!(f, "  allocations  {} of {} clients", self.allocated, self.clients)?;
        if self.allocated > 0 {
            writeln!(f, "               {}", self.allocation_ms)?;
        }
        for Refusal { code, reason, count } in &self.refusals {
            match code {
                0 => writeln!(f, "  failed       {count} x {reason}")?,
                code => writeln!(f, "  refused      {count} x {code} {reason}")?,
            }
        }
        writeln!(f, "  sent         {} packets of {} octets", self.sent, self.packet_octets)?;
        writeln!(
            f,
            "  received     {} ({:.3} % lost, {} out of order, {} twice)",
            self.received,
            self.loss * 100.0,
            self.reordered,
            self.duplicates
        )?;
        if self.unsent > 0 {
            writeln!(f, "  not sent     {}: this program, or its host, was too slow", self.unsent)?;
        }
        writeln!(
            f,
            "  throughput   {:.0} packets/s, {:.3} Mbit/s of payload, in {:.2} s",
            self.packets_per_second,
            self.payload_bits_per_second / 1e6,
            self.seconds
        )?;
        if let Some((spent, each)) = self.server_cpu_seconds.zip(self.server_cpu_us_per_packet) {
            writeln!(f, "  server       {spent:.2} s of processors, {each:.2} us for each packet relayed")?;
        }
        write!(f, "  latency      {}", self.latency_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut tally = Tally { clients: 3, allocated: 2, sent: 1_000, received: 990, ..Tally::default() };
        (0..2).for_each(|n| tally.allocation.record(Duration::from_millis(n + 1)));
        (0..990).for_each(|n| tally.latency.record(Duration::from_micros(n)));
        tally.refused(486, "Allocation Quota Reached");
        let asked = Asked {
            server: "turn:192.0.2.1".to_string(),
            transport: "udp".to_string(),
            mode: "channel".to_string(),
            between_clients: false,
            octets: 100,
        };
        Report::new(asked, &tally, Duration::from_secs(10), Some(Duration::from_millis(1_990)))
    }

    #[test]
    fn a_report_says_what_was_lost_and_why() {
        let text = report().to_string();
        for part in [
            "2 of 3 clients",
            "1 x 486 Allocation Quota Reached",
            "990 (1.000 % lost",
            "99 packets/s",
            "1000.00 us",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn the_names_of_its_fields_stay() {
        let json = serde_json::to_value(report()).unwrap();
        let mut names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "allocated",
                "allocation_ms",
                "clients",
                "duplicates",
                "latency_ms",
                "loss",
                "lost",
                "mode",
                "packet_octets",
                "packets_per_second",
                "path",
                "payload_bits_per_second",
                "received",
                "refusals",
                "reordered",
                "seconds",
                "sent",
                "server",
                "server_cpu_seconds",
                "server_cpu_us_per_packet",
                "transport",
                "unsent"
            ]
        );
        assert_eq!(json["loss"], 0.01);
        assert_eq!(json["payload_bits_per_second"], 79_200.0);
        assert_eq!(json["server_cpu_us_per_packet"], 1_000.0);
        assert_eq!(json["refusals"][0]["code"], 486);
        assert_eq!(json["latency_ms"]["count"], 990);
    }

    #[test]
    fn two_tallies_are_one() {
        let mut all = Tally { sent: 1, ..Tally::default() };
        let mut other = Tally { sent: 2, received: 3, ..Tally::default() };
        other.refused(401, "Unauthorized");
        all.refused(401, "Unauthorized");
        all.merge(&other);
        assert_eq!((all.sent, all.received), (3, 3));
        assert_eq!(all.refusals[&(401, "Unauthorized".to_string())], 2);
    }
}
