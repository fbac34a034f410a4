//! Authentication (RFC 8489 section 9), the server's half: what it announces, what it challenges with, what it accepts.
//!
//! [`Authenticator`] is the whole of it, for a server of any method. Its parts stand alone too: [`SecurityFeatures`] (which
//! clients read), [`Nonces`], [`RateLimiter`] and [`Users`].

pub(crate) mod ask;
mod authenticator;
mod config;
mod features;
mod nonce;
mod pending;
mod rate;
mod user;
mod verdict;

pub use authenticator::Authenticator;
pub use config::{AnnouncedAlgorithms, AuthConfig, LookUp, REALM_MAX, RealmError, WAITING_OCTETS_MAX};
pub use features::SecurityFeatures;
pub use nonce::{MadeNonce, NonceKey, Nonces};
pub use rate::{RateLimit, RateLimiter};
pub use user::{AddUserError, TooManyUsers, User, Users};
pub use verdict::{AuthEvent, AuthStats, Authenticated, Claimed, Refusal, Verdict, Who};

#[cfg(test)]
mod tests;
