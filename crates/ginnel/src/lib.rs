#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::io;

pub use ginnel_core as core;
pub use ginnel_datachannel as datachannel;
pub use ginnel_driver as driver;
pub use ginnel_dtls_srtp as dtls_srtp;
pub use ginnel_ice as ice;
pub use ginnel_peer as peer;
pub use ginnel_rtp as rtp;
pub use ginnel_sdp as sdp;
#[cfg(feature = "smol")]
pub use ginnel_smol as smol;
pub use ginnel_stun as stun;
#[cfg(feature = "tokio")]
pub use ginnel_tokio as tokio;
pub use ginnel_turn as turn;

/// A seed from the operating system's randomness, for a machine that is to be used and not tested. One for each machine.
///
/// # Errors
/// When the operating system gives none.
pub fn random_seed() -> io::Result<core::Seed> {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).map_err(io::Error::other)?;
    Ok(core::Seed::new(octets))
}
