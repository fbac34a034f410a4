//! `cargo xtask soak`: the long runs, for once per change of substance and not for every commit.

use crate::{
    fuzz,
    step::{Failure, Step, heading},
};

/// Every seed of the long simulations, then half an hour of each fuzz target.
pub(crate) fn run() -> Result<(), Failure> {
    heading("soak");
    Step::cargo("build", &["build", "--workspace", "--tests", "--release", "--quiet"]).run()?;
    Step::cargo("every seed", &["test", "--release", "--workspace", "--exclude", "ginnel-interop", "seeds"])
        .env("GINNEL_SEEDS", "200")
        .shown()?;
    fuzz::soak()
}
