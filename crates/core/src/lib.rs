#![doc = include_str!("../README.md")]
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![forbid(unsafe_code)]

pub mod check;
mod drive;
#[cfg(feature = "std")]
mod epoch;
mod frame_reader;
mod framing;
#[doc(hidden)]
pub mod fuzz;
mod host;
mod icmp;
mod machine;
mod pace;
mod packet;
mod path;
mod receive;
mod resource;
mod seed;
mod time;

pub use drive::{Io, receive, settle};
#[cfg(feature = "std")]
pub use epoch::Epoch;
pub use frame_reader::{FrameReader, StreamError, StreamErrorReason};
pub use framing::{Frame, Framing, PIECE};
pub use host::{Alpn, HostName, HostNameError};
pub use icmp::{IcmpError, IcmpVersion};
pub use machine::Machine;
pub use pace::{Pace, StreamRate};
pub use packet::{ANSWER, Buffer, HEADROOM, NoRoom, Packet};
pub use path::{Ecn, Path, Transmit, Transport};
pub use receive::{Handled, Receive};
pub use resource::{Notice, Port, Refused, Request, Ticket};
pub use seed::{Rng, Seed};
pub use time::{Instant, Wake};
