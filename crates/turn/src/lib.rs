#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod channel_data;

pub use channel_data::{ChannelData, ChannelDataError, ChannelNumber};
