//! A server without sockets: what it answers, and what it relays.

mod allocating;
mod bounds;
mod clock;
mod mobility;
mod relaying;
mod rig;
mod security;
#[cfg(feature = "std")]
mod shards;
mod tcp;
#[cfg(feature = "std")]
mod tokens;
