//! x
/// x
pub fn x() {}
