//! The I/O loop for sans-I/O machines, written once over small runtime traits.
#![forbid(unsafe_code)]
