//! The body of the fuzz target `datachannel`.
/// See the crate's `fuzz` folder.
pub fn run(_data: &[u8]) {}
