#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod association;
mod dcep;
#[doc(hidden)]
pub mod fuzz;
mod sctp;
#[cfg(test)]
mod tests;

pub use association::{
    Association, AssociationConfig, ChannelCloseReason, ChannelConfig, ChannelId, CloseReason, DEFAULT_MTU,
    DEFAULT_PORT, DEFAULT_REMOTE_MAX_MESSAGE_SIZE, Event, InitError, MessageKind, OpenError, Opener,
    Reliability, Role, RoleFixed, SendError, Stats,
};
