#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod attribute;
pub mod auth;
pub mod client;
mod fingerprint;
#[doc(hidden)]
pub mod fuzz;
mod integrity;
mod message;
mod server;
#[cfg(test)]
mod testing;
mod writer;

pub use fingerprint::Fingerprint;
pub use integrity::{CredentialError, Integrity, IntegrityAlgorithm, IntegrityKey, Sha256Len};
pub use message::{
    Attributes, Class, HEADER_LEN, MAGIC_COOKIE, Message, Method, ParseError, ParseErrorReason, RawAttribute,
    TransactionId,
};
pub use server::{BindingServer, ServerEvent, ServerStats};
pub use writer::{BeforeSha256, MessageBuffer, MessageWriter, Open, Room, Sealed, SealedSha256};
