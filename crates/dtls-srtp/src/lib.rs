#![doc = include_str!("../README.md")]
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![forbid(unsafe_code)]

mod demux;
#[cfg(feature = "dtls")]
pub mod dtls;
#[doc(hidden)]
pub mod fuzz;
#[cfg(feature = "dtls")]
mod session;
pub mod srtp;

pub use demux::{Protocol, demux};
#[cfg(feature = "dtls")]
pub use session::{Event, Kind, MediaError, Session, SessionConfig, SessionStats};
