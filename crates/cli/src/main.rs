//! The `ginnel` program.
fn main() {}
