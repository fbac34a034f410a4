//! `cargo xtask no-std`: the proof that the protocol crates need no std.
//!
//! `xtask/no-std` is a static library with its own panic handler over all of them. If any crate below pulled in std,
//! the compiler would find two panic handlers and refuse: claims of no_std that no build proves are worth nothing.

use crate::step::{Failure, Step, output_of, root, target_dir};

/// Targets that are checked as well, where they are installed.
const MORE_TARGETS: [&str; 2] = ["thumbv7em-none-eabihf", "wasm32-unknown-unknown"];

/// Builds the proof, for the host and for the small targets that are installed.
pub(crate) fn run() -> Result<(), Failure> {
    let manifest = root().join("xtask/no-std/Cargo.toml");
    let manifest = manifest.to_string_lossy();
    let target = target_dir().join("no-std");
    let build = |name: &str, more: &[&str]| {
        let words = [&["build", "--release", "--quiet", "--manifest-path", manifest.as_ref()], more].concat();
        Step::cargo(name, &words).env("CARGO_TARGET_DIR", &target).run().map(drop)
    };
    build("no_std proof", &[])?;
    let installed = output_of(&["rustup", "target", "list", "--installed"]);
    for triple in MORE_TARGETS.iter().filter(|t| installed.lines().any(|line| line == **t)) {
        build(&format!("no_std proof, {triple}"), &["--target", triple])?;
    }
    Ok(())
}
