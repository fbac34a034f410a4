#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "alloc"))]
extern crate alloc;

pub mod attribute;
#[cfg(feature = "alloc")]
pub mod auth;
#[cfg(feature = "alloc")]
pub mod behavior;
#[cfg(feature = "alloc")]
pub mod client;
#[cfg(feature = "alloc")]
mod credential;
mod fingerprint;
#[doc(hidden)]
pub mod fuzz;
mod integrity;
mod message;
#[cfg(feature = "alloc")]
pub mod resolve;
#[cfg(feature = "alloc")]
mod server;
#[cfg(test)]
mod testing;
pub mod uri;
mod writer;

#[cfg(feature = "alloc")]
pub use credential::{Credential, LongTermCredential, ShortTermCredential};
pub use fingerprint::Fingerprint;
#[cfg(feature = "arbitrary")]
pub use fuzz::{Draft, Seal};
pub use integrity::{CredentialError, Integrity, IntegrityAlgorithm, IntegrityKey, OpaqueString, Sha256Len};
pub use message::{
    Attributes, Class, HEADER_LEN, MAGIC_COOKIE, Message, Method, MethodError, ParseError, ParseErrorReason,
    RawAttribute, TransactionId, TransactionIdError,
};
#[cfg(feature = "alloc")]
#[doc(hidden)]
pub use server::fuzz as server_fuzz;
#[cfg(feature = "alloc")]
pub use server::{
    BindingServer, DiscoveryAddresses, DiscoveryAddressesError, DiscoverySupport, FingerprintPolicy,
    ServerConfig, ServerEvent, ServerStats,
};
pub use writer::{BeforeSha256, MessageBuffer, MessageWriter, Open, Room, Sealed, SealedSha256};
