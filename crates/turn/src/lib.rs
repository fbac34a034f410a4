#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod channel_data;
pub mod client;
pub mod server;

pub use channel_data::{ChannelData, ChannelDataError, ChannelNumber};
