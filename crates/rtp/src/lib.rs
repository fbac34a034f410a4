#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod extension;
pub mod forwarder;
mod packet;
mod reception;
pub mod rtcp;
pub mod rtx;
mod sequence;

#[doc(hidden)]
pub mod fuzz;

pub use error::{ParseError, Reason};
pub use extension::{
    AudioLevel, Edit, Extension, ExtensionMap, ExtensionMapError, Extensions, MAX_EXTENSIONS,
    edit_extensions, uri,
};
pub use forwarder::{Forwarder, ForwarderConfig};
pub use packet::{FIXED_HEADER, RtpHeader, RtpHeaderMut, RtpView};
pub use reception::{Arrival, Reception};
pub use sequence::SequenceUnwrapper;
