//! `cargo xtask turn`: what the TURN server costs under load, beside coturn where that is installed, and how much of the load
//! was lost. Servers, echo and load share the processors of one host, so what counts is one server beside the other.

mod picture;
mod server;

use std::{fmt::Write, process::Command};

use serde_json::Value;

use self::server::{PASSWORD, Running, USER};
use crate::{
    setup,
    step::{Failure, Step, heading, output_of, root, target_dir},
};

/// Where the tables are kept, between two lines.
const PAGE: &str = "docs/TURN-CAPACITY.md";
const BEGIN: &str = "<!-- written by cargo xtask turn --write -->\n";
const END: &str = "<!-- until here -->\n";

/// Clients at once, each with an allocation and a channel of its own.
const CLIENTS: [u32; 4] = [1, 10, 100, 1_000];
/// Packets that all clients send in a second, together. Each is relayed twice: to the echo, and back.
const RATE: u32 = 5_000;
/// Over what clients reach the server: as a row, as a URI begins and ends.
const TRANSPORTS: [(&str, &str, &str); 4] = [
    ("UDP", "turn", "?transport=udp"),
    ("TCP", "turn", "?transport=tcp"),
    ("TLS", "turns", "?transport=tcp"),
    ("DTLS", "turns", "?transport=udp"),
];

/// `turn [--quick] [--write] [--picture]`: with `--picture` a flame graph of ours is drawn too, and kept.
pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    if let Some(other) = args.iter().find(|arg| !["--quick", "--write", "--picture"].contains(*arg)) {
        return Err(format!(
            "'{other}' is not an option of `turn`: there are --quick, --write and --picture"
        ));
    }
    let seconds = if args.contains(&"--quick") { "2" } else { "8" };
    heading("the TURN server");
    if args.contains(&"--picture") {
        picture::check()?;
    }
    setup::run()?;
    Step::cargo("build", &["build", "--release", "--package", "ginnel-cli", "--quiet"]).run()?;
    let words = ["bench", "--package", "ginnel-benches", "--bench", "turn_crowd", "--quiet"];
    let crowd = Step::cargo("100,000 in memory", &words).run()?;
    let program = target_dir().join("release/ginnel");
    let program = program.to_string_lossy();
    let certificate = server::certificate()?;
    let ours = Running::ginnel(&program, &certificate)?;
    let other = Running::coturn(&certificate)?;
    if args.contains(&"--picture") {
        let uri = format!("turn:127.0.0.1:{}", ours.plain);
        picture::draw(&ours, &mut turn_load(&program, &uri, 100, "60"))?;
    }
    let mut tables = String::new();
    for transport in TRANSPORTS {
        let rows: Vec<_> = CLIENTS
            .iter()
            .map(|clients| {
                let measure =
                    |server: &Running| load(&program, server, transport, *clients, seconds, &certificate);
                (*clients, measure(&ours), other.as_ref().and_then(measure))
            })
            .collect();
        tables.push_str(&table(transport.0, &rows));
    }
    let page = format!("{}\n{tables}", preface(seconds));
    println!("\n{}\n\n{page}", crowd.trim());
    if args.contains(&"--write") {
        write(&page)?;
    }
    Ok(())
}

/// One run of `ginnel turn-load`; what it says, also where it says that nothing came back.
fn load(
    program: &str,
    server: &Running,
    (name, scheme, query): (&str, &str, &str),
    clients: u32,
    seconds: &str,
    certificate: &server::Certificate,
) -> Option<Value> {
    let port = if scheme == "turns" { server.secure(name) } else { server.plain };
    let uri = format!("{scheme}:127.0.0.1:{port}{query}");
    let mut command = turn_load(program, &uri, clients, seconds);
    command.args(["--ca", &certificate.chain, "--server-pid", &server.process().to_string()]);
    let output = command.output().ok()?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    let report = serde_json::from_slice::<Value>(&output.stdout).ok()?;
    eprintln!("  {} over {name}, {clients} clients: {}", server.name, cell(Some(&report)));
    Some(report)
}

/// The load itself.
fn turn_load(program: &str, uri: &str, clients: u32, seconds: &str) -> Command {
    let rate = f64::from(RATE) / f64::from(clients);
    let mut command = Command::new(program);
    command
        .args(["turn-load", uri, "--json", "--quiet", "--size", "200", "--duration", seconds])
        .args(["--user", &format!("{USER}:{PASSWORD}")])
        .args(["--clients", &clients.to_string(), "--rate", &rate.to_string()]);
    command
}

