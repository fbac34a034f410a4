//! `cargo xtask no-std`: the proof that the protocol crates need no std, and some no allocator.
//!
//! `xtask/no-std` is a static library with its own panic handler over all of them. If any crate below pulled in std,
//! the compiler would find two panic handlers and refuse: claims of no_std that no build proves are worth nothing.
//! `xtask/no-std/no-alloc` is another over those that need no allocator, and has none.

use crate::step::{Failure, Step, output_of, root, target_dir};

/// Each is built on its own: together the features that one asks for would be the other's too.
const PROOFS: [(&str, &str); 2] =
    [("no_std proof", "xtask/no-std"), ("proof without an allocator", "xtask/no-std/no-alloc")];
/// Targets that are checked as well, where they are installed.
const MORE_TARGETS: [&str; 2] = ["thumbv7em-none-eabihf", "wasm32-unknown-unknown"];

/// Builds the proofs, for the host and for the small targets that are installed.
pub(crate) fn run() -> Result<(), Failure> {
    let target = target_dir().join("no-std");
    let build = |name: &str, package: &str, more: &[&str]| {
        let manifest = root().join(package).join("Cargo.toml");
        let manifest = manifest.to_string_lossy();
        let words = [&["build", "--release", "--quiet", "--manifest-path", manifest.as_ref()], more].concat();
        Step::cargo(name, &words).env("CARGO_TARGET_DIR", &target).run().map(drop)
    };
    let installed = output_of(&["rustup", "target", "list", "--installed"]);
    for (name, package) in PROOFS {
        build(name, package, &[])?;
        for triple in MORE_TARGETS.iter().filter(|t| installed.lines().any(|line| line == **t)) {
            build(&format!("{name}, {triple}"), package, &["--target", triple])?;
        }
    }
    Ok(())
}
