#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(all(feature = "std", not(test)))]
extern crate std;

mod dice;
mod firewall;
mod host;
mod ip;
mod link;
mod log;
mod middlebox;
mod nat;
mod net;
mod node;
mod pipe;
mod place;
mod sim;
mod tcp;
pub mod toy;

pub use firewall::{Firewall, PerFamily};
pub use ip::ToIp;
pub use link::Link;
pub use log::{Entry, Fate, Stats};
pub use middlebox::{Datagram, Middlebox, Open, Verdict};
pub use nat::{
    Filtering, Fragments, Hairpinning, Mapping, Nat, NatKind, Pooling, PortAssignment, Refresh, UnknownKind,
};
pub use node::Received;
pub use place::{HostId, NetworkId, NodeId, Place};
pub use sim::Sim;

#[cfg(test)]
mod tests;
