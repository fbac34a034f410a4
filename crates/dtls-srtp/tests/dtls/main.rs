//! Two endpoints in virtual time: versions, loss, identity, hostile records, closing, browsers' ClientHellos, media.
#![cfg(feature = "dtls")]

mod browsers;
mod closing;
mod hostile;
mod identity;
mod loss;
mod pair;
mod session;
mod versions;
