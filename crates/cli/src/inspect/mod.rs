//! `ginnel inspect`: what octets mean, without a network. One directory for each kind of octets.

mod hex;
mod input;
mod stun;

use clap::{Args, Subcommand};

/// What to look at.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Subcommand, Debug)]
enum Kind {
    /// Explain a STUN message: header, attributes, fingerprint and integrity
    Stun(stun::Options),
}

/// Prints the account. An error is a sentence for standard error.
pub(crate) fn run(options: Options) -> Result<(), String> {
    match options.kind {
        Kind::Stun(options) => stun::run(options),
    }
}
