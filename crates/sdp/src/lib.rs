#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod attribute;
mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod jsep;
pub mod limits;
mod session;
mod steps;
pub mod view;

pub use error::{EXCERPT, ParseError, Report, ValueError};
pub use session::{Bandwidth, Media, MediaLine, Origin, Section, Session};
