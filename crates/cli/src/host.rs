//! What this host has: addresses for candidates, randomness for seeds.

use std::net::IpAddr;

use ginnel::{
    core::Seed,
    driver::{Interfaces, interfaces},
};

/// The addresses to gather on: every usable unicast address of the interfaces, and loopback only where there is
/// nothing else (a machine without a network can still talk to itself).
pub(crate) fn addresses() -> Result<Vec<IpAddr>, String> {
    let list = |which| interfaces(which).map_err(|e| format!("the network interfaces cannot be listed: {e}"));
    let reachable = list(Interfaces::default())?;
    if reachable.is_empty() { list(Interfaces::default().with_loopback()) } else { Ok(reachable) }
}

/// A seed from the operating system's randomness.
pub(crate) fn seed() -> Result<Seed, String> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).map_err(|e| format!("the operating system gives no randomness: {e}"))?;
    Ok(Seed::new(octets))
}
