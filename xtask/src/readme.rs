//! `cargo xtask readme --check`: what a README says is what the crate says.
//!
//! Each library takes its README as its crate documentation (`#![doc = include_str!("../README.md")]`), so the two
//! cannot differ and the examples in it are doc tests. The root README's example is a file that compiles.

use std::path::Path;

use crate::step::{Failure, report, root};

/// The example that the root README shows.
const EXAMPLE: &str = "crates/ginnel/examples/two_peers.rs";

/// Checks all READMEs.
pub(crate) fn run() -> Result<(), Failure> {
    let mut wrong = Vec::new();
    for dir in crates()? {
        check_crate(&dir, &mut wrong);
    }
    check_root(&mut wrong)?;
    report("readme", &wrong)
}

fn check_crate(dir: &Path, wrong: &mut Vec<String>) {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let readme = std::fs::read_to_string(dir.join("README.md")).unwrap_or_default();
    if readme.lines().count() < 5 {
        wrong.push(format!("crates/{name}/README.md says nothing: it must read alone"));
    }
    let Ok(lib) = std::fs::read_to_string(dir.join("src/lib.rs")) else { return };
    if !lib.contains("#![doc = include_str!(\"../README.md\")]") {
        wrong.push(format!("crates/{name}/src/lib.rs: its documentation is not its README"));
    }
}

fn check_root(wrong: &mut Vec<String>) -> Result<(), Failure> {
    let mut read = |path: &str| {
        let text = std::fs::read_to_string(root().join(path));
        text.map_err(|e| wrong.push(format!("{path}: {e}"))).unwrap_or_default()
    };
    let (readme, example) = (read("README.md"), read(EXAMPLE));
    if readme.is_empty() {
        return Ok(());
    }
    let shown =
        readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    if !example.contains(shown.trim()) || shown.trim().is_empty() {
        wrong.push(format!("README.md: its example is not in {EXAMPLE}"));
    }
    for dir in crates()? {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !readme.contains(&format!("crates/{name}")) {
            wrong.push(format!("README.md: the crate table lacks crates/{name}"));
        }
    }
    Ok(())
}

/// The folders of `crates/`, sorted.
fn crates() -> Result<Vec<std::path::PathBuf>, Failure> {
    let entries = std::fs::read_dir(root().join("crates")).map_err(|e| format!("crates: {e}"))?;
    let mut dirs: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_dir()).collect();
    dirs.sort();
    Ok(dirs)
}
