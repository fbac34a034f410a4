#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod app;
mod bind;
mod config;
mod driver;
#[cfg(feature = "dtls")]
mod dtls;
mod interfaces;
mod outbox;
mod platform;
mod ready;
#[cfg(feature = "relay")]
mod relay;
mod runtime;
pub mod shards;
mod stats;
mod stream;
#[cfg(feature = "testing")]
#[doc(hidden)]
#[allow(missing_docs, reason = "tests are read by their names")]
pub mod testing;
mod udp;
mod wire;

pub use app::App;
pub use config::{Config, Limits};
pub use driver::Driver;
pub use interfaces::{Interfaces, interfaces};
#[cfg(feature = "relay")]
pub use relay::{RelayConfig, RelayError, RelayRuntime, RelaySocket, RelayStats};
pub use runtime::{Interest, Listener, Runtime, Socket, Timer};
pub use socket2::SockRef;
pub use stats::Stats;
pub use stream::Ejected;
#[cfg(feature = "tls")]
pub use stream::{ClientTls, ServerTls, TlsError};
