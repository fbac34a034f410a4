//! Runs `ginnel serve` as operators do: flags and files in, lines, signals and packets out, over loopback.

#![cfg(unix)]

mod certificate;
mod client;
mod configuration;
mod fleet;
mod lifecycle;
mod program;
mod relay;
mod socket;
