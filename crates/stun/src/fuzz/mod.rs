//! The bodies of the fuzz targets of the codec. `cargo test` runs them too: over the committed corpora, and over what its
//! property tests think of.

mod draft;
pub mod message;
pub mod writer;

pub use draft::{Draft, Seal};
