//! Runs `ginnel serve` as operators do: flags and files in, lines, signals and packets out, over loopback.

#![cfg(unix)]

mod certificate;
mod client;
mod configuration;
mod fleet;
mod lifecycle;
mod load;
mod migration;
#[cfg(target_os = "linux")]
mod network;
mod program;
mod relay;
mod security;
mod socket;