/// What is said above the tables.
fn preface(seconds: &str) -> String {
    let coturn = output_of(&["turnserver", "--version"]);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "All clients together sent {RATE} packets of 200 octets a second for {seconds} s over channels, to an echo and back, so \
         that each was relayed twice. Ginnel with one shard, coturn {coturn} with one relay thread; {cores} cores, {date}. \
         Microseconds are of all processors, in and out of the kernel, for each packet relayed; what was lost is a part of the \
         packets sent.\n",
        coturn = if coturn.is_empty() { "(not installed)" } else { &coturn },
        date = output_of(&["date", "-u", "+%Y-%m-%d"]),
    )
}

/// Clients, and what the reports of both servers say.
type Measured = (u32, Option<Value>, Option<Value>);

fn table(transport: &str, rows: &[Measured]) -> String {
    let mut out =
        format!("\n**{transport}**\n\n| clients | ginnel | coturn | ginnel takes |\n|---:|---|---|---:|\n");
    for (clients, ours, other) in rows {
        let other = other.as_ref();
        // With fewer clients there is less to relay at once, and each packet costs more.
        let all_there = |report: &&Value| report["allocated"].as_f64() >= report["clients"].as_f64();
        let cost = |report: &Value| Some(report).filter(all_there)?["server_cpu_us_per_packet"].as_f64();
        let ratio = ours.as_ref().and_then(cost).zip(other.and_then(cost));
        let ratio = ratio.map(|(ours, other)| format!("{:.2} x", ours / other)).unwrap_or_default();
        let _ = writeln!(out, "| {clients} | {} | {} | {ratio} |", cell(ours.as_ref()), cell(other));
    }
    out
}

/// One run as words.
fn cell(report: Option<&Value>) -> String {
    let Some(report) = report else { return "not measured".to_string() };
    let number = |name: &str| report[name].as_f64().unwrap_or(f64::NAN);
    let mut text = format!(
        "{:.1} us, {:.2} % lost, p99 {:.1} ms",
        number("server_cpu_us_per_packet"),
        number("loss") * 100.0,
        report["latency_ms"]["p99"].as_f64().unwrap_or(f64::NAN)
    );
    if number("allocated") < number("clients") {
        let _ = write!(text, ", {} of {} allocated", number("allocated"), number("clients"));
    }
    text
}

/// Puts the tables between their lines.
fn write(tables: &str) -> Result<(), Failure> {
    let path = root().join(PAGE);
    let page = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {PAGE}: {error}"))?;
    let page =
        between(&page, tables).ok_or_else(|| format!("the lines that begin and end are not in {PAGE}"))?;
    std::fs::write(&path, page).map_err(|error| format!("cannot write {PAGE}: {error}"))
}

fn between(page: &str, tables: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{tables}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(cost: f64, allocated: u32) -> Value {
        serde_json::json!({
            "server_cpu_us_per_packet": cost, "loss": 0.0125, "latency_ms": {"p99": 1.26}, "clients": 10,
            "allocated": allocated,
        })
    }

    #[test]
    fn a_row_compares_and_says_what_is_missing() {
        let rows = [
            (10, Some(report(4.0, 10)), Some(report(8.0, 10))),
            (10, Some(report(4.0, 10)), Some(report(8.0, 9))),
            (100, None, None),
        ];
        let table = table("UDP", &rows);
        let first = "| 10 | 4.0 us, 1.25 % lost, p99 1.3 ms | 8.0 us, 1.25 % lost, p99 1.3 ms | 0.50 x |\n";
        assert!(table.contains(first), "{table}");
        let unequal = "| 10 | 4.0 us, 1.25 % lost, p99 1.3 ms | 8.0 us, 1.25 % lost, p99 1.3 ms, 9 of 10 allocated |  |\n";
        assert!(table.contains(unequal), "{table}");
        assert!(table.ends_with("| 100 | not measured | not measured |  |\n"), "{table}");
    }

    #[test]
    fn the_page_keeps_what_is_around_the_tables() {
        let page = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(between(&page, "new\n"), Some(format!("a\n{BEGIN}new\n{END}b\n")));
        assert_eq!(between("a", "new"), None);
        let kept = std::fs::read_to_string(root().join(PAGE)).unwrap();
        assert!(between(&kept, "").is_some(), "{PAGE} has its lines");
    }
}
