//! DTLS 1.2 and 1.3 for one peer (RFC 6347, RFC 9147, RFC 5763, RFC 5764), over the library `dimpl`.
//!
//! [`Endpoint`] adds what the library leaves to its user: the peer's identity is checked before anything leaves, outputs are
//! bounded and have their places in the contract's verbs, data that overtakes the handshake is kept, and closing is polite.
//! The library is named in this module alone.

mod certificate;
mod config;
mod endpoint;
mod event;
mod failure;
mod fingerprint;
mod keys;
mod queue;
mod record;
mod stats;

pub use certificate::{Certificate, CertificateError};
pub use config::{
    ConfigError, DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_MTU, DEFAULT_RTO, EndpointConfig, MAX_MTU, MIN_MTU, Role,
    Versions,
};
pub use endpoint::{Endpoint, RECORD_OVERHEAD, SendError};
pub use event::{CloseReason, Event, FailureReason, Version};
pub use fingerprint::{Fingerprint, FingerprintError, HashFunction};
pub use keys::MediaKeys;
pub use stats::Stats;
