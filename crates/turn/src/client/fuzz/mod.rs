//! The body of the fuzz target `turn_client`.

pub(in crate::client) mod relay;
