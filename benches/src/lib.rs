//! The inputs that ours, the floors and the rivals are measured on: one place, so that all get the same octets.

pub mod stun;
