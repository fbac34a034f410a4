//! UDP sockets under tokio.

#[cfg(not(unix))]
mod plain;
#[cfg(unix)]
mod readable;

#[cfg(not(unix))]
pub use plain::TokioSocket;
#[cfg(unix)]
pub use readable::TokioSocket;
