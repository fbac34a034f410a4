#![doc = include_str!("../README.md")]
#![cfg_attr(not(any(test, feature = "std")), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod channel_data;
pub mod client;
#[doc(hidden)]
pub mod pair;
pub mod rest;
pub mod server;

pub use channel_data::{ChannelData, ChannelDataError, ChannelNumber};
