//! `cargo xtask bench`: runs the benchmarks, prints one table with ratios, and keeps it as `docs/BENCHMARKS.md`.
//!
//! Ratios count, not times: machines differ and are noisy, but the floors and the rivals run in the same process as
//! ours, within minutes. So the page is written only where the rivals took part (`--peers`).

mod goals;
mod page;
mod results;

use std::path::PathBuf;

use crate::step::{Failure, Step, heading, on_path, root, scratch};

/// What the benchmarks of one run are told.
#[derive(Clone, Copy, Debug)]
struct Options {
    quick: bool,
    peers: bool,
}

/// `bench [--quick] [--peers]`: with `--peers` the rivals are built and run beside ours.
pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    if let Some(other) = args.iter().find(|a| !["--quick", "--peers"].contains(*a)) {
        return Err(format!("'{other}' is not an option of `bench`: there are --quick and --peers"));
    }
    let options = Options { quick: args.contains(&"--quick"), peers: args.contains(&"--peers") };
    heading("benchmarks");
    let folder = measure(options)?;
    if !on_path("turnserver") {
        eprintln!("  coturn is not installed: nothing is compared with it, and no goal is asked of it");
    }
    let groups = results::read(&folder, &count(options)?)?;
    print!("{}", page::text(&groups));
    if !options.peers {
        eprintln!("\n  docs/BENCHMARKS.md is left as it is: it compares, so --peers writes it");
        return Ok(());
    }
    let write = |path: &str, text: String| {
        std::fs::write(root().join(path), text).map_err(|e| format!("cannot write {path}: {e}"))
    };
    write(&format!("docs/{}", page::PICTURE), page::picture(&groups))?;
    write("docs/BENCHMARKS.md", page::markdown(&groups, options.quick))?;
    eprintln!("\n  docs/BENCHMARKS.md is written");
    Ok(())
}

/// The benchmarks that criterion times.
const TIMED: [&str; 8] = ["--bench", "stun", "--bench", "srtp", "--bench", "turn", "--bench", "sockets"];

/// What cargo is told of the benchmarks of one kind.
fn words<'a>(options: Options, benches: &[&'a str]) -> Vec<&'a str> {
    let features: &[&str] = if options.peers { &["--features", "peers"] } else { &[] };
    [&["bench", "--package", "ginnel-benches"], benches, features].concat()
}

/// Runs them and returns the folder of their results: a fresh one, so that nothing of an earlier run is shown.
fn measure(options: Options) -> Result<PathBuf, Failure> {
    let folder = scratch().join("criterion");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|e| format!("cannot empty {}: {e}", folder.display()))?;
    }
    let words = words(options, &TIMED);
    Step::cargo("build", &[&words[..], &["--bench", "allocations", "--no-run", "--quiet"]].concat()).run()?;
    let times: &[&str] = if options.quick {
        &["--warm-up-time", "0.1", "--measurement-time", "0.4", "--sample-size", "20"]
    } else {
        &["--warm-up-time", "0.3", "--measurement-time", "1.2", "--sample-size", "50"]
    };
    let words = [&words[..], &["--quiet", "--", "--noplot", "--quiet"], times].concat();
    Step::cargo("measure", &words).env("CRITERION_HOME", &folder).run()?;
    Ok(folder)
}

/// Runs the same work under an allocator that counts, and returns what it printed.
fn count(options: Options) -> Result<String, Failure> {
    let words = words(options, &["--bench", "allocations"]);
    Step::cargo("count allocations", &[&words[..], &["--quiet"]].concat()).run()
}
