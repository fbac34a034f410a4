//! `cargo xtask bench`: the figures of `docs/BENCHMARKS.md`.

use crate::step::{Failure, Step};

/// `bench [--quick] [--peers]`: with `--peers` the rivals are built and run beside ours.
pub(crate) fn run(args: &[&str]) -> Result<(), Failure> {
    let mut words = vec!["bench", "--package", "ginnel-benches"];
    if args.contains(&"--peers") {
        words.extend(["--features", "peers"]);
    }
    words.push("--");
    if args.contains(&"--quick") {
        words.extend(["--warm-up-time", "0.2", "--measurement-time", "0.5", "--sample-size", "20"]);
    }
    if let Some(other) = args.iter().find(|a| !["--quick", "--peers"].contains(*a)) {
        return Err(format!("'{other}' is not an option of `bench`: there are --quick and --peers"));
    }
    Step::cargo("benchmarks", &words).shown()
}
