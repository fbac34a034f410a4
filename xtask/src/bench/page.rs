//! The results for people: a table for the terminal, a page for the docs, and a picture of the ratios.

use std::fmt::Write;

use super::{
    goals,
    results::{Group, Row, Who},
};
use crate::step::output_of;

/// The picture's name, beside the page.
pub(super) const PICTURE: &str = "benchmarks.svg";

/// The table for the terminal.
pub(super) fn text(groups: &[Group]) -> String {
    let mut out = String::new();
    for group in groups {
        let _ = writeln!(out, "\n{:<58}{:>10}   ginnel takes   allocations   goal", group.name, "ns");
        for row in &group.rows {
            let ratio = row.ratio.map(|ratio| format!("{ratio:.2} x")).unwrap_or_default();
            let (count, goal) = (allocations(row), goal(group, row));
            let line = format!("  {:<56}{:>10.1} {ratio:>14} {count:>13}   {goal}", row.name, row.ns);
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    out
}

/// What is asked of a row, and what became of it.
fn goal(group: &Group, row: &Row) -> String {
    match goals::verdict(group, row) {
        None => String::new(),
        Some((asked, true)) => format!("{asked}: met"),
        Some((asked, false)) => format!("{asked}: **missed**"),
    }
}

/// Whole numbers as such: fractions are buffers that grow now and then.
fn allocations(row: &Row) -> String {
    match row.allocations {
        None => String::new(),
        Some(count) if count < 0.05 => "0".to_string(),
        Some(count) => format!("{count:.1}").trim_end_matches(".0").to_string(),
    }
}

/// The page.
pub(super) fn markdown(groups: &[Group], quick: bool) -> String {
    let mut out = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench --peers`; the benchmarks are in `benches/`. Times are medians in \
         nanoseconds, one thread. They are a hint: **what counts are the ratios**, measured in one run. *ginnel takes* is \
         our time divided by the other's: 0.50 means that ours takes half as long. A *floor* is the least that any \
         implementation must do: the cryptography, a table, or the system's calls alone. What a rival leaves out is said beside its name. \
         Allocations are counted by an allocator that counts, in a pass of its own, and belong to one piece of work once all \
         is warm.\n\n",
    );
    out.push_str(
        "Of `sockets/` the time is that of the server's threads for one hop over loopback: a datagram received and one sent. \
         Many flows are compared with two floors. The *batched echo* sends back what comes, on one socket, so each of its \
         calls serves many flows; the goal of 1.15 x is of that. The *forwarder* has a socket for each flow besides, as every \
         relay must, and looks at nothing: no relay of many flows can be cheaper.\n\n",
    );
    out.push_str(
        "What the TURN server costs under load over UDP, TCP, TLS and DTLS, beside coturn, with the packets that were lost, and \
         what 100,000 allocations cost, is in [TURN-CAPACITY.md](TURN-CAPACITY.md). Where its time goes, with 100 clients \
         over UDP:\n\n![Flame graph of the TURN server](images/turn-server-flame.svg)\n\n",
    );
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let _ = writeln!(out, "- Processor: {} ({cores} cores)", processor());
    let _ = writeln!(out, "- Compiler: {}", output_of(&["rustc", "--version"]));
    let _ = writeln!(out, "- Date: {}", output_of(&["date", "-u", "+%Y-%m-%d"]));
    let _ = writeln!(out, "- Measured against: {}", versions());
    if quick {
        out.push_str("- With `--quick`: short measurements, good to about a tenth\n");
    }
    let (met, missed) = goals::summary(groups);
    let _ = writeln!(
        out,
        "- Goals: {met} met, {} missed; *no slower* is met up to {} x",
        missed.len(),
        goals::NO_SLOWER
    );
    for goal in missed {
        let _ = writeln!(out, "  - missed: {goal}");
    }
    let _ = writeln!(out, "\n![Our time divided by that of floors and rivals]({PICTURE})");
    for group in groups {
        let _ = writeln!(
            out,
            "\n## {}\n\n| | ns | ginnel takes | allocations | goal |\n|---|---:|---:|---:|---|",
            group.name
        );
        for row in &group.rows {
            let ratio = row.ratio.map(|ratio| format!("{ratio:.2} x")).unwrap_or_default();
            let name = if row.who == Who::Ours { "**ginnel**" } else { &row.name };
            let (count, goal) = (allocations(row), goal(group, row));
            let _ = writeln!(out, "| {name} | {:.1} | {ratio} | {count} | {goal} |", row.ns);
        }
    }
    out
}

/// The model of the processor, where the system says it.
fn processor() -> String {
    let linux = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = linux.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1)).map(str::to_string);
    let model = model.unwrap_or_else(|| output_of(&["sysctl", "-n", "machdep.cpu.brand_string"]));
    if model.is_empty() { std::env::consts::ARCH.to_string() } else { model }
}

/// What the benchmarks depend on besides ours, with versions.
fn versions() -> String {
    let cargo = crate::step::cargo();
    let tree = output_of(&[
        cargo.as_str(),
        "tree",
        "--package=ginnel-benches",
        "--features=peers",
        "--edges=normal",
        "--depth=1",
        "--prefix=none",
        "--format={p}",
    ]);
    let foreign = tree.lines().filter(|line| !line.starts_with("ginnel"));
    let named = foreign.filter_map(|line| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?.trim_start_matches('v')))
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Pixels of the picture: a line, the room of the names, the width of the scale.
const LINE: f64 = 22.0;
const NAMES: f64 = 330.0;
const SCALE: f64 = 420.0;
/// The ends of the scale, as ratios: what lies beyond is drawn at the end.
const ENDS: (f64, f64) = (0.1, 4.0);

/// A dot for each ratio on a logarithmic scale: left of the line at 1, ours is the faster.
pub(super) fn picture(groups: &[Group]) -> String {
    let x = |ratio: f64| {
        let clamped = ratio.clamp(ENDS.0, ENDS.1);
        NAMES + SCALE * (clamped / ENDS.0).ln() / (ENDS.1 / ENDS.0).ln()
    };
    let (width, height) = (NAMES + SCALE + 30.0, LINE * (groups.len() as f64 + 3.0));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>Our time divided by that of floors and rivals, logarithmic: left of 1, ours is the \
         faster</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
    );
    for ratio in [0.1, 0.25, 0.5, 1.0, 2.0, 4.0] {
        let (at, to) = (x(ratio), height - 2.0 * LINE);
        let stroke = if ratio == 1.0 { "#333" } else { "#ddd" };
        let _ = writeln!(out, "<path d=\"M{at:.1} {LINE}V{to:.1}\" stroke=\"{stroke}\"/>");
        let below = to + 16.0;
        let _ = writeln!(out, "<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{ratio} x</text>");
    }
    for (n, group) in groups.iter().enumerate() {
        let y = LINE * (n as f64 + 1.5);
        let name = escape(&group.name);
        let _ = writeln!(out, "<text x=\"8\" y=\"{:.1}\">{name}</text>", y + 4.0);
        for row in &group.rows {
            let Some(ratio) = row.ratio else { continue };
            let fill = if row.who == Who::Floor { "#999" } else { "#06c" };
            let (at, tip) = (x(ratio), escape(&row.name));
            let _ = writeln!(
                out,
                "<circle cx=\"{at:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{fill}\"><title>{tip}: {ratio:.2} x</title></circle>"
            );
        }
    }
    let y = height - 0.5 * LINE;
    let _ = writeln!(
        out,
        "<text x=\"8\" y=\"{y:.1}\">Our time / theirs: <tspan fill=\"#06c\">rivals</tspan>, \
         <tspan fill=\"#777\">floors</tspan>. Left of 1 ours is the faster.</text>\n</svg>"
    );
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
