//! `cargo xtask`: the chores of the workspace, each one command, the same on a laptop and in CI.
//!
//! | command | what it does |
//! |---|---|
//! | `test` | installs what the tests need, then runs them all: units, properties, simulations, doc tests, real browsers |
//! | `ci` | format, clippy, tidy, docs, no_std proof, `test`, a short live fuzz; ends non-zero when anything fails |
//! | `tidy` | the rules of style that a machine can check |
//! | `readme --check` | each crate's README is its crate documentation, and the root README's example compiles |
//! | `no-std` | links the no_std crates into one static library that has its own panic handler |
//! | `fuzz [TARGET] [--seconds N]` | live fuzzing with libFuzzer (needs a nightly toolchain) |
//! | `bench [--quick]` | the benchmarks, with rivals behind `--peers` |
//! | `turn [--quick] [--write] [--picture]` | the TURN server under load, beside coturn: processor time for each packet, packets lost |
//! | `soak` | the long runs: every seed, half an hour of fuzzing |

#![forbid(unsafe_code)]

mod bench;
mod ci;
mod fuzz;
mod no_std;
mod readme;
mod setup;
mod soak;
mod step;
mod test;
mod tidy;
mod turn;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let outcome = match args.first().map(String::as_str) {
        Some("test") => test::run(&rest),
        Some("ci") => ci::run(),
        Some("tidy") => tidy::run(),
        Some("readme") => readme::run(),
        Some("no-std") => no_std::run(),
        Some("fuzz") => fuzz::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("turn") => turn::run(&rest),
        Some("soak") => soak::run(),
        _ => {
            eprintln!(
                "usage: cargo xtask test|ci|tidy|readme|no-std|fuzz|bench|turn|soak   (see xtask/src/main.rs)"
            );
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nfailed: {failure}");
            ExitCode::FAILURE
        }
    }
}
